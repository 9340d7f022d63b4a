//! One sample: one client does one work, in a process of its own, and says how long it took.

use std::sync::Barrier;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use std::{fs, process, thread};

use crate::client::Client;
use crate::work::{Act, Work};

/// Far longer than any sample takes: a client that hangs ends here.
const LIMIT: Duration = Duration::from_secs(120);

/// Nanoseconds per operation: wall-clock time, and CPU time of this process.
#[derive(Clone, Copy)]
pub struct Sample {
    pub wall: f64,
    pub cpu: f64,
}

impl Sample {
    /// The line that the child prints and the parent reads.
    pub fn parse(line: &str) -> Option<Sample> {
        let (wall, cpu) = line.trim().split_once(' ')?;
        Some(Sample { wall: wall.parse().ok()?, cpu: cpu.parse().ok()? })
    }

    pub fn print(&self) {
        println!("{} {}", self.wall, self.cpu);
    }
}

/// Ends the process if what is given back is not dropped in time.
pub fn watch() -> Sender<()> {
    let (done, waiting) = mpsc::channel();
    thread::spawn(move || {
        if waiting.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            eprintln!("took longer than {LIMIT:?}");
            process::exit(1);
        }
    });
    done
}

pub fn measure(client: impl Client, work: &Work, url: &str, count: usize) -> Sample {
    match work.act {
        Act::Threads { threads } => measure_threads(&client, work, url, threads, count),
        _ => {
            let mut worker = Worker::new(client, work, url);
            worker.repeat(warm_up(count));
            let (before, start) = (cpu_ns(), Instant::now());
            worker.repeat(count);
            Sample::of(start.elapsed(), cpu_ns() - before, count)
        }
    }
}

/// Operations before those that are timed.
fn warm_up(count: usize) -> usize {
    (count / 10).min(100)
}

fn measure_threads<C: Client>(client: &C, work: &Work, url: &str, threads: usize, count: usize) -> Sample {
    let together = &Barrier::new(threads + 1);
    let run = |client: C| {
        let mut worker = Worker::new(client, work, url);
        worker.repeat(warm_up(count));
        together.wait();
        together.wait(); // the CPU time so far has been read
        let start = Instant::now();
        worker.repeat(count);
        let end = Instant::now();
        together.wait();
        together.wait(); // it has been read again: a thread that has ended has no CPU time to read
        (start, end)
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| client.clone()).map(|client| scope.spawn(|| run(client))).collect();
        together.wait();
        let before = cpu_ns();
        together.wait();
        together.wait();
        let cpu = cpu_ns() - before;
        together.wait();
        let spans = running.into_iter().map(|thread| thread.join().expect("its operations"));
        Sample::of(whole(spans), cpu, threads * count)
    })
}

/// From the first start to the last end.
pub fn whole(spans: impl Iterator<Item = (Instant, Instant)>) -> Duration {
    let whole = spans.reduce(|whole, span| (whole.0.min(span.0), whole.1.max(span.1)));
    whole.map(|(start, end)| end - start).unwrap_or_default()
}

impl Sample {
    fn of(wall: Duration, cpu: u64, operations: usize) -> Sample {
        let each = |total: f64| total / operations as f64;
        Sample { wall: each(wall.as_nanos() as f64), cpu: each(cpu as f64) }
    }
}

/// A client at work, the URLs that it asks for in turn, and the buffers that belong to its caller.
struct Worker<'w, C: Client> {
    client: C,
    work: &'w Work,
    texts: Vec<String>,
    urls: Vec<C::Url>,
    turn: usize,
    buffer: Vec<u8>,
    body: Vec<u8>,
}

impl<'w, C: Client> Worker<'w, C> {
    fn new(client: C, work: &'w Work, url: &str) -> Self {
        let (buffer, body) = match work.act {
            Act::Get { buffer } | Act::GetParsed { buffer } => (buffer, 0),
            Act::Threads { .. } => (8192, 0),
            Act::Post { bytes } => (0, bytes),
            Act::Collect { .. } => (0, 0),
        };
        let texts = work.urls(url);
        let urls = texts.iter().map(|text| text.parse().expect("a URL")).collect();
        Worker { client, work, texts, urls, turn: 0, buffer: vec![0; buffer], body: vec![b'x'; body] }
    }

    fn repeat(&mut self, count: usize) {
        for _ in 0..count {
            self.turn = (self.turn + 1) % self.texts.len();
            let Worker { client, work, buffer, body, .. } = self;
            let text = &self.texts[self.turn];
            let bytes = match work.act {
                Act::Get { .. } | Act::Threads { .. } => client.get(text, buffer),
                Act::GetParsed { .. } => client.get_parsed(&self.urls[self.turn], buffer),
                Act::Collect { deadline } => client.collect(text, deadline).len(),
                Act::Post { .. } => number(&client.post(text, body)),
            };
            assert_eq!(bytes, work.bytes);
        }
    }
}

/// The server answers a POST with how many bytes came.
fn number(answer: &[u8]) -> usize {
    std::str::from_utf8(answer).ok().and_then(|digits| digits.parse().ok()).expect("a number")
}

/// CPU time of all live threads of this process; 0 where the system does not report it.
fn cpu_ns() -> u64 {
    thread::yield_now(); // the system brings its account up to date
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let times = tasks.filter_map(|task| {
        let told = fs::read_to_string(task.path().join("schedstat")).ok()?;
        told.split(' ').next()?.parse::<u64>().ok()
    });
    times.sum()
}
