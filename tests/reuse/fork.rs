//! After `fork()`: the connections of a client are the parent's, whatever becomes of its copy.

use longwire::Client;

use super::forked::{self, LARGE_BYTES};
use super::support::peer::{Peer, ok};

#[test]
fn a_child_costs_its_parent_no_connection_and_no_byte() {
    if let Some(url) = forked::url() {
        return forked::run_parent(Client::new(), &url);
    }
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            match request.target.as_str() {
                "/large" => conn.send(ok(&"x".repeat(LARGE_BYTES))),
                path => conn.send(ok(path)),
            };
        }
    });
    forked::start_parent("fork::a_child_costs_its_parent_no_connection_and_no_byte", &peer.url(""), &[]);
    assert_eq!(peer.connections(), 3, "the parent's, and one of each child that asks");
}
