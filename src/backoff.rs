//! Waits between attempts: each twice the one before, up to a limit.
//!
//! What is waited for, and how the wait is spread at random, is not known here.

use std::time::Duration;

/// The waits of one series of attempts.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
    /// Attempts in a row that failed.
    failures: u32,
}

impl Backoff {
    /// Begins with `first`, and never gives more than `max`.
    pub(crate) const fn new(first: Duration, max: Duration) -> Backoff {
        Backoff { first, max, failures: 0 }
    }

    /// Returns the wait after one more failure.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1);
        self.first.saturating_mul(factor).min(self.max)
    }

    /// Begins anew: an attempt has succeeded.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Sets the first wait of the series.
    pub(crate) fn set_first(&mut self, first: Duration) {
        self.first = first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_limit_and_begin_anew() {
        let mut backoff = Backoff::new(Duration::from_secs(3), Duration::from_secs(60));
        let waits: Vec<u64> = (0..40).map(|_| backoff.next_wait().as_secs()).collect();
        assert_eq!(waits[..6], [3, 6, 12, 24, 48, 60]);
        assert!(waits[6..].iter().all(|wait| *wait == 60), "{waits:?}");
        backoff.reset();
        backoff.set_first(Duration::from_secs(1));
        assert_eq!([backoff.next_wait(), backoff.next_wait()].map(|wait| wait.as_secs()), [1, 2]);
    }
}
