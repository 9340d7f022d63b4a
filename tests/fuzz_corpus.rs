//! The client under the fuzzer's harness, on stable and without a fuzzer: every fixture is a peer,
//! and so is every input that is kept in `fuzz/corpus/client`.
//!
//! `fuzz/fuzz_targets/client.rs` includes the same files; what they hold the client to stands at
//! the head of `fuzz_corpus/client.rs`.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

#[path = "fuzz_corpus/client.rs"]
mod client;
#[path = "fuzz_corpus/peer.rs"]
mod peer;
#[path = "fuzz_corpus/reference.rs"]
mod reference;

/// The files in `folder` of the project; none if there is no such folder (what is published has
/// no `fuzz`).
fn files(folder: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    entries.map(|entry| entry.expect("it can be listed").path()).filter(|path| path.is_file()).collect()
}

fn replies() -> Vec<PathBuf> {
    let folders = ["head", "framing", "chunked", "close", "limits", "hostile", "wild"];
    let all = folders.iter().flat_map(|folder| files(&format!("fixtures/{folder}")));
    all.filter(|path| path.extension().is_some_and(|ending| ending == "http")).collect()
}

fn play(input: &[u8], path: &Path) {
    assert!(catch_unwind(|| client::play(input)).is_ok(), "{} ({})", path.display(), input.escape_ascii());
}

/// Every fixture is what the peer sends, `tail` follows it, and the caller does what `program`
/// says.
fn play_fixtures(tail: &[u8], program: &[u8]) {
    let replies = replies();
    assert!(replies.len() >= 120, "only {} fixtures", replies.len());
    for path in &replies {
        let reply = fs::read(path).expect("it can be read");
        play(&[&reply[..], tail, program].concat(), path);
    }
}

#[test]
fn a_peer_that_answers_all_alike_leaves_the_promises_standing() {
    play_fixtures(b"", b"");
}

#[test]
fn a_peer_that_closes_behind_its_reply_leaves_the_promises_standing() {
    // A small buffer, one connection for each host, short writes.
    play_fixtures(b"\xff\x02", b"\xfe\x8d\x00\x00\x29\x10\x19\x02\x0a\x05\x04\x0e\x00\x06\x0c\x06");
}

#[test]
fn a_peer_that_breaks_off_leaves_the_promises_standing() {
    // It takes no more than a part of what is sent, either.
    play_fixtures(b"\xff\x01\xff\x03", b"\xfe\x52\x1b\x00\x08\x28\x09\x03\x09\x44\x0a\x72\x0e");
}

#[test]
fn every_input_that_was_kept_leaves_the_promises_standing() {
    for path in files("fuzz/corpus/client") {
        play(&fs::read(&path).expect("it can be read"), &path);
    }
}

#[test]
fn a_script_is_read_as_its_manual_says() {
    use peer::Event::*;
    let input = b"a\xff\x00b\xff\x01c\xff\x06\xff\x08\xff\x02\xff\x05\xff\x03\xff\x04\xff\x07";
    let first = vec![Bytes(b"a".into()), Stall, Bytes(b"b".into()), Bytes(b"c".into()), Bytes(b"\xff\xff\x08".into())];
    let scripts = peer::scripts(input);
    assert_eq!(scripts[0], [first, vec![Close]].concat());
    assert_eq!(scripts[1..], [vec![Reset, Await, Interrupt]]);
}
