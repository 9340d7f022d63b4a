//! Media types (RFC 9110 §8.3.1): the type and the parameters of a Content-Type. Which charsets there are
//! is not known here.

use std::borrow::Cow;

/// Returns whether a Content-Type is of this media type, with whatever parameters.
pub(crate) fn is(content_type: &[u8], media_type: &str) -> bool {
    let end = content_type.iter().position(|byte| *byte == b';').unwrap_or(content_type.len());
    content_type[..end].trim_ascii().eq_ignore_ascii_case(media_type.as_bytes())
}

/// Returns whether the media type is that of HTML, which login and error pages are.
#[cfg(feature = "json")]
pub(crate) fn is_html(content_type: &[u8]) -> bool {
    is(content_type, "text/html")
}

/// Returns the value of the first `charset` parameter of a Content-Type, a token or a quoted string,
/// as it is spelled; owned only if it has quoted pairs. Malformed parameters are ignored: a stray
/// semicolon must not cost the body.
pub(crate) fn charset(content_type: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut rest = after(content_type, b';')?;
    loop {
        let name_end = rest.iter().position(|byte| b"=;".contains(byte))?;
        if rest[name_end] == b';' {
            rest = &rest[name_end + 1..]; // a parameter without a value
            continue;
        }
        let name = rest[..name_end].trim_ascii();
        let (value, after_value) = parameter_value(rest[name_end + 1..].trim_ascii_start());
        if name.eq_ignore_ascii_case(b"charset") && !value.is_empty() {
            return Some(value);
        }
        rest = after(after_value, b';')?;
    }
}

/// Returns what follows the first `mark`.
fn after(bytes: &[u8], mark: u8) -> Option<&[u8]> {
    let at = bytes.iter().position(|byte| *byte == mark)?;
    Some(&bytes[at + 1..])
}

/// Returns the value that `bytes` begin with, unquoted, and the bytes after it.
fn parameter_value(bytes: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let Some(quoted) = bytes.strip_prefix(b"\"") else {
        let end = bytes.iter().position(|byte| *byte == b';').unwrap_or(bytes.len());
        return (bytes[..end].trim_ascii().into(), &bytes[end..]);
    };
    let end = quoted.iter().position(|byte| b"\"\\".contains(byte)).unwrap_or(quoted.len());
    match quoted.get(end) {
        Some(b'\\') => escaped_value(quoted),
        Some(_) => (quoted[..end].into(), &quoted[end + 1..]),
        None => (quoted.into(), &[]),
    }
}

/// The same for what follows the opening quote of a string with quoted pairs: in each the second byte
/// stands for itself.
fn escaped_value(quoted: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let (mut value, mut at) = (Vec::new(), 0);
    while let Some(byte) = quoted.get(at) {
        match byte {
            b'"' => return (value.into(), &quoted[at + 1..]),
            b'\\' => {
                at += 1;
                value.extend(quoted.get(at));
            }
            _ => value.push(*byte),
        }
        at += 1;
    }
    (value.into(), &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charset_is_a_token_or_a_quoted_string_among_other_parameters() {
        let cases = [
            ("text/html; charset=utf-8", Some("utf-8")),
            ("text/html;Charset=\"ISO-8859-1\" ; x=y", Some("ISO-8859-1")),
            ("text/html; a=\"; charset=no\"; charset = latin1", Some("latin1")),
            ("text/html; a; charset=x", Some("x")),
            ("text/html; charset=\"a\\\"b\"", Some("a\"b")),
            ("text/html; charset=\"open", Some("open")),
            ("text/html; charset=; charset=y", Some("y")),
            ("text/html; charset=x; charset=y", Some("x")),
            ("text/html; xcharset=x", None),
            ("text/html", None),
            ("charset=utf-8", None),
            (";", None),
            ("", None),
            ("text/html; charset=\"\\", None),
            ("text/html; charset=\"\"; charset=y", Some("y")),
            ("text/html; a=\"\\\"; charset=no\"; charset=y", Some("y")),
        ];
        for (content_type, want) in cases {
            assert_eq!(charset(content_type.as_bytes()).as_deref(), want.map(str::as_bytes), "{content_type}");
        }
    }

    #[test]
    fn only_a_charset_with_quoted_pairs_is_a_copy() {
        for (content_type, is_copy) in [
            ("text/html; charset=utf-8", false),
            ("text/html; charset=\"utf-8\"", false),
            ("text/html; charset=\"open", false),
            ("text/html; charset=\"utf\\-8\"", true),
        ] {
            let value = charset(content_type.as_bytes()).unwrap();
            assert_eq!(matches!(value, Cow::Owned(_)), is_copy, "{content_type}");
        }
    }

    #[test]
    fn a_media_type_is_told_without_its_parameters() {
        for (content_type, want) in [
            ("text/event-stream", true),
            (" Text/EVENT-stream ;charset=utf-8", true),
            ("text/event-stream;", true),
            ("text/event-streams", false),
            ("text/event-stream, text/html", false),
            ("application/json; x=text/event-stream", false),
            ("", false),
        ] {
            assert_eq!(is(content_type.as_bytes(), "text/event-stream"), want, "{content_type}");
        }
    }

    #[cfg(feature = "json")]
    #[test]
    fn html_is_told_by_its_media_type_alone() {
        for (content_type, want) in [
            ("text/html", true),
            (" Text/HTML ;charset=utf-8", true),
            ("application/xhtml+xml", false),
            ("text/htmlx", false),
            ("application/json; x=text/html", false),
            ("", false),
        ] {
            assert_eq!(is_html(content_type.as_bytes()), want, "{content_type}");
        }
    }
}
