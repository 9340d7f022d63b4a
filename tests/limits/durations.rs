//! Invalid durations, and durations that mean for ever.

use std::time::Duration;

use longwire::{Client, ClientBuilder, ErrorKind};

use crate::support::peer::{Peer, ok};
use crate::{refused_by_every_send, support};

type Setter = fn(ClientBuilder, Duration) -> ClientBuilder;

const SETTERS: [(&str, Setter); 7] = [
    ("connect_timeout", |builder, time| builder.connect_timeout(time)),
    ("read_timeout", |builder, time| builder.read_timeout(time)),
    ("write_timeout", |builder, time| builder.write_timeout(time)),
    ("header_timeout", |builder, time| builder.header_timeout(time)),
    ("timeout", |builder, time| builder.timeout(time)),
    ("idle_timeout", |builder, time| builder.idle_timeout(time)),
    ("max_connection_age", |builder, time| builder.max_connection_age(time)),
];

#[test]
fn no_time_at_all_is_an_invalid_request() {
    for (name, set) in SETTERS {
        let error = refused_by_every_send(set(Client::builder(), Duration::ZERO));
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{name}");
        let message = error.to_string();
        assert!(message.contains(name), "{name} is not named: {message}");
    }
}

#[test]
fn no_time_at_all_for_one_request_is_invalid_too() {
    let peer = Peer::answering(ok("x"));
    let client = Client::new();
    let get = || client.get(peer.url("/"));
    let zero = Duration::ZERO;
    let requests =
        [get().timeout(zero), get().read_timeout(zero), client.post(peer.url("/")).body("x").expect_continue(zero)];
    for (index, request) in requests.into_iter().enumerate() {
        let error = request.send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{index}");
    }
    assert_eq!(peer.connections(), 0);
}

/// Sends twice, so that the second request finds an idle connection; then looks at its numbers.
#[track_caller]
fn works_and_reuses(client: &Client, name: &str) {
    let peer = Peer::answering(ok("x"));
    for exchange in 1..=2 {
        let response = client.post(peer.url("/")).body("body").send().expect(name);
        assert_eq!(response.connection().nth(), exchange, "{name}");
        assert_eq!(response.text().expect(name), "x");
    }
}

#[test]
fn time_beyond_the_clock_is_no_limit() {
    for time in [Duration::MAX, Duration::from_secs(u64::MAX / 2), Duration::from_secs(1 << 40)] {
        for (name, set) in SETTERS {
            works_and_reuses(&set(Client::builder(), time).build(), name);
        }
        let peer = Peer::start(|mut conn, _| {
            let request = conn.head().expect("a head");
            conn.send("HTTP/1.1 100 Continue\r\n\r\n");
            conn.body(&request);
            conn.send(ok("x"));
        });
        let request = Client::new().post(peer.url("/")).body("body").timeout(time);
        let response = request.read_timeout(time).expect_continue(time).send().unwrap();
        assert_eq!(response.text().unwrap(), "x");
    }
}

#[test]
fn a_limit_can_be_switched_off() {
    let builder = Client::builder().connect_timeout(None).read_timeout(None).write_timeout(None);
    let builder = builder.header_timeout(None).timeout(None).idle_timeout(None);
    works_and_reuses(&builder.max_connection_age(None).build(), "none");
}

#[test]
fn a_request_sets_its_own_time_in_place_of_the_clients() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.pause(Duration::from_millis(400));
        conn.send(ok("late"));
        conn.wait_closed(support::peer::LIMIT);
    });
    let client = Client::builder().timeout(Duration::from_millis(100)).build();
    let error = client.get(peer.url("/")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(client.get(peer.url("/")).timeout(None).send().unwrap().text().unwrap(), "late");
    let client = Client::builder().read_timeout(Duration::from_millis(100)).build();
    let patient = client.get(peer.url("/")).read_timeout(support::peer::LIMIT);
    assert_eq!(patient.send().unwrap().text().unwrap(), "late");
}
