//! One connection to the server in memory: a queue of steps towards the client, a reader of what it
//! sends, and a condition variable for those who wait.
//!
//! The queue is played by the client's own reads. A step that is not due (a pause, a request that is
//! not whole yet, silence) holds back all that follows it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use longwire::transport::Stream;

use super::reply::{Fault, Reply, Step, Then};
use super::request::Reader;
use super::{Connection, Script, Transport};

/// The client's end.
pub(super) struct ScriptedStream {
    shared: Arc<Shared>,
    script: Script,
    transport: Transport,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    /// Counts reads and writes, where they are interrupted.
    calls: u32,
}

struct Shared {
    state: Mutex<State>,
    /// Notified when a cancel has shut the connection down.
    changed: Condvar,
}

struct State {
    connection: usize,
    list: VecDeque<Reply>,
    queue: VecDeque<Step>,
    /// When the pause at the head of the queue ends, once it has begun.
    pause_end: Option<Instant>,
    /// The request being received, and where it is in the record.
    reader: Option<Reader>,
    record_index: Option<usize>,
    /// The method of the request being answered.
    method: String,
    /// Requests whose head is there, and those that are whole.
    heads: usize,
    complete: usize,
    /// The reply to the request being received came from the list.
    is_listed: bool,
    /// As much of it is received, and what happens then.
    limit: Option<(u64, Then)>,
    /// The connection has ended: reads give `Ok(0)`, writes fail.
    is_over: bool,
    /// The server takes no more: what it sends does not wait for the rest of the request.
    is_deaf: bool,
    /// A cancel has shut it down.
    is_shut: bool,
}

/// What a read or a write has come to.
enum Outcome {
    Done(io::Result<usize>),
    /// Nothing can be done before something changes, or this moment has come.
    Wait(Option<Instant>),
}

impl ScriptedStream {
    pub(super) fn new(script: Script, index: usize, transport: Transport, connection: Connection) -> ScriptedStream {
        let state = State {
            connection: index,
            list: connection.exchanges,
            queue: connection.greeting.map(|greeting| greeting.steps.into()).unwrap_or_default(),
            pause_end: None,
            reader: None,
            record_index: None,
            method: String::new(),
            heads: 0,
            complete: 0,
            is_listed: false,
            limit: None,
            is_over: false,
            is_deaf: false,
            is_shut: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        ScriptedStream { shared, script, transport, read_timeout: None, write_timeout: None, calls: 0 }
    }

    /// Fails two calls out of three, where that is wanted.
    fn interrupt(&mut self) -> io::Result<()> {
        self.calls += u32::from(self.transport.interrupts);
        match self.calls % 3 {
            1 => Err(ErrorKind::Interrupted.into()),
            2 => Err(ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    }

    fn read_once(&mut self, into: &mut [u8], state: &mut State, is_waiting: bool) -> Outcome {
        let room = into.len().min(self.transport.read_bytes_max);
        let outcome = state.read(&mut into[..room], is_waiting);
        if let Outcome::Done(Ok(count)) = &outcome {
            self.script.lock().record.bytes_sent += *count as u64;
        }
        outcome
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does this until it is done, or the time is up.
    fn wait(&self, timeout: Option<Duration>, mut act: impl FnMut(&mut State) -> Outcome) -> io::Result<usize> {
        let mut state = self.lock();
        let mut end = None;
        loop {
            let until = match act(&mut state) {
                Outcome::Done(result) => return result,
                Outcome::Wait(until) => until,
            };
            let now = Instant::now();
            let end = *end.get_or_insert_with(|| timeout.and_then(|timeout| now.checked_add(timeout)));
            if end.is_some_and(|end| end <= now) {
                return Err(ErrorKind::WouldBlock.into());
            }
            state = match [until, end].into_iter().flatten().min() {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let wait = self.changed.wait_timeout(state, until.saturating_duration_since(now));
                    wait.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

impl State {
    /// Plays the queue up to the first bytes, or to where it is held back.
    fn read(&mut self, into: &mut [u8], is_waiting: bool) -> Outcome {
        while !self.is_over {
            if !self.is_due(is_waiting) {
                return if self.is_shut { Outcome::Done(Ok(0)) } else { Outcome::Wait(self.pause_end) };
            }
            match self.queue.front_mut() {
                Some(Step::Bytes(bytes)) if bytes.left > 0 => return Outcome::Done(Ok(bytes.take(into))),
                Some(Step::Message(message)) => {
                    let bytes = message.to_bytes(&self.method);
                    self.queue[0] = Step::Bytes(bytes);
                    continue;
                }
                Some(Step::Close) => self.is_over = true,
                Some(Step::Fail(fault)) => {
                    self.is_over = true;
                    return Outcome::Done(Err(fault.error()));
                }
                _ => self.pause_end = None, // what was waited for, or bytes that were all read
            }
            self.queue.pop_front();
        }
        Outcome::Done(Ok(0))
    }

    /// Returns whether the first step can be played now: what it waits for has happened.
    fn is_due(&mut self, is_waiting: bool) -> bool {
        match self.queue.front() {
            Some(Step::Head(exchange)) => self.heads > *exchange || self.is_deaf,
            Some(Step::Whole(exchange)) => self.complete > *exchange || self.is_deaf,
            Some(Step::Pause(pause)) => {
                let now = Instant::now();
                *self.pause_end.get_or_insert(now + *pause) <= now
            }
            Some(Step::Awaited) => is_waiting,
            Some(Step::Silence | Step::Stale) | None => false,
            Some(_) => true,
        }
    }

    /// Takes as much of what is written as the server does.
    fn write(&mut self, bytes: &[u8], script: &Script) -> Outcome {
        if self.is_over || self.is_shut {
            return Outcome::Done(Err(ErrorKind::BrokenPipe.into()));
        }
        if let Some(stale) = self.queue.iter_mut().find(|step| matches!(step, Step::Stale)) {
            *stale = Step::Fail(Fault::Kind(ErrorKind::ConnectionReset));
        }
        if self.reader.is_none() && self.queue.iter().any(Step::is_end) {
            return Outcome::Done(Ok(bytes.len())); // the server is gone, and the client does not know it yet
        }
        if self.reader.is_none() {
            self.begin_request();
        }
        let received = self.reader.as_ref().map_or(0, |reader| reader.received);
        let room = match self.limit {
            Some((limit, then)) if received >= limit => return self.refuse(then),
            Some((limit, _)) => usize::try_from(limit - received).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        let count = self.receive(&bytes[..bytes.len().min(room)], script);
        Outcome::Done(Ok(count))
    }

    /// The first bytes of a request have come: where the connection has a list, its reply is known.
    fn begin_request(&mut self) {
        self.reader = Some(Reader::new(self.connection, self.heads));
        self.record_index = None;
        self.limit = None;
        let listed = self.list.pop_front();
        self.is_listed = listed.is_some();
        listed.into_iter().for_each(|reply| self.enqueue(reply));
    }

    fn enqueue(&mut self, reply: Reply) {
        self.limit = reply.receives;
        self.queue.extend(reply.into_steps(self.complete));
    }

    /// The server takes no more of the request.
    fn refuse(&mut self, then: Then) -> Outcome {
        let was_deaf = std::mem::replace(&mut self.is_deaf, true);
        match then {
            Then::Stalls => Outcome::Wait(None),
            Then::Resets if !was_deaf => Outcome::Done(Err(ErrorKind::ConnectionReset.into())),
            Then::Closes | Then::Resets => Outcome::Done(Err(ErrorKind::BrokenPipe.into())),
        }
    }

    /// Takes bytes of the request up to its end, and returns how many they were.
    fn receive(&mut self, bytes: &[u8], script: &Script) -> usize {
        let mut reader = self.reader.take().expect("the request has begun");
        let progress = {
            let mut script = script.lock();
            let seen = self.record_index.and_then(|index| script.record.requests.get_mut(index));
            let progress = reader.take(bytes, seen);
            script.record.bytes_received += progress.used as u64;
            progress
        };
        if let Some(seen) = progress.head {
            self.heads += 1;
            seen.method().clone_into(&mut self.method);
            let reply = (!self.is_listed).then(|| script.answer(&seen));
            self.record_index = script.record(seen);
            reply.into_iter().for_each(|reply| self.enqueue(reply));
        }
        if progress.is_complete {
            self.complete += 1;
        } else {
            self.reader = Some(reader);
        }
        progress.used
    }
}

impl Read for ScriptedStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.interrupt()?;
        let (shared, timeout) = (self.shared.clone(), self.read_timeout);
        shared.wait(timeout, |state| self.read_once(into, state, true))
    }
}

impl Write for ScriptedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.interrupt()?;
        let bytes = &bytes[..bytes.len().min(self.transport.write_bytes_max)];
        self.shared.wait(self.write_timeout, |state| state.write(bytes, &self.script))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for ScriptedStream {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let shared = self.shared.clone();
        match self.read_once(into, &mut shared.lock(), false) {
            Outcome::Done(result) => result,
            Outcome::Wait(_) => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        assert!(read != Some(Duration::ZERO) && write != Some(Duration::ZERO), "never zero");
        (self.read_timeout, self.write_timeout) = (read, write);
        Ok(())
    }

    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        let shared = self.shared.clone();
        Some(Box::new(move || {
            shared.lock().is_shut = true;
            shared.changed.notify_all();
        }))
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn is_secure(&self) -> bool {
        self.transport.is_secure
    }
}

impl Drop for ScriptedStream {
    fn drop(&mut self) {
        self.script.lock().record.closed += 1;
    }
}
