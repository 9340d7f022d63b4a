//! Redaction: what may be shown in a log. Only this file knows which fields hold secrets, and it cuts
//! and escapes text that a peer sent.
//!
//! Every head, field and URL that becomes text for people comes through here, in errors, events and
//! `Debug`. The input may be malformed in any way, and is then taken for a secret rather than shown.

use std::borrow::Cow;

use crate::word_list::is_among;

/// Fields whose value is a secret.
const SECRET_FIELDS: &str = "authorization proxy-authorization cookie set-cookie";

/// Words that make a field's value a secret if its name has one of them between dashes, as in
/// `X-Api-Key`.
const SECRET_WORDS: &str = "key token secret password session signature auth";

/// Fields whose value `Debug` shows: they describe the message and hold no secret.
const SHOWN_IN_DEBUG: &str = "\
    accept accept-charset accept-encoding accept-language accept-ranges age allow cache-control connection \
    content-disposition content-encoding content-language content-length content-location content-range \
    content-type date etag expect expires host if-range keep-alive last-modified range retry-after server te \
    trailer transfer-encoding upgrade user-agent vary via";

/// Returns whether the field called `name` holds a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    is_among(SECRET_FIELDS, name) || name.split(['-', '_']).any(|word| is_among(SECRET_WORDS, word))
}

/// Returns a field's value as `Debug` shows it, or `None` if only its length may be shown.
pub(crate) fn debug_value(name: &str, value: &[u8]) -> Option<String> {
    let shown = is_among(SHOWN_IN_DEBUG, name);
    shown.then(|| hide_userinfo(&value.escape_ascii().to_string(), Urls::in_field(name)).into_owned())
}

/// How URLs occur in a text, which determines where an authority begins and ends.
#[derive(Clone, Copy)]
pub(crate) enum Urls {
    /// Absolute, among other text: an authority follows `://`, and whitespace ends it.
    Embedded,
    /// The text is one reference, which may have no scheme (`//host/`) and have raw spaces in it.
    Reference,
}

impl Urls {
    /// How they occur in the value of the field called `name`.
    fn in_field(name: &str) -> Urls {
        if is_among("location content-location", name) { Urls::Reference } else { Urls::Embedded }
    }
}

/// Returns a raw head as text that may be shown: control characters are escaped, and secrets are
/// replaced, also on folded lines, and so are passwords in URLs. The fields whose name `is_hidden` accepts
/// are taken for secrets, too.
pub(crate) fn head_text(head: &[u8], is_hidden: &dyn Fn(&str) -> bool) -> String {
    let text = String::from_utf8_lossy(head);
    let mut shown = String::with_capacity(text.len());
    let (mut in_secret, mut urls) = (false, Urls::Embedded);
    for (number, line_with_end) in text.split_inclusive('\n').enumerate() {
        let line = line_with_end.strip_suffix('\n').unwrap_or(line_with_end);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let line_end = &line_with_end[line.len()..];
        // The first line is not a field: a request target may be called `/token`.
        if number > 0 && !line.starts_with([' ', '\t']) {
            let name = line.split_once(':').map_or(line, |(name, _)| name).trim_ascii_end();
            urls = Urls::in_field(name);
            let secret = secret_end(line.as_bytes()).or(is_hidden(name).then_some(name.len()));
            in_secret = secret.is_some();
            if let Some(at) = secret {
                shown.push_str(&escape_controls(&line[..at]));
                shown.push_str(": ***\r\n");
            }
        }
        if !in_secret {
            shown.push_str(&escape_controls(&hide_userinfo(line, urls)));
            shown.push_str(line_end);
        }
    }
    shown
}

/// Escapes control characters except HTAB, since a terminal would obey them.
fn escape_controls(text: &str) -> Cow<'_, str> {
    let is_control = |c: char| c.is_control() && c != '\t';
    if !text.contains(is_control) {
        return text.into();
    }
    let mut escaped = String::new();
    for c in text.chars() {
        match is_control(c) {
            true => escaped.extend(c.escape_default()),
            false => escaped.push(c),
        }
    }
    escaped.into()
}

/// Returns the first characters of a peer's text, for a message.
pub(crate) fn text_excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    let shown: String = text.chars().take(CHARS_MAX).collect();
    let more = if shown.len() < text.len() { "..." } else { "" };
    format!("{}{more}", escape_controls(&shown))
}

/// Returns whether the line is, or may be taken for, a field that holds a secret.
pub(crate) fn holds_secret(line: &[u8]) -> bool {
    secret_end(line).is_some()
}

/// Returns how much of a line may be shown, up to the end of the field's name, if it may be taken for a
/// field that holds a secret; `None` if it may not. The line may be malformed in any way: the name of a
/// secret field counts anywhere in it, a secret word before the colon, and bytes that a name may not
/// have are ignored.
pub(crate) fn secret_end(line: &[u8]) -> Option<usize> {
    let is_word_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let name_end = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
    let mut start = 0;
    for word in line.split(|byte| !is_word_byte(byte)) {
        let name = std::str::from_utf8(word).unwrap_or_default();
        if is_among(SECRET_FIELDS, name) || start < name_end && is_secret(name) {
            return Some(start + word.len());
        }
        start += word.len() + 1;
    }
    let joined: Vec<u8> = line[..name_end].iter().copied().filter(is_word_byte).collect();
    std::str::from_utf8(&joined).is_ok_and(is_secret).then_some(0)
}

/// Returns one line that a peer sent, well formed or not, for a message: without the value of a secret
/// field, without passwords in URLs, and without the query of a Location.
pub(crate) fn line_excerpt(line: &[u8]) -> String {
    if let Some(end) = secret_end(line) {
        return format!("{} ***", excerpt(&line[..end])).trim_ascii_start().to_owned();
    }
    // Redacted before it is cut: half a URL may end before the `@`.
    let hidden = hide_userinfo(&String::from_utf8_lossy(line), Urls::Reference).into_owned();
    let is_location = hidden.as_bytes().windows("location".len()).any(|part| part.eq_ignore_ascii_case(b"location"));
    match hidden.split_once('?') {
        Some((before, _)) if is_location => excerpt(before.as_bytes()) + "?...",
        _ => excerpt(hidden.as_bytes()),
    }
}

/// Returns a Location for a message: without its query, which may be a secret, and without userinfo. If
/// text that may be a password is in another place than userinfo, nothing of the Location is returned.
pub(crate) fn location_excerpt(location: &[u8]) -> String {
    let text = String::from_utf8_lossy(location);
    let hidden = hide_userinfo(&text, Urls::Reference);
    let before_at = hidden.split_once('@').map_or("", |(before, _)| before);
    match (before_at.rsplit('/').next(), hidden.split_once('?')) {
        (Some(segment), _) if segment.contains(':') => "(with userinfo)".to_owned(),
        (_, Some((before, _))) => format!("\"{}?...\"", excerpt(before.as_bytes())),
        (_, None) => format!("\"{}\"", excerpt(hidden.as_bytes())),
    }
}

/// Returns the first bytes that a peer sent, escaped, for a message.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    const BYTES_MAX: usize = 80;
    let shown = &bytes[..bytes.len().min(BYTES_MAX)];
    let more = if shown.len() < bytes.len() { "..." } else { "" };
    format!("{}{more}", shown.escape_ascii())
}

/// Returns the bytes around the one at `at` that a peer sent, quoted, for a message: 16 before it, it, and
/// 15 after it. No character is cut, and what is not UTF-8 is escaped.
#[cfg(feature = "json")]
pub(crate) fn excerpt_around(bytes: &[u8], at: usize) -> String {
    const BYTES_EACH_SIDE: usize = 16;
    const CHARACTER_BYTES_MAX: usize = 4;
    let at = at.min(bytes.len());
    let (mut start, mut end) = (at.saturating_sub(BYTES_EACH_SIDE), bytes.len().min(at + BYTES_EACH_SIDE));
    let is_inside = |at: usize| at > 0 && bytes.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    for _ in 1..CHARACTER_BYTES_MAX {
        start -= usize::from(is_inside(start));
        end += usize::from(is_inside(end));
    }
    let mut shown = String::new();
    for chunk in bytes[start..end].utf8_chunks() {
        shown.push_str(&escape_controls(chunk.valid()));
        shown.push_str(&chunk.invalid().escape_ascii().to_string());
    }
    let (before, after) = (if start > 0 { "..." } else { "" }, if end < bytes.len() { "..." } else { "" });
    format!("\"{before}{shown}{after}\"")
}

/// Returns the text with user and password hidden in each URL.
pub(crate) fn hide_userinfo(text: &str, urls: Urls) -> Cow<'_, str> {
    let (mark, ends): (&str, &[u8]) = match urls {
        Urls::Embedded => ("://", b"/?#\r\n\t "),
        Urls::Reference => ("//", b"/\\?#\r\n"),
    };
    if !text.as_bytes().contains(&b'@') {
        return text.into();
    }
    // Browsers take a backslash for a slash there.
    let is_mark = |bytes: &[u8]| {
        bytes.iter().zip(mark.bytes()).all(|(byte, of_mark)| *byte == of_mark || (of_mark, *byte) == (b'/', b'\\'))
    };
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.as_bytes().windows(mark.len()).position(is_mark) {
        let (before, authority) = rest.split_at(at + mark.len());
        let end = authority.bytes().position(|byte| ends.contains(&byte)).unwrap_or(authority.len());
        shown.push_str(before);
        let userinfo_end = match authority[..end].rsplit_once('@') {
            Some((userinfo, _)) => Some(userinfo.len()),
            // After the colon is not a port but, perhaps, a password with a slash in it.
            None => match authority[..end].rsplit_once(':') {
                Some((_, port)) if !port.bytes().all(|byte| byte.is_ascii_digit() || byte == b']') => {
                    authority.find('@')
                }
                _ => None,
            },
        };
        rest = match userinfo_end {
            Some(at) => {
                shown.push_str("***");
                &authority[at..]
            }
            None => authority,
        };
    }
    (shown + rest).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_printable() {
        assert_eq!(excerpt(b"a \"b\"\r\n\xff"), r#"a \"b\"\r\n\xff"#);
        assert_eq!(excerpt(&[b'x'; 80]), "x".repeat(80));
        assert_eq!(excerpt(&[b'x'; 81]), "x".repeat(80) + "...");
    }

    #[cfg(feature = "json")]
    #[test]
    fn an_excerpt_around_a_place_cuts_no_character_and_is_bounded() {
        let digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEF".as_bytes();
        assert_eq!(excerpt_around(digits, 20), "\"...456789abcdefghijklmnopqrstuvwxyz...\"");
        assert_eq!(excerpt_around(digits, 0), "\"0123456789abcdef...\"");
        assert_eq!(excerpt_around(digits, digits.len()), "\"...qrstuvwxyzABCDEF\"");
        assert_eq!(excerpt_around(digits, usize::MAX), "\"...qrstuvwxyzABCDEF\"");
        assert_eq!(excerpt_around(b"", 0), "\"\"");
        assert_eq!(excerpt_around(b"\"a\"\r\n\x1b\xff\xe2\x82", 3), "\"\"a\"\\r\\n\\u{1b}\\xff\\xe2\\x82\"");
        let euros = "\u{20ac}".repeat(20);
        for at in 0..=euros.len() {
            let shown = excerpt_around(euros.as_bytes(), at);
            assert!(shown.trim_matches(['"', '.']).chars().all(|c| c == '\u{20ac}'), "{at}: {shown}");
            assert!(shown.len() <= 32 + 6 + 8, "{at}: {shown}");
        }
        for at in [0, 50, 100] {
            assert!(excerpt_around(&[0x80; 100], at).len() <= 4 * (32 + 6) + 8);
        }
    }

    #[test]
    fn a_field_is_secret_by_its_name_or_by_a_word_of_it() {
        for name in ["Authorization", "set-cookie", "X-Api-Key", "x_auth_token", "KEY", "AWS-Session-Id", "Signature"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["WWW-Authenticate", "Keep-Alive", "X-Keyboard", "Authority", "Content-Type", ""] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn a_line_is_shown_without_its_secret_however_malformed_it_is() {
        let cases: [(&[u8], &str); 18] = [
            (b"Set-Cookie: s3cret", "Set-Cookie ***"),
            (b"Set-Cookie s3cret", "Set-Cookie ***"),
            (b"Set-Cookie\x01: s3cret", "Set-Cookie ***"),
            (b": Set-Cookie: s3cret", ": Set-Cookie ***"),
            (b"X: y\rSet-Cookie: s3cret", "X: y\\rSet-Cookie ***"),
            (b"HTTP/1.1 200 OK\rSet-Cookie: s3cret", "HTTP/1.1 200 OK\\rSet-Cookie ***"),
            (b"Set\x01-Cookie: s3cret", "***"),
            (b"Author\xc2\xadization: Bearer s3cret", "***"),
            (b"\x01 x-api-key : s3cret", "\\x01 x-api-key ***"),
            (b"AUTHORIZATION=s3cret: x", "AUTHORIZATION ***"),
            (b"Location: http://u:s3cret@h/x", "Location: http://***@h/x"),
            (b"Location: http://u:s3cret/x@h/", "Location: http://***@h/"),
            (b"Location: http:\\\\u:s3cret@h/", "Location: http:\\\\\\\\***@h/"),
            (b"Location\x01: //u:s3cret@h/x?s3cret", "Location\\x01: //***@h/x?..."),
            (b"X: http://u:s3cret@h/x", "X: http://***@h/x"),
            (b"X: http://h:80/img@2x.png", "X: http://h:80/img@2x.png"),
            (b"X: http://[::1]/img@2x.png", "X: http://[::1]/img@2x.png"),
            (b"Wed, 01 Jan", "Wed, 01 Jan"),
        ];
        for (line, want) in cases {
            assert_eq!(line_excerpt(line), want);
        }
        let long = format!("X: http://u:{}@h/", "s3cret".repeat(40));
        assert_eq!(line_excerpt(long.as_bytes()), "X: http://***@h/");
    }

    #[test]
    fn a_shown_head_has_no_secrets_in_lines_that_are_not_fields() {
        let head = b"HTTP/1.1 302 http://u:s3cret@h/\r\nSet-Cookie sid=s3cret\r\n s3cret\r\nA: \x1b\rSet-Cookie: s3cret\r\n\r\n";
        let want = "HTTP/1.1 302 http://***@h/\r\nSet-Cookie: ***\r\nA: \\u{1b}\\rSet-Cookie: ***\r\n\r\n";
        assert_eq!(head_text(head, &|_| false), want);
        let request = "GET /token/cookie?key HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(head_text(request.as_bytes(), &|_| false), request);
    }

    #[test]
    fn a_location_is_shown_without_its_query_and_userinfo() {
        for (location, want) in [
            ("/u?sig=s3cret", "\"/u?...\""),
            ("ftp://me:s3cret@h/x", "\"ftp://***@h/x\""),
            ("http:/img@2x.png", "\"http:/img@2x.png\""),
            ("http:/me:s3cret@h/", "(with userinfo)"),
        ] {
            assert_eq!(location_excerpt(location.as_bytes()), want);
        }
    }

    #[test]
    fn a_reference_is_shown_without_its_password() {
        let cases = [
            ("http://u:p@h/x@y", "http://***@h/x@y"),
            ("//u:p@a@h", "//***@h"),
            ("http://h/?m=a@b", "http://h/?m=a@b"),
            ("//u:p x@h", "//***@h"),
            ("<http://u:p@h/>; rel=a, <http://v:q@i>", "<http://***@h/>; rel=a, <http://***@i>"),
            ("mailto:a@b", "mailto:a@b"),
        ];
        for (reference, want) in cases {
            assert_eq!(hide_userinfo(reference, Urls::Reference), want);
        }
    }

    #[test]
    fn a_shown_head_has_no_secrets_even_folded() {
        let head = b"HTTP/1.1 200 OK\r\nset-cookie: a=b;\r\n more=secret\r\nX: y\r\n z\r\nCookie:c\r\n\r\n";
        let want = "HTTP/1.1 200 OK\r\nset-cookie: ***\r\nX: y\r\n z\r\nCookie: ***\r\n\r\n";
        assert_eq!(head_text(head, &|_| false), want);
    }

    #[test]
    fn a_shown_head_hides_further_fields_by_name() {
        let head = b"GET / HTTP/1.1\r\nX-OWN: secret\r\n secret\r\nX: y\r\n\r\n";
        let is_hidden = |name: &str| name.eq_ignore_ascii_case("x-own");
        assert_eq!(head_text(head, &is_hidden), "GET / HTTP/1.1\r\nX-OWN: ***\r\nX: y\r\n\r\n");
    }

    #[test]
    fn a_password_in_a_content_location_is_not_shown() {
        for url in ["http://u:secret@h/x", "//u:secret@h/x"] {
            let shown = debug_value("Content-Location", url.as_bytes()).unwrap_or_default()
                + &head_text(format!("GET\r\nContent-Location: {url}").as_bytes(), &|_| false);
            assert!(!shown.contains("secret") && shown.matches("//***@h/x").count() == 2, "{shown}");
        }
    }
}
