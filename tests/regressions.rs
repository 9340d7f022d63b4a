//! What a fresh reading of the sources once found, and must not come back: each test was seen to
//! fail without its fix. What a transport may do is in `regressions/transport.rs`; what a pooled
//! connection, in `regressions/pooled.rs`; bodies are in `regressions/bodies.rs`; what is asked and
//! how it is sent, in `regressions/requests.rs`.

mod support;

#[path = "regressions/bodies.rs"]
mod bodies;
#[path = "support/double.rs"]
mod double;
#[path = "regressions/pooled.rs"]
mod pooled;
#[path = "regressions/requests.rs"]
mod requests;
#[path = "regressions/transport.rs"]
mod transport;

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use longwire::{CancelToken, Client, Connect, Deadline, Result, Stream, Target};

const URL: &str = "http://double.test/";

fn text(client: &Client, url: impl AsRef<str>) -> String {
    let response = client.get(url.as_ref()).send().expect("an answer");
    response.text().expect("a body")
}

type Reads = Box<dyn FnMut(&mut [u8]) -> io::Result<usize> + Send + Sync>;
type Writes = Box<dyn FnMut(&[u8]) -> io::Result<usize> + Send + Sync>;

/// A transport whose every answer is a function: takes what is written, is silent when tried.
struct Double {
    reads: Reads,
    tries: Reads,
    writes: Writes,
    flushes: Box<dyn FnMut() -> io::Result<()> + Send + Sync>,
    closes: Box<dyn FnMut() + Send + Sync>,
}

impl Double {
    fn new(reads: impl FnMut(&mut [u8]) -> io::Result<usize> + Send + Sync + 'static) -> Double {
        Double {
            reads: Box::new(reads),
            tries: Box::new(|_| Err(ErrorKind::WouldBlock.into())),
            writes: Box::new(|bytes| Ok(bytes.len())),
            flushes: Box::new(|| Ok(())),
            closes: Box::new(|| {}),
        }
    }

    /// Gives one piece with each read, and then the end.
    fn giving(pieces: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Double {
        let pieces: Vec<Vec<u8>> = pieces.into_iter().map(Into::into).collect();
        let mut pieces = pieces.into_iter();
        Double::new(move |buffer| Ok(pieces.next().map_or(0, |piece| copy(&piece, buffer))))
    }

    fn trying(mut self, tries: impl FnMut(&mut [u8]) -> io::Result<usize> + Send + Sync + 'static) -> Double {
        self.tries = Box::new(tries);
        self
    }
}

fn copy(piece: &[u8], buffer: &mut [u8]) -> usize {
    buffer[..piece.len()].copy_from_slice(piece);
    piece.len()
}

impl Read for Double {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (self.reads)(buffer)
    }
}

impl Write for Double {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.writes)(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (self.flushes)()
    }
}

impl Stream for Double {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (self.tries)(buffer)
    }

    fn set_timeouts(&mut self, _: Option<Duration>, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn canceller(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        None
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        (self.closes)();
    }
}

/// Connects by a function.
struct By<F>(F);

impl<F: Fn() -> Result<Double> + Send + Sync> Connect for By<F> {
    fn connect(&self, _: &Target<'_>, _: Deadline, _: &CancelToken) -> Result<Box<dyn Stream>> {
        Ok(Box::new((self.0)()?))
    }
}

/// A client whose every connection is such a double.
fn over(open: impl Fn() -> Double + Send + Sync + 'static) -> Client {
    Client::builder().connector(By(move || Ok(open()))).build()
}
