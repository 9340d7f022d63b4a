//! The TLS handshake on a new connection (RFC 8446 §4, RFC 5246 §7.4), under the request's clock and token.
//!
//! rustls decides what to send and what the peer's messages mean; this file waits for the socket. A
//! wait that is interrupted (by a tick, a cancel, a full socket) leaves its bytes with rustls, where the
//! next call finds them. What certificates are trusted is decided in `verify`.

use std::io::{self, IoSlice, Read, Write};
use std::net::IpAddr;
use std::time::Instant;

use rustls::pki_types::ServerName;
use rustls::{CipherSuite, ClientConnection, HandshakeKind, ProtocolVersion};

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::net::cancel::CancelToken;
use crate::net::conn::{Conn, Room};
use crate::net::deadline::Deadline;
use crate::net::tls::describe;
use crate::net::tls::settings::Tls;
use crate::net::tls::stream::{Records, TlsStream, WriteIo, write_coalesced};
use crate::net::transport::Stream;
use crate::net::transport::socket::Socket;
use crate::observe::{Event, Trace};
use crate::tls_info::{ALPN, TlsInfo, TlsVersion};

/// As many bytes as tell an HTTP response from a TLS record.
const PREFIX_BYTES: usize = 5;

impl Tls {
    /// Does the handshake with `host` on a socket that leads there, before `deadline` passes.
    pub(crate) fn wrap(
        &self,
        socket: Socket,
        host: &str,
        deadline: Deadline,
        token: Option<&CancelToken>,
        trace: Trace<'_>,
    ) -> Result<(Socket, TlsInfo)> {
        let started = Instant::now();
        let stream = self.client(host).and_then(|tls| {
            let (prefix, records) = (PeerPrefix::default(), Records::default());
            let stream = Handshake { tls, host, deadline, prefix, records }.run(socket, token)?;
            check_protocol(&stream.tls).map_err(|error| error.with_peer(stream.peer_addr()))?;
            Ok(stream)
        });
        let stream = stream.map_err(|error| error.at(Stage::Tls))?;
        let info = info(&stream.tls);
        trace.report(|ids| Event::Secured {
            peer: stream.peer_addr(),
            version: info.version.as_str(),
            cipher_suite: info.cipher_suite,
            resumed: info.is_resumed,
            took: started.elapsed(),
            ids,
        });
        Ok((Socket::other(Box::new(stream)), info))
    }

    fn client(&self, host: &str) -> Result<ClientConnection> {
        let config = self.config()?;
        ClientConnection::new(config, server_name(host)?)
            .map_err(|error| describe::failure(format!("TLS with {host}"), error))
    }
}

/// The name that the certificate must be for (RFC 9110 §4.3.4). An address is not sent as SNI (RFC 6066
/// §3), and neither is the dot that may end a name.
fn server_name(host: &str) -> Result<ServerName<'static>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(ServerName::from(address));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    ServerName::try_from(name.to_owned())
        .map_err(|_| Error::new(ErrorKind::Tls, format!("TLS: no certificate can name {host:?}")))
}

/// An error if another protocol was negotiated: a configuration of rustls may offer more than one.
fn check_protocol(tls: &ClientConnection) -> Result<()> {
    match tls.alpn_protocol() {
        Some(chosen) if chosen != ALPN.as_bytes() => {
            let chosen = chosen.escape_ascii();
            let what = format!("TLS: the server chose the protocol {chosen}, and only {ALPN} is supported");
            Err(Error::new(ErrorKind::Tls, what))
        }
        _ => Ok(()),
    }
}

/// What a completed handshake has agreed on.
fn info(tls: &ClientConnection) -> TlsInfo {
    let certificates = tls.peer_certificates().unwrap_or_default();
    TlsInfo {
        version: match tls.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
            _ => TlsVersion::Tls13, // rustls has no other
        },
        cipher_suite: tls.negotiated_cipher_suite().map_or("", |suite| iana_name(suite.suite())),
        protocol: tls.alpn_protocol().map(|_| ALPN),
        is_resumed: tls.handshake_kind() == Some(HandshakeKind::Resumed),
        peer_certificates: certificates.iter().map(|certificate| certificate.to_vec()).collect(),
    }
}

/// IANA's name. rustls puts the version into those of TLS 1.3.
fn iana_name(suite: CipherSuite) -> &'static str {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        other => other.as_str().unwrap_or_default(),
    }
}

/// The handshake while it lasts.
struct Handshake<'a> {
    tls: ClientConnection,
    host: &'a str,
    deadline: Deadline,
    prefix: PeerPrefix,
    records: Records,
}

impl Handshake<'_> {
    /// Waits as any request does: by the clock, until the token is cancelled.
    fn run(mut self, socket: Socket, token: Option<&CancelToken>) -> Result<TlsStream> {
        let mut conn = Conn::for_handshake(socket, self.deadline, token);
        let outcome = self.negotiate(&mut conn);
        let (lifted, peer, ticks) = (conn.lift_token(), conn.peer(), conn.ticks());
        let mut socket = conn.into_socket();
        match outcome {
            Ok(()) => lifted.and_then(|()| TlsStream::new(self.tls, socket, ticks, self.records)),
            Err(error) => {
                let _ = self.tls.write_tls(&mut WriteIo { socket: &mut socket, waits: false }); // the alert
                let is_late = error.is_timeout();
                Err(if is_late { self.deadline.error(&self.context()) } else { error }.with_peer(peer))
            }
        }
    }

    /// The last records stay with rustls, and leave in one write with the first of the request.
    fn negotiate(&mut self, conn: &mut Conn) -> Result<()> {
        while self.tls.is_handshaking() {
            self.write_records(conn)?;
            self.read_records(conn)?;
        }
        Ok(())
    }

    fn write_records(&mut self, conn: &mut Conn) -> Result<()> {
        while self.tls.wants_write() {
            let io = &mut HandshakeIo { conn, prefix: &mut self.prefix, records: &mut self.records };
            if let Err(error) = self.tls.write_tls(io) {
                return Err(self.pending_alert(conn).unwrap_or_else(|| self.io_error(error)));
            }
        }
        Ok(())
    }

    fn read_records(&mut self, conn: &mut Conn) -> Result<()> {
        match self.tls.read_tls(&mut HandshakeIo { conn, prefix: &mut self.prefix, records: &mut self.records }) {
            Ok(0) => {
                let end = io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection");
                Err(Error::from_io(ErrorKind::Tls, self.context(), end))
            }
            Ok(_) => self.process(),
            Err(error) => Err(self.io_error(error)),
        }
    }

    /// Returns why the server closed the connection, if a write failed because of that.
    fn pending_alert(&mut self, conn: &mut Conn) -> Option<Error> {
        let mut received = [0; 1024];
        let count = conn.try_read(Room::Slice(&mut received)).ok()??;
        self.prefix.extend(&received[..count]);
        self.tls.read_tls(&mut &received[..count]).ok()?;
        self.process().err()
    }

    fn process(&mut self) -> Result<()> {
        match self.tls.process_new_packets() {
            Ok(_) => Ok(()),
            Err(rustls::Error::InvalidMessage(_)) if self.prefix.is_http() => Err(Error::new(
                ErrorKind::Tls,
                format!("{}: the server speaks plain HTTP on this port", self.context()),
            )),
            Err(error) => Err(describe::failure(self.context(), error)),
        }
    }

    /// Timeouts and cancels keep their kind. All other errors of the socket, which may be one with TLS
    /// to a proxy on it, are a failed handshake.
    fn io_error(&self, error: io::Error) -> Error {
        match Error::try_from(error) {
            Ok(error) => match error.kind() {
                ErrorKind::Timeout | ErrorKind::Cancelled => error,
                _ => error.context(ErrorKind::Tls, &self.context()),
            },
            Err(error) => Error::from_io(ErrorKind::Tls, self.context(), error),
        }
    }

    fn context(&self) -> String {
        format!("TLS handshake with {}", self.host)
    }
}

/// The first bytes that the peer has sent, kept to recognize another protocol.
#[derive(Default)]
struct PeerPrefix {
    bytes: [u8; PREFIX_BYTES],
    length: usize,
}

impl PeerPrefix {
    fn extend(&mut self, received: &[u8]) {
        let count = received.len().min(PREFIX_BYTES - self.length);
        self.bytes[self.length..self.length + count].copy_from_slice(&received[..count]);
        self.length += count;
    }

    fn is_http(&self) -> bool {
        &self.bytes[..self.length] == b"HTTP/"
    }
}

/// The socket as rustls reads and writes it during the handshake.
struct HandshakeIo<'a> {
    conn: &'a mut Conn,
    prefix: &'a mut PeerPrefix,
    records: &'a mut Records,
}

impl Read for HandshakeIo<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.conn.read(Room::Slice(into), &Deadline::NONE, Instant::now())?;
        self.prefix.extend(&into[..count]);
        self.records.advance(&into[..count]);
        Ok(count)
    }
}

impl Write for HandshakeIo<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.conn.send(bytes)?;
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, records: &[IoSlice<'_>]) -> io::Result<usize> {
        write_coalesced(self, records)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // each write is flushed
    }
}
