//! Texts by charset: where the charset comes from, what is built in, what the feature `charset` brings,
//! and how a body that is not in its charset is refused. UTF-8 alone is in `body/pages.rs`.
//!
//! The pages in `text/` are `NAME.CHARSET.html`, made from `NAME.utf-8.html` by
//! `iconv -f utf-8 -t CHARSET`.

mod support;

use std::fs;
use std::path::Path;

use longwire::script::{Script, reply};
use longwire::{Error, ErrorKind, Response};

const URL: &str = "http://memory.test/";

/// A response with this Content-Type, if it is not empty, and this body.
fn response(content_type: &str, body: &[u8]) -> Response {
    coded(content_type, "", body)
}

fn coded(content_type: &str, coding: &str, body: &[u8]) -> Response {
    let fields = [("Content-Type", content_type), ("Content-Encoding", coding)];
    let fields = fields.iter().filter(|(_, value)| !value.is_empty());
    let answer = fields.fold(reply(200).body(body), |answer, (name, value)| answer.header(name, value));
    Script::answering(answer).client().get(URL).send().expect("a response")
}

/// The text, which must be the same by every way to it.
#[track_caller]
fn text(content_type: &str, body: &[u8]) -> Result<String, Error> {
    let text = response(content_type, body).text();
    let of_body = response(content_type, body).into_body().text();
    let of_part = response(content_type, body).into_parts().1.text();
    let said = |result: &Result<String, Error>| result.as_ref().map_err(ToString::to_string).cloned();
    assert_eq!(said(&of_body), said(&text), "{content_type}");
    assert_eq!(said(&of_part), said(&text), "{content_type}");
    if let Ok(text) = &text {
        assert_eq!(response(content_type, body).text_lossy().as_ref().ok(), Some(text), "{content_type}");
        assert_eq!(response(content_type, body).into_body().text_lossy().as_ref().ok(), Some(text), "{content_type}");
    }
    text
}

/// The error of a text, without the request and the peer.
#[track_caller]
fn refused(content_type: &str, body: &[u8]) -> String {
    said(text(content_type, body).expect_err("it is no text"))
}

#[track_caller]
fn said(error: Error) -> String {
    assert_eq!((error.kind(), error.status().map(|status| status.as_u16())), (ErrorKind::Decode, Some(200)));
    assert_eq!(error.url().map(|url| url.as_str()), Some(URL));
    let said = error.to_string();
    said.strip_suffix(&format!(" (GET {URL})")).expect("it names the request").to_owned()
}

#[test]
fn a_text_is_in_the_charset_that_content_type_announces() {
    let cases: [(&str, &[u8], &str); 14] = [
        ("", "gr\u{fc}n".as_bytes(), "gr\u{fc}n"),
        ("text/html", "gr\u{fc}n".as_bytes(), "gr\u{fc}n"),
        ("text/html; charset=utf-8", "gr\u{fc}n".as_bytes(), "gr\u{fc}n"),
        ("text/html; charset=utf8", "gr\u{fc}n".as_bytes(), "gr\u{fc}n"),
        ("text/html; charset=iso-8859-1", b"gr\xfcn \x80", "gr\u{fc}n \u{20ac}"),
        ("text/html; Charset=\"ISO-8859-1\"", b"gr\xfcn", "gr\u{fc}n"),
        ("text/html;charset = latin1 ; x=y", b"gr\xfcn", "gr\u{fc}n"),
        ("text/html; charset=\" latin1 \"", b"gr\xfcn", "gr\u{fc}n"),
        ("text/html; charset=\"latin\\1\"", b"gr\xfcn", "gr\u{fc}n"),
        ("application/xml; charset=windows-1252", b"\x93x\x94 \x81", "\u{201c}x\u{201d} \u{81}"),
        ("text/plain; charset=us-ascii", b"gr\xfcn", "gr\u{fc}n"),
        ("text/plain; charset=utf-16", b"g\0\xfc\0", "g\u{fc}"),
        ("text/plain; charset=UTF-16LE", b"\x3d\xd8\0\xde", "\u{1f600}"),
        ("text/plain; charset=utf-16be", b"\0g\0\xfc", "g\u{fc}"),
    ];
    for (content_type, body, want) in cases {
        assert_eq!(text(content_type, body).expect("a text"), want, "{content_type}");
    }
}

#[test]
fn a_byte_order_mark_comes_before_content_type_and_is_no_part_of_the_text() {
    let marked: [(&[u8], &str); 5] = [
        (b"\xef\xbb\xbfgr\xc3\xbcn \xef\xbb\xbf", "gr\u{fc}n \u{feff}"),
        (b"\xff\xfeg\0\xfc\0", "g\u{fc}"),
        (b"\xfe\xff\0g\0\xfc", "g\u{fc}"),
        (b"\xff\xfe", ""),
        (b"\xef\xbb\xbf", ""),
    ];
    for (body, want) in marked {
        for content_type in ["", "text/html; charset=utf-8", "text/html; charset=latin1", "text/html; charset=x-none"] {
            assert_eq!(text(content_type, body).expect("a text"), want, "{content_type}");
            assert_eq!(response(content_type, body).text_as("koi8-r").expect("a text"), want, "{content_type}");
        }
    }
}

#[test]
fn a_body_that_is_not_in_its_charset_is_refused_with_the_byte() {
    let cases: [(&str, &[u8], &str); 8] = [
        ("", b"gr\xfcn", "the body is not UTF-8 (byte 3)"),
        (
            "text/html; charset=\"utf-8\"",
            b"gr\xfcn",
            "the body is not UTF-8 (byte 3); its Content-Type says charset utf-8",
        ),
        ("a/b; charset=utf-16", b"a\0b", "the body is not UTF-16LE (byte 3); its Content-Type says charset utf-16"),
        (
            "a/b; charset=utf-16be",
            b"\0a\xd8\x3d\0b",
            "the body is not UTF-16BE (byte 3); its Content-Type says charset utf-16be",
        ),
        ("", b"\xff\xfea\0\0\xde", "the body is not the UTF-16LE that its byte order mark says (byte 5)"),
        ("", b"\xfe\xff\0a\0", "the body is not the UTF-16BE that its byte order mark says (byte 5)"),
        ("", b"\xef\xbb\xbfa\xff", "the body is not the UTF-8 that its byte order mark says (byte 5)"),
        (
            "a/b; charset=latin1",
            b"\xff\xfea",
            "the body is not the UTF-16LE that its byte order mark says (byte 3); its Content-Type says charset latin1",
        ),
    ];
    for (content_type, body, want) in cases {
        assert_eq!(refused(content_type, body), want);
    }
}

#[test]
fn a_charset_that_this_build_does_not_know_is_named() {
    let unknown = match cfg!(feature = "charset") {
        true => "is none of the WHATWG Encoding Standard's",
        false => "needs longwire's feature `charset`",
    };
    for (content_type, name) in [
        ("text/html; charset=x-none", "x-none"),
        ("text/html; charset='utf-8'", "\\'utf-8\\'"),
        ("text/html; charset=\"a\\\"b\"", "a\\\"b"),
        ("text/html; charset=hz-gb-2312", "hz-gb-2312"),
    ] {
        assert_eq!(refused(content_type, b"x"), format!("charset {name} {unknown}"));
        let lossy = response(content_type, b"gr\xc3\xbcn \xff").text_lossy().expect("a text");
        assert_eq!(lossy, "gr\u{fc}n \u{fffd}", "it is taken for UTF-8");
        assert_eq!(text(content_type, b"").expect("nothing is text in every charset"), "");
    }
    let long = format!("text/html; charset={}", "x".repeat(5_000));
    assert!(refused(&long, b"x").len() < 200);
    assert_eq!(said(response("", b"x").text_as("x-none").unwrap_err()), format!("charset x-none {unknown}"));
    let japanese = text("text/html; charset=Shift_JIS", b"\x83e\x83X\x83g");
    match cfg!(feature = "charset") {
        true => assert_eq!(japanese.expect("a text"), "\u{30c6}\u{30b9}\u{30c8}"),
        false => assert_eq!(said(japanese.unwrap_err()), "charset Shift_JIS needs longwire's feature `charset`"),
    }
}

#[test]
fn a_charset_that_is_given_comes_before_the_one_that_is_announced() {
    for content_type in ["", "text/html; charset=utf-8", "text/html; charset=x-none"] {
        let body = b"gr\xfcn";
        assert_eq!(response(content_type, body).text_as("latin1").expect("a text"), "gr\u{fc}n");
        assert_eq!(response(content_type, body).into_body().text_as(" Latin1 ").expect("a text"), "gr\u{fc}n");
    }
    let error = response("text/html; charset=latin1", b"gr\xfcn").text_as("utf-8").unwrap_err();
    assert_eq!(said(error), "the body is not UTF-8 (byte 3); its Content-Type says charset latin1");
}

#[test]
fn what_is_not_in_its_charset_is_replaced_where_that_is_asked_for() {
    let cases: [(&str, &[u8], &str); 4] = [
        ("", b"gr\xfcn", "gr\u{fffd}n"),
        ("a/b; charset=utf-16", b"a\0\0\xdeb\0c", "a\u{fffd}b\u{fffd}"),
        ("", b"\xef\xbb\xbf\xff", "\u{fffd}"),
        ("", b"\xfe\xff\0a\xd8", "a\u{fffd}"),
    ];
    for (content_type, body, want) in cases {
        assert_eq!(response(content_type, body).text_lossy().expect("a text"), want);
        assert_eq!(response(content_type, body).into_body().text_lossy().expect("a text"), want);
    }
}

#[test]
fn a_compressed_body_is_no_text_in_a_charset_of_single_bytes() {
    let body = b"\x1f\x9d\x90 compressed";
    for content_type in ["a/b; charset=latin1", "a/b; charset=utf-16be"] {
        for coding in ["compress", "identity, x-compress"] {
            let charset = response(content_type, b"").charset().map(str::to_owned).expect("a charset");
            let want = format!(
                "the body is compressed; its Content-Encoding is {coding}, which is not undone here; \
                 its Content-Type says charset {charset}"
            );
            assert_eq!(said(coded(content_type, coding, body).text().unwrap_err()), want);
            assert_eq!(said(coded(content_type, coding, body).into_body().text().unwrap_err()), want);
        }
    }
    // Servers say such things of plain text.
    for coding in ["utf-8", "none", "identity"] {
        assert_eq!(coded("a/b; charset=latin1", coding, b"gr\xfcn").text().expect("a text"), "gr\u{fc}n");
    }
}

#[test]
fn the_charset_is_returned_as_it_is_spelled() {
    for (content_type, want) in [
        ("text/html; charset=\"UTF-8\"", Some("UTF-8")),
        ("text/html; x=\"; charset=no\"; CHARSET=Shift_JIS", Some("Shift_JIS")),
        ("text/html; charset=x-none", Some("x-none")),
        ("text/html; charset=\"utf\\-8\"", None),
        ("text/html; charset=", None),
        ("text/html", None),
        ("", None),
    ] {
        let response = response(content_type, b"x");
        assert_eq!(response.charset(), want, "{content_type}");
        assert_eq!(response.into_parts().0.charset(), want, "{content_type}");
    }
    let obscure = Script::answering(reply(200).header("Content-Type", b"a/b; charset=\xff")).client();
    assert_eq!(obscure.get(URL).send().expect("a response").charset(), None);
}

#[test]
fn the_limit_counts_bytes_and_not_what_they_become() {
    let euros = [0x80; 100]; // three bytes each, as text
    let page = || response("text/html; charset=windows-1252", &euros);
    assert_eq!(page().limit(100).text().expect("a text").len(), 300);
    assert_eq!(page().limit(99).text().unwrap_err().kind(), ErrorKind::BodyTooLarge);
    assert_eq!(page().limit(99).text_lossy().unwrap_err().kind(), ErrorKind::BodyTooLarge);
    let wide = || response("text/html; charset=utf-16", b"a\0b\0");
    assert_eq!(wide().limit(4).text_as("utf-16le").expect("a text"), "ab");
    assert_eq!(wide().limit(3).text_as("utf-16le").unwrap_err().kind(), ErrorKind::BodyTooLarge);
}

/// Each page in each charset is the page in UTF-8; without the feature, those that are built in.
#[test]
fn a_page_in_any_charset_is_the_same_page() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/text");
    let mut seen = 0;
    for entry in fs::read_dir(&folder).expect("the pages") {
        let path = entry.expect("a page").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let Some((page, charset)) = name.strip_suffix(".html").and_then(|name| name.split_once('.')) else { continue };
        let want = fs::read_to_string(folder.join(format!("{page}.utf-8.html"))).expect("a page in UTF-8");
        let bytes = fs::read(&path).expect("a page");
        let is_built_in = ["utf-8", "utf-16le", "utf-16be", "windows-1252", "iso-8859-1"].contains(&charset);
        match text(&format!("text/html; charset={charset}"), &bytes) {
            Ok(text) => assert_eq!(text, want, "{name}"),
            Err(error) if !is_built_in && !cfg!(feature = "charset") => {
                assert_eq!(said(error), format!("charset {charset} needs longwire's feature `charset`"));
            }
            Err(error) => panic!("{name}: {error}"),
        }
        seen += 1;
    }
    assert!(seen >= 30, "{seen} pages");
}

/// A page that is cut in the middle of a character is an error in every charset of several bytes, and in
/// none a panic.
#[test]
fn a_page_cut_anywhere_is_its_beginning_or_an_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/text");
    for name in ["japanese.shift_jis", "japanese.euc-jp", "japanese.gb18030", "western.utf-16le", "japanese.utf-8"] {
        let (page, charset) = name.split_once('.').expect("two parts");
        if !cfg!(feature = "charset") && !charset.starts_with("utf") {
            continue;
        }
        let whole = fs::read_to_string(folder.join(format!("{page}.utf-8.html"))).expect("a page in UTF-8");
        let bytes = fs::read(folder.join(format!("{name}.html"))).expect("a page");
        let mut errors = 0;
        for length in 0..bytes.len() {
            match response(&format!("text/html; charset={charset}"), &bytes[..length]).text() {
                Ok(text) => assert!(whole.starts_with(&text), "{name}: {text}"),
                Err(error) => {
                    errors += 1;
                    let said = said(error);
                    let (_, rest) = said.split_once("(byte ").expect("it has the byte");
                    let byte: usize = rest.split(')').next().and_then(|digits| digits.parse().ok()).expect("a number");
                    assert!((length.saturating_sub(3)..=length).contains(&byte), "{name}: {said} of {length}");
                }
            }
        }
        assert!(errors > 10, "{name}: {errors}");
    }
}
