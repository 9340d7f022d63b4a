//! What a client takes: from the heap by request and connection (`memory/allocations.rs`), and from the
//! system (`memory/process.rs`: resident memory, system calls). What keeps within limits when a peer
//! means harm is in `limits/hostile.rs`; instructions are counted in `cost.rs`.
//!
//! Each test here measures this thread or this process, so they run one at a time.

#[path = "memory/allocations.rs"]
mod allocations;
#[cfg(feature = "__rustls")]
#[path = "tls/certificates.rs"]
mod certificates;
#[cfg(feature = "__coding")]
#[path = "memory/coded.rs"]
mod coded;
#[cfg(target_os = "linux")]
#[path = "support/counted.rs"]
mod counted;
#[path = "support/counting.rs"]
mod counting;
#[path = "memory/events.rs"]
mod events;
#[cfg(target_os = "linux")]
#[path = "memory/process.rs"]
mod process;
#[cfg(feature = "__rustls")]
#[path = "tls/session.rs"]
mod session;
mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};

static ALONE: Mutex<()> = Mutex::new(());

/// Waits until no other test of this program measures anything.
fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
