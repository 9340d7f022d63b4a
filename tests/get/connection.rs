//! How `get` comes to its connection: proxies, names, unix sockets, TLS, and the time for it.

use crate::process::get;
use crate::support::peer::{Peer, ok};

/// A server that answers with the target of the request and its Host.
fn echo() -> Peer {
    Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let proxy = request.header("Proxy-Authorization").unwrap_or_default();
            conn.send(ok(&format!("{} {} {proxy}", request.target, request.header("Host").unwrap_or_default())));
        }
    })
}

#[track_caller]
fn prints(want: &str, arguments: &[&str]) {
    let ran = get(arguments);
    assert_eq!((ran.status, ran.stdout.trim_end()), (0, want), "{arguments:?}: {ran:?}");
}

#[test]
fn a_proxy_is_sent_the_whole_url_and_its_login() {
    let peer = echo();
    let proxy = peer.addr().to_string();
    prints("http://example.test/a example.test", &["-x", &proxy, "http://example.test/a"]);
    prints("http://example.test/ example.test Basic dTpw", &["--proxy", &format!("u:p@{proxy}"), "example.test"]);
    let given = crate::process::Get::new(&["-x", "", &peer.url("/a")]).variable("http_proxy", "http://127.0.0.1:1");
    assert_eq!(given.run().stdout.trim_end(), format!("/a {proxy}"));
}

#[test]
fn resolve_is_for_one_host_at_one_port() {
    let peer = echo();
    let port = peer.addr().port();
    let url = format!("http://Some.test:{port}/a");
    prints(&format!("/a some.test:{port}"), &["--resolve", &format!("some.TEST:{port}:127.0.0.1"), &url]);
    // The first address refuses, and so the second is tried.
    let two = format!("+some.test:{port}:[::1],127.0.0.1");
    prints(&format!("/a some.test:{port}"), &["--resolve", "other.test:1:127.0.0.1", "--resolve", &two, &url]);
    let label = "x".repeat(70); // no name server is asked for it
    let ran = get(&["--resolve", &format!("{label}:1:127.0.0.1"), &format!("http://{label}:2/")]);
    assert_eq!(ran.status, 6, "{ran:?}");
}

#[test]
fn the_time_for_connecting_is_limited_by_itself() {
    let slow = Peer::start(|mut conn, _| {
        conn.request();
        conn.pause(std::time::Duration::from_millis(600));
        conn.send(ok("late"));
    });
    prints("late", &["--connect-timeout", "0.5", &slow.url("/")]);
    prints("late", &["--connect-timeout", "0", "-m", "0", &slow.url("/")]);
    // A proxy that says nothing: its handshake is a part of connecting.
    let silent = Peer::start(|conn, _| conn.hold());
    let proxy = format!("socks5://{}", silent.addr());
    let ran = get(&["--connect-timeout", "0.2", "-x", &proxy, "http://127.0.0.1:1/"]);
    assert_eq!(ran.status, 28, "{ran:?}");
}

#[cfg(unix)]
#[test]
fn a_unix_socket_stands_in_for_the_host() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    let folder = crate::process::Folder::new();
    let path = folder.path("socket");
    let listener = UnixListener::bind(&path).expect("a unix socket");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.set_read_timeout(Some(crate::support::peer::LIMIT)).expect("a time limit");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a request");
            head.push(byte[0]);
        }
        stream.write_all(ok("through the socket").as_bytes()).expect("a client that reads");
        String::from_utf8(head).expect("a head in ASCII")
    });
    prints("through the socket", &["--unix-socket", &path, "http://docker/version"]);
    let head = server.join().expect("the server has answered");
    assert!(head.starts_with("GET /version HTTP/1.1\r\nHost: docker\r\n"), "{head}");
    assert_eq!(get(&["--unix-socket", &folder.path("nothing"), "http://docker/"]).status, 7);
}
