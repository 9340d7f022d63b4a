//! Permits to connect: which attempts may have a worker thread now, which request is next, and which
//! addresses are tried last. How many there may be, and why, is in `net::worker`. Knows no sockets: an
//! address is whatever can be compared.
//!
//! # How it works
//!
//! A semaphore with two limits: one for the client, one for each address. An address's limit depends on
//! whether it answers: it is low until an attempt has succeeded, and low again once a request has
//! abandoned one. So many threads that connect to a dead address find that out at the cost of four
//! workers, and many that connect to a live one wait for its first answer and no longer.
//!
//! A request without a permit is queued, with all the addresses that it would take. The invariant is
//! that no queued request could be granted a permit now: every change that may allow one (a permit that
//! is dropped, an address that has answered, a new waiter) ends in `grant_queued`, which goes through
//! the queue from its head. So `try_acquire` need not check the queue, and overtakes no one. (A waiter
//! that wants a saturated address is overtaken by one that wants another, or one dead host would block
//! all hosts.)
//!
//! A granted permit is counted under the lock and sent after it. The waiter may have left meanwhile:
//! then the permit is dropped with its inbox, which takes the lock again and grants it to the next. So
//! none is lost, which the model checker tries below.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
use crate::net::sync::{Arc, Mutex, MutexGuard, PoisonError};
use crate::net::worker::{ADDRESS_CONNECTS_MAX, CONNECTS_MAX, Inbox, Sender, UNANSWERED_MAX};

/// How long an address that lost a race is tried after those that did not.
const LOST_FOR: Duration = Duration::from_secs(10 * 60);

/// Addresses that are remembered for that; beyond, the one that lost longest ago is forgotten.
const LOST_MAX: usize = 256;

/// What is connected to.
pub(crate) trait Address: Clone + Eq + Send + 'static {}

impl<A: Clone + Eq + Send + 'static> Address for A {}

/// The permits of one client.
#[derive(Clone)]
pub(crate) struct Permits<A: Address>(Arc<Mutex<State<A>>>);

struct State<A: Address> {
    /// Permits that are out.
    count: usize,
    /// The addresses that have any.
    active: Vec<Active<A>>,
    /// First come, first served; none of them could be granted a permit now.
    queue: VecDeque<Waiter<A>>,
    /// The address that lost last is last.
    lost: VecDeque<(A, Instant)>,
}

/// An address with attempts under way.
struct Active<A> {
    address: A,
    count: usize,
    /// An attempt has succeeded since the last one was abandoned.
    answers: bool,
}

struct Waiter<A: Address> {
    /// Any of them will do, the first one best.
    addresses: Vec<A>,
    sender: Sender<Permit<A>>,
}

/// Permission for one attempt at one address, until it is dropped.
pub(crate) struct Permit<A: Address> {
    permits: Permits<A>,
    pub(crate) address: A,
    has_succeeded: bool,
}

/// The limit that kept a request in the queue, and the number of attempts that it allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saturated {
    /// The addresses that the request wants, which have not answered.
    Address(usize),
    /// The whole client.
    Client(usize),
}

impl fmt::Display for Saturated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Saturated::Address(count) => write!(f, "queued to connect, with {count} unanswered attempts under way"),
            Saturated::Client(count) => {
                write!(f, "queued to connect, with {count} attempts of other requests under way")
            }
        }
    }
}

impl<A: Address> Permits<A> {
    /// Returns a permit for that address, if one is free.
    pub(crate) fn try_acquire(&self, address: &A) -> Option<Permit<A>> {
        let mut state = self.state();
        let is_free = state.has_room(address);
        is_free.then(|| {
            state.add(address);
            self.permit(address.clone())
        })
    }

    /// Queues for a permit for one of these addresses. The inner error: there was none until `deadline`
    /// passed. The outer one: `token` was cancelled.
    pub(crate) fn acquire(
        &self,
        addresses: &[A],
        deadline: Deadline,
        token: Option<&CancelToken>,
    ) -> Result<Result<Permit<A>, Saturated>> {
        let inbox = Inbox::new();
        let mut state = self.state();
        state.queue.push_back(Waiter { addresses: addresses.to_vec(), sender: inbox.sender() });
        self.grant_queued(state); // one may have become free since it was tried
        let received = inbox.recv(deadline, token);
        let mut state = self.state();
        let saturated = state.saturated(addresses);
        state.queue.retain(|waiter| !waiter.sender.sends_to(&inbox));
        drop(state);
        Ok(received?.ok_or(saturated)) // a permit that came too late is dropped with the inbox
    }

    /// Records that a request has left an attempt at this address, which goes on.
    pub(crate) fn record_abandoned(&self, address: &A) {
        if let Some(active) = self.state().find(address) {
            active.answers = false;
        }
    }

    /// Records the winner of a race, and the addresses that lost it.
    pub(crate) fn record_winner(&self, winner: &A, losers: &[A]) {
        let mut state = self.state();
        state.lost.retain(|(address, _)| address != winner && !losers.contains(address));
        let now = Instant::now();
        state.lost.extend(losers.iter().map(|loser| (loser.clone(), now)));
        state.forget_old(now);
    }

    /// Sorts the addresses that lost lately after the others; the sort is stable.
    pub(crate) fn sort_losers_last(&self, addresses: &mut [A]) {
        let mut state = self.state();
        state.forget_old(Instant::now());
        if !state.lost.is_empty() {
            addresses.sort_by_key(|address| state.lost.iter().any(|(lost, _)| lost == address));
        }
    }

    fn permit(&self, address: A) -> Permit<A> {
        Permit { permits: self.clone(), address, has_succeeded: false }
    }

    /// Grants permits to the queued requests that can have one now.
    fn grant_queued(&self, mut state: MutexGuard<'_, State<A>>) {
        let granted = state.grant();
        drop(state); // a waiter that has left drops its permit at once, which takes the lock
        for (sender, address) in granted {
            sender.send(self.permit(address));
        }
    }

    fn state(&self) -> MutexGuard<'_, State<A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Address> State<A> {
    fn find(&mut self, address: &A) -> Option<&mut Active<A>> {
        self.active.iter_mut().find(|active| active.address == *address)
    }

    fn has_room(&self, address: &A) -> bool {
        let active = self.active.iter().find(|active| active.address == *address);
        self.count < CONNECTS_MAX && active.is_none_or(|active| active.count < active.limit())
    }

    fn add(&mut self, address: &A) {
        self.count += 1;
        match self.find(address) {
            Some(active) => active.count += 1,
            None => self.active.push(Active { address: address.clone(), count: 1, answers: false }),
        }
    }

    fn remove(&mut self, address: &A) {
        self.count -= 1;
        if let Some(active) = self.find(address) {
            active.count -= 1;
        }
        self.active.retain(|active| active.count > 0);
    }

    /// Takes the waiters that can have a permit out of the queue, and counts their permits.
    fn grant(&mut self) -> Vec<(Sender<Permit<A>>, A)> {
        let mut granted = Vec::new();
        let mut at = 0;
        while self.count < CONNECTS_MAX && at < self.queue.len() {
            let free = self.queue[at].addresses.iter().find(|address| self.has_room(address)).cloned();
            match free {
                Some(address) => {
                    self.add(&address);
                    granted.extend(self.queue.remove(at).map(|waiter| (waiter.sender, address)));
                }
                None => at += 1,
            }
        }
        granted
    }

    /// Returns the limit that keeps a request for these addresses waiting.
    fn saturated(&self, addresses: &[A]) -> Saturated {
        let is_wanted = |active: &&Active<A>| addresses.contains(&active.address);
        let count: usize = self.active.iter().filter(is_wanted).map(|active| active.count).sum();
        if self.count < CONNECTS_MAX { Saturated::Address(count) } else { Saturated::Client(self.count) }
    }

    fn forget_old(&mut self, now: Instant) {
        let is_old = |(_, since): &(A, Instant)| now.saturating_duration_since(*since) >= LOST_FOR;
        while self.lost.len() > LOST_MAX || self.lost.front().is_some_and(is_old) {
            self.lost.pop_front();
        }
    }
}

impl<A> Active<A> {
    fn limit(&self) -> usize {
        if self.answers { ADDRESS_CONNECTS_MAX } else { UNANSWERED_MAX }
    }
}

impl<A: Address> Permit<A> {
    /// Returns the permit after an attempt that has connected; a drop stands for one that has failed.
    pub(crate) fn succeed(mut self) {
        self.has_succeeded = true;
    }
}

impl<A: Address> Drop for Permit<A> {
    fn drop(&mut self) {
        let mut state = self.permits.state();
        if let (true, Some(active)) = (self.has_succeeded, state.find(&self.address)) {
            active.answers = true;
        }
        state.remove(&self.address);
        self.permits.grant_queued(state);
    }
}

impl<A: Address> Default for Permits<A> {
    fn default() -> Permits<A> {
        Permits(Arc::default())
    }
}

impl<A: Address> Default for State<A> {
    fn default() -> State<A> {
        State { count: 0, active: Vec::new(), queue: VecDeque::new(), lost: VecDeque::new() }
    }
}

#[cfg(all(test, not(longwire_model)))]
mod tests {
    use super::*;

    /// Acquires that many permits.
    fn take(permits: &Permits<usize>, address: usize, count: usize) -> Vec<Permit<usize>> {
        let taken: Vec<_> = (0..count).map_while(|_| permits.try_acquire(&address)).collect();
        assert_eq!(taken.len(), count, "for {address}");
        taken
    }

    /// The waiters in the queue, by the first address that they want.
    fn queued(permits: &Permits<usize>) -> Vec<usize> {
        permits.state().queue.iter().map(|waiter| waiter.addresses[0]).collect()
    }

    /// Queues a waiter, which never leaves.
    fn enqueue(permits: &Permits<usize>, addresses: &[usize]) -> Inbox<Permit<usize>> {
        let inbox = Inbox::new();
        let mut state = permits.state();
        state.queue.push_back(Waiter { addresses: addresses.to_vec(), sender: inbox.sender() });
        permits.grant_queued(state);
        inbox
    }

    /// The permit that was sent to the waiter, if one was.
    fn granted(inbox: &Inbox<Permit<usize>>) -> Option<Permit<usize>> {
        inbox.recv(Deadline::after(Duration::ZERO), None).expect("no token")
    }

    #[test]
    fn an_address_that_has_not_answered_has_four_and_one_that_has_half_of_all() {
        let permits = Permits::default();
        let mut taken = take(&permits, 1, UNANSWERED_MAX);
        assert!(permits.try_acquire(&1).is_none());
        drop(taken.pop());
        taken.extend(take(&permits, 1, 1));
        assert!(permits.try_acquire(&1).is_none(), "a failure is no answer");
        taken.pop().unwrap().succeed();
        taken.extend(take(&permits, 1, ADDRESS_CONNECTS_MAX - taken.len()));
        assert!(permits.try_acquire(&1).is_none());
        drop(taken);
        let _again = take(&permits, 1, UNANSWERED_MAX);
        assert!(permits.try_acquire(&1).is_none(), "what it answered is over");
    }

    #[test]
    fn an_address_whose_attempts_are_abandoned_has_not_answered() {
        let permits = Permits::default();
        let mut taken = take(&permits, 1, 2);
        taken.pop().unwrap().succeed();
        permits.record_abandoned(&1);
        permits.record_abandoned(&2); // which has none
        taken.extend(take(&permits, 1, UNANSWERED_MAX - 1));
        assert!(permits.try_acquire(&1).is_none());
    }

    #[test]
    fn there_are_64_in_all() {
        let permits = Permits::default();
        let mut taken: Vec<_> = (0..CONNECTS_MAX).flat_map(|address| take(&permits, address, 1)).collect();
        assert!(permits.try_acquire(&99).is_none());
        taken.pop();
        assert_eq!(take(&permits, 99, 1).len(), 1);
    }

    #[test]
    fn the_first_in_the_queue_that_can_have_it_gets_what_becomes_free() {
        let permits = Permits::default();
        let mut others: Vec<_> = (100..160).flat_map(|address| take(&permits, address, 1)).collect();
        let mut silent = take(&permits, 1, UNANSWERED_MAX);
        let [first, second, third] = [&[1][..], &[2, 3], &[1, 3]].map(|wants| enqueue(&permits, wants));
        assert_eq!(queued(&permits), [1, 2, 1]);
        others.pop();
        let two = granted(&second).expect("the first one's address has too many, and this one's has none");
        assert_eq!((two.address, queued(&permits)), (2, vec![1, 1]));
        silent.pop();
        let one = granted(&first).expect("its turn");
        assert_eq!((one.address, queued(&permits)), (1, vec![1]));
        drop(two);
        assert_eq!(granted(&third).map(|permit| permit.address), Some(3), "the first of its addresses that is free");
        assert!(queued(&permits).is_empty());
    }

    #[test]
    fn the_first_answer_lets_the_queue_through() {
        let permits = Permits::default();
        let mut taken = take(&permits, 1, UNANSWERED_MAX);
        let waiting = [(); 6].map(|()| enqueue(&permits, &[1]));
        taken.pop().unwrap().succeed();
        let all = waiting.each_ref().map(granted);
        assert!(all.iter().all(Option::is_some) && queued(&permits).is_empty());
    }

    #[test]
    fn a_permit_for_a_waiter_that_has_left_goes_to_the_next() {
        let permits = Permits::default();
        let mut taken = take(&permits, 1, UNANSWERED_MAX);
        let [gone, also_gone, next] = [(); 3].map(|()| enqueue(&permits, &[1]));
        drop(gone); // between its timeout and its leaving the queue
        taken.pop();
        drop(also_gone); // with a permit in its inbox
        assert!(granted(&next).is_some());
        drop(next);
        drop(taken);
        assert_eq!(permits.state().count, 0);
    }

    #[test]
    fn a_waiter_that_times_out_or_is_cancelled_leaves_the_queue_and_reports_the_limit() {
        let permits = Permits::default();
        let soon = || Deadline::after(Duration::from_millis(1));
        let mut taken = take(&permits, 1, UNANSWERED_MAX);
        let late = permits.acquire(&[1], soon(), None).unwrap().err();
        assert_eq!(late, Some(Saturated::Address(UNANSWERED_MAX)));
        let token = CancelToken::new();
        token.cancel();
        assert!(permits.acquire(&[1], Deadline::none(), Some(&token)).is_err_and(|error| error.is_cancelled()));
        taken.extend((0..CONNECTS_MAX - UNANSWERED_MAX).flat_map(|address| take(&permits, 10 + address, 1)));
        let late = permits.acquire(&[5], soon(), None).unwrap().err();
        assert_eq!(late, Some(Saturated::Client(CONNECTS_MAX)));
        assert!(queued(&permits).is_empty());
    }

    #[test]
    fn an_address_that_lost_is_last_until_it_wins_or_ten_minutes_are_over() {
        let permits = Permits::default();
        let sorted = |permits: &Permits<usize>| {
            let mut addresses = [1, 2, 3, 4];
            permits.sort_losers_last(&mut addresses);
            addresses
        };
        permits.record_winner(&3, &[2, 1]);
        assert_eq!(sorted(&permits), [3, 4, 1, 2]);
        permits.record_winner(&1, &[]);
        assert_eq!(sorted(&permits), [1, 3, 4, 2]);
        let later = Instant::now() + LOST_FOR;
        permits.state().forget_old(later - Duration::from_secs(1));
        assert_eq!(sorted(&permits), [1, 3, 4, 2]);
        permits.state().forget_old(later);
        assert_eq!(sorted(&permits), [1, 2, 3, 4]);
    }

    #[test]
    fn of_the_losers_256_are_remembered_each_once() {
        let permits = Permits::default();
        let losers: Vec<usize> = (1..=LOST_MAX).collect();
        permits.record_winner(&0, &losers);
        permits.record_winner(&0, &[1]);
        assert_eq!(permits.state().lost.len(), LOST_MAX);
        permits.record_winner(&0, &[1000]);
        let state = permits.state();
        let remembered: Vec<usize> = state.lost.iter().map(|(address, _)| *address).collect();
        assert_eq!((remembered.len(), remembered[0]), (LOST_MAX, 3), "2 lost longest ago");
        assert_eq!(remembered[LOST_MAX - 2..], [1, 1000]);
    }
}

/// What only threads can show, under the model checker of `net::pool::model`: no permit is lost on the
/// way to a waiter that leaves the queue, and no waiter stays in it for ever.
#[cfg(all(test, longwire_model))]
mod model {
    use super::*;
    use shuttle::thread;

    const SCHEDULES: usize = 2000;

    fn explore(scenario: fn()) {
        shuttle::check_random(scenario, SCHEDULES);
        shuttle::check_pct(scenario, SCHEDULES, 3);
    }

    #[test]
    fn waiters_get_what_becomes_free_though_others_leave_the_queue_meanwhile() {
        explore(|| {
            let permits = Permits::default();
            let held: Vec<_> = (0..UNANSWERED_MAX).map_while(|_| permits.try_acquire(&1)).collect();
            let token = CancelToken::new();
            let waiter = |deadline, token: Option<CancelToken>| {
                let permits = permits.clone();
                thread::spawn(move || {
                    let acquired = permits.acquire(&[1], deadline, token.as_ref());
                    acquired.is_ok_and(|permit| permit.is_ok())
                })
            };
            let impatient = waiter(Deadline::after(Duration::from_millis(1)), None);
            let cancelled = waiter(Deadline::none(), Some(token.clone()));
            let patient = [(); 2].map(|()| waiter(Deadline::none(), None));
            let cancel = thread::spawn(move || token.cancel());
            for (index, permit) in held.into_iter().enumerate() {
                if index == 1 {
                    permit.succeed();
                } else {
                    drop(permit);
                }
                permits.record_abandoned(&1);
            }
            assert!(patient.into_iter().all(|waiter| waiter.join().unwrap()), "no permit, with an empty queue");
            let _ = [impatient, cancelled].map(|waiter| waiter.join().unwrap());
            cancel.join().unwrap();
            let state = permits.state();
            assert_eq!((state.count, state.active.len(), state.queue.len()), (0, 0, 0));
        });
    }
}
