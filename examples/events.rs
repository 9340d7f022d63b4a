//! Server-Sent Events: an answer that comes word by word, and a feed that outlives its connections.
//!
//! ```text
//! cargo run --example events                             # against a small server of its own
//! cargo run --example events -- http://host/feed         # a feed of yours, until it ends
//! ```
//!
//! What to look at, from the top down:
//!
//! * [`chat`] is what APIs of language models want: a POST, and `Response::events`. Each event is lent, so
//!   nothing is copied or allocated for it.
//! * [`follow`] is a feed: an `EventSource` connects, and again when the stream breaks, and tells the server
//!   the last event that it has seen, so that none is missed and none comes twice.
//!
//! The server is the module at the end of this file and needs only std.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use longwire::sse::EventSource;
use longwire::{Client, Method, Request};

/// Text on standard output. A reader who has seen enough, as `head` has, is no reason to panic.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = write!(io::stdout(), $($text)*).and_then(|()| io::stdout().flush());
    }};
}

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1) {
        Some(url) => follow(&Client::new(), &url),
        None => tour(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("events: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tour() -> Result<(), Box<dyn Error>> {
    let (client, base) = (Client::new(), format!("http://{}", server::start()?));
    say!("A POST that is answered word by word\n  ");
    chat(&client, &format!("{base}/chat"))?;
    say!("\nA feed that breaks in the middle of its fourth event\n");
    follow(&client, &format!("{base}/feed"))
}

/// Prints what the answer is made of as it comes.
fn chat(client: &Client, url: &str) -> Result<(), Box<dyn Error>> {
    let question = r#"{"stream": true, "question": "What is a long connection?"}"#;
    let response = client.post(url).header("Content-Type", "application/json").body(question).send()?;
    let mut events = response.error_for_status()?.events()?;
    while let Some(event) = events.next()? {
        match event.event() {
            "word" => say!("{} ", event.data()),
            "end" => break, // what is left of the response is the server's last chunk
            _ => {}
        }
    }
    say!("\n");
    Ok(())
}

/// Prints the events of a feed until the server says that there will be no more.
fn follow(client: &Client, url: &str) -> Result<(), Box<dyn Error>> {
    let request = Request::new(Method::GET, url)?;
    let mut source = EventSource::new(client, request)?.max_attempts(10);
    let mut count = 0;
    while let Some(event) = source.next()? {
        count += 1;
        say!("  {} {}: {}\n", event.event(), event.id().unwrap_or("-"), event.data());
    }
    if let Some(error) = source.last_error() {
        say!("  connected again after: {error}\n");
    }
    say!("  {count} events, the last one {}\n", source.last_event_id().unwrap_or("without an ID"));
    Ok(())
}

/// A server for one tour: a question is answered, and a feed has five events. It stops with the process.
mod server {
    use std::io::{self, BufRead, BufReader, Read, Write};
    use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
    use std::thread;
    use std::time::Duration;

    /// So that one sees the words come.
    const PAUSE: Duration = Duration::from_millis(60);

    const ANSWER: &str = "A connection lives as long as both sides wish.";

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

    /// One request, and its answer; the connection is closed with it.
    fn serve(mut stream: &TcpStream) -> io::Result<()> {
        let mut input = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            input.read_line(&mut line)?;
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_ascii_lowercase()),
            }
        }
        let field = |name: &str| head.iter().find_map(|line| line.strip_prefix(name));
        let length = field("content-length: ").and_then(|digits| digits.parse().ok()).unwrap_or(0);
        io::copy(&mut input.take(length), &mut io::sink())?;
        match (head.first().map(String::as_str), field("last-event-id: ")) {
            (Some("post /chat http/1.1"), _) => answer(stream),
            (Some("get /feed http/1.1"), None) => feed(stream),
            (Some("get /feed http/1.1"), Some("3")) => rest_of_feed(stream),
            // There will be nothing more, so the client need not come again.
            _ => stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
        }
    }

    fn begin(mut stream: &TcpStream) -> io::Result<()> {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n";
        stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())
    }

    fn send(mut stream: &TcpStream, text: &str) -> io::Result<()> {
        stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())
    }

    fn answer(mut stream: &TcpStream) -> io::Result<()> {
        begin(stream)?;
        for word in ANSWER.split(' ') {
            send(stream, &format!("event: word\ndata: {word}\n\n"))?;
            thread::sleep(PAUSE);
        }
        send(stream, "event: end\ndata\n\n")?;
        stream.write_all(b"0\r\n\r\n")
    }

    /// Three events and a half; then the connection is gone.
    fn feed(stream: &TcpStream) -> io::Result<()> {
        begin(stream)?;
        send(stream, ": please come again after a tenth of a second\nretry: 100\n\n")?;
        for id in 1..=3 {
            send(stream, &format!("id: {id}\nevent: tick\ndata: before the break\n\n"))?;
            thread::sleep(PAUSE);
        }
        send(stream, "id: 4\nevent: tick\ndata: half an ev")
    }

    fn rest_of_feed(mut stream: &TcpStream) -> io::Result<()> {
        begin(stream)?;
        for id in 4..=5 {
            send(stream, &format!("id: {id}\nevent: tick\ndata: after the break\n\n"))?;
        }
        stream.write_all(b"0\r\n\r\n")
    }
}
