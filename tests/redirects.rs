//! Redirects: what is followed and where to, with which method and body (RFC 9110 §15.4,
//! RFC 3986 §5).
//!
//! Here are sites of one or two raw servers on loopback; two ports of one host are two origins.
//! Which header fields another origin may see is in `redirects/origins.rs`.

#[path = "redirects/origins.rs"]
mod origins;
mod support;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use longwire::script::{Script, Seen, connection, raw, reply};
use longwire::{Client, ErrorKind, Method, Response, Result, SendBody, Stage, Url};
use support::peer::{LIMIT, Peer, Req, answer, ok};

/// Less than any limit of the client's: what takes longer has waited for something.
const SOON: Duration = Duration::from_secs(8);

/// A raw server that answers by the request, and keeps all it was asked.
struct Site {
    peer: Peer,
    seen: Arc<Mutex<Vec<Req>>>,
}

impl Site {
    fn new<A: Into<Vec<u8>>>(answers: impl Fn(&Req) -> A + Send + Sync + 'static) -> Site {
        let seen: Arc<Mutex<Vec<Req>>> = Arc::default();
        let keep = Arc::clone(&seen);
        let peer = Peer::start(move |mut conn, _| {
            while let Some(request) = conn.request() {
                let answer = answers(&request).into();
                keep.lock().expect("no panic").push(request);
                conn.send(answer);
            }
        });
        Site { peer, seen }
    }

    /// Redirects `/` with this status and Location; all else is the goal.
    fn leading_to(status: &str, location: impl Into<Vec<u8>>) -> Site {
        let redirect = redirect(status, location);
        Site::new(move |request| match request.target.as_str() {
            "/" => redirect.clone(),
            _ => goal(request),
        })
    }

    fn url(&self, path: &str) -> String {
        self.peer.url(path)
    }

    fn seen(&self) -> Vec<Req> {
        self.seen.lock().expect("no panic").clone()
    }

    fn targets(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.target).collect()
    }

    /// The last request here.
    #[track_caller]
    fn last(&self) -> Req {
        self.seen().pop().expect("a request has come here")
    }
}

/// A redirect without content: status line end, and the Location in its bytes.
fn redirect(status: &str, location: impl Into<Vec<u8>>) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nLocation: ").into_bytes();
    head.extend(location.into());
    head.extend(b"\r\n\r\n");
    head
}

/// What is found at the end: "here", also in answer to HEAD.
fn goal(request: &Req) -> Vec<u8> {
    match request.method.as_str() {
        "HEAD" => b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n".to_vec(),
        _ => ok("here").into_bytes(),
    }
}

#[track_caller]
fn reach(sent: Result<Response>) -> Url {
    let response = sent.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(response.status(), 200);
    let url = response.url().clone();
    assert_eq!(response.text().expect("the goal's text"), "here");
    url
}

/// The error of a redirect that must not be followed.
#[track_caller]
fn assert_refused(sent: Result<Response>, what: &str) {
    let error = sent.map(|r| r.url().clone()).expect_err(what);
    assert_eq!(error.kind(), ErrorKind::Redirect, "{what}: {error}");
    assert_eq!(error.stage(), Stage::Redirect, "{what}: {error}");
}

#[test]
fn the_permanent_url_is_where_permanent_redirects_lead_before_any_other() {
    for (statuses, want) in [
        (&[][..], "/0"),
        (&[301], "/1"),
        (&[308, 301], "/2"),
        (&[302], "/0"),
        (&[303, 301], "/0"),
        (&[301, 307, 308], "/1"),
    ] {
        let mut script = Script::new();
        for (at, status) in statuses.iter().enumerate() {
            let next = format!("/{}", at + 1);
            script = script.on(&format!("GET /{at}"), reply(*status).header("Location", next));
        }
        let response = script.on("*", reply(204)).client().get("http://host/0").send().expect("a response");
        assert_eq!((response.status().as_u16(), response.permanent_url().path()), (204, want), "{statuses:?}");
        assert_eq!(response.into_parts().0.permanent_url().path(), want, "{statuses:?}");
    }
}

// ---- method and body ----

/// Sends `method` with a body to a redirect of `status` and returns what arrives behind it.
fn method_and_body_after(status: &str, method: &str) -> (String, Vec<u8>, Option<String>) {
    let site = Site::leading_to(status, "/goal");
    let method = Method::new(method).expect("a method");
    let request = Client::new().request(method.clone(), site.url("/"));
    let sent = if method == Method::GET || method == Method::HEAD {
        request.send()
    } else {
        let with_type = request.header("Content-Type", "text/x-test");
        with_type.body("the body").send()
    };
    assert_eq!(sent.expect("followed").status(), 200);
    assert_eq!(site.targets(), ["/", "/goal"]);
    let last = site.last();
    let length = last.header("content-length").map(str::to_owned);
    (last.method, last.body, length)
}

#[test]
fn each_status_and_method_has_its_own_way() {
    // Status; the methods that go on as they were, with their body; those that become GET.
    let table: [(&str, &[&str], &[&str]); 5] = [
        ("301 Moved Permanently", &["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "QUERY"], &["POST"]),
        ("302 Found", &["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "QUERY"], &["POST"]),
        ("303 See Other", &["GET", "HEAD"], &["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
        ("307 Temporary Redirect", &["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"], &[]),
        ("308 Permanent Redirect", &["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"], &[]),
    ];
    for (status, the_same, become_get) in table {
        for method in the_same {
            let (arrived, body, length) = method_and_body_after(status, method);
            assert_eq!(arrived, *method, "{method} after {status}");
            let has_body = !["GET", "HEAD"].contains(method);
            let expected: &[u8] = if has_body { b"the body" } else { b"" };
            assert_eq!(body, expected, "{method} after {status}");
            assert_eq!(length, has_body.then(|| "8".to_owned()), "{method}");
        }
        for method in become_get {
            let (arrived, body, length) = method_and_body_after(status, method);
            assert_eq!(arrived, "GET", "{method} after {status}");
            assert_eq!(body, b"", "{method} after {status}");
            assert_eq!(length, None, "{method} after {status}");
        }
    }
}

#[test]
fn a_post_that_becomes_get_leaves_what_speaks_of_its_body() {
    for status in ["301 M", "302 F", "303 S"] {
        let site = Site::leading_to(status, "/goal");
        let post = Client::new()
            .post(site.url("/"))
            .header("Content-Type", "text/x-test")
            .header("Content-Encoding", "x-none")
            .header("Content-Language", "en")
            .header("Content-Location", "/c")
            .header("Content-Disposition", "inline")
            .header("Content-MD5", "x")
            .header("Digest", "sha-256=x")
            .header("Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT")
            .header("Authorization", "Bearer stays")
            .header("X-Mine", "stays")
            .body("the body");
        reach(post.send());
        let last = site.last();
        let of_content: Vec<&str> = last
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| {
                let name = name.to_ascii_lowercase();
                name.starts_with("content-") || ["digest", "last-modified"].contains(&name.as_str())
            })
            .collect();
        assert_eq!(of_content, [] as [&str; 0], "after {status}");
        assert_eq!(last.count("transfer-encoding"), 0);
        assert_eq!(last.header("authorization"), Some("Bearer stays"));
        assert_eq!(last.header("x-mine"), Some("stays"));
    }
}

#[test]
fn expect_goes_with_the_body_and_is_dropped_without_it() {
    for (status, arrives) in [("303 See Other", false), ("307 Temporary Redirect", true)] {
        let heads: Arc<Mutex<Vec<Req>>> = Arc::default();
        let keep = Arc::clone(&heads);
        let peer = Peer::start(move |mut conn, _| {
            while let Some(head) = conn.head() {
                let expects = head.header("expect").is_some();
                let first = head.target == "/";
                keep.lock().expect("no panic").push(head.clone());
                if expects {
                    conn.send("HTTP/1.1 100 Continue\r\n\r\n");
                }
                conn.body(&head);
                match first {
                    true => conn.send(redirect(status, "/goal")),
                    false => conn.send(ok("here")),
                };
            }
        });
        let post = Client::new().post(peer.url("/")).body("the body");
        reach(post.expect_continue(Duration::from_secs(5)).send());
        let heads = heads.lock().expect("no panic");
        assert_eq!(heads[0].header("expect"), Some("100-continue"));
        assert_eq!(heads[1].header("expect").is_some(), arrives, "{status}");
    }
}

#[test]
fn an_empty_post_is_repeated_with_its_length_of_zero() {
    let site = Site::leading_to("307 T", "/goal");
    reach(Client::new().post(site.url("/")).send());
    let last = site.last();
    assert_eq!(last.method, "POST");
    assert_eq!(last.header("content-length"), Some("0"));
}

#[test]
fn a_body_that_can_be_read_once_cannot_be_redirected_and_nothing_is_half_sent() {
    let one_shot = |sized: bool| match sized {
        true => SendBody::sized_reader(&b"the body"[..], 8),
        false => SendBody::reader(&b"the body"[..]),
    };
    for sized in [true, false] {
        for (status, method) in [("307 T", Method::POST), ("308 P", Method::PUT), ("302 F", Method::PUT)] {
            let goal = Site::new(goal);
            let site = Site::leading_to(status, goal.url("/goal"));
            let request = Client::new().request(method, site.url("/"));
            assert_refused(request.body(one_shot(sized)).send(), status);
            assert_eq!(site.targets(), ["/"], "{status}");
            assert_eq!(goal.peer.connections(), 0, "{status}");
        }
        let site = Site::leading_to("303 S", "/goal");
        let post = Client::new().post(site.url("/"));
        reach(post.body(one_shot(sized)).send());
        assert_eq!(site.last().method, "GET");
    }
}

#[test]
fn a_file_is_rewound_to_where_it_was() {
    let name = format!("longwire-redirects-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    fs::write(&path, b"skipped the body").expect("write a file");
    let mut file = File::open(&path).expect("open the file");
    fs::remove_file(&path).expect("remove the file");
    file.seek(SeekFrom::Start(8)).expect("seek");
    let site = Site::leading_to("308 P", "/goal");
    reach(Client::new().put(site.url("/")).body(file).send());
    let bodies: Vec<Vec<u8>> = site.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, [b"the body", b"the body"]);
}

// ---- where to ----

/// Follows one redirect from `/b/c/d;p?q#mine` and gives the request target and the URL.
#[track_caller]
fn resolved(location: &[u8]) -> (String, Url) {
    let location = location.to_vec();
    let redirected = Mutex::new(false);
    let site = Site::new(move |request| {
        let mut redirected = redirected.lock().expect("no panic");
        if std::mem::replace(&mut *redirected, true) { goal(request) } else { redirect("302 Found", location.clone()) }
    });
    let url = reach(Client::new().get(site.url("/b/c/d;p?q#mine")).send());
    assert_eq!(site.seen().len(), 2);
    assert_eq!(site.peer.connections(), 1);
    (site.last().target, url)
}

/// The examples of RFC 3986 §5.4, normal and abnormal, as far as a client can send them; an empty
/// Location is none.
#[test]
fn a_location_is_resolved_as_rfc_3986_says() {
    for (location, target) in [
        ("g", "/b/c/g"),
        ("./g", "/b/c/g"),
        ("g/", "/b/c/g/"),
        ("/g", "/g"),
        ("?y", "/b/c/d;p?y"),
        ("g?y", "/b/c/g?y"),
        ("#s", "/b/c/d;p?q"),
        ("g#s", "/b/c/g"),
        ("g?y#s", "/b/c/g?y"),
        (";x", "/b/c/;x"),
        ("g;x", "/b/c/g;x"),
        ("g;x?y#s", "/b/c/g;x?y"),
        (".", "/b/c/"),
        ("./", "/b/c/"),
        ("..", "/b/"),
        ("../", "/b/"),
        ("../g", "/b/g"),
        ("../..", "/"),
        ("../../", "/"),
        ("../../g", "/g"),
        ("../../../g", "/g"),
        ("../../../../g", "/g"),
        ("/./g", "/g"),
        ("/../g", "/g"),
        ("g.", "/b/c/g."),
        (".g", "/b/c/.g"),
        ("g..", "/b/c/g.."),
        ("..g", "/b/c/..g"),
        ("./../g", "/b/g"),
        ("./g/.", "/b/c/g/"),
        ("g/./h", "/b/c/g/h"),
        ("g/../h", "/b/c/h"),
        ("g;x=1/./y", "/b/c/g;x=1/y"),
        ("g;x=1/../y", "/b/c/y"),
        ("g?y/./x", "/b/c/g?y/./x"),
        ("g?y/../x", "/b/c/g?y/../x"),
        ("g#s/../x", "/b/c/g"),
    ] {
        assert_eq!(resolved(location.as_bytes()).0, target, "for {location:?}");
    }
}

#[test]
fn a_location_may_name_the_host_without_the_scheme() {
    let goal = Site::new(goal);
    let site = Site::leading_to("302 Found", format!("//{}/goal?q", goal.peer.addr()));
    let url = reach(Client::new().get(site.url("/")).send());
    assert_eq!(url.as_str(), goal.url("/goal?q"));
    assert_eq!(goal.targets(), ["/goal?q"]);
}

#[test]
fn a_fragment_is_inherited_unless_the_location_has_one() {
    for (location, fragment) in
        [("/goal", Some("mine")), ("/goal#own", Some("own")), ("#own", Some("own")), ("?y", Some("mine"))]
    {
        let (_, url) = resolved(location.as_bytes());
        assert_eq!(url.fragment(), fragment, "for {location:?}");
    }
}

#[test]
fn what_a_location_may_not_hold_raw_is_percent_encoded_and_what_is_encoded_is_kept() {
    for (location, target) in [
        (&b"/a b"[..], "/a%20b"),
        (b"/a?b c", "/a?b%20c"),
        ("/gr\u{fc}n".as_bytes(), "/gr%C3%BCn"),
        ("/?q=\u{fc}".as_bytes(), "/?q=%C3%BC"),
        (b"/gr\xfcn", "/gr%FCn"),
        (b"/%7Ea%2fb%2F%20", "/%7Ea%2fb%2F%20"),
        (b"/100%", "/100%"),
        (b"/a%20b?c%20d", "/a%20b?c%20d"),
    ] {
        let shown = location.escape_ascii();
        assert_eq!(resolved(location).0, target, "for {shown}");
    }
}

#[test]
fn the_response_knows_the_way_it_came() {
    let site = Site::new(|request| match request.target.as_str() {
        "/1" => redirect("301 M", "/2"),
        "/2" => redirect("307 T", "/3"),
        _ => goal(request),
    });
    let client = Client::new();
    let response = client.get(site.url("/1")).send().expect("followed");
    let way: Vec<&str> = response.redirects().iter().map(Url::as_str).collect();
    assert_eq!(way, [site.url("/1"), site.url("/2")]);
    assert_eq!(response.url().as_str(), site.url("/3"));
    let direct = client.get(site.url("/3")).send().expect("no redirect");
    assert!(direct.redirects().is_empty());
}

// ---- what is not followed ----

#[test]
fn schemes_that_are_not_http_are_refused() {
    for location in [
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "data:,x",
        "javascript:alert(1)",
        "mailto:a@b",
        "gopher://127.0.0.1:70/",
    ] {
        let site = Site::leading_to("302 Found", location);
        assert_refused(Client::new().get(site.url("/")).send(), location);
        assert_eq!(site.targets(), ["/"]);
    }
}

#[test]
fn locations_that_name_no_url_are_refused() {
    for location in [
        &b"http://"[..],
        b"http://127.0.0.1:99999/",
        b"http://[::1/",
        b"http://127.0.0.1:0/",
        b"http:evil.test",
        b"http:///evil.test",
        b"//",
        b"\\\\evil.test/",
        b"/\\evil.test/",
    ] {
        let site = Site::leading_to("302 Found", location);
        let shown = location.escape_ascii().to_string();
        assert_refused(Client::new().get(site.url("/")).send(), &shown);
        assert_eq!(site.targets(), ["/"], "{shown}");
    }
}

#[test]
fn a_location_that_is_refused_is_shown_unless_it_may_hold_a_password() {
    let error = |location: &str| {
        let site = Site::leading_to("302 Found", location);
        Client::new().get(site.url("/")).send().map(|_| ()).expect_err(location).to_string()
    };
    let shown = error("ftp://a.test/\u{e9}");
    assert!(shown.contains(r#"Location "ftp://a.test/\xc3\xa9": "#), "{shown}");
    let hidden = error("ftp://me:s3cret@a.test/");
    assert!(hidden.contains(r#"Location "ftp://***@a.test/": "#) && !hidden.contains("s3cret"), "{hidden}");
    let odd = error("http:/img@2x.png");
    assert!(odd.contains(r#"Location "http:/img@2x.png": "#), "{odd}");
    let hidden = error("http:/me:s3cret@a.test/");
    assert!(hidden.contains("Location (with userinfo): ") && !hidden.contains("s3cret"), "{hidden}");
}

/// What comes of a GET that is redirected, and where it led. There is no TLS in it: the streams of a
/// script are secure, which is enough for the client.
fn led(from: &str, to: &str, allow_https_downgrade: bool) -> (Result<Response>, Vec<String>) {
    let redirect = redirect("302 Found", to);
    let script = Script::new().connection(connection().exchange(raw(redirect))).on("*", reply(200).body("here"));
    let client = Client::builder().connector(script.clone()).allow_https_downgrade(allow_https_downgrade).build();
    (client.get(from).send(), script.seen().iter().map(Seen::url).collect())
}

#[test]
fn https_does_not_lead_to_http_unless_you_allow_it() {
    let (sent, led_to) = led("https://a.test/", "http://a.test/", false);
    assert_refused(sent, "from https to http");
    assert_eq!(led_to, ["https://a.test/"]);
    for (from, to, allowed) in [
        ("https://a.test/", "http://b.test/", true),
        ("https://a.test/", "https://b.test/", false),
        ("http://a.test/", "https://b.test/", false),
        ("http://a.test/", "http://b.test/", false),
    ] {
        let (sent, led_to) = led(from, to, allowed);
        assert_eq!(reach(sent).as_str(), to);
        assert_eq!(led_to, [from, to]);
    }
}

#[cfg(not(feature = "__rustls"))]
#[test]
fn https_without_tls_is_an_error_that_names_the_feature() {
    let site = Site::leading_to("302 Found", "https://127.0.0.1/x");
    for url in [site.url("/"), "https://127.0.0.1/".to_owned()] {
        let error = Client::new().get(url).send().expect_err("there is no TLS here");
        assert_eq!(error.kind(), ErrorKind::UnsupportedScheme, "{error}");
        assert!(error.to_string().contains("feature `tls`"), "{error}");
    }
}

#[test]
fn two_unlike_locations_are_refused_and_two_alike_are_one() {
    let twice = |first: &str, second: &str| {
        let fields = format!("Location: {first}\r\nlocation: {second}\r\n");
        let redirect = answer("302 Found", &fields, "");
        Site::new(move |request| match request.target.as_str() {
            "/" => redirect.clone().into_bytes(),
            _ => goal(request),
        })
    };
    let unlike = twice("/one", "/two");
    let sent = Client::new().get(unlike.url("/")).send();
    assert_refused(sent, "two unlike Location lines");
    assert_eq!(unlike.targets(), ["/"]);
    let alike = twice("/one", "/one");
    reach(Client::new().get(alike.url("/")).send());
    assert_eq!(alike.targets(), ["/", "/one"]);
}

#[test]
fn a_3xx_that_is_no_redirect_is_just_a_response() {
    for (head, status) in [
        ("302 Found\r\nContent-Length: 3\r\n", 302),
        ("300 Choices\r\nLocation: /goal\r\nContent-Length: 3\r\n", 300),
        ("305 Use Proxy\r\nLocation: /goal\r\nContent-Length: 3\r\n", 305),
        ("306 Unused\r\nLocation: /goal\r\nContent-Length: 3\r\n", 306),
        ("399 Odd\r\nLocation: /goal\r\nContent-Length: 3\r\n", 399),
        ("201 Created\r\nLocation: /goal\r\nContent-Length: 3\r\n", 201),
        ("304 Not Modified\r\nLocation: /goal\r\n", 304),
    ] {
        let body = if status == 304 { "" } else { "yes" };
        let site = Site::new(move |_| format!("HTTP/1.1 {head}\r\n{body}"));
        let response = Client::new().get(site.url("/")).send();
        let response = response.unwrap_or_else(|error| panic!("{head}: {error}"));
        assert_eq!(response.status(), status);
        assert!(response.redirects().is_empty());
        assert_eq!(response.text().expect("text"), body, "{head}");
        assert_eq!(site.targets(), ["/"], "{head}");
    }
}

// ---- how many ----

/// `/3` leads to `/2`, `/1`, and `/0` is the goal.
fn countdown() -> Site {
    Site::new(|request| {
        let left: u32 = request.target[1..].parse().expect("a number");
        match left.checked_sub(1) {
            Some(next) => redirect("302 Found", format!("/{next}")),
            None => goal(request),
        }
    })
}

#[test]
fn max_redirects_zero_hands_out_the_redirect() {
    let site = countdown();
    let get = Client::new().get(site.url("/3")).max_redirects(0);
    let response = get.send().expect("a 3xx is no error");
    assert_eq!(response.status(), 302);
    assert_eq!(response.header("location"), Some("/2"));
    assert_eq!(response.url().as_str(), site.url("/3"));
    assert!(response.redirects().is_empty());
    assert_eq!(site.targets(), ["/3"]);
}

#[test]
fn exactly_so_many_redirects_are_followed_and_one_more_is_an_error() {
    let site = countdown();
    let client = Client::builder().max_redirects(3).build();
    reach(client.get(site.url("/3")).send());
    assert_eq!(site.seen().len(), 4);
    let error = client.get(site.url("/4")).send().expect_err("one too many");
    assert_eq!(error.kind(), ErrorKind::TooManyRedirects);
    assert_eq!(site.seen().len(), 8, "/4 /3 /2 /1, but not /0");
    reach(client.get(site.url("/4")).max_redirects(4).send());
}

#[test]
fn ten_redirects_are_followed_by_default_and_a_loop_ends() {
    let site = countdown();
    reach(Client::new().get(site.url("/10")).send());
    let error = Client::new().get(site.url("/11")).send();
    let error = error.expect_err("the eleventh");
    assert_eq!(error.kind(), ErrorKind::TooManyRedirects);
    let looping = Site::new(|_| redirect("301 M", "/"));
    let error = Client::new().get(looping.url("/")).send();
    let error = error.expect_err("a loop");
    assert_eq!(error.kind(), ErrorKind::TooManyRedirects);
    assert_eq!(looping.seen().len(), 11);
    assert_eq!(looping.peer.connections(), 1);
}

// ---- the body of a redirect, and the connections ----

/// A redirect whose body begins and never ends: in silence, or without pause.
fn endless_redirect(fields: &'static str, flooding: bool, goal: &Site) -> Peer {
    let location = goal.url("/goal");
    Peer::start(move |mut conn, _| {
        conn.request();
        conn.send(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n{fields}\r\n"));
        if flooding {
            while conn.send([b'x'; 4096]) {}
        } else {
            conn.wait_closed(LIMIT);
        }
    })
}

#[test]
fn the_body_of_a_redirect_is_not_waited_for() {
    for fields in ["Content-Length: 1000000000000\r\n", "Transfer-Encoding: chunked\r\n", ""] {
        for flooding in [true, false] {
            let goal = Site::new(goal);
            let peer = endless_redirect(fields, flooding, &goal);
            let start = Instant::now();
            reach(Client::new().get(peer.url("/")).send());
            let took = start.elapsed();
            assert!(took < SOON, "waited {took:?} for {fields:?}");
            assert_eq!(goal.targets(), ["/goal"]);
        }
    }
}

#[test]
fn the_connection_of_a_redirect_with_a_whole_body_is_used_for_the_next_hop() {
    let site = Site::new(|request| match request.target.as_str() {
        "/" => answer("302 Found", "Location: /goal\r\n", "moved").into_bytes(),
        _ => goal(request),
    });
    let client = Client::builder().max_connections_per_host(1).build();
    let response = client.get(site.url("/")).send().expect("followed");
    assert_eq!(response.connection().nth(), 2);
    assert_eq!(site.peer.connections(), 1);
}

#[test]
fn the_lease_of_a_hop_is_given_up_before_the_next_is_taken() {
    let peer = Peer::start(|mut conn, _| {
        let Some(request) = conn.request() else {
            return;
        };
        match request.target.as_str() {
            "/" => conn.send("HTTP/1.1 302 Found\r\nLocation: /goal\r\nContent-Length: 9\r\n\r\n"),
            _ => conn.send(ok("here")),
        };
        conn.wait_closed(LIMIT);
    });
    let client = Client::builder().max_connections_per_host(1).build();
    let start = Instant::now();
    reach(client.get(peer.url("/")).send());
    assert!(start.elapsed() < SOON);
    assert!(peer.saw_close(0));
    assert_eq!(peer.connections(), 2);
}

/// The body of a followed redirect's goal streams like any other.
#[test]
fn the_goal_is_read_like_any_response() {
    let site = Site::new(|request| match request.target.as_str() {
        "/" => redirect("302 F", "/goal"),
        _ => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhere\r\n0\r\n\r\n".as_bytes().to_vec(),
    });
    let mut response = Client::new().get(site.url("/")).send().expect("followed");
    let mut text = String::new();
    response.read_to_string(&mut text).expect("text");
    assert_eq!(text, "here");
    assert!(response.body().is_complete());
}
