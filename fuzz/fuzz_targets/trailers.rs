//! The trailer section by itself, against a second reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longwire::fuzzing::trailers(bytes));
