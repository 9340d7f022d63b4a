//! From a host's name to addresses, without letting the system's look-up outlive a deadline.
//!
//! `getaddrinfo` cannot be interrupted. So a look-up runs on a helper thread, and whoever waits
//! for it leaves when time is up; the helper ends by itself. Look-ups of one name that are under
//! way are shared, and there are at most [`LOOK_UPS_MAX`] helpers: further names wait in line. A
//! look-up that hangs keeps its helper until the system gives up on it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
use crate::net::helper::{self, LOOK_UPS_MAX, Mailbox, Slot};

/// Turns a name into addresses.
///
/// It is called on a helper thread, so it may block; when the request's time is up it is left
/// alone and its answer is thrown away. Not looked up are IP addresses, names given to
/// [`resolve_to`](crate::ClientBuilder::resolve_to), and `localhost` with all names below it, which
/// are this machine (RFC 6761 §6.3). Nothing is cached.
///
/// ```
/// use longwire::transport::Resolve;
/// use longwire::Client;
/// use std::{io, net::SocketAddr};
///
/// struct Hosts;
/// impl Resolve for Hosts {
///     fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
///         match host {
///             "db" => Ok(vec![([10, 0, 0, 7], port).into()]),
///             _ => Err(io::ErrorKind::NotFound.into()),
///         }
///     }
/// }
/// let client = Client::builder().resolver(Hosts).build();
/// # drop(client);
/// ```
pub trait Resolve: Send + Sync {
    /// The addresses of `host`, best first. None at all counts as an error.
    ///
    /// # Errors
    /// Shown to the caller as [`ErrorKind::Resolve`](crate::ErrorKind::Resolve).
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The system's own look-up.
pub(crate) struct System;

impl Resolve for System {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }
}

type Answer = Result<Vec<SocketAddr>>;
type Name = (String, u16);

pub(crate) struct Resolver {
    by: Arc<dyn Resolve>,
    fixed: Vec<(String, SocketAddr)>,
    lookups: Arc<Mutex<Lookups>>,
}

#[derive(Default)]
struct Lookups {
    helpers: usize,
    /// Those under way and those in line for a helper, first come first.
    list: Vec<Lookup>,
}

/// It stays in the list until it is answered, though all who waited may have left.
struct Lookup {
    name: Name,
    is_under_way: bool,
    waiting: Vec<Slot<Answer>>,
}

impl Resolver {
    pub(crate) fn new(by: Arc<dyn Resolve>, fixed: Vec<(String, SocketAddr)>) -> Resolver {
        Resolver { by, fixed, lookups: Arc::default() }
    }

    /// The addresses of a host that needs no look-up: those given beforehand, a literal's, or the
    /// loopback addresses, of which RFC 6724 §2.1 puts IPv6 first.
    pub(crate) fn known(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let fixed = self.fixed.iter().filter(|(name, _)| name.eq_ignore_ascii_case(host));
        let fixed: Vec<SocketAddr> = fixed.map(|(_, address)| with_port(*address, port)).collect();
        if !fixed.is_empty() {
            return Some(fixed);
        }
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Some(vec![SocketAddr::new(ip, port)]);
        }
        let loopback = [IpAddr::from(Ipv6Addr::LOCALHOST), IpAddr::from(Ipv4Addr::LOCALHOST)];
        is_localhost(host).then(|| loopback.map(|ip| SocketAddr::new(ip, port)).to_vec())
    }

    /// Looks `host` up on a helper thread.
    pub(crate) fn look_up(
        &self,
        host: &str,
        port: u16,
        deadline: Deadline,
        token: Option<&CancelToken>,
    ) -> Result<Vec<SocketAddr>> {
        let mailbox = Mailbox::new();
        let ticket = self.ask((host.to_owned(), port), &mailbox)?;
        let answer = mailbox.wait(deadline, token);
        match answer {
            Ok(Some(Ok(addresses))) if addresses.is_empty() => {
                Err(Error::new(ErrorKind::Resolve, format!("{host} has no address")))
            }
            Ok(Some(answer)) => answer,
            Ok(None) => Err(match ticket.in_line_behind() {
                None => deadline.error("looking up the name"),
                Some(count) => {
                    deadline.error(&format!("waiting in line to look up the name, behind {count} look-ups under way"))
                }
            }),
            Err(cancelled) => Err(cancelled),
        }
        .map_err(|error| error.at(Stage::Resolve))
    }

    /// Joins the look-up of that name, or begins it.
    fn ask<'m>(&self, name: Name, mailbox: &'m Mailbox<Answer>) -> Result<Ticket<'m>> {
        let ticket = Ticket { lookups: self.lookups.clone(), name: name.clone(), mailbox };
        let mut lookups = lock(&self.lookups);
        if let Some(at) = lookups.find(&name) {
            lookups.list[at].waiting.push(mailbox.slot());
            return Ok(ticket);
        }
        lookups.list.push(Lookup { name, is_under_way: false, waiting: vec![mailbox.slot()] });
        if lookups.helpers < LOOK_UPS_MAX {
            lookups.helpers += 1;
            drop(lookups);
            self.start_helper()?;
        }
        Ok(ticket)
    }

    fn start_helper(&self) -> Result<()> {
        let (lookups, by) = (self.lookups.clone(), self.by.clone());
        let started = helper::start("longwire-resolve", Box::new(move || work_off(&lookups, &*by)));
        let Err(error) = started else { return Ok(()) };
        let error = Error::from_io(ErrorKind::Resolve, "no thread for the look-up", error).at(Stage::Resolve);
        let mut lookups = lock(&self.lookups);
        lookups.helpers -= 1;
        while lookups.helpers == 0 {
            let Some(name) = lookups.next() else { break };
            lookups.answer(&name, &Err(error.clone()));
        }
        Err(error)
    }
}

/// The address with that port, unless it has one of its own. Zone and flow label stay.
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

    /// The first name in line, whose look-up begins.
    fn next(&mut self) -> Option<Name> {
        let lookup = self.list.iter_mut().find(|lookup| !lookup.is_under_way)?;
        lookup.is_under_way = true;
        Some(lookup.name.clone())
    }

    /// Tells all who wait for that name.
    fn answer(&mut self, name: &Name, answer: &Answer) {
        let Some(at) = self.find(name) else { return };
        for slot in self.list.remove(at).waiting {
            slot.put(answer.clone());
        }
    }
}

/// A helper's work: look names up until there are no more in line.
fn work_off(lookups: &Mutex<Lookups>, by: &dyn Resolve) {
    loop {
        let mut shared = lock(lookups);
        let Some(name) = shared.next() else {
            shared.helpers -= 1;
            return;
        };
        drop(shared);
        let answer = match panic::catch_unwind(AssertUnwindSafe(|| by.resolve(&name.0, name.1))) {
            Ok(answer) => {
                answer.map_err(|error| Error::from_io(ErrorKind::Resolve, format!("looking up {}", name.0), error))
            }
            Err(_) => Err(Error::new(ErrorKind::Resolve, "the resolver panicked")),
        };
        lock(lookups).answer(&name, &answer);
    }
}

fn lock(lookups: &Mutex<Lookups>) -> MutexGuard<'_, Lookups> {
    lookups.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Somebody's place among those who wait for a name; whoever leaves last takes the name out of
/// the line. A look-up that runs already is left to its end, for the next one who asks.
struct Ticket<'m> {
    lookups: Arc<Mutex<Lookups>>,
    name: Name,
    mailbox: &'m Mailbox<Answer>,
}

impl Ticket<'_> {
    /// The number of look-ups under way, if this one is not.
    fn in_line_behind(&self) -> Option<usize> {
        let lookups = lock(&self.lookups);
        let is_in_line = lookups.find(&self.name).is_some_and(|at| !lookups.list[at].is_under_way);
        is_in_line.then(|| lookups.list.iter().filter(|lookup| lookup.is_under_way).count())
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut lookups = lock(&self.lookups);
        let Some(at) = lookups.find(&self.name) else { return };
        let lookup = &mut lookups.list[at];
        lookup.waiting.retain(|slot| !slot.is_of(self.mailbox));
        if lookup.waiting.is_empty() && !lookup.is_under_way {
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
}
