//! Servers that answer before the request is complete, and `Expect: 100-continue`
//! (RFC 9110 §10.1.1, RFC 9112 §9.5).

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use longwire::script::{Script, Then, connection, raw};
use longwire::{Client, CloseReason, Error, ErrorKind, Response, SendBody};

use crate::support::peer::{Conn, LIMIT, Peer, answer, ok};
use crate::support::wrapped::connector;

const LARGE: usize = 20_000_000;

/// A fraction of what a hanging client would take: the peer's patience, or the read timeout.
const AT_ONCE: Duration = Duration::from_secs(9);

/// Sends a large body to a peer that reads a little of it, sends 413, and does `then`.
fn too_large(then: impl Fn(Conn) + Send + Sync + 'static) {
    let peer = Peer::start(move |mut conn, _| {
        conn.head();
        conn.exactly(100_000);
        conn.send(answer("413 Content Too Large", "", "too large"));
        then(conn);
    });
    for _ in 0..3 {
        let client = Client::new();
        let begin = Instant::now();
        let response = client.post(peer.url("/")).body(vec![0; LARGE]).send().unwrap();
        assert_eq!(response.status(), 413);
        assert!(!response.is_request_complete());
        assert_eq!(response.text().unwrap(), "too large");
        assert!(begin.elapsed() < AT_ONCE);
        let stats = client.pool_stats();
        assert_eq!((stats.idle, stats.in_use), (0, 0));
        assert_eq!(stats.closed.get(CloseReason::UploadUnfinished), 1, "{stats:?}");
    }
}

#[test]
fn a_413_is_a_response_when_the_server_stops_reading_and_stays_open() {
    too_large(|conn| conn.hold());
}

#[test]
fn a_413_is_a_response_when_the_server_closes() {
    too_large(Conn::close);
}

#[test]
fn a_413_is_a_response_when_the_server_half_closes() {
    too_large(|mut conn| {
        conn.half_close();
        conn.hold();
    });
}

#[cfg(target_os = "linux")] // elsewhere a reset may take along what had arrived before
#[test]
fn a_413_is_a_response_when_the_server_resets() {
    too_large(Conn::reset);
}

#[test]
fn a_response_stops_the_upload_while_the_server_reads_on() {
    const LENGTH: u64 = 2_000_000_000;
    let peer = Peer::start(move |mut conn, _| {
        conn.head();
        conn.send(answer("413 Content Too Large", "", ""));
        let mut read = 0;
        loop {
            let length = conn.read_some().len();
            read += length as u64;
            if length == 0 {
                break;
            }
        }
        conn.note(if read < LENGTH { "stopped" } else { "all was sent" });
    });
    let body = SendBody::sized_reader(io::repeat(0).take(LENGTH), LENGTH);
    let response = Client::new().post(peer.url("/")).body(body).send().unwrap();
    assert_eq!(response.status(), 413);
    response.bytes().unwrap();
    assert!(peer.noted(0, "stopped"));
}

/// Counts what is read of it.
struct Counted(Arc<AtomicUsize>);

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.fetch_add(buffer.len(), Ordering::Relaxed);
        buffer.fill(b'x');
        Ok(buffer.len())
    }
}

#[test]
fn a_413_stops_an_upload_from_a_reader_without_end() {
    let peer = Peer::start(|mut conn, _| {
        conn.head();
        conn.send(answer("413 Content Too Large", "", "too large"));
        conn.hold();
    });
    let read = Arc::new(AtomicUsize::new(0));
    let body = SendBody::reader(Counted(Arc::clone(&read)));
    let response = Client::new().post(peer.url("/")).body(body).send().unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(response.text().unwrap(), "too large");
    assert!(read.load(Ordering::Relaxed) > 0);
}

/// Gives a byte now and then, for as long as a peer has patience.
struct Trickle(Instant);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        thread::sleep(Duration::from_millis(20));
        buffer[0] = b'x';
        Ok(usize::from(self.0.elapsed() < LIMIT))
    }
}

#[test]
fn a_413_stops_an_upload_from_a_slow_reader() {
    let peer = Peer::start(|mut conn, _| {
        conn.head();
        conn.send(answer("413 Content Too Large", "", "too large"));
        conn.hold();
    });
    let client = Client::new();
    let begin = Instant::now();
    let response = client.post(peer.url("/")).body(SendBody::reader(Trickle(begin))).send().unwrap();
    assert_eq!(response.status(), 413);
    assert!(begin.elapsed() < AT_ONCE);
    drop(response);
    assert_eq!(client.pool_stats().closed.get(CloseReason::UploadUnfinished), 1);
}

/// This many bytes, of which the first is given only when the peer has answered.
struct Patient<'p> {
    peer: &'p Peer,
    left: usize,
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(self.peer.noted(0, "answered"));
        let length = buffer.len().min(self.left);
        self.left -= length;
        Ok(length)
    }
}

#[test]
fn an_early_2xx_does_not_stop_the_upload() {
    let peer = Peer::start(|mut conn, _| {
        let request = conn.head().expect("a head");
        conn.send(ok("early"));
        conn.note("answered");
        let body = conn.body(&request);
        conn.note(format!("{:?}", body.map(|body| body.len())));
        conn.request();
    });
    let body = SendBody::sized_reader(Patient { peer: &peer, left: 2_300_000 }, 2_300_000);
    let client = Client::new();
    let response = client.post(peer.url("/")).body(body).send().unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.text().unwrap(), "early");
    assert!(peer.noted(0, "Some(2300000)"));
    assert_eq!(client.pool_stats().idle, 1);
}

/// Each pause is longer than a tick of the upload, and fills what the system keeps for the peer.
#[test]
fn an_early_2xx_from_a_server_that_pauses_does_not_stop_the_upload() {
    const PAUSE: Duration = Duration::from_millis(1_500);

    let peer = Peer::start(|mut conn, _| {
        conn.head();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
        conn.pause(PAUSE);
        let first = conn.exactly(LARGE / 2).expect("half of it");
        conn.pause(PAUSE);
        let second = conn.exactly(LARGE / 2).unwrap_or_default();
        conn.send(if [first, second].concat() == vec![7; LARGE] { "all" } else { "cut" });
    });
    let client = Client::new();
    let response = client.post(peer.url("/")).body(vec![7; LARGE]).send().unwrap();
    assert!(response.is_request_complete());
    assert_eq!(response.text().unwrap(), "all");
    assert_eq!(client.pool_stats().closed.get(CloseReason::ServerClose), 1);
}

/// Ticks pass in the midst of writes, and none of them takes a byte or sends one twice.
#[test]
fn an_upload_past_pauses_arrives_byte_for_byte_however_the_socket_was_opened() {
    const PARTS: usize = 2;
    const PAUSE: Duration = Duration::from_millis(400);

    let body: Vec<u8> = (0..251).cycle().take(LARGE).collect();
    let want = body.clone();
    let peer = Peer::start(move |mut conn, _| {
        conn.head();
        for part in want.chunks(LARGE / PARTS) {
            conn.pause(PAUSE);
            let came = conn.exactly(part.len());
            conn.note(if came.as_deref() == Some(part) { "same" } else { "other" });
        }
        conn.send(ok(""));
    });
    let address = peer.addr();
    let plain = connector(move |_, _, _| {
        let broken = |error| Error::from_io(ErrorKind::Connect, "plain", error);
        Ok(Box::new(TcpStream::connect(address).map_err(broken)?))
    });
    for client in [Client::new(), Client::builder().connector(plain).build()] {
        assert_eq!(client.post(peer.url("/")).body(&body).send().unwrap().status(), 200);
    }
    assert_eq!(peer.notes(), ["same"; PARTS * 2]);
}

#[test]
fn an_early_2xx_is_a_response_when_the_server_stops_reading() {
    let peer = Peer::start(|mut conn, _| {
        conn.head();
        conn.send(ok("enough"));
        conn.hold();
    });
    let client = Client::new();
    let begin = Instant::now();
    let response = client.post(peer.url("/")).body(vec![0; LARGE]).send().unwrap();
    assert!(!response.is_request_complete());
    assert_eq!(response.text().unwrap(), "enough");
    assert!(begin.elapsed() < AT_ONCE);
    assert_eq!(client.pool_stats().idle, 0);
    assert_eq!(client.pool_stats().closed.get(CloseReason::UploadUnfinished), 1);
}

/// Sends back what it reads, as it reads it.
fn echo() -> Peer {
    Peer::start(|mut conn, _| {
        let request = conn.head().expect("a head");
        let length = request.header("content-length").unwrap_or("0").to_owned();
        conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"));
        loop {
            let bytes = conn.read_some();
            if bytes.is_empty() || !conn.send(bytes) {
                return;
            }
        }
    })
}

#[test]
fn a_server_that_echoes_does_not_deadlock_with_us() {
    let peer = echo();
    let client = Client::builder().read_timeout(LIMIT).write_timeout(LIMIT).build();
    let begin = Instant::now();
    let mut response = client.post(peer.url("/")).body(vec![7; LARGE]).send().unwrap();
    assert!(begin.elapsed() < AT_ONCE, "{:?}", begin.elapsed());
    assert_eq!(response.status(), 200);
    let mut some = [0; 100_000];
    response.read_exact(&mut some).unwrap();
    assert!(some.iter().all(|byte| *byte == 7));
}

#[test]
fn a_small_echo_comes_back_whole() {
    let peer = echo();
    let client = Client::new();
    let body: Vec<u8> = (0..100_000u32).map(|number| number as u8).collect();
    let response = client.post(peer.url("/")).body(&body).send().unwrap();
    assert!(response.bytes().unwrap() == body);
    assert_eq!(client.pool_stats().idle, 1);
}

/// How long a silent server is waited for before the body goes anyway.
const WAIT: Duration = Duration::from_millis(300);

fn expecting(peer: &Peer) -> (Client, longwire::Result<Response>) {
    let client = Client::new();
    let request = client.post(peer.url("/")).body("the body");
    let outcome = request.expect_continue(WAIT).send();
    (client, outcome)
}

#[test]
fn a_100_lets_the_body_go() {
    let peer = Peer::start(|mut conn, _| {
        let request = conn.head().expect("a head");
        assert_eq!(request.header("expect"), Some("100-continue"));
        assert_eq!(request.header("content-length"), Some("8"));
        assert!(conn.is_quiet(Duration::from_millis(200)), "the body was not waited for");
        conn.send("HTTP/1.1 100 Continue\r\nX-Why: not\r\n\r\n");
        let body = conn.body(&request);
        conn.send(ok(&String::from_utf8_lossy(&body.unwrap_or_default())));
        conn.request();
    });
    let client = Client::new();
    let request = client.post(peer.url("/")).body("the body").expect_continue(LIMIT);
    assert_eq!(request.send().unwrap().text().unwrap(), "the body");
    assert_eq!(client.pool_stats().idle, 1);
}

#[test]
fn a_2xx_right_after_the_100_does_not_keep_the_body_back() {
    for length in [5, LARGE] {
        let peer = Peer::start(|mut conn, _| {
            let request = conn.head().expect("a head");
            conn.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            let body = conn.body(&request).unwrap_or_default();
            conn.send(if body == vec![7; body.len()] { "3\r\nall\r\n" } else { "" });
            conn.note(format!("{} bytes", body.len()));
            conn.send("0\r\n\r\n");
            conn.request();
        });
        let client = Client::new();
        let request = client.post(peer.url("/")).body(vec![7; length]).expect_continue(LIMIT);
        let response = request.send().unwrap();
        assert!(response.is_request_complete());
        assert_eq!(response.text().unwrap(), "all");
        assert!(peer.noted(0, &format!("{length} bytes")));
        assert_eq!(client.pool_stats().idle, 1);
    }
}

#[test]
fn a_413_right_after_the_100_does() {
    let peer = Peer::start(|mut conn, _| {
        conn.head();
        conn.send(format!("HTTP/1.1 100 Continue\r\n\r\n{}", answer("413 Content Too Large", "", "no")));
        let rest = conn.read_some();
        conn.note(if rest.is_empty() { "nothing came" } else { "the body came" });
    });
    let (client, outcome) = expecting(&peer);
    assert_eq!(outcome.unwrap().text().unwrap(), "no");
    assert!(peer.noted(0, "nothing came"));
    assert_eq!(client.pool_stats().closed.get(CloseReason::UploadUnfinished), 1);
}

#[test]
fn a_server_that_says_nothing_gets_the_body_after_a_while() {
    let peer = Peer::start(|mut conn, _| {
        let request = conn.request().expect("a request");
        conn.send(ok(&String::from_utf8_lossy(&request.body)));
        conn.request();
    });
    let begin = Instant::now();
    let (client, outcome) = expecting(&peer);
    assert!(begin.elapsed() >= WAIT);
    assert_eq!(outcome.unwrap().text().unwrap(), "the body");
    assert_eq!(client.pool_stats().idle, 1);
}

#[test]
fn a_late_100_is_passed_over() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send(format!("HTTP/1.1 100 Continue\r\n\r\n{}", ok("x")));
        conn.request();
    });
    let (client, outcome) = expecting(&peer);
    assert_eq!(outcome.unwrap().text().unwrap(), "x");
    assert_eq!(client.pool_stats().idle, 1);
}

#[test]
fn a_final_response_keeps_the_body_back() {
    for status in ["401 Unauthorized", "500 Internal Server Error"] {
        let peer = Peer::start(move |mut conn, _| {
            conn.head();
            conn.send(answer(status, "", "no"));
            let rest = conn.read_some();
            conn.note(if rest.is_empty() { "nothing came" } else { "the body came" });
        });
        let client = Client::new();
        let request = client.post(peer.url("/")).body("the body").expect_continue(LIMIT);
        let response = request.send().unwrap();
        assert_eq!(response.status().to_string(), status[..3]);
        assert_eq!(response.text().unwrap(), "no");
        assert!(peer.noted(0, "nothing came"), "{status}");
        assert_eq!(client.pool_stats().closed.get(CloseReason::UploadUnfinished), 1);
        assert_eq!(peer.connections(), 1);
    }
}

#[test]
fn nothing_is_expected_without_a_body() {
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            conn.send(ok(request.header("expect").unwrap_or("nothing")));
        }
    });
    let client = Client::new();
    for request in [client.get(peer.url("/")), client.post(peer.url("/"))] {
        let begin = Instant::now();
        let response = request.expect_continue(LIMIT).send().unwrap();
        assert_eq!(response.text().unwrap(), "nothing");
        assert!(begin.elapsed() < AT_ONCE);
    }
}

/// A 413 without a length that had come before the second write broke in this way.
fn unframed_response_after(broken: Then) -> Response {
    let reply = raw("HTTP/1.1 413 Content Too Large\r\n\r\ntoo la").close().receives(1, broken);
    let client = Script::new().connection(connection().exchange(reply)).client();
    client.post("http://memory.test/").body("text").send().unwrap()
}

/// The system reports once that the connection was reset, to the write, and reads end as if it had
/// been closed.
#[test]
fn a_reset_that_a_write_has_met_is_no_end_of_the_response() {
    let mut response = unframed_response_after(Then::Resets);
    assert_eq!(response.status(), 413);
    let mut text = String::new();
    let error = Error::try_from(response.read_to_string(&mut text).unwrap_err()).unwrap();
    assert_eq!((error.kind(), text.as_str()), (ErrorKind::Io, "too la"));
}

/// A pipe breaks where the end had come before: that end was an orderly one.
#[test]
fn a_response_may_end_with_a_connection_whose_other_half_is_broken() {
    assert_eq!(unframed_response_after(Then::Closes).text().unwrap(), "too la");
}

#[test]
fn an_upload_that_an_echo_has_stalled_ends_soon() {
    const BODY_BYTES: usize = 50_000_000;
    let peer = echo();
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
