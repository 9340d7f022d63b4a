//! What the integration tests share. Each test file is a program of its own and uses only a part
//! of this, so what one of them leaves unused is no dead code, and what is `pub` here is so for
//! the program alone: hence the `allow`.
#![allow(dead_code, unreachable_pub, unused_imports)]

pub mod peer;
pub mod random;
pub mod recorder;
pub mod script;
pub mod trace;
pub mod wrapped;
