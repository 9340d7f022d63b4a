//! All samples of a run, what is made of them, and the tables.

use std::fmt::Write;

use crate::sample::Sample;
use crate::work::Work;

/// The client that all are compared with.
const BARE: usize = 0;

pub struct Results {
    pub clients: &'static [&'static str],
    pub works: Vec<&'static Work>,
    /// By work, client and round.
    samples: Vec<Vec<Vec<Option<Sample>>>>,
}

/// Over the rounds, of the ratio to the bare loop in the same round.
pub struct Ratio {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Results {
    pub fn new(clients: &'static [&'static str], works: &[&'static Work], rounds: usize) -> Results {
        let samples = vec![vec![vec![None; rounds]; clients.len()]; works.len()];
        Results { clients, works: works.to_vec(), samples }
    }

    pub fn record(&mut self, work: usize, client: usize, round: usize, sample: Option<Sample>) {
        self.samples[work][client][round] = sample;
    }

    /// `None` if the client cannot do this work, or has failed in a round.
    pub fn wall(&self, work: usize, client: usize) -> Option<Ratio> {
        self.ratio(work, client, |sample| sample.wall)
    }

    fn ratio(&self, work: usize, client: usize, what: fn(&Sample) -> f64) -> Option<Ratio> {
        let rounds = self.samples[work][client].iter().zip(&self.samples[work][BARE]);
        let ratios = rounds.map(|(sample, bare)| Some(what(sample.as_ref()?) / what(bare.as_ref()?)));
        let mut ratios: Vec<f64> = ratios.collect::<Option<_>>()?;
        ratios.sort_by(f64::total_cmp);
        Some(Ratio { median: median(&ratios), least: ratios[0], most: ratios[ratios.len() - 1] })
    }

    /// Microseconds per operation of the bare loop: what the ratios are ratios of.
    fn bare_us(&self, work: usize, what: fn(&Sample) -> f64) -> Option<f64> {
        let mut times: Vec<f64> = self.samples[work][BARE].iter().flatten().map(|sample| what(sample) / 1e3).collect();
        times.sort_by(f64::total_cmp);
        (!times.is_empty()).then(|| median(&times))
    }

    pub fn tables(&self) -> String {
        let bare = self.clients[BARE];
        let mut text =
            format!("Wall-clock time relative to `{bare}` in the same round: median (minimum to maximum).\n\n");
        self.table(&mut text, |sample| sample.wall);
        text.push_str("\nCPU time of the client's process alone, in the same way.\n\n");
        self.table(&mut text, |sample| sample.cpu);
        text
    }

    /// A table of the least wall-clock times over the rounds, in milliseconds per operation, with their ratios
    /// to that of the bare loop.
    pub fn least(&self) -> String {
        let mut text = format!("| work | {} |\n|---|{}\n", self.clients.join(" | "), "--:|".repeat(self.clients.len()));
        for (row, work) in self.works.iter().enumerate() {
            let least = |client: usize| {
                let times = self.samples[row][client].iter().flatten().map(|sample| sample.wall / 1e6);
                times.fold(f64::INFINITY, f64::min)
            };
            let _ = write!(text, "| {} | {:.1} |", work.title, least(BARE));
            for client in BARE + 1..self.clients.len() {
                let _ = write!(text, " {:.1} ({:.2}) |", least(client), least(client) / least(BARE));
            }
            text.push('\n');
        }
        text
    }

    /// A table of what this makes of each sample's time, higher for less: the median over the rounds.
    pub fn rates(&self, rate: impl Fn(&Work, &Sample) -> f64) -> String {
        let mut text = format!("| work | {} |\n|---|{}\n", self.clients.join(" | "), "--:|".repeat(self.clients.len()));
        for (row, work) in self.works.iter().enumerate() {
            let _ = write!(text, "| {} |", work.title);
            for samples in &self.samples[row] {
                let rates: Option<Vec<f64>> = samples.iter().map(|sample| Some(rate(work, sample.as_ref()?))).collect();
                let _ = match rates {
                    Some(mut rates) => {
                        rates.sort_by(f64::total_cmp);
                        write!(text, " {:.0} |", median(&rates))
                    }
                    None => write!(text, " n/a |"),
                };
            }
            text.push('\n');
        }
        text
    }

    fn table(&self, text: &mut String, what: fn(&Sample) -> f64) {
        let _ = writeln!(text, "| work | {}, µs | {} |", self.clients[BARE], self.clients[BARE + 1..].join(" | "));
        let _ = writeln!(text, "|---|{}", "--:|".repeat(self.clients.len()));
        for (row, work) in self.works.iter().enumerate() {
            let bare = self.bare_us(row, what).map_or("failed".to_owned(), |us| format!("{us:.1}"));
            let _ = write!(text, "| {} | {bare} |", work.title);
            for client in BARE + 1..self.clients.len() {
                let _ = match self.ratio(row, client, what) {
                    Some(Ratio { median, least, most }) => write!(text, " {median:.2} ({least:.2}-{most:.2}) |"),
                    None => write!(text, " n/a |"),
                };
            }
            text.push('\n');
        }
    }
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}
