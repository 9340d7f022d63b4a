//! Which attempts to connect may have a helper thread now, who is next, and which addresses are
//! tried last. How many there may be, and why, is in `net::helper`.
//!
//! An address has few permits until it answers one of them, and few again once an attempt has been
//! given up: so a crowd that calls a dead address finds out at the cost of a handful of threads, and
//! one that calls a live address waits for the first answer and no longer.
//!
//! Knows nothing of sockets: an address is whatever can be compared.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
use crate::net::helper::{ADDRESS_CONNECTS_MAX, CONNECTS_MAX, Mailbox, Slot, UNANSWERED_MAX};
use crate::net::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long an address that lost a race is tried after those that did not.
const LOST_FOR: Duration = Duration::from_secs(10 * 60);

/// Addresses that are remembered for that; beyond, the one that lost longest ago is forgotten.
const LOST_MAX: usize = 256;

/// Where a connect may lead.
pub(crate) trait Address: Clone + Eq + Send + 'static {}

impl<A: Clone + Eq + Send + 'static> Address for A {}

/// The permits of one client.
#[derive(Clone)]
pub(crate) struct Permits<A: Address>(Arc<Mutex<State<A>>>);

struct State<A: Address> {
    /// Permits that are out.
    count: usize,
    /// The addresses that have any.
    busy: Vec<Busy<A>>,
    /// Requests that have none and wait for one, first come first served. None of them could have one
    /// now: whatever changes that hands them out (`settle`), so a newcomer overtakes nobody.
    queue: VecDeque<Waiting<A>>,
    /// The one that lost last is last.
    lost: VecDeque<(A, Instant)>,
}

struct Busy<A> {
    address: A,
    count: usize,
    /// An attempt has succeeded since the last one was given up.
    answers: bool,
}

struct Waiting<A: Address> {
    /// Any of them will do, the first one best.
    addresses: Vec<A>,
    slot: Slot<Permit<A>>,
}

/// Leave for one attempt at one address, until it is dropped.
pub(crate) struct Permit<A: Address> {
    permits: Permits<A>,
    pub(crate) address: A,
    succeeded: bool,
}

/// What a request waits behind that gets no permit: so many attempts that are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// To the addresses that it wants, which have not answered.
    SameAddress(usize),
    /// To any address: there are no helpers left.
    Any(usize),
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Behind::SameAddress(count) => {
                write!(f, "waiting in line to connect, behind {count} attempts without an answer")
            }
            Behind::Any(count) => write!(f, "waiting in line to connect, behind {count} attempts of other requests"),
        }
    }
}

impl<A: Address> Permits<A> {
    /// A permit for that address, if one is free.
    pub(crate) fn try_acquire(&self, address: &A) -> Option<Permit<A>> {
        let mut state = self.state();
        let is_free = state.has_room(address);
        is_free.then(|| {
            state.add(address);
            self.permit(address.clone())
        })
    }

    /// Waits in line for a permit for one of these addresses. `Err`: there was none until `deadline`
    /// passed; and a cancel is an error in it.
    pub(crate) fn acquire(
        &self,
        addresses: &[A],
        deadline: Deadline,
        token: Option<&CancelToken>,
    ) -> Result<Result<Permit<A>, Behind>> {
        let mailbox = Mailbox::new();
        let mut state = self.state();
        state.queue.push_back(Waiting { addresses: addresses.to_vec(), slot: mailbox.slot() });
        self.settle(state); // one may have become free meanwhile
        let waited = mailbox.wait(deadline, token);
        let mut state = self.state();
        let behind = state.behind(addresses);
        state.queue.retain(|waiting| !waiting.slot.is_of(&mailbox));
        drop(state);
        Ok(waited?.ok_or(behind)) // a permit that came too late is dropped with the mailbox
    }

    /// An attempt at this address goes on, and nobody waits for it any more.
    pub(crate) fn give_up(&self, address: &A) {
        if let Some(busy) = self.state().find(address) {
            busy.answers = false;
        }
    }

    /// Puts those last that lost lately, in their order as the others in theirs.
    pub(crate) fn put_losers_last(&self, addresses: &mut [A]) {
        let mut state = self.state();
        state.forget_old(Instant::now());
        if !state.lost.is_empty() {
            addresses.sort_by_key(|address| state.lost.iter().any(|(lost, _)| lost == address));
        }
    }

    /// This address won a race against those.
    pub(crate) fn record(&self, winner: &A, losers: &[A]) {
        let mut state = self.state();
        state.lost.retain(|(address, _)| address != winner && !losers.contains(address));
        let now = Instant::now();
        state.lost.extend(losers.iter().map(|loser| (loser.clone(), now)));
        state.forget_old(now);
    }

    fn permit(&self, address: A) -> Permit<A> {
        Permit { permits: self.clone(), address, succeeded: false }
    }

    /// Gives permits to those in line that can have one. They are sent without the lock: who has left
    /// meanwhile drops them, which takes it again.
    fn settle(&self, mut state: MutexGuard<'_, State<A>>) {
        let granted = state.grant();
        drop(state);
        for (slot, address) in granted {
            slot.put(self.permit(address));
        }
    }

    fn state(&self) -> MutexGuard<'_, State<A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Address> State<A> {
    fn find(&mut self, address: &A) -> Option<&mut Busy<A>> {
        self.busy.iter_mut().find(|busy| busy.address == *address)
    }

    fn has_room(&self, address: &A) -> bool {
        let busy = self.busy.iter().find(|busy| busy.address == *address);
        self.count < CONNECTS_MAX && busy.is_none_or(|busy| busy.count < busy.most())
    }

    fn add(&mut self, address: &A) {
        self.count += 1;
        match self.find(address) {
            Some(busy) => busy.count += 1,
            None => self.busy.push(Busy { address: address.clone(), count: 1, answers: false }),
        }
    }

    fn remove(&mut self, address: &A, succeeded: bool) {
        self.count -= 1;
        if let Some(busy) = self.find(address) {
            busy.count -= 1;
            busy.answers |= succeeded;
        }
        self.busy.retain(|busy| busy.count > 0);
    }

    /// Takes those out of the queue that can have a permit, and counts it.
    fn grant(&mut self) -> Vec<(Slot<Permit<A>>, A)> {
        let mut granted = Vec::new();
        let mut at = 0;
        while self.count < CONNECTS_MAX && at < self.queue.len() {
            let free = self.queue[at].addresses.iter().find(|address| self.has_room(address)).cloned();
            match free {
                Some(address) => {
                    self.add(&address);
                    granted.extend(self.queue.remove(at).map(|waiting| (waiting.slot, address)));
                }
                None => at += 1,
            }
        }
        granted
    }

    fn behind(&self, addresses: &[A]) -> Behind {
        let held_by = |busy: &&Busy<A>| addresses.contains(&busy.address);
        let same: usize = self.busy.iter().filter(held_by).map(|busy| busy.count).sum();
        if self.count < CONNECTS_MAX { Behind::SameAddress(same) } else { Behind::Any(self.count) }
    }

    fn forget_old(&mut self, now: Instant) {
        let is_old = |(_, since): &(A, Instant)| now.saturating_duration_since(*since) >= LOST_FOR;
        while self.lost.len() > LOST_MAX || self.lost.front().is_some_and(is_old) {
            self.lost.pop_front();
        }
    }
}

impl<A> Busy<A> {
    fn most(&self) -> usize {
        if self.answers { ADDRESS_CONNECTS_MAX } else { UNANSWERED_MAX }
    }
}

impl<A: Address> Permit<A> {
    /// The attempt is over.
    pub(crate) fn end(mut self, succeeded: bool) -> A {
        self.succeeded = succeeded;
        self.address.clone()
    }
}

impl<A: Address> Drop for Permit<A> {
    fn drop(&mut self) {
        let mut state = self.permits.state();
        state.remove(&self.address, self.succeeded);
        self.permits.settle(state);
    }
}

impl<A: Address> Default for Permits<A> {
    fn default() -> Permits<A> {
        Permits(Arc::default())
    }
}

impl<A: Address> Default for State<A> {
    fn default() -> State<A> {
        State { count: 0, busy: Vec::new(), queue: VecDeque::new(), lost: VecDeque::new() }
    }
}

#[cfg(all(test, not(longwire_model)))]
mod tests {
    use super::*;

    /// That many permits.
    fn take(permits: &Permits<usize>, address: usize, count: usize) -> Vec<Permit<usize>> {
        let taken: Vec<_> = (0..count).map_while(|_| permits.try_acquire(&address)).collect();
        assert_eq!(taken.len(), count, "for {address}");
        taken
    }

    /// Who stands in line, by the first address that they want.
    fn in_line(permits: &Permits<usize>) -> Vec<usize> {
        permits.state().queue.iter().map(|waiting| waiting.addresses[0]).collect()
    }

    /// Puts somebody in line, who never gives up.
    fn queue_up(permits: &Permits<usize>, addresses: &[usize]) -> Mailbox<Permit<usize>> {
        let mailbox = Mailbox::new();
        let mut state = permits.state();
        state.queue.push_back(Waiting { addresses: addresses.to_vec(), slot: mailbox.slot() });
        permits.settle(state);
        mailbox
    }

    /// The address of the permit that was sent there, if one was; and keeps it.
    fn sent(mailbox: &Mailbox<Permit<usize>>) -> Option<Permit<usize>> {
        mailbox.wait(Deadline::after(Duration::ZERO), None).expect("no token")
    }

    #[test]
    fn an_address_that_has_not_answered_has_four_and_one_that_has_half_of_all() {
        let permits = Permits::default();
        let mut taken = take(&permits, 1, UNANSWERED_MAX);
        assert!(permits.try_acquire(&1).is_none());
        assert_eq!(taken.pop().map(|permit| permit.end(false)), Some(1));
        taken.extend(take(&permits, 1, 1));
        assert!(permits.try_acquire(&1).is_none(), "a failure is no answer");
        taken.pop().map(|permit| permit.end(true));
        taken.extend(take(&permits, 1, ADDRESS_CONNECTS_MAX - taken.len()));
        assert!(permits.try_acquire(&1).is_none());
        drop(taken);
        let _again = take(&permits, 1, UNANSWERED_MAX);
        assert!(permits.try_acquire(&1).is_none(), "what it answered is long over");
    }

    #[test]
    fn an_address_whose_attempts_are_given_up_has_not_answered() {
        let permits = Permits::default();
        let mut taken = take(&permits, 1, 2);
        taken.pop().map(|permit| permit.end(true));
        permits.give_up(&1);
        permits.give_up(&2); // which has none
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
    fn the_first_in_line_that_can_have_it_gets_what_becomes_free() {
        let permits = Permits::default();
        let mut others: Vec<_> = (100..160).flat_map(|address| take(&permits, address, 1)).collect();
        let mut silent = take(&permits, 1, UNANSWERED_MAX);
        let [first, second, third] = [&[1][..], &[2, 3], &[1, 3]].map(|wants| queue_up(&permits, wants));
        assert_eq!(in_line(&permits), [1, 2, 1]);
        others.pop();
        let two = sent(&second).expect("the first one's address has too many, and this one's has none");
        assert_eq!((two.address, in_line(&permits)), (2, vec![1, 1]));
        silent.pop();
        let one = sent(&first).expect("its turn");
        assert_eq!((one.address, in_line(&permits)), (1, vec![1]));
        drop(two);
        assert_eq!(sent(&third).map(|permit| permit.address), Some(3), "the first of its addresses that is free");
        assert!(in_line(&permits).is_empty());
    }

    #[test]
    fn the_first_answer_lets_those_in_line_through() {
        let permits = Permits::default();
        let mut taken = take(&permits, 1, UNANSWERED_MAX);
        let waiting = [(); 6].map(|()| queue_up(&permits, &[1]));
        taken.pop().map(|permit| permit.end(true));
        let all = waiting.each_ref().map(sent);
        assert!(all.iter().all(Option::is_some) && in_line(&permits).is_empty());
    }

    #[test]
    fn a_permit_for_somebody_who_has_left_goes_to_the_next() {
        let permits = Permits::default();
        let mut taken = take(&permits, 1, UNANSWERED_MAX);
        let [gone, also_gone, next] = [(); 3].map(|()| queue_up(&permits, &[1]));
        drop(gone); // in between time running out and leaving the line
        taken.pop();
        drop(also_gone); // with a permit in its mailbox
        assert!(sent(&next).is_some());
        drop(next);
        drop(taken);
        assert_eq!(permits.state().count, 0);
    }

    #[test]
    fn whoever_runs_out_of_time_or_is_cancelled_in_line_leaves_it_and_says_what_was_before() {
        let permits = Permits::default();
        let soon = || Deadline::after(Duration::from_millis(1));
        let mut taken = take(&permits, 1, UNANSWERED_MAX);
        let late = permits.acquire(&[1], soon(), None).unwrap().err();
        assert_eq!(late, Some(Behind::SameAddress(UNANSWERED_MAX)));
        let token = CancelToken::new();
        token.cancel();
        assert!(permits.acquire(&[1], Deadline::none(), Some(&token)).is_err_and(|error| error.is_cancelled()));
        taken.extend((0..CONNECTS_MAX - UNANSWERED_MAX).flat_map(|address| take(&permits, 10 + address, 1)));
        let late = permits.acquire(&[5], soon(), None).unwrap().err();
        assert_eq!(late, Some(Behind::Any(CONNECTS_MAX)));
        assert!(in_line(&permits).is_empty());
    }

    #[test]
    fn an_address_that_lost_is_last_until_it_wins_or_ten_minutes_are_over() {
        let permits = Permits::default();
        let sorted = |permits: &Permits<usize>| {
            let mut addresses = [1, 2, 3, 4];
            permits.put_losers_last(&mut addresses);
            addresses
        };
        permits.record(&3, &[2, 1]);
        assert_eq!(sorted(&permits), [3, 4, 1, 2]);
        permits.record(&1, &[]);
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
        permits.record(&0, &losers);
        permits.record(&0, &[1]);
        assert_eq!(permits.state().lost.len(), LOST_MAX);
        permits.record(&0, &[1000]);
        let state = permits.state();
        let remembered: Vec<usize> = state.lost.iter().map(|(address, _)| *address).collect();
        assert_eq!((remembered.len(), remembered[0]), (LOST_MAX, 3), "2 lost longest ago");
        assert_eq!(remembered[LOST_MAX - 2..], [1, 1000]);
    }
}

/// What only threads can show, under the model checker of `net::pool::model`: no permit is lost on the
/// way to somebody who leaves the line, and nobody stands in it for ever.
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
    fn those_in_line_get_what_becomes_free_whoever_leaves_it_meanwhile() {
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
                permit.end(index == 1);
                permits.give_up(&1);
            }
            assert!(patient.into_iter().all(|waiter| waiter.join().unwrap()), "no permit, and nobody before it");
            let _ = [impatient, cancelled].map(|waiter| waiter.join().unwrap());
            cancel.join().unwrap();
            let state = permits.state();
            assert_eq!((state.count, state.busy.len(), state.queue.len()), (0, 0, 0));
        });
    }
}
