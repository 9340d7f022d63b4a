//! The clients of this bench.

use longwire_benches::client::attohttpc::Attohttpc;
use longwire_benches::client::curl::Curl;
use longwire_benches::client::longwire::Longwire;
use longwire_benches::client::minreq::Minreq;
use longwire_benches::client::raw::Raw;
use longwire_benches::client::rawhttparse::RawHttparse;
use longwire_benches::client::reqwest::Reqwest;
use longwire_benches::client::ureq::Ureq;
use longwire_benches::sample::{Sample, measure};
use longwire_benches::work::{Act, Work};

use crate::{go, works};

pub const SOUND: &str = "rawhttparse";

/// In the order of the table; the first is what all are compared with.
pub fn names() -> Vec<&'static str> {
    let mut names = vec!["raw", SOUND, "longwire", "ureq", "minreq", "attohttpc", "reqwest", "curl"];
    names.extend(go::build().is_ok().then_some("go"));
    names
}

/// Whether the client can do the work at all: some take the text of a URL only, and few have a
/// buffer whose size can be set.
pub fn can(client: &str, work: &Work) -> bool {
    let takes_parsed = !matches!(client, "minreq" | "attohttpc" | "curl");
    let has_buffer_size = matches!(client, "raw" | "longwire" | "ureq" | "go");
    let has_probe_after = matches!(client, "raw" | SOUND | "longwire");
    (takes_parsed || !matches!(work.act, Act::GetParsed { .. }))
        && (has_buffer_size || works::buffer_size(work).is_none())
        && (has_probe_after || works::probe_after(work).is_none())
}

/// How many operations one sample has: fewer where one takes much longer, and where each leaves a
/// closed connection behind, of which a system can have so many at a time.
fn count(client: &str, work: &Work) -> usize {
    let share = match (client, work.name) {
        ("minreq" | "attohttpc", _) if work.count >= 1000 => 4,
        ("reqwest", "chunks-64" | "events") => 4, // a wake-up for each chunk
        _ => 1,
    };
    (work.count / share).max(1)
}

pub fn sample(client: &str, work: &Work, url: &str, share: usize) -> Sample {
    let count = (count(client, work) / share).max(1);
    match client {
        "raw" => measure(Raw::new(url, Ok), work, url, count),
        SOUND => measure(RawHttparse::default(), work, url, count),
        "longwire" => measure(Longwire(longwire_client(work)), work, url, count),
        "ureq" => measure(Ureq(ureq_agent(work)), work, url, count),
        "minreq" => measure(Minreq, work, url, count),
        "attohttpc" => measure(Attohttpc::default(), work, url, count),
        "reqwest" => measure(Reqwest::default(), work, url, count),
        "curl" => measure(Curl::new(None), work, url, count),
        "go" => go::sample(work, url, count),
        _ => panic!("no client {client}"),
    }
}

fn longwire_client(work: &Work) -> longwire::Client {
    let mut builder = longwire::Client::builder();
    if let Some(bytes) = works::buffer_size(work) {
        builder = builder.buffer_size(bytes);
    }
    if let Some(idle) = works::probe_after(work) {
        builder = builder.probe_after(idle);
    }
    builder.build()
}

fn ureq_agent(work: &Work) -> ureq::Agent {
    // By default it keeps three connections per host, too few for eight threads.
    let builder = ureq::Agent::config_builder().max_idle_connections_per_host(8);
    match works::buffer_size(work) {
        Some(bytes) => builder.input_buffer_size(bytes).build().into(),
        None => builder.build().into(),
    }
}
