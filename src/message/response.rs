//! A response as the caller holds it: the head, the body, and how it came about.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use url::Url;

use crate::error::{Error, ErrorKind, Fate, Result, Stage, excerpt};
use crate::headers::Headers;
use crate::message::body::{Afterwards, Body};
use crate::net::conn::Opened;
use crate::net::pool::Lease;
use crate::net::transport::Stream;
use crate::observe::{CloseReason, Timings};
use crate::status::{StatusCode, Version};
use crate::wire::framing::Framing;
use crate::wire::head::Head;
use crate::wire::step::at_most;

/// What `bytes` and `text` collect unless [`Response::limit`] says otherwise.
const COLLECT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Memory that is reserved at a time, on the word of a Content-Length alone.
const RESERVE_BYTES_MAX: usize = if cfg!(target_pointer_width = "64") { 16 << 20 } else { 1 << 20 };

/// The least that is reserved for an unknown length.
const RESERVE_BYTES_MIN: usize = 8 * 1024;

/// Bytes that are read at a time. They are zeroed first, and few enough to be in the cache still when
/// the system writes into them.
const COLLECT_STEP_BYTES: usize = 256 * 1024;

/// A response. Reading from it reads the body.
///
/// Status codes of 400 and above are responses like any other; see
/// [`error_for_status`](Response::error_for_status).
///
/// ```no_run
/// use std::io::Read;
///
/// let mut response = longwire::get("http://example.com/")?;
/// println!("{} {}", response.status(), response.reason());
/// let mut buffer = [0; 4096];
/// loop {
///     let count = response.read(&mut buffer)?;
///     if count == 0 {
///         break; // complete, and the connection is free for the next request
///     }
///     println!("{count} bytes");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Response {
    head: Head,
    content_length: Option<u64>,
    is_request_complete: bool,
    body: Body,
    connection: ConnectionInfo,
    /// When the exchange began, and when its request was sent.
    begun: Instant,
    sent: Instant,
    url: Url,
    redirects: Vec<Url>,
    limit: u64,
}

/// What an exchange gives: what a response is made of, but for the URL.
pub(crate) struct ResponseParts {
    pub(crate) lease: Lease,
    pub(crate) met: Met,
}

/// What came over the connection.
pub(crate) struct Met {
    pub(crate) head: Head,
    pub(crate) content_length: Option<u64>,
    pub(crate) framing: Framing,
    pub(crate) afterwards: Afterwards,
    /// When the request was sent, and when the head had come.
    pub(crate) sent: Instant,
    pub(crate) received: Instant,
}

impl ResponseParts {
    /// The body alone. To drop it, and not the lease, is how a response is left unread.
    pub(crate) fn into_body(self) -> Body {
        Body::new(self.lease, self.met.head.status, self.met.framing, self.met.afterwards)
    }
}

/// The connection that a response came on.
///
/// ```no_run
/// let response = longwire::get("http://example.com/")?;
/// let connection = response.connection();
/// println!("exchange {} on {:?}", connection.exchange(), connection.peer_addr());
/// # Ok::<(), longwire::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    opened: Arc<Opened>,
    exchange: u32,
    received: Instant,
}

impl ConnectionInfo {
    /// The server's address, or the proxy's where there is one between; `None` for transports that
    /// have none.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.opened.peer
    }

    /// Our own address; `None` for transports that have none.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.opened.local
    }

    /// Whether another exchange had used the connection before.
    pub fn reused(&self) -> bool {
        self.exchange > 1
    }

    /// The number of this exchange on its connection, counted from 1.
    pub fn exchange(&self) -> u32 {
        self.exchange
    }

    /// How long the connection had been open when the response head came.
    pub fn age(&self) -> Duration {
        self.received.saturating_duration_since(self.opened.at)
    }
}

impl Response {
    #[inline]
    pub(crate) fn new(parts: ResponseParts, url: Url, redirects: Vec<Url>) -> Response {
        let ResponseParts { lease, met: Met { head, content_length, framing, afterwards, sent, received } } = parts;
        let connection = ConnectionInfo { opened: lease.opened.clone(), exchange: lease.exchanges, received };
        let begun = lease.begun();
        let is_request_complete = !matches!(afterwards, Err(CloseReason::UploadUnfinished));
        let body = Body::new(lease, head.status, framing, afterwards);
        let limit = COLLECT_BYTES_MAX;
        Response { head, content_length, is_request_complete, body, connection, begun, sent, url, redirects, limit }
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// What the server wrote behind the code; often empty, never to be relied on. Bytes that are
    /// not UTF-8 are replaced.
    pub fn reason(&self) -> &str {
        self.head.reason()
    }

    /// The protocol version.
    pub fn version(&self) -> Version {
        self.head.version
    }

    /// The header fields.
    pub fn headers(&self) -> &Headers {
        &self.head.headers
    }

    /// The first value of a header field, if it is there and UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)
    }

    /// The URL that answered: the last one, where redirects were followed. Without userinfo.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The URLs that redirected here, first to last; empty without redirects.
    pub fn redirects(&self) -> &[Url] {
        &self.redirects
    }

    /// The length of the whole body, where the framing says it beforehand. It does not change
    /// while the body is read. 204 and 304 have none, so it is 0; of HEAD it is what the head
    /// announces, the length that GET would have.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Whether the request was sent whole. It was not where the server answered before it had the body,
    /// and either did so with a status of 300 or above, or in place of the 100 that was waited for, or
    /// took nothing more for three seconds (RFC 9112 §9.5): a 2xx may not mean the whole body then.
    pub fn is_request_complete(&self) -> bool {
        self.is_request_complete
    }

    /// The connection that it came on.
    pub fn connection(&self) -> &ConnectionInfo {
        &self.connection
    }

    /// How long the phases took.
    pub fn timings(&self) -> Timings {
        let Response { connection, begun, sent, .. } = self;
        Timings {
            send: sent.saturating_duration_since(*begun),
            wait: connection.received.saturating_duration_since(*sent),
            ..if connection.reused() { Timings::default() } else { connection.opened.took }
        }
    }

    /// The final head as it came, status line to empty line; interim responses are not in it.
    pub fn raw_head(&self) -> &[u8] {
        self.head.raw()
    }

    /// The body, to look at.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The body, to read.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// The body alone.
    pub fn into_body(self) -> Body {
        self.body
    }

    /// Sets how many bytes [`bytes`](Response::bytes) and [`text`](Response::text) may collect.
    /// The default is 64 MiB. Reading by hand has no limit.
    ///
    /// ```no_run
    /// let small = longwire::get("http://example.com/")?.limit(1024).bytes()?;
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn limit(mut self, bytes: u64) -> Response {
        self.limit = bytes;
        self
    }

    /// Reads the (rest of the) body into memory.
    ///
    /// A length that the server announces is not trusted with memory: at most 16 MiB (on 32
    /// bits 1 MiB) are reserved ahead of what has arrived.
    ///
    /// # Errors
    /// [`ErrorKind::BodyTooLarge`] if it is longer than the [`limit`](Response::limit), at once
    /// where the length is known; and whatever reading meets.
    pub fn bytes(mut self) -> Result<Vec<u8>> {
        self.collect().map_err(|error| error.with_url(&self.url))
    }

    /// Reads the body as UTF-8 text.
    ///
    /// # Errors
    /// As [`bytes`](Response::bytes), and [`ErrorKind::Decode`] if it is not UTF-8: nothing is
    /// replaced in silence.
    pub fn text(mut self) -> Result<String> {
        let collected = self.collect().and_then(|bytes| {
            String::from_utf8(bytes).map_err(|error| {
                let at = error.utf8_error().valid_up_to();
                self.failure(ErrorKind::Decode, format!("the body is not UTF-8 (byte {})", at + 1))
            })
        });
        collected.map_err(|error| error.with_url(&self.url))
    }

    /// Copies the body to `writer`, to its end: how many bytes that were.
    ///
    /// # Errors
    /// Whatever reading meets; and [`ErrorKind::Io`] with the writer's own error as its source.
    pub fn copy_to(&mut self, writer: &mut (impl Write + ?Sized)) -> Result<u64> {
        let mut copied = 0;
        loop {
            let ready = self.body.ready().map_err(|error| error.with_url(&self.url))?;
            let count = ready.len();
            if count == 0 {
                return Ok(copied);
            }
            let written = writer.write_all(ready);
            io::BufRead::consume(&mut self.body, count);
            written.map_err(|error| {
                let error = Error::from_io(ErrorKind::Io, "writing the body to its copy", error);
                error.at(Stage::Body).with_fate(Fate::ResponseStarted).with_url(&self.url)
            })?;
            copied += count as u64;
        }
    }

    /// Turns a status of 400 or above into an error.
    ///
    /// # Errors
    /// [`ErrorKind::Status`], with the code in [`Error::status`].
    pub fn error_for_status(self) -> Result<Response> {
        let status = self.status();
        if status.as_u16() < 400 {
            return Ok(self);
        }
        let reason = excerpt(self.reason().as_bytes());
        let error = self.failure(ErrorKind::Status, format!("the server answered {status} {reason}"));
        Err(error.with_status(status).with_url(&self.url))
    }

    /// Takes the connection over after a 101 response (RFC 9110 §7.8).
    ///
    /// The request must have asked with `Upgrade` and `Connection: upgrade`; that protocol is
    /// spoken from here on. The stream has no time limits until you set some.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if the response is not a 101.
    pub fn upgrade(self) -> Result<Upgraded> {
        let refused = self.failure(ErrorKind::InvalidRequest, format!("a {} is no upgrade", self.status()));
        let peer = self.connection.peer_addr();
        let Some(conn) = self.body.take_switched() else { return Err(refused) };
        let taken = conn.into_parts().map_err(|error| {
            error.at(Stage::Body).with_fate(Fate::ResponseStarted).with_peer(peer).with_url(&self.url)
        });
        taken.map(|(stream, arrived)| Upgraded { stream, arrived, used: 0 })
    }

    fn failure(&self, kind: ErrorKind, what: String) -> Error {
        let error = Error::new(kind, what).at(Stage::Body).with_fate(Fate::ResponseStarted);
        error.with_peer(self.connection.peer_addr())
    }

    fn collect(&mut self) -> Result<Vec<u8>> {
        let fits = |left| left <= self.limit && isize::try_from(left).is_ok();
        if self.body.remaining().is_some_and(|left| !fits(left)) {
            return Err(self.too_large());
        }
        let mut collected = Vec::new();
        let mut filled = 0; // what is behind is room, zeroed once
        while !self.body.is_complete() {
            if filled == collected.len() {
                self.reserve(&mut collected)?;
                collected.resize(collected.capacity().min(filled + COLLECT_STEP_BYTES), 0);
            }
            match self.body.pull(&mut collected[filled..])? {
                0 => break,
                count => filled += count,
            }
            if filled as u64 > self.limit {
                return Err(self.too_large());
            }
        }
        collected.truncate(filled);
        Ok(collected)
    }

    /// Makes room: for all that is left, if that is known and not too much; else for as much again
    /// as has come.
    fn reserve(&self, collected: &mut Vec<u8>) -> Result<()> {
        if collected.capacity() > collected.len() {
            return Ok(());
        }
        let more = match self.body.remaining() {
            Some(left) => at_most(left, collected.len().max(RESERVE_BYTES_MAX)),
            None => collected.len().max(RESERVE_BYTES_MIN),
        };
        collected.try_reserve_exact(more).map_err(|_| {
            let bytes = collected.len().saturating_add(more);
            self.failure(ErrorKind::BodyTooLarge, format!("there is no memory for a body of {bytes} bytes"))
        })
    }

    fn too_large(&self) -> Error {
        let limit = self.limit.min(isize::MAX as u64);
        self.failure(ErrorKind::BodyTooLarge, format!("the body is over {limit} bytes (limit)"))
    }
}

impl Read for Response {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(self.body.pull(into).map_err(|error| error.with_url(&self.url))?)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status())
            .field("version", &self.version())
            .field("url", &self.url.as_str())
            .field("headers", self.headers())
            .field("body", &self.body)
            .finish()
    }
}

/// A connection that speaks another protocol after a 101 response.
///
/// Reads give first what had arrived behind the head. Dropping it closes the connection.
///
/// ```no_run
/// use std::io::Write;
///
/// let response = longwire::request(longwire::Method::GET, "http://example.com/chat")
///     .header("Upgrade", "websocket")
///     .header("Connection", "upgrade")
///     .send()?;
/// let mut stream = response.upgrade()?;
/// stream.write_all(b"hello in another protocol")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Upgraded {
    stream: Box<dyn Stream>,
    arrived: Vec<u8>,
    used: usize,
}

impl Upgraded {
    /// The server's address, if it has one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.stream.peer_addr()
    }

    /// How long a read and a write may block; `None`, the default, is for ever.
    ///
    /// # Errors
    /// A zero duration, and whatever the system says.
    pub fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.stream.set_timeouts(read, write)
    }

    /// The stream, and the bytes that have arrived on it already.
    pub fn into_parts(mut self) -> (Box<dyn Stream>, Vec<u8>) {
        self.arrived.drain(..self.used);
        (self.stream, self.arrived)
    }
}

impl Read for Upgraded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let arrived = &self.arrived[self.used..];
        if arrived.is_empty() {
            return self.stream.read(into);
        }
        let count = arrived.len().min(into.len());
        into[..count].copy_from_slice(&arrived[..count]);
        self.used += count;
        Ok(count)
    }
}

impl Write for Upgraded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("peer_addr", &self.peer_addr()).finish()
    }
}
