//! The table under the pool's lock: each host with its idle connections, its slots in use, and the
//! threads that wait for a slot.
//!
//! Plain data. Nothing here blocks, opens, closes or reports: what has to be closed is moved to a list
//! that the caller closes once the lock is released. What a connection is used for is not known here.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use crate::net::buffer::Buffer;
use crate::net::conn::Conn;
use crate::net::pool::stats::PoolStats;
use crate::net::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, ThreadMark};
use crate::reuse::CloseReason;

/// Buffers that are kept for the next leases, so that a busy client does not allocate them anew.
pub(super) const SPARE_BUFFERS_MAX: usize = 8;

/// For how long a thread's last connection and its buffer are likely to be in its core's cache. Threads
/// that send one request after the other then do not take them from each other, which costs more than all
/// that is done under the lock.
pub(super) const CACHED_FOR: Duration = Duration::from_millis(1);

/// The caps of a pool, and for how long it keeps idle connections.
#[derive(Clone, Debug)]
pub(crate) struct PoolLimits {
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) idle_per_host_max: usize,
    pub(crate) idle_max: usize,
    /// Slots per host: connections that are idle, in use or being opened.
    pub(crate) per_host_max: Option<usize>,
    pub(crate) age_max: Option<Duration>,
    pub(crate) buffer_size: usize,
    /// A connection that was idle for less is not probed.
    pub(crate) probe_after: Duration,
}

/// Which connections a checkout may be served with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wanted {
    Any,
    /// A new one only.
    Fresh,
}

/// What a lease holds of its host.
pub(super) enum Slot {
    /// The right to one connection, which is not there yet.
    Reserved,
    Connected(BoxedConn),
    /// Nothing any more: the slot was given back.
    Released,
}

/// Boxed once when it is opened, so that a checkout and a check-in move a pointer.
pub(super) type BoxedConn = Box<Conn>;

/// A connection that waits for its next exchange. All that other threads ask of it is here, beside the
/// connection: to look into one that another core has in its cache would take it away from there.
pub(super) struct IdleConn {
    pub(super) conn: BoxedConn,
    /// Since when the server has been waiting for a request, as far as that is known.
    pub(super) since: Instant,
    pub(super) expires_at: Instant,
    pub(super) expiry_reason: CloseReason,
    pub(super) released_by: ThreadMark,
}

/// Idle connections that were taken out, to be closed once the lock is released.
pub(super) type Evicted = Vec<(BoxedConn, CloseReason)>;

/// A host's index in the table.
pub(super) type HostId = usize;

/// A thread that waits for a slot.
#[derive(Default)]
pub(super) struct Waiter {
    /// Notified when the thread is at the front and a slot is free, and when its request is cancelled.
    pub(super) wake_up: Condvar,
}

/// Alone on its cache lines, since each request of each thread changes it.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct SharedTable(Mutex<Table>);

#[derive(Default)]
pub(super) struct Table {
    pub(super) hosts: Vec<Host>,
    /// The hosts' ids, in the order of their origins' hashes.
    pub(super) sorted: Vec<(u64, HostId)>,
    /// The host that was looked up last: the next request is often for the same. It is kept even while
    /// nothing is known of it, so that connections which are not reused do not cost more.
    latest: HostId,
    /// Indices of `hosts` that stand for no host.
    vacant: Vec<HostId>,
    /// When to check which host for expired connections; see expiry.rs.
    pub(super) expirations: BinaryHeap<Reverse<(Instant, HostId)>>,
    /// Each with the thread that used it last.
    pub(super) spare_buffers: Vec<(ThreadMark, Buffer)>,
    pub(super) stats: PoolStats,
}

#[derive(Default)]
pub(super) struct Host {
    origin: Box<str>,
    /// In the order of the time since when they are idle, longest first.
    pub(super) idle: Vec<IdleConn>,
    /// Slots that leases hold.
    pub(super) in_use: usize,
    /// First come, first served.
    pub(super) queue: Vec<Arc<Waiter>>,
    /// When this host is to be checked for expired connections: the time of its entry that counts.
    pub(super) next_check: Option<Instant>,
}

impl SharedTable {
    /// Locks the table. A panic of another thread under the lock cannot have left it half changed, since
    /// no user code is called there.
    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    // ---- Hosts

    /// Returns the id of the host with that origin, which is entered if it is new.
    #[inline(always)]
    pub(super) fn host_id(&mut self, origin: &str) -> HostId {
        if self.hosts.get(self.latest).is_some_and(|host| *host.origin == *origin) {
            return self.latest;
        }
        let hash = hash(origin);
        let id = match self.search(origin, hash) {
            Ok(at) => self.sorted[at].1,
            Err(at) => self.enter(origin, hash, at),
        };
        let before = std::mem::replace(&mut self.latest, id);
        self.forget_if_unused(before);
        id
    }

    /// The host's position in `sorted`, or the one that it would have.
    fn search(&self, origin: &str, hash: u64) -> Result<usize, usize> {
        self.sorted.binary_search_by(|(other, id)| {
            other.cmp(&hash).then_with(|| (*self.hosts[*id].origin).cmp(origin)) // two may have the same
        })
    }

    fn enter(&mut self, origin: &str, hash: u64, at: usize) -> HostId {
        let id = self.vacant.pop().unwrap_or_else(|| {
            self.hosts.push(Host::default());
            self.hosts.len() - 1
        });
        self.hosts[id].origin = origin.into();
        self.sorted.insert(at, (hash, id));
        id
    }

    /// Removes the host if it has neither connections nor waiters, and is not the latest. Its entries in
    /// the heap stay: they are stale.
    pub(super) fn forget_if_unused(&mut self, id: HostId) {
        let Some(host) = self.hosts.get(id).filter(|_| id != self.latest) else { return };
        if host.idle.is_empty() && host.in_use == 0 && host.queue.is_empty() {
            if let Ok(at) = self.search(&host.origin, hash(&host.origin)) {
                self.sorted.remove(at);
                self.hosts[id] = Host::default();
                self.vacant.push(id);
            }
        }
    }

    // ---- Slots

    /// Takes a slot of the host: with the newest idle connection in it if that will do, else without
    /// one. `None` if all slots are in use, or other waiters come before `waiter`.
    #[inline]
    pub(super) fn take_slot(
        &mut self,
        id: HostId,
        waiter: Option<&Arc<Waiter>>,
        wanted: Wanted,
        now: Instant,
        limits: &PoolLimits,
        evicted: &mut Evicted,
    ) -> Option<Slot> {
        let host = &mut self.hosts[id];
        let front = host.queue.first().map(Arc::as_ptr);
        if front.is_some() && front != waiter.map(Arc::as_ptr) {
            return None;
        }
        let mut slot = Slot::Reserved;
        if wanted == Wanted::Any && !host.idle.is_empty() {
            slot = self.take_newest(id, now, limits);
        } else if !host.has_room(limits) {
            if host.idle.is_empty() {
                return None;
            }
            let oldest = host.idle.remove(0); // a fresh connection needs its slot
            self.evict(oldest.conn, CloseReason::PoolFull, evicted);
        }
        self.hosts[id].in_use += 1;
        self.stats.in_use += 1;
        Some(slot)
    }

    /// Moves the newest idle connection, if there is one, to a slot that its caller holds already; a
    /// buffer is attached to it. One that this thread has just released comes before a newer one.
    #[inline(always)]
    pub(super) fn take_newest(&mut self, id: HostId, now: Instant, limits: &PoolLimits) -> Slot {
        let Some(mut conn) = self.hosts[id].pop_newest(now) else { return Slot::Reserved };
        self.stats.idle -= 1;
        self.stats.reused += 1;
        conn.buffer = self.spare_buffer(limits);
        Slot::Connected(conn)
    }

    /// Frees a slot. Returns the waiter that is to be notified of it.
    #[inline]
    pub(super) fn free_slot(&mut self, id: HostId, limits: &PoolLimits) -> Option<Arc<Waiter>> {
        let host = &mut self.hosts[id];
        host.in_use -= 1;
        self.stats.in_use -= 1;
        match host.queue.first() {
            Some(_) => self.next_waiter(id, limits),
            None if host.idle.is_empty() => {
                self.forget_if_unused(id);
                None
            }
            None => None,
        }
    }

    // ---- Idle connections

    /// Puts a connection among the idle ones of its host.
    #[inline]
    pub(super) fn insert_idle(&mut self, id: HostId, idle: IdleConn) {
        let IdleConn { since, expires_at, .. } = idle;
        let host = &mut self.hosts[id];
        let at = host.idle.iter().rposition(|other| other.since <= since).map_or(0, |at| at + 1);
        if host.idle.capacity() == 0 {
            host.idle.reserve_exact(1); // many hosts never have more
        }
        host.idle.insert(at, idle);
        self.stats.idle += 1;
        if host.next_check.is_none_or(|when| expires_at < when) {
            self.schedule(id, expires_at);
        }
    }

    /// Takes out the idle connections that have expired by `now`.
    #[inline]
    pub(super) fn expire(&mut self, now: Instant, evicted: &mut Evicted) {
        if self.expirations.peek().is_some_and(|Reverse((when, _))| *when <= now) {
            self.expire_due(now, evicted);
        }
    }

    /// Takes out the idle connections that are over the caps, the newest one last. None while threads
    /// wait for a slot of the host, since they will take them at once.
    #[inline]
    pub(super) fn enforce_caps(&mut self, id: HostId, limits: &PoolLimits, evicted: &mut Evicted) {
        if !self.hosts[id].queue.is_empty() {
            return;
        }
        while self.hosts[id].idle.len() > limits.idle_per_host_max {
            let oldest = self.hosts[id].idle.remove(0);
            self.evict(oldest.conn, CloseReason::PoolFull, evicted);
        }
        while self.stats.idle > limits.idle_max && self.evict_next_to_expire(evicted) {}
    }

    /// Takes out all idle connections.
    pub(super) fn clear(&mut self, evicted: &mut Evicted) {
        for id in 0..self.hosts.len() {
            for idle in std::mem::take(&mut self.hosts[id].idle) {
                self.evict(idle.conn, CloseReason::Cleared, evicted);
            }
            self.hosts[id].next_check = None;
            self.forget_if_unused(id);
        }
        self.expirations.clear();
        self.spare_buffers.clear();
    }

    /// Counts a connection that is not idle any more, and puts it on the list to be closed.
    pub(super) fn evict(&mut self, conn: BoxedConn, reason: CloseReason, evicted: &mut Evicted) {
        self.stats.idle -= 1;
        self.stats.closed.add(reason);
        evicted.push((conn, reason));
    }

    // ---- Waiters

    pub(super) fn enqueue(&mut self, id: HostId) -> Arc<Waiter> {
        let waiter = Arc::new(Waiter::default());
        self.stats.waiting += 1;
        self.hosts[id].queue.push(waiter.clone());
        waiter
    }

    pub(super) fn leave_queue(&mut self, id: HostId, waiter: &Arc<Waiter>) {
        self.stats.waiting -= 1;
        let queue = &mut self.hosts[id].queue;
        if let Some(at) = queue.iter().position(|other| Arc::ptr_eq(other, waiter)) {
            queue.remove(at); // usually the front
        }
        self.forget_if_unused(id);
    }

    /// The front of the host's queue, if a slot is free for it.
    pub(super) fn next_waiter(&self, id: HostId, limits: &PoolLimits) -> Option<Arc<Waiter>> {
        let host = &self.hosts[id];
        let front = host.queue.first()?;
        let is_free = !host.idle.is_empty() || host.has_room(limits);
        is_free.then(|| front.clone())
    }

    // ---- Buffers

    /// A spare buffer, this thread's last one if it is there; else a new one.
    #[inline]
    pub(super) fn spare_buffer(&mut self, limits: &PoolLimits) -> Buffer {
        let current = ThreadMark::current();
        let own = self.spare_buffers.iter().rposition(|(mark, _)| *mark == current);
        match own.or(self.spare_buffers.len().checked_sub(1)) {
            Some(at) => self.spare_buffers.swap_remove(at).1,
            None => Buffer::new(limits.buffer_size),
        }
    }

    #[inline(always)]
    pub(super) fn keep_buffer(&mut self, mut buffer: Buffer) {
        buffer.clear();
        if self.spare_buffers.len() < SPARE_BUFFERS_MAX {
            self.spare_buffers.push((ThreadMark::current(), buffer));
        }
    }
}

impl Host {
    /// Takes the newest idle connection out, but rather the newest of this thread's that has been idle for
    /// less than [`CACHED_FOR`].
    #[inline]
    fn pop_newest(&mut self, now: Instant) -> Option<BoxedConn> {
        let current = ThreadMark::current();
        let is_cached = |idle: &&IdleConn| now.saturating_duration_since(idle.since) < CACHED_FOR;
        let own = match self.idle.last()?.released_by == current {
            true => Some(0),
            false => self.idle.iter().rev().take_while(is_cached).position(|idle| idle.released_by == current),
        };
        let at = self.idle.len() - 1 - own.unwrap_or(0);
        Some(self.idle.remove(at).conn)
    }

    /// Returns whether one more connection may be opened.
    fn has_room(&self, limits: &PoolLimits) -> bool {
        limits.per_host_max.is_none_or(|max| self.in_use + self.idle.len() < max)
    }
}

/// FNV-1a. Collisions degrade to a comparison of strings in a sorted list, so that chosen origins (HashDoS)
/// slow nothing down.
pub(super) fn hash(origin: &str) -> u64 {
    origin.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
