//! Ctrl-C ends a download at once, wherever it waits, and the program goes on.
//!
//! ```text
//! cargo run --example cancel                        # a slow server of its own, and Ctrl-C by itself
//! cargo run --example cancel -- http://host/large   # press Ctrl-C when you have seen enough
//! ```
//!
//! What to look at: the handler of the signal does no more than to cancel a `CancelToken`. The `send` or the read
//! that waits for the server is woken by that and fails, with an error that `is_cancelled`; a body that was
//! cancelled never looks complete. Its connection is closed. The client is as good as new, but the token stays
//! cancelled, so the next request has none (or a new one). A second Ctrl-C ends the program, with the status that
//! a shell gives to what was interrupted.
//!
//! Without a URL this presses Ctrl-C itself once the first bytes are there: a real SIGINT on Unix; elsewhere it
//! calls the token in place of the handler, and says so.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use longwire::{CancelToken, Client};

fn main() -> Result<(), Box<dyn Error>> {
    let token = CancelToken::new();
    let handler = token.clone();
    ctrlc::set_handler(move || {
        if handler.is_cancelled() {
            process::exit(130);
        }
        handler.cancel();
    })?;

    let given = env::args().nth(1);
    let presses_itself = given.is_none();
    let url = given.map_or_else(serve, Ok)?;
    let client = Client::new();
    let (mut length, mut pressed) = (0, None);
    let outcome = download(&client, &url, &token, |bytes| {
        length += bytes;
        if presses_itself && pressed.is_none() {
            let token = token.clone();
            pressed = Some((Instant::now(), thread::spawn(move || press_ctrl_c(&token))));
        }
    });
    match outcome.map_err(longwire::Error::try_from) {
        Ok(()) => writeln!(io::stdout(), "complete: {length} bytes")?,
        Err(Ok(error)) if error.is_cancelled() => writeln!(io::stdout(), "cancelled after {length} bytes: {error}")?,
        Err(error) => return Err(error?.into()),
    }
    if let Some((at, pressing)) = pressed {
        writeln!(io::stdout(), "that was {:.1?} after Ctrl-C", at.elapsed())?;
        pressing.join().expect("no panic")?;
    }
    writeln!(io::stdout(), "the next request: {}", client.head(&url).send()?.status())?;
    let stats = client.pool_stats();
    writeln!(io::stdout(), "connections opened: {}, in use: {}", stats.opened, stats.in_use)?;
    Ok(())
}

/// Reads the body to its end, and tells `received` how many bytes each read has brought.
fn download(client: &Client, url: &str, token: &CancelToken, mut received: impl FnMut(usize)) -> io::Result<()> {
    let mut response = client.get(url).cancel_token(token).send()?.error_for_status()?;
    let mut buffer = [0; 4096];
    loop {
        match response.read(&mut buffer)? {
            0 => return Ok(()),
            n => received(n),
        }
    }
}

/// Sends this program the signal that a terminal sends.
#[cfg(unix)]
fn press_ctrl_c(_: &CancelToken) -> io::Result<()> {
    use std::process::Command;

    let sent = Command::new("sh").args(["-c", &format!("kill -INT {}", process::id())]).status()?;
    if sent.success() { Ok(()) } else { Err(io::Error::other("kill -INT failed")) }
}

#[cfg(not(unix))]
fn press_ctrl_c(token: &CancelToken) -> io::Result<()> {
    writeln!(io::stdout(), "there is no SIGINT to send here: the token is called directly")?;
    token.cancel();
    Ok(())
}

/// Starts the server, and returns its URL. It ends with the process.
fn serve() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/large", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(&stream));
        }
    });
    Ok(url)
}

/// A body of 1 GB, 1,000 bytes at a time, twice a second; after half a minute it breaks off.
fn answer(mut stream: &TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let is_get = lines.next().transpose()?.is_some_and(|line| line.starts_with("GET "));
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")?;
    for _ in 0..60 {
        if !is_get {
            break; // what answers HEAD has no body
        }
        stream.write_all(&[b'.'; 1000])?;
        thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}
