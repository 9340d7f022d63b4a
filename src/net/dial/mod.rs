//! Opening a connection: resolving the host, filtering its addresses, connecting to one of them
//! (RFC 8305), and what is done on it before a request: the handshakes with a proxy and of TLS. Which
//! proxy is for which URL is not decided here, and what is kept for reuse neither.

pub(crate) mod http_connect;
pub(crate) mod permits;
pub(crate) mod public_only;
pub(crate) mod race;
pub(crate) mod resolve;
pub(crate) mod route;
mod socks5;
pub(crate) mod tunnel;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::net::cancel::CancelToken;
use crate::net::conn::Conn;
use crate::net::deadline::Deadline;
use crate::net::dial::permits::Permits;
use crate::net::dial::race::{ConnectFn, RaceError};
use crate::net::dial::resolve::Resolver;
use crate::net::dial::route::{Destination, Dns, ProxyProtocol, ProxyServer, Route, TunnelError};
#[cfg(feature = "__rustls")]
use crate::net::tls::settings::Tls;
use crate::net::transport::socket::Socket;
use crate::net::transport::{Connect, Target};
use crate::observe::{Event, EventIds, Timings, Trace};
use crate::reuse::CloseReason;
use crate::tls_info::TlsInfo;

/// Addresses of one name that are tried; each may cost a thread for as long as its attempt takes.
const ADDRESSES_MAX: usize = 16;

/// The time that a user-supplied function is given where nothing limits it: longer than the patience of
/// any system.
const DIAL_TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) type AddressFilter = Arc<dyn Fn(&SocketAddr) -> bool + Send + Sync>;

/// Connects a TCP socket; returns it, and the address that it is connected to.
pub(crate) type ConnectTcp = ConnectFn<SocketAddr, (TcpStream, SocketAddr)>;

/// How a client's connections are opened.
pub(crate) struct Dialer {
    pub(crate) resolver: Resolver,
    pub(crate) permits: Permits<SocketAddr>,
    pub(crate) filter: Option<AddressFilter>,
    /// Used in place of [`connect`].
    pub(crate) dial: Option<ConnectTcp>,
    pub(crate) connector: Option<Connector>,
    /// The User-Agent of a request for a tunnel; none if it is empty.
    pub(crate) user_agent: Vec<u8>,
    #[cfg(feature = "__rustls")]
    pub(crate) tls: Tls,
}

/// Opens connections in place of TCP. Neither proxies nor the address filter apply to it.
pub(crate) struct Connector {
    pub(crate) kind: ConnectorKind,
    /// Called through a vtable whatever its kind, so that a program that sets none has no code of either.
    pub(crate) connect: Arc<dyn Connect>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectorKind {
    /// User-supplied; its streams may be secure as they are.
    Custom,
    UnixSocket,
}

impl Connector {
    /// Returns the name of the setting that chose it.
    pub(crate) fn setting(&self) -> &'static str {
        match self.kind {
            ConnectorKind::Custom => "connector",
            ConnectorKind::UnixSocket => "unix_socket",
        }
    }
}

/// Why there is no connection.
pub(crate) struct ConnectError {
    pub(crate) error: Error,
    /// A connection was opened and reported; its close is to be reported, too.
    pub(crate) closed: Option<(Option<SocketAddr>, CloseReason, EventIds)>,
}

impl From<Error> for ConnectError {
    fn from(error: Error) -> ConnectError {
        ConnectError { error, closed: None }
    }
}

/// The limits of one connection that is being opened, and the time that it has taken so far.
struct ConnectAttempt<'a> {
    deadline: Deadline,
    token: Option<&'a CancelToken>,
    trace: Trace<'a>,
    took: Timings,
}

impl ConnectAttempt<'_> {
    /// Fails if what was opened at `now` comes too late to be used.
    fn check(&self, now: Instant) -> Result<()> {
        self.token.map_or(Ok(()), CancelToken::check)?;
        match self.deadline.remaining_at(now) {
            Some(Duration::ZERO) => Err(self.deadline.error("connecting")),
            _ => Ok(()),
        }
    }

    /// Returns the error of a connector as a cancel or a timeout, if it came of one: a connector may
    /// report either in its own words.
    fn classify(&self, error: Error) -> Error {
        match self.token.map_or(Ok(()), CancelToken::check) {
            Err(cancelled) => cancelled,
            Ok(()) if self.deadline.has_passed() && !error.is_timeout() => {
                error.context(ErrorKind::Timeout, &self.deadline.error("connecting").to_string())
            }
            Ok(()) => error,
        }
    }
}

impl Dialer {
    /// Whether this build has TLS, for https servers and https proxies.
    pub(crate) const SPEAKS_TLS: bool = cfg!(feature = "__rustls");

    /// What an https URL needs in a build without it.
    pub(crate) const NEEDED_FOR_HTTPS: &str = "https needs longwire's feature `tls` or `tls-webpki-roots`, \
                                               or a connector whose streams are secure (Stream::is_secure)";

    /// Opens a connection to `target`, within `deadline`.
    pub(crate) fn open(
        &self,
        target: &Target<'_>,
        route: Route<'_>,
        deadline: Deadline,
        token: Option<&CancelToken>,
        mut trace: Trace<'_>,
    ) -> std::result::Result<Box<Conn>, ConnectError> {
        trace.ids.connection = trace.observers.draw_id();
        let started = Instant::now();
        let mut attempt = ConnectAttempt { deadline, token, trace, took: Timings::default() };
        let socket = self.connect(target, route, &mut attempt)?;
        let peer = socket.peer_addr();
        let connected = Instant::now();
        attempt.check(connected).map_err(|error| error.with_peer(peer).at(Stage::Connect))?;
        attempt.took.connect = (connected - started).saturating_sub(attempt.took.resolve + attempt.took.tls);
        trace.report(|ids| Event::Connected { peer, took: attempt.took.connect, ids });
        let needs_tls = target.is_https && !self.is_secure(&socket);
        let opened = match needs_tls {
            true => self
                .secure(socket, target.host, None, &mut attempt)
                .map(|(socket, tls)| Conn::new(socket, Some(tls), attempt.took, Instant::now(), trace.ids.connection)),
            false => Ok(Conn::new(socket, None, attempt.took, connected, trace.ids.connection)),
        };
        let error = match opened {
            Ok(conn) if self.connector.is_some() || !is_connected_to_itself(&conn) => return Ok(conn),
            Ok(_) => {
                let what = "nothing listens there, and the system connected the socket to itself";
                Error::new(ErrorKind::Connect, what).at(Stage::Connect)
            }
            Err(error) => error,
        };
        let reason = if error.is_cancelled() { CloseReason::Cancelled } else { CloseReason::Failed };
        Err(ConnectError { error: error.with_peer(peer), closed: Some((peer, reason, trace.ids)) })
    }

    /// Returns whether an https server can be connected to, as far as is known before the connect.
    pub(crate) fn may_speak_https(&self) -> bool {
        Self::SPEAKS_TLS || self.connector.as_ref().is_some_and(|connector| connector.kind == ConnectorKind::Custom)
    }

    /// Does the TLS handshake with `host`: the server, or the proxy.
    #[cfg(feature = "__rustls")]
    fn secure(
        &self,
        socket: Socket,
        host: &str,
        proxy: Option<&ProxyServer>,
        attempt: &mut ConnectAttempt<'_>,
    ) -> Result<(Socket, TlsInfo)> {
        let started = Instant::now();
        let tls = proxy.and_then(|proxy| proxy.tls.as_ref()).unwrap_or(&self.tls);
        let secured = tls.wrap(socket, host, attempt.deadline, attempt.token, attempt.trace)?;
        attempt.took.tls += started.elapsed();
        Ok(secured)
    }

    #[cfg(not(feature = "__rustls"))]
    fn secure(
        &self,
        _: Socket,
        host: &str,
        _: Option<&ProxyServer>,
        _: &mut ConnectAttempt<'_>,
    ) -> Result<(Socket, TlsInfo)> {
        let what = format!("no TLS with {host}: {}", Self::NEEDED_FOR_HTTPS);
        Err(Error::new(ErrorKind::UnsupportedScheme, what).at(Stage::Tls))
    }

    /// Fails if this proxy cannot be used for `target`: for want of TLS in this build, or because the
    /// address filter forbids it. The filter cannot check the addresses that a proxy connects to, except
    /// for those that the proxy is given.
    pub(crate) fn check_proxy(&self, proxy: &ProxyServer, target: &Target<'_>) -> Result<()> {
        if proxy.is_https() && !Self::SPEAKS_TLS {
            let what = format!("the proxy {proxy:?} is spoken to through TLS, which this build does not have");
            return Err(Error::new(ErrorKind::UnsupportedScheme, what));
        }
        let Some(allows) = &self.filter else { return Ok(()) };
        let blocked = |what| Err(Error::new(ErrorKind::BlockedAddress, what).at(Stage::Connect));
        if !proxy.is_trusted {
            return blocked(format!(
                "the address filter cannot check what addresses the proxy {proxy:?} connects to (Proxy::trusted)"
            ));
        }
        match self.resolver.known(target.host, target.port) {
            Some(addresses) if !addresses.iter().any(|address| allows(address)) => {
                blocked(format!("the address filter refused {}", target.host))
            }
            _ => Ok(()),
        }
    }

    /// Returns whether the server can be sent an https request on this socket as it is. Only a
    /// connector's stream can be secure: TLS on any other may end at a proxy.
    fn is_secure(&self, socket: &Socket) -> bool {
        self.connector.is_some() && socket.is_secure()
    }

    /// Connects a socket on which requests can be sent: to the server itself, through a tunnel, or to the
    /// proxy that forwards them.
    fn connect(&self, target: &Target<'_>, route: Route<'_>, attempt: &mut ConnectAttempt<'_>) -> Result<Socket> {
        if let Some(connector) = &self.connector {
            let token = attempt.token.cloned().unwrap_or_default();
            let stream = connector.connect.connect(target, attempt.deadline, &token);
            return Ok(Socket::other(stream.map_err(|error| attempt.classify(error).at(Stage::Connect))?));
        }
        match route {
            Route::Direct => {
                let addresses = self.resolve(target.host, target.port, self.filter.as_ref(), attempt)?;
                self.connect_tcp(&addresses, attempt)
            }
            Route::Forward { proxy, .. } => self.connect_proxy(proxy, attempt),
            Route::Tunnel(proxy) => self.connect_tunnel(proxy, target, attempt),
        }
    }

    fn connect_proxy(&self, proxy: &ProxyServer, attempt: &mut ConnectAttempt<'_>) -> Result<Socket> {
        // Where there is a filter only trusted proxies are used, at whatever address.
        let addresses = self.resolve(&proxy.host, proxy.port, None, attempt);
        let socket = addresses.and_then(|addresses| self.connect_tcp(&addresses, attempt));
        let secured = match socket {
            Ok(socket) if proxy.is_https() => {
                self.secure(socket, &proxy.host, Some(proxy), attempt).map(|(socket, _)| socket)
            }
            plain_or_failed => plain_or_failed,
        };
        secured.map_err(|error| match error.kind() {
            ErrorKind::Cancelled => error,
            kind => error.context(kind, &format!("the proxy {proxy:?}")),
        })
    }

    /// Connects a tunnel to `target`, to the first of its addresses that the proxy can connect to. Each
    /// gets its share of the time, since the proxy may hang on any of them.
    fn connect_tunnel(
        &self,
        proxy: &ProxyServer,
        target: &Target<'_>,
        attempt: &mut ConnectAttempt<'_>,
    ) -> Result<Socket> {
        let destinations = match proxy.protocol {
            ProxyProtocol::Socks5 { dns: Dns::Local, .. } => {
                let addresses = self.resolve(target.host, target.port, self.filter.as_ref(), attempt)?;
                addresses.into_iter().map(Destination::Address).collect()
            }
            _ => vec![Destination::Host(target.host, target.port)],
        };
        let mut unreachable = Error::new(ErrorKind::Resolve, "there is no address");
        let mut remaining = destinations.len() as u32;
        for to in destinations {
            let socket = self.connect_proxy(proxy, attempt)?;
            let share = attempt.deadline.share(remaining);
            remaining -= 1;
            match tunnel::open(socket, proxy, &self.user_agent, to, share, attempt.token) {
                Ok(socket) => return Ok(socket),
                Err(TunnelError::Unreachable(error)) => unreachable = error.at(Stage::Connect),
                Err(TunnelError::Failed(error)) if error.is_timeout() && remaining > 0 => {}
                Err(TunnelError::Failed(error)) => return Err(error.at(Stage::Connect)),
            }
        }
        Err(unreachable)
    }

    /// Returns the addresses of `host` that pass the filter, in the order in which they are tried.
    fn resolve(
        &self,
        host: &str,
        port: u16,
        filter: Option<&AddressFilter>,
        attempt: &mut ConnectAttempt<'_>,
    ) -> Result<Vec<SocketAddr>> {
        let mut addresses = match self.resolver.known(host, port) {
            Some(addresses) => addresses,
            None => {
                let started = Instant::now();
                let addresses = self.resolver.look_up(host, port, attempt.deadline, attempt.token)?;
                let took = started.elapsed();
                attempt.took.resolve += took;
                attempt.trace.report(|ids| Event::Resolved {
                    host,
                    addresses: &addresses,
                    took,
                    ids: EventIds { connection: 0, ..ids },
                });
                addresses
            }
        };
        if let Some(allows) = filter {
            let found = addresses.len();
            addresses.retain(|address| allows(address));
            if addresses.is_empty() {
                let what = format!("the address filter refused all {found} addresses of {host}");
                return Err(Error::new(ErrorKind::BlockedAddress, what).at(Stage::Resolve));
            }
        }
        if addresses.len() > 1 {
            addresses = interleave_families(&addresses);
            addresses.truncate(ADDRESSES_MAX);
        }
        Ok(addresses)
    }

    /// Connects to one of these addresses. A single one needs no worker where a timeout alone can end the
    /// connect: not if a token can cancel it, nor if it is a `dial`, which may outstay its time.
    fn connect_tcp(&self, addresses: &[SocketAddr], attempt: &ConnectAttempt<'_>) -> Result<Socket> {
        let (deadline, token) = (attempt.deadline, attempt.token);
        let connected = match (&self.dial, addresses, token) {
            (None, [address], None) => {
                connect(address, deadline).map_err(|error| RaceError::AllFailed(vec![(*address, error)]))
            }
            (dial, ..) => {
                let by_default: ConnectTcp = Arc::new(connect);
                race::run(&self.permits, addresses, dial.as_ref().unwrap_or(&by_default), deadline, token)
            }
        };
        // Requests leave in whole writes, so waiting for more to send would only cost time.
        let no_delay = |(stream, peer): (TcpStream, SocketAddr)| match stream.set_nodelay(true) {
            Ok(()) => Ok(Socket::Tcp(Arc::new(stream), peer)),
            Err(error) => Err(Error::from_io(ErrorKind::Connect, "TCP_NODELAY", error)),
        };
        let connected = connected.map_err(|lost| failure(lost, addresses, deadline));
        connected.and_then(no_delay).map_err(|error| error.at(Stage::Connect))
    }
}

/// Makes one attempt: the socket, and the address that it is connected to.
fn connect(address: &SocketAddr, deadline: Deadline) -> io::Result<(TcpStream, SocketAddr)> {
    let stream = TcpStream::connect_timeout(address, time_left(deadline, Duration::MAX)?)?;
    Ok((stream, *address))
}

/// Connects by a user-supplied function. Its socket may still be non-blocking or have timeouts, and may
/// be connected to another address than it was asked for.
pub(crate) fn dial_with(
    dial: impl Fn(&SocketAddr, Duration) -> io::Result<TcpStream> + Send + Sync + 'static,
) -> ConnectTcp {
    Arc::new(move |address, deadline| dial_once(&dial, address, deadline))
}

fn dial_once(
    dial: &dyn Fn(&SocketAddr, Duration) -> io::Result<TcpStream>,
    address: &SocketAddr,
    deadline: Deadline,
) -> io::Result<(TcpStream, SocketAddr)> {
    let left = time_left(deadline, DIAL_TIME_MAX)?;
    let dialled = panic::catch_unwind(AssertUnwindSafe(|| dial(address, left)));
    let stream = match dialled.unwrap_or_else(|_| Err(io::Error::other("the dial function panicked"))) {
        // It gave up before its time: then this is no timeout of ours.
        Err(error) if race::is_timeout(&error) && !deadline.has_passed() => return Err(io::Error::other(error)),
        dialled => dialled?,
    };
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)?;
    let peer = stream.peer_addr()?;
    Ok((stream, peer))
}

/// Returns what is left of the time, or `unlimited` where there is no limit.
fn time_left(deadline: Deadline, unlimited: Duration) -> io::Result<Duration> {
    match deadline.remaining() {
        Some(Duration::ZERO) => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(left.unwrap_or(unlimited)),
    }
}

/// Whether the system has connected a socket to itself: if nothing listens on a local port, the socket
/// may be given that very port (RFC 9293 §3.5, simultaneous open), and would read its own request as the
/// response.
fn is_connected_to_itself(conn: &Conn) -> bool {
    conn.opened.peer.is_some() && conn.opened.local == conn.opened.peer
}

/// RFC 8305 §4: the two families in turn, beginning with the first address's; else in the resolver's
/// order.
fn interleave_families(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let family = |is_v6| addresses.iter().filter(move |address| address.is_ipv6() == is_v6);
    let (mut first, mut second) = (family(first_is_v6), family(!first_is_v6));
    let mut mixed = Vec::with_capacity(addresses.len());
    while mixed.len() < addresses.len() {
        mixed.extend(first.next());
        mixed.extend(second.next());
    }
    mixed
}

/// Returns the error of a race without a winner.
fn failure(lost: RaceError<SocketAddr>, addresses: &[SocketAddr], deadline: Deadline) -> Error {
    let timed_out = |failed: &[_], queued| {
        let only = if let [address] = addresses { Some(*address) } else { None };
        deadline.error(&race::describe_timeout(failed, queued)).with_peer(only)
    };
    match lost {
        RaceError::Cancelled(error) => error,
        RaceError::TimedOut(failed, queued) => timed_out(&failed, queued),
        RaceError::AllFailed(failed) if failed.iter().any(|(_, error)| race::is_timeout(error)) => {
            timed_out(&failed, None)
        }
        RaceError::AllFailed(mut failed) => match failed.pop() {
            None => Error::new(ErrorKind::Connect, "there is no address"),
            Some((address, error)) if failed.is_empty() => {
                Error::from_io(ErrorKind::Connect, "connect", error).with_peer(Some(address))
            }
            Some((address, last)) => {
                let others = race::list(&mut failed.iter());
                Error::from_io(ErrorKind::Connect, format!("no address answered: {others}; {address}"), last)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;
    use std::sync::{Mutex, mpsc};
    use std::thread;

    #[test]
    fn the_families_take_turns() {
        let parse = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let given = parse(&["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1", "10.0.0.2:1"]);
        let want = parse(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "10.0.0.2:1", "[::3]:1"]);
        assert_eq!(interleave_families(&given), want);
    }

    #[test]
    fn a_socket_that_is_connected_to_itself_is_rejected() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let opened = |address: fn(&TcpStream) -> io::Result<SocketAddr>| {
            let dial: ConnectTcp = Arc::new(move |_: &SocketAddr, _| {
                let stream = TcpStream::connect(server)?;
                let address = address(&stream)?;
                Ok((stream, address))
            });
            let target = Target { host: "127.0.0.1", port: server.port(), is_https: false };
            let observers = Default::default();
            let trace = Trace { observers: &observers, ids: EventIds::default() };
            dialer(dial).open(&target, Route::Direct, Deadline::none(), None, trace)
        };
        assert!(opened(TcpStream::peer_addr).is_ok());
        let ConnectError { error, closed } = opened(TcpStream::local_addr).err().unwrap();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Connect, Stage::Connect), "{error}");
        assert!(error.to_string().contains("to itself"), "{error}");
        assert_eq!(closed.map(|(_, reason, _)| reason), Some(CloseReason::Failed));
    }

    fn dialer(dial: ConnectTcp) -> Dialer {
        Dialer {
            resolver: Resolver::new(Arc::new(resolve::System), Vec::new()),
            permits: Permits::default(),
            filter: None,
            dial: Some(dial),
            connector: None,
            user_agent: Vec::new(),
            #[cfg(feature = "__rustls")]
            tls: Tls::new(),
        }
    }

    /// Connects to the discard port of this machine, where the dial does what it likes.
    fn dial(dial: ConnectTcp, limit: Deadline) -> Result<Socket> {
        let observers = Default::default();
        let trace = Trace { observers: &observers, ids: EventIds::default() };
        let attempt = ConnectAttempt { deadline: limit, token: None, trace, took: Timings::default() };
        dialer(dial).connect_tcp(&[([127, 0, 0, 1], 9).into()], &attempt)
    }

    #[test]
    fn a_dialled_socket_blocks_without_limits_and_its_peer_is_its_own() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        let opened = dial(
            dial_with(move |_, _| {
                let stream = TcpStream::connect(peer)?;
                stream.set_nonblocking(true)?;
                stream.set_read_timeout(Some(Duration::from_millis(1)))?;
                stream.set_write_timeout(Some(Duration::from_millis(1)))?;
                Ok(stream)
            }),
            Deadline::none(),
        );
        let Ok(Socket::Tcp(stream, address)) = opened else { panic!("a TCP socket") };
        assert_eq!(address, peer);
        assert_eq!((stream.read_timeout().unwrap(), stream.write_timeout().unwrap()), (None, None));
        assert!(stream.nodelay().unwrap());
        let far = thread::spawn(move || listener.accept().map(drop));
        assert_eq!((&*stream).read(&mut [0; 1]).unwrap(), 0, "a read that waits for the end");
        far.join().unwrap().unwrap();
    }

    #[test]
    fn a_dial_is_given_what_is_left_of_the_time_and_a_day_without_a_limit() {
        let limit = Duration::from_secs(7);
        for (deadline, least, most) in [
            (Deadline::after(limit), Duration::from_nanos(1), limit),
            (Deadline::none(), DIAL_TIME_MAX, DIAL_TIME_MAX),
            (Deadline::after(Duration::MAX), DIAL_TIME_MAX, DIAL_TIME_MAX),
        ] {
            let refuses = move |_: &SocketAddr, left: Duration| {
                assert!(least <= left && left <= most, "{left:?}"); // a panic is another error
                Err(io::ErrorKind::AddrInUse.into())
            };
            let error = dial(dial_with(refuses), deadline).err().unwrap();
            assert_eq!((error.kind(), error.stage()), (ErrorKind::Connect, Stage::Connect), "{error}");
            assert_eq!(io::Error::from(error).kind(), io::ErrorKind::AddrInUse);
        }
    }

    #[test]
    fn a_dial_that_gives_up_or_panics_is_a_connect_that_failed() {
        let gives_up = dial_with(|_, _| Err(io::ErrorKind::TimedOut.into()));
        let panics = dial_with(|_, _| panic!("a mistake in the dial function (the test wants it)"));
        for (function, expected) in [(gives_up, "timed out"), (panics, "the dial function panicked")] {
            let error = dial(function, Deadline::after(Duration::from_secs(60))).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Connect);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn a_dial_that_outstays_its_time_is_abandoned() {
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let hangs = move |_: &SocketAddr, _| {
            let _ = released.lock().unwrap().recv(); // until the test is over
            Err(io::ErrorKind::Other.into())
        };
        let error = dial(dial_with(hangs), Deadline::after(Duration::from_millis(20))).err().unwrap();
        assert!(error.is_timeout(), "{error}");
        drop(release);
    }
}
