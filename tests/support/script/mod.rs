//! A server in memory: tests of HTTP code without a socket, a port or a thread.
//!
//! A [`Script`] says what the server does. It is a connector, so the whole client runs above it:
//! its pool, retries, redirects, limits and cancels. The server can also do what real servers do on
//! a bad day, at an exact byte: cut a reply, reset the connection, send a few bytes now and then or
//! nothing at all, stop reading, refuse connections, drop the ones that are idle.
//!
//! ```ignore
//! use longwire::ErrorKind;
//! use script::{Script, raw, reply};
//!
//! let script = Script::new()
//!     .on("GET /a", reply(200).header("X", "y").body("hello"))
//!     .on("GET /b", raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut").reset());
//! let client = script.client();
//! assert_eq!(client.get("http://anything/a").send()?.text()?, "hello");
//! assert_eq!(client.get("http://anything/b").send()?.bytes().unwrap_err().kind(), ErrorKind::Io);
//! assert_eq!(script.seen()[1].line(), "GET /b");
//! ```
//!
//! # How replies are chosen
//!
//! 1. By connection: a [`Connection`] lists what is answered on it, one reply a request, whatever
//!    is asked for. [`Script::connection`] gives such a list to the next connection that is opened.
//! 2. By request: where there is no such list, or it is used up, the rules of [`Script::on`] and
//!    [`Script::on_call`] are tried in the order in which they were added. Rules with the same text
//!    are used in turn, and the last of them again and again.
//! 3. A request without a rule is answered with 404 and a text that names it.
//!
//! A script without any rule refuses the connections for which it has no list.
//!
//! # Time
//!
//! Nothing here has a clock or a thread of its own. What comes next on a connection comes when the
//! client reads, and each piece of a reply is given by a read of its own. A read that has nothing to
//! give waits on a condition variable, for as long as [`Stream::set_timeouts`] allows, and so does a
//! write that the server does not take; a cancel wakes both. Where a [pause](Reply::pause) is over
//! sooner, so is the wait.

mod reply;
mod request;
mod stream;

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longwire::transport::{Connect, Deadline, Stream, Target};
use longwire::{CancelToken, Client, Error, ErrorKind, Result};

pub use reply::{Reply, Then, raw, reply};
pub use request::Seen;
use stream::ScriptedStream;

/// What a server in memory does: see the [module](self).
///
/// It is cheap to clone, and all clones are the same server: keep one to ask what it has
/// [seen](Script::seen), and give the other to [`ClientBuilder::connector`](longwire::ClientBuilder::connector).
///
/// ```ignore
/// let script = Script::new().on("*", reply(204));
/// let client = Client::builder().connector(script.clone()).max_idle_per_host(1).build();
/// assert_eq!(client.delete("http://host/file").send()?.status(), 204);
/// assert_eq!(script.seen()[0].line(), "DELETE /file");
/// ```
#[derive(Clone)]
pub struct Script(Arc<Mutex<State>>);

struct State {
    lists: VecDeque<Connection>,
    rules: Vec<Rule>,
    transport: Transport,
    keeps_record: bool,
    record: Record,
}

/// How bytes are moved.
#[derive(Clone, Copy)]
struct Transport {
    read_bytes_max: usize,
    write_bytes_max: usize,
    interrupts: bool,
    is_secure: bool,
}

/// What has happened so far.
#[derive(Default)]
struct Record {
    /// `host:port` of each connection opened, and their number.
    targets: Vec<String>,
    opened: usize,
    closed: usize,
    requests: Vec<Seen>,
    bytes_received: u64,
    bytes_sent: u64,
}

struct Rule {
    pattern: String,
    /// The last of them stays.
    answers: VecDeque<Answer>,
}

type AnswerFn = dyn Fn(&Seen) -> Reply + Send + Sync;

#[derive(Clone)]
enum Answer {
    Reply(Reply),
    Call(Arc<AnswerFn>),
}

impl Default for Script {
    fn default() -> Script {
        Script::new()
    }
}

impl Script {
    /// Creates a server that has no reply for anything yet: until it has a rule, it refuses every
    /// connection.
    pub fn new() -> Script {
        let transport =
            Transport { read_bytes_max: usize::MAX, write_bytes_max: usize::MAX, interrupts: false, is_secure: true };
        Script(Arc::new(Mutex::new(State {
            lists: VecDeque::new(),
            rules: Vec::new(),
            transport,
            keeps_record: true,
            record: Record::default(),
        })))
    }

    /// Creates a server that answers every request with the same reply.
    ///
    /// ```ignore
    /// let client = Script::answering(reply(200).body("always")).client();
    /// assert_eq!(client.get("http://host/").send()?.text()?, "always");
    /// ```
    pub fn answering(reply: Reply) -> Script {
        Script::new().on("*", reply)
    }

    /// Adds a rule: requests that match `pattern` are answered with `reply`.
    ///
    /// A pattern is `METHOD TARGET`, or the target alone for any method; the target is what stands in
    /// the request line (`/path?query`, or the whole URL where the server is a proxy). A `*` at its end
    /// stands for any rest: `GET /files/*`, `POST *`, and `*` for everything. Several rules with the
    /// same pattern are used in turn, and the last of them again and again.
    ///
    /// ```ignore
    /// let script = Script::new()
    ///     .on("GET /job", reply(503).header("Retry-After", "1"))
    ///     .on("GET /job", reply(200).body("done"))
    ///     .on("POST *", reply(201));
    /// let client = script.client();
    /// let statuses: Vec<u16> =
    ///     (0..3).map(|_| client.get("http://host/job").send().map(|job| job.status().as_u16())).collect::<Result<_>>()?;
    /// assert_eq!(statuses, [503, 200, 200]);
    /// ```
    pub fn on(self, pattern: &str, reply: Reply) -> Script {
        self.add_rule(pattern, Answer::Reply(reply))
    }

    /// Adds a rule as [`on`](Script::on) does, whose reply is computed from the request. The request is
    /// shown as soon as its head is there, so its body is empty.
    ///
    /// ```ignore
    /// let script = Script::new().on_call("*", |request| reply(200).body(request.target()));
    /// assert_eq!(script.client().get("http://host/echo").send()?.text()?, "/echo");
    /// ```
    pub fn on_call(self, pattern: &str, answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Script {
        self.add_rule(pattern, Answer::Call(Arc::new(answer)))
    }

    fn add_rule(self, pattern: &str, answer: Answer) -> Script {
        let mut state = self.lock();
        match state.rules.iter_mut().find(|rule| rule.pattern == pattern) {
            Some(rule) => rule.answers.push_back(answer),
            None => state.rules.push(Rule { pattern: pattern.to_owned(), answers: [answer].into() }),
        }
        drop(state);
        self
    }

    /// Gives a list of replies to the next connection that is opened and has none yet.
    ///
    /// ```ignore
    /// // The first connection dies under the second request; the retry gets its reply on another.
    /// let script = Script::new()
    ///     .connection(script::connection().exchange(reply(200).body("one")).exchange(raw("").reset()))
    ///     .on("*", reply(200).body("two"));
    /// let client = script.client();
    /// assert_eq!(client.get("http://host/").send()?.text()?, "one");
    /// assert_eq!(client.get("http://host/").send()?.text()?, "two");
    /// assert_eq!(script.connections().len(), 2);
    /// ```
    pub fn connection(self, connection: Connection) -> Script {
        self.lock().lists.push_back(connection);
        self
    }

    /// Sets how many bytes one read gives at most. There is no limit by default.
    ///
    /// # Panics
    /// If it is zero: that would be the end of the connection.
    pub fn read_max(self, bytes: usize) -> Script {
        assert!(bytes > 0, "a read that gives nothing is the end");
        self.lock().transport.read_bytes_max = bytes;
        self
    }

    /// Sets how many bytes one write takes at most. There is no limit by default.
    ///
    /// # Panics
    /// If it is zero: such a write is an error.
    pub fn write_max(self, bytes: usize) -> Script {
        assert!(bytes > 0, "a write that takes nothing is an error");
        self.lock().transport.write_bytes_max = bytes;
        self
    }

    /// Lets every read and every write fail twice before it does anything: by a signal
    /// ([`Interrupted`](io::ErrorKind::Interrupted)), and by a wait that was over too soon
    /// ([`WouldBlock`](io::ErrorKind::WouldBlock)).
    pub fn interrupted(self) -> Script {
        self.lock().transport.interrupts = true;
        self
    }

    /// Makes the connections insecure ones. By default they [are secure](Stream::is_secure), so that
    /// `https` URLs are served as they are, without TLS and in any build; insecure ones are refused for
    /// `https`, or get TLS put over them, which a script does not speak.
    pub fn insecure(self) -> Script {
        self.lock().transport.is_secure = false;
        self
    }

    /// Keeps no record of requests and connections but the counts of bytes, for runs so long that it would
    /// fill the memory.
    pub fn without_record(self) -> Script {
        self.lock().keeps_record = false;
        self
    }

    /// Returns a client that talks to this server, whatever host its URLs name. All else is as in
    /// [`Client::new`].
    pub fn client(&self) -> Client {
        Client::builder().connector(self.clone()).build()
    }

    /// Returns the requests so far, in the order in which their heads were complete.
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().record.requests.clone()
    }

    /// Returns `host:port` of each connection opened so far; refused ones do not count.
    pub fn connections(&self) -> Vec<String> {
        self.lock().record.targets.clone()
    }

    /// Returns how many of the connections the client has closed.
    pub fn closed(&self) -> usize {
        self.lock().record.closed
    }

    /// Returns how many bytes the client has sent on all connections.
    pub fn bytes_received(&self) -> u64 {
        self.lock().record.bytes_received
    }

    /// Returns how many bytes the client has read on all connections.
    pub fn bytes_sent(&self) -> u64 {
        self.lock().record.bytes_sent
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a request into the record, where there is one, and returns its place.
    fn record(&self, request: Seen) -> Option<usize> {
        let mut state = self.lock();
        let index = state.record.requests.len();
        state.keeps_record.then(|| state.record.requests.push(request))?;
        Some(index)
    }

    /// Finds the reply to a request that no list has one for.
    fn answer(&self, request: &Seen) -> Reply {
        let mut state = self.lock();
        let rule = state.rules.iter_mut().find(|rule| request.matches(&rule.pattern));
        let answer = rule.map(|rule| match rule.answers.len() {
            1 => rule.answers[0].clone(),
            _ => rule.answers.pop_front().expect("a rule has a response"),
        });
        drop(state); // a response that is computed may ask the script
        match answer {
            Some(Answer::Reply(reply)) => reply,
            Some(Answer::Call(call)) => call(request),
            None => reply(404).body(format!("no rule of the script is for {}\n", request.line())),
        }
    }
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.lock();
        let patterns: Vec<&str> = state.rules.iter().map(|rule| &*rule.pattern).collect();
        f.debug_struct("Script").field("rules", &patterns).field("seen", &state.record.requests).finish_non_exhaustive()
    }
}

impl Connect for Script {
    fn connect(&self, target: &Target<'_>, _: Deadline, _: &CancelToken) -> Result<Box<dyn Stream>> {
        let mut state = self.lock();
        let connection = match state.lists.pop_front() {
            Some(connection) => connection,
            None if state.rules.is_empty() => refused(),
            None => connection(),
        };
        if connection.is_refused {
            let refused = io::ErrorKind::ConnectionRefused.into();
            return Err(Error::from_io(ErrorKind::Connect, "the script refuses the connection", refused));
        }
        let index = state.record.opened;
        state.record.opened += 1;
        if state.keeps_record {
            state.record.targets.push(format!("{}:{}", target.host(), target.port()));
        }
        let transport = state.transport;
        drop(state);
        Ok(Box::new(ScriptedStream::new(self.clone(), index, transport, connection)))
    }
}

/// What is answered on one connection: for [`Script::connection`].
///
/// ```ignore
/// let busy = connection().greeting(raw("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n").close());
/// let script = Script::new().connection(busy).on("*", reply(200));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Connection {
    greeting: Option<Reply>,
    exchanges: VecDeque<Reply>,
    is_refused: bool,
}

/// Returns a connection whose list of replies is empty: then the rules answer.
pub fn connection() -> Connection {
    Connection::default()
}

/// Returns a connection that cannot be opened.
pub fn refused() -> Connection {
    Connection { is_refused: true, ..Connection::default() }
}

impl Connection {
    /// Sets what the server sends unasked, as soon as the connection is open.
    pub fn greeting(mut self, reply: Reply) -> Connection {
        self.greeting = Some(reply);
        self
    }

    /// Adds the reply to the next request on this connection. The rules answer those after the last.
    pub fn exchange(mut self, reply: Reply) -> Connection {
        self.exchanges.push_back(reply);
        self
    }
}
