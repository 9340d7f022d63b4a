//! Cancelling a request from another thread.
//!
//! A token holds what must be done to wake whoever waits: shut a socket down, ring a condition
//! variable. Hooks are added, called and removed under one lock, so a cancel that comes late
//! never hits a socket that has moved on to another request.
//!
//! Lock order: a hook runs under the token's lock and may take another; so nobody adds or removes
//! a hook while holding a lock that a hook takes.

use std::fmt;

use crate::error::{Error, Result};
use crate::net::sync::{Arc, AtomicBool, Mutex, MutexGuard, Ordering, PoisonError};

/// Stops requests from another thread.
///
/// Give it to any number of requests with [`RequestBuilder::cancel_token`](crate::RequestBuilder::cancel_token).
/// [`cancel`](CancelToken::cancel) makes each of them fail with
/// [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled) at once, wherever it stands: waiting for
/// a place in the pool, resolving, connecting, sending, waiting, or reading the body. A cancelled
/// body never looks complete. There is no way back: a cancelled token stays cancelled.
///
/// Clones are the same token.
///
/// ```
/// use longwire::{CancelToken, Client};
///
/// let token = CancelToken::new();
/// let elsewhere = token.clone();
/// std::thread::spawn(move || elsewhere.cancel()).join().unwrap();
///
/// let error = Client::new().get("http://192.0.2.1/").cancel_token(&token).send().unwrap_err();
/// assert!(error.is_cancelled());
/// ```
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Shared>);

#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    hooks: Mutex<Hooks>,
}

#[derive(Default)]
struct Hooks {
    next_id: u64,
    list: Vec<(u64, Hook)>,
}

pub(crate) type Hook = Box<dyn Fn() + Send + Sync>;

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> CancelToken {
        CancelToken::default()
    }

    /// Cancels every request that has this token, now and from now on. Does not block on the
    /// network; the requests fail on their own threads.
    pub fn cancel(&self) {
        let hooks = self.hooks();
        self.0.cancelled.store(true, Ordering::SeqCst);
        for (_, hook) in &hooks.list {
            hook();
        }
    }

    /// Whether [`cancel`](CancelToken::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// An error if it was cancelled.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// Has `hook` called on a cancel, at once if that has happened already, until the
    /// registration is dropped.
    pub(crate) fn register(&self, hook: Hook) -> Registration {
        let mut hooks = self.hooks();
        if self.is_cancelled() {
            hook();
        }
        let id = hooks.next_id;
        hooks.next_id += 1;
        hooks.list.push((id, hook));
        drop(hooks);
        Registration { token: self.clone(), id }
    }

    fn hooks(&self) -> MutexGuard<'_, Hooks> {
        self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken").field("is_cancelled", &self.is_cancelled()).finish()
    }
}

/// A hook's place in a token. Once this is dropped, the hook does not run any more.
pub(crate) struct Registration {
    token: CancelToken,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut hooks = self.token.hooks();
        hooks.list.retain(|(id, _)| *id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn counting(token: &CancelToken) -> (Arc<AtomicUsize>, Registration) {
        let calls = Arc::new(AtomicUsize::new(0));
        let hook = {
            let calls = calls.clone();
            Box::new(move || {
                calls.fetch_add(1, Ordering::SeqCst);
            })
        };
        (calls, token.register(hook))
    }

    #[test]
    fn a_hook_is_called_while_it_is_registered_and_no_longer() {
        let token = CancelToken::new();
        let (gone, registration) = counting(&token);
        drop(registration);
        let (there, _registration) = counting(&token);
        token.cancel();
        assert_eq!((gone.load(Ordering::SeqCst), there.load(Ordering::SeqCst)), (0, 1));
    }

    #[test]
    fn a_hook_that_comes_too_late_is_called_at_once() {
        let token = CancelToken::new();
        token.cancel();
        let (calls, _registration) = counting(&token);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert!(token.check().unwrap_err().is_cancelled());
    }
}
