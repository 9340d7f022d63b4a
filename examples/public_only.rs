//! A tester of webhooks that strangers give URLs to: it reaches public addresses, and no others (SSRF protection).
//!
//! ```text
//! cargo run --example public_only                                      # URLs of its own; nothing leaves this machine
//! cargo run --example public_only -- http://host/hook http://10.0.0.1/ # yours
//! ```
//!
//! With URLs of yours the exit status is 1 if one of them was not delivered to.
//!
//! What to look at:
//!
//! * [`builder`] has the protection: `PublicOnly::allows` judges the addresses that a name has, after the look-up,
//!   on every hop, and the connection goes to the address that was judged. Checking the URL before the request
//!   would miss names, redirects, and an address that is another one the second time (DNS rebinding).
//! * The refused ones fail with `BlockedAddress`, before any connect: `dial` writes down every one, and the last
//!   line says which there were.
//! * [`deliver`] has what else a stranger's server must not be given: time without end, and room without end.
//!
//! Without arguments the filter also lets the example's own server pass, by address and port; all else it blocks.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, thread};

use longwire::{Client, ClientBuilder, ErrorKind, PublicOnly};

/// A line on standard output. A reader who has seen enough, as `head` has, is no reason to panic.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = writeln!(io::stdout(), $($text)*);
    }};
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let urls: Vec<String> = env::args().skip(1).collect();
    if urls.is_empty() {
        return tour().map(|()| ExitCode::SUCCESS);
    }
    let client = builder(None).build();
    let not_delivered = urls.iter().filter_map(|url| tell(url, deliver(&client, url))).count();
    Ok(if not_delivered == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A client for the URLs of strangers; `own` is a server that may be reached although it is not a public one.
fn builder(own: Option<SocketAddr>) -> ClientBuilder {
    Client::builder()
        .address_filter(move |address| PublicOnly::allows(address) || own == Some(*address))
        .max_redirects(3)
}

/// Sends the test event, and returns the beginning of what the receiver says.
fn deliver(client: &Client, url: &str) -> longwire::Result<String> {
    let request = client.post(url).header("Content-Type", "application/json").body(r#"{"event":"test"}"#);
    request.timeout(Duration::from_secs(10)).send()?.error_for_status()?.limit(64 << 10).text_lossy()
}

/// Prints a line, and returns what became of it.
fn tell(url: &str, outcome: longwire::Result<String>) -> Option<ErrorKind> {
    match outcome {
        Ok(text) => say!("delivered  {url}: {text:?}"),
        Err(error) => {
            let refused = error.kind() == ErrorKind::BlockedAddress;
            say!("{} {url}: {error}", if refused { "REFUSED   " } else { "failed    " });
            return Some(error.kind());
        }
    }
    None
}

/// Everything but the own server is refused, and nothing else is connected to.
fn tour() -> Result<(), Box<dyn Error>> {
    let own = serve()?;
    let inside = TcpListener::bind("127.0.0.1:0")?.local_addr()?; // a port of this machine
    let connects = Arc::new(Mutex::new(Vec::new()));
    let written_down = connects.clone();
    let client = builder(Some(own))
        .resolve_to("rebound.test", inside) // stands for a name of a stranger that leads to this machine
        .dial(move |address, left| {
            written_down.lock().expect("no panic").push(*address);
            match *address == own {
                true => TcpStream::connect_timeout(address, left),
                false => Err(io::ErrorKind::PermissionDenied.into()), // nothing leaves, even were the filter wrong
            }
        })
        .build();

    let allowed = format!("http://{own}/hook");
    let blocked = [
        format!("http://{inside}/admin"),
        format!("http://[::1]:{}/admin", inside.port()),
        format!("http://localhost:{}/admin", inside.port()),
        format!("http://rebound.test:{}/admin", inside.port()),
        format!("http://{own}/redirect"), // to 169.254.169.254
        "http://10.0.0.1/".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(), // the credentials of a cloud's machine
        "http://[::ffff:10.0.0.1]/".to_owned(),
        "http://0x7f000001/".to_owned(), // 127.0.0.1, for those who compare text
    ];
    let mut outcomes = vec![tell(&allowed, deliver(&client, &allowed))];
    outcomes.extend(blocked.iter().map(|url| tell(url, deliver(&client, url))));

    let connects = connects.lock().expect("no panic");
    let only_own = connects.iter().all(|address| *address == own);
    say!("connects: {}, all to the own server: {only_own}", connects.len());
    let as_expected =
        outcomes[0].is_none() && outcomes[1..].iter().all(|kind| *kind == Some(ErrorKind::BlockedAddress));
    if as_expected && only_own { Ok(()) } else { Err("something was not refused".into()) }
}

/// Starts the server. It ends with the process.
fn serve() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(&stream); // the client has gone
        }
    });
    Ok(address)
}

/// Answers one request; the client closes the connection.
fn answer(mut stream: &TcpStream) -> io::Result<()> {
    let mut input = BufReader::new(stream);
    let mut lines = input.by_ref().lines();
    let request_line = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let (status, body) = match request_line.split(' ').nth(1) {
        Some("/redirect") => ("307 Temporary Redirect\r\nLocation: http://169.254.169.254/latest", ""),
        _ => ("200 OK", "thanks"),
    };
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + body).as_bytes())?;
    io::copy(&mut input, &mut io::sink())?; // the event
    Ok(())
}
