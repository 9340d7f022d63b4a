//! Connections that become something else (101), that are not TCP (unix sockets, transports of
//! the caller's own), and what an observer is told of them all.

use std::io::{ErrorKind as IoKind, Read, Write};
use std::time::Duration;

use longwire::{Client, CloseReason, ErrorKind, Fate};

use crate::double::{Memory, Reply, Trace};
use crate::support::peer::{Conn, Peer, answer, ok};
use crate::text;

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

fn echo(mut conn: Conn) {
    loop {
        let bytes = conn.read_some();
        if bytes.is_empty() || !conn.send(bytes) {
            return;
        }
    }
}

#[test]
fn an_upgrade_hands_out_the_connection_with_the_bytes_behind_the_head() {
    let peer = Peer::start(|mut conn, _| {
        let request = conn.request().expect("a request");
        assert_eq!(request.header("connection"), Some("upgrade"));
        assert_eq!(request.header("upgrade"), Some("echo"));
        conn.send(format!("{SWITCH}hello"));
        echo(conn);
    });
    let trace = Trace::default();
    let client = Client::builder().observer(trace.clone()).build();
    let request = client.get(peer.url("/")).header("Connection", "upgrade");
    let response = request.header("Upgrade", "echo").send().unwrap();
    assert_eq!(response.status(), 101);
    let mut upgraded = response.upgrade().unwrap();
    assert_eq!(upgraded.peer_addr(), Some(peer.addr()));
    assert!(format!("{upgraded:?}").contains(&peer.addr().to_string()), "{upgraded:?}");
    let mut word = [0; 5];
    upgraded.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"hello");
    upgraded.write_all(b"again").unwrap();
    upgraded.flush().unwrap();
    upgraded.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"again");
    upgraded.set_timeouts(Some(Duration::from_millis(50)), None).unwrap();
    let silence = upgraded.read(&mut word).unwrap_err().kind();
    assert!([IoKind::WouldBlock, IoKind::TimedOut].contains(&silence), "{silence}");

    let stats = client.pool_stats();
    assert_eq!((stats.idle, stats.in_use), (0, 0));
    assert_eq!(stats.closed.get(CloseReason::Upgraded), 1);
    assert_eq!(trace.lines().iter().filter(|line| **line == "closed Upgraded").count(), 1);
    drop(upgraded);
    assert!(peer.saw_close(0));
}

#[test]
fn the_parts_of_an_upgrade_are_the_stream_and_what_was_read_already() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send(format!("{SWITCH}hello"));
        echo(conn);
    });
    let client = Client::new();
    let request = client.get(peer.url("/")).header("Upgrade", "echo");
    let response = request.header("Connection", "upgrade").send().unwrap();
    let (mut stream, read) = response.upgrade().unwrap().into_parts();
    stream.set_timeouts(Some(Duration::from_secs(10)), None).unwrap();
    let mut all = read;
    all.resize(5, 0);
    stream.write_all(b"!").unwrap();
    let mut mark = [0; 1];
    stream.read_exact(&mut mark).unwrap();
    assert_eq!((all.as_slice(), &mark), (&b"hello"[..], b"!"));
}

#[test]
fn an_upgrade_that_was_not_asked_for_is_an_error() {
    let peer = Peer::answering(SWITCH);
    let client = Client::new();
    let error = client.get(peer.url("/")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Head);
    assert_eq!(error.fate(), Fate::ResponseStarted);
    assert_eq!(client.pool_stats().closed.get(CloseReason::Failed), 1);
}

#[test]
fn a_switched_connection_that_nobody_takes_is_closed() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send(SWITCH);
        conn.request();
    });
    let client = Client::new();
    let request = client.get(peer.url("/")).header("Connection", "upgrade");
    drop(request.header("Upgrade", "echo").send().unwrap());
    assert!(peer.saw_close(0));
    assert_eq!(client.pool_stats().closed.get(CloseReason::Upgraded), 1);
    assert_eq!(client.pool_stats().in_use, 0);
}

#[test]
fn what_is_no_upgrade_is_dropped_like_any_response() {
    let client = Client::builder().connector(Memory::answering(ok("no"))).build();
    let error = client.get("http://a.test/").send().unwrap().upgrade().map(drop).unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::InvalidRequest, Fate::ResponseStarted));
    let stats = client.pool_stats();
    assert_eq!((stats.idle, stats.closed.total()), (1, 0), "its body had arrived: {stats:?}");
}

#[test]
fn an_upgrade_that_is_declined_is_an_ordinary_answer() {
    let peer = Peer::answering(ok("no"));
    let client = Client::new();
    let request = client.get(peer.url("/")).header("Connection", "upgrade");
    let response = request.header("Upgrade", "echo").send().unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.text().unwrap(), "no");
    assert_eq!(client.pool_stats().idle, 1);
}

#[cfg(unix)]
#[test]
fn requests_go_through_a_unix_socket_and_keep_it_alive() {
    use std::os::unix::net::UnixListener;
    use std::{env, fs, process, thread};

    let path = env::temp_dir().join(format!("longwire-{}.sock", process::id()));
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (mut heads, mut seen) = (Vec::new(), [0; 4096]);
        for exchange in 1..=2 {
            let length = stream.read(&mut seen).unwrap(); // a head this small comes whole
            heads.push(String::from_utf8_lossy(&seen[..length]).into_owned());
            stream.write_all(ok(&exchange.to_string()).as_bytes()).unwrap();
        }
        heads
    });
    let client = Client::builder().unix_socket(&path).build();
    assert_eq!(text(&client, "http://localhost/a?b"), "1");
    let response = client.get("http://localhost/").send().unwrap();
    assert!(response.connection().reused());
    assert_eq!(response.connection().peer_addr(), None);
    assert_eq!(response.text().unwrap(), "2");
    fs::remove_file(&path).unwrap();
    let heads = server.join().unwrap();
    assert!(heads[0].starts_with("GET /a?b HTTP/1.1\r\nHost: localhost\r\n"), "{heads:?}");
}

#[cfg(unix)]
#[test]
fn a_unix_socket_that_is_not_there_is_a_connect_error() {
    let client = Client::builder().unix_socket("/nonexistent/longwire.sock").build();
    let error = client.post("http://localhost/").body("x").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(error.fate(), Fate::NotSent);
}

#[test]
fn a_transport_of_ones_own_is_pooled_like_any_other() {
    let memory =
        Memory::new(|connection, exchange| Reply::Answer(ok(&format!("{connection}.{exchange}")).into_bytes()));
    let client = Client::builder().connector(memory.clone()).build();
    assert_eq!(text(&client, "http://in.memory.test/"), "0.0");
    assert_eq!(text(&client, "http://in.memory.test:80/"), "0.1");
    assert_eq!(text(&client, "http://in.memory.test:8080/"), "1.0");
    let stats = client.pool_stats();
    assert_eq!((stats.idle, stats.opened, stats.reused), (2, 2, 1));
    assert_eq!(memory.log().connects, ["in.memory.test:80", "in.memory.test:8080"]);
}

#[test]
fn a_transport_of_ones_own_may_give_a_byte_at_a_time() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n";
    for (whole, body) in [(ok("length"), "length"), (chunked.to_owned(), "abc")] {
        let memory = Memory::answering(whole).reading_at_most(1);
        let client = Client::builder().connector(memory.clone()).build();
        assert_eq!(text(&client, "http://in.memory.test/"), body);
        assert_eq!(text(&client, "http://in.memory.test/"), body);
        assert_eq!(memory.log().connects.len(), 1);
    }
}

/// A transport may read in pieces of its own, so a short read is no proof that nothing is behind.
#[test]
fn an_answer_behind_a_short_read_is_never_taken_for_the_next_one() {
    let memory = Memory::new(|connection, exchange| match (connection, exchange) {
        (0, 2) => Reply::Pieces(vec![ok("right").into_bytes(), ok("poison").into_bytes()]),
        _ => Reply::Answer(ok("right").into_bytes()),
    });
    let client = Client::builder().connector(memory.clone()).build();
    for _ in 0..6 {
        assert_eq!(text(&client, "http://longwire.test/"), "right");
    }
    assert_eq!(client.pool_stats().closed.get(CloseReason::StrayBytes), 1);
    assert_eq!(memory.log().connects.len(), 2);
}

#[test]
fn signals_short_waits_and_short_writes_are_gone_over() {
    let body = "0123456789".repeat(100);
    let memory = Memory::answering(ok(&body)).reading_at_most(7).writing_at_most(5).with_hiccups();
    let client = Client::builder().connector(memory.clone()).build();
    for _ in 0..2 {
        let response = client.post("http://in.memory.test/path").body("text").send().unwrap();
        assert_eq!(response.text().unwrap(), body);
    }
    let log = memory.log();
    assert_eq!(log.connects.len(), 1);
    let written: Vec<u8> = log.writes.into_iter().flat_map(|(_, bytes)| bytes).collect();
    let written = String::from_utf8(written).unwrap();
    assert_eq!(written.matches("POST /path HTTP/1.1\r\n").count(), 2);
    assert_eq!(written.matches("\r\n\r\ntext").count(), 2, "{written}");
}

fn traced() -> (Client, Trace) {
    let trace = Trace::default();
    (Client::builder().observer(trace.clone()).build(), trace)
}

#[test]
fn an_observer_is_told_of_two_gets_in_order() {
    let peer = Peer::answering(ok("x"));
    let (client, trace) = traced();
    text(&client, peer.url("/1"));
    text(&client, peer.url("/2"));
    client.close_idle();
    let expected = [
        "connected",
        "request GET /1 HTTP/1.1",
        "response HTTP/1.1 200 OK",
        "kept",
        "reused for exchange 2",
        "request GET /2 HTTP/1.1",
        "response HTTP/1.1 200 OK",
        "kept",
        "closed Cleared",
    ];
    assert_eq!(trace.lines(), expected);
}

#[test]
fn an_observer_is_told_of_interim_answers_and_names() {
    let peer = Peer::answering(format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{}", ok("x")));
    let trace = Trace::default();
    let resolver = Loopback(peer.addr());
    let builder = Client::builder().no_proxy().observer(trace.clone());
    let client = builder.resolver(resolver).build();
    text(&client, "http://name.test/");
    let expected = [
        "resolved name.test",
        "connected",
        "request GET / HTTP/1.1",
        "interim HTTP/1.1 103 Early Hints",
        "response HTTP/1.1 200 OK",
        "kept",
    ];
    assert_eq!(trace.lines(), expected);
    assert!(trace.whole().contains("Link: </a>"));
}

/// Every name is this address.
struct Loopback(std::net::SocketAddr);

impl longwire::transport::Resolve for Loopback {
    fn resolve(&self, _: &longwire::transport::Query<'_>) -> std::io::Result<Vec<std::net::SocketAddr>> {
        Ok(vec![self.0])
    }
}

#[test]
fn an_observer_is_told_of_a_redirect_in_order() {
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let moved = answer("302 Found", "Location: /new\r\nConnection: close\r\n", "");
            conn.send(if request.target == "/old" { moved } else { ok("x") });
        }
    });
    let (client, trace) = traced();
    text(&client, peer.url("/old"));
    let expected = [
        "connected",
        "request GET /old HTTP/1.1",
        "response HTTP/1.1 302 Found",
        "closed ServerClose",
        "redirect 302 from /old to /new",
        "connected",
        "request GET /new HTTP/1.1",
        "response HTTP/1.1 200 OK",
        "kept",
    ];
    // A hop's connection is given up before the next is taken; which of "closed" and "redirect"
    // is told first is nobody's business.
    let mut lines = trace.lines();
    if lines[3].starts_with("redirect") {
        lines.swap(3, 4);
    }
    assert_eq!(lines, expected);
}

#[test]
fn an_observer_is_told_of_a_retry_in_order() {
    let peer = Peer::start(|mut conn, index| {
        conn.request();
        conn.send(ok("x"));
        conn.request();
        if index == 0 {
            return; // closes in place of an answer
        }
        conn.send(ok("y"));
    });
    let (client, trace) = traced();
    text(&client, peer.url("/1"));
    assert_eq!(text(&client, peer.url("/2")), "x");
    let mut lines = trace.lines().split_off(4);
    if lines[2] == "retry" {
        lines.swap(2, 3); // as above
    }
    assert!(lines[2].starts_with("closed "), "{lines:?}");
    lines.remove(2);
    let expected = [
        "reused for exchange 2",
        "request GET /2 HTTP/1.1",
        "retry",
        "connected",
        "request GET /2 HTTP/1.1",
        "response HTTP/1.1 200 OK",
        "kept",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn an_observer_is_told_no_secret() {
    let fields = "Set-Cookie: id=SECRET-5\r\nLocation: /new\r\n";
    let peer = Peer::start(move |mut conn, _| {
        while let Some(request) = conn.request() {
            assert!(request.header("authorization").is_some());
            assert_eq!(request.header("cookie"), Some("id=SECRET-3"));
            let status = if request.target == "/old" { "302 Found" } else { "200 OK" };
            conn.send(answer(status, fields, ""));
        }
    });
    let (client, trace) = traced();
    let url = peer.url("/old").replace("http://", "http://me:SECRET-1@");
    let request = client.get(url).header("Cookie", "id=SECRET-3");
    let request = request.header("Proxy-Authorization", "SECRET-4");
    request.send().unwrap().bytes().unwrap();
    client.get(peer.url("/new")).bearer_auth("SECRET-2").header("Cookie", "id=SECRET-3").send().unwrap();
    let whole = trace.whole();
    assert!(whole.contains("***"), "{whole}");
    assert!(!whole.contains("SECRET"), "{whole}");
    let basic = "bWU6U0VDUkVULTE="; // me:SECRET-1
    assert!(!whole.contains(basic), "{whole}");
}

#[test]
fn an_observer_is_told_no_password_of_a_location() {
    let peer = Peer::start(move |mut conn, _| {
        while let Some(request) = conn.request() {
            assert_eq!(request.header("authorization"), None);
            let host = request.header("host").expect("a Host");
            let fields = format!("Location: http://user:SECRET@{host}/new\r\n");
            let moved = answer("302 Found", &fields, "");
            conn.send(if request.target == "/old" { moved } else { ok("x") });
        }
    });
    let (client, trace) = traced();
    assert_eq!(text(&client, peer.url("/old")), "x");
    let whole = trace.whole();
    assert!(whole.contains("302 Found") && whole.contains("/new"), "{whole}");
    assert!(!whole.contains("SECRET"), "{whole}");
}
