//! From a host's name to addresses, without letting the system's look-up outlive a deadline.
//!
//! `getaddrinfo` cannot be interrupted. So a look-up runs on a helper thread, and whoever waits
//! for it leaves when time is up; the helper ends by itself. Look-ups of one name that are under
//! way are shared, and there are at most [`HELPERS_MAX`] helpers: further names wait in line.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::net::cancel::{CancelToken, Registration};
use crate::net::deadline::Deadline;

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

/// What is waited for on a channel: an answer, or the news that nobody wants it any more.
pub(crate) enum News<T> {
    Answer(T),
    Cancelled,
}

/// Waits for one answer, until `deadline` or a cancel that `watch` has told the channel of.
/// `None`: time is up.
pub(crate) fn wait_for<T>(answers: &Receiver<News<T>>, deadline: Deadline) -> Result<Option<T>> {
    let news = match deadline.left() {
        Some(left) => answers.recv_timeout(left),
        None => answers.recv().map_err(|_| RecvTimeoutError::Disconnected),
    };
    match news {
        Ok(News::Answer(answer)) => Ok(Some(answer)),
        Ok(News::Cancelled) => Err(Error::cancelled()),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => unreachable!("whoever waits holds a sender, too"),
    }
}

/// Tells the channel when the token is cancelled.
pub(crate) fn watch<T: Send + 'static>(token: Option<&CancelToken>, sender: &Sender<News<T>>) -> Option<Registration> {
    let sender = sender.clone();
    Some(token?.register(Box::new(move || drop(sender.send(News::Cancelled)))))
}

type Answer = Result<Vec<SocketAddr>>;
type Name = (String, u16);
type Waiting = Vec<(u64, Sender<News<Answer>>)>;

pub(crate) struct Resolver {
    by: Arc<dyn Resolve>,
    fixed: Vec<(String, SocketAddr)>,
    lookups: Arc<Mutex<Lookups>>,
}

/// The look-ups under way or in line.
#[derive(Default)]
struct Lookups {
    helpers: usize,
    in_line: VecDeque<Name>,
    /// Who waits, by name. An entry is there as long as the look-up is, though all may have left.
    waiting: HashMap<Name, Waiting>,
    next_id: u64,
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
        let (sender, answers) = channel();
        let watch = watch(token, &sender);
        let ticket = self.ask((host.to_owned(), port), sender.clone())?;
        let answer = wait_for(&answers, deadline);
        drop((watch, ticket));
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
    fn ask(&self, name: Name, sender: Sender<News<Answer>>) -> Result<Ticket> {
        let mut lookups = lock(&self.lookups);
        let id = lookups.next_id;
        lookups.next_id += 1;
        let ticket = Ticket { lookups: self.lookups.clone(), name: name.clone(), id };
        if let Some(waiting) = lookups.waiting.get_mut(&name) {
            waiting.push((id, sender));
            return Ok(ticket);
        }
        lookups.waiting.insert(name.clone(), vec![(id, sender)]);
        lookups.in_line.push_back(name);
        if lookups.helpers < HELPERS_MAX {
            lookups.helpers += 1;
            drop(lookups);
            self.start_helper()?;
        }
        Ok(ticket)
    }

    fn start_helper(&self) -> Result<()> {
        let (lookups, by) = (self.lookups.clone(), self.by.clone());
        let thread = thread::Builder::new().name("longwire-resolve".into());
        let Err(error) = thread.spawn(move || work_off(&lookups, &*by)) else { return Ok(()) };
        let error = Error::from_io(ErrorKind::Resolve, "no thread for the look-up", error).at(Stage::Resolve);
        let mut lookups = lock(&self.lookups);
        lookups.helpers -= 1;
        while lookups.helpers == 0 {
            let Some(name) = lookups.in_line.pop_front() else { break };
            lookups.answer(&name, &Err(error.clone()));
        }
        Err(error)
    }
}

impl Lookups {
    /// The next name for a helper, or the end of that helper's work.
    fn next(&mut self) -> Option<Name> {
        let name = self.in_line.pop_front();
        if name.is_none() {
            self.helpers -= 1;
        }
        name
    }

    /// Tells all who wait for that name.
    fn answer(&mut self, name: &Name, answer: &Answer) {
        for (_, sender) in self.waiting.remove(name).unwrap_or_default() {
            let _ = sender.send(News::Answer(answer.clone())); // whoever left does not listen
        }
    }
}

/// A helper's work: look names up until there are no more in line.
fn work_off(lookups: &Mutex<Lookups>, by: &dyn Resolve) {
    loop {
        let Some(name) = lock(lookups).next() else { return };
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
struct Ticket {
    lookups: Arc<Mutex<Lookups>>,
    name: Name,
    id: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let lookups = &mut *lock(&self.lookups);
        let Some(waiting) = lookups.waiting.get_mut(&self.name) else { return };
        waiting.retain(|(id, _)| *id != self.id);
        if waiting.is_empty() {
            if let Some(at) = lookups.in_line.iter().position(|name| *name == self.name) {
                lookups.in_line.remove(at);
                lookups.waiting.remove(&self.name);
            }
        }
    }
}
