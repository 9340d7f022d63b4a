//! Nothing waits longer than it may: the total deadline over every phase, and the limits
//! of the phases, each against a far end that is slow in just this one.
//!
//! A limit is never hit early, so the lower bounds here are exact; the upper bounds only tell a
//! limit that holds from one that does not, for machines are busy. What signals do is in
//! `deadlines/signals.rs`, what a cancel ends in `deadlines/cancel.rs`.

#[path = "deadlines/cancel.rs"]
mod cancel;
#[cfg(target_os = "linux")]
#[path = "deadlines/signals.rs"]
mod signals;
#[path = "support/silent.rs"]
mod silent;
mod support;

use std::io::{self, BufRead, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use longwire::{Client, CloseReason, Error, ErrorKind, Fate, Response, Result, SendBody, Stage};
use silent::{Gate, HangingNames, black_hole};
use support::peer::{self, Event, LIMIT, Peer};
use support::wrapped::connector;

/// The limit under test, where nothing else decides.
const SHORT: Duration = Duration::from_millis(if cfg!(target_arch = "arm") { 1_000 } else { 300 }); // there, emulated
/// More than a limit may be overrun on a busy machine, less than any default of the client.
const SLACK: Duration = Duration::from_secs(5);
/// The pause between the bytes of a peer that drips.
const GAP: Duration = Duration::from_millis(20);
/// More than the socket buffers of both sides take.
const UPLOAD_BYTES: u64 = 64 << 20;

const LENGTH_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
const CHUNKED_HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const CLOSE_HEAD: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
const LAST_CHUNK: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n";

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Runs `act`, which must fail, and returns how long that took.
#[track_caller]
fn failing<T: std::fmt::Debug>(act: impl FnOnce() -> Result<T>) -> (Error, Duration) {
    let start = Instant::now();
    let error = act().expect_err("a limit was to be hit");
    (error, start.elapsed())
}

/// The error is the timeout of this limit, at this stage, not early and not much too late.
#[track_caller]
fn assert_limit(failed: &(Error, Duration), stage: Stage, name: &str, limit: Duration) {
    let (error, took) = failed;
    assert_eq!(error.stage(), stage, "{error}");
    assert_named(error, name);
    assert!(*took >= limit, "early: {took:?} of {limit:?}: {error}");
    assert!(*took < limit + SLACK, "late: {took:?} of {limit:?}: {error}");
}

/// The error is a timeout, and its message says of which limit.
#[track_caller]
fn assert_named(error: &Error, name: &str) {
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.is_timeout(), "{error}");
    assert!(!error.is_cancelled(), "{error}");
    let message = error.to_string();
    let limits: Vec<&str> = message
        .split(|c: char| !c.is_ascii_alphabetic() && c != '_')
        .filter(|word| *word == "timeout" || word.ends_with("_timeout"))
        .collect();
    assert_eq!(limits, [name], "which limit does this name? {message}");
}

/// Reads to the end or the error.
fn drain(body: &mut impl Read) -> (Vec<u8>, Option<io::Error>) {
    let mut content = Vec::new();
    let mut buffer = [0; 64];
    loop {
        match body.read(&mut buffer) {
            Ok(0) => return (content, None),
            Ok(count) => content.extend_from_slice(&buffer[..count]),
            Err(error) => return (content, Some(error)),
        }
    }
}

fn our_error(error: io::Error) -> Error {
    Error::try_from(error).expect("an error of this crate inside the io::Error")
}

/// Answers every request with `first`, then repeats `unit` byte by byte until the client goes.
fn dripping(first: &'static str, unit: &'static str) -> Peer {
    Peer::start(move |mut conn, _| {
        if conn.request().is_some() && conn.send(first) {
            while conn.drip(unit, GAP) {}
        }
    })
}

/// Reads the request and sends no more.
fn silent_after(sent: &'static str) -> Peer {
    Peer::start(move |mut conn, _| {
        if conn.request().is_some() && conn.send(sent) {
            conn.wait_closed(LIMIT);
        }
    })
}

/// Accepts and never reads.
fn never_reading() -> Peer {
    Peer::start(|conn, _| conn.hold())
}

fn endless_upload() -> SendBody<'static> {
    SendBody::sized_reader(io::repeat(b'x').take(UPLOAD_BYTES), UPLOAD_BYTES)
}

// ---- the total deadline, phase by phase ----

#[test]
fn the_total_deadline_covers_resolving() {
    let names = HangingNames::new();
    let client = Client::builder().no_proxy().resolver(names.resolver(black_hole())).build();
    let failed = failing(|| client.get("http://slow.test/").timeout(SHORT).send());
    assert_limit(&failed, Stage::Resolve, "timeout", SHORT);
    assert_eq!(failed.0.fate(), Fate::NotSent);
}

#[test]
fn the_total_deadline_covers_connecting() {
    let url = format!("http://{}/", black_hole());
    let failed = failing(|| Client::new().get(url).timeout(SHORT).send());
    assert_limit(&failed, Stage::Connect, "timeout", SHORT);
    assert_eq!(failed.0.fate(), Fate::NotSent);
}

#[test]
fn the_total_deadline_covers_waiting_for_the_pool() {
    let peer = silent_after(LENGTH_HEAD);
    let client = Client::builder().max_connections_per_host(1).build();
    let first = client.get(peer.url("/first")).send().expect("the first head");
    let failed = failing(|| client.get(peer.url("/second")).timeout(SHORT).send());
    assert_limit(&failed, Stage::Pool, "timeout", SHORT);
    assert_eq!(failed.0.fate(), Fate::NotSent);
    assert_eq!(peer.connections(), 1);
    drop(first);
}

#[test]
fn the_total_deadline_covers_sending_to_a_peer_that_never_reads() {
    let peer = never_reading();
    let client = Client::new();
    let upload = client.post(peer.url("/")).body(endless_upload());
    let failed = failing(|| upload.timeout(SHORT).send());
    assert_limit(&failed, Stage::Send, "timeout", SHORT);
    assert_eq!(failed.0.fate(), Fate::MaybeProcessed);
}

#[test]
fn the_total_deadline_covers_a_borrowed_body_that_is_not_read() {
    let peer = never_reading();
    let body = vec![b'x'; usize::try_from(UPLOAD_BYTES).expect("64 MiB")];
    let client = Client::new();
    let upload = client.post(peer.url("/")).body(&body);
    let failed = failing(|| upload.timeout(SHORT).send());
    assert_limit(&failed, Stage::Send, "timeout", SHORT);
}

/// A reader of the caller's that gives a byte now and then, for ever.
struct Trickle;

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        std::thread::sleep(GAP);
        buffer[0] = b'x';
        Ok(1)
    }
}

#[test]
fn the_total_deadline_covers_an_upload_whose_reader_drips() {
    let peer = Peer::start(|mut conn, _| while !conn.read_some().is_empty() {});
    let client = Client::new();
    let upload = client.post(peer.url("/")).body(SendBody::reader(Trickle));
    let failed = failing(|| upload.timeout(SHORT).send());
    assert_limit(&failed, Stage::Send, "timeout", SHORT);
}

#[test]
fn the_total_deadline_covers_waiting_for_the_response() {
    let peer = silent_after("");
    let failed = failing(|| Client::new().get(peer.url("/")).timeout(SHORT).send());
    assert_limit(&failed, Stage::Wait, "timeout", SHORT);
    assert_eq!(failed.0.fate(), Fate::MaybeProcessed);
    assert_eq!(failed.0.peer_addr(), Some(peer.addr()));
    assert!(failed.0.to_string().contains(&peer.addr().to_string()));
}

#[test]
fn the_total_deadline_covers_the_wait_for_100_continue() {
    let peer = Peer::start(|mut conn, _| {
        conn.head();
        conn.wait_closed(LIMIT);
    });
    let client = Client::new();
    let post = client.post(peer.url("/")).body("not yet").expect_continue(LIMIT);
    let failed = failing(|| post.timeout(SHORT).send());
    assert_named(&failed.0, "timeout");
    assert!(failed.1 >= SHORT && failed.1 < SHORT + SLACK, "{:?}", failed.1);
}

#[test]
fn the_total_deadline_covers_interim_responses() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        for _ in 0..10 {
            conn.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
            conn.pause(ms(50));
        }
        conn.wait_closed(LIMIT);
    });
    let failed = failing(|| Client::new().get(peer.url("/")).timeout(SHORT).send());
    assert_named(&failed.0, "timeout");
    assert!(failed.1 >= SHORT && failed.1 < SHORT + SLACK, "{:?}", failed.1);
}

#[test]
fn the_total_deadline_covers_a_head_that_drips() {
    let peer = dripping("HTTP/1.1 200 OK\r\n", "X-Field: value\r\n");
    let failed = failing(|| Client::new().get(peer.url("/")).timeout(SHORT).send());
    assert_limit(&failed, Stage::Head, "timeout", SHORT);
    assert_eq!(failed.0.fate(), Fate::ResponseStarted);
}

/// Every way to read a body is bound by the deadline of its request.
fn assert_dripping_body_ends(first: &'static str, unit: &'static str) {
    let peer = dripping(first, unit);
    let ways: [fn(Response) -> Result<()>; 4] = [
        |mut response| drain(&mut response).1.map_or(Ok(()), |e| Err(our_error(e))),
        |mut response| {
            let read = response.read_to_end(&mut Vec::new());
            read.map(drop).map_err(our_error)
        },
        |response| response.bytes().map(drop),
        |mut response| response.copy_to(&mut io::sink()).map(drop),
    ];
    for way in ways {
        let client = Client::new();
        let failed = failing(|| way(client.get(peer.url("/")).timeout(SHORT).send()?));
        assert_limit(&failed, Stage::Body, "timeout", SHORT);
        assert_eq!(failed.0.fate(), Fate::ResponseStarted);
    }
}

#[test]
fn the_total_deadline_covers_a_body_with_length_that_drips() {
    assert_dripping_body_ends(LENGTH_HEAD, "x");
}

#[test]
fn the_total_deadline_covers_a_chunked_body_that_drips() {
    assert_dripping_body_ends(CHUNKED_HEAD, "1\r\nx\r\n");
}

#[test]
fn the_total_deadline_covers_a_close_delimited_body_that_drips() {
    assert_dripping_body_ends(CLOSE_HEAD, "x");
}

#[test]
fn the_total_deadline_covers_trailers_that_drip() {
    assert_dripping_body_ends(LAST_CHUNK, "X-Trailer: value\r\n");
}

#[test]
fn the_total_deadline_runs_on_while_the_caller_does_something_else() {
    let peer = silent_after("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    let mut response = Client::new().get(peer.url("/")).timeout(SHORT).send().expect("the head is in time");
    std::thread::sleep(SHORT + ms(50));
    let start = Instant::now();
    let error = our_error(response.read(&mut [0; 4]).expect_err("the time is up"));
    assert_eq!(error.stage(), Stage::Body);
    assert_named(&error, "timeout");
    assert!(start.elapsed() < SLACK);
}

#[test]
fn the_total_deadline_covers_all_redirects_together() {
    let peer = Peer::start(|mut conn, _| {
        while conn.request().is_some() && !conn.pause(ms(100)) {
            conn.send(peer::answer("302 Found", "Location: /again\r\n", ""));
        }
    });
    let client = Client::builder().max_redirects(10_000).build();
    let failed = failing(|| client.get(peer.url("/")).timeout(ms(500)).send());
    assert_named(&failed.0, "timeout");
    assert!(failed.1 >= ms(500), "early: {:?}", failed.1);
    assert!(failed.1 < SLACK, "late: {:?}", failed.1);
    assert!(peer.request_lines().len() > 1);
}

/// The first connection answers once, then keeps the second request waiting and closes; the
/// connection of the retry sends nothing.
#[test]
fn the_total_deadline_covers_a_retry_and_does_not_begin_again() {
    let peer = Peer::start(|mut conn, index| {
        if index == 0 {
            conn.request();
            conn.send(peer::ok("first"));
            conn.request();
            conn.pause(ms(2000));
        } else {
            conn.request();
            conn.wait_closed(LIMIT);
        }
    });
    let client = Client::new();
    let first = client.get(peer.url("/1")).send().expect("the first response");
    assert_eq!(first.text().expect("its text"), "first");
    let failed = failing(|| client.get(peer.url("/2")).timeout(ms(3000)).send());
    assert_named(&failed.0, "timeout");
    assert_eq!(peer.connections(), 2, "the request was to be tried again");
    assert!(failed.1 >= ms(3000), "early: {:?}", failed.1);
    assert!(failed.1 < ms(4800), "the clock began again: {:?}", failed.1);
}

#[test]
fn a_total_deadline_kept_is_no_error() {
    let peer = Peer::answering(peer::ok("in time"));
    let response = Client::new().get(peer.url("/")).timeout(SLACK).send();
    assert_eq!(response.expect("in time").text().expect("text"), "in time");
}

// ---- the limits of the phases ----

#[test]
fn connect_timeout_covers_connecting() {
    let client = Client::builder().connect_timeout(SHORT).build();
    let url = format!("http://{}/", black_hole());
    let failed = failing(|| client.get(url).send());
    assert_limit(&failed, Stage::Connect, "connect_timeout", SHORT);
    assert_eq!(failed.0.fate(), Fate::NotSent);
}

#[test]
fn connect_timeout_is_named_where_a_user_supplied_connector_ran_out_of_it() {
    // It keeps to the time it has, and reports no more than the system does.
    let punctual = connector(|_, deadline, _| {
        let left = deadline.remaining().expect("there is a limit");
        match TcpStream::connect_timeout(&black_hole(), left) {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(Error::from_io(ErrorKind::Connect, "in my own way", error)),
        }
    });
    let client = Client::builder().connect_timeout(SHORT).connector(punctual).build();
    let failed = failing(|| client.get("http://a.test/").send());
    assert_limit(&failed, Stage::Connect, "connect_timeout", SHORT);
    assert!(failed.0.to_string().contains("passed: in my own way: "), "{}", failed.0);
}

#[test]
fn connect_timeout_covers_a_resolver_that_hangs_and_abandons_it() {
    let names = HangingNames::new();
    let client = Client::builder().no_proxy().connect_timeout(SHORT).resolver(names.resolver(black_hole())).build();
    let failed = failing(|| client.get("http://slow.test/").send());
    assert_limit(&failed, Stage::Resolve, "connect_timeout", SHORT);
    assert_eq!(failed.0.fate(), Fate::NotSent);
    assert_eq!(names.live(), 1, "the look-up was to be left behind");
}

#[test]
fn waiting_for_the_pool_counts_to_connect_timeout() {
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            match request.target.as_str() {
                "/held" => conn.send(LENGTH_HEAD),
                _ => conn.send(peer::ok("free")),
            };
        }
    });
    let client = Client::builder().max_connections_per_host(1).connect_timeout(SHORT).build();
    let held = client.get(peer.url("/held")).send().expect("a head");
    let failed = failing(|| client.get(peer.url("/second")).send());
    assert_limit(&failed, Stage::Pool, "connect_timeout", SHORT);
    assert_eq!(failed.0.fate(), Fate::NotSent);
    assert_eq!(peer.connections(), 1);
    drop(held);
    let third = client.get(peer.url("/third")).send().expect("a free slot");
    assert_eq!(third.text().expect("text"), "free");
}

#[test]
fn write_timeout_is_a_peer_that_takes_nothing() {
    let peer = never_reading();
    let client = Client::builder().write_timeout(SHORT).build();
    let failed = failing(|| client.post(peer.url("/")).body(endless_upload()).send());
    assert_limit(&failed, Stage::Send, "write_timeout", SHORT);
    assert_eq!(failed.0.fate(), Fate::MaybeProcessed);
}

#[test]
fn write_timeout_is_not_hit_by_a_peer_that_reads_slowly() {
    let peer = Peer::start(|mut conn, _| {
        let Some(request) = conn.head() else { return };
        let length: usize =
            request.header("content-length").and_then(|length| length.parse().ok()).expect("a Content-Length");
        let mut received = 0;
        while received < length && !conn.pause(ms(20)) {
            received += conn.read_some().len();
        }
        conn.send(peer::ok(&received.to_string()));
    });
    let write_timeout = ms(1200);
    let client = Client::builder().write_timeout(write_timeout).build();
    let length = 12 << 20;
    let body = SendBody::sized_reader(io::repeat(b'x').take(length), length);
    let start = Instant::now();
    let response = client.post(peer.url("/")).body(body).send();
    let text = response.expect("slow is not silent").text().expect("text");
    assert_eq!(text, length.to_string());
    assert!(start.elapsed() > write_timeout, "the peer was not slow");
}

#[test]
fn read_timeout_is_silence_before_the_response() {
    let peer = silent_after("");
    let client = Client::builder().read_timeout(SHORT).build();
    let failed = failing(|| client.get(peer.url("/")).send());
    assert_limit(&failed, Stage::Wait, "read_timeout", SHORT);
    assert_eq!(failed.0.fate(), Fate::MaybeProcessed);
}

#[test]
fn read_timeout_is_silence_within_any_body() {
    for head in [LENGTH_HEAD, CHUNKED_HEAD, CLOSE_HEAD, LAST_CHUNK] {
        let peer = silent_after(head);
        let client = Client::builder().read_timeout(SHORT).build();
        let mut response = client.get(peer.url("/")).send().expect("the head");
        let start = Instant::now();
        let (_, error) = drain(&mut response);
        let took = start.elapsed();
        let error = our_error(error.unwrap_or_else(|| panic!("a clean end after {head}")));
        assert_limit(&(error, took), Stage::Body, "read_timeout", SHORT);
    }
}

#[test]
fn read_timeout_is_not_hit_by_a_body_that_drips() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n");
        conn.drip([b'x'; 25], ms(100));
    });
    let read_timeout = ms(1500);
    let client = Client::builder().read_timeout(read_timeout).build();
    let start = Instant::now();
    let mut response = client.get(peer.url("/")).send().expect("the head");
    let (content, error) = drain(&mut response);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(content.len(), 25);
    assert!(start.elapsed() > read_timeout, "the peer did not drip");
}

#[test]
fn read_timeout_is_silence_within_a_body_that_is_collected() {
    let limit = ms(1500);
    let peer = Peer::start(move |mut conn, _| {
        conn.request();
        conn.send(LENGTH_HEAD);
        for _ in 0..9 {
            conn.send(vec![b'x'; 10_000]);
            conn.pause(limit / 5);
        }
        conn.wait_closed(LIMIT);
    });
    let client = Client::builder().read_timeout(limit).build();
    let start = Instant::now();
    let failed = failing(|| client.get(peer.url("/")).send()?.bytes());
    assert_limit(&failed, Stage::Body, "read_timeout", limit);
    assert!(start.elapsed() > limit * 2, "the peer did not pause");
}

#[test]
fn read_timeout_of_a_request_stands_over_the_clients() {
    let peer = silent_after("");
    let client = Client::builder().read_timeout(LIMIT).build();
    let failed = failing(|| client.get(peer.url("/")).read_timeout(SHORT).send());
    assert_limit(&failed, Stage::Wait, "read_timeout", SHORT);
}

#[test]
fn a_head_once_begun_is_complete_within_read_timeout_even_if_it_drips() {
    let peer = dripping("HTTP/1.1 200 OK\r\n", "X-Field: value\r\n");
    let client = Client::builder().read_timeout(ms(500)).build();
    let failed = failing(|| client.get(peer.url("/")).send());
    assert_limit(&failed, Stage::Head, "read_timeout", ms(500));
}

#[test]
fn header_timeout_covers_the_wait_for_the_head() {
    let peer = silent_after("");
    let client = Client::builder().header_timeout(SHORT).build();
    let failed = failing(|| client.get(peer.url("/")).send());
    assert_limit(&failed, Stage::Wait, "header_timeout", SHORT);
}

#[test]
fn header_timeout_covers_a_head_that_drips() {
    let peer = dripping("HTTP/1.1 200 OK\r\n", "X-Field: value\r\n");
    let client = Client::builder().header_timeout(SHORT).build();
    let failed = failing(|| client.get(peer.url("/")).send());
    assert_limit(&failed, Stage::Head, "header_timeout", SHORT);
}

#[test]
fn header_timeout_does_not_cover_the_body() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
        conn.pause(ms(2500));
        conn.send("late");
    });
    let client = Client::builder().header_timeout(ms(2000)).build();
    let response = client.get(peer.url("/")).send().expect("the head");
    assert_eq!(response.text().expect("the body may be late"), "late");
}

// ---- what is left after a timeout ----

#[test]
fn a_timeout_in_the_body_is_final_and_its_connection_is_closed() {
    let peer = silent_after("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    let client = Client::builder().read_timeout(SHORT).build();
    let mut response = client.get(peer.url("/")).send().expect("the head");
    let (content, first) = drain(&mut response);
    assert_eq!(content, b"hello");
    let first = first.expect("a body cut by silence is an error");
    assert_eq!(first.kind(), io::ErrorKind::TimedOut);
    assert!(peer.saw_close(0), "the connection was to be closed at once");
    let start = Instant::now();
    let later = [
        response.read(&mut [0; 9]).map(drop),
        response.body_mut().fill_buf().map(drop),
        response.read_to_end(&mut Vec::new()).map(drop),
    ];
    for read in later {
        let error = read.expect_err("an error is final");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_named(&our_error(error), "read_timeout");
    }
    assert!(start.elapsed() < SHORT + SLACK);
    assert!(!response.body().is_complete());
    assert_eq!(response.body().ended(), None);
    assert_eq!(client.pool_stats().closed.get(CloseReason::Failed), 1);
}

#[test]
fn a_response_that_comes_after_the_timeout_never_reaches_the_next_request() {
    let gate = Gate::closed();
    let held = gate.clone();
    let peer = Peer::start(move |mut conn, index| {
        conn.request();
        if index == 0 {
            held.pass();
            conn.send(peer::ok("late"));
        } else {
            conn.send(peer::ok("next"));
        }
        conn.wait_closed(LIMIT);
    });
    let client = Client::new();
    let late = client.get(peer.url("/late")).read_timeout(SHORT);
    assert_named(&late.send().expect_err("no response"), "read_timeout");
    gate.open();
    let next = client.get(peer.url("/next")).send().expect("a response");
    assert!(!next.connection().reused());
    assert_eq!(next.text().expect("text"), "next");
    assert!(peer.saw_close(0));
    assert_eq!(peer.connections(), 2);
}

/// Answers each request of a connection after so long.
fn answering_after(pauses: &'static [u64]) -> Peer {
    Peer::start(move |mut conn, _| {
        for &pause in pauses {
            if conn.request().is_none() || conn.pause(ms(pause)) {
                return;
            }
            conn.send(peer::ok("here"));
        }
        conn.wait_closed(LIMIT);
    })
}

#[test]
fn the_deadline_of_one_request_is_not_inherited_by_the_next_on_its_connection() {
    let peer = answering_after(&[0, 1500, 1500]);
    let client = Client::new();
    let first = client.get(peer.url("/1")).timeout(ms(1000));
    first.send().expect("in time").bytes().expect("its body");
    let second = client.get(peer.url("/2")).send().expect("it may be late");
    assert_eq!(second.connection().nth(), 2);
    second.bytes().expect("its body");
    let third = client.get(peer.url("/3")).read_timeout(LIMIT).send();
    assert_eq!(third.expect("it may be late").connection().nth(), 3);
}

#[test]
fn a_read_timeout_of_one_request_is_not_inherited_by_the_next_on_its_connection() {
    let peer = answering_after(&[0, 1500]);
    let client = Client::new();
    let first = client.get(peer.url("/1")).read_timeout(ms(1000));
    first.send().expect("in time").bytes().expect("its body");
    let second = client.get(peer.url("/2")).send().expect("it may be late");
    assert_eq!(second.connection().nth(), 2);
}

#[test]
fn a_short_limit_holds_on_a_connection_that_knew_a_long_one() {
    let peer = answering_after(&[0, 0, 20_000]);
    let client = Client::new();
    for path in ["/1", "/2"] {
        let response = client.get(peer.url(path)).send().expect("a response");
        response.bytes().expect("its body");
    }
    let failed = failing(|| client.get(peer.url("/3")).read_timeout(SHORT).send());
    assert_limit(&failed, Stage::Wait, "read_timeout", SHORT);
    assert_eq!(peer.connections(), 1);
    assert!(peer.saw(&Event::Request(0, "GET /3 HTTP/1.1".to_owned())));
}

// ---- switching limits off, and limits that are none ----

#[test]
fn none_switches_off_what_the_client_has_set() {
    let peer = answering_after(&[600]);
    let client = Client::builder().timeout(SHORT).read_timeout(SHORT).build();
    let get = client.get(peer.url("/")).timeout(None).read_timeout(None);
    let response = get.send().expect("no limit, no error");
    assert_eq!(response.text().expect("text"), "here");
    let failed = failing(|| client.get(peer.url("/")).read_timeout(None).send());
    assert_limit(&failed, Stage::Wait, "timeout", SHORT);
}

#[test]
fn a_zero_duration_is_an_invalid_request() {
    let zero = Duration::ZERO;
    let peer = Peer::answering(peer::ok("never sent"));
    let get = || Client::new().get(peer.url("/"));
    let of_client = |client: Client| client.get(peer.url("/")).send();
    let sent = [
        ("timeout", get().timeout(zero).send()),
        ("read_timeout", get().read_timeout(zero).send()),
        ("client's timeout", of_client(Client::builder().timeout(zero).build())),
        ("connect_timeout", of_client(Client::builder().connect_timeout(zero).build())),
        ("client's read_timeout", of_client(Client::builder().read_timeout(zero).build())),
        ("write_timeout", of_client(Client::builder().write_timeout(zero).build())),
        ("header_timeout", of_client(Client::builder().header_timeout(zero).build())),
    ];
    for (name, sent) in sent {
        let error = sent.expect_err(name);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{name}: {error}");
        assert_eq!(error.fate(), Fate::NotSent, "{name}");
    }
    assert_eq!(peer.connections(), 0);
}

#[test]
fn a_limit_that_overflows_the_clock_means_none() {
    let peer = answering_after(&[0, 0]);
    let max = Duration::MAX;
    let client = Client::builder()
        .timeout(max)
        .connect_timeout(max)
        .read_timeout(max)
        .write_timeout(max)
        .header_timeout(max)
        .idle_timeout(max)
        .build();
    for exchange in [1, 2] {
        let get = client.get(peer.url("/")).timeout(max).read_timeout(max);
        let response = get.send().expect("no limit");
        assert_eq!(response.connection().nth(), exchange);
        assert_eq!(response.text().expect("text"), "here");
    }
}
