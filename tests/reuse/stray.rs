//! Bytes after a response that was read to its end: whatever read took its last byte, they are
//! noticed, and are never the next response.

use std::io::Read;

use longwire::CloseReason;
use longwire::script::{Reply, Script, connection, raw};

use crate::{URL, text};

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine";
const STRAY: &str = "HTTP/1.1 299 Stray\r\nContent-Length: 5\r\n\r\nstray";

/// The size of a connection's buffer.
const BUFFER_BYTES: usize = 8 * 1024;

/// Two exchanges on a connection, the second with this reply, which is read with `room` bytes at a
/// time up to the last one of the body; and a third at once. Often, for a connection that has just been
/// used may be probed less.
#[track_caller]
fn is_not_the_third_response(second: &Reply, body_bytes: usize, room: usize) {
    for _ in 0..50 {
        let fine = || raw(FINE);
        let first = connection().exchange(fine()).exchange(second.clone());
        let client = Script::new().connection(first).on("*", fine()).client();
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
fn bytes_after_a_body_that_filled_the_buffer_are_not_the_next_response() {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {BUFFER_BYTES}\r\n\r\n");
    let body = [&vec![b'x'; BUFFER_BYTES][..], STRAY.as_bytes()].concat();
    is_not_the_third_response(&raw(head).more(body), BUFFER_BYTES, BUFFER_BYTES / 2);
}

#[test]
fn bytes_after_a_head_and_a_body_that_filled_the_buffer_are_not_the_next_response() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: NNNN\r\n\r\n";
    let body_bytes = BUFFER_BYTES - head.len();
    let head = head.replace("NNNN", &body_bytes.to_string());
    let whole = [head.as_bytes(), &vec![b'x'; body_bytes], STRAY.as_bytes()].concat();
    is_not_the_third_response(&raw(whole.clone()), body_bytes, 100);
    is_not_the_third_response(&raw(whole), body_bytes, 2 * BUFFER_BYTES);
}

#[test]
fn bytes_after_chunks_that_filled_the_callers_buffer_are_not_the_next_response() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks = format!("4000\r\n{}\r\n0\r\n\r\n", "x".repeat(0x4000));
    let framed = [chunks.as_bytes(), STRAY.as_bytes()].concat();
    is_not_the_third_response(&raw(head).more(framed), 0x4000, chunks.len());
}

#[test]
fn bytes_after_the_body_are_seen_by_whatever_read_takes_its_last_byte() {
    let body = "x".repeat(20_000);
    let chunked = format!("4e20\r\n{body}\r\n0\r\n\r\n");
    for (field, framed) in [("Content-Length: 20000", &body), ("Transfer-Encoding: chunked", &chunked)] {
        let head = format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n");
        for buffer_bytes in [100, 8_192, 20_000, 20_001, 100_000] {
            let first = raw(&*head).more([framed.as_bytes(), STRAY.as_bytes()].concat());
            let client = Script::new().on("*", first).on("*", raw(FINE)).client();
            let mut response = client.get(URL).send().unwrap();
            let (mut buffer, mut read) = (vec![0; buffer_bytes], 0);
            while read < body.len() {
                read += response.read(&mut buffer).unwrap();
            }
            assert_eq!(read, body.len());
            assert_eq!(response.read(&mut buffer).unwrap(), 0);
            let stats = client.pool_stats();
            assert_eq!(stats.closed.get(CloseReason::StrayBytes), 1, "{field} by {buffer_bytes}");
            assert_eq!(text(&client, URL), "fine");
        }
    }
}

#[test]
fn a_body_that_comes_late_in_response_to_head_is_not_the_next_response_either() {
    // The connection is hot: reused before, and asked again at once. After an exchange without a
    // body it is probed all the same.
    let late = raw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n").more(STRAY);
    let first = connection().exchange(raw(FINE)).exchange(raw(FINE)).exchange(late);
    let client = Script::new().connection(first).on("*", raw(FINE)).client();
    for _ in 0..2 {
        assert_eq!(text(&client, URL), "fine");
    }
    let response = client.head(URL).send().unwrap();
    assert_eq!(response.header("content-length"), Some("99"));
    drop(response);
    assert_eq!(client.pool_stats().idle, 1);
    assert_eq!(text(&client, URL), "fine");
    assert_eq!(client.pool_stats().closed.get(CloseReason::StrayBytes), 1);
}
