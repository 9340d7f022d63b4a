//! Request URLs and Locations: RFC 3986 with HTTP's restrictions (RFC 9110 §4.2).
//!
//! Text is checked before it is passed to the `url` crate, which parses as the browsers do: it repairs
//! what HTTP must reject.
//!
//! Most of the cost is the host's. Texts of a program are mostly of one or two origins, so each thread
//! remembers the latest two that came again, and a text that begins with one of them is joined to it.

use std::borrow::Cow;
use std::cell::RefCell;

use url::{Position, Url};

use crate::error::{Error, ErrorKind, Result};
use crate::redact::excerpt;

/// Converts into a request's URL. Implemented for `&str`, `String`, `&String`, [`Url`] and `&Url`.
///
/// Text must begin with `http://host` or `https://host`, and have no whitespace, no control characters
/// and no backslash before the path. It is not repaired, except that characters which RFC 3986 excludes
/// from a path or query (``" < > [ \ ] ^ ` { | }``) are percent-encoded. The trait is sealed.
///
/// ```
/// use longwire::{Client, Url};
///
/// let client = Client::new();
/// let url = Url::parse("http://example.com/")?;
/// let request = client.get(&url);
/// let same = client.get("http://example.com/");
/// # drop((request, same));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait IntoUrl: sealed::Sealed {}

impl<T: sealed::Sealed> IntoUrl for T {}

pub(crate) mod sealed {
    use super::*;

    pub trait Sealed {
        fn into_url(self) -> Result<Url>;
    }

    impl Sealed for &str {
        fn into_url(self) -> Result<Url> {
            parse(self)
        }
    }

    impl Sealed for String {
        fn into_url(self) -> Result<Url> {
            parse(&self)
        }
    }

    impl Sealed for &String {
        fn into_url(self) -> Result<Url> {
            parse(self)
        }
    }

    impl Sealed for Url {
        fn into_url(self) -> Result<Url> {
            check(&self).map(|()| encoded(&self).unwrap_or(self))
        }
    }

    impl Sealed for &Url {
        fn into_url(self) -> Result<Url> {
            check(self).map(|()| encoded(self).unwrap_or_else(|| self.clone()))
        }
    }
}

fn invalid(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidUrl, what)
}

/// What a thread remembers of the texts that it parsed: no path, query or userinfo.
struct Remembered {
    /// The root URLs of origins that text is joined to, the latest first.
    roots: [Option<Url>; 2],
    /// The two latest origins that are none of these: if one comes again it is worth a root.
    seen: [Option<Box<str>>; 2],
}

thread_local! {
    static REMEMBERED: RefCell<Remembered> =
        const { RefCell::new(Remembered { roots: [None, None], seen: [None, None] }) };
}

/// Parses an absolute URL. Its userinfo is kept.
fn parse(text: &str) -> Result<Url> {
    // While the thread ends nothing is remembered any more.
    let joined = REMEMBERED.try_with(|thread| thread.borrow().roots.iter().flatten().find_map(|root| join(root, text)));
    if let Ok(Some(url)) = joined {
        return Ok(url);
    }
    let url = parse_whole(text)?;
    let _ = REMEMBERED.try_with(|thread| thread.borrow_mut().note(&url));
    Ok(url)
}

/// Joins the text to a root URL, if it is that URL's origin as it is serialized, a path, and nothing that
/// has to be rejected or encoded. So the result is what the parse of the whole text gives.
#[inline]
fn join(root: &Url, text: &str) -> Option<Url> {
    let target = text.strip_prefix(origin(root))?;
    let is_path = target.starts_with('/') && !target.starts_with("//"); // which would be another authority
    let is_clean = |target: &str| target.bytes().all(|byte| !UNCLEAN[usize::from(byte)]);
    if is_path && is_clean(target) { root.join(target).ok() } else { None }
}

impl Remembered {
    /// Notes a URL that was parsed whole.
    #[cold]
    fn note(&mut self, url: &Url) {
        let origin_of_url = origin(url);
        let is_known = self.roots.iter().flatten().any(|root| origin(root) == origin_of_url);
        if is_known || has_userinfo(url) {
            return;
        }
        if !self.seen.iter().flatten().any(|seen| **seen == *origin_of_url) {
            let [latest, before] = &mut self.seen;
            *before = latest.replace(origin_of_url.into());
        } else if let Ok(root) = url.join("/") {
            let [latest, before] = &mut self.roots;
            *before = latest.replace(root);
        }
    }
}

/// Parses an absolute URL on its own.
fn parse_whole(text: &str) -> Result<Url> {
    // Without a branch, so that many bytes are checked at a time; the position is needed only on error.
    if text.bytes().fold(false, |found, byte| found | is_bad(byte)) {
        let at = text.bytes().take_while(|byte| !is_bad(*byte)).count();
        return Err(invalid(format!("the URL has whitespace or a control character (byte {})", at + 1)));
    }
    let rest = match split_scheme(text) {
        Some((scheme, rest)) if is_http(scheme) => rest,
        Some((scheme, rest)) if rest.starts_with("//") => return Err(unsupported(scheme)),
        // `localhost:8080` has no scheme, although it has the form of one.
        _ => return Err(invalid("the URL is not of the form http://host")),
    };
    check_authority_form(rest).map_err(invalid)?;
    let text = encode_excluded(text, text.len() - rest.len());
    let url = Url::parse(&text).map_err(|error| invalid(format!("the URL does not parse: {error}")))?;
    check(&url).map(|()| url)
}

/// Checks a parsed URL.
fn check(url: &Url) -> Result<()> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unsupported(url.scheme()));
    }
    if url.port() == Some(0) {
        return Err(invalid("port 0 cannot be connected to").with_url(&without_userinfo(url.clone())));
    }
    Ok(())
}

/// Returns whether RFC 3986 (§2, appendix A) excludes a byte from path and query although `url` leaves
/// it there or replaces it, as the browsers do.
const fn is_excluded(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>' | b'['..=b'^' | b'`' | b'{'..=b'}')
}

/// Returns whether a byte is whitespace or a control character, which no URL may have.
const fn is_bad(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f
}

/// [`is_excluded`] as a table, since every request's URL is checked.
static EXCLUDED: [bool; 256] = table(false);

/// What is excluded or bad.
static UNCLEAN: [bool; 256] = table(true);

const fn table(with_bad: bool) -> [bool; 256] {
    let (mut table, mut byte) = ([false; 256], 0);
    while byte < 256 {
        table[byte] = is_excluded(byte as u8) || with_bad && is_bad(byte as u8);
        byte += 1;
    }
    table
}

/// Percent-encodes the excluded bytes of a URL's path and query. They begin after the authority, or, if
/// there is no `//` at `start`, there. The text before, the fragment and every escape are kept.
fn encode_excluded(text: &str, start: usize) -> Cow<'_, str> {
    if !text.bytes().any(|byte| EXCLUDED[usize::from(byte)]) {
        return text.into();
    }
    let authority = if text[start..].starts_with("//") { "//".len() } else { 0 };
    let rest = &text[start + authority..];
    let path = match authority {
        0 => 0,
        _ => rest.bytes().position(|byte| b"/?#".contains(&byte)).unwrap_or(rest.len()),
    };
    let end = rest.bytes().position(|byte| byte == b'#').unwrap_or(rest.len());
    let mut encoded = text[..start + authority + path].to_owned();
    for c in rest[path..end].chars() {
        match u8::try_from(c) {
            Ok(byte) if is_excluded(byte) => encoded.push_str(&format!("%{byte:02X}")),
            _ => encoded.push(c),
        }
    }
    (encoded + &rest[end..]).into()
}

/// Does the same for a parsed URL; `None` if nothing is to be encoded.
fn encoded(url: &Url) -> Option<Url> {
    if !url[Position::BeforePath..].bytes().any(|byte| EXCLUDED[usize::from(byte)]) {
        return None;
    }
    match encode_excluded(url.as_str(), url.scheme().len() + ":".len()) {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Url::parse(&text).ok(),
    }
}

/// Appends `name=value` to the query.
pub(crate) fn append_query(url: &mut Url, name: &str, value: &str) {
    let mut query = url.query().unwrap_or_default().to_owned();
    append_pair(&mut query, name, value);
    url.set_query(Some(&query));
}

/// Appends `name=value` to text in application/x-www-form-urlencoded. Unreserved characters
/// (RFC 3986 §2.3) are kept, and a space becomes `+`.
pub(crate) fn append_pair(text: &mut String, name: &str, value: &str) {
    if !text.is_empty() {
        text.push('&');
    }
    append_encoded(text, name);
    text.push('=');
    append_encoded(text, value);
}

fn append_encoded(text: &mut String, part: &str) {
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            b' ' => text.push('+'),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// Resolves a Location against `base` (RFC 9110 §10.2.2, RFC 3986 §5.2): userinfo is dropped, and the
/// fragment inherited. The error is text for a message.
pub(crate) fn resolve_location(base: &Url, location: &[u8]) -> Result<Url, String> {
    let mut text = encode_raw(location)?;
    if let Some((scheme, rest)) = split_scheme(&text) {
        if !is_http(scheme) {
            return Err(format!("it has the scheme \"{}\", which is not followed", excerpt(scheme.as_bytes())));
        }
        check_authority_form(rest)?;
    } else if let Some(authority) = text.strip_prefix("//") {
        check_authority(authority)?;
    } else if text.starts_with(['/', '\\']) && text[1..].starts_with(['/', '\\']) {
        return Err("it has a backslash before the path".to_owned());
    }
    let start = split_scheme(&text).map_or(0, |(scheme, _)| scheme.len() + ":".len());
    text = encode_excluded(&text, start).into_owned();
    if let (false, Some(fragment)) = (text.as_bytes().contains(&b'#'), base.fragment()) {
        text.push('#');
        text.push_str(fragment);
    }
    let url = base.join(&text).map_err(|error| error.to_string())?;
    if url.port() == Some(0) {
        return Err("it has port 0".to_owned());
    }
    Ok(without_userinfo(url))
}

/// Percent-encodes what the sender should have encoded: spaces and bytes over 0x7E (RFC 3986 §2.1).
fn encode_raw(location: &[u8]) -> Result<String, String> {
    let mut text = String::with_capacity(location.len());
    for byte in location {
        match byte {
            0x21..=0x7e => text.push(*byte as char),
            b' ' | 0x80.. => text.push_str(&format!("%{byte:02X}")),
            _ => return Err(format!("it has the control character 0x{byte:02x}")),
        }
    }
    Ok(text)
}

/// Returns the scheme that `text` begins with, if any, and the text after its colon (RFC 3986 §3.1).
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(is_scheme_byte);
    is_scheme.then_some((scheme, rest))
}

/// Checks that the text after a scheme and its colon begins with `//` and a host.
pub(crate) fn check_authority_form(rest: &str) -> Result<(), &'static str> {
    match rest.strip_prefix("//") {
        Some(authority) => check_authority(authority),
        None => Err("the URL is not of the form http://host"),
    }
}

fn check_authority(rest: &str) -> Result<(), &'static str> {
    match rest.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\')) {
        Some(at) if rest.as_bytes()[at] == b'\\' => Err("the URL has a backslash before the path"),
        Some(0) => Err("the URL has no host"),
        None if rest.is_empty() => Err("the URL has no host"),
        _ => Ok(()),
    }
}

fn is_http(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

fn unsupported(scheme: &str) -> Error {
    Error::new(ErrorKind::UnsupportedScheme, format!("the scheme {scheme:?} is neither http nor https"))
}

/// Returns the URL without user and password, so that it can be shown.
pub(crate) fn without_userinfo(mut url: Url) -> Url {
    if has_userinfo(&url) {
        // Both fail only for URLs without a host, which are not http or https.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    url
}

#[inline]
pub(crate) fn has_userinfo(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Returns the host; an IPv6 address without its brackets.
pub(crate) fn bare_host(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Returns the origin, `scheme://host:port` without a default port, for which a connection is pooled
/// (RFC 9110 §4.3.1).
#[inline]
pub(crate) fn origin(url: &Url) -> &str {
    &url[..Position::BeforePath]
}

/// Returns the authority, `host:port`, for the Host field (RFC 9110 §7.2), and the request target in
/// origin-form (RFC 9112 §3.2.1). The URL must have no userinfo.
#[inline]
pub(crate) fn authority_and_target(url: &Url) -> (&str, &str) {
    let (origin, target) = url.as_str().split_at(origin(url).len());
    let authority = &origin[url.scheme().len() + "://".len()..];
    match url.fragment() {
        Some(fragment) => (authority, &target[..target.len() - fragment.len() - "#".len()]),
        None => (authority, target),
    }
}

/// Returns the request target in absolute-form, for a proxy (RFC 9112 §3.2.2).
pub(crate) fn absolute_target(url: &Url) -> &str {
    &url[..Position::AfterQuery]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_url_would_repair_is_rejected() {
        let cases = [
            ("", ErrorKind::InvalidUrl),
            ("/path", ErrorKind::InvalidUrl),
            ("example.com/x", ErrorKind::InvalidUrl),
            ("127.0.0.1:80/x", ErrorKind::InvalidUrl),
            ("localhost:80/x", ErrorKind::InvalidUrl),
            ("http:evil", ErrorKind::InvalidUrl),
            ("http:/evil", ErrorKind::InvalidUrl),
            ("http:///evil", ErrorKind::InvalidUrl),
            ("http://", ErrorKind::InvalidUrl),
            ("http://?x", ErrorKind::InvalidUrl),
            ("http://a\\@b/", ErrorKind::InvalidUrl),
            ("http:\\\\a/", ErrorKind::InvalidUrl),
            ("http://a b/", ErrorKind::InvalidUrl),
            ("http://a/\tx", ErrorKind::InvalidUrl),
            ("http://a/\r\nX: y", ErrorKind::InvalidUrl),
            ("http://a/\x7f", ErrorKind::InvalidUrl),
            ("http://a:0/", ErrorKind::InvalidUrl),
            ("http://a:65536/", ErrorKind::InvalidUrl),
            ("http://[::1/", ErrorKind::InvalidUrl),
            ("ftp://a/", ErrorKind::UnsupportedScheme),
            ("file:///etc/passwd", ErrorKind::UnsupportedScheme),
        ];
        for (text, kind) in cases {
            assert_eq!(parse(text).map_err(|error| error.kind()), Err(kind), "{text:?}");
        }
    }

    /// Every component of a URL, or the whole error.
    fn components(parsed: Result<Url>) -> Result<[String; 9], String> {
        let url = parsed.map_err(|error| format!("{error:?}"))?;
        Ok([
            url.as_str().to_owned(),
            url.scheme().to_owned(),
            url.username().to_owned(),
            format!("{:?}", url.password()),
            format!("{:?}", url.host()),
            format!("{:?}", url.port()),
            url.path().to_owned(),
            format!("{:?}", url.query()),
            format!("{:?}", url.fragment()),
        ])
    }

    const ORIGINS: [&str; 14] = [
        "http://a",
        "http://a.b",
        "https://a",
        "http://a:80",
        "http://a:8080",
        "http://a:0",
        "http://127.0.0.1:81",
        "http://127.1",
        "https://[::1]:8443",
        "HTTP://A",
        "http://u:p@a",
        "http://u@a",
        "http://\u{fc}",
        "ftp://a",
    ];

    /// Compares both ways to parse `text` after `before`: returns whether it was joined.
    fn is_joined_and_the_same(before: &str, text: &str) -> bool {
        let _ = (parse(before), parse(before));
        let is_joined =
            REMEMBERED.with_borrow(|thread| thread.roots.iter().flatten().any(|root| join(root, text).is_some()));
        assert_eq!(components(parse(text)), components(parse_whole(text)), "{text:?} after {before:?}");
        is_joined
    }

    #[test]
    fn a_text_after_another_is_the_same_url_as_on_its_own() {
        let ends = "|/|//|/\\|/\\x|\\|/a/../b|/./|/%2e%2E/x|/%2e|/..|/.|///|/..//x|/a//b|?q|/?|/?#|/#|#f|/a?b#c|/?a=//b|:80/|\
            :81/x|8/|@b/|.b/|b/|/a:b@c|/http://b/|/;x=1|/\"|/^`{}<>[]|/?'\"<>|/?[|/#\"<>`[]^{}\\|/a b|/\t|/?\n|/\x7f|/#\0|\
            /\u{fc}|/?\u{fc}|/#\u{fc}|/%|/%zz?%|/x\\..\\y|/~!$&'()*+,;=:@-._|/ | ";
        let mut joined = 0;
        for before in ORIGINS {
            for origin in ORIGINS {
                for end in ends.split('|') {
                    joined += u32::from(is_joined_and_the_same(before, &format!("{origin}{end}")));
                }
            }
        }
        assert!(joined > 1000, "{joined}");
    }

    #[test]
    fn any_text_is_the_same_url_as_on_its_own() {
        let pieces =
            ["/", "//", ".", "..", "%2e", "%2E", "?", "#", "\\", "@", ":", "a", "b=1", "\u{fc}", "[", "|", " ", "80"];
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |bound: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 33) as usize % bound
        };
        let mut joined = 0;
        for _ in 0..20_000 {
            let origin = ORIGINS[below(ORIGINS.len())];
            let mut text = format!("{origin}{}", ["/", ""][below(2)]);
            (0..below(8)).for_each(|_| text.push_str(pieces[below(pieces.len())]));
            joined += u32::from(is_joined_and_the_same(origin, &text));
        }
        assert!(joined > 1000, "{joined}");
    }

    #[test]
    fn two_origins_that_came_twice_are_remembered_without_path_and_never_with_userinfo() {
        let roots =
            || REMEMBERED.with_borrow(|thread| thread.roots.each_ref().map(|root| root.as_ref().map(Url::to_string)));
        let some = |text: &str| Some(text.to_owned());
        let parse_twice = |text: &str| (parse(text).unwrap(), parse(text).unwrap());
        parse("http://a/once").unwrap();
        assert_eq!(roots(), [None, None]);
        parse("http://a/secret?token=1#x").unwrap();
        parse_twice("http://u:p@b/");
        parse_twice("http://u@a/");
        parse_twice("HTTP://A:80/again");
        assert_eq!(roots(), [some("http://a/"), None]);
        parse_twice("https://a/");
        parse_twice("http://a/");
        assert_eq!(roots(), [some("https://a/"), some("http://a/")]);
        for text in ["http://c", "http://d", "http://e", "http://c", "http://d", "http://e"] {
            parse(text).unwrap(); // more than two in turn are not worth it
        }
        assert_eq!(roots(), [some("https://a/"), some("http://a/")]);
        parse_twice("http://e");
        assert_eq!(roots(), [some("http://e/"), some("https://a/")]);
    }

    #[test]
    fn excluded_characters_of_path_and_query_are_encoded_in_text_and_in_urls() {
        let cases = [
            ("http://h/p|q^r[s]?`t{w}", "http://h/p%7Cq%5Er%5Bs%5D?%60t%7Bw%7D"),
            ("http://h/a\\b?c\\d", "http://h/a%5Cb?c%5Cd"),
            ("http://h/%7C%5c%zz?%", "http://h/%7C%5c%zz?%"),
            ("http://h?{\"a\":<1>}", "http://h/?%7B%22a%22:%3C1%3E%7D"),
            ("http://[::1]:8080/x", "http://[::1]:8080/x"),
            ("http://[::1]?[]", "http://[::1]/?%5B%5D"),
            ("http://h/\u{fc}|", "http://h/%C3%BC%7C"),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text).unwrap().as_str(), want);
        }
        let by_hand = Url::parse("http://h/p|q[r]?{s}#{t}").unwrap();
        let once = sealed::Sealed::into_url(&by_hand).unwrap();
        assert_eq!(&once[..Position::AfterQuery], "http://h/p%7Cq%5Br%5D?%7Bs%7D");
        assert_eq!(sealed::Sealed::into_url(by_hand).unwrap(), once);
        assert!(parse("http://h\\a/").is_err(), "a backslash before the path");
    }

    #[test]
    fn a_pair_is_encoded_as_a_form_field() {
        let mut url = Url::parse("http://h/?a").unwrap();
        append_query(&mut url, "b c", "~-._*'(&=+%\u{fc}|");
        assert_eq!(url.query(), Some("a&b+c=~-._%2A%27%28%26%3D%2B%25%C3%BC%7C"));
    }

    #[test]
    fn authority_and_target_are_as_they_are_sent() {
        let url = parse("HTTP://ExAmple.com:80?a=b c".replace(' ', "%20").as_str()).unwrap();
        assert_eq!(origin(&url), "http://example.com");
        assert_eq!(authority_and_target(&url), ("example.com", "/?a=b%20c"));
        let url = parse("http://[::1]:8080/a/../b#c").unwrap();
        assert_eq!(authority_and_target(&url), ("[::1]:8080", "/b"));
        assert_eq!(absolute_target(&url), "http://[::1]:8080/b");
        assert_eq!(absolute_target(&parse("http://a?b#c").unwrap()), "http://a/?b");
    }

    #[test]
    fn a_location_is_resolved_as_rfc_3986_says() {
        let base = Url::parse("http://a/b/c/d?q#f").unwrap();
        let cases = [
            ("g", "http://a/b/c/g#f"),
            ("../g", "http://a/b/g#f"),
            ("../../../g", "http://a/g#f"),
            ("?y", "http://a/b/c/d?y#f"),
            ("//h/g", "http://h/g#f"),
            ("#s", "http://a/b/c/d?q#s"),
            ("", "http://a/b/c/d?q#f"),
            ("HTTP://h:80/x", "http://h/x#f"),
            ("http://u:p@h/", "http://h/#f"),
            ("a b\u{e9}", "http://a/b/c/a%20b%C3%A9#f"),
            ("x%2Fy", "http://a/b/c/x%2Fy#f"),
            ("p|q^r[s]?`t{w}\"<>#`", "http://a/b/c/p%7Cq%5Er%5Bs%5D?%60t%7Bw%7D%22%3C%3E#%60"),
            ("x\\y?z\\", "http://a/b/c/x%5Cy?z%5C#f"),
            ("//[::1]:80/[x]", "http://[::1]/%5Bx%5D#f"),
        ];
        for (location, want) in cases {
            assert_eq!(resolve_location(&base, location.as_bytes()).unwrap().as_str(), want, "{location:?}");
        }
        let bad = ["http:evil", "http:///evil", "ftp://h/", "javascript:x", "//", "/\\h", "\\\\h", "//a\\b", "a\tb"];
        for location in bad {
            assert!(resolve_location(&base, location.as_bytes()).is_err(), "{location:?}");
        }
    }
}
