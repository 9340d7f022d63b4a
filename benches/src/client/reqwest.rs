use std::time::Duration;

use reqwest::Url;

use super::{Client, drain};

#[derive(Clone)]
pub struct Reqwest(pub reqwest::blocking::Client);

impl Reqwest {
    pub fn new() -> Reqwest {
        Reqwest(reqwest::blocking::Client::builder().timeout(None).build().expect("a client"))
    }
}

impl Default for Reqwest {
    fn default() -> Reqwest {
        Reqwest::new()
    }
}

impl Client for Reqwest {
    type Url = Url;

    fn get(&mut self, url: &str, buffer: &mut [u8]) -> usize {
        drain(self.0.get(url).send().expect("an answer"), buffer)
    }

    fn get_parsed(&mut self, url: &Url, buffer: &mut [u8]) -> usize {
        drain(self.0.get(url.clone()).send().expect("an answer"), buffer)
    }

    fn collect(&mut self, url: &str, deadline: Option<Duration>) -> Vec<u8> {
        let mut request = self.0.get(url);
        if let Some(deadline) = deadline {
            request = request.timeout(deadline);
        }
        request.send().and_then(|response| response.bytes()).expect("a body").into()
    }

    fn post(&mut self, url: &str, body: &[u8]) -> Vec<u8> {
        // A body must own its bytes here: the copy is part of the price.
        let response = self.0.post(url).body(body.to_vec()).send();
        response.and_then(|response| response.bytes()).expect("an answer").into()
    }
}
