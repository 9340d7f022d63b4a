//! What a host may set: from a `Set-Cookie` field and the URL it came from to a cookie, in the order of
//! RFC 6265bis §5.7.
//!
//! Which cookies are there already is not known here: the steps that ask for them are in `jar`.

use url::Url;

use crate::client::cookies::matching::{DOMAIN_BYTES_MAX, default_path, domain_matches, has_one_label};
use crate::client::proxy::is_this_machine;
use crate::cookie::Cookie;
use crate::uri;
use crate::wire::set_cookie::{End, LIFETIME_SECONDS_MAX, SetCookie};

/// Where a cookie comes from, or is sent to.
pub(super) struct Origin<'u> {
    /// In lower case; an IPv6 address without brackets.
    pub(super) host: &'u str,
    pub(super) path: &'u str,
    /// Secure cookies may go there, and come from there: https, and this machine.
    pub(super) is_secure: bool,
}

impl Origin<'_> {
    pub(super) fn of(url: &Url) -> Origin<'_> {
        let is_secure = url.scheme() == "https" || is_this_machine(url);
        Origin { host: uri::bare_host(url), path: url.path(), is_secure }
    }
}

/// Returns the cookie that the field sets at `now`, or why that host may not set it.
pub(super) fn cookie_of(
    origin: &Origin<'_>,
    field: &[u8],
    is_public_suffix: impl Fn(&str) -> bool,
    now: i64,
) -> Result<Cookie, &'static str> {
    let set = SetCookie::parse(field)?; // steps 1 to 5
    if origin.host.is_empty() {
        return Err("its URL has no host");
    }
    if origin.host.len() > DOMAIN_BYTES_MAX {
        return Err("its host has more than 255 bytes");
    }
    let expires = expiry(set.end, now); // step 6
    let domain = set.domain.map(|domain| text_of_domain(domain, origin)).transpose()?; // steps 7 and 8
    let domain = match domain {
        Some(domain) => covering(domain, origin, is_public_suffix)?, // steps 9 and 10
        None => None,
    };
    let path = set.path.unwrap_or(default_path(origin.path).as_bytes()); // step 11
    if set.is_secure && !origin.is_secure {
        return Err("it is Secure, and the URL is not https"); // step 13
    }
    check_prefix(&set, domain.is_some())?; // steps 20 to 22
    Ok(Cookie {
        name: set.name.to_vec(),
        value: set.value.to_vec(),
        is_host_only: domain.is_none(),
        domain: domain.unwrap_or_else(|| origin.host.to_owned()),
        path: path.to_vec(),
        expires,
        is_secure: set.is_secure,
        is_http_only: set.is_http_only,
        same_site: set.same_site,
    })
}

/// When the cookie expires, in seconds since 1970.
fn expiry(end: End, now: i64) -> Option<i64> {
    match end {
        End::Session => None,
        End::After(seconds) => Some(now.saturating_add(seconds)),
        End::At(time) => Some(latest(time, now)),
    }
}

/// Brings a time forward that is later than a cookie may live.
pub(super) fn latest(time: i64, now: i64) -> i64 {
    time.min(now.saturating_add(LIFETIME_SECONDS_MAX))
}

/// The attribute `Domain` in the form that hosts have.
fn text_of_domain(domain: &[u8], origin: &Origin<'_>) -> Result<String, &'static str> {
    let inner = domain.strip_prefix(b"[").and_then(|inner| inner.strip_suffix(b"]"));
    let domain = inner.filter(|_| origin.host.contains(':')).unwrap_or(domain);
    match std::str::from_utf8(domain) {
        Ok(text) if text.is_ascii() => Ok(text.to_ascii_lowercase()),
        _ => Err("its Domain is not ASCII"),
    }
}

/// Returns the domain if the cookie is for all names below it, and `None` if it is for the host alone.
fn covering(
    domain: String,
    origin: &Origin<'_>,
    is_public_suffix: impl Fn(&str) -> bool,
) -> Result<Option<String>, &'static str> {
    let is_public = has_one_label(&domain) || is_public_suffix(domain.trim_matches('.'));
    match (is_public, domain == origin.host) {
        (true, true) => Ok(None),
        (true, false) => Err("its Domain is a public suffix, or has one label"),
        (false, _) if domain_matches(origin.host, &domain) => Ok(Some(domain)),
        (false, _) => Err("its Domain does not cover the host"),
    }
}

/// A name with a prefix promises the server what else holds of the cookie (§5.4). A cookie without a
/// name may not look like one that has such a name.
fn check_prefix(set: &SetCookie<'_>, has_domain: bool) -> Result<(), &'static str> {
    let starts =
        |text: &[u8], prefix: &[u8]| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    let (secure, host) = (&b"__Secure-"[..], &b"__Host-"[..]);
    if set.name.is_empty() && (starts(set.value, secure) || starts(set.value, host)) {
        return Err("it has no name, and its value begins with __Secure- or __Host-");
    }
    if starts(set.name, secure) && !set.is_secure {
        return Err("its name begins with __Secure-, and it is not Secure");
    }
    if starts(set.name, host) && (!set.is_secure || has_domain || set.path != Some(b"/")) {
        return Err("its name begins with __Host-, and it is not Secure, for the host alone and with Path=/");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn set(url: &str, field: &str) -> Result<Cookie, &'static str> {
        cookie_of(&Origin::of(&Url::parse(url).unwrap()), field.as_bytes(), |domain| domain == "co.uk", NOW)
    }

    /// The domain, with a dot in front if it covers the names below it, or the reason.
    fn domain(url: &str, field: &str) -> String {
        match set(url, field) {
            Ok(cookie) if cookie.is_host_only => cookie.domain,
            Ok(cookie) => format!(".{}", cookie.domain),
            Err(why) => why.to_owned(),
        }
    }

    #[test]
    fn a_domain_must_cover_the_host() {
        let uncovered = "its Domain does not cover the host";
        for (url, field, want) in [
            ("http://b.a.example/", "a=b", "b.a.example"),
            ("http://b.a.example/", "a=b; Domain=", "b.a.example"),
            ("http://b.a.example/", "a=b; Domain=.", "b.a.example"),
            ("http://b.a.example/", "a=b; Domain=b.a.example", ".b.a.example"),
            ("http://b.a.example/", "a=b; Domain=.A.Example", ".a.example"),
            ("http://b.a.example/", "a=b; Domain=c.b.a.example", uncovered),
            ("http://b.a.example/", "a=b; Domain=c.a.example", uncovered),
            ("http://b.a.example/", "a=b; Domain=a.example.", uncovered),
            ("http://b.a.example/", "a=b; Domain=..a.example", uncovered),
            ("http://b.a.example/", "a=b; Domain=a.example:80", uncovered),
            ("http://b.a.example/", "a=b; Domain=\"a.example\"", uncovered),
            ("http://b.a.example./", "a=b; Domain=a.example", uncovered),
            ("http://b.a.example./", "a=b; Domain=a.example.", ".a.example."),
            ("http://b\u{fc}cher.example/", "a=b; Domain=xn--bcher-kva.example", ".xn--bcher-kva.example"),
            ("http://b\u{fc}cher.example/", "a=b; Domain=b\u{fc}cher.example", "its Domain is not ASCII"),
        ] {
            assert_eq!(domain(url, field), want, "{url} {field}");
        }
    }

    #[test]
    fn a_host_has_at_most_255_bytes() {
        let url = |bytes: usize| format!("http://{}.example/", "a".repeat(bytes - ".example".len()));
        assert!(set(&url(255), "a=b").is_ok());
        assert_eq!(set(&url(256), "a=b"), Err("its host has more than 255 bytes"));
    }

    #[test]
    fn what_anybody_may_have_names_below_is_no_domain_for_cookies() {
        let public = "its Domain is a public suffix, or has one label";
        for (url, field, want) in [
            ("http://a.example/", "a=b; Domain=example", public),
            ("http://a.example./", "a=b; Domain=example.", public),
            ("http://a.example./", "a=b; Domain=.", "a.example."),
            ("http://localhost/", "a=b; Domain=localhost", "localhost"),
            ("http://a.localhost/", "a=b; Domain=localhost", public),
            ("http://127.0.0.1/", "a=b; Domain=127.0.0.1", "127.0.0.1"),
            ("http://127.0.0.1/", "a=b; Domain=0.0.1", "its Domain does not cover the host"),
            ("http://[::1]/", "a=b; Domain=[::1]", "::1"),
            ("http://[::1]/", "a=b; Domain=::1", "::1"),
            ("http://[::1]/", "a=b", "::1"),
            ("http://a.co.uk/", "a=b; Domain=co.uk", public),
            ("http://a.co.uk./", "a=b; Domain=co.uk.", public),
            ("http://a.co.uk/", "a=b; Domain=a.co.uk", ".a.co.uk"),
            ("http://co.uk/", "a=b; Domain=co.uk", "co.uk"),
        ] {
            assert_eq!(domain(url, field), want, "{url} {field}");
        }
    }

    #[test]
    fn only_https_and_this_machine_set_secure_cookies() {
        for url in [
            "https://a.example/",
            "http://localhost:8080/",
            "http://a.localhost/",
            "http://127.0.0.1/",
            "http://127.9.9.9/",
            "http://[::1]/",
        ] {
            assert!(set(url, "a=b; Secure").is_ok_and(|cookie| cookie.is_secure), "{url}");
        }
        for url in
            ["http://a.example/", "http://127.0.0.1.evil.com/", "http://localhost.evil.com/", "http://128.0.0.1/"]
        {
            assert!(set(url, "a=b; Secure").is_err() && set(url, "a=b").is_ok(), "{url}");
        }
    }

    #[test]
    fn a_prefix_holds_what_it_promises_in_any_case() {
        for (field, ok) in [
            ("__Secure-a=b; Secure", true),
            ("__Secure-a=b; Secure; Domain=a.example; Path=/x", true),
            ("__Secure-a=b", false),
            ("__sEcUrE-a=b", false),
            ("__Host-a=b; Secure; Path=/", true),
            ("__Host-a=b; Secure", false),
            ("__Host-a=b; Path=/", false),
            ("__HOST-a=b; Secure; Path=/x", false),
            ("__Host-a=b; Secure; Path=/; Domain=a.example", false),
            ("__Host-a=b; Secure; Path=/; Domain=", true),
            ("=__Host-a=b; Secure; Path=/", false),
            ("__secure-a; Secure; Path=/", false),
            ("__Hosta=b", true),
            ("__Secur=b", true),
        ] {
            assert_eq!(set("https://a.example/x/y", field).is_ok(), ok, "{field}");
        }
        assert!(set("http://localhost/", "__Host-a=b; Secure; Path=/; Domain=localhost").is_ok(), "for the host alone");
    }

    #[test]
    fn the_path_is_the_default_path_where_none_is_given() {
        for (field, want) in [("a=b", "/x"), ("a=b; Path", "/x"), ("a=b; Path=y", "/x"), ("a=b; Path=/z/", "/z/")] {
            assert_eq!(set("http://a.example/x/y?/q/", field).unwrap().path, want.as_bytes(), "{field}");
        }
    }

    #[test]
    fn no_cookie_lives_longer_than_400_days() {
        let most = NOW + 400 * 86_400;
        for (field, want) in [
            ("a=b", None),
            ("a=b; Max-Age=60", Some(NOW + 60)),
            ("a=b; Max-Age=-60", Some(NOW)),
            ("a=b; Max-Age=34560001", Some(most)),
            ("a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("a=b; Expires=Fri, 31 Dec 9999 23:59:59 GMT", Some(most)),
        ] {
            assert_eq!(set("http://a.example/", field).unwrap().expires, want, "{field}");
        }
    }
}
