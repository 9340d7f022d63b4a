//! The store by itself: what is inserted, listed, removed, shown, written and read.

use std::io;
use std::time::{Duration, SystemTime};

use longwire::{CookieStore, ErrorKind, SameSite};

use super::{receive, sent_to};

#[test]
fn a_cookie_is_listed_with_all_that_was_said_of_it() {
    let store = CookieStore::new();
    let before = SystemTime::now() - Duration::from_secs(1);
    store
        .insert("https://b.a.test/x/y", "n=v; Domain=A.test; Max-Age=60; Secure; HttpOnly; SameSite=Strict")
        .expect("a cookie");
    store.insert("http://b.a.test/", b"\xe9=\xff").expect("bytes");
    let all: Vec<_> = store.iter().collect();
    let [cookie, other] = &all[..] else { panic!("{all:?}") };
    assert_eq!((cookie.name(), cookie.value(), cookie.path()), (&b"n"[..], &b"v"[..], &b"/x"[..]));
    assert_eq!((cookie.domain(), cookie.is_host_only()), ("a.test", false));
    assert!(cookie.is_secure() && cookie.is_http_only());
    assert_eq!(cookie.same_site(), Some(SameSite::Strict));
    let expires = cookie.expires().expect("an end");
    assert!(expires >= before + Duration::from_secs(60) && expires <= SystemTime::now() + Duration::from_secs(60));
    assert_eq!((other.name(), other.value(), other.domain()), (&b"\xe9"[..], &b"\xff"[..], "b.a.test"));
    assert_eq!((other.expires(), other.same_site(), other.is_host_only()), (None, None, true));
    assert!(!other.is_secure() && !other.is_http_only());
}

#[test]
fn what_is_inserted_obeys_the_rules_and_the_error_says_which() {
    let store = CookieStore::new();
    for (url, field, want) in [
        ("http://a.test/", "", "it has neither a name nor a value"),
        ("http://a.test/", "a=s3cret\n", "it has a control character"),
        ("http://a.test/", "a=s3cret; Domain=b.test", "its Domain does not cover the host"),
        ("http://a.test/", "a=s3cret; Domain=test", "its Domain is a public suffix, or has one label"),
        ("http://a.test/", "a=s3cret; Secure", "it is Secure, and the URL is not https"),
        ("http://a.test/", "__Secure-a=s3cret", "its name begins with __Secure-, and it is not Secure"),
    ] {
        let error = store.insert(url, field).expect_err(field);
        assert_eq!(error.to_string(), format!("Set-Cookie: {want} (http://a.test/)"));
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
    let long = format!("a={}", "v".repeat(4096));
    assert!(store.insert("http://a.test/", &long).expect_err("4097 bytes").to_string().contains("4096"));
    store.insert("http://a.test/", &long[..4097]).expect("4096 bytes");
    assert_eq!(store.insert("a.test", "a=b").expect_err("no URL").kind(), ErrorKind::InvalidUrl);
    store.insert("https://a.test/", "s=1; Secure").expect("https");
    let error = store.insert("http://a.test/", "s=2").expect_err("http");
    assert!(error.to_string().contains("it would replace a Secure cookie"), "{error}");
}

#[test]
fn no_ordinary_value_is_dropped() {
    let store = CookieStore::new();
    let values = ["x", "\"quoted\"", "a, b", "a b", "a=b==", "\u{e9}", "{\"json\":[1]}", "\\", "'", ""];
    for (number, value) in values.iter().enumerate() {
        receive(&store, "http://a.test/", &format!("c{number}={value}"));
    }
    let sent = sent_to(&store, "http://a.test/");
    let want: Vec<String> = values.iter().enumerate().map(|(number, value)| format!("c{number}={value}")).collect();
    assert_eq!(sent, want.join("; "));
}

#[test]
fn cookies_are_removed_by_url_and_name_and_all_at_once() {
    let store = CookieStore::new();
    for field in ["a=1", "b=2", "a=3; Path=/x"] {
        store.insert("http://a.test/", field).expect("a cookie");
    }
    assert_eq!(store.remove("http://b.test/", "a").expect("a URL"), 0);
    assert_eq!(store.remove("http://a.test/x", "a").expect("a URL"), 2);
    assert_eq!(store.remove("x", "a").expect_err("no URL").kind(), ErrorKind::InvalidUrl);
    assert_eq!(sent_to(&store, "http://a.test/x"), "b=2");
    let clone = store.clone();
    clone.clear();
    assert_eq!(store.iter().count(), 0, "a clone is the same store");
}

#[test]
fn the_callers_function_says_which_suffixes_are_public() {
    let store = CookieStore::new();
    let free = store.clone();
    store.insert("http://a.co.test/", "a=b; Domain=co.test").expect("it is not known to be public");
    let store = store.public_suffixes(|domain| domain == "co.test");
    let error = free.insert("http://b.co.test/", "a=b; Domain=.CO.test").expect_err("for all clones");
    assert!(error.to_string().contains("public suffix"), "{error}");
    free.insert("http://b.co.test/", "c=d; Domain=b.co.test").expect("below it");
    assert!(free.insert("http://a.test/", "a=b; Domain=test").is_err(), "one label is public in any case");
    let store = store.public_suffixes(|_| false);
    store.insert("http://b.co.test/", "a=b; Domain=co.test").expect("the last one counts");
}

#[test]
fn a_function_that_panics_does_not_break_the_store() {
    let store = CookieStore::new().public_suffixes(|domain| panic!("{domain}"));
    let shared = store.clone();
    let thread = std::thread::spawn(move || shared.insert("http://a.test/", "a=b; Domain=a.test"));
    assert!(thread.join().is_err());
    store.insert("http://a.test/", "c=d").expect("a cookie");
    assert_eq!(sent_to(&store, "http://a.test/"), "c=d");
}

#[test]
fn debug_shows_names_and_no_values() {
    let store = CookieStore::new();
    receive(&store, "http://a.test/", "na\"me=s3cret");
    receive(&store, "http://a.test/", "s3cret");
    let shown = format!("{store:?} {:?}", store.iter().collect::<Vec<_>>());
    assert!(!shown.contains("s3cret") && shown.contains("=***") && shown.contains("value: ***"), "{shown}");
}

#[test]
fn what_is_written_is_read_by_another_store_in_the_same_order() {
    let store = CookieStore::new();
    for (url, field) in [
        ("https://a.test/", "z=1; Secure; HttpOnly; Path=/"),
        ("http://a.test/x/", "m=\"2, 3\"; Domain=a.test; Max-Age=100"),
        ("http://a.test/", "a=4=5"),
        ("http://[::1]/", "v6=6"),
        ("http://a.test/", "=nameless"),
        ("http://a.test/", "gone=7; Max-Age=0"),
    ] {
        store.insert(url, field).expect(field);
    }
    let mut file = Vec::new();
    store.write_to(&mut file).expect("a file");
    let other = CookieStore::new();
    other.insert("http://a.test/", "a=old").expect("a cookie");
    other.read_from(&file[..]).expect("the same file");
    for url in ["https://a.test/x/", "http://a.test/x/", "http://[::1]:8080/", "http://b.a.test/x/y"] {
        let sorted = |store: &CookieStore| {
            let field = sent_to(store, url);
            let mut all: Vec<String> = field.split("; ").map(str::to_owned).collect();
            all.sort();
            all
        };
        assert_eq!(sorted(&other), sorted(&store), "{url}");
    }
    let fresh = CookieStore::new();
    fresh.read_from(&file[..]).expect("the same file");
    assert!(fresh.iter().eq(store.iter()));
    let mut again = Vec::new();
    fresh.write_to(&mut again).expect("a file");
    assert_eq!(again, file);
}

#[test]
fn a_file_with_a_bad_line_adds_nothing() {
    let store = CookieStore::new();
    let file = "a.test\tFALSE\t/\tFALSE\t0\ta\tb\nno cookie\n";
    let error = store.read_from(file.as_bytes()).expect_err("line 2");
    assert_eq!((error.kind(), error.to_string().contains("line 2")), (io::ErrorKind::InvalidData, true));
    assert_eq!(store.iter().count(), 0);
}

#[test]
fn errors_of_reader_and_writer_are_returned() {
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
    impl io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let store = CookieStore::new();
    let read = store.read_from(io::BufReader::new(Broken)).expect_err("broken");
    let written = store.write_to(Broken).expect_err("broken");
    assert_eq!((read.kind(), written.kind()), (io::ErrorKind::PermissionDenied, io::ErrorKind::StorageFull));
}

#[test]
fn a_store_has_at_most_fifty_cookies_of_a_domain_and_3000_in_all() {
    let store = CookieStore::new();
    for domain in 0..61 {
        for number in 0..51 {
            receive(&store, &format!("http://h{domain}.test/"), &format!("c{number}=v"));
        }
        let names: Vec<Vec<u8>> = store.iter().map(|cookie| cookie.name().to_vec()).collect();
        assert_eq!(names.len(), (50 * (domain + 1)).min(3000));
        assert!(!sent_to(&store, &format!("http://h{domain}.test/")).contains("c0="), "the first went for the last");
    }
    assert_eq!(sent_to(&store, "http://h0.test/"), "", "the least recently used");
}
