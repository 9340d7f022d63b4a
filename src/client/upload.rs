//! Sending a body that is not small, with an eye on what the server answers meanwhile.
//!
//! A server may answer before it has read the body (RFC 9112 §9.5), and then stop reading, or close.
//! So the body is written with a tick: no write blocks for longer, and after each tick and each MiB one
//! non-blocking read polls for a response, whether it is the server that is slow or the reader of the
//! body. A final status of 300 or above makes the rest pointless. A 2xx does not, since it may be made
//! from the body as it comes; it stops the upload only once the server has accepted nothing for
//! [`STALLS_MAX`] ticks, for otherwise both sides would wait for each other. When a write fails, what the
//! server had sent before it closed is still read.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use crate::client::response_reader::ResponseReader;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::message::send_body::{Kind, SendBody, Upload, read_at};
use crate::net::deadline::Deadline;
use crate::net::pool::lease::Lease;
use crate::wire::chunked::{LAST_CHUNK, SIZE_LINE_BYTES_MAX, encode_size};
use crate::wire::framing::at_most;
use crate::wire::response_head::Head;

/// Bytes of a large body that are sent with the head: what a new connection takes without a stall.
const FIRST_BYTES: usize = 16 * 1024;

/// How long writes go on, or one stalls, before the response is polled.
const TICK: Duration = Duration::from_millis(250);

/// Ticks in a row without a byte accepted after which the server is taken to have stopped reading: 3 s.
/// Fewer are no sign: a slow link opens its window in steps, a packet is lost twice, a server waits for
/// its disk.
const STALLS_MAX: u32 = 12;

/// Bytes that are sent before the response is polled.
const POLL_EVERY_BYTES: usize = 1024 * 1024;

/// Bytes that are read from a reader at a time, and so the largest chunk.
const READER_BLOCK_BYTES: usize = 16 * 1024;

/// Bytes that are read from a file at a time.
const FILE_BLOCK_BYTES: usize = 64 * 1024;

/// Sends the head that was put into the connection's buffer, and a body that is not small or waits for
/// a 100 (Continue).
pub(crate) fn send(
    lease: &mut Lease,
    body: &mut SendBody<'_>,
    expect: Option<Duration>,
    reader: &mut ResponseReader<'_>,
) -> Result<Upload> {
    let length = body.len();
    let first = match &body.0 {
        Kind::Bytes(bytes) if expect.is_none() => &bytes[..bytes.len().min(FIRST_BYTES)],
        Kind::Shared(bytes) if expect.is_none() => &bytes[..bytes.len().min(FIRST_BYTES)],
        _ => &[],
    };
    let skip = first.len();
    if length == Some(0) {
        // The head alone would be the whole request: what must not follow is found first.
        BodyBlocks::new(body, length)?.check_end()?;
        return match lease.send(&[]) {
            Ok(()) => Ok(Upload::Complete),
            Err(error) => after_broken_write(lease, reader, error),
        };
    }
    if let Err(error) = lease.send(first) {
        return after_broken_write(lease, reader, error);
    }
    if let Some(patience) = expect {
        let patience = Deadline::of("expect_continue", Some(patience), Instant::now());
        if !reader.await_continue(lease, patience)? {
            return Ok(Upload::Withheld);
        }
        if reader.head.as_ref().is_some_and(rejects_body) {
            return Ok(Upload::CutShort); // after a 100, so it is about the request
        }
    }
    let uploader = Uploader::new(lease, reader);
    match &body.0 {
        Kind::Bytes(bytes) => uploader.write_all(&bytes[skip..]),
        Kind::Shared(bytes) => uploader.write_all(&bytes[skip..]),
        _ => uploader.stream(BodyBlocks::new(body, length)?),
    }
}

/// Handles a failed write: the server may have sent the reason before it closed, in HTTP or in TLS, or
/// may have stopped reading.
pub(crate) fn after_broken_write(lease: &mut Lease, reader: &mut ResponseReader<'_>, error: Error) -> Result<Upload> {
    match error.kind() {
        // What was sent before the request's first byte had left is no answer to it.
        _ if lease.sent == 0 => Err(error.at(Stage::Send)),
        ErrorKind::Io => match reader.read_head(lease, Instant::now()) {
            Ok(head) => {
                reader.head = Some(head);
                Ok(Upload::CutShort)
            }
            Err(sent) if sent.kind() == ErrorKind::Tls => Err(sent),
            Err(_) => Err(error.at(Stage::Send)),
        },
        ErrorKind::Timeout if !lease.limits.deadline.has_passed() => match reader.poll(lease) {
            Ok(Some(head)) if rejects_body(head) => Ok(Upload::CutShort),
            _ => Err(error.at(Stage::Send)),
        },
        _ => Err(error.at(Stage::Send)),
    }
}

/// Returns whether that response makes the rest of the body pointless. That the connection closes
/// after it does not (RFC 9112 §9.5, §9.6).
fn rejects_body(head: &Head) -> bool {
    head.status.as_u16() >= 300
}

/// Sends a body. A 2xx that comes meanwhile waits in the reader.
struct Uploader<'c, 'a, 's> {
    lease: &'c mut Lease,
    reader: &'a mut ResponseReader<'s>,
    /// Bytes sent since the last poll.
    unpolled: usize,
    last_polled: Instant,
    /// Ticks in a row in which nothing was taken.
    stalls: u32,
}

impl<'c, 'a, 's> Uploader<'c, 'a, 's> {
    fn new(lease: &'c mut Lease, reader: &'a mut ResponseReader<'s>) -> Uploader<'c, 'a, 's> {
        Uploader { last_polled: lease.begun, lease, reader, unpolled: 0, stalls: 0 }
    }

    fn write_all(mut self, bytes: &[u8]) -> Result<Upload> {
        for block in bytes.chunks(POLL_EVERY_BYTES) {
            if self.write(block)? == Upload::CutShort {
                return Ok(Upload::CutShort);
            }
        }
        Ok(Upload::Complete)
    }

    fn stream(mut self, mut blocks: BodyBlocks<'_>) -> Result<Upload> {
        while let Some(block) = blocks.next()? {
            if self.write(block)? == Upload::CutShort {
                return Ok(Upload::CutShort);
            }
        }
        Ok(Upload::Complete)
    }

    /// Writes a block, and flushes what the transport holds back of it, unless a response makes the rest
    /// pointless.
    fn write(&mut self, mut block: &[u8]) -> Result<Upload> {
        let mut silence = self.lease.write_silence(Instant::now());
        loop {
            let sent = match block {
                [] => self.lease.flush_for(TICK, silence),
                block => self.lease.write_for(block, TICK, silence),
            };
            match sent {
                Ok(Some(1..)) if block.is_empty() => return Ok(Upload::Complete),
                Ok(Some(count)) => {
                    block = &block[count..];
                    self.unpolled += count;
                    silence = self.lease.write_silence(Instant::now());
                    self.stalls = 0;
                }
                Ok(None) => self.stalls += 1,
                Err(error) => {
                    return match self.reader.head {
                        Some(_) => Ok(Upload::CutShort),
                        None => after_broken_write(self.lease, self.reader, error),
                    };
                }
            }
            if self.stalls > 0 || self.unpolled >= POLL_EVERY_BYTES || self.last_polled.elapsed() >= TICK {
                (self.unpolled, self.last_polled) = (0, Instant::now());
                if self.should_stop()? {
                    return Ok(Upload::CutShort);
                }
            }
        }
    }

    /// Polls for a response that makes the rest of the body pointless.
    ///
    /// A server that has answered 2xx and stopped reading waits for us to read. Our side is shut down,
    /// so that it does not wait for the rest, either.
    fn should_stop(&mut self) -> Result<bool> {
        let is_stalled = self.stalls >= STALLS_MAX;
        let was_known = self.reader.head.as_ref().is_some();
        let Some(head) = self.reader.poll(self.lease)? else { return Ok(false) };
        let rejects_body = !was_known && rejects_body(head);
        if is_stalled && !rejects_body {
            self.lease.shutdown_write();
        }
        Ok(rejects_body || is_stalled)
    }
}

/// A part of a body that is being sent.
struct Part<'p> {
    source: Source<'p>,
    /// Bytes left of its length; `None` where that is unknown.
    remaining: Option<u64>,
}

enum Source<'p> {
    Bytes(&'p [u8]),
    /// From that position; a file that grows meanwhile is sent with the length that it had.
    File(&'p File, u64),
    Reader(&'p mut (dyn Read + Send), &'p mut bool),
}

impl Part<'_> {
    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        match &mut self.source {
            Source::Bytes(bytes) => bytes.read(block),
            Source::File(file, position) => {
                let count = read_at(file, block, *position)?;
                *position += count as u64;
                Ok(count)
            }
            Source::Reader(reader, started) => {
                **started = true; // from here on the body cannot be sent again
                reader.read(block)
            }
        }
    }
}

/// The parts of a body; reading from one makes a second time impossible.
fn parts<'p>(body: &'p mut SendBody<'_>, parts_of_body: &mut VecDeque<Part<'p>>) -> Result<()> {
    let remaining = body.len();
    let source = match &mut body.0 {
        Kind::Empty => return Ok(()),
        Kind::Bytes(bytes) => Source::Bytes(bytes),
        Kind::Shared(bytes) => Source::Bytes(bytes),
        Kind::File { file, start, .. } => Source::File(file, *start),
        Kind::Reader { reader, started, .. } => Source::Reader(&mut **reader, started),
        Kind::Chain(chain) => return chain.iter_mut().try_for_each(|part| parts(part, parts_of_body)),
        Kind::Unusable(error) => return Err(error.clone()),
    };
    parts_of_body.push_back(Part { source, remaining });
    Ok(())
}

/// A body in blocks, ready to be written: with their chunk lines where the whole length is not known,
/// each part held to its length where that is.
struct BodyBlocks<'p> {
    parts: VecDeque<Part<'p>>,
    framing: BlockFraming,
    block: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum BlockFraming {
    Length,
    Chunked,
    /// The last chunk was given out.
    Ended,
}

impl<'p> BodyBlocks<'p> {
    fn new(body: &'p mut SendBody<'_>, length: Option<u64>) -> Result<BodyBlocks<'p>> {
        let mut list = VecDeque::new();
        parts(body, &mut list)?;
        let is_file = |part: &Part<'_>| matches!(part.source, Source::File(..));
        let room = match length {
            Some(0) => 1, // for the check of the end alone
            _ if list.iter().any(is_file) => FILE_BLOCK_BYTES,
            _ => READER_BLOCK_BYTES,
        };
        let framing = if length.is_some() { BlockFraming::Length } else { BlockFraming::Chunked };
        let block = vec![0; SIZE_LINE_BYTES_MAX + room + LAST_CHUNK.len()];
        Ok(BodyBlocks { parts: list, framing, block })
    }

    /// The next block to write, or `None` after the last.
    fn next(&mut self) -> Result<Option<&[u8]>> {
        let room = self.block.len() - SIZE_LINE_BYTES_MAX - LAST_CHUNK.len();
        while let Some(part) = self.parts.front_mut() {
            let room = part.remaining.map_or(room, |remaining| at_most(remaining, room));
            let count = match room {
                0 => 0,
                room => read(part, &mut self.block[SIZE_LINE_BYTES_MAX..SIZE_LINE_BYTES_MAX + room])?,
            };
            match &mut part.remaining {
                Some(remaining) if count == 0 && *remaining > 0 => {
                    return Err(invalid(format!(
                        "the body's reader ended {remaining} bytes before its announced length"
                    )));
                }
                Some(remaining) => *remaining -= count as u64,
                None => {}
            }
            if count == 0 || part.remaining == Some(0) {
                self.end_part()?; // before its last bytes may make the request complete
            }
            if count > 0 {
                return Ok(Some(self.frame(count)));
            }
        }
        match self.framing {
            BlockFraming::Chunked => {
                self.framing = BlockFraming::Ended;
                Ok(Some(LAST_CHUNK))
            }
            BlockFraming::Length | BlockFraming::Ended => Ok(None),
        }
    }

    /// The block of `count` bytes that was read: as it is, or as a chunk.
    fn frame(&mut self, count: usize) -> &[u8] {
        let end = SIZE_LINE_BYTES_MAX + count;
        if self.framing == BlockFraming::Length {
            return &self.block[SIZE_LINE_BYTES_MAX..end];
        }
        let mut line = [0; SIZE_LINE_BYTES_MAX];
        let line = encode_size(count, &mut line);
        let start = SIZE_LINE_BYTES_MAX - line.len();
        self.block[start..SIZE_LINE_BYTES_MAX].copy_from_slice(line);
        self.block[end..end + 2].copy_from_slice(b"\r\n");
        &self.block[start..end + 2]
    }

    /// Every part of a body without content must be at its end.
    fn check_end(mut self) -> Result<()> {
        while !self.parts.is_empty() {
            self.end_part()?;
        }
        Ok(())
    }

    /// Leaves the first part. A reader whose length was announced must be at its end.
    fn end_part(&mut self) -> Result<()> {
        let Some(mut part) = self.parts.pop_front() else { return Ok(()) };
        let is_sized_reader = matches!(part.source, Source::Reader(..)) && part.remaining.is_some();
        let at = self.block.len() - 1;
        if is_sized_reader && read(&mut part, &mut self.block[at..])? > 0 {
            return Err(invalid("the body's reader goes on past its announced length"));
        }
        Ok(())
    }
}

/// One read of a part, whatever signals come.
fn read(part: &mut Part<'_>, block: &mut [u8]) -> Result<usize> {
    loop {
        match part.read(block) {
            Ok(count) if count > block.len() => {
                return Err(invalid("the body's reader claims more than it was given room for"));
            }
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(Error::from_io(ErrorKind::Body, "reading the request body", error).at(Stage::Send));
            }
        }
    }
}

fn invalid(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Body, what).at(Stage::Send)
}
