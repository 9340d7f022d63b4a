//! The connection pool: idle connections by origin, and slots for those in use.
//!
//! A checkout takes a slot of its host ([`lease`]): with the newest idle connection (this thread's, if it
//! has just released one), which is probed, or empty, and then a connection is opened for it. Where
//! `max_connections_per_host` is reached it waits in line ([`queue`]). A released connection is checked in
//! again and is idle until it expires ([`expiry`]), the caps evict it, or it is checked out. How a
//! connection is opened is not known here, nor what is exchanged on it.
//!
//! # Locking
//!
//! One lock guards the [`table`], which is plain data. It is held for a push or a pop. It is never held
//! while a connection is opened, probed or closed, or an observer is called: all of these may take time,
//! and may run user-supplied code that uses the client. So what has to be closed is collected under the
//! lock, in a list of type `Evicted`, closed after it is released, and reported last. Where a cap is at stake,
//! connections are closed before their slot is freed.
//!
//! A cancel takes its token's lock first and then this one (it wakes a waiter). Therefore nothing is
//! registered with a token, nor unregistered, while this lock is held.

use std::net::SocketAddr;
use std::process;
use std::time::{Duration, Instant};

use crate::net::conn::Limits;
use crate::net::deadline::Deadline;
use crate::observe::{Event, EventIds, Observers};
use crate::reuse::CloseReason;

mod expiry;
pub(crate) mod lease;
mod queue;
mod stats;
mod table;

#[cfg(all(test, longwire_model))]
mod model;
#[cfg(all(test, not(longwire_model)))]
mod steps;

pub use self::stats::{CloseCounts, PoolStats};
use self::table::{Evicted, SharedTable};
pub(crate) use self::table::{PoolLimits, Wanted};

/// Aligned so that its count of references, which each lease changes, is on another cache line than what
/// is only read.
#[repr(align(128))]
pub(crate) struct Pool {
    limits: PoolLimits,
    table: SharedTable,
    pub(crate) observers: Observers,
    /// The process that made it, by its id.
    process: u32,
}

/// What a connection is wanted for.
pub(crate) struct Checkout<'a> {
    /// What makes connections interchangeable.
    pub(crate) origin: &'a str,
    pub(crate) wanted: Wanted,
    pub(crate) now: Instant,
    /// How long to wait for a slot, and for a connection in it.
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) limits: Limits,
    /// The call and the exchange that it is for.
    pub(crate) ids: EventIds,
}

#[cfg(test)]
impl<'a> Checkout<'a> {
    /// For any connection to `origin`, now and without limits.
    fn of(origin: &'a str) -> Checkout<'a> {
        Checkout {
            origin,
            wanted: Wanted::Any,
            now: Instant::now(),
            connect_timeout: None,
            limits: Limits::NONE,
            ids: EventIds::default(),
        }
    }
}

/// What is reported of an idle connection that was closed: its peer, its id and the reason.
type ClosedIdle = (Option<SocketAddr>, u64, CloseReason);

impl Checkout<'_> {
    /// When a connection must be there.
    fn deadline(&self) -> Deadline {
        Deadline::of("connect_timeout", self.connect_timeout, self.now).or_sooner(self.limits.deadline)
    }
}

impl Pool {
    pub(crate) fn new(limits: PoolLimits, observers: Observers) -> Pool {
        Pool { limits, table: SharedTable::default(), observers, process: process::id() }
    }

    /// Closes every idle connection.
    pub(crate) fn clear(&self) {
        let mut evicted = Evicted::new();
        self.table.lock().clear(&mut evicted);
        self.close_evicted(evicted, self.observers.draw_id());
    }

    /// Returns the counts; closes expired connections first.
    pub(crate) fn stats(&self) -> PoolStats {
        let mut evicted = Evicted::new();
        let mut table = self.table.lock();
        table.expire(Instant::now(), &mut evicted);
        let stats = table.stats.clone();
        drop(table);
        self.close_evicted(evicted, self.observers.draw_id());
        stats
    }

    /// The most idle connections of one origin, and the setting that limits them.
    pub(crate) fn idle_max(&self) -> (usize, &'static str) {
        let PoolLimits { idle_per_host_max, idle_max, .. } = self.limits;
        if idle_max < idle_per_host_max { (idle_max, "max_idle") } else { (idle_per_host_max, "max_idle_per_host") }
    }

    /// How many connections of that origin may be opened until `count` are idle.
    pub(crate) fn missing(&self, origin: &str, count: usize, now: Instant, call: u64) -> usize {
        let mut evicted = Evicted::new();
        let mut table = self.table.lock();
        table.expire(now, &mut evicted);
        let id = table.host_id(origin);
        let host = &table.hosts[id];
        let room = self.limits.per_host_max.map_or(count, |max| max.saturating_sub(host.in_use + host.idle.len()));
        let missing = count.saturating_sub(host.idle.len()).min(room);
        drop(table);
        self.close_evicted(evicted, call);
        missing
    }

    /// Counts and reports a connection that was opened for a lease, and closed before it was one.
    pub(crate) fn record_closed_unused(&self, peer: Option<SocketAddr>, reason: CloseReason, ids: EventIds) {
        let mut table = self.table.lock();
        table.stats.opened += 1;
        table.stats.closed.add(reason);
        drop(table);
        self.observers.report(|| Event::Closed { peer, reason, ids });
    }

    /// Closes connections that were taken out of the idle lists, and reports that. Called without the
    /// lock.
    fn close_evicted(&self, evicted: Evicted, call: u64) {
        self.report_closed(Pool::close(evicted), call);
    }

    /// Closes the connections. Returns what must be reported.
    fn close(evicted: Evicted) -> Vec<ClosedIdle> {
        evicted.into_iter().map(|(conn, reason)| (conn.peer(), conn.opened.id, reason)).collect()
    }

    fn report_closed(&self, closed: Vec<ClosedIdle>, call: u64) {
        for (peer, connection, reason) in closed {
            let ids = EventIds { call, exchange: 0, connection };
            self.observers.report(|| Event::Closed { peer, reason, ids });
        }
    }
}

impl Drop for Pool {
    /// The last clone of the client and the last body are gone.
    fn drop(&mut self) {
        self.clear();
    }
}
