//! A whole client, driven by any bytes against a peer that plays any bytes: what it promises must
//! hold, however the two are mixed.
//!
//! An input is the peer's scripts (see `peer.rs`) and, behind the last 0xFE if there is one, a
//! program: two bytes of settings, then one byte for each thing that the caller does.
//!
//! What must hold: no panic; nothing takes longer than it was told to; no byte that had arrived
//! before a request was written is in its response; a body that ends is complete, by a second
//! reader's count, and the same; after an error comes the same error and nothing else; requests
//! are whole and are sent once, or twice where twice is as once; the pool's books are right.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, Read};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use longwire::{Body, BodyEnd, CancelToken, Client, Error, Event, Fate, Method, Observer, Response, SendBody};

use super::peer::{Plan, Wire, World, index, scripts};
use super::reference::{self, End, Framing};

/// Steps that a program has at most.
const STEPS_MAX: usize = 24;

/// What any one call may take, whose own limits are a few milliseconds: generous, since a busy
/// machine is no bug, and far below a hang.
const CALL_MAX: Duration = Duration::from_secs(10);

/// What Basic auth makes of the password that some requests have.
const SECRET: &str = "dXNlcjpwYXNzd29yZA";

/// Whom the caller asks; everybody else comes by redirect.
const HOSTS: [&str; 2] = ["peer.example", "other.example:81"];

/// Bytes that a body is collected up to.
const COLLECT_BYTES_MAX: u64 = 1 << 20;

/// Two settings, and the steps: GET and read; GET and collect; HEAD; POST; a pause, so that the
/// next connection is probed; a large POST; a body left unread; a body read by its lines.
const PROGRAM: &[u8] =
    &[0, 0, 0x00, 0x19, 0x00, 0x0a, 0x01, 0x02, 0x0a, 0x0f, 0x03, 0x09, 0x00, 0x06, 0x0b, 0x00, 0x08, 0x29];

/// Plays one input.
pub(crate) fn play(input: &[u8]) {
    let (script, program) = match input.iter().rposition(|byte| *byte == 0xfe) {
        Some(at) if input.len() - at > 3 => (&input[..at], &input[at + 1..]),
        _ => (input, PROGRAM),
    };
    if says_the_secret(script) {
        return;
    }
    let mut caller = Caller::new(script, [program[0], program[1]]);
    for step in program[2..].iter().take(STEPS_MAX) {
        let started = Instant::now();
        caller.step(step & 15, usize::from(step >> 4));
        assert!(started.elapsed() < CALL_MAX, "step {step:#04x} took {:?}", started.elapsed());
        caller.check_requests();
    }
    caller.close();
}

/// Whether the peer itself says the password, whatever lies between its letters: then showing its
/// words proves nothing.
fn says_the_secret(script: &[u8]) -> bool {
    let letters: Vec<u8> = script.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
    letters.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
}

/// Is told what happens: nothing must be unprintable, and a connection that is used again must be
/// at a clean end.
struct Watcher {
    world: World,
    text: Mutex<String>,
}

impl Observer for Watcher {
    fn event(&self, event: &Event<'_>) {
        let mut text = self.text.lock().expect("a panic ends the run");
        text.clear();
        write!(text, "{event:?}").expect("a String takes everything");
        assert!(!text.contains(SECRET), "the password is shown");
        if let Event::Reused { peer: Some(peer), nth: exchange, .. } = event {
            check_reuse(&self.world.wires()[index(*peer)], *exchange as usize);
        }
    }
}

/// All requests so far are whole, all responses are whole, and nothing has arrived behind them.
fn check_reuse(wire: &Wire, exchange: usize) {
    assert_eq!(wire.requests.len(), exchange - 1, "requests on the connection");
    let mut at = 0;
    for request in &wire.requests {
        assert!(request.is_complete, "reused before the request was whole: {request:?}");
        let (body, framing) = final_head(wire, at, &request.method);
        let End::At(length) = reference::body(&wire.stream[body..], framing, false).end else {
            panic!("reused before the response was whole");
        };
        at = body + length;
    }
    assert_eq!((wire.stream.len(), wire.read), (at, at), "bytes have arrived behind the response");
    assert!(!wire.is_closed && !wire.is_reset, "the client knew that it was closed");
}

struct Caller {
    client: Client,
    world: World,
    /// Redirects are followed, so that requests are not what the caller asked for.
    follows: bool,
    /// Bodies in hand.
    held: [Option<Held>; 2],
    /// What was asked for, by number.
    asked: HashMap<usize, Asked>,
}

#[derive(Clone, Debug)]
struct Asked {
    method: &'static str,
    body: Vec<u8>,
}

/// A response in hand, and what was made of it.
struct Held {
    response: Response,
    token: CancelToken,
    wire: usize,
    exchange: usize,
    /// Where the head and the body begin in what arrived; not known where a redirect hides it.
    place: Option<Place>,
    got: Vec<u8>,
    failure: Option<String>,
}

#[derive(Clone, Copy)]
struct Place {
    head: usize,
    body: usize,
    framing: Framing,
}

fn said(error: &io::Error) -> String {
    format!("{:?}: {error}", error.kind())
}

impl Caller {
    fn new(script: &[u8], settings: [u8; 2]) -> Caller {
        let [one, two] = settings;
        let plan = Plan {
            scripts: scripts(script),
            write_bytes_max: [usize::MAX, 3000, 1009, 70_000][usize::from(one & 3)],
            break_after: [None, None, Some(20), Some(200), Some(70_000), Some(66_000), Some(1), None]
                [usize::from(two & 7)],
            stall_every: [None, None, Some(1), Some(3)][usize::from(two >> 3 & 3)],
            refuse: (two >> 5 & 3 == 3).then_some(1),
        };
        let never_writes = plan.stall_every == Some(1);
        let world = World::new(plan);
        let follows = one & 4 != 0;
        let mut builder = Client::builder()
            .connector(world.clone())
            .observer(Watcher { world: world.clone(), text: Mutex::default() })
            .buffer_size([8192, 512, 600, 4096][usize::from(one >> 3 & 3)])
            .max_redirects(if follows { 3 } else { 0 })
            .require_framing(one & 0x20 != 0)
            .connect_timeout(Duration::from_millis(3))
            .read_timeout(Duration::from_millis(2))
            .write_timeout(Duration::from_millis(if never_writes { 2 } else { 40 }))
            .max_idle_per_host(1);
        if one & 0x40 != 0 {
            builder = builder.timeout(Duration::from_millis(4));
        }
        if one & 0x80 != 0 {
            builder = builder.max_connections_per_host(1);
        }
        if two & 0x80 != 0 {
            builder = builder.max_head_size(600).max_headers(4).header_timeout(Duration::from_millis(1));
        }
        Caller { client: builder.build(), world, follows, held: [None, None], asked: HashMap::new() }
    }

    fn step(&mut self, step: u8, argument: usize) {
        let slot = argument & 1;
        match step {
            0..=5 => self.send(step, argument),
            12 => self.held[slot].iter().for_each(|held| held.token.cancel()),
            13 => self.client.close_idle(),
            15 => self.world.pass_time(Duration::from_micros(1200)), // idle for so long, a connection is probed
            _ => {
                let Some(mut held) = self.held[slot].take() else { return };
                match step {
                    6 => held.read(&mut [0; 7][..1 + argument / 2 % 7], &self.world),
                    7 => held.read(&mut vec![0; [9000, 600, 512, 1 << 17][argument / 2 % 4]], &self.world),
                    8 => held.lines([1, 100, usize::MAX, 0][argument / 2 % 4], &self.world),
                    9 => held.drain([9000, 100, 1000][argument / 2 % 3], &self.world),
                    10 => return held.collect(&self.world),
                    14 => return held.copy(&self.world),
                    _ => return, // dropped
                }
                self.held[slot] = Some(held);
            }
        }
    }

    fn send(&mut self, step: u8, argument: usize) {
        let (slot, number) = (argument & 1, self.asked.len());
        if argument & 2 != 0 {
            self.held[slot] = None;
        }
        let small = format!("the body of request {number}").into_bytes();
        let large = small.repeat(3500);
        let (method, body) = match step {
            1 => ("HEAD", Vec::new()),
            2 => ("POST", small),
            3 => ("POST", large),
            4 => ("PUT", if argument & 4 != 0 { large } else { small }),
            _ => ("GET", Vec::new()),
        };
        self.asked.insert(number, Asked { method, body: body.clone() });
        let token = CancelToken::new();
        let host = HOSTS[argument >> 3 & 1];
        let url = format!("http://{host}/{number}");
        let mut request = self.client.request(Method::new(method).expect("it is one"), url).cancel_token(&token);
        request = match (step, argument & 4) {
            (2 | 3, 0) => request.body(&body[..]),
            (2 | 3, _) => request.body(&body[..]).expect_continue(Duration::from_millis(1)),
            (4, 0) => request.body(SendBody::reader(&body[..])),
            (4, _) => request.body(SendBody::sized_reader(&body[..], body.len() as u64)),
            (5, _) => request.header("Upgrade", "other").header("Connection", "upgrade"),
            _ => request.basic_auth("user", Some("password")),
        };
        match request.send() {
            Ok(response) => self.held[slot] = self.check_response(response, token, number, step == 5),
            Err(error) => self.check_error(&error, number),
        }
    }

    fn check_error(&self, error: &Error, number: usize) {
        let text = format!("{error} {error:?}");
        assert!(!text.contains(SECRET), "the password is shown");
        if error.fate() == Fate::NotSent {
            assert_eq!(self.times_seen(number), 0, "it was sent: {error}");
        }
    }

    /// How often the peer has seen that request's first line.
    fn times_seen(&self, number: usize) -> usize {
        let target = format!("/{number}");
        self.world.wires().iter().flat_map(|wire| &wire.requests).filter(|request| request.target == target).count()
    }

    fn check_response(
        &self,
        response: Response,
        token: CancelToken,
        number: usize,
        upgrade_requested: bool,
    ) -> Option<Held> {
        let text = format!("{response:?} {:?} {:?}", response.reason(), response.redirects());
        assert!(!text.contains(SECRET), "the password is shown");
        assert!(self.follows || response.redirects().is_empty());
        let connection = response.connection();
        let wire = index(connection.peer_addr().expect("every connection here has one"));
        let exchange = connection.nth() as usize;
        let wires = self.world.wires();
        let place = self.place(&wires[wire], exchange, number, &response);
        drop(wires);
        let held = Held { response, token, wire, exchange, place, got: Vec::new(), failure: None };
        held.check(&self.world);
        if held.response.status().as_u16() == 101 {
            assert!(upgrade_requested, "a 101 that was not asked for");
            held.take_over(&self.world);
            return None;
        }
        Some(held)
    }

    /// Where the response lies in what arrived: behind complete responses to complete requests.
    fn place(&self, wire: &Wire, exchange: usize, number: usize, response: &Response) -> Option<Place> {
        let mut head = 0;
        for request in &wire.requests[..exchange - 1] {
            let (at, framing) = final_head(wire, head, &request.method);
            let End::At(length) = reference::body(&wire.stream[at..], framing, false).end else {
                panic!("reused before the response was whole");
            };
            head = at + length;
        }
        let asked = self.asked[&number].method;
        let request = wire.requests.get(exchange - 1).filter(|request| !request.method.is_empty());
        let method = match request {
            Some(request) if self.follows => &request.method,
            None if self.follows => return None, // the answer came before the request was understood
            Some(request) => {
                assert_eq!((&*request.method, &request.target), (asked, &format!("/{number}")), "another's response");
                asked
            }
            None => asked,
        };
        let (body, framing) = final_head(wire, head, method);
        assert!(wire.stream[..body].ends_with(response.raw_head()), "the head is another's");
        assert!(wire.tags[head..body].iter().all(|begun| *begun >= exchange), "the head came before the request");
        Some(Place { head, body, framing })
    }

    /// What was written is what was asked for, to whom it was asked, and not too often.
    fn check_requests(&self) {
        let wires = self.world.wires();
        for wire in wires.iter() {
            for request in wire.requests.iter().filter(|request| !request.method.is_empty()) {
                assert_eq!(request.host, wire.authority, "another host's connection");
                let is_trusted = HOSTS.contains(&&*request.host) || !request.has_authorization;
                assert!(is_trusted, "the password went to {}", request.host);
                let asked = request.target[1..].parse().ok().and_then(|number: usize| self.asked.get(&number));
                let Some(asked) = asked.filter(|_| !self.follows) else { continue };
                assert_eq!(request.method, asked.method);
                assert!(!request.is_complete || request.body == asked.body, "another body: {request:?}");
            }
        }
        drop(wires);
        for (number, asked) in self.asked.iter().filter(|_| !self.follows) {
            let most = if asked.method == "POST" { 1 } else { 2 };
            assert!(self.times_seen(*number) <= most, "{asked:?} was sent {} times", self.times_seen(*number));
        }
    }

    /// All is given back: the pool's books are right, and nothing stays open.
    fn close(mut self) {
        self.held = [None, None];
        let stats = self.client.pool_stats();
        assert_eq!((stats.in_use, stats.waiting), (0, 0), "{stats:?}");
        assert_eq!(stats.opened, stats.closed.total() + stats.idle as u64, "{stats:?}");
        let open = |world: &World| world.wires().iter().filter(|wire| !wire.is_dropped).count();
        assert_eq!(open(&self.world), stats.idle, "{stats:?}");
        drop(self.client);
        assert_eq!(open(&self.world), 0);
    }
}

/// Where the body begins behind the final head at `at`, and its framing.
fn final_head(wire: &Wire, at: usize, method: &str) -> (usize, Framing) {
    let head = reference::final_head(&wire.stream[at..]).expect("a response has a head");
    (at + head.end, reference::framing(method, &head).expect("a response has a framing"))
}

impl Held {
    /// The body as a second reader sees it, in all that has arrived.
    fn second(&self, world: &World) -> Option<reference::Body> {
        let (place, wires) = (self.place?, world.wires());
        let wire = &wires[self.wire];
        Some(reference::body(&wire.stream[place.body..], place.framing, wire.is_closed && !wire.is_reset))
    }

    /// What was got is the beginning of the body, and all of it if it is said to be complete.
    fn check(&self, world: &World) {
        let body = self.response.body();
        assert_eq!(body.is_complete(), body.ended().is_some());
        let Some(second) = self.second(world) else { return };
        assert!(second.bytes.starts_with(&self.got), "not the body's bytes: {}", self.got.escape_ascii());
        if body.is_complete() && self.failure.is_none() {
            self.check_end(&second, world);
        }
    }

    fn check_end(&self, second: &reference::Body, world: &World) {
        let Some(place) = self.place else { return };
        let End::At(end) = second.end else { panic!("complete, but {:?}", second.end) };
        assert_eq!(self.got.len(), second.bytes.len(), "not all of the body");
        let ended = match place.framing {
            Framing::Length(_) => BodyEnd::Length,
            Framing::Chunked => BodyEnd::LastChunk,
            Framing::UntilClose { .. } => BodyEnd::Closed,
            Framing::Empty => BodyEnd::Empty,
        };
        assert_eq!(self.response.body().ended(), Some(ended));
        let tags = &world.wires()[self.wire].tags[place.head..place.body + end];
        assert!(tags.iter().all(|begun| *begun >= self.exchange), "the body came before the request");
        for (name, value) in self.response.body().trailers().iter() {
            let field = (name.to_ascii_lowercase(), value.to_vec());
            assert!(second.trailers.contains(&field), "a trailer that never came: {name}");
        }
    }

    /// One read, with what must hold of it.
    fn read(&mut self, into: &mut [u8], world: &World) {
        let (was_complete, is_cancelled) = (self.response.body().is_complete(), self.token.is_cancelled());
        let read = self.response.read(into);
        match &read {
            Ok(0) => assert!(self.response.body().is_complete(), "Ok(0) before the end"),
            Ok(count) => {
                assert!(!was_complete && !is_cancelled, "bytes behind the end");
                self.got.extend_from_slice(&into[..*count]);
            }
            Err(_) => assert!(!was_complete, "an error behind the end"),
        }
        self.check_failure(read.err());
        self.check(world);
    }

    /// After an error comes the same error, and nothing else.
    fn check_failure(&mut self, error: Option<io::Error>) {
        let error = error.as_ref().map(said);
        match &self.failure {
            Some(before) => assert_eq!(error.as_ref(), Some(before), "after an error"),
            None => self.failure = error,
        }
        if self.failure.is_some() {
            let body: &mut Body = self.response.body_mut();
            assert!(!body.is_complete() && body.remaining().is_none());
            let again = body.fill_buf().map(<[u8]>::len).map_err(|error| error.kind());
            assert!(again.is_err(), "after an error: {again:?}");
        }
    }

    /// One turn of `BufRead`; `most` bytes are used.
    fn lines(&mut self, most: usize, world: &World) {
        let body = self.response.body_mut();
        let was_complete = body.is_complete();
        let error = match body.fill_buf() {
            Ok(ready) => {
                let used = ready.len().min(most);
                assert!(!(was_complete && used > 0), "bytes behind the end");
                self.got.extend_from_slice(&ready[..used]);
                let is_end = ready.is_empty();
                body.consume(most); // more than is ready is not used
                assert!(!is_end || body.is_complete(), "nothing ready before the end");
                None
            }
            Err(error) => Some(error),
        };
        // Reads have the URL in their errors, and a body alone does not know it.
        if self.failure.is_none() && error.is_some() {
            let again = self.response.read(&mut [0; 1]);
            self.check_failure(Some(again.expect_err("after an error")));
        }
        assert!(error.is_some() || self.failure.is_none(), "after an error");
        self.check(world);
    }

    fn drain(&mut self, room: usize, world: &World) {
        let mut into = vec![0; room];
        for _ in 0..10_000 {
            self.read(&mut into, world);
            if self.response.body().is_complete() || self.failure.is_some() {
                break;
            }
        }
        self.read(&mut into, world);
        self.read(&mut into, world);
    }

    /// Collects the rest. The response is gone then, so the end is judged from outside.
    fn collect(self, world: &World) {
        let Held { response, got, failure, wire, place, exchange, .. } = self;
        let collected = response.limit(COLLECT_BYTES_MAX).bytes();
        let Ok(rest) = collected else { return };
        assert!(failure.is_none(), "collected after {failure:?}");
        judge(world, wire, exchange, place, &[&got[..], &rest[..]].concat());
    }

    fn copy(self, world: &World) {
        let Held { mut response, mut got, failure, wire, place, exchange, .. } = self;
        if response.copy_to(&mut got).is_ok() {
            assert!(failure.is_none(), "copied after {failure:?}");
            judge(world, wire, exchange, place, &got);
        }
    }

    /// After 101: what is read is what arrived behind the head.
    fn take_over(self, world: &World) {
        let Held { response, wire, place, .. } = self;
        let Ok(upgraded) = response.upgrade() else { return };
        let (_stream, arrived) = upgraded.into_parts();
        let wires = world.wires();
        if let Some(place) = place {
            assert_eq!(arrived, wires[wire].stream[place.body..wires[wire].read], "behind the 101");
        }
        drop(wires); // before the stream is, which wants it
    }
}

/// A body that was collected to its end.
fn judge(world: &World, wire: usize, exchange: usize, place: Option<Place>, got: &[u8]) {
    let Some(place) = place else { return };
    let wires = world.wires();
    let wire = &wires[wire];
    let second = reference::body(&wire.stream[place.body..], place.framing, wire.is_closed && !wire.is_reset);
    let End::At(end) = second.end else { panic!("collected, but {:?}", second.end) };
    assert_eq!(got, second.bytes, "collected");
    let tags = &wire.tags[place.head..place.body + end];
    assert!(tags.iter().all(|begun| *begun >= exchange), "the body came before the request");
}
