//! Timings with TLS: `ssl` is a part of `connect`.

use longwire::har::Recorder;
use longwire::rustls::ALL_VERSIONS;
use longwire::transport::Query;
use longwire::{Client, ErrorKind, Proxy, Tls};
use serde_json::json;

use crate::certificates::{Authority, NAME};
use crate::demands::entries;
use crate::session;
use crate::support::peer::{Peer, ok};
use crate::support::uncoded;

fn client(peer: &Peer, tls: Tls) -> (Client, Recorder) {
    let (recorder, address) = (Recorder::new(), peer.addr());
    let builder = uncoded().observer(recorder.clone()).no_proxy().tls(tls);
    (builder.resolver(move |_: &Query<'_>| Ok(vec![address])).build(), recorder)
}

#[test]
fn the_handshake_is_a_part_of_connecting_and_happens_once() {
    let authority = Authority::new("root");
    let peer = session::answering(authority.identity().server_config(ALL_VERSIONS), ok("x"));
    let (client, recorder) = client(&peer, authority.tls());
    for _ in 0..2 {
        client.get(format!("https://{NAME}/")).send().expect("a response").text().expect("a body");
    }
    let entries = entries(&recorder);
    assert_eq!(entries.len(), 2);
    let (first, second) = (&entries[0]["timings"], &entries[1]["timings"]);
    assert!(first["ssl"].as_f64() > Some(0.0) && first["ssl"].as_f64() <= first["connect"].as_f64(), "{first}");
    assert!(first["dns"].as_f64() >= Some(0.0), "{first}");
    for name in ["dns", "connect", "ssl"] {
        assert_eq!(second[name], json!(-1), "{second}");
    }
}

#[test]
fn a_handshake_that_fails_is_where_its_time_went() {
    let peer = session::answering(Authority::new("root").identity().server_config(ALL_VERSIONS), ok("x"));
    let (client, recorder) = client(&peer, Authority::new("another").tls());
    let error = client.get(format!("https://{NAME}/")).send().expect_err("it is not trusted");
    let entries = entries(&recorder);
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["response"]["_error"], error.to_string());
    assert!(entries[0]["timings"]["ssl"].as_f64() > Some(0.0), "{}", entries[0]);
    assert!(entries[0].get("comment").is_none() && entries[0]["connection"].is_string(), "{}", entries[0]);
}

/// A tunnel that is refused is no connection, whether the proxy is spoken to through TLS or not.
#[test]
fn a_tunnel_that_an_https_proxy_refuses_has_a_handshake_and_no_connection() {
    let authority = Authority::new("root");
    let refused = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    let proxy = session::answering(authority.identity().server_config(ALL_VERSIONS), refused);
    let recorder = Recorder::new();
    let way = Proxy::new(&format!("https://{NAME}:{}", proxy.addr().port())).expect("a proxy");
    let builder = uncoded().observer(recorder.clone()).resolve_to(NAME, proxy.addr()).tls(authority.tls());
    let error = builder.proxy(way).build().get("https://elsewhere.test/").send().expect_err("it is refused");
    assert_eq!(error.kind(), ErrorKind::Proxy, "{error}");
    let entries = entries(&recorder);
    let timings = &entries[0]["timings"];
    assert!(timings["ssl"].as_f64() > Some(0.0) && timings["ssl"].as_f64() < timings["connect"].as_f64(), "{timings}");
    assert!(entries[0].get("connection").is_none(), "{}", entries[0]);
    assert_eq!(entries[0]["serverIPAddress"], "127.0.0.1");
    assert!(recorder.waterfall().contains("1 exchange on 0 connections"));
}
