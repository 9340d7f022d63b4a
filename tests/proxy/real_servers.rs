//! Real proxies on loopback: Squid, tinyproxy and Dante.
//!
//! They are not installed everywhere, so every test here is ignored by name unless asked for:
//! `cargo test --test proxy real_servers -- --include-ignored`. Then a proxy that is missing is a failure.
//! How they are started is in `support/real_proxies.rs` and the configurations in `support/servers/`.
//! https, in builds that support it, is in `real_servers/https.rs`.

use std::io::Read;
use std::time::Duration;

use longwire::{Client, Error, ErrorKind, Fate, Proxy, SendBody, Stage};

use crate::real_proxies::{FORBIDDEN, Kind, PASSWORD, ProxyServer, USER};
use crate::servers::{PatternCheck, checks_of, pattern};
use crate::support::peer::{Peer, Refusing};

/// No exchange here takes longer, on the slowest machine.
const LIMIT: Duration = Duration::from_secs(60);
/// More than the sockets' buffers of three hops.
const LARGE_BYTES: usize = 16 << 20;
const UPLOAD_BYTES: usize = 2 << 20;

checks_of!(
    squid,
    super::Kind::Squid,
    "needs squid: run with --include-ignored (.ci/run does)",
    [
        a_get_goes_through_it,
        two_servers_share_a_connection_to_it,
        a_tunnel_carries_several_exchanges,
        a_large_download_arrives_byte_for_byte,
        uploads_come_back_whole,
        wrong_credentials_are_407,
        missing_credentials_are_407,
        what_it_does_not_allow_is_403,
        a_server_that_is_gone_is_a_response_of_the_proxys,
    ]
);

// It closes after each request, and answers wrong credentials with 401.
checks_of!(
    tinyproxy,
    super::Kind::Tinyproxy,
    "needs tinyproxy-bin: run with --include-ignored (.ci/run does)",
    [
        a_get_goes_through_it,
        a_tunnel_carries_several_exchanges,
        a_large_download_arrives_byte_for_byte,
        uploads_come_back_whole,
        missing_credentials_are_407,
        what_it_does_not_allow_is_403,
        a_server_that_is_gone_is_a_response_of_the_proxys,
    ]
);

checks_of!(
    dante,
    super::Kind::Dante,
    "needs dante-server: run with --include-ignored (.ci/run does)",
    [
        a_get_goes_through_it,
        a_tunnel_carries_several_exchanges,
        a_large_download_arrives_byte_for_byte,
        uploads_come_back_whole,
        a_refused_destination_is_a_reply_in_words,
        the_name_is_looked_up_on_either_side,
    ]
);

#[cfg(feature = "__rustls")]
#[path = "real_servers/https.rs"]
mod https;

/// That proxy, with the credentials that it wants.
fn started(kind: Kind) -> (ProxyServer, Proxy) {
    let server = ProxyServer::start(kind);
    let scheme = if kind == Kind::Dante { "socks5h" } else { "http" };
    let proxy = Proxy::new(&format!("{scheme}://127.0.0.1:{}", server.port)).expect("a proxy");
    let with_login = |proxy: Proxy| proxy.basic_auth(USER, PASSWORD).expect("credentials");
    (server, if kind == Kind::Dante { proxy } else { with_login(proxy) })
}

fn by(proxy: Proxy) -> Client {
    Client::builder().timeout(LIMIT).proxy(proxy).build()
}

/// Once as the proxy is used by itself, and once through a tunnel.
fn both_ways(proxy: Proxy) -> [Client; 2] {
    [by(proxy.clone()), by(proxy.tunnel_http())]
}

/// The server behind the proxy: gives back what it is sent, and `/large` a pattern.
fn server() -> Peer {
    Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            assert_eq!(request.header("proxy-authorization"), None, "the proxy's credentials");
            assert!(request.target.starts_with('/'), "{}", request.target);
            let body = match request.target.as_str() {
                "/large" => pattern(LARGE_BYTES),
                _ => request.body,
            };
            let length = body.len();
            conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nX-Target: {}\r\n\r\n", request.target));
            conn.send(body);
        }
    })
}

fn a_get_goes_through_it(kind: Kind) {
    let (proxy_server, proxy) = started(kind);
    let server = server();
    for client in both_ways(proxy) {
        let response = client.get(server.url("/a?b=c#d")).basic_auth("you", Some("pw")).send().expect("a response");
        assert_eq!((response.status().as_u16(), response.header("x-target")), (200, Some("/a?b=c")));
        let peer = response.connection().peer_addr().expect("TCP");
        assert_eq!(peer.port(), proxy_server.port);
        assert_eq!(response.bytes().expect("a body").len(), 0);
    }
}

fn two_servers_share_a_connection_to_it(kind: Kind) {
    let (_proxy, proxy) = started(kind);
    let (one, two) = (server(), server());
    let client = by(proxy);
    for (exchange, server) in [&one, &two, &one].into_iter().enumerate() {
        let response = client.get(server.url("/")).send().expect("a response");
        assert_eq!(response.connection().nth() as usize, exchange + 1);
        response.bytes().expect("a body");
    }
}

fn a_tunnel_carries_several_exchanges(kind: Kind) {
    let (_proxy, proxy) = started(kind);
    let server = server();
    let client = by(proxy.tunnel_http());
    for exchange in 1..=3 {
        let response = client.post(server.url("/")).body("hello").send().expect("a response");
        assert_eq!(response.connection().nth(), exchange);
        assert_eq!(response.text().expect("a body"), "hello");
    }
    assert_eq!(server.connections(), 1);
}

fn a_large_download_arrives_byte_for_byte(kind: Kind) {
    let (_proxy, proxy) = started(kind);
    let server = server();
    for client in both_ways(proxy) {
        let mut response = client.get(server.url("/large")).send().expect("a response");
        let (mut check, mut buffer) = (PatternCheck::new(), [0; 4096]);
        loop {
            match response.read(&mut buffer).expect("more of the body") {
                0 => break,
                count => assert!(check.goes_on_with(&buffer[..count]), "near byte {}", check.bytes),
            }
        }
        assert_eq!(check.bytes, LARGE_BYTES as u64);
    }
}

fn uploads_come_back_whole(kind: Kind) {
    let (_proxy, proxy) = started(kind);
    let server = server();
    let body = pattern(UPLOAD_BYTES);
    for client in both_ways(proxy) {
        let sized = client.post(server.url("/")).body(&body).send().expect("a response");
        assert!(sized.bytes().expect("the body") == body, "{kind:?} changed a sized upload");
        // tinyproxy closes after each response and does not say so, and a reader cannot be sent again.
        client.close_idle();
        let streamed = client.put(server.url("/")).body(SendBody::reader(&body[..])).send().expect("a response");
        assert!(streamed.bytes().expect("the body") == body, "{kind:?} changed an upload in chunks");
    }
}

/// The refusal of a tunnel, which shows this status and what the proxy sent.
#[track_caller]
fn assert_refused(client: &Client, url: &str, statuses: &[u16]) -> Error {
    let error = client.post(url).body("x").send().expect_err("no tunnel");
    assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Proxy, Stage::Connect, Fate::NotSent));
    let status = error.status().expect("the proxy's status").as_u16();
    assert!(statuses.contains(&status), "{error}");
    let answer = String::from_utf8_lossy(error.proxy_answer().expect("what the proxy sent")).into_owned();
    assert!(answer.starts_with("HTTP/1.") && answer.contains("\r\n\r\n"), "{answer}");
    assert!(answer.to_lowercase().contains("<html"), "the proxy's page: {answer}");
    error
}

fn wrong_credentials_are_407(kind: Kind) {
    let (_proxy, proxy) = started(kind);
    assert_407(proxy.basic_auth(USER, "wrong").expect("credentials"), "does not take the credentials");
}

fn missing_credentials_are_407(kind: Kind) {
    let (server, _) = started(kind);
    let proxy = Proxy::new(&format!("http://127.0.0.1:{}", server.port)).expect("a proxy");
    assert_407(proxy, "it wants credentials");
}

#[track_caller]
fn assert_407(proxy: Proxy, words: &str) {
    let server = server();
    let [plain, tunnelling] = both_ways(proxy);
    let response = plain.get(server.url("/")).send().expect("a response");
    assert_eq!(response.status().as_u16(), 407);
    assert!(response.header("proxy-authenticate").is_some_and(|challenge| challenge.starts_with("Basic")));
    response.bytes().expect("a body");
    let error = assert_refused(&tunnelling, &server.url("/"), &[407]);
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(server.connections(), 0);
}

fn what_it_does_not_allow_is_403(kind: Kind) {
    let (_proxy, proxy) = started(kind);
    let url = format!("http://{FORBIDDEN}/");
    let [plain, tunnelling] = both_ways(proxy);
    assert_eq!(plain.get(&url).send().expect("a response").status().as_u16(), 403);
    assert_refused(&tunnelling, &url, &[403]);
}

fn a_server_that_is_gone_is_a_response_of_the_proxys(kind: Kind) {
    let (_proxy, proxy) = started(kind);
    let gone = Refusing::start();
    let url = format!("http://{}/", gone.addr());
    let statuses = [500, 502, 503, 504];
    let [plain, tunnelling] = both_ways(proxy);
    let response = plain.get(&url).send().expect("a response");
    assert!(statuses.contains(&response.status().as_u16()), "{response:?}");
    assert_refused(&tunnelling, &url, &statuses);
}

fn a_refused_destination_is_a_reply_in_words(kind: Kind) {
    let (_proxy, proxy) = started(kind);
    let gone = Refusing::start();
    let client = by(proxy);
    for (host, words) in [(gone.addr().to_string(), "connection refused"), (FORBIDDEN.to_owned(), "not allowed")] {
        let error = client.get(format!("http://{host}/")).send().expect_err("no tunnel");
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Proxy, Fate::NotSent));
        assert!(error.to_string().contains(words), "{error}");
    }
}

fn the_name_is_looked_up_on_either_side(kind: Kind) {
    let (proxy_server, by_proxy) = started(kind);
    let server = server();
    let url = format!("http://localhost:{}/", server.addr().port());
    let by_us = Proxy::new(&format!("socks5://127.0.0.1:{}", proxy_server.port)).expect("a proxy");
    for proxy in [by_proxy, by_us] {
        let response = by(proxy).get(&url).send().expect("a response");
        assert_eq!(response.status().as_u16(), 200);
    }
}
