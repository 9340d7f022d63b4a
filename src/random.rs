//! Random numbers that nobody foresees, from std alone.
//!
//! std keys its hash maps with 128 bits from the system (on Linux by `getrandom`, without waiting for
//! entropy), and nobody who lacks the key foresees a hash; each new key is another one. They are not for
//! secrets.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Returns 64 random bits.
pub(crate) fn bits() -> u64 {
    RandomState::new().hash_one(0)
}

/// Returns a time between the two, each as likely as any other to the nanosecond; `low` if it is not the
/// lower one.
pub(crate) fn between(low: Duration, high: Duration) -> Duration {
    let span = u64::try_from(high.saturating_sub(low).as_nanos()).unwrap_or(u64::MAX);
    // The upper half of the product is below or at the span.
    let part = (u128::from(bits()) * (u128::from(span) + 1)) >> 64;
    low.saturating_add(Duration::from_nanos(part as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_lie_in_their_span_and_fill_it() {
        let (low, high) = (Duration::from_nanos(10), Duration::from_nanos(13));
        let mut seen = [false; 4];
        for _ in 0..10_000 {
            let drawn = between(low, high);
            assert!(low <= drawn && drawn <= high, "{drawn:?}");
            seen[drawn.as_nanos() as usize - 10] = true;
        }
        assert_eq!(seen, [true; 4], "10,000 draws miss one of four by chance in 4 · 0.75^10000");
    }

    #[test]
    fn a_span_of_nothing_and_one_of_everything_are_drawn_from() {
        let second = Duration::from_secs(1);
        assert_eq!(between(second, second), second);
        assert_eq!(between(second, Duration::ZERO), second);
        assert!(between(second, Duration::MAX) >= second);
        assert_ne!(bits(), bits());
    }
}
