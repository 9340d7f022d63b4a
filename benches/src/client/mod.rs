//! What a client must be able to do; a file for each that does it. The shortest way to do a work is taken; where two
//! ways are documented, the one that costs less.

pub mod attohttpc;
pub mod curl;
pub mod longwire;
pub mod minreq;
pub mod raw;
pub mod rawhttparse;
pub mod reqwest;
pub mod ureq;

use std::fmt::Debug;
use std::io::Read;
use std::str::FromStr;
use std::time::Duration;

/// A clone is for another thread, and has the same pool where there is one.
pub trait Client: Clone + Send + 'static {
    /// A URL that has been parsed; text where the client takes nothing else.
    type Url: FromStr<Err: Debug>;

    /// GET, the body read to its end through the buffer. Gives its length.
    fn get(&mut self, url: &str, buffer: &mut [u8]) -> usize;

    /// The same without parsing the URL again.
    fn get_parsed(&mut self, _url: &Self::Url, _buffer: &mut [u8]) -> usize {
        unreachable!("not asked of this client")
    }

    /// GET, and the body in one piece.
    fn collect(&mut self, _url: &str, _deadline: Option<Duration>) -> Vec<u8> {
        unreachable!("not asked of this client")
    }

    /// Gives the answer's body.
    fn post(&mut self, _url: &str, _body: &[u8]) -> Vec<u8> {
        unreachable!("not asked of this client")
    }
}

pub fn drain(mut body: impl Read, buffer: &mut [u8]) -> usize {
    let mut total = 0;
    loop {
        match body.read(buffer).expect("a whole body") {
            0 => return total,
            count => total += count,
        }
    }
}
