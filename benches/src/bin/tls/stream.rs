//! rustls over a socket in the plainest way; the server speaks on it, and the bare loop.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{fs, net};

use longwire::rustls::pki_types::ServerName;
use longwire::rustls::{ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection, StreamOwned};
use longwire_benches::server::{self, Accept};

use crate::identity;
use crate::works::WITH_TICKETS;

/// As many as rustls gives by default.
const TICKETS: usize = 2;

/// A stream that says goodbye when it is dropped (RFC 8446 §6.1).
pub struct Secured<C: Goodbye>(StreamOwned<C, TcpStream>);

pub trait Goodbye {
    fn goodbye(&mut self, socket: &mut TcpStream) -> io::Result<usize>;
}

impl Goodbye for ClientConnection {
    fn goodbye(&mut self, socket: &mut TcpStream) -> io::Result<usize> {
        self.send_close_notify();
        self.write_tls(socket)
    }
}

impl Goodbye for ServerConnection {
    fn goodbye(&mut self, socket: &mut TcpStream) -> io::Result<usize> {
        self.send_close_notify();
        self.write_tls(socket)
    }
}

impl<C: Goodbye> Drop for Secured<C> {
    fn drop(&mut self) {
        let _ = self.0.conn.goodbye(&mut self.0.sock);
    }
}

impl<C: Goodbye> Read for Secured<C>
where
    StreamOwned<C, TcpStream>: Read,
{
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl<C: Goodbye> Write for Secured<C>
where
    StreamOwned<C, TcpStream>: Write,
{
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What the bare loop speaks on. The first write does the handshake.
pub fn connect(config: &Arc<ClientConfig>, socket: TcpStream) -> io::Result<Secured<ClientConnection>> {
    let name = ServerName::from(net::IpAddr::from([127, 0, 0, 1]));
    let connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    Ok(Secured(StreamOwned::new(connection, socket)))
}

/// The server's side. It counts the handshakes, because not every client tells.
struct Server {
    config: Arc<ServerConfig>,
    full: AtomicUsize,
    resumed: AtomicUsize,
}

impl Accept for Server {
    type Stream = Secured<ServerConnection>;

    fn accept(&self, mut socket: TcpStream) -> io::Result<Self::Stream> {
        let mut connection = ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        let is_resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        let count = if is_resumed { &self.resumed } else { &self.full };
        count.fetch_add(1, Relaxed);
        Ok(Secured(StreamOwned::new(connection, socket)))
    }

    /// Full and resumed handshakes since the last time.
    fn tally(&self) -> String {
        format!("{} {}", self.full.swap(0, Relaxed), self.resumed.swap(0, Relaxed))
    }
}

/// Serves until standard input ends.
pub fn serve(kind: &str) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let root = identity::root_file(listener.local_addr()?.port())?;
    let (config, root_pem) = identity::new_server(if kind == WITH_TICKETS { TICKETS } else { 0 });
    fs::write(&root, root_pem)?;
    let served = server::run(
        listener,
        Server { config: Arc::new(config), full: AtomicUsize::new(0), resumed: AtomicUsize::new(0) },
        server::answers(),
    );
    fs::remove_file(&root)?;
    served
}
