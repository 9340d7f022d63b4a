//! Reads response heads out of the bytes that have arrived (RFC 9112 §2.2, §4, §5; RFC 9110 §15.2).
//!
//! The grammar is httparse's; what it refuses goes to `head_lines`. Here is the care that a head is
//! not parsed from the start for every byte that arrives, and the limits.

use std::mem::MaybeUninit;

use crate::error::{Error, ErrorKind, Result};
use crate::headers::TrimBlanks;
use crate::status::Version;
use crate::wire::head::{Head, HeadLimits, Parts, Piece};
use crate::wire::head_lines::{self, InvalidLines, reason_piece, status, too_many_fields};

/// Empty lines before a status line that are passed over (RFC 9112 §2.2 asks for one).
const EMPTY_LINES_MAX: usize = 4;

/// Fields that are parsed into slots on the stack; a `max_headers` above costs an allocation.
const FIELDS_ON_STACK: usize = 256;

/// Reads the heads of one exchange out of a buffer that fills up step by step.
///
/// A parse is tried on the first bytes, where a whole head nearly always lies; then when the first
/// line is complete, so that junk is not waited for; and then when the empty line is there.
pub(crate) struct HeadParser {
    limits: HeadLimits,
    invalid: InvalidLines,
    tries: Tries,
    /// Bytes, counted behind leading empty lines, that are known not to begin the blank line.
    scanned: usize,
    /// Bytes of interim heads that were skipped.
    skipped: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Tries {
    None,
    FirstBytes,
    FirstLine,
}

impl HeadParser {
    pub(crate) fn new(limits: HeadLimits, invalid: InvalidLines) -> HeadParser {
        HeadParser { limits, invalid, tries: Tries::None, scanned: 0, skipped: 0 }
    }

    /// Looks at all bytes that have arrived; the head, once it is complete.
    #[inline]
    pub(crate) fn parse(&mut self, arrived: &[u8]) -> Result<Option<Head>> {
        let lead = leading_empty_lines(arrived)?;
        let bytes = &arrived[lead..];
        let seen = self.look(bytes);
        let mut parsed = if seen == Seen::Nothing { Ok(None) } else { self.parse_whole(bytes) };
        match &mut parsed {
            Ok(Some(head)) if lead + head.bytes > self.limits.bytes_max => Err(self.too_large()),
            Ok(Some(head)) => {
                head.bytes += lead;
                parsed
            }
            Ok(None) if seen == Seen::BlankLine => Err(malformed("the head ends inside a line")),
            Ok(None) if arrived.len() >= self.limits.bytes_max => Err(self.too_large()),
            Ok(None) | Err(_) => parsed,
        }
    }

    /// That head was an interim one, and the next is to be read. All interim heads of an exchange
    /// together may be as large as one head, so that a flood of them ends.
    pub(crate) fn skip_interim(&mut self, head: &Head) -> Result<()> {
        (self.tries, self.scanned) = (Tries::None, 0);
        self.skipped += head.bytes;
        if self.skipped > self.limits.bytes_max {
            let what = format!("interim responses: over {} bytes (max_head_size)", self.limits.bytes_max);
            return Err(Error::new(ErrorKind::HeadTooLarge, what));
        }
        Ok(())
    }

    /// The connection has ended after `arrived`: what that makes of it.
    pub(crate) fn eof(&self, arrived: &[u8]) -> Error {
        let cut = |what| Error::new(ErrorKind::Truncated, what);
        if arrived.is_empty() {
            return cut("the connection ended without a response");
        }
        // What is malformed was not merely cut; it need not have been looked at yet.
        let parsed = leading_empty_lines(arrived).and_then(|lead| self.parse_whole(&arrived[lead..]));
        parsed.err().unwrap_or_else(|| cut("the connection ended inside the response head"))
    }

    fn too_large(&self) -> Error {
        let what = format!("response head: over {} bytes (max_head_size)", self.limits.bytes_max);
        Error::new(ErrorKind::HeadTooLarge, what)
    }

    /// Whether a parse is worth while.
    fn look(&mut self, bytes: &[u8]) -> Seen {
        if bytes.is_empty() {
            return Seen::Nothing;
        }
        // What cannot become HTTP need not have line ends.
        if self.tries == Tries::None || bytes[0] != b'H' {
            self.tries = Tries::FirstBytes;
            return Seen::FirstBytes;
        }
        while let Some(newline) = bytes[self.scanned..].iter().position(|byte| *byte == b'\n') {
            let at = self.scanned + newline;
            match &bytes[at + 1..] {
                [b'\n', ..] | [b'\r', b'\n', ..] => return Seen::BlankLine,
                [] | [b'\r'] => {
                    self.scanned = at;
                    return self.first_line();
                }
                _ => self.scanned = at + 1,
            }
            if self.tries == Tries::FirstBytes {
                return self.first_line();
            }
        }
        self.scanned = bytes.len();
        Seen::Nothing
    }

    fn first_line(&mut self) -> Seen {
        if self.tries == Tries::FirstLine {
            return Seen::Nothing;
        }
        self.tries = Tries::FirstLine;
        Seen::FirstLine
    }

    /// The head at the start of `bytes`, or `None` if it is not all there.
    fn parse_whole(&self, bytes: &[u8]) -> Result<Option<Head>> {
        let fields_max = self.limits.fields_max;
        let parsed = if fields_max <= FIELDS_ON_STACK {
            let mut slots = [const { MaybeUninit::uninit() }; FIELDS_ON_STACK];
            parse_into(&mut slots[..fields_max], bytes)
        } else {
            parse_into(&mut vec![MaybeUninit::uninit(); fields_max], bytes)
        };
        match parsed {
            Err(error) => self.parse_lines(bytes, error),
            Ok(head) => head,
        }
    }

    /// httparse says no: which line it was, or the head all the same.
    #[cold]
    fn parse_lines(&self, bytes: &[u8], error: httparse::Error) -> Result<Option<Head>> {
        let fields_max = self.limits.fields_max;
        if error == httparse::Error::TooManyHeaders {
            return Err(too_many_fields(fields_max));
        }
        head_lines::parse(bytes, fields_max, self.invalid)
    }
}

/// What a look at the bytes showed.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Nothing,
    FirstBytes,
    FirstLine,
    BlankLine,
}

fn malformed(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Head, what)
}

/// How many bytes of empty lines stand before the status line.
fn leading_empty_lines(bytes: &[u8]) -> Result<usize> {
    let mut at = 0;
    for _ in 0..=EMPTY_LINES_MAX {
        match &bytes[at..] {
            [b'\n', ..] => at += 1,
            [b'\r', b'\n', ..] => at += 2,
            _ => return Ok(at),
        }
    }
    Err(malformed(format!("response head: more than {EMPTY_LINES_MAX} empty lines before it")))
}

/// By httparse, which refuses what `head_lines` may still take.
#[inline]
fn parse_into<'a>(
    slots: &mut [MaybeUninit<httparse::Header<'a>>],
    bytes: &'a [u8],
) -> Result<Result<Option<Head>>, httparse::Error> {
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut response, bytes, slots)? {
        httparse::Status::Partial => Ok(Ok(None)),
        httparse::Status::Complete(length) => Ok(to_head(&bytes[..length], &response).map(Some)),
    }
}

fn to_head(raw: &[u8], response: &httparse::Response<'_, '_>) -> Result<Head> {
    let reason = match response.reason {
        Some("") | None => raw_reason(raw),
        Some(reason) => Piece::Raw(reason.as_bytes()),
    };
    Ok(Head::assemble(Parts {
        raw,
        version: if response.version == Some(0) { Version::Http10 } else { Version::Http11 },
        status: status(response.code.unwrap_or_default())?,
        claims_http2: false,
        reason,
        fields: response.headers.iter().map(|header| (header.name, Piece::Raw(header.value))),
    }))
}

/// The reason phrase from the raw line, since httparse drops one with obs-text.
fn raw_reason(raw: &[u8]) -> Piece<'_> {
    let line = raw.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    reason_piece(line.get("HTTP/1.1 200 ".len()..).unwrap_or_default().trim_ascii_blanks())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { bytes_max: 1024, fields_max: 8 };

    fn whole(bytes: &[u8]) -> Result<Option<Head>> {
        HeadParser::new(LIMITS, InvalidLines::Refused).parse(bytes)
    }

    fn bytewise(bytes: &[u8]) -> Result<Option<Head>> {
        let mut parser = HeadParser::new(LIMITS, InvalidLines::Refused);
        for end in 1..=bytes.len() {
            if let Some(done) = parser.parse(&bytes[..end])? {
                return Ok(Some(done));
            }
        }
        Ok(None)
    }

    #[test]
    fn a_head_is_the_same_whole_and_byte_by_byte() {
        let text = b"\r\nHTTP/1.1 200 Fine\r\nA: 1\r\nb:\t2 \r\nA:\r\n\r\nbody";
        for head in [whole(text), bytewise(text)].map(|parsed| parsed.unwrap().unwrap()) {
            assert_eq!(head.bytes, text.len() - 4);
            assert_eq!((head.status.as_u16(), head.reason()), (200, "Fine"));
            let fields: Vec<_> = head.headers.iter().collect();
            assert_eq!(fields, [("A", &b"1"[..]), ("b", b"2"), ("A", b"")]);
            assert_eq!(head.raw(), &text[2..head.bytes]);
        }
    }

    #[test]
    fn junk_is_refused_at_the_end_of_its_first_line() {
        let mut parser = HeadParser::new(LIMITS, InvalidLines::Refused);
        let text = b"SSH-2.0-OpenSSH_9.2\r\n";
        assert!((1..text.len()).all(|end| matches!(parser.parse(&text[..end]), Ok(None) | Err(_))));
        assert_eq!(whole(text).err().unwrap().kind(), ErrorKind::Head);
        assert_eq!(bytewise(text).err().unwrap().kind(), ErrorKind::Head);
    }

    #[test]
    fn junk_is_refused_although_more_came_with_its_first_line() {
        assert_eq!(whole(b"SSH-2.0-OpenSSH_9.2\r\nmore").err().unwrap().kind(), ErrorKind::Head);
        let mut parser = HeadParser::new(LIMITS, InvalidLines::Refused);
        let text = b"HTTP/1.1 2x0 OK\r\nServer: x";
        assert!(parser.parse(&text[..9]).unwrap().is_none());
        assert_eq!(parser.parse(text).err().unwrap().kind(), ErrorKind::Head);
    }

    #[test]
    fn junk_is_shown_by_its_first_bytes() {
        let message = whole(b"SSH-2.0-OpenSSH_9.2 and its long tail\r\n").err().unwrap().to_string();
        assert_eq!(message, "response head: not HTTP/1.x but \"SSH-2.0-OpenSSH_9.2 and its long tail\\r\\n\"");
        let message = whole(b"HTTP/1.1 2x0\r\n").err().unwrap().to_string();
        assert_eq!(message, "response head: invalid response status in the status line: \"HTTP/1.1 2x0\"");
    }

    #[test]
    fn a_fold_is_a_space_but_not_in_framing() {
        let head = whole(b"HTTP/1.1 200 OK\r\nA: one\r\n \t two\r\nB: x\r\nC: 3\r\n 4\r\n\r\n").unwrap().unwrap();
        let fields: Vec<_> = head.headers.iter().collect();
        assert_eq!(fields, [("A", &b"one two"[..]), ("B", b"x"), ("C", b"3 4")]);
        for length in ["\r\n 5", "5\r\n ", " \n\t5"] {
            let folded = whole(format!("HTTP/1.1 200 OK\r\nContent-Length:{length}\r\n\r\n").as_bytes());
            assert_eq!(folded.err().unwrap().kind(), ErrorKind::Framing, "{length:?}");
        }
    }

    #[test]
    fn a_higher_minor_version_counts_as_1_1() {
        let text = b"HTTP/1.7 200 OK\r\n\r\n";
        for split in 1..text.len() {
            let mut parser = HeadParser::new(LIMITS, InvalidLines::Refused);
            assert!(parser.parse(&text[..split]).unwrap().is_none(), "split at {split}");
            let head = parser.parse(text).unwrap().unwrap();
            assert_eq!((head.version, head.raw()), (Version::Http11, &text[..]));
        }
        assert_eq!(whole(b"HTTP/3.0 200 OK\r\n\r\n").err().unwrap().kind(), ErrorKind::Head);
    }

    #[test]
    fn the_limits_hold_on_both_sides() {
        let head = |bytes: usize| {
            let mut text = b"HTTP/1.1 200 OK\r\nA: ".to_vec();
            text.resize(bytes - 4, b'x');
            text.extend_from_slice(b"\r\n\r\n");
            text
        };
        assert!(whole(&head(1024)).unwrap().is_some());
        assert!(bytewise(&head(1024)).unwrap().is_some());
        assert_eq!(whole(&head(1025)).err().unwrap().kind(), ErrorKind::HeadTooLarge);
        assert_eq!(bytewise(&head(1025)).err().unwrap().kind(), ErrorKind::HeadTooLarge);
        let unfinished = |bytes: usize| whole(&head(9999)[..bytes]).map_err(|error| error.kind());
        assert!(unfinished(1023).unwrap().is_none());
        assert_eq!(unfinished(1024).err(), Some(ErrorKind::HeadTooLarge), "there is no room for its end");
        let fields = |count: usize| ["HTTP/1.1 200 OK\r\n", &"A: 1\r\n".repeat(count), "\r\n"].concat();
        assert!(whole(fields(8).as_bytes()).unwrap().is_some());
        assert_eq!(whole(fields(9).as_bytes()).err().unwrap().kind(), ErrorKind::HeadTooLarge);
        let many = HeadLimits { bytes_max: 9999, fields_max: FIELDS_ON_STACK + 1 };
        let parsed = |count: usize| HeadParser::new(many, InvalidLines::Refused).parse(fields(count).as_bytes());
        assert_eq!(parsed(many.fields_max).unwrap().unwrap().headers.len(), many.fields_max);
        assert_eq!(parsed(many.fields_max + 1).err().unwrap().kind(), ErrorKind::HeadTooLarge);
    }

    #[test]
    fn a_reason_with_odd_bytes_is_read_all_the_same() {
        let head = whole(b"HTTP/1.1 404 Pas trouv\xe9\r\n\r\n").unwrap().unwrap();
        assert_eq!(head.reason(), "Pas trouv\u{fffd}");
        let head = whole("HTTP/1.1 404 Näh\r\n\r\n".as_bytes()).unwrap().unwrap();
        assert_eq!(head.reason(), "Näh");
    }
}
