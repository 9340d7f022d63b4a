//! A [`CancelToken`] ends its requests from another thread, in whatever phase they are; it never
//! makes a body look complete, and it never hits a request that is not its own.
//!
//! No limit of time is near in these tests, so a request that comes back was cancelled.

use std::io::{self, BufRead, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use longwire::{
    CancelToken, Client, ClientBuilder, CloseReason, Error, ErrorKind, Fate, Response, Result, SendBody, Stage,
};

use crate::silent::{self, Gate, HangingNames, black_hole};
use crate::support::peer::{self, Event, LIMIT, Peer, ok};
use crate::support::wrapped::{Wrapped, connector};

/// A cancelled request is back within this, and no limit of the client's is shorter.
const SOON: Duration = Duration::from_secs(8);

/// One way to read a response to its end or its error.
type Way = fn(Response) -> Result<Vec<u8>>;

const LENGTH_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
const CHUNKED_HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const CLOSE_HEAD: &str = "HTTP/1.1 200 OK\r\n\r\n";

/// Runs `act`, which cancelling must end, while `cancel` waits for its moment and then cancels.
#[track_caller]
fn cancelled<T: std::fmt::Debug>(
    token: &CancelToken,
    act: impl FnOnce() -> Result<T>,
    moment: impl FnOnce() -> bool + Send,
) -> Error {
    let (result, took) = thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let came = moment();
            let now = Instant::now();
            token.cancel();
            (came, now)
        });
        let result = act();
        let end = Instant::now();
        let (came, cancelled_at) = waiting.join().expect("the cancelling thread");
        assert!(came, "the moment to cancel did not come: {result:?}");
        (result, end.saturating_duration_since(cancelled_at))
    });
    let error = result.expect_err("it was cancelled");
    assert!(took < SOON, "cancelled after {took:?}: {error}");
    assert_cancelled(&error);
    error
}

#[track_caller]
fn assert_cancelled(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    assert!(error.is_cancelled());
    assert!(!error.is_timeout());
}

fn our_error(error: io::Error) -> Error {
    Error::try_from(error).expect("an error of this crate inside the io::Error")
}

/// Reads to the end, which is `Ok`, or to the error.
fn drain(body: &mut impl Read) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut buffer = [0; 64];
    loop {
        match body.read(&mut buffer).map_err(our_error)? {
            0 => return Ok(content),
            count => content.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Answers each request with this, and then waits for the client to go.
fn silent_after(sent: &'static str) -> Peer {
    Peer::start(move |mut conn, _| {
        if conn.request().is_some() && conn.send(sent) {
            conn.wait_closed(LIMIT);
        }
    })
}

fn requests_came(events: &[Event], count: usize) -> bool {
    let requests = events.iter().filter(|e| matches!(e, Event::Request(..)));
    requests.count() >= count
}

/// Asks every few milliseconds, within the peer's limit, until it is so.
fn poll_until(so: impl Fn() -> bool) -> bool {
    let end = Instant::now() + LIMIT;
    while !so() {
        if Instant::now() > end {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}

/// Connections that show whether the client waits for a response: that its request has come does not
/// show that yet.
struct Watched {
    to: SocketAddr,
    /// A read has begun after the last write.
    waits: Arc<AtomicBool>,
    /// A cancel can wake a blocked read.
    wakes: bool,
}

impl Watched {
    fn new(peer: &Peer) -> Watched {
        Watched { to: peer.addr(), waits: Arc::default(), wakes: true }
    }

    fn client(&self) -> ClientBuilder {
        let (to, waits, wakes) = (self.to, self.waits.clone(), self.wakes);
        Client::builder().connector(connector(move |_, _, _| {
            let stream = TcpStream::connect(to);
            let stream = stream.map_err(|error| Error::from_io(ErrorKind::Connect, "watched", error))?;
            let (reading, writing) = (waits.clone(), waits.clone());
            let stream = Wrapped::new(Box::new(stream))
                .on_read(move |stream, into| {
                    reading.store(true, Ordering::SeqCst);
                    stream.read(into)
                })
                .on_write(move |stream, bytes| {
                    writing.store(false, Ordering::SeqCst);
                    stream.write_nosignal(bytes)
                });
            Ok(Box::new(if wakes { stream } else { stream.without_shutdown_handle() }))
        }))
    }

    /// Waits until this many requests have come and the client waits for a response to the last.
    fn saw_wait(&self, peer: &Peer, count: usize) -> bool {
        peer.wait_until(|events| requests_came(events, count)) && poll_until(|| self.waits.load(Ordering::SeqCst))
    }
}

// ---- the phases, in their order ----

#[test]
fn a_token_already_cancelled_sends_nothing() {
    let peer = Peer::answering(peer::ok("x"));
    let client = Client::new();
    let token = CancelToken::new();
    token.cancel();
    let error = client.get(peer.url("/")).cancel_token(&token).send();
    let error = error.expect_err("cancelled before it began");
    assert_cancelled(&error);
    assert_eq!(error.fate(), Fate::NotSent);
    assert_eq!(peer.connections(), 0);
}

#[test]
fn a_token_already_cancelled_leaves_the_pool_as_it_was() {
    let peer = Peer::answering(peer::ok("x"));
    let client = Client::new();
    let get = || client.get(peer.url("/"));
    get().send().expect("a response").bytes().expect("its body");
    let token = CancelToken::new();
    token.cancel();
    let error = get().cancel_token(&token).send().expect_err("cancelled");
    assert_eq!(error.fate(), Fate::NotSent);
    assert_eq!(client.pool_stats().idle, 1);
    let next = get().send().expect("a response");
    assert_eq!(next.connection().nth(), 2);
    assert_eq!(peer.request_lines().len(), 2);
}

#[test]
fn cancel_ends_the_wait_for_a_slot_in_the_pool() {
    let peer = silent_after(LENGTH_HEAD);
    let client = Client::builder().max_connections_per_host(1).connect_timeout(None).build();
    let held = client.get(peer.url("/held")).send().expect("a head");
    let token = CancelToken::new();
    let error = cancelled(
        &token,
        || client.get(peer.url("/second")).cancel_token(&token).send(),
        || poll_until(|| client.pool_stats().waiting == 1),
    );
    assert_eq!(error.stage(), Stage::Pool);
    assert_eq!(error.fate(), Fate::NotSent);
    assert_eq!(client.pool_stats().waiting, 0);
    assert_eq!(peer.connections(), 1);
    drop(held);
}

#[test]
fn cancel_ends_resolving() {
    let names = HangingNames::new();
    let client = Client::builder().no_proxy().connect_timeout(None).resolver(names.resolver(black_hole())).build();
    let token = CancelToken::new();
    let error = cancelled(&token, || client.get("http://slow.test/").cancel_token(&token).send(), || names.gate.saw(1));
    assert_eq!(error.stage(), Stage::Resolve);
    assert_eq!(error.fate(), Fate::NotSent);
}

#[test]
fn cancel_ends_connecting() {
    let client = Client::builder().connect_timeout(None).build();
    let url = format!("http://{}/", black_hole());
    let token = CancelToken::new();
    let error = cancelled(
        &token,
        || client.get(url).cancel_token(&token).send(),
        || {
            // A connect that waits cannot be seen from outside.
            thread::sleep(Duration::from_millis(200));
            true
        },
    );
    assert_eq!(error.stage(), Stage::Connect);
    assert_eq!(error.fate(), Fate::NotSent);
}

#[test]
fn cancel_ends_a_race_of_addresses() {
    let names = TwoDeadAddresses([black_hole(), silent::other_black_hole()]);
    let client = Client::builder().no_proxy().connect_timeout(None).resolver(names).build();
    let token = CancelToken::new();
    let error = cancelled(
        &token,
        || client.get("http://dead.test/").cancel_token(&token).send(),
        || {
            // Long enough for the second address to be tried as well.
            thread::sleep(Duration::from_millis(500));
            true
        },
    );
    assert_eq!(error.stage(), Stage::Connect);
}

struct TwoDeadAddresses([SocketAddr; 2]);

impl longwire::transport::Resolve for TwoDeadAddresses {
    fn resolve(&self, _: &longwire::transport::Query<'_>) -> io::Result<Vec<SocketAddr>> {
        Ok(self.0.to_vec())
    }
}

#[test]
fn cancel_ends_sending_to_a_peer_that_never_reads_the_body() {
    let peer = Peer::start(|mut conn, _| {
        conn.head();
        conn.hold();
    });
    let client = Client::new();
    let length = 64 << 20;
    let body = SendBody::sized_reader(io::repeat(b'x').take(length), length);
    let token = CancelToken::new();
    let error = cancelled(
        &token,
        || client.post(peer.url("/")).body(body).cancel_token(&token).send(),
        || peer.wait_until(|events| requests_came(events, 1)),
    );
    assert_eq!(error.stage(), Stage::Send);
    assert_eq!(error.fate(), Fate::MaybeProcessed);
}

/// Gives one block, and then what the cancel of its request has made of it.
struct Interrupted {
    token: CancelToken,
    has_begun: bool,
    end: fn() -> io::Result<usize>,
}

impl Read for Interrupted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.has_begun, true) {
            self.token.cancel();
            return (self.end)();
        }
        Ok(buffer.len().min(10))
    }
}

#[test]
fn a_body_that_breaks_off_because_of_the_cancel_is_a_cancelled_request() {
    let ends: [fn() -> io::Result<usize>; 2] = [|| Ok(0), || Err(io::ErrorKind::BrokenPipe.into())];
    for end in ends {
        for length in [Some(100), None] {
            let peer = Peer::start(|mut conn, _| assert!(conn.request().is_none(), "it is not complete"));
            let token = CancelToken::new();
            let reader = Interrupted { token: token.clone(), has_begun: false, end };
            let body = match length {
                Some(length) => SendBody::sized_reader(reader, length),
                None => SendBody::reader(reader),
            };
            let error = Client::new().post(peer.url("/")).body(body).cancel_token(&token).send().unwrap_err();
            assert_cancelled(&error);
            assert_eq!((error.stage(), error.fate()), (Stage::Send, Fate::MaybeProcessed), "{length:?}");
        }
    }
}

#[test]
fn cancel_ends_the_wait_for_the_head() {
    let peer = silent_after("");
    let watched = Watched::new(&peer);
    let client = watched.client().build();
    let token = CancelToken::new();
    let error =
        cancelled(&token, || client.get(peer.url("/")).cancel_token(&token).send(), || watched.saw_wait(&peer, 1));
    assert_eq!(error.stage(), Stage::Wait);
    assert_eq!(error.fate(), Fate::MaybeProcessed);
    assert!(error.peer_addr() == Some(peer.addr()), "{error}");
}

#[test]
fn cancel_ends_a_wait_that_has_no_limit_at_all() {
    let peer = silent_after("");
    let watched = Watched::new(&peer);
    let client = watched.client().read_timeout(None).build();
    let token = CancelToken::new();
    let error =
        cancelled(&token, || client.get(peer.url("/")).cancel_token(&token).send(), || watched.saw_wait(&peer, 1));
    assert_eq!(error.stage(), Stage::Wait);
}

#[test]
fn cancel_ends_a_head_that_has_begun() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nX-Field: 1\r\n");
        conn.drip("X: 1\r\n".repeat(3), Duration::from_millis(10));
        conn.note("begun");
        conn.wait_closed(LIMIT);
    });
    let client = Client::new();
    let token = CancelToken::new();
    let error = cancelled(
        &token,
        || client.get(peer.url("/")).cancel_token(&token).send(),
        || peer.saw(&Event::Note(0, "begun".to_owned())),
    );
    assert_eq!(error.stage(), Stage::Head);
    assert_eq!(error.fate(), Fate::ResponseStarted);
}

#[test]
fn cancel_covers_the_hops_of_a_redirect() {
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            if request.target == "/" {
                conn.send(peer::answer("302 Found", "Location: /next\r\n", ""));
            }
        }
    });
    let watched = Watched::new(&peer);
    let client = watched.client().build();
    let token = CancelToken::new();
    let error =
        cancelled(&token, || client.get(peer.url("/")).cancel_token(&token).send(), || watched.saw_wait(&peer, 2));
    assert_eq!(error.stage(), Stage::Wait);
}

#[test]
fn cancel_ends_the_wait_for_100_continue() {
    let peer = Peer::start(|mut conn, _| {
        conn.head();
        conn.wait_closed(LIMIT);
    });
    let client = Client::new();
    let token = CancelToken::new();
    let post = client.post(peer.url("/")).body("not yet").expect_continue(LIMIT);
    let error =
        cancelled(&token, || post.cancel_token(&token).send(), || peer.wait_until(|events| requests_came(events, 1)));
    assert_eq!(error.fate(), Fate::MaybeProcessed);
}

#[test]
fn a_cancelled_request_on_a_kept_connection_is_not_tried_again() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send(peer::ok("first"));
        conn.request();
        conn.wait_closed(LIMIT);
    });
    let watched = Watched::new(&peer);
    let client = watched.client().build();
    let first = client.get(peer.url("/1")).send().expect("a response");
    first.bytes().expect("its body");
    let token = CancelToken::new();
    let error =
        cancelled(&token, || client.get(peer.url("/2")).cancel_token(&token).send(), || watched.saw_wait(&peer, 2));
    assert_eq!(error.stage(), Stage::Wait);
    assert!(peer.saw_close(0));
    assert_eq!(peer.connections(), 1);
}

#[test]
fn cancel_ends_a_wait_on_a_stream_that_cannot_be_woken() {
    let peer = silent_after("");
    let watched = Watched { wakes: false, ..Watched::new(&peer) };
    let client = watched.client().build();
    let token = CancelToken::new();
    let error =
        cancelled(&token, || client.get(peer.url("/")).cancel_token(&token).send(), || watched.saw_wait(&peer, 1));
    assert_eq!(error.stage(), Stage::Wait);
    assert!(peer.saw_close(0));
}

#[test]
fn an_error_of_a_connector_after_a_cancel_is_the_cancel() {
    let token = CancelToken::new();
    let cancelling = token.clone();
    let cancelled = connector(move |_, _, token| {
        cancelling.cancel();
        assert!(token.is_cancelled(), "it is the request's own");
        Err(Error::from_io(ErrorKind::Connect, "given up", io::ErrorKind::Interrupted.into()))
    });
    let client = Client::builder().connector(cancelled).build();
    let error = client.get("http://a.test/").cancel_token(&token).send().unwrap_err();
    assert_cancelled(&error);
    assert_eq!((error.stage(), error.fate()), (Stage::Connect, Fate::NotSent));
}

// ---- the body ----

/// What a cancelled body has to say, however it is read: never that it is complete.
fn assert_cancel_ends_body(sent: &'static str, read: Way) {
    let peer = silent_after(sent);
    let client = Client::new();
    let token = CancelToken::new();
    let response = client.get(peer.url("/")).cancel_token(&token).send();
    let response = response.expect("the head");
    let error = cancelled(
        &token,
        || read(response),
        || {
            // That a reader waits cannot be seen from outside; without the pause it would
            // find the token cancelled before it waits, which must come out the same.
            thread::sleep(Duration::from_millis(100));
            true
        },
    );
    assert_eq!(error.stage(), Stage::Body, "{error}");
    assert_eq!(error.fate(), Fate::ResponseStarted);
    assert!(peer.saw_close(0));
}

#[test]
fn cancel_ends_a_body_of_any_framing_and_never_as_a_clean_end() {
    let ways: [Way; 4] = [
        |mut response| drain(&mut response),
        |mut response| {
            let mut content = Vec::new();
            let read = response.read_to_end(&mut content);
            read.map(|_| content).map_err(our_error)
        },
        |response| response.bytes(),
        |mut response| {
            let mut content = Vec::new();
            response.copy_to(&mut content).map(|_| content)
        },
    ];
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf";
    let trailers = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n";
    let until_close = "HTTP/1.1 200 OK\r\n\r\nhalf";
    for sent in [length, chunked, trailers, until_close] {
        for read in ways {
            assert_cancel_ends_body(sent, read);
        }
    }
}

#[test]
fn a_close_delimited_body_read_after_the_cancel_is_no_clean_end() {
    for head in [CLOSE_HEAD, LENGTH_HEAD, CHUNKED_HEAD] {
        let peer = silent_after(head);
        let token = CancelToken::new();
        let response = Client::new().get(peer.url("/")).cancel_token(&token).send();
        let mut response = response.expect("the head");
        token.cancel();
        let error = drain(&mut response).expect_err("it was cancelled");
        assert_cancelled(&error);
        assert_eq!(response.body().ended(), None);
        assert!(!response.body().is_complete());
    }
}

#[test]
fn a_cancelled_error_is_final_and_is_an_aborted_connection_to_std() {
    let peer = silent_after("HTTP/1.1 200 OK\r\n\r\nhalf");
    let client = Client::new();
    let token = CancelToken::new();
    let response = client.get(peer.url("/")).cancel_token(&token).send();
    let mut response = response.expect("the head");
    let mut half = [0; 4];
    response.read_exact(&mut half).expect("the first half");
    token.cancel();
    let reads: [fn(&mut Response) -> io::Result<()>; 4] = [
        |response| response.read(&mut [0; 9]).map(drop),
        |response| response.body_mut().fill_buf().map(drop),
        |response| response.read_to_end(&mut Vec::new()).map(drop),
        |response| response.read(&mut [0; 100_000]).map(drop),
    ];
    for read in reads {
        let error = read(&mut response).expect_err("it was cancelled");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        assert_cancelled(&our_error(error));
    }
    assert_eq!(client.pool_stats().closed.get(CloseReason::Cancelled), 1);
    assert_cancelled(&response.bytes().expect_err("it was cancelled"));
}

// ---- whom a token hits ----

#[test]
fn one_token_cancels_requests_on_several_threads() {
    const REQUESTS: usize = 4;
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            if request.target == "/free" {
                conn.send(peer::ok("free"));
            }
        }
    });
    let client = Client::new();
    let token = CancelToken::new();
    let errors: Vec<Result<Response>> = thread::scope(|scope| {
        let get = |path: &str| client.get(peer.url(path));
        let waiting = [(); REQUESTS].map(|()| {
            let token = token.clone();
            scope.spawn(move || get("/held").cancel_token(&token).send())
        });
        assert!(peer.wait_until(|events| requests_came(events, REQUESTS)));
        let free = get("/free").send().expect("it has no token");
        token.cancel();
        assert_eq!(free.text().expect("it has no token"), "free");
        let join = |waiting: thread::ScopedJoinHandle<'_, _>| waiting.join().expect("no panic");
        waiting.into_iter().map(join).collect()
    });
    assert_eq!(errors.len(), REQUESTS);
    for error in errors {
        assert_cancelled(&error.expect_err("it was cancelled"));
    }
}

/// The first response is complete; the second is given when the gate is open.
fn second_response_after(gate: &Arc<Gate>) -> Peer {
    let gate = Arc::clone(gate);
    Peer::start(move |mut conn, _| {
        conn.request();
        conn.send(peer::ok("first"));
        conn.request();
        gate.pass();
        conn.send(peer::ok("second"));
        conn.wait_closed(LIMIT);
    })
}

#[test]
fn a_cancel_after_the_last_byte_does_not_hit_the_next_request_of_the_connection() {
    let gate = Gate::closed();
    let peer = second_response_after(&gate);
    let client = Client::new();
    let token = CancelToken::new();
    let first = client.get(peer.url("/1")).cancel_token(&token).send();
    let mut first = first.expect("a response");
    let mut content = [0; 5];
    first.read_exact(&mut content).expect("the whole body");
    let text = thread::scope(|scope| {
        scope.spawn(|| {
            assert!(gate.saw(1), "the second request did not come");
            token.cancel();
            gate.open();
        });
        let second = client.get(peer.url("/2")).send().expect("not its token");
        assert_eq!(second.connection().nth(), 2);
        second.text().expect("not its token")
    });
    assert_eq!(text, "second");
    assert!(token.is_cancelled());
    assert_eq!(first.read(&mut content).expect("it was complete before"), 0, "a complete body stays complete");
}

#[test]
fn many_late_cancels_never_hit_a_request_that_is_not_theirs() {
    let peer = Peer::answering(peer::ok("whole"));
    let client = Client::new();
    for round in 0..300 {
        let token = CancelToken::new();
        let mine = client.get(peer.url("/mine")).cancel_token(&token).send();
        let mine = mine.expect("a response");
        thread::scope(|scope| {
            let cancelling = scope.spawn(|| token.cancel());
            if let Err(error) = mine.bytes() {
                assert_cancelled(&error);
            }
            let next = client.get(peer.url("/next")).send();
            let next = next.unwrap_or_else(|error| panic!("round {round}: {error}"));
            assert_eq!(next.text().expect("not its token"), "whole");
            cancelling.join().expect("no panic");
        });
    }
}

#[test]
fn a_token_once_cancelled_stays_cancelled_for_all_its_clones() {
    let token = CancelToken::new();
    let clone = token.clone();
    assert!(!token.is_cancelled());
    clone.cancel();
    assert!(token.is_cancelled());
    token.cancel();
    assert!(clone.is_cancelled());
    let peer = Peer::answering(peer::ok("x"));
    for _ in 0..2 {
        let sent = Client::new().get(peer.url("/")).cancel_token(&clone).send();
        assert_cancelled(&sent.expect_err("for ever"));
    }
    assert_eq!(peer.connections(), 0);
}

#[test]
fn a_token_that_is_not_cancelled_changes_nothing() {
    let peer = Peer::answering(peer::ok("x"));
    let client = Client::new();
    let token = CancelToken::new();
    for exchange in 1..=3 {
        let response = client.get(peer.url("/")).cancel_token(&token).send();
        let response = response.expect("a response");
        assert_eq!(response.connection().nth(), exchange);
        assert_eq!(response.text().expect("text"), "x");
    }
    drop(token);
    let after = client.get(peer.url("/")).send().expect("a response");
    assert_eq!(after.connection().nth(), 4);
}

// ---- a body that has arrived ----

/// The size of a connection's buffer.
const BUFFER_BYTES: usize = 8 * 1024;

/// Hands `then` a response that was cancelled when all of its body had arrived, and one read had
/// taken what `room` holds.
fn cancelled_after(room: usize, body_bytes: usize, then: impl Fn(Response)) {
    let peer = Peer::start(move |mut conn, _| {
        conn.request();
        conn.send(ok(&"x".repeat(body_bytes)));
        conn.note("sent");
        conn.hold();
    });
    let (client, token) = (Client::new(), CancelToken::new());
    let mut response = client.get(peer.url("/")).cancel_token(&token).send().unwrap();
    assert!(peer.noted(0, "sent"));
    assert!(response.read(&mut vec![0; room]).unwrap() < body_bytes, "there is more");
    token.cancel();
    then(response);
    assert_eq!(client.pool_stats().closed.get(CloseReason::Cancelled), 1);
}

#[test]
fn a_cancelled_body_is_not_read_to_its_end_although_all_of_it_has_arrived() {
    // In the buffer; in the kernel behind the buffer; in the kernel alone.
    for (room, body_bytes) in [(10, 100), (10, 60_000), (BUFFER_BYTES, 60_000)] {
        cancelled_after(room, body_bytes, |response| assert!(response.bytes().unwrap_err().is_cancelled()));
        for into in [10, 100_000] {
            cancelled_after(room, body_bytes, |mut response| {
                let error = response.read(&mut vec![0; into]).unwrap_err();
                assert_eq!(longwire::Error::try_from(error).unwrap().kind(), ErrorKind::Cancelled);
                assert!(!response.body().is_complete());
            });
        }
        cancelled_after(room, body_bytes, |mut response| {
            assert!(response.body_mut().fill_buf().is_err());
            assert_eq!(response.body().ended(), None);
        });
    }
}
