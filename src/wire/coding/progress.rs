//! What the codings have in common: how far each went, the bytes that are used as a whole, and errors.

use std::borrow::Cow;

use crate::error::{Error, ErrorKind};

/// How far a coding went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Bytes that were taken from the source.
    pub(crate) used: usize,
    /// Bytes that were written to the destination.
    pub(crate) made: usize,
}

/// The error of compressed data that is malformed.
pub(super) fn malformed(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Decode, what)
}

/// The error of bytes behind the end of the compressed data.
#[cfg(any(feature = "gzip", feature = "brotli"))]
pub(super) fn garbage(coding: &str, source: &[u8]) -> Error {
    let shown = source[..source.len().min(8)].escape_ascii();
    malformed(format!("{coding}: the compressed data has ended, and \"{shown}\" follows"))
}

/// Moves bytes from the source to `gathered` until that has `wanted`: how many it took.
#[cfg(any(feature = "gzip", feature = "zstd"))]
pub(super) fn gather(gathered: &mut Vec<u8>, wanted: usize, source: &[u8]) -> usize {
    let count = source.len().min(wanted.saturating_sub(gathered.len()));
    gathered.extend_from_slice(&source[..count]);
    count
}
