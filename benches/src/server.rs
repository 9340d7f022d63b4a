//! The server on loopback, in a process of its own: every answer is made ready beforehand, so that
//! it costs the same whoever asks. Some blocking threads, each: accept, answer until the end, again.
//!
//! It prints its port, and ends when its standard input does.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use memchr::memmem;

pub const SMALL_BODY: &str = r#"{"ok":true,"id":12345,"v":"abcdefghijklmnop"}"#;
pub const FIELDS_BODY: &str = "hello, world!";
pub const EVENT: &str = "id: 12345678\ndata: {\"delta\":\"hello\",\"index\":0}\n\n";
pub const EVENTS: usize = 200_000;
/// A list of items, as an API sends it.
pub const JSON: &str = include_str!("answer.json");

/// The field of an answer after which the connection is closed.
pub const CLOSES: &str = "Connection: close\r\n";

const MIB: usize = 1 << 20;
const EVENTS_AT_ONCE: usize = 500;
const THREADS: usize = 24;
const HEAD: &str = "HTTP/1.1 200 OK\r\nServer: loop/1\r\nDate: Tue, 15 Nov 2022 08:12:31 GMT\r\n\
    Content-Type: application/json\r\nCache-Control: no-cache\r\nX-Request-Id: 7f1c2d3e4b5a6978\r\n";

/// As many fields as a public API sends.
const FIELDS: &str = "HTTP/1.1 200 OK\r\n\
    Server: nginx/1.24.0\r\n\
    Date: Tue, 15 Nov 2022 08:12:31 GMT\r\n\
    Content-Type: application/json; charset=utf-8\r\n\
    Content-Length: 13\r\n\
    Connection: keep-alive\r\n\
    Vary: Accept-Encoding, Origin, X-Requested-With\r\n\
    Cache-Control: public, max-age=60, s-maxage=60, stale-while-revalidate=30\r\n\
    ETag: W/\"d41d8cd98f00b204e9800998ecf8427e-0001\"\r\n\
    Last-Modified: Mon, 14 Nov 2022 23:59:59 GMT\r\n\
    Expires: Tue, 15 Nov 2022 08:13:31 GMT\r\n\
    X-Request-Id: 4f9b3a6e-2c1d-4e8f-9a7b-0c1d2e3f4a5b\r\n\
    X-RateLimit-Limit: 5000\r\n\
    X-RateLimit-Remaining: 4987\r\n\
    X-RateLimit-Reset: 1668500000\r\n\
    X-RateLimit-Used: 13\r\n\
    X-RateLimit-Resource: core\r\n\
    Access-Control-Allow-Origin: *\r\n\
    Access-Control-Expose-Headers: ETag, Link, Location, Retry-After, X-RateLimit-Limit\r\n\
    Strict-Transport-Security: max-age=31536000; includeSubdomains; preload\r\n\
    X-Frame-Options: deny\r\n\
    X-Content-Type-Options: nosniff\r\n\
    X-XSS-Protection: 0\r\n\
    Referrer-Policy: origin-when-cross-origin, strict-origin-when-cross-origin\r\n\
    Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; base-uri 'self'\r\n\
    Set-Cookie: session=Zm9vYmFyYmF6cXV4; Path=/; HttpOnly; SameSite=Lax\r\n";

/// By path.
pub type Answers = HashMap<&'static str, Answer>;

/// A first part, a block so many times, and a last part.
pub struct Answer {
    first: Vec<u8>,
    block: Arc<Vec<u8>>,
    times: usize,
    last: &'static [u8],
    closes: bool,
}

impl Answer {
    /// An answer of known length, with these fields more.
    pub fn with_fields(fields: &str, body: &[u8]) -> Answer {
        let mut first = format!("{HEAD}{fields}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
        first.extend_from_slice(body);
        Answer { first, block: Arc::default(), times: 0, last: b"", closes: false }
    }

    /// A stream of so many events that are all this one: a chunk each, and some of these at once in a write.
    pub fn events(event: &str, count: usize, at_once: usize) -> Answer {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        let block = format!("{:x}\r\n{event}\r\n", event.len()).repeat(at_once).into_bytes();
        Answer { first: head.into(), block: block.into(), times: count / at_once, last: b"0\r\n\r\n", closes: false }
    }

    fn send(&self, stream: &mut impl Write) -> io::Result<()> {
        stream.write_all(&self.first)?;
        for _ in 0..self.times {
            stream.write_all(&self.block)?;
        }
        stream.write_all(self.last)
    }
}

fn small(first: String, closes: bool) -> Answer {
    Answer { first: first.into_bytes(), block: Arc::default(), times: 0, last: b"", closes }
}

fn with_length(mebibytes: usize, block: &Arc<Vec<u8>>) -> Answer {
    let first = format!("{HEAD}Content-Length: {}\r\n\r\n", mebibytes * MIB).into_bytes();
    Answer { first, block: Arc::clone(block), times: mebibytes, last: b"", closes: false }
}

/// `times` the content, each time in chunks of `size`.
fn in_chunks(content: &[u8], size: usize, times: usize) -> Answer {
    let mut block = Vec::new();
    for chunk in content.chunks(size) {
        block.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        block.extend_from_slice(chunk);
        block.extend_from_slice(b"\r\n");
    }
    let first = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    Answer { first, block: Arc::new(block), times, last: b"0\r\n\r\n", closes: false }
}

/// Six fields and a small body; and these fields more.
pub fn small_answer(fields: &str) -> String {
    format!("{HEAD}Content-Length: {}\r\n{fields}\r\n{SMALL_BODY}", SMALL_BODY.len())
}

/// 25 fields and a body that is smaller still.
pub fn fields_answer() -> String {
    format!("{FIELDS}\r\n{FIELDS_BODY}")
}

pub fn answers() -> Answers {
    let plain: Arc<Vec<u8>> = Arc::new((0..MIB).map(|at| (at % 251) as u8).collect());
    let events = EVENT.repeat(EVENTS_AT_ONCE);
    HashMap::from([
        ("/small", small(small_answer(""), false)),
        ("/close", small(small_answer(CLOSES), true)),
        ("/fields", small(fields_answer(), false)),
        ("/length-1g", with_length(1024, &plain)),
        ("/length-10m", with_length(10, &plain)),
        ("/chunks-16k", in_chunks(&plain, 16 * 1024, 1024)),
        ("/chunks-64", in_chunks(&plain, 64, 64)),
        ("/events", in_chunks(events.as_bytes(), EVENT.len(), EVENTS / EVENTS_AT_ONCE)),
    ])
}

/// What the server does with a connection before it is spoken on.
pub trait Accept: Send + Sync + 'static {
    type Stream: Read + Write;

    fn accept(&self, socket: TcpStream) -> io::Result<Self::Stream>;

    /// The answer at `/tally`.
    fn tally(&self) -> String {
        String::new()
    }
}

pub struct Tcp;

impl Accept for Tcp {
    type Stream = TcpStream;

    fn accept(&self, socket: TcpStream) -> io::Result<TcpStream> {
        Ok(socket)
    }
}

/// Serves until standard input ends.
pub fn run(listener: TcpListener, accept: impl Accept, answers: Answers) -> io::Result<()> {
    println!("{}", listener.local_addr()?.port());
    let shared = Arc::new((listener, accept, answers));
    for _ in 0..THREADS {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let (listener, accept, answers) = &*shared;
            let mut buffer = vec![0; 256 * 1024];
            while let Ok((socket, _)) = listener.accept() {
                // A client that goes away in the middle is its own affair: it is asked to say so.
                let _ = serve(socket, accept, answers, &mut buffer);
            }
        });
    }
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

fn serve<A: Accept>(socket: TcpStream, accept: &A, answers: &Answers, buffer: &mut [u8]) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut stream = accept.accept(socket)?;
    loop {
        let mut filled = 0;
        let head = loop {
            match stream.read(&mut buffer[filled..])? {
                0 => return Ok(()),
                count => filled += count,
            }
            if let Some(at) = memmem::find(&buffer[..filled], b"\r\n\r\n") {
                break String::from_utf8_lossy(&buffer[..at + 2]).into_owned();
            }
        };
        let path = head.split(' ').nth(1).unwrap_or_default();
        let sent_bytes: usize = field(&head, "content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        let mut left = (head.len() + 2 + sent_bytes).saturating_sub(filled);
        while left > 0 {
            match stream.read(buffer)? {
                0 => return Ok(()),
                count => left -= count,
            }
        }
        let mut closes = field(&head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        // What is below a path is that path to this server.
        let name = path.get(1..).and_then(|rest| rest.find('/')).map_or(path, |end| &path[..end + 1]);
        match answers.get(name) {
            Some(answer) => {
                answer.send(&mut stream)?;
                closes |= answer.closes;
            }
            None => {
                let said = if name == "/tally" { accept.tally() } else { sent_bytes.to_string() };
                stream.write_all(format!("{HEAD}Content-Length: {}\r\n\r\n{said}", said.len()).as_bytes())?;
            }
        }
        if closes {
            return Ok(());
        }
    }
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    let mut values = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
    values.next()
}
