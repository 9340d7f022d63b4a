//! What goes wrong while a request is sent over a stream of the caller's own, or over a unix
//! socket (`streams/unix.rs`): what the server had said meanwhile counts. When a connector's stream
//! is used at all stands in `streams/connectors.rs`.

#[path = "streams/connectors.rs"]
mod connectors;
#[path = "support/double.rs"]
mod double;
#[path = "streams/least.rs"]
mod least;
mod support;
#[cfg(unix)]
#[path = "streams/unix.rs"]
mod unix;

use std::io::{self, Cursor, ErrorKind as IoKind, Read, Write};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use double::{By, Double, copy, over};
use longwire::transport::{Connect, Deadline, Stream, Target};
use longwire::{CancelToken, Client, ClientBuilder, CloseReason, Error, ErrorKind, Fate, Result, SendBody, Stage};
use support::peer::{answer, ok};

const URL: &str = "http://double.test/";

/// More than is sent without a look at what the server says.
const BODY: &[u8] = &[b'x'; 3 << 20];

/// A stream that takes so many bytes; what `then` says of further writes.
fn taking(bytes: usize, mut double: Double, then: impl Fn() -> IoKind + Send + Sync + 'static) -> Double {
    let mut left = bytes;
    double.writes = Box::new(move |bytes| match left.min(bytes.len()) {
        0 => Err(then().into()),
        count => {
            left -= count;
            Ok(count)
        }
    });
    double
}

/// A stream whose plain write would raise SIGPIPE.
struct Signalling(Double);

impl Read for Signalling {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Signalling {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("write_nosignal is there");
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Stream for Signalling {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }

    fn write_nosignal(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_nosignal(bytes)
    }

    fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.0.set_timeouts(read, write)
    }

    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        self.0.shutdown_handle()
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer_addr()
    }
}

impl Connect for Signalling {
    fn connect(&self, _: &Target<'_>, _: Deadline, _: &CancelToken) -> Result<Box<dyn Stream>> {
        const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
        Ok(Box::new(Signalling(Double::giving([SWITCHING]))))
    }
}

#[test]
fn a_stream_is_written_to_without_a_signal_before_and_after_an_upgrade() {
    let client = Client::builder().connector(Signalling(Double::giving([""; 0]))).build();
    let request = client.post(URL).header("Connection", "upgrade").header("Upgrade", "echo").body(BODY);
    let mut upgraded = request.send().expect("an answer").upgrade().expect("a stream");
    upgraded.write_all(b"x").expect("it takes all");
}

/// The answer's text, its connection closed for this reason.
#[track_caller]
fn answered(client: &Client, reason: CloseReason) -> (u16, String) {
    let response = client.post(URL).body(BODY).send().expect("what the server said");
    let status = response.status().as_u16();
    let text = response.text().expect("a body");
    assert_eq!(client.pool_stats().closed.get(reason), 1);
    (status, text)
}

#[track_caller]
fn broken(client: &Client) -> Error {
    let error = client.post(URL).body(BODY).send().expect_err("it broke");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Io, Stage::Send), "{error}");
    assert_eq!(client.pool_stats().closed.get(CloseReason::Failed), 1);
    error
}

#[test]
fn a_stream_that_takes_nothing_is_broken() {
    let client = over(|| {
        let mut double = Double::giving([ok("never")]);
        double.writes = Box::new(|_| Ok(0));
        double.reads = Box::new(|_| Ok(0));
        double
    });
    let error = broken(&client);
    assert_eq!(error.fate(), Fate::NotSent);
    assert_eq!(std::io::Error::from(error).kind(), IoKind::WriteZero);
}

#[test]
fn what_the_server_said_is_the_answer_although_the_last_flush_failed() {
    let client = over(|| {
        let mut flushes = 0;
        let mut double = Double::giving([answer("413 Content Too Large", "", "too large")]);
        double.flushes = Box::new(move || {
            flushes += 1; // the first is the head's
            if flushes > 1 { Err(IoKind::BrokenPipe.into()) } else { Ok(()) }
        });
        double
    });
    assert_eq!(answered(&client, CloseReason::UploadUnfinished), (413, "too large".to_owned()));
}

/// Says 200 as soon as it is looked for, and the body when it is read.
fn early() -> Double {
    let (mut is_said, mut body) = (false, Cursor::new("early"));
    Double::new(move |buffer| body.read(buffer)).trying(move |buffer| match std::mem::replace(&mut is_said, true) {
        false => Ok(copy(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", buffer)),
        true => Err(IoKind::WouldBlock.into()),
    })
}

/// Takes so many bytes, and then nothing more; what it has said can be seen by whoever looks.
fn stalling(after: usize, said: &'static str, write_timeout: Duration) -> Client {
    let open = move || {
        let (mut said, tick) = (Cursor::new(said), || thread::sleep(Duration::from_millis(10)));
        let reads = move |_: &mut [u8]| {
            tick();
            Err(IoKind::WouldBlock.into())
        };
        let double = Double::new(reads).trying(move |buffer| match said.read(buffer)? {
            0 => Err(IoKind::WouldBlock.into()),
            count => Ok(count),
        });
        taking(after, double, move || {
            tick();
            IoKind::WouldBlock
        })
    };
    Client::builder().write_timeout(write_timeout).connector(By(move || Ok(open()))).build()
}

const REFUSAL: &str = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_server_that_takes_only_the_first_of_a_large_body_is_looked_at_before_its_time_is_over() {
    let (patience, started) = (Duration::from_secs(10), Instant::now());
    let client = stalling(20 * 1024, REFUSAL, patience);
    assert_eq!(client.post(URL).body(BODY).send().expect("what the server said").status(), 413);
    assert!(started.elapsed() < patience, "{:?}", started.elapsed());
}

#[test]
fn a_refusal_is_the_answer_although_the_server_took_too_little_of_a_body_for_a_look() {
    let brief = Duration::from_millis(200);
    for length in [1000, BODY.len()] {
        let client = stalling(300, REFUSAL, brief);
        let response = client.post(URL).body(&BODY[..length]).send().expect("what the server said");
        assert_eq!(response.status(), 413);
        assert_eq!(client.pool_stats().closed.get(CloseReason::UploadUnfinished), 1);
    }
    for said in ["", "HTTP/1.1 413 Con", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] {
        let error = stalling(300, said, brief).post(URL).body(&BODY[..1000]).send().expect_err("no reason to stop");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::Send), "{said}: {error}");
    }
    let unasked = stalling(0, REFUSAL, Duration::from_millis(200)).post(URL).body(&BODY[..1000]);
    let error = unasked.send().expect_err("nothing was asked");
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Timeout, Fate::NotSent), "{error}");
}

#[test]
fn what_was_said_before_a_byte_of_the_request_had_left_is_no_answer_to_it() {
    let said = Cursor::new("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    let double = move || {
        let mut said = said.clone();
        taking(0, Double::new(move |buffer| said.read(buffer)), || IoKind::ConnectionReset)
    };
    for request in [over(double.clone()).get(URL), over(double).post(URL).body("hello")] {
        let error = request.send().expect_err("nothing was asked");
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Io, Fate::NotSent), "{error}");
    }
}

#[test]
fn an_early_2xx_is_the_answer_although_the_upload_broke_behind_it() {
    let client = over(|| taking(2 << 20, early(), || IoKind::BrokenPipe));
    assert_eq!(answered(&client, CloseReason::UploadUnfinished), (200, "early".to_owned()));
}

#[test]
fn an_early_2xx_ends_an_upload_that_stalls_on_a_stream_without_a_half_close() {
    let stalled = || {
        thread::sleep(Duration::from_millis(10)); // a tick
        IoKind::WouldBlock
    };
    let client = over(move || taking(2 << 20, early(), stalled));
    assert_eq!(answered(&client, CloseReason::UploadUnfinished), (200, "early".to_owned()));
}

#[test]
fn a_connection_that_is_reset_while_it_is_looked_at_is_broken() {
    let client = over(|| Double::giving([ok("never")]).trying(|_| Err(IoKind::ConnectionReset.into())));
    let error = broken(&client);
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
    let client = over(|| Double::giving([ok("never")]));
    let (token, blocks) = (CancelToken::new(), Arc::new(AtomicUsize::new(0)));
    let body = SendBody::reader(Cancelling { token: token.clone(), blocks: blocks.clone() });
    let error = client.post(URL).body(body).cancel_token(&token).send().expect_err("it was cancelled");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Cancelled, Stage::Send), "{error}");
    assert_eq!(blocks.load(Ordering::SeqCst), 2, "blocks were read");
}

/// A client over streams that give this answer and panic when they are closed.
fn panicking_over(builder: ClientBuilder, answer: String) -> Client {
    let open = move || {
        let mut double = Double::giving([answer.clone()]);
        double.closes = Box::new(|| panic!("a mistake in the stream (this is what the test wants)"));
        Ok(double)
    };
    builder.connector(By(open)).build()
}

#[test]
fn a_stream_that_panics_when_it_is_closed_gives_its_place_up() {
    let closing = answer("200 OK", "Connection: close\r\n", "x");
    let client = panicking_over(Client::builder().max_connections_per_host(1), closing);
    for _ in 0..2 {
        let response = client.get(URL).send().expect("a place, and an answer in it");
        catch_unwind(AssertUnwindSafe(|| response.bytes())).expect_err("its stream panics");
        assert_eq!(client.pool_stats().in_use, 0);
    }
}

#[test]
fn a_stream_that_panics_when_it_makes_room_takes_no_other_place_along() {
    let client = panicking_over(Client::builder().max_idle_per_host(1), ok("x"));
    let (first, second) = (client.get(URL).send().expect("an answer"), client.get(URL).send().expect("an answer"));
    first.bytes().expect("a body");
    catch_unwind(AssertUnwindSafe(|| second.bytes())).expect_err("the first one's stream panics");
    let stats = client.pool_stats();
    assert_eq!((stats.in_use, stats.idle), (0, 1));
    std::mem::forget(client); // or it would panic once more
}

#[test]
fn a_collected_body_is_read_past_signals_and_short_waits() {
    let client = over(|| {
        let mut turn = 0;
        Double::new(move |buffer| {
            turn += 1;
            match turn {
                1 => Ok(copy(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", buffer)),
                _ if turn % 3 == 0 => Err(IoKind::Interrupted.into()),
                _ if turn % 3 == 1 => Err(IoKind::WouldBlock.into()),
                _ => (&[b'x'; 1000][..]).read(buffer),
            }
        })
    });
    let body = client.get(URL).send().expect("a head").bytes().expect("a body");
    assert!(body == [b'x'; 100_000], "{} bytes", body.len());
}
