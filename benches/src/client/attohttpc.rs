use std::time::Duration;

use super::{Client, drain};

/// Keeps no connection, and takes the text of a URL only.
#[derive(Clone, Default)]
pub struct Attohttpc(attohttpc::Session);

impl Client for Attohttpc {
    type Url = String;

    fn get(&mut self, url: &str, buffer: &mut [u8]) -> usize {
        drain(self.0.get(url).send().expect("an answer"), buffer)
    }

    fn collect(&mut self, url: &str, deadline: Option<Duration>) -> Vec<u8> {
        let mut request = self.0.get(url);
        if let Some(deadline) = deadline {
            request = request.timeout(deadline);
        }
        request.send().and_then(|response| response.bytes()).expect("a body")
    }

    fn post(&mut self, url: &str, body: &[u8]) -> Vec<u8> {
        self.0.post(url).bytes(body).send().and_then(|response| response.bytes()).expect("an answer")
    }
}
