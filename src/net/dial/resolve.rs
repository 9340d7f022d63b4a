//! From a host's name to addresses, in a time that a deadline limits.
//!
//! `getaddrinfo` cannot be interrupted. So a look-up runs on a worker (`net::worker`), and a request
//! that runs out of time leaves it. Requests for one name share a look-up: all of them wait in its list
//! of waiters. At most [`LOOK_UPS_MAX`] workers run at once; further names are queued, and a worker that
//! has finished one takes the next. A name whose last waiter leaves is taken out of the queue; a look-up
//! that runs already is left to its end, for the next request that wants the name. Nothing is cached.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
use crate::net::worker::{self, Inbox, LOOK_UPS_MAX, Sender};

/// Resolves host names to addresses, in place of the system.
///
/// Closures of this form are resolvers, and so are `Arc<T>` and `Box<dyn Resolve>` of resolvers. Give
/// one to [`ClientBuilder::resolver`](crate::ClientBuilder::resolver).
///
/// A resolver is called on a worker thread, at most 64 at once per client, so it may block. When the
/// request's time is up the call is left to its end and its result is dropped. It is not called for IP
/// addresses, for names given to [`resolve_to`](crate::ClientBuilder::resolve_to), and for `localhost`
/// and the names below it, which are this machine (RFC 6761 §6.3). Results are not cached, but
/// requests that want the same name at the same time share one call.
///
/// ```
/// use longwire::transport::{Query, Resolve};
/// use longwire::Client;
/// use std::{io, net::SocketAddr};
///
/// struct Hosts;
/// impl Resolve for Hosts {
///     fn resolve(&self, query: &Query<'_>) -> io::Result<Vec<SocketAddr>> {
///         match query.host() {
///             "db" => Ok(vec![([10, 0, 0, 7], query.port()).into()]),
///             _ => Err(io::ErrorKind::NotFound.into()),
///         }
///     }
/// }
/// let client = Client::builder().resolver(Hosts).build();
/// # drop(client);
/// ```
///
/// A closure, around the system's resolver:
///
/// ```
/// use longwire::Client;
/// use longwire::transport::Query;
/// use std::net::{SocketAddr, ToSocketAddrs};
///
/// let client = Client::builder().resolver(|query: &Query<'_>| {
///     let addresses = (query.host(), query.port()).to_socket_addrs()?;
///     Ok(addresses.filter(SocketAddr::is_ipv4).collect())
/// });
/// # drop(client.build());
/// ```
#[doc(alias("net.Resolver", "Resolver"))]
pub trait Resolve: Send + Sync {
    /// Returns the addresses of the query's host, with its port, in the order in which they are to be
    /// tried. An empty list counts as an error.
    ///
    /// # Errors
    /// Whatever prevents the look-up. The request fails with
    /// [`ErrorKind::Resolve`](crate::ErrorKind::Resolve), and the error is its
    /// [inner one](crate::Error::get_ref). A panic is such a failure, too.
    fn resolve(&self, query: &Query<'_>) -> io::Result<Vec<SocketAddr>>;
}

impl<F> Resolve for F
where
    F: Fn(&Query<'_>) -> io::Result<Vec<SocketAddr>> + Send + Sync,
{
    fn resolve(&self, query: &Query<'_>) -> io::Result<Vec<SocketAddr>> {
        self(query)
    }
}

impl<T: Resolve + ?Sized> Resolve for Arc<T> {
    fn resolve(&self, query: &Query<'_>) -> io::Result<Vec<SocketAddr>> {
        (**self).resolve(query)
    }
}

impl Resolve for Box<dyn Resolve> {
    fn resolve(&self, query: &Query<'_>) -> io::Result<Vec<SocketAddr>> {
        (**self).resolve(query)
    }
}

/// A name to be resolved: what a [`Resolve`] is given. It may have more to say in later versions.
///
/// ```
/// use longwire::transport::Query;
///
/// fn describe(query: &Query<'_>) -> String {
///     format!("{}:{}", query.host(), query.port())
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Query<'a> {
    host: &'a str,
    port: u16,
}

impl<'a> Query<'a> {
    /// Returns the host name: of the URL, or of a proxy; as URLs have it, in ASCII (RFC 5891).
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// Returns the port, which the addresses are to have.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// The system's resolver.
pub(crate) struct System;

impl Resolve for System {
    fn resolve(&self, query: &Query<'_>) -> io::Result<Vec<SocketAddr>> {
        Ok((query.host, query.port).to_socket_addrs()?.collect())
    }
}

type Resolved = Result<Vec<SocketAddr>>;
type Name = (String, u16);

pub(crate) struct Resolver {
    resolve: Arc<dyn Resolve>,
    /// Addresses of hosts that are not looked up.
    fixed: Vec<(String, SocketAddr)>,
    lookups: Arc<Mutex<Lookups>>,
}

#[derive(Default)]
struct Lookups {
    workers: usize,
    /// Those under way and those queued for a worker, first come, first served.
    list: Vec<Lookup>,
}

/// It stays in the list until it has ended, even if all its waiters have left.
struct Lookup {
    name: Name,
    is_under_way: bool,
    waiters: Vec<Sender<Resolved>>,
}

impl Resolver {
    pub(crate) fn new(resolve: Arc<dyn Resolve>, fixed: Vec<(String, SocketAddr)>) -> Resolver {
        Resolver { resolve, fixed, lookups: Arc::default() }
    }

    /// Returns the addresses of a host that needs no look-up: those that were given for it, a literal's,
    /// or the loopback addresses, of which RFC 6724 §2.1 puts IPv6 first.
    pub(crate) fn known(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let mut addresses = Vec::new();
        for (name, address) in &self.fixed {
            if name.eq_ignore_ascii_case(host) {
                addresses.push(with_port(*address, port));
            }
        }
        if addresses.is_empty() {
            if let Ok(ip) = host.parse() {
                addresses.push(SocketAddr::new(ip, port));
            } else if is_localhost(host) {
                addresses.push((Ipv6Addr::LOCALHOST, port).into());
                addresses.push((Ipv4Addr::LOCALHOST, port).into());
            }
        }
        (!addresses.is_empty()).then_some(addresses)
    }

    /// Looks `host` up on a worker.
    pub(crate) fn look_up(
        &self,
        host: &str,
        port: u16,
        deadline: Deadline,
        token: Option<&CancelToken>,
    ) -> Result<Vec<SocketAddr>> {
        let inbox = Inbox::new();
        let waiter = self.enqueue((host.to_owned(), port), &inbox)?;
        match inbox.recv(deadline, token) {
            Ok(Some(Ok(addresses))) if addresses.is_empty() => {
                Err(Error::new(ErrorKind::Resolve, format!("{host} has no address")))
            }
            Ok(Some(resolved)) => resolved,
            Ok(None) => Err(deadline.error(&waiter.describe())),
            Err(cancelled) => Err(cancelled),
        }
        .map_err(|error| error.at(Stage::Resolve))
    }

    /// Joins the look-up of that name, or starts or queues it.
    fn enqueue<'i>(&self, name: Name, inbox: &'i Inbox<Resolved>) -> Result<Waiter<'i>> {
        let waiter = Waiter { lookups: self.lookups.clone(), name: name.clone(), inbox };
        let mut lookups = lock(&self.lookups);
        if let Some(at) = lookups.find(&name) {
            lookups.list[at].waiters.push(inbox.sender());
            return Ok(waiter);
        }
        lookups.list.push(Lookup { name, is_under_way: false, waiters: vec![inbox.sender()] });
        if lookups.workers < LOOK_UPS_MAX {
            lookups.workers += 1;
            drop(lookups);
            self.start_worker()?;
        }
        Ok(waiter)
    }

    fn start_worker(&self) -> Result<()> {
        let (lookups, resolve) = (self.lookups.clone(), self.resolve.clone());
        let started = worker::spawn("longwire-resolve", Box::new(move || run_worker(&lookups, &*resolve)));
        let Err(error) = started else { return Ok(()) };
        let error = Error::from_io(ErrorKind::Resolve, "no thread for the look-up", error).at(Stage::Resolve);
        let mut lookups = lock(&self.lookups);
        lookups.workers -= 1;
        // Without any worker the queued names would wait for their timeouts.
        while lookups.workers == 0 {
            let Some(name) = lookups.start_next() else { break };
            lookups.finish(&name, &Err(error.clone()));
        }
        Err(error)
    }
}

/// Returns the address with that port, unless it has one of its own. Zone and flow label stay.
fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    if address.port() == 0 {
        address.set_port(port);
    }
    address
}

/// RFC 6761 §6.3: `localhost` and every name below it, with or without a dot at the end.
pub(crate) fn is_localhost(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost")
}

impl Lookups {
    fn find(&self, name: &Name) -> Option<usize> {
        self.list.iter().position(|lookup| lookup.name == *name)
    }

    /// Returns the first name in the queue, whose look-up is under way from now on.
    fn start_next(&mut self) -> Option<Name> {
        let lookup = self.list.iter_mut().find(|lookup| !lookup.is_under_way)?;
        lookup.is_under_way = true;
        Some(lookup.name.clone())
    }

    /// Sends the result to all waiters of that name.
    fn finish(&mut self, name: &Name, resolved: &Resolved) {
        let Some(at) = self.find(name) else { return };
        for waiter in self.list.remove(at).waiters {
            waiter.send(resolved.clone());
        }
    }
}

/// Looks names up until the queue is empty.
fn run_worker(lookups: &Mutex<Lookups>, resolve: &dyn Resolve) {
    loop {
        let mut shared = lock(lookups);
        let Some(name) = shared.start_next() else {
            shared.workers -= 1;
            return;
        };
        drop(shared);
        let query = Query { host: &name.0, port: name.1 };
        let resolved = match panic::catch_unwind(AssertUnwindSafe(|| resolve.resolve(&query))) {
            Ok(resolved) => resolved
                .map_err(|error| Error::from_io(ErrorKind::Resolve, format!("looking up {}", query.host), error)),
            Err(_) => Err(Error::new(ErrorKind::Resolve, "the resolver panicked")),
        };
        lock(lookups).finish(&name, &resolved);
    }
}

fn lock(lookups: &Mutex<Lookups>) -> MutexGuard<'_, Lookups> {
    lookups.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request that waits for a name, and leaves when this is dropped.
struct Waiter<'i> {
    lookups: Arc<Mutex<Lookups>>,
    name: Name,
    inbox: &'i Inbox<Resolved>,
}

impl Waiter<'_> {
    /// Describes what the request waits for: the look-up, or a worker for it.
    fn describe(&self) -> String {
        let lookups = lock(&self.lookups);
        match lookups.find(&self.name) {
            Some(at) if !lookups.list[at].is_under_way => {
                let count = lookups.list.iter().filter(|lookup| lookup.is_under_way).count();
                format!("queued to look up the name, with {count} look-ups under way")
            }
            _ => "looking up the name".to_owned(),
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut lookups = lock(&self.lookups);
        let Some(at) = lookups.find(&self.name) else { return };
        let lookup = &mut lookups.list[at];
        lookup.waiters.retain(|waiter| !waiter.sends_to(self.inbox));
        if lookup.waiters.is_empty() && !lookup.is_under_way {
            lookups.list.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(fixed: &[(&str, &str)], host: &str) -> Option<Vec<String>> {
        let fixed = fixed.iter().map(|(host, address)| ((*host).to_owned(), address.parse().unwrap()));
        let known = Resolver::new(Arc::new(System), fixed.collect()).known(host, 8080)?;
        Some(known.iter().map(SocketAddr::to_string).collect())
    }

    #[test]
    fn localhost_and_what_is_below_it_is_this_machine_and_nothing_else_is() {
        for host in ["localhost", "LocalHost", "localhost.", "a.localhost", "a.b.LOCALHOST.", "127.0.0.1.localhost"] {
            assert!(is_localhost(host), "{host}");
        }
        for host in
            ["", ".", "localhos", "evillocalhost", "localhost.evil.example", "localhost..", "local.host", "localhost-"]
        {
            assert!(!is_localhost(host), "{host}");
        }
        assert_eq!(known(&[], "a.localhost").unwrap(), ["[::1]:8080", "127.0.0.1:8080"]);
        assert_eq!(known(&[], "a.example"), None);
    }

    #[test]
    fn a_host_has_all_addresses_that_were_given_for_it_and_port_0_is_the_urls() {
        let fixed = [("a.test", "10.0.0.1:0"), ("b.test", "10.0.0.2:9"), ("A.test", "[fe80::1%2]:0")];
        assert_eq!(known(&fixed, "a.TEST").unwrap(), ["10.0.0.1:8080", "[fe80::1%2]:8080"]);
        assert_eq!(known(&fixed, "b.test").unwrap(), ["10.0.0.2:9"]);
        let fixed = [("localhost", "10.0.0.3:1"), ("192.0.2.7", "10.0.0.4:1")];
        assert_eq!(known(&fixed, "localhost").unwrap(), ["10.0.0.3:1"]);
        assert_eq!(known(&fixed, "192.0.2.7").unwrap(), ["10.0.0.4:1"]);
        assert_eq!(known(&fixed, "192.0.2.8").unwrap(), ["192.0.2.8:8080"]);
    }

    #[test]
    fn a_zone_comes_through() {
        let resolver = Resolver::new(Arc::new(System), vec![("a".to_owned(), "[fe80::1%7]:0".parse().unwrap())]);
        let Some([SocketAddr::V6(address)]) =
            resolver.known("a", 80).as_deref().and_then(|all| all.first_chunk()).copied()
        else {
            panic!("one address of IPv6")
        };
        assert_eq!((address.scope_id(), address.port()), (7, 80));
    }

    fn accepts(_: impl Resolve + 'static) {}

    #[test]
    fn closures_and_what_holds_a_resolver_are_resolvers() {
        let none = |_: &Query<'_>| -> io::Result<Vec<SocketAddr>> { unreachable!() };
        accepts(none);
        accepts(Arc::new(none));
        accepts(Arc::new(none) as Arc<dyn Resolve>);
        accepts(Box::new(none) as Box<dyn Resolve>);
    }
}
