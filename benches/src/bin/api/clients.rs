//! The clients of this bench.

use longwire::multipart::{Form, Part};
use longwire_benches::client::longwire::Longwire;
use longwire_benches::client::reqwest::Reqwest;
use longwire_benches::client::ureq::Ureq;
use longwire_benches::sample::{Sample, measure};
use longwire_benches::work::Work;
use reqwest::blocking::multipart as reqwest_multipart;
use ureq::unversioned::multipart as ureq_multipart;

use crate::bare::Bare;
use crate::calls::{Api, FILE, List, Lists, TITLE, Uploads};
use crate::works;

/// In the order of the table; the first is what all are compared with.
pub const NAMES: [&str; 4] = ["bare", "longwire", "ureq", "reqwest"];

pub fn sample(client: &str, work: &Work, url: &str, share: usize) -> Sample {
    let count = (work.count / share).max(1);
    match client {
        "bare" => measure_api(Bare::new(url), work, url, count),
        "longwire" => measure_api(Longwire(longwire::Client::new()), work, url, count),
        "ureq" => measure_api(Ureq(ureq::Agent::new_with_defaults()), work, url, count),
        "reqwest" => measure_api(Reqwest::default(), work, url, count),
        _ => panic!("no client {client}"),
    }
}

fn measure_api(api: impl Api, work: &Work, url: &str, count: usize) -> Sample {
    if works::is_upload(work) {
        measure(Uploads(api), work, url, count)
    } else {
        measure(Lists::new(api), work, url, count)
    }
}

impl Api for Longwire {
    fn list(&mut self, url: &str) -> List {
        self.0.get(url).send().and_then(|response| response.json()).expect("a list")
    }

    fn send(&mut self, url: &str, list: &List) -> Vec<u8> {
        self.0.post(url).json(list).send().and_then(|response| response.bytes()).expect("an answer")
    }

    fn upload(&mut self, url: &str, file: &[u8]) -> Vec<u8> {
        let file = Part::bytes(file).file_name(FILE.1);
        let form = Form::new().text(TITLE.0, TITLE.1).part(FILE.0, file);
        self.0.post(url).multipart(form).send().and_then(|response| response.bytes()).expect("an answer")
    }
}

impl Api for Ureq {
    fn list(&mut self, url: &str) -> List {
        self.0.get(url).call().and_then(|mut response| response.body_mut().read_json()).expect("a list")
    }

    fn send(&mut self, url: &str, list: &List) -> Vec<u8> {
        self.0.post(url).send_json(list).and_then(|mut response| response.body_mut().read_to_vec()).expect("an answer")
    }

    fn upload(&mut self, url: &str, file: &[u8]) -> Vec<u8> {
        let file = ureq_multipart::Part::bytes(file).file_name(FILE.1);
        let form = ureq_multipart::Form::new().text(TITLE.0, TITLE.1).part(FILE.0, file);
        self.0.post(url).send(form).and_then(|mut response| response.body_mut().read_to_vec()).expect("an answer")
    }
}

impl Api for Reqwest {
    fn list(&mut self, url: &str) -> List {
        self.0.get(url).send().and_then(|response| response.json()).expect("a list")
    }

    fn send(&mut self, url: &str, list: &List) -> Vec<u8> {
        let response = self.0.post(url).json(list).send();
        response.and_then(|response| response.bytes()).expect("an answer").into()
    }

    fn upload(&mut self, url: &str, file: &[u8]) -> Vec<u8> {
        // A part must own its bytes here: the copy is part of the price.
        let file = reqwest_multipart::Part::bytes(file.to_vec()).file_name(FILE.1);
        let form = reqwest_multipart::Form::new().text(TITLE.0, TITLE.1).part(FILE.0, file);
        let response = self.0.post(url).multipart(form).send();
        response.and_then(|response| response.bytes()).expect("an answer").into()
    }
}
