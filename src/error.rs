//! The one error type: whose fault it was, how far the request had come, and who said what.
//!
//! Every floor makes these errors; each adds what it knows (the peer, the stage, the URL) and
//! none takes anything away. Nothing here knows how an error comes about.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use url::Url;

use crate::status::StatusCode;

/// `std::result::Result` with longwire's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. The three groups say whose move it is.
///
/// ```
/// use longwire::ErrorKind;
///
/// let error = longwire::get("http://exa mple/").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidUrl);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    // ---- yours: change the call
    /// The URL is not one that can be asked for.
    InvalidUrl,
    /// The request breaks HTTP's grammar, or a setting makes no sense.
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
    /// A 4xx or 5xx, and you asked for that to be an error
    /// ([`error_for_status`](crate::Response::error_for_status)).
    Status,

    // ---- the network's: try again later, or somewhere else
    /// The host's name has no address.
    Resolve,
    /// No connection could be opened.
    Connect,
    /// The TLS handshake failed, or what came later is not sound TLS.
    Tls,
    /// A proxy refused, or its answer made no sense. (That it could not be reached is `Resolve`,
    /// `Connect`, `Tls` or `Timeout`, and the message says that it was the proxy.)
    Proxy,
    /// A time limit passed; the message names it.
    Timeout,
    /// The connection broke while in use; or, from `Response::copy_to` alone, your writer failed,
    /// and the message says so.
    Io,
    /// The address filter refused every address of the host, or a proxy that it cannot see behind.
    BlockedAddress,

    // ---- the peer's: it does not speak HTTP/1.1 properly
    /// The response head is malformed.
    Head,
    /// The response head is over a limit (bytes, or number of fields).
    HeadTooLarge,
    /// Where the body ends cannot be told (RFC 9112 §6.3).
    Framing,
    /// The chunked coding is malformed (RFC 9112 §7.1).
    Chunk,
    /// The connection ended before the message did.
    Truncated,
    /// A redirect that cannot be followed.
    Redirect,
    /// The content is not what was asked of it: `Response::text` of a body that is not UTF-8,
    /// whatever charset it announces.
    Decode,
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
    /// Reading the response body, or what else was asked of a response.
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

/// An error that says who, where and what.
///
/// `Display` is one line for a log: `127.0.0.1:8080: chunk size: '+' is not a hex digit (byte 3
/// of the line)`. Errors are cheap to clone; an error met while reading a body comes again on
/// every later read.
///
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
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    stage: Stage,
    fate: Fate,
    what: Cow<'static, str>,
    peer: Option<SocketAddr>,
    url: Option<Url>,
    status: Option<StatusCode>,
    proxy_answer: Option<Arc<Vec<u8>>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, what: impl Into<Cow<'static, str>>) -> Error {
        Error(Box::new(Inner {
            kind,
            stage: Stage::Request,
            fate: Fate::NotSent,
            what: what.into(),
            peer: None,
            url: None,
            status: None,
            proxy_answer: None,
            source: None,
        }))
    }

    /// An error of your own [`Connect`](crate::Connect): `what` says what was being done.
    ///
    /// ```
    /// use longwire::{Error, ErrorKind};
    /// use std::io;
    ///
    /// let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    /// let error = Error::from_io(ErrorKind::Connect, "serial line", refused);
    /// assert_eq!(error.to_string(), "serial line: connection refused");
    /// ```
    pub fn from_io(kind: ErrorKind, what: impl Into<Cow<'static, str>>, source: io::Error) -> Error {
        let mut error = Error::new(kind, what);
        error.0.source = Some(Arc::new(source));
        error
    }

    /// What went wrong, and so whose fault it was.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// How far the exchange had come.
    pub fn stage(&self) -> Stage {
        self.0.stage
    }

    /// Whether the server may have acted on the request.
    pub fn fate(&self) -> Fate {
        self.0.fate
    }

    /// The URL that was being asked for: of a redirect's hop, that hop's. Without userinfo.
    pub fn url(&self) -> Option<&Url> {
        self.0.url.as_ref()
    }

    /// The address on the other end of the connection, where there was one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer
    }

    /// The response's status, for [`ErrorKind::Status`]; the proxy's, where one refused a tunnel
    /// ([`ErrorKind::Proxy`]).
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// What an HTTP proxy said when it refused a tunnel: the head as it came, and behind its empty
    /// line the body, without its chunked coding: at most 8 KiB of it, and what had come within a
    /// second. It is the proxy's and not the server's, so it is no response.
    pub fn proxy_answer(&self) -> Option<&[u8]> {
        self.0.proxy_answer.as_deref().map(Vec::as_slice)
    }

    /// Whether a time limit passed.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// Whether a [`CancelToken`](crate::CancelToken) was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.kind == ErrorKind::Cancelled
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

    /// The request had come that far before.
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

    pub(crate) fn with_status(mut self, status: StatusCode) -> Error {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_proxy_answer(mut self, answer: Vec<u8>) -> Error {
        self.0.proxy_answer = Some(Arc::new(answer));
        self
    }

    /// The same, seen from further away: of that kind, and `doing` says what was being done.
    pub(crate) fn recast(mut self, kind: ErrorKind, doing: &str) -> Error {
        self.0.kind = kind;
        self.0.what = format!("{doing}: {}", self.0.what).into();
        self
    }

    /// The kind as which this error leaves through `io::Read`. Never `Interrupted` or
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
            Resolve | Tls | Proxy | BlockedAddress => io::ErrorKind::Other,
            Head | HeadTooLarge | Framing | Chunk | Redirect | Decode => io::ErrorKind::InvalidData,
            InvalidUrl | InvalidRequest | UnsupportedScheme | TooManyRedirects | BodyTooLarge | Body | Status => {
                io::ErrorKind::InvalidInput
            }
        }
    }

    fn system_kind(&self) -> Option<io::ErrorKind> {
        let source = self.0.source.as_ref()?;
        Some(source.downcast_ref::<io::Error>()?.kind())
    }

    /// Who this is about: the peer's address, else the host of the URL.
    fn who(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(peer) = self.0.peer {
            return write!(f, "{peer}: ");
        }
        match &self.0.url {
            Some(url) => write!(f, "{}: ", &url[url::Position::BeforeHost..url::Position::AfterPort]),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.who(f)?;
        f.write_str(&self.0.what)?;
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
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
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
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

/// The beginning of what a peer said, fit for a message.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    const BYTES_MAX: usize = 80;
    let shown = &bytes[..bytes.len().min(BYTES_MAX)];
    let more = if shown.len() < bytes.len() { "..." } else { "" };
    format!("{}{more}", shown.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_printable() {
        assert_eq!(excerpt(b"a \"b\"\r\n\xff"), r#"a \"b\"\r\n\xff"#);
        assert_eq!(excerpt(&[b'x'; 80]), "x".repeat(80));
        assert_eq!(excerpt(&[b'x'; 81]), "x".repeat(80) + "...");
    }

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
    fn the_message_names_the_peer_before_the_host() {
        let url = Url::parse("http://example.com:8080/x").unwrap();
        let error = Error::new(ErrorKind::Head, "no status line").with_url(&url);
        assert_eq!(error.to_string(), "example.com:8080: no status line");
        let error = error.with_peer(Some("127.0.0.1:80".parse().unwrap()));
        assert_eq!(error.to_string(), "127.0.0.1:80: no status line");
    }
}
