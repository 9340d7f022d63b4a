//! Downloads that are resumed. Here are the answers that a server may give to the request for the rest, and
//! what a reader and a file get of each.
//!
//! | file | what it tests |
//! |---|---|
//! | `download/failures.rs` | which failures are resumed and which are final; attempts, waits, cancels, the timeout |
//! | `download/save.rs` | parts and their tags, files that change, errors of the system; a process that is killed |
//! | `download/real_servers.rs` | nginx, Apache and Python through a relay that cuts |
//! | `download/relay.rs` | the relay, and many downloads through it |

#[path = "download/failures.rs"]
mod failures;
#[cfg(unix)]
#[path = "download/real_servers.rs"]
mod real_servers;
#[path = "download/relay.rs"]
mod relay;
#[path = "download/save.rs"]
mod save;
#[cfg(unix)]
#[allow(dead_code, unused_imports, unused_macros)] // three of its servers, and a part of what they serve
#[path = "support/servers.rs"]
mod servers;
mod support;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use longwire::{Client, Download, Error, ErrorKind, Method, Request, Result};

use longwire::script::{Reply, Script, raw, reply};

const URL: &str = "http://memory.test/disk.img";

/// What there is of both versions of the resource, and how much of the old one comes at first.
const LENGTH: usize = 1000;
const HAD: usize = 400;

/// Bytes that show where they stand, and of which version they are.
fn old() -> Vec<u8> {
    (0..LENGTH).map(|at| (at % 251) as u8).collect()
}

fn new() -> Vec<u8> {
    (0..LENGTH).map(|at| (at % 249) as u8 ^ 0x80).collect()
}

fn request() -> Request<'static> {
    Request::new(Method::GET, URL).expect("a request")
}

fn begin(script: &Script) -> Download {
    Download::new(&script.client(), request()).expect("a head")
}

/// All of it, or longwire's error.
fn read(download: &mut Download) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    match download.read_to_end(&mut content) {
        Ok(_) => Ok(content),
        Err(error) => {
            let error = Error::try_from(error).expect("an error of ours");
            // It is final, and says the same again.
            let again = download.read(&mut [0; 10]).expect_err("the error again");
            assert_eq!(again.to_string(), error.to_string());
            Err(error)
        }
    }
}

/// A response of which only so much of the body comes before the connection ends.
fn cut(fields: &str, body: &[u8], sent: usize) -> Reply {
    let head = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
    raw([head.as_bytes(), &body[..sent]].concat()).close()
}

/// The old version, interrupted.
fn interrupted(fields: &str) -> Reply {
    cut(fields, &old(), HAD)
}

const ETAG: &str = "ETag: \"old\"\r\n";
const DATES: &str = "Date: Fri, 14 Jun 2024 10:00:01 GMT\r\nLast-Modified: Fri, 14 Jun 2024 10:00:00 GMT\r\n";

fn whole(etag: &str, body: impl Into<Vec<u8>>) -> Reply {
    reply(200).header("ETag", etag).body(body)
}

/// A 206 with that Content-Range, and a body.
fn part(range: &str, body: impl Into<Vec<u8>>) -> Reply {
    reply(206).header("Content-Range", range).body(body)
}

/// The rest, as it should be.
fn rest() -> Reply {
    part("bytes 400-999/1000", &old()[HAD..]).header("ETag", "\"old\"")
}

/// The conditions of each request for a part.
fn conditions(script: &Script) -> Vec<(String, Option<String>)> {
    let seen = script.seen();
    let ranges = seen.iter().filter_map(|request| {
        Some((request.header("Range")?.to_owned(), request.header("If-Range").map(str::to_owned)))
    });
    ranges.collect()
}

/// A folder of a test's own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("longwire-download-{}-{number}", process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names of what is in it.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("our own folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn content(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What an answer to the request for the rest comes to.
enum Want {
    /// The old version, whole, after so many responses that went on.
    Old(u32),
    /// It is refused: a reader gets an error, and a file the new version, from its first byte on.
    Changed(&'static str),
}

/// The first 400 bytes of the old version come, with these fields; and then, in turn, the answers. A reader and a
/// file get what is wanted.
#[track_caller]
fn check(name: &str, first: &Reply, answers: &[Reply], want: &Want) {
    let script =
        || answers.iter().fold(Script::new().on("*", first.clone()), |script, reply| script.on("*", reply.clone()));
    let (reading, saving) = (script(), script().on("*", whole("\"new\"", new())));
    let mut download = begin(&reading);
    let outcome = read(&mut download);
    let folder = Folder::new();
    let saved = begin(&saving).save_to(folder.path("disk.img")).unwrap_or_else(|error| panic!("{name}: {error}"));
    let file = content(&folder.path("disk.img"));
    assert_eq!(folder.names(), ["disk.img"], "{name}");
    match want {
        Want::Old(resumed) => {
            assert!(outcome.is_ok_and(|content| content == old()), "{name}: {download:?}");
            assert_eq!((download.position(), download.length()), (1000, Some(1000)), "{name}");
            assert_eq!(download.resumed(), *resumed, "{name}");
            assert!(file == old(), "{name}");
            assert_eq!((saved.bytes, saved.resumed), (1000, *resumed), "{name}");
        }
        Want::Changed(words) => {
            let error = outcome.expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Changed, "{name}: {error}");
            assert!(error.to_string().contains(words), "{name}: {error}");
            assert!(download.position() >= HAD as u64, "{name}");
            assert!(file == new(), "{name}");
        }
    }
}

#[test]
fn an_answer_to_the_request_for_the_rest_is_used_or_refused() {
    use Want::{Changed, Old};
    let (old, new) = (old(), new());
    let tail = &old[HAD..];
    let new_part = || part("bytes 400-999/1000", &new[HAD..]);
    let raw_part = |fields: &str, body: &[u8]| {
        raw([format!("HTTP/1.1 206 Partial Content\r\n{fields}\r\n").as_bytes(), body].concat()).close()
    };
    let rest_to = |end: usize| part(&format!("bytes 400-{}/1000", end - 1), &old[HAD..end]);
    let rest_from = |from: usize| part(&format!("bytes {from}-999/1000"), &old[from..]);
    let cases: Vec<(&str, Vec<Reply>, Want)> = vec![
        ("the rest", vec![rest()], Old(1)),
        ("the rest, without an ETag", vec![rest_from(400)], Old(1)),
        ("the rest of an unknown whole", vec![part("bytes 400-999/*", tail)], Old(1)),
        ("the rest, with its other fields", vec![rest().header("Content-Type", "image/x").header("Vary", "*")], Old(1)),
        ("a new version", vec![whole("\"new\"", new.clone())], Changed("ETag was \"old\", and is \"new\" now")),
        ("a part of a new version", vec![new_part().header("ETag", "\"new\"")], Changed("ETag was \"old\"")),
        ("two tags", vec![rest().header("ETag", "\"new\"")], Changed("ETag was \"old\", and is \"new\" now")),
        ("the tag is a weak one now", vec![new_part().header("ETag", "W/\"old\"")], Changed("ETag was \"old\"")),
        ("a part of a longer one", vec![part("bytes 400-999/1001", tail)], Changed("was 1000 bytes, and is 1001 now")),
        ("a part that goes further", vec![part("bytes 400-1000/*", [tail, b"!"].concat())], Changed("1001")),
        ("the same version anew", vec![whole("\"old\"", old.clone())], Old(1)),
        ("… in chunks", vec![reply(200).header("ETag", "\"old\"").chunked([&old[..300], &old[300..]])], Old(1)),
        (
            "… until the connection ends",
            vec![raw([b"HTTP/1.0 200 OK\r\nETag: \"old\"\r\n\r\n", &old[..]].concat()).close()],
            Old(1),
        ),
        ("… but longer", vec![whole("\"old\"", [&new[..], b"!"].concat())], Changed("was 1000 bytes, and is 1001 now")),
        ("… but shorter", vec![whole("\"old\"", &new[..999])], Changed("was 1000 bytes, and is 999 now")),
        ("the whole without a tag", vec![reply(200).body(new.clone())], Changed("no strong ETag")),
        ("the whole with a weak tag", vec![whole("W/\"old\"", new.clone())], Changed("ETag was \"old\"")),
        ("a 206 of the whole", vec![part("bytes 0-999/1000", old.clone())], Old(1)),
        ("a 206 that starts early", vec![rest_from(300)], Old(1)),
        ("a 206 that starts late", vec![rest_from(401)], Changed("the bytes 401-999, where byte 400")),
        (
            "a 206 that ends early, twice",
            vec![rest_to(500), part("bytes 500-998/1000", &old[500..999]), rest_from(999)],
            Old(3),
        ),
        ("a 206 of what is there already", vec![part("bytes 0-399/1000", &old[..HAD]), rest()], Old(2)),
        ("a 206 from before what is there", vec![part("bytes 0-398/1000", &old[..399])], Changed("the bytes 0-398")),
        ("a 206 without Content-Range", vec![reply(206).body(tail)], Changed("without a valid Content-Range")),
        ("a 206 with a wrong one", vec![part("bytes 400-1000/1000", [tail, b"!"].concat())], Changed("Content-Range")),
        ("a 206 with two", vec![rest().header("Content-Range", "bytes 0-599/1000")], Changed("Content-Range")),
        ("a 206 with the same one twice", vec![rest().header("Content-Range", "bytes 400-999/1000")], Old(1)),
        ("a 206 in other units", vec![part("lines 400-999/1000", tail)], Changed("Content-Range")),
        ("a 206 shorter than it says", vec![part("bytes 400-999/1000", &tail[..100])], Changed("Content-Length")),
        (
            "a 206 longer than it says",
            vec![part("bytes 400-999/1000", [tail, b"!"].concat())],
            Changed("Content-Length"),
        ),
        ("a 206 in chunks", vec![reply(206).header("Content-Range", "bytes 400-999/1000").chunked([tail])], Old(1)),
        (
            "… with too much in them",
            vec![reply(206).header("Content-Range", "bytes 400-999/1000").chunked([tail, b"more"])],
            Old(1),
        ),
        (
            "… with too little",
            vec![reply(206).header("Content-Range", "bytes 400-999/1000").chunked([&tail[..9]]), rest_from(409)],
            Old(2),
        ),
        ("a 206 until the connection ends", vec![raw_part("Content-Range: bytes 400-999/1000\r\n", tail)], Old(1)),
        ("… too early", vec![raw_part("Content-Range: bytes 400-999/1000\r\n", &tail[..9]), rest_from(409)], Old(2)),
        (
            "several parts",
            vec![rest().header("Content-Type", "multipart/byteranges; boundary=x")],
            Changed("several parts"),
        ),
        (
            "200 with the slice",
            vec![reply(200).header("ETag", "\"old\"").header("Content-Range", "bytes 400-999/1000").body(tail)],
            Changed("cannot be told"),
        ),
        ("a coded part", vec![rest().header("Content-Encoding", "gzip")], Changed("coded with gzip")),
        (
            "a coded whole",
            vec![whole("\"old\"", new.clone()).header("Content-Encoding", "br")],
            Changed("coded with br"),
        ),
        ("a part that is not coded, and says so", vec![rest().header("Content-Encoding", "identity")], Old(1)),
        (
            "416: it is shorter",
            vec![reply(416).header("Content-Range", "bytes */300")],
            Changed("was 1000 bytes, and is 300 now"),
        ),
        ("416 of the same length", vec![reply(416).header("Content-Range", "bytes */1000")], Changed("416")),
        ("416 that says we have all", vec![reply(416).header("Content-Range", "bytes */400")], Changed("is 400 now")),
        ("416 that says nothing", vec![reply(416)], Changed("416")),
        (
            "cut again and again",
            vec![
                raw_part("Content-Range: bytes 400-999/1000\r\nContent-Length: 600\r\n", &tail[..1]),
                raw_part("Content-Range: bytes 401-999/1000\r\nContent-Length: 599\r\n", &tail[1..2]),
                rest_from(402),
            ],
            Old(3),
        ),
        (
            "the same version anew, cut before and behind what is there",
            vec![cut(ETAG, &old, 399), cut(ETAG, &old, 401), whole("\"old\"", old.clone())],
            Old(3),
        ),
    ];
    for (name, answers, want) in &cases {
        check(name, &interrupted(ETAG), answers, want);
    }
}

#[test]
fn the_rest_is_asked_for_on_the_condition_that_it_is_of_the_same_version() {
    let weak = "ETag: W/\"old\"\r\n";
    let date = "Fri, 14 Jun 2024 10:00:00 GMT";
    let asks = [
        (ETAG.to_owned(), "\"old\""),
        (format!("{ETAG}{DATES}"), "\"old\""),
        (DATES.to_owned(), date),
        (format!("{weak}{DATES}"), date),
        (format!("ETag: unquoted\r\n{DATES}"), date),
        (format!("{ETAG}{ETAG}"), "\"old\""),
    ];
    for (fields, validator) in asks {
        let script = Script::new().on("*", interrupted(&fields)).on("*", part("bytes 400-999/1000", &old()[HAD..]));
        let mut download = begin(&script);
        assert_eq!(download.validator(), Some(validator), "{fields}");
        assert!(read(&mut download).is_ok_and(|content| content == old()), "{fields}");
        assert_eq!(conditions(&script), [("bytes=400-".to_owned(), Some(validator.to_owned()))], "{fields}");
    }
}

#[test]
fn without_a_validator_an_interruption_is_an_error_unless_the_caller_vouches() {
    let same_second = DATES.replace("10:00:01", "10:00:00");
    let earlier = DATES.replace("10:00:01", "09:00:00");
    let unusable = [
        String::new(),
        "ETag: W/\"old\"\r\n".to_owned(),
        same_second,
        earlier,
        DATES.lines().nth(1).expect("without Date").to_owned() + "\r\n",
        DATES.replace("14 Jun", "yesterday"),
        "ETag: \"a\"\r\nETag: \"b\"\r\n".to_owned(),
        format!("Content-Encoding: gzip\r\n{DATES}"),
    ];
    for fields in unusable {
        let script = || Script::new().on("*", interrupted(&fields)).on("*", rest_of(&fields));
        let alone = script();
        let mut download = begin(&alone);
        assert_eq!(download.validator(), None, "{fields}");
        let error = read(&mut download).expect_err("no way to resume");
        assert_eq!((error.kind(), alone.seen().len()), (ErrorKind::Truncated, 1), "{fields}: {error}");
        assert!(
            error.to_string().starts_with("the download is not resumed, since the server sent no strong ETag"),
            "{error}"
        );

        let vouched = script();
        let mut download = begin(&vouched).assume_unchanged();
        assert!(read(&mut download).is_ok_and(|content| content == old()), "{fields}: {download:?}");
        assert_eq!(conditions(&vouched), [("bytes=400-".to_owned(), None)], "{fields}");
    }
}

/// The rest, coded as the beginning was.
fn rest_of(fields: &str) -> Reply {
    let rest = part("bytes 400-999/1000", &old()[HAD..]);
    if fields.contains("gzip") { rest.header("Content-Encoding", "gzip") } else { rest }
}

/// What the server says counts for more than the caller's word.
#[test]
fn a_caller_who_vouches_is_contradicted_by_the_server() {
    let weak = "ETag: W/\"old\"\r\n";
    let changed = [
        part("bytes 400-999/1000", &new()[HAD..]).header("ETag", "W/\"new\""),
        part("bytes 400-999/1001", &new()[HAD..]),
        reply(200).body(&new()[1..]),
        reply(416),
    ];
    for answer in changed {
        let script = Script::new().on("*", interrupted(weak)).on("*", answer);
        let error = read(&mut begin(&script).assume_unchanged()).expect_err("another version");
        assert_eq!(error.kind(), ErrorKind::Changed, "{error}");
    }
    let script = Script::new().on("*", interrupted(weak)).on("*", reply(200).body(old()));
    assert!(read(&mut begin(&script).assume_unchanged()).is_ok_and(|content| content == old()));
}

/// `Last-Modified` is compared as a tag is; it is no proof that a second whole is the same.
#[test]
fn a_date_tells_versions_apart() {
    let date = "Fri, 14 Jun 2024 10:00:00 GMT";
    let later = "Fri, 14 Jun 2024 10:00:01 GMT";
    let tail = &old()[HAD..];
    let cases = [
        (part("bytes 400-999/1000", tail).header("Last-Modified", date), Want::Old(1)),
        (part("bytes 400-999/1000", tail).header("Last-Modified", later), Want::Changed("Last-Modified was ")),
        (reply(200).header("Last-Modified", later).body(new()), Want::Changed("Last-Modified was ")),
        (reply(200).header("Last-Modified", date).body(new()), Want::Changed("no strong ETag")),
    ];
    for (answer, want) in cases {
        check("by its date", &interrupted(DATES), &[answer], &want);
    }
}

/// Mirrors have the same file with the same tag, and each its own date.
#[test]
fn a_strong_tag_counts_for_more_than_a_date() {
    let first = interrupted(&format!("{ETAG}{DATES}"));
    let dated = |reply: Reply| reply.header("Last-Modified", "Fri, 14 Jun 2024 12:00:00 GMT");
    check("the same tag", &first, &[dated(rest())], &Want::Old(1));
    let untagged = dated(part("bytes 400-999/1000", &new()[HAD..]));
    check("no tag", &first, &[untagged], &Want::Changed("Last-Modified was "));
}

/// A coded file stays coded, and can be resumed by its tag; a part of it that is not coded is none.
#[test]
fn a_content_coding_is_part_of_the_content() {
    let first = interrupted(&format!("{ETAG}Content-Encoding: x-gzip\r\n"));
    check("coded alike", &first, &[rest().header("Content-Encoding", "x-gzip")], &Want::Old(1));
    check("not coded any more", &first, &[rest()], &Want::Changed("not coded any more"));
    let script = Script::answering(whole("\"a\"", "\x1f\u{8b}").header("Content-Encoding", "gzip"));
    let mut download = begin(&script);
    assert_eq!(read(&mut download).expect("as it came"), "\x1f\u{8b}".as_bytes());
    assert_eq!(script.seen()[0].header("Accept-Encoding"), Some("identity"));
}

#[test]
fn a_whole_of_unknown_length_ends_where_its_framing_or_a_416_says() {
    let (old, new) = (old(), new());
    let chunked = |sent: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\n{ETAG}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", sent.len());
        raw([head.as_bytes(), sent, b"\r\n"].concat()).close()
    };
    let nothing = |length: u32| reply(416).header("Content-Range", format!("bytes */{length}"));
    let cases: Vec<(&str, Reply, Vec<Reply>, Want)> = vec![
        ("the rest tells the length", chunked(&old[..HAD]), vec![rest()], Want::Old(1)),
        ("all was there", chunked(&old), vec![nothing(1000)], Want::Old(1)),
        (
            "less is there now",
            chunked(&old[..HAD]),
            vec![nothing(300)],
            Want::Changed("it has 300 bytes now, and 400 were read"),
        ),
        ("a 416 that says nothing", chunked(&old[..HAD]), vec![reply(416)], Want::Changed("416")),
        (
            "a part of unknown end",
            chunked(&old[..HAD]),
            vec![part("bytes 400-999/*", &old[HAD..]), nothing(1000)],
            Want::Old(2),
        ),
        ("the whole anew, with a length", chunked(&old[..HAD]), vec![whole("\"old\"", old.clone())], Want::Old(1)),
        (
            "… which is too short",
            chunked(&old[..HAD]),
            vec![whole("\"old\"", &new[..399])],
            Want::Changed("it has 399 bytes now"),
        ),
        (
            "… and it ends there in another version",
            chunked(&old[..HAD]),
            vec![reply(416).header("Content-Range", "bytes */400").header("ETag", "\"new\"")],
            Want::Changed("ETag was \"old\", and is \"new\" now"),
        ),
        (
            "until the connection ends, which it does not do properly",
            raw([format!("HTTP/1.0 200 OK\r\n{ETAG}\r\n").as_bytes(), &old[..HAD]].concat()).reset(),
            vec![rest()],
            Want::Old(1),
        ),
    ];
    for (name, first, answers, want) in &cases {
        check(name, first, answers, want);
    }
    for whole in [raw([b"HTTP/1.0 200 OK\r\n\r\n", &old[..]].concat()).close(), reply(200).chunked([&old[..]])] {
        let script = Script::answering(whole);
        let mut download = begin(&script);
        assert_eq!(download.length(), None);
        assert!(read(&mut download).is_ok_and(|content| content == old));
        assert_eq!((download.position(), download.length(), script.seen().len()), (1000, None, 1));
    }
    let script =
        Script::new().on("*", chunked(&old[..HAD])).on("*", reply(200).header("ETag", "\"old\"").chunked([&old[..]]));
    let mut download = begin(&script);
    assert!(read(&mut download).is_ok_and(|content| content == old), "whole, and of unknown length to its end");
    assert_eq!(download.length(), None);
}

#[test]
fn lengths_up_to_the_largest_number_are_no_trouble() {
    const MAX: u64 = u64::MAX;
    let chunked = format!("HTTP/1.1 200 OK\r\n{ETAG}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    let answers = [
        reply(206).header("Content-Range", format!("bytes 0-{}/{MAX}", MAX - 1)).chunked(["abcd"]),
        raw(format!(
            "HTTP/1.1 206 P\r\nContent-Range: bytes 3-{}/{MAX}\r\nContent-Length: {}\r\n\r\nd",
            MAX - 1,
            MAX - 3
        ))
        .close(),
        raw(format!("HTTP/1.1 200 OK\r\n{ETAG}Content-Length: {MAX}\r\n\r\nabcd")).close(),
    ];
    for answer in answers {
        let script = Script::new().on("*", raw(chunked.clone()).close()).on("*", answer);
        let script = script.on("*", reply(416).header("Content-Range", "bytes */4"));
        let mut download = begin(&script);
        let error = read(&mut download).expect_err("it has changed");
        assert_eq!(
            (error.kind(), download.length(), download.position()),
            (ErrorKind::Changed, Some(MAX), 4),
            "{error}"
        );
    }
    let script = Script::new().on("*", raw(chunked).close()).on("*", part(&format!("bytes 3-{MAX}/*"), "d"));
    assert_eq!(read(&mut begin(&script)).expect_err("its end is 2^64").kind(), ErrorKind::Changed);
}

#[test]
fn what_is_read_in_small_pieces_is_the_same() {
    let script = Script::new().on("*", interrupted(ETAG)).on("*", part("bytes 390-999/1000", &old()[390..]));
    let (mut download, mut content, mut piece) = (begin(&script), Vec::new(), [0; 7]);
    assert_eq!(download.read(&mut []).expect("nothing"), 0);
    while let count @ 1.. = download.read(&mut piece).expect("a piece") {
        content.extend_from_slice(&piece[..count]);
        assert_eq!(download.position(), content.len() as u64);
    }
    assert!(content == old());
    assert_eq!(download.read(&mut piece).expect("the end again"), 0);
}

#[test]
fn only_a_get_of_the_whole_is_a_download() {
    let script = Script::answering(reply(200).body("x"));
    let refused = |request: Result<Request<'_>>| {
        let error = Download::new(&script.client(), request.expect("a request")).expect_err("no download");
        assert_eq!((error.kind(), error.url().map(|url| url.as_str())), (ErrorKind::InvalidRequest, Some(URL)));
        error.to_string()
    };
    let get = || Request::builder(Method::GET, URL);
    refused(Request::new(Method::HEAD, URL));
    refused(Request::builder(Method::POST, URL).body("x").build());
    refused(get().body("x").build());
    refused(get().header("Range", "bytes=0-").build());
    refused(get().header("If-Range", "\"x\"").build());
    assert!(refused(get().header("Accept-Encoding", "gzip").build()).contains("Accept-Encoding: identity"));
    assert_eq!(script.seen().len(), 0);
    let request = get().header("Accept-Encoding", "identity").header("X", "y").body("").build().expect("a request");
    let mut download = Download::new(&script.client(), request).expect("a download");
    assert_eq!(read(&mut download).expect("a body"), b"x");
    assert_eq!(script.seen()[0].headers().iter().filter(|(name, _)| *name == "Accept-Encoding").count(), 1);
}

#[test]
fn the_first_response_must_be_a_200() {
    let begin = |reply: Reply| Download::new(&Script::answering(reply).client(), request());
    for status in [204, 206, 304, 404, 416, 503] {
        let error = begin(reply(status).body("sorry")).expect_err("no 200");
        assert_eq!((error.kind(), error.status().map(u16::from)), (ErrorKind::Status, Some(status)), "{error}");
        assert_eq!(error.body(), (status >= 400).then_some(&b"sorry"[..]), "{error}");
        assert!(error.to_string().starts_with(&format!("the server answered {status}")), "{error}");
    }
    let head = begin(whole("\"a\"", "").header("X", "y")).expect("a head");
    assert_eq!((head.length(), head.position(), head.head().header("X")), (Some(0), 0, Some("y")));
}

#[test]
fn each_request_goes_to_the_first_url_with_the_same_fields() {
    let script = Script::new()
        .on("GET /disk.img", reply(302).header("Location", "http://mirror.test/one"))
        .on("GET /disk.img", reply(302).header("Location", "http://mirror.test/two"))
        .on("GET /one", interrupted(ETAG))
        .on("GET /two", rest());
    let mut request = request();
    request.set_header("X-Mine", "kept").expect("a field");
    let mut download = Download::new(&script.client(), request).expect("a head");
    assert!(read(&mut download).is_ok_and(|content| content == old()));
    assert_eq!(download.head().url().as_str(), "http://mirror.test/one");
    let seen = script.seen();
    assert_eq!(
        seen.iter().map(|request| request.target()).collect::<Vec<_>>(),
        ["/disk.img", "/one", "/disk.img", "/two"]
    );
    for (asked, request) in [(None, &seen[1]), (Some("bytes=400-"), &seen[3])] {
        assert_eq!((request.header("Range"), request.header("Accept-Encoding")), (asked, Some("identity")));
    }
    assert_eq!((seen[0].header("X-Mine"), seen[2].header("X-Mine")), (Some("kept"), Some("kept")));
}

#[test]
fn a_client_is_not_needed_by_name_once_a_download_has_begun() {
    let script = Script::new().on("*", interrupted(ETAG)).on("*", rest());
    let client: Client = script.client();
    let mut download = Download::new(&client, request()).expect("a head");
    drop(client);
    assert!(read(&mut download).is_ok_and(|content| content == old()));
    assert!(format!("{download:?}").contains("position: 1000, length: Some(1000), resumed: 1, state: complete"));
}
