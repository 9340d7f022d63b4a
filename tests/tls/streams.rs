//! The stream after the handshake: ends and cuts, ticks and drips, reuse, uploads, time.

use std::io::{Read, Write};
#[cfg(unix)]
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
#[cfg(unix)]
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

#[cfg(unix)]
use longwire::ClientBuilder;
use longwire::rustls::ALL_VERSIONS;
use longwire::rustls::version::TLS13;
use longwire::{BodyEnd, CancelToken, Client, CloseReason, Error, ErrorKind, Fate, SendBody, Stage};

use crate::certificates::Authority;
#[cfg(unix)]
use crate::certificates::NAME;
#[cfg(unix)]
use crate::session::answering;
use crate::session::{Session, serve};
use crate::support::peer::{LIMIT, Peer, ok};
use crate::{builder, client, pattern, text, url};

/// A body that ends with the connection.
const UNTIL_CLOSE: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nall of it\r\n0\r\n\r\n";
/// More than a limit may be overrun on a busy machine, less than any default of the client.
const SLACK: Duration = Duration::from_secs(5);
/// What a socket's buffers on both sides cannot hold.
const LARGE_BYTES: usize = 24 << 20;
/// Still that.
const UPLOAD_BYTES: usize = 12 << 20;
const DOWNLOAD_BYTES: u64 = 100 << 20;

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A peer for one authority, and a client that trusts it.
fn pair(script: impl Fn(&mut Session, usize) + Send + Sync + 'static) -> (Peer, Client) {
    let authority = Authority::new("root");
    let peer = serve(authority.identity().server_config(ALL_VERSIONS), script);
    let client = client(&authority, &peer);
    (peer, client)
}

// ── Ends and cuts ───────────────────────────────────────────────────────────────────────────────

/// How the server ends a connection after a response.
#[derive(Clone, Copy, Debug)]
enum End {
    Goodbye,
    Fin,
    Reset,
    /// In the middle of a record.
    PartOfRecord,
    Garbage,
}

/// The outcome of a body with this end after it: how it ended, or the error, which is final.
fn outcome(answer: &'static str, end: End) -> Result<(String, Option<BodyEnd>), ErrorKind> {
    let (peer, client) = pair(move |session, _| {
        if session.request().is_none() {
            return;
        }
        session.send(answer);
        let last = match end {
            End::Goodbye => session.goodbye(),
            End::Fin | End::Reset => Vec::new(),
            End::PartOfRecord => session.records("the next part")[..9].to_vec(),
            End::Garbage => b"\x17\x03\x03\x00\x20 these are no encrypted bytes    ".to_vec(),
        };
        session.conn.send(last);
        if let End::Reset = end {
            session.conn.note("sent");
            session.conn.was_signalled("reset");
        }
    });
    let mut response = client.get(url(&peer, "/")).send().expect("a head");
    let mut body = Vec::new();
    if let End::Reset = end {
        // Cuts the connection from outside of the script, which cannot give up its connection.
        let mut part = [0; 9];
        response.read_exact(&mut part).expect("what came before");
        body.extend(part);
        drop(peer);
    }
    match response.read_to_end(&mut body) {
        Ok(_) => Ok((String::from_utf8(body).expect("text"), response.body().ended())),
        Err(error) => {
            let error = Error::try_from(error).expect("our own");
            let again = Error::try_from(response.read(&mut [0; 8]).expect_err("it is final")).expect("our own");
            assert_eq!((again.kind(), error.stage()), (error.kind(), Stage::Body), "{error}");
            assert_eq!(body, b"all of it", "what came before the end was read");
            Err(error.kind())
        }
    }
}

#[test]
fn a_body_that_ends_with_the_connection_needs_the_peers_goodbye() {
    let whole = ("all of it".to_owned(), Some(BodyEnd::Closed));
    assert_eq!(outcome(UNTIL_CLOSE, End::Goodbye), Ok(whole));
    assert_eq!(outcome(UNTIL_CLOSE, End::Fin), Err(ErrorKind::Truncated));
    assert_eq!(outcome(UNTIL_CLOSE, End::PartOfRecord), Err(ErrorKind::Truncated));
    assert_eq!(outcome(UNTIL_CLOSE, End::Garbage), Err(ErrorKind::Tls));
    let reset = outcome(UNTIL_CLOSE, End::Reset);
    assert!(matches!(reset, Err(ErrorKind::Truncated | ErrorKind::Io)), "{reset:?}");
}

#[test]
fn a_body_that_is_complete_needs_no_goodbye() {
    for end in [End::Goodbye, End::Fin, End::PartOfRecord, End::Garbage] {
        let length = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall of it";
        assert_eq!(outcome(length, end), Ok(("all of it".to_owned(), Some(BodyEnd::Length))), "{end:?}");
        assert_eq!(outcome(CHUNKED, end), Ok(("all of it".to_owned(), Some(BodyEnd::LastChunk))), "{end:?}");
    }
}

#[test]
fn a_body_cut_short_is_truncated_with_and_without_a_goodbye() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nall of it";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nall of it\r\n";
    for end in [End::Goodbye, End::Fin, End::PartOfRecord] {
        assert_eq!(outcome(length, end), Err(ErrorKind::Truncated), "{end:?}");
        assert_eq!(outcome(chunked, end), Err(ErrorKind::Truncated), "{end:?}");
    }
}

// ── Ticks and drips ─────────────────────────────────────────────────────────────────────────────

/// The limits are such that the client's waits are over several times in every record.
#[test]
fn ticks_in_the_middle_of_records_lose_nothing() {
    let authority = Authority::new("root");
    let peer = serve(authority.identity().server_config(ALL_VERSIONS), |session, _| {
        while session.request().is_some() {
            let records =
                [session.records("HTTP/1.1 200 OK\r\nContent-"), session.records("Length: 9\r\n\r\nall of it")];
            for record in records {
                let (start, rest) = record.split_at(7);
                for part in [start, rest] {
                    session.conn.pause(ms(250));
                    session.conn.send(part);
                }
            }
        }
    });
    let config = authority.client_config(ALL_VERSIONS);
    let client = builder(config, &peer).timeout(LIMIT).build();
    for exchange in 1..=2 {
        // A deadline makes the tick: half of it, and so on.
        let response = client.get(url(&peer, "/")).timeout(ms(3000)).send().expect("an answer");
        assert_eq!(response.connection().nth(), exchange);
        assert_eq!(response.text().expect("a body"), "all of it");
    }
}

#[test]
fn an_answer_in_single_bytes_arrives() {
    let (peer, client) = pair(|session, _| {
        while session.request().is_some() {
            for byte in CHUNKED.as_bytes().chunks(1) {
                let record = session.records(byte);
                session.conn.send_bytewise(record);
            }
        }
    });
    for exchange in 1..=2 {
        let response = client.get(url(&peer, "/")).send().expect("an answer");
        assert_eq!((response.connection().nth(), response.text().expect("a body").as_str()), (exchange, "all of it"));
    }
}

#[test]
fn a_record_that_drips_ends_in_time() {
    let (peer, client) = pair(|session, _| {
        session.request();
        session.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        let record = session.records([b'x'; 1000]);
        session.conn.drip(record, ms(20));
    });
    let limit = ms(300);
    for (setting, request) in [
        ("timeout", client.get(url(&peer, "/")).timeout(limit)),
        ("read_timeout", client.get(url(&peer, "/")).read_timeout(limit)),
    ] {
        let started = Instant::now();
        let error = request.send().expect("a head").bytes().expect_err("it drips");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::Body), "{error}");
        assert!(error.to_string().contains(&format!(" {setting} of 300ms passed")), "{error}");
        assert!(started.elapsed() >= limit && started.elapsed() < limit + SLACK, "{:?}", started.elapsed());
    }
}

/// Records without a byte of content: a peer that sends them for ever is not read from for ever.
#[test]
fn messages_of_tls_alone_are_silence() {
    let authority = Authority::new("root");
    let peer = serve(authority.identity().server_config(&[&TLS13]), |session, _| {
        session.request();
        while !session.conn.pause(ms(20)) {
            session.tls.refresh_traffic_keys().expect("TLS 1.3");
            let update = session.outgoing();
            if !session.conn.send(update) {
                return;
            }
        }
    });
    let client = builder(authority.client_config(ALL_VERSIONS), &peer).read_timeout(ms(300)).build();
    let started = Instant::now();
    let error = client.get(url(&peer, "/")).send().expect_err("no answer comes");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::Wait), "{error}");
    assert!(started.elapsed() >= ms(300) && started.elapsed() < SLACK, "{:?}", started.elapsed());
}

#[test]
fn a_cancel_ends_a_read() {
    let (peer, client) = pair(|session, _| {
        session.request();
        session.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        session.conn.note("sent");
        session.conn.wait_closed(LIMIT);
    });
    let token = CancelToken::new();
    let mut response = client.get(url(&peer, "/")).cancel_token(&token).send().expect("a head");
    let error = thread::scope(|scope| {
        scope.spawn(|| {
            assert!(peer.noted(0, "sent"));
            token.cancel();
        });
        std::io::copy(&mut response, &mut std::io::sink()).expect_err("a cancel")
    });
    assert!(Error::try_from(error).expect("our own").is_cancelled());
    drop(response);
    assert!(peer.saw_close(0));
    assert_eq!(client.pool_stats().closed.get(CloseReason::Cancelled), 1);
}

// ── Reuse ───────────────────────────────────────────────────────────────────────────────────────

#[test]
fn tickets_that_come_late_are_no_stray_bytes() {
    let authority = Authority::new("root");
    let config = Arc::new(authority.identity().server_config(&[&TLS13]));
    let peer = Peer::start(move |conn, _| {
        let mut session = Session::new(conn, &config);
        let tickets = session.shake_hands().expect("a handshake");
        assert!(tickets.len() > 100, "{} bytes of tickets", tickets.len());
        session.request();
        session.conn.send(tickets); // by themselves: the client finds nothing in them
        session.conn.pause(ms(50));
        session.send(ok("first"));
        while session.request().is_some() {
            session.send(ok("again"));
        }
    });
    let client = client(&authority, &peer);
    assert_eq!(text(&client, &url(&peer, "/")), "first");
    assert_eq!(text(&client, &url(&peer, "/")), "again");
    assert_eq!((peer.connections(), client.pool_stats().reused), (1, 1));
}

#[test]
fn messages_of_tls_do_not_spoil_an_idle_connection() {
    let authority = Authority::new("root");
    let peer = serve(authority.identity().server_config(&[&TLS13]), |session, _| {
        while session.request().is_some() {
            session.send(ok("hello"));
            session.tls.refresh_traffic_keys().expect("TLS 1.3");
            let update = session.outgoing();
            session.conn.send(update);
            session.conn.note("updated");
        }
    });
    let client = client(&authority, &peer);
    for _ in 0..3 {
        assert_eq!(text(&client, &url(&peer, "/")), "hello");
        assert!(peer.noted(0, "updated"));
    }
    assert_eq!((peer.connections(), client.pool_stats().reused), (1, 2));
}

/// What the server does with a connection while it is idle, and why it is not used again.
#[track_caller]
fn assert_replaced(meanwhile: fn(&mut Session) -> Vec<u8>, reason: CloseReason) {
    let (peer, client) = pair(move |session, index| {
        while session.request().is_some() {
            session.send(ok("hello"));
            if index == 0 {
                let bytes = meanwhile(session);
                session.conn.send(bytes);
                session.conn.half_close();
                session.conn.note("done");
            }
        }
    });
    assert_eq!(text(&client, &url(&peer, "/")), "hello");
    assert!(peer.noted(0, "done"));
    assert_eq!(text(&client, &url(&peer, "/")), "hello");
    let closed = client.pool_stats().closed;
    assert_eq!((peer.connections(), closed.get(reason), closed.total()), (2, 1, 1), "{closed:?}");
}

#[test]
fn a_connection_that_was_ended_or_spoilt_while_idle_is_replaced() {
    assert_replaced(Session::goodbye, CloseReason::PeerClosed);
    assert_replaced(|_| Vec::new(), CloseReason::PeerClosed);
    assert_replaced(|_| b"no TLS at all, but long enough".to_vec(), CloseReason::PeerClosed);
    assert_replaced(|session| session.records("stray"), CloseReason::StrayBytes);
}

/// A part of a record is nothing to read, and yet the beginning of an unsolicited response.
#[test]
fn a_record_that_has_half_arrived_is_no_silence() {
    for cut in [1, 5, 30] {
        let (peer, client) = pair(move |session, index| {
            while session.request().is_some() {
                session.send(ok("hello"));
                if index == 0 {
                    let stray = session.records(ok("stray"));
                    session.conn.send(&stray[..cut]);
                    session.conn.note("cut");
                }
            }
        });
        assert_eq!(text(&client, &url(&peer, "/")), "hello");
        assert!(peer.noted(0, "cut"));
        assert_eq!(text(&client, &url(&peer, "/")), "hello");
        let closed = client.pool_stats().closed;
        assert_eq!((peer.connections(), closed.get(CloseReason::StrayBytes)), (2, 1), "{closed:?}, {cut}");
    }
}

/// An unsolicited second response, in a record after the third. The first of the two fills exactly as
/// many bytes, headers of records included, that reads of that size end with it.
#[test]
fn an_unsolicited_response_is_never_taken_for_the_next_one() {
    const RECORD_BYTES: usize = 16 * 1024;
    const RECORD_OVERHEAD: usize = 22; // RFC 8446 §5.2, with the suites there are

    for wire_bytes in [1000_usize, 4096, 8192, 16 * 1024, 32 * 1024, 64 * 1024] {
        let (peer, client) = pair(move |session, _| {
            for exchange in 1.. {
                if session.request().is_none() {
                    return;
                }
                let plain_bytes = wire_bytes - wire_bytes.div_ceil(RECORD_BYTES + RECORD_OVERHEAD) * RECORD_OVERHEAD;
                let rough = ok(&"x".repeat(plain_bytes - 50));
                let body_bytes = plain_bytes - (rough.len() - (plain_bytes - 50));
                let mut bytes = session.records(ok(&"x".repeat(body_bytes)));
                assert_eq!(bytes.len(), wire_bytes);
                if exchange == 3 {
                    bytes.extend(session.records(ok("poison")));
                }
                session.conn.send(bytes);
            }
        });
        let mut buffer = vec![0; 256 * 1024];
        for _ in 0..5 {
            let mut response = client.get(url(&peer, "/")).send().expect("an answer");
            while let count @ 1.. = response.read(&mut buffer).expect("a body") {
                assert!(buffer[..count].iter().all(|byte| *byte == b'x'), "{:?}", buffer[..count].escape_ascii());
            }
        }
        let closed = client.pool_stats().closed;
        assert_eq!((peer.connections(), closed.get(CloseReason::StrayBytes)), (2, 1), "{closed:?}, {wire_bytes}");
    }
}

#[test]
fn a_connection_with_damaged_bytes_behind_a_body_is_not_used_again() {
    let (peer, client) = pair(|session, index| {
        for exchange in 1.. {
            if session.request().is_none() {
                return;
            }
            let mut bytes = session.records(ok("hello"));
            if (index, exchange) == (0, 3) {
                bytes.extend(b"\x17\x03\x03\x00\x20 these are no encrypted bytes    ");
            }
            session.conn.send(bytes);
        }
    });
    for _ in 0..5 {
        assert_eq!(text(&client, &url(&peer, "/")), "hello");
    }
    assert_eq!((peer.connections(), client.pool_stats().closed.get(CloseReason::PeerClosed)), (2, 1));
}

#[test]
fn a_get_on_a_connection_that_died_unseen_is_sent_again_and_a_post_is_not() {
    for is_post in [false, true] {
        let (peer, client) = pair(|session, index| {
            let requests = if index == 0 { 2 } else { usize::MAX };
            for exchange in 1..=requests {
                let Some(request) = session.request() else { return };
                session.conn.note(request.split(' ').next().unwrap_or_default());
                if exchange < requests {
                    session.send(ok("hello"));
                }
            }
        });
        assert_eq!(text(&client, &url(&peer, "/")), "hello");
        if is_post {
            let error = client.post(url(&peer, "/")).body("x").send().expect_err("the connection ends");
            assert_eq!((error.kind(), error.fate()), (ErrorKind::Truncated, Fate::MaybeProcessed), "{error}");
            assert_eq!(peer.connections(), 1);
        } else {
            assert_eq!(text(&client, &url(&peer, "/")), "hello");
            assert_eq!(peer.connections(), 2);
        }
    }
}

// ── Drops ───────────────────────────────────────────────────────────────────────────────────────

fn goodbye_noted(session: &mut Session) {
    let is_orderly = session.client_says_goodbye();
    session.conn.note(if is_orderly { "goodbye" } else { "cut" });
}

#[test]
fn every_dropped_connection_sends_close_notify() {
    let (peer, client) = pair(|session, _| {
        session.request();
        session.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        goodbye_noted(session);
    });
    drop(client.get(url(&peer, "/")).send().expect("a head"));
    assert!(peer.noted(0, "goodbye"));
    assert_eq!(client.pool_stats().closed.get(CloseReason::Unfinished), 1);

    let (peer, client) = pair(|session, _| {
        session.request();
        session.send(ok("hello"));
        goodbye_noted(session);
    });
    assert_eq!(text(&client, &url(&peer, "/")), "hello");
    client.close_idle();
    assert!(peer.noted(0, "goodbye"));
}

#[test]
fn a_drop_does_not_wait_for_a_peer_that_takes_nothing() {
    let (peer, client) = pair(|session, _| {
        session.conn.hold(); // not a byte is read
    });
    let body = SendBody::reader(std::io::repeat(b'x').take(LARGE_BYTES as u64 * 4));
    let started = Instant::now();
    let request = client.post(url(&peer, "/")).body(body).timeout(ms(500));
    let error = request.send().expect_err("nothing is taken");
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Timeout, Fate::MaybeProcessed), "{error}");
    assert!(started.elapsed() < ms(500) + SLACK, "{:?}", started.elapsed());
}

#[test]
fn an_unread_rest_that_has_arrived_does_not_cost_the_connection() {
    let (peer, client) = pair(|session, _| {
        while session.request().is_some() {
            session.send(ok(&"x".repeat(20_000)));
            session.conn.note("sent");
        }
    });
    drop(client.get(url(&peer, "/")).send().expect("a head").bytes());
    for _ in 0..2 {
        let response = client.get(url(&peer, "/")).send().expect("a head");
        assert!(peer.noted(0, "sent"));
        thread::sleep(ms(20)); // on loopback what was sent is there; elsewhere it would be closed
        drop(response);
    }
    let stats = client.pool_stats();
    assert!(stats.reused >= 1 && stats.closed.total() <= 1, "{stats:?}");
}

// ── Large bodies ────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_hundred_megabytes_arrive_byte_for_byte() {
    let (peer, client) = pair(|session, _| {
        let block = pattern(1 << 20);
        while session.request().is_some() {
            session.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {DOWNLOAD_BYTES}\r\n\r\n"));
            for _ in 0..DOWNLOAD_BYTES >> 20 {
                session.send(&block);
            }
        }
    });
    let block = pattern(1 << 20);
    for (exchange, buffer_bytes) in [(1, 4096), (2, 1 << 20)] {
        let mut response = client.get(url(&peer, "/")).send().expect("a head");
        assert_eq!(response.connection().nth(), exchange);
        let (mut buffer, mut at) = (vec![0; buffer_bytes], 0);
        while let count @ 1.. = response.read(&mut buffer).expect("a body") {
            let mut piece = &buffer[..count];
            while !piece.is_empty() {
                let rest = &block[at % block.len()..];
                let length = rest.len().min(piece.len());
                assert!(piece[..length] == rest[..length], "behind byte {at}");
                (piece, at) = (&piece[length..], at + length);
            }
        }
        assert_eq!(at as u64, DOWNLOAD_BYTES);
    }
    assert_eq!(text_length(&client, &url(&peer, "/")), DOWNLOAD_BYTES);
}

fn text_length(client: &Client, url: &str) -> u64 {
    let response = client.get(url).send().expect("a head").limit(DOWNLOAD_BYTES);
    response.bytes().expect("a body").len() as u64
}

/// The server stops reading several times for longer than the client's write waits.
#[test]
fn an_upload_to_a_server_that_pauses_arrives_byte_for_byte() {
    let (peer, client) = pair(|session, _| {
        for turn in 0..3 {
            session.conn.pause(ms(400));
            session.conn.note(format!("pause {turn}"));
            assert!(session.read_more(2 << 20));
        }
        let request = session.request().expect("all of it");
        let body = request.split_once("\r\n\r\n").expect("a head").1;
        session.send(ok(if body == text_of(UPLOAD_BYTES) { "same" } else { "other" }));
    });
    let body = text_of(UPLOAD_BYTES);
    for body in [SendBody::from(body.as_str()), SendBody::sized_reader(body.as_bytes(), body.len() as u64)] {
        let response = client.post(url(&peer, "/")).body(body).send().expect("an answer");
        assert_eq!(response.text().expect("a body"), "same");
        client.close_idle();
    }
}

fn text_of(bytes: usize) -> String {
    pattern(bytes).into_iter().map(|byte| char::from(b'a' + byte % 26)).collect()
}

#[test]
fn an_early_answer_stops_an_upload() {
    for says_goodbye in [false, true] {
        let (peer, client) = pair(move |session, _| {
            assert!(session.read_more(1));
            session.send("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno!");
            if says_goodbye {
                let goodbye = session.goodbye();
                session.conn.send(goodbye);
            }
        });
        let body = SendBody::reader(std::io::repeat(b'x').take(LARGE_BYTES as u64 * 4));
        let response = client.post(url(&peer, "/")).body(body).send();
        match response {
            Ok(response) => {
                assert_eq!((response.status().as_u16(), response.text().expect("a body").as_str()), (413, "no!"))
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// A server that sends back what it gets, as it gets it, deadlocks with a client that only writes.
#[test]
fn an_echo_does_not_deadlock() {
    let (peer, client) = pair(|session, _| {
        assert!(session.read_more(1));
        session.send("HTTP/1.1 200 OK\r\n\r\n");
        while session.echo() {}
        let goodbye = session.goodbye();
        session.conn.send(goodbye);
    });
    let body = SendBody::reader(std::io::repeat(b'x').take(LARGE_BYTES as u64 * 4));
    let response = client.post(url(&peer, "/")).body(body).timeout(LIMIT).send().expect("an answer");
    let echoed = response.bytes().expect("an echo");
    assert!(!echoed.is_empty());
}

/// The server takes no more of the upload, and sends one byte after the other, each when the one
/// before has been read. It is not the upload that is waited for then.
#[test]
fn what_the_server_sends_is_read_while_an_upload_stalls() {
    const PIECES: u32 = 40;
    const TICK: Duration = ms(250); // of a write that stalls

    let (next, wanted) = mpsc::channel();
    let wanted = Mutex::new(wanted);
    let (peer, client) = pair(move |session, _| {
        assert!(session.read_more(1));
        session.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {PIECES}\r\n\r\n"));
        let wanted = wanted.lock().expect("one connection");
        while wanted.recv().is_ok() {
            session.send("x");
        }
    });
    let body = SendBody::reader(std::io::repeat(b'x').take(LARGE_BYTES as u64 * 4));
    let mut response = client.post(url(&peer, "/")).body(body).send().expect("an answer");
    let (started, next) = (Instant::now(), next); // the server's script ends with it, so it goes first
    for _ in 0..PIECES {
        next.send(()).expect("the server listens");
        assert_eq!(response.read(&mut [0; 1]).expect("a piece"), 1);
    }
    assert!(started.elapsed() < PIECES * TICK / 2, "{:?}", started.elapsed());
}

// ── Other transports and uses ───────────────────────────────────────────────────────────────────

#[test]
fn an_upgraded_connection_stays_encrypted_and_is_never_interrupted() {
    let (peer, client) = pair(|session, _| {
        session.request();
        session.send("HTTP/1.1 101 Switching\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\nhello");
        while session.echo_in_single_bytes() {}
    });
    let request = client.get(url(&peer, "/")).header("Upgrade", "echo").header("Connection", "upgrade");
    let mut upgraded = request.send().expect("a 101").upgrade().expect("an upgrade");
    let mut hello = [0; 5];
    upgraded.read_exact(&mut hello).expect("what came after the head");
    assert_eq!(&hello, b"hello");
    assert_eq!(upgraded.write(b"there and back").expect("a write"), 14);
    let mut back = Vec::new();
    while back.len() < 14 {
        let mut part = [0; 64];
        let count = upgraded.read(&mut part).expect("no read is interrupted");
        back.extend_from_slice(&part[..count]);
    }
    assert_eq!(back, b"there and back");
}

/// A unix socket, which takes little at once, before the peer. What comes to it is passed on by `there`,
/// and all that is answered is passed back.
#[cfg(unix)]
struct ProxyServer {
    path: PathBuf,
    thread: JoinHandle<()>,
}

#[cfg(unix)]
impl ProxyServer {
    fn start(name: &str, peer: &Peer, there: impl FnOnce(&UnixStream, &TcpStream) + Send + 'static) -> ProxyServer {
        let path = std::env::temp_dir().join(format!("longwire-tls-{name}-{}", std::process::id()));
        let listener = UnixListener::bind(&path).expect("a socket");
        let address = peer.addr();
        let thread = thread::spawn(move || {
            let near = listener.accept().expect("a connection").0;
            let far = TcpStream::connect(address).expect("the peer");
            thread::scope(|scope| {
                scope.spawn(|| drop(std::io::copy(&mut &far, &mut &near)));
                there(&near, &far);
                let _ = far.shutdown(Shutdown::Both);
            });
        });
        ProxyServer { path, thread }
    }

    fn client(&self, authority: &Authority) -> ClientBuilder {
        Client::builder().tls(authority.tls()).unix_socket(&self.path)
    }

    /// Waits for the end of the connection.
    fn join(self) {
        self.thread.join().expect("it only copies");
        std::fs::remove_file(&self.path).expect("our own file");
    }
}

/// Passes on this many bytes at a time, with a gap between.
#[cfg(unix)]
fn slowly(bytes: usize, gap: Duration) -> impl FnOnce(&UnixStream, &TcpStream) + Send {
    move |mut near, mut far| {
        let mut block = vec![0; bytes];
        while let Ok(count @ 1..) = near.read(&mut block) {
            if far.write_all(&block[..count]).is_err() {
                return;
            }
            thread::sleep(gap);
        }
    }
}

/// What rustls holds back takes longer than a write may be silent, and than one that stalls is
/// waited for when an answer is there; but it never stands still.
#[cfg(unix)]
#[test]
fn an_upload_that_goes_slowly_is_neither_late_nor_stalled() {
    const SLOW_BYTES: usize = 400 << 10;

    let authority = Authority::new("root");
    let peer = serve(authority.identity().server_config(ALL_VERSIONS), |session, _| {
        assert!(session.read_more(1));
        session.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
        let request = session.request().unwrap_or_default();
        let body = request.split_once("\r\n\r\n").unwrap_or_default().1;
        session.send(if body == text_of(SLOW_BYTES) { "same" } else { "less" });
    });
    let relay = ProxyServer::start("slow", &peer, slowly(4 << 10, ms(80)));
    let client = relay.client(&authority).write_timeout(ms(1000)).build();
    let response = client.post(format!("https://{NAME}/")).body(text_of(SLOW_BYTES)).send().expect("an answer");
    assert_eq!(response.text().expect("a body"), "same");
    drop(client);
    relay.join();
}

#[cfg(unix)]
#[test]
fn an_upgraded_connection_is_not_interrupted_by_a_peer_that_takes_slowly() {
    const SLOW_BYTES: usize = 1 << 20;

    for write_timeout in [None, Some(LIMIT)] {
        let authority = Authority::new("root");
        let peer = serve(authority.identity().server_config(ALL_VERSIONS), |session, _| {
            session.request();
            session.send("HTTP/1.1 101 Switching\r\nUpgrade: sink\r\nConnection: upgrade\r\n\r\n");
            let is_all = session.read_more(SLOW_BYTES);
            session.conn.note(if is_all { "all" } else { "less" });
        });
        let relay = ProxyServer::start("upgraded", &peer, slowly(8 << 10, ms(10)));
        let client = relay.client(&authority).build();
        let request = client.get(format!("https://{NAME}/")).header("Upgrade", "sink").header("Connection", "upgrade");
        let mut upgraded = request.send().expect("a 101").upgrade().expect("an upgrade");
        upgraded.set_timeouts(None, write_timeout).expect("limits");
        upgraded.write_all(&pattern(SLOW_BYTES)).and_then(|()| upgraded.flush()).expect("all is taken");
        assert!(peer.noted(0, "all"));
        drop(upgraded);
        relay.join();
    }
}

/// A unix socket stands for every transport that is not plain TCP.
#[cfg(unix)]
#[test]
fn https_goes_over_a_unix_socket_too() {
    let authority = Authority::new("root");
    let peer = answering(authority.identity().server_config(ALL_VERSIONS), ok(&"x".repeat(100_000)));
    let relay = ProxyServer::start("unix", &peer, |mut near, mut far| drop(std::io::copy(&mut near, &mut far)));
    let client = relay.client(&authority).build();
    for exchange in 1..=3 {
        let response = client.get(format!("https://{NAME}/")).send().expect("an answer");
        assert_eq!(response.connection().nth(), exchange);
        assert_eq!(response.bytes().expect("a body").len(), 100_000);
    }
    drop(client);
    relay.join();
}
