//! What connections are made of, where that is not the client's own TCP socket: user-supplied
//! connectors and streams, unix sockets, and connections that were upgraded.
//!
//! | file | topic |
//! |---|---|
//! | `transports/connectors.rs` | when a connector's stream is used: in time, secure, never past a guard |
//! | `transports/faults.rs` | streams that hold bytes back, report nonsense, die or panic |
//! | `transports/least.rs` | a stream that implements no more than it must |
//! | `transports/uploads.rs` | streams that fail or stall while a request is sent |
//! | `transports/pooled.rs` | user-supplied streams in the pool |
//! | `transports/unix.rs` | unix sockets |
//! | `transports/upgrade.rs` | 101 and what comes after it |

#[path = "transports/connectors.rs"]
mod connectors;
#[path = "transports/faults.rs"]
mod faults;
#[path = "transports/least.rs"]
mod least;
#[path = "transports/pooled.rs"]
mod pooled;
mod support;
#[cfg(unix)]
#[path = "transports/unix.rs"]
mod unix;
#[path = "transports/upgrade.rs"]
mod upgrade;
#[path = "transports/uploads.rs"]
mod uploads;

use longwire::script::Script;
use longwire::{Client, CloseReason};

use support::wrapped::{Wrapped, wrapping};

const URL: &str = "http://memory.test/";

fn text(client: &Client, url: &str) -> String {
    client.get(url).send().expect("a response").text().expect("a body")
}

/// A client of that server, each of whose streams is wrapped.
fn wrapped(script: &Script, wrap: impl Fn(Wrapped) -> Wrapped + Send + Sync + 'static) -> Client {
    Client::builder().connector(wrapping(script.clone(), wrap)).build()
}

fn closed(client: &Client, reason: CloseReason) -> u64 {
    client.pool_stats().closed.get(reason)
}
