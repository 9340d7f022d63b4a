//! Opening a connection: the name's addresses, filtered, and a race among them (RFC 8305).

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::net::cancel::CancelToken;
use crate::net::conn::Conn;
use crate::net::deadline::Deadline;
use crate::net::resolve::{News, Resolver, wait_for, watch};
use crate::net::stream::{Connect, Socket, Stream, Target};
#[cfg(feature = "__rustls")]
use crate::net::tls::Tls;
use crate::observe::{Event, Observer};

/// RFC 8305 §5: the Connection Attempt Delay.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Addresses of one name that are tried; each costs a thread for as long as it takes.
const ADDRESSES_MAX: usize = 16;

pub(crate) type AddressFilter = Arc<dyn Fn(&SocketAddr) -> bool + Send + Sync>;

/// How a client's connections are opened.
pub(crate) struct Dialer {
    pub(crate) resolver: Resolver,
    pub(crate) filter: Option<AddressFilter>,
    pub(crate) connector: Option<Arc<dyn Connect>>,
    pub(crate) unix_socket: Option<PathBuf>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    #[cfg(feature = "__rustls")]
    pub(crate) tls: Tls,
}

impl Dialer {
    /// Opens a connection to `target`. Everything is done before `deadline` passes, or given up.
    pub(crate) fn open(&self, target: &Target<'_>, deadline: Deadline, token: Option<&CancelToken>) -> Result<Conn> {
        let started = Instant::now();
        let (socket, resolve_took) = if let Some(connector) = &self.connector {
            let token = token.cloned().unwrap_or_default();
            let stream = connector.connect(target, deadline, &token);
            (Socket::Other(stream.map_err(|error| error.at(Stage::Connect))?), Duration::ZERO)
        } else if let Some(path) = &self.unix_socket {
            (unix(path.clone(), deadline, token)?, Duration::ZERO)
        } else {
            let (addresses, resolve_took) = self.addresses(target, deadline, token)?;
            (tcp(&addresses, deadline, token).map_err(|error| error.at(Stage::Connect))?, resolve_took)
        };
        if let Some(token) = token {
            token.check().map_err(|error| error.at(Stage::Connect))?;
        }
        let connect_took = started.elapsed() - resolve_took;
        if let Some(observer) = &self.observer {
            observer.event(&Event::Connected { peer: socket.peer_addr(), took: connect_took });
        }
        let (socket, tls_took) = self.secure(socket, target, deadline, token)?;
        let mut conn = Conn::new(socket);
        (conn.resolve_took, conn.connect_took, conn.tls_took) = (resolve_took, connect_took, tls_took);
        Ok(conn)
    }

    /// Puts TLS on a socket to an https target, and says how long that took. A connector sees to
    /// TLS itself.
    #[cfg(feature = "__rustls")]
    fn secure(
        &self,
        socket: Socket,
        target: &Target<'_>,
        deadline: Deadline,
        token: Option<&CancelToken>,
    ) -> Result<(Socket, Duration)> {
        if !target.is_https || self.connector.is_some() {
            return Ok((socket, Duration::ZERO));
        }
        let started = Instant::now();
        let socket = self.tls.wrap(socket, target.host, deadline, token)?;
        Ok((socket, started.elapsed()))
    }

    /// Without TLS in the build only a connector speaks it, and sees to it itself.
    #[cfg(not(feature = "__rustls"))]
    fn secure(
        &self,
        socket: Socket,
        _: &Target<'_>,
        _: Deadline,
        _: Option<&CancelToken>,
    ) -> Result<(Socket, Duration)> {
        Ok((socket, Duration::ZERO))
    }

    /// The addresses that may be connected to, in the order in which they are tried; and how long
    /// a look-up took.
    fn addresses(
        &self,
        target: &Target<'_>,
        deadline: Deadline,
        token: Option<&CancelToken>,
    ) -> Result<(Vec<SocketAddr>, Duration)> {
        let (mut addresses, took) = match self.resolver.known(target.host, target.port) {
            Some(address) => (vec![address], Duration::ZERO),
            None => {
                let started = Instant::now();
                let addresses = self.resolver.look_up(target.host, target.port, deadline, token)?;
                let took = started.elapsed();
                if let Some(observer) = &self.observer {
                    observer.event(&Event::Resolved { host: target.host, addresses: &addresses, took });
                }
                (addresses, took)
            }
        };
        if let Some(allows) = &self.filter {
            let found = addresses.len();
            addresses.retain(|address| allows(address));
            if addresses.is_empty() {
                let what = format!("the address filter refused all {found} addresses of {}", target.host);
                return Err(Error::new(ErrorKind::BlockedAddress, what).at(Stage::Resolve));
            }
        }
        let mut addresses = alternate(addresses);
        addresses.truncate(ADDRESSES_MAX);
        Ok((addresses, took))
    }
}

/// RFC 8305 §4: the two families in turn, beginning with the first address's; else the
/// resolver's order.
fn alternate(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut mixed = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let (one, other) = (first.next(), second.next());
        if one.is_none() && other.is_none() {
            return mixed;
        }
        mixed.extend(one);
        mixed.extend(other);
    }
}

fn tcp(addresses: &[SocketAddr], deadline: Deadline, token: Option<&CancelToken>) -> Result<Socket> {
    let stream = match (addresses, token) {
        ([address], None) => connect(address, deadline).map_err(|error| failure(vec![(*address, error)], deadline))?,
        _ => race(addresses, deadline, token)?,
    };
    // Requests leave in whole writes, so waiting for more to send would only cost time.
    stream.set_nodelay(true).map_err(|error| Error::from_io(ErrorKind::Connect, "TCP_NODELAY", error))?;
    Ok(Socket::Tcp(Arc::new(stream)))
}

fn connect(address: &SocketAddr, deadline: Deadline) -> std::io::Result<TcpStream> {
    match deadline.left() {
        Some(Duration::ZERO) => Err(std::io::ErrorKind::TimedOut.into()),
        Some(left) => TcpStream::connect_timeout(address, left),
        None => TcpStream::connect(address),
    }
}

type Attempt = (SocketAddr, std::io::Result<TcpStream>);

/// RFC 8305 §5: one address after the other, the next one as soon as one fails or has not
/// answered for a while. Each attempt has a thread of its own, which is left alone once the race
/// is decided and ends with its attempt.
fn race(addresses: &[SocketAddr], deadline: Deadline, token: Option<&CancelToken>) -> Result<TcpStream> {
    let (sender, news) = channel();
    let _watch = watch(token, &sender);
    let mut failed = Vec::new();
    let mut started = 0;
    loop {
        if let Some(address) = addresses.get(started) {
            start_attempt(*address, deadline, &sender);
            started += 1;
        }
        let next = if started < addresses.len() { Some(ATTEMPT_DELAY) } else { None };
        match wait_for(&news, deadline.or_sooner(Deadline::of("", next, Instant::now())))? {
            Some((_, Ok(stream))) => return Ok(stream),
            Some((address, Err(error))) => failed.push((address, error)),
            None if deadline.passed() => return Err(deadline.error("connecting")),
            None => {}
        }
        if failed.len() == addresses.len() {
            return Err(failure(failed, deadline));
        }
    }
}

fn start_attempt(address: SocketAddr, deadline: Deadline, sender: &Sender<News<Attempt>>) {
    let answer = sender.clone();
    let attempt = move || drop(answer.send(News::Answer((address, connect(&address, deadline)))));
    if let Err(error) = thread::Builder::new().name("longwire-connect".into()).spawn(attempt) {
        let _ = sender.send(News::Answer((address, Err(error)))); // as good as an attempt that failed
    }
}

/// What is said when no address answered.
fn failure(mut failed: Vec<(SocketAddr, std::io::Error)>, deadline: Deadline) -> Error {
    let Some((address, last)) = failed.pop() else { return Error::new(ErrorKind::Connect, "there is no address") };
    if deadline.passed() {
        return deadline.error("connecting").with_peer(Some(address));
    }
    if failed.is_empty() {
        return Error::from_io(ErrorKind::Connect, "connect", last).with_peer(Some(address));
    }
    let others: Vec<_> = failed.iter().map(|(address, error)| format!("{address}: {error}")).collect();
    Error::from_io(ErrorKind::Connect, format!("no address answered: {}; {address}", others.join("; ")), last)
}

/// A unix socket's connect waits where the listener's queue is full, and cannot be told for how
/// long: so a helper does it.
#[cfg(unix)]
fn unix(path: PathBuf, deadline: Deadline, token: Option<&CancelToken>) -> Result<Socket> {
    use std::os::unix::net::UnixStream;

    let (sender, news) = channel();
    let _watch = watch(token, &sender);
    let what = format!("unix socket {}", path.display());
    let answer = sender.clone();
    thread::Builder::new()
        .name("longwire-connect".into())
        .spawn(move || drop(answer.send(News::Answer(UnixStream::connect(path)))))
        .map_err(|error| Error::from_io(ErrorKind::Connect, "no thread for the attempt", error))?;
    match wait_for(&news, deadline) {
        Ok(Some(Ok(stream))) => Ok(Socket::Other(Box::new(stream) as Box<dyn Stream>)),
        Ok(Some(Err(error))) => Err(Error::from_io(ErrorKind::Connect, what, error).at(Stage::Connect)),
        Ok(None) => Err(deadline.error("connecting").at(Stage::Connect)),
        Err(cancelled) => Err(cancelled.at(Stage::Connect)),
    }
}

#[cfg(not(unix))]
fn unix(_: PathBuf, _: Deadline, _: Option<&CancelToken>) -> Result<Socket> {
    Err(Error::new(ErrorKind::Connect, "there are no unix sockets on this system").at(Stage::Connect))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_take_turns() {
        let parse = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let given = parse(&["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1", "10.0.0.2:1"]);
        let want = parse(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "10.0.0.2:1", "[::3]:1"]);
        assert_eq!(alternate(given), want);
    }
}
