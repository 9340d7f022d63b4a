//! Reading response heads off a connection: interim heads are skipped, the final one counts
//! (RFC 9110 §15.2).

use std::time::Instant;

use crate::client::settings::Settings;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::net::conn::Room;
use crate::net::deadline::Deadline;
use crate::net::pool::lease::Lease;
use crate::observe::{Event, EventIds};
use crate::status::StatusCode;
use crate::wire::response_head::{Head, HeadParser};

/// Reads the response to one request.
pub(crate) struct ResponseReader<'a> {
    settings: &'a Settings,
    /// The request asked for an upgrade, so 101 is a final answer to it.
    upgrade_requested: bool,
    parser: HeadParser,
    /// A byte of a response was received.
    pub(crate) has_begun: bool,
    /// 100 (Continue) was received.
    continue_received: bool,
    /// When the first bytes of a head had come whose rest is still missing.
    partial_since: Option<Instant>,
    /// The final head, once it was received.
    pub(crate) head: Option<Head>,
}

impl<'a> ResponseReader<'a> {
    #[inline]
    pub(crate) fn new(settings: &'a Settings, upgrade_requested: bool) -> ResponseReader<'a> {
        ResponseReader {
            settings,
            upgrade_requested,
            parser: HeadParser::new(settings.head_limits, settings.invalid_lines),
            has_begun: false,
            continue_received: false,
            partial_since: None,
            head: None,
        }
    }

    /// Reads the final head, waited for from `now` on.
    #[inline]
    pub(crate) fn read_head(&mut self, lease: &mut Lease, now: Instant) -> Result<Head> {
        let header_deadline = Deadline::of("header_timeout", self.settings.header_timeout, now);
        let mut now = Some(now);
        loop {
            self.parse_buffered(lease)?;
            match self.head.take() {
                Some(head) => return Ok(head),
                None => self.fill(lease, header_deadline, now.take().unwrap_or_else(Instant::now))?,
            }
        }
    }

    /// Waits for 100 (Continue), for as long as `patience` allows (RFC 9110 §10.1.1). Returns whether the
    /// body may be sent; if not, the final head came instead. It may also have come after the 100.
    pub(crate) fn await_continue(&mut self, lease: &mut Lease, patience: Deadline) -> Result<bool> {
        loop {
            if self.parse_buffered(lease)? || self.continue_received {
                return Ok(self.continue_received);
            }
            match self.fill(lease, patience, Instant::now()) {
                Ok(()) => {}
                // A server may be silent until it has the body.
                Err(error) if error.is_timeout() && !lease.limits.deadline.has_passed() => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the final head if it has arrived, without waiting. An error if it cannot come any more.
    pub(crate) fn poll(&mut self, lease: &mut Lease) -> Result<Option<&Head>> {
        while !self.parse_buffered(lease)? {
            match lease.try_read(Room::Buffer)? {
                Some(0) => return Err(self.ended(lease)),
                Some(_) => {}
                None => break,
            }
        }
        Ok(self.head.as_ref())
    }

    /// Parses what has arrived, and skips interim heads. Returns whether the final head is there.
    #[inline]
    fn parse_buffered(&mut self, lease: &mut Lease) -> Result<bool> {
        while self.head.is_none() && !lease.buffer.bytes().is_empty() {
            self.has_begun = true;
            self.head = self.parser.parse(lease.buffer.bytes()).map_err(|error| error.at(Stage::Head))?;
            let Some(head) = &self.head else {
                self.partial_since.get_or_insert_with(Instant::now);
                break;
            };
            lease.buffer.consume(head.bytes);
            if head.is_interim() {
                self.skip_interim(lease);
                continue;
            }
            report_head(lease, head, |text, ids| Event::ResponseHead { text, ids });
            if head.status == StatusCode::SWITCHING_PROTOCOLS && !self.upgrade_requested {
                return Err(malformed("a 101 that was not requested"));
            }
        }
        Ok(self.head.is_some())
    }

    /// Skips the interim head that was read.
    #[cold]
    fn skip_interim(&mut self, lease: &Lease) {
        let Some(head) = self.head.take() else { return };
        self.partial_since = None;
        self.continue_received |= head.status == StatusCode::CONTINUE;
        report_head(lease, &head, |text, ids| Event::InterimHead { text, ids });
    }

    /// Reads more of a head.
    #[inline]
    fn fill(&mut self, lease: &mut Lease, until: Deadline, now: Instant) -> Result<()> {
        let until = match self.partial_since {
            Some(begun) => until.or_sooner(Deadline::of("read_timeout", lease.limits.read_timeout, begun)),
            None => until,
        };
        let count = lease.read(Room::Buffer, &until, now).map_err(|error| error.at(stage(lease)))?;
        if count > 0 {
            return Ok(());
        }
        Err(self.ended(lease))
    }

    /// The connection has ended before the final head.
    fn ended(&self, lease: &Lease) -> Error {
        self.parser.eof(lease.buffer.bytes()).at(stage(lease))
    }
}

/// The stage of a head that is not complete.
fn stage(lease: &Lease) -> Stage {
    if lease.buffer.bytes().is_empty() { Stage::Wait } else { Stage::Head }
}

fn malformed(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Head, what).at(Stage::Head)
}

/// Reports a head, with its secrets replaced.
#[inline]
fn report_head(lease: &Lease, head: &Head, event: impl for<'t> FnOnce(&'t str, EventIds) -> Event<'t>) {
    let Some(observers) = lease.observers() else { return };
    let text = (observers.head_text)(head.raw(), &|_| false);
    lease.report(|ids| event(&text, ids));
}
