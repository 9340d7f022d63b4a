//! What a client does, drawn as a waterfall: the picture in the documentation of `longwire::har`.
//!
//! ```text
//! cargo run --features tls --example waterfall > waterfall.svg              # and look at it in a browser
//! cargo run --features tls --example waterfall -- session.har > waterfall.svg
//! ```
//!
//! A page is fetched from a small shop of our own: a redirect from http to https, one connection that carries
//! one request after the other, three at a time on two connections, a slow answer, a slow body, an upload. Then
//! things go wrong: a connection that the server gives up, so that the request is sent again on a new one, a body
//! that is cut, a port where nobody listens.
//!
//! All that happens on loopback, where it would be too quick to be seen; so name server, network and shop take
//! their time here.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use longwire::har::Recorder;
use longwire::rustls::crypto::ring;
use longwire::rustls::pki_types::PrivatePkcs8KeyDer;
use longwire::rustls::{ServerConfig, ServerConnection, StreamOwned};
use longwire::transport::Query;
use longwire::{Client, Roots, Tls};

/// For a packet to the shop and the answer to it.
const ROUND_TRIP: Duration = Duration::from_millis(14);
const LOOK_UP: Duration = Duration::from_millis(9);

fn main() -> Result<(), Box<dyn Error>> {
    let key = rcgen::KeyPair::generate()?;
    let certificate = rcgen::CertificateParams::new(["shop.example".to_owned()])?.self_signed(&key)?;
    let root = certificate.pem();
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
    let server = Arc::new(server);

    let secure = listen(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&server)).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        serve(&mut stream, "")?;
        stream.conn.send_close_notify();
        stream.flush()
    })?;
    let shop = format!("https://shop.example:{}", secure.port());
    let home = format!("{shop}/");
    let plain = listen(move |mut stream| serve(&mut stream, &home))?;

    let recorder = Recorder::new();
    let client = Client::builder()
        .observer(recorder.clone())
        .tls(Tls::new().roots(Roots::None).add_root(root)?)
        .resolver(|query: &Query<'_>| {
            thread::sleep(LOOK_UP);
            Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, query.port()))])
        })
        .dial(|address, limit| {
            thread::sleep(ROUND_TRIP);
            TcpStream::connect_timeout(address, limit)
        })
        .max_connections_per_host(2)
        .no_proxy()
        .build();
    shopping(&client, &format!("http://shop.example:{}/", plain.port()), &shop)?;

    if let Some(path) = std::env::args().nth(1) {
        std::fs::write(path, recorder.har())?;
    }
    io::stdout().write_all(recorder.waterfall().as_bytes())?;
    Ok(())
}

fn shopping(client: &Client, home: &str, shop: &str) -> longwire::Result<()> {
    client.get(home).send()?.text()?;
    for path in ["/style.css", "/logo.svg"] {
        client.get(format!("{shop}{path}")).send()?.bytes()?;
    }
    thread::scope(|scope| {
        scope.spawn(|| client.get(format!("{shop}/search")).query("q", "lamp").send()?.bytes());
        scope.spawn(|| {
            thread::sleep(LOOK_UP);
            client.get(format!("{shop}/offers")).send()?.bytes() // it waits for one of the two connections
        });
        client.get(format!("{shop}/photos/lamp.jpg")).send()?.bytes()
    })?;
    client.post(format!("{shop}/cart")).body(vec![b'x'; 24 << 20]).send()?.bytes()?;
    client.get(format!("{shop}/news")).send()?.bytes()?;
    client.get(format!("{shop}/coupons")).send()?.bytes()?;

    // These fail.
    let _ = client.get(format!("{shop}/video.mp4")).send()?.bytes();
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    if let Ok(nobody) = nobody {
        let _ = client.get(format!("http://ads.example:{}/banner", nobody.port())).send();
    }
    Ok(())
}

/// Calls `serve` on a thread of its own for each connection. It ends with the process.
fn listen(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            thread::spawn(move || {
                thread::sleep(ROUND_TRIP); // of the handshake
                stream.set_nodelay(true)?;
                serve(stream)
            });
        }
    });
    Ok(address)
}

/// The shop on one connection. What comes without TLS is sent to `elsewhere`.
fn serve(stream: &mut (impl Read + Write), elsewhere: &str) -> io::Result<()> {
    static HAS_GIVEN_UP: AtomicBool = AtomicBool::new(false);

    let mut stream = BufReader::new(stream);
    while let Some(path) = request(&mut stream)? {
        let stream = stream.get_mut();
        let (status, fields, pause, length) = match path.as_str() {
            _ if !elsewhere.is_empty() => ("301 Moved Permanently", format!("Location: {elsewhere}\r\n"), 2, 0),
            "/" => ("200 OK", String::new(), 26, 60_000),
            "/search?q=lamp" => ("200 OK", String::new(), 150, 9_000),
            "/photos/lamp.jpg" | "/video.mp4" => ("200 OK", String::new(), 4, 200_000),
            "/cart" => ("201 Created", String::new(), 18, 90),
            "/coupons" => ("404 Not Found", String::new(), 8, 900),
            "/news" if !HAS_GIVEN_UP.swap(true, Ordering::Relaxed) => return Ok(()),
            _ => ("200 OK", String::new(), 12, 4_000),
        };
        thread::sleep(ROUND_TRIP + Duration::from_millis(pause));
        write!(stream, "HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n")?;
        stream.flush()?;
        // A tenth at a time.
        for part in 0..10 {
            if path == "/video.mp4" && part == 6 {
                return Ok(());
            }
            stream.write_all(&vec![b'x'; length / 10])?;
            stream.flush()?;
            if length >= 200_000 {
                thread::sleep(Duration::from_millis(9));
            }
        }
    }
    Ok(())
}

/// Reads a request; returns its target, or `None` if the client has gone.
fn request(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        if stream.read_line(&mut head)? == 0 {
            return Ok(None);
        }
        if let Some(value) = head[start..].strip_prefix("Content-Length: ") {
            length = value.trim_end().parse().map_err(io::Error::other)?;
        }
    }
    io::copy(&mut stream.take(length), &mut io::sink())?;
    Ok(head.split(' ').nth(1).map(str::to_owned))
}
