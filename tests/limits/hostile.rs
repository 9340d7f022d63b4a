//! Peers that mean harm: they send without end, or a byte now and then, or never read. Whatever
//! they do, memory stays within what the limits say and time within what the request allows.
//!
//! Here are floods, by what they cost in memory and whether the clock ends them
//! (`hostile/floods.rs`), and drips (`hostile/drips.rs`).

#[path = "hostile/drips.rs"]
mod drips;
#[path = "hostile/floods.rs"]
mod floods;
#[path = "hostile/heap.rs"]
mod heap;

use std::io::{self, BufRead, Read};
use std::time::{Duration, Instant};

use longwire::{Error, ErrorKind, Response, Result};

/// What a request is given where it will not be enough.
const SHORT: Duration = Duration::from_millis(400);

/// How late a machine that is busy with other tests may be.
const SLACK: Duration = Duration::from_secs(4);

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The error, and when it came.
#[track_caller]
fn failing<T: std::fmt::Debug>(act: impl FnOnce() -> Result<T>) -> (Error, Duration) {
    let start = Instant::now();
    let error = act().expect_err("an error");
    (error, start.elapsed())
}

/// It ended because the time was up: not before, and not long after.
#[track_caller]
fn assert_in_time(failed: &(Error, Duration), limit: Duration) {
    let (error, took) = failed;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(*took >= limit, "early, after {took:?}: {error}");
    assert!(*took < limit + SLACK, "late, after {took:?}: {error}");
}

fn own(error: io::Error) -> Error {
    Error::try_from(error).expect("an error of this crate inside the io::Error")
}

/// A way to take a body that keeps nothing of it.
type Way = fn(Response) -> Result<()>;

const WAYS: [(&str, Way); 4] = [
    ("small reads", |response| read_all(response, 100)),
    ("large reads", |response| read_all(response, 64 * 1024)),
    ("BufRead", |response| {
        let mut body = response.into_body();
        loop {
            match body.fill_buf().map_err(own)?.len() {
                0 => return Ok(()),
                count => body.consume(count),
            }
        }
    }),
    ("copy_to", |mut response| response.copy_to(&mut io::sink()).map(drop)),
];

fn read_all(mut response: Response, size: usize) -> Result<()> {
    let mut buffer = vec![0; size];
    while response.read(&mut buffer).map_err(own)? > 0 {}
    Ok(())
}
