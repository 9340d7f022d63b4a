//! How many threads connect for a client that meets addresses that do not answer: counted in the list of
//! this process's threads, so each of these runs in a process of its own, where no other test has any.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use longwire::{CancelToken, Client, ClientBuilder, ErrorKind, Fate, Stage};

use super::silent::{FullBacklog, black_hole};
use super::support::peer::{Peer, ok};
use super::{Names, SHORT, SOON, refused, text};

/// Set in the process that a test is given.
const ALONE: &str = "LONGWIRE_TEST_ALONE";

/// Helpers that one client has for connects.
const CONNECTS_MAX: usize = 64;
/// Of these, at one address that has not answered.
const UNANSWERED_MAX: usize = 4;
/// Attempts that are left alone live for so long, which is longer than any test here.
const LONG: Duration = Duration::from_secs(60);

/// Runs `test`, which is the test of that name, in a process of its own.
fn alone(name: &str, test: impl FnOnce()) {
    if env::var_os(ALONE).is_some() {
        return test();
    }
    let run = Command::new(env::current_exe().expect("the path of this program"))
        .args(["--exact", &format!("helpers::{name}"), "--nocapture"])
        .env(ALONE, "")
        .output()
        .expect("this program, once more");
    let printed = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && printed.contains("1 passed"), "{printed}");
    printed.lines().filter(|line| line.contains("helpers")).for_each(|line| println!("{line}"));
}

/// The threads of this process that connect to something.
fn helpers() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("the list of threads").flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.trim() == "longwire-connec").count() // the system keeps 15 bytes
}

/// Waits until there are so few.
#[track_caller]
fn until_helpers_are(count: usize) {
    let end = Instant::now() + SOON;
    while helpers() > count {
        assert!(Instant::now() < end, "{} helpers are left", helpers());
        thread::yield_now();
    }
}

/// A client that opens a connection for each request.
fn builder(addresses: &[SocketAddr]) -> ClientBuilder {
    Client::builder().no_proxy().max_idle_per_host(0).connect_timeout(LONG).resolver(Names::all_at(addresses))
}

/// Counts how many helpers there are until `work` is done, and returns how many there were at most.
fn most_helpers_during(work: impl FnOnce()) -> usize {
    let (most, is_done) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                most.fetch_max(helpers(), Ordering::Relaxed);
            }
        });
        work();
        is_done.store(true, Ordering::Relaxed);
    });
    most.into_inner()
}

#[test]
fn a_crowd_that_meets_a_silent_address_is_served_by_the_other_with_few_helpers() {
    const THREADS: usize = 40;
    const EACH: usize = 5;
    alone("a_crowd_that_meets_a_silent_address_is_served_by_the_other_with_few_helpers", || {
        let peer = Peer::answering(ok("here"));
        let client = builder(&[black_hole(), peer.addr()]).build();
        let longest = AtomicUsize::new(0);
        let most = most_helpers_during(|| {
            thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        for _ in 0..EACH {
                            let started = Instant::now();
                            assert_eq!(text(client.get("http://two.test/").send()), "here");
                            longest.fetch_max(started.elapsed().as_millis() as usize, Ordering::Relaxed);
                        }
                    });
                }
            });
        });
        assert_eq!(peer.connections(), THREADS * EACH);
        until_helpers_are(UNANSWERED_MAX);
        println!(
            "{} requests by {THREADS} threads: {most} helpers at most, {} left, {} ms the longest",
            THREADS * EACH,
            helpers(),
            longest.into_inner()
        );
        assert!(most <= CONNECTS_MAX, "{most} helpers");
    });
}

/// Each is cancelled a little later, wherever it stands.
fn cancelled_connects(client: &Client, count: usize) {
    for _ in 0..count {
        let token = CancelToken::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(5));
                token.cancel();
            });
            let error = client.get("http://silent.test/").cancel_token(&token).send().expect_err("nothing answers");
            assert!(error.is_cancelled() && error.fate() == Fate::NotSent, "{error}");
        });
    }
}

#[test]
fn cancelled_connects_to_a_silent_address_leave_four_helpers() {
    alone("cancelled_connects_to_a_silent_address_leave_four_helpers", || {
        let peer = Peer::answering(ok("here"));
        let client = builder(&[black_hole()]).resolve_to("good.test", peer.addr()).build();
        let token = CancelToken::new(); // so that a helper connects
        let good = || client.get("http://good.test/").cancel_token(&token).timeout(SOON).send();
        cancelled_connects(&client, 100);
        until_helpers_are(UNANSWERED_MAX);
        assert_eq!(text(good()), "here");
        thread::scope(|scope| {
            (0..20).for_each(|_| drop(scope.spawn(|| cancelled_connects(&client, 5))));
            assert_eq!(text(good()), "here", "while the others are in line");
        });
        until_helpers_are(UNANSWERED_MAX);
        println!("200 cancelled connects: {} helpers left", helpers());
    });
}

#[test]
fn a_timeout_in_line_names_those_before() {
    alone("a_timeout_in_line_names_those_before", || {
        let client = builder(&[black_hole()]).build();
        cancelled_connects(&client, UNANSWERED_MAX);
        until_helpers_are(UNANSWERED_MAX);
        let token = CancelToken::new();
        let late = client.get("http://silent.test/").cancel_token(&token).timeout(SHORT).send();
        let error = refused(late, ErrorKind::Timeout);
        assert_eq!((error.stage(), error.fate()), (Stage::Connect, Fate::NotSent));
        let behind = "queued to connect, with 4 unanswered attempts under way: timeout of 400ms passed";
        assert!(error.to_string().starts_with(behind), "{error}");
    });
}

/// Takes every connection that comes, and answers those on which something is asked.
fn serve(listener: &TcpListener) {
    for stream in listener.incoming() {
        let mut stream = stream.expect("a connection");
        thread::spawn(move || {
            let mut request = [0; 1024];
            if stream.read(&mut request).is_ok_and(|count| count > 0) {
                stream.write_all(ok("at last").as_bytes()).expect("the client");
            }
        });
    }
}

#[test]
fn those_in_line_are_served_when_the_address_answers() {
    alone("those_in_line_are_served_when_the_address_answers", || {
        let hole = FullBacklog::fill();
        let client = builder(&[hole.address]).build();
        let token = CancelToken::new(); // so that helpers connect
        thread::scope(|scope| {
            let asking = [(); 3 * UNANSWERED_MAX]
                .map(|()| scope.spawn(|| text(client.get("http://late.test/").cancel_token(&token).send())));
            let end = Instant::now() + SOON;
            while helpers() < UNANSWERED_MAX {
                assert!(Instant::now() < end, "{} helpers", helpers());
                thread::yield_now();
            }
            let listener = hole.wake_up();
            thread::spawn(move || serve(&listener));
            asking.into_iter().for_each(|asking| assert_eq!(asking.join().expect("no panic"), "at last"));
        });
        until_helpers_are(0);
    });
}
