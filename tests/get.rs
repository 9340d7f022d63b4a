//! The example `get` as scripts meet it: its exit status for each kind of failure, which is curl's,
//! and what it says at the end.
//!
//! The example is compiled into this program, which starts itself anew as `get`: so it is there
//! whichever tests are built, and is never an old one.

#[path = "../examples/get.rs"]
#[allow(dead_code, reason = "its main function is this program's libtest")]
mod get;
mod support;

use std::env;
use std::process::{Command, Output};

use support::peer::{Peer, Refusing, answer, ok};

/// Set in the processes that the tests start: the arguments, a line each.
const ARGUMENTS: &str = "LONGWIRE_TEST_GET";

/// Is `get` if this process was started to be that.
fn become_get() {
    if let Ok(arguments) = env::var(ARGUMENTS) {
        let status = get::execute(arguments.lines().map(Into::into));
        std::process::exit(status.into());
    }
}

/// Runs `get` in a process of its own; `test` is the name of the calling test.
fn run(test: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env::current_exe().expect("the path of this program"));
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    command.args(["--exact", test, "--nocapture"]).env(ARGUMENTS, arguments.join("\n"));
    command.env_remove("REQUEST_METHOD").envs(variables.iter().copied());
    command.output().expect("this program runs")
}

/// A server that answers the first request of each connection with these bytes, and closes.
fn closing(answer: impl Into<Vec<u8>>) -> Peer {
    let answer = answer.into();
    Peer::start(move |mut conn, _| {
        conn.request();
        conn.send(&answer);
    })
}

#[test]
fn the_exit_status_is_curls() {
    become_get();
    let exits = |want: i32, arguments: &[&str], variables: &[(&str, &str)]| {
        let output = run("the_exit_status_is_curls", arguments, variables);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(want), "{arguments:?} {variables:?}: {printed}");
        assert_eq!(printed.is_empty(), want == 0, "{arguments:?}: {printed}");
    };
    let of_answer = |want, answer: &str, arguments: &[&str]| {
        let peer = closing(answer);
        exits(want, &[arguments, &[&peer.url("/")]].concat(), &[]);
    };

    of_answer(0, &ok("hello"), &[]);
    of_answer(0, &answer("404 Not Found", "", ""), &[]);
    exits(1, &["ftp://127.0.0.1/"], &[]);
    exits(2, &[], &[]);
    exits(2, &["--nonsense", "http://127.0.0.1/"], &[]);
    exits(3, &["http://127.0.0.1:99999/"], &[]);
    exits(7, &[&format!("http://{}/", Refusing::start().addr())], &[]);
    of_answer(8, "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", &[]);
    of_answer(18, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", &[]);
    of_answer(18, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ncut", &[]);
    of_answer(22, &answer("404 Not Found", "", ""), &["-f"]);
    of_answer(23, &ok("hello"), &["-o", "/nowhere/at/all"]);
    exits(26, &["-T", "/nowhere/at/all", "http://127.0.0.1/"], &[]);
    of_answer(47, &answer("302 Found", "Location: /\r\n", ""), &["--max-redirs", "2"]);
    of_answer(52, "", &[]);
    of_answer(56, "HTTP/1.1 200 OK\r\nX: cut", &[]);
    of_answer(56, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", &[]);
    let silent = Peer::start(|conn, _| conn.hold());
    exits(28, &["--max-time", "0.2", &silent.url("/")], &[]);
}

/// Cannot be looked up: a label has 63 bytes at most (RFC 1035 §2.3.4). So no name server is asked.
fn no_name() -> String {
    format!("http://{}.test:1/", "x".repeat(70))
}

#[test]
fn the_exit_status_tells_the_proxy_from_the_server() {
    become_get();
    let exits = |want: i32, url: &str, proxy: &str| {
        let output = run("the_exit_status_tells_the_proxy_from_the_server", &[url], &[("all_proxy", proxy)]);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(want), "{url} through {proxy:?}: {printed}");
    };
    exits(6, &no_name(), "");
    exits(5, "http://example.test/", &no_name());
    exits(7, "http://example.test/", &Refusing::start().addr().to_string());
    let peer = closing("HTTP/1.1 403 Forbidden\r\n\r\n");
    exits(0, "http://example.test/", &peer.addr().to_string()); // it might be the server's
    exits(if cfg!(feature = "__rustls") { 56 } else { 1 }, "https://example.test/", &peer.addr().to_string());
    let peer = Peer::start(|mut conn, _| {
        conn.read_some();
        conn.send(b"\x05\xff");
    });
    exits(97, "http://example.test/", &format!("socks5h://{}", peer.addr()));
}

#[test]
fn the_exit_status_of_a_handshake_that_fails() {
    become_get();
    let peer = Peer::start(|mut conn, _| {
        conn.read_some();
        conn.send(ok("not TLS"));
    });
    let url = format!("https://{}/", peer.addr());
    let output = run("the_exit_status_of_a_handshake_that_fails", &[&url], &[]);
    let want = if cfg!(feature = "__rustls") { 35 } else { 1 };
    assert_eq!(output.status.code(), Some(want), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_last_lines_say_what_came_and_where_the_time_went() {
    become_get();
    let peer = Peer::answering(ok("hello"));
    let output = run("the_last_lines_say_what_came_and_where_the_time_went", &["-v", &peer.url("/")], &[]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("hello"), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(printed.contains("\n* Received 5 B in ") && printed.contains("\n* Connected in "), "{printed}");
    // An address is not looked up, and nothing was encrypted.
    assert!(!printed.contains("Resolved") && !printed.contains("TLS"), "{printed}");
}
