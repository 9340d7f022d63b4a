//! A response as the caller holds it: the head, the body, and how it came about.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::headers::Headers;
use crate::media_type;
use crate::message::body::framed::Framed;
use crate::message::body::{About, Body};
use crate::message::connection_info::ConnectionInfo;
use crate::message::send_body::Upload;
use crate::message::upgraded::Upgraded;
use crate::method::Method;
use crate::net::deadline::Deadline;
use crate::net::pool::lease::Lease;
use crate::observe::Timings;
use crate::redact::text_excerpt;
use crate::reuse::Reuse;
use crate::status::{StatusCode, Version};
#[cfg(feature = "__coding")]
use crate::wire::coding::ContentDecoder;
use crate::wire::framing::{self, Framing};
use crate::wire::http_date;
use crate::wire::response_head::Head;

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
#[doc(alias("iter_content", "iter_lines", "stream", "bytes_stream", "into_reader"))]
pub struct Response {
    received: Received,
    body: Body,
}

/// A response without its body: what [`Response::into_parts`] returns besides the body.
///
/// ```no_run
/// let (head, body) = longwire::get("http://example.com/")?.into_parts();
/// println!("{} {:?}", head.status(), head.header("Date"));
/// # drop(body);
/// # Ok::<(), longwire::Error>(())
/// ```
pub struct ResponseHead {
    received: Received,
    url: Url,
    connection: ConnectionInfo,
}

/// What the two have in common.
struct Received {
    head: Head,
    content_length: Option<u64>,
    is_request_complete: bool,
    /// When the exchange began, and when its request was sent.
    begun: Instant,
    sent: Instant,
    attempts: u32,
    redirects: Redirected,
}

/// How a response came to have another URL than its request.
pub(crate) struct Redirected {
    /// The URLs that redirected, first to last.
    pub(crate) by: Vec<Url>,
    /// How many of them did so for good, before any that did not.
    pub(crate) permanent: usize,
}

/// What an exchange gives: a response, but for its URL.
pub(crate) struct Exchanged {
    pub(crate) lease: Lease,
    pub(crate) received: ReceivedHead,
    /// The request asked for content codings that are undone.
    #[cfg(feature = "__coding")]
    pub(crate) decodes: bool,
    /// How often a policy had the request sent to this URL.
    pub(crate) attempts: u32,
}

/// A response head that was read, and what is decided of the body and the connection.
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

impl Exchanged {
    /// Leaves the response unread. (To drop the lease alone would close the connection.)
    pub(crate) fn discard(self) {
        Framed::new(self.lease, self.received.framing, self.received.reuse).drain_or_close();
    }

    /// Leaves the response unread, but waits for the rest of it, so that its connection can be used again.
    /// The only error is a cancel.
    pub(crate) fn drain(self, until: &Deadline) -> Result<()> {
        Framed::new(self.lease, self.received.framing, self.received.reuse).drain_until(until)
    }

    #[inline(always)]
    pub(crate) fn into_response(self, method: Method, url: Url, redirects: Redirected) -> Response {
        #[cfg(feature = "__coding")]
        let decoder = self.decoder();
        let Exchanged { lease, received, attempts, .. } = self;
        let ReceivedHead { head, content_length, framing, reuse, upload, sent, received } = received;
        #[cfg(feature = "__coding")]
        let content_length = content_length.filter(|_| !matches!(decoder, Ok(Some(_))));
        let connection =
            ConnectionInfo { opened: lease.opened.clone(), nth: lease.exchanges, reused: lease.is_pooled, received };
        let is_request_complete = upload == Upload::Complete;
        let about = About { method, url, status: head.status, connection };
        let received =
            Received { head, content_length, is_request_complete, begun: lease.begun, sent, attempts, redirects };
        #[cfg_attr(not(feature = "__coding"), expect(unused_mut))]
        let mut response = Response { received, body: Body::new(lease, framing, reuse, about) };
        #[cfg(feature = "__coding")]
        response.body.undo(decoder);
        response
    }

    /// The decoder of the body's content coding, if it is to be undone. A part of a representation
    /// (206) cannot be, and what has no byte need not be.
    #[cfg(feature = "__coding")]
    fn decoder(&self) -> Result<Option<ContentDecoder>> {
        let ReceivedHead { head, framing, .. } = &self.received;
        let has_body = !matches!(framing, Framing::Empty | Framing::Length(0));
        match self.decodes && has_body && head.status != StatusCode::PARTIAL_CONTENT {
            true => ContentDecoder::of(&head.headers),
            false => Ok(None),
        }
    }
}

/// The date in a field.
fn date_field(headers: &Headers, name: &str) -> Option<SystemTime> {
    let seconds = http_date::parse(headers.get_bytes(name)?)?;
    let span = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { UNIX_EPOCH.checked_sub(span) } else { UNIX_EPOCH.checked_add(span) }
}

/// How long the response asks to wait.
pub(crate) fn retry_after(headers: &Headers) -> Option<Duration> {
    if let Some(seconds) = framing::saturating_decimal(headers.get_bytes("retry-after")?.trim_ascii()) {
        return Some(Duration::from_secs(seconds));
    }
    let until = date_field(headers, "retry-after")?;
    let from = date_field(headers, "date").unwrap_or_else(SystemTime::now);
    Some(until.duration_since(from).unwrap_or_default())
}

/// The getters of a head, which a response has as well.
macro_rules! head_getters {
    () => {
        /// Returns the status code.
        pub fn status(&self) -> StatusCode {
            self.received.head.status
        }

        /// Returns the reason phrase of the status line: often empty, never to be relied on. Bytes
        /// that are not UTF-8 are replaced.
        pub fn reason(&self) -> &str {
            self.received.head.reason()
        }

        /// Returns the protocol version.
        pub fn version(&self) -> Version {
            self.received.head.version
        }

        /// Returns the header fields.
        pub fn headers(&self) -> &Headers {
            &self.received.head.headers
        }

        /// Returns the first value of a header field, if it is there and UTF-8.
        pub fn header(&self, name: &str) -> Option<&str> {
            self.received.head.headers.get(name)
        }

        /// Returns the charset that `Content-Type` announces, as it is spelled there: `None` if there is
        /// none, or if it is not a plain word (not UTF-8, or with backslashes).
        ///
        /// `text` goes by it.
        #[doc(alias = "encoding")]
        pub fn charset(&self) -> Option<&str> {
            match media_type::charset(self.received.head.headers.get_bytes("content-type")?)? {
                Cow::Borrowed(charset) => std::str::from_utf8(charset).ok(),
                Cow::Owned(_) => None,
            }
        }

        /// Returns when the server made the response, by its `Date` (RFC 9110 §6.6.1); `None` if it sent
        /// none, or no date.
        pub fn date(&self) -> Option<SystemTime> {
            date_field(&self.received.head.headers, "date")
        }

        /// Returns when the resource was last changed, by `Last-Modified` (RFC 9110 §8.8.2).
        pub fn last_modified(&self) -> Option<SystemTime> {
            date_field(&self.received.head.headers, "last-modified")
        }

        /// Returns how long the server asks to wait before the next request, by `Retry-After` (RFC 9110
        /// §10.2.3): a number of seconds, or the time from the response's own `Date` to another date, so
        /// that the two clocks need not agree. (Without a `Date` it is the time from now.) Zero where that
        /// date has passed.
        pub fn retry_after(&self) -> Option<Duration> {
            retry_after(&self.received.head.headers)
        }

        /// Returns how many attempts the policy of [`ClientBuilder::retry`](crate::ClientBuilder::retry) took
        /// for this response: 1 if it is that to the first one; after redirects those of the last URL. The second
        /// try on a dead pooled connection, after a 417 or a Digest challenge is not counted.
        pub fn attempts(&self) -> u32 {
            self.received.attempts
        }

        /// Returns the URLs that redirected here, first to last; empty without redirects.
        #[doc(alias("history", "get_redirect_history", "save_redirect_history"))]
        pub fn redirects(&self) -> &[Url] {
            &self.received.redirects.by
        }

        /// Returns the URL to send the request to from now on (RFC 9110 §15.4.2, §15.4.9): where permanent
        /// redirects (301, 308) have led, up to the first that was not. Without one it is the request's.
        pub fn permanent_url(&self) -> &Url {
            let Redirected { by, permanent } = &self.received.redirects;
            by.get(*permanent).unwrap_or(self.url())
        }

        /// Returns the length of the whole body in bytes, where the framing announces it. It does not
        /// change while the body is read. 204 and 304 have no body, so it is 0; for HEAD it is what
        /// the head announces, the length that GET would have (RFC 9110 §8.6). `None` where a content
        /// coding is undone ([`Body::coding`]).
        pub fn content_length(&self) -> Option<u64> {
            self.received.content_length
        }

        /// Returns whether the request was sent to its end.
        ///
        /// It is false when the server answered before it had the whole body, and the rest was not
        /// sent (RFC 9112 §9.5):
        /// * the status is 300 or above, or
        /// * the response came in place of the 100 that was waited for, or
        /// * the server accepted nothing more for three seconds.
        ///
        /// A 2xx may be about a part of the body then.
        pub fn is_request_complete(&self) -> bool {
            self.received.is_request_complete
        }

        /// Returns how long the phases of the exchange took.
        #[doc(alias("--write-out", "elapsed"))]
        pub fn timings(&self) -> Timings {
            let (begun, sent, connection) = (self.received.begun, self.received.sent, self.connection());
            Timings {
                send: sent.saturating_duration_since(begun),
                wait: connection.received.saturating_duration_since(sent),
                ..if connection.reused() { Timings::default() } else { connection.opened.took }
            }
        }

        /// Returns the final head as it was received, status line to empty line, without interim
        /// responses.
        #[doc(alias = "DumpResponse")]
        pub fn raw_head(&self) -> &[u8] {
            self.received.head.raw()
        }
    };
}

impl ResponseHead {
    head_getters!();

    /// Returns the URL of the response: the last one, where redirects were followed. Without userinfo.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the connection that the response came on.
    pub fn connection(&self) -> &ConnectionInfo {
        &self.connection
    }
}

impl Response {
    head_getters!();

    /// Returns the URL of the response: the last one, where redirects were followed. Without userinfo.
    pub fn url(&self) -> &Url {
        &self.body.about().url
    }

    /// Returns the connection that the response came on.
    pub fn connection(&self) -> &ConnectionInfo {
        &self.body.about().connection
    }

    /// Returns the body, to inspect it.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Returns the body, to read it.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// Returns the body alone; [`into_parts`](Response::into_parts) keeps the head, too.
    pub fn into_body(mut self) -> Body {
        self.body.note_content(&self.received.head.headers);
        self.body
    }

    /// Splits the response into its head and its body.
    ///
    /// ```no_run
    /// let (head, body) = longwire::get("http://example.com/")?.into_parts();
    /// let text = body.limit(1 << 20).text_lossy()?;
    /// println!("{} from {}: {} bytes", head.status(), head.url(), text.len());
    /// # Ok::<(), longwire::Error>(())
    /// ```
    #[doc(alias = "split")]
    pub fn into_parts(self) -> (ResponseHead, Body) {
        let Response { received, mut body } = self;
        body.note_content(&received.head.headers);
        let (url, connection) = (body.about().url.clone(), body.about().connection.clone());
        (ResponseHead { received, url, connection }, body)
    }

    /// Sets how many bytes may be collected by [`bytes`](Response::bytes), [`text`](Response::text) and the
    /// like, and `json`. The default is 64 MiB. Reading by hand has no limit.
    ///
    /// ```no_run
    /// let small = longwire::get("http://example.com/")?.limit(1024).bytes()?;
    /// # Ok::<(), longwire::Error>(())
    /// ```
    #[doc(alias("LimitReader", "MaxBytesReader", "--max-filesize", "maxResponseSize"))]
    pub fn limit(mut self, bytes: u64) -> Response {
        self.body = self.body.limit(bytes);
        self
    }

    /// Reads the (rest of the) body into memory: [`Body::bytes`].
    ///
    /// # Errors
    /// As [`Body::bytes`].
    #[doc(alias("ReadAll", "content", "read_to_vec", "as_bytes"))]
    pub fn bytes(self) -> Result<Vec<u8>> {
        self.body.bytes()
    }

    /// Reads the body as text, in the charset that the head announces: [`Body::text`].
    ///
    /// # Errors
    /// As [`Body::text`].
    #[doc(alias("into_string", "read_to_string", "text_utf8", "as_str"))]
    pub fn text(self) -> Result<String> {
        self.body.into_text(&self.received.head.headers, None)
    }

    /// Reads the body as text in this charset, whatever the head announces: [`Body::text_as`].
    ///
    /// # Errors
    /// As [`Body::text`].
    ///
    /// ```no_run
    /// let page = longwire::get("http://example.com/old.html")?; // its <meta> says shift_jis
    /// let text = page.text_as("shift_jis")?; // needs the feature `charset`
    /// # Ok::<(), longwire::Error>(())
    /// ```
    #[doc(alias("text_with_charset", "text_with"))]
    pub fn text_as(self, charset: &str) -> Result<String> {
        self.body.into_text(&self.received.head.headers, Some(charset))
    }

    /// Reads the body as text, with U+FFFD for what is not of its charset: [`Body::text_lossy`].
    ///
    /// # Errors
    /// As [`Body::bytes`].
    #[doc(alias("lossy_utf8", "read_to_string"))]
    pub fn text_lossy(self) -> Result<String> {
        self.body.into_text_lossy(&self.received.head.headers)
    }

    /// Copies the body to `writer`, to its end: [`Body::copy_to`].
    ///
    /// # Errors
    /// As [`Body::copy_to`].
    #[doc(alias("io.Copy", "write_to"))]
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
    #[doc(alias("--fail", "--fail-with-body", "raise_for_status", "http_status_as_error"))]
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
    /// The request must have sent `Upgrade` and `Connection: upgrade`; the new protocol begins here. The stream has no time limits until you set some.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if the response is not a 101.
    #[doc(alias("Hijacker", "WebSocket"))]
    pub fn upgrade(self) -> Result<Upgraded> {
        let refused = self.error(ErrorKind::InvalidRequest, format!("a {} is no upgrade", self.status()));
        let Some(taken) = self.body.take_switched() else { return Err(refused) };
        taken.map(|(stream, arrived)| Upgraded::new(stream, arrived))
    }
}

impl Read for Response {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.body.read(into)
    }
}

impl BufRead for Response {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.body.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.body.consume(count);
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

impl fmt::Debug for ResponseHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHead")
            .field("status", &self.status())
            .field("url", &self.url().as_str())
            .field("headers", self.headers())
            .finish()
    }
}
