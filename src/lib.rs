//! A blocking HTTP/1.1 client with its own HTTP stack: keep-alive over a connection pool, a timeout for
//! everything, streaming bodies, safe retries, proxies, https, and protection against SSRF.
//!
//! There is no async runtime, no background thread and no `unsafe`, and there are three dependencies:
//! httparse, base64 and url. A call blocks the calling thread; a [`Client`] is shared by any number of
//! threads.
//!
//! This page says what there is. The [`guide`] is a manual ([`guide::using`]), tells whoever knows another client
//! what is called what here ([`guide::coming_from`]), and follows one request through the source
//! ([`guide::one_request`]).
//!
//! ```
//! use std::io::Read;
//! # use std::io::Write;
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let address = listener.local_addr()?;
//! # let server = std::thread::spawn(move || {
//! #     let (mut stream, _) = listener.accept().unwrap();
//! #     for _ in 0..2 {
//! #         let mut head = Vec::new();
//! #         while !head.ends_with(b"\r\n\r\n") {
//! #             let mut byte = [0];
//! #             stream.read_exact(&mut byte).unwrap();
//! #             head.push(byte[0]);
//! #         }
//! #         stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
//! #     }
//! # });
//!
//! let url = format!("http://{address}/");
//! let client = longwire::Client::new();
//! for nth in 1..=2 {
//!     let mut response = client.get(&url).basic_auth("user", Some("password")).send()?;
//!     assert_eq!(response.status(), 200);
//!     assert_eq!(response.connection().nth(), nth); // one connection carries both requests
//!
//!     let mut buffer = [0; 4096];
//!     loop {
//!         let count = response.read(&mut buffer)?;
//!         if count == 0 {
//!             break; // the body is complete, and its connection free for the next request
//!         }
//!         assert_eq!(&buffer[..count], b"hello");
//!     }
//! }
//! # server.join().unwrap();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Guarantees
//!
//! 1. **`Ok(0)` from a read into a non-empty buffer means that the body is complete**, proven by its
//!    framing (RFC 9112 §6.3). A truncated body is an error, never a short success; and the error is
//!    final: every later read returns it again.
//! 2. **A finished body returns its connection to the pool at its last byte**, not one read later. An
//!    unfinished body never poisons the pool: its rest is consumed if it has already arrived, otherwise
//!    the connection is closed. Dropping a body never waits for the network.
//! 3. **Nothing waits longer than its timeout.** One deadline covers the pool, DNS, connect, a proxy's
//!    handshake, TLS, sending, waiting, reading, redirects and a retry.
//!
//! # Which type for what
//!
//! | I want to … | use |
//! |---|---|
//! | send one request | [`get`], [`head`], [`post`], [`put`], [`patch`], [`delete`], [`request`]: they share one process-wide client, created on first use |
//! | send many, with keep-alive | [`Client`]; clones share one connection pool |
//! | choose timeouts, limits, proxies, TLS | [`ClientBuilder`] |
//! | add headers, a query, credentials, a form, a body | [`RequestBuilder`] |
//! | authenticate with Digest, as cameras and routers want it | [`RequestBuilder::digest_auth`] |
//! | build a request without a client, to be sent later; see its bytes | [`Request`], [`Method`], [`Url`], [`Client::send`]; [`Client::to_wire`] |
//! | send a file, a reader, a chunked body | [`SendBody`] |
//! | send a form with files | [`multipart::Form`], [`multipart::Part`] |
//! | read status, headers, body | [`Response`], which implements [`Read`](std::io::Read) and [`BufRead`](std::io::BufRead); [`Headers`], [`StatusCode`], [`Version`] |
//! | take a 4xx or 5xx for an error | [`Response::error_for_status`] |
//! | keep head and body apart | [`Response::into_parts`], [`ResponseHead`], [`Body`] |
//! | read compressed bodies | the features `gzip`, `brotli`, `zstd`; [`Body::coding`], [`Body::wire_bytes`] |
//! | collect a body | [`Response::bytes`], [`Response::text`], [`Response::text_as`], [`Response::copy_to`]; at most so many bytes of it: [`Response::limit`] |
//! | send and read JSON (feature `json`) | [`RequestBuilder::json`], [`Response::json`] |
//! | read Server-Sent Events; follow a feed | [`Response::events`], [`sse::Events`], [`sse::Event`]; [`sse::EventSource`] |
//! | download a large file over a bad connection | [`Download`], [`Download::save_to`], [`Saved`] |
//! | send again what failed, and wait before that | [`Retry`], [`ClientBuilder::retry`] |
//! | find out what went wrong | [`Result`], [`Error`], [`ErrorKind`], [`Side`], [`Stage`], [`Fate`] |
//! | cancel from another thread | [`CancelToken`] |
//! | go through a proxy, or past it | [`ClientBuilder::proxy`], [`Proxy`]; [`ClientBuilder::no_proxy`] |
//! | trust private roots, use a client certificate, pin one | [`ClientBuilder::tls`], [`Tls`], [`Roots`] |
//! | fetch untrusted URLs (SSRF protection) | [`PublicOnly`], [`ClientBuilder::address_filter`] |
//! | keep cookies, also in a file | [`CookieStore`], [`Cookie`], [`SameSite`]; a jar of one's own: [`CookieJar`] |
//! | decide on a redirect; sign a request | [`ClientBuilder::on_redirect`], [`Hop`]; [`ClientBuilder::before_send`], [`Outgoing`] |
//! | see what the client does | [`Observer`], [`Event`], [`EventIds`]; of one response: [`Timings`], [`ConnectionInfo`], [`TlsInfo`] |
//! | record it, for HAR viewers or as a picture | [`har::Recorder`] |
//! | log it (feature `log`) | [`LogObserver`] |
//! | use the types of the `http` crate (feature `http`) | [`Client::send_http`], and conversions of [`Request`], [`Response`], [`Headers`] |
//! | see the pool, and why connections were closed | [`Client::pool_stats`], [`PoolStats`], [`CloseReason`] |
//! | connect before the first request | [`Client::connect_ahead`] |
//! | test a program without a server; record a real one and replay it | [`script::Script`], [`script::Reply`], [`script::Seen`]; [`script::Record`], [`script::Replay`] |
//! | connect to an address of one's choice; resolve names by oneself | [`ClientBuilder::resolve_to`]; [`ClientBuilder::resolver`], [`transport::Resolve`] |
//! | set socket options, use a unix socket or a custom transport | [`ClientBuilder::dial`], [`ClientBuilder::unix_socket`], [`ClientBuilder::connector`] with [`transport`] |
//! | switch protocols (WebSocket) | [`Response::upgrade`], [`Upgraded`] |
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `tls` | https with rustls (ring), trusting the certificates that the platform trusts |
//! | `tls-webpki-roots` | https with Mozilla's root certificates built in, for images without a trust store |
//! | `gzip` | compressed responses are asked for and decoded while they are read: gzip and deflate |
//! | `brotli`, `zstd` | the same for these codings |
//! | `json` | [`RequestBuilder::json`] and [`Response::json`], with serde_json |
//! | `charset` | text in all charsets of the WHATWG Encoding Standard, with encoding_rs (170 KiB); UTF-8, UTF-16 and windows-1252, which `iso-8859-1` and `us-ascii` stand for, are always there |
//! | `http` | conversions from and to the types of the `http` crate, and [`Client::send_http`] |
//! | `log` | [`LogObserver`], which writes to the `log` crate |
//! | `digest` | Digest authentication (RFC 7616) with SHA-256, SHA-512-256 and MD5 |
//!
//! All are off by default. A feature makes a thing available and changes nothing by itself; the codings are
//! the one exception: with a feature for one, requests say `Accept-Encoding`, unless the client or the request
//! is told not to ([`ClientBuilder::decode`]).
//!
//! Without the first two an `https` URL is [`ErrorKind::UnsupportedScheme`], and there is no TLS
//! code in the build. With both, the platform's certificates are used unless the client is built with
//! `Roots::Bundled` ([`Tls::roots`]). These two need a C compiler, for ring.
//!
//! TLS is 1.2 or 1.3, with ALPN `http/1.1`. SNI is sent for host names; for an IP address the certificate
//! must list that address. The platform's trust store is read at the client's first https request, and
//! sessions are resumed across the client's connections. Each refusal says in words what is wrong
//! ([`ErrorKind::Tls`]). A body that ends with the connection needs the server's close_notify, and is
//! [`Truncated`](ErrorKind::Truncated) without it. Revocation is not checked.
//!
//! # Timeouts
//!
//! Each takes a [`Duration`](std::time::Duration), or `None` for no limit.
//!
//! | limit | default | setting |
//! |---|---|---|
//! | getting a connection: pool, DNS, connect, a proxy's handshake, TLS | 10 s | [`connect_timeout`](ClientBuilder::connect_timeout) |
//! | no bytes received; also, completing a response head after its first byte. An incomplete TLS record (up to 16 KiB) counts as no data | 60 s | [`read_timeout`](ClientBuilder::read_timeout) |
//! | a write makes no progress | 60 s | [`write_timeout`](ClientBuilder::write_timeout) |
//! | complete response head, counted from the end of the request | none | [`header_timeout`](ClientBuilder::header_timeout) |
//! | a body slower than a number of bytes per period | none | [`min_speed`](ClientBuilder::min_speed) |
//! | everything, from the call to the body's last byte, redirects and a retry included | none | [`timeout`](ClientBuilder::timeout) |
//!
//! # Limits
//!
//! | limit | default | setting |
//! |---|---|---|
//! | idle connections per host; in all | 32; 128 | [`max_idle_per_host`](ClientBuilder::max_idle_per_host), [`max_idle`](ClientBuilder::max_idle) |
//! | time that a connection may be idle | 30 s, or the server's `Keep-Alive: timeout` less a second | [`idle_timeout`](ClientBuilder::idle_timeout) |
//! | age of a connection | none | [`max_connection_age`](ClientBuilder::max_connection_age) |
//! | connections per host | none | [`max_connections_per_host`](ClientBuilder::max_connections_per_host) |
//! | read buffer per active connection (idle connections hold none) | 8 KiB | [`buffer_size`](ClientBuilder::buffer_size) |
//! | response head; its fields | 64 KiB; 256 | [`max_head_size`](ClientBuilder::max_head_size), [`max_headers`](ClientBuilder::max_headers) |
//! | all interim responses of an exchange together | 64 KiB | [`max_head_size`](ClientBuilder::max_head_size) |
//! | chunk line; trailers | 4 KiB; 16 KiB and 64 fields | |
//! | redirects | 10 | [`max_redirects`](ClientBuilder::max_redirects) |
//! | content codings on top of each other; the window of Zstandard, of Brotli | 2; 8 MiB, 16 MiB | |
//! | body collected by `bytes`, `text` or `json` | 64 MiB | [`Response::limit`] |
//! | arrays and objects inside each other in JSON that is read | 127 | |
//! | parts of a request body gathered for one write; with a file among them | 16 KiB; 64 KiB | |
//! | body kept by [`error_for_status`](Response::error_for_status); time waited for it | 8 KiB; 1 s | |
//! | a proxy's response to CONNECT; its interim responses together; body kept of a refusal | 16 KiB and 64 fields; 16 KiB; 8 KiB | |
//! | worker threads per client: for DNS look-ups; for connects | 64; 64 | |
//! | … of these, to one address; to one that has not answered | 32; 4 | |
//! | addresses that lost a connection race, and are tried last | 256, for 10 minutes | |
//! | Digest sessions (an origin, a user, a nonce) per client; the one unused for longest goes | 64 | |
//! | challenges of a 401 that are read; parameters of one; realm, nonce and opaque, each | 16; 24; 4 KiB | |
//! | rest of a 401 that is read before it is answered; time waited for it | 64 KiB; 5 s | |
//! | attempts by a policy; random wait before one; `Retry-After` that is waited for | as it says; 20 s; 60 s | [`Retry`] |
//! | retries of a client by policies | ten, and one for every five requests | [`Retry::without_budget`] |
//! | rest of a response that a policy passes over; time waited for it | 64 KiB; 1 s | |
//! | life of a connection that was opened ahead, and of which no request makes use | 5 s | [`Client::connect_ahead`] |
//! | an event of a stream, its lines with one byte for the end of each; a comment between events | 1 MiB | [`sse::Events::limit`] |
//! | buffer of a stream of events; of a fast one | 16 KiB; 64 KiB, or the largest event and 8 KiB | |
//! | wait before an `EventSource` connects again: first; longest; least by `retry` | 3 s; 60 s; 100 ms | [`sse::EventSource::reconnection_time`], [`sse::EventSource::max_wait`] |
//! | connects of an `EventSource` in a row without an event | none | [`sse::EventSource::max_attempts`] |
//! | requests in a row for the rest of a download that bring no byte; wait between them | 5; 0.5 s, doubled up to 30 s | [`Download::attempts`] |
//! | exchanges that a recorder keeps; their heads and URLs together; rows of a waterfall | 10,000; 32 MiB; 1,000 | |
//! | head of a script or record, line of its chunked coding; request body that a script keeps | 1 MiB; 64 MiB | |
//! | cookies of one domain; in all; bytes of name and value together; of an attribute | 50; 3,000; 4,096; 1,024 | |
//! | life of a cookie | 400 days | |
//! | line of a file of cookies | 8 KiB | |
//!
//! # Errors and retries
//!
//! A status of 400 or above is a response; [`Response::error_for_status`] makes it an error. Every failure
//! is an [`Error`], which names the request and the peer in one line, without the query of the URL, and answers
//! four questions: what happened ([`Error::kind`]), who has to act ([`ErrorKind::side`]), how far the exchange
//! got ([`Error::stage`]), and whether the request may be sent again ([`Error::fate`]). Reading a body
//! returns the same error inside an [`io::Error`](std::io::Error); `Error::try_from` takes it out.
//!
//! By itself longwire retries a request at most once, and only if
//!
//! 1. it was sent on a pooled connection, and that broke (a timeout is no break),
//! 2. no byte of a response arrived,
//! 3. it is idempotent (GET, HEAD, OPTIONS, TRACE, PUT, DELETE, an `Idempotency-Key`, or
//!    [`idempotent(true)`](RequestBuilder::idempotent)) or none of it was sent, and
//! 4. its body can be replayed (a reader cannot).
//!
//! So a POST that a server may have seen is never sent twice. A policy ([`Retry`], given to
//! [`ClientBuilder::retry`] or to one request) does more: it waits, as `Retry-After` says, and sends again what
//! was not sent, and after a 429, 502, 503 or 504 what is idempotent. A 417 to `Expect: 100-continue` is repeated
//! once without that field. With Digest credentials a 401 is answered once, and once more if the server
//! says that its nonce was too old.
//!
//! # What it does with HTTP
//!
//! * **Framing** follows RFC 9112 §6.3 in its order. `Transfer-Encoding` may only be `chunked` or `identity`,
//!   lengths are digits, and a connection reset is never the end of a body.
//! * **Response heads** may have folded lines, control characters in values, and `HTTP/2.0` in text, as
//!   devices send them. A line that is not a field is an error that shows it by number and text, or is skipped
//!   with [`skip_invalid_headers`](ClientBuilder::skip_invalid_headers), but never one that names
//!   `Content-Length` or `Transfer-Encoding`.
//! * **Reuse** takes the idle connection that the same thread has released within the last millisecond, else the
//!   most recently used one, checked for EOF or stray bytes first
//!   ([`probe_after`](ClientBuilder::probe_after)); [`connect_ahead`](Client::connect_ahead) opens some before they
//!   are needed. Bytes that a server sends unasked between that check and
//!   the response would be taken for the response; HTTP/1.1 has no request ids.
//! * **Headers set by hand** may be `Connection`, `Keep-Alive`, `TE: trailers` and `Expect: 100-continue`. What
//!   would make two messages of one (another length or coding) is [`ErrorKind::InvalidRequest`].
//! * **Redirects** are followed, but never from https to http
//!   ([`allow_https_downgrade`](ClientBuilder::allow_https_downgrade)). To another origin (scheme, host, port)
//!   only an allow-list of headers is forwarded: not `Authorization`, not cookies, not custom headers
//!   ([`allow_cross_origin_header`](ClientBuilder::allow_cross_origin_header)); Digest credentials never are.
//! * **Cookies** are kept and sent if the client has a jar ([`cookie_jar`](ClientBuilder::cookie_jar)): by
//!   RFC 6265bis, for each hop's URL, in one field with the request's own.
//! * **Early responses**: an upload stops when the server has already answered (413, …), and
//!   [`Response::is_request_complete`] is false then.
//! * **Text** is in the charset of a byte order mark, else in that of `Content-Type`, else in UTF-8; what is
//!   not is an error with the first wrong byte ([`Response::text_lossy`] replaces it).
//! * **1xx** responses are skipped, and reported to the observer; 101 is for [`Response::upgrade`].
//! * **Secrets** (credentials, cookies, fields with a word like key, token or session in their name) never
//!   appear in `Debug`, `Display` or events.
//!
//! # Threads and `fork()`
//!
//! No thread runs in the background. A DNS look-up, a race among several addresses and a connect that can be
//! cancelled run on worker threads, within the limits above. Writes do not raise SIGPIPE.
//!
//! After `fork()` the child calls [`Client::close_idle`] before its first request, or makes its own client;
//! otherwise both processes may receive each other's responses: see [`Client`].
//!
//! # Platforms
//!
//! Linux is tested, on x86-64 and 32-bit ARM. Windows is tested by the same tests under Wine, never on
//! Windows itself; there are no unix sockets there, a request with a [`CancelToken`] polls it every 100 ms,
//! and a response that a server sends before it resets the connection may be lost (RFC 9112 §9.6). macOS,
//! FreeBSD, Android and ESP-IDF are compiled only, without features, and never run.
// The page names what some features add, and is to be read with all of them.
#![cfg_attr(
    not(all(
        feature = "__rustls",
        feature = "__coding",
        feature = "json",
        feature = "http",
        feature = "log",
        feature = "digest"
    )),
    allow(rustdoc::broken_intra_doc_links)
)]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// Their public names are `tls` and `tls-webpki-roots`; `gzip`, `brotli` and `zstd`.
#![cfg_attr(docsrs, doc(auto_cfg(hide(feature = "__rustls", feature = "__coding"))))]

// README's examples compile. They use a feature.
#[cfg(all(doctest, feature = "json"))]
#[doc = include_str!("../README.md")]
struct Readme;

// words
mod backoff;
mod cookie;
mod error;
mod headers;
mod media_type;
mod method;
mod observe;
mod random;
mod redact;
mod reuse;
mod status;
mod tls_info;
mod token;
mod uri;
mod word_list;

// bytes and meaning, no I/O
mod wire;

// sockets and clocks
mod net;

// what the caller holds
mod message;

// the order of things
mod client;

// what stands on all that
mod ext;

// any bytes, and what must hold of them: for fuzz/ and the tests, in no other build
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;

pub mod guide;

/// Recordings of what a client does: HTTP Archives (HAR 1.2), and waterfalls.
///
/// A [`Recorder`](har::Recorder) is an [`Observer`]. It writes a document that browsers' developer tools and
/// many other programs import, and draws a picture. This one is by `examples/waterfall.rs`: a redirect from http
/// to https, a connection that is used again and again, a second one beside it, a request that waits for one of
/// the two and one that is sent again, a body that is cut, a port where nobody listens. Each row tells more when
/// it is pointed at.
///
#[doc = include_str!("ext/har/waterfall.svg")]
pub mod har {
    pub use crate::ext::har::Recorder;
}

/// Forms with files: `multipart/form-data` (RFC 7578).
pub mod multipart {
    pub use crate::ext::multipart::{Form, Part};
}

/// Server-Sent Events: `text/event-stream` (WHATWG HTML §9.2).
///
/// [`Response::events`] is one response as a stream of events; an [`EventSource`](sse::EventSource) connects
/// again when it ends.
pub mod sse {
    pub use crate::ext::sse::event::{Event, OwnedEvent};
    pub use crate::ext::sse::source::EventSource;
    pub use crate::ext::sse::{Events, EventsIter};
}

pub use ext::script;

/// Transports: what a client connects by, and what it reads from and writes to.
pub mod transport {
    pub use crate::client::direct::Direct;
    pub use crate::net::deadline::Deadline;
    pub use crate::net::dial::resolve::{Query, Resolve};
    pub use crate::net::transport::{Connect, Stream, Target};
}

pub use client::Client;
pub use client::builder::ClientBuilder;
pub use client::cookies::{CookieJar, CookieStore};
pub use client::hooks::{Hop, Outgoing};
pub use client::request_builder::{RequestBuilder, delete, get, head, patch, post, put, request};
pub use cookie::{Cookie, SameSite};
pub use error::{Error, ErrorKind, Fate, Result, Side, Stage};
pub use ext::download::Download;
pub use ext::download::save::Saved;
#[cfg(feature = "log")]
#[cfg_attr(docsrs, doc(cfg(feature = "log")))]
pub use ext::log::LogObserver;
pub use headers::{Headers, HeadersIter};
pub use message::body::Body;
pub use message::connection_info::ConnectionInfo;
pub use message::proxy::Proxy;
pub use message::request::Request;
pub use message::response::{Response, ResponseHead};
pub use message::retry::Retry;
pub use message::send_body::SendBody;
pub use message::upgraded::Upgraded;
pub use method::Method;
pub use net::cancel::CancelToken;
pub use net::dial::public_only::PublicOnly;
pub use net::pool::{CloseCounts, PoolStats};
#[cfg(feature = "__rustls")]
#[cfg_attr(docsrs, doc(cfg(any(feature = "tls", feature = "tls-webpki-roots"))))]
pub use net::tls::settings::{Roots, Tls};
pub use observe::{BodyEnd, CallId, ConnectionId, Event, EventIds, ExchangeId, Observer, Timings};
pub use reuse::CloseReason;
/// The TLS library, for [`Tls::from_rustls`]. Only with the feature `tls` or `tls-webpki-roots`.
///
/// Exempt from semantic versioning: rustls is at version 0.x, and a minor release of longwire may move
/// to the next one.
#[cfg(feature = "__rustls")]
#[cfg_attr(docsrs, doc(cfg(any(feature = "tls", feature = "tls-webpki-roots"))))]
pub use rustls;
pub use status::{StatusCode, Version};
pub use tls_info::{TlsInfo, TlsVersion};
pub use uri::IntoUrl;
pub use url::Url;
