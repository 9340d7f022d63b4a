//! The example `follow`: its table of steps names functions that exist, in the files that have them, and sections
//! that longwire cites; and the stories that it tells are what happens.
//!
//! The example is compiled into this program and told into memory, so that this needs no child process.

#[path = "../examples/follow/main.rs"]
#[allow(dead_code, reason = "its main function is this program's libtest")]
mod follow;
#[path = "support/source_tree.rs"]
mod source_tree;
mod support;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use follow::steps::{Key, STEPS, Step};
use source_tree::{defines, read};
use support::peer::{Peer, Refusing, answer, ok};

/// Steps that no test here can have told: a name is not looked up on loopback, and TLS needs a feature.
const UNTOLD: [Key; 2] = [Key::LookedUp, Key::Secured];

/// What was told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<u8>>>);

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer has panicked").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs the example: its exit status, and its output as it is.
fn run(url: Option<&str>) -> (u8, String) {
    run_within(Duration::from_secs(10), url)
}

/// The same with a timeout of one's own, for each request.
fn run_within(timeout: Duration, url: Option<&str>) -> (u8, String) {
    let told = Told::default();
    let status = follow::execute(url, timeout, Box::new(told.clone()));
    let text = told.0.lock().expect("no writer has panicked").clone();
    (status, String::from_utf8(text).expect("it is UTF-8"))
}

/// The same text on one line, without the breaks that come of the width.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The part of the story that has this number.
fn act(text: &str, number: u32) -> String {
    let (_, after) = text.split_once(&format!("\n\n{number}. ")).expect("it is told");
    unwrapped(after.split_once(&format!("\n\n{}. ", number + 1)).map_or(after, |(act, _)| act))
}

#[track_caller]
fn in_order(text: &str, wanted: &[&str]) {
    let mut rest = text;
    for want in wanted {
        let Some((_, after)) = rest.split_once(want) else { panic!("no \"{want}\" at its place in: {text}") };
        rest = after;
    }
}

/// The sections of that RFC that a text cites: `RFC 9112 §2.2, §4` are two.
fn sections(text: &str, rfc: &str) -> Vec<String> {
    let cited = text.split("RFC ").skip(1).filter_map(|after| after.strip_prefix(rfc));
    let lines = cited.filter_map(|after| after.split([')', '\n']).next());
    let numbers = lines.flat_map(|line| line.split('§').skip(1)).map(|after| {
        let end = after.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(after.len());
        after[..end].trim_end_matches('.').to_owned()
    });
    numbers.collect()
}

#[test]
fn each_function_of_the_table_is_in_its_file() {
    for Step { key, function, file, .. } in STEPS {
        let is_there = defines(&read(file), file, function);
        assert!(is_there, "examples/follow/steps.rs, {key:?}: {file} defines no {function}");
    }
}

#[test]
fn each_section_of_the_table_has_the_form_of_one_and_is_cited_in_the_sources() {
    let all: String = source_tree::files("src", ".rs").iter().map(|file| read(file)).collect();
    let mut own = 0;
    for Step { key, rule, file, .. } in STEPS.iter().filter(|step| !step.rule.is_empty()) {
        let parts = rule.strip_prefix("RFC ").and_then(|rest| rest.split_once(" §"));
        let (rfc, section) = parts.unwrap_or_else(|| panic!("{key:?}: {rule}"));
        assert!(rfc.len() == 4 && rfc.parse::<u16>().is_ok(), "{key:?}: {rule}");
        assert!(section.split('.').all(|number| number.parse::<u8>().is_ok()), "{key:?}: {rule}");
        // `net` knows no HTTP, so what decides there is cited elsewhere.
        let is_in = |text: &str| sections(text, rfc).iter().any(|cited| cited == section);
        own += u32::from(is_in(&read(file)));
        assert!(is_in(&read(file)) || file.starts_with("src/net/") && is_in(&all), "{key:?}: {rule} in {file}");
    }
    assert!(own >= 10, "only {own} steps have their section in their own file");
}

#[test]
fn functions_and_sections_that_are_not_there_are_not_found() {
    let text = "impl<'a> Body<'a> {\n    pub(crate) fn read<T>(&self) {}\n}\n// calls fn take(x)\nfn free() {}\n";
    let defines = |path| defines(text, "src/a/framing.rs", path);
    for path in ["Body::read", "framing::free", "free"] {
        assert!(defines(path), "{path}");
    }
    for path in ["Bod::read", "Body::rea", "Body::take", "other::free", "fre"] {
        assert!(!defines(path), "{path}");
    }
    let cited = sections("(RFC 9112 §2.2, §4; RFC 9110 §15.2) §7\n/// RFC 9112 §9.3.\n", "9112");
    assert_eq!(cited, ["2.2", "4", "9.3"]);
}

#[test]
fn the_story_is_told_as_it_is() {
    let (status, text) = run(None);
    assert_eq!(status, 0, "{text}");
    in_order(
        &act(&text, 1),
        &[
            "The pool has no idle connection",
            "> GET /page HTTP/1.1\\r\\n > Host: 127.0.0.1:",
            "< HTTP/1.1 200 OK\\r\\n < Content-Length: 4800\\r\\n < \\r\\n",
            "The body ends after 4800 bytes: rule 6.",
            "RFC 9112 §6.3 framing::of_response src/wire/framing.rs",
            "The connection may carry another request",
            "The connection is back in the pool.",
            "= read() gives Ok(0)",
            "The body is whole: 4800 bytes.",
            "= 200: exchange 1 on a new connection",
        ],
    );
    in_order(
        &act(&text, 2),
        &[
            "< nothing has arrived, in a read that does not wait",
            "is reused: exchange 2 on it.",
            "The body ends at its last chunk: rule 4.",
            "proven by: LastChunk.",
            "The connection is back in the pool.",
            "= 200: exchange 2 on a reused connection",
        ],
    );
    in_order(
        &act(&text, 3),
        &[
            "< 0 bytes: the end of the stream, in a read that does not wait",
            "The idle connection is stale",
            "Connected to 127.0.0.1:",
            "> GET /note HTTP/1.1",
            "= 200: exchange 1 on a new connection",
        ],
    );
    in_order(
        &act(&text, 4),
        &[
            "is reused: exchange 2 on it.",
            "> GET /stock HTTP/1.1",
            "< 0 bytes in one read: the end of the stream",
            "GET is sent again, on a new connection",
            "RFC 9110 §9.2.2 may_retry src/client/retry.rs",
            "> GET /stock HTTP/1.1",
            "= 200: exchange 1 on a new connection",
            "the server has seen GET /stock 2 times",
        ],
    );
    in_order(
        &act(&text, 5),
        &[
            "is reused: exchange 2 on it.",
            "> POST /order HTTP/1.1",
            "> 1 lamp",
            "The call fails: kind Truncated, stage Wait, fate MaybeProcessed.",
            "POST is not sent again.",
            "times that the server has seen POST /order: 1",
        ],
    );
    in_order(
        &act(&text, 6),
        &[
            "The body ends after 4800 bytes: rule 6.",
            "The call fails: kind Truncated, stage Body, fate ResponseStarted.",
            "RFC 9112 §8 Decoder::eof src/wire/decode.rs",
            "the connection ended 2000 bytes before the body did",
        ],
    );
    assert!(!act(&text, 6).contains("read() gives Ok(0)"), "a cut is no end: {text}");
    in_order(&act(&text, 7), &["opened 4, reused 3, idle 0", "closed 1: the server had closed it", "closed 3: "]);
}

#[test]
fn every_line_of_the_story_fits_a_terminal_and_has_no_codes_for_one() {
    let (_, text) = run(None);
    assert!(text.lines().count() > 100, "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

/// What is told of two GETs to a server that answers so, in which every step has its reason once.
#[track_caller]
fn visit(peer: &Peer, wanted: &[&str]) -> String {
    let (status, text) = run(Some(&peer.url("/")));
    assert_eq!(status, 0, "{text}");
    in_order(&act(&text, 1), wanted);
    text
}

#[test]
fn of_a_url_it_is_told_how_its_responses_are_framed() {
    let no_content = Peer::answering("HTTP/1.1 204 No Content\r\n\r\n");
    let text = visit(&no_content, &["There is no body: rule 1.", "proven by: Empty.", "back in the pool", "Ok(0)"]);
    in_order(&act(&text, 2), &["is reused: exchange 2 on it.", "204: exchange 2 on a reused connection"]);

    let closing = |answer: String| {
        Peer::start(move |mut conn, _| {
            conn.request();
            conn.send(&answer);
        })
    };
    let until_close = closing("HTTP/1.1 200 OK\r\n\r\nhello".into());
    let wanted = ["where the connection ends: rule 8.", "ends after this: so does the body.", "proven by: Closed."];
    let text = visit(&until_close, &wanted);
    in_order(&act(&text, 2), &["The pool has no idle connection", "exchange 1 on a new connection"]);

    let close = closing(answer("200 OK", "Connection: close\r\n", "hello"));
    visit(&close, &["rule 6.", "ends after this: the server says Connection: close.", "proven by: Length."]);

    let http10 = closing("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi".into());
    visit(&http10, &["rule 6.", "ends after this: HTTP/1.0 without keep-alive."]);
}

#[test]
fn redirects_are_followed_and_interim_responses_told() {
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            match request.target.as_str() {
                "/" => conn.send(answer("302 Found", "Location: /there\r\n", "")),
                _ => conn.send(format!("HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n{}", ok("hello"))),
            };
        }
    });
    let wanted = [
        "The response head is complete: HTTP/1.1 302 Found.",
        "302: the next request is for http://127.0.0.1:",
        "> GET /there HTTP/1.1",
        "< HTTP/1.1 103 Early Hints\\r\\n < X: y\\r\\n < \\r\\n",
        "An interim response: HTTP/1.1 103 Early Hints.",
        "< HTTP/1.1 200 OK\\r\\n",
        "< hello",
        "The response head is complete: HTTP/1.1 200 OK.",
    ];
    visit(&peer, &wanted);
}

#[test]
fn secrets_are_not_shown_however_the_bytes_come() {
    let peer = Peer::start(|mut conn, _| {
        while conn.request().is_some() {
            conn.send_bytewise(answer("200 OK", "Set-Cookie: id=5ecret\r\n", "hello"));
        }
    });
    let (status, text) = run(Some(&peer.url("/").replace("http://", "http://user:5ecret@")));
    assert_eq!(status, 0, "{text}");
    in_order(&act(&text, 1), &["> Authorization: ***\\r\\n", "< Set-Cookie: ***\\r\\n"]);
    assert!(!text.contains("5ecret") && !text.contains("dXNlcjo1ZWNyZXQ"), "{text}");
}

#[test]
fn what_fails_is_told_with_its_stage_and_is_the_exit_status() {
    let malformed = Peer::answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx");
    let silent = Peer::start(|mut conn, _| drop(conn.request()));
    let cases = [
        (format!("http://{}/", Refusing::start().addr()), "kind Connect, stage Connect, fate NotSent."),
        (silent.url("/"), "kind Truncated, stage Wait, fate MaybeProcessed."),
        (malformed.url("/"), "stage Body, fate ResponseStarted."),
    ];
    for (url, want) in cases {
        let (status, text) = run(Some(&url));
        assert_eq!(status, 1, "{text}");
        in_order(&act(&text, 1), &["The pool has no idle connection", "The call fails: ", want]);
        assert!(!text.contains("is sent again") && !text.contains("is not sent again"), "{text}");
    }
}

/// The method has no part in that: a timeout is never a reason to send again.
#[test]
fn that_a_server_is_silent_on_a_reused_connection_is_no_question_of_sending_again() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send(ok("hello"));
        conn.request();
        conn.hold();
    });
    let (status, text) = run_within(Duration::from_secs(1), Some(&peer.url("/")));
    assert_eq!(status, 1, "{text}");
    in_order(&act(&text, 1), &["all of it within 1s.", "200: exchange 1 on a new connection"]);
    let second = act(&text, 2);
    in_order(
        &second,
        &["is reused: exchange 2 on it.", "The call fails: kind Timeout, stage Wait, fate MaybeProcessed."],
    );
    assert!(!second.contains("sent again") && !second.contains("idempotent"), "{second}");
    assert_eq!(peer.connections(), 1);
}

#[test]
fn each_step_is_told_somewhere_and_its_reason_once() {
    let peers = [
        Peer::answering("HTTP/1.1 204 No Content\r\n\r\n"),
        Peer::answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx"),
        Peer::start(|mut conn, _| {
            let interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
            match conn.request().expect("a request").target.as_str() {
                "/" => conn.send(answer("302 Found", "Connection: close\r\nLocation: /there\r\n", "")),
                _ => conn.send(format!("{interim}HTTP/1.1 200 OK\r\n\r\nuntil close")),
            };
        }),
    ];
    let mut stories = vec![run(None), run(Some(&format!("http://{}/", Refusing::start().addr())))];
    stories.extend(peers.iter().map(|peer| run(Some(&peer.url("/")))));
    let stories: Vec<String> = stories.iter().map(|(_, text)| unwrapped(text)).collect();
    for Step { key, why, .. } in STEPS {
        let counts: Vec<usize> = stories.iter().map(|text| text.matches(&unwrapped(why)).count()).collect();
        assert!(counts.iter().all(|count| *count <= 1), "{key:?}: {counts:?}");
        assert_eq!(counts.contains(&1), !UNTOLD.contains(key), "{key:?}: {counts:?}");
    }
}
