//! Challenges, written again, and the answers to them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longwire::fuzzing::challenges(bytes));
