//! The pool step by step: one thread, connections that never say a word, and moments that the test
//! chooses. It sees what nobody outside does: when a connection retires, what lies in the heap.
//!
//! What only threads can show is in `model.rs`; what a client sees, in `tests/reuse/pool.rs`.

use std::io::{self, Read, Write};

use super::*;
use crate::net::cancel::Hook;
use crate::net::transport::Stream;
use crate::net::transport::socket::Socket;
use crate::observe::{EventIds, Observer, Observers, Timings};

const MINUTE: Duration = Duration::from_secs(60);

/// The other end of a connection, known by the port of its address.
struct Silent(u16);

impl Stream for Silent {
    fn try_read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn set_timeouts(&mut self, _: Option<Duration>, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_handle(&self) -> Option<Hook> {
        None
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        Some(SocketAddr::from(([127, 0, 0, 1], self.0)))
    }
}

impl Read for Silent {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        unreachable!("no test reads an answer")
    }
}

impl Write for Silent {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        unreachable!("no test sends a request")
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the observer was told, by port.
#[derive(Default)]
struct Told(std::sync::Mutex<Vec<String>>);

impl Observer for Told {
    fn event(&self, event: &Event<'_>) {
        let port = |peer: &Option<SocketAddr>| peer.expect("every double has a port").port();
        let line = match event {
            Event::Reused { peer, nth: exchange, .. } => format!("{} reused for {exchange}", port(peer)),
            Event::Kept { peer, .. } => format!("{} kept", port(peer)),
            Event::Closed { peer, reason, .. } => format!("{} closed {reason:?}", port(peer)),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

impl Told {
    /// What is new since the last time.
    fn news(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn limits() -> PoolLimits {
    PoolLimits {
        idle_timeout: Some(MINUTE),
        idle_per_host_max: 8,
        idle_max: 64,
        per_host_max: None,
        age_max: None,
        buffer_size: 16,
        probe_after: Duration::ZERO,
    }
}

fn pool(limits: PoolLimits) -> (Arc<Pool>, Arc<Told>) {
    let told = Arc::new(Told::default());
    (Arc::new(Pool::new(limits, Observers::new(vec![told.clone()]))), told)
}

fn open(port: u16) -> Conn {
    Conn::new(Socket::other(Box::new(Silent(port))), None, Timings::default(), 0)
}

fn want(origin: &str) -> Want<'_> {
    Want {
        origin,
        fresh: false,
        now: Instant::now(),
        connect_timeout: None,
        limits: Limits::NONE,
        ids: EventIds::default(),
    }
}

/// A lease; what has to be opened for it has this port.
fn lease(pool: &Arc<Pool>, want: Want<'_>, port: u16) -> Lease {
    pool.lease(want, |_| Ok(open(port))).unwrap()
}

/// Opens these, all at once, and gives them back in that order.
fn keep<const N: usize>(pool: &Arc<Pool>, origin: &str, ports: [u16; N]) {
    let fresh = || Want { fresh: true, ..want(origin) };
    let leases = ports.map(|port| lease(pool, fresh(), port));
    leases.into_iter().for_each(|lease| lease.release(KeepAlive::default()));
}

/// The server keeps it for so long.
fn kept_for(secs: u64) -> KeepAlive {
    KeepAlive { timeout_secs: Some(secs), ..KeepAlive::default() }
}

#[test]
fn a_connection_retires_when_the_first_of_its_limits_says_so() {
    use CloseReason::{Aged, Idle};
    let secs = |secs: u64| Some(Duration::from_secs(secs));
    let conn = open(1);
    let after = |age: u64, idle_timeout, age_max, server_timeout| {
        let (pool, _) = pool(PoolLimits { idle_timeout, age_max, ..limits() });
        let now = conn.opened.at + Duration::from_secs(age);
        let (when, reason) = pool.retires(&conn, now, server_timeout);
        (when - now, reason)
    };
    let sec = Duration::from_secs;
    assert_eq!(after(0, secs(60), None, None), (sec(60), Idle));
    assert_eq!(after(40, None, secs(100), None), (sec(60), Aged));
    assert_eq!(after(200, secs(60), secs(100), None), (sec(0), Aged));
    assert_eq!(after(40, secs(61), secs(100), None), (sec(60), Aged));
    assert_eq!(after(40, secs(60), secs(100), None), (sec(60), Idle), "one as soon as the other");
    assert_eq!(after(0, secs(60), None, secs(5)), (sec(4), Idle), "a second before the server");
    assert_eq!(after(0, secs(3), None, secs(5)), (sec(3), Idle));
    assert_eq!(after(0, None, None, secs(2)), (sec(1), Idle));
    let half = Duration::from_millis(500);
    assert_eq!(after(0, None, None, secs(1)), (half, Idle), "a whole second would leave nothing");
    assert_eq!(after(0, None, None, Some(half)), (half / 2, Idle));
    assert_eq!(after(0, None, None, Some(Duration::MAX)), (NEVER, Idle));
}

#[test]
fn a_connection_without_any_limit_is_there_after_29_years() {
    let (pool, told) = pool(PoolLimits { idle_timeout: None, ..limits() });
    keep(&pool, "a", [1]);
    let now = Instant::now() + Duration::from_secs(29 * 365 * 24 * 3600);
    let lease = lease(&pool, Want { now, ..want("a") }, 2);
    assert_eq!(told.news(), ["1 kept", "1 reused for 2"]);
    drop(lease);
}

#[test]
fn a_connection_retires_at_its_moment_and_not_before() {
    let (pool, _) = pool(limits());
    keep(&pool, "a", [1]);
    let mut shared = pool.lock();
    let when = shared.hosts[0].idle[0].expires_at();
    let mut closing = Closing::new();
    shared.expire(when - Duration::from_nanos(1), &mut closing);
    assert_eq!((closing.len(), shared.stats.idle), (0, 1));
    shared.expire(when, &mut closing);
    assert_eq!((closing.len(), shared.stats.idle), (1, 0));
    assert!(shared.sorted.is_empty() && shared.looks.is_empty(), "nothing is left of the host");
}

#[test]
fn two_hosts_with_one_hash_are_two_hosts() {
    let twins = ["8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ"];
    assert_eq!(twins.map(hash), [0x4eac_0c95_5408_67e4; 2]);
    let mut shared = Shared::default();
    let [one, between, other] = [twins[0], "a", twins[1]].map(|origin| shared.id(origin));
    assert_eq!([twins[1], twins[0], "a"].map(|origin| shared.id(origin)), [other, one, between]);
    shared.forget_if_unused(one);
    assert_eq!(shared.sorted.len(), 2);
    assert_eq!(shared.id(twins[1]), other);
    assert_eq!(shared.id(twins[0]), one, "its entry was vacant");
}

#[test]
fn those_of_one_host_retire_one_after_the_other() {
    let (pool, told) = pool(limits());
    let [long, brief] = [1, 2].map(|port| lease(&pool, want("a"), port));
    long.release(KeepAlive::default());
    brief.release(kept_for(31));
    let later = |secs| Instant::now() + Duration::from_secs(secs);
    assert_eq!(told.news(), ["1 kept", "2 kept"]);
    for (secs, news) in [(29, &[][..]), (31, &["2 closed Idle"]), (59, &[]), (61, &["1 closed Idle"])] {
        drop(pool.place(&Want { now: later(secs), ..want("b") }).unwrap());
        assert_eq!(told.news(), news, "after {secs} seconds");
    }
}

#[test]
fn where_too_many_are_idle_the_one_goes_that_would_retire_first_although_a_host_has_an_older_look() {
    let (pool, told) = pool(PoolLimits { idle_max: 2, ..limits() });
    let [long, brief] = [1, 2].map(|port| lease(&pool, want("a"), port));
    long.release(KeepAlive::default());
    brief.release(kept_for(5));
    lease(&pool, want("a"), 0).close(CloseReason::ServerClose); // the brief one; the look for it stays
    lease(&pool, want("b"), 3).release(kept_for(31));
    told.news();
    lease(&pool, want("c"), 4).release(KeepAlive::default());
    assert_eq!(told.news(), ["3 closed PoolFull", "4 kept"]);
    let idle = pool.lock().hosts.iter().flat_map(|host| &host.idle).map(|conn| conn.peer().unwrap().port()).collect();
    assert_eq!(std::collections::BTreeSet::from([1, 4]), idle);
}

#[test]
fn a_fresh_connection_sends_the_oldest_idle_one_away_only_where_there_is_no_other_place() {
    let (pool, told) = pool(PoolLimits { per_host_max: Some(3), ..limits() });
    keep(&pool, "a", [1, 2]);
    told.news();
    let fresh = || Want { fresh: true, ..want("a") };
    let third = lease(&pool, fresh(), 3);
    assert_eq!(told.news(), [""; 0], "there was room for it");
    let fourth = lease(&pool, fresh(), 4);
    assert_eq!(told.news(), ["1 closed PoolFull"]);
    let fifth = lease(&pool, fresh(), 5);
    assert_eq!(told.news(), ["2 closed PoolFull"]);
    assert_eq!((pool.stats().in_use, pool.stats().idle), (3, 0));
    drop((third, fourth, fifth));
}

#[test]
fn a_connection_that_never_was_a_lease_is_counted_and_told() {
    let (pool, told) = pool(limits());
    for port in [1, 2] {
        pool.record_closed_unused(open(port).peer(), CloseReason::Failed, EventIds::default());
    }
    let stats = pool.stats();
    assert_eq!((stats.opened, stats.closed.get(CloseReason::Failed), stats.closed.total()), (2, 2, 2));
    assert_eq!((stats.in_use, stats.idle), (0, 0));
    assert_eq!(told.news(), ["1 closed Failed", "2 closed Failed"]);
}

#[test]
fn where_too_many_are_idle_for_one_host_the_oldest_goes() {
    let (pool, told) = pool(PoolLimits { idle_per_host_max: 2, ..limits() });
    keep(&pool, "a", [1, 2, 3, 4]);
    keep(&pool, "b", [5, 6]);
    let news = ["1 kept", "2 kept", "1 closed PoolFull", "3 kept", "2 closed PoolFull", "4 kept", "5 kept", "6 kept"];
    assert_eq!(told.news(), news);
}

#[test]
fn of_those_that_came_back_for_somebody_who_waits_no_more_stay_than_may() {
    let (pool, told) = pool(PoolLimits { idle_per_host_max: 1, ..limits() });
    let leases = [1, 2, 3, 4].map(|port| lease(&pool, want("a"), port));
    let mut shared = pool.lock();
    let host = shared.id("a");
    let ticket = shared.queue_up(host);
    drop(shared);
    leases.into_iter().for_each(|lease| lease.release(KeepAlive::default()));
    assert_eq!(told.news(), ["1 kept", "2 kept", "3 kept", "4 kept"]);
    drop(Waiter { pool: &pool, host, ticket, call: 0 });
    assert_eq!(told.news(), ["1 closed PoolFull", "2 closed PoolFull", "3 closed PoolFull"]);
}

#[test]
fn a_connection_that_goes_at_once_was_not_kept() {
    let (pool, told) = pool(PoolLimits { idle_per_host_max: 0, ..limits() });
    keep(&pool, "a", [1]);
    assert_eq!(told.news(), ["1 closed PoolFull"]);
}

#[test]
fn the_numbers_add_up_however_a_lease_ends() {
    use CloseReason::{Failed, KeepAliveHint, ServerClose, Upgraded};
    let (pool, told) = pool(limits());
    lease(&pool, want("a"), 1).release(KeepAlive::default());
    lease(&pool, want("a"), 0).release(KeepAlive::default()); // the same once more
    lease(&pool, want("a"), 0).close(ServerClose); // and a third time
    drop(lease(&pool, want("a"), 2));
    assert!(lease(&pool, want("a"), 3).into_conn().is_some());
    lease(&pool, want("a"), 4).release(KeepAlive { requests_left: Some(0), ..KeepAlive::default() });
    let stats = pool.stats();
    assert_eq!((stats.opened, stats.reused, stats.idle, stats.in_use), (4, 2, 0, 0));
    assert_eq!([ServerClose, Failed, Upgraded, KeepAliveHint].map(|reason| stats.closed.get(reason)), [1; 4]);
    assert_eq!((stats.closed.total(), stats.closed.iter().count()), (4, 4));
    let shown = format!("{:?}", stats.closed);
    assert_eq!(shown, "{ServerClose: 1, KeepAliveHint: 1, Failed: 1, Upgraded: 1}");
    let kept = ["1 kept", "1 reused for 2", "1 kept", "1 reused for 3"];
    let closed = ["1 closed ServerClose", "2 closed Failed", "3 closed Upgraded", "4 closed KeepAliveHint"];
    assert_eq!(told.news(), [&kept[..], &closed].concat());
}

#[test]
fn a_connection_that_comes_back_too_old_is_closed_at_once() {
    let (pool, told) = pool(PoolLimits { age_max: Some(Duration::ZERO), ..limits() });
    keep(&pool, "a", [1, 2]);
    assert_eq!(told.news(), ["1 closed Aged", "2 closed Aged"]);
    let closed = pool.stats().closed;
    assert_eq!(closed.iter().collect::<Vec<_>>(), [(CloseReason::Aged, 2)], "and nothing that did not occur");
}

#[test]
fn the_last_one_out_closes_what_is_idle_and_tells() {
    let (pool, told) = pool(limits());
    keep(&pool, "a", [1]);
    keep(&pool, "b", [2]);
    told.news();
    drop(pool);
    assert_eq!(told.news(), ["1 closed Cleared", "2 closed Cleared"]);
}

#[test]
fn eight_buffers_are_kept_for_the_next_leases_and_not_one_more() {
    let (pool, _) = pool(PoolLimits { idle_per_host_max: 99, ..limits() });
    let spares = || pool.lock().spares.len();
    keep(&pool, "a", [0; SPARES_MAX - 1]);
    assert_eq!(spares(), SPARES_MAX - 1);
    keep(&pool, "a", [0; SPARES_MAX + 1]);
    assert_eq!(spares(), SPARES_MAX);
    let lease = lease(&pool, want("a"), 0);
    assert_eq!((lease.buffer_size(), spares()), (16, SPARES_MAX - 1));
}

/// Whether that one, and no other, is to be woken.
#[track_caller]
fn assert_next(next: Option<Arc<Ticket>>, expected: Option<&Arc<Ticket>>) {
    assert_eq!(next.as_ref().map(Arc::as_ptr), expected.map(Arc::as_ptr));
}

#[test]
fn a_queue_is_left_by_the_one_that_leaves_it() {
    let mut shared = Shared::default();
    let id = shared.id("a");
    let [first, second, third] = [(); 3].map(|()| shared.queue_up(id));
    assert_eq!(shared.stats.waiting, 3);
    shared.leave_queue(id, &second);
    assert_eq!(shared.stats.waiting, 2);
    let queue: Vec<_> = shared.hosts[id].queue.iter().map(Arc::as_ptr).collect();
    assert_eq!(queue, [&first, &third].map(Arc::as_ptr));
}

#[test]
fn a_free_place_wakes_the_front_of_its_own_hosts_queue_and_nobody_else() {
    let limits = PoolLimits { per_host_max: Some(2), ..limits() };
    let mut shared = Shared::default();
    let [a, b] = ["a", "b"].map(|origin| {
        let id = shared.id(origin);
        for _ in 0..2 {
            assert!(shared.find(id, None, false, &limits, &mut Closing::new()).is_some());
        }
        id
    });
    let [first, second, third] = [(); 3].map(|()| shared.queue_up(a));
    let elsewhere = shared.queue_up(b);
    assert_next(shared.vacate(a, &limits), Some(&first));
    assert_next(shared.vacate(a, &limits), Some(&first)); // it has not come yet
    assert!(shared.find(a, Some(&second), false, &limits, &mut Closing::new()).is_none(), "it is not its turn");
    assert!(shared.find(a, Some(&first), false, &limits, &mut Closing::new()).is_some());
    shared.leave_queue(a, &first);
    assert_next(shared.next_in_line(a, &limits), Some(&second)); // the other place
    assert!(shared.find(a, Some(&second), false, &limits, &mut Closing::new()).is_some());
    shared.leave_queue(a, &second);
    assert_next(shared.next_in_line(a, &limits), None);
    assert_next(shared.next_in_line(b, &limits), None);
    assert_next(shared.vacate(a, &limits), Some(&third));
    assert_next(shared.vacate(b, &limits), Some(&elsewhere));
}

#[test]
fn a_host_is_looked_at_once_and_as_early_as_anybody_asked() {
    let mut shared = Shared::default();
    let id = shared.id("a");
    let now = Instant::now();
    for (secs, looks) in [(9, 1), (9, 1), (10, 1), (8, 2), (9, 2)] {
        shared.look_at(id, now + Duration::from_secs(secs));
        assert_eq!(shared.looks.len(), looks, "at {secs}");
    }
    assert_eq!(shared.hosts[id].look, Some(now + Duration::from_secs(8)));
    assert_eq!(shared.next_look(None), Some(id));
    assert_eq!(shared.next_look(None), None, "the other one does not count any more");
}

#[test]
fn the_heap_of_looks_has_two_a_host_and_64_more_at_most() {
    let mut shared = Shared::default();
    let [id, ..] = ["a", "b", "c"].map(|origin| shared.id(origin));
    let now = Instant::now() + MINUTE;
    let most = 2 * 3 + LOOKS_SLACK;
    for count in 1..=most {
        shared.look_at(id, now - Duration::from_millis(count as u64));
        assert_eq!(shared.looks.len(), count);
    }
    shared.look_at(id, now - Duration::from_secs(1));
    assert_eq!(shared.looks.len(), 1, "the one that counts");
    assert_eq!(shared.next_look(None), Some(id));
}
