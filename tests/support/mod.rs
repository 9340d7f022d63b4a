//! What the integration tests share. Each test file is a program of its own and uses only a part
//! of this, so what one of them leaves unused is no dead code, and what is `pub` here is so for
//! the program alone: hence the `allow`.
#![allow(dead_code, unreachable_pub, unused_imports)]

pub mod framing;
pub mod peer;
pub mod random;
pub mod recorder;
pub mod trace;
pub mod wrapped;

/// A builder of clients that ask for no content coding, in builds with one too: for tests that know every
/// byte of a head.
pub fn uncoded() -> longwire::ClientBuilder {
    let builder = longwire::Client::builder();
    #[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
    let builder = builder.decode(false);
    builder
}
