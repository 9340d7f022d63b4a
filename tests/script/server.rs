//! The server in memory keeps to its documentation: what comes on its connections, byte by byte and read by
//! read.

use std::io::ErrorKind as IoKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use longwire::script::{Script, Then, connection, raw, reply};
use longwire::transport::{Connect, Deadline, Stream};
use longwire::{CancelToken, Client, CloseReason, ErrorKind, Fate, Result, SendBody, Stage};

use crate::support::trace::Trace;
use crate::support::wrapped::{connector, interrupted, wrapping};
use crate::{LIMIT, URL};

/// A stream to the server, and nothing of the client above it.
fn stream(script: &Script) -> Box<dyn Stream> {
    let opened = Arc::new(std::sync::Mutex::new(None));
    let (opening, inner) = (opened.clone(), script.clone());
    let connector = connector(move |target, deadline: Deadline, token| {
        *opening.lock().expect("no test panics with it") = Some(inner.connect(target, deadline, token)?);
        Err(longwire::Error::from_io(ErrorKind::Connect, "taken", IoKind::Other.into()))
    });
    Client::builder().connector(connector).build().get(URL).send().expect_err("the stream was taken away");
    opened.lock().expect("no test panics with it").take().expect("a stream")
}

fn ask(stream: &mut dyn Stream, target: &str) {
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: memory.test\r\n\r\n").as_bytes()).expect("it is taken");
}

fn read(stream: &mut dyn Stream) -> std::result::Result<String, IoKind> {
    let mut room = [0; 1000];
    let count = stream.read(&mut room).map_err(|error| error.kind())?;
    Ok(String::from_utf8_lossy(&room[..count]).into_owned())
}

fn try_read(stream: &mut dyn Stream) -> std::result::Result<String, IoKind> {
    let mut room = [0; 1000];
    let count = stream.try_read(&mut room).map_err(|error| error.kind())?;
    Ok(String::from_utf8_lossy(&room[..count]).into_owned())
}

// ---- connections ----

#[test]
fn a_greeting_is_there_before_a_request() -> Result<()> {
    let busy = raw("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n").close();
    let script = Script::new().connection(connection().greeting(busy)).on("*", reply(200));
    let mut stream = stream(&script);
    assert!(try_read(&mut *stream).expect("it is there").starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    assert_eq!(try_read(&mut *stream).as_deref(), Ok(""));
    assert_eq!(script.client().get(URL).send()?.status(), 200);
    Ok(())
}

// ---- which reply ----

#[test]
fn the_first_rule_that_matches_answers() -> Result<()> {
    let script = Script::new()
        .on("GET /a", reply(200).body("GET /a"))
        .on("/a", reply(200).body("/a"))
        .on("GET /files/*", reply(200).body("files"))
        .on("* /any", reply(200).body("any"))
        .on("HEAD *", reply(200).body("not sent"));
    let client = script.client();
    let get = |path: &str| client.get(format!("http://memory.test{path}")).send()?.text();
    assert_eq!(get("/a")?, "GET /a");
    assert_eq!(client.put("http://memory.test/a").send()?.text()?, "/a");
    assert_eq!(get("/files/b?c")?, "files");
    assert_eq!([get("/any")?, client.delete("http://memory.test/any").send()?.text()?], ["any", "any"]);
    let head = client.head(URL).send()?;
    assert_eq!((head.content_length(), head.text()?.as_str()), (Some(8), ""));
    assert_eq!(client.pool_stats().opened, 1);
    Ok(())
}

#[test]
fn a_list_comes_before_the_rules_and_a_script_without_any_refuses() -> Result<()> {
    let script =
        Script::new().connection(connection().exchange(reply(201)).exchange(reply(202))).refuse().on("*", reply(203));
    let client = script.client();
    let status = || client.get(URL).send().map(|response| response.status().as_u16());
    assert_eq!([status()?, status()?, status()?], [201, 202, 203]);
    client.close_idle();
    let error = status().expect_err("it is refused");
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Connect, Fate::NotSent));
    assert_eq!(status()?, 203);
    assert_eq!(script.connections(), 2);
    assert_eq!(Script::new().client().get(URL).send().expect_err("no rule").kind(), ErrorKind::Connect);
    Ok(())
}

// ---- what is sent ----

#[test]
fn parts_are_framed_and_raw_bytes_are_not() -> Result<()> {
    let script = Script::new()
        .on("/chunked", reply(200).chunked(["ab", "", "cde"]).trailer("X-Sum", "5"))
        .on("/given", reply(200).header("Content-Length", "3").body("abc and more"))
        .on("/raw", raw("HTTP/1.0 200 Fine\n\nold").close());
    let client = script.client();
    let chunked = client.get("http://memory.test/chunked").send()?;
    assert_eq!((chunked.content_length(), chunked.text()?.as_str()), (None, "abcde"));
    let given = client.get("http://memory.test/given").send()?;
    assert_eq!(given.text()?, "abc");
    assert_eq!(client.pool_stats().closed.get(CloseReason::StrayBytes), 1);
    let old = client.get("http://memory.test/raw").send()?;
    assert_eq!(old.reason(), "Fine");
    assert_eq!(old.text()?, "old");
    Ok(())
}

#[test]
fn each_piece_is_given_by_a_read_of_its_own() {
    let script = Script::new()
        .on("/then", raw("one").more("two"))
        .on("/pieces", raw("abcde").pieces(2))
        .on("/cut", raw("abc").more("def").cut_after(4))
        .on("/repeat", raw("").repeat("xyz", 7));
    let mut stream = stream(&script);
    for (target, pieces) in [
        ("/then", &["one", "two"][..]),
        ("/pieces", &["ab", "cd", "e"]),
        ("/repeat", &["xyzxyzx"]),
        ("/cut", &["abc", "d", ""]),
    ] {
        ask(&mut *stream, target);
        for piece in pieces {
            assert_eq!(read(&mut *stream).as_deref(), Ok(*piece), "{target}");
        }
    }
    assert_eq!(stream.write(b"x").expect_err("it is closed").kind(), IoKind::BrokenPipe);
    assert_eq!((script.seen().len(), script.bytes_sent()), (4, 6 + 5 + 7 + 4));
}

#[test]
fn an_error_of_a_read_is_reported_once_and_is_the_end() {
    let script = Script::new().on("/reset", raw("a").reset()).on("/fails", raw("a").fails(IoKind::TimedOut));
    for (target, kind) in [("/reset", IoKind::ConnectionReset), ("/fails", IoKind::TimedOut)] {
        let mut stream = stream(&script);
        ask(&mut *stream, target);
        assert_eq!(read(&mut *stream).as_deref(), Ok("a"));
        assert_eq!(try_read(&mut *stream), Err(kind), "{target}");
        assert_eq!(read(&mut *stream).as_deref(), Ok(""));
        assert_eq!(stream.write(b"x").expect_err("it is over").kind(), IoKind::BrokenPipe);
    }
}

#[test]
fn a_stale_connection_is_found_out_by_the_next_request_and_not_by_a_probe() -> Result<()> {
    let script = Script::new().on("*", reply(200).stale()).on("*", reply(200).body("second"));
    let (client, trace) = (Client::builder().connector(script.clone()), Trace::default());
    let client = client.observer(trace.clone()).build();
    client.get(URL).send()?.bytes()?;
    assert_eq!(client.get(URL).send()?.text()?, "second");
    assert!(trace.lines().contains(&"retry".to_owned()), "{:?}", trace.lines());
    assert_eq!((script.seen().len(), script.connections()), (2, 2), "what was lost was not seen");

    let script = Script::new().on("*", reply(200).close()).on("*", reply(200).body("second"));
    let (client, trace) = (Client::builder().connector(script.clone()), Trace::default());
    let client = client.observer(trace.clone()).build();
    client.get(URL).send()?.bytes()?;
    assert_eq!(client.get(URL).send()?.text()?, "second");
    assert!(!trace.lines().contains(&"retry".to_owned()), "a close is seen before: {:?}", trace.lines());
    Ok(())
}

#[test]
fn what_is_awaited_comes_to_who_waits() {
    let script = Script::answering(raw("a").awaited().more("b").awaited().close());
    let mut stream = stream(&script);
    ask(&mut *stream, "/");
    assert_eq!(try_read(&mut *stream).as_deref(), Ok("a"));
    assert_eq!(try_read(&mut *stream), Err(IoKind::WouldBlock));
    assert_eq!(read(&mut *stream).as_deref(), Ok("b"));
    assert_eq!(try_read(&mut *stream), Err(IoKind::WouldBlock));
    assert_eq!(read(&mut *stream).as_deref(), Ok(""));
}

#[test]
fn a_reply_may_start_before_the_request_has_ended() -> Result<()> {
    let head = "POST / HTTP/1.1\r\nHost: memory.test\r\nContent-Length: 2\r\n\r\n";
    for (reply, at_head) in [
        (raw("ok"), Err(IoKind::WouldBlock)),
        (raw("ok").early(), Ok("ok".to_owned())),
        (raw("ok").continues(), Ok("HTTP/1.1 100 Continue\r\n\r\n".to_owned())),
    ] {
        let script = Script::answering(reply);
        let mut stream = stream(&script);
        stream.write_all(head.as_bytes()).expect("it is taken");
        assert_eq!(try_read(&mut *stream), at_head);
        assert!(!script.seen()[0].is_complete());
        stream.write_all(b"xy").expect("it is taken");
        assert!(script.seen()[0].is_complete());
        assert_eq!(script.seen()[0].body(), b"xy");
        if at_head.as_deref() != Ok("ok") {
            assert_eq!(try_read(&mut *stream).as_deref(), Ok("ok"));
        }
    }
    let script = Script::answering(reply(200).continues());
    let client = script.client();
    assert_eq!(client.post(URL).body("text").expect_continue(LIMIT).send()?.status(), 200);
    assert_eq!(script.seen()[0].body(), b"text");
    Ok(())
}

// ---- what is received ----

#[test]
fn a_request_is_the_same_however_it_is_written() -> Result<()> {
    for write_max in [1, 3, usize::MAX] {
        let script = Script::answering(reply(200)).write_max(write_max);
        let client = script.client();
        client.post(URL).body("sized").send()?;
        client.post(URL).body(SendBody::reader(&b"of unknown length"[..])).send()?;
        let seen = script.seen();
        let bodies: Vec<&[u8]> = seen.iter().map(|request| request.body()).collect();
        assert_eq!(bodies, [&b"sized"[..], b"of unknown length"], "{write_max}");
        assert!(seen.iter().all(|request| request.is_complete()));
        assert_eq!(
            seen.iter().map(|request| (request.connection(), request.exchange())).collect::<Vec<_>>(),
            [(0, 0), (0, 1)]
        );
        assert_eq!(seen[0].writes() == 1, write_max > 3, "{}", seen[0].writes());
        assert_eq!(seen[1].header("transfer-encoding"), Some("chunked"));
    }
    Ok(())
}

#[test]
fn requests_may_be_pipelined() {
    let script = Script::new().on("/1", raw("one")).on("/2", raw("two"));
    let mut stream = stream(&script);
    stream.write_all(b"POST /1 HTTP/1.1\r\nContent-Length: 2\r\n\r\nxyGET /2 HTTP/1.1\r\n\r\n").expect("it is taken");
    assert_eq!(read(&mut *stream).as_deref(), Ok("one"));
    assert_eq!(read(&mut *stream).as_deref(), Ok("two"));
    let seen = script.seen();
    assert_eq!((&*seen[0].line(), seen[0].body(), &*seen[1].line()), ("POST /1", &b"xy"[..], "GET /2"));
}

#[test]
fn a_server_stops_reading_at_an_exact_byte() {
    let request = b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n123456789";
    for (then, errors) in [
        (Then::Closes, [IoKind::BrokenPipe; 2]),
        (Then::Resets, [IoKind::ConnectionReset, IoKind::BrokenPipe]),
        (Then::Stalls, [IoKind::WouldBlock; 2]),
    ] {
        let script = Script::new().connection(connection().exchange(raw("sent even so").receives(5, then)));
        let mut stream = stream(&script);
        stream.set_timeouts(Some(LIMIT), Some(Duration::from_millis(1))).expect("limits");
        assert_eq!(stream.write(request).expect("the first bytes"), 5);
        assert_eq!(try_read(&mut *stream), Err(IoKind::WouldBlock), "it may take more");
        for kind in errors {
            assert_eq!(stream.write(request).expect_err("no more").kind(), kind);
        }
        assert_eq!(read(&mut *stream).as_deref(), Ok("sent even so"));
        assert_eq!((script.bytes_received(), script.seen().len()), (5, 0));
    }
}

#[test]
fn without_a_record_nothing_is_kept() -> Result<()> {
    let script = Script::answering(reply(200)).without_record();
    script.client().post(URL).body("text").send()?;
    assert!(script.seen().is_empty() && script.bytes_received() > 4);
    Ok(())
}

// ---- time ----

#[test]
fn a_read_waits_for_as_long_as_it_may_and_for_a_pause_no_longer_than_that_lasts() {
    let limit = Duration::from_millis(50);
    let script = Script::new().on("/silence", raw("").silence()).on("/pause", raw("").pause(limit).more("late"));
    let mut stream = stream(&script);
    ask(&mut *stream, "/pause");
    stream.set_timeouts(Some(LIMIT), None).expect("limits");
    let started = Instant::now();
    assert_eq!(read(&mut *stream).as_deref(), Ok("late"));
    assert!((limit..LIMIT).contains(&started.elapsed()), "{:?}", started.elapsed());
    ask(&mut *stream, "/silence");
    stream.set_timeouts(Some(limit), None).expect("limits");
    let started = Instant::now();
    assert_eq!(read(&mut *stream), Err(IoKind::WouldBlock));
    assert!((limit..LIMIT).contains(&started.elapsed()), "{:?}", started.elapsed());
}

#[test]
fn a_drip_resets_the_clock_of_silence_and_not_the_deadline() {
    let drip = reply(200).body("0123456789").drip(1, Duration::from_millis(5));
    let script = Script::answering(drip);
    let patient = Client::builder().connector(script.clone()).read_timeout(Duration::from_secs(5)).build();
    assert_eq!(crate::text(&patient, URL), "0123456789");
    let hurried = patient.get(URL).timeout(Duration::from_millis(50)).send().expect_err("over 200 ms");
    assert_eq!(hurried.kind(), ErrorKind::Timeout, "{hurried}");
}

#[test]
fn a_cancel_wakes_a_read_and_a_write_that_wait() {
    let script =
        Script::new().on("GET *", raw("").silence()).on("POST *", raw("").silence().receives(100_000, Then::Stalls));
    let client = Client::builder().connector(script.clone()).read_timeout(None).write_timeout(None).build();
    // A GET has been seen before its write has returned.
    for (seen, request, stages) in [
        (1, client.get(URL), &[Stage::Send, Stage::Wait][..]),
        (2, client.post(URL).body(vec![b'x'; 1 << 20]), &[Stage::Send]),
    ] {
        let token = CancelToken::new();
        let is_over = AtomicBool::new(false);
        let error = thread::scope(|scope| {
            scope.spawn(|| {
                let end = Instant::now() + LIMIT;
                while script.seen().len() < seen && Instant::now() < end {
                    thread::yield_now();
                }
                token.cancel();
                is_over.store(true, Ordering::SeqCst);
            });
            request.cancel_token(&token).send().expect_err("it was cancelled")
        });
        assert!(error.is_cancelled() && is_over.into_inner(), "{error}");
        assert!(stages.contains(&error.stage()), "{:?}: {error}", error.stage());
    }
}

#[test]
fn interruptions_change_nothing() -> Result<()> {
    let script = Script::answering(reply(200).body("0123456789")).read_max(7).write_max(5);
    let client = Client::builder().connector(wrapping(script.clone(), interrupted)).build();
    for _ in 0..2 {
        assert_eq!(client.post(URL).body("text").send()?.text()?, "0123456789");
    }
    assert_eq!((script.connections(), script.seen()[1].body()), (1, &b"text"[..]));
    Ok(())
}

// ---- https ----

#[test]
fn https_needs_no_tls() -> Result<()> {
    let script = Script::answering(reply(200).body("plain"));
    assert_eq!(script.client().get("https://memory.test/").send()?.text()?, "plain");
    assert_eq!(script.seen()[0].url(), "https://memory.test/");
    assert_eq!(script.closed(), 1, "with the client");
    Ok(())
}
