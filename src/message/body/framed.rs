//! A body as its framing delimits it: reads from the connection, and gives the connection back at
//! the last byte.
//!
//! The only state that outlives a call is here. The decoder says what the arrived bytes are; this
//! file moves them, and decides what becomes of the connection. Which request it answers is not
//! known here.

use std::fmt;
use std::time::Instant;

use crate::error::{Error, Fate, Result, Stage};
use crate::headers::Headers;
use crate::net::conn::{Conn, Room};
use crate::net::deadline::Deadline;
use crate::net::pool::Lease;
use crate::net::speed::SpeedMeter;
use crate::observe::BodyEnd;
use crate::reuse::{CloseReason, Reuse};
use crate::status::StatusCode;
use crate::wire::decode::Decoder;
use crate::wire::framing::Framing;
use crate::wire::step::{Step, at_most};

/// Bytes that dropping an unfinished body takes, if they have arrived already.
const DROP_BYTES_MAX: usize = 64 * 1024;

pub(crate) struct Framed(State);

/// Of a body that has none, or not yet.
static NO_TRAILERS: Headers = Headers::new();

enum State {
    Open(Open),
    /// After 101: the connection waits to be taken over.
    Switched(Lease),
    Ended(BodyEnd, Headers),
    Failed(Error),
}

/// A body that may still have bytes to come.
struct Open {
    lease: Lease,
    decoder: Decoder,
    reuse: Reuse,
    /// Boxed, since few have one.
    meter: Option<Box<SpeedMeter>>,
}

impl Framed {
    /// The body that comes behind a head on that connection. If there is none the connection is
    /// done with already; after a 101 it is for whoever takes it.
    #[inline]
    pub(crate) fn new(lease: Lease, status: StatusCode, framing: Framing, reuse: Reuse) -> Framed {
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Framed(State::Switched(lease));
        }
        let meter = lease.limits.min_speed.map(|min| Box::new(SpeedMeter::new(min)));
        let mut body = Framed(State::Open(Open { meter, lease, decoder: Decoder::new(framing), reuse }));
        if body.remaining() == Some(0) {
            body.finish();
        }
        body
    }

    /// The connection after a 101; any other body is dropped.
    pub(crate) fn take_switched(mut self) -> Option<Conn> {
        match std::mem::replace(&mut self.0, State::Ended(BodyEnd::Empty, Headers::new())) {
            State::Switched(lease) => lease.into_conn(),
            state => {
                self.0 = state;
                None
            }
        }
    }

    /// The trailer fields, once a chunked body has ended.
    pub(crate) fn trailers(&self) -> &Headers {
        match &self.0 {
            State::Ended(_, trailers) => trailers,
            State::Open(_) | State::Switched(_) | State::Failed(_) => &NO_TRAILERS,
        }
    }

    /// Whether all of it was read.
    pub(crate) fn is_complete(&self) -> bool {
        self.ended().is_some()
    }

    /// How its end was known, once it was reached.
    pub(crate) fn ended(&self) -> Option<BodyEnd> {
        match self.0 {
            State::Ended(end, _) => Some(end),
            State::Switched(_) => Some(BodyEnd::Empty),
            State::Open(_) | State::Failed(_) => None,
        }
    }

    /// How many bytes are still to be read, where that is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        match &self.0 {
            State::Open(open) => open.decoder.remaining(),
            State::Ended(..) | State::Switched(_) => Some(0),
            State::Failed(_) => None,
        }
    }

    pub(crate) fn read_into(&mut self, into: &mut [u8]) -> Result<usize> {
        if into.is_empty() || self.is_complete() {
            return Ok(0);
        }
        while let State::Open(open) = &mut self.0 {
            if !open.lease.arrived().is_empty() || into.len() < open.lease.buffer_size() {
                break;
            }
            if let Some(count) = self.read_direct(into)? {
                return Ok(count);
            }
        }
        let ready = self.fill()?;
        let count = ready.len().min(into.len());
        into[..count].copy_from_slice(&ready[..count]);
        self.take(count);
        Ok(count)
    }

    /// Body bytes that lie in the buffer, read for if there are none; none at all is the end.
    #[inline]
    pub(crate) fn fill(&mut self) -> Result<&[u8]> {
        self.fill_until(&Deadline::NONE)
    }

    /// The same, waited for until then at the latest.
    pub(crate) fn fill_until(&mut self, until: &Deadline) -> Result<&[u8]> {
        let count = loop {
            let open = match &mut self.0 {
                State::Open(open) => open,
                State::Ended(..) | State::Switched(_) => break 0,
                State::Failed(error) => return Err(error.clone()),
            };
            match open.lease.check_cancelled().and_then(|()| open.look()) {
                Ok(Found::Data(count)) => break count,
                Ok(Found::End) => self.finish(),
                Ok(Found::Nothing) => match open.fill(until) {
                    Ok(true) => {}
                    Ok(false) => self.finish(),
                    Err(error) => return Err(self.fail(error)),
                },
                Err(error) => return Err(self.fail(error)),
            }
        };
        match &self.0 {
            State::Open(open) => Ok(&open.lease.arrived()[..count]),
            _ => Ok(&[]),
        }
    }

    /// Uses up `count` bytes, or as many as are ready if those are fewer.
    pub(crate) fn consume(&mut self, count: usize) {
        if let State::Open(open) = &mut self.0 {
            if let Ok(Found::Data(ready)) = open.look() {
                self.take(count.min(ready));
            }
        }
    }

    /// Uses up `count` of the ready bytes; with the last one, the connection goes home.
    fn take(&mut self, count: usize) {
        let State::Open(open) = &mut self.0 else { return };
        open.lease.consume(count);
        open.advance(count);
        // Where the length is known there is no more to see; a chunk's end may have come already.
        match open.decoder.remaining() {
            Some(0) => self.finish(),
            Some(_) => {}
            None => self.poll_end(),
        }
    }

    /// Looks whether the end has arrived already. An error that shows up is for the next read.
    fn poll_end(&mut self) {
        let State::Open(open) = &mut self.0 else { return };
        match open.look() {
            Ok(Found::End) => self.finish(),
            Ok(Found::Data(_) | Found::Nothing) => {}
            Err(error) => drop(self.fail(error)),
        }
    }

    /// Reads from the socket into the caller's buffer, and takes the framing out there: how many
    /// bytes of body that gave, 0 at the end, or `None` if it was framing alone.
    fn read_direct(&mut self, into: &mut [u8]) -> Result<Option<usize>> {
        let State::Open(open) = &mut self.0 else { return Ok(None) };
        // The last byte comes with a read that asks for more, so that stray bytes are seen.
        let is_last = open.decoder.remaining() == Some(into.len() as u64);
        let room = into.len() - usize::from(is_last);
        let arrived = match open.read_unbuffered(&mut into[..room]) {
            Ok(0) => {
                self.finish();
                return Ok(Some(0));
            }
            Ok(count) => count,
            Err(error) => return Err(self.fail(error)),
        };
        match open.unframe(&mut into[..arrived]) {
            (0, Ok(false)) => Ok(None),
            (count, Ok(false)) => Ok(Some(count)),
            (count, Ok(true)) => {
                self.finish();
                Ok(Some(count))
            }
            (0, Err(error)) => Err(self.fail(error)),
            (count, Err(error)) => {
                drop(self.fail(error)); // the next read gives it
                Ok(Some(count))
            }
        }
    }

    /// The body is complete: the connection goes home, or is closed for the reason known.
    fn finish(&mut self) {
        let State::Open(open) = &self.0 else { return };
        let ended = State::Ended(open.decoder.end(), open.decoder.trailers());
        if let State::Open(open) = std::mem::replace(&mut self.0, ended) {
            open.release_or_close();
        }
    }

    /// From here on every read gives this error. The connection is closed.
    fn fail(&mut self, error: Error) -> Error {
        let peer = match &self.0 {
            State::Open(open) => open.lease.peer(),
            _ => None,
        };
        let error = error.at(Stage::Body).with_fate(Fate::ResponseStarted).with_peer(peer);
        self.0 = State::Failed(error.clone());
        error
    }
}

/// What the arrived bytes begin with, framing taken out.
enum Found {
    Data(usize),
    Nothing,
    End,
}

impl Open {
    /// So many bytes of content were taken.
    fn advance(&mut self, count: usize) {
        self.decoder.advance(count);
        if let Some(meter) = &mut self.meter {
            meter.add_content(count);
        }
    }

    /// Takes framing out of the front of what has arrived.
    fn look(&mut self) -> Result<Found> {
        let (skip, found) = match self.decoder.step(self.lease.arrived())? {
            Step::Data { skip, len } => (skip, Found::Data(len)),
            Step::More { skip } => (skip, Found::Nothing),
            Step::End { skip } => (skip, Found::End),
        };
        self.lease.consume(skip);
        Ok(found)
    }

    /// Waits for more. `false`: there is none, since the connection's end is the body's.
    fn fill(&mut self, until: &Deadline) -> Result<bool> {
        let count = match &mut self.meter {
            None => self.lease.read(Room::Buffer, until, Instant::now())?,
            Some(meter) => metered(meter, until, |until, now| self.lease.read(Room::Buffer, until, now))?,
        };
        if count == 0 {
            self.decoder.eof()?;
        }
        Ok(count > 0)
    }

    /// Waits for more, in the caller's buffer; 0 if the connection's end is the body's.
    fn read_unbuffered(&mut self, into: &mut [u8]) -> Result<usize> {
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

    /// Moves the body bytes among `bytes` to their front: how many there are, and whether they are
    /// the last.
    fn unframe(&mut self, bytes: &mut [u8]) -> (usize, Result<bool>) {
        if let Decoder::Length { left } = &mut self.decoder {
            let (count, is_last) = (at_most(*left, bytes.len()), *left <= bytes.len() as u64);
            if count < bytes.len() {
                self.lease.mark_stray();
            }
            self.advance(count);
            return (count, Ok(is_last));
        }
        let (mut from, mut to) = (0, 0);
        loop {
            match self.decoder.step(&bytes[from..]) {
                Ok(Step::Data { skip, len }) => {
                    from += skip;
                    if from != to {
                        bytes.copy_within(from..from + len, to);
                    }
                    from += len;
                    to += len;
                    self.advance(len);
                }
                Ok(Step::More { .. }) => return (to, Ok(false)),
                Ok(Step::End { skip }) => {
                    if from + skip < bytes.len() {
                        self.lease.mark_stray();
                    }
                    return (to, Ok(true));
                }
                Err(error) => return (to, Err(error)),
            }
        }
    }

    fn release_or_close(self) {
        match self.reuse {
            Reuse::Keep(keep_alive) => self.lease.release(keep_alive),
            Reuse::Close(reason) => self.lease.close(reason),
        }
    }

    /// Takes what has arrived, without waiting; the connection lives on only if that was all. A forked
    /// child takes nothing, which would be missing in the parent's copy of the body.
    fn drain_or_close(mut self) {
        if let Reuse::Close(reason) = self.reuse {
            return self.lease.close(reason);
        }
        if self.lease.is_inherited() {
            // After fork() the parent reads it to its end, and goes on with the connection.
            return self.lease.close(CloseReason::Unfinished);
        }
        let mut budget = DROP_BYTES_MAX.saturating_sub(self.lease.arrived().len());
        while self.decoder.remaining().is_none_or(|left| left <= DROP_BYTES_MAX as u64) {
            match self.look() {
                Ok(Found::End) => return self.release_or_close(),
                Ok(Found::Data(count)) => {
                    self.lease.consume(count);
                    self.decoder.advance(count);
                }
                Ok(Found::Nothing) if budget == 0 => break,
                Ok(Found::Nothing) => match self.lease.try_read(Room::Buffer) {
                    Ok(Some(count)) if count > 0 => budget = budget.saturating_sub(count),
                    Ok(_) => break,
                    Err(_) => return self.lease.close(CloseReason::Failed),
                },
                Err(_) => return self.lease.close(CloseReason::Failed),
            }
        }
        self.lease.close(CloseReason::Unfinished);
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

impl Drop for Framed {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.0, State::Ended(BodyEnd::Empty, Headers::new())) {
            State::Open(open) => open.drain_or_close(),
            State::Switched(lease) => lease.close(CloseReason::Upgraded),
            State::Ended(..) | State::Failed(_) => {}
        }
    }
}

impl fmt::Debug for Framed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.0 {
            State::Open(open) => format!("open, remaining: {:?}", open.decoder.remaining()),
            State::Switched(_) => "switched protocols".to_owned(),
            State::Ended(end, _) => format!("ended: {end:?}"),
            State::Failed(error) => format!("failed: {error}"),
        };
        f.write_str(&state)
    }
}
