//! The server that goes wrong by plan. It listens on several addresses of loopback, counts what
//! it did and each POST that it has received to its end, and answers `/ledger` with those counts.
//!
//! No port is left in TIME_WAIT on the client's side: where the client closes first, the server
//! answers its FIN with a byte, which the client's kernel answers with RST.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::plan::{self, Aftermath, Ask, Fault, Framing, HOSTS, Plan, Random};

/// How long a connection waits for the client's next move.
const LIMIT: Duration = Duration::from_secs(30);

/// How long one that has sent its last byte waits for the client to close first.
const LINGER: Duration = Duration::from_millis(500);

/// How long the books may take to be quiet before they are shown, or closed.
const QUIET_LIMIT: Duration = Duration::from_secs(20);

/// What the server knows, over all its connections.
pub(crate) struct Books {
    seed: u64,
    addresses: Vec<SocketAddr>,
    stopping: AtomicBool,
    live: AtomicUsize,
    /// How often each request's head came, at its last hop.
    arrivals: Vec<AtomicU8>,
    /// How often each POST was received to its end, at its last hop.
    posts: Vec<AtomicU8>,
    /// The same at the hop that led there.
    first_posts: Vec<AtomicU8>,
    /// Uploads received to their end that were not what was to be sent.
    pub(crate) wrong_uploads: AtomicU64,
    connections: AtomicU64,
    faults: Mutex<BTreeMap<String, u64>>,
}

impl Books {
    fn note(&self, fault: impl std::fmt::Debug) {
        let mut faults = self.faults.lock().expect("no thread panics with the counts");
        *faults.entry(format!("{fault:?}")).or_default() += 1;
    }

    /// What went wrong how often.
    pub(crate) fn faults(&self) -> BTreeMap<String, u64> {
        self.faults.lock().expect("no thread panics with the counts").clone()
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    /// The requests that came, or were received, more often than `times`.
    pub(crate) fn more_than(&self, times: u8) -> MoreThan {
        let count = |all: &[AtomicU8]| all.iter().filter(|count| count.load(Ordering::SeqCst) > times).count();
        MoreThan { arrivals: count(&self.arrivals), posts: count(&self.posts) + count(&self.first_posts) }
    }

    /// Waits until no more than `live` connections are served; returns whether that came to be.
    fn wait_quiet(&self, live: usize) -> bool {
        let end = Instant::now() + QUIET_LIMIT;
        while self.live.load(Ordering::SeqCst) > live {
            if Instant::now() > end {
                return false;
            }
            thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// One byte for each request: how often it was received as a POST at its last hop.
    fn ledger(&self) -> Vec<u8> {
        let quiet = self.wait_quiet(1);
        let posts: Vec<u8> = self.posts.iter().map(|count| count.load(Ordering::SeqCst)).collect();
        let status = if quiet { "200 OK" } else { "503 Service Unavailable" };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", posts.len());
        [head.as_bytes(), &posts].concat()
    }
}

/// How many requests were seen more often than they may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MoreThan {
    pub(crate) arrivals: usize,
    pub(crate) posts: usize,
}

pub(crate) struct Server {
    pub(crate) books: Arc<Books>,
    accepting: Vec<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(seed: u64, requests: usize) -> Server {
        let listeners: Vec<TcpListener> = (1..=HOSTS as u8)
            .map(|last| TcpListener::bind((format!("127.0.0.{last}"), 0)).expect("an address of loopback"))
            .collect();
        let counters = || (0..requests).map(|_| AtomicU8::new(0)).collect();
        let addresses = listeners.iter().map(|listener| listener.local_addr().expect("it is bound"));
        let books = Arc::new(Books {
            seed,
            addresses: addresses.collect(),
            stopping: AtomicBool::new(false),
            live: AtomicUsize::new(0),
            arrivals: counters(),
            posts: counters(),
            first_posts: counters(),
            wrong_uploads: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            faults: Mutex::default(),
        });
        let accept = |listener| {
            let books = Arc::clone(&books);
            thread::spawn(move || accept_all(&listener, &books))
        };
        let accepting = listeners.into_iter().map(accept).collect();
        Server { books, accepting }
    }

    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.books.addresses
    }

    /// Ends it; whether all its connections have ended.
    pub(crate) fn stop(mut self) -> (Arc<Books>, bool) {
        self.books.stopping.store(true, Ordering::SeqCst);
        let quiet = self.books.wait_quiet(0);
        for address in &self.books.addresses {
            let _ = TcpStream::connect(address); // wakes `accept`
        }
        for thread in self.accepting.drain(..) {
            thread.join().expect("accepting does not panic");
        }
        (self.books, quiet)
    }
}

fn accept_all(listener: &TcpListener, books: &Arc<Books>) {
    loop {
        let accepted = listener.accept();
        if books.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok((stream, _)) = accepted else { continue };
        books.connections.fetch_add(1, Ordering::SeqCst);
        books.live.fetch_add(1, Ordering::SeqCst);
        let books = Arc::clone(books);
        thread::spawn(move || {
            if let Some(conn) = Conn::new(stream) {
                serve(conn, &books);
            }
            books.live.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// What becomes of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Keep,
    /// FIN.
    Close,
    Reset,
    /// The client closes first, and soon.
    Linger,
}

fn serve(mut conn: Conn, books: &Books) {
    while let Some(request) = conn.head() {
        match answer(&mut conn, &request, books) {
            End::Keep => {}
            End::Close => return conn.close(),
            End::Reset => return drop(conn),
            End::Linger => {
                conn.wait_closed(LINGER);
                return conn.close();
            }
        }
    }
}

fn answer(conn: &mut Conn, request: &Request, books: &Books) -> End {
    if request.target == "/ledger" {
        conn.send(&books.ledger());
        return End::Keep;
    }
    let words = request.target.trim_start_matches('/').split_once('/');
    let Some((hop, Ok(id))) = words.map(|(hop, id)| (hop, id.parse::<u64>())) else { return End::Close };
    let plan = Plan::of(books.seed, id);
    if hop == "first" { lead_on(conn, request, &plan, books) } else { answer_plan(conn, request, plan, books) }
}

/// The hop before the last one: whatever came is sent on, to the same origin or another.
fn lead_on(conn: &mut Conn, request: &Request, plan: &Plan, books: &Books) -> End {
    let Some(body) = conn.body(request) else { return End::Close };
    received(&books.first_posts, request, &body, plan, books);
    let Fault::Redirect(status) = plan.fault else { return End::Close };
    books.note(plan.fault);
    let target = books.addresses[(plan.host + (plan.seed % 3) as usize) % HOSTS];
    let text = "elsewhere".repeat((plan.seed % 50) as usize);
    let location = format!("http://{target}/last/{}", plan.id);
    let length = text.len();
    conn.send(
        format!("HTTP/1.1 {status} R\r\nLocation: {location}\r\nContent-Length: {length}\r\n\r\n{text}").as_bytes(),
    );
    End::Keep
}

/// A request has been received to its end: that is when a POST is processed.
fn received(posts: &[AtomicU8], request: &Request, body: &[u8], plan: &Plan, books: &Books) {
    if request.method == "POST" {
        posts[plan.id as usize].fetch_add(1, Ordering::SeqCst);
    }
    if request.has_body() && body != plan::filling(plan.id, plan.upload_bytes) {
        books.wrong_uploads.fetch_add(1, Ordering::SeqCst);
    }
}

fn answer_plan(conn: &mut Conn, request: &Request, mut plan: Plan, books: &Books) -> End {
    let before = books.arrivals[plan.id as usize].fetch_add(1, Ordering::SeqCst);
    if before > 0 || plan.fault.is_redirect() {
        plan.fault = Fault::None; // asked again: now it goes well
    }
    if plan.fault != Fault::None {
        books.note(plan.fault);
    }
    if let Some(end) = answer_early(conn, request, &plan, books) {
        return end;
    }
    let Some(body) = conn.body(request) else { return End::Close };
    received(&books.posts, request, &body, &plan, books);
    match plan.fault {
        Fault::Mute => End::Close,
        Fault::MuteReset => End::Reset,
        fault if fault.outlasts() => outlast(conn, &plan),
        _ => answer_whole(conn, &plan, books),
    }
}

/// Answers that do not wait for the upload.
fn answer_early(conn: &mut Conn, request: &Request, plan: &Plan, books: &Books) -> Option<End> {
    let then_read = |conn: &mut Conn| match conn.body(request) {
        Some(body) => {
            received(&books.posts, request, &body, plan, books);
            Some(End::Keep)
        }
        None => Some(End::Close),
    };
    match plan.fault {
        Fault::NeverReads => {
            thread::sleep(plan.timeout + Duration::from_millis(100));
            Some(End::Reset)
        }
        Fault::TooLargeReset => {
            conn.send(&Answer::of(plan, "413 Content Too Large").bytes);
            Some(End::Reset)
        }
        Fault::TooLargeClose => {
            conn.send(&Answer::of(plan, "413 Content Too Large").bytes);
            let _ = conn.stream.shutdown(Shutdown::Write);
            conn.wait_closed(LIMIT);
            Some(End::Close)
        }
        Fault::TooLargeReadsOn => {
            conn.send(&Answer::of(plan, "413 Content Too Large").bytes);
            then_read(conn)
        }
        Fault::EarlyOk => {
            conn.send(&Answer::of(plan, "200 OK").bytes);
            then_read(conn)
        }
        _ => None,
    }
}

/// Is slow for longer than the request has time, or until the client has gone.
fn outlast(conn: &mut Conn, plan: &Plan) -> End {
    const GAP: Duration = Duration::from_millis(10);
    let answer = Answer::of(plan, "200 OK");
    let end = Instant::now() + plan.timeout * 2 + Duration::from_secs(1);
    match plan.fault {
        Fault::SilentInHead => drop(conn.send(&answer.bytes[..answer.head_bytes / 2])),
        Fault::SilentInBody => drop(conn.send(&answer.bytes[..answer.bytes.len() - 1])),
        Fault::DrippingHead => {
            conn.send(b"HTTP/1.1 200 OK\r\nX-Fill: ");
            while Instant::now() < end && conn.send(b"x") {
                thread::sleep(GAP);
            }
        }
        Fault::DrippingBody => {
            conn.send(&answer.bytes[..answer.head_bytes]);
            let mut bytes = answer.bytes[answer.head_bytes..answer.bytes.len() - 1].chunks(1);
            while Instant::now() < end && bytes.next().is_some_and(|byte| conn.send(byte)) {
                thread::sleep(GAP);
            }
        }
        _ => {}
    }
    conn.wait_closed(LIMIT);
    End::Close
}

/// A response, whole or broken, to a request that was received.
fn answer_whole(conn: &mut Conn, plan: &Plan, books: &Books) -> End {
    let mut random = Random::new(plan.seed);
    let answer = Answer::of(plan, if plan.fault == Fault::NoContent { "204 No Content" } else { "200 OK" });
    let bytes = &answer.bytes;
    match plan.fault {
        Fault::CutHead => {
            conn.send(&bytes[..random.between(1, answer.head_bytes - 1)]);
            return End::Close;
        }
        Fault::CutBody => {
            conn.send(&bytes[..random.between(answer.head_bytes, bytes.len() - 1)]);
            return End::Close;
        }
        Fault::ResetBody => {
            conn.send(&bytes[..random.between(answer.head_bytes, bytes.len() - 1)]);
            return End::Reset;
        }
        Fault::Interim => {
            let one = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
            conn.send(one.repeat(random.between(1, 8)).as_bytes());
            conn.send(bytes);
        }
        Fault::Drip => {
            for piece in bytes.chunks(bytes.len().div_ceil(random.between(2, 12))) {
                conn.send(piece);
                thread::sleep(Duration::from_millis(random.between(0, 4) as u64));
            }
        }
        Fault::Late => {
            let early = Duration::from_millis(random.between(0, 30) as u64);
            thread::sleep((plan.timeout + Duration::from_millis(10)).saturating_sub(early));
            conn.send(bytes);
        }
        _ if plan.aftermath == Aftermath::StrayAnswer => {
            let stray =
                Answer::of(&Plan { id: plan.id ^ 1, ask: Ask::Get, fault: Fault::None, ..plan.clone() }, "200 OK");
            conn.send(&[&bytes[..], &stray.bytes].concat());
        }
        _ => drop(conn.send(bytes)),
    }
    follow_up(conn, plan, &mut random, books)
}

/// What comes after the response.
fn follow_up(conn: &mut Conn, plan: &Plan, random: &mut Random, books: &Books) -> End {
    if plan.framing == Framing::UntilClose && plan.ask != Ask::Head && plan.fault != Fault::NoContent {
        return End::Close;
    }
    if plan.aftermath != Aftermath::Keep {
        books.note(plan.aftermath);
    }
    match plan.aftermath {
        Aftermath::Keep | Aftermath::StrayAnswer => End::Keep,
        Aftermath::CloseSaid => End::Linger,
        Aftermath::CloseUnsaid => End::Close,
        Aftermath::ResetOnNext if conn.wait_readable() => End::Reset,
        Aftermath::ResetOnNext => End::Close,
        Aftermath::StrayLate => {
            thread::sleep(Duration::from_micros(random.between(0, 2_000) as u64));
            conn.send(b"STRAY BYTES\r\n\r\n");
            End::Keep
        }
    }
}

/// The bytes of a response.
struct Answer {
    bytes: Vec<u8>,
    head_bytes: usize,
}

impl Answer {
    fn of(plan: &Plan, status: &str) -> Answer {
        let content = plan::content(plan.id, plan.filling_bytes);
        let close = if plan.aftermath == Aftermath::CloseSaid { "Connection: close\r\n" } else { "" };
        let framing = match plan.framing {
            _ if plan.fault == Fault::NoContent => String::new(),
            Framing::Length => format!("Content-Length: {}\r\n", content.len()),
            Framing::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
            Framing::UntilClose => String::new(),
        };
        let mut bytes = format!("HTTP/1.1 {status}\r\nX-Id: {}\r\n{close}{framing}\r\n", plan.id).into_bytes();
        let head_bytes = bytes.len();
        if plan.ask != Ask::Head && plan.fault != Fault::NoContent {
            match plan.framing {
                Framing::Chunked => push_chunks(&mut bytes, &content, plan),
                Framing::Length | Framing::UntilClose => bytes.extend(content),
            }
        }
        Answer { bytes, head_bytes }
    }
}

fn push_chunks(bytes: &mut Vec<u8>, content: &[u8], plan: &Plan) {
    let mut random = Random::new(plan.seed);
    let mut rest = content;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(random.between(1, 6_000).min(rest.len()));
        let extension = if random.between(0, 9) == 0 { ";name=value" } else { "" };
        bytes.extend(format!("{:x}{extension}\r\n", chunk.len()).into_bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
        rest = after;
    }
    let bad = ["\r\n\r\n", "+0\r\n\r\n", " 0\r\n\r\n", "0x0\r\n\r\n", "0\n\n", "-0\r\n\r\n"];
    let good = ["0\r\n\r\n", "000\r\n\r\n", "0;last\r\n\r\n", "0\r\nX-Trailer: value\r\n\r\n"];
    let which = random.next() as usize;
    let last = if plan.fault == Fault::BadLastChunk { bad[which % bad.len()] } else { good[which % good.len()] };
    bytes.extend(last.as_bytes());
}

/// A request's head, as far as it matters here.
struct Request {
    method: String,
    target: String,
    length: Option<usize>,
    is_chunked: bool,
}

impl Request {
    fn parse(head: &[u8]) -> Request {
        let head = String::from_utf8_lossy(head);
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let mut request = Request { method: word(), target: word(), length: None, is_chunked: false };
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => request.length = value.parse().ok(),
                "transfer-encoding" => request.is_chunked = true,
                _ => {}
            }
        }
        request
    }

    fn has_body(&self) -> bool {
        self.is_chunked || self.length.is_some()
    }
}

/// An accepted connection. The last byte that was received stays in the kernel until more is asked
/// for: a socket closed with a byte unread sends RST, and std has no other way to that.
struct Conn {
    stream: TcpStream,
    received: Vec<u8>,
    room: Vec<u8>,
    is_byte_held: bool,
}

impl Conn {
    fn new(stream: TcpStream) -> Option<Conn> {
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(LIMIT)).ok()?;
        stream.set_write_timeout(Some(LIMIT)).ok()?;
        Some(Conn { stream, received: Vec::new(), room: vec![0; 64 * 1024], is_byte_held: false })
    }

    fn head(&mut self) -> Option<Request> {
        loop {
            if let Some(at) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.received.split_off(at + 4);
                return Some(Request::parse(&std::mem::replace(&mut self.received, rest)));
            }
            if !self.fill() {
                return None;
            }
        }
    }

    fn body(&mut self, request: &Request) -> Option<Vec<u8>> {
        if !request.is_chunked {
            return self.exactly(request.length.unwrap_or(0));
        }
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(&line, 16).ok()?;
            if size == 0 {
                return self.line()?.is_empty().then_some(body);
            }
            body.extend(self.exactly(size)?);
            self.line()?;
        }
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.received.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&self.received[..at]).into_owned();
                self.received.drain(..at + 2);
                return Some(line);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.received.len() < length {
            if !self.fill() {
                return None;
            }
        }
        let rest = self.received.split_off(length);
        Some(std::mem::replace(&mut self.received, rest))
    }

    /// Receives more. At the client's FIN it is sent a byte: see the top of the file.
    fn fill(&mut self) -> bool {
        self.take_held_byte();
        let length = loop {
            match self.stream.peek(&mut self.room) {
                Ok(0) => {
                    let _ = self.stream.write(b"!");
                    return false;
                }
                Ok(length) => break length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        };
        self.received.extend_from_slice(&self.room[..length]);
        self.is_byte_held = true;
        self.stream.read_exact(&mut self.room[..length - 1]).is_ok()
    }

    /// Waits until something of another request is here, and leaves it where it is.
    fn wait_readable(&mut self) -> bool {
        if !self.received.is_empty() {
            return true;
        }
        self.take_held_byte();
        let readable = matches!(self.stream.peek(&mut [0]), Ok(1));
        if !readable {
            let _ = self.stream.write(b"!");
        }
        readable
    }

    /// Forgets what comes until the client closes, or the time is up.
    fn wait_closed(&mut self, limit: Duration) {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stream.set_read_timeout(Some(left)).is_err() || !self.fill() {
                return;
            }
            self.received.clear();
        }
    }

    fn take_held_byte(&mut self) {
        if self.is_byte_held {
            let _ = self.stream.read(&mut [0]);
            self.is_byte_held = false;
        }
    }

    /// Returns whether the client took all of it.
    fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Closes with FIN.
    fn close(mut self) {
        self.take_held_byte();
    }
}
