//! Replies: what is sent, in which pieces, how it ends, and how much of the request is read before.
//!
//! They are not checked: a test may need any of them, right or wrong.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::status::StatusCode;

/// The bytes that a repeated pattern is unrolled to at least, so that reads of it are copies.
const PATTERN_BYTES_MIN: usize = 64 * 1024;

/// What the server sends in answer to one request, and what it does then.
///
/// [`reply`] makes one from its parts, [`raw`] from its bytes. Say first what is sent, then how, then how it
/// ends: without a word about the end the connection stays open and silent, and its next request gets the
/// next reply.
///
/// ```
/// use longwire::script::{raw, reply};
/// use std::time::Duration;
///
/// let whole = reply(200).header("Content-Type", "text/plain").body("hello");
/// let cut = reply(200).body("hello").cut_after(40);
/// let reset = reply(200).body("hello").reset_after(40);
/// let drip = reply(200).body("hello").drip(1, Duration::from_millis(10));
/// let stale = reply(200).body("hello").stale();
/// let hints = reply(200).interim(reply(103).header("Link", "</a.css>; rel=preload"));
/// let refusal = reply(413).early();
/// let flood = raw("HTTP/1.1 200 OK\r\n\r\n").repeat("x", u64::MAX);
/// # drop((whole, cut, reset, drip, stale, hints, refusal, flood));
/// ```
///
/// `Debug` shows none of its content.
#[derive(Clone)]
#[must_use]
pub struct Reply {
    pub(super) steps: Vec<Step>,
    start: Start,
    /// How much of the request is read, and what happens then.
    pub(super) receives: Option<(u64, Then)>,
}

/// When a reply begins.
#[derive(Clone)]
enum Start {
    /// Once the request is there, all of it.
    Whole,
    /// Once its head is.
    Head,
    /// Once its head is there, with these bytes; but after them it waits for the rest.
    HeadSends(Vec<u8>),
}

/// What a server does that does not read all of a request: for [`Reply::receives`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Then {
    /// It takes no more, and the client's write waits.
    Stalls,
    /// It has closed the connection: the client's write fails with
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe).
    Closes,
    /// It has reset the connection: the client's write fails with
    /// [`ConnectionReset`](io::ErrorKind::ConnectionReset), once, and later ones with `BrokenPipe`.
    Resets,
}

/// One thing after the other on the way to the client.
#[derive(Clone)]
pub(super) enum Step {
    /// A reply that is put into bytes when the method is known that it answers.
    Message(Box<Message>),
    Bytes(Bytes),
    /// The head of the request with this number is there, all of it is there.
    Head(usize),
    Whole(usize),
    Pause(Duration),
    /// The client waits in a read.
    Awaited,
    Silence,
    /// The next write is lost, and resets the connection.
    Stale,
    /// The connection ends if the client waits for more; its next request takes this away.
    CloseIfAwaited,
    Close,
    Fail(Fault),
}

/// A pattern that is sent over and over, from `at` on, `left` bytes of it.
#[derive(Clone)]
pub(super) struct Bytes {
    pattern: Arc<[u8]>,
    at: usize,
    pub(super) left: u64,
}

/// How a read fails, once.
#[derive(Clone)]
pub(super) enum Fault {
    Kind(io::ErrorKind),
    /// There is no rule for the request.
    Unmatched(String),
}

impl Fault {
    pub(super) fn into_error(self) -> io::Error {
        match self {
            Fault::Kind(kind) => kind.into(),
            Fault::Unmatched(what) => Error::new(ErrorKind::Connect, what).into(),
        }
    }
}

impl Bytes {
    fn once(bytes: Vec<u8>) -> Bytes {
        Bytes { left: bytes.len() as u64, pattern: bytes.into(), at: 0 }
    }

    fn repeated(pattern: &[u8], left: u64) -> Bytes {
        assert!(!pattern.is_empty(), "nothing to repeat");
        let times = PATTERN_BYTES_MIN.div_ceil(pattern.len());
        Bytes { pattern: pattern.repeat(times).into(), at: 0, left }
    }

    /// Moves as much as there is room for.
    pub(super) fn take(&mut self, into: &mut [u8]) -> usize {
        let here = &self.pattern[self.at..];
        let count = here.len().min(into.len());
        let count = usize::try_from(self.left).map_or(count, |left| count.min(left));
        into[..count].copy_from_slice(&here[..count]);
        self.at = (self.at + count) % self.pattern.len();
        self.left -= count as u64;
        count
    }
}

/// A reply in its parts.
#[derive(Clone)]
pub(super) struct Message {
    interims: Vec<Message>,
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    body: Body,
    trailers: Vec<(String, Vec<u8>)>,
}

#[derive(Clone)]
enum Body {
    None,
    Sized(Vec<u8>),
    Chunked(Vec<Vec<u8>>),
}

/// Returns a reply with this status, without a body: see [`Reply`].
///
/// Its `Content-Length` is added where none was given: that of the body, or 0; not where the status
/// has no body (1xx, 204, 304), nor together with chunks. The reply to HEAD has the fields and not the
/// body.
///
/// ```
/// use longwire::script::{Script, reply};
///
/// let script = Script::answering(reply(200).header("ETag", "\"1\"").chunked(["hel", "lo"]).trailer("X-Sum", "5"));
/// let response = script.client().get("http://host/").send()?;
/// assert_eq!(response.header("etag"), Some("\"1\""));
/// assert_eq!(response.text()?, "hello");
/// # Ok::<(), longwire::Error>(())
/// ```
pub fn reply(status: u16) -> Reply {
    let (interims, fields, trailers) = (Vec::new(), Vec::new(), Vec::new());
    let message = Message { interims, status, fields, body: Body::None, trailers };
    Reply::of(Step::Message(Box::new(message)))
}

/// Returns a reply of just these bytes, right or wrong: see [`Reply`].
///
/// ```
/// use longwire::ErrorKind;
/// use longwire::script::{Script, raw};
///
/// let script = Script::answering(raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello"));
/// let error = script.client().get("http://host/").send()?.text().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Chunk);
/// # Ok::<(), longwire::Error>(())
/// ```
pub fn raw(bytes: impl Into<Vec<u8>>) -> Reply {
    Reply::of(Step::Bytes(Bytes::once(bytes.into())))
}

impl Reply {
    fn of(step: Step) -> Reply {
        Reply { steps: vec![step], start: Start::Whole, receives: None }
    }

    fn step(mut self, step: Step) -> Reply {
        self.steps.push(step);
        self
    }

    fn message(&mut self) -> &mut Message {
        match self.steps.as_mut_slice() {
            [Step::Message(message)] => message,
            _ => panic!("the head and the body of a reply(status) come before all else, and a raw reply has its own"),
        }
    }

    /// The reply to a request that there is none for: the client's read fails.
    pub(super) fn unmatched(what: String) -> Reply {
        Reply { start: Start::Head, ..Reply::of(Step::Fail(Fault::Unmatched(what))) }
    }

    /// These bytes; the connection ends after them if the client waits for more.
    pub(super) fn recorded(bytes: Vec<u8>) -> Reply {
        raw(bytes).step(Step::CloseIfAwaited)
    }

    /// The same, of which the first bytes are sent as soon as the head of the request is there; if these are all,
    /// the connection ends without the rest of the request, too.
    pub(super) fn recorded_from_head(mut bytes: Vec<u8>, first: usize) -> Reply {
        if first == bytes.len() {
            return Reply::recorded(bytes).early();
        }
        let rest = bytes.split_off(first);
        Reply { start: Start::HeadSends(bytes), ..Reply::recorded(rest) }
    }

    /// Adds a header field. The value is sent as it is, whatever is in it.
    ///
    /// # Panics
    /// If this is a [`raw`] reply, or was given a way to be sent already. So do `interim`, `body`, `chunked`
    /// and `trailer`.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Reply {
        self.message().fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Adds an interim response, as 103 (Early Hints), which is sent together with the head, before it. A 100
    /// that a client waits for is [`continues`](Reply::continues).
    ///
    /// # Panics
    /// As [`header`](Reply::header); and if `interim` is not a [`reply`] of status, fields and no more.
    pub fn interim(mut self, mut interim: Reply) -> Reply {
        let interim = interim.message().clone();
        self.message().interims.push(interim);
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Reply {
        self.message().body = Body::Sized(body.into());
        self
    }

    /// Sets the body, which is sent in these chunks, with the last chunk after them.
    pub fn chunked<B: Into<Vec<u8>>>(mut self, chunks: impl IntoIterator<Item = B>) -> Reply {
        self.message().body = Body::Chunked(chunks.into_iter().map(Into::into).collect());
        self
    }

    /// Adds a trailer field, which is sent after a [chunked](Reply::chunked) body.
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Reply {
        self.message().trailers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Adds bytes, which come in a read of their own, after what there is.
    pub fn more(self, bytes: impl Into<Vec<u8>>) -> Reply {
        self.step(Step::Bytes(Bytes::once(bytes.into())))
    }

    /// Adds `length` bytes: `pattern` over and over. They take no memory, however many they are,
    /// unless the reply is cut into [`pieces`](Reply::pieces) or a [`drip`](Reply::drip).
    ///
    /// # Panics
    /// If the pattern is empty.
    pub fn repeat(self, pattern: impl AsRef<[u8]>, length: u64) -> Reply {
        self.step(Step::Bytes(Bytes::repeated(pattern.as_ref(), length)))
    }

    /// Adds a pause: what follows comes this long after the client has read what was before.
    pub fn pause(self, pause: Duration) -> Reply {
        self.step(Step::Pause(pause))
    }

    /// Adds a wait: what follows comes when the client waits for it in a read. A client that only
    /// polls ([`Stream::try_read`](crate::transport::Stream::try_read)) does not see it.
    pub fn awaited(self) -> Reply {
        self.step(Step::Awaited)
    }

    /// Ends the reply in silence: the connection stays open, and nothing comes on it any more.
    pub fn silence(self) -> Reply {
        self.step(Step::Silence)
    }

    /// Ends the reply with an orderly close: reads give `Ok(0)`, and later writes `BrokenPipe`.
    pub fn close(self) -> Reply {
        self.step(Step::Close)
    }

    /// Ends the reply with a reset: a read fails with
    /// [`ConnectionReset`](io::ErrorKind::ConnectionReset).
    pub fn reset(self) -> Reply {
        self.fails(io::ErrorKind::ConnectionReset)
    }

    /// Ends the reply with this error of a read. As on a socket it is reported once: later reads give
    /// `Ok(0)`, and writes `BrokenPipe`.
    pub fn fails(self, kind: io::ErrorKind) -> Reply {
        self.step(Step::Fail(Fault::Kind(kind)))
    }

    /// Leaves a stale connection: it looks open and silent, but what is written on it next is
    /// lost and answered with a reset, as where a server drops an idle connection while a request is on
    /// its way.
    pub fn stale(self) -> Reply {
        self.step(Step::Stale)
    }

    /// Sends only the first `length` bytes of what there is, head and all, and closes the connection in order.
    pub fn cut_after(self, length: usize) -> Reply {
        self.shorten(length).close()
    }

    /// Sends only the first `length` bytes of what there is, head and all, and resets the connection.
    pub fn reset_after(self, length: usize) -> Reply {
        self.shorten(length).reset()
    }

    fn shorten(mut self, length: usize) -> Reply {
        let mut left = length as u64;
        self.steps = std::mem::take(&mut self.steps).into_iter().map(Step::into_bytes).collect();
        for step in &mut self.steps {
            if let Step::Bytes(bytes) = step {
                bytes.left = bytes.left.min(left);
                left -= bytes.left;
            }
        }
        self
    }

    /// Sends what there is in pieces of at most `length` bytes, each given by a read of its own, and the
    /// first at once.
    ///
    /// # Panics
    /// If the length is zero.
    pub fn pieces(self, length: usize) -> Reply {
        self.in_pieces(length, None)
    }

    /// Sends what there is in pieces of at most `length` bytes, with a pause after each.
    ///
    /// # Panics
    /// If the length is zero.
    pub fn drip(self, length: usize, pause: Duration) -> Reply {
        self.in_pieces(length, Some(pause))
    }

    fn in_pieces(mut self, length: usize, pause: Option<Duration>) -> Reply {
        assert!(length > 0, "a piece has at least one byte");
        for step in std::mem::take(&mut self.steps) {
            let Step::Bytes(mut bytes) = step.into_bytes() else {
                panic!("pieces and drips are made of bytes: say before how, and then how it ends");
            };
            while bytes.left > 0 {
                let mut piece = vec![0; length.min(usize::try_from(bytes.left).unwrap_or(length))];
                let count = bytes.take(&mut piece);
                piece.truncate(count);
                self.steps.push(Step::Bytes(Bytes::once(piece)));
                self.steps.extend(pause.map(Step::Pause));
            }
        }
        self
    }

    /// Starts as soon as the head of the request is there. By default the server reads all of the
    /// request first.
    pub fn early(mut self) -> Reply {
        self.start = Start::Head;
        self
    }

    /// Sends `100 Continue` as soon as the head of the request is there, and the reply after the whole
    /// request.
    pub fn continues(mut self) -> Reply {
        self.start = Start::HeadSends(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec());
        self
    }

    /// Reads no more than `bytes` of the request, head and all, and [then](Then) stalls, closes or resets.
    /// What is to be sent is sent even so. (A rule is chosen when the head is there, so for its reply
    /// the whole head counts at least.)
    ///
    /// ```
    /// use longwire::script::{Script, Then, reply};
    ///
    /// // The server refuses an upload, of which it reads the first 300 bytes.
    /// let script = Script::new().on("POST *", reply(413).receives(300, Then::Closes));
    /// let response = script.client().post("http://host/").body(vec![b'x'; 1 << 20]).send()?;
    /// assert_eq!(response.status(), 413);
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn receives(mut self, bytes: u64, then: Then) -> Reply {
        self.receives = Some((bytes, then));
        self
    }

    /// The steps for the request with this number.
    pub(super) fn into_steps(self, exchange: usize) -> impl Iterator<Item = Step> {
        let first = match self.start {
            Start::Whole => vec![Step::Whole(exchange)],
            Start::Head => vec![Step::Head(exchange)],
            Start::HeadSends(first) => {
                vec![Step::Head(exchange), Step::Bytes(Bytes::once(first)), Step::Whole(exchange)]
            }
        };
        first.into_iter().chain(self.steps)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = match self.steps.first() {
            Some(Step::Message(message)) => Some(message.status),
            _ => None,
        };
        f.debug_struct("Reply").field("status", &status).finish_non_exhaustive()
    }
}

impl Step {
    fn into_bytes(self) -> Step {
        match self {
            Step::Message(message) => Step::Bytes(message.to_bytes("GET")),
            other => other,
        }
    }

    /// Returns whether the connection has ended here, as the server sees it.
    pub(super) fn is_end(&self) -> bool {
        matches!(self, Step::Close | Step::Fail(_))
    }
}

impl Message {
    /// Puts it into bytes, as the response to this method.
    pub(super) fn to_bytes(&self, method: &str) -> Bytes {
        let mut bytes = Vec::new();
        for message in self.interims.iter().chain([self]) {
            message.put_head(&mut bytes);
        }
        if method != "HEAD" {
            self.put_body(&mut bytes);
        }
        Bytes::once(bytes)
    }

    fn put_head(&self, bytes: &mut Vec<u8>) {
        let reason = StatusCode::new(self.status).and_then(StatusCode::canonical_reason).unwrap_or_default();
        bytes.extend(format!("HTTP/1.1 {} {reason}\r\n", self.status).into_bytes());
        let framing = self.framing();
        for (name, value) in self.fields.iter().chain(&framing) {
            put_field(bytes, name, value);
        }
        bytes.extend(b"\r\n");
    }

    /// The field that says where the body ends, unless there is one or must be none.
    fn framing(&self) -> Option<(String, Vec<u8>)> {
        let is_given = self.fields.iter().any(|(name, _)| {
            name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
        });
        match &self.body {
            _ if is_given => None,
            Body::Chunked(_) => Some(("Transfer-Encoding".to_owned(), b"chunked".to_vec())),
            Body::None if matches!(self.status, 100..200 | 204 | 304) => None,
            Body::None => Some(("Content-Length".to_owned(), b"0".to_vec())),
            Body::Sized(body) => Some(("Content-Length".to_owned(), body.len().to_string().into_bytes())),
        }
    }

    fn put_body(&self, bytes: &mut Vec<u8>) {
        match &self.body {
            Body::None => {}
            Body::Sized(body) => bytes.extend(body),
            Body::Chunked(chunks) => {
                for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                    bytes.extend(chunk);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\n");
                self.trailers.iter().for_each(|(name, value)| put_field(bytes, name, value));
                bytes.extend(b"\r\n");
            }
        }
    }
}

fn put_field(bytes: &mut Vec<u8>, name: &str, value: &[u8]) {
    bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
}
