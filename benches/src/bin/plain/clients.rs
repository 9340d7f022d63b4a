//! The clients of this bench.

use std::time::Duration;

use longwire_benches::client::{Client, Longwire, Reqwest, Ureq, drain};
use longwire_benches::raw::Raw;
use longwire_benches::sample::{Sample, measure};
use longwire_benches::work::{Act, Work};

use crate::works;

/// In the order of the table; the first is what all are compared with.
pub const NAMES: [&str; 6] = ["raw", "longwire", "ureq", "minreq", "attohttpc", "reqwest"];

/// Whether the client can do the work at all: two take the text of a URL only, and few have a
/// buffer whose size can be set.
pub fn can(client: &str, work: &Work) -> bool {
    let takes_parsed = !matches!(client, "minreq" | "attohttpc");
    let has_buffer_size = matches!(client, "raw" | "longwire" | "ureq");
    let has_probe_after = matches!(client, "raw" | "longwire");
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
        "raw" => measure(Raw::new(url, Ok), work, count),
        "longwire" => measure(Longwire::new(longwire_client(work), url), work, count),
        "ureq" => measure(Ureq::new(ureq_agent(work), url), work, count),
        "minreq" => measure(Minreq::new(url), work, count),
        "attohttpc" => measure(Attohttpc::new(url), work, count),
        "reqwest" => measure(Reqwest::new(url), work, count),
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

/// A client and where it asks.
#[derive(Clone)]
struct Peer<C> {
    client: C,
    text: String,
}

type Minreq = Peer<()>; // has no client and keeps no connection
type Attohttpc = Peer<attohttpc::Session>; // keeps no connection

impl Minreq {
    fn new(url: &str) -> Self {
        Peer { client: (), text: url.to_owned() }
    }
}

impl Client for Minreq {
    fn get(&mut self, buffer: &mut [u8]) -> usize {
        drain(minreq::get(&self.text).send_lazy().expect("an answer"), buffer)
    }

    fn collect(&mut self, deadline: Option<Duration>) -> Vec<u8> {
        let mut request = minreq::get(&self.text);
        if let Some(deadline) = deadline {
            request = request.with_timeout(deadline.as_secs());
        }
        request.send().expect("a body").into_bytes()
    }

    fn post(&mut self, body: &[u8]) -> Vec<u8> {
        minreq::post(&self.text).with_body(body).send().expect("an answer").into_bytes()
    }
}

impl Attohttpc {
    fn new(url: &str) -> Self {
        Peer { client: attohttpc::Session::new(), text: url.to_owned() }
    }
}

impl Client for Attohttpc {
    fn get(&mut self, buffer: &mut [u8]) -> usize {
        drain(self.client.get(&self.text).send().expect("an answer"), buffer)
    }

    fn collect(&mut self, deadline: Option<Duration>) -> Vec<u8> {
        let mut request = self.client.get(&self.text);
        if let Some(deadline) = deadline {
            request = request.timeout(deadline);
        }
        request.send().and_then(|response| response.bytes()).expect("a body")
    }

    fn post(&mut self, body: &[u8]) -> Vec<u8> {
        self.client.post(&self.text).bytes(body).send().and_then(|response| response.bytes()).expect("an answer")
    }
}
