//! JSON in requests and responses (RFC 8259), with serde: the feature `json`.
//!
//! A document is one value in memory, in both directions. Where in it a mistake is, and as much of the
//! text around as may be shown, is worked out here; how JSON is read and written is serde_json's.

use serde_core::Serialize;
use serde_core::de::DeserializeOwned;

use crate::client::request_builder::RequestBuilder;
use crate::error::{Error, ErrorKind, Result};
use crate::message::body::Body;
use crate::message::body::content_labels::ContentLabels;
use crate::message::request::Request;
use crate::message::response::Response;
use crate::redact::{excerpt_around, text_excerpt};

/// The byte order mark of UTF-8, which may be ignored (RFC 8259 §8.1).
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Characters that are shown of a value which serde_json quotes: it may be a secret of any length.
const QUOTED_CHARS_MAX: usize = 16;

impl Request<'_> {
    /// Sets a body of JSON, and `Content-Type: application/json` unless the request has a Content-Type. The
    /// body is in memory, so it is sent with its length, and can be sent again.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if the value has no form in JSON (a map whose keys are not strings), or
    /// its `Serialize` fails; then nothing has changed.
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    pub fn set_json(&mut self, value: &(impl Serialize + ?Sized)) -> Result<()> {
        let bytes = serde_json::to_vec(value).map_err(|cause| {
            let what = format!("json: the value cannot be serialized: {}", text_excerpt(&cause.to_string()));
            Error::new(ErrorKind::InvalidRequest, what).retelling(cause)
        })?;
        if !self.headers().contains("content-type") {
            self.set_header("Content-Type", "application/json")?;
        }
        self.set_body(bytes);
        Ok(())
    }
}

impl RequestBuilder<'_> {
    /// Sets a body of JSON, and `Content-Type: application/json` unless the request has a Content-Type, set
    /// before or after.
    ///
    /// A value that has no form in JSON is [`ErrorKind::InvalidRequest`], returned by `build` or `send`.
    ///
    /// ```no_run
    /// use serde_json::{Value, json};
    ///
    /// let lamp = json!({"name": "lamp", "price": 12});
    /// let made: Value = longwire::Client::new().post("http://example.com/items").json(&lamp).send()?.json()?;
    /// println!("{}", made["id"]);
    /// # Ok::<(), longwire::Error>(())
    /// ```
    #[doc(alias("--json", "send_json", "with_json"))]
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Self {
        self.step(|request| request.set_json(value))
    }
}

impl Response {
    /// Reads the body as JSON: [`Body::json`].
    ///
    /// # Errors
    /// As [`Body::json`].
    ///
    /// To have the text as well when it is not what was expected, or to read UTF-16, take it first:
    ///
    /// ```no_run
    /// # fn parse() -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    /// let text = longwire::get("http://example.com/item")?.text()?;
    /// let item = serde_json::from_str(&text).map_err(|error| format!("{error}, in {text}"))?;
    /// # Ok(item) }
    /// ```
    ///
    /// A stream of documents, one to a line (NDJSON), is read as it comes; time limits hold for each line:
    ///
    /// ```no_run
    /// use std::io::BufRead;
    ///
    /// let mut response = longwire::get("http://example.com/changes")?;
    /// let mut line = String::new();
    /// while response.read_line(&mut line)? > 0 {
    ///     let change: serde_json::Value = serde_json::from_str(&line)?;
    ///     println!("{}", change["id"]);
    ///     line.clear();
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias("into_json", "read_json"))]
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    pub fn json<T: DeserializeOwned>(mut self) -> Result<T> {
        let bytes = self.body_mut().collect()?;
        parse(&bytes).map_err(|cause| decode_error(&self.into_body(), &bytes, cause))
    }
}

impl Body {
    /// Reads the (rest of the) body as JSON: one document, with blanks around it. The charset is UTF-8,
    /// whatever Content-Type announces; a byte order mark is skipped. No Content-Type is asked for.
    ///
    /// Arrays and objects may be nested 127 deep, which is serde_json's limit.
    ///
    /// # Errors
    /// As [`bytes`](Body::bytes), and [`ErrorKind::Decode`] if the body is not JSON, is not that of the type
    /// `T`, goes on after the document, or is empty. The message has line, column and byte, counted from 1,
    /// and 32 bytes of the body around that place; columns are bytes, too. It says if the body looks like
    /// HTML, which login and proxy pages are. [`source`](std::error::Error::source) is serde_json's error,
    /// whose own text may quote more of the body.
    ///
    /// ```no_run
    /// let (head, body) = longwire::get("http://example.com/item")?.into_parts();
    /// let item: serde_json::Value = body.limit(1 << 20).json()?;
    /// println!("{:?}: {}", head.header("ETag"), item["name"]);
    /// # Ok::<(), longwire::Error>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    pub fn json<T: DeserializeOwned>(mut self) -> Result<T> {
        let bytes = self.collect()?;
        parse(&bytes).map_err(|cause| decode_error(&self, &bytes, cause))
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(&bytes[mark_length(bytes)..])
}

fn mark_length(bytes: &[u8]) -> usize {
    if bytes.starts_with(MARK) { MARK.len() } else { 0 }
}

/// An error about a body that is not what was asked for.
#[cold]
fn decode_error(body: &Body, bytes: &[u8], cause: serde_json::Error) -> Error {
    let labels = body.labels();
    let mut said = match bytes {
        _ if bytes.len() == mark_length(bytes) => format!("json: the body is empty ({})", body.about().status),
        _ if is_utf_16(bytes) => "json: the body is UTF-16, and JSON is UTF-8 (RFC 8259 §8.1)".to_owned(),
        _ => format!("json: {}", mistake(bytes, &cause)),
    };
    if labels.is_some_and(ContentLabels::is_html) {
        said += "; its Content-Type is text/html";
    } else if bytes.trim_ascii_start().starts_with(b"<") {
        said += "; it looks like HTML or XML";
    }
    if let Some(labels) = labels {
        labels.tell_coding(&mut said);
        if std::str::from_utf8(bytes).is_err() {
            labels.tell_charset(&mut said); // any but UTF-8 was wrong to send
        }
    }
    body.error(ErrorKind::Decode, said).retelling(cause)
}

/// Returns whether the bytes begin with a byte order mark of UTF-16 or with an ASCII character in UTF-16, as
/// JSON in it does. No JSON in UTF-8 has a NUL.
fn is_utf_16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, 1..=0x7f, ..] | [1..=0x7f, 0, ..])
}

/// What is wrong, and where.
fn mistake(bytes: &[u8], cause: &serde_json::Error) -> String {
    let said = cause.to_string();
    let place = format!(" at line {} column {}", cause.line(), cause.column());
    let Some(said) = said.strip_suffix(&place) else {
        return text_excerpt(&said); // made by a type, of a value that has no place
    };
    let reported = Place::reported(bytes, cause);
    let (said, Place { line, column, byte }) = match not_utf_8(bytes, reported.byte) {
        Some(place) if !cause.is_eof() => ("the body is not UTF-8".to_owned(), place),
        _ => (text_excerpt(&shorten_value(said)), reported),
    };
    let last = if cause.is_eof() { ", the last" } else { "" };
    let around = excerpt_around(bytes, byte.saturating_sub(1));
    format!("{said} at line {line} column {column} (byte {byte}{last}), in {around}")
}

/// A place in a body, counted in bytes from 1. A byte order mark is in no column.
struct Place {
    line: usize,
    column: usize,
    byte: usize,
}

impl Place {
    /// The place that serde_json reports. For it a LF is column 0 of the line that it begins.
    fn reported(bytes: &[u8], cause: &serde_json::Error) -> Place {
        let (line, column, mark) = (cause.line(), cause.column(), mark_length(bytes));
        let line_ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let line_start = match line.checked_sub(2) {
            Some(number) => line_ends.map(|(at, _)| at + 1).nth(number).unwrap_or_default(),
            None => mark,
        };
        Place { line, column, byte: line_start + column }
    }

    /// The place of the byte at `at`.
    fn of(bytes: &[u8], at: usize) -> Place {
        let before = &bytes[..at];
        let line_ends = before.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let line_start = line_ends.clone().next_back().map_or(mark_length(bytes), |(end, _)| end + 1);
        Place { line: 1 + line_ends.count(), column: at - line_start + 1, byte: at + 1 }
    }
}

/// Returns the place of the first byte that is not UTF-8, if it is not behind `byte`, where serde_json
/// stopped: that looks at a string when it has ended.
fn not_utf_8(bytes: &[u8], byte: usize) -> Option<Place> {
    let at = std::str::from_utf8(bytes).err()?.valid_up_to();
    (at < byte).then(|| Place::of(bytes, at))
}

/// Cuts the value that serde quotes, if it quotes one.
fn shorten_value(said: &str) -> String {
    const QUOTES: [(&str, &str); 5] = [
        ("string \"", "\", expected"),
        ("unknown variant `", "`, expected"),
        ("unknown variant `", "`, there are no"),
        ("unknown field `", "`, expected"),
        ("unknown field `", "`, there are no"),
    ];
    for (open, close) in QUOTES {
        let Some((before, rest)) = said.split_once(open) else { continue };
        let Some(end) = rest.rfind(close) else { continue };
        let (value, after) = rest.split_at(end);
        let shown: String = value.chars().take(QUOTED_CHARS_MAX).collect();
        let more = if shown.len() < value.len() { "..." } else { "" };
        return format!("{before}{open}{shown}{more}{after}");
    }
    said.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn error_of(bytes: &[u8]) -> serde_json::Error {
        parse::<Value>(bytes).expect_err("it is no JSON")
    }

    /// The number that the message has for the byte.
    fn byte_of(bytes: &[u8], cause: &serde_json::Error) -> usize {
        let said = mistake(bytes, cause);
        let (_, rest) = said.split_once("(byte ").expect("it has a place");
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    }

    const DOCUMENTS: [&str; 4] = [
        "{\"name\": \"l\u{e4}mp\u{20ac}\u{1f4a1}\",\r\n \"price\": [12, -0.5e+3, true, null],\r\n\r\n\"\u{e4}\": \"\\ud83d\\ude00\\n\"}\r\n",
        "\n\n[1,\n2\n,\n[{\n}\n]\n]\n",
        "  \"text\"",
        "\u{feff}{\"a\":\n[false]}",
    ];

    /// A mistake is found at the byte with which the text can no longer be the beginning of a document: the
    /// first prefix that is wrong, and not merely cut, ends there.
    #[test]
    fn the_byte_is_the_first_one_that_no_document_has_there() {
        let mut checked = 0;
        for document in DOCUMENTS {
            for at in mark_length(document.as_bytes())..document.len() {
                for wrong in [b'\n', b'"', b'x', b'}', b',', 0x01, 0xff, b'\\'] {
                    let mut bytes = document.as_bytes().to_vec();
                    bytes[at] = wrong;
                    let Err(cause) = parse::<Value>(&bytes) else { continue };
                    let prefixes = (mark_length(&bytes)..=bytes.len()).map(|length| &bytes[..length]);
                    let is_wrong = |prefix: &&[u8]| parse::<Value>(prefix).is_err_and(|cause| !cause.is_eof());
                    let want = prefixes.clone().find(is_wrong).map_or(bytes.len(), <[u8]>::len);
                    let got = byte_of(&bytes, &cause);
                    let not_utf_8 = std::str::from_utf8(&bytes).err().map(|error| error.valid_up_to() + 1);
                    let want = not_utf_8.map_or(want, |byte| want.min(byte));
                    assert_eq!(got, want, "{cause}: {}", bytes.escape_ascii());
                    checked += 1;
                }
            }
        }
        assert!(checked > 500, "{checked}");
    }

    #[test]
    fn every_prefix_of_a_document_ends_at_its_last_byte() {
        for document in DOCUMENTS {
            let document = document.trim_end().as_bytes();
            for length in mark_length(document) + 1..document.len() {
                let prefix = &document[..length];
                let Err(cause) = parse::<Value>(prefix) else { continue };
                let said = mistake(prefix, &cause);
                if cause.is_eof() {
                    assert!(said.contains(&format!("(byte {length}, the last), in \"")), "{said}");
                } else {
                    assert_eq!(byte_of(prefix, &cause), length, "{said}");
                }
            }
        }
    }

    #[test]
    fn the_place_is_told_in_lines_columns_and_bytes() {
        let cases: [(&[u8], &str); 8] = [
            (b"[1,\r\n 2 3]", "expected `,` or `]` at line 2 column 4 (byte 9), in \"[1,\\r\\n 2 3]\""),
            (b"{\"a\":1} x", "trailing characters at line 1 column 9 (byte 9), in \"{\"a\":1} x\""),
            (b"[1,\n", "EOF while parsing a value at line 2 column 0 (byte 4, the last), in \"[1,\\n\""),
            (
                b"\"a\n\"",
                "control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0 (byte 3), in \"\"a\\n\"\"",
            ),
            (
                "[\"\u{e4}\u{20ac}\" 1]".as_bytes(),
                "expected `,` or `]` at line 1 column 10 (byte 10), in \"[\"\u{e4}\u{20ac}\" 1]\"",
            ),
            (b"\xef\xbb\xbf[x", "expected value at line 1 column 2 (byte 5), in \"\u{feff}[x\""),
            (b"nul1", "expected ident at line 1 column 4 (byte 4), in \"nul1\""),
            (b" ", "EOF while parsing a value at line 1 column 1 (byte 1, the last), in \" \""),
        ];
        for (bytes, want) in cases {
            assert_eq!(mistake(bytes, &error_of(bytes)), want);
        }
    }

    #[test]
    fn the_message_is_bounded_however_long_the_body_is() {
        let long = format!("[{}\n{}!{}]", "[],".repeat(10_000), "\u{1}\u{7f}", "\u{85}".repeat(10_000));
        let said = mistake(long.as_bytes(), &error_of(long.as_bytes()));
        assert!(said.contains("at line 2 column 1 (byte 30003), in ") && said.len() < 300, "{said}");
        let deep = "[".repeat(200);
        let said = mistake(deep.as_bytes(), &error_of(deep.as_bytes()));
        assert!(said.starts_with("recursion limit exceeded at line 1 column 128 (byte 128), in"), "{said}");
    }

    #[test]
    fn of_a_value_that_serde_quotes_only_the_beginning_is_shown() {
        let secret = format!("0123456789abcdef{}", "s3cret".repeat(1000));
        let quoted = serde_json::to_string(&secret).expect("JSON");
        let cause = serde_json::from_str::<u64>(&quoted).expect_err("it is a string");
        let said = mistake(quoted.as_bytes(), &cause);
        assert!(said.starts_with("invalid type: string \"0123456789abcdef...\", expected u64 at line 1"), "{said}");
        let shown: Vec<&str> = said.split(", in ").collect();
        assert!(!shown[0].contains("s3cret"), "{said}");
        for (said, want) in [
            (
                "unknown field `0123456789abcdefs3cret`, expected `a` or `b`",
                "unknown field `0123456789abcdef...`, expected `a` or `b`",
            ),
            (
                "unknown variant `0123456789abcdefs3cret`, there are no variants",
                "unknown variant `0123456789abcdef...`, there are no variants",
            ),
            (
                "invalid value: string \"a\", expected b\", expected c",
                "invalid value: string \"a\", expected b\", expected c",
            ),
            ("missing field `a_long_name_of_the_program`", "missing field `a_long_name_of_the_program`"),
        ] {
            assert_eq!(shorten_value(said), want);
        }
    }

    #[test]
    fn utf_16_is_told_from_what_is_merely_wrong() {
        for bytes in [&b"\xff\xfe{\0"[..], b"\xfe\xff", b"\0{\0}", b"[\0]\0", b"1\0"] {
            assert!(is_utf_16(bytes), "{bytes:?}");
        }
        for bytes in [&b""[..], b"{", b"{}", b"\0", b"\0\0", b"\xff\xff"] {
            assert!(!is_utf_16(bytes), "{bytes:?}");
        }
    }
}
