//! A response head, by any bytes: the same however it arrives, within its limits, clean.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longwire::fuzzing::head(bytes));
