//! A response head read line by line: for heads that httparse refuses.
//!
//! It either names the line that is malformed, or takes the head all the same. Beyond httparse it
//! takes folded lines (RFC 9112 §5.2), control characters in values other than CR, LF and NUL
//! (RFC 9110 §5.5), a minor version above 1 and `HTTP/2` in text (RFC 9110 §2.5), and where that is
//! asked for it passes over lines that are no fields. None of this ever frames a message: a line that
//! names Content-Length or Transfer-Encoding is well formed and on one line, or the head is refused.

use crate::error::{Error, ErrorKind, Result};
use crate::headers::TrimBlanks;
use crate::redact::{holds_secret, line_excerpt};
use crate::status::{StatusCode, Version};
use crate::token::{is_tchar, is_token};
use crate::wire::head::{Head, Parts, Piece};

/// Fields that say where a body ends.
const FRAMING_FIELDS: [&str; 2] = ["content-length", "transfer-encoding"];

/// What becomes of a line that is no field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum InvalidLines {
    Refused,
    /// Passed over, with its folds, unless it names a field that frames the message.
    Skipped,
}

/// The head that `bytes` begin with; `None` if it is not all there.
pub(crate) fn parse(bytes: &[u8], fields_max: usize, invalid: InvalidLines) -> Result<Option<Head>> {
    let Some(status_line) = StatusLine::parse(bytes)? else { return Ok(None) };
    let mut fields: Vec<FieldLine<'_>> = Vec::new();
    let mut latest = Latest::StatusLine;
    let mut at = status_line.length;
    let mut unfolded: &[u8] = &[]; // the line that a fold goes on with
    for number in 2.. {
        let Some(length) = bytes[at..].iter().position(|byte| *byte == b'\n') else { break };
        let line = bytes[at..at + length].strip_suffix(b"\r").unwrap_or(&bytes[at..at + length]);
        at += length + 1;
        unfolded = if is_fold(line) { unfolded } else { line };
        if line.is_empty() {
            return Ok(Some(status_line.into_head(&bytes[..at], fields)));
        }
        latest = match (read_line(line, latest, &mut fields), invalid) {
            (Ok(latest), _) => latest,
            (Err(Mistake::Framing(error)), _) => return Err(error),
            (Err(Mistake::Line(_)), InvalidLines::Skipped) if !names_framing(line) => Latest::Skipped,
            (Err(Mistake::Line(why)), _) => {
                let shown = if is_fold(line) && holds_secret(unfolded) { "***".to_owned() } else { line_excerpt(line) };
                return Err(malformed(format!("response head: line {number} {why}: \"{shown}\"")));
            }
        };
        if fields.len() > fields_max {
            return Err(too_many_fields(fields_max));
        }
    }
    Ok(None)
}

pub(crate) fn too_many_fields(fields_max: usize) -> Error {
    Error::new(ErrorKind::HeadTooLarge, format!("response head: over {fields_max} fields (max_headers)"))
}

fn malformed(what: String) -> Error {
    Error::new(ErrorKind::Head, what)
}

/// A field, and the lines of its value.
struct FieldLine<'h> {
    name: &'h str,
    first: &'h [u8],
    folds: Vec<&'h [u8]>,
}

/// What a fold would go on with.
#[derive(Clone, Copy, PartialEq)]
enum Latest {
    StatusLine,
    Field,
    Skipped,
}

enum Mistake {
    /// What is wrong with the line, after its number.
    Line(String),
    /// Wrong however lenient one is.
    Framing(Error),
}

impl From<&str> for Mistake {
    fn from(why: &str) -> Mistake {
        Mistake::Line(why.to_owned())
    }
}

fn is_fold(line: &[u8]) -> bool {
    line.starts_with(b" ") || line.starts_with(b"\t")
}

/// `field-name ":" OWS field-value OWS` (RFC 9112 §5), or a fold of the field before (§5.2).
fn read_line<'h>(line: &'h [u8], latest: Latest, fields: &mut Vec<FieldLine<'h>>) -> Result<Latest, Mistake> {
    if let (true, Latest::Field, Some(field)) = (is_fold(line), latest, fields.last()) {
        if frames(field.name.as_bytes()) {
            let what = format!("response head: {} is folded over two lines", field.name);
            return Err(Mistake::Framing(Error::new(ErrorKind::Framing, what)));
        }
    }
    let value = if is_fold(line) { line } else { field_value(line)? };
    if value.contains(&0) {
        return Err("has a NUL in its value".into());
    }
    if value.contains(&b'\r') {
        return Err("has a CR that ends no line".into());
    }
    if !is_fold(line) {
        let name = std::str::from_utf8(&line[..line.len() - value.len() - 1]).unwrap_or_default();
        fields.push(FieldLine { name, first: value.trim_ascii_blanks(), folds: Vec::new() });
        return Ok(Latest::Field);
    }
    match (latest, fields.last_mut()) {
        (Latest::Field, Some(field)) => {
            field.folds.push(line.trim_ascii_blanks());
            Ok(Latest::Field)
        }
        (Latest::Skipped, _) => Err("goes on with a line that is no field".into()),
        _ => Err("begins with a blank, and there is no field before it".into()),
    }
}

/// What stands after the colon of a line whose name is one.
fn field_value(line: &[u8]) -> Result<&[u8], Mistake> {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return Err("has no colon".into()) };
    let name = &line[..colon];
    match name {
        [] => Err("has no name before its colon".into()),
        [.., b' ' | b'\t'] if is_token(name.trim_ascii_blanks()) => Err("has a blank before its colon".into()),
        name => match name.iter().find(|byte| !is_tchar(byte)) {
            Some(bad) => Err(Mistake::Line(format!("has '{}' in its name", bad.escape_ascii()))),
            None => Ok(&line[colon + 1..]),
        },
    }
}

fn frames(name: &[u8]) -> bool {
    FRAMING_FIELDS.iter().any(|framing| framing.as_bytes().eq_ignore_ascii_case(name))
}

/// Whether some reader might take the line for a field that frames the message: by what stands before
/// a colon, blanks and odd bytes left out; of the line, and of each piece that a bare CR makes of it.
fn names_framing(line: &[u8]) -> bool {
    line.split(|byte| *byte == b'\r').chain([line]).any(|piece| {
        let name = piece.split(|byte| *byte == b':').next().unwrap_or_default();
        let name: Vec<u8> = name.iter().copied().filter(is_tchar).map(|byte| byte.to_ascii_lowercase()).collect();
        FRAMING_FIELDS.iter().any(|framing| name.windows(framing.len()).any(|part| part == framing.as_bytes()))
    })
}

/// `HTTP-version SP 3DIGIT [ SP reason-phrase ]` (RFC 9112 §4).
struct StatusLine<'h> {
    version: Version,
    claims_http2: bool,
    status: StatusCode,
    reason: &'h [u8],
    /// Bytes up to and with its line end.
    length: usize,
}

impl<'h> StatusLine<'h> {
    /// `None` if the line is not all there, and may still become one.
    fn parse(bytes: &'h [u8]) -> Result<Option<StatusLine<'h>>> {
        let Some((version, claims_http2, version_bytes)) = version(bytes)? else { return Ok(None) };
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (line, length) = end.map_or((bytes, bytes.len()), |end| (&bytes[..=end], end + 1));
        // httparse knows the rest of the line; of the version it is told what it knows.
        let mut known = [b"HTTP/1.1", &line[version_bytes..]].concat();
        if end.is_some() {
            known.extend_from_slice(b"\r\n");
        }
        let mut response = httparse::Response::new(&mut []);
        match response.parse(&known) {
            Ok(httparse::Status::Partial) => return Ok(None),
            Ok(httparse::Status::Complete(_)) => {}
            Err(error) => {
                let shown = line_excerpt(line.trim_ascii_end());
                return Err(malformed(format!("response head: {error} in the status line: \"{shown}\"")));
            }
        }
        let status = status(response.code.unwrap_or_default())?;
        let reason = line.get(version_bytes + " 200 ".len()..).unwrap_or_default().trim_ascii();
        Ok(Some(StatusLine { version, claims_http2, status, reason, length }))
    }

    fn into_head(self, raw: &'h [u8], fields: Vec<FieldLine<'h>>) -> Head {
        let StatusLine { version, claims_http2, status, reason, .. } = self;
        let fields = fields.into_iter().map(|field| (field.name, unfold(&field)));
        Head::assemble(Parts { raw, version, status, claims_http2, reason: reason_piece(reason), fields })
    }
}

/// A code of three digits from 100 on.
pub(crate) fn status(code: u16) -> Result<StatusCode> {
    StatusCode::new(code).ok_or_else(|| malformed(format!("response head: status {code:03}")))
}

/// The reason phrase; one that is not UTF-8 with its odd bytes replaced.
pub(crate) fn reason_piece(reason: &[u8]) -> Piece<'_> {
    match std::str::from_utf8(reason) {
        Ok(reason) => Piece::Raw(reason.as_bytes()),
        Err(_) => Piece::Rewritten(String::from_utf8_lossy(reason).into_owned().into_bytes()),
    }
}

/// The value on one line: each fold is a space (RFC 9112 §5.2).
fn unfold<'h>(field: &FieldLine<'h>) -> Piece<'h> {
    if field.folds.is_empty() {
        return Piece::Raw(field.first);
    }
    let lines = std::iter::once(&field.first).chain(&field.folds).copied();
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    Piece::Rewritten(lines.join(&b' '))
}

/// The version that the bytes begin with, whether it is HTTP/2 in text, and how many bytes it has;
/// `None` if more must come to know. A minor version above 1 counts as 1 (RFC 9110 §2.5).
fn version(bytes: &[u8]) -> Result<Option<(Version, bool, usize)>> {
    match bytes {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0', ..] => return Ok(Some((Version::Http10, false, 8))),
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9', ..] => return Ok(Some((Version::Http11, false, 8))),
        [b'H', b'T', b'T', b'P', b'/', b'2', b'.', b'0', b' ', ..] => return Ok(Some((Version::Http11, true, 8))),
        [b'H', b'T', b'T', b'P', b'/', b'2', b' ', ..] => return Ok(Some((Version::Http11, true, 6))),
        _ if b"HTTP/1.".starts_with(bytes) || b"HTTP/2.0".starts_with(bytes) => return Ok(None),
        _ => {}
    }
    match foreign_protocol(bytes) {
        Foreign::No => Err(malformed(format!("response head: not HTTP/1.x but \"{}\"", line_excerpt(bytes)))),
        Foreign::Partial => Ok(None),
        Foreign::Is(words) => Err(malformed(words.to_owned())),
    }
}

/// Another protocol than HTTP/1.x, by its first bytes.
enum Foreign {
    No,
    /// It may be one: more must come to know.
    Partial,
    Is(&'static str),
}

/// What servers are known to say to plain HTTP/1.1 on a port that speaks something else.
fn foreign_protocol(bytes: &[u8]) -> Foreign {
    const TLS: &str = "the server answered with a TLS record: this port speaks TLS (https), not plain http";
    const TLS_ALERT: &str = "the server answered with a TLS alert: this port speaks TLS (https), not plain http";
    const HTTP2: &str = "the server answered with an HTTP/2 frame: it speaks HTTP/2 without being asked, not HTTP/1.1";
    const FRAME_HEADER_BYTES: usize = 9;

    match bytes {
        [0x15, 0x03, 0..=4, ..] => Foreign::Is(TLS_ALERT),
        [0x16, 0x03, 0..=4, ..] => Foreign::Is(TLS),
        [0x15 | 0x16] | [0x15 | 0x16, 0x03] => Foreign::Partial,
        // RFC 9113 §4.1: length, type SETTINGS or GOAWAY, flags, stream 0. A server begins with SETTINGS.
        [0, _, _, 4 | 7, _, 0, 0, 0, 0, ..] => Foreign::Is(HTTP2),
        [0] | [0, _] | [0, _, _] | [0, _, _, 4 | 7, ..] if bytes.len() < FRAME_HEADER_BYTES => Foreign::Partial,
        _ => Foreign::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<u8> {
        text.replace('\n', "\r\n").into_bytes()
    }

    fn fields(head: &Head) -> Vec<(String, String)> {
        let shown = |value: &[u8]| value.escape_ascii().to_string();
        head.headers.iter().map(|(name, value)| (name.to_owned(), shown(value))).collect()
    }

    fn taken(text: &str, invalid: InvalidLines) -> Vec<(String, String)> {
        let bytes = lines(text);
        let head = parse(&bytes, 8, invalid).unwrap().unwrap();
        assert_eq!((head.bytes, head.raw()), (bytes.len(), &bytes[..]), "{text}");
        fields(&head)
    }

    fn refused(text: &str, invalid: InvalidLines) -> (ErrorKind, String) {
        let error = parse(&lines(text), 8, invalid).err().unwrap_or_else(|| panic!("taken: {text}"));
        (error.kind(), error.to_string())
    }

    #[test]
    fn the_malformed_line_is_named_by_number_and_text() {
        let cases = [
            ("Bad Header: x", "line 3 has ' ' in its name: \"Bad Header: x\""),
            ("Tue, 12 Jun 2012", "line 3 has no colon: \"Tue, 12 Jun 2012\""),
            ("Tue, 12 Jun 2012 01:56", "line 3 has ',' in its name: \"Tue, 12 Jun 2012 01:56\""),
            (": x", "line 3 has no name before its colon: \": x\""),
            ("X : y", "line 3 has a blank before its colon: \"X : y\""),
            ("X\u{2010}Y: z", "line 3 has '\\xe2' in its name: \"X\\xe2\\x80\\x90Y: z\""),
            ("X: a\0b", "line 3 has a NUL in its value: \"X: a\\x00b\""),
            ("X: a\rb", "line 3 has a CR that ends no line: \"X: a\\rb\""),
            ("Set-Cookie : s3cret", "line 3 has a blank before its colon: \"Set-Cookie ***\""),
            ("Cookie: a\n s3cret\0", "line 4 has a NUL in its value: \"***\""),
            ("X: y\rSet-Cookie: s3cret", "line 3 has a CR that ends no line: \"X: y\\rSet-Cookie ***\""),
        ];
        for (line, want) in cases {
            let text = format!("HTTP/1.1 200 OK\nA: 1\n{line}\nB: 2\n\n");
            let (kind, message) = refused(&text, InvalidLines::Refused);
            assert_eq!((kind, message), (ErrorKind::Head, format!("response head: {want}")));
        }
        let (_, message) = refused("HTTP/1.1 200 OK\n folded\nA: 1\n\n", InvalidLines::Refused);
        assert_eq!(message, "response head: line 2 begins with a blank, and there is no field before it: \" folded\"");
        let (_, message) = refused("HTTP/1.1 2x0 OK\n\n", InvalidLines::Refused);
        assert_eq!(message, "response head: invalid response status in the status line: \"HTTP/1.1 2x0 OK\"");
    }

    #[test]
    fn a_malformed_line_is_named_before_the_head_is_whole() {
        assert_eq!(refused("HTTP/1.1 200 OK\nBad Header: x\nB: 2", InvalidLines::Refused).0, ErrorKind::Head);
        assert!(parse(b"HTTP/1.1 200 OK\r\nBad Hea", 8, InvalidLines::Refused).unwrap().is_none());
    }

    #[test]
    fn lines_that_are_no_fields_are_skipped_with_their_folds_where_asked() {
        let text = "HTTP/1.1 200 OK\n begins folded\nHTTP/1.1 200 OK\n<!DOCTYPE html>\n and on\nA: 1\nB C: 2\n\t3\n\
                    X : y\nD: 4\n 5\nE: \0\n\n";
        let want = [("A", "1"), ("D", "4 5")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(taken(text, InvalidLines::Skipped), want);
    }

    #[test]
    fn a_line_that_names_framing_is_never_skipped() {
        for line in [
            "Content-Length : 5",
            "CONTENT-LENGTH\t: 5",
            "Transfer-Encoding : chunked",
            "Transfer-Encoding\u{1}: chunked",
            "\u{1}Content-Length: 5",
            "Content-\0Length: 5",
            "Content-Length 5",
            "Content-Length: \0 5",
            "X: y\rContent-Length: 5",
            "Cont\r\rent-Length: 5",
            "Bad Line\n Content-Length: 5",
        ] {
            let text = format!("HTTP/1.1 200 OK\nA: 1\n{line}\n\n");
            assert_eq!(refused(&text, InvalidLines::Skipped).0, ErrorKind::Head, "{line:?}");
        }
        for length in ["\n 5", "5\n ", " \n\t5", "5\n 0\0", "5\n 0\r1"] {
            let text = format!("HTTP/1.1 200 OK\nContent-Length:{length}\n\n");
            assert_eq!(refused(&text, InvalidLines::Skipped).0, ErrorKind::Framing, "{length:?}");
        }
    }

    #[test]
    fn control_characters_in_values_stay_as_they_came() {
        let text = "HTTP/1.1 200 OK\nSet-Cookie: a=\u{1}b\u{7f};\u{1b}\nContent-Length: 5\u{1}\n\n";
        let got = taken(text, InvalidLines::Refused);
        assert_eq!(got[0], ("Set-Cookie".to_owned(), "a=\\x01b\\x7f;\\x1b".to_owned()));
        assert_eq!(got[1].1, "5\\x01", "and so it is no length");
    }

    #[test]
    fn a_version_that_counts_as_1_1_shifts_nothing() {
        for (version, is_http2) in [("HTTP/1.2", false), ("HTTP/1.9", false), ("HTTP/2.0", true), ("HTTP/2", true)] {
            let bytes = lines(&format!("{version} 404 Not so\nA: 1\n\n"));
            let head = parse(&bytes, 8, InvalidLines::Refused).unwrap().unwrap();
            assert_eq!((head.version, head.claims_http2), (Version::Http11, is_http2), "{version}");
            assert_eq!((head.status.as_u16(), head.reason()), (404, "Not so"));
            assert_eq!((head.raw(), head.headers.get("a")), (&bytes[..], Some("1")));
            for split in 1..bytes.len() {
                assert!(parse(&bytes[..split], 8, InvalidLines::Refused).unwrap().is_none(), "{version} at {split}");
            }
        }
        for version in ["HTTP/20", "HTTP/2.1", "HTTP/3", "HTTP/1", "HTTP/0.9", "http/1.1", "HTTP/10.1", "ICY"] {
            let (kind, message) = refused(&format!("{version} 200 OK\n\n"), InvalidLines::Skipped);
            assert_eq!(kind, ErrorKind::Head, "{version}");
            assert!(message.contains(&format!("not HTTP/1.x but \"{version} 200 OK")), "{message}");
        }
        let (_, message) = refused("HTTP/2.0 0200 OK\n\n", InvalidLines::Refused);
        assert!(message.contains("in the status line"), "{message}");
    }

    #[test]
    fn another_protocol_is_told_in_words_once_enough_has_come() {
        let alert = b"\x15\x03\x01\0\x02\x02\x46";
        let settings = b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80";
        for (bytes, known, word) in [(&alert[..], 3, "TLS alert"), (settings, 9, "HTTP/2 frame")] {
            for end in 1..=bytes.len() {
                match parse(&bytes[..end], 8, InvalidLines::Skipped) {
                    Ok(head) => assert!(head.is_none() && end < known, "{word} after {end}"),
                    Err(error) => assert!(error.to_string().contains(word) && end >= known, "{error} after {end}"),
                }
            }
        }
        for junk in [&b"\0\0\x12\x05"[..], b"\x15\x04", b"\x05\x00"] {
            let error = parse(junk, 8, InvalidLines::Refused).err().unwrap();
            assert!(error.to_string().contains("not HTTP/1.x but"), "{error}");
        }
    }

    #[test]
    fn the_number_of_fields_is_limited_here_too() {
        let text = |count: usize| format!("HTTP/1.1 200 OK\n{}C: \u{1}\n\n", "A: 1\n".repeat(count - 1));
        assert_eq!(taken(&text(8), InvalidLines::Refused).len(), 8);
        assert_eq!(refused(&text(9), InvalidLines::Refused).0, ErrorKind::HeadTooLarge);
    }
}
