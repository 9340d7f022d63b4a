//! The connection of a response: addresses, age, and how often it was used.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::net::conn::Opened;
use crate::tls_info::TlsInfo;

/// The connection that a response came on.
///
/// ```no_run
/// let response = longwire::get("http://example.com/")?;
/// let connection = response.connection();
/// println!("exchange {} on {:?}", connection.nth(), connection.peer_addr());
/// # Ok::<(), longwire::Error>(())
/// ```
#[doc(alias = "GotConnInfo")]
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    pub(crate) opened: Arc<Opened>,
    pub(crate) nth: u32,
    /// It came from the pool.
    pub(crate) reused: bool,
    /// When the response head had come.
    pub(crate) received: Instant,
}

impl ConnectionInfo {
    /// Returns the peer's address: the server's, or that of the proxy in between; `None` for transports
    /// that have none.
    #[doc(alias = "remote_addr")]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.opened.peer
    }

    /// Returns the local address; `None` for transports that have none.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.opened.local
    }

    /// Returns the outcome of the TLS handshake with the server, also where it was done through a
    /// proxy's tunnel; `None` for `http` URLs, and for a connector's stream that was secure already.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.opened.tls.as_ref()
    }

    /// Returns whether the connection was taken from the pool: it had carried an exchange before, or was opened
    /// by [`Client::connect_ahead`](crate::Client::connect_ahead).
    pub fn reused(&self) -> bool {
        self.reused
    }

    /// Returns the number of this exchange on its connection, counted from 1.
    pub fn nth(&self) -> u32 {
        self.nth
    }

    /// Returns how long the connection had been open when the response head came.
    pub fn age(&self) -> Duration {
        self.received.saturating_duration_since(self.opened.at)
    }
}
