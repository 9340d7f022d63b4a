//! The pool as a whole: its key, its caps, its queue, its clocks and its numbers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use longwire::{CancelToken, Client, CloseReason, ErrorKind, Event, Fate, Observer, PoolStats, Response, Stage};

use crate::support::peer::{LIMIT, Peer, answer, ok};
use crate::text;

/// Polls the pool until `done`, which it must become.
#[track_caller]
fn wait_for(client: &Client, done: impl Fn(&PoolStats) -> bool) -> PoolStats {
    let end = Instant::now() + LIMIT;
    loop {
        let stats = client.pool_stats();
        if done(&stats) {
            return stats;
        }
        assert!(Instant::now() < end, "never came: {stats:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Opens this many connections at once, and gives them all back.
fn open_and_release(client: &Client, peer: &Peer, connections: usize) {
    let open: Vec<_> = (0..connections).map(|_| client.get(peer.url("/")).send().expect("a response")).collect();
    for response in open {
        response.bytes().expect("a body");
    }
}

#[test]
fn a_connection_serves_its_own_origin_only() {
    let (one, two) = (Peer::answering(ok("one")), Peer::answering(ok("two")));
    let client = Client::new();
    for _ in 0..2 {
        assert_eq!(text(&client, one.url("/")), "one");
        assert_eq!(text(&client, two.url("/")), "two");
    }
    assert_eq!((one.connections(), two.connections()), (1, 1));
    assert_eq!(client.pool_stats().idle, 2);
}

#[test]
fn the_key_is_the_name_asked_for_and_not_its_address() {
    let peer = Peer::answering(ok("x"));
    let builder = Client::builder().no_proxy().resolve_to("a.test", peer.addr());
    let client = builder.resolve_to("b.test", peer.addr()).build();
    let port = peer.addr().port();
    for host in ["a.test", "b.test", "A.Test", "b.test"] {
        text(&client, format!("http://{host}:{port}/"));
    }
    assert_eq!(peer.connections(), 2, "a.test and b.test, whatever their case");
}

#[test]
fn clones_share_one_pool() {
    let peer = Peer::answering(ok("x"));
    let client = Client::new();
    let clone = client.clone();
    text(&client, peer.url("/"));
    text(&clone, peer.url("/"));
    let other = thread::spawn({
        let (client, url) = (client.clone(), peer.url("/"));
        move || text(&client, url)
    });
    other.join().unwrap();
    assert_eq!(peer.connections(), 1);
    assert_eq!(clone.pool_stats().reused, 2);
    assert_eq!(Client::new().pool_stats().opened, 0, "another client has its own");
}

#[test]
fn the_numbers_tell_what_happened() {
    let peer = Peer::answering(ok("x"));
    let client = Client::new();
    let numbers = || {
        let stats = client.pool_stats();
        (stats.idle, stats.in_use, stats.opened, stats.reused, stats.closed.total())
    };
    assert_eq!(numbers(), (0, 0, 0, 0, 0));
    let first = client.get(peer.url("/")).send().unwrap();
    let second = client.get(peer.url("/")).send().unwrap();
    assert_eq!(numbers(), (0, 2, 2, 0, 0));
    first.bytes().unwrap();
    assert_eq!(numbers(), (1, 1, 2, 0, 0));
    let third = client.get(peer.url("/")).send().unwrap();
    assert_eq!(numbers(), (0, 2, 2, 1, 0));
    drop(third);
    second.bytes().unwrap();
    assert_eq!(numbers(), (2, 0, 2, 1, 0));
    client.close_idle();
    assert_eq!(numbers(), (0, 0, 2, 1, 2));
    let stats = client.pool_stats();
    let by_reason: u64 = stats.closed.iter().map(|(_, count)| count).sum();
    assert_eq!(by_reason, stats.closed.total());
    assert_eq!(stats.waiting, 0);
}

#[test]
fn at_most_so_many_stay_idle_for_one_host() {
    for (limit, connections) in [(2, 3), (2, 2), (0, 1)] {
        let peer = Peer::answering(ok("x"));
        let client = Client::builder().max_idle_per_host(limit).build();
        open_and_release(&client, &peer, connections);
        let stats = client.pool_stats();
        assert_eq!(stats.idle, connections.min(limit));
        let over = connections.saturating_sub(limit) as u64;
        assert_eq!(stats.closed.get(CloseReason::PoolFull), over);
    }
}

#[test]
fn thirty_two_stay_idle_for_one_host_by_default() {
    let peer = Peer::answering(ok("x"));
    let client = Client::new();
    open_and_release(&client, &peer, 33);
    assert_eq!(client.pool_stats().idle, 32);
    assert_eq!(client.pool_stats().closed.get(CloseReason::PoolFull), 1);
}

#[test]
fn at_most_so_many_stay_idle_in_all() {
    let peers: Vec<Peer> = (0..3).map(|_| Peer::answering(ok("x"))).collect();
    for (limit, closed) in [(2, 1), (3, 0), (0, 3)] {
        let client = Client::builder().max_idle(limit).build();
        for peer in &peers {
            text(&client, peer.url("/"));
        }
        assert_eq!(client.pool_stats().idle, limit);
        assert_eq!(client.pool_stats().closed.get(CloseReason::PoolFull), closed);
    }
}

#[test]
fn the_one_that_was_idle_for_longest_makes_room_and_not_the_one_that_was_opened_first() {
    let [one, two, three] = [(); 3].map(|()| Peer::answering(ok("x")));
    let client = Client::builder().max_idle(2).build();
    for peer in [&one, &two, &one, &three] {
        text(&client, peer.url("/"));
    }
    assert!(two.saw_close(0));
    text(&client, one.url("/"));
    assert_eq!([&one, &two, &three].map(|peer| peer.connections()), [1, 1, 1]);
    assert_eq!(client.pool_stats().closed.get(CloseReason::PoolFull), 1);
}

#[test]
fn one_hundred_and_twenty_eight_stay_idle_in_all_by_default() {
    let peers: Vec<Peer> = (0..5).map(|_| Peer::answering(ok("x"))).collect();
    let client = Client::new();
    for (index, peer) in peers.iter().enumerate() {
        open_and_release(&client, peer, 32);
        assert_eq!(client.pool_stats().idle, (32 * (index + 1)).min(128));
    }
}

#[test]
fn an_idle_connection_expires_at_the_next_call_of_any_clone() {
    let (one, two) = (Peer::answering(ok("x")), Peer::answering(ok("x")));
    let client = Client::builder().idle_timeout(Duration::from_millis(100)).build();
    text(&client, one.url("/"));
    assert_eq!(client.pool_stats().closed.total(), 0);
    thread::sleep(Duration::from_millis(150));
    text(&client.clone(), two.url("/"));
    assert!(one.saw_close(0));
    assert_eq!(client.pool_stats().closed.get(CloseReason::Idle), 1);
    assert_eq!(client.pool_stats().idle, 1);
}

#[test]
fn the_time_that_a_body_lies_unread_is_idle_time_to_the_server() {
    let peer = Peer::answering(ok("x"));
    let client = Client::builder().idle_timeout(Duration::from_millis(100)).build();
    let response = client.get(peer.url("/")).send().unwrap();
    thread::sleep(Duration::from_millis(150));
    assert_eq!(response.text().unwrap(), "x");
    text(&client, peer.url("/"));
    assert_eq!(peer.connections(), 2);
    assert_eq!(client.pool_stats().closed.get(CloseReason::Idle), 1);
}

#[test]
fn a_waiter_gets_no_connection_that_has_expired() {
    let peer = Peer::answering(ok("x"));
    let builder = Client::builder().max_connections_per_host(1);
    let client = builder.idle_timeout(Duration::from_millis(100)).build();
    let unread = client.get(peer.url("/")).send().unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| text(&client, peer.url("/")));
        wait_for(&client, |stats| stats.waiting == 1);
        thread::sleep(Duration::from_millis(150));
        assert_eq!(unread.text().unwrap(), "x");
        waiting.join().unwrap();
    });
    assert_eq!(peer.connections(), 2);
    assert_eq!(client.pool_stats().closed.get(CloseReason::Idle), 1);
}

#[test]
fn a_connection_that_comes_back_late_is_not_the_newest() {
    let peer = Peer::answering(ok("x"));
    let client = Client::builder().max_idle_per_host(1).build();
    let unread = client.get(peer.url("/")).send().unwrap();
    text(&client, peer.url("/"));
    assert_eq!(unread.text().unwrap(), "x");
    assert!(peer.saw_close(0), "the one that has been silent for longest makes room");
    text(&client, peer.url("/"));
    assert_eq!(peer.connections(), 2);
}

#[test]
fn an_idle_connection_within_its_time_is_used() {
    let peer = Peer::answering(ok("x"));
    let patient = Client::builder().idle_timeout(LIMIT).build();
    let endless = Client::builder().idle_timeout(None).build();
    for client in [&patient, &patient, &endless, &endless] {
        text(client, peer.url("/"));
    }
    assert_eq!(peer.connections(), 2);
}

#[test]
fn close_idle_closes_what_is_idle_and_nothing_else() {
    let peer = Peer::answering(ok(&"x".repeat(100)));
    let client = Client::new();
    let busy = client.get(peer.url("/busy")).send().unwrap();
    text(&client, peer.url("/idle"));
    client.clone().close_idle();
    assert!(peer.saw_close(1));
    let stats = client.pool_stats();
    assert_eq!((stats.idle, stats.in_use), (0, 1));
    assert_eq!(stats.closed.get(CloseReason::Cleared), 1);
    assert_eq!(busy.bytes().unwrap().len(), 100);
    assert_eq!(client.pool_stats().idle, 1, "close_idle says nothing of later ones");
}

#[test]
fn the_last_clone_takes_the_idle_connections_along() {
    let peer = Peer::answering(ok("x"));
    let client = Client::new();
    let busy = client.get(peer.url("/")).send().unwrap();
    text(&client, peer.url("/"));
    drop(client);
    assert_eq!(busy.text().unwrap(), "x", "a body outlives its client");
    assert!(peer.saw_close(0) && peer.saw_close(1));
}

#[test]
fn a_connection_that_has_grown_old_is_not_used_again() {
    let peer = Peer::answering(ok("x"));
    let client = Client::builder().max_connection_age(Duration::from_millis(300)).build();
    text(&client, peer.url("/"));
    thread::sleep(Duration::from_millis(350));
    text(&client, peer.url("/"));
    assert_eq!(peer.connections(), 2);
    assert_eq!(client.pool_stats().closed.get(CloseReason::Aged), 1);

    let young = Client::builder().max_connection_age(LIMIT).build();
    text(&young, peer.url("/"));
    text(&young, peer.url("/"));
    assert_eq!(young.pool_stats().reused, 1);
}

/// A client with one slot per host, whose slot is taken by the response.
fn full(peer: &Peer, connect_timeout: Duration) -> (Client, longwire::Response) {
    let builder = Client::builder().max_connections_per_host(1);
    let client = builder.connect_timeout(connect_timeout).build();
    let response = client.get(peer.url("/first")).send().expect("a response");
    (client, response)
}

#[test]
fn a_request_waits_for_a_slot_and_gets_the_connection_itself() {
    let peer = Peer::answering(ok("x"));
    let (client, first) = full(&peer, LIMIT);
    let waiter = thread::spawn({
        let (client, url) = (client.clone(), peer.url("/second"));
        move || text(&client, url)
    });
    let stats = wait_for(&client, |stats| stats.waiting == 1);
    assert_eq!((stats.in_use, stats.opened), (1, 1));
    first.bytes().unwrap();
    assert_eq!(waiter.join().unwrap(), "x");
    assert_eq!(peer.connections(), 1);
    assert_eq!(client.pool_stats().waiting, 0);
}

#[test]
fn a_wait_for_a_slot_is_not_counted_as_sending() {
    const HELD: Duration = Duration::from_secs(1);

    let peer = Peer::answering(ok("x"));
    let (client, first) = full(&peer, LIMIT);
    let waiter = thread::spawn({
        let (client, url) = (client.clone(), peer.url("/second"));
        move || client.get(url).send().expect("a response").timings()
    });
    wait_for(&client, |stats| stats.waiting == 1);
    thread::sleep(HELD); // this is the time that is looked for
    first.bytes().unwrap();
    let timings = waiter.join().unwrap();
    assert!(timings.send < HELD, "{timings:?}");
    assert_eq!(client.pool_stats().reused, 1);
}

#[test]
fn an_observer_that_panics_costs_no_slot() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send(ok("kept"));
        conn.request();
        conn.send(answer("200 OK", "Connection: close\r\n", "closed"));
    });
    for fatal in 0..10 {
        let count = AtomicUsize::new(0);
        let observer = Panicking { count, fatal };
        let client = Client::builder().max_connections_per_host(1).observer(observer).build();
        for _ in 0..3 {
            let _ = catch_unwind(AssertUnwindSafe(|| client.get(peer.url("/")).send().and_then(Response::text)));
            let stats = client.pool_stats();
            assert_eq!((stats.in_use, stats.waiting), (0, 0), "a panic at event {fatal}");
        }
    }
}

/// An observer that makes a mistake, once.
struct Panicking {
    count: AtomicUsize,
    fatal: usize,
}

impl Observer for Panicking {
    fn event(&self, event: &Event<'_>) {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        assert_ne!(number, self.fatal, "a mistake in the observer (this is what the test wants): {event:?}");
    }
}

#[test]
fn a_request_gets_the_slot_of_a_connection_that_was_closed() {
    let peer = Peer::start(|mut conn, index| {
        conn.request();
        let cut = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx".to_owned();
        conn.send(if index == 0 { cut } else { ok("second") });
        conn.wait_closed(LIMIT);
    });
    let (client, first) = full(&peer, LIMIT);
    let waiter = thread::spawn({
        let (client, url) = (client.clone(), peer.url("/second"));
        move || text(&client, url)
    });
    wait_for(&client, |stats| stats.waiting == 1);
    drop(first); // unfinished
    assert_eq!(waiter.join().unwrap(), "second");
    assert_eq!(peer.connections(), 2);
}

#[test]
fn those_who_wait_are_served_in_the_order_they_came() {
    let peer = Peer::answering(ok("x"));
    let (client, first) = full(&peer, LIMIT);
    let mut waiters = Vec::new();
    for number in 1..=5 {
        let (client, url) = (client.clone(), peer.url(&format!("/{number}")));
        waiters.push(thread::spawn({
            let client = client.clone();
            move || text(&client, url)
        }));
        wait_for(&client, |stats| stats.waiting == number);
    }
    first.bytes().unwrap();
    for waiter in waiters {
        waiter.join().unwrap();
    }
    let order = ["/first", "/1", "/2", "/3", "/4", "/5"];
    assert_eq!(peer.request_lines(), order.map(|path| format!("GET {path} HTTP/1.1")));
}

#[test]
fn slots_freed_together_reach_all_who_wait() {
    const PLACES: usize = 3;
    let peer = Peer::answering(ok("x"));
    let client = Client::builder().max_connections_per_host(PLACES).connect_timeout(LIMIT).build();
    for _ in 0..20 {
        let busy: Vec<_> = (0..PLACES).map(|_| client.get(peer.url("/")).send().unwrap()).collect();
        let all_have_one = Arc::new(Barrier::new(PLACES));
        let waiters = (0..PLACES).map(|_| {
            let (client, url, all_have_one) = (client.clone(), peer.url("/"), all_have_one.clone());
            thread::spawn(move || {
                let response = client.get(url).send().expect("a slot");
                all_have_one.wait(); // no thread gives a slot back before
                response.bytes().expect("a body");
            })
        });
        let waiters: Vec<_> = waiters.collect();
        wait_for(&client, |stats| stats.waiting == PLACES);
        for response in busy {
            response.bytes().unwrap();
        }
        wait_for(&client, |stats| stats.waiting == 0);
        for waiter in waiters {
            waiter.join().unwrap();
        }
    }
    assert_eq!(peer.connections(), PLACES);
}

#[test]
fn waiting_for_a_slot_counts_to_the_connect_timeout() {
    let peer = Peer::answering(ok("x"));
    let limit = Duration::from_millis(200);
    let (client, first) = full(&peer, limit);
    let begin = Instant::now();
    let error = client.post(peer.url("/second")).body("x").send().unwrap_err();
    assert!(begin.elapsed() >= limit);
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.stage(), Stage::Pool);
    assert_eq!(error.fate(), Fate::NotSent);
    assert!(error.is_timeout());
    assert_eq!(client.pool_stats().waiting, 0);
    first.bytes().unwrap();
    assert_eq!(text(&client, peer.url("/third")), "x", "the slot is not lost");
    assert_eq!(peer.connections(), 1);
}

#[test]
fn the_whole_timeout_bounds_the_wait_for_a_slot_too() {
    let peer = Peer::answering(ok("x"));
    let (client, _first) = full(&peer, LIMIT);
    let limit = Duration::from_millis(200);
    let begin = Instant::now();
    let error = client.get(peer.url("/second")).timeout(limit).send().unwrap_err();
    assert!(begin.elapsed() >= limit && begin.elapsed() < LIMIT / 2);
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::Pool));
}

#[test]
fn a_cancel_ends_the_wait_for_a_slot() {
    let peer = Peer::answering(ok("x"));
    let (client, first) = full(&peer, LIMIT);
    let token = CancelToken::new();
    let waiter = thread::spawn({
        let (client, url, token) = (client.clone(), peer.url("/second"), token.clone());
        move || client.get(url).cancel_token(&token).send().map(|_| ())
    });
    wait_for(&client, |stats| stats.waiting == 1);
    token.cancel();
    let error = waiter.join().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Cancelled, Stage::Pool));
    assert_eq!(error.fate(), Fate::NotSent);
    first.bytes().unwrap();
    assert_eq!(text(&client, peer.url("/third")), "x");
}

#[test]
fn another_host_is_not_waited_for() {
    let (one, two) = (Peer::answering(ok("one")), Peer::answering(ok("two")));
    let (client, _first) = full(&one, LIMIT);
    assert_eq!(text(&client, two.url("/")), "two");
}

#[test]
fn a_dead_connection_does_not_hold_its_slot() {
    let peer = Peer::start(|mut conn, index| {
        conn.request();
        conn.send(ok("x"));
        if index == 0 {
            conn.was_signalled("it is idle");
            return; // found by the probe
        }
        conn.request(); // and here instead of a response: found by a retry
        if index == 2 {
            conn.send(ok("y"));
        }
    });
    let client = Client::builder().max_connections_per_host(1).connect_timeout(LIMIT).build();
    assert_eq!(text(&client, peer.url("/1")), "x");
    peer.signal("it is idle");
    assert!(peer.has_closed(0));
    assert_eq!(text(&client, peer.url("/2")), "x");
    assert_eq!(text(&client, peer.url("/3")), "x", "sent again on a third connection");
    assert_eq!(peer.connections(), 3);
    assert_eq!(client.pool_stats().idle, 1);
}

#[test]
fn a_redirect_gives_its_slot_up_before_it_takes_the_next() {
    let peer = Peer::start(|mut conn, index| {
        conn.request();
        let stalled = "HTTP/1.1 302 Found\r\nLocation: /new\r\nContent-Length: 9\r\n\r\nx";
        conn.send(if index == 0 { stalled.to_owned() } else { ok("x") });
        conn.wait_closed(LIMIT);
    });
    let client = Client::builder().max_connections_per_host(1).connect_timeout(LIMIT).build();
    let begin = Instant::now();
    assert_eq!(text(&client, peer.url("/old")), "x");
    assert!(begin.elapsed() < LIMIT / 2);
    assert_eq!(peer.connections(), 2);
}

#[test]
fn a_cancelled_request_ends_its_connection() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
        conn.wait_closed(LIMIT);
    });
    let client = Client::new();
    let token = CancelToken::new();
    let response = client.get(peer.url("/")).cancel_token(&token).send().unwrap();
    let reader = thread::spawn(move || response.bytes());
    token.cancel();
    let error = reader.join().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(peer.saw_close(0));
    assert_eq!(client.pool_stats().closed.get(CloseReason::Cancelled), 1);
}

#[test]
fn a_late_cancel_does_not_hit_the_next_request() {
    let peer = Peer::answering(ok("x"));
    let client = Client::new();
    let token = CancelToken::new();
    client.get(peer.url("/1")).cancel_token(&token).send().unwrap().bytes().unwrap();
    let response = client.get(peer.url("/2")).send().unwrap();
    token.cancel();
    assert_eq!(response.text().unwrap(), "x");
    assert_eq!(text(&client, peer.url("/3")), "x");
    assert_eq!(peer.connections(), 1);
    let error = client.get(peer.url("/4")).cancel_token(&token).send().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Cancelled, Fate::NotSent));
    assert_eq!(peer.request_lines().len(), 3);
}

#[test]
fn many_threads_share_few_connections() {
    let peer = Peer::answering(ok("x"));
    let client = Client::builder().max_connections_per_host(3).build();
    let threads = (0..12).map(|_| {
        let (client, url) = (client.clone(), peer.url("/"));
        thread::spawn(move || (0..20).for_each(|_| assert_eq!(text(&client, &url), "x")))
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().unwrap();
    }
    assert!(peer.connections() <= 3, "{}", peer.connections());
    let stats = client.pool_stats();
    assert_eq!(stats.opened + stats.reused, 240);
    assert_eq!((stats.in_use, stats.waiting), (0, 0));
}
