//! A response body as the caller holds it: what its framing delimits, and which request it answers.
//!
//! `framed` reads it and knows when it ends; `collect` and `text` make memory and text of it. Here
//! its errors are given their words about the exchange.

pub(crate) mod framed;

mod collect;
mod text;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::time::{Duration, Instant};

use url::Url;

use crate::error::{Error, ErrorKind, Fate, Result, Stage};
use crate::headers::Headers;
use crate::message::body::collect::{COLLECT_BYTES_MAX, collect};
use crate::message::body::framed::Framed;
use crate::message::body::text::ContentLabels;
use crate::message::connection_info::ConnectionInfo;
use crate::method::Method;
use crate::net::conn::Conn;
use crate::net::deadline::Deadline;
use crate::net::transport::Stream;
use crate::observe::BodyEnd;
use crate::status::StatusCode;
use crate::wire::framing::at_most;

/// A response body, read from the connection as you ask for it.
///
/// Three promises:
/// * `Ok(0)` from a read into a non-empty buffer means that the body is complete, proven by its
///   framing. A body cut short is an error, and errors are final: every later read gives the same.
/// * At the last byte the connection goes back to the pool, not one read later.
/// * A read fails when the server has been silent for `read_timeout`, and never waits beyond the
///   request's deadline, `timeout`. Against a server that drips there is `min_speed`.
///
/// Dropping a body never waits: if the rest has arrived already (64 KiB at most) the connection
/// is kept, else it is closed.
///
/// ```no_run
/// use std::io::{BufRead, Read};
///
/// let mut body = longwire::get("http://example.com/")?.into_body();
/// let mut first = String::new();
/// body.read_line(&mut first)?;
/// let mut buffer = [0; 4096];
/// loop {
///     let count = body.read(&mut buffer)?;
///     if count == 0 {
///         break;
///     }
///     println!("{count} bytes");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Body {
    framed: Framed,
    about: About,
    /// Bytes that may be collected.
    limit: u64,
    /// What the head said of the content, for a body that has left its response.
    labels: Option<Box<ContentLabels>>,
}

/// A stream after a 101, and what had arrived on it.
pub(crate) type Switched = (Box<dyn Stream>, Vec<u8>);

/// The exchange that a body belongs to.
pub(crate) struct About {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) connection: ConnectionInfo,
}

impl About {
    /// That error, with what is known of the exchange.
    #[cold]
    fn tell(&self, error: Error) -> Error {
        error.with_request(&self.method, &self.url).with_status(self.status).with_peer(self.connection.peer_addr())
    }
}

impl Body {
    #[inline]
    pub(crate) fn new(framed: Framed, about: About) -> Body {
        Body { framed, about, limit: COLLECT_BYTES_MAX, labels: None }
    }

    pub(crate) fn about(&self) -> &About {
        &self.about
    }

    /// Keeps what the head said of the content, before that goes.
    pub(crate) fn note_content(&mut self, headers: &Headers) {
        self.labels = ContentLabels::of(headers).map(Box::new).or(self.labels.take());
    }

    /// The stream after a 101, and what had arrived on it; `None` for any other body, which is
    /// dropped.
    pub(crate) fn take_switched(self) -> Option<Result<Switched>> {
        let Body { framed, about, .. } = self;
        let taken = framed.take_switched().map(Conn::into_parts)?;
        Some(taken.map_err(|error| about.tell(error.at(Stage::Body).with_fate(Fate::ResponseStarted))))
    }

    /// Returns the trailer fields (RFC 9112 §7.1.2): empty until a chunked body has ended, and for
    /// all others. Fields that would frame or route a message are not among them. A server may send
    /// trailers only to a request with `TE: trailers`.
    pub fn trailers(&self) -> &Headers {
        self.framed.trailers()
    }

    /// Returns whether all of the body was read.
    pub fn is_complete(&self) -> bool {
        self.framed.is_complete()
    }

    /// Returns how the body's end was known, once it was reached.
    pub fn ended(&self) -> Option<BodyEnd> {
        self.framed.ended()
    }

    /// Returns how many bytes are still to be read, where that is known.
    pub fn remaining(&self) -> Option<u64> {
        self.framed.remaining()
    }

    /// Sets how many bytes [`bytes`](Body::bytes), [`text`](Body::text) and
    /// [`text_lossy`](Body::text_lossy) may collect. The default is 64 MiB. Reading by hand has no
    /// limit.
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Body {
        self.limit = bytes;
        self
    }

    /// Reads the (rest of the) body into memory.
    ///
    /// A length that the server announces is not trusted with memory: at most 16 MiB (on 32
    /// bits 1 MiB) are reserved ahead of what has arrived. Blocks as reading does.
    ///
    /// # Errors
    /// [`ErrorKind::BodyTooLarge`] if it is longer than the [`limit`](Body::limit), at once
    /// where the length is known; and whatever reading meets.
    pub fn bytes(mut self) -> Result<Vec<u8>> {
        self.collect()
    }

    /// Reads the body as UTF-8 text. A byte order mark at its beginning is left out.
    ///
    /// # Errors
    /// As [`bytes`](Body::bytes), and [`ErrorKind::Decode`] if it is not UTF-8: nothing is
    /// replaced in silence. The message names the charset and the coding that the head announced.
    pub fn text(self) -> Result<String> {
        self.into_text(&Headers::new())
    }

    /// The same, of a body whose head is still there.
    pub(crate) fn into_text(mut self, headers: &Headers) -> Result<String> {
        let bytes = self.collect()?;
        text::decode(bytes).map_err(|mistake| {
            self.note_content(headers);
            let labels = self.labels.take().unwrap_or_default();
            self.error(ErrorKind::Decode, format!("the body is not UTF-8 ({mistake}){labels}"))
        })
    }

    /// Reads the body as UTF-8 text, with U+FFFD in place of what is not. A byte order mark at its
    /// beginning is left out.
    ///
    /// # Errors
    /// As [`bytes`](Body::bytes).
    pub fn text_lossy(mut self) -> Result<String> {
        self.collect().map(text::decode_lossy)
    }

    /// Copies the body to `writer`, to its end, and returns how many bytes that were.
    ///
    /// # Errors
    /// Whatever reading meets; and [`ErrorKind::Io`] with the writer's own error inside.
    pub fn copy_to(&mut self, writer: &mut (impl Write + ?Sized)) -> Result<u64> {
        let mut copied = 0;
        loop {
            let ready = self.framed.fill().map_err(|error| self.about.tell(error))?;
            let count = ready.len();
            if count == 0 {
                return Ok(copied);
            }
            let written = writer.write_all(ready);
            self.framed.consume(count);
            written.map_err(|error| {
                let error = Error::from_io(ErrorKind::Io, "writing the body to its copy", error);
                self.about.tell(error.at(Stage::Body).with_fate(Fate::ResponseStarted))
            })?;
            copied += count as u64;
        }
    }

    /// Creates an error about this body: with the method, the URL, the status and the peer's address
    /// of its exchange.
    pub fn error(&self, kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Error {
        self.about.tell(Error::new(kind, message).at(Stage::Body).with_fate(Fate::ResponseStarted))
    }

    fn collect(&mut self) -> Result<Vec<u8>> {
        let collected = collect(&mut self.framed, self.limit);
        collected.map_err(|error| self.about.tell(error.at(Stage::Body).with_fate(Fate::ResponseStarted)))
    }

    /// Reads, with the error as longwire's own.
    #[inline]
    fn read_into(&mut self, into: &mut [u8]) -> Result<usize> {
        self.framed.read_into(into).map_err(|error| self.about.tell(error))
    }

    /// Reads what comes within that time, up to `bytes_max` bytes or the limit; an error ends it, as the
    /// end does, but for a cancel.
    pub(crate) fn read_within(&mut self, bytes_max: usize, time: Duration) -> Result<Vec<u8>> {
        let bytes_max = at_most(self.limit, bytes_max);
        let until = Deadline::of("the wait for an error's page", Some(time), Instant::now());
        let mut page = Vec::new();
        while page.len() < bytes_max {
            let ready = match self.framed.fill_until(&until) {
                Ok(ready) if !ready.is_empty() => ready,
                Err(error) if error.is_cancelled() => return Err(self.about.tell(error)),
                Ok(_) | Err(_) => break,
            };
            let count = ready.len().min(bytes_max - page.len());
            page.extend_from_slice(&ready[..count]);
            self.framed.consume(count);
        }
        Ok(page)
    }
}

impl Read for Body {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_into(into)?)
    }
}

impl BufRead for Body {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.framed.fill().map_err(|error| self.about.tell(error))?)
    }

    /// Uses up bytes that `fill_buf` has given; more than those are not used.
    fn consume(&mut self, count: usize) {
        self.framed.consume(count);
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({:?})", self.framed)
    }
}
