//! The lowest speed at which a peer may send a body: the guard against slow drips, which a read timeout
//! does not notice.

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};
use crate::net::deadline::Deadline;

/// The least number of bytes in a period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MinSpeed {
    pub(crate) bytes: u64,
    pub(crate) per: Duration,
}

impl MinSpeed {
    /// Checks the setting. 0 bytes are no limit.
    pub(crate) fn checked(bytes: u64, per: Duration) -> Result<Option<MinSpeed>, Error> {
        match (bytes, per) {
            (0, _) => Ok(None),
            (_, Duration::ZERO) => {
                let what = "min_speed: the period is zero";
                Err(Error::new(ErrorKind::InvalidRequest, what))
            }
            (bytes, per) => Ok(Some(MinSpeed { bytes, per })),
        }
    }
}

/// Enforces a [`MinSpeed`]. Only the time that a read waits counts, so a caller may take any time between
/// reads.
#[derive(Debug)]
pub(crate) struct SpeedMeter {
    min: MinSpeed,
    /// Of the period under way, as is `received`.
    waited: Duration,
    received: u64,
}

impl SpeedMeter {
    pub(crate) fn new(min: MinSpeed) -> SpeedMeter {
        SpeedMeter { min, waited: Duration::ZERO, received: 0 }
    }

    /// Returns when a read that begins at `now` must have received what the period lacks.
    pub(crate) fn deadline(&self, now: Instant) -> Deadline {
        Deadline::of("min_speed", Some(self.min.per.saturating_sub(self.waited)), now)
    }

    /// Adds the time that a read has waited.
    pub(crate) fn add_wait(&mut self, waited: Duration) {
        self.waited += waited;
    }

    /// Adds bytes of content; enough of them begin a new period.
    pub(crate) fn add_content(&mut self, count: usize) {
        self.received += count as u64;
        if self.received >= self.min.bytes {
            (self.waited, self.received) = (Duration::ZERO, 0);
        }
    }

    /// Fails if too little was received in the period.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.waited < self.min.per {
            return Ok(());
        }
        let MinSpeed { bytes, per } = self.min;
        let what =
            format!("reading from the server: {} bytes in {per:?}, fewer than {bytes} (min_speed)", self.received);
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
    fn enough_in_time_begins_a_new_period() {
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
    fn too_little_in_the_time_is_an_error_that_says_how_much() {
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
