//! JSON in requests and responses: what is sent, what is read, and how a body that is no JSON is refused.
//! Where in a body a mistake is found is tested in `src/ext/json.rs`, for every byte of some documents.

mod support;

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::io::BufRead;

use longwire::script::{Reply, Script, reply};
use longwire::{Client, Error, ErrorKind, Method, Request, Response, Side};
use serde_json::{Value, json};
use support::peer::{Peer, ok};

const URL: &str = "http://memory.test/item";

fn answered(answer: Reply) -> Response {
    Script::answering(answer).client().get(format!("{URL}?key=s3cret")).send().expect("a response")
}

fn response(body: &[u8]) -> Response {
    answered(reply(200).body(body))
}

/// The error, the same by both ways to it, without the request.
#[track_caller]
fn refused(answer: Reply) -> String {
    let error = answered(answer.clone()).json::<Value>().expect_err("it is no JSON");
    let of_body = answered(answer).into_body().json::<Value>().expect_err("it is no JSON");
    assert_eq!(of_body.to_string(), error.to_string());
    assert_eq!((error.kind(), error.kind().side()), (ErrorKind::Decode, Side::Peer));
    assert_eq!(error.url().map(|url| url.path()), Some("/item"));
    assert!(error.status().is_some());
    assert!(error.source().is_some_and(|source| source.is::<serde_json::Error>()));
    assert!(error.get_ref().is_some_and(|inner| inner.is::<serde_json::Error>()));
    let said = error.to_string();
    said.strip_suffix(&format!(" (GET {URL})")).expect("it names the request, without the query").to_owned()
}

#[test]
fn json_goes_out_with_its_length_and_content_type_and_comes_back() {
    let script = Script::new().on_with("*", |_| reply(201).header("Content-Type", "text/plain").body("{\"id\": 7}"));
    let item = json!({"name": "l\u{e4}mp", "price": 12, "tags": [null, true, -0.5]});
    let made: Value = script.client().post(URL).json(&item).send().expect("a response").json().expect("JSON");
    assert_eq!(made, json!({"id": 7}), "no Content-Type is asked for");
    let seen = &script.seen()[0];
    assert_eq!(seen.header("Content-Type"), Some("application/json"));
    assert_eq!(seen.header("Content-Length"), Some(&*seen.body().len().to_string()));
    assert_eq!(serde_json::from_slice::<Value>(seen.body()).expect("JSON"), item);
}

#[test]
fn a_content_type_of_the_callers_stays_set_before_or_after() {
    let script = Script::answering(reply(204));
    let client = script.client();
    let own = "application/vnd.api+json";
    client.post(URL).header("Content-Type", own).json(&1).send().expect("a response");
    client.post(URL).json(&1).header("Content-Type", own).send().expect("a response");
    let mut request = Request::new(Method::PUT, URL).expect("a request");
    request.set_header("content-type", own).expect("a field");
    request.set_json("a str is not sized").expect("JSON");
    client.send(request).expect("a response");
    client.post(URL).body("other").json(&[1, 2]).json(&()).send().expect("a response");
    let seen = script.seen();
    let sent = seen.iter().map(|request| (request.header("Content-Type").expect("a type"), request.body()));
    let want: [(&str, &[u8]); 4] =
        [(own, b"1"), (own, b"1"), (own, b"\"a str is not sized\""), ("application/json", b"null")];
    assert_eq!(sent.collect::<Vec<_>>(), want);
}

#[test]
fn json_is_sent_again_for_a_redirect() {
    let script = Script::new()
        .on("POST /item", reply(307).header("Location", "/other"))
        .on("POST /other", reply(200).body("[]"));
    let echoed: Vec<u8> = script.client().post(URL).json(&[1, 2]).send().expect("a response").json().expect("JSON");
    assert!(echoed.is_empty());
    assert!(script.seen().iter().all(|request| request.body() == b"[1,2]"));
    assert_eq!(script.seen().len(), 2);
}

#[test]
fn a_value_that_has_no_form_in_json_is_an_error_of_build_and_send_and_nothing_is_sent() {
    let script = Script::answering(reply(204));
    let keys_are_no_strings = BTreeMap::from([((1, 2), 3)]);
    let builder = || script.client().post(URL).json(&keys_are_no_strings).header("X", "not\r\nchecked any more");
    for error in [builder().send().expect_err("it has no form"), builder().build().expect_err("it has no form")] {
        assert_eq!((error.kind(), error.kind().side()), (ErrorKind::InvalidRequest, Side::Caller));
        let want = format!("json: the value cannot be serialized: key must be a string (POST {URL})");
        assert_eq!(error.to_string(), want);
        assert!(error.get_ref().is_some_and(|inner| inner.is::<serde_json::Error>()));
    }
    assert_eq!(script.connections(), 0);

    let mut request = Request::new(Method::POST, URL).expect("a request");
    request.set_body("before");
    assert!(request.set_json(&keys_are_no_strings).is_err());
    assert_eq!((request.body().len(), request.headers().len()), (Some(6), 0), "nothing has changed");
}

#[test]
fn json_that_is_wrong_is_shown_with_its_place() {
    let wrong = "{\n \"name\": \"lamp\",\r\n \"price\": 12 \"qty\": 1\n}";
    assert_eq!(
        refused(reply(200).body(wrong)),
        "json: expected `,` or `}` at line 3 column 14 (byte 34), in \"...,\\r\\n \"price\": 12 \"qty\": 1\\n}\""
    );
    let far = format!("[{}\u{1b}[31m{}]", "1,".repeat(500), ",2".repeat(500));
    assert_eq!(
        refused(reply(200).body(far)),
        "json: expected value at line 1 column 1002 (byte 1002), in \"...1,1,1,1,1,1,1,1,\\u{1b}[31m,2,2,2,2,2,...\""
    );
    assert_eq!(
        refused(reply(200).body("[1] [2]")),
        "json: trailing characters at line 1 column 5 (byte 5), in \"[1] [2]\""
    );
    assert_eq!(
        refused(reply(200).body("[1] \u{a0}")),
        "json: trailing characters at line 1 column 5 (byte 5), in \"[1] \u{a0}\""
    );
}

#[test]
fn json_of_another_type_is_shown_with_its_place() {
    let error = response(b"{\"a\":\"text\"}").json::<BTreeMap<String, u8>>().expect_err("a number is wanted");
    let want = format!(
        "json: invalid type: string \"text\", expected u8 at line 1 column 11 (byte 11), in \"{{\"a\":\"text\"}}\" (GET {URL})"
    );
    assert_eq!(error.to_string(), want);
    let secret = format!("[\"0123456789abcdef{}\"]", "s3cret".repeat(1_000));
    let error = response(secret.as_bytes()).json::<Vec<u8>>().expect_err("a number is wanted");
    let said = error.to_string();
    assert!(said.starts_with("json: invalid type: string \"0123456789abcdef...\", expected u8 at"), "{said}");
    assert!(said.len() < 250 && said.matches("s3cret").count() < 4, "{said}");
    assert!(!format!("{error:?}").contains(&"s3cret".repeat(4)), "{error:?}");
}

#[test]
fn an_empty_body_is_told_with_its_status() {
    assert_eq!(refused(reply(204)), "json: the body is empty (204)");
    assert_eq!(refused(reply(200).body("")), "json: the body is empty (200)");
    assert_eq!(refused(reply(200).body("\u{feff}")), "json: the body is empty (200)");
    assert_eq!(
        refused(reply(200).body(" \n")),
        "json: EOF while parsing a value at line 2 column 0 (byte 2, the last), in \" \\n\""
    );
    let head = Script::answering(reply(200).body("{}")).client().head(URL).send().expect("a response");
    assert!(head.json::<Value>().unwrap_err().to_string().starts_with("json: the body is empty (200) (HEAD "));
}

#[test]
fn a_page_in_the_place_of_json_is_called_html() {
    let page = "<!DOCTYPE html>\n<title>Log in</title>";
    assert_eq!(
        refused(reply(200).header("Content-Type", "Text/HTML; charset=utf-8").body(page)),
        "json: expected value at line 1 column 1 (byte 1), in \"<!DOCTYPE html>\\n...\"; its Content-Type is text/html"
    );
    assert_eq!(
        refused(reply(200).header("Content-Type", "application/json").body(format!(" \n{page}"))),
        "json: expected value at line 2 column 1 (byte 3), in \" \\n<!DOCTYPE html>\\n...\"; it looks like HTML or XML"
    );
    let html = |body: &str| refused(reply(200).header("Content-Type", "text/html").body(body));
    assert!(html("please log in").ends_with("; its Content-Type is text/html"));
    assert_eq!(html(""), "json: the body is empty (200); its Content-Type is text/html");
    let mislabelled = answered(reply(200).header("Content-Type", "text/html").body("{}"));
    assert_eq!(mislabelled.json::<Value>().expect("JSON, whatever it is called"), json!({}));
}

#[test]
fn a_body_that_is_not_utf_8_is_told_as_such() {
    assert_eq!(response(b"\xef\xbb\xbf {\"a\": 1}\r\n").json::<Value>().expect("a mark is skipped"), json!({"a": 1}));
    for body in [&b"\xff\xfe{\0}\0"[..], b"\xfe\xff\0{\0}", b"{\0}\0", b"\0{\0}"] {
        assert_eq!(refused(reply(200).body(body)), "json: the body is UTF-16, and JSON is UTF-8 (RFC 8259 §8.1)");
    }
    let latin =
        reply(200).header("Content-Type", "application/json; charset=iso-8859-1").body(&b"[\n \"gr\xfcn\"]"[..]);
    assert_eq!(
        refused(latin),
        "json: the body is not UTF-8 at line 2 column 5 (byte 7), in \"[\\n \"gr\\xfcn\"]\"; \
         its Content-Type says charset iso-8859-1"
    );
    let charset_is_not_asked_for =
        reply(200).header("Content-Type", "application/json; charset=x-none").body("\"gr\u{fc}n\"");
    assert_eq!(answered(charset_is_not_asked_for).json::<String>().expect("JSON is UTF-8"), "gr\u{fc}n");
}

#[test]
fn a_coding_that_was_not_undone_is_named() {
    // Brotli, which no build asks for without the feature, and which this server sends to all.
    let body: &[u8] = b"\x8b\x07\x80{\"a\":1}\x03";
    let coded = reply(200).header("Content-Encoding", "x-unknown").body(body);
    assert_eq!(
        refused(coded),
        "json: the body is not UTF-8 at line 1 column 1 (byte 1), in \"\\x8b\\u{7}\\x80{\"a\":1}\\u{3}\"; \
         its Content-Encoding is x-unknown, which is not undone here"
    );
}

#[test]
fn every_prefix_of_a_document_is_an_error_and_none_a_panic() {
    let document = "{\"n\": [1, -2.5e3, \"\u{e4}\\u00e4\\n\"],\r\n\"t\": true, \"z\": null}";
    assert!(response(document.as_bytes()).json::<Value>().is_ok());
    for length in 0..document.len() {
        let said = refused(reply(200).body(&document.as_bytes()[..length]));
        match length {
            0 => assert_eq!(said, "json: the body is empty (200)"),
            _ => assert!(said.contains(&format!("(byte {length}, the last), in \"")), "{said}"),
        }
    }
}

#[test]
fn a_body_that_breaks_off_is_the_bodys_error_and_no_decode() {
    let cut = reply(200).header("Content-Length", "100").body("{\"a\": 1}").close();
    assert_eq!(answered(cut).json::<Value>().unwrap_err().kind(), ErrorKind::Truncated);
    let body = "[1,2,3]";
    assert!(response(body.as_bytes()).limit(7).json::<Value>().is_ok());
    assert_eq!(response(body.as_bytes()).limit(6).json::<Value>().unwrap_err().kind(), ErrorKind::BodyTooLarge);
    assert_eq!(
        response(body.as_bytes()).into_body().limit(6).json::<Value>().unwrap_err().kind(),
        ErrorKind::BodyTooLarge
    );
}

#[test]
fn documents_nested_deeper_than_128_are_refused() {
    let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
    assert!(response(nested(127).as_bytes()).json::<Value>().is_ok());
    let said = refused(reply(200).body(nested(128)));
    assert!(said.starts_with("json: recursion limit exceeded at line 1 column 128 (byte 128), in"), "{said}");
    assert!(refused(reply(200).body("[".repeat(1_000_000))).contains("recursion limit"));
}

#[test]
fn lines_of_json_are_read_as_they_come() {
    let script = Script::answering(reply(200).chunked(["{\"id\":1}\n{\"i", "d\":2}\n", "{\"id\":3}"]));
    let mut response = script.client().get(URL).send().expect("a response");
    let (mut line, mut ids) = (String::new(), Vec::new());
    while response.read_line(&mut line).expect("a line") > 0 {
        ids.push(serde_json::from_str::<Value>(&line).expect("JSON")["id"].clone());
        line.clear();
    }
    assert_eq!(ids, [1, 2, 3]);
}

/// What the documentation offers to those who want the text, too.
#[test]
fn the_text_can_be_kept_when_it_is_no_json() {
    let parse = |response: Response| -> Result<Value, Error> {
        let text = response.text()?;
        serde_json::from_str(&text).map_err(|error| Error::new(ErrorKind::Decode, format!("{error}, in {text}")))
    };
    assert_eq!(parse(response(b"[1]")).expect("JSON"), json!([1]));
    let error = parse(response(b"no JSON")).unwrap_err();
    assert!(error.to_string().ends_with(", in no JSON"), "{error}");
    assert_eq!(parse(response(b"\xff\xfe[\0]\0")).expect("JSON in UTF-16"), json!([]));
}

#[test]
fn a_connection_is_kept_after_json_was_read_and_after_it_was_wrong() {
    let peer = Peer::answering(ok("{\"a\":"));
    let client = Client::new();
    for _ in 0..3 {
        assert!(client.get(peer.url("/")).send().expect("a response").json::<Value>().is_err());
    }
    assert_eq!(peer.connections(), 1);
}
