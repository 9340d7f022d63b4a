//! The limit: the loop over a bare socket, with serde_json in its plainest use, and forms written by hand.

use std::io;
use std::net::TcpStream;

use longwire_benches::client::Client;
use longwire_benches::client::raw::Raw;

use crate::calls::{Api, FILE, List, TITLE};

const BOUNDARY: &str = "7f1c2d3e4b5a69787f1c2d3e4b5a6978";

type Open = fn(TcpStream) -> io::Result<TcpStream>;

#[derive(Clone)]
pub struct Bare(Raw<Open, TcpStream>);

impl Bare {
    pub fn new(url: &str) -> Bare {
        Bare(Raw::new(url, Ok))
    }
}

impl Api for Bare {
    fn list(&mut self, url: &str) -> List {
        serde_json::from_slice(&self.0.collect(url, None)).expect("a list")
    }

    fn send(&mut self, url: &str, list: &List) -> Vec<u8> {
        self.0.post(url, &serde_json::to_vec(list).expect("JSON"))
    }

    fn upload(&mut self, url: &str, file: &[u8]) -> Vec<u8> {
        let ((title, text), (name, file_name)) = (TITLE, FILE);
        let before = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{title}\"\r\n\r\n{text}\r\n\
             --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file_name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let after = format!("\r\n--{BOUNDARY}--\r\n");
        self.0.post(url, &[before.as_bytes(), file, after.as_bytes()].concat())
    }
}
