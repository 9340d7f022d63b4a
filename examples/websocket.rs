//! A WebSocket (RFC 6455): the handshake by longwire, the frames by the `tungstenite` crate.
//!
//! ```text
//! cargo run --example websocket                       # to an echo server of its own
//! cargo run --example websocket -- ws://host/echo     # to yours (wss:// with --features tls)
//! ```
//!
//! The handshake is an ordinary GET, so all that the client can do is there for it: proxies, TLS, cookies,
//! credentials, a timeout. [`connect`] is the part to copy. `Response::upgrade` hands out the connection after a
//! 101, and `Upgraded` first gives the bytes that came right behind the head: a server may send its first
//! message at once, and the server below does, in one write with the 101, so that the greeting would be lost by
//! anything that took the bare socket. (`Upgraded::into_parts` and `WebSocket::from_partially_read` are the same
//! in two steps.)

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{env, thread};

use longwire::{Client, ErrorKind, Response, Upgraded};
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::Role;
use tungstenite::{Error as WsError, Message, WebSocket};

/// How long a peer may be silent. An upgraded connection has no limits of its own.
const SILENCE_MAX: Duration = Duration::from_secs(30);

fn main() -> Result<(), Box<dyn Error>> {
    let url = env::args().nth(1).map_or_else(serve, Ok)?;
    let mut socket = connect(&Client::new(), &url)?;
    for text in ["one", "two", "three"] {
        socket.send(Message::text(text))?;
        loop {
            let message = socket.read()?; // which also answers pings
            writeln!(io::stdout(), "received: {message}")?;
            if message == Message::text(text) {
                break; // it is the echo; a greeting is not
            }
        }
    }
    socket.close(None)?;
    let closed_at_last = Instant::now() + SILENCE_MAX;
    loop {
        match socket.read() {
            Ok(_) if Instant::now() < closed_at_last => {} // what the peer had sent before it knew
            Ok(_) => return Err("the server goes on after the close".into()),
            Err(WsError::ConnectionClosed) => break, // both sides have said so
            Err(error) => return Err(error.into()),
        }
    }
    writeln!(io::stdout(), "closed")?;
    Ok(())
}

/// Opens a WebSocket (RFC 6455 §4.1).
fn connect(client: &Client, url: &str) -> Result<WebSocket<Upgraded>, Box<dyn Error>> {
    let url = url.strip_prefix("ws").map_or(url.to_owned(), |rest| format!("http{rest}")); // and wss is https
    let key = generate_key();
    let response = client
        .get(url)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", &key)
        .timeout(SILENCE_MAX) // for the handshake; it ends with the upgrade
        .send()?
        .error_for_status()?;
    let accepted = response.header("Sec-WebSocket-Accept") == Some(&derive_accept_key(key.as_bytes()));
    writeln!(io::stdout(), "{} {}, the key is accepted: {accepted}", response.status(), response.reason())?;
    if response.status() != 101 || !accepted || !switches_as_asked(&response) {
        return Err(response.error(ErrorKind::Head, "the server does not switch to WebSocket as asked").into());
    }
    let mut stream = response.upgrade()?;
    stream.set_timeouts(Some(SILENCE_MAX), Some(SILENCE_MAX))?;
    Ok(WebSocket::from_raw_socket(stream, Role::Client, None))
}

/// The other conditions of §4.1: the names of the protocol, and neither an extension nor a subprotocol, for the
/// request has asked for none.
fn switches_as_asked(response: &Response) -> bool {
    let has = |name: &str| response.headers().get_all(name).next().is_some();
    let lists = |name: &str, wanted: &str| {
        let values = response.headers().get_all(name).flat_map(|value| value.split(|byte| *byte == b','));
        values.map(<[u8]>::trim_ascii).any(|member| member.eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let is_websocket = response.header("Upgrade").is_some_and(|name| name.eq_ignore_ascii_case("websocket"));
    let asked_for_nothing_else = !has("Sec-WebSocket-Extensions") && !has("Sec-WebSocket-Protocol");
    is_websocket && lists("Connection", "upgrade") && asked_for_nothing_else
}

/// Starts the server, and returns its URL. It ends with the process.
fn serve() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("ws://{}/echo", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = echo(stream); // the client has gone
        }
    });
    Ok(url)
}

/// `tungstenite::accept` would do for the handshake. This sends a message in one write with the 101.
fn echo(mut stream: TcpStream) -> Result<(), Box<dyn Error>> {
    let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let head: Vec<String> = lines.collect();
    let key = head.iter().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap_or_default();
    let accept = derive_accept_key(key.as_bytes());
    let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket";
    let greeting = b"\x81\x07welcome"; // a frame: text, its length, and it (§5.2)
    let answer = format!("{switching}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
    stream.write_all(&[answer.as_bytes(), greeting].concat())?;
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    loop {
        // `read` itself answers pings and the closing handshake.
        if let message @ (Message::Text(_) | Message::Binary(_)) = socket.read()? {
            socket.send(message)?;
        }
    }
}
