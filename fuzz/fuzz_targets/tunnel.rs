//! What a proxy says in a handshake, HTTP's or SOCKS5's.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| longwire::fuzzing::tunnel(bytes));
