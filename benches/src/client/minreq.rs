use std::time::Duration;

use super::{Client, drain};

/// Has no client, keeps no connection, and takes the text of a URL only.
#[derive(Clone)]
pub struct Minreq;

impl Client for Minreq {
    type Url = String;

    fn get(&mut self, url: &str, buffer: &mut [u8]) -> usize {
        drain(minreq::get(url).send_lazy().expect("an answer"), buffer)
    }

    fn collect(&mut self, url: &str, deadline: Option<Duration>) -> Vec<u8> {
        let mut request = minreq::get(url);
        if let Some(deadline) = deadline {
            request = request.with_timeout(deadline.as_secs());
        }
        request.send().expect("a body").into_bytes()
    }

    fn post(&mut self, url: &str, body: &[u8]) -> Vec<u8> {
        minreq::post(url).with_body(body).send().expect("an answer").into_bytes()
    }
}
