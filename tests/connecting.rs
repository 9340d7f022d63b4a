//! From a host to a connection: names, several addresses (RFC 8305), filters, and what the error says
//! when none of it works.
//!
//! The names end in `.test` and are known to the resolver of the test only. The address filter is in
//! `connecting/address_filter.rs`; how many threads connect and look up, in `connecting/helpers.rs` and
//! `connecting/threads.rs`.

#[path = "connecting/address_filter.rs"]
mod address_filter;
#[cfg(target_os = "linux")]
#[path = "connecting/helpers.rs"]
mod helpers;
#[path = "support/silent.rs"]
mod silent;
mod support;
#[path = "connecting/threads.rs"]
mod threads;

use std::io;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use longwire::transport::{Query, Resolve};
use longwire::{Client, ClientBuilder, Error, ErrorKind, Fate, Response, Result, Stage};
use silent::{HangingNames, Refused, black_hole, other_black_hole};
use support::peer::{Peer, answer, ok};

/// The pause before the next address is tried (RFC 8305 §5, "Connection Attempt Delay").
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
const SHORT: Duration = Duration::from_millis(400);
/// Less than `connect_timeout`, and than any limit that is not set here.
const SOON: Duration = Duration::from_secs(6);
const LOOK_UPS_MAX: usize = 64;

/// The names here are the test's own, and no proxy of the environment's knows them.
fn builder() -> ClientBuilder {
    Client::builder().no_proxy()
}

/// A resolver that knows one list for every name, and counts how often it was asked for what.
#[derive(Clone, Default)]
struct Names {
    addresses: Vec<SocketAddr>,
    asked: Arc<Mutex<Vec<(String, u16)>>>,
}

impl Names {
    fn all_at(addresses: &[SocketAddr]) -> Names {
        Names { addresses: addresses.to_vec(), ..Names::default() }
    }

    fn asked(&self) -> Vec<(String, u16)> {
        self.asked.lock().expect("no panic").clone()
    }
}

impl Resolve for Names {
    fn resolve(&self, query: &Query<'_>) -> io::Result<Vec<SocketAddr>> {
        let mut asked = self.asked.lock().expect("no panic");
        asked.push((query.host().to_owned(), query.port()));
        Ok(self.addresses.clone())
    }
}

/// A resolver that fails.
struct NoSuchName;

impl Resolve for NoSuchName {
    fn resolve(&self, query: &Query<'_>) -> io::Result<Vec<SocketAddr>> {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("no {} here", query.host())))
    }
}

fn get(builder: ClientBuilder, url: impl AsRef<str>) -> Result<Response> {
    builder.build().get(url.as_ref()).send()
}

#[track_caller]
fn text(sent: Result<Response>) -> String {
    let response = sent.unwrap_or_else(|error| panic!("{error}"));
    response.text().expect("the response's text")
}

#[track_caller]
fn refused(sent: Result<Response>, kind: ErrorKind) -> Error {
    let error = sent.map(|r| r.status()).expect_err("no connection");
    assert_eq!(error.kind(), kind, "{error}");
    error
}

// ---- hosts and names ----

#[test]
fn an_ip_literal_needs_no_resolver() {
    let peer = Peer::answering(ok("here"));
    let names = Names::default();
    let client = builder().resolver(names.clone()).build();
    let response = client.get(peer.url("/")).send().expect("a response");
    assert_eq!(response.timings().resolve, Duration::ZERO);
    assert_eq!(response.connection().peer_addr(), Some(peer.addr()));
    assert_eq!(names.asked(), []);
}

#[test]
fn an_ipv6_literal_is_dialled_as_it_is() {
    // A machine without ::1 has nothing to dial, and nothing to test.
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
        return;
    };
    let address = listener.local_addr().expect("the listener's address");
    let names = Names::default();
    let serving = thread::spawn(move || answer_one(&listener));
    let url = format!("http://{address}/");
    assert!(url.starts_with("http://[::1]:"));
    assert_eq!(text(get(builder().resolver(names.clone()), url)), "six");
    let head = serving.join().expect("no panic");
    assert!(head.contains(&format!("Host: {address}\r\n")), "{head}");
    assert_eq!(names.asked(), []);
}

/// Accepts one connection, reads a head, answers "six", and gives the head.
fn answer_one(listener: &TcpListener) -> String {
    use std::io::{Read, Write};
    let (mut stream, _) = listener.accept().expect("a connection");
    stream.set_read_timeout(Some(SOON)).expect("a limit");
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let count = stream.read(&mut buffer).expect("the request");
        assert!(count > 0, "the client went");
        head.extend_from_slice(&buffer[..count]);
    }
    stream.write_all(ok("six").as_bytes()).expect("the client");
    String::from_utf8(head).expect("a head in ASCII")
}

const LOCALHOST_NAMES: [&str; 5] = ["localhost", "LOCALHOST", "localhost.", "foo.localhost", "a.b.Localhost."];

#[test]
fn localhost_and_what_is_below_it_is_this_machine_without_a_look_up() {
    let peer = Peer::answering(ok("here"));
    let names = Names::default();
    for host in LOCALHOST_NAMES {
        let client = builder().resolver(names.clone()).build();
        let response = client.get(format!("http://{host}:{}/", peer.addr().port())).send().expect("a response");
        assert_eq!(response.timings().resolve, Duration::ZERO);
        assert_eq!(response.connection().peer_addr(), Some(peer.addr()));
    }
    assert_eq!(names.asked(), []);
}

#[test]
fn localhost_is_found_where_it_listens_on_ipv6_alone() {
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
        return; // this machine has none
    };
    let port = listener.local_addr().expect("the listener's address").port();
    let serving = thread::spawn(move || answer_one(&listener));
    assert_eq!(text(get(builder(), format!("http://foo.localhost:{port}/"))), "six");
    serving.join().expect("no panic");
}

#[test]
fn what_only_looks_like_localhost_is_looked_up() {
    let peer = Peer::answering(ok("elsewhere"));
    let names = Names::all_at(&[peer.addr()]);
    let hosts = ["localhost.evil.test", "evillocalhost", "localhost-", "local.host"];
    for host in hosts {
        assert_eq!(text(get(builder().resolver(names.clone()), format!("http://{host}:1/"))), "elsewhere");
    }
    assert_eq!(names.asked(), hosts.map(|host| (host.to_owned(), 1)));
}

#[test]
fn resolve_to_stands_over_what_localhost_means() {
    let peer = Peer::answering(ok("given"));
    let builder = builder().resolve_to("foo.localhost", peer.addr());
    assert_eq!(text(get(builder, "http://foo.localhost:1/")), "given");
}

#[test]
fn resolve_to_takes_the_urls_port_for_0_and_one_more_address_for_each_call() {
    let peer = Peer::answering(ok("second"));
    let refusing = Refused::new();
    let builder = builder()
        .resolve_to("two.test", refusing.address)
        .resolve_to("two.test", SocketAddr::from(([127, 0, 0, 1], 0)));
    assert_eq!(text(get(builder, format!("http://two.test:{}/", peer.addr().port()))), "second");
}

#[test]
fn a_zone_is_part_of_the_address_that_is_connected_to() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    let builder = builder().resolve_to("printer.local", "[fe80::1%7]:0".parse().expect("an address"));
    let builder = builder.address_filter(move |address| {
        noted.lock().expect("no panic").push(*address);
        false // there is no such printer
    });
    refused(get(builder, "http://printer.local:631/"), ErrorKind::BlockedAddress);
    let Ok([SocketAddr::V6(address)]) = <[SocketAddr; 1]>::try_from(seen.lock().expect("no panic").clone()) else {
        panic!("one address of IPv6: {seen:?}");
    };
    assert_eq!((address.scope_id(), address.port()), (7, 631));
}

#[test]
fn resolve_to_stands_over_the_resolver_for_its_host_only() {
    let peer = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            conn.send(ok(request.header("host").unwrap_or_default()));
        }
    });
    let names = Names::all_at(&[peer.addr()]);
    let client = builder().resolver(names.clone()).resolve_to("fixed.test", peer.addr()).build();
    let port = peer.addr().port();
    let fixed = client.get(format!("http://Fixed.TEST:{port}/")).send();
    assert_eq!(text(fixed), format!("fixed.test:{port}"));
    assert_eq!(names.asked(), []);
    let other = client.get(format!("http://other.test:{port}/")).send();
    assert_eq!(text(other), format!("other.test:{port}"));
    assert_eq!(names.asked(), [("other.test".to_owned(), port)]);
}

#[test]
fn resolve_to_takes_a_host_in_any_form_that_a_url_may_have_it_in_and_no_other() {
    let peer = Peer::answering(ok("here"));
    let pairs = [
        ("b\u{fc}cher.test", "xn--bcher-kva.test"),
        ("xn--bcher-kva.test", "B\u{fc}cher.test"),
        ("2001:db8:0::7", "[2001:db8::7]"),
        ("[2001:db8::8]", "[2001:db8::8]"),
        ("192.0.2.7", "0xc0000207"),
    ];
    for (host, in_url) in pairs {
        let client = builder().resolver(Names::all_at(&[])).resolve_to(host, peer.addr()).build();
        assert_eq!(text(client.get(format!("http://{in_url}/")).send()), "here", "{host}");
    }
    for host in ["", "a/b", "a.test:80", "http://a.test"] {
        let error = refused(get(builder().resolve_to(host, peer.addr()), peer.url("/")), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains("resolve_to: no URL has the host"), "{error}");
    }
}

#[test]
fn a_resolver_is_asked_for_host_and_port_once_per_connection() {
    let peer = Peer::answering(ok("here"));
    let names = Names::all_at(&[peer.addr()]);
    let client = builder().resolver(names.clone()).build();
    for _ in 0..3 {
        assert_eq!(text(client.get("http://one.test/").send()), "here");
    }
    assert_eq!(names.asked(), [("one.test".to_owned(), 80)]);
}

#[test]
fn a_resolver_that_fails_is_a_resolve_error_with_its_cause() {
    let sent = get(builder().resolver(NoSuchName), "http://lost.test/");
    let error = refused(sent, ErrorKind::Resolve);
    assert_eq!(error.stage(), Stage::Resolve);
    assert_eq!(error.fate(), Fate::NotSent);
    let message = error.to_string();
    assert!(message.contains("lost.test"), "who? {message}");
    let cause = error.get_ref().map(ToString::to_string).unwrap_or_default();
    let shown = format!("{message} {cause}");
    assert!(shown.contains("no lost.test here"), "why? {shown}");
}

/// A resolver with a mistake in it.
struct Panicking;

impl Resolve for Panicking {
    fn resolve(&self, _: &Query<'_>) -> io::Result<Vec<SocketAddr>> {
        panic!("a mistake in the resolver (this is what the test wants)")
    }
}

#[test]
fn a_resolver_that_panics_is_a_resolve_error_each_time() {
    let client = Client::builder().resolver(Panicking).build();
    for _ in 0..LOOK_UPS_MAX + 1 {
        let error = refused(client.get("http://a.test/").send(), ErrorKind::Resolve);
        assert_eq!((error.stage(), error.fate()), (Stage::Resolve, Fate::NotSent));
    }
}

#[test]
fn a_name_without_addresses_is_a_resolve_error() {
    let builder = builder().resolver(Names::default());
    let error = refused(get(builder, "http://empty.test/"), ErrorKind::Resolve);
    assert_eq!(error.stage(), Stage::Resolve);
    assert_eq!(error.fate(), Fate::NotSent);
    assert!(error.to_string().contains("empty.test"), "{error}");
}

// ---- several addresses ----

#[test]
fn an_address_that_refuses_gives_way_to_the_next_at_once() {
    let peer = Peer::answering(ok("here"));
    let refusing = Refused::new();
    // On a busy machine one try may be slow; that the best of ten is, is no accident.
    let tries = (0..10).map(|_| {
        let names = Names::all_at(&[refusing.address, peer.addr()]);
        let start = Instant::now();
        let sent = get(builder().resolver(names), "http://two.test/");
        assert_eq!(text(sent), "here");
        start.elapsed()
    });
    let best = tries.min().expect("ten tries");
    assert!(best < ATTEMPT_DELAY, "the next address waited: {best:?}");
}

#[test]
fn an_address_that_does_not_answer_gives_way_to_the_next_after_the_attempt_delay() {
    let peer = Peer::answering(ok("here"));
    let hole = black_hole();
    let names = Names::all_at(&[hole, peer.addr()]);
    let start = Instant::now();
    let sent = get(builder().resolver(names), "http://two.test/");
    let took = start.elapsed();
    assert_eq!(text(sent), "here");
    assert!(took >= ATTEMPT_DELAY, "the first had no chance: {took:?}");
    assert!(took < SOON, "waited for a dead address: {took:?}");
}

#[test]
fn a_connect_timeout_below_the_attempt_delay_is_shared_among_the_addresses() {
    let peer = Peer::answering(ok("here"));
    let names = Names::all_at(&[black_hole(), peer.addr()]);
    let builder = || builder().resolver(names.clone()).connect_timeout(ATTEMPT_DELAY / 2);
    // On a busy machine one try may be late.
    assert!((0..10).any(|_| get(builder(), "http://two.test/").is_ok()), "the second address had no chance");
}

#[test]
fn the_first_address_that_answers_in_time_is_the_only_one_tried() {
    let (first, second) = (Peer::answering(ok("first")), Peer::answering(ok("second")));
    let names = Names::all_at(&[first.addr(), second.addr()]);
    let builder = builder().resolver(names);
    assert_eq!(text(get(builder, "http://two.test/")), "first");
    assert_eq!(second.connections(), 0);
}

#[test]
fn when_all_addresses_fail_the_error_names_them() {
    let (one, two) = (Refused::new(), Refused::new());
    let names = Names::all_at(&[one.address, two.address]);
    let sent = get(builder().resolver(names), "http://two.test/");
    let error = refused(sent, ErrorKind::Connect);
    assert_eq!(error.stage(), Stage::Connect);
    assert_eq!(error.fate(), Fate::NotSent);
    let message = error.to_string();
    for address in [one.address, two.address] {
        assert!(message.contains(&address.to_string()), "{message}");
    }
    let kind = io::Error::from(error).kind();
    assert_eq!(kind, io::ErrorKind::ConnectionRefused);
}

#[test]
fn a_refused_port_is_a_connect_error_that_keeps_the_systems_kind() {
    let refusing = Refused::new();
    let sent = get(builder(), format!("http://{}/", refusing.address));
    let error = refused(sent, ErrorKind::Connect);
    assert_eq!(error.stage(), Stage::Connect);
    assert_eq!(error.fate(), Fate::NotSent);
    assert_eq!(error.peer_addr(), Some(refusing.address));
    let who = refusing.address.to_string();
    assert!(error.to_string().contains(&who), "{error}");
    let kind = io::Error::from(error).kind();
    assert_eq!(kind, io::ErrorKind::ConnectionRefused);
}

#[test]
fn dead_addresses_share_one_connect_timeout() {
    let names = Names::all_at(&[black_hole(), other_black_hole()]);
    let builder = builder().resolver(names).connect_timeout(SHORT);
    let client = builder.build();
    let start = Instant::now();
    let sent = client.get("http://dead.test/").send();
    let took = start.elapsed();
    let error = refused(sent, ErrorKind::Timeout);
    assert_eq!(error.stage(), Stage::Connect);
    assert!(error.to_string().contains("connect_timeout"), "{error}");
    assert!(took >= SHORT, "early: {took:?}");
    assert!(took < SOON, "late: {took:?}");
}

#[test]
fn an_address_that_lost_a_race_is_tried_last_from_then_on() {
    let refusing = Refused::new();
    let peer = Peer::answering(ok("second"));
    let client = builder()
        .max_idle_per_host(0)
        .read_timeout(SOON)
        .resolver(Names::all_at(&[refusing.address, peer.addr()]))
        .build();
    assert_eq!(text(client.get("http://two.test/").send()), "second");
    let first = TcpListener::bind(refusing.address).expect("it is free"); // and now it would answer
    assert_eq!(text(client.get("http://two.test/").send()), "second");
    first.set_nonblocking(true).expect("a listener");
    assert!(first.accept().is_err(), "it was not even tried");
    assert!(TcpStream::connect(refusing.address).is_ok(), "it does answer");
}

#[test]
fn what_had_failed_is_named_when_time_runs_out() {
    let refusing = Refused::new();
    let names = Names::all_at(&[refusing.address, black_hole()]);
    let error = refused(get(builder().resolver(names).connect_timeout(SHORT), "http://two.test/"), ErrorKind::Timeout);
    let message = error.to_string();
    let first = format!("connecting ({}: Connection refused", refusing.address);
    assert!(message.contains(&first) && message.contains("connect_timeout"), "{message}");
}

#[test]
fn a_refusal_after_silence_does_not_end_the_race() {
    let peer = Peer::answering(ok("here"));
    let refusing = Refused::new();
    let addresses = [black_hole(), refusing.address, peer.addr()];
    let names = Names::all_at(&addresses);
    let start = Instant::now();
    let sent = get(builder().resolver(names), "http://three.test/");
    assert_eq!(text(sent), "here");
    assert!(start.elapsed() < SOON);
}

// ---- look-ups on their threads ----

#[test]
fn look_ups_of_one_name_in_flight_are_shared() {
    const LATER: usize = 7;
    let peer = Peer::answering(ok("here"));
    let names = HangingNames::new();
    let client = builder().resolver(names.resolver(peer.addr())).build();
    let get = || client.get("http://one.test/");
    thread::scope(|scope| {
        let first = scope.spawn(|| get().send());
        assert!(names.gate.saw(1), "the first look-up did not begin");
        let later = [(); LATER].map(|()| scope.spawn(|| get().timeout(SHORT).send()));
        for later in later {
            let sent = later.join().expect("no panic");
            let error = refused(sent, ErrorKind::Timeout);
            assert_eq!(error.stage(), Stage::Resolve);
        }
        assert_eq!(names.calls(), 1, "a look-up was not shared");
        names.gate.open();
        assert_eq!(text(first.join().expect("no panic")), "here");
    });
    assert_eq!(names.calls(), 1);
}

#[test]
fn a_look_up_left_behind_is_joined_by_who_asks_next() {
    let peer = Peer::answering(ok("here"));
    let names = HangingNames::new();
    let client = builder().resolver(names.resolver(peer.addr())).build();
    for _ in 0..3 {
        let sent = client.get("http://one.test/").timeout(SHORT).send();
        assert_eq!(refused(sent, ErrorKind::Timeout).stage(), Stage::Resolve);
        assert_eq!(names.calls(), 1, "it is still under way");
    }
    thread::scope(|scope| {
        let waiting = scope.spawn(|| client.get("http://one.test/").send());
        names.gate.open();
        assert_eq!(text(waiting.join().expect("no panic")), "here");
    });
}

#[test]
fn no_more_than_sixty_four_look_ups_hang_at_once_and_the_rest_fail_in_time() {
    const REQUESTS: usize = LOOK_UPS_MAX + 8;
    let peer = Peer::answering(ok("here"));
    let names = HangingNames::new();
    let client = builder().resolver(names.resolver(peer.addr())).connect_timeout(SHORT).build();
    let start = Instant::now();
    thread::scope(|scope| {
        let sent = [(); REQUESTS].map(|()| {
            static NUMBER: AtomicUsize = AtomicUsize::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let url = format!("http://host{number}.test/");
            scope.spawn(|| client.get(url).send())
        });
        let mut in_line = 0;
        for sent in sent {
            let error = sent.join().expect("no panic").expect_err("names hang");
            assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::Resolve), "{error}");
            assert_eq!(error.fate(), Fate::NotSent);
            let message = error.to_string();
            let behind = "queued to look up the name, with 64 look-ups under way: connect_timeout";
            in_line += usize::from(message.contains(behind));
            assert!(message.contains(behind) || message.contains("looking up the name: connect_timeout"), "{message}");
        }
        assert_eq!(in_line, REQUESTS - LOOK_UPS_MAX, "the error says what they waited for");
    });
    assert!(start.elapsed() < SOON);
    assert_eq!(names.live(), LOOK_UPS_MAX, "abandoned, and no more");
    assert_eq!(names.live_max(), LOOK_UPS_MAX);
    names.gate.open();
    // When those that hung are done, there is room again.
    let end = Instant::now() + SOON;
    let found = loop {
        match client.get("http://after.test/").send() {
            Err(error) if Instant::now() < end => assert_eq!(error.stage(), Stage::Resolve),
            sent => break sent,
        }
    };
    assert_eq!(text(found), "here");
}

// ---- the address filter ----

/// A client that may not dial `blocked`.
fn barring(blocked: SocketAddr) -> ClientBuilder {
    builder().address_filter(move |address: &SocketAddr| *address != blocked)
}

#[test]
fn the_address_filter_blocks_literals_and_opens_no_connection() {
    let peer = Peer::answering(ok("inside"));
    let error = refused(get(barring(peer.addr()), peer.url("/")), ErrorKind::BlockedAddress);
    assert_eq!(error.fate(), Fate::NotSent);
    assert!(error.to_string().contains(&peer.addr().to_string()), "{error}");
    assert_eq!(peer.connections(), 0);
}

#[test]
fn the_address_filter_blocks_names_by_where_they_lead() {
    let peer = Peer::answering(ok("inside"));
    let names = Names::all_at(&[peer.addr(), peer.addr()]);
    for builder in [barring(peer.addr()).resolver(names), barring(peer.addr()).resolve_to("inside.test", peer.addr())] {
        let sent = get(builder, "http://inside.test/");
        let error = refused(sent, ErrorKind::BlockedAddress);
        assert_eq!(error.fate(), Fate::NotSent);
    }
    assert_eq!(peer.connections(), 0);
}

#[test]
fn the_address_filter_leaves_the_other_addresses_of_a_name() {
    let (inside, outside) = (Peer::answering(ok("inside")), Peer::answering(ok("outside")));
    let names = Names::all_at(&[inside.addr(), outside.addr()]);
    let builder = barring(inside.addr()).resolver(names);
    assert_eq!(text(get(builder, "http://both.test/")), "outside");
    assert_eq!(inside.connections(), 0);
}

#[test]
fn the_address_filter_stands_on_every_hop_of_a_redirect() {
    let inside = Peer::answering(ok("inside"));
    let location = format!("Location: {}\r\n", inside.url("/secret"));
    let outside = Peer::answering(answer("302 Found", &location, ""));
    let sent = get(barring(inside.addr()), outside.url("/"));
    refused(sent, ErrorKind::BlockedAddress);
    assert_eq!(outside.connections(), 1);
    assert_eq!(inside.connections(), 0);
}

#[test]
fn the_address_filter_lets_the_others_through() {
    let (inside, outside) = (Peer::answering(ok("inside")), Peer::answering(ok("outside")));
    let sent = get(barring(inside.addr()), outside.url("/"));
    assert_eq!(text(sent), "outside");
}
