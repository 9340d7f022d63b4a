//! The body as the caller holds it: `Read` and `BufRead` over every framing, the end that is
//! proven, the errors that are final, and the words they use.
//!
//! Error pages (`error_for_status`) are in `body/pages.rs`, bodies over 4 GiB in `body/large.rs`; bodies
//! that are dropped before their end, in `reuse/unread.rs`.

#[path = "body/large.rs"]
mod large;
#[path = "body/pages.rs"]
mod pages;
mod support;

use std::io::{self, BufRead, Read};
use std::time::{Duration, Instant};

use longwire::script::{Script, raw};
use longwire::{
    Body, BodyEnd, CancelToken, Client, CloseReason, Error, ErrorKind, Fate, Headers, Response, Result, Stage,
};
use support::framing::{FRAMINGS, Framing};
use support::peer::{Event, LIMIT, Peer, answer, ok};

impl Framing {
    /// The whole response with this content. Chunks are of odd sizes, from 1 up.
    fn answer(self, content: &[u8]) -> Vec<u8> {
        match self {
            Framing::Length => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len());
                [head.as_bytes(), content].concat()
            }
            Framing::Chunked => {
                let mut answer = CHUNKED_HEAD.as_bytes().to_vec();
                let mut rest = content;
                for size in (0..).map(|step: usize| 1 + step * 37 % 5003) {
                    if rest.is_empty() {
                        break;
                    }
                    let (chunk, after) = rest.split_at(size.min(rest.len()));
                    answer.extend(format!("{:x};x=y\r\n", chunk.len()).as_bytes());
                    answer.extend(chunk);
                    answer.extend(b"\r\n");
                    rest = after;
                }
                answer.extend(b"0\r\nX-Sum: done\r\n\r\n");
                answer
            }
            Framing::Close => [b"HTTP/1.1 200 OK\r\n\r\n", content].concat(),
        }
    }

    fn end(self) -> BodyEnd {
        match self {
            Framing::Length => BodyEnd::Length,
            Framing::Chunked => BodyEnd::LastChunk,
            Framing::Close => BodyEnd::Closed,
        }
    }
}

const CHUNKED_HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Bytes that tell where they are.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + at / 251) as u8).collect()
}

/// Answers one request of each connection, in one write or byte by byte, and closes.
fn serving(answer: Vec<u8>, bytewise: bool) -> Peer {
    Peer::start(move |mut conn, _| {
        conn.request();
        match bytewise {
            true => conn.send_bytewise(&answer),
            false => conn.send(&answer),
        };
        conn.half_close();
        conn.wait_closed(LIMIT);
    })
}

/// Answers with this and closes.
fn serving_once(answer: Vec<u8>) -> Peer {
    Peer::start(move |mut conn, _| {
        conn.request();
        conn.send(&answer);
    })
}

fn get(peer: &Peer) -> Response {
    let sent = Client::new().get(peer.url("/")).send();
    sent.unwrap_or_else(|error| panic!("no response: {error}"))
}

fn our_error(error: io::Error) -> Error {
    Error::try_from(error).expect("an error of this crate inside the io::Error")
}

#[track_caller]
fn assert_complete(body: &mut Body, end: BodyEnd) {
    assert!(body.is_complete());
    assert_eq!(body.ended(), Some(end));
    for _ in 0..2 {
        assert_eq!(body.read(&mut [0; 7]).expect("it stays complete"), 0);
        assert!(body.fill_buf().expect("it stays complete").is_empty());
        assert_eq!(body.read(&mut []).expect("it stays complete"), 0);
    }
}

// ---- reading, whatever the sizes ----

#[test]
fn a_body_is_the_same_for_reads_of_any_size_and_any_buffer() {
    let content = content(100_003);
    for framing in FRAMINGS {
        let peer = serving(framing.answer(&content), false);
        for buffer_size in [512, 8192, 300_000] {
            let client = Client::builder().buffer_size(buffer_size).build();
            for size in [1, 2, 3, 511, 512, 513, 8191, 8192, 8193, 70_000, 200_000] {
                let mut response = client.get(peer.url("/")).send().expect("a head");
                let got = read_by(&mut response, size);
                assert!(got == content, "{framing:?}, reads of {size}");
                assert_complete(response.body_mut(), framing.end());
            }
        }
    }
}

fn read_by(body: &mut impl Read, size: usize) -> Vec<u8> {
    let mut buffer = vec![0; size];
    let mut content = Vec::new();
    loop {
        match body.read(&mut buffer).expect("a whole body") {
            0 => return content,
            count => content.extend_from_slice(&buffer[..count]),
        }
    }
}

#[test]
fn a_body_that_comes_byte_by_byte_is_the_same() {
    let content = content(700);
    for framing in FRAMINGS {
        let peer = serving(framing.answer(&content), true);
        for size in [1, 5, 10_000] {
            let mut response = get(&peer);
            assert!(read_by(&mut response, size) == content, "{framing:?}");
            assert_complete(response.body_mut(), framing.end());
        }
    }
}

/// A small generator of numbers that look random and are always the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("below a usize")
    }
}

/// Reads by `read`, `fill_buf` and `consume` in a mixture, empty reads among them.
fn read_mixed(body: &mut Body, numbers: &mut Numbers) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        match numbers.below(5) {
            0 => {
                let complete = body.is_complete();
                assert_eq!(body.read(&mut []).expect("an empty read"), 0);
                assert_eq!(body.is_complete(), complete);
            }
            1 | 2 => {
                let mut buffer = vec![0; 1 + numbers.below(3000)];
                match body.read(&mut buffer).expect("a whole body") {
                    0 => return content,
                    count => content.extend_from_slice(&buffer[..count]),
                }
            }
            3 => {
                let filled = body.fill_buf().expect("a whole body");
                if filled.is_empty() {
                    return content;
                }
                let count = numbers.below(filled.len() + 1);
                content.extend_from_slice(&filled[..count]);
                body.consume(count);
            }
            _ => {
                let mut buffer = vec![0; 20_000];
                match body.read(&mut buffer).expect("a whole body") {
                    0 => return content,
                    count => content.extend_from_slice(&buffer[..count]),
                }
            }
        }
    }
}

#[test]
fn read_and_fill_buf_may_be_mixed_at_will() {
    let content = content(150_001);
    for framing in FRAMINGS {
        let peer = serving(framing.answer(&content), false);
        for seed in 1..=12 {
            let mut response = get(&peer);
            let got = read_mixed(response.body_mut(), &mut Numbers(seed));
            assert!(got == content, "{framing:?}, seed {seed}");
            assert_complete(response.body_mut(), framing.end());
        }
    }
}

#[test]
fn what_fill_buf_shows_stays_until_it_is_consumed() {
    for framing in FRAMINGS {
        let peer = serving(framing.answer(b"some content"), false);
        let mut body = get(&peer).into_body();
        let first = body.fill_buf().expect("content").to_vec();
        assert!(!first.is_empty());
        assert_eq!(body.fill_buf().expect("the same content"), first);
        body.consume(0);
        assert_eq!(body.fill_buf().expect("the same content"), first);
        body.consume(1);
        let mut rest = Vec::new();
        body.read_to_end(&mut rest).expect("the rest");
        assert_eq!([&first[..1], &rest].concat(), b"some content");
    }
}

#[test]
fn lines_may_cross_chunks() {
    let text = "first\nsecond line\nthird";
    for framing in FRAMINGS {
        let peer = serving(framing.answer(text.as_bytes()), false);
        let lines = get(&peer).into_body().lines();
        let lines: Vec<String> = lines.map(|line| line.expect("a line")).collect();
        assert_eq!(lines, ["first", "second line", "third"], "{framing:?}");
    }
}

#[test]
fn an_empty_buffer_gets_nothing_and_that_is_not_the_end() {
    for framing in FRAMINGS {
        let peer = serving(framing.answer(b"content"), false);
        let mut response = get(&peer);
        for _ in 0..3 {
            assert_eq!(response.read(&mut []).expect("an empty read"), 0);
            assert!(!response.body().is_complete(), "{framing:?}");
            assert_eq!(response.body().ended(), None);
        }
        assert_eq!(read_by(&mut response, 100), b"content");
    }
}

// ---- what a body knows of itself ----

#[test]
fn a_body_with_length_counts_down_and_ends_at_its_last_byte() {
    let peer = Peer::answering(ok("content"));
    let client = Client::new();
    let mut response = client.get(peer.url("/")).send().expect("a head");
    assert_eq!(response.content_length(), Some(7));
    assert_eq!(response.body().remaining(), Some(7));
    assert_eq!(response.body().ended(), None);
    response.read_exact(&mut [0; 6]).expect("content");
    assert_eq!(response.body().remaining(), Some(1));
    assert!(!response.body().is_complete());
    assert_eq!(client.pool_stats().idle, 0);
    response.read_exact(&mut [0; 1]).expect("the last byte");
    assert_eq!(response.body().remaining(), Some(0));
    assert_eq!(response.content_length(), Some(7), "it is what it was");
    assert_eq!(client.pool_stats().idle, 1, "given back at the last byte");
    assert_complete(response.body_mut(), BodyEnd::Length);
}

/// The read that may take the last byte asks for one byte more, even where the caller's buffer
/// holds just what is left and the read goes past the connection's own.
#[test]
fn bytes_after_the_end_are_seen_by_the_read_of_the_last_byte() {
    const LENGTH: usize = 40_000;
    let peer = Peer::start(|mut conn, _| {
        conn.request();
        let answer = Framing::Length.answer(&content(LENGTH));
        conn.send([&answer[..], b"stray"].concat());
        conn.note("sent");
        conn.wait_closed(LIMIT);
    });
    let client = Client::new();
    let mut response = client.get(peer.url("/")).send().expect("a head");
    assert!(peer.saw(&Event::Note(0, "sent".to_owned())));
    let mut got = vec![0; 1];
    response.read_exact(&mut got).expect("the first byte");
    let buffered = response.body_mut().fill_buf().expect("content").to_vec();
    response.body_mut().consume(buffered.len());
    let mut rest = vec![0; LENGTH - 1 - buffered.len()];
    assert!(rest.len() > 8192, "too little is left for a straight read");
    response.read_exact(&mut rest).expect("the rest");
    assert!([got, buffered, rest].concat() == content(LENGTH));
    assert!(response.body().is_complete());
    let stats = client.pool_stats();
    assert_eq!(stats.idle, 0);
    assert_eq!(stats.closed.get(CloseReason::StrayBytes), 1, "{stats:?}");
}

#[test]
fn a_chunked_body_ends_with_the_read_of_its_last_bytes_when_its_end_has_come() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                  4\r\ncont\r\n3\r\nent\r\n0\r\n\r\n";
    let peer = Peer::answering(answer);
    let client = Client::new();
    let mut response = client.get(peer.url("/")).send().expect("a head");
    assert_eq!(response.content_length(), None);
    assert_eq!(response.body().remaining(), None);
    response.read_exact(&mut [0; 7]).expect("content");
    assert!(response.body().is_complete());
    assert_eq!(client.pool_stats().idle, 1, "given back at the last byte");
    assert_complete(response.body_mut(), BodyEnd::LastChunk);
}

#[test]
fn a_close_delimited_body_does_not_know_its_length() {
    let peer = serving(Framing::Close.answer(b"content"), false);
    let mut response = get(&peer);
    assert_eq!(response.content_length(), None);
    assert_eq!(response.body().remaining(), None);
    response.read_exact(&mut [0; 7]).expect("content");
    assert_eq!(response.read(&mut [0; 9]).expect("the end"), 0);
    assert_complete(response.body_mut(), BodyEnd::Closed);
}

#[test]
fn a_response_without_body_is_complete_from_the_start() {
    for (method, answer, content_length) in [
        ("HEAD", "200 OK\r\nContent-Length: 700\r\n", Some(700)),
        ("HEAD", "200 OK\r\nTransfer-Encoding: chunked\r\n", None),
        ("GET", "204 No Content\r\n", Some(0)),
        ("GET", "304 Not Modified\r\n", Some(0)),
    ] {
        let peer = Peer::answering(format!("HTTP/1.1 {answer}\r\n"));
        let client = Client::new();
        let method = longwire::Method::new(method).expect("a method");
        let request = client.request(method, peer.url("/"));
        let mut response = request.send().expect("a head is all there is");
        assert_eq!(response.content_length(), content_length, "of HEAD, the length that GET would have");
        let announced = answer.contains("700").then_some("700");
        assert_eq!(response.header("content-length"), announced);
        assert_complete(response.body_mut(), BodyEnd::Empty);
        assert_eq!(client.pool_stats().in_use, 0, "{answer}");
        assert_eq!(response.bytes().expect("no bytes"), b"", "{answer}");
    }
}

#[test]
fn a_length_of_zero_and_a_lone_last_chunk_are_complete_without_a_read() {
    for answer in ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(), format!("{CHUNKED_HEAD}0\r\n\r\n")] {
        let peer = Peer::answering(answer.clone());
        let client = Client::new();
        let mut response = client.get(peer.url("/")).send().expect("a head");
        assert_eq!(response.read(&mut [0; 9]).expect("the end"), 0);
        assert!(response.body().is_complete(), "{answer}");
        assert_eq!(client.pool_stats().idle, 1, "{answer}");
    }
}

#[test]
fn trailers_are_there_when_the_body_has_ended_and_apart_from_the_headers() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Head: h\r\n\r\n\
                  4\r\ncont\r\n0\r\nX-Sum: abc\r\nx-sum: def\r\nContent-Length: 9\r\n\r\n";
    let peer = Peer::answering(answer);
    let mut response = get(&peer);
    assert!(response.body().trailers().is_empty());
    assert_eq!(read_by(&mut response, 3), b"cont");
    let trailers = response.body().trailers();
    let sums: Vec<&[u8]> = trailers.get_all("X-SUM").collect();
    assert_eq!(sums, [b"abc", b"def"]);
    assert_eq!(trailers.get("content-length"), None, "framing is dropped");
    assert_eq!(trailers.get("x-head"), None);
    assert_eq!(response.header("x-sum"), None);
}

// ---- errors are final ----

#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Close,
    Reset,
}

/// Answers with this and then closes, or resets when the client has what was sent.
fn breaking(answer: &str, then: Then) -> Peer {
    let answer = answer.to_owned();
    Peer::start(move |mut conn, _| {
        conn.request();
        conn.send(&answer);
        match then {
            Then::Close => conn.close(),
            Then::Reset => conn.reset(),
        }
    })
}

type ReadOnce = fn(&mut Response) -> io::Result<()>;

const READS: [(&str, ReadOnce); 5] = [
    ("read", |r| r.read(&mut [0; 9]).map(drop)),
    ("fill_buf", |r| r.body_mut().fill_buf().map(drop)),
    ("read_to_end", |r| r.read_to_end(&mut Vec::new()).map(drop)),
    ("a large read", |r| r.read(&mut [0; 100_000]).map(drop)),
    ("read_to_string", |r| r.read_to_string(&mut String::new()).map(drop)),
];

/// Reads until the error, by `read` or by `fill_buf`, and gives what came before it.
fn read_until_error(response: &mut Response, by_fill_buf: bool) -> (Vec<u8>, Error) {
    let mut content = Vec::new();
    let mut buffer = [0; 3];
    loop {
        let read = if by_fill_buf {
            let body = response.body_mut();
            body.fill_buf().map(<[u8]>::to_vec).inspect(|filled| {
                content.extend_from_slice(filled);
            })
        } else {
            let read = response.read(&mut buffer);
            read.map(|count| buffer[..count].to_vec()).inspect(|read| {
                content.extend_from_slice(read);
            })
        };
        match read {
            Ok(read) if read.is_empty() => panic!("a clean end after {content:?}"),
            Ok(read) if by_fill_buf => response.body_mut().consume(read.len()),
            Ok(_) => {}
            Err(error) => return (content, our_error(error)),
        }
    }
}

/// However the body is read, it fails in this way after nothing but `content`, and stays so.
fn assert_fails(answer: &str, then: Then, kind: ErrorKind, content: &str) {
    let peer = breaking(answer, then);
    for by_fill_buf in [false, true] {
        let mut response = get(&peer);
        let (got, error) = read_until_error(&mut response, by_fill_buf);
        assert_eq!(error.kind(), kind, "{answer:?} {then:?}: {error}");
        assert!(content.as_bytes().starts_with(&got), "{answer:?}: {got:?}");
        assert_eq!(error.stage(), Stage::Body);
        assert_eq!(error.fate(), Fate::ResponseStarted);
        assert_eq!(error.peer_addr(), Some(peer.addr()));
        for (name, read) in READS {
            let again = read(&mut response).expect_err("an error is final");
            let again = our_error(again);
            assert_eq!(again.kind(), kind, "{name}, {answer:?}: {again}");
            assert_eq!(again.to_string(), error.to_string(), "{name}");
        }
        assert!(!response.body().is_complete(), "{answer:?}");
        assert_eq!(response.body().ended(), None);
        assert!(response.body().trailers().is_empty());
    }
    let bytes = get(&peer).bytes().expect_err("a broken body");
    assert_eq!(bytes.kind(), kind, "bytes() of {answer:?}: {bytes}");
    let copied = get(&peer).copy_to(&mut io::sink());
    let copied = copied.expect_err("a broken body");
    assert_eq!(copied.kind(), kind, "copy_to() of {answer:?}: {copied}");
}

/// Where a chunked body may be cut: after each byte of this, but for the last.
const CHUNKED_BODY: &str = "5;x=y\r\nhello\r\n2\r\n w\r\n0\r\nX-Sum: 1\r\n\r\n";

#[test]
fn a_body_cut_short_is_an_error_and_stays_one() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    for cut in ["", "h", "hell"] {
        let answer = format!("{head}{cut}");
        assert_fails(&answer, Then::Close, ErrorKind::Truncated, cut);
    }
}

#[test]
fn a_chunked_body_cut_at_any_byte_is_an_error_and_stays_one() {
    for end in 0..CHUNKED_BODY.len() {
        let answer = format!("{CHUNKED_HEAD}{}", &CHUNKED_BODY[..end]);
        assert_fails(&answer, Then::Close, ErrorKind::Truncated, "hello w");
    }
}

#[test]
fn a_broken_connection_is_never_the_end_of_a_body() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello";
    let chunked = format!("{CHUNKED_HEAD}5\r\nhello\r\n");
    let last_chunk = format!("{CHUNKED_HEAD}5\r\nhello\r\n0\r\n");
    let until_close = "HTTP/1.1 200 OK\r\n\r\nhello";
    for answer in [length, &chunked, &last_chunk, until_close] {
        assert_fails(answer, Then::Reset, ErrorKind::Io, "hello");
    }
    let peer = breaking(until_close, Then::Reset);
    let (_, error) = read_until_error(&mut get(&peer), false);
    let kind = io::Error::from(error).kind();
    assert_eq!(kind, io::ErrorKind::ConnectionReset, "the system's kind");
}

#[test]
fn what_is_no_chunk_is_an_error_and_stays_one() {
    for (body, content) in [
        ("+5\r\nhello\r\n0\r\n\r\n", ""),
        ("-5\r\nhello\r\n0\r\n\r\n", ""),
        ("0x5\r\nhello\r\n0\r\n\r\n", ""),
        (" 5\r\nhello\r\n0\r\n\r\n", ""),
        ("\r\nhello\r\n0\r\n\r\n", ""),
        (";x\r\nhello\r\n0\r\n\r\n", ""),
        ("5\nhello\r\n0\r\n\r\n", ""),
        ("10000000000000000\r\nhello", ""),
        ("5\r\nhelloX\r\n0\r\n\r\n", "hello"),
        ("5\r\nhello\n0\r\n\r\n", "hello"),
        ("5\r\nhello\r\n\r\n0\r\n\r\n", "hello"),
        ("5\r\nhello\r\ng\r\n", "hello"),
    ] {
        let answer = format!("{CHUNKED_HEAD}{body}");
        assert_fails(&answer, Then::Close, ErrorKind::Chunk, content);
    }
}

// ---- collecting ----

/// Takes this many bytes, and then no more.
struct Full(usize);

impl io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.0);
        self.0 -= count;
        if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_copy_that_cannot_be_written_is_the_writers_error() {
    for framing in FRAMINGS {
        let peer = serving(framing.answer(&[b'x'; 50_000]), false);
        let error = get(&peer).copy_to(&mut Full(20_000)).expect_err("there is no more room");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Io, Stage::Body), "{error}");
        assert!(error.url().is_some(), "{error:?}");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::StorageFull);
    }
}

#[test]
fn bytes_text_and_copy_to_give_the_whole_body() {
    let content: Vec<u8> = content(200_000).iter().map(|byte| byte % 128).collect();
    for framing in FRAMINGS {
        let peer = serving(framing.answer(&content), false);
        assert!(get(&peer).bytes().expect("all bytes") == content);
        assert!(get(&peer).text().expect("all text").as_bytes() == content);
        let mut copy = Vec::new();
        let copied = get(&peer).copy_to(&mut copy).expect("all bytes");
        assert_eq!(copied, 200_000);
        assert!(copy == content);
    }
}

/// What arrives of a large body is appended as it is, as far as it is known to be content.
#[test]
fn bytes_of_a_large_body_take_all_of_it_and_no_byte_too_many() {
    const LENGTH: usize = 3 << 20;
    let content = content(LENGTH);
    let chunk = [CHUNKED_HEAD.as_bytes(), b"300000\r\n", &content, b"\r\n0\r\n\r\n"].concat();
    for answer in [Framing::Length.answer(&content), Framing::Chunked.answer(&content), chunk] {
        let peer = Peer::answering(answer.clone());
        let client = Client::new();
        let get = || client.get(peer.url("/")).send().expect("a head");
        for _ in 0..3 {
            assert!(get().bytes().expect("all bytes") == content);
            assert_eq!(client.pool_stats().idle, 1);
        }
        assert!(get().limit(LENGTH as u64).bytes().expect("all bytes") == content);
        assert_eq!(peer.connections(), 1);
        let error = get().limit(LENGTH as u64 - 1).bytes().expect_err("one byte too many");
        assert_eq!(error.kind(), ErrorKind::BodyTooLarge);

        let stray = Peer::answering([&answer[..], b"stray"].concat());
        assert!(client.get(stray.url("/")).send().expect("a head").bytes().expect("all bytes") == content);
        let cut = serving_once(answer[..answer.len() - 1].to_vec());
        let error = client.get(cut.url("/")).send().expect("a head").bytes().expect_err("a cut");
        assert_eq!(error.kind(), ErrorKind::Truncated);
        let closed = client.pool_stats().closed;
        assert_eq!((closed.get(CloseReason::StrayBytes), closed.get(CloseReason::Failed)), (1, 1), "{closed:?}");
    }
}

#[test]
fn bytes_of_a_large_body_without_length_end_with_the_connection_or_at_the_limit() {
    let content = content(3 << 20);
    let limit = content.len() as u64;
    let peer = serving(Framing::Close.answer(&content), false);
    assert!(get(&peer).limit(limit).bytes().expect("all bytes") == content);
    let error = get(&peer).limit(limit - 1).bytes().expect_err("one byte too many");
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge);
    let error = get(&peer).limit(100_000).bytes().expect_err("far too many");
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge);
}

/// The end of the chunk, or of the connection, is not waited for.
#[test]
fn bytes_of_a_large_body_are_too_many_as_soon_as_they_have_come() {
    let content = content(3 << 20);
    let chunk = [CHUNKED_HEAD.as_bytes(), b"300000\r\n", &content].concat();
    for answer in [chunk, Framing::Close.answer(&content)] {
        let peer = Peer::start(move |mut conn, _| {
            while conn.request().is_some() {
                conn.send(&answer); // and waits for what the client does
            }
        });
        let error = get(&peer).limit(content.len() as u64 - 1).bytes().expect_err("one byte too many");
        assert_eq!(error.kind(), ErrorKind::BodyTooLarge);
    }
}

#[test]
fn bytes_gives_what_is_left_after_reads() {
    for framing in FRAMINGS {
        let peer = serving(framing.answer(b"some content"), false);
        let mut response = get(&peer);
        response.read_exact(&mut [0; 5]).expect("content");
        assert_eq!(response.bytes().expect("the rest"), b"content");
    }
}

#[test]
fn a_text_that_is_not_utf_8_is_an_error() {
    let peer = serving(Framing::Length.answer(b"gr\xfcn"), false);
    let error = get(&peer).text().expect_err("not UTF-8");
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(get(&peer).bytes().expect("any bytes"), b"gr\xfcn");
}

#[test]
fn a_limit_is_exact_and_one_byte_more_is_too_large() {
    for framing in FRAMINGS {
        let peer = serving(framing.answer(b"0123456789"), false);
        assert_eq!(get(&peer).limit(10).bytes().expect("ten bytes").len(), 10);
        assert_eq!(get(&peer).limit(10).text().expect("ten bytes").len(), 10);
        let ways: [fn(Response) -> Result<()>; 2] = [|r| r.bytes().map(drop), |r| r.text().map(drop)];
        for way in ways {
            let error = way(get(&peer).limit(9)).expect_err("ten are more than nine");
            assert_eq!(error.kind(), ErrorKind::BodyTooLarge, "{framing:?}: {error}");
        }
    }
}

#[test]
fn a_boast_of_a_length_is_not_trusted_for_memory() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nx";
    let peer = breaking(head, Then::Close);
    let error = get(&peer).bytes().expect_err("more than the limit");
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge);
    let mut response = get(&peer);
    assert_eq!(response.content_length(), Some(u64::MAX));
    let (content, error) = read_until_error(&mut response, false);
    assert_eq!(content, b"x");
    assert_eq!(error.kind(), ErrorKind::Truncated);
}

#[test]
fn a_status_becomes_an_error_only_when_asked() {
    for (status, is_error) in [(200, false), (204, false), (399, false), (404, true), (500, true)] {
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        let peer = Peer::answering(head);
        let response = get(&peer);
        assert_eq!(response.status(), status);
        match response.error_for_status() {
            Ok(response) => assert!(!is_error, "{}", response.status()),
            Err(error) => {
                assert!(is_error, "{error}");
                assert_eq!(error.kind(), ErrorKind::Status);
                assert!(error.status().is_some_and(|given| given == status));
                assert!(error.url().is_some_and(|url| url.as_str() == peer.url("/")));
                assert!(error.to_string().contains(&status.to_string()));
            }
        }
    }
}

// ---- errors as std knows them, and their words ----

#[test]
fn an_error_goes_into_an_io_error_and_comes_back() {
    let peer = breaking("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", Then::Close);
    let error = get(&peer).bytes().expect_err("a body cut short");
    let as_io = io::Error::from(error.clone());
    assert_eq!(as_io.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(as_io.to_string(), error.to_string());
    let back = Error::try_from(as_io).expect("it was ours");
    assert_eq!(back.kind(), error.kind());
    assert_eq!(back.stage(), error.stage());
    assert_eq!(back.peer_addr(), Some(peer.addr()));
    assert_eq!(back.to_string(), error.to_string());
    let foreign = io::Error::new(io::ErrorKind::NotFound, "not ours");
    let foreign = Error::try_from(foreign).expect_err("not ours");
    assert_eq!(foreign.kind(), io::ErrorKind::NotFound);
    assert_eq!(foreign.to_string(), "not ours");
}

#[test]
fn each_kind_of_error_has_its_kind_of_io_error() {
    let chunk = breaking(&format!("{CHUNKED_HEAD}+5\r\n"), Then::Close);
    let chunk = get(&chunk).bytes().expect_err("no chunk size");
    let yours = Client::new().get("no url").send().expect_err("no URL");
    let framing = breaking("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", Then::Close);
    let framing = Client::new().get(framing.url("/")).send();
    let framing = framing.expect_err("no length");
    for (error, kind, io_kind) in [
        (chunk, ErrorKind::Chunk, io::ErrorKind::InvalidData),
        (framing, ErrorKind::Framing, io::ErrorKind::InvalidData),
        (yours, ErrorKind::InvalidUrl, io::ErrorKind::InvalidInput),
    ] {
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(io::Error::from(error).kind(), io_kind);
    }
}

#[test]
fn an_error_says_who_where_and_what() {
    let peer = breaking(&format!("{CHUNKED_HEAD}12+5\r\n"), Then::Close);
    let error = get(&peer).bytes().expect_err("no chunk size");
    let message = "chunk size: '+' is not a hex digit (byte 3 of the line)";
    let about = format!("(GET http://{0}/, {0})", peer.addr());
    assert_eq!(error.to_string(), format!("{message} {about}"));
    assert!(format!("{error:?}").contains("Chunk"), "{error:?}");

    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe";
    let peer = breaking(answer, Then::Close);
    let error = get(&peer).bytes().expect_err("a body cut short");
    let message = error.to_string();
    assert!(message.ends_with(&format!("(GET http://{0}/, {0})", peer.addr())), "{message}");
    assert!(message.contains("3 bytes"), "how much was lost? {message}");
}

#[test]
fn no_debug_or_display_shows_a_secret() {
    let fields = "Set-Cookie: id=hunter2\r\nX-Token: hunter2\r\nContent-Type: text/plain\r\n";
    let peer = Peer::answering(answer("404 Not Found", fields, "body"));
    let url = peer.url("/").replace("http://", "http://user:hunter2@");
    let client = Client::builder().default_header("X-Default-Key", "hunter2").build();
    let request = client
        .get(&url)
        .header("Cookie", "id=hunter2")
        .header("X-Api-Key", "hunter2")
        .header("Proxy-Authorization", "hunter2")
        .header("Accept", "text/x-shown");
    let builder = format!("{request:?}");
    let request = request.build().expect("a request");
    assert!(!request.url().as_str().contains("hunter2"));
    let mut headers = Headers::new();
    headers.insert("Authorization", "Bearer hunter2").expect("a field");
    headers.append("X-Api-Key", "hunter2").expect("a field");
    let shown = format!("{request:?}");
    assert!(shown.contains("text/x-shown"), "{shown}");
    let response = client.send(request).expect("a response");
    assert!(format!("{response:?}").contains("404"));
    let of_response = [format!("{response:?}"), format!("{:?}", response.headers())];
    let error = response.error_for_status().expect_err("404");
    let all = [builder, shown, format!("{client:?}"), format!("{headers:?}"), format!("{error:?} {error}")];
    for shown in all.iter().chain(&of_response) {
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("dXNlcjpodW50ZXIy"), "as Basic: {shown}");
    }
}

#[test]
fn types_may_go_where_threads_need_them() {
    fn sync<T: Send + Sync>() {}
    fn send<T: Send>() {}
    sync::<Client>();
    sync::<CancelToken>();
    sync::<Error>();
    sync::<Headers>();
    send::<Response>();
    send::<Body>();
    send::<longwire::Request<'_>>();
    send::<longwire::SendBody<'_>>();
    let peer = Peer::answering(ok("read elsewhere"));
    let response = get(&peer);
    let text = std::thread::spawn(move || response.text()).join();
    assert_eq!(text.expect("no panic").expect("text"), "read elsewhere");
}

#[test]
fn a_chunk_of_one_byte_does_not_cost_a_buffer() {
    const CHUNKS: usize = 60_000;
    let reply = raw(CHUNKED_HEAD).repeat("1\r\na\r\n", 6 * CHUNKS as u64).more("0\r\n\r\n");
    let client = Client::builder().buffer_size(1 << 20).connector(Script::answering(reply)).build();
    let response = client.get("http://memory.test/").send().unwrap();
    let started = Instant::now();
    assert_eq!(response.bytes().unwrap().len(), CHUNKS);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}"); // it was 64 KiB of zeros for each chunk
}
