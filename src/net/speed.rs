//! The slowest that a peer may send a body: the guard against drips, which no limit of silence sees.

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};
use crate::net::deadline::{self, Deadline};

/// So many bytes in so much time, at least.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MinSpeed {
    pub(crate) bytes: u64,
    pub(crate) per: Duration,
}

impl MinSpeed {
    /// None at all for 0 bytes.
    pub(crate) fn checked(bytes: u64, per: Duration) -> Result<Option<MinSpeed>, Error> {
        match (bytes, per) {
            (0, _) => Ok(None),
            (_, Duration::ZERO) => {
                let what = "min_speed in no time: nothing could ever come in it";
                Err(Error::new(ErrorKind::InvalidRequest, what))
            }
            (bytes, per) => Ok(Some(MinSpeed { bytes, per })),
        }
    }
}

/// Holds a body to its [`MinSpeed`]. Only the time that a read waits counts, so a caller may take as
/// long as it likes between reads.
#[derive(Debug)]
pub(crate) struct SpeedMeter {
    min: MinSpeed,
    waited: Duration,
    came: u64,
}

impl SpeedMeter {
    pub(crate) fn new(min: MinSpeed) -> SpeedMeter {
        SpeedMeter { min, waited: Duration::ZERO, came: 0 }
    }

    /// When a read that begins now must have brought what is missing.
    pub(crate) fn deadline(&self, now: Instant) -> Deadline {
        Deadline::of("min_speed", Some(self.min.per.saturating_sub(self.waited)), now)
    }

    /// A read waited that long.
    pub(crate) fn add_wait(&mut self, waited: Duration) {
        self.waited += waited;
    }

    /// So many bytes of content have come.
    pub(crate) fn add_content(&mut self, count: usize) {
        self.came += count as u64;
        if self.came >= self.min.bytes {
            (self.waited, self.came) = (Duration::ZERO, 0);
        }
    }

    /// An error if too little came in the time.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.waited < self.min.per {
            return Ok(());
        }
        let MinSpeed { bytes, per } = self.min;
        let (came, per) = (self.came, deadline::in_one_unit(per));
        let what = format!("reading from the server: {came} bytes in {per}, fewer than {bytes} (min_speed)");
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
    fn what_comes_in_time_begins_a_new_span() {
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
