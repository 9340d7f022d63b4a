//! Server-Sent Events (WHATWG HTML §9.2): a response as a stream of events, for any method.
//!
//! How the stream is written is the parser's, and connecting again is `source`'s: here is one response, from
//! its head to its end.

#[cfg(test)]
mod cases;
pub(crate) mod event;
pub(crate) mod parser;
pub(crate) mod source;

use std::fmt;
use std::io::Read;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::ext::sse::event::{Event, OwnedEvent};
use crate::ext::sse::parser::{EVENT_BYTES_MAX, Found, Parser};
use crate::media_type;
use crate::message::body::Body;
use crate::message::response::Response;
use crate::observe::BodyEnd;
use crate::redact::excerpt;
use crate::status::StatusCode;

impl Response {
    /// Reads the body as a stream of events, `text/event-stream` (WHATWG HTML §9.2.5), whatever the method
    /// was: what APIs answer that send a long answer piece by piece. One that is to be connected to again when
    /// it ends is an [`EventSource`](crate::sse::EventSource).
    ///
    /// Nothing is waited for yet. The charset is always UTF-8. The head is not kept: what is wanted of it is
    /// taken before.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] unless the status is 200, the media type is `text/event-stream`, with any
    /// parameters, and each content coding is one that is undone.
    ///
    /// ```no_run
    /// let request = longwire::post("http://example.com/chat", r#"{"stream": true}"#)?;
    /// let mut events = request.events()?;
    /// while let Some(event) = events.next()? {
    ///     println!("{}", event.data());
    /// }
    /// # Ok::<(), longwire::Error>(())
    /// ```
    #[doc(alias = "text/event-stream")]
    pub fn events(self) -> Result<Events> {
        match obstacle(&self) {
            Some(what) => Err(self.error(ErrorKind::Decode, what)),
            None => Ok(Events { body: self.into_body(), parser: Parser::new(EVENT_BYTES_MAX) }),
        }
    }
}

/// Why the response is no stream of events, if it is none.
fn obstacle(response: &Response) -> Option<String> {
    let headers = response.headers();
    if response.status() != StatusCode::OK {
        return Some(format!("events: the status is {}, not 200", response.status()));
    }
    let Some(content_type) = headers.get_bytes("content-type") else {
        return Some("events: the response has no Content-Type, and text/event-stream is asked for".to_owned());
    };
    if !media_type::is(content_type, "text/event-stream") {
        return Some(format!("events: Content-Type is {}, not text/event-stream", excerpt(content_type)));
    }
    let coding = headers.get_bytes("content-encoding").filter(|coding| !coding.eq_ignore_ascii_case(b"identity"))?;
    let is_undone = response.body().coding().is_some();
    (!is_undone).then(|| format!("events: Content-Encoding {} is not undone", excerpt(coding)))
}

/// The events of one response: see [`Response::events`].
///
/// An event is lent out of the memory that the next one is read into, so nothing is allocated for it: 16 KiB, up
/// to 64 KiB where the stream is fast, and more only for an event that is larger. To keep events, iterate: `for
/// event in events` gives [`OwnedEvent`]s.
///
/// The time limits of the request hold on: [`next`](Events::next) fails when the server is silent for
/// `read_timeout` (60 s by default; many servers send a comment every 15 s, so that it does not pass), and after
/// `timeout`, if there is one. Dropped before its end, it closes the connection, unless the rest has arrived.
///
/// ```
/// # use std::io::{Read, Write};
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let url = format!("http://{}/", listener.local_addr()?);
/// # let server = std::thread::spawn(move || {
/// #     let (mut stream, _) = listener.accept().unwrap();
/// #     let mut head = Vec::new();
/// #     while !head.ends_with(b"\r\n\r\n") {
/// #         let mut byte = [0];
/// #         stream.read_exact(&mut byte).unwrap();
/// #         head.push(byte[0]);
/// #     }
/// #     let events = "id: 1\ndata: one\ndata: two\n\nevent: end\ndata\n\n";
/// #     let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
/// #     write!(stream, "{head}Content-Length: {}\r\n\r\n{events}", events.len()).unwrap();
/// # });
/// let mut events = longwire::get(&url)?.events()?; // id: 1, data: one, data: two; event: end, data
///
/// let event = events.next()?.expect("an event");
/// assert_eq!((event.event(), event.data(), event.id()), ("message", "one\ntwo", Some("1")));
/// let event = events.next()?.expect("another one");
/// assert_eq!((event.event(), event.data(), event.id()), ("end", "", Some("1")));
/// assert!(events.next()?.is_none());
/// # server.join().unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Events {
    body: Body,
    parser: Parser,
}

impl Events {
    /// Waits for the next event. `None` is the end of the response; what there is of an event then is dropped,
    /// as the format wants it.
    ///
    /// Blocks until an event is complete, within the request's limits.
    ///
    /// # Errors
    /// Whatever reading a body meets: [`ErrorKind::Truncated`] for a response that is cut short,
    /// [`ErrorKind::Timeout`], [`ErrorKind::Cancelled`] and so on; and [`ErrorKind::BodyTooLarge`] for an event
    /// over the [`limit`](Events::limit). Errors are final: every later call returns the same. Events that had
    /// arrived before come first.
    #[expect(clippy::should_implement_trait, reason = "an iterator lends nothing; `into_iter` has one that copies")]
    pub fn next(&mut self) -> Result<Option<Event<'_>>> {
        match advance(&mut self.parser, &mut self.body)? {
            true => Ok(Some(self.parser.event())),
            false => Ok(None),
        }
    }

    /// Sets how many bytes an event may have: all of its lines, with one byte for the end of each. The default
    /// is 1 MiB. It bounds the memory as well, to a few times as much.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Events {
        self.parser.set_limit(bytes);
        self
    }

    /// Returns the last event ID, of the events so far: [`Event::id`] of the last one, and of what had an ID
    /// but no data. It is what a request that goes on from here sends as `Last-Event-ID`.
    pub fn last_event_id(&self) -> Option<&str> {
        self.parser.last_event_id()
    }

    /// Returns how long the server asks to wait before another request, by its last field `retry`.
    pub fn retry(&self) -> Option<Duration> {
        self.parser.retry()
    }

    /// Returns how the end of the response was known, once it has arrived ([`Body::ended`]); its last events
    /// may still have to be taken then.
    pub fn ended(&self) -> Option<BodyEnd> {
        self.body.ended()
    }
}

/// Reads up to the next event, and returns whether there is one.
fn advance(parser: &mut Parser, body: &mut Body) -> Result<bool> {
    loop {
        match parser.advance() {
            Ok(Found::Event) => return Ok(true),
            Ok(Found::Nothing) => {}
            Err(too_large) => return Err(body.error(ErrorKind::BodyTooLarge, too_large.to_string())),
        }
        let count = body.read(parser.room()).map_err(|error| Error::from_read(error, "reading events"))?;
        if count == 0 {
            return Ok(false);
        }
        parser.filled(count);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("last_event_id", &self.last_event_id()).field("body", &self.body).finish()
    }
}

impl IntoIterator for Events {
    type Item = Result<OwnedEvent>;
    type IntoIter = EventsIter;

    fn into_iter(self) -> EventsIter {
        EventsIter { events: Some(self) }
    }
}

/// The events of a response, each a copy: what [`Events`] are turned into by `for event in events`.
///
/// An error is the last item.
///
/// ```no_run
/// for event in longwire::get("http://example.com/feed")?.events()? {
///     println!("{}", event?.data());
/// }
/// # Ok::<(), longwire::Error>(())
/// ```
#[derive(Debug)]
pub struct EventsIter {
    /// `None` after the end.
    events: Option<Events>,
}

impl Iterator for EventsIter {
    type Item = Result<OwnedEvent>;

    fn next(&mut self) -> Option<Result<OwnedEvent>> {
        let next = self.events.as_mut()?.next();
        let next = next.map(|event| event.map(OwnedEvent::from)).transpose();
        if !matches!(next, Some(Ok(_))) {
            self.events = None; // the connection is given up with it
        }
        next
    }
}

impl std::iter::FusedIterator for EventsIter {}
