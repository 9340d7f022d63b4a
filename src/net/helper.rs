//! Helper threads, for what cannot be interrupted, and the mailbox in which they leave what came of
//! it. Whoever waits there leaves when time is up; the helper is left alone and ends by itself.
//!
//! # Where threads come from, and how many
//!
//! The standard library can neither interrupt `getaddrinfo` nor a `connect`. So a look-up always has
//! a helper, and a connect has one where it must be left alone: when a name's addresses race, when a
//! [`CancelToken`] may end it, and for a unix socket, which takes no timeout. One address without a
//! token is connected to on the calling thread. Nothing else in the crate starts a thread.
//!
//! A helper that is left alone lives on until the system has an answer for it, so there are limits,
//! per client:
//!
//! * [`LOOK_UPS_MAX`] look-ups. One name is looked up once at a time, for all who ask for it; further
//!   names wait in line (`dial::resolve`).
//! * [`CONNECTS_MAX`] connects, of which an address that has not answered has [`UNANSWERED_MAX`] and
//!   any other [`ADDRESS_CONNECTS_MAX`] (`dial::permits`). A race goes on at once to another address;
//!   a request that has nothing under way waits in line (`dial::race`).
//!
//! So a silent address keeps four helpers at most that nobody waits for any more, since there never
//! are more; one that falls silent under a crowd keeps what was under way to it and, once one of these
//! is given up, gets no new ones before fewer than four are left. Who waits in line does so no longer
//! than its `connect_timeout`, can be cancelled, and is told in the error what it waited behind.

use std::io;
use std::sync::Weak;
use std::thread;
use std::time::Duration;

use crate::error::Result;
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
use crate::net::sync::{self, Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Look-ups of names that run at once.
pub(crate) const LOOK_UPS_MAX: usize = 64;

/// Connects that run on helpers at once.
pub(crate) const CONNECTS_MAX: usize = 64;

/// Of these, to one address: half, so that one that stops answering leaves helpers for the others. (A
/// name with many silent addresses may still take them all, four for each.)
pub(crate) const ADDRESS_CONNECTS_MAX: usize = CONNECTS_MAX / 2;

/// And to one address that none of them has found to answer.
pub(crate) const UNANSWERED_MAX: usize = 4;

/// Starts a helper.
pub(crate) fn start(name: &str, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Where one waits for what helpers have to say.
pub(crate) struct Mailbox<T>(Arc<Shared<T>>);

/// The helpers' side of it. What is put in when nobody waits any more is dropped at once.
pub(crate) struct Slot<T>(Weak<Shared<T>>);

struct Shared<T> {
    /// First come first.
    answers: Mutex<Vec<T>>,
    /// Rung when there is one more, and when the request is cancelled.
    bell: Condvar,
}

impl<T: Send + 'static> Mailbox<T> {
    pub(crate) fn new() -> Mailbox<T> {
        Mailbox(Arc::new(Shared { answers: Mutex::default(), bell: Condvar::new() }))
    }

    pub(crate) fn slot(&self) -> Slot<T> {
        Slot(Arc::downgrade(&self.0))
    }

    /// Waits for one answer. `None`: time is up.
    pub(crate) fn wait(&self, deadline: Deadline, token: Option<&CancelToken>) -> Result<Option<T>> {
        // Registered before the lock is taken that the hook takes, too; and it takes the lock so
        // that the bell does not ring between the look at the token and the wait.
        let _bell = token.map(|token| {
            let shared = self.0.clone();
            token.register(Box::new(move || {
                drop(shared.answers());
                shared.bell.notify_all();
            }))
        });
        let mut answers = self.0.answers();
        loop {
            token.map_or(Ok(()), CancelToken::check)?;
            if !answers.is_empty() {
                return Ok(Some(answers.remove(0)));
            }
            let left = deadline.remaining();
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            answers = sync::wait(&self.0.bell, answers, left);
        }
    }
}

impl<T> Slot<T> {
    pub(crate) fn put(&self, answer: T) {
        if let Some(shared) = self.0.upgrade() {
            shared.answers().push(answer);
            shared.bell.notify_all();
        }
    }

    /// Whether it is one of that mailbox.
    pub(crate) fn is_of(&self, mailbox: &Mailbox<T>) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&mailbox.0))
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Slot<T> {
        Slot(self.0.clone())
    }
}

impl<T> Shared<T> {
    fn answers(&self) -> MutexGuard<'_, Vec<T>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(longwire_model)))]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_their_order_and_then_time_runs_out() {
        let mailbox = Mailbox::new();
        let slot = mailbox.slot();
        start("helper", Box::new(move || (1..=2).for_each(|answer| slot.put(answer)))).unwrap();
        let wait = |deadline| mailbox.wait(deadline, None).unwrap();
        assert_eq!((wait(Deadline::none()), wait(Deadline::none())), (Some(1), Some(2)));
        assert_eq!(wait(Deadline::after(Duration::from_millis(1))), None);
    }

    #[test]
    fn a_cancel_wakes_whoever_waits_and_counts_before_an_answer() {
        let (mailbox, token) = (Mailbox::new(), CancelToken::new());
        let elsewhere = token.clone();
        start("helper", Box::new(move || elsewhere.cancel())).unwrap();
        assert!(mailbox.wait(Deadline::none(), Some(&token)).unwrap_err().is_cancelled());
        mailbox.slot().put(1);
        assert!(mailbox.wait(Deadline::none(), Some(&token)).unwrap_err().is_cancelled());
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_dropped_though_a_helper_is_still_there() {
        let (mailbox, answers) = (Mailbox::new(), [(); 2].map(Arc::new));
        let (slot, busy) = (mailbox.slot(), mailbox.slot());
        slot.put(answers[0].clone());
        drop(mailbox);
        slot.put(answers[1].clone());
        assert_eq!(answers.each_ref().map(Arc::strong_count), [1, 1]);
        drop(busy);
    }
}
