//! Opening a tunnel through a proxy: the handshake that turns a connection to a proxy into one to the
//! server. What is sent in it is in `http_connect` and `socks5`. Here is what both have in common: a
//! handshake is over when its deadline passes, and leaves a socket without limits on which nothing has
//! arrived.

use crate::error::{Error, ErrorKind, Result};
use crate::net::cancel::CancelToken;
use crate::net::conn::{Conn, Room};
use crate::net::deadline::Deadline;
use crate::net::dial::route::{Destination, ProxyProtocol, ProxyServer, TunnelError};
use crate::net::dial::socks5;
use crate::net::transport::socket::Socket;

/// Has the proxy at the other end of `socket` open a tunnel to `to`, within `deadline`. An HTTP proxy is
/// sent `user_agent`, unless it is empty.
pub(crate) fn open(
    socket: Socket,
    proxy: &ProxyServer,
    user_agent: &[u8],
    to: Destination<'_>,
    deadline: Deadline,
    token: Option<&CancelToken>,
) -> std::result::Result<Socket, TunnelError> {
    let mut conn = Conn::for_handshake(socket, deadline, token);
    let peer = conn.peer();
    let (outcome, doing) = match &proxy.protocol {
        ProxyProtocol::Http { fields, connect, .. } => {
            let outcome = match connect {
                Some(handshake) => handshake(&mut conn, to, user_agent, fields),
                None => Err(Error::new(ErrorKind::UnsupportedScheme, "no tunnel without TLS")),
            };
            (outcome.map_err(TunnelError::from), "the proxy's answer to CONNECT")
        }
        ProxyProtocol::Socks5 { credentials, .. } => {
            (socks5::handshake(&mut conn, to, credentials.as_ref()), "the SOCKS5 handshake with the proxy")
        }
    };
    let outcome = outcome.and_then(|()| Ok(reject_early_data(&mut conn)?));
    let lifted = conn.lift_token();
    outcome.map_err(|error| match error {
        TunnelError::Unreachable(error) => TunnelError::Unreachable(error.with_peer(peer)),
        TunnelError::Failed(error) => TunnelError::Failed(in_handshake(error, doing, deadline).with_peer(peer)),
    })?;
    lifted?;
    Ok(without_timeouts(conn.into_socket())?)
}

/// Names the handshake in an error that came of the socket, or of what the proxy has sent.
fn in_handshake(error: Error, doing: &str, deadline: Deadline) -> Error {
    match error.kind() {
        ErrorKind::Cancelled | ErrorKind::Proxy => error,
        ErrorKind::Timeout => deadline.error(doing),
        ErrorKind::Tls => error.context(ErrorKind::Tls, doing), // the end of the TLS handshake with the proxy
        _ => error.context(ErrorKind::Proxy, doing),
    }
}

/// Fails if anything has arrived after the handshake: a server speaks only when asked, so it is not the
/// server's, and would be taken for its response.
fn reject_early_data(conn: &mut Conn) -> Result<()> {
    let early = match conn.buffer.bytes().len() {
        0 => conn.try_read(Room::Slice(&mut [0; 1]))?,
        count => Some(count),
    };
    match early {
        None => Ok(()),
        Some(0) => Err(Error::new(ErrorKind::Framing, "the connection ended after it")),
        Some(_) => Err(Error::new(ErrorKind::Framing, "bytes came after it, before a request was sent")),
    }
}

/// Takes the handshake's timeouts off the socket: its next user takes it to have none.
fn without_timeouts(mut socket: Socket) -> Result<Socket> {
    let broken = |error| Error::from_io(ErrorKind::Proxy, "socket timeout", error);
    socket.set_read_timeout(None, None).map_err(broken)?;
    socket.set_write_timeout(None, None).map_err(broken)?;
    Ok(socket)
}
