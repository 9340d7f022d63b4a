//! What a client must be able to do, and those that are in more than one bench. The shortest way to do a
//! work is taken; where two ways are documented, the one that costs less.

use std::io::Read;
use std::time::Duration;

/// A clone is for another thread, and has the same pool where there is one.
pub trait Client: Clone + Send + 'static {
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

pub fn drain(mut body: impl Read, buffer: &mut [u8]) -> usize {
    let mut total = 0;
    loop {
        match body.read(buffer).expect("a whole body") {
            0 => return total,
            count => total += count,
        }
    }
}

#[derive(Clone)]
pub struct Longwire {
    client: longwire::Client,
    text: String,
    url: longwire::Url,
}

impl Longwire {
    pub fn new(client: longwire::Client, url: &str) -> Self {
        Longwire { client, text: url.to_owned(), url: url.parse().expect("a URL") }
    }
}

impl Client for Longwire {
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

#[derive(Clone)]
pub struct Ureq {
    client: ureq::Agent,
    text: String,
    url: ureq::http::Uri,
}

impl Ureq {
    pub fn new(client: ureq::Agent, url: &str) -> Self {
        Ureq { client, text: url.to_owned(), url: url.parse().expect("a URL") }
    }
}

impl Client for Ureq {
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

#[derive(Clone)]
pub struct Reqwest {
    client: reqwest::blocking::Client,
    text: String,
    url: reqwest::Url,
}

impl Reqwest {
    pub fn new(url: &str) -> Self {
        let client = reqwest::blocking::Client::builder().timeout(None).build().expect("a client");
        Reqwest { client, text: url.to_owned(), url: url.parse().expect("a URL") }
    }
}

impl Client for Reqwest {
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
