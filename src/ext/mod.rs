//! What stands on the public API alone: it could have been written outside of the crate.
//!
//! A file here may add methods to the types below it, but none of their fields.

pub(crate) mod multipart;
