//! Conversions from and to the types of the `http` crate, and requests that are sent as such. What the
//! conversions of single values do is tested in `src/ext/http_types.rs`.

mod support;

use std::error::Error as StdError;
use std::io::Read;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use longwire::script::{Reply, Script, reply};
use longwire::{Body, Client, Error, ErrorKind, Request, SendBody};

const URL: &str = "http://memory.test/a?b=c";

fn converted<'b, B: Into<SendBody<'b>>>(request: http::Request<B>) -> Result<Request<'b>, Error> {
    request.try_into()
}

#[test]
fn a_request_keeps_method_url_fields_and_body() {
    let borrowed = String::from("borrowed");
    let foreign = http::Request::builder()
        .method("PURGE")
        .uri("http://user:pass@memory.test:8080/a%20b?c=d")
        .header("X-One", "1")
        .header("X-Two", HeaderValue::from_bytes(b"\xe4").expect("obs-text"))
        .header("X-One", "2")
        .body(borrowed.as_str())
        .expect("a request");
    let request = converted(foreign).expect("a request");
    assert_eq!(request.method(), "PURGE");
    assert_eq!(request.url().as_str(), "http://memory.test:8080/a%20b?c=d");
    assert_eq!(request.headers().get("authorization"), Some("Basic dXNlcjpwYXNz"));
    assert_eq!(request.headers().get_all("x-one").collect::<Vec<_>>(), [b"1", b"2"]);
    assert_eq!(request.headers().get_bytes("x-two"), Some(&b"\xe4"[..]));
    assert_eq!(request.body().len(), Some(8));
    let reader = SendBody::reader(std::io::Cursor::new("a stream"));
    let request = converted(http::Request::put(URL).body(reader).expect("a request")).expect("a request");
    assert_eq!(request.body().len(), None);
}

#[test]
fn a_request_that_cannot_be_sent_is_refused_with_words() {
    let cases = [
        ("GET", "/path?secret", ErrorKind::InvalidUrl, "the URI \"/path\" is not absolute: it has no scheme"),
        ("GET", "memory.test:80", ErrorKind::InvalidUrl, "the URI \"memory.test\" is not absolute"),
        ("GET", "ftp://memory.test/", ErrorKind::UnsupportedScheme, ""),
        ("GET", "http://memory.test:0/", ErrorKind::InvalidUrl, ""),
        ("CONNECT", URL, ErrorKind::InvalidRequest, "CONNECT"),
    ];
    for (method, uri, kind, words) in cases {
        let foreign = http::Request::builder().method(method).uri(uri).body("").expect("a request");
        let error = converted(foreign).map(drop).expect_err(uri);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let foreign = http::Request::get(URL).header("Trailer", "X").body("").expect("a request");
    let error = converted(foreign).map(drop).expect_err("no trailers are sent");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().ends_with("(GET http://memory.test/a)"), "{error}");
}

#[test]
fn a_response_keeps_status_version_fields_and_a_body_that_is_still_to_be_read() {
    let answer = reply(404)
        .header("Content-Type", "text/plain; charset=latin1")
        .header("Set-Cookie", "a=1")
        .header("X-Tail", "x")
        .header("set-cookie", "b=2")
        .body(&b"gr\xfcn"[..]);
    let response = Script::answering(answer).client().get(URL).send().expect("a response");
    let foreign: http::Response<Body> = response.try_into().expect("it has a form there");
    assert_eq!((foreign.status(), foreign.version()), (http::StatusCode::NOT_FOUND, http::Version::HTTP_11));
    let cookies = foreign.headers().get_all("set-cookie").iter().map(HeaderValue::as_bytes);
    assert_eq!(cookies.collect::<Vec<_>>(), [b"a=1", b"b=2"]);
    assert_eq!(foreign.headers()[CONTENT_TYPE], "text/plain; charset=latin1");
    assert_eq!(foreign.into_body().text().expect("the body knows its charset"), "gr\u{fc}n");
}

#[test]
fn a_response_of_http_1_0_says_so() {
    let response =
        Script::answering(longwire::script::raw("HTTP/1.0 200 OK\r\n\r\nold").close()).client().get(URL).send();
    let foreign = http::Response::try_from(response.expect("a response")).expect("it has a form there");
    assert_eq!(foreign.version(), http::Version::HTTP_10);
    let mut text = String::new();
    foreign.into_body().read_to_string(&mut text).expect("a body");
    assert_eq!(text, "old");
}

#[test]
fn a_response_that_the_http_crate_cannot_hold_is_an_error_that_names_the_request() {
    let response = Script::answering(reply(200).header("X-Name", "a\u{1}b").body("x")).client().get(URL).send();
    let response = response.expect("longwire keeps it");
    assert_eq!(response.headers().get("x-name"), Some("a\u{1}b"));
    let error = http::Response::try_from(response).map(drop).expect_err("it has no form there");
    assert_eq!(error.kind(), ErrorKind::Head);
    let want =
        "header X-Name: its value has control characters, which the http crate refuses (GET http://memory.test/a)";
    assert_eq!(error.to_string(), want);
}

#[test]
fn send_http_sends_and_collects() {
    let script = Script::new().on_with("*", |request| reply(201).header("X-Line", request.line()).body("made"));
    let request = http::Request::post(URL)
        .header(AUTHORIZATION, "Basic eDp5")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(b"grant_type=x".to_vec())
        .expect("a request");
    let response: http::Response<Vec<u8>> = script.client().send_http(request).expect("a response");
    assert_eq!((response.status().as_u16(), response.body().as_slice()), (201, &b"made"[..]));
    assert_eq!(response.headers()["x-line"], "POST /a?b=c");
    let seen = &script.seen()[0];
    assert_eq!((seen.header("authorization"), seen.header("content-length")), (Some("Basic eDp5"), Some("12")));
    assert_eq!(seen.body(), b"grant_type=x");

    let response = script.client().send_http(http::Request::get(URL).body("").expect("a request"));
    assert_eq!(response.expect("a response").status(), 201);
    assert_eq!(script.seen()[1].header("content-length"), None, "GET without a body has none");
}

#[test]
fn send_http_fails_as_send_and_as_bytes_do() {
    let sent = |answer: Reply, max_redirects: u32| {
        let client = Client::builder().connector(Script::answering(answer)).max_redirects(max_redirects).build();
        client.send_http(http::Request::get(URL).body("").expect("a request"))
    };
    let cut = reply(200).header("Content-Length", "9").body("cut").close();
    assert_eq!(sent(cut, 0).expect_err("it is cut").kind(), ErrorKind::Truncated);
    let large = longwire::script::raw("HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n");
    assert_eq!(sent(large, 0).expect_err("over 64 MiB").kind(), ErrorKind::BodyTooLarge);
    let redirect = reply(302).header("Location", "/again");
    assert_eq!(sent(redirect.clone(), 0).expect("the redirect itself").status(), 302);
    assert_eq!(sent(redirect, 3).expect_err("it never ends").kind(), ErrorKind::TooManyRedirects);
    let refused = Client::new().send_http(http::Request::get("/").body("").expect("a request"));
    assert_eq!(refused.expect_err("no host").kind(), ErrorKind::InvalidUrl);
}

/// The bounds of `oauth2::SyncHttpClient`, version 5. The crate itself is tried by `tests/oauth2`.
#[test]
fn a_closure_is_a_client_for_libraries_that_leave_the_sending_to_their_caller() {
    fn send<E: StdError + 'static>(
        client: &impl Fn(http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, E>,
    ) -> Result<Vec<u8>, E> {
        let request = http::Request::get(URL).body(Vec::new()).expect("a request");
        client(request).map(http::Response::into_body)
    }
    let client = Script::answering(reply(200).body("token")).client();
    assert_eq!(send(&|request| client.send_http(request)).expect("a response"), b"token");
}
