//! What is encoded in chunks decodes to the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longwire::fuzzing::round_trip(bytes));
