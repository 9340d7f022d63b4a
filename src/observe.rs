//! What can be seen of the client at work: events, timings, and the words for how bodies and
//! connections end. Vocabulary only; whoever acts says so in these words.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

use crate::error::Error;
use crate::status::StatusCode;

/// Is told what the client does, as it does it, on the thread that does it.
///
/// An observer must not block: the request waits for it. No lock of the client is held while it
/// is called, so it may use the client.
///
/// ```
/// use longwire::{Client, Event, Observer};
///
/// struct Trace;
/// impl Observer for Trace {
///     fn event(&self, event: &Event<'_>) {
///         eprintln!("{event:?}");
///     }
/// }
/// let client = Client::builder().observer(Trace).build();
/// # drop(client);
/// ```
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// One thing that happened. Secrets (`Authorization`, `Proxy-Authorization`, `Cookie`,
/// `Set-Cookie`, and fields with a word like key, token or session in their name) are shown as `***`.
///
/// ```
/// # use longwire::Event;
/// fn is_new_connection(event: &Event<'_>) -> bool {
///     matches!(event, Event::Connected { .. })
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A name was looked up.
    Resolved {
        /// The name.
        host: &'a str,
        /// Its addresses, before any filter.
        addresses: &'a [SocketAddr],
        /// How long it took.
        took: Duration,
    },
    /// A connection was opened, through a proxy's tunnel where there is one; TLS with the proxy comes
    /// before, with the server behind.
    Connected {
        /// The other end, which may be a proxy; `None` where the transport has no socket address.
        peer: Option<SocketAddr>,
        /// How long it took, without the look-up and without TLS.
        took: Duration,
    },
    /// A TLS handshake was completed on a new connection: with the server, or with a proxy that is
    /// spoken to through TLS.
    Secured {
        /// The other end, which is a proxy where there is one.
        peer: Option<SocketAddr>,
        /// The version of the protocol, as `TLSv1_3`.
        version: &'a str,
        /// The cipher suite, by its IANA name.
        cipher_suite: &'a str,
        /// A session of an earlier connection was resumed.
        resumed: bool,
        /// How long it took.
        took: Duration,
    },
    /// An idle connection was taken from the pool.
    Reused {
        /// The other end.
        peer: Option<SocketAddr>,
        /// The number of the exchange that begins on it, counted from 1.
        exchange: u32,
    },
    /// A request head is about to be sent.
    RequestHead {
        /// Its lines, with their line ends.
        text: &'a str,
    },
    /// An interim response (1xx) came and was passed over.
    Interim {
        /// Its lines, with their line ends.
        text: &'a str,
    },
    /// The final response head came.
    ResponseHead {
        /// Its lines, with their line ends.
        text: &'a str,
    },
    /// A redirect is followed.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: StatusCode,
        /// The URL that answered.
        from: &'a Url,
        /// The URL that is asked next.
        to: &'a Url,
    },
    /// The request is sent once more: a reused connection turned out to be dead, or the server answered
    /// 417 to `Expect: 100-continue`.
    Retry {
        /// Why: the dead connection's error, or one of [`ErrorKind::Status`](crate::ErrorKind::Status).
        error: &'a Error,
    },
    /// A connection went into the pool.
    Kept {
        /// The other end.
        peer: Option<SocketAddr>,
    },
    /// A connection was closed, or handed out by `Response::upgrade`.
    Closed {
        /// The other end.
        peer: Option<SocketAddr>,
        /// Why it was not kept.
        reason: CloseReason,
    },
}

/// How a response body's end was known (RFC 9112 §6.3).
///
/// ```
/// assert_ne!(longwire::BodyEnd::Length, longwire::BodyEnd::Closed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyEnd {
    /// All bytes of the announced Content-Length came.
    Length,
    /// The last chunk and the trailer section came.
    LastChunk,
    /// The server closed the connection, which is how this body ends.
    Closed,
    /// This response has no body (HEAD, 204, 304, 101).
    Empty,
}

/// How long the phases of an exchange took: of the last hop, where redirects were followed.
/// Zero where a phase did not happen; a reused connection has neither `resolve` nor `connect` nor
/// `tls`.
///
/// ```no_run
/// let response = longwire::get("http://example.com/")?;
/// println!("first byte after {:?}", response.timings().wait);
/// # Ok::<(), longwire::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// Looking up the name.
    pub resolve: Duration,
    /// Opening the connection, with a proxy's handshake.
    pub connect: Duration,
    /// The TLS handshakes: the server's, and that of a proxy which is spoken to through TLS.
    pub tls: Duration,
    /// Sending the request, body and all.
    pub send: Duration,
    /// From the request's last byte to the end of the final response head.
    pub wait: Duration,
}

macro_rules! close_reasons {
    ($($(#[$doc:meta])* $name:ident $text:literal)*) => {
        /// Why a connection was not kept, or not kept any longer.
        ///
        /// ```
        /// use longwire::{Client, CloseReason};
        ///
        /// let stats = Client::new().pool_stats();
        /// assert_eq!(stats.closed.get(CloseReason::ServerClose), 0);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum CloseReason { $($(#[$doc])* $name,)* }

        impl CloseReason {
            pub(crate) const ALL: &[CloseReason] = &[$(CloseReason::$name,)*];
        }

        impl fmt::Display for CloseReason {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(CloseReason::$name => $text,)* })
            }
        }
    };
}

close_reasons! {
    /// The server said `Connection: close`.
    ServerClose "the server said close"
    /// The request said `Connection: close`.
    ClientClose "the request said close"
    /// HTTP/1.0 without `Connection: keep-alive`.
    Http10 "HTTP/1.0 without keep-alive"
    /// The body's end was the connection's end.
    UntilClose "the body ended with the connection"
    /// The framing was ambiguous: Transfer-Encoding beside Content-Length or in HTTP/1.0, or a 204 or
    /// 304 that announces a body (RFC 9112 §6.1, §6.3).
    BadFraming "the framing was ambiguous"
    /// The status line claims HTTP/2, in text, so that nothing else about the server is sure.
    VersionInDoubt "the server claims HTTP/2 in HTTP/1.1's form"
    /// The server's `Keep-Alive` said so: `timeout=0`, or `max` is used up.
    KeepAliveHint "the server's Keep-Alive said so"
    /// The response body was not read to its end, and the rest had not arrived yet.
    Unfinished "the response body was left unread"
    /// The request body was not sent to its end.
    UploadUnfinished "the request body was not sent to its end"
    /// The server sent bytes that nothing had asked for.
    StrayBytes "bytes came that nothing had asked for"
    /// The server had closed it while it was idle.
    PeerClosed "the server had closed it"
    /// An error happened on it.
    Failed "an error happened on it"
    /// The request on it was cancelled.
    Cancelled "the request was cancelled"
    /// It was idle for too long: `idle_timeout`, or the server's `Keep-Alive: timeout`.
    Idle "it was idle for too long"
    /// It was older than `max_connection_age`.
    Aged "it was too old"
    /// There were as many idle connections already as are allowed.
    PoolFull "the pool was full"
    /// `Client::close_idle` was called, or the client is gone: its last clone and its last body.
    Cleared "idle connections were closed"
    /// It had switched protocols (101), whether it was taken over or dropped.
    Upgraded "it was upgraded"
}
