//! The limit of a sound library: the URL is split for each request, the request's head is written to a fixed buffer,
//! the answer's is read into another and parsed by httparse, and the body is read through it, or past it where the
//! caller's buffer is as large. No pool, no limits, no timeouts, no defence: it can talk to this server only.

use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::time::Duration;

use httparse::{ParserConfig, Response, Status};
use memchr::memchr;

use super::{Client, drain};
use crate::work::KIB;

const BUFFER_BYTES: usize = 8 * KIB;
const REQUEST_BYTES_MAX: usize = 4 * KIB;
const FIELDS_MAX: usize = 64;

#[derive(Default)]
pub struct RawHttparse {
    idle: Option<Connection>,
}

struct Connection {
    host: String,
    socket: TcpStream,
    request: Box<[u8]>,
    /// What has arrived and was not taken yet is `start..end` of it.
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

struct Answer {
    connection: Connection,
    body: Body,
    closes: bool,
}

/// What comes next.
#[derive(Clone, Copy)]
enum Body {
    Length(usize),
    ChunkSize,
    ChunkData(usize),
    ChunkEnd,
    Nothing,
}

impl Clone for RawHttparse {
    fn clone(&self) -> Self {
        RawHttparse { idle: None }
    }
}

impl Client for RawHttparse {
    type Url = String;

    fn get(&mut self, url: &str, buffer: &mut [u8]) -> usize {
        let mut answer = self.send("GET", url, None);
        let bytes = drain(&mut answer, buffer);
        self.keep(answer);
        bytes
    }

    fn get_parsed(&mut self, url: &String, buffer: &mut [u8]) -> usize {
        self.get(url, buffer)
    }

    fn collect(&mut self, url: &str, _: Option<Duration>) -> Vec<u8> {
        let mut answer = self.send("GET", url, None);
        let bytes = answer.collect();
        self.keep(answer);
        bytes
    }

    fn post(&mut self, url: &str, body: &[u8]) -> Vec<u8> {
        let mut answer = self.send("POST", url, Some(body));
        let bytes = answer.collect();
        self.keep(answer);
        bytes
    }
}

impl RawHttparse {
    fn send(&mut self, method: &str, url: &str, body: Option<&[u8]>) -> Answer {
        let rest = url.strip_prefix("http://").expect("a URL");
        let (host, path) = rest.split_at(rest.find('/').expect("a path"));
        let idle = self.idle.take().filter(|idle| idle.host == host);
        let mut connection = idle.unwrap_or_else(|| Connection::open(host));
        connection.write(method, path, body).expect("the server reads");
        connection.read_head()
    }

    fn keep(&mut self, answer: Answer) {
        if !answer.closes {
            self.idle = Some(answer.connection);
        }
    }
}

impl Connection {
    fn open(host: &str) -> Connection {
        let socket = TcpStream::connect(host).expect("the server listens");
        socket.set_nodelay(true).expect("an open socket");
        let (request, buffer) = (vec![0; REQUEST_BYTES_MAX].into(), vec![0; BUFFER_BYTES].into());
        Connection { host: host.to_owned(), socket, request, buffer, start: 0, end: 0 }
    }

    fn write(&mut self, method: &str, path: &str, body: Option<&[u8]>) -> io::Result<()> {
        let mut room = &mut self.request[..];
        for piece in [method, " ", path, " HTTP/1.1\r\nHost: ", &self.host, "\r\nUser-Agent: raw/1\r\nAccept: */*\r\n"]
        {
            room.write_all(piece.as_bytes())?;
        }
        if let Some(body) = body {
            write!(room, "Content-Length: {}\r\n", body.len())?;
        }
        room.write_all(b"\r\n")?;
        let left = room.len();
        let head = &self.request[..REQUEST_BYTES_MAX - left];
        let Some(body) = body else { return self.socket.write_all(head) };
        let sent = self.socket.write_vectored(&[IoSlice::new(head), IoSlice::new(body)])?;
        self.socket.write_all(&body[sent.checked_sub(head.len()).expect("a whole head")..])
    }

    fn read_head(mut self) -> Answer {
        assert_eq!(self.start, self.end, "nothing has come unasked");
        (self.start, self.end) = (0, 0);
        loop {
            self.fill_behind();
            let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
            let mut head = Response::new(&mut []);
            let parser = ParserConfig::default();
            let parsed = parser.parse_response_with_uninit_headers(&mut head, &self.buffer[..self.end], &mut fields);
            if let Status::Complete(bytes) = parsed.expect("a sound head") {
                let (body, closes) = framing(&head);
                self.start = bytes;
                return Answer { connection: self, body, closes };
            }
        }
    }

    /// Up to the line break, which is taken, too.
    fn line(&mut self) -> &[u8] {
        loop {
            if let Some(length) = memchr(b'\n', &self.buffer[self.start..self.end]) {
                let start = self.start;
                self.start += length + 1;
                return &self.buffer[start..start + length - 1];
            }
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            self.fill_behind();
        }
    }

    fn take(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end {
            if into.len() >= self.buffer.len() {
                return self.socket.read(into);
            }
            (self.start, self.end) = (0, 0);
            self.fill_behind();
        }
        let count = into.len().min(self.end - self.start);
        into[..count].copy_from_slice(&self.buffer[self.start..self.start + count]);
        self.start += count;
        Ok(count)
    }

    fn fill_behind(&mut self) {
        let count = self.socket.read(&mut self.buffer[self.end..]).expect("the server writes");
        assert!(count > 0, "cut");
        self.end += count;
    }
}

/// How the body ends, and whether the connection does then.
fn framing(head: &Response<'_, '_>) -> (Body, bool) {
    assert_eq!(head.code, Some(200));
    let (mut body, mut closes) = (Body::Nothing, false);
    for field in head.headers.iter() {
        match field.name.len() {
            14 if field.name.eq_ignore_ascii_case("content-length") => {
                let digits = std::str::from_utf8(field.value).expect("digits");
                body = Body::Length(digits.parse().expect("a number"));
            }
            17 if field.name.eq_ignore_ascii_case("transfer-encoding") => body = Body::ChunkSize,
            10 if field.name.eq_ignore_ascii_case("connection") => closes = field.value.eq_ignore_ascii_case(b"close"),
            _ => {}
        }
    }
    (body, closes)
}

impl Answer {
    fn collect(&mut self) -> Vec<u8> {
        let Body::Length(length) = self.body else { panic!("no length") };
        let mut body = Vec::with_capacity(length);
        let Connection { socket, buffer, start, end, .. } = &mut self.connection;
        body.extend_from_slice(&buffer[*start..*end]);
        *start = *end;
        let left = (length - body.len()) as u64;
        let read = socket.take(left).read_to_end(&mut body).expect("the server writes");
        assert_eq!(read as u64, left, "cut");
        body
    }
}

impl Read for Answer {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.body {
                Body::Nothing | Body::Length(0) => return Ok(0),
                Body::Length(left) => {
                    let room = into.len().min(left);
                    let count = self.connection.take(&mut into[..room])?;
                    self.body = Body::Length(left - count);
                    return Ok(count);
                }
                Body::ChunkSize => {
                    let digits = std::str::from_utf8(self.connection.line()).expect("digits");
                    self.body = match usize::from_str_radix(digits, 16).expect("a size") {
                        0 => Body::Nothing,
                        size => Body::ChunkData(size),
                    };
                    if let Body::Nothing = self.body {
                        assert!(self.connection.line().is_empty(), "a trailer");
                    }
                }
                Body::ChunkData(left) => {
                    let room = into.len().min(left);
                    let count = self.connection.take(&mut into[..room])?;
                    self.body = if count == left { Body::ChunkEnd } else { Body::ChunkData(left - count) };
                    return Ok(count);
                }
                Body::ChunkEnd => {
                    assert!(self.connection.line().is_empty(), "a chunk ends with its data");
                    self.body = Body::ChunkSize;
                }
            }
        }
    }
}
