//! The pool step by step: one thread, connections on which nothing arrives, and times that the test
//! chooses. It sees what cannot be seen from outside: when a connection expires, what is in the heap.
//!
//! What only threads can show is in `model.rs`; what a client sees, in `tests/reuse/pool.rs`.

use std::io::{self, Read, Write};

use super::lease::{Lease, NEVER};
use super::queue::QueueTicket;
use super::table::{CACHED_FOR, IdleConn, SPARE_BUFFERS_MAX, Table, Waiter, hash};
use super::*;
use crate::net::cancel::Hook;
use crate::net::conn::Conn;
use crate::net::sync::{Arc, ThreadMark};
use crate::net::transport::Stream;
use crate::net::transport::socket::Socket;
use crate::observe::{Observer, Timings};
use crate::reuse::KeepAlive;

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
        unreachable!("no test reads a response")
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

/// The events that an observer received, by port.
#[derive(Default)]
struct Events(std::sync::Mutex<Vec<String>>);

impl Observer for Events {
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

impl Events {
    /// Those since the last time.
    fn take(&self) -> Vec<String> {
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

fn pool(limits: PoolLimits) -> (Arc<Pool>, Arc<Events>) {
    let events = Arc::new(Events::default());
    let mut observers = Observers::default();
    observers.add(events.clone());
    (Arc::new(Pool::new(limits, observers)), events)
}

fn open(port: u16) -> Box<Conn> {
    Conn::new(Socket::other(Box::new(Silent(port))), None, Timings::default(), Instant::now(), port.into())
}

/// A lease; a connection that is opened for it has this port.
fn lease(pool: &Arc<Pool>, checkout: Checkout<'_>, port: u16) -> Lease {
    pool.acquire(checkout, |_| Ok(open(port))).unwrap()
}

/// Opens these, all at once, and gives them back in that order.
fn keep<const N: usize>(pool: &Arc<Pool>, origin: &str, ports: [u16; N]) {
    let fresh = || Checkout { wanted: Wanted::Fresh, ..Checkout::of(origin) };
    let leases = ports.map(|port| lease(pool, fresh(), port));
    leases.into_iter().for_each(|lease| lease.release(KeepAlive::default()));
}

/// A host of which one slot is in use, so that it is not forgotten.
fn in_use(table: &mut Table, origin: &str) -> usize {
    let id = table.host_id(origin);
    table.hosts[id].in_use = 1;
    id
}

/// What a server announces that keeps the connection for that time.
fn kept_for(secs: u64) -> KeepAlive {
    KeepAlive { timeout_secs: Some(secs), ..KeepAlive::default() }
}

#[test]
fn a_connection_expires_at_the_first_of_its_limits() {
    use CloseReason::{Aged, Idle};
    let secs = |secs: u64| Some(Duration::from_secs(secs));
    let conn = open(1);
    let after = |age: u64, idle_timeout, age_max, server_timeout| {
        let (pool, _) = pool(PoolLimits { idle_timeout, age_max, ..limits() });
        let now = conn.opened.at + Duration::from_secs(age);
        let (when, reason) = pool.expiry(&conn, now, server_timeout);
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
fn a_connection_without_any_limit_is_still_idle_after_29_years() {
    let (pool, events) = pool(PoolLimits { idle_timeout: None, ..limits() });
    keep(&pool, "a", [1]);
    let now = Instant::now() + Duration::from_secs(29 * 365 * 24 * 3600);
    let lease = lease(&pool, Checkout { now, ..Checkout::of("a") }, 2);
    assert_eq!(events.take(), ["1 kept", "1 reused for 2"]);
    drop(lease);
}

#[test]
fn a_connection_expires_at_its_time_and_not_before() {
    let (pool, _) = pool(limits());
    keep(&pool, "a", [1]);
    let mut table = pool.table.lock();
    let when = table.hosts[0].idle[0].expires_at;
    let mut evicted = Evicted::new();
    table.expire(when - Duration::from_nanos(1), &mut evicted);
    assert_eq!((evicted.len(), table.stats.idle), (0, 1));
    table.expire(when, &mut evicted);
    assert_eq!((evicted.len(), table.stats.idle), (1, 0));
    assert!(table.expirations.is_empty());
    let other = table.host_id("b");
    assert_eq!(table.sorted, [(hash("b"), other)], "the host is forgotten, but not before another is asked for");
}

#[test]
fn two_hosts_with_one_hash_are_two_hosts() {
    let twins = ["8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ"];
    assert_eq!(twins.map(hash), [0x4eac_0c95_5408_67e4; 2]);
    let mut table = Table::default();
    let [one, between, other] = [twins[0], "a", twins[1]].map(|origin| in_use(&mut table, origin));
    assert_eq!([twins[1], twins[0], "a"].map(|origin| table.host_id(origin)), [other, one, between]);
    table.hosts[one].in_use = 0;
    table.forget_if_unused(one);
    assert_eq!(table.sorted.len(), 2);
    assert_eq!(table.host_id(twins[1]), other);
    assert_eq!(table.host_id(twins[0]), one, "its entry was vacant");
}

#[test]
fn connections_of_one_host_expire_one_after_the_other() {
    let (pool, events) = pool(limits());
    let [long, short] = [1, 2].map(|port| lease(&pool, Checkout::of("a"), port));
    long.release(KeepAlive::default());
    short.release(kept_for(31));
    let later = |secs| Instant::now() + Duration::from_secs(secs);
    assert_eq!(events.take(), ["1 kept", "2 kept"]);
    for (secs, expected) in [(29, &[][..]), (31, &["2 closed Idle"]), (59, &[]), (61, &["1 closed Idle"])] {
        drop(pool.acquire_slot(&Checkout { now: later(secs), ..Checkout::of("b") }).unwrap());
        assert_eq!(events.take(), expected, "after {secs} seconds");
    }
}

#[test]
fn over_the_cap_the_first_to_expire_is_evicted_although_a_host_is_scheduled_earlier() {
    let (pool, events) = pool(PoolLimits { idle_max: 2, ..limits() });
    let [long, short] = [1, 2].map(|port| lease(&pool, Checkout::of("a"), port));
    long.release(KeepAlive::default());
    short.release(kept_for(5));
    lease(&pool, Checkout::of("a"), 0).close(CloseReason::ServerClose); // the short one; its entry in the heap stays
    lease(&pool, Checkout::of("b"), 3).release(kept_for(31));
    events.take();
    lease(&pool, Checkout::of("c"), 4).release(KeepAlive::default());
    assert_eq!(events.take(), ["3 closed PoolFull", "4 kept"]);
    let idle = pool
        .table
        .lock()
        .hosts
        .iter()
        .flat_map(|host| &host.idle)
        .map(|idle| idle.conn.peer().unwrap().port())
        .collect();
    assert_eq!(std::collections::BTreeSet::from([1, 4]), idle);
}

#[test]
fn a_fresh_connection_evicts_the_oldest_idle_one_only_where_no_slot_is_free() {
    let (pool, events) = pool(PoolLimits { per_host_max: Some(3), ..limits() });
    keep(&pool, "a", [1, 2]);
    events.take();
    let fresh = || Checkout { wanted: Wanted::Fresh, ..Checkout::of("a") };
    let third = lease(&pool, fresh(), 3);
    assert_eq!(events.take(), [""; 0], "a slot was free");
    let fourth = lease(&pool, fresh(), 4);
    assert_eq!(events.take(), ["1 closed PoolFull"]);
    let fifth = lease(&pool, fresh(), 5);
    assert_eq!(events.take(), ["2 closed PoolFull"]);
    assert_eq!((pool.stats().in_use, pool.stats().idle), (3, 0));
    drop((third, fourth, fifth));
}

#[test]
fn a_thread_gets_back_what_it_has_just_released_before_what_is_newer() {
    for (later, port) in [(Duration::ZERO, 1), (CACHED_FOR, 3)] {
        let (pool, _) = pool(limits());
        let fresh = || Checkout { wanted: Wanted::Fresh, ..Checkout::of("a") };
        let [own, next, newest] = [1, 2, 3].map(|port| lease(&pool, fresh(), port));
        own.release(KeepAlive::default());
        let theirs = [next, newest];
        let other = std::thread::spawn(|| theirs.map(|lease| lease.release(KeepAlive::default())));
        other.join().unwrap();
        let now = pool.table.lock().hosts[0].idle[0].since + later;
        let lease = lease(&pool, Checkout { now, ..Checkout::of("a") }, 4);
        assert_eq!(lease.peer().unwrap().port(), port, "after {later:?}");
    }
}

#[test]
fn a_connection_that_never_was_a_lease_is_counted_and_reported() {
    let (pool, events) = pool(limits());
    for port in [1, 2] {
        pool.record_closed_unused(open(port).peer(), CloseReason::Failed, EventIds::default());
    }
    let stats = pool.stats();
    assert_eq!((stats.opened, stats.closed.get(CloseReason::Failed), stats.closed.total()), (2, 2, 2));
    assert_eq!((stats.in_use, stats.idle), (0, 0));
    assert_eq!(events.take(), ["1 closed Failed", "2 closed Failed"]);
}

#[test]
fn over_the_cap_per_host_the_oldest_is_evicted() {
    let (pool, events) = pool(PoolLimits { idle_per_host_max: 2, ..limits() });
    keep(&pool, "a", [1, 2, 3, 4]);
    keep(&pool, "b", [5, 6]);
    let expected =
        ["1 kept", "2 kept", "1 closed PoolFull", "3 kept", "2 closed PoolFull", "4 kept", "5 kept", "6 kept"];
    assert_eq!(events.take(), expected);
}

#[test]
fn when_a_waiter_leaves_what_was_kept_for_it_is_held_to_the_caps() {
    let (pool, events) = pool(PoolLimits { idle_per_host_max: 1, ..limits() });
    let leases = [1, 2, 3, 4].map(|port| lease(&pool, Checkout::of("a"), port));
    let mut table = pool.table.lock();
    let host = table.host_id("a");
    let waiter = table.enqueue(host);
    drop(table);
    leases.into_iter().for_each(|lease| lease.release(KeepAlive::default()));
    assert_eq!(events.take(), ["1 kept", "2 kept", "3 kept", "4 kept"]);
    drop(QueueTicket { pool: &pool, host, waiter, call: 0 });
    assert_eq!(events.take(), ["1 closed PoolFull", "2 closed PoolFull", "3 closed PoolFull"]);
}

#[test]
fn a_connection_that_is_evicted_at_once_was_not_kept() {
    let (pool, events) = pool(PoolLimits { idle_per_host_max: 0, ..limits() });
    keep(&pool, "a", [1]);
    assert_eq!(events.take(), ["1 closed PoolFull"]);
}

#[test]
fn the_numbers_add_up_however_a_lease_ends() {
    use CloseReason::{Failed, KeepAliveHint, ServerClose, Upgraded};
    let (pool, events) = pool(limits());
    lease(&pool, Checkout::of("a"), 1).release(KeepAlive::default());
    lease(&pool, Checkout::of("a"), 0).release(KeepAlive::default()); // the same once more
    lease(&pool, Checkout::of("a"), 0).close(ServerClose); // and a third time
    drop(lease(&pool, Checkout::of("a"), 2));
    assert!(lease(&pool, Checkout::of("a"), 3).into_conn().is_some());
    lease(&pool, Checkout::of("a"), 4).release(KeepAlive { requests_left: Some(0), ..KeepAlive::default() });
    let stats = pool.stats();
    assert_eq!((stats.opened, stats.reused, stats.idle, stats.in_use), (4, 2, 0, 0));
    assert_eq!([ServerClose, Failed, Upgraded, KeepAliveHint].map(|reason| stats.closed.get(reason)), [1; 4]);
    assert_eq!((stats.closed.total(), stats.closed.iter().count()), (4, 4));
    let shown = format!("{:?}", stats.closed);
    assert_eq!(shown, "{ServerClose: 1, KeepAliveHint: 1, Failed: 1, Upgraded: 1}");
    let kept = ["1 kept", "1 reused for 2", "1 kept", "1 reused for 3"];
    let closed = ["1 closed ServerClose", "2 closed Failed", "3 closed Upgraded", "4 closed KeepAliveHint"];
    assert_eq!(events.take(), [&kept[..], &closed].concat());
}

#[test]
fn a_connection_that_comes_back_too_old_is_closed_at_once() {
    let (pool, events) = pool(PoolLimits { age_max: Some(Duration::ZERO), ..limits() });
    keep(&pool, "a", [1, 2]);
    assert_eq!(events.take(), ["1 closed Aged", "2 closed Aged"]);
    let closed = pool.stats().closed;
    assert_eq!(closed.iter().collect::<Vec<_>>(), [(CloseReason::Aged, 2)], "and nothing that did not occur");
}

#[test]
fn dropping_the_pool_closes_what_is_idle_and_reports_it() {
    let (pool, events) = pool(limits());
    keep(&pool, "a", [1]);
    keep(&pool, "b", [2]);
    events.take();
    drop(pool);
    assert_eq!(events.take(), ["1 closed Cleared", "2 closed Cleared"]);
}

#[test]
fn eight_buffers_are_kept_for_the_next_leases_and_not_one_more() {
    let (pool, _) = pool(PoolLimits { idle_per_host_max: 99, ..limits() });
    let spares = || pool.table.lock().spare_buffers.len();
    keep(&pool, "a", [0; SPARE_BUFFERS_MAX - 1]);
    assert_eq!(spares(), SPARE_BUFFERS_MAX - 1);
    keep(&pool, "a", [0; SPARE_BUFFERS_MAX + 1]);
    assert_eq!(spares(), SPARE_BUFFERS_MAX);
    let lease = lease(&pool, Checkout::of("a"), 0);
    assert_eq!((lease.buffer.size(), spares()), (16, SPARE_BUFFERS_MAX - 1));
}

/// Asserts that this waiter, and no other, is to be notified.
#[track_caller]
fn assert_next(next: Option<Arc<Waiter>>, expected: Option<&Arc<Waiter>>) {
    assert_eq!(next.as_ref().map(Arc::as_ptr), expected.map(Arc::as_ptr));
}

#[test]
fn a_waiter_leaves_the_queue_from_any_position() {
    let mut table = Table::default();
    let id = table.host_id("a");
    let [first, second, third] = [(); 3].map(|()| table.enqueue(id));
    assert_eq!(table.stats.waiting, 3);
    table.leave_queue(id, &second);
    assert_eq!(table.stats.waiting, 2);
    let queue: Vec<_> = table.hosts[id].queue.iter().map(Arc::as_ptr).collect();
    assert_eq!(queue, [&first, &third].map(Arc::as_ptr));
}

#[test]
fn a_free_slot_wakes_the_front_of_its_own_hosts_queue_and_no_other() {
    let now = Instant::now();
    let limits = PoolLimits { per_host_max: Some(2), ..limits() };
    let mut table = Table::default();
    let [a, b] = ["a", "b"].map(|origin| {
        let id = table.host_id(origin);
        for _ in 0..2 {
            assert!(table.take_slot(id, None, Wanted::Any, now, &limits, &mut Evicted::new()).is_some());
        }
        id
    });
    let [first, second, third] = [(); 3].map(|()| table.enqueue(a));
    let elsewhere = table.enqueue(b);
    assert_next(table.free_slot(a, &limits), Some(&first));
    assert_next(table.free_slot(a, &limits), Some(&first)); // it has not taken the first yet
    assert!(
        table.take_slot(a, Some(&second), Wanted::Any, now, &limits, &mut Evicted::new()).is_none(),
        "it is not its turn"
    );
    assert!(table.take_slot(a, Some(&first), Wanted::Any, now, &limits, &mut Evicted::new()).is_some());
    table.leave_queue(a, &first);
    assert_next(table.next_waiter(a, &limits), Some(&second)); // the other slot
    assert!(table.take_slot(a, Some(&second), Wanted::Any, now, &limits, &mut Evicted::new()).is_some());
    table.leave_queue(a, &second);
    assert_next(table.next_waiter(a, &limits), None);
    assert_next(table.next_waiter(b, &limits), None);
    assert_next(table.free_slot(a, &limits), Some(&third));
    assert_next(table.free_slot(b, &limits), Some(&elsewhere));
}

#[test]
fn a_host_has_one_entry_that_counts_and_that_is_its_earliest() {
    let mut table = Table::default();
    let id = table.host_id("a");
    let now = Instant::now();
    for (secs, entries) in [(9, 1), (9, 1), (10, 1), (8, 2), (9, 2)] {
        let (expires_at, expiry_reason) = (now + Duration::from_secs(secs), CloseReason::Idle);
        let released_by = ThreadMark::current();
        table.insert_idle(id, IdleConn { conn: open(1), since: now, expires_at, expiry_reason, released_by });
        assert_eq!(table.expirations.len(), entries, "at {secs}");
    }
    assert_eq!(table.hosts[id].next_check, Some(now + Duration::from_secs(8)));
    assert_eq!(table.pop_due(None), Some(id));
    assert_eq!(table.pop_due(None), None, "the other one is stale");
}

#[test]
fn the_heap_has_two_entries_per_host_and_64_more_at_most() {
    let mut table = Table::default();
    let [id, ..] = ["a", "b", "c"].map(|origin| in_use(&mut table, origin));
    let now = Instant::now() + MINUTE;
    let most = 2 * 3 + expiry::STALE_MAX;
    for count in 1..=most {
        table.schedule(id, now - Duration::from_millis(count as u64));
        assert_eq!(table.expirations.len(), count);
    }
    table.schedule(id, now - Duration::from_secs(1));
    assert_eq!(table.expirations.len(), 1, "the one that counts");
    assert_eq!(table.pop_due(None), Some(id));
}
