//! What a GET costs the client alone: over a transport in memory, in nanoseconds; and how many more GETs two threads
//! do than one, with one client or with a client each.
//!
//!     cargo run --release --manifest-path benches/Cargo.toml --bin memory [-- --quick]
//!
//! All are timed in turn, round by round, so that what else the machine does meanwhile falls on all of them.

use std::sync::Barrier;
use std::time::{Duration, Instant};
use std::{env, process, thread};

use longwire::{Client, ClientBuilder, Url};
use longwire_benches::memory;
use longwire_benches::sample::whole;
use longwire_benches::server::{CLOSES, fields_answer, small_answer};
use longwire_benches::table::Spread;

const GETS: usize = 100_000;
const QUICK_GETS: usize = 20_000;
const ROUNDS: usize = 15;

const PATHS: usize = 64;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let gets = match &arguments[..] {
        [] => GETS,
        [option] if option == "--quick" => QUICK_GETS,
        _ => {
            eprintln!("options: [--quick]");
            process::exit(2);
        }
    };
    println!("{ROUNDS} interleaved rounds of {gets} GETs: median (minimum to maximum).\n");
    by_one(gets);
    println!();
    by_two(gets);
}

/// What is asked for, and by what client: the GET of that number.
struct Work {
    title: &'static str,
    get: Box<dyn FnMut(usize)>,
}

impl Work {
    fn from_urls(title: &'static str, client: ClientBuilder, texts: &[String]) -> Work {
        let (client, urls) = (client.build(), parsed(texts));
        Work { title, get: Box::new(move |number| memory::get(&client, &urls[number % urls.len()])) }
    }

    fn from_texts(title: &'static str, client: ClientBuilder, texts: &[String]) -> Work {
        let (client, texts) = (client.build(), texts.to_vec());
        Work { title, get: Box::new(move |number| memory::get(&client, &texts[number % texts.len()])) }
    }
}

fn works() -> Vec<Work> {
    let small = || memory::client(small_answer(""));
    let unprobed = || small().probe_after(Duration::from_millis(1));
    let fields = || memory::client(fields_answer());
    let one_host = texts(&["http://one.test"], PATHS);
    let two_hosts = texts(&["http://one.test", "http://two.test"], PATHS);
    vec![
        Work::from_urls("6 fields, `&Url`", small(), &one_host[..1]),
        Work::from_urls("6 fields, `&Url`, 64 paths", small(), &one_host),
        Work::from_texts("6 fields, `&str`, 64 paths", small(), &one_host),
        Work::from_urls("6 fields, `&Url`, 64 paths, `probe_after(1 ms)`", unprobed(), &one_host),
        Work::from_texts("6 fields, `&str`, 64 paths, `probe_after(1 ms)`", unprobed(), &one_host),
        Work::from_texts("6 fields, `&str`, 64 paths, two hosts in turn", small(), &two_hosts),
        Work::from_urls("25 fields, `&Url`, 64 paths", fields(), &one_host),
        Work::from_texts("25 fields, `&str`, 64 paths", fields(), &one_host),
        Work::from_urls(
            "6 fields, `&Url`, a new connection each",
            memory::client(small_answer(CLOSES)),
            &one_host[..1],
        ),
    ]
}

/// So many paths, on each of the hosts in turn.
fn texts(origins: &[&str], paths: usize) -> Vec<String> {
    (0..paths).map(|number| format!("{}/small/{number:02}", origins[number % origins.len()])).collect()
}

fn parsed(texts: &[String]) -> Vec<Url> {
    texts.iter().map(|text| text.parse().expect("a URL")).collect()
}

/// A table of what one thread takes for a GET.
fn by_one(gets: usize) {
    let mut works = works();
    let mut times = vec![Vec::new(); works.len()];
    for _ in 0..ROUNDS {
        for (work, times) in works.iter_mut().zip(&mut times) {
            let started = Instant::now();
            (0..gets).for_each(&mut work.get);
            times.push(started.elapsed().as_nanos() as f64 / gets as f64);
        }
    }
    println!("| GET in memory | ns |\n|---|--:|");
    for (work, times) in works.iter().zip(times) {
        println!("| {} | {:.0} |", work.title, Spread::of(times));
    }
}

/// A table of what two threads do in the time in which one does a GET, in the same round.
fn by_two(gets: usize) {
    let client = || memory::client(small_answer("")).build();
    let shared = client();
    let (mut alone, mut with_one, mut with_two) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(per_second(gets, &[client()]));
        with_one.push(per_second(gets, &[shared.clone(), shared.clone()]));
        with_two.push(per_second(gets, &[client(), client()]));
    }
    println!("| threads | GETs per second, in thousands | over those of one thread |\n|---|--:|--:|");
    for (title, rates) in [("1", &alone), ("2, one client", &with_one), ("2, a client each", &with_two)] {
        let ratios = rates.iter().zip(&alone).map(|(rate, alone)| rate / alone);
        let thousands = rates.iter().map(|rate| rate / 1e3);
        println!("| {title} | {:.0} | {:.2} |", Spread::of(thousands), Spread::of(ratios));
    }
}

/// GETs per second by a thread for each of the clients, all together.
fn per_second(gets: usize, clients: &[Client]) -> f64 {
    let urls = parsed(&texts(&["http://one.test"], PATHS));
    let (together, each) = (Barrier::new(clients.len()), gets / clients.len());
    let run = |client: &Client| {
        memory::get(client, &urls[0]);
        together.wait();
        let started = Instant::now();
        (0..each).for_each(|number| memory::get(client, &urls[number % urls.len()]));
        (started, Instant::now())
    };
    let wall = thread::scope(|scope| {
        let threads: Vec<_> = clients.iter().map(|client| scope.spawn(|| run(client))).collect();
        whole(threads.into_iter().map(|thread| thread.join().expect("its GETs")))
    });
    (each * clients.len()) as f64 / wall.as_secs_f64()
}
