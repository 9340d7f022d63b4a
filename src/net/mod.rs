//! Sockets and clocks: connections, and the pool that keeps them.
//!
//! Nothing in here knows what the bytes mean, but for `tunnel`, which speaks with proxies.

pub(crate) mod buffer;
pub(crate) mod cancel;
pub(crate) mod conn;
pub(crate) mod deadline;
pub(crate) mod dial;
mod helper;
pub(crate) mod line;
pub(crate) mod pool;
#[cfg(all(test, longwire_model))]
mod pool_model;
pub(crate) mod public_only;
pub(crate) mod resolve;
pub(crate) mod stream;
pub(crate) mod sync;
#[cfg(feature = "__rustls")]
pub(crate) mod tls;
#[cfg(feature = "__rustls")]
mod trust;
pub(crate) mod tunnel;
pub(crate) mod unix_socket;
