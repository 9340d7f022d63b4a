//! The locks of the pool, the cancel tokens and the workers: the standard library's. And what tells the
//! threads apart that take them.
//!
//! In the unit tests under `--cfg longwire_model` they are a model checker's instead, which decides at each
//! of them which thread runs next: the `model` tests explore schedules that way. Nothing here knows what
//! is locked.

pub(crate) use std::sync::{Arc, PoisonError};

#[cfg(not(all(test, longwire_model)))]
pub(crate) use std::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};

use std::time::Duration;

#[cfg(all(test, longwire_model))]
pub(crate) use model::{Condvar, Mutex, MutexGuard};
#[cfg(all(test, longwire_model))]
pub(crate) use shuttle::sync::atomic::{AtomicBool, Ordering};

/// Tells a thread from all others that are alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadMark(usize);

impl ThreadMark {
    /// The mark of the thread that asks: the address of a variable of its own.
    #[cfg(not(all(test, longwire_model)))]
    #[inline(always)]
    pub(crate) fn current() -> ThreadMark {
        thread_local!(static MARKED: u8 = const { 0 });
        ThreadMark(MARKED.with(|marked| std::ptr::from_ref(marked) as usize))
    }

    /// The checker runs all of its threads in one.
    #[cfg(all(test, longwire_model))]
    pub(crate) fn current() -> ThreadMark {
        ThreadMark(shuttle::current::me().into())
    }
}

/// Waits until `condvar` is notified, or for as long as is `left`; `None` is without a limit. May also wake
/// up spuriously.
pub(crate) fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>, left: Option<Duration>) -> MutexGuard<'a, T> {
    match left {
        Some(left) => condvar.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0,
        None => condvar.wait(guard).unwrap_or_else(PoisonError::into_inner),
    }
}

/// The checker's locks, with the one thing that it lacks: a wait that times out. For that a guard has to
/// know its mutex.
#[cfg(all(test, longwire_model))]
mod model {
    use std::ops::{Deref, DerefMut};
    use std::sync::{LockResult, PoisonError};
    use std::time::Duration;

    use shuttle::rand::Rng;
    use shuttle::{rand, sync, thread};

    #[derive(Default)]
    pub(crate) struct Mutex<T>(sync::Mutex<T>);

    pub(crate) struct MutexGuard<'a, T> {
        mutex: &'a Mutex<T>,
        guard: sync::MutexGuard<'a, T>,
    }

    #[derive(Default)]
    pub(crate) struct Condvar(sync::Condvar);

    impl<T> Mutex<T> {
        pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
            self.guarded(self.0.lock())
        }

        fn guarded<'a>(&'a self, locked: LockResult<sync::MutexGuard<'a, T>>) -> LockResult<MutexGuard<'a, T>> {
            match locked {
                Ok(guard) => Ok(MutexGuard { mutex: self, guard }),
                Err(poisoned) => Err(PoisonError::new(MutexGuard { mutex: self, guard: poisoned.into_inner() })),
            }
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.guard
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.guard
        }
    }

    impl Condvar {
        pub(crate) fn new() -> Condvar {
            Condvar::default()
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }

        pub(crate) fn wait<'a, T>(
            &self,
            MutexGuard { mutex, guard }: MutexGuard<'a, T>,
        ) -> LockResult<MutexGuard<'a, T>> {
            mutex.guarded(self.0.wait(guard))
        }

        /// Either it is notified, with or without time left; or it is not, however long the other threads
        /// run meanwhile. Returns whether it timed out.
        pub(crate) fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            left: Duration,
        ) -> LockResult<(MutexGuard<'a, T>, bool)> {
            let (is_notified, is_late) = rand::thread_rng().r#gen();
            let mutex = guard.mutex;
            let locked = if is_notified {
                self.wait(guard)
            } else {
                drop(guard);
                thread::yield_now();
                mutex.lock()
            };
            let timed_out = is_late || !is_notified;
            if timed_out {
                std::thread::sleep(left);
            }
            match locked {
                Ok(guard) => Ok((guard, timed_out)),
                Err(poisoned) => Err(PoisonError::new((poisoned.into_inner(), timed_out))),
            }
        }
    }
}
