//! A connection with TLS on it, as a [`Stream`] (RFC 8446 §5, RFC 5246 §6): plaintext for the caller,
//! records for the socket.
//!
//! rustls encrypts and decrypts but does no I/O; this file moves its records, and never blocks for
//! longer than the socket's timeouts allow. Three things follow from that:
//!
//! - A read waits for the socket at most once. If that brought only a part of a record, it returns
//!   `Interrupted`, and the caller checks its clock before it reads again.
//! - A byte that rustls has accepted counts as written, even where the socket has not taken it yet.
//!   What the socket has taken is counted by `bytes_flushed`, which is how a slow peer is distinguished
//!   from one that takes nothing.
//! - A read may have to write first (a key update, say), and a peer may refuse to read until it was
//!   read from. So neither side is waited for any longer than [`SHORT_TIMEOUT`] while the other one
//!   may have to make progress.
//!
//! What the plaintext means, and how the handshake was done, is not known here.

use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::process;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, ProtocolVersion};

use crate::error::{Error, ErrorKind, Result};
use crate::net::cancel::Hook;
use crate::net::conn::{TICK_HARMLESS, is_retryable};
use crate::net::tls::describe;
use crate::net::transport::Stream;
use crate::net::transport::socket::Socket;

/// Reads that `try_read` does in a row without finding a byte for the caller: a peer may send
/// session tickets for as long as it likes, but is not read from for as long.
const READS_MAX: u32 = 16;

/// How long a write, and then a read, is waited for where either may have to happen first.
const SHORT_TIMEOUT: Duration = Duration::from_millis(10);

/// Small records that are ready at the same time are copied together up to this size, so that they
/// leave in one write: the end of a handshake and a request, say.
const COALESCED_BYTES_MAX: usize = 4 * 1024;

/// Type, version and length of a record (RFC 8446 §5.1, RFC 5246 §6.2.1).
const RECORD_HEADER_BYTES: usize = 5;

/// The content type of handshake messages (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// Where in a record the bytes received so far end. rustls buffers an incomplete record and does not
/// report it.
#[derive(Default)]
pub(crate) struct Records {
    /// Bytes received of the current header, and the last two of them as a number.
    header: usize,
    length: u16,
    /// Bytes of the current record that are missing after its header.
    missing: usize,
    /// A record with handshake messages was received.
    saw_handshake: bool,
}

impl Records {
    /// Advances over bytes that were received.
    pub(crate) fn advance(&mut self, mut bytes: &[u8]) {
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

    /// Returns whether the last record received is incomplete.
    fn is_partial(&self) -> bool {
        self.header > 0 || self.missing > 0
    }
}

/// A connection with TLS on it.
pub(crate) struct TlsStream {
    pub(crate) tls: ClientConnection,
    socket: Socket,
    /// As last set.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    /// The socket has not taken all that rustls has for it.
    is_stalled: bool,
    /// The last read emptied the socket, and received neither a partial record nor the end.
    is_drained: bool,
    /// What was received cannot be decrypted or parsed; plaintext before it can still be read.
    failed: Option<rustls::Error>,
    records: Records,
    /// Bytes that the socket has taken.
    bytes_flushed: u64,
    /// The process that did the handshake, by its id: in any other, this is a copy made by fork.
    process: u32,
}

impl TlsStream {
    /// `ticks`: the timeouts that the handshake has left on the socket. The next user assumes that
    /// none are set, so those that would wake it up all the time are removed.
    pub(crate) fn new(
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
            let failed = |error| Error::from_io(ErrorKind::Io, "socket timeout", error);
            stream.set_timeouts(None, None).map_err(failed)?;
        }
        Ok(stream)
    }

    /// Reads plaintext that is decrypted already; `None` if there is none.
    fn read_plaintext(&mut self, into: &mut [u8]) -> io::Result<Option<usize>> {
        match self.tls.reader().read(into) {
            Ok(count) => {
                if self.is_drained {
                    self.shrink_buffer();
                }
                Ok(Some(count))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            // RFC 8446 §6.1: an end that the peer has not announced may be an attacker's.
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

    /// Returns whether the server has asked for a renegotiation. After the handshake, a TLS 1.2 server
    /// has no other handshake message to send.
    fn has_hello_request(&self) -> bool {
        self.records.saw_handshake && self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_2)
    }

    /// Makes rustls release the room in its buffer for received records, which it does only when it
    /// begins to read: an idle connection may not be read from for long.
    fn shrink_buffer(&mut self) {
        let _ = self.tls.read_tls(&mut Nothing);
    }

    /// Reads once from the socket, and decrypts the records that are complete.
    fn read_records(&mut self, waits: bool) -> io::Result<()> {
        if let Some(error) = &self.failed {
            let error = error.clone();
            return Err(match self.has_hello_request() {
                true => describe::failure_after_hello_request("TLS", error),
                false => describe::failure("TLS", error),
            }
            .into());
        }
        let mut io = ReadIo { socket: &mut self.socket, records: &mut self.records, waits, is_full: false };
        let read = self.tls.read_tls(&mut io);
        let is_drained = !io.is_full;
        self.is_drained = false;
        read?;
        match self.tls.process_new_packets() {
            Ok(state) => self.is_drained = is_drained && !self.records.is_partial() && !state.peer_has_closed(),
            Err(error) => {
                let _ = self.write_records(false); // the alert
                self.failed = Some(error);
            }
        }
        Ok(())
    }

    /// Reads records once, and writes those that are pending. Which of the two the peer will let
    /// happen first cannot be known, so neither is waited for for long.
    fn exchange_records(&mut self) -> io::Result<()> {
        if self.tls.wants_write() {
            match self.read_records(false) {
                Err(error) if is_retryable(&error) => {}
                received => return received,
            }
            match self.with_short_timeout(|stream| stream.write_records(true)) {
                Err(error) if is_retryable(&error) => {
                    let received = self.with_short_timeout(|stream| stream.read_records(true));
                    return received.or_else(|error| if is_retryable(&error) { Ok(()) } else { Err(error) });
                }
                _ => {} // all is written; or the socket failed, and what the peer has sent can still be read
            }
        }
        self.read_records(true)
    }

    fn with_short_timeout(&mut self, act: impl FnOnce(&mut TlsStream) -> io::Result<()>) -> io::Result<()> {
        let usual = (self.read_timeout, self.write_timeout);
        self.set_timeouts(Some(SHORT_TIMEOUT), Some(SHORT_TIMEOUT))?;
        let outcome = act(self);
        self.set_timeouts(usual.0, usual.1)?;
        outcome
    }

    /// Writes the pending records to the socket, for at most the write timeout.
    fn write_records(&mut self, waits: bool) -> io::Result<()> {
        if self.tls.wants_write() {
            self.is_stalled = true;
            let started = Instant::now();
            while self.tls.wants_write() && self.write_timeout.is_none_or(|limit| started.elapsed() < limit) {
                match self.tls.write_tls(&mut WriteIo { socket: &mut self.socket, waits })? {
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
            if let Some(count) = self.read_plaintext(into)? {
                return Ok(count);
            }
            if has_waited && self.read_timeout.is_some() {
                return Err(io::ErrorKind::Interrupted.into()); // a part of a record; the clock decides
            }
            self.exchange_records()?;
            has_waited = true;
        }
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_stalled {
            self.write_records(true)?;
            if self.write_timeout.is_some() {
                return Err(io::ErrorKind::Interrupted.into()); // that took time: the clock decides
            }
        }
        let count = self.tls.writer().write(bytes)?;
        let _ = self.write_records(true); // the next write, or the flush, fails as this did
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_records(true)?;
        self.socket.flush()
    }
}

impl Stream for TlsStream {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        for _ in 0..READS_MAX {
            if let Some(count) = self.read_plaintext(into)? {
                return Ok(count);
            }
            self.read_records(false)?;
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
        self.records.is_partial() || self.socket.has_partial_record()
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
    /// Sends close_notify, if the socket takes it at once. Not from a copy in a forked child: the peer
    /// would take it for the parent's, which goes on using the connection.
    fn drop(&mut self) {
        if self.process == process::id() {
            self.tls.send_close_notify();
            let _ = self.write_records(false);
        }
    }
}

/// The socket as rustls reads from it.
struct ReadIo<'a> {
    socket: &'a mut Socket,
    records: &'a mut Records,
    waits: bool,
    /// The read filled all the room it had: there may be more.
    is_full: bool,
}

impl Read for ReadIo<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = if self.waits { self.socket.read(into) } else { self.socket.try_read(into) };
        let received = &into[..*read.as_ref().unwrap_or(&0)];
        self.is_full = received.len() == into.len();
        self.records.advance(received);
        read
    }
}

/// A socket on which nothing has arrived.
struct Nothing;

impl Read for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// The socket as rustls writes to it.
pub(crate) struct WriteIo<'a> {
    pub(crate) socket: &'a mut Socket,
    pub(crate) waits: bool,
}

impl Write for WriteIo<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waits { self.socket.write(bytes) } else { self.socket.try_write(bytes) }
    }

    fn write_vectored(&mut self, records: &[IoSlice<'_>]) -> io::Result<usize> {
        write_coalesced(self, records)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// Writes records once, small ones copied together. The standard library's vectored write raises
/// SIGPIPE, and a write for each record would be a packet for each.
pub(crate) fn write_coalesced(to: &mut impl Write, records: &[IoSlice<'_>]) -> io::Result<usize> {
    match records {
        [] => Ok(0),
        [first, rest @ ..] if rest.is_empty() || first.len() >= COALESCED_BYTES_MAX => to.write(first),
        _ => {
            let mut coalesced = [0; COALESCED_BYTES_MAX];
            let mut room = &mut coalesced[..];
            for record in records {
                let count = room.write(record)?; // as much as there is room for
                if count < record.len() {
                    break;
                }
            }
            let count = COALESCED_BYTES_MAX - room.len();
            to.write(&coalesced[..count])
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::ClientConfig;
    use rustls::pki_types::ServerName;

    use super::*;

    /// Takes at most this many bytes at once, and keeps what each write was given.
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
        let count = write_coalesced(&mut writes, &slices).expect("it takes all");
        assert!(writes.1.iter().all(|bytes| records.concat().starts_with(bytes)), "in order");
        (count, writes.1.iter().map(Vec::len).collect())
    }

    #[test]
    fn small_records_leave_in_one_write_and_large_ones_are_not_copied() {
        let large: Vec<u8> = (0..=u8::MAX).cycle().take(COALESCED_BYTES_MAX).collect();
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
    fn a_record_is_complete_where_its_header_says_so() {
        let stream = b"\x16\x03\x03\x00\x03abc\x17\x03\x03\x00\x00\x17\x03\x03\x01\x02".iter().copied();
        let stream: Vec<u8> = stream.chain([0; 258]).collect();
        let ends = [0, 8, 13, 13 + 5 + 258];
        for end in 0..=stream.len() {
            for cut in 0..=end {
                let mut records = Records::default();
                records.advance(&stream[..cut]);
                records.advance(&stream[cut..end]);
                assert_eq!(records.is_partial(), !ends.contains(&end), "{cut}, {end}");
            }
        }
    }

    /// Takes this many bytes at a time, and 2 ms for them.
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
    fn a_write_waits_for_its_timeout_at_most_and_counts_what_the_socket_took() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth());
        let hello_sent = |at_once, limit| {
            let tls = ClientConnection::new(config.clone(), ServerName::try_from("a.test").unwrap()).unwrap();
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
