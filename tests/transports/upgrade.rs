//! Connections that become something else: 101 (RFC 9110 §7.8), and what the caller gets then.

use std::io::{ErrorKind as IoKind, Read, Write};
use std::time::Duration;

use longwire::script::{Script, raw, reply};
use longwire::{CancelToken, Client, CloseReason, ErrorKind, Fate};

use super::{URL, wrapped};
use crate::support::peer::{Conn, Peer, ok};
use crate::support::trace::Trace;

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
fn an_upgrade_hands_out_the_connection_with_the_bytes_after_the_head() {
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
fn a_switched_connection_that_is_not_taken_is_closed() {
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
    let client = Script::answering(reply(200).body("no")).client();
    let error = client.get(URL).send().unwrap().upgrade().map(drop).unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::InvalidRequest, Fate::ResponseStarted));
    let stats = client.pool_stats();
    assert_eq!((stats.idle, stats.closed.total()), (1, 0), "its body had arrived: {stats:?}");
}

#[test]
fn an_upgrade_that_is_declined_is_an_ordinary_response() {
    let peer = Peer::answering(ok("no"));
    let client = Client::new();
    let request = client.get(peer.url("/")).header("Connection", "upgrade");
    let response = request.header("Upgrade", "echo").send().unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.text().unwrap(), "no");
    assert_eq!(client.pool_stats().idle, 1);
}

/// The plain `write` of a [wrapped](crate::support::wrapped) stream panics.
#[test]
fn a_stream_is_written_to_without_a_signal_before_and_after_an_upgrade() {
    let client = wrapped(&Script::answering(raw(SWITCH)), |stream| stream);
    let request = client.post(URL).header("Connection", "upgrade").header("Upgrade", "echo").body(&[b'x'; 3 << 20]);
    let mut upgraded = request.send().expect("a response").upgrade().expect("a stream");
    upgraded.write_all(b"x").expect("it takes all");
}

#[test]
fn a_connection_that_was_cancelled_is_not_handed_out_by_an_upgrade() {
    let peer = Peer::answering(SWITCH);
    let (client, token) = (Client::new(), CancelToken::new());
    let request = client.get(peer.url("/")).header("Connection", "upgrade").header("Upgrade", "echo");
    let response = request.cancel_token(&token).send().unwrap();
    token.cancel();
    let error = response.upgrade().map(drop).unwrap_err();
    assert!(error.is_cancelled(), "{error:?}");
    assert_eq!(error.fate(), Fate::ResponseStarted);
}
