//! What the caller holds: a request with its body, a response with its body.
//!
//! Nothing here decides in which order things happen; that is `client`'s.

pub(crate) mod body;
pub(crate) mod connection_info;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod send_body;
