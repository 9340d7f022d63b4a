//! Downloads that go on where they were interrupted (RFC 9110 §13.1.5, §14).
//!
//! A [`Download`] is a body with more than one response behind it. Here is when the rest is asked for, and
//! how often. What a response to that means is decided in `answer`, which version it is of in `version`, and
//! `save` makes a file of it.
//!
//! What is read is the content of one version of the resource, from its first byte to its last: what cannot
//! be told to be that is never appended. Parts are asked for one after the other, never several at a time.

mod answer;
pub(crate) mod content_range;
pub(crate) mod save;
mod version;

use std::fmt;
use std::io::{self, BufRead, Read};
use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Fate, Result, Stage};
use crate::ext::download::answer::{Answer, Asked, Extent, Voucher};
use crate::ext::download::version::Version;
use crate::message::body::Body;
use crate::message::request::Request;
use crate::message::response::{Response, ResponseHead};
use crate::method::Method;
use crate::net::cancel;
use crate::net::deadline::Deadline;
use crate::random;
use crate::status::StatusCode;
use crate::wire::framing::at_most;

/// Requests in a row that bring no new byte.
const ATTEMPTS: u32 = 5;

/// The waits between them; each is drawn from its upper half.
const WAIT_FIRST: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_secs(30);

/// How long a server may have us wait where no timeout covers the download.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// A download that goes on where it was interrupted. Reading from it reads the body, from whatever number of
/// responses.
///
/// When the body breaks off, the rest is asked for (`Range`), on the condition that the resource is still the
/// same (`If-Range`, RFC 9110 §13.1.5), and reading goes on as if nothing had happened. `Ok(0)` from a read
/// into a non-empty buffer means that all of it was read (where the server tells no length and closes the
/// connection, as far as that tells: [`BodyEnd::Closed`](crate::BodyEnd::Closed)), and errors are final: every
/// later read returns the same. [`save_to`](Download::save_to) writes it to a file, and goes on with what an
/// earlier process has left there.
///
/// ```
/// use longwire::{Client, Download, Method, Request};
/// use std::io::Read;
/// # use std::io::Write;
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let url = format!("http://{}/disk.img", listener.local_addr()?);
/// # let server = std::thread::spawn(move || {
/// #     let rest = "HTTP/1.1 206 Partial Content\r\nETag: \"1\"\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\nworld";
/// #     for answer in ["HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 10\r\n\r\nhello", rest] {
/// #         let (mut stream, _) = listener.accept().unwrap();
/// #         let mut head = Vec::new();
/// #         while !head.ends_with(b"\r\n\r\n") {
/// #             let mut byte = [0];
/// #             stream.read_exact(&mut byte).unwrap();
/// #             head.push(byte[0]);
/// #         }
/// #         stream.write_all(answer.as_bytes()).unwrap();
/// #     }
/// # });
///
/// // This server closes the connection after five bytes of ten.
/// let mut download = Download::new(&Client::new(), Request::new(Method::GET, &url)?)?;
/// assert_eq!(download.length(), Some(10));
/// let mut content = String::new();
/// download.read_to_string(&mut content)?;
/// assert_eq!((content.as_str(), download.resumed()), ("helloworld", 1));
/// # server.join().unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is resumed
///
/// The rest is asked for after a body that was cut short, a connection that broke, silence
/// ([`read_timeout`](crate::ClientBuilder::read_timeout)), a connection that could not be made again, and 429,
/// 502, 503 or 504 in answer to the request for the rest: [`ErrorKind::Truncated`], `Io`, `Timeout`, `Tls`
/// (not a handshake that was refused), `Resolve`, `Connect`, and `Status` or `Proxy` with one of these codes.
/// All else is final: a cancel, the end of the total timeout, a body whose framing is malformed, any other
/// status.
///
/// A validator is needed, by which the server tells one version from another: an `ETag` that is not weak,
/// or a `Last-Modified` at least a second older than the response's `Date` (RFC 9110 §8.8.2.2). Without one
/// an interruption is an error, as of any other body, unless the caller vouches for the resource
/// ([`assume_unchanged`](Download::assume_unchanged)) or no byte was read yet.
///
/// A server that answers with the whole once more (it knows no ranges, or the resource has changed) is read
/// on if its strong `ETag` and its length are the same; what was read already is dropped then. Bytes of
/// another version, or of another place than a response claims, are never handed out: that is
/// [`ErrorKind::Changed`].
///
/// # Time and attempts
///
/// Each byte that is new gives the download as many [`attempts`](Download::attempts) as before. The rest is
/// asked for at once after the first interruption, and after half a second, one, two, and so on up to 30
/// seconds while nothing new comes; up to half of each is left out at random. A `Retry-After` that is longer
/// is waited for, if the timeout allows it, or up to a minute where there is none; otherwise the download
/// fails at once.
///
/// The total timeout, the request's [`set_timeout`](Request::set_timeout) or else the client's, covers the
/// whole download with all requests and waits; a client for small things has one that is too short for that.
/// Its `read_timeout` and `connect_timeout` hold for each request. The request's
/// [`CancelToken`](crate::CancelToken) ends the download wherever it is, also in a wait.
///
/// # Requests
///
/// Every request goes to the URL of the first, and follows redirects anew: where these lead may be valid for
/// a short time only. Each asks for no content coding (`Accept-Encoding: identity`), and none is undone: a
/// `Content-Encoding` that comes nevertheless is part of what is downloaded, and a part with another one is
/// refused.
#[must_use]
pub struct Download {
    client: Client,
    /// As it is sent for the whole.
    request: Request<'static>,
    /// Of all requests and waits.
    deadline: Deadline,
    head: ResponseHead,
    version: Version,
    voucher: Voucher,
    length: Option<u64>,
    position: u64,
    resumed: u32,
    budget: Budget,
    state: State,
}

enum State {
    /// A body is being read.
    Open(Box<Part>),
    Complete,
    Failed(Error),
}

/// A body that goes on at the download's position.
struct Part {
    body: Body,
    /// Bytes at its front that were read from an earlier one.
    skip: u64,
    extent: Extent,
}

/// What may be spent on requests that bring nothing.
struct Budget {
    attempts: u32,
    /// Requests since the last byte that was new.
    fruitless: u32,
    backoff: Backoff,
}

/// A failure, which another request may make good or not.
struct Setback {
    error: Error,
    /// What the server wants waited for.
    retry_after: Duration,
}

impl Download {
    /// Sends the request, and returns as soon as the head of the response is there.
    ///
    /// It must be a GET without a body and without `Range`, `If-Range` or an `Accept-Encoding` other than
    /// `identity`. Blocks as [`Client::send`] does. A policy for retries holds for this request alone: what is made
    /// good later
    /// is its body, by the rules above.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for another request; those of [`Client::send`]; and
    /// [`ErrorKind::Status`] for any status but 200: for one of 400 or above as
    /// [`Response::error_for_status`] has it, with the beginning of the body.
    pub fn new(client: &Client, request: Request<'_>) -> Result<Download> {
        let timeout = request.timeout().unwrap_or_else(|| client.timeout());
        let deadline = Deadline::of("timeout", timeout, Instant::now());
        check(&request).map_err(|error| error.with_request(request.method(), request.url()))?;
        let mut request = request.without_body();
        request.set_header("Accept-Encoding", "identity")?;
        let response = client.send(copy(&request))?;
        if response.status() != StatusCode::OK {
            return Err(refusal(response));
        }
        let version = Version::of(&response);
        let (head, body) = response.into_parts();
        let length = body.remaining();
        Ok(Download {
            client: client.clone(),
            request,
            deadline,
            head,
            version,
            voucher: Voucher::Server,
            length,
            position: 0,
            resumed: 0,
            budget: Budget { attempts: ATTEMPTS, fruitless: 0, backoff: Backoff::new(WAIT_FIRST, WAIT_MAX) },
            state: opened(Part { body, skip: 0, extent: Extent::Whole }, 0, length),
        })
    }

    /// Sets how many requests in a row may bring no new byte, before the download fails with the error of
    /// the last one. The default is 5; with 0 nothing is resumed.
    pub fn attempts(mut self, count: u32) -> Download {
        self.budget.attempts = count;
        self
    }

    /// Vouches for the resource: it is resumed although the server has no validator by which to tell one
    /// version from another, or sends the whole once more without a strong `ETag`.
    ///
    /// If it does change, the result is a mixture of two versions, unless the server says so: a validator or
    /// a length that is another one is still [`ErrorKind::Changed`].
    pub fn assume_unchanged(mut self) -> Download {
        self.voucher = Voucher::Caller;
        self
    }

    /// Returns how many bytes were read so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns the length of the whole in bytes, where a server has told it. It may change as long as no
    /// byte was read: what is interrupted there begins anew.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Returns how often it went on with another response after an interruption.
    pub fn resumed(&self) -> u32 {
        self.resumed
    }

    /// Returns what the server is asked by whether the resource is still the same: a strong `ETag`, or the
    /// date of `Last-Modified`; `None` if there is no such thing, and the download is resumed only if the
    /// caller [vouches](Download::assume_unchanged) for it.
    pub fn validator(&self) -> Option<&str> {
        self.version.validator()
    }

    /// Returns the head of the response that the download began with.
    pub fn head(&self) -> &ResponseHead {
        &self.head
    }

    /// Reads; 0 into a buffer that is not empty is the end of the whole.
    fn read_into(&mut self, into: &mut [u8]) -> Result<usize> {
        while !into.is_empty() {
            let outcome = match &mut self.state {
                State::Complete => break,
                State::Failed(error) => return Err(error.clone()),
                State::Open(part) => part.read(self.position, self.length, into),
            };
            match outcome {
                Ok(0) => self.end_part(),
                Ok(count) => {
                    self.advance(count);
                    return Ok(count);
                }
                Err(error) => self.resume(error),
            }
        }
        Ok(0)
    }

    /// So many bytes were new.
    fn advance(&mut self, count: usize) {
        self.position += count as u64;
        self.budget.renew();
        if self.length == Some(self.position) {
            self.state = State::Complete;
        }
    }

    /// A body has ended. That is the end of the whole only where its length is not known, and the body was
    /// to go to the end.
    fn end_part(&mut self) {
        let State::Open(part) = &self.state else { return };
        if (self.length, part.skip, part.extent) == (None, 0, Extent::Whole) {
            self.state = State::Complete;
            return;
        }
        let of = self.length.map_or(String::new(), |length| format!(" of {length}"));
        let what = format!("the response ended after {}{of} bytes", self.position);
        self.resume(part.body.error(ErrorKind::Truncated, what));
    }

    /// Goes on with another response, if that may be; otherwise the download has failed.
    fn resume(&mut self, error: Error) {
        self.state = State::Failed(error.clone()); // the body is dropped, and its connection with it
        self.state = self.prepare(error.into()).and_then(|()| self.reach()).unwrap_or_else(State::Failed);
    }

    /// Goes on at another position, in front of which all is there.
    fn continue_at(&mut self, position: u64) {
        self.position = position;
        self.state = State::Complete; // until there is an answer; the body that was open is dropped
        self.state = match self.length {
            Some(length) if length == position => State::Complete,
            _ => self.reach().unwrap_or_else(State::Failed),
        };
    }

    /// Begins anew, with whatever version there is now.
    fn restart(&mut self) {
        self.length = None;
        self.budget.renew();
        self.continue_at(0);
    }

    /// Asks for what is behind the position until there is an answer that goes on.
    fn reach(&mut self) -> Result<State> {
        loop {
            self.budget.fruitless += 1;
            match self.ask() {
                Ok(state) => {
                    self.resumed = self.resumed.saturating_add(1);
                    return Ok(state);
                }
                Err(setback) => self.prepare(setback)?,
            }
        }
    }

    /// Asks once.
    fn ask(&mut self) -> Result<State, Setback> {
        let response = self.client.send(self.next_request()?)?;
        match response.status().as_u16() {
            200 if self.position == 0 => Ok(self.begin(response)),
            200 | 206 | 416 if self.position > 0 => Ok(self.go_on(response)?),
            _ => {
                let retry_after = response.retry_after().unwrap_or_default();
                Err(Setback { error: refusal(response), retry_after })
            }
        }
    }

    /// The request for what is behind the position, under what is left of the total timeout.
    fn next_request(&self) -> Result<Request<'static>> {
        let mut request = copy(&self.request);
        request.set_retry(None); // it counts and waits itself
        if let Some(left) = self.deadline.remaining() {
            request.set_timeout(left.max(Duration::from_nanos(1))); // none left is seen by the first wait
        }
        if self.position > 0 {
            request.set_header("Range", format!("bytes={}-", self.position))?;
            if let Some(validator) = self.version.validator() {
                request.set_header("If-Range", validator)?;
            }
        }
        Ok(request)
    }

    /// Nothing was read yet: any version will do.
    fn begin(&mut self, response: Response) -> State {
        self.version = Version::of(&response);
        let (head, body) = response.into_parts();
        self.head = head;
        self.length = body.remaining();
        opened(Part { body, skip: 0, extent: Extent::Whole }, 0, self.length)
    }

    fn go_on(&mut self, response: Response) -> Result<State> {
        let (position, length, voucher) = (self.position, self.length, self.voucher);
        let answer = Asked { position, length, version: &self.version, voucher }.decide(&response);
        match answer.map_err(|why| self.changed(&response, &why))? {
            Answer::Rest { skip, extent, length } => {
                self.length = length;
                Ok(opened(Part { body: response.into_body(), skip, extent }, position, length))
            }
            Answer::NothingLeft => {
                self.length = Some(position);
                Ok(State::Complete)
            }
        }
    }

    fn changed(&self, response: &Response, why: &str) -> Error {
        let what = format!("the download cannot go on after {} bytes: {why}", self.position);
        response.error(ErrorKind::Changed, what)
    }

    /// Waits for the time of the next request, if there may be one after this.
    fn prepare(&mut self, setback: Setback) -> Result<()> {
        let Setback { error, retry_after } = setback;
        if error.is_timeout() && self.deadline.has_passed() {
            return Err(self.timed_out(&error));
        }
        if !is_passing(&error) {
            return Err(error);
        }
        if self.position > 0 && self.validator().is_none() && self.voucher == Voucher::Server {
            let why = "the download is not resumed, since the server sent no strong ETag and no older Last-Modified";
            return Err(because(error, why));
        }
        let Some(wait) = self.budget.next_wait() else {
            let what = format!("{} attempts brought nothing new after {} bytes", self.budget.fruitless, self.position);
            return Err(if self.budget.attempts == 0 { error } else { because(error, &what) });
        };
        self.wait(wait.max(retry_after), error)
    }

    /// Waits for so long, unless that would be too long: then it fails at once, with what it waits for.
    fn wait(&self, wait: Duration, error: Error) -> Result<()> {
        let wait_max = self.deadline.remaining().unwrap_or(RETRY_AFTER_MAX);
        if wait > wait_max {
            return Err(because(error, "there is no time for another attempt"));
        }
        if wait.is_zero() {
            return Ok(()); // the request asks the token and the clock
        }
        let slept = cancel::sleep(self.request.cancel_token(), wait);
        slept.map_err(|cancelled| self.about(cancelled.at(Stage::Body).with_fate(Fate::ResponseStarted)))
    }

    /// The total timeout in the caller's own number, and not in what was left of it for the last request.
    fn timed_out(&self, error: &Error) -> Error {
        let what = format!("the download, after {} bytes", self.position);
        let timed_out = self.deadline.error(&what).at(error.stage()).with_fate(error.fate());
        self.about(timed_out.with_peer(error.peer_addr()))
    }

    /// Adds the request to an error that has come about between two.
    fn about(&self, error: Error) -> Error {
        error.with_request(self.request.method(), self.request.url())
    }
}

impl From<Error> for Setback {
    fn from(error: Error) -> Setback {
        Setback { error, retry_after: Duration::ZERO }
    }
}

impl Part {
    /// Reads what is new, and nothing behind the end of the whole; 0 is the end of this body.
    fn read(&mut self, position: u64, length: Option<u64>, into: &mut [u8]) -> Result<usize> {
        while self.skip > 0 {
            let arrived = self.body.fill_buf().map_err(of_body)?.len();
            if arrived == 0 {
                return Ok(0);
            }
            let count = at_most(self.skip, arrived);
            self.body.consume(count);
            self.skip -= count as u64;
        }
        let end = match self.extent {
            Extent::Whole => length,
            Extent::UpTo(end) => Some(end),
        };
        let room = end.map_or(into.len(), |end| at_most(end - position, into.len()));
        match room {
            0 => Ok(0),
            room => self.body.read(&mut into[..room]).map_err(of_body),
        }
    }
}

impl Budget {
    /// There was progress.
    fn renew(&mut self) {
        self.fruitless = 0;
        self.backoff.reset();
    }

    /// Returns how long to wait before one more request, or `None` if there may be no more.
    fn next_wait(&mut self) -> Option<Duration> {
        if self.fruitless >= self.attempts {
            return None;
        }
        if self.fruitless == 0 {
            return Some(Duration::ZERO);
        }
        let wait = self.backoff.next_wait();
        Some(random::between(wait / 2, wait))
    }
}

/// The state with a body in it; with none, if nothing is left to read.
fn opened(part: Part, position: u64, length: Option<u64>) -> State {
    if length == Some(position) { State::Complete } else { State::Open(Box::new(part)) }
}

fn of_body(error: io::Error) -> Error {
    Error::from_read(error, "reading the body")
}

/// Whether another request may have more luck. A record that is not sound TLS is as good as a connection that
/// broke.
fn is_passing(error: &Error) -> bool {
    error.is_transient() || error.kind() == ErrorKind::Tls && error.stage() == Stage::Body
}

/// The error with the reason for which it stands.
fn because(error: Error, why: &str) -> Error {
    let kind = error.kind();
    error.context(kind, why)
}

/// The request once more.
fn copy(request: &Request<'static>) -> Request<'static> {
    request.try_clone().expect("a request without a body can be copied")
}

/// What only a download itself may ask for.
fn check(request: &Request<'_>) -> Result<()> {
    let refuse = |what: &'static str| Err(Error::new(ErrorKind::InvalidRequest, what));
    if *request.method() != Method::GET || !request.body().is_empty() {
        return refuse("a download is a GET without a body");
    }
    if request.headers().contains("range") || request.headers().contains("if-range") {
        return refuse("a download sets Range and If-Range itself, and begins with the whole");
    }
    if request.headers().get_all("accept-encoding").any(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return refuse(
            "a download asks for no content coding (Accept-Encoding: identity): a coded part cannot be used",
        );
    }
    Ok(())
}

/// The error of a response with a status that is of no use.
fn refusal(response: Response) -> Error {
    match response.error_for_status() {
        Err(error) => error,
        Ok(response) => {
            let what = format!("the server answered {}, where a download needs a 200", response.status());
            response.error(ErrorKind::Status, what)
        }
    }
}

impl Read for Download {
    /// Reads as from a body, and blocks as that does; where the download is interrupted, also for the waits,
    /// and for the requests for the rest.
    ///
    /// # Errors
    /// [`ErrorKind::Changed`] if the server has another version now, or its answer to the request for the
    /// rest cannot be used; and whatever else ends the download. [`Error`] is inside of the
    /// [`io::Error`].
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_into(into)?)
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Open(_) => "open".to_owned(),
            State::Complete => "complete".to_owned(),
            State::Failed(error) => format!("failed: {error}"),
        };
        f.debug_struct("Download")
            .field("position", &self.position)
            .field("length", &self.length)
            .field("resumed", &self.resumed)
            .field("state", &format_args!("{state}"))
            .finish_non_exhaustive()
    }
}
