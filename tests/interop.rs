//! longwire against real servers on loopback: nginx, Apache, Caddy, h2o, Node's http module and
//! Python's http.server.
//!
//! They are not installed everywhere, so every test here is ignored by name unless asked for:
//! `cargo test --test interop -- --include-ignored`. Then a server that is missing is a failure.
//! What they serve and how they are started stands in `support/servers.rs` and the configurations
//! next to it; what longwire must make of their answers stands here. Odd responses that no sound
//! server gives are the business of the fixtures and of the tests with a scripted peer.

mod support;

#[cfg(all(feature = "gzip", feature = "brotli", feature = "zstd"))]
#[path = "interop/coded.rs"]
mod coded;
#[path = "support/servers.rs"]
mod servers;

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use longwire::{
    BodyEnd, Client, CloseReason, Error, ErrorKind, Event, Method, Observer, RequestBuilder, Response, Retry, SendBody,
    StatusCode, Version,
};
use servers::{INDEX, Kind, PatternCheck, SMALL, STREAM_BYTES, Server, Setup, checks_of, pattern};
use support::peer::{Peer, ok};

/// No exchange here takes longer, on the slowest machine.
const LIMIT: Duration = Duration::from_secs(60);
/// The caller's buffer.
const BUFFER_BYTES: usize = 4096;
/// A download that no socket buffer can hold.
const LARGE_BYTES: usize = 64 << 20;
/// Still more than both ends' socket buffers together.
const UNREAD_BYTES: usize = 32 << 20;
const UPLOAD_BYTES: usize = 3 << 20;
/// What a server allows where the tests go beyond it, and how far they go.
const UPLOAD_BYTES_MAX: usize = 1 << 20;
const TOO_MANY_BYTES: usize = 8 << 20;

checks_of!(
    nginx,
    super::Kind::Nginx,
    "needs nginx: run with --include-ignored (.ci/run does)",
    [
        several_gets_share_one_connection,
        connections_opened_ahead_are_taken,
        a_backend_that_fails_twice_is_asked_again,
        threads_share_the_pool,
        a_chunked_response_is_read_to_its_last_chunk,
        head_tells_the_length_and_has_no_body,
        an_unchanged_file_is_304_by_its_etag,
        an_unchanged_file_is_304_by_its_date,
        a_range_is_206,
        a_large_download_arrives_byte_for_byte,
        a_sized_upload_comes_back_whole,
        a_streamed_upload_comes_back_whole,
        an_upload_that_expects_100_comes_back_whole,
        a_connection_that_the_server_closed_while_idle_is_replaced,
        no_get_is_lost_at_the_edge_of_the_servers_idle_timeout,
        a_404_keeps_the_connection,
        a_refused_method_is_405,
        a_large_head_is_read_whole,
        a_close_by_the_server_is_honoured,
        the_last_of_the_requests_a_connection_may_carry_closes_it,
        a_folders_redirect_is_followed_on_the_same_connection,
        a_sized_upload_over_the_limit_gets_its_413,
        a_streamed_upload_over_the_limit_gets_its_413,
        a_413_instead_of_100_spares_the_upload,
        a_body_without_framing_ends_with_the_connection,
        a_body_left_unread_does_not_reach_the_next_request,
        a_server_that_dies_in_mid_body_is_an_error_that_stays,
    ]
);

checks_of!(
    apache,
    super::Kind::Apache,
    "needs apache2-bin: run with --include-ignored (.ci/run does)",
    [
        several_gets_share_one_connection,
        connections_opened_ahead_are_taken,
        threads_share_the_pool,
        a_chunked_response_is_read_to_its_last_chunk,
        head_tells_the_length_and_has_no_body,
        an_unchanged_file_is_304_by_its_etag,
        an_unchanged_file_is_304_by_its_date,
        a_range_is_206,
        a_large_download_arrives_byte_for_byte,
        a_sized_upload_comes_back_whole,
        a_streamed_upload_comes_back_whole,
        an_upload_that_expects_100_comes_back_whole,
        a_connection_that_the_server_closed_while_idle_is_replaced,
        no_get_is_lost_at_the_edge_of_the_servers_idle_timeout,
        a_404_keeps_the_connection,
        a_refused_method_is_405,
        a_large_head_is_read_whole,
        a_close_by_the_server_is_honoured,
        a_folders_redirect_is_followed_on_the_same_connection,
        a_sized_upload_over_the_limit_gets_its_413,
        a_413_instead_of_100_spares_the_upload,
        a_body_left_unread_does_not_reach_the_next_request,
        a_server_that_dies_in_mid_body_is_an_error_that_stays,
    ]
);

// Its file server takes any method for GET, and its proxy answers a sized upload over the limit
// with 502: neither is a matter of the client's.
checks_of!(
    caddy,
    super::Kind::Caddy,
    "needs caddy: run with --include-ignored (.ci/run does)",
    [
        several_gets_share_one_connection,
        connections_opened_ahead_are_taken,
        threads_share_the_pool,
        a_chunked_response_is_read_to_its_last_chunk,
        head_tells_the_length_and_has_no_body,
        an_unchanged_file_is_304_by_its_etag,
        an_unchanged_file_is_304_by_its_date,
        a_range_is_206,
        a_large_download_arrives_byte_for_byte,
        a_sized_upload_comes_back_whole,
        a_streamed_upload_comes_back_whole,
        an_upload_that_expects_100_comes_back_whole,
        a_connection_that_the_server_closed_while_idle_is_replaced,
        no_get_is_lost_at_the_edge_of_the_servers_idle_timeout,
        a_404_keeps_the_connection,
        a_large_head_is_read_whole,
        a_close_by_the_server_is_honoured,
        a_folders_redirect_is_followed_on_the_same_connection,
        a_streamed_upload_over_the_limit_gets_its_413,
        a_body_left_unread_does_not_reach_the_next_request,
        a_server_that_dies_in_mid_body_is_an_error_that_stays,
    ]
);

// Nothing in a configuration makes it close a connection after a whole response.
checks_of!(
    h2o,
    super::Kind::H2o,
    "needs h2o: run with --include-ignored (.ci/run does)",
    [
        several_gets_share_one_connection,
        connections_opened_ahead_are_taken,
        threads_share_the_pool,
        a_chunked_response_is_read_to_its_last_chunk,
        head_tells_the_length_and_has_no_body,
        an_unchanged_file_is_304_by_its_etag,
        an_unchanged_file_is_304_by_its_date,
        a_range_is_206,
        a_large_download_arrives_byte_for_byte,
        a_sized_upload_comes_back_whole,
        a_streamed_upload_comes_back_whole,
        an_upload_that_expects_100_comes_back_whole,
        a_connection_that_the_server_closed_while_idle_is_replaced,
        a_404_keeps_the_connection,
        a_refused_method_is_405,
        a_large_head_is_read_whole,
        a_folders_redirect_is_followed_on_the_same_connection,
        a_sized_upload_over_the_limit_gets_its_413,
        a_streamed_upload_over_the_limit_gets_its_413,
        a_413_instead_of_100_spares_the_upload,
        a_body_left_unread_does_not_reach_the_next_request,
        a_server_that_dies_in_mid_body_is_an_error_that_stays,
    ]
);

checks_of!(
    node,
    super::Kind::Node,
    "needs nodejs: run with --include-ignored (.ci/run does)",
    [
        several_gets_share_one_connection,
        connections_opened_ahead_are_taken,
        threads_share_the_pool,
        a_chunked_response_is_read_to_its_last_chunk,
        head_tells_the_length_and_has_no_body,
        an_unchanged_file_is_304_by_its_etag,
        an_unchanged_file_is_304_by_its_date,
        a_large_download_arrives_byte_for_byte,
        a_sized_upload_comes_back_whole,
        a_streamed_upload_comes_back_whole,
        an_upload_that_expects_100_comes_back_whole,
        a_connection_that_the_server_closed_while_idle_is_replaced,
        a_404_keeps_the_connection,
        a_refused_method_is_405,
        a_large_head_is_read_whole,
        a_close_by_the_server_is_honoured,
        a_folders_redirect_is_followed_on_the_same_connection,
        a_sized_upload_over_the_limit_gets_its_413,
        a_streamed_upload_over_the_limit_gets_its_413,
        a_body_without_framing_ends_with_the_connection,
        a_body_left_unread_does_not_reach_the_next_request,
        a_server_that_dies_in_mid_body_is_an_error_that_stays,
        trailers_are_kept_apart,
        interim_responses_are_passed_over,
        a_response_that_comes_during_the_upload_does_not_deadlock,
        an_upgrade_hands_out_the_connection,
    ]
);

checks_of!(
    python_http10,
    super::Kind::Python10,
    "needs python3: run with --include-ignored (.ci/run does)",
    [
        http10_without_keep_alive_is_one_connection_per_request,
        an_unchanged_file_is_304_by_its_date,
        a_large_download_arrives_byte_for_byte,
        a_folders_redirect_is_followed,
        an_unwanted_upload_gets_its_501,
        a_server_that_dies_in_mid_body_is_an_error_that_stays,
    ]
);

checks_of!(
    python_http11,
    super::Kind::Python11,
    "needs python3: run with --include-ignored (.ci/run does)",
    [
        several_gets_share_one_connection,
        connections_opened_ahead_are_taken,
        head_tells_the_length_and_has_no_body,
        an_unchanged_file_is_304_by_its_date,
        a_large_download_arrives_byte_for_byte,
        a_folders_redirect_is_followed_on_the_same_connection,
        an_unwanted_upload_gets_its_501,
        a_body_left_unread_does_not_reach_the_next_request,
    ]
);

// ── One connection, many exchanges ──────────────────────────────────────────────────────────────

fn several_gets_share_one_connection(kind: Kind) {
    let (server, client) = (start(kind), client());
    let mut own_addresses = Vec::new();
    for exchange in 1..=5 {
        let response = get(&client, &server, "/small.txt");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.version(), Version::Http11);
        assert_eq!(response.connection().nth(), exchange);
        assert_eq!(response.connection().reused(), exchange > 1);
        own_addresses.push(response.connection().local_addr());
        assert_eq!(response.text().expect("the body"), SMALL);
    }
    own_addresses.dedup();
    assert_eq!(own_addresses.len(), 1);
    let stats = client.pool_stats();
    assert_eq!((stats.opened, stats.reused), (1, 4));
    assert_eq!((stats.idle, stats.in_use), (1, 0));
    assert_eq!(stats.closed.total(), 0);
}

fn connections_opened_ahead_are_taken(kind: Kind) {
    let (server, client) = (start(kind), client());
    assert_eq!(client.connect_ahead(server.url("/"), 2).expect("two connections"), 2);
    let responses = [0; 2].map(|_| get(&client, &server, "/small.txt"));
    for response in responses {
        assert_eq!((response.connection().reused(), response.connection().nth()), (true, 1));
        assert!(response.timings().connect.is_zero());
        assert_eq!(response.text().expect("the body"), SMALL);
    }
    let stats = client.pool_stats();
    assert_eq!((stats.opened, stats.reused, stats.idle), (2, 2, 2));
}

/// A gateway answers 502 for a backend that closes without an answer.
fn a_backend_that_fails_twice_is_asked_again(kind: Kind) {
    let backend = Peer::start(|mut conn, index| {
        let request = conn.request();
        if index >= 2 && request.is_some() {
            conn.send(ok("here again"));
        }
    });
    let server = Server::before(kind, Setup::default(), backend.addr().port());
    let quick = Retry::new(3).backoff(Duration::from_millis(1), Duration::from_millis(1));
    let response = client().get(server.url("/backend/x")).retry(quick.clone()).send().expect("a response");
    assert_eq!((response.status().as_u16(), response.attempts()), (200, 3));
    assert!(response.connection().reused(), "the answers that were passed over leave the connection fit");
    assert_eq!(response.text().expect("the body"), "here again");
    let refused = client().post(server.url("/backend/x")).body("x").retry(quick).send().expect("a response");
    assert_eq!(refused.attempts(), 1);
}

fn threads_share_the_pool(kind: Kind) {
    let (server, client) = (start(kind), client());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let text = get(&client, &server, "/small.txt").text();
                    assert_eq!(text.expect("the body"), SMALL);
                }
            });
        }
    });
    let stats = client.pool_stats();
    assert_eq!(stats.opened + stats.reused, 200);
    assert!(stats.opened <= 4, "{} connections opened", stats.opened);
    assert_eq!(stats.closed.total(), 0);
}

fn a_connection_that_the_server_closed_while_idle_is_replaced(kind: Kind) {
    let idle = Duration::from_secs(1);
    let server = Server::start(kind, Setup { idle, ..Setup::default() });
    let client = client();
    let first = get(&client, &server, "/small.txt");
    let local = first.connection().local_addr().expect("a TCP socket");
    assert_eq!(first.text().expect("the body"), SMALL);
    servers::wait_until_peer_closed(local);

    let second = get(&client, &server, "/small.txt");
    assert!(!second.connection().reused());
    assert_eq!(second.text().expect("the body"), SMALL);
    // Node says `Keep-Alive: timeout=1`, so its connection is retired without a check.
    let expected = match kind {
        Kind::Node => CloseReason::Idle,
        _ => CloseReason::PeerClosed,
    };
    let stats = client.pool_stats();
    assert_eq!((stats.opened, stats.reused), (2, 0));
    assert_eq!(stats.closed.get(expected), 1, "{:?}", closed(&client));
    assert_eq!(stats.closed.total(), 1);
}

/// Requests that leave just as the server gives up waiting for them. (Not for Node, which says
/// `Keep-Alive: timeout=0` to a limit below a second, nor for h2o, whose limit is in whole seconds.)
fn no_get_is_lost_at_the_edge_of_the_servers_idle_timeout(kind: Kind) {
    let idle = Duration::from_millis(100);
    let server = Server::start(kind, Setup { idle, ..Setup::default() });
    let client = client();
    for turn in 0..40 {
        let text = get(&client, &server, "/small.txt").text();
        assert_eq!(text.expect("the body"), SMALL);
        // From 5 ms before the server's limit to 5 ms behind it.
        thread::sleep(idle - Duration::from_millis(5) + Duration::from_micros(250) * turn);
    }
}

fn a_close_by_the_server_is_honoured(kind: Kind) {
    let (server, client) = (start(kind), client());
    for _ in 0..2 {
        let response = get(&client, &server, "/close.txt");
        assert_eq!(response.header("connection"), Some("close"));
        assert!(!response.connection().reused());
        assert_eq!(response.text().expect("the body"), SMALL);
    }
    let stats = client.pool_stats();
    assert_eq!((stats.opened, stats.idle), (2, 0));
    assert_eq!(stats.closed.get(CloseReason::ServerClose), 2);
}

fn the_last_of_the_requests_a_connection_may_carry_closes_it(kind: Kind) {
    let (server, client) = (start(kind), client());
    for request in 0..9 {
        let response = get(&client, &server, "/three.txt");
        assert_eq!(response.connection().nth(), request % 3 + 1);
        assert_eq!(response.text().expect("the body"), SMALL);
    }
    assert_eq!(client.pool_stats().closed.get(CloseReason::ServerClose), 3);
}

/// Python as it is: HTTP/1.0, and no word of keep-alive.
fn http10_without_keep_alive_is_one_connection_per_request(kind: Kind) {
    let (server, client) = (start(kind), client());
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let response = send(client.request(method.clone(), server.url("/small.txt")));
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.version(), Version::Http10);
        assert_eq!(response.connection().nth(), 1);
        let body = response.text().expect("the body");
        assert_eq!(body, if method == Method::HEAD { "" } else { SMALL });
    }
    let response = get(&client, &server, "/missing");
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(!response.bytes().expect("the body").is_empty());
    let stats = client.pool_stats();
    assert_eq!((stats.opened, stats.reused, stats.idle), (4, 0, 0));
    assert_eq!(stats.closed.total(), 4);
    assert!(stats.closed.get(CloseReason::Http10) >= 3, "{:?}", closed(&client));
}

// ── Responses ───────────────────────────────────────────────────────────────────────────────────

fn a_chunked_response_is_read_to_its_last_chunk(kind: Kind) {
    let (server, client) = (start(kind), client());
    for exchange in 1..=3 {
        let mut response = get(&client, &server, "/backend/stream");
        assert_eq!(response.header("transfer-encoding"), Some("chunked"));
        assert_eq!(response.content_length(), None);
        assert_eq!(response.connection().nth(), exchange);
        assert_eq!(read_pattern(&mut response), STREAM_BYTES as u64);
        assert_eq!(response.body().ended(), Some(BodyEnd::LastChunk));
    }
    assert_eq!(client.pool_stats().opened, 1);
}

fn head_tells_the_length_and_has_no_body(kind: Kind) {
    let (server, client) = (start(kind), client());
    let response = send(client.head(server.url("/small.txt")));
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.header("content-length"), Some("47"));
    assert_eq!(SMALL.len(), 47);
    assert_eq!(response.body().ended(), Some(BodyEnd::Empty));
    assert_eq!(response.bytes().expect("no body"), b"");
    assert_still_alive(&client, &server);
}

fn an_unchanged_file_is_304_by_its_etag(kind: Kind) {
    unchanged(kind, "etag", "If-None-Match");
}

fn an_unchanged_file_is_304_by_its_date(kind: Kind) {
    unchanged(kind, "last-modified", "If-Modified-Since");
}

fn unchanged(kind: Kind, validator: &str, condition: &str) {
    let (server, client) = (start(kind), client());
    let first = get(&client, &server, "/small.txt");
    let value = first.header(validator).expect("a validator").to_owned();
    assert_eq!(first.text().expect("the body"), SMALL);
    let second = send(client.get(server.url("/small.txt")).header(condition, value));
    assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(second.connection().reused(), kind != Kind::Python10);
    assert_eq!(second.body().ended(), Some(BodyEnd::Empty));
    assert_eq!(second.bytes().expect("no body"), b"");
    if kind != Kind::Python10 {
        assert_still_alive(&client, &server);
    }
}

fn a_range_is_206(kind: Kind) {
    let (server, client) = (start(kind), client());
    let response = send(client.get(server.url("/small.txt")).header("Range", "bytes=2-11"));
    assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(response.header("content-range"), Some("bytes 2-11/47"));
    assert_eq!(response.text().expect("the part"), &SMALL[2..=11]);
    assert_still_alive(&client, &server);
}

fn a_large_download_arrives_byte_for_byte(kind: Kind) {
    let server = start_with_large_file(kind, LARGE_BYTES);
    let client = client();
    let mut response = get(&client, &server, "/large.bin");
    assert_eq!(response.content_length(), Some(LARGE_BYTES as u64));
    assert_eq!(read_pattern(&mut response), LARGE_BYTES as u64);
    assert!(response.body().is_complete());
    assert_eq!(response.body().ended(), Some(BodyEnd::Length));
    if kind != Kind::Python10 {
        assert_still_alive(&client, &server);
    }
}

fn a_404_keeps_the_connection(kind: Kind) {
    let (server, client) = (start(kind), client());
    let response = get(&client, &server, "/missing");
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    response.bytes().expect("the body of an error status is a body");
    assert_still_alive(&client, &server);
}

fn a_refused_method_is_405(kind: Kind) {
    let (server, client) = (start(kind), client());
    let response = send(client.delete(server.url("/small.txt")));
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(!response.bytes().expect("the body").is_empty());
    assert_still_alive(&client, &server);
}

fn a_large_head_is_read_whole(kind: Kind) {
    let (server, client) = (start(kind), client());
    for exchange in 1..=2 {
        let response = get(&client, &server, "/large-head.txt");
        assert_eq!(response.connection().nth(), exchange);
        for n in 0..servers::LARGE_FIELDS {
            let name = format!("X-Large-{n}");
            assert_eq!(response.header(&name), Some(&*servers::large_value(n)));
        }
        assert!(response.raw_head().len() > servers::LARGE_FIELDS * servers::LARGE_VALUE_BYTES);
        assert_eq!(response.text().expect("the body"), SMALL);
    }
}

fn a_folders_redirect_is_followed_on_the_same_connection(kind: Kind) {
    let (server, client) = (start(kind), client());
    let exchange = follow_to_folder(&client, &server);
    assert_eq!(exchange, 2);
    assert_eq!(client.pool_stats().opened, 1);
}

fn a_folders_redirect_is_followed(kind: Kind) {
    let (server, client) = (start(kind), client());
    let exchange = follow_to_folder(&client, &server);
    assert_eq!(exchange, 1);
    assert_eq!(client.pool_stats().opened, 2);
}

/// Asks for `/dir`, is sent to `/dir/`, and gives the number of the exchange that was answered.
fn follow_to_folder(client: &Client, server: &Server) -> u32 {
    let response = get(client, server, "/dir");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.url().as_str(), server.url("/dir/"));
    assert_eq!(response.redirects().len(), 1);
    let exchange = response.connection().nth();
    assert_eq!(response.text().expect("the body"), INDEX);
    exchange
}

/// What is passed on without a length, to a client that is promised no chunks.
fn a_body_without_framing_ends_with_the_connection(kind: Kind) {
    let (server, client) = (start(kind), client());
    let mut response = get(&client, &server, "/unframed/stream");
    assert_eq!(response.header("transfer-encoding"), None);
    assert_eq!(response.content_length(), None);
    assert_eq!(read_pattern(&mut response), STREAM_BYTES as u64);
    assert_eq!(response.body().ended(), Some(BodyEnd::Closed));
    let stats = client.pool_stats();
    assert_eq!((stats.idle, stats.closed.total()), (0, 1));
}

fn trailers_are_kept_apart(kind: Kind) {
    let (server, client) = (start(kind), client());
    let mut response = get(&client, &server, "/trailers");
    let mut text = String::new();
    response.read_to_string(&mut text).expect("the body");
    assert_eq!(text, "one two three\n");
    assert_eq!(response.header("x-count"), None);
    assert_eq!(response.body().trailers().get("x-count"), Some("3"));
    assert_still_alive(&client, &server);
}

fn interim_responses_are_passed_over(kind: Kind) {
    let server = start(kind);
    let (client, interims) = client_that_notes_interims();
    let response = get(&client, &server, "/hints");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.header("link"), None);
    assert_eq!(response.text().expect("the body"), "hinted\n");
    let interims = interims.lock().expect("no panic there");
    assert_eq!(interims.len(), 2, "{interims:?}");
    assert!(interims[0].contains(" 102 ") && interims[1].contains(" 103 "), "{interims:?}");
    assert!(interims[1].contains("</style.css>"), "{interims:?}");
    assert_still_alive(&client, &server);
}

fn an_upgrade_hands_out_the_connection(kind: Kind) {
    let (server, client) = (start(kind), client());
    let request = client.get(server.url("/"));
    let response = send(request.header("Connection", "upgrade").header("Upgrade", "echo"));
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut upgraded = response.upgrade().expect("a connection of our own");
    for line in ["one\n", "two\n"] {
        upgraded.write_all(line.as_bytes()).expect("a write");
        let mut echo = [0; 4];
        upgraded.read_exact(&mut echo).expect("the echo");
        assert_eq!(echo, line.as_bytes());
    }
    drop(upgraded);
    assert_eq!(client.pool_stats().closed.get(CloseReason::Upgraded), 1);
}

// ── Uploads ─────────────────────────────────────────────────────────────────────────────────────

fn a_sized_upload_comes_back_whole(kind: Kind) {
    let (server, client) = (start(kind), client());
    let body = pattern(UPLOAD_BYTES);
    let response = send(client.put(server.url("/backend/echo")).body(&body));
    assert_echoed(response, &body);
    // A POST on the same connection, of a few bytes.
    let response = send(client.post(server.url("/backend/echo")).body("a=1&b=2"));
    assert_eq!(response.connection().nth(), 2);
    assert_echoed(response, b"a=1&b=2");
}

fn a_streamed_upload_comes_back_whole(kind: Kind) {
    let (server, client) = (start(kind), client());
    let body = pattern(UPLOAD_BYTES);
    for exchange in 1..=2 {
        let reader = Dribble { rest: &body, turn: 0 };
        let request = client.post(server.url("/backend/echo"));
        let response = send(request.body(SendBody::reader(reader)));
        assert_eq!(response.connection().nth(), exchange);
        assert_echoed(response, &body);
    }
}

fn an_upload_that_expects_100_comes_back_whole(kind: Kind) {
    let server = start(kind);
    let (client, interims) = client_that_notes_interims();
    let body = pattern(100_000);
    let request = client.put(server.url("/backend/echo")).body(&body);
    let response = send(request.expect_continue(LIMIT));
    assert_echoed(response, &body);
    let interims = interims.lock().expect("no panic there");
    // Caddy says it once for itself and passes its backend's on.
    assert!(!interims.is_empty());
    assert!(interims.iter().all(|text| text.contains(" 100 ")), "{interims:?}");
    assert_still_alive(&client, &server);
}

fn a_sized_upload_over_the_limit_gets_its_413(kind: Kind) {
    too_large(kind, |request| request.body(vec![b'x'; TOO_MANY_BYTES]));
}

fn a_streamed_upload_over_the_limit_gets_its_413(kind: Kind) {
    too_large(kind, |request| request.body(SendBody::reader(io::repeat(b'x').take(TOO_MANY_BYTES as u64))));
}

/// The refusal comes while we send, and the server may close, or even reset, right after it.
fn too_large(kind: Kind, with_body: fn(RequestBuilder<'static>) -> RequestBuilder<'static>) {
    let server = start_with_upload_limit(kind);
    let client = client();
    for _ in 0..3 {
        let request = client.post(server.url(upload_path(kind)));
        let response = send(with_body(request));
        assert_eq!(response.status(), StatusCode::CONTENT_TOO_LARGE);
        response.bytes().expect("the body of the refusal");
        assert_eq!(client.pool_stats().idle, 0, "an upload that did not end is not reused");
    }
    assert_eq!(client.pool_stats().closed.total(), 3);
    assert_eq!(get(&client, &server, "/small.txt").text().expect("the body"), SMALL);
}

fn a_413_instead_of_100_spares_the_upload(kind: Kind) {
    let server = start_with_upload_limit(kind);
    let client = client();
    let mut asked = false;
    let reader = OnRead(|| asked = true);
    let body = SendBody::sized_reader(reader, TOO_MANY_BYTES as u64);
    let request = client.post(server.url(upload_path(kind))).body(body);
    let response = send(request.expect_continue(LIMIT));
    assert_eq!(response.status(), StatusCode::CONTENT_TOO_LARGE);
    response.bytes().expect("the body of the refusal");
    assert!(!asked, "the body was read though it was not wanted");
}

/// Where a server holds its limit: Apache holds it only for what it does not pass on.
fn upload_path(kind: Kind) -> &'static str {
    match kind {
        Kind::Apache => "/reflect",
        _ => "/backend/echo",
    }
}

/// Python answers without having read the body, and closes; with as much unread as here, by RST.
fn an_unwanted_upload_gets_its_501(kind: Kind) {
    let (server, client) = (start(kind), client());
    for body_bytes in [5, UPLOAD_BYTES] {
        let body = vec![b'x'; body_bytes];
        let response = send(client.put(server.url("/small.txt")).body(body));
        assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
        assert_eq!(client.pool_stats().idle, 0);
    }
    assert_eq!(get(&client, &server, "/small.txt").text().expect("the body"), SMALL);
}

/// The server gives back what it gets as it gets it, and stops reading when it is not read itself.
fn a_response_that_comes_during_the_upload_does_not_deadlock(kind: Kind) {
    let (server, client) = (start(kind), client());
    let body = pattern(UNREAD_BYTES);
    let mut response = send(client.post(server.url("/mirror")).body(&body));
    assert_eq!(response.status(), StatusCode::OK);
    let mut piece = [0; BUFFER_BYTES];
    response.read_exact(&mut piece).expect("the first bytes of the echo");
    assert_eq!(piece[..], body[..BUFFER_BYTES]);
    drop(response);
    assert_eq!(client.pool_stats().idle, 0, "an upload that did not end is not reused");
    assert_eq!(get(&client, &server, "/small.txt").text().expect("the body"), SMALL);
}

// ── Bodies that are not read to their end ───────────────────────────────────────────────────────

fn a_body_left_unread_does_not_reach_the_next_request(kind: Kind) {
    let server = start_with_large_file(kind, UNREAD_BYTES);
    let client = client();
    let mut response = get(&client, &server, "/large.bin");
    let mut piece = [0; BUFFER_BYTES];
    response.read_exact(&mut piece).expect("the first bytes");
    assert_eq!(response.body().remaining(), Some((UNREAD_BYTES - BUFFER_BYTES) as u64));
    drop(response);
    assert_eq!(client.pool_stats().closed.get(CloseReason::Unfinished), 1);

    let response = get(&client, &server, "/small.txt");
    assert!(!response.connection().reused());
    assert_eq!(response.text().expect("the body"), SMALL);
}

fn a_server_that_dies_in_mid_body_is_an_error_that_stays(kind: Kind) {
    let mut server = start_with_large_file(kind, UNREAD_BYTES);
    let client = client();
    let mut response = get(&client, &server, "/large.bin");
    let mut piece = [0; BUFFER_BYTES];
    response.read_exact(&mut piece).expect("the first bytes");
    server.kill();

    let error = loop {
        match response.read(&mut piece) {
            Ok(0) => panic!("a body that was cut short looks complete"),
            Ok(_) => {}
            Err(error) => break Error::try_from(error).expect("an error of longwire's"),
        }
    };
    // FIN or RST, as the kernel likes.
    assert!(matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Io), "{error}");
    for _ in 0..3 {
        let again = response.read(&mut piece).expect_err("the error stays");
        let again = Error::try_from(again).expect("an error of longwire's");
        assert_eq!(again.kind(), error.kind());
    }
    assert!(!response.body().is_complete());
    assert_eq!(client.pool_stats().idle, 0);
}

// ── What the checks share ───────────────────────────────────────────────────────────────────────

fn start(kind: Kind) -> Server {
    Server::start(kind, Setup::default())
}

fn start_with_large_file(kind: Kind, large_bytes: usize) -> Server {
    Server::start(kind, Setup { large_bytes, ..Setup::default() })
}

fn start_with_upload_limit(kind: Kind) -> Server {
    Server::start(kind, Setup { upload_bytes_max: UPLOAD_BYTES_MAX, ..Setup::default() })
}

fn client() -> Client {
    Client::builder().timeout(LIMIT).build()
}

fn get(client: &Client, server: &Server, path: &str) -> Response {
    send(client.get(server.url(path)))
}

fn send(request: RequestBuilder<'_>) -> Response {
    request.send().unwrap_or_else(|error| panic!("{error}"))
}

/// The connection of the exchange before carries one more.
fn assert_still_alive(client: &Client, server: &Server) {
    let response = get(client, server, "/small.txt");
    assert!(response.connection().reused(), "closed: {:?}", closed(client));
    assert_eq!(response.text().expect("the body"), SMALL);
    assert_eq!(client.pool_stats().opened, 1);
}

/// Why connections were closed, for messages.
fn closed(client: &Client) -> Vec<(CloseReason, u64)> {
    client.pool_stats().closed.iter().filter(|(_, count)| *count > 0).collect()
}

/// Reads a patterned body to its end, and gives the number of its bytes.
fn read_pattern(response: &mut Response) -> u64 {
    let mut check = PatternCheck::new();
    let mut buffer = [0; BUFFER_BYTES];
    loop {
        let n = response.read(&mut buffer).expect("more of the body");
        if n == 0 {
            return check.bytes;
        }
        assert!(check.goes_on_with(&buffer[..n]), "wrong bytes before byte {}", check.bytes);
    }
}

fn assert_echoed(response: Response, sent: &[u8]) {
    assert_eq!(response.status(), StatusCode::OK);
    let echo = response.bytes().expect("the echo");
    assert!(echo == sent, "{} bytes came back of {}", echo.len(), sent.len());
}

fn client_that_notes_interims() -> (Client, Arc<Mutex<Vec<String>>>) {
    let interims = Arc::new(Mutex::new(Vec::new()));
    let observer = Interims(Arc::clone(&interims));
    let client = Client::builder().timeout(LIMIT).observer(observer).build();
    (client, interims)
}

struct Interims(Arc<Mutex<Vec<String>>>);

impl Observer for Interims {
    fn event(&self, event: &Event<'_>) {
        if let Event::InterimHead { text, .. } = event {
            self.0.lock().expect("no panic there").push((*text).to_owned());
        }
    }
}

/// A reader that gives one byte, then many, then one …
struct Dribble<'a> {
    rest: &'a [u8],
    turn: usize,
}

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.turn += 1;
        let many = if self.turn % 2 == 0 { 50_000 } else { 1 };
        let n = many.min(buffer.len());
        self.rest.read(&mut buffer[..n])
    }
}

/// A reader without end that tells when it is asked.
struct OnRead<F>(F);

impl<F: FnMut()> Read for OnRead<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (self.0)();
        buffer.fill(b'x');
        Ok(buffer.len())
    }
}
