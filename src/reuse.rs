//! Whether a connection is used again after an exchange, and why not (RFC 9112 §9.3): the one verdict
//! from framing to pool. Vocabulary only: how it is reached is `wire::framing`'s, what follows from it
//! is `net::pool`'s.

use std::fmt;

/// What becomes of a connection once the exchange on it is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// It goes back to the pool.
    Keep(KeepAlive),
    Close(CloseReason),
}

/// The server's `Keep-Alive` field (RFC 2068 §19.7.1.1), as far as it was sent and parses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeepAlive {
    /// `timeout`, in seconds: how long the server keeps the idle connection.
    pub(crate) timeout_secs: Option<u64>,
    /// `max`: how many requests the server still accepts on it.
    pub(crate) requests_left: Option<u64>,
    /// The response had no body: what a confused server sends in its stead may still be under way.
    pub(crate) unproven: bool,
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
    /// The response has `Connection: close`.
    ServerClose "the server sent Connection: close"
    /// The request has `Connection: close`.
    ClientClose "the request sent Connection: close"
    /// HTTP/1.0 without `Connection: keep-alive`.
    Http10 "HTTP/1.0 without keep-alive"
    /// The body's end was the connection's end.
    UntilClose "the body ended with the connection"
    /// The framing was ambiguous: Transfer-Encoding together with Content-Length or in HTTP/1.0, or a 204 or
    /// 304 that announces a body (RFC 9112 §6.1, §6.3).
    BadFraming "the framing was ambiguous"
    /// The status line claims HTTP/2, in text, so that nothing else about the server is sure.
    VersionInDoubt "the server claims HTTP/2 in HTTP/1.1's form"
    /// The server's `Keep-Alive` field ended it: `timeout=0`, or `max` is used up.
    KeepAliveHint "the server's Keep-Alive field ended it"
    /// The response body was not read to its end, and the rest had not arrived yet.
    Unfinished "the response body was left unread"
    /// The request body was not sent to its end.
    UploadUnfinished "the request body was not sent to its end"
    /// The server sent unrequested bytes.
    StrayBytes "the server sent unrequested bytes"
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
    /// `Client::close_idle` was called, or the client was dropped: its last clone and its last body.
    Cleared "close_idle was called, or the client was dropped"
    /// It had switched protocols (101), whether it was taken over or dropped.
    Upgraded "it was upgraded"
}
