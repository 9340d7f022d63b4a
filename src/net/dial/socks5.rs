//! The handshake with a SOCKS5 proxy that opens a tunnel: RFC 1928, with user and password by RFC 1929.
//!
//! Its messages have lengths of their own, so each is read to its last byte and no further. Time is
//! limited by the connection.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::net::conn::{Conn, Room};
use crate::net::deadline::Deadline;
use crate::net::dial::route::{Credentials, Destination, TunnelError};

const VERSION: u8 = 5;
const AUTH_VERSION: u8 = 1;
const METHOD_NONE: u8 = 0;
const METHOD_PASSWORD: u8 = 2;
const METHOD_UNACCEPTABLE: u8 = 0xff;
const CONNECT: u8 = 1;
const ATYP_IPV4: u8 = 1;
const ATYP_NAME: u8 = 3;
const ATYP_IPV6: u8 = 4;

/// Has the proxy open a tunnel to `to` (RFC 1928 §3 to §6).
pub(crate) fn handshake(
    conn: &mut Conn,
    to: Destination<'_>,
    credentials: Option<&Credentials>,
) -> std::result::Result<(), TunnelError> {
    let request = encode_request(to)?;
    negotiate(conn, credentials)?;
    conn.send(&request)?;
    let [version, reply, _, address_type] = read(conn)?;
    check_version(version)?;
    if reply != 0 {
        let error = refused(format!("the proxy refused a tunnel to {to}: {}", reply_text(reply)));
        // Not allowed (its rules may be about this address), network or host unreachable, connection
        // refused, TTL expired, address type not supported.
        let is_about_address = matches!(reply, 2..=6 | 8);
        return Err(if is_about_address { TunnelError::Unreachable(error) } else { TunnelError::Failed(error) });
    }
    Ok(skip_bound_address(conn, address_type)?)
}

/// Negotiates the authentication method (RFC 1928 §3), and authenticates where the proxy wants it.
fn negotiate(conn: &mut Conn, credentials: Option<&Credentials>) -> Result<()> {
    // The version, the number of methods, and the methods.
    conn.send(match credentials {
        Some(_) => &[VERSION, 2, METHOD_NONE, METHOD_PASSWORD],
        None => &[VERSION, 1, METHOD_NONE],
    })?;
    let [version, method] = read(conn)?;
    check_version(version)?;
    match (method, credentials) {
        (METHOD_NONE, _) => Ok(()),
        (METHOD_PASSWORD, Some(credentials)) => authenticate(conn, credentials),
        (METHOD_UNACCEPTABLE, None) => {
            Err(refused("the proxy wants credentials, or what longwire cannot give (Proxy::basic_auth)"))
        }
        (METHOD_UNACCEPTABLE, Some(_)) => Err(refused("the proxy takes no login by user and password")),
        (other, _) => Err(malformed(format!("it chose method {other}, which was not offered"))),
    }
}

/// RFC 1929 §2.
fn authenticate(conn: &mut Conn, credentials: &Credentials) -> Result<()> {
    let mut request = vec![AUTH_VERSION];
    for part in [&credentials.user, &credentials.password] {
        request.push(part.len() as u8); // at most 255, checked where the credentials were made
        request.extend_from_slice(part);
    }
    conn.send(&request)?;
    match read(conn)? {
        // RFC 1929 says 1; some proxies send 5, and mean the same.
        [AUTH_VERSION | VERSION, 0] => Ok(()),
        [AUTH_VERSION | VERSION, _] => Err(refused("the proxy does not take the user and password that it was given")),
        [other, _] => Err(malformed(format!("version {other} of the login, not 1"))),
    }
}

/// RFC 1928 §4.
fn encode_request(to: Destination<'_>) -> Result<Vec<u8>> {
    let mut request = vec![VERSION, CONNECT, 0];
    let (ip, port) = match to {
        Destination::Address(address) => (Ok(address.ip()), address.port()),
        Destination::Host(host, port) => (host.parse().map_err(|_| host), port),
    };
    match ip {
        Ok(IpAddr::V4(ip)) => {
            request.push(ATYP_IPV4);
            request.extend_from_slice(&ip.octets());
        }
        Ok(IpAddr::V6(ip)) => {
            request.push(ATYP_IPV6);
            request.extend_from_slice(&ip.octets());
        }
        Err(name) => {
            let Ok(length) = u8::try_from(name.len()) else {
                return Err(refused("a SOCKS5 proxy takes no name of more than 255 bytes (RFC 1928 §4)"));
            };
            request.extend_from_slice(&[ATYP_NAME, length]);
            request.extend_from_slice(name.as_bytes());
        }
    }
    request.extend_from_slice(&port.to_be_bytes());
    Ok(request)
}

/// Reads the address that the proxy connects from, which is of no use here.
fn skip_bound_address(conn: &mut Conn, address_type: u8) -> Result<()> {
    let length = match address_type {
        ATYP_IPV4 => 4,
        ATYP_IPV6 => 16,
        ATYP_NAME => usize::from(read::<1>(conn)?[0]),
        other => return Err(malformed(format!("its answer has an address of type {other}"))),
    };
    let mut rest = [0; 255 + 2];
    read_exact(conn, &mut rest[..length + 2])
}

fn read<const N: usize>(conn: &mut Conn) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    read_exact(conn, &mut bytes).map(|()| bytes)
}

fn read_exact(conn: &mut Conn, mut bytes: &mut [u8]) -> Result<()> {
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

/// The proxy refuses, in order.
fn refused(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Proxy, what)
}

/// The proxy breaks the protocol; which one is added by `tunnel`.
fn malformed(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Framing, what)
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
