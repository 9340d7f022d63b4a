//! One connection: a socket on which no read or write waits longer than the request allows, a buffer
//! while an exchange is under way, and what has to be remembered from one exchange to the next.
//!
//! The handshakes with proxies and of TLS use the same type for their reads and writes, without a buffer.
//! What the bytes mean is not known here, nor where an idle connection is kept.
//!
//! # The tick
//!
//! A request has a deadline, and limits for the time without progress. The socket's own timeouts
//! (`SO_RCVTIMEO`, `SO_SNDTIMEO`) are not these limits. They are *ticks*, which only wake the thread up;
//! after each wake-up the clock decides whether to fail or to wait again. A socket timeout alone would not
//! hold a limit: it begins anew with each system call, and a call may return early, since a signal
//! interrupted it or only a part of a TLS record arrived.
//!
//! To set a socket timeout is a system call, which not every request should cost. So a tick is armed with
//! half of the time that is left, and kept as long as it is between a quarter and the whole of that time: a
//! request with the same limits as the one before finds a tick that fits. Near the end of the time each
//! wake-up halves the tick, down to [`TICK_MIN`], so that a wait outlasts its limit by no more than that.
//!
//! # The probe
//!
//! Between two exchanges the server may close the connection, or send bytes that belong to no request.
//! Therefore an idle connection is probed before it is reused: one read of one byte that does not wait. The
//! connection is fit if the read finds nothing. The end of the stream, an error, a byte and a part of a
//! TLS record make it unfit. It is a read and not `poll`, because only TLS itself can tell a session ticket
//! from content. So nothing that arrived before a request was sent is ever taken for its response; a byte
//! that arrives between the probe and the response cannot be told from it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::net::buffer::Buffer;
use crate::net::cancel::{CancelToken, Registration};
use crate::net::deadline::Deadline;
use crate::net::speed::MinSpeed;
use crate::net::transport::Stream;
use crate::net::transport::socket::Socket;
use crate::observe::{EventIds, Timings};
use crate::reuse::CloseReason;
use crate::tls_info::TlsInfo;

/// The shortest tick: below it, waking up would cost more than being late.
const TICK_MIN: Duration = Duration::from_millis(1);

/// The longest tick where a cancel cannot wake a blocked read or write, and the token must be polled.
const POLL_TICK: Duration = Duration::from_millis(100);

/// A tick of at least this length may stay armed for a request without limits: it wakes the thread rarely.
pub(crate) const TICK_HARMLESS: Duration = Duration::from_secs(1);

/// What was being done when a read or write took too long.
const READING: &str = "reading from the server";
const SENDING: &str = "sending to the server";

/// What one request allows.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// For the whole exchange.
    pub(crate) deadline: Deadline,
    /// The longest time without a byte while reading.
    pub(crate) read_timeout: Option<Duration>,
    /// The longest time without progress while writing.
    pub(crate) write_timeout: Option<Duration>,
    /// The slowest that a body may arrive.
    pub(crate) min_speed: Option<MinSpeed>,
    pub(crate) token: Option<CancelToken>,
}

impl Limits {
    /// No limits.
    pub(crate) const NONE: Limits =
        Limits { deadline: Deadline::NONE, read_timeout: None, write_timeout: None, min_speed: None, token: None };
}

pub(crate) struct Conn {
    socket: Socket,
    /// Bytes of the response that have arrived and are not consumed; before that, of the request.
    pub(crate) buffer: Buffer,
    pub(crate) opened: Arc<Opened>,
    /// Of the exchange under way.
    pub(crate) limits: Limits,
    /// Of the exchange under way.
    pub(crate) ids: EventIds,
    /// When the exchange under way began.
    pub(crate) begun: Instant,
    /// Bytes of its request that the socket has taken.
    pub(crate) sent: u64,
    /// Exchanges that have begun, the one under way included.
    pub(crate) exchanges: u32,
    /// It has been idle: it was kept after an exchange, or opened ahead.
    pub(crate) is_pooled: bool,
    /// Requests that the server still accepts, where it has announced that.
    pub(crate) requests_left: Option<u64>,
    /// The socket's timeouts, as last set.
    read_tick: Option<Duration>,
    write_tick: Option<Duration>,
    /// While this exists, the request's token can shut the socket down.
    registration: Option<Registration>,
    /// A cancel cannot wake a blocked read or write; a short tick must.
    must_poll: bool,
    /// How a write failed. The kernel reports the error once; later reads return 0.
    write_error: Option<io::ErrorKind>,
    /// Bytes came after the end of the response.
    is_stray: bool,
    /// More may have arrived than the last read took: it filled its room, or the stream cannot tell.
    may_have_more: bool,
    /// When the response's head had been read. Set only until the next read: bytes of a body may be read
    /// long after they arrived, so it is not known then since when the server has been waiting.
    pub(crate) head_read_at: Option<Instant>,
    /// Since when the server has been waiting for the next request, as far as that is known.
    idle_since: Instant,
    /// It is probed even if it was idle for less than `probe_after`.
    must_probe: bool,
}

/// How a connection was opened: shared with the responses that arrive on it.
#[derive(Debug)]
pub(crate) struct Opened {
    /// For events; 0 if the client has no observer.
    pub(crate) id: u64,
    /// Looked up when it is opened: a broken socket no longer knows it.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) at: Instant,
    /// How long opening took; the parts of an exchange are zero.
    pub(crate) took: Timings,
    /// The handshake with the server; `None` without TLS.
    pub(crate) tls: Option<TlsInfo>,
}

/// Where a read puts what arrives.
pub(crate) enum Room<'a> {
    /// Into the connection's buffer, after what is there.
    Buffer,
    /// Into the caller's memory. The buffer must be empty: its bytes come first.
    Slice(&'a mut [u8]),
}

/// What a write sends.
enum Source<'a> {
    /// What was put into the connection's buffer.
    Buffer,
    Slice(&'a [u8]),
    /// What the stream has buffered of earlier writes: a flush. When it is done it counts as one byte.
    Buffered,
}

impl Conn {
    /// A connection that was opened at `at`.
    pub(crate) fn new(socket: Socket, tls: Option<TlsInfo>, took: Timings, at: Instant, id: u64) -> Box<Conn> {
        let (peer, local) = (socket.peer_addr(), socket.local_addr());
        Box::new(Conn::open(socket, Opened { id, peer, local, at, took, tls }))
    }

    /// A connection for a handshake, which must be over before `deadline` passes.
    pub(crate) fn for_handshake(socket: Socket, deadline: Deadline, token: Option<&CancelToken>) -> Conn {
        let (peer, at) = (socket.peer_addr(), Instant::now());
        let mut conn = Conn::open(socket, Opened { id: 0, peer, local: None, at, took: Timings::default(), tls: None });
        let limits = Limits { deadline, token: token.cloned(), ..Limits::NONE };
        conn.begin(limits, EventIds::default(), conn.opened.at);
        conn
    }

    fn open(socket: Socket, opened: Opened) -> Conn {
        let now = opened.at;
        Conn {
            opened: Arc::new(opened),
            socket,
            buffer: Buffer::NONE,
            limits: Limits::NONE,
            ids: EventIds::default(),
            begun: now,
            sent: 0,
            exchanges: 0,
            is_pooled: false,
            requests_left: None,
            read_tick: None,
            write_tick: None,
            registration: None,
            must_poll: false,
            write_error: None,
            is_stray: false,
            may_have_more: false,
            head_read_at: None,
            idle_since: now,
            must_probe: true,
        }
    }

    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.opened.peer
    }

    // ---- From exchange to exchange

    /// Begins an exchange: its limits hold from here on, and its token can end it.
    #[inline]
    pub(crate) fn begin(&mut self, limits: Limits, ids: EventIds, now: Instant) {
        if let Some(token) = &limits.token {
            match self.socket.shutdown_handle() {
                Some(hook) => {
                    self.registration = Some(token.register(hook));
                    self.must_poll = cfg!(windows); // there, shutdown does not wake a reader
                }
                None => self.must_poll = true,
            }
        }
        self.limits = limits;
        self.ids = EventIds { connection: self.opened.id, ..ids };
        self.begun = now;
        self.exchanges += 1;
        self.sent = 0;
    }

    /// Ends the exchange. Returns the buffer, and an error if the connection cannot be used for another.
    #[inline(always)]
    pub(crate) fn finish(&mut self) -> (Buffer, Result<(), CloseReason>) {
        let state = match self.lift_token() {
            Err(_) => Err(CloseReason::Cancelled),
            Ok(()) if self.is_stray || !self.buffer.bytes().is_empty() => Err(CloseReason::StrayBytes),
            Ok(()) => Ok(()),
        };
        (std::mem::replace(&mut self.buffer, Buffer::NONE), state)
    }

    /// Ends the reach of a cancel, after an exchange or a handshake. An error if one has come, for then the
    /// socket is shut down. (The limits of time hold for reads and writes alone, and so until the next
    /// exchange brings its own.)
    #[inline(always)]
    pub(crate) fn lift_token(&mut self) -> Result<()> {
        let outcome = match self.registration.take() {
            Some(registration) => {
                drop(registration); // waits for a cancel under way
                self.check_cancelled()
            }
            None => Ok(()),
        };
        self.limits.token = None;
        self.must_poll = false;
        outcome
    }

    /// Makes the connection idle. `unproven`: the last response had no body, so that bytes which a confused
    /// server sent as one may still arrive.
    #[inline]
    pub(crate) fn park(&mut self, since: Instant, unproven: bool) {
        self.must_probe = unproven || self.may_have_more || self.exchanges < 2 || self.head_read_at.is_none();
        self.is_pooled = true;
        self.idle_since = since;
    }

    /// Checks that the idle connection is still open, and nothing has arrived on it. Skipped only if it was
    /// idle for less than `after`, and its last exchange gives no reason for doubt.
    #[inline]
    pub(crate) fn probe(&mut self, now: Instant, after: Duration) -> Result<(), CloseReason> {
        if !self.must_probe && now.saturating_duration_since(self.idle_since) < after {
            return Ok(());
        }
        match self.socket.try_read(&mut [0; 1]) {
            Err(error) if !is_retryable(&error) => Err(CloseReason::PeerClosed),
            Ok(0) => Err(CloseReason::PeerClosed),
            Err(_) if !self.socket.has_partial_record() => Ok(()),
            Ok(_) | Err(_) => Err(CloseReason::StrayBytes),
        }
    }

    /// Records that bytes after the end of the response were read and dropped: what arrives next may be the
    /// rest of them.
    pub(crate) fn mark_stray(&mut self) {
        self.is_stray = true;
    }

    /// Returns the bare stream, and the bytes that have arrived on it and are not consumed.
    pub(crate) fn into_parts(mut self) -> Result<(Box<dyn Stream>, Vec<u8>)> {
        self.lift_token()?;
        let arrived = self.buffer.bytes().to_vec();
        let broken = |error| Error::from_io(ErrorKind::Io, "taking the connection over", error);
        let mut stream = self.socket.into_stream().map_err(broken)?;
        stream.set_timeouts(None, None).map_err(broken)?;
        Ok((stream, arrived))
    }

    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }

    /// The socket's timeouts for reading and writing, as last set.
    #[cfg(feature = "__rustls")]
    pub(crate) fn ticks(&self) -> (Option<Duration>, Option<Duration>) {
        (self.read_tick, self.write_tick)
    }

    // ---- Reading

    /// Reads once; 0 is the end of the stream. Waits for `read_timeout` from `now`, and not beyond `until` or
    /// the request's deadline.
    #[inline]
    pub(crate) fn read(&mut self, mut room: Room<'_>, until: &Deadline, now: Instant) -> Result<usize> {
        let Limits { deadline, read_timeout, .. } = &self.limits;
        let mut left = [until.remaining_at(now), deadline.remaining_at(now), *read_timeout].into_iter().flatten().min();
        loop {
            self.check_cancelled()?;
            if left == Some(Duration::ZERO) {
                return Err(self.failure(self.read_silence(until, now).error(READING)));
            }
            let tick = fitting_tick(self.read_tick, left, self.must_poll);
            if tick != self.read_tick {
                self.arm_read(tick)?;
            }
            match self.read_socket(&mut room, Socket::read) {
                Ok(0) => {
                    self.check_cancelled()?;
                    return match self.write_error {
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

    /// Reads what has arrived, without waiting; `None` if nothing has.
    pub(crate) fn try_read(&mut self, mut room: Room<'_>) -> Result<Option<usize>> {
        match self.read_socket(&mut room, Socket::try_read) {
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

    /// Returns whether [`append_arrived`](Conn::append_arrived) can be of use.
    pub(crate) fn can_append(&self) -> bool {
        matches!(self.socket, Socket::Tcp(..))
    }

    /// Returns whether it is of use now: no buffered bytes come first, and the last read may have left some.
    pub(crate) fn has_more_to_append(&self) -> bool {
        self.can_append() && self.may_have_more && self.buffer.bytes().is_empty()
    }

    /// Appends what has arrived, without waiting: at most `count` bytes, for which there must be memory.
    /// Buffered bytes come first, so there must be none. The end is left to the next read.
    pub(crate) fn append_arrived(&mut self, bytes: &mut Vec<u8>, count: usize) -> Result<()> {
        debug_assert!(count <= bytes.capacity() - bytes.len(), "no memory is taken here");
        debug_assert!(self.buffer.bytes().is_empty(), "buffered bytes come first");
        self.head_read_at = None;
        match self.socket.append_arrived(bytes, count as u64) {
            Err(error) if !is_retryable(&error) => Err(self.broken("read", error)),
            _ => Ok(()), // whether there is more only the next read knows
        }
    }

    /// Reads once from the socket, by `read`, and notes what the next probe has to know.
    #[inline]
    fn read_socket(
        &mut self,
        into: &mut Room<'_>,
        read: fn(&mut Socket, &mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let room = match into {
            Room::Buffer => self.buffer.room(),
            Room::Slice(slice) => {
                debug_assert!(self.buffer.bytes().is_empty(), "buffered bytes come first");
                slice
            }
        };
        let count = read(&mut self.socket, room)?;
        self.head_read_at = None;
        self.may_have_more = count == room.len() || !self.socket.is_drained();
        if let Room::Buffer = into {
            self.buffer.filled(count);
        }
        Ok(count)
    }

    /// When a read that began at `now` fails for want of a byte.
    fn read_silence(&self, until: &Deadline, now: Instant) -> Deadline {
        let silence = Deadline::of("read_timeout", self.limits.read_timeout, now);
        until.or_sooner(self.limits.deadline).or_sooner(silence)
    }

    // ---- Writing

    /// Sends what was put into the buffer and `body` after it, as much of both as there is room for in one
    /// write. Then flushes the stream.
    #[inline(always)]
    pub(crate) fn send(&mut self, body: &[u8]) -> Result<()> {
        let count = self.buffer.put_what_fits(body);
        if !self.buffer.bytes().is_empty() {
            if let Err(error) = self.write_all(Source::Buffer, self.begun) {
                self.buffer.clear(); // for the response that may have arrived before the write failed
                return Err(error);
            }
        }
        if count < body.len() {
            self.write_all(Source::Slice(&body[count..]), Instant::now())?;
        }
        match self.socket {
            Socket::Tcp(..) => Ok(()), // buffers nothing
            Socket::Other(_) => self.write_all(Source::Buffered, Instant::now()),
        }
    }

    /// Writes once, but waits no longer than `tick`. Returns how many bytes the stream has taken: 0 if it has
    /// only sent some that it had buffered, `None` if it made no progress. `until` is checked first.
    pub(crate) fn write_for(&mut self, bytes: &[u8], tick: Duration, until: Deadline) -> Result<Option<usize>> {
        self.progress_for(&Source::Slice(bytes), tick, until)
    }

    /// Flushes the stream, but waits no longer than `tick`. Returns 0 if it has sent a part of what it had
    /// buffered, `None` if it made no progress.
    pub(crate) fn flush_for(&mut self, tick: Duration, until: Deadline) -> Result<Option<usize>> {
        match self.socket {
            Socket::Tcp(..) => Ok(Some(1)), // buffers nothing
            Socket::Other(_) => self.progress_for(&Source::Buffered, tick, until),
        }
    }

    /// When a write that makes no progress from `now` on fails.
    pub(crate) fn write_silence(&self, now: Instant) -> Deadline {
        Deadline::of("write_timeout", self.limits.write_timeout, now)
    }

    /// Sends the end of the stream.
    pub(crate) fn shutdown_write(&mut self) {
        self.socket.shutdown_write();
    }

    /// Writes everything, which is at least one byte. Waits for `write_timeout` after `now` and after each
    /// progress, and not beyond the deadline.
    #[inline]
    fn write_all(&mut self, mut source: Source<'_>, mut now: Instant) -> Result<()> {
        let mut left = [self.limits.deadline.remaining_at(now), self.limits.write_timeout].into_iter().flatten().min();
        loop {
            if left == Some(Duration::ZERO) {
                let until = self.write_silence(now).or_sooner(self.limits.deadline);
                return Err(self.failure(until.error(SENDING)));
            }
            if let Some(count) = self.try_write(&source, left)? {
                let is_done = match &mut source {
                    Source::Buffer => {
                        self.buffer.consume(count);
                        self.buffer.bytes().is_empty()
                    }
                    Source::Slice(bytes) => {
                        *bytes = &bytes[count..];
                        bytes.is_empty()
                    }
                    Source::Buffered => count > 0,
                };
                if is_done {
                    return Ok(());
                }
                now = Instant::now(); // the peer accepts bytes, however slowly
            }
            left = self.write_silence(now).or_sooner(self.limits.deadline).remaining();
        }
    }

    /// Writes once, but waits no longer than `tick`.
    fn progress_for(&mut self, source: &Source<'_>, tick: Duration, until: Deadline) -> Result<Option<usize>> {
        let until = until.or_sooner(self.limits.deadline);
        let started = Instant::now();
        loop {
            let left = until.remaining().unwrap_or(Duration::MAX);
            if left.is_zero() {
                return Err(self.failure(until.error(SENDING)));
            }
            // Twice the tick, because the socket is armed with half of what is left.
            let count = self.try_write(source, Some(left.min(tick * 2)))?;
            if count.is_some() || started.elapsed() >= tick / 2 {
                return Ok(count);
            } // else it was a signal, which is no lack of progress
        }
    }

    /// Writes once. Returns how many bytes the stream has taken: 0 if it has only sent some that it had
    /// buffered, `None` if it made no progress before the thread woke up.
    #[inline(always)]
    fn try_write(&mut self, source: &Source<'_>, left: Option<Duration>) -> Result<Option<usize>> {
        self.check_cancelled()?;
        let tick = fitting_tick(self.write_tick, left, self.must_poll);
        if tick != self.write_tick {
            self.arm_write(tick)?;
        }
        let bytes_flushed = self.socket.bytes_flushed();
        let written = match source {
            Source::Buffer => self.socket.write(self.buffer.bytes()),
            Source::Slice(bytes) => self.socket.write(bytes),
            Source::Buffered => self.socket.flush().map(|()| 1),
        };
        match written {
            Ok(0) => Err(self.broken("write", io::ErrorKind::WriteZero.into())),
            Ok(count) => {
                if !matches!(source, Source::Buffered) {
                    self.sent += count as u64;
                }
                Ok(Some(count))
            }
            Err(error) if is_retryable(&error) => {
                let has_flushed = self.socket.bytes_flushed() > bytes_flushed;
                Ok(has_flushed.then_some(0))
            }
            Err(error) => {
                // A broken pipe may follow an orderly end of the stream, which a read shall still return.
                self.write_error = Some(error.kind()).filter(|how| *how != io::ErrorKind::BrokenPipe);
                Err(self.broken("write", error))
            }
        }
    }

    // ---- Cancels, errors and ticks

    /// An error if the request was cancelled. Checked before an end or an error of the stream is returned: a
    /// cancel may have caused it.
    #[inline]
    pub(crate) fn check_cancelled(&self) -> Result<()> {
        match &self.limits.token {
            Some(token) => token.check().map_err(|error| error.with_peer(self.peer())),
            None => Ok(()),
        }
    }

    /// An error if the request was cancelled or is out of time: for work that goes on between reads.
    #[cfg(feature = "__coding")]
    pub(crate) fn check_limits(&self, until: &Deadline) -> Result<()> {
        let until = until.or_sooner(self.limits.deadline);
        match until.has_passed() {
            true => Err(self.failure(until.error(READING))),
            false => self.check_cancelled(),
        }
    }

    fn broken(&self, what: &'static str, error: io::Error) -> Error {
        // The stream may have returned one of our errors; it is kept.
        self.failure(Error::from_read(error, what))
    }

    fn failure(&self, error: Error) -> Error {
        match self.check_cancelled() {
            Err(cancelled) => cancelled,
            Ok(()) => error.with_peer(self.peer()),
        }
    }

    fn arm_read(&mut self, tick: Option<Duration>) -> Result<()> {
        self.socket.set_read_timeout(tick, self.write_tick).map_err(|error| self.broken("socket timeout", error))?;
        self.read_tick = tick;
        Ok(())
    }

    fn arm_write(&mut self, tick: Option<Duration>) -> Result<()> {
        self.socket.set_write_timeout(self.read_tick, tick).map_err(|error| self.broken("socket timeout", error))?;
        self.write_tick = tick;
        Ok(())
    }
}

/// The tick to wait with, where `left` is the time that is left: the `armed` one if it fits.
#[inline]
fn fitting_tick(armed: Option<Duration>, left: Option<Duration>, must_poll: bool) -> Option<Duration> {
    let tick = match (armed, left) {
        (Some(armed), Some(left)) if armed <= left && armed >= left / 4 => Some(armed),
        (Some(armed), None) if armed >= TICK_HARMLESS => Some(armed),
        (_, left) => left.map(|left| (left / 2).max(TICK_MIN)),
    };
    if must_poll { Some(tick.map_or(POLL_TICK, |tick| tick.min(POLL_TICK))) } else { tick }
}

/// Returns whether a tick has passed or a signal arrived, and nothing else: then the clock decides. On Unix a
/// tick is EAGAIN; there TimedOut with the system's number (ETIMEDOUT) is the end of the connection, which
/// the kernel reports once, and later reads return 0.
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

    #[test]
    fn a_tick_is_kept_between_a_quarter_and_the_whole_of_what_is_left() {
        let tick = |armed, left| fitting_tick(armed, left, false);
        let secs = |secs| Some(Duration::from_secs(secs));
        assert_eq!(tick(None, secs(60)), secs(30));
        assert_eq!(tick(secs(30), secs(60)), secs(30));
        assert_eq!(tick(secs(30), secs(30)), secs(30));
        assert_eq!(tick(secs(30), secs(20)), secs(10));
        assert_eq!(tick(secs(10), secs(41)), Some(Duration::from_millis(20_500)));
        assert_eq!(tick(secs(10), None), secs(10));
        assert_eq!(tick(Some(TICK_MIN), None), None);
        assert_eq!(tick(None, Some(Duration::from_micros(3))), Some(TICK_MIN));
    }

    #[test]
    fn a_tick_is_short_where_the_token_must_be_polled() {
        let tick = |armed, left| fitting_tick(armed, left, true);
        assert_eq!(tick(None, None), Some(POLL_TICK));
        assert_eq!(tick(Some(TICK_HARMLESS), Some(TICK_HARMLESS)), Some(POLL_TICK));
        assert_eq!(tick(None, Some(POLL_TICK)), Some(POLL_TICK / 2));
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
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_far, peer) = (listener.accept().unwrap().0, near.peer_addr().unwrap());
        let mut conn = Conn::new(Socket::Tcp(Arc::new(near), peer), None, Timings::default(), Instant::now(), 0);
        let limit = Duration::from_millis(80);
        let limits = Limits { deadline: Deadline::after(limit), ..Limits::NONE };
        let started = Instant::now();
        conn.begin(limits, EventIds::default(), started);
        let error = conn.read(Room::Slice(&mut [0; 8]), &Deadline::NONE, started).unwrap_err();
        assert!(error.is_timeout() && started.elapsed() >= limit, "{error} after {:?}", started.elapsed());
    }
}
