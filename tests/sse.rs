//! Server-Sent Events: streams over the client at every split (`sse/format.rs`), what is a stream of events and
//! how it ends (`sse/responses.rs`), connecting again (`sse/source.rs`), and nginx before a server in Python
//! (`sse/real_servers.rs`).
//!
//! The streams themselves are in `src/ext/sse/cases.rs`, where the parser's own tests read them, too.

#[path = "../src/ext/sse/cases.rs"]
mod cases;
#[path = "sse/format.rs"]
mod format;
#[cfg(unix)]
#[path = "sse/real_servers.rs"]
mod real_servers;
#[path = "sse/responses.rs"]
mod responses;
#[cfg(unix)]
#[path = "support/servers.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "most of it is for interop.rs")]
mod servers;
#[path = "sse/source.rs"]
mod source;
mod support;

use longwire::script::{Reply, reply};

/// A stream of events that ends with its last chunk.
fn stream(events: &str) -> Reply {
    reply(200).header("Content-Type", "text/event-stream").chunked([events])
}

/// The beginning of one that does not end by itself.
fn open_stream(events: &str) -> Reply {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    match events.len() {
        0 => longwire::script::raw(head),
        length => longwire::script::raw(format!("{head}{length:x}\r\n{events}\r\n")),
    }
}
