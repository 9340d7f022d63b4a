//! Building a client: every setting with its unit, default and reason.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Host;

use crate::client::Client;
use crate::client::cookies::CookieJar;
use crate::client::hooks::{self, Hop, Outgoing};
use crate::client::proxy::Proxies;
use crate::client::settings::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::headers::Headers;
use crate::message::proxy::Proxy;
use crate::message::request::{check_user_header, is_singleton};
use crate::message::retry::Retry;
use crate::net::dial::permits::Permits;
use crate::net::dial::resolve::{Resolve, Resolver, System};
use crate::net::dial::{AddressFilter, ConnectTcp, Connector, ConnectorKind, Dialer, dial_with};
use crate::net::pool::{Pool, PoolLimits};
use crate::net::speed::MinSpeed;
#[cfg(feature = "__rustls")]
use crate::net::tls::settings::Tls;
use crate::net::transport::Connect;
use crate::net::transport::unix::UnixSocket;
use crate::observe::{Observer, Observers};
use crate::token::{field_name_error, is_token};
use crate::wire::head_lines::InvalidLines;
use crate::wire::request_head::OwnFields;

/// The smallest and the largest buffer that can be set.
const BUFFER_BYTES: RangeInclusive<usize> = 512..=1 << 30;

/// The smallest and the largest head that can be allowed: a status line, and what spans reach.
const HEAD_BYTES: RangeInclusive<usize> = 64..=1 << 30;

/// The fewest and the most fields that can be allowed.
const HEAD_FIELDS: RangeInclusive<usize> = 1..=65_536;

/// Builds a [`Client`].
///
/// Limits of time take a [`Duration`], or `None` for no limit. An invalid setting (a limit of zero, a
/// malformed default header) is an error of [`try_build`](ClientBuilder::try_build);
/// [`build`](ClientBuilder::build) keeps it, and every send returns it, as
/// [`ErrorKind::InvalidRequest`].
///
/// ```
/// use longwire::Client;
/// use std::time::Duration;
///
/// let client = Client::builder()
///     .timeout(Duration::from_secs(30))
///     .read_timeout(None)
///     .max_idle_per_host(2)
///     .user_agent("weather-station/1.0")
///     .build();
/// # drop(client);
/// ```
#[doc(alias("Transport", "HTTPAdapter", "AgentBuilder", "ConfigBuilder"))]
#[must_use]
pub struct ClientBuilder {
    settings: Settings,
    pool: PoolLimits,
    /// `None`: the system's.
    resolver: Option<Arc<dyn Resolve>>,
    fixed: Vec<(String, SocketAddr)>,
    filter: Option<AddressFilter>,
    /// `None`: TCP.
    connector: Option<Connector>,
    /// `None`: those of the environment.
    proxies: Option<Proxies>,
    observers: Observers,
    dial: Option<ConnectTcp>,
    #[cfg(feature = "__rustls")]
    tls: Tls,
}

impl Client {
    /// Creates a client with the defaults of [`ClientBuilder`], among them the proxies of the
    /// environment (see [`ClientBuilder::proxy`]).
    pub fn new() -> Client {
        ClientBuilder::new().build()
    }

    /// Returns a builder with the defaults.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }
}

impl Default for Client {
    fn default() -> Client {
        Client::new()
    }
}

impl ClientBuilder {
    /// Creates a builder with the defaults.
    pub fn new() -> ClientBuilder {
        ClientBuilder {
            settings: Settings::default(),
            pool: PoolLimits::default(),
            resolver: None,
            fixed: Vec::new(),
            filter: None,
            connector: None,
            proxies: None,
            observers: Observers::default(),
            dial: None,
            #[cfg(feature = "__rustls")]
            tls: Tls::new(),
        }
    }

    /// Sets how long it may take to get a connection: waiting for a free one, resolving, connecting, a
    /// proxy's handshake and that of TLS together. Default 10 s.
    ///
    /// The addresses of a name race (RFC 8305): the next attempt starts when one fails, or after 250 ms, or
    /// after its share of the remaining time if that is less; the attempts before it go on. An address
    /// that lost a race is tried last for the next ten minutes; 256 of these are remembered. The attempts
    /// run on worker threads (see [`Client`]); the [`ErrorKind::Timeout`] of a request that waited for one
    /// names what it waited for.
    #[doc(alias("TLSHandshakeTimeout", "--connect-timeout", "timeout_connect"))]
    pub fn connect_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.connect_timeout = self.limit("connect_timeout", limit.into());
        self
    }

    /// Sets how long the server may send nothing while a response is waited for or read. Default 60 s. A
    /// response head, once begun, must also be complete within this time; and so must each TLS record.
    #[doc(alias = "timeout_per_read")]
    pub fn read_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.read_timeout = self.limit("read_timeout", limit.into());
        self
    }

    /// Sets how long a write may make no progress. Default 60 s.
    #[doc(alias = "timeout_per_write")]
    pub fn write_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.write_timeout = self.limit("write_timeout", limit.into());
        self
    }

    /// Sets how long the complete final response head may take, counted from the end of the request.
    /// Default none.
    #[doc(alias("ResponseHeaderTimeout", "timeout_recv_response"))]
    pub fn header_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.header_timeout = self.limit("header_timeout", limit.into());
        self
    }

    /// Sets how long the whole call may take: to the last byte of the response body, redirects and a
    /// retry included. Default none.
    #[doc(alias("--max-time", "CURLOPT_TIMEOUT", "timeout_global"))]
    pub fn timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.timeout = self.limit("timeout", limit.into());
        self
    }

    /// Sets the slowest that a server may send a response body: [`ErrorKind::Timeout`] once fewer than
    /// `bytes` have come while reads waited for `per` in all. 0 bytes switch it off, as is the default.
    ///
    /// It is the guard against a server that drips, which `read_timeout` never sees, where the length
    /// of a download makes a `timeout` of the whole impossible. Time that you spend between reads does
    /// not count, nor does what comes before the body.
    ///
    /// ```
    /// use longwire::Client;
    /// use std::time::Duration;
    ///
    /// // At least 10 KB in each half minute.
    /// let client = Client::builder().min_speed(10_000, Duration::from_secs(30)).build();
    /// # drop(client);
    /// ```
    #[doc(alias("--speed-limit", "--speed-time", "CURLOPT_LOW_SPEED_LIMIT"))]
    pub fn min_speed(mut self, bytes: u64, per: Duration) -> Self {
        self.settings.min_speed = MinSpeed::checked(bytes, per).unwrap_or_else(|error| {
            self.settings.deferred_error.get_or_insert(error);
            None
        });
        self
    }

    /// Sets how long a connection must have been idle for to be probed before it is used again.
    /// Default zero: every reuse is probed.
    ///
    /// The probe is one read that does not wait. It detects that the server has closed the connection,
    /// or has sent unrequested bytes, a 408 or a second response, which would be taken for the response
    /// to the next request; it costs three system calls, half a microsecond. Skip it
    /// for tight loops of requests that may be sent again, over trusted links: such a loop then makes two
    /// system calls a request.
    pub fn probe_after(mut self, idle: Duration) -> Self {
        self.pool.probe_after = idle;
        self
    }

    /// Sets how long a connection may be idle. Default 30 s. The time counts from when the last bytes of
    /// the response were received: while a short body lies in the buffer unread, the connection is idle
    /// to the server. If the server's `Keep-Alive: timeout=n` is less, a connection expires a second
    /// before the server closes it.
    #[doc(alias("IdleConnTimeout", "CURLOPT_MAXAGE_CONN", "pool_idle_timeout", "max_idle_age"))]
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.pool.idle_timeout = self.limit("idle_timeout", limit.into());
        self
    }

    /// Sets how old a connection may be to carry another request. Default none. Useful with load balancers
    /// and changing DNS.
    #[doc(alias = "CURLOPT_MAXLIFETIME_CONN")]
    pub fn max_connection_age(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.pool.age_max = self.limit("max_connection_age", limit.into());
        self
    }

    /// Sets how many idle connections are kept for one host and port. Default 32; 0 keeps none. Where
    /// more threads than that ask one host at once, connections are closed only to be opened again.
    #[doc(alias("MaxIdleConnsPerHost", "DisableKeepAlives", "pool_maxsize", "pool_max_idle_per_host"))]
    #[doc(alias = "max_idle_connections_per_host")]
    pub fn max_idle_per_host(mut self, count: usize) -> Self {
        self.pool.idle_per_host_max = count;
        self
    }

    /// Sets how many idle connections are kept in all. Default 128; the one that would expire first
    /// makes room for a new one.
    #[doc(alias("MaxIdleConns", "max_idle_connections"))]
    pub fn max_idle(mut self, count: usize) -> Self {
        self.pool.idle_max = count;
        self
    }

    /// Sets how many connections one host and port may have, in use and idle. Default none. Requests
    /// beyond wait, first come first served, within `connect_timeout`. A connection that is being closed
    /// does not count. Requests sent through an HTTP proxy without a tunnel count against the proxy.
    #[doc(alias("MaxConnsPerHost", "pool_block"))]
    pub fn max_connections_per_host(mut self, count: impl Into<Option<usize>>) -> Self {
        self.pool.per_host_max = count.into();
        if self.pool.per_host_max == Some(0) {
            self.defer("max_connections_per_host is 0".to_owned());
        }
        self
    }

    /// Sets the size in bytes of the read buffer of each active connection; idle connections hold none.
    /// Default 8 KiB; 512 B to 1 GiB. A larger one saves system calls on large bodies that are read in
    /// small pieces.
    #[doc(alias("ReadBufferSize", "input_buffer_size"))]
    pub fn buffer_size(mut self, bytes: usize) -> Self {
        self.within("buffer_size", bytes, BUFFER_BYTES);
        self.pool.buffer_size = bytes;
        self
    }

    /// Sets how many bytes a response head may have, [`ErrorKind::HeadTooLarge`] beyond. Default 64 KiB; 64 B
    /// to 1 GiB.
    #[doc(alias("MaxResponseHeaderBytes", "max_response_header_size", "with_max_headers_size"))]
    pub fn max_head_size(mut self, bytes: usize) -> Self {
        self.within("max_head_size", bytes, HEAD_BYTES);
        self.settings.head_limits.bytes_max = bytes;
        self
    }

    /// Sets how many fields a response head may have, [`ErrorKind::HeadTooLarge`] beyond. Default 256; 1 to
    /// 65,536.
    pub fn max_headers(mut self, count: usize) -> Self {
        self.within("max_headers", count, HEAD_FIELDS);
        self.settings.head_limits.fields_max = count;
        self
    }

    /// Skips lines of response heads that are no header fields, with their folds, instead of refusing
    /// the response ([`ErrorKind::Head`], which names the line). Default off.
    ///
    /// For devices that write a date without a name, an odd byte into a name, or a blank before a
    /// colon. A line that names `Content-Length` or `Transfer-Encoding` is never skipped: where the
    /// body ends must not depend on how a recipient reads it. What was skipped is still in
    /// [`Response::raw_head`](crate::Response::raw_head).
    #[doc(alias = "http1_ignore_invalid_headers_in_responses")]
    pub fn skip_invalid_headers(mut self, on: bool) -> Self {
        self.settings.invalid_lines = if on { InvalidLines::Skip } else { InvalidLines::Reject };
        self
    }

    /// Sets how many redirects are followed, [`ErrorKind::TooManyRedirects`] beyond. Default 10; with 0
    /// the 3xx itself is the response.
    #[doc(alias("--location", "--max-redirs", "allow_redirects"))]
    pub fn max_redirects(mut self, count: u32) -> Self {
        self.settings.max_redirects = count;
        self
    }

    /// Refuses bodies that end only with the connection ([`ErrorKind::Framing`]): a cut one
    /// cannot be told from a whole one unless the network reports an error. Default off.
    pub fn require_framing(mut self, on: bool) -> Self {
        self.settings.require_framing = on;
        self
    }

    /// Sets whether redirects from https to http are followed, too. Default off.
    pub fn allow_https_downgrade(mut self, on: bool) -> Self {
        self.settings.allow_https_downgrade = on;
        self
    }

    /// Sets the `User-Agent` of requests that do not set one. Default `longwire/` and its version; an
    /// empty one is not sent. The CONNECT to an HTTP
    /// proxy carries the same, or what [`default_header`](ClientBuilder::default_header) has for `User-Agent`; the
    /// one of a single request is for the server alone, since its tunnel is for all requests.
    #[doc(alias = "--user-agent")]
    pub fn user_agent(mut self, name: &str) -> Self {
        if let Err(error) = Headers::new().append("User-Agent", name) {
            self.settings.deferred_error.get_or_insert(error);
        }
        self.settings.own_fields = OwnFields::new(name);
        self
    }

    /// Adds a field to every request that does not set one of that name. On redirects to another origin it
    /// stays behind like any other.
    #[doc(alias = "default_headers")]
    pub fn default_header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        let (name, value) = (name.as_ref(), value.as_ref());
        let headers = &mut self.settings.default_headers;
        let is_single = name.eq_ignore_ascii_case("host") || is_singleton(name);
        let added = check_user_header(name, value).and_then(|()| match is_single {
            true => headers.insert(name, value), // there can be only one
            false => headers.append(name, value),
        });
        if let Err(error) = added {
            self.settings.deferred_error.get_or_insert(error);
        }
        self
    }

    /// Forwards fields of that name on redirects to another origin. By default only an allow-list is
    /// forwarded (`Accept`, `User-Agent`, `Range` and the like, and the body's own); all others may be
    /// secrets. For a decision by hop see [`on_redirect`](ClientBuilder::on_redirect).
    #[doc(alias("--location-trusted", "redirect_auth_headers"))]
    pub fn allow_cross_origin_header(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        if !is_token(name.as_bytes()) {
            self.defer(format!("allow_cross_origin_header: {}", field_name_error(name.as_bytes())));
        }
        self.settings.cross_origin_allowed.push(name);
        self
    }

    /// Sends requests through this proxy, those to loopback hosts included; only hosts of
    /// [`Proxy::bypass`] are connected to directly.
    ///
    /// Without this and without [`no_proxy`](ClientBuilder::no_proxy) the environment decides, as
    /// it is when the client is built: `http_proxy` and `https_proxy` for URLs with that scheme,
    /// `all_proxy` where that one is not set, and `no_proxy` for the exceptions; each in capitals,
    /// too. Their values are as [`Proxy::new`] takes them, and the list is one for
    /// [`Proxy::bypass`], where invalid entries are ignored. `localhost`, names below it and
    /// loopback addresses bypass these proxies in any case. `HTTP_PROXY` is ignored where
    /// `REQUEST_METHOD` is set: in a CGI program it is under the control of the client (httpoxy). An
    /// invalid proxy fails the first request that needs it, with [`ErrorKind::InvalidRequest`]. A client
    /// with a connector, a unix socket or an address filter ignores the environment.
    ///
    /// A proxy together with a connector or a unix socket is [`ErrorKind::InvalidRequest`].
    #[doc(alias("ProxyFromEnvironment", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"))]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxies = Some(Proxies::Given(proxy));
        self
    }

    /// Connects to every server directly, whatever the environment names.
    #[doc(alias = "trust_env")]
    pub fn no_proxy(mut self) -> Self {
        self.proxies = Some(Proxies::None);
        self
    }

    /// Sets a custom DNS resolver, in place of the system's. It is not called for IP addresses, for hosts of
    /// [`resolve_to`](ClientBuilder::resolve_to), nor for `localhost` and the names below it, which are
    /// the loopback addresses (RFC 6761 §6.3).
    #[doc(alias = "dns_resolver")]
    pub fn resolver(mut self, resolver: impl Resolve + 'static) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Connects to `address` for URLs with this host, in place of a look-up. Port 0 stands for the
    /// URL's port; any other replaces it.
    ///
    /// Another call for the same host adds an address: all of them are tried like those of a name
    /// (see [`connect_timeout`](ClientBuilder::connect_timeout)). An HTTP proxy resolves names itself.
    ///
    /// An IPv6 link-local address is reached through one interface only, its zone, which no URL can
    /// name; here the interface's index does (RFC 4007 §11):
    ///
    /// ```
    /// use longwire::Client;
    ///
    /// let client = Client::builder()
    ///     .resolve_to("printer.local", "[fe80::1%2]:80".parse()?)
    ///     .resolve_to("db.internal", "10.0.0.7:0".parse()?)
    ///     .resolve_to("db.internal", "10.0.0.8:0".parse()?)
    ///     .build();
    /// # drop(client);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[doc(alias("--resolve", "--connect-to", "CURLOPT_RESOLVE"))]
    pub fn resolve_to(mut self, host: &str, address: SocketAddr) -> Self {
        match (host.parse::<IpAddr>(), Host::parse(host)) {
            (Ok(ip), _) => self.fixed.push((ip.to_string(), address)),
            (Err(_), Ok(Host::Ipv6(ip))) => self.fixed.push((ip.to_string(), address)), // in brackets
            (Err(_), Ok(host)) => self.fixed.push((host.to_string(), address)),
            (Err(_), Err(error)) => self.defer(format!("resolve_to: no URL has the host {host:?}: {error}")),
        }
        self
    }

    /// Connects only to addresses that pass the filter: those of names, of literals and of redirects
    /// alike. The socket is opened to the very address that was checked. If none passes, the request
    /// fails with [`ErrorKind::BlockedAddress`]. A connector's connections and a unix socket's cannot be
    /// filtered: together with one it is [`ErrorKind::InvalidRequest`]. With a filter, environment
    /// proxies are ignored, and an explicit proxy must be [`Proxy::trusted`], because the filter cannot
    /// see the addresses that the proxy connects to.
    ///
    /// [`PublicOnly`](crate::PublicOnly) is a filter against server-side request forgery (SSRF).
    ///
    /// ```
    /// use longwire::{Client, ErrorKind};
    ///
    /// let client = Client::builder().address_filter(|address| !address.ip().is_loopback()).build();
    /// let error = client.get("http://127.0.0.1/").send().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::BlockedAddress);
    /// ```
    #[doc(alias = "SSRF")]
    pub fn address_filter(mut self, allows: impl Fn(&SocketAddr) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Arc::new(allows));
        self
    }

    /// Sets a custom connector, which opens every connection in place of TCP. The last of this and
    /// [`unix_socket`](ClientBuilder::unix_socket) counts.
    ///
    /// For an `https` URL the client does TLS over the connector's stream, unless the stream
    /// is secure itself ([`Stream::is_secure`](crate::transport::Stream::is_secure)). In a build without
    /// TLS a stream that is not secure is closed before a byte is sent, and the request fails with
    /// [`ErrorKind::UnsupportedScheme`]. The connector is called on the request's own thread, which
    /// blocks for as long as it does; a stream that comes after `connect_timeout`, or after a cancel,
    /// is closed unused.
    ///
    /// `proxy`, `address_filter`, `resolve_to` and `resolver` have no say in a connector's
    /// connections: together with it each is [`ErrorKind::InvalidRequest`] of every send.
    #[doc(alias = "DialContext")]
    pub fn connector(mut self, connector: impl Connect + 'static) -> Self {
        self.connector = Some(Connector { kind: ConnectorKind::Custom, connect: Arc::new(connector) });
        self
    }

    /// Sends every request through the unix socket at `path`; the URL's host only names the server.
    /// The last of this and [`connector`](ClientBuilder::connector) counts.
    ///
    /// For an `https` URL the client does TLS over it. `proxy`, `address_filter`, `resolve_to` and
    /// `resolver` together with it are [`ErrorKind::InvalidRequest`] of every send.
    #[doc(alias = "--unix-socket")]
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        let socket = UnixSocket::new(path.into());
        self.connector = Some(Connector { kind: ConnectorKind::UnixSocket, connect: Arc::new(socket) });
        self
    }

    /// Sets how TLS is done: which certificates are trusted, the client's own certificate, the versions.
    /// Only with the feature `tls` or `tls-webpki-roots`.
    ///
    /// It also applies to an `https` proxy, unless [`Proxy::tls`] gives that one of its own. A value
    /// whose settings contradict each other is [`ErrorKind::InvalidRequest`]; see [`Tls`].
    ///
    /// ```no_run
    /// use longwire::{Client, Tls};
    ///
    /// let tls = Tls::new().add_root(std::fs::read("company-root.pem")?)?;
    /// let client = Client::builder().tls(tls).try_build()?;
    /// # drop(client);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("TLSClientConfig", "tls_config"))]
    #[cfg(feature = "__rustls")]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "tls", feature = "tls-webpki-roots"))))]
    pub fn tls(mut self, tls: Tls) -> Self {
        if let Err(error) = tls.check() {
            self.settings.deferred_error.get_or_insert(error);
        }
        self.tls = tls;
        self
    }

    /// Adds an observer of the client's [events](crate::Event). Observers add up; each event goes to all,
    /// in the order in which they were added.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observers.add(Arc::new(observer));
        self
    }

    /// Sets how TCP connections are opened, in place of [`TcpStream::connect_timeout`]: for socket options
    /// (keepalive, a local address, an interface, a mark), by `socket2` for example. The last one set
    /// counts.
    ///
    /// `dial` is called with each address that is tried and the time that is left, on a worker thread.
    /// Name resolution, the race of a name's addresses, proxies, TLS and cancelling stay the client's. A
    /// call that outstays its time keeps its worker until it returns (see [`Client`]); what it returns
    /// then is closed.
    ///
    /// ```
    /// use longwire::Client;
    /// use std::{net::{SocketAddr, TcpStream}, time::Duration};
    ///
    /// let client = Client::builder()
    ///     .dial(|address: &SocketAddr, left: Duration| {
    ///         let stream = TcpStream::connect_timeout(address, left)?;
    ///         stream.set_ttl(16)?;
    ///         Ok(stream)
    ///     })
    ///     .build();
    /// # drop(client);
    /// ```
    #[doc(alias("DialContext", "--interface", "--keepalive-time", "socket_options", "local_address", "interface"))]
    #[doc(alias("tcp_keepalive", "tcp_nodelay"))]
    pub fn dial(
        mut self,
        dial: impl Fn(&SocketAddr, Duration) -> io::Result<TcpStream> + Send + Sync + 'static,
    ) -> Self {
        self.dial = Some(dial_with(dial));
        self
    }

    /// Sets a hook that decides on each redirect before it is followed: see [`Hop`]. The last one set
    /// counts.
    ///
    /// It may stop (the 3xx is the response), keep fields for this hop, or refuse the redirect with an
    /// error, which the send returns. It is called on the request's thread and must not block.
    #[doc(alias("CheckRedirect", "Policy"))]
    pub fn on_redirect(mut self, decide: impl Fn(&mut Hop<'_>) -> Result<()> + Send + Sync + 'static) -> Self {
        self.settings.on_redirect = Some(hooks::on_redirect(decide));
        self
    }

    /// Sets a hook that may set fields of each request head before it is sent: see [`Outgoing`]. The last
    /// one set counts.
    ///
    /// It is called for the head of every hop and every retry, after all other fields are there, and by
    /// [`to_wire`](Client::to_wire); not for the CONNECT to a proxy. Where it sets `Range`, the client's own
    /// `Accept-Encoding` is not sent. An error is returned by the send,
    /// and nothing is sent. It is called on the request's thread, before a connection is taken.
    #[doc(alias = "middleware")]
    pub fn before_send(mut self, prepare: impl Fn(&mut Outgoing<'_>) -> Result<()> + Send + Sync + 'static) -> Self {
        self.settings.before_send = Some(hooks::before_send(prepare));
        self
    }

    /// Sets whether content codings (compression) are asked for and undone while a body is read. The
    /// default is `true`. Only with one of the features `gzip`, `brotli` and `zstd`.
    ///
    /// With it a request says `Accept-Encoding: gzip` (`br`, `zstd`), unless it has an
    /// `Accept-Encoding` or a `Range` of its own; only a response to such a request is decoded, whatever
    /// its status, but not a 206, which is a part of the coded representation.
    ///
    /// * What is read is the decoded content. The head stays as it came: `Content-Encoding` still says
    ///   what the server sent, [`Body::coding`] what is undone, and `Content-Length` and
    ///   [`Body::wire_bytes`] are of the coded bytes, while [`Response::content_length`] and
    ///   [`Body::remaining`] are `None`.
    /// * `gzip` (all members of it), `x-gzip` and `deflate` (zlib or raw) are decoded with the feature `gzip`,
    ///   `br` with `brotli`, `zstd` with `zstd` (windows of at most 8 MiB, RFC 9659); any two of them on
    ///   top of each other. A coding that is not known leaves the body as it came.
    /// * The body ends when its framing and its coding have both ended. Compressed data that is cut short
    ///   is [`ErrorKind::Truncated`], and data that is malformed, has a wrong checksum or is followed by
    ///   anything else is [`ErrorKind::Decode`]. An empty body is empty in every coding.
    /// * [`Response::limit`] is for decoded bytes. Reading in pieces needs no more memory for a body that
    ///   grows much: for gzip about 50 KiB, for brotli up to its window of 16 MiB, for zstd up to twice its
    ///   window. The decoder for zstd gives out nothing that is still in the window (mostly 2 MiB) before the
    ///   frame ends, so a stream that is flushed bit by bit arrives late.
    ///
    /// ```
    /// use longwire::Client;
    ///
    /// let plain = Client::builder().decode(false).build();
    /// # drop(plain);
    /// ```
    ///
    /// [`Body::coding`]: crate::Body::coding
    /// [`Body::wire_bytes`]: crate::Body::wire_bytes
    /// [`Body::remaining`]: crate::Body::remaining
    /// [`Response::content_length`]: crate::Response::content_length
    /// [`Response::limit`]: crate::Response::limit
    #[doc(alias("DisableCompression", "--compressed", "gzip", "no_gzip", "allow_compression"))]
    #[cfg(feature = "__coding")]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))))]
    pub fn decode(mut self, yes: bool) -> Self {
        self.settings.decode = yes;
        self
    }

    /// Sets the jar for cookies; without one they are neither kept nor sent. The last one set counts.
    ///
    /// [`CookieStore`](crate::CookieStore) is such a jar. It is asked for the cookies of each hop's URL, at
    /// a retry again, and is given the `Set-Cookie` fields of every final response, of redirects before
    /// they are followed; not those of interim responses (1xx other than 101), of trailers and of a proxy's
    /// response to CONNECT. A TRACE carries no cookies.
    ///
    /// A `Cookie` field of a request's own, or of [`default_header`](ClientBuilder::default_header), is sent
    /// together with the jar's cookies in one field; where both have a cookie of the same name, the
    /// request's is sent. On a redirect to another origin the request's own stays behind like any other
    /// field, while the jar is asked for the new URL. [`before_send`](ClientBuilder::before_send) sees the
    /// field, and may replace it.
    ///
    /// ```
    /// use longwire::{Client, CookieStore, Request, Method};
    ///
    /// let store = CookieStore::new();
    /// store.insert("http://example.com/", "lang=en")?;
    /// let client = Client::builder().cookie_jar(store.clone()).build();
    /// let head = client.to_wire(&Request::new(Method::GET, "http://example.com/")?)?;
    /// assert!(head.ends_with(b"Cookie: lang=en\r\n\r\n"));
    /// # Ok::<(), longwire::Error>(())
    /// ```
    #[doc(alias("Jar", "cookie_store", "cookie_provider"))]
    pub fn cookie_jar(mut self, jar: impl CookieJar + 'static) -> Self {
        self.settings.cookie_jar = Some(Arc::new(jar));
        self
    }

    /// Sets the policy by which requests are sent again, or `None`, the default, for none: see [`Retry`]. A
    /// request's own ([`RequestBuilder::retry`](crate::RequestBuilder::retry)) stands in its place. (A GET on a
    /// pooled connection that turns out to be dead is sent again at once without any.)
    #[doc(alias("--retry", "max_retries"))]
    pub fn retry(mut self, retry: impl Into<Option<Retry>>) -> Self {
        self.settings.retry = retry.into().map(Arc::new);
        self
    }

    /// Returns the client, or the first setting that is invalid.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`].
    ///
    /// ```
    /// use longwire::{Client, ErrorKind};
    /// use std::time::Duration;
    ///
    /// let error = Client::builder().timeout(Duration::ZERO).try_build().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    /// ```
    pub fn try_build(self) -> Result<Client> {
        let client = self.build();
        client.check_settings()?;
        Ok(client)
    }

    /// Returns the client. An invalid setting is kept and returned by every send.
    #[must_use]
    pub fn build(mut self) -> Client {
        let connector = self.connector.take();
        if let Some(connector) = &connector {
            self.check_bypassed(connector.setting());
        }
        let asks_environment = self.proxies.is_none() && connector.is_none() && self.filter.is_none();
        self.settings.proxies = match asks_environment {
            true => Proxies::from_env(),
            false => self.proxies.take().unwrap_or_default(),
        };
        let dialer = Dialer {
            resolver: Resolver::new(self.resolver.unwrap_or_else(|| Arc::new(System)), self.fixed),
            permits: Permits::default(),
            filter: self.filter,
            dial: self.dial,
            connector,
            user_agent: self.settings.own_user_agent().to_vec(),
            #[cfg(feature = "__rustls")]
            tls: self.tls,
        };
        Client::assemble(self.settings, dialer, Pool::new(self.pool, self.observers))
    }

    /// A setting that a connector's connections would silently bypass is an error: it may be a guard.
    fn check_bypassed(&mut self, connector: &str) {
        let settings = [
            ("proxy", matches!(self.proxies, Some(Proxies::Given(_)))),
            ("address_filter", self.filter.is_some()),
            ("resolve_to", !self.fixed.is_empty()),
            ("resolver", self.resolver.is_some()),
            ("dial", self.dial.is_some()),
        ];
        for (setting, _) in settings.into_iter().filter(|(_, is_set)| *is_set) {
            self.defer(format!("{setting} together with {connector}, whose connections would bypass it"));
        }
    }

    fn limit(&mut self, setting: &str, limit: Option<Duration>) -> Option<Duration> {
        if limit == Some(Duration::ZERO) {
            self.defer(format!("{setting} is zero: nothing could ever be done in it"));
        }
        limit
    }

    fn within(&mut self, setting: &str, value: usize, sensible: RangeInclusive<usize>) {
        if !sensible.contains(&value) {
            let (least, most) = (sensible.start(), sensible.end());
            self.defer(format!("{setting} is {value}: it must be between {least} and {most}"));
        }
    }

    fn defer(&mut self, what: String) {
        self.settings.deferred_error.get_or_insert(Error::new(ErrorKind::InvalidRequest, what));
    }
}

impl Default for ClientBuilder {
    fn default() -> ClientBuilder {
        ClientBuilder::new()
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("pool", &self.pool).finish_non_exhaustive()
    }
}
