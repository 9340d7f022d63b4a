//! Which bytes a response has.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longwire::fuzzing::content_range(bytes));
