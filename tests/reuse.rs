//! Which connections are kept and which are not, and why (RFC 9112 §9.3), one exchange at a time.
//!
//! | file | topic |
//! |---|---|
//! | `reuse/pool.rs` | the pool's counters, caps and queue |
//! | `reuse/slots.rs` | the pool's slots where something goes wrong, and what is reported |
//! | `reuse/probe.rs` | the probe before a connection is used again |
//! | `reuse/stray.rs` | bytes after the end of a response |
//! | `reuse/unread.rs` | bodies that are dropped before their end |
//! | `reuse/fork.rs` | what is left of all that after `fork()` |

#[cfg(target_os = "linux")]
#[path = "reuse/fork.rs"]
mod fork;
#[cfg(target_os = "linux")]
#[path = "support/forked.rs"]
mod forked;
#[path = "reuse/pool.rs"]
mod pool;
#[path = "reuse/probe.rs"]
mod probe;
#[path = "reuse/slots.rs"]
mod slots;
#[path = "reuse/stray.rs"]
mod stray;
mod support;
#[path = "reuse/unread.rs"]
mod unread;

use std::io::Read;
use std::thread;
use std::time::Duration;

use longwire::{BodyEnd, Client, CloseReason, Method};
use support::peer::{Conn, Event, Peer, answer, ok};

const URL: &str = "http://memory.test/";

fn text(client: &Client, url: impl AsRef<str>) -> String {
    let response = client.get(url.as_ref()).send().expect("a response");
    response.text().expect("a body")
}

/// A peer whose first connection answers its first request with `first`, and everything else with
/// "second"; with `closes`, it ends its half after `first`.
fn peer_with(first: &str, closes: bool) -> Peer {
    let first = first.to_owned();
    Peer::start(move |mut conn, index| {
        if index == 0 && conn.request().is_some() {
            conn.send(&first);
            if closes {
                conn.half_close();
            }
        }
        while conn.request().is_some() {
            conn.send(ok("second"));
        }
    })
}

/// Why the connection was not kept after this response to a `method` request was read to its end
/// (None: it was kept). What the next request is answered proves it, and that it is not poisoned.
#[track_caller]
fn why_closed(method: Method, first: &str, closes: bool) -> Option<CloseReason> {
    let peer = peer_with(first, closes);
    let client = Client::new();
    let response = client.request(method, peer.url("/1")).send();
    response.expect("a response").bytes().expect("a body");

    let stats = client.pool_stats();
    let reason = stats.closed.iter().find(|(_, count)| *count > 0);
    let reason = reason.map(|(reason, _)| reason);
    assert_eq!(stats.idle, usize::from(reason.is_none()), "{stats:?}");
    assert_eq!(stats.closed.total(), u64::from(reason.is_some()), "{stats:?}");

    assert_eq!(text(&client, peer.url("/2")), "second");
    let connections = if reason.is_none() { 1 } else { 2 };
    assert_eq!(peer.connections(), connections, "{reason:?}");
    if reason.is_some() {
        assert!(peer.saw_close(0), "the client left its end open");
    }
    reason
}

fn after(first: &str) -> Option<CloseReason> {
    why_closed(Method::GET, first, false)
}

/// As [`after`], for a response with these field lines and the body "first".
fn after_fields(fields: &str) -> Option<CloseReason> {
    after(&answer("200 OK", fields, "first"))
}

#[test]
fn http_1_1_lives_on_unless_the_server_says_close() {
    assert_eq!(after_fields(""), None);
    assert_eq!(after_fields("Connection: keep-alive\r\n"), None);
    let close = Some(CloseReason::ServerClose);
    assert_eq!(after_fields("Connection: close\r\n"), close);
    assert_eq!(after_fields("Connection: CLOSE\r\n"), close);
    assert_eq!(after_fields("connection:close\r\n"), close);
}

#[test]
fn connection_is_one_list_of_tokens_over_all_its_lines() {
    let close = Some(CloseReason::ServerClose);
    assert_eq!(after_fields("Connection: x-tracing, Close\r\n"), close);
    assert_eq!(after_fields("Connection: keep-alive , close\r\n"), close);
    assert_eq!(after_fields("Connection: ,,close,\r\n"), close);
    let lines = "Connection: keep-alive\r\nX-A: b\r\nCONNECTION: foo,\tcLoSe\r\n";
    assert_eq!(after_fields(lines), close);
}

#[test]
fn a_token_that_only_looks_like_close_closes_nothing() {
    assert_eq!(after_fields("Connection: closed\r\n"), None);
    assert_eq!(after_fields("Connection: not-close\r\n"), None);
    assert_eq!(after_fields("Connection: x; close\r\n"), None);
    assert_eq!(after_fields("Proxy-Connection: close\r\n"), None);
    assert_eq!(after_fields("Connection:\r\n"), None);
}

#[test]
fn http_1_0_lives_on_only_with_keep_alive() {
    let old = |fields: &str| after(&format!("HTTP/1.0 200 OK\r\n{fields}Content-Length: 1\r\n\r\nx"));
    assert_eq!(old(""), Some(CloseReason::Http10));
    assert_eq!(old("Connection: x-keep-alive\r\n"), Some(CloseReason::Http10));
    assert_eq!(old("Keep-Alive: timeout=60\r\n"), Some(CloseReason::Http10));
    assert_eq!(old("Connection: keep-alive\r\n"), None);
    assert_eq!(old("Connection: foo\r\nConnection: bar, Keep-Alive\r\n"), None);
    let both = "Connection: keep-alive, close\r\n";
    assert_eq!(old(both), Some(CloseReason::ServerClose));
}

#[test]
fn http_1_2_counts_as_1_1() {
    assert_eq!(after("HTTP/1.2 200 OK\r\nContent-Length: 1\r\n\r\nx"), None);
}

#[test]
fn a_body_that_ends_with_the_connection_takes_it_along() {
    let reason = why_closed(Method::GET, "HTTP/1.1 200 OK\r\n\r\nbody", true);
    assert_eq!(reason, Some(CloseReason::UntilClose));
}

#[test]
fn ambiguous_framing_is_read_and_not_reused() {
    let bad = Some(CloseReason::BadFraming);
    let chunks = "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    assert_eq!(after(&format!("HTTP/1.1 200 OK\r\n{chunks}")), None);
    let both = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{chunks}");
    assert_eq!(after(&both), bad);
    assert_eq!(after("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), bad);
    assert_eq!(after("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"), bad);
    assert_eq!(after("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"), bad);
}

#[test]
fn a_response_without_a_body_gives_the_connection_back_at_its_head() {
    for first in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n", // of what a 200 would hold
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ] {
        assert_eq!(after(first), None, "{first}");
    }
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
    ] {
        assert_eq!(why_closed(Method::HEAD, head, false), None, "{head}");
    }
}

#[test]
fn the_request_may_say_close_too() {
    let peer = Peer::answering(ok("x"));
    let client = Client::new();
    let response = client.get(peer.url("/")).header("Connection", "close").send();
    assert_eq!(response.unwrap().text().unwrap(), "x");
    let stats = client.pool_stats();
    assert_eq!(stats.idle, 0);
    assert_eq!(stats.closed.get(CloseReason::ClientClose), 1);
    assert!(peer.saw_close(0));
}

#[test]
fn keep_alive_hints_are_honoured() {
    let hint = Some(CloseReason::KeepAliveHint);
    assert_eq!(after_fields("Keep-Alive: timeout=0\r\n"), hint);
    assert_eq!(after_fields("Keep-Alive: max=0\r\n"), hint);
    assert_eq!(after_fields("Keep-Alive: TIMEOUT=60, Max=0\r\n"), hint);
    assert_eq!(after_fields("Keep-Alive: max=100\r\nKeep-Alive: timeout=0\r\n"), hint);
    assert_eq!(after_fields("Keep-Alive: timeout=60, max=100\r\n"), None);
    assert_eq!(after_fields("Keep-Alive: max=1\r\n"), None);
}

#[test]
fn a_keep_alive_hint_that_makes_no_sense_is_passed_over() {
    for value in ["timeout=x", "timeout=", "timeout", "max=-1", "xmax=0", ", ,;;=", "300"] {
        assert_eq!(after_fields(&format!("Keep-Alive: {value}\r\n")), None, "{value}");
    }
    let huge = "Keep-Alive: timeout=99999999999999999999, max=99999999999999999999\r\n";
    assert_eq!(after_fields(huge), None);
}

#[test]
fn max_counts_down_over_the_life_of_a_connection() {
    let peer = Peer::start(|mut conn, _| {
        for max in (0..=2).rev() {
            if conn.request().is_some() {
                conn.send(answer("200 OK", &format!("Keep-Alive: max={max}\r\n"), "x"));
            }
        }
        conn.request();
    });
    let client = Client::new();
    for _ in 0..6 {
        text(&client, peer.url("/"));
    }
    assert_eq!(peer.connections(), 2, "three exchanges on each");
    assert_eq!(client.pool_stats().closed.get(CloseReason::KeepAliveHint), 2);
}

#[test]
fn max_sent_once_holds_for_the_exchanges_that_follow() {
    let peer = Peer::start(|mut conn, _| {
        let mut fields = "Keep-Alive: max=2\r\n";
        while conn.request().is_some() {
            conn.send(answer("200 OK", fields, "x"));
            fields = "";
        }
    });
    let client = Client::new();
    for _ in 0..6 {
        text(&client, peer.url("/"));
    }
    assert_eq!(peer.connections(), 2, "the first exchange and two more on each");
    assert_eq!(client.pool_stats().closed.get(CloseReason::KeepAliveHint), 2);
}

/// Asks twice with a pause between; the response says `Keep-Alive: timeout=…`.
fn connections_after_a_pause(timeout_secs: u32, pause: Duration) -> (usize, u64) {
    let fields = format!("Keep-Alive: timeout={timeout_secs}\r\n");
    let peer = Peer::answering(answer("200 OK", &fields, "x"));
    let client = Client::new();
    text(&client, peer.url("/1"));
    assert_eq!(client.pool_stats().idle, 1);
    thread::sleep(pause);
    text(&client, peer.url("/2"));
    (peer.connections(), client.pool_stats().closed.get(CloseReason::Idle))
}

#[test]
fn a_connection_retires_before_the_server_would_close_it() {
    // A second early; and 500 ms early when the server grants one second.
    let (one, two) = (Duration::from_millis(600), Duration::from_millis(1100));
    let retires = [(1, one), (2, two)];
    let tests = retires.map(|(secs, pause)| thread::spawn(move || connections_after_a_pause(secs, pause)));
    for test in tests {
        assert_eq!(test.join().unwrap(), (2, 1));
    }
    assert_eq!(connections_after_a_pause(60, Duration::from_millis(1)), (1, 0));
}

const POISON: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";

#[test]
fn bytes_after_the_body_are_never_the_next_response() {
    let stray = Some(CloseReason::StrayBytes);
    assert_eq!(after(&format!("{}{POISON}", ok("first"))), stray);
    assert_eq!(after(&format!("{}\r\n", ok("first"))), stray, "an empty line too many");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    assert_eq!(after(&format!("{chunked}{POISON}")), stray);
    let none = "HTTP/1.1 204 No Content\r\n\r\n";
    assert_eq!(after(&format!("{none}{POISON}")), stray);
    assert_eq!(after(&format!("HTTP/1.1 304 Not Modified\r\n\r\n{POISON}")), stray);
    let empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(after(&format!("{empty}{POISON}")), stray);
}

#[test]
fn a_body_sent_in_response_to_head_is_not_the_next_response() {
    let reason = why_closed(Method::HEAD, &ok("HTTP/1.1 200 OK\r\n"), false);
    assert_eq!(reason, Some(CloseReason::StrayBytes));
}

/// A connection that is idle in the pool while the peer does `then` to it; what the second
/// request finds.
fn found_when_idle(then: impl Fn(Conn) + Send + Sync + 'static) -> Client {
    let peer = Peer::start(move |mut conn, index| {
        while let Some(request) = conn.request() {
            conn.send(ok("first or second"));
            if index == 0 && request.target == "/1" {
                conn.was_signalled("it is idle");
                return then(conn);
            }
        }
    });
    let client = Client::new();
    text(&client, peer.url("/1"));
    assert_eq!(client.pool_stats().idle, 1);
    peer.signal("it is idle");
    let acted = |event: &Event| matches!(event, Event::Closed(0) | Event::Note(0, _));
    assert!(peer.wait_until(|events| events.iter().any(acted)));
    assert_eq!(text(&client, peer.url("/2")), "first or second");
    assert_eq!(peer.connections(), 2);
    let twos = peer.request_lines().into_iter().filter(|line| line == "GET /2 HTTP/1.1");
    assert_eq!(twos.count(), 1, "the dead connection was found before anything was sent on it");
    let stats = client.pool_stats();
    assert_eq!((stats.opened, stats.reused), (2, 0), "no exchange began on it");
    client
}

#[test]
fn a_connection_the_server_has_closed_is_found_by_the_probe() {
    let client = found_when_idle(|conn| conn.close());
    assert_eq!(client.pool_stats().closed.get(CloseReason::PeerClosed), 1);
}

#[test]
fn a_connection_the_server_has_half_closed_is_found_by_the_probe() {
    let client = found_when_idle(|mut conn| {
        conn.half_close();
        conn.note("half closed");
        conn.wait_closed(Duration::from_secs(10));
    });
    assert_eq!(client.pool_stats().closed.get(CloseReason::PeerClosed), 1);
}

#[test]
fn a_connection_the_server_has_reset_is_found_by_the_probe() {
    let client = found_when_idle(|conn| conn.reset());
    assert_eq!(client.pool_stats().closed.get(CloseReason::PeerClosed), 1);
}

#[test]
fn bytes_that_come_while_it_is_idle_are_found_by_the_probe() {
    let client = found_when_idle(|mut conn| {
        conn.send(POISON);
        conn.note("poison sent");
        conn.wait_closed(Duration::from_secs(10));
    });
    assert_eq!(client.pool_stats().closed.get(CloseReason::StrayBytes), 1);
}

/// Since when the server waits is not known where the body came after its head: the probe is not left
/// out because the caller was slow to read, and took the last byte just now.
#[test]
fn what_the_server_did_while_a_body_was_read_slowly_is_found_by_the_probe() {
    let poison = |mut conn: Conn| {
        conn.send(POISON);
        conn.note("acted");
        conn.wait_closed(Duration::from_secs(10));
    };
    let half_close = |mut conn: Conn| {
        conn.half_close();
        conn.note("acted");
        conn.wait_closed(Duration::from_secs(10));
    };
    let acts: [(fn(Conn), CloseReason); 2] = [(poison, CloseReason::StrayBytes), (half_close, CloseReason::PeerClosed)];
    for (act, reason) in acts {
        let peer = Peer::start(move |mut conn, index| {
            while let Some(request) = conn.request() {
                if request.target != "/slow" || index > 0 {
                    conn.send(ok("at once"));
                    continue;
                }
                conn.send("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n");
                conn.was_signalled("the head is there");
                conn.send("01234567890123456789");
                conn.was_signalled("half of it is read");
                return act(conn);
            }
        });
        let client = Client::new();
        text(&client, peer.url("/"));
        let mut response = client.get(peer.url("/slow")).send().expect("a head");
        peer.signal("the head is there");
        let mut half = [0; 10];
        response.read_exact(&mut half).expect("half of the body");
        peer.signal("half of it is read");
        assert!(peer.noted(0, "acted"));
        response.read_exact(&mut half).expect("the other half");
        assert!(response.body().is_complete());
        let posted = client.post(peer.url("/")).body("x").send().expect("a response").text();
        assert_eq!(posted.expect("a body"), "at once");
        assert_eq!(client.pool_stats().closed.get(reason), 1, "{:?}", client.pool_stats());
    }
}

#[test]
fn a_body_read_to_exactly_its_last_byte_is_finished() {
    for buffer_bytes in [1, 5, 10, 9_999, 10_000] {
        let peer = Peer::answering(ok(&"x".repeat(10_000)));
        let client = Client::new();
        let mut response = client.get(peer.url("/")).send().unwrap();
        let mut buffer = vec![0; buffer_bytes];
        let mut left = 10_000;
        while left > 0 {
            assert_eq!(client.pool_stats().in_use, 1);
            assert!(!response.body().is_complete());
            let length = left.min(buffer.len());
            response.read_exact(&mut buffer[..length]).unwrap();
            left -= length;
        }
        assert_eq!(client.pool_stats().idle, 1, "with reads of {buffer_bytes}");
        assert_eq!(client.pool_stats().in_use, 0);
        assert_eq!(response.body().ended(), Some(BodyEnd::Length));
        assert_eq!(text(&client, peer.url("/")).len(), 10_000);
        assert_eq!(peer.connections(), 1);
        assert_eq!(response.read(&mut buffer).unwrap(), 0);
    }
}

#[test]
fn a_chunked_body_is_finished_once_its_terminator_was_seen() {
    let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let peer = Peer::answering(chunks);
    let client = Client::new();
    let mut response = client.get(peer.url("/")).send().unwrap();
    let mut word = [0; 5];
    response.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"hello");
    assert_eq!(response.body().ended(), Some(BodyEnd::LastChunk));
    assert_eq!(client.pool_stats().idle, 1, "without a read that gives 0");
    assert_eq!(text(&client, peer.url("/")), "hello");
    assert_eq!(peer.connections(), 1);
}

#[test]
fn a_chunked_body_is_not_finished_before_its_terminator() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        conn.was_signalled("finish");
        conn.send("0\r\nX-Sum: 1\r\n\r\n");
        conn.request();
    });
    let client = Client::new();
    let mut response = client.get(peer.url("/")).send().unwrap();
    let mut word = [0; 5];
    response.read_exact(&mut word).unwrap();
    assert_eq!(client.pool_stats().in_use, 1);
    assert_eq!(response.body().ended(), None);
    peer.signal("finish");
    assert_eq!(response.read(&mut word).unwrap(), 0);
    assert_eq!(response.body().ended(), Some(BodyEnd::LastChunk));
    assert_eq!(response.body().trailers().get("x-sum"), Some("1"));
    assert_eq!(client.pool_stats().idle, 1);
}

#[test]
fn the_newest_idle_connection_is_taken_first() {
    let peer = Peer::start(|mut conn, index| {
        while conn.request().is_some() {
            conn.send(ok(&index.to_string()));
        }
    });
    let client = Client::new();
    let open: Vec<_> = (0..3).map(|_| client.get(peer.url("/")).send().unwrap()).collect();
    assert_eq!(client.pool_stats().in_use, 3);
    let mut order = Vec::new();
    for response in open {
        order.push(response.text().unwrap()); // into the pool, in this order
    }
    assert_eq!(client.pool_stats().idle, 3);
    let newest = order.last().unwrap();
    for _ in 0..3 {
        assert_eq!(text(&client, peer.url("/")), *newest);
    }
}

#[test]
fn a_reused_connection_says_so() {
    let peer = Peer::answering(ok("x"));
    let client = Client::new();
    for exchange in 1..=3 {
        let response = client.get(peer.url("/")).send().unwrap();
        let connection = response.connection().clone();
        assert_eq!(connection.nth(), exchange);
        assert_eq!(connection.reused(), exchange > 1);
        assert_eq!(connection.peer_addr(), Some(peer.addr()));
        assert!(connection.local_addr().is_some_and(|local| local.ip().is_loopback()));
        if exchange > 1 {
            assert_eq!(response.timings().connect, Duration::ZERO);
            assert_eq!(response.timings().resolve, Duration::ZERO);
        }
        response.bytes().unwrap();
    }
}

#[test]
fn a_response_that_cannot_be_understood_ends_its_connection() {
    let evil = format!("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{POISON}");
    let peer = peer_with(&evil, false);
    let client = Client::new();
    assert!(client.get(peer.url("/1")).send().is_err());
    assert_eq!(client.pool_stats().closed.get(CloseReason::Failed), 1);
    assert_eq!(text(&client, peer.url("/2")), "second");
    assert_eq!(peer.connections(), 2);
}
