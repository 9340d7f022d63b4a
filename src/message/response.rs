//! A response as the caller holds it: the head, the body, and how it came about.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::headers::Headers;
use crate::message::body::framed::Framed;
use crate::message::body::{About, Body};
use crate::message::connection_info::ConnectionInfo;
use crate::message::send_body::Upload;
use crate::method::Method;
use crate::net::pool::Lease;
use crate::net::transport::Stream;
use crate::net::transport::socket::OtherStream;
use crate::observe::Timings;
use crate::redact::text_excerpt;
use crate::reuse::Reuse;
use crate::status::{StatusCode, Version};
use crate::wire::framing::Framing;
use crate::wire::head::Head;

/// What is kept of an error page, and for how long it is waited for.
const ERROR_PAGE_BYTES_MAX: usize = 8 * 1024;
const ERROR_PAGE_WAIT: Duration = Duration::from_secs(1);

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
    /// When the exchange began, and when its request was sent.
    begun: Instant,
    sent: Instant,
    redirects: Vec<Url>,
}

/// What an exchange gives: what a response is made of, but for the URL.
pub(crate) struct ResponseParts {
    pub(crate) lease: Lease,
    pub(crate) received: ReceivedHead,
}

/// What came over the connection.
pub(crate) struct ReceivedHead {
    pub(crate) head: Head,
    pub(crate) content_length: Option<u64>,
    pub(crate) framing: Framing,
    pub(crate) reuse: Reuse,
    pub(crate) upload: Upload,
    /// When the request was sent, and when the head had come.
    pub(crate) sent: Instant,
    pub(crate) received: Instant,
}

impl ResponseParts {
    /// The body alone. To drop it, and not the lease, is how a response is left unread.
    pub(crate) fn into_framed(self) -> Framed {
        Framed::new(self.lease, self.received.head.status, self.received.framing, self.received.reuse)
    }
}

impl Response {
    #[inline]
    pub(crate) fn new(parts: ResponseParts, method: Method, url: Url, redirects: Vec<Url>) -> Response {
        let ResponseParts {
            lease,
            received: ReceivedHead { head, content_length, framing, reuse, upload, sent, received },
        } = parts;
        let connection = ConnectionInfo::new(lease.opened.clone(), lease.exchanges, received);
        let begun = lease.begun;
        let is_request_complete = upload == Upload::Complete;
        let about = About { method, url, status: head.status, connection };
        let body = Body::new(Framed::new(lease, head.status, framing, reuse), about);
        Response { head, content_length, is_request_complete, body, begun, sent, redirects }
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
        &self.body.about().url
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
        &self.body.about().connection
    }

    /// How long the phases took.
    pub fn timings(&self) -> Timings {
        let (sent, connection) = (self.sent, self.connection());
        Timings {
            send: sent.saturating_duration_since(self.begun),
            wait: connection.received().saturating_duration_since(sent),
            ..if connection.reused() { Timings::default() } else { connection.took_to_open() }
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
    pub fn into_body(mut self) -> Body {
        self.body.note_content(&self.head.headers);
        self.body
    }

    /// Sets how many bytes [`bytes`](Response::bytes), [`text`](Response::text) and
    /// [`text_lossy`](Response::text_lossy) may collect. The default is 64 MiB. Reading by hand has
    /// no limit.
    ///
    /// ```no_run
    /// let small = longwire::get("http://example.com/")?.limit(1024).bytes()?;
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn limit(mut self, bytes: u64) -> Response {
        self.body = self.body.limit(bytes);
        self
    }

    /// Reads the (rest of the) body into memory: [`Body::bytes`].
    ///
    /// # Errors
    /// As [`Body::bytes`].
    pub fn bytes(self) -> Result<Vec<u8>> {
        self.body.bytes()
    }

    /// Reads the body as UTF-8 text: [`Body::text`].
    ///
    /// # Errors
    /// As [`Body::text`].
    pub fn text(self) -> Result<String> {
        self.body.into_text(&self.head.headers)
    }

    /// Reads the body as UTF-8 text, with U+FFFD for what is not: [`Body::text_lossy`].
    ///
    /// # Errors
    /// As [`Body::bytes`].
    pub fn text_lossy(self) -> Result<String> {
        self.body.text_lossy()
    }

    /// Copies the body to `writer`, to its end: [`Body::copy_to`].
    ///
    /// # Errors
    /// As [`Body::copy_to`].
    pub fn copy_to(&mut self, writer: &mut (impl Write + ?Sized)) -> Result<u64> {
        self.body.copy_to(writer)
    }

    /// Turns a status of 400 or above into an error.
    ///
    /// The first 8 KiB of the body go along as [`Error::body`]: what comes within one second, and
    /// within the limits of the request, so this may block for a second. A body that was read to its
    /// end so does not cost the connection; of a longer or slower one the rest is left, as when a body
    /// is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Status`], with the code in [`Error::status`]; [`ErrorKind::Cancelled`] after a
    /// cancel.
    ///
    /// ```no_run
    /// let error = longwire::get("http://example.com/missing")?.error_for_status().unwrap_err();
    /// println!("{error}: {}", String::from_utf8_lossy(error.body().unwrap_or_default()));
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn error_for_status(mut self) -> Result<Response> {
        let status = self.status();
        if status.as_u16() < 400 {
            return Ok(self);
        }
        let reason = text_excerpt(self.reason());
        let page = self.body.read_within(ERROR_PAGE_BYTES_MAX, ERROR_PAGE_WAIT)?;
        let said = format!("the server answered {status} {reason}").trim_end().to_owned();
        Err(self.error(ErrorKind::Status, said).with_body(page))
    }

    /// Creates an error about this response: with the method, the URL, the status and the peer's
    /// address of its exchange.
    ///
    /// ```no_run
    /// use longwire::ErrorKind;
    ///
    /// let response = longwire::get("http://example.com/list")?;
    /// if response.header("Content-Type") != Some("application/json") {
    ///     return Err(response.error(ErrorKind::Decode, "this is no JSON"));
    /// }
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn error(&self, kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Error {
        self.body.error(kind, message)
    }

    /// Takes the connection over after a 101 response (RFC 9110 §7.8).
    ///
    /// The request must have asked with `Upgrade` and `Connection: upgrade`; that protocol is
    /// spoken from here on. The stream has no time limits until you set some.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if the response is not a 101.
    pub fn upgrade(self) -> Result<Upgraded> {
        let refused = self.error(ErrorKind::InvalidRequest, format!("a {} is no upgrade", self.status()));
        let Some(taken) = self.body.take_switched() else { return Err(refused) };
        taken.map(|(stream, arrived)| Upgraded { stream: OtherStream::new(stream), arrived, used: 0 })
    }
}

impl Read for Response {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.body.read(into)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status())
            .field("version", &self.version())
            .field("url", &self.url().as_str())
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
    stream: OtherStream,
    arrived: Vec<u8>,
    used: usize,
}

impl Upgraded {
    /// The server's address, if it has one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.stream.lock().peer_addr()
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
        (self.stream.into_inner(), self.arrived)
    }
}

impl Read for Upgraded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let arrived = &self.arrived[self.used..];
        if arrived.is_empty() {
            return self.stream.get_mut().read(into);
        }
        let count = arrived.len().min(into.len());
        into[..count].copy_from_slice(&arrived[..count]);
        self.used += count;
        Ok(count)
    }
}

impl Write for Upgraded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.get_mut().write_nosignal(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.get_mut().flush()
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("peer_addr", &self.peer_addr()).finish()
    }
}
