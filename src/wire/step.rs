//! The contract between a body decoder and its caller, which owns the bytes.
//!
//! The caller passes the bytes that have arrived; the decoder returns which of them are framing and
//! which are body, and copies none. The caller discards the framing, uses as much of the body as it
//! likes, reports that by `advance`, and passes the rest again.

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
