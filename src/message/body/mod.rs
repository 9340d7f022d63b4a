//! A response body as the caller holds it: reads, its end, and errors that name its exchange.
//!
//! The call stack is the state machine of everything else; only the body outlives a call, and its
//! state is here. `framed` moves the bytes, `collect` and `text` make memory and text of them.

pub(crate) mod content_labels;
pub(crate) mod framed;

#[cfg(feature = "__coding")]
mod coded;
mod collect;
mod text;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::mem;
use std::time::{Duration, Instant};

use url::Url;

use crate::error::{Error, ErrorKind, Fate, Result, Stage};
use crate::headers::Headers;
#[cfg(feature = "__coding")]
use crate::message::body::coded::{Coded, Decoded};
use crate::message::body::collect::{COLLECT_BYTES_MAX, Collected, STEP_BYTES, STEP_BYTES_BEFORE_APPEND};
use crate::message::body::content_labels::ContentLabels;
use crate::message::body::framed::{Found, Framed};
use crate::message::connection_info::ConnectionInfo;
use crate::method::Method;
use crate::net::deadline::Deadline;
use crate::net::pool::lease::Lease;
use crate::net::transport::Stream;
use crate::observe::{BodyEnd, Event};
use crate::reuse::{CloseReason, Reuse};
use crate::status::StatusCode;
#[cfg(feature = "__coding")]
use crate::wire::coding::ContentDecoder;
use crate::wire::framing::{Framing, at_most};

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
#[doc(alias("io.EOF", "ResponseLazy"))]
pub struct Body {
    state: State,
    about: About,
    /// Bytes that may be collected.
    limit: u64,
    /// What the head announced of the content, for a body that has left its response.
    labels: Option<Box<ContentLabels>>,
    /// The coding that is undone, if one is. After it the methods below are for decoded content.
    #[cfg(feature = "__coding")]
    coded: Option<Box<Coded>>,
}

enum State {
    Open(Framed),
    /// After 101: the connection waits to be taken over.
    Switched(Lease),
    /// With the bytes of content that came.
    Ended(BodyEnd, Headers, u64),
    Failed(Error, u64),
}

impl State {
    /// Of no body.
    const NONE: State = State::Ended(BodyEnd::Empty, Headers::new(), 0);

    /// What a complete body becomes.
    #[inline]
    fn ended(framed: &Framed) -> State {
        let (end, bytes) = (framed.decoder.end(), framed.bytes);
        if framed.lease.is_observed() {
            framed.lease.report(|ids| Event::BodyEnded { bytes, end, ids });
        }
        State::Ended(end, framed.decoder.trailers(), bytes)
    }
}

/// The trailers of a body that has none, or has not ended.
static NO_TRAILERS: Headers = Headers::new();

/// A stream after a 101, and the bytes that had arrived on it.
pub(crate) type Switched = (Box<dyn Stream>, Vec<u8>);

/// The exchange that a body belongs to.
pub(crate) struct About {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) connection: ConnectionInfo,
}

impl About {
    /// Returns an error of this exchange.
    #[cold]
    fn error(&self, error: Error) -> Error {
        let error = error.at(Stage::Body).with_fate(Fate::ResponseStarted);
        error.with_request(&self.method, &self.url).with_status(self.status).with_peer(self.connection.peer_addr())
    }
}

impl Body {
    /// The body after a head. Without one the connection is released at once; after a 101 it waits
    /// for [`take_switched`](Body::take_switched).
    #[inline(always)]
    pub(crate) fn new(lease: Lease, framing: Framing, reuse: Reuse, about: About) -> Body {
        let state = match framing {
            _ if about.status == StatusCode::SWITCHING_PROTOCOLS => State::Switched(lease),
            Framing::Empty | Framing::Length(0) => {
                let framed = Framed::new(lease, framing, reuse);
                let ended = State::ended(&framed);
                framed.release_or_close();
                ended
            }
            _ => State::Open(Framed::new(lease, framing, reuse)),
        };
        Body {
            state,
            about,
            limit: COLLECT_BYTES_MAX,
            labels: None,
            #[cfg(feature = "__coding")]
            coded: None,
        }
    }

    /// Undoes that coding while the body is read; an error is that of the first read.
    #[cfg(feature = "__coding")]
    pub(crate) fn undo(&mut self, decoder: Result<Option<ContentDecoder>>) {
        match decoder {
            Ok(decoder) => self.coded = decoder.map(|decoder| Box::new(Coded::new(decoder))),
            Err(error) => drop(self.fail(error)),
        }
    }

    pub(crate) fn about(&self) -> &About {
        &self.about
    }

    /// Keeps what the head announced of the content, before the head goes.
    pub(crate) fn note_content(&mut self, headers: &Headers) {
        let undone = self.coding().is_some();
        self.labels = ContentLabels::of(headers, undone).map(Box::new).or(self.labels.take());
    }

    /// Returns what was kept of it.
    pub(crate) fn labels(&self) -> Option<&ContentLabels> {
        self.labels.as_deref()
    }

    /// Takes the stream after a 101; any other body is dropped, and gives `None`.
    pub(crate) fn take_switched(mut self) -> Option<Result<Switched>> {
        match mem::replace(&mut self.state, State::NONE) {
            State::Switched(lease) => {
                let taken = lease.into_conn()?.into_parts();
                Some(taken.map_err(|error| self.about.error(error)))
            }
            state => {
                self.state = state;
                None
            }
        }
    }

    /// Returns the trailer fields (RFC 9112 §7.1.2): empty until a chunked body has ended, and for
    /// all others. Fields that would frame or route a message are not among them. A server may send
    /// trailers only to a request with `TE: trailers`.
    #[doc(alias = "Trailer")]
    pub fn trailers(&self) -> &Headers {
        match &self.state {
            State::Ended(_, trailers, _) => trailers,
            State::Open(_) | State::Switched(_) | State::Failed(..) => &NO_TRAILERS,
        }
    }

    /// Returns whether all of the body was read.
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Ended(..) | State::Switched(_))
    }

    /// Returns how the body's end was known, once it was reached.
    pub fn ended(&self) -> Option<BodyEnd> {
        match self.state {
            State::Ended(end, ..) => Some(end),
            State::Switched(_) => Some(BodyEnd::Empty),
            State::Open(_) | State::Failed(..) => None,
        }
    }

    /// Returns how many bytes are still to be read, where that is known. While a content coding is
    /// undone it is not.
    pub fn remaining(&self) -> Option<u64> {
        match &self.state {
            State::Open(_) if self.coding().is_some() => None,
            State::Open(framed) => framed.decoder.remaining(),
            State::Ended(..) | State::Switched(_) => Some(0),
            State::Failed(..) => None,
        }
    }

    /// Returns the content codings that are undone while the body is read, in the order in which the
    /// server applied them: `"gzip"`, `"deflate"`, `"br"`, `"zstd"`, or two of these with a comma. `None`
    /// if it is read as it came: the features for codings are off,
    /// `ClientBuilder::decode` is, or the response has no coding that is known.
    #[doc(alias = "Uncompressed")]
    pub fn coding(&self) -> Option<&str> {
        #[cfg(feature = "__coding")]
        return self.coded.as_ref().map(|coded| coded.name());
        #[cfg(not(feature = "__coding"))]
        None
    }

    /// Returns how many bytes of the body have come over the wire and were used so far, without their
    /// framing and before their content coding was undone: what grows to the `Content-Length` where the
    /// server sends one.
    pub fn wire_bytes(&self) -> u64 {
        match &self.state {
            State::Open(framed) => framed.bytes,
            State::Ended(.., bytes) | State::Failed(_, bytes) => *bytes,
            State::Switched(_) => 0,
        }
    }

    /// Sets how many bytes may be collected by [`bytes`](Body::bytes), [`text`](Body::text) and the like,
    /// and `json`. The default is 64 MiB. Reading by hand has no limit.
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

    /// The same, for what is made of the bytes: an error about that still knows the exchange.
    pub(crate) fn collect(&mut self) -> Result<Vec<u8>> {
        let too_large = |about: &About, what: String| about.error(Error::new(ErrorKind::BodyTooLarge, what));
        let collected = Collected::new(self.limit, self.remaining());
        let mut collected = collected.map_err(|what| too_large(&self.about, what))?;
        while !self.is_complete() {
            let room = collected.room(self.remaining(), self.collect_step());
            let count = self.read_into(room.map_err(|what| too_large(&self.about, what))?)?;
            collected.add(count);
            collected.append(self.appendable(), |bytes, count| self.append_arrived(bytes, count))?;
            collected.check().map_err(|what| too_large(&self.about, what))?;
        }
        Ok(collected.into_bytes())
    }

    /// Reads the body as text.
    ///
    /// The charset is that of a byte order mark at the beginning (UTF-8 or UTF-16), which is left out; else
    /// the one that `Content-Type` announced; else UTF-8. UTF-8, UTF-16 and windows-1252, which is also
    /// what `iso-8859-1` and `us-ascii` stand for, are built in; all others of the WHATWG Encoding Standard
    /// come with the feature `charset`. What the text says of itself (`<meta>`) is not looked at: see
    /// [`text_as`](Body::text_as).
    ///
    /// # Errors
    /// As [`bytes`](Body::bytes), and [`ErrorKind::Decode`] if the body is not of that charset (the message
    /// has the first byte that is wrong), if the charset is unknown or needs the feature, or if a
    /// Content-Encoding was not undone: nothing is replaced in silence.
    pub fn text(self) -> Result<String> {
        self.into_text(&Headers::new(), None)
    }

    /// Reads the body as text in this charset, a label of the WHATWG Encoding Standard, and not in the one
    /// that was announced. A byte order mark still comes before it.
    ///
    /// # Errors
    /// As [`text`](Body::text).
    ///
    /// ```no_run
    /// let page = longwire::get("http://example.com/")?.into_body().text_as("windows-1252")?;
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn text_as(self, charset: &str) -> Result<String> {
        self.into_text(&Headers::new(), Some(charset))
    }

    /// Reads the body as text, as [`text`](Body::text) does, with U+FFFD in place of what is not of its
    /// charset. A charset that is unknown, or needs the feature `charset`, is taken for UTF-8, so that of
    /// most of them at least the ASCII characters are right.
    ///
    /// # Errors
    /// As [`bytes`](Body::bytes).
    pub fn text_lossy(self) -> Result<String> {
        self.into_text_lossy(&Headers::new())
    }

    /// Copies the body to `writer`, to its end, and returns how many bytes that were.
    ///
    /// # Errors
    /// Whatever reading meets; and [`ErrorKind::Io`] with the writer's own error inside.
    pub fn copy_to(&mut self, writer: &mut (impl Write + ?Sized)) -> Result<u64> {
        let mut copied = 0;
        loop {
            let arrived = self.fill(&Deadline::NONE)?;
            let count = arrived.len();
            if count == 0 {
                return Ok(copied);
            }
            let written = writer.write_all(arrived);
            self.consume(count);
            written.map_err(|error| {
                self.about.error(Error::from_io(ErrorKind::Io, "writing the body to its copy", error))
            })?;
            copied += count as u64;
        }
    }

    /// Creates an error about this body: with the method, the URL, the status and the peer's address
    /// of its exchange.
    pub fn error(&self, kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Error {
        self.about.error(Error::new(kind, message))
    }

    /// Reads what arrives within that time, up to `bytes_max` bytes or the limit. The end of the time
    /// leaves the body as it is; an error ends it, and is returned if it is a cancel.
    pub(crate) fn read_within(&mut self, bytes_max: usize, time: Duration) -> Result<Vec<u8>> {
        let bytes_max = at_most(self.limit, bytes_max);
        let until = Deadline::of("the wait for an error's page", Some(time), Instant::now());
        let mut page = Vec::new();
        while page.len() < bytes_max {
            let count = match self.poll_data(&until) {
                Ok(0) => break,
                Ok(count) => count.min(bytes_max - page.len()),
                Err(error) if error.is_timeout() && until.has_passed() => break,
                Err(error) => match self.fail(error) {
                    cancelled if cancelled.is_cancelled() => return Err(cancelled),
                    _ => break,
                },
            };
            page.extend_from_slice(&self.front()[..count]);
            self.take(count);
        }
        Ok(page)
    }

    /// Reads; 0 into a buffer that is not empty is the end.
    #[inline]
    fn read_into(&mut self, into: &mut [u8]) -> Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        #[cfg(feature = "__coding")]
        if self.coded.is_some() {
            return match self.decode_direct(into)? {
                Some(count) => Ok(count),
                None => self.read_front(into),
            };
        }
        while let State::Open(framed) = &mut self.state {
            if !framed.lease.buffer.bytes().is_empty() || into.len() < framed.lease.buffer.size() {
                break;
            }
            if let Some(count) = self.read_direct(into)? {
                return Ok(count);
            }
        }
        self.read_front(into)
    }

    /// Copies what stands at the front, waited for if nothing does; 0 is the end.
    #[inline]
    fn read_front(&mut self, into: &mut [u8]) -> Result<usize> {
        let arrived = self.fill(&Deadline::NONE)?;
        let count = arrived.len().min(into.len());
        into[..count].copy_from_slice(&arrived[..count]);
        self.take(count);
        Ok(count)
    }

    /// Returns the content at the front of the buffer, waited for until then if there is none; no
    /// bytes are the end.
    #[inline]
    fn fill(&mut self, until: &Deadline) -> Result<&[u8]> {
        let count = match self.poll_data(until) {
            Ok(count) => count,
            Err(error) => return Err(self.fail(error)),
        };
        Ok(&self.front()[..count])
    }

    /// What stands at the front, and whatever is behind it.
    #[inline]
    fn front(&self) -> &[u8] {
        #[cfg(feature = "__coding")]
        if let Some(coded) = &self.coded {
            return coded.waiting();
        }
        match &self.state {
            State::Open(framed) => framed.lease.buffer.bytes(),
            _ => &[],
        }
    }

    /// Waits until there is content at the front of the buffer: how many bytes, 0 at the end. An error
    /// has not failed the body yet.
    #[inline]
    fn poll_data(&mut self, until: &Deadline) -> Result<usize> {
        #[cfg(feature = "__coding")]
        if self.coded.is_some() {
            return self.poll_decoded(until);
        }
        loop {
            let framed = match &mut self.state {
                State::Open(framed) => framed,
                State::Ended(..) | State::Switched(_) => return Ok(0),
                State::Failed(error, _) => return Err(error.clone()),
            };
            framed.lease.check_cancelled()?;
            match framed.next()? {
                Found::Data(count) => return Ok(count),
                Found::End => self.finish(),
                Found::Nothing => {
                    if framed.fill(until)? == 0 {
                        self.finish();
                    }
                }
            }
        }
    }

    /// Takes `count` bytes that `fill` has found. Finishes the body if its end has arrived already, so
    /// that the connection is released with the last byte; an error that shows up is for the next read.
    #[inline]
    fn take(&mut self, count: usize) {
        #[cfg(feature = "__coding")]
        if let Some(coded) = &mut self.coded {
            coded.consume(count);
            return self.finish_decoded();
        }
        let State::Open(framed) = &mut self.state else { return };
        framed.lease.buffer.consume(count);
        framed.advance(count);
        let found = match framed.decoder.remaining() {
            Some(0) => Ok(Found::End),
            Some(_) => return, // there is no more to see
            None => framed.next(),
        };
        match found {
            Ok(Found::End) => self.finish(),
            Ok(Found::Data(_) | Found::Nothing) => {}
            Err(error) => drop(self.fail(error)),
        }
    }

    /// Reads from the socket into the caller's buffer, and takes the framing out there: how many
    /// bytes of content that gave, 0 at the end, or `None` if it was framing alone.
    fn read_direct(&mut self, into: &mut [u8]) -> Result<Option<usize>> {
        let State::Open(framed) = &mut self.state else { return Ok(None) };
        // The read of the last byte has room for one more, so that stray bytes are seen.
        let is_last = framed.decoder.remaining() == Some(into.len() as u64);
        let room = into.len() - usize::from(is_last);
        let arrived = match framed.read_unbuffered(&mut into[..room]) {
            Ok(0) => {
                self.finish();
                return Ok(Some(0));
            }
            Ok(count) => count,
            Err(error) => return Err(self.fail(error)),
        };
        match framed.unframe(&mut into[..arrived]) {
            (0, Ok(false)) => Ok(None),
            (count, Ok(false)) => Ok(Some(count)),
            (count, Ok(true)) => {
                self.finish();
                Ok(Some(count))
            }
            (0, Err(error)) => Err(self.fail(error)),
            (count, Err(error)) => {
                drop(self.fail(error)); // the next read gives it
                Ok(Some(count))
            }
        }
    }

    /// How many bytes to read before something may be appended; past the connection's buffer in any case.
    fn collect_step(&self) -> usize {
        match &self.state {
            State::Open(framed) if self.coding().is_none() && framed.may_append() => {
                STEP_BYTES_BEFORE_APPEND.max(framed.lease.buffer.size())
            }
            _ => STEP_BYTES,
        }
    }

    /// How many bytes [`append_arrived`](Body::append_arrived) may append after a read, at most.
    fn appendable(&self) -> u64 {
        match &self.state {
            State::Open(framed) if self.coding().is_none() => framed.appendable(),
            _ => 0,
        }
    }

    /// Appends content that has arrived already, without waiting.
    fn append_arrived(&mut self, bytes: &mut Vec<u8>, count: usize) -> Result<()> {
        let State::Open(framed) = &mut self.state else { return Ok(()) };
        framed.append_arrived(bytes, count).map_err(|error| self.fail(error))
    }

    /// The body is complete: the connection is released, or closed for the reason known.
    #[inline]
    fn finish(&mut self) {
        let State::Open(framed) = &self.state else { return };
        let ended = State::ended(framed);
        if let State::Open(framed) = mem::replace(&mut self.state, ended) {
            framed.release_or_close();
        }
    }

    /// Closes the connection; from here on every read gives this error.
    #[cold]
    fn fail(&mut self, error: Error) -> Error {
        if let State::Failed(error, _) = &self.state {
            return error.clone();
        }
        let error = self.about.error(error);
        if let State::Open(framed) = &self.state {
            framed.lease.report(|ids| Event::Failed { error: &error, ids });
        }
        self.state = State::Failed(error.clone(), self.wire_bytes());
        error
    }
}

/// The same, where a content coding is undone.
#[cfg(feature = "__coding")]
impl Body {
    /// Decodes into the caller's buffer, if that is not small and nothing waits to be taken: how many bytes
    /// that gave, or `None` if it is neither, or at the end.
    fn decode_direct(&mut self, into: &mut [u8]) -> Result<Option<usize>> {
        while let (Some(coded), State::Open(framed)) = (&mut self.coded, &mut self.state) {
            if !coded.waiting().is_empty() || into.len() < coded::PIECE_BYTES {
                break;
            }
            match coded.decode(framed, &Deadline::NONE, into) {
                Ok(Decoded::Data(count)) => {
                    self.finish_decoded();
                    return Ok(Some(count));
                }
                Ok(Decoded::End) => self.finish(),
                Ok(Decoded::Nothing) => self.fill_coded(&Deadline::NONE).map_err(|error| self.fail(error))?,
                Err(error) => return Err(self.fail(error)),
            }
        }
        Ok(None)
    }

    /// Waits until there is decoded content: how many bytes, 0 at the end.
    fn poll_decoded(&mut self, until: &Deadline) -> Result<usize> {
        loop {
            let (coded, framed) = match (&mut self.coded, &mut self.state) {
                (_, State::Failed(error, _)) => return Err(error.clone()),
                (Some(coded), State::Open(framed)) => (coded, framed),
                _ => return Ok(0),
            };
            if !coded.waiting().is_empty() {
                return Ok(coded.waiting().len());
            }
            match coded.decode_piece(framed, until)? {
                Decoded::Data(count) => return Ok(count),
                Decoded::End => self.finish(),
                Decoded::Nothing => self.fill_coded(until)?,
            }
        }
    }

    /// Waits for more of the coded bytes. Where the connection's end is the end, so is it for the coding.
    fn fill_coded(&mut self, until: &Deadline) -> Result<()> {
        let (Some(coded), State::Open(framed)) = (&self.coded, &mut self.state) else { return Ok(()) };
        if framed.fill(until)? == 0 {
            coded.eof()?;
            self.finish();
        }
        Ok(())
    }

    /// Finishes the body if all of it was taken and its end has arrived, so that the connection is
    /// released with the last byte; an error that shows up is for the next read.
    fn finish_decoded(&mut self) {
        let (Some(coded), State::Open(framed)) = (&mut self.coded, &mut self.state) else { return };
        // The few bytes that are left may be a trailer, which makes no content.
        let is_far = framed.decoder.remaining().is_some_and(|left| left > coded::TRAILER_BYTES_MAX as u64);
        if is_far || !coded.waiting().is_empty() {
            return;
        }
        let decoded = match framed.next() {
            Ok(Found::Data(count)) if count > coded::TRAILER_BYTES_MAX => return,
            Ok(Found::Nothing) => return,
            Ok(Found::End) if coded.may_end() => return self.finish(),
            // A fault comes after what was decoded before it.
            Ok(Found::Data(_) | Found::End) | Err(_) => coded.decode_piece(framed, &Deadline::NONE),
        };
        match decoded {
            Ok(Decoded::End) => self.finish(),
            Ok(Decoded::Data(_) | Decoded::Nothing) => {}
            Err(error) => drop(self.fail(error)),
        }
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
        Ok(self.fill(&Deadline::NONE)?)
    }

    /// Takes bytes that `fill_buf` has given; more than those are not taken.
    fn consume(&mut self, count: usize) {
        #[cfg(feature = "__coding")]
        if self.coded.is_some() {
            return self.take(count);
        }
        if let State::Open(framed) = &mut self.state {
            if let Ok(Found::Data(arrived)) = framed.next() {
                self.take(count.min(arrived));
            }
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        // Asked first: a body that was read to its end is not worth the move.
        if let State::Open(_) | State::Switched(_) = self.state {
            match mem::replace(&mut self.state, State::NONE) {
                State::Open(framed) => framed.drain_or_close(),
                State::Switched(lease) => lease.close(CloseReason::Upgraded),
                State::Ended(..) | State::Failed(..) => {}
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Open(framed) => write!(f, "Body(open, remaining: {:?})", framed.decoder.remaining()),
            State::Switched(_) => f.write_str("Body(switched protocols)"),
            State::Ended(end, ..) => write!(f, "Body(ended: {end:?})"),
            State::Failed(error, _) => write!(f, "Body(failed: {error})"),
        }
    }
}
