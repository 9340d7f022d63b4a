//! Reading response heads off a connection: interim responses are passed over, the final one is
//! what counts (RFC 9110 §15.2).

use std::time::Instant;

use crate::client::settings::Settings;
use crate::error::{Error, ErrorKind, Result, Stage};
use crate::net::conn::Room;
use crate::net::deadline::Deadline;
use crate::net::pool::Lease;
use crate::observe::{Event, EventIds};
use crate::redact::head_text;
use crate::status::StatusCode;
use crate::wire::head::Head;
use crate::wire::head_parser::HeadParser;

/// The answers to one request.
pub(crate) struct ResponseReader<'a> {
    settings: &'a Settings,
    upgrade_requested: bool,
    parser: HeadParser,
    /// A byte of an answer has come.
    has_begun: bool,
    /// 100 (Continue) has come.
    may_continue: bool,
    /// When the first bytes of a head had come whose rest is still missing.
    partial_since: Option<Instant>,
    /// The final head, once it has come.
    head: Option<Head>,
}

impl<'a> ResponseReader<'a> {
    /// `upgrade_requested`: the request asked for an upgrade, so 101 is an answer to it.
    pub(crate) fn new(settings: &'a Settings, upgrade_requested: bool) -> ResponseReader<'a> {
        ResponseReader {
            settings,
            upgrade_requested,
            parser: HeadParser::new(settings.head_limits, settings.invalid_lines),
            has_begun: false,
            may_continue: false,
            partial_since: None,
            head: None,
        }
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// The final head, if it was met.
    pub(crate) fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The final head, waited for from `now` on.
    #[inline]
    pub(crate) fn read_head(&mut self, conn: &mut Lease, now: Instant) -> Result<Head> {
        loop {
            match self.head.take() {
                Some(head) => return Ok(head),
                None => self.wait(conn, now)?,
            }
        }
    }

    /// Waits for the final head, from `now` on.
    #[inline]
    pub(crate) fn wait(&mut self, conn: &mut Lease, now: Instant) -> Result<()> {
        let header_deadline = Deadline::of("header_timeout", self.settings.header_timeout, now);
        let mut now = Some(now);
        while !self.parse_buffered(conn)? {
            self.fill(conn, header_deadline, now.take().unwrap_or_else(Instant::now))?;
        }
        Ok(())
    }

    /// Waits for 100 (Continue), but not for ever (RFC 9110 §10.1.1). `false`: the final head came
    /// instead. It may also have come behind the 100.
    pub(crate) fn await_continue(&mut self, conn: &mut Lease, patience: Deadline) -> Result<bool> {
        loop {
            if self.parse_buffered(conn)? || self.may_continue {
                return Ok(self.may_continue);
            }
            match self.fill(conn, patience, Instant::now()) {
                Ok(()) => {}
                // Silence is the server's right until it has the body.
                Err(error) if error.is_timeout() && !conn.limits.deadline.has_passed() => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }

    /// The final head, if it has arrived; nothing is waited for. An error if it cannot come any
    /// more.
    pub(crate) fn poll(&mut self, conn: &mut Lease) -> Result<Option<&Head>> {
        while !self.parse_buffered(conn)? {
            match conn.try_read(Room::Buffer)? {
                Some(0) => return Err(self.ended(conn)),
                Some(_) => {}
                None => break,
            }
        }
        Ok(self.head())
    }

    /// Whether the final head was met, or is in the buffer. Interim ones are used up.
    #[inline]
    fn parse_buffered(&mut self, conn: &mut Lease) -> Result<bool> {
        while self.head.is_none() && !conn.arrived().is_empty() {
            self.has_begun = true;
            self.head = self.parser.parse(conn.arrived()).map_err(|error| error.at(Stage::Head))?;
            let Some(head) = &self.head else {
                self.partial_since.get_or_insert_with(Instant::now);
                break;
            };
            conn.consume(head.bytes);
            let is_switch = head.status == StatusCode::SWITCHING_PROTOCOLS;
            if head.status.is_informational() && !is_switch {
                self.skip_interim_head(conn)?;
                continue;
            }
            report_head(conn, head, |text, ids| Event::ResponseHead { text, ids });
            if is_switch && !self.upgrade_requested {
                return Err(malformed("a 101 that was not asked for"));
            }
        }
        Ok(self.head.is_some())
    }

    /// The head that was met is an interim one: what comes next is looked at.
    fn skip_interim_head(&mut self, conn: &Lease) -> Result<()> {
        let Some(head) = self.head.take() else { return Ok(()) };
        self.partial_since = None;
        report_head(conn, &head, |text, ids| Event::InterimHead { text, ids });
        self.may_continue |= head.status == StatusCode::CONTINUE;
        self.parser.skip_interim(&head).map_err(|error| error.at(Stage::Head))
    }

    /// Reads more of a head.
    #[inline]
    fn fill(&mut self, conn: &mut Lease, until: Deadline, now: Instant) -> Result<()> {
        let stage = stage(conn);
        let until = match self.partial_since {
            Some(begun) => until.or_sooner(Deadline::of("read_timeout", conn.limits.read_timeout, begun)),
            None => until,
        };
        let count = conn.read(Room::Buffer, &until, now).map_err(|error| error.at(stage))?;
        if count > 0 {
            return Ok(());
        }
        Err(self.ended(conn))
    }

    /// The connection has ended before the final head.
    fn ended(&self, conn: &Lease) -> Error {
        self.parser.eof(conn.arrived()).at(stage(conn))
    }
}

/// How far it has come with a head that is not whole.
fn stage(conn: &Lease) -> Stage {
    if conn.arrived().is_empty() { Stage::Wait } else { Stage::Head }
}

fn malformed(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Head, what).at(Stage::Head)
}

/// Reports a head, with its secrets replaced.
fn report_head(lease: &Lease, head: &Head, event: impl for<'t> FnOnce(&'t str, EventIds) -> Event<'t>) {
    if lease.is_observed() {
        let text = head_text(head.raw());
        lease.report(|ids| event(&text, ids));
    }
}
