//! The slowest that a peer may send a body: the guard against bytes that arrive one by one, each within the
//! read timeout. Where they are read is not known here.

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};
use crate::net::deadline::{self, Deadline};

/// At least `bytes` in each span of `per`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MinSpeed {
    pub(crate) bytes: u64,
    pub(crate) per: Duration,
}

impl MinSpeed {
    /// Returns no minimum for 0 bytes, and an error for no time.
    pub(crate) fn checked(bytes: u64, per: Duration) -> Result<Option<MinSpeed>, Error> {
        match (bytes, per) {
            (0, _) => Ok(None),
            (_, Duration::ZERO) => {
                let what = "min_speed with a time of zero, in which no byte can arrive";
                Err(Error::new(ErrorKind::InvalidRequest, what))
            }
            (bytes, per) => Ok(Some(MinSpeed { bytes, per })),
        }
    }
}

/// Holds a body to its [`MinSpeed`]. Only the time that reads wait counts: a caller may take any time between
/// reads.
#[derive(Debug)]
pub(crate) struct SpeedMeter {
    min: MinSpeed,
    waited: Duration,
    arrived: u64,
}

impl SpeedMeter {
    pub(crate) fn new(min: MinSpeed) -> SpeedMeter {
        SpeedMeter { min, waited: Duration::ZERO, arrived: 0 }
    }

    /// When a read that begins at `now` must have returned the bytes that are missing.
    pub(crate) fn deadline(&self, now: Instant) -> Deadline {
        Deadline::of("min_speed", Some(self.min.per.saturating_sub(self.waited)), now)
    }

    /// Counts the time that a read waited.
    pub(crate) fn add_wait(&mut self, waited: Duration) {
        self.waited += waited;
    }

    /// Counts bytes of content that have arrived; enough of them begin a new span.
    pub(crate) fn add_content(&mut self, count: usize) {
        self.arrived += count as u64;
        if self.arrived >= self.min.bytes {
            (self.waited, self.arrived) = (Duration::ZERO, 0);
        }
    }

    /// An error if a span has passed with too few bytes.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.waited < self.min.per {
            return Ok(());
        }
        let MinSpeed { bytes, per } = self.min;
        let (arrived, per) = (self.arrived, deadline::in_one_unit(per));
        let what = format!("reading from the server: {arrived} bytes in {per}, fewer than {bytes} (min_speed)");
        Err(Error::new(ErrorKind::Timeout, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn meter() -> SpeedMeter {
        SpeedMeter::new(MinSpeed { bytes: 100, per: 10 * SECOND })
    }

    #[test]
    fn enough_bytes_in_time_begin_a_new_span() {
        let mut meter = meter();
        for _ in 0..5 {
            meter.add_wait(9 * SECOND);
            meter.add_content(99);
            assert!(meter.check().is_ok());
            meter.add_wait(SECOND);
            meter.add_content(1);
            assert!(meter.check().is_ok(), "just in time");
        }
        let now = Instant::now();
        assert_eq!(meter.deadline(now).remaining_at(now), Some(10 * SECOND));
    }

    #[test]
    fn too_few_bytes_in_time_are_an_error_that_says_how_many() {
        let mut meter = meter();
        meter.add_wait(9 * SECOND);
        meter.add_content(99);
        let now = Instant::now();
        assert_eq!(meter.deadline(now).remaining_at(now), Some(SECOND));
        meter.add_wait(SECOND);
        let error = meter.check().unwrap_err();
        let want = "reading from the server: 99 bytes in 10s, fewer than 100 (min_speed)";
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Timeout, want));
    }
}
