//! Requests that are sent again by a policy of the caller's: only what may be sent twice, after the wait that
//! the server asks for, for as often as policy, budget and deadline allow.

mod support;

use std::io::{self, Cursor};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use longwire::script::{Script, raw, reply};
use longwire::{
    CancelToken, Client, ClientBuilder, Error, ErrorKind, Event, Fate, Method, Request, Response, Retry, SendBody,
};
use support::peer::{Conn, Peer, answer, ok};

const MILLISECOND: Duration = Duration::from_millis(1);

/// A policy that waits for next to nothing.
fn quick(retries: u32) -> Retry {
    Retry::new(retries).backoff(MILLISECOND, MILLISECOND)
}

fn client(retry: Retry) -> Client {
    Client::builder().no_proxy().retry(retry).build()
}

/// A peer that gives these answers in their order, and the last one from then on.
fn answering(answers: &[String]) -> Peer {
    let answers = answers.to_vec();
    let given = AtomicU32::new(0);
    Peer::start(move |mut conn, _| {
        while conn.request().is_some() {
            let at = given.fetch_add(1, Ordering::Relaxed) as usize;
            conn.send(&answers[at.min(answers.len() - 1)]);
        }
    })
}

fn busy(fields: &str) -> String {
    answer("503 Service Unavailable", fields, "busy")
}

/// What a client waited before its retries.
#[derive(Clone, Default)]
struct Waits(Arc<Mutex<Vec<Duration>>>);

impl Waits {
    fn of(builder: ClientBuilder) -> (Client, Waits) {
        let waits = Waits::default();
        let noted = waits.clone();
        let observer = move |event: &Event<'_>| {
            if let Event::Retry { wait, .. } = event {
                noted.0.lock().expect("no test panics with it").push(*wait);
            }
        };
        (builder.no_proxy().observer(observer).build(), waits)
    }

    fn all(&self) -> Vec<Duration> {
        self.0.lock().expect("no test panics with it").clone()
    }
}

#[test]
fn a_server_that_is_busy_is_asked_again_on_the_same_connection() {
    // The body comes in a write of its own, as from Python's http.server.
    let asked = AtomicU32::new(0);
    let peer = Peer::start(move |mut conn, _| {
        while conn.request().is_some() {
            match asked.fetch_add(1, Ordering::Relaxed) {
                0..=1 => {
                    conn.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\n");
                    conn.pause(Duration::from_millis(20));
                    conn.send("busy");
                }
                _ => drop(conn.send(ok("done"))),
            }
        }
    });
    let response = client(quick(3)).get(peer.url("/")).send().unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (200, 3));
    let (head, body) = response.into_parts();
    assert_eq!(head.attempts(), 3);
    assert_eq!(body.text().unwrap(), "done");
    assert_eq!(peer.connections(), 1);
}

#[test]
fn the_last_answer_is_handed_out_as_it_is() {
    let peer = answering(&[busy("X: y\r\n")]);
    let response = client(quick(3)).get(peer.url("/")).send().unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (503, 4));
    assert_eq!(response.header("X"), Some("y"));
    assert_eq!(response.text().unwrap(), "busy");
    assert_eq!(peer.request_lines().len(), 4);
}

#[test]
fn each_of_four_statuses_is_worth_a_second_attempt_and_no_other() {
    for (status, attempts) in [(429, 2), (502, 2), (503, 2), (504, 2), (500, 1), (501, 1), (404, 1), (408, 1)] {
        let peer = answering(&[answer(&format!("{status} X"), "", "")]);
        let response = client(quick(1)).get(peer.url("/")).send().unwrap();
        assert_eq!((response.attempts(), peer.request_lines().len()), (attempts, attempts as usize), "{status}");
    }
    let peer = answering(&[answer("500 X", "", ""), answer("503 X", "", "")]);
    let response = client(quick(5).statuses(&[500])).get(peer.url("/")).send().unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (503, 2));
}

#[test]
fn a_post_is_sent_again_only_where_twice_is_as_once() {
    let peer = answering(&[busy("")]);
    let client = client(quick(1));
    let attempts = |request: longwire::RequestBuilder<'_>| request.send().unwrap().attempts();
    assert_eq!(attempts(client.post(peer.url("/")).body("x")), 1);
    assert_eq!(attempts(client.patch(peer.url("/")).body("x")), 1);
    assert_eq!(attempts(client.put(peer.url("/")).body("x")), 2);
    assert_eq!(attempts(client.post(peer.url("/")).body("x").idempotent(true)), 2);
    assert_eq!(attempts(client.post(peer.url("/")).body("x").header("Idempotency-Key", "k")), 2);
    assert_eq!(attempts(client.get(peer.url("/")).idempotent(false)), 1);
}

#[test]
fn a_body_is_sent_again_whole_and_a_reader_that_was_read_from_is_not() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = bodies.clone();
    let peer = Peer::start(move |mut conn, _| {
        while let Some(request) = conn.request() {
            kept.lock().expect("no test panics with it").push(request.body.len());
            conn.send(busy(""));
        }
    });
    let client = client(quick(2));
    let long = vec![b'x'; 300_000];
    assert_eq!(client.put(peer.url("/")).body(&long).send().unwrap().attempts(), 3);
    assert_eq!(client.put(peer.url("/")).body(SendBody::reader(Cursor::new(&long))).send().unwrap().attempts(), 1);
    assert_eq!(*bodies.lock().unwrap(), [300_000; 4]);
}

#[test]
fn what_may_have_been_processed_is_sent_again_only_if_it_is_idempotent() {
    let swallowing = |conn: &mut Conn| drop(conn.request());
    let peer = Peer::start(move |mut conn, _| swallowing(&mut conn));
    let client = client(quick(2));
    let post = client.post(peer.url("/post")).body("x").send().unwrap_err();
    assert_eq!((post.kind(), post.fate()), (ErrorKind::Truncated, Fate::MaybeProcessed));
    let get = client.get(peer.url("/get")).send().unwrap_err();
    assert_eq!((get.kind(), get.fate()), (ErrorKind::Truncated, Fate::MaybeProcessed));
    let lines = peer.request_lines();
    let count = |line: &str| lines.iter().filter(|other| other.starts_with(line)).count();
    assert_eq!((count("POST /post "), count("GET /get ")), (1, 3));
}

#[test]
fn silence_is_worth_another_attempt_but_the_end_of_all_time_is_not() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.hold();
    });
    let impatient = |read: u64, all: u64| {
        let builder = Client::builder().no_proxy().retry(quick(1)).read_timeout(Duration::from_millis(read));
        let client = builder.timeout(Duration::from_millis(all)).build();
        client.get(peer.url("/")).send().unwrap_err()
    };
    assert!(impatient(50, 60_000).is_timeout());
    assert_eq!(peer.request_lines().len(), 2);
    assert!(impatient(60_000, 100).is_timeout());
    assert_eq!(peer.request_lines().len(), 3);
}

#[test]
fn a_response_that_is_cut_is_nobodys_to_repeat() {
    for part in ["HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 503 No\r\nX", "nonsense\r\n\r\n"] {
        let peer = Peer::start(move |mut conn, _| {
            conn.request();
            conn.send(part);
        });
        let error = client(quick(3)).get(peer.url("/")).send().unwrap_err();
        assert_eq!(error.fate(), Fate::ResponseStarted, "{part:?}");
        assert_eq!(peer.request_lines().len(), 1, "{part:?}");
    }
}

/// A client whose first connects are refused, so many.
fn refused(times: u32, retry: Retry) -> (Client, Arc<AtomicU32>) {
    let tries = Arc::new(AtomicU32::new(0));
    let counted = tries.clone();
    let dial = move |address: &std::net::SocketAddr, limit: Duration| match counted.fetch_add(1, Ordering::Relaxed) {
        count if count < times => Err(io::ErrorKind::ConnectionRefused.into()),
        _ => TcpStream::connect_timeout(address, limit),
    };
    (Client::builder().no_proxy().dial(dial).retry(retry).build(), tries)
}

#[test]
fn what_was_not_sent_is_sent_again_whatever_its_method() {
    let peer = answering(&[ok("done")]);
    let (client, _) = refused(2, quick(2));
    let response = client.post(peer.url("/")).body(SendBody::reader(Cursor::new("once"))).send().unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (200, 3));
    assert_eq!(peer.request_lines().len(), 1);
    let (client, tries) = refused(9, quick(2));
    let error = client.post(peer.url("/")).body("x").send().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Connect, Fate::NotSent));
    assert_eq!(tries.load(Ordering::Relaxed), 3);
}

#[test]
fn an_earlier_attempt_is_not_forgotten_in_the_fate_of_the_last() {
    // Processed, perhaps, and then nobody is there any more.
    let dialled = AtomicU32::new(0);
    let dial = move |address: &std::net::SocketAddr, limit: Duration| match dialled.fetch_add(1, Ordering::Relaxed) {
        0 => TcpStream::connect_timeout(address, limit),
        _ => Err(io::ErrorKind::ConnectionRefused.into()),
    };
    let peer = Peer::start(|mut conn, _| drop(conn.request()));
    let client = Client::builder().no_proxy().dial(dial).retry(quick(1)).build();
    let error = client.get(peer.url("/")).send().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Connect, Fate::MaybeProcessed));
}

#[test]
fn mistakes_and_refusals_are_not_repeated() {
    let resolves = Arc::new(AtomicU32::new(0));
    let counted = resolves.clone();
    let filtered = Client::builder()
        .no_proxy()
        .retry(quick(3))
        .address_filter(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        })
        .build();
    let error = filtered.get("http://127.0.0.1:9/").send().unwrap_err();
    assert_eq!((error.kind(), resolves.load(Ordering::Relaxed)), (ErrorKind::BlockedAddress, 1));
    let token = CancelToken::new();
    token.cancel();
    let peer = answering(&[busy("")]);
    let error = client(quick(3)).get(peer.url("/")).cancel_token(&token).send().unwrap_err();
    assert!(error.is_cancelled());
    assert_eq!(peer.connections(), 0);
}

#[test]
fn retry_after_is_waited_for_in_seconds_and_to_a_date_by_the_servers_own_clock() {
    let (seconds, date) = ("Retry-After: 1\r\n", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: ");
    let at = |time: &str| format!("{date}{time}\r\n");
    let cases = [
        (seconds.to_owned(), 1),
        (at("Sun, 06 Nov 1994 08:49:38 GMT"), 1),
        (at("Sunday, 06-Nov-94 08:49:38 GMT"), 1),
        (at("Sun, 06 Nov 1994 08:49:00 GMT"), 0),
        ("Retry-After: 0\r\n".to_owned(), 0),
    ];
    for (fields, expected) in cases {
        let peer = answering(&[busy(&fields), ok("done")]);
        let (client, waits) = Waits::of(Client::builder().retry(Retry::new(1)));
        let begun = Instant::now();
        assert_eq!(client.get(peer.url("/")).send().unwrap().attempts(), 2, "{fields}");
        assert_eq!(waits.all(), [Duration::from_secs(expected)], "{fields}");
        assert!(begun.elapsed() >= Duration::from_secs(expected), "{fields}");
    }
}

#[test]
fn what_asks_for_more_time_than_there_is_is_handed_out_at_once() {
    let long = ["3600", "61", "99999999999999999999999", "Sun, 06 Nov 2994 08:49:37 GMT"];
    let retry_after = |value: &str| answering(&[busy(&format!("Retry-After: {value}\r\n"))]);
    for value in long {
        let response = client(Retry::new(3)).get(retry_after(value).url("/")).send().unwrap();
        assert_eq!((response.status().as_u16(), response.attempts()), (503, 1), "{value}");
        assert!(response.retry_after().is_some_and(|asked| asked > Duration::from_secs(60)), "{value}");
    }
    let peer = retry_after("30");
    let response = client(Retry::new(3)).get(peer.url("/")).timeout(Duration::from_secs(25)).send().unwrap();
    assert_eq!((response.attempts(), response.text().unwrap().as_str()), (1, "busy"));
    let response = client(Retry::new(3).max_wait(Duration::from_secs(29))).get(peer.url("/")).send().unwrap();
    assert_eq!(response.attempts(), 1);
}

#[test]
fn what_a_drain_takes_is_a_part_of_the_wait() {
    // A second for the rest, which never comes, and what is asked for after that, would be too long.
    for (retry_after, timeout_millis) in [(1, 1990), (0, 1000)] {
        let slow = format!("HTTP/1.1 503 Busy\r\nRetry-After: {retry_after}\r\nContent-Length: 5\r\n\r\nbu");
        let script = Script::new().on("*", raw(slow).silence()).then(reply(200));
        let client = script.builder().retry(Retry::new(1)).build();
        let response = client.get("http://memory.test/").timeout(Duration::from_millis(timeout_millis)).send().unwrap();
        assert_eq!(response.attempts(), 2);
    }
}

#[test]
fn what_is_no_time_in_retry_after_counts_as_none() {
    for value in ["", "-1", "+1", "1.5", "soon", "0x10"] {
        let peer = answering(&[busy(&format!("Retry-After: {value}\r\n")), ok("done")]);
        let (client, waits) = Waits::of(Client::builder().retry(quick(1)));
        let response = client.get(peer.url("/")).send().unwrap();
        assert_eq!((response.attempts(), waits.all().len()), (2, 1), "{value:?}");
        assert!(waits.all()[0] <= MILLISECOND, "{value:?}");
    }
}

#[test]
fn random_waits_lie_below_twice_the_one_before_and_are_not_all_alike() {
    let peer = answering(&[busy("")]);
    let policy = Retry::new(7).backoff(Duration::from_millis(2), Duration::from_millis(20)).without_budget();
    let (client, waits) = Waits::of(Client::builder().retry(policy));
    for _ in 0..3 {
        client.get(peer.url("/")).send().unwrap();
    }
    let waits = waits.all();
    assert_eq!(waits.len(), 21);
    for (at, wait) in waits.iter().enumerate() {
        let most = [2, 4, 8, 16, 20, 20, 20][at % 7];
        assert!(*wait <= Duration::from_millis(most), "{at}: {wait:?}");
    }
    assert!(waits.windows(2).any(|pair| pair[0] != pair[1]));
}

#[test]
fn a_cancel_ends_the_wait() {
    let peer = answering(&[busy("Retry-After: 30\r\n")]);
    let token = CancelToken::new();
    let cancels = token.clone();
    let observer = move |event: &Event<'_>| {
        if let Event::Retry { .. } = event {
            cancels.cancel();
        }
    };
    let client = Client::builder().no_proxy().retry(Retry::new(1)).observer(observer).build();
    let begun = Instant::now();
    let error = client.get(peer.url("/")).cancel_token(&token).send().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Cancelled, Fate::ResponseStarted));
    assert!(begun.elapsed() < Duration::from_secs(29), "it waited all of the time");
}

#[test]
fn the_budget_of_a_client_ends_its_retries_but_not_its_requests() {
    let peer = answering(&[busy("")]);
    let attempts = |client: &Client, requests: u32| -> Vec<u32> {
        (0..requests).map(|_| client.get(peer.url("/")).send().unwrap().attempts()).collect()
    };
    let bounded = client(quick(1));
    let counted = attempts(&bounded, 60);
    assert_eq!(counted[..10], [2; 10], "ten are free");
    let retried = counted.iter().filter(|attempts| **attempts == 2).count();
    assert_eq!(retried, 10 + 60 / 5 - 1, "then one in five; the first request found the budget full");
    let unbounded = client(quick(1).without_budget());
    assert_eq!(attempts(&unbounded, 60), [2; 60]);
}

#[test]
fn a_requests_own_policy_stands_over_the_clients() {
    let peer = answering(&[busy("")]);
    let client = client(quick(1));
    let own = |retry: Option<Retry>| client.get(peer.url("/")).retry(retry).send().unwrap().attempts();
    assert_eq!((own(None), own(Some(quick(4)))), (1, 5));
    let mut request = Request::new(Method::GET, peer.url("/")).unwrap();
    assert!(request.retry().is_none());
    request.set_retry(quick(2));
    assert!(request.retry().unwrap().is_some());
    let copy = request.try_clone().unwrap();
    assert_eq!([request, copy].map(|request| client.send(request).unwrap().attempts()), [3, 3]);
}

#[test]
fn each_hop_of_a_redirect_has_attempts_of_its_own() {
    let gets = AtomicU32::new(0);
    let peer = Peer::start(move |mut conn, _| {
        while let Some(request) = conn.request() {
            match &*request.method {
                "POST" => conn.send(answer("303 See Other", "Location: /seen\r\n", "")),
                _ if gets.fetch_add(1, Ordering::Relaxed) < 2 => conn.send(busy("")),
                _ => conn.send(ok("done")),
            };
        }
    });
    let response = client(quick(2)).post(peer.url("/")).body("x").send().unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (200, 3));
    let posts = peer.request_lines().iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(posts, 1);
}

#[test]
fn a_proxy_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    for (status, connects) in [("503 Busy", 3), ("407 No", 1), ("403 No", 1)] {
        let peer = answering(&[answer(status, "", "")]);
        let proxied = Client::builder().proxy(longwire::Proxy::new(&format!("http://{}", peer.addr())).unwrap());
        let tunnels = longwire::transport::Direct::with(proxied).unwrap();
        let client = Client::builder().connector(tunnels).retry(quick(2)).build();
        // Nothing was sent to the origin, so the method does not matter.
        for (method, connects) in [(Method::GET, connects), (Method::POST, 2 * connects)] {
            let error = client.request(method, "http://origin.test/").send().unwrap_err();
            assert_eq!((error.kind(), error.fate()), (ErrorKind::Proxy, Fate::NotSent), "{status}");
            assert_eq!(peer.request_lines().len(), connects, "{status}");
        }
    }
}

/// What a webhook sender needs: one call, and the answer that counts.
#[test]
fn a_policy_without_retries_is_as_none() {
    let peer = answering(&[busy("")]);
    let send =
        |request: longwire::RequestBuilder<'_>| -> Result<Response, Error> { request.retry(Retry::new(0)).send() };
    let response = send(Client::new().get(peer.url("/"))).unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (503, 1));
}
