//! What each work costs, in figures that do not depend on how busy the machine is: instructions
//! (callgrind), system calls (strace) and allocations (a counting allocator) of one operation on a
//! warm client. None may get worse than the baseline by more than a twentieth.
//!
//! `bash .ci/cost` runs it, `bash .ci/cost --update` writes the baseline anew. One operation is what
//! 2 N of them cost more than N, divided by N: start, first connection and the test program cancel
//! out. Instructions depend on the compiler and the C library too, so the baseline names both; they
//! are those of user space, and the few of the counting itself are among them.
#![cfg(target_os = "linux")]

#[path = "support/counted.rs"]
mod counted;
#[path = "support/counting.rs"]
mod counting;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Read;
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use longwire::{Client, RequestBuilder, Url};
use support::peer::{Peer, answer};

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/cost.baseline");
const UPDATE_VARIABLE: &str = "LONGWIRE_COST_UPDATE";

/// How much worse is too much, and how much better is worth a new baseline.
const TOLERANCE: f64 = 0.05;

/// A body may come in more pieces on a busy machine. The least of a few tries tells what the code asks
/// for.
const TRIES: u32 = 3;

// ---- the works ----

struct Work {
    name: &'static str,
    count: u64,
    answer: fn() -> String,
    /// The peer closes after each answer.
    closes: bool,
    client: fn() -> Client,
    /// What is asked for in turn, made of the peer's address.
    texts: fn(&str) -> Vec<String>,
    request: Ask,
    body_bytes: usize,
    /// How many reads a large body takes is the network's choice, not the client's.
    has_steady_calls: bool,
}

type Ask = fn(&Client, &Target) -> RequestBuilder<'static>;

/// Where to: as a caller has it.
struct Target {
    text: String,
    url: Url,
}

static POSTED: [u8; 100] = [b'x'; 100];

static WORKS: [Work; 12] = [
    Work::small("get, from &str", small, |client, target| client.get(&target.text)),
    Work {
        texts: many_paths,
        ..Work::small("get, from &str over 64 paths", small, |client, target| client.get(&target.text))
    },
    Work {
        texts: two_hosts,
        ..Work::small("get, from &str of two hosts in turn", small, |client, target| client.get(&target.text))
    },
    Work::small("get, from &Url", small, |client, target| client.get(&target.url)),
    Work::small("get with a total timeout, from &Url", small, |client, target| {
        client.get(&target.url).timeout(Duration::from_secs(60))
    }),
    Work {
        client: || Client::builder().probe_after(Duration::from_secs(3_600)).build(),
        ..Work::small("get without the probe, from &Url", small, |client, target| client.get(&target.url))
    },
    Work::small("25 fields, from &str", fields, |client, target| client.get(&target.text)),
    Work {
        texts: many_paths,
        ..Work::small("25 fields, from &str over 64 paths", fields, |client, target| client.get(&target.text))
    },
    Work::small("25 fields, from &Url", fields, |client, target| client.get(&target.url)),
    Work::small("post of 100 bytes, from &Url", small, |client, target| client.post(&target.url).body(&POSTED[..])),
    Work {
        closes: true,
        count: 100,
        ..Work::small("new connection, from &Url", last, |client, target| client.get(&target.url))
    },
    Work {
        body_bytes: 1 << 20,
        count: 10,
        has_steady_calls: false,
        ..Work::small("1 MiB in chunks of 64 bytes, from &Url", chunks, |client, target| client.get(&target.url))
    },
];

impl Work {
    const fn small(name: &'static str, answer: fn() -> String, request: Ask) -> Work {
        Work {
            name,
            count: 192,
            answer,
            closes: false,
            client: Client::new,
            texts: one_path,
            request,
            body_bytes: 5,
            has_steady_calls: true,
        }
    }

    /// Where to, in turn.
    fn targets(&self, address: &str) -> Vec<Target> {
        let target = |text: String| Target { url: text.parse().expect("a URL"), text };
        (self.texts)(address).into_iter().map(target).collect()
    }

    fn peer(&self) -> Peer {
        let (answer, closes) = ((self.answer)(), self.closes);
        Peer::start(move |mut conn, _| {
            while conn.request().is_some() {
                conn.send(&answer);
                if closes {
                    return;
                }
            }
        })
    }
}

fn one_path(address: &str) -> Vec<String> {
    vec![format!("http://{address}/path?query=1")]
}

fn many_paths(address: &str) -> Vec<String> {
    (10..74).map(|number| format!("http://{address}/path?query={number}")).collect()
}

/// Two names of the peer, which are two hosts to a client.
fn two_hosts(address: &str) -> Vec<String> {
    [address.to_owned(), address.replace("127.0.0.1", "localhost")].iter().flat_map(|host| one_path(host)).collect()
}

const FIELDS: &str = "Server: test\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: text/plain\r\n\
    Cache-Control: no-cache\r\nX-Request-Id: 7f1c2d3e4b5a6978\r\n";

fn small() -> String {
    answer("200 OK", FIELDS, "hello")
}

fn last() -> String {
    answer("200 OK", &format!("{FIELDS}Connection: close\r\n"), "hello")
}

/// 25 with Content-Length, a few of them long.
fn fields() -> String {
    let mut fields =
        String::from("Server: test\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: text/plain\r\n");
    for number in 4..25 {
        let value = "value, ".repeat(number % 5 + 1);
        let _ = write!(fields, "X-Some-Field-{number}: {value}{number}\r\n");
    }
    answer("200 OK", &fields, "hello")
}

fn chunks() -> String {
    let chunk = format!("40\r\n{}\r\n", "x".repeat(64));
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat((1 << 20) / 64))
}

/// What is counted: callgrind looks for this function by its name.
#[inline(never)]
fn operations(work: &Work, client: &Client, targets: &[Target], buffer: &mut [u8], count: u64) {
    for (target, _) in targets.iter().cycle().zip(0..count) {
        let mut response = (work.request)(client, target).send().expect("an answer");
        let mut total = 0;
        loop {
            match response.read(buffer).expect("a whole body") {
                0 => break,
                count => total += count,
            }
        }
        assert_eq!(total, work.body_bytes);
    }
}

const ADDRESS_VARIABLE: &str = "LONGWIRE_TEST_ADDRESS";
const WORK_VARIABLE: &str = "LONGWIRE_TEST_WORK";
const COUNT_VARIABLE: &str = "LONGWIRE_TEST_COUNT";

/// As a test of its own a few operations of each work, and the child that is counted below, with
/// the peer in the parent.
#[test]
fn each_work_keeps_its_connection_or_makes_new_ones() {
    let mut buffer = vec![0; 64 * 1024];
    if let (Ok(address), Ok(name), Ok(count)) =
        (env::var(ADDRESS_VARIABLE), env::var(WORK_VARIABLE), env::var(COUNT_VARIABLE))
    {
        let work = WORKS.iter().find(|work| work.name == name).expect("a work");
        let count = count.parse().expect("a number");
        operations(work, &(work.client)(), &work.targets(&address), &mut buffer, count);
        return;
    }
    for work in &WORKS {
        let peer = work.peer();
        let targets = work.targets(&peer.addr().to_string());
        operations(work, &(work.client)(), &targets, &mut buffer, 3);
        let hosts: BTreeSet<_> = targets.iter().map(|target| target.url.host_str()).collect();
        assert_eq!(peer.connections(), if work.closes { 3 } else { hosts.len() }, "{}", work.name);
    }
}

// ---- the figures ----

/// By the work's name and the unit.
type Figures = BTreeMap<(String, String), f64>;

/// What one operation more costs: `cost` is asked for N and for twice as many.
fn each(work: &Work, cost: impl Fn(u64) -> u64) -> f64 {
    let (once, twice) = (cost(work.count), cost(2 * work.count));
    (twice as f64 - once as f64) / work.count as f64
}

/// In a child, with a peer here.
fn each_in_child(work: &Work, cost: fn(&str, &[(&str, &str)]) -> u64) -> f64 {
    let peer = work.peer();
    let address = peer.addr().to_string();
    each(work, |count| {
        let count = count.to_string();
        let variables = [(ADDRESS_VARIABLE, address.as_str()), (WORK_VARIABLE, work.name), (COUNT_VARIABLE, &count)];
        cost("each_work_keeps_its_connection_or_makes_new_ones", &variables)
    })
}

fn instructions(work: &Work) -> f64 {
    each_in_child(work, |test, variables| counted::instructions(test, "cost::operations*", variables))
}

fn system_calls(work: &Work) -> f64 {
    each_in_child(work, counted::system_calls)
}

/// Of this thread, which is the one that does all of the client's work.
fn allocations(work: &Work) -> f64 {
    let peer = work.peer();
    let targets = work.targets(&peer.addr().to_string());
    let buffer = vec![0; 64 * 1024];
    operations(work, &(work.client)(), &targets, &mut buffer.clone(), targets.len() as u64); // what a thread remembers
    each(work, |count| {
        let client = (work.client)();
        counting::allocations(|| operations(work, &client, &targets, &mut buffer.clone(), count)).1
    })
}

/// The figure, or the least of some while that is no better than what was.
fn least(before: Option<f64>, measure: impl Fn() -> f64) -> f64 {
    let mut least = measure();
    for _ in 1..TRIES {
        if before.is_some_and(|before| least <= before * (1.0 + TOLERANCE)) {
            break;
        }
        least = least.min(measure());
    }
    least
}

fn measure(baseline: &Figures) -> Figures {
    let mut figures = Figures::new();
    for work in &WORKS {
        let mut take = |unit: &str, measure: fn(&Work) -> f64| {
            let key = (work.name.to_owned(), unit.to_owned());
            let figure = least(baseline.get(&key).copied(), || measure(work));
            figures.insert(key, figure);
        };
        take("allocations", allocations);
        take("instructions", instructions);
        if work.has_steady_calls {
            take("system calls", system_calls);
        }
    }
    figures
}

// ---- the baseline ----

const TOOLCHAIN: &str = "toolchain: ";

fn toolchain() -> String {
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().unwrap_or_else(|error| panic!("{program}: {error}"));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let library = said("getconf", "GNU_LIBC_VERSION");
    format!("{}, {library}, {}", said("rustc", "--version"), said("valgrind", "--version"))
}

fn write_baseline(figures: &Figures) {
    let mut text = format!(
        "# What one operation costs at most, give or take a twentieth: tests/cost.rs.\n\
         # Written by `bash .ci/cost --update`.\n{TOOLCHAIN}{}\n",
        toolchain()
    );
    for ((work, unit), figure) in figures {
        let _ = writeln!(text, "{work}: {unit}: {figure:.2}");
    }
    fs::write(BASELINE, text).expect("write the baseline");
}

/// The toolchain it was measured with, and the figures.
fn parse_baseline(text: &str) -> (String, Figures) {
    let mut toolchain = String::new();
    let mut figures = Figures::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix(TOOLCHAIN) {
            Some(name) => toolchain = name.to_owned(),
            None => {
                let parts: Vec<&str> = line.splitn(3, ": ").collect();
                let [work, unit, figure] = parts[..] else { panic!("{line:?} is no figure") };
                let figure = figure.parse().unwrap_or_else(|_| panic!("{line:?} has no number"));
                figures.insert((work.to_owned(), unit.to_owned()), figure);
            }
        }
    }
    (toolchain, figures)
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Same,
    Better,
    Worse,
    /// Measured now, and not in the baseline.
    New,
    /// In the baseline, and not measured any more.
    Gone,
}

fn verdict(before: Option<f64>, now: Option<f64>) -> Verdict {
    match (before, now) {
        (None, _) => Verdict::New,
        (_, None) => Verdict::Gone,
        (Some(before), Some(now)) if now > before * (1.0 + TOLERANCE) => Verdict::Worse,
        (Some(before), Some(now)) if now < before * (1.0 - TOLERANCE) => Verdict::Better,
        _ => Verdict::Same,
    }
}

#[test]
fn a_figure_is_worse_or_better_from_a_twentieth_on() {
    let cases = [
        (Some(1000.0), Some(1049.0), Verdict::Same),
        (Some(1000.0), Some(1051.0), Verdict::Worse),
        (Some(1000.0), Some(951.0), Verdict::Same),
        (Some(1000.0), Some(949.0), Verdict::Better),
        (Some(0.0), Some(0.0), Verdict::Same),
        (Some(0.0), Some(0.01), Verdict::Worse),
        (Some(4.0), Some(5.0), Verdict::Worse),
        (None, Some(1.0), Verdict::New),
        (Some(1.0), None, Verdict::Gone),
    ];
    for (before, now, expected) in cases {
        assert_eq!(verdict(before, now), expected, "{before:?}, {now:?}");
    }
}

#[test]
fn a_baseline_is_read_line_by_line() {
    let (toolchain, figures) =
        parse_baseline("# a comment\ntoolchain: rustc 1.85.0, glibc\na, b: system calls: 2.00\n");
    assert_eq!(toolchain, "rustc 1.85.0, glibc");
    let expected = [(("a, b".to_owned(), "system calls".to_owned()), 2.0)];
    assert_eq!(figures, Figures::from(expected));
}

#[test]
#[ignore = "needs valgrind, strace and a release build: bash .ci/cost"]
fn no_work_costs_more_than_the_baseline() {
    if cfg!(debug_assertions) {
        panic!("only a release build says something: bash .ci/cost");
    }
    if env::var_os(UPDATE_VARIABLE).is_some() {
        let figures = measure(&Figures::new());
        write_baseline(&figures);
        println!("{}", fs::read_to_string(BASELINE).expect("the baseline"));
        return;
    }
    let (toolchain_then, baseline) = parse_baseline(&fs::read_to_string(BASELINE).expect("the baseline"));
    let toolchain = toolchain();
    if toolchain != toolchain_then {
        println!("NOTE: the baseline was measured with {toolchain_then}; this is {toolchain}.");
        println!("NOTE: a difference in instructions may be the toolchain's. If so: bash .ci/cost --update");
    }
    let figures = measure(&baseline);
    let mut wrong = 0;
    let mut keys: Vec<_> = baseline.keys().chain(figures.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let (before, now) = (baseline.get(key).copied(), figures.get(key).copied());
        let verdict = verdict(before, now);
        let shown = |figure: Option<f64>| figure.map_or("none".to_owned(), |figure| format!("{figure:.2}"));
        println!("{:40} {:13} {:>12} was {:>12}  {verdict:?}", key.0, key.1, shown(now), shown(before));
        match verdict {
            Verdict::Same => {}
            Verdict::Better => println!("    over 5 % better: keep it with bash .ci/cost --update"),
            Verdict::Worse | Verdict::New | Verdict::Gone => wrong += 1,
        }
    }
    assert_eq!(wrong, 0, "figures that are over 5 % worse, or not the baseline's; if meant so: bash .ci/cost --update");
}
