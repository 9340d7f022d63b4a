//! The example `get` as scripts meet it: what its options send, what it prints, and its exit status for each
//! kind of failure, which is curl's.
//!
//! The example is compiled into this program, which starts itself anew as `get`: so it is there
//! whichever tests are built, and is never an old one.

#[cfg(feature = "__rustls")]
#[path = "tls/certificates.rs"]
mod certificates;
#[path = "get/connection.rs"]
mod connection;
#[path = "get/cookies.rs"]
mod cookies;
#[path = "get/curl.rs"]
mod curl;
#[path = "../examples/get/main.rs"]
#[allow(dead_code, reason = "its main function is this program's libtest")]
mod get;
#[path = "get/login.rs"]
mod login;
#[path = "get/output.rs"]
mod output;
#[path = "get/process.rs"]
mod process;
#[path = "get/recording.rs"]
mod recording;
#[path = "get/requests.rs"]
mod requests;
#[path = "get/resume.rs"]
mod resume;
#[cfg(feature = "__rustls")]
#[path = "get/secure.rs"]
mod secure;
#[cfg(feature = "__rustls")]
#[path = "tls/session.rs"]
mod session;
mod support;
#[cfg(unix)]
#[path = "get/terminal.rs"]
mod terminal;

use process::{Get, Ran, get as run};
use support::peer::{Peer, Refusing, answer, ok};

/// A server that answers the first request of each connection with these bytes, and closes.
fn closing(answer: impl Into<Vec<u8>>) -> Peer {
    let answer = answer.into();
    Peer::start(move |mut conn, _| {
        conn.request();
        conn.send(&answer);
    })
}

#[track_caller]
fn exits(want: i32, arguments: &[&str]) {
    check(want, &run(arguments), arguments);
}

/// Only what fails says something on standard error.
#[track_caller]
fn check(want: i32, ran: &Ran, arguments: &[&str]) {
    assert_eq!(ran.status, want, "{arguments:?}: {ran:?}");
    assert_eq!(ran.stderr.is_empty(), want == 0, "{arguments:?}: {ran:?}");
}

#[test]
fn the_exit_status_is_curls() {
    let of_answer = |want, answer: &str, arguments: &[&str]| {
        let peer = closing(answer);
        exits(want, &[arguments, &[&peer.url("/")]].concat());
    };

    of_answer(0, &ok("hello"), &[]);
    of_answer(0, &answer("404 Not Found", "", ""), &[]);
    exits(1, &["ftp://127.0.0.1/"]);
    exits(3, &["http://127.0.0.1:99999/"]);
    exits(3, &["-O", "http://[/x"]);
    exits(3, &["localhost:99999/?to=http://127.0.0.1/"]);
    exits(7, &[&format!("http://{}/", Refusing::start().addr())]);
    of_answer(8, "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", &[]);
    of_answer(18, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", &[]);
    of_answer(18, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ncut", &[]);
    of_answer(22, &answer("404 Not Found", "", ""), &["-f"]);
    of_answer(23, &ok("hello"), &["-o", "/nowhere/at/all"]);
    exits(26, &["-T", "/nowhere/at/all", "http://127.0.0.1/"]);
    exits(26, &["-d", "@/nowhere/at/all", "http://127.0.0.1/"]);
    exits(26, &["--data-binary", "@/nowhere/at/all", "http://127.0.0.1/"]);
    exits(26, &["-F", "a=@/nowhere/at/all", "http://127.0.0.1/"]);
    exits(26, &["-w", "@/nowhere/at/all", "http://127.0.0.1/"]);
    of_answer(47, &answer("302 Found", "Location: /\r\n", ""), &["-L", "--max-redirs", "0"]);
    of_answer(52, "", &[]);
    of_answer(56, "HTTP/1.1 200 OK\r\nX: cut", &[]);
    of_answer(56, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", &[]);
    let silent = Peer::start(|conn, _| conn.hold());
    exits(28, &["--max-time", "0.2", &silent.url("/")]);
    exits(28, &["-m0.2", &silent.url("/")]);
}

#[test]
fn the_exit_status_of_a_wrong_command_line_is_2() {
    const URL: &str = "http://127.0.0.1:1/";
    let lines: [&[&str]; 25] = [
        &[],
        &["--nonsense", URL],
        &["-Z", URL],
        &["--output=file", URL],
        &[URL, "-o"],
        &["-d", "a", "-I", URL],
        &["-d", "a", "-T", "f", URL],
        &["-T", "f", "-I", URL],
        &["-F", "a=b", "-d", "c", URL],
        &["-F", "nothing", URL],
        &["-F", "a=b;c", URL],
        &["-F", r#"a="b"c"#, URL],
        &["-F", "a=b", "-H", "Content-Type: text/plain", URL],
        &["-m", "soon", URL],
        &["-m", "-1", URL],
        &["--connect-timeout", "", URL],
        &["--max-redirs", "many", URL],
        &["-H", "neither colon nor semicolon", URL],
        &["-X", "A B", URL],
        &["-H", "A B: c", URL],
        &["-d", "a", "-H", "Content-Length: 9", URL],
        &["-T", "f", "-T", "g", URL],
        &["-o", "f", "-o", "g", URL],
        &["-o", "f", "-O", URL],
        &["-T", "f", "-T", "g", "-T", "h", URL, URL],
    ];
    for arguments in lines {
        exits(2, arguments);
    }
    exits(49, &["--resolve", "host:80", URL]);
    exits(49, &["--resolve", "host:80:nowhere", URL]);
    exits(49, &["--resolve", "localhost:80:127.0.0.1", URL]);
    let help = run(&["--help"]);
    assert_eq!((help.status, help.stderr.as_str()), (0, ""));
    assert!(help.stdout.contains("\n  -o, --output FILE "), "{help:?}");
}

#[test]
fn an_option_whose_feature_is_not_built_in_is_named_with_the_feature() {
    let has_coding = cfg!(any(feature = "gzip", feature = "brotli", feature = "zstd"));
    let features: [(&str, bool, &[&str]); 3] = [
        ("tls", cfg!(feature = "__rustls"), &["-k", "--cacert", "-E", "--key"]),
        ("gzip, brotli or zstd", has_coding, &["--compressed"]),
        ("digest", cfg!(feature = "digest"), &["--digest"]),
    ];
    for (feature, is_built_in, options) in features {
        for option in options {
            let ran = run(&[option, "/nowhere", "http://127.0.0.1:1/"]);
            if !is_built_in {
                let want = format!("get: option {option} is not built in: it needs the feature {feature}\n");
                assert_eq!((ran.status, ran.stderr.as_str()), (4, want.as_str()));
            }
            assert_eq!(ran.status == 4, !is_built_in, "{option}: {ran:?}");
        }
    }
}

/// Cannot be looked up: a label has 63 bytes at most (RFC 1035 §2.3.4). So no name server is asked.
fn no_name() -> String {
    format!("http://{}.test:1/", "x".repeat(70))
}

#[test]
fn the_exit_status_tells_the_proxy_from_the_server() {
    let exits = |want: i32, url: &str, proxy: &str| {
        let ran = Get::new(&[url]).variable("all_proxy", proxy).run();
        assert_eq!(ran.status, want, "{url} through {proxy:?}: {ran:?}");
        if !proxy.is_empty() {
            let ran = run(&["-x", proxy, url]);
            assert_eq!(ran.status, want, "{url} through -x {proxy:?}: {ran:?}");
        }
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
    assert_eq!(run(&["-x", "socks4://127.0.0.1", "http://example.test/"]).status, 7);
    assert_eq!(run(&["-x", "http://:1", "http://example.test/"]).status, 5);
}

#[test]
fn the_exit_status_of_a_handshake_that_fails() {
    let peer = Peer::start(|mut conn, _| {
        conn.read_some();
        conn.send(ok("not TLS"));
    });
    exits(if cfg!(feature = "__rustls") { 35 } else { 1 }, &[&format!("https://{}/", peer.addr())]);
}

#[test]
fn the_last_lines_say_what_came_and_where_the_time_went() {
    let peer = Peer::answering(ok("hello"));
    let ran = run(&["-v", &peer.url("/")]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "hello"), "{ran:?}");
    let printed = ran.stderr;
    assert!(printed.contains("\n> GET / HTTP/1.1\n") && printed.contains("\n< HTTP/1.1 200 OK\n"), "{printed}");
    assert!(printed.contains("\n* Received 5 B in ") && printed.contains("\n* Connected in "), "{printed}");
    // An address is not looked up, and nothing was encrypted.
    assert!(!printed.contains("Resolved") && !printed.contains("TLS"), "{printed}");
}
