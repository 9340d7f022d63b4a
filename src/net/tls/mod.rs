//! TLS under a connection (RFC 8446, RFC 5246): the handshake, and the stream that comes of it.
//!
//! rustls does the protocol and this file the waiting: rustls reads from and writes to the socket
//! through it, and whatever interrupts either (a tick, a cancel, a full socket) leaves bytes with
//! rustls, where the next call finds them. What certificates are believed stands in `trust`, and what
//! its errors mean in `describe`. What is spoken inside is not known here: the protocol's ALPN name is
//! handed in (RFC 7301).

mod certificate;
mod describe;
mod trust;

use std::io::{self, IoSlice, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::process;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion};

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::net::cancel::{CancelToken, Hook};
use crate::net::conn::{Conn, Room, TICK_HARMLESS, is_retryable};
use crate::net::deadline::Deadline;
use crate::net::transport::Stream;
use crate::net::transport::socket::Socket;
use crate::observe::{Event, Trace};

/// Reads that `try_read` does in a row without finding a byte for the caller: a peer may send
/// tickets for as long as it likes, but we do not look for as long.
const LOOKS_MAX: u32 = 16;

/// How long a write, and then a read, is waited for where either may have to come first.
const BRIEF: Duration = Duration::from_millis(10);

/// Records that are ready together are put together up to so many bytes, so that they leave in one
/// write: the end of a handshake and a request, say.
const TOGETHER_BYTES_MAX: usize = 4 * 1024;

/// Bytes that are looked at when what came is not TLS.
const FIRST_BYTES: usize = 5;

/// Type, version and length of a record (RFC 8446 §5.1, RFC 5246 §6.2.1).
const RECORD_HEADER_BYTES: usize = 5;

/// The type of a record with messages of a handshake.
const HANDSHAKE: u8 = 22;

/// How connections are wrapped: a client's, or those to a proxy.
pub(crate) struct Tls {
    /// The ALPN name of what is spoken inside.
    protocol: &'static [u8],
    /// What the caller wants; `None`: the default.
    own: Option<Arc<ClientConfig>>,
    /// Made when first needed, because reading the platform's trust store takes a while; then
    /// kept, because it remembers the sessions that can be resumed.
    config: OnceLock<Arc<ClientConfig>>,
}

impl Tls {
    pub(crate) fn new(own: Option<Arc<ClientConfig>>, protocol: &'static [u8]) -> Tls {
        Tls { protocol, own, config: OnceLock::new() }
    }

    /// Does the handshake with `host` on a socket that leads there, before `deadline` passes.
    pub(crate) fn wrap(
        &self,
        socket: Socket,
        host: &str,
        deadline: Deadline,
        token: Option<&CancelToken>,
        trace: Trace<'_>,
    ) -> Result<Socket> {
        let started = Instant::now();
        let stream = self.client(host).and_then(|tls| {
            let handshake = Handshake { tls, host, deadline, said: Said::default() };
            let stream = handshake.run(socket, token)?;
            self.check_protocol(&stream.tls).map_err(|error| error.with_peer(stream.peer_addr()))?;
            Ok(stream)
        });
        let stream = stream.map_err(|error| error.at(Stage::Tls))?;
        let tls = &stream.tls;
        trace.report(|ids| Event::Secured {
            peer: stream.peer_addr(),
            version: tls.protocol_version().and_then(|version| version.as_str()).unwrap_or_default(),
            cipher_suite: tls.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default(),
            resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
            took: started.elapsed(),
            ids,
        });
        Ok(Socket::other(Box::new(stream)))
    }

    fn client(&self, host: &str) -> Result<ClientConnection> {
        let config = self.config()?;
        ClientConnection::new(config, server_name(host)?)
            .map_err(|error| describe::failure(format!("TLS with {host}"), error))
    }

    fn config(&self) -> Result<Arc<ClientConfig>> {
        if let Some(config) = self.config.get() {
            return Ok(config.clone());
        }
        let mut config = match &self.own {
            Some(own) => own.clone(),
            None => Arc::new(trust::default_config()?),
        };
        if config.alpn_protocols.is_empty() {
            Arc::make_mut(&mut config).alpn_protocols = vec![self.protocol.to_vec()];
        }
        Ok(self.config.get_or_init(|| config).clone()) // whoever was first
    }

    /// A config of the caller's may offer more than we speak.
    fn check_protocol(&self, tls: &ClientConnection) -> Result<()> {
        match tls.alpn_protocol() {
            Some(chosen) if chosen != self.protocol => {
                let (chosen, ours) = (chosen.escape_ascii(), self.protocol.escape_ascii());
                let what = format!("TLS: the server chose to speak {chosen}, and only {ours} can be spoken");
                Err(Error::new(ErrorKind::Tls, what))
            }
            _ => Ok(()),
        }
    }
}

/// Whom the certificate must name (RFC 9110 §4.3.4). An address is not sent as SNI (RFC 6066 §3),
/// and neither is the dot that may end a name.
fn server_name(host: &str) -> Result<ServerName<'static>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(ServerName::from(address));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    ServerName::try_from(name.to_owned())
        .map_err(|_| Error::new(ErrorKind::Tls, format!("TLS: no certificate can name {host:?}")))
}

/// The handshake while it lasts.
struct Handshake<'a> {
    tls: ClientConnection,
    host: &'a str,
    deadline: Deadline,
    said: Said,
}

impl Handshake<'_> {
    /// Waits as any request does: by the clock, and with an ear for the token.
    fn run(mut self, socket: Socket, token: Option<&CancelToken>) -> Result<TlsStream> {
        let mut conn = Conn::for_handshake(socket, self.deadline, token);
        let outcome = self.converse(&mut conn);
        let (lifted, peer, ticks) = (conn.lift_limits(), conn.peer(), conn.ticks());
        let mut socket = conn.into_socket();
        match outcome {
            Ok(()) => lifted.and_then(|()| TlsStream::new(self.tls, socket, ticks, self.said.records)),
            Err(error) => {
                let _ = self.tls.write_tls(&mut Outward { socket: &mut socket, waits: false }); // the alert
                let is_late = error.is_timeout();
                Err(if is_late { self.deadline.error(&self.doing()) } else { error }.with_peer(peer))
            }
        }
    }

    /// What is left to be sent at the end goes out together with what the connection is for.
    fn converse(&mut self, conn: &mut Conn) -> Result<()> {
        while self.tls.is_handshaking() {
            self.send(conn)?;
            self.receive(conn)?;
        }
        Ok(())
    }

    fn send(&mut self, conn: &mut Conn) -> Result<()> {
        while self.tls.wants_write() {
            let written = self.tls.write_tls(&mut Waiting { conn, said: &mut self.said });
            if let Err(error) = written {
                return Err(self.said_before(conn).unwrap_or_else(|| self.broken(error)));
            }
        }
        Ok(())
    }

    fn receive(&mut self, conn: &mut Conn) -> Result<()> {
        match self.tls.read_tls(&mut Waiting { conn, said: &mut self.said }) {
            Ok(0) => Err(Error::new(ErrorKind::Tls, format!("{}: the server closed the connection", self.doing()))),
            Ok(_) => self.process(),
            Err(error) => Err(self.broken(error)),
        }
    }

    /// Why the server broke off, if a write failed because of that.
    fn said_before(&mut self, conn: &mut Conn) -> Option<Error> {
        let mut arrived = [0; 1024];
        let count = conn.try_read(Room::Slice(&mut arrived)).ok()??;
        self.said.follow(&arrived[..count]);
        self.tls.read_tls(&mut &arrived[..count]).ok()?;
        self.process().err()
    }

    fn process(&mut self) -> Result<()> {
        match self.tls.process_new_packets() {
            Ok(_) => Ok(()),
            Err(rustls::Error::InvalidMessage(_)) if self.said.is_plain() => {
                Err(Error::new(ErrorKind::Tls, format!("{}: the server speaks plain HTTP on this port", self.doing())))
            }
            Err(error) => Err(describe::failure(self.doing(), error)),
        }
    }

    /// Time and cancels stay what they are. All else that befalls the socket, which may be one with
    /// TLS on it to a proxy, is a handshake that failed.
    fn broken(&self, error: io::Error) -> Error {
        match Error::try_from(error) {
            Ok(error) => match error.kind() {
                ErrorKind::Timeout | ErrorKind::Cancelled => error,
                _ => error.context(ErrorKind::Tls, &self.doing()),
            },
            Err(error) => Error::from_io(ErrorKind::Tls, self.doing(), error),
        }
    }

    fn doing(&self) -> String {
        format!("TLS handshake with {}", self.host)
    }
}

/// What the server has said: how it began, which is kept to tell what it speaks instead of TLS, and
/// where in a record it stands.
#[derive(Default)]
struct Said {
    first: [u8; FIRST_BYTES],
    length: usize,
    records: Records,
}

impl Said {
    fn follow(&mut self, bytes: &[u8]) {
        let count = bytes.len().min(FIRST_BYTES - self.length);
        self.first[self.length..self.length + count].copy_from_slice(&bytes[..count]);
        self.length += count;
        self.records.follow(bytes);
    }

    fn is_plain(&self) -> bool {
        &self.first[..self.length] == b"HTTP/"
    }
}

/// Where in a record the bytes that came end. rustls holds what is not whole yet, and does not say
/// so.
#[derive(Default)]
struct Records {
    /// Bytes of a header that have come, and the last two of them as a number.
    header: usize,
    length: u16,
    /// Bytes of the record behind its header that are missing.
    missing: usize,
    /// A record of the handshake protocol has come.
    saw_handshake: bool,
}

impl Records {
    fn follow(&mut self, mut bytes: &[u8]) {
        while let [byte, rest @ ..] = bytes {
            if self.missing > 0 {
                let count = self.missing.min(bytes.len());
                self.missing -= count;
                bytes = &bytes[count..];
                continue;
            }
            self.header += 1;
            self.saw_handshake |= self.header == 1 && *byte == HANDSHAKE;
            self.length = self.length << 8 | u16::from(*byte);
            bytes = rest;
            if self.header == RECORD_HEADER_BYTES {
                (self.header, self.missing) = (0, self.length.into());
            }
        }
    }

    fn is_amid(&self) -> bool {
        self.header > 0 || self.missing > 0
    }
}

/// The connection as rustls sees it in the handshake.
struct Waiting<'a> {
    conn: &'a mut Conn,
    said: &'a mut Said,
}

impl Read for Waiting<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.conn.read(Room::Slice(into), &Deadline::NONE, Instant::now())?;
        self.said.follow(&into[..count]);
        Ok(count)
    }
}

impl Write for Waiting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.conn.send(bytes)?;
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, records: &[IoSlice<'_>]) -> io::Result<usize> {
        write_together(self, records)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // each write is flushed
    }
}

/// A connection with TLS on it.
///
/// A read waits for the socket at most once, and a write at most as long as it may, so that whoever
/// calls can look at its clock. A byte that rustls was given counts as sent, even where the socket
/// has not taken it yet; that it goes on is seen by `bytes_flushed`.
struct TlsStream {
    tls: ClientConnection,
    socket: Socket,
    /// As last set.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    /// The socket has not taken all that rustls had for it.
    is_stalled: bool,
    /// The last read from the socket left nothing behind in it, and nothing came that ends all.
    is_drained: bool,
    /// What came cannot be decrypted or understood; the bytes before it can still be read.
    failed: Option<rustls::Error>,
    records: Records,
    /// Bytes that the socket has taken.
    bytes_flushed: u64,
    /// The process that did the handshake, by its id. What another one has is a copy, by fork.
    process: u32,
}

impl TlsStream {
    /// `ticks`: the timeouts that the handshake has left on the socket. Whoever comes next believes
    /// that there are none, so those that would wake it up all the time are taken off.
    fn new(
        tls: ClientConnection,
        socket: Socket,
        ticks: (Option<Duration>, Option<Duration>),
        records: Records,
    ) -> Result<TlsStream> {
        let (read_timeout, write_timeout) = ticks;
        let mut stream = TlsStream {
            tls,
            socket,
            read_timeout,
            write_timeout,
            is_stalled: false,
            is_drained: false,
            failed: None,
            records: Records { saw_handshake: false, ..records },
            bytes_flushed: 0,
            process: process::id(),
        };
        if [read_timeout, write_timeout].iter().flatten().any(|tick| *tick < TICK_HARMLESS) {
            let broken = |error| Error::from_io(ErrorKind::Io, "socket timeout", error);
            stream.set_timeouts(None, None).map_err(broken)?;
        }
        Ok(stream)
    }

    /// What has been decrypted and not been read yet; `None` if that is nothing.
    fn take(&mut self, into: &mut [u8]) -> io::Result<Option<usize>> {
        match self.tls.reader().read(into) {
            Ok(count) => {
                if self.is_drained {
                    self.give_room_back();
                }
                Ok(Some(count))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            // RFC 8446 §6.1: an end for which the peer has not vouched may be anybody's doing.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let what = "the connection ended without TLS's close_notify";
                Err(match self.has_hello_request() {
                    true => Error::new(ErrorKind::Truncated, format!("{what}: {}", describe::RENEGOTIATION)),
                    false => Error::new(ErrorKind::Truncated, what),
                }
                .into())
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the server has asked for a renegotiation. Behind the handshake, a server of TLS 1.2 has
    /// no other message of that protocol to send.
    fn has_hello_request(&self) -> bool {
        self.records.saw_handshake && self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_2)
    }

    /// rustls makes its buffer small again where it begins to read into it. Nobody may read here for
    /// long, if the connection is idle now.
    fn give_room_back(&mut self) {
        let _ = self.tls.read_tls(&mut Nothing);
    }

    /// Reads once from the socket, and decrypts what is complete.
    fn receive(&mut self, waits: bool) -> io::Result<()> {
        if let Some(error) = &self.failed {
            let error = error.clone();
            return Err(match self.has_hello_request() {
                true => describe::failure_after_hello_request("TLS", error),
                false => describe::failure("TLS", error),
            }
            .into());
        }
        let mut inward = Inward { socket: &mut self.socket, records: &mut self.records, waits, is_full: false };
        let read = self.tls.read_tls(&mut inward);
        let is_drained = !inward.is_full;
        self.is_drained = false;
        read?;
        match self.tls.process_new_packets() {
            Ok(state) => self.is_drained = is_drained && !self.records.is_amid() && !state.peer_has_closed(),
            Err(error) => {
                let _ = self.push(false); // the alert
                self.failed = Some(error);
            }
        }
        Ok(())
    }

    /// Reads once. What is still to be sent goes out meanwhile; whether the peer will take that or
    /// say something first cannot be known, so that neither is waited for for long.
    fn wait(&mut self) -> io::Result<()> {
        if self.tls.wants_write() {
            match self.receive(false) {
                Err(error) if is_retryable(&error) => {}
                received => return received,
            }
            match self.briefly(|stream| stream.push(true)) {
                Err(error) if is_retryable(&error) => {
                    let received = self.briefly(|stream| stream.receive(true));
                    return received.or_else(|error| if is_retryable(&error) { Ok(()) } else { Err(error) });
                }
                _ => {} // all is sent; or it is broken, and what the peer has said can still be read
            }
        }
        self.receive(true)
    }

    fn briefly(&mut self, act: impl FnOnce(&mut TlsStream) -> io::Result<()>) -> io::Result<()> {
        let usual = (self.read_timeout, self.write_timeout);
        self.set_timeouts(Some(BRIEF), Some(BRIEF))?;
        let outcome = act(self);
        self.set_timeouts(usual.0, usual.1)?;
        outcome
    }

    /// Gives the socket what rustls has for the peer, for as long as a write may wait.
    fn push(&mut self, waits: bool) -> io::Result<()> {
        if self.tls.wants_write() {
            self.is_stalled = true;
            let started = Instant::now();
            while self.tls.wants_write() && self.write_timeout.is_none_or(|limit| started.elapsed() < limit) {
                match self.tls.write_tls(&mut Outward { socket: &mut self.socket, waits })? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    count => self.bytes_flushed += count as u64,
                }
            }
            self.is_stalled = self.tls.wants_write();
        }
        if self.is_stalled { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }
}

impl Read for TlsStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let mut has_waited = false;
        loop {
            if let Some(count) = self.take(into)? {
                return Ok(count);
            }
            if has_waited && self.read_timeout.is_some() {
                return Err(io::ErrorKind::Interrupted.into()); // a part of a record; the clock decides
            }
            self.wait()?;
            has_waited = true;
        }
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_stalled {
            self.push(true)?;
            if self.write_timeout.is_some() {
                return Err(io::ErrorKind::Interrupted.into()); // it was time: the clock decides
            }
        }
        let count = self.tls.writer().write(bytes)?;
        let _ = self.push(true); // a failure meets the next write, or the flush
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.push(true)?;
        self.socket.flush()
    }
}

impl Stream for TlsStream {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        for _ in 0..LOOKS_MAX {
            if let Some(count) = self.take(into)? {
                return Ok(count);
            }
            self.receive(false)?;
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        if read != self.read_timeout {
            self.socket.set_read_timeout(read, write)?;
            self.read_timeout = read;
        }
        if write != self.write_timeout {
            self.socket.set_write_timeout(read, write)?;
            self.write_timeout = write;
        }
        Ok(())
    }

    fn shutdown_handle(&self) -> Option<Hook> {
        self.socket.shutdown_handle()
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.socket.peer_addr()
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.local_addr()
    }

    fn is_drained(&self) -> bool {
        self.is_drained && self.socket.is_drained()
    }

    fn has_partial_record(&self) -> bool {
        self.records.is_amid() || self.socket.has_partial_record()
    }

    fn bytes_flushed(&self) -> u64 {
        self.bytes_flushed + self.socket.bytes_flushed()
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.tls.send_close_notify();
        self.flush()
    }
}

impl Drop for TlsStream {
    /// Sends close_notify, if the socket takes it at once. Not where this is a forked child's copy:
    /// the peer would take it for the parent's, which goes on using the connection.
    fn drop(&mut self) {
        if self.process == process::id() {
            self.tls.send_close_notify();
            let _ = self.push(false);
        }
    }
}

/// The socket as rustls reads it.
struct Inward<'a> {
    socket: &'a mut Socket,
    records: &'a mut Records,
    waits: bool,
    /// The read filled all the room it had: there may be more.
    is_full: bool,
}

impl Read for Inward<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = if self.waits { self.socket.read(into) } else { self.socket.try_read(into) };
        let arrived = &into[..*read.as_ref().unwrap_or(&0)];
        self.is_full = arrived.len() == into.len();
        self.records.follow(arrived);
        read
    }
}

/// A socket on which nothing has come.
struct Nothing;

impl Read for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// The socket as rustls writes to it.
struct Outward<'a> {
    socket: &'a mut Socket,
    waits: bool,
}

impl Write for Outward<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waits { self.socket.write(bytes) } else { self.socket.try_write(bytes) }
    }

    fn write_vectored(&mut self, records: &[IoSlice<'_>]) -> io::Result<usize> {
        write_together(self, records)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// What small records are copied for: the standard library's gathering write raises SIGPIPE, and a
/// write for each would be a packet for each.
fn write_together(to: &mut impl Write, records: &[IoSlice<'_>]) -> io::Result<usize> {
    match records {
        [] => Ok(0),
        [first, rest @ ..] if rest.is_empty() || first.len() >= TOGETHER_BYTES_MAX => to.write(first),
        _ => {
            let mut together = [0; TOGETHER_BYTES_MAX];
            let mut room = &mut together[..];
            for record in records {
                let count = room.write(record)?; // as much as there is room for
                if count < record.len() {
                    break;
                }
            }
            let count = TOGETHER_BYTES_MAX - room.len();
            to.write(&together[..count])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes at most so many bytes at once, and keeps what each write was given.
    struct Writes(usize, Vec<Vec<u8>>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.push(bytes.to_vec());
            Ok(bytes.len().min(self.0))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What was taken of these records, and the lengths of the writes; the bytes are checked.
    fn written(at_most: usize, records: &[&[u8]]) -> (usize, Vec<usize>) {
        let slices: Vec<IoSlice<'_>> = records.iter().map(|record| IoSlice::new(record)).collect();
        let mut writes = Writes(at_most, Vec::new());
        let count = write_together(&mut writes, &slices).expect("it takes all");
        assert!(writes.1.iter().all(|bytes| records.concat().starts_with(bytes)), "in order");
        (count, writes.1.iter().map(Vec::len).collect())
    }

    #[test]
    fn small_records_leave_in_one_write_and_large_ones_are_not_copied() {
        let large: Vec<u8> = (0..=u8::MAX).cycle().take(TOGETHER_BYTES_MAX).collect();
        let check = |at_most, records: &[&[u8]], count, writes: &[usize]| {
            assert_eq!(written(at_most, records), (count, writes.to_vec()));
        };
        check(9_999, &[], 0, &[]);
        check(9_999, &[b"one"], 3, &[3]);
        check(9_999, &[b"one", b"", b"two", b"three"], 11, &[11]);
        check(4, &[b"one", b"two"], 4, &[6]);
        check(9_999, &[&large, b"one"], 4_096, &[4_096]);
        check(9_999, &[b"one", &large, b"two"], 4_096, &[4_096]);
        check(9_999, &[&large[1..], b"1", b"2"], 4_096, &[4_096]);
    }

    #[test]
    fn a_record_is_whole_where_its_header_says_so() {
        let stream = b"\x16\x03\x03\x00\x03abc\x17\x03\x03\x00\x00\x17\x03\x03\x01\x02".iter().copied();
        let stream: Vec<u8> = stream.chain([0; 258]).collect();
        let ends = [0, 8, 13, 13 + 5 + 258];
        for end in 0..=stream.len() {
            for cut in 0..=end {
                let mut records = Records::default();
                records.follow(&stream[..cut]);
                records.follow(&stream[cut..end]);
                assert_eq!(records.is_amid(), !ends.contains(&end), "{cut}, {end}");
            }
        }
    }

    /// Takes so many bytes at a time, and a while for them.
    struct Slow(usize);

    impl Read for Slow {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            std::thread::sleep(Duration::from_millis(2));
            Ok(bytes.len().min(self.0))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Stream for Slow {
        fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.read(into)
        }

        fn set_timeouts(&mut self, _: Option<Duration>, _: Option<Duration>) -> io::Result<()> {
            Ok(())
        }

        fn shutdown_handle(&self) -> Option<Hook> {
            None
        }

        fn peer_addr(&self) -> Option<SocketAddr> {
            None
        }
    }

    #[test]
    fn a_write_waits_for_as_long_as_it_may_and_says_what_has_gone_on() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth());
        let hello_sent = |at_once, limit| {
            let tls = ClientConnection::new(config.clone(), server_name("a.test").unwrap()).unwrap();
            let socket = Socket::other(Box::new(Slow(at_once)));
            let mut stream = TlsStream::new(tls, socket, (None, None), Records::default()).unwrap();
            stream.set_timeouts(None, limit).unwrap();
            (stream.flush().map_err(|error| error.kind()), stream.bytes_flushed())
        };
        let (whole, bytes) = hello_sent(100, None);
        assert!(whole == Ok(()) && bytes > 200, "{whole:?} after {bytes} bytes");
        assert_eq!(hello_sent(100, Some(Duration::from_millis(1))), (Err(io::ErrorKind::WouldBlock), 100));
        assert_eq!(hello_sent(0, None), (Err(io::ErrorKind::WriteZero), 0));
    }
}
