//! A caller's URL, and where a Location leads from it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longwire::fuzzing::location(bytes));
