//! A little curl: fetches a URL to standard output or to a file.
//!
//! ```text
//! cargo run --example get -- http://example.com/
//! cargo run --example get -- -v -o page.html http://example.com/
//! cargo run --example get -- -d 'name=value' http://localhost:8080/form
//! tar c src | cargo run --example get -- -T - http://localhost:8080/src.tar
//! cargo run --features tls --example get -- https://example.com/
//! ```
//!
//! What it shows of longwire:
//!
//! * [`request_of`] builds a request from what the command line says: a method, headers, Basic
//!   auth, a time limit, and a body that is bytes, a file, or a stream of unknown length;
//! * [`transfer`] reads the body piece by piece, so that memory does not grow with it;
//! * [`Trace`] is an [`Observer`]: what goes over the wire and what becomes of each connection,
//!   as `curl -v` shows it, with secrets already blotted out;
//! * [`Failure`] keeps apart whose fault an error is, and [`curl_status`] gives each kind of error
//!   the exit status that scripts know from curl.
//!
//! Unlike curl it follows redirects without `-L`; as with curl an answer of 400 or more is no error
//! unless `-f` says so. A body that goes to a file or a pipe has a progress bar and a last line on a
//! terminal's standard error. Arguments are parsed by hand, in [`Options::parse`], like getopt's.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use longwire::{Client, Event, Method, Observer, RequestBuilder, Response, SendBody, Stage};

const USAGE: &str = "\
Usage: get [options] URL

  -d, --data DATA           send DATA with POST; @FILE sends a file, @- standard input
  -f, --fail                make a status of 400 or more an error
  -H, --header 'NAME: VALUE'
                            send this header field too (may be given again)
  -h, --help                print this help
  -i, --include             print the head of the response before its body
      --max-redirs N        follow at most N redirects; 0 shows the redirect itself
      --max-time SECONDS    give up after so long
  -o, --output FILE         write the body to FILE
  -T, --upload-file FILE    send FILE with PUT; - is standard input
  -u, --user NAME:PASSWORD  send Basic auth
  -v, --verbose             print what goes over the wire, on standard error
  -X, --request METHOD      use METHOD instead of GET, POST or PUT

The exit status is curl's: 3 URL, 6 name, 7 connect, 22 status (-f), 28 time, 47 redirects, 52 no
answer, 56 receiving, 60 certificate, ...
";

/// The size of a read. Larger than the client's own buffer, so bytes come straight from the socket.
const PIECE_BYTES: usize = 64 * 1024;

/// A download that is done sooner gets no progress bar.
const BAR_AFTER: Duration = Duration::from_millis(500);

/// How often the bar is drawn when nothing comes.
const BAR_TICK: Duration = Duration::from_millis(200);

/// A line on standard error; that nobody reads it is no reason to die, as it is for `eprintln!`.
macro_rules! note {
    ($($text:tt)*) => {{
        let _ = writeln!(io::stderr(), $($text)*);
    }};
}

fn main() -> ExitCode {
    execute(std::env::args_os().skip(1)).into()
}

/// Does what the arguments say, and returns the exit status.
pub(crate) fn execute(arguments: impl Iterator<Item = OsString>) -> u8 {
    match Options::parse(arguments).and_then(run) {
        Ok(()) => 0,
        // Whoever read our output has seen enough, as `head` does.
        Err(Failure::Output(_, error)) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(failure) => {
            note!("get: {failure}");
            failure.status()
        }
    }
}

/// One request and its response, to the last byte.
fn run(options: Options) -> Result<(), Failure> {
    if options.help {
        return io::stdout().write_all(USAGE.as_bytes()).map_err(Failure::writing);
    }
    let mut builder = Client::builder();
    if options.verbose {
        builder = builder.observer(Trace);
    }
    let client = builder.build();

    let started = Instant::now();
    let mut response = request_of(&client, &options)?.send()?;
    if options.fail {
        response = response.error_for_status()?;
    }
    if options.include {
        io::stdout().write_all(response.raw_head()).map_err(Failure::writing)?;
    }
    let mut output: Box<dyn Write> = match &options.output {
        None => Box::new(io::stdout().lock()),
        Some(path) => Box::new(File::create(path).map_err(|error| Failure::Output(path.clone(), error))?),
    };
    let is_shown = options.output.is_none() && io::stdout().is_terminal();
    let is_watched = io::stderr().is_terminal() && !is_shown && !options.verbose;
    let progress = Progress::of(&response, is_watched);
    let outcome = transfer(&mut response, &mut output, |n| progress.advance(n));
    let bytes = progress.finish();
    if is_watched {
        note!("{}", received(bytes, started.elapsed()));
    }
    if options.verbose {
        note!("* {}", received(bytes, started.elapsed()));
        note!("* {}", phases(&response));
    }
    outcome
}

/// The request that the options describe. Its mistakes, if any, come out of `send`.
fn request_of(client: &Client, options: &Options) -> Result<RequestBuilder<'static>, Failure> {
    let method = match (&options.method, &options.payload) {
        (Some(method), _) => Method::new(method)?,
        (None, None) => Method::GET,
        (None, Some(Payload::Data(_))) => Method::POST,
        (None, Some(Payload::Upload(_))) => Method::PUT,
    };
    let mut request = client.request(method, options.url.as_str());
    for (name, value) in &options.headers {
        request = request.header(name, value);
    }
    if let Some((user, password)) = &options.user {
        request = request.basic_auth(user, password.as_deref());
    }
    if let Some(limit) = options.max_time {
        request = request.timeout(limit);
    }
    if let Some(hops) = options.max_redirs {
        request = request.max_redirects(hops);
    }
    match &options.payload {
        None => {}
        Some(Payload::Upload(path)) => request = request.body(content_of(path)?),
        Some(Payload::Data(data)) => {
            let typed = |(name, _): &(String, String)| name.eq_ignore_ascii_case("Content-Type");
            if !options.headers.iter().any(typed) {
                request = request.header("Content-Type", "application/x-www-form-urlencoded");
            }
            request = request.body(match data.strip_prefix('@') {
                Some(path) => content_of(path)?,
                None => data.clone().into(),
            });
        }
    }
    Ok(request)
}

/// A regular file goes out with its length and can be sent again after a redirect; standard input
/// goes out chunked, as it comes.
fn content_of(path: &str) -> Result<SendBody<'static>, Failure> {
    if path == "-" {
        return Ok(SendBody::reader(io::stdin()));
    }
    let file = File::open(path).map_err(|error| Failure::Input(path.to_owned(), error))?;
    Ok(file.into())
}

/// Moves the body from the connection to `output`, a piece at a time.
fn transfer(response: &mut Response, output: &mut impl Write, mut moved: impl FnMut(usize)) -> Result<(), Failure> {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let n = response.read(&mut buffer).map_err(Failure::reading)?;
        if n == 0 {
            return output.flush().map_err(Failure::writing);
        }
        output.write_all(&buffer[..n]).map_err(Failure::writing)?;
        moved(n);
    }
}

/// How much of a body came, in what time from the request on, and how fast that is.
fn received(bytes: u64, took: Duration) -> String {
    let rate = bytes as f64 / took.as_secs_f64().max(f64::EPSILON);
    format!("Received {} in {took:.1?} ({}/s)", HumanBytes(bytes), HumanBytes(rate as u64))
}

/// Where the time went. What did not happen (the look-up of an IP address, TLS) took none.
fn phases(response: &Response) -> String {
    let timings = response.timings();
    let phases = [
        ("Resolved", timings.resolve),
        ("Connected", timings.connect),
        ("TLS", timings.tls),
        ("Sent", timings.send),
        ("Answered", timings.wait),
    ];
    let happened = phases.into_iter().filter(|(_, took)| !took.is_zero());
    happened.map(|(phase, took)| format!("{phase} in {took:.1?}")).collect::<Vec<_>>().join(", ")
}

// ── What went wrong ─────────────────────────────────────────────────────────────────────────────

enum Failure {
    /// The command line.
    Usage(String),
    /// The request or its response; the message says where and why.
    Http(longwire::Error),
    /// A file that was to be sent.
    Input(String, io::Error),
    /// Where the body was to go.
    Output(String, io::Error),
}

impl Failure {
    fn writing(error: io::Error) -> Self {
        Self::Output("writing the body".to_owned(), error)
    }

    /// An error from reading a body carries longwire's own error inside.
    fn reading(error: io::Error) -> Self {
        longwire::Error::try_from(error).map_or_else(Self::writing, Self::Http)
    }

    /// The exit status.
    fn status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Http(error) => curl_status(error),
            Self::Input(..) => 26,
            Self::Output(..) => 23,
        }
    }
}

/// What curl exits with where longwire gives this error ("Exit codes" in curl(1)). Two differences
/// that curl makes are in longwire's words only: whose name could not be looked up, and whether it
/// is the certificate that a handshake failed for.
fn curl_status(error: &longwire::Error) -> u8 {
    use longwire::ErrorKind as Kind;
    let says = |words: &str| error.to_string().contains(words);
    match (error.kind(), error.stage()) {
        (Kind::UnsupportedScheme, _) => 1,
        (Kind::InvalidRequest, _) => 2,
        (Kind::InvalidUrl, _) => 3,
        (Kind::Resolve, _) if says("the proxy ") => 5,
        (Kind::Resolve, _) => 6,
        (Kind::Connect | Kind::BlockedAddress, _) => 7,
        (Kind::Head | Kind::Framing | Kind::Redirect, _) => 8,
        (Kind::Truncated, Stage::Body) => 18,
        (Kind::Status, _) => 22,
        (Kind::Body, _) => 26,
        (Kind::Timeout, _) => 28,
        (Kind::Tls, Stage::Tls | Stage::Connect) if says("the server's certificate") => 60,
        (Kind::Tls, Stage::Tls | Stage::Connect) => 35,
        (Kind::Cancelled, _) => 42,
        (Kind::TooManyRedirects, _) => 47,
        (Kind::Truncated, Stage::Wait) => 52,
        (Kind::Io, Stage::Send) => 55,
        (Kind::Decode, _) => 61,
        (Kind::BodyTooLarge, _) => 63,
        (Kind::Proxy, _) if error.proxy_answer().is_none() => 97, // else CONNECT was refused: 56
        _ => 56, // whatever else went wrong while something was received, and kinds yet to come
    }
}

impl From<longwire::Error> for Failure {
    fn from(error: longwire::Error) -> Self {
        Self::Http(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) => write!(f, "{what} (get --help tells more)"),
            Self::Http(error) => error.fmt(f),
            Self::Input(what, error) | Self::Output(what, error) => write!(f, "{what}: {error}"),
        }
    }
}

// ── -v ──────────────────────────────────────────────────────────────────────────────────────────

/// Prints the wire's events as curl does: `>` goes out, `<` comes in, `*` is everything else.
struct Trace;

impl Observer for Trace {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Resolved { host, addresses, .. } => {
                let addresses: Vec<_> = addresses.iter().map(|a| a.ip().to_string()).collect();
                note!("* Resolved {host} to {}", addresses.join(", "));
            }
            Event::Connected { peer: Some(peer), .. } => note!("* Connected to {peer}"),
            Event::Connected { peer: None, .. } => note!("* Connected"),
            Event::Secured { version, cipher_suite, resumed, .. } => {
                note!("* {version}, {cipher_suite}{}", if *resumed { ", resumed" } else { "" });
            }
            Event::Reused { nth: exchange, .. } => {
                note!("* Reused the connection, for exchange {exchange}");
            }
            Event::RequestHead { text, .. } => note_head('>', text),
            Event::InterimHead { text, .. } | Event::ResponseHead { text, .. } => note_head('<', text),
            Event::Redirect { status, to, .. } => note!("* {status}: on to {to}"),
            Event::Retry { error, .. } => {
                note!("* Once more, on a new connection: {error}")
            }
            Event::Kept { .. } => note!("* connection kept"),
            Event::Closed { reason, .. } => note!("* connection closed: {reason}"),
            _ => {} // events that later versions may add
        }
    }
}

/// A head line by line, and the empty line that ends it.
fn note_head(mark: char, text: &str) {
    for line in text.trim_end().lines() {
        note!("{mark} {line}");
    }
    note!("{mark}");
}

// ── The progress bar ────────────────────────────────────────────────────────────────────────────

/// Counts what comes, and shows it to somebody who is kept waiting: from a thread of its own, so
/// that it goes on when the server does not.
struct Progress {
    bar: ProgressBar,
    drawing: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    fn of(response: &Response, is_watched: bool) -> Self {
        let total = response.content_length();
        // What stands beside the bar has 25 columns; the bar has what is left of the window.
        let template = match total {
            Some(_) => "{spinner} {wide_bar} {percent:>3}% {bytes_per_sec:>12} {left:>4}",
            None => "{spinner} {bytes:>10} {bytes_per_sec:>12}",
        };
        let style = ProgressStyle::with_template(template).expect("both templates are well formed");
        let style = style.with_key("left", |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = match state.per_sec() {
                ..1.0 => out.write_str("?"), // nothing comes: there is nothing to tell the time by
                _ => write!(out, "{:#}", HumanDuration(state.eta())),
            };
        });
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden()).with_style(style);
        let drawing = is_watched.then(|| {
            let (stop, stopped) = mpsc::channel();
            let bar = bar.clone();
            (stop, thread::spawn(move || draw(&bar, &stopped)))
        });
        Self { bar, drawing }
    }

    fn advance(&self, n: usize) {
        self.bar.inc(n as u64);
    }

    /// Takes the bar away; returns how many bytes it has counted.
    fn finish(self) -> u64 {
        let bytes = self.bar.position(); // a finished bar says that all have come
        if let Some((stop, drawing)) = self.drawing {
            drop(stop);
            let _ = drawing.join(); // a bar that panicked is gone, too
        }
        bytes
    }
}

/// Draws the bar again and again until the other end of the channel is gone.
fn draw(bar: &ProgressBar, stopped: &Receiver<()>) {
    let mut wait = BAR_AFTER;
    while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        if wait == BAR_AFTER {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            wait = BAR_TICK;
        }
        bar.tick();
    }
    bar.finish_and_clear();
}

// ── The command line ────────────────────────────────────────────────────────────────────────────

#[derive(Default)]
struct Options {
    url: String,
    method: Option<String>,
    headers: Vec<(String, String)>,
    payload: Option<Payload>,
    user: Option<(String, Option<String>)>,
    max_time: Option<Duration>,
    max_redirs: Option<u32>,
    output: Option<String>,
    include: bool,
    fail: bool,
    verbose: bool,
    help: bool,
}

/// What to send, and from where.
enum Payload {
    /// `-d`: the bytes themselves, or `@` and a path.
    Data(String),
    /// `-T`: a path.
    Upload(String),
}

impl Options {
    /// Reads the arguments as getopt does: `-iv`, `-oFILE`, `-o FILE`, `--output FILE` and
    /// `--output=FILE`, before the URL or after it.
    fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut words = arguments.map(into_text).collect::<Result<Vec<_>, _>>()?.into_iter();
        while let Some(word) = words.next() {
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) = long.split_once('=').unzip();
                let mut value = value.map(str::to_owned);
                let name = format!("--{}", name.unwrap_or(long));
                options.set(&name, || value.take().or_else(|| words.next()))?;
                if value.is_some() {
                    return Err(Failure::Usage(format!("{name} takes no value")));
                }
            } else if let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
                let mut letters = letters.chars();
                while let Some(letter) = letters.next() {
                    options.set(&format!("-{letter}"), || {
                        let value: String = letters.by_ref().collect();
                        if value.is_empty() { words.next() } else { Some(value) }
                    })?;
                }
            } else {
                options.set_url(word)?;
            }
        }
        if options.url.is_empty() && !options.help {
            return Err(Failure::Usage("which URL?".to_owned()));
        }
        Ok(options)
    }

    /// One option. `value` takes what stands behind it, and is called only by those that want it.
    fn set(&mut self, name: &str, value: impl FnOnce() -> Option<String>) -> Result<(), Failure> {
        let value = || value().ok_or_else(|| Failure::Usage(format!("{name} needs a value")));
        let bad = |value: &str| Failure::Usage(format!("{name}: {value:?} will not do"));
        match name {
            "-d" | "--data" => self.set_payload(Payload::Data(value()?))?,
            "-f" | "--fail" => self.fail = true,
            "-H" | "--header" => {
                let field = value()?;
                let (name, value) = field.split_once(':').ok_or_else(|| bad(&field))?;
                self.headers.push((name.to_owned(), value.trim().to_owned()));
            }
            "-h" | "--help" => self.help = true,
            "-i" | "--include" => self.include = true,
            "-L" | "--location" => {} // redirects are followed anyway; hands used to curl type it
            "--max-redirs" => {
                let hops = value()?;
                self.max_redirs = Some(hops.parse().map_err(|_| bad(&hops))?);
            }
            "--max-time" => {
                let text = value()?;
                let seconds = text.parse().map_err(|_| bad(&text))?;
                let limit = Duration::try_from_secs_f64(seconds).map_err(|_| bad(&text))?;
                self.max_time = Some(limit);
            }
            "-o" | "--output" => self.output = Some(value()?),
            "-T" | "--upload-file" => self.set_payload(Payload::Upload(value()?))?,
            "-u" | "--user" => {
                let user = value()?;
                self.user = Some(match user.split_once(':') {
                    Some((name, password)) => (name.to_owned(), Some(password.to_owned())),
                    None => (user, None),
                });
            }
            "-v" | "--verbose" => self.verbose = true,
            "-X" | "--request" => self.method = Some(value()?),
            _ => return Err(Failure::Usage(format!("there is no option {name}"))),
        }
        Ok(())
    }

    fn set_payload(&mut self, payload: Payload) -> Result<(), Failure> {
        match self.payload.replace(payload) {
            None => Ok(()),
            Some(_) => Err(Failure::Usage("only one -d or -T at a time".to_owned())),
        }
    }

    /// `example.com` is short for `http://example.com`.
    fn set_url(&mut self, word: String) -> Result<(), Failure> {
        if !self.url.is_empty() {
            return Err(Failure::Usage(format!("one URL at a time, and not {word:?} too")));
        }
        self.url = if word.contains("://") { word } else { format!("http://{word}") };
        Ok(())
    }
}

fn into_text(argument: OsString) -> Result<String, Failure> {
    argument.into_string().map_err(|argument| Failure::Usage(format!("{argument:?} is not UTF-8")))
}
