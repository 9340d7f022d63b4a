//! What a decoder says of the bytes that it is shown.

/// What the bytes shown to a decoder are. `skip` bytes of framing come first, and are done with:
/// the next call must be shown what comes behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Behind the skipped ones, `len` bytes of body. Say how many were taken by `advance`.
    Data { skip: usize, len: usize },
    /// Nothing but framing; more is needed.
    More { skip: usize },
    /// The body ended with the skipped bytes. What comes behind them is not its.
    End { skip: usize },
}

/// The smaller of a body's length, which may be beyond what this machine addresses, and a slice's.
pub(crate) fn at_most(length: u64, slice: usize) -> usize {
    usize::try_from(length).map_or(slice, |length| length.min(slice))
}
