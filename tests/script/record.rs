//! Records: what is in the files, without secrets, whatever the exchange; and their replay.

use std::fs;
use std::io::Read;
use std::panic::AssertUnwindSafe;

use longwire::multipart::{Form, Part};
use longwire::script::{Record, Replay, Reply, Script, Then, connection, raw, reply};
use longwire::transport::{Connect, Deadline, Stream, Target};
use longwire::{CancelToken, Client, CookieStore, ErrorKind, Fate, Method, Response, Result, Retry, SendBody};

use crate::support::peer::{Peer, ok};
use crate::support::uncoded;
use crate::support::wrapped::{Wrapped, interrupted, wrapping};
use crate::{Folder, URL};

/// What a client says of a response: the head, then the body and its trailers, or the error.
fn told(sent: Result<Response>) -> String {
    let outcome = sent.map(|mut response| {
        let head = response.raw_head().escape_ascii().to_string();
        let mut body = Vec::new();
        let copied = response.copy_to(&mut body).map_err(|error| error.kind());
        let trailers = response.body().trailers().len();
        format!("{head} {} {copied:?} {trailers}", body.escape_ascii())
    });
    outcome.unwrap_or_else(|error| format!("{:?}", error.kind()))
}

fn client(connect: impl Connect + 'static) -> Client {
    uncoded().connector(connect).max_redirects(0).build()
}

/// Records what comes of these replies, one after the other, and asserts that the replay is the same.
fn assert_replayed(replies: &[(Method, Reply)]) -> Folder {
    let folder = Folder::new();
    let script = replies.iter().fold(Script::new(), |script, (_, reply)| script.on("*", reply.clone()));
    let ask = |client: Client| {
        let paths = replies.iter().enumerate();
        let told =
            paths.map(|(number, (method, _))| told(client.request(method.clone(), format!("{URL}{number}")).send()));
        (told.collect::<Vec<_>>(), client.pool_stats().opened)
    };
    let recorded = ask(client(Record::new(script.clone(), &folder).expect("a folder")));
    let replay = Replay::from(&folder).expect("a record");
    assert_eq!(ask(client(replay.clone())), recorded);
    assert_eq!(replay.seen().len(), folder.names().len() / 2);
    replay.assert_done();
    folder
}

#[test]
fn an_exchange_is_two_files_as_on_the_wire() -> Result<()> {
    let folder = Folder::new();
    let script =
        Script::new().on("*", reply(200).body("hello")).then(reply(200).chunked(["a", "b"]).trailer("X-Sum", "2"));
    let client = client(Record::new(script, &folder).expect("a folder"));
    assert_eq!(client.post("http://memory.test/a?b").header("User-Agent", "").body("text").send()?.text()?, "hello");
    let chunked = client.post(URL).header("User-Agent", "").body(SendBody::reader(&b"stream"[..]));
    assert_eq!(chunked.send()?.text()?, "ab");
    assert_eq!(client.pool_stats().opened, 1);
    assert_eq!(folder.names(), ["001.http", "001.request", "002.http", "002.request"]);
    let head = "POST /a?b HTTP/1.1\r\nHost: memory.test\r\nAccept: */*\r\nContent-Length: 4\r\n\r\ntext";
    assert_eq!(folder.read("001.request"), head);
    assert_eq!(folder.read("001.http"), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    assert!(folder.read("002.request").ends_with("\r\n\r\n6\r\nstream\r\n0\r\n\r\n"), "{}", folder.read("002.request"));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\nX-Sum: 2\r\n\r\n";
    assert_eq!(folder.read("002.http"), chunked);
    Ok(())
}

#[test]
fn every_framing_is_replayed_and_so_is_every_cut() {
    let get = |reply: Reply| (Method::GET, reply);
    let cut = |length: usize| get(reply(200).body("hello").cut_after(length));
    assert_replayed(&[
        get(reply(200).body("hello")),
        (Method::HEAD, reply(200).body("hello")),
        get(reply(204)),
        get(reply(304).header("ETag", "\"1\"")),
        get(reply(200).interim(reply(103).header("Link", "</a>")).body("after hints")),
        get(reply(200).chunked(["a", "bc"]).trailer("X-Sum", "3")),
        get(reply(200).chunked(["a", "bc"]).pieces(1)),
        get(raw("HTTP/1.0 200 OK\r\n\r\nuntil the end").close()),
        cut(10),
        cut(35),
        cut(40),
        get(reply(200).chunked(["a"]).cut_after(49)),
        get(raw("").close()),
        get(raw("SSH-2.0\r\n")),
        get(raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\n")),
        get(reply(302).header("Location", "/there")),
        get(reply(500).header("Connection", "close").body("sorry")),
        get(reply(200).header("Content-Length", "0")),
    ]);
}

#[test]
fn a_stale_connection_and_its_retry_are_two_exchanges() {
    let folder = assert_replayed(&[(Method::GET, reply(200).stale()), (Method::GET, reply(200).body("again"))]);
    assert_eq!(folder.names().len(), 6);
    assert_eq!(folder.read("002.http"), "");
    assert_eq!(folder.read("002.request"), folder.read("003.request"));
}

#[test]
fn a_record_is_the_same_over_short_and_interrupted_reads_and_writes() {
    let (one, other) = (Folder::new(), Folder::new());
    let send = |client: Client| {
        for _ in 0..2 {
            let response = client.post(URL).body("some text").send().expect("a response");
            assert_eq!(response.text().expect("a body"), "hello");
        }
    };
    let script = || Script::answering(reply(200).chunked(["hel", "lo"]));
    send(client(Record::new(script(), &one).expect("a folder")));
    let slow = wrapping(script().read_max(3).write_max(2), interrupted);
    send(client(Record::new(slow, &other).expect("a folder")));
    assert_eq!(one.names(), other.names());
    for name in one.names() {
        assert_eq!(one.read(&name), other.read(&name), "{name}");
    }
}

#[test]
fn no_secret_is_in_any_file_and_framing_stays() -> Result<()> {
    let folder = Folder::new();
    let answer = reply(200)
        .interim(reply(103).header("X-Auth-Token", "s3cret"))
        .header("Set-Cookie", "sid=s3cret; Path=/")
        .header("X-Own", "s3cret")
        .header("Location", "https://u:s3cret@memory.test/?signature=s3cret")
        .chunked(["hello"])
        .trailer("X-Session", "s3cret");
    let script = Script::answering(answer).on("/cut", raw("x"));
    let record = Record::new(script, &folder).expect("a folder").redact("x-own").redact("Content-Length");
    let client = uncoded().connector(record).cookie_jar(CookieStore::new()).build();
    for _ in 0..2 {
        let request = client.post("https://memory.test/?api_key=s3cret&page=2").basic_auth("user", Some("s3cret"));
        let request = request.header("X-Own", "s3cret").header("Proxy-Authorization", "s3cret").body("text");
        assert_eq!(request.send()?.text()?, "hello");
    }
    for name in folder.names() {
        assert!(
            !folder.read(&name).contains("s3cret") && !folder.read(&name).contains("dXNlcj"),
            "{}",
            folder.read(&name)
        );
    }
    let request = folder.read("002.request");
    for line in [
        "POST /?api_key=******&page=2 HTTP/1.1\r\n",
        "\r\nHost: memory.test\r\n",
        "\r\nAuthorization: **********************\r\n",
        "\r\nX-Own: ******\r\n",
        "\r\nCookie: **********\r\n",
        "\r\nContent-Length: 4\r\n",
    ] {
        assert!(request.contains(line), "{line} in {request}");
    }
    let response = folder.read("001.http");
    assert!(response.starts_with("HTTP/1.1 103 Early Hints\r\nX-Auth-Token: ******\r\n\r\n"), "{response}");
    assert!(response.contains("\r\nLocation: https://*:******@memory.test/?signature=******\r\n"), "{response}");
    assert!(response.ends_with("0\r\nX-Session: ******\r\n\r\n"), "{response}");

    // What was blanked may be anything.
    let replay = Replay::from(&folder).expect("a record");
    let jar = CookieStore::new();
    let client = replay.builder().cookie_jar(jar).build();
    for key in ["another", "key"] {
        let response = client.post(format!("https://memory.test/?api_key={key}&page=2")).body("text").send()?;
        assert_eq!(response.text()?, "hello");
    }
    assert_eq!(replay.seen()[1].header("cookie"), Some("sid=******"));
    replay.assert_done();
    Ok(())
}

#[test]
fn what_had_come_of_a_head_is_recorded_without_its_secrets() {
    for (name, told) in [("cut", ErrorKind::Truncated), ("silence", ErrorKind::Timeout)] {
        let folder = Folder::new();
        let head = raw("HTTP/1.1 200 OK\r\nSet-Cookie: sid=s3c").more("ret; Pa");
        let reply = if name == "cut" { head.close() } else { head.silence() };
        let record = Record::new(Script::answering(reply), &folder).expect("a folder");
        let limit = (name == "silence").then_some(std::time::Duration::from_millis(20));
        let client = record.builder().read_timeout(limit).build();
        assert_eq!(client.get(URL).send().expect_err("it is cut").kind(), told);
        drop(client);
        assert_eq!(folder.read("001.http"), "HTTP/1.1 200 OK\r\nSet-Cookie: sid=******;***", "{name}");
    }
    let folder = Folder::new();
    let cut = raw("HTTP/1.1 302 Found\r\nLink: <//a/b>\r\nLocation: http://user:s3c").close();
    let record = Record::new(Script::answering(cut), &folder).expect("a folder");
    assert_eq!(record.client().get(URL).send().expect_err("it is cut").kind(), ErrorKind::Truncated);
    assert_eq!(folder.read("001.http"), "HTTP/1.1 302 Found\r\nLink: <//a/b>\r\nLocation: http://********");
}

#[test]
fn equal_requests_are_answered_in_order_and_others_in_any() -> Result<()> {
    let folder = Folder::new();
    let script = Script::new().on_with("*", |request| {
        reply(200).body(format!("{} {}", request.exchange(), String::from_utf8_lossy(request.body())))
    });
    let recording = client(Record::new(script, &folder).expect("a folder"));
    for body in ["a", "b", "a"] {
        recording.post(URL).body(body).send()?.bytes()?;
    }
    let replay = Replay::from(&folder).expect("a record");
    let replaying = client(replay.clone());
    let post = |body: &'static str| replaying.post(URL).body(body).send().and_then(Response::text);
    assert_eq!([post("b")?, post("a")?, post("a")?], ["1 b", "0 a", "2 a"]);
    for (body, what) in [("a", "POST / was recorded 3 times, and all were used"), ("c", "was recorded 3 times")] {
        let error = post(body).expect_err("no more of that");
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.to_string().contains(what), "{error}");
    }
    let replay = Replay::from(&folder).expect("a record");
    let error = client(replay.clone()).post(URL).body("c").send().expect_err("another body");
    assert!(error.to_string().contains("POST / was recorded with another body: 001.request"), "{error}");
    let error = client(replay.clone()).get(URL).send().expect_err("another method");
    assert!(error.to_string().contains("GET / was not recorded"), "{error}");
    let lenient = replay.clone().ignore_bodies();
    assert_eq!(client(lenient).post(URL).body("c").send()?.text()?, "0 a");
    let panic = std::panic::catch_unwind(AssertUnwindSafe(|| replay.assert_done())).expect_err("two are left");
    let complaint = panic.downcast_ref::<String>().expect("a text");
    assert!(complaint.contains("not asked for: 003.request, POST /"), "{complaint}");
    Ok(())
}

#[test]
fn asterisks_that_were_asked_for_stand_behind_what_is_the_same_to_the_letter() -> Result<()> {
    let folder = Folder::new();
    let script = Script::new().on_with("*", |request| reply(200).body(request.target()));
    let recording = Record::new(script, &folder).expect("a folder").client();
    for query in ["*", "a"] {
        recording.get(format!("{URL}?q={query}")).send()?;
    }
    let client = Replay::from(&folder).expect("a record").client();
    assert_eq!(crate::text(&client, &format!("{URL}?q=a")), "/?q=a");
    assert_eq!(crate::text(&client, &format!("{URL}?q=*")), "/?q=*");
    Ok(())
}

#[test]
fn a_form_with_a_random_boundary_is_replayed_without_its_body() -> Result<()> {
    let folder = Folder::new();
    let form = || Form::new().part("file", Part::bytes("content").file_name("a.txt"));
    let record = Record::new(Script::answering(reply(201)), &folder).expect("a folder");
    assert_eq!(record.client().post(URL).multipart(form()).send()?.status(), 201);
    let replay = Replay::from(&folder).expect("a record").ignore_bodies();
    assert_eq!(replay.client().post(URL).multipart(form()).send()?.status(), 201);
    Ok(())
}

#[test]
fn an_upload_that_was_answered_early_is_answered_again() -> Result<()> {
    let folder = Folder::new();
    let refusal = || reply(413).body("no").early().receives(1000, Then::Closes);
    let script =
        Script::new().on("/large", refusal()).on("/asked", reply(200).continues()).on("/refused", reply(417).early());
    let large = vec![b'x'; 1 << 20];
    let ask = |client: Client| -> Result<Vec<(u16, bool)>> {
        let put = |path: &str| client.put(format!("{URL}{path}")).body(&large[..]);
        let asked = put("asked").expect_continue(crate::LIMIT).send()?;
        let large = put("large").send()?;
        Ok([asked, large].iter().map(|response| (response.status().as_u16(), response.is_request_complete())).collect())
    };
    let recorded = ask(client(Record::new(script, &folder).expect("a folder")))?;
    assert_eq!(recorded, [(200, true), (413, false)]);
    assert!(folder.read("001.http").starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
    let replay = Replay::from(&folder).expect("a record");
    let replayed = ask(client(replay.clone()))?;
    assert_eq!(replayed[0], recorded[0]);
    assert_eq!(replayed[1].0, 413);
    replay.assert_done();
    Ok(())
}

#[test]
fn a_417_is_replayed_before_the_body() -> Result<()> {
    let folder = Folder::new();
    let script = Script::new().on("*", reply(417).early()).then(reply(200));
    let ask = |client: Client| client.put(URL).body("text").expect_continue(crate::LIMIT).send();
    assert_eq!(ask(client(Record::new(script, &folder).expect("a folder")))?.status(), 200);
    let replay = Replay::from(&folder).expect("a record");
    assert_eq!(ask(client(replay.clone()))?.status(), 200);
    assert_eq!(replay.seen().iter().map(|seen| seen.body().len()).collect::<Vec<_>>(), [0, 4]);
    replay.assert_done();
    Ok(())
}

#[test]
fn what_came_in_place_of_a_100_does_so_again_and_nothing_else_does() -> Result<()> {
    let moment = std::time::Duration::from_millis(1);
    let cases = [
        (reply(413).body("no"), moment, "HTTP/1.1 413 Content Too Large", true), // after the body, which was not asked for
        (raw("HTTP/1.1 413 No\r\n\r\nno").early().close(), crate::LIMIT, "HTTP/1.1 413 No", false),
        (raw("HTTP/1.1 200 OK\r\n\r\nyes").early().close(), crate::LIMIT, "HTTP/1.1 200 OK", false),
    ];
    for (reply, patience, line, is_complete) in cases {
        let folder = Folder::new();
        let ask = |client: Client| -> Result<(bool, String)> {
            let response = client.put(URL).body("text").expect_continue(patience).send()?;
            Ok((response.is_request_complete(), told(Ok(response))))
        };
        let recorded = ask(client(Record::new(Script::answering(reply), &folder).expect("a folder")))?;
        assert!(recorded.0 == is_complete && recorded.1.starts_with(line), "{recorded:?}");
        let replay = Replay::from(&folder).expect("a record");
        assert_eq!(ask(client(replay.clone()))?, recorded);
        replay.assert_done();
    }
    Ok(())
}

#[test]
fn an_upgrade_is_recorded_up_to_the_101() {
    let folder = Folder::new();
    let script = Script::answering(raw("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\ns3cret"));
    let record = Record::new(script, &folder).expect("a folder");
    let upgrade = |client: Client| {
        let request = client.get(URL).header("Connection", "upgrade").header("Upgrade", "x");
        request.send().expect("a 101").upgrade().expect("a stream")
    };
    let mut upgraded = upgrade(record.client());
    let mut bytes = [0; 6];
    upgraded.read_exact(&mut bytes).expect("bytes of the other protocol");
    std::io::Write::write_all(&mut upgraded, b"GET /s3cret HTTP/1.1\r\n\r\n").expect("they are taken");
    assert_eq!(&bytes, b"s3cret");
    assert_eq!(folder.names(), ["001.http", "001.request"]);
    assert!(folder.read("001.http").ends_with("upgrade\r\n\r\n"), "{}", folder.read("001.http"));
    assert!(!folder.read("001.request").contains("s3cret"));
    let mut replayed = upgrade(Replay::from(&folder).expect("a record").client());
    assert_eq!(replayed.read(&mut bytes).expect("an end"), 0);
}

#[test]
fn what_comes_unasked_is_not_lost_on_the_client() {
    let folder = Folder::new();
    let stray = "HTTP/1.1 408 Late\r\nSet-Cookie: a=s3cret\r\nContent-Length: 0\r\n\r\n";
    let first = connection().greeting(raw(stray)).exchange(reply(200));
    let second = connection().exchange(reply(200).body("one").more(stray));
    let script = Script::new().connection(first).connection(second).on("*", reply(200).body("two"));
    let client = client(Record::new(script.clone(), &folder).expect("a folder"));
    let first = told(client.get(URL).send());
    assert!(first.starts_with("HTTP/1.1 408 Late"), "it takes what is there for the answer: {first}");
    for _ in 0..2 {
        told(client.get(URL).send());
    }
    for name in folder.names() {
        assert!(!folder.read(&name).contains("s3cret"), "{name}: {}", folder.read(&name));
    }
    // longwire's client finds the stray response before it sends the next request, and closes.
    assert_eq!(script.seen().len(), 3);
    assert!(folder.read("002.http").contains("\r\n\r\none"), "{}", folder.read("002.http"));
}

// ---- transparent ----

#[test]
fn a_recording_stream_says_what_the_one_below_it_says() {
    let folder = Folder::new();
    let peer = Peer::answering(ok("x"));
    let record = Record::to(&folder).expect("a folder");
    let client = record.client();
    let response = client.get(peer.url("/")).send().expect("a response");
    assert_eq!(response.connection().peer_addr(), Some(peer.addr()));
    assert!(response.connection().local_addr().is_some());
    assert_eq!(response.text().expect("a body"), "x");

    // A cancel wakes a read that waits, so the handle is passed on; and the timeouts, too.
    let silent = Script::answering(raw("").silence());
    let folder = Folder::new();
    let record = Record::new(silent.clone(), &folder).expect("a folder");
    let client = record.builder().read_timeout(None).build();
    let token = CancelToken::new();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            while silent.seen().is_empty() {
                std::thread::yield_now();
            }
            token.cancel();
        });
        client.get(URL).cancel_token(&token).send().expect_err("it was cancelled")
    });
    assert!(error.is_cancelled(), "{error}");
    let timeout = std::time::Duration::from_millis(20);
    assert!(client.get(URL).timeout(timeout).send().expect_err("it is silent").is_timeout());
}

#[test]
fn https_that_is_not_secure_below_is_refused() {
    let folder = Folder::new();
    let plain = wrapping(Script::answering(reply(200)), Wrapped::insecure);
    let client = Record::new(plain, &folder).expect("a folder").client();
    assert_eq!(client.get(URL).send().expect("a response").status(), 200);
    let error = client.get("https://memory.test/").send().expect_err("only ciphertext would come");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert_eq!(folder.names().len(), 2);
}

// ---- files ----

#[test]
fn a_record_is_never_written_over() {
    let folder = Folder::new();
    let script = Script::answering(reply(200));
    let record = || Record::new(script.clone(), &folder);
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.0.join("README.md"), "ours").expect("a file");
    fs::write(folder.0.join("1.http"), "ours").expect("a file");
    drop(record().expect("no file of a record is there"));
    let first = record().expect("nothing was recorded");
    first.client().get(URL).send().expect("a response");
    let error = record().expect_err("there is a record");
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert!(error.to_string().contains(folder.0.to_str().expect("a name in ASCII")), "{error}");
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_of_this_and_every_later_request() {
    let folder = Folder::new();
    let script = Script::answering(reply(200).body("one"));
    let record = Record::new(script.clone(), &folder).expect("a folder");
    let client = record.client();
    assert_eq!(crate::text(&client, URL), "one");
    fs::write(folder.0.join("002.http"), "in the way").expect("a file");
    for _ in 0..2 {
        let error = client.get(URL).send().expect_err("it is not recorded");
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("002.http"), "{error}");
    }
    assert_eq!(folder.read("002.http"), "in the way");
    let error = record.client().get(URL).send().expect_err("nor is anything after it");
    assert!(error.to_string().contains("002.http"), "{error}");
}

/// Or the client would take it for safe to be sent again.
#[test]
fn a_request_that_was_sent_and_not_recorded_may_have_been_processed() {
    let folder = Folder::new();
    let script = Script::answering(reply(200));
    let client = client(Record::new(script.clone(), &folder).expect("a folder"));
    let held = [client.get(URL).send().expect("a response"), client.get(URL).send().expect("a response")];
    drop(held); // two connections are idle
    fs::write(folder.0.join("003.request"), "in the way").expect("a file");
    let post = || client.post(URL).body("once").retry(Retry::new(3)).send().expect_err("it is not recorded");
    let error = post();
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Io, Fate::MaybeProcessed));
    let posts = || script.seen().iter().filter(|seen| seen.method() == "POST").count();
    assert_eq!(posts(), 1);

    // And the next one, on the other connection, is not sent any more.
    fs::remove_file(folder.0.join("003.request")).expect("a file");
    let error = post();
    assert_eq!((error.kind(), error.fate(), posts()), (ErrorKind::Io, Fate::NotSent, 1));
}

#[test]
fn a_folder_without_a_whole_record_is_an_error_with_its_path() {
    let folder = Folder::new();
    let refused = |folder: &Folder| Replay::from(folder).expect_err("it is no record");
    assert_eq!(refused(&folder).kind(), std::io::ErrorKind::NotFound, "no folder");
    fs::create_dir_all(&folder).expect("a folder");
    assert!(refused(&folder).to_string().contains("001.request"));
    fs::write(folder.0.join("001.http"), "HTTP/1.1 200 OK\r\n\r\n").expect("a file");
    assert!(refused(&folder).to_string().contains("001.request"));
    fs::write(folder.0.join("001.request"), "GET / HTTP/1.1\r\n").expect("a file");
    assert_eq!(refused(&folder).kind(), std::io::ErrorKind::InvalidData);
    fs::write(folder.0.join("001.request"), "GET / HTTP/1.1\r\n\r\n").expect("a file");
    assert_eq!(
        told(Replay::from(&folder).expect("a record").client().get(URL).send()),
        "HTTP/1.1 200 OK\\r\\n\\r\\n  Ok(0) 0"
    );
    fs::remove_file(folder.0.join("001.http")).expect("it was there");
    assert!(refused(&folder).to_string().contains("001.http"));
}

/// Past 999 the numbers have four digits.
#[test]
fn exchanges_are_in_the_order_of_their_numbers() -> Result<()> {
    let folder = Folder::new();
    fs::create_dir_all(&folder).expect("a folder");
    for number in ["1000", "999", "002"] {
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{number}", number.len());
        fs::write(folder.0.join(format!("{number}.request")), "GET / HTTP/1.1\r\n\r\n").expect("a file");
        fs::write(folder.0.join(format!("{number}.http")), response).expect("a file");
    }
    let client = client(Replay::from(&folder).expect("a record"));
    for number in ["002", "999", "1000"] {
        assert_eq!(client.get(URL).send()?.text()?, number);
    }
    Ok(())
}

#[test]
fn a_record_shows_its_folder_and_no_name_that_is_redacted() {
    let folder = Folder::new();
    let record = Record::new(
        |_: &Target<'_>, _: Deadline, _: &CancelToken| -> Result<Box<dyn Stream>> { unreachable!() },
        &folder,
    );
    let shown = format!("{:?}", record.expect("a folder").redact("x-own"));
    assert!(shown.starts_with("Record { folder: ") && shown.ends_with("exchanges: 0, .. }"), "{shown}");
}
