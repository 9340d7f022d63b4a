//! Connection, Keep-Alive, Content-Length and Transfer-Encoding as lists, against a second reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longwire::fuzzing::fields(bytes));
