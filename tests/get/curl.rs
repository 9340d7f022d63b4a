//! `get` against the real curl: the same command line, the same request, the same exit status, and the same on
//! standard output.

use std::process::Command;

use crate::process::{Folder, Get, Ran, finish, without_proxies};
use crate::support::peer::{Peer, Refusing, Req, answer};
use crate::support::recorder::recorder;

/// Runs the real one.
fn curl(arguments: &[&str], input: &str, folder: &Folder) -> Ran {
    let mut command = without_proxies(Command::new("curl"));
    folder.enter(command.arg("-q").args(arguments));
    finish(&mut command, input)
}

/// Runs both in one folder, and compares what they print and their exit status; returns curl's status.
#[track_caller]
fn compare(arguments: &[&str], input: &str, folder: &Folder) -> i32 {
    let theirs = curl(arguments, input, folder);
    let ours = Get::new(arguments).input(input).folder(folder).run();
    let of = |ran: &Ran| (ran.status, ran.stdout.clone());
    assert_eq!(of(&ours), of(&theirs), "{arguments:?}:\n{ours:?}\n{theirs:?}");
    theirs.status
}

/// What must be the same: not the order of the fields or the cookies, not who sends, and not whether a large body waits.
fn essence(request: &Req) -> (String, Vec<String>, String) {
    let mut fields = Vec::new();
    for (name, value) in &request.headers {
        let name = name.to_lowercase();
        let mut parts: Vec<_> = value.split("; ").collect();
        if name == "cookie" {
            parts.sort();
        }
        let value = parts.join("; ");
        if !["user-agent", "accept", "expect"].contains(&name.as_str()) {
            fields.push(format!("{name}: {value}"));
        }
    }
    fields.sort();
    let mut body = String::from_utf8_lossy(&request.body).into_owned();
    // The boundary of a form is made anew each time, and has a length of its own.
    let boundary = request.header("Content-Type").and_then(|value| value.split_once("boundary="));
    if let Some((_, boundary)) = boundary {
        body = body.replace(boundary, "B");
        fields.retain(|field| !field.starts_with("content-length"));
        fields = fields.into_iter().map(|field| field.replace(boundary, "B")).collect();
    }
    (format!("{} {}", request.method, request.target), fields, body)
}

#[test]
#[ignore = "needs curl: run with --include-ignored"]
fn the_same_command_line_sends_the_same_request() {
    let lines: &[&[&str]] = &[
        &["URL/a?b#c"],
        &["-I", "URL/a"],
        &["-X", "DELETE", "URL/"],
        &["-r", "0-9", "-e", "http://before/", "-A", "me", "URL/"],
        &["-u", "me:p:w", "URL/"],
        &["-u", "me:", "--url", "URL/"],
        &["-b", "a=b; c=d", "URL/"],
        &["-H", "X: 1", "-H", "X: 2", "-H", "Y;", "-H", "Z:", "URL/"],
        &["-u", "a:b", "-H", "Authorization: mine", "-H", "Cookie: x=y", "-b", "a=b", "URL/"],
        &["-H", "Host: other", "-H", "User-Agent:", "-e", "http://r/", "-H", "Referer:", "URL/"],
        &["-d", "a=1", "-d", "@f", "--data-raw", "@f", "--data-binary", "@f", "URL/"],
        &["-d", "", "URL/"],
        &["-d", "@-", "URL/"],
        &["--data-binary", "@-", "--data-ascii", "x", "URL/"],
        &["-d", "a", "-H", "Content-Type: t/x", "URL/"],
        &["-d", "a", "-H", "content-type:", "URL/"],
        &["-d", "a", "-X", "PUT", "URL/"],
        &["--data-urlencode", "a=b c*~é/?", "--data-urlencode", "=b&c", "--data-urlencode", "d", "URL/"],
        &["--data-urlencode", "@f", "--data-urlencode", "n@f", "URL/"],
        &["--json", "{", "--json", "@f", "--json", "}", "URL/"],
        &["--json", "1", "-H", "Content-Type: t/x", "URL/"],
        &["-G", "-d", "a=1", "--data-urlencode", "b= ", "URL/?q#f"],
        &["-GI", "-d", "a", "URL/x"],
        &["-T", "f", "URL/x"],
        &["-T", "f", "URL/folder/?q"],
        &["-T", "a b", "URL/folder/"],
        &["-T", "-", "URL/x"],
        &["-T", "f", "URL/x", "-T", "a b", "URL/y", "URL/z"],
        &["-d", "a", "URL/x", "URL/y"],
        &["-d", "@-", "URL/x", "URL/y"],
        &["-F", "a=b", "-F", "c=@f", "-F", "d=<f", "-F", "e=@a b;type=t/x;filename=g", "URL/"],
        &["-F", r#"a="b;\\c\"";type=t/x"#, "-F", "d=;type=t/y", "-F", "e=<-", "URL/"],
        &["-F", "a=b", "-H", "Content-Type: multipart/form-data", "-X", "PUT", "URL/"],
        &["-b", "jar", "-b", "a=b", "URL/"],
        &["-b", "nothing", "-c", "new", "URL/"],
        &["-sSLvom", "3", "URL/", "URL/../b", "-s"],
    ];
    for line in lines {
        let (peer, requests) = recorder();
        let folder = Folder::new();
        folder.file("f", "a b\r\nc\n");
        folder.file("a b", "");
        folder.file("jar", "127.0.0.1\tFALSE\t/\tFALSE\t0\tid\t7\n");
        let arguments: Vec<_> = line.iter().map(|word| word.replace("URL", &peer.url(""))).collect();
        let arguments: Vec<_> = ["-sS"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        assert_eq!(compare(&arguments, "in\nput\n", &folder), 0, "{line:?}");
        let requests = requests.lock().expect("no test panics with it");
        let (theirs, ours) = requests.split_at(requests.len() / 2);
        let (theirs, ours): (Vec<_>, Vec<_>) =
            (theirs.iter().map(essence).collect(), ours.iter().map(essence).collect());
        assert_eq!(ours, theirs, "{line:?}");
    }
}

/// By the target of the request.
fn answers() -> Peer {
    Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            // Whether the connection goes on.
            let goes_on = match request.target.as_str() {
                "/404" => conn.send(answer("404 Not Found", "X: y\r\n", "sorry")),
                "/302" => conn.send(answer("302 Found", "Location: /ok?1\r\n", "moved")),
                "/loop" => conn.send(answer("302 Found", "Location: /loop\r\n", "")),
                "/empty" => false,
                "/cut" => !conn.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut"),
                "/cut-chunk" => !conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ncut"),
                "/bad-chunk" => !conn.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
                "/silence" => return conn.hold(),
                _ if request.method == "HEAD" => conn.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
                _ => conn.send(answer("200 OK", "Content-Type: text/plain\r\n", "hello")),
            };
            if !goes_on {
                return;
            }
        }
    })
}

#[test]
#[ignore = "needs curl: run with --include-ignored"]
fn the_same_command_line_ends_and_prints_the_same() {
    let (peer, refusing) = (answers(), Refusing::start());
    let folder = Folder::new();
    folder.file("format", "%{http_code}\n");
    const VARIABLES: &str = r"|%{http_code} %{response_code} %{exitcode} %{num_redirects} %{url} %{url_effective} \
%{content_type} %{size_download} %{num_headers} %{scheme} %{http_version} %{remote_ip} %{remote_port} %{local_ip} \
%{num_connects} %{redirect_url} %{filename_effective} %{urlnum} %header{x} %{nonsense} %% %q \q \n\t%{onerror}!";
    let lines: &[(i32, &[&str])] = &[
        (0, &["URL/ok"]),
        (0, &["-i", "URL/ok"]),
        (0, &["-I", "URL/ok"]),
        (0, &["-i", "URL/302"]),
        (0, &["-L", "URL/302"]),
        (0, &["URL/404"]),
        (0, &["-o", "file", "URL/1", "-O", "URL/2.txt?x", "URL/3"]),
        (0, &["-C", "-", "URL/ok"]),
        (0, &["-C", "-", "-w", "%{http_code}", "-o", "fresh", "URL/ok"]),
        (0, &["-w", VARIABLES, "URL/ok"]),
        (0, &["-w", VARIABLES, "URL/302", "URL/404"]),
        (0, &["-L", "-w", VARIABLES, "URL/302"]),
        (0, &["-w", VARIABLES, "-o", "file", "URL/ok", "-I"]),
        (0, &["-w", "@format", "URL/ok"]),
        (0, &["-w", "@-", "URL/ok"]),
        (7, &["-w", VARIABLES, "REFUSING/"]),
        (0, &["REFUSING/", "URL/ok"]),
        (7, &["URL/ok", "REFUSING/"]),
        (22, &["-f", "URL/404"]),
        (22, &["-fi", "URL/404"]),
        (22, &["-f", "-w", VARIABLES, "URL/404"]),
        (47, &["-L", "--max-redirs", "2", "URL/loop"]),
        (47, &["-L", "--max-redirs", "0", "URL/302"]),
        (0, &["--max-redirs", "0", "URL/302"]),
        (47, &["-L", "URL/loop"]),
        (52, &["URL/empty"]),
        (18, &["URL/cut"]),
        (18, &["URL/cut-chunk"]),
        (56, &["URL/bad-chunk"]),
        (28, &["-m", "0.3", "URL/silence"]),
        (1, &["nonsense://127.0.0.1/"]),
        (3, &["http://127.0.0.1:99999/"]),
        (2, &["--output=x", "URL/ok"]),
        (2, &["-d", "a", "-I", "URL/ok"]),
        (2, &["-d", "a", "-T", "format", "URL/ok"]),
        (2, &["-m", "soon", "URL/ok"]),
        (2, &["--max-redirs", "many", "URL/ok"]),
        (2, &["URL/ok", "-o"]),
        (2, &[]),
        (5, &["-x", "http://:1", "URL/ok"]),
        (7, &["-x", "REFUSING", "URL/ok"]),
        (7, &["-x", "nonsense://127.0.0.1", "URL/ok"]),
        (7, &["--unix-socket", "nowhere", "URL/ok"]),
        (23, &["-o", "no/such/folder", "URL/ok"]),
        (23, &["-O", "URL/folder/"]),
        (26, &["-T", "nowhere", "URL/ok"]),
        (26, &["-F", "a=@nowhere", "URL/ok"]),
        (2, &["-F", "a", "URL/ok"]),
        (2, &["-F", "a=b", "-d", "c", "URL/ok"]),
        (2, &["-F", "a=b", "-I", "URL/ok"]),
        (49, &["--resolve", "nonsense", "URL/ok"]),
        (0, &["--resolve", "a.test:PORT:127.0.0.1", "http://a.test:PORT/ok"]),
        (0, &["-x", "URL", "http://a.test/ok"]),
    ];
    for (status, line) in lines {
        let place = |word: &&str| {
            let word = word.replace("URL", &peer.url("")).replace("PORT", &peer.addr().port().to_string());
            word.replace("REFUSING", &format!("http://{}", refusing.addr()))
        };
        let arguments: Vec<_> = line.iter().map(place).collect();
        let arguments: Vec<_> = ["-sS"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        assert_eq!(compare(&arguments, "from stdin %{http_code}", &folder), *status, "{line:?}");
    }
    assert_eq!(
        (folder.read("file"), folder.read("2.txt")),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".into(), "hello".into())
    );
}
