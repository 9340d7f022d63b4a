//! Bytes and meaning, without input or output: what HTTP/1.1 looks like (RFC 9112).
//!
//! Nothing in here names a socket, a reader or a clock. Every function eats slices and says what
//! they mean, so that tests need no network.

pub(crate) mod challenge;
pub(crate) mod chunked;
pub(crate) mod decode;
pub(crate) mod framing;
pub(crate) mod head;
pub(crate) mod head_lines;
pub(crate) mod head_parser;
pub(crate) mod step;

#[cfg(test)]
mod exhaustive;
