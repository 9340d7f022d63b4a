//! Digest authentication (RFC 7616): what is sent to whom, how often, and over which connection. The
//! server is a device in memory that checks each answer by itself (`digest/camera.rs`).
//!
//! What a 401 costs is in `digest/exchanges.rs`, bodies and their 401 in `digest/bodies.rs`, who gets
//! credentials in `digest/origins.rs`, and Apache, Squid and curl in `digest/real_servers.rs`. The
//! computation itself, with the examples of the RFCs, is tested in `src/wire/digest.rs`.

#[path = "digest/bodies.rs"]
mod bodies;
#[path = "digest/camera.rs"]
mod camera;
#[path = "digest/exchanges.rs"]
mod exchanges;
#[path = "digest/origins.rs"]
mod origins;
#[cfg(unix)]
#[path = "support/real_proxies.rs"]
#[allow(dead_code, reason = "not all proxies are used here")]
mod real_proxies;
#[cfg(unix)]
#[path = "digest/real_servers.rs"]
mod real_servers;
#[cfg(unix)]
#[path = "support/servers.rs"]
#[allow(dead_code, reason = "most of it is for interop.rs")]
mod servers;
mod support;

use camera::{Answer, Camera, Wants, hash_by};
use longwire::script::{Script, reply};
use longwire::{Client, ErrorKind, Method, Request, Response, SendBody};
use support::trace::Trace;

/// Sends a GET as the camera's user.
pub(crate) fn get(client: &Client, url: &str) -> Response {
    client.get(url).digest_auth("admin", "secret").send().expect("a response")
}

/// Sends a GET as the camera's user, which reads its picture.
pub(crate) fn see(client: &Client, url: &str) {
    let response = get(client, url);
    assert_eq!(response.status(), 200, "{url}");
    assert_eq!(response.text().expect("a text"), "a picture");
}

/// The requests that a server has seen: their lines, and whether they had credentials.
pub(crate) fn lines(script: &Script) -> Vec<String> {
    let mark = |seen: &longwire::script::Seen| if seen.header("authorization").is_some() { " +" } else { "" };
    script.seen().iter().map(|seen| seen.line() + mark(seen)).collect()
}

/// A parameter of the answers that a server has seen.
pub(crate) fn answered(script: &Script, name: &str) -> Vec<String> {
    let value = |field: &str| Answer::parse(field).and_then(|answer| answer.get(name).map(str::to_owned));
    script.seen().iter().filter_map(|seen| value(seen.header("authorization")?)).collect()
}

#[test]
fn four_requests_cost_one_401_and_one_connection() {
    let camera = Camera::new(Wants::default());
    let script = camera.script();
    let client = script.client();
    see(&client, "http://camera/picture?size=640,480&x=%22a%22");
    see(&client, "http://camera/picture?size=640,480&x=%22a%22#fragment");
    let posted = client.post("http://camera/set").digest_auth("admin", "secret").body("zoom=2").send();
    assert_eq!(posted.expect("a response").text().expect("a text"), "a picture");
    let head = client.head("http://camera/").digest_auth("admin", "secret").send().expect("a response");
    assert_eq!(head.status(), 200);
    let want = [
        "GET /picture?size=640,480&x=%22a%22",
        "GET /picture?size=640,480&x=%22a%22 +",
        "GET /picture?size=640,480&x=%22a%22 +",
        "POST /set +",
        "HEAD / +",
    ];
    assert_eq!(lines(&script), want);
    assert_eq!(script.seen()[3].body(), b"zoom=2");
    assert_eq!((script.connections(), camera.refused()), (1, 1));
    assert_eq!(camera.counts(), [[1, 2, 3, 4]]);
    assert!(camera.complaints().is_empty(), "{:?}", camera.complaints());
}

#[test]
fn every_kind_of_challenge_is_answered() {
    let qops = [None, Some("auth"), Some("auth,auth-int"), Some("auth-int, auth"), Some("token,auth")];
    for algorithm in [None, Some("MD5"), Some("SHA-256"), Some("SHA-512-256")] {
        for qop in qops {
            check(Wants { algorithm, qop, ..Wants::default() });
        }
    }
    for algorithm in [Some("MD5-sess"), Some("SHA-256-sess"), Some("SHA-512-256-sess")] {
        check(Wants { algorithm, ..Wants::default() });
    }
    for more in ["", ", charset=UTF-8", ", userhash=true, charset=UTF-8", ", domain=\"/ http://x/\", unknown=1"] {
        check(Wants { user: "J\u{e4}s\u{f8}n Doe", password: "Secret, \"or\" n\u{f6}t?", more, ..Wants::default() });
    }
}

/// Three requests of the camera's user are welcome at the cost of one 401.
fn check(wants: Wants) {
    let (user, password) = (wants.user, wants.password);
    let camera = Camera::new(wants);
    let client = camera.script().client();
    for path in ["/a", "/a?b=c", "/a"] {
        let response = client.get(format!("http://camera{path}")).digest_auth(user, password).send();
        assert_eq!(response.expect("a response").status(), 200, "{:?}", camera.complaints());
    }
    assert_eq!(camera.refused(), 1);
    assert!(camera.complaints().is_empty(), "{:?}", camera.complaints());
}

#[test]
fn the_strongest_of_several_challenges_is_answered() {
    let camera = Camera::new(Wants { algorithm: Some("SHA-256"), ..Wants::default() });
    let strong = camera.clone();
    let script = Script::new().on_with("*", move |request| {
        let answered = request.header("authorization").is_some();
        let reply = strong.answer(request);
        if answered { reply } else { reply.header("WWW-Authenticate", "Basic realm=\"x\", Digest realm=y, nonce=z") }
    });
    see(&script.client(), "http://camera/");
    assert!(camera.complaints().is_empty(), "{:?}", camera.complaints());
}

#[test]
fn a_body_is_covered_where_the_server_wants_that_alone() {
    let challenge = "Digest realm=\"x\", nonce=\"n\", qop=\"auth-int\", algorithm=SHA-256";
    let script = Script::new().on_with("*", move |request| match request.header("authorization") {
        Some(_) => reply(200),
        None => reply(401).header("WWW-Authenticate", challenge),
    });
    let client = script.client();
    let bodies: [(SendBody<'_>, &str); 4] = [
        ("hello".into(), "hello"),
        (SendBody::empty(), ""),
        (SendBody::chain(["hel".into(), SendBody::chain(["lo".into()])]), "hello"),
        (std::sync::Arc::<[u8]>::from(&b"shared"[..]).into(), "shared"),
    ];
    for (count, (body, content)) in bodies.into_iter().enumerate() {
        let sent = client.put("http://x/a").digest_auth("u", "p").body(body).send().expect("a response");
        assert_eq!(sent.status(), 200);
        let h = |text: String| hash_by("SHA-256", &text);
        let seen = script.seen().pop().expect("a request");
        assert_eq!(seen.body(), content.as_bytes());
        let answer = Answer::parse(seen.header("authorization").expect("an answer")).expect("it is Digest");
        let asked = h(format!("PUT:/a:{}", h(content.to_owned())));
        let (secret, cnonce) = (h("u:x:p".to_owned()), answer.get("cnonce").expect("a nonce"));
        let response = h(format!("{secret}:n:{:08x}:{cnonce}:auth-int:{asked}", count + 1));
        assert_eq!(answer.get("response"), Some(&*response));
    }
    // What is not in memory is not read twice for that.
    let response = client.put("http://y/a").digest_auth("u", "p").body(SendBody::reader(&b"x"[..])).send();
    assert_eq!(response.expect("a response").status(), 401);
    let before = script.seen().len();
    let response = client.put("http://x/a").digest_auth("u", "p").body(SendBody::reader(&b"x"[..])).send();
    assert_eq!(response.expect("a response").status(), 401);
    assert_eq!(lines(&script)[before..], ["PUT /a"]);
}

#[test]
fn what_was_set_last_counts() {
    let camera = Camera::new(Wants::default());
    let script = camera.script();
    let client = Client::builder().connector(script.clone()).default_header("Authorization", "Default").build();
    let url = "http://camera/";
    let field = |request: &Request<'_>| {
        let head = String::from_utf8(client.to_wire(request).expect("a head")).expect("ASCII");
        let field = head.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization: "));
        field.and_then(|field| field.split(' ').nth(1)).map(str::to_owned)
    };
    let digest = || Request::builder(Method::GET, url).digest_auth("admin", "secret");
    let built = |builder: longwire::RequestBuilder<'static>| builder.build().expect("a request");

    // Nothing is known of the server yet, so nothing is sent, and no default in its place.
    let mut request = built(digest());
    assert_eq!((field(&request), request.digest_user()), (None, Some("admin")));
    let user_info = Request::builder(Method::GET, "http://me:pw@camera/").digest_auth("admin", "secret");
    assert_eq!(field(&built(user_info)), None);
    assert_eq!(field(&built(Request::builder(Method::GET, url).bearer_auth("x").digest_auth("a", "b"))), None);

    for (builder, want) in [
        (digest().basic_auth("me", None), "Basic"),
        (digest().bearer_auth("x"), "Bearer"),
        (digest().header("authorization", "Own x"), "Own"),
    ] {
        let request = built(builder);
        assert_eq!((field(&request).as_deref(), request.digest_user()), (Some(want), None));
    }
    request.headers_mut().insert("Authorization", "Mine").expect("a field");
    assert_eq!(field(&request).as_deref(), Some("Mine"));
    request.set_digest_auth("admin", "secret").expect("credentials");
    request.set_url("http://me:pw@camera/").expect("a URL");
    assert_eq!((field(&request).as_deref(), request.digest_user()), (Some("Basic"), None));
    request.set_digest_auth("admin", "secret").expect("credentials");
    request.set_url("http://camera/x").expect("a URL");
    assert_eq!(request.digest_user(), Some("admin"));

    // Once there is a nonce, a head shows the answer, each with a count of its own.
    see(&client, url);
    assert_eq!(field(&request).as_deref(), Some("Digest"));
    let copy = request.try_clone().expect("a copy");
    assert_eq!(client.send(copy).expect("a response").status(), 200);
    assert_eq!(camera.counts(), [[1, 3]]);
    request.headers_mut().insert("Authorization", "Mine").expect("a field");
    assert_eq!(field(&request).as_deref(), Some("Mine"));
    assert_eq!(client.send(request).expect("a response").status(), 401);
    assert_eq!(
        script.seen().last().and_then(|seen| seen.header("authorization").map(str::to_owned)),
        Some("Mine".into())
    );
    assert_eq!(camera.take_complaints(), ["no Digest: Mine"]);
    assert!(camera.complaints().is_empty(), "{:?}", camera.complaints());
    // A request without credentials of its own is not given these.
    assert_eq!(client.get(url).send().expect("a response").status(), 401);
}

#[test]
fn credentials_that_cannot_be_sent_are_refused() {
    for user in ["a\nb", "a\0", "\u{7f}"] {
        let error = Request::builder(Method::GET, "http://camera/").digest_auth(user, "p4ss").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(!format!("{error} {error:?}").contains("p4ss"));
    }
    let script = Camera::new(Wants::default()).script();
    let trace = Request::builder(Method::TRACE, "http://camera/").digest_auth("me", "p4ss").build().unwrap_err();
    assert!(trace.to_string().contains("TRACE must not carry Authorization"), "{trace}");
    let mut request = Request::new(Method::TRACE, "http://camera/").expect("a request");
    request.set_digest_auth("me", "p4ss").expect("credentials");
    assert_eq!(script.client().send(request).unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert!(script.seen().is_empty());
}

#[test]
fn neither_password_nor_answer_is_shown_anywhere() {
    let camera = Camera::new(Wants { password: "p4ssw0rd", ..Wants::default() });
    let (script, trace) = (camera.script(), Trace::default());
    let client = Client::builder().connector(script.clone()).observer(trace.clone()).build();
    let request = || client.get("http://camera/").digest_auth("admin", "p4ssw0rd");
    let mut shown = format!("{:?}", request());
    for _ in 0..2 {
        let response = request().send().expect("a response");
        shown += &format!("{response:?} {}", response.error(ErrorKind::Status, "so"));
    }
    shown += &trace.whole();
    let field = script.seen()[1].header("authorization").expect("an answer").to_owned();
    let answer = Answer::parse(&field).expect("it is Digest");
    for secret in ["p4ssw0rd", answer.get("response").expect("one"), answer.get("cnonce").expect("one")] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(trace.lines().contains(&"retry".to_owned()));
    assert!(shown.contains("the server asks for Digest authentication") && shown.contains("401"), "{shown}");
}

#[test]
fn before_send_sees_the_answer_and_has_the_last_word() {
    let camera = Camera::new(Wants::default());
    let script = camera.script();
    let client = Client::builder()
        .connector(script.clone())
        .before_send(|outgoing| {
            let seen = outgoing.header("authorization").map_or("none", |value| &value[..6]).to_owned();
            outgoing.set_header("X-Seen", seen)?;
            match outgoing.url().path() {
                "/own" => outgoing.set_header("Authorization", "Own"),
                _ => Ok(()),
            }
        })
        .build();
    see(&client, "http://camera/");
    assert_eq!(get(&client, "http://camera/own").status(), 401);
    let seen: Vec<_> = script.seen().iter().map(|seen| seen.header("x-seen").unwrap_or("").to_owned()).collect();
    assert_eq!(seen, ["none", "Digest", "Digest", "Digest"]);
    assert_eq!(script.seen()[2].header("authorization"), Some("Own"));
}
