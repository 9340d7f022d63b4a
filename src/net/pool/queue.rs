//! Waiting for a slot, where `max_connections_per_host` is reached: first come, first served.
//!
//! # Why no wake-up is lost
//!
//! Each host has a queue of waiters, and each waiter has a condition variable of its own. A slot that
//! becomes free notifies the front of its host's queue and no other, so that it costs one wake-up however
//! many threads wait. Four rules ensure that no slot stays free while a thread waits for it:
//!
//! 1. A notification is a hint. A thread that wakes up, for whatever reason, takes the lock and checks for
//!    itself whether it is at the front and a slot is free; between the check and the wait the lock is
//!    not released.
//! 2. While a queue is not empty, only its front can take a slot; a new checkout queues up. So a slot
//!    that the front was notified of cannot be taken by a thread that came later.
//! 3. A thread that leaves the queue, served, too late, cancelled or by a panic, may have been notified
//!    of a slot that it does not use, and only the front is ever notified. Therefore a thread that leaves
//!    notifies the new front if a slot is free for it, in the destructor of [`QueueTicket`].
//! 4. A cancel notifies its thread with the lock taken before: otherwise it could come between the
//!    thread's check of the token and its wait, and be missed.

use std::time::{Duration, Instant};

use crate::error::Result;
use crate::net::cancel::CancelToken;
use crate::net::pool::lease::Lease;
use crate::net::pool::table::{Evicted, HostId, Table, Waiter};
use crate::net::pool::{Checkout, Pool};
use crate::net::sync::{self, Arc, MutexGuard};

impl Pool {
    /// Waits for a slot of that host in line with other threads. `evicted` is closed first.
    pub(super) fn wait_for_slot(
        self: &Arc<Pool>,
        mut table: MutexGuard<'_, Table>,
        host: HostId,
        evicted: Evicted,
        checkout: &Checkout<'_>,
    ) -> Result<(Lease, Instant)> {
        let waiter = table.enqueue(host);
        drop(table);
        let ticket = QueueTicket { pool: self, host, waiter, call: checkout.ids.call };
        self.close_evicted(evicted, checkout.ids.call);
        Ok((self.wait_in_line(&ticket, checkout)?, Instant::now()))
    }

    fn wait_in_line(self: &Arc<Pool>, ticket: &QueueTicket<'_>, checkout: &Checkout<'_>) -> Result<Lease> {
        // Registered before the pool's lock is taken: a cancel takes the token's lock first, then this.
        let _registration = checkout.limits.token.as_ref().map(|token| {
            let (pool, waiter) = (self.clone(), ticket.waiter.clone());
            token.register(Box::new(move || {
                drop(pool.table.lock());
                waiter.wake_up.notify_one();
            }))
        });
        let deadline = checkout.deadline();
        let mut evicted = Evicted::new();
        let mut table = self.table.lock();
        let slot = loop {
            if let Some(Err(cancelled)) = checkout.limits.token.as_ref().map(CancelToken::check) {
                break Err(cancelled);
            }
            let Checkout { wanted, now, .. } = *checkout;
            let waiter = Some(&ticket.waiter);
            if let Some(slot) = table.take_slot(ticket.host, waiter, wanted, now, &self.limits, &mut evicted) {
                break Ok(slot);
            }
            let left = deadline.remaining();
            if left == Some(Duration::ZERO) {
                break Err(deadline.error("waiting for a free connection"));
            }
            table = sync::wait(&ticket.waiter.wake_up, table, left);
        };
        drop(table);
        let lease = slot.map(|slot| Lease { pool: self.clone(), host: ticket.host, slot });
        self.close_evicted(evicted, checkout.ids.call);
        lease
    }
}

/// A thread's stay in the queue, which ends when this is dropped.
pub(super) struct QueueTicket<'a> {
    pub(super) pool: &'a Pool,
    pub(super) host: HostId,
    pub(super) waiter: Arc<Waiter>,
    pub(super) call: u64,
}

impl Drop for QueueTicket<'_> {
    /// Passes on what the thread may have been notified of. Connections that were kept for it alone may
    /// be over the caps now.
    fn drop(&mut self) {
        let mut evicted = Evicted::new();
        let mut table = self.pool.table.lock();
        table.leave_queue(self.host, &self.waiter);
        table.enforce_caps(self.host, &self.pool.limits, &mut evicted);
        let next = table.next_waiter(self.host, &self.pool.limits);
        drop(table);
        if let Some(next) = next {
            next.wake_up.notify_one();
        }
        self.pool.close_evicted(evicted, self.call);
    }
}
