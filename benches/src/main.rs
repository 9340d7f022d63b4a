//! longwire beside a bare socket loop and other blocking clients, on loopback.
//!
//!     cargo run --release --manifest-path benches/Cargo.toml [-- --quick] [--only WORK]... [--rounds N]
//!
//! Every sample is a process of its own. All clients do one work, then all do the next, and so on
//! through all works: a round; in the next round another client begins. What counts is each
//! client's time against that of the bare loop (`raw`) for the same work in the same round, so what
//! else the machine does meanwhile falls on all of them; the tables give the median over the rounds.
//! Client and server share one core, which needs `taskset`: a small request is then its own cost and
//! the server's, and not the waking of a second core.
//!
//! A full run writes `results.md` and `results.svg` here; `--quick` (a fraction, 3 rounds) and
//! `--only` write them to `target/`.

mod chart;
mod clients;
mod machine;
mod raw;
mod sample;
mod server;
mod table;
mod works;

use std::env;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::time::Instant;

use sample::Sample;
use table::Results;
use works::{WORKS, Work};

const ROUNDS: usize = 7;
const QUICK_ROUNDS: usize = 3;
const QUICK_SHARE: usize = 8;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve"] => server::run(),
        ["sample", client, work, url, share] => {
            let work = Work::by_name(work).expect("a work");
            sample::run(client, work, url, share.parse().expect("a number"));
            Ok(())
        }
        _ => match Options::parse(&arguments) {
            Some(options) => measure(&options),
            None => {
                let names: Vec<&str> = WORKS.iter().map(|work| work.name).collect();
                eprintln!("options: [--quick] [--only WORK]... [--rounds N]\nworks: {}", names.join(" "));
                std::process::exit(2);
            }
        },
    }
}

struct Options {
    works: Vec<&'static Work>,
    rounds: usize,
    /// One part of so many of each sample's operations is done.
    share: usize,
}

impl Options {
    fn parse(arguments: &[&str]) -> Option<Options> {
        let mut options = Options { works: Vec::new(), rounds: ROUNDS, share: 1 };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "--quick" => (options.rounds, options.share) = (QUICK_ROUNDS, QUICK_SHARE),
                "--only" => options.works.push(Work::by_name(rest.next()?)?),
                "--rounds" => options.rounds = rest.next()?.parse().ok().filter(|rounds| *rounds > 0)?,
                _ => return None,
            }
        }
        if options.works.is_empty() {
            options.works = WORKS.iter().collect();
        }
        Some(options)
    }

    fn is_full(&self) -> bool {
        self.works.len() == WORKS.len() && self.share == 1 && self.rounds >= 5
    }
}

fn measure(options: &Options) -> io::Result<()> {
    let start = Instant::now();
    let core = machine::one_core();
    let (pinned, free) = (Server::start(core.as_deref())?, Server::start(None)?);
    let mut results = Results::new(&options.works, options.rounds);
    for round in 0..options.rounds {
        for (row, work) in options.works.iter().enumerate() {
            let server = if work.is_pinned() { &pinned } else { &free };
            for turn in 0..clients::NAMES.len() {
                let column = (turn + round) % clients::NAMES.len();
                let client = clients::NAMES[column];
                if clients::can(client, work) {
                    let sample = take_sample(client, work, server, options.share)?;
                    results.record(row, column, round, sample);
                }
            }
        }
        eprintln!("round {} of {} done after {} s", round + 1, options.rounds, start.elapsed().as_secs());
    }
    let report = format!("{}\n{}", machine::describe(core.is_some(), options.rounds), results.tables());
    println!("{report}");
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = if options.is_full() { package.to_owned() } else { package.join("target") };
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("results.md"), format!("# Results\n\n{report}"))?;
    std::fs::write(folder.join("results.svg"), chart::draw(&results))
}

/// `None` if the client failed, which it has said on standard error.
fn take_sample(client: &str, work: &Work, server: &Server, share: usize) -> io::Result<Option<Sample>> {
    let url = format!("http://127.0.0.1:{}{}", server.port, work.path);
    let share = share.to_string();
    let mut command = machine::this_program(server.core, &["sample", client, work.name, &url, &share])?;
    let output = command.stderr(Stdio::inherit()).output()?;
    let sample = Sample::parse(&String::from_utf8_lossy(&output.stdout));
    if sample.is_none() {
        eprintln!("{client} failed at {}", work.name);
    }
    Ok(sample)
}

/// The server's process: it ends when its standard input does, so with this one at the latest.
struct Server<'c> {
    process: Child,
    port: u16,
    core: Option<&'c str>,
    _output: BufReader<ChildStdout>,
}

impl<'c> Server<'c> {
    fn start(core: Option<&'c str>) -> io::Result<Server<'c>> {
        let mut command = machine::this_program(core, &["serve"])?;
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut port = String::new();
        output.read_line(&mut port)?;
        let port = port.trim().parse().map_err(io::Error::other)?;
        Ok(Server { process, port, core, _output: output })
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
