#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

// words
mod error;
mod headers;
mod media_type;
mod method;
mod observe;
mod redact;
mod reuse;
mod status;
mod token;
mod uri;

// bytes and meaning, no I/O
mod wire;

// sockets and clocks
mod net;

// what the caller holds
mod message;

// the order of things
mod client;

// any bytes, and what must hold of them: for fuzz/ and the tests, in no other build
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;

/// Transports: what a client connects by, and what it reads from and writes to.
pub mod transport {
    pub use crate::net::deadline::Deadline;
    pub use crate::net::dial::resolve::{Query, Resolve};
    pub use crate::net::transport::{Connect, Stream, Target};
}

pub use client::Client;
pub use client::builder::ClientBuilder;
pub use client::proxy::Proxy;
pub use client::request_builder::{RequestBuilder, delete, get, head, patch, post, put, request};
pub use error::{Error, ErrorKind, Fate, Result, Side, Stage};
pub use headers::{Headers, HeadersIter};
pub use message::body::Body;
pub use message::connection_info::ConnectionInfo;
pub use message::request::Request;
pub use message::response::{Response, Upgraded};
pub use message::send_body::SendBody;
pub use method::Method;
pub use net::cancel::CancelToken;
pub use net::dial::public_only::PublicOnly;
pub use net::pool::{CloseCounts, PoolStats};
pub use observe::{BodyEnd, CallId, ConnectionId, Event, EventIds, ExchangeId, Observer, Timings};
pub use reuse::CloseReason;
/// The TLS library, as [`ClientBuilder::tls_config`] takes its types. Only with the feature `tls`
/// or `tls-webpki-roots`.
#[cfg(feature = "__rustls")]
pub use rustls;
pub use status::{StatusCode, Version};
pub use uri::IntoUrl;
pub use url::Url;
