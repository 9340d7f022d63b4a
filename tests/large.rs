//! Bodies and lengths over 4 GiB, which a `usize` of 32 bits cannot count.
//!
//! Lengths here are 2^32 and a little more: cut down to 32 bits they would be zero, or the little.
//! The server lives in memory, sends zeros as fast as they are asked for, and only counts what it
//! is sent.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Cursor, ErrorKind as IoKind, Read, Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use longwire::transport::{Connect, Deadline, Stream, Target};
use longwire::{BodyEnd, CancelToken, Client, CloseReason, Error, ErrorKind, Response, SendBody, Stage};

const FOUR_GIB: u64 = 1 << 32;

/// What ends each body, so that a shift by a byte would be seen.
const TAIL: &str = "the end";
const LENGTH: u64 = FOUR_GIB + TAIL.len() as u64;

/// As much as is sent at a time.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

const URL: &str = "http://large.test/";

// ---- the server ----

#[derive(Clone)]
enum Piece {
    Text(String),
    Zeros(u64),
}

/// Answers every request with the same reply, once all that it announced has come. Behind the
/// reply comes the end of the connection.
#[derive(Clone)]
struct Server {
    reply: Arc<[Piece]>,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    connections: usize,
    /// The last request's.
    head: String,
    /// Of the last request's body.
    received_bytes: u64,
    /// Bytes that the client has read, heads and all.
    read_bytes: u64,
    complete_requests: usize,
}

impl Server {
    fn new(reply: impl Into<Arc<[Piece]>>) -> Server {
        Server { reply: reply.into(), log: Arc::default() }
    }

    /// Announces `length` and sends the text alone.
    fn announcing(length: u64, text: &str) -> Server {
        Server::new([Piece::Text(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{text}"))])
    }

    fn chunked(text: &str) -> Server {
        Server::new([Piece::Text(format!("{}{text}", chunked_head()))])
    }

    fn client(&self) -> Client {
        Client::builder().connector(self.clone()).build()
    }

    fn get(&self) -> Response {
        self.client().get(URL).send().expect("a head")
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("no test panics with the log")
    }
}

fn chunked_head() -> &'static str {
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
}

/// A body of [`LENGTH`] bytes, by its length.
fn sized() -> Server {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
    Server::new([Piece::Text(head), Piece::Zeros(FOUR_GIB), Piece::Text(TAIL.into())])
}

/// The same body in one chunk, with a trailer field behind it.
fn one_chunk() -> Server {
    let start = format!("{}{LENGTH:x}\r\n", chunked_head());
    let end = format!("{TAIL}\r\n0\r\nDigest: zeros\r\n\r\n");
    Server::new([Piece::Text(start), Piece::Zeros(FOUR_GIB), Piece::Text(end)])
}

impl Connect for Server {
    fn connect(&self, _: &Target<'_>, _: Deadline, _: &CancelToken) -> longwire::Result<Box<dyn Stream>> {
        self.log().connections += 1;
        Ok(Box::new(Wire { server: self.clone(), request: Request::Head(Vec::new()), inbound: VecDeque::new() }))
    }
}

struct Wire {
    server: Server,
    request: Request,
    inbound: VecDeque<Piece>,
}

/// The request that is being received.
enum Request {
    Head(Vec<u8>),
    Body { left: u64 },
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.server.log();
        let mut left = match &mut self.request {
            Request::Head(head) => {
                head.extend_from_slice(bytes);
                let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
                    return Ok(bytes.len());
                };
                log.received_bytes = (head.len() - end - 4) as u64;
                log.head = String::from_utf8(head[..end + 2].to_vec()).expect("a head in ASCII");
                announced(&log.head).checked_sub(log.received_bytes)
            }
            Request::Body { left } => {
                log.received_bytes += bytes.len() as u64;
                left.checked_sub(bytes.len() as u64)
            }
        };
        let left = left.take().expect("no more than was announced");
        self.request = Request::Body { left };
        if left == 0 {
            log.complete_requests += 1;
            self.request = Request::Head(Vec::new());
            self.inbound.extend(self.server.reply.iter().cloned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a request's head says of its body's length.
fn announced(head: &str) -> u64 {
    let field = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    field.map_or(0, |length| length.parse().expect("the client's own number"))
}

/// Reads from the `left` zeros that there are. (A copy is fast in a debug build, too.)
fn zeros(left: &mut u64, buffer: &mut [u8]) -> usize {
    let room = buffer.len().min(ZEROS.len());
    let count = usize::try_from(*left).map_or(room, |left| left.min(room));
    buffer[..count].copy_from_slice(&ZEROS[..count]);
    *left -= count as u64;
    count
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.try_read(buffer) {
            Err(error) if error.kind() == IoKind::WouldBlock => Ok(0), // nothing comes any more
            read => read,
        }
    }
}

impl Stream for Wire {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.inbound.front_mut() else {
            return Err(IoKind::WouldBlock.into());
        };
        let (count, is_done) = match piece {
            Piece::Text(text) => {
                let count = text.len().min(buffer.len());
                buffer[..count].copy_from_slice(text.drain(..count).collect::<String>().as_bytes());
                (count, text.is_empty())
            }
            Piece::Zeros(left) => {
                let count = zeros(left, buffer);
                (count, *left == 0)
            }
        };
        if is_done {
            self.inbound.pop_front();
        }
        self.server.log().read_bytes += count as u64;
        Ok(count)
    }

    fn set_timeouts(&mut self, _: Option<Duration>, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        None
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }
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
    let server = sized();
    let client = server.client();
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
    // Had a byte been missed or taken too many, the next answer would be none.
    assert_eq!(client.pool_stats().idle, 1);
    assert_eq!(client.get(URL).send().expect("the next answer").content_length(), Some(LENGTH));
    assert_eq!(server.log().connections, 1);
}

#[test]
fn a_chunk_over_four_gib_is_read_to_its_last_byte() {
    let server = one_chunk();
    let client = server.client();
    let mut response = client.get(URL).send().expect("a head");
    assert_eq!((response.content_length(), response.body().remaining()), (None, None));
    read_all(&mut response, |_, _| ()).assert_all();
    assert_eq!(response.body().ended(), Some(BodyEnd::LastChunk));
    assert_eq!(response.body().trailers().get("digest"), Some("zeros"));
    assert_eq!(client.pool_stats().idle, 1);
}

#[test]
fn a_copy_counts_beyond_four_gib() {
    for server in [sized(), one_chunk()] {
        let client = Client::builder().connector(server).buffer_size(64 * 1024).build();
        let mut copy = Count::default();
        let copied = client.get(URL).send().expect("a head").copy_to(&mut copy);
        assert_eq!(copied.expect("the body"), LENGTH);
        copy.assert_all();
        assert_eq!(client.pool_stats().idle, 1);
    }
}

/// So many zeros, as the body of a request.
struct Zeros(u64);

impl Read for Zeros {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(zeros(&mut self.0, buffer))
    }
}

#[test]
fn an_upload_over_four_gib_is_announced_and_sent_in_full() {
    let server = Server::announcing(2, "ok");
    let client = server.client();
    let body = SendBody::sized_reader(Zeros(LENGTH), LENGTH);
    let response = client.put(URL).body(body).send().expect("an answer");
    assert_eq!(response.text().expect("its body"), "ok");
    let log = server.log();
    assert!(log.head.contains("\r\nContent-Length: 4294967303\r\n"), "{}", log.head);
    assert_eq!((log.received_bytes, log.complete_requests), (LENGTH, 1));
    assert_eq!(client.pool_stats().idle, 1);
}

// ---- the same lengths, told from their low 32 bits without all that follows ----

#[track_caller]
fn read_error(read: io::Result<usize>) -> Error {
    let error = read.expect_err("the body is not complete");
    Error::try_from(error).expect("longwire's own error")
}

#[test]
fn a_length_of_four_gib_is_not_zero() {
    let mut response = Server::announcing(FOUR_GIB, "").get();
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
        let mut response = Server::chunked(text).get();
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
    let mut response = Server::chunked("100000005\r\nhello\r\n0\r\n\r\n").get();
    let mut buffer = [0; 64];
    let read = response.read(&mut buffer).expect("some data");
    assert_eq!(&buffer[..read], b"hello\r\n0\r\n\r\n", "all of it is data");
    assert_eq!(read_error(response.read(&mut buffer)).kind(), ErrorKind::Truncated);
}

#[test]
fn a_body_cut_at_the_low_32_bits_of_its_length_is_cut() {
    for room in [5, 10, 64 * 1024] {
        let mut response = Server::announcing(FOUR_GIB + 5, "hello").get();
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
    let server = Server::announcing(FOUR_GIB + 5, "hello");
    let client = server.client();
    let mut response = client.get(URL).send().expect("a head");
    assert_eq!(response.read(&mut [0; 5]).expect("what has come"), 5);
    drop(response);
    let stats = client.pool_stats();
    assert_eq!((stats.idle, stats.in_use, stats.closed.get(CloseReason::Unfinished)), (0, 0, 1));
}

#[test]
fn the_answer_to_head_may_announce_any_length() {
    let server = Server::announcing(LENGTH, "");
    let client = server.client();
    let response = client.head(URL).send().expect("a head");
    assert_eq!(response.content_length(), Some(LENGTH));
    assert_eq!((response.body().remaining(), response.body().ended()), (Some(0), Some(BodyEnd::Empty)));
    assert_eq!(client.pool_stats().idle, 1);
}

// ---- in memory ----

#[test]
fn a_length_over_the_limit_is_refused_before_it_is_read() {
    for limit in [None, Some(7), Some(LENGTH - 1)] {
        let server = sized();
        let mut response = server.get();
        if let Some(limit) = limit {
            response = response.limit(limit);
        }
        let read_before = server.log().read_bytes;
        let error = response.bytes().expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::BodyTooLarge, "{error}");
        assert!(server.log().read_bytes - read_before <= 64 * 1024, "dropping it takes 64 KiB at most");
    }
}

#[test]
fn a_chunk_over_the_limit_is_refused_once_the_limit_is_passed() {
    const LIMIT: u64 = 1 << 20;
    let server = one_chunk();
    let error = server.get().limit(LIMIT).bytes().expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge, "{error}");
    let read = server.log().read_bytes;
    assert!((LIMIT..LIMIT * 4).contains(&read), "{read} bytes were read");
}

/// Where memory has no room for it, no limit can allow it.
#[test]
#[cfg(target_pointer_width = "32")]
fn a_length_beyond_memory_is_refused_whatever_the_limit() {
    let server = sized();
    let error = server.get().limit(u64::MAX).bytes().expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge, "{error}");
    assert!(server.log().read_bytes <= 64 * 1024, "it was read although it cannot fit");
}

// ---- uploads ----

#[test]
fn a_reader_that_ends_at_the_low_32_bits_of_its_length_ended_early() {
    let server = Server::announcing(2, "ok");
    let body = SendBody::sized_reader(Cursor::new("hello"), FOUR_GIB + 5);
    let error = server.client().put(URL).body(body).send().expect_err("the reader ends early");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Body, Stage::Send), "{error}");
    let log = server.log();
    assert!(log.head.contains("\r\nContent-Length: 4294967301\r\n"), "{}", log.head);
    assert_eq!((log.received_bytes, log.complete_requests), (5, 0));
}

#[test]
fn a_length_of_four_gib_is_announced_although_the_reader_is_empty() {
    let server = Server::announcing(2, "ok");
    let body = SendBody::sized_reader(io::empty(), FOUR_GIB);
    let error = server.client().put(URL).body(body).send().expect_err("the reader ends early");
    assert_eq!(error.kind(), ErrorKind::Body, "{error}");
    let log = server.log();
    assert!(log.head.contains("\r\nContent-Length: 4294967296\r\n"), "{}", log.head);
    assert_eq!(log.complete_requests, 0);
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

    let server = Server::announcing(2, "ok");
    let response = server.client().put(URL).body(file).send().expect("an answer");
    assert_eq!(response.text().expect("its body"), "ok");
    let log = server.log();
    assert!(log.head.contains("\r\nContent-Length: 7\r\n"), "{}", log.head);
    assert_eq!((log.received_bytes, log.complete_requests), (7, 1));
}
