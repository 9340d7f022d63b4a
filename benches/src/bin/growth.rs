//! How the cost of a request grows with the pool: a client that keeps connections to ever more
//! hosts asks one of them again and again, and then any of them. And how it grows with the threads
//! that share a client, beside as many that have one each. The transport is in memory, so that
//! nothing but the client is measured: between two requests there is no time for others.
//!
//!     cargo run --release --manifest-path benches/Cargo.toml --bin growth

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use longwire::transport::{Connect, Deadline, Stream, Target};
use longwire::{CancelToken, Client, Url};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Requests that are timed together, and how often; the best time counts, since all else that the
/// machine does can only add to it.
const REQUESTS: u32 = 100_000;
const ROUNDS: u32 = 7;

/// A server that has answered as soon as it was asked.
struct Instantly {
    was_asked: bool,
}

impl Read for Instantly {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !std::mem::take(&mut self.was_asked) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        into[..ANSWER.len()].copy_from_slice(ANSWER);
        Ok(ANSWER.len())
    }
}

impl Write for Instantly {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.was_asked = true;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Instantly {
    fn try_read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn set_timeouts(&mut self, _: Option<Duration>, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        None
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn is_drained(&self) -> bool {
        true
    }
}

struct InMemory;

impl Connect for InMemory {
    fn connect(&self, _: &Target<'_>, _: Deadline, _: &CancelToken) -> longwire::Result<Box<dyn Stream>> {
        Ok(Box::new(Instantly { was_asked: false }))
    }
}

fn ask(client: &Client, url: &Url) {
    let mut response = client.get(url).send().expect("an answer");
    let mut body = [0; 16];
    while response.read(&mut body).expect("a body") > 0 {}
}

/// Nanoseconds of a request, at best.
fn best(client: &Client, urls: &[Url], mut next: impl FnMut() -> usize) -> u128 {
    let round = |_| {
        let started = Instant::now();
        for _ in 0..REQUESTS {
            ask(client, &urls[next()]);
        }
        started.elapsed().as_nanos() / u128::from(REQUESTS)
    };
    (0..ROUNDS).map(round).min().expect("some rounds")
}

/// Nanoseconds of the clock for each request, at best, where threads have this client or one each.
fn best_of_threads(threads: u32, client: impl Fn() -> Client) -> u128 {
    let url = Url::parse("http://host.test/").expect("a URL");
    let each = REQUESTS / threads;
    let round = |_| {
        let started = Instant::now();
        thread::scope(|scope| {
            for _ in 0..threads {
                let (client, url) = (client(), &url);
                scope.spawn(move || (0..each).for_each(|_| ask(&client, url)));
            }
        });
        started.elapsed().as_nanos() / u128::from(each * threads)
    };
    (0..ROUNDS).map(round).min().expect("some rounds")
}

fn with_idle(count: usize) -> Client {
    Client::builder().connector(InMemory).max_idle_per_host(count).max_idle(count).idle_timeout(None).build()
}

fn main() {
    println!("| hosts with an idle connection | one host, ns | any host, ns |\n|--:|--:|--:|");
    for hosts in [1, 10, 100, 1_000, 10_000] {
        let client = with_idle(hosts);
        let url = |number| Url::parse(&format!("http://host{number}.test/")).expect("a URL");
        let urls: Vec<Url> = (0..hosts).map(url).collect();
        urls.iter().for_each(|url| ask(&client, url));
        assert_eq!(client.pool_stats().idle, hosts);
        let mut random = 1_u64;
        let any = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) as usize % hosts
        };
        let one_host = best(&client, &urls, || 0);
        println!("| {hosts} | {one_host} | {} |", best(&client, &urls, any));
    }
    println!("\n| threads | one client, ns | a client each, ns |\n|--:|--:|--:|");
    for threads in [1, 2, 8, 64] {
        let shared = with_idle(threads as usize);
        let one_client = best_of_threads(threads, || shared.clone());
        println!("| {threads} | {one_client} | {} |", best_of_threads(threads, || with_idle(1)));
    }
}
