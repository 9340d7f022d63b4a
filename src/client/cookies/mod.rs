//! Cookies: the interface of a jar, and the jar that is there already (RFC 6265bis).
//!
//! A client asks its jar for each head that it sends, and gives it each `Set-Cookie` that it receives;
//! what the jar does with them is not known to the client. [`CookieStore`] has the lock and the clock:
//! what a cookie may do is decided in `storage`, which are sent in `jar`.

mod file;
mod jar;
mod matching;
mod storage;

use std::fmt;
use std::io::{self, BufRead, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use url::Url;

use crate::client::cookies::jar::Jar;
use crate::client::cookies::storage::Origin;
use crate::cookie::Cookie;
use crate::error::{Error, ErrorKind, Result};
use crate::headers::{Headers, TrimOws};
use crate::uri::IntoUrl;
use crate::uri::sealed::Sealed;

/// What a client keeps its cookies in: see [`ClientBuilder::cookie_jar`](crate::ClientBuilder::cookie_jar).
///
/// [`CookieStore`] is the one to use, unless cookies come from elsewhere or are kept elsewhere. Both
/// methods are called on the request's thread, which waits for them; a jar that is shared by several
/// clients or threads must expect several calls at once.
///
/// ```
/// use longwire::{Client, CookieJar, Url};
///
/// /// Sends the same session to one host, and keeps nothing.
/// struct Session(&'static str);
///
/// impl CookieJar for Session {
///     fn cookies(&self, url: &Url) -> Option<Vec<u8>> {
///         (url.host_str() == Some("example.com")).then(|| format!("session={}", self.0).into())
///     }
///
///     fn store(&self, _: &Url, _: &[u8]) {}
/// }
///
/// let client = Client::builder().cookie_jar(Session("s3cret")).build();
/// # drop(client);
/// ```
pub trait CookieJar: Send + Sync {
    /// Returns the cookies for a request to `url`, as they stand in a `Cookie` field: `a=1; b=2`. `None`
    /// if there are none.
    ///
    /// It is called for each hop and each retry anew, before a connection is taken. A value with bytes
    /// that no field may have fails the request, with [`ErrorKind::InvalidRequest`].
    fn cookies(&self, url: &Url) -> Option<Vec<u8>>;

    /// Stores a cookie that the server of `url` has sent: the value of one `Set-Cookie` field.
    ///
    /// It is called for each such field of a final response, redirects among them, as soon as the head is
    /// there. The bytes are what the server sent, well formed or not.
    fn store(&self, url: &Url, set_cookie: &[u8]);
}

impl<T: CookieJar + ?Sized> CookieJar for Arc<T> {
    fn cookies(&self, url: &Url) -> Option<Vec<u8>> {
        (**self).cookies(url)
    }

    fn store(&self, url: &Url, set_cookie: &[u8]) {
        (**self).store(url, set_cookie);
    }
}

impl<T: CookieJar + ?Sized> CookieJar for Box<T> {
    fn cookies(&self, url: &Url) -> Option<Vec<u8>> {
        (**self).cookies(url)
    }

    fn store(&self, url: &Url, set_cookie: &[u8]) {
        (**self).store(url, set_cookie);
    }
}

/// A cookie jar in memory, by the rules of RFC 6265bis; it can be written to a file and read from one.
///
/// Clones are cheap and are the same store: give one to a client, and keep one.
///
/// ```no_run
/// use longwire::{Client, CookieStore};
///
/// let store = CookieStore::new();
/// let client = Client::builder().cookie_jar(store.clone()).build();
/// let login = [("user", "me"), ("password", "secret")];
/// client.post("http://example.com/login").form(&login).send()?.error_for_status()?;
/// let page = client.get("http://example.com/home").send()?.text()?;
/// # Ok::<(), longwire::Error>(())
/// ```
///
/// # Rules
///
/// * Each `Set-Cookie` is read by itself, as browsers do: quotes, commas, blanks, `=` and bytes over 0x7F
///   in a value are kept, and so are cookies without a name. Control characters are refused.
/// * `Domain` must cover the host that sets it. An IP address, a name of one label (`localhost`) and a
///   public suffix have only cookies of their own; which suffixes are public is for
///   [`public_suffixes`](CookieStore::public_suffixes) to say, and without it those of one label (`com`).
/// * A `Secure` cookie is sent by https, and by http to this machine (`localhost`, the names below it, and
///   loopback addresses; also where a proxy that was set by hand, `resolve_to` or a connector takes it to
///   another). Only these may set it, and http to another host may not replace it.
/// * A name that begins with `__Secure-` or `__Host-`, in any case, is refused without what it promises.
/// * `Max-Age` comes before `Expires`, and no cookie lives for more than 400 days.
/// * Cookies with the longest path are sent first, and of these the oldest.
/// * `HttpOnly` and `SameSite` are kept, and have no effect.
///
/// # Limits
///
/// Name and value of a cookie have at most 4,096 bytes together, or it is refused; an attribute of more
/// than 1,024 bytes is ignored. There are at most 50 cookies for one domain, and 3,000 in all: beyond,
/// expired ones go first, then the least recently used, within a domain those without `Secure` before
/// those with it.
#[doc(alias("RequestsCookieJar", "MozillaCookieJar"))]
#[derive(Clone, Default)]
pub struct CookieStore(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    jar: Jar,
    is_public_suffix: Option<Arc<IsPublicSuffix>>,
}

type IsPublicSuffix = dyn Fn(&str) -> bool + Send + Sync;

impl CookieStore {
    /// Creates an empty store.
    pub fn new() -> CookieStore {
        CookieStore::default()
    }

    /// Sets the function that says whether a domain is a public suffix, under which anybody may register a
    /// name, as `co.uk`: no cookie is taken for all the names below it. The last one set counts, for all
    /// clones.
    ///
    /// It is given the `Domain` of a cookie in lower case, without dots at its ends. Without it only
    /// domains of one label, such as `com`, are public suffixes; they are so in any case. So without it a
    /// server below `co.uk` may set cookies for all others there: set it if a client visits servers that
    /// do not trust each other. With the crate `psl`:
    ///
    /// ```text
    /// CookieStore::new().public_suffixes(|domain| psl::suffix_str(domain) == Some(domain))
    /// ```
    ///
    /// ```
    /// use longwire::CookieStore;
    ///
    /// let store = CookieStore::new().public_suffixes(|domain| domain == "co.uk");
    /// assert!(store.insert("https://evil.co.uk/", "a=b; Domain=co.uk").is_err());
    /// ```
    #[doc(alias = "PublicSuffixList")]
    #[must_use]
    pub fn public_suffixes(self, is_public_suffix: impl Fn(&str) -> bool + Send + Sync + 'static) -> CookieStore {
        let before = self.lock().is_public_suffix.replace(Arc::new(is_public_suffix));
        drop(before); // without the lock: what it holds may be the caller's
        self
    }

    /// Inserts a cookie as if the server of `url` had sent it, in the form of `Set-Cookie`: `a=b` or
    /// `a=b; Path=/; Domain=example.com`. It replaces the one with the same name, domain and path; with
    /// an end in the past it removes that one.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if the server could not set it, with the rule that it breaks; and
    /// those of an invalid URL.
    ///
    /// ```
    /// use longwire::CookieStore;
    ///
    /// let store = CookieStore::new();
    /// store.insert("https://example.com/", "session=s3cret; Secure; Path=/")?;
    /// let error = store.insert("https://example.com/", "a=b; Domain=example.org").unwrap_err();
    /// assert_eq!(error.to_string(), "Set-Cookie: its Domain does not cover the host (https://example.com/)");
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn insert(&self, url: impl IntoUrl, set_cookie: impl AsRef<[u8]>) -> Result<()> {
        let url = Sealed::into_url(url)?;
        self.try_store(&url, set_cookie.as_ref()).map_err(|why| {
            let refused = Error::new(ErrorKind::InvalidRequest, format!("Set-Cookie: {why}"));
            refused.with_url(&url)
        })
    }

    /// Removes the cookies with this name that `url` would be sent, and returns how many there were.
    ///
    /// # Errors
    /// Those of an invalid URL.
    ///
    /// ```
    /// use longwire::CookieStore;
    ///
    /// let store = CookieStore::new();
    /// store.insert("http://example.com/", "a=b")?;
    /// assert_eq!(store.remove("http://example.com/", "a")?, 1);
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn remove(&self, url: impl IntoUrl, name: impl AsRef<[u8]>) -> Result<usize> {
        let url = Sealed::into_url(url)?;
        Ok(self.lock().jar.remove(&Origin::of(&url), name.as_ref(), now()))
    }

    /// Removes all cookies.
    pub fn clear(&self) {
        self.lock().jar.clear();
    }

    /// Returns an iterator over the cookies that are stored now, oldest first, without those that have
    /// expired. What is stored or removed later does not change it.
    pub fn iter(&self) -> impl Iterator<Item = Cookie> + use<> {
        self.lock().jar.live(now()).into_iter()
    }

    /// Adds the cookies of a file in Netscape's form (`cookies.txt`), as curl, wget, yt-dlp and extensions
    /// of browsers write it. They replace those with the same name, domain and path.
    ///
    /// The file is taken at its word about its domains, names and paths. Expired cookies are left out, and
    /// the limits of the store apply.
    ///
    /// # Errors
    /// Those of the reader; and [`InvalidData`](io::ErrorKind::InvalidData) for a line of more than 8 KiB,
    /// and for one that is no cookie, no comment and not empty, with its number but without its text,
    /// which may be a secret. Then nothing is added.
    ///
    /// ```
    /// use longwire::CookieStore;
    ///
    /// let file = "# Netscape HTTP Cookie File\n.example.com\tTRUE\t/\tFALSE\t0\tlang\ten\n";
    /// let store = CookieStore::new();
    /// store.read_from(file.as_bytes())?;
    /// assert_eq!(store.iter().next().unwrap().value(), b"en");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "--cookie")]
    pub fn read_from(&self, reader: impl BufRead) -> io::Result<()> {
        let now = now();
        let read = file::read(reader, now)?;
        self.lock().jar.merge(read, now);
        Ok(())
    }

    /// Writes the cookies in Netscape's form (`cookies.txt`), which [`read_from`](CookieStore::read_from),
    /// curl (`-b`), wget (`--load-cookies`), yt-dlp and Python's `MozillaCookieJar` read.
    ///
    /// Cookies of the session are among them, with an end of 0 (which Python's reads with
    /// `ignore_expires=True`). The form has no place for `SameSite`, nor
    /// for a tab: a cookie with one in its name, value or path is left out. The file holds passwords, in
    /// effect: let only its owner read it.
    ///
    /// # Errors
    /// Those of the writer.
    ///
    /// ```
    /// use longwire::CookieStore;
    ///
    /// let store = CookieStore::new();
    /// store.insert("https://example.com/", "id=7; Secure; HttpOnly; Path=/")?;
    /// let mut file = Vec::new();
    /// store.write_to(&mut file)?;
    /// assert!(file.ends_with(b"#HttpOnly_example.com\tFALSE\t/\tTRUE\t0\tid\t7\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "--cookie-jar")]
    pub fn write_to(&self, mut writer: impl Write) -> io::Result<()> {
        let text = file::text_of(self.iter()); // the lock is free while the writer writes
        writer.write_all(&text)?;
        writer.flush()
    }

    fn try_store(&self, url: &Url, set_cookie: &[u8]) -> Result<(), &'static str> {
        let is_public_suffix = self.lock().is_public_suffix.clone(); // called without the lock
        let is_public = |domain: &str| is_public_suffix.as_ref().is_some_and(|is_public| is_public(domain));
        let (origin, now) = (Origin::of(url), now());
        let cookie = storage::cookie_of(&origin, set_cookie, is_public, now)?;
        self.lock().jar.store(cookie, &origin, now)
    }

    /// No code of the caller's runs under the lock, and no change of the jar is left half done: a jar
    /// whose lock is poisoned is as good as before.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CookieJar for CookieStore {
    fn cookies(&self, url: &Url) -> Option<Vec<u8>> {
        self.lock().jar.cookies(&Origin::of(url), now())
    }

    fn store(&self, url: &Url, set_cookie: &[u8]) {
        // A cookie that is refused is none: the response is as good without it.
        let _ = self.try_store(url, set_cookie);
    }
}

impl fmt::Debug for CookieStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.iter().map(|cookie| format!("{}=***", cookie.name().escape_ascii()));
        f.debug_struct("CookieStore").field("cookies", &shown.collect::<Vec<_>>()).finish()
    }
}

/// Seconds since 1970; a clock that is before is at 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX / 2)
}

/// A jar as the client uses it: through a vtable, so that a program without a jar has no code for one.
pub(crate) trait HeadCookies: Send + Sync {
    /// Stores the cookies of a final response from `url`.
    fn store_from(&self, url: &Url, headers: &Headers);

    /// Sets the `Cookie` field of a hop: the caller's cookies and the jar's in one (RFC 6265bis §5.8.1). A
    /// cookie of the caller's replaces those of its name in the jar. `own` are the request's fields, and
    /// `fields` those of the hop, where some of the caller's may be already.
    fn set_in(&self, fields: &mut Headers, url: &Url, own: &Headers) -> Result<()>;
}

impl<J: CookieJar> HeadCookies for J {
    fn store_from(&self, url: &Url, headers: &Headers) {
        headers.get_all("set-cookie").for_each(|set_cookie| self.store(url, set_cookie));
    }

    fn set_in(&self, fields: &mut Headers, url: &Url, own: &Headers) -> Result<()> {
        set_cookies(self, url, own, fields)
    }
}

fn set_cookies(jar: &dyn CookieJar, url: &Url, own: &Headers, fields: &mut Headers) -> Result<()> {
    let Some(stored) = jar.cookies(url).filter(|stored| !stored.is_empty()) else { return Ok(()) };
    if !own.contains("cookie") && !fields.contains("cookie") {
        return fields.append("Cookie", stored);
    }
    // What the hop has replaces what the request has.
    let holder = if fields.contains("cookie") { &*fields } else { own };
    let own: Vec<&[u8]> = holder.get_all("cookie").flat_map(pairs).collect();
    let is_own = |pair: &[u8]| own.iter().any(|own| name_of(own) == name_of(pair));
    let stored = pairs(&stored).filter(|pair| !is_own(pair));
    let merged = own.iter().copied().chain(stored).collect::<Vec<_>>().join(&b"; "[..]);
    fields.insert("Cookie", merged)
}

/// The cookies of a `Cookie` field.
fn pairs(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    field.split(|byte| *byte == b';').map(|pair| pair.trim_ows()).filter(|pair| !pair.is_empty())
}

/// The name before the `=`; empty without one.
fn name_of(pair: &[u8]) -> &[u8] {
    let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(0);
    pair[..end].trim_ows()
}
