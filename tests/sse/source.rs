//! A stream that outlives its connections: when it is connected to again, with what, and when not.

use std::thread;
use std::time::{Duration, Instant};

use longwire::sse::EventSource;
use longwire::{CancelToken, Client, ErrorKind, Method, Request, Result, SendBody};

use crate::support::peer::{LIMIT, Peer, Refusing, answer};
use crate::{open_stream, stream};
use longwire::script::{Script, connection, raw, reply};

/// So short that no test waits for it.
const SHORT: Duration = Duration::from_millis(1);

/// So long that no test would live to see it pass.
const LONG: Duration = Duration::from_secs(100_000);

fn feed() -> Request<'static> {
    Request::new(Method::GET, "http://host/feed").expect("a request")
}

fn source(client: &Client, request: Request<'static>) -> EventSource {
    EventSource::new(client, request).expect("a source").reconnection_time(SHORT).max_attempts(20)
}

/// All data up to the end.
fn all(source: &mut EventSource) -> Result<Vec<String>> {
    let mut data = Vec::new();
    while let Some(event) = source.next()? {
        data.push(event.data().to_owned());
    }
    Ok(data)
}

/// What each connect has said of the last event.
fn last_event_ids(script: &Script) -> Vec<Option<String>> {
    script.seen().iter().map(|request| request.header("last-event-id").map(str::to_owned)).collect()
}

#[track_caller]
fn assert_last_event_ids(script: &Script, ids: &[&str]) {
    let want: Vec<_> = ids.iter().map(|id| Some(id.to_string()).filter(|id| !id.is_empty())).collect();
    assert_eq!(last_event_ids(script), want);
}

/// request-accept, request-cache-control.
#[test]
fn a_source_says_what_it_wants_unless_the_caller_does() {
    let script = Script::new().on("*", reply(204));
    let client = script.client();
    assert!(source(&client, feed()).next().unwrap().is_none());
    let mut request = feed();
    request.set_header("Accept", "text/event-stream, */*;q=0.1").unwrap();
    request.set_header("cache-control", "no-cache").unwrap();
    assert!(source(&client, request).next().unwrap().is_none());
    let fields = |name: &str| script.seen().iter().map(|seen| seen.header(name).map(str::to_owned)).collect::<Vec<_>>();
    assert_eq!(fields("accept"), [Some("text/event-stream".into()), Some("text/event-stream, */*;q=0.1".into())]);
    assert_eq!(fields("cache-control"), [Some("no-store".into()), Some("no-cache".into())]);
    assert_eq!(fields("accept-encoding"), [None, None]);
    assert_eq!(fields("last-event-id"), [None, None]);
}

/// request-post-to-connect, among others.
#[test]
fn a_source_is_a_get_without_a_body() {
    let client = Client::new();
    for (method, body) in [
        (Method::POST, SendBody::empty()),
        (Method::HEAD, SendBody::empty()),
        (Method::GET, "x".into()),
        (Method::GET, SendBody::reader(std::io::empty())),
        (Method::GET, SendBody::sized_reader(std::io::empty(), 0)),
    ] {
        let mut request = Request::new(method, "http://host/feed").unwrap();
        request.set_body(body);
        let error = EventSource::new(&client, request).expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains("http://host/feed"), "{error}");
    }
}

#[test]
fn a_stream_that_ends_or_breaks_goes_on_after_its_last_event() {
    let script = Script::new()
        .on("*", stream("id: 1\ndata: a\n\n"))
        .on("*", open_stream("data: b\n\nid: 2\ndata: c\n\nid: 3\ndata: cut").close())
        .on("*", open_stream("data: d\n\n").reset())
        .on("*", raw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 4\n\ndata: e\n\ndat").close())
        .on("*", reply(204));
    let mut source = source(&script.client(), feed());
    assert_eq!(all(&mut source).unwrap(), ["a", "b", "c", "d", "e"]);
    assert_last_event_ids(&script, &["", "1", "2", "2", "4"]);
    assert_eq!(source.last_event_id(), Some("4"));
    assert_eq!(source.last_error().expect("what the last reconnect was for").kind(), ErrorKind::Truncated);
}

#[test]
fn the_last_id_is_sent_until_another_one_counts() {
    let script = Script::new()
        .on("*", stream("id: 1\ndata: a\n\n"))
        .on("*", raw("").close()) // dead before its head
        .on("*", stream("")) // dead before its first event
        .on("*", stream(": hello\n\nid: 2\ndata: cut")) // dead before its first ID counts
        .on("*", stream("data: b\n\n")) // without an ID of its own
        .on("*", stream("id\ndata: c\n\n")) // set back
        .on("*", reply(204));
    let mut source = source(&script.client(), feed());
    assert_eq!(source.next().unwrap().and_then(|event| event.id()), Some("1"));
    assert_eq!(source.next().unwrap().and_then(|event| event.id()), Some("1"));
    assert_eq!(source.next().unwrap().map(|event| event.id().is_none()), Some(true));
    assert!(source.next().unwrap().is_none());
    assert_last_event_ids(&script, &["", "1", "1", "1", "1", "1", ""]);
}

#[test]
fn a_source_begins_after_the_event_that_the_caller_names() {
    let script = Script::new().on("*", stream("")).on("*", reply(204)).on("*", reply(204));
    let client = script.client();
    let mut named = source(&client, feed()).resume_after("\u{4e2d} 7");
    assert_eq!(named.last_event_id(), Some("\u{4e2d} 7"));
    assert!(named.next().unwrap().is_none());
    let mut request = feed();
    request.set_header("last-event-id", "by hand").unwrap();
    assert!(source(&client, request).next().unwrap().is_none());
    assert_last_event_ids(&script, &["\u{4e2d} 7", "\u{4e2d} 7", "by hand"]);
}

#[test]
fn an_id_that_no_field_can_have_is_an_error_and_not_sent() {
    let script = Script::new().on("*", stream("id: a\u{1}b\ndata: 1\n\n"));
    let mut source = source(&script.client(), feed());
    assert_eq!(source.next().unwrap().and_then(|event| event.id()), Some("a\u{1}b"));
    let error = source.next().unwrap_err();
    assert_eq!((error.kind(), script.seen().len()), (ErrorKind::Decode, 1), "{error}");
    assert!(error.to_string().contains("http://host/feed"), "{error}");
    let error = self::source(&script.client(), feed()).resume_after("a\nX: b").next().unwrap_err();
    assert_eq!((error.kind(), script.seen().len()), (ErrorKind::InvalidRequest, 1), "{error}");
}

#[test]
fn connections_that_fail_and_servers_that_are_busy_are_asked_again() {
    let script = Script::new()
        .refuse()
        .connection(connection().exchange(raw("HTTP/1.1 200 OK\r\nContent-").close()))
        .connection(connection().exchange(raw("").reset()))
        .on("*", reply(429))
        .on("*", reply(502))
        .on("*", reply(503).body("busy"))
        .on("*", reply(504))
        .on("*", stream("data: 1\n\n"))
        .on("*", reply(204));
    let mut source = source(&script.client(), feed()).max_wait(Duration::from_millis(5));
    assert_eq!(source.attempts(), 0);
    assert_eq!(source.next().unwrap().map(|event| event.data().to_owned()), Some("1".to_owned()));
    assert_eq!(source.attempts(), 0);
    assert_eq!(source.last_error().expect("the one before").status().map(|status| status.as_u16()), Some(504));
    assert!(source.next().unwrap().is_none());
}

#[test]
fn a_port_that_refuses_is_asked_again_up_to_the_limit_of_attempts() {
    let refusing = Refusing::start();
    let request = Request::new(Method::GET, format!("http://{}/", refusing.addr())).unwrap();
    let mut source = source(&Client::new(), request).max_attempts(3);
    assert_eq!(source.next().unwrap_err().kind(), ErrorKind::Connect);
    assert_eq!((source.attempts(), source.next().unwrap_err().kind()), (3, ErrorKind::Connect));
    assert_eq!(source.attempts(), 3, "an error is final");
}

#[test]
fn attempts_count_from_the_last_event() {
    let script = Script::new()
        .on("*", stream(""))
        .on("*", stream("data: 1\n\n"))
        .on("*", stream(": none\n\nretry: 1\n\nid: 5\n\n"))
        .on("*", reply(503).body("later"));
    let mut source = source(&script.client(), feed()).max_attempts(2);
    assert!(source.next().unwrap().is_some());
    let error = source.next().unwrap_err();
    assert_eq!((error.kind(), error.body()), (ErrorKind::Status, Some(&b"later"[..])));
    assert_last_event_ids(&script, &["", "", "", "5"]);

    let script = Script::new().on("*", stream("data: cut"));
    let error = self::source(&script.client(), feed()).max_attempts(1).next().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert!(error.to_string().starts_with("the stream of events has ended (GET http://host/feed"), "{error}");
}

#[test]
fn a_204_is_the_end_and_a_final_one() {
    let script = Script::new().on("*", stream("data: 1\n\n")).on("*", reply(204)).on("*", stream("data: 2\n\n"));
    let mut source = source(&script.client(), feed());
    assert_eq!(all(&mut source).unwrap(), ["1"]);
    assert!(source.next().unwrap().is_none() && source.next().unwrap().is_none());
    assert_eq!(script.seen().len(), 2);
}

/// As a proxy does whose server behind it is starting anew. What a certificate says is another thing.
#[cfg(feature = "__rustls")]
#[test]
fn a_tls_handshake_that_breaks_is_tried_again() {
    let peer = Peer::start(|_, _| {});
    let request = Request::new(Method::GET, format!("https://{}/", peer.addr())).unwrap();
    let mut source = source(&Client::new(), request).max_attempts(3);
    assert_eq!((source.next().unwrap_err().kind(), source.attempts()), (ErrorKind::Tls, 3));

    let peer = Peer::start(|mut conn, _| assert!(conn.send("HTTP/1.1 400 Bad Request\r\n\r\n")));
    let request = Request::new(Method::GET, format!("https://{}/", peer.addr())).unwrap();
    let mut source = self::source(&Client::new(), request).max_attempts(3);
    assert_eq!((source.next().unwrap_err().kind(), source.attempts()), (ErrorKind::Tls, 1));
}

/// request-status-error, format-mime-bogus.
#[test]
fn what_will_not_be_another_next_time_is_a_final_error() {
    let html = || reply(200).header("Content-Type", "text/html").body("<p>data: 1\n\n");
    let large = || stream(&format!("data: {}\n\n", "x".repeat(200)));
    for (reply, kind) in [
        (reply(404).body("no feed"), ErrorKind::Status),
        (reply(401), ErrorKind::Status),
        (reply(410), ErrorKind::Status),
        (reply(500), ErrorKind::Status),
        (reply(205), ErrorKind::Decode),
        (reply(210), ErrorKind::Decode),
        (reply(299).header("Content-Type", "text/event-stream"), ErrorKind::Decode),
        (reply(302), ErrorKind::Decode),
        (html(), ErrorKind::Decode),
        (raw("nonsense\r\n\r\n"), ErrorKind::Head),
        (open_stream("").more("nonsense\r\n"), ErrorKind::Chunk),
        (large(), ErrorKind::BodyTooLarge),
    ] {
        let script = Script::answering(reply);
        let mut source = source(&script.client(), feed()).limit(100);
        let error = source.next().unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(source.next().unwrap_err().to_string(), error.to_string());
        assert_eq!(script.seen().len(), 1, "{error}");
    }
}

#[test]
fn a_server_that_is_silent_for_the_read_timeout_is_connected_to_again() {
    let script = Script::new().on("*", open_stream("id: 1\ndata: 1\n\n").silence()).on("*", reply(204));
    let mut request = feed();
    request.set_read_timeout(Duration::from_millis(50));
    let mut source = source(&script.client(), request);
    assert_eq!(all(&mut source).unwrap(), ["1"]);
    assert!(source.last_error().expect("a reason").is_timeout());
    assert_last_event_ids(&script, &["", "1"]);
}

#[test]
fn no_connect_comes_before_retry_after() {
    let script = Script::new().on("*", reply(503).header("Retry-After", "1")).on("*", stream("data: 1\n\n"));
    let started = Instant::now();
    let mut source = source(&script.client(), feed());
    assert!(source.next().unwrap().is_some());
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());

    // Whatever the server asks for, no wait is longer than this.
    let script = Script::new()
        .on("*", reply(429).header("Retry-After", "99999999999999999999"))
        .on("*", stream("retry: 99999999999999999999\n\n"))
        .on("*", stream("data: 1\n\n"));
    let mut source = self::source(&script.client(), feed()).max_wait(Duration::from_millis(20));
    assert!(source.next().unwrap().is_some());
}

/// format-field-retry. Waits are a quarter longer or shorter.
#[test]
fn the_server_sets_the_wait() {
    let script = Script::new().on("*", stream("retry: 400\n\ndata: 1\n\n")).on("*", reply(204));
    let mut source = EventSource::new(&script.client(), feed()).unwrap().reconnection_time(LONG).max_wait(LONG);
    assert!(source.next().unwrap().is_some());
    let started = Instant::now();
    assert!(source.next().unwrap().is_none());
    assert!(started.elapsed() >= Duration::from_millis(300), "{:?}", started.elapsed());
}

/// A server that asks for no wait at all gets a short one.
#[test]
fn no_server_makes_a_client_spin() {
    let script = Script::new().on("*", stream("retry: 0\n\n")).on("*", stream("data: 1\n\n"));
    let mut source = EventSource::new(&script.client(), feed()).unwrap();
    let started = Instant::now();
    assert!(source.next().unwrap().is_some());
    assert!(started.elapsed() >= Duration::from_millis(75), "{:?}", started.elapsed());
}

#[test]
fn a_cancel_ends_the_wait_for_another_connect_and_is_final() {
    for own in [true, false] {
        let peer = Peer::start(|mut conn, _| {
            conn.request();
            conn.send(answer("200 OK", "Content-Type: text/event-stream\r\nConnection: close\r\n", "data: 1\n\n"));
        });
        let mut request = Request::new(Method::GET, peer.url("/")).unwrap();
        let token = CancelToken::new();
        if own {
            request.set_cancel_token(&token);
        }
        let mut source = EventSource::new(&Client::new(), request).unwrap().reconnection_time(LONG).max_wait(LONG);
        let token = if own { token } else { source.cancel_token().clone() };
        assert!(source.next().unwrap().is_some());
        thread::scope(|scope| {
            scope.spawn(|| {
                assert!(peer.has_closed(0));
                token.cancel();
            });
            assert!(source.next().unwrap_err().is_cancelled());
        });
        let error = source.next().unwrap_err();
        assert!(error.is_cancelled() && error.to_string().contains(&peer.url("/")), "{error}");
        assert_eq!(peer.connections(), 1);
    }
}

#[test]
fn a_cancel_ends_a_stream_that_is_silent() {
    let script = Script::answering(open_stream("data: 1\n\n").silence());
    let token = CancelToken::new();
    let mut request = feed();
    request.set_cancel_token(&token);
    let mut source = source(&script.client(), request);
    assert!(source.next().unwrap().is_some());
    thread::scope(|scope| {
        scope.spawn(|| token.cancel());
        assert!(source.next().unwrap_err().is_cancelled());
    });
    assert_eq!(script.seen().len(), 1);
}

#[test]
fn the_requests_timeout_is_for_all_connects_and_waits_together() {
    let limit = Duration::from_millis(300);
    for (reply, wait) in [
        (stream("data: 1\n\n"), Duration::from_millis(10)),
        (open_stream("").silence(), LONG),
        (reply(503).header("Retry-After", "50000"), LONG),
    ] {
        let mut request = feed();
        request.set_timeout(limit);
        request.set_read_timeout(None);
        let client = Script::answering(reply).client();
        let mut source = EventSource::new(&client, request).unwrap().reconnection_time(wait).max_wait(LONG);
        let started = Instant::now();
        let error = all(&mut source).unwrap_err();
        assert!(started.elapsed() >= limit, "{:?}", started.elapsed());
        assert!(error.is_timeout() && source.next().unwrap_err().is_timeout(), "{error}");
        let said = error.to_string();
        let is_told =
            ["the source of events: ", "the wait for another connect: "].iter().any(|it| said.starts_with(it));
        assert!(is_told && said.contains("timeout of 300ms passed (GET http://host/feed"), "{said}");
    }
}

/// A client's limit is for each exchange, so it ends connections and not the source.
#[test]
fn the_clients_timeout_is_for_each_connect() {
    let script = Script::new().on("*", open_stream("data: 1\n\n").silence()).on("*", reply(204));
    let client = Client::builder().connector(script.clone()).timeout(Duration::from_secs(1)).build();
    assert_eq!(all(&mut source(&client, feed())).unwrap(), ["1"]);
    assert_eq!(script.seen().len(), 2);
}

/// request-redirect.
#[test]
fn a_permanent_redirect_within_the_origin_is_kept_and_no_other() {
    for (status, is_kept) in [(301, true), (308, true), (302, false), (303, false), (307, false)] {
        let script = Script::new()
            .on("GET /feed", reply(status).header("Location", "/moved"))
            .on("GET /moved", stream("data: 1\n\n"))
            .on("GET /moved", reply(204));
        let mut source = source(&script.client(), feed());
        assert_eq!(all(&mut source).unwrap(), ["1"]);
        let targets: Vec<_> = script.seen().iter().map(|request| request.target().to_owned()).collect();
        let want: &[&str] =
            if is_kept { &["/feed", "/moved", "/moved"] } else { &["/feed", "/moved", "/feed", "/moved"] };
        assert_eq!(
            (targets, source.url().path()),
            (want.iter().map(|target| (*target).to_owned()).collect(), if is_kept { "/moved" } else { "/feed" })
        );
    }
}

#[test]
fn of_several_redirects_those_are_kept_that_come_before_one_for_now() {
    let script = Script::new()
        .on("GET /feed", reply(308).header("Location", "/a"))
        .on("GET /a", reply(301).header("Location", "/b"))
        .on("GET /b", reply(302).header("Location", "/c"))
        .on("GET /c", reply(301).header("Location", "/d"))
        .on("GET /d", stream("data: 1\n\n"))
        .on("GET /d", reply(204));
    let mut source = source(&script.client(), feed());
    assert_eq!(all(&mut source).unwrap(), ["1"]);
    let targets: Vec<_> = script.seen().iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(targets, ["/feed", "/a", "/b", "/c", "/d", "/b", "/c", "/d"]);
    assert_eq!(source.url().as_str(), "http://host/b");
}

/// A redirect leaves credentials behind; a connect to where it has led would not.
#[test]
fn another_origin_is_redirected_to_each_time_and_gets_the_last_id_but_no_credentials() {
    let script = Script::new()
        .on("GET /feed", reply(301).header("Location", "http://other/moved"))
        .on("GET /moved", stream("id: 7\ndata: 1\n\n"))
        .on("GET /moved", reply(204));
    let mut request = feed();
    request.set_bearer_auth("secret").unwrap();
    let client = Client::builder().connector(script.clone()).default_header("X-Api-Key", "secret").build();
    let mut source = source(&client, request);
    assert_eq!(all(&mut source).unwrap(), ["1"]);
    assert_eq!(source.url().as_str(), "http://host/feed");
    let seen = script.seen();
    let hosts: Vec<_> = seen.iter().map(|request| request.header("host").unwrap_or_default()).collect();
    assert_eq!(hosts, ["host", "other", "host", "other"]);
    for request in seen.iter().filter(|request| request.header("host") == Some("other")) {
        assert!(!String::from_utf8_lossy(request.raw_head()).contains("secret"), "{request:?}");
        assert_eq!(request.header("accept"), Some("text/event-stream"));
    }
    assert_last_event_ids(&script, &["", "", "7", "7"]);
}

/// Else another origin would choose which URL the credentials go to.
#[test]
fn a_way_back_over_another_origin_is_not_kept() {
    let script = Script::new()
        .on("GET /feed", reply(301).header("Location", "http://other/moved"))
        .on("GET /moved", reply(308).header("Location", "http://host/chosen"))
        .on("GET /chosen", stream("data: 1\n\n"))
        .on("GET /chosen", reply(204));
    let mut request = feed();
    request.set_bearer_auth("secret").unwrap();
    let mut source = source(&script.client(), request);
    assert_eq!(all(&mut source).unwrap(), ["1"]);
    let seen = script.seen();
    let bearers: Vec<_> = seen.iter().filter(|seen| seen.header("authorization").is_some()).collect();
    assert!(bearers.iter().all(|seen| seen.target() == "/feed"), "{bearers:?}");
    assert_eq!((seen.len(), source.url().path()), (6, "/feed"));
}

#[test]
fn a_dropped_source_closes_its_connection() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
        assert!(conn.wait_closed(LIMIT));
    });
    let mut source = source(&Client::new(), Request::new(Method::GET, peer.url("/")).unwrap());
    assert!(source.next().unwrap().is_some());
    drop(source);
    assert!(peer.saw_close(0));
}

#[test]
fn a_stream_that_breaks_is_closed_before_the_wait() {
    let script = Script::new().on("*", open_stream("data: 1\n\n").silence());
    let client = script.client();
    let mut request = feed();
    request.set_read_timeout(Duration::from_millis(30));
    let mut source = EventSource::new(&client, request).unwrap().reconnection_time(LONG).max_wait(LONG);
    let token = source.cancel_token().clone();
    assert!(source.next().unwrap().is_some());
    thread::scope(|scope| {
        scope.spawn(|| {
            let end = Instant::now() + LIMIT;
            while client.pool_stats().in_use > 0 && Instant::now() < end {
                thread::yield_now();
            }
            let in_use = client.pool_stats().in_use;
            token.cancel();
            assert_eq!(in_use, 0);
        });
        assert!(source.next().unwrap_err().is_cancelled());
    });
}

#[test]
fn debug_tells_the_state() {
    let script = Script::new().on("*", stream("id: 1\ndata: secret\n\n")).on("*", reply(204));
    let mut source = source(&script.client(), feed());
    let shown = |source: &EventSource| format!("{source:?}");
    let start = "EventSource { url: \"http://host/feed\", state: ";
    assert_eq!(shown(&source), format!("{start}\"connecting\", last_event_id: None, attempts: 0 }}"));
    assert!(source.next().unwrap().is_some());
    assert_eq!(shown(&source), format!("{start}\"open\", last_event_id: Some(\"1\"), attempts: 0 }}"));
    assert!(source.next().unwrap().is_none());
    assert!(shown(&source).contains("\"ended\""));
}
