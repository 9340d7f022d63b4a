//! Bodies of several parts: what shares a write, what must not wait, and that the parts arrive as they are,
//! wherever the blocks end.

use std::io::{self, Cursor, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use longwire::script::{Script, Seen, reply};
use longwire::{Client, ErrorKind, SendBody};

use super::{Temporary, broken_upload};
use crate::support::wrapped::{interrupted, wrapping};

const URL: &str = "http://memory.test/";

/// A connection's buffer, in which the head and what fits after it leave.
const BUFFER_BYTES: usize = 8 * 1024;

/// What is gathered of bytes in memory after the first write.
const BLOCK_BYTES: usize = 16 * 1024;

/// The request as the server gets it.
fn arriving(body: SendBody<'_>) -> Seen {
    let script = Script::answering(reply(200));
    script.client().post(URL).body(body).send().expect("a response");
    script.seen().remove(0)
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|number| number as u8).collect()
}

#[test]
fn small_parts_leave_in_one_write_with_the_head() {
    let temporary = Temporary::new("small-part", b"in a file");
    let seen = arriving(SendBody::chain(["one ".into(), "two ".into(), temporary.open().into(), " three".into()]));
    assert_eq!((seen.body(), seen.writes()), (&b"one two in a file three"[..], 1));
}

#[test]
fn one_byte_more_than_the_buffer_takes_is_one_write_more() {
    let parts = |last: usize| SendBody::chain([bytes(4000).into(), bytes(2000).into(), bytes(last).into()]);
    let fits = BUFFER_BYTES - 6000 - arriving(parts(1000)).raw_head().len();
    for (last, writes) in [(fits, 1), (fits + 1, 2)] {
        let seen = arriving(parts(last));
        assert_eq!(seen.raw_head().len() + 6000 + fits, BUFFER_BYTES);
        assert_eq!((seen.body_length() as usize, seen.writes()), (6000 + last, writes));
    }
}

#[test]
fn many_parts_share_blocks() {
    let temporary = Temporary::new("shared-block", &bytes(40_000));
    let memory = |blocks: usize| (0..16 * blocks).map(|_| bytes(BLOCK_BYTES / 16).into()).collect::<Vec<_>>();
    let first = BUFFER_BYTES - arriving(SendBody::chain(memory(3))).raw_head().len();
    let seen = arriving(SendBody::chain(memory(3)));
    assert_eq!(seen.writes(), 1 + (3 * BLOCK_BYTES - first).div_ceil(BLOCK_BYTES));
    // A file's block is 64 KiB.
    let mut with_file = memory(1);
    with_file.push(temporary.open().into());
    assert_eq!(arriving(SendBody::chain(with_file)).writes(), 2);
}

#[test]
fn a_file_smaller_than_the_buffer_leaves_with_the_head() {
    let temporary = Temporary::new("with-head", &bytes(5000));
    let seen = arriving(temporary.open().into());
    assert!(seen.body() == bytes(5000), "the body differs");
    assert_eq!(seen.writes(), 1);
}

/// Fails unless the server has all that came before, each time that it is read.
struct AfterTheRest {
    script: Script,
    /// What the server must have, head aside, at each read.
    received: Vec<u64>,
    pieces: Vec<&'static str>,
}

impl Read for AfterTheRest {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let body = self.script.seen().first().map_or(0, Seen::body_length);
        assert_eq!(body, self.received.remove(0), "before {:?}", self.pieces);
        if self.pieces.is_empty() {
            return Ok(0);
        }
        self.pieces.remove(0).as_bytes().read(buffer)
    }
}

#[test]
fn nothing_that_can_be_sent_waits_for_a_reader() {
    for length in [None, Some(4)] {
        let script = Script::answering(reply(200));
        // The last piece is held back until it is known that none follows it, where there is a length.
        let received = if length.is_some() { vec![7, 9, 9] } else { vec![7, 9, 11] };
        let reader = AfterTheRest { script: script.clone(), received, pieces: vec!["re", "ad"] };
        let reader = match length {
            Some(length) => SendBody::sized_reader(reader, length),
            None => SendBody::reader(reader),
        };
        let second = AfterTheRest { script: script.clone(), received: vec![12, 14], pieces: vec!["er"] };
        let second = SendBody::reader(second);
        let chain = SendBody::chain(["before".into(), "-".into(), reader, "-".into(), second, "after".into()]);
        script.client().post(URL).body(chain).send().expect("a response");
        let seen = &script.seen()[0];
        assert_eq!(seen.body(), b"before-read-erafter");
        // Each piece of a reader is a write of its own, the last of a sized one with the bytes after it.
        assert_eq!(seen.writes(), if length.is_some() { 5 } else { 6 });
    }
}

#[test]
fn the_last_chunk_leaves_with_the_last_content() {
    let chain = SendBody::chain([SendBody::reader(Cursor::new("read")), "end".into()]);
    let seen = arriving(chain);
    assert_eq!((seen.header("transfer-encoding"), seen.body()), (Some("chunked"), &b"readend"[..]));
    assert_eq!(seen.writes(), 3); // the head, what was read, and the end
}

#[test]
fn an_empty_reader_at_the_end_is_asked_before_the_request_is_complete() {
    for last in ["", "x"] {
        let chain = || SendBody::chain(["all of it".into(), SendBody::sized_reader(Cursor::new(last), 0)]);
        match last {
            "" => assert_eq!(arriving(chain()).body(), b"all of it"),
            _ => assert_eq!(broken_upload(chain()).kind(), ErrorKind::Body),
        }
    }
}

#[test]
fn large_bytes_are_written_from_where_they_are() {
    let large = bytes(3 << 20);
    let chain = SendBody::chain(["before".into(), SendBody::from(&large), "after".into()]);
    let script = Script::answering(reply(200));
    let place = large.as_ptr() as usize;
    let at: Range<usize> = place..place + large.len();
    let copied = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&copied);
    let watched = wrapping(script.clone(), move |stream| {
        let (at, counted) = (at.clone(), Arc::clone(&counted));
        stream.on_write(move |stream, bytes| {
            if !at.contains(&(bytes.as_ptr() as usize)) {
                counted.fetch_add(bytes.len(), Ordering::Relaxed);
            }
            stream.write_nosignal(bytes)
        })
    });
    let client = Client::builder().connector(watched);
    client.build().post(URL).body(chain).send().expect("a response");
    let seen = &script.seen()[0];
    assert!(seen.body() == [b"before", &large[..], b"after"].concat(), "the body differs");
    assert_eq!(seen.writes(), 5); // the head with the beginning, blocks of 1 MiB, the end
    let copied = copied.load(Ordering::Relaxed);
    assert!(copied <= BUFFER_BYTES + BLOCK_BYTES, "{copied} bytes were copied");
}

#[test]
fn parts_arrive_as_they_are_wherever_blocks_end() {
    let temporary = Temporary::new("every-kind", &bytes(70_000));
    let kinds: [&dyn Fn() -> SendBody<'static>; 10] = [
        &|| SendBody::empty(),
        &|| "".into(),
        &|| "bytes".into(),
        &|| bytes(BLOCK_BYTES - 1).into(),
        &|| Arc::<[u8]>::from(bytes(BLOCK_BYTES + 1)).into(),
        &|| temporary.open().into(),
        &|| SendBody::sized_reader(Cursor::new(bytes(20_000)), 20_000),
        &|| SendBody::sized_reader(io::empty(), 0),
        &|| SendBody::reader(Cursor::new(bytes(20_000))),
        &|| SendBody::reader(io::empty()),
    ];
    let content = [&b""[..], b"", b"bytes"];
    let content: Vec<Vec<u8>> = (content.into_iter().map(Vec::from))
        .chain([BLOCK_BYTES - 1, BLOCK_BYTES + 1, 70_000, 20_000, 0, 20_000, 0].map(bytes))
        .collect();
    for number in 0..1000 {
        let digits = [number / 100, number / 10 % 10, number % 10];
        let seen = arriving(SendBody::chain(digits.map(|digit| kinds[digit]())));
        let expected = digits.map(|digit| &content[digit][..]).concat();
        assert!(seen.is_complete() && seen.body() == expected, "{digits:?}: the body differs");
        let is_chunked = digits.iter().any(|digit| [8, 9].contains(digit));
        assert_eq!(seen.header("transfer-encoding").is_some(), is_chunked, "{digits:?}");
    }
}

#[test]
fn parts_arrive_as_they_are_over_a_transport_that_takes_little() {
    let script = Script::answering(reply(200)).write_max(3);
    let parts = || ["one".into(), "two".into(), SendBody::sized_reader(Cursor::new(bytes(100)), 100), "three".into()];
    let chunked = || [SendBody::reader(Cursor::new(bytes(50)))];
    let client = Client::builder().connector(wrapping(script.clone(), interrupted)).build();
    client.post(URL).body(SendBody::chain(parts())).send().expect("a response");
    client.post(URL).body(SendBody::chain(parts().into_iter().chain(chunked()))).send().expect("a response");
    let expected = [b"onetwo", &bytes(100)[..], b"three"].concat();
    assert_eq!(script.seen()[0].body(), expected);
    assert_eq!(script.seen()[1].body(), [expected, bytes(50)].concat());
}

#[test]
fn what_must_be_at_its_end_is_asked_before_the_request_is_complete() {
    for in_front in [100, BLOCK_BYTES, BLOCK_BYTES + 1, 1 << 20] {
        let too_long = SendBody::sized_reader(Cursor::new("more"), 0);
        let body = SendBody::chain([bytes(in_front).into(), too_long]);
        let script = Script::answering(reply(200));
        let error = script.client().post(URL).body(body).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Body, "{error}");
        assert!(script.seen().iter().all(|seen| seen.body().len() < in_front), "{in_front}: it arrived whole");
    }
}
