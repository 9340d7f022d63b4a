//! The decoder: which of the arriving bytes are body, and when it has ended (RFC 9112 §6, §8).
//!
//! It is shown bytes and says what they are; it never copies one. Every framing answers for the
//! end of the connection, too.

use crate::error::{Error, ErrorKind, Result};
use crate::headers::Headers;
use crate::observe::BodyEnd;
use crate::wire::chunked::Chunked;
use crate::wire::framing::Framing;
use crate::wire::step::{Step, at_most};

/// Undoes a framing.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// So many bytes are left of a Content-Length.
    Length { left: u64 },
    /// The chunked coding.
    Chunked(Chunked),
    /// All there is, until the connection ends, which must not be before so many bytes more.
    UntilClose { at_least: u64 },
    /// No body at all.
    Empty,
}

impl Decoder {
    #[inline]
    pub(crate) fn new(framing: Framing) -> Decoder {
        match framing {
            Framing::Empty => Decoder::Empty,
            Framing::Length(left) => Decoder::Length { left },
            Framing::Chunked => Decoder::Chunked(Chunked::new()),
            Framing::UntilClose { at_least } => Decoder::UntilClose { at_least },
        }
    }

    /// What `bytes`, the next to have arrived, are.
    #[inline]
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Result<Step> {
        let left = match self {
            Decoder::Empty | Decoder::Length { left: 0 } => return Ok(Step::End { skip: 0 }),
            Decoder::Chunked(chunked) => return chunked.step(bytes),
            Decoder::Length { left } => *left,
            Decoder::UntilClose { .. } => u64::MAX,
        };
        match at_most(left, bytes.len()) {
            0 => Ok(Step::More { skip: 0 }),
            len => Ok(Step::Data { skip: 0, len }),
        }
    }

    /// `taken` of the bytes that the last step called data were taken.
    #[inline]
    pub(crate) fn advance(&mut self, taken: usize) {
        match self {
            Decoder::Length { left } => *left -= taken as u64,
            Decoder::Chunked(chunked) => chunked.advance(taken),
            Decoder::UntilClose { at_least } => *at_least = at_least.saturating_sub(taken as u64),
            Decoder::Empty => {}
        }
    }

    /// The connection has ended: is that the end of the body, or was it cut?
    pub(crate) fn eof(&self) -> Result<()> {
        let what = match self {
            Decoder::UntilClose { at_least: 0 } | Decoder::Empty | Decoder::Length { left: 0 } => return Ok(()),
            Decoder::Length { left } | Decoder::UntilClose { at_least: left } => {
                format!("the connection ended {left} bytes before the body did")
            }
            Decoder::Chunked(chunked) => chunked.cut().to_owned(),
        };
        Err(Error::new(ErrorKind::Truncated, what))
    }

    /// How many bytes of body are still to come, where that is known.
    #[inline]
    pub(crate) fn remaining(&self) -> Option<u64> {
        match self {
            Decoder::Length { left } => Some(*left),
            Decoder::Empty => Some(0),
            Decoder::Chunked(_) | Decoder::UntilClose { .. } => None,
        }
    }

    /// How the end is known, once it is reached.
    pub(crate) fn end(&self) -> BodyEnd {
        match self {
            Decoder::Length { .. } => BodyEnd::Length,
            Decoder::Chunked(_) => BodyEnd::LastChunk,
            Decoder::UntilClose { .. } => BodyEnd::Closed,
            Decoder::Empty => BodyEnd::Empty,
        }
    }

    /// The trailer fields, after the end.
    pub(crate) fn trailers(&self) -> Headers {
        match self {
            Decoder::Chunked(chunked) => chunked.trailers(),
            _ => Headers::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_framing_answers_for_the_end_of_the_connection() {
        let cut = |framing| Decoder::new(framing).eof().map_err(|error| error.kind());
        assert_eq!(cut(Framing::Empty), Ok(()));
        assert_eq!(cut(Framing::Length(0)), Ok(()));
        assert_eq!(cut(Framing::UntilClose { at_least: 0 }), Ok(()));
        assert_eq!(cut(Framing::UntilClose { at_least: 1 }), Err(ErrorKind::Truncated));
        assert_eq!(cut(Framing::Length(1)), Err(ErrorKind::Truncated));
        assert_eq!(cut(Framing::Chunked), Err(ErrorKind::Truncated));
    }

    #[test]
    fn what_is_still_to_come_is_known_of_a_length_and_of_nothing() {
        let remaining = |framing| Decoder::new(framing).remaining();
        assert_eq!(remaining(Framing::Empty), Some(0));
        assert_eq!(remaining(Framing::Length(7)), Some(7));
        assert_eq!(remaining(Framing::Chunked), None);
        assert_eq!(remaining(Framing::UntilClose { at_least: 9 }), None);
    }

    #[test]
    fn a_length_leaves_what_is_behind_it() {
        let mut decoder = Decoder::new(Framing::Length(3));
        assert_eq!(decoder.step(b"abcdef").unwrap(), Step::Data { skip: 0, len: 3 });
        decoder.advance(2);
        assert_eq!(decoder.step(b"cdef").unwrap(), Step::Data { skip: 0, len: 1 });
        decoder.advance(1);
        assert_eq!(decoder.step(b"def").unwrap(), Step::End { skip: 0 });
        assert_eq!(decoder.step(b"").unwrap(), Step::End { skip: 0 });
    }

    #[test]
    fn what_must_come_at_least_is_counted_down_and_may_be_passed() {
        let mut decoder = Decoder::new(Framing::UntilClose { at_least: 3 });
        decoder.advance(2);
        let error = decoder.eof().unwrap_err();
        assert_eq!(error.to_string(), "the connection ended 1 bytes before the body did");
        decoder.advance(5);
        assert!(decoder.eof().is_ok());
    }

    #[test]
    fn a_cut_in_the_trailer_section_is_told_as_such() {
        let mut decoder = Decoder::new(Framing::Chunked);
        for (bytes, want) in [
            (&b"2\r\nok\r\n0"[..], "the connection ended before the last chunk"),
            (b"\r\n", "the connection ended inside the trailer section, after the last chunk"),
            (b"X: y\r\n", "the connection ended inside the trailer section, after the last chunk"),
        ] {
            let mut at = 0;
            while let Step::Data { skip, len } = decoder.step(&bytes[at..]).unwrap() {
                decoder.advance(len);
                at += skip + len;
            }
            assert_eq!(decoder.eof().unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn a_length_of_two_to_the_64_is_no_reason_to_panic() {
        let mut decoder = Decoder::new(Framing::Length(u64::MAX));
        assert_eq!(decoder.step(b"abc").unwrap(), Step::Data { skip: 0, len: 3 });
    }
}
