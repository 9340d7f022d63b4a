//! Handshakes that fail: each error says what is wrong, and comes in time. (Refused certificates:
//! `refusals.rs`.)

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use longwire::rustls::version::{TLS12, TLS13};
use longwire::rustls::{ALL_VERSIONS, ContentType, ServerConfig};
use longwire::{CancelToken, Client, CloseReason, Error, ErrorKind, Event, Fate, Observer, Retry, Stage};

use crate::certificates::Authority;
use crate::session::{Session, answering, dripping, serve};
use crate::support::peer::{LIMIT, Peer, ok};
use crate::support::trace::Trace;
use crate::{builder, client, url};

const SHORT: Duration = Duration::from_millis(300);
/// More than a limit may be overrun on a busy machine, less than any default of the client.
const SLACK: Duration = Duration::from_secs(5);

fn failed(client: &Client, url: &str) -> Error {
    client.get(url).send().expect_err("no handshake can succeed here")
}

/// The handshake failed, with these words, and not a byte of the request had left.
#[track_caller]
pub(crate) fn assert_says(error: &Error, words: &str) {
    assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Tls, Stage::Tls, Fate::NotSent), "{error}");
    assert!(error.to_string().contains(words), "{error:?} does not say {words:?}");
    assert_plain(error);
}

/// One line for people: no name that only Rust knows (`OtherError(...)`), and the peer named once.
#[track_caller]
pub(crate) fn assert_plain(error: &Error) {
    const NAMES: [&str; 2] = ["subjectAltName", "basicConstraints"]; // what people have to write

    let shown = error.to_string();
    let rest = NAMES.iter().fold(shown.clone(), |shown, name| shown.replace(name, ""));
    let letters: Vec<char> = rest.chars().collect();
    let is_camel_case = letters.windows(2).any(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase());
    assert!(!is_camel_case && !shown.contains(['{', '\n']), "{shown}");
    if let Some(peer) = error.peer_addr() {
        assert_eq!(shown.matches(&peer.to_string()).count(), 1, "{shown}");
    }
}

#[test]
fn plain_http_on_the_https_port_is_named_as_such() {
    let peer = Peer::start(|mut conn, _| {
        conn.read_some();
        conn.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    let client = client(&Authority::new("root"), &peer);
    assert_says(&failed(&client, &url(&peer, "/")), "the server speaks plain HTTP on this port");
}

#[test]
fn garbage_in_the_handshake_is_named_as_such() {
    let garbage: [&[u8]; 4] = [
        b"\x00\x00\x00\x00\x00\x00\x00\x00",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x03\x00\x04\x02\x00\x00\x00",
        b"\x17\x03\x03\x00\x01\x00",
    ];
    for bytes in garbage {
        let peer = Peer::start(move |mut conn, _| {
            conn.read_some();
            conn.send(bytes);
            conn.wait_closed(LIMIT);
        });
        let client = client(&Authority::new("root"), &peer);
        assert_says(&failed(&client, &url(&peer, "/")), "what the server sent is not valid TLS");
    }
}

#[test]
fn every_alert_is_named_and_the_common_ones_are_explained() {
    let explained = [
        (70, "the server supports neither TLS 1.2 nor 1.3"),
        (40, "the server supports none of the cipher suites offered, or requires a client certificate"),
        (112, "the server has no certificate for this name (SNI)"),
        (120, "the server supports none of the protocols offered"),
        (80, "the server aborted the connection"),
    ];
    for (alert, words) in explained {
        let peer = Peer::start(move |mut conn, _| {
            conn.read_some();
            conn.send([0x15, 3, 1, 0, 2, 2, alert]);
        });
        let client = client(&Authority::new("root"), &peer);
        assert_says(&failed(&client, &url(&peer, "/")), words);
    }
}

/// A ServerHello of version 1.1, as a server sends it that has nothing better.
#[test]
fn a_server_hello_of_tls_1_1_is_named_as_such() {
    let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x13, 0]);
    let peer = Peer::start(move |mut conn, _| {
        conn.read_some();
        conn.send(&hello);
        conn.wait_closed(LIMIT);
    });
    let client = client(&Authority::new("root"), &peer);
    assert_says(&failed(&client, &url(&peer, "/")), "the server supports neither TLS 1.2 nor 1.3");
}

#[test]
fn a_server_that_hangs_up_in_the_handshake_is_named_as_such() {
    let closing = Peer::start(|mut conn, _| drop(conn.read_some()));
    let error = failed(&client(&Authority::new("root"), &closing), &url(&closing, "/"));
    assert_says(&error, "TLS handshake with longwire.test: the server closed the connection");

    let resetting = Peer::start(|mut conn, _| {
        conn.read_some();
        conn.reset();
    });
    let error = failed(&client(&Authority::new("root"), &resetting), &url(&resetting, "/"));
    assert_says(&error, "TLS handshake with longwire.test: ");
    assert!(error.to_string().contains("reset"), "{error}");
}

/// In TLS 1.3 the client is done before the server has looked at its certificate: the refusal
/// meets the first read, or a write.
/// Handshakes of which only those that the connection broke are worth another attempt.
#[test]
fn a_policy_for_retries_repeats_a_handshake_that_broke_and_no_refusal() {
    let connections = |peer: &Peer, authority: &Authority| {
        let quick = Retry::new(2).backoff(Duration::from_millis(1), Duration::from_millis(1));
        let client = builder(authority.client_config(ALL_VERSIONS), peer).retry(quick).build();
        assert_eq!(failed(&client, &url(peer, "/")).fate(), Fate::NotSent);
        peer.connections()
    };
    let root = Authority::new("root");
    let hangs_up = Peer::start(|mut conn, _| drop(conn.read_some()));
    let resets = Peer::start(|mut conn, _| {
        conn.read_some();
        conn.reset();
    });
    let babbles = Peer::start(|mut conn, _| {
        conn.read_some();
        conn.send("no TLS at all");
    });
    assert_eq!([hangs_up, resets, babbles].map(|peer| connections(&peer, &root)), [3, 3, 1]);
    let strange = answering(root.identity().server_config(ALL_VERSIONS), ok("x"));
    assert_eq!(connections(&strange, &Authority::new("another root")), 1);
}

#[test]
fn a_server_that_wants_a_client_certificate_is_named_as_such() {
    let authority = Authority::new("root");
    let own = authority.identity();
    for version in [&TLS12, &TLS13] {
        let peer = answering(authority.demanding(&own, version), ok("welcome"));
        for body in ["", "a body"] {
            let request = client(&authority, &peer).post(url(&peer, "/")).body(body);
            let error = request.send().expect_err("there is no certificate");
            assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
            assert!(error.to_string().contains("the server requires a client certificate"), "{error}");
        }
        let with = builder(authority.client_config_with(&authority.identity()), &peer).build();
        assert_eq!(crate::text(&with, &url(&peer, "/")), "welcome");
        let wrong = builder(authority.client_config_with(&Authority::new("stranger").identity()), &peer).build();
        let error = failed(&wrong, &url(&peer, "/"));
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    }
}

#[test]
fn a_server_that_chooses_another_protocol_is_refused() {
    let authority = Authority::new("root");
    let mut server: ServerConfig = authority.identity().server_config(ALL_VERSIONS);
    server.alpn_protocols = vec![b"h2".to_vec()];
    let peer = answering(server, ok("never read"));
    let by_default = failed(&client(&authority, &peer), &url(&peer, "/"));
    assert_says(&by_default, "the server supports none of the protocols offered");

    let mut config = authority.client_config(ALL_VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let by_choice = failed(&builder(config, &peer).build(), &url(&peer, "/"));
    assert_says(&by_choice, "the server chose the protocol h2, and only http/1.1 is supported");
}

#[test]
fn a_host_that_no_certificate_can_name_is_refused() {
    let peer = Peer::start(|mut conn, _| drop(conn.read_some()));
    let config = Authority::new("root").client_config(ALL_VERSIONS);
    let client = builder(config, &peer).resolve_to("a..b", peer.addr()).build();
    let error = failed(&client, &format!("https://a..b:{}/", peer.addr().port()));
    assert_says(&error, "no certificate can name");
}

// ── After the handshake ─────────────────────────────────────────────────────────────────────────

/// A HelloRequest (RFC 5246 §7.4.1.1), which rustls answers with no_renegotiation, and what the
/// server does then.
#[test]
fn a_renegotiation_that_the_server_asks_for_is_named_as_such() {
    let authority = Authority::new("root");
    let mut config = authority.identity().server_config(&[&TLS12]);
    config.enable_secret_extraction = true;
    let config = Arc::new(config);
    for alerts in [true, false] {
        let config = config.clone();
        let peer = Peer::start(move |conn, _| {
            let mut session = Session::new(conn, &config);
            let finished = session.shake_hands().expect("a handshake");
            session.conn.send(finished);
            session.request().expect("a request");
            let (mut conn, mut record) = session.take_over();
            conn.send(record(ContentType::Handshake, &[0, 0, 0, 0]));
            conn.read_some(); // no_renegotiation, a warning
            if alerts {
                conn.send(record(ContentType::Alert, &[2, 40]));
                conn.wait_closed(LIMIT);
            }
        });
        let error = failed(&client(&authority, &peer), &url(&peer, "/"));
        assert_plain(&error);
        let (kind, what) = match alerts {
            true => (ErrorKind::Tls, ", and aborted the connection (alert 40: handshake failure)"),
            false => (ErrorKind::Truncated, "the connection ended without TLS's close_notify: "),
        };
        assert_eq!((error.kind(), error.stage()), (kind, Stage::Wait), "{error}");
        for words in ["the server requests a renegotiation, which is not supported", what] {
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}

#[test]
fn what_breaks_a_body_off_is_said_in_words() {
    let authority = Authority::new("root");
    let garbage = b"\x17\x03\x03\x00\x20 these are no encrypted bytes    ";
    for (last, words) in
        [(&garbage[..], "TLS: a record cannot be decrypted: it was damaged in transit"), (b"", "close_notify")]
    {
        let peer = serve(authority.identity().server_config(ALL_VERSIONS), move |session, _| {
            session.request();
            session.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            session.conn.send(last);
        });
        let response = client(&authority, &peer).get(url(&peer, "/")).send().expect("a head");
        let error = response.bytes().expect_err("it is cut");
        assert_plain(&error);
        assert!(error.to_string().contains(words) && error.peer_addr().is_some(), "{error}");
    }
}

// ── Time and cancels ────────────────────────────────────────────────────────────────────────────

#[track_caller]
fn assert_timeout(peer: &Peer, setting: &str) {
    let builder = builder(Authority::new("root").client_config(ALL_VERSIONS), peer);
    let client = match setting {
        "timeout" => builder.timeout(SHORT),
        _ => builder.connect_timeout(SHORT),
    };
    let started = Instant::now();
    let error = failed(&client.build(), &url(peer, "/"));
    let took = started.elapsed();
    assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Timeout, Stage::Tls, Fate::NotSent), "{error}");
    let words = format!("TLS handshake with longwire.test: {setting} of 300ms passed");
    assert!(error.to_string().contains(&words), "{error}");
    assert!(took >= SHORT && took < SHORT + SLACK, "{took:?}");
}

#[test]
fn a_handshake_that_stalls_ends_in_time() {
    let peer = Peer::start(|mut conn, _| {
        conn.read_some();
        conn.wait_closed(LIMIT);
    });
    assert_timeout(&peer, "connect_timeout");
    assert_timeout(&peer, "timeout");
}

#[test]
fn a_handshake_that_drips_ends_in_time() {
    let identity = Authority::new("root").identity();
    let peer = dripping(identity.server_config(ALL_VERSIONS), Duration::from_millis(20));
    assert_timeout(&peer, "connect_timeout");
    assert_timeout(&peer, "timeout");
}

/// Cancels its token when the connection is there: the handshake is next.
struct CancelWhenConnected(CancelToken);

impl Observer for CancelWhenConnected {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Connected { .. }) {
            self.0.cancel();
        }
    }
}

#[test]
fn a_cancel_ends_the_handshake() {
    let peer = Peer::start(|mut conn, _| {
        conn.read_some();
        conn.note("in the handshake");
        conn.wait_closed(LIMIT);
    });
    let token = CancelToken::new();
    let client = client(&Authority::new("root"), &peer);
    let started = Instant::now();
    let error = thread::scope(|scope| {
        scope.spawn(|| {
            assert!(peer.noted(0, "in the handshake"));
            token.cancel();
        });
        client.get(url(&peer, "/")).cancel_token(&token).send().expect_err("a cancel")
    });
    assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Cancelled, Stage::Tls, Fate::NotSent));
    assert!(started.elapsed() < SLACK && peer.saw_close(0));
}

#[test]
fn a_cancel_between_connecting_and_the_handshake_is_seen() {
    let peer = Peer::start(|mut conn, _| {
        conn.wait_closed(LIMIT);
    });
    let token = CancelToken::new();
    let config = Authority::new("root").client_config(ALL_VERSIONS);
    let client = builder(config, &peer).observer(CancelWhenConnected(token.clone())).build();
    let error = client.get(url(&peer, "/")).cancel_token(&token).send().expect_err("a cancel");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Cancelled, Stage::Tls), "{error}");
    assert!(peer.saw_close(0));
}

/// A failed handshake frees its slot and leaves no connection open; the pool's counters agree with
/// the events.
#[test]
fn a_failed_handshake_gives_its_place_back() {
    let peer = Peer::start(|mut conn, _| drop(conn.read_some()));
    let config = Authority::new("root").client_config(ALL_VERSIONS);
    let trace = Trace::default();
    let client = builder(config, &peer).max_connections_per_host(1).observer(trace.clone()).build();
    for _ in 0..3 {
        assert_eq!(failed(&client, &url(&peer, "/")).kind(), ErrorKind::Tls);
    }
    let stats = client.pool_stats();
    assert_eq!((stats.idle, stats.in_use, stats.waiting, stats.opened), (0, 0, 0, 3));
    assert_eq!((stats.closed.get(CloseReason::Failed), stats.closed.total()), (3, 3));
    assert_eq!(trace.lines(), ["connected", "closed Failed"].repeat(3));
}

/// Without a connection there is no handshake.
#[test]
fn a_port_that_refuses_is_no_matter_of_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let near = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let taken = near.local_addr().expect("bound"); // and there is no listener
    let error = failed(&Client::new(), &format!("https://{taken}/"));
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Connect, Stage::Connect), "{error}");
}
