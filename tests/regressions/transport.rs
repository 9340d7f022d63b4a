//! Transports that hold back, or lie.

use std::io::{ErrorKind as IoKind, Read};
use std::sync::{Arc, Mutex};

use longwire::{CancelToken, Client, ErrorKind, Fate};

use crate::support::peer::{Peer, ok};
use crate::{Double, URL, copy, over};

/// A transport that holds back what is written until it is flushed, and of two flushes blocks in
/// the first; what has left.
fn holding_back() -> (Client, Arc<Mutex<Vec<u8>>>) {
    let left = Arc::new(Mutex::new(Vec::new()));
    let leaving = left.clone();
    let client = over(move || {
        let held = Arc::new(Mutex::new(Vec::new()));
        let (taken, leaving) = (held.clone(), leaving.clone());
        let mut flushes = 0;
        let mut double = Double::giving([ok("fine")]);
        double.writes = Box::new(move |bytes| {
            let count = bytes.len().min(10_000);
            taken.lock().unwrap().extend_from_slice(&bytes[..count]);
            Ok(count)
        });
        double.flushes = Box::new(move || {
            flushes += 1;
            if flushes % 2 == 1 {
                return Err(IoKind::WouldBlock.into());
            }
            leaving.lock().unwrap().append(&mut held.lock().unwrap());
            Ok(())
        });
        double
    });
    (client, left)
}

#[test]
fn what_was_written_is_not_written_again_because_the_flush_would_block() {
    for body in [b"hello".to_vec(), b"0123456789".repeat(30_000)] {
        let (client, left) = holding_back();
        let response = client.post(URL).body(body.as_slice()).send().unwrap();
        assert_eq!(response.text().unwrap(), "fine");
        let left = left.lock().unwrap();
        let end = left.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        assert!(left.starts_with(b"POST / HTTP/1.1\r\n"));
        assert!(left[end..] == body, "of {} bytes {} have left", body.len(), left.len() - end);
    }
}

#[test]
fn a_transport_that_claims_more_than_it_was_given_is_an_error() {
    let reads = over(|| Double::new(|buffer| Ok(buffer.len() + 1)));
    assert_eq!(reads.get(URL).send().unwrap_err().kind(), ErrorKind::Io);

    let writes = over(|| {
        let mut double = Double::new(|_| Ok(0));
        double.writes = Box::new(|bytes| Ok(bytes.len() + 1));
        double
    });
    assert_eq!(writes.get(URL).send().unwrap_err().kind(), ErrorKind::Io);

    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
    let body = over(move || {
        let mut is_head = true;
        Double::new(move |buffer| match std::mem::take(&mut is_head) {
            true => Ok(copy(head.as_bytes(), buffer)),
            false => Ok(buffer.len() + 1),
        })
    });
    assert_eq!(body.get(URL).send().unwrap().bytes().unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(body.get(URL).send().unwrap().read(&mut [0; 10_000]).unwrap_err().kind(), IoKind::Other);

    let tries = over(move || Double::giving([head]).trying(|buffer| Ok(buffer.len() + 1)));
    drop(tries.get(URL).send().unwrap()); // looks for the rest of the body
    assert_eq!((tries.pool_stats().idle, tries.pool_stats().in_use), (0, 0));
}

#[test]
fn a_connection_that_was_cancelled_is_not_handed_out_by_an_upgrade() {
    let peer = Peer::answering("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    let (client, token) = (Client::new(), CancelToken::new());
    let request = client.get(peer.url("/")).header("Connection", "upgrade").header("Upgrade", "x");
    let response = request.cancel_token(&token).send().unwrap();
    token.cancel();
    let error = response.upgrade().map(drop).unwrap_err();
    assert!(error.is_cancelled(), "{error:?}");
    assert_eq!(error.fate(), Fate::ResponseStarted);
}
