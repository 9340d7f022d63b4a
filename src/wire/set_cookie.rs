//! The field `Set-Cookie`: a cookie's name, value and attributes (RFC 6265bis §5.6).
//!
//! One call reads one field line; lines are never joined, since a comma may stand in a value. Everything
//! that the grammar for servers (§4.1.1) forbids but servers send is kept: quotes, commas, blanks, `=` and
//! bytes over 0x7F in values, cookies without a name. Which host a cookie came from, whether that host
//! may set it, and what time it is, is not known here.

use crate::cookie::SameSite;
use crate::headers::TrimOws;
use crate::wire::http_date;

/// Bytes that name and value may have together (§5.6 step 5): what browsers take. A longer cookie is
/// refused.
pub(crate) const PAIR_BYTES_MAX: usize = 4096;

/// Bytes that an attribute's value may have (§5.6): a longer attribute is ignored.
pub(crate) const ATTRIBUTE_BYTES_MAX: usize = 1024;

/// How long a cookie may live: 400 days (§5.5). A later end is brought forward.
pub(crate) const LIFETIME_SECONDS_MAX: i64 = 400 * 24 * 60 * 60;

/// What a `Set-Cookie` field says.
#[derive(Debug, PartialEq)]
pub(crate) struct SetCookie<'l> {
    /// Empty for a cookie without a name.
    pub(crate) name: &'l [u8],
    pub(crate) value: &'l [u8],
    /// Without its leading dot, in the case it was sent in; `None` if missing or empty.
    pub(crate) domain: Option<&'l [u8]>,
    /// `None` stands for the default path.
    pub(crate) path: Option<&'l [u8]>,
    pub(crate) end: End,
    pub(crate) is_secure: bool,
    pub(crate) is_http_only: bool,
    pub(crate) same_site: Option<SameSite>,
}

/// When a cookie ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    /// With the session: it has neither `Max-Age` nor `Expires`.
    Session,
    /// So many seconds from now (`Max-Age`), at most [`LIFETIME_SECONDS_MAX`]; 0 or less is at once.
    After(i64),
    /// At that time (`Expires`), in seconds since 1970.
    At(i64),
}

impl<'l> SetCookie<'l> {
    /// Reads one field line, or says why there is no cookie in it.
    pub(crate) fn parse(line: &'l [u8]) -> Result<SetCookie<'l>, &'static str> {
        if has_control(line) {
            return Err("it has a control character");
        }
        let mut parts = line.split(|byte| *byte == b';');
        let (name, value) = match split_at_equals(parts.next().unwrap_or_default()) {
            (name, Some(value)) => (name, value),
            (value, None) => (&b""[..], value),
        };
        check_pair(name, value)?;
        let mut cookie = SetCookie {
            name,
            value,
            domain: None,
            path: None,
            end: End::Session,
            is_secure: false,
            is_http_only: false,
            same_site: None,
        };
        // The last attribute of a name counts; Max-Age comes before Expires, wherever they stand (§5.7).
        let (mut max_age, mut expires) = (None, None);
        for (name, value) in parts.map(split_at_equals) {
            let value = value.unwrap_or_default();
            if value.len() > ATTRIBUTE_BYTES_MAX {
                continue;
            }
            let is = |attribute: &[u8]| name.eq_ignore_ascii_case(attribute);
            match name.len() {
                4 if is(b"path") => cookie.path = Some(value).filter(|path| path.starts_with(b"/")),
                6 if is(b"domain") => {
                    let domain = value.strip_prefix(b".").unwrap_or(value);
                    cookie.domain = Some(domain).filter(|domain| !domain.is_empty());
                }
                6 if is(b"secure") => cookie.is_secure = true,
                7 if is(b"max-age") => max_age = delta_seconds(value).or(max_age),
                7 if is(b"expires") => expires = http_date::parse(value).or(expires),
                8 if is(b"httponly") => cookie.is_http_only = true,
                8 if is(b"samesite") => cookie.same_site = same_site(value),
                _ => {}
            }
        }
        cookie.end = match (max_age, expires) {
            (Some(seconds), _) => End::After(seconds),
            (None, Some(time)) => End::At(time),
            (None, None) => End::Session,
        };
        Ok(cookie)
    }
}

/// Checks the size of a name and a value (§5.6 step 5), and that they are not both empty (§5.7 step 2).
pub(crate) fn check_pair(name: &[u8], value: &[u8]) -> Result<(), &'static str> {
    match name.len() + value.len() {
        0 => Err("it has neither a name nor a value"),
        1..=PAIR_BYTES_MAX => Ok(()),
        _ => Err("its name and value have more than 4096 bytes"),
    }
}

/// Returns whether the text has a control character other than HTAB (§5.6 step 1).
pub(crate) fn has_control(text: &[u8]) -> bool {
    text.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t')
}

/// Splits a part at its first `=`, and trims both sides.
fn split_at_equals(part: &[u8]) -> (&[u8], Option<&[u8]>) {
    match part.iter().position(|byte| *byte == b'=') {
        Some(at) => (part[..at].trim_ows(), Some(part[at + 1..].trim_ows())),
        None => (part.trim_ows(), None),
    }
}

/// Reads `Max-Age` (§5.6.2): digits, perhaps after a minus sign, and nothing else.
fn delta_seconds(value: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match value {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let capped = |seconds: i64, digit: &u8| (seconds * 10 + i64::from(digit - b'0')).min(LIFETIME_SECONDS_MAX);
    let seconds = digits.iter().fold(0, capped);
    Some(if is_negative { 0 } else { seconds })
}

fn same_site(value: &[u8]) -> Option<SameSite> {
    let all = [(&b"strict"[..], SameSite::Strict), (b"lax", SameSite::Lax), (b"none", SameSite::None)];
    all.into_iter().find(|(name, _)| value.eq_ignore_ascii_case(name)).map(|(_, same_site)| same_site)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> SetCookie<'_> {
        SetCookie::parse(line.as_bytes()).unwrap_or_else(|why| panic!("{line}: {why}"))
    }

    #[test]
    fn name_and_value_are_kept_as_they_are() {
        for (line, name, value) in [
            ("a=b", "a", "b"),
            ("  a \t=\t b  ;x", "a", "b"),
            ("a=\"b, c\"", "a", "\"b, c\""),
            ("a=b=c==", "a", "b=c=="),
            ("a= b c ", "a", "b c"),
            ("a=", "a", ""),
            ("a", "", "a"),
            ("=a", "", "a"),
            ("==a", "", "=a"),
            ("a=\u{e9}\u{7a7a}", "a", "\u{e9}\u{7a7a}"),
            ("\u{e9}=b", "\u{e9}", "b"),
            ("a=\"b;c\"", "a", "\"b"),
            ("a=b\tc", "a", "b\tc"),
            ("a=b, c=d", "a", "b, c=d"),
        ] {
            let cookie = parsed(line);
            assert_eq!((cookie.name, cookie.value), (name.as_bytes(), value.as_bytes()), "{line}");
        }
        let latin = SetCookie::parse(b"a=\xe9\xff").expect("any byte over 0x7F");
        assert_eq!(latin.value, b"\xe9\xff");
    }

    #[test]
    fn what_is_no_cookie_is_refused_with_the_reason() {
        for line in ["", "=", "  ", "; Path=/", " = ;Secure"] {
            assert_eq!(SetCookie::parse(line.as_bytes()), Err("it has neither a name nor a value"), "{line:?}");
        }
        for byte in (0..=0x1f).chain([0x7f]).filter(|byte| *byte != b'\t') {
            for line in [&[b'a', b'=', byte][..], &[byte, b'=', b'a'], &[b'a', b'=', b'b', b';', byte]] {
                assert_eq!(SetCookie::parse(line), Err("it has a control character"), "{}", line.escape_ascii());
            }
        }
    }

    #[test]
    fn name_and_value_have_at_most_4096_bytes() {
        let line = |bytes: usize| format!("name={}; Path=/", "v".repeat(bytes - "name".len()));
        assert_eq!(parsed(&line(4096)).value.len(), 4092);
        assert!(SetCookie::parse(line(4097).as_bytes()).is_err_and(|why| why.contains("4096")));
        assert!(SetCookie::parse("v".repeat(4097).as_bytes()).is_err());
        assert_eq!(parsed(&"v".repeat(4096)).value.len(), 4096);
    }

    #[test]
    fn an_attribute_of_more_than_1024_bytes_is_ignored_and_not_the_cookie() {
        let path = |bytes: usize| format!("/{}", "p".repeat(bytes - 1));
        let line = format!("a=b; Path={}", path(1024));
        assert_eq!(parsed(&line).path.map(<[u8]>::len), Some(1024));
        let line = format!("a=b; Path=/x; Path={}; Secure={}", path(1025), path(1025));
        assert_eq!((parsed(&line).path, parsed(&line).is_secure), (Some(&b"/x"[..]), false));
    }

    #[test]
    fn attributes_are_found_in_any_case_and_the_last_counts() {
        let cookie = parsed("a=b; PATH=/x;secure=no; HttpOnly ;SAMESITE=lax; domain = .A.example; path=/y; foo; =;;");
        assert_eq!((cookie.path, cookie.domain), (Some(&b"/y"[..]), Some(&b"A.example"[..])));
        assert!(cookie.is_secure && cookie.is_http_only);
        assert_eq!(cookie.same_site, Some(SameSite::Lax));
        let reset = parsed("a=b; Path=/x; Path; Domain=a.example; Domain=; SameSite=Strict; SameSite=x");
        assert_eq!((reset.path, reset.domain, reset.same_site), (None, None, None));
        let quoted = parsed("a=b; \"Secure\"; Secure x; HttpOnly2; Path=\"/x\"; SameSite=None");
        assert!(!quoted.is_secure && !quoted.is_http_only && quoted.path.is_none());
        assert_eq!(quoted.same_site, Some(SameSite::None));
        assert_eq!(parsed("a=b; SameSite=STRICT; Domain=..x").same_site, Some(SameSite::Strict));
        assert_eq!(parsed("a=b; Domain=..x").domain, Some(&b".x"[..]));
    }

    #[test]
    fn max_age_comes_before_expires_and_has_a_maximum() {
        let date = "Thu, 01 Jan 1970 00:01:40 GMT";
        for (attributes, want) in [
            ("", End::Session),
            ("Max-Age=5", End::After(5)),
            ("Max-Age=005", End::After(5)),
            ("Max-Age=0", End::After(0)),
            ("Max-Age=-5", End::After(0)),
            ("Max-Age=34560000", End::After(LIFETIME_SECONDS_MAX)),
            ("Max-Age=34560001", End::After(LIFETIME_SECONDS_MAX)),
            ("Max-Age=99999999999999999999999999", End::After(LIFETIME_SECONDS_MAX)),
            ("Max-Age=1; Max-Age=2", End::After(2)),
            ("Max-Age=1; Max-Age=x", End::After(1)),
            ("Max-Age=", End::Session),
            ("Max-Age=-", End::Session),
            ("Max-Age=+5", End::Session),
            ("Max-Age=5.5", End::Session),
            ("Max-Age=\"5\"", End::Session),
            ("Max-Age=50,399", End::Session),
            (&format!("Expires={date}"), End::At(100)),
            (&format!("Max-Age=7; Expires={date}"), End::After(7)),
            (&format!("Expires={date}; Max-Age=7"), End::After(7)),
            (&format!("Expires={date}; Max-Age=x"), End::At(100)),
            (&format!("Expires={date}; Expires=never"), End::At(100)),
            ("Expires=0", End::Session),
        ] {
            assert_eq!(parsed(&format!("a=b; {attributes}")).end, want, "{attributes}");
        }
    }
}
