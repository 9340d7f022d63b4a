//! The fixture corpus, played over loopback to the public client.
//!
//! Each reply of `fixtures/` is sent by a server of its own: whole, in one write,
//! and then byte by byte. Whatever the delivery, the client must see what the
//! `.expect` beside it claims: the response, or the error and where it is met, and
//! whether the connection lives on and why not. The pure parser is held to the
//! same corpus by a test of its own inside the library.

#[path = "support/fixture.rs"]
mod fixture;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use fixture::{BodyClaim, Expect, Fixture, Then};
use longwire::{BodyEnd, Client, Event, Headers, Method, Observer, Response};

/// Longer than any play lasts, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Replies up to this size are sent byte by byte.
const BYTE_BY_BYTE_MAX: usize = 4096;
/// Larger ones go in pieces of this size, but for their last bytes.
const PIECE_BYTES: usize = 1000;
/// So many bytes at the end of a large reply go one by one.
const TAIL_BYTES: usize = 64;
/// How long a server of Windows waits before it resets, so that its client waits for more by then:
/// Windows may throw away what was not read yet (RFC 9112 §9.6), and Wine tells of a reset only
/// whoever is waiting (`todo_wine` in `test_tcp_reset` of its dlls/ws2_32/tests/sock.c).
const RESET_PAUSE: Duration = Duration::from_millis(500);
/// How many fixtures are played at a time.
const PLAYERS: usize = 8;

#[test]
fn every_fixture_holds_whole_and_byte_by_byte() {
    let fixtures = fixture::all();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..PLAYERS {
            scope.spawn(|| {
                let port = port();
                while let Some(fixture) = fixtures.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for play in Play::ALL {
                        let differences = perform(&port, fixture, play);
                        let mut failures = failures.lock().expect("no player panics with it");
                        failures.extend(
                            differences.iter().map(|difference| format!("{} ({play:?}): {difference}", fixture.name)),
                        );
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("no player panicked");
    failures.sort();
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_corpus_is_large_and_names_every_fault_of_a_peer() {
    let fixtures = fixture::all();
    assert!(fixtures.len() >= 120, "only {} fixtures", fixtures.len());
    for folder in fixture::FOLDERS {
        let of_folder = |fixture: &&Fixture| fixture.name.starts_with(folder);
        assert!(fixtures.iter().filter(of_folder).count() >= 10, "{folder}");
    }
    for kind in ["Head", "HeadTooLarge", "Framing", "Chunk", "Truncated", "Redirect", "Decode"] {
        let named = |fixture: &Fixture| fixture.expect.error.as_deref() == Some(kind);
        assert!(fixtures.iter().any(named), "no fixture has the error {kind}");
    }
}

#[test]
fn no_two_fixtures_are_the_same() {
    let mut seen = std::collections::BTreeMap::new();
    for fixture in fixture::all() {
        let expect = &fixture.expect;
        let key = (fixture.bytes, expect.method.clone(), expect.then as u8);
        if let Some(other) = seen.insert(key, fixture.name.clone()) {
            panic!("{} and {other} are the same play", fixture.name);
        }
    }
}

#[test]
fn a_malformed_claim_is_refused_with_its_line() {
    let good = "# It works.\nsection: x\nstatus: 200\nbody: \"a\"\nend: length\nreuse: kept\n";
    fixture::parse(good).expect("the good one is good");
    for (text, line) in [
        ("section: x\n", 1),
        ("# no full stop\n", 1),
        ("# It works.\nsection x\n", 2),
        ("# It works.\nsection: x\ncolour: red\n", 3),
        ("# It works.\nsection: x\nsection: y\n", 3),
        ("# It works.\nsection: x\nstatus: two\n", 3),
        ("# It works.\nsection: x\nbody: bare\n", 3),
        ("# It works.\nsection: x\nbody: \"\\q\"\n", 3),
        ("# It works.\nsection: x\nbody: \"\\xg0\"\n", 3),
        ("# It works.\nsection: x\nerror: Heed\n", 3),
        ("# It works.\nsection: x\nstatus: 200\n", 3),
        ("# It works.\nsection: x\nerror: Head\n", 3),
        ("# It works.\nsection: x\nerror: Head\nstage: Body\n", 4),
    ] {
        match fixture::parse(text) {
            Err((at, what)) => assert_eq!(at, line, "{text:?}: {what}"),
            Ok(_) => panic!("taken: {text:?}"),
        }
    }
}

#[test]
fn a_wrong_claim_is_noticed() {
    let port = port();
    let corpus = fixture::all();
    let named = |name: &str| corpus.iter().find(|fixture| fixture.name == name).expect(name).clone();
    type Spoil = fn(&mut Expect);
    let wrong: [(&str, Spoil); 16] = [
        ("chunked/trailers", |expect| expect.status = Some(201)),
        ("chunked/trailers", |expect| expect.version = Some("HTTP/1.0".to_owned())),
        ("chunked/trailers", |expect| expect.reason = Some(b"Fine".to_vec())),
        ("chunked/trailers", |expect| expect.headers.push(("X-A".to_owned(), b"b".to_vec()))),
        ("chunked/trailers", |expect| expect.no_headers.push("Transfer-Encoding".to_owned())),
        ("chunked/trailers", |expect| expect.fields = Some(9)),
        ("chunked/trailers", |expect| expect.body = Some(BodyClaim::Bytes(b"hell".to_vec()))),
        ("chunked/trailers", |expect| expect.body = Some(BodyClaim::Sum { length: 5, fnv: 1 })),
        ("chunked/trailers", |expect| expect.end = Some("length".to_owned())),
        ("chunked/trailers", |expect| expect.trailers[1].1 = b"three".to_vec()),
        ("chunked/trailers", |expect| expect.no_trailers.push("x-u".to_owned())),
        ("chunked/trailers", |expect| expect.interim = Some(1)),
        ("chunked/trailers", |expect| expect.reuse = Some("ServerClose".to_owned())),
        ("chunked/cut-in-data", |expect| expect.error = Some("Chunk".to_owned())),
        ("chunked/cut-in-data", |expect| expect.stage = Some("Head".to_owned())),
        ("chunked/cut-in-data", |expect| expect.body_before_error = Some(b"hxl".to_vec())),
    ];
    for (at, (name, spoil)) in wrong.into_iter().enumerate() {
        let mut fixture = named(name);
        assert_eq!(perform(&port, &fixture, Play::Whole), [""; 0], "{name}");
        spoil(&mut fixture.expect);
        assert!(!perform(&port, &fixture, Play::Whole).is_empty(), "wrong claim {at} on {name} passed");
    }
}

/// One way to send a reply and to read it.
#[derive(Debug, Clone, Copy)]
enum Play {
    /// In one write, read through the connection's buffer.
    Whole,
    /// In one write, read straight into a buffer larger than the connection's.
    WholeIntoLarge,
    /// A byte at a time, read a few bytes at a time.
    Pieces,
}

impl Play {
    const ALL: [Play; 3] = [Play::Whole, Play::WholeIntoLarge, Play::Pieces];

    fn read_bytes(self) -> usize {
        match self {
            Play::Whole => 4096,
            Play::WholeIntoLarge => 64 * 1024,
            Play::Pieces => 7,
        }
    }
}

/// A port of its own for one player: each play on a new one would use up the machine's.
fn port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("loopback is there")
}

/// Plays one fixture in one way; says how the outcome differs from the claim.
fn perform(port: &TcpListener, fixture: &Fixture, play: Play) -> Vec<String> {
    let address = port.local_addr().expect("a bound listener has one");
    let (has_begun, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| serve(port, fixture, play, &has_begun, &is_over));
        let differences = attend(fixture, play, address);
        is_over.store(true, Ordering::SeqCst);
        if !has_begun.load(Ordering::SeqCst) {
            // The client never came, and the server waits for one still.
            drop(TcpStream::connect(address));
        }
        differences
    })
}

/// The server: takes the client's connection, sends the fixture, does what is said `then`.
/// A stranger may come first, who looks for another server that had this port: he is sent away.
fn serve(port: &TcpListener, fixture: &Fixture, play: Play, has_begun: &AtomicBool, is_over: &AtomicBool) {
    while let Ok((mut stream, _)) = port.accept() {
        if !takes_request(&mut stream, fixture, play).unwrap_or(false) {
            if is_over.load(Ordering::SeqCst) {
                return;
            }
            continue;
        }
        has_begun.store(true, Ordering::SeqCst);
        // A client that has seen enough hangs up in the middle: that is its right.
        let sent = send(&mut stream, fixture, play);
        match fixture.expect.then {
            Then::Hold if sent.is_ok() => while stream.read(&mut [0; 256]).is_ok_and(|count| count > 0) {},
            Then::Reset if cfg!(windows) => thread::sleep(RESET_PAUSE),
            _ => {}
        }
        return;
    }
}

/// What is asked for in a play: nobody else asks for it.
fn target(fixture: &Fixture, play: Play) -> String {
    format!("/{}?{play:?}", fixture.name)
}

/// Reads a request head; says whether it is this play's.
fn takes_request(stream: &mut TcpStream, fixture: &Fixture, play: Play) -> io::Result<bool> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // A socket closed with a byte unread is reset. The last LF stays behind for that.
    let stop: &[u8] = match fixture.expect.then {
        Then::Reset => b"\r\n\r",
        Then::Hold | Then::Close => b"\r\n\r\n",
    };
    let mut request = Vec::new();
    while !request.ends_with(stop) {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        request.extend(byte);
    }
    let start = format!("{} {} HTTP/1.1\r\n", fixture.expect.method, target(fixture, play));
    Ok(request.starts_with(start.as_bytes()))
}

fn send(stream: &mut TcpStream, fixture: &Fixture, play: Play) -> io::Result<()> {
    // What has not left this machine yet dies with a reset: one write leaves at once.
    match fixture.expect.then {
        Then::Reset => stream.write_all(&fixture.bytes),
        Then::Hold | Then::Close => {
            pieces(&fixture.bytes, play).into_iter().try_for_each(|piece| stream.write_all(piece))
        }
    }
}

fn pieces(bytes: &[u8], play: Play) -> Vec<&[u8]> {
    match play {
        Play::Whole | Play::WholeIntoLarge => vec![bytes],
        Play::Pieces if bytes.len() <= BYTE_BY_BYTE_MAX => bytes.chunks(1).collect(),
        Play::Pieces => {
            let (front, tail) = bytes.split_at(bytes.len() - TAIL_BYTES);
            front.chunks(PIECE_BYTES).chain(tail.chunks(1)).collect()
        }
    }
}

/// Counts the interim responses that are passed over.
struct InterimCount(Arc<AtomicUsize>);

impl Observer for InterimCount {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::InterimHead { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The client's side of a play.
fn attend(fixture: &Fixture, play: Play, address: SocketAddr) -> Vec<String> {
    let expect = &fixture.expect;
    let mut differences = Differences(Vec::new());
    let interim = Arc::new(AtomicUsize::new(0));
    let builder = Client::builder()
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE)
        .timeout(PATIENCE)
        .skip_invalid_headers(expect.skips_invalid)
        .observer(InterimCount(Arc::clone(&interim)));
    // A redirect is followed only where following it is the mistake.
    let client = match expect.stage.as_deref() {
        Some("Redirect") => builder.build(),
        _ => builder.max_redirects(0).build(),
    };
    let method = Method::new(&expect.method).expect("a fixture's method is a token");
    match client.request(method, format!("http://{address}{}", target(fixture, play))).send() {
        Ok(response) => judge_response(&mut differences, expect, response, play),
        Err(error) => differences.error(expect, "send", &error),
    }
    if let Some(count) = expect.interim {
        differences.check("interim", &interim.load(Ordering::Relaxed), &count);
    }
    judge_pool(&mut differences, expect, &client, play);
    differences.0
}

fn judge_response(differences: &mut Differences, expect: &Expect, mut response: Response, play: Play) {
    let Some(status) = expect.status else {
        let got = response.status();
        let (error, stage) = (expect.error.as_deref(), expect.stage.as_deref());
        return differences.add(format!("status {got}, expected {error:?} at {stage:?}"));
    };
    differences.check("status", &response.status().as_u16(), &status);
    if let Some(version) = &expect.version {
        differences.check("version", &response.version().to_string(), version);
    }
    if let Some(reason) = &expect.reason {
        differences.bytes("reason", response.reason().as_bytes(), reason);
    }
    if let Some(fields) = expect.fields {
        differences.check("fields", &response.headers().len(), &fields);
    }
    let (present, absent) = (&expect.headers, &expect.no_headers);
    differences.fields("header", response.headers(), present, absent);
    if expect.as_text {
        match response.text() {
            Ok(text) => differences.body(expect, text.as_bytes()),
            Err(error) => differences.error(expect, "text", &error),
        }
        return;
    }
    let (body, error) = read_to_end(&mut response, play.read_bytes());
    match error {
        Some(error) => {
            differences.io_error(expect, error);
            let may_come = expect.body_before_error.as_ref();
            if may_come.is_some_and(|may_come| !may_come.starts_with(&body)) {
                differences.add(format!("before the error: {}", fixture::shown(&body)));
            }
            judge_finality(differences, expect, &mut response);
        }
        None => judge_end(differences, expect, &mut response, &body),
    }
}

/// A body that ended: its bytes, its end, its trailers, and `Ok(0)` for ever.
fn judge_end(differences: &mut Differences, expect: &Expect, response: &mut Response, body: &[u8]) {
    differences.body(expect, body);
    let end = response.body().ended().map(|end| match end {
        BodyEnd::Length => "length",
        BodyEnd::LastChunk => "last-chunk",
        BodyEnd::Closed => "closed",
        BodyEnd::Empty => "empty",
    });
    differences.check("end", &end, &expect.end.as_deref());
    let (present, absent) = (&expect.trailers, &expect.no_trailers);
    differences.fields("trailer", response.body().trailers(), present, absent);
    if !matches!(response.read(&mut [0; 16]), Ok(0)) {
        differences.add("a read after the end is not Ok(0)".to_owned());
    }
}

/// A body that failed fails again: never `Ok(0)`, never another error.
fn judge_finality(differences: &mut Differences, expect: &Expect, response: &mut Response) {
    for _ in 0..2 {
        match response.read(&mut [0; 16]) {
            Ok(count) => differences.add(format!("a read after the error is Ok({count})")),
            Err(error) => differences.io_error(expect, error),
        }
    }
}

/// What became of the connection, once the response is gone.
fn judge_pool(differences: &mut Differences, expect: &Expect, client: &Client, play: Play) {
    let stats = client.pool_stats();
    differences.check("connections in use", &stats.in_use, &0);
    differences.check("connections opened", &stats.opened, &1);
    let closed = stats.closed.iter().filter(|(_, count)| *count > 0);
    let closed: Vec<String> = closed.map(|(reason, _)| format!("{reason:?}")).collect();
    let outcome = match (stats.idle, closed.as_slice()) {
        (1, []) => "kept",
        (0, [reason]) => reason,
        (idle, _) => return differences.add(format!("idle {idle}, closed {closed:?}")),
    };
    match expect.reuse.as_deref() {
        // Sent later than the body, stray bytes are found when the connection is next asked for.
        Some("StrayBytes") if matches!(play, Play::Pieces) && outcome == "kept" => {}
        Some(reuse) => differences.check("reuse", outcome, reuse),
        // The body of such a response was read, or may be: its connection may live.
        None if matches!(expect.error.as_deref(), Some("Redirect" | "Decode")) => {}
        None => differences.check("kept after an error", &(outcome == "kept"), &false),
    }
}

fn read_to_end(response: &mut Response, read_bytes: usize) -> (Vec<u8>, Option<io::Error>) {
    let mut body = Vec::new();
    let mut buffer = vec![0; read_bytes];
    loop {
        match response.read(&mut buffer) {
            Ok(0) => return (body, None),
            Ok(count) => body.extend(&buffer[..count]),
            Err(error) => return (body, Some(error)),
        }
    }
}

/// What is not as claimed, in words.
struct Differences(Vec<String>);

impl Differences {
    fn add(&mut self, difference: String) {
        self.0.push(difference);
    }

    fn check<T: PartialEq + std::fmt::Debug + ?Sized>(&mut self, what: &str, got: &T, claim: &T) {
        if got != claim {
            self.add(format!("{what} is {got:?}, expected {claim:?}"));
        }
    }

    fn bytes(&mut self, what: &str, got: &[u8], claim: &[u8]) {
        if got != claim {
            let (got, claim) = (fixture::shown(got), fixture::shown(claim));
            self.add(format!("{what} is {got}, expected {claim}"));
        }
    }

    /// The claimed names have the claimed lines, all of them, in order.
    fn fields(&mut self, what: &str, got: &Headers, present: &[(String, Vec<u8>)], absent: &[String]) {
        for (name, _) in present {
            let of_name = present.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
            let claim: Vec<&[u8]> = of_name.map(|(_, value)| value.as_slice()).collect();
            let got: Vec<&[u8]> = got.get_all(name).collect();
            let (got, claim) = (got.join(&b'\n'), claim.join(&b'\n'));
            self.bytes(&format!("{what} {name}"), &got, &claim);
        }
        for name in absent.iter().filter(|name| got.contains(name)) {
            self.add(format!("{what} {name} is there"));
        }
    }

    fn body(&mut self, expect: &Expect, body: &[u8]) {
        match &expect.body {
            Some(claim) => self.0.extend(claim.difference(body)),
            None => self.add(format!("the body ended after {} bytes, expected {:?}", body.len(), expect.error)),
        }
    }

    fn error(&mut self, expect: &Expect, from: &str, error: &longwire::Error) {
        let (kind, stage) = (format!("{:?}", error.kind()), format!("{:?}", error.stage()));
        let claim = (expect.error.as_deref(), expect.stage.as_deref());
        if claim != (Some(kind.as_str()), Some(stage.as_str())) {
            self.add(format!("{from} gave {kind} at {stage} ({error}), expected {claim:?}"));
        }
    }

    /// An error of `Read` carries the client's own, and says the like in std's words.
    fn io_error(&mut self, expect: &Expect, error: io::Error) {
        let kind = error.kind();
        let claim = match expect.error.as_deref() {
            Some("Truncated") => io::ErrorKind::UnexpectedEof,
            Some("Io") => io::ErrorKind::ConnectionReset,
            _ => io::ErrorKind::InvalidData,
        };
        self.check("io::ErrorKind", &kind, &claim);
        match longwire::Error::try_from(error) {
            Ok(error) => self.error(expect, "read", &error),
            Err(error) => self.add(format!("an io::Error of its own: {error}")),
        }
    }
}
