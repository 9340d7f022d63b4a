//! What the client does with a jar: when it asks, what it sends, and from which responses it stores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use longwire::script::{self, Script, raw, reply};
use longwire::{Client, ClientBuilder, CookieJar, CookieStore, ErrorKind, Method, Proxy, Request, Url};

use super::support::peer::{Peer, ok};
use super::support::trace::Trace;
use super::support::uncoded;
use super::{receive, sent_to};

fn client_of(script: &Script, jar: impl CookieJar + 'static) -> Client {
    Client::builder().connector(script.clone()).cookie_jar(jar).build()
}

/// The `Cookie` field of each request, in order.
fn cookies_seen(script: &Script) -> Vec<Option<String>> {
    script.seen().iter().map(|seen| seen.header("cookie").map(str::to_owned)).collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_login_by_redirect_takes_a_few_lines() {
    let script = Script::new()
        .on("POST /login", reply(303).header("Location", "/home").header("Set-Cookie", "sid=7; HttpOnly; Path=/"))
        .on_with("GET /home", |seen| reply(200).body(seen.header("cookie").unwrap_or("nobody")));
    let login = || -> Result<String, Box<dyn std::error::Error>> {
        let jar = CookieStore::new();
        let client = Client::builder().cookie_jar(jar.clone()).connector(script.clone()).build();
        client.post("http://h.test/login").form(&[("user", "me"), ("password", "pw")]).send()?.error_for_status()?;
        let page = client.get("http://h.test/home").send()?.text()?;
        jar.write_to(&mut std::io::sink())?;
        Ok(page)
    };
    assert_eq!(login().expect("a page"), "sid=7");
    assert_eq!(cookies_seen(&script), [None, some("sid=7"), some("sid=7")]);
}

#[test]
fn every_set_cookie_of_a_final_response_is_stored_by_itself() {
    for status in [200, 204, 302, 304, 401, 404, 500, 503] {
        let fields = reply(status).header("Set-Cookie", "a=1, x=y").header("set-cookie", "b=\"2, 3\"");
        let script = Script::answering(fields.header("SET-COOKIE", "c=4; Expires=Fri, 01 Jan 2100 00:00:00 GMT"));
        let store = CookieStore::new();
        client_of(&script, store.clone()).get("http://a.test/").send().expect("a response");
        assert_eq!(sent_to(&store, "http://a.test/"), "a=1, x=y; b=\"2, 3\"; c=4", "{status}");
    }
}

#[test]
fn interim_responses_and_trailers_set_no_cookies() {
    let script = Script::answering(raw("HTTP/1.1 103 Early Hints\r\nSet-Cookie: interim=1\r\n\r\n\
         HTTP/1.1 200 OK\r\nSet-Cookie: final=1\r\nTransfer-Encoding: chunked\r\n\r\n\
         1\r\nx\r\n0\r\nSet-Cookie: trailer=1\r\n\r\n"));
    let store = CookieStore::new();
    let response = client_of(&script, store.clone()).get("http://a.test/").send().expect("a response");
    assert_eq!(response.text().expect("a body"), "x");
    assert_eq!(sent_to(&store, "http://a.test/"), "final=1");
}

#[test]
fn the_response_that_ends_in_an_upgrade_sets_cookies() {
    let script =
        Script::answering(raw("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\nSet-Cookie: a=b\r\n\r\n"));
    let store = CookieStore::new();
    let request = client_of(&script, store.clone()).get("http://a.test/");
    request.header("Connection", "upgrade").header("Upgrade", "x").send().expect("a response");
    assert_eq!(sent_to(&store, "http://a.test/"), "a=b");
}

#[test]
fn the_jar_is_asked_for_each_hops_url_and_stores_before_the_redirect_is_followed() {
    let to = |location: &str, set: &str| reply(302).header("Location", location).header("Set-Cookie", set);
    let script = Script::new()
        .on("GET /one", to("/two", "one=1; Path=/"))
        .on("GET /two", to("http://b.test/three", "two=2; Path=/"))
        .on("GET /three", to("http://a.test/four", "three=3; Path=/"))
        .on("GET /four", reply(200));
    let store = CookieStore::new();
    receive(&store, "http://b.test/", "other=0; Path=/");
    let client = client_of(&script, store.clone());
    client.get("http://a.test/one").header("Cookie", "own=x").send().expect("a response");
    let want = [some("own=x"), some("own=x; one=1"), some("other=0"), some("one=1; two=2")];
    assert_eq!(cookies_seen(&script), want, "the caller's own stays behind at the first origin");
    assert_eq!(sent_to(&store, "http://b.test/"), "other=0; three=3");
}

#[test]
fn the_hook_sees_a_redirect_whose_cookies_are_stored_and_may_keep_the_callers() {
    let script = Script::new()
        .on("GET /one", reply(302).header("Location", "http://b.test/two").header("Set-Cookie", "a=1"))
        .on("GET /two", reply(200));
    let store = CookieStore::new();
    receive(&store, "http://b.test/", "jar=1");
    receive(&store, "http://b.test/", "own=jar");
    let seen = store.clone();
    let hook = move |hop: &mut longwire::Hop<'_>| {
        assert_eq!(sent_to(&seen, hop.from().as_str()), "a=1");
        hop.keep_header("Cookie");
        Ok(())
    };
    let client = Client::builder().connector(script.clone()).cookie_jar(store).on_redirect(hook).build();
    client.get("http://a.test/one").header("Cookie", "own=x").send().expect("a response");
    assert_eq!(cookies_seen(&script), [some("own=x"), some("own=x; jar=1")]);
    assert_eq!(script.seen()[1].headers().get_all("cookie").count(), 1);
}

/// A head of a GET to `http://a.test/` with these `Cookie` fields of the caller's.
fn head(builder: ClientBuilder, own: &[&str]) -> Vec<u8> {
    let mut request = Request::new(Method::GET, "http://a.test/").expect("a request");
    for value in own {
        request.add_header("Cookie", value).expect("a field");
    }
    builder.build().to_wire(&request).expect("a head")
}

#[test]
fn the_callers_cookies_and_the_jars_stand_in_one_field_and_the_callers_win() {
    let store = CookieStore::new();
    for field in ["a=jar", "b=jar", "b=deeper; Path=/x", "=nameless"] {
        receive(&store, "http://a.test/", field);
    }
    for (own, want) in [
        (&[][..], "a=jar; b=jar; nameless"),
        (&["c=own"], "c=own; a=jar; b=jar; nameless"),
        (&["b=own"], "b=own; a=jar; nameless"),
        (&["b=1; b=2;"], "b=1; b=2; a=jar; nameless"),
        (&["A=own"], "A=own; a=jar; b=jar; nameless"),
        (&["a =own ;; b"], "a =own; b; b=jar"),
        (&["a=1", "c=\"x, y\""], "a=1; c=\"x, y\"; b=jar; nameless"),
        (&[""], "a=jar; b=jar; nameless"),
        (&["a=b=c"], "a=b=c; b=jar; nameless"),
    ] {
        let head = String::from_utf8(super::exchange::head(uncoded().cookie_jar(store.clone()), own)).unwrap();
        let line = format!("\r\nAccept: */*\r\nCookie: {want}\r\n\r\n");
        assert!(head.ends_with(&line), "{own:?}: {head}");
    }
    let with_default = Client::builder().cookie_jar(store).default_header("Cookie", "a=default");
    let head = head(with_default, &[]);
    assert!(head.ends_with(b"Cookie: a=default; b=jar; nameless\r\n\r\n"), "{}", head.escape_ascii());
}

#[test]
fn without_cookies_in_the_jar_a_head_is_as_without_a_jar() {
    for own in [&[][..], &["a=1"], &["a=1", "b=2"], &[""]] {
        let with = head(Client::builder().cookie_jar(CookieStore::new()), own);
        assert_eq!(with, head(Client::builder(), own), "{own:?}");
        assert_eq!(with, head(Client::builder().cookie_jar(Fixed(b"")), own), "{own:?}");
    }
}

/// A jar that always has the same.
struct Fixed(&'static [u8]);

impl CookieJar for Fixed {
    fn cookies(&self, _: &Url) -> Option<Vec<u8>> {
        Some(self.0.to_vec())
    }

    fn store(&self, _: &Url, _: &[u8]) {}
}

#[test]
fn any_bytes_that_a_field_may_have_are_sent_and_others_refused() {
    let sent = head(Client::builder().cookie_jar(Fixed(b"a=\xff\xe9")), &[]);
    assert!(sent.ends_with(b"Cookie: a=\xff\xe9\r\n\r\n"));
    let script = Script::answering(reply(200));
    let client = client_of(&script, Fixed(b"a=b\r\nEvil: c"));
    let error = client.get("http://a.test/").send().expect_err("two lines");
    assert_eq!((error.kind(), error.fate()), (ErrorKind::InvalidRequest, longwire::Fate::NotSent));
    assert!(script.seen().is_empty());
}

#[test]
fn the_hook_sees_the_cookies_and_may_replace_them() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let store = CookieStore::new();
    receive(&store, "http://a.test/", "a=jar");
    let builder = Client::builder().cookie_jar(store).before_send(move |outgoing| {
        log.lock().unwrap().push(outgoing.header("cookie").map(str::to_owned));
        outgoing.set_header("Cookie", "a=hook")
    });
    assert!(head(builder, &["b=own"]).ends_with(b"Cookie: a=hook\r\n\r\n"));
    assert_eq!(*seen.lock().unwrap(), [some("b=own; a=jar")]);
}

#[test]
fn a_trace_carries_no_cookies() {
    let script = Script::answering(reply(200).header("Set-Cookie", "a=b"));
    let store = CookieStore::new();
    let client = client_of(&script, store.clone());
    for _ in 0..2 {
        client.request(Method::TRACE, "http://a.test/").send().expect("a response");
    }
    assert_eq!(cookies_seen(&script), [None, None]);
    assert_eq!(sent_to(&store, "http://a.test/"), "a=b", "what it is sent is kept");
}

/// Counts how often it is asked.
#[derive(Default)]
struct Counting(AtomicUsize);

impl CookieJar for Counting {
    fn cookies(&self, _: &Url) -> Option<Vec<u8>> {
        Some(format!("n={}", self.0.fetch_add(1, Ordering::SeqCst)).into())
    }

    fn store(&self, _: &Url, _: &[u8]) {}
}

#[test]
fn a_retry_asks_the_jar_again() {
    let script = Script::new()
        .connection(script::connection().exchange(reply(200)).exchange(raw("").reset()))
        .on("*", reply(200));
    let jar = Arc::new(Counting::default());
    let client = client_of(&script, Arc::clone(&jar));
    for _ in 0..2 {
        client.get("http://a.test/").send().expect("a response");
    }
    assert_eq!(cookies_seen(&script), [some("n=0"), some("n=1"), some("n=2")]);
    let boxed = client_of(&script, Box::new(Arc::clone(&jar)) as Box<dyn CookieJar>);
    boxed.get("http://a.test/").send().expect("a response");
    assert_eq!(jar.0.load(Ordering::SeqCst), 4);
}

#[test]
fn a_417_that_is_repeated_sets_its_cookies() {
    let script = Script::new().on("POST /", reply(417).header("Set-Cookie", "a=b").early()).on("POST /", reply(200));
    let client = client_of(&script, CookieStore::new());
    let request = client.post("http://a.test/").expect_continue(std::time::Duration::from_secs(10)).body("x");
    assert_eq!(request.send().expect("a response").status(), 200);
    assert_eq!(cookies_seen(&script), [None, some("a=b")]);
}

#[test]
fn no_event_shows_a_cookie() {
    let script = Script::answering(reply(200).header("Set-Cookie", "a=s3cret"));
    let trace = Trace::default();
    let builder = Client::builder().connector(script.clone()).cookie_jar(CookieStore::new());
    let client = builder.observer(trace.clone()).build();
    for _ in 0..2 {
        client.get("http://a.test/").send().expect("a response");
    }
    assert_eq!(cookies_seen(&script), [None, some("a=s3cret")]);
    let whole = trace.whole();
    assert!(whole.contains("Cookie: ***") && whole.contains("Set-Cookie: ***") && !whole.contains("s3cret"), "{whole}");
}

#[test]
fn cookies_are_the_origins_whatever_proxy_the_request_goes_through() {
    let proxy = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let cookies = request.header("cookie").unwrap_or("none").to_owned();
            match request.method.as_str() {
                "CONNECT" => conn.send("HTTP/1.1 200 OK\r\nSet-Cookie: proxy=1\r\n\r\n"),
                _ => conn.send(ok(&cookies).replacen("\r\n", "\r\nSet-Cookie: origin=1\r\n", 1)),
            };
        }
    });
    let store = CookieStore::new();
    let by = Proxy::new(&format!("http://{}", proxy.addr())).expect("a proxy");
    let client = Client::builder().proxy(by).cookie_jar(store.clone()).build();
    let get = |url: &str| client.get(url).send().expect("a response").text().expect("a body");
    assert_eq!([get("http://a.test/"), get("http://a.test/"), get("http://b.test/")], ["none", "origin=1", "none"]);
    // Without TLS behind it, the tunnel is the end of this request.
    let _ = client.get("https://c.test/").send();
    assert_eq!(sent_to(&store, "https://c.test/"), "");
}

#[test]
fn many_threads_share_a_store() {
    let script = Script::new().on_with("*", |seen| {
        let name = seen.target().trim_start_matches('/').to_owned();
        reply(200).header("Set-Cookie", format!("c{name}=v; Path=/"))
    });
    let store = CookieStore::new();
    let client = client_of(&script, store.clone());
    std::thread::scope(|scope| {
        for number in 0..8 {
            let client = &client;
            scope.spawn(move || {
                for _ in 0..20 {
                    client.get(format!("http://a.test/{number}")).send().expect("a response");
                }
            });
        }
    });
    assert_eq!(store.iter().count(), 8);
}
