//! One connection that lives on: several requests, one `Client`, and what became of each.
//!
//! ```text
//! cargo run --example keep_alive                                # against a small server of its own
//! cargo run --example keep_alive -- http://user:pass@host/path  # against a server of yours
//! ```
//!
//! What to look at, from the top down:
//!
//! * [`exchange`] is all there is to it: send, then read the body into a buffer of your own until
//!   `read` says `Ok(0)`. That is more than "nothing left to read": it is the proof that the body
//!   is whole. By then its connection is back in the pool, with nothing to call and nothing to drop.
//! * [`tell`] shows what a response knows about the connection that carried it.
//! * [`close_story`], [`cut_story`] and [`silence_story`] are three ways in which a connection ends
//!   before its time, and what a caller sees of each.
//! * [`print_pool`] is the account that the pool keeps: opened, reused, closed, and why.
//!
//! The server is the module at the end of this file and needs only std.

use std::error::Error;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use longwire::{Client, Method, RequestBuilder, Response};

/// How much of a body is read at a time. Any size will do.
const BUFFER_BYTES: usize = 4096;

/// A line on standard output. A reader who has seen enough, as `head` has, is no reason to panic.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = writeln!(io::stdout(), $($text)*);
    }};
}

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1) {
        Some(url) => visit(&url),
        None => tour(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keep_alive: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Five requests to a URL of yours; a user and a password in it become Basic auth.
fn visit(url: &str) -> Result<(), Box<dyn Error>> {
    let client = Client::new();
    say!("Five requests, one client");
    for _ in 0..5 {
        exchange(&client, client.get(url))?;
    }
    print_pool(&client);
    Ok(())
}

/// The whole story, told with a server of our own.
fn tour() -> Result<(), Box<dyn Error>> {
    let site = Site { client: Client::new(), base: format!("http://{}", server::start()?) };

    say!("One connection carries them all");
    site.exchange(Method::GET, "/length")?;
    site.exchange(Method::GET, "/chunked")?;
    site.exchange(Method::HEAD, "/length")?;
    site.exchange(Method::GET, "/missing")?; // a 404 is an answer, not an error
    site.exchange(Method::GET, "/length")?;

    close_story(&site)?;
    cut_story(&site)?;
    silence_story(&site)?;

    say!("\nWhat failed is gone from the pool, and the client goes on");
    site.exchange(Method::GET, "/length")?;
    site.exchange(Method::GET, "/length")?;
    print_pool(&site.client);
    Ok(())
}

/// Sends one request, reads the answer to its end, and tells what happened.
///
/// `Response` is a `std::io::Read`, so its errors are `io::Error`s; the library's own turn into
/// them at a `?`, and `longwire::Error::try_from` turns them back.
fn exchange(client: &Client, request: RequestBuilder<'_>) -> io::Result<()> {
    let started = Instant::now();
    let request = request.build()?;
    let asked = format!("{} {}", request.method(), request.url().path());

    let mut response = client.send(request)?;
    let mut buffer = [0; BUFFER_BYTES];
    let mut length = 0;
    loop {
        let n = response.read(&mut buffer)?;
        if n == 0 {
            break; // whole, and the connection is free for the next request
        }
        length += n; // buffer[..n] is the next piece of the body
    }

    tell(&asked, &response, length, started.elapsed());
    Ok(())
}

/// One line: what was asked, what came, how it ended, and which connection carried it.
fn tell(asked: &str, response: &Response, length: usize, took: Duration) {
    let connection = response.connection();
    let status = response.status();
    let end = response.body().ended().map(|end| format!("{end:?}"));
    let port = connection.local_addr().map_or(0, |local| local.port());
    let exchange = connection.nth();
    let life = if connection.reused() { "reused" } else { "new" };
    say!(
        "  {asked:<12} {status}  {length:>6} bytes, end: {:<9}  \
         connection from port {port}, exchange {exchange}, {life:<6}  {:>6.2} ms",
        end.as_deref().unwrap_or("none"),
        took.as_secs_f64() * 1000.0,
    );
    for (name, value) in response.body().trailers().iter() {
        say!("      trailer {name}: {}", value.escape_ascii());
    }
}

/// A server may say `Connection: close`. Its answer is as good as any; the next request pays for
/// a new connection.
fn close_story(site: &Site) -> io::Result<()> {
    say!("\nThe server says \"Connection: close\"");
    site.exchange(Method::GET, "/goodbye")?;
    for (reason, count) in closed(&site.client) {
        say!("      the pool closed {count} connection: {reason}");
    }
    site.exchange(Method::GET, "/length")
}

/// A body that breaks off is an error, however much of it came; it never passes for a short one.
fn cut_story(site: &Site) -> Result<(), Box<dyn Error>> {
    say!("\nThe server promises 10000 bytes, sends 6000 and hangs up");
    let request = site.request(Method::GET, "/cut");
    tell_failure(exchange(&site.client, request))
}

/// A server that says nothing costs no more time than the request allows for everything.
fn silence_story(site: &Site) -> Result<(), Box<dyn Error>> {
    say!("\nThe server says nothing, and the request has 300 ms");
    let started = Instant::now();
    let request = site.request(Method::GET, "/silent").timeout(Duration::from_millis(300));
    tell_failure(exchange(&site.client, request))?;
    say!("      after {} ms", started.elapsed().as_millis());
    Ok(())
}

/// An error knows its kind, how far the exchange had come, and whether the server may have acted.
fn tell_failure(outcome: io::Result<()>) -> Result<(), Box<dyn Error>> {
    let Err(error) = outcome else {
        return Err("this exchange should have failed".into());
    };
    let error = longwire::Error::try_from(error)?;
    say!("  Err: {error}");
    say!("      kind {:?}, stage {:?}, fate {:?}", error.kind(), error.stage(), error.fate());
    Ok(())
}

fn print_pool(client: &Client) {
    let stats = client.pool_stats();
    say!("\nThe pool");
    say!(
        "  connections opened: {}, reused: {}, closed: {}, idle: {}, in use: {}",
        stats.opened,
        stats.reused,
        stats.closed.total(),
        stats.idle,
        stats.in_use
    );
    for (reason, count) in closed(client) {
        say!("  closed {count}: {reason}");
    }
}

/// The reasons for which connections have been closed so far.
fn closed(client: &Client) -> impl Iterator<Item = (longwire::CloseReason, u64)> {
    let all: Vec<_> = client.pool_stats().closed.iter().collect();
    all.into_iter().filter(|(_, count)| *count > 0)
}

/// The server of the tour, and the client that visits it.
struct Site {
    client: Client,
    base: String,
}

impl Site {
    /// A request with Basic auth, for the server lets nobody in without.
    fn request(&self, method: Method, path: &str) -> RequestBuilder<'static> {
        self.client.request(method, format!("{}{path}", self.base)).basic_auth("reader", Some("4096"))
    }

    fn exchange(&self, method: Method, path: &str) -> io::Result<()> {
        exchange(&self.client, self.request(method, path))
    }
}

/// A server for one tour: HTTP/1.1 with keep-alive, as little of it as the tour needs.
///
/// A thread per connection; one request after the other; no request bodies. It stops with the
/// process.
mod server {
    use std::io::{self, BufRead, BufReader, Write};
    use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
    use std::thread;

    /// "reader:4096" in base64: who may come in.
    const AUTHORIZATION: &str = "Authorization: Basic cmVhZGVyOjQwOTY=";

    /// What follows an answer.
    #[derive(PartialEq)]
    enum Then {
        NextRequest,
        Close,
    }

    pub(crate) fn start() -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || serve(&stream));
            }
        });
        Ok(address)
    }

    /// One connection, for as long as both sides want it.
    fn serve(mut stream: &TcpStream) -> io::Result<()> {
        let mut input = BufReader::new(stream);
        loop {
            let head = read_head(&mut input)?;
            let Some(request_line) = head.first() else {
                return Ok(()); // the client has gone
            };
            let (answer, then) = if head.iter().any(|line| line == AUTHORIZATION) {
                answer_to(request_line)
            } else {
                (with_length("401 Unauthorized", b"who are you?\n"), Then::NextRequest)
            };
            stream.write_all(&answer)?;
            if then == Then::Close {
                return Ok(());
            }
        }
    }

    /// The request line and the header lines; nothing at all once the client has closed.
    fn read_head(input: &mut impl BufRead) -> io::Result<Vec<String>> {
        input.lines().take_while(|line| !matches!(line, Ok(line) if line.is_empty())).collect()
    }

    fn answer_to(request_line: &str) -> (Vec<u8>, Then) {
        let body = [b'~'; 10_000];
        match request_line {
            "GET /length HTTP/1.1" => (with_length("200 OK", &body), Then::NextRequest),
            "HEAD /length HTTP/1.1" => (head("200 OK", body.len()), Then::NextRequest),
            "GET /chunked HTTP/1.1" => (chunked(&body), Then::NextRequest),
            "GET /goodbye HTTP/1.1" => {
                (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbye\n".into(), Then::Close)
            }
            "GET /cut HTTP/1.1" => {
                let mut answer = with_length("200 OK", &body);
                answer.truncate(answer.len() - 4_000);
                (answer, Then::Close)
            }
            "GET /silent HTTP/1.1" => (Vec::new(), Then::NextRequest),
            _ => (with_length("404 Not Found", b"no such page\n"), Then::NextRequest),
        }
    }

    fn head(status: &str, length: usize) -> Vec<u8> {
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n").into_bytes()
    }

    fn with_length(status: &str, body: &[u8]) -> Vec<u8> {
        [head(status, body.len()).as_slice(), body].concat()
    }

    /// The body in chunks of at most 3000 bytes, and a trailer that says how many there were.
    fn chunked(body: &[u8]) -> Vec<u8> {
        let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        let chunks = body.chunks(3_000);
        let count = chunks.len();
        for chunk in chunks {
            answer.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            answer.extend_from_slice(chunk);
            answer.extend_from_slice(b"\r\n");
        }
        answer.extend_from_slice(format!("0\r\nChunks: {count}\r\n\r\n").as_bytes());
        answer
    }
}
