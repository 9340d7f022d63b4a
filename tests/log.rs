//! The `log` observer: which record comes of which event, at which level, and what is in none of them.

mod support;

use std::cell::RefCell;
use std::sync::Once;

use log::{Level, LevelFilter, Log, Metadata, Record};
use longwire::script::{Script, connection, raw, reply};
use longwire::transport::Query;
use longwire::{Client, LogObserver};
use support::peer::{Peer, answer, ok};

/// Keeps what each thread logs: events come on the thread on which they happen.
struct Kept;

thread_local! {
    static LEVEL: RefCell<LevelFilter> = const { RefCell::new(LevelFilter::Trace) };
    static RECORDS: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

impl Log for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        LEVEL.with_borrow(|level| metadata.level() <= *level)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            assert_eq!(record.target(), "longwire");
            RECORDS.with_borrow_mut(|records| records.push((record.level(), record.args().to_string())));
        }
    }

    fn flush(&self) {}
}

/// What `act` logs up to this level, with the numbers of calls, exchanges, connections and the times and
/// sizes taken out.
fn logged(level: LevelFilter, act: impl FnOnce()) -> Vec<(Level, String)> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Kept).expect("the only logger");
        log::set_max_level(LevelFilter::Trace);
    });
    LEVEL.set(level);
    RECORDS.take();
    act();
    RECORDS.take()
}

/// The texts behind the numbers; which numbers there are, is in their place.
fn texts(records: &[(Level, String)]) -> Vec<String> {
    let shorten = |(level, text): &(Level, String)| {
        let (ids, text) = text.split_once("] ").expect("it begins with numbers");
        let kinds: String = ids.chars().filter(|c| c.is_ascii_alphabetic()).collect();
        let kinds = kinds.replace("call", "c").replace("exchange", "e").replace("connection", "n");
        let text = text.split(" in ").next().unwrap_or_default();
        format!("{level} {kinds}: {text}")
    };
    records.iter().map(shorten).collect()
}

fn client(script: &Script) -> Client {
    Client::builder().connector(script.clone()).observer(LogObserver::new()).build()
}

#[test]
fn two_gets_are_logged_line_by_line() {
    let script = Script::answering(reply(200).body("hello"));
    let client = client(&script);
    let records = logged(LevelFilter::Trace, || {
        for _ in 0..2 {
            client.get("http://memory.test/list?key=s3cret").send().expect("a response").text().expect("a body");
        }
        client.close_idle();
    });
    let get = |connection: &'static str| {
        [
            "DEBUG c: GET http://memory.test/list",
            connection,
            "TRACE cen: > GET /list?key=s3cret HTTP/1.1",
            "TRACE cen: > Host: memory.test",
            concat!("TRACE cen: > User-Agent: longwire/", env!("CARGO_PKG_VERSION")),
            "TRACE cen: > Accept: */*",
            "DEBUG cen: sent 95 bytes",
            "TRACE cen: < HTTP/1.1 200 OK",
            "TRACE cen: < Content-Length: 5",
            "DEBUG cen: body ended after 5 bytes (Length)",
            "DEBUG cen: kept the peer",
        ]
    };
    let mut want = get("DEBUG cen: connected to the peer").to_vec();
    want.extend(get("DEBUG cen: reused the peer for its exchange 2"));
    want.push("DEBUG cn: closed the peer: close_idle was called, or the client was dropped");
    let sent_fields_of_features = |text: &String| text.contains("> Accept-Encoding: ");
    let got: Vec<String> = texts(&records).into_iter().filter(|text| !sent_fields_of_features(text)).collect();
    assert_eq!(
        got.iter().map(|text| without_size(text)).collect::<Vec<_>>(),
        want.iter().map(|text| without_size(text)).collect::<Vec<_>>()
    );
}

/// A record of `sent`, whose number of bytes depends on the fields of the features that are on.
fn without_size(text: &str) -> &str {
    text.find(": sent ").map_or(text, |at| &text[..at + 6])
}

#[test]
fn an_address_and_a_name_are_logged_where_there_are_any() {
    let peer = Peer::answering(ok("x"));
    let address = peer.addr();
    let builder = Client::builder().no_proxy().observer(LogObserver::new());
    let client = builder.resolver(move |_: &Query<'_>| Ok(vec![address])).build();
    let records = logged(LevelFilter::Debug, || {
        client.get("http://name.test/").send().expect("a response").text().expect("a body");
    });
    let got = texts(&records);
    assert_eq!(got[1..3], ["DEBUG ce: resolved name.test".to_owned(), format!("DEBUG cen: connected to {address}")]);
    assert!(records[1].1.ends_with(&format!(": [{address}]")), "{records:?}");
    assert_eq!(got.last(), Some(&format!("DEBUG cen: kept {address}")));
}

#[test]
fn heads_are_at_trace_and_all_else_at_debug() {
    let script = Script::answering(reply(200).body("x"));
    let get = || drop(client(&script).get("http://memory.test/").send().and_then(longwire::Response::text));
    let all = logged(LevelFilter::Trace, get);
    assert!(
        all.iter().all(|(level, text)| (*level == Level::Trace) == (text.contains("] > ") || text.contains("] < ")))
    );
    let debug = logged(LevelFilter::Debug, get);
    assert!(!debug.is_empty() && debug.iter().all(|(level, _)| *level == Level::Debug), "{debug:?}");
    assert_eq!(texts(&debug), texts(&all).into_iter().filter(|text| text.starts_with("DEBUG")).collect::<Vec<_>>());
    assert_eq!(logged(LevelFilter::Info, get), []);
}

#[test]
fn redirects_retries_interim_responses_and_failures_are_logged() {
    let script = Script::new()
        .connection(connection().exchange(reply(302).header("Location", "/b?token=s3cret")).exchange(raw("").reset()))
        .on(
            "GET /b?token=s3cret",
            raw("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n").reset(),
        );
    let records = logged(LevelFilter::Trace, || {
        let response = client(&script).get("http://memory.test/a?key=s3cret").send().expect("a response");
        response.bytes().expect_err("it is reset");
    });
    let got = texts(&records);
    let got = got.iter().filter(|text| !text.contains("cen: >") && !text.contains("cen: sent"));
    let want = [
        "DEBUG c: GET http://memory.test/a",
        "DEBUG cen: connected to the peer",
        "TRACE cen: < HTTP/1.1 302 Found",
        "TRACE cen: < Location: /b?token=s3cret",
        "TRACE cen: < Content-Length: 0",
        "DEBUG c: redirected by 302 from http://memory.test/a to http://memory.test/b",
        "DEBUG cen: kept the peer",
        "DEBUG cen: reused the peer for its exchange 2",
        "DEBUG cen: closed the peer: an error happened on it",
        "DEBUG c: sent again: read: connection reset",
        "DEBUG cen: connected to the peer",
        "TRACE cen: < HTTP/1.1 103 Early Hints",
        "TRACE cen: < Link: </x>",
        "TRACE cen: < HTTP/1.1 200 OK",
        "DEBUG cen: failed: read: connection reset (GET http://memory.test/b)",
        "DEBUG cen: closed the peer: an error happened on it",
    ];
    assert_eq!(got.collect::<Vec<_>>(), want);
    let at_debug = records.iter().filter(|(level, _)| *level == Level::Debug);
    assert!(at_debug.clone().all(|(_, text)| !text.contains("s3cret")), "{records:#?}");
}

#[test]
fn no_secret_and_no_line_end_is_in_a_record() {
    let script = Script::answering(
        reply(200)
            .header("Set-Cookie", "id=s3cret")
            .header("X-Odd", "a\u{1}b\u{1b}[31m")
            .header("X-Api-Key", "s3cret")
            .body("x"),
    );
    let records = logged(LevelFilter::Trace, || {
        let request =
            client(&script).get("http://user:s3cret@memory.test/").bearer_auth("s3cret").header("Cookie", "s3cret");
        request.send().expect("a response").text().expect("a body");
    });
    let got = texts(&records);
    assert!(got.iter().any(|text| text.ends_with("> Authorization: ***")), "{got:#?}");
    assert!(got.iter().any(|text| text.ends_with("< Set-Cookie: ***")), "{got:#?}");
    for (_, text) in &records {
        assert!(!text.contains("s3cret") && !text.contains(char::is_control), "{text:?}");
    }
}

#[test]
fn a_failed_connect_is_logged_with_the_request() {
    let script = Script::new();
    let records = logged(LevelFilter::Debug, || {
        client(&script).get("http://memory.test/a?key=s3cret").send().expect_err("it is refused");
    });
    let got = texts(&records);
    assert_eq!(got[0], "DEBUG c: GET http://memory.test/a");
    let failed = got.last().expect("a record");
    assert!(failed.contains("failed: the script refuses the connection"), "{got:?}");
    assert!(failed.contains("(GET http://memory.test/a)"), "{got:?}");
}

#[test]
fn the_numbers_tell_calls_and_connections_apart() {
    let peer = Peer::answering(answer("200 OK", "Connection: close\r\n", "x"));
    let client = Client::builder().no_proxy().observer(LogObserver::default()).build();
    let records = logged(LevelFilter::Debug, || {
        for _ in 0..2 {
            client.get(peer.url("/")).send().expect("a response").text().expect("a body");
        }
    });
    let number = |text: &str, what: &str| -> Option<u64> {
        let (_, rest) = text.split_once(what)?;
        rest.split([',', ']']).next()?.parse().ok()
    };
    for what in ["call ", "exchange ", "connection "] {
        let mut numbers: Vec<u64> = records.iter().filter_map(|(_, text)| number(text, what)).collect();
        numbers.dedup();
        assert!(numbers.len() == 2 && numbers[0] < numbers[1], "{what}: {numbers:?} in {records:#?}");
    }
}
