//! A socket under the clock: no read or write on it waits longer than the request allows.
//!
//! The socket's own timeout is only a tick that wakes us up; after every wake-up the clock
//! decides. It is armed with half of what is left and stays armed while it lies between a quarter
//! and the whole of that, so that equal requests cost no system call for it.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::net::cancel::{CancelToken, Registration};
use crate::net::deadline::Deadline;
use crate::net::speed::MinSpeed;
use crate::net::transport::Socket;

/// The shortest tick: below, waking up would cost more than being late.
pub(crate) const TICK_MIN: Duration = Duration::from_millis(1);

/// The tick where a cancel cannot wake a blocked read by itself.
const TICK_BLIND: Duration = Duration::from_millis(100);

/// A tick longer than this need not be switched off where there is no limit at all.
pub(crate) const TICK_HARMLESS: Duration = Duration::from_secs(1);

/// What is being done when a read takes too long.
const READING: &str = "reading from the server";

/// And when a write does.
const SENDING: &str = "sending to the server";

/// What one request allows.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// For the whole exchange.
    pub(crate) deadline: Deadline,
    /// Silence while reading.
    pub(crate) read_timeout: Option<Duration>,
    /// Silence while writing.
    pub(crate) write_timeout: Option<Duration>,
    /// What a body must bring at least.
    pub(crate) min_speed: Option<MinSpeed>,
    pub(crate) token: Option<CancelToken>,
}

impl Limits {
    /// What an idle connection has.
    pub(crate) const NONE: Limits =
        Limits { deadline: Deadline::NONE, read_timeout: None, write_timeout: None, min_speed: None, token: None };
}

pub(crate) struct Line {
    socket: Socket,
    /// Asked for once: a broken socket does not know any more.
    peer: Option<SocketAddr>,
    limits: Limits,
    /// The socket's timeouts, as last set.
    read_tick: Option<Duration>,
    write_tick: Option<Duration>,
    /// The request's token knows this socket while this is here.
    registration: Option<Registration>,
    /// A cancel cannot wake a blocked read: it must wake up by itself.
    is_blind: bool,
    /// How a write failed. Of a connection that broke, the system says so once, and then pretends
    /// an orderly end.
    broke: Option<io::ErrorKind>,
}

impl Line {
    pub(crate) fn new(socket: Socket) -> Line {
        Line {
            peer: socket.peer_addr(),
            socket,
            limits: Limits::NONE,
            read_tick: None,
            write_tick: None,
            registration: None,
            is_blind: false,
            broke: None,
        }
    }

    /// A request begins: from here on its limits hold, and its token can stop it.
    #[inline]
    pub(crate) fn begin(&mut self, limits: Limits) {
        if let Some(token) = &limits.token {
            match self.socket.shutdown_handle() {
                Some(hook) => {
                    self.registration = Some(token.register(hook));
                    self.is_blind = cfg!(windows); // there, shutdown does not wake a reader
                }
                None => self.is_blind = true,
            }
        }
        self.limits = limits;
    }

    /// The request is over. Whether the socket is as it was: a cancel may have shut it down.
    #[inline]
    pub(crate) fn finish(&mut self) -> bool {
        let was_cancelled = match self.registration.take() {
            Some(registration) => {
                let token = registration.token().clone();
                drop(registration); // waits for a cancel under way
                token.is_cancelled()
            }
            None => false,
        };
        self.limits = Limits::NONE;
        self.is_blind = false;
        !was_cancelled
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Reads once; `Ok(0)` is the end of the connection. Waits for `read_timeout` from `now`, and
    /// not beyond `until` or the request's deadline.
    #[inline]
    pub(crate) fn read(&mut self, buf: &mut [u8], until: &Deadline, now: Instant) -> Result<usize> {
        let of_request = sooner(self.limits.deadline.remaining_at(now), self.limits.read_timeout);
        let mut left = sooner(until.remaining_at(now), of_request);
        loop {
            self.check_cancelled()?;
            if left == Some(Duration::ZERO) {
                return Err(self.failure(self.read_silence(until, now).error(READING)));
            }
            self.arm_read(left).map_err(|error| self.broken("socket timeout", error))?;
            match self.socket.read(buf) {
                Ok(0) => {
                    self.check_cancelled()?;
                    return match self.broke {
                        Some(how) => Err(self.broken("read", how.into())),
                        None => Ok(0),
                    };
                }
                Ok(count) => return Ok(count),
                Err(error) if is_retryable(&error) => left = self.read_silence(until, now).remaining(),
                Err(error) => return Err(self.broken("read", error)),
            }
        }
    }

    /// When a read that begins now has waited for too long.
    fn read_silence(&self, until: &Deadline, now: Instant) -> Deadline {
        let silence = Deadline::of("read_timeout", self.limits.read_timeout, now);
        until.or_sooner(self.limits.deadline).or_sooner(silence)
    }

    /// Reads what has arrived, without waiting: `None` if that is nothing.
    pub(crate) fn try_read(&mut self, buf: &mut [u8]) -> Result<Option<usize>> {
        match self.socket.try_read(buf) {
            Ok(count) => {
                if count == 0 {
                    self.check_cancelled()?;
                }
                Ok(Some(count))
            }
            Err(error) if is_retryable(&error) => Ok(None),
            Err(error) => Err(self.broken("read", error)),
        }
    }

    /// Writes once, at least one byte. Waits for `write_timeout` from `now`, and not beyond the
    /// deadline.
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8], now: Instant) -> Result<usize> {
        self.persist(now, |socket| socket.write(bytes))
    }

    /// Writes all, which is at least one byte, each time as [`write`](Line::write), and adds to `sent`
    /// what has left.
    #[inline]
    pub(crate) fn write_all(&mut self, mut bytes: &[u8], mut now: Instant, sent: &mut u64) -> Result<()> {
        loop {
            let count = self.write(bytes, now)?;
            *sent += count as u64;
            bytes = &bytes[count..];
            if bytes.is_empty() {
                return Ok(());
            }
            now = Instant::now();
        }
    }

    /// Sees to it that what was written is on its way, within `write_timeout`.
    #[inline]
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.socket.is_plain_tcp() {
            return Ok(()); // nothing is held back
        }
        self.persist(Instant::now(), |socket| socket.flush().map(|()| 1)).map(drop)
    }

    /// Writes once, but waits no longer than `tick`: then `None`, or 0 where what the stream had held
    /// back has moved meanwhile. `until` is asked first.
    pub(crate) fn write_tick(&mut self, bytes: &[u8], tick: Duration, until: Deadline) -> Result<Option<usize>> {
        self.persist_for(tick, until, |socket| socket.write(bytes))
    }

    /// Sees to it that what was written is on its way, but waits no longer than `tick`: then `None`, or
    /// 0 where it moves.
    pub(crate) fn flush_tick(&mut self, tick: Duration, until: Deadline) -> Result<Option<usize>> {
        if self.socket.is_plain_tcp() {
            return Ok(Some(1)); // nothing is held back
        }
        self.persist_for(tick, until, |socket| socket.flush().map(|()| 1))
    }

    /// Does a write, or what counts as one, for no longer than `tick`: then `None`, or 0.
    fn persist_for(
        &mut self,
        tick: Duration,
        until: Deadline,
        mut write: impl FnMut(&mut Socket) -> io::Result<usize>,
    ) -> Result<Option<usize>> {
        let until = until.or_sooner(self.limits.deadline);
        let started = Instant::now();
        loop {
            let left = until.remaining();
            if left == Some(Duration::ZERO) {
                return Err(self.failure(until.error(SENDING)));
            }
            // Armed with half of twice the tick.
            let left = sooner(left, Some(tick * 2));
            let bytes_flushed = self.socket.bytes_flushed();
            match self.try_write(left, &mut write)? {
                Some(count) => return Ok(Some(count)),
                None if self.socket.bytes_flushed() > bytes_flushed => return Ok(Some(0)),
                None if started.elapsed() < tick / 2 => {} // a signal is no stall: only time is
                None => return Ok(None),
            }
        }
    }

    /// Does a write, or what counts as one, for as long as the limits allow from `now` on.
    #[inline]
    fn persist(&mut self, mut now: Instant, mut write: impl FnMut(&mut Socket) -> io::Result<usize>) -> Result<usize> {
        let mut left = sooner(self.limits.deadline.remaining_at(now), self.limits.write_timeout);
        loop {
            if left == Some(Duration::ZERO) {
                let until = self.write_silence(now).or_sooner(self.limits.deadline);
                return Err(self.failure(until.error(SENDING)));
            }
            let bytes_flushed = self.socket.bytes_flushed();
            if let Some(count) = self.try_write(left, &mut write)? {
                return Ok(count);
            }
            if self.socket.bytes_flushed() > bytes_flushed {
                now = Instant::now(); // the peer is taking, however slowly
            }
            left = self.write_silence(now).or_sooner(self.limits.deadline).remaining();
        }
    }

    /// Does a write, or what counts as one: `None` if nothing could be done before we woke up.
    #[inline]
    fn try_write(
        &mut self,
        left: Option<Duration>,
        write: impl FnOnce(&mut Socket) -> io::Result<usize>,
    ) -> Result<Option<usize>> {
        self.check_cancelled()?;
        self.arm_write(left).map_err(|error| self.broken("socket timeout", error))?;
        match write(&mut self.socket) {
            Ok(0) => Err(self.broken("write", io::ErrorKind::WriteZero.into())),
            Ok(count) => Ok(Some(count)),
            Err(error) if is_retryable(&error) => Ok(None),
            Err(error) => {
                // A broken pipe is what is left of an end that had come in order.
                self.broke = Some(error.kind()).filter(|how| *how != io::ErrorKind::BrokenPipe);
                Err(self.broken("write", error))
            }
        }
    }

    /// When a write that begins now has been silent for too long.
    pub(crate) fn write_silence(&self, now: Instant) -> Deadline {
        Deadline::of("write_timeout", self.limits.write_timeout, now)
    }

    /// Tells the peer that nothing more comes.
    pub(crate) fn shutdown_write(&mut self) {
        self.socket.shutdown_write();
    }

    /// An error if the request was cancelled: asked before any end or error is believed.
    #[inline]
    pub(crate) fn check_cancelled(&self) -> Result<()> {
        match &self.limits.token {
            Some(token) => token.check().map_err(|error| error.with_peer(self.peer)),
            None => Ok(()),
        }
    }

    fn broken(&self, what: &'static str, error: io::Error) -> Error {
        // A stream that knows our words has said what it was.
        self.failure(Error::try_from(error).unwrap_or_else(|error| Error::from_io(ErrorKind::Io, what, error)))
    }

    fn failure(&self, error: Error) -> Error {
        match self.check_cancelled() {
            Err(cancelled) => cancelled,
            Ok(()) => error.with_peer(self.peer),
        }
    }

    #[inline]
    fn arm_read(&mut self, left: Option<Duration>) -> io::Result<()> {
        let tick = self.tick(self.read_tick, left);
        if tick != self.read_tick {
            self.socket.set_read_timeout(tick, self.write_tick)?;
            self.read_tick = tick;
        }
        Ok(())
    }

    #[inline]
    fn arm_write(&mut self, left: Option<Duration>) -> io::Result<()> {
        let tick = self.tick(self.write_tick, left);
        if tick != self.write_tick {
            self.socket.set_write_timeout(self.read_tick, tick)?;
            self.write_tick = tick;
        }
        Ok(())
    }

    /// The tick to be armed with, where `left` is left: the one that `is` set if it will do.
    #[inline]
    fn tick(&self, is: Option<Duration>, left: Option<Duration>) -> Option<Duration> {
        let tick = match (is, left) {
            (Some(is), Some(left)) if is <= left && is >= left / 4 => Some(is),
            (Some(is), None) if is >= TICK_HARMLESS => Some(is),
            (_, left) => left.map(|left| (left / 2).max(TICK_MIN)),
        };
        if self.is_blind { Some(tick.map_or(TICK_BLIND, |tick| tick.min(TICK_BLIND))) } else { tick }
    }

    /// Whether the last read, if it gave less than it had room for, left nothing behind.
    pub(crate) fn is_drained(&self) -> bool {
        self.socket.is_drained()
    }

    /// Whether a part of a record has come, and its rest has not.
    pub(crate) fn has_partial_record(&self) -> bool {
        self.socket.has_partial_record()
    }

    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.local_addr()
    }

    /// The socket's timeouts for reading and writing.
    #[cfg(feature = "__rustls")]
    pub(crate) fn ticks(&self) -> (Option<Duration>, Option<Duration>) {
        (self.read_tick, self.write_tick)
    }

    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }
}

/// The shorter of two times, where `None` is for ever.
fn sooner(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// A tick passed or a signal came: nothing has happened, the clock decides. On Unix a tick is
/// EAGAIN; there the system's own TimedOut (ETIMEDOUT) is the connection dying, which it says once
/// and then pretends an orderly end.
pub(crate) fn is_retryable(error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => true,
        io::ErrorKind::TimedOut => cfg!(windows) || error.raw_os_error().is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;

    fn line() -> (Line, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, peer) = (listener.accept().unwrap().0, near.peer_addr().unwrap());
        (Line::new(Socket::Tcp(Arc::new(near), peer)), far)
    }

    #[test]
    fn a_tick_is_kept_between_a_quarter_and_the_whole_of_what_is_left() {
        let (line, _far) = line();
        let secs = |secs| Some(Duration::from_secs(secs));
        assert_eq!(line.tick(None, secs(60)), secs(30));
        assert_eq!(line.tick(secs(30), secs(60)), secs(30));
        assert_eq!(line.tick(secs(30), secs(30)), secs(30));
        assert_eq!(line.tick(secs(30), secs(20)), secs(10));
        assert_eq!(line.tick(secs(10), secs(41)), Some(Duration::from_millis(20_500)));
        assert_eq!(line.tick(secs(10), None), secs(10));
        assert_eq!(line.tick(Some(TICK_MIN), None), None);
        assert_eq!(line.tick(None, Some(Duration::from_micros(3))), Some(TICK_MIN));
    }

    #[test]
    fn a_connection_that_dies_is_no_tick() {
        assert!(is_retryable(&io::ErrorKind::TimedOut.into()), "a stream's own tick");
        if cfg!(target_os = "linux") {
            assert!(is_retryable(&io::Error::from_raw_os_error(11)), "EAGAIN");
            assert!(!is_retryable(&io::Error::from_raw_os_error(110)), "ETIMEDOUT");
        }
    }

    #[test]
    fn a_deadline_holds_although_the_tick_is_shorter() {
        let (mut line, _far) = line();
        let limit = Duration::from_millis(80);
        line.begin(Limits { deadline: Deadline::after(limit), ..Limits::NONE });
        let started = Instant::now();
        let error = line.read(&mut [0; 8], &Deadline::NONE, started).unwrap_err();
        assert!(error.is_timeout() && started.elapsed() >= limit, "{error} after {:?}", started.elapsed());
    }
}
