//! A body whose content coding is undone while it is read.
//!
//! Bytes go from the connection's buffer through the decoder into the caller's buffer, if that is
//! large enough, or else into one that is kept here. The body has ended when its framing has ended and
//! the coding has: the coding's end alone is not believed, because the connection could not be reused,
//! and neither is the framing's alone, because the data may be cut. Knows nothing of the codings.

use crate::error::{Error, ErrorKind, Result};
use crate::message::body::framed::{Found, Framed};
use crate::net::deadline::Deadline;
use crate::net::pool::lease::Lease;
use crate::wire::coding::ContentDecoder;

/// What is decoded at a time for a caller that takes it in small pieces.
pub(super) const PIECE_BYTES: usize = 8 * 1024;

/// The most that a coding has after its last byte of content, and some more.
pub(super) const TRAILER_BYTES_MAX: usize = 64;

/// Decoded bytes after which the limits of time are looked at, though nothing is waited for: a few bytes on
/// the wire can become very many.
const UNWATCHED_BYTES_MAX: usize = 64 * 1024;

pub(super) struct Coded {
    decoder: ContentDecoder,
    /// Decoded bytes, those between two codings too, since the limits of time were looked at.
    unwatched: usize,
    /// Decoded content that waits to be taken: `start..end` of it. Empty until it is needed.
    piece: Vec<u8>,
    start: usize,
    end: usize,
}

/// What has been decoded.
pub(super) enum Decoded {
    Data(usize),
    /// More has to arrive first.
    Nothing,
    End,
}

impl Coded {
    pub(super) fn new(decoder: ContentDecoder) -> Coded {
        Coded { decoder, unwatched: 0, piece: Vec::new(), start: 0, end: 0 }
    }

    pub(super) fn name(&self) -> &str {
        self.decoder.name()
    }

    /// Decoded content that waits to be taken.
    #[inline]
    pub(super) fn waiting(&self) -> &[u8] {
        &self.piece[self.start..self.end]
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }

    /// Decodes what has arrived into `target`, as far as that goes without waiting. A fault of the framing
    /// comes after what was decoded before it.
    pub(super) fn decode(&mut self, framed: &mut Framed, until: &Deadline, target: &mut [u8]) -> Result<Decoded> {
        framed.lease.check_cancelled()?;
        loop {
            watch(&mut self.unwatched, &framed.lease, until, 0)?;
            let found = framed.next();
            let source = match found {
                Ok(Found::Data(count)) => &framed.lease.buffer.bytes()[..count],
                Ok(Found::Nothing | Found::End) | Err(_) => &[],
            };
            let (lease, unwatched) = (&framed.lease, &mut self.unwatched);
            let progress = self.decoder.step(source, target, |made| watch(unwatched, lease, until, made))?;
            self.unwatched += progress.made;
            let was_stuck = progress.used < source.len() && progress.made < target.len();
            framed.lease.buffer.consume(progress.used);
            framed.advance(progress.used);
            if progress.made > 0 {
                return Ok(Decoded::Data(progress.made));
            }
            if was_stuck {
                return Err(Error::new(ErrorKind::Decode, "the decoder cannot go on"));
            }
            match found? {
                Found::Data(_) if progress.used > 0 => {} // headers and the like: they make no content
                Found::Data(_) | Found::Nothing => return Ok(Decoded::Nothing),
                Found::End => return self.decoder.eof().map(|()| Decoded::End),
            }
        }
    }

    /// The same, into the piece that is kept here, which has been taken.
    pub(super) fn decode_piece(&mut self, framed: &mut Framed, until: &Deadline) -> Result<Decoded> {
        let mut piece = std::mem::take(&mut self.piece);
        piece.resize(PIECE_BYTES, 0);
        let decoded = self.decode(framed, until, &mut piece);
        self.piece = piece;
        (self.start, self.end) = (0, if let Ok(Decoded::Data(count)) = decoded { count } else { 0 });
        decoded
    }

    /// Returns whether the coding has ended, if its framing has, and all content was decoded.
    pub(super) fn may_end(&self) -> bool {
        self.decoder.may_end()
    }

    /// The connection has ended, and with it the framing; nothing is left to be decoded.
    pub(super) fn eof(&self) -> Result<()> {
        self.decoder.eof()
    }
}

/// Counts decoded bytes, and looks at the limits of time when there were many.
fn watch(unwatched: &mut usize, lease: &Lease, until: &Deadline, made: usize) -> Result<()> {
    *unwatched += made;
    if *unwatched <= UNWATCHED_BYTES_MAX {
        return Ok(());
    }
    *unwatched = 0;
    lease.check_limits(until)
}
