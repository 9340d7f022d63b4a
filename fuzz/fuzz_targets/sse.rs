//! Any bytes as a stream of events, against a second reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longwire::fuzzing::sse(bytes));
