//! A whole client, driven by any bytes against a peer that plays any bytes, through the public
//! face alone. The harness is the test's (`tests/fixtures/fuzz.rs`).
#![no_main]

#[path = "../../tests/fixtures/fuzz/client.rs"]
mod client;
#[path = "../../tests/fixtures/fuzz/peer.rs"]
mod peer;
#[path = "../../src/fuzzing/reference.rs"]
mod reference;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| client::play(bytes));
