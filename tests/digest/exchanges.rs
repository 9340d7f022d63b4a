//! What a 401 costs: which are answered, how often, over which connection, and how many sessions are
//! kept.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use longwire::script::{Reply, Script, connection, raw, reply};
use longwire::{CancelToken, Client, ErrorKind, Fate};

use crate::camera::{Answer, Camera, Wants};
use crate::support::trace::Trace;
use crate::{answered, get, lines, see};

const CHALLENGE: &str = "Digest realm=\"x\", nonce=\"n\", qop=\"auth\"";

#[test]
fn a_nonce_that_is_too_old_is_replaced_once() {
    let camera = Camera::new(Wants::default());
    let script = camera.script();
    let client = script.client();
    see(&client, "http://camera/");
    camera.renew();
    let posted = client.post("http://camera/set").digest_auth("admin", "secret").body("zoom=2").send();
    assert_eq!(posted.expect("a response").status(), 200);
    see(&client, "http://camera/");
    assert_eq!(lines(&script), ["GET /", "GET / +", "POST /set +", "POST /set +", "GET / +"]);
    assert!(script.seen().iter().skip(2).take(2).all(|seen| seen.body() == b"zoom=2"));
    assert_eq!((script.connections(), camera.counts()), (1, vec![vec![1, 2]]));
    assert!(camera.complaints().is_empty(), "{:?}", camera.complaints());
}

#[test]
fn a_nonce_for_one_answer_costs_a_401_each_time_unless_the_next_is_announced() {
    let camera = Camera::new(Wants { answers_per_nonce: 1, ..Wants::default() });
    let client = camera.script().client();
    (0..3).for_each(|_| see(&client, "http://camera/"));
    assert_eq!(camera.refused(), 3);

    for algorithm in ["MD5", "SHA-256"] {
        let wants = Wants { answers_per_nonce: 1, announces: true, algorithm: Some(algorithm), ..Wants::default() };
        let camera = Camera::new(wants);
        let client = camera.script().client();
        (0..5).for_each(|_| see(&client, "http://camera/"));
        assert_eq!(camera.refused(), 1);
        assert!(camera.complaints().is_empty(), "{:?}", camera.complaints());
    }
}

/// As of devices that give a nonce for one URL: their 401 is not stale.
#[test]
fn an_answer_of_an_earlier_nonce_that_is_refused_is_given_once_more() {
    let script = Script::new().on_with("*", |request| {
        let path = request.target().to_owned();
        let answer = request.header("authorization").and_then(Answer::parse);
        match answer.is_some_and(|answer| answer.get("nonce") == Some(&path)) {
            true => reply(200).body("a picture"),
            false => {
                reply(401).header("WWW-Authenticate", format!("Digest realm=\"x\", nonce=\"{path}\", qop=\"auth\""))
            }
        }
    });
    let client = script.client();
    for path in ["/a", "/a", "/b", "/b"] {
        see(&client, &format!("http://camera{path}"));
    }
    assert_eq!(lines(&script), ["GET /a", "GET /a +", "GET /a +", "GET /b +", "GET /b +", "GET /b +"]);
    assert_eq!(script.connections(), 1);
}

#[test]
fn a_wrong_password_is_tried_once_and_its_401_is_the_response() {
    let camera = Camera::new(Wants::default());
    let script = camera.script();
    let client = script.client();
    let wrong = || client.get("http://camera/").digest_auth("admin", "wrong").send().expect("a response");
    for sent in [2, 4] {
        let response = wrong();
        assert_eq!((response.status().as_u16(), script.seen().len()), (401, sent));
        assert!(response.header("www-authenticate").is_some_and(|field| field.starts_with("Digest ")));
        assert_eq!(response.text().expect("a page"), "<html>who are you?</html>");
    }
    let error = wrong().error_for_status().unwrap_err();
    assert_eq!((error.kind(), error.status().map(|status| status.as_u16())), (ErrorKind::Status, Some(401)));
    // With the right one it goes on; and where it is changed, with the nonce that is known.
    see(&client, "http://camera/");
    assert_eq!(wrong().status(), 401);
    see(&client, "http://camera/");
    let marks: Vec<bool> = lines(&script).iter().map(|line| line.ends_with('+')).collect();
    let want = [false, true, false, true, false, true, false, true, true, true, false, true];
    assert_eq!(marks, want);
    assert_eq!(script.connections(), 1);
}

#[test]
fn a_server_that_finds_every_nonce_too_old_is_asked_three_times() {
    let count = AtomicU32::new(0);
    let script = Script::new().on_with("*", move |_| {
        let count = count.fetch_add(1, Ordering::Relaxed);
        let challenge = format!("Digest realm=\"x\", nonce=\"{count}\", qop=\"auth\", stale=true");
        reply(401).header("WWW-Authenticate", challenge)
    });
    let client = script.client();
    assert_eq!(get(&client, "http://camera/").status(), 401);
    assert_eq!(lines(&script), ["GET /", "GET / +", "GET / +"]);
    // And once the first answer was to a fresh nonce which turned out too old, all is well.
    let camera = Camera::new(Wants::default());
    let (forgetful, times) = (camera.clone(), AtomicU32::new(0));
    let script = Script::new().on_with("*", move |request| {
        if times.fetch_add(1, Ordering::Relaxed) == 1 {
            forgetful.renew();
        }
        forgetful.answer(request)
    });
    see(&script.client(), "http://camera/");
    assert_eq!((script.seen().len(), camera.refused()), (3, 2));
}

#[test]
fn a_401_that_digest_cannot_answer_is_the_response() {
    let cases: [&[&str]; 5] = [
        &[],
        &["Basic realm=\"x\""],
        &["Digest realm=\"x\", nonce=\"n\", algorithm=SHA3-256", "Digest realm=\"x"],
        &["Digest realm=\"x\", nonce=\"n\", qop=\"auth-conf\""],
        &["Bearer, Digest nonce=\"n\"\", realm=\"x\""],
    ];
    for fields in cases {
        let refusal = fields.iter().fold(reply(401), |reply, field| reply.header("WWW-Authenticate", field));
        let script = Script::answering(refusal.body("no"));
        let response = get(&script.client(), "http://camera/");
        assert_eq!(response.status(), 401);
        assert_eq!(response.text().expect("a page"), "no");
        assert_eq!(lines(&script), ["GET /"], "{fields:?}");
    }
    // A proxy's 407 is none for the server's credentials, whatever it has in it.
    let refusal = reply(407).header("Proxy-Authenticate", CHALLENGE).header("WWW-Authenticate", CHALLENGE);
    let script = Script::answering(refusal);
    assert_eq!(get(&script.client(), "http://camera/").status(), 407);
    assert_eq!(lines(&script), ["GET /"]);
}

/// A server that has one nonce, whoever asks and for whichever realm.
#[test]
fn a_nonce_that_is_given_out_again_keeps_its_count() {
    let script = Script::new().on_with("*", |request| {
        let path = request.target().to_owned();
        match request.header("authorization").and_then(Answer::parse) {
            Some(answer) if answer.get("realm") == Some(&path) => reply(200).body("a picture"),
            _ => reply(401).header("WWW-Authenticate", format!("Digest realm=\"{path}\", nonce=\"n\", qop=\"auth\"")),
        }
    });
    let client = script.client();
    see(&client, "http://camera/a");
    see(&client, "http://camera/b");
    let counts = answered(&script, "nc");
    assert_eq!(counts, ["00000001", "00000002", "00000003"]);
}

/// Sends a request whose 401 is this one, and returns how many connections that took.
fn connections_for(refusal: Reply, client: impl FnOnce(Script) -> Client) -> usize {
    let script = Script::new()
        .connection(connection().exchange(refusal))
        .on_with("*", |request| reply(if request.header("authorization").is_some() { 200 } else { 500 }));
    let client = client(script.clone());
    assert_eq!(get(&client, "http://camera/").status(), 200);
    assert_eq!(client.pool_stats().idle, 1);
    script.connections()
}

fn refusal() -> Reply {
    reply(401).header("WWW-Authenticate", CHALLENGE)
}

#[test]
fn the_answer_goes_over_the_connection_of_its_401_where_that_lives() {
    let head = format!("HTTP/1.1 401 Who\r\nWWW-Authenticate: {CHALLENGE}\r\n");
    let late = raw(format!("{head}Content-Length: 5\r\n\r\n")).pause(Duration::from_millis(50)).more("hello");
    let chunked = |length: usize| refusal().chunked([vec![b'x'; 1000], vec![b'y'; length - 1000]]);
    for (refusal, want) in [
        (refusal(), 1),
        (late, 1),
        (refusal().body(vec![b'x'; 64 * 1024]), 1),
        (refusal().body(vec![b'x'; 64 * 1024 + 1]), 2),
        (chunked(64 * 1024).pieces(4000), 1),
        (chunked(64 * 1024 + 1).pieces(4000), 2),
        (refusal().header("Connection", "close").body("x"), 2),
        (raw(format!("{head}\r\nuntil close")).close(), 2),
        (raw(format!("{head}Content-Length: 5\r\n\r\nhel")).close(), 2),
        (raw(format!("{head}Content-Length: 5\r\n\r\nhel")).reset(), 2),
        (raw(format!("{head}Transfer-Encoding: chunked\r\n\r\nnone")), 2),
        (raw(format!("HTTP/1.0 401 Who\r\nWWW-Authenticate: {CHALLENGE}\r\nContent-Length: 0\r\n\r\n")), 2),
    ] {
        let shown = format!("{refusal:?}");
        let connections = connections_for(refusal, |script| script.client());
        assert_eq!(connections, want, "{}", &shown[..shown.len().min(300)]);
    }
}

#[test]
fn the_rest_of_a_401_is_waited_for_within_the_limits() {
    let begun = || raw(format!("HTTP/1.1 401 Who\r\nWWW-Authenticate: {CHALLENGE}\r\nContent-Length: 5\r\n\r\nhe"));
    let impatient =
        |script: Script| Client::builder().connector(script).read_timeout(Duration::from_millis(100)).build();
    assert_eq!(connections_for(begun().silence(), impatient), 2);

    let started = Instant::now();
    assert_eq!(connections_for(begun().silence(), |script| script.client()), 2);
    let took = started.elapsed();
    assert!((Duration::from_secs(5)..Duration::from_secs(15)).contains(&took), "{took:?}");

    // The deadline of the whole comes first, and so does a cancel.
    let client = Script::answering(begun().silence()).client();
    let request = || client.get("http://camera/").digest_auth("u", "p");
    let error = request().timeout(Duration::from_millis(100)).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let token = CancelToken::new();
    let canceller = token.clone();
    let cancels = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        canceller.cancel();
    });
    let error = request().cancel_token(&token).send().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Cancelled, Fate::ResponseStarted), "{error}");
    cancels.join().expect("it cancels");
}

#[test]
fn an_answer_on_a_dead_connection_is_given_again_with_another_count() {
    let camera = Camera::new(Wants::default());
    let welcome = reply(200).body("a picture").stale();
    let (nonce, trace) = (camera.clone(), Trace::default());
    let script =
        Script::new().connection(connection().exchange(refusal()).exchange(welcome)).on_with("*", move |request| {
            let _ = nonce.answer(request);
            reply(200).body("a picture")
        });
    let client = Client::builder().connector(script.clone()).observer(trace.clone()).build();
    see(&client, "http://camera/");
    see(&client, "http://camera/");
    let counts = answered(&script, "nc");
    assert_eq!(counts.last().map(String::as_str), Some("00000003"), "{counts:?}");
    assert_eq!(trace.lines().iter().filter(|line| *line == "retry").count(), 2);
}

#[test]
fn an_answer_that_fails_may_have_been_processed() {
    let script = Script::new().connection(connection().exchange(refusal()).exchange(raw("").reset()));
    let error = script.client().post("http://camera/").digest_auth("u", "p").send().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Io, longwire::Fate::ResponseStarted));
}

#[test]
fn many_threads_use_each_count_once() {
    const THREADS: u32 = 8;
    const REQUESTS: u32 = 60;
    let camera = Camera::new(Wants { is_strict: false, ..Wants::default() });
    let client = camera.script().client();
    thread::scope(|scope| {
        for number in 0..THREADS {
            let client = &client;
            scope.spawn(move || {
                for _ in 0..REQUESTS {
                    see(client, &format!("http://camera/{number}"));
                }
            });
        }
    });
    assert!(camera.complaints().is_empty(), "{:?}", camera.complaints());
    assert!(camera.refused() <= THREADS, "{}", camera.refused());
    let mut answered = 0;
    for mut counts in camera.counts() {
        answered += counts.len() as u32;
        counts.sort_unstable();
        assert!(counts.iter().zip(1..).all(|(count, want)| *count == want), "{counts:?}");
    }
    assert_eq!(answered, THREADS * REQUESTS);
}

/// A server that wants counts to grow, and to which two threads may send them out of order: it calls
/// them stale, and is answered again.
#[test]
fn many_threads_get_on_with_a_strict_server() {
    let camera = Camera::new(Wants::default());
    let client = camera.script().client();
    let refused = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let response = get(&client, "http://camera/");
                    if response.status() != 200 {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert!(camera.complaints().is_empty(), "{:?}", camera.complaints());
    // Three tries may all come too late, but hardly ever do.
    assert!(refused.load(Ordering::Relaxed) <= 10, "{refused:?}");
}

#[test]
fn sixty_four_sessions_are_kept_and_the_one_unused_for_longest_goes() {
    let camera = Camera::new(Wants::default());
    let client = camera.script().client();
    let url = |number: u32| format!("http://camera-{number}/");
    (0..64).for_each(|number| see(&client, &url(number)));
    assert_eq!(camera.refused(), 64);
    (0..64).for_each(|number| see(&client, &url(number)));
    assert_eq!(camera.refused(), 64);
    see(&client, &url(64)); // in the place of 0
    (1..65).for_each(|number| see(&client, &url(number)));
    assert_eq!(camera.refused(), 65);
    see(&client, &url(0)); // in the place of 1
    see(&client, &url(2));
    assert_eq!(camera.refused(), 66);
    see(&client, &url(1));
    assert_eq!(camera.refused(), 67);
}
