//! The picture: well-formed, a row for each exchange, and the marks that tell reuse.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread;

use longwire::har::Recorder;
use longwire::{Client, Event, Retry};
use serde_json::json;

use crate::demands::entries;
use crate::support::peer::{Peer, ok};
use crate::support::uncoded;
use crate::xml::{Element, elements};
use crate::{HOST, get, recorded};
use longwire::script::{Script, connection, raw, reply};

/// The texts with this in them.
fn texts<'e>(elements: &'e [Element], part: &str) -> Vec<&'e str> {
    elements.iter().filter(|element| element.name == "text" && element.text.contains(part)).map(|e| &*e.text).collect()
}

/// Rings (connections that were opened) and dots (that were reused), but for those of the legend.
fn marks(elements: &[Element]) -> (usize, usize) {
    let circles = elements.iter().filter(|element| element.name == "circle");
    let (rings, dots): (Vec<&Element>, Vec<&Element>) =
        circles.partition(|mark| mark.attribute("fill") == Some("#ffffff"));
    (rings.len() - 1, dots.len() - 1)
}

#[test]
fn reuse_is_drawn_as_a_mark_and_told_of_each_connection() {
    let script = Script::new().on("GET /a", reply(302).header("Location", "/b")).on_with("*", |seen| {
        reply(200).header("Connection", if seen.target() == "/c" { "close" } else { "keep-alive" }).body("x")
    });
    let (client, recorder) = recorded(&script);
    for path in ["/a", "/c", "/d"] {
        get(&client, path);
    }
    let found = elements(&recorder.waterfall());
    assert_eq!(marks(&found), (2, 2));
    assert_eq!(texts(&found, "4 exchanges on 2 connections in ").len(), 1);
    let rows: Vec<&str> = texts(&found, "GET /");
    assert_eq!(rows, ["GET /a", "GET /b", "GET /c", "GET /d"]);
    assert_eq!(texts(&found, "302"), ["302"]);
    let cards: Vec<&Element> =
        found.iter().filter(|element| element.name == "tspan" && element.text.contains("reused")).collect();
    assert!(cards[0].text.contains("http://memory.test, reused 2 times"), "{:?}", cards[0]);
    assert!(cards[1].text.contains("not reused"), "{:?}", cards[1]);
    let tooltips: Vec<&Element> = found.iter().filter(|element| element.name == "title").collect();
    assert_eq!(tooltips.len(), 4);
    assert!(tooltips[1].text.starts_with("GET http://memory.test/b\n200 OK\non connection "), "{:?}", tooltips[1]);
    assert!(
        tooltips[1].text.contains(", its exchange 2\n") && tooltips[1].text.contains("\nwait "),
        "{:?}",
        tooltips[1]
    );
}

#[test]
fn a_connection_that_was_opened_ahead_is_new_to_its_first_exchange() {
    let (client, recorder) = recorded(&Script::answering(reply(200).body("x")));
    assert_eq!(client.connect_ahead(HOST, 1).expect("a connection"), 1);
    get(&client, "/1");
    let card = |text: &str| {
        let found = elements(&recorder.waterfall());
        let cards = found.iter().filter(|element| element.name == "tspan" && element.text.contains(text)).count();
        (cards, marks(&found))
    };
    assert_eq!(card("http://memory.test, opened ahead, not reused"), (1, (1, 0)));
    assert!(recorder.waterfall().contains(", which was opened ahead\n"));
    get(&client, "/2");
    assert_eq!(card("http://memory.test, opened ahead, reused once"), (1, (1, 1)));
    recorder.clear();
    get(&client, "/3");
    assert_eq!(card("http://memory.test, reused 2 times"), (1, (0, 1)));
    let timings = &entries(&recorder)[0]["timings"];
    assert_eq!((&timings["dns"], &timings["connect"], &timings["ssl"]), (&json!(-1), &json!(-1), &json!(-1)));
}

/// A retry begins with its wait, in which the connection serves others.
#[test]
fn the_rows_of_a_connection_are_in_its_order_and_no_line_leads_back() {
    let script = Script::new().on("GET /busy", reply(503)).then(reply(200)).on("GET /other", reply(200));
    let (client, recorder) = (Arc::new(OnceLock::<Client>::new()), Recorder::new());
    let shared = client.clone();
    // On a thread of its own, as another call would be: while the first one is about to wait.
    let meanwhile = move |event: &Event<'_>| {
        if let Event::Retry { .. } = event {
            thread::scope(|scope| drop(scope.spawn(|| get(shared.get().expect("a client"), "/other"))));
        }
    };
    let builder = uncoded().connector(script).observer(recorder.clone()).observer(meanwhile).retry(Retry::new(1));
    get(client.get_or_init(|| builder.build()), "/busy");

    let found = elements(&recorder.waterfall());
    assert_eq!(texts(&found, "GET /"), ["GET /busy", "GET /other", "GET /busy"]);
    let paths: Vec<&str> = found.iter().filter_map(|element| element.attribute("d")).collect();
    assert_eq!(paths.len(), 2);
    for path in paths {
        let x: Vec<f64> = path.split(['M', ' ', 'H', 'V']).filter_map(|number| number.parse().ok()).collect();
        assert!(x[0] <= x[2] + 2.0, "{path}"); // a bar may be wider than it was long, to be seen
    }
}

#[test]
fn the_same_recording_is_the_same_picture() {
    let (client, recorder) = recorded(&Script::answering(reply(200).body("x")));
    get(&client, "/");
    let _open = client.get(format!("{HOST}/open")).send().expect("a response");
    let picture = recorder.waterfall();
    assert_eq!(recorder.waterfall(), picture);
    assert!(picture.contains("under way"), "{picture}");
}

#[test]
fn failures_are_told_beside_their_bars() {
    let script = Script::new()
        .connection(connection().exchange(raw("").close()))
        .connection(connection().exchange(reply(200).body("hello").cut_after(40)))
        .connection(connection().exchange(raw("HTTP/1.1 503 Away\r\nContent-Length: 9\r\n\r\n")));
    let (client, recorder) = recorded(&script);
    let none = client.get(format!("{HOST}/none")).send().expect_err("no response");
    let cut = client.get(format!("{HOST}/cut")).send().expect("a response").text().expect_err("it is cut");
    drop(client.get(format!("{HOST}/left")).send().expect("a response"));
    client.get(format!("{HOST}/refused")).send().expect_err("no connection is left");
    let found = elements(&recorder.waterfall());
    assert_eq!(texts(&found, "4 exchanges on 3 connections").len(), 1);
    assert_eq!(texts(&found, ", 3 failed").len(), 1);
    assert_eq!((texts(&found, "error").len(), texts(&found, "503").len()), (2, 1));
    assert_eq!(texts(&found, "left unread").len(), 1);
    // As much of the error as there is room for, and all of it to whom points at the row.
    let is_note = |element: &&Element| element.attribute("font-size") == Some("11") && element.text.contains(", ");
    let notes: Vec<&Element> = found.iter().filter(is_note).collect();
    assert_eq!(notes.len(), 4, "{notes:?}");
    assert!(notes.iter().all(|note| !note.text.contains(HOST)), "{notes:?}");
    for error in [none, cut] {
        let error = error.to_string();
        assert!(found.iter().any(|element| element.name == "title" && element.text.contains(&error)), "{error}");
    }
    assert!(found.iter().any(|element| element.name == "tspan" && element.text == "no connection"));
}

#[test]
fn what_means_something_to_xml_is_escaped() {
    let odd = raw("HTTP/1.1 200 <b>\"&']]>\r\nContent-Length: 0\r\n\r\n");
    let script = Script::new().on("*", odd);
    let (client, recorder) = recorded(&script);
    client
        .request(longwire::Method::new("A&B'").expect("a token"), format!("{HOST}/<a>&\"'b\"?c=<d>"))
        .send()
        .expect("a response");
    let found = elements(&recorder.waterfall());
    assert_eq!(texts(&found, "A&B' /%3Ca%3E&%22'b%22?\u{2026}").len(), 1, "{found:#?}");
    let tooltip = found.iter().find(|element| element.name == "title").expect("a tooltip");
    assert!(tooltip.text.contains("200 <b>\"&']]>"), "{tooltip:?}");
}

#[test]
fn a_long_path_is_cut() {
    let (client, recorder) = recorded(&Script::answering(reply(200).body("x")));
    get(&client, &format!("/{}", "a".repeat(5_000)));
    let found = elements(&recorder.waterfall());
    let [label] = texts(&found, "GET /")[..] else { panic!("one row") };
    assert!(label.chars().count() < 50 && label.ends_with('\u{2026}'), "{label}");
}

#[test]
fn an_empty_recording_is_a_picture_too() {
    let found = elements(&Recorder::new().waterfall());
    assert_eq!(found[0].name, "svg");
    assert_eq!(texts(&found, "0 exchanges on 0 connections"), ["0 exchanges on 0 connections"]);
}

/// So it may stand in Markdown, or in a page with others.
#[test]
fn a_picture_has_no_blank_line_no_script_and_no_name() {
    let (client, recorder) = recorded(&Script::answering(reply(200).body("x")));
    get(&client, "/");
    let picture = recorder.waterfall();
    assert!(picture.lines().all(|line| !line.trim().is_empty()));
    for element in elements(&picture) {
        assert!(!["script", "style", "image", "foreignObject", "use"].contains(&&*element.name), "{element:?}");
        assert!(["id", "class", "href", "onload"].iter().all(|name| element.attribute(name).is_none()), "{element:?}");
    }
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn another_reader_of_xml_takes_the_picture() {
    let peer = Peer::answering(ok("x"));
    let recorder = Recorder::new();
    let client = uncoded().observer(recorder.clone()).no_proxy().build();
    client.get(peer.url("/?<a>&b")).send().expect("a response").text().expect("a body");
    let script = "import sys, xml.etree.ElementTree as tree\nprint(tree.parse(sys.stdin).getroot().tag)";
    let mut python = Command::new("python3");
    let mut child = python.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
    child.stdin.take().expect("a pipe").write_all(recorder.waterfall().as_bytes()).expect("python3 reads");
    let output = child.wait_with_output().expect("python3 runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "{http://www.w3.org/2000/svg}svg", "{output:?}");
}
