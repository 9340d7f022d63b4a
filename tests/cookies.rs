//! Cookies: what the client does with a jar, and what a [`longwire::CookieStore`] keeps and sends.
//!
//! `cookies/exchange.rs` is about the client: which responses are stored from, what stands in the request
//! head. `cookies/ietf.rs` has the cases of the IETF's http-state working group, `cookies/others.rs`
//! compares with curl and with Python.

#[path = "cookies/exchange.rs"]
mod exchange;
#[path = "cookies/ietf.rs"]
mod ietf;
#[path = "cookies/others.rs"]
mod others;
#[path = "cookies/store.rs"]
mod store;
mod support;

use longwire::{CookieJar, CookieStore, Url};

/// The `Cookie` field that a request to `url` has; empty if it has none.
fn sent_to(store: &CookieStore, url: &str) -> String {
    let url = Url::parse(url).expect("a URL");
    String::from_utf8(store.cookies(&url).unwrap_or_default()).expect("UTF-8")
}

/// Stores a field as a response from `url` would.
fn receive(store: &CookieStore, url: &str, set_cookie: &str) {
    store.store(&Url::parse(url).expect("a URL"), set_cookie.as_bytes());
}
