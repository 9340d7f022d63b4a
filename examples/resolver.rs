//! A resolver of one's own: a table of hosts, a cache with a time to live, and behind them the system's resolver.
//!
//! ```text
//! cargo run --example resolver                                        # a small server of its own
//! cargo run --example resolver -- http://name.test:8080/ 127.0.0.1    # a URL, and the address of its host
//! cargo run --example resolver -- http://host/path                    # a URL; the system looks it up
//! ```
//!
//! What to look at: the name is in `Host` (and would be in TLS), only the address is the table's. The system is
//! asked once for three connections, because the client itself caches nothing, and this does. (A table alone
//! needs no resolver: `ClientBuilder::resolve_to`.) The resolver is called on a worker thread and may block, but
//! not for IP addresses, nor for `localhost` and names below it.

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, thread};

use longwire::transport::{Query, Resolve};
use longwire::{Client, Url};

/// Names in the cache. A crawler would come by more of them than there is memory for.
const NAMES_MAX: usize = 1_000;

struct Hosts<R> {
    table: HashMap<String, IpAddr>,
    cache: Mutex<HashMap<String, (Instant, Vec<IpAddr>)>>,
    time_to_live: Duration,
    next: R,
    next_asked: AtomicUsize,
}

impl<R: Resolve> Resolve for Hosts<R> {
    fn resolve(&self, query: &Query<'_>) -> io::Result<Vec<SocketAddr>> {
        let with_port = |ips: &[IpAddr]| ips.iter().map(|ip| SocketAddr::new(*ip, query.port())).collect();
        if let Some(ip) = self.table.get(query.host()) {
            return Ok(with_port(&[*ip]));
        }
        let cache = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |looked_up: &Instant| looked_up.elapsed() < self.time_to_live;
        if let Some((_, ips)) = cache().get(query.host()).filter(|(looked_up, _)| is_fresh(looked_up)) {
            return Ok(with_port(ips));
        }
        self.next_asked.fetch_add(1, Ordering::Relaxed);
        let addresses = self.next.resolve(query)?; // the cache is not locked meanwhile
        let ips = addresses.iter().map(SocketAddr::ip).collect();
        let (mut cache, now) = (cache(), Instant::now());
        cache.retain(|_, (looked_up, _)| is_fresh(looked_up));
        if cache.len() >= NAMES_MAX {
            cache.clear(); // crude, but each name costs one look-up at most
        }
        if !self.time_to_live.is_zero() {
            cache.insert(query.host().to_owned(), (now, ips));
        }
        Ok(addresses)
    }
}

/// The system's resolver.
fn system(query: &Query<'_>) -> io::Result<Vec<SocketAddr>> {
    Ok((query.host(), query.port()).to_socket_addrs()?.collect())
}

/// Stands for the system in the run without a URL, which asks no name server: every name is this machine.
fn stand_in(query: &Query<'_>) -> io::Result<Vec<SocketAddr>> {
    Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, query.port()))])
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    if let Some(url) = arguments.next() {
        let host = Url::parse(&url)?.host_str().unwrap_or_default().to_owned();
        let pinned = arguments.next().map(|ip| ip.parse()).transpose()?;
        return visit(&url, pinned.map(|ip| (host, ip)), Duration::from_secs(60), system);
    }
    let port = serve()?;
    writeln!(io::stdout(), "a name of the table")?;
    let pinned = Some(("pinned.test".to_owned(), Ipv4Addr::LOCALHOST.into()));
    visit(&format!("http://pinned.test:{port}/"), pinned, Duration::from_secs(60), stand_in)?;
    writeln!(io::stdout(), "another name, with a time to live of a minute")?;
    visit(&format!("http://other.test:{port}/"), None, Duration::from_secs(60), stand_in)?;
    writeln!(io::stdout(), "and with none")?;
    visit(&format!("http://other.test:{port}/"), None, Duration::ZERO, stand_in)
}

/// Three requests, each on a connection of its own.
fn visit(
    url: &str,
    pinned: Option<(String, IpAddr)>,
    time_to_live: Duration,
    next: impl Resolve + 'static,
) -> Result<(), Box<dyn Error>> {
    let table = pinned.into_iter().collect();
    let hosts = Hosts { table, cache: Mutex::default(), time_to_live, next, next_asked: AtomicUsize::new(0) };
    let hosts = Arc::new(hosts);
    let client = Client::builder()
        .resolver(hosts.clone())
        .no_proxy() // which would look names up itself
        .max_idle_per_host(0)
        .build();
    for _ in 0..3 {
        let response = client.get(url).send()?;
        let peer = response.connection().peer_addr().map_or("?".to_owned(), |peer| peer.to_string());
        let text = response.text_lossy()?;
        writeln!(io::stdout(), "  {peer} says: {}", text.lines().next().unwrap_or_default())?;
    }
    writeln!(io::stdout(), "  the system was asked {} times", hosts.next_asked.load(Ordering::Relaxed))?;
    Ok(())
}

/// Starts a server that says which `Host` it was asked for, and returns its port. It ends with the process.
fn serve() -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(&stream); // the client has gone
        }
    });
    Ok(port)
}

fn answer(mut stream: &TcpStream) -> io::Result<()> {
    let head = BufReader::new(stream).lines().take_while(|line| !matches!(line, Ok(line) if line.is_empty()));
    let head = head.collect::<io::Result<Vec<_>>>()?;
    let host = head.iter().find(|line| line.starts_with("Host: ")).map_or("no Host", |line| line);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{host}", host.len());
    stream.write_all(answer.as_bytes())
}
