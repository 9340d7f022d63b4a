//! The clients of this bench.

use longwire_benches::client::longwire::Longwire;
use longwire_benches::client::reqwest::Reqwest;
use longwire_benches::client::ureq::Ureq;
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
        "bare" => measure(Bare::new(url), work, url, count),
        "longwire" => measure(Longwire(longwire::Client::new()), work, url, count),
        "ureq" => measure(Ureq(ureq::Agent::new_with_defaults()), work, url, count),
        "reqwest" => measure(Reqwest::default(), work, url, count),
        _ => panic!("no client {client}"),
    }
}
