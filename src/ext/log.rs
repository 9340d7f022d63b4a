//! An observer that writes a client's events to the `log` crate: the feature `log`.
//!
//! One event is one record, and a head is one for each of its lines, so that no record has a line end in
//! it. Secrets are hidden already where events are made; of URLs the query is left out here.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use log::Level;
use url::{Position, Url};

use crate::observe::{Event, Observer};

/// The target of all records.
const TARGET: &str = "longwire";

/// An [`Observer`] that writes events to the [`log`](https://docs.rs/log) crate, with the target `longwire`.
///
/// At `debug` it logs calls, connections, retries, redirects and failures; at `trace` the heads of requests
/// and responses, line by line as curl shows them, with `***` for secrets (see [`Event`]). URLs are without
/// their query, but in the request line of a head. Each record begins with the numbers of the call, the
/// exchange and the connection, as far as there are any.
///
/// Where a level is disabled its events are not formatted. A client with an observer makes its events all
/// the same; one without does not.
///
/// ```
/// use longwire::{Client, LogObserver};
///
/// let client = Client::builder().observer(LogObserver::new()).build();
/// # drop(client);
/// ```
///
/// The records of a GET, but for those at `trace`:
///
/// ```text
/// [call 1] GET http://example.com/list
/// [call 1, exchange 2] resolved example.com in 1.2ms: [192.0.2.7:80]
/// [call 1, exchange 2, connection 3] connected to 192.0.2.7:80 in 8.1ms
/// [call 1, exchange 2, connection 3] sent 84 bytes
/// [call 1, exchange 2, connection 3] body ended after 1256 bytes (Length)
/// [call 1, exchange 2, connection 3] kept 192.0.2.7:80
/// ```
#[doc(alias("--verbose", "-v", "connection_verbose"))]
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(docsrs, doc(cfg(feature = "log")))]
pub struct LogObserver(());

impl LogObserver {
    /// Creates the observer.
    pub const fn new() -> LogObserver {
        LogObserver(())
    }
}

impl Observer for LogObserver {
    fn event(&self, event: &Event<'_>) {
        let (mark, head) = match event {
            Event::RequestHead { text, .. } => ('>', text),
            Event::InterimHead { text, .. } | Event::ResponseHead { text, .. } => ('<', text),
            _ => {
                log::debug!(target: TARGET, "{}", Line(event));
                return;
            }
        };
        if log::log_enabled!(target: TARGET, Level::Trace) {
            for line in head.lines().filter(|line| !line.is_empty()) {
                log::trace!(target: TARGET, "[{}] {mark} {line}", Ids(event));
            }
        }
    }
}

/// The numbers of what an event belongs to.
struct Ids<'e>(&'e Event<'e>);

impl fmt::Display for Ids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}", self.0.call())?;
        if let Some(exchange) = self.0.exchange() {
            write!(f, ", exchange {exchange}")?;
        }
        if let Some(connection) = self.0.connection() {
            write!(f, ", connection {connection}")?;
        }
        Ok(())
    }
}

/// An event that is no head.
struct Line<'e>(&'e Event<'e>);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] ", Ids(self.0))?;
        match self.0 {
            Event::CallStarted { method, url, .. } => write!(f, "{method} {}", without_query(url)),
            Event::Resolved { host, addresses, took, .. } => write!(f, "resolved {host} in {took:?}: {addresses:?}"),
            Event::Connected { peer, took, .. } => write!(f, "connected to {} in {took:?}", Peer(peer)),
            Event::Secured { peer, version, cipher_suite, resumed, took, .. } => {
                let how = if *resumed { "resumed" } else { "full handshake" };
                write!(f, "secured {} with {version}, {cipher_suite}, {how} in {took:?}", Peer(peer))
            }
            Event::Reused { peer, nth, .. } => write!(f, "reused {} for its exchange {nth}", Peer(peer)),
            Event::RequestSent { bytes, .. } => write!(f, "sent {bytes} bytes"),
            Event::Redirect { status, from, to, .. } => {
                write!(f, "redirected by {status} from {} to {}", without_query(from), without_query(to))
            }
            Event::Retry { error, wait: Duration::ZERO, .. } => write!(f, "sent again: {error}"),
            Event::Retry { error, wait, .. } => write!(f, "sent again in {wait:?}: {error}"),
            Event::BodyEnded { bytes, end, .. } => write!(f, "body ended after {bytes} bytes ({end:?})"),
            Event::Failed { error, .. } => write!(f, "failed: {error}"),
            Event::Kept { peer, .. } => write!(f, "kept {}", Peer(peer)),
            Event::Closed { peer, reason, .. } => write!(f, "closed {}: {reason}", Peer(peer)),
            Event::RequestHead { .. } | Event::InterimHead { .. } | Event::ResponseHead { .. } => Ok(()), // at `trace`
        }
    }
}

/// A peer that may have no address.
struct Peer<'p>(&'p Option<SocketAddr>);

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("the peer"),
        }
    }
}

fn without_query(url: &Url) -> &str {
    &url[..Position::AfterPath]
}
