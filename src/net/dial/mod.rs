//! Opening a connection: the name's addresses, filtered, and a race among them (RFC 8305); to the
//! server, or to the proxy on the way to it.

pub(crate) mod permits;
pub(crate) mod public_only;
pub(crate) mod race;
pub(crate) mod resolve;
pub(crate) mod tunnel;

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::net::cancel::CancelToken;
use crate::net::conn::Conn;
use crate::net::deadline::Deadline;
use crate::net::dial::permits::Permits;
use crate::net::dial::race::Defeat;
use crate::net::dial::resolve::Resolver;
use crate::net::dial::tunnel::{Destination, Dns, Outcome, ProxyProtocol, ProxyServer, Route};
#[cfg(feature = "__rustls")]
use crate::net::tls::settings::Tls;
use crate::net::transport::unix::UnixSocket;
use crate::net::transport::{Connect, Socket, Stream, Target};
use crate::observe::{Event, EventIds, Timings, Trace};
use crate::reuse::CloseReason;
use crate::tls_info::TlsInfo;

/// Addresses of one name that are tried; each may cost a thread for as long as it takes.
const ADDRESSES_MAX: usize = 16;

/// How the caller opens TCP connections.
pub(crate) type Dial = Arc<dyn Fn(&SocketAddr, Duration) -> std::io::Result<TcpStream> + Send + Sync>;

pub(crate) type AddressFilter = Arc<dyn Fn(&SocketAddr) -> bool + Send + Sync>;

/// How a client's connections are opened.
pub(crate) struct Dialer {
    pub(crate) resolver: Resolver,
    pub(crate) permits: Permits<SocketAddr>,
    pub(crate) filter: Option<AddressFilter>,
    pub(crate) connector: Option<Connector>,
    pub(crate) dial: Option<Dial>,
    /// Who asks a proxy for a tunnel; empty: it is not said.
    pub(crate) user_agent: Vec<u8>,
    #[cfg(feature = "__rustls")]
    pub(crate) tls: Tls,
}

/// What opens connections in place of TCP, and past every proxy.
pub(crate) enum Connector {
    /// The caller's; its streams may be secure as they are.
    Custom(Arc<dyn Connect>),
    UnixSocket(UnixSocket),
}

impl Connector {
    /// The setting that chose it.
    pub(crate) fn setting(&self) -> &'static str {
        match self {
            Connector::Custom(_) => "connector",
            Connector::UnixSocket(_) => "unix_socket",
        }
    }

    fn connect(&self, target: &Target<'_>, deadline: Deadline, token: &CancelToken) -> Result<Box<dyn Stream>> {
        match self {
            Connector::Custom(connector) => connector.connect(target, deadline, token),
            Connector::UnixSocket(socket) => socket.connect(target, deadline, token),
        }
    }
}

/// Why there is no connection.
pub(crate) struct ConnectError {
    pub(crate) error: Error,
    /// There was one, which was told, and it had to be closed again.
    pub(crate) closed: Option<(Option<SocketAddr>, CloseReason, EventIds)>,
}

impl From<Error> for ConnectError {
    fn from(error: Error) -> ConnectError {
        ConnectError { error, closed: None }
    }
}

/// What there is to know of a connection that is being opened.
struct ConnectAttempt<'a> {
    deadline: Deadline,
    token: Option<&'a CancelToken>,
    trace: Trace<'a>,
    /// How long it took so far.
    took: Timings,
}

impl ConnectAttempt<'_> {
    /// What came of a connector that was to watch the clock and the token, and need not know our
    /// words for either.
    fn cause(&self, error: Error) -> Error {
        match self.token.map_or(Ok(()), CancelToken::check) {
            Err(cancelled) => cancelled,
            Ok(()) if self.deadline.has_passed() && !error.is_timeout() => {
                error.context(ErrorKind::Timeout, &self.deadline.error("connecting").to_string())
            }
            Ok(()) => error,
        }
    }

    /// An error if what was opened comes too late to be used.
    fn check(&self) -> Result<()> {
        self.token.map_or(Ok(()), CancelToken::check)?;
        if self.deadline.has_passed() { Err(self.deadline.error("connecting")) } else { Ok(()) }
    }
}

impl Dialer {
    /// Opens a connection to `target`. Everything is done before `deadline` passes, or given up.
    pub(crate) fn open(
        &self,
        target: &Target<'_>,
        route: Route<'_>,
        deadline: Deadline,
        token: Option<&CancelToken>,
        mut trace: Trace<'_>,
    ) -> std::result::Result<Conn, ConnectError> {
        trace.ids.connection = trace.observers.draw_id();
        let started = Instant::now();
        let mut opening = ConnectAttempt { deadline, token, trace, took: Timings::default() };
        let socket = self.reach(target, route, &mut opening)?;
        let peer = socket.peer_addr();
        opening.check().map_err(|error| error.with_peer(peer).at(Stage::Connect))?;
        opening.took.connect = started.elapsed().saturating_sub(opening.took.resolve + opening.took.tls);
        trace.report(|ids| Event::Connected { peer, took: opening.took.connect, ids });
        let needs_tls = target.is_https && !self.is_secure(&socket);
        let secured = match needs_tls {
            true => self.secure(socket, target.host, None, &mut opening).map(|(socket, tls)| (socket, Some(tls))),
            false => Ok((socket, None)),
        };
        let conn = secured.map(|(socket, tls)| Conn::new(socket, tls, opening.took, trace.ids.connection));
        conn.and_then(reject_self_connect).map_err(|error| {
            let reason = if error.is_cancelled() { CloseReason::Cancelled } else { CloseReason::Failed };
            ConnectError { error: error.with_peer(peer), closed: Some((peer, reason, trace.ids)) }
        })
    }

    /// Whether https, of servers and of proxies, is spoken by this build.
    pub(crate) const SPEAKS_TLS: bool = cfg!(feature = "__rustls");

    /// What to do where it is not.
    pub(crate) const NEEDED_FOR_HTTPS: &str = "https needs longwire's feature `tls` or `tls-webpki-roots`, \
                                               or a connector whose streams are secure (Stream::is_secure)";

    /// Whether an https server can be reached, as far as is known without a connection.
    pub(crate) fn may_speak_https(&self) -> bool {
        Self::SPEAKS_TLS || matches!(self.connector, Some(Connector::Custom(_)))
    }

    /// Whether an https server can be spoken to on this socket as it is. Only a connector's stream
    /// can say so: the TLS in any other may end at a proxy.
    fn is_secure(&self, socket: &Socket) -> bool {
        match socket {
            Socket::Other(stream) => self.connector.is_some() && stream.is_secure(),
            Socket::Tcp(..) => false,
        }
    }

    /// Puts TLS on a socket to `host`: the server's, or the proxy's.
    #[cfg(feature = "__rustls")]
    fn secure(
        &self,
        socket: Socket,
        host: &str,
        relay: Option<&ProxyServer>,
        opening: &mut ConnectAttempt<'_>,
    ) -> Result<(Socket, TlsInfo)> {
        let started = Instant::now();
        let tls = relay.and_then(|relay| relay.tls.as_ref()).unwrap_or(&self.tls);
        let secured = tls.wrap(socket, host, opening.deadline, opening.token, opening.trace)?;
        opening.took.tls += started.elapsed();
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

    /// Checks that this proxy may be used for `target`: that this build speaks TLS where the proxy does,
    /// and that the address filter, which cannot see the addresses that a proxy connects to, allows it.
    pub(crate) fn check_proxy(&self, relay: &ProxyServer, target: &Target<'_>) -> Result<()> {
        if relay.is_https() && !Self::SPEAKS_TLS {
            let what = format!("the proxy {relay:?} is spoken to through TLS, which this build does not have");
            return Err(Error::new(ErrorKind::UnsupportedScheme, what));
        }
        let Some(allows) = &self.filter else { return Ok(()) };
        let blocked = |what| Err(Error::new(ErrorKind::BlockedAddress, what).at(Stage::Connect));
        if !relay.is_trusted {
            return blocked(format!("the address filter cannot see behind the proxy {relay:?} (Proxy::trusted)"));
        }
        match self.resolver.known(target.host, target.port) {
            Some(addresses) if !addresses.iter().any(|address| allows(address)) => {
                blocked(format!("the address filter refused {}", target.host))
            }
            _ => Ok(()),
        }
    }

    /// A socket on which the server, or the proxy that is asked in its stead, hears requests.
    fn reach(&self, target: &Target<'_>, route: Route<'_>, opening: &mut ConnectAttempt<'_>) -> Result<Socket> {
        if let Some(connector) = &self.connector {
            let token = opening.token.cloned().unwrap_or_default();
            let stream = connector.connect(target, opening.deadline, &token);
            return Ok(Socket::Other(stream.map_err(|error| opening.cause(error).at(Stage::Connect))?));
        }
        match route {
            Route::Direct => {
                let addresses = self.addresses(target.host, target.port, self.filter.as_ref(), opening)?;
                self.tcp(&addresses, opening)
            }
            Route::Forward { relay, .. } => self.reach_proxy(relay, opening),
            Route::Tunnel(relay) => self.reach_through(relay, target, opening),
        }
    }

    fn reach_proxy(&self, relay: &ProxyServer, opening: &mut ConnectAttempt<'_>) -> Result<Socket> {
        // A filter that is set lets only trusted proxies through, wherever they are.
        let addresses = self.addresses(&relay.host, relay.port, None, opening);
        let socket = addresses.and_then(|addresses| self.tcp(&addresses, opening));
        let secured = match socket {
            Ok(socket) if relay.is_https() => {
                self.secure(socket, &relay.host, Some(relay), opening).map(|(socket, _)| socket)
            }
            plain_or_failed => plain_or_failed,
        };
        secured.map_err(|error| match error.kind() {
            ErrorKind::Cancelled => error,
            kind => error.context(kind, &format!("the proxy {relay:?}")),
        })
    }

    /// A tunnel to `target`, to the first of its addresses that the proxy can reach. Each is waited for
    /// in its share of the time: the proxy may hang on any of them.
    fn reach_through(
        &self,
        relay: &ProxyServer,
        target: &Target<'_>,
        opening: &mut ConnectAttempt<'_>,
    ) -> Result<Socket> {
        let destinations = match relay.speaks {
            ProxyProtocol::Socks5 { names: Dns::Local, .. } => {
                let addresses = self.addresses(target.host, target.port, self.filter.as_ref(), opening)?;
                addresses.into_iter().map(Destination::Address).collect()
            }
            _ => vec![Destination::Host(target.host, target.port)],
        };
        let mut unreachable = Error::new(ErrorKind::Resolve, "there is no address");
        let mut remaining = destinations.len() as u32;
        for to in destinations {
            let socket = self.reach_proxy(relay, opening)?;
            let share = opening.deadline.share(remaining);
            remaining -= 1;
            match tunnel::open(socket, relay, &self.user_agent, to, share, opening.token) {
                Ok(Outcome::Open(socket)) => return Ok(socket),
                Ok(Outcome::Unreachable(error)) => unreachable = error.at(Stage::Connect),
                Err(error) if error.is_timeout() && remaining > 0 => {}
                Err(error) => return Err(error.at(Stage::Connect)),
            }
        }
        Err(unreachable)
    }

    /// The addresses of `host` that may be connected to, in the order in which they are tried.
    fn addresses(
        &self,
        host: &str,
        port: u16,
        filter: Option<&AddressFilter>,
        opening: &mut ConnectAttempt<'_>,
    ) -> Result<Vec<SocketAddr>> {
        let mut addresses = match self.resolver.known(host, port) {
            Some(addresses) => addresses,
            None => {
                let started = Instant::now();
                let addresses = self.resolver.look_up(host, port, opening.deadline, opening.token)?;
                let took = started.elapsed();
                opening.took.resolve += took;
                opening.trace.report(|ids| Event::Resolved {
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
        let mut addresses = interleave_families(&addresses);
        addresses.truncate(ADDRESSES_MAX);
        Ok(addresses)
    }

    /// Connects to one of them. One alone that no token can cancel needs no helper.
    fn tcp(&self, addresses: &[SocketAddr], opening: &ConnectAttempt<'_>) -> Result<Socket> {
        let deadline = opening.deadline;
        let connected = match (addresses, opening.token) {
            ([address], None) => match connect(address, deadline) {
                Ok(stream) => Ok((*address, stream)),
                Err(error) => Err(Defeat::Failed(vec![(*address, error)])),
            },
            (_, token) => race::run(&self.permits, addresses, connect, deadline, token),
        };
        // Requests leave in whole writes, so waiting for more to send would only cost time.
        let no_delay = |(address, stream): (SocketAddr, TcpStream)| match stream.set_nodelay(true) {
            Ok(()) => Ok(Socket::Tcp(Arc::new(stream), address)),
            Err(error) => Err(Error::from_io(ErrorKind::Connect, "TCP_NODELAY", error)),
        };
        let connected = connected.map_err(|defeat| failure(defeat, addresses, deadline));
        connected.and_then(no_delay).map_err(|error| error.at(Stage::Connect))
    }
}

/// Where nobody listens, a socket may come to have the very port that it calls: then TCP connects it
/// to itself (RFC 9293 §3.5, simultaneous open), and it would hear its own request for an answer.
fn reject_self_connect(conn: Conn) -> Result<Conn> {
    match conn.opened.peer {
        Some(peer) if conn.opened.local == Some(peer) => {
            let what = "nobody listens there, and the system connected the socket to itself";
            Err(Error::new(ErrorKind::Connect, what).with_peer(Some(peer)).at(Stage::Connect))
        }
        _ => Ok(conn),
    }
}

/// RFC 8305 §4: the two families in turn, beginning with the first address's; else the
/// resolver's order.
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

fn connect(address: &SocketAddr, deadline: Deadline) -> std::io::Result<TcpStream> {
    match deadline.remaining().unwrap_or(Duration::MAX) {
        Duration::ZERO => Err(std::io::ErrorKind::TimedOut.into()),
        left => TcpStream::connect_timeout(address, left),
    }
}

/// What is said when there is no connection.
fn failure(defeat: Defeat<SocketAddr>, addresses: &[SocketAddr], deadline: Deadline) -> Error {
    let late = |failed: &[_], behind| {
        let only = if let [address] = addresses { Some(*address) } else { None };
        deadline.error(&race::late(failed, behind)).with_peer(only)
    };
    match defeat {
        Defeat::Cancelled(error) => error,
        Defeat::Late(failed, behind) => late(&failed, behind),
        Defeat::Failed(failed) if failed.iter().any(|(_, error)| race::is_out_of_time(error)) => late(&failed, None),
        Defeat::Failed(mut failed) => match failed.pop() {
            None => Error::new(ErrorKind::Connect, "there is no address"),
            Some((address, error)) if failed.is_empty() => {
                Error::from_io(ErrorKind::Connect, "connect", error).with_peer(Some(address))
            }
            Some((address, last)) => {
                let others: String = failed.iter().map(|(address, error)| format!("{address}: {error}; ")).collect();
                Error::from_io(ErrorKind::Connect, format!("no address answered: {others}{address}"), last)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_take_turns() {
        let parse = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let given = parse(&["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1", "10.0.0.2:1"]);
        let want = parse(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "10.0.0.2:1", "[::3]:1"]);
        assert_eq!(interleave_families(&given), want);
    }

    #[test]
    fn a_socket_that_calls_itself_is_no_connection() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let called = |address: fn(&TcpStream) -> std::io::Result<SocketAddr>| {
            let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let address = address(&stream).unwrap();
            reject_self_connect(Conn::new(Socket::Tcp(Arc::new(stream), address), None, Timings::default(), 0)).err()
        };
        assert!(called(TcpStream::peer_addr).is_none());
        let error = called(TcpStream::local_addr).unwrap();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Connect, Stage::Connect), "{error}");
    }
}
