//! Bodies dropped, cancelled, collected, and what is behind them.

use std::io::{BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use longwire::{CancelToken, Client, CloseReason, ErrorKind, Response};

use crate::double::{Memory, Reply, Trace};
use crate::support::peer::{Peer, answer, ok};
use crate::{Double, URL, over, text};

const STRAY: &str = "HTTP/1.1 299 Stray\r\nContent-Length: 5\r\n\r\nstray";

/// The size of a connection's buffer.
const BUFFER_BYTES: usize = 8 * 1024;

/// Two exchanges on a connection, the second answered by `pieces`, which are read with `room`
/// bytes at a time up to the last one of the body; and a third at once, within the time in which a
/// connection that has just been used is not asked whether it is silent. Often, for that time is
/// short.
#[track_caller]
fn is_not_the_third_answer(pieces: &[Vec<u8>], body_bytes: usize, room: usize) {
    for _ in 0..50 {
        let pieces = pieces.to_vec();
        let memory = Memory::new(move |connection, exchange| match (connection, exchange) {
            (0, 1) => Reply::Pieces(pieces.clone()),
            _ => Reply::Answer(ok("fine").into_bytes()),
        });
        let client = Client::builder().connector(memory).build();
        assert_eq!(text(&client, URL), "fine");
        let mut response = client.get(URL).send().unwrap();
        let (mut buffer, mut read) = (vec![0; room], 0);
        while read < body_bytes {
            let count = response.read(&mut buffer).unwrap();
            assert!(count > 0, "{read} bytes of {body_bytes}");
            read += count;
        }
        drop(response);
        let third = client.get(URL).send().unwrap();
        assert_eq!(third.status().as_u16(), 200);
        assert_eq!(third.text().unwrap(), "fine");
        assert_eq!(client.pool_stats().closed.get(CloseReason::StrayBytes), 1);
    }
}

#[test]
fn bytes_behind_a_body_that_filled_the_buffer_are_not_the_next_answer() {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {BUFFER_BYTES}\r\n\r\n").into_bytes();
    let body = [&vec![b'x'; BUFFER_BYTES][..], STRAY.as_bytes()].concat();
    is_not_the_third_answer(&[head, body], BUFFER_BYTES, BUFFER_BYTES / 2);
}

#[test]
fn bytes_behind_a_head_and_a_body_that_filled_the_buffer_are_not_the_next_answer() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: NNNN\r\n\r\n";
    let body_bytes = BUFFER_BYTES - head.len();
    let head = head.replace("NNNN", &body_bytes.to_string());
    let whole = [head.as_bytes(), &vec![b'x'; body_bytes], STRAY.as_bytes()].concat();
    is_not_the_third_answer(std::slice::from_ref(&whole), body_bytes, 100);
    is_not_the_third_answer(&[whole], body_bytes, 2 * BUFFER_BYTES);
}

#[test]
fn bytes_behind_chunks_that_filled_the_callers_buffer_are_not_the_next_answer() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunks = format!("4000\r\n{}\r\n0\r\n\r\n", "x".repeat(0x4000));
    let framed = [chunks.as_bytes(), STRAY.as_bytes()].concat();
    is_not_the_third_answer(&[head, framed], 0x4000, chunks.len());
}

#[test]
fn dropping_a_body_does_not_drink_a_flood_of_framing() {
    const FLOOD_BYTES: usize = 8 << 20;
    let chunk = [&b"1;"[..], &[b'x'; 4000], b"\r\na\r\n"].concat();
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let client = over(move || {
        let (chunk, count) = (chunk.clone(), count.clone());
        Double::giving(["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]).trying(move |buffer| {
            let from = count.fetch_add(buffer.len(), Ordering::SeqCst);
            if from > FLOOD_BYTES {
                return Err(std::io::ErrorKind::WouldBlock.into()); // an end, for the test's sake
            }
            buffer.iter_mut().enumerate().for_each(|(at, byte)| *byte = chunk[(from + at) % chunk.len()]);
            Ok(buffer.len())
        })
    });
    drop(client.get(URL).send().unwrap());
    let taken = taken.load(Ordering::SeqCst);
    assert!((1..=128 * 1024).contains(&taken), "{taken} bytes were taken");
    assert_eq!(client.pool_stats().closed.get(CloseReason::Unfinished), 1);
}

/// Hands `then` a response that was cancelled when all of its body had arrived, and one read had
/// taken what `room` holds.
fn cancelled_after(room: usize, body_bytes: usize, then: impl Fn(Response)) {
    let peer = Peer::start(move |mut conn, _| {
        conn.request();
        conn.send(ok(&"x".repeat(body_bytes)));
        conn.note("sent");
        conn.hold();
    });
    let (client, token) = (Client::new(), CancelToken::new());
    let mut response = client.get(peer.url("/")).cancel_token(&token).send().unwrap();
    assert!(peer.noted(0, "sent"));
    assert!(response.read(&mut vec![0; room]).unwrap() < body_bytes, "there is more");
    token.cancel();
    then(response);
    assert_eq!(client.pool_stats().closed.get(CloseReason::Cancelled), 1);
}

#[test]
fn a_cancelled_body_is_not_read_to_its_end_although_all_of_it_has_arrived() {
    // In the buffer; in the kernel behind the buffer; in the kernel alone.
    for (room, body_bytes) in [(10, 100), (10, 60_000), (BUFFER_BYTES, 60_000)] {
        cancelled_after(room, body_bytes, |response| assert!(response.bytes().unwrap_err().is_cancelled()));
        for into in [10, 100_000] {
            cancelled_after(room, body_bytes, |mut response| {
                let error = response.read(&mut vec![0; into]).unwrap_err();
                assert_eq!(longwire::Error::try_from(error).unwrap().kind(), ErrorKind::Cancelled);
                assert!(!response.body().is_complete());
            });
        }
        cancelled_after(room, body_bytes, |mut response| {
            assert!(response.body_mut().fill_buf().is_err());
            assert_eq!(response.body().ended(), None);
        });
    }
}

#[test]
fn a_chunk_of_one_byte_does_not_cost_a_buffer() {
    const CHUNKS: usize = 60_000;
    let framed = [&b"1\r\na\r\n".repeat(CHUNKS)[..], b"0\r\n\r\n"].concat();
    let memory = Memory::new(move |_, _| {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        Reply::Pieces(vec![head, framed.clone()])
    });
    let client = Client::builder().buffer_size(1 << 20).connector(memory).build();
    let response = client.get(URL).send().unwrap();
    let started = Instant::now();
    assert_eq!(response.bytes().unwrap().len(), CHUNKS);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}"); // it was 64 KiB of zeros for each chunk
}

#[test]
fn the_raw_head_is_as_it_came_whatever_its_version() {
    for version in ["1.0", "1.1", "1.2", "1.9"] {
        let head = format!("HTTP/{version} 200 OK\r\nContent-Length: 0\r\nX-Version: HTTP/1.1\r\n\r\n");
        let client = Client::builder().connector(Memory::answering(head.clone())).build();
        assert_eq!(client.get(URL).send().unwrap().raw_head(), head.as_bytes());
    }
}

#[test]
fn what_is_shown_of_a_head_is_changed_only_where_a_secret_is() {
    let fields = "Location: http://user:hunter2@a/\r\nX-Paths: //b@c //d@e\r\n";
    let memory = Memory::answering(answer("200 OK", fields, ""));
    let trace = Trace::default();
    let client = Client::builder().connector(memory).observer(trace.clone()).build();
    client.get(format!("{URL}x//user@y")).send().unwrap();
    let whole = trace.whole();
    assert!(whole.contains("GET /x//user@y HTTP/1.1"), "{whole}");
    assert!(whole.contains("X-Paths: //b@c //d@e"), "{whole}");
    assert!(!whole.contains("hunter2"), "{whole}");
}
