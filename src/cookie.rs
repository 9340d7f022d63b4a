//! A cookie as a value: what a [`CookieStore`](crate::CookieStore) keeps of it.
//!
//! Where it came from and where it is sent is not decided here.

use std::fmt;
use std::time::{Duration, SystemTime};

/// A cookie of a [`CookieStore`](crate::CookieStore), as [`CookieStore::iter`](crate::CookieStore::iter)
/// lists it.
///
/// Name, value and path are bytes, since servers send any. `Debug` does not show the value.
///
/// ```
/// use longwire::CookieStore;
///
/// let store = CookieStore::new();
/// store.insert("http://example.com/", "lang=en; Path=/docs; Domain=example.com")?;
/// let cookie = store.iter().next().unwrap();
/// assert_eq!((cookie.name(), cookie.value()), (&b"lang"[..], &b"en"[..]));
/// assert_eq!((cookie.domain(), cookie.path()), ("example.com", &b"/docs"[..]));
/// assert_eq!(cookie.expires(), None); // until the end of the session
/// # Ok::<(), longwire::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie {
    pub(crate) name: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// In lower case, without a leading dot; an IPv6 address without brackets.
    pub(crate) domain: String,
    pub(crate) path: Vec<u8>,
    /// Seconds since 1970; `None` for a cookie of the session.
    pub(crate) expires: Option<i64>,
    pub(crate) is_host_only: bool,
    pub(crate) is_secure: bool,
    pub(crate) is_http_only: bool,
    pub(crate) same_site: Option<SameSite>,
}

/// The attribute `SameSite` of a [`Cookie`]: which requests of a browser it is for.
///
/// It has no effect here: a program sends its requests on its own behalf, and not on that of a page.
///
/// ```
/// use longwire::{CookieStore, SameSite};
///
/// let store = CookieStore::new();
/// store.insert("http://example.com/", "a=b; SameSite=Lax")?;
/// assert_eq!(store.iter().next().unwrap().same_site(), Some(SameSite::Lax));
/// # Ok::<(), longwire::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SameSite {
    /// Only requests that a page of the same site makes.
    Strict,
    /// These, and the navigation to a page of the site.
    Lax,
    /// All requests.
    None,
}

impl Cookie {
    /// Returns the name; empty for a cookie without one.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Returns the value as the server sent it, with its quotes if it has any.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Returns the host that the cookie is sent to, in lower case, without a leading dot; an IPv6 address
    /// without brackets. Unless it is [host-only](Cookie::is_host_only), the names below it are sent the
    /// cookie, too.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Returns whether the cookie is for its one host, and not for the names below it: it was set
    /// without `Domain`.
    pub fn is_host_only(&self) -> bool {
        self.is_host_only
    }

    /// Returns the path, with what is below it, that the cookie is sent to. It begins with `/`.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// Returns when the cookie expires, in whole seconds; `None` for a cookie of the session, which lives
    /// as long as its store.
    pub fn expires(&self) -> Option<SystemTime> {
        let seconds = u64::try_from(self.expires?).unwrap_or_default();
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }

    /// Returns whether the cookie is sent by https alone, and by http to this machine.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Returns whether the cookie has the attribute `HttpOnly`, which hides it from a browser's scripts
    /// and has no effect here.
    pub fn is_http_only(&self) -> bool {
        self.is_http_only
    }

    /// Returns the attribute `SameSite`; `None` if it is missing, or has another value.
    pub fn same_site(&self) -> Option<SameSite> {
        self.same_site
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie")
            .field("name", &format_args!("{}", self.name.escape_ascii()))
            .field("value", &format_args!("***"))
            .field("domain", &self.domain)
            .field("is_host_only", &self.is_host_only)
            .field("path", &format_args!("{}", self.path.escape_ascii()))
            .field("expires", &self.expires)
            .field("is_secure", &self.is_secure)
            .field("is_http_only", &self.is_http_only)
            .field("same_site", &self.same_site)
            .finish()
    }
}
