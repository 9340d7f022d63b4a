//! https over a connector's stream: TLS is put over it, as over a socket of our own.

use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use longwire::rustls::ALL_VERSIONS;
use longwire::transport::{Direct, Stream};
use longwire::{Client, ClientBuilder, CloseReason, Error, ErrorKind, Tls};

use crate::certificates::{Authority, NAME};
use crate::session::{answering, serve};
use crate::support::peer::{Peer, ok};
use crate::support::trace::Trace;
use crate::support::wrapped::{Wrapped, connector};

const SECRET: &str = "s3cret";

/// Leads to one address, and keeps what is written on the way there.
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
        let (to, written) = (self.to, self.written.clone());
        Client::builder().tls(Tls::from_rustls(config)).connector(connector(move |target, _, _| {
            assert!(target.is_https());
            let written = written.clone();
            Ok(Box::new(Wrapped::new(connected(to)?).on_write(move |stream, bytes| {
                let count = stream.write_nosignal(bytes)?;
                written.lock().expect("no test panics with it").extend_from_slice(&bytes[..count]);
                Ok(count)
            })))
        }))
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

fn connected(to: SocketAddr) -> longwire::Result<Box<dyn Stream>> {
    match TcpStream::connect(to).and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(Error::from_io(ErrorKind::Connect, "tuned", error)),
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
        let response = request.send().expect("a response");
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
    let authority = Authority::new("root");
    let peer = answering(authority.identity().server_config(ALL_VERSIONS), ok(&"x".repeat(100_000)));
    let (config, to) = (Arc::new(authority.client_config(ALL_VERSIONS)), peer.addr());
    let client =
        Client::builder().tls(Tls::from_rustls(config)).connector(connector(move |_, _, _| connected(to))).build();
    for _ in 0..2 {
        let response = client.get(format!("https://{NAME}/")).bearer_auth(SECRET).send().expect("a response");
        assert_eq!(response.bytes().expect("a body").len(), 100_000);
    }
    assert_eq!(peer.connections(), 1);
}

#[test]
fn the_clients_own_way_to_connect_does_tls_once() {
    let authority = Authority::new("root");
    let peer = answering(authority.identity().server_config(ALL_VERSIONS), ok("over TLS"));
    let tls = Tls::from_rustls(Arc::new(authority.client_config(ALL_VERSIONS)));
    let direct = Direct::with(Client::builder().tls(tls).resolve_to(NAME, peer.addr())).expect("valid settings");
    let client = Client::builder().connector(direct).build();
    for _ in 0..2 {
        let response = client.get(format!("https://{NAME}/")).bearer_auth(SECRET).send().expect("a response");
        assert_eq!(response.text().expect("text"), "over TLS");
    }
    assert_eq!(peer.connections(), 1);
}
