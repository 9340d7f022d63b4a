//! The pool under a model checker: small groups of threads check connections out and in, wait and cancel,
//! and a scheduler of shuttle decides at every lock and every wait which thread goes on. A schedule in
//! which all stand still (a deadlock, a lost wake-up) is found by the checker; everything else is asserted
//! here, at every event and at the end of every schedule.
//!
//! `RUSTFLAGS='--cfg longwire_model' cargo test --lib net::pool::model` runs it; the schedules are the
//! same each time. `LONGWIRE_MODEL_SCHEDULES=100000 SHUTTLE_RANDOM_SEED=7` runs more, and others.
//!
//! The connections are doubles that never wait. Whenever they or the observer are called, they ask for the
//! pool's statistics, which deadlocks if its lock is held meanwhile.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::panicking;
use std::time::{Duration, Instant};

use shuttle::rand::Rng;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::thread::JoinHandle;
use shuttle::{rand, thread};

use crate::error::{Error, ErrorKind, Result};
use crate::net::cancel::{CancelToken, Hook};
use crate::net::conn::{Conn, Limits};
use crate::net::pool::lease::Lease;
use crate::net::pool::{Checkout, Pool, PoolLimits, PoolStats, Wanted};
use crate::net::transport::Stream;
use crate::net::transport::socket::Socket;
use crate::observe::{Event, Observer, Observers, Timings};
use crate::reuse::{CloseReason, KeepAlive};

/// Schedules of each kind for each scenario, unless the environment says otherwise.
const SCHEDULES: usize = 2000;

/// The seed of the first, unless the environment says otherwise.
const SEED: u64 = 20_240_229;

/// Points at which a PCT schedule preempts the thread that runs, plus one.
const PCT_DEPTH: usize = 4;

/// A deadline that the model lets pass, or not, while it is waited for; so short because the clock
/// is the real one.
const SOON: Duration = Duration::from_millis(1);

fn explore(scenario: impl Fn() + Copy + Send + Sync + 'static) {
    let schedules = std::env::var("LONGWIRE_MODEL_SCHEDULES").map_or(SCHEDULES, |count| count.parse().unwrap());
    let random = run(RandomScheduler::new_from_seed(SEED, schedules), scenario);
    let pct = run(PctScheduler::new_from_seed(SEED, PCT_DEPTH, schedules), scenario);
    assert_eq!((random, pct), (schedules, schedules));
}

fn run(scheduler: impl Scheduler + 'static, scenario: impl Fn() + Send + Sync + 'static) -> usize {
    shuttle::Runner::new(scheduler, shuttle::Config::default()).run(scenario)
}

/// One pool, and what is recorded of it.
struct World {
    pool: Arc<Pool>,
    book: Arc<Book>,
    token: CancelToken,
}

/// What the doubles and the observer record. Its lock is no part of the model: no thread is preempted
/// while it holds it.
struct Book {
    per_host_max: usize,
    idle_max: usize,
    pool: OnceLock<Weak<Pool>>,
    page: Mutex<Page>,
}

#[derive(Default)]
struct Page {
    /// By the port that a double has for its address.
    streams: Vec<State>,
    origins: BTreeSet<String>,
    reused_reported: u64,
    closed_reported: u64,
    events: usize,
    /// Which event the observer panics at, the first being 1.
    panics_at: usize,
    /// How many exchanges a peer takes before it closes.
    exchanges_max: usize,
    /// Connections may be closed after their slot is free: until they are, others may be open.
    closes_late: bool,
    /// The next opening fails.
    refuses: bool,
    /// Whose leases began, in order.
    order: Vec<u32>,
}

#[derive(Default)]
struct State {
    origin: String,
    is_open: bool,
    is_leased: bool,
    is_shut: bool,
    /// Handed out for good.
    is_upgraded: bool,
    exchanges: usize,
}

/// The other end of a connection.
struct Double {
    port: usize,
    book: Arc<Book>,
}

/// How a lease ends.
#[derive(Clone, Copy)]
enum End {
    Release,
    Close,
    Silence,
    Upgrade,
}

fn limits(per_host_max: usize) -> PoolLimits {
    PoolLimits {
        idle_timeout: None,
        idle_per_host_max: 8,
        idle_max: 64,
        per_host_max: Some(per_host_max),
        age_max: None,
        buffer_size: 16,
        probe_after: Duration::ZERO,
    }
}

fn limited_by(token: &CancelToken) -> Limits {
    Limits { token: Some(token.clone()), ..Limits::NONE }
}

fn join<const N: usize>(threads: [JoinHandle<()>; N]) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

impl World {
    fn new(limits: PoolLimits) -> Arc<World> {
        let page = Page { exchanges_max: usize::MAX, ..Page::default() };
        let book = Arc::new(Book {
            per_host_max: limits.per_host_max.unwrap_or(usize::MAX),
            idle_max: limits.idle_max,
            pool: OnceLock::new(),
            page: Mutex::new(page),
        });
        let mut observers = Observers::default();
        observers.add(book.clone());
        let pool = Arc::new(Pool::new(limits, observers));
        book.pool.set(Arc::downgrade(&pool)).unwrap();
        Arc::new(World { pool, book, token: CancelToken::new() })
    }

    /// Runs all of these at once, to their ends.
    fn threads<const N: usize>(self: &Arc<World>, works: [fn(&World); N]) {
        join(works.map(|work| self.start(work)));
    }

    fn start(self: &Arc<World>, work: fn(&World)) -> JoinHandle<()> {
        let world = self.clone();
        thread::spawn(move || work(&world))
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.book.page()
    }

    fn lease(&self, checkout: Checkout<'_>) -> Result<Lease> {
        let origin = checkout.origin;
        self.page().origins.insert(origin.to_owned());
        let lease = self.pool.acquire(checkout, |_| self.book.open(origin))?;
        let state = &mut self.page().streams[port(&lease)];
        assert!(!std::mem::replace(&mut state.is_leased, true), "leased twice");
        assert!(state.is_open && !state.is_upgraded && state.origin == origin);
        state.exchanges += 1;
        Ok(lease)
    }

    /// A lease that nothing ends but the exchange.
    fn plain(&self) -> Lease {
        self.lease(Checkout::of("a")).unwrap()
    }

    /// A lease that the world's token may cut short.
    fn cancellable(&self) -> Option<Lease> {
        let lease = self.lease(Checkout { limits: limited_by(&self.token), ..Checkout::of("a") });
        lease.map_err(|error| assert!(error.is_cancelled(), "{error}")).ok()
    }

    /// A lease that is waited for until [`SOON`] only.
    fn impatient(&self) -> Option<Lease> {
        let lease = self.lease(Checkout { connect_timeout: Some(SOON), ..Checkout::of("a") });
        lease.map_err(|error| assert_eq!(error.kind(), ErrorKind::Timeout, "{error}")).ok()
    }

    fn exchange(&self, end: End) {
        self.carry_out(self.plain(), end);
    }

    fn exchange_if(&self, lease: Option<Lease>) {
        if let Some(lease) = lease {
            self.carry_out(lease, End::Release);
        }
    }

    /// Sends something that no cancel may hit but that of the request itself.
    fn carry_out(&self, mut lease: Lease, end: End) {
        let mine = lease.limits.token.clone();
        lease.buffer.put(b"x");
        thread::yield_now();
        let sent = lease.send(b"y");
        thread::yield_now();
        let is_shut = self.page().streams[port(&lease)].is_shut;
        if mine.is_none_or(|token| !token.is_cancelled()) {
            assert!(sent.is_ok() && !is_shut, "cut short by another request's cancel");
        }
        self.give_back(lease, end);
    }

    fn give_back(&self, lease: Lease, end: End) {
        let port = port(&lease);
        self.page().streams[port].is_leased = false;
        match end {
            End::Release => lease.release(KeepAlive::default()),
            End::Close => lease.close(CloseReason::ServerClose),
            End::Silence => drop(lease),
            End::Upgrade => {
                self.page().streams[port].is_upgraded = true;
                drop(lease.into_conn().unwrap());
            }
        }
    }

    /// Waits until that many threads wait in line.
    fn until_waiting(&self, count: usize) {
        while self.pool.stats().waiting < count {
            thread::yield_now();
        }
    }

    /// No lease and no waiter is left, and every connection is accounted for.
    #[track_caller]
    fn settled(self: Arc<World>) -> PoolStats {
        let stats = self.pool.stats();
        assert_eq!((stats.in_use, stats.waiting), (0, 0));
        assert!(stats.idle <= self.book.idle_max, "{stats:?}");
        assert_eq!(stats.opened, stats.idle as u64 + stats.closed.total(), "{stats:?}");
        let page = self.page();
        assert_eq!(stats.opened as usize, page.streams.len());
        assert_eq!(stats.idle, page.streams.iter().filter(|state| state.is_open).count());
        assert_eq!(
            (stats.reused, stats.closed.total()),
            (page.reused_reported, page.closed_reported),
            "as was reported"
        );
        drop(page);
        let World { pool, book, .. } = Arc::into_inner(self).expect("all threads are gone");
        assert!(Arc::into_inner(pool).is_some(), "the pool is still referred to");
        assert!(book.page().streams.iter().all(|state| !state.is_open), "open without a pool");
        stats
    }
}

fn port(conn: &Conn) -> usize {
    conn.peer().unwrap().port().into()
}

impl Book {
    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(self: &Arc<Book>, origin: &str) -> Result<Box<Conn>> {
        thread::yield_now();
        let port = {
            let mut page = self.page();
            if std::mem::take(&mut page.refuses) {
                return Err(Error::from_io(ErrorKind::Connect, "the model", io::ErrorKind::ConnectionRefused.into()));
            }
            page.streams.push(State { origin: origin.to_owned(), is_open: true, ..State::default() });
            page.streams.len() - 1
        };
        self.check();
        Ok(Conn::new(
            Socket::other(Box::new(Double { port, book: self.clone() })),
            None,
            Timings::default(),
            Instant::now(),
            port as u64,
        ))
    }

    /// No limit is passed, and the lock is not held. While something unwinds nothing is asserted:
    /// a second panic would hide the first.
    fn check(&self) {
        if panicking() {
            return;
        }
        let Some(pool) = self.pool.get().and_then(Weak::upgrade) else { return };
        let stats = pool.stats();
        let page = self.page();
        let slots = self.per_host_max.saturating_mul(page.origins.len());
        assert!(stats.in_use + stats.idle <= slots, "{stats:?}");
        for origin in &page.origins {
            let here = |state: &&State| state.is_open && !state.is_upgraded && state.origin == *origin;
            let open = page.streams.iter().filter(here).count();
            assert!(open <= self.per_host_max || page.closes_late, "{open} are open to {origin}");
        }
    }
}

impl Observer for Book {
    fn event(&self, event: &Event<'_>) {
        let panics = {
            let mut page = self.page();
            match event {
                Event::Reused { .. } => page.reused_reported += 1,
                Event::Closed { .. } => page.closed_reported += 1,
                _ => {}
            }
            page.events += 1;
            page.events == page.panics_at
        };
        if panics {
            resume_unwind(Box::new("the observer")); // past the hook, which would say that the model failed
        }
        self.check();
    }
}

impl Stream for Double {
    fn try_read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.book.check();
        let page = self.book.page();
        let state = &page.streams[self.port];
        assert!(!state.is_shut, "a cancel hit an idle connection");
        if state.exchanges >= page.exchanges_max { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    fn set_timeouts(&mut self, _: Option<Duration>, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_handle(&self) -> Option<Hook> {
        let (book, port) = (self.book.clone(), self.port);
        Some(Box::new(move || {
            thread::yield_now();
            let state = &mut book.page().streams[port];
            assert!(state.is_open, "a cancel hit what was closed");
            state.is_shut = true;
        }))
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        Some(SocketAddr::from(([127, 0, 0, 1], self.port as u16)))
    }
}

impl Read for Double {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        unreachable!("no scenario reads a response")
    }
}

impl Write for Double {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_shut = self.book.page().streams[self.port].is_shut;
        if is_shut { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        if !panicking() {
            thread::yield_now();
            self.book.check();
        }
        self.book.page().streams[self.port].is_open = false;
    }
}

#[test]
fn three_threads_share_one_slot_and_one_connection() {
    explore(|| {
        let world = World::new(limits(1));
        world.threads([|world| world.exchange(End::Release); 3]);
        assert_eq!(world.settled().opened, 1);
    });
}

#[test]
fn two_threads_take_one_slot_again_and_again() {
    explore(|| {
        let world = World::new(limits(1));
        world.threads([|world| (0..3).for_each(|_| world.exchange(End::Release)); 2]);
        let stats = world.settled();
        assert_eq!((stats.opened, stats.reused), (1, 5));
    });
}

#[test]
fn three_threads_share_two_slots() {
    explore(|| {
        let world = World::new(limits(2));
        world.threads([|world| (0..2).for_each(|_| world.exchange(End::Release)); 3]);
        assert!(world.settled().opened <= 2);
    });
}

#[test]
fn a_slot_becomes_free_however_its_lease_ends() {
    explore(|| {
        let world = World::new(limits(1));
        world.threads([
            |world| world.exchange(End::Close),
            |world| world.exchange(End::Silence),
            |world| world.exchange(End::Upgrade),
            |world| world.exchange(End::Release),
        ]);
        assert_eq!(world.settled().closed.get(CloseReason::Upgraded), 1);
    });
}

#[test]
fn a_slot_becomes_free_when_no_connection_could_be_opened_for_it() {
    explore(|| {
        let world = World::new(limits(1));
        world.page().refuses = true;
        let work: fn(&World) = |world| match world.lease(Checkout::of("a")) {
            Ok(lease) => world.carry_out(lease, End::Release),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Connect),
        };
        world.threads([work; 3]);
        assert_eq!(world.settled().opened, 1);
    });
}

#[test]
fn first_come_is_first_served() {
    explore(|| {
        fn come(world: &World, name: u32) {
            let lease = world.plain();
            world.page().order.push(name);
            world.carry_out(lease, End::Release);
        }
        let world = World::new(limits(1));
        let held = world.plain();
        let first = world.start(|world| come(world, 1));
        world.until_waiting(1);
        let second = world.start(|world| come(world, 2));
        world.until_waiting(2);
        let third = world.start(|world| come(world, 3)); // whenever the others are
        world.carry_out(held, End::Release);
        join([first, second, third]);
        assert_eq!(world.page().order, [1, 2, 3]);
        world.settled();
    });
}

/// The front is notified of both slots before it wakes up, and uses one. The other must not have to wait
/// until its exchange ends.
#[test]
fn two_slots_that_become_free_at_once_are_used_at_once() {
    fn meet(world: &World) {
        let lease = world.plain();
        world.page().order.push(0);
        while world.page().order.len() < 2 {
            thread::yield_now();
        }
        world.carry_out(lease, End::Release);
    }
    explore(|| {
        let world = World::new(limits(2));
        let held = [world.plain(), world.plain()];
        let waiting = [world.start(meet), world.start(meet)];
        world.until_waiting(2);
        held.into_iter().for_each(|lease| world.carry_out(lease, End::Release));
        join(waiting);
        world.settled();
    });
}

/// A waiter that leaves early passes its notification on to the next.
#[test]
fn two_slots_are_used_whichever_waiters_leave_the_queue_meanwhile() {
    explore(|| {
        let world = World::new(limits(2));
        let held = [world.plain(), world.plain()];
        let cancelled = world.start(|world| world.exchange_if(world.cancellable()));
        let impatient = world.start(|world| world.exchange_if(world.impatient()));
        let last = world.start(|world| world.exchange(End::Release));
        let cancel = world.start(|world| world.token.cancel());
        held.into_iter().for_each(|lease| world.carry_out(lease, End::Release));
        join([cancelled, impatient, last, cancel]);
        world.settled();
    });
}

#[test]
fn a_waiter_that_is_cancelled_leaves_the_slot_to_the_next() {
    explore(|| {
        let world = World::new(limits(1));
        let held = world.plain();
        let waiting = world.start(|world| {
            world.exchange_if(world.cancellable());
        });
        let next = world.start(|world| world.exchange(End::Release));
        let cancel = world.start(|world| world.token.cancel());
        world.carry_out(held, End::Release);
        join([waiting, next, cancel]);
        world.settled();
    });
}

#[test]
fn a_cancel_alone_ends_the_wait() {
    explore(|| {
        let world = World::new(limits(1));
        let held = world.plain();
        let waiting = world.start(|world| assert!(world.cancellable().is_none()));
        let cancel = world.start(|world| world.token.cancel());
        join([waiting, cancel]);
        world.carry_out(held, End::Close);
        world.settled();
    });
}

#[test]
fn a_waiter_that_gives_up_leaves_the_slot_to_the_next() {
    for end in [End::Release, End::Close] {
        explore(move || {
            let world = World::new(limits(1));
            let held = world.plain();
            let waiting = world.start(|world| {
                world.exchange_if(world.impatient());
            });
            let next = world.start(|world| world.exchange(End::Release));
            world.carry_out(held, end);
            join([waiting, next]);
            world.settled();
        });
    }
}

#[test]
fn a_late_cancel_does_not_hit_the_next_exchange() {
    explore(|| {
        let world = World::new(limits(1));
        world.threads([
            |world| {
                world.exchange_if(world.cancellable());
            },
            |world| world.token.cancel(),
            |world| (0..2).for_each(|_| world.exchange(End::Release)),
        ]);
        world.settled();
    });
}

#[test]
fn idle_connections_are_closed_while_others_come_and_go() {
    for per_host_max in [1, 2] {
        explore(move || {
            let world = World::new(limits(per_host_max));
            world.page().closes_late = true;
            world.threads([
                |world| (0..2).for_each(|_| world.exchange(End::Release)),
                |world| (0..2).for_each(|_| world.exchange(End::Release)),
                |world| (0..2).for_each(|_| world.pool.clear()),
            ]);
            world.settled();
        });
    }
}

#[test]
fn a_connection_that_has_died_is_replaced_in_its_slot() {
    explore(|| {
        let world = World::new(limits(1));
        world.page().exchanges_max = 1;
        world.threads([|world| world.exchange(End::Release); 3]);
        let stats = world.settled();
        assert_eq!((stats.opened, stats.reused), (3, 0));
        assert_eq!(stats.closed.get(CloseReason::PeerClosed), 2);
    });
}

#[test]
fn a_fresh_connection_takes_the_slot_of_an_idle_one() {
    explore(|| {
        let world = World::new(limits(1));
        let work: fn(&World) = |world| {
            let lease = world.lease(Checkout { wanted: Wanted::Fresh, ..Checkout::of("a") }).unwrap();
            world.carry_out(lease, End::Release);
        };
        world.threads([work, work, |world| world.exchange(End::Release)]);
        let stats = world.settled();
        assert!(stats.opened >= 2 && stats.opened + stats.reused == 3, "{stats:?}");
    });
}

#[test]
fn idle_connections_are_never_too_many() {
    explore(|| {
        let world = World::new(PoolLimits { idle_max: 1, idle_per_host_max: 1, ..limits(2) });
        world.page().closes_late = true;
        let work: fn(&World) = |world| {
            for origin in ["a", "b"] {
                let lease = world.lease(Checkout::of(origin)).unwrap();
                world.carry_out(lease, End::Release);
                let stats = world.pool.stats();
                assert!(stats.idle <= 1, "no thread waits, so none is kept for one: {stats:?}");
            }
        };
        world.threads([work; 2]);
        world.settled();
    });
}

#[test]
fn what_is_not_kept_is_closed_before_its_slot_is_free() {
    explore(|| {
        let world = World::new(PoolLimits { idle_per_host_max: 0, ..limits(1) });
        world.threads([|world| world.exchange(End::Release); 3]);
        let stats = world.settled();
        assert_eq!((stats.idle, stats.opened + stats.reused), (0, 3));
    });
}

#[test]
fn what_was_kept_for_a_waiter_that_leaves_is_held_to_the_caps() {
    explore(|| {
        let world = World::new(PoolLimits { idle_max: 0, ..limits(1) });
        world.page().closes_late = true;
        let held = world.plain();
        let cancelled = world.start(|world| {
            world.exchange_if(world.cancellable());
        });
        let impatient = world.start(|world| {
            world.exchange_if(world.impatient());
        });
        let cancel = world.start(|world| world.token.cancel());
        world.carry_out(held, End::Release);
        join([cancelled, impatient, cancel]);
        world.settled();
    });
}

#[test]
fn what_a_waiter_found_expired_is_reported_even_if_it_gives_up() {
    explore(|| {
        let world = World::new(PoolLimits { idle_timeout: Some(Duration::from_secs(60)), ..limits(1) });
        let held = world.plain();
        world.carry_out(world.lease(Checkout::of("b")).unwrap(), End::Release);
        let waiting = world.start(|world| {
            let later = Instant::now() + Duration::from_secs(90);
            let limits = limited_by(&world.token);
            let lease = world.lease(Checkout { now: later, limits, ..Checkout::of("a") });
            assert!(lease.is_err_and(|error| error.is_cancelled()));
        });
        let cancel = world.start(|world| world.token.cancel());
        join([waiting, cancel]);
        world.give_back(held, End::Close);
        assert_eq!(world.settled().closed.get(CloseReason::Idle), 1);
    });
}

#[test]
fn an_observer_that_panics_costs_no_slot() {
    explore(|| {
        let world = World::new(limits(1));
        {
            let mut page = world.page();
            page.panics_at = rand::thread_rng().gen_range(1..=6);
            page.exchanges_max = 2;
        }
        let work: fn(&World) = |world| {
            for _ in 0..2 {
                let exchange = AssertUnwindSafe(|| world.exchange(End::Release));
                let _ = catch_unwind(exchange); // the observer's, at most once
            }
        };
        world.threads([work; 2]);
        world.settled();
    });
}
