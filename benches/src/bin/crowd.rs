//! What it costs to wait in line: threads that share two connections to one host, and ask again and
//! again. However many they are, two are at work and the rest wait; so a request should cost what it
//! costs two threads, and one wake-up. Counted is the CPU time of this process alone: the server is
//! another one.
//!
//!     cargo run --release --manifest-path benches/Cargo.toml --bin crowd [THREADS]...

use std::net::TcpListener;
use std::{env, io};

use longwire::Client;
use longwire_benches::client::longwire::Longwire;
use longwire_benches::run::Server;
use longwire_benches::sample::{self, Sample, measure};
use longwire_benches::server::{self, SMALL_BODY};
use longwire_benches::work::{Act, work};

const PLACES: usize = 2;
const THREADS: [&str; 4] = ["2", "20", "100", "500"];

/// Requests of all threads together, and how often; the least CPU time counts, since all else that
/// the machine does can only add to it.
const REQUESTS: usize = 50_000;
const ROUNDS: usize = 9;

fn best(threads: usize, url: &str) -> Sample {
    let each = REQUESTS / threads;
    let work = work("crowd", "small GET", "/small", Act::Threads { threads }, each, SMALL_BODY.len());
    let round = |_| {
        let client = Client::builder().no_proxy().max_connections_per_host(PLACES).connect_timeout(None).build();
        measure(Longwire(client), &work, url, each)
    };
    (0..ROUNDS).map(round).min_by(|one, other| one.cpu.total_cmp(&other.cpu)).expect("some rounds")
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|argument| argument == "serve") {
        return server::run(TcpListener::bind("127.0.0.1:0")?, server::Tcp, server::answers());
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let counts = if arguments.is_empty() { &THREADS } else { &arguments[..] };
    let server = Server::start("plain", None)?;
    let url = format!("http://127.0.0.1:{}/small", server.port);
    println!("| threads | CPU time per request, µs | relative to the first row | wall-clock time, µs |");
    println!("|--:|--:|--:|--:|");
    let mut least = None;
    for threads in counts.iter().map(|count| count.parse().expect("a number of threads")) {
        let _done = sample::watch();
        let Sample { wall, cpu } = best(threads, &url);
        let ratio = cpu / *least.get_or_insert(cpu);
        println!("| {threads} | {:.1} | {ratio:.2} | {:.1} |", cpu / 1e3, wall / 1e3);
    }
    Ok(())
}
