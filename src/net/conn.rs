//! One connection: a socket under the clock, a buffer while it is in use, and its story.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::net::buffer::Buffer;
use crate::net::deadline::Deadline;
use crate::net::line::{Limits, Line};
use crate::net::transport::{Socket, Stream};
use crate::observe::{EventIds, Timings};
use crate::reuse::CloseReason;
use crate::tls_info::TlsInfo;

pub(crate) struct Conn {
    line: Line,
    buffer: Buffer,
    pub(crate) opened: Arc<Opened>,
    /// Exchanges begun, the one under way included.
    pub(crate) exchanges: u32,
    /// Requests that the server will still take, where it has said so.
    pub(crate) requests_left: Option<u64>,
    /// Bytes of the request under way that have left.
    sent: u64,
    /// Bytes have come behind the end of what was asked for.
    is_stray: bool,
    /// The last read filled all the room it had, or did not see all that had come: there may be
    /// more.
    is_unseen: bool,
    /// When the exchange under way began.
    begun: Instant,
    /// When the last bytes had come, if they came with the head. Those that come behind it may be read
    /// long after, and nobody knows since when the server has been waiting.
    heard: Option<Instant>,
    rest: Rest,
    /// Of the exchange under way.
    ids: EventIds,
}

/// How a connection was opened: shared with the responses that come on it.
#[derive(Debug)]
pub(crate) struct Opened {
    /// For events; 0 if the client has no observer.
    pub(crate) id: u64,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) at: Instant,
    /// How long that took; nothing is sent yet, nor waited for.
    pub(crate) took: Timings,
    /// The handshake with the server; `None` without TLS.
    pub(crate) tls: Option<TlsInfo>,
}

/// What an idle connection waits for.
struct Rest {
    since: Instant,
    retires: Instant,
    retires_because: CloseReason,
    /// The next lease must look whether the server has closed or said something.
    probe: bool,
}

impl Conn {
    /// A connection that is open now, after so long.
    pub(crate) fn new(socket: Socket, tls: Option<TlsInfo>, took: Timings, id: u64) -> Conn {
        let now = Instant::now();
        let line = Line::new(socket);
        let (peer, local) = (line.peer(), line.local_addr());
        Conn {
            opened: Arc::new(Opened { id, peer, local, at: now, took, tls }),
            line,
            buffer: Buffer::none(),
            exchanges: 0,
            requests_left: None,
            sent: 0,
            is_stray: false,
            is_unseen: false,
            begun: now,
            heard: None,
            rest: Rest { since: now, retires: now, retires_because: CloseReason::Idle, probe: true },
            ids: EventIds::default(),
        }
    }

    /// Gives it a buffer for the next exchange.
    pub(crate) fn lend(&mut self, buffer: Buffer) {
        self.buffer = buffer;
    }

    /// An exchange begins.
    #[inline]
    pub(crate) fn begin(&mut self, limits: Limits, ids: EventIds, now: Instant) {
        self.ids = EventIds { connection: self.opened.id, ..ids };
        self.begun = now;
        self.exchanges += 1;
        self.sent = 0;
        self.line.begin(limits);
    }

    /// The exchange is over: the buffer is given up. `Err` says why the connection cannot be used
    /// for another.
    #[inline]
    pub(crate) fn finish(&mut self) -> (Buffer, Result<(), CloseReason>) {
        let untouched = self.line.finish();
        let is_stray = self.is_stray || !self.buffer.is_empty();
        let buffer = std::mem::replace(&mut self.buffer, Buffer::none());
        let state = match (untouched, is_stray) {
            (false, _) => Err(CloseReason::Cancelled),
            (true, true) => Err(CloseReason::StrayBytes),
            (true, false) => Ok(()),
        };
        (buffer, state)
    }

    /// The last bytes had come by `now`.
    #[inline]
    pub(crate) fn heard_by(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    /// Since when the server waits for the next request, as far as is known: since the last bytes had
    /// come, which may be long before the caller takes them.
    #[inline]
    pub(crate) fn silent_since(&self) -> Instant {
        self.heard.unwrap_or_else(Instant::now)
    }

    /// Goes to rest until it `retires` at the latest. `unproven`: the last exchange had no body,
    /// so that bytes which came in its stead may still be under way.
    #[inline]
    pub(crate) fn lie_down(&mut self, now: Instant, retires: (Instant, CloseReason), unproven: bool) {
        let probe = unproven || self.is_unseen || self.exchanges < 2 || self.heard.is_none();
        self.rest = Rest { since: now, retires: retires.0, retires_because: retires.1, probe };
    }

    /// Since when it is idle, to the server.
    #[inline]
    pub(crate) fn rests_since(&self) -> Instant {
        self.rest.since
    }

    #[inline]
    pub(crate) fn retires(&self) -> Instant {
        self.rest.retires
    }

    pub(crate) fn retires_because(&self) -> CloseReason {
        self.rest.retires_because
    }

    /// Looks whether the connection is still open and silent, by one read that does not wait: what had
    /// arrived by now is never taken for the answer to a request that was not sent yet. Left out only
    /// where the caller wants that (`probe_after`), and the connection has proved itself just now.
    #[inline]
    pub(crate) fn probe(&mut self, now: Instant, after: Duration) -> Result<(), CloseReason> {
        if !self.rest.probe && now.saturating_duration_since(self.rest.since) < after {
            return Ok(());
        }
        match self.line.try_read(&mut [0; 1]) {
            Ok(None) if !self.line.has_partial_record() => Ok(()),
            Ok(Some(0)) | Err(_) => Err(CloseReason::PeerClosed),
            Ok(_) => Err(CloseReason::StrayBytes),
        }
    }

    pub(crate) fn ids(&self) -> EventIds {
        self.ids
    }

    #[inline]
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.opened.peer
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.line.limits()
    }

    /// Bytes of the request under way that have left this machine.
    #[inline]
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// What has arrived and is not used yet.
    #[inline]
    pub(crate) fn arrived(&self) -> &[u8] {
        self.buffer.bytes()
    }

    #[inline]
    pub(crate) fn consume(&mut self, count: usize) {
        self.buffer.consume(count);
    }

    pub(crate) fn buffer_size(&self) -> usize {
        self.buffer.size()
    }

    /// Bytes behind the end were read, and thrown away: nothing on this connection can be trusted
    /// any more.
    pub(crate) fn mark_stray(&mut self) {
        self.is_stray = true;
    }

    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    /// An error if the request was cancelled.
    pub(crate) fn check_cancelled(&self) -> Result<()> {
        self.line.check_cancelled()
    }

    /// Reads once into the buffer; 0 is the end of the connection.
    #[inline]
    pub(crate) fn fill(&mut self, until: &Deadline, now: Instant) -> Result<usize> {
        let room = self.buffer.room();
        let count = self.line.read(room, until, now)?;
        let is_full = count == room.len();
        self.buffer.filled(count);
        self.came(is_full);
        Ok(count)
    }

    /// Reads into the buffer what has arrived, without waiting: `None` if that is nothing.
    pub(crate) fn try_fill(&mut self) -> Result<Option<usize>> {
        let room = self.buffer.room();
        let count = self.line.try_read(room)?;
        let is_full = count == Some(room.len());
        self.buffer.filled(count.unwrap_or(0));
        self.came(is_full);
        Ok(count)
    }

    /// Reads once past the buffer, which must be empty.
    #[inline]
    pub(crate) fn read_unbuffered(&mut self, into: &mut [u8], until: &Deadline, now: Instant) -> Result<usize> {
        debug_assert!(self.buffer.is_empty(), "what has arrived comes first");
        let count = self.line.read(into, until, now)?;
        self.came(count == into.len());
        Ok(count)
    }

    /// Bytes may have come: as many as there was room for, or fewer.
    #[inline]
    fn came(&mut self, is_full: bool) {
        self.heard = None;
        self.is_unseen = is_full || !self.line.is_drained();
    }

    /// Puts bytes together in the buffer, to be sent by `send_with`.
    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.buffer.put(bytes);
    }

    /// Sends what was put into the buffer, and `body` behind it: in one write with as much of it as
    /// has room there.
    #[inline]
    pub(crate) fn send_with(&mut self, body: &[u8]) -> Result<()> {
        let count = self.buffer.put_what_fits(body);
        let sent = self.line.write_all(self.buffer.bytes(), self.begun, &mut self.sent);
        self.buffer.clear();
        sent?;
        if count < body.len() {
            self.line.write_all(&body[count..], Instant::now(), &mut self.sent)?;
        }
        self.line.flush()
    }

    /// Writes once, without waiting for longer than `tick`: `None` if nothing could be written, 0 if
    /// only what was held back has moved.
    pub(crate) fn send_tick(&mut self, bytes: &[u8], tick: Duration, until: Deadline) -> Result<Option<usize>> {
        let count = self.line.write_tick(bytes, tick, until)?;
        self.sent += count.unwrap_or(0) as u64;
        Ok(count)
    }

    /// Sees to it that what was sent is on its way, without waiting for longer than `tick`: `None`
    /// if nothing moves, 0 if some of it is still held back.
    pub(crate) fn flush_tick(&mut self, tick: Duration, until: Deadline) -> Result<Option<usize>> {
        self.line.flush_tick(tick, until)
    }

    /// Tells the peer that nothing more comes.
    pub(crate) fn shutdown_write(&mut self) {
        self.line.shutdown_write();
    }

    /// When a write that begins now has been silent for too long.
    pub(crate) fn write_silence(&self) -> Deadline {
        self.line.write_silence(Instant::now())
    }

    /// The bare stream and what had arrived on it.
    pub(crate) fn into_parts(mut self) -> Result<(Box<dyn Stream>, Vec<u8>)> {
        if !self.line.finish() {
            return Err(Error::cancelled());
        }
        let arrived = self.buffer.bytes().to_vec();
        let broken = |error| Error::from_io(ErrorKind::Io, "taking the connection over", error);
        let mut stream = self.line.into_socket().into_stream().map_err(broken)?;
        stream.set_timeouts(None, None).map_err(broken)?;
        Ok((stream, arrived))
    }
}
