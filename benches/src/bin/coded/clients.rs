//! The clients of this bench.

use longwire_benches::client::{Longwire, Reqwest, Ureq};
use longwire_benches::sample::{Sample, measure};
use longwire_benches::work::Work;

use crate::bare::Bare;
use crate::works::ZSTD;

/// In the order of the table; the first is what all are compared with.
pub const NAMES: [&str; 4] = ["bare", "longwire", "ureq", "reqwest"];

/// ureq has no zstd.
pub fn can(client: &str, work: &Work) -> bool {
    !(client == "ureq" && work.name == ZSTD)
}

pub fn sample(client: &str, work: &Work, url: &str, share: usize) -> Sample {
    let count = (work.count / share).max(1);
    match client {
        "bare" => measure(Bare::new(url), work, count),
        "longwire" => measure(Longwire::new(longwire::Client::new(), url), work, count),
        "ureq" => measure(Ureq::new(ureq::Agent::new_with_defaults(), url), work, count),
        "reqwest" => measure(Reqwest::new(url), work, count),
        _ => panic!("no client {client}"),
    }
}
