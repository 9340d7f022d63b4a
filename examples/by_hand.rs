//! The long connection as it is usually taught: a field set by hand, Basic auth, a buffer of 4096
//! bytes, and reading until end of file; three times, on one connection.
//!
//! ```text
//! cargo run --example by_hand                      # against a small server of its own
//! cargo run --example by_hand -- http://host/path  # against a server of yours
//! ```
//!
//! The server at the end of this file speaks HTTP/1.0, which closes after each response unless
//! `Connection: keep-alive` asks it not to. HTTP/1.1 keeps a connection by itself.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use longwire::Client;

fn main() -> Result<(), Box<dyn Error>> {
    let url = match std::env::args().nth(1) {
        Some(url) => url,
        None => serve()?,
    };
    let client = Client::new();
    for _ in 0..3 {
        let request = client.get(&url).header("Connection", "keep-alive").basic_auth("user", Some("pass"));
        let mut response = request.send()?;
        writeln!(io::stdout(), "{} {}", response.status(), response.reason())?;
        let mut buffer = [0; 4096];
        loop {
            let n = response.read(&mut buffer)?;
            if n == 0 {
                break; // end of file: the body is complete, and the connection free for the next request
            }
            io::stdout().write_all(&buffer[..n])?;
        }
        writeln!(io::stdout(), "request {} on this connection", response.connection().nth())?;
    }
    Ok(())
}

/// Starts the server, for as long as this program runs.
fn serve() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming() {
            if stream.and_then(answer_all).is_err() {
                return;
            }
        }
    });
    Ok(url)
}

/// Answers on one connection, in HTTP/1.0, for as long as the client asks for more.
fn answer_all(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (mut is_kept, mut has_login) = (false, false);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            match line.trim_end() {
                "" => break,
                field => {
                    is_kept |= field.eq_ignore_ascii_case("connection: keep-alive");
                    has_login |= field == "Authorization: Basic dXNlcjpwYXNz";
                }
            }
        }
        let status = if has_login { "200 OK" } else { "401 Unauthorized" };
        let kept = if is_kept { "Connection: keep-alive\r\n" } else { "" };
        let body = "hello from HTTP/1.0\n";
        write!(stream, "HTTP/1.0 {status}\r\n{kept}Content-Length: {}\r\n\r\n{body}", body.len())?;
        if !is_kept {
            return Ok(());
        }
    }
}
