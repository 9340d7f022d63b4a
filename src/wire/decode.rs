//! The body decoder: which of the arriving bytes are body, and when it has ended (RFC 9112 §6, §8).
//!
//! One variant for each framing, each of which also decides what the end of the connection means.
//! See `step` for how it is used. Content codings are not known here.

use crate::error::{Error, ErrorKind, Result};
use crate::headers::Headers;
use crate::observe::BodyEnd;
use crate::wire::chunked::Chunked;
use crate::wire::framing::{Framing, at_most};
use crate::wire::step::{Step, Unframed};

/// Decodes a body, by its framing.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// A Content-Length, of which `left` bytes are to come.
    Length { left: u64 },
    /// The chunked coding.
    Chunked(Chunked),
    /// All bytes until the connection ends, which must not be before `at_least` more.
    UntilClose { at_least: u64 },
    /// No body.
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

    /// Returns what `bytes`, the next that have arrived, are.
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

    /// Moves the content among `bytes`, the next that have arrived, to their front.
    #[inline]
    pub(crate) fn unframe(&mut self, bytes: &mut [u8]) -> Unframed {
        let (content, is_last) = match self {
            Decoder::Chunked(chunked) => return chunked.unframe(bytes),
            Decoder::Length { left } => (at_most(*left, bytes.len()), *left <= bytes.len() as u64),
            Decoder::UntilClose { .. } => (bytes.len(), false),
            Decoder::Empty => (0, true),
        };
        self.advance(content);
        Unframed { used: content, content, is_last: Ok(is_last) }
    }

    /// Records that `used` bytes of the data of the last step were used.
    #[inline]
    pub(crate) fn advance(&mut self, used: usize) {
        match self {
            Decoder::Length { left } => *left -= used as u64,
            Decoder::Chunked(chunked) => chunked.advance(used),
            Decoder::UntilClose { at_least } => *at_least = at_least.saturating_sub(used as u64),
            Decoder::Empty => {}
        }
    }

    /// Returns whether the end of the connection is the end of the body; an error if it cuts it short.
    pub(crate) fn eof(&self) -> Result<()> {
        let what = match self {
            Decoder::UntilClose { at_least: 0 } | Decoder::Empty | Decoder::Length { left: 0 } => return Ok(()),
            Decoder::Length { left } | Decoder::UntilClose { at_least: left } => {
                format!("the connection ended {left} bytes before the body did")
            }
            Decoder::Chunked(chunked) => chunked.truncation().to_owned(),
        };
        Err(Error::new(ErrorKind::Truncated, what))
    }

    /// Returns the number of bytes of body still to come, if it is known.
    #[inline]
    pub(crate) fn remaining(&self) -> Option<u64> {
        match self {
            Decoder::Length { left } => Some(*left),
            Decoder::Empty => Some(0),
            Decoder::Chunked(_) | Decoder::UntilClose { .. } => None,
        }
    }

    /// Returns how many of the next bytes are content, whatever they are, and not the body's last.
    pub(crate) fn certain(&self) -> u64 {
        match self {
            Decoder::Length { left } => left.saturating_sub(1),
            Decoder::Chunked(chunked) => chunked.data_left(),
            Decoder::UntilClose { .. } => u64::MAX,
            Decoder::Empty => 0,
        }
    }

    /// Returns what ends the body.
    pub(crate) fn end(&self) -> BodyEnd {
        match self {
            Decoder::Length { .. } => BodyEnd::Length,
            Decoder::Chunked(_) => BodyEnd::LastChunk,
            Decoder::UntilClose { .. } => BodyEnd::Closed,
            Decoder::Empty => BodyEnd::Empty,
        }
    }

    /// Returns the trailer fields, once the body has ended.
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
    fn every_framing_decides_what_the_end_of_the_connection_means() {
        let eof = |framing| Decoder::new(framing).eof().map_err(|error| error.kind());
        assert_eq!(eof(Framing::Empty), Ok(()));
        assert_eq!(eof(Framing::Length(0)), Ok(()));
        assert_eq!(eof(Framing::UntilClose { at_least: 0 }), Ok(()));
        assert_eq!(eof(Framing::UntilClose { at_least: 1 }), Err(ErrorKind::Truncated));
        assert_eq!(eof(Framing::Length(1)), Err(ErrorKind::Truncated));
        assert_eq!(eof(Framing::Chunked), Err(ErrorKind::Truncated));
    }

    #[test]
    fn the_remaining_bytes_are_known_of_a_length_and_of_no_body() {
        let remaining = |framing| Decoder::new(framing).remaining();
        assert_eq!(remaining(Framing::Empty), Some(0));
        assert_eq!(remaining(Framing::Length(7)), Some(7));
        assert_eq!(remaining(Framing::Chunked), None);
        assert_eq!(remaining(Framing::UntilClose { at_least: 9 }), None);
    }

    #[test]
    fn what_is_content_for_certain_leaves_the_end_to_be_seen() {
        let certain = |framing| Decoder::new(framing).certain();
        assert_eq!(certain(Framing::Empty), 0);
        assert_eq!(certain(Framing::Length(0)), 0);
        assert_eq!(certain(Framing::Length(7)), 6);
        assert_eq!(certain(Framing::UntilClose { at_least: 9 }), u64::MAX);
        let mut decoder = Decoder::new(Framing::Chunked);
        assert_eq!(decoder.certain(), 0);
        assert_eq!(decoder.step(b"5\r\nabc").unwrap(), Step::Data { skip: 3, len: 3 });
        assert_eq!(decoder.certain(), 5);
        decoder.advance(5);
        assert_eq!(decoder.certain(), 0);
    }

    #[test]
    fn the_bytes_after_a_length_are_not_the_bodys() {
        let mut decoder = Decoder::new(Framing::Length(3));
        assert_eq!(decoder.step(b"abcdef").unwrap(), Step::Data { skip: 0, len: 3 });
        decoder.advance(2);
        assert_eq!(decoder.step(b"cdef").unwrap(), Step::Data { skip: 0, len: 1 });
        decoder.advance(1);
        assert_eq!(decoder.step(b"def").unwrap(), Step::End { skip: 0 });
        assert_eq!(decoder.step(b"").unwrap(), Step::End { skip: 0 });
    }

    #[test]
    fn the_least_length_is_counted_down_and_may_be_exceeded() {
        let mut decoder = Decoder::new(Framing::UntilClose { at_least: 3 });
        decoder.advance(2);
        let error = decoder.eof().unwrap_err();
        assert_eq!(error.to_string(), "the connection ended 1 bytes before the body did");
        decoder.advance(5);
        assert!(decoder.eof().is_ok());
    }

    #[test]
    fn a_cut_in_the_trailer_section_has_its_own_message() {
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
    fn a_length_that_cannot_be_addressed_is_decoded() {
        let mut decoder = Decoder::new(Framing::Length(u64::MAX));
        assert_eq!(decoder.step(b"abc").unwrap(), Step::Data { skip: 0, len: 3 });
    }
}
