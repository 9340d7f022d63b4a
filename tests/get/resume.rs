//! `-C -`: what is resumed, what is left behind by a run that fails, and what the next one makes of it.

use crate::process::{Folder, Get, Ran};
use crate::run;
use crate::support::peer::{Conn, Peer, answer, ok};

const TAGGED: &str = "ETag: \"1\"\r\n";

/// A server of `hello, world`, which breaks off after `hello`.
fn breaking() -> Peer {
    Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            if !send_rest(&mut conn, request.header("Range")) {
                return;
            }
        }
    })
}

/// Returns whether the connection goes on.
fn send_rest(conn: &mut Conn, range: Option<&str>) -> bool {
    match range {
        None => !conn.send(format!("HTTP/1.1 200 OK\r\n{TAGGED}Content-Length: 12\r\n\r\nhello")),
        Some("bytes=5-") => {
            conn.send(answer("206 Partial Content", &format!("{TAGGED}Content-Range: bytes 5-11/12\r\n"), ", world"))
        }
        Some(other) => panic!("{other}"),
    }
}

#[test]
fn what_breaks_is_resumed_within_a_run() {
    let (peer, folder) = (breaking(), Folder::new());
    let run = |arguments: &[&str]| Get::new(arguments).folder(&folder).run();
    let format = "%{http_code} %{size_download} %{filename_effective}";
    let ran = run(&["-C", "-", "-w", format, "-o", "file", &peer.url("/")]);
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (0, "200 12 file", ""));
    let ran = run(&["-OC-", &peer.url("/other")]);
    assert_eq!(
        (ran.status, folder.read("file"), folder.read("other")),
        (0, "hello, world".into(), "hello, world".into())
    );
    assert!(!folder.has("file.part") && !folder.has("file.part.tag"));
    let ran = run(&["-v", "--continue-at", "-", &peer.url("/")]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "hello, world"));
    assert!(ran.stderr.contains("\n> Range: bytes=5-\n> If-Range: \"1\"\n"), "{ran:?}");
}

/// A run that fails leaves its part to the next one, which asks for no more than the rest.
#[test]
fn what_a_run_leaves_is_gone_on_with() {
    let folder = Folder::new();
    let failing =
        Peer::start(|mut conn, _| match conn.request().is_some_and(|request| request.header("Range").is_some()) {
            true => drop(conn.send(answer("404 Not Found", "", "gone"))),
            false => drop(send_rest(&mut conn, None)),
        });
    let run =
        |peer: &Peer| Get::new(&["-C", "-", "-O", "-x", &peer.url(""), "http://a.test/file"]).folder(&folder).run();
    let ran = run(&failing);
    assert_eq!((ran.status, folder.read("file.part")), (22, "hello".into()), "{ran:?}");
    assert!(!folder.has("file"));
    assert_eq!(folder.read("file.part.tag"), "\"1\"\nhttp://a.test/file\n");

    let peer = breaking();
    let ran = run(&peer);
    assert_eq!((ran.status, folder.read("file")), (0, "hello, world".into()), "{ran:?}");
    assert_eq!(peer.request_lines().len(), 2, "{:?}", peer.request_lines());
}

/// curl makes a file of two versions here, and takes an error page for a part.
#[test]
fn another_version_or_a_status_is_no_part_of_a_file() {
    let folder = Folder::new();
    folder.file("file", "old!!");
    let peer = Peer::answering(ok("all new"));
    let run = |arguments: &[&str]| -> Ran { Get::new(arguments).folder(&folder).run() };
    assert_eq!((run(&["-C", "-", "-o", "file", &peer.url("/")]).status, folder.read("file")), (0, "all new".into()));
    let missing = Peer::answering(answer("404 Not Found", "", "sorry"));
    let ran = run(&["-C", "-", "-o", "file", &missing.url("/")]);
    assert_eq!((ran.status, folder.read("file")), (22, "all new".into()), "{ran:?}");

    let changing = Peer::start(|mut conn, index| {
        conn.request();
        conn.send(format!("HTTP/1.1 200 OK\r\nETag: \"{index}\"\r\nContent-Length: 12\r\n\r\nhello"));
    });
    let ran = run(&["-C", "-", "-o", "file", &changing.url("/")]);
    assert_eq!((ran.status, folder.read("file")), (33, "all new".into()), "{ran:?}");
    let ran = run(&["-C", "-", "-o", "no/such/folder", &peer.url("/")]);
    assert_eq!(ran.status, 23, "{ran:?}");
}

#[test]
fn only_a_plain_get_is_resumed() {
    let peer = Peer::answering(ok("x"));
    let lines: [&[&str]; 8] = [
        &["-C", "5"],
        &["-C", "-", "-d", "a"],
        &["-C", "-", "-I"],
        &["-C", "-", "-i"],
        &["-C", "-", "-r", "0-9"],
        &["-C", "-", "-T", "-"],
        &["-C", "-", "--anyauth"],
        &["-C", "-", "-H", "Accept-Encoding: gzip"],
    ];
    for line in lines {
        let ran = run(&[line, &[&peer.url("/")]].concat());
        assert_eq!(ran.status, 2, "{line:?}: {ran:?}");
    }
    assert_eq!(peer.request_lines().len(), 0);
}
