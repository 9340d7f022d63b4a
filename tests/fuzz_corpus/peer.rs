//! The far side of a fuzzed client: connections that live in memory and play a script.
//!
//! A script is what the peer sends, as bytes. 0xFF makes the next byte an event (a wait, a close,
//! a reset); else it is sent. A script that is used up is played again for the next request, so
//! that any reply is a server that keeps its connections.
//!
//! The clock of this world is the client's calls: what comes next in the script arrives when the
//! client reads and nothing is there, or when the caller lets time pass; so whatever has arrived
//! can be read at once, as on a socket.
//! Each byte remembers how many requests had begun on its connection when it arrived.
//!
//! What must never live here: a judgement on the client. That is `client.rs`.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use longwire::transport::{Connect, Deadline, Stream, Target};
use longwire::{CancelToken, Error, Result};

use super::reference::{self, End};

/// How long a read or write waits where nothing is going to happen: the client asks its clock
/// then and comes again.
const TICK: Duration = Duration::from_micros(200);

/// One thing that the peer does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    Bytes(Vec<u8>),
    /// A tick passes and nothing comes.
    Stall,
    /// A signal comes.
    Interrupt,
    /// Nothing comes before a request that began after the last bytes is complete.
    Await,
    Close,
    Reset,
}

/// What the connections do in turn, and how they take what is written.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) scripts: Vec<Vec<Event>>,
    /// Bytes that one write takes at most.
    pub(crate) write_bytes_max: usize,
    /// Bytes after which a connection takes no more: every write fails from there on.
    pub(crate) break_after: Option<usize>,
    /// Every so many-th write takes nothing for a tick.
    pub(crate) stall_every: Option<usize>,
    /// The connection with that number cannot be opened.
    pub(crate) refuse: Option<usize>,
}

/// Reads scripts, one for each connection, out of an input.
pub(crate) fn scripts(input: &[u8]) -> Vec<Vec<Event>> {
    let mut scripts = vec![Vec::new()];
    let mut bytes = Vec::new();
    let mut input = input.iter();
    while let Some(byte) = input.next() {
        let event = match (byte, input.as_slice().first()) {
            (0xff, Some(event @ 0..=7)) => *event,
            _ => {
                bytes.push(*byte);
                continue;
            }
        };
        input.next();
        let script = scripts.last_mut().expect("there is one at least");
        if !bytes.is_empty() {
            script.push(Event::Bytes(std::mem::take(&mut bytes)));
        }
        match event {
            0 => script.push(Event::Stall),
            1 => {} // the bytes behind it arrive later than those before it
            2 => script.push(Event::Close),
            3 => script.push(Event::Reset),
            4 => script.push(Event::Await),
            5 => scripts.push(Vec::new()),
            6 => bytes.push(0xff),
            _ => script.push(Event::Interrupt),
        }
    }
    if !bytes.is_empty() {
        scripts.last_mut().expect("there is one at least").push(Event::Bytes(bytes));
    }
    scripts
}

/// Whether the client gets on by it.
fn is_news(event: &Event) -> bool {
    matches!(event, Event::Bytes(_) | Event::Close | Event::Reset)
}

/// A request as the peer saw it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) host: String,
    pub(crate) has_authorization: bool,
    pub(crate) body: Vec<u8>,
    pub(crate) is_complete: bool,
}

/// One connection, with its story.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) authority: String,
    /// All that has arrived, and for each byte how many requests had begun.
    pub(crate) stream: Vec<u8>,
    pub(crate) tags: Vec<usize>,
    /// How much of it was read.
    pub(crate) read: usize,
    /// The client was told of an orderly end, of a broken connection.
    pub(crate) is_closed: bool,
    pub(crate) is_reset: bool,
    pub(crate) requests: Vec<Seen>,
    /// The client has let go of it.
    pub(crate) is_dropped: bool,
    script: VecDeque<Event>,
    again: Vec<Event>,
    /// Requests begun when bytes last arrived.
    begun_at_arrival: usize,
    /// Written, and not understood yet.
    pending: Vec<u8>,
    written: usize,
    writes: usize,
}

impl Wire {
    fn complete(&self) -> usize {
        self.requests.iter().filter(|request| request.is_complete).count()
    }

    /// Reads as a socket does: what is there, or else what comes next.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let arrived = &self.stream[self.read..];
            if !arrived.is_empty() {
                let count = arrived.len().min(into.len());
                into[..count].copy_from_slice(&arrived[..count]);
                self.read += count;
                return Ok(count);
            }
            if self.is_closed || self.is_reset {
                return Ok(0); // a socket says once that it broke, and then that it has ended
            }
            let event = match self.script.front() {
                None if !self.again.iter().any(is_news) => return Err(ErrorKind::WouldBlock.into()),
                None => {
                    self.script.push_back(Event::Await);
                    self.script.extend(self.again.iter().cloned());
                    continue;
                }
                Some(Event::Await) if self.complete() <= self.begun_at_arrival => {
                    return Err(ErrorKind::WouldBlock.into());
                }
                Some(_) => self.script.pop_front(),
            };
            match event.expect("it was there") {
                Event::Await => {}
                Event::Stall => return Err(ErrorKind::WouldBlock.into()),
                Event::Interrupt => return Err(ErrorKind::Interrupted.into()),
                Event::Close => self.is_closed = true,
                Event::Reset => {
                    self.is_reset = true;
                    return Err(ErrorKind::ConnectionReset.into());
                }
                Event::Bytes(bytes) => self.arrive(bytes),
            }
        }
    }

    fn arrive(&mut self, bytes: Vec<u8>) {
        let begun = self.requests.len();
        self.begun_at_arrival = begun;
        self.tags.resize(self.tags.len() + bytes.len(), begun);
        self.stream.extend(bytes);
    }

    fn write(&mut self, bytes: &[u8], plan: &Plan) -> io::Result<usize> {
        if plan.break_after.is_some_and(|after| self.written >= after) || self.is_reset {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.writes += 1;
        if plan.stall_every.is_some_and(|every| self.writes % every == 0) {
            return Err(ErrorKind::WouldBlock.into());
        }
        let room = plan.break_after.map_or(usize::MAX, |after| after - self.written);
        let count = bytes.len().min(plan.write_bytes_max).min(room);
        self.written += count;
        self.pending.extend_from_slice(&bytes[..count]);
        self.understand();
        Ok(count)
    }

    /// Takes requests out of what was written.
    fn understand(&mut self) {
        while !self.pending.is_empty() {
            if self.requests.last().is_none_or(|request| request.is_complete) {
                self.requests.push(Seen::default());
            }
            let request = self.requests.last_mut().expect("there is one");
            let Some(head) = self.pending.windows(4).position(|window| window == b"\r\n\r\n") else { return };
            let text = std::str::from_utf8(&self.pending[..head]).expect("a request head is text");
            let mut words = text.lines().next().expect("it has a line").split(' ').map(str::to_owned);
            let mut word = || words.next().expect("method, target and version");
            (request.method, request.target) = (word(), word());
            assert_eq!((word().as_str(), words.next()), ("HTTP/1.1", None), "{text}");
            let field = |name: &str| {
                let mut fields = text.lines().skip(1).filter_map(|line| line.split_once(": "));
                fields.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
            };
            request.host = field("host").expect("every request has a Host");
            request.has_authorization = field("authorization").is_some();
            let framing = match (field("transfer-encoding"), field("content-length")) {
                (Some(_), _) => reference::Framing::Chunked,
                (None, Some(length)) => reference::Framing::Length(length.parse().expect("it is a length")),
                (None, None) => reference::Framing::Empty,
            };
            let body = reference::body(&self.pending[head + 4..], framing, false);
            let End::At(end) = body.end else {
                assert_eq!(body.end, End::Open, "the request's body is malformed");
                return;
            };
            request.body = body.bytes;
            request.is_complete = true;
            self.pending.drain(..head + 4 + end);
        }
    }
}

/// All connections of one client.
#[derive(Clone)]
pub(crate) struct World(Arc<(Plan, Mutex<Vec<Wire>>)>);

impl World {
    pub(crate) fn new(plan: Plan) -> World {
        World(Arc::new((plan, Mutex::default())))
    }

    pub(crate) fn wires(&self) -> MutexGuard<'_, Vec<Wire>> {
        self.0.1.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time passes: bytes that are due arrive, although nobody reads.
    pub(crate) fn pass_time(&self, time: Duration) {
        thread::sleep(time);
        for wire in self.wires().iter_mut() {
            let is_due = matches!(wire.script.front(), Some(Event::Bytes(_))) && !wire.is_closed && !wire.is_reset;
            if let Some(Event::Bytes(bytes)) = is_due.then(|| wire.script.pop_front()).flatten() {
                wire.arrive(bytes);
            }
        }
    }

    fn plan(&self) -> &Plan {
        &self.0.0
    }
}

/// The address that stands for a connection's number.
fn address(index: usize) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, u16::try_from(index + 1).expect("no input opens so many")).into()
}

/// The number of the connection that has this address.
pub(crate) fn index(address: SocketAddr) -> usize {
    usize::from(address.port()) - 1
}

impl Connect for World {
    fn connect(&self, target: &Target<'_>, _: Deadline, _: &CancelToken) -> Result<Box<dyn Stream>> {
        let mut wires = self.wires();
        let index = wires.len();
        let script = &self.plan().scripts[index % self.plan().scripts.len()];
        let is_default = target.port() == if target.is_https() { 443 } else { 80 };
        let host = if target.host().contains(':') { format!("[{}]", target.host()) } else { target.host().to_owned() };
        wires.push(Wire {
            authority: if is_default { host } else { format!("{host}:{}", target.port()) },
            script: script.iter().cloned().collect(),
            again: script.clone(),
            is_dropped: self.plan().refuse == Some(index),
            ..Wire::default()
        });
        if self.plan().refuse == Some(index) {
            return Err(Error::from_io(longwire::ErrorKind::Connect, "refused", ErrorKind::ConnectionRefused.into()));
        }
        Ok(Box::new(Near { world: self.clone(), index }))
    }
}

/// The client's end of a connection.
struct Near {
    world: World,
    index: usize,
}

/// Nothing is going to happen at once: a little time passes, and the client looks at its clock.
fn tick<T>(done: io::Result<T>) -> io::Result<T> {
    if matches!(&done, Err(error) if error.kind() == ErrorKind::WouldBlock) {
        thread::sleep(TICK);
    }
    done
}

impl Read for Near {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.world.wires()[self.index].read(into);
        tick(read)
    }
}

impl Write for Near {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.world.wires()[self.index].write(bytes, self.world.plan());
        tick(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Near {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.world.wires()[self.index].read(into)
    }

    fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        assert!(read != Some(Duration::ZERO) && write != Some(Duration::ZERO), "never zero");
        Ok(())
    }

    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        None
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        Some(address(self.index))
    }

    /// There is no TLS in these worlds, in whatever build.
    fn is_secure(&self) -> bool {
        true
    }
}

impl Drop for Near {
    fn drop(&mut self) {
        self.world.wires()[self.index].is_dropped = true;
    }
}
