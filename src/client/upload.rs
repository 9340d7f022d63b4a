//! Sending a body that is not small, with an eye on what the server answers meanwhile.
//!
//! A server may answer before it has read the body (RFC 9112 §9.5), and then stop reading, or close.
//! So the body is written with a tick: no write blocks for longer, and after each tick and each MiB one
//! non-blocking read polls for a response, whether it is the server that is slow or the reader of the
//! body. A final status of 300 or above makes the rest pointless. A 2xx does not, since it may be made
//! from the body as it comes; it stops the upload only once the server has accepted nothing for
//! [`STALLS_MAX`] ticks, for otherwise both sides would wait for each other. When a write fails, what the
//! server had sent before it closed is still read.

use std::time::{Duration, Instant};

use crate::client::response_reader::ResponseReader;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::message::blocks::Blocks;
use crate::message::send_body::{Kind, SendBody, Upload};
use crate::net::deadline::Deadline;
use crate::net::pool::lease::Lease;
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

/// What is to be sent after the head.
enum Content<'c> {
    Bytes(&'c [u8]),
    Blocks(Box<dyn Blocks + 'c>),
}

/// Sends the head that was put into the connection's buffer, and a body that is not small or waits for
/// a 100 (Continue). Without such a wait, the beginning of the body leaves with the head.
pub(crate) fn send(
    lease: &mut Lease,
    body: &mut SendBody<'_>,
    expect: Option<Duration>,
    reader: &mut ResponseReader<'_>,
) -> Result<Upload> {
    let mut content = match &body.0 {
        Kind::Bytes(bytes) => Content::Bytes(bytes),
        Kind::Shared(bytes) => Content::Bytes(bytes),
        Kind::Empty => Content::Bytes(&[]),
        Kind::Unusable(error) => return Err(error.clone()),
        Kind::File { in_blocks, .. } | Kind::Reader { in_blocks, .. } | Kind::Chain { in_blocks, .. } => {
            Content::Blocks(in_blocks(body)?)
        }
    };
    let room = lease.buffer.size().saturating_sub(lease.buffer.bytes().len());
    let first = match &mut content {
        _ if expect.is_some() => &[],
        Content::Bytes(bytes) => {
            let (first, rest) = bytes.split_at(bytes.len().min(FIRST_BYTES));
            *bytes = rest;
            first
        }
        Content::Blocks(blocks) => blocks.first(room)?,
    };
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
    match content {
        Content::Bytes(bytes) => uploader.write_all(bytes),
        Content::Blocks(blocks) => uploader.stream(blocks),
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

    fn stream(mut self, mut blocks: Box<dyn Blocks + '_>) -> Result<Upload> {
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
