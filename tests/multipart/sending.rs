//! How forms are sent: their length, in how many writes, again for a redirect or a retry, and what becomes of
//! files that change meanwhile.

use std::fs::{File, OpenOptions};
use std::io::{self, Cursor, Seek, SeekFrom, Write};

use longwire::multipart::{Form, Part};
use longwire::script::{Script, connection, raw, reply};
use longwire::{Client, Error, ErrorKind, Fate, Stage};

use super::{Folder, URL, arriving, boundary};
use crate::support::peer::{LIMIT, Peer};

#[test]
fn the_length_is_known_if_those_of_all_parts_are() {
    let folder = Folder::new("lengths");
    let path = folder.file("f.bin", vec![b'f'; 100_000]);
    let known = || Form::new().text("a", "b").file("f", &path).expect("it is there");
    let sized = known().part("r", Part::sized_reader(Cursor::new("read"), 4));
    let seen = arriving(sized);
    assert_eq!(seen.header("content-length"), Some(seen.body_length().to_string().as_str()));
    assert_eq!(seen.header("transfer-encoding"), None);

    let seen = arriving(known().part("r", Part::reader(Cursor::new("read"))));
    assert_eq!((seen.header("content-length"), seen.header("transfer-encoding")), (None, Some("chunked")));
    let body = String::from_utf8_lossy(seen.body()).replace(boundary(&seen), "B");
    assert!(body.ends_with("--B\r\nContent-Disposition: form-data; name=\"r\"\r\n\r\nread\r\n--B--\r\n"), "{body}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_does_not_tell_its_length_makes_the_form_chunked() {
    let seen = arriving(Form::new().file("f", "/proc/version").expect("it is there"));
    assert_eq!(seen.header("transfer-encoding"), Some("chunked"));
    let version = std::fs::read_to_string("/proc/version").expect("it is there");
    assert!(String::from_utf8_lossy(seen.body()).contains(&version));
}

#[test]
fn a_small_form_leaves_in_one_write_with_its_head() {
    let folder = Folder::new("writes");
    let form = || Form::new().text("a", "1").text("b", "2").text("c", "3");
    assert_eq!(arriving(form()).writes(), 1);
    let small = form().file("f", folder.file("small", "small")).expect("it is there");
    assert_eq!(arriving(small).writes(), 1);
    let path = folder.file("large", vec![0; 60_000]);
    assert_eq!(arriving(form().file("f", path).expect("it is there")).writes(), 2);
    // The head with what comes before the reader, what it gives, and the end with the last chunk.
    assert_eq!(arriving(form().part("r", Part::reader(Cursor::new("read")))).writes(), 3);
}

#[test]
fn a_form_waits_for_a_100_that_is_expected() {
    let script = Script::answering(reply(200).continues());
    let form = Form::new().text("a", "b").part("r", Part::reader(Cursor::new("read")));
    let request = script.client().post(URL).multipart(form).expect_continue(LIMIT);
    assert!(request.send().expect("a response").is_request_complete());
    assert!(script.seen()[0].is_complete());

    let refusing = Script::answering(reply(413).early());
    let request = refusing.client().post(URL).multipart(Form::new().text("a", "b")).expect_continue(LIMIT);
    let response = request.send().expect("a response");
    assert_eq!((response.status().as_u16(), response.is_request_complete()), (413, false));
    assert_eq!(refusing.seen()[0].body_length(), 0);
}

/// Fields and a file, all of which can be sent again.
fn replayable(folder: &Folder) -> Form<'static> {
    let form = Form::new().text("a", "b").part("n", Part::bytes(vec![b'x'; 30_000]));
    form.file("f", folder.file("f.bin", vec![b'f'; 100_000])).expect("it is there")
}

fn moved(status: u16) -> Script {
    let script = Script::new().on("POST /upload", reply(status).header("Location", "/new"));
    script.on("POST /new", reply(200)).on("GET /new", reply(200))
}

#[test]
fn a_307_and_a_308_are_sent_the_whole_form_again() {
    let folder = Folder::new("redirect");
    for status in [307, 308] {
        let script = moved(status);
        script.client().post(URL).multipart(replayable(&folder)).send().expect("a response");
        let seen = script.seen();
        assert_eq!((seen.len(), seen[1].line()), (2, "POST /new".to_owned()));
        assert!(seen[0].body() == seen[1].body() && seen[1].body_length() > 130_000, "the bodies differ");
        assert_eq!(boundary(&seen[0]), boundary(&seen[1]));
        assert_eq!(seen[0].header("content-length"), seen[1].header("content-length"));
    }
}

#[test]
fn a_303_leaves_the_form_and_its_type_behind() {
    let folder = Folder::new("see-other");
    let script = moved(303);
    script.client().post(URL).multipart(replayable(&folder)).send().expect("a response");
    let seen = &script.seen()[1];
    assert_eq!((seen.line(), seen.header("content-type"), seen.body_length()), ("GET /new".to_owned(), None, 0));
}

#[test]
fn a_reader_in_the_form_cannot_be_sent_again() {
    let form = Form::new().text("a", "b").part("r", Part::sized_reader(Cursor::new("read"), 4));
    let error = moved(307).client().post(URL).multipart(form).send().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Redirect, Fate::ResponseStarted));
    assert!(error.to_string().contains("cannot be sent again"), "{error}");
}

/// What comes of a form on a kept connection that the server has closed, and the script.
fn on_stale(form: Form<'_>) -> (Result<u16, Error>, Script) {
    let stale = connection().exchange(reply(200)).exchange(raw("").reset());
    let script = Script::new().connection(stale).on("*", reply(201));
    let client = script.client();
    client.get(URL).send().expect("a response");
    let outcome = client.put(URL).multipart(form).send().map(|response| response.status().as_u16());
    (outcome, script)
}

#[test]
fn a_stale_connection_is_replaced_and_the_form_sent_again() {
    let folder = Folder::new("stale");
    let (outcome, script) = on_stale(replayable(&folder));
    assert_eq!((outcome.expect("the second try is answered"), script.connections()), (201, 2));
    let seen = script.seen();
    assert!(seen[1].body() == seen[2].body(), "the bodies differ");
    let with_reader = replayable(&folder).part("r", Part::reader(Cursor::new("read")));
    let (outcome, script) = on_stale(with_reader);
    assert_eq!((outcome.unwrap_err().kind(), script.connections()), (ErrorKind::Io, 1));
}

#[test]
fn a_request_with_a_form_is_cloned_if_it_can_be_had_twice() {
    let folder = Folder::new("clone");
    let script = Script::answering(reply(200));
    let client = script.client();
    let request = client.post(URL).multipart(replayable(&folder)).build().expect("a request");
    let copy = request.try_clone().expect("bytes and files");
    for request in [request, copy] {
        client.send(request).expect("a response");
    }
    assert!(script.seen()[0].body() == script.seen()[1].body(), "the bodies differ");
    let form = Form::new().part("r", Part::reader(io::empty()));
    assert!(client.post(URL).multipart(form).build().expect("a request").try_clone().is_none());
}

// ---- files that change ----

/// What comes of a form with this file, which `change` changes before it is sent, and whether the server took
/// the request for complete.
fn with_changed_file(length: usize, change: impl FnOnce(&File)) -> (Result<(), Error>, Script) {
    let folder = Folder::new("changed");
    let path = folder.file("log.txt", vec![b'l'; length]);
    let script = Script::answering(reply(200));
    let client = script.client();
    let form = Form::new().file("log", &path).expect("it is there").text("after", "x");
    let request = client.post(URL).multipart(form).build().expect("a request");
    change(&OpenOptions::new().write(true).open(&path).expect("the file"));
    (client.send(request).map(drop), script)
}

#[test]
fn a_file_that_became_shorter_is_a_body_error_and_its_connection_is_closed() {
    for (length, left) in [(100, 99), (100, 0), (200_000, 199_999), (200_000, 70_000)] {
        let (outcome, script) = with_changed_file(length, |file| file.set_len(left).expect("it is writable"));
        let error = outcome.expect_err("it is too short");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Body, Stage::Send));
        let missing = format!("the body's file ended {} bytes before its announced length", length as u64 - left);
        assert!(error.to_string().contains(&missing), "{error}");
        assert!(script.seen().iter().all(|seen| !seen.is_complete()), "it was sent as complete");
        assert_eq!(script.closed(), 1);
    }
}

#[test]
fn a_file_that_grew_is_sent_with_the_length_that_it_had() {
    for length in [100, 65_536, 200_000] {
        let (outcome, script) = with_changed_file(length, |mut file| {
            file.seek(SeekFrom::End(0)).expect("its end");
            file.write_all(b"more").expect("it is writable");
        });
        outcome.expect("a response");
        let seen = &script.seen()[0];
        assert!(seen.is_complete());
        let body = String::from_utf8_lossy(seen.body());
        let content = format!("\r\n\r\n{}\r\n--{}", "l".repeat(length), boundary(seen));
        assert!(body.contains(&content), "it does not end where it did");
    }
}

#[test]
fn a_reader_of_another_length_is_a_body_error() {
    for (content, announced) in [("abc", 4), ("abc", 2), ("", 1), ("a", 0)] {
        let form = Form::new().text("a", "b").part("r", Part::sized_reader(Cursor::new(content), announced));
        let script = Script::answering(reply(200));
        let error = script.client().post(URL).multipart(form).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Body, "{announced} for {content:?}: {error}");
        assert!(script.seen().iter().all(|seen| !seen.is_complete()), "it was sent as complete");
    }
}

// ---- large ----

#[test]
#[ignore = "sends 5 GiB over loopback, from a sparse file: run with --include-ignored, and --release"]
fn a_file_of_five_gib_arrives_with_its_length() {
    const LENGTH: u64 = 5 << 30;
    let folder = Folder::new("five-gib");
    let path = folder.file("sparse.bin", "");
    let file = OpenOptions::new().write(true).open(&path).expect("the file");
    file.set_len(LENGTH).expect("a sparse file");
    let peer = Peer::start(|mut conn, _| {
        let request = conn.head().expect("a head");
        let length: u64 = request.header("content-length").and_then(|length| length.parse().ok()).expect("a length");
        let mut received = 0;
        while received < length {
            let some = conn.read_some().len() as u64;
            assert!(some > 0, "the client stopped after {received} of {length} bytes");
            received += some;
        }
        let answer = received.to_string();
        conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len()));
    });
    let form = Form::new().text("a", "b").file("f", &path).expect("it is there").text("after", "x");
    let request = Client::new().post(peer.url("/")).multipart(form).build().expect("a request");
    let length = request.body().len().expect("it is known");
    assert!(length > LENGTH && length < LENGTH + 1000);
    let started = std::time::Instant::now();
    let response = Client::new().send(request).expect("a response");
    assert!(response.is_request_complete());
    assert_eq!(response.text().expect("a count"), length.to_string());
    println!("{length} bytes in {:?}", started.elapsed());
}
