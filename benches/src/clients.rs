//! Each client, and the shortest way to do a work with it. Where two ways are documented, the one
//! that costs less is taken.

use std::io::Read;
use std::time::Duration;

use crate::works::{Act, Work};

/// A clone is for another thread, and has the same pool where there is one.
pub trait Client: Clone + Send + 'static {
    fn new(url: &str) -> Self;

    /// GET, the body read to its end through the buffer. Gives its length, as all of these.
    fn get(&mut self, buffer: &mut [u8]) -> usize;

    /// The same without parsing the URL again.
    fn get_parsed(&mut self, buffer: &mut [u8]) -> usize {
        self.get(buffer)
    }

    fn collect(&mut self, deadline: Option<Duration>) -> Vec<u8>;

    /// Gives the answer's body.
    fn post(&mut self, body: &[u8]) -> Vec<u8>;
}

/// In the order of the table; the first is what all are compared with.
pub const NAMES: [&str; 6] = ["raw", "longwire", "ureq", "minreq", "attohttpc", "reqwest"];

/// Whether the client can do the work at all: these two take the text of a URL only.
pub fn can(client: &str, work: &Work) -> bool {
    !(matches!(work.act, Act::GetParsed { .. }) && matches!(client, "minreq" | "attohttpc"))
}

/// How many operations one sample has: fewer where one takes much longer, and where each leaves a
/// closed connection behind, of which a system can have so many at a time.
pub fn count(client: &str, work: &Work) -> usize {
    let share = match (client, work.name) {
        ("minreq" | "attohttpc", _) if work.count >= 1000 => 4,
        ("reqwest", "chunks-64" | "events") => 4, // a wake-up for each chunk
        _ => 1,
    };
    (work.count / share).max(1)
}

fn drain(mut body: impl Read, buffer: &mut [u8]) -> usize {
    let mut total = 0;
    loop {
        match body.read(buffer).expect("a whole body") {
            0 => return total,
            count => total += count,
        }
    }
}

/// A client and where it asks: the text of the URL, and its own kind of parsed one.
#[derive(Clone)]
pub struct Peer<C, U> {
    client: C,
    text: String,
    url: U,
}

pub type Longwire = Peer<longwire::Client, longwire::Url>;
pub type Ureq = Peer<ureq::Agent, ureq::http::Uri>;
pub type Minreq = Peer<(), ()>; // has no client and keeps no connection
pub type Attohttpc = Peer<attohttpc::Session, ()>; // keeps no connection
pub type Reqwest = Peer<reqwest::blocking::Client, reqwest::Url>;

impl Client for Longwire {
    fn new(url: &str) -> Self {
        Peer { client: longwire::Client::new(), text: url.to_owned(), url: url.parse().expect("a URL") }
    }

    fn get(&mut self, buffer: &mut [u8]) -> usize {
        drain(self.client.get(&self.text).send().expect("an answer"), buffer)
    }

    fn get_parsed(&mut self, buffer: &mut [u8]) -> usize {
        drain(self.client.get(&self.url).send().expect("an answer"), buffer)
    }

    fn collect(&mut self, deadline: Option<Duration>) -> Vec<u8> {
        self.client.get(&self.text).timeout(deadline).send().and_then(|response| response.bytes()).expect("a body")
    }

    fn post(&mut self, body: &[u8]) -> Vec<u8> {
        self.client.post(&self.text).body(body).send().and_then(|response| response.bytes()).expect("an answer")
    }
}

impl Client for Ureq {
    fn new(url: &str) -> Self {
        // By default it keeps three connections per host, too few for eight threads.
        let config = ureq::Agent::config_builder().max_idle_connections_per_host(8);
        Peer { client: config.build().into(), text: url.to_owned(), url: url.parse().expect("a URL") }
    }

    fn get(&mut self, buffer: &mut [u8]) -> usize {
        let mut response = self.client.get(&self.text).call().expect("an answer");
        drain(response.body_mut().as_reader(), buffer)
    }

    fn get_parsed(&mut self, buffer: &mut [u8]) -> usize {
        let mut response = self.client.get(&self.url).call().expect("an answer");
        drain(response.body_mut().as_reader(), buffer)
    }

    fn collect(&mut self, deadline: Option<Duration>) -> Vec<u8> {
        let request = self.client.get(&self.text).config().timeout_global(deadline).build();
        let mut response = request.call().expect("an answer");
        response.body_mut().with_config().limit(u64::MAX).read_to_vec().expect("a body")
    }

    fn post(&mut self, body: &[u8]) -> Vec<u8> {
        let mut response = self.client.post(&self.text).send(body).expect("an answer");
        response.body_mut().read_to_vec().expect("a body")
    }
}

impl Client for Minreq {
    fn new(url: &str) -> Self {
        Peer { client: (), text: url.to_owned(), url: () }
    }

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

impl Client for Attohttpc {
    fn new(url: &str) -> Self {
        Peer { client: attohttpc::Session::new(), text: url.to_owned(), url: () }
    }

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

impl Client for Reqwest {
    fn new(url: &str) -> Self {
        let client = reqwest::blocking::Client::builder().timeout(None).build().expect("a client");
        Peer { client, text: url.to_owned(), url: url.parse().expect("a URL") }
    }

    fn get(&mut self, buffer: &mut [u8]) -> usize {
        drain(self.client.get(&self.text).send().expect("an answer"), buffer)
    }

    fn get_parsed(&mut self, buffer: &mut [u8]) -> usize {
        drain(self.client.get(self.url.clone()).send().expect("an answer"), buffer)
    }

    fn collect(&mut self, deadline: Option<Duration>) -> Vec<u8> {
        let mut request = self.client.get(&self.text);
        if let Some(deadline) = deadline {
            request = request.timeout(deadline);
        }
        request.send().and_then(|response| response.bytes()).expect("a body").into()
    }

    fn post(&mut self, body: &[u8]) -> Vec<u8> {
        // A body must own its bytes here: the copy is part of the price.
        let response = self.client.post(&self.text).body(body.to_vec()).send();
        response.and_then(|response| response.bytes()).expect("an answer").into()
    }
}
