//! Bodies and lengths over 4 GiB, which a `usize` of 32 bits cannot count.
//!
//! Lengths here are 2^32 and a little more: cut down to 32 bits they would be zero, or the little.
//! The server is a script, which repeats zeros as fast as they are read, and only counts what it is sent.

use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use longwire::{BodyEnd, Client, CloseReason, Error, ErrorKind, Response, SendBody, Stage};

use longwire::script::{Reply, Script, raw};

const FOUR_GIB: u64 = 1 << 32;

/// What ends each body, so that a shift by a byte would be seen.
const TAIL: &str = "the end";
const LENGTH: u64 = FOUR_GIB + TAIL.len() as u64;

/// As much as is uploaded at a time.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

const URL: &str = "http://large.test/";
const CHUNKED_HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

// ---- the server ----

/// This text, and the end of the connection once that is waited for.
fn then_closing(text: impl Into<Vec<u8>>) -> Script {
    Script::answering(raw(text).awaited().close())
}

/// Announces `length` and sends the text alone.
fn announcing(length: u64, text: &str) -> Script {
    then_closing(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{text}"))
}

fn chunked(text: &str) -> Script {
    then_closing(format!("{CHUNKED_HEAD}{text}"))
}

/// A body of [`LENGTH`] bytes, by its length.
fn sized() -> Reply {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
    raw(head).repeat([0], FOUR_GIB).more(TAIL)
}

/// The same body in one chunk, with a trailer field after it.
fn one_chunk() -> Reply {
    let start = format!("{CHUNKED_HEAD}{LENGTH:x}\r\n");
    raw(start).repeat([0], FOUR_GIB).more(format!("{TAIL}\r\n0\r\nDigest: zeros\r\n\r\n"))
}

fn get(script: &Script) -> Response {
    script.client().get(URL).send().expect("a head")
}

// ---- bodies that are that long ----

/// Counts what it is given, and keeps the end of it.
#[derive(Default)]
struct Count {
    bytes: u64,
    tail: [u8; TAIL.len()],
}

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let new = bytes.len().min(self.tail.len());
        self.tail.rotate_left(new);
        let old = self.tail.len() - new;
        self.tail[old..].copy_from_slice(&bytes[bytes.len() - new..]);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Count {
    #[track_caller]
    fn assert_all(&self) {
        assert_eq!(self.bytes, LENGTH);
        assert_eq!(self.tail.as_slice(), TAIL.as_bytes());
    }
}

/// Reads through a buffer of 64 KiB until `Ok(0)`; `watch` sees how much has come after each read.
fn read_all(response: &mut Response, mut watch: impl FnMut(&Response, u64)) -> Count {
    let mut buffer = vec![0xff; 64 * 1024];
    let mut count = Count::default();
    loop {
        let read = response.read(&mut buffer).expect("the body");
        if read == 0 {
            return count;
        }
        count.write_all(&buffer[..read]).expect("it takes everything");
        watch(response, count.bytes);
    }
}

#[test]
fn a_length_over_four_gib_is_read_to_its_last_byte() {
    let script = Script::answering(sized());
    let client = script.client();
    let mut response = client.get(URL).send().expect("a head");
    assert_eq!(response.content_length(), Some(LENGTH));
    assert_eq!(response.body().remaining(), Some(LENGTH));
    let count = read_all(&mut response, |response, bytes| {
        assert_eq!(response.body().remaining(), Some(LENGTH - bytes));
        assert_eq!(response.body().is_complete(), bytes == LENGTH);
    });
    count.assert_all();
    assert_eq!(response.body().ended(), Some(BodyEnd::Length));
    assert_eq!(response.content_length(), Some(LENGTH), "it says what was announced");
    // Had a byte been missed or taken too many, the next response would be none.
    assert_eq!(client.pool_stats().idle, 1);
    assert_eq!(client.get(URL).send().expect("the next response").content_length(), Some(LENGTH));
    assert_eq!(script.connections(), 1);
}

#[test]
fn a_chunk_over_four_gib_is_read_to_its_last_byte() {
    let script = Script::answering(one_chunk());
    let client = script.client();
    let mut response = client.get(URL).send().expect("a head");
    assert_eq!((response.content_length(), response.body().remaining()), (None, None));
    read_all(&mut response, |_, _| ()).assert_all();
    assert_eq!(response.body().ended(), Some(BodyEnd::LastChunk));
    assert_eq!(response.body().trailers().get("digest"), Some("zeros"));
    assert_eq!(client.pool_stats().idle, 1);
}

#[test]
fn a_copy_counts_beyond_four_gib() {
    for reply in [sized(), one_chunk()] {
        let client = Client::builder().connector(Script::answering(reply)).buffer_size(64 * 1024).build();
        let mut copy = Count::default();
        let copied = client.get(URL).send().expect("a head").copy_to(&mut copy);
        assert_eq!(copied.expect("the body"), LENGTH);
        copy.assert_all();
        assert_eq!(client.pool_stats().idle, 1);
    }
}

/// This many zeros, as the body of a request. (A copy is fast in a debug build, too.)
struct Zeros(u64);

impl Read for Zeros {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let room = into.len().min(ZEROS.len());
        let count = usize::try_from(self.0).map_or(room, |left| left.min(room));
        into[..count].copy_from_slice(&ZEROS[..count]);
        self.0 -= count as u64;
        Ok(count)
    }
}

/// The request is announced with this length, of which so much has come.
#[track_caller]
fn assert_received(script: &Script, length: u64, received: u64) {
    let seen = &script.seen()[0];
    assert_eq!(seen.header("content-length"), Some(&*length.to_string()));
    assert_eq!((seen.body_length(), seen.is_complete()), (received, received == length));
}

#[test]
fn an_upload_over_four_gib_is_announced_and_sent_in_full() {
    let script = announcing(2, "ok");
    let client = script.client();
    let body = SendBody::sized_reader(Zeros(LENGTH), LENGTH);
    let response = client.put(URL).body(body).send().expect("a response");
    assert_eq!(response.text().expect("its body"), "ok");
    assert_received(&script, 4294967303, LENGTH);
    assert_eq!(client.pool_stats().idle, 1);
}

// ---- the same lengths, distinguished from their low 32 bits without all that follows ----

#[track_caller]
fn read_error(read: io::Result<usize>) -> Error {
    let error = read.expect_err("the body is not complete");
    Error::try_from(error).expect("longwire's own error")
}

#[test]
fn a_length_of_four_gib_is_not_zero() {
    let mut response = get(&announcing(FOUR_GIB, ""));
    assert_eq!(response.content_length(), Some(FOUR_GIB));
    assert_eq!(response.body().remaining(), Some(FOUR_GIB));
    assert!(!response.body().is_complete());
    for room in [1, 64 * 1024] {
        let error = read_error(response.read(&mut vec![0; room]));
        assert_eq!(error.kind(), ErrorKind::Truncated);
    }
    assert_eq!(response.body().ended(), None);
}

#[test]
fn a_chunk_of_four_gib_is_not_the_last_one() {
    for text in ["100000000\r\n", "100000000\r\n\r\n", "0100000000;a=b\r\n\r\n"] {
        let mut response = get(&chunked(text));
        let mut buffer = [0; 64];
        let read = match response.read(&mut buffer) {
            Ok(2) => response.read(&mut buffer), // the CR LF was data
            read => read,
        };
        assert_eq!(read_error(read).kind(), ErrorKind::Truncated, "{text:?}");
        assert!(!response.body().is_complete());
    }
}

#[test]
fn a_chunk_is_not_over_at_the_low_32_bits_of_its_size() {
    let mut response = get(&chunked("100000005\r\nhello\r\n0\r\n\r\n"));
    let mut buffer = [0; 64];
    let read = response.read(&mut buffer).expect("some data");
    assert_eq!(&buffer[..read], b"hello\r\n0\r\n\r\n", "all of it is data");
    assert_eq!(read_error(response.read(&mut buffer)).kind(), ErrorKind::Truncated);
}

#[test]
fn a_body_cut_at_the_low_32_bits_of_its_length_is_cut() {
    for room in [5, 10, 64 * 1024] {
        let mut response = get(&announcing(FOUR_GIB + 5, "hello"));
        let mut buffer = vec![0; room];
        assert_eq!(response.read(&mut buffer).expect("what has come"), 5);
        assert_eq!(response.body().remaining(), Some(FOUR_GIB));
        assert!(!response.body().is_complete());
        let error = read_error(response.read(&mut buffer));
        assert_eq!(error.kind(), ErrorKind::Truncated);
        assert!(error.to_string().contains("4294967296 bytes"), "{error}");
    }
}

#[test]
fn a_body_dropped_at_the_low_32_bits_of_its_length_is_unfinished() {
    let script = announcing(FOUR_GIB + 5, "hello");
    let client = script.client();
    let mut response = client.get(URL).send().expect("a head");
    assert_eq!(response.read(&mut [0; 5]).expect("what has come"), 5);
    drop(response);
    let stats = client.pool_stats();
    assert_eq!((stats.idle, stats.in_use, stats.closed.get(CloseReason::Unfinished)), (0, 0, 1));
}

#[test]
fn the_response_to_head_may_announce_any_length() {
    let script = announcing(LENGTH, "");
    let client = script.client();
    let response = client.head(URL).send().expect("a head");
    assert_eq!(response.content_length(), Some(LENGTH));
    assert_eq!((response.body().remaining(), response.body().ended()), (Some(0), Some(BodyEnd::Empty)));
    assert_eq!(client.pool_stats().idle, 1);
}

// ---- in memory ----

#[test]
fn a_length_over_the_limit_is_refused_before_it_is_read() {
    for limit in [None, Some(7), Some(LENGTH - 1)] {
        let script = Script::answering(sized());
        let mut response = get(&script);
        if let Some(limit) = limit {
            response = response.limit(limit);
        }
        let read_before = script.bytes_sent();
        let error = response.bytes().expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::BodyTooLarge, "{error}");
        assert!(script.bytes_sent() - read_before <= 64 * 1024, "dropping it takes 64 KiB at most");
    }
}

#[test]
fn a_chunk_over_the_limit_is_refused_once_the_limit_is_passed() {
    const LIMIT: u64 = 1 << 20;
    let script = Script::answering(one_chunk());
    let error = get(&script).limit(LIMIT).bytes().expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge, "{error}");
    let read = script.bytes_sent();
    assert!((LIMIT..LIMIT * 4).contains(&read), "{read} bytes were read");
}

/// Where memory has no room for it, no limit can allow it.
#[test]
#[cfg(target_pointer_width = "32")]
fn a_length_beyond_memory_is_refused_whatever_the_limit() {
    let script = Script::answering(sized());
    let error = get(&script).limit(u64::MAX).bytes().expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge, "{error}");
    assert!(script.bytes_sent() <= 64 * 1024, "it was read although it cannot fit");
}

// ---- uploads ----

#[test]
fn a_reader_that_ends_at_the_low_32_bits_of_its_length_ended_early() {
    let script = announcing(2, "ok");
    let body = SendBody::sized_reader(Cursor::new("hello"), FOUR_GIB + 5);
    let error = script.client().put(URL).body(body).send().expect_err("the reader ends early");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Body, Stage::Send), "{error}");
    assert_received(&script, 4294967301, 5);
}

#[test]
fn a_length_of_four_gib_is_announced_although_the_reader_is_empty() {
    let script = announcing(2, "ok");
    let body = SendBody::sized_reader(io::empty(), FOUR_GIB);
    let error = script.client().put(URL).body(body).send().expect_err("the reader ends early");
    assert_eq!(error.kind(), ErrorKind::Body, "{error}");
    assert_received(&script, 4294967296, 0);
}

#[test]
fn a_file_is_sent_from_a_position_beyond_four_gib() {
    let path = std::env::temp_dir().join(format!("longwire-large-{}", std::process::id()));
    let mut file = File::options().read(true).write(true).create_new(true).open(&path).expect("a file");
    let sparse = file.seek(SeekFrom::Start(FOUR_GIB)).and_then(|_| file.write_all(TAIL.as_bytes()));
    let at = file.seek(SeekFrom::Start(FOUR_GIB));
    fs::remove_file(&path).expect("the file's name is not needed any more");
    sparse.expect("a file with a hole");
    assert_eq!(at.expect("a position"), FOUR_GIB);

    let script = announcing(2, "ok");
    let response = script.client().put(URL).body(file).send().expect("a response");
    assert_eq!(response.text().expect("its body"), "ok");
    assert_received(&script, 7, 7);
}
