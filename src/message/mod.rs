//! What the caller holds: a request with its body, a response with its body.
//!
//! Nothing here decides in which order things happen; that is `client`'s.

pub(crate) mod auth;
pub(crate) mod blocks;
pub(crate) mod body;
pub(crate) mod connection_info;
pub(crate) mod no_proxy;
pub(crate) mod proxy;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod retry;
pub(crate) mod send_body;
pub(crate) mod upgraded;
