//! Which hosts and paths belong to each other (RFC 6265bis §5.1.3, §5.1.4).
//!
//! Hosts are as in a parsed URL: in lower case, punycode, addresses in their one notation. What a cookie
//! is, is not known here.

use std::net::IpAddr;

use crate::wire::set_cookie::ATTRIBUTE_BYTES_MAX;

/// Bytes that a path may have: those of the attribute that sets it.
pub(super) const PATH_BYTES_MAX: usize = ATTRIBUTE_BYTES_MAX;

/// Bytes that a domain may have: those of a name in the DNS (RFC 1035 §2.3.4).
pub(super) const DOMAIN_BYTES_MAX: usize = 255;

/// Returns whether `host` is `domain` or a name below it (§5.1.3). Only names have names below them.
pub(super) fn domain_matches(host: &str, domain: &str) -> bool {
    match host.strip_suffix(domain) {
        Some("") => true,
        Some(below) => below.ends_with('.') && !is_address(host),
        None => false,
    }
}

/// Returns whether nobody but the host itself may have cookies for this domain whatever list there is: it
/// is an address, or has one label, with or without a dot at the end.
pub(super) fn has_one_label(domain: &str) -> bool {
    let name = domain.strip_suffix('.').unwrap_or(domain);
    !name.contains('.') || is_address(domain)
}

fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

/// Returns whether a request for `path` is one for what is at or below `cookie_path` (§5.1.4).
pub(super) fn path_matches(path: &[u8], cookie_path: &[u8]) -> bool {
    match path.strip_prefix(cookie_path) {
        Some(below) => below.is_empty() || below.starts_with(b"/") || cookie_path.ends_with(b"/"),
        None => false,
    }
}

/// Returns the path of cookies that name none: that of the URL, up to its last slash (§5.1.4), or, where
/// that is longer than a path may be, to an earlier one.
pub(super) fn default_path(path: &str) -> &str {
    let start = path.get(..=PATH_BYTES_MAX).unwrap_or(path); // a URL's path is ASCII
    match start.rfind('/') {
        Some(0) | None => "/",
        Some(end) => &path[..end],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_covers_itself_and_the_names_below_it() {
        for (host, domain) in [
            ("a.example", "a.example"),
            ("b.a.example", "a.example"),
            ("c.b.a.example", "a.example"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("a.example.", "example."),
        ] {
            assert!(domain_matches(host, domain), "{host} {domain}");
        }
        for (host, domain) in [
            ("ba.example", "a.example"),
            ("a.example", "b.a.example"),
            ("example", "a.example"),
            ("a.example.", "a.example"),
            ("a.example", "a.example."),
            ("1.2.3.4", "3.4"),
            ("1.2.3.4", "4"),
            ("a.example", "A.example"),
            ("a.example", ".example"),
        ] {
            assert!(!domain_matches(host, domain), "{host} {domain}");
        }
    }

    #[test]
    fn one_label_and_an_address_have_nothing_below_them() {
        for domain in ["localhost", "com", "com.", "127.0.0.1", "::1", ""] {
            assert!(has_one_label(domain), "{domain}");
        }
        for domain in ["a.b", "co.uk", "co.uk.", "1.2.3.4.example", "com.."] {
            assert!(!has_one_label(domain), "{domain}");
        }
    }

    #[test]
    fn a_path_covers_itself_and_what_is_below_it() {
        for (path, cookie_path) in
            [("/", "/"), ("/a", "/"), ("/a", "/a"), ("/a/", "/a"), ("/a/b", "/a"), ("/a/b", "/a/"), ("/a//b", "/a/")]
        {
            assert!(path_matches(path.as_bytes(), cookie_path.as_bytes()), "{path} {cookie_path}");
        }
        for (path, cookie_path) in [("/", "/a"), ("/ab", "/a"), ("/a", "/a/"), ("/A", "/a"), ("/a", "/a?")] {
            assert!(!path_matches(path.as_bytes(), cookie_path.as_bytes()), "{path} {cookie_path}");
        }
    }

    #[test]
    fn the_default_path_ends_before_the_last_slash() {
        for (path, want) in [("/", "/"), ("/a", "/"), ("/a/", "/a"), ("/a/b", "/a"), ("/a/b/", "/a/b"), ("", "/")] {
            assert_eq!(default_path(path), want, "{path}");
        }
        let segment = |bytes: usize| format!("/{}", "p".repeat(bytes - 1));
        let longest = segment(PATH_BYTES_MAX);
        assert_eq!(default_path(&format!("{longest}/x")), longest);
        assert_eq!(default_path(&format!("{}/x", segment(PATH_BYTES_MAX + 1))), "/");
        assert_eq!(default_path(&format!("/a{longest}/x")), "/a");
    }
}
