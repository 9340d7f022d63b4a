//! The one error type: what went wrong, who has to act, how far the request had come, and the words
//! of the system, the TLS library or the peer.
//!
//! Every floor makes these errors; each adds what it knows (the peer, the stage, the method and the
//! URL) and none takes anything away. Nothing here knows how an error comes about.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use url::{Position, Url};

use crate::method::Method;
use crate::status::StatusCode;

/// `std::result::Result` with longwire's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. [`side`](ErrorKind::side) says who has to act.
///
/// ```
/// use longwire::{ErrorKind, Side};
///
/// let error = longwire::get("http://exa mple/").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidUrl);
/// assert_eq!(error.kind().side(), Side::Caller);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    // ---- Side::Caller
    /// The URL is not one that a request can have.
    InvalidUrl,
    /// The request breaks HTTP's grammar, or a setting is invalid.
    InvalidRequest,
    /// The URL's scheme is neither `http` nor one that this build speaks.
    UnsupportedScheme,
    /// More redirects than `max_redirects`.
    TooManyRedirects,
    /// A [`CancelToken`](crate::CancelToken) was cancelled.
    Cancelled,
    /// The body is longer than the limit for collecting it (see
    /// [`Response::limit`](crate::Response::limit)), or than this machine can address.
    BodyTooLarge,
    /// Your request body's reader failed, or gave fewer or more bytes than it announced.
    Body,
    /// The address filter refused every address of the host, or a proxy, whose connections it cannot check.
    BlockedAddress,

    // ---- Side::Network
    /// The host's name has no address.
    Resolve,
    /// No connection could be opened.
    #[doc(alias = "ConnectionError")]
    Connect,
    /// The TLS handshake failed, or what came later is not sound TLS.
    #[doc(alias = "SSLError")]
    Tls,
    /// A proxy refused, or its answer is invalid. (That it could not be reached is `Resolve`,
    /// `Connect`, `Tls` or `Timeout`, and the message says that it was the proxy.)
    Proxy,
    /// A time limit passed; the message names it.
    Timeout,
    /// The connection broke while in use; or your writer failed (`copy_to`) or a file did
    /// ([`Download::save_to`](crate::Download::save_to)), and the message says so.
    Io,

    // ---- Side::Peer
    /// The response head is malformed.
    Head,
    /// The response head is over a limit (bytes, or number of fields).
    HeadTooLarge,
    /// The end of the body cannot be determined (RFC 9112 §6.3).
    Framing,
    /// The chunked coding is malformed (RFC 9112 §7.1).
    Chunk,
    /// The connection ended before the message did.
    #[doc(alias("ErrUnexpectedEOF", "CURLE_PARTIAL_FILE", "IncompleteRead", "ChunkedEncodingError"))]
    Truncated,
    /// A redirect that cannot be followed.
    Redirect,
    /// The content cannot be decoded: `text` of a body that is not of its charset, or of a charset that this
    /// build does not know; `json` of a body that is no JSON, or not that of the type.
    Decode,
    /// What was to be resumed cannot be: the server has another version of it now, or its answer to the
    /// request for the rest cannot be used.
    Changed,
    /// A 4xx or 5xx, turned into an error
    /// ([`error_for_status`](crate::Response::error_for_status)); or any status that a
    /// [`Download`](crate::Download) cannot use.
    #[doc(alias = "HTTPError")]
    Status,
}

/// Who has to act on an error.
///
/// ```
/// use longwire::{ErrorKind, Side};
///
/// fn is_worth_a_later_try(kind: ErrorKind) -> bool {
///     kind.side() == Side::Network
/// }
/// assert!(is_worth_a_later_try(ErrorKind::Timeout));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Side {
    /// You: change the call or a setting.
    Caller,
    /// Try again later, or another way.
    Network,
    /// The server: it refused, or does not speak HTTP/1.1 properly.
    Peer,
}

impl ErrorKind {
    /// Returns who has to act.
    pub fn side(self) -> Side {
        use ErrorKind::*;
        match self {
            InvalidUrl | InvalidRequest | UnsupportedScheme | TooManyRedirects | Cancelled | BodyTooLarge | Body
            | BlockedAddress => Side::Caller,
            Resolve | Connect | Tls | Proxy | Timeout | Io => Side::Network,
            Head | HeadTooLarge | Framing | Chunk | Truncated | Redirect | Decode | Changed | Status => Side::Peer,
        }
    }
}

/// Where in an exchange an error arose.
///
/// ```
/// use longwire::{Client, Stage};
/// use std::net::TcpListener;
///
/// let gone = TcpListener::bind("127.0.0.1:0")?.local_addr()?; // closed again at once
/// let error = Client::new().get(format!("http://{gone}/")).send().unwrap_err();
/// assert_eq!(error.stage(), Stage::Connect);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Building or checking the request; nothing has been done on the network.
    Request,
    /// Getting a place among `max_connections_per_host`, or a cancel that came before all else.
    Pool,
    /// Looking up the host's name.
    Resolve,
    /// Opening the connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Sending the request.
    Send,
    /// Waiting for the response's first byte.
    Wait,
    /// Reading the response head.
    Head,
    /// Reading the response body, or another call on a response.
    Body,
    /// Working out where a redirect leads.
    Redirect,
}

/// What may have become of the request: whether it is safe to send it again. Ordered, the safest
/// first.
///
/// ```
/// use longwire::{Client, Fate};
/// use std::net::TcpListener;
///
/// let gone = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
/// let error = Client::new().post(format!("http://{gone}/")).body("x").send().unwrap_err();
/// assert_eq!(error.fate(), Fate::NotSent); // even a POST may be tried again
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Not one byte of the request left this machine.
    NotSent,
    /// Some or all of it left, and no byte of a response came: the server may have acted on it.
    MaybeProcessed,
    /// A response had begun: the server has seen the request.
    ResponseStarted,
}

/// An error: what happened, in which request, at which peer.
///
/// `Display` is one line for a log: what happened, then the request and the peer, as in `chunk size:
/// '+' is not a hex digit (byte 3 of the line) (GET http://example.com/list, 192.0.2.7:80)`. Of the
/// URL it shows scheme, host, port and path; never the query, which may hold secrets.
///
/// As in [`io::Error`], `Display` has the words of the inner error already, so
/// [`source`](StdError::source) is that one's source, and nothing is printed twice by a chain;
/// [`get_ref`](Error::get_ref) is the inner error itself. (Of an error of `json` the source is serde_json's
/// error: that may quote a value of the body in full, and `Display` shows it shortened.)
///
/// Errors are cheap to clone; an error met while reading a body comes again on every later read.
/// Reading a body goes through [`std::io::Read`], so those errors arrive as [`io::Error`] with
/// this error inside: `longwire::Error::try_from(io_error)` gives it back.
///
/// ```
/// use longwire::{Error, ErrorKind};
///
/// let error = longwire::get("gopher://example.com/").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::UnsupportedScheme);
///
/// let io: std::io::Error = error.into();
/// assert_eq!(io.kind(), std::io::ErrorKind::InvalidInput);
/// assert_eq!(Error::try_from(io).unwrap().kind(), ErrorKind::UnsupportedScheme);
/// ```
#[doc(alias = "RequestException")]
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    stage: Stage,
    fate: Fate,
    message: Cow<'static, str>,
    peer: Option<SocketAddr>,
    method: Option<Method>,
    url: Option<Url>,
    status: Option<StatusCode>,
    body: Option<Arc<[u8]>>,
    proxy_answer: Option<Arc<[u8]>>,
    inner: Option<Cause>,
}

/// The error inside, and who tells of it.
#[derive(Clone)]
enum Cause {
    /// `Display` adds its words to the message, so the source is that one's source.
    Quoted(Arc<io::Error>),
    /// The message tells of it in other words, so the source is the error itself.
    #[cfg(feature = "json")]
    Retold(Arc<dyn StdError + Send + Sync>),
}

impl Cause {
    fn error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        match self {
            Cause::Quoted(error) => &**error,
            #[cfg(feature = "json")]
            Cause::Retold(error) => &**error,
        }
    }
}

impl Error {
    /// Creates an error, for a connector, a resolver or a check of a response.
    ///
    /// What a response was about is added by `Response::error` and `Body::error`.
    ///
    /// ```
    /// use longwire::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Connect, "no route to the plant");
    /// assert_eq!(error.to_string(), "no route to the plant");
    /// ```
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Error {
        Error(Box::new(Inner {
            kind,
            stage: Stage::Request,
            fate: Fate::NotSent,
            message: message.into(),
            peer: None,
            method: None,
            url: None,
            status: None,
            body: None,
            proxy_answer: None,
            inner: None,
        }))
    }

    /// Creates an error around an [`io::Error`]; `message` says what was being done.
    ///
    /// ```
    /// use longwire::{Error, ErrorKind};
    /// use std::io;
    ///
    /// let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    /// let error = Error::from_io(ErrorKind::Connect, "serial line", refused);
    /// assert_eq!(error.to_string(), "serial line: connection refused");
    /// ```
    pub fn from_io(kind: ErrorKind, message: impl Into<Cow<'static, str>>, inner: io::Error) -> Error {
        let mut error = Error::new(kind, message);
        error.0.inner = Some(Cause::Quoted(Arc::new(inner)));
        error
    }

    /// Returns what went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns how far the exchange had come.
    pub fn stage(&self) -> Stage {
        self.0.stage
    }

    /// Returns whether the server may have acted on the request.
    pub fn fate(&self) -> Fate {
        self.0.fate
    }

    /// Returns the URL of the request; after redirects, that of the hop that failed. Without userinfo.
    pub fn url(&self) -> Option<&Url> {
        self.0.url.as_ref()
    }

    /// Returns the method of the request; after redirects, that of the hop that failed.
    pub fn method(&self) -> Option<&Method> {
        self.0.method.as_ref()
    }

    /// Returns the address on the other end of the connection, where there was one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer
    }

    /// Returns the response's status, where one was there and the error is about what it holds
    /// ([`ErrorKind::Status`], and errors of the body); the proxy's, where one refused a tunnel
    /// ([`ErrorKind::Proxy`]).
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// Returns the beginning of the response body of an [`ErrorKind::Status`]: at most 8 KiB, as received (see [`error_for_status`](crate::Response::error_for_status)). Neither `Display`
    /// nor `Debug` shows it.
    pub fn body(&self) -> Option<&[u8]> {
        self.0.body.as_deref()
    }

    /// Returns the response with which an HTTP proxy refused a tunnel: the head as received, and after
    /// its empty line the body, without its chunked coding: at most 8 KiB of it, and what arrived within
    /// a second. It is the proxy's and not the server's, so it is no [`Response`](crate::Response).
    pub fn proxy_answer(&self) -> Option<&[u8]> {
        self.0.proxy_answer.as_deref()
    }

    /// Returns the error inside this one, where there is one: the system's, the TLS library's, or
    /// serde_json's. `Display` has its words already.
    ///
    /// ```
    /// use longwire::{Client, ErrorKind};
    /// use std::{io, net::TcpListener};
    ///
    /// let gone = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    /// let error = Client::new().get(format!("http://{gone}/")).send().unwrap_err();
    /// let system = error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>()).unwrap();
    /// assert_eq!(system.kind(), io::ErrorKind::ConnectionRefused);
    /// # Ok::<(), io::Error>(())
    /// ```
    pub fn get_ref(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.inner.as_ref().map(Cause::error)
    }

    /// Returns whether a time limit passed.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// Returns whether a [`CancelToken`](crate::CancelToken) was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.kind == ErrorKind::Cancelled
    }

    /// Returns whether the same may succeed a little later: nobody has made a mistake, and nobody has refused.
    pub(crate) fn is_transient(&self) -> bool {
        use ErrorKind::{Connect, Io, Proxy, Resolve, Status, Timeout, Tls, Truncated};
        match self.0.kind {
            Resolve | Connect | Timeout | Io | Truncated => true,
            Tls => self.is_broken_connection(), // a certificate is not better the next time
            Status | Proxy => self.0.status.is_some_and(StatusCode::is_transient),
            _ => false,
        }
    }

    /// Returns whether the system says that the connection broke.
    fn is_broken_connection(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        matches!(self.system_kind(), Some(BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof))
    }

    /// The error inside that of a read or write, or else one of kind `Io` around it.
    pub(crate) fn from_read(error: io::Error, message: &'static str) -> Error {
        Error::try_from(error).unwrap_or_else(|foreign| Error::from_io(ErrorKind::Io, message, foreign))
    }

    pub(crate) fn cancelled() -> Error {
        Error::new(ErrorKind::Cancelled, "the request was cancelled")
    }

    pub(crate) fn at(mut self, stage: Stage) -> Error {
        self.0.stage = stage;
        self
    }

    pub(crate) fn with_fate(mut self, fate: Fate) -> Error {
        self.0.fate = fate;
        self
    }

    /// Raises the fate to at least this one.
    pub(crate) fn with_fate_at_least(mut self, fate: Fate) -> Error {
        self.0.fate = self.0.fate.max(fate);
        self
    }

    pub(crate) fn with_peer(mut self, peer: Option<SocketAddr>) -> Error {
        if self.0.peer.is_none() {
            self.0.peer = peer;
        }
        self
    }

    pub(crate) fn with_url(mut self, url: &Url) -> Error {
        self.0.url.get_or_insert_with(|| url.clone());
        self
    }

    /// Adds the request, if none is known yet.
    pub(crate) fn with_request(mut self, method: &Method, url: &Url) -> Error {
        self.0.method.get_or_insert_with(|| method.clone());
        self.with_url(url)
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Error {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_body(mut self, body: Vec<u8>) -> Error {
        self.0.body = Some(body.into());
        self
    }

    pub(crate) fn with_proxy_answer(mut self, answer: Vec<u8>) -> Error {
        self.0.proxy_answer = Some(answer.into());
        self
    }

    /// Adds the error that the message tells of in its own words.
    #[cfg(feature = "json")]
    pub(crate) fn retelling(mut self, inner: impl StdError + Send + Sync + 'static) -> Error {
        self.0.inner = Some(Cause::Retold(Arc::new(inner)));
        self
    }

    /// Adds context: `doing` is what was being done, and the kind is that of the whole.
    pub(crate) fn context(mut self, kind: ErrorKind, doing: &str) -> Error {
        self.0.kind = kind;
        self.0.message = format!("{doing}: {}", self.0.message).into();
        self
    }

    /// The kind of this error as an `io::Error`. Never `Interrupted` or
    /// `WouldBlock`: the standard library would go round again for ever.
    fn io_kind(&self) -> io::ErrorKind {
        use ErrorKind::*;
        match self.0.kind {
            Timeout => io::ErrorKind::TimedOut,
            Truncated => io::ErrorKind::UnexpectedEof,
            Cancelled => io::ErrorKind::ConnectionAborted,
            Io | Connect => match self.system_kind() {
                Some(io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) | None => io::ErrorKind::Other,
                Some(kind) => kind,
            },
            Resolve | Tls | Proxy => io::ErrorKind::Other,
            Head | HeadTooLarge | Framing | Chunk | Redirect | Decode | Changed | Status => io::ErrorKind::InvalidData,
            InvalidUrl | InvalidRequest | UnsupportedScheme | TooManyRedirects | BodyTooLarge | Body
            | BlockedAddress => io::ErrorKind::InvalidInput,
        }
    }

    fn system_kind(&self) -> Option<io::ErrorKind> {
        Some(self.get_ref()?.downcast_ref::<io::Error>()?.kind())
    }
}

/// The request and the peer, as far as they are known, in parentheses.
struct About<'a>(&'a Inner);

impl fmt::Display for About<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { method, url, peer, .. } = self.0;
        let mut before = " (";
        if let Some(method) = method {
            write!(f, "{before}{method}")?;
            before = " ";
        }
        if let Some(url) = url {
            write!(f, "{before}{}", &url[..Position::AfterPath])?;
        }
        if method.is_some() || url.is_some() {
            before = ", ";
        }
        if let Some(peer) = peer {
            write!(f, "{before}{peer}")?;
        }
        if method.is_some() || url.is_some() || peer.is_some() { f.write_str(")") } else { Ok(()) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(Cause::Quoted(inner)) = &self.0.inner {
            write!(f, ": {inner}")?;
        }
        About(&self.0).fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("stage", &self.0.stage)
            .field("fate", &self.0.fate)
            .field("message", &format_args!("{self}"))
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.0.inner.as_ref()? {
            Cause::Quoted(inner) => inner.source(),
            #[cfg(feature = "json")]
            Cause::Retold(inner) => Some(&**inner),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::new(error.io_kind(), error)
    }
}

impl TryFrom<io::Error> for Error {
    type Error = io::Error;

    /// Takes longwire's error back out of an [`io::Error`]; any other comes back as it was.
    fn try_from(error: io::Error) -> Result<Error, io::Error> {
        error.downcast::<Error>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_io_error_never_asks_std_to_go_round_again() {
        for kind in [io::ErrorKind::Interrupted, io::ErrorKind::WouldBlock] {
            let error = Error::from_io(ErrorKind::Io, "read", io::Error::from(kind));
            assert_eq!(io::Error::from(error).kind(), io::ErrorKind::Other);
        }
    }

    #[test]
    fn a_foreign_io_error_comes_back_as_it_was() {
        let foreign = io::Error::new(io::ErrorKind::NotFound, "elsewhere");
        let back = Error::try_from(foreign).unwrap_err();
        assert_eq!((back.kind(), back.to_string().as_str()), (io::ErrorKind::NotFound, "elsewhere"));
    }

    #[test]
    fn the_message_ends_with_the_request_and_the_peer() {
        let url = Url::parse("http://example.com:8080/x?token=s3cret#f").unwrap();
        let error = Error::new(ErrorKind::Head, "no status line");
        assert_eq!(error.to_string(), "no status line");
        let at_peer = error.clone().with_peer(Some("127.0.0.1:80".parse().unwrap()));
        assert_eq!(at_peer.to_string(), "no status line (127.0.0.1:80)");
        assert_eq!(error.clone().with_url(&url).to_string(), "no status line (http://example.com:8080/x)");
        let whole = at_peer.with_request(&Method::GET, &url);
        assert_eq!(whole.to_string(), "no status line (GET http://example.com:8080/x, 127.0.0.1:80)");
        assert_eq!((whole.method(), whole.url()), (Some(&Method::GET), Some(&url)));
    }

    #[test]
    fn a_chain_prints_nothing_twice() {
        #[derive(Debug)]
        struct Root;
        impl fmt::Display for Root {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the root")
            }
        }
        impl StdError for Root {}
        #[derive(Debug)]
        struct Middle(Root);
        impl fmt::Display for Middle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the middle")
            }
        }
        impl StdError for Middle {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                Some(&self.0)
            }
        }
        let error = Error::from_io(ErrorKind::Io, "read", io::Error::other(Middle(Root)));
        assert_eq!(error.to_string(), "read: the middle");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("the root"));
        assert!(error.get_ref().is_some_and(|inner| inner.is::<io::Error>()));
        let io = io::Error::from(error);
        assert_eq!(io.to_string(), "read: the middle");
        assert_eq!(StdError::source(&io).map(ToString::to_string).as_deref(), Some("the root"));
    }
}
