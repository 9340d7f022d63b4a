//! Sending a request: the head, the body, and an eye on what the server says meanwhile.
//!
//! A server may answer before it has read the body (RFC 9112 §9.5), and then stop reading, or
//! close. So a large body is written with a tick, and after each tick and each MiB we look
//! whether an answer is there, whether it is the server that is slow or the reader of the body; and
//! when a write fails, we read what the server had said.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use crate::client::response_reader::ResponseReader;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::message::send_body::{Kind, SendBody, Upload, read_at};
use crate::net::deadline::Deadline;
use crate::net::pool::Lease;
use crate::wire::chunked::{LAST_CHUNK, SIZE_LINE_BYTES_MAX, encode_size};
use crate::wire::head::Head;
use crate::wire::step::at_most;

/// A body up to this size leaves without a look at what the server says.
const SMALL_BODY_BYTES_MAX: usize = 64 * 1024;

/// Of a larger one so much leaves with the head: what a new connection takes without a stall.
const FIRST_BYTES: usize = 16 * 1024;

/// How long we write, or a write stalls, before we look.
const TICK: Duration = Duration::from_millis(250);

/// Ticks in a row without a byte after which the server is believed not to read on: 3 s. A few are no
/// sign: a slow link opens its window in steps, a packet is lost twice, a server waits for its disk.
const STALLS_MAX: u32 = 12;

/// How many bytes are sent before we look.
const LOOK_EVERY_BYTES: usize = 1024 * 1024;

/// Bytes that are read from a reader at a time, and so the largest chunk.
const READER_BLOCK_BYTES: usize = 16 * 1024;

/// Bytes that are read from a file at a time.
const FILE_BLOCK_BYTES: usize = 64 * 1024;

/// Sends the head that was put into the connection's buffer, and the body.
#[inline]
pub(crate) fn send(
    conn: &mut Lease,
    body: &mut SendBody<'_>,
    expect: Option<Duration>,
    answers: &mut ResponseReader<'_>,
) -> Result<Upload> {
    if let Kind::Reader { reader, length: Some(0), started } = &mut body.0 {
        *started = true;
        // The head alone would be the whole request.
        BodyBlocks::new(&mut |block| reader.read(block), Some(0), 0).check_end()?;
    }
    let first = match &body.0 {
        Kind::Bytes(bytes) if expect.is_none() && bytes.len() <= SMALL_BODY_BYTES_MAX => &bytes[..],
        Kind::Bytes(bytes) if expect.is_none() => &bytes[..FIRST_BYTES],
        _ => &[],
    };
    let sent = first.len();
    if let Err(error) = conn.send_with(first) {
        after_broken_write(conn, answers, error)?;
        return Ok(Upload::CutShort);
    }
    if let Some(patience) = expect {
        let patience = Deadline::of("expect_continue", Some(patience), Instant::now());
        if !answers.await_continue(conn, patience)? || answers.head().is_some_and(rejects_body) {
            return Ok(Upload::Withheld);
        }
    }
    match &mut body.0 {
        Kind::Empty => Ok(Upload::Complete),
        Kind::Bytes(bytes) => Uploader::new(conn, answers).write_all(&bytes[sent..]),
        Kind::File { file, length, start } => {
            let mut at = *start;
            let mut read = |block: &mut [u8]| {
                let count = read_at(file, block, at)?;
                at += count as u64;
                Ok(count)
            };
            let mut source = BodyBlocks::new(&mut read, Some(*length), FILE_BLOCK_BYTES);
            source.may_grow = true; // a file that grew meanwhile is sent as long as it was
            Uploader::new(conn, answers).stream(source)
        }
        Kind::Reader { reader, length, started } => {
            *started = true;
            let mut read = |block: &mut [u8]| reader.read(block);
            Uploader::new(conn, answers).stream(BodyBlocks::new(&mut read, *length, READER_BLOCK_BYTES))
        }
        Kind::Unusable(error) => Err(error.clone()),
    }
}

/// A write failed: perhaps the server said why before it closed, in HTTP or in TLS, or took nothing
/// more.
fn after_broken_write(conn: &mut Lease, answers: &mut ResponseReader<'_>, error: Error) -> Result<()> {
    match error.kind() {
        // What was said before the request's first byte had left is no answer to it.
        _ if conn.sent == 0 => Err(error.at(Stage::Send)),
        ErrorKind::Io => answers.wait(conn, Instant::now()).map_err(|said| match said.kind() {
            ErrorKind::Tls => said,
            _ => error.at(Stage::Send),
        }),
        ErrorKind::Timeout if !conn.limits.deadline.has_passed() => match answers.poll(conn) {
            Ok(Some(head)) if rejects_body(head) => Ok(()),
            _ => Err(error.at(Stage::Send)),
        },
        _ => Err(error.at(Stage::Send)),
    }
}

/// Whether that answer makes the rest of the body pointless. A 2xx does not: it may be made from the
/// body as it comes. That the connection closes behind it is another matter (RFC 9112 §9.5, §9.6).
fn rejects_body(head: &Head) -> bool {
    head.status.as_u16() >= 300
}

/// Sends a body. An answer that comes meanwhile and is no reason to stop, since it is a 2xx, waits
/// among the answers.
struct Uploader<'c, 'a, 's> {
    conn: &'c mut Lease,
    answers: &'a mut ResponseReader<'s>,
    /// Bytes sent since the last look.
    unseen: usize,
    looked: Instant,
    /// Ticks in a row in which nothing was taken.
    stalls: u32,
}

impl<'c, 'a, 's> Uploader<'c, 'a, 's> {
    fn new(conn: &'c mut Lease, answers: &'a mut ResponseReader<'s>) -> Uploader<'c, 'a, 's> {
        Uploader { looked: conn.begun, conn, answers, unseen: 0, stalls: 0 }
    }

    fn write_all(mut self, bytes: &[u8]) -> Result<Upload> {
        for block in bytes.chunks(LOOK_EVERY_BYTES) {
            if self.write(block)? == Upload::CutShort {
                return Ok(Upload::CutShort);
            }
        }
        Ok(Upload::Complete)
    }

    fn stream(mut self, mut source: BodyBlocks<'_>) -> Result<Upload> {
        while let Some(block) = source.next()? {
            if self.write(block)? == Upload::CutShort {
                return Ok(Upload::CutShort);
            }
        }
        Ok(Upload::Complete)
    }

    /// Writes a block, and what the transport holds back of it, unless an answer makes the rest
    /// pointless.
    fn write(&mut self, mut block: &[u8]) -> Result<Upload> {
        let mut silence = self.conn.write_silence(Instant::now());
        loop {
            let sent = match block {
                [] => self.conn.flush_for(TICK, silence),
                block => self.conn.write_for(block, TICK, silence),
            };
            match sent {
                Ok(Some(1..)) if block.is_empty() => return Ok(Upload::Complete),
                Ok(Some(count)) => {
                    block = &block[count..];
                    self.unseen += count;
                    silence = self.conn.write_silence(Instant::now());
                    self.stalls = 0;
                }
                Ok(None) => self.stalls += 1,
                Err(error) => {
                    if self.answers.head().is_none() {
                        after_broken_write(self.conn, self.answers, error)?;
                    }
                    return Ok(Upload::CutShort);
                }
            }
            if self.stalls > 0 || self.unseen >= LOOK_EVERY_BYTES || self.looked.elapsed() >= TICK {
                (self.unseen, self.looked) = (0, Instant::now());
                if self.should_stop()? {
                    return Ok(Upload::CutShort);
                }
            }
        }
    }

    /// Looks for an answer that asks us to stop.
    ///
    /// A server that has answered 2xx and does not read on waits for us to read. It is told that
    /// nothing more comes, so that it does not wait for the rest, either.
    fn should_stop(&mut self) -> Result<bool> {
        let is_stalled = self.stalls >= STALLS_MAX;
        let was_known = self.answers.head().is_some();
        let Some(head) = self.answers.poll(self.conn)? else { return Ok(false) };
        let rejects_body = !was_known && rejects_body(head);
        if is_stalled && !rejects_body {
            self.conn.shutdown_write();
        }
        Ok(rejects_body || is_stalled)
    }
}

/// One read of a file or a reader: not all of `Read`, most of which is linked and never called.
type ReadOnce<'r> = dyn FnMut(&mut [u8]) -> io::Result<usize> + 'r;

/// A reader's bytes in blocks, ready to be written: with their chunk lines where the length is
/// not known, and held to their length where it is.
struct BodyBlocks<'r> {
    read: &'r mut ReadOnce<'r>,
    /// Bytes left to send; `None`: chunked.
    left: Option<u64>,
    /// More bytes than the length are not the caller's mistake.
    may_grow: bool,
    block: Vec<u8>,
    is_done: bool,
}

impl<'r> BodyBlocks<'r> {
    fn new(read: &'r mut ReadOnce<'r>, length: Option<u64>, block_bytes: usize) -> BodyBlocks<'r> {
        let block = vec![0; SIZE_LINE_BYTES_MAX + block_bytes + LAST_CHUNK.len()];
        BodyBlocks { read, left: length, may_grow: false, block, is_done: length == Some(0) }
    }

    /// The next block to write, or `None` after the last.
    fn next(&mut self) -> Result<Option<&[u8]>> {
        if self.is_done {
            return Ok(None);
        }
        let room = self.block.len() - SIZE_LINE_BYTES_MAX - LAST_CHUNK.len();
        let room = self.left.map_or(room, |left| at_most(left, room));
        let count = self.read(SIZE_LINE_BYTES_MAX, room)?;
        match self.left {
            Some(left) if count == 0 => {
                Err(mistaken(format!("the body's reader ended {left} bytes before its announced length")))
            }
            Some(left) => {
                self.left = Some(left - count as u64);
                if self.left == Some(0) {
                    self.is_done = true;
                    self.check_end()?; // before the last bytes make the request complete
                }
                Ok(Some(&self.block[SIZE_LINE_BYTES_MAX..SIZE_LINE_BYTES_MAX + count]))
            }
            None if count == 0 => {
                self.is_done = true;
                Ok(Some(LAST_CHUNK))
            }
            None => Ok(Some(self.chunk(count))),
        }
    }

    /// Wraps the `count` bytes that were read in a chunk.
    fn chunk(&mut self, count: usize) -> &[u8] {
        let mut line = [0; SIZE_LINE_BYTES_MAX];
        let line = encode_size(count, &mut line);
        let start = SIZE_LINE_BYTES_MAX - line.len();
        let end = SIZE_LINE_BYTES_MAX + count;
        self.block[start..SIZE_LINE_BYTES_MAX].copy_from_slice(line);
        self.block[end..end + 2].copy_from_slice(b"\r\n");
        &self.block[start..end + 2]
    }

    /// The announced length is reached: the reader must be at its end.
    fn check_end(&mut self) -> Result<()> {
        if self.may_grow {
            return Ok(());
        }
        let at = self.block.len() - 1;
        match self.read(at, 1)? {
            0 => Ok(()),
            _ => Err(mistaken("the body's reader goes on past its announced length")),
        }
    }

    fn read(&mut self, at: usize, room: usize) -> Result<usize> {
        loop {
            match (self.read)(&mut self.block[at..at + room]) {
                Ok(count) if count > room => {
                    return Err(mistaken("the body's reader claims more than it was given room for"));
                }
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(Error::from_io(ErrorKind::Body, "reading the request body", error).at(Stage::Send));
                }
            }
        }
    }
}

fn mistaken(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Body, what).at(Stage::Send)
}
