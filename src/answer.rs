//! Reading response heads off a connection: interim responses are passed over, the final one is
//! what counts (RFC 9110 §15.2).

use std::time::Instant;

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::headers::without_secrets;
use crate::net::conn::Conn;
use crate::net::deadline::Deadline;
use crate::observe::Event;
use crate::settings::Settings;
use crate::status::StatusCode;
use crate::wire::head::{Head, HeadParser};

/// Interim responses that one request may get.
const INTERIM_MAX: u32 = 16;

/// The answers to one request.
pub(crate) struct Answers<'a> {
    settings: &'a Settings,
    may_switch: bool,
    parser: HeadParser,
    interim: u32,
    /// A byte of an answer has come.
    has_begun: bool,
    /// 100 (Continue) has come.
    may_continue: bool,
    /// A head, once begun, must be complete by then.
    head_deadline: Deadline,
}

/// What came of waiting for 100 (Continue).
pub(crate) enum GoAhead {
    /// 100, or silence for long enough.
    Send,
    /// A final answer instead.
    Final(Head),
}

impl<'a> Answers<'a> {
    /// `may_switch`: the request asked for an upgrade, so 101 is an answer to it.
    pub(crate) fn new(settings: &'a Settings, may_switch: bool) -> Answers<'a> {
        Answers {
            settings,
            may_switch,
            parser: HeadParser::new(settings.head_limits),
            interim: 0,
            has_begun: false,
            may_continue: false,
            head_deadline: Deadline::none(),
        }
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Waits for the final head, from `now` on.
    #[inline]
    pub(crate) fn wait(&mut self, conn: &mut Conn, now: Instant) -> Result<Head> {
        let header_deadline = Deadline::of("header_timeout", self.settings.header_timeout, now);
        let mut now = Some(now);
        loop {
            if let Some(head) = self.arrived(conn)? {
                return Ok(head);
            }
            self.fill(conn, header_deadline, now.take().unwrap_or_else(Instant::now))?;
        }
    }

    /// Waits for 100 (Continue), but not for ever (RFC 9110 §10.1.1).
    pub(crate) fn wait_for_go_ahead(&mut self, conn: &mut Conn, patience: Deadline) -> Result<GoAhead> {
        loop {
            match self.arrived(conn)? {
                Some(head) => return Ok(GoAhead::Final(head)),
                None if self.may_continue => return Ok(GoAhead::Send),
                None => {}
            }
            match self.fill(conn, patience, Instant::now()) {
                Ok(()) => {}
                // Silence is the server's right until it has the body.
                Err(error) if error.is_timeout() && !conn.limits().deadline.passed() => return Ok(GoAhead::Send),
                Err(error) => return Err(error),
            }
        }
    }

    /// The final head, if it has arrived; nothing is waited for.
    pub(crate) fn poll(&mut self, conn: &mut Conn) -> Result<Option<Head>> {
        loop {
            if let Some(head) = self.arrived(conn)? {
                return Ok(Some(head));
            }
            match conn.try_fill()? {
                Some(0) | None => return Ok(None),
                Some(_) => {}
            }
        }
    }

    /// The final head, if it is in the buffer. Interim ones are used up.
    #[inline]
    fn arrived(&mut self, conn: &mut Conn) -> Result<Option<Head>> {
        while !conn.arrived().is_empty() {
            self.has_begun = true;
            let parsed = self.parser.parse(conn.arrived()).map_err(|error| error.at(Stage::Head))?;
            let Some((head, length)) = parsed else {
                if self.head_deadline.left().is_none() {
                    self.head_deadline = Deadline::of("read_timeout", conn.limits().read_timeout, Instant::now());
                }
                return Ok(None);
            };
            conn.consume(length);
            self.parser = HeadParser::new(self.settings.head_limits);
            self.head_deadline = Deadline::none();
            if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS {
                self.pass_over(&head)?;
                continue;
            }
            self.settings.observe_head(&head, |text| Event::ResponseHead { text });
            if head.status == StatusCode::SWITCHING_PROTOCOLS && !self.may_switch {
                return Err(malformed("a 101 that was not asked for"));
            }
            return Ok(Some(head));
        }
        Ok(None)
    }

    fn pass_over(&mut self, head: &Head) -> Result<()> {
        self.settings.observe_head(head, |text| Event::Interim { text });
        self.may_continue |= head.status == StatusCode::CONTINUE;
        self.interim += 1;
        if self.interim > INTERIM_MAX {
            return Err(malformed(format!("more than {INTERIM_MAX} interim responses")));
        }
        Ok(())
    }

    /// Reads more of a head.
    #[inline]
    fn fill(&mut self, conn: &mut Conn, until: Deadline, now: Instant) -> Result<()> {
        let is_inside = !conn.arrived().is_empty();
        let stage = if is_inside { Stage::Head } else { Stage::Wait };
        let count = conn.fill(until.or_sooner(self.head_deadline), now).map_err(|error| error.at(stage))?;
        if count > 0 {
            return Ok(());
        }
        Err(self.parser.eof(conn.arrived()).at(stage))
    }
}

fn malformed(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Head, what).at(Stage::Head)
}

impl Settings {
    /// Shows the observer a head, secrets replaced.
    fn observe_head(&self, head: &Head, event: impl for<'t> FnOnce(&'t str) -> Event<'t>) {
        if self.observer.is_some() {
            let text = without_secrets(head.raw());
            self.observe(|| event(&text));
        }
    }
}
