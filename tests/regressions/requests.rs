//! What is asked of a client, and how a request is sent.

use std::fs::{self, File};
use std::io::{ErrorKind as IoKind, Seek, SeekFrom};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use longwire::{Client, ClientBuilder, Error, ErrorKind, Fate, Method, Response};

use crate::double::Memory;
use crate::support::peer::{Conn, Peer, ok};
use crate::{By, Double, URL, copy, text};

#[test]
fn a_request_that_a_server_may_have_read_is_not_called_unsent_because_its_retry_was() {
    let opened = AtomicUsize::new(0);
    let connector = By(move || {
        if opened.fetch_add(1, Ordering::SeqCst) > 0 {
            return Err(Error::from_io(ErrorKind::Connect, "nobody", IoKind::ConnectionRefused.into()));
        }
        let mut turn = 0;
        Ok(Double::new(move |buffer| {
            turn += 1;
            if turn == 1 { Ok(copy(ok("one").as_bytes(), buffer)) } else { Err(IoKind::ConnectionReset.into()) }
        }))
    });
    let client = Client::builder().connector(connector).build();
    assert_eq!(text(&client, URL), "one");
    let error = client.post(URL).idempotent(true).body("pay 5").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "the retry's");
    assert_eq!(error.fate(), Fate::MaybeProcessed, "the first attempt's");
}

/// Sends back what comes as it comes, up to the end of it.
fn echo(mut conn: Conn, length: usize) {
    conn.head();
    conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"));
    loop {
        let some = conn.read_some();
        if some.is_empty() || !conn.send(some) {
            return;
        }
    }
}

#[test]
fn an_upload_that_an_echo_has_stalled_ends_soon() {
    const BODY_BYTES: usize = 50_000_000;
    let peer = Peer::start(|conn, _| echo(conn, BODY_BYTES));
    let client = Client::builder().read_timeout(Duration::from_secs(60)).build();
    let body = vec![b'x'; BODY_BYTES];
    let started = Instant::now();
    let response = client.post(peer.url("/")).body(&body[..]).send().unwrap();
    match response.bytes() {
        Ok(echoed) => assert_eq!(echoed.len(), BODY_BYTES),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Truncated, "{error}"),
    }
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[test]
fn a_limit_that_makes_no_sense_is_the_callers_mistake() {
    let build: [fn(ClientBuilder, usize) -> ClientBuilder; 3] =
        [ClientBuilder::max_headers, ClientBuilder::max_head_size, ClientBuilder::buffer_size];
    for set in build {
        for value in [0, usize::MAX] {
            let client = set(Client::builder().connector(Memory::answering(ok("fine"))), value).build();
            let error = client.get(URL).send().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        }
        let client = set(Client::builder().connector(Memory::answering(ok("fine"))), 65_536).build();
        assert_eq!(text(&client, URL), "fine");
    }
}

#[test]
fn what_is_let_through_by_name_must_be_a_name() {
    let client =
        |name| Client::builder().connector(Memory::answering(ok("fine"))).allow_cross_origin_header(name).build();
    let error = client("X Y").get(URL).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("header name \"X\" is followed by ' '"), "{error}");
    assert_eq!(text(&client("X-Y"), URL), "fine");
}

/// Answers with the body of the request.
fn echoing() -> Peer {
    Peer::start(|mut conn, _| {
        let request = conn.request().expect("a request");
        conn.send(ok(&String::from_utf8_lossy(&request.body)));
    })
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_does_not_tell_its_length_is_sent_all_the_same() {
    let path = "/proc/version";
    let (peer, file) = (echoing(), File::open(path).unwrap());
    assert_eq!(file.metadata().unwrap().len(), 0);
    let sent = Client::new().put(peer.url("/")).body(file).send().unwrap().text().unwrap();
    assert_eq!(sent, fs::read_to_string(path).unwrap());
}

#[test]
fn a_file_is_sent_from_where_it_stood_although_another_handle_has_moved_on() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE-MIT");
    let mut file = File::open(path).unwrap();
    file.seek(SeekFrom::Start(8)).unwrap();
    let mut other = file.try_clone().unwrap();
    let peer = echoing();
    let client = Client::new();
    let request = client.put(peer.url("/")).body(file).build().unwrap();
    other.seek(SeekFrom::End(0)).unwrap(); // they share one cursor
    let sent = client.send(request).unwrap().bytes().unwrap();
    assert_eq!(sent, fs::read(path).unwrap()[8..]);
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
    assert!(wire.contains("Host: two.test\r\n"), "the last one said: {wire}");
}
