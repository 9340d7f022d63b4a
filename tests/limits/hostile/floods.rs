//! Peers that send as fast as they can, and never stop: what that costs in memory, and that the
//! clock is seen although no read ever waits.

use std::io::Read;
use std::time::Instant;

use longwire::{Client, CloseReason, ErrorKind};

use super::heap::peak;
use super::{CHUNKED, SHORT, SLACK, WAYS, assert_in_time, failing};
use crate::support::peer::{LIMIT, Peer, answer, ok};

const KIB: usize = 1024;

/// What a request and its response may take besides a head: the buffer, the URL, the names.
const REST_BYTES_MAX: usize = 64 * KIB;

/// Sends `begin`, and then `unit` for as long as it is taken, within reason.
fn flooding(begin: impl Into<Vec<u8>>, unit: impl AsRef<[u8]>) -> Peer {
    let begin = begin.into();
    let block = unit.as_ref().repeat((64 * KIB).div_ceil(unit.as_ref().len()));
    Peer::start(move |mut conn, _| {
        if conn.head().is_some() && conn.send(&begin) {
            let start = Instant::now();
            while start.elapsed() < LIMIT && conn.send(&block) {}
        }
    })
}

#[test]
fn an_endless_head_costs_a_few_times_its_limit_in_memory() {
    let heads = [
        ("fields", "HTTP/1.1 200 OK\r\n", "X-A: b\r\n"),
        ("the shortest fields", "HTTP/1.1 200 OK\r\n", "a:\r\n"),
        ("a field", "HTTP/1.1 200 OK\r\nX-A: ", "b"),
        ("a name", "HTTP/1.1 200 OK\r\n", "b"),
        ("a reason", "HTTP/1.1 200 ", "O"),
        ("folds", "HTTP/1.1 200 OK\r\nX-A: b\r\n", " c\r\n"),
        ("empty lines", "", "\r\n"),
        ("interim responses", "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    ];
    for limit in [4 * KIB, 64 * KIB, 1024 * KIB] {
        let client = Client::builder().max_head_size(limit).build();
        for (name, begin, unit) in heads {
            let peer = flooding(begin, unit);
            let (failed, bytes) = peak(|| failing(|| client.get(peer.url("/")).timeout(SLACK).send()));
            let kind = failed.0.kind();
            assert!(matches!(kind, ErrorKind::HeadTooLarge | ErrorKind::Head), "{name}: {}", failed.0);
            assert!(bytes <= 4 * limit + REST_BYTES_MAX, "{name}: {bytes} bytes with a limit of {limit}");
        }
    }
}

#[test]
fn interim_responses_are_not_kept_and_a_flood_of_them_ends() {
    let large = format!("HTTP/1.1 103 Early Hints\r\nX-Fill: {}\r\n\r\n", "f".repeat(15 * KIB));
    let peer = Peer::answering(large.repeat(4) + &ok("body"));
    let client = Client::new();
    let (text, bytes) = peak(|| client.get(peer.url("/")).send().unwrap().text().unwrap());
    assert_eq!(text, "body");
    assert!(bytes <= 3 * 15 * KIB + REST_BYTES_MAX, "{bytes} bytes for four interim responses");
    let flood = flooding(String::new(), &large);
    let (error, bytes) = peak(|| failing(|| client.get(flood.url("/")).timeout(SLACK).send()).0);
    assert_eq!(error.kind(), ErrorKind::HeadTooLarge, "{error}");
    assert!(bytes <= 3 * 15 * KIB + REST_BYTES_MAX, "{bytes} bytes for a flood of them");
}

#[test]
fn heads_of_redirects_as_large_as_a_head_may_be_are_not_kept() {
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let step: usize = request.target[1..].parse().expect("a number");
            let fields = format!("Location: /{}\r\nX-Fill: {}\r\n", step + 1, "f".repeat(60 * KIB));
            conn.send(answer(if step < 50 { "302 Found" } else { "200 OK" }, &fields, "body"));
        }
    });
    let client = Client::builder().max_redirects(50).build();
    let (response, bytes) = peak(|| client.get(peer.url("/0")).send().unwrap());
    assert_eq!(response.redirects().len(), 50);
    assert!(bytes <= 5 * 64 * KIB + REST_BYTES_MAX, "{bytes} bytes for fifty redirects");
}

#[test]
fn endless_trailers_cost_a_few_times_their_limit_in_memory() {
    for unit in ["X-A: b\r\n", "a:\r\n", "b", " c\r\n"] {
        let peer = flooding(format!("{CHUNKED}4\r\nbody\r\n0\r\nX-First: a\r\n"), unit);
        let client = Client::new();
        let get = || client.get(peer.url("/")).timeout(SLACK).send().and_then(|response| response.bytes());
        let (failed, bytes) = peak(|| failing(get));
        assert_eq!(failed.0.kind(), ErrorKind::Chunk, "{unit:?}: {}", failed.0);
        assert!(bytes <= 8 * 16 * KIB + REST_BYTES_MAX, "{unit:?}: {bytes} bytes");
    }
}

#[test]
fn a_chunk_that_claims_to_be_huge_costs_no_memory_and_keeps_to_the_limit() {
    const BODY_BYTES_MAX: usize = 256 * KIB;
    for size in ["FFFFFFFFFFFFFFFF", "8000000000000000", "7fffffffffffffff", "0000000000000000FFFFFFFFFF"] {
        let peer = flooding(format!("{CHUNKED}{size}\r\n"), "x");
        let client = Client::new();
        let get = || client.get(peer.url("/")).send()?.limit(BODY_BYTES_MAX as u64).bytes();
        let (failed, bytes) = peak(|| failing(get));
        assert_eq!(failed.0.kind(), ErrorKind::BodyTooLarge, "{size}: {}", failed.0);
        assert!(bytes <= 4 * BODY_BYTES_MAX + REST_BYTES_MAX, "{size}: {bytes} bytes");
    }
    for size in ["10000000000000000", "FFFFFFFFFFFFFFFFF", "00010000000000000000"] {
        let peer = flooding(format!("{CHUNKED}{size}\r\n"), "x");
        let (error, _) = failing(|| Client::new().get(peer.url("/")).send()?.bytes());
        assert_eq!(error.kind(), ErrorKind::Chunk, "{size}: {error}");
    }
}

#[test]
fn two_huge_chunks_do_not_add_up_to_a_small_body() {
    // 2^64 - 4 bytes, of which four come, and then what would be right if the sum had wrapped.
    let peer = Peer::answering(format!("{CHUNKED}FFFFFFFFFFFFFFFC\r\nbody\r\n8\r\nbodybody\r\n0\r\n\r\n"));
    let mut response = Client::new().get(peer.url("/")).timeout(SHORT).send().unwrap();
    let mut content = Vec::new();
    let error = response.read_to_end(&mut content).expect_err("it goes on for ever");
    assert!(content.starts_with(b"body\r\n8\r\n"), "{content:?}");
    assert_eq!(super::own(error).kind(), ErrorKind::Timeout);
}

/// A chunk of one byte, in as many bytes of framing as there may be.
fn padded_chunks() -> [(&'static str, Vec<u8>); 3] {
    let extension = [&b"1;name=\""[..], &[b'v'; 4000], b"\"\r\nx\r\n"].concat();
    let zeros = [&[b'0'; 4000][..], b"1\r\nx\r\n"].concat();
    [("bare", b"1\r\nx\r\n".to_vec()), ("an extension", extension), ("zeros", zeros)]
}

#[test]
fn chunks_of_one_byte_with_much_around_it_count_as_one_byte() {
    for (name, chunk) in padded_chunks() {
        let peer = flooding(CHUNKED, chunk);
        let client = Client::new();
        let get = || client.get(peer.url("/")).timeout(SLACK).send()?.limit(2_000).bytes();
        let (failed, bytes) = peak(|| failing(get));
        assert_eq!(failed.0.kind(), ErrorKind::BodyTooLarge, "{name}: {}", failed.0);
        assert!(bytes <= 128 * KIB, "{name}: {bytes} bytes to collect two thousand");
    }
}

#[test]
fn the_deadline_is_seen_through_a_flood_of_framing() {
    for (name, chunk) in padded_chunks() {
        let peer = flooding(CHUNKED, chunk);
        let client = Client::new();
        for (way_name, way) in WAYS {
            let get = || client.get(peer.url("/")).timeout(SHORT).send().and_then(way);
            let (failed, bytes) = peak(|| failing(get));
            assert_in_time(&failed, SHORT);
            assert!(bytes <= 256 * KIB, "{name}, {way_name}: {bytes} bytes");
        }
    }
}

#[test]
fn the_deadline_is_seen_through_a_flood_of_content() {
    let heads = [
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
        format!("{CHUNKED}FFFFFFFFFFFFFFFF\r\n"),
    ];
    for head in heads {
        let peer = flooding(head.as_str(), [b'x'; 4096]);
        let client = Client::new();
        for (way_name, way) in WAYS {
            let get = || client.get(peer.url("/")).timeout(SHORT).send().and_then(way);
            let (failed, bytes) = peak(|| failing(get));
            assert_in_time(&failed, SHORT);
            assert!(bytes <= 256 * KIB, "{head:?}, {way_name}: {bytes} bytes");
        }
    }
}

#[test]
fn what_is_flooded_after_a_response_is_neither_kept_nor_waited_for() {
    let forged = ok("forged");
    for first in [ok("body"), answer("204 No Content", "", ""), format!("{CHUNKED}4\r\nbody\r\n0\r\n\r\n")] {
        // In one write with the response: what comes later cannot be distinguished from the next response.
        let peer = flooding(format!("{first}{forged}"), &forged);
        let client = Client::new();
        let start = Instant::now();
        for _ in 0..20 {
            let (text, bytes) = peak(|| client.get(peer.url("/")).send().unwrap().text().unwrap());
            assert_ne!(text, "forged", "{first:?}");
            assert!(bytes <= 128 * KIB, "{first:?}: {bytes} bytes");
        }
        assert!(start.elapsed() < SLACK, "{first:?}: {:?}", start.elapsed());
        let closed = client.pool_stats().closed;
        assert_eq!(closed.get(CloseReason::StrayBytes), 20, "{first:?}: {closed:?}");
    }
}

#[test]
fn a_flood_that_answers_an_upload_costs_no_more_than_any_other() {
    let floods = [
        ("fields", "HTTP/1.1 200 OK\r\n", "X-A: b\r\n"),
        ("interim responses", "", "HTTP/1.1 103 Early Hints\r\n\r\n"),
        ("empty lines", "", "\r\n"),
    ];
    let upload = vec![b'x'; 64 << 20];
    for (name, begin, unit) in floods {
        let peer = flooding(begin, unit); // which reads the head alone
        let client = Client::new();
        let (failed, bytes) = peak(|| failing(|| client.post(peer.url("/")).body(&upload).timeout(SLACK).send()));
        let kind = failed.0.kind();
        assert!(matches!(kind, ErrorKind::HeadTooLarge | ErrorKind::Head), "{name}: {}", failed.0);
        assert!(bytes <= 4 * 64 * KIB + REST_BYTES_MAX, "{name}: {bytes} bytes");
    }
}
