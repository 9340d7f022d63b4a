//! What decoding takes from the heap: the state of a coding while its response is open, and nothing
//! more however long the body is.
//!
//! The bodies are ten MiB of zeros (`decoding/data/make`): what a coding holds for its window is there
//! as soon as that much was decoded, whatever it was.

use std::io::Read;

use longwire::{Client, Response};

use crate::alone;
use crate::counting::{LIVE_BYTES, allocations};
use crate::support::peer::Peer;

macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!("../decoding/data/", $name)).as_slice()
    };
}

const KIB: i64 = 1024;
const MIB: usize = 1 << 20;

fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Bytes that this thread holds for one more response of which so much was read, and more is to come.
fn held(coding: &str, body: &[u8], bytes: usize, read_bytes: usize) -> i64 {
    const MORE: usize = 2;
    let peer = Peer::answering(coded(coding, body));
    let client = Client::new();
    let open = || {
        let mut response = client.get(peer.url("/")).send().expect("a head");
        let mut buffer = vec![0; read_bytes];
        let mut left = bytes;
        while left > 0 {
            left = left.saturating_sub(response.read(&mut buffer).expect("some of the body"));
        }
        assert!(!response.body().is_complete());
        response
    };
    let mut responses: Vec<Response> = Vec::with_capacity(1 + MORE);
    responses.push(open());
    let one = LIVE_BYTES.get();
    responses.extend((0..MORE).map(|_| open()));
    let each = (LIVE_BYTES.get() - one) / i64::try_from(MORE).expect("a few");
    println!("live bytes per open response, {coding}, reads of {read_bytes}: {each}");
    each
}

/// Most of it is the inflater with its window of 32 KiB; then the connection's buffer, and for small
/// reads the one out of which they are served.
#[cfg(feature = "gzip")]
#[test]
fn an_open_gzip_response_holds_at_most_sixty_kib() {
    let _alone = alone();
    for (read_bytes, bytes_max) in [(65_536, 52 * KIB), (1000, 60 * KIB)] {
        let each = held("gzip", data!("zeros.gz"), MIB, read_bytes);
        assert!(each <= bytes_max, "{each} bytes with reads of {read_bytes}");
    }
}

/// The window in the head of this stream is the largest that RFC 7932 has: 16 MiB.
#[cfg(feature = "brotli")]
#[test]
fn an_open_brotli_response_holds_little_more_than_the_largest_window() {
    let _alone = alone();
    let each = held("br", data!("zeros.br"), MIB, 65_536);
    assert!(each <= (16 << 20) + 64 * KIB, "{each} bytes");
}

/// The largest window is 8 MiB; the decoder's buffer for it and for a block may be twice as large.
#[cfg(feature = "zstd")]
#[test]
fn an_open_zstd_response_holds_little_more_than_twice_the_largest_window() {
    let _alone = alone();
    // A frame without its length, its window 2^(10 + 13) bytes; blocks that repeat a byte 128 Ki times.
    let mut frame = b"\x28\xb5\x2f\xfd\x00".to_vec();
    frame.push(13 << 3);
    (0..100).for_each(|_| frame.extend([0x02, 0x00, 0x10, b'x']));
    let each = held("zstd", &frame, 9 * MIB / 2, 65_536);
    assert!(each <= (16 << 20) + 256 * KIB, "{each} bytes");
}

/// The first read makes the coding ready, and the buffer out of which small reads are served. A GET
/// that is not coded takes four of these.
#[test]
fn a_coded_get_takes_few_allocations_and_none_after_its_first_read() {
    let _alone = alone();
    let codings: &[(&str, &[u8], u64)] = &[
        #[cfg(feature = "gzip")]
        ("gzip", data!("page.gz"), 9),
        #[cfg(feature = "brotli")]
        ("br", data!("page.br"), 24),
        #[cfg(feature = "zstd")]
        ("zstd", data!("page.zst"), 48),
    ];
    for (coding, body, allocations_max) in codings {
        let peer = Peer::answering(coded(coding, body));
        let (client, url) = (Client::new(), peer.url("/"));
        for read_bytes in [65_536, 65_536, 65_536, 1000] {
            let mut buffer = vec![0; read_bytes];
            let (response, head) = allocations(|| client.get(&url).send());
            let mut response = response.expect("a head");
            let (count, first) = allocations(|| response.read(&mut buffer));
            assert!(count.expect("some of the body") > 0);
            let ((), rest) = allocations(|| while response.read(&mut buffer).expect("a body") > 0 {});
            // The first connection to come home makes room for itself in the pool, and an origin that comes
            // again is remembered by the thread.
            if response.connection().nth() > 2 {
                let all = head + first + rest;
                println!(
                    "allocations of a GET with {coding}, reads of {read_bytes}: {all}, in reads {first} and {rest}"
                );
                assert!(all <= *allocations_max, "{coding}: {all}");
                assert_eq!(rest, 0, "{coding}");
            }
        }
    }
}
