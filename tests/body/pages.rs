//! UTF-8 and error pages: what of a body gets into a `String` or an error, and what becomes of the
//! connection. Other charsets are in `text.rs`.

use std::thread;
use std::time::{Duration, Instant};

use longwire::{CancelToken, Client, ErrorKind, Method, Side};

use super::get;
use crate::support::peer::{LIMIT, Peer, answer};

const HEAD_404: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n";

fn text_answer(content_type: &str, more: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\n{content_type}{more}Content-Length: {}\r\n\r\n", content.len());
    [head.as_bytes(), content].concat()
}

#[test]
fn a_text_that_is_not_utf_8_names_charset_and_coding() {
    let utf_8 = "Content-Type: text/html; Charset=\"UTF-8\"\r\n";
    let cases: [(&str, &str, &[u8], &str); 3] = [
        (utf_8, "", b"gr\xfcn", "not UTF-8 (byte 3); its Content-Type says charset UTF-8 (GET "),
        (
            "",
            "Content-Encoding: compress\r\n",
            b"\x1f\x9d\x90",
            "(byte 2); its Content-Encoding is compress, which is not undone",
        ),
        ("Content-Type: text/html\r\n", "", b"\xff", "not UTF-8 (byte 1) (GET "),
    ];
    for (content_type, more, content, want) in cases {
        let peer = Peer::answering(text_answer(content_type, more, content));
        for error in [get(&peer).text().unwrap_err(), get(&peer).into_body().text().unwrap_err()] {
            assert_eq!((error.kind(), error.status().map(|status| status.as_u16())), (ErrorKind::Decode, Some(200)));
            assert!(error.to_string().contains(want), "{error}");
        }
        let lossy = get(&peer).text_lossy().expect("a text");
        assert_eq!(lossy, String::from_utf8_lossy(content));
        assert_eq!(get(&peer).into_body().text_lossy().expect("a text"), lossy);
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    let peer = Peer::answering(text_answer("", "", b"\xef\xbb\xbfplain \xef\xbb\xbf"));
    assert_eq!(get(&peer).text().expect("UTF-8"), "plain \u{feff}");
    assert_eq!(get(&peer).text_lossy().expect("UTF-8"), "plain \u{feff}");
    let peer = Peer::answering(text_answer("", "", b"\xef\xbb\xbf\xff"));
    assert_eq!(get(&peer).text_lossy().expect("a text"), "\u{fffd}");
}

#[test]
fn a_small_error_page_is_kept_and_does_not_cost_the_connection() {
    let peer = Peer::start(|mut conn, _| {
        while conn.request().is_some() {
            conn.send(HEAD_404);
            conn.pause(Duration::from_millis(5)); // the page comes in a packet of its own
            conn.send("not here\n");
        }
    });
    let client = Client::new();
    for _ in 0..5 {
        let error = client.get(peer.url("/x?key=s3cret")).send().and_then(|r| r.error_for_status()).unwrap_err();
        assert_eq!((error.kind(), error.kind().side()), (ErrorKind::Status, Side::Peer));
        assert_eq!(error.body(), Some(&b"not here\n"[..]));
        assert_eq!(error.method(), Some(&Method::GET));
        let want = format!("the server answered 404 Not Found (GET {}, {})", peer.url("/x"), peer.addr());
        assert_eq!(error.to_string(), want);
        assert!(!format!("{error:?}").contains("here"), "{error:?}");
    }
    assert_eq!(peer.connections(), 1);
}

#[test]
fn of_an_error_page_at_most_eight_kib_are_kept() {
    for bytes in [8 * 1024, 8 * 1024 + 1, 50_000] {
        let peer = Peer::answering(answer("500 Broken", "", &"x".repeat(bytes)));
        let error = get(&peer).error_for_status().unwrap_err();
        assert_eq!(error.body().map(<[u8]>::len), Some(8 * 1024), "{bytes}");
    }
}

#[test]
fn an_error_page_is_waited_for_no_longer_than_a_second_nor_past_the_limits() {
    let stalling = || {
        Peer::start(|mut conn, _| {
            while conn.request().is_some() {
                conn.send(format!("{HEAD_404}half"));
                conn.wait_closed(LIMIT);
            }
        })
    };
    for (limit, most) in [(None, 15), (Some(Duration::from_millis(60)), 1)] {
        let peer = stalling();
        let response = Client::new().get(peer.url("/")).timeout(limit).send().expect("a head");
        let started = Instant::now();
        let error = response.error_for_status().unwrap_err();
        assert_eq!((error.kind(), error.body()), (ErrorKind::Status, Some(&b"half"[..])));
        let took = started.elapsed();
        assert!(limit.is_some() || took >= Duration::from_secs(1), "what may still come is waited for: {took:?}");
        assert!(took < Duration::from_secs(most), "{took:?} with {limit:?}");
        assert!(peer.saw_close(0));
    }
}

#[test]
fn a_cancel_counts_before_an_error_page() {
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        conn.send(format!("{HEAD_404}half"));
        conn.note("half is sent");
        conn.wait_closed(LIMIT);
    });
    let token = CancelToken::new();
    let response = Client::new().get(peer.url("/")).cancel_token(&token).send().expect("a head");
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(peer.noted(0, "half is sent"));
            token.cancel();
        });
        let error = response.error_for_status().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    });
}

#[test]
fn an_error_page_obeys_the_limit_and_its_reason_is_text() {
    let peer = Peer::answering(answer("404 N\u{e4}h \u{1f}", "", &"x".repeat(100)).replace('\u{1f}', "there"));
    let error = get(&peer).limit(10).error_for_status().unwrap_err();
    assert_eq!(error.body().map(<[u8]>::len), Some(10));
    assert!(error.to_string().starts_with("the server answered 404 N\u{e4}h there (GET "), "{error}");
}

#[test]
fn a_user_supplied_error_says_what_it_is_about() {
    let peer = Peer::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
    let response = get(&peer);
    let of_response = response.error(ErrorKind::Decode, "this is no JSON");
    let body = response.into_body();
    for error in [of_response, body.error(ErrorKind::Decode, "this is no JSON")] {
        let want = format!("this is no JSON (GET {}, {})", peer.url("/"), peer.addr());
        assert_eq!(error.to_string(), want);
        assert_eq!((error.kind(), error.status().map(|status| status.as_u16())), (ErrorKind::Decode, Some(200)));
        assert_eq!(error.peer_addr(), Some(peer.addr()));
    }
}
