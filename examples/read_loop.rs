//! The model program: one client, GETs with Basic auth, and each body read into a buffer until its end.
//!
//! ```text
//! cargo run --example read_loop                            # against a small server of its own
//! cargo run --example read_loop -- http://host/path        # against a server of yours
//! cargo run --example read_loop -- http://host/path me pw  # as a user of yours
//! ```
//!
//! It is what one writes in Go with a `http.Client`, and [`main`] says in its comments what is what. Three
//! things differ: `Ok(0)` stands for `io.EOF` and never comes with bytes; an error is in the `?`; and there is
//! no `Body.Close()`: the connection is free for the next request at the body's last byte. Each line that is
//! printed says how many bytes came, and which exchange of its connection it was. (`by_hand` is the same against
//! a server of HTTP/1.0, which has to be asked to keep the connection.)

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use std::{env, thread};

use longwire::Client;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let url = arguments.next().map_or_else(serve, Ok)?;
    let (user, password) = (arguments.next().unwrap_or("user".into()), arguments.next().unwrap_or("pass".into()));

    let client = Client::builder().timeout(Duration::from_secs(30)).build(); // &http.Client{Timeout: ...}
    let mut buffer = [0; 4096]; // make([]byte, 4096)
    for _ in 0..3 {
        let request = client.get(&url).basic_auth(&user, Some(&password)); // http.NewRequest, SetBasicAuth
        let mut response = request.send()?; // client.Do
        let (mut length, mut reads) = (0, 0);
        loop {
            let n = response.read(&mut buffer)?; // resp.Body.Read
            if n == 0 {
                break; // io.EOF: the body is complete
            }
            length += n; // buffer[..n] is the next piece of it
            reads += 1;
        }
        let connection = response.connection();
        writeln!(
            io::stdout(),
            "{}: {length} bytes in {reads} reads; exchange {} of its connection, reused: {}",
            response.status(),
            connection.nth(),
            connection.reused()
        )?;
    }
    writeln!(io::stdout(), "connections opened: {}", client.pool_stats().opened)?;
    Ok(())
}

/// Starts the server, and returns its URL. It ends with the process.
fn serve() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer_all(&stream); // the client has gone
        }
    });
    Ok(url)
}

/// One connection, one request after the other: 10,000 bytes in chunks for those who log in.
fn answer_all(mut stream: &TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    loop {
        let head = lines.by_ref().take_while(|line| !matches!(line, Ok(line) if line.is_empty()));
        let head = head.collect::<io::Result<Vec<_>>>()?;
        if head.is_empty() {
            return Ok(());
        }
        let answer = match head.iter().any(|field| field == "Authorization: Basic dXNlcjpwYXNz") {
            true => format!("200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2710\r\n{}\r\n0\r\n\r\n", ".".repeat(0x2710)),
            false => "401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_owned(),
        };
        stream.write_all(format!("HTTP/1.1 {answer}").as_bytes())?;
    }
}
