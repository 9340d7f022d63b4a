//! One run: what to measure is chosen on the command line, the servers are started, the samples
//! taken, the results written.

use std::env;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Instant;

use crate::machine;
use crate::sample::{self, Sample};
use crate::table::Results;
use crate::work::Work;

const ROUNDS: usize = 15;
const QUICK_ROUNDS: usize = 3;
const QUICK_SHARE: usize = 8;

pub struct Bench {
    /// In the order of the table; the first is what all are compared with. Those that are not there are left out.
    pub clients: fn() -> Vec<&'static str>,
    pub works: &'static [Work],
    pub scheme: &'static str,
    /// The kind of server that a work needs.
    pub server_for: fn(&Work) -> &'static str,
    /// Whether the client can do the work at all.
    pub can: fn(&str, &Work) -> bool,
    /// Runs a server of that kind until standard input ends.
    pub serve: fn(&str) -> io::Result<()>,
    /// One sample: client, work, URL, and the share of the operations that is done.
    pub sample: fn(&str, &Work, &str, usize) -> Sample,
    /// What else is to be known of the results.
    pub note: fn() -> String,
    pub tables: fn(&Results) -> String,
    /// Where the tables go, without the `.md`.
    pub file: &'static str,
}

impl Bench {
    /// Does what this process is there for. The one that measures gets the results, and the folder
    /// in which they are.
    pub fn run(&self) -> io::Result<Option<(Results, PathBuf)>> {
        let arguments: Vec<String> = env::args().skip(1).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match arguments[..] {
            ["serve", kind] => (self.serve)(kind).map(|()| None),
            ["sample", client, work, url, share] => {
                let _done = sample::watch();
                let work = self.work(work).expect("a work");
                (self.sample)(client, work, url, share.parse().expect("a number")).print();
                Ok(None)
            }
            _ => match self.options(&arguments) {
                Some(options) => self.measure(&options).map(Some),
                None => {
                    let names: Vec<&str> = self.works.iter().map(|work| work.name).collect();
                    eprintln!("options: [--quick] [--only WORK]... [--rounds N]\nworks: {}", names.join(" "));
                    std::process::exit(2);
                }
            },
        }
    }

    fn work(&self, name: &str) -> Option<&'static Work> {
        self.works.iter().find(|work| work.name == name)
    }

    fn options(&self, arguments: &[&str]) -> Option<Options> {
        let mut options = Options { works: Vec::new(), rounds: ROUNDS, share: 1 };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "--quick" => (options.rounds, options.share) = (QUICK_ROUNDS, QUICK_SHARE),
                "--only" => options.works.push(self.work(rest.next()?)?),
                "--rounds" => options.rounds = rest.next()?.parse().ok().filter(|rounds| *rounds > 0)?,
                _ => return None,
            }
        }
        if options.works.is_empty() {
            options.works = self.works.iter().collect();
        }
        Some(options)
    }

    fn measure(&self, options: &Options) -> io::Result<(Results, PathBuf)> {
        let start = Instant::now();
        let core = machine::one_core();
        let mut servers: Vec<Server> = Vec::new();
        let clients = (self.clients)();
        let mut results = Results::new(&clients, &options.works, options.rounds);
        for round in 0..options.rounds {
            for (row, work) in options.works.iter().enumerate() {
                let server = self.server(&mut servers, work, core.as_deref())?;
                for turn in 0..clients.len() {
                    let column = (turn + round) % clients.len();
                    if (self.can)(clients[column], work) {
                        let sample = self.take_sample(clients[column], work, server, options.share)?;
                        results.record(row, column, round, sample);
                    }
                }
            }
            eprintln!("round {} of {} done after {} s", round + 1, options.rounds, start.elapsed().as_secs());
        }
        let machine = machine::describe(&clients, core.is_some(), options.rounds);
        let report = format!("{machine} {}\n\n{}", (self.note)(), (self.tables)(&results));
        println!("{report}");
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let is_full = options.works.len() == self.works.len() && options.share == 1 && options.rounds >= 5;
        let folder = if is_full { package.to_owned() } else { package.join("target") };
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(self.file).with_extension("md"), format!("# Results\n\n{report}"))?;
        Ok((results, folder))
    }

    /// The one that the work needs, which is started if there is none yet.
    fn server<'s>(&self, servers: &'s mut Vec<Server>, work: &Work, core: Option<&str>) -> io::Result<&'s Server> {
        let (kind, core) = ((self.server_for)(work), core.filter(|_| work.is_pinned()));
        let found = servers.iter().position(|server| server.kind == kind && server.core.as_deref() == core);
        let index = match found {
            Some(index) => index,
            None => {
                servers.push(Server::start(kind, core)?);
                servers.len() - 1
            }
        };
        Ok(&servers[index])
    }

    /// `None` if the client failed, which it has said on standard error.
    fn take_sample(&self, client: &str, work: &Work, server: &Server, share: usize) -> io::Result<Option<Sample>> {
        let url = format!("{}://127.0.0.1:{}{}", self.scheme, server.port, work.path);
        let share = share.to_string();
        let mut command = machine::this_program(server.core.as_deref(), &["sample", client, work.name, &url, &share])?;
        let output = command.stderr(Stdio::inherit()).output()?;
        let sample = Sample::parse(&String::from_utf8_lossy(&output.stdout));
        if sample.is_none() {
            eprintln!("{client} failed at {}", work.name);
        }
        Ok(sample)
    }
}

struct Options {
    works: Vec<&'static Work>,
    rounds: usize,
    /// One part of so many of each sample's operations is done.
    share: usize,
}

/// The server's process: it ends when its standard input does, so with this one at the latest.
pub struct Server {
    kind: &'static str,
    process: Child,
    pub port: u16,
    core: Option<String>,
    _output: BufReader<ChildStdout>,
}

impl Server {
    /// This program again, which is to serve if it is called with `serve` and the kind.
    pub fn start(kind: &'static str, core: Option<&str>) -> io::Result<Server> {
        let mut command = machine::this_program(core, &["serve", kind])?;
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut port = String::new();
        output.read_line(&mut port)?;
        let port = port.trim().parse().map_err(io::Error::other)?;
        Ok(Server { kind, process, port, core: core.map(str::to_owned), _output: output })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
