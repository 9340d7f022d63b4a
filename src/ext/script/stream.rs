//! One connection to the server in memory: a queue of steps towards the client, a reader of what it
//! sends, and a condition variable for those who wait.
//!
//! The queue is played by the client's own reads. A step that is not due (a pause, a request that is
//! not whole yet, silence) holds back all that follows it. What is answered to whom is `plan`'s.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::ext::script::plan::{Answer, Decision, Plan, Transport};
use crate::ext::script::reply::{Fault, Reply, Step, Then};
use crate::ext::script::seen::{Entry, Reader};
use crate::net::transport::Stream;

/// The client's end.
pub(super) struct ScriptedStream {
    shared: Arc<Shared>,
    plan: Arc<Plan>,
    transport: Transport,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    /// How to answer the request being received, once it has come whole.
    later: Option<Arc<dyn Answer>>,
}

/// Which connection it is, and what it does.
pub(super) struct Connection {
    pub(super) number: usize,
    /// The scheme, host and port that it was opened for.
    pub(super) origin: Arc<str>,
    /// Where its list of replies is, if it has one.
    pub(super) list: Option<usize>,
    pub(super) greeting: Option<Reply>,
    pub(super) transport: Transport,
}

struct Shared {
    state: Mutex<State>,
    /// Notified when a cancel has shut the connection down.
    changed: Condvar,
}

struct State {
    connection: usize,
    origin: Arc<str>,
    list: Option<usize>,
    queue: VecDeque<Step>,
    /// When the pause at the head of the queue ends, once it has begun.
    pause_end: Option<Instant>,
    /// The request being received.
    reader: Option<Reader>,
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
enum Outcome<T> {
    Done(io::Result<T>),
    /// Nothing can be done before something changes, or this moment has come.
    Wait(Option<Instant>),
}

/// What a write has brought.
struct Received {
    count: usize,
    /// The request whose head has ended.
    begun: Option<(Entry, Source)>,
    /// And the one that has ended.
    ended: Option<Entry>,
}

/// Where the reply to a request comes from.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    List,
    Rules,
}

impl ScriptedStream {
    pub(super) fn new(plan: Arc<Plan>, connection: Connection) -> ScriptedStream {
        let Connection { number, origin, list, greeting, transport } = connection;
        let state = State {
            connection: number,
            origin,
            list,
            queue: greeting.map(|greeting| greeting.steps.into()).unwrap_or_default(),
            pause_end: None,
            reader: None,
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
        ScriptedStream { shared, plan, transport, read_timeout: None, write_timeout: None, later: None }
    }

    /// Finds the replies to what was received. The connection is not locked meanwhile: that may take its time,
    /// and cancel this very request.
    fn answer(&mut self, received: Received) {
        if let Some((entry, source)) = received.begun {
            self.plan.lock().note_request(entry.clone());
            let decision = (source == Source::Rules).then(|| self.plan.decide(&entry.to_seen()));
            match decision {
                Some(Decision::Reply(reply)) => self.enqueue(reply),
                Some(Decision::Later(answer)) => self.later = Some(answer),
                None => {}
            }
        }
        let call = received.ended.and_then(|entry| self.later.take().map(|answer| (answer, entry)));
        if let Some((answer, entry)) = call {
            let reply = self.plan.answer(&*answer, &entry.to_seen());
            self.enqueue(reply);
        }
    }

    /// Sends a reply to the last request.
    fn enqueue(&self, reply: Reply) {
        let mut state = self.shared.lock();
        let exchange = state.heads.saturating_sub(1);
        state.enqueue(reply, exchange);
    }

    fn read_once(&self, into: &mut [u8], state: &mut State, is_waiting: bool) -> Outcome<usize> {
        let room = into.len().min(self.transport.read_bytes_max);
        let outcome = state.read(&mut into[..room], is_waiting);
        if let Outcome::Done(Ok(count)) = &outcome {
            self.plan.lock().history.bytes_sent += *count as u64;
        }
        outcome
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does this until it is done, or the time is up.
    fn wait<T>(&self, timeout: Option<Duration>, mut act: impl FnMut(&mut State) -> Outcome<T>) -> io::Result<T> {
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
    fn read(&mut self, into: &mut [u8], is_waiting: bool) -> Outcome<usize> {
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
                Some(Step::Close | Step::CloseIfAwaited) => self.is_over = true,
                Some(Step::Fail(fault)) => {
                    self.is_over = true;
                    return Outcome::Done(Err(fault.clone().into_error()));
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
                self.pause_end = self.pause_end.or_else(|| now.checked_add(*pause)); // or never
                self.pause_end.is_some_and(|end| end <= now)
            }
            Some(Step::Awaited | Step::CloseIfAwaited) => is_waiting,
            Some(Step::Silence | Step::Stale) | None => false,
            Some(_) => true,
        }
    }

    /// Takes as much of what is written as the server does.
    fn write(&mut self, bytes: &[u8], plan: &Plan) -> Outcome<Received> {
        if self.is_over || self.is_shut {
            return Outcome::Done(Err(ErrorKind::BrokenPipe.into()));
        }
        if let Some(stale) = self.queue.iter_mut().find(|step| matches!(step, Step::Stale)) {
            *stale = Step::Fail(Fault::Kind(ErrorKind::ConnectionReset));
        }
        if self.reader.is_none() && self.queue.iter().any(Step::is_end) {
            // The server is gone, and the client does not know it yet.
            return Outcome::Done(Ok(Received { count: bytes.len(), begun: None, ended: None }));
        }
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.begin_request(plan),
        };
        let room = match self.limit {
            Some((limit, then)) if reader.received >= limit => {
                self.reader = Some(reader);
                return self.refuse(then);
            }
            Some((limit, _)) => usize::try_from(limit - reader.received).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        Outcome::Done(self.receive(reader, &bytes[..bytes.len().min(room)], plan))
    }

    /// The first bytes of a request have come: where the connection has a list, its reply is known.
    fn begin_request(&mut self, plan: &Plan) -> Reader {
        self.limit = None;
        self.queue.retain(|step| !matches!(step, Step::CloseIfAwaited));
        let listed = self.list.and_then(|list| plan.lock().next_listed(list));
        self.is_listed = listed.is_some();
        listed.into_iter().for_each(|reply| self.enqueue(reply, self.complete));
        Reader::new(self.origin.clone(), self.connection, self.heads)
    }

    /// Sends a reply to the request with this number.
    fn enqueue(&mut self, reply: Reply, exchange: usize) {
        self.limit = reply.receives;
        self.queue.extend(reply.into_steps(exchange));
    }

    /// The server takes no more of the request.
    fn refuse(&mut self, then: Then) -> Outcome<Received> {
        let was_deaf = std::mem::replace(&mut self.is_deaf, true);
        match then {
            Then::Stalls => Outcome::Wait(None),
            Then::Resets if !was_deaf => Outcome::Done(Err(ErrorKind::ConnectionReset.into())),
            Then::Closes | Then::Resets => Outcome::Done(Err(ErrorKind::BrokenPipe.into())),
        }
    }

    /// Takes bytes of the request up to its end.
    fn receive(&mut self, mut reader: Reader, bytes: &[u8], plan: &Plan) -> io::Result<Received> {
        let progress = reader.take(bytes)?;
        plan.lock().history.bytes_received += progress.used as u64;
        let begun = progress.begun.map(|entry| {
            self.heads += 1;
            self.method = entry.method();
            let source = if self.is_listed { Source::List } else { Source::Rules };
            (entry, source)
        });
        match progress.ended {
            Some(_) => self.complete += 1,
            None => self.reader = Some(reader),
        }
        Ok(Received { count: progress.used, begun, ended: progress.ended })
    }
}

impl Read for ScriptedStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let timeout = self.read_timeout;
        self.shared.wait(timeout, |state| self.read_once(into, state, true))
    }
}

impl Write for ScriptedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(self.transport.write_bytes_max)];
        let plan = &self.plan;
        let received = self.shared.wait(self.write_timeout, |state| state.write(bytes, plan))?;
        let count = received.count;
        self.answer(received);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for ScriptedStream {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.read_once(into, &mut self.shared.lock(), false) {
            Outcome::Done(result) => result,
            Outcome::Wait(_) => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
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

    /// There is no network between.
    fn is_secure(&self) -> bool {
        true
    }
}

impl Drop for ScriptedStream {
    fn drop(&mut self) {
        self.plan.lock().history.closed += 1;
    }
}
