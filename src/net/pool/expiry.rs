//! Expiry: which idle connections have been kept for long enough, found without a scan of the pool.
//!
//! No thread watches the clock. Each checkout, check-in and query of the statistics first takes out what has
//! expired, under the table's lock, and closes it once the lock is released.
//!
//! # The heap
//!
//! The connections of one host expire in any order, since each server announces its own timeout, and a
//! pool may hold many hosts. So `Table::expirations`, a heap with the earliest time at its top, has an
//! entry `(time, host)` for each host with idle connections: at that time the host is to be checked. The
//! time is never later than the first of its connections expires. It may be earlier, because a
//! connection that is taken out leaves the heap as it is: then the check finds nothing, and the host is
//! scheduled anew. In a loop of requests to one host that happens once per idle timeout; all other requests
//! leave the heap alone.
//!
//! # Stale entries
//!
//! Nothing can be removed from the middle of a heap. A host that must be checked earlier than it is
//! scheduled for gets another entry, and `Host::next_check` says which of them counts: the one with the
//! same time. The others are stale, and dropped when they come to the top. The id of a host that is
//! forgotten is given to another; the entries of the first are stale for the second, unless the times
//! are the same, and then that entry is right for it.
//!
//! # Compaction
//!
//! Stale entries far in the future would pile up. When the heap has more than two entries per host and
//! [`STALE_MAX`] more, all stale ones are removed at once. What is left is at most one per host, so at
//! least half as many must be added before the next compaction as this one has gone through: an entry's
//! share of the cost is that of a few pushes.

use std::cmp::Reverse;
use std::time::Instant;

use crate::net::pool::table::{Evicted, Host, HostId, IdleConn, Table};
use crate::reuse::CloseReason;

/// Stale entries that the heap may have, beyond one per host, before it is compacted.
pub(super) const STALE_MAX: usize = 64;

impl Table {
    /// Schedules a check of the host at `when`, which is earlier than any that is scheduled.
    pub(super) fn schedule(&mut self, id: HostId, when: Instant) {
        self.hosts[id].next_check = Some(when);
        self.expirations.push(Reverse((when, id)));
        if self.expirations.len() > 2 * self.hosts.len() + STALE_MAX {
            self.expirations.clear();
            let checks = self.hosts.iter().enumerate().filter_map(|(id, host)| Some(Reverse((host.next_check?, id))));
            checks.for_each(|check| self.expirations.push(check)); // `extend` is code that nothing else needs
        }
    }

    /// Takes out the idle connections that have expired by `now`, of all hosts whose check is due.
    pub(super) fn expire_due(&mut self, now: Instant, evicted: &mut Evicted) {
        while let Some(id) = self.pop_due(Some(now)) {
            for idle in self.hosts[id].take_expired(now) {
                self.evict(idle.conn, idle.expiry_reason, evicted);
            }
            self.reschedule(id);
        }
    }

    /// Takes out the idle connection, of whatever host, that would expire first. Returns whether there
    /// was one.
    pub(super) fn evict_next_to_expire(&mut self, evicted: &mut Evicted) -> bool {
        while let Some(id) = self.pop_due(None) {
            let next = self.expirations.peek().map(|Reverse((when, _))| *when);
            match self.hosts[id].next_to_expire() {
                // The host was not scheduled too early, so that no other host has an earlier one.
                Some((at, when)) if next.is_none_or(|next| when <= next) => {
                    let idle = self.hosts[id].idle.remove(at);
                    self.evict(idle.conn, CloseReason::PoolFull, evicted);
                    self.reschedule(id);
                    return true;
                }
                _ => self.reschedule(id),
            }
        }
        false
    }

    /// Pops the earliest entry that counts, if it is due by `now`.
    pub(super) fn pop_due(&mut self, now: Option<Instant>) -> Option<HostId> {
        loop {
            let Reverse((when, id)) = *self.expirations.peek()?;
            if now.is_some_and(|now| when > now) {
                return None;
            }
            self.expirations.pop();
            if self.hosts[id].next_check == Some(when) {
                self.hosts[id].next_check = None;
                return Some(id);
            }
        }
    }

    /// Schedules the next check of a host that has just been checked.
    fn reschedule(&mut self, id: HostId) {
        match self.hosts[id].next_to_expire() {
            Some((_, when)) => self.schedule(id, when),
            None => self.forget_if_unused(id),
        }
    }
}

impl Host {
    /// The idle connection that expires first, and when.
    fn next_to_expire(&self) -> Option<(usize, Instant)> {
        let expirations = self.idle.iter().map(|idle| idle.expires_at);
        expirations.enumerate().min_by_key(|(_, when)| *when)
    }

    fn take_expired(&mut self, now: Instant) -> Vec<IdleConn> {
        let (expired, rest) = self.idle.drain(..).partition(|idle| idle.expires_at <= now);
        self.idle = rest;
        expired
    }
}
