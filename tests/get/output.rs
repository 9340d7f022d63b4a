//! What `get` prints, and the files that it makes.

use crate::process::{Folder, Get, get};
use crate::support::peer::{Peer, answer, ok};

/// A server that redirects from `/from` to `/to`, and answers anything else with "hello".
fn redirecting() -> Peer {
    Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            conn.send(match request.target.as_str() {
                "/from" => answer("302 Found", "Location: /to\r\nSet-Cookie: a=b\r\n", ""),
                _ if request.method == "HEAD" => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_owned(),
                _ => answer("200 OK", "Content-Type: text/plain\r\n", "hello"),
            });
        }
    })
}

#[test]
fn redirects_are_followed_if_asked_for_and_all_heads_are_shown() {
    let peer = redirecting();
    let ran = get(&["-i", &peer.url("/from")]);
    let head = "HTTP/1.1 302 Found\r\nLocation: /to\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n";
    assert_eq!((ran.status, ran.stdout.as_str()), (0, head));
    let ran = get(&["-L", &peer.url("/from")]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "hello"));
    let ran = get(&["-iL", &peer.url("/from")]);
    let last = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
    // The reason phrase of a redirect that was followed is not kept.
    assert_eq!((ran.status, ran.stdout), (0, head.replace("Found", "") + last));
    let ran = get(&["-IL", &peer.url("/from")]);
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    assert_eq!((ran.status, ran.stdout), (0, head.replace("Found", "") + last));
}

#[test]
fn the_number_of_redirects_is_limited() {
    let peer = Peer::answering(answer("302 Found", "Location: /\r\n", ""));
    let url = &peer.url("/");
    for (count, requests) in [("0", 1), ("1", 2), ("7", 8)] {
        let before = peer.request_lines().len();
        assert_eq!(get(&["-L", "--max-redirs", count, url]).status, 47);
        assert_eq!(peer.request_lines().len() - before, requests, "{count}");
    }
    let before = peer.request_lines().len();
    assert_eq!(get(&["-L", url]).status, 47);
    assert_eq!(peer.request_lines().len() - before, 51, "curl's limit");
    assert_eq!(get(&["--max-redirs", "0", url]).status, 0, "without -L there is nothing to limit");
}

#[test]
fn bodies_go_to_files_and_heads_go_with_them() {
    let peer = redirecting();
    let folder = Folder::new();
    let run = |arguments: &[&str]| {
        let ran = Get::new(arguments).folder(&folder).run();
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{arguments:?}: {ran:?}");
        ran.stdout
    };
    assert_eq!(run(&["-o", "a", &peer.url("/1"), &peer.url("/2"), "-ob", &peer.url("/3")]), "hello");
    assert_eq!((folder.read("a"), folder.read("b")), ("hello".into(), "hello".into()));
    assert_eq!(run(&["-sSLo", "c", &peer.url("/from"), "-o", "-", &peer.url("/")]), "hello");
    assert_eq!(folder.read("c"), "hello");
    assert_eq!(run(&["-O", &peer.url("/x/y/na%20me.txt?query#fragment"), "-o", "d", "-I", &peer.url("/")]), "");
    assert_eq!(folder.read("na%20me.txt"), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(folder.read("d"), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    run(&["-O", &peer.url("/x/..%2f../%2e%2e/up")]);
    assert_eq!(folder.read("up"), "hello");
    let nothing = Peer::answering(ok(""));
    assert_eq!(run(&["-o", "empty", &nothing.url("/")]), "");
    assert_eq!(folder.read("empty"), "");
}

#[test]
fn what_fails_makes_no_file() {
    let peer = Peer::answering(answer("404 Not Found", "", "sorry"));
    let folder = Folder::new();
    let run = |arguments: &[&str]| Get::new(arguments).folder(&folder).run();
    let ran = run(&["-f", "-o", "a", &peer.url("/")]);
    assert_eq!(ran.status, 22);
    assert!(ran.stderr.starts_with("get: (22) the server answered 404 Not Found"), "{ran:?}");
    assert!(!folder.has("a"));
    // The head is of interest even then.
    let ran = run(&["-fi", &peer.url("/")]);
    assert_eq!((ran.status, ran.stdout.as_str()), (22, "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n"));
    let ran = run(&["-O", &peer.url("/folder/")]);
    assert_eq!(ran.status, 23);
    assert!(ran.stderr.contains("there is no file name in the URL"), "{ran:?}");
}

#[test]
fn no_message_shows_the_password_of_a_url() {
    let lines: [(i32, &[&str]); 4] = [
        (3, &["http://me:secret@[/"]),
        (3, &["-O", "http://me:secret@[/x"]),
        (3, &["-G", "-d", "a", "http://me:secret@127.0.0.1:99999/"]),
        (23, &["-O", "http://me:secret@127.0.0.1/folder/"]),
    ];
    for (status, arguments) in lines {
        let ran = get(&[arguments, &["-w", "%{errormsg}"]].concat());
        assert!(ran.status == status && !ran.stdout.is_empty(), "{ran:?}");
        assert!(!ran.stdout.contains("secret") && !ran.stderr.contains("secret"), "{ran:?}");
    }
}

#[test]
fn silence_covers_errors_unless_they_are_asked_for() {
    let ran = get(&["-s", "http://127.0.0.1:99999/"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (3, ""));
    let ran = get(&["-sS", "http://127.0.0.1:99999/"]);
    assert!(ran.status == 3 && ran.stderr.starts_with("get: (3) "), "{ran:?}");
}

#[test]
fn several_urls_share_connections_and_the_last_one_decides_on_the_status() {
    let peer = Peer::answering(ok("x"));
    let (good, bad) = (peer.url("/"), "http://127.0.0.1:99999/");
    let format = r"%{http_code} %{num_connects} %{urlnum}\n";
    let ran = get(&["-s", "-w", format, &good, bad, &good]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "x200 1 0\n000 0 1\nx200 0 2\n"), "{ran:?}");
    assert_eq!(peer.connections(), 1);
    assert_eq!(get(&["-s", &good, bad]).status, 3);
}

#[test]
fn the_variables_of_write_out_are_curls() {
    let peer = redirecting();
    let (to, address) = (peer.url("/to"), peer.addr());
    let of = |format: &str, arguments: &[&str]| {
        let ran = get(&[&["-s", "-o", "-", "-w", format], arguments].concat());
        (ran.stdout.trim_start_matches("hello").to_owned(), ran.stderr)
    };
    let cases = [
        ("%{http_code} %{response_code} %{exitcode}", "200 200 0".to_owned()),
        ("%{num_redirects} %{url_effective}", format!("1 {to}")),
        ("%{url}", peer.url("/from")),
        (
            "%{content_type} %{size_download} %{num_headers} %{scheme} %{http_version}",
            "text/plain 5 2 HTTP 1.1".to_owned(),
        ),
        ("%{remote_ip}:%{remote_port} %{local_ip}", format!("{address} 127.0.0.1")),
        ("%header{content-TYPE}|%header{nothing}|%{errormsg}", "text/plain||".to_owned()),
        (r"%%{x} 100% \n\r\t\q %q %{unclosed", "%{x} 100% \n\r\t\\q %q %{unclosed".to_owned()),
        ("a%{onerror}b", "a".to_owned()),
        ("é%{redirect_url}é", "éé".to_owned()),
    ];
    for (format, want) in cases {
        assert_eq!(of(format, &["-L", &peer.url("/from")]), (want, String::new()), "{format}");
    }
    assert_eq!(of("%{http_code} %{redirect_url}", &[&peer.url("/from")]).0, format!("302 {to}"));
    let (out, err) = of("1%{stderr}2%{stdout}3%{nonsense}4", &[&to]);
    assert_eq!((out.as_str(), err.as_str()), ("134", "2get: unknown --write-out variable: 'nonsense'\n"));
    let ran = get(&[
        "-s",
        "-w",
        "%{http_code} %{exitcode} %{url_effective}%{onerror} %{errormsg}",
        "http://127.0.0.1:99999/",
    ]);
    assert!(ran.stdout.starts_with("000 3 http://127.0.0.1:99999/ the URL "), "{ran:?}");
    let folder = Folder::new();
    let format = format!("@{}", folder.file("format", "%{filename_\neffective}\n"));
    let file = folder.path("body");
    let ran = get(&["-s", "-o", &file, "-w", &format, &to]);
    assert_eq!(ran.stdout, file);
}

#[test]
fn the_times_of_write_out_follow_each_other() {
    let peer = redirecting();
    let names = ["redirect", "namelookup", "connect", "pretransfer", "starttransfer", "total"];
    let format = names.map(|name| format!("%{{time_{name}}} ")).concat();
    let ran = get(&["-s", "-L", "-o", "-", "-w", &format, &peer.url("/from")]);
    let times = ran.stdout.trim_start_matches("hello");
    let times: Vec<f64> = times.split_whitespace().map(|time| time.parse().expect("seconds")).collect();
    assert_eq!(times.len(), names.len());
    assert!(times[0] > 0.0 && times.is_sorted(), "{times:?}");
    let ran = get(&["-s", "-o", "-", "-w", "%{time_redirect} %{time_appconnect}", &peer.url("/")]);
    assert_eq!(ran.stdout, "hello0.000000 0.000000");
}

#[cfg(feature = "gzip")]
#[test]
fn a_compressed_body_is_asked_for_decoded_and_measured_as_it_came() {
    const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x57\xc8\xc0\x4e\x02\x00\xf6\xd2\x53\x38\x1d\x00\x00\x00";
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let asks = request.header("Accept-Encoding").is_some_and(|value| value.contains("gzip"));
            let fields = if asks { "X: asked\r\n" } else { "" };
            let head = format!("Content-Encoding: gzip\r\n{fields}Content-Length: {}\r\n\r\n", GZIP.len());
            conn.send([b"HTTP/1.1 200 OK\r\n", head.as_bytes(), GZIP].concat());
        }
    });
    let url = &peer.url("/");
    let size = GZIP.len();
    let ran = get(&["--compressed", "-w", "|%{size_download} %header{x}", url]);
    assert_eq!(ran.stdout, format!("hello hello hello hello hello|{size} asked"));
    let ran = get(&["-w", "|%{size_download} %header{x}", url]);
    assert_eq!(ran.stdout, format!("{}|{size} ", String::from_utf8_lossy(GZIP)));
}
