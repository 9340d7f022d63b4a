//! What a client says of each fault of the server, and what a script says of the requests that it was sent.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use longwire::script::{Reply, Script, Then, connection, raw, reply};
use longwire::{CancelToken, Client, ErrorKind, Fate, Result, SendBody, Stage};

use crate::support::trace::Trace;
use crate::{LIMIT, URL};

#[test]
fn a_script_is_said_in_a_few_lines() -> Result<()> {
    use longwire::script;

    let script = script::Script::new()
        .on("GET /a", script::reply(200).header("X", "y").body("hello"))
        .on("GET /b", script::raw(&b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut"[..]).reset());
    let client = script.client();
    assert_eq!(client.get("http://anything/a").send()?.text()?, "hello");
    assert_eq!(client.get("http://anything/b").send()?.bytes().unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(script.seen().iter().map(|request| request.line()).collect::<Vec<_>>(), ["GET /a", "GET /b"]);
    Ok(())
}

/// Less than a test may take, and enough for what is in memory.
const SHORT: Duration = Duration::from_millis(50);

/// The error of a GET that is answered so, be it the response's or its body's.
fn error(reply: Reply) -> longwire::Error {
    let client = Script::answering(reply).builder().read_timeout(SHORT).build();
    let sent = client.get(URL).send().and_then(|response| response.bytes());
    sent.expect_err("a fault")
}

#[test]
fn each_fault_has_its_kind_stage_and_fate() {
    let hello = || reply(200).body("hello");
    let (wait, head, body) = (Stage::Wait, Stage::Head, Stage::Body);
    let (unknown, started) = (Fate::MaybeProcessed, Fate::ResponseStarted);
    for (name, reply, expected) in [
        ("closed at once", raw("").close(), (ErrorKind::Truncated, wait, unknown)),
        ("reset at once", raw("").reset(), (ErrorKind::Io, wait, unknown)),
        ("silent", raw("").silence(), (ErrorKind::Timeout, wait, unknown)),
        ("cut in the head", hello().cut_after(10), (ErrorKind::Truncated, head, started)),
        ("reset in the head", hello().reset_after(10), (ErrorKind::Io, head, started)),
        ("silent in the head", raw("HTTP/1.1 200").silence(), (ErrorKind::Timeout, head, started)),
        ("cut in the body", hello().cut_after(40), (ErrorKind::Truncated, body, started)),
        ("reset in the body", hello().reset_after(40), (ErrorKind::Io, body, started)),
        ("a drip too slow", hello().drip(1, LIMIT), (ErrorKind::Timeout, head, started)),
        ("no last chunk", reply(200).chunked(["a"]).cut_after(50), (ErrorKind::Truncated, body, started)),
        ("raw garbage", raw("SSH-2.0-OpenSSH\r\n"), (ErrorKind::Head, head, started)),
    ] {
        let error = error(reply);
        assert_eq!((error.kind(), error.stage(), error.fate()), expected, "{name}: {error}");
    }
}

#[test]
fn a_refused_connection_is_an_error_before_anything_is_sent() {
    let script = Script::answering(reply(200)).refuse();
    let client = script.client();
    let error = client.post(URL).body("x").send().expect_err("it is refused");
    let told = (error.kind(), error.stage(), error.fate());
    assert_eq!(told, (ErrorKind::Connect, Stage::Connect, Fate::NotSent), "{error}");
    assert_eq!(client.post(URL).body("x").send().expect("it is not").status(), 200);
    assert_eq!((script.connections(), script.seen().len()), (1, 1));
}

#[test]
fn keep_alive_and_the_pools_counts_are_true() -> Result<()> {
    let script = Script::new().on("*", reply(200).body("kept")).on("/last", reply(200).header("Connection", "close"));
    let script = script.on("/old", raw("HTTP/1.0 200 OK\r\n\r\nold").close());
    let client = script.client();
    // The rules are tried in order, so this one is for all.
    assert_eq!([crate::text(&client, URL), crate::text(&client, URL)], ["kept", "kept"]);
    let stats = client.pool_stats();
    assert_eq!((stats.opened, stats.reused, stats.idle, script.connections()), (1, 1, 1, 1));

    let script = Script::new().on("/last", reply(200).header("Connection", "close")).on("*", reply(200));
    let client = script.client();
    for path in ["", "last", "", ""] {
        client.get(format!("{URL}{path}")).send()?.bytes()?;
    }
    let stats = client.pool_stats();
    assert_eq!((stats.opened, stats.reused, script.closed()), (2, 2, 1));
    let numbers: Vec<_> = script.seen().iter().map(|seen| (seen.connection(), seen.exchange())).collect();
    assert_eq!(numbers, [(0, 0), (0, 1), (1, 0), (1, 1)]);
    Ok(())
}

#[test]
fn a_stale_connection_costs_a_get_a_retry_and_a_post_its_answer() -> Result<()> {
    let script = || Script::new().on("/first", reply(200).stale()).on("*", reply(200).body("second"));
    let observed = |script: &Script| {
        let trace = Trace::default();
        let client = script.builder().observer(trace.clone()).build();
        client.get(format!("{URL}first")).send().expect("a response").bytes().expect("its end");
        (client, trace)
    };
    let stale = script();
    let (client, trace) = observed(&stale);
    assert_eq!(crate::text(&client, URL), "second");
    assert!(trace.lines().contains(&"retry".to_owned()), "{:?}", trace.lines());

    let stale = script();
    let (client, trace) = observed(&stale);
    let error = client.post(URL).body("pay 5").send().expect_err("it may have been processed");
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Io, Fate::MaybeProcessed), "{error}");
    assert!(!trace.lines().contains(&"retry".to_owned()), "{:?}", trace.lines());
    assert_eq!(stale.seen().len(), 1, "the GET");
    assert_eq!(client.post(URL).body("pay 5").send()?.text()?, "second");
    Ok(())
}

#[test]
fn redirects_lead_through_the_script() -> Result<()> {
    let script = Script::new()
        .on("http://a.test/*", reply(302).header("Location", "https://b.test/there"))
        .on("GET https://b.test/there", reply(200).body("here"));
    let response = script.client().get("http://a.test/x").bearer_auth("s3cret").send()?;
    assert_eq!((response.url().as_str(), response.redirects().len()), ("https://b.test/there", 1));
    let seen = script.seen();
    assert_eq!(
        seen.iter().map(|request| request.url()).collect::<Vec<_>>(),
        ["http://a.test/x", "https://b.test/there"]
    );
    assert_eq!(seen[1].header("authorization"), None);
    script.assert_done();
    Ok(())
}

#[test]
fn uploads_arrive_and_are_refused_early() -> Result<()> {
    let large = vec![b'x'; 1 << 20];
    let script = Script::new()
        .on("PUT /whole", reply(201))
        .on("PUT /early", reply(413).body("too large").early().receives(100_000, Then::Stalls))
        .on("PUT /asked", reply(200).continues());
    let client = script.client();
    let put = |path: &str| client.put(format!("{URL}{path}")).body(SendBody::reader(&large[..]));
    assert_eq!(put("whole").send()?.status(), 201);
    let early = put("early").send()?;
    assert!(!early.is_request_complete());
    assert_eq!((early.status().as_u16(), early.text()?.as_str()), (413, "too large"));
    assert_eq!(put("asked").expect_continue(LIMIT).send()?.status(), 200);
    let lengths: Vec<_> = script.seen().iter().map(|seen| (seen.body_length(), seen.is_complete())).collect();
    assert_eq!((lengths[0], lengths[2]), ((1 << 20, true), (1 << 20, true)));
    assert!(lengths[1].0 < 100_000 && !lengths[1].1, "{lengths:?}");
    assert!(script.seen()[0].body() == large, "it came otherwise");
    Ok(())
}

#[test]
fn interim_responses_come_before_the_final_one() -> Result<()> {
    let hints = reply(103).header("Link", "</a.css>");
    let script = Script::answering(reply(200).interim(hints.clone()).interim(hints).body("hello"));
    let trace = Trace::default();
    let client = script.builder().observer(trace.clone()).build();
    assert_eq!(client.get(URL).send()?.text()?, "hello");
    let interims = trace.lines().iter().filter(|line| line.contains("103")).count();
    assert_eq!(interims, 2, "{:?}", trace.lines());
    Ok(())
}

#[test]
fn a_deadline_and_a_cancel_end_a_wait() {
    let silent = Script::answering(raw("").silence());
    let client = silent.builder().read_timeout(None).build();
    let error = client.get(URL).timeout(SHORT).send().expect_err("it is silent");
    assert!(error.is_timeout(), "{error}");

    // From within the server, while the request is on its way.
    for expects in [false, true] {
        let token = CancelToken::new();
        let cancelling = token.clone();
        let script = Script::new().on_with("*", move |_| {
            cancelling.cancel();
            raw("").silence()
        });
        let client = script.builder().read_timeout(None).build();
        let request = client.post(URL).body("x").cancel_token(&token);
        let request = if expects { request.expect_continue(LIMIT) } else { request };
        let error = request.send().expect_err("it was cancelled");
        assert!(error.is_cancelled(), "{error}");
    }
}

#[test]
fn threads_share_a_script() {
    const THREADS: usize = 4;
    const REQUESTS: usize = 50;
    let script = Script::new().on_with("*", |request| reply(200).body(request.body()));
    let client = script.client();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let client = &client;
            scope.spawn(move || {
                for number in 0..REQUESTS {
                    let body = format!("{thread}.{number}");
                    let response = client.post(URL).body(&body).send().expect("a response");
                    assert_eq!(response.text().expect("a body"), body);
                }
            });
        }
    });
    assert_eq!(script.seen().len(), THREADS * REQUESTS);
    assert!(script.connections() <= THREADS);
    assert_eq!(client.pool_stats().opened as usize, script.connections());
}

// ---- what was asked for ----

#[test]
fn a_request_without_a_rule_is_an_error_that_names_the_nearest() {
    let script = Script::new()
        .on("GET /items/*", reply(200))
        .on("POST /item?*", reply(201))
        .on("GET https://other.test/x", reply(200));
    let client = script.client();
    for (request, nearest) in [
        (client.put("http://memory.test/item?id=7"), "\"POST /item?*\""),
        (client.post("http://memory.test/items").body(vec![0; 1 << 20]), "\"GET /items/*\""),
        (client.get("https://other.test/y"), "\"GET https://other.test/x\""),
    ] {
        let error = request.send().expect_err("no rule");
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        assert!(error.to_string().contains(nearest), "{error}");
    }
    assert_eq!(script.seen().len(), 3);
    let error = client.get("http://memory.test/?api_key=s3cret").send().expect_err("no rule");
    assert!(error.to_string().contains("GET /?api_key=******") && !format!("{script:?}").contains("s3cret"), "{error}");

    // On a connection that is reused it is no reason to ask again.
    let script = Script::new().on("/one", reply(200));
    let client = script.client();
    client.get(format!("{URL}one")).send().expect("a response").bytes().expect("its end");
    assert_eq!(client.get(format!("{URL}two")).send().expect_err("no rule").kind(), ErrorKind::Connect);
    assert_eq!((script.seen().len(), script.connections()), (2, 1));
}

fn complaint(script: &Script) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| script.assert_done())).expect_err("it is not done");
    panic.downcast_ref::<String>().expect("a text").clone()
}

#[test]
fn a_script_that_is_not_done_says_what_was_not_asked_for() -> Result<()> {
    let script = Script::new()
        .on("GET /once", reply(200))
        .on("GET /twice", reply(200))
        .then(reply(201))
        .on("GET /never", reply(200))
        .connection(connection().exchange(reply(200)).exchange(reply(200)))
        .refuse();
    let client = script.client();
    for path in ["listed", "once", "twice", "wrong"] {
        let _ = client.get(format!("{URL}{path}")).header("Connection", "close").send();
    }
    assert_eq!(
        complaint(&script).lines().skip(1).map(str::trim).collect::<Vec<_>>(),
        [
            "not asked for: GET /once",
            "1 of 2 replies given: GET /twice",
            "not asked for: GET /never",
            "replies left on a connection: 1",
            "no rule for: GET /wrong",
        ],
        "the second request was refused a connection",
    );
    let script = Script::new()
        .on("/a", reply(200))
        .on("/b", reply(200))
        .on("/a", reply(201))
        .then(reply(202))
        .connection(connection())
        .refuse();
    assert!(complaint(&script).contains("connections not opened: 2"));
    let client = script.client();
    assert_eq!(client.get(format!("{URL}a")).send()?.status(), 200);
    client.close_idle();
    client.get(format!("{URL}a")).send().expect_err("it is refused");
    for (path, status) in [("a", 201), ("a", 202), ("b", 200), ("a", 202)] {
        assert_eq!(client.get(format!("{URL}{path}")).send()?.status(), status);
    }
    script.assert_done();
    Ok(())
}

#[test]
fn nothing_of_a_reply_is_shown() {
    let reply = reply(200).header("Set-Cookie", "sid=s3cret").body("s3cret");
    assert_eq!(format!("{reply:?}"), "Reply { status: Some(200), .. }");
}

#[test]
fn a_setting_that_a_script_would_pass_over_is_an_error() {
    let client = Script::answering(reply(200)).builder().resolve_to("a", ([127, 0, 0, 1], 1).into()).build();
    assert_eq!(client.get(URL).send().expect_err("there is no look-up").kind(), ErrorKind::InvalidRequest);
    let _: Client = Script::default().client();
}
