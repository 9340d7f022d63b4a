//! What each option puts into the request, as it arrives at a server.

use crate::process::{Folder, Get, get};
use crate::support::peer::{Peer, Req, answer, ok};
use crate::support::recorder::recorder;

/// The request that a command line sends, `URL` in it standing for the server; `f` is a file in its folder.
fn sent(arguments: &[&str], input: &str) -> Req {
    let (peer, requests) = recorder();
    let folder = Folder::new();
    folder.file("f", "a b\r\nc\n");
    let arguments: Vec<_> = arguments.iter().map(|word| word.replace("URL", &peer.url(""))).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let ran = Get::new(&arguments).input(input).folder(&folder).run();
    assert_eq!(ran.status, 0, "{arguments:?}: {ran:?}");
    let mut requests = requests.lock().expect("no test panics with it");
    assert_eq!(requests.len(), 1, "{arguments:?}");
    requests.remove(0)
}

/// Request line, the fields of these names, and the body.
fn summary(request: &Req, names: &[&str]) -> String {
    let mut text = format!("{} {}", request.method, request.target);
    for name in names {
        let values = request.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        for (_, value) in values {
            text += &format!(" | {name}: {value}");
        }
    }
    text + &format!(" | {}", String::from_utf8_lossy(&request.body).escape_debug())
}

#[test]
fn each_option_of_the_request_is_sent_as_curl_sends_it() {
    const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
    let names = [
        "Authorization",
        "Range",
        "Referer",
        "Cookie",
        "X",
        "Y",
        "Content-Type",
        "Content-Length",
        "Transfer-Encoding",
    ];
    let cases: &[(&[&str], &str)] = &[
        (&["URL/a"], "GET /a | "),
        (&["--url", "URL/a"], "GET /a | "),
        (&["-I", "URL/a"], "HEAD /a | "),
        (&["-X", "DELETE", "URL/a"], "DELETE /a | "),
        (&["-I", "-X", "OPTIONS", "URL/a"], "OPTIONS /a | "),
        (&["-g", "-N", "URL/?a=[1-2]"], "GET /?a=%5B1-2%5D | "),
        (&["-r", "0-4", "URL/"], "GET / | Range: bytes=0-4 | "),
        (&["-e", "http://before/", "URL/"], "GET / | Referer: http://before/ | "),
        (&["-b", "a=b", "-b", "c=d", "URL/"], "GET / | Cookie: a=b; c=d | "),
        (&["-u", "me:pw", "URL/"], "GET / | Authorization: Basic bWU6cHc= | "),
        (&["-u", "me", "URL/"], "GET / | Authorization: Basic bWU6 | "),
        // Fields by hand: they replace, leave out, and may be empty.
        (&["-H", "X: 1", "-H", "X:2", "-H", "Y;", "URL/"], "GET / | X: 1 | X: 2 | Y:  | "),
        (&["-H", "X:", "URL/"], "GET / | "),
        (&["-u", "a:b", "-H", "Authorization: mine", "URL/"], "GET / | Authorization: mine | "),
        (&["-b", "a=b", "-H", "cookie: mine", "URL/"], "GET / | Cookie: mine | "),
        (&["-e", "http://r/", "-H", "referer:", "URL/"], "GET / | "),
        (&["-d", "a", "-H", "content-type: t/x", "URL/"], "POST / | Content-Type: t/x | Content-Length: 1 | a"),
        (&["-d", "a", "-H", "Content-Type:", "URL/"], "POST / | Content-Length: 1 | a"),
        // Data of all kinds.
        (&["-d", "a=1", "-d", "b=2", "URL/"], "POST / | FORM | Content-Length: 7 | a=1&b=2"),
        (&["-d", "", "URL/"], "POST / | FORM | Content-Length: 0 | "),
        (&["-da", "-XPUT", "URL/"], "PUT / | FORM | Content-Length: 1 | a"),
        (&["-d", "@f", "URL/"], "POST / | FORM | Content-Length: 4 | a bc"),
        (&["--data-ascii", "@-", "URL/"], "POST / | FORM | Content-Length: 4 | in!!"),
        (&["--data-raw", "@f", "URL/"], "POST / | FORM | Content-Length: 2 | @f"),
        (&["--data-binary", "@f", "URL/"], r"POST / | FORM | Content-Length: 7 | a b\r\nc\n"),
        (&["--data-binary", "@-", "-d", "x", "URL/"], r"POST / | FORM | Content-Length: 8 | in\n!!\n&x"),
        (&["--data-urlencode", "a=b c*~é", "URL/"], "POST / | FORM | Content-Length: 15 | a=b+c%2A~%C3%A9"),
        (&["--data-urlencode", "=b&c", "URL/"], "POST / | FORM | Content-Length: 5 | b%26c"),
        (&["--data-urlencode", "b&c", "URL/"], "POST / | FORM | Content-Length: 5 | b%26c"),
        (&["--data-urlencode", "@f", "URL/"], "POST / | FORM | Content-Length: 13 | a+b%0D%0Ac%0A"),
        (&["--data-urlencode", "n@f", "URL/"], "POST / | FORM | Content-Length: 15 | n=a+b%0D%0Ac%0A"),
        (&["--json", "{", "--json", "}", "URL/"], "POST / | Content-Type: application/json | Content-Length: 2 | {}"),
        (&["-G", "-d", "a=1", "--data-urlencode", "b= ", "URL/?q#f"], "GET /?q&a=1&b=+ | "),
        (&["-G", "-I", "-d", "a", "URL/x"], "HEAD /x?a | "),
        // Uploads.
        (&["-T", "f", "URL/x"], r"PUT /x | Content-Length: 7 | a b\r\nc\n"),
        (&["-T", "f", "URL/folder/?q"], r"PUT /folder/f?q | Content-Length: 7 | a b\r\nc\n"),
        (&["-T", "-", "URL/x"], r"PUT /x | Transfer-Encoding: chunked | in\n!!\n"),
        (&["-T", "-", "-X", "POST", "URL/folder/"], r"POST /folder/ | Transfer-Encoding: chunked | in\n!!\n"),
        // Ends of options, and options behind the URL.
        (&["URL/", "-d", "a"], "POST / | FORM | Content-Length: 1 | a"),
        (&["-sSLd", "a", "--", "URL/"], "POST / | FORM | Content-Length: 1 | a"),
    ];
    for (arguments, want) in cases {
        let request = sent(arguments, "in\n!!\n");
        assert_eq!(summary(&request, &names), want.replace("FORM", FORM), "{arguments:?}");
    }
}

#[test]
fn user_agent_and_accept_are_the_clients_unless_set() {
    let names = ["User-Agent", "Accept"];
    let own = concat!("User-Agent: longwire/", env!("CARGO_PKG_VERSION"));
    let cases: &[(&[&str], &str)] = &[
        (&["URL/"], "GET / | OWN | Accept: */* | "),
        (&["-A", "me", "URL/"], "GET / | User-Agent: me | Accept: */* | "),
        (&["-A", "", "URL/"], "GET / | Accept: */* | "),
        (&["-H", "User-Agent:", "URL/"], "GET / | Accept: */* | "),
        (&["-H", "accept: t/x", "URL/"], "GET / | OWN | Accept: t/x | "),
        (&["--json", "1", "URL/"], "POST / | OWN | Accept: application/json | 1"),
        (&["--json", "1", "-H", "Accept: t/x", "URL/"], "POST / | OWN | Accept: t/x | 1"),
    ];
    for (arguments, want) in cases {
        assert_eq!(summary(&sent(arguments, ""), &names), want.replace("OWN", own), "{arguments:?}");
    }
}

#[test]
fn several_files_go_to_several_urls() {
    let (peer, requests) = recorder();
    let folder = Folder::new();
    let (one, two) = (folder.file("one", "1"), folder.file("two", "2"));
    let ran = Get::new(&["-T", &one, &peer.url("/"), "-T", &two, &peer.url("/b"), &peer.url("/c")]).run();
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "xxx"), "{ran:?}");
    let requests = requests.lock().expect("no test panics with it");
    let summaries: Vec<_> = requests.iter().map(|request| summary(request, &[])).collect();
    assert_eq!(summaries, ["PUT /one | 1", "PUT /b | 2", "GET /c | "]);
    assert_eq!(peer.connections(), 1);
}

/// The body of a form, with `--B` for the lines between its parts.
fn form(fields: &[&str], input: &str) -> String {
    let arguments: Vec<_> = fields.iter().flat_map(|field| ["-F", field]).chain(["URL/"]).collect();
    let request = sent(&arguments, input);
    let content_type = request.header("Content-Type").expect("a type");
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").expect("a form");
    assert_eq!((request.method.as_str(), request.count("Content-Length")), ("POST", 1));
    String::from_utf8_lossy(&request.body).replace(boundary, "B")
}

#[test]
fn forms_have_texts_and_files_with_types_and_names() {
    let part = |fields: &str, content: &str| {
        format!("--B\r\nContent-Disposition: form-data; name=\"n\"{fields}\r\n\r\n{content}\r\n--B--\r\n")
    };
    let cases = [
        ("n=text", part("", "text")),
        ("n=", part("", "")),
        ("n=a=b", part("", "a=b")),
        ("n=a;type=text/x", part("\r\nContent-Type: text/x", "a")),
        ("n=a;type=text/x; charset=utf-8", part("\r\nContent-Type: text/x; charset=utf-8", "a")),
        (r#"n="a;b\"c\\d";type=t/x"#, part("\r\nContent-Type: t/x", r#"a;b"c\d"#)),
        (r#"n="a"#, part("", "\"a")),
        ("n=<f", part("", "a b\r\nc\n")),
        ("n=<-", part("", "input")),
        ("n=@f", part("; filename=\"f\"\r\nContent-Type: application/octet-stream", "a b\r\nc\n")),
        ("n=@-", part("; filename=\"-\"\r\nContent-Type: application/octet-stream", "input")),
        ("n=@f;filename=g;type=t/x", part("; filename=\"g\"\r\nContent-Type: t/x", "a b\r\nc\n")),
        (r#"n=@"f"; type=t/x; filename="g;h""#, part("; filename=\"g;h\"\r\nContent-Type: t/x", "a b\r\nc\n")),
        ("n=a;filename=b", part("; filename=\"b\"\r\nContent-Type: application/octet-stream", "a")),
    ];
    for (field, want) in cases {
        assert_eq!(form(&[field], "input"), want, "{field}");
    }
    let both = form(&["a=1", "b=2"], "");
    assert_eq!(both.matches("--B\r\n").count(), 2);
    assert!(both.find("name=\"a\"") < both.find("name=\"b\""));
}

#[test]
fn a_content_type_of_a_form_by_hand_gets_its_boundary() {
    let request = sent(&["-F", "a=b", "-H", "content-type: multipart/form-data", "-X", "PUT", "URL/"], "");
    assert_eq!((request.method.as_str(), request.count("Content-Type")), ("PUT", 1));
    assert!(request.header("Content-Type").is_some_and(|value| value.contains("; boundary=")));
}

#[test]
fn a_busy_server_is_asked_again_but_sent_no_post_twice() {
    let peer = Peer::start(|mut conn, _| {
        let mut is_busy = true;
        while conn.request().is_some() {
            let busy = answer("503 Busy", "Retry-After: 0\r\n", "busy");
            conn.send(if is_busy { busy } else { ok("done") });
            is_busy = false;
        }
    });
    let ran = get(&["-s", "--retry", "2", &peer.url("/")]);
    assert_eq!((ran.status, &*ran.stdout), (0, "done"), "{ran:?}");
    let ran = get(&["-s", "-f", "--retry", "2", "-d", "x", &peer.url("/")]);
    assert_eq!(ran.status, 22, "{ran:?}");
    let posts = peer.request_lines().iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(posts, 1);
}
