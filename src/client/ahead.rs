//! Connections that are opened before a request needs them.

use std::iter;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use url::Url;

use crate::client::{Call, Client};
use crate::error::{Error, ErrorKind, Result};
use crate::message::request::ProxyOption;
use crate::net::conn::Limits;
use crate::net::deadline::Deadline;
use crate::net::pool::Wanted;
use crate::observe::{EventIds, Trace};
use crate::uri::{self, IntoUrl};

/// Threads that open connections, the caller's included: as many as may connect to one address at once.
const THREADS_MAX: usize = 32;

impl Client {
    /// Opens connections to the URL's origin until `count` are idle, and returns how many it opened: so a
    /// request that comes soon finds one, and waits for neither DNS nor connect, proxy and TLS.
    ///
    /// Blocks until they are there, within [`connect_timeout`](crate::ClientBuilder::connect_timeout) and the
    /// client's [`timeout`](crate::ClientBuilder::timeout); up to 32 are opened at the same time, on scoped
    /// threads that end with the call. Nothing is sent on them but the handshakes. Connections that are idle
    /// already count, and so does
    /// [`max_connections_per_host`](crate::ClientBuilder::max_connections_per_host).
    ///
    /// Servers close a connection soon that says nothing. So one that no request takes within 5 seconds is
    /// closed, and each is probed before its first use, whatever
    /// [`probe_after`](crate::ClientBuilder::probe_after) says: an unasked `408 Request Timeout` on it is never
    /// taken for a response. If it turns out to be dead at its first use, the request is sent again as on any
    /// pooled connection. [`ConnectionInfo::reused`](crate::ConnectionInfo::reused) is true for it, and
    /// [`nth`](crate::ConnectionInfo::nth) is 1.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if `count` is more than
    /// [`max_idle_per_host`](crate::ClientBuilder::max_idle_per_host), or than
    /// [`max_idle`](crate::ClientBuilder::max_idle); and whatever getting a connection meets,
    /// if not one could be opened.
    ///
    /// ```no_run
    /// use longwire::Client;
    ///
    /// let client = Client::new();
    /// client.connect_ahead("https://example.com/", 2)?; // while the program reads its input
    /// let response = client.get("https://example.com/").send()?;
    /// assert!(response.connection().reused());
    /// # Ok::<(), longwire::Error>(())
    /// ```
    #[doc(alias = "preconnect")]
    pub fn connect_ahead(&self, url: impl IntoUrl, count: usize) -> Result<usize> {
        self.check_settings()?;
        let url = uri::without_userinfo(url.into_url()?);
        self.open_ahead(&url, count).map_err(|error| error.with_url(&url))
    }

    fn open_ahead(&self, url: &Url, count: usize) -> Result<usize> {
        let (settings, pool) = (&self.0.settings, &self.0.pool);
        if url.scheme() == "https" {
            self.0.check_https()?;
        }
        let (most, setting) = pool.idle_max();
        if count > most {
            let what = format!("{count} connections ahead are more than {setting} keeps: {most}");
            return Err(Error::new(ErrorKind::InvalidRequest, what));
        }
        let now = Instant::now();
        let limits = Limits { deadline: Deadline::of("timeout", settings.timeout, now), ..Limits::NONE };
        let ids = EventIds { call: pool.observers.draw_id(), ..EventIds::default() };
        let trace = Trace { observers: &pool.observers, ids };
        let call = Call { client: &self.0, limits, trace };
        let route = settings.proxies.way(&ProxyOption::Client, url)?.route;
        let missing = pool.missing(&Call::pool_key(url, route), count, now, ids.call);
        let claimed = AtomicUsize::new(0);
        let claim = || claimed.fetch_add(1, Ordering::Relaxed) < missing;
        let open = || call.lease(url, route, Wanted::Fresh, now, trace).map(|lease| lease.release_unused());
        let open_some = || iter::from_fn(|| claim().then(open)).collect::<Vec<Result<()>>>();
        let outcomes: Vec<Result<()>> = thread::scope(|scope| {
            let spawn = || thread::Builder::new().spawn_scoped(scope, open_some).ok(); // or the others open more
            let others: Vec<_> = (1..missing.min(THREADS_MAX)).map_while(|_| spawn()).collect();
            let own = open_some();
            let joined = others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            own.into_iter().chain(joined.flatten()).collect()
        });
        let opened = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        match outcomes.into_iter().find_map(Result::err) {
            Some(error) if opened == 0 => Err(error),
            _ => Ok(opened),
        }
    }
}
