//! Media types (RFC 9110 §8.3.1): the parameters of a Content-Type. Which charsets there are is not
//! known here.

/// Returns the value of the first `charset` parameter of a Content-Type, a token or a quoted string,
/// as it is spelled. Malformed parameters are ignored: a stray semicolon must not cost the body.
pub(crate) fn charset(content_type: &[u8]) -> Option<String> {
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
            return Some(String::from_utf8_lossy(&value).into_owned());
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
fn parameter_value(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(quoted) = bytes.strip_prefix(b"\"") else {
        let end = bytes.iter().position(|byte| *byte == b';').unwrap_or(bytes.len());
        return (bytes[..end].trim_ascii().to_vec(), &bytes[end..]);
    };
    let (mut value, mut at) = (Vec::new(), 0);
    while let Some(byte) = quoted.get(at) {
        match byte {
            b'"' => return (value, &quoted[at + 1..]),
            b'\\' => {
                at += 1; // quoted-pair: the next byte stands for itself
                value.extend(quoted.get(at));
            }
            _ => value.push(*byte),
        }
        at += 1;
    }
    (value, &[])
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
        ];
        for (content_type, want) in cases {
            assert_eq!(charset(content_type.as_bytes()).as_deref(), want, "{content_type}");
        }
    }
}
