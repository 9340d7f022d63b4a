//! The cookies that are stored: which are replaced, which are sent, and which go when there are too many
//! (RFC 6265bis §5.7, §5.8.3).
//!
//! Time is an argument. Age and use are an order, not times: two cookies of the same second differ in
//! them, and a clock that is set back changes nothing.

use std::cmp::Reverse;

use crate::client::cookies::matching::{domain_matches, path_matches};
use crate::client::cookies::storage::Origin;
use crate::cookie::Cookie;

/// Cookies of one domain, and in all: what RFC 6265bis §5.7 proposes. They bound the memory, and the field
/// that a server is sent.
pub(super) const PER_DOMAIN_MAX: usize = 50;
pub(super) const COOKIES_MAX: usize = 3000;

#[derive(Default)]
pub(super) struct Jar {
    /// Oldest first.
    entries: Vec<Entry>,
    /// How often a cookie was stored or sent.
    uses: u64,
}

struct Entry {
    cookie: Cookie,
    /// What `uses` was at the last one: the lower, the longer ago.
    used: u64,
}

impl Entry {
    /// Whether a request to that origin is sent the cookie (§5.8.3 step 1).
    fn goes_to(&self, origin: &Origin<'_>, now: i64) -> bool {
        let cookie = &self.cookie;
        let is_for_host = match cookie.is_host_only {
            true => origin.host == cookie.domain,
            false => domain_matches(origin.host, &cookie.domain),
        };
        is_for_host
            && path_matches(origin.path.as_bytes(), &cookie.path)
            && (origin.is_secure || !cookie.is_secure)
            && !is_expired(cookie, now)
    }
}

fn is_expired(cookie: &Cookie, now: i64) -> bool {
    cookie.expires.is_some_and(|expires| expires <= now)
}

/// The name that a server reads from the `Cookie` field: a cookie without a name, and with the value `a=b`, is
/// sent as one called `a`.
fn name_as_sent(cookie: &Cookie) -> &[u8] {
    match cookie.value.iter().position(|byte| *byte == b'=') {
        Some(end) if cookie.name.is_empty() => &cookie.value[..end],
        _ => &cookie.name,
    }
}

impl Jar {
    /// Stores a cookie that came from there, unless it would overlay a Secure one (§5.7 step 16).
    pub(super) fn store(&mut self, cookie: Cookie, origin: &Origin<'_>, now: i64) -> Result<(), &'static str> {
        self.remove_expired(now);
        let overlays = |entry: &Entry| {
            let old = &entry.cookie;
            old.is_secure
                && name_as_sent(old) == name_as_sent(&cookie)
                && (domain_matches(&old.domain, &cookie.domain) || domain_matches(&cookie.domain, &old.domain))
                && path_matches(&cookie.path, &old.path)
        };
        if !cookie.is_secure && !origin.is_secure && self.entries.iter().any(overlays) {
            return Err("it would replace a Secure cookie, and the URL is not https");
        }
        self.put(cookie, now);
        Ok(())
    }

    /// Puts a cookie, wherever it comes from, in the place of the one with the same name, domain and path,
    /// whose age it takes over (§5.7 step 23). One that has expired only removes that one.
    pub(super) fn put(&mut self, cookie: Cookie, now: i64) {
        let is_same = |entry: &Entry| {
            let old = &entry.cookie;
            (&old.name, &old.domain, &old.path) == (&cookie.name, &cookie.domain, &cookie.path)
                && old.is_host_only == cookie.is_host_only
        };
        let same = self.entries.iter().position(is_same);
        if is_expired(&cookie, now) {
            same.map(|index| self.entries.remove(index));
            return;
        }
        self.uses += 1;
        let entry = Entry { cookie, used: self.uses };
        match same {
            Some(index) => self.entries[index] = entry,
            None => {
                let domain = entry.cookie.domain.clone();
                self.entries.push(entry);
                self.remove_excess(&domain);
            }
        }
    }

    fn remove_expired(&mut self, now: i64) {
        self.entries.retain(|entry| !is_expired(&entry.cookie, now));
    }

    /// Removes what is too much for a domain, and in all, after one was added to that domain.
    fn remove_excess(&mut self, domain: &str) {
        if self.entries.iter().filter(|entry| entry.cookie.domain == domain).count() > PER_DOMAIN_MAX {
            // What anybody on the way may have set does not drive out what the server itself has.
            self.remove_least(|entry| (entry.cookie.domain != domain, entry.cookie.is_secure, entry.used));
        }
        if self.entries.len() > COOKIES_MAX {
            self.remove_least(|entry| entry.used);
        }
    }

    fn remove_least<K: Ord>(&mut self, rank: impl Fn(&Entry) -> K) {
        let least = (0..self.entries.len()).min_by_key(|index| rank(&self.entries[*index]));
        least.map(|index| self.entries.remove(index));
    }

    /// Returns the value of the `Cookie` field for a request to that origin (§5.8.3).
    pub(super) fn cookies(&mut self, origin: &Origin<'_>, now: i64) -> Option<Vec<u8>> {
        let mut sent: Vec<&mut Entry> = self.entries.iter_mut().filter(|entry| entry.goes_to(origin, now)).collect();
        if sent.is_empty() {
            return None;
        }
        sent.sort_by_key(|entry| Reverse(entry.cookie.path.len())); // stable: of these the oldest first
        let bytes = sent.iter().map(|entry| entry.cookie.name.len() + entry.cookie.value.len() + "=; ".len()).sum();
        let mut field = Vec::with_capacity(bytes);
        for entry in sent {
            self.uses += 1;
            entry.used = self.uses;
            if !field.is_empty() {
                field.extend_from_slice(b"; ");
            }
            if !entry.cookie.name.is_empty() {
                field.extend_from_slice(&entry.cookie.name);
                field.push(b'=');
            }
            field.extend_from_slice(&entry.cookie.value);
        }
        Some(field)
    }

    /// Removes the cookies with that name that a request to that origin would be sent. Returns their number.
    pub(super) fn remove(&mut self, origin: &Origin<'_>, name: &[u8], now: i64) -> usize {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.cookie.name != name || !entry.goes_to(origin, now));
        before - self.entries.len()
    }

    pub(super) fn clear(&mut self) {
        self.entries = Vec::new();
    }

    /// Returns copies of the cookies that have not expired, oldest first.
    pub(super) fn live(&self, now: i64) -> Vec<Cookie> {
        let live = self.entries.iter().filter(|entry| !is_expired(&entry.cookie, now));
        live.map(|entry| entry.cookie.clone()).collect()
    }

    /// Adds the cookies of another jar, oldest first.
    pub(super) fn merge(&mut self, other: Jar, now: i64) {
        self.remove_expired(now);
        other.entries.into_iter().for_each(|entry| self.put(entry.cookie, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::cookies::storage::cookie_of;
    use url::Url;

    const NOW: i64 = 1_800_000_000;

    impl Jar {
        fn set(&mut self, url: &str, field: &str, now: i64) -> Result<(), &'static str> {
            let url = Url::parse(url).unwrap();
            let origin = Origin::of(&url);
            let cookie = cookie_of(&origin, field.as_bytes(), |_| false, now)?;
            self.store(cookie, &origin, now)
        }

        fn sent_to(&mut self, url: &str, now: i64) -> String {
            let field = self.cookies(&Origin::of(&Url::parse(url).unwrap()), now).unwrap_or_default();
            String::from_utf8(field).unwrap()
        }
    }

    fn jar_of(fields: &[(&str, &str)]) -> Jar {
        let mut jar = Jar::default();
        for (url, field) in fields {
            jar.set(url, field, NOW).unwrap_or_else(|why| panic!("{url} {field}: {why}"));
        }
        jar
    }

    #[test]
    fn the_longest_path_comes_first_and_of_these_the_oldest() {
        let url = "http://a.example/x/y/z";
        let mut jar = jar_of(&[
            (url, "a=1; Path=/"),
            (url, "b=2; Path=/x/y"),
            (url, "c=3; Path=/x"),
            (url, "d=4; Path=/"),
            (url, "e=5; Path=/x/y"),
            (url, "a=6; Path=/"), // as old as the one that it replaces
            (url, "f"),
        ]);
        assert_eq!(jar.sent_to(url, NOW), "b=2; e=5; f; c=3; a=6; d=4");
        assert_eq!(jar.sent_to("http://a.example/x", NOW), "c=3; a=6; d=4");
        assert_eq!(jar.sent_to("http://b.a.example/x", NOW), "");
    }

    #[test]
    fn a_cookie_of_the_host_is_another_one_than_that_of_its_domain() {
        let mut jar = jar_of(&[("http://a.example/", "a=1"), ("http://a.example/", "a=2; Domain=a.example")]);
        assert_eq!(jar.sent_to("http://a.example/", NOW), "a=1; a=2");
        assert_eq!(jar.sent_to("http://b.a.example/", NOW), "a=2");
    }

    #[test]
    fn a_cookie_ends_at_its_time_and_an_end_in_the_past_removes_it() {
        let url = "http://a.example/";
        let mut jar = jar_of(&[(url, "a=1; Max-Age=10"), (url, "b=2"), (url, "c=3; Max-Age=20")]);
        assert_eq!(jar.sent_to(url, NOW + 9), "a=1; b=2; c=3");
        assert_eq!(jar.sent_to(url, NOW + 10), "b=2; c=3");
        assert_eq!(jar.live(NOW + 10).len(), 2);
        jar.set(url, "c=; Max-Age=0", NOW + 11).unwrap();
        jar.set(url, "d=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", NOW + 11).unwrap();
        assert_eq!(jar.sent_to(url, NOW + 11), "b=2");
        assert_eq!(jar.entries.len(), 1, "what has expired is not kept");
    }

    #[test]
    fn http_leaves_secure_cookies_alone() {
        let (https, http) = ("https://b.a.example/", "http://b.a.example/");
        let secure = [(https, "a=1; Secure; Path=/login")];
        for (field, ok) in [
            ("a=2; Path=/login", false),
            ("a=2; Path=/login/en", false),
            ("a=2; Path=/login; Domain=a.example", false),
            ("a=; Path=/login; Max-Age=0", false),
            ("=a=2; Path=/login", false), // it would be sent as `a=2`
            ("=b=2; Path=/login", true),
            ("a=2; Path=/", true),
            ("a=2; Path=/loginx", true),
            ("A=2; Path=/login", true),
        ] {
            let mut jar = jar_of(&secure);
            assert_eq!(jar.set(http, field, NOW).is_ok(), ok, "{field}");
            assert!(jar.sent_to("https://b.a.example/login", NOW).starts_with("a=1"), "{field}");
        }
        let mut wide = jar_of(&[(https, "a=1; Secure; Domain=a.example")]);
        assert!(wide.set("http://a.example/", "a=2", NOW).is_err());
        assert!(wide.set("http://c.b.a.example/", "a=2", NOW).is_err());
        assert!(wide.set("http://b.example/", "a=2", NOW).is_ok());
        assert!(wide.set(https, "a=3; Domain=a.example", NOW).is_ok(), "https may");
        let mut expired = jar_of(&[(https, "a=1; Secure; Max-Age=1")]);
        assert!(expired.set(http, "a=2", NOW + 1).is_ok());
        let mut local = jar_of(&[("http://localhost/", "a=1; Secure")]);
        assert!(local.set("http://localhost/", "a=2", NOW).is_ok(), "this machine may");
        assert_eq!(local.sent_to("http://localhost/", NOW), "a=2");
    }

    #[test]
    fn secure_cookies_go_by_https_and_to_this_machine() {
        let mut jar = jar_of(&[("https://a.example/", "a=1; Secure"), ("http://127.0.0.1/", "b=2; Secure")]);
        assert_eq!(jar.sent_to("https://a.example/", NOW), "a=1");
        assert_eq!(jar.sent_to("https://a.example:8443/", NOW), "a=1", "ports are no part of a cookie");
        assert_eq!(jar.sent_to("http://a.example/", NOW), "");
        assert_eq!(jar.sent_to("http://127.0.0.1:8080/", NOW), "b=2");
    }

    /// The names that are stored, in their order.
    fn names(jar: &Jar) -> Vec<String> {
        jar.entries.iter().map(|entry| String::from_utf8(entry.cookie.name.clone()).unwrap()).collect()
    }

    #[test]
    fn a_domain_has_at_most_fifty_cookies_and_the_least_recently_used_goes() {
        let url = "http://a.example/";
        let mut jar = Jar::default();
        for number in 0..PER_DOMAIN_MAX {
            jar.set(&format!("{url}{number}/x"), &format!("c{number}=v"), NOW).unwrap();
        }
        jar.set("http://b.example/", "other=v", NOW).unwrap();
        assert_eq!(names(&jar).len(), PER_DOMAIN_MAX + 1);
        assert_eq!(jar.sent_to(&format!("{url}0/x"), NOW), "c0=v"); // used last
        jar.set(url, "c2=again; Path=/2", NOW).unwrap(); // replaced: no more than before
        assert_eq!(names(&jar).len(), PER_DOMAIN_MAX + 1);
        jar.set(url, "new=v", NOW).unwrap();
        jar.set(url, "newer=v", NOW).unwrap();
        let left = names(&jar);
        assert_eq!(left.len(), PER_DOMAIN_MAX + 1);
        for (name, is_left) in [("c0", true), ("c1", false), ("c2", true), ("c3", false), ("c4", true), ("other", true)]
        {
            assert_eq!(left.iter().any(|other| other == name), is_left, "{name}");
        }
    }

    #[test]
    fn what_has_expired_goes_first_and_what_is_not_secure_next() {
        let url = "https://a.example/";
        let mut jar = Jar::default();
        jar.set(url, "s=v; Secure", NOW).unwrap();
        jar.set(url, "plain=v", NOW).unwrap();
        for number in 0..PER_DOMAIN_MAX - 3 {
            jar.set(url, &format!("c{number}=v"), NOW).unwrap();
        }
        jar.set(url, "e=v; Max-Age=5", NOW).unwrap();
        jar.set(url, "one=v", NOW + 5).unwrap();
        assert!(names(&jar).contains(&"plain".to_owned()) && !names(&jar).contains(&"e".to_owned()));
        for number in 0..2 * PER_DOMAIN_MAX {
            jar.set("http://a.example/", &format!("flood{number}=v"), NOW + 5).unwrap();
        }
        assert_eq!((names(&jar).len(), &*names(&jar)[0]), (PER_DOMAIN_MAX, "s"), "http does not drive it out");
    }

    #[test]
    fn there_are_at_most_3000_cookies_in_all() {
        let mut jar = Jar::default();
        for number in 0..COOKIES_MAX {
            jar.set(&format!("http://h{number}.example/"), "a=b", NOW).unwrap();
        }
        assert_eq!((jar.entries.len(), jar.sent_to("http://h0.example/", NOW).as_str()), (COOKIES_MAX, "a=b"));
        jar.set("http://h3000.example/", "a=b", NOW).unwrap();
        assert_eq!(jar.entries.len(), COOKIES_MAX);
        let mut sent = |number| jar.sent_to(&format!("http://h{number}.example/"), NOW);
        assert_eq!([0, 1, 2, 3000].map(|number| sent(number).len()), [3, 0, 3, 3]);
    }

    #[test]
    fn removing_takes_what_the_url_would_be_sent() {
        let mut jar = jar_of(&[
            ("http://a.example/", "a=1"),
            ("http://a.example/", "a=2; Path=/x"),
            ("http://a.example/", "b=3"),
            ("http://b.example/", "a=4"),
        ]);
        let at = Url::parse("http://a.example/").unwrap();
        assert_eq!(jar.remove(&Origin::of(&at), b"a", NOW), 1);
        assert_eq!(jar.sent_to("http://a.example/x", NOW), "a=2; b=3");
        jar.clear();
        assert!(jar.live(NOW).is_empty());
    }
}
