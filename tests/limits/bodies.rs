//! How much of a body is collected into memory, and that no announced length is trusted for it.

use std::io::Read;

use longwire::{Body, Client, Error, ErrorKind, Response, Result};

use crate::support::peer::{Conn, Peer, ok};

const MIB: usize = 1 << 20;

#[derive(Clone, Copy, Debug)]
enum Coding {
    Length,
    Chunked,
    UntilClose,
}

const CODINGS: [Coding; 3] = [Coding::Length, Coding::Chunked, Coding::UntilClose];

/// Answers with a body of this many bytes, in pieces of at most a MiB. A client that has had enough
/// may close before.
fn send_body(conn: &mut Conn, coding: Coding, length: usize) {
    let field = match coding {
        Coding::Length => format!("Content-Length: {length}\r\n"),
        Coding::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
        Coding::UntilClose => String::new(),
    };
    conn.send(format!("HTTP/1.1 200 OK\r\n{field}\r\n"));
    let piece = vec![b'x'; MIB.min(length)];
    let mut left = length;
    while left > 0 {
        let piece = &piece[..piece.len().min(left)];
        left -= piece.len();
        let taken = match coding {
            Coding::Chunked => {
                let head = format!("{:x}\r\n", piece.len());
                conn.send(head) && conn.send(piece) && conn.send("\r\n")
            }
            Coding::Length | Coding::UntilClose => conn.send(piece),
        };
        if !taken {
            return;
        }
    }
    if matches!(coding, Coding::Chunked) {
        conn.send("0\r\n\r\n");
    }
}

fn peer_with(coding: Coding, length: usize) -> Peer {
    Peer::start(move |mut conn, _| {
        if conn.request().is_some() {
            send_body(&mut conn, coding, length);
        }
    })
}

/// Asks, and lets the peer live until the body was collected.
fn collect<T>(coding: Coding, length: usize, how: impl FnOnce(Response) -> Result<T>) -> Result<T> {
    let peer = peer_with(coding, length);
    how(Client::new().get(peer.url("/")).send().expect("a response"))
}

#[test]
fn bytes_collects_64_mib_and_not_one_byte_more() {
    for coding in CODINGS {
        let length = collect(coding, 64 * MIB, Response::bytes).unwrap().len();
        assert_eq!(length, 64 * MIB, "{coding:?}");
        let error = collect(coding, 64 * MIB + 1, Response::bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BodyTooLarge, "{coding:?}");
    }
}

#[test]
fn text_collects_64_mib_and_not_one_byte_more() {
    assert_eq!(collect(Coding::Chunked, 64 * MIB, Response::text).unwrap().len(), 64 * MIB);
    let error = collect(Coding::Chunked, 64 * MIB + 1, Response::text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge);
}

#[test]
fn a_limit_that_was_set_holds_on_both_sides() {
    for coding in CODINGS {
        for limit in [0, 1, 100, 8_192, 100_000] {
            let bytes = |length| collect(coding, length, |response| response.limit(limit as u64).bytes());
            let text = |length| collect(coding, length, |response| response.limit(limit as u64).text());
            assert_eq!(bytes(limit).unwrap().len(), limit, "{coding:?} {limit}");
            assert_eq!(text(limit).unwrap().len(), limit, "{coding:?} {limit}");
            let error = bytes(limit + 1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BodyTooLarge, "{coding:?} {limit}");
            let error = text(limit + 1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BodyTooLarge, "{coding:?} {limit}");
        }
    }
}

#[test]
fn a_limit_that_was_set_may_be_larger_than_the_default() {
    let limit = 65 * MIB as u64;
    let bytes = collect(Coding::Length, 65 * MIB, |response| response.limit(limit).bytes());
    assert_eq!(bytes.unwrap().len(), 65 * MIB);
}

#[test]
fn a_body_that_is_read_and_not_collected_has_no_limit() {
    let peer = peer_with(Coding::Chunked, 80 * MIB);
    let mut response = Client::new().get(peer.url("/")).send().unwrap();
    let mut count = Count(0);
    assert_eq!(response.copy_to(&mut count).unwrap(), 80 * MIB as u64);
    assert_eq!(count.0, 80 * MIB);
}

struct Count(usize);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A response that announces this many bytes, sends five of them, and ends.
fn announcing(length: u64) -> Peer {
    Peer::start(move |mut conn, _| {
        conn.request();
        conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nhello"));
    })
}

#[test]
fn an_announced_length_is_not_believed() {
    for length in [u64::MAX, u64::MAX - 1, i64::MAX as u64 + 1, 1 << 40, 1 << 32] {
        let peer = announcing(length);
        let client = Client::new();
        let response = client.get(peer.url("/")).send().unwrap();
        assert_eq!(response.content_length(), Some(length));
        let error = response.bytes().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BodyTooLarge, "{length}");

        let unlimited = client.get(peer.url("/")).send().unwrap().limit(u64::MAX);
        let error = unlimited.bytes().unwrap_err();
        let kinds = [ErrorKind::Truncated, ErrorKind::BodyTooLarge]; // by the size of an address
        assert!(kinds.contains(&error.kind()), "{length}: {error}");

        let mut body = client.get(peer.url("/")).send().unwrap().into_body();
        let (read, error) = read_on(&mut body);
        assert_eq!(read, b"hello");
        assert_eq!(error.kind(), ErrorKind::Truncated);
        assert_eq!(read_on(&mut body).1.kind(), ErrorKind::Truncated, "and it stays one");
    }
}

/// All that can be read, and the error it ends with.
fn read_on(body: &mut Body) -> (Vec<u8>, Error) {
    let mut read = Vec::new();
    let error = body.read_to_end(&mut read).expect_err("it cannot end well");
    (read, Error::try_from(error).expect("longwire's own error"))
}

/// The most address space this process ever had, in KiB.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn address_space_peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux shows how large we are");
    let line = status.lines().find(|line| line.starts_with("VmPeak:")).expect("VmPeak");
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[test]
fn an_announced_length_costs_no_memory() {
    let before = address_space_peak();
    let peer = announcing(1 << 40);
    let response = Client::new().get(peer.url("/")).send().unwrap();
    assert_eq!(response.limit(u64::MAX).bytes().unwrap_err().kind(), ErrorKind::Truncated);
    // The other tests of this file run at the same time, hence the slack.
    let grown = address_space_peak() - before;
    assert!(grown < 1 << 28, "{grown} KiB for a body that announced a TiB");
}

const URL_VARIABLE: &str = "LONGWIRE_TEST_BODY_URL";

/// By itself with memory enough; as the child of the test below with too little.
#[test]
fn a_body_is_collected_or_there_is_no_memory_for_it() {
    let given = std::env::var(URL_VARIABLE).ok();
    let own = peer_with(Coding::Length, MIB);
    let url = given.clone().unwrap_or_else(|| own.url("/"));
    let client = Client::new();
    let collected = client.get(url).send().unwrap().limit(u64::MAX).bytes();
    match given {
        None => assert_eq!(collected.unwrap().len(), MIB),
        Some(_) => {
            let error = collected.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BodyTooLarge);
            assert!(error.to_string().contains("no memory"), "{error}");
        }
    }
    assert_eq!(client.pool_stats().in_use, 0);
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[test]
fn a_body_larger_than_memory_is_an_error_and_not_the_end_of_the_process() {
    const CHILD: &str = "bodies::a_body_is_collected_or_there_is_no_memory_for_it";

    let peer = peer_with(Coding::Length, 512 * MIB);
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -v 400000 && exec \"$0\" --exact \"$1\""])
        .arg(std::env::current_exe().expect("the path of this program"))
        .arg(CHILD)
        .env(URL_VARIABLE, peer.url("/"))
        .output()
        .expect("a shell");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
    assert_eq!(peer.connections(), 1);
}

#[test]
fn a_limit_does_not_hide_the_length() {
    let peer = Peer::answering(ok("hello"));
    let response = Client::new().get(peer.url("/")).send().unwrap().limit(3);
    assert_eq!(response.content_length(), Some(5));
    let error = response.text().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge);
    assert_eq!(error.peer_addr(), Some(peer.addr()));
}
