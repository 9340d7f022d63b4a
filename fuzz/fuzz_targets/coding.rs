//! A body in one or two content codings, against the codings' own readers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longwire::fuzzing::coding(bytes));
