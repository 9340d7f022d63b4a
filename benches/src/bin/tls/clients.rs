//! The clients of this bench, all of which believe the server's root and nobody else.

use std::sync::Arc;
use std::time::Duration;

use curl::easy::{Easy2, Handler, WriteError};
use longwire::rustls::crypto::ring;
use longwire_benches::client::{Client, Longwire, Ureq};
use longwire_benches::raw::Raw;
use longwire_benches::sample::{Sample, measure};
use longwire_benches::work::{Act, KIB, Work};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::{identity, stream, works};

pub const NAMES: [&str; 4] = ["rustls", "longwire", "ureq", "curl"];

/// curl takes the text of a URL only.
pub fn can(client: &str, work: &Work) -> bool {
    !(client == "curl" && matches!(work.act, Act::GetParsed { .. }))
}

pub fn sample(client: &str, work: &Work, url: &str, share: usize) -> Sample {
    let count = (work.count / share).max(1);
    let (base, _) = url.split_at(url.len() - work.path.len());
    let (_, port) = base.rsplit_once(':').expect("a port");
    let port = port.parse().expect("a number");
    let tally = format!("{base}/tally");
    handshakes(&tally, port); // from here on
    let sample = match client {
        "rustls" => measure(bare(url, port), work, count),
        "longwire" => measure(Longwire::new(longwire_client(port), url), work, count),
        "ureq" => measure(Ureq::new(ureq_agent(port), url), work, count),
        "curl" => measure(Curl::new(url, port), work, count),
        _ => panic!("no client {client}"),
    };
    let (full, resumed) = handshakes(&tally, port);
    if works::resumes(work) {
        assert!(full <= 2 && resumed >= count, "{full} full handshakes, {resumed} resumed");
    } else {
        assert_eq!(resumed, 0, "sessions were resumed");
    }
    sample
}

/// How many handshakes the server has seen since it was last asked: full ones, this one among
/// them, and resumptions.
fn handshakes(url: &str, port: u16) -> (usize, usize) {
    let told = String::from_utf8(bare(url, port).collect(None)).expect("text");
    let (full, resumed) = told.split_once(' ').expect("two numbers");
    (full.parse().expect("a number"), resumed.parse().expect("a number"))
}

fn bare(url: &str, port: u16) -> impl Client {
    let config = Arc::new(identity::client_config(port));
    Raw::new(url, move |socket| stream::connect(&config, socket))
}

fn longwire_client(port: u16) -> longwire::Client {
    longwire::Client::builder().tls(longwire::Tls::from_rustls(Arc::new(identity::client_config(port)))).build()
}

fn ureq_agent(port: u16) -> ureq::Agent {
    let root = Certificate::from_pem(&identity::root_pem(port)).expect("a certificate");
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&[root]))
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()));
    ureq::Agent::config_builder().tls_config(tls.build()).build().into()
}

struct Curl {
    easy: Easy2<Content>,
    url: String,
    port: u16,
}

/// curl hands the body out as it comes; here it is copied to where the caller wants it.
#[derive(Default)]
struct Content {
    into: Vec<u8>,
    bytes: usize,
}

impl Handler for Content {
    fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        self.into[..data.len()].copy_from_slice(data);
        self.bytes += data.len();
        Ok(data.len())
    }
}

impl Curl {
    fn new(url: &str, port: u16) -> Curl {
        let content = Content { into: vec![0; 64 * KIB], bytes: 0 };
        let mut easy = Easy2::new(content);
        easy.buffer_size(64 * KIB).expect("a sound size");
        easy.cainfo(identity::root_file(port).expect("a path")).expect("a path");
        easy.url(url).expect("a URL");
        Curl { easy, url: url.to_owned(), port }
    }
}

impl Clone for Curl {
    fn clone(&self) -> Curl {
        Curl::new(&self.url, self.port)
    }
}

impl Client for Curl {
    fn get(&mut self, _: &mut [u8]) -> usize {
        self.easy.get_mut().bytes = 0;
        self.easy.perform().expect("an answer");
        self.easy.get_ref().bytes
    }

    fn collect(&mut self, _: Option<Duration>) -> Vec<u8> {
        unreachable!("no work of this bench")
    }

    fn post(&mut self, _: &[u8]) -> Vec<u8> {
        unreachable!("no work of this bench")
    }
}

/// What curl is made of.
pub fn curl_version() -> String {
    let version = curl::Version::get();
    format!("libcurl {} with {}", version.version(), version.ssl_version().unwrap_or("no TLS"))
}
