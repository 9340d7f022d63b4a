//! The socket under a connection: plain TCP, or a custom stream. TLS over it is not known here, but
//! that a stream may say it needs none.

pub(crate) mod unix;
mod windows;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::{fd::OwnedFd, unix::net::UnixStream};
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::net::cancel::{CancelToken, Hook};
use crate::net::deadline::Deadline;

/// A byte stream to a server: what a [`Connect`] of your own gives.
///
/// `Read` and `Write` block, for at most the limits of [`set_timeouts`](Stream::set_timeouts);
/// when such a limit passes they fail with `WouldBlock` (or `TimedOut`, unless that is what the
/// system said of a dead connection), and longwire looks at its own clock and comes again: bytes
/// that were taken must not be lost by it. An [`Error`](crate::Error) inside an [`io::Error`] comes
/// out as what it is. `flush` is called before an answer is waited for.
/// Dropping the stream closes it, without waiting.
///
/// It is implemented for [`TcpStream`] and, on Unix, for `UnixStream`, so a connector that only
/// tunes sockets hands those out. (On Windows a socket's own timeouts do lose bytes. One that is
/// handed out as it is is read and written without them; a stream that wraps one must see to that.)
///
/// ```
/// use longwire::transport::Stream;
/// use std::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut stream: Box<dyn Stream> = Box::new(TcpStream::connect(listener.local_addr()?)?);
/// let silent = stream.try_read(&mut [0; 1]).unwrap_err();
/// assert_eq!(silent.kind(), std::io::ErrorKind::WouldBlock);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Stream: Read + Write + Send + Sync {
    /// Reads what has arrived, without waiting: `WouldBlock` if that is nothing, `Ok(0)` if the
    /// peer has closed. Bytes that belong to the transport (TLS tickets) are no bytes.
    fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes as [`Write::write`] does, without raising SIGPIPE where the peer has closed: what the
    /// client calls in its place. That signal ends a process that does not ignore it, as Rust's
    /// programs do and those that link a Rust library may not.
    ///
    /// By default it is `write`. A stream around another should pass it on, above all around a
    /// `UnixStream`: std's `write` to that raises the signal on Rust 1.85 and for some versions after
    /// (rust-lang/rust#140005), so for it this is a write to a clone that std takes for a TCP socket, at
    /// two system calls more.
    ///
    /// # Errors
    /// As `write`; `BrokenPipe` in the signal's place.
    fn write_nosignal(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write(buf)
    }

    /// How long a read and a write may block; `None` is for ever. Never zero.
    fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()>;

    /// What makes a blocked read or write on another thread return at once, for
    /// [`CancelToken`]. `None` where there is no such thing: then reads are cut into short ones.
    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>>;

    /// The address on the other end, if it has one.
    fn peer_addr(&self) -> Option<SocketAddr>;

    /// The address on this end, if it has one; none by default.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// Whether the last read, if it gave fewer bytes than it had room for, left nothing behind
    /// that had arrived by then. A stream that cannot tell says no, as is the default: then the
    /// connection is looked at before it is used for another request.
    fn is_drained(&self) -> bool {
        false
    }

    /// Whether a part of a record has arrived, and its rest has not: for a stream that reads records
    /// (TLS). Such a connection is not used for another request, since nobody has asked for what
    /// is in that record. No by default.
    fn has_partial_record(&self) -> bool {
        false
    }

    /// How many bytes have gone on to the peer so far, for a stream that may hold back what it was
    /// given (TLS). As long as they become more the peer is taking, however slowly, and
    /// `write_timeout` does not pass. 0 by default.
    fn bytes_flushed(&self) -> u64 {
        0
    }

    /// Returns whether what is written can be read by the target of [`Connect::connect`] alone, so that
    /// an `https` URL may be asked for on the stream as it is. False by default: then the client does
    /// TLS over it, with the features `tls` and `tls-webpki-roots`, and without them fails with
    /// [`ErrorKind::UnsupportedScheme`](crate::ErrorKind::UnsupportedScheme).
    ///
    /// It is asked once, after the connect, and for `https` URLs only. A stream around another one has
    /// to pass the question on. TLS with a proxy on the way does not make a stream secure.
    fn is_secure(&self) -> bool {
        false
    }

    /// Tells the peer that nothing more comes, where the transport can; does nothing by default.
    ///
    /// # Errors
    /// Whatever the transport says; nobody minds.
    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Returns the TCP socket that this is, if it is no more: on Windows it is then not read and
    /// written through this trait, since its timeouts lose bytes.
    #[doc(hidden)]
    fn as_tcp(&self) -> Option<&TcpStream> {
        None
    }
}

/// Opens connections: put a bound or tuned socket, a tunnel, a TLS library or a test double under a
/// client.
///
/// TLS for `https` URLs is not its business: the client does it over the stream that comes, unless
/// that [is secure](Stream::is_secure) already.
///
/// ```
/// use longwire::transport::{Connect, Deadline, Stream, Target};
/// use longwire::{CancelToken, Client, Error, ErrorKind};
/// use std::net::TcpStream;
///
/// /// Every request goes to one address, whatever its URL says.
/// struct Pinned(std::net::SocketAddr);
///
/// impl Connect for Pinned {
///     fn connect(&self, _: &Target<'_>, deadline: Deadline, _: &CancelToken) -> longwire::Result<Box<dyn Stream>> {
///         let left = deadline.remaining().unwrap_or(std::time::Duration::from_secs(10));
///         let stream = TcpStream::connect_timeout(&self.0, left)
///             .map_err(|error| Error::from_io(ErrorKind::Connect, "pinned address", error))?;
///         Ok(Box::new(stream))
///     }
/// }
/// let client = Client::builder().connector(Pinned("127.0.0.1:8080".parse().unwrap())).build();
/// # drop(client);
/// ```
pub trait Connect: Send + Sync {
    /// Opens a stream to `target` before `deadline` passes, and gives up when `token` is
    /// cancelled. A stream that comes later than that is closed unused: the request fails with
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) or
    /// [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled).
    ///
    /// # Errors
    /// Of any kind; [`ErrorKind::Connect`](crate::ErrorKind::Connect) is usual. After a cancel and
    /// past the deadline it comes out as `Cancelled` and as `Timeout`, whatever it is.
    fn connect(&self, target: &Target<'_>, deadline: Deadline, token: &CancelToken) -> Result<Box<dyn Stream>>;
}

/// Where a connection shall lead.
///
/// ```
/// # use longwire::transport::Target;
/// fn name(target: &Target<'_>) -> String {
///     format!("{}:{}", target.host(), target.port())
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) is_https: bool,
}

impl<'a> Target<'a> {
    /// A name or an IP address; IPv6 without brackets.
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// The port, the scheme's default filled in.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns whether the URL's scheme is `https`: then the client does TLS over the stream, unless that
    /// [is secure](Stream::is_secure).
    pub fn is_https(&self) -> bool {
        self.is_https
    }
}

macro_rules! socket_stream {
    ($socket:ty, $write:expr, $inet:expr, $tcp:expr) => {
        impl Stream for $socket {
            fn write_nosignal(&mut self, buf: &[u8]) -> io::Result<usize> {
                $write(self, buf)
            }

            fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                without_waiting(|on| self.set_nonblocking(on), || (&*self).read(buf))
            }

            fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
                self.set_read_timeout(read)?;
                self.set_write_timeout(write)
            }

            fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
                let stream = self.try_clone().ok()?;
                Some(Box::new(move || drop(stream.shutdown(Shutdown::Both))))
            }

            fn peer_addr(&self) -> Option<SocketAddr> {
                $inet(self.peer_addr())
            }

            fn local_addr(&self) -> Option<SocketAddr> {
                $inet(self.local_addr())
            }

            fn is_drained(&self) -> bool {
                true
            }

            fn shutdown_write(&mut self) -> io::Result<()> {
                self.shutdown(Shutdown::Write)
            }

            fn as_tcp(&self) -> Option<&TcpStream> {
                $tcp(self)
            }
        }
    };
}

socket_stream!(TcpStream, TcpStream::write, |address: io::Result<SocketAddr>| address.ok(), Some);
#[cfg(unix)]
socket_stream!(UnixStream, write_to_unix_socket, |_| None, |_| None);

/// A unix socket that is written to without SIGPIPE. Std sends on its `TcpStream` with MSG_NOSIGNAL, and
/// the system does not ask of what family the socket is; its addresses are errors then.
#[cfg(unix)]
pub(crate) fn without_sigpipe(socket: UnixStream) -> TcpStream {
    TcpStream::from(OwnedFd::from(socket))
}

#[cfg(unix)]
fn write_to_unix_socket(socket: &mut UnixStream, bytes: &[u8]) -> io::Result<usize> {
    match socket.try_clone() {
        Ok(clone) => without_sigpipe(clone).write(bytes),
        Err(_) => socket.write(bytes), // no descriptors are left: as std does it
    }
}

/// One read or write in between switching a socket to non-blocking and back.
fn without_waiting(
    set_nonblocking: impl Fn(bool) -> io::Result<()>,
    once: impl FnOnce() -> io::Result<usize>,
) -> io::Result<usize> {
    set_nonblocking(true)?;
    let done = once();
    set_nonblocking(false)?;
    done
}

/// What a connection reads from and writes to. Plain TCP is not boxed.
pub(crate) enum Socket {
    /// Shared only with the hook of a [`CancelToken`]; and the address that it was opened to.
    Tcp(Arc<TcpStream>, SocketAddr),
    Other(Box<dyn Stream>),
}

impl Socket {
    #[inline]
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream, _) if cfg!(windows) => windows::read(stream, buf),
            Socket::Tcp(stream, _) => (&**stream).read(buf),
            Socket::Other(stream) => match stream.as_tcp() {
                Some(stream) if cfg!(windows) => windows::read(stream, buf),
                _ => plausible(stream.read(buf), buf.len()),
            },
        }
    }

    pub(crate) fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream, _) => without_waiting(|on| stream.set_nonblocking(on), || (&**stream).read(buf)),
            Socket::Other(stream) => plausible(stream.try_read(buf), buf.len()),
        }
    }

    /// Writes once. (Never in a gathering write: the standard library's raises SIGPIPE, which ends a
    /// program that does not ignore it.)
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream, _) if cfg!(windows) => windows::write(stream, bytes),
            Socket::Tcp(stream, _) => (&**stream).write(bytes),
            Socket::Other(stream) => match stream.as_tcp() {
                Some(stream) if cfg!(windows) => windows::write(stream, bytes),
                _ => plausible(stream.write_nosignal(bytes), bytes.len()),
            },
        }
    }

    /// Writes what can be written at once, on a connection that is about to be closed.
    #[cfg(feature = "__rustls")]
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        /// A stream of another kind can wait, but not without any time.
        const MOMENT: Option<Duration> = Some(Duration::from_millis(1));

        match self {
            Socket::Tcp(stream, _) => without_waiting(|on| stream.set_nonblocking(on), || (&**stream).write(bytes)),
            Socket::Other(stream) => {
                stream.set_timeouts(MOMENT, MOMENT)?;
                self.write(bytes)
            }
        }
    }

    /// Whether the last read, if it gave less than it had room for, left nothing behind.
    pub(crate) fn is_drained(&self) -> bool {
        match self {
            Socket::Tcp(..) => true,
            Socket::Other(stream) => stream.is_drained(),
        }
    }

    /// Whether a part of a record has come, and its rest has not.
    pub(crate) fn has_partial_record(&self) -> bool {
        match self {
            Socket::Tcp(..) => false,
            Socket::Other(stream) => stream.has_partial_record(),
        }
    }

    /// Of what the stream may hold back, how many bytes have gone on.
    #[inline]
    pub(crate) fn bytes_flushed(&self) -> u64 {
        match self {
            Socket::Tcp(..) => 0, // nothing is held back
            Socket::Other(stream) => stream.bytes_flushed(),
        }
    }

    /// Sees to it that what was written is on its way.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Tcp(..) => Ok(()), // nothing is held back
            Socket::Other(stream) => stream.flush(),
        }
    }

    /// Tells the peer that nothing more comes.
    pub(crate) fn shutdown_write(&mut self) {
        let _ = match self {
            Socket::Tcp(stream, _) => stream.shutdown(Shutdown::Write),
            Socket::Other(stream) => stream.shutdown_write(),
        }; // a connection that is gone needs none
    }

    /// Sets how long a read waits. A stream that sets both at once is told again what `write` is.
    pub(crate) fn set_read_timeout(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        match self {
            Socket::Tcp(stream, _) => stream.set_read_timeout(read),
            Socket::Other(stream) => stream.set_timeouts(read, write),
        }
    }

    /// Sets how long a write waits, in the same way.
    pub(crate) fn set_write_timeout(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        match self {
            Socket::Tcp(stream, _) => stream.set_write_timeout(write),
            Socket::Other(stream) => stream.set_timeouts(read, write),
        }
    }

    /// What a cancel does to it.
    pub(crate) fn shutdown_handle(&self) -> Option<Hook> {
        match self {
            Socket::Tcp(stream, _) => {
                let stream = stream.clone();
                Some(Box::new(move || drop(stream.shutdown(Shutdown::Both))))
            }
            Socket::Other(stream) => stream.shutdown_handle(),
        }
    }

    pub(crate) fn peer_addr(&self) -> Option<SocketAddr> {
        match self {
            Socket::Tcp(_, peer) => Some(*peer),
            Socket::Other(stream) => stream.peer_addr(),
        }
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Socket::Tcp(stream, _) => stream.local_addr().ok(),
            Socket::Other(stream) => stream.local_addr(),
        }
    }

    /// The stream alone, for whoever takes the connection over.
    pub(crate) fn into_stream(self) -> io::Result<Box<dyn Stream>> {
        match self {
            Socket::Tcp(stream, _) => Ok(Box::new(Arc::try_unwrap(stream).or_else(|shared| shared.try_clone())?)),
            Socket::Other(stream) => Ok(stream),
        }
    }
}

/// A stream of the user's own might claim more bytes than it was given room for.
fn plausible(count: io::Result<usize>, room: usize) -> io::Result<usize> {
    match count {
        Ok(count) if count > room => Err(io::Error::other("the stream claims more bytes than there was room for")),
        count => count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_socket_in_a_box_is_known_for_what_it_is() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream: Box<dyn Stream> = Box::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        assert_eq!(stream.as_tcp().unwrap().local_addr().ok(), stream.local_addr());
    }
}
