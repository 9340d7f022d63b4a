//! The chunked coding, both ways (RFC 9112 §7.1).
//!
//! ```text
//! chunked-body = *chunk last-chunk trailer-section CRLF
//! chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
//! last-chunk   = 1*"0" [ chunk-ext ] CRLF
//! ```
//!
//! The decoder has one state per position in the grammar, and takes one byte at a time except for
//! data, and for chunk lines of the usual form (see `plain_line`). A CR or LF without the other is an
//! error. Whitespace after a size is accepted, since old servers pad sizes with it.

use crate::error::{Error, ErrorKind, Result};
use crate::headers::{Headers, is_field_byte};
use crate::wire::framing::at_most;
use crate::wire::step::{Step, Unframed};

/// Bytes of one chunk line at most, with its extensions.
const LINE_BYTES_MAX: usize = 4 * 1024;

/// Bytes of the trailer section at most.
const TRAILER_BYTES_MAX: usize = 16 * 1024;

/// Fields of the trailer section at most.
const TRAILER_FIELDS_MAX: usize = 64;

/// Decodes a chunked body.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone, PartialEq))]
pub(crate) struct Chunked {
    state: State,
    /// Bytes of the current chunk line so far.
    line_bytes: usize,
    /// The trailer section so far.
    trailer: Vec<u8>,
}

/// The position in the grammar of the next byte.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Before the first digit of a chunk-size.
    Size,
    /// After at least one digit of a chunk-size.
    SizeDigits { size: u64 },
    /// In the whitespace after a chunk-size.
    SizePadding { size: u64 },
    /// In a chunk-ext.
    Extension { size: u64 },
    /// Before the LF of a chunk line.
    SizeLf { size: u64 },
    /// In chunk-data.
    Data { left: u64 },
    /// Before the CR after chunk-data.
    DataCr,
    /// Before the LF after chunk-data.
    DataLf,
    /// At the start of a line of the trailer section.
    TrailerStart,
    /// In a trailer field.
    Trailer,
    /// Before the LF of a trailer field.
    TrailerLf,
    /// Before the LF that ends the body.
    LastLf,
    /// After the body.
    End,
}

impl Chunked {
    pub(crate) fn new() -> Chunked {
        Chunked { state: State::Size, line_bytes: 0, trailer: Vec::new() }
    }

    /// Returns what `bytes`, the next that have arrived, are.
    #[inline(always)]
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Result<Step> {
        let line = match (self.state, bytes) {
            (State::Size, line) | (State::Data { left: 0 }, [b'\r', b'\n', line @ ..]) => line,
            _ => return self.step_by_state(bytes),
        };
        match plain_line(line) {
            Some((length, left)) if length < line.len() => {
                self.state = State::Data { left };
                let skip = bytes.len() - line.len() + length;
                Ok(Step::Data { skip, len: at_most(left, bytes.len() - skip) })
            }
            _ => self.step_by_state(bytes),
        }
    }

    /// The same for all that is not a plain chunk line with data after it.
    #[inline(never)]
    fn step_by_state(&mut self, bytes: &[u8]) -> Result<Step> {
        let mut skip = 0;
        loop {
            match self.state {
                State::Data { left: 0 } => self.state = State::DataCr,
                State::Data { left } if skip < bytes.len() => {
                    return Ok(Step::Data { skip, len: at_most(left, bytes.len() - skip) });
                }
                State::End => return Ok(Step::End { skip }),
                _ => {}
            }
            let Some(byte) = bytes.get(skip) else { return Ok(Step::More { skip }) };
            skip += 1;
            self.state = self.next_state(*byte)?;
        }
    }

    /// Moves the content among `bytes`, the next that have arrived, to their front.
    pub(crate) fn unframe(&mut self, bytes: &mut [u8]) -> Unframed {
        let (mut used, mut content) = (0, 0);
        let is_last = loop {
            match self.step(&bytes[used..]) {
                Ok(Step::Data { skip, len }) => {
                    let start = used + skip;
                    if start != content {
                        bytes.copy_within(start..start + len, content);
                    }
                    used = start + len;
                    content += len;
                    self.advance(len);
                }
                Ok(Step::More { skip }) => {
                    used += skip;
                    break Ok(false);
                }
                Ok(Step::End { skip }) => {
                    used += skip;
                    break Ok(true);
                }
                Err(error) => break Err(error),
            }
        };
        Unframed { used, content, is_last }
    }

    /// Returns the error message for a connection that ends now.
    pub(crate) fn truncation(&self) -> &'static str {
        match self.state {
            State::TrailerStart | State::Trailer | State::TrailerLf | State::LastLf => {
                "the connection ended inside the trailer section, after the last chunk"
            }
            _ => "the connection ended before the last chunk",
        }
    }

    /// Records that `used` bytes of the data of the last step were used.
    #[inline]
    pub(crate) fn advance(&mut self, used: usize) {
        if let State::Data { left } = &mut self.state {
            *left -= used as u64;
        }
    }

    /// Returns how many bytes of the current chunk's data are to come.
    pub(crate) fn data_left(&self) -> u64 {
        match self.state {
            State::Data { left } => left,
            _ => 0,
        }
    }

    /// Returns the trailer fields, once the body has ended. Fields that must not be trailers are
    /// dropped (RFC 9110 §6.5.1).
    pub(crate) fn trailers(&self) -> Headers {
        let mut trailers = Headers::new();
        if self.trailer.is_empty() {
            return trailers;
        }
        let mut slots = [httparse::EMPTY_HEADER; TRAILER_FIELDS_MAX];
        if let Ok(fields) = parse_trailers(&self.trailer, &mut slots) {
            for field in fields.iter().filter(|field| is_allowed_in_trailers(field.name)) {
                let _ = trailers.append(field.name, field.value); // checked where the body ended
            }
        }
        trailers
    }

    /// Returns the state after `byte`.
    fn next_state(&mut self, byte: u8) -> Result<State> {
        use State::*;
        match self.state {
            Size | SizeDigits { .. } | SizePadding { .. } | Extension { .. } | SizeLf { .. } => {
                self.in_chunk_line(byte)
            }
            DataCr if byte == b'\r' => Ok(DataLf),
            DataLf if byte == b'\n' => Ok(Size),
            DataCr | DataLf => Err(unexpected("chunk data", byte, "CRLF must follow it")),
            TrailerStart | Trailer | TrailerLf | LastLf => self.in_trailer(byte),
            Data { .. } | End => unreachable!("step handles data and the end itself"),
        }
    }

    fn in_chunk_line(&mut self, byte: u8) -> Result<State> {
        use State::*;
        self.line_bytes += 1;
        if self.line_bytes > LINE_BYTES_MAX {
            return Err(malformed(format!("chunk line: over {LINE_BYTES_MAX} bytes")));
        }
        match (self.state, byte) {
            (Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => Ok(SizeDigits { size: hex(byte) }),
            (SizeDigits { size }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => match size.checked_mul(16) {
                Some(size) => Ok(SizeDigits { size: size + hex(byte) }),
                None => Err(malformed("chunk size: over 64 bits")),
            },
            (SizeDigits { size } | SizePadding { size }, b' ' | b'\t') => Ok(SizePadding { size }),
            (SizeDigits { size } | SizePadding { size }, b';') => Ok(Extension { size }),
            (SizeDigits { size } | SizePadding { size } | Extension { size }, b'\r') => Ok(SizeLf { size }),
            (Extension { size }, byte) if is_field_byte(byte) => Ok(Extension { size }),
            (SizeLf { size }, b'\n') => {
                self.line_bytes = 0;
                Ok(if size == 0 { TrailerStart } else { Data { left: size } })
            }
            (Extension { .. }, _) => Err(unexpected("chunk extension", byte, "it is not allowed there")),
            (SizeLf { .. }, _) => Err(unexpected("chunk line", byte, "LF must follow CR")),
            _ => Err(malformed(format!(
                "chunk size: '{}' is not a hex digit (byte {} of the line)",
                byte.escape_ascii(),
                self.line_bytes
            ))),
        }
    }

    fn in_trailer(&mut self, byte: u8) -> Result<State> {
        use State::*;
        let state = match (self.state, byte) {
            (TrailerStart, b'\r') => return Ok(LastLf),
            (LastLf, b'\n') => return self.end_trailers(),
            (Trailer, b'\r') => TrailerLf,
            (TrailerLf, b'\n') => TrailerStart,
            (TrailerStart | Trailer, byte) if is_field_byte(byte) => Trailer,
            _ => return Err(unexpected("trailer section", byte, "it is not allowed there")),
        };
        if self.trailer.len() >= TRAILER_BYTES_MAX {
            return Err(malformed(format!("trailer section: over {TRAILER_BYTES_MAX} bytes")));
        }
        self.trailer.push(byte);
        Ok(state)
    }

    /// Checks the complete trailer section.
    fn end_trailers(&mut self) -> Result<State> {
        if !self.trailer.is_empty() {
            self.trailer.extend_from_slice(b"\r\n");
            parse_trailers(&self.trailer, &mut [httparse::EMPTY_HEADER; TRAILER_FIELDS_MAX])?;
        }
        Ok(State::End)
    }
}

fn parse_trailers<'a, 's>(
    section: &'a [u8],
    slots: &'s mut [httparse::Header<'a>],
) -> Result<&'s [httparse::Header<'a>]> {
    match httparse::parse_headers(section, slots) {
        Ok(httparse::Status::Complete((_, fields))) => Ok(fields),
        Ok(httparse::Status::Partial) => Err(malformed("trailer section: it ends inside a line")),
        Err(error) => Err(malformed(format!("trailer section: {error}"))),
    }
}

/// Fields that must not be merged from trailers: they are about framing, routing, authentication, or
/// how the content was to be decoded (RFC 9110 §6.5.1).
const FORBIDDEN_TRAILERS: [&str; 20] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "host",
    "keep-alive",
    "location",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "www-authenticate",
];

fn is_allowed_in_trailers(name: &str) -> bool {
    !FORBIDDEN_TRAILERS.iter().any(|forbidden| forbidden.eq_ignore_ascii_case(name))
}

/// Digits of a chunk size that [`plain_line`] reads: any eight fit into 64 bits.
const PLAIN_DIGITS_MAX: usize = 8;

/// Reads a whole chunk line without extensions, `40 CRLF`: returns its length and the chunk size. Any
/// other line, the last chunk's, and one that is not complete give `None` and are read by the states,
/// byte by byte. Since nearly all chunk lines have this form, small chunks cost half.
#[inline(always)]
fn plain_line(line: &[u8]) -> Option<(usize, u64)> {
    let mut size = 0;
    for (digits, byte) in line.iter().take(PLAIN_DIGITS_MAX + 1).enumerate() {
        let digit = HEX[usize::from(*byte)];
        if digit == NO_DIGIT {
            let is_complete = size > 0 && line[digits..].starts_with(b"\r\n");
            return is_complete.then_some((digits + 2, size));
        }
        size = size << 4 | u64::from(digit);
    }
    None
}

const NO_DIGIT: u8 = 0xff;

/// The value of each byte as a hex digit.
static HEX: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        table[b"0123456789abcdef"[value] as usize] = value as u8;
        table[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    table
};

fn hex(digit: u8) -> u64 {
    u64::from(HEX[usize::from(digit)])
}

fn malformed(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Chunk, what)
}

fn unexpected(place: &str, byte: u8, rule: &str) -> Error {
    malformed(format!("{place}: '{}': {rule}", byte.escape_ascii()))
}

/// The end of a chunked body without trailers.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Bytes of an encoded chunk line at most: sixteen digits and CRLF.
pub(crate) const SIZE_LINE_BYTES_MAX: usize = 18;

/// Writes the chunk line for `size` into `line` and returns the part that was written. `size` must not
/// be zero: that would be the last chunk.
pub(crate) fn encode_size(size: usize, line: &mut [u8; SIZE_LINE_BYTES_MAX]) -> &[u8] {
    line[16..].copy_from_slice(b"\r\n");
    let mut start = 16;
    let mut rest = size;
    while rest > 0 {
        start -= 1;
        line[start] = b"0123456789abcdef"[rest % 16];
        rest /= 16;
    }
    &line[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_chunk_line_is_digits_and_crlf_and_complete() {
        assert_eq!(plain_line(b"40\r\nbody"), Some((4, 0x40)));
        assert_eq!(plain_line(b"0aF\r\n"), Some((5, 0xaf)));
        assert_eq!(plain_line(b"ffffffff\r\n"), Some((10, 0xffff_ffff)));
        for other in ["", "4", "40\r", "40\n", "0\r\n", "123456789\r\n", "4;x\r\n", "4 \r\n", "\r\n4\r\n"] {
            assert_eq!(plain_line(other.as_bytes()), None, "{other:?}");
        }
    }

    /// Decodes `bytes` given in pieces of `piece` bytes: body, trailers and how much was used.
    fn decode(bytes: &[u8], piece: usize) -> Result<Option<(Vec<u8>, Headers, usize)>> {
        let mut chunked = Chunked::new();
        let (mut body, mut at, mut arrived) = (Vec::new(), 0, 0);
        loop {
            match chunked.step(&bytes[at..arrived])? {
                Step::Data { skip, len } => {
                    body.extend_from_slice(&bytes[at + skip..at + skip + len]);
                    at += skip + len;
                    chunked.advance(len);
                }
                Step::More { .. } if arrived == bytes.len() => return Ok(None),
                Step::More { skip } => {
                    at += skip;
                    arrived = (arrived + piece).min(bytes.len());
                }
                Step::End { skip } => return Ok(Some((body, chunked.trailers(), at + skip))),
            }
        }
    }

    #[test]
    fn a_body_is_the_same_at_every_split() {
        let text = b"5 ;a=\"b;\\\"\"\r\nhello\r\n00A\r\n, chunked!\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\nnext";
        for piece in 1..=text.len() {
            let (body, trailers, used) = decode(text, piece).unwrap().unwrap();
            assert_eq!(body, b"hello, chunked!", "pieces of {piece}");
            assert_eq!(trailers.iter().collect::<Vec<_>>(), [("X-Sum", &b"1"[..])]);
            assert_eq!(&text[used..], b"next");
        }
    }

    #[test]
    fn a_body_is_moved_to_the_front_as_it_is_decoded() {
        let text = b"5;x\r\nhello\r\n00A\r\n, chunked!\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\nnext";
        for split in 0..=text.len() {
            let (mut chunked, mut body, mut used) = (Chunked::new(), Vec::new(), 0);
            let mut has_ended = false;
            for part in [&text[..split], &text[split..]] {
                let mut part = part.to_vec();
                let unframed = chunked.unframe(&mut part);
                assert!(!has_ended || unframed.content == 0 && unframed.used == 0);
                has_ended = unframed.is_last.unwrap();
                assert!(has_ended || unframed.used == part.len());
                body.extend_from_slice(&part[..unframed.content]);
                used += unframed.used;
            }
            assert_eq!(
                (&body[..], &text[used..], has_ended),
                (&b"hello, chunked!!"[..], &b"next"[..], true),
                "{split}"
            );
        }
        let mut bytes = *b"2\r\nok\r\n1\r\nx1\r\n";
        let unframed = Chunked::new().unframe(&mut bytes);
        assert_eq!((&bytes[..3], unframed.content), (&b"okx"[..], 3));
        assert_eq!(unframed.is_last.unwrap_err().kind(), ErrorKind::Chunk);
    }

    #[test]
    fn what_the_grammar_does_not_allow_is_rejected() {
        let cases: [&[u8]; 22] = [
            b"\r\n",
            b"+5\r\nhello\r\n",
            b"-1\r\n",
            b"0x5\r\nhello\r\n",
            b" 5\r\nhello\r\n",
            b"5\nhello\n",
            b"5\r\nhello0\r\n\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhellox\n0\r\n\r\n",
            b"5\r\nhello\rx",
            b"5\rhello",
            b"5;\n",
            b"5;a\0\r\n",
            b"5 5\r\n",
            b"5,5\r\n",
            b"10000000000000000\r\n",
            b"fffffffffffffffff\r\n",
            b"0\r\n\n",
            b"0\r\nA: 1\n\r\n",
            b"0\r\nA: 1\r\n b\r\n\r\n",
            b"0\r\nA b: 1\r\n\r\n",
            b"0\r\n\rx",
        ];
        for bytes in cases {
            for piece in 1..=bytes.len() {
                let kind = decode(bytes, piece).err().map(|error| error.kind());
                assert_eq!(kind, Some(ErrorKind::Chunk), "{} in {piece}s", bytes.escape_ascii());
            }
        }
    }

    #[test]
    fn an_error_names_its_position() {
        let cases: [(&[u8], &str); 6] = [
            (b"0x5\r\n", "chunk size: 'x' is not a hex digit (byte 2 of the line)"),
            (b"5;a\0\r\n", "chunk extension: '\\x00': it is not allowed there"),
            (b"5\rx", "chunk line: 'x': LF must follow CR"),
            (b"1\r\nab", "chunk data: 'b': CRLF must follow it"),
            (b"0\r\nA: 1\n", "trailer section: '\\n': it is not allowed there"),
            (b"0\r\nA b: 1\r\n\r\n", "trailer section: invalid header name"),
        ];
        for (bytes, message) in cases {
            assert_eq!(decode(bytes, 99).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn every_cut_is_detected() {
        let text = b"5;x\r\nhello\r\n0\r\nA: 1\r\n\r\n";
        for end in 0..text.len() {
            assert!(decode(&text[..end], end.max(1)).unwrap().is_none(), "cut at {end}");
        }
    }

    #[test]
    fn the_limits_hold_on_both_sides() {
        let line = |bytes: usize| [b"1;", &vec![b'x'; bytes - 4][..], b"\r\n", b"a\r\n0\r\n\r\n"].concat();
        assert!(decode(&line(LINE_BYTES_MAX), 7).unwrap().is_some());
        assert_eq!(decode(&line(LINE_BYTES_MAX + 1), 7).unwrap_err().kind(), ErrorKind::Chunk);
        let trailer = |bytes: usize| [b"0\r\nA:", &vec![b'x'; bytes - 4][..], b"\r\n\r\n"].concat();
        assert!(decode(&trailer(TRAILER_BYTES_MAX), 99).unwrap().is_some());
        assert_eq!(decode(&trailer(TRAILER_BYTES_MAX + 1), 99).unwrap_err().kind(), ErrorKind::Chunk);
        assert!(decode(b"ffffffffffffffff\r\nabc", 3).unwrap().is_none());
    }

    #[test]
    fn what_is_encoded_decodes_to_the_same() {
        let mut text = Vec::new();
        let data = [b"a".to_vec(), b"b".repeat(15), b"c".repeat(16), b"d".repeat(4097)];
        for chunk in &data {
            text.extend_from_slice(encode_size(chunk.len(), &mut [0; SIZE_LINE_BYTES_MAX]));
            text.extend_from_slice(chunk);
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(LAST_CHUNK);
        assert_eq!(decode(&text, 100).unwrap().unwrap().0, data.concat());
    }
}
