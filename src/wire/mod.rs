//! HTTP/1.1 as bytes and their meaning, without input or output (RFC 9112).
//!
//! Nothing here names a socket, a reader or a clock. Every function takes slices and returns what they
//! mean, so its tests need no network.

#[cfg(any(feature = "digest", fuzzing, test))]
pub(crate) mod auth_param;
pub(crate) mod challenge;
pub(crate) mod charset;
pub(crate) mod chunked;
#[cfg(feature = "__coding")]
pub(crate) mod coding;
pub(crate) mod decode;
#[cfg(feature = "digest")]
pub(crate) mod digest;
pub(crate) mod framing;
pub(crate) mod head_lines;
pub(crate) mod http_date;
pub(crate) mod request_head;
pub(crate) mod response_head;
pub(crate) mod set_cookie;
pub(crate) mod step;

#[cfg(test)]
mod exhaustive;
