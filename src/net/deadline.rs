//! Points in time at which a wait ends, each with the name of the setting that it comes from. How a wait is
//! ended is not known here.

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};

/// A point in time at which a wait ends, or none.
///
/// A time that the system's clock cannot represent is none.
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
    /// Returns the deadline that never passes.
    pub const fn none() -> Deadline {
        Deadline::NONE
    }

    pub(crate) const NONE: Deadline = Deadline { at: None, setting: "", span: Duration::ZERO };

    /// Returns the deadline that passes after `span`, counted from now.
    pub fn after(span: Duration) -> Deadline {
        Deadline::of("timeout", Some(span), Instant::now())
    }

    /// The deadline that comes from the setting of that name, counted from `now`.
    #[inline]
    pub(crate) fn of(setting: &'static str, span: Option<Duration>, now: Instant) -> Deadline {
        match span {
            Some(span) => Deadline { at: now.checked_add(span), setting, span },
            None => Deadline::NONE,
        }
    }

    /// Returns the time until it passes: `None` if it never does, zero if it has passed.
    #[inline]
    pub fn remaining(&self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    #[inline]
    pub(crate) fn remaining_at(&self, now: Instant) -> Option<Duration> {
        Some(self.at?.saturating_duration_since(now))
    }

    /// The end of the first of `parts` equal parts of the time that is left.
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

    /// The earlier of the two.
    #[inline]
    pub(crate) fn or_sooner(self, other: Deadline) -> Deadline {
        match (self.at, other.at) {
            (Some(a), Some(b)) if b < a => other,
            (None, Some(_)) => other,
            _ => self,
        }
    }

    /// The error of a wait that it has ended; `what` names what was waited for.
    pub(crate) fn error(&self, what: &str) -> Error {
        let span = in_one_unit(self.span);
        Error::new(ErrorKind::Timeout, format!("{what}: {} of {span} passed", self.setting))
    }
}

/// Returns `span` in the largest unit of which it is a whole number. (`Duration`'s Debug prints fractions,
/// with more code than all of this module.)
pub(crate) fn in_one_unit(span: Duration) -> String {
    let (count, unit) = match span.subsec_nanos() {
        0 => (span.as_secs(), "s"),
        nanos if nanos % 1_000_000 == 0 => (span.as_millis() as u64, "ms"),
        _ => (span.as_nanos() as u64, "ns"),
    };
    format!("{count}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_one_names_its_setting() {
        let now = Instant::now();
        let soon = Deadline::of("read_timeout", Some(Duration::from_secs(1)), now);
        let late = Deadline::of("timeout", Some(Duration::from_secs(9)), now);
        for deadline in [soon.or_sooner(late), late.or_sooner(soon), Deadline::none().or_sooner(soon)] {
            assert_eq!(deadline.error("x").to_string(), "x: read_timeout of 1s passed");
        }
    }

    #[test]
    fn a_span_is_given_in_the_largest_unit_without_a_fraction() {
        for (nanos, want) in [(90_000_000_000, "90s"), (1_500_000_000, "1500ms"), (1_000_001, "1000001ns")] {
            let error = Deadline::after(Duration::from_nanos(nanos)).error("x");
            assert_eq!(error.to_string(), format!("x: timeout of {want} passed"));
        }
    }

    #[test]
    fn a_time_that_overflows_the_clock_is_no_limit() {
        assert_eq!(Deadline::after(Duration::MAX).remaining(), None);
    }
}
