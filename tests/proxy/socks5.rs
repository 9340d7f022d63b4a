//! SOCKS5: the handshake to the byte (RFC 1928, RFC 1929), and proxies that do it badly.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use longwire::{Client, Error, ErrorKind, Fate, Stage};

use super::support::peer::{Conn, Peer, ok};
use super::{Name, SHORT, assert_in_time, at, by, head, impatient, refused};

const URL: &str = "http://example.test:8081/a";
/// What a proxy says that has no address to tell of.
const GRANTED: [u8; 10] = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

/// Reads a greeting without login and a request of this many bytes after its first four.
fn request(conn: &mut Conn, rest: usize) -> Vec<u8> {
    assert_eq!(conn.exactly(3).as_deref(), Some(&[5, 1, 0][..]), "a greeting that offers no login");
    conn.send([5, 0]);
    conn.exactly(4 + rest).expect("a request")
}

fn serve(conn: &mut Conn) {
    while let Some(request) = conn.request() {
        conn.send(ok(&head(&request)));
    }
}

/// The bytes of a request for that name.
fn for_name(name: &str, port: u16) -> Vec<u8> {
    [&[5, 1, 0, 3, name.len() as u8], name.as_bytes(), &port.to_be_bytes()].concat()
}

/// A proxy that answers the request for a tunnel to `URL` with these bytes, and then closes.
fn replying(reply: Vec<u8>) -> Peer {
    Peer::start(move |mut conn, _| {
        request(&mut conn, 1 + "example.test".len() + 2);
        conn.send(&reply);
    })
}

/// The error of a request through a proxy that follows the script.
#[track_caller]
fn refusal(peer: &Peer) -> Error {
    let error = refused(&by(at("socks5h", peer)), URL);
    assert_eq!(
        (error.kind(), error.stage(), error.fate()),
        (ErrorKind::Proxy, Stage::Connect, Fate::NotSent),
        "{error}"
    );
    assert_eq!(error.peer_addr(), Some(peer.addr()));
    error
}

#[test]
fn a_name_is_the_proxys_to_look_up() {
    let peer = Peer::start(|mut conn, _| {
        assert_eq!(request(&mut conn, 15), for_name("example.test", 8081));
        conn.send(GRANTED);
        serve(&mut conn);
    });
    let client = by(at("socks5h", &peer));
    for exchange in [1, 2] {
        let response = client.get(URL).header("Proxy-Authorization", "secret").send().unwrap();
        assert_eq!((response.connection().nth(), response.connection().peer_addr()), (exchange, Some(peer.addr())));
        let head = response.text().unwrap();
        assert!(head.starts_with("GET /a HTTP/1.1\r\nHost: example.test:8081\r\n"), "{head}");
        assert!(!head.contains("secret"), "{head}");
    }
    assert_eq!(peer.connections(), 1);
}

#[test]
fn a_name_is_looked_up_here_and_its_address_is_sent() {
    let peer = Peer::start(|mut conn, _| {
        assert_eq!(request(&mut conn, 6), [5, 1, 0, 1, 192, 0, 2, 7, 0x1f, 0x91]);
        conn.send(GRANTED);
        serve(&mut conn);
    });
    let resolver = Name("example.test", vec!["192.0.2.7:8081".parse().unwrap()]);
    let client = Client::builder().resolver(resolver).proxy(at("socks5", &peer)).build();
    assert!(client.get(URL).send().unwrap().text().unwrap().contains("\r\nHost: example.test:8081\r\n"));
}

#[test]
fn a_name_that_is_not_known_here_does_not_reach_the_proxy() {
    let peer = Peer::start(|_, _| panic!("nothing to ask for"));
    let client = Client::builder().resolver(Name("other.test", Vec::new())).proxy(at("socks5", &peer)).build();
    assert_eq!(refused(&client, URL).kind(), ErrorKind::Resolve);
    assert_eq!(peer.connections(), 0);
}

#[test]
fn an_address_that_the_proxy_cannot_reach_makes_way_for_the_next() {
    let peer = Peer::start(|mut conn, index| {
        let rest = if index == 0 { 18 } else { 6 };
        let asked = request(&mut conn, rest);
        conn.note(format!("{asked:?}"));
        if index < 2 {
            conn.send([5, 2 + 2 * index as u8, 0, 1, 0, 0, 0, 0, 0, 0]); // not allowed, host unreachable
        } else {
            conn.send(GRANTED);
            serve(&mut conn);
        }
    });
    let addresses = ["[2001:db8::7]:8081", "192.0.2.1:8081", "192.0.2.2:8081"];
    let addresses: Vec<SocketAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    let client = Client::builder().resolver(Name("example.test", addresses)).proxy(at("socks5", &peer)).build();
    assert!(client.get(URL).send().is_ok());
    assert_eq!(peer.connections(), 3);
    let v6 = [&[5, 1, 0, 4, 0x20, 1, 0xd, 0xb8][..], &[0; 11], &[7, 0x1f, 0x91]].concat();
    assert!(peer.noted(0, &format!("{v6:?}")), "{:?}", peer.events());
    assert!(peer.noted(1, &format!("{:?}", [5, 1, 0, 1, 192, 0, 2, 1, 0x1f, 0x91])), "{:?}", peer.events());
}

#[test]
fn an_address_on_which_the_proxy_hangs_has_its_share_of_the_time() {
    let addresses = ["192.0.2.1:8081", "192.0.2.2:8081", "192.0.2.3:8081"];
    let addresses: Vec<SocketAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    for reachable in [true, false] {
        let peer = Peer::start(move |mut conn, index| {
            request(&mut conn, 6);
            if index < 2 || !reachable {
                conn.hold();
            } else {
                conn.send(GRANTED);
                serve(&mut conn);
            }
        });
        let resolver = Name("example.test", addresses.clone());
        let client = Client::builder().resolver(resolver).proxy(at("socks5", &peer)).connect_timeout(3 * SHORT).build();
        let started = Instant::now();
        match client.get(URL).send() {
            Ok(_) => assert!(reachable),
            Err(error) => {
                assert!(!reachable && error.is_timeout() && started.elapsed() >= 3 * SHORT, "{error}");
                assert_eq!((error.stage(), error.fate()), (Stage::Connect, Fate::NotSent));
            }
        }
        assert_eq!(peer.connections(), 3);
    }
}

#[test]
fn addresses_in_urls_are_sent_as_addresses() {
    for scheme in ["socks5", "socks5h"] {
        for (url, want) in [
            ("http://192.0.2.1/", vec![5, 1, 0, 1, 192, 0, 2, 1, 0, 80]),
            ("http://[2001:db8::1]:1/", [&[5, 1, 0, 4, 0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1, 0, 1]].concat()),
        ] {
            let expected = want.clone();
            let peer = Peer::start(move |mut conn, _| {
                assert_eq!(request(&mut conn, expected.len() - 4), expected);
                conn.send(GRANTED);
                serve(&mut conn);
            });
            assert!(by(at(scheme, &peer)).get(url).send().is_ok(), "{scheme} {url}");
        }
    }
}

#[test]
fn each_server_has_tunnels_of_its_own() {
    let peer = Peer::start(|mut conn, _| {
        request(&mut conn, 1 + "one.test".len() + 2);
        conn.send(GRANTED);
        serve(&mut conn);
    });
    let client = by(at("socks5h", &peer));
    for (url, exchange) in [("http://one.test/", 1), ("http://two.test/", 1), ("http://one.test/", 2)] {
        let response = client.get(url).send().unwrap();
        assert_eq!(response.connection().nth(), exchange);
        response.bytes().unwrap();
    }
    assert_eq!(peer.connections(), 2);
}

#[test]
fn user_and_password_are_offered_and_sent_when_asked_for() {
    for asks in [true, false] {
        let peer = Peer::start(move |mut conn, _| {
            assert_eq!(conn.exactly(4).as_deref(), Some(&[5, 2, 0, 2][..]));
            if asks {
                conn.send([5, 2]);
                assert_eq!(conn.exactly(11).as_deref(), Some(&b"\x01\x02me\x06secret"[..]));
                conn.send([1, 0]);
            } else {
                conn.send([5, 0]);
            }
            assert_eq!(conn.exactly(19), Some(for_name("example.test", 8081)));
            conn.send(GRANTED);
            serve(&mut conn);
        });
        let client = by(at("socks5h", &peer).basic_auth("me", "secret").unwrap());
        let head = client.get(URL).send().unwrap().text().unwrap();
        assert!(!head.to_lowercase().contains("authorization"), "{head}");
    }
}

#[test]
fn a_refused_login_says_so_and_is_tried_once() {
    let peer = Peer::start(|mut conn, _| {
        conn.exactly(4);
        conn.send([5, 2]);
        conn.exactly(11);
        conn.send([1, 1]);
    });
    let resolver = Name("example.test", vec!["192.0.2.1:1".parse().unwrap(), "192.0.2.2:1".parse().unwrap()]);
    let proxy = at("socks5", &peer).basic_auth("me", "secret").unwrap();
    let error = refused(&Client::builder().resolver(resolver).proxy(proxy).build(), URL);
    let want = format!(
        "the proxy does not take the user and password that it was given (GET http://example.test:8081/a, {})",
        peer.addr()
    );
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Proxy, want));
    assert_eq!(peer.connections(), 1);
}

#[test]
fn every_reply_has_its_words() {
    let table = [
        (1, "general SOCKS server failure"),
        (2, "connection not allowed by its rules"),
        (3, "network unreachable"),
        (4, "host unreachable"),
        (5, "connection refused"),
        (6, "TTL expired"),
        (7, "command not supported"),
        (8, "address type not supported"),
        (9, "reply 9, which SOCKS5 does not know"),
        (255, "reply 255, which SOCKS5 does not know"),
    ];
    for (reply, words) in table {
        let peer = replying(vec![5, reply, 0, 1, 0, 0, 0, 0, 0, 0]);
        let want = format!("the proxy refused a tunnel to example.test:8081: {words} (");
        let shown = refusal(&peer).to_string();
        assert!(shown.starts_with(&want), "{shown}");
        assert_eq!(peer.connections(), 1);
    }
    // The code alone tells enough: some say no more before they close.
    assert!(refusal(&replying(vec![5, 2, 0, 0])).to_string().contains("not allowed by its rules ("));
}

#[test]
fn the_address_that_a_proxy_tells_of_may_be_of_any_kind() {
    let name = [&[5, 0, 0, 3, 255][..], &[b'x'; 255], &[0, 80]].concat();
    let v6 = [&[5, 0, 0, 4][..], &[9; 16], &[0, 80]].concat();
    for reply in [GRANTED.to_vec(), v6, name, vec![5, 0, 0, 3, 0, 0, 80]] {
        let peer = Peer::start(move |mut conn, _| {
            request(&mut conn, 15);
            conn.send(&reply);
            serve(&mut conn);
        });
        let response = by(at("socks5h", &peer)).get(URL).send().unwrap();
        assert!(response.text().unwrap().starts_with("GET /a HTTP/1.1\r\n"));
    }
}

#[test]
fn what_comes_after_the_handshake_is_not_the_servers_response() {
    let early = [&GRANTED[..], ok("the proxy's own").as_bytes()].concat();
    let message = refusal(&replying(early)).to_string();
    assert!(message.contains("bytes came after it, before a request was sent ("), "{message}");
}

#[test]
fn a_response_byte_by_byte_is_a_response() {
    let peer = Peer::start(|mut conn, _| {
        conn.exactly(3);
        conn.send_bytewise([5, 0]);
        conn.exactly(19);
        conn.send_bytewise(GRANTED);
        serve(&mut conn);
    });
    assert!(by(at("socks5h", &peer)).get(URL).send().is_ok());
}

#[test]
fn a_response_that_is_none_is_an_error() {
    let table: [(&[u8], &[u8], &str); 11] = [
        (b"", b"", "it closed the connection"),
        (b"\x05", b"", "it closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", "it answers with byte 0x48, and is no SOCKS5 proxy"),
        (b"\x04\x5a", b"", "it answers with byte 0x04, and is no SOCKS5 proxy"),
        (b"\x05\xff", b"", "the proxy wants credentials, or what longwire cannot give"),
        (b"\x05\x02", b"", "it chose method 2, which was not offered"),
        (b"\x05\x01", b"", "it chose method 1, which was not offered"),
        (b"\x05\x00", b"", "it closed the connection"),
        (b"\x05\x00", b"\x05\x00\x00\x01\x7f\x00", "it closed the connection"),
        (b"\x05\x00", b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", "it answers with byte 0x01"),
        (b"\x05\x00", b"\x05\x00\x00\x02\x00\x00\x00\x00\x00\x00", "its answer has an address of type 2"),
    ];
    for (greeting, reply, want) in table {
        let peer = Peer::start(move |mut conn, _| {
            conn.exactly(3);
            conn.send(greeting);
            if greeting == [5, 0] {
                conn.exactly(19);
                conn.send(reply);
            }
        });
        let error = refusal(&peer).to_string();
        assert!(error.contains(want), "{greeting:?} {reply:?}: {error}");
    }
}

#[test]
fn a_login_that_is_answered_by_another_protocol_is_an_error() {
    for (answer, want) in [
        (&[9, 0][..], "version 9 of the login"),
        (&[1, 2], "does not take the user and password"),
        (&[1], "it closed the connection"),
    ] {
        let peer = Peer::start(move |mut conn, _| {
            conn.exactly(4);
            conn.send([5, 2]);
            conn.exactly(11);
            conn.send(answer);
        });
        let error = refused(&by(at("socks5h", &peer).basic_auth("me", "secret").unwrap()), URL);
        assert!(error.kind() == ErrorKind::Proxy && error.to_string().contains(want), "{error}");
    }
    let peer = Peer::start(|mut conn, _| {
        conn.exactly(4);
        conn.send([5, 0xff]);
    });
    let error = refused(&by(at("socks5h", &peer).basic_auth("me", "secret").unwrap()), URL);
    assert!(error.to_string().starts_with("the proxy takes no login by user and password ("), "{error}");
}

#[test]
fn a_name_may_have_255_bytes_and_no_more() {
    let name = |bytes: usize| "a.".repeat(bytes / 2) + &"b".repeat(bytes % 2);
    let peer = Peer::start(move |mut conn, _| {
        let asked = request(&mut conn, 1 + 255 + 2);
        assert_eq!(asked, for_name(&name(255), 80));
        conn.send(GRANTED);
        serve(&mut conn);
    });
    assert!(by(at("socks5h", &peer)).get(format!("http://{}/", name(255))).send().is_ok());
    let peer = Peer::start(|mut conn, _| assert_eq!(conn.read_some(), b"", "nothing to ask for"));
    let error = refused(&by(at("socks5h", &peer)), &format!("http://{}/", name(256)));
    assert!(error.to_string().contains("no name of more than 255 bytes"), "{error}");
}

#[test]
fn a_proxy_that_stalls_or_drips_does_not_outlive_the_limit() {
    let gap = Duration::from_millis(20);
    let long = [&[5, 0, 0, 3, 255][..], &[b'x'; 255], &[0, 80]].concat();
    let peers = [
        Peer::start(|conn, _| conn.hold()),
        Peer::start(|mut conn, _| {
            request(&mut conn, 15);
            conn.hold();
        }),
        Peer::start(move |mut conn, _| {
            request(&mut conn, 15);
            conn.drip(&long, gap);
        }),
    ];
    for peer in &peers {
        let started = Instant::now();
        let error = refused(&impatient(at("socks5h", peer)), URL);
        assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Timeout, Stage::Connect, Fate::NotSent));
        let want = format!("the SOCKS5 handshake with the proxy: connect_timeout of {SHORT:?} passed (");
        assert!(error.to_string().starts_with(&want), "{error}");
        assert_in_time(started, SHORT, &error);
    }
}
