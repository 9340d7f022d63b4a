//! When a request is sent a second time, and when not: once per lease, only on a reused
//! connection, only when not one byte of a response came, and only what may be sent twice. And what
//! an error says of the request's fate.

mod support;

use std::fs::{self, File};
use std::io::{Cursor, Seek, SeekFrom};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, process};

use longwire::script::{Script, Then, connection, raw, reply};
use longwire::{Client, Error, ErrorKind, Fate, Method, RequestBuilder, Response, Result, SendBody, Stage};
use support::peer::{Conn, Peer, Refusing, answer, ok};

const URL: &str = "http://memory.test/";

/// What the peer does with the second request on its first connection, which is the reused one.
#[derive(Clone, Copy, Debug)]
enum Stale {
    /// Reads it whole and closes.
    Closes,
    /// Reads it whole and resets.
    Resets,
}

/// Every `target body` that the peer was sent, in order, over all its connections.
type Seen = Arc<Mutex<Vec<String>>>;

/// A peer whose first connection answers once and then is stale; all later ones answer for ever.
fn stale_peer(stale: Stale) -> (Peer, Seen) {
    let seen = Seen::default();
    let kept = Arc::clone(&seen);
    let peer = Peer::start(move |mut conn, index| {
        let mut exchange = 0;
        while let Some(request) = conn.request() {
            let body = String::from_utf8_lossy(&request.body);
            let line = format!("{} {} {body}", request.method, request.target);
            kept.lock().expect("no test panics with it").push(line);
            exchange += 1;
            match stale {
                _ if index > 0 || exchange == 1 => conn.send(ok("answered")),
                Stale::Closes => return conn.close(),
                Stale::Resets => return conn.reset(),
            };
        }
    });
    (peer, seen)
}

/// What comes of a request on a connection that turns out to be stale, and how often the peer was
/// sent it.
fn on_stale(
    stale: Stale,
    request: impl FnOnce(&Client, String) -> RequestBuilder<'static>,
) -> (Result<Response>, usize) {
    let (peer, seen) = stale_peer(stale);
    let client = Client::new();
    client.get(peer.url("/warm")).send().expect("a response").bytes().expect("a body");
    let outcome = request(&client, peer.url("/second")).send();
    let times = sent(&seen);
    (outcome, times)
}

/// How many requests for `/second` arrived.
fn sent(seen: &Seen) -> usize {
    let seen = seen.lock().expect("no test panics with it");
    seen.iter().filter(|line| line.contains(" /second ")).count()
}

#[track_caller]
fn assert_sent_again(request: impl Fn(&Client, String) -> RequestBuilder<'static>) {
    for stale in [Stale::Closes, Stale::Resets] {
        let (outcome, times) = on_stale(stale, &request);
        let response = outcome.expect("the second try is answered");
        assert_eq!(response.status(), 200);
        assert!(!response.connection().reused(), "the retry goes to a fresh connection");
        assert_eq!(times, 2, "{stale:?}");
    }
}

#[track_caller]
fn assert_sent_once(request: impl Fn(&Client, String) -> RequestBuilder<'static>) {
    for stale in [Stale::Closes, Stale::Resets] {
        let (outcome, times) = on_stale(stale, &request);
        let error = outcome.expect_err("it may have been processed");
        assert_eq!(error.fate(), Fate::MaybeProcessed, "{error}");
        assert!([ErrorKind::Io, ErrorKind::Truncated].contains(&error.kind()), "{error}");
        assert_eq!(error.stage(), Stage::Wait, "{error}");
        assert_eq!(times, 1, "{stale:?}");
    }
}

#[test]
fn what_is_idempotent_is_sent_again_on_a_fresh_connection() {
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::DELETE, Method::PUT] {
        assert_sent_again(|client, url| client.request(method.clone(), url));
    }
}

#[test]
fn a_post_is_never_sent_twice() {
    assert_sent_once(|client, url| client.post(url).body("text"));
    assert_sent_once(|client, url| client.post(url));
    assert_sent_once(|client, url| client.patch(url).body("text"));
    assert_sent_once(|client, url| client.request(Method::new("BREW").unwrap(), url));
}

#[test]
fn a_post_that_you_say_is_idempotent_is_sent_again() {
    assert_sent_again(|client, url| client.post(url).body("text").idempotent(true));
    assert_sent_again(|client, url| client.post(url).body("text").header("Idempotency-Key", "\"k1\""));
    assert_sent_again(|client, url| client.patch(url).body("text").header("idempotency-key", "k1"));
}

#[test]
fn a_get_that_you_say_is_not_idempotent_is_sent_once() {
    assert_sent_once(|client, url| client.get(url).idempotent(false));
    let keyed = |client: &Client, url| client.put(url).header("Idempotency-Key", "k1").idempotent(false);
    assert_sent_once(keyed);
}

#[test]
fn a_body_in_memory_goes_along_whole() {
    let (peer, seen) = stale_peer(Stale::Closes);
    let client = Client::new();
    client.get(peer.url("/warm")).send().unwrap().bytes().unwrap();
    let response = client.put(peer.url("/second")).body("the body").send().unwrap();
    assert_eq!(response.text().unwrap(), "answered");
    let expected = ["GET /warm ", "PUT /second the body", "PUT /second the body"];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn a_file_goes_along_from_where_it_began() {
    let path = env::temp_dir().join(format!("longwire-retry-{}", process::id()));
    fs::write(&path, "skip this, send that").unwrap();
    let mut file = File::open(&path).unwrap();
    file.seek(SeekFrom::Start(11)).unwrap();
    let (peer, seen) = stale_peer(Stale::Closes);
    let client = Client::new();
    client.get(peer.url("/warm")).send().unwrap().bytes().unwrap();
    let outcome = client.put(peer.url("/second")).body(file).send();
    fs::remove_file(&path).unwrap();
    assert_eq!(outcome.unwrap().text().unwrap(), "answered");
    assert_eq!(*seen.lock().unwrap(), ["GET /warm ", "PUT /second send that", "PUT /second send that"]);
}

#[test]
fn a_reader_is_not_sent_again() {
    assert_sent_once(|client, url| client.put(url).body(SendBody::reader(Cursor::new("text"))));
    assert_sent_once(|client, url| {
        let body = SendBody::sized_reader(Cursor::new("text"), 4);
        client.post(url).body(body).idempotent(true)
    });
}

#[test]
fn a_fresh_connection_never_retries() {
    for stale in [Stale::Closes, Stale::Resets] {
        let peer = Peer::start(move |mut conn, _| {
            conn.request();
            match stale {
                Stale::Closes => conn.close(),
                Stale::Resets => conn.reset(),
            }
        });
        let error = Client::new().get(peer.url("/")).send().unwrap_err();
        assert_eq!(error.fate(), Fate::MaybeProcessed);
        assert_eq!(error.stage(), Stage::Wait);
        assert_eq!(peer.request_lines().len(), 1);
    }
}

#[test]
fn there_is_one_retry_and_not_two() {
    let peer = Peer::start(|mut conn, index| {
        conn.request();
        if index == 0 {
            conn.send(ok("warm"));
            conn.request();
        }
    });
    let client = Client::new();
    client.get(peer.url("/warm")).send().unwrap().bytes().unwrap();
    let error = client.get(peer.url("/second")).send().unwrap_err();
    assert_eq!(error.fate(), Fate::MaybeProcessed);
    assert_eq!(peer.request_lines().len(), 3, "once on the reused, once on the fresh");
    assert_eq!(peer.connections(), 2);
}

#[test]
fn the_retry_passes_over_other_idle_connections() {
    // Both idle connections are as stale; to try the second would use up the retry for nothing.
    let peer = Peer::start(|mut conn, index| {
        conn.request();
        conn.send(ok("x"));
        conn.request();
        if index >= 2 {
            conn.send(ok("fresh"));
        }
    });
    let client = Client::new();
    let (one, two) = (client.get(peer.url("/")).send().unwrap(), client.get(peer.url("/")).send().unwrap());
    one.bytes().unwrap();
    two.bytes().unwrap();
    assert_eq!(client.pool_stats().idle, 2);
    let response = client.get(peer.url("/second")).send().unwrap();
    assert_eq!(response.connection().nth(), 1);
    assert_eq!(peer.connections(), 3);
}

/// What comes of a GET on a reused connection on which the peer sends `begun`, and closes.
fn after_a_byte(begun: &'static str) -> (Error, Vec<String>) {
    let peer = Peer::start(move |mut conn, _| {
        conn.request();
        conn.send(ok("warm"));
        conn.request();
        conn.send(begun);
    });
    let client = Client::new();
    client.get(peer.url("/warm")).send().unwrap().bytes().unwrap();
    let outcome = client.get(peer.url("/second")).send().and_then(Response::bytes);
    (outcome.expect_err("a response that was cut"), peer.request_lines())
}

#[test]
fn one_byte_of_a_response_is_enough_not_to_try_again() {
    let cuts = ["H", "\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n"];
    for begun in cuts {
        let (error, lines) = after_a_byte(begun);
        assert_eq!(error.kind(), ErrorKind::Truncated, "{begun:?}: {error}");
        assert_eq!(error.fate(), Fate::ResponseStarted, "{begun:?}");
        assert_eq!(lines.len(), 2, "{begun:?}");
    }
    let (error, lines) = after_a_byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Truncated, Stage::Body));
    assert_eq!(error.fate(), Fate::ResponseStarted);
    assert_eq!(lines.len(), 2);
    let (error, lines) = after_a_byte("SSH-2.0-OpenSSH_9.2\r\n");
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Head, Fate::ResponseStarted));
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_timeout_is_not_tried_again() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send(ok("warm"));
        conn.request();
        conn.wait_closed(support::peer::LIMIT);
    });
    let limit = Duration::from_millis(200);
    let client = Client::builder().read_timeout(limit).build();
    client.get(peer.url("/warm")).send().unwrap().bytes().unwrap();
    let begin = Instant::now();
    let error = client.get(peer.url("/second")).send().unwrap_err();
    assert!(begin.elapsed() >= limit);
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::Wait));
    assert_eq!(error.fate(), Fate::MaybeProcessed);
    assert_eq!(peer.request_lines().len(), 2);
}

/// A client whose reused connection takes this many bytes of the second request and then breaks.
fn breaking_after(bytes: u64) -> (Client, Script) {
    let fine = || reply(200).body("x");
    let breaks = raw("").reset().receives(bytes, Then::Closes);
    let script = Script::new().connection(connection().exchange(fine()).exchange(breaks)).on("*", fine());
    let client = script.client();
    client.get(URL).send().unwrap().bytes().unwrap();
    (client, script)
}

#[test]
fn any_method_is_sent_again_when_not_one_byte_had_left() {
    for method in [Method::POST, Method::PATCH, Method::GET] {
        let (client, script) = breaking_after(0);
        let request = client.request(method.clone(), URL).body("text");
        assert_eq!(request.send().unwrap().text().unwrap(), "x", "{method}");
        assert_eq!(script.connections(), 2);
    }
}

#[test]
fn a_post_of_which_one_byte_had_left_is_not_sent_again() {
    for bytes in [1, 20] {
        let (client, script) = breaking_after(bytes);
        let request = client.post(URL).body("text");
        let error = request.send().unwrap_err();
        assert_eq!((error.fate(), error.stage()), (Fate::MaybeProcessed, Stage::Send));
        assert_eq!(script.connections(), 1);
        let (client, script) = breaking_after(bytes);
        let response = client.get(URL).send().unwrap();
        assert_eq!(response.text().unwrap(), "x", "a GET is");
        assert_eq!(script.connections(), 2);
    }
}

#[test]
fn a_write_that_fails_on_a_fresh_connection_is_not_tried_again() {
    let script = Script::new().connection(connection().exchange(raw("").receives(0, Then::Closes)));
    let client = script.client();
    let error = client.get(URL).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(error.fate(), Fate::NotSent);
    assert_eq!(script.connections(), 1);
}

#[test]
fn each_hop_of_a_redirect_has_its_own_retry() {
    // Connection 0 is stale for /old; connection 1 answers it and is stale for /new.
    let peer = Peer::start(|mut conn, index| {
        let mut answered = 0;
        while let Some(request) = conn.request() {
            if answered == 1 && index < 2 {
                return;
            }
            answered += 1;
            let moved = answer("302 Found", "Location: /new\r\n", "");
            conn.send(if request.target == "/old" { moved } else { ok("x") });
        }
    });
    let client = Client::new();
    client.get(peer.url("/warm")).send().unwrap().bytes().unwrap();
    let response = client.get(peer.url("/old")).send().unwrap();
    assert_eq!(response.text().unwrap(), "x");
    let targets = ["/warm", "/old", "/old", "/new", "/new"];
    assert_eq!(peer.request_lines(), targets.map(|target| format!("GET {target} HTTP/1.1")));
    assert_eq!(peer.connections(), 3);
}

#[test]
fn the_whole_timeout_covers_the_retry_too() {
    let peer = Peer::start(|mut conn: Conn, index| {
        conn.request();
        if index == 0 {
            conn.send(ok("warm"));
            conn.request();
            return;
        }
        conn.wait_closed(support::peer::LIMIT);
    });
    let client = Client::new();
    client.get(peer.url("/warm")).send().unwrap().bytes().unwrap();
    let limit = Duration::from_millis(300);
    let begin = Instant::now();
    let error = client.get(peer.url("/second")).timeout(limit).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(begin.elapsed() >= limit && begin.elapsed() < support::peer::LIMIT / 2);
}

#[test]
fn an_error_says_what_became_of_the_request() {
    let refusing = Refusing::start();
    let error = Client::new().post(format!("http://{}/", refusing.addr())).body("x").send().unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Connect, Stage::Connect));
    assert_eq!(error.fate(), Fate::NotSent);

    let error = Client::new().post("http:evil").body("x").send().unwrap_err();
    assert_eq!((error.stage(), error.fate()), (Stage::Request, Fate::NotSent));

    let peer = Peer::answering("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n");
    let error = Client::new().post(peer.url("/")).body("x").send().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Framing, Fate::ResponseStarted));
    assert_eq!(error.peer_addr(), Some(peer.addr()));
    assert_eq!(error.url().map(|url| url.as_str().to_owned()), Some(peer.url("/")));
}

#[test]
fn a_request_that_a_server_may_have_read_is_not_called_unsent_because_its_retry_was() {
    let first = connection().exchange(reply(200).body("one")).exchange(raw("").reset());
    let client = Script::new().connection(first).refuse().client();
    assert_eq!(client.get(URL).send().unwrap().text().unwrap(), "one");
    let error = client.post(URL).idempotent(true).body("pay 5").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "the retry's");
    assert_eq!(error.fate(), Fate::MaybeProcessed, "the first attempt's");
}
