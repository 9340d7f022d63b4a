//! What is refused when a request is built, before a single byte leaves, and what must never be
//! seen of it (credentials).

use longwire::{Client, ErrorKind, Fate, Headers, Method, Request, RequestBuilder, SendBody, Stage};

use crate::support::peer::Refusing;
use crate::support::recorder::{arriving, recorder};

const URL: &str = "http://127.0.0.1:9/"; // never reached

fn post() -> RequestBuilder<'static> {
    Client::new().post(URL)
}

#[track_caller]
fn assert_invalid(request: RequestBuilder<'_>, what: &str) {
    let error = request.build().expect_err(what);
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{what}: {error}");
    assert_eq!(error.stage(), Stage::Request);
    assert_eq!(error.fate(), Fate::NotSent);
}

#[track_caller]
fn assert_valid(request: RequestBuilder<'_>, what: &str) {
    if let Err(error) = request.build() {
        panic!("{what} is refused: {error}");
    }
}

#[test]
fn what_the_client_must_decide_itself_cannot_be_set() {
    for (name, value) in [
        ("Transfer-Encoding", "chunked"),
        ("transfer-encoding", "identity"),
        ("TE", "gzip"),
        ("Trailer", "X-Sum"),
        ("Expect", "now"),
    ] {
        assert_invalid(post().header(name, value).body("text"), name);
    }
}

#[test]
fn content_length_can_only_be_the_bodys() {
    for wrong in ["5", "3", "-4", "+4", "4, 4", "0x4", "", "x"] {
        assert_invalid(post().body("text").header("Content-Length", wrong), wrong);
        assert_invalid(post().header("content-length", wrong).body("text"), wrong);
    }
    let reader = || SendBody::reader(std::io::empty());
    assert_invalid(post().body(reader()).header("Content-Length", "0"), "a reader's length");
    let request = arriving(|client, url| client.post(url).header("Content-Length", "4").body("text").send());
    assert_eq!(request.count("content-length"), 1);
    assert_eq!(request.body, b"text");
}

#[test]
fn connection_lists_what_is_known_and_upgrade_together_with_upgrade() {
    for wrong in ["x-hop", "close, x-hop", "upgrade", "close\tclose"] {
        assert_invalid(post().header("Connection", wrong), wrong);
    }
    assert_valid(post().header("Connection", "te, keep-alive").header("TE", "trailers"), "TE");
    assert_valid(post().header("Connection", "keep-alive"), "keep-alive");
    assert_valid(post().header("Connection", "close"), "close");
    assert_valid(post().header("Connection", "Close"), "Close");
    assert_valid(post().header("Connection", "upgrade").header("Upgrade", "echo"), "upgrade");
    assert_valid(post().header("Upgrade", "echo").header("connection", "Upgrade"), "upgrade");
}

#[test]
fn host_is_one_valid_authority() {
    for wrong in ["", "a b", "a/b", "user@a", "a:x", "a:1:2", "a\\b", "a#b", "a?b"] {
        assert_invalid(post().header("Host", wrong), wrong);
    }
    assert_invalid(post().header("Host", "a").header("host", "a"), "two of them");
    for right in ["a", "a.b:80", "127.0.0.1", "[::1]:81", "a-b_c~d"] {
        assert_valid(post().header("Host", right), right);
    }
}

#[test]
fn a_header_cannot_carry_another_line() {
    for wrong in ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rb", "a\0b", "\r\n", "a\r\n", "\x01", "\x7f", "a\x1bb"] {
        assert_invalid(post().header("X-A", wrong), wrong);
        assert_invalid(post().bearer_auth(wrong), wrong);
        let headers = Headers::new().append("X-A", wrong);
        assert_eq!(headers.unwrap_err().kind(), ErrorKind::InvalidRequest, "{wrong:?}");
    }
    for wrong in ["", "a b", "a:b", "a\r\nb", "ä", "a\0", "a(b", "a,b", " a", "a\t", "\"a\""] {
        assert_invalid(post().header(wrong, "1"), wrong);
    }
}

#[test]
fn a_client_with_a_bad_default_refuses_every_request() {
    let (peer, _) = recorder();
    for client in [
        Client::builder().default_header("X-A", "a\r\nb").build(),
        Client::builder().default_header("a b", "1").build(),
        Client::builder().default_header("Transfer-Encoding", "chunked").build(),
        Client::builder().user_agent("a\nb").build(),
    ] {
        for _ in 0..2 {
            let error = client.get(peer.url("/")).send().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        }
    }
    assert_eq!(peer.connections(), 0);
}

#[test]
fn header_values_may_be_any_visible_bytes_and_lose_their_outer_blanks() {
    let request = arriving(|client, url| {
        let request = client.get(url).header("X-Bytes", b"a\tb \x80\xff~!");
        request.header("X-Blank", " \t inner blank \t").header("X-Empty", "").send()
    });
    let head = &request.raw_head;
    for line in [&b"\r\nX-Bytes: a\tb \x80\xff~!\r\n"[..], b"\r\nX-Blank: inner blank\r\n"] {
        assert!(head.windows(line.len()).any(|window| window == line), "{}", head.escape_ascii());
    }
    assert_eq!(request.header("x-empty"), Some(""));
}

#[test]
fn a_method_is_a_token_and_not_connect() {
    for wrong in ["", "GE T", "GET\r\nX-Evil: 1", "GET /", "\u{e4}", "G\0", "G:"] {
        let error = Method::new(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{wrong:?}");
    }
    let error = Request::new(Method::CONNECT, URL).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_invalid(Client::new().request(Method::CONNECT, URL), "CONNECT");
}

#[test]
fn a_url_is_not_repaired() {
    for wrong in [
        "",
        "/",
        "example.com",
        "//example.com/",
        "http:",
        "http:/example.com/",
        "http:example.com",
        "http://",
        "http:///example.com/",
        "http:\\\\example.com\\",
        "http:/\\example.com/",
        "http://example.com\\@evil.test/",
        "http://evil.test\\/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:70000/",
        "http://example.com:-1/",
        "http://example.com:+80/",
        "http://example.com:8x/",
        "http://[::1/",
        "http://::1/",
        "http://a b/",
        "http://example.com/a b",
        "http://example.com/\r\nX-Evil: 1",
        "http://example.com/\n",
        "http://exam\tple.com/",
        "http://example.com/\0",
        "http://example.com/\x7f",
        " http://example.com/",
        "http://example.com/ ",
        "http://example.com/#\r\n",
        "http://user:pass word@example.com/",
        "http://:80/",
        "http://user@/",
    ] {
        let error = Client::new().get(wrong).build().expect_err(wrong);
        assert_eq!(error.kind(), ErrorKind::InvalidUrl, "{wrong:?}: {error}");
        let error = Request::new(Method::GET, wrong).map(|_| ()).expect_err(wrong);
        assert_eq!(error.kind(), ErrorKind::InvalidUrl, "{wrong:?}: {error}");
    }
}

#[test]
fn a_scheme_that_is_not_spoken_is_named() {
    for url in ["ftp://example.com/", "ws://example.com/", "gopher://example.com/"] {
        let error = Client::new().get(url).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedScheme, "{url}");
    }
}

#[test]
fn the_first_mistake_is_the_one_that_is_reported() {
    let request = Client::new().get("http:evil").header("a b", "1");
    assert_eq!(request.send().unwrap_err().kind(), ErrorKind::InvalidUrl);
    let request = post().header("TE", "deflate").header("X-A", "fine").body("text");
    let message = request.send().unwrap_err().to_string();
    assert!(message.contains("TE"), "{message}");
}

#[test]
fn userinfo_becomes_basic_auth_and_is_seen_nowhere() {
    let (peer, requests) = recorder();
    let url = peer.url("/").replace("http://", "http://us%65r:p%40ss%3Aword@");
    let client = Client::new();
    let request = client.get(&url).build().unwrap();
    assert_eq!(request.url().as_str(), peer.url("/"));
    let shown = format!("{request:?}");
    for secret in ["p%40ss", "p@ss", "dXNlcjpwQHNzOndvcmQ="] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let response = client.send(request).unwrap();
    assert_eq!(response.url().as_str(), peer.url("/"));
    assert!(!format!("{response:?}").contains("p@ss"));
    let requests = requests.lock().unwrap();
    let expected = "Basic dXNlcjpwQHNzOndvcmQ="; // user:p@ss:word
    assert_eq!(requests[0].header("authorization"), Some(expected));
    assert_eq!(requests[0].header("host"), Some(peer.addr().to_string().as_str()));
}

#[test]
fn an_error_shows_no_userinfo() {
    let refusing = Refusing::start();
    let gone = refusing.addr();
    let url = format!("http://user:secret@{gone}/");
    let error = Client::new().get(&url).send().unwrap_err();
    assert_eq!(error.url().map(|url| url.as_str().to_owned()), Some(format!("http://{gone}/")));
    for bad in [url.clone() + "\r\n", url.replace("http:", "gopher:"), url.replace(":secret", ":secret@@\\")] {
        let error = Client::new().get(&bad).send().unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn debug_shows_no_secret_headers() {
    let request = post().basic_auth("me", Some("secret-1")).header("Cookie", "secret-2");
    let request = request.header("X-Api-Key", "secret-3").header("Accept-Language", "de").build();
    let request = request.unwrap();
    let shown = format!("{request:?} {:?}", request.headers());
    assert!(!shown.contains("secret") && !shown.contains("bWU6"), "{shown}");
    assert!(shown.contains("X-Api-Key") && shown.contains("de"), "{shown}");
}

#[test]
fn a_host_that_is_not_ascii_is_refused() {
    let built = Client::new().get(URL).header("Host", "b\u{fc}cher.example").build();
    assert_eq!(built.unwrap_err().kind(), ErrorKind::InvalidRequest);
}

#[test]
fn trace_has_no_body() {
    let built = Client::new().request(Method::TRACE, URL).body("x").build();
    assert_eq!(built.unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert!(Client::new().request(Method::TRACE, URL).build().is_ok());
}

/// The server sends back what it gets.
#[test]
fn trace_carries_no_secrets() {
    let trace = |url: &str| Client::new().request(Method::TRACE, url);
    let by_default = Client::builder().default_header("Cookie", "a=b").build();
    let carrying = [
        trace(URL).basic_auth("me", Some("secret")).send(),
        trace(URL).bearer_auth("secret").send(),
        trace(URL).header("proxy-authorization", "secret").send(),
        trace(&URL.replace("://", "://me:secret@")).send(),
        by_default.request(Method::TRACE, URL).send(),
    ];
    for sent in carrying {
        let error = sent.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert!(error.to_string().contains("TRACE must not carry"), "{error}");
    }
}

#[test]
fn a_secret_in_the_name_of_a_field_is_not_shown() {
    for (name, want) in [
        (
            "Authorization: Bearer s3cret",
            "header name \"Authorization\" is followed by ':', which no field name may have",
        ),
        ("\r\ns3cret", "header name \"\" is followed by '\\r', which no field name may have"),
        ("", "a header name is empty"),
    ] {
        let error = Client::new().get(URL).header(name, "").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().starts_with(want), "{error}");
        assert!(!format!("{error:?} {error}").contains("s3cret"), "{error:?}");
    }
}

#[test]
fn what_a_client_adds_is_checked_like_what_a_request_has() {
    let client = Client::builder().default_header("Connection", "upgrade").build();
    let error = client.to_wire(&client.get(URL).build().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let whole = client.get(URL).header("Upgrade", "x").build().unwrap();
    assert!(client.to_wire(&whole).is_ok());
    let error = Client::new().to_wire(&whole).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "Upgrade alone, RFC 9110 §7.8");

    let client = Client::builder().default_header("Content-Length", "0").build();
    let wire = client.to_wire(&client.get(URL).build().unwrap()).unwrap();
    assert_eq!(String::from_utf8(wire).unwrap().matches("Content-Length: 0\r\n").count(), 1, "as it is sent");

    let client = Client::builder().default_header("Host", "one.test").default_header("Host", "two.test").build();
    let wire = client.to_wire(&client.get(URL).build().unwrap()).unwrap();
    let wire = String::from_utf8(wire).unwrap();
    assert_eq!(wire.matches("Host: ").count(), 1, "{wire}");
    assert!(wire.contains("Host: two.test\r\n"), "the last one counts: {wire}");
}
