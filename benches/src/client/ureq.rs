use std::time::Duration;

use ureq::http::Uri;

use super::{Client, drain};

#[derive(Clone)]
pub struct Ureq(pub ureq::Agent);

impl Client for Ureq {
    type Url = Uri;

    fn get(&mut self, url: &str, buffer: &mut [u8]) -> usize {
        let mut response = self.0.get(url).call().expect("an answer");
        drain(response.body_mut().as_reader(), buffer)
    }

    fn get_parsed(&mut self, url: &Uri, buffer: &mut [u8]) -> usize {
        let mut response = self.0.get(url).call().expect("an answer");
        drain(response.body_mut().as_reader(), buffer)
    }

    fn collect(&mut self, url: &str, deadline: Option<Duration>) -> Vec<u8> {
        let request = self.0.get(url).config().timeout_global(deadline).build();
        let mut response = request.call().expect("an answer");
        response.body_mut().with_config().limit(u64::MAX).read_to_vec().expect("a body")
    }

    fn post(&mut self, url: &str, body: &[u8]) -> Vec<u8> {
        let mut response = self.0.post(url).send(body).expect("an answer");
        response.body_mut().read_to_vec().expect("a body")
    }
}
