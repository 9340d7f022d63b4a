//! Connections that are opened before a request needs them: what they save, and what must not go wrong with a
//! connection on which nothing was ever received.

mod support;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use longwire::script::{Script, reply};
use longwire::transport::{Connect, Deadline, Target};
use longwire::{CancelToken, Client, ClientBuilder, CloseReason, ErrorKind, Fate, Timings};
use support::peer::{Event, Peer, Refusing, ok};

fn builder() -> ClientBuilder {
    Client::builder().no_proxy()
}

#[test]
fn requests_find_the_connections_that_were_opened_ahead() {
    let peer = Peer::answering(ok("x"));
    let client = builder().build();
    assert_eq!(client.connect_ahead(peer.url("/some/path"), 3).unwrap(), 3);
    let stats = client.pool_stats();
    assert_eq!((stats.opened, stats.idle, stats.in_use, stats.reused), (3, 3, 0, 0));
    let responses: Vec<_> = (0..3).map(|_| client.get(peer.url("/")).send().unwrap()).collect();
    for response in responses {
        let (connection, timings) = (response.connection(), response.timings());
        assert_eq!((connection.reused(), connection.nth()), (true, 1));
        let none = Timings::default();
        assert_eq!((timings.resolve, timings.connect, timings.tls), (none.resolve, none.connect, none.tls));
        assert_eq!(response.text().unwrap(), "x");
    }
    assert_eq!(client.get(peer.url("/")).send().unwrap().connection().nth(), 2);
    assert_eq!((peer.connections(), client.pool_stats().reused), (3, 4));
}

#[test]
fn idle_connections_count_and_so_do_the_caps() {
    let peer = Peer::answering(ok("x"));
    let client = builder().max_idle_per_host(3).build();
    client.get(peer.url("/")).send().unwrap().bytes().unwrap();
    assert_eq!(client.connect_ahead(peer.url("/"), 0).unwrap(), 0);
    assert_eq!(client.connect_ahead(peer.url("/"), 1).unwrap(), 0);
    assert_eq!(client.connect_ahead(peer.url("/"), 3).unwrap(), 2);
    assert_eq!(client.connect_ahead(peer.url("/"), 3).unwrap(), 0);
    let error = client.connect_ahead(peer.url("/"), 4).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("4 connections ahead are more than max_idle_per_host keeps: 3"), "{error}");

    let error = builder().max_idle(1).build().connect_ahead(peer.url("/"), 2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("2 connections ahead are more than max_idle keeps: 1"), "{error}");

    let few = builder().max_connections_per_host(2).build();
    let held = few.get(peer.url("/")).send().unwrap();
    assert_eq!(few.connect_ahead(peer.url("/"), 5).unwrap(), 1, "one of the two is in use");
    drop(held);
    assert_eq!(few.connect_ahead("http://127.0.0.1:9/", 0).unwrap(), 0);
}

#[test]
fn many_are_opened_by_no_more_than_32_threads() {
    let script = Script::answering(reply(200));
    let threads = Arc::new(Mutex::new(HashSet::new()));
    let (server, seen) = (script.clone(), threads.clone());
    let connect = move |target: &Target<'_>, deadline: Deadline, token: &CancelToken| {
        seen.lock().expect("no test panics with it").insert(thread::current().id());
        server.connect(target, deadline, token)
    };
    let client = Client::builder().connector(connect).max_idle_per_host(100).build();
    assert_eq!(client.connect_ahead("http://memory.test/", 100).unwrap(), 100);
    assert_eq!((client.pool_stats().idle, script.connections()), (100, 100));
    assert!(threads.lock().expect("no test panics with it").len() <= 32);
}

#[test]
fn connections_that_cannot_be_opened_are_an_error_that_names_the_url() {
    let refusing = Refusing::start();
    let client = builder().build();
    let url = format!("http://user:secret@{}/path?query", refusing.addr());
    let error = client.connect_ahead(url.as_str(), 2).unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Connect, Fate::NotSent));
    let said = error.to_string();
    assert!(said.contains("/path") && !said.contains("secret") && !said.contains("query"), "{said}");
    assert_eq!(client.connect_ahead("no url", 1).unwrap_err().kind(), ErrorKind::InvalidUrl);
    assert_eq!(client.pool_stats().in_use, 0);
    let invalid = builder().max_head_size(1).build();
    assert_eq!(invalid.connect_ahead(url.as_str(), 1).unwrap_err().kind(), ErrorKind::InvalidRequest);
}

/// As servers do that tire of a silent connection: HAProxy, IIS, Go behind a load balancer.
#[test]
fn an_unasked_408_is_never_taken_for_a_response() {
    let peer = Peer::start(|mut conn, index| {
        if index == 0 {
            conn.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            conn.note("sent");
            conn.half_close();
        }
        while conn.request().is_some() {
            conn.send(ok("answered"));
        }
    });
    let client = builder().probe_after(Duration::from_secs(60)).build();
    assert_eq!(client.connect_ahead(peer.url("/"), 1).unwrap(), 1);
    assert!(peer.wait_until(|events| events.contains(&Event::Note(0, "sent".to_owned()))));
    let response = client.post(peer.url("/")).body("x").send().unwrap();
    assert_eq!((response.status().as_u16(), response.connection().reused()), (200, false));
    assert_eq!(response.text().unwrap(), "answered");
    assert_eq!(client.pool_stats().closed.get(CloseReason::StrayBytes), 1);
}

#[test]
fn one_that_is_dead_at_its_first_use_costs_a_get_nothing_and_a_post_is_never_sent_twice() {
    // The first connection takes a request and closes, as a server does whose patience ends just then.
    let stale = || {
        Peer::start(|mut conn, index| {
            while conn.request().is_some() && index > 0 {
                conn.send(ok("answered"));
            }
        })
    };
    let (client, peer) = (builder().build(), stale());
    client.connect_ahead(peer.url("/"), 1).unwrap();
    let response = client.get(peer.url("/")).send().unwrap();
    assert_eq!((response.connection().reused(), response.text().unwrap().as_str()), (false, "answered"));
    assert_eq!(peer.request_lines().len(), 2);

    let peer = stale();
    client.connect_ahead(peer.url("/"), 1).unwrap();
    let error = client.post(peer.url("/")).body("x").send().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Truncated, Fate::MaybeProcessed));
    assert_eq!(peer.request_lines().len(), 1);
}

#[test]
fn one_that_nobody_takes_is_closed_after_five_seconds() {
    let peer = Peer::answering(ok("x"));
    let client = builder().build();
    client.get(peer.url("/")).send().unwrap().bytes().unwrap(); // stays for 30 s
    assert_eq!(client.connect_ahead(peer.url("/"), 2).unwrap(), 1);
    assert!(!longwire::CancelToken::new().wait(Duration::from_millis(5_010)));
    let stats = client.pool_stats();
    assert_eq!((stats.idle, stats.closed.get(CloseReason::Idle)), (1, 1));
}

#[test]
fn it_goes_through_a_proxys_tunnel_and_shares_its_connections() {
    let proxy = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            conn.send(ok(&request.target));
        }
    });
    let client = Client::builder().proxy(longwire::Proxy::new(&format!("http://{}", proxy.addr())).unwrap()).build();
    assert_eq!(client.connect_ahead("http://one.test/", 1).unwrap(), 1);
    let response = client.get("http://other.test/x").send().unwrap();
    assert!(response.connection().reused(), "an HTTP proxy's connections lead to all servers");
    assert_eq!(response.text().unwrap(), "http://other.test/x");
    assert_eq!(proxy.connections(), 1);
}
