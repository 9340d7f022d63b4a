//! How longwire and HTTP/1.1 work, and how to use them. Documentation alone: these modules have no code.
//!
//! | page | for |
//! |---|---|
//! | [`one_request`] | who wants to know how it works: one request, followed through the source in twelve stops |
//! | [`using`] | who uses it: timeouts, errors and retries, the pool and threads, `fork()`, tests, TLS, small builds |
//! | [`coming_from`] | who knows Go's `net/http`, requests, reqwest or ureq: the same things by their other names |

pub mod coming_from;
pub mod one_request;
pub mod using;
