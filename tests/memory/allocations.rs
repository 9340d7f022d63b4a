//! What a request takes from the heap, counted: few allocations for a head, none for a body, and
//! no buffer for a connection that is idle.
//!
//! The counters belong to the thread, so the peer's threads do not disturb them: the client does
//! all this work on the thread that calls it.

use std::io::Read;
use std::time::Duration;

use longwire::script::{Script, reply};
use longwire::{Client, CookieStore, Response};

use crate::alone;
use crate::counting::{LIVE_BYTES, allocations};
use crate::support::peer::{LIMIT, Peer, ok};
use crate::support::uncoded;

fn read_all(response: &mut Response, buffer: &mut [u8]) -> usize {
    let mut total = 0;
    loop {
        match response.read(buffer).expect("a whole body") {
            0 => return total,
            count => total += count,
        }
    }
}

const LARGE: usize = 1 << 20;

fn with_length(content: &str) -> Vec<u8> {
    ok(content).into_bytes()
}

/// Chunks of many sizes, so that their lines fall anywhere in a buffer.
fn chunked(content: &str) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let mut rest = content.as_bytes();
    for size in (1..).step_by(613) {
        let (chunk, after) = rest.split_at(rest.len().min(size));
        answer.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend(chunk);
        answer.extend(b"\r\n");
        rest = after;
        if chunk.is_empty() {
            return answer;
        }
    }
    unreachable!("the content has an end");
}

#[test]
fn the_counter_counts() {
    let (_, counted) = allocations(|| std::hint::black_box(Vec::<u8>::with_capacity(10)));
    assert_eq!(counted, 1);
    let live = LIVE_BYTES.get();
    let held = std::hint::black_box(vec![0u8; 1000]);
    assert_eq!(LIVE_BYTES.get() - live, 1000);
    drop(held);
    assert_eq!(LIVE_BYTES.get(), live);
}

#[test]
fn reading_a_body_allocates_nothing_after_its_head() {
    let _alone = alone();
    let content = "x".repeat(LARGE);
    for (framing, answer) in [("Content-Length", with_length(&content)), ("chunked", chunked(&content))] {
        let peer = Peer::answering(answer);
        let client = Client::new();
        let url = peer.url("/");
        for size in [64, 1000, 4096, 8192, 65_536, 2 * LARGE] {
            let mut buffer = vec![0; size];
            let mut response = client.get(&url).send().expect("a head");
            let (total, counted) = allocations(|| read_all(&mut response, &mut buffer));
            assert_eq!(total, LARGE);
            // The first connection to come home makes room for itself in the pool.
            if response.connection().reused() {
                assert_eq!(counted, 0, "{framing}, reads of {size}");
            }
        }
        assert_eq!(peer.connections(), 1);
    }
}

#[test]
fn a_small_get_on_a_kept_connection_takes_at_most_eight_allocations() {
    let _alone = alone();
    const WARM_UP: u64 = 5;
    const COUNTED: u64 = 100;
    let peer = Peer::answering(
        "HTTP/1.1 200 OK\r\nServer: test\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
         Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    );
    let client = Client::new();
    let url = peer.url("/path?query=1");
    let mut buffer = [0; 4096];
    let mut once = || {
        let mut response = client.get(url.as_str()).send().expect("a response");
        assert_eq!(read_all(&mut response, &mut buffer), 5);
    };
    (0..WARM_UP).for_each(|_| once());
    let ((), counted) = allocations(|| (0..COUNTED).for_each(|_| once()));
    println!("allocations per small keep-alive GET: {:.2}", counted as f64 / COUNTED as f64);
    assert!(counted <= 8 * COUNTED, "{counted} in {COUNTED} requests");
    assert_eq!(peer.connections(), 1);
}

#[test]
fn an_empty_jar_costs_no_allocation_and_one_with_cookies_a_few() {
    let _alone = alone();
    const COUNTED: u64 = 100;
    const WITH_COOKIES_MAX: u64 = 4;
    let peer = Peer::answering(ok("hello"));
    let url = peer.url("/path");
    let per_get = |client: &Client| {
        let once = || {
            let response = client.get(url.as_str()).send().expect("a response");
            assert_eq!(response.bytes().expect("a body").len(), 5);
        };
        (0..5).for_each(|_| once());
        allocations(|| (0..COUNTED).for_each(|_| once())).1
    };
    // Beside Accept-Encoding there are other fields of a hop in any case.
    let without = per_get(&uncoded().build());
    let store = CookieStore::new();
    let client = uncoded().cookie_jar(store.clone()).build();
    let empty = per_get(&client);
    for cookie in ["a=1; Path=/path", "b=2", "c=3"] {
        store.insert(url.as_str(), cookie).expect("a cookie");
    }
    let three = per_get(&client);
    let each = |counted| counted as f64 / COUNTED as f64;
    println!("allocations per GET: {} without a jar, {} empty, {} with three", each(without), each(empty), each(three));
    assert_eq!(empty, without);
    assert!(three <= without + WITH_COOKIES_MAX * COUNTED, "{three} in {COUNTED} requests, {without} without a jar");
}

/// Opens this many connections at once, lets all become idle, and returns what this thread holds.
fn live_with_idle(client: &Client, url: &str, connections: usize) -> i64 {
    let open: Vec<Response> = (0..connections).map(|_| client.get(url).send().expect("a head")).collect();
    for response in open {
        assert_eq!(response.bytes().expect("a body").len(), 5);
    }
    assert_eq!(client.pool_stats().idle, connections);
    LIVE_BYTES.get()
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    let _alone = alone();
    const FEW: usize = 32;
    const MANY: usize = 96;
    const BYTES_MAX: i64 = 1024;
    let peer = Peer::answering(ok("hello"));
    let client = Client::builder().max_idle_per_host(MANY).max_idle(MANY).build();
    let url = peer.url("/");
    let empty = LIVE_BYTES.get();
    // What is not there once per connection, spare buffers above all, is there with few already.
    let few = live_with_idle(&client, &url, FEW);
    let many = live_with_idle(&client, &url, MANY);
    let each = (many - few) / i64::try_from(MANY - FEW).expect("a few");
    println!("live bytes per idle connection: {each} (with {FEW}: {})", few - empty);
    assert!(each <= BYTES_MAX, "{each} bytes for an idle connection");
    client.close_idle();
    assert_eq!(client.pool_stats().idle, 0);
    let left = LIVE_BYTES.get() - empty;
    assert!(left < few - empty, "closing them gives something back");
}

/// What rustls keeps for a connection is most of this, and most of that is its buffer for one read.
#[cfg(feature = "__rustls")]
#[test]
fn an_idle_connection_with_tls_holds_at_most_twelve_kib() {
    let _alone = alone();
    const BYTES_MAX: i64 = 12 * 1024;
    for_both_versions(BYTES_MAX, "idle connection", |client, url, count| (live_with_idle(client, url, count), ()));
}

/// A large body makes rustls' buffer larger than its next read will need it.
#[cfg(feature = "__rustls")]
#[test]
fn an_idle_connection_with_tls_holds_no_more_after_a_large_body() {
    let _alone = alone();
    const BYTES_MAX: i64 = 12 * 1024;
    for_both_versions(BYTES_MAX, "idle connection after a large body", |client, url, count| {
        let open = |_| client.get(format!("{url}large")).send().expect("a head");
        for mut response in (0..count).map(open).collect::<Vec<_>>() {
            assert_eq!(read_all(&mut response, &mut [0; 4096]), LARGE);
        }
        assert_eq!(client.pool_stats().idle, count);
        (LIVE_BYTES.get(), ())
    });
}

/// A large body has begun, so that the buffers of both, rustls' and ours, are as large as they get.
#[cfg(feature = "__rustls")]
#[test]
fn an_open_response_with_tls_holds_at_most_sixty_four_kib() {
    let _alone = alone();
    const BYTES_MAX: i64 = 64 * 1024;
    for_both_versions(BYTES_MAX, "open response", |client, url, count| {
        let read_some = |_| {
            let mut response = client.get(format!("{url}large")).send().expect("a head");
            response.read_exact(&mut vec![0; LARGE / 2]).expect("half of the body");
            response
        };
        let open: Vec<Response> = (0..count).map(read_some).collect();
        (LIVE_BYTES.get(), open)
    });
}

/// Measures what this thread holds with few and with many connections, in both versions of TLS.
#[cfg(feature = "__rustls")]
fn for_both_versions<K>(bytes_max: i64, what: &str, live_with: impl Fn(&Client, &str, usize) -> (i64, K)) {
    use crate::certificates::{Authority, NAME};
    use longwire::rustls::version::{TLS12, TLS13};

    const FEW: usize = 8;
    const MANY: usize = 40;
    let authority = Authority::new("root");
    for version in [&TLS12, &TLS13] {
        let peer = crate::session::serve(authority.identity().server_config(&[version]), |session, _| {
            while let Some(request) = session.request() {
                let is_large = request.starts_with("GET /large ");
                session.send(ok(&if is_large { "x".repeat(LARGE) } else { "hello".to_owned() }));
            }
        });
        let config = std::sync::Arc::new(authority.client_config(&[version]));
        let client = Client::builder().tls(longwire::Tls::from_rustls(config)).resolve_to(NAME, peer.addr());
        let client = client.max_idle_per_host(MANY).max_idle(MANY).build();
        let url = format!("https://{NAME}:{}/", peer.addr().port());
        let (few, _) = live_with(&client, &url, FEW);
        let (many, _) = live_with(&client, &url, MANY);
        let each = (many - few) / i64::try_from(MANY - FEW).expect("a few");
        println!("live bytes per {what} with {version:?}: {each}");
        assert!(each <= bytes_max, "{each} bytes per {what} with {version:?}");
    }
}

#[test]
fn bytes_of_known_length_are_one_allocation_of_just_that_length() {
    let _alone = alone();
    for length in [1, 5000, 100_000] {
        let peer = Peer::answering(with_length(&"x".repeat(length)));
        let client = Client::new();
        for _ in 0..3 {
            let response = client.get(peer.url("/")).send().expect("a head");
            let reused = response.connection().reused();
            let (content, counted) = allocations(|| response.bytes().expect("a body"));
            assert_eq!(content.len(), length);
            assert_eq!(content.capacity(), length);
            if reused {
                assert_eq!(counted, 1, "for {length} bytes");
            }
        }
    }
}

#[test]
fn bytes_of_unknown_length_grow_in_few_steps() {
    let _alone = alone();
    let peer = Peer::start(|mut conn, _| {
        while conn.request().is_some() {
            conn.send(chunked(&"x".repeat(LARGE)));
        }
        conn.wait_closed(LIMIT);
    });
    let client = Client::new();
    for _ in 0..2 {
        let response = client.get(peer.url("/")).send().expect("a head");
        let (content, counted) = allocations(|| response.bytes().expect("a body"));
        assert_eq!(content.len(), LARGE);
        assert!(counted <= 20, "{counted} steps to a megabyte");
    }
}

#[test]
fn a_host_that_was_left_is_forgotten() {
    const HOSTS: i64 = 5_000;
    let _alone = alone();
    for idle_timeout in [None, Some(Duration::from_secs(60))] {
        let script = Script::answering(reply(200).body("x")).without_record();
        let client = Client::builder().connector(script).idle_timeout(idle_timeout).build();
        let mut before = 0;
        for host in -HOSTS..HOSTS {
            if host == 0 {
                before = LIVE_BYTES.get();
            }
            let url = format!("http://host{host}.test/");
            client.get(&url).send().expect("a response").bytes().expect("a body");
            let last = client.get(&url).header("Connection", "close").send().expect("a response");
            assert_eq!((last.connection().nth(), last.bytes().expect("a body").len()), (2, 1));
        }
        let grown = LIVE_BYTES.get() - before;
        assert!(grown < 40 * HOSTS, "{grown} bytes for {HOSTS} hosts that are gone");
    }
}
