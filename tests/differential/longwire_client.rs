//! What longwire makes of a response, through its public client and a transport in memory.
//!
//! The "connection" gives its bytes, is quiet then, and ends only when it is waited for. So it is
//! seen what needs the end and what does not.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use longwire::transport::{Connect, Deadline, Stream, Target};
use longwire::{CancelToken, Client, Error, Method, Result};

use crate::{End, Outcome};

/// What longwire makes of the bytes.
pub(crate) fn outcome(method: &str, bytes: &[u8]) -> Outcome {
    let client = Client::builder().connector(Peer { bytes: bytes.to_vec() }).max_redirects(0).build();
    let mut outcome = Outcome {
        status: None,
        fields: Vec::new(),
        body: Vec::new(),
        end: End::Complete,
        reuse: false,
        why: String::new(),
    };
    let method = Method::new(method).expect("the fixtures' methods are methods");
    match client.request(method, "http://peer.test/").send() {
        Err(error) => fail(&mut outcome, &error),
        Ok(mut response) => {
            outcome.status = Some(response.status().as_u16());
            let fields = response.headers().iter();
            outcome.fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec())).collect();
            if let Err(error) = response.read_to_end(&mut outcome.body) {
                fail(&mut outcome, &Error::try_from(error).expect("a body's errors are longwire's"));
            }
            outcome.reuse = client.pool_stats().idle == 1;
        }
    }
    outcome.sorted()
}

fn fail(outcome: &mut Outcome, error: &Error) {
    outcome.end = if error.kind() == longwire::ErrorKind::Truncated { End::Cut } else { End::Refused };
    outcome.why = error.to_string();
}

struct Peer {
    bytes: Vec<u8>,
}

impl Connect for Peer {
    fn connect(&self, _: &Target<'_>, _: Deadline, _: &CancelToken) -> Result<Box<dyn Stream>> {
        Ok(Box::new(Connection { bytes: self.bytes.clone(), said: 0, is_over: false }))
    }
}

struct Connection {
    bytes: Vec<u8>,
    said: usize,
    is_over: bool,
}

impl Read for Connection {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.is_over |= self.said == self.bytes.len();
        self.try_read(room)
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Connection {
    fn try_read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = room.len().min(self.bytes.len() - self.said);
        room[..count].copy_from_slice(&self.bytes[self.said..self.said + count]);
        self.said += count;
        if count == 0 && !self.is_over { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }

    fn set_timeouts(&mut self, _: Option<Duration>, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        None
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }
}
