//! A response head read line by line: for heads that httparse rejects.
//!
//! The outcome is either an error that names the malformed line, or the head. Accepted beyond what
//! httparse accepts are folded lines (RFC 9112 §5.2), control characters in values other than CR, LF
//! and NUL (RFC 9110 §5.5), a minor version above 1 and `HTTP/2` in text (RFC 9110 §2.5); where that is
//! asked for, lines that are not fields are skipped. None of this ever changes how a message is framed:
//! a line that names Content-Length or Transfer-Encoding is well formed and on one line, or the head is
//! rejected.

use std::borrow::Cow;

use crate::error::{Error, ErrorKind, Result};
use crate::headers::TrimOws;
use crate::redact::{holds_secret, line_excerpt};
use crate::status::{StatusCode, Version};
use crate::token::{is_tchar, is_token};

/// The fields that determine where a body ends.
const FRAMING_FIELDS: [&str; 2] = ["content-length", "transfer-encoding"];

/// What to do about a line that is not a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum InvalidLines {
    Reject,
    /// Skip it with its folds, unless it names a field that frames the message.
    Skip,
}

/// The lines of a complete head.
pub(crate) struct HeadLines<'h> {
    /// The head as received.
    pub(crate) raw: &'h [u8],
    pub(crate) status_line: StatusLine<'h>,
    /// Names and values; a value is borrowed unless it was folded.
    pub(crate) fields: Vec<FieldLine<'h>>,
}

/// `HTTP-version SP 3DIGIT [ SP reason-phrase ]` (RFC 9112 §4).
pub(crate) struct StatusLine<'h> {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    /// The version is HTTP/2.
    pub(crate) claims_http2: bool,
    /// Borrowed unless it is not UTF-8.
    pub(crate) reason: Cow<'h, str>,
}

/// Returns the head that `bytes` begin with, or `None` if it is not complete.
pub(crate) fn parse(bytes: &[u8], fields_max: usize, invalid_lines: InvalidLines) -> Result<Option<HeadLines<'_>>> {
    let Some((status_line, mut at)) = status_line(bytes)? else { return Ok(None) };
    let mut fields = Vec::new();
    let mut previous = Previous::StatusLine;
    let mut unfolded: &[u8] = &[]; // the last line that is not a fold
    for number in 2.. {
        let Some(length) = bytes[at..].iter().position(|byte| *byte == b'\n') else { break };
        let line = bytes[at..at + length].strip_suffix(b"\r").unwrap_or(&bytes[at..at + length]);
        at += length + 1;
        unfolded = if is_fold(line) { unfolded } else { line };
        if line.is_empty() {
            return Ok(Some(HeadLines { raw: &bytes[..at], status_line, fields }));
        }
        previous = match (read_line(line, previous, &mut fields), invalid_lines) {
            (Ok(latest), _) => latest,
            (Err(Malformed::Framing(error)), _) => return Err(error),
            (Err(Malformed::Line(_)), InvalidLines::Skip) if !names_framing(line) => Previous::Skipped,
            (Err(Malformed::Line(why)), _) => {
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

/// The error for three digits that are below 100.
#[cold]
pub(crate) fn invalid_status(code: u16) -> Error {
    malformed(format!("response head: status {code:03}"))
}

fn malformed(what: String) -> Error {
    Error::new(ErrorKind::Head, what)
}

/// A field's name and value.
type FieldLine<'h> = (&'h str, Cow<'h, [u8]>);

/// The line before, to which a fold belongs.
#[derive(Clone, Copy, PartialEq)]
enum Previous {
    StatusLine,
    Field,
    Skipped,
}

enum Malformed {
    /// A line that is not a field. The text follows the line's number.
    Line(String),
    /// A field that frames the message; it is never skipped.
    Framing(Error),
}

impl From<&str> for Malformed {
    fn from(why: &str) -> Malformed {
        Malformed::Line(why.to_owned())
    }
}

fn is_fold(line: &[u8]) -> bool {
    line.starts_with(b" ") || line.starts_with(b"\t")
}

/// `field-name ":" OWS field-value OWS` (RFC 9112 §5), or a fold of the field before (§5.2).
fn read_line<'h>(line: &'h [u8], previous: Previous, fields: &mut Vec<FieldLine<'h>>) -> Result<Previous, Malformed> {
    if let (true, Previous::Field, Some((name, _))) = (is_fold(line), previous, fields.last()) {
        if is_framing_field(name.as_bytes()) {
            let what = format!("response head: {name} is folded over two lines");
            return Err(Malformed::Framing(Error::new(ErrorKind::Framing, what)));
        }
    }
    let value = if is_fold(line) { line } else { field_value(line)? };
    if value.contains(&0) {
        return Err("has a NUL in its value".into());
    }
    if value.contains(&b'\r') {
        return Err("has a bare CR".into());
    }
    if !is_fold(line) {
        let name = std::str::from_utf8(&line[..line.len() - value.len() - 1]).unwrap_or_default();
        fields.push((name, Cow::Borrowed(value.trim_ows())));
        return Ok(Previous::Field);
    }
    match (previous, fields.last_mut()) {
        (Previous::Field, Some((_, value))) => {
            unfold(value.to_mut(), line.trim_ows());
            Ok(Previous::Field)
        }
        (Previous::Skipped, _) => Err("continues a line that is not a field".into()),
        _ => Err("begins with whitespace, and no field precedes it".into()),
    }
}

/// Returns what follows the colon of a line with a valid name.
fn field_value(line: &[u8]) -> Result<&[u8], Malformed> {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return Err("has no colon".into()) };
    let name = &line[..colon];
    match name {
        [] => Err("has an empty name".into()),
        [.., b' ' | b'\t'] if is_token(name.trim_ows()) => Err("has whitespace before its colon".into()),
        name => match name.iter().find(|byte| !is_tchar(byte)) {
            Some(bad) => Err(Malformed::Line(format!("has '{}' in its name", bad.escape_ascii()))),
            None => Ok(&line[colon + 1..]),
        },
    }
}

fn is_framing_field(name: &[u8]) -> bool {
    FRAMING_FIELDS.iter().any(|framing| framing.as_bytes().eq_ignore_ascii_case(name))
}

/// Returns whether another parser might take the line for a field that frames the message. Compared is
/// the text before the colon, without bytes that a name may not have; of the whole line, and of each
/// part of it between bare CRs.
fn names_framing(line: &[u8]) -> bool {
    line.split(|byte| *byte == b'\r').chain([line]).any(|piece| {
        let name = piece.split(|byte| *byte == b':').next().unwrap_or_default();
        let name: Vec<u8> = name.iter().copied().filter(is_tchar).map(|byte| byte.to_ascii_lowercase()).collect();
        FRAMING_FIELDS.iter().any(|framing| name.windows(framing.len()).any(|part| part == framing.as_bytes()))
    })
}

/// Returns the status line that `bytes` begin with and its length with the line end, or `None` if it
/// is not complete and may still become one.
fn status_line(bytes: &[u8]) -> Result<Option<(StatusLine<'_>, usize)>> {
    let Some((version, claims_http2, version_bytes)) = version(bytes)? else { return Ok(None) };
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, length) = end.map_or((bytes, bytes.len()), |end| (&bytes[..=end], end + 1));
    // httparse parses the rest of the line, after a version that it supports.
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
    let code = response.code.unwrap_or_default();
    let status = StatusCode::new(code).ok_or_else(|| invalid_status(code))?;
    let reason = line.get(version_bytes + " 200 ".len()..).unwrap_or_default().trim_ascii();
    let reason = String::from_utf8_lossy(reason);
    Ok(Some((StatusLine { version, status, claims_http2, reason }, length)))
}

/// Adds a line to a value: each fold becomes a space (RFC 9112 §5.2).
fn unfold(value: &mut Vec<u8>, line: &[u8]) {
    if !value.is_empty() && !line.is_empty() {
        value.push(b' ');
    }
    value.extend_from_slice(line);
}

/// Returns the version that `bytes` begin with, whether it is HTTP/2 in text, and its length; `None` if
/// more bytes are needed. A minor version above 1 counts as 1 (RFC 9110 §2.5).
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
        Foreign::Yes(message) => Err(malformed(message.to_owned())),
    }
}

/// Recognizes another protocol than HTTP/1.x by its first bytes.
enum Foreign {
    No,
    /// Possibly: more bytes are needed.
    Partial,
    /// With the error's message.
    Yes(&'static str),
}

/// Recognizes what servers are known to send to a plain HTTP/1.1 request on a port for another
/// protocol.
fn foreign_protocol(bytes: &[u8]) -> Foreign {
    const TLS: &str = "the server answered with a TLS record: this port speaks TLS (https), not plain http";
    const TLS_ALERT: &str = "the server answered with a TLS alert: this port speaks TLS (https), not plain http";
    const HTTP2: &str = "the server answered with an HTTP/2 frame: it speaks HTTP/2 without being asked, not HTTP/1.1";
    const FRAME_HEADER_BYTES: usize = 9;

    match bytes {
        [0x15, 0x03, 0..=4, ..] => Foreign::Yes(TLS_ALERT),
        [0x16, 0x03, 0..=4, ..] => Foreign::Yes(TLS),
        [0x15 | 0x16] | [0x15 | 0x16, 0x03] => Foreign::Partial,
        // RFC 9113 §4.1: length, type SETTINGS or GOAWAY, flags, stream 0. A server begins with SETTINGS.
        [0, _, _, 4 | 7, _, 0, 0, 0, 0, ..] => Foreign::Yes(HTTP2),
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

    fn fields(head: &HeadLines<'_>) -> Vec<(String, String)> {
        let shown = |value: &[u8]| value.escape_ascii().to_string();
        head.fields.iter().map(|(name, value)| ((*name).to_owned(), shown(value))).collect()
    }

    fn accepted(text: &str, invalid_lines: InvalidLines) -> Vec<(String, String)> {
        let bytes = lines(text);
        let head = parse(&bytes, 8, invalid_lines).unwrap().unwrap();
        assert_eq!(head.raw, bytes, "{text}");
        fields(&head)
    }

    fn rejected(text: &str, invalid_lines: InvalidLines) -> (ErrorKind, String) {
        let error = parse(&lines(text), 8, invalid_lines).err().unwrap_or_else(|| panic!("accepted: {text}"));
        (error.kind(), error.to_string())
    }

    #[test]
    fn the_malformed_line_is_given_by_number_and_text() {
        let cases = [
            ("Bad Header: x", "line 3 has ' ' in its name: \"Bad Header: x\""),
            ("Tue, 12 Jun 2012", "line 3 has no colon: \"Tue, 12 Jun 2012\""),
            ("Tue, 12 Jun 2012 01:56", "line 3 has ',' in its name: \"Tue, 12 Jun 2012 01:56\""),
            (": x", "line 3 has an empty name: \": x\""),
            ("X : y", "line 3 has whitespace before its colon: \"X : y\""),
            ("X\u{2010}Y: z", "line 3 has '\\xe2' in its name: \"X\\xe2\\x80\\x90Y: z\""),
            ("X: a\0b", "line 3 has a NUL in its value: \"X: a\\x00b\""),
            ("X: a\rb", "line 3 has a bare CR: \"X: a\\rb\""),
            ("Set-Cookie : s3cret", "line 3 has whitespace before its colon: \"Set-Cookie ***\""),
            ("Cookie: a\n s3cret\0", "line 4 has a NUL in its value: \"***\""),
            ("X: y\rSet-Cookie: s3cret", "line 3 has a bare CR: \"X: y\\rSet-Cookie ***\""),
        ];
        for (line, want) in cases {
            let text = format!("HTTP/1.1 200 OK\nA: 1\n{line}\nB: 2\n\n");
            let (kind, message) = rejected(&text, InvalidLines::Reject);
            assert_eq!((kind, message), (ErrorKind::Head, format!("response head: {want}")));
        }
        let (_, message) = rejected("HTTP/1.1 200 OK\n folded\nA: 1\n\n", InvalidLines::Reject);
        assert_eq!(message, "response head: line 2 begins with whitespace, and no field precedes it: \" folded\"");
        let (_, message) = rejected("HTTP/1.1 2x0 OK\n\n", InvalidLines::Reject);
        assert_eq!(message, "response head: invalid response status in the status line: \"HTTP/1.1 2x0 OK\"");
    }

    #[test]
    fn a_malformed_line_is_an_error_before_the_head_is_complete() {
        assert_eq!(rejected("HTTP/1.1 200 OK\nBad Header: x\nB: 2", InvalidLines::Reject).0, ErrorKind::Head);
        assert!(parse(b"HTTP/1.1 200 OK\r\nBad Hea", 8, InvalidLines::Reject).unwrap().is_none());
    }

    #[test]
    fn lines_that_are_not_fields_are_skipped_with_their_folds_where_asked_for() {
        let text = "HTTP/1.1 200 OK\n begins folded\nHTTP/1.1 200 OK\n<!DOCTYPE html>\n and on\nA: 1\nB C: 2\n\t3\n\
                    X : y\nD: 4\n 5\nE: \0\n\n";
        let want = [("A", "1"), ("D", "4 5")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(accepted(text, InvalidLines::Skip), want);
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
            assert_eq!(rejected(&text, InvalidLines::Skip).0, ErrorKind::Head, "{line:?}");
        }
        for length in ["\n 5", "5\n ", " \n\t5", "5\n 0\0", "5\n 0\r1"] {
            let text = format!("HTTP/1.1 200 OK\nContent-Length:{length}\n\n");
            assert_eq!(rejected(&text, InvalidLines::Skip).0, ErrorKind::Framing, "{length:?}");
        }
    }

    #[test]
    fn control_characters_in_values_are_kept() {
        let text = "HTTP/1.1 200 OK\nSet-Cookie: a=\u{1}b\u{7f};\u{1b}\nContent-Length: 5\u{1}\n\n";
        let got = accepted(text, InvalidLines::Reject);
        assert_eq!(got[0], ("Set-Cookie".to_owned(), "a=\\x01b\\x7f;\\x1b".to_owned()));
        assert_eq!(got[1].1, "5\\x01", "and so it is not a length");
    }

    #[test]
    fn a_version_that_counts_as_1_1_may_be_of_another_length() {
        for (version, is_http2) in [("HTTP/1.2", false), ("HTTP/1.9", false), ("HTTP/2.0", true), ("HTTP/2", true)] {
            let bytes = lines(&format!("{version} 404 Not so\nA: 1\n\n"));
            let head = parse(&bytes, 8, InvalidLines::Reject).unwrap().unwrap();
            let status_line = &head.status_line;
            assert_eq!((status_line.version, status_line.claims_http2), (Version::Http11, is_http2), "{version}");
            assert_eq!((status_line.status.as_u16(), &*status_line.reason), (404, "Not so"));
            assert_eq!((head.raw, fields(&head)), (&bytes[..], vec![("A".to_owned(), "1".to_owned())]));
            for split in 1..bytes.len() {
                assert!(parse(&bytes[..split], 8, InvalidLines::Reject).unwrap().is_none(), "{version} at {split}");
            }
        }
        for version in ["HTTP/20", "HTTP/2.1", "HTTP/3", "HTTP/1", "HTTP/0.9", "http/1.1", "HTTP/10.1", "ICY"] {
            let (kind, message) = rejected(&format!("{version} 200 OK\n\n"), InvalidLines::Skip);
            assert_eq!(kind, ErrorKind::Head, "{version}");
            assert!(message.contains(&format!("not HTTP/1.x but \"{version} 200 OK")), "{message}");
        }
        let (_, message) = rejected("HTTP/2.0 0200 OK\n\n", InvalidLines::Reject);
        assert!(message.contains("in the status line"), "{message}");
    }

    #[test]
    fn another_protocol_is_named_once_enough_bytes_have_arrived() {
        let alert = b"\x15\x03\x01\0\x02\x02\x46";
        let settings = b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80";
        for (bytes, known, word) in [(&alert[..], 3, "TLS alert"), (settings, 9, "HTTP/2 frame")] {
            for end in 1..=bytes.len() {
                match parse(&bytes[..end], 8, InvalidLines::Skip) {
                    Ok(head) => assert!(head.is_none() && end < known, "{word} after {end}"),
                    Err(error) => assert!(error.to_string().contains(word) && end >= known, "{error} after {end}"),
                }
            }
        }
        for junk in [&b"\0\0\x12\x05"[..], b"\x15\x04", b"\x05\x00"] {
            let error = parse(junk, 8, InvalidLines::Reject).err().unwrap();
            assert!(error.to_string().contains("not HTTP/1.x but"), "{error}");
        }
    }

    #[test]
    fn the_number_of_fields_is_limited() {
        let text = |count: usize| format!("HTTP/1.1 200 OK\n{}C: \u{1}\n\n", "A: 1\n".repeat(count - 1));
        assert_eq!(accepted(&text(8), InvalidLines::Reject).len(), 8);
        assert_eq!(rejected(&text(9), InvalidLines::Reject).0, ErrorKind::HeadTooLarge);
    }
}
