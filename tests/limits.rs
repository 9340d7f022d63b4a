//! Every limit has two sides: what just fits goes through, what is one over does not, and a peer
//! that never stops is stopped. Limits on heads, chunks and redirects are here; those on collected
//! bodies and on durations in `limits/bodies.rs` and `limits/durations.rs`; what peers that mean harm
//! cost in memory and time, in `limits/hostile.rs`. When a duration ends a request is in
//! `deadlines.rs`.

#[path = "limits/bodies.rs"]
mod bodies;
#[path = "limits/durations.rs"]
mod durations;
#[path = "limits/hostile.rs"]
mod hostile;
mod support;

use std::io::Read;
use std::time::{Duration, Instant};

use longwire::script::{Script, raw};
use longwire::{Client, ClientBuilder, Error, ErrorKind, Fate, Response, Result, Stage};
use support::peer::{Peer, answer, ok};

const URL: &str = "http://memory.test/";

/// A generous bound: what is linear takes a fraction of it, on any machine.
const SECONDS: Duration = Duration::from_secs(10);

/// What comes of this response: its body as text.
fn fetch(client: &Client, answer: impl Into<Vec<u8>>) -> Result<String> {
    let peer = Peer::answering(answer);
    client.get(peer.url("/")).send()?.text()
}

/// The kind of error that this response is.
#[track_caller]
fn refused(client: &Client, answer: impl Into<Vec<u8>>) -> ErrorKind {
    fetch(client, answer).expect_err("an error").kind()
}

/// A response whose head has exactly this many bytes, its empty line included.
fn head_of(bytes: usize) -> String {
    let head = |fill: usize| answer("200 OK", &format!("X-Fill: {}\r\n", "f".repeat(fill)), "body");
    let rest = head(0).len() - "body".len();
    head(bytes - rest)
}

#[test]
fn a_head_may_have_max_head_size_bytes_and_not_one_more() {
    let small = Client::builder().max_head_size(1_000).build();
    let large = Client::builder().max_head_size(300_000).build();
    for (client, limit) in [(&small, 1_000), (&Client::new(), 65_536), (&large, 300_000)] {
        assert_eq!(fetch(client, head_of(limit)).unwrap(), "body", "{limit}");
        assert_eq!(refused(client, head_of(limit + 1)), ErrorKind::HeadTooLarge, "{limit}");
    }
}

#[test]
fn a_body_that_ends_with_the_connection_is_refused_where_framing_is_required() {
    let over = |fields: &str| {
        let peer = Peer::answering(format!("HTTP/1.1 200 OK\r\n{fields}\r\nbody"));
        let client = Client::builder().require_framing(true).build();
        client.get(peer.url("/")).send()
    };
    let error = over("").expect_err("its end is not announced");
    assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Framing, Stage::Head, Fate::ResponseStarted));
    assert_eq!(over("Content-Length: 4\r\n").unwrap().text().unwrap(), "body");
}

#[test]
fn a_large_head_is_kept_whole() {
    let peer = Peer::answering(head_of(60_000));
    let response = Client::new().get(peer.url("/")).send().unwrap();
    assert_eq!(response.raw_head().len(), 60_000);
    assert!(response.raw_head().ends_with(b"\r\nContent-Length: 4\r\n\r\n"));
    assert!(response.header("x-fill").is_some_and(|value| value.len() > 59_000));
}

#[test]
fn a_head_may_have_max_headers_fields_and_not_one_more() {
    let fields = |count: usize| answer("200 OK", &"X-A: b\r\n".repeat(count - 1), "body");
    let three = Client::builder().max_headers(3).build();
    let many = Client::builder().max_headers(1_000).build();
    for (client, limit) in [(&three, 3), (&Client::new(), 256), (&many, 1_000)] {
        let peer = Peer::answering(fields(limit));
        let response = client.get(peer.url("/")).send().unwrap();
        assert_eq!(response.headers().len(), limit);
        assert_eq!(refused(client, fields(limit + 1)), ErrorKind::HeadTooLarge, "{limit}");
    }
}

#[test]
fn interim_heads_together_may_be_as_large_as_one_head_and_not_one_byte_more() {
    let interim = |bytes: usize| {
        let one = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        let last = bytes - 99 * one.len();
        let fill = "x".repeat(last - "HTTP/1.1 102 W\r\nX: \r\n\r\n".len());
        format!("{}HTTP/1.1 102 W\r\nX: {fill}\r\n\r\n{}", one.repeat(99), ok("body"))
    };
    let client = Client::new();
    assert_eq!(fetch(&client, interim(64 * 1024)).unwrap(), "body");
    assert_eq!(refused(&client, interim(64 * 1024 + 1)), ErrorKind::HeadTooLarge);
    // The limit is an exchange's: the next one begins anew.
    let peer = Peer::answering(interim(40 * 1024));
    for _ in 0..3 {
        assert_eq!(client.get(peer.url("/")).send().unwrap().text().unwrap(), "body");
    }
    assert_eq!(peer.connections(), 1);
}

#[test]
fn four_empty_lines_before_the_status_line_are_passed_over_and_not_one_more() {
    let lines = |count: usize| format!("{}{}", "\r\n".repeat(count), ok("body"));
    let client = Client::new();
    assert_eq!(fetch(&client, lines(4)).unwrap(), "body");
    assert_eq!(refused(&client, lines(5)), ErrorKind::Head);
}

#[test]
fn a_chunk_line_may_have_4_kib_and_not_one_byte_more() {
    let line = |bytes: usize| {
        let extension = "x".repeat(bytes - "4;\r\n".len());
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;{extension}\r\nbody\r\n0\r\n\r\n")
    };
    let client = Client::new();
    assert_eq!(fetch(&client, line(4_096)).unwrap(), "body");
    assert_eq!(refused(&client, line(4_097)), ErrorKind::Chunk);
}

#[test]
fn trailers_may_have_16_kib_and_not_more() {
    // Whether the empty line at their end counts is left open: these two are clear either way.
    let trailers = |bytes: usize| {
        let field = |bytes: usize| format!("X-Fill: {}\r\n", "f".repeat(bytes - 10));
        let fields = field(1_024).repeat(15) + &field(bytes - 15 * 1_024);
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n{fields}\r\n")
    };
    let client = Client::new();
    let peer = Peer::answering(trailers(16_382));
    let mut response = client.get(peer.url("/")).send().unwrap();
    let mut text = String::new();
    response.read_to_string(&mut text).unwrap();
    assert_eq!(text, "body");
    assert_eq!(response.body().trailers().len(), 16);
    assert_eq!(refused(&client, trailers(16_385)), ErrorKind::Chunk);
}

/// `/n` leads to `/n-1`, and `/0` is there.
fn staircase() -> Peer {
    Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let step: u32 = request.target[1..].parse().expect("a number");
            let lower = format!("Location: /{}\r\n", step.saturating_sub(1));
            let status = if step == 0 { "200 OK" } else { "302 Found" };
            conn.send(answer(status, if step == 0 { "" } else { &lower }, "body"));
        }
    })
}

#[test]
fn ten_redirects_are_followed_and_not_one_more() {
    let peer = staircase();
    let client = Client::new();
    let response = client.get(peer.url("/10")).send().unwrap();
    assert_eq!((response.status().as_u16(), response.redirects().len()), (200, 10));
    assert_eq!(response.url().path(), "/0");
    let error = client.get(peer.url("/11")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyRedirects);
    let two = Client::builder().max_redirects(2).build();
    assert_eq!(two.get(peer.url("/2")).send().unwrap().status(), 200);
    let error = two.get(peer.url("/3")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManyRedirects);
    assert_eq!(two.get(peer.url("/3")).max_redirects(3).send().unwrap().status(), 200);
}

#[test]
fn no_redirects_means_the_3xx_itself() {
    let peer = staircase();
    let client = Client::builder().max_redirects(0).build();
    let response = client.get(peer.url("/5")).send().unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.header("location"), Some("/4"));
    assert!(response.redirects().is_empty());
    assert_eq!(response.text().unwrap(), "body");
    assert_eq!(peer.request_lines().len(), 1);
}

#[test]
fn a_buffer_of_512_bytes_is_enough_for_everything() {
    let client = Client::builder().buffer_size(512).build();
    let long = "0123456789".repeat(1_000);
    assert_eq!(fetch(&client, ok(&long)).unwrap(), long);
    assert_eq!(fetch(&client, head_of(20_000)).unwrap(), "body");
    let chunks = "A\r\n0123456789\r\n".repeat(500) + "1388;x=y\r\n" + &long[..5_000] + "\r\n";
    let trailers = format!("X-Fill: {}\r\n", "f".repeat(2_000));
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(fetch(&client, format!("{head}{chunks}0\r\n{trailers}\r\n")).unwrap(), long);
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send(format!("HTTP/1.1 200 OK\r\n\r\n{}", "0123456789".repeat(1_000)));
    });
    assert_eq!(client.get(peer.url("/")).send().unwrap().text().unwrap(), long);
    let echo = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let body = String::from_utf8(request.body).expect("digits");
            conn.send(ok(&body));
        }
    });
    let response = client.post(echo.url("/")).header("X-Long", &long).body(&long).send();
    assert_eq!(response.unwrap().text().unwrap(), long);
}

#[test]
fn a_buffer_below_512_bytes_is_refused_by_every_send() {
    let peer = Peer::answering(ok("x"));
    for bytes in [511, 1, 0] {
        let client = Client::builder().buffer_size(bytes).build();
        for _ in 0..2 {
            let error = client.get(peer.url("/")).send().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{bytes}");
        }
    }
    assert_eq!(peer.connections(), 0);
}

/// A peer that sends `begin` and then `again`, for as long as it is let: at most 300 MB.
fn endless(begin: &'static str, again: &'static str) -> Peer {
    Peer::start(move |mut conn, _| {
        conn.request();
        conn.send(begin);
        let block = again.repeat(64 * 1024 / again.len());
        let sent = (0..5_000).take_while(|_| conn.send(&block)).count();
        conn.note(if sent < 5_000 { "cut off" } else { "all was taken" });
    })
}

#[test]
fn what_never_ends_is_cut_off() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n";
    let trailers = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n";
    let cases: [(&str, &'static str, &'static str, &[ErrorKind]); 10] = [
        ("fields", "HTTP/1.1 200 OK\r\n", "X-A: b\r\n", &[ErrorKind::HeadTooLarge]),
        ("a field", "HTTP/1.1 200 OK\r\nX-A: ", "b", &[ErrorKind::HeadTooLarge]),
        ("a name", "HTTP/1.1 200 OK\r\n", "b", &[ErrorKind::HeadTooLarge]),
        ("a reason", "HTTP/1.1 200 ", "O", &[ErrorKind::HeadTooLarge]),
        ("folds", "HTTP/1.1 200 OK\r\nX-A: b\r\n", " c\r\n", &[ErrorKind::HeadTooLarge, ErrorKind::Head]),
        ("empty lines", "", "\r\n", &[ErrorKind::Head]),
        ("interim", "", "HTTP/1.1 102 Processing\r\n\r\n", &[ErrorKind::HeadTooLarge]),
        ("trailers", trailers, "X-A: b\r\n", &[ErrorKind::Chunk]),
        ("an extension", chunked, "4;x", &[ErrorKind::Chunk]),
        ("zeros", chunked, "0", &[ErrorKind::Chunk]),
    ];
    for (name, begin, again, kinds) in cases {
        let peer = endless(begin, again);
        let begin = Instant::now();
        let outcome = Client::new().get(peer.url("/")).send().and_then(|response| response.text());
        let kind = outcome.expect_err(name).kind();
        assert!(kinds.contains(&kind), "{name}: {kind:?}");
        assert!(begin.elapsed() < SECONDS, "{name} took {:?}", begin.elapsed());
        assert!(peer.noted(0, "cut off"), "{name}");
    }
}

#[test]
fn a_head_byte_by_byte_costs_no_quadratic_time() {
    let script = Script::answering(raw(head_of(60_000))).read_max(1);
    let begin = Instant::now();
    let response = script.client().get(URL).send().unwrap();
    assert_eq!(response.text().unwrap(), "body");
    assert!(begin.elapsed() < SECONDS, "{:?}", begin.elapsed());
    assert_eq!(script.bytes_sent(), 60_004);
}

#[test]
fn a_chunked_body_byte_by_byte_costs_no_quadratic_time() {
    let chunks = format!("1;{}\r\nx\r\n", "e".repeat(4_000)).repeat(20);
    let trailers = format!("X-Fill: {}\r\n", "f".repeat(16_000));
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let client = Script::answering(raw(format!("{head}{chunks}0\r\n{trailers}\r\n"))).read_max(1).client();
    let begin = Instant::now();
    let response = client.get(URL).send().unwrap();
    assert_eq!(response.text().unwrap(), "x".repeat(20));
    assert!(begin.elapsed() < SECONDS, "{:?}", begin.elapsed());
}

#[test]
fn a_head_byte_by_byte_over_a_socket_arrives_too() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send_bytewise(head_of(20_000));
        conn.request();
    });
    let begin = Instant::now();
    let response = Client::new().get(peer.url("/")).send().unwrap();
    assert_eq!(response.text().unwrap(), "body");
    assert!(begin.elapsed() < SECONDS, "{:?}", begin.elapsed());
}

/// What every send of this client says; and that nothing reached the peer.
#[track_caller]
fn refused_by_every_send(builder: ClientBuilder) -> Error {
    let peer = Peer::answering(ok("x"));
    let client = builder.build();
    let first = client.get(peer.url("/")).send().expect_err("a refusal");
    let second = client.post(peer.url("/")).body("x").send().expect_err("a refusal");
    assert_eq!(first.kind(), second.kind());
    assert_eq!(peer.connections(), 0);
    first
}

#[test]
fn an_invalid_limit_is_the_callers_mistake() {
    let build: [fn(ClientBuilder, usize) -> ClientBuilder; 3] =
        [ClientBuilder::max_headers, ClientBuilder::max_head_size, ClientBuilder::buffer_size];
    for set in build {
        for value in [0, usize::MAX] {
            let client = set(Client::builder().connector(Script::answering(raw(ok("fine")))), value).build();
            let error = client.get(URL).send().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        }
        let client = set(Client::builder().connector(Script::answering(raw(ok("fine")))), 65_536).build();
        assert_eq!(client.get(URL).send().unwrap().text().unwrap(), "fine");
    }
}

#[test]
fn an_error_does_not_become_as_long_as_the_peer_likes() {
    let long = "\u{ff}".repeat(30_000);
    let heads = [
        format!("200 OK\r\nContent-Length: {long}"),
        format!("200 OK\r\nTransfer-Encoding: {long}"),
        format!("302 Found\r\nLocation: ftp:{long}"),
        format!("302 Found\r\nLocation: {}://host/", "x".repeat(60_000)),
        format!("404 {long}\r\nContent-Length: 0"),
    ];
    for head in heads {
        let start = head[..20].to_owned();
        let peer = Peer::answering(format!("HTTP/1.1 {head}\r\n\r\n"));
        let sent = Client::new().get(peer.url("/")).send();
        let error = sent.and_then(Response::error_for_status).unwrap_err();
        let length = error.to_string().len();
        assert!(length < 1000, "{start}: {length}");
    }
}
