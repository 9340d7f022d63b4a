//! A race among the addresses of one name (RFC 8305 §5): one after the other, the next one as soon as
//! one fails or has not answered for a while; the first that connects wins.
//!
//! Each attempt runs on a helper thread, which is left alone once the race is over. What may have one
//! now is decided by the permits: an address that gets none is passed over for the next, and comes
//! again later; where none at all gets one and nothing is under way, the race waits in line. A race of
//! one address is how a connect is made that can be left alone.
//!
//! Knows no sockets: how an attempt is made, and who it was that did not answer, is the caller's.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::error::Error;
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
use crate::net::dial::permits::{Address, Behind, Permit, Permits};
use crate::net::helper::{self, Mailbox, Slot};

/// RFC 8305 §5: the Connection Attempt Delay.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Why nobody won.
pub(crate) enum Defeat<A> {
    Cancelled(Error),
    /// Every attempt failed.
    Failed(Vec<(A, io::Error)>),
    /// Time ran out. These had failed, and the race waited in line, if it did.
    Late(Vec<(A, io::Error)>, Option<Behind>),
}

/// One address and what came of it.
type Attempt<A, S> = (A, io::Result<S>);

/// Connects to one of `addresses`, the first one best. `connect` makes one attempt, and need not give
/// it up before its deadline.
pub(crate) fn run<A: Address, S: Send + 'static>(
    permits: &Permits<A>,
    addresses: &[A],
    connect: impl Fn(&A, Deadline) -> io::Result<S> + Clone + Send + 'static,
    deadline: Deadline,
    token: Option<&CancelToken>,
) -> Result<(A, S), Defeat<A>> {
    let mut race = Race { permits, untried: addresses.to_vec(), under_way: Vec::new(), failed: Vec::new() };
    permits.put_losers_last(&mut race.untried);
    let attempts = Mailbox::new();
    while !race.is_lost() {
        let permit = race.next(deadline, token)?;
        let has_started = permit.is_some();
        if let Some(permit) = permit {
            race.under_way.push(permit.address.clone());
            start(permit, connect.clone(), deadline, attempts.slot());
        }
        let patience = race.patience(has_started, deadline);
        match attempts.wait(patience, token).map_err(Defeat::Cancelled)? {
            Some((address, Ok(stream))) => {
                race.win(&address);
                return Ok((address, stream));
            }
            Some((address, Err(error))) => race.fail(address, error),
            None if deadline.has_passed() => return Err(Defeat::Late(race.take_failed(), None)),
            None => {}
        }
    }
    Err(Defeat::Failed(race.take_failed()))
}

/// Starts an attempt, which puts what comes of it into the slot.
fn start<A: Address, S: Send + 'static>(
    permit: Permit<A>,
    connect: impl Fn(&A, Deadline) -> io::Result<S> + Send + 'static,
    deadline: Deadline,
    slot: Slot<Attempt<A, S>>,
) {
    let (address, answer) = (permit.address.clone(), slot.clone());
    let attempt = move || {
        let connected = connect(&permit.address, deadline);
        answer.put((permit.end(connected.is_ok()), connected));
    };
    if let Err(error) = helper::start("longwire-connect", Box::new(attempt)) {
        let error = io::Error::new(error.kind(), format!("no thread for the attempt: {error}"));
        slot.put((address, Err(error))); // as good as an attempt that failed
    }
}

/// What is said of a race that came too late: what it was doing, and what had failed before.
pub(crate) fn late<A: fmt::Display>(failed: &[(A, io::Error)], behind: Option<Behind>) -> String {
    let doing = behind.map_or_else(|| "connecting".to_owned(), |behind| behind.to_string());
    let failed = failed.iter().filter(|(_, error)| !is_out_of_time(error));
    let failed: Vec<String> = failed.map(|(address, error)| format!("{address}: {error}")).collect();
    if failed.is_empty() { doing } else { format!("{doing} ({})", failed.join("; ")) }
}

/// Whether the time that an attempt was given is over. What the system says of an address that has not
/// answered for minutes (ETIMEDOUT) is no different from a refusal.
pub(crate) fn is_out_of_time(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none()
}

struct Race<'p, A: Address> {
    permits: &'p Permits<A>,
    /// In the order in which they will be.
    untried: Vec<A>,
    under_way: Vec<A>,
    failed: Vec<(A, io::Error)>,
}

impl<A: Address> Race<'_, A> {
    fn is_lost(&self) -> bool {
        self.untried.is_empty() && self.under_way.is_empty()
    }

    /// The permit for the next attempt; `None` if there is none now, and the race can wait for what is
    /// under way.
    fn next(&mut self, deadline: Deadline, token: Option<&CancelToken>) -> Result<Option<Permit<A>>, Defeat<A>> {
        let mut permit = self.untried.iter().find_map(|address| self.permits.try_acquire(address));
        if permit.is_none() && self.under_way.is_empty() {
            let waited = self.permits.acquire(&self.untried, deadline, token).map_err(Defeat::Cancelled)?;
            permit = Some(waited.map_err(|behind| Defeat::Late(self.take_failed(), Some(behind)))?);
        }
        if let Some(permit) = &permit {
            self.untried.retain(|address| *address != permit.address);
        }
        Ok(permit)
    }

    /// How long the attempts under way are waited for before there is another: for their share of a
    /// time that is short.
    fn patience(&self, has_started: bool, deadline: Deadline) -> Deadline {
        match self.untried.len() {
            0 => deadline,
            untried => {
                let share = if has_started { deadline.share(untried as u32 + 1) } else { deadline };
                share.or_sooner(Deadline::after(ATTEMPT_DELAY))
            }
        }
    }

    fn fail(&mut self, address: A, error: io::Error) {
        self.under_way.retain(|other| *other != address);
        self.failed.push((address, error));
    }

    fn win(&mut self, winner: &A) {
        self.under_way.retain(|other| other != winner);
        let failed = self.failed.iter().map(|(address, _)| address);
        let losers: Vec<A> = self.under_way.iter().chain(failed).cloned().collect();
        self.permits.record(winner, &losers);
    }

    fn take_failed(&mut self) -> Vec<(A, io::Error)> {
        std::mem::take(&mut self.failed)
    }
}

impl<A: Address> Drop for Race<'_, A> {
    fn drop(&mut self) {
        self.under_way.iter().for_each(|address| self.permits.give_up(address));
    }
}

#[cfg(all(test, not(longwire_model)))]
mod tests {
    use super::*;
    use crate::net::helper::UNANSWERED_MAX;
    use std::sync::{Arc, Condvar, Mutex};
    use std::thread;

    /// Where a test decides when a silent address answers, and sees what was tried.
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
        fn connect(&self) -> impl Fn(&u32, Deadline) -> io::Result<u32> + Clone + Send + use<> {
            let network = self.clone();
            move |address, deadline| {
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
            }
        }

        fn run(&self, permits: &Permits<u32>, addresses: &[u32], deadline: Deadline) -> Result<u32, Defeat<u32>> {
            run(permits, addresses, self.connect(), deadline, None).map(|(address, _)| address)
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
    fn won(outcome: Result<u32, Defeat<u32>>, by: u32) {
        assert_eq!(outcome.ok(), Some(by));
    }

    #[test]
    fn the_next_address_is_tried_when_one_fails_and_the_last_error_is_kept_with_the_others() {
        let (network, permits) = (Network::default(), Permits::default());
        won(network.run(&permits, &[1, 3, 2, 4], Deadline::none()), 2);
        assert_eq!(network.tried(), [1, 3, 2]);
        won(network.run(&permits, &[1, 3, 2, 4], Deadline::none()), 2);
        assert_eq!(network.tried(), [2], "the others lost");
        let Err(Defeat::Failed(failed)) = network.run(&permits, &[5, 7, 5], Deadline::none()) else {
            panic!("nobody answers")
        };
        assert_eq!(failed.iter().map(|(address, _)| *address).collect::<Vec<_>>(), [5, 7]);
        assert!(matches!(network.run(&permits, &[], Deadline::none()), Err(Defeat::Failed(none)) if none.is_empty()));
    }

    #[test]
    fn what_had_failed_is_told_when_time_runs_out() {
        let (network, permits) = (Network::default(), Permits::default());
        let soon = || Deadline::after(Duration::from_millis(20));
        let Err(defeat) = network.run(&permits, &[1, SILENT], soon()) else { panic!("nobody answers") };
        let (Defeat::Late(failed, None) | Defeat::Failed(failed)) = defeat else { panic!("it did not wait in line") };
        let errno = io::Error::from_raw_os_error(OUT_OF_FILES);
        assert_eq!(late(&failed, None), format!("connecting (1: {errno})"));
        assert_eq!(late(&failed[..0], None), "connecting");
        let _others = all_of(&permits, 2);
        let Err(Defeat::Late(failed, behind)) = network.run(&permits, &[1, 2], soon()) else {
            panic!("one fails, and the other has no permit")
        };
        let told = format!("waiting in line to connect, behind 4 attempts without an answer (1: {errno})");
        assert_eq!(late(&failed, behind), told);
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
    fn a_race_that_has_something_under_way_waits_for_that_though_the_rest_gets_no_permit() {
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
    fn an_attempt_that_is_given_up_makes_its_address_one_that_has_not_answered() {
        let (network, permits) = (Network::default(), Permits::default());
        let _held = permits.try_acquire(&SILENT);
        permits.try_acquire(&SILENT).map(|permit| permit.end(true));
        let token = CancelToken::new();
        token.cancel();
        let outcome = run(&permits, &[SILENT], network.connect(), Deadline::none(), Some(&token));
        assert!(matches!(outcome, Err(Defeat::Cancelled(_))));
        assert_eq!(all_of(&permits, SILENT).len(), UNANSWERED_MAX - 2);
    }

    #[test]
    fn a_crowd_keeps_four_helpers_at_a_silent_address_whoever_gives_up() {
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
                    let outcome = run(&permits, &[SILENT], network.connect(), Deadline::none(), Some(&token));
                    assert!(matches!(outcome, Err(Defeat::Cancelled(error)) if error.is_cancelled()));
                });
            }
            network.wait_for_live(UNANSWERED_MAX);
            token.cancel();
        });
        let state = network.0.0.lock().unwrap();
        assert_eq!((state.live, state.live_max), (UNANSWERED_MAX, UNANSWERED_MAX));
    }
}
