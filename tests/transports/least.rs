//! A stream that implements nothing but what `Stream` requires, around a real socket: connections are
//! reused, one that has died is noticed, and a cancel ends a read.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use longwire::transport::{Deadline, Stream, Target};
use longwire::{CancelToken, Client, CloseReason, Error, ErrorKind};

use super::support::peer::{Peer, ok};

struct Least(TcpStream);

impl Read for Least {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Least {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Stream for Least {
    fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.0.set_read_timeout(read)?;
        self.0.set_write_timeout(write)
    }
}

/// A client whose connector is a closure.
fn client(to: SocketAddr) -> Client {
    let connect = move |_: &Target<'_>, _: Deadline, _: &CancelToken| -> longwire::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(to).map_err(|error| Error::from_io(ErrorKind::Connect, "least", error))?;
        Ok(Box::new(Least(stream)))
    };
    Client::builder().connector(connect).build()
}

#[test]
fn its_connection_is_reused() {
    let peer = Peer::answering(ok("here"));
    let client = client(peer.addr());
    for _ in 0..3 {
        assert_eq!(client.get(peer.url("/")).send().expect("a response").text().expect("its body"), "here");
    }
    assert_eq!(peer.connections(), 1);
}

#[test]
fn a_server_that_has_closed_is_noticed_before_a_post() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send(ok("here")); // and closes
    });
    let client = client(peer.addr());
    for index in 0..2 {
        client.post(peer.url("/")).body("x").send().expect("a response").bytes().expect("its body");
        assert!(peer.has_closed(index), "the server closes");
    }
    assert_eq!(client.pool_stats().closed.get(CloseReason::PeerClosed), 1);
}

#[test]
fn a_cancel_ends_a_read_of_it() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.request(); // which never comes
    });
    let (token, started) = (CancelToken::new(), Instant::now());
    let cancel = thread::spawn({
        let token = token.clone();
        move || {
            token.wait(Duration::from_millis(50));
            token.cancel();
        }
    });
    let error = client(peer.addr()).get(peer.url("/")).cancel_token(&token).send().expect_err("it was cancelled");
    assert!(error.is_cancelled(), "{error}");
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    cancel.join().expect("no panic");
}
