//! The socket under a connection: plain TCP, or a boxed stream. Here is what differs between the two, and
//! between platforms; what the stream is, and how long it may block, is decided by its users.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
#[cfg(unix)]
use std::os::{fd::OwnedFd, unix::net::UnixStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::net::cancel::Hook;
use crate::net::transport::{Stream, windows};

/// What a connection reads from and writes to. Plain TCP is not boxed.
pub(crate) enum Socket {
    /// Shared only with the hook of a [`CancelToken`]; and the address of the peer.
    Tcp(Arc<TcpStream>, SocketAddr),
    Other(OtherStream),
}

impl Socket {
    pub(crate) fn other(stream: Box<dyn Stream>) -> Socket {
        Socket::Other(OtherStream::new(stream))
    }

    #[inline]
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream, _) if cfg!(windows) => windows::read(stream, buf),
            Socket::Tcp(stream, _) => (&**stream).read(buf),
            Socket::Other(stream) => stream.read(buf),
        }
    }

    /// Reads what has arrived, without waiting; a stream that cannot do that waits for a moment.
    pub(crate) fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream, _) => without_waiting(|on| stream.set_nonblocking(on), || (&**stream).read(buf)),
            Socket::Other(stream) => stream.try_read(buf),
        }
    }

    /// Appends what has arrived, without waiting: at most `count` bytes. The memory for them need not be
    /// zeroed, as only std can do it, and so a boxed stream cannot. If this is an error, bytes may have been
    /// appended before it. (In a blocking read to the end std would not return from interrupted calls.)
    pub(crate) fn append_arrived(&mut self, bytes: &mut Vec<u8>, count: u64) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream, _) => {
                without_waiting(|on| stream.set_nonblocking(on), || (&**stream).take(count).read_to_end(bytes))
            }
            Socket::Other(_) => Ok(0),
        }
    }

    /// Writes once. (Never in a vectored write: the standard library's raises SIGPIPE, which ends a
    /// program that does not ignore it.)
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream, _) if cfg!(windows) => windows::write(stream, bytes),
            Socket::Tcp(stream, _) => (&**stream).write(bytes),
            Socket::Other(stream) => stream.write(bytes),
        }
    }

    /// Writes what can be written at once, on a connection that is about to be closed.
    #[cfg(feature = "__rustls")]
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream, _) => without_waiting(|on| stream.set_nonblocking(on), || (&**stream).write(bytes)),
            Socket::Other(stream) => {
                stream.set_timeouts(MOMENT, MOMENT)?;
                stream.write(bytes)
            }
        }
    }

    /// Returns whether a read that gave less than it had room for has taken all that had arrived.
    pub(crate) fn is_drained(&self) -> bool {
        match self {
            Socket::Tcp(..) => true,
            Socket::Other(stream) => stream.lock().is_drained(),
        }
    }

    /// Returns whether an incomplete record has arrived.
    pub(crate) fn has_partial_record(&self) -> bool {
        match self {
            Socket::Tcp(..) => false,
            Socket::Other(stream) => stream.lock().has_partial_record(),
        }
    }

    /// Returns how many bytes a stream that buffers has sent on.
    #[inline]
    pub(crate) fn bytes_flushed(&self) -> u64 {
        match self {
            Socket::Tcp(..) => 0, // buffers nothing
            Socket::Other(stream) => stream.lock().bytes_flushed(),
        }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Tcp(..) => Ok(()), // buffers nothing
            Socket::Other(stream) => stream.get_mut().flush(),
        }
    }

    /// Sends the end of the stream. Its failure has no consequence: the connection may be gone already.
    pub(crate) fn shutdown_write(&mut self) {
        let _ = match self {
            Socket::Tcp(stream, _) => stream.shutdown(Shutdown::Write),
            Socket::Other(stream) => stream.get_mut().shutdown_write(),
        };
    }

    /// Sets how long a read may block. A stream that sets both limits at once is given `write` again.
    pub(crate) fn set_read_timeout(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        match self {
            Socket::Tcp(stream, _) => stream.set_read_timeout(read),
            Socket::Other(stream) => stream.set_timeouts(read, write),
        }
    }

    /// Sets how long a write may block, in the same way.
    pub(crate) fn set_write_timeout(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        match self {
            Socket::Tcp(stream, _) => stream.set_write_timeout(write),
            Socket::Other(stream) => stream.set_timeouts(read, write),
        }
    }

    /// Returns what a cancel does to it.
    pub(crate) fn shutdown_handle(&self) -> Option<Hook> {
        match self {
            Socket::Tcp(stream, _) => {
                let stream = stream.clone();
                Some(Box::new(move || drop(stream.shutdown(Shutdown::Both))))
            }
            Socket::Other(stream) => stream.lock().shutdown_handle(),
        }
    }

    pub(crate) fn peer_addr(&self) -> Option<SocketAddr> {
        match self {
            Socket::Tcp(_, peer) => Some(*peer),
            Socket::Other(stream) => stream.lock().peer_addr(),
        }
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Socket::Tcp(stream, _) => stream.local_addr().ok(),
            Socket::Other(stream) => stream.lock().local_addr(),
        }
    }

    /// Returns whether its stream says that only the target can read what is written.
    pub(crate) fn is_secure(&self) -> bool {
        match self {
            Socket::Tcp(..) => false,
            Socket::Other(stream) => stream.lock().is_secure(),
        }
    }

    /// Returns the stream alone, for a caller that takes the connection over.
    pub(crate) fn into_stream(self) -> io::Result<Box<dyn Stream>> {
        match self {
            Socket::Tcp(stream, _) => Ok(Box::new(Arc::try_unwrap(stream).or_else(|shared| shared.try_clone())?)),
            Socket::Other(stream) => Ok(stream.into_inner()),
        }
    }
}

/// How long a stream that cannot read or write without waiting may wait where it should not: not for ever,
/// and not without any time, for then it could not do anything.
const MOMENT: Option<Duration> = Some(Duration::from_millis(1));

/// A connector's stream, or TLS.
pub(crate) struct OtherStream {
    /// The mutex makes a connection, and with it a response, `Sync`, which a stream need not be. No
    /// thread ever waits for it: what moves bytes takes `&mut self`, and so no lock.
    stream: Mutex<Box<dyn Stream>>,
    /// The timeouts for reading and writing, as last set.
    timeouts: (Option<Duration>, Option<Duration>),
}

impl OtherStream {
    pub(crate) fn new(stream: Box<dyn Stream>) -> OtherStream {
        OtherStream { stream: Mutex::new(stream), timeouts: (None, None) }
    }

    pub(crate) fn get_mut(&mut self) -> &mut dyn Stream {
        &mut **self.stream.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Box<dyn Stream>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn into_inner(self) -> Box<dyn Stream> {
        self.stream.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.timeouts = (read, write);
        self.get_mut().set_timeouts(read, write)
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let stream = self.get_mut();
        match stream.as_tcp() {
            Some(stream) if cfg!(windows) => windows::read(stream, buf),
            _ => plausible(stream.read(buf), buf.len()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stream = self.get_mut();
        match stream.as_tcp() {
            Some(stream) if cfg!(windows) => windows::write(stream, bytes),
            _ => plausible(stream.write_nosignal(bytes), bytes.len()),
        }
    }

    fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.get_mut().try_read(buf) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => self.read_for_a_moment(buf),
            read => plausible(read, buf.len()),
        }
    }

    /// In place of `try_read`, for a stream that has none. The caller's timeouts stay set.
    fn read_for_a_moment(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let (read, write) = self.timeouts;
        self.get_mut().set_timeouts(MOMENT, write)?;
        let outcome = self.read(buf);
        self.get_mut().set_timeouts(read, write)?;
        outcome
    }
}

/// Rejects a count that a stream cannot mean: more bytes than there was room for.
fn plausible(count: io::Result<usize>, room: usize) -> io::Result<usize> {
    match count {
        Ok(count) if count > room => Err(io::Error::other("the stream claims more bytes than there was room for")),
        count => count,
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

/// Makes a unix socket one that is written to without SIGPIPE: std sends on a `TcpStream` with
/// MSG_NOSIGNAL, and the system does not check of what family the socket is. Its addresses are errors
/// then.
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

/// Reads or writes on a socket that is non-blocking meanwhile.
fn without_waiting(
    set_nonblocking: impl Fn(bool) -> io::Result<()>,
    act: impl FnOnce() -> io::Result<usize>,
) -> io::Result<usize> {
    set_nonblocking(true)?;
    let done = act();
    set_nonblocking(false)?;
    done
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

    /// A stream without `try_read`, of which a read that finds nothing notes how long it might have waited.
    struct Plain {
        inbound: Vec<u8>,
        read_timeout: Option<Duration>,
        waits: Arc<Mutex<Vec<Option<Duration>>>>,
    }

    impl Read for Plain {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.waits.lock().unwrap().push(self.read_timeout);
            let count = self.inbound.as_slice().read(buf)?;
            self.inbound.drain(..count);
            if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
        }
    }

    impl Write for Plain {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            Ok(buf.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Stream for Plain {
        fn set_timeouts(&mut self, read: Option<Duration>, _: Option<Duration>) -> io::Result<()> {
            self.read_timeout = read;
            Ok(())
        }
    }

    #[test]
    fn a_stream_without_try_read_is_read_for_a_moment_and_keeps_its_timeouts() {
        let (waits, limit) = (Arc::default(), Some(Duration::from_secs(9)));
        let plain = Plain { inbound: b"ab".to_vec(), read_timeout: None, waits: Arc::clone(&waits) };
        let mut socket = Socket::other(Box::new(plain));
        let mut buf = [0; 1];
        assert_eq!((socket.try_read(&mut buf).unwrap(), &buf), (1, b"a"));
        socket.set_read_timeout(limit, None).unwrap();
        assert_eq!((socket.try_read(&mut buf).unwrap(), &buf), (1, b"b"));
        assert_eq!(socket.try_read(&mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(socket.read(&mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(*waits.lock().unwrap(), [MOMENT, MOMENT, MOMENT, limit]);
    }

    #[test]
    fn a_connection_is_sync_though_a_stream_is_not() {
        fn is_sync<T: Send + Sync>() {}
        is_sync::<Socket>();
    }
}
