//! What a stream of events takes from the heap: nothing for an event that is lent. Its buffer grows twice where
//! the stream is fast, whenever that is.

use longwire::{Client, Response};

use crate::alone;
use crate::counting::allocations;
use crate::support::peer::Peer;

const WARM_UP: usize = 10;
const COUNTED: usize = 10_000;

/// A chunk for each event, as servers send them.
fn answer(event: &[u8]) -> Vec<u8> {
    let chunk = [format!("{:x}\r\n", event.len()).as_bytes(), event, b"\r\n"].concat();
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    [&head[..], &chunk.repeat(WARM_UP + COUNTED), b"0\r\n\r\n"].concat()
}

#[test]
fn an_event_that_is_lent_takes_no_allocation() {
    let _alone = alone();
    let large = format!("data: {}\n\n", "x".repeat(3000));
    let events: [(&str, &[u8]); 7] = [
        ("of one line", b"data: {\"delta\":\"hello\"}\n\n"),
        ("of several lines", b"data: one\r\ndata: two\r\ndata\r\n\r\n"),
        ("with type and ID", b"event: delta\nid: 12345678\ndata: {\"index\":0}\n\n"),
        ("with comments", b": heartbeat\n\nretry: 5\n: c\ndata: 1\n\n"),
        ("not UTF-8", b"event: \xff\nid: \xfe\ndata: \xf0\x9f\n\n"),
        ("without data", b"data\n\n"),
        ("of 3 KB", large.as_bytes()),
    ];
    for (what, event) in events {
        let peer = Peer::answering(answer(event));
        let client = Client::new();
        for _ in 0..2 {
            let response = client.get(peer.url("/")).send().expect("a head");
            let is_reused = response.connection().reused();
            let mut events = response.events().expect("events");
            let mut bytes = 0;
            let mut take = |count: usize| {
                for _ in 0..count {
                    let event = events.next().expect("no error").expect("an event");
                    bytes += event.event().len() + event.data().len() + event.id().map_or(0, str::len);
                }
            };
            take(WARM_UP);
            let ((), counted) = allocations(|| take(COUNTED));
            // The first connection to come home, at its last byte, makes room for itself in the pool.
            if is_reused {
                assert!(counted <= 2, "{counted} in {COUNTED} events {what} ({bytes} bytes)");
            }
            assert!(events.next().expect("no error").is_none());
        }
        assert_eq!(peer.connections(), 1);
    }
}

/// So few that no read of them is a large one.
#[test]
fn the_events_of_a_slow_stream_take_none_at_all() {
    let _alone = alone();
    const FEW: usize = 50;
    let event = b"event: delta\nid: 12345678\ndata: {\"text\":\" hello\"}\n\n";
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        let end = answer(event).len() - (COUNTED - FEW) * (event.len() + "33\r\n\r\n".len()) - "0\r\n\r\n".len();
        conn.send(&answer(event)[..end]);
        conn.hold();
    });
    let mut events = Client::new().get(peer.url("/")).send().and_then(Response::events).expect("events");
    let mut take = |count: usize| {
        (0..count).for_each(|_| assert_eq!(events.next().expect("no error").expect("an event").event(), "delta"));
    };
    take(WARM_UP);
    let ((), counted) = allocations(|| take(FEW));
    assert_eq!(counted, 0);
}
