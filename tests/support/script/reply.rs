//! Replies: what is sent, in which pieces, how it ends, and how much of the request is read before.

use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The bytes that a repeated pattern is unrolled to at least, so that reads of it are copies.
const PATTERN_BYTES_MIN: usize = 64 * 1024;

/// What the server sends in answer to one request, and what it does then.
///
/// [`reply`] makes one from its parts, [`raw`] from its bytes. Without a word about the end the
/// connection stays open and silent, and its next request gets the next reply.
///
/// ```ignore
/// use std::time::Duration;
///
/// let whole = reply(200).header("Content-Type", "text/plain").body("hello");
/// let cut = reply(200).body("hello").cut(40).reset();
/// let drip = reply(200).body("hello").drip(1, Duration::from_millis(10));
/// let stale = reply(200).body("hello").stale();
/// let flood = raw("HTTP/1.1 200 OK\r\n\r\n").repeat("x", u64::MAX);
/// ```
#[derive(Clone, Debug)]
pub struct Reply {
    pub(super) steps: Vec<Step>,
    start: Start,
    /// How much of the request is read, and what happens then.
    pub(super) receives: Option<(u64, Then)>,
}

/// When a reply begins.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// Once the request is there, all of it.
    Whole,
    /// Once its head is.
    Head,
    /// The same, but after 100 (Continue) it waits for the rest.
    Continue,
}

/// What a server does that does not read all of a request: for [`Reply::receives`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug)]
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
    Close,
    Fail(Fault),
}

/// A pattern that is sent over and over, from `at` on, `left` bytes of it.
#[derive(Clone, Debug)]
pub(super) struct Bytes {
    pattern: Arc<[u8]>,
    at: usize,
    pub(super) left: u64,
}

/// How a read fails, once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Kind(io::ErrorKind),
    Os(i32),
}

impl Fault {
    pub(super) fn error(self) -> io::Error {
        match self {
            Fault::Kind(kind) => kind.into(),
            Fault::Os(code) => io::Error::from_raw_os_error(code),
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
#[derive(Clone, Debug)]
pub(super) struct Message {
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    body: Body,
    trailers: Vec<(String, Vec<u8>)>,
}

#[derive(Clone, Debug)]
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
pub fn reply(status: u16) -> Reply {
    let message = Message { status, fields: Vec::new(), body: Body::None, trailers: Vec::new() };
    Reply::of(Step::Message(Box::new(message)))
}

/// Returns a reply of just these bytes, right or wrong: see [`Reply`].
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

    /// Adds a header field.
    ///
    /// # Panics
    /// If this is a [`raw`] reply, or was given a way to be sent already. So do `body`, `chunked` and
    /// `trailer`.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Reply {
        self.message().fields.push((name.to_owned(), value.as_ref().to_vec()));
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
    pub fn then(self, bytes: impl Into<Vec<u8>>) -> Reply {
        self.step(Step::Bytes(Bytes::once(bytes.into())))
    }

    /// Adds `length` bytes: `pattern` over and over. They take no memory, however many they are.
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
    /// polls ([`Stream::try_read`](longwire::transport::Stream::try_read)) does not see it.
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

    /// Ends the reply as [`fails`](Reply::fails) does, with an error of the operating system
    /// ([`from_raw_os_error`](io::Error::from_raw_os_error)).
    pub fn fails_with_os_error(self, code: i32) -> Reply {
        self.step(Step::Fail(Fault::Os(code)))
    }

    /// Leaves a stale connection: it looks open and silent, but what is written on it next is
    /// lost and answered with a reset, as where a server drops an idle connection while a request is on
    /// its way.
    pub fn stale(self) -> Reply {
        self.step(Step::Stale)
    }

    /// Sends only the first `length` bytes of what there is, and closes the connection.
    pub fn cut(mut self, length: usize) -> Reply {
        let mut left = length as u64;
        self.steps = std::mem::take(&mut self.steps).into_iter().map(Step::into_bytes).collect();
        for step in &mut self.steps {
            if let Step::Bytes(bytes) = step {
                bytes.left = bytes.left.min(left);
                left -= bytes.left;
            }
        }
        self.close()
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
        self.start = Start::Continue;
        self
    }

    /// Reads no more than `bytes` of the request, head and all, and [then](Then) stalls, closes or resets.
    /// What is to be sent is sent even so. (A rule is chosen when the head is there, so for its reply
    /// the whole head counts at least.)
    ///
    /// ```ignore
    /// // The server refuses an upload, of which it reads the first 300 bytes.
    /// let script = Script::new().on("POST *", reply(413).receives(300, Then::Closes));
    /// let response = script.client().post("http://host/").body(vec![b'x'; 1 << 20]).send()?;
    /// assert_eq!(response.status(), 413);
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
            Start::Continue => {
                let interim = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
                vec![Step::Head(exchange), Step::Bytes(Bytes::once(interim)), Step::Whole(exchange)]
            }
        };
        first.into_iter().chain(self.steps)
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
        let mut bytes = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)).into_bytes();
        let framing = self.framing();
        for (name, value) in self.fields.iter().chain(&framing) {
            put_field(&mut bytes, name, value);
        }
        bytes.extend(b"\r\n");
        if method != "HEAD" {
            self.put_body(&mut bytes);
        }
        Bytes::once(bytes)
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

/// The reason phrases of RFC 9110, as far as tests show them to people.
fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        413 => "Content Too Large",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}
