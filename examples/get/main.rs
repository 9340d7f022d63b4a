//! A little curl: fetches URLs to standard output or to files.
//!
//! ```text
//! cargo run --example get -- http://example.com/
//! cargo run --example get -- -v -o page.html http://example.com/
//! cargo run --example get -- -d 'name=value' http://localhost:8080/form
//! cargo run --example get -- -sSL -o /dev/null -w '%{http_code} in %{time_total} s\n' http://example.com/
//! tar c src | cargo run --example get -- -T - http://localhost:8080/src.tar
//! cargo run --example get -- -F name=value -F photo=@cat.jpg http://localhost:8080/form
//! cargo run --example get -- -L --har session.har --waterfall session.svg http://example.com/
//! cargo run --features tls --example get -- https://example.com/
//! ```
//!
//! What it shows of longwire, a file for each:
//!
//! | file | of longwire | |
//! |---|---|---|
//! | `main.rs` | `Response`, `Body` | [`transfer`] reads the body piece by piece, so memory does not grow with it |
//! | `request.rs` | `RequestBuilder` | builds a request from what the command line says |
//! | `data.rs` | `SendBody` | a body that is bytes, a file, a stream of unknown length, or a chain of these |
//! | `form.rs` | `multipart::Form` | a form with files |
//! | `session.rs` | `ClientBuilder`, `CookieStore`, `Recorder` | cookies, proxies, TLS; one client for all URLs |
//! | `login.rs` | `basic_auth`, `digest_auth` | how a user logs in |
//! | `resume.rs` | `Download` | a download that goes on where it was interrupted |
//! | `trace.rs` | `Observer` | what goes over the wire and what becomes of each connection |
//! | `write_out.rs` | `Timings`, `ConnectionInfo` | what a transfer was like |
//! | `failure.rs` | `Error` | keeps apart whose fault an error is, with the exit statuses that scripts know from curl |
//! | `options.rs`, `output.rs`, `progress.rs` | | the command line; files; the progress line |
//!
//! The options mean what they mean to curl (`--help` lists them), and an answer of 400 or more is no error
//! unless `-f` says so. It differs where longwire is more careful: with `-L` another origin is sent neither
//! credentials nor fields of `-H`, no redirect leads from https to http, a POST stays one only if the redirect
//! says so (whatever `-X` is), and a server that sends nothing for a minute is given up. `-v` shows no secrets.
//! `-C -` never joins bytes of two versions: where curl goes by the length of the file that is there, this goes
//! on with `FILE.part`, whose version is known, or begins anew. `--retry` sends nothing again that a server may
//! have acted on, unless twice is as once; curl does.

/// A line on standard error; that nobody reads it is no reason to die, as it is for `eprintln!`.
macro_rules! note {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

mod data;
mod failure;
mod form;
mod login;
mod options;
mod output;
mod progress;
mod request;
mod resume;
mod session;
mod trace;
mod write_out;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::HumanBytes;
use longwire::{Body, ErrorKind, ResponseHead};

use failure::Failure;
use options::{Destination, Options};
use output::Output;
use progress::Progress;
use request::Target;
use session::Session;
use write_out::{Answer, Report};

/// The size of a read. Larger than the client's own buffer, so bytes come straight from the socket.
const PIECE_BYTES: usize = 64 * 1024;

fn main() -> ExitCode {
    execute(std::env::args_os().skip(1)).into()
}

/// Does what the arguments say, and returns the exit status.
pub(crate) fn execute(arguments: impl Iterator<Item = OsString>) -> u8 {
    match Options::parse(arguments).and_then(|options| run(&options)) {
        Ok(status) => status,
        Err(failure) => {
            if !failure.is_broken_pipe() {
                note!("get: {failure}");
            }
            failure.status()
        }
    }
}

/// One transfer after the other; returns the exit status of the last one.
fn run(options: &Options) -> Result<u8, Failure> {
    if options.help {
        let printed = io::stdout().write_all(options::usage().as_bytes());
        return printed.map(|()| 0).map_err(Failure::writing);
    }
    let session = Session::new(options)?;
    let mut status = 0;
    for (number, url) in options.urls.iter().enumerate() {
        let target = Target { url, upload: options.uploads.get(number).map(String::as_str) };
        let destination = options.destinations.get(number).unwrap_or(&Destination::Stdout);
        session.begin();
        let mut report = Report::new(url, number);
        let outcome = match options.resume {
            false => transfer(&session, options, &target, destination, &mut report),
            true => download(&session, options, &target, destination, &mut report),
        };
        report.finished = report.started.elapsed();
        report.connects = session.connects();
        status = outcome.as_ref().map_or_else(Failure::status, |()| 0);
        if let Err(failure) = outcome {
            if status != 0 && (!options.silent || options.show_error) {
                note!("get: ({status}) {failure}");
            }
            report.failure = Some((status, failure.to_string()));
        }
        if let Some(format) = &options.write_out {
            write_out::write_out(format, &report);
        }
    }
    let saved = session.save_recording(options);
    session.save_cookies(options)?;
    saved.map(|()| status)
}

/// One request and its response, to the last byte.
fn transfer(
    session: &Session,
    options: &Options,
    target: &Target<'_>,
    destination: &Destination,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    report.file_name = output::file_name(destination, target.url)?;
    let response = login::send(&session.client, options, target)?;
    let (head, mut body) = response.into_parts();
    report.answered = report.started.elapsed();
    // Of what comes over the wire, as what is shown of it: a decoded body has no length beforehand.
    let total = head.content_length().or_else(|| head.header("Content-Length")?.parse().ok());
    let refusal = (options.fail && head.status().as_u16() >= 400)
        .then(|| body.error(ErrorKind::Status, format!("the server answered {} {}", head.status(), head.reason())));
    let raw_head = head.raw_head().to_vec();
    report.answer = Some(Answer::Response(Box::new(head)));
    let mut output = Output::new(report.file_name.as_deref());
    if options.include || options.head {
        output.write(&session.redirect_heads())?;
        output.write(&raw_head)?;
    }
    if let Some(refusal) = refusal {
        return Err(refusal.into());
    }
    output.write(&[])?; // a body of no bytes makes a file, too

    if options.head {
        return Ok(()); // -I with another method: its body is of no interest
    }
    let is_watched = is_watched(options, &output);
    let progress = Progress::start(total, is_watched);
    let outcome = copy(&mut body, &mut output, |bytes| {
        report.bytes = bytes;
        progress.set(bytes);
    });
    progress.finish();
    tell(options, report, is_watched);
    outcome
}

/// The same with `-C -`: from as many responses as it takes.
fn download(
    session: &Session,
    options: &Options,
    target: &Target<'_>,
    destination: &Destination,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    report.file_name = output::file_name(destination, target.url)?;
    let mut download = resume::begin(&session.client, options, target)?;
    report.answered = report.started.elapsed();
    let is_watched = is_watched(options, &Output::new(report.file_name.as_deref()));
    let progress = Progress::start(download.length(), is_watched);
    let outcome = resume::finish(&mut download, report.file_name.as_deref(), &progress);
    progress.finish();
    report.bytes = download.position();
    report.answer = Some(Answer::Download(Box::new(download)));
    tell(options, report, is_watched);
    outcome
}

/// Whether somebody looks at the progress line.
fn is_watched(options: &Options, output: &Output) -> bool {
    io::stderr().is_terminal() && !(output.is_shown() || options.verbose || options.silent)
}

/// Says how much came, in what time.
fn tell(options: &Options, report: &Report<'_>, is_watched: bool) {
    let received = received(report.bytes, report.started.elapsed());
    if is_watched {
        note!("{received}");
    }
    if options.verbose {
        note!("* {received}");
        note!("* {}", report.head().map(phases).unwrap_or_default());
    }
}

/// Moves the body from the connection to `output`, a piece at a time; `moved` is told how much has come over
/// the wire so far, where a compressed body is less.
fn copy(body: &mut Body, output: &mut Output, mut moved: impl FnMut(u64)) -> Result<(), Failure> {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let count = body.read(&mut buffer).map_err(Failure::reading)?;
        moved(body.wire_bytes());
        if count == 0 {
            return Ok(());
        }
        output.write(&buffer[..count])?;
    }
}

/// How much of a body came, in what time from the request on, and how fast that is.
fn received(bytes: u64, took: Duration) -> String {
    let rate = bytes as f64 / took.as_secs_f64().max(f64::EPSILON);
    format!("Received {} in {took:.1?} ({}/s)", HumanBytes(bytes), HumanBytes(rate as u64))
}

/// Where the time went. What did not happen (the look-up of an IP address, TLS) took none.
fn phases(head: &ResponseHead) -> String {
    let timings = head.timings();
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
