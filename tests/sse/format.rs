//! Each stream gives the same events however it is framed and wherever it is split.

use std::time::Duration;

use longwire::sse::Events;
use longwire::{Client, Response};

use crate::cases::{self, Case, Seen};
use crate::support::peer::Peer;
use longwire::script::{Script, reply};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";

#[track_caller]
fn check(case: &Case, response: Response, how: &str) {
    let mut events = response.events().expect("a stream of events");
    let mut seen = Vec::new();
    while let Some(event) = events.next().expect("an event") {
        seen.push(Seen::new(event.event(), event.data(), event.id()));
    }
    assert_eq!(seen, case.events, "{}, {how}", case.name);
    assert_eq!(events.retry(), case.retry.map(Duration::from_millis), "{}, {how}", case.name);
    assert!(events.next().expect("the end, again").is_none() && events.ended().is_some());
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    [format!("{HEAD}Content-Length: {}\r\n\r\n", bytes.len()).as_bytes(), bytes].concat()
}

fn in_chunks(bytes: &[u8], size: usize) -> Vec<u8> {
    let mut answer = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in bytes.chunks(size) {
        answer.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

fn to_the_close(bytes: &[u8]) -> Vec<u8> {
    [format!("{HEAD}Connection: close\r\n\r\n").as_bytes(), bytes].concat()
}

/// `/NUMBER/FRAMING` is that case, framed so. What follows the second slash is how it is sent.
fn serve(cases: &[Case], target: &str) -> (Vec<u8>, bool) {
    let mut parts = target.split('/').skip(1);
    let number: usize = parts.next().and_then(|digits| digits.parse().ok()).expect("a number");
    let bytes = &cases[number].bytes;
    let framed = match parts.next() {
        Some("length") => with_length(bytes),
        Some("chunks") => in_chunks(bytes, 1),
        Some("close") => to_the_close(bytes),
        other => panic!("{other:?}"),
    };
    (framed, parts.next() == Some("bytewise"))
}

#[test]
fn each_case_over_loopback_in_each_framing_whole_and_byte_by_byte() {
    let cases = cases::all();
    assert!(cases.len() >= 45, "{}", cases.len());
    let served = cases.clone();
    let peer = Peer::start(move |mut conn, _| {
        while let Some(request) = conn.request() {
            match serve(&served, &request.target) {
                (framed, true) => conn.send_bytewise(framed),
                (framed, false) => conn.send(framed),
            };
            if request.target.contains("/close/") {
                return;
            }
        }
    });
    let client = Client::new();
    for (number, case) in cases.iter().enumerate() {
        for how in
            ["length/whole", "length/bytewise", "chunks/whole", "chunks/bytewise", "close/whole", "close/bytewise"]
        {
            let response = client.get(peer.url(&format!("/{number}/{how}"))).send();
            check(case, response.expect("a head"), how);
        }
    }
}

#[test]
fn each_case_at_every_split_into_two_chunks() {
    for case in cases::all() {
        let bytes = case.bytes.clone();
        let script = Script::new().on_with("*", move |request| {
            let at: usize = request.target().trim_start_matches('/').parse().expect("a number");
            let chunks = [&bytes[..at], &bytes[at..]].map(<[u8]>::to_vec);
            reply(200).header("Content-Type", "text/event-stream").chunked(chunks)
        });
        let client = script.client();
        for at in 1..case.bytes.len().max(2) - 1 {
            let response = client.get(format!("http://host/{at}")).send();
            check(&case, response.expect("a head"), &format!("split at {at}"));
        }
    }
}

/// With reads of one byte, and with a connection's buffer that is smaller than an event.
#[test]
fn each_case_through_small_reads() {
    for case in cases::all() {
        let script = Script::answering(longwire::script::raw(with_length(&case.bytes))).read_max(1);
        check(&case, script.client().get("http://host/").send().expect("a head"), "reads of a byte");
    }
}

#[test]
fn events_larger_than_any_buffer_come_whole_and_in_order() {
    let data = |number: usize| format!("{number}:{}", "\u{e4}bc ".repeat(number * 700));
    let stream: String = (0..40).map(|number| format!("data: {}\ndata\nid: {number}\n\n", data(number))).collect();
    let peer = Peer::answering(in_chunks(stream.as_bytes(), 3001));
    let client = Client::new();
    let mut events: Events = client.get(peer.url("/")).send().and_then(Response::events).expect("events");
    for number in 0..40 {
        let event = events.next().expect("no error").expect("an event");
        assert_eq!(event.data(), data(number) + "\n");
        assert_eq!(event.id(), Some(&*number.to_string()));
    }
    assert!(events.next().expect("no error").is_none());
}
