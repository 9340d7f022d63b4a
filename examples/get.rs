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
//! * [`Failure`] keeps apart whose fault an error is.
//!
//! As with curl, redirects are followed (no `-L` needed) and an answer of 400 or more is no error
//! unless `-f` says so. Arguments are parsed by hand, in [`Options::parse`], like getopt's.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use longwire::{Client, Event, Method, Observer, RequestBuilder, Response, SendBody};

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
";

/// The size of a read. Larger than the client's own buffer, so bytes come straight from the socket.
const PIECE_BYTES: usize = 64 * 1024;

/// A download that is done sooner gets no progress bar.
const BAR_AFTER: Duration = Duration::from_millis(500);

/// A line on standard error; that nobody reads it is no reason to die, as it is for `eprintln!`.
macro_rules! note {
    ($($text:tt)*) => {{
        let _ = writeln!(io::stderr(), $($text)*);
    }};
}

fn main() -> ExitCode {
    match Options::parse(std::env::args_os().skip(1)).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough, as `head` does.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            note!("get: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// One request and its response, to the last byte.
fn run(options: Options) -> Result<(), Failure> {
    if options.help {
        return io::stdout().write_all(USAGE.as_bytes()).map_err(Failure::Output);
    }
    let mut builder = Client::builder();
    if options.verbose {
        builder = builder.observer(Trace);
    }
    let client = builder.build();

    let mut response = request_of(&client, &options)?.send()?;
    if options.fail {
        response = response.error_for_status()?;
    }
    if options.include {
        io::stdout().write_all(response.raw_head()).map_err(Failure::Output)?;
    }
    match &options.output {
        None => transfer(&mut response, &mut io::stdout().lock(), |_| {})?,
        Some(path) => {
            let mut file = File::create(path).map_err(|error| Failure::file(path, error))?;
            let mut progress = Progress::of(&response, options.verbose);
            transfer(&mut response, &mut file, |n| progress.advance(n))?;
        }
    }
    if options.verbose {
        summarize(&response);
    }
    Ok(())
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
    let file = File::open(path).map_err(|error| Failure::file(path, error))?;
    Ok(file.into())
}

/// Moves the body from the connection to `output`, a piece at a time.
fn transfer(response: &mut Response, output: &mut impl Write, mut moved: impl FnMut(usize)) -> Result<(), Failure> {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let n = response.read(&mut buffer).map_err(Failure::reading)?;
        if n == 0 {
            return output.flush().map_err(Failure::Output);
        }
        output.write_all(&buffer[..n]).map_err(Failure::Output)?;
        moved(n);
    }
}

/// Where the time went.
fn summarize(response: &Response) {
    let millis = |phase: Duration| phase.as_secs_f64() * 1000.0;
    let timings = response.timings();
    note!(
        "* Resolved in {:.1} ms, connected in {:.1}, TLS in {:.1}, sent in {:.1}, answered in {:.1}",
        millis(timings.resolve),
        millis(timings.connect),
        millis(timings.tls),
        millis(timings.send),
        millis(timings.wait),
    );
}

// ── What went wrong ─────────────────────────────────────────────────────────────────────────────

enum Failure {
    /// The command line.
    Usage(String),
    /// The request or its response; the message says where and why.
    Http(longwire::Error),
    /// A file of ours.
    File(String, io::Error),
    /// Where the body was to go.
    Output(io::Error),
}

impl Failure {
    fn file(path: &str, error: io::Error) -> Self {
        Self::File(path.to_owned(), error)
    }

    /// An error from reading a body carries longwire's own error inside.
    fn reading(error: io::Error) -> Self {
        longwire::Error::try_from(error).map_or_else(Self::Output, Self::Http)
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
            Self::File(path, error) => write!(f, "{path}: {error}"),
            Self::Output(error) => write!(f, "writing the body: {error}"),
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
            Event::Reused { exchange, .. } => {
                note!("* Reused the connection, for exchange {exchange}");
            }
            Event::RequestHead { text } => note_head('>', text),
            Event::Interim { text } | Event::ResponseHead { text } => note_head('<', text),
            Event::Redirect { status, to, .. } => note!("* {status}: on to {to}"),
            Event::Retry { error } => {
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

/// Counts from the first byte, but shows itself only to somebody who is kept waiting.
struct Progress {
    bar: ProgressBar,
    due: Option<Instant>,
}

impl Progress {
    fn of(response: &Response, verbose: bool) -> Self {
        let total = response.content_length();
        let template = match total {
            Some(_) => "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            None => "{spinner} {bytes}, {bytes_per_sec}",
        };
        let style = ProgressStyle::with_template(template).expect("both templates are well formed");
        let watched = io::stderr().is_terminal() && !verbose;
        Self {
            bar: ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden()).with_style(style),
            due: watched.then(|| Instant::now() + BAR_AFTER),
        }
    }

    fn advance(&mut self, n: usize) {
        self.bar.inc(n as u64);
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.due = None;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
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
