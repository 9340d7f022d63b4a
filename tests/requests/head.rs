//! The request head as it stands on the wire, byte for byte, and that it leaves together with a
//! small body.

use longwire::script::{Script, reply};
use longwire::{Client, Headers, Method, Request};

use crate::support::peer::{Peer, Req, ok};
use crate::support::recorder::{arriving, recorder};
use crate::support::uncoded;

fn lines(request: &Req) -> Vec<String> {
    let text = String::from_utf8_lossy(&request.raw_head);
    let text = text.strip_suffix("\r\n\r\n").expect("a head ends with an empty line");
    text.split("\r\n").map(str::to_owned).collect()
}

/// The lines of the head that this builder's client would send.
fn wire(client: &Client, request: Request<'_>) -> Vec<String> {
    let bytes = client.to_wire(&request).expect("a head");
    let text = String::from_utf8(bytes).expect("ASCII");
    let text = text.strip_suffix("\r\n\r\n").expect("a head ends with an empty line");
    text.split("\r\n").map(str::to_owned).collect()
}

#[test]
fn a_plain_get_is_four_lines() {
    let (peer, requests) = recorder();
    let client = uncoded().user_agent("tests/1").build();
    client.get(peer.url("/a/b?c=d#not-sent")).send().unwrap();
    let expected =
        format!("GET /a/b?c=d HTTP/1.1\r\nHost: {}\r\nUser-Agent: tests/1\r\nAccept: */*\r\n\r\n", peer.addr());
    let requests = requests.lock().unwrap();
    assert_eq!(String::from_utf8_lossy(&requests[0].raw_head), expected);
}

#[test]
fn the_client_names_itself() {
    let request = arriving(|client, url| client.get(url).send());
    let agent = request.header("user-agent").expect("a User-Agent");
    assert_eq!(agent, concat!("longwire/", env!("CARGO_PKG_VERSION")));
}

#[test]
fn yours_come_last_in_your_order_and_spelling() {
    let request = arriving(|client, url| {
        let mut more = Headers::new();
        more.append("x-C", "3").unwrap();
        more.append("X-B", "4").unwrap();
        let request = client.post(url).header("X-B", "1").header("x-a", "2");
        request.headers(&more).header("X-B", "5").body("text").send()
    });
    let lines = lines(&request);
    assert_eq!(lines[0], "POST /path HTTP/1.1");
    assert!(lines[1].starts_with("Host: "), "{lines:?}");
    let yours = &lines[lines.len() - 5..];
    assert_eq!(yours, ["X-B: 1", "x-a: 2", "x-C: 3", "X-B: 4", "X-B: 5"]);
    assert_eq!(lines.len(), 10, "Host, User-Agent, Accept, Content-Length besides: {lines:?}");
}

#[test]
fn what_you_set_yourself_stands_alone() {
    for (name, value) in [("Host", "other.test:81"), ("user-agent", "mine"), ("ACCEPT", "text/plain")] {
        let request = arriving(|client, url| client.get(url).header(name, value).send());
        assert_eq!(request.count(name), 1, "{name}");
        assert_eq!(request.header(name), Some(value));
        assert!(lines(&request)[1].to_ascii_lowercase().starts_with("host:"));
        assert_eq!(lines(&request).len(), 4);
    }
}

#[test]
fn credentials_and_content_type_are_sent_once_and_the_last_word_counts() {
    let userinfo = arriving(|client, url| {
        let url = url.replace("//", "//from:url@");
        client.get(url).header("authorization", "Bearer mine").send()
    });
    let helper = arriving(|client, url| {
        client.get(url).basic_auth("from", Some("helper")).header("Authorization", "Bearer mine").send()
    });
    for request in [userinfo, helper] {
        assert_eq!((request.count("authorization"), request.header("authorization")), (1, Some("Bearer mine")));
    }
    let own_type = "application/x-www-form-urlencoded; charset=utf-8";
    let form = arriving(|client, url| client.post(url).form([("a", "b")]).header("content-type", own_type).send());
    assert_eq!((form.count("content-type"), form.header("content-type")), (1, Some(own_type)));
    let client = uncoded().default_header("Authorization", "a").default_header("authorization", "b").build();
    let lines = wire(&client, Request::new(Method::GET, "http://example.com/").unwrap());
    assert_eq!(&lines[4..], ["authorization: b"]);
}

#[test]
fn a_default_header_is_sent_unless_you_set_it_yourself() {
    let builder = Client::builder().default_header("X-Team", "red").default_header("Accept", "a/b");
    let client = builder.default_header("X-Plain", "yes").build();
    let get = || Request::new(Method::GET, "http://example.com/").unwrap();
    let lines = wire(&client, get());
    for line in ["X-Team: red", "Accept: a/b", "X-Plain: yes"] {
        assert_eq!(lines.iter().filter(|found| *found == line).count(), 1, "{lines:?}");
    }
    assert!(!lines.contains(&"Accept: */*".to_owned()));
    let mine = client.get("http://example.com/").header("x-team", "blue").build().unwrap();
    let lines = wire(&client, mine);
    assert!(lines.contains(&"x-team: blue".to_owned()) && lines.contains(&"X-Plain: yes".to_owned()));
    assert!(!lines.contains(&"X-Team: red".to_owned()), "{lines:?}");
}

#[test]
fn to_wire_is_what_is_sent() {
    let (peer, requests) = recorder();
    let client = Client::builder().default_header("X-Team", "red").build();
    let build = || {
        let request = client.post(peer.url("/p?q=1")).header("X-Mine", "a").basic_auth("me", Some("secret"));
        request.query("r", "s t").body("text").build().unwrap()
    };
    let wire = client.to_wire(&build()).unwrap();
    client.send(build()).unwrap();
    let requests = requests.lock().unwrap();
    assert_eq!(String::from_utf8_lossy(&wire), String::from_utf8_lossy(&requests[0].raw_head));
}

#[test]
fn host_is_the_authority_without_a_default_port() {
    let client = Client::new();
    for (url, host) in [
        ("http://example.com/", "example.com"),
        ("http://example.com:80/", "example.com"),
        ("http://EXAMPLE.com:8080/", "example.com:8080"),
        ("http://[::1]/", "[::1]"),
        ("http://[::1]:8080/", "[::1]:8080"),
        ("http://127.0.0.1:81/", "127.0.0.1:81"),
        ("http://user:secret@example.com/", "example.com"),
        ("http://bücher.example/", "xn--bcher-kva.example"),
    ] {
        let lines = wire(&client, Request::new(Method::GET, url).unwrap());
        assert_eq!(lines[1], format!("Host: {host}"), "{url}");
    }
}

#[test]
fn the_target_is_path_and_query() {
    let client = Client::new();
    for (url, target) in [
        ("http://example.com", "/"),
        ("http://example.com?a", "/?a"),
        ("http://example.com/a/../b/./c", "/b/c"),
        ("http://example.com/a%20b?c%20d#e", "/a%20b?c%20d"),
        ("http://example.com/ä", "/%C3%A4"),
    ] {
        let lines = wire(&client, Request::new(Method::GET, url).unwrap());
        assert_eq!(lines[0], format!("GET {target} HTTP/1.1"), "{url}");
    }
}

#[test]
fn a_query_is_encoded() {
    let client = Client::new();
    let request = client.get("http://example.com/?a=b").query("c d", "e&f=é");
    let request = request.build().unwrap();
    let pairs: Vec<(String, String)> = request.url().query_pairs().into_owned().collect();
    let expected = [("a", "b"), ("c d", "e&f=é")];
    assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let target = wire(&client, request)[0].clone();
    assert!(target.is_ascii() && target.split(' ').count() == 3, "{target}");
}

#[test]
fn credentials_are_encoded() {
    let client = Client::new();
    let get = || client.get("http://example.com/");
    let cases = [
        (get().basic_auth("Aladdin", Some("open sesame")), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        (get().basic_auth("Aladdin", None), "Basic QWxhZGRpbjo="),
        (get().bearer_auth("token-1"), "Bearer token-1"),
    ];
    for (request, value) in cases {
        let lines = wire(&client, request.build().unwrap());
        assert!(lines.contains(&format!("Authorization: {value}")), "{lines:?}");
    }
}

#[test]
fn head_and_small_body_leave_in_one_write() {
    let script = Script::answering(reply(200).body("x"));
    let client = script.client();
    for (exchange, length) in [0, 1, 100, 1_000, 8_000].into_iter().enumerate() {
        let body = "x".repeat(length);
        client.post("http://memory.test/").body(&body).send().unwrap().bytes().unwrap();
        let seen = &script.seen()[exchange];
        assert_eq!((seen.line(), seen.writes()), ("POST /".to_owned(), 1), "a body of {length}");
        assert_eq!(seen.body(), body.as_bytes());
    }
}

#[test]
fn a_server_finds_head_and_small_body_in_one_read() {
    let peer = Peer::start(|mut conn, _| {
        loop {
            let read = conn.read_some();
            if read.is_empty() {
                return;
            }
            conn.note(format!("{}", read.ends_with(b"\r\n\r\nsmall body")));
            conn.send(ok("x"));
        }
    });
    let client = Client::new();
    for _ in 0..20 {
        client.post(peer.url("/")).body("small body").send().unwrap().bytes().unwrap();
    }
    let notes = peer.events().into_iter().filter_map(|event| match event {
        crate::support::peer::Event::Note(_, text) => Some(text),
        _ => None,
    });
    assert_eq!(notes.collect::<Vec<_>>(), ["true"; 20]);
}

#[test]
fn a_custom_method_goes_out_as_it_is() {
    let request = arriving(|client, url| client.request(Method::new("M-SEARCH").unwrap(), url).send());
    assert_eq!(request.method, "M-SEARCH");
}
