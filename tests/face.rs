//! The public face apart from the way of a request: the functions that share a client, what can be
//! made from what, and what is shown of each thing in a log. What an observer sees is in
//! `face/observer.rs`, what hooks may do in `face/hooks.rs`; `face/signatures.rs` pins the signatures.

#[path = "face/hooks.rs"]
mod hooks;
#[path = "face/observer.rs"]
mod observer;
#[path = "face/signatures.rs"]
mod signatures;
mod support;

use std::io;
use std::time::{Duration, Instant};

use longwire::script::{Script, raw, reply};
use longwire::{
    CancelToken, Client, ClientBuilder, CloseReason, Error, ErrorKind, Headers, Method, Request, Result, SendBody,
    StatusCode, Url,
};
use support::peer::{Peer, ok};

#[test]
fn the_functions_of_the_crate_share_one_connection() {
    let peer = Peer::answering("HTTP/1.1 204 No Content\r\n\r\n");
    let url = peer.url("/");
    for sent in [
        longwire::get(&url),
        longwire::head(&url),
        longwire::delete(&url),
        longwire::post(&url, "x"),
        longwire::put(&url, "x"),
        longwire::patch(&url, "x"),
        longwire::request(Method::OPTIONS, &url).send(),
    ] {
        assert_eq!(sent.expect("a response").status(), 204);
    }
    let lines = ["GET", "HEAD", "DELETE", "POST", "PUT", "PATCH", "OPTIONS"].map(|name| format!("{name} / HTTP/1.1"));
    assert_eq!(peer.request_lines(), lines);
    assert_eq!(peer.connections(), 1);
}

#[test]
fn what_is_made_by_default_is_what_new_makes() {
    let request = Request::new(Method::GET, "http://a.test/").expect("a request");
    let heads = [Client::new(), Client::default(), ClientBuilder::default().build()].map(|client| {
        let head = client.to_wire(&request).expect("a head");
        String::from_utf8(head).expect("ASCII")
    });
    assert!(heads.iter().all(|head| *head == heads[0]), "{heads:?}");
    assert_eq!(format!("{:?}", SendBody::default()), format!("{:?}", SendBody::empty()));
}

#[test]
fn a_url_is_taken_in_every_form_and_checked_in_each() {
    let url = Url::parse("http://a.test/x").expect("a URL");
    let text = url.to_string();
    let made = |request: Result<Request<'static>>| request.expect("a request").url().to_string();
    assert_eq!(made(Request::new(Method::GET, &url)), text);
    assert_eq!(made(Request::new(Method::GET, url.clone())), text);
    assert_eq!(made(Request::new(Method::GET, &text)), text);
    assert_eq!(made(Request::new(Method::GET, text.as_str())), text);
    assert_eq!(made(Request::new(Method::GET, text.clone())), text);

    let refused = |text: &str| {
        let url = Url::parse(text).expect("a URL");
        Request::new(Method::GET, &url).expect_err("it cannot be asked for").kind()
    };
    assert_eq!(refused("ftp://a.test/"), ErrorKind::UnsupportedScheme);
    assert_eq!(refused("http://a.test:0/"), ErrorKind::InvalidUrl);
}

#[test]
fn headers_are_collected_extended_and_compared() {
    let mut headers: Headers = [("A", "1")].into_iter().collect();
    headers.extend([(String::from("B"), vec![0xff])]);
    headers.extend(&headers.clone());
    let fields: Vec<(&str, &[u8])> = (&headers).into_iter().collect();
    assert_eq!(fields, [("A", &b"1"[..]), ("B", b"\xff"), ("A", b"1"), ("B", b"\xff")]);
    assert_eq!(headers, fields.into_iter().collect());
    assert_ne!(headers, Headers::default());
}

#[test]
fn methods_and_status_codes_are_converted_and_compared() {
    let get = Method::try_from("GET").expect("a method");
    assert_eq!(get, "GET");
    assert_eq!("GET", get);
    assert_eq!(get, *"GET");
    assert_eq!(*"GET", get);
    assert_ne!(get, "get");
    assert_eq!(AsRef::<str>::as_ref(&get), "GET");
    assert_eq!(Method::try_from("G T").expect_err("not a token").kind(), ErrorKind::InvalidRequest);
    let code = StatusCode::try_from(404u16).expect("a status code");
    let number: u16 = code.into();
    assert_eq!((code, number), (StatusCode::NOT_FOUND, 404));
    assert_eq!(StatusCode::try_from(99).expect_err("below 100").kind(), ErrorKind::InvalidRequest);
}

#[test]
fn a_method_is_read_and_shown_by_its_name() {
    let method: Method = "PURGE".parse().expect("a method");
    let request = Request::new(method, "http://a.test/").expect("a request");
    assert_eq!(request.method().to_string(), "PURGE");
    let error = "PUR GE".parse::<Method>().expect_err("it is no token");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[test]
fn a_status_knows_its_class_and_its_name() {
    let client = Script::answering(reply(204)).client();
    let success = client.get("http://a.test/").send().expect("a response").status();
    let classes = |status: StatusCode| {
        let classes = [
            status.is_informational(),
            status.is_success(),
            status.is_redirection(),
            status.is_client_error(),
            status.is_server_error(),
        ];
        classes.iter().position(|is| *is).filter(|_| classes.iter().filter(|is| **is).count() == 1)
    };
    assert_eq!(success, StatusCode::NO_CONTENT);
    let all = [
        (StatusCode::CONTINUE, "Continue"),
        (success, "No Content"),
        (StatusCode::FOUND, "Found"),
        (StatusCode::NOT_FOUND, "Not Found"),
        (StatusCode::BAD_GATEWAY, "Bad Gateway"),
    ];
    for (index, (status, name)) in all.into_iter().enumerate() {
        assert_eq!(classes(status), Some(index), "{status}");
        assert_eq!(status.canonical_reason(), Some(name));
    }
    let client = Script::answering(reply(799)).client();
    let odd = client.get("http://a.test/").send().expect("a response").status();
    assert_eq!((classes(odd), odd.canonical_reason()), (None, None));
}

#[test]
fn basic_auth_refuses_what_would_be_read_as_something_else() {
    let client = Client::new();
    for (user, password) in [("a:b", "c"), ("a", "b\r\nc"), ("a\0", "b")] {
        let built = client.get("http://a.test/").basic_auth(user, Some(password)).build();
        assert_eq!(built.expect_err("it is ambiguous").kind(), ErrorKind::InvalidRequest, "{user:?}");
    }
}

#[test]
fn a_host_without_any_connection_is_the_callers_mistake() {
    let client = Client::builder().max_connections_per_host(0).build();
    let error = client.get("http://a.test/").send().expect_err("there is no slot");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("max_connections_per_host"), "{error}");
}

#[test]
fn an_error_is_of_the_kind_that_std_has_for_it() {
    let of = |kind| io::Error::from(Error::from_io(kind, "", io::ErrorKind::NotFound.into())).kind();
    for kind in [ErrorKind::Resolve, ErrorKind::Tls, ErrorKind::Proxy] {
        assert_eq!(of(kind), io::ErrorKind::Other, "{kind:?}");
    }
    assert_eq!(of(ErrorKind::Connect), io::ErrorKind::NotFound, "the system's own");
    assert_eq!(of(ErrorKind::Chunk), io::ErrorKind::InvalidData);
    assert_eq!(of(ErrorKind::Status), io::ErrorKind::InvalidData);
    assert_eq!(of(ErrorKind::BlockedAddress), io::ErrorKind::InvalidInput);
}

#[test]
fn a_connection_tells_its_age_when_the_response_came() {
    const PAUSE: Duration = Duration::from_millis(50);
    let peer = Peer::start(|mut conn, _| {
        while conn.request().is_some() {
            conn.pause(PAUSE);
            conn.send(ok("x"));
        }
    });
    let client = Client::new();
    let started = Instant::now();
    let ages = [(); 2].map(|()| {
        let response = client.get(peer.url("/")).send().expect("a response");
        let age = response.connection().age();
        assert_eq!(response.text().expect("a body"), "x");
        age
    });
    assert!(ages[0] >= PAUSE && ages[1] >= ages[0] + PAUSE && ages[1] <= started.elapsed(), "{ages:?}");
}

#[test]
fn the_reasons_for_closing_differ_in_words() {
    let client = Script::answering(reply(204)).client();
    client.get("http://a.test/").send().expect("a response");
    client.close_idle();
    let closed: Vec<String> = client.pool_stats().closed.iter().map(|(reason, _)| reason.to_string()).collect();
    assert_eq!(closed, [CloseReason::Cleared.to_string()]);
    assert_ne!(CloseReason::Cleared.to_string(), CloseReason::Idle.to_string());
}

#[test]
fn debug_shows_what_a_body_is_and_never_what_is_in_it() {
    let reader = || io::Cursor::new("secret");
    let shown =
        [SendBody::empty(), SendBody::from("secret"), SendBody::sized_reader(reader(), 6), SendBody::reader(reader())]
            .map(|body| format!("{body:?}"));
    assert_eq!(shown, ["Empty(0 bytes)", "Bytes(6 bytes)", "Reader(6 bytes)", "Reader(of unknown length)"]);
}

#[test]
fn debug_shows_the_state_of_a_response_body() {
    let cut = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx";
    let client = Script::answering(raw(cut)).client();
    let mut body = client.get("http://a.test/").send().expect("a response").into_body();
    assert_eq!(format!("{body:?}"), "Body(open, remaining: None)");
    io::copy(&mut body, &mut io::sink()).expect_err("the chunk size is wrong");
    assert!(format!("{body:?}").starts_with("Body(failed: "), "{body:?}");
    assert_eq!(body.remaining(), None);
}

#[test]
fn debug_shows_whether_a_token_is_cancelled_and_how_a_pool_is_built() {
    let token = CancelToken::new();
    token.cancel();
    assert_eq!(format!("{token:?}"), "CancelToken { is_cancelled: true }");
    let builder = Client::builder().default_header("Authorization", "secret").max_idle(7);
    let shown = format!("{builder:?}");
    assert!(shown.contains("idle_max: 7") && !shown.contains("secret"), "{shown}");
}

#[test]
fn the_raw_head_is_as_it_came_whatever_its_version() {
    for version in ["1.0", "1.1", "1.2", "1.9"] {
        let head = format!("HTTP/{version} 200 OK\r\nContent-Length: 0\r\nX-Version: HTTP/1.1\r\n\r\n");
        let client = Script::answering(raw(&*head)).client();
        assert_eq!(client.get("http://a.test/").send().unwrap().raw_head(), head.as_bytes());
    }
}
