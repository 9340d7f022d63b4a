//! A sender of webhooks: each event is delivered although the receiver is busy, and processed once although it
//! may arrive twice.
//!
//! ```text
//! cargo run --example webhook                          # to a small receiver of its own
//! cargo run --example webhook -- https://host/hook     # to yours (with --features tls)
//! ```
//!
//! A POST that a server may have acted on is not sent again by itself. The `Idempotency-Key` says that twice is
//! as once: the receiver keeps the keys of what it has processed. The policy waits as long as the receiver's
//! `Retry-After` says, and gives up where `timeout` does. The receiver at the end of this file is busy at first,
//! then dies in the middle of an answer that it owes, and then answers.

use std::collections::HashSet;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use std::{env, process, thread};

use longwire::{Client, Event, Retry};

/// A line on standard output. A reader who has seen enough, as `head` has, is no reason to panic.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = writeln!(io::stdout(), $($text)*);
    }};
}

fn main() -> Result<(), Box<dyn Error>> {
    let url = env::args().nth(1).map_or_else(serve, Ok)?;
    let client = Client::builder()
        .timeout(Duration::from_secs(120)) // for one delivery, its waits included
        .retry(Retry::new(5).without_budget())
        .observer(|event: &Event<'_>| {
            if let Event::Retry { error, wait, .. } = event {
                say!("  once more in {} ms: {error}", wait.as_millis());
            }
        })
        .build();
    for number in 1..=3 {
        say!("event {number}");
        let response = client
            .post(&*url)
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", format!("{}-{number}", process::id()))
            .body(format!("{{\"event\":{number}}}"))
            .send()?
            .error_for_status()?;
        say!("  {} after {} attempts: {}", response.status(), response.attempts(), response.text()?);
    }
    Ok(())
}

/// Starts the receiver, and returns its URL. It ends with the process.
fn serve() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    thread::spawn(move || {
        let mut receiver = Receiver::default();
        for stream in listener.incoming().flatten() {
            let _ = receiver.serve(&stream); // the client has gone
        }
    });
    Ok(url)
}

#[derive(Default)]
struct Receiver {
    requests: u32,
    processed: HashSet<String>,
}

impl Receiver {
    /// One connection at a time.
    fn serve(&mut self, mut stream: &TcpStream) -> io::Result<()> {
        let mut input = BufReader::new(stream);
        while let Some(key) = read_request(&mut input)? {
            self.requests += 1;
            if self.requests == 1 {
                stream.write_all(b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")?;
                continue;
            }
            let is_new = self.processed.insert(key);
            if self.requests == 4 {
                return Ok(()); // it has processed the event, and dies before it says so
            }
            let said = if is_new { "processed" } else { "processed before" };
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{said}", said.len())?;
        }
        Ok(())
    }
}

/// Reads a request. Returns its key, or `None` at the end of the connection.
fn read_request(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let (mut line, mut key, mut length) = (String::new(), String::new(), 0);
    while line != "\r\n" {
        line.clear();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim_end().parse().map_err(io::Error::other)?;
        }
        if let Some(value) = line.strip_prefix("Idempotency-Key: ") {
            key = value.trim_end().to_owned();
        }
    }
    io::copy(&mut input.take(length), &mut io::sink())?;
    Ok(Some(key))
}
