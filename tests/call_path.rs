//! How many functions and files of this crate one GET on a kept-alive connection runs through. Each one
//! is a place that a reader of that path has to visit, so both numbers have a limit.
//!
//! `bash .ci/cost` runs it and prints the functions by file. Callgrind counts them in a debug build,
//! where a function that is called is not inlined, from the entry of `Client::send` to the end of the
//! drop of the response; the `Request` is built before, and a few GETs have made the connection.
//!
//! What counts is a function as it is written in `src/`: an inherent method, a free function, or a
//! method of a trait impl. A generic function counts once, however many instances of it run. Not
//! counted are closures, the functions that `#[derive]` makes (in the debug information they have the
//! line of the attribute), and the functions of std and of the dependencies, also where they are
//! instantiated for types of this crate (`drop_in_place`, `Option::map`). The files are those in which
//! the counted functions are written.
#![cfg(target_os = "linux")]

#[path = "support/counted.rs"]
mod counted;
mod support;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::{env, fs};

use longwire::{Client, Request, Url};
use support::peer::{Peer, answer};

const FILES_MAX: usize = 22;
const FUNCTIONS_MAX: usize = 130;

const URL_VARIABLE: &str = "LONGWIRE_TEST_URL";

/// GETs before the one that is counted: the first connects, the next reuses the connection.
const WARM_UP: u64 = 3;

// ---- what is counted ----

/// Callgrind finds this function by its name.
#[inline(never)]
fn send_and_drop(client: &Client, request: Request<'_>, buffer: &mut [u8]) -> usize {
    let mut response = client.send(request).expect("an answer");
    let mut total = 0;
    loop {
        match response.read(buffer).expect("a whole body") {
            0 => break,
            count => total += count,
        }
    }
    drop(response);
    total
}

fn gets(url: &Url) {
    let client = Client::new();
    let mut buffer = [0; 64];
    let request = || client.get(url).build().expect("a request");
    for _ in 0..WARM_UP {
        let mut response = client.send(request()).expect("an answer");
        while response.read(&mut buffer).expect("a whole body") > 0 {}
    }
    assert_eq!(send_and_drop(&client, request(), &mut buffer), 5);
}

fn peer() -> Peer {
    Peer::answering(answer("200 OK", "Server: test\r\nContent-Type: text/plain\r\n", "hello"))
}

/// A test by itself, and the child that callgrind runs below, with the peer in the parent.
#[test]
fn the_gets_share_one_connection() {
    if let Ok(url) = env::var(URL_VARIABLE) {
        return gets(&url.parse().expect("a URL"));
    }
    let peer = peer();
    gets(&peer.url("/path?query=1").parse().expect("a URL"));
    assert_eq!(peer.connections(), 1);
}

// ---- the profile ----

/// By their file and the line that they begin at, which all instances of a generic function have in common.
type Functions = BTreeMap<PathBuf, BTreeMap<usize, String>>;

/// The functions of which an instruction was executed, from a profile in the format of callgrind (Valgrind's
/// manual, "Callgrind Format Specification").
///
/// `fl=` and `fn=` begin a function, and a line of it is its number and its cost. `fi=` and `fe=` change
/// the file, for what is inlined. The line that follows `calls=` has the cost of the callee.
fn functions(profile: &str) -> Functions {
    let mut first_lines = BTreeMap::new();
    let (mut file, mut name, mut is_inlined, mut is_call) = ("", "", false, false);
    for line in profile.lines() {
        match line.split_once('=') {
            Some(("fl", path)) => file = path,
            Some(("fn", symbol)) => (name, is_inlined) = (symbol, false),
            Some(("fi" | "fe", path)) => is_inlined = path != file,
            Some(("calls", _)) => is_call = true,
            Some(_) => {}
            None => {
                let number = line.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
                // What the compiler adds has the line 0.
                if number > 0 && !is_call && !is_inlined {
                    let first: &mut usize = first_lines.entry((file, name)).or_insert(number);
                    *first = number.min(*first);
                }
                is_call = false;
            }
        }
    }
    let mut functions = Functions::new();
    for ((file, name), line) in first_lines {
        functions.entry(file.into()).or_default().insert(line, name.to_owned());
    }
    functions
}

/// Of the functions those that stand in files of this folder and count, by the paths in it.
fn counted_in(folder: &Path, functions: Functions) -> Functions {
    let mut counted = Functions::new();
    for (file, mut functions) in functions {
        let Ok(path) = file.strip_prefix(folder) else { continue };
        let source = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let source: Vec<&str> = source.lines().collect();
        functions.retain(|line, name| !is_closure(name) && !source[line - 1].trim_start().starts_with("#[derive("));
        if !functions.is_empty() {
            counted.insert(path.to_owned(), functions);
        }
    }
    counted
}

/// By the name in rustc's legacy mangling, and in v0.
fn is_closure(name: &str) -> bool {
    name.contains("{{closure}}") || name.contains("{closure#")
}

const PROFILE: &str = "# callgrind format
positions: line
events: Ir

fl=/crate/src/pool.rs
fn=crate::pool::Pool::lease<u8>
80 3
fi=/std/option.rs
7 2
fe=/crate/src/pool.rs
79 4
cfi=/crate/src/conn.rs
cfn=crate::conn::Conn::probe
calls=1 12
3 90

fn=crate::pool::Pool::lease<u16>
79 4

fn=crate::pool::Pool::trim
0 6
fi=/std/option.rs
9 1

fl=/std/option.rs
fn=core::option::Option<crate::pool::Lease>::map
7 2
";

#[test]
fn a_profile_has_each_function_at_its_first_line() {
    let option = (7, "core::option::Option<crate::pool::Lease>::map".to_owned());
    let lease = (79, "crate::pool::Pool::lease<u8>".to_owned());
    let expected = [("/crate/src/pool.rs".into(), [lease].into()), ("/std/option.rs".into(), [option].into())];
    assert_eq!(functions(PROFILE), Functions::from(expected));
}

// ---- the limits ----

#[test]
#[ignore = "needs valgrind and a debug build: bash .ci/cost"]
fn one_get_runs_through_few_files_and_functions() {
    if !cfg!(debug_assertions) {
        panic!("a release build inlines most functions: bash .ci/cost");
    }
    let peer = peer();
    let url = peer.url("/path?query=1");
    let variables = [(URL_VARIABLE, url.as_str())];
    let profile = counted::profile("the_gets_share_one_connection", "call_path::send_and_drop*", &variables);
    assert_eq!(peer.connections(), 1, "the counted GET reuses the connection");

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let found = counted_in(&folder, functions(&profile));
    for (path, functions) in &found {
        println!("{}: {}", path.display(), functions.len());
        for (line, name) in functions {
            println!("    {line:4} {name}");
        }
    }
    let (files, count) = (found.len(), found.values().map(BTreeMap::len).sum::<usize>());
    println!("one GET: {files} files (limit {FILES_MAX}), {count} functions (limit {FUNCTIONS_MAX})");
    let has_send =
        found.values().flat_map(BTreeMap::values).any(|name| name.contains("Client") && name.ends_with("::send"));
    assert!(has_send, "Client::send is not among them: is there no debug information?");
    assert!(files <= FILES_MAX && count <= FUNCTIONS_MAX, "one GET runs through more than the limits");
}
