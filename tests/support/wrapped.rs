//! A stream around another one, with a function instead of some of its calls: for what no server can
//! do, as a stream that reports more bytes than it had room for, fails to flush or panics when it is
//! dropped; and to watch what a client does with a stream.
//!
//! It panics where the client calls what it must not: `write` (which raises SIGPIPE) instead of
//! `write_nosignal`, and `write_vectored`.

use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use longwire::transport::{Connect, Deadline, Stream, Target};
use longwire::{CancelToken, Result};

type ReadFn = Box<dyn FnMut(&mut dyn Stream, &mut [u8]) -> io::Result<usize> + Send + Sync>;
type WriteFn = Box<dyn FnMut(&mut dyn Stream, &[u8]) -> io::Result<usize> + Send + Sync>;
type FlushFn = Box<dyn FnMut(&mut dyn Stream) -> io::Result<()> + Send + Sync>;

/// See the [module](self). Every function gets the stream that is wrapped.
pub struct Wrapped {
    inner: Box<dyn Stream>,
    read: ReadFn,
    try_read: ReadFn,
    write: WriteFn,
    flush: FlushFn,
    close: Box<dyn FnMut() + Send + Sync>,
    has_shutdown_handle: bool,
    is_insecure: bool,
}

impl Wrapped {
    pub fn new(inner: Box<dyn Stream>) -> Wrapped {
        Wrapped {
            inner,
            read: Box::new(|stream, into| stream.read(into)),
            try_read: Box::new(|stream, into| stream.try_read(into)),
            write: Box::new(|stream, bytes| stream.write_nosignal(bytes)),
            flush: Box::new(|stream| stream.flush()),
            close: Box::new(|| {}),
            has_shutdown_handle: true,
            is_insecure: false,
        }
    }

    /// Reads, where the client waits for bytes.
    pub fn on_read(
        mut self,
        act: impl FnMut(&mut dyn Stream, &mut [u8]) -> io::Result<usize> + Send + Sync + 'static,
    ) -> Wrapped {
        self.read = Box::new(act);
        self
    }

    /// Reads, where the client does not wait.
    pub fn on_try_read(
        mut self,
        act: impl FnMut(&mut dyn Stream, &mut [u8]) -> io::Result<usize> + Send + Sync + 'static,
    ) -> Wrapped {
        self.try_read = Box::new(act);
        self
    }

    pub fn on_write(
        mut self,
        act: impl FnMut(&mut dyn Stream, &[u8]) -> io::Result<usize> + Send + Sync + 'static,
    ) -> Wrapped {
        self.write = Box::new(act);
        self
    }

    pub fn on_flush(mut self, act: impl FnMut(&mut dyn Stream) -> io::Result<()> + Send + Sync + 'static) -> Wrapped {
        self.flush = Box::new(act);
        self
    }

    /// What is done before the stream is dropped.
    pub fn on_close(mut self, act: impl FnMut() + Send + Sync + 'static) -> Wrapped {
        self.close = Box::new(act);
        self
    }

    /// It is not secure, whatever is wrapped.
    pub fn insecure(mut self) -> Wrapped {
        self.is_insecure = true;
        self
    }

    /// A cancel cannot wake it.
    pub fn without_shutdown_handle(mut self) -> Wrapped {
        self.has_shutdown_handle = false;
        self
    }
}

impl Read for Wrapped {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        (self.read)(&mut *self.inner, into)
    }
}

impl Write for Wrapped {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("write was called on a user-supplied stream, not write_nosignal")
    }

    fn write_vectored(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        panic!("write_vectored was called on a user-supplied stream: std's raises SIGPIPE")
    }

    fn flush(&mut self) -> io::Result<()> {
        (self.flush)(&mut *self.inner)
    }
}

impl Stream for Wrapped {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        (self.try_read)(&mut *self.inner, into)
    }

    fn write_nosignal(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.write)(&mut *self.inner, bytes)
    }

    fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.inner.set_timeouts(read, write)
    }

    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        self.inner.shutdown_handle().filter(|_| self.has_shutdown_handle)
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.inner.peer_addr()
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.inner.local_addr()
    }

    fn is_drained(&self) -> bool {
        self.inner.is_drained()
    }

    fn has_partial_record(&self) -> bool {
        self.inner.has_partial_record()
    }

    fn bytes_flushed(&self) -> u64 {
        self.inner.bytes_flushed()
    }

    fn is_secure(&self) -> bool {
        self.inner.is_secure() && !self.is_insecure
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.inner.shutdown_write()
    }
}

impl Drop for Wrapped {
    fn drop(&mut self) {
        (self.close)();
    }
}

/// A closure as a connector: it is given the type that `ClientBuilder::connector` wants of it.
pub fn connector<F>(open: F) -> F
where
    F: Fn(&Target<'_>, Deadline, &CancelToken) -> Result<Box<dyn Stream>> + Send + Sync,
{
    open
}

/// Lets every read that waits and every write fail twice before it does anything: by a signal, and by a wait
/// that was over too soon.
pub fn interrupted(stream: Wrapped) -> Wrapped {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = calls.clone();
    let interrupt = |calls: &AtomicU32| match calls.fetch_add(1, Ordering::Relaxed) % 3 {
        0 => Err(io::ErrorKind::Interrupted.into()),
        1 => Err(io::Error::from(io::ErrorKind::WouldBlock)),
        _ => Ok(()),
    };
    stream
        .on_read(move |stream, into| interrupt(&counter).and_then(|()| stream.read(into)))
        .on_write(move |stream, bytes| interrupt(&calls).and_then(|()| stream.write_nosignal(bytes)))
}

/// Connects as `inner` does, and wraps what comes.
pub fn wrapping(inner: impl Connect, wrap: impl Fn(Wrapped) -> Wrapped + Send + Sync) -> impl Connect {
    connector(move |target, deadline, token| {
        let stream = inner.connect(target, deadline, token)?;
        Ok(Box::new(wrap(Wrapped::new(stream))))
    })
}
