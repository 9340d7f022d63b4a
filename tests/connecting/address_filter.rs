//! The address filter: every address that is connected to has passed it, on every hop, whatever
//! way it came; and what becomes of proxies, behind which it cannot see. What `PublicOnly` blocks
//! is a table in `src/net/dial/public_only.rs`.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use longwire::transport::{Query, Resolve};
use longwire::{Client, ClientBuilder, ErrorKind, Fate, Proxy, PublicOnly, Stage};

use crate::support::peer::{Peer, answer, ok};

/// A resolver that has the same list for every name.
struct Names(Vec<SocketAddr>);

impl Resolve for Names {
    fn resolve(&self, _: &Query<'_>) -> io::Result<Vec<SocketAddr>> {
        Ok(self.0.clone())
    }
}

/// Lets only that address through.
fn only(address: SocketAddr) -> ClientBuilder {
    Client::builder().address_filter(move |other| *other == address)
}

/// A peer that must not be connected to.
fn forbidden() -> Peer {
    Peer::start(|_, _| panic!("an address that was blocked was connected to"))
}

#[track_caller]
fn assert_blocked(client: &Client, url: &str) {
    let error = client.get(url).send().expect_err(url);
    assert_eq!((error.kind(), error.fate()), (ErrorKind::BlockedAddress, Fate::NotSent), "{url}: {error}");
}

#[test]
fn literals_are_filtered_in_every_spelling() {
    let client = Client::builder().address_filter(PublicOnly::allows).build();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "0",
        "169.254.169.254",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "%31%32%37.0.0.1",
        "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
    ] {
        assert_blocked(&client, &format!("http://{host}/"));
    }
}

#[test]
fn names_are_filtered_by_what_they_stand_for() {
    let peer = forbidden();
    let client = || Client::builder().address_filter(PublicOnly::allows);
    assert_blocked(&client().resolver(Names(vec![peer.addr()])).build(), "http://example.test/");
    assert_blocked(&client().resolve_to("example.test", peer.addr()).build(), "http://example.test/");
    for host in ["localhost", "localhost.", "foo.localhost"] {
        assert_blocked(&client().build(), &format!("http://{host}:{}/", peer.addr().port()));
    }
    assert_eq!(peer.connections(), 0);
}

#[test]
fn of_mixed_addresses_only_those_that_passed_are_connected_to() {
    let (blocked, allowed) = (forbidden(), Peer::answering(ok("allowed")));
    for addresses in [vec![blocked.addr(), allowed.addr()], vec![allowed.addr(), blocked.addr()]] {
        let client = only(allowed.addr()).resolver(Names(addresses)).build();
        let response = client.get("http://example.test/").send().unwrap();
        assert_eq!(response.connection().peer_addr(), Some(allowed.addr()));
        assert_eq!(response.text().unwrap(), "allowed");
    }
    assert_eq!(blocked.connections(), 0);
}

#[test]
fn the_socket_is_opened_to_the_address_that_was_checked() {
    /// Says one address when it is asked first, and another ever after.
    struct Rebinding(Mutex<Vec<SocketAddr>>);
    impl Resolve for Rebinding {
        fn resolve(&self, _: &Query<'_>) -> io::Result<Vec<SocketAddr>> {
            let mut answers = self.0.lock().expect("no panic");
            let next = if answers.len() > 1 { answers.remove(0) } else { answers[0] };
            Ok(vec![next])
        }
    }
    let (blocked, allowed) = (forbidden(), Peer::answering("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nonce"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (looked_at, good) = (Arc::clone(&seen), allowed.addr());
    let filter = move |address: &SocketAddr| {
        looked_at.lock().expect("no panic").push(*address);
        *address == good
    };
    let resolver = Rebinding(Mutex::new(vec![allowed.addr(), blocked.addr()]));
    let client = Client::builder().address_filter(filter).resolver(resolver).build();
    let response = client.get("http://example.test/").send().unwrap();
    assert_eq!(response.connection().peer_addr(), Some(allowed.addr()));
    drop(response);
    client.close_idle();
    assert_blocked(&client, "http://example.test/");
    assert_eq!(*seen.lock().expect("no panic"), [allowed.addr(), blocked.addr()], "each look-up was filtered");
    assert_eq!(blocked.connections(), 0);
}

#[test]
fn every_hop_of_a_redirect_is_filtered() {
    let inside = forbidden();
    let targets = [inside.url("/"), format!("http://inside.test:{}/", inside.addr().port())];
    for location in targets {
        let first = Peer::answering(answer("302 Found", &format!("Location: {location}\r\n"), ""));
        let client = only(first.addr()).resolve_to("inside.test", inside.addr()).build();
        let error = client.get(first.url("/")).send().unwrap_err();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::BlockedAddress, Stage::Resolve), "{error}");
        assert_eq!(error.url().map(|url| url.as_str()), Some(location.as_str()));
        assert_eq!(first.connections(), 1);
    }
    assert_eq!(inside.connections(), 0);
}

#[test]
fn a_proxy_is_refused_unless_it_is_trusted() {
    let peer = forbidden();
    for scheme in ["http", "socks5", "socks5h"] {
        let proxy = Proxy::new(&format!("{scheme}://{}", peer.addr())).unwrap();
        for filter in [PublicOnly::allows, |_: &SocketAddr| true] {
            let client = Client::builder().address_filter(filter).proxy(proxy.clone()).build();
            let error = client.get("http://198.51.100.1/").send().unwrap_err();
            assert_eq!((error.kind(), error.fate()), (ErrorKind::BlockedAddress, Fate::NotSent));
            assert!(error.to_string().contains(&format!("the proxy {scheme}://{} ", peer.addr())), "{error}");
        }
    }
    assert_eq!(peer.connections(), 0);
}

#[test]
fn an_untrusted_proxy_does_not_stand_in_the_way_of_its_exceptions() {
    let server = Peer::answering(ok("direct"));
    let proxy = Proxy::new("http://192.0.2.1").unwrap().bypass("127.0.0.1").unwrap();
    let client = only(server.addr()).proxy(proxy).build();
    assert_eq!(client.get(server.url("/")).send().unwrap().text().unwrap(), "direct");
}

#[test]
fn a_trusted_proxy_may_be_anywhere_and_is_sent_no_address_that_is_blocked() {
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            assert!(request.header("host").is_some_and(|host| host.starts_with("example.test")), "{request:?}");
            let is_tunnel = request.method == "CONNECT";
            conn.send(if is_tunnel { "HTTP/1.1 200 OK\r\n\r\n".to_owned() } else { ok("via") });
        }
    });
    let proxy = Proxy::new(&format!("http://{}", peer.addr())).unwrap().trusted();
    for proxy in [proxy.clone(), proxy.tunnel_http()] {
        let client = Client::builder().address_filter(PublicOnly::allows).proxy(proxy).build();
        assert_eq!(client.get("http://example.test/").send().unwrap().text().unwrap(), "via");
        for url in ["http://169.254.169.254/", "http://[::ffff:10.0.0.1]:8080/", "http://127.0.0.1/"] {
            assert_blocked(&client, url);
        }
        assert_eq!(client.get("http://example.test/").send().unwrap().text().unwrap(), "via");
    }
    assert_eq!(peer.connections(), 2);
}

#[test]
fn a_redirect_through_a_trusted_proxy_is_filtered_where_it_names_an_address() {
    let moved = answer("302 Found", "Location: http://169.254.169.254/latest/\r\n", "");
    let peer = Peer::answering(moved);
    let proxy = Proxy::new(&format!("http://{}", peer.addr())).unwrap().trusted();
    let client = Client::builder().address_filter(PublicOnly::allows).proxy(proxy).build();
    let error = client.get("http://example.test/").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BlockedAddress, "{error}");
    assert_eq!(peer.request_lines(), ["GET http://example.test/ HTTP/1.1"]);
}

#[test]
fn names_that_are_looked_up_here_for_a_trusted_socks5_proxy_are_filtered() {
    let peer = Peer::start(|mut conn, _| {
        conn.exactly(3);
        conn.send([5, 0]);
        assert_eq!(conn.exactly(10).as_deref(), Some(&[5, 1, 0, 1, 8, 8, 8, 8, 0, 80][..]));
        conn.send([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        conn.request();
        conn.send(ok("via"));
    });
    let through = |addresses: &[&str]| {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let proxy = Proxy::new(&format!("socks5://{}", peer.addr())).unwrap().trusted();
        Client::builder().address_filter(PublicOnly::allows).resolver(Names(addresses)).proxy(proxy).build()
    };
    let client = through(&["10.0.0.1:80", "8.8.8.8:80"]);
    assert_eq!(client.get("http://example.test/").send().unwrap().text().unwrap(), "via");
    assert_blocked(&through(&["10.0.0.1:80", "169.254.169.254:80"]), "http://example.test/");
    assert_eq!(peer.connections(), 1);
}
