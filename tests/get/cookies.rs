//! `-b` and `-c`: cookies between the transfers of one run, and between runs, by a file that curl reads, too.

use std::process::Command;

use crate::process::{Folder, Get, Ran, finish, get, without_proxies};
use crate::support::peer::{Peer, answer, ok};

/// A server that sets a cookie at `/set`, and answers anything else with the cookies that it is sent.
fn jar() -> Peer {
    Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            conn.send(match request.target.as_str() {
                "/set" => answer("302 Found", "Set-Cookie: id=7; Path=/\r\nLocation: /\r\n", ""),
                _ => ok(request.header("Cookie").unwrap_or("none")),
            });
        }
    })
}

#[track_caller]
fn prints(want: &str, ran: &Ran) {
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (0, want, ""));
}

#[test]
fn cookies_are_kept_only_if_that_is_asked_for() {
    let peer = jar();
    let (set, show) = (&peer.url("/set"), &peer.url("/"));
    prints("none", &get(&["-L", set]));
    prints("id=7id=7", &get(&["-L", "-b", "", set, show]));
    prints("a=b", &get(&["-L", "-b", "a=b", set]));
    prints("a=b; id=7", &get(&["-L", "-b", "", "-b", "a=b", set]));
}

#[test]
fn cookies_go_from_run_to_run_by_a_file() {
    let (peer, folder) = (jar(), Folder::new());
    let (set, show) = (&peer.url("/set"), &peer.url("/"));
    let file = &folder.path("cookies.txt");
    prints("none", &get(&["-b", file, "-c", file, show])); // there is none yet
    prints("id=7", &get(&["-L", "-b", file, "-c", file, set]));
    assert!(folder.read("cookies.txt").ends_with("127.0.0.1\tFALSE\t/\tFALSE\t0\tid\t7\n"));
    prints("id=7", &get(&["-b", file, show]));
    prints("none", &get(&[show]));
    let input = folder.read("cookies.txt");
    prints("id=7", &Get::new(&["-b", "-", show]).input(&input).run());
    let printed = get(&["-L", "-c", "-", set]).stdout;
    assert_eq!(printed, format!("id=7{}", folder.read("cookies.txt")));
    #[cfg(unix)]
    assert_eq!(mode(file), 0o600);
    // Even a run whose transfers fail writes what it has.
    assert_eq!(get(&["-s", "-b", file, "-c", &folder.path("copy"), "http://127.0.0.1:99999/"]).status, 3);
    assert_eq!(folder.read("copy"), folder.read("cookies.txt"));
}

/// Returns the permissions of a file.
#[cfg(unix)]
fn mode(path: &str) -> u32 {
    use std::os::unix::fs::PermissionsExt;

    std::fs::metadata(path).expect("the file is there").permissions().mode() & 0o777
}

#[cfg(unix)]
#[test]
fn a_file_of_cookies_becomes_private_and_one_that_is_no_file_stays_what_it_is() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    let (peer, folder) = (jar(), Folder::new());
    let set = &peer.url("/set");
    let (file, link) = (&folder.file("cookies.txt", ""), &folder.path("link"));
    set_permissions(file, Permissions::from_mode(0o644)).expect("the file is ours");
    prints("", &get(&["-c", file, set]));
    assert_eq!(mode(file), 0o600);
    symlink("/dev/stdout", link).expect("a link");
    prints(&folder.read("cookies.txt"), &get(&["-c", link, set]));
    assert!(std::fs::read_link(link).is_ok());
}

#[cfg(unix)]
#[test]
fn a_file_of_cookies_outlives_a_failure_to_write_it() {
    let (peer, folder) = (jar(), Folder::new());
    let file = &folder.path("cookies.txt");
    prints("", &get(&["-c", file, &peer.url("/set")]));
    let before = folder.read("cookies.txt");
    let ran = Get::new(&["-b", file, "-c", file, &peer.url("/")]).without_disk_space().run();
    assert!(ran.status == 23 && ran.stderr.contains("cookies.txt: "), "{ran:?}");
    assert_eq!(folder.read("cookies.txt"), before);
    let files = std::fs::read_dir(folder.path("")).expect("the folder is there");
    assert_eq!(files.count(), 1, "the new file is gone");
}

#[test]
fn a_file_of_cookies_that_cannot_be_used_is_an_error() {
    let (peer, folder) = (jar(), Folder::new());
    let ran = get(&["-b", &folder.file("bad", "no cookie\n"), &peer.url("/")]);
    assert!(ran.status == 26 && ran.stderr.contains("bad: "), "{ran:?}");
    let ran = get(&["-c", &folder.path("no/such/folder"), &peer.url("/")]);
    assert!(ran.status == 23 && ran.stderr.contains("folder: "), "{ran:?}");
}

#[test]
#[ignore = "needs curl: run with --include-ignored"]
fn curl_reads_our_file_and_we_read_curls() {
    let (peer, folder) = (jar(), Folder::new());
    let (set, show) = (&peer.url("/set"), &peer.url("/"));
    let curl =
        |arguments: &[&str]| finish(without_proxies(Command::new("curl")).args(["-q", "-sS"]).args(arguments), "");
    let (ours, theirs) = (&folder.path("ours"), &folder.path("theirs"));
    prints("id=7", &get(&["-L", "-c", ours, set]));
    prints("id=7", &curl(&["-b", ours, show]));
    prints("id=7", &curl(&["-L", "-c", theirs, set]));
    prints("id=7", &get(&["-b", theirs, show]));
}
