//! The hooks of a client: `on_redirect`, `before_send`, `dial`, and the observer's events with their ids.

use std::collections::BTreeSet;
use std::io::{BufRead, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longwire::transport::{Connect, Deadline, Direct, Target};
use longwire::{
    BodyEnd, CancelToken, Client, Error, ErrorKind, Event, Headers, Method, Proxy, Request, SendBody, StatusCode,
};

use crate::support::peer::{Peer, ok};
use crate::support::uncoded;

/// Redirects `/start` to `to`, answers everything else.
fn redirecting(to: String) -> Peer {
    Peer::start(move |mut conn, _| {
        while let Some(request) = conn.request() {
            match request.target.as_str() {
                "/start" => {
                    conn.send(format!(
                        "HTTP/1.1 302 Found\r\nLocation: {to}\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
                    ));
                }
                _ => {
                    conn.send(ok("here"));
                }
            }
        }
    })
}

/// Answers with the value of a request field, or `none`.
fn echoing(field: &'static str) -> Peer {
    Peer::start(move |mut conn, _| {
        while let Some(request) = conn.request() {
            conn.send(ok(request.header(field).unwrap_or("none")));
        }
    })
}

#[test]
fn a_field_is_kept_for_one_hop_alone_and_may_be_kept_again() {
    let end = echoing("authorization");
    let middle = redirecting(end.url("/end"));
    let first = redirecting(middle.url("/start"));
    for (keeps, want) in [(0, "none"), (1, "none"), (2, "Bearer t")] {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let client = Client::builder()
            .on_redirect(move |hop| {
                assert_eq!((hop.status(), hop.header("set-cookie")), (StatusCode::FOUND, Some("a=b")));
                assert_ne!(hop.from(), hop.to());
                if counter.fetch_add(1, Ordering::SeqCst) < keeps {
                    hop.keep_header("AUTHORIZATION");
                }
                Ok(())
            })
            .build();
        let response = client.get(first.url("/start")).bearer_auth("t").send().expect("an answer");
        assert_eq!(response.redirects().len(), 2);
        assert_eq!((response.text().expect("text").as_str(), asked.load(Ordering::SeqCst)), (want, 2), "{keeps} kept");
    }
}

#[test]
fn only_what_the_redirecting_server_was_sent_can_be_kept() {
    let last = echoing("authorization");
    let evil = redirecting(last.url("/end"));
    let bank = redirecting(evil.url("/start"));
    let at_evil = evil.addr().port();
    let client = Client::builder()
        .on_redirect(move |hop| {
            // The rule of the documentation, which evil's own redirect fulfils.
            if hop.from().port() == Some(at_evil) && hop.from().host() == hop.to().host() {
                hop.keep_header("Authorization");
            }
            Ok(())
        })
        .build();
    let response = client.get(bank.url("/start")).bearer_auth("bank's").send().expect("an answer");
    assert_eq!(response.text().expect("text"), "none");
}

#[test]
fn what_frames_a_message_and_a_proxys_credentials_go_no_further() {
    let end = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let seen = ["connection", "proxy-authorization", "host"].map(|name| request.header(name).is_some());
            conn.send(ok(&format!("{seen:?}")));
        }
    });
    let first = redirecting(end.url("/end"));
    let client = Client::builder()
        .on_redirect(|hop| {
            ["Connection", "Proxy-Authorization"].into_iter().for_each(|name| hop.keep_header(name));
            Ok(())
        })
        .proxy(Proxy::new("127.0.0.1:1").unwrap().bypass("127.0.0.1").unwrap())
        .build();
    let request = client.get(first.url("/start")).header("Connection", "keep-alive");
    let response = request.header("Proxy-Authorization", "Basic x").send().expect("an answer");
    assert_eq!(response.text().expect("text"), "[false, false, true]");
}

#[test]
fn a_hook_puts_no_secret_into_a_trace() {
    let client = Client::builder().before_send(|outgoing| outgoing.set_header("X-Api-Key", "k")).build();
    let trace = Request::new(Method::TRACE, "http://a.test/").unwrap();
    assert_eq!(client.to_wire(&trace).unwrap_err().kind(), ErrorKind::InvalidRequest);
    let get = Request::new(Method::GET, "http://a.test/").unwrap();
    assert!(client.to_wire(&get).is_ok());
}

#[test]
fn a_redirect_can_be_stopped_and_refused() {
    let peer = redirecting("/end".to_owned());
    let stopping = Client::builder().on_redirect(|hop| {
        hop.stop();
        Ok(())
    });
    let response = stopping.build().post(peer.url("/start")).body("x").send().expect("the redirect itself");
    assert_eq!((response.status(), response.url().path()), (StatusCode::FOUND, "/start"));
    assert!(response.redirects().is_empty());
    let refusing = Client::builder().on_redirect(|_| Err(Error::new(ErrorKind::Redirect, "not there")));
    let error = refusing.build().get(peer.url("/start")).send().expect_err("it is refused");
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Redirect, longwire::Fate::ResponseStarted));
    assert!(error.to_string().starts_with("not there (GET http://127.0.0.1"), "{error}");
    assert_eq!(peer.request_lines().iter().filter(|line| line.contains("/end")).count(), 0);
}

#[test]
fn every_head_is_signed_anew_and_nothing_of_it_goes_along() {
    let other = echoing("x-signature");
    let first = redirecting(other.url("/end"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heads = seen.clone();
    let client = uncoded()
        .default_header("X-Signature", "default")
        .before_send(move |outgoing| {
            let number = heads.lock().unwrap().len();
            heads.lock().unwrap().push(outgoing.headers().clone());
            if outgoing.url().path() == "/start" {
                outgoing.set_header("x-signature", format!("{number}"))
            } else {
                Ok(())
            }
        })
        .build();
    let text = client.get(first.url("/start")).header("X-Own", "1").send().expect("an answer").text().expect("text");
    assert_eq!(text, "none", "a field of the first hop is not the second's");
    let seen = seen.lock().unwrap();
    let names = |headers: &Headers| headers.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&seen[0]), ["Host", "User-Agent", "Accept", "X-Signature", "X-Own"]);
    assert_eq!(names(&seen[1]), ["Host", "User-Agent", "Accept"]);
    let head = String::from_utf8(first.request_lines().join("\n").into_bytes()).unwrap();
    assert!(head.contains("GET /start"));
}

#[test]
fn what_is_set_replaces_the_requests_own_and_to_wire_shows_it() {
    let client = uncoded()
        .before_send(|outgoing| {
            outgoing.set_header("User-Agent", "signed/1")?;
            outgoing.set_header("X", "new")
        })
        .build();
    let request = Request::builder(Method::GET, "http://a.test/").header("X", "old").header("Y", "y").build().unwrap();
    let head = String::from_utf8(client.to_wire(&request).unwrap()).unwrap();
    assert_eq!(head, "GET / HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\nUser-Agent: signed/1\r\nX: new\r\nY: y\r\n\r\n");
    for name in ["Host", "Content-Length", "Transfer-Encoding", "Connection", "bad name"] {
        let client = Client::builder().before_send(move |outgoing| outgoing.set_header(name, "1")).build();
        assert_eq!(client.to_wire(&request).unwrap_err().kind(), ErrorKind::InvalidRequest, "{name}");
    }
}

#[test]
fn an_error_of_the_hook_sends_nothing() {
    let peer = echoing("x");
    let client = Client::builder().before_send(|_| Err(Error::new(ErrorKind::InvalidRequest, "no key"))).build();
    let error = client.post(peer.url("/")).body("x").send().expect_err("it is refused");
    assert_eq!((error.fate(), error.kind()), (longwire::Fate::NotSent, ErrorKind::InvalidRequest));
    assert_eq!(peer.connections(), 0);
}

#[test]
fn sockets_are_opened_as_the_caller_wants_and_stay_the_clients() {
    let peer = echoing("x");
    let dialled = Arc::new(Mutex::new(Vec::new()));
    let log = dialled.clone();
    let client = Client::builder()
        .dial(move |address: &SocketAddr, left: Duration| {
            log.lock().unwrap().push((*address, left));
            let stream = TcpStream::connect_timeout(address, left)?;
            stream.set_nonblocking(true)?; // which a careless caller may leave so
            Ok(stream)
        })
        .resolve_to("named.test", peer.addr())
        .build();
    for _ in 0..2 {
        let url = format!("http://named.test:{}/", peer.addr().port());
        let response = client.get(url).timeout(Duration::from_secs(20)).send().expect("an answer");
        assert_eq!(response.connection().peer_addr(), Some(peer.addr()));
        assert_eq!(response.text().expect("text"), "none");
    }
    let dialled = dialled.lock().unwrap();
    assert_eq!(dialled.len(), 1);
    assert!(dialled[0].0 == peer.addr() && dialled[0].1 <= Duration::from_secs(10), "{dialled:?}");
}

#[test]
fn a_request_may_have_a_proxy_of_its_own_and_none_beside_a_connector() {
    let proxy = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let token = request.header("proxy-authorization").unwrap_or("none").to_owned();
            conn.send(ok(&format!("{} {token}", request.target)));
        }
    });
    let client = Client::builder().no_proxy().build();
    let at = |user: &str| Proxy::new(&format!("http://{user}:p@{}", proxy.addr())).expect("a proxy");
    let get = |user| client.get("http://a.test/x").proxy(at(user)).send().expect("an answer").text().expect("text");
    assert_eq!(get("u"), "http://a.test/x Basic dTpw");
    assert_eq!(get("v"), "http://a.test/x Basic djpw");
    let by_proxy = Client::builder().proxy(at("u")).build();
    let direct = echoing("proxy-authorization");
    let text = by_proxy.get(direct.url("/")).no_proxy().send().expect("an answer").text().expect("text");
    assert_eq!(text, "none");
    let connected = Client::builder().connector(Direct::new()).build();
    let error = connected.get("http://a.test/").proxy(at("u")).send().expect_err("it would be bypassed");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[test]
fn the_clients_own_way_to_connect_can_be_wrapped() {
    let peer = echoing("x");
    let (count, direct) = (Arc::new(AtomicUsize::new(0)), Direct::new());
    let connects = count.clone();
    let client = Client::builder()
        .connector(move |target: &Target<'_>, deadline: Deadline, token: &CancelToken| {
            connects.fetch_add(1, Ordering::SeqCst);
            direct.connect(target, deadline, token)
        })
        .build();
    for _ in 0..3 {
        assert_eq!(client.get(peer.url("/")).send().expect("an answer").text().expect("text"), "none");
    }
    assert_eq!((count.load(Ordering::SeqCst), peer.connections()), (1, 1));
}

/// What the observer was given: the variant's name, and the ids.
type Seen = Arc<Mutex<Vec<(String, longwire::CallId, Option<longwire::ExchangeId>, Option<longwire::ConnectionId>)>>>;

fn observed(seen: &Seen) -> Client {
    let log = seen.clone();
    Client::builder()
        .observer(move |event: &Event<'_>| {
            let name = format!("{event:?}").split([' ', '{']).next().unwrap_or_default().to_owned();
            log.lock().unwrap().push((name, event.call(), event.exchange(), event.connection()));
        })
        .build()
}

#[test]
fn an_event_names_its_call_its_exchange_and_its_connection() {
    let peer = redirecting("/end".to_owned());
    let seen = Seen::default();
    let client = observed(&seen);
    client.get(peer.url("/start")).send().expect("an answer").bytes().expect("a body");
    let events = std::mem::take(&mut *seen.lock().unwrap());
    let names: Vec<&str> = events.iter().map(|event| event.0.as_str()).collect();
    assert_eq!(
        names,
        [
            "CallStarted",
            "Connected",
            "RequestHead",
            "RequestSent",
            "ResponseHead",
            "Redirect",
            "Kept",
            "Reused",
            "RequestHead",
            "RequestSent",
            "ResponseHead",
            "BodyEnded",
            "Kept",
        ]
    );
    assert_eq!(events.iter().map(|event| event.1).collect::<BTreeSet<_>>().len(), 1, "one call");
    assert_eq!(events.iter().filter_map(|event| event.2).collect::<BTreeSet<_>>().len(), 2, "two exchanges");
    assert_eq!(events.iter().filter_map(|event| event.3).collect::<BTreeSet<_>>().len(), 1, "one connection");
    assert_eq!((events[0].2, events[0].3), (None, None), "a call starts without either");
    assert!(events[2].2.is_some() && events[2].3.is_some());
    client.get(peer.url("/")).send().expect("an answer").bytes().expect("a body");
    let again = std::mem::take(&mut *seen.lock().unwrap());
    assert!(again.iter().all(|event| event.1 != events[0].1), "another call");
    assert_eq!(again[1].3, events[2].3, "the same connection");
}

#[test]
fn a_failure_is_reported_once_with_the_error_that_the_caller_gets() {
    let peer = Peer::answering("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\ncut");
    let failures = Arc::new(Mutex::new(Vec::new()));
    let log = failures.clone();
    let client = Client::builder()
        .observer(move |event: &Event<'_>| match event {
            Event::Failed { error, .. } => log.lock().unwrap().push(error.to_string()),
            Event::BodyEnded { .. } => panic!("it was cut"),
            _ => {}
        })
        .build();
    let listener = Peer::start(|mut conn, _| {
        conn.request();
        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut");
    });
    drop(peer);
    let mut body = client.get(listener.url("/")).send().expect("a head").into_body();
    let mut all = Vec::new();
    let errors = [(); 2].map(|()| body.read_to_end(&mut all).expect_err("it is cut").to_string());
    assert_eq!(*failures.lock().unwrap(), [errors[0].clone()]);
    assert_eq!(errors[0], errors[1]);
    let gone = client.get("http://127.0.0.1:1/").send().expect_err("nobody listens");
    assert_eq!(failures.lock().unwrap()[1], gone.to_string());
}

#[test]
fn observers_add_up_and_body_ended_tells_its_length() {
    let peer = Peer::answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    let counts = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let observer = |count: &Arc<AtomicUsize>| {
        let count = count.clone();
        move |event: &Event<'_>| {
            if let Event::BodyEnded { bytes: 5, end: BodyEnd::LastChunk, .. } = event {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    let client = Client::builder().observer(observer(&counts[0])).observer(Arc::new(observer(&counts[1]))).build();
    let mut response = client.get(peer.url("/")).send().expect("an answer");
    let mut start = Vec::new();
    response.read_until(b'c', &mut start).expect("the first chunk");
    assert_eq!(start, b"abc");
    let (head, body) = response.into_parts();
    assert_eq!((head.status(), head.url().path(), head.connection().nth()), (StatusCode::OK, "/", 1));
    assert_eq!(body.text().expect("the rest"), "de");
    assert_eq!(counts.map(|count| count.load(Ordering::SeqCst)), [1, 1]);
}

#[test]
fn a_chain_of_parts_is_one_body() {
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let framing = request.header("content-length").or(request.header("transfer-encoding"));
            let echo = format!("{} {}", framing.unwrap_or("none"), String::from_utf8_lossy(&request.body));
            conn.send(ok(&echo));
        }
    });
    let client = Client::new();
    let send =
        |body: SendBody<'_>| client.post(peer.url("/")).body(body).send().expect("an answer").text().expect("text");
    let sized = || SendBody::sized_reader(&b"read"[..], 4);
    assert_eq!(send(SendBody::chain([])), "0 ");
    assert_eq!(send(SendBody::chain([SendBody::from("a"), SendBody::empty(), sized(), "z".into()])), "6 areadz");
    let nested = SendBody::chain([SendBody::chain(["1".into(), "2".into()]), Arc::<[u8]>::from(&b"3"[..]).into()]);
    assert_eq!((nested.len(), send(nested)), (Some(3), "3 123".to_owned()));
    assert_eq!(send(SendBody::chain([SendBody::reader(&b"chunk"[..]), "ed".into()])), "chunked chunked");
    let short = SendBody::chain([SendBody::sized_reader(&b"x"[..], 2), "y".into()]);
    let error = client.post(peer.url("/")).body(short).send().expect_err("its reader ends early");
    assert_eq!((error.kind(), error.to_string().contains("1 bytes before")), (ErrorKind::Body, true), "{error}");
    let long = SendBody::chain([SendBody::sized_reader(&b"xyz"[..], 2), "y".into()]);
    let error = client.post(peer.url("/")).body(long).send().expect_err("its reader goes on");
    assert_eq!((error.kind(), error.to_string().contains("goes on past")), (ErrorKind::Body, true), "{error}");
}

#[test]
fn what_is_put_into_the_headers_by_hand_is_held_to_the_same_rules() {
    let client = Client::new();
    let with = |name: &str, value: &str| {
        let mut request = Request::new(Method::POST, "http://a.test/").expect("a request");
        request.set_body("hello");
        request.headers_mut().append(name, value).expect("it is well formed");
        request
    };
    for (name, value) in [("Transfer-Encoding", "chunked"), ("Content-Length", "6"), ("Trailer", "x"), ("Expect", "y")]
    {
        let error = client.to_wire(&with(name, value)).err().or_else(|| client.send(with(name, value)).err());
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::InvalidRequest), "{name}");
    }
    let wire = String::from_utf8(client.to_wire(&with("Expect", "100-continue")).unwrap()).unwrap();
    assert_eq!(wire.matches("Expect: 100-continue\r\n").count(), 1, "{wire}");
    let mut again = with("Expect", "100-continue");
    again.headers_mut().append("Expect", "200-ok").expect("it is well formed");
    assert_eq!(client.to_wire(&again).expect_err("a second one").kind(), ErrorKind::InvalidRequest);
    let mut signed_twice = with("Authorization", "Bearer a");
    signed_twice.headers_mut().append("authorization", "Bearer b").expect("it is well formed");
    assert_eq!(client.to_wire(&signed_twice).expect_err("two of them").kind(), ErrorKind::InvalidRequest);
    let peer = Peer::answering("HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 0\r\n\r\n");
    let mut copied = with("Y", "z");
    *copied.headers_mut() = client.get(peer.url("/")).send().expect("an answer").headers().clone();
    copied.headers_mut().remove("Content-Length");
    assert_eq!(client.to_wire(&copied).expect_err("a control character").kind(), ErrorKind::InvalidRequest);
    let mut twice = with("Host", "a.test");
    twice.headers_mut().append("host", "b.test").expect("it is well formed");
    assert_eq!(client.to_wire(&twice).expect_err("two hosts").kind(), ErrorKind::InvalidRequest);
    let bad: Headers = [("X", "y"), ("A B", "z")].into_iter().collect();
    let error = client.post("http://a.test/").headers(&bad).build().expect_err("a name with a blank");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    let mut put = with("X", "y");
    *put.headers_mut() = bad;
    assert_eq!(client.to_wire(&put).expect_err("the same").kind(), ErrorKind::InvalidRequest);
    let mut never = with("X", "y");
    never.set_timeout(Duration::ZERO);
    assert_eq!(client.send(never).expect_err("no time").kind(), ErrorKind::InvalidRequest);
}
