//! https over a connector's stream: TLS is put over it, as over a socket of our own.

use std::io::{self, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longwire::rustls::ALL_VERSIONS;
use longwire::transport::{Connect, Deadline, Stream, Target};
use longwire::{CancelToken, Client, ClientBuilder, CloseReason, Error, ErrorKind, Tls};

use crate::certificates::{Authority, NAME};
use crate::double::Trace;
use crate::session::{answering, serve};
use crate::support::peer::{Peer, ok};

const SECRET: &str = "s3cret";

/// Leads to one address, and keeps what is written on the way there.
#[derive(Clone)]
struct Tapped {
    to: SocketAddr,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Tapped {
    fn to(peer: &Peer) -> Tapped {
        Tapped { to: peer.addr(), written: Arc::default() }
    }

    fn client(&self, authority: &Authority) -> ClientBuilder {
        let config = Arc::new(authority.client_config(ALL_VERSIONS));
        Client::builder().tls(Tls::from_rustls(config)).connector(self.clone())
    }

    /// Nothing but TLS was written: its first record is a handshake's, and what is secret cannot be read.
    #[track_caller]
    fn assert_encrypted(&self) {
        let written = self.written.lock().expect("no test panics with it");
        assert!(written.starts_with(&[0x16, 3]), "{}", written[..20].escape_ascii());
        for word in [SECRET, "Authorization", "HTTP/1.1"] {
            assert!(!written.windows(word.len()).any(|part| part == word.as_bytes()), "{word} in clear text");
        }
    }
}

impl Connect for Tapped {
    fn connect(&self, target: &Target<'_>, _: Deadline, _: &CancelToken) -> longwire::Result<Box<dyn Stream>> {
        assert!(target.is_https());
        let stream = TcpStream::connect(self.to);
        let stream = stream.map_err(|error| Error::from_io(ErrorKind::Connect, "tapped", error))?;
        Ok(Box::new(Tap(stream, self.clone())))
    }
}

struct Tap(TcpStream, Tapped);

impl Read for Tap {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Tap {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.0.write(bytes)?;
        self.1.written.lock().expect("no test panics with it").extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn write_vectored(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        panic!("std's vectored write raises SIGPIPE on a socket (Unix), so the client never makes one")
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Stream for Tap {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }

    fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.0.set_timeouts(read, write)
    }

    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        self.0.shutdown_handle()
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        Stream::peer_addr(&self.0)
    }
}

#[test]
fn tls_is_put_over_a_connectors_stream() {
    let authority = Authority::new("root");
    let peer = serve(authority.identity().server_config(ALL_VERSIONS), |session, _| {
        while let Some(request) = session.request() {
            assert!(request.contains(&format!("Authorization: Bearer {SECRET}\r\n")), "{request}");
            session.send(ok("over TLS"));
        }
    });
    let (tapped, trace) = (Tapped::to(&peer), Trace::default());
    let client = tapped.client(&authority).observer(trace.clone()).build();
    for exchange in 1..=3 {
        let request = client.post(format!("https://{NAME}/")).bearer_auth(SECRET).body("x".repeat(40_000));
        let response = request.send().expect("an answer");
        assert_eq!(response.connection().nth(), exchange);
        assert_eq!(response.text().expect("a body"), "over TLS");
    }
    tapped.assert_encrypted();
    assert_eq!(trace.lines()[..3], ["connected", "secured", "request POST / HTTP/1.1"]);
}

#[test]
fn a_connectors_stream_to_a_stranger_is_closed_before_the_request() {
    let (authority, stranger) = (Authority::new("root"), Authority::new("stranger"));
    let peer = answering(stranger.identity().server_config(ALL_VERSIONS), ok("never read"));
    let (tapped, trace) = (Tapped::to(&peer), Trace::default());
    let client = tapped.client(&authority).observer(trace.clone()).build();
    let request = client.get(format!("https://{NAME}/")).bearer_auth(SECRET);
    let error = request.send().expect_err("the server is a stranger");
    assert_eq!((error.kind(), error.peer_addr()), (ErrorKind::Tls, Some(peer.addr())), "{error}");
    tapped.assert_encrypted();
    assert_eq!(trace.lines(), ["connected", "closed Failed"]);
    assert_eq!(client.pool_stats().closed.get(CloseReason::Failed), 1);
}

/// The reported case: a connector that only tunes the socket.
#[test]
fn a_bare_tcp_stream_is_enough_for_https() {
    struct NoDelay(SocketAddr);

    impl Connect for NoDelay {
        fn connect(&self, _: &Target<'_>, _: Deadline, _: &CancelToken) -> longwire::Result<Box<dyn Stream>> {
            let stream = TcpStream::connect(self.0).and_then(|stream| stream.set_nodelay(true).map(|()| stream));
            Ok(Box::new(stream.map_err(|error| Error::from_io(ErrorKind::Connect, "tuned", error))?))
        }
    }

    let authority = Authority::new("root");
    let peer = answering(authority.identity().server_config(ALL_VERSIONS), ok(&"x".repeat(100_000)));
    let config = Arc::new(authority.client_config(ALL_VERSIONS));
    let client = Client::builder().tls(Tls::from_rustls(config)).connector(NoDelay(peer.addr())).build();
    for _ in 0..2 {
        let response = client.get(format!("https://{NAME}/")).bearer_auth(SECRET).send().expect("an answer");
        assert_eq!(response.bytes().expect("a body").len(), 100_000);
    }
    assert_eq!(peer.connections(), 1);
}
