//! Any bytes as `Set-Cookie` fields and as `cookies.txt`.
//!
//! What holds of every result is checked, and name and value against a second reader.

use std::time::{Duration, SystemTime};

use url::Url;

use crate::client::cookies::{CookieJar, CookieStore};
use crate::cookie::Cookie;
use crate::headers::is_field_byte;

/// The hosts of a domain, another one, and addresses: a field is received from one of them.
const URLS: [&str; 6] = [
    "https://a.example.org/x/y",
    "http://example.org/",
    "http://b.a.example.org/x/",
    "http://localhost:8080/x/y/z",
    "http://[::1]/",
    "https://other.test./x",
];

/// Each line is a field, whose first byte selects where it comes from. The whole is a file, too.
pub fn cookies(bytes: &[u8]) {
    let store = CookieStore::new().public_suffixes(|domain| domain.ends_with("test"));
    for (which, field) in bytes.split(|byte| *byte == b'\n').filter_map(|line| line.split_first()).take(500) {
        let url = &parsed(URLS[usize::from(*which) % URLS.len()]);
        let before = lasting(&store);
        store.store(url, field);
        check_stored(url, field, &before, &store);
    }
    check(&store);
    let file = CookieStore::new();
    if file.read_from(bytes).is_ok() {
        check(&file);
    }
}

fn parsed(url: &str) -> Url {
    Url::parse(url).expect("it is a URL")
}

/// The cookies that do not expire while they are looked at.
fn lasting(store: &CookieStore) -> Vec<Cookie> {
    let soon = SystemTime::now() + Duration::from_secs(60);
    store.iter().filter(|cookie| cookie.expires().is_none_or(|expires| expires > soon)).collect()
}

/// A field changes no more than one cookie of its own name, which the host may set.
fn check_stored(url: &Url, field: &[u8], before: &[Cookie], store: &CookieStore) {
    let (name, value) = name_and_value(field);
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let after = lasting(store);
    for new in after.iter().filter(|cookie| !before.contains(cookie)) {
        assert_eq!((new.name(), new.value()), (&name[..], &value[..]), "{}", field.escape_ascii());
        assert!(host == new.domain() || host.ends_with(&format!(".{}", new.domain())), "{new:?} from {url}");
        assert!(new.is_host_only() || new.domain().trim_matches('.').contains('.'), "{new:?}");
        assert!(!new.is_secure() || url.scheme() == "https" || ["localhost", "::1"].contains(&host), "{new:?}");
        assert!(!name.to_ascii_lowercase().starts_with(b"__host-") || new.is_host_only() && new.path() == b"/");
    }
    let is_of_name = |cookie: &&Cookie| cookie.name() == name;
    if after.len() < before.len() {
        assert!(before.iter().filter(is_of_name).count() > after.iter().filter(is_of_name).count());
    }
    assert!(before.len().abs_diff(after.len()) <= 1);
}

/// What stands before the first `=` and after it, up to the first `;`.
fn name_and_value(field: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let text: String = field.iter().copied().map(char::from).collect();
    let pair = text.split(';').next().unwrap_or_default();
    let (name, value) = pair.split_once('=').unwrap_or(("", pair));
    let bytes = |text: &str| text.trim_matches([' ', '\t']).chars().map(|c| c as u8).collect();
    (bytes(name), bytes(value))
}

/// What is stored fits into a field and within the limits, and is the same after it was written and read.
fn check(store: &CookieStore) {
    let all = lasting(store);
    assert!(all.len() <= 3000);
    for (index, cookie) in all.iter().enumerate() {
        assert!((1..=4096).contains(&(cookie.name().len() + cookie.value().len())), "{cookie:?}");
        assert!(cookie.path().starts_with(b"/") && !cookie.domain().is_empty(), "{cookie:?}");
        assert!(all.iter().filter(|other| other.domain() == cookie.domain()).count() <= 50);
        let key = |cookie: &Cookie| (cookie.name.clone(), cookie.domain.clone(), cookie.path.clone());
        let is_same = |other: &Cookie| key(other) == key(cookie) && other.is_host_only == cookie.is_host_only;
        assert!(!all[..index].iter().any(is_same), "twice: {cookie:?}");
    }
    for url in URLS {
        let field = store.cookies(&parsed(url)).unwrap_or_default();
        assert!(field.iter().all(|byte| is_field_byte(*byte)), "{}", field.escape_ascii());
        assert!(!format!("{store:?}").contains('\n'));
    }
    let mut file = Vec::new();
    store.write_to(&mut file).expect("a vector takes all");
    let again = CookieStore::new();
    again.read_from(&file[..]).expect("what was written is read");
    let has_tab = |cookie: &Cookie| [cookie.name(), cookie.value(), cookie.path()].concat().contains(&b'\t');
    let written = all.into_iter().filter(|cookie| !has_tab(cookie)).map(|cookie| Cookie { same_site: None, ..cookie });
    assert!(lasting(&again).into_iter().eq(written), "{}", file.escape_ascii());
}
