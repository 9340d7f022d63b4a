//! Cancelling a request from another thread.
//!
//! A token holds hooks: what wakes a request that is blocked, by shutting its socket down or notifying
//! a condition variable. Hooks are added, called and removed under one lock, so a late cancel never
//! hits a socket that has been handed to another request: dropping a [`Registration`] waits for a
//! cancel that is under way.
//!
//! Lock order: a hook runs under the token's lock and may take another. So a hook is never added or
//! removed by a thread that holds a lock which a hook takes.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::net::deadline::Deadline;
use crate::net::sync::{self, Arc, AtomicBool, Condvar, Mutex, MutexGuard, Ordering, PoisonError};

/// Stops requests from another thread.
///
/// Give it to any number of requests with [`RequestBuilder::cancel_token`](crate::RequestBuilder::cancel_token).
/// [`cancel`](CancelToken::cancel) makes each of them fail with
/// [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled) at once, at whatever stage it is: waiting for
/// a free connection, resolving, connecting, sending, waiting for the response, or reading its body. A
/// cancelled body never appears complete. A cancelled token stays cancelled: use a new one for new
/// requests.
///
/// Clones share one state. A token may be used from any number of threads.
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
#[doc(alias("Context", "WithCancel", "AbortController", "AbortSignal"))]
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Shared>);

#[derive(Default)]
struct Shared {
    is_cancelled: AtomicBool,
    hooks: Mutex<Hooks>,
    /// Notified on a cancel, for [`CancelToken::wait`]; goes with the lock of `hooks`.
    cancelled: Condvar,
}

#[derive(Default)]
struct Hooks {
    next_id: u64,
    list: Vec<(u64, Hook)>,
}

pub(crate) type Hook = Box<dyn Fn() + Send + Sync>;

impl CancelToken {
    /// Returns a new token, which is not cancelled.
    pub fn new() -> CancelToken {
        CancelToken::default()
    }

    /// Cancels every request that has this token, now and from now on, and wakes every
    /// [`wait`](CancelToken::wait).
    ///
    /// It does not wait for the network: the requests fail on their own threads. A second call has no
    /// effect.
    #[doc(alias = "abort")]
    pub fn cancel(&self) {
        let hooks = self.hooks();
        if self.is_cancelled() {
            return;
        }
        self.0.is_cancelled.store(true, Ordering::SeqCst);
        self.0.cancelled.notify_all();
        // One that panics, since it may be a caller's, must not leave the requests after it asleep.
        let mut panics = Vec::new();
        for (_, hook) in &hooks.list {
            panics.extend(panic::catch_unwind(AssertUnwindSafe(hook)).err());
        }
        drop(hooks);
        if let Some(first) = panics.into_iter().next() {
            panic::resume_unwind(first);
        }
    }

    /// Returns whether [`cancel`](CancelToken::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled.load(Ordering::SeqCst)
    }

    /// Blocks until the token is cancelled, and returns `true`, or until `limit` has passed, and returns
    /// `false`: a sleep that a cancel ends.
    ///
    /// It returns `true` at once if the token is cancelled already, and whenever the cancel came before
    /// it returns; `false` never before the whole of `limit` has passed. The thread sleeps meanwhile. A
    /// `limit` of zero only asks; one that overflows the clock, as `Duration::MAX` does, is none.
    ///
    /// ```
    /// use longwire::CancelToken;
    /// use std::thread;
    /// use std::time::Duration;
    ///
    /// let token = CancelToken::new();
    /// assert!(!token.wait(Duration::from_millis(10)));
    /// let polling = thread::spawn({
    ///     let token = token.clone();
    ///     move || {
    ///         while !token.wait(Duration::from_secs(60)) {
    ///             // ask the server once more
    ///         }
    ///     }
    /// });
    /// token.cancel();
    /// polling.join().unwrap(); // which took no minute
    /// ```
    pub fn wait(&self, limit: Duration) -> bool {
        let deadline = Deadline::after(limit);
        let mut hooks = self.hooks();
        loop {
            if self.is_cancelled() {
                return true;
            }
            let left = deadline.remaining();
            if left == Some(Duration::ZERO) {
                return false;
            }
            hooks = sync::wait(&self.0.cancelled, hooks, left);
        }
    }

    /// Fails if the token is cancelled.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// Registers a hook, which is called on a cancel until the registration is dropped; at once if the
    /// token is cancelled already.
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

/// Blocks for that time; a cancel of the token, if there is one, ends it with an error.
pub(crate) fn sleep(token: Option<&CancelToken>, time: Duration) -> Result<()> {
    match token {
        Some(token) if token.wait(time) => Err(Error::cancelled()),
        Some(_) => Ok(()),
        None => {
            thread::sleep(time);
            Ok(())
        }
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken").field("is_cancelled", &self.is_cancelled()).finish()
    }
}

/// A registered hook. Once this is dropped, the hook is not called any more.
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

#[cfg(all(test, not(longwire_model)))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::thread;
    use std::time::Instant;

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
    fn each_hook_is_called_once_whatever_another_one_does() {
        let token = CancelToken::new();
        let _panicking = token.register(Box::new(|| panic::resume_unwind(Box::new("a hook"))));
        let (calls, _registration) = counting(&token);
        assert!(panic::catch_unwind(AssertUnwindSafe(|| token.cancel())).is_err());
        token.cancel();
        assert_eq!((calls.load(Ordering::SeqCst), token.is_cancelled()), (1, true));
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
    fn a_hook_that_is_registered_after_the_cancel_is_called_at_once() {
        let token = CancelToken::new();
        token.cancel();
        let (calls, _registration) = counting(&token);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert!(token.check().unwrap_err().is_cancelled());
    }

    #[test]
    fn a_wait_returns_at_once_after_a_cancel_and_else_when_all_its_time_has_passed() {
        let (token, limit) = (CancelToken::new(), Duration::from_millis(20));
        let started = Instant::now();
        assert!(!token.wait(Duration::ZERO) && !token.wait(limit));
        assert!(started.elapsed() >= limit, "{:?}", started.elapsed());
        token.cancel();
        assert!(token.wait(Duration::ZERO) && token.wait(Duration::MAX));
    }

    #[test]
    fn a_cancel_wakes_all_that_wait_even_where_a_hook_panics() {
        let token = CancelToken::new();
        let _registration = token.register(Box::new(|| panic!("a mistake in a stream (the test wants it)")));
        thread::scope(|scope| {
            let waiting = [(); 3].map(|()| scope.spawn(|| token.wait(Duration::MAX)));
            let cancelled = scope.spawn(|| token.cancel()).join();
            assert!(cancelled.is_err());
            assert!(waiting.into_iter().all(|waiter| waiter.join().unwrap()));
        });
    }
}

/// No cancel is lost between a waiter's check and its sleep: see `net::pool::model` for the checker.
#[cfg(all(test, longwire_model))]
mod model {
    use super::*;
    use shuttle::thread;

    #[test]
    fn a_cancel_is_never_missed() {
        shuttle::check_random(
            || {
                let token = CancelToken::new();
                let waiting = [(); 2].map(|()| {
                    let token = token.clone();
                    thread::spawn(move || token.wait(Duration::MAX))
                });
                token.cancel();
                assert!(waiting.into_iter().all(|waiter| waiter.join().unwrap()));
            },
            2000,
        );
    }
}
