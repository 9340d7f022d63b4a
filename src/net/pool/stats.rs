//! What a pool counts: the numbers of now, and totals since the client was built.

use std::fmt;

use crate::reuse::CloseReason;

/// A snapshot of a client's connection pool: counts of now, and totals since the client was built.
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
    /// Threads that wait for a free connection, where `max_connections_per_host` is reached.
    pub waiting: usize,
    /// Connections opened so far. A connection whose TLS handshake failed is counted.
    pub opened: u64,
    /// Exchanges so far that began on a connection from the pool.
    pub reused: u64,
    /// Connections closed so far, by reason.
    pub closed: CloseCounts,
}

/// The number of connections that were closed, by reason.
///
/// ```
/// for (reason, count) in longwire::Client::new().pool_stats().closed.iter() {
///     println!("{count} because {reason}");
/// }
/// ```
#[derive(Clone, Default)]
pub struct CloseCounts([u64; CloseReason::ALL.len()]);

impl CloseCounts {
    /// Returns how many connections were closed for this reason.
    pub fn get(&self, reason: CloseReason) -> u64 {
        self.0[reason as usize]
    }

    /// Returns how many connections were closed.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Returns the reasons that occurred, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (CloseReason, u64)> {
        let all = CloseReason::ALL.iter().map(|reason| (*reason, self.get(*reason)));
        all.filter(|(_, count)| *count > 0)
    }

    pub(super) fn add(&mut self, reason: CloseReason) {
        self.0[reason as usize] += 1;
    }
}

impl fmt::Debug for CloseCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
