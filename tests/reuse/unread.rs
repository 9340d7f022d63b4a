//! Bodies that are dropped before their end: what has arrived is taken, nothing is waited for, and
//! nothing of it is ever seen by the next request.

use std::io::Read;
use std::time::{Duration, Instant};

use longwire::script::{Script, raw};
use longwire::{Client, CloseReason, PoolStats, Response};

use crate::support::peer::{Peer, answer, ok};
use crate::{URL, text};

/// Far below the peer's own patience (20 s), far above what a noisy machine needs.
const AT_ONCE: Duration = Duration::from_secs(8);

/// The first connection's first response is `first`, and `rest` when the test says so by a second
/// connection; all other requests are answered "second".
fn peer_sending(first: impl Into<Vec<u8>>) -> Peer {
    let first = first.into();
    Peer::start(move |mut conn, index| {
        if index == 0 && conn.request().is_some() {
            conn.send(&first);
            conn.note("sent");
        }
        while conn.request().is_some() {
            conn.send(ok("second"));
        }
    })
}

/// Drops the response `first` after `drop_it`, once all of it has arrived; then asks again.
#[track_caller]
fn stats_after_drop(first: impl Into<Vec<u8>>, drop_it: impl FnOnce(Response)) -> (usize, PoolStats) {
    let peer = peer_sending(first);
    let client = Client::new();
    let response = client.get(peer.url("/1")).send().expect("a response");
    assert!(peer.noted(0, "sent"));
    let begin = Instant::now();
    drop_it(response);
    assert!(begin.elapsed() < AT_ONCE, "the drop waited {:?}", begin.elapsed());
    let stats = client.pool_stats();
    assert_eq!(text(&client, peer.url("/2")), "second");
    if stats.idle == 0 {
        assert!(peer.saw_close(0));
    }
    (peer.connections(), stats)
}

#[track_caller]
fn assert_kept(first: impl Into<Vec<u8>>, drop_it: impl FnOnce(Response)) {
    let (connections, stats) = stats_after_drop(first, drop_it);
    assert_eq!(connections, 1, "{stats:?}");
    assert_eq!((stats.idle, stats.closed.total()), (1, 0));
}

#[track_caller]
fn assert_closed(reason: CloseReason, first: impl Into<Vec<u8>>, drop_it: impl FnOnce(Response)) {
    let (connections, stats) = stats_after_drop(first, drop_it);
    assert_eq!(connections, 2, "{stats:?}");
    assert_eq!((stats.idle, stats.closed.get(reason)), (0, 1), "{stats:?}");
}

fn read_10(mut response: Response) {
    response.read_exact(&mut [0; 10]).expect("ten bytes");
}

#[test]
fn a_small_rest_that_has_arrived_is_taken_and_the_connection_kept() {
    assert_kept(ok(&"x".repeat(2_000)), drop);
    assert_kept(ok(&"x".repeat(2_000)), read_10);
    assert_kept(ok(&"x".repeat(40_000)), drop); // more than one buffer
    assert_kept(ok(&"x".repeat(40_000)), |response| drop(response.into_body()));
}

#[test]
fn a_chunked_rest_that_has_arrived_is_taken_with_its_terminator() {
    let chunks = "10\r\n0123456789abcdef\r\n".repeat(500);
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_kept(format!("{head}{chunks}0\r\n\r\n"), read_10);
    assert_kept(format!("{head}{chunks}0\r\nX-Sum: 1\r\n\r\n"), drop);
    assert_closed(CloseReason::Unfinished, format!("{head}{chunks}"), read_10);
    assert_closed(CloseReason::Unfinished, format!("{head}{chunks}0\r\n"), drop);
}

#[test]
fn a_rest_that_has_not_arrived_is_not_waited_for() {
    let stalled = format!("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}", "x".repeat(20));
    assert_closed(CloseReason::Unfinished, stalled.clone(), drop);
    assert_closed(CloseReason::Unfinished, stalled, read_10);
    assert_closed(CloseReason::Unfinished, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", drop);
}

#[test]
fn a_body_that_ends_with_the_connection_is_not_waited_for() {
    let endless = "HTTP/1.1 200 OK\r\n\r\nhello, 10 bytes";
    assert_closed(CloseReason::UntilClose, endless, read_10);
}

#[test]
fn bytes_after_a_dropped_body_are_stray() {
    let poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    let first = format!("{}{poison}", ok(&"x".repeat(2_000)));
    assert_closed(CloseReason::StrayBytes, first, drop);
}

#[test]
fn a_broken_rest_ends_the_connection() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (connections, stats) = stats_after_drop(format!("{head}5\r\nhello\r\nzz\r\n"), drop);
    assert_eq!((connections, stats.idle, stats.closed.total()), (2, 0, 1));
}

#[test]
fn a_large_rest_is_left_where_it_is() {
    const SENT_MAX: usize = 200 << 20;
    let peer = Peer::start(|mut conn, index| {
        conn.request();
        if index > 0 {
            conn.send(ok("second"));
            return;
        }
        conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SENT_MAX}\r\n\r\n"));
        let block = vec![b'x'; 64 * 1024];
        let sent = (0..SENT_MAX / block.len()).take_while(|_| conn.send(&block)).count();
        conn.note(if sent < SENT_MAX / block.len() { "cut off" } else { "all was taken" });
    });
    let client = Client::new();
    let mut response = client.get(peer.url("/1")).send().unwrap();
    response.read_exact(&mut [0; 100_000]).unwrap();
    let begin = Instant::now();
    drop(response);
    assert!(begin.elapsed() < AT_ONCE);
    assert_eq!(client.pool_stats().closed.get(CloseReason::Unfinished), 1);
    assert!(peer.noted(0, "cut off"));
    assert_eq!(text(&client, peer.url("/2")), "second");
}

#[test]
fn a_redirects_body_is_not_waited_for() {
    let moved = "HTTP/1.1 302 Found\r\nLocation: /new\r\nContent-Length: 1000\r\n\r\nstalled";
    let peer = peer_sending(moved);
    let client = Client::new();
    let begin = Instant::now();
    assert_eq!(text(&client, peer.url("/old")), "second");
    assert!(begin.elapsed() < AT_ONCE);
    assert_eq!(peer.request_lines(), ["GET /old HTTP/1.1", "GET /new HTTP/1.1"]);
    assert_eq!(peer.connections(), 2);
    assert_eq!(client.pool_stats().closed.get(CloseReason::Unfinished), 1);
}

#[test]
fn a_redirects_small_body_is_taken_and_the_connection_used_again() {
    let peer = peer_sending(answer("302 Found", "Location: /new\r\n", "moved"));
    let client = Client::new();
    assert_eq!(text(&client, peer.url("/old")), "second");
    assert_eq!(peer.connections(), 1);
    assert_eq!(client.pool_stats().reused, 1);
}

/// Chunk extensions and tiny chunks without end, well-formed.
#[test]
fn dropping_a_body_does_not_read_a_flood_of_framing() {
    const FLOOD_BYTES: u64 = 8 << 20;
    let chunk = [&b"1;"[..], &[b'x'; 4000], b"\r\na\r\n"].concat();
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let script = Script::answering(raw(head).repeat(chunk, FLOOD_BYTES));
    let client = script.client();
    drop(client.get(URL).send().unwrap());
    let taken = script.bytes_sent() - head.len() as u64;
    assert!((1..=128 * 1024).contains(&taken), "{taken} bytes were taken");
    assert_eq!(client.pool_stats().closed.get(CloseReason::Unfinished), 1);
}
