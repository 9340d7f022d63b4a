//! Through a proxy: the handshake that makes a connection to a proxy one to the server behind it.
//! CONNECT (RFC 9110 §9.3.6) with an HTTP proxy, RFC 1928 and RFC 1929 with a SOCKS5 proxy.
//!
//! The only file of `net` that uses `wire`. It knows one proxy and one destination; which proxy is
//! for which URL is decided above. A proxy is not trusted more than a server is: whatever it says
//! is bounded, and everything is over when the deadline is.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
#[cfg(feature = "__rustls")]
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::headers::Headers;
use crate::method::Method;
use crate::net::buffer::Buffer;
use crate::net::cancel::CancelToken;
use crate::net::conn::{Conn, Room};
use crate::net::deadline::Deadline;
#[cfg(feature = "__rustls")]
use crate::net::tls::Tls;
use crate::net::transport::Socket;
use crate::redact::excerpt;
use crate::status::StatusCode;
use crate::wire::challenge;
use crate::wire::decode::Decoder;
use crate::wire::framing;
use crate::wire::head::{Head, HeadLimits};
use crate::wire::head_lines::InvalidLines;
use crate::wire::head_parser::HeadParser;
use crate::wire::step::Step;

/// An answer to CONNECT is a status and, at the worst, the challenges of a few schemes.
const HEAD_LIMITS: HeadLimits = HeadLimits { bytes_max: 16 * 1024, fields_max: 64 };

/// Bytes of a refusal's body that are kept: enough for what people write on such a page.
const REFUSAL_BYTES_MAX: usize = 8 * 1024;

/// How long a refusal's body is waited for: that the proxy refuses is known already.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(1);

/// What an HTTP proxy's handshake is called in errors, and a SOCKS5 proxy's.
const CONNECTING: &str = "the proxy's answer to CONNECT";
const GREETING: &str = "the SOCKS5 handshake with the proxy";

/// How a request gets to its server.
#[derive(Clone, Copy)]
pub(crate) enum Route<'a> {
    Direct,
    /// The proxy is asked for the URL, with these fields for it alone, and asks the server itself.
    Forward {
        relay: &'a ProxyServer,
        fields: &'a Headers,
    },
    /// The proxy makes a tunnel, and the server is asked through it.
    Tunnel(&'a ProxyServer),
}

impl<'a> Route<'a> {
    /// The proxy on the way, if there is one.
    pub(crate) fn relay(self) -> Option<&'a ProxyServer> {
        match self {
            Route::Direct => None,
            Route::Forward { relay, .. } | Route::Tunnel(relay) => Some(relay),
        }
    }
}

/// A proxy: where it is and what it speaks.
#[derive(Clone)]
pub(crate) struct ProxyServer {
    /// `scheme://host:port`, to be shown and to tell connections reject_self_connect.
    pub(crate) name: String,
    /// A name or an IP address; IPv6 without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) speaks: ProxyProtocol,
    /// It may be used although an address filter cannot see behind it.
    pub(crate) is_trusted: bool,
    /// How TLS is spoken to it; `None`: as to servers.
    #[cfg(feature = "__rustls")]
    pub(crate) tls: Option<Arc<Tls>>,
}

#[derive(Clone)]
pub(crate) enum ProxyProtocol {
    Http {
        /// It is spoken to through TLS.
        is_https: bool,
        /// Fields for it alone, its credentials among them.
        fields: Headers,
    },
    Socks5 {
        /// Who looks the server's name up.
        names: Dns,
        login: Option<Credentials>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dns {
    Local,
    Remote,
}

/// User and password, of 1 to 255 bytes each (RFC 1929 §2).
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

impl ProxyServer {
    /// Whether it must be spoken to through TLS.
    pub(crate) fn is_https(&self) -> bool {
        matches!(self.speaks, ProxyProtocol::Http { is_https: true, .. })
    }

    /// The fields that it alone is sent; a SOCKS5 proxy has none.
    pub(crate) fn fields(&self) -> Option<&Headers> {
        match &self.speaks {
            ProxyProtocol::Http { fields, .. } => Some(fields),
            ProxyProtocol::Socks5 { .. } => None,
        }
    }
}

impl fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name) // and no credentials
    }
}

/// Where a tunnel shall lead.
#[derive(Clone, Copy)]
pub(crate) enum Destination<'a> {
    /// A host, which the proxy looks up unless it is an IP address, and a port.
    Host(&'a str, u16),
    Address(SocketAddr),
}

/// What came of a handshake that the proxy took part in.
pub(crate) enum Outcome {
    Open(Socket),
    /// It cannot reach this very destination; another address of the same name may do.
    Unreachable(Error),
}

/// Has the proxy at the other end of `socket` make a tunnel to `to`, before `deadline` passes. To an
/// HTTP proxy `user_agent` says who asks, unless it is empty.
pub(crate) fn open(
    socket: Socket,
    relay: &ProxyServer,
    user_agent: &[u8],
    to: Destination<'_>,
    deadline: Deadline,
    token: Option<&CancelToken>,
) -> Result<Outcome> {
    let mut conn = Conn::for_handshake(socket, deadline, token);
    let peer = conn.peer();
    let (outcome, doing) = match &relay.speaks {
        ProxyProtocol::Http { fields, .. } => (connect(&mut conn, to, user_agent, fields).map(|()| None), CONNECTING),
        ProxyProtocol::Socks5 { login, .. } => (socks5(&mut conn, to, login.as_ref()), GREETING),
    };
    let lifted = conn.lift_limits();
    let outcome = outcome.map_err(|error| match error.kind() {
        ErrorKind::Cancelled | ErrorKind::Proxy => error,
        ErrorKind::Timeout => deadline.error(doing),
        ErrorKind::Tls => error.context(ErrorKind::Tls, doing), // the proxy's part of it, which comes late
        _ => error.context(ErrorKind::Proxy, doing),
    });
    match outcome.and_then(|outcome| lifted.map(|()| outcome)).map_err(|error| error.with_peer(peer))? {
        Some(unreachable) => Ok(Outcome::Unreachable(unreachable.with_peer(peer))),
        None => Ok(Outcome::Open(without_timeouts(conn.into_socket())?)),
    }
}

/// The handshake's own ticks are no business of who comes next.
fn without_timeouts(mut socket: Socket) -> Result<Socket> {
    let broken = |error| Error::from_io(ErrorKind::Proxy, "socket timeout", error);
    socket.set_read_timeout(None, None).map_err(broken)?;
    socket.set_write_timeout(None, None).map_err(broken)?;
    Ok(socket)
}

fn refused(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Proxy, what)
}

/// What the proxy says is not what it should; of which handshake it is a part is said by `open`.
fn malformed(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Framing, what)
}

/// The server behind speaks only when asked, so bytes that are here already, read or not, are not
/// its.
fn reject_early_data(conn: &mut Conn, arrived: &[u8]) -> Result<()> {
    let behind = match arrived.len() {
        0 => conn.try_read(Room::Slice(&mut [0; 1]))?,
        count => Some(count),
    };
    match behind {
        None => Ok(()),
        Some(0) => Err(malformed("the connection ended behind it")),
        Some(_) => Err(malformed("bytes came behind it, before the server was asked")),
    }
}

// ---- HTTP

/// RFC 9110 §9.3.6: whatever is not 2xx is a refusal.
fn connect(conn: &mut Conn, to: Destination<'_>, user_agent: &[u8], fields: &Headers) -> Result<()> {
    let authority = authority(to);
    conn.send(&connect_head(&authority, user_agent, fields))?;
    let mut buffer = Buffer::new(1024);
    let head = final_head(conn, &mut buffer)?;
    if !head.status.is_success() {
        return Err(refusal(conn, &mut buffer, &head, &authority, fields.get_bytes("proxy-authorization")));
    }
    // Content-Length and Transfer-Encoding mean nothing here.
    reject_early_data(conn, buffer.bytes())
}

/// `host:port`, with the port always and IPv6 in brackets (RFC 9112 §3.2.3).
fn authority(to: Destination<'_>) -> String {
    match to {
        Destination::Host(host, port) if host.as_bytes().contains(&b':') => format!("[{host}]:{port}"),
        Destination::Host(host, port) => format!("{host}:{port}"),
        Destination::Address(address) => address.to_string(),
    }
}

/// Host first (RFC 9110 §7.2), then who asks, then what is for this proxy alone, which may say who
/// asks in its own way.
fn connect_head(authority: &str, user_agent: &[u8], fields: &Headers) -> Vec<u8> {
    let mut head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    let mut put = |name: &str, value: &[u8]| head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    if !user_agent.is_empty() && !fields.contains("user-agent") {
        put("User-Agent", user_agent);
    }
    fields.iter().for_each(|(name, value)| put(name, value));
    head.extend(b"\r\n");
    head
}

/// The first head that is not interim. 101 is no answer to CONNECT, and so a refusal.
fn final_head(conn: &mut Conn, buffer: &mut Buffer) -> Result<Head> {
    let mut parser = HeadParser::new(HEAD_LIMITS, InvalidLines::Refused);
    loop {
        if let Some(head) = parser.parse(buffer.bytes())? {
            buffer.consume(head.bytes);
            if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(head);
            }
            parser.skip_interim(&head)?;
            continue;
        }
        if fill(conn, buffer, Deadline::none())? == 0 {
            return Err(parser.eof(buffer.bytes()));
        }
    }
}

fn fill(conn: &mut Conn, buffer: &mut Buffer, until: Deadline) -> Result<usize> {
    let count = conn.read(Room::Slice(buffer.room()), &until, Instant::now())?;
    buffer.filled(count);
    Ok(count)
}

/// What is said of an answer that is not 2xx, with its head and the beginning of its body.
fn refusal(conn: &mut Conn, buffer: &mut Buffer, head: &Head, authority: &str, credentials: Option<&[u8]>) -> Error {
    let mut answer = head.raw().to_vec();
    if let Err(cancelled) = append_body(conn, buffer, head, &mut answer) {
        return cancelled;
    }
    let status = head.status;
    let hint = match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => missing_credentials(head, credentials),
        _ => String::new(),
    };
    let reason = excerpt(head.reason().as_bytes());
    let what = format!("the proxy refused a tunnel to {authority}: {} {reason}{hint}", status.as_u16());
    refused(what).with_status(status).with_proxy_answer(answer)
}

/// What to do about a 407 (RFC 9110 §15.5.8), by the schemes that it offers. Of the credentials that
/// it was given nothing is shown, not their scheme either: a bare token would be taken for one.
fn missing_credentials(head: &Head, given: Option<&[u8]>) -> String {
    let offered = challenge::schemes(head.headers.get_all("proxy-authenticate"));
    let is_given = |scheme: &&str| given.is_some_and(|given| begins_with_scheme(given, scheme));
    if given.is_some() && (offered.is_empty() || offered.iter().any(is_given)) {
        return "; it does not take the credentials that it was given".to_owned();
    }
    let wants = if given.is_some() { "it does not take such credentials" } else { "it wants credentials" };
    if offered.is_empty() {
        return format!("; {wants}, and does not say of which scheme");
    }
    let is_basic = offered.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic"));
    let remedy = if is_basic { "Proxy::basic_auth" } else { "Proxy::header" };
    format!("; {wants}, and offers {} ({remedy})", excerpt(offered.join(", ").as_bytes()))
}

/// Whether credentials are of that scheme, which a blank ends (RFC 9110 §11.4).
fn begins_with_scheme(credentials: &[u8], scheme: &str) -> bool {
    let end = credentials.iter().position(|byte| *byte == b' ').unwrap_or(credentials.len());
    credentials[..end].eq_ignore_ascii_case(scheme.as_bytes())
}

/// As much of the body as comes soon: the refusal is one without it, too.
fn append_body(conn: &mut Conn, buffer: &mut Buffer, head: &Head, answer: &mut Vec<u8>) -> Result<()> {
    // The method is that of any request with a body in its answer: this is no 2xx.
    let Ok(framing) = framing::of_response(&Method::GET, head) else { return Ok(()) };
    let mut decoder = Decoder::new(framing);
    let patience = Deadline::of("", Some(REFUSAL_PATIENCE), Instant::now());
    let full = answer.len() + REFUSAL_BYTES_MAX;
    while answer.len() < full {
        match decoder.step(buffer.bytes()) {
            Ok(Step::Data { skip, len }) => {
                let data = &buffer.bytes()[skip..skip + len];
                answer.extend_from_slice(&data[..len.min(full - answer.len())]);
                decoder.advance(len);
                buffer.consume(skip + len);
            }
            Ok(Step::More { skip }) => {
                buffer.consume(skip);
                match fill(conn, buffer, patience) {
                    Ok(1..) => {}
                    Err(error) if error.is_cancelled() => return Err(error),
                    Ok(0) | Err(_) => break,
                }
            }
            Ok(Step::End { .. }) | Err(_) => break,
        }
    }
    Ok(())
}

// ---- SOCKS5

const VERSION: u8 = 5;
const LOGIN_VERSION: u8 = 1;
const NO_LOGIN: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// RFC 1928 §3 to §6. `Some`: this destination cannot be reached.
fn socks5(conn: &mut Conn, to: Destination<'_>, login: Option<&Credentials>) -> Result<Option<Error>> {
    let request = socks5_request(to)?;
    // The version, how many methods, and these.
    let greeting: &[u8] = match login {
        Some(_) => &[VERSION, 2, NO_LOGIN, USER_AND_PASSWORD],
        None => &[VERSION, 1, NO_LOGIN],
    };
    conn.send(greeting)?;
    let [version, method] = read(conn)?;
    check_version(version)?;
    match (method, login) {
        (NO_LOGIN, _) => {}
        (USER_AND_PASSWORD, Some(login)) => log_in(conn, login)?,
        (NO_METHOD, None) => {
            return Err(refused("the proxy wants credentials, or what longwire cannot give (Proxy::basic_auth)"));
        }
        (NO_METHOD, Some(_)) => return Err(refused("the proxy takes no login by user and password")),
        (other, _) => return Err(malformed(format!("it chose method {other}, which was not offered"))),
    }
    conn.send(&request)?;
    let [version, reply, _, kind] = read(conn)?;
    check_version(version)?;
    if reply != 0 {
        let what = format!("the proxy refused a tunnel to {}: {}", authority(to), reply_text(reply));
        // Not allowed (its rules may be about this address), network or host unreachable, connection
        // refused, TTL expired, address type not supported.
        return if matches!(reply, 2..=6 | 8) { Ok(Some(refused(what))) } else { Err(refused(what)) };
    }
    skip_bound_address(conn, kind)?;
    reject_early_data(conn, &[]).map(|()| None)
}

/// RFC 1928 §4.
fn socks5_request(to: Destination<'_>) -> Result<Vec<u8>> {
    let mut request = vec![VERSION, CONNECT, 0];
    let (ip, port) = match to {
        Destination::Address(address) => (Ok(address.ip()), address.port()),
        Destination::Host(host, port) => (host.parse().map_err(|_| host), port),
    };
    match ip {
        Ok(IpAddr::V4(ip)) => {
            request.push(IPV4);
            request.extend_from_slice(&ip.octets());
        }
        Ok(IpAddr::V6(ip)) => {
            request.push(IPV6);
            request.extend_from_slice(&ip.octets());
        }
        Err(name) => {
            let Ok(length) = u8::try_from(name.len()) else {
                return Err(refused("a SOCKS5 proxy takes no name of more than 255 bytes (RFC 1928 §4)"));
            };
            request.extend_from_slice(&[NAME, length]);
            request.extend_from_slice(name.as_bytes());
        }
    }
    request.extend_from_slice(&port.to_be_bytes());
    Ok(request)
}

/// RFC 1929 §2.
fn log_in(conn: &mut Conn, login: &Credentials) -> Result<()> {
    let mut request = vec![LOGIN_VERSION];
    for part in [&login.user, &login.password] {
        request.push(part.len() as u8); // at most 255, checked where the login was made
        request.extend_from_slice(part);
    }
    conn.send(&request)?;
    match read(conn)? {
        // RFC 1929 says 1; some say 5, and mean the same.
        [LOGIN_VERSION | VERSION, 0] => Ok(()),
        [LOGIN_VERSION | VERSION, _] => Err(refused("the proxy does not take the user and password that it was given")),
        [other, _] => Err(malformed(format!("version {other} of the login, not 1"))),
    }
}

/// The address that the proxy speaks from, which is of no use; read to its last byte and no
/// further.
fn skip_bound_address(conn: &mut Conn, kind: u8) -> Result<()> {
    let length = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(read::<1>(conn)?[0]),
        other => return Err(malformed(format!("its answer has an address of type {other}"))),
    };
    let mut rest = [0; 255 + 2];
    read_into(conn, &mut rest[..length + 2])
}

fn read<const N: usize>(conn: &mut Conn) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    read_into(conn, &mut bytes).map(|()| bytes)
}

fn read_into(conn: &mut Conn, mut bytes: &mut [u8]) -> Result<()> {
    while !bytes.is_empty() {
        match conn.read(Room::Slice(bytes), &Deadline::NONE, Instant::now())? {
            0 => return Err(malformed("it closed the connection")),
            count => bytes = &mut bytes[count..],
        }
    }
    Ok(())
}

fn check_version(version: u8) -> Result<()> {
    match version {
        VERSION => Ok(()),
        other => Err(malformed(format!("it answers with byte 0x{other:02x}, and is no SOCKS5 proxy"))),
    }
}

/// RFC 1928 §6.
fn reply_text(reply: u8) -> Cow<'static, str> {
    let text = match reply {
        1 => "general SOCKS server failure",
        2 => "connection not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        7 => "command not supported",
        8 => "address type not supported",
        other => return format!("reply {other}, which SOCKS5 does not know").into(),
    };
    text.into()
}
