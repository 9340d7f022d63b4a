//! Recordings: what a HAR document says of each exchange, and what a waterfall draws of them.
//!
//! Every document is read by a strict JSON parser, and each entry is held against all that HAR 1.2 demands
//! (`demands`); every picture is read as XML (`xml`). npm's HAR schema and the importer of Chrome's developer
//! tools read such documents in `.ci/long`.

#[cfg(feature = "__rustls")]
#[path = "tls/certificates.rs"]
mod certificates;
#[path = "har/demands.rs"]
mod demands;
#[path = "har/failures.rs"]
mod failures;
#[cfg(feature = "__rustls")]
#[path = "har/secure.rs"]
mod secure;
#[cfg(feature = "__rustls")]
#[path = "tls/session.rs"]
mod session;
mod support;
#[path = "har/waterfall.rs"]
mod waterfall;
#[path = "support/xml.rs"]
mod xml;

use std::thread;

use demands::{entries, field};
use longwire::har::Recorder;
use longwire::script::{Script, connection, raw, reply};
use longwire::{Client, Event, Observer, SendBody};
use serde_json::{Value, json};
use support::peer::{Peer, ok};
use support::uncoded;

const HOST: &str = "http://memory.test";

/// A client of the script, and the recorder that watches it.
fn recorded(script: &Script) -> (Client, Recorder) {
    let recorder = Recorder::new();
    (uncoded().connector(script.clone()).observer(recorder.clone()).build(), recorder)
}

fn get(client: &Client, path: &str) -> String {
    client.get(format!("{HOST}{path}")).send().expect("a response").text().expect("a body")
}

/// Of each entry its method, URL without the host, and status.
fn lines(entries: &[Value]) -> Vec<String> {
    let line = |entry: &Value| {
        let (request, status) = (&entry["request"], &entry["response"]["status"]);
        let url = request["url"].as_str().expect("a URL");
        format!("{} {} {status}", request["method"].as_str().expect("a method"), url.strip_prefix(HOST).unwrap_or(url))
    };
    entries.iter().map(line).collect()
}

#[test]
fn a_get_is_an_entry_with_what_was_sent_and_received() {
    let script = Script::answering(reply(200).header("Content-Type", "text/plain; charset=utf-8").body("hello"));
    let (client, recorder) = recorded(&script);
    let request = client.get(format!("{HOST}/list?page=1&name=a%20b+c&empty#part")).header("X-Own", "mine");
    request.send().expect("a response").text().expect("a body");

    let [entry] = &entries(&recorder)[..] else { panic!("one entry") };
    let request = &entry["request"];
    assert_eq!(request["method"], "GET");
    assert_eq!(request["url"], format!("{HOST}/list?page=1&name=a%20b+c&empty"));
    assert_eq!(request["httpVersion"], "HTTP/1.1");
    let query = json!([
        {"name": "page", "value": "1"},
        {"name": "name", "value": "a b c"},
        {"name": "empty", "value": ""},
    ]);
    assert_eq!(request["queryString"], query);
    let names: Vec<&Value> =
        request["headers"].as_array().expect("fields").iter().map(|field| &field["name"]).collect();
    assert_eq!(names, ["Host", "User-Agent", "Accept", "X-Own"]);
    assert_eq!((field(request, "Host"), field(request, "X-Own")), (Some("memory.test"), Some("mine")));
    assert_eq!(request["headersSize"], script.seen()[0].raw_head().len());
    assert_eq!(request["bodySize"], 0);

    let response = &entry["response"];
    assert_eq!((&response["status"], &response["statusText"]), (&json!(200), &json!("OK")));
    assert_eq!(response["httpVersion"], "HTTP/1.1");
    assert_eq!(field(response, "Content-Length"), Some("5"));
    assert_eq!(response["content"], json!({"size": 5, "mimeType": "text/plain; charset=utf-8"}));
    assert_eq!(response["redirectURL"], "");
    assert_eq!(response["headersSize"], script.bytes_sent() - 5);
    assert_eq!(response["bodySize"], 5);
    assert!(response.get("_error").is_none(), "{entry}");
    for absent in ["comment", "serverIPAddress", "pageref"] {
        assert!(entry.get(absent).is_none(), "{entry}");
    }
}

#[test]
fn the_document_names_its_creator_and_has_no_pages() {
    let document: Value = serde_json::from_str(&Recorder::new().har()).expect("JSON");
    let log = json!({
        "version": "1.2",
        "creator": {"name": "longwire", "version": env!("CARGO_PKG_VERSION")},
        "pages": [],
        "entries": [],
    });
    assert_eq!(document, json!({"log": log}));
}

#[test]
fn each_redirect_is_an_entry_with_the_url_and_the_method_of_its_hop() {
    let script = Script::new()
        .on("POST /a", reply(307).header("Location", "/b?x=1"))
        .on("POST /b?x=1", reply(303).header("Location", "c").header("Connection", "close"))
        .on("GET /c", reply(200).body("there"));
    let (client, recorder) = recorded(&script);
    client.post(format!("{HOST}/a")).body("data").send().expect("a response").text().expect("a body");

    let entries = entries(&recorder);
    assert_eq!(lines(&entries), ["POST /a 307", "POST /b?x=1 303", "GET /c 200"]);
    let of_each = |name: &str| entries.iter().map(|entry| entry[name].clone()).collect::<Vec<_>>();
    assert_eq!(entries[0]["response"]["redirectURL"], "/b?x=1");
    assert_eq!(entries[1]["response"]["redirectURL"], "c");
    let connections = of_each("connection");
    assert_eq!(connections[0], connections[1]);
    assert_ne!(connections[1], connections[2]);
    assert!(of_each("comment").iter().all(Value::is_null), "{entries:#?}");
    assert!(entries.iter().all(|entry| entry["response"].get("_error").is_none()), "{entries:#?}");
    let sizes: Vec<&Value> = entries.iter().map(|entry| &entry["request"]["bodySize"]).collect();
    assert_eq!(sizes, [4, 4, 0]);
}

#[test]
fn a_retry_is_an_entry_after_the_one_that_failed() {
    let script = Script::new()
        .connection(connection().exchange(reply(200).body("1")).exchange(raw("").close()))
        .on("*", reply(200).body("2"));
    let (client, recorder) = recorded(&script);
    get(&client, "/1");
    get(&client, "/2");
    let entries = entries(&recorder);
    assert_eq!(lines(&entries), ["GET /1 200", "GET /2 0", "GET /2 200"]);
    assert_eq!(entries[0]["connection"], entries[1]["connection"]);
    assert_ne!(entries[1]["connection"], entries[2]["connection"]);
    let error = entries[1]["response"]["_error"].as_str().expect("an error");
    assert!(error.contains("connection"), "{error}");
    assert!(entries[2]["response"].get("_error").is_none());
}

#[test]
fn a_response_that_asks_for_another_request_is_no_error() {
    let script = Script::new().on("PUT /x", reply(417).early()).on("PUT /x", reply(200).body("taken"));
    let (client, recorder) = recorded(&script);
    let expecting = client.put(format!("{HOST}/x")).body("data").expect_continue(std::time::Duration::from_secs(20));
    expecting.send().expect("a response").text().expect("a body");
    let entries = entries(&recorder);
    assert_eq!(lines(&entries), ["PUT /x 417", "PUT /x 200"]);
    assert!(entries.iter().all(|entry| entry["response"].get("_error").is_none() && entry.get("comment").is_none()));
    // The body was kept back.
    assert_eq!((&entries[0]["request"]["bodySize"], &entries[1]["request"]["bodySize"]), (&json!(0), &json!(4)));
}

#[test]
fn exchanges_on_one_connection_have_its_number_and_only_the_first_connects() {
    let peer = Peer::answering(ok("x"));
    let recorder = Recorder::new();
    let client = uncoded().observer(recorder.clone()).no_proxy().build();
    for path in ["/1", "/2", "/3"] {
        client.get(peer.url(path)).send().expect("a response").text().expect("a body");
    }
    let entries = entries(&recorder);
    assert_eq!(entries.len(), 3);
    for (number, entry) in entries.iter().enumerate() {
        assert_eq!(entry["serverIPAddress"], "127.0.0.1");
        assert_eq!(entry["connection"], entries[0]["connection"]);
        let timings = &entry["timings"];
        assert_eq!((&timings["dns"], &timings["ssl"]), (&json!(-1), &json!(-1)));
        assert_eq!(timings["connect"] == json!(-1), number > 0, "{timings}");
    }
}

#[test]
fn the_calls_of_two_threads_are_kept_apart() {
    const CALLS: usize = 20;
    let script = Script::new().on_with("*", |seen| match seen.target() {
        target if target.starts_with("/moved") => reply(302).header("Location", target.replace("moved", "new")),
        target => reply(200).header("X-Target", target).body(target.to_owned()),
    });
    let (client, recorder) = recorded(&script);
    thread::scope(|scope| {
        for thread in 0..2 {
            let client = &client;
            scope.spawn(move || (0..CALLS).for_each(|call| drop(get(client, &format!("/moved-{thread}-{call}")))));
        }
    });
    let entries = entries(&recorder);
    let mut found = lines(&entries);
    let mut want = Vec::new();
    for thread in 0..2 {
        for call in 0..CALLS {
            want.push(format!("GET /moved-{thread}-{call} 302"));
            want.push(format!("GET /new-{thread}-{call} 200"));
        }
    }
    found.sort();
    want.sort();
    assert_eq!(found, want);
    for entry in entries.iter().filter(|entry| entry["response"]["status"] == 200) {
        let target = field(&entry["response"], "X-Target").expect("the server's word for it");
        assert_eq!(entry["request"]["url"], format!("{HOST}{target}"));
        assert_eq!(entry["response"]["bodySize"], target.len());
    }
}

#[test]
fn sizes_are_those_on_the_wire_or_unknown() {
    let script = Script::new()
        .on("POST /chunked", reply(200).chunked(["abc", "de"]))
        .on("HEAD /", raw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"))
        .on("GET /204", raw("HTTP/1.1 204 No Content\r\n\r\n"))
        .on("GET /coded", reply(200).header("Content-Encoding", "br").body("1234"))
        .on("/cookie", reply(200).header("Set-Cookie", "a=b").body("1234"));
    let (client, recorder) = recorded(&script);
    let chunked = client.post(format!("{HOST}/chunked")).body(SendBody::reader(&b"12345"[..]));
    chunked.send().expect("a response").text().expect("a body");
    client.head(format!("{HOST}/")).send().expect("a response");
    for path in ["/204", "/coded"] {
        get(&client, path);
    }
    client.get(format!("{HOST}/cookie")).bearer_auth("x").send().expect("a response").text().expect("a body");
    client.post(format!("{HOST}/cookie")).bearer_auth("x").body("data").send().expect("a response");

    let entries = entries(&recorder);
    let of = |path: &str| entries.iter().find(|entry| entry["request"]["url"] == format!("{HOST}{path}")).expect(path);
    let seen = script.seen();
    let head = |number: usize| json!(seen[number].raw_head().len());
    let chunked = of("/chunked");
    assert_eq!(
        (&chunked["request"]["headersSize"], &chunked["request"]["bodySize"]),
        (&head(0), &json!("5\r\n12345\r\n0\r\n\r\n".len()))
    );
    assert_eq!((&chunked["response"]["bodySize"], &chunked["response"]["content"]["size"]), (&json!(5), &json!(5)));
    for path in ["/", "/204"] {
        let response = &of(path)["response"];
        assert_eq!((&response["bodySize"], &response["content"]["size"]), (&json!(0), &json!(0)), "{path}");
    }
    let content = &of("/coded")["response"]["content"];
    assert_eq!(
        (&content["size"], content["comment"].as_str()),
        (&json!(4), Some("size is that of the body as it came, in br"))
    );
    // What is hidden has no size, but a head that went alone is all that was sent.
    let cookie = of("/cookie");
    assert_eq!((&cookie["request"]["headersSize"], &cookie["request"]["bodySize"]), (&head(4), &json!(0)));
    assert_eq!((&cookie["response"]["headersSize"], &cookie["response"]["bodySize"]), (&json!(-1), &json!(4)));
    let posted = &entries[5]["request"];
    assert_eq!((&posted["headersSize"], &posted["bodySize"]), (&json!(-1), &json!(-1)));
}

#[test]
fn secrets_are_in_neither_form_but_the_query_is_in_the_document() {
    let answer = reply(200).header("Set-Cookie", "id=s3cret").header("X-Auth-Token", "s3cret").body("x");
    let (client, recorder) = recorded(&Script::answering(answer));
    let request = client.get("http://user:s3cret@memory.test/?page=2").header("Cookie", "id=s3cret");
    request.header("X-Api-Key", "s3cret").send().expect("a response").text().expect("a body");
    let (document, picture) = (recorder.har(), recorder.waterfall());
    assert!(!document.contains("s3cret") && !picture.contains("s3cret"), "{document} {picture}");
    let [entry] = &entries(&recorder)[..] else { panic!("one entry") };
    for (message, name) in [("request", "Authorization"), ("request", "Cookie"), ("response", "Set-Cookie")] {
        assert_eq!(field(&entry[message], name), Some("***"), "{name}");
        assert_eq!(entry[message]["cookies"], json!([]));
    }
    assert_eq!(entry["request"]["url"], format!("{HOST}/?page=2"));
    assert!(!picture.contains("page"), "{picture}");
}

#[test]
fn any_text_of_a_peer_is_json() {
    let odd = raw(
        b"HTTP/1.1 200 \"so\\so\" \xe2\x80\xa8\r\nX: a\"b\\c\x01\t\xff\xe4\r\nY: \xe2\x80\xa9\r\n folded\r\nContent-Length: 0\r\n\r\n"
            .to_vec(),
    );
    let (client, recorder) = recorded(&Script::answering(odd));
    get(&client, "/");
    let document = recorder.har();
    assert!(!document.contains(['\u{2028}', '\u{2029}', '\u{1}']), "{document}");
    let [entry] = &entries(&recorder)[..] else { panic!("one entry") };
    let response = &entry["response"];
    assert_eq!(response["statusText"], "\"so\\so\" \u{2028}");
    assert_eq!(field(response, "X"), Some("a\"b\\c\\u{1}\t\u{fffd}\u{fffd}"));
    assert_eq!(field(response, "Y"), Some("\u{2029} folded"));
}

#[test]
fn what_is_under_way_is_there_as_far_as_it_has_come() {
    let (client, recorder) = recorded(&Script::answering(reply(200).body("hello")));
    let response = client.get(format!("{HOST}/")).send().expect("a response");
    let before = entries(&recorder);
    assert_eq!(lines(&before), ["GET / 200"]);
    assert_eq!(before[0]["comment"], "still under way");
    assert_eq!(before[0]["response"]["bodySize"], -1);
    assert_eq!(entries(&recorder), before, "it goes on only with its events");
    response.text().expect("a body");
    let after = entries(&recorder);
    assert!(after[0].get("comment").is_none(), "{after:?}");
    assert_eq!(after[0]["response"]["bodySize"], 5);
}

#[test]
fn what_is_cleared_is_forgotten_to_its_end() {
    let script = Script::new().on("GET /a", reply(302).header("Location", "/b")).on("*", reply(200).body("hello"));
    let recorder = Recorder::new();
    let clears = recorder.clone();
    let clearing = move |event: &Event<'_>| {
        if let Event::ResponseHead { text, .. } = event {
            if text.contains("302") {
                clears.clear();
            }
        }
    };
    let client = uncoded().connector(script).observer(recorder.clone()).observer(clearing).build();
    get(&client, "/a");
    assert_eq!(entries(&recorder), [Value::Null; 0]);
    get(&client, "/c");
    assert_eq!(lines(&entries(&recorder)), ["GET /c 200"]);
}

#[test]
fn events_of_what_was_not_seen_to_begin_are_passed_over() {
    let recorder = Recorder::new();
    let late = recorder.clone();
    let but_the_start = move |event: &Event<'_>| {
        if !matches!(event, Event::CallStarted { .. }) {
            late.event(event);
        }
    };
    let script = Script::new().on("GET /a", reply(302).header("Location", "/b")).on("*", reply(200).body("x"));
    let client = uncoded().connector(script).observer(but_the_start).build();
    get(&client, "/a");
    client.close_idle();
    assert_eq!(entries(&recorder), [Value::Null; 0]);
}

#[test]
fn an_idle_connection_that_is_found_closed_is_not_the_end_of_the_request_that_finds_it() {
    let peer = Peer::start(|mut conn, index| {
        conn.request();
        conn.send(ok("x"));
        if index > 0 {
            conn.request();
            conn.send(ok("y"));
        }
    });
    let recorder = Recorder::new();
    let client = uncoded().observer(recorder.clone()).no_proxy().build();
    client.get(peer.url("/1")).send().expect("a response").text().expect("a body");
    assert!(peer.has_closed(0));
    client.get(peer.url("/2")).send().expect("a response").text().expect("a body");
    let entries = entries(&recorder);
    assert_eq!(entries.len(), 2);
    assert_ne!(entries[0]["connection"], entries[1]["connection"]);
    assert!(entries.iter().all(|entry| entry["response"]["status"] == 200 && entry.get("comment").is_none()));
}

#[test]
fn through_a_proxy_the_url_is_the_servers_and_the_address_the_proxys() {
    let peer = Peer::answering(ok("x"));
    let recorder = Recorder::new();
    let proxy = longwire::Proxy::new(&peer.url("")).expect("a proxy");
    let client = uncoded().observer(recorder.clone()).proxy(proxy).build();
    client.get("http://elsewhere.test/a").send().expect("a response").text().expect("a body");
    let [entry] = &entries(&recorder)[..] else { panic!("one entry") };
    assert_eq!(entry["request"]["url"], "http://elsewhere.test/a");
    assert_eq!(entry["serverIPAddress"], "127.0.0.1");
    assert_eq!(entry["request"]["httpVersion"], "HTTP/1.1");
}

#[test]
fn an_upgrade_is_complete_with_its_head() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    let (client, recorder) = recorded(&Script::answering(raw(switching)));
    let request = client.get(format!("{HOST}/")).header("Connection", "upgrade").header("Upgrade", "echo");
    drop(request.send().expect("a response").upgrade().expect("an upgrade"));
    let entries = entries(&recorder);
    assert_eq!(lines(&entries), ["GET / 101"]);
    assert!(entries[0].get("comment").is_none() && entries[0]["response"].get("_error").is_none(), "{entries:?}");
}

#[test]
fn clones_are_one_recording_and_debug_counts_it() {
    let (client, recorder) = recorded(&Script::answering(reply(200).body("x")));
    get(&client, "/a?key=s3cret");
    assert_eq!(format!("{:?}", recorder.clone()), "Recorder { exchanges: 1, .. }");
    recorder.clone().clear();
    assert_eq!(
        format!("{:?} {:?}", recorder, Recorder::default()),
        "Recorder { exchanges: 0, .. } Recorder { exchanges: 0, .. }"
    );
}
