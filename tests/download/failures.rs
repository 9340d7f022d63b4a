//! Which failures are resumed, how often and after what waits, and what ends a download for good.

use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant};

use longwire::{CancelToken, Client, Download, Error, ErrorKind, Method, Request};

use crate::support::peer::Peer;
use crate::{ETAG, HAD, begin, conditions, cut, interrupted, old, part, read, request, rest, whole};
use longwire::script::{Reply, Script, connection, raw, reply};

/// No test waits longer, on the slowest machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A silence that is noticed soon.
const SHORT: Duration = Duration::from_millis(50);

fn rest_from(position: usize) -> Reply {
    part(&format!("bytes {position}-999/1000"), &old()[position..])
}

#[test]
fn whatever_breaks_a_connection_is_resumed() {
    let head = format!("HTTP/1.1 200 OK\r\n{ETAG}Content-Length: 1000\r\n\r\n");
    let broken = || raw([head.as_bytes(), &old()[..HAD]].concat());
    let failures =
        [broken().close(), broken().reset(), broken().fails(io::ErrorKind::NetworkUnreachable), broken().silence()];
    for failure in failures {
        let script = Script::new().on("*", failure).on("*", rest());
        let mut request = request();
        request.set_read_timeout(SHORT);
        let mut download = Download::new(&script.client(), request).expect("a head");
        assert!(read(&mut download).is_ok_and(|content| content == old()), "{download:?}");
        assert_eq!(download.resumed(), 1);
    }
}

#[test]
fn a_request_for_the_rest_that_fails_is_sent_again() {
    let script = Script::new()
        .connection(connection().exchange(interrupted(ETAG)))
        .refuse()
        .on("*", raw("").close())
        .on("*", reply(429))
        .on("*", reply(503).body("busy"))
        .on("*", rest());
    let mut download = begin(&script);
    assert!(read(&mut download).is_ok_and(|content| content == old()), "{download:?}");
    assert_eq!((download.resumed(), conditions(&script).len()), (1, 4));
}

/// Five by default; each new byte gives all of them back.
#[test]
fn attempts_that_bring_nothing_are_counted_until_something_new_comes() {
    let nothing = || cut(ETAG, &old(), HAD);
    let script = Script::new()
        .on("*", interrupted(ETAG))
        .on("*", nothing())
        .on("*", part("bytes 400-400/1000", &old()[400..401]))
        .on("*", nothing())
        .on("*", raw("").reset());
    let mut download = begin(&script).attempts(2);
    let error = read(&mut download).expect_err("two in a row");
    assert_eq!((error.kind(), download.position()), (ErrorKind::Io, 401), "{error}");
    assert!(error.to_string().starts_with("2 attempts brought nothing new after 401 bytes: "), "{error}");
    assert_eq!(script.seen().len(), 5);

    let script = Script::new().on("*", interrupted(ETAG)).on("*", rest());
    let error = read(&mut begin(&script).attempts(0)).expect_err("none");
    assert_eq!((error.kind(), script.seen().len()), (ErrorKind::Truncated, 1), "{error}");
    assert!(!error.to_string().contains("attempts"), "{error}");

    let script = Script::new().on("*", interrupted(ETAG)).on("*", reply(503).body("busy"));
    let started = Instant::now();
    let error = read(&mut begin(&script)).expect_err("five");
    assert_eq!((error.kind(), error.status().map(u16::from)), (ErrorKind::Status, Some(503)), "{error}");
    assert_eq!((error.body(), script.seen().len()), (Some(&b"busy"[..]), 6));
    // None, 0.5, 1, 2 and 4 seconds, of each of which the half is sure.
    assert!(started.elapsed() >= Duration::from_millis(3_750), "{:?}", started.elapsed());
}

#[test]
fn as_long_as_something_new_comes_nothing_is_waited_for() {
    let mut script = Script::new().on("*", interrupted(ETAG));
    for position in HAD..1000 {
        script = script.on("*", part(&format!("bytes {position}-{position}/1000"), &old()[position..position + 1]));
    }
    let started = Instant::now();
    let mut download = begin(&script);
    assert!(read(&mut download).is_ok_and(|content| content == old()));
    assert_eq!(download.resumed(), 600);
    assert!(started.elapsed() < LIMIT, "600 waits of half a second are more: {:?}", started.elapsed());
}

#[test]
fn all_other_failures_are_final() {
    let chunk = format!("HTTP/1.1 200 OK\r\n{ETAG}Transfer-Encoding: chunked\r\n\r\n3\r\nabcX");
    let script = Script::new().on("*", raw(chunk)).on("*", rest());
    let error = read(&mut begin(&script)).expect_err("a chunk that is none");
    assert_eq!((error.kind(), script.seen().len()), (ErrorKind::Chunk, 1), "{error}");

    let answers = [
        (reply(404), ErrorKind::Status),
        (reply(403).body("expired"), ErrorKind::Status),
        (reply(500), ErrorKind::Status),
        (reply(204), ErrorKind::Status),
        (reply(304), ErrorKind::Status),
        (raw("HTTP/1.1 2xx\r\n\r\n"), ErrorKind::Head),
        (raw("HTTP/1.1 206 P\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), ErrorKind::Framing),
        (reply(302).header("Location", "ftp://host/"), ErrorKind::Redirect),
    ];
    for (answer, kind) in answers {
        let script = Script::new().on("*", interrupted(ETAG)).on("*", answer).on("*", rest());
        let error = read(&mut begin(&script)).expect_err("it is final");
        assert_eq!((error.kind(), script.seen().len()), (kind, 2), "{error}");
    }
}

/// The framing of what came is not at fault, and nothing was handed out: any version will do.
#[test]
fn what_breaks_before_the_first_byte_begins_anew() {
    let script = Script::new().on("*", cut("", &old(), 0)).on("*", reply(503)).on("*", whole("\"new\"", "all new"));
    let mut download = begin(&script);
    assert_eq!((download.length(), download.validator()), (Some(1000), None));
    assert_eq!(read(&mut download).expect("the new one"), b"all new");
    assert_eq!((download.length(), download.validator()), (Some(7), Some("\"new\"")));
    assert_eq!((conditions(&script).len(), script.seen().len()), (0, 3));
    let script = Script::new().on("*", cut("", &old(), 0)).on("*", reply(206).body("x"));
    assert_eq!(read(&mut begin(&script)).expect_err("no part was asked for").kind(), ErrorKind::Status);
}

#[test]
fn a_cancel_ends_a_wait_and_a_read() {
    let token = CancelToken::new();
    let script = Script::new().on("*", interrupted(ETAG)).on("*", reply(503).header("Retry-After", "59"));
    let mut request = request();
    request.set_cancel_token(&token);
    let mut download = Download::new(&script.client(), request).expect("a head");
    let error = thread::scope(|scope| {
        let reading = scope.spawn(|| read(&mut download).expect_err("it was cancelled"));
        while script.seen().len() < 2 {
            thread::yield_now();
        }
        token.cancel();
        let started = Instant::now();
        let error = reading.join().expect("an error");
        assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
        error
    });
    assert!(error.is_cancelled(), "{error}");
    assert!(error.to_string().contains("(GET http://memory.test/disk.img"), "{error}");
    assert_eq!(script.seen().len(), 2);
}

#[test]
fn a_retry_after_is_waited_for_if_there_is_time() {
    let script =
        Script::new().on("*", interrupted(ETAG)).on("*", reply(503).header("Retry-After", "1")).on("*", rest());
    let started = Instant::now();
    assert!(read(&mut begin(&script)).is_ok_and(|content| content == old()));
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());

    // Longer than a minute, or than what is left: it fails at once, and says for what it would wait.
    for (timeout, seconds) in
        [(None, "61"), (Some(LIMIT), "61"), (Some(2 * LIMIT), "3600"), (None, "99999999999999999999")]
    {
        let script = Script::new().on("*", interrupted(ETAG)).on("*", reply(503).header("Retry-After", seconds));
        let mut request = request();
        request.set_timeout(timeout);
        let mut download = Download::new(&script.client(), request).expect("a head");
        let started = Instant::now();
        let error = read(&mut download).expect_err("no time");
        assert_eq!((error.kind(), script.seen().len()), (ErrorKind::Status, 2), "{error}");
        assert!(
            error.to_string().starts_with("there is no time for another attempt: the server answered 503"),
            "{error}"
        );
        assert!(started.elapsed() < LIMIT);
    }
}

#[test]
fn the_total_timeout_covers_all_requests_and_waits() {
    let timeout = Duration::from_secs(2);
    let of_request = |script: &Script| {
        let mut request = request();
        request.set_timeout(timeout);
        Download::new(&script.client(), request)
    };
    let of_client = |script: &Script| {
        let client = Client::builder().connector(script.clone()).timeout(timeout).build();
        Download::new(&client, request())
    };
    for begin in [&of_request as &dyn Fn(&Script) -> _, &of_client] {
        // Each body has something new, and each is silent after it for less than the timeout.
        let head = |position: usize| format!("HTTP/1.1 206 P\r\nContent-Range: bytes {position}-999/1000\r\n\r\n");
        let mut script = Script::new().on("*", interrupted(ETAG));
        for position in HAD..HAD + 10 {
            script = script.on(
                "*",
                raw([head(position).as_bytes(), &old()[position..=position]].concat())
                    .pause(timeout / 4)
                    .more("")
                    .reset(),
            );
        }
        let mut download = begin(&script).expect("a head");
        let started = Instant::now();
        let error = read(&mut download).expect_err("it takes too long");
        assert!(error.is_timeout(), "{error}");
        assert!(error.to_string().starts_with("the download, after 4"), "{error}");
        assert!(error.to_string().contains(" bytes: timeout of 2s passed"), "{error}");
        assert!(started.elapsed() < LIMIT && script.seen().len() < 11, "{:?}", started.elapsed());
    }

    // A client's timeout is left out by the request's own.
    let script = Script::new().on("*", interrupted(ETAG).pause(Duration::ZERO)).on("*", rest());
    let client = Client::builder().connector(script.clone()).timeout(Duration::from_nanos(1)).build();
    let mut patient = request();
    patient.set_timeout(None);
    assert!(Download::new(&client, request()).expect_err("no time at all").is_timeout());
    assert!(read(&mut Download::new(&client, patient).expect("a head")).is_ok_and(|content| content == old()));
}

/// Over sockets: a connection that was kept is used for the next part; one that is left unread is not.
#[test]
fn parts_that_were_read_to_their_end_share_a_connection() {
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let from: usize = match request.header("Range") {
                Some(range) => range.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a number"),
                None => {
                    conn.send(format!("HTTP/1.1 200 OK\r\n{ETAG}Content-Length: 1000\r\n\r\n"));
                    conn.send(&old()[..HAD]);
                    return;
                }
            };
            let to = (from + 100).min(1000);
            conn.send(format!(
                "HTTP/1.1 206 P\r\nContent-Range: bytes {from}-{}/1000\r\nContent-Length: {}\r\n\r\n",
                to - 1,
                to - from
            ));
            conn.send(&old()[from..to]);
        }
    });
    let client = Client::new();
    let request = Request::new(Method::GET, peer.url("/")).expect("a request");
    let mut download = Download::new(&client, request).expect("a head");
    assert!(read(&mut download).is_ok_and(|content| content == old()));
    assert_eq!((download.resumed(), peer.connections()), (6, 2));
}

#[test]
fn an_error_is_of_longwire_and_has_the_kind_of_an_io_error() {
    let script = Script::new().on("*", interrupted(ETAG)).on("*", whole("\"new\"", old()));
    let mut download = begin(&script);
    let mut content = Vec::new();
    let error = download.read_to_end(&mut content).expect_err("it has changed");
    assert_eq!((error.kind(), content.len()), (io::ErrorKind::InvalidData, HAD));
    let error = Error::try_from(error).expect("longwire's");
    assert_eq!(error.status().map(u16::from), Some(200));
    assert!(
        error
            .to_string()
            .starts_with("the download cannot go on after 400 bytes: ETag was \"old\", and is \"new\" now (GET "),
        "{error}"
    );
    assert!(read(&mut begin(&Script::new().on("*", interrupted(ETAG)).on("*", rest_from(HAD)))).is_ok());
}
