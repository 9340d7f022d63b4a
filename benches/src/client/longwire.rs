use std::time::Duration;

use longwire::Url;

use super::{Client, drain};

#[derive(Clone)]
pub struct Longwire(pub longwire::Client);

impl Client for Longwire {
    type Url = Url;

    fn get(&mut self, url: &str, buffer: &mut [u8]) -> usize {
        drain(self.0.get(url).send().expect("an answer"), buffer)
    }

    fn get_parsed(&mut self, url: &Url, buffer: &mut [u8]) -> usize {
        drain(self.0.get(url).send().expect("an answer"), buffer)
    }

    fn collect(&mut self, url: &str, deadline: Option<Duration>) -> Vec<u8> {
        self.0.get(url).timeout(deadline).send().and_then(|response| response.bytes()).expect("a body")
    }

    fn post(&mut self, url: &str, body: &[u8]) -> Vec<u8> {
        self.0.post(url).body(body).send().and_then(|response| response.bytes()).expect("an answer")
    }
}
