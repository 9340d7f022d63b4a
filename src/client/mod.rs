//! The client: the order of things for one request, from its deadline to its response.

pub(crate) mod builder;
mod exchange;
pub(crate) mod proxy;
mod redirect;
pub(crate) mod request_builder;
mod response_reader;
mod retry;
mod settings;
mod upload;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use url::Url;

use crate::client::redirect::Redirects;
use crate::client::retry::why_repeat;
use crate::client::settings::Settings;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::headers::Headers;
use crate::message::request::{Request, check_upgrade};
use crate::message::response::{Response, ResponseParts};
use crate::net::conn::Limits;
use crate::net::deadline::Deadline;
use crate::net::dial::Dialer;
use crate::net::dial::route::{ProxyServer, Route};
use crate::net::pool::{Lease, Pool, PoolStats, Want};
use crate::net::transport::Target;
use crate::observe::{Event, EventIds, Trace};
use crate::uri;

/// A blocking HTTP/1.1 client with a pool of kept-alive connections.
///
/// Clones are cheap, share one pool, and may be used from any number of threads at once. Make one
/// client and keep it: each has its own connections. Idle connections are closed when the last
/// clone and the last body are dropped, or on the next call after their time.
///
/// # Threads
///
/// No thread runs in the background. What the system does not let a program interrupt runs on a helper
/// thread, which is left behind when time is up or the request is cancelled, and ends as soon as the
/// system has an response_reader: a name's look-up, and a connect where a host has several addresses, the
/// request has a [`CancelToken`](crate::CancelToken), or the client has a unix socket.
///
/// Per client at most 64 threads look names up and 64 connect; of these at most 32 connect to one
/// address, and 4 to one that has not answered yet, waited for or left behind. Requests beyond that go
/// on to the host's next address, or wait in line within `connect_timeout`, first come first served.
///
/// # Time
///
/// A call blocks until the response head is there, for as long as the limits allow: by default
/// 10 s for a connection and 60 s of silence after that, without a limit for the whole
/// (see [`ClientBuilder`](crate::ClientBuilder)).
///
/// ```no_run
/// use longwire::Client;
///
/// let client = Client::new();
/// for page in 1..=3 {
///     let text = client.get("http://example.com/list").query("page", &page.to_string()).send()?.text()?;
///     println!("{} bytes on one connection", text.len());
/// }
/// # Ok::<(), longwire::Error>(())
/// ```
///
/// # After `fork()`
///
/// A child that is made by `fork()` has a copy of the client, with the parent's connections in it. If
/// both used one, each could get the other's response. So before its first request the child calls
/// [`close_idle`](Client::close_idle), or it makes a client of its own (it must, where the parent has
/// used [`longwire::get`](crate::get) and its like). Neither that nor the child's exit costs the parent
/// a connection: the child's copies are closed without a word to the server. The child may drop a body
/// that was open at the fork, and must not read or cancel it. If another thread was inside a call of
/// the client at the fork, or a look-up or a connect had outlived its request, the child's copy is
/// unusable: locks of threads that are not there are never released, and their places never free.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    settings: Settings,
    dialer: Dialer,
    pool: Arc<Pool>,
}

impl Client {
    pub(crate) fn assemble(settings: Settings, dialer: Dialer, pool: Pool) -> Client {
        Client(Arc::new(Inner { settings, dialer, pool: Arc::new(pool) }))
    }

    /// Sends a request, follows redirects, and gives the response as soon as its head is there.
    ///
    /// # Errors
    /// Every [`ErrorKind`] but those of reading a body. [`Error::fate`] says whether the server
    /// may have acted on the request.
    pub fn send(&self, mut request: Request<'_>) -> Result<Response> {
        let observers = self.0.pool.observers();
        let trace = Trace { observers, ids: EventIds { call: observers.draw_id(), ..EventIds::default() } };
        trace.report(|ids| Event::CallStarted { method: &request.method, url: &request.url, ids });
        let mut redirects = Redirects::new(request.options.max_redirects.unwrap_or(self.0.settings.max_redirects));
        match self.follow(&mut request, &mut redirects, trace) {
            Ok(parts) => Ok(Response::new(parts, request.method, request.url, redirects.into_trail())),
            Err(error) => {
                // A hop that fails does not undo what the ones before have done.
                let error = error.with_request(&request.method, &request.url).with_fate_at_least(redirects.fate());
                trace.report(|ids| Event::Failed { error: &error, ids });
                Err(error)
            }
        }
    }

    /// Sends the request, and what its redirects make of it, until a response is to be handed out.
    fn follow(&self, request: &mut Request<'_>, redirects: &mut Redirects, trace: Trace<'_>) -> Result<ResponseParts> {
        let settings = &self.0.settings;
        self.prepare(request)?;
        let mut now = Instant::now();
        let deadline = Deadline::of("timeout", request.options.timeout.unwrap_or(settings.timeout), now);
        loop {
            let parts = self.exchange(request, deadline, now, trace)?;
            let follows = redirects.follow(request, &parts.received.head, settings, trace);
            if let Ok(false) = follows {
                return Ok(parts);
            }
            let peer = parts.lease.peer();
            drop(parts.into_framed());
            follows.map_err(|error| error.with_peer(peer))?;
            now = Instant::now();
        }
    }

    /// The request head as this client would send it to the origin, to the byte. To an HTTP proxy
    /// the same goes with the whole URL for a target, and the fields that are for the proxy alone.
    ///
    /// # Errors
    /// As [`send`](Client::send), for what is known without a network.
    ///
    /// ```
    /// use longwire::{Client, Method, Request};
    ///
    /// let client = Client::builder().user_agent("me/1").build();
    /// let request = Request::new(Method::GET, "http://example.com/a?b")?;
    /// let head = "GET /a?b HTTP/1.1\r\nHost: example.com\r\nUser-Agent: me/1\r\nAccept: */*\r\n\r\n";
    /// assert_eq!(client.to_wire(&request)?, head.as_bytes());
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn to_wire(&self, request: &Request<'_>) -> Result<Vec<u8>> {
        let defaults = self.with_defaults(request)?;
        let headers = defaults.as_ref().unwrap_or(&request.headers);
        self.check(request, headers)?;
        let mut head = Vec::new();
        let settings = &self.0.settings;
        let hop = settings.proxies.next_hop(Route::Direct);
        exchange::encode(request, headers, hop, settings, &mut |bytes| head.extend_from_slice(bytes));
        Ok(head)
    }

    /// A look at the pool. Idle connections whose time has come are closed first.
    pub fn pool_stats(&self) -> PoolStats {
        self.0.pool.stats()
    }

    /// Closes all idle connections. Those in use are not touched. Does not wait for the network. In a
    /// child after `fork()` the parent keeps its connections.
    pub fn close_idle(&self) {
        self.0.pool.clear();
    }

    /// The last checks, and the client's own fields.
    fn prepare(&self, request: &mut Request<'_>) -> Result<()> {
        if let Some(headers) = self.with_defaults(request)? {
            request.headers = headers;
        }
        self.check(request, &request.headers)
    }

    fn check(&self, request: &Request<'_>, headers: &Headers) -> Result<()> {
        if let Some(mistake) = &self.0.settings.deferred_error {
            return Err(mistake.clone());
        }
        self.check_scheme(request)?;
        request.check(headers)?;
        check_upgrade(headers)
    }

    /// Plain TCP does not do for https: asked for every hop.
    fn check_scheme(&self, request: &Request<'_>) -> Result<()> {
        if request.url.scheme() == "https" && !self.0.dialer.may_speak_https() {
            return Err(Error::new(ErrorKind::UnsupportedScheme, Dialer::NEEDED_FOR_HTTPS));
        }
        Ok(())
    }

    /// Nor for a proxy that is spoken to through TLS.
    fn check_proxy(&self, proxy: &ProxyServer, target: &Target<'_>) -> Result<()> {
        if proxy.is_https() && !Dialer::SPEAKS_TLS {
            let what = format!("the proxy {proxy:?} is spoken to through TLS, which this build does not have");
            return Err(Error::new(ErrorKind::UnsupportedScheme, what));
        }
        self.0.dialer.check_proxy_allowed(proxy, target)
    }

    /// The request's fields behind those defaults that it does not override; `None` if there are
    /// no defaults at all.
    fn with_defaults(&self, request: &Request<'_>) -> Result<Option<Headers>> {
        let defaults = &self.0.settings.default_headers;
        if defaults.is_empty() {
            return Ok(None);
        }
        let mut headers = defaults.clone();
        headers.retain(&mut |name| !request.headers.contains(name));
        for (name, value) in request.headers.iter() {
            headers.append(name, value)?;
        }
        Ok(Some(headers))
    }

    /// One request to one URL: on a connection from the pool, and once more on a fresh one if
    /// that turned out to be dead.
    fn exchange(
        &self,
        request: &mut Request<'_>,
        deadline: Deadline,
        now: Instant,
        trace: Trace<'_>,
    ) -> Result<ResponseParts> {
        let settings = &self.0.settings;
        let route = settings.proxies.route(&request.url)?;
        let hop = settings.proxies.next_hop(route);
        let lease = self.lease(request, route, deadline, now, false, trace)?;
        let was_reused = lease.exchanges > 1;
        let mut outcome = exchange::run(lease, request, hop, settings);
        // Twice at most: a dead connection, whose successor is fresh, and a refused Expect, which is gone.
        let mut may_be_dead = was_reused;
        while let Some(why) = why_repeat(request, &outcome, may_be_dead) {
            may_be_dead = false;
            drop(outcome.map(ResponseParts::into_framed));
            if why.kind() == ErrorKind::Status {
                request.options.expect_continue = None;
            }
            trace.report(|ids| Event::Retry { error: &why, ids });
            // On a new connection: a server that said 417 may go on to discard the body that was announced.
            let again = self.lease(request, route, deadline, Instant::now(), true, trace);
            let again = again.and_then(|lease| exchange::run(lease, request, hop, settings));
            outcome = again.map_err(|second| second.with_fate_at_least(why.fate()));
        }
        outcome
    }

    fn lease(
        &self,
        request: &Request<'_>,
        route: Route<'_>,
        deadline: Deadline,
        now: Instant,
        fresh: bool,
        mut trace: Trace<'_>,
    ) -> Result<Lease> {
        trace.ids.exchange = trace.observers.draw_id();
        self.check_scheme(request)?;
        let Inner { settings, dialer, pool } = &*self.0;
        let options = &request.options;
        let limits = Limits {
            deadline,
            read_timeout: options.read_timeout.unwrap_or(settings.read_timeout),
            write_timeout: settings.write_timeout,
            min_speed: options.min_speed.unwrap_or(settings.min_speed),
            token: options.token.clone(),
        };
        if let Some(token) = &options.token {
            token.check().map_err(|error| error.at(Stage::Pool))?;
        }
        if deadline.has_passed() {
            return Err(deadline.error("before the request was sent").at(Stage::Pool));
        }
        let url = &request.url;
        if let Some(proxy) = route.proxy() {
            self.check_proxy(proxy, &target_of(url))?;
        }
        let origin = pool_key(route, uri::origin(url));
        let want =
            Want { origin: &origin, fresh, now, connect_timeout: settings.connect_timeout, limits, ids: trace.ids };
        pool.lease(want, |deadline| {
            dialer.open(&target_of(url), route, deadline, options.token.as_ref(), trace).map_err(|not_opened| {
                if let Some((peer, reason, ids)) = not_opened.closed {
                    pool.record_closed_unused(peer, reason, ids);
                }
                not_opened.error
            })
        })
    }
}

/// Where a connection for `url` shall lead, whatever stands between.
fn target_of(url: &Url) -> Target<'_> {
    Target {
        host: uri::bare_host(url),
        port: url.port_or_known_default().unwrap_or_default(),
        is_https: url.scheme() == "https",
    }
}

/// What makes connections interchangeable: a proxy that is asked for URLs is asked for all of them
/// on the same ones; a tunnel leads to one origin.
fn pool_key<'a>(route: Route<'a>, origin: &'a str) -> Cow<'a, str> {
    match route {
        Route::Direct => origin.into(),
        Route::Forward { proxy, .. } => format!("proxy {}", proxy.pool_key()).into(),
        Route::Tunnel(proxy) => format!("{origin} through {}", proxy.pool_key()).into(),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
