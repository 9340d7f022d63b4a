//! What other clients let their callers send, and what devices and older servers do with it: fields
//! set by hand, `Expect` and the 417 to it, targets with odd characters, limits that have passed.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use longwire::{Client, ErrorKind, Event, Fate, Headers, Response, SendBody, Stage, Url};

use crate::support::peer::{Conn, LIMIT, Peer, Req, answer, ok};

/// Answers everything with the request's own head, and counts connections.
fn echoing() -> Peer {
    Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            conn.send(ok(&head_of(&request)));
        }
    })
}

fn head_of(request: &Req) -> String {
    String::from_utf8_lossy(&request.raw_head).into_owned()
}

fn text(response: longwire::Result<Response>) -> String {
    response.expect("a response").text().expect("a text")
}

/// An HTTP/1.0 server that keeps the connection if it is asked to, and announces that.
fn http_1_0() -> Peer {
    Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let keeps = request.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("keep-alive"));
            let field = if keeps { "Connection: keep-alive\r\n" } else { "" };
            let sent = head_of(&request);
            conn.send(format!("HTTP/1.0 200 OK\r\n{field}Content-Length: {}\r\n\r\n{sent}", sent.len()));
            if !keeps {
                return;
            }
        }
    })
}

#[test]
fn keep_alive_set_by_hand_keeps_a_connection_of_http_1_0() {
    let peer = http_1_0();
    let client = Client::new();
    for _ in 0..3 {
        let request = client.get(peer.url("/")).header("Connection", "keep-alive").basic_auth("me", Some("secret"));
        let mut response = request.send().expect("a response");
        let (mut body, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let count = response.read(&mut buffer).expect("content");
            if count == 0 {
                break;
            }
            body.extend_from_slice(&buffer[..count]);
        }
        let head = String::from_utf8(body).expect("ASCII");
        assert_eq!(head.matches("Connection: keep-alive\r\n").count(), 1, "{head}");
        assert!(head.contains("Authorization: Basic bWU6c2VjcmV0\r\n"), "{head}");
    }
    assert_eq!(peer.connections(), 1);
    let by_default = Client::builder().default_header("Connection", "Keep-Alive").build();
    (0..3).for_each(|_| drop(text(by_default.get(peer.url("/")).send())));
    assert_eq!(peer.connections(), 2);
    (0..3).for_each(|_| drop(text(Client::new().get(peer.url("/")).send())));
    assert_eq!(peer.connections(), 5, "nothing was sent");
}

#[test]
fn fields_of_other_clients_are_sent_as_they_are() {
    let peer = echoing();
    let mut copied = Headers::new();
    for (name, value) in [
        ("Connection", "keep-alive"),
        ("Keep-Alive", "timeout=5, max=100"),
        ("Proxy-Connection", "keep-alive"),
        ("TE", "trailers"),
        ("User-Agent", ""),
    ] {
        copied.append(name, value).expect("a field");
    }
    let client = Client::new();
    let head = text(client.get(peer.url("/")).headers(&copied).send());
    for line in [
        "Connection: TE",
        "Connection: keep-alive",
        "Keep-Alive: timeout=5, max=100",
        "Proxy-Connection: keep-alive",
        "TE: trailers",
    ] {
        assert_eq!(head.lines().filter(|other| *other == line).count(), 1, "{line}: {head}");
    }
    assert!(!head.contains("User-Agent"), "{head}");
    assert!(text(client.get(peer.url("/")).header("Connection", "keep-alive, close").send()).contains(", close"));
    text(client.get(peer.url("/")).send());
    assert_eq!(peer.connections(), 2, "close closes, wherever it stands in the list");
}

#[test]
fn trailers_come_to_who_asks_for_them() {
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let wants = request.header("TE") == Some("trailers") && request.header("Connection") == Some("TE");
            let trailer = if wants { "X-Sum: 7\r\n" } else { "" };
            conn.send(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n{trailer}\r\n"));
        }
    });
    let client = Client::new();
    for (asks, want) in [(true, Some("7")), (false, None), (true, Some("7"))] {
        let request = client.get(peer.url("/"));
        let request = if asks { request.header("TE", "trailers") } else { request };
        let mut body = request.send().expect("a response").into_body();
        assert_eq!(std::io::read_to_string(&mut body).expect("content"), "ok");
        assert_eq!(body.trailers().get("x-sum"), want);
    }
    assert_eq!(peer.connections(), 1);
}

#[test]
fn a_coding_or_a_length_by_hand_that_is_the_bodys_is_sent_once() {
    let peer = echoing();
    let client = Client::new();
    let stream = client.post(peer.url("/")).header("Transfer-Encoding", "chunked").body(SendBody::reader(&b"x"[..]));
    let head = text(stream.send());
    assert_eq!((head.matches("chunked").count(), head.matches("Content-Length").count()), (1, 0), "{head}");
    let sized = client.post(peer.url("/")).header("content-length", "2").body(SendBody::sized_reader(&b"ab"[..], 2));
    let head = text(sized.send());
    assert_eq!(head.to_lowercase().matches("content-length: 2\r\n").count(), 1, "{head}");
    assert_eq!(peer.connections(), 1);
}

// ---- Expect, and what a server replies to it

/// What became of a POST with a body to a server that sends this after its head, and nothing of a body.
fn refusing(after: impl Fn(&mut Conn) + Send + Sync + 'static) -> Peer {
    Peer::start(move |mut conn, index| match index {
        0 => {
            let head = conn.head().expect("a request");
            assert_eq!(head.header("Expect"), Some("100-continue"));
            after(&mut conn);
        }
        _ => {
            while let Some(request) = conn.request() {
                assert_eq!(request.header("Expect"), None);
                conn.send(ok(&String::from_utf8_lossy(&request.body)));
            }
        }
    })
}

const EXPECTATION_FAILED: &str = "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n";

const EXPECTATION_FAILED_CLOSE: &str =
    "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[test]
fn a_417_is_repeated_without_expect_on_a_new_connection() {
    let closing = |conn: &mut Conn| {
        conn.send(EXPECTATION_FAILED_CLOSE);
    };
    // It goes on to discard what was announced, whatever it is.
    let discarding = |conn: &mut Conn| {
        conn.send(EXPECTATION_FAILED);
        conn.wait_closed(LIMIT);
    };
    for peer in [refusing(closing), refusing(discarding)] {
        let (retries, seen) = mpsc::channel();
        let observer = move |event: &Event<'_>| {
            if let Event::Retry { error, .. } = event {
                let _ = retries.send((error.kind(), error.status().map(|status| status.as_u16())));
            }
        };
        let client = Client::builder().observer(Watching(observer)).build();
        let request = client.post(peer.url("/")).header("Expect", "100-continue").body("the body");
        assert_eq!(text(request.send()), "the body");
        assert_eq!(peer.connections(), 2);
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), [(ErrorKind::Status, Some(417))]);
    }
}

#[test]
fn a_417_is_repeated_once_and_only_where_the_body_can_be() {
    let peer = Peer::start(|mut conn, _| {
        conn.head();
        conn.send(EXPECTATION_FAILED_CLOSE);
        conn.wait_closed(LIMIT);
    });
    let client = Client::new();
    let twice = client.post(peer.url("/")).body("x").expect_continue(LIMIT).send().expect("the second 417");
    assert_eq!((twice.status().as_u16(), peer.connections()), (417, 2));
    // The body's reader was not touched: it is as good as new.
    let stream = client.post(peer.url("/")).body(SendBody::reader(&b"x"[..])).expect_continue(LIMIT).send();
    assert_eq!((stream.expect("the second").status().as_u16(), peer.connections()), (417, 4));
    let unasked = client.post(peer.url("/")).body("x").send().expect("a 417");
    assert_eq!((unasked.status().as_u16(), peer.connections()), (417, 5), "nothing was expected");
}

/// A 417 after the 100, or to a body that was sent since nothing came in time, is about the body.
#[test]
fn a_417_to_a_body_that_was_sent_is_the_response() {
    let peer = Peer::start(|mut conn, _| {
        let head = conn.head().expect("a request");
        if head.target == "/continue" {
            conn.send("HTTP/1.1 100 Continue\r\n\r\n");
        }
        let body = conn.body(&head).expect("a body");
        conn.note(format!("{} {}", head.target, body.len()));
        conn.send(EXPECTATION_FAILED_CLOSE);
    });
    let client = Client::new();
    for (target, patience) in [("/continue", LIMIT), ("/late", Duration::from_millis(10))] {
        let request = client.post(peer.url(target)).body(vec![7; 300_000]).expect_continue(patience);
        let response = request.send().expect("the 417");
        assert_eq!((response.status().as_u16(), response.is_request_complete()), (417, true));
        assert!(peer.wait_until(|events| events.contains(&crate::support::peer::Event::Closed(peer_count(target)))));
    }
    assert_eq!(peer.notes(), ["/continue 300000", "/late 300000"], "each once");
}

fn peer_count(target: &str) -> usize {
    usize::from(target == "/late")
}

#[test]
fn a_417_after_a_dead_connection_is_repeated_too() {
    let peer = Peer::start(|mut conn, index| match index {
        0 => {
            conn.request();
            conn.send(ok("warm"));
            conn.head(); // and it dies without a word
            conn.reset();
        }
        1 => {
            conn.head();
            conn.send(EXPECTATION_FAILED_CLOSE);
        }
        _ => {
            conn.request();
            conn.send(ok("at last"));
        }
    });
    let client = Client::new();
    assert_eq!(text(client.get(peer.url("/")).send()), "warm");
    assert_eq!(text(client.put(peer.url("/")).body("x").expect_continue(LIMIT).send()), "at last");
    assert_eq!(peer.connections(), 3);
}

struct Watching<F>(F);

impl<F: Fn(&Event<'_>) + Send + Sync> longwire::Observer for Watching<F> {
    fn event(&self, event: &Event<'_>) {
        (self.0)(event);
    }
}

// ---- nothing goes out that need not

#[test]
fn a_deadline_that_has_passed_sends_nothing() {
    let peer = echoing();
    let client = Client::new();
    text(client.get(peer.url("/warm")).send());
    for request in [client.post(peer.url("/late")).body("pay"), client.get(peer.url("/late"))] {
        let error = request.timeout(Duration::from_nanos(1)).send().expect_err("it is late");
        assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Timeout, Stage::Pool, Fate::NotSent));
        assert!(
            error.to_string().starts_with("before the request was sent: timeout of 1ns passed (P")
                || error.method().is_some_and(|method| method.as_str() == "GET"),
            "{error}"
        );
    }
    text(client.get(peer.url("/after")).send());
    assert_eq!(peer.request_lines(), ["GET /warm HTTP/1.1", "GET /after HTTP/1.1"]);
    assert_eq!(peer.connections(), 1, "the connection was not touched");
}

#[test]
fn a_redirect_without_a_location_is_the_response() {
    for location in ["", "  ", "\t"] {
        for status in ["301 Moved", "302 Found", "307 Temporary Redirect"] {
            let peer = Peer::answering(answer(status, &format!("Location: {location}\r\n"), ""));
            let response = Client::new().post(peer.url("/")).body("once").send().expect("the 3xx");
            assert_eq!(response.status().to_string(), status[..3]);
            assert_eq!(peer.request_lines().len(), 1, "{status} {location:?}");
        }
    }
}

#[test]
fn odd_characters_in_a_target_are_encoded_and_everybody_agrees_on_it() {
    let peer = echoing();
    let want = "/p%7Cq%5Er%5Bs%5D?%60t%7Bw%7D%22&a=~b+c";
    let given = peer.url("/p|q^r[s]?`t{w}\"");
    let client = Client::new();
    for request in [client.get(&given), client.get(Url::parse(&given).expect("url takes it"))] {
        let request = request.query("a", "~b c").build().expect("a request");
        assert_eq!(&request.url()[url::Position::BeforePath..], want);
        let head = client.to_wire(&request).expect("a head");
        assert!(head.starts_with(format!("GET {want} HTTP/1.1\r\n").as_bytes()));
        let response = client.send(request).expect("a response");
        assert_eq!(&response.url()[url::Position::BeforePath..], want);
        assert!(response.text().expect("a text").starts_with(&format!("GET {want} HTTP/1.1\r\n")));
    }
    let led = Peer::answering(answer("302 Found", &format!("Location: {}\r\n", peer.url("/a|b?c^d\\e")), ""));
    assert!(text(client.get(led.url("/")).send()).starts_with("GET /a%7Cb?c%5Ed%5Ce HTTP/1.1"));
}

#[test]
fn form_fields_are_taken_by_value_and_by_reference() {
    let peer = Peer::start(|mut conn, _| {
        while let Some(Req { body, .. }) = conn.request() {
            conn.send(ok(&String::from_utf8_lossy(&body)));
        }
    });
    let client = Client::new();
    let params = vec![("a".to_owned(), "1 ~".to_owned())];
    assert_eq!(text(client.post(peer.url("/")).form(&params).send()), "a=1+~");
    assert_eq!(text(client.post(peer.url("/")).form(params).send()), "a=1+~");
    assert_eq!(text(client.post(peer.url("/")).form(&[("a", "1"), ("b", "&")]).send()), "a=1&b=%26");
    assert_eq!(text(client.post(peer.url("/")).form([("a", "1")]).send()), "a=1");
    let map = std::collections::BTreeMap::from([("k", "v")]);
    assert_eq!(text(client.post(peer.url("/")).form(&map).send()), "k=v");
    let response = client.post(peer.url("/")).form(map).send().expect("a response");
    let names: Vec<&str> = response.headers().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Content-Length"]);
}

// ---- bodies

#[test]
fn clones_of_a_file_may_be_sent_at_the_same_time() {
    let path = std::env::temp_dir().join(format!("longwire-by-hand-{}", std::process::id()));
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    File::create(&path).and_then(|mut file| file.write_all(&content)).expect("a temporary file");
    let file = File::open(&path).expect("the file");
    std::fs::remove_file(&path).expect("it is there");
    let peer = Peer::start(|mut conn, _| {
        let request = conn.request().expect("a request");
        conn.send(answer("200 OK", "", ""));
        conn.note(format!(
            "{:x}",
            request.body.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte))
        ));
    });
    let client = Client::new();
    let clone = |_| client.put(peer.url("/")).body(file.try_clone().expect("a clone"));
    let requests: Vec<_> = (0..4).map(clone).collect();
    thread::scope(|scope| {
        for request in requests {
            scope.spawn(move || request.send().expect("a response"));
        }
    });
    let is_note = |event: &&crate::support::peer::Event| matches!(event, crate::support::peer::Event::Note(..));
    assert!(peer.wait_until(|events| events.iter().filter(is_note).count() == 4));
    let want = format!("{:x}", content.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte)));
    assert_eq!(peer.notes(), vec![want; 4]);
}

#[test]
fn a_body_that_comes_too_slowly_is_a_timeout_though_it_never_stalls() {
    const PER: Duration = Duration::from_millis(150);
    let dripping = Peer::start(|mut conn, _| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while conn.drip("x", Duration::from_millis(5)) {}
    });
    let client = Client::builder().min_speed(10_000, PER).build();
    for large in [false, true] {
        let mut response = client.get(dripping.url("/")).send().expect("a head");
        let mut buffer = vec![0; if large { 100_000 } else { 16 }];
        let error = loop {
            match response.read(&mut buffer) {
                Ok(count) => assert!(count > 0, "it does not end"),
                Err(error) => break longwire::Error::try_from(error).expect("longwire's own"),
            }
        };
        assert!(error.is_timeout() && error.to_string().contains("fewer than 10000 (min_speed)"), "{error}");
    }
    let none = client.get(dripping.url("/")).min_speed(0, PER).send().expect("a head");
    // What frames the content is none.
    let framed = Peer::start(|mut conn, _| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while conn.drip(format!("1;{}\r\nx\r\n", "x".repeat(4_000)), Duration::from_micros(50)) {}
    });
    let error = client.get(framed.url("/")).send().and_then(|response| response.bytes()).expect_err("too slow");
    assert!(error.is_timeout() && error.to_string().contains("(min_speed)"), "{error}");
    let mut some = [0; 40];
    none.into_body().read_exact(&mut some).expect("40 drips take longer than the time");
}

#[test]
fn the_callers_own_pauses_do_not_count_as_slowness() {
    let (go, gone) = mpsc::channel::<()>();
    let peer = Peer::answering(ok(&"x".repeat(10_000)));
    let client = Client::builder().min_speed(10_000, Duration::from_millis(30)).build();
    let mut response = client.get(peer.url("/")).send().expect("a head");
    let mut first = [0; 100];
    response.read_exact(&mut first).expect("content");
    // Nothing comes for as long as the limit allows, and it is the caller who waits.
    assert!(gone.recv_timeout(Duration::from_millis(60)).is_err());
    drop(go);
    assert_eq!(response.bytes().expect("the rest").len(), 9_900);
}
