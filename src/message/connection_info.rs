//! What a response tells of the connection that it came on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::net::conn::Opened;
use crate::observe::Timings;
use crate::tls_info::TlsInfo;

/// The connection that a response came on.
///
/// ```no_run
/// let response = longwire::get("http://example.com/")?;
/// let connection = response.connection();
/// println!("exchange {} on {:?}", connection.nth(), connection.peer_addr());
/// # Ok::<(), longwire::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    opened: Arc<Opened>,
    exchange: u32,
    received: Instant,
}

impl ConnectionInfo {
    pub(crate) fn new(opened: Arc<Opened>, exchange: u32, received: Instant) -> ConnectionInfo {
        ConnectionInfo { opened, exchange, received }
    }

    /// When the response head had come.
    pub(crate) fn received(&self) -> Instant {
        self.received
    }

    pub(crate) fn took_to_open(&self) -> Timings {
        self.opened.took
    }

    /// The server's address, or the proxy's where there is one between; `None` for transports that
    /// have none.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.opened.peer
    }

    /// Our own address; `None` for transports that have none.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.opened.local
    }

    /// Returns the outcome of the TLS handshake with the server, also where it was done through a
    /// proxy's tunnel; `None` for `http` URLs, and for a connector's stream that was secure already.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.opened.tls.as_ref()
    }

    /// Whether another exchange had used the connection before.
    pub fn reused(&self) -> bool {
        self.exchange > 1
    }

    /// The number of this exchange on its connection, counted from 1.
    pub fn nth(&self) -> u32 {
        self.exchange
    }

    /// How long the connection had been open when the response head came.
    pub fn age(&self) -> Duration {
        self.received.saturating_duration_since(self.opened.at)
    }
}
