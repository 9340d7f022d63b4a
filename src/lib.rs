#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

// words
mod error;
mod headers;
mod method;
mod observe;
mod status;
mod uri;

// bytes and meaning, no I/O
mod wire;

// sockets and clocks
mod net;

// nouns: what the caller holds
mod body;
mod request;
mod response;
mod send_body;

// policy: the order of things
mod answer;
mod builder;
mod client;
mod client_builder;
mod exchange;
mod proxy;
mod redirect;
mod retry;
mod settings;
mod upload;

// any bytes, and what must hold of them: for fuzz/ and the tests, in no other build
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;

pub use body::Body;
pub use builder::{RequestBuilder, delete, get, head, patch, post, put, request};
pub use client::Client;
pub use client_builder::ClientBuilder;
pub use error::{Error, ErrorKind, Fate, Result, Stage};
pub use headers::Headers;
pub use method::Method;
pub use net::cancel::CancelToken;
pub use net::deadline::Deadline;
pub use net::pool::{Closed, PoolStats};
pub use net::public_only::PublicOnly;
pub use net::resolve::Resolve;
pub use net::stream::{Connect, Stream, Target};
pub use observe::{BodyEnd, CloseReason, Event, Observer, Timings};
pub use proxy::Proxy;
pub use request::Request;
pub use response::{ConnectionInfo, Response, Upgraded};
/// The TLS library, as [`ClientBuilder::tls_config`] takes its types. Only with the feature `tls`
/// or `tls-webpki-roots`.
#[cfg(feature = "__rustls")]
pub use rustls;
pub use send_body::SendBody;
pub use status::{StatusCode, Version};
pub use uri::IntoUrl;
pub use url::Url;
