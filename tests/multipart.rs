//! Forms with files (`multipart/form-data`): the bytes of each part, and what is refused. How forms are sent,
//! and sent again, is in `multipart/sending.rs`; real parsers read them in `multipart/parsers.rs`.

#[path = "multipart/parsers.rs"]
mod parsers;
#[path = "multipart/sending.rs"]
mod sending;
#[allow(dead_code, unused_imports, unused_macros)] // the parser of PHP needs a part of it
#[path = "support/servers.rs"]
mod servers;
mod support;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, process};

use longwire::multipart::{Form, Part};
use longwire::{Client, Error, ErrorKind, Fate, Headers, Method, Request, RequestBuilder, SendBody, Stage};

use longwire::script::{Script, Seen, reply};

const URL: &str = "http://memory.test/upload";

/// A folder with files for a form, which is removed when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("longwire-multipart-{}-{test}-{count}", process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).expect("a temporary file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The request as the server gets it.
fn arriving(form: Form<'_>) -> Seen {
    let script = Script::answering(reply(200));
    script.client().post(URL).multipart(form).send().expect("a response");
    script.seen().remove(0)
}

fn boundary(seen: &Seen) -> &str {
    let content_type = seen.header("content-type").expect("a Content-Type");
    content_type.strip_prefix("multipart/form-data; boundary=").expect("that of a form")
}

/// The body, with `B` for the boundary.
fn body_of(form: Form<'_>) -> String {
    let seen = arriving(form);
    let body = String::from_utf8(seen.body().to_vec()).expect("UTF-8");
    body.replace(boundary(&seen), "B")
}

/// A body of one part with this head.
fn one_part(head: &str, content: &str) -> String {
    format!("--B\r\n{head}\r\n\r\n{content}\r\n--B--\r\n")
}

fn build(form: Form<'_>) -> Result<Request<'_>, Error> {
    Request::builder(Method::POST, URL).multipart(form).build()
}

#[track_caller]
fn assert_refused(form: Form<'_>, why: &str) {
    let error = build(form).expect_err(why);
    assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::InvalidRequest, Stage::Request, Fate::NotSent));
    assert!(error.to_string().contains(why), "{error}");
    assert_eq!(error.url().map(|url| url.as_str()), Some(URL));
}

// ---- the bytes ----

#[test]
fn a_form_is_its_parts_in_order_between_boundaries() {
    let folder = Folder::new("in-order");
    let form = Form::new()
        .text("title", "a \"quoted\" name")
        .text("year", 2024)
        .file("photo", folder.file("cat.jpg", "jpeg\r\n--B"))
        .expect("it is there")
        .part("data", Part::bytes(&b"\x00"[..]).file_name("d.bin").content_type("application/x-thing"))
        .text("title", "");
    let expected = "--B\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\na \"quoted\" name\r\n\
                    --B\r\nContent-Disposition: form-data; name=\"year\"\r\n\r\n2024\r\n\
                    --B\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"cat.jpg\"\r\n\
                    Content-Type: application/octet-stream\r\n\r\njpeg\r\n--B\r\n\
                    --B\r\nContent-Disposition: form-data; name=\"data\"; filename=\"d.bin\"\r\n\
                    Content-Type: application/x-thing\r\n\r\n\0\r\n\
                    --B\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\n\r\n\
                    --B--\r\n";
    assert_eq!(body_of(form), expected);
}

#[test]
fn a_form_without_parts_is_its_closing_delimiter() {
    assert_eq!(body_of(Form::new()), "--B--\r\n");
    assert_eq!(body_of(Form::default()), "--B--\r\n");
}

#[test]
fn a_boundary_needs_no_quotes_and_is_new_for_each_form() {
    let (one, other) = (arriving(Form::new()), arriving(Form::new()));
    for seen in [&one, &other] {
        let digits = boundary(seen).strip_prefix("longwire-").expect("our boundary");
        assert_eq!(digits.len(), 24);
        assert!(digits.bytes().all(|digit| digit.is_ascii_hexdigit()), "{digits}");
    }
    assert_ne!(boundary(&one), boundary(&other));
}

#[test]
fn a_type_is_sent_for_what_has_a_file_name_or_was_given_one() {
    let named = "Content-Disposition: form-data; name=\"n\"; filename=\"f.txt\"\r\n";
    let unnamed = "Content-Disposition: form-data; name=\"n\"\r\n";
    let octets = "Content-Type: application/octet-stream";
    let cases = [
        (Part::text("x"), unnamed.trim_end().to_owned()),
        (Part::bytes("x"), unnamed.trim_end().to_owned()),
        (Part::sized_reader(io::Cursor::new("x"), 1), unnamed.trim_end().to_owned()),
        (Part::text("x").file_name("f.txt"), format!("{named}{octets}")),
        (Part::bytes("x").file_name("f.txt"), format!("{named}{octets}")),
        (Part::reader(io::Cursor::new("x")).file_name("f.txt"), format!("{named}{octets}")),
        (Part::text("x").content_type("text/html"), format!("{unnamed}Content-Type: text/html")),
        (Part::bytes("x").content_type("a/b").file_name("f.txt"), format!("{named}Content-Type: a/b")),
        (Part::bytes("x").content_type("a/b").content_type("c/d"), format!("{unnamed}Content-Type: c/d")),
        (Part::bytes("x").header("content-type", "e/f").file_name("f.txt"), format!("{named}content-type: e/f")),
    ];
    for (part, head) in cases {
        assert_eq!(body_of(Form::new().part("n", part)), one_part(&head, "x"));
    }
}

#[test]
fn other_fields_follow_in_order() {
    let part = Part::text("x").header("Content-ID", " <1> ").header("X-A", "1").header("X-A", "2").header("X-B", "");
    let head = "Content-Disposition: form-data; name=\"n\"\r\nContent-ID: <1>\r\nX-A: 1\r\nX-A: 2\r\nX-B: ";
    assert_eq!(body_of(Form::new().part("n", part)), one_part(head, "x"));
}

// ---- names ----

/// What is in the head for a field and a file of that name.
fn names_sent(name: &str) -> (String, String) {
    let sent = body_of(Form::new().part(name, Part::text("").file_name(name)));
    let names = sent.strip_prefix("--B\r\nContent-Disposition: form-data; name=\"").expect("the head");
    let (names, _) =
        names.split_once("\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--B--\r\n").expect("one");
    let (name, file_name) = names.split_once("\"; filename=\"").expect("two names");
    (name.to_owned(), file_name.to_owned())
}

/// The cases of web-platform-tests, html/semantics/forms/form-submission-0/multipart-formdata.window.js, for
/// forms in UTF-8.
#[test]
fn names_are_sent_as_browsers_send_them() {
    let cases = [
        ("a\0b", "a\0b", "a\0b"),
        ("a\nb", "a%0D%0Ab", "a%0Ab"),
        ("a\rb", "a%0D%0Ab", "a%0Db"),
        ("a\r\nb", "a%0D%0Ab", "a%0D%0Ab"),
        ("a\n\rb", "a%0D%0A%0D%0Ab", "a%0A%0Db"),
        ("a\"b", "a%22b", "a%22b"),
        ("a'b", "a'b", "a'b"),
        ("a\\b", "a\\b", "a\\b"),
        ("áb", "áb", "áb"),
        ("ə.txt", "ə.txt", "ə.txt"),
        ("", "", ""),
        ("\r\n", "%0D%0A", "%0D%0A"),
        ("\n\n", "%0D%0A%0D%0A", "%0A%0A"),
    ];
    for (name, field, file) in cases {
        assert_eq!(names_sent(name), (field.to_owned(), file.to_owned()), "{name:?}");
    }
}

/// Those of web-platform-tests, FileAPI/file/send-file-formdata-punctuation: all but the quotation mark is
/// sent as it is.
#[test]
fn punctuation_in_names_is_sent_as_it_is() {
    for mark in "\\!$%&'()*+,./:;=?^[]{|}~ \t@#<>`".chars().chain(['☺', '😂', '\u{7f}', '\u{85}', '\u{2028}']) {
        let name = format!("file-[{mark}].txt");
        assert_eq!(names_sent(&name), (name.clone(), name.clone()), "{name:?}");
    }
    assert_eq!(names_sent("%0D%0A%22").0, "%0D%0A%22", "an escape is not escaped again");
}

#[test]
fn no_name_ends_its_line_or_begins_a_part() {
    let evil = "a\"\r\nX-Evil: 1\r\n\r\nbody\r\n--B--\r\n";
    let sent = names_sent(evil);
    let escaped = "a%22%0D%0AX-Evil: 1%0D%0A%0D%0Abody%0D%0A--B--%0D%0A";
    assert_eq!(sent, (escaped.to_owned(), escaped.to_owned()));
}

#[cfg(unix)]
#[test]
fn no_name_of_a_real_file_does_either() {
    let folder = Folder::new("evil");
    let form = Form::new().file("f", folder.file("a\"\r\nX-Evil: 1\r\n\r\n", "x")).expect("it is there");
    let head = "Content-Disposition: form-data; name=\"f\"; filename=\"a%22%0D%0AX-Evil: 1%0D%0A%0D%0A\"\r\n\
                Content-Type: application/octet-stream";
    assert_eq!(body_of(form), one_part(head, "x"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_name_that_is_not_unicode_has_a_replacement_character() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new("latin-1");
    let path = folder.0.join(std::ffi::OsStr::from_bytes(b"caf\xe9.txt"));
    fs::write(&path, "x").expect("a temporary file");
    assert!(body_of(Form::new().file("f", path).expect("it is there")).contains("filename=\"caf\u{fffd}.txt\""));
}

#[test]
fn the_value_of_a_field_is_sent_byte_for_byte() {
    for value in ["a\nb", "a\rb", "a\r\nb", "\"", "%0A", "b\0c", "\u{feff}ə", "", "\r\n--B--\r\n"] {
        let expected = one_part("Content-Disposition: form-data; name=\"n\"", value);
        assert_eq!(body_of(Form::new().text("n", value)), expected, "{value:?}");
    }
}

// ---- what is refused ----

#[test]
fn fields_that_break_the_grammar_are_refused() {
    for (name, value) in [
        ("", "x"),
        ("A B", "x"),
        ("A\r\nX-Evil", "x"),
        ("A:", "x"),
        ("X-A", "x\r\nX-Evil: 1"),
        ("X-A", "x\ny"),
        ("X-A", "x\0y"),
        ("Content-Type", "text/plain\r\n\r\nbody"),
    ] {
        assert_refused(Form::new().part("n", Part::text("x").header(name, value)), "header");
    }
    assert_refused(Form::new().part("n", Part::text("x").content_type("a\r\nX-Evil: 1")), "Content-Type: byte 0x0d");
}

#[test]
fn fields_that_a_part_must_not_be_given_are_refused() {
    for name in ["Content-Transfer-Encoding", "content-transfer-encoding"] {
        assert_refused(Form::new().part("n", Part::text("x").header(name, "binary")), "RFC 7578 §4.7");
    }
    let part = Part::text("x").header("CONTENT-DISPOSITION", "form-data; name=\"other\"");
    assert_refused(Form::new().part("n", part), "Part::file_name");
}

#[test]
fn the_first_mistake_is_the_one_that_is_returned() {
    let part = Part::text("x").header("A\n", "").header("Content-Disposition", "").content_type("\0");
    let form = Form::new().text("a", "b").part("n", part).part("m", Part::text("").content_type("\n"));
    assert_refused(form, "followed by '\\n'");
}

#[test]
fn a_content_type_set_beside_a_form_is_refused_in_either_order() {
    let builder = || Request::builder(Method::POST, URL);
    let by_hand = |builder: RequestBuilder<'static>| builder.header("content-type", "multipart/form-data; boundary=x");
    let form = || Form::new().text("a", "b");
    let headers: Headers = [("Content-Type", "text/plain")].into_iter().collect();
    for builder in [
        by_hand(builder()).multipart(form()),
        by_hand(builder().multipart(form())),
        builder().multipart(form()).headers(&headers),
        builder().headers(&headers).multipart(form()),
        builder().form([("a", "b")]).multipart(form()),
        builder().header("Content-Type", b"\xff").multipart(form()),
    ] {
        let error = builder.build().expect_err("two types");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::InvalidRequest, Stage::Request));
        assert!(error.to_string().contains("boundary between its parts"), "{error}");
    }
    let mut request = build(form()).expect("a request");
    request.headers_mut().remove("content-type");
    assert_eq!(Client::new().send(request).unwrap_err().kind(), ErrorKind::InvalidRequest, "it was taken away");
}

#[test]
fn another_body_may_take_the_place_of_a_form() {
    let form = || Form::new().text("a", "b");
    let mut request = build(form()).expect("a request");
    let first = request.headers().get("content-type").map(str::to_owned);
    request.set_multipart(form().text("c", "d")).expect("a form may take the place of a form");
    let second = request.headers().get("content-type").map(str::to_owned);
    assert_ne!(first, second);
    request.set_form([("a", "b")]);
    assert_eq!(request.headers().get("content-type"), Some("application/x-www-form-urlencoded"));
    let client = Script::answering(reply(200)).client();
    assert!(client.send(request).is_ok());

    let mut request = build(form()).expect("a request");
    request.set_body("plain");
    assert_eq!(request.headers().get("content-type"), None, "it was the form's");
    request.set_multipart(form()).expect("nothing is in the way");
}

#[test]
fn a_default_content_type_of_the_client_is_not_sent_beside_a_form() {
    let script = Script::answering(reply(200));
    let client = Client::builder().connector(script.clone()).default_header("Content-Type", "text/plain").build();
    client.post(URL).multipart(Form::new().text("a", "b")).send().expect("a response");
    assert!(boundary(&script.seen()[0]).starts_with("longwire-"));
}

#[test]
fn a_form_that_is_refused_changes_nothing() {
    let mut request = Request::new(Method::POST, URL).expect("a request");
    request.set_body("before");
    let form = Form::new().part("n", Part::text("x").header("A\n", ""));
    assert_eq!(request.set_multipart(form).unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert!(request.headers().is_empty());
    assert_eq!(request.body().len(), Some(6));
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_at_once_that_names_it() {
    let folder = Folder::new("errors");
    let missing = folder.0.join("not there");
    let paths: [&Path; 2] = [&missing, &folder.0];
    for path in paths {
        for error in [Form::new().file("f", path).unwrap_err(), Part::file(path).unwrap_err()] {
            assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Body, Stage::Request, Fate::NotSent));
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            assert!(error.to_string().contains(&*name), "{error}");
            assert!(error.get_ref().is_some_and(|inner| inner.is::<io::Error>()), "{error:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_path_is_shown_on_one_line() {
    let error = Part::file("not\nthere").unwrap_err();
    assert!(error.to_string().starts_with("the file \"not\\nthere\": "), "{error}");
}

// ---- in a log ----

#[test]
fn the_content_of_a_part_is_never_shown() {
    let folder = Folder::new("shown");
    let form = Form::new()
        .text("password", "s3cret-1")
        .part("token", Part::bytes("s3cret-2").header("X-Token", "s3cret-3").content_type("text/plain"))
        .file("key", folder.file("id_rsa", "s3cret-4"))
        .expect("it is there");
    let shown = format!("{form:?}");
    for expected in ["password", "token", "key", "id_rsa", "text/plain", "8 bytes"] {
        assert!(shown.contains(expected), "no {expected} in {shown}");
    }
    let builder = Request::builder(Method::POST, URL).multipart(form);
    let shown = format!("{shown}{builder:?}");
    let shown = format!("{shown}{:?}", builder.build().expect("a request"));
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn a_part_is_made_of_any_body() {
    let text = String::from("borrowed");
    let form = Form::new()
        .part("a", Part::bytes(&text))
        .part("b", Part::bytes(&text.as_bytes()[..3]))
        .part("c", Part::bytes(vec![b'x']))
        .part("d", SendBody::chain(["y".into(), SendBody::sized_reader(io::Cursor::new("z"), 1)]));
    let sent = body_of(form);
    let contents: Vec<&str> = sent.split("\r\n").filter(|line| !line.contains("--B") && !line.contains(':')).collect();
    assert_eq!(contents, ["", "borrowed", "", "bor", "", "x", "", "yz", ""]);
}
