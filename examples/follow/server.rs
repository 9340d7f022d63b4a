//! A server for the stories, which closes connections on purpose: HTTP/1.1, as little of it as they need. A thread
//! for each connection; it ends with the process.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What follows an answer.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    NextRequest,
    /// It is read, and then the connection is closed without an answer.
    CloseAtNextRequest,
    Close,
}

/// The request lines that have arrived, of all connections.
type Seen = Arc<Mutex<Vec<String>>>;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Seen,
}

impl Server {
    pub(crate) fn start() -> io::Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let server = Server { address: listener.local_addr()?, seen: Seen::default() };
        let seen = server.seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = seen.clone();
                thread::spawn(move || serve(&stream, &seen));
            }
        });
        Ok(server)
    }

    /// How often that request has arrived, answered or not.
    pub(crate) fn count(&self, request: &str) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|line| line.strip_suffix(" HTTP/1.1") == Some(request)).count()
    }
}

/// One connection. A request is always read to its end: to close with bytes unread would reset the connection.
fn serve(mut stream: &TcpStream, seen: &Seen) -> io::Result<()> {
    let mut input = BufReader::new(stream);
    let mut then = Then::NextRequest;
    while let Some(request_line) = read_request(&mut input)? {
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(request_line.clone());
        if then == Then::CloseAtNextRequest {
            break;
        }
        let answer;
        (answer, then) = answer_to(&request_line);
        stream.write_all(&answer)?;
        if then == Then::Close {
            break;
        }
    }
    Ok(())
}

/// The line of a request whose head and body have been read; `None` once the client has closed.
fn read_request(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let head: Vec<String> =
        input.lines().take_while(|line| !matches!(line, Ok(line) if line.is_empty())).collect::<io::Result<_>>()?;
    let length = head.iter().find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
    io::copy(&mut input.take(length.unwrap_or(0)), &mut io::sink())?;
    Ok(head.into_iter().next())
}

/// The answer, and what becomes of its connection: so each request prepares the story of the next.
fn answer_to(request_line: &str) -> (Vec<u8>, Then) {
    let page: Vec<u8> = (1..=300).flat_map(|number| format!("line {number:03} of 300\n").into_bytes()).collect();
    match request_line {
        "GET /page HTTP/1.1" => (with_length(&page), Then::NextRequest),
        "GET /chunked HTTP/1.1" => {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            (format!("{head}6\r\nHello,\r\n7\r\n world\n\r\n0\r\n\r\n").into_bytes(), Then::Close)
        }
        "GET /cut HTTP/1.1" => {
            let mut answer = with_length(&page);
            answer.truncate(answer.len() - 2_000);
            (answer, Then::Close)
        }
        _ => (with_length(b"Here you are.\n"), Then::CloseAtNextRequest),
    }
}

fn with_length(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}
