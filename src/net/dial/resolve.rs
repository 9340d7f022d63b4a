//! From a host's name to addresses, without letting the system's look-up outlive a deadline.
//!
//! `getaddrinfo` cannot be interrupted. So a look-up runs on a helper thread, and whoever waits
//! for it leaves when time is up; the helper ends by itself. Look-ups of one name that are under
//! way are shared, and there are at most [`HELPERS_MAX`] helpers: further names wait in line.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
use crate::net::helper::{self, Mailbox, Slot};

/// Look-ups that may run at once; the rest wait. A look-up that hangs takes a place until the
/// system gives up on it.
const HELPERS_MAX: usize = 16;

/// Turns a name into addresses.
///
/// It is called on a helper thread, so it may block; when the request's time is up it is left
/// alone and its answer is thrown away. IP literals and names given to
/// [`resolve_to`](crate::ClientBuilder::resolve_to) do not come here. Nothing is cached.
///
/// ```
/// use longwire::{Client, Resolve};
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

    /// The address that needs no look-up: a literal, or one given beforehand.
    pub(crate) fn known(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let fixed = self.fixed.iter().find(|(name, _)| name.eq_ignore_ascii_case(host));
        match fixed {
            Some((_, address)) => Some(*address),
            None => host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port)),
        }
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
        let _ticket = self.ask((host.to_owned(), port), &mailbox)?;
        let answer = mailbox.wait(deadline, token);
        match answer {
            Ok(Some(Ok(addresses))) if addresses.is_empty() => {
                Err(Error::new(ErrorKind::Resolve, format!("{host} has no address")))
            }
            Ok(Some(answer)) => answer,
            Ok(None) => Err(deadline.error("looking up the name")),
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
        if lookups.helpers < HELPERS_MAX {
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
