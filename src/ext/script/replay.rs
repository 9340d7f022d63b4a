//! A record as a server: what was answered once is answered again.
//!
//! Where a recorded response ends, is not known here: its bytes are given, and if the client waits for more
//! than there are, the connection ends.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::client::Client;
use crate::client::builder::ClientBuilder;
use crate::error::Result;
use crate::ext::script::message::{Message, Piece, status};
use crate::ext::script::plan::Answer;
use crate::ext::script::record::{about, recorded_files};
use crate::ext::script::reply::Reply;
use crate::ext::script::secrets;
use crate::ext::script::seen::{Reader, Seen};
use crate::ext::script::server::Script;
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
use crate::net::transport::{Connect, Stream, Target};

/// A server in memory that answers as it was [recorded](super::Record).
///
/// A request gets the response to the first recorded one that was not used yet and has the same method, the
/// same target and the same body; so equal requests get their responses in order, and those that differ in any
/// order. The host counts for nothing, nor do the fields. What was blanked in a target may be anything; but a
/// target that is the same to the letter comes first. Of a recorded body that did not end, as where the server
/// had answered before, only what is there counts; and of one that waits for a `100 (Continue)` that was
/// recorded, nothing.
/// Without such a one the request fails with [`ErrorKind::Connect`](crate::ErrorKind::Connect), and a text that
/// says what differs.
///
/// If the client waits for more than was recorded, the connection ends in order: so where a response was cut,
/// it is cut again, whatever had cut it. What the server sent for `Expect: 100-continue` is sent at the same
/// point again.
///
/// ```
/// use longwire::script::{Record, Replay, Script, reply};
///
/// # let folder = std::env::temp_dir().join(format!("longwire-replay-{}", std::process::id()));
/// // A script stands in for the real server here.
/// let server = Script::answering(reply(200).header("Set-Cookie", "sid=s3cret").body("hello"));
/// let url = "https://api.example/hello";
/// let recorded = Record::new(server, &folder)?.client().get(url).send()?.text()?;
///
/// let replay = Replay::from(&folder)?;
/// let response = replay.client().get(url).send()?;
/// assert_eq!(response.header("set-cookie"), Some("sid=******"));
/// assert_eq!(response.text()?, recorded);
/// replay.assert_done();
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The files are read at once, and kept in memory. They may be written by hand, as raw requests and responses.
#[doc(alias("VCR", "cassette"))]
#[derive(Clone)]
#[must_use]
pub struct Replay {
    recording: Arc<Recording>,
    script: Script,
}

struct Recording {
    exchanges: Vec<Exchange>,
    state: Mutex<State>,
}

struct State {
    /// Of each exchange.
    used: Vec<bool>,
    bodies: Bodies,
}

#[derive(Clone, Copy, PartialEq)]
enum Bodies {
    Compared,
    Ignored,
}

struct Exchange {
    number: usize,
    request: Seen,
    response: Vec<u8>,
}

impl Replay {
    /// Reads the files `001.request`, `001.http` and so on in a folder.
    ///
    /// # Errors
    /// `NotFound` if there are none, or one without the other; `InvalidData` if a request has no whole head.
    /// Else what the system reports. The text has the path.
    pub fn from(folder: impl AsRef<Path>) -> io::Result<Replay> {
        let folder = folder.as_ref();
        let mut exchanges = Vec::new();
        for (number, path) in recorded_files(folder)? {
            if path.extension().is_some_and(|ending| ending == "request") {
                let request = fs::read(&path).map_err(|error| about(&path, error))?;
                let request = parse_request(&request).map_err(|error| about(&path, error))?;
                let path = path.with_extension("http");
                let response = fs::read(&path).map_err(|error| about(&path, error))?;
                exchanges.push(Exchange { number, request, response });
            } else if !path.with_extension("request").exists() {
                return Err(about(&path.with_extension("request"), io::ErrorKind::NotFound.into()));
            }
        }
        if exchanges.is_empty() {
            let none = io::Error::new(io::ErrorKind::NotFound, "no record: there is no file like 001.request");
            return Err(about(folder, none));
        }
        let state = Mutex::new(State { used: vec![false; exchanges.len()], bodies: Bodies::Compared });
        let recording = Arc::new(Recording { exchanges, state });
        Ok(Replay { script: Script::with_answer(recording.clone()), recording })
    }

    /// Has requests compared by method and target alone: for bodies that are never the same, as those of forms
    /// with files, with their random boundary.
    pub fn ignore_bodies(self) -> Replay {
        self.recording.lock().bodies = Bodies::Ignored;
        self
    }

    /// Returns a client that talks to this server, whatever host its URLs name. All else is as in
    /// [`Client::new`].
    #[must_use]
    pub fn client(&self) -> Client {
        self.script.client()
    }

    /// Returns a builder of such clients, for other settings.
    pub fn builder(&self) -> ClientBuilder {
        self.script.builder()
    }

    /// Returns the requests so far, in the order in which their heads were complete.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.script.seen()
    }

    /// Asserts that all that was recorded was asked for, and nothing else.
    ///
    /// # Panics
    /// If not, with a line for each.
    #[track_caller]
    pub fn assert_done(&self) {
        self.script.assert_done();
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests: Vec<&Seen> = self.recording.exchanges.iter().map(|exchange| &exchange.request).collect();
        f.debug_struct("Replay").field("recorded", &requests).field("seen", &self.seen()).finish_non_exhaustive()
    }
}

impl Connect for Replay {
    fn connect(&self, target: &Target<'_>, deadline: Deadline, token: &CancelToken) -> Result<Box<dyn Stream>> {
        self.script.connect(target, deadline, token)
    }
}

fn parse_request(bytes: &[u8]) -> io::Result<Seen> {
    let mut reader = Reader::new("".into(), 0, 0);
    let begun = reader.take(bytes)?.begun;
    let request = begun.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a request without a whole head"))?;
    Ok(request.to_seen())
}

impl Recording {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the first exchange that was not used and for which `is_it`; sooner one with the very target, since
    /// asterisks may have been asked for.
    fn take(&self, request: &Seen, is_it: impl Fn(&Exchange, Bodies) -> bool) -> Option<&Exchange> {
        let mut state = self.lock();
        let State { used, bodies } = &*state;
        let unused = (0..self.exchanges.len()).filter(|at| !used[*at] && is_it(&self.exchanges[*at], *bodies));
        let has_very_target = |at: &usize| self.exchanges[*at].request.target() == request.target();
        let at = unused.clone().find(has_very_target).or_else(|| unused.clone().next())?;
        state.used[at] = true;
        Some(&self.exchanges[at])
    }

    fn describe_unmatched(&self, request: &Seen) -> String {
        let line = request.shown_line();
        let state = self.lock();
        let alike = self.exchanges.iter().zip(&state.used).filter(|(exchange, _)| exchange.has_line_of(request));
        match alike.clone().find(|(_, is_used)| !**is_used) {
            Some((exchange, _)) => format!("{line} was recorded with another body: {:03}.request", exchange.number),
            None => match alike.count() {
                0 => format!("{line} was not recorded"),
                count => format!("{line} was recorded {count} times, and all were used"),
            },
        }
    }
}

impl Exchange {
    fn has_line_of(&self, request: &Seen) -> bool {
        self.request.method() == request.method() && secrets::is_same_target(self.request.target(), request.target())
    }

    fn has_body_of(&self, request: &Seen) -> bool {
        match self.request.is_complete() {
            true => self.request.body() == request.body() && self.request.body_length() == request.body_length(),
            false => request.body().starts_with(self.request.body()),
        }
    }

    /// Returns where the leading 100 (Continue) of the response ends; all of it ends there if the body was never
    /// sent. `None` if it is for the whole request.
    fn sent_at_head(&self) -> Option<usize> {
        let mut rest = &self.response[..];
        let head = match Message::response_to(self.request.method()).next(&mut rest) {
            Ok(Some(Piece::Head(head))) => head,
            _ => return None,
        };
        match status(&head) {
            Some(100) => Some(head.len()),
            _ if !self.request.is_complete() && self.request.body_length() == 0 => Some(self.response.len()),
            _ => None,
        }
    }
}

impl Answer for Recording {
    /// A client that expects 100 (Continue) waits for what was sent before the body.
    fn at_head(&self, request: &Seen) -> Option<Reply> {
        request.header("expect")?;
        let is_it = |exchange: &Exchange, _| exchange.has_line_of(request) && exchange.sent_at_head().is_some();
        let exchange = self.take(request, is_it)?;
        let first = exchange.sent_at_head().unwrap_or_default();
        Some(Reply::recorded_from_head(exchange.response.clone(), first))
    }

    fn at_end(&self, request: &Seen) -> std::result::Result<Reply, String> {
        let is_it = |exchange: &Exchange, bodies| {
            exchange.has_line_of(request) && (bodies == Bodies::Ignored || exchange.has_body_of(request))
        };
        match self.take(request, is_it) {
            Some(exchange) => Ok(Reply::recorded(exchange.response.clone())),
            None => Err(self.describe_unmatched(request)),
        }
    }

    fn unused(&self) -> Vec<String> {
        let state = self.lock();
        let unused = self.exchanges.iter().zip(&state.used).filter(|(_, is_used)| !**is_used);
        unused
            .map(|(exchange, _)| {
                format!("not asked for: {:03}.request, {}", exchange.number, exchange.request.shown_line())
            })
            .collect()
    }
}
