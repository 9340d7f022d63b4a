//! Requests as the server in memory sees them, whatever the writes that they come in.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ext::script::message::{Message, Piece, fields};
use crate::ext::script::secrets;
use crate::headers::Headers;

/// As much of a body is kept: more is only counted.
const BODY_BYTES_MAX: usize = 64 << 20;

/// A request that the server has seen: see [`Script::seen`](super::Script::seen).
///
/// ```
/// use longwire::script::{Script, reply};
///
/// let script = Script::answering(reply(201));
/// script.client().post("https://host/path?q").header("X-Id", "7").body("hello").send()?;
/// let seen = &script.seen()[0];
/// assert_eq!((seen.method(), seen.target(), seen.header("x-id")), ("POST", "/path?q", Some("7")));
/// assert_eq!((seen.url().as_str(), seen.body()), ("https://host/path?q", &b"hello"[..]));
/// # Ok::<(), longwire::Error>(())
/// ```
///
/// `Debug` shows the first line, in which the values of secret query parameters are blanked, and no field.
#[derive(Clone)]
pub struct Seen {
    pub(super) origin: Arc<str>,
    pub(super) connection: usize,
    pub(super) exchange: usize,
    head: Vec<u8>,
    /// The method and the target.
    line: (String, String),
    headers: Headers,
    body: Vec<u8>,
    body_length: u64,
    is_complete: bool,
    writes: usize,
}

impl Seen {
    /// The request with this head, on a connection that leads to `origin`.
    pub(super) fn new(origin: Arc<str>, connection: usize, exchange: usize, head: Vec<u8>) -> Seen {
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut words = line.split(|byte| *byte == b' ').map(|word| String::from_utf8_lossy(word).trim().to_owned());
        let line = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = Headers::new();
        for (name, value) in fields(&head) {
            // What breaks the grammar stands in the head alone: longwire sends no such field.
            let _ = std::str::from_utf8(name).is_ok_and(|name| headers.append(name, value).is_ok());
        }
        let (body, body_length, is_complete, writes) = (Vec::new(), 0, false, 0);
        Seen { origin, connection, exchange, head, line, headers, body, body_length, is_complete, writes }
    }

    /// Returns the number of the connection that it came on; the first is 0.
    #[must_use]
    pub fn connection(&self) -> usize {
        self.connection
    }

    /// Returns its number on the connection; the first is 0.
    #[must_use]
    pub fn exchange(&self) -> usize {
        self.exchange
    }

    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.line.0
    }

    /// Returns the target as it stands in the first line: `/path?query`.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.line.1
    }

    /// Returns method and target: `GET /path?query`.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.method(), self.target())
    }

    /// Returns the URL that was asked for, without a fragment: the target after the origin that the
    /// connection was opened for.
    #[must_use]
    pub fn url(&self) -> String {
        if self.target().starts_with('/') {
            format!("{}{}", self.origin, self.target())
        } else {
            self.target().to_owned()
        }
    }

    /// Returns the value of the first field with this name, in any case, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// Returns the header fields in their order.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Returns the head as it came, with its empty line.
    #[must_use]
    pub fn raw_head(&self) -> &[u8] {
        &self.head
    }

    /// Returns what has come of the body, without the chunked coding: its first 64 MiB.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns how many bytes of the body have come.
    #[must_use]
    pub fn body_length(&self) -> u64 {
        self.body_length
    }

    /// Returns whether all of it has come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Returns in how many writes it came.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.writes
    }

    /// Returns the first line for people.
    pub(super) fn shown_line(&self) -> String {
        let mut line = self.line().into_bytes();
        secrets::blank_urls(&mut line, &[]);
        line.escape_ascii().to_string()
    }

    fn put(&mut self, content: &[u8]) {
        self.body_length += content.len() as u64;
        let room = BODY_BYTES_MAX - self.body.len();
        self.body.extend_from_slice(&content[..content.len().min(room)]);
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.is_complete { "" } else { ", incomplete" };
        let (line, number) = (self.shown_line(), (self.connection, self.exchange));
        write!(f, "{line} ({}.{}, {} bytes{end})", number.0, number.1, self.body_length)
    }
}

/// A request in the record, to which its connection adds what comes.
#[derive(Clone)]
pub(super) struct Entry(Arc<Mutex<Seen>>);

impl Entry {
    fn new(seen: Seen) -> Entry {
        Entry(Arc::new(Mutex::new(seen)))
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn method(&self) -> String {
        self.lock().method().to_owned()
    }

    pub(super) fn to_seen(&self) -> Seen {
        self.lock().clone()
    }
}

/// Reads one request out of the bytes that come.
pub(super) struct Reader {
    origin: Arc<str>,
    connection: usize,
    exchange: usize,
    message: Message,
    /// Once its head is there.
    entry: Option<Entry>,
    /// Bytes of this request so far.
    pub(super) received: u64,
    writes: usize,
}

/// What has come of some bytes.
pub(super) struct Progress {
    /// How many of them belong to the request.
    pub(super) used: usize,
    /// The request, if its head ended among them.
    pub(super) begun: Option<Entry>,
    /// And if all of it did.
    pub(super) ended: Option<Entry>,
}

impl Reader {
    pub(super) fn new(origin: Arc<str>, connection: usize, exchange: usize) -> Reader {
        Reader { origin, connection, exchange, message: Message::request(), entry: None, received: 0, writes: 0 }
    }

    /// Takes what one write has brought.
    ///
    /// # Errors
    /// Its head, or a line of its chunked coding, is too long.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<Progress> {
        self.writes += 1;
        let (mut rest, mut begun) = (bytes, None);
        while let Some(piece) = self.message.next(&mut rest)? {
            match (piece, &self.entry) {
                (Piece::Head(head), _) => {
                    let entry = Entry::new(Seen::new(self.origin.clone(), self.connection, self.exchange, head));
                    begun = Some(entry.clone());
                    self.entry = Some(entry);
                }
                (Piece::Content(content), Some(entry)) => entry.lock().put(content),
                _ => {}
            }
        }
        let used = bytes.len() - rest.len();
        self.received += used as u64;
        let is_complete = self.message.is_complete();
        if let Some(entry) = &self.entry {
            let mut seen = entry.lock();
            (seen.is_complete, seen.writes) = (is_complete, self.writes);
        }
        let ended = self.entry.clone().filter(|_| is_complete);
        Ok(Progress { used, begun, ended })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_kept_up_to_its_limit_and_counted_beyond() {
        let mut seen = Seen::new("http://h".into(), 0, 0, b"PUT / HTTP/1.1\r\n\r\n".to_vec());
        seen.put(&vec![0; BODY_BYTES_MAX - 1]);
        seen.put(b"ab");
        seen.put(b"c");
        assert_eq!((seen.body().len(), seen.body().last()), (BODY_BYTES_MAX, Some(&b'a')));
        assert_eq!(seen.body_length(), BODY_BYTES_MAX as u64 + 2);
    }

    #[test]
    fn a_head_that_is_none_has_no_words_and_no_fields() {
        let seen = Seen::new("http://h".into(), 0, 0, b"\xff\nno field\n bad name: x\nX: \xe4\nY: z\n\n".to_vec());
        assert_eq!((seen.method(), seen.target()), ("\u{fffd}", ""));
        assert_eq!((seen.headers().len(), seen.header("x"), seen.header("y")), (2, None, Some("z")));
        assert_eq!(seen.headers().get_bytes("x"), Some(&b"\xe4"[..]));
    }
}
