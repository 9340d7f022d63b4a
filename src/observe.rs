//! What can be observed of a client at work: events, their ids and timings. Vocabulary only: whoever
//! acts reports it in these terms.
//!
//! A client's observers have one holder, [`Observers`], which its pool owns, since bodies outlive the
//! client. An event is made, and an id is drawn, only where there is an observer.

use std::fmt;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use url::Url;

use crate::error::Error;
use crate::method::Method;
use crate::redact::head_text;
use crate::reuse::CloseReason;
use crate::status::StatusCode;

/// Receives the events of a client, on the thread on which they happen.
///
/// Closures are observers, and so are `Arc<T>` and `Box<dyn Observer>` of observers.
///
/// An observer must not block: the request waits for it. No lock of the client is held during the
/// call, so it may use the client.
///
/// ```
/// use longwire::{Client, Event};
///
/// let client = Client::builder().observer(|event: &Event<'_>| eprintln!("{event:?}")).build();
/// # drop(client);
/// ```
#[doc(alias("httptrace", "ClientTrace"))]
pub trait Observer: Send + Sync {
    /// Receives one event.
    fn event(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync> Observer for F {
    fn event(&self, event: &Event<'_>) {
        self(event);
    }
}

impl<T: Observer + ?Sized> Observer for Arc<T> {
    fn event(&self, event: &Event<'_>) {
        (**self).event(event);
    }
}

impl Observer for Box<dyn Observer> {
    fn event(&self, event: &Event<'_>) {
        (**self).event(event);
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Returns the id as a number: unique in the process, and never 0.
            pub fn as_u64(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        )*
    };
}

ids! {
    /// One call of the client: a send with all its redirects and retries, to the end of its body.
    ///
    /// ```
    /// # use longwire::{CallId, Event};
    /// fn call_of(event: &Event<'_>) -> CallId {
    ///     event.call()
    /// }
    /// ```
    CallId
    /// One request head and its response: each redirect and each retry has its own.
    ///
    /// ```
    /// # use longwire::{Event, ExchangeId};
    /// fn exchange_of(event: &Event<'_>) -> Option<ExchangeId> {
    ///     event.exchange()
    /// }
    /// ```
    ExchangeId
    /// One connection, from when it was opened to when it was closed.
    ///
    /// ```
    /// # use longwire::{ConnectionId, Event};
    /// fn connection_of(event: &Event<'_>) -> Option<ConnectionId> {
    ///     event.connection()
    /// }
    /// ```
    ConnectionId
}

/// The ids of an event: what [`Event::call`], [`Event::exchange`] and [`Event::connection`] return.
///
/// ```
/// # use longwire::{Event, EventIds};
/// fn ids_of_closed(event: &Event<'_>) -> Option<EventIds> {
///     match event {
///         Event::Closed { ids, .. } => Some(*ids),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventIds {
    // 0: none.
    pub(crate) call: u64,
    pub(crate) exchange: u64,
    pub(crate) connection: u64,
}

/// A client's observers.
#[derive(Clone, Default)]
pub(crate) struct Observers {
    /// `None` if there is none: asked before an event is made.
    pub(crate) list: Option<Arc<List>>,
}

/// Describes a head without its secrets, the fields among them whose names are accepted.
pub(crate) type HeadText = fn(&[u8], &dyn Fn(&str) -> bool) -> String;

/// The observers, in the order of their events. The code for them comes with the list, so that a program
/// without observers does not link it.
#[derive(Clone)]
pub(crate) struct List {
    observers: Vec<Arc<dyn Observer>>,
    report: fn(&[Arc<dyn Observer>], &Event<'_>),
    pub(crate) head_text: HeadText,
}

impl Observers {
    /// Adds an observer, whose events come after those of the ones before.
    pub(crate) fn add(&mut self, observer: Arc<dyn Observer>) {
        let list = self.list.get_or_insert_with(|| Arc::new(List { observers: Vec::new(), report, head_text }));
        Arc::make_mut(list).observers.push(observer);
    }

    /// Draws an id; 0 if there is no observer to see it.
    #[inline]
    pub(crate) fn draw_id(&self) -> u64 {
        if self.list.is_none() { 0 } else { next_id() }
    }

    /// Reports an event to all observers, in their order.
    #[inline]
    pub(crate) fn report<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        if let Some(list) = &self.list {
            (list.report)(&list.observers, &event());
        }
    }
}

/// Draws a number that is unique in this process.
pub(crate) fn next_id() -> u64 {
    // As wide as every platform has atomics.
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed) as u64
}

/// A lease that a panic drops reports its end, too; an observer that panicked then would abort the
/// process.
fn report(observers: &[Arc<dyn Observer>], event: &Event<'_>) {
    for observer in observers {
        match thread::panicking() {
            false => observer.event(event),
            true => drop(panic::catch_unwind(AssertUnwindSafe(|| observer.event(event)))),
        }
    }
}

/// The observers, and the ids of what is under way: what reports events on the way to a connection.
#[derive(Clone, Copy)]
pub(crate) struct Trace<'o> {
    pub(crate) observers: &'o Observers,
    pub(crate) ids: EventIds,
}

impl Trace<'_> {
    #[inline]
    pub(crate) fn report<'a>(&self, event: impl FnOnce(EventIds) -> Event<'a>) {
        self.observers.report(|| event(self.ids));
    }
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        /// One thing that happened.
        ///
        /// Secrets (`Authorization`, `Proxy-Authorization`, `Cookie`, `Set-Cookie`, and fields with a
        /// word like key, token or session in their name) are shown as `***`.
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
            $($(#[$doc])*
            #[non_exhaustive]
            $name {
                $($(#[$field_doc])* $field: $type,)*
                /// The event's ids.
                ids: EventIds,
            },)*
        }

        impl Event<'_> {
            fn ids(&self) -> &EventIds {
                match self {
                    $(Event::$name { ids, .. } => ids,)*
                }
            }
        }
    };
}

impl Event<'_> {
    /// Returns the call of the client that the event belongs to: the same for all events of a send,
    /// its redirects, its retries and its body. A connection that is closed while it is idle belongs to
    /// the call that found it expired or in excess; `connect_ahead`, `close_idle`, `pool_stats` and the
    /// drop of the last client are calls of their own, without a [`CallStarted`](Event::CallStarted).
    pub fn call(&self) -> CallId {
        CallId(self.ids().call)
    }

    /// Returns the exchange, one request head and its response, that the event belongs to: `None` for
    /// what concerns the whole call, and for connections that are opened ahead, or closed while they are
    /// idle.
    pub fn exchange(&self) -> Option<ExchangeId> {
        Some(self.ids().exchange).filter(|id| *id != 0).map(ExchangeId)
    }

    /// Returns the connection that the event belongs to, once there is one.
    pub fn connection(&self) -> Option<ConnectionId> {
        Some(self.ids().connection).filter(|id| *id != 0).map(ConnectionId)
    }
}

events! {
    /// A request was given to the client; redirects and retries follow under the same call.
    CallStarted {
        /// The request's method.
        method: &'a Method,
        /// Its URL.
        url: &'a Url,
    }
    /// A name was resolved.
    Resolved {
        /// The name.
        host: &'a str,
        /// Its addresses, before any filter.
        addresses: &'a [SocketAddr],
        /// How long it took.
        took: Duration,
    }
    /// A connection was opened, through a proxy's tunnel where there is one. TLS with the proxy comes
    /// before, TLS with the server after.
    Connected {
        /// The peer, which may be a proxy; `None` where the transport has no socket address.
        peer: Option<SocketAddr>,
        /// How long it took, without name resolution and TLS.
        took: Duration,
    }
    /// A TLS handshake was completed on a new connection: with the server, or with a proxy.
    Secured {
        /// The peer, which is a proxy where there is one.
        peer: Option<SocketAddr>,
        /// The protocol version: `TLSv1.2` or `TLSv1.3`.
        version: &'a str,
        /// The cipher suite, by its IANA name.
        cipher_suite: &'a str,
        /// A session of an earlier connection was resumed.
        resumed: bool,
        /// How long it took.
        took: Duration,
    }
    /// An idle connection was taken from the pool.
    Reused {
        /// The peer.
        peer: Option<SocketAddr>,
        /// The number of the exchange that begins on it, counted from 1.
        nth: u32,
    }
    /// A request head is about to be sent.
    RequestHead {
        /// Its lines, with their line ends.
        text: &'a str,
    }
    /// A request was sent, or as much of it as the server took before it answered.
    RequestSent {
        /// Its size in bytes, head and body as they went over the connection.
        bytes: u64,
    }
    /// An interim response (1xx) was received and skipped.
    InterimHead {
        /// Its lines, with their line ends.
        text: &'a str,
    }
    /// The final response head was received.
    ResponseHead {
        /// Its lines, with their line ends.
        text: &'a str,
    }
    /// A redirect is followed.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: StatusCode,
        /// The URL that redirected.
        from: &'a Url,
        /// The URL of the next request.
        to: &'a Url,
    }
    /// The request is sent once more: a reused connection turned out to be dead, or the server answered
    /// 417 to `Expect: 100-continue`, or a 401 that Digest credentials are the answer to, or a policy for retries
    /// says so.
    Retry {
        /// Why: the error of the attempt, or one of [`ErrorKind::Status`](crate::ErrorKind::Status) with the
        /// status of its response.
        error: &'a Error,
        /// How long it waits before that, counted from the error or the response's head: zero but for a policy
        /// ([`ClientBuilder::retry`](crate::ClientBuilder::retry)).
        wait: Duration,
    }
    /// A response body was read to its end.
    BodyEnded {
        /// Its length in bytes, without its framing.
        bytes: u64,
        /// How its end was known.
        end: BodyEnd,
    }
    /// The call failed, in sending or in reading the body. Errors that are made of a body which was read
    /// (`BodyTooLarge`, `Decode`, `Status`) and those of the caller's own writer have no event.
    Failed {
        /// The error that the caller gets.
        error: &'a Error,
    }
    /// A connection was returned to the pool.
    Kept {
        /// The peer.
        peer: Option<SocketAddr>,
    }
    /// A connection was closed, or handed out by `Response::upgrade`.
    Closed {
        /// The peer.
        peer: Option<SocketAddr>,
        /// Why it was not kept.
        reason: CloseReason,
    }
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
