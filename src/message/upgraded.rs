//! A connection that was taken over after a 101 (RFC 9110 §7.8): a stream of bytes, no HTTP any more.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::net::transport::Stream;
use crate::net::transport::socket::OtherStream;

/// A connection that speaks another protocol after a 101 response.
///
/// Reads first give the bytes that arrived after the head. Dropping it closes the connection.
///
/// ```no_run
/// use std::io::Write;
///
/// let response = longwire::request(longwire::Method::GET, "http://example.com/chat")
///     .header("Upgrade", "websocket")
///     .header("Connection", "upgrade")
///     .send()?;
/// let mut stream = response.upgrade()?;
/// stream.write_all(b"hello in another protocol")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Upgraded {
    stream: OtherStream,
    arrived: Vec<u8>,
    used: usize,
}

impl Upgraded {
    /// `arrived`: what came on the stream after the head.
    pub(crate) fn new(stream: Box<dyn Stream>, arrived: Vec<u8>) -> Upgraded {
        Upgraded { stream: OtherStream::new(stream), arrived, used: 0 }
    }

    /// Returns the server's address, if it has one.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.stream.lock().peer_addr()
    }

    /// Sets how long a read and a write may block; `None`, the default, is without limit.
    ///
    /// # Errors
    /// A zero duration, and the errors of the system.
    pub fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.stream.set_timeouts(read, write)
    }

    /// Returns the stream, and the bytes that have arrived on it already.
    pub fn into_parts(mut self) -> (Box<dyn Stream>, Vec<u8>) {
        self.arrived.drain(..self.used);
        (self.stream.into_inner(), self.arrived)
    }
}

impl Read for Upgraded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let arrived = &self.arrived[self.used..];
        if arrived.is_empty() {
            return self.stream.get_mut().read(into);
        }
        let count = arrived.len().min(into.len());
        into[..count].copy_from_slice(&arrived[..count]);
        self.used += count;
        Ok(count)
    }
}

impl Write for Upgraded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.get_mut().write_nosignal(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.get_mut().flush()
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("peer_addr", &self.peer_addr()).finish()
    }
}
