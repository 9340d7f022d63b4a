//! The clients of this bench, all of which believe the server's root and nobody else.

use std::sync::Arc;

use longwire::rustls::crypto::ring;
use longwire_benches::client::Client;
use longwire_benches::client::curl::Curl;
use longwire_benches::client::longwire::Longwire;
use longwire_benches::client::raw::Raw;
use longwire_benches::client::ureq::Ureq;
use longwire_benches::sample::{Sample, measure};
use longwire_benches::work::{Act, Work};
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
        "rustls" => measure(bare(url, port), work, url, count),
        "longwire" => measure(Longwire(longwire_client(port)), work, url, count),
        "ureq" => measure(Ureq(ureq_agent(port)), work, url, count),
        "curl" => measure(Curl::new(Some(&identity::root_file(port).expect("a path"))), work, url, count),
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
    let told = String::from_utf8(bare(url, port).collect(url, None)).expect("text");
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
