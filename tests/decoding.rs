//! Content codings: what is asked for, what is undone and what is left as it came, the end that framing
//! and coding prove together, and the errors of compressed data that is cut, malformed or followed by
//! something else.
//!
//! The compressed bodies are in `decoding/data/`, made by the codings' own tools (`make` there). Against
//! real servers: `interop.rs`.

mod support;
#[cfg(unix)]
#[path = "decoding/tools.rs"]
mod tools;

use std::io::{BufRead, Read, Write};
use std::thread;
use std::time::Duration;

use longwire::script::{Reply, Script, raw, reply};
use longwire::{Body, Client, ErrorKind, Method, Request, Response, Result};
use support::framing::{FRAMINGS, Framing};

macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!("decoding/data/", $name)).as_slice()
    };
}

const PAGE: &[u8] = data!("page.txt");
const GZ: &[u8] = data!("page.gz");
const BR: &[u8] = data!("page.br");
const ZST: &[u8] = data!("page.zst");

/// A 200 with that Content-Encoding and that body.
fn coded(coding: &str, body: &[u8], framing: Framing) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: {coding}\r\n");
    let mut answer = head.into_bytes();
    match framing {
        Framing::Length => answer.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes()),
        Framing::Chunked => {
            answer.extend(b"Transfer-Encoding: chunked\r\n\r\n");
            for chunk in body.chunks(1 + body.len() / 3) {
                answer.extend(format!("{:x}\r\n", chunk.len()).bytes());
                answer.extend(chunk);
                answer.extend(b"\r\n");
            }
            answer.extend(b"0\r\n\r\n");
            return answer;
        }
        Framing::Close => answer.extend(b"\r\n"),
    }
    answer.extend(body);
    answer
}

fn get(client: &Client) -> Response {
    client.get("http://host/").send().expect("a head")
}

/// What reading the whole body gives, over one framing, in pieces of `piece` bytes on the wire; the
/// connection lives on where the framing lets it.
fn read(coding: &str, body: &[u8], framing: Framing, piece: usize) -> Result<Vec<u8>> {
    let reply = raw(coded(coding, body, framing));
    let reply = if framing == Framing::Close { reply.close() } else { reply };
    let client = Script::answering(reply).read_max(piece).client();
    let read = get(&client).bytes();
    let kept = client.pool_stats().idle;
    let want = usize::from(read.is_ok() && framing != Framing::Close);
    assert_eq!(kept, want, "{coding}, {framing:?}, {piece}: {:?}", client.pool_stats());
    read
}

/// What must come of a coded body.
enum Want {
    Content(Vec<u8>),
    Error(ErrorKind, &'static str),
}

use Want::{Content, Error as Fails};

fn page() -> Want {
    Content(PAGE.to_vec())
}

fn twice(member: &[u8]) -> Vec<u8> {
    member.repeat(2)
}

fn and(one: &[u8], other: &[u8]) -> Vec<u8> {
    [one, other].concat()
}

/// A frame of a few KiB whose one compressed block repeats one byte for gigabytes: `count` sequences (0x7f00
/// or more), each of a match of 131,074 bytes.
fn zstd_bomb(count: usize) -> Vec<u8> {
    let mut block = vec![0x00, 0xff]; // no literals
    block.extend(u16::try_from(count - 0x7f00).unwrap().to_le_bytes());
    block.extend([0x54, 0x00, 0x0e, 0x34]); // each code is always the same
    let bits = count * 30;
    block.extend(vec![0xff; bits / 8]);
    block.push(((1u16 << (bits % 8 + 1)) - 1) as u8); // the mark of the end
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38]; // a window of 128 KiB
    frame.extend(&((32_768 << 3 | 1 << 1) as u32).to_le_bytes()[..3]);
    frame.push(b'a');
    frame.extend(&((block.len() << 3 | 2 << 1 | 1) as u32).to_le_bytes()[..3]);
    [frame, block].concat()
}

/// Every way in which a body may be coded or be broken that other clients are known to differ in.
fn table() -> Vec<(&'static str, Vec<u8>, Want)> {
    const MIDDLE: &str = "in the middle of the compressed data";
    use ErrorKind::{Decode, Truncated};
    let skippable = and(&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0], b"xyz");
    let mut wrong_check = GZ.to_vec();
    wrong_check[GZ.len() - 8] ^= 1;
    let mut wrong_length = GZ.to_vec();
    wrong_length[GZ.len() - 1] ^= 1;
    let mut wrong_zstd_check = ZST.to_vec();
    wrong_zstd_check[ZST.len() - 1] ^= 1;
    let mut wrong_adler = data!("page.zlib").to_vec();
    *wrong_adler.last_mut().unwrap() ^= 1;
    let everything = data!("everything.gz");
    let mut wrong_header_check = everything.to_vec();
    wrong_header_check[18] ^= 1; // in the extra field
    let mut reserved = GZ.to_vec();
    reserved[3] = 0x20;
    let mut reserved_zstd = ZST.to_vec();
    reserved_zstd[4] |= 0x08;
    let mut dictionary = data!("page.zst").to_vec();
    dictionary.splice(4..6, [0x05, 0x58, 7]); // the descriptor's flag, the window, and the dictionary's number
    vec![
        ("gzip", GZ.to_vec(), page()),
        ("x-gzip", GZ.to_vec(), page()),
        ("GZip", GZ.to_vec(), page()),
        ("identity, gzip", GZ.to_vec(), page()),
        (" gzip , ", GZ.to_vec(), page()),
        ("gzip", everything.to_vec(), page()),
        ("gzip", twice(GZ), Content(twice(PAGE))),
        ("gzip", and(everything, GZ), Content(twice(PAGE))),
        ("gzip", and(GZ, data!("empty.gz")), page()),
        ("gzip", data!("empty.gz").to_vec(), Content(Vec::new())),
        ("gzip", Vec::new(), Content(Vec::new())),
        ("gzip", GZ[..1].to_vec(), Fails(Truncated, MIDDLE)),
        ("gzip", GZ[..10].to_vec(), Fails(Truncated, MIDDLE)),
        ("gzip", GZ[..GZ.len() / 2].to_vec(), Fails(Truncated, MIDDLE)),
        ("gzip", GZ[..GZ.len() - 8].to_vec(), Fails(Truncated, MIDDLE)),
        ("gzip", GZ[..GZ.len() - 1].to_vec(), Fails(Truncated, MIDDLE)),
        ("gzip", and(GZ, &GZ[..1]), Fails(Truncated, MIDDLE)),
        ("gzip", and(GZ, &GZ[..300]), Fails(Truncated, MIDDLE)),
        ("gzip", everything[..14].to_vec(), Fails(Truncated, MIDDLE)),
        ("gzip", everything[..25].to_vec(), Fails(Truncated, MIDDLE)),
        ("gzip", and(GZ, b"garbage"), Fails(Decode, "gzip: \"g\" follows member 1, and begins no other")),
        ("gzip", and(GZ, &[0; 512]), Fails(Decode, "gzip: \"\\x00\" follows member 1, and begins no other")),
        ("gzip", b"hello, plain text".to_vec(), Fails(Decode, "gzip: the body begins with \"h\"")),
        ("gzip", wrong_check, Fails(Decode, "gzip: checksum ")),
        ("gzip", wrong_length, Fails(Decode, "gzip: the length 21421 is not ")),
        ("gzip", wrong_header_check, Fails(Decode, "gzip: the header's check ")),
        ("gzip", reserved, Fails(Decode, "gzip: the header has reserved flags (20)")),
        ("gzip", and(&GZ[..10], &[0xff; 20]), Fails(Decode, "gzip: the data is malformed")),
        ("deflate", data!("page.zlib").to_vec(), page()),
        ("deflate", data!("page.deflate").to_vec(), page()),
        ("deflate", vec![0x03, 0x00], Content(Vec::new())),
        ("deflate", Vec::new(), Content(Vec::new())),
        ("deflate", data!("page.zlib")[..1].to_vec(), Fails(Truncated, MIDDLE)),
        ("deflate", data!("page.zlib")[..3000].to_vec(), Fails(Truncated, MIDDLE)),
        ("deflate", data!("page.deflate")[..3000].to_vec(), Fails(Truncated, MIDDLE)),
        ("deflate", wrong_adler, Fails(Decode, "deflate: the data is malformed")),
        ("deflate", and(data!("page.zlib"), b"more"), Fails(Decode, "deflate: the compressed data has ended, and \"m")),
        ("deflate", vec![0x03, 0x00, b'x'], Fails(Decode, "deflate: the compressed data has ended, and \"x\" follows")),
        ("deflate", GZ.to_vec(), Fails(Decode, "deflate: the data is malformed")),
        ("deflate", vec![0x78, 0xbb, 1, 2, 3, 4, 0, 0], Fails(Decode, "deflate: the data is malformed")),
        ("gzip, gzip", data!("page.gz.gz").to_vec(), page()),
        ("deflate, gzip", data!("page.zlib.gz").to_vec(), page()),
        ("gzip\r\nContent-Encoding: gzip", data!("page.gz.gz").to_vec(), page()),
        ("gzip, br", data!("page.gz.br").to_vec(), page()),
        ("gzip, gzip", data!("page.gz.gz")[..4000].to_vec(), Fails(Truncated, MIDDLE)),
        ("gzip, gzip, gzip", data!("page.gz.gz").to_vec(), Fails(Decode, "more than 2 content codings")),
        ("br", BR.to_vec(), page()),
        ("br", Vec::new(), Content(Vec::new())),
        ("br", vec![0x06], Content(Vec::new())),
        ("br", BR[..1000].to_vec(), Fails(Truncated, MIDDLE)),
        ("br", BR[..BR.len() - 1].to_vec(), Fails(Truncated, MIDDLE)),
        ("br", and(BR, b"garbage"), Fails(Decode, "br: the compressed data has ended, and \"g")),
        ("br", and(&BR[..100], &[0xff; 3000]), Fails(Decode, "br: the data is malformed (code -")),
        ("br", vec![0x11, 0x1a, 0, 0, 0, 0, 0], Fails(Decode, "br: the data is malformed (code -")),
        ("zstd", ZST.to_vec(), page()),
        ("zstd", data!("unchecked.zst").to_vec(), page()),
        ("zstd", data!("window-8M.zst").to_vec(), page()),
        ("zstd", twice(ZST), Content(twice(PAGE))),
        ("zstd", and(&skippable, ZST), page()),
        ("zstd", and(ZST, &skippable), page()),
        ("zstd", Vec::new(), Content(Vec::new())),
        ("zstd", ZST[..3].to_vec(), Fails(Truncated, MIDDLE)),
        ("zstd", ZST[..5].to_vec(), Fails(Truncated, MIDDLE)),
        ("zstd", ZST[..2000].to_vec(), Fails(Truncated, MIDDLE)),
        ("zstd", ZST[..ZST.len() - 1].to_vec(), Fails(Truncated, MIDDLE)),
        ("zstd", skippable[..9].to_vec(), Fails(Truncated, MIDDLE)),
        ("zstd", and(ZST, b"garbage"), Fails(Decode, "zstd: \"garb\" begins no frame")),
        ("zstd", wrong_zstd_check, Fails(Decode, "zstd: checksum ")),
        ("zstd", data!("window-128M.zst").to_vec(), Fails(Decode, "zstd: a window of 134217728 bytes, over 8388608")),
        ("zstd", zstd_bomb(0x7f00), Fails(Decode, "zstd: a block of 4261477888 bytes, over 131072")),
        (
            "zstd",
            vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0x38, 0x2d, 0, 0, 0xfd, 0xff, 0xff, 0x78, 0],
            Fails(Decode, "zstd: a block of"),
        ),
        ("zstd", reserved_zstd, Fails(Decode, "zstd: the header has a reserved bit")),
        ("zstd", dictionary, Fails(Decode, "zstd: ")),
        ("zstd", and(&ZST[..6], &[0xff; 20]), Fails(Decode, "zstd: ")),
    ]
}

#[test]
fn every_coded_body_is_what_the_codings_say_in_every_framing_and_in_pieces() {
    for (coding, body, want) in table() {
        for framing in FRAMINGS {
            for piece in [usize::MAX, 1000, 7, 1] {
                let shown = format!("{coding}, {} bytes, {framing:?}, pieces of {piece}", body.len());
                match (read(coding, &body, framing, piece), &want) {
                    (Ok(got), Content(want)) => assert!(got == *want, "{shown}: {} bytes", got.len()),
                    (Err(error), Fails(kind, words)) => {
                        assert_eq!(error.kind(), *kind, "{shown}: {error}");
                        assert!(error.to_string().contains(words), "{shown}: {error}");
                        assert!(error.to_string().contains("GET http://host/"), "{shown}: {error}");
                    }
                    (Ok(got), Fails(kind, _)) => panic!("{shown}: {} bytes instead of {kind:?}", got.len()),
                    (Err(error), Content(_)) => panic!("{shown}: {error}"),
                }
            }
        }
    }
}

#[test]
fn a_body_cut_at_any_byte_is_never_complete() {
    for (coding, body) in [("gzip", data!("everything.gz")), ("deflate", data!("page.zlib")), ("br", BR), ("zstd", ZST)]
    {
        for length in (1..body.len()).filter(|length| *length < 80 || *length > body.len() - 20 || length % 97 == 0) {
            for framing in FRAMINGS {
                let error = read(coding, &body[..length], framing, usize::MAX).expect_err("it is cut");
                assert_eq!(error.kind(), ErrorKind::Truncated, "{coding}, {length} of {}: {error}", body.len());
            }
        }
    }
}

type ReadAll = fn(&mut Body) -> std::io::Result<Vec<u8>>;

/// The ways in which a caller may read.
fn ways() -> Vec<(&'static str, ReadAll)> {
    fn in_pieces<const N: usize>(body: &mut Body) -> std::io::Result<Vec<u8>> {
        let (mut all, mut piece) = (Vec::new(), vec![0; N]);
        loop {
            match body.read(&mut piece)? {
                0 => return Ok(all),
                count => all.extend_from_slice(&piece[..count]),
            }
        }
    }
    fn by_lines(body: &mut Body) -> std::io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while body.read_until(b'\n', &mut all)? > 0 {}
        Ok(all)
    }
    fn by_turns(body: &mut Body) -> std::io::Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let count = body.fill_buf()?.len().min(3);
            all.extend_from_slice(&body.fill_buf()?[..count]);
            body.consume(count);
            let mut piece = vec![0; 9000];
            let read = body.read(&mut piece)?;
            all.extend_from_slice(&piece[..read]);
            if count + read == 0 {
                return Ok(all);
            }
        }
    }
    vec![
        ("1 byte", in_pieces::<1>),
        ("4096 bytes", in_pieces::<4096>),
        ("8191 bytes", in_pieces::<8191>),
        ("8192 bytes", in_pieces::<8192>),
        ("a page to the byte", in_pieces::<21421>),
        ("64 KiB", in_pieces::<65536>),
        ("lines", by_lines),
        ("turns", by_turns),
        ("copy_to", |body| {
            let mut all = Vec::new();
            body.copy_to(&mut all)?;
            Ok(all)
        }),
    ]
}

#[test]
fn however_it_is_read_the_content_is_whole_and_the_connection_home() {
    for (coding, body) in [
        ("gzip", GZ),
        ("deflate", data!("page.deflate")),
        ("br", BR),
        ("zstd", ZST),
        ("gzip, gzip", data!("page.gz.gz")),
    ] {
        for framing in [Framing::Length, Framing::Chunked] {
            for (way, read) in ways() {
                let client = Script::answering(raw(coded(coding, body, framing))).read_max(1500).client();
                let mut response = get(&client);
                assert_eq!(response.body().coding(), Some(coding));
                let all = read(response.body_mut()).unwrap_or_else(|error| panic!("{coding}, {way}: {error}"));
                assert!(all == PAGE, "{coding}, {framing:?}, {way}: {} bytes", all.len());
                assert!(response.body().is_complete());
                assert_eq!(response.body().wire_bytes(), body.len() as u64);
                assert_eq!(client.pool_stats().idle, 1, "{coding}, {framing:?}, {way}");
            }
        }
    }
}

#[test]
fn the_connection_is_home_with_the_last_byte_and_not_a_read_later() {
    for framing in [Framing::Length, Framing::Chunked] {
        for size in [1, 4096, PAGE.len()] {
            let client = Script::answering(raw(coded("gzip", GZ, framing))).client();
            let mut response = get(&client);
            let mut piece = vec![0; size];
            let mut left = PAGE.len();
            while left > 0 {
                assert_eq!(client.pool_stats().idle, 0);
                left -= response.read(&mut piece).unwrap();
            }
            assert_eq!(client.pool_stats().idle, 1, "{framing:?}, {size}");
        }
    }
}

/// The buffer is just as long as the content, so nothing makes the decoder look further.
#[test]
fn what_follows_the_inner_coding_is_seen_with_the_last_byte_of_content() {
    let mut outer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    outer.write_all(&and(BR, b"x")).unwrap();
    let client = Script::answering(raw(coded("br, gzip", &outer.finish().unwrap(), Framing::Length))).client();
    let mut response = get(&client);
    let mut page = vec![0; PAGE.len()];
    response.read_exact(&mut page).unwrap();
    assert!(page == PAGE && !response.body().is_complete());
    let error = response.read(&mut page).unwrap_err();
    let error = error.get_ref().and_then(|error| error.downcast_ref::<longwire::Error>());
    assert_eq!(error.expect("an error of longwire").kind(), ErrorKind::Decode);
    assert_eq!(client.pool_stats().idle, 0);
}

#[test]
fn a_last_chunk_that_comes_late_is_waited_for_and_the_connection_kept() {
    let whole = coded("gzip", GZ, Framing::Chunked);
    let (most, last) = whole.split_at(whole.len() - 5);
    let client = Script::answering(raw(most).awaited().more(last)).client();
    let mut response = get(&client);
    let mut content = vec![0; PAGE.len()];
    response.read_exact(&mut content).unwrap();
    assert!(content == PAGE && !response.body().is_complete());
    assert_eq!(client.pool_stats().idle, 0, "the coding's end is not the body's");
    assert_eq!(response.read(&mut [0; 10]).unwrap(), 0);
    assert!(response.body().is_complete());
    assert_eq!(client.pool_stats().idle, 1);

    // The same where it never comes: an error, although the content was there.
    let client = Script::answering(raw(most).close()).client();
    let error = get(&client).bytes().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
}

#[test]
fn errors_are_final_and_come_after_what_was_good() {
    let body = and(GZ, b"garbage");
    let client = Script::answering(raw(coded("gzip", &body, Framing::Length))).client();
    let mut response = get(&client);
    let mut good = vec![0; PAGE.len()];
    response.read_exact(&mut good).unwrap();
    assert!(good == PAGE);
    for _ in 0..2 {
        let error = longwire::Error::try_from(response.read(&mut [0; 100]).unwrap_err()).unwrap();
        assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
    }
    assert!(!response.body().is_complete());
}

#[test]
fn what_is_asked_for_is_all_that_is_decoded_here() {
    let server = Script::new().on("*", raw(coded("gzip", GZ, Framing::Length)));
    let client = server.client();
    let asked = |nth: usize| server.seen()[nth].header("accept-encoding").map(str::to_owned);
    assert_eq!(get(&client).text().unwrap().as_bytes(), PAGE);
    assert_eq!(asked(0).as_deref(), Some("gzip, br, zstd"));

    let request = || client.get("http://host/");
    let not_decoded = [
        ("identity", request().header("Accept-Encoding", "identity")),
        ("gzip, br, zstd", request().header("accept-encoding", "gzip, br, zstd")),
        ("", request().header("Range", "bytes=0-")),
        ("", request().decode(false)),
    ];
    for (nth, (want, request)) in not_decoded.into_iter().enumerate() {
        let response = request.send().unwrap();
        assert_eq!(asked(nth + 1).unwrap_or_default(), want);
        assert_eq!(response.body().coding(), None);
        assert_eq!(response.content_length(), Some(GZ.len() as u64));
        assert!(response.bytes().unwrap() == GZ);
    }

    let plain = Client::builder().connector(server.clone()).decode(false).build();
    assert!(get(&plain).bytes().unwrap() == GZ);
    assert_eq!(plain.get("http://host/").decode(true).send().unwrap().text().unwrap().as_bytes(), PAGE);
    let with_default = Client::builder().connector(server.clone()).default_header("Accept-Encoding", "br").build();
    assert!(get(&with_default).bytes().unwrap() == GZ);
    assert_eq!(asked(7).as_deref(), Some("br"));
}

#[test]
fn the_field_is_in_to_wire_and_a_hook_sees_it_and_may_replace_it() {
    let request = Request::new(Method::GET, "http://host/").unwrap();
    let head = String::from_utf8(Client::new().to_wire(&request).unwrap()).unwrap();
    assert!(head.contains("\r\nAccept-Encoding: gzip, br, zstd\r\n"), "{head}");

    let server = Script::answering(raw(coded("gzip", GZ, Framing::Length)));
    let hooked = Client::builder().connector(server.clone()).before_send(|outgoing| {
        assert_eq!(outgoing.header("accept-encoding"), Some("gzip, br, zstd"));
        outgoing.set_header("Accept-Encoding", "gzip")
    });
    assert!(get(&hooked.build()).bytes().unwrap() == GZ, "the hook's own field brings what it brings");
    assert_eq!(server.seen()[0].header("accept-encoding"), Some("gzip"));

    let ranged = Client::builder().connector(server.clone()).before_send(|out| out.set_header("Range", "bytes=0-3"));
    assert!(get(&ranged.build()).bytes().unwrap() == GZ, "a range is one of the coded representation");
    assert_eq!(server.seen()[1].header("accept-encoding"), None);

    let other = Client::builder().connector(server.clone()).before_send(|outgoing| outgoing.set_header("X", "y"));
    assert!(get(&other.build()).bytes().unwrap() == PAGE);
}

#[test]
fn redirects_and_retries_ask_anew() {
    let server = Script::new()
        .on("GET /a", reply(302).header("Location", "http://other/b").header("Content-Encoding", "gzip").body(GZ))
        .on("GET /b", raw(coded("gzip", GZ, Framing::Length)).stale())
        .on("GET /b", raw(coded("br", BR, Framing::Length)));
    let client = server.client();
    assert!(client.get("http://host/a").send().unwrap().bytes().unwrap() == PAGE);
    assert!(client.get("http://other/b").send().unwrap().bytes().unwrap() == PAGE);
    assert!(server.seen().iter().all(|seen| seen.header("accept-encoding") == Some("gzip, br, zstd")));
}

#[test]
fn what_has_no_content_or_only_a_part_of_it_is_not_decoded() {
    let partial = reply(206).header("Content-Encoding", "gzip").header("Content-Range", "bytes 5-14/99");
    let none = |status: u16| reply(status).header("Content-Encoding", "gzip");
    let cases: [(Reply, &str, &[u8]); 6] = [
        (partial.body(&GZ[5..15]), "GET", &GZ[5..15]),
        (none(204), "GET", b""),
        (none(304), "GET", b""),
        (none(200), "GET", b""),
        (none(200).chunked(Vec::<Vec<u8>>::new()), "GET", b""),
        (none(200).body(GZ), "HEAD", b""),
    ];
    for (reply, method, want) in cases {
        let client = Script::answering(reply).client();
        let response = client.request(Method::new(method).unwrap(), "http://host/").send().unwrap();
        assert_eq!(response.header("Content-Encoding"), Some("gzip"));
        let length = response.content_length();
        assert!(method != "HEAD" || length == Some(GZ.len() as u64), "HEAD says the length of the coded content");
        assert_eq!(response.bytes().unwrap(), want);
        assert_eq!(client.pool_stats().idle, 1);
    }
}

#[test]
fn a_coding_that_is_not_known_is_left_and_named_where_it_hurts() {
    for coding in ["compress", "aes128gcm", "gzip, exi", "exi, gzip", "gzip;q=1"] {
        let client = Script::answering(raw(coded(coding, b"\xff\xfe\xfd", Framing::Length))).client();
        let response = get(&client);
        assert_eq!((response.body().coding(), response.content_length()), (None, Some(3)));
        assert_eq!(response.bytes().unwrap(), b"\xff\xfe\xfd");
        let error = get(&client).text().unwrap_err();
        assert!(error.to_string().contains(coding), "{error}");
    }
}

#[test]
fn lengths_are_of_the_wire_and_unknown_for_the_content() {
    let client = Script::answering(raw(coded("gzip", GZ, Framing::Length))).client();
    let mut response = get(&client);
    assert_eq!((response.content_length(), response.body().remaining()), (None, None));
    assert_eq!(response.header("content-length"), Some(&*GZ.len().to_string()));
    assert_eq!(response.body().wire_bytes(), 0);
    response.read_exact(&mut [0; 100]).unwrap();
    let early = response.body().wire_bytes();
    assert!(early > 0 && early <= GZ.len() as u64, "{early}");
    std::io::copy(&mut response, &mut std::io::sink()).unwrap();
    assert_eq!((response.body().wire_bytes(), response.body().remaining()), (GZ.len() as u64, Some(0)));
}

#[test]
fn the_limit_is_for_decoded_bytes_and_a_body_that_grows_takes_no_memory() {
    for (coding, zeros) in [("gzip", data!("zeros.gz")), ("br", data!("zeros.br")), ("zstd", data!("zeros.zst"))] {
        let client = Script::answering(raw(coded(coding, zeros, Framing::Length))).client();
        let error = get(&client).limit(1 << 20).bytes().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BodyTooLarge, "{error}");
        assert_eq!(get(&client).limit(10 << 20).bytes().unwrap().len(), 10 << 20);
        assert_eq!(std::io::copy(&mut get(&client), &mut std::io::sink()).unwrap(), 10 << 20);
    }
}

#[test]
fn a_text_in_another_charset_is_read_after_its_coding_is_undone() {
    let page = reply(200).header("Content-Encoding", "br").header("Content-Type", "text/html; charset=iso-8859-1");
    let coded = b"\x8f\x01\x80caf\xe9\x03".to_vec(); // the bytes as they are, in a frame of Brotli's
    for parted in [false, true] {
        let client = Script::answering(page.clone().body(coded.clone())).client();
        let response = get(&client);
        assert_eq!(response.body().coding(), Some("br"));
        let text = if parted { response.into_body().text() } else { response.text() };
        assert_eq!(text.unwrap(), "caf\u{e9}");
    }
}

#[cfg(feature = "http")]
#[test]
fn the_http_crates_response_does_not_announce_a_coding_that_is_undone() {
    let client = Script::answering(raw(coded("gzip", GZ, Framing::Length))).client();
    let request = || http::Request::get("http://host/").body(Vec::new()).unwrap();
    let response = client.send_http(request()).unwrap();
    assert!(response.body() == PAGE);
    let has = |response: &http::Response<Vec<u8>>, name: &str| response.headers().contains_key(name);
    assert!(!has(&response, "content-encoding") && !has(&response, "content-length") && has(&response, "content-type"));
    let plain = Client::builder().connector(Script::answering(raw(coded("gzip", GZ, Framing::Length)))).decode(false);
    let response = plain.build().send_http(request()).unwrap();
    assert!(response.body() == GZ && has(&response, "content-encoding") && has(&response, "content-length"));
}

#[test]
fn the_deadline_counts_while_a_body_grows_that_has_arrived() {
    for (coding, body) in [("br", data!("zeros.br")), ("zstd, zstd", data!("nothing.zst.zst"))] {
        let client = Script::answering(raw(coded(coding, body, Framing::Length))).client();
        let limit = Duration::from_millis(20);
        let late = client.get("http://host/").timeout(limit).send().expect("a head");
        thread::sleep(limit); // its time passes
        let error = late.bytes().unwrap_err();
        assert!(error.is_timeout(), "{coding}: {error}");
    }
    // What is small is read, as without a coding: nothing is waited for.
    let client = Script::answering(raw(coded("gzip", GZ, Framing::Length))).client();
    let limit = Duration::from_millis(20);
    let late = client.get("http://host/").timeout(limit).send().expect("a head");
    thread::sleep(limit);
    assert!(late.bytes().unwrap() == PAGE);
}

#[test]
fn what_was_decoded_before_a_fault_of_the_framing_is_given_first() {
    let mut broken = coded("br", data!("zeros.br"), Framing::Chunked);
    broken.truncate(broken.len() - 5);
    broken.extend(b"zz\r\n");
    let client = Script::answering(raw(broken)).client();
    for size in [100, 8192, 300_000] {
        let (mut response, mut piece, mut read) = (get(&client), vec![0; size], 0);
        let error = loop {
            match response.read(&mut piece) {
                Ok(count) => read += count,
                Err(error) => break longwire::Error::try_from(error).unwrap(),
            }
        };
        assert_eq!((error.kind(), read), (ErrorKind::Chunk, 10 << 20), "{size}");
    }
}

#[test]
fn an_error_page_is_decoded() {
    let page = reply(500).header("Content-Encoding", "gzip").body(GZ);
    let client = Script::answering(page).client();
    let error = get(&client).error_for_status().unwrap_err();
    assert!(error.body() == Some(&PAGE[..8192]));
    let small = reply(500).header("Content-Encoding", "br").body(vec![0x06]);
    let client = Script::answering(small).client();
    assert_eq!(get(&client).error_for_status().unwrap_err().body(), Some(&b""[..]));
    assert_eq!(client.pool_stats().idle, 1, "a page that was read to its end does not cost the connection");
}

#[test]
fn a_coded_body_dropped_early_keeps_the_connection_if_all_of_it_had_come() {
    let client = Script::answering(raw(coded("gzip", GZ, Framing::Chunked))).client();
    let mut response = get(&client);
    response.read_exact(&mut [0; 10]).unwrap();
    drop(response);
    assert_eq!(client.pool_stats().idle, 1);
}
