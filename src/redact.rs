//! What may be shown in a log: the one place that knows which fields hold secrets, and that cuts
//! and escapes the words of a peer.
//!
//! Everything that turns a head, a field or a URL into text for people comes through here: errors,
//! events, `Debug`. Knows text alone.

use std::borrow::Cow;

/// Fields whose value is a secret wherever it is shown.
const SECRET_FIELDS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// Words that make a field a secret when they stand between the dashes of its name, as in
/// `X-Api-Key`.
const SECRET_WORDS: [&str; 7] = ["key", "token", "secret", "password", "session", "signature", "auth"];

/// Fields whose value `Debug` may show: they describe the message and hold no secret.
const SHOWN_FIELDS: [&str; 34] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "cache-control",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expect",
    "expires",
    "host",
    "if-range",
    "keep-alive",
    "last-modified",
    "range",
    "retry-after",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
];

fn is_among(list: &[&str], name: &str) -> bool {
    list.iter().any(|other| other.eq_ignore_ascii_case(name))
}

/// Whether the field called `name` holds a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    is_among(&SECRET_FIELDS, name) || name.split(['-', '_']).any(|word| is_among(&SECRET_WORDS, word))
}

/// A field's value as `Debug` shows it: `None` if only its length may be seen.
pub(crate) fn debug_value(name: &str, value: &[u8]) -> Option<String> {
    let shown = is_among(&SHOWN_FIELDS, name);
    shown.then(|| hide_userinfo(&value.escape_ascii().to_string(), mark_of(name)).into_owned())
}

/// What stands before an authority in the field's value, as [`hide_userinfo`] wants it.
fn mark_of(name: &str) -> &'static str {
    if is_among(&["location", "content-location"], name) { "//" } else { "://" }
}

/// A raw head as text to be shown: control characters are escaped; secrets are replaced, on folded
/// lines too, and passwords in URLs.
pub(crate) fn head_text(head: &[u8]) -> String {
    head_text_without(head, |_| false)
}

/// The same, where the fields that `hides` names are secrets, too.
pub(crate) fn head_text_without(head: &[u8], hides: impl Fn(&str) -> bool) -> String {
    let text = String::from_utf8_lossy(head);
    let mut shown = String::with_capacity(text.len());
    let (mut in_secret, mut mark) = (false, "://");
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if !line.starts_with([' ', '\t']) {
            let name = line.split_once(':').map_or(line, |(name, _)| name).trim_ascii_end();
            in_secret = names_secret(line.as_bytes()).is_some() || hides(name);
            mark = mark_of(name);
            if in_secret {
                shown.push_str(&escape_controls(name));
                shown.push_str(": ***\r\n");
            }
        }
        match (in_secret, number) {
            (true, _) => {}
            (false, 0) => shown.push_str(&escape_controls(line)), // a target has no userinfo
            (false, _) => shown.push_str(&escape_controls(&hide_userinfo(line, mark))),
        }
    }
    shown
}

/// Control characters as `\x1b`: they could say anything to a terminal. Line ends and HTAB stay.
fn escape_controls(text: &str) -> Cow<'_, str> {
    let is_odd = |c: char| c.is_control() && !matches!(c, '\r' | '\n' | '\t');
    if !text.contains(is_odd) {
        return text.into();
    }
    let escaped = |c: char| if is_odd(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect::<String>().into()
}

/// Where in `line`, in what may be its field's name, the name of a secret field ends.
fn names_secret(line: &[u8]) -> Option<usize> {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let mut end = 0;
    for word in name.split(|byte| !is_inside(byte)) {
        end += word.len();
        if std::str::from_utf8(word).is_ok_and(is_secret) {
            return Some(end);
        }
        end += 1;
    }
    None
}

/// One field line of a peer, well formed or not, fit for a message: the value of a secret field is
/// not in it, nor a password in a URL.
pub(crate) fn line_excerpt(line: &[u8]) -> String {
    if let Some(end) = names_secret(line) {
        return format!("{} ***", excerpt(&line[..end]));
    }
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
    let mark = std::str::from_utf8(name).map_or("//", mark_of);
    // Hidden before it is cut: half a URL may end before the `@`.
    excerpt(hide_userinfo(&String::from_utf8_lossy(line), mark).as_bytes())
}

/// The beginning of what a peer said, fit for a message.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    const BYTES_MAX: usize = 80;
    let shown = &bytes[..bytes.len().min(BYTES_MAX)];
    let more = if shown.len() < bytes.len() { "..." } else { "" };
    format!("{}{more}", shown.escape_ascii())
}

/// Text with URLs in it, fit to be shown: user and password are hidden in each. `mark` is what
/// stands before an authority: `://`, or `//` where the text is one reference, which may be without
/// a scheme and have raw blanks.
pub(crate) fn hide_userinfo<'t>(text: &'t str, mark: &str) -> Cow<'t, str> {
    let ends: &[u8] = if mark == "//" { b"/?#\r\n" } else { b"/?#\r\n\t " };
    if !text.as_bytes().contains(&b'@') {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.as_bytes().windows(mark.len()).position(|bytes| bytes == mark.as_bytes()) {
        let (before, authority) = rest.split_at(at + mark.len());
        let end = authority.bytes().position(|byte| ends.contains(&byte)).unwrap_or(authority.len());
        shown.push_str(before);
        rest = match authority[..end].rsplit_once('@') {
            Some((userinfo, _)) => {
                shown.push_str("***");
                &authority[userinfo.len()..]
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
    fn a_line_is_shown_without_its_secret_however_it_is_broken() {
        let cases: [(&[u8], &str); 9] = [
            (b"Set-Cookie: s3cret", "Set-Cookie ***"),
            (b"Set-Cookie s3cret", "Set-Cookie ***"),
            (b"Set-Cookie\x01: s3cret", "Set-Cookie ***"),
            (b"\x01 x-api-key : s3cret", "\\x01 x-api-key ***"),
            (b"AUTHORIZATION=s3cret: x", "AUTHORIZATION ***"),
            (b"Location: http://u:s3cret@h/x", "Location: http://***@h/x"),
            (b"Location: //u:s3cret@h/x", "Location: //***@h/x"),
            (b"X: http://u:s3cret@h/x", "X: http://***@h/x"),
            (b"Wed, 01 Jan", "Wed, 01 Jan"),
        ];
        for (line, want) in cases {
            assert_eq!(line_excerpt(line), want);
        }
        let long = format!("X: http://u:{}@h/", "s3cret".repeat(40));
        assert_eq!(line_excerpt(long.as_bytes()), "X: http://***@h/");
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
            assert_eq!(hide_userinfo(reference, "//"), want);
        }
    }

    #[test]
    fn a_shown_head_has_no_secrets_even_folded() {
        let head = b"HTTP/1.1 200 OK\r\nset-cookie: a=b;\r\n more=secret\r\nX: y\r\n z\r\nCookie:c\r\n\r\n";
        let want = "HTTP/1.1 200 OK\r\nset-cookie: ***\r\nX: y\r\n z\r\nCookie: ***\r\n\r\n";
        assert_eq!(head_text(head), want);
    }

    #[test]
    fn a_shown_head_hides_further_fields_by_name() {
        let head = b"GET / HTTP/1.1\r\nX-OWN: secret\r\n secret\r\nX: y\r\n\r\n";
        let hides = |name: &str| name.eq_ignore_ascii_case("x-own");
        assert_eq!(head_text_without(head, hides), "GET / HTTP/1.1\r\nX-OWN: ***\r\nX: y\r\n\r\n");
    }

    #[test]
    fn a_password_in_a_content_location_is_not_shown() {
        for url in ["http://u:secret@h/x", "//u:secret@h/x"] {
            let shown = debug_value("Content-Location", url.as_bytes()).unwrap_or_default()
                + &head_text(format!("GET\r\nContent-Location: {url}").as_bytes());
            assert!(!shown.contains("secret") && shown.matches("//***@h/x").count() == 2, "{shown}");
        }
    }
}
