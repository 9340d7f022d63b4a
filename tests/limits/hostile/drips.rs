//! Peers that send or take a byte now and then, or nothing at all: however little it is, it is no
//! reason to wait beyond the limit.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use longwire::{Client, ErrorKind, Fate, SendBody, Stage};

use super::{SHORT, SLACK, WAYS, assert_in_time, failing};
use crate::support::peer::{Conn, LIMIT, Peer, ok};

const GAP: Duration = Duration::from_millis(20);

/// Of a whole call, where some of it is not the stall: a head of megabytes is written first.
const LIMIT_OF_ALL: Duration = Duration::from_secs(1);

/// More than all the buffers of a connection on loopback hold.
const UPLOAD_BYTES: u64 = 64 << 20;

fn upload() -> SendBody<'static> {
    SendBody::sized_reader(io::repeat(b'x').take(UPLOAD_BYTES), UPLOAD_BYTES)
}

/// Reads the head alone, sends `begin`, and then `unit` byte by byte until the client goes, within
/// reason.
fn dripping(begin: &'static str, unit: &'static str) -> Peer {
    Peer::start(move |mut conn, _| {
        if conn.head().is_some() && conn.send(begin) {
            let start = Instant::now();
            while start.elapsed() < LIMIT && conn.drip(unit, GAP) {}
        }
    })
}

// ---- while we upload ----

#[test]
fn a_head_that_drips_while_nothing_is_read_ends_with_the_deadline() {
    for (begin, unit) in [("", "HTTP/1.1 103 Early Hints\r\n"), ("HTTP/1.1 413 Too Large\r\n", "X-Fill: value\r\n")] {
        let peer = dripping(begin, unit);
        let failed = failing(|| Client::new().post(peer.url("/")).body(upload()).timeout(SHORT).send());
        assert_in_time(&failed, SHORT);
        assert_eq!(failed.0.fate(), Fate::ResponseStarted, "{}", failed.0);
    }
}

#[test]
fn a_head_that_drips_while_nothing_is_read_ends_with_the_write_timeout() {
    let peer = dripping("HTTP/1.1 200 OK\r\n", "X-Fill: value\r\n");
    let client = Client::builder().write_timeout(SHORT * 2).build();
    let failed = failing(|| client.post(peer.url("/")).body(upload()).send());
    assert_in_time(&failed, SHORT * 2);
}

#[test]
fn interim_responses_that_drip_while_nothing_is_read_end_with_the_deadline() {
    let peer = Peer::start(|mut conn, _| {
        conn.head();
        while !conn.pause(GAP * 5) && conn.send("HTTP/1.1 103 Early Hints\r\n\r\n") {}
    });
    let failed = failing(|| Client::new().post(peer.url("/")).body(upload()).timeout(SHORT).send());
    assert_in_time(&failed, SHORT);
}

#[test]
fn an_upload_that_is_read_by_drops_ends_with_the_deadline() {
    let sip = |mut conn: Conn, _| {
        while !conn.read_some().is_empty() && !conn.pause(GAP) {}
    };
    let peer = Peer::start(sip);
    let client = Client::new();
    let failed = failing(|| client.post(peer.url("/")).body(upload()).timeout(SHORT).send());
    assert_in_time(&failed, SHORT);
    let borrowed = vec![b'x'; UPLOAD_BYTES as usize];
    let failed = failing(|| client.post(peer.url("/")).body(&borrowed).timeout(SHORT).send());
    assert_in_time(&failed, SHORT);
    let chunked = SendBody::reader(io::repeat(b'x'));
    let failed = failing(|| client.post(peer.url("/")).body(chunked).timeout(SHORT).send());
    assert_in_time(&failed, SHORT);
}

#[test]
fn an_early_response_whose_body_drips_ends_with_the_deadline() {
    for begin in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 413 Too Large\r\nContent-Length: 1000000\r\n\r\n"] {
        let peer = dripping(begin, "x");
        let client = Client::new();
        for (name, way) in WAYS {
            let start = Instant::now();
            let sent = client.post(peer.url("/")).body(upload()).timeout(LIMIT_OF_ALL).send();
            let response = sent.unwrap_or_else(|error| panic!("{name}: {error}"));
            let (error, _) = failing(|| way(response));
            assert_in_time(&(error, start.elapsed()), LIMIT_OF_ALL);
        }
    }
}

#[test]
fn a_response_that_drips_while_it_is_asked_for_leave_ends_with_the_deadline() {
    for patience in [SHORT / 4, LIMIT] {
        let peer = dripping("HTTP/1.1 100 Continue\r\n", "X-Fill: value\r\n");
        let post = Client::new().post(peer.url("/")).body(upload()).expect_continue(patience).timeout(SHORT);
        let failed = failing(|| post.send());
        assert_in_time(&failed, SHORT);
    }
}

// ---- heads and bodies ----

#[test]
fn a_request_head_that_is_never_read_ends_with_its_limit() {
    let peer = Peer::start(|conn, _| conn.hold());
    let long = "v".repeat(6 << 20);
    let client = Client::builder().write_timeout(SHORT).build();
    let failed = failing(|| client.get(peer.url("/")).header("X-Long", &long).send());
    assert_in_time(&failed, SHORT);
    assert_eq!(failed.0.stage(), Stage::Send, "{}", failed.0);
    let failed = failing(|| Client::new().get(peer.url("/")).header("X-Long", &long).timeout(LIMIT_OF_ALL).send());
    assert_in_time(&failed, LIMIT_OF_ALL);
    assert_eq!(failed.0.stage(), Stage::Send, "{}", failed.0);
}

#[test]
fn interim_responses_that_drip_come_to_an_end_before_the_deadline() {
    const ONE: &str = "HTTP/1.1 103 Early\r\n\r\n";
    let gap = GAP / 4;
    let peer = Peer::start(move |mut conn, _| {
        conn.head();
        while conn.drip(ONE, gap) {}
    });
    let client = Client::builder().max_head_size(16 * ONE.len()).build();
    let (error, took) = failing(|| client.get(peer.url("/")).timeout(LIMIT).send());
    assert_eq!(error.kind(), ErrorKind::HeadTooLarge, "{error}");
    assert!(took >= gap * 16 * ONE.len() as u32, "seventeen of them cannot have come after {took:?}");
}

#[test]
fn the_body_of_a_redirect_that_drips_is_not_waited_for() {
    let goal = Peer::answering(ok("goal"));
    for framing in ["Content-Length: 100000", "Transfer-Encoding: chunked", "X-Until: close"] {
        let location = goal.url("/");
        let peer = Peer::start(move |mut conn, _| {
            conn.head();
            conn.send(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n{framing}\r\n\r\n"));
            while conn.drip("1\r\nx\r\n", GAP) {}
        });
        let start = Instant::now();
        let response = Client::new().get(peer.url("/")).timeout(LIMIT).send().unwrap();
        assert_eq!(response.text().unwrap(), "goal", "{framing}");
        assert!(start.elapsed() < SLACK, "{framing}: {:?}", start.elapsed());
        assert!(peer.wait_until(|events| events.len() >= 2), "it was asked");
    }
}

#[test]
fn drips_at_every_hop_share_one_deadline() {
    let peer = Peer::start(|mut conn, _| {
        while conn.head().is_some() {
            let head = "HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 4\r\n\r\n";
            if !conn.drip(head, GAP / 10) || !conn.drip("body", GAP) {
                return;
            }
        }
    });
    let client = Client::builder().max_redirects(10_000).build();
    let failed = failing(|| client.get(peer.url("/")).timeout(SHORT * 2).send());
    assert_in_time(&failed, SHORT * 2);
    assert!(peer.request_lines().len() > 1, "there was a second hop");
}

#[test]
fn framing_that_drips_ends_with_the_deadline_however_it_is_read() {
    let begin = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for unit in ["00000000000000000000", "1;an-extension-without-an-end", "1\r\nx\r\n"] {
        // The first unit never ends its line; the others do, sooner or later.
        let peer = dripping(begin, unit);
        let client = Client::new();
        for (_, way) in WAYS {
            let failed = failing(|| client.get(peer.url("/")).timeout(SHORT).send().and_then(way));
            assert_in_time(&failed, SHORT);
            assert_eq!(failed.0.stage(), Stage::Body, "{}", failed.0);
        }
    }
}
