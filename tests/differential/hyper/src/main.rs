//! What hyper's client makes of a response: cases come by standard input, outcomes go to standard
//! output, a line of JSON each. The format is `tests/differential/README.md`'s.
//!
//! There is no runtime: everything is polled by hand. The "connection" gives its bytes, is quiet
//! then, and ends only when nothing else moves. So it is seen what needs the end and what does not.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::io::{self, BufRead, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::Body;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::rt::ReadBufCursor;
use serde_json::{Value, json};

/// Fields and bytes that longwire takes in a head.
const FIELDS_MAX: usize = 256;
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Polls of everything without news after which nothing moves any more.
const QUIET_TURNS: usize = 4;

fn main() {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let case: Value = serde_json::from_str(&line.expect("standard input is text")).expect("a case is JSON");
        let bytes = from_hex(case["bytes"].as_str().expect("a case has bytes"));
        let method = case["method"].as_str().expect("a case has a method");
        writeln!(out, "{}", outcome(method, bytes)).expect("standard output is read");
    }
}

/// The peer: sends its bytes when it was asked, then nothing; ends when it is asked to.
struct Peer {
    bytes: Vec<u8>,
    sent: usize,
    was_asked: bool,
    is_over: Rc<Cell<bool>>,
    news: Rc<Cell<usize>>,
}

impl hyper::rt::Read for Peer {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, mut room: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let count = room.remaining().min(self.bytes.len() - self.sent);
        if !self.was_asked || count == 0 && !self.is_over.get() {
            return Poll::Pending;
        }
        room.put_slice(&self.bytes[self.sent..self.sent + count]);
        self.sent += count;
        self.news.set(self.news.get() + 1);
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Peer {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.was_asked = true;
        self.news.set(self.news.get() + 1);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

type Connection = Pin<Box<http1::Connection<Peer, Empty<Bytes>>>>;

/// A connection and what it needs to be driven.
struct Drive {
    connection: Option<Connection>,
    is_over: Rc<Cell<bool>>,
    news: Rc<Cell<usize>>,
}

impl Drive {
    /// Polls until `poll` is ready. When nothing moves any more, the connection ends.
    fn until<T>(&mut self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
        loop {
            if let Some(value) = self.while_quiet(&mut poll) {
                return Some(value);
            }
            if self.is_over.replace(true) {
                return None;
            }
        }
    }

    fn while_quiet<T>(&mut self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
        let mut context = Context::from_waker(Waker::noop());
        let mut quiet = 0;
        while quiet < QUIET_TURNS {
            let before = self.news.get();
            if let Poll::Ready(value) = poll(&mut context) {
                return Some(value);
            }
            let is_done =
                self.connection.as_mut().is_some_and(|connection| connection.as_mut().poll(&mut context).is_ready());
            if is_done {
                self.connection = None;
            }
            quiet = if self.news.get() == before && !is_done { quiet + 1 } else { 0 };
        }
        None
    }
}

/// What hyper makes of the bytes.
fn outcome(method: &str, bytes: Vec<u8>) -> Value {
    let (is_over, news) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
    let peer = Peer { bytes, sent: 0, was_asked: false, is_over: is_over.clone(), news: news.clone() };
    let handshake = http1::Builder::new()
        .allow_obsolete_multiline_headers_in_responses(true)
        .max_headers(FIELDS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake::<Peer, Empty<Bytes>>(peer);
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok((mut sender, connection))) = pin!(handshake).poll(&mut context) else {
        unreachable!("a handshake of HTTP/1 waits for nothing");
    };
    let mut drive = Drive { connection: Some(Box::pin(connection)), is_over, news };
    let request = hyper::Request::builder().method(method).uri("/").header("host", "peer.test").body(Empty::new());
    let mut response = pin!(sender.send_request(request.expect("the request is well-formed")));
    let response = match drive.until(|context| response.as_mut().poll(context)) {
        Some(Ok(response)) => response,
        Some(Err(error)) => return json!({ "end": fault(&error), "why": format!("{error:?}") }),
        None => return json!({ "end": "stuck" }),
    };
    let (head, body) = response.into_parts();
    let fields: Vec<_> =
        head.headers.iter().map(|(name, value)| json!([name.as_str(), hex(value.as_bytes())])).collect();
    let (content, end) = read(&mut drive, body);
    // One that had to end cannot be used again, whatever hyper would do.
    let quiet: Option<Infallible> = drive.while_quiet(|_| Poll::Pending);
    debug_assert!(quiet.is_none());
    let is_reusable = end == "complete" && !drive.is_over.get() && drive.connection.is_some() && sender.is_ready();
    json!({
        "status": head.status.as_u16(),
        "fields": fields,
        "body": hex(&content),
        "end": end,
        "reuse": is_reusable,
    })
}

/// The body, and how it ended.
fn read(drive: &mut Drive, body: Incoming) -> (Vec<u8>, &'static str) {
    let mut body = pin!(body);
    let mut content = Vec::new();
    loop {
        match drive.until(|context| body.as_mut().poll_frame(context)) {
            Some(Some(Ok(frame))) => content.extend(frame.into_data().unwrap_or_default()),
            Some(Some(Err(error))) => return (content, fault(&error)),
            Some(None) => return (content, "complete"),
            None => return (content, "stuck"),
        }
    }
}

fn fault(error: &hyper::Error) -> &'static str {
    let is_cut = error.is_incomplete_message() || error.is_closed() || error.is_canceled();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let kind = inner.downcast_ref::<io::Error>().map(io::Error::kind);
        if kind == Some(io::ErrorKind::UnexpectedEof) {
            return "cut";
        }
        source = inner.source();
    }
    if is_cut { "cut" } else { "refused" }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("bytes are in hexadecimal");
    (0..text.len()).step_by(2).map(pair).collect()
}
