//! The works. Knows the server's paths, and no client.

use std::time::Duration;

use longwire_benches::server::{EVENT, EVENTS, FIELDS_BODY, SMALL_BODY};
use longwire_benches::work::{Act, KIB, MIB, Work, work};

const SMALL: usize = SMALL_BODY.len();
const FIELDS: usize = FIELDS_BODY.len();
const EVENTS_BYTES: usize = EVENTS * EVENT.len();
const BY_8: Act = Act::Get { buffer: 8 * KIB };
const BY_64: Act = Act::Get { buffer: 64 * KIB };
const PARSED: Act = Act::GetParsed { buffer: 8 * KIB };
const AT_ONCE: Act = Act::Collect { deadline: None };
const IN_TIME: Act = Act::Collect { deadline: Some(Duration::from_secs(60)) };

#[rustfmt::skip] // a table
pub const WORKS: [Work; 20] = [
    work("get", "small GET", "/small", BY_8, 8000, SMALL).over_paths(),
    work("get-parsed", "small GET, URL parsed before", "/small", PARSED, 8000, SMALL).over_paths(),
    work("get-unprobed", "small GET, probe_after(1 ms)", "/small", BY_8, 8000, SMALL).over_paths(),
    work("get-parsed-unprobed", "small GET, URL parsed before, probe_after(1 ms)", "/small", PARSED, 8000, SMALL).over_paths(),
    work("fields", "25 response fields", "/fields", BY_8, 8000, FIELDS).over_paths(),
    work("fields-parsed", "25 response fields, URL parsed before", "/fields", PARSED, 8000, FIELDS).over_paths(),
    work("fields-unprobed", "25 response fields, probe_after(1 ms)", "/fields", BY_8, 8000, FIELDS).over_paths(),
    work("fields-parsed-unprobed", "25 response fields, URL parsed before, probe_after(1 ms)", "/fields", PARSED, 8000, FIELDS).over_paths(),
    work("connect", "a new connection each time", "/close", BY_8, 2500, SMALL),
    work("threads", "small GET, 8 threads, one client", "/small", Act::Threads { threads: 8 }, 2000, SMALL),
    work("post-100", "POST of 100 bytes", "/sink", Act::Post { bytes: 100 }, 8000, 100),
    work("post-1m", "POST of 1 MiB", "/sink", Act::Post { bytes: MIB }, 400, MIB),
    work("length-64k", "1 GiB, reads of 64 KiB", "/length-1g", BY_64, 1, 1024 * MIB),
    work("length-8k", "1 GiB, reads of 8 KiB", "/length-1g", BY_8, 1, 1024 * MIB),
    work(BUFFERED, "1 GiB, reads of 8 KiB, buffer of 64 KiB", "/length-1g", BY_8, 1, 1024 * MIB),
    work("chunks-16k", "1 GiB in chunks of 16 KiB", "/chunks-16k", BY_64, 1, 1024 * MIB),
    work("chunks-64", "64 MiB in chunks of 64 bytes", "/chunks-64", BY_64, 4, 64 * MIB),
    work("events", "200,000 events, a chunk each", "/events", BY_8, 8, EVENTS_BYTES),
    work("collect", "10 MiB collected", "/length-10m", AT_ONCE, 24, 10 * MIB),
    work("collect-in-time", "10 MiB collected, with a deadline", "/length-10m", IN_TIME, 24, 10 * MIB),
];

/// Whether the work is one of those in which what a library does for each request is most of what is measured.
pub fn is_small(work: &Work) -> bool {
    work.bytes < KIB
}

/// For how long a connection must be idle for the client to probe it, if it is told.
pub fn probe_after(work: &Work) -> Option<Duration> {
    work.name.ends_with("-unprobed").then_some(Duration::from_millis(1))
}

/// Small reads out of a large buffer, by clients in which it can be set.
const BUFFERED: &str = "length-8k-buffered";

/// The size of the buffer that the client is given for that work, if it is given one.
pub fn buffer_size(work: &Work) -> Option<usize> {
    (work.name == BUFFERED).then_some(64 * KIB)
}
