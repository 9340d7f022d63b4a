//! A whole client, driven by any bytes against a peer that plays any bytes, through the public
//! face alone. The harness is the test's (`tests/fuzz_corpus.rs`).
#![no_main]

#[path = "../../tests/fuzz_corpus/client.rs"]
mod client;
#[path = "../../tests/fuzz_corpus/peer.rs"]
mod peer;
#[path = "../../tests/fuzz_corpus/reference.rs"]
mod reference;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| client::play(bytes));
