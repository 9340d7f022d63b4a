//! What a fresh reading of the sources once found, and must not come back: each test was seen to
//! fail without its fix. What a transport may do is in `regressions/transport.rs` and, where it dies,
//! in `regressions/died.rs`; what a pooled connection, in `regressions/pooled.rs`; bodies are in
//! `regressions/bodies.rs`; what is asked and how it is sent, in `regressions/requests.rs`.

mod support;

#[path = "regressions/bodies.rs"]
mod bodies;
#[cfg(target_os = "linux")]
#[path = "regressions/died.rs"]
mod died;
#[path = "support/double.rs"]
mod double;
#[path = "regressions/pooled.rs"]
mod pooled;
#[path = "regressions/requests.rs"]
mod requests;
#[path = "regressions/transport.rs"]
mod transport;

use double::{By, Double, copy, over};
use longwire::Client;

const URL: &str = "http://double.test/";

fn text(client: &Client, url: impl AsRef<str>) -> String {
    let response = client.get(url.as_ref()).send().expect("an answer");
    response.text().expect("a body")
}
