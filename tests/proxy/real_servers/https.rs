//! https through the real proxies, and Squid spoken to through TLS itself.

use std::fs;
use std::sync::Arc;

use longwire::rustls::ALL_VERSIONS;
use longwire::{Client, ErrorKind, Fate, Proxy, SendBody, Stage, Tls};

use super::{LIMIT, UPLOAD_BYTES, assert_refused, started};
use crate::certificates::Authority;
use crate::real_proxies::{FORBIDDEN, Kind, PASSWORD, ProxyServer, USER};
use crate::servers::{Site, checks_of, free_port};
use crate::support::peer::{Peer, Refusing, ok};

checks_of!(
    squid,
    super::Kind::Squid,
    "needs squid: run with --include-ignored (.ci/run does)",
    [a_tunnel_carries_https, a_wrong_certificate_is_seen_through_it, a_tunnel_for_https_that_it_refuses_is_reported]
);

checks_of!(
    tinyproxy,
    super::Kind::Tinyproxy,
    "needs tinyproxy-bin: run with --include-ignored (.ci/run does)",
    [a_tunnel_carries_https, a_wrong_certificate_is_seen_through_it, a_tunnel_for_https_that_it_refuses_is_reported]
);

checks_of!(
    dante,
    super::Kind::Dante,
    "needs dante-server: run with --include-ignored (.ci/run does)",
    [a_tunnel_carries_https, a_wrong_certificate_is_seen_through_it]
);

/// A client that trusts that authority.
fn by(proxy: Proxy, authority: &Authority) -> Client {
    let config = Arc::new(authority.client_config(ALL_VERSIONS));
    Client::builder().timeout(LIMIT).tls(Tls::from_rustls(config)).proxy(proxy).build()
}

/// The server behind the proxy, at `localhost`: gives back what it is sent.
fn server(authority: &Authority) -> Peer {
    let config = authority.issue(&["localhost"], |_| {}).server_config(ALL_VERSIONS);
    crate::session::serve(config, |session, _| {
        while let Some(request) = session.request() {
            let (head, body) = request.split_once("\r\n\r\n").expect("a head");
            assert!(head.starts_with("POST / ") && !head.to_lowercase().contains("proxy"), "{head}");
            session.send(ok(body));
        }
    })
}

fn url(peer: &Peer) -> String {
    format!("https://localhost:{}/", peer.addr().port())
}

/// Several exchanges on one connection, with more than the buffers on the way take.
#[track_caller]
fn assert_echoes(client: &Client, server: &Peer) {
    let large: String = (0..UPLOAD_BYTES).map(|at| char::from(b'a' + (at % 251 % 26) as u8)).collect();
    for (exchange, body) in [(1, "hello"), (2, &large), (3, "again")] {
        let sized = SendBody::sized_reader(body.as_bytes(), body.len() as u64);
        let response = client.post(url(server)).body(sized).send().expect("a response");
        assert_eq!(response.connection().nth(), exchange);
        assert!(response.text().expect("a body") == body, "exchange {exchange}");
    }
    assert_eq!(server.connections(), 1);
}

fn a_tunnel_carries_https(kind: Kind) {
    let (_proxy, proxy) = started(kind);
    let authority = Authority::new("root");
    assert_echoes(&by(proxy, &authority), &server(&authority));
}

fn a_wrong_certificate_is_seen_through_it(kind: Kind) {
    let (_proxy, proxy) = started(kind);
    let server = server(&Authority::new("stranger"));
    let error = by(proxy, &Authority::new("root")).post(url(&server)).send().expect_err("a stranger");
    assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Tls, Stage::Tls, Fate::NotSent), "{error}");
    assert!(error.to_string().contains("TLS handshake with localhost: "), "{error}");
    assert!(server.request_lines().is_empty());
}

fn a_tunnel_for_https_that_it_refuses_is_reported(kind: Kind) {
    let (_proxy, proxy) = started(kind);
    let client = by(proxy, &Authority::new("root"));
    assert_refused(&client, &format!("https://{FORBIDDEN}/"), &[403]);
    assert_refused(&client, &format!("https://{}/", Refusing::start().addr()), &[500, 502, 503, 504]);
}

#[test]
#[ignore = "needs squid: run with --include-ignored (.ci/run does)"]
fn squid_behind_tls_is_asked_for_http_and_for_tunnels() {
    let authority = Authority::new("root");
    let (site, own) = (Site::create(0), authority.issue(&["localhost"], |_| {}));
    let certificate = site.dir.join("proxy.pem");
    fs::write(&certificate, own.pem + &own.key_pem).expect("a file");
    let mut port = 0;
    let _squid = ProxyServer::start_with(Kind::Squid, || {
        port = free_port();
        format!("https_port 127.0.0.1:{port} tls-cert={}\n", certificate.display())
    });
    let proxy = Proxy::new(&format!("https://localhost:{port}")).expect("a proxy");
    let proxy = proxy.basic_auth(USER, PASSWORD).expect("credentials");
    let client = by(proxy.clone(), &authority);
    let plain = super::server();
    for exchange in 1..=2 {
        let response = client.get(plain.url("/a?b")).send().expect("a response");
        assert_eq!((response.connection().nth(), response.header("x-target")), (exchange, Some("/a?b")));
        response.bytes().expect("a body");
    }
    assert_echoes(&client, &server(&authority));
    let error = by(proxy, &Authority::new("stranger")).get(plain.url("/")).send().expect_err("it is not trusted");
    let words = format!("the proxy https://localhost:{port}: TLS handshake with localhost: ");
    assert!(error.kind() == ErrorKind::Tls && error.to_string().contains(&words), "{error}");
}
