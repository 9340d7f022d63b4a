//! A driver for black-box conformance rigs: longwire behind a line of JSON.
//!
//! ```text
//! echo '{"client": {}, "ops": [{"method": "GET", "url": "http://127.0.0.1:8080/", "read": "all"}]}' |
//!     cargo run --example wire_driver
//! ```
//!
//! One JSON object comes in on standard input: the client's limits and proxy, and a list of
//! operations. They are run in order by one client with one pool, and each answers with one line of
//! JSON, flushed at once, that says what a caller of the library saw: status, headers, body,
//! trailers, error, time. What went over the wire is for the rig to watch, from the server's end.
//!
//! Text in this JSON is latin-1, one char for one byte, so that every header value can be said. All
//! that is read here was written by a rig, so a field that is absent or of the wrong type counts
//! as "not asked for"; the only thing that stops the driver is input that is no JSON.
//!
//! This file is the protocol and nothing else: every decision about HTTP is the library's.

use std::io::{self, Cursor, Read, Write};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use longwire::{Client, Error, ErrorKind, Headers, Method, Proxy, RequestBuilder, Response, SendBody};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Bodies longer than this are reported by length and digest only.
const BODY_SHOWN_MAX: usize = 65_536;

/// How long a request with `Expect: 100-continue` waits for the go-ahead, unless told otherwise.
const EXPECT_WAIT: Duration = Duration::from_millis(1000);

fn main() -> ExitCode {
    let job: Value = match serde_json::from_reader(io::stdin().lock()) {
        Ok(job) => job,
        Err(error) => {
            eprintln!("wire_driver: standard input: {error}");
            return ExitCode::FAILURE;
        }
    };
    match run(&job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wire_driver: standard output: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs every operation of the job; only writing the answers can fail.
fn run(job: &Value) -> io::Result<()> {
    let settings = &job["client"];
    let client = client_of(settings);
    let mut stdout = io::stdout().lock();
    for (index, op) in job["ops"].as_array().into_iter().flatten().enumerate() {
        if let Some(pause) = millis(&op["sleep_ms"]) {
            thread::sleep(pause);
        }
        let started = Instant::now();
        let report = match &client {
            Ok(client) => operate(client, settings, op), // the response is dropped in here
            Err(error) => Report { error: Some(error.clone().into()), ..Report::default() },
        };
        let answer = report.into_json(index, started.elapsed());
        writeln!(stdout, "{answer}")?;
        stdout.flush()?;
    }
    Ok(())
}

fn client_of(settings: &Value) -> Result<Client, Error> {
    let mut builder = Client::builder().skip_invalid_headers(settings["skip_invalid_headers"] == true);
    if settings["env_proxy"] != true {
        builder = builder.no_proxy(); // what the environment says is not the rig's
    }
    if let Some(url) = settings["proxy"].as_str() {
        let proxy = Proxy::new(url)?.bypass(settings["no_proxy"].as_str().unwrap_or_default())?;
        builder = builder.proxy(if settings["tunnel"] == true { proxy.tunnel_http() } else { proxy });
    }
    if let Some(limit) = millis(&settings["connect_timeout_ms"]) {
        builder = builder.connect_timeout(limit);
    }
    if let Some(limit) = millis(&settings["idle_timeout_ms"]) {
        builder = builder.read_timeout(limit).write_timeout(limit); // the rig's "idle" is silence between bytes
    }
    Ok(builder.build())
}

/// One request, its response, and as much of its body as the operation wants.
fn operate(client: &Client, settings: &Value, op: &Value) -> Report {
    let mut report = Report::default();
    match request_of(client, settings, op).and_then(|request| Ok(request.send()?)) {
        Err(failure) => report.error = Some(failure),
        Ok(mut response) => {
            report.read_head(&response);
            report.error = report.take_body(&mut response, wanted(op)).err().map(Failure::from);
            report.trailers = pairs(response.body().trailers());
        }
    }
    report
}

/// How many bytes of the body the operation reads before it drops the response.
fn wanted(op: &Value) -> u64 {
    match op["read"].as_str() {
        Some("head") => 0,
        Some(read) => read.strip_prefix("partial:").and_then(|n| n.parse().ok()).unwrap_or(u64::MAX),
        None => u64::MAX,
    }
}

// ── What goes out ───────────────────────────────────────────────────────────────────────────────

fn request_of(client: &Client, settings: &Value, op: &Value) -> Result<RequestBuilder<'static>, Failure> {
    let method = Method::new(op["method"].as_str().unwrap_or("GET"))?;
    let mut request = client.request(method, url_text(op["url"].as_str().unwrap_or_default()));
    for header in op["headers"].as_array().into_iter().flatten() {
        let name = header[0].as_str().unwrap_or_default();
        let value = latin1_bytes(header[1].as_str().unwrap_or_default())
            .ok_or_else(|| Failure::request("a header value that is not latin-1"))?;
        request = request.header(name, value);
    }
    if let Some(user) = op["basic_auth"][0].as_str() {
        request = request.basic_auth(user, op["basic_auth"][1].as_str());
    }
    if let Some(body) = body_of(&op["body"])? {
        request = request.body(body);
    }
    if let Some(limit) = millis(&op["timeout_ms"]).or_else(|| op["timeout_ns"].as_u64().map(Duration::from_nanos)) {
        request = request.timeout(limit);
    }
    if let Some(hops) = op["max_redirects"].as_u64() {
        request = request.max_redirects(u32::try_from(hops).unwrap_or(u32::MAX));
    }
    if op["expect_continue"] == true {
        request = request.expect_continue(millis(&settings["expect_wait_ms"]).unwrap_or(EXPECT_WAIT));
    }
    Ok(request)
}

fn body_of(body: &Value) -> Result<Option<SendBody<'static>>, Failure> {
    let stream = |field: &str| {
        let text = body[field].as_str().unwrap_or_default();
        BASE64.decode(text).map_err(|error| Failure::request(&format!("{field}: {error}")))
    };
    Ok(if !body["bytes_b64"].is_null() {
        Some(stream("bytes_b64")?.into())
    } else if let Some(len) = body["fill_len"].as_u64() {
        Some(filled(len)?.into())
    } else if !body["chunked_b64"].is_null() {
        Some(SendBody::reader(Cursor::new(stream("chunked_b64")?)))
    } else if !body["sized_b64"].is_null() {
        let announced = body["declared_len"].as_u64().unwrap_or_default();
        Some(SendBody::sized_reader(Cursor::new(stream("sized_b64")?), announced))
    } else {
        None
    })
}

fn filled(len: u64) -> Result<Vec<u8>, Failure> {
    let too_large = || Failure::request("fill_len: more than this machine can hold");
    let len = usize::try_from(len).map_err(|_| too_large())?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| too_large())?;
    bytes.resize(len, b'x');
    Ok(bytes)
}

/// The URL as a caller would hold it: its bytes read as UTF-8 where they are that, else as latin-1.
fn url_text(text: &str) -> String {
    latin1_bytes(text).and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| text.to_owned())
}

fn latin1_bytes(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(c).ok()).collect()
}

fn millis(value: &Value) -> Option<Duration> {
    value.as_u64().map(Duration::from_millis)
}

// ── What comes back ─────────────────────────────────────────────────────────────────────────────

/// Everything that one line of output says.
#[derive(Default)]
struct Report {
    status: Option<u16>,
    version: Option<String>,
    headers: Vec<(String, String)>,
    body: Body,
    trailers: Vec<(String, String)>,
    error: Option<Failure>,
}

/// A body as it streams by: its length, its digest, and its first bytes.
#[derive(Default)]
struct Body {
    len: u64,
    digest: Sha256,
    shown: Vec<u8>,
}

impl Report {
    fn read_head(&mut self, response: &Response) {
        self.status = Some(response.status().as_u16());
        self.version = Some(response.version().to_string());
        self.headers = pairs(response.headers());
    }

    /// Reads up to `wanted` bytes and never asks for more than that.
    fn take_body(&mut self, response: &mut Response, mut wanted: u64) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        while wanted > 0 {
            let most = usize::try_from(wanted).unwrap_or(usize::MAX).min(buffer.len());
            let n = response.read(&mut buffer[..most])?;
            if n == 0 {
                break;
            }
            self.body.add(&buffer[..n]);
            wanted -= n as u64;
        }
        Ok(())
    }

    fn into_json(self, op: usize, elapsed: Duration) -> Value {
        let mut line = json!({
            "op": op,
            "status": self.status,
            "version": self.version,
            "headers": self.headers,
            "body_len": self.body.len,
            "body_sha256": hex(&self.body.digest.finalize()),
            "error": self.error.map(|failure| json!({"kind": failure.kind, "message": failure.message})),
            "trailers": Some(self.trailers).filter(|trailers| !trailers.is_empty()),
            "unsupported": null,
            "elapsed_ms": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        });
        if self.body.len <= BODY_SHOWN_MAX as u64 {
            line["body_b64"] = BASE64.encode(self.body.shown).into();
        }
        line
    }
}

impl Body {
    fn add(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        self.digest.update(bytes);
        let room = BODY_SHOWN_MAX - self.shown.len();
        self.shown.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Header fields with one char for every byte.
fn pairs(headers: &Headers) -> Vec<(String, String)> {
    let latin1 = |value: &[u8]| value.iter().map(|&byte| char::from(byte)).collect();
    headers.iter().map(|(name, value)| (name.to_owned(), latin1(value))).collect()
}

/// An error in the rig's words: one of its ten kinds, and the message of ours.
struct Failure {
    kind: &'static str,
    message: String,
}

impl Failure {
    fn request(message: &str) -> Self {
        Self { kind: "request", message: message.to_owned() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { kind: kind_of(&error), message: error.to_string() }
    }
}

/// What `Read` gives is an `io::Error` that carries the library's error inside.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match Error::try_from(error) {
            Ok(error) => error.into(),
            Err(error) => Self { kind: "other", message: format!("a foreign error: {error}") },
        }
    }
}

fn kind_of(error: &Error) -> &'static str {
    use ErrorKind as Kind;
    match error.kind() {
        Kind::Timeout => "timeout",
        Kind::Truncated => "truncated",
        Kind::Head | Kind::Framing | Kind::Chunk | Kind::Decode => "parse",
        Kind::HeadTooLarge | Kind::BodyTooLarge => "too_large",
        Kind::Resolve | Kind::Connect | Kind::Tls | Kind::Proxy | Kind::BlockedAddress => "connect",
        Kind::Redirect | Kind::TooManyRedirects => "redirect",
        Kind::InvalidUrl | Kind::InvalidRequest | Kind::UnsupportedScheme => "request",
        Kind::Io if was_reset(error) => "reset",
        Kind::Io => "io",
        _ => "other",
    }
}

fn was_reset(error: &Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    let system = error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>());
    system.is_some_and(|e| matches!(e.kind(), ConnectionReset | ConnectionAborted | BrokenPipe))
}
