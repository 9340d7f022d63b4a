//! What is asked, and how it stands on the wire.
//!
//! | file | topic |
//! |---|---|
//! | `requests/head.rs` | the request head, byte for byte |
//! | `requests/checks.rs` | what is refused before a byte leaves, and what is never shown |
//! | `requests/by_hand.rs` | fields set by hand, as other clients allow, and what older servers do with them |
//!
//! Bodies are in `upload.rs`.

#[path = "requests/by_hand.rs"]
mod by_hand;
#[path = "requests/checks.rs"]
mod checks;
#[path = "requests/head.rs"]
mod head;
mod support;
