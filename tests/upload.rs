//! What goes out: request bodies of every kind, whole and broken. Bodies of several parts are in
//! `upload/chains.rs`; servers that answer before the end (413, 100, 417) in `upload/early.rs`; heads, and
//! what is refused before anything is sent, in `requests.rs`; forms with files in `multipart.rs`.

#[path = "upload/chains.rs"]
mod chains;
#[path = "upload/early.rs"]
mod early;
mod support;

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::{env, fs, process};

use longwire::{Client, CloseReason, Error, ErrorKind, Fate, SendBody, Stage};

use support::peer::{Peer, Req, answer, ok};
use support::recorder::arriving;

/// A file with these bytes, which is removed when the test is over.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, bytes: &[u8]) -> Temporary {
        let path = env::temp_dir().join(format!("longwire-{}-{name}", process::id()));
        fs::write(&path, bytes).expect("a temporary file");
        Temporary(path)
    }

    fn open(&self) -> File {
        File::open(&self.0).expect("the temporary file")
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[track_caller]
fn assert_sized(request: &Req, body: &[u8]) {
    assert_eq!(request.count("content-length"), 1);
    assert_eq!(request.header("content-length"), Some(body.len().to_string().as_str()));
    assert_eq!(request.count("transfer-encoding"), 0);
    assert!(request.body == body, "the body differs");
}

#[test]
fn bodies_in_memory_arrive_whole_with_their_length() {
    let text = "text".to_owned();
    let bytes = b"text".to_vec();
    assert_sized(&arriving(|c, url| c.post(url).body("text").send()), b"text");
    assert_sized(&arriving(|c, url| c.post(url).body(&text).send()), b"text");
    assert_sized(&arriving(|c, url| c.put(url).body(&bytes).send()), b"text");
    assert_sized(&arriving(|c, url| c.put(url).body(b"text").send()), b"text");
    assert_sized(&arriving(|c, url| c.patch(url).body(&bytes[..2]).send()), b"te");
    assert_sized(&arriving(|c, url| c.post(url).body(text.clone()).send()), b"text");
    assert_sized(&arriving(|c, url| c.post(url).body(bytes.clone()).send()), b"text");
    assert_sized(&arriving(|c, url| c.get(url).body("text").send()), b"text");
    let large: Vec<u8> = (0..3_000_000u32).map(|number| number as u8).collect();
    assert_sized(&arriving(|c, url| c.post(url).body(&large).send()), &large);
}

#[test]
fn one_shot_functions_send_bodies_too() {
    assert_sized(&arriving(|_, url| longwire::post(url, "text")), b"text");
}

#[test]
fn a_method_that_wants_a_body_says_so_when_it_has_none() {
    assert_sized(&arriving(|c, url| c.post(url).send()), b"");
    assert_sized(&arriving(|c, url| c.put(url).send()), b"");
    assert_sized(&arriving(|c, url| c.patch(url).send()), b"");
    assert_sized(&arriving(|c, url| c.post(url).body("").send()), b"");
    assert_sized(&arriving(|c, url| c.post(url).body(SendBody::empty()).send()), b"");
}

#[test]
fn a_method_that_wants_no_body_says_nothing_of_it() {
    for request in [
        arriving(|c, url| c.get(url).send()),
        arriving(|c, url| c.delete(url).send()),
        arriving(|c, url| c.options(url).send()),
    ] {
        assert_eq!(request.count("content-length"), 0, "{}", request.method);
        assert_eq!(request.count("transfer-encoding"), 0, "{}", request.method);
    }
}

#[test]
fn a_file_is_sent_from_its_current_position() {
    let temporary = Temporary::new("position", b"0123456789");
    assert_sized(&arriving(|c, url| c.post(url).body(temporary.open()).send()), b"0123456789");
    let mut file = temporary.open();
    file.seek(SeekFrom::Start(7)).unwrap();
    assert_sized(&arriving(|c, url| c.post(url).body(file).send()), b"789");
    let mut file = temporary.open();
    file.seek(SeekFrom::End(0)).unwrap();
    assert_sized(&arriving(|c, url| c.post(url).body(file).send()), b"");
}

#[test]
fn a_file_that_a_redirect_asks_for_again_starts_at_the_same_position() {
    let temporary = Temporary::new("again", &b"skip".repeat(50_000));
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let moved = answer("307 Temporary Redirect", "Location: /new\r\n", "");
            let length = ok(&request.body.len().to_string());
            conn.send(if request.target == "/old" { moved } else { length });
        }
    });
    let mut file = temporary.open();
    file.seek(SeekFrom::Start(4)).unwrap();
    let response = Client::new().put(peer.url("/old")).body(file).send().unwrap();
    assert_eq!(response.text().unwrap(), "199996");
}

#[test]
fn a_reader_of_unknown_length_is_sent_chunked() {
    for length in [0, 1, 100, 8_192, 300_000] {
        let body: Vec<u8> = (0..length).map(|number| number as u8).collect();
        let request = arriving(|c, url| c.post(url).body(SendBody::reader(Cursor::new(&body))).send());
        assert_eq!(request.header("transfer-encoding"), Some("chunked"));
        assert_eq!(request.count("content-length"), 0);
        assert!(request.body == body, "{length} bytes differ");
    }
}

/// Gives one byte at a time, with an `Interrupted` before each.
struct Hesitant<'a>(&'a [u8], bool);

impl Read for Hesitant<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = buffer.len().min(1);
        self.0.read(&mut buffer[..length])
    }
}

#[test]
fn a_reader_may_hesitate() {
    let request = arriving(|c, url| {
        let reader = Hesitant(b"one by one", false);
        c.post(url).body(SendBody::reader(reader)).send()
    });
    assert_eq!(request.body, b"one by one");
    let request = arriving(|c, url| {
        let reader = Hesitant(b"one by one", false);
        c.post(url).body(SendBody::sized_reader(reader, 10)).send()
    });
    assert_sized(&request, b"one by one");
}

#[test]
fn a_reader_of_the_announced_length_is_sent_with_it() {
    for length in [0u64, 1, 100, 8_192, 300_000] {
        let body: Vec<u8> = (0..length).map(|number| number as u8).collect();
        let request = arriving(|c, url| {
            let body = SendBody::sized_reader(Cursor::new(&body), length);
            c.post(url).body(body).send()
        });
        assert_sized(&request, &body);
    }
}

/// What sending this body comes to, on a connection that was used before; and that the peer never
/// took it for complete.
#[track_caller]
fn broken_upload(body: SendBody<'_>) -> Error {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send(ok("x"));
        let request = conn.request();
        conn.note(if request.is_some() { "complete" } else { "incomplete" });
    });
    let client = Client::new();
    client.get(peer.url("/")).send().unwrap().bytes().unwrap();
    let error = client.put(peer.url("/")).body(body).send().expect_err("it cannot be sent");
    assert!(peer.noted(0, "incomplete"), "it was sent as complete");
    assert_eq!(peer.connections(), 1, "it was not sent again");
    let stats = client.pool_stats();
    assert_eq!((stats.idle, stats.in_use, stats.closed.total()), (0, 0, 1));
    error
}

#[test]
fn a_reader_shorter_than_announced_is_a_body_error() {
    for (length, announced) in [(0, 1), (5, 10), (100_000, 100_001), (10, u64::MAX)] {
        let body = vec![b'x'; length];
        let error = broken_upload(SendBody::sized_reader(Cursor::new(body), announced));
        assert_eq!(error.kind(), ErrorKind::Body, "{length} of {announced}: {error}");
        assert_eq!(error.stage(), Stage::Send);
    }
}

#[test]
fn a_reader_longer_than_announced_is_a_body_error() {
    for (length, announced) in [(10, 5), (2, 1), (100_001, 100_000)] {
        let body = vec![b'x'; length];
        let error = broken_upload(SendBody::sized_reader(Cursor::new(body), announced));
        assert_eq!(error.kind(), ErrorKind::Body, "{length} of {announced}: {error}");
    }
}

#[test]
fn a_reader_announced_as_empty_that_is_not_is_a_body_error() {
    // Here the head alone is the complete request: it must not leave before the reader was asked.
    let error = broken_upload(SendBody::sized_reader(Cursor::new("x"), 0));
    assert_eq!(error.kind(), ErrorKind::Body, "{error}");
}

/// Gives its bytes, then fails.
struct Failing(usize);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("the disk is gone"));
        }
        let length = buffer.len().min(self.0);
        self.0 -= length;
        Ok(length)
    }
}

#[test]
fn a_reader_that_fails_is_a_body_error_with_its_cause() {
    for length in [0, 10, 200_000] {
        for body in [SendBody::reader(Failing(length)), SendBody::sized_reader(Failing(length), 300_000)] {
            let error = broken_upload(body);
            assert_eq!(error.kind(), ErrorKind::Body);
            let inner = error.get_ref().expect("the reader's own error");
            assert_eq!(inner.to_string(), "the disk is gone");
        }
    }
}

/// Claims to have given more than there was room for.
struct Boastful;

impl Read for Boastful {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(buffer.len() + 1)
    }
}

#[test]
fn a_reader_that_claims_more_than_it_was_given_room_for_is_a_body_error() {
    for body in [SendBody::reader(Boastful), SendBody::sized_reader(Boastful, 300_000)] {
        assert_eq!(broken_upload(body).kind(), ErrorKind::Body);
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_read_is_a_body_error() {
    let (full, empty) = (Temporary::new("full", b"full"), Temporary::new("empty", b""));
    let for_writing = |file: &Temporary| File::options().write(true).open(&file.0).expect("the temporary file");
    assert_eq!(broken_upload(SendBody::from(for_writing(&full))).kind(), ErrorKind::Body);

    // A directory is none, and how long this one is cannot be found out: that is reported before anything is done.
    let body = SendBody::from(for_writing(&empty));
    assert_eq!(format!("{body:?}"), "Unusable(0 bytes)");
    let directory = SendBody::from(File::open(env::temp_dir()).expect("a directory"));
    for body in [body, directory] {
        let error = Client::new().put("http://a.test/").body(body).send().unwrap_err();
        assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Body, Stage::Request, Fate::NotSent));
    }
    assert_eq!(format!("{:?}", SendBody::from(full.open())), "File(4 bytes)");
}

#[test]
fn a_server_that_closes_during_the_upload_is_an_error_and_not_asked_again() {
    let peer = Peer::start(|mut conn, _| {
        conn.head();
        conn.exactly(100_000);
        conn.reset();
    });
    let client = Client::new();
    let error = client.post(peer.url("/")).body(vec![0; 20_000_000]).send().unwrap_err();
    assert!([ErrorKind::Io, ErrorKind::Truncated].contains(&error.kind()), "{error}");
    assert_eq!(error.fate(), Fate::MaybeProcessed);
    assert_eq!(error.peer_addr(), Some(peer.addr()));
    assert_eq!(client.pool_stats().closed.total(), 1);
    assert_eq!(peer.connections(), 1);
}

#[test]
fn a_server_that_will_say_nothing_more_ends_the_upload() {
    let peer = Peer::start(|mut conn, _| {
        conn.head();
        conn.half_close();
        conn.hold();
    });
    let begin = std::time::Instant::now();
    let error = Client::new().post(peer.url("/")).body(vec![0; 20_000_000]).send().unwrap_err();
    assert!(begin.elapsed() < support::peer::LIMIT / 2);
    assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Truncated, Stage::Wait, Fate::MaybeProcessed));
}

#[test]
fn a_server_that_stops_reading_runs_into_the_write_timeout() {
    let peer = Peer::start(|mut conn, _| {
        conn.head();
        conn.hold();
    });
    let limit = std::time::Duration::from_millis(600);
    let client = Client::builder().write_timeout(limit).build();
    let begin = std::time::Instant::now();
    let error = client.post(peer.url("/")).body(vec![0; 20_000_000]).send().unwrap_err();
    assert!(begin.elapsed() >= limit && begin.elapsed() < support::peer::LIMIT / 2);
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::Send));
    assert_eq!(error.fate(), Fate::MaybeProcessed);
    let closed = client.pool_stats().closed;
    assert_eq!(closed.get(CloseReason::Failed) + closed.get(CloseReason::UploadUnfinished), 1);
}

#[test]
fn a_form_is_encoded_as_a_form() {
    let fields = [("a", "b c"), ("d", "&=é")];
    let request = arriving(|c, url| c.post(url).form(fields).send());
    assert_sized(&request, b"a=b+c&d=%26%3D%C3%A9");
    let kind = request.header("content-type");
    assert_eq!(kind, Some("application/x-www-form-urlencoded"));
}

#[test]
fn a_body_may_be_borrowed_from_what_is_still_being_written() {
    // 'b: because the call blocks, the body need not be 'static.
    let mut buffer = Vec::new();
    for round in 0..3 {
        write!(buffer, "round {round};").unwrap();
        let request = arriving(|c, url| c.post(url).body(&buffer).send());
        assert_eq!(request.body, buffer);
    }
}

/// Answers with the body of the request.
fn echoing() -> Peer {
    Peer::start(|mut conn, _| {
        let request = conn.request().expect("a request");
        conn.send(ok(&String::from_utf8_lossy(&request.body)));
    })
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_does_not_tell_its_length_is_sent_all_the_same() {
    let path = "/proc/version";
    let (peer, file) = (echoing(), File::open(path).unwrap());
    assert_eq!(file.metadata().unwrap().len(), 0);
    let sent = Client::new().put(peer.url("/")).body(file).send().unwrap().text().unwrap();
    assert_eq!(sent, fs::read_to_string(path).unwrap());
}

#[test]
fn a_file_is_sent_from_where_it_stood_although_another_handle_has_moved_on() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE-MIT");
    let mut file = File::open(path).unwrap();
    file.seek(SeekFrom::Start(8)).unwrap();
    let mut other = file.try_clone().unwrap();
    let peer = echoing();
    let client = Client::new();
    let request = client.put(peer.url("/")).body(file).build().unwrap();
    other.seek(SeekFrom::End(0)).unwrap(); // they share one cursor
    let sent = client.send(request).unwrap().bytes().unwrap();
    assert_eq!(sent, fs::read(path).unwrap()[8..]);
}
