//! Real servers and clients: Apache and lighttpd ask for Digest, the former through Squid and tinyproxy
//! too, and curl answers the device of `camera.rs`, so that the device's computation is no opinion of
//! ours.
//!
//! nginx has no Digest in Debian. Every test is ignored by name unless asked for:
//! `cargo test --features digest --test digest real_servers -- --include-ignored`.

use std::process::Command;
use std::thread;
use std::time::Duration;

use longwire::{Client, ClientBuilder, Proxy, SendBody};

use crate::camera::{Camera, Wants};
use crate::real_proxies::{self, PASSWORD, ProxyServer, USER};
use crate::servers::{Kind, SMALL, Server, Setup, checks_of};
use crate::support::peer::{Peer, answer};
use crate::support::trace::Trace;

checks_of!(
    apache,
    super::Kind::Apache,
    "needs apache2-bin: run with --include-ignored (.ci/run does)",
    [four_requests_cost_one_401_and_one_connection, a_wrong_password_is_a_401, a_name_has_any_letters]
);

checks_of!(
    lighttpd,
    super::Kind::Lighttpd,
    "needs lighttpd: run with --include-ignored (.ci/run does)",
    [four_requests_cost_one_401_and_one_connection, a_wrong_password_is_a_401, a_name_has_any_letters]
);

/// A client and what it does.
fn observed(builder: ClientBuilder) -> (Client, Trace) {
    let trace = Trace::default();
    (builder.observer(trace.clone()).build(), trace)
}

fn count(trace: &Trace, line: &str) -> usize {
    trace.lines().iter().filter(|other| other.starts_with(line)).count()
}

/// Reads a file as a user, to its end.
fn read(client: &Client, url: &str, user: &str) {
    let response = client.get(url).digest_auth(user, "secret").send().expect("a response");
    assert_eq!(response.status(), 200, "{url}");
    assert_eq!(response.text().expect("a text"), SMALL);
}

fn four_requests_cost_one_401_and_one_connection(kind: Kind) {
    let server = Server::start(kind, Setup::default());
    let (client, trace) = observed(Client::builder());
    for query in ["", "?a=1,2&b=%22c%22", "?a=1,2", ""] {
        read(&client, &server.url(&format!("/protected.txt{query}")), "me");
    }
    assert_eq!((count(&trace, "response HTTP/1.1 401"), count(&trace, "connected")), (1, 1), "{:?}", trace.lines());
}

fn a_wrong_password_is_a_401(kind: Kind) {
    let server = Server::start(kind, Setup::default());
    let client = Client::new();
    let url = server.url("/protected.txt");
    let wrong = client.get(&url).digest_auth("me", "wrong").send().expect("a response");
    assert_eq!(wrong.status(), 401);
    drop(wrong);
    assert_eq!(client.get(&url).digest_auth("nobody", "secret").send().expect("a response").status(), 401);
    read(&client, &url, "me");
}

/// Apache takes the bytes of a name as they are; lighttpd says `charset=UTF-8`, and takes `username*`.
fn a_name_has_any_letters(kind: Kind) {
    let server = Server::start(kind, Setup::default());
    read(&Client::new(), &server.url("/protected.txt"), "J\u{e4}s");
}

#[test]
#[ignore = "needs apache2-bin: run with --include-ignored (.ci/run does)"]
fn uploads_to_apache_are_answered() {
    let server = Server::start(Kind::Apache, Setup::default());
    let (client, trace) = observed(Client::builder());
    let url = server.url("/protected-reflect");
    let post = |body: SendBody<'_>| {
        let response = client.post(&url).digest_auth("me", "secret").body(body).send().expect("a response");
        assert_eq!(response.status(), 200);
        response.text().expect("a text")
    };
    // The stream waits for its 401, whose connection is closed: the announced body does not follow.
    assert_eq!(post(SendBody::reader(&b"a stream"[..])), "a stream");
    assert_eq!(post("text".into()), "text");
    assert_eq!(post(SendBody::reader(&b"a stream"[..])), "a stream");
    assert_eq!((count(&trace, "response HTTP/1.1 401"), count(&trace, "connected")), (1, 2), "{:?}", trace.lines());
}

#[test]
#[ignore = "needs apache2-bin: run with --include-ignored (.ci/run does)"]
fn apaches_nonces_that_are_too_old_are_replaced() {
    let server = Server::start(Kind::Apache, Setup::default());
    let (client, trace) = observed(Client::builder());
    let url = server.url("/protected-briefly.txt");
    read(&client, &url, "me");
    thread::sleep(Duration::from_secs(3)); // its clock counts whole seconds
    read(&client, &url, "me");
    assert_eq!((count(&trace, "response HTTP/1.1 401"), count(&trace, "connected")), (2, 1), "{:?}", trace.lines());
    assert!(trace.whole().contains("with a new nonce"), "it says stale=true");
}

#[test]
#[ignore = "needs apache2-bin: run with --include-ignored (.ci/run does)"]
fn apaches_next_nonce_is_used() {
    let server = Server::start(Kind::Apache, Setup::default());
    let (client, trace) = observed(Client::builder());
    for _ in 0..4 {
        read(&client, &server.url("/protected-once.txt"), "me");
    }
    assert!(trace.whole().contains("nextnonce="), "it announces them");
    assert_eq!((count(&trace, "response HTTP/1.1 401"), count(&trace, "connected")), (1, 1), "{:?}", trace.lines());
}

#[test]
#[ignore = "needs apache2-bin, squid and tinyproxy-bin: run with --include-ignored (.ci/run does)"]
fn apache_is_answered_through_squid_and_tinyproxy() {
    let server = Server::start(Kind::Apache, Setup::default());
    for kind in [real_proxies::Kind::Squid, real_proxies::Kind::Tinyproxy] {
        let proxy = ProxyServer::start(kind);
        let proxy = Proxy::new(&format!("http://127.0.0.1:{}", proxy.port)).expect("a proxy");
        let (client, trace) = observed(Client::builder().proxy(proxy.basic_auth(USER, PASSWORD).expect("credentials")));
        for _ in 0..3 {
            read(&client, &server.url("/protected.txt?a=1,2"), "me");
        }
        assert_eq!(count(&trace, "response HTTP/1."), 4, "{kind:?} {:?}", trace.lines());
    }
}

#[test]
#[ignore = "needs curl: run with --include-ignored (.ci/run does)"]
fn curl_is_welcome_at_the_camera() {
    for (algorithm, qop, more) in [
        (Some("MD5"), Some("auth"), ""),
        (None, None, ""),
        (Some("MD5-sess"), Some("auth,auth-int"), ""),
        (Some("SHA-256"), Some("auth"), ""),
        (Some("SHA-256-sess"), Some("auth"), ""),
        (Some("SHA-256"), Some("auth"), ", charset=UTF-8, userhash=true"),
    ] {
        let camera = Camera::new(Wants { algorithm, qop, more, ..Wants::default() });
        let device = camera.clone();
        let peer = Peer::start(move |mut conn, _| {
            while let Some(request) = conn.request() {
                conn.send(match device.admit(&request.method, &request.target, request.header("authorization")) {
                    Ok(()) => answer("200 OK", "", "a picture"),
                    Err(challenge) => answer("401 Who", &format!("WWW-Authenticate: {challenge}\r\n"), "who?"),
                });
            }
        });
        let curl = Command::new("curl")
            .args(["--silent", "--digest", "--noproxy", "*", "--user", "admin:secret"])
            .arg(peer.url("/picture?a=1,2"))
            .output()
            .expect("curl");
        assert_eq!(String::from_utf8_lossy(&curl.stdout), "a picture", "{:?}", camera.complaints());
    }
}
