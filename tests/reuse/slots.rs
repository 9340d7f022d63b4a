//! The pool's slots where something goes wrong: slow closes, dead connections, observers that panic; and
//! which of the pool's events are reported.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use longwire::script::{Script, reply};
use longwire::{Client, ClientBuilder, CloseReason, Event, Observer, PoolStats};

use crate::support::peer::{LIMIT, Peer, ok};
use crate::support::trace::Trace;
use crate::support::wrapped::{Wrapped, wrapping};
use crate::{URL, text};

fn fine() -> Script {
    Script::answering(reply(200).body("fine"))
}

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

/// A connection whose close takes a while: until one more is opened, or time is up.
fn slow_to_close(stream: Wrapped, sockets: &Arc<(Mutex<Sockets>, Condvar)>) -> Wrapped {
    let mut opened = sockets.0.lock().unwrap();
    opened.open += 1;
    opened.most = opened.most.max(opened.open);
    sockets.1.notify_all();
    let sockets = sockets.clone();
    stream.on_close(move || {
        let mut closing = sockets.0.lock().unwrap();
        closing.is_closing = true;
        sockets.1.notify_all();
        let pause = Duration::from_millis(300);
        let (mut closing, _) = sockets.1.wait_timeout_while(closing, pause, |now| now.open < 2).unwrap();
        closing.open -= 1;
    })
}

#[test]
fn a_slot_is_free_when_its_connection_is_closed_and_not_before() {
    let sockets = Arc::new((Mutex::new(Sockets::default()), Condvar::new()));
    let opened = sockets.clone();
    let builder = Client::builder().connector(wrapping(fine(), move |stream| slow_to_close(stream, &opened)));
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
fn a_request_that_finds_a_dead_connection_keeps_its_turn() {
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

/// Sends twice with a client of one slot, whose observer panics at the first close, and which is set up
/// so that there is one; then no slot is lost.
#[track_caller]
fn a_panic_costs_no_slot(setup: impl Fn(ClientBuilder) -> ClientBuilder) {
    let builder = Client::builder().connector(fine()).observer(PanicsOnce(false.into()));
    let builder = builder.max_connections_per_host(1).connect_timeout(Duration::from_secs(2));
    let client = setup(builder).build();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        text(&client, URL);
        thread::sleep(Duration::from_millis(30));
        text(&client, URL);
    }));
    assert!(panicked.is_err(), "the close was reported");
    let stats = client.pool_stats();
    assert_eq!((stats.in_use, stats.waiting), (0, 0), "{stats:?}");
    assert_eq!(text(&client, URL), "fine");
}

#[test]
fn an_observer_that_panics_while_a_slot_is_acquired_costs_no_slot() {
    a_panic_costs_no_slot(|builder| builder.idle_timeout(Duration::from_millis(10)));
}

#[test]
fn an_observer_that_panics_while_a_connection_is_checked_in_costs_no_slot() {
    a_panic_costs_no_slot(|builder| builder.max_idle_per_host(0));
}

/// Panics at each response and each close.
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
    let client = Client::builder().connector(fine()).observer(Panics).build();
    let panicked = catch_unwind(AssertUnwindSafe(|| client.get(URL).send().map(drop)));
    let panic = panicked.expect_err("the response was reported");
    assert_eq!(panic.downcast_ref(), Some(&"the observer's own"));
    let stats = client.pool_stats();
    assert_eq!((stats.in_use, stats.closed.get(CloseReason::Failed)), (0, 1), "{stats:?}");
}

#[test]
fn a_connection_that_is_closed_at_once_is_not_reported_as_kept() {
    let trace = Trace::default();
    let builder = Client::builder().connector(fine()).observer(trace.clone());
    text(&builder.max_idle_per_host(0).build(), URL);
    let lines = trace.lines();
    assert!(lines.contains(&"closed PoolFull".to_owned()), "{lines:?}");
    assert!(!lines.contains(&"kept".to_owned()), "{lines:?}");
}

#[test]
fn a_connection_that_has_to_go_for_one_that_stays_is_not_reported_as_kept() {
    let trace = Trace::default();
    let brief = reply(200).header("Keep-Alive", "timeout=5").body("brief");
    let script = Script::new().on("*", reply(200).body("long")).on("*", brief);
    let builder = Client::builder().connector(script);
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
    let builder = Client::builder().connector(fine()).observer(trace.clone());
    let client = builder.idle_timeout(Duration::from_millis(10)).build();
    text(&client, URL);
    thread::sleep(Duration::from_millis(30)); // a look into the pool now closes it
    assert!(!format!("{client:?}").is_empty());
    assert!(trace.lines().iter().all(|line| !line.starts_with("closed")));
    drop(client);
    assert_eq!(trace.lines().last().unwrap(), "closed Cleared", "the end of a client is reported");
}
