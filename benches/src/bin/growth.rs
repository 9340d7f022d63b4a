//! How the cost of a request grows with the pool: a client that keeps connections to ever more
//! hosts asks one of them again and again, and then any of them. The transport is in memory, so that
//! nothing but the client is measured: between two requests there is no time for others.
//!
//!     cargo run --release --manifest-path benches/Cargo.toml --bin growth

use std::time::Instant;

use longwire::{Client, Url};
use longwire_benches::memory;

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Requests that are timed together, and how often; the best time counts, since all else that the
/// machine does can only add to it.
const REQUESTS: u32 = 100_000;
const ROUNDS: u32 = 7;

/// Nanoseconds of a request, at best.
fn best(client: &Client, urls: &[Url], mut next: impl FnMut() -> usize) -> u128 {
    let round = |_| {
        let started = Instant::now();
        for _ in 0..REQUESTS {
            memory::get(client, &urls[next()]);
        }
        started.elapsed().as_nanos() / u128::from(REQUESTS)
    };
    (0..ROUNDS).map(round).min().expect("some rounds")
}

fn with_idle(count: usize) -> Client {
    memory::client(ANSWER).max_idle_per_host(count).max_idle(count).idle_timeout(None).build()
}

fn main() {
    println!("| hosts with an idle connection | one host, ns | any host, ns |\n|--:|--:|--:|");
    for hosts in [1, 10, 100, 1_000, 10_000] {
        let client = with_idle(hosts);
        let url = |number| Url::parse(&format!("http://host{number}.test/")).expect("a URL");
        let urls: Vec<Url> = (0..hosts).map(url).collect();
        urls.iter().for_each(|url| memory::get(&client, url));
        assert_eq!(client.pool_stats().idle, hosts);
        let mut random = 1_u64;
        let any = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) as usize % hosts
        };
        let one_host = best(&client, &urls, || 0);
        println!("| {hosts} | {one_host} | {} |", best(&client, &urls, any));
    }
}
