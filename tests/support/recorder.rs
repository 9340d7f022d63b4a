//! What arrives at a server over loopback.

use std::sync::{Arc, Mutex};

use longwire::{Client, Response, Result};

use super::peer::{Peer, Req, ok};

/// A peer that keeps the requests it was sent, and answers "x".
pub fn recorder() -> (Peer, Arc<Mutex<Vec<Req>>>) {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&requests);
    let peer = Peer::start(move |mut conn, _| {
        while let Some(request) = conn.request() {
            kept.lock().expect("no test panics with it").push(request);
            conn.send(ok("x"));
        }
    });
    (peer, requests)
}

/// What arrives at the peer when this is sent.
#[track_caller]
pub fn arriving(send: impl FnOnce(&Client, &str) -> Result<Response>) -> Req {
    let (peer, requests) = recorder();
    let client = super::uncoded().build();
    let response = send(&client, &peer.url("/path")).expect("a response");
    assert_eq!(response.text().expect("a body"), "x");
    let mut requests = requests.lock().expect("no test panics with it");
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}
