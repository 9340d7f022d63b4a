//! `--har` and `--waterfall`: recordings of all transfers of a run. What is in them is tested in `tests/har.rs`.

use crate::process::{Folder, get};
use crate::support::peer::{Peer, answer, ok};

#[test]
fn a_recording_has_all_transfers_of_a_run_and_their_redirects() {
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let moved = answer("302 Found", "Location: /new\r\n", "");
            conn.send(if request.target == "/old" { moved } else { ok("x") });
        }
    });
    let folder = Folder::new();
    let (har, picture) = (&folder.path("session.har"), &folder.path("session.svg"));
    let ran = get(&["-L", "--har", har, "--waterfall", picture, &peer.url("/old"), &peer.url("/next")]);
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (0, "xx", ""));
    let document: serde_json::Value = serde_json::from_str(&folder.read("session.har")).expect("JSON");
    let entries = document["log"]["entries"].as_array().expect("entries");
    let urls: Vec<_> = entries.iter().filter_map(|entry| entry["request"]["url"].as_str()).collect();
    assert_eq!(urls, ["/old", "/new", "/next"].map(|path| peer.url(path)));
    let picture = folder.read("session.svg");
    assert!(picture.starts_with("<svg ") && picture.contains("3 exchanges on 1 connection in "), "{picture}");
}

#[test]
fn a_recording_is_written_also_when_a_transfer_fails() {
    let peer = Peer::answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\ncut");
    let folder = Folder::new();
    let ran = get(&["-s", "-o", "/nowhere/at/all", "--har", &folder.path("failed.har"), &peer.url("/")]);
    assert_eq!(ran.status, 23, "{ran:?}");
    assert!(folder.read("failed.har").contains("left unread"));
    let ran = get(&["-s", "--max-time", "0.1", "--har", &folder.path("late.har"), "http://127.0.0.1:1/"]);
    assert_ne!(ran.status, 0, "{ran:?}");
    assert!(folder.read("late.har").contains("\"_error\":"));
}

#[test]
fn a_recording_can_be_printed_and_must_have_a_place() {
    let peer = Peer::answering(ok("x"));
    let folder = Folder::new();
    let ran = get(&["-o", &folder.path("x"), "--har", "-", &peer.url("/")]);
    assert_eq!((ran.status, folder.read("x").as_str()), (0, "x"), "{ran:?}");
    assert!(ran.stdout.starts_with("{\"log\":"), "{ran:?}");
    let ran = get(&["--waterfall", "/nowhere/at/all", &peer.url("/")]);
    assert_eq!((ran.status, ran.stdout.as_str()), (23, "x"), "{ran:?}");
    assert!(ran.stderr.contains("/nowhere/at/all"), "{ran:?}");
}
