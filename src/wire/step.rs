//! The contract between a body decoder and its caller, which owns the bytes.
//!
//! The caller passes the bytes that have arrived; the decoder returns which of them are framing and
//! which are body, and copies none. The caller discards the framing, uses as much of the body as it
//! likes, reports that by `advance`, and passes the rest again. Or it has all of them un-framed where
//! they are.

use crate::error::Result;

/// What the bytes passed to a decoder are. The first `skip` bytes are framing, and consumed: the next
/// call must pass the bytes after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// After the skipped bytes, `len` bytes of body. Report how many were used by `advance`.
    Data { skip: usize, len: usize },
    /// All bytes are framing; more are needed.
    More { skip: usize },
    /// The body ended with the skipped bytes. The bytes after them do not belong to it.
    End { skip: usize },
}

/// What bytes were that were un-framed where they are: the body among them lies at their front now.
#[derive(Debug)]
pub(crate) struct Unframed {
    /// Bytes of body.
    pub(crate) content: usize,
    /// Bytes that were used, framing included: all, unless the body or the decoder has ended before.
    pub(crate) used: usize,
    /// Whether the body ended with them. What came before an error is body all the same.
    pub(crate) is_last: Result<bool>,
}
