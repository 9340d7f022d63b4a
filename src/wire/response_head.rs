//! Response heads: read out of the bytes that have arrived (RFC 9112 §2.2, §4, §5; RFC 9110 §15.2).
//!
//! The grammar is httparse's; a head that it rejects is read once more by `head_lines`. This file
//! decides when to parse, keeps the limits, and stores the head. What the fields mean is `framing`'s.
//!
//! # When a parse is attempted
//!
//! httparse always starts at the first byte of a head. A parse after every read would make a head that
//! arrives byte by byte cost quadratic time, so there are at most three attempts per head:
//!
//! 1. On the first bytes. They nearly always hold the whole head.
//! 2. When the status line is complete, so that a peer which does not speak HTTP/1 is recognized by
//!    its first line; it may never send an empty one.
//! 3. When the empty line that ends the head has arrived. The search for it continues where it
//!    stopped (`scanned`), so each byte is searched once.
//!
//! Bytes that do not begin with the `H` of `HTTP/` are parsed each time more of them arrive: another
//! protocol need not have lines. That ends soon, since nine bytes are enough to reject any.
//!
//! # Interim responses
//!
//! Any number of 1xx heads may precede the final one (RFC 9110 §15.2). [`HeadParser::parse`] returns
//! each of them; [`Head::is_interim`] returns whether another head follows. A limit on their bytes ends a
//! flood of them.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use crate::error::{Error, ErrorKind, Result};
use crate::headers::{Headers, Span, TrimOws};
use crate::status::{StatusCode, Version};
use crate::wire::head_lines::{self, HeadLines, InvalidLines, StatusLine, invalid_status, too_many_fields};

/// Empty lines before a status line that are ignored (RFC 9112 §2.2 asks for one).
const EMPTY_LINES_MAX: usize = 4;

/// Fields that are parsed into slots on the stack; a `max_headers` above costs an allocation.
const FIELDS_ON_STACK: usize = 256;

/// How large a head may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// Bytes from the status line's first to the empty line's last.
    pub(crate) bytes_max: usize,
    /// Field lines.
    pub(crate) fields_max: usize,
}

/// Reads the response heads of one exchange: interim ones, if any, and the final one.
pub(crate) struct HeadParser {
    limits: HeadLimits,
    invalid_lines: InvalidLines,
    /// The last attempt to parse the current head.
    attempted: Option<Attempt>,
    /// Bytes of the current head, without empty lines before it, in which its end does not begin.
    scanned: usize,
    /// Bytes of all interim heads so far.
    interim_bytes: usize,
}

/// Why a parse is attempted.
#[derive(Clone, Copy, PartialEq)]
enum Attempt {
    FirstBytes,
    StatusLine,
    EmptyLine,
}

impl HeadParser {
    pub(crate) fn new(limits: HeadLimits, invalid_lines: InvalidLines) -> HeadParser {
        HeadParser { limits, invalid_lines, attempted: None, scanned: 0, interim_bytes: 0 }
    }

    /// Returns the head that `arrived` begins with, once it is complete. `arrived` is all that has
    /// arrived after the head returned before.
    pub(crate) fn parse(&mut self, arrived: &[u8]) -> Result<Option<Head>> {
        let empty_lines = leading_empty_lines(arrived)?;
        let bytes = &arrived[empty_lines..];
        let attempt = self.next_attempt(bytes);
        let mut parsed = if attempt.is_none() { Ok(None) } else { self.parse_whole(bytes) };
        match &mut parsed {
            Ok(Some(head)) => {
                head.bytes += empty_lines;
                if head.bytes > self.limits.bytes_max {
                    return Err(self.too_large());
                }
                if head.is_interim() {
                    self.begin_next_head(head.bytes)?;
                }
                parsed
            }
            Ok(None) if attempt == Some(Attempt::EmptyLine) => Err(malformed("response head: it ends inside a line")),
            Ok(None) if arrived.len() >= self.limits.bytes_max => Err(self.too_large()),
            Ok(None) | Err(_) => parsed,
        }
    }

    /// Prepares for the head after an interim one. All interim heads of an exchange together may be
    /// as large as one head.
    #[cold]
    fn begin_next_head(&mut self, interim_bytes: usize) -> Result<()> {
        (self.attempted, self.scanned) = (None, 0);
        self.interim_bytes += interim_bytes;
        if self.interim_bytes > self.limits.bytes_max {
            let what = format!("interim responses: over {} bytes (max_head_size)", self.limits.bytes_max);
            return Err(Error::new(ErrorKind::HeadTooLarge, what));
        }
        Ok(())
    }

    /// Returns the error for a connection that has ended after `arrived`.
    pub(crate) fn eof(&self, arrived: &[u8]) -> Error {
        let truncated = |what| Error::new(ErrorKind::Truncated, what);
        if arrived.is_empty() {
            return truncated("the connection ended without a response");
        }
        // These bytes may be malformed, and not have been parsed yet.
        let parsed = leading_empty_lines(arrived).and_then(|start| self.parse_whole(&arrived[start..]));
        parsed.err().unwrap_or_else(|| truncated("the connection ended inside the response head"))
    }

    #[cold]
    fn too_large(&self) -> Error {
        let what = format!("response head: over {} bytes (max_head_size)", self.limits.bytes_max);
        Error::new(ErrorKind::HeadTooLarge, what)
    }

    /// Returns why to parse `bytes` now, or `None` to wait for more; see the head of this file.
    fn next_attempt(&mut self, bytes: &[u8]) -> Option<Attempt> {
        let first = bytes.first()?;
        if self.attempted.is_none() || *first != b'H' {
            self.attempted = Some(Attempt::FirstBytes);
            return self.attempted;
        }
        while let Some(newline) = bytes[self.scanned..].iter().position(|byte| *byte == b'\n') {
            let line_end = self.scanned + newline + 1;
            let is_open = match &bytes[line_end..] {
                [b'\n', ..] | [b'\r', b'\n', ..] => return Some(Attempt::EmptyLine),
                [] | [b'\r'] => true, // the next line may become the empty one
                _ => false,
            };
            self.scanned = if is_open { line_end - 1 } else { line_end };
            if self.attempted == Some(Attempt::FirstBytes) {
                self.attempted = Some(Attempt::StatusLine);
                return self.attempted;
            }
            if is_open {
                return None;
            }
        }
        self.scanned = bytes.len();
        None
    }

    /// Returns the head at the start of `bytes`, or `None` if it is not complete.
    fn parse_whole(&self, bytes: &[u8]) -> Result<Option<Head>> {
        let (mut on_stack, mut on_heap) = ([const { MaybeUninit::uninit() }; FIELDS_ON_STACK], Vec::new());
        let fields_max = self.limits.fields_max;
        let slots = match on_stack.get_mut(..fields_max) {
            Some(slots) => slots,
            None => {
                on_heap.resize(fields_max, MaybeUninit::uninit());
                &mut on_heap[..]
            }
        };
        let mut response = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let raw = match config.parse_response_with_uninit_headers(&mut response, bytes, slots) {
            Ok(httparse::Status::Complete(length)) => &bytes[..length],
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return self.parse_lines(bytes, error),
        };
        let code = response.code.unwrap_or_default();
        let status_line = StatusLine {
            version: if response.version == Some(0) { Version::Http10 } else { Version::Http11 },
            status: StatusCode::new(code).ok_or_else(|| invalid_status(code))?,
            claims_http2: false,
            reason: match response.reason {
                Some("") | None => raw_reason(raw),
                Some(reason) => Cow::Borrowed(reason),
            },
        };
        let fields = response.headers.iter().map(|header| (header.name, Cow::Borrowed(header.value)));
        Ok(Some(Head::new(raw, status_line, fields)))
    }

    /// Reads the head line by line, since httparse rejects it.
    #[cold]
    fn parse_lines(&self, bytes: &[u8], error: httparse::Error) -> Result<Option<Head>> {
        let fields_max = self.limits.fields_max;
        if error == httparse::Error::TooManyHeaders {
            return Err(too_many_fields(fields_max));
        }
        let lines = head_lines::parse(bytes, fields_max, self.invalid_lines)?;
        Ok(lines.map(|HeadLines { raw, status_line, fields }| Head::new(raw, status_line, fields.into_iter())))
    }
}

#[cold]
fn malformed(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Head, what)
}

/// Returns the length of the empty lines before the status line.
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

/// Returns the reason phrase in a raw head; httparse drops one that has obs-text.
fn raw_reason(raw: &[u8]) -> Cow<'_, str> {
    let line = raw.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8_lossy(line.get("HTTP/1.1 200 ".len()..).unwrap_or_default().trim_ows())
}

/// A response head.
pub(crate) struct Head {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    pub(crate) headers: Headers,
    pub(crate) framing_fields: FramingFields,
    /// The status line has the version HTTP/2, in text: how much of HTTP/1.1 holds is in doubt.
    pub(crate) claims_http2: bool,
    reason: Span,
    /// The head's length, with the empty lines before it.
    pub(crate) bytes: usize,
}

/// Where the fields are that frame a message or manage its connection. Recorded while the head is
/// stored, so that they need not be searched for.
#[derive(Clone, Copy, Default)]
pub(crate) struct FramingFields {
    pub(crate) content_length: Occurrence,
    pub(crate) transfer_encoding: Occurrence,
    pub(crate) connection: Occurrence,
    pub(crate) keep_alive: Occurrence,
}

/// How often a field occurs in a head.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Occurrence {
    #[default]
    None,
    /// Once: it is the field with that number, counted from 0.
    One(u16),
    Several,
}

impl FramingFields {
    fn record(&mut self, name: &str, number: usize) {
        // Most servers spell these as the RFC does.
        let is = |spelling: &str| name == spelling || name.eq_ignore_ascii_case(spelling);
        let occurrence = match name.len() {
            10 if is("Connection") => &mut self.connection,
            10 if is("Keep-Alive") => &mut self.keep_alive,
            14 if is("Content-Length") => &mut self.content_length,
            17 if is("Transfer-Encoding") => &mut self.transfer_encoding,
            _ => return,
        };
        *occurrence = match u16::try_from(number) {
            Ok(number) if *occurrence == Occurrence::None => Occurrence::One(number),
            _ => Occurrence::Several,
        };
    }
}

impl Head {
    /// Stores a head. The status line's reason and the fields, where they are borrowed, are slices of
    /// `raw`.
    #[inline]
    fn new<'h>(
        raw: &'h [u8],
        StatusLine { version, status, claims_http2, reason }: StatusLine<'h>,
        fields: impl ExactSizeIterator<Item = (&'h str, Cow<'h, [u8]>)>,
    ) -> Head {
        let mut framing_fields = FramingFields::default();
        let mut headers = Headers::from_head(
            raw,
            fields.enumerate().map(|(number, (name, value))| {
                framing_fields.record(name, number);
                (name, value)
            }),
        );
        let reason = match reason {
            Cow::Borrowed(reason) => Span::within(raw, reason.as_bytes()),
            Cow::Owned(reason) => headers.store_text(reason.as_bytes()),
        };
        Head { version, status, headers, framing_fields, claims_http2, reason, bytes: raw.len() }
    }

    /// Returns whether this is an interim head, which is skipped, since the head of the final response
    /// follows (RFC 9110 §15.2). 101 is the last head on its connection: what follows is another
    /// protocol (§15.2.2).
    pub(crate) fn is_interim(&self) -> bool {
        self.status.is_informational() && self.status != StatusCode::SWITCHING_PROTOCOLS
    }

    /// Returns the reason phrase; bytes that were not UTF-8 are replaced.
    pub(crate) fn reason(&self) -> &str {
        std::str::from_utf8(self.headers.text_at(self.reason)).unwrap_or_default()
    }

    /// Calls `visit` with every value of the field called `name`, which occurs as recorded.
    #[inline]
    pub(crate) fn each_value(&self, occurrence: Occurrence, name: &str, visit: impl FnMut(&[u8])) {
        match occurrence {
            Occurrence::None => {}
            Occurrence::One(number) => self.headers.value_at(number.into()).into_iter().for_each(visit),
            Occurrence::Several => self.headers.get_all(name).for_each(visit),
        }
    }

    /// Returns the head as received, without the empty lines before it.
    pub(crate) fn raw(&self) -> &[u8] {
        self.headers.raw_head()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { bytes_max: 1024, fields_max: 8 };

    fn whole(bytes: &[u8]) -> Result<Option<Head>> {
        HeadParser::new(LIMITS, InvalidLines::Reject).parse(bytes)
    }

    fn byte_by_byte(bytes: &[u8]) -> Result<Option<Head>> {
        let mut parser = HeadParser::new(LIMITS, InvalidLines::Reject);
        for end in 1..=bytes.len() {
            if let Some(head) = parser.parse(&bytes[..end])? {
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    #[test]
    fn a_head_is_the_same_whole_and_byte_by_byte() {
        let text = b"\r\nHTTP/1.1 200 Fine\r\nA: 1\r\nb:\t2 \r\nA:\r\n\r\nbody";
        for head in [whole(text), byte_by_byte(text)].map(|parsed| parsed.unwrap().unwrap()) {
            assert_eq!(head.bytes, text.len() - 4);
            assert_eq!((head.status.as_u16(), head.reason()), (200, "Fine"));
            let fields: Vec<_> = head.headers.iter().collect();
            assert_eq!(fields, [("A", &b"1"[..]), ("b", b"2"), ("A", b"")]);
            assert_eq!(head.raw(), &text[2..head.bytes]);
        }
    }

    #[test]
    fn another_protocol_is_rejected_at_the_end_of_its_first_line() {
        let mut parser = HeadParser::new(LIMITS, InvalidLines::Reject);
        let text = b"SSH-2.0-OpenSSH_9.2\r\n";
        assert!((1..text.len()).all(|end| matches!(parser.parse(&text[..end]), Ok(None) | Err(_))));
        assert_eq!(whole(text).err().unwrap().kind(), ErrorKind::Head);
        assert_eq!(byte_by_byte(text).err().unwrap().kind(), ErrorKind::Head);
    }

    #[test]
    fn another_protocol_is_rejected_although_more_arrived_with_its_first_line() {
        assert_eq!(whole(b"SSH-2.0-OpenSSH_9.2\r\nmore").err().unwrap().kind(), ErrorKind::Head);
        let mut parser = HeadParser::new(LIMITS, InvalidLines::Reject);
        let text = b"HTTP/1.1 2x0 OK\r\nServer: x";
        assert!(parser.parse(&text[..9]).unwrap().is_none());
        assert_eq!(parser.parse(text).err().unwrap().kind(), ErrorKind::Head);
    }

    #[test]
    fn another_protocol_is_shown_by_its_first_bytes() {
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
            let mut parser = HeadParser::new(LIMITS, InvalidLines::Reject);
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
        assert!(byte_by_byte(&head(1024)).unwrap().is_some());
        assert_eq!(whole(&head(1025)).err().unwrap().kind(), ErrorKind::HeadTooLarge);
        assert_eq!(byte_by_byte(&head(1025)).err().unwrap().kind(), ErrorKind::HeadTooLarge);
        let unfinished = |bytes: usize| whole(&head(9999)[..bytes]).map_err(|error| error.kind());
        assert!(unfinished(1023).unwrap().is_none());
        assert_eq!(unfinished(1024).err(), Some(ErrorKind::HeadTooLarge), "no room is left for its end");
        let fields = |count: usize| ["HTTP/1.1 200 OK\r\n", &"A: 1\r\n".repeat(count), "\r\n"].concat();
        assert!(whole(fields(8).as_bytes()).unwrap().is_some());
        assert_eq!(whole(fields(9).as_bytes()).err().unwrap().kind(), ErrorKind::HeadTooLarge);
        let many = HeadLimits { bytes_max: 9999, fields_max: FIELDS_ON_STACK + 1 };
        let parsed = |count: usize| HeadParser::new(many, InvalidLines::Reject).parse(fields(count).as_bytes());
        assert_eq!(parsed(many.fields_max).unwrap().unwrap().headers.len(), many.fields_max);
        assert_eq!(parsed(many.fields_max + 1).err().unwrap().kind(), ErrorKind::HeadTooLarge);
    }

    #[test]
    fn a_reason_that_is_not_utf_8_is_read_with_replacements() {
        let head = whole(b"HTTP/1.1 404 Pas trouv\xe9\r\n\r\n").unwrap().unwrap();
        assert_eq!(head.reason(), "Pas trouv\u{fffd}");
        let head = whole("HTTP/1.1 404 Näh\r\n\r\n".as_bytes()).unwrap().unwrap();
        assert_eq!(head.reason(), "Näh");
    }

    #[test]
    fn the_framing_fields_are_recorded_and_no_others_of_the_same_length() {
        use Occurrence::{None, One, Several};
        let occurrences = |name: &str, numbers: &[usize]| {
            let mut fields = FramingFields::default();
            numbers.iter().for_each(|number| fields.record(name, *number));
            [fields.content_length, fields.transfer_encoding, fields.connection, fields.keep_alive]
        };
        assert_eq!(occurrences("Content-Length", &[7]), [One(7), None, None, None]);
        assert_eq!(occurrences("TRANSFER-ENCODING", &[0, 1]), [None, Several, None, None]);
        assert_eq!(occurrences("Connection", &[65_535]), [None, None, One(65_535), None]);
        assert_eq!(occurrences("Connection", &[65_536]), [None, None, Several, None]);
        assert_eq!(occurrences("Keep-Alive", &[1, 2, 3]), [None, None, None, Several]);
        for other in ["User-Agent", "Accept-Charset", "If-Modified-Since", "Date"] {
            assert_eq!(occurrences(other, &[0]), [None; 4], "{other}");
        }
    }

    #[test]
    fn interim_heads_are_returned_one_by_one_and_101_is_final() {
        let text = b"HTTP/1.1 100 Continue\r\n\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: 1\r\n\r\nHTTP/1.1 101 Up\r\n\r\n";
        for step in [1, 7, text.len()] {
            let mut parser = HeadParser::new(LIMITS, InvalidLines::Reject);
            let (mut used, mut heads) = (0, Vec::new());
            for end in (0..=text.len()).step_by(step).chain([text.len()]) {
                while let Some(head) = parser.parse(&text[used..end.max(used)]).unwrap() {
                    used += head.bytes;
                    heads.push((head.status.as_u16(), head.is_interim()));
                }
            }
            assert_eq!((used, &heads[..]), (text.len(), &[(100, true), (103, true), (101, false)][..]), "{step}");
        }
    }

    #[test]
    fn all_interim_heads_together_may_be_as_large_as_one_head() {
        let mut parser = HeadParser::new(LIMITS, InvalidLines::Reject);
        let interim = format!("HTTP/1.1 102 Wait\r\nA: {}\r\n\r\n", "x".repeat(512 - 26));
        assert_eq!(interim.len() * 2, LIMITS.bytes_max);
        for _ in 0..2 {
            assert!(parser.parse(interim.as_bytes()).unwrap().is_some_and(|head| head.is_interim()));
        }
        let error = parser.parse(b"HTTP/1.1 102 Wait\r\n\r\n").err().unwrap();
        assert_eq!(error.to_string(), "interim responses: over 1024 bytes (max_head_size)");
    }
}
