//! Stand-ins given to the client itself: a transport in memory that can refuse or break a write at
//! an exact byte, one whose every answer is a function, and an observer that writes down what it is
//! told.
#![allow(dead_code, unreachable_pub)] // each test file uses a part of it

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use longwire::transport::{Connect, Deadline, Stream, Target};
use longwire::{CancelToken, Client, Event, Observer, Result};

/// Std's vectored write raises SIGPIPE on a socket (Unix), so the client never makes one.
const NO_VECTORED_WRITE: &str = "write_vectored was called on a caller's stream";

/// What a transport in memory does with a request.
pub enum Reply {
    /// Takes all that is written; this can be read once the whole request was.
    Answer(Vec<u8>),
    /// The same, in pieces: no read gives bytes of more than one of them.
    Pieces(Vec<Vec<u8>>),
    /// Takes so many bytes, then every write fails with `BrokenPipe` and every read with
    /// `ConnectionReset`.
    BreakAfter(usize),
}

/// Decides by connection (from 0) and by exchange on it (from 0).
type Decide = dyn Fn(usize, usize) -> Reply + Send + Sync;

/// Connects to nothing: every "connection" lives in memory and answers as it is told.
#[derive(Clone)]
pub struct Memory {
    decide: Arc<Decide>,
    read_bytes_max: usize,
    write_bytes_max: usize,
    hiccups: bool,
    is_secure: bool,
    log: Arc<Mutex<Log>>,
}

/// What the client did with its transports.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// `host:port` of each connection opened.
    pub connects: Vec<String>,
    /// Each write that was taken, with its connection.
    pub writes: Vec<(usize, Vec<u8>)>,
    /// Reads that gave bytes.
    pub reads: usize,
}

impl Memory {
    pub fn new(decide: impl Fn(usize, usize) -> Reply + Send + Sync + 'static) -> Memory {
        Memory {
            decide: Arc::new(decide),
            read_bytes_max: usize::MAX,
            write_bytes_max: usize::MAX,
            hiccups: false,
            is_secure: false,
            log: Arc::default(),
        }
    }

    /// Answers every request with these bytes.
    pub fn answering(bytes: impl Into<Vec<u8>>) -> Memory {
        let bytes = bytes.into();
        Memory::new(move |_, _| Reply::Answer(bytes.clone()))
    }

    /// A read gives so many bytes at most, however many there are.
    pub fn reading_at_most(mut self, bytes: usize) -> Memory {
        self.read_bytes_max = bytes;
        self
    }

    /// A write takes so many bytes at most, however many are given.
    pub fn writing_at_most(mut self, bytes: usize) -> Memory {
        self.write_bytes_max = bytes;
        self
    }

    /// Before each read and each write that does something come two that do not: a signal
    /// (`Interrupted`), and a wait that was over too soon (`WouldBlock`).
    pub fn with_hiccups(mut self) -> Memory {
        self.hiccups = true;
        self
    }

    /// It may be asked for `https` URLs as it is.
    pub fn secure(mut self) -> Memory {
        self.is_secure = true;
        self
    }

    pub fn log(&self) -> Log {
        self.log.lock().expect("no test panics with the log").clone()
    }
}

impl Connect for Memory {
    fn connect(&self, target: &Target<'_>, _deadline: Deadline, _token: &CancelToken) -> Result<Box<dyn Stream>> {
        let mut log = self.log.lock().expect("no test panics with the log");
        let index = log.connects.len();
        log.connects.push(format!("{}:{}", target.host(), target.port()));
        Ok(Box::new(InMemory {
            memory: self.clone(),
            index,
            exchange: 0,
            request: Vec::new(),
            reply: None,
            broken: false,
            hiccup: 0,
            inbound: VecDeque::new(),
        }))
    }
}

struct InMemory {
    memory: Memory,
    index: usize,
    exchange: usize,
    /// What was written of the request that is not complete yet.
    request: Vec<u8>,
    reply: Option<Reply>,
    broken: bool,
    /// Counts reads and writes, where there are hiccups.
    hiccup: u32,
    /// The pieces that can be read.
    inbound: VecDeque<Vec<u8>>,
}

impl InMemory {
    fn hiccup(&mut self) -> io::Result<()> {
        self.hiccup += u32::from(self.memory.hiccups);
        match self.hiccup % 3 {
            1 => Err(ErrorKind::Interrupted.into()),
            2 => Err(ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut log = self.memory.log.lock().expect("no test panics with the log");
        log.writes.push((self.index, bytes.to_vec()));
    }
}

impl Write for InMemory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.broken {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.hiccup()?;
        let bytes = &bytes[..bytes.len().min(self.memory.write_bytes_max)];
        let (memory, index, exchange) = (&self.memory, self.index, self.exchange);
        let reply = self.reply.take();
        match reply.unwrap_or_else(|| (memory.decide)(index, exchange)) {
            Reply::BreakAfter(length) if length < bytes.len() => {
                self.broken = true;
                if length == 0 {
                    return Err(ErrorKind::BrokenPipe.into());
                }
                self.take(&bytes[..length]);
                Ok(length)
            }
            Reply::BreakAfter(length) => {
                self.take(bytes);
                self.reply = Some(Reply::BreakAfter(length - bytes.len()));
                Ok(bytes.len())
            }
            reply => {
                self.take(bytes);
                self.request.extend_from_slice(bytes);
                if is_whole(&self.request) {
                    self.request.clear();
                    self.exchange += 1;
                    self.inbound.extend(match reply {
                        Reply::Pieces(pieces) => pieces,
                        Reply::Answer(answer) => vec![answer],
                        Reply::BreakAfter(_) => Vec::new(), // it has its own arms above
                    });
                } else {
                    self.reply = Some(reply);
                }
                Ok(bytes.len())
            }
        }
    }

    fn write_vectored(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        panic!("{NO_VECTORED_WRITE}")
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for InMemory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.hiccup()?;
        let read = self.try_read(buffer);
        if matches!(&read, Err(error) if error.kind() == ErrorKind::WouldBlock) {
            thread::sleep(Duration::from_millis(10)); // a tick: the caller asks its clock
        }
        read
    }
}

impl Stream for InMemory {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.broken {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let Some(piece) = self.inbound.front_mut() else {
            return Err(ErrorKind::WouldBlock.into());
        };
        let length = buffer.len().min(self.memory.read_bytes_max).min(piece.len());
        buffer[..length].copy_from_slice(&piece[..length]);
        piece.drain(..length);
        if piece.is_empty() {
            self.inbound.pop_front();
        }
        let mut log = self.memory.log.lock().expect("no test panics with the log");
        log.reads += 1;
        Ok(length)
    }

    fn set_timeouts(&mut self, _: Option<Duration>, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        None
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn is_secure(&self) -> bool {
        self.memory.is_secure
    }
}

/// Whether this is a request with all of its body, which must have a Content-Length.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let field = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= field.map_or(0, |length| length.parse().expect("the client's own number"))
}

type Reads = Box<dyn FnMut(&mut [u8]) -> io::Result<usize> + Send + Sync>;
type Writes = Box<dyn FnMut(&[u8]) -> io::Result<usize> + Send + Sync>;

/// A transport whose every answer is a function: takes what is written, is silent when tried.
pub struct Double {
    pub reads: Reads,
    pub tries: Reads,
    pub writes: Writes,
    pub flushes: Box<dyn FnMut() -> io::Result<()> + Send + Sync>,
    pub closes: Box<dyn FnMut() + Send + Sync>,
    pub is_secure: bool,
}

impl Double {
    pub fn new(reads: impl FnMut(&mut [u8]) -> io::Result<usize> + Send + Sync + 'static) -> Double {
        Double {
            reads: Box::new(reads),
            tries: Box::new(|_| Err(ErrorKind::WouldBlock.into())),
            writes: Box::new(|bytes| Ok(bytes.len())),
            flushes: Box::new(|| Ok(())),
            closes: Box::new(|| {}),
            is_secure: false,
        }
    }

    /// Gives one piece with each read, and then the end.
    pub fn giving(pieces: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Double {
        let pieces: Vec<Vec<u8>> = pieces.into_iter().map(Into::into).collect();
        let mut pieces = pieces.into_iter();
        Double::new(move |buffer| Ok(pieces.next().map_or(0, |piece| copy(&piece, buffer))))
    }

    pub fn trying(mut self, tries: impl FnMut(&mut [u8]) -> io::Result<usize> + Send + Sync + 'static) -> Double {
        self.tries = Box::new(tries);
        self
    }
}

/// Puts a piece into the buffer, which must have room for it.
pub fn copy(piece: &[u8], buffer: &mut [u8]) -> usize {
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

    fn write_vectored(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        panic!("{NO_VECTORED_WRITE}")
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

    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        None
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn is_secure(&self) -> bool {
        self.is_secure
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        (self.closes)();
    }
}

/// Connects by a function.
pub struct By<F>(pub F);

impl<F: Fn() -> Result<Double> + Send + Sync> Connect for By<F> {
    fn connect(&self, _: &Target<'_>, _: Deadline, _: &CancelToken) -> Result<Box<dyn Stream>> {
        Ok(Box::new((self.0)()?))
    }
}

/// A client whose every connection is such a double.
pub fn over(open: impl Fn() -> Double + Send + Sync + 'static) -> Client {
    Client::builder().connector(By(move || Ok(open()))).build()
}

/// An observer that keeps a line for each event: short ones for their order, and whole ones
/// (`Debug`) to look for what must not be in them.
#[derive(Clone, Default)]
pub struct Trace {
    lines: Arc<Mutex<Vec<(String, String)>>>,
}

impl Trace {
    /// What happened, a line each: `connected`, `request GET / HTTP/1.1`, `closed Unfinished`, …
    pub fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock().expect("no test panics with the lines");
        lines.iter().map(|(short, _)| short.clone()).collect()
    }

    /// All that was told, by `Debug`.
    pub fn whole(&self) -> String {
        let lines = self.lines.lock().expect("no test panics with the lines");
        let whole: Vec<&str> = lines.iter().map(|(_, whole)| whole.as_str()).collect();
        whole.join("\n")
    }
}

impl Observer for Trace {
    fn event(&self, event: &Event<'_>) {
        let first_line = |text: &str| text.lines().next().unwrap_or("").to_owned();
        let short = match event {
            Event::Resolved { host, .. } => format!("resolved {host}"),
            Event::Connected { .. } => "connected".to_owned(),
            Event::Secured { .. } => "secured".to_owned(),
            Event::Reused { nth, .. } => format!("reused for exchange {nth}"),
            Event::RequestHead { text, .. } => format!("request {}", first_line(text)),
            Event::InterimHead { text, .. } => format!("interim {}", first_line(text)),
            Event::ResponseHead { text, .. } => format!("response {}", first_line(text)),
            Event::Redirect { status, from, to, .. } => {
                format!("redirect {status} from {} to {}", from.path(), to.path())
            }
            Event::Retry { .. } => "retry".to_owned(),
            Event::Kept { .. } => "kept".to_owned(),
            Event::Closed { reason, .. } => format!("closed {reason:?}"),
            _ => return, // what the call and the body report
        };
        let mut lines = self.lines.lock().expect("no test panics with the lines");
        lines.push((short, format!("{event:?}")));
    }
}
