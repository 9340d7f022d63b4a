//! https: the client over TLS, against servers whose certificates and records each test makes
//! itself. What must come of a handshake that fails is in `tls/failures.rs`, where a certificate is
//! refused in `tls/refusals.rs`, of one that succeeds in `tls/handshakes.rs`; the stream behind it in `tls/streams.rs`, and over a connector's in
//! `tls/connectors.rs`; nginx and OpenSSL in `tls/servers.rs`.

#[path = "tls/certificates.rs"]
mod certificates;
#[path = "tls/connectors.rs"]
mod connectors;
#[path = "tls/failures.rs"]
mod failures;
#[cfg(target_os = "linux")]
#[path = "tls/fork.rs"]
mod fork;
#[cfg(target_os = "linux")]
#[path = "support/forked.rs"]
mod forked;
#[path = "tls/handshakes.rs"]
mod handshakes;
#[path = "tls/proxies.rs"]
mod proxies;
#[path = "tls/refusals.rs"]
mod refusals;
#[path = "tls/servers.rs"]
mod servers;
#[path = "tls/session.rs"]
mod session;
#[path = "tls/streams.rs"]
mod streams;
mod support;

use std::sync::Arc;

use certificates::{Authority, NAME};
use longwire::rustls::{ALL_VERSIONS, ClientConfig};
use longwire::{Client, ClientBuilder};
use support::peer::Peer;

/// A client that trusts the authority and finds [`NAME`] at the peer.
fn client(authority: &Authority, peer: &Peer) -> Client {
    builder(authority.client_config(ALL_VERSIONS), peer).build()
}

fn builder(config: ClientConfig, peer: &Peer) -> ClientBuilder {
    Client::builder().tls_config(Arc::new(config)).resolve_to(NAME, peer.addr())
}

fn url(peer: &Peer, path: &str) -> String {
    format!("https://{NAME}:{}{path}", peer.addr().port())
}

fn text(client: &Client, url: &str) -> String {
    client.get(url).send().expect("a response").text().expect("a body")
}

/// Bytes that show where they stand: no shift by the size of a buffer or a record goes unseen.
fn pattern(bytes: usize) -> Vec<u8> {
    const PERIOD: u64 = 65_521; // a prime

    let period: Vec<u8> = (0..PERIOD).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    let mut bytes_of_it = period.repeat(bytes.div_ceil(period.len()));
    bytes_of_it.truncate(bytes);
    bytes_of_it
}
