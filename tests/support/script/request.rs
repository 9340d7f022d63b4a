//! Requests as the server reads them: incrementally, from whatever the client's writes bring.

use std::fmt;

/// As much of a body is kept: more is only counted.
const BODY_BYTES_KEPT: u64 = 64 << 20;

/// A request that the server has seen: see [`Script::seen`](super::Script::seen).
///
/// ```ignore
/// let script = Script::answering(reply(200));
/// script.client().post("http://host/path?q").header("X-Id", "7").body("hello").send()?;
/// let seen = &script.seen()[0];
/// assert_eq!((seen.line(), seen.header("x-id"), seen.body()), ("POST /path?q".into(), Some("7"), &b"hello"[..]));
/// ```
#[derive(Clone)]
pub struct Seen {
    connection: usize,
    exchange: usize,
    /// The head as it came, with its empty line; bytes that are not ASCII as Latin-1.
    head: String,
    body: Vec<u8>,
    body_bytes: u64,
    is_complete: bool,
    writes: usize,
}

impl Seen {
    fn new(connection: usize, exchange: usize, head: &[u8]) -> Seen {
        let head = head.iter().copied().map(char::from).collect();
        Seen { connection, exchange, head, body: Vec::new(), body_bytes: 0, is_complete: false, writes: 0 }
    }

    /// Returns the number of the connection that it came on; the first is 0.
    pub fn connection(&self) -> usize {
        self.connection
    }

    /// Returns its number on the connection; the first is 0.
    pub fn exchange(&self) -> usize {
        self.exchange
    }

    fn word(&self, index: usize) -> &str {
        let line = self.head.lines().next().unwrap_or_default();
        line.split(' ').nth(index).unwrap_or_default()
    }

    /// Returns the method.
    pub fn method(&self) -> &str {
        self.word(0)
    }

    /// Returns the target as it stands in the request line: `/path?query`, or the whole URL where the
    /// server is a proxy.
    pub fn target(&self) -> &str {
        self.word(1)
    }

    /// Returns method and target: `GET /path`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method(), self.target())
    }

    /// Returns the first field with this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns the header fields in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.head.split("\r\n").skip(1).take_while(|line| !line.is_empty());
        lines.map(|line| line.split_once(':').unwrap_or((line, ""))).map(|(name, value)| (name, value.trim()))
    }

    /// Returns the whole head as it came, with the empty line. Bytes that are not ASCII are shown as
    /// Latin-1.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// Returns what has come of the body, without its chunked coding: the first 64 MiB.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns how many bytes of the body have come.
    pub fn body_length(&self) -> u64 {
        self.body_bytes
    }

    /// Returns whether all of it has come.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Returns in how many writes it came.
    pub fn writes(&self) -> usize {
        self.writes
    }

    pub(super) fn matches(&self, pattern: &str) -> bool {
        let (method, target) = pattern.split_once(' ').unwrap_or(("*", pattern));
        let fits = match target.strip_suffix('*') {
            Some(start) => self.target().starts_with(start),
            None => self.target() == target,
        };
        fits && (method == "*" || method == self.method())
    }

    fn framing(&self) -> Framing {
        if self.header("transfer-encoding").is_some() {
            return Framing::Chunked(Chunk::Size(Vec::new()));
        }
        let length = self.header("content-length").and_then(|value| value.parse().ok());
        Framing::Length(length.unwrap_or(0))
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.is_complete { "" } else { ", incomplete" };
        write!(f, "{} ({}.{}, {} bytes{end})", self.line(), self.connection, self.exchange, self.body_bytes)
    }
}

/// Reads one request out of the bytes that come.
pub(super) struct Reader {
    connection: usize,
    exchange: usize,
    part: Part,
    /// Bytes of this request so far.
    pub(super) received: u64,
    writes: usize,
}

enum Part {
    Head(Vec<u8>),
    Body(Framing),
}

enum Framing {
    /// This many bytes are missing.
    Length(u64),
    Chunked(Chunk),
}

/// Where a chunked body is.
enum Chunk {
    /// In a line with a size, or a line of the trailer section.
    Size(Vec<u8>),
    Trailer(Vec<u8>),
    /// In the data, of which so much is missing, its line end included.
    Data(u64),
}

/// What became of some bytes.
pub(super) struct Progress {
    /// How many of them belong to the request.
    pub(super) used: usize,
    /// The request, if its head ended among them.
    pub(super) head: Option<Seen>,
    pub(super) is_complete: bool,
}

impl Reader {
    pub(super) fn new(connection: usize, exchange: usize) -> Reader {
        Reader { connection, exchange, part: Part::Head(Vec::new()), received: 0, writes: 0 }
    }

    /// Takes what one write has brought; `seen` is the request in the record, once its head is there.
    pub(super) fn take(&mut self, bytes: &[u8], seen: Option<&mut Seen>) -> Progress {
        self.writes += 1;
        let mut progress = Progress { used: bytes.len(), head: None, is_complete: false };
        let mut rest = bytes;
        if let Part::Head(head) = &mut self.part {
            let before = head.len();
            head.extend_from_slice(bytes);
            let from = before.saturating_sub(3);
            let Some(at) = head[from..].windows(4).position(|four| four == b"\r\n\r\n") else {
                self.received += bytes.len() as u64;
                return progress;
            };
            let length = from + at + 4;
            rest = &bytes[length - before..];
            let seen = Seen::new(self.connection, self.exchange, &head[..length]);
            self.part = Part::Body(seen.framing());
            progress.head = Some(seen);
        }
        let Part::Body(framing) = &mut self.part else { unreachable!("the head has ended") };
        let mut seen = progress.head.as_mut().or(seen);
        let (left, is_complete) = framing.take(rest, &mut seen);
        progress.used = bytes.len() - left.len();
        progress.is_complete = is_complete;
        self.received += progress.used as u64;
        if let Some(seen) = seen {
            (seen.is_complete, seen.writes) = (is_complete, self.writes);
        }
        progress
    }
}

/// Adds to the body in the record, if one is kept.
fn put(seen: &mut Option<&mut Seen>, bytes: &[u8]) {
    let Some(seen) = seen else { return };
    seen.body_bytes += bytes.len() as u64;
    if seen.body_bytes <= BODY_BYTES_KEPT {
        seen.body.extend_from_slice(bytes);
    }
}

/// The first of these bytes, as many of `count` as there are, and the rest.
fn split_at_most(bytes: &[u8], count: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(count).map_or(bytes.len(), |count| count.min(bytes.len())))
}

impl Framing {
    /// Takes bytes of the body; returns the rest, and whether the body is complete.
    fn take<'a>(&mut self, mut bytes: &'a [u8], seen: &mut Option<&mut Seen>) -> (&'a [u8], bool) {
        match self {
            Framing::Length(left) => {
                let (content, rest) = split_at_most(bytes, *left);
                put(seen, content);
                *left -= content.len() as u64;
                (rest, *left == 0)
            }
            Framing::Chunked(chunk) => {
                let mut is_end = false;
                while !bytes.is_empty() && !is_end {
                    (bytes, is_end) = chunk.take(bytes, seen);
                }
                (bytes, is_end)
            }
        }
    }
}

impl Chunk {
    /// Takes a line or some data; returns the rest, and whether the body is complete.
    fn take<'a>(&mut self, bytes: &'a [u8], seen: &mut Option<&mut Seen>) -> (&'a [u8], bool) {
        match self {
            Chunk::Data(left) => {
                let (content, _) = split_at_most(bytes, left.saturating_sub(2)); // without the line end
                put(seen, content);
                let (taken, rest) = split_at_most(bytes, *left);
                *left -= taken.len() as u64;
                if *left == 0 {
                    *self = Chunk::Size(Vec::new());
                }
                (rest, false)
            }
            Chunk::Size(line) | Chunk::Trailer(line) => {
                let end = bytes.iter().position(|byte| *byte == b'\n');
                let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
                line.extend_from_slice(part);
                let is_end = end.is_some() && self.end_line();
                (rest, is_end)
            }
        }
    }

    /// A line is complete; returns whether the body is.
    fn end_line(&mut self) -> bool {
        let next = match self {
            Chunk::Trailer(line) if line == b"\r\n" => return true,
            Chunk::Trailer(_) => Chunk::Trailer(Vec::new()),
            Chunk::Size(line) => {
                let line = std::str::from_utf8(line).expect("a line of digits");
                let size = line.trim_end().split(';').next().unwrap_or_default();
                match u64::from_str_radix(size, 16).expect("a chunk size") {
                    0 => Chunk::Trailer(Vec::new()),
                    size => Chunk::Data(size + 2),
                }
            }
            Chunk::Data(_) => unreachable!("data has no lines"),
        };
        *self = next;
        false
    }
}
