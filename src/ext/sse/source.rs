//! A stream of events that is connected to again when it ends (WHATWG HTML §9.2.2 and §9.2.3): when that is
//! done, after what wait, and what is sent then.
//!
//! How events are read is not known here, nor how requests are sent.

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::backoff::Backoff;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::ext::sse::advance;
use crate::ext::sse::event::Event;
use crate::ext::sse::parser::{EVENT_BYTES_MAX, Parser};
use crate::message::body::Body;
use crate::message::request::Request;
use crate::message::response::Response;
use crate::method::Method;
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
use crate::random;
use crate::status::StatusCode;

/// The wait before the next connect, unless the server or the caller sets another.
const RECONNECTION_TIME: Duration = Duration::from_secs(3);

/// The least that a server may set it to, so that no server makes a client spin.
const RECONNECTION_TIME_MIN: Duration = Duration::from_millis(100);

/// The longest wait, unless the caller sets another.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// A stream of events that outlives its connections: what browsers call `EventSource`.
///
/// [`next`](EventSource::next) connects, gives events, and connects again when the stream ends or breaks, with
/// the ID of the last event in `Last-Event-ID`, so that the server can go on from there.
///
/// | what happens | what becomes of it |
/// |---|---|
/// | the response ends, is cut short, or is silent for `read_timeout`; the host has no address, no connection can be opened, the connection breaks, also in its TLS handshake | another connect |
/// | status 429, 502, 503 or 504, of the server or of a proxy to the tunnel | another connect, not before the server's `Retry-After` or [`max_wait`](EventSource::max_wait), whichever is shorter |
/// | status 204 (No Content) | the end: `None` |
/// | any other status, another media type; an event over the [`limit`](EventSource::limit); invalid HTTP, TLS that fails otherwise | an error |
/// | [`max_attempts`](EventSource::max_attempts) connects in a row without one event | the error of the last one |
/// | the request's `timeout` has passed since the first connect; its token is cancelled | an error |
///
/// Before another connect it waits for the time that the server has set by its last field `retry`, at least a
/// tenth of a second, else for 3 seconds; twice as long after each connect in a row without an event, up to a
/// minute ([`max_wait`](EventSource::max_wait)), and a quarter less or more, at random, so that the clients of a
/// server that was restarted do not come back all at once.
///
/// The request is sent with `Accept: text/event-stream` and `Cache-Control: no-store`, unless it has these
/// fields, and does not ask for a content coding unless it is told to. Redirects are followed; where a 301 or
/// 308 leads within the origin, the next connect goes there at once. To another origin, and back from one,
/// each connect is redirected anew, so that the rules about what may go there hold each time.
///
/// Its connections are those of the client; dropping it closes the one that it has.
///
/// ```no_run
/// use longwire::{Client, Method, Request, sse::EventSource};
///
/// let request = Request::new(Method::GET, "http://example.com/feed")?;
/// let mut source = EventSource::new(&Client::new(), request)?.max_attempts(10);
/// while let Some(event) = source.next()? {
///     println!("{}: {}", event.event(), event.data());
/// }
/// # Ok::<(), longwire::Error>(())
/// ```
#[doc(alias("sseclient", "text/event-stream"))]
pub struct EventSource {
    client: Client,
    request: Request<'static>,
    token: CancelToken,
    /// From the first connect on.
    deadline: Deadline,
    parser: Parser,
    state: State,
    reconnection_time: Duration,
    max_wait: Duration,
    max_attempts: u32,
    /// Connects in a row that have given no event yet, and the waits between them.
    attempts: u32,
    backoff: Backoff,
    last_error: Option<Error>,
}

enum State {
    New,
    /// Connecting again after so long a wait.
    Waiting(Duration),
    Open(Box<Body>),
    /// The server wants no more connects.
    Ended,
    Failed(Error),
}

/// What one step has come to.
enum Step {
    Event,
    Opened(Box<Body>),
    Ended,
}

/// A step that came to nothing.
struct Failure {
    error: Error,
    then: Then,
}

/// What to do about it.
enum Then {
    /// To connect again, not before this time has passed.
    Reconnect {
        not_before: Duration,
    },
    Stop,
}

impl EventSource {
    /// Creates a source that sends copies of `request`, a GET without a body. Nothing is sent yet.
    ///
    /// The request's `timeout` is for the source as a whole, from its first connect to its last event, and has
    /// no default here: a `timeout` of the client is for each connect by itself. The request's `read_timeout`
    /// is how long a server may be silent before it is taken for gone. A `Last-Event-ID` among its fields is
    /// where the source begins.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for another method, or a body.
    pub fn new(client: &Client, mut request: Request<'static>) -> Result<EventSource> {
        let mistake = match request.body().len() {
            _ if *request.method() != Method::GET => Some("an EventSource sends GET; Response::events is for the rest"),
            Some(0) if request.try_clone().is_some() => None,
            _ => Some("an EventSource sends no body"),
        };
        if let Some(mistake) = mistake {
            let error = Error::new(ErrorKind::InvalidRequest, mistake);
            return Err(error.with_request(request.method(), request.url()));
        }
        for (name, value) in [("Accept", "text/event-stream"), ("Cache-Control", "no-store")] {
            if !request.headers().contains(name) {
                request.set_header(name, value)?;
            }
        }
        // What compresses on the way collects events until it has enough of them.
        #[cfg(feature = "__coding")]
        if request.decode().is_none() {
            request.set_decode(false);
        }
        let token = request.cancel_token().cloned().unwrap_or_default();
        request.set_cancel_token(&token);
        let mut parser = Parser::new(EVENT_BYTES_MAX);
        parser.set_last_event_id(request.headers().get("last-event-id").unwrap_or_default());
        Ok(EventSource {
            client: client.clone(),
            request,
            token,
            deadline: Deadline::none(),
            parser,
            state: State::New,
            reconnection_time: RECONNECTION_TIME,
            max_wait: WAIT_MAX,
            max_attempts: u32::MAX,
            attempts: 0,
            backoff: Backoff::new(RECONNECTION_TIME, WAIT_MAX),
            last_error: None,
        })
    }

    /// Sets the ID of the last event that was seen before, by another source: the first connect sends it, and
    /// each one after it until an event brings another.
    #[must_use]
    pub fn resume_after(mut self, last_event_id: &str) -> EventSource {
        self.parser.set_last_event_id(last_event_id);
        self
    }

    /// Sets how many connects in a row may give no event. By default there is no limit. Zero is taken for one.
    #[must_use]
    pub fn max_attempts(mut self, count: u32) -> EventSource {
        self.max_attempts = count;
        self
    }

    /// Sets the wait before the next connect, for as long as the server sets none. The default is 3 seconds.
    #[must_use]
    pub fn reconnection_time(mut self, time: Duration) -> EventSource {
        self.reconnection_time = time;
        self
    }

    /// Sets the longest wait before another connect, whatever the server asks for. The default is a minute.
    #[must_use]
    pub fn max_wait(mut self, limit: Duration) -> EventSource {
        self.max_wait = limit;
        self.backoff = Backoff::new(self.reconnection_time, limit);
        self
    }

    /// Sets how many bytes an event may have: see [`Events::limit`](crate::sse::Events::limit). The default is
    /// 1 MiB.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> EventSource {
        self.parser.set_limit(bytes);
        self
    }

    /// Waits for the next event, over as many connections as it takes. `None` is the end, which the server
    /// tells by a 204: it is final.
    ///
    /// Blocks until there is one. How long that can be is bounded by the request's `timeout` alone, or by
    /// [`max_attempts`](EventSource::max_attempts); a cancel of the request's token ends it at once, also
    /// between two connects.
    ///
    /// # Errors
    /// As the table above has them, with the kinds of [`Client::send`] and of
    /// [`Events::next`](crate::sse::Events::next); [`ErrorKind::Status`] for a status of 400 or above,
    /// [`ErrorKind::Decode`] for another response that is no stream of events, [`ErrorKind::Truncated`] where
    /// the last of `max_attempts` streams has ended without an event. Errors are final: every later call
    /// returns the same.
    #[expect(clippy::should_implement_trait, reason = "an iterator lends nothing")]
    pub fn next(&mut self) -> Result<Option<Event<'_>>> {
        match self.advance()? {
            true => Ok(Some(self.parser.event())),
            false => Ok(None),
        }
    }

    /// Returns the last event ID, which the next connect sends.
    pub fn last_event_id(&self) -> Option<&str> {
        self.parser.last_event_id()
    }

    /// Returns the URL of the next connect: the request's, or where a permanent redirect within its origin has
    /// led.
    pub fn url(&self) -> &Url {
        self.request.url()
    }

    /// Returns how many connects in a row have given no event so far: 0 after an event.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns what the last reconnect was for: the error that ended the stream or the attempt before it. A
    /// stream that ended as a response should is [`ErrorKind::Truncated`] here.
    pub fn last_error(&self) -> Option<&Error> {
        self.last_error.as_ref()
    }

    /// Returns the token that cancels the source: the request's, or one of its own.
    pub fn cancel_token(&self) -> &CancelToken {
        &self.token
    }

    /// Goes on to the next event, and returns whether there is one.
    fn advance(&mut self) -> Result<bool> {
        loop {
            match self.step() {
                Ok(Step::Event) => {
                    self.attempts = 0;
                    self.backoff.reset();
                    return Ok(true);
                }
                Ok(Step::Opened(body)) => self.state = State::Open(body),
                Ok(Step::Ended) => {
                    self.state = State::Ended;
                    return Ok(false);
                }
                Err(Failure { error, then: Then::Reconnect { not_before } })
                    if self.attempts < self.max_attempts.max(1) =>
                {
                    self.state = State::Waiting(self.next_wait(not_before));
                    self.last_error = Some(error);
                }
                Err(Failure { error, .. }) => {
                    self.state = State::Failed(error.clone());
                    return Err(error);
                }
            }
        }
    }

    fn step(&mut self) -> Result<Step, Failure> {
        match &mut self.state {
            State::New => {
                let limit = self.request.timeout().flatten();
                self.deadline = limit.map_or(Deadline::none(), Deadline::after);
                self.connect()
            }
            State::Waiting(time) => {
                let time = *time;
                self.wait(time)?;
                self.connect()
            }
            State::Open(body) => match advance(&mut self.parser, body) {
                Ok(true) => Ok(Step::Event),
                Ok(false) => {
                    let ended = body.error(ErrorKind::Truncated, "the stream of events has ended");
                    Err(self.judge(ended, Duration::ZERO))
                }
                Err(error) => Err(self.judge(error, Duration::ZERO)),
            },
            State::Ended => Ok(Step::Ended),
            State::Failed(error) => Err(Failure::stop(error.clone())),
        }
    }

    /// Sends the request again, as the streams so far have made it.
    fn connect(&mut self) -> Result<Step, Failure> {
        self.attempts = self.attempts.saturating_add(1);
        self.parser.restart();
        let request = self.next_request().map_err(Failure::stop)?;
        let response = self.client.send(request).map_err(|error| self.judge(error, Duration::ZERO))?;
        self.keep_permanent_url(&response).map_err(Failure::stop)?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Step::Ended);
        }
        let not_before = response.retry_after().unwrap_or_default();
        let response = response.error_for_status().map_err(|error| self.judge(error, not_before))?;
        let events = response.events().map_err(Failure::stop)?;
        Ok(Step::Opened(Box::new(events.body)))
    }

    /// The request of the next connect: with the last event ID, and what is left of its time.
    fn next_request(&self) -> Result<Request<'static>> {
        let mut request = self.request.try_clone().expect("it has no body, and could be copied before");
        request.set_retry(None); // it waits itself
        match self.parser.last_event_id() {
            Some(id) => request.set_header("Last-Event-ID", id).map_err(|_| self.unsendable_id())?,
            None => request.headers_mut().remove("Last-Event-ID"),
        }
        if let Some(left) = self.deadline.remaining() {
            request.set_timeout(left.max(Duration::from_nanos(1))); // zero would be a mistake of the caller's
        }
        Ok(request)
    }

    /// An ID that no field can have is a mistake of the caller's before the first connect, and of the server's
    /// after it.
    fn unsendable_id(&self) -> Error {
        let kind = if let State::New = self.state { ErrorKind::InvalidRequest } else { ErrorKind::Decode };
        let error = Error::new(kind, "the last event ID has control characters, which Last-Event-ID cannot");
        error.with_request(self.request.method(), self.request.url())
    }

    /// Connects to where permanent redirects have led from now on. In another origin, or by way of one, fields
    /// might get there that a redirect would have left behind.
    fn keep_permanent_url(&mut self, response: &Response) -> Result<()> {
        let url = response.permanent_url();
        let is_near = |url: &Url| url.origin() == self.request.url().origin();
        let mut way = response.redirects().iter().take_while(|by| *by != url);
        if url != self.request.url() && is_near(url) && way.all(is_near) {
            self.request.set_url(url.clone())?;
        }
        Ok(())
    }

    /// What to do about an error.
    fn judge(&self, error: Error, not_before: Duration) -> Failure {
        match () {
            () if error.is_timeout() && self.deadline.has_passed() => Failure::stop(self.total_timeout(&error)),
            () if error.is_transient() => Failure { error, then: Then::Reconnect { not_before } },
            () => Failure::stop(error),
        }
    }

    /// The error of the whole time, which that of a single connect knows a part of.
    fn total_timeout(&self, error: &Error) -> Error {
        let total = self.deadline.error("the source of events").at(error.stage()).with_fate(error.fate());
        total.with_request(self.request.method(), self.request.url()).with_peer(error.peer_addr())
    }

    /// The wait before the next connect.
    fn next_wait(&mut self, not_before: Duration) -> Duration {
        let asked = self.parser.retry().map(|time| time.max(RECONNECTION_TIME_MIN));
        self.backoff.set_first(asked.unwrap_or(self.reconnection_time));
        let middle = self.backoff.next_wait().max(not_before);
        let (low, high) = (middle - middle / 4, middle.saturating_add(middle / 4));
        random::between(low.max(not_before), high).min(self.max_wait)
    }

    fn wait(&self, time: Duration) -> Result<(), Failure> {
        let time = self.deadline.remaining().map_or(time, |left| left.min(time));
        let error = match () {
            () if self.token.wait(time) => Error::cancelled(),
            () if self.deadline.has_passed() => self.deadline.error("the wait for another connect"),
            () => return Ok(()),
        };
        Err(Failure::stop(error.with_request(self.request.method(), self.request.url())))
    }
}

impl Failure {
    fn stop(error: Error) -> Failure {
        Failure { error, then: Then::Stop }
    }
}

impl fmt::Debug for EventSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::New | State::Waiting(_) => "connecting",
            State::Open(_) => "open",
            State::Ended => "ended",
            State::Failed(_) => "failed",
        };
        f.debug_struct("EventSource")
            .field("url", &self.url().as_str())
            .field("state", &state)
            .field("last_event_id", &self.last_event_id())
            .field("attempts", &self.attempts)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> EventSource {
        let request = Request::new(Method::GET, "http://host/").unwrap();
        EventSource::new(&Client::new(), request).unwrap()
    }

    /// Sets the reconnection time as a server does.
    fn ask(source: &mut EventSource, milliseconds: u64) {
        let field = format!("retry: {milliseconds}\n");
        source.parser.room()[..field.len()].copy_from_slice(field.as_bytes());
        source.parser.filled(field.len());
        source.parser.advance().unwrap();
    }

    #[track_caller]
    fn assert_about(wait: Duration, middle: Duration) {
        assert!(middle * 3 / 4 <= wait && wait <= middle * 5 / 4, "{wait:?} is not about {middle:?}");
    }

    #[test]
    fn waits_double_up_to_a_minute_and_are_spread() {
        let mut source = source();
        for seconds in [3, 6, 12, 24, 48] {
            assert_about(source.next_wait(Duration::ZERO), Duration::from_secs(seconds));
        }
        let more: Vec<Duration> = (0..100).map(|_| source.next_wait(Duration::ZERO)).collect();
        assert!(more.iter().all(|wait| (45..=60).contains(&wait.as_secs()) && *wait <= WAIT_MAX), "{more:?}");
        assert!(more.iter().any(|wait| *wait < WAIT_MAX), "{more:?}");
        source.backoff.reset();
        assert_about(source.next_wait(Duration::ZERO), Duration::from_secs(3));
    }

    #[test]
    fn the_servers_time_counts_and_the_caller_has_the_last_word() {
        let mut source = source().reconnection_time(Duration::from_secs(1));
        assert_about(source.next_wait(Duration::ZERO), Duration::from_secs(1));
        ask(&mut source, 500);
        source.backoff.reset();
        assert_about(source.next_wait(Duration::ZERO), Duration::from_millis(500));
        assert_about(source.next_wait(Duration::ZERO), Duration::from_secs(1));
        ask(&mut source, 0);
        source.backoff.reset();
        assert_about(source.next_wait(Duration::ZERO), RECONNECTION_TIME_MIN);
        ask(&mut source, u64::MAX);
        assert_eq!(source.next_wait(Duration::MAX), WAIT_MAX);
        let mut source = source.max_wait(Duration::from_secs(7));
        let wait = source.next_wait(Duration::ZERO);
        assert!(Duration::from_secs(5) < wait && wait <= Duration::from_secs(7), "{wait:?}");
    }

    #[test]
    fn no_wait_is_shorter_than_the_server_asks_for() {
        let mut source = source();
        let asked = Duration::from_secs(30);
        let waits: Vec<Duration> = (0..4).map(|_| source.next_wait(asked)).collect();
        assert!(waits.iter().all(|wait| *wait >= asked && *wait <= asked * 5 / 4), "{waits:?}");
    }
}
