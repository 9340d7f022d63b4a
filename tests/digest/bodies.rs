//! Request bodies and the 401 before them: what is sent again, and what cannot be.

use std::fs::{self, File};
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use longwire::SendBody;
use longwire::script::{Script, reply};

use crate::camera::{Camera, Wants};
use crate::lines;

/// A reader that counts what was taken of it.
struct Counted<'c>(&'static [u8], &'c AtomicUsize);

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.read(into)?;
        self.1.fetch_add(count, Ordering::Relaxed);
        Ok(count)
    }
}

#[test]
fn a_body_that_can_be_sent_again_goes_with_every_request() {
    let camera = Camera::new(Wants::default());
    let script = camera.script();
    let path = std::env::temp_dir().join(format!("longwire-digest-{}", std::process::id()));
    fs::write(&path, "a file").expect("a file");
    let file = File::open(&path).expect("a file");
    let large = vec![b'x'; 300_000];
    for (body, want) in [
        (SendBody::from("text"), &b"text"[..]),
        (SendBody::from(&file), b"a file"),
        (SendBody::chain(["a ".into(), SendBody::from(&file)]), b"a a file"),
        (SendBody::from(&large), &large),
    ] {
        let before = script.seen().len();
        let client = script.client();
        let response = client.put("http://camera/x").digest_auth("admin", "secret").body(body).send();
        assert_eq!(response.expect("a response").status(), 200, "{:?}", camera.complaints());
        let seen = &script.seen()[before..];
        assert_eq!(seen.len(), 2);
        assert!(seen.iter().all(|seen| seen.header("expect").is_none()));
        assert_eq!(seen[1].body(), want);
    }
    fs::remove_file(&path).expect("it was there");
}

#[test]
fn a_reader_waits_for_the_401_and_is_read_once() {
    let camera = Camera::new(Wants::default());
    let device = camera.clone();
    let script = Script::new().on_with("*", move |request| {
        let answer = device.answer(request);
        if request.header("authorization").is_some() { answer.continues() } else { answer.early() }
    });
    let client = script.client();
    let taken = AtomicUsize::new(0);
    let put = |body: SendBody<'_>| {
        let response = client.put("http://camera/x").digest_auth("admin", "secret").body(body).send();
        assert_eq!(response.expect("a response").status(), 200, "{:?}", camera.complaints());
    };
    put(SendBody::reader(Counted(b"a stream", &taken)));
    assert_eq!(taken.load(Ordering::Relaxed), 8);
    put(SendBody::sized_reader(Counted(b"a stream", &taken), 8));
    put(SendBody::chain(["a ".into(), SendBody::reader(&b"stream"[..])]));
    assert_eq!(lines(&script), ["PUT /x", "PUT /x +", "PUT /x +", "PUT /x +"]);
    let seen = script.seen();
    assert!(seen.iter().all(|seen| seen.header("expect") == Some("100-continue")));
    assert_eq!(seen[0].body(), b"");
    assert!(seen[1..].iter().all(|seen| seen.body() == b"a stream"));
    // A reader without anything in it has nothing to wait for.
    put(SendBody::sized_reader(std::io::empty(), 0));
    assert_eq!(script.seen().last().and_then(|seen| seen.header("expect").map(str::to_owned)), None);
}

#[test]
fn the_401_to_a_reader_that_was_read_is_the_response_and_the_next_one_is_answered_at_once() {
    let camera = Camera::new(Wants::default());
    let script = camera.script(); // it does not know Expect, and waits for the body
    let client = script.client();
    let put = |patience: Duration| {
        let body = SendBody::reader(&b"a stream"[..]);
        let request = client.put("http://camera/x").digest_auth("admin", "secret").body(body);
        request.expect_continue(patience).send().expect("a response")
    };
    let started = Instant::now();
    let response = put(Duration::from_millis(20));
    assert!(started.elapsed() < Duration::from_secs(1), "the caller's patience counts");
    assert_eq!(response.status(), 401);
    assert_eq!(response.text().expect("a page"), "<html>who are you?</html>");
    assert_eq!(put(Duration::from_millis(20)).status(), 200);
    assert_eq!(lines(&script), ["PUT /x", "PUT /x +"]);
    assert!(camera.complaints().is_empty(), "{:?}", camera.complaints());

    // By itself it waits for a second.
    let body = SendBody::reader(&b"a stream"[..]);
    let started = Instant::now();
    let response = client.put("http://camera/x").digest_auth("admin", "secret").body(body).send();
    assert_eq!(response.expect("a response").status(), 200);
    let took = started.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(5)).contains(&took), "{took:?}");
}

#[test]
fn a_417_takes_the_wait_away_and_no_more() {
    let camera = Camera::new(Wants::default());
    let device = camera.clone();
    let script = Script::new().on_with("*", move |request| match request.header("expect") {
        Some(_) => reply(417).early(),
        None => device.answer(request),
    });
    let client = script.client();
    let put = || {
        let body = SendBody::reader(&b"a stream"[..]);
        client.put("http://camera/x").digest_auth("admin", "secret").body(body).send().expect("a response").status()
    };
    assert_eq!(put(), 401, "the body is gone");
    assert_eq!(put(), 200);
    assert_eq!(lines(&script), ["PUT /x", "PUT /x", "PUT /x +", "PUT /x +"]);
    assert!(camera.complaints().is_empty(), "{:?}", camera.complaints());
}

#[test]
fn to_wire_shows_the_wait_of_a_reader() {
    let client = Script::new().client();
    let request = client.put("http://camera/x").digest_auth("u", "p").body(SendBody::reader(std::io::empty()));
    let head = client.to_wire(&request.build().expect("a request")).expect("a head");
    assert!(String::from_utf8_lossy(&head).contains("\r\nExpect: 100-continue\r\n"));
}
