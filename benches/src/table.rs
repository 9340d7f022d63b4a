//! All samples of a run, what is made of them, and the tables.

use std::fmt::{self, Display, Formatter, Write};

use crate::sample::Sample;
use crate::work::Work;

/// The client that all are compared with.
const BARE: usize = 0;

pub struct Results {
    pub clients: Vec<&'static str>,
    pub works: Vec<&'static Work>,
    /// By work, client and round.
    samples: Vec<Vec<Vec<Option<Sample>>>>,
}

/// Of figures over the rounds.
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Spread {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        let median =
            if figures.len() % 2 == 1 { figures[middle] } else { (figures[middle - 1] + figures[middle]) / 2.0 };
        Spread { median, least: figures[0], most: figures[figures.len() - 1] }
    }
}

/// Median (minimum to maximum), with as many decimals as are asked for.
impl Display for Spread {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let (Spread { median, least, most }, decimals) = (self, to.precision().unwrap_or(2));
        write!(to, "{median:.decimals$} ({least:.decimals$}-{most:.decimals$})")
    }
}

impl Results {
    pub fn new(clients: &[&'static str], works: &[&'static Work], rounds: usize) -> Results {
        let samples = vec![vec![vec![None; rounds]; clients.len()]; works.len()];
        Results { clients: clients.to_vec(), works: works.to_vec(), samples }
    }

    pub fn record(&mut self, work: usize, client: usize, round: usize, sample: Option<Sample>) {
        self.samples[work][client][round] = sample;
    }

    /// `None` if the client cannot do this work, or has failed in a round.
    pub fn wall(&self, work: usize, client: usize) -> Option<Spread> {
        self.ratio(work, client, BARE, |sample| sample.wall)
    }

    fn ratio(&self, work: usize, client: usize, to: usize, what: fn(&Sample) -> f64) -> Option<Spread> {
        let rounds = self.samples[work][client].iter().zip(&self.samples[work][to]);
        let ratios = rounds.map(|(sample, bare)| Some(what(sample.as_ref()?) / what(bare.as_ref()?)));
        ratios.collect::<Option<Vec<_>>>().map(Spread::of)
    }

    /// Median of the microseconds per operation: what ratios to this client are ratios of.
    fn us(&self, work: usize, client: usize, what: fn(&Sample) -> f64) -> Option<f64> {
        let times: Vec<f64> = self.samples[work][client].iter().flatten().map(|sample| what(sample) / 1e3).collect();
        (!times.is_empty()).then(|| Spread::of(times).median)
    }

    /// Tables of all works relative to the bare loop.
    pub fn tables(&self) -> String {
        format!("{}\n{}", self.wall_table(self.clients[BARE], |_| true), self.cpu_table())
    }

    /// A table of those works relative to that client, for all that stand behind it.
    pub fn wall_table(&self, to: &str, belongs: impl Fn(&Work) -> bool) -> String {
        let head = format!("Wall-clock time relative to `{to}` in the same round: median (minimum to maximum).\n\n");
        let to = self.clients.iter().position(|client| *client == to).expect("a client of this bench");
        head + &self.table(to, belongs, |sample| sample.wall)
    }

    pub fn cpu_table(&self) -> String {
        let head = "CPU time of the client's process alone, in the same way.\n\n".to_owned();
        head + &self.table(BARE, |_| true, |sample| sample.cpu)
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
                    Some(rates) => write!(text, " {:.0} |", Spread::of(rates).median),
                    None => write!(text, " n/a |"),
                };
            }
            text.push('\n');
        }
        text
    }

    fn table(&self, to: usize, belongs: impl Fn(&Work) -> bool, what: fn(&Sample) -> f64) -> String {
        let others = to + 1..self.clients.len();
        let mut text = format!("| work | {}, µs | {} |\n", self.clients[to], self.clients[others.clone()].join(" | "));
        let _ = writeln!(text, "|---|--:|{}", "--:|".repeat(others.len()));
        for (row, work) in self.works.iter().enumerate().filter(|(_, work)| belongs(work)) {
            let us = self.us(row, to, what).map_or("failed".to_owned(), |us| format!("{us:.1}"));
            let _ = write!(text, "| {} | {us} |", work.title);
            for client in others.clone() {
                let _ = match self.ratio(row, client, to, what) {
                    Some(ratio) => write!(text, " {ratio:.2} |"),
                    None => write!(text, " n/a |"),
                };
            }
            text.push('\n');
        }
        text
    }
}
