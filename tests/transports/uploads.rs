//! What goes wrong while a request is sent over a user-supplied stream: what the server had sent
//! meanwhile counts.

use std::io::{ErrorKind as IoKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use longwire::script::{Reply, Script, Then, connection, raw, reply};
use longwire::{CancelToken, Client, CloseReason, Error, ErrorKind, Fate, SendBody, Stage};

use super::{URL, closed, wrapped};

/// More than is sent without checking whether the server has answered.
const BODY: &[u8] = &[b'x'; 3 << 20];

/// A server whose first connection is this exchange.
fn once(reply: Reply) -> Script {
    Script::new().connection(connection().exchange(reply))
}

/// The response's status and text; its connection was closed for this reason.
#[track_caller]
fn answered(client: &Client, reason: CloseReason) -> (u16, String) {
    let response = client.post(URL).body(BODY).send().expect("what the server sent");
    let status = response.status().as_u16();
    let text = response.text().expect("a body");
    assert_eq!(closed(client, reason), 1);
    (status, text)
}

#[track_caller]
fn broken(client: &Client) -> Error {
    let error = client.post(URL).body(BODY).send().expect_err("it broke");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Io, Stage::Send), "{error}");
    assert_eq!(closed(client, CloseReason::Failed), 1);
    error
}

#[test]
fn a_stream_that_takes_nothing_is_broken() {
    let script = Script::answering(reply(200));
    let client = wrapped(&script, |stream| stream.on_write(|_, _| Ok(0)).on_read(|_, _| Ok(0)));
    let error = broken(&client);
    assert_eq!(error.fate(), Fate::NotSent);
    assert_eq!(std::io::Error::from(error).kind(), IoKind::WriteZero);
}

#[test]
fn what_the_server_sent_is_the_response_although_a_flush_failed() {
    let refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large";
    let script = once(raw("").awaited().more(refusal).early());
    let client = wrapped(&script, |stream| {
        let mut flushes = 0;
        stream.on_flush(move |_| {
            flushes += 1; // the first is the head's
            if flushes > 1 { Err(IoKind::BrokenPipe.into()) } else { Ok(()) }
        })
    });
    assert_eq!(answered(&client, CloseReason::UploadUnfinished), (413, "too large".to_owned()));
}

/// 200 as soon as there is a request, and the body when it is waited for.
fn early() -> Reply {
    raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").awaited().more("early").early()
}

/// A server that takes this many bytes of the request and no more, but sends this when the head is there.
fn stalling(after: u64, sent: &str, write_timeout: Duration) -> Client {
    let script = once(raw(sent).early().receives(after, Then::Stalls));
    Client::builder().write_timeout(write_timeout).connector(script).build()
}

const REFUSAL: &str = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_server_that_takes_only_the_first_of_a_large_body_is_polled_before_its_time_is_over() {
    let (patience, started) = (Duration::from_secs(10), Instant::now());
    let client = stalling(20 * 1024, REFUSAL, patience);
    assert_eq!(client.post(URL).body(BODY).send().expect("what the server sent").status(), 413);
    assert!(started.elapsed() < patience, "{:?}", started.elapsed());
}

#[test]
fn a_refusal_is_the_response_although_the_server_took_too_little_of_a_body_for_a_poll() {
    let brief = Duration::from_millis(200);
    for length in [1000, BODY.len()] {
        let client = stalling(300, REFUSAL, brief);
        let response = client.post(URL).body(&BODY[..length]).send().expect("what the server sent");
        assert_eq!(response.status(), 413);
        assert_eq!(closed(&client, CloseReason::UploadUnfinished), 1);
    }
    for sent in ["", "HTTP/1.1 413 Con", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] {
        let error = stalling(300, sent, brief).post(URL).body(&BODY[..1000]).send().expect_err("no reason to stop");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::Send), "{sent}: {error}");
    }
    let script = connection().greeting(raw(REFUSAL)).exchange(raw("").receives(0, Then::Stalls));
    let client = Client::builder().write_timeout(brief).connector(Script::new().connection(script)).build();
    let error = client.post(URL).body(&BODY[..1000]).send().expect_err("nothing was asked");
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Timeout, Fate::NotSent), "{error}");
}

#[test]
fn what_was_sent_before_a_byte_of_the_request_had_left_is_no_response_to_it() {
    let busy = raw("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    let resets = connection().greeting(busy).exchange(raw("").receives(0, Then::Resets));
    let client = Script::new().connection(resets.clone()).connection(resets).client();
    for request in [client.get(URL), client.post(URL).body("hello")] {
        let error = request.send().expect_err("nothing was asked");
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Io, Fate::NotSent), "{error}");
    }
}

#[test]
fn an_early_2xx_is_the_response_although_the_upload_broke_after_it() {
    let client = once(early().receives(2 << 20, Then::Closes)).client();
    assert_eq!(answered(&client, CloseReason::UploadUnfinished), (200, "early".to_owned()));
}

#[test]
fn an_early_2xx_ends_an_upload_that_stalls_on_a_stream_without_a_half_close() {
    let client = once(early().receives(2 << 20, Then::Stalls)).client();
    assert_eq!(answered(&client, CloseReason::UploadUnfinished), (200, "early".to_owned()));
}

#[test]
fn a_connection_that_is_reset_while_it_is_polled_is_broken() {
    let error = broken(&once(raw("").reset().early()).client());
    assert_eq!(error.fate(), Fate::MaybeProcessed);
    assert_eq!(std::io::Error::from(error).kind(), IoKind::ConnectionReset);
}

/// A body that cancels its own request at its second block, and ends long after.
struct Cancelling {
    token: CancelToken,
    blocks: Arc<AtomicUsize>,
}

impl Read for Cancelling {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        const BLOCKS: usize = 1000;

        let block = self.blocks.fetch_add(1, Ordering::SeqCst);
        if block == 1 {
            self.token.cancel();
        }
        Ok(if block < BLOCKS { into.len() } else { 0 })
    }
}

#[test]
fn a_cancel_ends_an_upload_over_a_stream_that_nothing_wakes_and_that_never_waits() {
    let client = wrapped(&Script::answering(reply(200)), |stream| stream.without_shutdown_handle());
    let (token, blocks) = (CancelToken::new(), Arc::new(AtomicUsize::new(0)));
    let body = SendBody::reader(Cancelling { token: token.clone(), blocks: blocks.clone() });
    let error = client.post(URL).body(body).cancel_token(&token).send().expect_err("it was cancelled");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Cancelled, Stage::Send), "{error}");
    assert_eq!(blocks.load(Ordering::SeqCst), 2, "blocks were read");
}
