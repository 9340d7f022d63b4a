//! Options of sockets that std does not know, set with the `socket2` crate: keepalive, the receive buffer, the
//! local address.
//!
//! ```text
//! cargo run --example socket_options                                  # a small server of its own
//! cargo run --example socket_options -- http://host/path              # a server of yours
//! cargo run --example socket_options -- http://host/path 192.0.2.10   # from that address of this machine
//! ```
//!
//! What to look at: [`dial`] opens each connection in place of `TcpStream::connect_timeout`, and everything
//! else stays the client's: names and the race of their addresses, proxies, TLS, cancelling. It is called with
//! the time that is left, and has to keep to it. What the system made of the options is printed once the
//! response is there: Linux doubles the size of a buffer, for its own accounts.
//!
//! `TCP_NODELAY` is set by the client itself, whatever `dial` returns.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::time::Duration;
use std::{env, thread};

use longwire::Client;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

const RECEIVE_BUFFER_BYTES: usize = 32 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let given = arguments.next();
    let mut local: Option<IpAddr> = arguments.next().map(|ip| ip.parse()).transpose()?;
    if given.is_none() {
        local = Some(Ipv4Addr::LOCALHOST.into());
    }
    let url = given.map_or_else(serve, Ok)?;

    let (sender, opened) = channel();
    let client = Client::builder()
        .dial(move |address: &SocketAddr, left: Duration| {
            let stream = dial(address, left, local)?;
            let _ = sender.send(stream.try_clone()?); // only to be looked at below
            Ok(stream)
        })
        .build();
    let response = client.get(url).send()?;
    writeln!(io::stdout(), "{} from {:?}", response.status(), response.connection().peer_addr())?;
    for stream in opened.try_iter() {
        tell(&stream)?;
    }
    Ok(())
}

/// Connects within the time that is left.
fn dial(address: &SocketAddr, left: Duration, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(*address), Type::STREAM, Some(Protocol::TCP))?;
    // The system asks a silent peer after a minute, so that neither a NAT nor a firewall forgets the connection.
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(60)))?;
    // Before the connect, which announces how large the window may become.
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    if let Some(ip) = local {
        socket.bind(&SocketAddr::new(ip, 0).into())?;
    }
    socket.connect_timeout(&(*address).into(), left)?;
    Ok(socket.into())
}

/// Prints what the system says of a socket.
fn tell(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    writeln!(io::stdout(), "  local address: {}", stream.local_addr()?.ip())?;
    writeln!(io::stdout(), "  keepalive: {}", socket.keepalive()?)?;
    writeln!(io::stdout(), "  receive buffer: {} bytes, asked for {RECEIVE_BUFFER_BYTES}", socket.recv_buffer_size()?)?;
    writeln!(io::stdout(), "  no delay: {}", stream.nodelay()?)?;
    Ok(())
}

/// Starts the server, and returns its URL. It ends with the process.
fn serve() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(&stream); // the client has gone
        }
    });
    Ok(url)
}

fn answer(mut stream: &TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
}
