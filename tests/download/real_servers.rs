//! Real servers, behind a relay that cuts: nginx and Apache have entity tags and ranges, Python's http.server
//! has neither.
//!
//! Every test is ignored by name unless asked for: `cargo test --test download real_servers --
//! --include-ignored`.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime};

use longwire::{Client, Download, ErrorKind, Method, Request};

use crate::relay::Relay;
use crate::servers::{Kind, Server, Setup, checks_of, pattern};
use crate::{Folder, content, read};

checks_of!(
    nginx,
    super::Kind::Nginx,
    "needs nginx: run with --include-ignored (.ci/run does)",
    [a_file_comes_whole_through_every_cut, a_file_that_is_replaced_meanwhile_is_never_mixed]
);

checks_of!(
    apache,
    super::Kind::Apache,
    "needs apache2-bin: run with --include-ignored (.ci/run does)",
    [a_file_comes_whole_through_every_cut, a_file_that_is_replaced_meanwhile_is_never_mixed]
);

checks_of!(
    python10,
    super::Kind::Python10,
    "needs python3: run with --include-ignored (.ci/run does)",
    [a_server_without_ranges_begins_anew_or_is_vouched_for]
);

checks_of!(
    python11,
    super::Kind::Python11,
    "needs python3: run with --include-ignored (.ci/run does)",
    [a_server_without_ranges_begins_anew_or_is_vouched_for]
);

const BYTES: usize = 4 << 20;

/// A server with a large file that has not changed for an hour, behind a relay.
fn start(kind: Kind, cuts_max: usize) -> (Server, Relay) {
    let server = Server::start(kind, Setup { large_bytes: BYTES, ..Setup::default() });
    age(&server.www().join("large.bin"), 3600);
    let relay = Relay::start(server.addr(), cuts_max);
    (server, relay)
}

/// Makes a file older. The date of a new one is no validator yet, and Apache's tag a weak one.
fn age(file: &Path, seconds: u64) {
    let file = File::options().write(true).open(file).expect("the file");
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).expect("another date");
}

fn begin(relay: &Relay) -> Download {
    let request = Request::new(Method::GET, relay.url("/large.bin")).expect("a request");
    Download::new(&Client::new(), request).expect("a head")
}

fn a_file_comes_whole_through_every_cut(kind: Kind) {
    let (_server, relay) = start(kind, usize::MAX);
    let mut download = begin(&relay);
    assert_eq!(download.length(), Some(BYTES as u64));
    assert!(read(&mut download).expect("all of it") == pattern(BYTES));
    assert!(download.resumed() >= 20, "{download:?}");

    let folder = Folder::new();
    let saved = begin(&relay).save_to(folder.path("large.bin")).expect("all of it");
    assert!(saved.resumed >= 20 && content(&folder.path("large.bin")) == pattern(BYTES), "{saved:?}");
}

fn a_file_that_is_replaced_meanwhile_is_never_mixed(kind: Kind) {
    let newer: Vec<u8> = pattern(BYTES).into_iter().map(|byte| !byte).collect();
    let replace = |server: &Server, bytes: &[u8], age_seconds| {
        fs::write(server.www().join("new"), bytes).expect("a file");
        age(&server.www().join("new"), age_seconds);
        fs::rename(server.www().join("new"), server.www().join("large.bin")).expect("in its place");
    };
    let (server, relay) = start(kind, usize::MAX);
    let mut download = begin(&relay);
    assert_eq!(download.read(&mut [0; 100]).expect("the beginning"), 100);
    replace(&server, &newer, 1800);
    assert_eq!(read(&mut download).expect_err("it has changed").kind(), ErrorKind::Changed);

    let folder = Folder::new();
    let mut download = begin(&relay);
    replace(&server, &pattern(BYTES), 900);
    download.save_to(folder.path("large.bin")).expect("all of the other");
    assert!(content(&folder.path("large.bin")) == pattern(BYTES));
}

fn a_server_without_ranges_begins_anew_or_is_vouched_for(kind: Kind) {
    let (_server, relay) = start(kind, 1);
    let mut download = begin(&relay);
    assert!(download.validator().is_some_and(|date| date.ends_with("GMT")), "{download:?}");
    assert_eq!(read(&mut download).expect_err("no proof").kind(), ErrorKind::Changed);

    let (_server, relay) = start(kind, 1);
    let mut download = begin(&relay).assume_unchanged();
    assert!(read(&mut download).expect("all of it") == pattern(BYTES));
    assert_eq!((download.resumed(), relay.cuts()), (1, 1));

    let (_server, relay) = start(kind, 1);
    let folder = Folder::new();
    let saved = begin(&relay).save_to(folder.path("large.bin")).expect("all of it, from its first byte on");
    assert!(content(&folder.path("large.bin")) == pattern(BYTES), "{saved:?}");
}
