//! The works. Knows the server's paths, and no client.

use longwire_benches::server::SMALL_BODY;
use longwire_benches::work::{Act, KIB, MIB, Work, work};

/// The kinds of servers: one that gives tickets, with which sessions can be resumed, and one that
/// gives none.
pub const WITH_TICKETS: &str = "with-tickets";
pub const WITHOUT: &str = "without";

const SMALL: usize = SMALL_BODY.len();
const BY_8: Act = Act::Get { buffer: 8 * KIB };
const BY_64: Act = Act::Get { buffer: 64 * KIB };
const PARSED: Act = Act::GetParsed { buffer: 8 * KIB };

#[rustfmt::skip] // a table
pub const WORKS: [Work; 5] = [
    work("get", "small GET", "/small", BY_8, 6000, SMALL).over_paths(),
    work("get-parsed", "small GET, URL parsed before", "/small", PARSED, 6000, SMALL).over_paths(),
    work("length-64k", "1 GiB, reads of 64 KiB", "/length-1g", BY_64, 1, 1024 * MIB),
    work(FULL, "a new connection each time, full handshake", "/close", BY_8, 600, SMALL),
    work(RESUMED, "a new connection each time, session resumed", "/close", BY_8, 1000, SMALL),
];

const FULL: &str = "full";
const RESUMED: &str = "resumed";

pub fn server_for(work: &Work) -> &'static str {
    if work.name == FULL { WITHOUT } else { WITH_TICKETS }
}

/// Whether each connection but the first resumes the session of an earlier one.
pub fn resumes(work: &Work) -> bool {
    work.name == RESUMED
}
