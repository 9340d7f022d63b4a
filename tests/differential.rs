//! One reply, three clients: longwire, Python's h11 and hyper must make the same of it.
//!
//! All fixtures and some thousands of mutations of them go to each. Where two do not agree,
//! either longwire is wrong, or it is on purpose: then `differential/decisions.rs` has a rule for
//! it and `differential/README.md` its section of the RFC. A disagreement without a rule fails, and
//! so does a rule without a disagreement.
//!
//! `cargo test --test differential -- --ignored` gets h11 and hyper by itself (`prepare`).

#[path = "differential/decisions.rs"]
mod decisions;
#[path = "support/fixture.rs"]
mod fixture;
#[path = "differential/longwire_client.rs"]
mod longwire_client;
mod support;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use decisions::{DECISIONS, Decision};
use serde_json::{Value, json};
use support::random::Random;

/// Mutations of each fixture.
const MUTATIONS: usize = 32;

/// Larger fixtures are not mutated: what is special about them is their size.
const MUTATED_BYTES_MAX: usize = 2048;

/// Disagreements of one kind that are shown.
const SHOWN_MAX: usize = 6;

/// What a server sends before it closes, and the method that was asked with.
struct Case {
    name: String,
    method: String,
    bytes: Vec<u8>,
}

/// How a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The body is proven whole.
    Complete,
    /// It breaks a rule.
    Refused,
    /// The connection ended too soon.
    Cut,
}

/// What a client makes of a reply.
#[derive(Clone, Debug)]
struct Outcome {
    /// `None`: there was no response.
    status: Option<u16>,
    /// Names in lower case, sorted by them; those of one name in their order.
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    end: End,
    /// True if another request may go out on the connection.
    reuse: bool,
    why: String,
}

impl Outcome {
    fn sorted(mut self) -> Outcome {
        self.fields.sort_by(|a, b| a.0.cmp(&b.0));
        self
    }

    fn is_complete(&self) -> bool {
        self.end == End::Complete
    }

    fn from_json(line: &str) -> Outcome {
        let value: Value = serde_json::from_str(line).expect("an outcome is JSON");
        let bytes = |value: &Value| from_hex(value.as_str().unwrap_or_default());
        let field = |field: &Value| (field[0].as_str().unwrap_or_default().to_lowercase(), bytes(&field[1]));
        let end = match value["end"].as_str() {
            Some("complete") => End::Complete,
            Some("refused") => End::Refused,
            Some("cut") => End::Cut,
            other => panic!("an outcome ends as {other:?}"),
        };
        let outcome = Outcome {
            status: value["status"].as_u64().map(|status| u16::try_from(status).expect("it has three digits")),
            fields: value["fields"].as_array().into_iter().flatten().map(field).collect(),
            body: bytes(&value["body"]),
            end,
            reuse: value["reuse"].as_bool().unwrap_or_default(),
            why: value["why"].as_str().unwrap_or_default().to_owned(),
        };
        outcome.sorted()
    }
}

/// In what two outcomes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Aspect {
    /// Only longwire takes it as whole.
    WeAccept,
    /// Only the other does.
    TheyAccept,
    Status,
    Fields,
    Body,
    /// Only longwire would use the connection again.
    WeReuse,
    /// Only the other would.
    TheyReuse,
}

/// Whom longwire is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Peer {
    H11,
    Hyper,
}

/// In what two outcomes differ.
fn differences(ours: &Outcome, theirs: &Outcome) -> Vec<Aspect> {
    let both_respond = ours.status.is_some() && theirs.status.is_some();
    let both_complete = ours.is_complete() && theirs.is_complete();
    // How much of a body comes before a fault is a matter of taste.
    let is_same_body = match both_complete {
        true => ours.body == theirs.body,
        false => ours.body.starts_with(&theirs.body) || theirs.body.starts_with(&ours.body),
    };
    let aspects = [
        (Aspect::WeAccept, ours.is_complete() && !theirs.is_complete()),
        (Aspect::TheyAccept, !ours.is_complete() && theirs.is_complete()),
        (Aspect::Status, both_respond && ours.status != theirs.status),
        (Aspect::Fields, both_respond && ours.fields != theirs.fields),
        (Aspect::Body, !is_same_body),
        (Aspect::WeReuse, both_complete && ours.reuse && !theirs.reuse),
        (Aspect::TheyReuse, both_complete && !ours.reuse && theirs.reuse),
    ];
    aspects.into_iter().filter(|(_, differs)| *differs).map(|(aspect, _)| aspect).collect()
}

#[test]
#[ignore = "needs python3, and a registry for h11 and hyper: .ci/run has them"]
fn longwire_h11_and_hyper_make_the_same_of_every_reply() {
    let cases = cases();
    assert!(cases.len() >= 10_000, "only {} cases", cases.len());
    let [h11, hyper] = prepare();
    let (h11, hyper) = thread::scope(|scope| {
        let h11 = scope.spawn(|| ask(h11, &cases));
        (h11.join().expect("h11's driver works"), ask(hyper, &cases))
    });
    let ours: Vec<_> = cases.iter().map(|case| longwire_client::outcome(&case.method, &case.bytes)).collect();
    let mut unruled = BTreeMap::<(Peer, Aspect), Vec<String>>::new();
    let mut used = BTreeMap::<&str, usize>::new();
    let mut agreed = 0;
    for (peer, outcomes) in [(Peer::H11, &h11), (Peer::Hyper, &hyper)] {
        for ((case, ours), theirs) in cases.iter().zip(&ours).zip(outcomes) {
            let aspects = differences(ours, theirs);
            agreed += usize::from(aspects.is_empty());
            for aspect in aspects {
                match decisions::find(peer, aspect, case, ours, theirs) {
                    Some(decision) => *used.entry(decision.name).or_default() += 1,
                    None => unruled.entry((peer, aspect)).or_default().push(shown(case, ours, theirs)),
                }
            }
        }
    }
    println!("{} cases, {agreed} of {} comparisons agree in all", cases.len(), 2 * cases.len());
    used.iter().for_each(|(name, count)| println!("{count:5} {name}"));
    let mut message = String::new();
    for ((peer, aspect), cases) in &unruled {
        let some = cases[..cases.len().min(SHOWN_MAX)].join("\n");
        message += &format!("\n{peer:?}: {aspect:?}, {} times:\n{some}\n", cases.len());
    }
    assert!(unruled.is_empty(), "disagreements without a rule:{message}");
    let unused = DECISIONS.iter().filter(|decision| !used.contains_key(decision.name));
    let unused: Vec<_> = unused.map(|decision| decision.name).collect();
    assert!(unused.is_empty(), "rules without a disagreement: {unused:?}");
}

#[test]
fn every_decision_has_a_row_with_its_reason_and_every_row_a_decision() {
    let readme = include_str!("differential/README.md");
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows.len(), DECISIONS.len());
    for (Decision { name, .. }, row) in DECISIONS.iter().zip(rows) {
        assert!(row.starts_with(&format!("| `{name}` |")), "{name} is not in its place: {row}");
        assert!(row.contains("RFC 9"), "{name} names no section: {row}");
    }
}

#[test]
fn a_difference_in_any_aspect_is_seen() {
    let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
    let ours = longwire_client::outcome("GET", reply);
    assert_eq!((ours.status, &ours.body[..], ours.end, ours.reuse), (Some(200), &b"ab"[..], End::Complete, true));
    assert_eq!(ours.fields, [("content-length".to_owned(), b"2".to_vec())]);
    assert_eq!(differences(&ours, &ours), []);
    let spoilt = |spoil: fn(&mut Outcome)| {
        let mut theirs = ours.clone();
        spoil(&mut theirs);
        [differences(&ours, &theirs), differences(&theirs, &ours)].map(|aspects| aspects[..1].to_vec())
    };
    assert_eq!(spoilt(|theirs| theirs.end = End::Cut), [[Aspect::WeAccept], [Aspect::TheyAccept]]);
    assert_eq!(spoilt(|theirs| theirs.status = Some(201)), [[Aspect::Status]; 2]);
    assert_eq!(spoilt(|theirs| theirs.fields.clear()), [[Aspect::Fields]; 2]);
    assert_eq!(spoilt(|theirs| theirs.body.push(b'c')), [[Aspect::Body]; 2]);
    assert_eq!(spoilt(|theirs| theirs.reuse = false), [[Aspect::WeReuse], [Aspect::TheyReuse]]);
}

fn shown(case: &Case, ours: &Outcome, theirs: &Outcome) -> String {
    let bytes = &case.bytes[..case.bytes.len().min(400)];
    let outcome = |outcome: &Outcome| {
        let Outcome { status, body, end, reuse, why, .. } = outcome;
        format!("{status:?} {end:?} {} bytes, reuse {reuse} {why}", body.len())
    };
    let (ours, theirs) = (outcome(ours), outcome(theirs));
    format!(
        "  {} ({}): \"{}\"\n    longwire: {ours}\n    other:    {theirs}",
        case.name,
        case.method,
        bytes.escape_ascii()
    )
}

/// Replies that a decision is about and no fixture is.
const OTHERS: [(&str, &[u8]); 6] = [
    ("extension-unknown", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;;=\"\r\nhello\r\n0\r\n\r\n"),
    ("coding-before-comma", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked,\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("close-beside-obs-text", b"HTTP/1.1 200 OK\r\nConnection: \xe9, close\r\nContent-Length: 5\r\n\r\nhello"),
    ("minor-version-nine", b"HTTP/1.9 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    (
        "length-in-interim",
        b"HTTP/1.1 103 Hints\r\nContent-Length: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    ("bad-length-in-trailers", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: x\r\n\r\n"),
];

/// The fixtures, and the same mutations of each on every run, whatever fixtures there are besides.
fn cases() -> Vec<Case> {
    let others = OTHERS.map(|(name, bytes)| Case { name: name.into(), method: "GET".into(), bytes: bytes.into() });
    let mut cases = Vec::from(others);
    for fixture::Fixture { name, bytes, expect } in fixture::all() {
        if bytes.len() <= MUTATED_BYTES_MAX {
            let mut random = Random(fixture::fnv1a(name.as_bytes()) | 1);
            cases.extend((0..MUTATIONS).map(|which| Case {
                name: format!("{name}, mutation {which}"),
                method: expect.method.clone(),
                bytes: mutate(&mut random, &bytes),
            }));
        }
        cases.push(Case { name, method: expect.method, bytes });
    }
    cases
}

/// Changes a few places; for the most part not many of them.
fn mutate(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    const WORDS: [&[u8]; 36] = [
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b";",
        b",",
        b"=",
        b"\"",
        b"+",
        b"-",
        b"0",
        b"1",
        b"5",
        b"a",
        b"F",
        b"x",
        b"\0",
        b"\x0b",
        b"\x7f",
        b"\xe9",
        b"\r\n\r\n",
        b"0\r\n\r\n",
        b"\r\n ",
        b"HTTP/1.0 ",
        b"HTTP/1.1 ",
        b"100",
        b"204",
        b"\r\nContent-Length: 5",
        b"\r\nTransfer-Encoding: chunked",
        b"\r\nConnection: close",
        b"\r\nConnection: keep-alive",
        b"\r\nA: b",
        b";x=\"y\"",
        b", chunked",
    ];
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(3) {
        let (at, word) = (random.below(bytes.len()), WORDS[random.below(WORDS.len())]);
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..(at + 1).min(bytes.len()), [])),
            2 => drop(bytes.splice(at..(at + word.len()).min(bytes.len()), word.iter().copied())),
            3 => repeat_line(&mut bytes, at),
            _ => drop(bytes.splice(at..at, word.iter().copied())),
        }
    }
    bytes
}

/// Says the line at that place once more.
fn repeat_line(bytes: &mut Vec<u8>, at: usize) {
    let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length + 1);
    let line = bytes[start..end].to_vec();
    bytes.splice(start..start, line);
}

/// Gets the two other clients, and gives the commands that run them.
fn prepare() -> [Command; 2] {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("differential");
    std::fs::create_dir_all(&folder).expect("the target folder is ours");
    let status = Command::new("bash").arg(here.join("prepare")).arg(&folder).status();
    assert!(status.expect("there is a bash").success(), "h11 and hyper could not be got");
    let mut h11 = Command::new(folder.join("venv/bin/python"));
    h11.arg(here.join("h11_client.py"));
    [h11, Command::new(folder.join("hyper/debug/differential-hyper"))]
}

/// What another client makes of the cases.
fn ask(mut client: Command, cases: &[Case]) -> Vec<Outcome> {
    let mut child = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it was prepared");
    let (mut input, mut output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let mut text = String::new();
    thread::scope(|scope| {
        scope.spawn(move || {
            for case in cases {
                let line = json!({ "method": case.method, "bytes": hex(&case.bytes) });
                writeln!(input, "{line}").expect("the client reads all cases");
            }
        });
        output.read_to_string(&mut text).expect("outcomes are text");
    });
    assert!(child.wait().expect("it is our child").success(), "{client:?} has failed");
    let outcomes: Vec<_> = text.lines().map(Outcome::from_json).collect();
    assert_eq!(outcomes.len(), cases.len(), "{client:?} did not answer all");
    outcomes
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    digits.map(char::from).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("bytes are in hexadecimal");
    (0..text.len()).step_by(2).map(pair).collect()
}
