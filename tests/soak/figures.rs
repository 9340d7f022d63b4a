//! What the client's side counts: what came of the requests, what the process holds (Linux tells
//! it in /proc), and whether memory stays flat.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// How long the process may take to be as it was.
const SETTLE_LIMIT: Duration = Duration::from_secs(15);

/// What came of some requests.
#[derive(Default)]
pub(crate) struct Figures {
    /// Answers taken whole.
    pub(crate) complete: u64,
    /// Bodies dropped, as planned.
    pub(crate) dropped: u64,
    /// Errors by kind and stage.
    pub(crate) errors: BTreeMap<String, u64>,
    /// How far behind its deadline a request came back at most.
    pub(crate) overrun_max: Duration,
    /// What should not have been.
    pub(crate) violations: Vec<String>,
}

impl Figures {
    pub(crate) fn add(&mut self, other: Figures) {
        self.complete += other.complete;
        self.dropped += other.dropped;
        for (error, count) in other.errors {
            *self.errors.entry(error).or_default() += count;
        }
        self.overrun_max = self.overrun_max.max(other.overrun_max);
        self.violations.extend(other.violations);
    }

    pub(crate) fn requests(&self) -> u64 {
        self.complete + self.dropped + self.errors.values().sum::<u64>()
    }
}

/// What the process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holdings {
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
}

impl Holdings {
    pub(crate) fn count() -> Holdings {
        let entries = |dir: &str| fs::read_dir(dir).expect("Linux's /proc").count();
        Holdings { descriptors: entries("/proc/self/fd"), threads: entries("/proc/self/task") }
    }

    /// Waits until no more is held than this, but not for ever; gives what is held then.
    pub(crate) fn wait_until_back(self) -> Holdings {
        let end = Instant::now() + SETTLE_LIMIT;
        loop {
            let now = Holdings::count();
            let is_back = now.descriptors <= self.descriptors && now.threads <= self.threads;
            if is_back || Instant::now() > end {
                return now;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A line of /proc/self/status that counts kB.
pub(crate) fn status_kib(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux's /proc");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    kib.expect("a line in kB")
}

/// Sockets of this machine in TIME_WAIT.
pub(crate) fn time_waits() -> u64 {
    let stat = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let mut words = stat.split_whitespace().skip_while(|word| *word != "tw").skip(1);
    words.next().and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// The resident set over the time after the warm-up, in two halves.
#[derive(Default)]
pub(crate) struct Memory {
    halves: [Vec<u64>; 2],
}

impl Memory {
    /// Checks it when so many of all requests have been begun.
    pub(crate) fn look(&mut self, begun: u64, requests: u64) {
        match begun * 3 / requests {
            0 => {}
            1 => self.halves[0].push(status_kib("VmRSS")),
            _ => self.halves[1].push(status_kib("VmRSS")),
        }
    }

    /// The median of each half, in KiB.
    pub(crate) fn medians(&mut self) -> [u64; 2] {
        self.halves.each_mut().map(|half| {
            half.sort_unstable();
            half.get(half.len() / 2).copied().expect("measured in each third")
        })
    }
}
