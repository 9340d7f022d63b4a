//! Exchanges that fail: each is an entry, with the error, up to where it came.

use std::sync::mpsc;
use std::time::Duration;
use std::{fmt, io, thread};

use longwire::har::Recorder;
use longwire::transport::Query;
use longwire::{CancelToken, ErrorKind, Event, Retry};
use serde_json::{Value, json};

use crate::demands::entries;
use crate::support::peer::{Peer, Refusing};
use crate::support::uncoded;
use crate::{HOST, lines, recorded};
use longwire::script::{Script, connection, raw, reply};

fn only(recorder: &Recorder) -> Value {
    let mut entries = entries(recorder);
    assert_eq!(entries.len(), 1, "{entries:#?}");
    entries.remove(0)
}

/// No response head came.
#[track_caller]
fn assert_no_response(entry: &Value) {
    let response = &entry["response"];
    assert_eq!((&response["status"], &response["httpVersion"]), (&json!(0), &json!("")), "{entry}");
    assert_eq!((&response["headersSize"], &response["bodySize"]), (&json!(-1), &json!(-1)), "{entry}");
    assert_eq!(response["headers"], json!([]));
}

/// The timing has been going on, and those behind it never began.
#[track_caller]
fn assert_failed_in(entry: &Value, name: &str) {
    let optional = ["dns", "connect", "ssl"];
    let failed = optional.iter().position(|other| *other == name).expect("one of these");
    let timings = &entry["timings"];
    assert_ne!(timings[name], -1, "{timings}");
    for later in &optional[failed + 1..] {
        assert_eq!(timings[later], -1, "{timings}");
    }
    for later in ["send", "wait", "receive"] {
        assert_eq!(timings[later], 0.0, "{timings}");
    }
}

#[test]
fn a_connection_that_is_refused_is_an_entry_of_connecting() {
    let refusing = Refusing::start();
    let recorder = Recorder::new();
    let client = uncoded().observer(recorder.clone()).no_proxy().build();
    let url = format!("http://{}/a?b=c", refusing.addr());
    let error = client.get(&url).send().expect_err("it is refused");
    let entry = only(&recorder);
    assert_eq!(entry["response"]["_error"], error.to_string());
    assert_eq!((&entry["request"]["method"], &entry["request"]["url"]), (&json!("GET"), &json!(url)));
    assert_eq!((&entry["request"]["httpVersion"], &entry["request"]["headersSize"]), (&json!(""), &json!(-1)));
    assert_no_response(&entry);
    assert_failed_in(&entry, "connect");
    assert!(entry.get("connection").is_none(), "{entry}");
}

#[test]
fn a_name_that_has_no_address_is_an_entry_of_resolving() {
    let recorder = Recorder::new();
    let fails = |_: &Query<'_>| Err(io::Error::other("no such name"));
    let client = uncoded().observer(recorder.clone()).no_proxy().resolver(fails).build();
    let error = client.get("http://name.test/").send().expect_err("it has no address");
    assert_eq!(error.kind(), ErrorKind::Resolve);
    let entry = only(&recorder);
    assert_eq!(entry["response"]["_error"], error.to_string());
    assert_no_response(&entry);
    assert_failed_in(&entry, "dns");
}

/// An error whose words are made where they are asked for.
#[derive(Debug)]
struct Counting(Recorder);

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing after {} bytes of recording", self.0.har().len())
    }
}

impl std::error::Error for Counting {}

#[test]
fn the_words_of_an_error_may_ask_the_recorder() {
    let recorder = Recorder::new();
    let (asked, (tell, told)) = (recorder.clone(), mpsc::channel());
    let fails = move |_: &Query<'_>| Err(io::Error::other(Counting(asked.clone())));
    let client = uncoded().observer(recorder.clone()).no_proxy().resolver(fails).build();
    thread::spawn(move || tell.send(client.get("http://name.test/").send().map(drop)));
    let outcome = told.recv_timeout(Duration::from_secs(60)).expect("it comes to an end");
    assert_eq!(outcome.expect_err("it has no address").kind(), ErrorKind::Resolve);
    let error = only(&recorder)["response"]["_error"].to_string();
    assert!(error.contains("bytes of recording"), "{error}");
}

#[test]
fn a_second_hop_without_a_name_has_its_own_url_and_method() {
    let peer = Peer::answering("HTTP/1.1 303 See Other\r\nLocation: http://name.test/\r\nContent-Length: 0\r\n\r\n");
    let recorder = Recorder::new();
    let fails = |_: &Query<'_>| Err(io::Error::other("no such name"));
    let client = uncoded().observer(recorder.clone()).no_proxy().resolver(fails).build();
    client.post(peer.url("/a")).body("x").send().expect_err("it has no address");
    let entries = entries(&recorder);
    assert_eq!(lines(&entries), [format!("POST {} 303", peer.url("/a")), "GET http://name.test/ 0".to_owned()]);
    assert!(
        entries[0]["response"].get("_error").is_none() && entries[1]["response"].get("_error").is_some(),
        "{entries:#?}"
    );
    assert_failed_in(&entries[1], "dns");
}

#[test]
fn each_attempt_of_a_policy_is_an_entry_with_what_came_of_it_and_the_wait_before_it() {
    let busy = reply(503).header("Retry-After", "1").body("later");
    let script = Script::new().refuse().on("PUT /?key=1", busy).then(reply(201));
    let recorder = Recorder::new();
    let policy = Retry::new(2).backoff(Duration::from_millis(1), Duration::from_millis(1));
    let client = uncoded().connector(script).observer(recorder.clone()).retry(policy).build();
    client.put(format!("{HOST}/?key=1")).body("data").send().expect("a response").text().expect("a body");
    let entries = entries(&recorder);
    assert_eq!(lines(&entries), ["PUT /?key=1 0", "PUT /?key=1 503", "PUT /?key=1 201"]);
    let error = entries[0]["response"]["_error"].as_str().expect("an error");
    assert!(error.ends_with(&format!(" (PUT {HOST}/)")), "{error}");
    assert_failed_in(&entries[0], "connect");
    for entry in &entries[1..] {
        assert!(entry["response"].get("_error").is_none() && entry.get("comment").is_none(), "{entry}");
        assert_eq!(entry["connection"], entries[1]["connection"]);
    }
    assert!(entries[2]["timings"]["blocked"].as_f64() >= Some(900.0), "{}", entries[2]);
}

#[test]
fn the_wait_before_an_attempt_is_no_part_of_what_fails_in_it() {
    let busy = reply(503).header("Retry-After", "1").header("Connection", "close");
    let script = Script::new().connection(connection().exchange(busy)).refuse();
    let recorder = Recorder::new();
    let client = uncoded().connector(script).observer(recorder.clone()).retry(Retry::new(1)).build();
    client.get(format!("{HOST}/")).send().expect_err("it is refused");
    let entries = entries(&recorder);
    assert_eq!(lines(&entries), ["GET / 503", "GET / 0"]);
    assert_failed_in(&entries[1], "connect");
    assert!(entries[1]["timings"]["blocked"].as_f64() >= Some(900.0), "{}", entries[1]);
}

#[test]
fn a_body_that_is_cut_is_an_entry_with_its_status_and_the_error() {
    for fault in [reply(200).body("hello").cut_after(40), reply(200).body("hello").reset_after(40)] {
        let (client, recorder) = recorded(&Script::answering(fault));
        let error = client.get(format!("{HOST}/")).send().expect("a response").text().expect_err("it is cut");
        let entry = only(&recorder);
        assert_eq!((&entry["response"]["status"], &entry["response"]["bodySize"]), (&json!(200), &json!(-1)));
        assert_eq!(entry["response"]["_error"], error.to_string());
        assert!(entry.get("comment").is_none(), "{entry}");
    }
}

#[test]
fn no_response_and_a_malformed_one_are_entries_without_status() {
    for answer in ["", "no HTTP\r\n\r\n"] {
        let (client, recorder) = recorded(&Script::answering(raw(answer).close()));
        let error = client.get(format!("{HOST}/")).send().expect_err("no response");
        let entry = only(&recorder);
        assert_eq!(entry["response"]["_error"], error.to_string());
        assert_no_response(&entry);
        assert_eq!(entry["request"]["httpVersion"], "HTTP/1.1");
        assert!(entry.get("connection").is_some(), "{entry}");
    }
}

#[test]
fn a_request_that_is_cancelled_is_an_entry_of_waiting() {
    let (token, recorder) = (CancelToken::new(), Recorder::new());
    let cancels = token.clone();
    let when_sent = move |event: &Event<'_>| {
        if let Event::RequestSent { .. } = event {
            cancels.cancel();
        }
    };
    let script = Script::answering(raw("").silence());
    let client = uncoded().connector(script).observer(recorder.clone()).observer(when_sent).build();
    let error = client.get(format!("{HOST}/")).cancel_token(&token).send().expect_err("it is cancelled");
    assert!(error.is_cancelled(), "{error}");
    let entry = only(&recorder);
    assert_eq!(entry["response"]["_error"], error.to_string());
    assert_no_response(&entry);
}

#[test]
fn a_request_that_never_left_is_an_entry() {
    let token = CancelToken::new();
    token.cancel();
    let (client, recorder) = recorded(&Script::answering(reply(200)));
    client.get(format!("{HOST}/")).cancel_token(&token).send().expect_err("it is cancelled");
    let entry = only(&recorder);
    assert!(entry["response"]["_error"].is_string(), "{entry}");
    assert_eq!(entry["timings"]["connect"], -1);
}

#[test]
fn a_redirect_too_many_is_an_error_of_the_last_response() {
    let (client, recorder) = recorded(&Script::answering(reply(302).header("Location", "/again")));
    client.get(format!("{HOST}/")).max_redirects(1).send().expect_err("too many");
    let entries = entries(&recorder);
    assert_eq!(lines(&entries), ["GET / 302", "GET /again 302"]);
    assert!(entries[0]["response"].get("_error").is_none(), "{entries:#?}");
    assert!(
        entries[1]["response"]["_error"].as_str().is_some_and(|error| error.contains("max_redirects")),
        "{entries:#?}"
    );
}

#[test]
fn a_body_that_is_dropped_is_complete_only_if_all_of_it_had_come() {
    let left = raw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nsome");
    let script = Script::new().on("GET /left", left).on("GET /come", reply(200).body("all"));
    let (client, recorder) = recorded(&script);
    for path in ["/left", "/come"] {
        drop(client.get(format!("{HOST}{path}")).send().expect("a response"));
    }
    let entries = entries(&recorder);
    assert_eq!(lines(&entries), ["GET /left 200", "GET /come 200"]);
    assert_eq!(entries[0]["comment"], "the rest of the response was left unread");
    assert!(entries[1].get("comment").is_none(), "{entries:#?}");
    assert!(entries.iter().all(|entry| entry["response"].get("_error").is_none()));
}
