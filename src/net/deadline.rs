//! Points in time at which waiting ends, each with the name of the setting that it comes from. Knows the
//! clock, and no sockets.

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};

/// A point in time at which an operation gives up, or none: what a [`Connect`](crate::transport::Connect)
/// is given.
///
/// A time that overflows the clock is no limit.
///
/// ```
/// use longwire::transport::Deadline;
/// use std::time::Duration;
///
/// assert_eq!(Deadline::none().remaining(), None);
/// assert!(Deadline::after(Duration::from_secs(5)).remaining() <= Some(Duration::from_secs(5)));
/// assert_eq!(Deadline::after(Duration::ZERO).remaining(), Some(Duration::ZERO));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Option<Instant>,
    setting: &'static str,
    span: Duration,
}

impl Deadline {
    /// Returns a deadline that never passes.
    pub const fn none() -> Deadline {
        Deadline::NONE
    }

    pub(crate) const NONE: Deadline = Deadline { at: None, setting: "", span: Duration::ZERO };

    /// Returns the deadline that passes in `span` from now.
    pub fn after(span: Duration) -> Deadline {
        Deadline::of("timeout", Some(span), Instant::now())
    }

    /// Returns the deadline that the setting of that name makes, counted from `now`.
    #[inline]
    pub(crate) fn of(setting: &'static str, span: Option<Duration>, now: Instant) -> Deadline {
        match span {
            Some(span) => Deadline { at: now.checked_add(span), setting, span },
            None => Deadline::NONE,
        }
    }

    /// Returns the time that is left: `None` without a limit, zero once it has passed.
    #[inline]
    pub fn remaining(&self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    #[inline]
    pub(crate) fn remaining_at(&self, now: Instant) -> Option<Duration> {
        Some(self.at?.saturating_duration_since(now))
    }

    /// Returns the deadline of the first of this number of equal parts of the time that is left.
    pub(crate) fn share(&self, parts: u32) -> Deadline {
        let now = Instant::now();
        match self.remaining_at(now) {
            Some(left) if parts > 1 => Deadline { at: now.checked_add(left / parts), ..*self },
            _ => *self,
        }
    }

    /// Returns whether it has passed.
    pub fn has_passed(&self) -> bool {
        self.at.is_some_and(|at| at <= Instant::now())
    }

    /// Returns the one of the two that passes first.
    #[inline]
    pub(crate) fn or_sooner(self, other: Deadline) -> Deadline {
        match (self.at, other.at) {
            (Some(a), Some(b)) if b < a => other,
            (None, Some(_)) => other,
            _ => self,
        }
    }

    /// Returns the error of an operation, `what`, that it has ended.
    pub(crate) fn error(&self, what: &str) -> Error {
        // In the largest unit of which it is a whole number.
        let (span, unit) = match self.span.subsec_nanos() {
            0 => (self.span.as_secs(), "s"),
            nanos if nanos % 1_000_000 == 0 => (self.span.as_millis() as u64, "ms"),
            _ => (self.span.as_nanos() as u64, "ns"),
        };
        Error::new(ErrorKind::Timeout, format!("{what}: {} of {span}{unit} passed", self.setting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sooner_one_names_itself() {
        let now = Instant::now();
        let soon = Deadline::of("read_timeout", Some(Duration::from_secs(1)), now);
        let late = Deadline::of("timeout", Some(Duration::from_secs(9)), now);
        for deadline in [soon.or_sooner(late), late.or_sooner(soon), Deadline::none().or_sooner(soon)] {
            assert_eq!(deadline.error("x").to_string(), "x: read_timeout of 1s passed");
        }
    }

    #[test]
    fn a_limit_is_named_in_the_largest_unit_that_does() {
        for (nanos, want) in [(90_000_000_000, "90s"), (1_500_000_000, "1500ms"), (1_000_001, "1000001ns")] {
            let error = Deadline::after(Duration::from_nanos(nanos)).error("x");
            assert_eq!(error.to_string(), format!("x: timeout of {want} passed"));
        }
    }

    #[test]
    fn what_overflows_the_clock_is_no_limit() {
        assert_eq!(Deadline::after(Duration::MAX).remaining(), None);
    }
}
