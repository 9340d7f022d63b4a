//! Locks, as the pool and the cancel tokens know them: the standard library's.
//!
//! In the unit tests under `--cfg longwire_model` they are a model checker's instead, which decides
//! at each of them which thread goes on: `model.rs` runs the pool that way. Nothing here knows
//! what is locked.

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

/// Waits until `bell` is rung, or for as long as is `left`; where there is no limit that is for ever.
/// It may also come back for nothing.
pub(crate) fn wait<'a, T>(bell: &Condvar, guard: MutexGuard<'a, T>, left: Option<Duration>) -> MutexGuard<'a, T> {
    match left {
        Some(left) => bell.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0,
        None => bell.wait(guard).unwrap_or_else(PoisonError::into_inner),
    }
}

/// The checker's locks, with the one thing that it lacks: a wait whose time runs out. For that a
/// guard must know its mutex.
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

        /// Either somebody rings, and then there may be time left or not; or nobody does, for
        /// however long the others run meanwhile. Says whether the time ran out.
        pub(crate) fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            left: Duration,
        ) -> LockResult<(MutexGuard<'a, T>, bool)> {
            let (rings, runs_out) = rand::thread_rng().r#gen();
            let mutex = guard.mutex;
            let locked = if rings {
                self.wait(guard)
            } else {
                drop(guard);
                thread::yield_now();
                mutex.lock()
            };
            let runs_out = runs_out || !rings;
            if runs_out {
                std::thread::sleep(left);
            }
            match locked {
                Ok(guard) => Ok((guard, runs_out)),
                Err(poisoned) => Err(PoisonError::new((poisoned.into_inner(), runs_out))),
            }
        }
    }
}
