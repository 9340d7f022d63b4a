//! A connection on its way out of the pool and back: checkout, the lease, check-in.
//!
//! A lease holds one slot of its host from checkout to check-in, with the connection in it. Reuse is an
//! explicit call, [`Lease::release`], for a caller that knows the exchange to be complete. Every other way out,
//! a panic included, closes the connection and frees the slot. What was exchanged is not known here.

use std::mem;
use std::ops::{Deref, DerefMut};
use std::process;
use std::time::{Duration, Instant};

use crate::error::{Result, Stage};
use crate::net::buffer::Buffer;
use crate::net::conn::Conn;
use crate::net::deadline::Deadline;
use crate::net::pool::table::{BoxedConn, Evicted, HostId, IdleConn, Slot};
use crate::net::pool::{Checkout, Pool};
use crate::net::sync::{Arc, ThreadMark};
use crate::observe::{self, Event, EventIds};
use crate::reuse::{CloseReason, KeepAlive};

/// Stands for "never": 30 years.
pub(super) const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// How long before the server's announced timeout a connection expires, so that no request is on its way
/// to a server that is just closing.
const EXPIRE_BEFORE_SERVER: Duration = Duration::from_secs(1);

/// How long a server is taken to wait for the first request on a connection. HAProxy waits 10 s, nginx 60 s,
/// and a connection expires a second before.
const UNUSED_SECS_MAX: u64 = 6;

impl Pool {
    /// Leases the most recently used idle connection of that origin that passes its probe, those that this
    /// thread has just used first; else the one that `open` returns.
    pub(crate) fn acquire(
        self: &Arc<Pool>,
        checkout: Checkout<'_>,
        open: impl FnOnce(Deadline) -> Result<BoxedConn>,
    ) -> Result<Lease> {
        let (mut lease, now) = self.acquire_slot(&checkout).map_err(|error| error.at(Stage::Pool))?;
        while let Slot::Connected(conn) = &mut lease.slot {
            match conn.probe(now, self.limits.probe_after) {
                Ok(()) => {
                    conn.begin(checkout.limits, checkout.ids, now);
                    if self.observers.list.is_some() {
                        let (peer, nth, ids) = (conn.peer(), conn.exchanges, conn.ids);
                        self.observers.report(|| Event::Reused { peer, nth, ids });
                    }
                    return Ok(lease);
                }
                Err(reason) => lease.replace(reason, now, checkout.ids),
            }
        }
        let mut conn = open(checkout.deadline())?;
        let mut table = self.table.lock();
        table.stats.opened += 1;
        conn.buffer = table.spare_buffer(&self.limits);
        drop(table);
        // An observer of the connect may have taken its time.
        let begun = if self.observers.list.is_some() { Instant::now() } else { conn.opened.at };
        conn.begin(checkout.limits, checkout.ids, begun);
        lease.slot = Slot::Connected(conn);
        Ok(lease)
    }

    /// Takes a slot for that origin, with an idle connection in it or without one; waits for it where
    /// `max_connections_per_host` is reached. Returns the time, too.
    pub(super) fn acquire_slot(self: &Arc<Pool>, checkout: &Checkout<'_>) -> Result<(Lease, Instant)> {
        let mut evicted = Evicted::new();
        let mut table = self.table.lock();
        table.expire(checkout.now, &mut evicted);
        let host = table.host_id(checkout.origin);
        let Some(slot) = table.take_slot(host, None, checkout.wanted, checkout.now, &self.limits, &mut evicted) else {
            return self.wait_for_slot(table, host, evicted, checkout);
        };
        drop(table);
        let lease = Lease { pool: self.clone(), host, slot };
        if !evicted.is_empty() {
            self.close_evicted(evicted, checkout.ids.call);
        }
        Ok((lease, checkout.now))
    }

    /// Returns a connection to the idle list and frees its slot. The caps may evict others, or the
    /// connection itself.
    #[inline]
    fn check_in(&self, host: HostId, mut conn: BoxedConn, buffer: Buffer, keep_alive: KeepAlive) {
        let since = conn.head_read_at.unwrap_or_else(Instant::now);
        let (expires_at, expiry_reason) = self.expiry(&conn, since, keep_alive.timeout_secs.map(Duration::from_secs));
        conn.park(since, keep_alive.unproven);
        let (peer, ids) = (conn.opened.peer, conn.ids);
        let idle = IdleConn { conn, since, expires_at, expiry_reason, released_by: ThreadMark::current() };
        let mut evicted = Evicted::new();
        let mut table = self.table.lock();
        table.keep_buffer(buffer);
        table.insert_idle(host, idle);
        // A waiter takes it without checking expiry, so the check here is against the real clock.
        let now = if table.hosts[host].queue.is_empty() { since } else { Instant::now() };
        table.expire(now, &mut evicted);
        table.enforce_caps(host, &self.limits, &mut evicted);
        let is_kept = evicted.iter().all(|(conn, _)| conn.opened.id != ids.connection);
        if evicted.is_empty() {
            let next = table.free_slot(host, &self.limits);
            drop(table);
            if let Some(next) = next {
                next.wake_up.notify_one();
            }
        } else {
            // Closed before the slot is free, or the cap per host would be exceeded for a moment.
            drop(table);
            let slot = SlotGuard { pool: self, host };
            let closed = Pool::close(evicted);
            drop(slot);
            self.report_closed(closed, ids.call);
        }
        if is_kept && self.observers.list.is_some() {
            self.observers.report(|| Event::Kept { peer, ids });
        }
    }

    /// When a connection that becomes idle at `since` must not be used any more, and why.
    #[inline]
    pub(super) fn expiry(&self, conn: &Conn, since: Instant, server: Option<Duration>) -> (Instant, CloseReason) {
        let mut idle = self.limits.idle_timeout.unwrap_or(NEVER).min(NEVER);
        if let Some(timeout) = server {
            idle = idle.min(match timeout.checked_sub(EXPIRE_BEFORE_SERVER) {
                None | Some(Duration::ZERO) => timeout / 2,
                Some(earlier) => earlier,
            });
        }
        let age = self.limits.age_max.map_or(NEVER, |age| age.saturating_sub(since - conn.opened.at));
        let reason = if age < idle { CloseReason::Aged } else { CloseReason::Idle };
        (since.checked_add(idle.min(age)).unwrap_or(since), reason)
    }
}

/// A connection for one exchange, in a slot of its origin.
pub(crate) struct Lease {
    pub(super) pool: Arc<Pool>,
    pub(super) host: HostId,
    pub(super) slot: Slot,
}

impl Lease {
    /// Gives the connection back for the next exchange, if it is fit for one.
    #[inline]
    pub(crate) fn release(mut self, keep_alive: KeepAlive) {
        let Slot::Connected(conn) = &mut self.slot else { return };
        conn.requests_left = match (conn.requests_left, keep_alive.requests_left) {
            (Some(left), Some(announced)) => Some(announced.min(left.saturating_sub(1))),
            (Some(left), None) => Some(left.saturating_sub(1)),
            (None, announced) => announced,
        };
        let (buffer, state) = conn.finish();
        let age_max = self.pool.limits.age_max;
        let unfit = match state {
            Err(reason) => Some(reason),
            Ok(()) if conn.requests_left == Some(0) => Some(CloseReason::KeepAliveHint),
            Ok(()) if age_max.is_some_and(|age| conn.opened.at.elapsed() >= age) => Some(CloseReason::Aged),
            Ok(()) => None,
        };
        let Slot::Connected(conn) = mem::replace(&mut self.slot, Slot::Released) else { return };
        match unfit {
            Some(reason) => self.close_conn(conn, buffer, reason),
            None => self.pool.check_in(self.host, conn, buffer, keep_alive),
        }
    }

    /// Gives a connection to the pool that has carried nothing.
    pub(crate) fn release_unused(mut self) {
        self.exchanges = 0;
        self.release(KeepAlive { timeout_secs: Some(UNUSED_SECS_MAX), unproven: true, ..KeepAlive::default() });
    }

    /// Closes the connection, for the reason that is given to observers and statistics.
    pub(crate) fn close(mut self, reason: CloseReason) {
        self.close_slot(reason);
    }

    /// Hands the connection out for good.
    pub(crate) fn into_conn(mut self) -> Option<Conn> {
        let Slot::Connected(conn) = mem::replace(&mut self.slot, Slot::Released) else { return None };
        let slot = SlotGuard { pool: &self.pool, host: self.host };
        self.pool.table.lock().stats.closed.add(CloseReason::Upgraded);
        drop(slot);
        self.pool.observers.report(|| Event::Closed {
            peer: conn.peer(),
            reason: CloseReason::Upgraded,
            ids: conn.ids,
        });
        Some(*conn)
    }

    /// Reports an event of the exchange under way.
    #[inline]
    pub(crate) fn report<'a>(&self, event: impl FnOnce(EventIds) -> Event<'a>) {
        self.pool.observers.report(|| event(self.ids));
    }

    /// Returns whether there is an observer to report to.
    pub(crate) fn is_observed(&self) -> bool {
        self.observers().is_some()
    }

    /// Returns those to report to, if there are any.
    pub(crate) fn observers(&self) -> Option<&observe::List> {
        self.pool.observers.list.as_deref()
    }

    /// Returns whether the pool came into this process by fork: then the connection may be the
    /// parent's, too.
    pub(crate) fn is_inherited(&self) -> bool {
        self.pool.process != process::id()
    }

    /// Closes a connection that failed its probe, and takes the next idle one into the same slot.
    fn replace(&mut self, reason: CloseReason, now: Instant, ids: EventIds) {
        let Slot::Connected(mut conn) = mem::replace(&mut self.slot, Slot::Reserved) else { return };
        let (buffer, _) = conn.finish();
        let (peer, connection) = (conn.peer(), conn.opened.id);
        let mut table = self.pool.table.lock();
        table.stats.reused -= 1;
        table.stats.closed.add(reason);
        table.keep_buffer(buffer);
        drop(table);
        drop(conn); // which may be a caller's stream, and is not to be trusted with the lock
        let mut table = self.pool.table.lock();
        self.slot = table.take_newest(self.host, now, &self.pool.limits);
        drop(table);
        self.pool.observers.report(|| Event::Closed { peer, reason, ids: EventIds { connection, ..ids } });
    }

    fn close_slot(&mut self, reason: CloseReason) {
        match mem::replace(&mut self.slot, Slot::Released) {
            Slot::Released => {}
            Slot::Reserved => drop(SlotGuard { pool: &self.pool, host: self.host }),
            Slot::Connected(mut conn) => match conn.finish() {
                (buffer, Err(CloseReason::Cancelled)) => self.close_conn(conn, buffer, CloseReason::Cancelled),
                (buffer, _) => self.close_conn(conn, buffer, reason),
            },
        }
    }

    /// Closes the socket, and frees the slot after that.
    fn close_conn(&self, conn: BoxedConn, buffer: Buffer, reason: CloseReason) {
        let (peer, ids) = (conn.opened.peer, conn.ids);
        let mut table = self.pool.table.lock();
        table.stats.closed.add(reason);
        table.keep_buffer(buffer);
        drop(table);
        let slot = SlotGuard { pool: &self.pool, host: self.host };
        drop(conn);
        drop(slot);
        self.pool.observers.report(|| Event::Closed { peer, reason, ids });
    }
}

impl Deref for Lease {
    type Target = Conn;
    #[inline]
    fn deref(&self) -> &Conn {
        match &self.slot {
            Slot::Connected(conn) => conn,
            Slot::Reserved | Slot::Released => {
                unreachable!("a lease leaves this file with a connection, and ends by value")
            }
        }
    }
}

impl DerefMut for Lease {
    #[inline]
    fn deref_mut(&mut self) -> &mut Conn {
        match &mut self.slot {
            Slot::Connected(conn) => conn,
            Slot::Reserved | Slot::Released => {
                unreachable!("a lease leaves this file with a connection, and ends by value")
            }
        }
    }
}

impl Drop for Lease {
    /// Closes the connection, unless it was released.
    fn drop(&mut self) {
        if !matches!(self.slot, Slot::Released) {
            self.close_slot(CloseReason::Failed);
        }
    }
}

/// A slot that becomes free when this is dropped, even if a user-supplied stream panics when it is
/// closed.
struct SlotGuard<'a> {
    pool: &'a Pool,
    host: HostId,
}

impl Drop for SlotGuard<'_> {
    fn drop(&mut self) {
        let next = self.pool.table.lock().free_slot(self.host, &self.pool.limits);
        if let Some(next) = next {
            next.wake_up.notify_one();
        }
    }
}
