//! A scripted raw server: what the far end of the wire does, byte by byte, as a closure says.
//!
//! Std only and bounded: every read and write gives up after [`LIMIT`], a script that waits is
//! woken when the [`Peer`] is dropped, and dropping it ends the listener and joins every thread.
//! A script that panics while the test still runs fails the test (when the `Peer` is dropped).
//!
//! ```ignore
//! let peer = Peer::start(|mut conn, index| {
//!     while let Some(request) = conn.request() {
//!         conn.send(ok(&format!("{index} {}", request.target)));
//!     }
//! });
//! client.get(peer.url("/a")).send()?;
//! assert_eq!(peer.connections(), 1);
//! ```
//!
//! It knows nothing of the crate under test: it may be used to try any client.
#![allow(dead_code, unreachable_pub)] // each test file uses a part of it

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a read, a write or a wait of a script may take before it gives up.
pub const LIMIT: Duration = Duration::from_secs(20);

/// How often a script that reads checks whether the peer was dropped, where `shutdown` does not wake
/// it (Windows).
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long a reset waits on Windows, so that the client waits for more by then: Windows may throw away
/// what was not read yet (RFC 9112 §9.6), and Wine reports a reset only to a client that waits
/// (`todo_wine` in `test_tcp_reset` of its dlls/ws2_32/tests/sock.c).
const RESET_PAUSE: Duration = Duration::from_millis(500);

/// How long a free port is waited for: a little more than TIME_WAIT.
const PORT_LIMIT: Duration = Duration::from_secs(70);

/// A head longer than this is not a request of ours.
const HEAD_BYTES_MAX: usize = 1 << 20;

/// Before a close at most this many reads of 4 KiB: a client that sends for ever is cut off.
const DRAIN_READS_MAX: u32 = 64;

/// What happened at the peer, in order over all its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection, numbered from 0, was accepted.
    Accepted(usize),
    /// A request head was read: its connection and its request line.
    Request(usize, String),
    /// The client was seen to close (or to reset) this connection.
    ClientClosed(usize),
    /// The peer itself has closed this connection (its script is over, or it was reset).
    Closed(usize),
    /// A script noted this with [`Conn::note`].
    Note(usize, String),
    /// The test signalled this with [`Peer::signal`].
    Signal(String),
}

/// The listener and the threads of its connections.
pub struct Peer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<Vec<JoinHandle<()>>>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stopping: bool,
    events: Vec<Event>,
    connections: usize,
    live: Vec<(usize, TcpStream)>,
    /// Connections whose script panicked while the test was still running.
    panicked: Vec<usize>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn record(&self, event: Event) {
        self.lock().events.push(event);
        self.changed.notify_all();
    }

    /// Waits until `done` holds, the peer stops, or `limit` is over; returns whether `done` holds.
    fn wait(&self, limit: Duration, mut done: impl FnMut(&State) -> bool) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            if done(&state) {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || state.stopping {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }
}

impl Peer {
    /// Listens on a free port of 127.0.0.1 and runs `script` on a thread of its own for each
    /// connection, with the connection and its number (0 is the first). When the script
    /// returns, the connection is closed as by [`Conn::close`].
    pub fn start<F>(script: F) -> Peer
    where
        F: Fn(Conn, usize) + Send + Sync + 'static,
    {
        let listener = listen();
        let address = listener.local_addr().expect("the listener's address");
        let shared = Arc::new(Shared { state: Mutex::new(State::default()), changed: Condvar::new() });
        let for_thread = Arc::clone(&shared);
        let accepting = thread::spawn(move || accept_all(&listener, &for_thread, Arc::new(script)));
        Peer { address, shared, accepting: Some(accepting) }
    }

    /// A peer that answers every request of every connection with the same bytes.
    pub fn answering(answer: impl Into<Vec<u8>>) -> Peer {
        let answer = answer.into();
        Peer::start(move |mut conn, _| {
            while conn.request().is_some() {
                conn.send(&answer);
            }
        })
    }

    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT` and the path, which starts with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// What the scripts have noted so far, on whatever connection.
    pub fn notes(&self) -> Vec<String> {
        let notes = self.events().into_iter().filter_map(|event| match event {
            Event::Note(_, text) => Some(text),
            _ => None,
        });
        notes.collect()
    }

    /// All that happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.shared.lock().events.clone()
    }

    /// The request lines so far, over all connections, in order of arrival.
    pub fn request_lines(&self) -> Vec<String> {
        let events = self.events();
        let lines = events.into_iter().filter_map(|event| match event {
            Event::Request(_, line) => Some(line),
            _ => None,
        });
        lines.collect()
    }

    /// Waits, at most [`LIMIT`], until this event has happened; it may have happened already.
    pub fn saw(&self, event: &Event) -> bool {
        self.shared.wait(LIMIT, |state| state.events.contains(event))
    }

    /// Waits, at most [`LIMIT`], until the events so far satisfy `done`.
    pub fn wait_until(&self, mut done: impl FnMut(&[Event]) -> bool) -> bool {
        self.shared.wait(LIMIT, |state| done(&state.events))
    }

    /// Signals something to the scripts: see [`Conn::was_signalled`].
    pub fn signal(&self, text: &str) {
        self.shared.record(Event::Signal(text.to_owned()));
    }

    /// Waits until the peer itself has closed connection `index`.
    pub fn has_closed(&self, index: usize) -> bool {
        self.saw(&Event::Closed(index))
    }

    /// Waits until a script has noted this on connection `index`.
    pub fn noted(&self, index: usize, text: &str) -> bool {
        self.saw(&Event::Note(index, text.to_owned()))
    }

    /// Waits until the client has closed connection `index`. Only a script that reads can see it.
    pub fn saw_close(&self, index: usize) -> bool {
        self.saw(&Event::ClientClosed(index))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let panicked = {
            let mut state = self.shared.lock();
            state.stopping = true;
            for (_, stream) in &state.live {
                let _ = stream.shutdown(Shutdown::Both);
            }
            std::mem::take(&mut state.panicked)
        };
        self.shared.changed.notify_all();
        let accepting = self.accepting.take().expect("taken only here");
        while !accepting.is_finished() {
            // Wakes `accept`, which then sees `stopping`; again where no port was free for it.
            let _ = TcpStream::connect(self.address);
            thread::sleep(Duration::from_millis(1));
        }
        for script in accepting.join().unwrap_or_default() {
            let _ = script.join();
        }
        if !panicked.is_empty() && !thread::panicking() {
            panic!("the peer's script panicked on connection {panicked:?}; its message is above");
        }
    }
}

/// Listens on a free port of 127.0.0.1. Where other tests have just used up all ports, closed
/// connections give theirs back within a minute (TIME_WAIT), which is waited for.
fn listen() -> TcpListener {
    let end = Instant::now() + PORT_LIMIT;
    loop {
        match TcpListener::bind(("127.0.0.1", 0)) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < end => {
                thread::sleep(Duration::from_millis(50));
            }
            bound => return bound.expect("bind to 127.0.0.1:0"),
        }
    }
}

/// The accepting thread: gives back the handles of the scripts it started.
fn accept_all<F>(listener: &TcpListener, shared: &Arc<Shared>, script: Arc<F>) -> Vec<JoinHandle<()>>
where
    F: Fn(Conn, usize) + Send + Sync + 'static,
{
    let mut scripts = Vec::new();
    loop {
        let accepted = listener.accept();
        let mut state = shared.lock();
        if state.stopping {
            return scripts;
        }
        let Ok((stream, _)) = accepted else { continue };
        let index = state.connections;
        state.connections += 1;
        let copy = stream.try_clone().expect("clone the accepted socket");
        state.live.push((index, copy));
        drop(state);
        shared.record(Event::Accepted(index));
        let conn = Conn::new(stream, index, Arc::clone(shared));
        let script = Arc::clone(&script);
        scripts.push(thread::spawn(move || script(conn, index)));
    }
}

/// A request as it came. Bytes above 0x7F are shown as latin-1 chars, one for one.
#[derive(Clone, Debug)]
pub struct Req {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    /// Empty after [`Conn::head`]; the content without its chunked coding after [`Conn::request`].
    pub body: Vec<u8>,
    /// The head as it came, with its empty line.
    pub raw_head: Vec<u8>,
}

impl Req {
    /// The first value of this header, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// How many lines this header has.
    pub fn count(&self, name: &str) -> usize {
        self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name)).count()
    }

    fn parse(raw_head: &[u8]) -> Req {
        let text: String = raw_head.iter().map(|&byte| char::from(byte)).collect();
        let mut lines = text.split("\r\n");
        let request_line = lines.next().unwrap_or("");
        let mut words = request_line.split(' ');
        let method = words.next().unwrap_or("").to_owned();
        let target = words.next().unwrap_or("").to_owned();
        let fields = lines.take_while(|line| !line.is_empty()).map(|line| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
        });
        let headers = fields.collect();
        Req { method, target, headers, body: Vec::new(), raw_head: raw_head.to_vec() }
    }
}

/// One accepted connection.
///
/// Received bytes are copied out by a *peek*, and the last byte of them stays in the kernel's
/// receive buffer until more is asked for. That is what lets [`Conn::reset`] work without
/// SO_LINGER, which std does not offer; [`Conn::close`] takes the byte first.
pub struct Conn {
    /// None only while it is dropped.
    stream: Option<TcpStream>,
    index: usize,
    shared: Arc<Shared>,
    /// Received, and not yet asked for.
    received: Vec<u8>,
    /// True if the last byte of what was received still lies in the kernel.
    byte_held: bool,
    /// How long a read waits.
    patience: Duration,
    close_noted: bool,
    /// Closed by [`Conn::reset`].
    reset: bool,
}

impl Conn {
    fn new(stream: TcpStream, index: usize, shared: Arc<Shared>) -> Conn {
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream.set_write_timeout(Some(LIMIT)).expect("a write timeout");
        let mut conn = Conn {
            stream: Some(stream),
            index,
            shared,
            received: Vec::new(),
            byte_held: false,
            patience: LIMIT,
            close_noted: false,
            reset: false,
        };
        conn.set_patience(LIMIT);
        conn
    }

    fn set_patience(&mut self, time: Duration) {
        self.patience = time;
        let tick = if cfg!(windows) { time.min(LOOK_EVERY) } else { time };
        let _ = self.stream().set_read_timeout(Some(tick));
    }

    /// Reads one whole request, its body by Content-Length or chunked.
    /// None when the client has closed, or [`LIMIT`] is over.
    pub fn request(&mut self) -> Option<Req> {
        let mut request = self.head()?;
        request.body = self.body(&request)?;
        Some(request)
    }

    /// Reads a request's head and leaves its body where it is.
    pub fn head(&mut self) -> Option<Req> {
        let mut searched = 0;
        let end = loop {
            let from = usize::saturating_sub(searched, 3);
            let found = self.received[from..].windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(at) = found {
                break from + at + 4;
            }
            searched = self.received.len();
            if searched > HEAD_BYTES_MAX || self.fill() == 0 {
                return None;
            }
        };
        let request = Req::parse(&self.take(end));
        let line = request.raw_head.split(|&byte| byte == b'\r').next().unwrap_or(b"");
        let line = String::from_utf8_lossy(line).into_owned();
        self.shared.record(Event::Request(self.index, line));
        Some(request)
    }

    /// Reads the body of a request whose head was read by [`Conn::head`].
    pub fn body(&mut self, request: &Req) -> Option<Vec<u8>> {
        let chunked = request.header("transfer-encoding").is_some();
        if chunked {
            return self.chunked_body();
        }
        let Some(length) = request.header("content-length") else {
            return Some(Vec::new());
        };
        let length: u64 = length.parse().expect("the client's Content-Length is a number");
        self.exactly(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn chunked_body(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or("");
            let size = usize::from_str_radix(digits, 16).expect("the client's chunk size is hex");
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Some(body);
            }
            body.extend(self.exactly(size)?);
            assert_eq!(self.line()?, "", "CR LF after a chunk");
        }
    }

    /// One line without its CR LF.
    fn line(&mut self) -> Option<String> {
        let at = loop {
            if let Some(at) = self.received.windows(2).position(|two| two == b"\r\n") {
                break at;
            }
            if self.fill() == 0 {
                return None;
            }
        };
        let mut line = self.take(at + 2);
        line.truncate(at);
        Some(String::from_utf8_lossy(&line).into_owned())
    }

    /// Reads exactly this many bytes; None when the client closes before.
    pub fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.received.len() < length {
            if self.fill() == 0 {
                return None;
            }
        }
        Some(self.take(length))
    }

    /// What one read gives: what was received and not yet asked for, else what comes next.
    /// Empty at the end, or when [`LIMIT`] is over.
    pub fn read_some(&mut self) -> Vec<u8> {
        if self.received.is_empty() {
            self.fill();
        }
        std::mem::take(&mut self.received)
    }

    /// Sends all of this. False when the client has closed (which is its right).
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream().write_all(bytes.as_ref()).is_ok()
    }

    /// Sends byte by byte, each in a write (and, without Nagle, a segment) of its own.
    pub fn send_bytewise(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        bytes.as_ref().chunks(1).all(|byte| self.send(byte))
    }

    /// Sends byte by byte with a pause between, until the client closes or the peer is dropped.
    pub fn drip(&mut self, bytes: impl AsRef<[u8]>, gap: Duration) -> bool {
        bytes.as_ref().chunks(1).all(|byte| self.send(byte) && !self.pause(gap))
    }

    /// Closes as an ordinary server does: FIN after what was sent. If the client is still
    /// sending, what it sends from now on is answered by the kernel with RST.
    pub fn close(self) {
        drop(self);
    }

    /// Ends our half: FIN after what was sent; reading goes on.
    pub fn half_close(&mut self) {
        let _ = self.stream().shutdown(Shutdown::Write);
    }

    /// Closes with RST, at once (but for Windows). Std has no SO_LINGER, so this closes the socket while a received
    /// byte lies unread in the kernel, which makes the kernel (of Linux, the BSDs, Windows) say
    /// RST instead of FIN. So something must have been read or have arrived before.
    pub fn reset(mut self) {
        if !self.byte_held {
            assert!(self.peek(&mut [0; 1]) == 1, "to reset, something must have been received");
        }
        if cfg!(windows) {
            self.pause(RESET_PAUSE);
        }
        self.reset = true; // the byte stays in the kernel: `drop` must not take it
    }

    /// Reads on, and forgets what comes, until the client has closed (true) or `limit` is over.
    pub fn wait_closed(&mut self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        while !self.close_noted {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.shared.lock().stopping {
                break;
            }
            self.set_patience(left);
            self.fill();
            self.received.clear();
        }
        self.set_patience(LIMIT);
        self.close_noted
    }

    /// Neither reads nor writes until `time` is over, or the peer is dropped (then true).
    pub fn pause(&self, time: Duration) -> bool {
        self.shared.wait(time, |state| state.stopping)
    }

    /// Stays open without reading until the test is done with the peer.
    pub fn hold(&self) {
        self.pause(LIMIT);
    }

    /// Passes on to `far` what the client sends, as `inward` makes it, and back what `far` sends, as
    /// `outward` does; the end of `far` is an empty slice. Until the client ends.
    pub fn relay(
        &mut self,
        mut far: &TcpStream,
        mut inward: impl FnMut(&[u8]) -> Vec<u8>,
        mut outward: impl FnMut(&[u8]) -> Vec<u8> + Send,
    ) {
        far.set_read_timeout(Some(LIMIT)).expect("a read timeout");
        far.set_write_timeout(Some(LIMIT)).expect("a write timeout");
        let mut near = self.stream().try_clone().expect("a copy of the socket");
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut bytes = vec![0; 64 * 1024];
                loop {
                    let count = (&mut &*far).read(&mut bytes).unwrap_or(0);
                    if near.write_all(&outward(&bytes[..count])).is_err() || count == 0 {
                        break;
                    }
                }
                let _ = near.shutdown(Shutdown::Write);
            });
            loop {
                let bytes = self.read_some();
                if bytes.is_empty() || far.write_all(&inward(&bytes)).is_err() {
                    break;
                }
            }
            let _ = far.shutdown(Shutdown::Both);
        });
    }

    /// Waits until the test has signalled this, with [`Peer::signal`].
    pub fn was_signalled(&self, text: &str) -> bool {
        let signal = Event::Signal(text.to_owned());
        self.shared.wait(LIMIT, |state| state.events.contains(&signal))
    }

    /// Waits until the events so far, of any connection, satisfy `done`.
    pub fn wait_until(&self, mut done: impl FnMut(&[Event]) -> bool) -> bool {
        self.shared.wait(LIMIT, |state| done(&state.events))
    }

    /// Returns whether the client sends nothing, and does not close, for so long.
    pub fn is_quiet(&mut self, time: Duration) -> bool {
        self.set_patience(time);
        let quiet = self.received.is_empty() && self.fill() == 0 && !self.close_noted;
        self.set_patience(LIMIT);
        quiet
    }

    /// Tells the test something.
    pub fn note(&self, text: impl Into<String>) {
        self.shared.record(Event::Note(self.index, text.into()));
    }

    fn stream(&self) -> &TcpStream {
        self.stream.as_ref().expect("it is there until dropped")
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.received.split_off(length);
        std::mem::replace(&mut self.received, rest)
    }

    /// Waits for more bytes and appends them; 0 at the end, on an error and when time is up.
    fn fill(&mut self) -> usize {
        self.take_held_byte();
        let mut bytes = vec![0; 64 * 1024];
        let length = self.peek(&mut bytes);
        if length > 0 {
            let read = self.stream().read_exact(&mut bytes[..length - 1]);
            read.expect("peeked bytes are there to be read");
            // What `read_exact` left of them is the last byte, which the peek has put in place.
            self.received.extend_from_slice(&bytes[..length]);
            self.byte_held = true;
        }
        length
    }

    fn peek(&mut self, bytes: &mut [u8]) -> usize {
        let end = Instant::now() + self.patience;
        loop {
            match self.stream().peek(bytes) {
                Ok(0) => self.note_close(),
                Ok(length) => return length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if is_timeout(&error) && Instant::now() < end && !self.shared.lock().stopping => continue,
                Err(error) if is_timeout(&error) => {}
                Err(_) => self.note_close(),
            }
            return 0;
        }
    }

    fn note_close(&mut self) {
        if !self.close_noted {
            self.close_noted = true;
            self.shared.record(Event::ClientClosed(self.index));
        }
    }

    fn take_held_byte(&mut self) {
        if self.byte_held {
            let _ = self.stream().read(&mut [0; 1]);
            self.byte_held = false;
        }
    }

    /// Takes what has arrived, without waiting, so that the close sends FIN and not RST.
    fn drain_arrived(&mut self) {
        self.take_held_byte();
        if self.stream().set_nonblocking(true).is_ok() {
            let mut bytes = [0; 4096];
            let mut turns = 0..DRAIN_READS_MAX;
            while turns.next().is_some() && matches!(self.stream().read(&mut bytes), Ok(1..)) {}
        }
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        if !self.reset {
            self.drain_arrived();
        }
        let mut state = self.shared.lock();
        // Here, and not where the thread is joined: the client must not see the close before.
        if thread::panicking() && !state.stopping {
            state.panicked.push(self.index);
        }
        // The socket closes when its last copy goes: the one kept for `Peer::drop`, then ours.
        state.live.retain(|(index, _)| *index != self.index);
        drop(state);
        self.stream = None;
        self.shared.record(Event::Closed(self.index));
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// An address of 127.0.0.1 that refuses connections for as long as this lives. (The port of a
/// listener that has gone may be given to another test's listener at once; this one is taken: by
/// the near end of a connection, where nothing listens.)
pub struct Refusing {
    near: TcpStream,
    _listener: TcpListener,
}

impl Refusing {
    pub fn start() -> Refusing {
        let listener = listen();
        let address = listener.local_addr().expect("the listener's address");
        let near = TcpStream::connect(address).expect("connect to ourselves");
        Refusing { near, _listener: listener }
    }

    pub fn addr(&self) -> SocketAddr {
        self.near.local_addr().expect("the near end's address")
    }
}

/// A complete response: status 200, Content-Length, this body.
pub fn ok(body: &str) -> String {
    answer("200 OK", "", body)
}

/// A complete response with this status line end ("404 Not Found"), these field lines (each with
/// its CR LF), the Content-Length of the body, and the body.
pub fn answer(status: &str, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len())
}
