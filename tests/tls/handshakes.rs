//! Handshakes that succeed: names, addresses, protocols, resumption, and what is reported.

use std::sync::{Arc, Mutex};

use longwire::rustls::ALL_VERSIONS;
use longwire::rustls::version::{TLS12, TLS13};
use longwire::{Client, ErrorKind, Event, Observer, Tls, TlsVersion};

use crate::certificates::{Authority, NAME};
use crate::session::{answering, serve};
use crate::support::peer::{Peer, ok};
use crate::{builder, client, text, url};

/// Records the handshakes that were reported: the version, and whether a session was resumed.
#[derive(Clone, Default)]
struct Handshakes(Arc<Mutex<Vec<(String, bool)>>>);

impl Observer for Handshakes {
    fn event(&self, event: &Event<'_>) {
        if let Event::Secured { version, cipher_suite, resumed, peer, .. } = event {
            assert!(cipher_suite.starts_with("TLS_") && peer.is_some(), "{event:?}");
            self.0.lock().expect("no test panics with it").push(((*version).to_owned(), *resumed));
        }
    }
}

/// Answers with the SNI and the ALPN protocol of the connection.
fn telling(authority: &Authority, names: &[&str]) -> Peer {
    let mut config = authority.issue(names, |_| {}).server_config(ALL_VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    serve(config, |session, _| {
        let name = session.tls.server_name().unwrap_or("none").to_owned();
        let protocol = session.tls.alpn_protocol().unwrap_or(b"none").escape_ascii().to_string();
        while session.request().is_some() {
            session.send(ok(&format!("{name} {protocol}")));
        }
    })
}

#[test]
fn a_name_is_sent_as_sni_and_http_1_1_is_agreed_on() {
    let authority = Authority::new("root");
    let peer = telling(&authority, &[NAME]);
    assert_eq!(text(&client(&authority, &peer), &url(&peer, "/")), "longwire.test http/1.1");
}

#[test]
fn a_dot_at_the_end_of_a_name_is_not_sent() {
    let authority = Authority::new("root");
    let peer = telling(&authority, &[NAME]);
    let dotted = format!("{NAME}.");
    let config = authority.client_config(ALL_VERSIONS);
    let client = Client::builder().tls(Tls::from_rustls(Arc::new(config))).resolve_to(&dotted, peer.addr()).build();
    let url = format!("https://{dotted}:{}/", peer.addr().port());
    assert_eq!(text(&client, &url), "longwire.test http/1.1");
}

#[test]
fn an_international_name_is_sent_in_its_ascii_form() {
    let authority = Authority::new("root");
    let peer = telling(&authority, &["xn--bcher-kva.test"]);
    let config = authority.client_config(ALL_VERSIONS);
    let client =
        Client::builder().tls(Tls::from_rustls(Arc::new(config))).resolve_to("xn--bcher-kva.test", peer.addr()).build();
    let url = format!("https://b\u{fc}cher.test:{}/", peer.addr().port());
    assert_eq!(text(&client, &url), "xn--bcher-kva.test http/1.1");
}

#[test]
fn an_address_is_not_sent_and_must_stand_in_the_certificate() {
    let authority = Authority::new("root");
    let peer = telling(&authority, &["127.0.0.1"]);
    let own = client(&authority, &peer);
    let by_address = format!("https://{}/", peer.addr());
    assert_eq!(text(&own, &by_address), "none http/1.1");

    let other = telling(&authority, &["127.0.0.2"]);
    let error = own.get(format!("https://{}/", other.addr())).send().expect_err("another address");
    assert!(error.to_string().contains("the server's certificate is for another name"), "{error}");
}

#[test]
fn both_versions_are_spoken() {
    let authority = Authority::new("root");
    for (version, name) in [(&TLS12, "TLSv1.2"), (&TLS13, "TLSv1.3")] {
        let peer = answering(authority.identity().server_config(&[version]), ok("hello"));
        let reported = Handshakes::default();
        let client = builder(authority.client_config(ALL_VERSIONS), &peer).observer(reported.clone()).build();
        for exchange in 1..=3 {
            let response = client.get(url(&peer, "/")).send().expect("an answer");
            assert_eq!(response.connection().nth(), exchange);
            assert_eq!(response.connection().local_addr().map(|address| address.ip()), Some(peer.addr().ip()));
            assert_eq!(response.connection().peer_addr(), Some(peer.addr()));
            assert_eq!(response.timings().tls.is_zero(), exchange > 1);
            assert_eq!(response.text().expect("a body"), "hello");
        }
        assert_eq!(reported.0.lock().expect("unbroken").as_slice(), [(name.to_owned(), false)]);
    }
}

/// The tickets that a server of TLS 1.3 sends unasked are no stray bytes.
#[test]
fn connections_that_were_opened_ahead_have_their_handshake_behind_them() {
    let authority = Authority::new("root");
    for version in [&TLS12, &TLS13] {
        let peer = answering(authority.identity().server_config(&[version]), ok("hello"));
        let client = client(&authority, &peer);
        assert_eq!(client.connect_ahead(url(&peer, "/"), 2).expect("connections"), 2);
        let responses = [0; 2].map(|_| client.get(url(&peer, "/")).send().expect("an answer"));
        for response in responses {
            assert!(response.connection().reused() && response.timings().tls.is_zero(), "{response:?}");
        }
        assert_eq!(peer.connections(), 2);
    }
}

#[test]
fn sessions_are_resumed_across_the_connections_of_a_client() {
    let authority = Authority::new("root");
    for version in [&TLS12, &TLS13] {
        let peer =
            answering(authority.identity().server_config(&[version]), "HTTP/1.1 204 No\r\nConnection: close\r\n\r\n");
        let reported = Handshakes::default();
        let client = builder(authority.client_config(ALL_VERSIONS), &peer).observer(reported.clone()).build();
        for _ in 0..3 {
            client.get(url(&peer, "/")).send().expect("an answer");
        }
        let resumed: Vec<bool> = reported.0.lock().expect("unbroken").iter().map(|(_, resumed)| *resumed).collect();
        assert_eq!(resumed, [false, true, true], "{version:?}");
    }
}

// ── Together with http ─────────────────────────────────────────────────────────────────────────────

#[test]
fn a_redirect_leads_from_http_to_https_and_never_back_unasked() {
    let authority = Authority::new("root");
    let plain = Peer::answering(ok("in the clear"));
    let down = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", plain.url("/"));
    let secure = serve(authority.identity().server_config(ALL_VERSIONS), move |session, _| {
        while let Some(request) = session.request() {
            session.send(if request.starts_with("GET /down ") { down.clone() } else { ok("over TLS") });
        }
    });
    let up = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", url(&secure, "/"));
    let first = Peer::answering(up);

    let builder = || builder(authority.client_config(ALL_VERSIONS), &secure);
    let client = builder().build();
    assert_eq!(text(&client, &first.url("/")), "over TLS");
    let error = client.get(url(&secure, "/down")).send().expect_err("it leads out of TLS");
    assert_eq!(error.kind(), ErrorKind::Redirect, "{error}");
    assert_eq!(plain.connections(), 0);
    let client = builder().allow_https_downgrade(true).build();
    assert_eq!(text(&client, &url(&secure, "/down")), "in the clear");
}

/// One host and port, two schemes: connections of the one are nothing for the other.
#[test]
fn the_pool_keeps_the_schemes_apart() {
    let authority = Authority::new("root");
    let peer = answering(authority.identity().server_config(ALL_VERSIONS), ok("over TLS"));
    let client = client(&authority, &peer);
    assert_eq!(text(&client, &url(&peer, "/")), "over TLS");
    assert_eq!(client.pool_stats().idle, 1);
    let plain = url(&peer, "/").replace("https:", "http:");
    client.get(plain).send().expect_err("the server speaks TLS alone");
    assert_eq!((peer.connections(), client.pool_stats().reused), (2, 0));
}

// ── What a response reports of it ───────────────────────────────────────────────────────────────

#[test]
fn the_outcome_of_the_handshake_is_on_every_response_of_its_connection() {
    let authority = Authority::new("root");
    let identity = authority.intermediate("middle").identity();
    let sent: Vec<Vec<u8>> = identity.chain.iter().map(|certificate| certificate.to_vec()).collect();
    for (version, named, suites) in
        [(&TLS12, TlsVersion::Tls12, "TLS_ECDHE_ECDSA_WITH_"), (&TLS13, TlsVersion::Tls13, "TLS_AES_")]
    {
        let mut config = identity.server_config(&[version]);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let peer = answering(config, ok("hello"));
        let client = builder(authority.client_config(ALL_VERSIONS), &peer).build();
        for connection in 0..2 {
            for exchange in 1..=2 {
                let response = client.get(url(&peer, "/")).send().expect("an answer");
                let info = response.connection().clone();
                assert_eq!((info.nth(), response.text().expect("a body").as_str()), (exchange, "hello"));
                let tls = info.tls().expect("TLS");
                assert_eq!(
                    (tls.version(), tls.protocol(), tls.is_resumed()),
                    (named, Some("http/1.1"), connection > 0)
                );
                assert!(tls.cipher_suite().starts_with(suites), "{tls:?}");
                assert_eq!(tls.peer_certificates(), sent);
            }
            client.close_idle();
        }
    }
}

#[test]
fn a_protocol_that_the_server_did_not_choose_is_not_reported() {
    let authority = Authority::new("root");
    let peer = answering(authority.identity().server_config(ALL_VERSIONS), ok("hello"));
    let response = client(&authority, &peer).get(url(&peer, "/")).send().expect("an answer");
    assert_eq!(response.connection().tls().expect("TLS").protocol(), None);
}

#[test]
fn without_tls_there_is_no_outcome() {
    let peer = Peer::answering(ok("in the clear"));
    let response = Client::new().get(peer.url("/")).send().expect("an answer");
    assert!(response.connection().tls().is_none());
}
