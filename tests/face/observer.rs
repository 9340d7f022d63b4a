//! What an observer is shown of connections, requests and responses, in which order, and what not:
//! secrets.

use longwire::Client;
use longwire::script::{Script, reply};

use crate::support::peer::{Peer, answer, ok};
use crate::support::trace::Trace;

fn text(client: &Client, url: impl AsRef<str>) -> String {
    client.get(url.as_ref()).send().expect("a response").text().expect("a body")
}

fn traced() -> (Client, Trace) {
    let trace = Trace::default();
    (Client::builder().observer(trace.clone()).build(), trace)
}

#[test]
fn an_observer_sees_two_gets_in_order() {
    let peer = Peer::answering(ok("x"));
    let (client, trace) = traced();
    text(&client, peer.url("/1"));
    text(&client, peer.url("/2"));
    client.close_idle();
    let expected = [
        "connected",
        "request GET /1 HTTP/1.1",
        "response HTTP/1.1 200 OK",
        "kept",
        "reused for exchange 2",
        "request GET /2 HTTP/1.1",
        "response HTTP/1.1 200 OK",
        "kept",
        "closed Cleared",
    ];
    assert_eq!(trace.lines(), expected);
}

#[test]
fn an_observer_sees_interim_responses_and_names() {
    let peer = Peer::answering(format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{}", ok("x")));
    let trace = Trace::default();
    let resolver = Loopback(peer.addr());
    let builder = Client::builder().no_proxy().observer(trace.clone());
    let client = builder.resolver(resolver).build();
    text(&client, "http://name.test/");
    let expected = [
        "resolved name.test",
        "connected",
        "request GET / HTTP/1.1",
        "interim HTTP/1.1 103 Early Hints",
        "response HTTP/1.1 200 OK",
        "kept",
    ];
    assert_eq!(trace.lines(), expected);
    assert!(trace.whole().contains("Link: </a>"));
}

/// Every name is this address.
struct Loopback(std::net::SocketAddr);

impl longwire::transport::Resolve for Loopback {
    fn resolve(&self, _: &longwire::transport::Query<'_>) -> std::io::Result<Vec<std::net::SocketAddr>> {
        Ok(vec![self.0])
    }
}

#[test]
fn an_observer_sees_a_redirect_in_order() {
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let moved = answer("302 Found", "Location: /new\r\nConnection: close\r\n", "");
            conn.send(if request.target == "/old" { moved } else { ok("x") });
        }
    });
    let (client, trace) = traced();
    text(&client, peer.url("/old"));
    let expected = [
        "connected",
        "request GET /old HTTP/1.1",
        "response HTTP/1.1 302 Found",
        "closed ServerClose",
        "redirect 302 from /old to /new",
        "connected",
        "request GET /new HTTP/1.1",
        "response HTTP/1.1 200 OK",
        "kept",
    ];
    // A hop's connection is given up before the next is taken; which of "closed" and "redirect"
    // is reported first is not specified.
    let mut lines = trace.lines();
    if lines[3].starts_with("redirect") {
        lines.swap(3, 4);
    }
    assert_eq!(lines, expected);
}

#[test]
fn an_observer_sees_a_retry_in_order() {
    let peer = Peer::start(|mut conn, index| {
        conn.request();
        conn.send(ok("x"));
        conn.request();
        if index == 0 {
            return; // closes instead of responding
        }
        conn.send(ok("y"));
    });
    let (client, trace) = traced();
    text(&client, peer.url("/1"));
    assert_eq!(text(&client, peer.url("/2")), "x");
    let mut lines = trace.lines().split_off(4);
    if lines[2] == "retry" {
        lines.swap(2, 3); // as above
    }
    assert!(lines[2].starts_with("closed "), "{lines:?}");
    lines.remove(2);
    let expected = [
        "reused for exchange 2",
        "request GET /2 HTTP/1.1",
        "retry",
        "connected",
        "request GET /2 HTTP/1.1",
        "response HTTP/1.1 200 OK",
        "kept",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn an_observer_sees_no_secret() {
    let fields = "Set-Cookie: id=SECRET-5\r\nLocation: /new\r\n";
    let peer = Peer::start(move |mut conn, _| {
        while let Some(request) = conn.request() {
            assert!(request.header("authorization").is_some());
            assert_eq!(request.header("cookie"), Some("id=SECRET-3"));
            let status = if request.target == "/old" { "302 Found" } else { "200 OK" };
            conn.send(answer(status, fields, ""));
        }
    });
    let (client, trace) = traced();
    let url = peer.url("/old").replace("http://", "http://me:SECRET-1@");
    let request = client.get(url).header("Cookie", "id=SECRET-3");
    let request = request.header("Proxy-Authorization", "SECRET-4");
    request.send().unwrap().bytes().unwrap();
    client.get(peer.url("/new")).bearer_auth("SECRET-2").header("Cookie", "id=SECRET-3").send().unwrap();
    let whole = trace.whole();
    assert!(whole.contains("***"), "{whole}");
    assert!(!whole.contains("SECRET"), "{whole}");
    let basic = "bWU6U0VDUkVULTE="; // me:SECRET-1
    assert!(!whole.contains(basic), "{whole}");
}

#[test]
fn an_observer_sees_no_password_of_a_location() {
    let peer = Peer::start(move |mut conn, _| {
        while let Some(request) = conn.request() {
            assert_eq!(request.header("authorization"), None);
            let host = request.header("host").expect("a Host");
            let fields = format!("Location: http://user:SECRET@{host}/new\r\n");
            let moved = answer("302 Found", &fields, "");
            conn.send(if request.target == "/old" { moved } else { ok("x") });
        }
    });
    let (client, trace) = traced();
    assert_eq!(text(&client, peer.url("/old")), "x");
    let whole = trace.whole();
    assert!(whole.contains("302 Found") && whole.contains("/new"), "{whole}");
    assert!(!whole.contains("SECRET"), "{whole}");
}

#[test]
fn what_is_shown_of_a_head_is_changed_only_where_a_secret_is() {
    let redirect = reply(200).header("Location", "http://user:hunter2@a/").header("X-Paths", "//b@c //d@e");
    let trace = Trace::default();
    let client = Client::builder().connector(Script::answering(redirect)).observer(trace.clone()).build();
    client.get("http://memory.test/x//user@y").send().unwrap();
    let whole = trace.whole();
    assert!(whole.contains("GET /x//user@y HTTP/1.1"), "{whole}");
    assert!(whole.contains("X-Paths: //b@c //d@e"), "{whole}");
    assert!(!whole.contains("hunter2"), "{whole}");
}
