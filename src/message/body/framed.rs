//! A body under way: a leased connection, the decoder of its framing, and what follows at its end.
//!
//! The decoder tells what the arrived bytes are; this file has them moved, and takes care of the
//! connection: it is released at the last byte, or closed. Knows nothing of the request, nor of
//! errors' wording.

use std::time::Instant;

use crate::error::Result;
use crate::message::body::collect::APPEND_BYTES_MIN;
use crate::net::conn::Room;
use crate::net::deadline::Deadline;
use crate::net::pool::lease::Lease;
use crate::net::speed::SpeedMeter;
use crate::reuse::{CloseReason, Reuse};
use crate::wire::decode::Decoder;
use crate::wire::framing::Framing;
use crate::wire::step::{Step, Unframed};

/// Bytes that dropping an unfinished body reads, if they have arrived already.
const DROP_BYTES_MAX: usize = 64 * 1024;

/// Reads for that: a stream that cannot read without waiting waits a moment in each.
const DROP_READS_MAX: u32 = 64;

/// A body that may still have bytes to come.
pub(crate) struct Framed {
    pub(super) lease: Lease,
    pub(super) decoder: Decoder,
    reuse: Reuse,
    /// Bytes of content that were read.
    pub(super) bytes: u64,
    /// Boxed, since few bodies have one.
    meter: Option<Box<SpeedMeter>>,
}

/// What the arrived bytes begin with, after their framing is taken out.
pub(super) enum Found {
    Data(usize),
    Nothing,
    End,
}

impl Framed {
    #[inline(always)]
    pub(crate) fn new(lease: Lease, framing: Framing, reuse: Reuse) -> Framed {
        let meter = lease.limits.min_speed.map(|min| Box::new(SpeedMeter::new(min)));
        Framed { lease, decoder: Decoder::new(framing), reuse, bytes: 0, meter }
    }

    /// Counts content that was taken.
    #[inline]
    pub(super) fn advance(&mut self, count: usize) {
        self.decoder.advance(count);
        self.count(count);
    }

    #[inline]
    fn count(&mut self, count: usize) {
        self.bytes += count as u64;
        if let Some(meter) = &mut self.meter {
            meter.add_content(count);
        }
    }

    /// Takes framing off the front of what has arrived.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Found> {
        let (skip, found) = match self.decoder.step(self.lease.buffer.bytes())? {
            Step::Data { skip, len } => (skip, Found::Data(len)),
            Step::More { skip } => (skip, Found::Nothing),
            Step::End { skip } => (skip, Found::End),
        };
        self.lease.buffer.consume(skip);
        Ok(found)
    }

    /// Waits for more in the connection's buffer; 0 if the end of the connection is the end of the body.
    #[inline]
    pub(super) fn fill(&mut self, until: &Deadline) -> Result<usize> {
        let count = match &mut self.meter {
            None => self.lease.read(Room::Buffer, until, Instant::now())?,
            Some(meter) => metered(meter, until, |until, now| self.lease.read(Room::Buffer, until, now))?,
        };
        if count == 0 {
            self.decoder.eof()?;
        }
        Ok(count)
    }

    /// Waits for more in the caller's buffer; 0 if the end of the connection is the end of the body.
    pub(super) fn read_unbuffered(&mut self, into: &mut [u8]) -> Result<usize> {
        let count = match &mut self.meter {
            None => self.lease.read(Room::Slice(into), &Deadline::NONE, Instant::now())?,
            Some(meter) => {
                metered(meter, &Deadline::NONE, |until, now| self.lease.read(Room::Slice(into), until, now))?
            }
        };
        if count == 0 {
            self.decoder.eof()?;
        }
        Ok(count)
    }

    /// Returns whether it is worth to append to what a read gives, if more arrives than that takes.
    pub(super) fn may_append(&self) -> bool {
        self.lease.can_append() && self.decoder.certain() >= APPEND_BYTES_MIN
    }

    /// How many bytes [`append_arrived`](Framed::append_arrived) may append: those of which it is known
    /// beforehand that they are content. None if the last read took all that had arrived.
    pub(super) fn appendable(&self) -> u64 {
        if self.lease.has_more_to_append() { self.decoder.certain() } else { 0 }
    }

    /// Appends at most `count` bytes of content that have arrived already, without waiting.
    pub(super) fn append_arrived(&mut self, bytes: &mut Vec<u8>, count: usize) -> Result<()> {
        let before = bytes.len();
        let appended = self.lease.append_arrived(bytes, count);
        self.advance(bytes.len() - before);
        appended
    }

    /// Moves the content among `bytes` to their front: how many bytes of it there are, and whether
    /// they are the last.
    pub(super) fn unframe(&mut self, bytes: &mut [u8]) -> (usize, Result<bool>) {
        let Unframed { used, content, is_last } = self.decoder.unframe(bytes);
        if matches!(is_last, Ok(true)) && used < bytes.len() {
            self.lease.mark_stray();
        }
        self.count(content);
        (content, is_last)
    }

    /// The body has ended: the connection goes back to the pool, or is closed for the reason known.
    #[inline]
    pub(super) fn release_or_close(self) {
        match self.reuse {
            Reuse::Keep(keep_alive) => self.lease.release(keep_alive),
            Reuse::Close(reason) => self.lease.close(reason),
        }
    }

    /// Gives the body up: takes what has arrived, without waiting; the connection lives on only if
    /// that was all. A forked child takes nothing, which would be missing in the parent's copy.
    pub(crate) fn drain_or_close(mut self) {
        if let Reuse::Close(reason) = self.reuse {
            return self.lease.close(reason);
        }
        if self.lease.is_inherited() {
            // After fork() the parent reads it to its end, and goes on with the connection.
            return self.lease.close(CloseReason::Unfinished);
        }
        let mut reads = 0;
        let mut budget = DROP_BYTES_MAX.saturating_sub(self.lease.buffer.bytes().len());
        while self.decoder.remaining().is_none_or(|left| left <= DROP_BYTES_MAX as u64) {
            match self.next() {
                Ok(Found::End) => return self.release_or_close(),
                Ok(Found::Data(count)) => {
                    self.lease.buffer.consume(count);
                    self.decoder.advance(count);
                }
                Ok(Found::Nothing) if budget == 0 || reads == DROP_READS_MAX => break,
                Ok(Found::Nothing) => match self.lease.try_read(Room::Buffer) {
                    Ok(Some(count)) if count > 0 => (budget, reads) = (budget.saturating_sub(count), reads + 1),
                    Ok(_) => break,
                    Err(_) => return self.lease.close(CloseReason::Failed),
                },
                Err(_) => return self.lease.close(CloseReason::Failed),
            }
        }
        self.lease.close(CloseReason::Unfinished);
    }

    /// Gives the body up, but waits for what has not arrived, until then and within the limits of the
    /// request: the connection lives on if that was all, and at most as much as a dropped body takes in. The
    /// only error is a cancel.
    pub(crate) fn drain_until(mut self, until: &Deadline) -> Result<()> {
        if let Reuse::Close(reason) = self.reuse {
            self.lease.close(reason);
            return Ok(());
        }
        let is_within = |bytes: u64| bytes <= DROP_BYTES_MAX as u64;
        while is_within(self.bytes) && self.decoder.remaining().is_none_or(is_within) {
            match self.next() {
                Ok(Found::Data(count)) => {
                    self.lease.buffer.consume(count);
                    self.advance(count);
                }
                Ok(Found::End) => {
                    self.release_or_close();
                    return Ok(());
                }
                Ok(Found::Nothing) => match self.lease.check_cancelled().and_then(|()| self.fill(until)) {
                    Ok(1..) => {}
                    Err(cancelled) if cancelled.is_cancelled() => return Err(cancelled),
                    Ok(0) | Err(_) => break,
                },
                Err(_) => break,
            }
        }
        self.lease.close(CloseReason::Unfinished);
        Ok(())
    }
}

/// One read, held to the body's slowest speed.
fn metered(
    meter: &mut SpeedMeter,
    until: &Deadline,
    read: impl FnOnce(&Deadline, Instant) -> Result<usize>,
) -> Result<usize> {
    meter.check()?; // what came with the last read is counted by now
    let now = Instant::now();
    let read = read(&until.or_sooner(meter.deadline(now)), now);
    meter.add_wait(now.elapsed());
    match read {
        Err(error) if error.is_timeout() => Err(meter.check().err().unwrap_or(error)),
        read => read,
    }
}
