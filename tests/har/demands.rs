//! What HAR 1.2 demands of a document, member by member:
//! <http://www.softwareishard.com/blog/har-12-spec/>.

use std::net::IpAddr;

use longwire::har::Recorder;
use serde_json::Value;

/// Returns the entries of the document, each of which has all that is demanded.
#[track_caller]
pub(crate) fn entries(recorder: &Recorder) -> Vec<Value> {
    let text = recorder.har();
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let log = &document["log"];
    assert_eq!((&log["version"], &log["pages"]), (&"1.2".into(), &Value::Array(Vec::new())));
    assert!(log["creator"]["name"].is_string() && log["creator"]["version"].is_string(), "{log}");
    let entries = log["entries"].as_array().expect("an array").clone();
    entries.iter().for_each(check);
    entries
}

/// The first value of a field of a request or response.
pub(crate) fn field<'m>(message: &'m Value, name: &str) -> Option<&'m str> {
    let fields = message["headers"].as_array().expect("fields");
    fields.iter().find(|field| field["name"] == name)?["value"].as_str()
}

#[track_caller]
fn check(entry: &Value) {
    check_date(entry["startedDateTime"].as_str().expect("a text"));
    check_timings(entry);
    check_message(&entry["request"], &["method", "url", "httpVersion"]);
    check_pairs(&entry["request"]["queryString"]);
    check_message(&entry["response"], &["statusText", "httpVersion", "redirectURL"]);
    assert!(entry["response"]["status"].is_u64(), "{entry}");
    assert!(entry["response"]["content"]["size"].is_u64(), "{entry}");
    assert!(entry["response"]["content"]["mimeType"].is_string(), "{entry}");
    assert!(entry["cache"].as_object().is_some_and(serde_json::Map::is_empty), "{entry}");
    // What may be left out.
    for text in [entry.get("connection"), entry.get("comment"), entry["response"].get("_error")] {
        assert!(text.is_none_or(|text| text.as_str().is_some_and(|text| !text.is_empty())), "{entry}");
    }
    assert_eq!(entry.get("connection"), entry.get("_connectionId"), "{entry}");
    if let Some(address) = entry.get("serverIPAddress") {
        assert!(address.as_str().is_some_and(|address| address.parse::<IpAddr>().is_ok()), "{address}");
    }
}

#[track_caller]
fn check_message(message: &Value, texts: &[&str]) {
    for name in texts {
        assert!(message[name].is_string(), "{name}: {message}");
    }
    assert!(message["cookies"].is_array(), "{message}");
    check_pairs(&message["headers"]);
    for name in ["headersSize", "bodySize"] {
        assert!(message[name].as_i64().is_some_and(|size| size >= -1), "{name}: {message}");
    }
}

#[track_caller]
fn check_pairs(pairs: &Value) {
    for pair in pairs.as_array().expect("an array") {
        assert!(pair["name"].is_string() && pair["value"].is_string(), "{pair}");
    }
}

/// `2026-01-31T23:59:59.999Z`.
#[track_caller]
fn check_date(date: &str) {
    let shape: String = date.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{date}");
    assert!(date > "2020", "{date}");
}

#[track_caller]
fn check_timings(entry: &Value) {
    let timings = &entry["timings"];
    let number = |name: &str| timings[name].as_f64().unwrap_or_else(|| panic!("{name}: {timings}"));
    let mut sum = 0.0;
    for name in ["blocked", "dns", "connect", "send", "wait", "receive"] {
        let is_optional = ["blocked", "dns", "connect"].contains(&name);
        assert!(number(name) >= 0.0 || is_optional && number(name) == -1.0, "{name}: {timings}");
        sum += number(name).max(0.0);
    }
    // It is a part of `connect`.
    assert!(number("ssl") == -1.0 || (0.0..=number("connect")).contains(&number("ssl")), "{timings}");
    let time = entry["time"].as_f64().expect("a number");
    assert!((time - sum).abs() < 0.000_5, "{time} is not {sum}: {timings}");
}
