//! CONNECT: the handshake to the byte, its refusals, and proxies that do it badly.

use std::thread;
use std::time::{Duration, Instant};

use longwire::{CancelToken, Client, Error, ErrorKind, Fate, Proxy, Stage};

use super::support::peer::{Conn, Event, Peer, Req, ok};
use super::{BASIC, SHORT, assert_in_time, at, by, head, impatient, refused};

/// The largest head that a response to CONNECT may have, and how much of its body is kept.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const BODY_BYTES_MAX: usize = 8 * 1024;
const ESTABLISHED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";
const URL: &str = "http://example.test/";

fn tunnelling(peer: &Peer) -> Proxy {
    at("http", peer).tunnel_http()
}

/// A proxy that answers CONNECT with these bytes, and is the server then.
fn opening_with(answer: impl Into<Vec<u8>>) -> Peer {
    let answer = answer.into();
    Peer::start(move |mut conn, _| {
        conn.head().expect("CONNECT");
        conn.send(&answer);
        serve(&mut conn);
    })
}

/// What is behind the tunnel: a server that shows what it was sent.
fn serve(conn: &mut Conn) {
    while let Some(request) = conn.request() {
        conn.send(ok(&head(&request)));
    }
}

/// A proxy that follows the script where it gets a CONNECT.
fn doing<T>(script: impl Fn(&mut Conn, Req) -> T + Send + Sync + 'static) -> Peer {
    Peer::start(move |mut conn, _| {
        let request = conn.head().expect("CONNECT");
        script(&mut conn, request);
    })
}

/// The refusal of a proxy that answers with these bytes and closes.
#[track_caller]
fn refusal(answer: impl Into<Vec<u8>>) -> Error {
    let answer = answer.into();
    let peer = doing(move |conn, _| conn.send(&answer));
    let error = refused(&by(tunnelling(&peer)), URL);
    assert_eq!(
        (error.kind(), error.stage(), error.fate()),
        (ErrorKind::Proxy, Stage::Connect, Fate::NotSent),
        "{error}"
    );
    assert_eq!(error.peer_addr(), Some(peer.addr()));
    assert_eq!(peer.connections(), 1, "no second try");
    error
}

#[test]
fn the_request_for_a_tunnel_is_these_bytes() {
    let peer = Peer::start(|mut conn, _| {
        let request = conn.head().expect("CONNECT");
        conn.note(head(&request));
        conn.send(ESTABLISHED);
        serve(&mut conn);
    });
    let login = tunnelling(&peer).basic_auth("me", "secret").unwrap();
    let cases = [
        (tunnelling(&peer), URL, "example.test:80", String::new()),
        (tunnelling(&peer), "http://[::1]:8080/", "[::1]:8080", String::new()),
        (login, URL, "example.test:80", format!("Proxy-Authorization: {BASIC}\r\n")),
    ];
    for (index, (proxy, url, authority, credentials)) in cases.into_iter().enumerate() {
        let request = by(proxy).get(url).header("Proxy-Authorization", "mine").send().unwrap().text().unwrap();
        let user_agent = concat!("longwire/", env!("CARGO_PKG_VERSION"));
        let want = format!(
            "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {user_agent}\r\n{credentials}\r\n"
        );
        assert!(peer.noted(index, &want), "{:?}", peer.events());
        // What goes through it is for the server, and knows of no proxy.
        assert!(request.starts_with("GET / HTTP/1.1\r\nHost: "), "{request}");
        assert!(!request.to_lowercase().contains("authorization"), "{request}");
    }
}

#[test]
fn a_tunnel_is_asked_for_in_the_clients_name_and_not_in_the_requests() {
    let peer = Peer::start(|mut conn, _| {
        let request = conn.head().expect("CONNECT");
        conn.note(request.header("user-agent").unwrap_or("none"));
        conn.send(ESTABLISHED);
        serve(&mut conn);
    });
    let builder = || Client::builder().proxy(tunnelling(&peer));
    let own = tunnelling(&peer).header("user-agent", "for the proxy").unwrap();
    let cases = [
        (builder().user_agent("me/1"), "me/1"),
        (builder().user_agent(""), "none"),
        (builder().user_agent("me/1").default_header("User-Agent", "me/2"), "me/2"),
        (builder().user_agent("me/1").proxy(own), "for the proxy"),
    ];
    for (index, (builder, want)) in cases.into_iter().enumerate() {
        let head = builder.build().get(URL).header("User-Agent", "request/1").send().unwrap().text().unwrap();
        assert!(peer.noted(index, want), "{want}: {:?}", peer.events());
        assert!(head.contains("\r\nUser-Agent: request/1\r\n") && !head.contains(want), "{head}");
    }
}

#[test]
fn each_server_has_tunnels_of_its_own_and_keeps_them() {
    let peer = opening_with(ESTABLISHED);
    let client = by(tunnelling(&peer));
    for (url, exchange) in [(URL, 1), ("http://other.test/", 1), (URL, 2), ("http://example.test:81/", 1), (URL, 3)] {
        let response = client.get(url).send().unwrap();
        assert_eq!((response.connection().nth(), response.connection().peer_addr()), (exchange, Some(peer.addr())));
        response.bytes().unwrap();
    }
    let connects = peer.request_lines().into_iter().filter(|line| line.starts_with("CONNECT ")).collect::<Vec<_>>();
    let want =
        ["CONNECT example.test:80 HTTP/1.1", "CONNECT other.test:80 HTTP/1.1", "CONNECT example.test:81 HTTP/1.1"];
    assert_eq!(connects, want);
}

#[test]
fn any_2xx_opens_it_and_its_framing_means_nothing() {
    for answer in [
        ESTABLISHED,
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 299\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let peer = opening_with(answer);
        let response = by(tunnelling(&peer)).get(URL).send().unwrap();
        assert!(response.text().unwrap().starts_with("GET / "), "{answer:?}");
    }
}

#[test]
fn a_response_byte_by_byte_is_a_response() {
    let peer = doing(|conn, _| {
        conn.send_bytewise(format!("HTTP/1.1 100 Continue\r\n\r\n{ESTABLISHED}"));
        serve(conn);
    });
    assert!(by(tunnelling(&peer)).get(URL).send().unwrap().text().unwrap().starts_with("GET / "));
}

#[test]
fn a_refusal_shows_its_status_head_and_body() {
    let head = "HTTP/1.1 403 Not Today\r\nContent-Length: 6\r\nX: y\r\n\r\n";
    let error = refusal(format!("{head}no way and more"));
    let shown = error.to_string();
    assert!(shown.starts_with("the proxy refused a tunnel to example.test:80: 403 Not Today ("), "{shown}");
    assert_eq!(error.status().map(|status| status.as_u16()), Some(403));
    assert_eq!(error.proxy_answer(), Some(format!("{head}no way").as_bytes()));
}

#[test]
fn a_refusal_in_chunks_is_shown_without_them() {
    let head = "HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n";
    let error = refusal(format!("{head}3\r\nno \r\n3\r\nway\r\n0\r\n\r\n"));
    assert_eq!(error.proxy_answer(), Some(format!("{head}no way").as_bytes()));
}

#[test]
fn a_refusal_is_one_whatever_becomes_of_its_body() {
    for (answer, want) in [
        ("HTTP/1.1 503 No\r\n\r\nuntil close", "until close"),
        ("HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\ncut", "cut"),
        ("HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\nhuh", "no"),
        ("HTTP/1.1 503 No\r\nTransfer-Encoding: gzip\r\n\r\n???", ""),
        ("HTTP/1.1 503 No\r\nContent-Length: x\r\n\r\n???", ""),
        ("HTTP/1.1 304 No\r\n\r\nstray", ""),
        ("HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/\r\nContent-Length: 0\r\n\r\n", ""),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", ""),
    ] {
        let error = refusal(answer);
        let head_bytes = answer.find("\r\n\r\n").unwrap() + 4;
        let answer = format!("{}{want}", &answer[..head_bytes]);
        assert_eq!(error.proxy_answer(), Some(answer.as_bytes()), "{error}");
        assert!(error.status().is_some(), "{error}");
    }
}

#[test]
fn of_a_refusals_body_so_much_is_kept() {
    for bytes in [BODY_BYTES_MAX, BODY_BYTES_MAX + 1] {
        let head = format!("HTTP/1.1 503 No\r\nContent-Length: {bytes}\r\n\r\n");
        let error = refusal(head.clone() + &"x".repeat(bytes));
        assert_eq!(error.proxy_answer().map(<[u8]>::len), Some(head.len() + BODY_BYTES_MAX));
    }
}

#[test]
fn a_refusal_without_end_ends() {
    let peer = doing(|conn, _| {
        conn.send("HTTP/1.1 503 No\r\n\r\n");
        while conn.send([b'x'; 1024]) {}
    });
    let error = refused(&by(tunnelling(&peer)), URL);
    assert_eq!(error.proxy_answer().map(<[u8]>::len), Some("HTTP/1.1 503 No\r\n\r\n".len() + BODY_BYTES_MAX));
}

#[test]
fn a_refusals_body_is_not_waited_for_as_long_as_a_response_is() {
    let peer = doing(|conn, _| {
        conn.send("HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\nbeginning");
        conn.hold();
    });
    let started = Instant::now();
    let error = refused(&by(tunnelling(&peer)), URL); // with 10 s to connect
    assert_eq!(error.kind(), ErrorKind::Proxy, "{error}");
    assert!(error.proxy_answer().is_some_and(|answer| answer.ends_with(b"\r\n\r\nbeginning")), "{error}");
    assert_in_time(started, Duration::from_secs(1), &error);
    // Nor does it make a limit pass unseen: the response is there, and says more than a timeout.
    assert_eq!(refused(&impatient(tunnelling(&peer)), URL).kind(), ErrorKind::Proxy);
}

#[test]
fn a_407_says_what_to_do() {
    let basic = "Basic realm=\"a, Bearer b\"";
    let refuses = "it does not take the credentials that it was given";
    let (wants, not_such) = ("it wants credentials", "it does not take such credentials");
    let token = ["Proxy-Authorization", "Bearer hunter2"];
    let raw = ["Proxy-Authorization", "hunter2"];
    // (what it offers, what it was given, what the error says)
    let cases: [(&[&str], _, _); 10] = [
        (&[basic], None, format!("{wants}, and offers Basic (Proxy::basic_auth)")),
        (&["NTLM", "basic a=b"], None, format!("{wants}, and offers NTLM, basic (Proxy::basic_auth)")),
        (&["Negotiate", "NTLM"], None, format!("{wants}, and offers Negotiate, NTLM (Proxy::header)")),
        (&["Digest realm=\"x\", nonce=\"Basic\""], None, format!("{wants}, and offers Digest (Proxy::header)")),
        (&[], None, format!("{wants}, and does not say of which scheme")),
        (&["Negotiate, bearer x=y"], Some(token), refuses.to_owned()),
        (&[], Some(token), refuses.to_owned()),
        (&[basic], Some(token), format!("{not_such}, and offers Basic (Proxy::basic_auth)")),
        (&["NTLM"], Some(token), format!("{not_such}, and offers NTLM (Proxy::header)")),
        (&["NTLM"], Some(raw), format!("{not_such}, and offers NTLM (Proxy::header)")),
    ];
    for (offered, given, want) in cases {
        let challenges: String = offered.iter().map(|value| format!("Proxy-Authenticate: {value}\r\n")).collect();
        let answer = format!("HTTP/1.1 407 Who\r\n{challenges}Content-Length: 0\r\n\r\n");
        let peer = doing(move |conn, _| conn.send(&answer));
        let proxy = tunnelling(&peer);
        let proxy = match given {
            Some([name, value]) => proxy.header(name, value).unwrap(),
            None => proxy,
        };
        let error = refused(&by(proxy), URL);
        assert!(error.to_string().contains(&format!(": 407 Who; {want} (")), "{error}, not {want}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn a_refused_post_was_not_sent() {
    let peer = Peer::answering("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
    let error = by(tunnelling(&peer)).post(URL).body("secret order").send().unwrap_err();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Proxy, Fate::NotSent));
    assert_eq!(peer.request_lines(), ["CONNECT example.test:80 HTTP/1.1"]);
}

#[test]
fn bytes_after_the_response_are_an_error() {
    let fake = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfake";
    let error = refusal(format!("{ESTABLISHED}{fake}")).to_string();
    assert!(error.contains("bytes came after it"), "{error}");
    // Just so long that a first read ends with the head.
    let filler = "x".repeat(1024 - "HTTP/1.1 200 OK\r\nA: \r\n\r\n".len());
    let error = refusal(format!("HTTP/1.1 200 OK\r\nA: {filler}\r\n\r\n{fake}")).to_string();
    assert!(error.contains("bytes came after it"), "{error}");
}

#[test]
fn a_response_that_is_none_is_an_error() {
    for (answer, want) in [
        ("", "the connection ended without a response"),
        ("HTTP/1.1 20", "the connection ended inside the response head"),
        ("HTTP/1.1 200 OK\r\nA: b\r\n", "the connection ended inside the response head"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "response head: "),
        ("\x05\x00", "response head: "),
        ("HTTP/3 200\r\n\r\n", "response head: "),
        ("HTTP/1.1 099 x\r\n\r\n", "response head: status 099"),
        ("HTTP/1.1 200 OK\r\nA b\r\n\r\n", "response head: "),
    ] {
        let error = refusal(answer);
        let shown = error.to_string();
        assert!(shown.starts_with(&format!("the proxy's answer to CONNECT: {want}")), "{answer:?}: {shown}");
        assert_eq!((error.status(), error.proxy_answer()), (None, None));
    }
}

#[test]
fn a_reset_is_an_error() {
    let peer = Peer::start(|mut conn, _| {
        conn.head().expect("CONNECT");
        conn.reset();
    });
    let error = refused(&by(tunnelling(&peer)), URL);
    assert_eq!(error.kind(), ErrorKind::Proxy, "{error}");
}

#[test]
fn the_head_of_a_response_has_a_limit() {
    let answer = |bytes: usize| {
        let filler = "x".repeat(bytes - "HTTP/1.1 200 OK\r\nA: \r\n\r\n".len());
        format!("HTTP/1.1 200 OK\r\nA: {filler}\r\n\r\n")
    };
    let peer = opening_with(answer(HEAD_BYTES_MAX));
    assert!(by(tunnelling(&peer)).get(URL).send().is_ok());
    assert!(refusal(answer(HEAD_BYTES_MAX + 1)).to_string().contains("over 16384 bytes"));
    let fields = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(count));
    let peer = opening_with(fields(64));
    assert!(by(tunnelling(&peer)).get(URL).send().is_ok());
    assert!(refusal(fields(65)).to_string().contains("over 64 fields"));
}

#[test]
fn interim_responses_are_skipped_up_to_a_limit_of_bytes() {
    const ONE: &str = "HTTP/1.1 102 A moment, please..\r\n\r\n";
    let interim = |bytes: usize| {
        let filler = "x".repeat(bytes % ONE.len());
        ONE.repeat(bytes / ONE.len() - 1) + &ONE.replace("A", &(filler + "A")) + ESTABLISHED
    };
    assert_eq!(interim(HEAD_BYTES_MAX).len(), HEAD_BYTES_MAX + ESTABLISHED.len());
    let peer = opening_with(interim(HEAD_BYTES_MAX));
    assert!(by(tunnelling(&peer)).get(URL).send().is_ok());
    assert!(refusal(interim(HEAD_BYTES_MAX + 1)).to_string().contains("interim responses: over 16384 bytes"));
}

#[test]
fn a_proxy_that_stalls_or_drips_does_not_outlive_the_limit() {
    let gap = Duration::from_millis(20);
    let peers = [
        doing(|conn, _| conn.hold()),
        doing(move |conn, _| conn.drip(format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(2000)), gap)),
        doing(move |conn, _| while conn.send("HTTP/1.1 100 C\r\n\r\n") && !conn.pause(gap * 10) {}),
    ];
    for peer in &peers {
        let started = Instant::now();
        let error = refused(&impatient(tunnelling(peer)), URL);
        assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Timeout, Stage::Connect, Fate::NotSent));
        let want = format!("the proxy's answer to CONNECT: connect_timeout of {SHORT:?} passed (");
        assert!(error.to_string().starts_with(&want), "{error}");
        assert_in_time(started, SHORT, &error);
        let started = Instant::now();
        let error = by(tunnelling(peer)).get(URL).timeout(SHORT).send().unwrap_err();
        assert!(error.is_timeout() && error.to_string().contains("answer to CONNECT: timeout of"), "{error}");
        assert_in_time(started, SHORT, &error);
    }
}

#[test]
fn a_cancel_reaches_a_handshake() {
    let peer = doing(|conn, _| {
        conn.note("asked");
        conn.wait_closed(Duration::from_secs(20));
    });
    let (client, token) = (by(tunnelling(&peer)), CancelToken::new());
    let request = client.get(URL).cancel_token(&token);
    let waiting = thread::spawn(move || request.send().map(drop));
    assert!(peer.noted(0, "asked"));
    token.cancel();
    let error = waiting.join().expect("no panic").unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert!(peer.saw_close(0), "{:?}", peer.events());
    assert_eq!(client.pool_stats().in_use, 0);
}

#[test]
fn a_limit_of_the_handshake_is_none_of_the_exchange() {
    let peer = doing(|conn, _| {
        conn.send(ESTABLISHED);
        let request = conn.request().expect("a request");
        conn.pause(SHORT * 2); // longer than the connection may take, and than its ticks
        conn.send(ok(&request.target));
    });
    let client = Client::builder().proxy(tunnelling(&peer)).connect_timeout(SHORT).read_timeout(None).build();
    assert_eq!(client.get(URL).send().unwrap().text().unwrap(), "/");
}

#[test]
fn a_refused_tunnel_leaves_no_connection_and_no_slot_behind() {
    let peer = Peer::answering("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
    let client = Client::builder().proxy(tunnelling(&peer)).max_connections_per_host(1).build();
    for index in 0..3 {
        assert_eq!(refused(&client, URL).kind(), ErrorKind::Proxy);
        assert!(peer.wait_until(|events| events.contains(&Event::ClientClosed(index))));
    }
    let stats = client.pool_stats();
    assert_eq!((stats.idle, stats.in_use, stats.opened), (0, 0, 0));
}

#[test]
fn an_upgrade_gets_through() {
    let peer = doing(|conn, _| {
        conn.send(ESTABLISHED);
        let request = conn.request().expect("a request");
        assert_eq!((request.target.as_str(), request.header("upgrade")), ("/", Some("echo")));
        conn.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello");
    });
    let request = by(tunnelling(&peer)).get(URL).header("Connection", "upgrade").header("Upgrade", "echo");
    let mut upgraded = request.send().unwrap().upgrade().unwrap();
    let mut hello = [0; 5];
    std::io::Read::read_exact(&mut upgraded, &mut hello).unwrap();
    assert_eq!(&hello, b"hello");
}
