//! The client's own way to connect, as a connector.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

use crate::client::builder::ClientBuilder;
use crate::client::{Client, Inner};
use crate::error::{Error, ErrorKind, Result};
use crate::message::request::ProxyOption;
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
use crate::net::dial::http_connect;
use crate::net::dial::route::Route;
use crate::net::transport::{Connect, Stream, Target};
use crate::observe::{EventIds, Trace};

/// The way a client connects by itself, as a [`Connect`] that can be wrapped: name resolution, the race
/// of a name's addresses, proxies and TLS.
///
/// Its streams for `https` targets have TLS on them ([`Stream::is_secure`]): what is read from them and
/// written to them is plain text. An HTTP proxy opens a tunnel (CONNECT) for `http` targets as well.
///
/// ```
/// use longwire::transport::{Connect, Deadline, Direct, Stream, Target};
/// use longwire::{CancelToken, Client};
///
/// let direct = Direct::new();
/// let client = Client::builder()
///     .connector(move |target: &Target<'_>, deadline: Deadline, token: &CancelToken| {
///         eprintln!("connecting to {}:{}", target.host(), target.port());
///         direct.connect(target, deadline, token)
///     })
///     .build();
/// # drop(client);
/// ```
#[derive(Clone)]
pub struct Direct(Client);

impl Direct {
    /// Connects as a client with the default settings does.
    pub fn new() -> Direct {
        Direct(Client::new())
    }

    /// Connects as a client with these settings would: its proxies, resolver, address filter, TLS and
    /// so on count, those of requests and of the pool do not. Its observers receive the events of
    /// connecting.
    ///
    /// # Errors
    /// As [`ClientBuilder::try_build`].
    pub fn with(settings: ClientBuilder) -> Result<Direct> {
        settings.try_build().map(Direct)
    }
}

impl Default for Direct {
    fn default() -> Direct {
        Direct::new()
    }
}

impl Connect for Direct {
    fn connect(&self, target: &Target<'_>, deadline: Deadline, token: &CancelToken) -> Result<Box<dyn Stream>> {
        let Inner { settings, dialer, pool, .. } = &*self.0.0;
        let scheme = if target.is_https { "https" } else { "http" };
        let host = if target.host.contains(':') { format!("[{}]", target.host) } else { target.host.to_owned() };
        let url = Url::parse(&format!("{scheme}://{host}:{}/", target.port))
            .map_err(|error| Error::new(ErrorKind::InvalidUrl, format!("the target {host}: {error}")))?;
        let mut tunnelling;
        let route = match settings.proxies.way(&ProxyOption::Client, &url)?.route {
            Route::Forward { proxy, .. } => {
                tunnelling = proxy.clone();
                tunnelling.tunnel_by(http_connect::handshake);
                Route::Tunnel(&tunnelling)
            }
            route => route,
        };
        if let Route::Tunnel(proxy) = route {
            dialer.check_proxy(proxy, target)?;
        }
        let observers = &pool.observers;
        let trace = Trace { observers, ids: EventIds { call: observers.draw_id(), ..EventIds::default() } };
        let conn = dialer.open(target, route, deadline, Some(token), trace).map_err(|refused| refused.error)?;
        let (stream, _) = conn.into_parts()?; // nothing has arrived: the server speaks when spoken to
        Ok(if target.is_https { Box::new(Secured(stream)) } else { stream })
    }
}

/// A stream with the target's own TLS on it. TLS alone does not make one secure: it may end at a proxy, or
/// at a server that another protocol was negotiated with.
struct Secured(Box<dyn Stream>);

impl Read for Secured {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Secured {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Stream for Secured {
    fn is_secure(&self) -> bool {
        true
    }

    fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.0.set_timeouts(read, write)
    }

    fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buf)
    }

    fn write_nosignal(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write_nosignal(buf)
    }

    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        self.0.shutdown_handle()
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer_addr()
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.0.local_addr()
    }

    fn is_drained(&self) -> bool {
        self.0.is_drained()
    }

    fn has_partial_record(&self) -> bool {
        self.0.has_partial_record()
    }

    fn bytes_flushed(&self) -> u64 {
        self.0.bytes_flushed()
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.shutdown_write()
    }
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Direct")
    }
}
