//! After `fork()`, over TLS: what a child closes is a copy, and no close_notify goes out for it.

use longwire::rustls::version::{TLS12, TLS13};
use longwire::{Client, Roots, Tls};

use crate::certificates::{Authority, NAME};
use crate::forked::{self, LARGE_BYTES};
use crate::session::serve;
use crate::support::peer::ok;

const ROOT_VARIABLE: &str = "LONGWIRE_TEST_FORK_ROOT";

/// The parent's client, which trusts the root of its environment.
fn client(url: &str) -> Client {
    let root = std::env::var(ROOT_VARIABLE).expect("it was given with the URL");
    let port = url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    Client::builder()
        .tls(Tls::new().roots(Roots::None).add_root(root).expect("a certificate"))
        .resolve_to(NAME, ([127, 0, 0, 1], port).into())
        .build()
}

#[test]
fn a_child_costs_its_parent_no_connection_and_no_byte() {
    if let Some(url) = forked::url() {
        return forked::run_parent(client(&url), &url);
    }
    let authority = Authority::new("root");
    for version in [&TLS12, &TLS13] {
        let peer = serve(authority.identity().server_config(&[version]), |session, _| {
            while let Some(request) = session.request() {
                match request.split(' ').nth(1).expect("a target") {
                    "/large" => session.send(ok(&"x".repeat(LARGE_BYTES))),
                    path => session.send(ok(path)),
                };
            }
            session.note_end();
        });
        let test = "fork::a_child_costs_its_parent_no_connection_and_no_byte";
        forked::start_parent(test, &crate::url(&peer, ""), &[(ROOT_VARIABLE, authority.root_pem())]);
        assert_eq!(peer.connections(), 3, "the parent's, and one of each child that asks");
        for connection in 0..2 {
            assert!(peer.noted(connection, "goodbye"), "whoever did the handshake ends with a close_notify");
        }
    }
}
