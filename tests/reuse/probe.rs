//! The probe before reuse on a connection that is hot: used three times, and asked again at once.
//! Nothing that had arrived by then is an answer, and one stray response never shifts those that
//! follow; where the probe is left out, by `probe_after`, both happen.

use std::io::Read;
use std::thread;
use std::time::Duration;

use longwire::{Client, CloseReason};

use super::support::peer::{Event, Peer, ok};
use super::text;

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_second_response_behind_an_answer_is_never_the_next_answer() {
    for (probe_after, want) in [(None, "fine"), (Some(HOUR), "poison")] {
        let peer = Peer::start(|mut conn, _| {
            for number in 1.. {
                if conn.request().is_none() {
                    return;
                }
                conn.send(ok("fine"));
                if number == 3 && conn.was_told("the third is read") {
                    conn.send(ok("poison"));
                    conn.note("poison sent");
                }
            }
        });
        let builder = Client::builder();
        let client = match probe_after {
            Some(idle) => builder.probe_after(idle).build(),
            None => builder.build(),
        };
        (0..3).for_each(|_| assert_eq!(text(&client, peer.url("/")), "fine"));
        peer.tell("the third is read");
        assert!(peer.noted(0, "poison sent"));
        assert_eq!(text(&client, peer.url("/")), want);
        if probe_after.is_none() {
            assert_eq!(client.pool_stats().closed.get(CloseReason::StrayBytes), 1);
        }
    }
}

#[test]
fn a_post_does_not_die_on_a_connection_that_the_server_closed_behind_its_answer() {
    let peer = Peer::start(|mut conn, _| {
        for _ in 0..3 {
            if conn.request().is_none() {
                return;
            }
            conn.send(ok("done"));
        }
    });
    let post = |client: &Client| client.post(peer.url("/")).body("once").send().and_then(|response| response.text());
    let client = Client::new();
    for number in 1..=12 {
        assert_eq!(post(&client).expect("an answer"), "done");
        let closed = number / 3;
        let is_closed =
            |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Closed(_))).count() >= closed;
        assert!(peer.wait_until(is_closed));
    }
    assert_eq!((peer.connections(), peer.request_lines().len()), (4, 12));

    let trusting = Client::builder().probe_after(HOUR).build();
    (0..3).for_each(|_| assert_eq!(post(&trusting).expect("an answer"), "done"));
    assert!(peer.wait_until(|events| events.contains(&Event::Closed(4))));
    assert!(post(&trusting).is_err(), "the probe was left out");
}

/// A server that sends each `every`th answer twice, the second time in a write of its own; and what a
/// tight loop of `requests` got: how many answers were another's, and how many of them in a row.
fn strays_in_a_tight_loop(requests: u32, every: u32) -> (u32, u32) {
    let peer = Peer::start(move |mut conn, _| {
        while let Some(request) = conn.request() {
            let number: u32 = request.target[1..].parse().expect("a number");
            let answer = ok(&number.to_string());
            conn.send(&answer);
            if number % every == 0 {
                conn.send(&answer);
            }
        }
    });
    let client = Client::new();
    let (mut wrong, mut row, mut longest) = (0, 0, 0);
    for number in 1..=requests {
        let mut body = String::new();
        let mut response = client.get(peer.url(&format!("/{number}"))).send().expect("an answer");
        response.read_to_string(&mut body).expect("a body");
        row = if body == number.to_string() { 0 } else { row + 1 };
        wrong += u32::from(row > 0);
        longest = longest.max(row);
        if number % 64 == 0 {
            thread::yield_now();
        }
    }
    println!("{requests} requests, one stray in {every}: {wrong} wrong answers, {longest} in a row at most");
    (wrong, longest)
}

#[test]
fn one_stray_response_never_shifts_the_answers_of_a_tight_loop() {
    let (wrong, longest) = strays_in_a_tight_loop(10_000, 50);
    assert!(longest <= 1, "{longest} wrong answers in a row, {wrong} in all");
}

#[test]
#[ignore = "long: a minute; run it alone, with --release"]
fn two_hundred_thousand_requests_with_one_stray_in_a_thousand() {
    let (wrong, longest) = strays_in_a_tight_loop(200_000, 1_000);
    assert!(longest <= 1, "{longest} wrong answers in a row, {wrong} in all");
}
