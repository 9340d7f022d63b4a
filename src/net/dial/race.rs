//! Connecting to one of a name's addresses (RFC 8305 §5, "Happy Eyeballs"). Knows no sockets: how an
//! attempt is made, and the error of a race that fails, are the caller's.
//!
//! # How it works
//!
//! The addresses are tried in their order. The next attempt starts as soon as one fails, or when those
//! under way have had [`ATTEMPT_DELAY`], or their share of a time that is shorter; the first attempt
//! that connects wins. Each attempt runs on a worker and sends its result to the race's inbox. A race
//! that is over abandons the attempts that are still under way: their results find no inbox, and a
//! socket among them is closed on its worker.
//!
//! An attempt needs a permit (`permits`). An address that gets none is passed over for the next one and
//! tried again later, at the latest when the attempts under way have had their time. Only a race that
//! has no attempt under way queues, for all its untried addresses at once. So a race never waits in the
//! queue while something could come of an attempt, and never holds a permit while it is queued.
//!
//! An address that lost is tried last for some minutes; one that was abandoned counts as one that has
//! not answered. A race of one address is how a connect is made that can be abandoned.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
use crate::net::dial::permits::{Address, Permit, Permits, Saturated};
use crate::net::worker::{self, Inbox, Sender};

/// RFC 8305 §5: the Connection Attempt Delay.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Why there is no winner.
pub(crate) enum RaceError<A> {
    Cancelled(Error),
    /// Every attempt failed.
    AllFailed(Vec<(A, io::Error)>),
    /// The deadline passed. These attempts had failed, and this kept the race in the queue, if it was
    /// there.
    TimedOut(Vec<(A, io::Error)>, Option<Saturated>),
}

/// Makes one attempt. It may return after its deadline.
pub(crate) type ConnectFn<A, S> = Arc<dyn Fn(&A, Deadline) -> io::Result<S> + Send + Sync>;

/// An address, and the result of the attempt.
type Attempted<A, S> = (A, io::Result<S>);

/// Connects to one of `addresses`, the first one best.
pub(crate) fn run<A: Address, S: Send + 'static>(
    permits: &Permits<A>,
    addresses: &[A],
    connect: &ConnectFn<A, S>,
    deadline: Deadline,
    token: Option<&CancelToken>,
) -> Result<S, RaceError<A>> {
    let mut race = Race { permits, untried: addresses.to_vec(), pending: Vec::new(), failed: Vec::new() };
    permits.sort_losers_last(&mut race.untried);
    let inbox = Inbox::new();
    while !race.is_lost() {
        let mut limit = deadline;
        if let Some(permit) = race.next_permit(deadline, token)? {
            race.pending.push(permit.address.clone());
            limit = deadline.share(race.untried.len() as u32 + 1);
            start(permit, connect.clone(), deadline, inbox.sender());
        }
        match inbox.recv(race.next_attempt(limit), token).map_err(RaceError::Cancelled)? {
            Some((address, Ok(stream))) => {
                race.win(&address);
                return Ok(stream);
            }
            Some((address, Err(error))) => race.fail(address, error),
            None if deadline.has_passed() => return Err(RaceError::TimedOut(race.take_failed(), None)),
            None => {}
        }
    }
    Err(RaceError::AllFailed(race.take_failed()))
}

/// Starts an attempt on a worker, which sends the result.
fn start<A: Address, S: Send + 'static>(
    permit: Permit<A>,
    connect: ConnectFn<A, S>,
    deadline: Deadline,
    sender: Sender<Attempted<A, S>>,
) {
    let (address, of_worker) = (permit.address.clone(), sender.clone());
    let attempt = move || {
        let address = permit.address.clone();
        let connected = connect(&address, deadline);
        // Returned before the result is sent: a waiter for it goes on first.
        match &connected {
            Ok(_) => permit.succeed(),
            Err(_) => drop(permit),
        }
        of_worker.send((address, connected));
    };
    if let Err(error) = worker::spawn("longwire-connect", Box::new(attempt)) {
        let error = io::Error::new(error.kind(), format!("no thread for the attempt: {error}"));
        sender.send((address, Err(error))); // as an attempt that failed
    }
}

/// Describes a race that timed out: what it was doing, and the attempts that had failed.
pub(crate) fn describe_timeout<A: fmt::Display>(failed: &[(A, io::Error)], queued: Option<Saturated>) -> String {
    let doing = queued.map_or_else(|| "connecting".to_owned(), |saturated| saturated.to_string());
    let failed = list(&mut failed.iter().filter(|(_, error)| !is_timeout(error)));
    if failed.is_empty() { doing } else { format!("{doing} ({failed})") }
}

/// Lists attempts that failed, and why.
pub(crate) fn list<'f, A: fmt::Display + 'f>(failed: &mut dyn Iterator<Item = &'f (A, io::Error)>) -> String {
    let mut list = String::new();
    for (address, error) in failed {
        let before = if list.is_empty() { "" } else { "; " };
        list += &format!("{before}{address}: {error}");
    }
    list
}

/// Returns whether the time that an attempt was given is over. The system's own ETIMEDOUT, for an
/// address that has not answered for minutes, is a failure like a refusal.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none()
}

struct Race<'p, A: Address> {
    permits: &'p Permits<A>,
    /// In the order in which they will be tried.
    untried: Vec<A>,
    /// With an attempt under way.
    pending: Vec<A>,
    failed: Vec<(A, io::Error)>,
}

impl<A: Address> Race<'_, A> {
    fn is_lost(&self) -> bool {
        self.untried.is_empty() && self.pending.is_empty()
    }

    /// Returns the permit for the next attempt; `None` if there is none now, and the race can wait for
    /// the attempts under way.
    fn next_permit(
        &mut self,
        deadline: Deadline,
        token: Option<&CancelToken>,
    ) -> Result<Option<Permit<A>>, RaceError<A>> {
        let mut permit = self.untried.iter().find_map(|address| self.permits.try_acquire(address));
        if permit.is_none() && self.pending.is_empty() {
            let waited = self.permits.acquire(&self.untried, deadline, token).map_err(RaceError::Cancelled)?;
            permit = Some(waited.map_err(|saturated| RaceError::TimedOut(self.take_failed(), Some(saturated)))?);
        }
        if let Some(permit) = &permit {
            self.untried.retain(|address| *address != permit.address);
        }
        Ok(permit)
    }

    /// When the next attempt starts, if none of those under way ends before; `limit` if there is no next.
    fn next_attempt(&self, limit: Deadline) -> Deadline {
        if self.untried.is_empty() { limit } else { limit.or_sooner(Deadline::after(ATTEMPT_DELAY)) }
    }

    fn fail(&mut self, address: A, error: io::Error) {
        self.pending.retain(|other| *other != address);
        self.failed.push((address, error));
    }

    fn win(&mut self, winner: &A) {
        self.pending.retain(|other| other != winner);
        let mut losers = self.pending.clone();
        losers.extend(self.failed.iter().map(|(address, _)| address.clone()));
        self.permits.record_winner(winner, &losers);
    }

    fn take_failed(&mut self) -> Vec<(A, io::Error)> {
        std::mem::take(&mut self.failed)
    }
}

impl<A: Address> Drop for Race<'_, A> {
    fn drop(&mut self) {
        self.pending.iter().for_each(|address| self.permits.record_abandoned(address));
    }
}

#[cfg(all(test, not(longwire_model)))]
mod tests {
    use super::*;
    use crate::net::worker::UNANSWERED_MAX;
    use std::sync::{Condvar, Mutex};
    use std::thread;

    /// A network in which the test decides when a silent address answers, and sees what was tried.
    #[derive(Clone, Default)]
    struct Network(Arc<(Mutex<State>, Condvar)>);

    #[derive(Default)]
    struct State {
        tried: Vec<u32>,
        live: usize,
        live_max: usize,
        answers: bool,
    }

    const SILENT: u32 = 0;
    const OUT_OF_FILES: i32 = 24; // EMFILE

    impl Network {
        /// An attempt at an address that is silent, refuses (odd), or answers with its own number.
        fn connect(&self) -> ConnectFn<u32, u32> {
            let network = self.clone();
            Arc::new(move |address, deadline| {
                let (state, changed) = &*network.0;
                let mut state = state.lock().unwrap();
                state.tried.push(*address);
                match *address {
                    SILENT => {
                        state.live += 1;
                        state.live_max = state.live_max.max(state.live);
                        changed.notify_all();
                        let left = deadline.remaining().unwrap_or(Duration::from_secs(20));
                        let (mut state, late) =
                            changed.wait_timeout_while(state, left, |state| !state.answers).unwrap();
                        state.live -= 1;
                        if late.timed_out() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(SILENT) }
                    }
                    odd if odd % 2 == 1 => Err(io::Error::from_raw_os_error(OUT_OF_FILES)),
                    even => Ok(even),
                }
            })
        }

        fn run(&self, permits: &Permits<u32>, addresses: &[u32], deadline: Deadline) -> Result<u32, RaceError<u32>> {
            run(permits, addresses, &self.connect(), deadline, None)
        }

        fn tried(&self) -> Vec<u32> {
            std::mem::take(&mut self.0.0.lock().unwrap().tried)
        }

        fn wait_for_live(&self, count: usize) {
            let (state, changed) = &*self.0;
            drop(changed.wait_while(state.lock().unwrap(), |state| state.live < count).unwrap());
        }

        fn answer(&self) {
            self.0.0.lock().unwrap().answers = true;
            self.0.1.notify_all();
        }
    }

    /// All permits that a silent address has.
    fn all_of(permits: &Permits<u32>, address: u32) -> Vec<Permit<u32>> {
        (0..UNANSWERED_MAX).map_while(|_| permits.try_acquire(&address)).collect()
    }

    #[track_caller]
    fn won(outcome: Result<u32, RaceError<u32>>, by: u32) {
        assert_eq!(outcome.ok(), Some(by));
    }

    #[test]
    fn the_next_address_is_tried_when_one_fails_and_the_last_error_is_kept_with_the_others() {
        let (network, permits) = (Network::default(), Permits::default());
        won(network.run(&permits, &[1, 3, 2, 4], Deadline::none()), 2);
        assert_eq!(network.tried(), [1, 3, 2]);
        won(network.run(&permits, &[1, 3, 2, 4], Deadline::none()), 2);
        assert_eq!(network.tried(), [2], "the others lost");
        let Err(RaceError::AllFailed(failed)) = network.run(&permits, &[5, 7, 5], Deadline::none()) else {
            panic!("no address answers")
        };
        assert_eq!(failed.iter().map(|(address, _)| *address).collect::<Vec<_>>(), [5, 7]);
        assert!(
            matches!(network.run(&permits, &[], Deadline::none()), Err(RaceError::AllFailed(none)) if none.is_empty())
        );
    }

    /// Races until an attempt fails before the time is over, which is longer each time: a worker may be late.
    fn race_in_which_one_fails(addresses: [u32; 2]) -> (Vec<(u32, io::Error)>, Option<Saturated>) {
        let outcomes = (0..10).map(|nth| {
            let (network, permits) = (Network::default(), Permits::default());
            let _others = all_of(&permits, 2);
            network.run(&permits, &addresses, Deadline::after(Duration::from_millis(20 << nth)))
        });
        let mut failed = outcomes.map(|outcome| match outcome {
            Err(RaceError::TimedOut(failed, queued)) => (failed, queued),
            Err(RaceError::AllFailed(failed)) => (failed, None),
            _ => panic!("no address answers, and nobody cancels"),
        });
        failed
            .find(|(failed, _)| failed.iter().any(|(address, _)| *address == 1))
            .expect("a worker is not ten seconds late")
    }

    #[test]
    fn what_had_failed_is_reported_when_time_runs_out() {
        let errno = io::Error::from_raw_os_error(OUT_OF_FILES);
        let (failed, queued) = race_in_which_one_fails([1, SILENT]);
        assert!(queued.is_none());
        assert_eq!(describe_timeout(&failed, None), format!("connecting (1: {errno})"));
        assert_eq!(describe_timeout(&failed[..0], None), "connecting");
        let (failed, queued) = race_in_which_one_fails([1, 2]);
        let expected = format!("queued to connect, with 4 unanswered attempts under way (1: {errno})");
        assert_eq!(describe_timeout(&failed, queued), expected);
    }

    #[test]
    fn an_address_without_a_permit_is_passed_over_at_once_and_waited_for_if_there_is_no_other() {
        let (network, permits) = (Network::default(), Permits::default());
        let mut others = all_of(&permits, 2);
        won(network.run(&permits, &[2, 4], Deadline::none()), 4);
        assert_eq!(network.tried(), [4]);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| network.run(&permits, &[2], Deadline::none()));
            others.pop();
            won(waiting.join().unwrap(), 2);
        });
    }

    #[test]
    fn a_race_with_an_attempt_under_way_waits_for_that_though_the_rest_gets_no_permit() {
        let (network, permits) = (Network::default(), Permits::default());
        let _others = all_of(&permits, 2);
        thread::scope(|scope| {
            let racing = scope.spawn(|| network.run(&permits, &[SILENT, 2], Deadline::none()));
            network.wait_for_live(1);
            network.answer();
            won(racing.join().unwrap(), SILENT);
        });
        assert_eq!(network.tried(), [SILENT]);
    }

    #[test]
    fn an_abandoned_attempt_makes_its_address_one_that_has_not_answered() {
        let (network, permits) = (Network::default(), Permits::default());
        let _held = permits.try_acquire(&SILENT);
        permits.try_acquire(&SILENT).unwrap().succeed();
        let token = CancelToken::new();
        token.cancel();
        let outcome = run(&permits, &[SILENT], &network.connect(), Deadline::none(), Some(&token));
        assert!(matches!(outcome, Err(RaceError::Cancelled(_))));
        assert_eq!(all_of(&permits, SILENT).len(), UNANSWERED_MAX - 2);
    }

    #[test]
    fn many_threads_keep_four_workers_at_a_silent_address_when_they_leave() {
        let (network, permits) = (Network::default(), Permits::default());
        thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| won(network.run(&permits, &[SILENT, 2], Deadline::none()), 2));
            }
        });
        let token = CancelToken::new();
        thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| {
                    let outcome = run(&permits, &[SILENT], &network.connect(), Deadline::none(), Some(&token));
                    assert!(matches!(outcome, Err(RaceError::Cancelled(error)) if error.is_cancelled()));
                });
            }
            network.wait_for_live(UNANSWERED_MAX);
            token.cancel();
        });
        let state = network.0.0.lock().unwrap();
        assert_eq!((state.live, state.live_max), (UNANSWERED_MAX, UNANSWERED_MAX));
    }
}
