//! Streams that hold bytes back, are interrupted, report more than there is, die or panic.

use std::io::{ErrorKind as IoKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use longwire::script::{Reply, Script, raw, reply};
use longwire::{Client, ClientBuilder, ErrorKind};

use super::{URL, wrapped};
use crate::support::wrapped::{interrupted, wrapping};

/// A stream that holds back what is written until it is flushed, and of two flushes blocks in the
/// first; and what has left.
fn holding_back() -> (Client, Arc<Mutex<Vec<u8>>>) {
    let left = Arc::new(Mutex::new(Vec::new()));
    let leaving = left.clone();
    let client = wrapped(&Script::answering(reply(200).body("fine")), move |stream| {
        let held = Arc::new(Mutex::new(Vec::new()));
        let (taken, leaving) = (held.clone(), leaving.clone());
        let mut flushes = 0;
        stream
            .on_write(move |_, bytes| {
                let count = bytes.len().min(10_000);
                taken.lock().unwrap().extend_from_slice(&bytes[..count]);
                Ok(count)
            })
            .on_flush(move |stream| {
                flushes += 1;
                if flushes % 2 == 1 {
                    return Err(IoKind::WouldBlock.into());
                }
                let mut held = held.lock().unwrap();
                stream.write_all(&held)?;
                leaving.lock().unwrap().append(&mut held);
                Ok(())
            })
    });
    (client, left)
}

#[test]
fn what_was_written_is_not_written_again_because_the_flush_would_block() {
    for body in [b"hello".to_vec(), b"0123456789".repeat(30_000)] {
        let (client, left) = holding_back();
        let response = client.post(URL).body(body.as_slice()).send().unwrap();
        assert_eq!(response.text().unwrap(), "fine");
        let left = left.lock().unwrap();
        let end = left.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        assert!(left.starts_with(b"POST / HTTP/1.1\r\n"));
        assert!(left[end..] == body, "of {} bytes {} have left", body.len(), left.len() - end);
    }
}

#[test]
fn a_stream_that_reports_more_than_it_had_room_for_is_an_error() {
    let script = Script::answering(raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"));
    let reads = wrapped(&script, |stream| stream.on_read(|_, into| Ok(into.len() + 1)));
    assert_eq!(reads.get(URL).send().unwrap_err().kind(), ErrorKind::Io);

    let writes = wrapped(&script, |stream| stream.on_write(|_, bytes| Ok(bytes.len() + 1)));
    assert_eq!(writes.get(URL).send().unwrap_err().kind(), ErrorKind::Io);

    let body = wrapped(&script, |stream| {
        let mut is_head = true;
        stream.on_read(move |stream, into| match std::mem::take(&mut is_head) {
            true => stream.read(into),
            false => Ok(into.len() + 1),
        })
    });
    assert_eq!(body.get(URL).send().unwrap().bytes().unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(body.get(URL).send().unwrap().read(&mut [0; 10_000]).unwrap_err().kind(), IoKind::Other);

    let polls = wrapped(&script, |stream| stream.on_try_read(|_, into| Ok(into.len() + 1)));
    drop(polls.get(URL).send().unwrap()); // polls for the rest of the body
    assert_eq!((polls.pool_stats().idle, polls.pool_stats().in_use), (0, 0));
}

#[test]
fn signals_short_waits_and_short_writes_are_gone_over() {
    let body = "0123456789".repeat(100);
    let script = Script::answering(reply(200).body(&*body)).read_max(7).write_max(5);
    let client = wrapped(&script, interrupted);
    for _ in 0..2 {
        let response = client.post("http://memory.test/path").body("text").send().unwrap();
        assert_eq!(response.text().unwrap(), body);
    }
    assert_eq!(script.connections(), 1);
    let seen = script.seen();
    assert_eq!(seen.iter().map(|request| request.line()).collect::<Vec<_>>(), ["POST /path"; 2]);
    assert!(seen.iter().all(|request| request.is_complete() && request.body() == b"text"), "{seen:?}");
}

#[test]
fn a_collected_body_is_read_past_signals_and_short_waits() {
    let reply = raw("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n").repeat("x", 100_000);
    let client = wrapped(&Script::answering(reply).read_max(1000), interrupted);
    let body = client.get(URL).send().expect("a head").bytes().expect("a body");
    assert!(body == [b'x'; 100_000], "{} bytes", body.len());
}

// ---- streams that die, as Linux reports it ----

/// A client of a script whose resets are what the kernel reports once of a connection whose probes were not
/// answered (then reads give `Ok(0)`).
#[cfg(target_os = "linux")]
fn dying(script: &Script) -> Client {
    const ETIMEDOUT: i32 = 110;
    assert_eq!(std::io::Error::from_raw_os_error(ETIMEDOUT).kind(), IoKind::TimedOut);
    let timed_out = |error: std::io::Error| match error.kind() {
        IoKind::ConnectionReset => std::io::Error::from_raw_os_error(ETIMEDOUT),
        _ => error,
    };
    wrapped(script, move |stream| {
        stream
            .on_read(move |stream, into| stream.read(into).map_err(timed_out))
            .on_try_read(move |stream, into| stream.try_read(into).map_err(timed_out))
    })
}

#[test]
#[cfg(target_os = "linux")]
fn a_body_without_a_length_does_not_end_where_the_network_died() {
    let client = dying(&Script::answering(raw("HTTP/1.1 200 OK\r\n\r\nhalf").reset()));
    let mut response = client.get(URL).send().unwrap();
    let mut buffer = [0; 100];
    assert_eq!(response.read(&mut buffer).unwrap(), 4);
    for _ in 0..3 {
        let error = longwire::Error::try_from(response.read(&mut buffer).unwrap_err()).unwrap();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(!response.body().is_complete());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_connection_that_died_while_idle_is_not_silent() {
    let script = Script::answering(reply(200).body("one").reset());
    let client = dying(&script);
    assert_eq!(super::text(&client, URL), "one");
    assert_eq!(client.pool_stats().idle, 1);
    assert_eq!(super::text(&client, URL), "one", "the first response of a second connection");
    assert_eq!(script.connections(), 2);
}

// ---- streams that panic ----

/// A client over streams that panic when they are closed.
fn panicking_over(builder: ClientBuilder, reply: Reply) -> Client {
    let panics = || panic!("a mistake in the stream (this is what the test wants)");
    builder.connector(wrapping(Script::answering(reply), move |stream| stream.on_close(panics))).build()
}

#[test]
fn a_stream_that_panics_when_it_is_closed_frees_its_slot() {
    let closing = reply(200).header("Connection", "close").body("x");
    let client = panicking_over(Client::builder().max_connections_per_host(1), closing);
    for _ in 0..2 {
        let response = client.get(URL).send().expect("a slot, and a response in it");
        catch_unwind(AssertUnwindSafe(|| response.bytes())).expect_err("its stream panics");
        assert_eq!(client.pool_stats().in_use, 0);
    }
}

#[test]
fn a_stream_that_panics_when_it_makes_room_takes_no_other_slot_along() {
    let client = panicking_over(Client::builder().max_idle_per_host(1), reply(200).body("x"));
    let (first, second) = (client.get(URL).send().expect("a response"), client.get(URL).send().expect("a response"));
    first.bytes().expect("a body");
    catch_unwind(AssertUnwindSafe(|| second.bytes())).expect_err("the first one's stream panics");
    let stats = client.pool_stats();
    assert_eq!((stats.in_use, stats.idle), (0, 1));
    std::mem::forget(client); // or it would panic once more
}
