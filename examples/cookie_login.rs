//! Logs in and stays so: `cargo run --example cookie_login [FILE]`.
//!
//! The server answers a login with a redirect and a session's cookie. The cookies are kept in FILE, in the
//! form that curl has (`curl -b FILE`); where it is there already, nobody has to log in again. The server
//! of this example runs in this program, on loopback.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::{env, io, thread};

use longwire::{Client, CookieStore};

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let site = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });

    let store = CookieStore::new();
    let client = Client::builder().cookie_jar(store.clone()).build();
    let file = env::args_os().nth(1).map(PathBuf::from);
    if let Some(path) = file.as_ref().filter(|path| path.exists()) {
        store.read_from(BufReader::new(File::open(path)?))?;
    }
    let mut page = client.get(format!("{site}/home")).send()?;
    if page.status() == 401 {
        writeln!(io::stdout(), "logging in")?;
        let login = [("user", "me"), ("password", "secret")];
        page = client.post(format!("{site}/login")).form(&login).send()?.error_for_status()?;
    }
    writeln!(io::stdout(), "{} says {}", page.url().clone(), page.text()?)?;
    for cookie in store.iter() {
        writeln!(io::stdout(), "{cookie:?}")?; // without its value
    }
    if let Some(path) = file {
        store.write_to(File::create(path)?)?;
    }
    Ok(())
}

/// A site in which the session 7 is logged in.
fn serve(stream: TcpStream) -> io::Result<()> {
    let (mut reader, mut writer) = (BufReader::new(stream.try_clone()?), stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
            let line = head[start..].to_ascii_lowercase();
            length = line.strip_prefix("content-length: ").map_or(length, |value| value.trim().parse().unwrap_or(0));
        }
        io::copy(&mut reader.by_ref().take(length), &mut io::sink())?;
        let reply = match head.split(' ').nth(1) {
            Some("/login") => "303 See Other\r\nLocation: /home\r\nSet-Cookie: session=7; Path=/; HttpOnly",
            Some("/home") if head.contains("session=7") => "200 OK",
            _ => "401 Unauthorized",
        };
        write!(writer, "HTTP/1.1 {reply}\r\nContent-Length: 5\r\n\r\nhello")?;
    }
}
