//! The probe before reuse on a connection that is hot: used three times, and asked again at once.
//! Nothing that had arrived by then is a response; where the probe is left out, by `probe_after`, it is.

use std::time::Duration;

use longwire::{Client, CloseReason};

use super::support::peer::{Event, Peer, ok};
use super::text;

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_second_response_after_a_response_is_never_the_next_response() {
    for (probe_after, want) in [(None, "fine"), (Some(HOUR), "poison")] {
        let peer = Peer::start(|mut conn, _| {
            for number in 1.. {
                if conn.request().is_none() {
                    return;
                }
                conn.send(ok("fine"));
                if number == 3 && conn.was_signalled("the third is read") {
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
        peer.signal("the third is read");
        assert!(peer.noted(0, "poison sent"));
        assert_eq!(text(&client, peer.url("/")), want);
        if probe_after.is_none() {
            assert_eq!(client.pool_stats().closed.get(CloseReason::StrayBytes), 1);
        }
    }
}

#[test]
fn a_post_does_not_die_on_a_connection_that_the_server_closed_after_its_response() {
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
        assert_eq!(post(&client).expect("a response"), "done");
        let closed = number / 3;
        let is_closed =
            |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Closed(_))).count() >= closed;
        assert!(peer.wait_until(is_closed));
    }
    assert_eq!((peer.connections(), peer.request_lines().len()), (4, 12));

    let trusting = Client::builder().probe_after(HOUR).build();
    (0..3).for_each(|_| assert_eq!(post(&trusting).expect("a response"), "done"));
    assert!(peer.wait_until(|events| events.contains(&Event::Closed(4))));
    assert!(post(&trusting).is_err(), "the probe was left out");
}

/// A server that sends one answer in a thousand twice, the second time in a write of its own, and a
/// client that asks as fast as it can. What comes between the probe and the response cannot be distinguished from
/// the response, so a few responses may be wrong; but where the server answers at once the next probe ends
/// that. (It cannot where the server is always one answer behind: so this wants a machine of its own.)
#[test]
#[ignore = "long: a minute; run it alone, with --release"]
fn two_hundred_thousand_requests_with_one_stray_in_a_thousand() {
    const REQUESTS: u32 = 200_000;
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let number: u32 = request.target[1..].parse().expect("a number");
            let answer = ok(&number.to_string());
            conn.send(&answer);
            if number % 1_000 == 0 {
                conn.send(&answer);
            }
        }
    });
    let client = Client::new();
    let (mut wrong, mut row, mut longest) = (0, 0, 0);
    for number in 1..=REQUESTS {
        let is_right = text(&client, peer.url(&format!("/{number}"))) == number.to_string();
        row = if is_right { 0 } else { row + 1 };
        wrong += u32::from(!is_right);
        longest = longest.max(row);
    }
    let found = client.pool_stats().closed.get(CloseReason::StrayBytes);
    println!("{REQUESTS} requests, 200 strays: {found} found, {wrong} wrong responses, {longest} in a row at most");
    assert!(longest <= 1, "{longest} wrong responses in a row, {wrong} in all");
}
