//! Worker threads for calls that cannot be interrupted, and the inbox in which a request waits for
//! their results. Knows neither what the calls are nor who gives permission for them.
//!
//! # Where threads come from, and how many
//!
//! The standard library can neither interrupt `getaddrinfo` nor a `connect`. So a name look-up always
//! runs on a worker, and a connect runs on one where the request must be able to leave it: when the
//! addresses of a name race, when a [`CancelToken`] may end it, when a user-supplied `dial` does it, and
//! for a unix socket, whose connect takes no timeout. One address without any of these is connected to
//! on the calling thread. Nothing else in the crate starts a thread, but for
//! `Client::connect_ahead`, whose threads end with its call.
//!
//! A request that runs out of time leaves, and its worker is abandoned: it lives until the system
//! returns from the call, and then ends by itself. An abandoned worker cannot be stopped, so the number
//! of workers is limited, per client:
//!
//! * [`LOOK_UPS_MAX`] look-ups. A name is looked up once at a time, for all requests that want it;
//!   further names are queued (`dial::resolve`).
//! * [`CONNECTS_MAX`] connects, of which an address that has not answered gets [`UNANSWERED_MAX`] and
//!   any other [`ADDRESS_CONNECTS_MAX`] (`dial::permits`). A race goes on to another address at once; a
//!   request that has no attempt under way is queued (`dial::race`).
//!
//! So a silent address holds at most four abandoned workers, since it never has more. An address that
//! falls silent under load holds what was under way to it and, once one of these attempts is given up,
//! gets no new one before fewer than four are left. A queued request waits within its
//! `connect_timeout`, can be cancelled, and its error names what it was queued for.
//!
//! # The inbox
//!
//! A small channel, because `std::sync::mpsc` cannot be woken by a [`CancelToken`]. A [`Sender`] holds
//! the inbox weakly: what is sent after the request has left is dropped on the worker, where closing a
//! socket that came too late delays no request.

use std::io;
use std::sync::Weak;
use std::thread;
use std::time::Duration;

use crate::error::Result;
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
use crate::net::sync::{self, Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Name look-ups that run at once.
pub(crate) const LOOK_UPS_MAX: usize = 64;

/// Connects that run on workers at once.
pub(crate) const CONNECTS_MAX: usize = 64;

/// Of these, to one address: half, so that an address that stops answering leaves workers for the
/// others. (A name with many silent addresses may still take them all, four for each.)
pub(crate) const ADDRESS_CONNECTS_MAX: usize = CONNECTS_MAX / 2;

/// Of these, to an address that has not answered an attempt.
pub(crate) const UNANSWERED_MAX: usize = 4;

/// Starts a worker thread, which ends when `work` returns.
pub(crate) fn spawn(name: &str, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// The receiving end: a request waits here for the results of its workers.
pub(crate) struct Inbox<T>(Arc<Shared<T>>);

/// The sending end. What is sent once the inbox is gone is dropped.
pub(crate) struct Sender<T>(Weak<Shared<T>>);

struct Shared<T> {
    /// In the order in which they were sent.
    messages: Mutex<Vec<T>>,
    /// Notified when a message is sent, and when the request is cancelled.
    changed: Condvar,
}

impl<T: Send + 'static> Inbox<T> {
    pub(crate) fn new() -> Inbox<T> {
        Inbox(Arc::new(Shared { messages: Mutex::default(), changed: Condvar::new() }))
    }

    pub(crate) fn sender(&self) -> Sender<T> {
        Sender(Arc::downgrade(&self.0))
    }

    /// Receives the next message. `None` if `deadline` passes first; an error if `token` is cancelled,
    /// even where there is a message.
    pub(crate) fn recv(&self, deadline: Deadline, token: Option<&CancelToken>) -> Result<Option<T>> {
        // Registered before the messages are locked, because the hook locks them, too. It does so that
        // its notification cannot fall between the check of the token and the wait.
        let _registration = token.map(|token| {
            let shared = self.0.clone();
            token.register(Box::new(move || {
                drop(shared.messages());
                shared.changed.notify_all();
            }))
        });
        let mut messages = self.0.messages();
        loop {
            token.map_or(Ok(()), CancelToken::check)?;
            if !messages.is_empty() {
                return Ok(Some(messages.remove(0)));
            }
            let left = deadline.remaining();
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            messages = sync::wait(&self.0.changed, messages, left);
        }
    }
}

impl<T> Sender<T> {
    pub(crate) fn send(&self, message: T) {
        if let Some(shared) = self.0.upgrade() {
            shared.messages().push(message);
            shared.changed.notify_all();
        }
    }

    /// Returns whether it sends to that inbox.
    pub(crate) fn sends_to(&self, inbox: &Inbox<T>) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&inbox.0))
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender(self.0.clone())
    }
}

impl<T> Shared<T> {
    fn messages(&self) -> MutexGuard<'_, Vec<T>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(longwire_model)))]
mod tests {
    use super::*;

    #[test]
    fn messages_come_in_their_order_and_then_time_runs_out() {
        let inbox = Inbox::new();
        let sender = inbox.sender();
        spawn("worker", Box::new(move || (1..=2).for_each(|message| sender.send(message)))).unwrap();
        let recv = |deadline| inbox.recv(deadline, None).unwrap();
        assert_eq!((recv(Deadline::none()), recv(Deadline::none())), (Some(1), Some(2)));
        assert_eq!(recv(Deadline::after(Duration::from_millis(1))), None);
    }

    #[test]
    fn a_cancel_wakes_the_receiver_and_counts_before_a_message() {
        let (inbox, token) = (Inbox::new(), CancelToken::new());
        let elsewhere = token.clone();
        spawn("worker", Box::new(move || elsewhere.cancel())).unwrap();
        assert!(inbox.recv(Deadline::none(), Some(&token)).unwrap_err().is_cancelled());
        inbox.sender().send(1);
        assert!(inbox.recv(Deadline::none(), Some(&token)).unwrap_err().is_cancelled());
    }

    #[test]
    fn what_is_sent_to_an_inbox_that_is_gone_is_dropped_while_its_senders_live() {
        let (inbox, messages) = (Inbox::new(), [(); 2].map(Arc::new));
        let (sender, busy) = (inbox.sender(), inbox.sender());
        sender.send(messages[0].clone());
        drop(inbox);
        sender.send(messages[1].clone());
        assert_eq!(messages.each_ref().map(Arc::strong_count), [1, 1]);
        drop(busy);
    }
}
