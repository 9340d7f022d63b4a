//! The limit: a loop over a bare socket. The request is constant, the head is looked at for two
//! fields, the body is handed out where it lies in the caller's buffer. No URL, no pool, no limits,
//! no defence: it can talk to this server only.

use std::io::{self, BufRead, IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use memchr::memchr;

use super::Client;

/// `open` makes of a socket the stream that is spoken on.
pub struct Raw<O, S> {
    open: O,
    host: String,
    path: String,
    get: Vec<u8>,
    idle: Option<S>,
}

struct Head {
    /// Where the body begins in the buffer.
    end: usize,
    length: Option<usize>,
    closes: bool,
}

impl<O: Clone, S> Clone for Raw<O, S> {
    fn clone(&self) -> Self {
        let Raw { open, host, path, get, .. } = self;
        Raw { open: open.clone(), host: host.clone(), path: path.clone(), get: get.clone(), idle: None }
    }
}

impl<O, S> Client for Raw<O, S>
where
    O: Fn(TcpStream) -> io::Result<S> + Clone + Send + 'static,
    S: Read + Write + Send + 'static,
{
    type Url = String;

    /// The URL is always the same one.
    fn get(&mut self, _: &str, buffer: &mut [u8]) -> usize {
        let mut stream = self.connection();
        stream.write_all(&self.get).expect("the server reads");
        let (head, filled) = read_head(&mut stream, buffer);
        let bytes = match head.length {
            Some(length) => read_length(&mut stream, buffer, filled - head.end, length),
            None => read_chunks(&mut stream, buffer, head.end, filled),
        };
        self.keep(stream, &head);
        bytes
    }

    fn get_parsed(&mut self, url: &String, buffer: &mut [u8]) -> usize {
        self.get(url, buffer)
    }

    fn collect(&mut self, _: &str, _deadline: Option<Duration>) -> Vec<u8> {
        let mut stream = self.connection();
        stream.write_all(&self.get).expect("the server reads");
        let mut first = [0; 8192];
        let (head, filled) = read_head(&mut stream, &mut first);
        let length = head.length.expect("a length");
        let mut body = Vec::with_capacity(length);
        body.extend_from_slice(&first[head.end..filled]);
        let left = (length - body.len()) as u64;
        let read = Read::by_ref(&mut stream).take(left).read_to_end(&mut body).expect("the server writes");
        assert_eq!(read as u64, left, "cut");
        self.keep(stream, &head);
        body
    }

    fn post(&mut self, _: &str, body: &[u8]) -> Vec<u8> {
        let mut stream = self.connection();
        let (path, host) = (&self.path, &self.host);
        let mut fields = [0; 256];
        let mut rest = &mut fields[..];
        write!(rest, "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n", body.len()).expect("room");
        let left = rest.len();
        let head = &fields[..fields.len() - left];
        let sent = stream.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]).expect("the server reads");
        stream.write_all(&body[sent.checked_sub(head.len()).expect("a whole head")..]).expect("the server reads");
        let mut buffer = [0; 8192];
        let (head, filled) = read_head(&mut stream, &mut buffer);
        assert_eq!(head.length, Some(filled - head.end), "an answer in one piece");
        self.keep(stream, &head);
        buffer[head.end..filled].to_vec()
    }
}

impl<O: Fn(TcpStream) -> io::Result<S>, S: Read + Write> Raw<O, S> {
    /// GET; the body, which has a length, is read through the buffer.
    pub fn open(&mut self, mut buffer: Vec<u8>) -> RawBody<S> {
        let mut stream = self.connection();
        stream.write_all(&self.get).expect("the server reads");
        let (head, end) = read_head(&mut stream, &mut buffer);
        let left = head.length.expect("a length") - (end - head.end);
        RawBody { stream, start: head.end, head, buffer, end, left }
    }

    /// Keeps the connection of a body that was read to its end; the buffer is for the next one.
    pub fn end(&mut self, body: RawBody<S>) -> Vec<u8> {
        assert_eq!((body.left, body.start), (0, body.end), "read to its end");
        self.keep(body.stream, &body.head);
        body.buffer
    }

    pub fn new(url: &str, open: O) -> Self {
        let (_, rest) = url.split_once("://").expect("a URL");
        let (host, path) = rest.split_at(rest.find('/').expect("a path"));
        let get = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: raw/1\r\nAccept: */*\r\n\r\n");
        Raw { open, host: host.to_owned(), path: path.to_owned(), get: get.into_bytes(), idle: None }
    }

    fn connection(&mut self) -> S {
        self.idle.take().unwrap_or_else(|| {
            let socket = TcpStream::connect(&self.host).expect("the server listens");
            socket.set_nodelay(true).expect("an open socket");
            (self.open)(socket).expect("an open stream")
        })
    }

    fn keep(&mut self, stream: S, head: &Head) {
        if !head.closes {
            self.idle = Some(stream);
        }
    }
}

/// A body for a reader of its own. What is in the buffer is `start..end` of it.
pub struct RawBody<S> {
    stream: S,
    head: Head,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes that are to come.
    left: usize,
}

impl<S: Read> BufRead for RawBody<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end && self.left > 0 {
            let room = self.buffer.len().min(self.left);
            (self.start, self.end) = (0, fill(&mut self.stream, &mut self.buffer[..room]));
            self.left -= self.end;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }
}

impl<S: Read> Read for RawBody<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let arrived = self.fill_buf()?;
        let count = arrived.len().min(into.len());
        into[..count].copy_from_slice(&arrived[..count]);
        self.consume(count);
        Ok(count)
    }
}

fn fill(stream: &mut impl Read, buffer: &mut [u8]) -> usize {
    let count = stream.read(buffer).expect("the server writes");
    assert!(count > 0, "cut");
    count
}

/// Gives the head, and how much of the buffer is filled.
fn read_head(stream: &mut impl Read, buffer: &mut [u8]) -> (Head, usize) {
    let mut filled = 0;
    loop {
        filled += fill(stream, &mut buffer[filled..]);
        if let Some(head) = parse_head(&buffer[..filled]) {
            return (head, filled);
        }
    }
}

/// `None` as long as the blank line is not there.
fn parse_head(bytes: &[u8]) -> Option<Head> {
    let mut head = Head { end: memchr(b'\n', bytes)? + 1, length: None, closes: false };
    assert_eq!(&bytes[9..12], b"200");
    loop {
        let line = &bytes[head.end..];
        let line = &line[..memchr(b'\n', line)?];
        head.end += line.len() + 1;
        if line.len() <= 1 {
            return Some(head);
        }
        if let Some(value) = line.strip_prefix(b"Content-Length: ") {
            let digits = value.iter().take_while(|byte| byte.is_ascii_digit());
            head.length = Some(digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0')));
        }
        head.closes |= line.starts_with(b"Connection: close");
    }
}

fn read_length(stream: &mut impl Read, buffer: &mut [u8], begun: usize, length: usize) -> usize {
    let mut left = length - begun;
    while left > 0 {
        let room = buffer.len().min(left);
        left -= fill(stream, &mut buffer[..room]);
    }
    length
}

fn read_chunks(stream: &mut impl Read, buffer: &mut [u8], mut start: usize, mut end: usize) -> usize {
    let mut total = 0;
    loop {
        let line = loop {
            if let Some(length) = memchr(b'\n', &buffer[start..end]) {
                break length;
            }
            (start, end) = refill(stream, buffer, start, end);
        };
        let digits = &buffer[start..start + line - 1];
        let mut size = digits.iter().fold(0, |size, digit| {
            size * 16 + usize::from(if *digit <= b'9' { digit - b'0' } else { (digit | 32) - b'a' + 10 })
        });
        start += line + 1;
        let is_last = size == 0;
        total += size;
        while size > end - start {
            size -= end - start;
            (start, end) = refill(stream, buffer, end, end);
        }
        start += size;
        while end - start < 2 {
            (start, end) = refill(stream, buffer, start, end);
        }
        start += 2;
        if is_last {
            assert_eq!(start, end);
            return total;
        }
    }
}

/// Moves what is left to the front and reads more behind it.
fn refill(stream: &mut impl Read, buffer: &mut [u8], start: usize, end: usize) -> (usize, usize) {
    buffer.copy_within(start..end, 0);
    let kept = end - start;
    (0, kept + fill(stream, &mut buffer[kept..]))
}
