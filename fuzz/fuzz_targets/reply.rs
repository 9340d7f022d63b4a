//! A whole reply: head, framing, body and persistence, against a second reader.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longwire::fuzzing::reply(bytes));
