//! Content codings as nginx, Apache and Caddy apply them.

use std::io::Read;

use super::{BUFFER_BYTES, client, get, start};
use crate::servers::{CODED, Kind, checks_of};

checks_of!(
    nginx,
    super::Kind::Nginx,
    "needs nginx: run with --include-ignored (.ci/run does)",
    [a_page_coded_on_the_way_is_read_whole, a_page_stored_in_its_coding_is_read_whole]
);

checks_of!(
    apache,
    super::Kind::Apache,
    "needs apache2-bin: run with --include-ignored (.ci/run does)",
    [a_page_coded_on_the_way_is_read_whole, a_page_stored_in_its_coding_is_read_whole]
);

checks_of!(
    caddy,
    super::Kind::Caddy,
    "needs caddy: run with --include-ignored (.ci/run does)",
    [a_page_coded_on_the_way_is_read_whole]
);

fn a_page_coded_on_the_way_is_read_whole(kind: Kind) {
    is_read_whole(kind, "/coded.txt", if kind == Kind::Caddy { "zstd" } else { "gzip" });
}

/// nginx has the file beside the plain one; Apache makes Brotli of this one.
fn a_page_stored_in_its_coding_is_read_whole(kind: Kind) {
    is_read_whole(kind, "/stored.txt", if kind == Kind::Apache { "br" } else { "gzip" });
}

fn is_read_whole(kind: Kind, path: &str, coding: &str) {
    let (server, client) = (start(kind), client());
    let want = CODED.repeat(2000);
    for nth in 1..=3 {
        let mut response = get(&client, &server, path);
        assert_eq!(response.connection().nth(), nth);
        assert_eq!(response.body().coding(), Some(coding));
        let (mut text, mut buffer) = (Vec::new(), [0; BUFFER_BYTES]);
        loop {
            match response.read(&mut buffer).expect("content") {
                0 => break,
                count => text.extend_from_slice(&buffer[..count]),
            }
        }
        assert!(text == want.as_bytes(), "{} bytes", text.len());
        let wire_bytes = response.body().wire_bytes();
        assert!(wire_bytes > 0 && wire_bytes < want.len() as u64 / 4, "{wire_bytes}");
    }
    let plain = client.get(server.url(path)).decode(false).send().expect("a head").bytes().expect("content");
    assert!(plain == want.as_bytes(), "without Accept-Encoding it comes as it is");
}
