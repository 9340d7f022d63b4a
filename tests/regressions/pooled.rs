//! Places, turns and what is told of pooled connections.
// A global allocator cannot be written without `unsafe`; the library itself has none.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use longwire::{Client, ClientBuilder, CloseReason, Event, Observer, PoolStats};

use crate::double::{Memory, Trace};
use crate::support::peer::{LIMIT, Peer, answer, ok};
use crate::{By, Double, URL, text};

/// Polls the pool until `done`, which it must become.
#[track_caller]
fn wait_for(client: &Client, done: impl Fn(&PoolStats) -> bool) {
    let end = Instant::now() + LIMIT;
    while !done(&client.pool_stats()) {
        assert!(Instant::now() < end, "never came: {:?}", client.pool_stats());
        thread::sleep(Duration::from_millis(2));
    }
}

#[derive(Default)]
struct Sockets {
    open: usize,
    most: usize,
    is_closing: bool,
}

/// Connections whose close takes a while: until one more is opened, or time is up.
fn slow_to_close(sockets: &Arc<(Mutex<Sockets>, Condvar)>) -> Double {
    let mut opened = sockets.0.lock().unwrap();
    opened.open += 1;
    opened.most = opened.most.max(opened.open);
    sockets.1.notify_all();
    let sockets = sockets.clone();
    let mut double = Double::giving([ok("fine")]);
    double.closes = Box::new(move || {
        let mut closing = sockets.0.lock().unwrap();
        closing.is_closing = true;
        sockets.1.notify_all();
        let pause = Duration::from_millis(300);
        let (mut closing, _) = sockets.1.wait_timeout_while(closing, pause, |now| now.open < 2).unwrap();
        closing.open -= 1;
    });
    double
}

#[test]
fn a_place_is_free_when_what_was_in_it_is_closed_and_not_before() {
    let sockets = Arc::new((Mutex::new(Sockets::default()), Condvar::new()));
    let opened = sockets.clone();
    let builder = Client::builder().connector(By(move || Ok(slow_to_close(&opened))));
    let client = builder.max_connections_per_host(1).max_idle_per_host(0).build();
    thread::scope(|scope| {
        scope.spawn(|| text(&client, URL));
        let open = sockets.0.lock().unwrap();
        let (open, waited) = sockets.1.wait_timeout_while(open, LIMIT, |now| !now.is_closing).unwrap();
        assert!(!waited.timed_out(), "it is not kept, so it is closed");
        drop(open);
        text(&client, URL);
    });
    assert_eq!(sockets.0.lock().unwrap().most, 1, "at once");
    assert_eq!(client.pool_stats().closed.get(CloseReason::PoolFull), 2);
}

#[test]
fn whoever_finds_a_dead_connection_keeps_its_turn() {
    let peer = Peer::start(|mut conn, index| {
        while conn.request().is_some() {
            conn.send(ok("abc"));
            if index == 0 {
                return;
            }
        }
    });
    let client = Client::builder().max_connections_per_host(1).build();
    let first = client.get(peer.url("/a")).send().unwrap();
    assert!(peer.has_closed(0));
    thread::scope(|scope| {
        scope.spawn(|| text(&client, peer.url("/b")));
        wait_for(&client, |stats| stats.waiting == 1);
        scope.spawn(|| text(&client, peer.url("/c")));
        wait_for(&client, |stats| stats.waiting == 2);
        assert_eq!(first.text().unwrap(), "abc"); // and b takes what this leaves: a dead connection
    });
    let lines = peer.request_lines();
    assert_eq!(lines, ["GET /a HTTP/1.1", "GET /b HTTP/1.1", "GET /c HTTP/1.1"]);
    assert_eq!(client.pool_stats().closed.get(CloseReason::PeerClosed), 1);
}

/// Panics at the first close.
struct PanicsOnce(AtomicBool);

impl Observer for PanicsOnce {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Closed { .. }) && !self.0.swap(true, Ordering::SeqCst) {
            panic!("the observer's own");
        }
    }
}

/// Asks twice of a client with one place, whose observer panics at the first close, and which is
/// set up so that there is one; then no place is lost.
#[track_caller]
fn a_panic_costs_no_place(setup: impl Fn(ClientBuilder) -> ClientBuilder) {
    let builder = Client::builder().connector(Memory::answering(ok("fine"))).observer(PanicsOnce(false.into()));
    let builder = builder.max_connections_per_host(1).connect_timeout(Duration::from_secs(2));
    let client = setup(builder).build();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        text(&client, URL);
        thread::sleep(Duration::from_millis(30));
        text(&client, URL);
    }));
    assert!(panicked.is_err(), "the close was told");
    let stats = client.pool_stats();
    assert_eq!((stats.in_use, stats.waiting), (0, 0), "{stats:?}");
    assert_eq!(text(&client, URL), "fine");
}

#[test]
fn an_observer_that_panics_while_a_place_is_looked_for_costs_no_place() {
    a_panic_costs_no_place(|builder| builder.idle_timeout(Duration::from_millis(10)));
}

#[test]
fn an_observer_that_panics_while_a_connection_comes_back_costs_no_place() {
    a_panic_costs_no_place(|builder| builder.max_idle_per_host(0));
}

/// Panics at each answer and each close.
struct Panics;

impl Observer for Panics {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::ResponseHead { .. } | Event::Closed { .. }) {
            panic!("the observer's own");
        }
    }
}

#[test]
fn an_observer_that_panics_again_while_its_panic_closes_the_connection_does_not_end_the_process() {
    let client = Client::builder().connector(Memory::answering(ok("fine"))).observer(Panics).build();
    let panicked = catch_unwind(AssertUnwindSafe(|| client.get(URL).send().map(drop)));
    let panic = panicked.expect_err("the answer was told");
    assert_eq!(panic.downcast_ref(), Some(&"the observer's own"));
    let stats = client.pool_stats();
    assert_eq!((stats.in_use, stats.closed.get(CloseReason::Failed)), (0, 1), "{stats:?}");
}

#[test]
fn a_connection_that_is_closed_at_once_is_not_said_to_be_kept() {
    let trace = Trace::default();
    let builder = Client::builder().connector(Memory::answering(ok("fine"))).observer(trace.clone());
    text(&builder.max_idle_per_host(0).build(), URL);
    let lines = trace.lines();
    assert!(lines.contains(&"closed PoolFull".to_owned()), "{lines:?}");
    assert!(!lines.contains(&"kept".to_owned()), "{lines:?}");
}

#[test]
fn a_connection_that_has_to_go_for_one_that_stays_is_not_said_to_be_kept() {
    let trace = Trace::default();
    let brief = answer("200 OK", "Keep-Alive: timeout=5\r\n", "brief");
    let mut opened = 0..;
    let answers = Mutex::new(move || if opened.next() == Some(0) { ok("long") } else { brief.clone() });
    let builder = Client::builder().connector(By(move || Ok(Double::giving([answers.lock().unwrap()()]))));
    let client = builder.max_idle(1).observer(trace.clone()).build();
    let (first, second) = (client.get(URL).send().unwrap(), client.get(URL).send().unwrap());
    assert_eq!(first.text().unwrap(), "long"); // is kept,
    assert_eq!(second.text().unwrap(), "brief"); // and of the two this would retire first
    assert_eq!(client.pool_stats().idle, 1);
    let lines = trace.lines();
    assert_eq!(lines.iter().filter(|line| *line == "kept").count(), 1, "{lines:?}");
}

#[test]
fn showing_a_client_closes_nothing() {
    let trace = Trace::default();
    let builder = Client::builder().connector(Memory::answering(ok("fine"))).observer(trace.clone());
    let client = builder.idle_timeout(Duration::from_millis(10)).build();
    text(&client, URL);
    thread::sleep(Duration::from_millis(30)); // whoever looks into the pool now closes it
    assert!(!format!("{client:?}").is_empty());
    assert!(trace.lines().iter().all(|line| !line.starts_with("closed")));
    drop(client);
    assert_eq!(trace.lines().last().unwrap(), "closed Cleared", "the end of a client is told");
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    /// Bytes that this thread has, and has not given back.
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
}

fn count(sign: isize, bytes: usize) {
    let bytes = sign * isize::try_from(bytes).unwrap_or(isize::MAX);
    let _ = LIVE_BYTES.try_with(|live| live.set(live.get() + bytes)); // gone where a thread ends
}

// SAFETY: both methods hand their arguments to `System`, which upholds the contract of
// `GlobalAlloc`, and give back what it gave. Counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, bytes: *mut u8, layout: Layout) {
        count(-1, layout.size());
        // SAFETY: `bytes` came from `System` with this layout, for all of ours do.
        unsafe { System.dealloc(bytes, layout) }
    }
}

#[test]
fn a_host_that_was_left_is_forgotten() {
    const HOSTS: isize = 5_000;
    for idle_timeout in [None, Some(Duration::from_secs(60))] {
        let connector = By(|| Ok(Double::giving([ok("a"), ok("b")])));
        let client = Client::builder().connector(connector).idle_timeout(idle_timeout).build();
        let mut before = 0;
        for host in -HOSTS..HOSTS {
            if host == 0 {
                before = LIVE_BYTES.get();
            }
            let url = format!("http://host{host}.test/");
            text(&client, &url);
            let last = client.get(&url).header("Connection", "close").send();
            assert_eq!(last.unwrap().text().unwrap(), "b");
        }
        let grown = LIVE_BYTES.get() - before;
        assert!(grown < 40 * HOSTS, "{grown} bytes for {HOSTS} hosts that are gone");
    }
}
