//! A body as text: UTF-8, and the error for one that is not.

use std::fmt;

use crate::headers::Headers;
use crate::media_type;
use crate::redact::excerpt;

/// The byte order mark, which is no part of the text.
const MARK: char = '\u{feff}';

/// What a head announces of its content, for an error.
#[derive(Default)]
pub(crate) struct ContentLabels {
    charset: Option<String>,
    coding: Option<String>,
}

impl ContentLabels {
    /// `None` if it announces nothing.
    pub(crate) fn of(headers: &Headers) -> Option<ContentLabels> {
        let charset = headers.get_bytes("content-type").and_then(media_type::charset);
        let coding = headers.get_bytes("content-encoding").filter(|coding| !coding.eq_ignore_ascii_case(b"identity"));
        let coding = coding.map(excerpt);
        (charset.is_some() || coding.is_some()).then_some(ContentLabels { charset, coding })
    }
}

impl fmt::Display for ContentLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(coding) = &self.coding {
            write!(f, "; its Content-Encoding is {coding}, which is not undone here")?;
        }
        match &self.charset {
            Some(charset) => write!(f, "; its Content-Type says charset {}", excerpt(charset.as_bytes())),
            None => Ok(()),
        }
    }
}

/// UTF-8 without its byte order mark; else what is wrong, and where.
pub(super) fn decode(bytes: Vec<u8>) -> Result<String, String> {
    if let [0xfe, 0xff, ..] | [0xff, 0xfe, ..] = bytes[..] {
        return Err("it begins with a byte order mark of UTF-16".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|error| format!("byte {}", error.utf8_error().valid_up_to() + 1))?;
    Ok(without_mark(text))
}

/// The same, with U+FFFD for what is not UTF-8.
pub(super) fn decode_lossy(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes);
    without_mark(text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn without_mark(mut text: String) -> String {
    if text.starts_with(MARK) {
        text.drain(..MARK.len_utf8());
    }
    text
}
