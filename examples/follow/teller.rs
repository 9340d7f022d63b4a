//! Tells the steps: the events of a client, and the bytes of its streams, become lines of text. All decisions are
//! longwire's. That on a response's framing is no event, so the same question is asked here once more.

use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longwire::transport::Target;
use longwire::{CloseReason, Error, ErrorKind, Event, Fate, Observer, Stage};

use super::steps::{Key, STEPS};

/// For a terminal of 100 columns.
const TEXT_COLUMNS: usize = 96;
const BYTES_COLUMNS: usize = 80;
const INDENT: &str = "      ";

/// Lines that are shown of a head, and of a block of a body.
const HEAD_LINES_MAX: usize = 16;
const BODY_LINES_MAX: usize = 3;

pub(crate) struct Teller(Mutex<State>);

/// Where the story is.
pub(crate) struct State {
    out: Box<dyn Write + Send>,
    /// For each request and all that belongs to it.
    pub(crate) timeout: Duration,
    act: u32,
    step: u32,
    /// Steps whose reason has been told.
    explained: Vec<Key>,
    /// The method of the request under way; whether its connection came from the pool; whether it is sent again.
    method: String,
    is_reused: bool,
    is_retry: bool,
    /// The request's head without its secrets, until its bytes go.
    request_head: Option<String>,
    /// The bytes that have come and whose head is not known yet; `None` within a body.
    response_head: Option<Vec<u8>>,
    /// The server closes the idle connection: the probe is to wait until that has arrived.
    pub(crate) expects_end: bool,
}

impl Teller {
    pub(crate) fn new(timeout: Duration, out: Box<dyn Write + Send>) -> Teller {
        Teller(Mutex::new(State {
            out,
            timeout,
            act: 0,
            step: 0,
            explained: Vec::new(),
            method: String::new(),
            is_reused: false,
            is_retry: false,
            request_head: None,
            response_head: None,
            expects_end: false,
        }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Teller {
    fn event(&self, event: &Event<'_>) {
        self.lock().event(event);
    }
}

impl State {
    /// Says how to read what follows.
    pub(crate) fn legend(&mut self) {
        self.line("1.2   a step: what happened, and at its first time why; the section that decides it, or (no RFC)");
        self.line("      where longwire decides alone; the function that does it, and the file to read next");
        self.line(
            "  >   a write, and the bytes that went    <   a read, and the bytes that came    =   for the caller",
        );
    }

    /// Begins a new part of the story.
    pub(crate) fn act(&mut self, title: &str) {
        (self.act, self.step) = (self.act + 1, 0);
        self.line(&format!("\n{}. {title}\n", self.act));
    }

    /// Tells what the caller gets.
    pub(crate) fn say(&mut self, text: &str) {
        self.wrapped("      = ", text);
    }

    /// Tells a step: what happened, why (the first time), and where to read on.
    pub(crate) fn tell(&mut self, key: Key, what: &str) {
        let step = STEPS.iter().find(|step| step.key == key).expect("a key is made of its row");
        self.step += 1;
        self.wrapped(&format!("{:>5} ", format!("{}.{}", self.act, self.step)), what);
        if !self.explained.contains(&key) {
            self.explained.push(key);
            self.wrapped(INDENT, step.why);
        }
        let rule = if step.rule.is_empty() { "(no RFC)" } else { step.rule };
        self.line(&format!("{INDENT}{rule:<17} {:<28} {}", step.function, step.file));
    }

    /// The pool was asked for a connection and had none, or is not asked: a new one is about to be opened.
    pub(crate) fn connecting(&mut self, target: &Target<'_>) {
        let (host, port) = (target.host(), target.port());
        if !self.is_retry {
            self.tell(Key::NoneIdle, &format!("The pool has no idle connection to {host}, port {port}."));
        }
        if host.parse::<IpAddr>().is_ok() {
            self.tell(Key::AddressKnown, &format!("{host} is an address, not a name."));
        }
    }

    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::CallStarted { method, url, .. } => {
                self.is_retry = false;
                self.tell(Key::Called, &format!("{method} {url}, all of it within {:?}.", self.timeout));
            }
            Event::Resolved { host, addresses, .. } => {
                self.tell(Key::LookedUp, &format!("{host} has these addresses: {addresses:?}."));
            }
            Event::Connected { peer, took, .. } => {
                self.is_reused = false;
                let peer = peer.map_or("the server".to_owned(), |peer| peer.to_string());
                self.tell(Key::Connected, &format!("Connected to {peer} in {took:.1?}."));
            }
            Event::Secured { version, cipher_suite, .. } => {
                self.tell(Key::Secured, &format!("Handshake done: {version}, {cipher_suite}."));
            }
            Event::Reused { nth, .. } => {
                self.is_reused = true;
                self.tell(Key::Probed, &format!("The idle connection is fit, and is reused: exchange {nth} on it."));
            }
            Event::RequestHead { text, .. } => self.request_head(text),
            Event::RequestSent { bytes, .. } => {
                self.tell(Key::Sent, &format!("All {bytes} bytes are sent; the response is waited for."));
            }
            Event::InterimHead { text, .. } => {
                self.head_came(text);
                self.tell(Key::Interim, &format!("An interim response: {}.", first_line(text)));
            }
            Event::ResponseHead { text, .. } => self.response_head(text),
            Event::Redirect { status, to, .. } => {
                self.tell(Key::Redirected, &format!("{status}: the next request is for {to}."));
            }
            Event::BodyEnded { bytes, end, .. } => {
                self.tell(Key::BodyEnded, &format!("The body has ended after {bytes} bytes, proven by: {end:?}."));
            }
            Event::Kept { .. } => self.tell(Key::Kept, "The connection is back in the pool."),
            Event::Closed { reason: CloseReason::PeerClosed, .. } => {
                self.tell(Key::ProbeSawEnd, "The idle connection is stale: the server had closed it.");
            }
            Event::Closed { reason: CloseReason::Cleared, .. } => {} // the client is dropped: the story is over
            Event::Closed { reason, .. } => self.tell(Key::Closed, &format!("The connection is closed: {reason}.")),
            Event::Retry { error, .. } => {
                self.is_retry = true;
                let why = format!("{} is sent again, on a new connection: {error}.", self.method);
                self.tell(Key::SentAgain, &why);
            }
            Event::Failed { error, .. } => self.failed(error),
            _ => {} // events that later versions may add
        }
    }

    fn request_head(&mut self, text: &str) {
        self.method = text.split(' ').next().unwrap_or_default().to_owned();
        let key = if field(text, "content-length").is_some() { Key::RequestHeadWithBody } else { Key::RequestHead };
        self.tell(key, &format!("The request head is written: {}, then its fields.", first_line(text)));
        self.request_head = Some(text.to_owned());
        self.response_head = Some(Vec::new());
    }

    fn response_head(&mut self, text: &str) {
        let body = self.head_came(text);
        self.response_head = None;
        self.bytes('<', &body, BODY_LINES_MAX);
        self.tell(Key::ResponseHead, &format!("The response head is complete: {}.", first_line(text)));
        let (framing, what) = framing(&self.method, text);
        self.tell(framing, &what);
        match why_not_persistent(text, framing) {
            None => self.tell(Key::MayPersist, "The connection may carry another request after this."),
            Some(why) => self.tell(Key::WillClose, &format!("The connection ends after this: {why}.")),
        }
    }

    fn failed(&mut self, error: &Error) {
        let (kind, stage, fate) = (error.kind(), error.stage(), error.fate());
        let key = match (stage, kind) {
            (Stage::Pool | Stage::Resolve | Stage::Connect | Stage::Tls, _) => Key::NotConnected,
            (Stage::Body, ErrorKind::Truncated) => Key::CutShort,
            (Stage::Body, _) => Key::BodyFailed,
            _ => Key::Failed,
        };
        self.tell(key, &format!("The call fails: kind {kind:?}, stage {stage:?}, fate {fate:?}."));
        // As `may_retry`: a connection that broke is the accident that a retry is for; a timeout is none.
        let broke = self.is_reused && matches!(kind, ErrorKind::Io | ErrorKind::Truncated);
        let is_unsafe_twice = error.method().is_some_and(|method| !method.is_idempotent());
        if broke && is_unsafe_twice && fate == Fate::MaybeProcessed {
            self.tell(Key::NotSentAgain, &format!("{} is not sent again.", self.method));
        }
    }

    /// These bytes went, in one write.
    pub(crate) fn went(&mut self, bytes: &[u8]) {
        self.line(&format!("{INDENT}> {} bytes in one write", bytes.len()));
        let mut body = bytes;
        if let Some(text) = self.request_head.take() {
            self.bytes('>', text.as_bytes(), HEAD_LINES_MAX);
            body = &bytes[head_length(bytes)..];
        }
        self.bytes('>', body, BODY_LINES_MAX);
    }

    /// These bytes came, in one read. Those of a head wait for its event, which has its text without secrets.
    pub(crate) fn came(&mut self, bytes: &[u8]) {
        let end = if bytes.is_empty() { ": the end of the stream, the server has closed" } else { "" };
        self.line(&format!("{INDENT}< {} bytes in one read{end}", bytes.len()));
        match &mut self.response_head {
            Some(head) => head.extend_from_slice(bytes),
            None => self.bytes('<', bytes, BODY_LINES_MAX),
        }
    }

    /// Shows a head that has come, and returns the bytes behind it.
    fn head_came(&mut self, text: &str) -> Vec<u8> {
        self.bytes('<', text.as_bytes(), HEAD_LINES_MAX);
        let came = self.response_head.get_or_insert_default();
        came.drain(..head_length(came));
        came.clone()
    }

    /// What a read that does not wait has found: the probe's, in these stories.
    pub(crate) fn probed(&mut self, found: &io::Result<usize>) {
        let found = match found {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => "nothing has arrived".to_owned(),
            Err(error) => error.to_string(),
            Ok(0) => "0 bytes: the end of the stream".to_owned(),
            Ok(count) => format!("{count} bytes"),
        };
        self.line(&format!("{INDENT}< {found}, in a read that does not wait"));
    }

    /// Shows bytes, line by line.
    fn bytes(&mut self, mark: char, bytes: &[u8], lines_max: usize) {
        let mut left = bytes.len();
        for line in bytes.split_inclusive(|byte| *byte == b'\n').take(lines_max) {
            left -= line.len();
            self.line(&format!("{INDENT}{mark}   {:.BYTES_COLUMNS$}", line.escape_ascii().to_string()));
        }
        if left > 0 {
            self.line(&format!("{INDENT}{mark}   ... and {left} bytes more"));
        }
    }

    /// Writes a text in lines of whole words.
    fn wrapped(&mut self, first: &str, text: &str) {
        let mut line = first.to_owned();
        for word in text.split(' ') {
            if line.len() + word.len() > TEXT_COLUMNS {
                self.line(line.trim_end());
                line = " ".repeat(first.len());
            }
            line = line + word + " ";
        }
        self.line(line.trim_end());
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.out, "{line}"); // who has seen enough, as `head` has, may close the pipe
    }
}

/// Rule by rule, as `of_response` (RFC 9112 §6.3).
fn framing(method: &str, head: &str) -> (Key, String) {
    let status = head.split(' ').nth(1).unwrap_or_default();
    if method == "HEAD" || status.starts_with('1') || ["204", "304"].contains(&status) {
        return (Key::NoBody, "There is no body: rule 1.".to_owned());
    }
    match (field(head, "transfer-encoding"), field(head, "content-length")) {
        (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => {
            (Key::Chunked, "The body ends at its last chunk: rule 4.".to_owned())
        }
        (None, Some(length)) => (Key::Length, format!("The body ends after {length} bytes: rule 6.")),
        _ => (Key::UntilClose, "The body ends where the connection ends: rule 8.".to_owned()),
    }
}

/// As `reuse` (RFC 9112 §9.3), without what is ambiguous: that is told when the connection is closed.
fn why_not_persistent(head: &str, framing: Key) -> Option<&'static str> {
    let option = field(head, "connection").unwrap_or_default().to_ascii_lowercase();
    match () {
        () if option.contains("close") => Some("the server says Connection: close"),
        () if head.starts_with("HTTP/1.0") && !option.contains("keep-alive") => Some("HTTP/1.0 without keep-alive"),
        () if framing == Key::UntilClose => Some("so does the body"),
        () => None,
    }
}

fn first_line(head: &str) -> &str {
    head.lines().next().unwrap_or_default()
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    fields.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// The length of the head that these bytes begin with: up to its empty line.
fn head_length(bytes: &[u8]) -> usize {
    let end = |mark: &[u8]| bytes.windows(mark.len()).position(|part| part == mark).map(|at| at + mark.len());
    end(b"\r\n\r\n").or_else(|| end(b"\n\n")).unwrap_or(bytes.len())
}
