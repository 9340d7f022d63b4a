//! Downloads as files: what is there while they go on and after they fail, what a later one goes on with, and
//! errors of the system.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use longwire::{Download, Error, ErrorKind, Method, Request, Saved};

use crate::{DATES, ETAG, Folder, HAD, URL, begin, conditions, content, cut, interrupted, new, old, part, rest, whole};
use longwire::script::{Reply, Script, reply};

/// Leaves the beginning of the old version, of that URL, in the folder.
fn leave_part(folder: &Folder, url: &str, fields: &str) -> Error {
    let script = Script::answering(interrupted(fields));
    let request = Request::new(Method::GET, url).expect("a request");
    let download = Download::new(&script.client(), request).expect("a head").attempts(0);
    let download = if fields.is_empty() { download.assume_unchanged() } else { download };
    save(download, folder).expect_err("it is interrupted")
}

fn save(mut download: Download, folder: &Folder) -> Result<Saved, Error> {
    download.save_to(folder.path("disk.img"))
}

fn tag(folder: &Folder) -> String {
    String::from_utf8(content(&folder.path("disk.img.part.tag"))).expect("text")
}

#[test]
fn until_it_is_whole_the_file_is_what_it_was() {
    let folder = Folder::new();
    fs::write(folder.path("disk.img"), "before").expect("a file");
    let error = leave_part(&folder, URL, ETAG);
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    assert_eq!(folder.names(), ["disk.img", "disk.img.part", "disk.img.part.tag"]);
    assert_eq!(content(&folder.path("disk.img")), b"before");
    assert!(content(&folder.path("disk.img.part")) == old()[..HAD]);
    assert_eq!(tag(&folder), format!("\"old\"\n{URL}\n"));

    let script = Script::new().on("*", whole("\"old\"", old())).on("*", rest());
    let saved = save(begin(&script), &folder).expect("the rest");
    assert_eq!((saved.bytes, saved.resumed), (1000, 1));
    assert_eq!(conditions(&script), [("bytes=400-".to_owned(), Some("\"old\"".to_owned()))]);
    assert!(content(&folder.path("disk.img")) == old());
    assert_eq!(folder.names(), ["disk.img"]);
}

#[test]
fn a_later_download_goes_on_only_with_a_part_of_the_same_version() {
    let dated = |reply: Reply| {
        let lines = DATES.lines().filter_map(|line| line.split_once(": "));
        lines.fold(reply, |reply, (name, value)| reply.header(name, value))
    };
    let (with_query, other) = (format!("{URL}?id=1"), "http://memory.test/other.img");
    let same = || whole("\"old\"", old());
    let rest_alone = || part("bytes 400-999/1000", &old()[HAD..]);
    // What the part is of, what is downloaded then, and what requests for a part there are.
    let cases = [
        ("the same", URL, ETAG, URL, same(), &["bytes=400-"][..]),
        ("by its date", URL, DATES, URL, dated(reply(200).body(old())), &["bytes=400-"]),
        ("another version", URL, ETAG, URL, whole("\"new\"", new()), &[]),
        ("another date", URL, DATES, URL, dated(reply(200).body(new())).header("ETag", "\"new\""), &[]),
        ("another URL", other, ETAG, URL, whole("\"old\"", new()), &[]),
        ("another host", "http://other.test/disk.img", ETAG, URL, whole("\"old\"", new()), &[]),
        ("another query, the same tag", &with_query, ETAG, URL, same(), &["bytes=400-"]),
        ("a date and a query", &with_query, DATES, &with_query, dated(reply(200).body(new())), &[]),
        ("a shorter one", URL, ETAG, URL, whole("\"old\"", &new()[..HAD - 1]), &[]),
        ("no validator any more", URL, ETAG, URL, reply(200).body(new()), &[]),
    ];
    for (name, url, fields, later_url, first, ranges) in cases {
        let folder = Folder::new();
        leave_part(&folder, url, fields);
        let script = Script::new().on("*", first.clone()).on("*", rest_alone());
        let request = Request::new(Method::GET, later_url).expect("a request");
        let saved = save(Download::new(&script.client(), request).expect("a head"), &folder).expect(name);
        let asked: Vec<_> = conditions(&script).into_iter().map(|(range, _)| range).collect();
        assert_eq!(asked, ranges, "{name}");
        let file = content(&folder.path("disk.img"));
        assert_eq!((file.len() as u64, saved.resumed), (saved.bytes, ranges.len() as u32), "{name}");
        let want = if ranges.is_empty() { new() } else { old() };
        assert!(want.starts_with(&file), "{name}");
        assert_eq!(folder.names(), ["disk.img"], "{name}");
    }
}

#[test]
fn a_part_with_another_tag_or_none_counts_for_nothing() {
    let right = format!("\"old\"\n{URL}\n");
    for wrong in ["", "\"old\"\n", &right[..right.len() - 1], &format!("{right}x"), &right.replace("old", "new")] {
        let folder = Folder::new();
        fs::write(folder.path("disk.img.part"), new()).expect("a part");
        if !wrong.is_empty() {
            fs::write(folder.path("disk.img.part.tag"), wrong).expect("a tag");
        }
        let script = Script::answering(whole("\"old\"", old()));
        save(begin(&script), &folder).expect("a file");
        assert!(content(&folder.path("disk.img")) == old(), "{wrong:?}");
        assert_eq!((script.seen().len(), folder.names().len()), (1, 1), "{wrong:?}");
    }
}

/// Whatever the tag says: a server that has the same one for both is wrong, and still makes no mixture.
#[test]
fn a_part_with_another_content_coding_counts_for_nothing() {
    let coded = format!("{ETAG}Content-Encoding: x-gzip\r\n");
    for (left, is_coded) in [(ETAG, true), (&coded, false)] {
        let folder = Folder::new();
        leave_part(&folder, URL, left);
        let as_now = |reply: Reply| if is_coded { reply.header("Content-Encoding", "x-gzip") } else { reply };
        let rest = as_now(part("bytes 400-999/1000", &new()[HAD..]));
        let script = Script::new().on("*", as_now(whole("\"old\"", new()))).on("*", rest);
        save(begin(&script), &folder).expect("a file");
        assert!(content(&folder.path("disk.img")) == new(), "{left:?}");
    }

    let folder = Folder::new();
    leave_part(&folder, URL, &coded);
    let coded = |reply: Reply| reply.header("Content-Encoding", "x-gzip");
    let script = Script::new().on("*", coded(whole("\"old\"", old()))).on("*", coded(rest()));
    assert_eq!(save(begin(&script), &folder).expect("the rest").resumed, 1);
    assert!(content(&folder.path("disk.img")) == old());
}

/// They may lead to a file that is somebody else's, and in a folder for all, somebody else may have made them.
#[cfg(unix)]
#[test]
fn links_at_the_path_of_the_part_or_its_tag_are_not_followed() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new();
    fs::write(folder.path("precious"), "precious").expect("a file");
    for (link, target) in
        [("disk.img.part", "precious"), ("disk.img.part", "nothing"), ("disk.img.part.tag", "precious")]
    {
        symlink(folder.path(target), folder.path(link)).expect("a link");
        let saved = save(begin(&Script::answering(whole("\"old\"", old()))), &folder);
        match link {
            "disk.img.part" => {
                let error = saved.expect_err("a link");
                assert_eq!(error.kind(), ErrorKind::Io, "{error}");
                assert!(error.to_string().contains("is a symbolic link"), "{error}");
                fs::remove_file(folder.path(link)).expect("the link");
            }
            _ => assert!(saved.is_ok() && content(&folder.path("disk.img")) == old()),
        }
        assert!(content(&folder.path("precious")) == b"precious" && !folder.path("nothing").exists());
    }
}

#[test]
fn a_part_that_is_whole_needs_no_more() {
    let folder = Folder::new();
    fs::write(folder.path("disk.img.part"), old()).expect("a part");
    fs::write(folder.path("disk.img.part.tag"), format!("\"old\"\n{URL}\n")).expect("a tag");
    let script = Script::answering(cut(ETAG, &new(), 1));
    let saved = save(begin(&script), &folder).expect("a file");
    assert_eq!((saved.bytes, saved.resumed, script.seen().len()), (1000, 0, 1));
    assert!(content(&folder.path("disk.img")) == old());

    let folder = Folder::new();
    let saved = save(begin(&Script::answering(whole("\"old\"", ""))), &folder).expect("an empty file");
    assert_eq!((saved.bytes, content(&folder.path("disk.img")).len()), (0, 0));
}

#[test]
fn a_caller_who_vouches_goes_on_without_a_validator() {
    let folder = Folder::new();
    leave_part(&folder, URL, "");
    assert_eq!(tag(&folder), format!("\n{URL}\n"));
    let script = Script::new().on("*", reply(200).body(old())).on("*", part("bytes 400-999/1000", &old()[HAD..]));
    let saved = save(begin(&script).assume_unchanged(), &folder).expect("the rest");
    assert_eq!((saved.resumed, conditions(&script)), (1, vec![("bytes=400-".to_owned(), None)]));
    assert!(content(&folder.path("disk.img")) == old());

    // Without the word of the later one the part is worth nothing.
    leave_part(&folder, URL, "");
    let script = Script::answering(reply(200).body(new()));
    save(begin(&script), &folder).expect("a file");
    assert!(content(&folder.path("disk.img")) == new());
}

#[test]
fn a_resource_that_changes_begins_anew_once() {
    let newer = || whole("\"newer\"", old());
    let folder = Folder::new();
    let script = Script::new().on("*", interrupted(ETAG)).on("*", newer()).on("*", cut("ETag: \"new\"\r\n", &new(), 7));
    let error = save(begin(&script.on("*", newer())), &folder).expect_err("it changes all the time");
    assert_eq!(error.kind(), ErrorKind::Changed, "{error}");
    // What is left is of one version, and says which.
    assert!(content(&folder.path("disk.img.part")) == new()[..7]);
    assert_eq!(tag(&folder), format!("\"new\"\n{URL}\n"));

    // It changes while a part is gone on with; the server is busy then.
    let folder = Folder::new();
    leave_part(&folder, URL, ETAG);
    let script = Script::new().on("*", whole("\"old\"", old())).on("*", whole("\"new\"", new())).on("*", reply(503));
    let script = script.on("*", whole("\"new\"", new()));
    save(begin(&script), &folder).expect("the new one");
    assert!(content(&folder.path("disk.img")) == new());
    assert_eq!(folder.names(), ["disk.img"]);
}

/// Until a byte has come, another version is as good; then the tag is of that.
#[test]
fn a_tag_is_of_the_version_that_came() {
    let folder = Folder::new();
    leave_part(&folder, URL, ETAG);
    let script = Script::new().on("*", cut("ETag: \"newer\"\r\n", &old(), 0));
    let script = script.on("*", cut("ETag: \"new\"\r\n", &new(), 7)).on("*", reply(404));
    let error = save(begin(&script), &folder).expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::Status, "{error}");
    assert!(content(&folder.path("disk.img.part")) == new()[..7]);
    assert_eq!(tag(&folder), format!("\"new\"\n{URL}\n"));

    // Where none comes at all, what was there is left.
    leave_part(&folder, URL, ETAG);
    let script = Script::new().on("*", cut("ETag: \"new\"\r\n", &new(), 0)).on("*", reply(404));
    save(begin(&script), &folder).expect_err("it is gone");
    assert!(content(&folder.path("disk.img.part")) == old()[..HAD]);
    assert_eq!(tag(&folder), format!("\"old\"\n{URL}\n"));
}

#[test]
fn no_secret_of_the_url_is_written() {
    let folder = Folder::new();
    leave_part(&folder, "http://me:secret@memory.test/disk.img?X-Signature=s3cret#s3cret", ETAG);
    assert_eq!(tag(&folder), format!("\"old\"\n{URL}\n"));
}

#[test]
fn an_error_of_the_system_names_the_file_and_what_was_done() {
    let script = Script::answering(whole("\"old\"", old()));
    let folder = Folder::new();
    let nowhere = folder.path("none").join("disk.img");
    let error = begin(&script).save_to(&nowhere).expect_err("no such folder");
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    let system = error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>()).expect("the system's error");
    assert_eq!(system.kind(), io::ErrorKind::NotFound);
    let part = format!("{}.part", nowhere.display());
    assert!(error.to_string().starts_with(&format!("opening {part:?}: ")), "{error}");

    fs::create_dir(folder.path("disk.img.part.tag")).expect("a folder");
    let error = save(begin(&script), &folder).expect_err("the tag's path is taken");
    assert!(error.to_string().starts_with("writing ") && error.to_string().contains("disk.img.part.tag"), "{error}");
}

#[test]
fn what_is_no_regular_file_is_not_replaced() {
    let script = Script::answering(whole("\"old\"", old()));
    let folder = Folder::new();
    fs::create_dir(folder.path("disk.img")).expect("a folder");
    let error = save(begin(&script), &folder).expect_err("a folder");
    assert_eq!((error.kind(), folder.names().len()), (ErrorKind::InvalidRequest, 1), "{error}");
    assert!(error.to_string().contains("no regular file (GET http://memory.test/disk.img"), "{error}");

    let mut begun = begin(&script);
    assert_eq!(begun.read(&mut [0; 10]).expect("some bytes"), 10);
    let error = begun.save_to(folder.path("other")).expect_err("the beginning is elsewhere");
    assert_eq!((error.kind(), folder.names().len()), (ErrorKind::InvalidRequest, 1), "{error}");

    let mut failed = begin(&Script::answering(cut("", &old(), 0))).attempts(0);
    let first = failed.read(&mut [0; 10]).expect_err("nothing came");
    let error = failed.save_to(folder.path("other")).expect_err("it has failed");
    assert_eq!((error.to_string(), folder.names().len()), (first.to_string(), 1));
}

/// Two processes on one path: the length tells.
#[test]
fn a_part_that_somebody_else_writes_to_is_not_taken_for_whole() {
    let folder = Folder::new();
    let part_path = folder.path("disk.img.part");
    let script = Script::new().on("*", interrupted(ETAG)).on_with("*", {
        let part_path = part_path.clone();
        move |_| {
            let other = File::options().write(true).open(&part_path).expect("the part");
            other.set_len(2000).expect("a longer part");
            rest()
        }
    });
    let error = save(begin(&script), &folder).expect_err("two writers");
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("is 2000 bytes long after 1000 were written"), "{error}");
    assert!(!folder.path("disk.img").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_of_writing() {
    let folder = Folder::new();
    std::os::unix::fs::symlink("/dev/full", folder.path("disk.img.part")).expect("a link");
    let error = save(begin(&Script::answering(whole("\"old\"", old()))), &folder).expect_err("no space");
    let system = error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>()).expect("the system's error");
    assert_eq!(system.kind(), io::ErrorKind::StorageFull);
    let path = folder.path("disk.img.part");
    assert!(error.to_string().starts_with(&format!("writing {path:?}: ")), "{error}");

    std::os::unix::fs::symlink("/dev/null", folder.path("null")).expect("a link");
    let error = begin(&Script::answering(whole("\"old\"", old()))).save_to(folder.path("null"));
    assert_eq!(error.expect_err("a device").kind(), ErrorKind::InvalidRequest);
}

#[test]
fn a_path_without_a_folder_is_in_the_current_one() {
    let name = format!("longwire-download-{}.img", std::process::id());
    let saved = begin(&Script::answering(whole("\"old\"", old()))).save_to(&name);
    let found = content(Path::new(&name));
    fs::remove_file(&name).expect("our own file");
    assert!(saved.is_ok_and(|saved| saved.bytes == 1000) && found == old());
}

#[cfg(unix)]
mod killed {
    use std::process::{Child, Command, Stdio};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};
    use std::{env, thread};

    use longwire::Client;

    use super::*;
    use crate::support::peer::{Conn, Peer};

    const URL_VARIABLE: &str = "LONGWIRE_TEST_DOWNLOAD_URL";
    const PATH_VARIABLE: &str = "LONGWIRE_TEST_DOWNLOAD_PATH";
    const TEST: &str = "save::killed::what_a_killed_process_has_left_is_gone_on_with";

    /// No process takes longer, on the slowest machine.
    const LIMIT: Duration = Duration::from_secs(60);

    /// Where the processes are killed: how much of the file is there then.
    const KILLED_AT: [usize; 4] = [1, 400, 401, 999];

    /// Sends the old version from that byte on, up to the next place of a kill; and nothing more then.
    fn send_old(conn: &mut Conn, from: usize, etag: &str) {
        let (old, to) = (old(), KILLED_AT.into_iter().find(|at| *at > from).unwrap_or(1000));
        let range = if from == 0 { String::new() } else { format!("Content-Range: bytes {from}-999/1000\r\n") };
        let status = if from == 0 { "200 OK" } else { "206 Partial Content" };
        let length = 1000 - from;
        conn.send(format!("HTTP/1.1 {status}\r\nETag: {etag}\r\n{range}Content-Length: {length}\r\n\r\n"));
        conn.send(&old[from..to]);
        if to < 1000 {
            conn.wait_closed(LIMIT);
        }
    }

    /// A new process, which saves the file.
    fn start(url: &str, path: &Path) -> Child {
        let mut command = Command::new(env::current_exe().expect("the path of this program"));
        command.args(["--exact", TEST, "--nocapture", "--test-threads=1"]).stdout(Stdio::null());
        command.env(URL_VARIABLE, url).env(PATH_VARIABLE, path).spawn().expect("this program, once more")
    }

    /// A new process, which is killed when so much of the file is there.
    #[track_caller]
    fn start_and_kill(url: &str, folder: &Folder, at: usize) {
        let mut process = start(url, &folder.path("disk.img"));
        let (part_path, end) = (folder.path("disk.img.part"), Instant::now() + LIMIT);
        while fs::metadata(&part_path).map_or(0, |part| part.len()) < at as u64 {
            assert!(Instant::now() < end, "{at} bytes never came");
            thread::sleep(Duration::from_millis(5));
        }
        process.kill().expect("SIGKILL");
        process.wait().expect("our own process");
        assert!(content(&part_path) == old()[..at], "at {at}");
    }

    /// Waits for the end of a process.
    #[track_caller]
    fn assert_succeeds(mut process: Child) {
        let end = Instant::now() + LIMIT;
        while Instant::now() < end {
            if let Some(status) = process.try_wait().expect("our own process") {
                return assert!(status.success(), "{status}");
            }
            thread::sleep(Duration::from_millis(5));
        }
        process.kill().expect("our own process");
        panic!("it goes on for ever");
    }

    #[test]
    fn what_a_killed_process_has_left_is_gone_on_with() {
        if let (Ok(url), Ok(path)) = (env::var(URL_VARIABLE), env::var(PATH_VARIABLE)) {
            let request = Request::new(Method::GET, url).expect("a request");
            let mut download = Download::new(&Client::new(), request).expect("a head");
            download.save_to(path).expect("a file");
            return;
        }
        let folder = Folder::new();
        let path = folder.path("disk.img");
        let is_swapped = Arc::new(AtomicBool::new(false));
        let swapped = Arc::clone(&is_swapped);
        let peer = Peer::start(move |mut conn, _| {
            while let Some(request) = conn.request() {
                match request.header("Range") {
                    _ if swapped.load(Ordering::SeqCst) => {
                        conn.send("HTTP/1.1 200 OK\r\nETag: \"new\"\r\nContent-Length: 1000\r\n\r\n");
                        conn.send(new());
                    }
                    Some(range) => {
                        assert_eq!(request.header("If-Range"), Some("\"old\""));
                        conn.note(range);
                        let from = range.trim_start_matches("bytes=").trim_end_matches('-');
                        send_old(&mut conn, from.parse().expect("a number"), "\"old\"");
                    }
                    None => send_old(&mut conn, 0, "\"old\""),
                }
            }
        });
        let url = peer.url("/disk.img");
        for at in KILLED_AT {
            start_and_kill(&url, &folder, at);
        }
        assert_succeeds(start(&url, &path));
        assert!(content(&path) == old());
        assert_eq!(peer.notes(), ["bytes=1-", "bytes=400-", "bytes=401-", "bytes=999-"]);
        assert_eq!(folder.names(), ["disk.img"]);

        // Another version comes between two processes.
        start_and_kill(&url, &folder, KILLED_AT[0]);
        is_swapped.store(true, Ordering::SeqCst);
        assert_succeeds(start(&url, &path));
        assert!(content(&path) == new());
        assert_eq!(folder.names(), ["disk.img"]);
    }
}
