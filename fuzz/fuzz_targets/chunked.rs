//! The chunked coding by itself, against a second reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longwire::fuzzing::chunked(bytes));
