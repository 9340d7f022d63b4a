//! https: the client over TLS, against servers whose certificates and records each test makes
//! itself. The settings of `Tls` are tried in `tls/settings.rs`; handshakes that succeed in
//! `tls/handshakes.rs`, that fail in `tls/failures.rs`, and that refuse a certificate in
//! `tls/refusals.rs`; the stream after a handshake in `tls/streams.rs`, over a connector's in
//! `tls/connectors.rs`, through proxies in `tls/proxies.rs`; nginx and OpenSSL in `tls/servers.rs`.

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
#[path = "tls/settings.rs"]
mod settings;
#[path = "tls/streams.rs"]
mod streams;
mod support;

use std::sync::Arc;

use certificates::{Authority, NAME};
use longwire::rustls::{ALL_VERSIONS, ClientConfig};
use longwire::{Client, ClientBuilder, Tls};
use support::peer::Peer;

/// A client that trusts the authority and finds [`NAME`] at the peer.
fn client(authority: &Authority, peer: &Peer) -> Client {
    builder(authority.client_config(ALL_VERSIONS), peer).build()
}

fn builder(config: ClientConfig, peer: &Peer) -> ClientBuilder {
    Client::builder().tls(Tls::from_rustls(Arc::new(config))).resolve_to(NAME, peer.addr())
}

fn url(peer: &Peer, path: &str) -> String {
    format!("https://{NAME}:{}{path}", peer.addr().port())
}

fn text(client: &Client, url: &str) -> String {
    client.get(url).send().expect("a response").text().expect("a body")
}

const CHILD_VARIABLE: &str = "LONGWIRE_TEST_CHILD";

/// Returns whether this process was started by [`run_child`].
fn is_child() -> bool {
    std::env::var_os(CHILD_VARIABLE).is_some()
}

/// Runs one test of this program in a child process, with these variables in its environment.
#[track_caller]
fn run_child(test: &str, variables: &[(&str, &str)]) {
    let child = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", test])
        .env_remove("SSL_CERT_DIR")
        .env(CHILD_VARIABLE, "")
        .envs(variables.iter().copied())
        .output()
        .expect("this program runs");
    let stdout = String::from_utf8_lossy(&child.stdout);
    let stderr = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && stdout.contains("1 passed"), "{stdout}{stderr}");
}

/// Bytes that show where they stand: no shift by the size of a buffer or a record goes unseen.
fn pattern(bytes: usize) -> Vec<u8> {
    const PERIOD: u64 = 65_521; // a prime

    let period: Vec<u8> = (0..PERIOD).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    let mut bytes_of_it = period.repeat(bytes.div_ceil(period.len()));
    bytes_of_it.truncate(bytes);
    bytes_of_it
}
