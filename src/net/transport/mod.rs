//! The public traits of what a client connects by, and what it reads from and writes to. TLS over a stream
//! is not known here, but for whether it needs it.

pub(crate) mod socket;
pub(crate) mod unix;
mod windows;

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;

/// A byte stream to a server: what a [`Connect`] hands out.
///
/// It is implemented for [`TcpStream`] and, on Unix, for `UnixStream`, so a connector that only tunes
/// sockets returns those; and for a `Box` of any stream, so a wrapper may hold a `Box<dyn Stream>`. Of a
/// stream of your own only [`set_timeouts`](Stream::set_timeouts) is required. The other methods have
/// defaults that are always correct, and cost this:
///
/// | method | with the default |
/// |---|---|
/// | [`try_read`](Stream::try_read) | every reuse of a connection takes a millisecond more |
/// | [`shutdown_handle`](Stream::shutdown_handle) | a cancel takes effect within 100 ms |
/// | [`is_drained`](Stream::is_drained) | `probe_after` has no effect |
/// | [`peer_addr`](Stream::peer_addr), [`local_addr`](Stream::local_addr) | errors, events and `ConnectionInfo` name no address |
/// | [`write_nosignal`](Stream::write_nosignal) | none, unless the stream is or wraps a socket |
/// | the others | none, unless the stream does TLS or buffers what is written |
///
/// A stream that wraps another one has to forward each method that the other one implements.
///
/// # Contract
///
/// * `read` and `write` block, for at most the limits of `set_timeouts`. When such a limit passes they
///   fail with `WouldBlock` or `TimedOut`, and must not have transferred any byte. The client checks its
///   own clock then and may call again. (A `TimedOut` with a
///   [system error code](io::Error::raw_os_error) is taken for a connection that has died, except on
///   Windows.) `Interrupted` is retried.
/// * `Ok(0)` from `read` is the end of the stream: the peer has closed it in order.
/// * `flush` is called before a response is waited for. `write_vectored` is never called.
/// * An [`Error`](crate::Error) inside an [`io::Error`] reaches the caller with its kind.
/// * A stream is used by one thread at a time. Dropping it closes the connection, and does not block.
///
/// On Windows a socket's own timeouts may lose bytes, so the client reads and writes a `TcpStream` that is
/// handed out as it is without them; a stream that wraps one has to do without them itself.
///
/// # Examples
///
/// A stream that counts the bytes that it reads, around a TCP socket:
///
/// ```
/// use longwire::Client;
/// use longwire::transport::{Deadline, Stream, Target};
/// use std::io::{self, Read, Write};
/// use std::net::{SocketAddr, TcpStream};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use std::time::Duration;
///
/// struct Counting<S> {
///     stream: S,
///     read: Arc<AtomicUsize>,
/// }
///
/// impl<S> Counting<S> {
///     fn count(&self, read: io::Result<usize>) -> io::Result<usize> {
///         self.read.fetch_add(*read.as_ref().unwrap_or(&0), Ordering::Relaxed);
///         read
///     }
/// }
///
/// impl<S: Stream> Read for Counting<S> {
///     fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
///         let read = self.stream.read(buf);
///         self.count(read)
///     }
/// }
///
/// impl<S: Stream> Write for Counting<S> {
///     fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
///         self.stream.write(buf)
///     }
///
///     fn flush(&mut self) -> io::Result<()> {
///         self.stream.flush()
///     }
/// }
///
/// impl<S: Stream> Stream for Counting<S> {
///     fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
///         self.stream.set_timeouts(read, write)
///     }
///
///     // What a TcpStream implements beyond that:
///     fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
///         let read = self.stream.try_read(buf);
///         self.count(read)
///     }
///
///     fn write_nosignal(&mut self, buf: &[u8]) -> io::Result<usize> {
///         self.stream.write_nosignal(buf)
///     }
///
///     fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
///         self.stream.shutdown_handle()
///     }
///
///     fn peer_addr(&self) -> Option<SocketAddr> {
///         self.stream.peer_addr()
///     }
///
///     fn local_addr(&self) -> Option<SocketAddr> {
///         self.stream.local_addr()
///     }
///
///     fn is_drained(&self) -> bool {
///         self.stream.is_drained()
///     }
///
///     fn shutdown_write(&mut self) -> io::Result<()> {
///         self.stream.shutdown_write()
///     }
/// }
///
/// # use longwire::CancelToken;
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let server = listener.local_addr()?;
/// # let serving = std::thread::spawn(move || -> io::Result<()> {
/// #     let (mut stream, _) = listener.accept()?;
/// #     stream.set_read_timeout(Some(Duration::from_secs(10)))?;
/// #     stream.read(&mut [0; 1024])?;
/// #     stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
/// # });
/// let read = Arc::new(AtomicUsize::new(0));
/// let counter = read.clone();
/// let connect = move |_: &Target<'_>, _: Deadline, _: &CancelToken| -> longwire::Result<Box<dyn Stream>> {
///     let stream = TcpStream::connect(server)
///         .map_err(|error| longwire::Error::from_io(longwire::ErrorKind::Connect, "example", error))?;
///     Ok(Box::new(Counting { stream, read: counter.clone() }))
/// };
/// let client = Client::builder().connector(connect).build();
/// assert_eq!(client.get("http://example.com/").send()?.text()?, "hi");
/// assert_eq!(read.load(Ordering::Relaxed), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".len());
/// # serving.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Stream: Read + Write + Send {
    /// Sets how long a read and a write may block; `None` is without a limit. Never zero.
    ///
    /// The client calls it often, with times far shorter than the settings of the request, to check its
    /// clock and the request's token in between.
    ///
    /// # Errors
    /// Whatever the transport reports. The request fails with it.
    fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()>;

    /// Reads what has arrived, without blocking. `Ok(0)` is the end of the stream.
    ///
    /// The client calls it before it reuses a connection, to notice that the server has closed it; while
    /// it sends a long body, to notice an early response; and to drain a body that is dropped. What only
    /// the transport needs (a TLS session ticket) does not count as bytes.
    ///
    /// By default it fails with `Unsupported`: then the client reads with a timeout of 1 ms.
    ///
    /// # Errors
    /// `WouldBlock` if nothing has arrived, and whatever the transport reports.
    ///
    /// ```
    /// use longwire::transport::Stream;
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut stream: Box<dyn Stream> = Box::new(TcpStream::connect(listener.local_addr()?)?);
    /// let nothing = stream.try_read(&mut [0; 1]).unwrap_err();
    /// assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let _ = buf;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Writes as [`Write::write`] does, but never raises SIGPIPE when the peer has closed. The client
    /// calls it in place of `write`.
    ///
    /// SIGPIPE ends a process that does not ignore it. Rust programs do; programs in other languages that
    /// link a Rust library may not. By default this is `write`, which is right where no socket is written
    /// to. A stream around another one has to forward it, above all around a `UnixStream`: std's `write`
    /// to that raises the signal on Rust 1.85 and for some versions after (rust-lang/rust#140005), so
    /// for it this writes to a clone that std takes for a TCP socket, at two system calls more.
    ///
    /// # Errors
    /// As `write`; `BrokenPipe` in place of the signal.
    fn write_nosignal(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write(buf)
    }

    /// Returns a function that makes a read or write which blocks on another thread return at once, and
    /// all later ones as well: how a [`CancelToken`] interrupts a request. It is called at most once,
    /// under the token's lock, so it must not block; the stream may still be read, written and dropped
    /// after it.
    ///
    /// `None`, the default, where the transport has no such thing: then the client sets timeouts of at
    /// most 100 ms while a request has a token.
    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        None
    }

    /// Returns the address of the peer. `None`, the default, if it has none.
    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// Returns the address of this end. `None`, the default, if it has none.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// Returns whether a read that gave fewer bytes than it had room for has taken all that had
    /// arrived by then; it is asked after a read. False, the default, if the stream cannot know that:
    /// then the connection is probed before each reuse, whatever
    /// [`probe_after`](crate::ClientBuilder::probe_after) says.
    fn is_drained(&self) -> bool {
        false
    }

    /// Returns whether an incomplete record has arrived, for a stream that reads records (TLS). Such a
    /// connection is not reused: the server has begun to send what no request asked for. False by
    /// default.
    fn has_partial_record(&self) -> bool {
        false
    }

    /// Returns how many bytes have been sent on to the peer so far, for a stream that buffers what is
    /// written (TLS). While the number grows the peer is reading, however slowly, and `write_timeout`
    /// does not pass. 0 by default.
    fn bytes_flushed(&self) -> u64 {
        0
    }

    /// Returns whether only the target of [`Connect::connect`] can read what is written, so that requests
    /// for an `https` URL may be sent on the stream as it is. False by default: then the client does TLS
    /// over it, with the feature `tls` or `tls-webpki-roots`, and without them fails with
    /// [`ErrorKind::UnsupportedScheme`](crate::ErrorKind::UnsupportedScheme).
    ///
    /// It is asked once, after the connect, and for `https` URLs only. TLS with a proxy does not make a
    /// stream secure.
    fn is_secure(&self) -> bool {
        false
    }

    /// Sends the end of the stream to the peer after what was written, where the transport can close one
    /// direction alone. Does nothing by default.
    ///
    /// # Errors
    /// Whatever the transport reports. It is ignored: the connection is about to be closed.
    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Returns the TCP socket that this is, if it is nothing else: on Windows it is then not read and
    /// written through this trait, since its timeouts lose bytes.
    #[doc(hidden)]
    fn as_tcp(&self) -> Option<&TcpStream> {
        None
    }
}

impl<S: Stream + ?Sized> Stream for Box<S> {
    fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        (**self).set_timeouts(read, write)
    }

    fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (**self).try_read(buf)
    }

    fn write_nosignal(&mut self, buf: &[u8]) -> io::Result<usize> {
        (**self).write_nosignal(buf)
    }

    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        (**self).shutdown_handle()
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        (**self).peer_addr()
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        (**self).local_addr()
    }

    fn is_drained(&self) -> bool {
        (**self).is_drained()
    }

    fn has_partial_record(&self) -> bool {
        (**self).has_partial_record()
    }

    fn bytes_flushed(&self) -> u64 {
        (**self).bytes_flushed()
    }

    fn is_secure(&self) -> bool {
        (**self).is_secure()
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        (**self).shutdown_write()
    }

    fn as_tcp(&self) -> Option<&TcpStream> {
        (**self).as_tcp()
    }
}

/// Opens the connections of a client: with a bound socket, through a tunnel, by a TLS library, in
/// memory.
///
/// Closures of this form are connectors, and so are `Arc<T>` and `Box<dyn Connect>` of connectors. Give
/// one to [`ClientBuilder::connector`](crate::ClientBuilder::connector).
///
/// A connector hands out plain streams: for `https` URLs the client does TLS over them, unless a stream
/// [is secure](Stream::is_secure) already. To set socket options alone,
/// [`ClientBuilder::dial`](crate::ClientBuilder::dial) is less work: there the client resolves, races
/// and connects through proxies as usual.
///
/// ```
/// use longwire::transport::{Connect, Deadline, Stream, Target};
/// use longwire::{CancelToken, Client, Error, ErrorKind};
/// use std::net::{SocketAddr, TcpStream};
/// use std::time::Duration;
///
/// /// Sends every request to one address, whatever its URL.
/// struct Pinned(SocketAddr);
///
/// impl Connect for Pinned {
///     fn connect(&self, _: &Target<'_>, deadline: Deadline, _: &CancelToken) -> longwire::Result<Box<dyn Stream>> {
///         let left = deadline.remaining().unwrap_or(Duration::from_secs(10));
///         let stream = TcpStream::connect_timeout(&self.0, left)
///             .map_err(|error| Error::from_io(ErrorKind::Connect, "pinned address", error))?;
///         Ok(Box::new(stream))
///     }
/// }
/// let client = Client::builder().connector(Pinned("127.0.0.1:8080".parse().unwrap())).build();
/// # drop(client);
/// ```
#[doc(alias("RoundTripper", "Connector"))]
pub trait Connect: Send + Sync {
    /// Opens a stream to `target`, within `deadline`, and gives up when `token` is cancelled. It may block
    /// until then: it runs on the request's thread.
    ///
    /// A stream that comes later than that is closed unused, and the request fails with
    /// [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) or
    /// [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled).
    ///
    /// # Errors
    /// Of any kind; [`ErrorKind::Connect`](crate::ErrorKind::Connect) is usual. Every error after a
    /// cancel becomes `Cancelled`, and every one after the deadline `Timeout`.
    fn connect(&self, target: &Target<'_>, deadline: Deadline, token: &CancelToken) -> Result<Box<dyn Stream>>;
}

impl<F> Connect for F
where
    F: Fn(&Target<'_>, Deadline, &CancelToken) -> Result<Box<dyn Stream>> + Send + Sync,
{
    fn connect(&self, target: &Target<'_>, deadline: Deadline, token: &CancelToken) -> Result<Box<dyn Stream>> {
        self(target, deadline, token)
    }
}

impl<T: Connect + ?Sized> Connect for Arc<T> {
    fn connect(&self, target: &Target<'_>, deadline: Deadline, token: &CancelToken) -> Result<Box<dyn Stream>> {
        (**self).connect(target, deadline, token)
    }
}

impl Connect for Box<dyn Connect> {
    fn connect(&self, target: &Target<'_>, deadline: Deadline, token: &CancelToken) -> Result<Box<dyn Stream>> {
        (**self).connect(target, deadline, token)
    }
}

/// The server that a connection is to lead to: the host and port of a URL. It may have more to say in
/// later versions.
///
/// ```
/// use longwire::transport::Target;
///
/// fn describe(target: &Target<'_>) -> String {
///     format!("{}:{}", target.host(), target.port())
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) is_https: bool,
}

impl<'a> Target<'a> {
    /// Returns the host: a name, or an IP address, IPv6 without brackets.
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// Returns the port: the URL's, or the default of its scheme.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns whether the URL's scheme is `https`: then the client does TLS over the stream, unless that
    /// [is secure](Stream::is_secure).
    pub fn is_https(&self) -> bool {
        self.is_https
    }
}

impl fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("is_https", &self.is_https)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn accepts(_: impl Connect + 'static) {}

    #[test]
    fn closures_and_what_holds_a_connector_are_connectors() {
        let none = |_: &Target<'_>, _: Deadline, _: &CancelToken| -> Result<Box<dyn Stream>> { unreachable!() };
        accepts(none);
        accepts(Arc::new(none));
        accepts(Arc::new(none) as Arc<dyn Connect>);
        accepts(Box::new(none) as Box<dyn Connect>);
    }

    /// What a stream has to be at the least.
    struct Least;

    impl Read for Least {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
    }

    impl Write for Least {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            Ok(buf.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Stream for Least {
        fn set_timeouts(&mut self, _: Option<Duration>, _: Option<Duration>) -> io::Result<()> {
            Ok(())
        }
    }

    /// A stream whose every answer is another than the default.
    struct Most(TcpStream);

    impl Read for Most {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0.read(buf)
        }
    }

    impl Write for Most {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Ok(1)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Stream for Most {
        fn set_timeouts(&mut self, _: Option<Duration>, _: Option<Duration>) -> io::Result<()> {
            Err(io::ErrorKind::AddrInUse.into())
        }

        fn try_read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(2)
        }

        fn write_nosignal(&mut self, _: &[u8]) -> io::Result<usize> {
            Ok(3)
        }

        fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
            Some(Box::new(|| {}))
        }

        fn peer_addr(&self) -> Option<SocketAddr> {
            self.0.peer_addr().ok()
        }

        fn local_addr(&self) -> Option<SocketAddr> {
            self.0.local_addr().ok()
        }

        fn is_drained(&self) -> bool {
            true
        }

        fn has_partial_record(&self) -> bool {
            true
        }

        fn bytes_flushed(&self) -> u64 {
            4
        }

        fn is_secure(&self) -> bool {
            true
        }

        fn shutdown_write(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::AddrInUse.into())
        }

        fn as_tcp(&self) -> Option<&TcpStream> {
            Some(&self.0)
        }
    }

    /// All that a stream says of itself, so that a forwarding one can be compared with it.
    fn answers<S: Stream>(mut stream: S) -> String {
        let timeouts = stream.set_timeouts(None, None);
        let moved = (stream.try_read(&mut [0; 8]), stream.write(b"x"), stream.write_nosignal(b"x"));
        let (peer, local) = (stream.peer_addr(), stream.local_addr());
        let state = (stream.is_drained(), stream.has_partial_record(), stream.bytes_flushed(), stream.is_secure());
        let ends = (stream.shutdown_handle().is_some(), stream.as_tcp().is_some(), stream.shutdown_write());
        format!("{timeouts:?} {moved:?} {peer:?} {local:?} {state:?} {ends:?}")
    }

    #[test]
    fn a_box_forwards_every_method() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let most = || Most(socket.try_clone().unwrap());
        assert_eq!(answers(Box::new(most())), answers(most()));
        assert_eq!(answers(Box::new(most()) as Box<dyn Stream>), answers(most()));
        assert_eq!(answers(Box::new(Least) as Box<dyn Stream>), answers(Least));
        assert_ne!(answers(Least), answers(most()));
    }
}
