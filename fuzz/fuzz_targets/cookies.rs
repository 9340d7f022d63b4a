//! Any bytes as `Set-Cookie` fields, and as a file of cookies.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longwire::fuzzing::cookies(bytes));
