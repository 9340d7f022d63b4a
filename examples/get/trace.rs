//! `-v`: what goes over the wire and what becomes of each connection, on standard error.
//!
//! It is an [`Observer`], which the client calls on the thread on which things happen. The heads that it
//! is shown have their secrets blotted out already.

use longwire::{Event, Observer};

/// Prints events as curl does: `>` goes out, `<` comes in, `*` is everything else.
pub(crate) struct Trace;

impl Observer for Trace {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Resolved { host, addresses, .. } => {
                let addresses: Vec<_> = addresses.iter().map(|a| a.ip().to_string()).collect();
                note!("* Resolved {host} to {}", addresses.join(", "));
            }
            Event::Connected { peer: Some(peer), .. } => note!("* Connected to {peer}"),
            Event::Connected { peer: None, .. } => note!("* Connected"),
            Event::Secured { version, cipher_suite, resumed, .. } => {
                note!("* {version}, {cipher_suite}{}", if *resumed { ", resumed" } else { "" });
            }
            Event::Reused { nth: exchange, .. } => {
                note!("* Reused the connection, for exchange {exchange}");
            }
            Event::RequestHead { text, .. } => note_head('>', text),
            Event::InterimHead { text, .. } | Event::ResponseHead { text, .. } => note_head('<', text),
            Event::Redirect { status, to, .. } => note!("* {status}: on to {to}"),
            Event::Retry { error, wait, .. } if wait.is_zero() => note!("* Once more: {error}"),
            Event::Retry { error, wait, .. } => note!("* Once more in {:.1} s: {error}", wait.as_secs_f64()),
            Event::Kept { .. } => note!("* connection kept"),
            Event::Closed { reason, .. } => note!("* connection closed: {reason}"),
            _ => {} // events that later versions may add
        }
    }
}

/// A head line by line, and the empty line that ends it.
fn note_head(mark: char, text: &str) {
    for line in text.trim_end().lines() {
        note!("{mark} {line}");
    }
    note!("{mark}");
}
