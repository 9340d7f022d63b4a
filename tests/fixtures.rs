//! The fixture corpus: recorded and made-up replies of servers, each with a claim about what a client must
//! make of it (`fixtures/README.md`). The claims are checked here; each file plays the replies in its own
//! way.
//!
//! | file | how replies are played |
//! |---|---|
//! | `fixtures/loopback.rs` | over sockets: whole, into buffers of two sizes, and byte by byte |
//! | `fixtures/splits.rs` | through `longwire::script`, the server in memory: at every split, and mutated |
//! | `fixtures/replay.rs` | through a record of that, and its replay |
//! | `fixtures/fuzz.rs` | as peers of the fuzzer's harness, together with what fuzzers have found |
//! | `src/fuzzing.rs` | through the parsers alone, together with a second reader |
//! | `differential.rs` | through h11 and hyper, too |

#[path = "support/fixture.rs"]
mod fixture;
#[path = "fixtures/fuzz.rs"]
mod fuzz;
#[path = "fixtures/judge.rs"]
mod judge;
#[path = "fixtures/loopback.rs"]
mod loopback;
#[path = "fixtures/replay.rs"]
mod replay;
#[path = "fixtures/splits.rs"]
mod splits;
mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fixture::Fixture;

/// Plays each fixture on one of some threads, and fails with all differences. `start` makes what a thread
/// needs for itself.
#[track_caller]
fn play_all<S>(threads: usize, start: impl Fn() -> S + Sync, play: impl Fn(&S, &Fixture) -> Vec<String> + Sync) {
    let fixtures = fixture::all();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let state = start();
                while let Some(fixture) = fixtures.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let differences = play(&state, fixture);
                    failures.lock().expect("no player panics with it").extend(differences);
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("no player panicked");
    failures.sort();
    let shown = &failures[..failures.len().min(40)];
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), shown.join("\n"));
}

#[test]
fn the_corpus_is_large_and_names_every_fault_of_a_peer() {
    let fixtures = fixture::all();
    assert!(fixtures.len() >= 120, "only {} fixtures", fixtures.len());
    for folder in fixture::FOLDERS {
        let of_folder = |fixture: &&Fixture| fixture.name.starts_with(folder);
        assert!(fixtures.iter().filter(of_folder).count() >= 10, "{folder}");
    }
    for kind in ["Head", "HeadTooLarge", "Framing", "Chunk", "Truncated", "Redirect", "Decode"] {
        let named = |fixture: &Fixture| fixture.expect.error.as_deref() == Some(kind);
        assert!(fixtures.iter().any(named), "no fixture has the error {kind}");
    }
}

#[test]
fn no_two_fixtures_are_the_same() {
    let mut seen = std::collections::BTreeMap::new();
    for fixture in fixture::all() {
        let expect = &fixture.expect;
        let key = (fixture.bytes, expect.method.clone(), expect.then as u8);
        if let Some(other) = seen.insert(key, fixture.name.clone()) {
            panic!("{} and {other} are the same play", fixture.name);
        }
    }
}

#[test]
fn a_malformed_claim_is_refused_with_its_line() {
    let good = "# It works.\nsection: x\nstatus: 200\nbody: \"a\"\nend: length\nreuse: kept\n";
    fixture::parse(good).expect("the good one is good");
    for (text, line) in [
        ("section: x\n", 1),
        ("# no full stop\n", 1),
        ("# It works.\nsection x\n", 2),
        ("# It works.\nsection: x\ncolour: red\n", 3),
        ("# It works.\nsection: x\nsection: y\n", 3),
        ("# It works.\nsection: x\nstatus: two\n", 3),
        ("# It works.\nsection: x\nbody: bare\n", 3),
        ("# It works.\nsection: x\nbody: \"\\q\"\n", 3),
        ("# It works.\nsection: x\nbody: \"\\xg0\"\n", 3),
        ("# It works.\nsection: x\nerror: Heed\n", 3),
        ("# It works.\nsection: x\nstatus: 200\n", 3),
        ("# It works.\nsection: x\nerror: Head\n", 3),
        ("# It works.\nsection: x\nerror: Head\nstage: Body\n", 4),
    ] {
        match fixture::parse(text) {
            Err((at, what)) => assert_eq!(at, line, "{text:?}: {what}"),
            Ok(_) => panic!("taken: {text:?}"),
        }
    }
}
