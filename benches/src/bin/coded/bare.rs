//! The limit: the loop over a bare socket, and behind it the coding's own decoder in its plainest use.
//! The socket is read through a buffer as large as longwire's.

use std::io::{self, Read};
use std::net::TcpStream;

use brotli_decompressor::Decompressor;
use flate2::bufread::MultiGzDecoder;
use longwire_benches::client::raw::Raw;
use longwire_benches::client::{Client, drain};
use longwire_benches::work::KIB;
use ruzstd::decoding::StreamingDecoder;

const BUFFER_BYTES: usize = 8 * KIB;

type Open = fn(TcpStream) -> io::Result<TcpStream>;

#[derive(Clone)]
pub struct Bare {
    raw: Raw<Open, TcpStream>,
    coding: Coding,
    buffer: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Coding {
    Gzip,
    Brotli,
    Zstd,
}

impl Bare {
    pub fn new(url: &str) -> Bare {
        let (_, extension) = url.rsplit_once('.').expect("an extension");
        let coding = match extension {
            "gz" => Coding::Gzip,
            "br" => Coding::Brotli,
            "zst" => Coding::Zstd,
            _ => panic!("no coding is named {extension}"),
        };
        Bare { raw: Raw::new(url, Ok), coding, buffer: vec![0; BUFFER_BYTES] }
    }
}

impl Client for Bare {
    type Url = String;

    fn get(&mut self, _: &str, buffer: &mut [u8]) -> usize {
        let mut body = self.raw.open(std::mem::take(&mut self.buffer));
        let bytes = match self.coding {
            Coding::Gzip => drain(MultiGzDecoder::new(&mut body), buffer),
            Coding::Brotli => drain(Decompressor::new(Read::by_ref(&mut body), BUFFER_BYTES), buffer),
            Coding::Zstd => drain(StreamingDecoder::new(&mut body).expect("a frame"), buffer),
        };
        self.buffer = self.raw.end(body);
        bytes
    }
}
