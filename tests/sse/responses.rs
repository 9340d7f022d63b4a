//! One response as a stream of events: which it may be, and how it ends.

use std::time::Duration;

use longwire::sse::{Event, Events, OwnedEvent};
use longwire::{BodyEnd, CancelToken, Client, ErrorKind, Fate, Response, Result, Stage};

use crate::support::peer::{LIMIT, Peer};
use crate::{open_stream, stream};
use longwire::script::{Reply, Script, raw, reply};

fn events_of(reply: Reply) -> Result<Events> {
    Script::answering(reply).client().get("http://host/feed").send().expect("a head").events()
}

/// All data, and the error at the end if there is one.
fn drain(mut events: Events) -> (Vec<String>, Option<ErrorKind>) {
    let mut data = Vec::new();
    loop {
        match events.next() {
            Ok(Some(event)) => data.push(event.data().to_owned()),
            Ok(None) => return (data, None),
            Err(error) => {
                let again = events.next().expect_err("errors are final");
                assert_eq!(again.to_string(), error.to_string());
                return (data, Some(error.kind()));
            }
        }
    }
}

/// format-mime-bogus, format-mime-valid-bogus, format-mime-empty, format-mime-trailing-semicolon.
#[test]
fn the_media_type_must_be_that_of_a_stream_of_events_whatever_its_parameters() {
    for (content_type, is_stream) in [
        ("text/event-stream", true),
        ("Text/Event-Stream; charset=utf-8", true),
        ("text/event-stream;", true),
        ("text/event-stream ;hello", true),
        ("text/event-stream;charset=windows-1252", true),
        ("", false),
        ("x bogus", false),
        ("text/x-bogus", false),
        ("text/html; charset=utf-8", false),
        ("text/event-streamed", false),
        ("application/json", false),
    ] {
        let reply = reply(200).header("Content-Type", content_type).body("data: \u{e4}\n\n");
        match events_of(reply) {
            Ok(events) => assert_eq!((drain(events).0, is_stream), (vec!["\u{e4}".to_owned()], true), "{content_type}"),
            Err(error) => {
                assert_eq!((error.kind(), is_stream), (ErrorKind::Decode, false), "{content_type}");
                assert_eq!((error.stage(), error.fate()), (Stage::Body, Fate::ResponseStarted));
                assert!(error.to_string().contains("not text/event-stream (GET http://host/feed"), "{error}");
            }
        }
    }
    let error = events_of(reply(200).body("data\n\n")).expect_err("no media type");
    assert!(error.to_string().starts_with("events: the response has no Content-Type"), "{error}");
}

/// request-status-error.
#[test]
fn the_status_must_be_200() {
    for status in [204, 205, 206, 210, 299, 304, 404, 410, 503] {
        let error = events_of(reply(status).header("Content-Type", "text/event-stream")).expect_err("another status");
        assert_eq!((error.kind(), error.status().map(|status| status.as_u16())), (ErrorKind::Decode, Some(status)));
        assert!(error.to_string().starts_with(&format!("events: the status is {status}, not 200 (")), "{error}");
    }
}

#[test]
fn a_coding_that_is_not_undone_is_no_stream_of_events() {
    for (coding, is_stream) in
        [("x-packed", false), ("x-packed, x-more", false), ("Identity", true), ("identity", true)]
    {
        let reply = reply(200).header("Content-Type", "text/event-stream").header("Content-Encoding", coding);
        match events_of(reply.body("data: 1\n\n")) {
            Ok(events) => assert!(is_stream && drain(events).0 == ["1"], "{coding}"),
            Err(error) => {
                let said = format!("events: Content-Encoding {coding} is not undone (");
                assert!(!is_stream && error.to_string().starts_with(&said), "{error}");
            }
        }
    }
}

#[cfg(feature = "gzip")]
#[test]
fn a_coding_that_is_asked_for_is_undone() {
    // "data: 1\n\ndata: 2\n\n", by gzip -n.
    let coded = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b\x49\x2c\x49\xb4\x52\x30\xe4\xe2\x4a\x01\x33\
        \x8c\xb8\xb8\x00\x06\x2d\x00\x8f\x12\x00\x00\x00";
    let reply = reply(200).header("Content-Type", "text/event-stream").header("Content-Encoding", "gzip");
    assert_eq!(drain(events_of(reply.body(coded)).expect("events")), (vec!["1".to_owned(), "2".to_owned()], None));
}

#[test]
fn a_post_is_answered_piece_by_piece() {
    let script = Script::new().on("POST /chat", stream("data: {\"delta\":\"Hel\"}\n\ndata: {\"delta\":\"lo\"}\n\n"));
    let events = script.client().post("http://host/chat").body("{}").send().and_then(Response::events);
    assert_eq!(drain(events.expect("events")).0, ["{\"delta\":\"Hel\"}", "{\"delta\":\"lo\"}"]);
    assert_eq!(script.seen()[0].body(), b"{}");
}

#[test]
fn the_end_is_told_and_a_piece_of_an_event_is_dropped() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
    for (reply, end) in [
        (stream("data: 1\n\ndata: 2\n"), BodyEnd::LastChunk),
        (raw(format!("{head}Content-Length: 15\r\n\r\ndata: 1\n\ndata: 2")), BodyEnd::Length),
        (raw(format!("{head}\r\ndata: 1\n\ndata: 2\r")).close(), BodyEnd::Closed),
    ] {
        let mut events = events_of(reply).expect("events");
        assert_eq!(events.next().unwrap().map(|event| event.data().to_owned()), Some("1".to_owned()));
        assert!(events.next().unwrap().is_none() && events.next().unwrap().is_none());
        assert_eq!(events.ended(), Some(end));
    }
}

#[test]
fn a_cut_is_an_error_after_the_events_before_it_and_a_final_one() {
    for (reply, kind) in [
        (open_stream("data: 1\n\ndata: 2\n\ndata: 3\n").close(), ErrorKind::Truncated),
        (open_stream("data: 1\n\ndata: 2\n\ndata: 3\n").reset(), ErrorKind::Io),
        (open_stream("data: 1\n\ndata: 2\n\n").more("nonsense\r\n"), ErrorKind::Chunk),
    ] {
        let (data, error) = drain(events_of(reply).expect("events"));
        assert_eq!((data.len(), error), (2, Some(kind)));
    }
}

#[test]
fn an_event_over_the_limit_is_an_error_and_one_at_the_limit_is_not() {
    // 6 + 93 + 1 bytes.
    let fits = format!("data: {}\n\n", "x".repeat(93));
    let events = events_of(stream(&fits.repeat(3))).expect("events").limit(100);
    assert_eq!((drain(events).0.len()), 3);
    let (data, error) = drain(events_of(stream(&fits.repeat(2))).expect("events").limit(99));
    assert_eq!((data.len(), error), (0, Some(ErrorKind::BodyTooLarge)));
    let mut events = events_of(stream(&format!("{fits}data: 1\n{fits}"))).expect("events").limit(100);
    assert!(events.next().unwrap().is_some());
    let error = events.next().unwrap_err();
    assert!(
        error.to_string().starts_with("events: an event is over 100 bytes (limit) (GET http://host/feed"),
        "{error}"
    );
}

/// The bytes of the lines are nothing, the LF between them is all: they cost as much as any others.
#[test]
fn empty_lines_of_data_have_a_limit_too() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    for endless in ["data\n", "data:\r", ":", "data: x", "id:\n", "event\r\n"] {
        let reply = raw(head).repeat(endless, 1 << 24);
        let script = Script::answering(reply).without_record();
        let mut events = script.client().get("http://host/").send().and_then(Response::events).expect("events");
        assert_eq!(events.next().unwrap_err().kind(), ErrorKind::BodyTooLarge, "{endless:?}");
        // The LF of a CRLF is not counted.
        assert!(script.bytes_sent() <= 5 << 18, "{endless:?}: {}", script.bytes_sent());
    }
}

#[test]
fn an_event_is_given_before_another_byte_comes() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
        for (number, end) in ["\r\r", "\n\n", "\r\n\r\n", "\n\r", "\r\n\r"].iter().enumerate() {
            conn.send(format!("data: {number}{end}"));
            // Whatever might complete it comes only when it was seen.
            assert!(conn.was_signalled(&number.to_string()));
        }
    });
    let mut events = Client::new().get(peer.url("/")).send().and_then(Response::events).expect("events");
    for number in ["0", "1", "2", "3", "4"] {
        assert_eq!(events.next().expect("no error").expect("an event").data(), number);
        peer.signal(number);
    }
    assert!(events.next().expect("no error").is_none());
}

#[test]
fn a_stream_that_ended_has_given_its_connection_back() {
    let script = Script::answering(stream("data: 1\n\ndata: 2\n\n"));
    let client = script.client();
    let mut events = client.get("http://host/").send().and_then(Response::events).expect("events");
    assert!(events.next().unwrap().is_some());
    assert!(events.next().unwrap().is_some());
    assert!(events.next().unwrap().is_none());
    assert_eq!((client.pool_stats().idle, client.pool_stats().in_use), (1, 0));
    assert_eq!(drain(client.get("http://host/").send().and_then(Response::events).expect("events")).0.len(), 2);
    assert_eq!(script.connections(), 1);
}

#[test]
fn the_limits_of_time_hold_and_a_cancel_ends_a_wait() {
    let script = Script::answering(open_stream("data: 1\n\n").silence());
    let client = script.client();
    let silent = client.get("http://host/").read_timeout(Duration::from_millis(50)).send();
    assert_eq!(drain(silent.unwrap().events().unwrap()), (vec!["1".to_owned()], Some(ErrorKind::Timeout)));
    let slow = client.get("http://host/").timeout(Duration::from_millis(50)).send();
    assert_eq!(
        slow.and_then(Response::events).map(drain).map_or_else(|e| Some(e.kind()), |it| it.1),
        Some(ErrorKind::Timeout)
    );

    let token = CancelToken::new();
    let mut events = client.get("http://host/").cancel_token(&token).send().unwrap().events().unwrap();
    assert!(events.next().unwrap().is_some());
    std::thread::scope(|scope| {
        scope.spawn(|| token.cancel());
        assert!(events.next().unwrap_err().is_cancelled());
    });
}

#[test]
fn iterating_gives_copies_and_ends_after_an_error() {
    let events = events_of(stream("event: a\nid: 7\ndata: 1\n\ndata: 2\n\n")).expect("events");
    let all: Vec<OwnedEvent> = events.into_iter().collect::<Result<_>>().expect("no error");
    let parts: Vec<_> = all.iter().map(|event| (event.event(), event.data(), event.id())).collect();
    assert_eq!(parts, [("a", "1", Some("7")), ("message", "2", Some("7"))]);

    let script = Script::answering(open_stream("data: 1\n\n").close());
    let client = script.client();
    let mut events = client.get("http://host/").send().and_then(Response::events).expect("events").into_iter();
    assert_eq!(events.next().expect("an event").expect("no error").into_data(), "1");
    assert_eq!(events.next().expect("an error").expect_err("an error").kind(), ErrorKind::Truncated);
    assert!(events.next().is_none() && events.next().is_none());
    assert_eq!(client.pool_stats().in_use, 0);
}

#[test]
fn what_the_stream_asks_to_be_remembered_is_told() {
    let mut events = events_of(stream("id: 1\nretry: 250\n\nid: 2\ndata: a\n\nid: 3\n\n")).expect("events");
    assert_eq!((events.last_event_id(), events.retry()), (None, None));
    assert_eq!(events.next().unwrap().and_then(|event: Event<'_>| event.id()), Some("2"));
    assert_eq!((events.last_event_id(), events.retry()), (Some("2"), Some(Duration::from_millis(250))));
    assert!(events.next().unwrap().is_none());
    assert_eq!(events.last_event_id(), Some("3"));
}

#[test]
fn debug_shows_no_data() {
    let mut events = events_of(stream("id: 1\ndata: secret\n\n")).expect("events");
    let event = events.next().unwrap().expect("an event");
    let shown = format!("{event:?} {:?}", event.to_owned());
    assert_eq!(shown, "Event(\"message\", 6 bytes, id: Some(\"1\")) Event(\"message\", 6 bytes, id: Some(\"1\"))");
    assert!(format!("{events:?}").starts_with("Events { last_event_id: Some(\"1\"), body: Body("), "{events:?}");
}

#[test]
fn a_dropped_stream_closes_its_connection() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
        assert!(conn.wait_closed(LIMIT));
    });
    let mut events = Client::new().get(peer.url("/")).send().and_then(Response::events).expect("events");
    assert!(events.next().unwrap().is_some());
    drop(events);
    assert!(peer.saw_close(0));
}
