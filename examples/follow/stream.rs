//! A connection whose calls are shown as they happen: a [`Stream`] around the one that the client would have used.
//! What the bytes mean is not known here.

use std::io::{self, Read, Write};
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use longwire::transport::Stream;

use super::teller::Teller;

/// Shows each read and each write. All that it does not show it forwards, as a wrapper has to.
pub(crate) struct Shown {
    pub(crate) stream: Box<dyn Stream>,
    pub(crate) teller: Arc<Teller>,
}

impl Read for Shown {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buf)?;
        self.teller.lock().came(&buf[..count]);
        Ok(count)
    }
}

impl Write for Shown {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_nosignal(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Stream for Shown {
    fn write_nosignal(&mut self, buf: &[u8]) -> io::Result<usize> {
        let count = self.stream.write_nosignal(buf)?;
        self.teller.lock().went(&buf[..count]);
        Ok(count)
    }

    fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let expects_end = mem::take(&mut self.teller.lock().expects_end);
        if expects_end {
            let count = self.stream.read(&mut [0; 1])?; // waits for the end, which stays to be found again
            assert_eq!(count, 0, "the server was to close, and nothing else");
        }
        let found = self.stream.try_read(buf);
        self.teller.lock().probed(&found);
        found
    }

    fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.stream.set_timeouts(read, write)
    }

    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        self.stream.shutdown_handle()
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.stream.peer_addr()
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.stream.local_addr()
    }

    fn is_drained(&self) -> bool {
        self.stream.is_drained()
    }

    fn has_partial_record(&self) -> bool {
        self.stream.has_partial_record()
    }

    fn bytes_flushed(&self) -> u64 {
        self.stream.bytes_flushed()
    }

    fn is_secure(&self) -> bool {
        self.stream.is_secure()
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown_write()
    }
}
