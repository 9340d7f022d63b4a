//! What stands on the public API alone: it could have been written outside of the crate.
//!
//! A file here may add methods to the types below it, but none of their fields. The modules are private, since
//! some are called as the crates that they are about; `script` is no such name.

pub(crate) mod download;
pub(crate) mod har;
#[cfg(feature = "http")]
mod http_types;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "log")]
pub(crate) mod log;
pub(crate) mod multipart;
pub mod script;
pub(crate) mod sse;
