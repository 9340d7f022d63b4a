//! The pool: idle connections by origin, and the places for those in use.
//!
//! One lock over plain data, held for a push or a pop and never while a connection is opened,
//! probed or closed, or an observer told. No thread watches the clock: whoever comes next closes
//! what has expired. Each host has one entry in a heap that says when to look at it again, so that
//! expiry never scans the whole pool.
//!
//! Threads that wait for a place stand in a queue per host, first come first served. Each waits on
//! a condition variable of its own, and a freed place notifies the front of its host's queue alone:
//! so a place costs one wake-up, however many wait. None is lost, because whoever leaves the queue,
//! served or not, notifies the new front if there is a place for it too.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::process;
use std::time::{Duration, Instant};

use crate::error::{Result, Stage};
use crate::net::buffer::Buffer;
use crate::net::cancel::CancelToken;
use crate::net::conn::{Conn, Limits};
use crate::net::deadline::Deadline;
use crate::net::sync::{self, Arc, Condvar, Mutex, MutexGuard, PoisonError};
use crate::observe::{Event, EventIds, Observers};
use crate::reuse::{CloseReason, KeepAlive};

/// Buffers that are kept for the next leases, so that a busy client does not allocate them anew.
const SPARES_MAX: usize = 8;

/// An idle connection without any limit retires after this, which no process lives to see.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// Entries that the heap of looks may have beyond two a host, before those are taken out that do
/// not count any more.
const LOOKS_SLACK: usize = 64;

/// How long before the server does we retire a connection, so that a request is not under way to
/// a server that is just closing.
const RETIRE_BEFORE: Duration = Duration::from_secs(1);

/// How large a pool may become, and for how long it keeps what.
#[derive(Clone, Debug)]
pub(crate) struct PoolLimits {
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) idle_per_host_max: usize,
    pub(crate) idle_max: usize,
    pub(crate) per_host_max: Option<usize>,
    pub(crate) age_max: Option<Duration>,
    pub(crate) buffer_size: usize,
    /// A connection that was idle for less is not probed.
    pub(crate) probe_after: Duration,
}

/// A look at the pool: counts of now, and totals since the client was built.
///
/// ```
/// let stats = longwire::Client::new().pool_stats();
/// assert_eq!((stats.idle, stats.in_use, stats.opened, stats.closed.total()), (0, 0, 0, 0));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PoolStats {
    /// Connections that wait for a request.
    pub idle: usize,
    /// Connections that are being opened or carry an exchange whose body is not finished.
    pub in_use: usize,
    /// Threads that wait for a place among `max_connections_per_host`.
    pub waiting: usize,
    /// Connections opened so far, those among them that came no further than a failed TLS handshake.
    pub opened: u64,
    /// Exchanges so far that began on a connection from the pool.
    pub reused: u64,
    /// Connections closed so far, by reason.
    pub closed: CloseCounts,
}

/// How many connections were closed, by reason.
///
/// ```
/// for (reason, count) in longwire::Client::new().pool_stats().closed.iter() {
///     println!("{count} because {reason}");
/// }
/// ```
#[derive(Clone, Default)]
pub struct CloseCounts([u64; CloseReason::ALL.len()]);

impl CloseCounts {
    /// How many were closed for this reason.
    pub fn get(&self, reason: CloseReason) -> u64 {
        self.0[reason as usize]
    }

    /// How many were closed.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The reasons that occurred, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (CloseReason, u64)> {
        let all = CloseReason::ALL.iter().map(|reason| (*reason, self.get(*reason)));
        all.filter(|(_, count)| *count > 0)
    }
}

impl fmt::Debug for CloseCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Boxed once when it is opened, so that leasing and releasing move a pointer.
type BoxedConn = Box<Conn>;

/// Connections to be closed once the lock is released.
type Closing = Vec<(BoxedConn, CloseReason)>;

/// What is reported of one of them: its peer, its id and the reason.
type ClosedIdle = (Option<SocketAddr>, u64, CloseReason);

/// A host's place in the table.
type HostId = usize;

pub(crate) struct Pool {
    limits: PoolLimits,
    shared: Mutex<Shared>,
    observers: Observers,
    /// The process that made it, by its id.
    process: u32,
}

#[derive(Default)]
struct Shared {
    hosts: Vec<Host>,
    /// The hosts in the order of their origins' hashes.
    sorted: Vec<(u64, HostId)>,
    /// The host that was asked for last; the next request is often for the same.
    latest: HostId,
    /// Entries of `hosts` that stand for no host.
    vacant: Vec<HostId>,
    /// When to look at which host next. An entry counts if the host's `look` says the same.
    looks: BinaryHeap<Reverse<(Instant, HostId)>>,
    spares: Vec<Buffer>,
    stats: PoolStats,
}

#[derive(Default)]
struct Host {
    origin: Box<str>,
    /// The one that has been silent for longest first.
    idle: Vec<BoxedConn>,
    in_use: usize,
    /// Those who wait for a place, first come first.
    queue: VecDeque<Arc<Ticket>>,
    /// When this host is to be looked at: never later than its first idle connection retires.
    look: Option<Instant>,
}

/// One thread in a host's queue.
#[derive(Default)]
struct Ticket {
    /// Notified when its holder is at the front and a place is free, and when its request is cancelled.
    wake_up: Condvar,
}

/// What a lease is wanted for.
pub(crate) struct Want<'a> {
    pub(crate) origin: &'a str,
    /// Only a new connection will do.
    pub(crate) fresh: bool,
    pub(crate) now: Instant,
    /// How long to wait for a place, and for a connection in it.
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) limits: Limits,
    /// The call and the exchange that it is for.
    pub(crate) ids: EventIds,
}

impl Want<'_> {
    /// When a connection must be there.
    fn deadline(&self) -> Deadline {
        Deadline::of("connect_timeout", self.connect_timeout, self.now).or_sooner(self.limits.deadline)
    }
}

impl Pool {
    pub(crate) fn new(limits: PoolLimits, observers: Observers) -> Pool {
        Pool { limits, shared: Mutex::default(), observers, process: process::id() }
    }

    /// The newest idle connection of that origin that is still open and silent, else the one that
    /// `open` makes.
    pub(crate) fn lease(
        self: &Arc<Pool>,
        want: Want<'_>,
        open: impl FnOnce(Deadline) -> Result<Conn>,
    ) -> Result<Lease> {
        let (mut lease, now) = self.place(&want).map_err(|error| error.at(Stage::Pool))?;
        while let Held::Conn(conn) = &mut lease.held {
            match conn.probe(now, self.limits.probe_after) {
                Ok(()) => {
                    conn.begin(want.limits, want.ids, now);
                    self.observers.report(|| Event::Reused { peer: conn.peer(), nth: conn.exchanges, ids: conn.ids });
                    return Ok(lease);
                }
                Err(reason) => lease.replace(reason, want.ids),
            }
        }
        let mut conn = Box::new(open(want.deadline())?);
        let mut shared = self.lock();
        shared.stats.opened += 1;
        conn.attach_buffer(shared.buffer(&self.limits));
        drop(shared);
        conn.begin(want.limits, want.ids, Instant::now());
        lease.held = Held::Conn(conn);
        Ok(lease)
    }

    /// A place for that origin, with an idle connection in it or without, and the time at which it
    /// was got. Waits in line where `max_connections_per_host` is reached.
    fn place(self: &Arc<Pool>, want: &Want<'_>) -> Result<(Lease, Instant)> {
        let mut closing = Closing::new();
        let mut shared = self.lock();
        shared.expire(want.now, &mut closing);
        let host = shared.id(want.origin);
        let place = match shared.find(host, None, want.fresh, &self.limits, &mut closing) {
            Some(held) => {
                drop(shared);
                (Lease { pool: self.clone(), host, held }, want.now)
            }
            None => {
                let ticket = shared.queue_up(host);
                drop(shared);
                let waiter = Waiter { pool: self, host, ticket, call: want.ids.call };
                self.close_all(std::mem::take(&mut closing), want.ids.call);
                (self.wait_in_line(&waiter, want)?, Instant::now())
            }
        };
        self.close_all(closing, want.ids.call);
        Ok(place)
    }

    fn wait_in_line(self: &Arc<Pool>, waiter: &Waiter<'_>, want: &Want<'_>) -> Result<Lease> {
        // Registered before the lock is taken that the hook takes, too; and it takes the lock so
        // that it does not notify between the check of the token and the wait.
        let _registration = want.limits.token.as_ref().map(|token| {
            let (pool, ticket) = (self.clone(), waiter.ticket.clone());
            token.register(Box::new(move || {
                drop(pool.lock());
                ticket.wake_up.notify_one();
            }))
        });
        let deadline = want.deadline();
        let mut closing = Closing::new();
        let mut shared = self.lock();
        let held = loop {
            if let Some(Err(cancelled)) = want.limits.token.as_ref().map(CancelToken::check) {
                break Err(cancelled);
            }
            let ticket = Some(&waiter.ticket);
            if let Some(held) = shared.find(waiter.host, ticket, want.fresh, &self.limits, &mut closing) {
                break Ok(held);
            }
            let left = deadline.remaining();
            if left == Some(Duration::ZERO) {
                break Err(deadline.error("waiting for a free connection"));
            }
            shared = sync::wait(&waiter.ticket.wake_up, shared, left);
        };
        drop(shared);
        let lease = held.map(|held| Lease { pool: self.clone(), host: waiter.host, held });
        self.close_all(closing, want.ids.call);
        lease
    }

    /// Closes every idle connection.
    pub(crate) fn clear(&self) {
        let mut closing = Closing::new();
        self.lock().clear(&mut closing);
        self.close_all(closing, self.observers.draw_id());
    }

    /// A connection was opened for a lease, and closed before it could be one.
    pub(crate) fn record_closed_unused(&self, peer: Option<SocketAddr>, reason: CloseReason, ids: EventIds) {
        let mut shared = self.lock();
        shared.stats.opened += 1;
        shared.stats.closed.0[reason as usize] += 1;
        drop(shared);
        self.observers.report(|| Event::Closed { peer, reason, ids });
    }

    pub(crate) fn observers(&self) -> &Observers {
        &self.observers
    }

    pub(crate) fn stats(&self) -> PoolStats {
        let mut closing = Closing::new();
        let mut shared = self.lock();
        shared.expire(Instant::now(), &mut closing);
        let stats = shared.stats.clone();
        drop(shared);
        self.close_all(closing, self.observers.draw_id());
        stats
    }

    /// A connection comes back. Others may have to go for it, or it itself.
    #[inline]
    fn take_back(&self, host: HostId, mut conn: BoxedConn, buffer: Buffer, how: KeepAlive) {
        let since = conn.idle_from();
        conn.park(since, self.retires(&conn, since, how.timeout_secs.map(Duration::from_secs)), how.unproven);
        let ids = conn.ids;
        let told = (!self.observers.is_empty()).then(|| (conn.peer(), std::ptr::from_ref(&*conn)));
        let mut closing = Closing::new();
        let mut shared = self.lock();
        shared.keep_spare(buffer);
        shared.put(host, conn);
        // Whoever waits would take it without a look at its time.
        let now = if shared.hosts[host].queue.is_empty() { since } else { Instant::now() };
        shared.expire(now, &mut closing);
        shared.trim(host, &self.limits, &mut closing);
        let is_kept = |this| shared.hosts[host].idle.iter().any(|conn| std::ptr::eq(&**conn, this));
        let kept = told.filter(|(_, this)| is_kept(*this));
        if closing.is_empty() {
            self.vacate(shared, host);
        } else {
            // What goes is closed before its place is free, so that no limit is passed.
            drop(shared);
            let leaving = Leaving { pool: self, host };
            let closed = close(closing);
            drop(leaving);
            self.tell(closed, ids.call);
        }
        if let Some((peer, _)) = kept {
            self.observers.report(|| Event::Kept { peer, ids });
        }
    }

    /// When a connection that goes to rest now must not be used any more, and why.
    #[inline]
    fn retires(&self, conn: &Conn, now: Instant, server_timeout: Option<Duration>) -> (Instant, CloseReason) {
        let mut rest = self.limits.idle_timeout.unwrap_or(NEVER).min(NEVER);
        if let Some(timeout) = server_timeout {
            rest = rest.min(match timeout.checked_sub(RETIRE_BEFORE) {
                None | Some(Duration::ZERO) => timeout / 2,
                Some(earlier) => earlier,
            });
        }
        let age = self.limits.age_max.map_or(NEVER, |age| age.saturating_sub(now - conn.opened.at));
        let reason = if age < rest { CloseReason::Aged } else { CloseReason::Idle };
        (now.checked_add(rest.min(age)).unwrap_or(now), reason)
    }

    /// A place becomes free.
    #[inline]
    fn vacate(&self, mut shared: MutexGuard<'_, Shared>, host: HostId) {
        let next = shared.vacate(host, &self.limits);
        drop(shared);
        notify(next);
    }

    #[inline]
    fn close_all(&self, closing: Closing, call: u64) {
        if !closing.is_empty() {
            self.tell(close(closing), call);
        }
    }

    /// Reports connections that were closed while they were idle.
    fn tell(&self, closed: Vec<ClosedIdle>, call: u64) {
        for (peer, connection, reason) in closed {
            let ids = EventIds { call, exchange: 0, connection };
            self.observers.report(|| Event::Closed { peer, reason, ids });
        }
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// FNV-1a. Whoever can guess it makes look-ups no slower than by name.
fn hash(origin: &str) -> u64 {
    origin.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Closes the connections; what is left is to be told.
fn close(closing: Closing) -> Vec<ClosedIdle> {
    closing.into_iter().map(|(conn, reason)| (conn.peer(), conn.opened.id, reason)).collect()
}

/// Wakes the one for whom there is a place. Called without the lock, which it will want.
#[inline]
fn notify(next: Option<Arc<Ticket>>) {
    if let Some(ticket) = next {
        ticket.wake_up.notify_one();
    }
}

impl Drop for Pool {
    /// The last clone of the client and the last body are gone.
    fn drop(&mut self) {
        self.clear();
    }
}

impl Shared {
    /// The host's entry, made if there is none.
    #[inline]
    fn id(&mut self, origin: &str) -> HostId {
        if self.hosts.get(self.latest).is_some_and(|host| *host.origin == *origin) {
            return self.latest;
        }
        self.latest = match self.search(origin) {
            Ok(at) => self.sorted[at].1,
            Err(at) => self.enter(origin, at),
        };
        self.latest
    }

    /// Where the host stands among the sorted ones, or would stand.
    fn search(&self, origin: &str) -> Result<usize, usize> {
        let hash = hash(origin);
        self.sorted.binary_search_by(|(other, id)| {
            other.cmp(&hash).then_with(|| (*self.hosts[*id].origin).cmp(origin)) // two may have the same
        })
    }

    fn enter(&mut self, origin: &str, at: usize) -> HostId {
        let id = self.vacant.pop().unwrap_or_else(|| {
            self.hosts.push(Host::default());
            self.hosts.len() - 1
        });
        self.hosts[id].origin = origin.into();
        self.sorted.insert(at, (hash(origin), id));
        id
    }

    /// What is to be held at a place, if it is this one's turn and there is a place: the newest
    /// idle connection, or none where there is room for a new one.
    #[inline]
    fn find(
        &mut self,
        id: HostId,
        ticket: Option<&Arc<Ticket>>,
        fresh: bool,
        limits: &PoolLimits,
        closing: &mut Closing,
    ) -> Option<Held> {
        let host = &mut self.hosts[id];
        let front = host.queue.front().map(Arc::as_ptr);
        if front.is_some() && front != ticket.map(Arc::as_ptr) {
            return None;
        }
        let mut held = Held::Place;
        if !fresh && !host.idle.is_empty() {
            held = self.take_newest(id, limits);
        } else if !host.has_room(limits) {
            if host.idle.is_empty() {
                return None;
            }
            let oldest = host.idle.remove(0); // a fresh one is wanted, and this one stands in its way
            self.close_idle(oldest, CloseReason::PoolFull, closing);
        }
        self.hosts[id].in_use += 1;
        self.stats.in_use += 1;
        Some(held)
    }

    /// The newest idle connection, for somebody who has a place already; with a buffer.
    #[inline]
    fn take_newest(&mut self, id: HostId, limits: &PoolLimits) -> Held {
        let Some(mut conn) = self.hosts[id].idle.pop() else { return Held::Place };
        self.stats.idle -= 1;
        self.stats.reused += 1;
        conn.attach_buffer(self.buffer(limits));
        Held::Conn(conn)
    }

    fn buffer(&mut self, limits: &PoolLimits) -> Buffer {
        self.spares.pop().unwrap_or_else(|| Buffer::new(limits.buffer_size))
    }

    fn queue_up(&mut self, id: HostId) -> Arc<Ticket> {
        let ticket = Arc::new(Ticket::default());
        self.stats.waiting += 1;
        self.hosts[id].queue.push_back(ticket.clone());
        ticket
    }

    fn leave_queue(&mut self, id: HostId, ticket: &Arc<Ticket>) {
        self.stats.waiting -= 1;
        let queue = &mut self.hosts[id].queue;
        if let Some(at) = queue.iter().position(|other| Arc::ptr_eq(other, ticket)) {
            queue.remove(at); // mostly the front
        }
        self.forget_if_unused(id);
    }

    /// A place becomes free: for the one that is returned, if somebody waits.
    #[inline]
    fn vacate(&mut self, id: HostId, limits: &PoolLimits) -> Option<Arc<Ticket>> {
        self.hosts[id].in_use -= 1;
        self.stats.in_use -= 1;
        let next = self.next_in_line(id, limits);
        self.forget_if_unused(id);
        next
    }

    /// The front of the queue, if there is a place for it.
    #[inline]
    fn next_in_line(&self, id: HostId, limits: &PoolLimits) -> Option<Arc<Ticket>> {
        let host = &self.hosts[id];
        let front = host.queue.front()?;
        host.has_place(limits).then(|| front.clone())
    }

    /// Puts a connection among the idle ones, by how long it has been silent.
    #[inline]
    fn put(&mut self, id: HostId, conn: BoxedConn) {
        let retires = conn.expires_at();
        let idle = &mut self.hosts[id].idle;
        let at = idle.iter().rposition(|other| other.idle_since() <= conn.idle_since()).map_or(0, |at| at + 1);
        idle.insert(at, conn);
        self.stats.idle += 1;
        self.look_at(id, retires);
    }

    /// Closes idle connections that are too many, the newest one last. Where somebody waits, it
    /// will be taken at once, and nothing is too much.
    #[inline]
    fn trim(&mut self, id: HostId, limits: &PoolLimits, closing: &mut Closing) {
        if !self.hosts[id].queue.is_empty() {
            return;
        }
        while self.hosts[id].idle.len() > limits.idle_per_host_max {
            let oldest = self.hosts[id].idle.remove(0);
            self.close_idle(oldest, CloseReason::PoolFull, closing);
        }
        while self.stats.idle > limits.idle_max && self.evict_soonest(closing) {}
    }

    /// Sees to it that the host is looked at by `when`.
    #[inline]
    fn look_at(&mut self, id: HostId, when: Instant) {
        let host = &mut self.hosts[id];
        if host.look.is_none_or(|look| when < look) {
            host.look = Some(when);
            self.looks.push(Reverse((when, id)));
        }
        if self.looks.len() > 2 * self.hosts.len() + LOOKS_SLACK {
            let hosts = &self.hosts;
            self.looks.retain(|Reverse((when, id))| hosts[*id].look == Some(*when));
        }
    }

    /// Takes the idle connections that have retired by `now`.
    #[inline]
    fn expire(&mut self, now: Instant, closing: &mut Closing) {
        if self.looks.peek().is_some_and(|Reverse((when, _))| *when <= now) {
            self.expire_due(now, closing);
        }
    }

    fn expire_due(&mut self, now: Instant, closing: &mut Closing) {
        while let Some(id) = self.next_look(Some(now)) {
            for conn in self.hosts[id].take_retired(now) {
                let reason = conn.expiry_reason();
                self.close_idle(conn, reason, closing);
            }
            self.look_again(id);
        }
    }

    /// Takes the idle connection, of whatever host, that would retire first.
    fn evict_soonest(&mut self, closing: &mut Closing) -> bool {
        while let Some(id) = self.next_look(None) {
            let next = self.looks.peek().map(|Reverse((when, _))| *when);
            match self.hosts[id].soonest() {
                // The entry told the truth: no other host has an earlier one.
                Some((at, when)) if next.is_none_or(|next| when <= next) => {
                    let conn = self.hosts[id].idle.remove(at);
                    self.close_idle(conn, CloseReason::PoolFull, closing);
                    self.look_again(id);
                    return true;
                }
                _ => self.look_again(id),
            }
        }
        false
    }

    /// Takes the earliest look out of the heap, if it is due by `now`.
    fn next_look(&mut self, now: Option<Instant>) -> Option<HostId> {
        loop {
            let Reverse((when, id)) = *self.looks.peek()?;
            if now.is_some_and(|now| when > now) {
                return None;
            }
            self.looks.pop();
            if self.hosts[id].look == Some(when) {
                self.hosts[id].look = None;
                return Some(id);
            }
        }
    }

    fn look_again(&mut self, id: HostId) {
        match self.hosts[id].soonest() {
            Some((_, when)) => self.look_at(id, when),
            None => self.forget_if_unused(id),
        }
    }

    /// A host without connections and waiters leaves no trace, but for a look that nobody minds.
    #[inline]
    fn forget_if_unused(&mut self, id: HostId) {
        let host = &self.hosts[id];
        if host.idle.is_empty() && host.in_use == 0 && host.queue.is_empty() {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: HostId) {
        if let Ok(at) = self.search(&self.hosts[id].origin) {
            self.sorted.remove(at);
            self.hosts[id] = Host::default();
            self.vacant.push(id);
        }
    }

    fn close_idle(&mut self, conn: BoxedConn, reason: CloseReason, closing: &mut Closing) {
        self.stats.idle -= 1;
        self.stats.closed.0[reason as usize] += 1;
        closing.push((conn, reason));
    }

    fn clear(&mut self, closing: &mut Closing) {
        for id in 0..self.hosts.len() {
            for conn in std::mem::take(&mut self.hosts[id].idle) {
                self.close_idle(conn, CloseReason::Cleared, closing);
            }
            self.hosts[id].look = None;
            self.forget_if_unused(id);
        }
        self.looks.clear();
        self.spares.clear();
    }

    #[inline]
    fn keep_spare(&mut self, mut buffer: Buffer) {
        buffer.clear();
        if self.spares.len() < SPARES_MAX {
            self.spares.push(buffer);
        }
    }
}

impl Host {
    /// Whether a connection more may be opened.
    #[inline]
    fn has_room(&self, limits: &PoolLimits) -> bool {
        limits.per_host_max.is_none_or(|max| self.in_use + self.idle.len() < max)
    }

    /// Whether a lease may begin: on an idle connection, in the stead of one, or where there is room.
    #[inline]
    fn has_place(&self, limits: &PoolLimits) -> bool {
        !self.idle.is_empty() || self.has_room(limits)
    }

    /// The idle connection that retires first, and when.
    fn soonest(&self) -> Option<(usize, Instant)> {
        let retires = self.idle.iter().map(|conn| conn.expires_at());
        retires.enumerate().min_by_key(|(_, when)| *when)
    }

    /// Takes the idle connections that have retired by `now`.
    fn take_retired(&mut self, now: Instant) -> Vec<BoxedConn> {
        let (retired, rest) = self.idle.drain(..).partition(|conn| conn.expires_at() <= now);
        self.idle = rest;
        retired
    }
}

/// A thread's stay in the queue. However it leaves (served, late, cancelled, by a panic), it passes
/// on what it may have been notified of: had it kept that to itself, a free place would stay empty
/// while others wait.
struct Waiter<'a> {
    pool: &'a Pool,
    host: HostId,
    ticket: Arc<Ticket>,
    call: u64,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut closing = Closing::new();
        let mut shared = self.pool.lock();
        shared.leave_queue(self.host, &self.ticket);
        shared.trim(self.host, &self.pool.limits, &mut closing);
        let next = shared.next_in_line(self.host, &self.pool.limits);
        drop(shared);
        notify(next);
        self.pool.close_all(closing, self.call);
    }
}

/// A place that becomes free once this is dropped, also if a stream of the user's own panics when
/// it is closed.
struct Leaving<'a> {
    pool: &'a Pool,
    host: HostId,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.pool.vacate(self.pool.lock(), self.host);
    }
}

/// A connection for one exchange, in one of its origin's places.
///
/// Reuse is said aloud: [`release`](Lease::release). Every other way out closes the connection.
pub(crate) struct Lease {
    pool: Arc<Pool>,
    host: HostId,
    held: Held,
}

enum Held {
    /// A place, and no connection in it yet.
    Place,
    Conn(BoxedConn),
    /// Nothing any more: the place was given back.
    Nothing,
}

impl Lease {
    /// Closes a connection that turned out to be unfit, and takes the next idle one in its place.
    fn replace(&mut self, reason: CloseReason, ids: EventIds) {
        let Held::Conn(mut conn) = std::mem::replace(&mut self.held, Held::Place) else { return };
        let (buffer, _) = conn.finish();
        let (peer, connection) = (conn.peer(), conn.opened.id);
        drop(conn);
        let mut shared = self.pool.lock();
        shared.stats.reused -= 1;
        shared.stats.closed.0[reason as usize] += 1;
        shared.keep_spare(buffer);
        self.held = shared.take_newest(self.host, &self.pool.limits);
        drop(shared);
        self.pool.observers.report(|| Event::Closed { peer, reason, ids: EventIds { connection, ..ids } });
    }

    /// Gives the connection back for the next exchange, if it is fit for one.
    #[inline]
    pub(crate) fn release(mut self, how: KeepAlive) {
        let Held::Conn(conn) = &mut self.held else { return };
        conn.requests_left = match (conn.requests_left, how.requests_left) {
            (Some(left), Some(said)) => Some(said.min(left.saturating_sub(1))),
            (Some(left), None) => Some(left.saturating_sub(1)),
            (None, said) => said,
        };
        let (buffer, state) = conn.finish();
        let age_max = self.pool.limits.age_max;
        let unfit = match state {
            Err(reason) => Some(reason),
            Ok(()) if conn.requests_left == Some(0) => Some(CloseReason::KeepAliveHint),
            Ok(()) if age_max.is_some_and(|age| conn.opened.at.elapsed() >= age) => Some(CloseReason::Aged),
            Ok(()) => None,
        };
        let Held::Conn(conn) = std::mem::replace(&mut self.held, Held::Nothing) else { return };
        match unfit {
            Some(reason) => self.end(conn, buffer, reason),
            None => self.pool.take_back(self.host, conn, buffer, how),
        }
    }

    /// Closes the connection, and says why.
    pub(crate) fn close(mut self, reason: CloseReason) {
        self.close_held(reason);
    }

    /// Reports an event of the exchange under way.
    #[inline]
    pub(crate) fn report<'a>(&self, event: impl FnOnce(EventIds) -> Event<'a>) {
        self.pool.observers.report(|| event(self.ids));
    }

    /// Returns whether anything that is reported is seen.
    pub(crate) fn is_observed(&self) -> bool {
        !self.pool.observers.is_empty()
    }

    /// Returns whether the pool came into this process by fork: then the connection may be the
    /// parent's, too.
    pub(crate) fn is_inherited(&self) -> bool {
        self.pool.process != process::id()
    }

    /// Hands the connection out for good.
    pub(crate) fn into_conn(mut self) -> Option<Conn> {
        let Held::Conn(conn) = std::mem::replace(&mut self.held, Held::Nothing) else { return None };
        let mut shared = self.pool.lock();
        shared.stats.closed.0[CloseReason::Upgraded as usize] += 1;
        self.pool.vacate(shared, self.host);
        self.pool.observers.report(|| Event::Closed {
            peer: conn.peer(),
            reason: CloseReason::Upgraded,
            ids: conn.ids,
        });
        Some(*conn)
    }

    fn close_held(&mut self, reason: CloseReason) {
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Nothing => {}
            Held::Place => self.pool.vacate(self.pool.lock(), self.host),
            Held::Conn(mut conn) => match conn.finish() {
                (buffer, Err(CloseReason::Cancelled)) => self.end(conn, buffer, CloseReason::Cancelled),
                (buffer, _) => self.end(conn, buffer, reason),
            },
        }
    }

    /// Closes the socket before anybody can take the place.
    fn end(&self, conn: BoxedConn, buffer: Buffer, reason: CloseReason) {
        let (peer, ids) = (conn.peer(), conn.ids);
        let mut shared = self.pool.lock();
        shared.stats.closed.0[reason as usize] += 1;
        shared.keep_spare(buffer);
        drop(shared);
        let leaving = Leaving { pool: &self.pool, host: self.host };
        drop(conn);
        drop(leaving);
        self.pool.observers.report(|| Event::Closed { peer, reason, ids });
    }
}

impl Deref for Lease {
    type Target = Conn;
    #[inline]
    fn deref(&self) -> &Conn {
        match &self.held {
            Held::Conn(conn) => conn,
            Held::Place | Held::Nothing => {
                unreachable!("a lease leaves this file with a connection, and ends by value")
            }
        }
    }
}

impl DerefMut for Lease {
    #[inline]
    fn deref_mut(&mut self) -> &mut Conn {
        match &mut self.held {
            Held::Conn(conn) => conn,
            Held::Place | Held::Nothing => {
                unreachable!("a lease leaves this file with a connection, and ends by value")
            }
        }
    }
}

impl Drop for Lease {
    /// Nobody said that the connection may be used again.
    fn drop(&mut self) {
        self.close_held(CloseReason::Failed);
    }
}

#[cfg(all(test, longwire_model))]
mod model;
#[cfg(all(test, not(longwire_model)))]
mod steps;
