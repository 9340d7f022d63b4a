//! The client: the steps of one request, from its deadline to its response.

#[cfg(feature = "__coding")]
mod accept_encoding;
mod ahead;
pub(crate) mod builder;
pub(crate) mod cookies;
#[cfg(feature = "digest")]
mod digest;
pub(crate) mod direct;
mod exchange;
pub(crate) mod hooks;
pub(crate) mod proxy;
mod redirect;
pub(crate) mod request_builder;
mod response_reader;
mod retry;
mod retry_policy;
mod settings;
mod upload;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use url::Url;

#[cfg(feature = "digest")]
use crate::client::digest::Sessions;
use crate::client::exchange::Hop;
use crate::client::proxy::{Proxies, Way};
use crate::client::redirect::Redirects;
use crate::client::retry::why_repeat;
use crate::client::settings::Settings;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::headers::Headers;
use crate::message::request::{Options, ProxyOption, Request, check_upgrade};
use crate::message::response::{Exchanged, Redirected, Response};
use crate::message::retry::{Attempts, Bounds, Budget, Sent};
use crate::method::Method;
use crate::net::conn::Limits;
use crate::net::deadline::Deadline;
use crate::net::dial::Dialer;
use crate::net::dial::route::Route;
use crate::net::pool::lease::Lease;
use crate::net::pool::{Checkout, Pool, PoolStats, Wanted};
use crate::net::transport::Target;
use crate::observe::{Event, EventIds, Trace};
use crate::redact::is_secret;
use crate::status::StatusCode;
use crate::uri;
use crate::wire::request_head::NextHop;

/// A hop without fields of its own.
static NO_FIELDS: Headers = Headers::new();

/// A blocking HTTP/1.1 client with a pool of kept-alive connections.
///
/// Clones are cheap, share one pool, and may be used from any number of threads at once. Make one
/// client and keep it: each has its own connections. Idle connections are closed when the last
/// clone and the last body are dropped, or on the next call after their time.
///
/// # Threads
///
/// No thread runs in the background. What cannot be interrupted runs on a worker thread, which is
/// abandoned when time is up or the request is cancelled, and ends as soon as the system returns: a DNS
/// look-up, and a connect where a host has several addresses, the request has a
/// [`CancelToken`](crate::CancelToken), or the client has a unix socket or a custom `dial`.
///
/// Per client at most 64 threads resolve names and 64 connect; of these at most 32 connect to one
/// address, and 4 to one that has not answered yet, abandoned ones included. Requests beyond that go on
/// to the host's next address, or wait within `connect_timeout`, first come first served.
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
///     let text = client.get("http://example.com/list").query("page", page).send()?.text()?;
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
/// a connection: the child's copies are closed without a message to the server. The child may drop a body
/// that was open at the fork, and must not read or cancel it. If another thread was inside a call of
/// the client at the fork, or an abandoned look-up or connect was still running, the child's copy is
/// unusable: locks of threads that are not there are never released, and their slots never freed.
#[doc(alias("Session", "Agent"))]
#[derive(Clone)]
pub struct Client(Arc<Inner>);

/// Aligned so that its count of references, which each request changes, is on another cache line than what
/// is only read.
#[repr(align(128))]
struct Inner {
    settings: Settings,
    dialer: Dialer,
    pool: Arc<Pool>,
    /// For retries by a policy.
    budget: Budget,
    #[cfg(feature = "digest")]
    digest: Sessions,
}

/// One send while it lasts.
struct Call<'c> {
    client: &'c Inner,
    limits: Limits,
    trace: Trace<'c>,
}

impl Client {
    /// The first setting that is invalid.
    fn check_settings(&self) -> Result<()> {
        self.0.settings.deferred_error.clone().map_or(Ok(()), Err)
    }

    /// The total timeout of a request that sets none for itself.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.0.settings.timeout
    }

    pub(crate) fn assemble(settings: Settings, dialer: Dialer, pool: Pool) -> Client {
        Client(Arc::new(Inner {
            settings,
            dialer,
            pool: Arc::new(pool),
            budget: Budget::new(),
            #[cfg(feature = "digest")]
            digest: Sessions::default(),
        }))
    }

    /// Sends a request, follows redirects, and gives the response as soon as its head is there.
    ///
    /// # Errors
    /// Every [`ErrorKind`] but those of reading a body. [`Error::fate`] says whether the server
    /// may have acted on the request.
    #[doc(alias("Do", "RoundTrip", "execute", "run"))]
    pub fn send(&self, mut request: Request<'_>) -> Result<Response> {
        let Inner { settings, pool, .. } = &*self.0;
        let options = &request.options;
        let mut trace = Trace { observers: &pool.observers, ids: EventIds::default() };
        if trace.observers.list.is_some() {
            trace.ids.call = trace.observers.draw_id();
            trace.report(|ids| Event::CallStarted { method: &request.method, url: &request.url, ids });
        }
        // The request's own options come before the client's settings.
        let now = Instant::now();
        let limits = Limits {
            deadline: Deadline::of("timeout", options.timeout.unwrap_or(settings.timeout), now),
            read_timeout: options.read_timeout.unwrap_or(settings.read_timeout),
            write_timeout: settings.write_timeout,
            min_speed: options.min_speed.unwrap_or(settings.min_speed),
            token: options.token.clone(),
        };
        let max = options.max_redirects.unwrap_or(settings.max_redirects);
        let mut redirects = Redirects { max, ..Redirects::default() };
        let call = Call { client: &self.0, limits, trace };
        match call.follow(&mut request, &mut redirects, now) {
            Ok(exchanged) => {
                let redirects = Redirected { by: redirects.trail, permanent: redirects.permanent };
                Ok(exchanged.into_response(request.method, request.url, redirects))
            }
            Err(error) => {
                // A hop that fails does not undo what the ones before have done.
                let error = error.with_request(&request.method, &request.url).with_fate_at_least(redirects.fate());
                trace.report(|ids| Event::Failed { error: &error, ids });
                Err(error)
            }
        }
    }

    /// Returns the request head as this client would send it to the origin, to the byte. An HTTP proxy is
    /// sent the same with the whole URL as the target, and with the fields for the proxy alone.
    ///
    /// # Errors
    /// As [`send`](Client::send), for what is known without a network.
    ///
    /// ```
    /// use longwire::{Client, Method, Request};
    ///
    /// let client = Client::builder().user_agent("me/1").build();
    /// let request = Request::builder(Method::GET, "http://example.com/a?b").header("Accept", "text/html").build()?;
    /// let head = client.to_wire(&request)?;
    /// assert!(head.starts_with(b"GET /a?b HTTP/1.1\r\nHost: example.com\r\nUser-Agent: me/1\r\n"));
    /// assert!(head.ends_with(b"Accept: text/html\r\n\r\n"));
    /// # Ok::<(), longwire::Error>(())
    /// ```
    #[doc(alias = "DumpRequestOut")]
    pub fn to_wire(&self, request: &Request<'_>) -> Result<Vec<u8>> {
        let client = &*self.0;
        let (mut options, mut own) = (request.options.clone(), request.headers.clone());
        options.settle(&mut own)?;
        options.expect_challenge(&request.body);
        let headers = client.with_defaults(&own, &options)?;
        client.check(request, &headers)?;
        let expect = options.expect_continue.filter(|_| !request.body.is_empty());
        let way = client.settings.proxies.way(&request.options.proxy, &request.url)?.past_proxy();
        let fields = client.hop_fields(request, &headers, way, &NO_FIELDS)?;
        let hop = Hop { next: way.next_hop, fields: &fields, proxy_fields: &NO_FIELDS };
        let mut head = Vec::new();
        exchange::encode(request, &headers, expect, hop, &client.settings, &mut |bytes| head.extend_from_slice(bytes));
        Ok(head)
    }

    /// Returns a snapshot of the pool's counters; closes expired idle connections first.
    pub fn pool_stats(&self) -> PoolStats {
        self.0.pool.stats()
    }

    /// Closes all idle connections. Those in use are not touched. Does not wait for the network. In a
    /// child after `fork()` the parent keeps its connections.
    #[doc(alias = "CloseIdleConnections")]
    pub fn close_idle(&self) {
        self.0.pool.clear();
    }
}

impl Call<'_> {
    /// Sends the request, and what its redirects make of it, until there is a response to hand out.
    #[inline]
    fn follow(&self, request: &mut Request<'_>, redirects: &mut Redirects, mut now: Instant) -> Result<Exchanged> {
        if !request.headers.is_empty() {
            request.settle_headers()?;
        }
        if !self.client.settings.default_headers.is_empty() {
            request.headers = self.client.with_defaults(&request.headers, &request.options)?.into_owned();
        }
        request.options.expect_challenge(&request.body);
        self.client.check(request, &request.headers)?;
        let policy = request.options.retry.as_ref().unwrap_or(&self.client.settings.retry);
        let mut attempts = policy.clone().map(Attempts::new);
        loop {
            let outcome = match &mut attempts {
                None if !request.options.uses_digest() => self.exchange(request, &redirects.kept, now),
                attempts => self.exchange_with_policy(attempts, request, &redirects.kept, now),
            };
            let is_redirect = |exchanged: &Exchanged| exchanged.received.head.status.is_redirection();
            if !outcome.as_ref().is_ok_and(is_redirect) {
                return outcome;
            }
            let exchanged = outcome?;
            let follows = redirects.follow(request, &exchanged.received.head, &self.client.settings, self.trace);
            if let Ok(false) = follows {
                return Ok(exchanged);
            }
            let peer = exchanged.lease.peer();
            exchanged.discard();
            follows.map_err(|error| error.with_peer(peer))?;
            now = Instant::now();
        }
    }

    /// Sends the request to one URL, with Digest credentials and for as often as a policy says.
    #[cold]
    #[inline(never)] // so that other requests do not pay for its variables
    fn exchange_with_policy(
        &self,
        attempts: &mut Option<Attempts>,
        request: &mut Request<'_>,
        kept: &Headers,
        mut now: Instant,
    ) -> Result<Exchanged> {
        loop {
            let outcome = match () {
                #[cfg(feature = "digest")]
                () if request.options.uses_digest() => self.exchange_with_digest(request, kept, now),
                () => self.exchange(request, kept, now),
            };
            let Some(attempts) = attempts else { return outcome };
            let sent = Sent {
                method: &request.method,
                url: &request.url,
                is_idempotent: request.is_idempotent(),
                is_replayable: request.body.is_replayable(),
            };
            let bounds = Bounds { budget: &self.client.budget, limits: &self.limits, trace: self.trace };
            if let Some(exchanged) = (attempts.policy.next)(attempts, &sent, &bounds, outcome)? {
                return Ok(exchanged);
            }
            now = Instant::now();
        }
    }

    /// Sends the request with Digest credentials, and again with the answer to a 401, over the same
    /// connection if that lives.
    #[cfg(feature = "digest")]
    #[cold]
    #[inline(never)] // so that other requests do not pay for its variables
    fn exchange_with_digest(&self, request: &mut Request<'_>, kept: &Headers, now: Instant) -> Result<Exchanged> {
        let sessions = &self.client.digest;
        let mut budget = sessions.resume(request);
        let mut exchanged = self.exchange(request, kept, now)?;
        while let Some(why) = sessions.why_answer(request, &exchanged.received.head, &mut budget) {
            let drained = exchanged.drain(&digest::drain_deadline());
            drained.map_err(|cancelled| cancelled.at(Stage::Body).with_fate_at_least(why.fate()))?;
            self.trace.report(|ids| Event::Retry { error: &why, wait: Duration::ZERO, ids });
            let again = self.exchange(request, kept, Instant::now());
            exchanged = again.map_err(|error| error.with_fate_at_least(why.fate()))?;
        }
        Ok(exchanged)
    }

    /// Sends the request to one URL, and repeats it at most twice.
    #[inline]
    fn exchange(&self, request: &mut Request<'_>, kept: &Headers, now: Instant) -> Result<Exchanged> {
        let mut was_reused = false;
        let outcome = self.attempt(request, kept, Wanted::Any, now, &mut was_reused);
        let is_refused = |exchanged: &Exchanged| exchanged.received.head.status == StatusCode::EXPECTATION_FAILED;
        if self.client.settings.cookie_jar.is_none() && outcome.as_ref().is_ok_and(|exchanged| !is_refused(exchanged)) {
            return outcome;
        }
        self.follow_up(request, kept, outcome, was_reused)
    }

    /// Gives the jar the cookies of the response. Repeats the request where its connection turned out to be
    /// dead, and where the server refused `Expect: 100-continue`: once each, since a fresh connection is not
    /// dead, and the Expect is gone.
    #[cold]
    fn follow_up(
        &self,
        request: &mut Request<'_>,
        kept: &Headers,
        mut outcome: Result<Exchanged>,
        was_reused: bool,
    ) -> Result<Exchanged> {
        let mut may_be_dead = was_reused;
        loop {
            if let (Some(jar), Ok(exchanged)) = (&self.client.settings.cookie_jar, &outcome) {
                jar.store_from(&request.url, &exchanged.received.head.headers);
            }
            let Some(why) = why_repeat(request, &outcome, may_be_dead) else { return outcome };
            may_be_dead = false;
            drop(outcome.map(Exchanged::discard));
            if why.kind() == ErrorKind::Status {
                request.options.expect_continue = None;
            }
            self.trace.report(|ids| Event::Retry { error: &why, wait: Duration::ZERO, ids });
            // On a new connection: a server that answers 417 may go on to discard the announced body.
            let again = self.attempt(request, kept, Wanted::Fresh, Instant::now(), &mut false);
            outcome = again.map_err(|second| second.with_fate_at_least(why.fate()));
        }
    }

    /// Sends the request once, and notes whether that was on a reused connection.
    #[inline]
    fn attempt(
        &self,
        request: &mut Request<'_>,
        kept: &Headers,
        wanted: Wanted,
        now: Instant,
        was_reused: &mut bool,
    ) -> Result<Exchanged> {
        let client = self.client;
        let settings = &client.settings;
        let own_proxy;
        let proxy_option = match &request.options.proxy {
            ProxyOption::Client => &ProxyOption::Client,
            own => {
                own_proxy = own.clone(); // the request is changed while it is sent
                &own_proxy
            }
        };
        let way = match (proxy_option, &settings.proxies) {
            (ProxyOption::Client, Proxies::None) => Way::DIRECT,
            (option, proxies) => proxies.way(option, &request.url)?,
        };
        let adds_none = kept.is_empty()
            && settings.before_send.is_none()
            && settings.cookie_jar.is_none()
            && !request.options.uses_digest();
        let fields = match way.next_hop {
            NextHop::Origin | NextHop::OriginPastProxy if adds_none => {
                Cow::Borrowed(client.own_fields(request, &request.headers, kept).unwrap_or(&NO_FIELDS))
            }
            _ => Cow::Owned(client.hop_fields(request, &request.headers, way, kept)?),
        };
        let mut trace = self.trace;
        if trace.observers.list.is_some() {
            trace.ids.exchange = trace.observers.draw_id();
        }
        let lease = self.lease(&request.url, way.route, wanted, now, trace)?;
        *was_reused = lease.is_pooled;
        let proxy_fields = match way.route {
            Route::Forward { fields, .. } => fields,
            Route::Direct | Route::Tunnel(_) => &NO_FIELDS,
        };
        let hop = Hop { next: way.next_hop, fields: &fields, proxy_fields };
        exchange::run(lease, request, hop, settings)
    }

    /// Leases a connection that leads where the request goes.
    #[inline(always)]
    fn lease(&self, url: &Url, route: Route<'_>, wanted: Wanted, now: Instant, trace: Trace<'_>) -> Result<Lease> {
        let Inner { settings, dialer, pool, .. } = self.client;
        let limits = self.limits.clone();
        if let Some(token) = &limits.token {
            token.check().map_err(|error| error.at(Stage::Pool))?;
        }
        if limits.deadline.has_passed() {
            return Err(limits.deadline.error("before the request was sent").at(Stage::Pool));
        }
        if url.scheme() == "https" {
            self.client.check_https()?; // for every hop
        }
        if let Route::Forward { proxy, .. } | Route::Tunnel(proxy) = route {
            dialer.check_proxy(proxy, &target_of(url))?;
        }
        let key = Call::pool_key(url, route);
        let token = self.limits.token.as_ref();
        let checkout =
            Checkout { origin: &key, wanted, now, connect_timeout: settings.connect_timeout, limits, ids: trace.ids };
        pool.acquire(checkout, |deadline| {
            dialer.open(&target_of(url), route, deadline, token, trace).map_err(|not_opened| {
                if let Some((peer, reason, ids)) = not_opened.closed {
                    pool.record_closed_unused(peer, reason, ids);
                }
                not_opened.error
            })
        })
    }

    /// What makes connections interchangeable: the origin, or the proxy, or both.
    #[inline(always)]
    fn pool_key<'u>(url: &'u Url, route: Route<'_>) -> Cow<'u, str> {
        match route {
            Route::Direct => Cow::Borrowed(uri::origin(url)),
            Route::Forward { proxy, .. } => Cow::Owned(format!("proxy {}", proxy.pool_key())),
            Route::Tunnel(proxy) => Cow::Owned(format!("{} through {}", uri::origin(url), proxy.pool_key())),
        }
    }
}

impl Inner {
    fn check(&self, request: &Request<'_>, headers: &Headers) -> Result<()> {
        if let Some(error) = &self.settings.deferred_error {
            return Err(error.clone());
        }
        if let (ProxyOption::Proxy(_), Some(connector)) = (&request.options.proxy, &self.dialer.connector) {
            let what = format!("a proxy together with {}, whose connections would bypass it", connector.setting());
            return Err(Error::new(ErrorKind::InvalidRequest, what));
        }
        if request.url.scheme() == "https" {
            self.check_https()?;
        }
        request.check(headers)?;
        if headers.is_empty() { Ok(()) } else { check_upgrade(headers) }
    }

    fn check_https(&self) -> Result<()> {
        match self.dialer.may_speak_https() {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::UnsupportedScheme, Dialer::NEEDED_FOR_HTTPS)),
        }
    }

    /// The fields of a request after those defaults that it does not override.
    fn with_defaults<'h>(&self, headers: &'h Headers, options: &Options) -> Result<Cow<'h, Headers>> {
        let defaults = &self.settings.default_headers;
        if defaults.is_empty() {
            return Ok(Cow::Borrowed(headers));
        }
        if let Some(error) = &headers.deferred_error {
            return Err(error.clone());
        }
        let mut merged = defaults.clone();
        merged.retain(&mut |name| !headers.contains(name));
        if options.uses_digest() {
            merged.remove("authorization");
        }
        for (name, value) in headers.iter() {
            merged.append(name, value)?;
        }
        Ok(Cow::Owned(merged))
    }

    /// The fields of a hop that are the client's own: Accept-Encoding, where it decodes.
    #[cfg(feature = "__coding")]
    fn own_fields(&self, request: &Request<'_>, headers: &Headers, kept: &Headers) -> Option<&'static Headers> {
        accept_encoding::fields(request, headers, kept, &self.settings)
    }

    #[cfg(not(feature = "__coding"))]
    fn own_fields(&self, _: &Request<'_>, _: &Headers, _: &Headers) -> Option<&'static Headers> {
        None
    }

    /// The fields of one hop alone: the client's own, those that were kept for it, the answer to a Digest
    /// challenge, the proxy's, the jar's cookies, and those that `before_send` sets.
    fn hop_fields(&self, request: &Request<'_>, headers: &Headers, way: Way<'_>, kept: &Headers) -> Result<Headers> {
        let mut fields = kept.clone();
        if let Some(own) = self.own_fields(request, headers, kept) {
            fields.extend(own);
        }
        // An Authorization of the request's own was set after its Digest credentials.
        #[cfg(feature = "digest")]
        if !headers.contains("authorization") {
            if let Some(answer) = self.digest.authorization(request) {
                fields.insert("Authorization", answer)?;
            }
        }
        if let Route::Forward { fields: proxy_fields, .. } = way.route {
            for (name, value) in proxy_fields.iter().filter(|(name, _)| !headers.contains(name)) {
                fields.append(name, value)?;
            }
        }
        // A TRACE is sent back as it came, and must carry no secret (RFC 9110 §9.3.8).
        if let Some(jar) = self.settings.cookie_jar.as_ref().filter(|_| request.method != Method::TRACE) {
            jar.set_in(&mut fields, &request.url, headers)?;
        }
        let Some(before_send) = &self.settings.before_send else { return Ok(fields) };
        let user_agent = self.settings.own_fields.user_agent();
        #[cfg_attr(not(feature = "__coding"), expect(unused_mut))]
        let mut fields = before_send(&request.method, &request.url, user_agent, headers, fields, way.next_hop)?;
        #[cfg(feature = "__coding")]
        if fields.contains("range") && accept_encoding::is_asked_for(&fields) {
            fields.remove("accept-encoding"); // a range of the coded representation could not be decoded
        }
        match fields.iter().find(|(name, _)| request.method == Method::TRACE && is_secret(name)) {
            Some((name, _)) => {
                let what = format!("TRACE must not carry {name} (RFC 9110 §9.3.8)");
                Err(Error::new(ErrorKind::InvalidRequest, what))
            }
            None => Ok(fields),
        }
    }
}

/// The origin's host and port, regardless of proxies.
fn target_of(url: &Url) -> Target<'_> {
    Target {
        host: uri::bare_host(url),
        port: url.port_or_known_default().unwrap_or_default(),
        is_https: url.scheme() == "https",
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
