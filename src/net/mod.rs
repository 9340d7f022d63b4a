//! Sockets and clocks: connections, and the pool that keeps them.
//!
//! Nothing in here knows what the bytes mean, but for `dial::http_connect`, which speaks HTTP with proxies.

pub(crate) mod buffer;
pub(crate) mod cancel;
pub(crate) mod conn;
pub(crate) mod deadline;
pub(crate) mod dial;
pub(crate) mod pool;
pub(crate) mod speed;
pub(crate) mod sync;
#[cfg(feature = "__rustls")]
pub(crate) mod tls;
pub(crate) mod transport;
mod worker;
