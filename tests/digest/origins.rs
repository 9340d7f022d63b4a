//! Who gets an answer: the origin and the user of a session alone, through a proxy too.

use longwire::script::{Script, reply};
use longwire::{Client, Proxy};

use crate::camera::{Answer, Camera, Wants};
use crate::support::peer::{Peer, answer};
use crate::{answered, get, lines, see};

#[test]
fn a_redirect_within_the_origin_is_answered_at_once() {
    let camera = Camera::new(Wants::default());
    let device = camera.clone();
    let script = Script::new().on_with("*", move |request| match request.target() {
        "/old" if request.header("authorization").is_some() => reply(302).header("Location", "/new"),
        _ => device.answer(request),
    });
    let client = script.client();
    see(&client, "http://camera/old");
    assert_eq!(lines(&script), ["GET /old", "GET /old +", "GET /new +"]);
    assert!(camera.complaints().is_empty(), "{:?}", camera.complaints());
}

#[test]
fn on_a_redirect_to_another_origin_credentials_stay_behind() {
    let challenge = "Digest realm=\"x\", nonce=\"n\", qop=\"auth\"";
    let script = Script::new().on_with("*", move |request| {
        let host = request.header("host").unwrap_or_default();
        match (host, request.target()) {
            ("a", "/start") if request.header("authorization").is_some() => {
                reply(302).header("Location", "http://b/over")
            }
            ("b", "/over") => reply(307).header("Location", "http://a/back"),
            _ => reply(401).header("WWW-Authenticate", challenge),
        }
    });
    let allowing = || Client::builder().connector(script.clone()).allow_cross_origin_header("Authorization");
    let keeping = allowing().on_redirect(|hop| {
        hop.keep_header("Authorization");
        Ok(())
    });
    for client in [script.client(), allowing().build(), keeping.build()] {
        let before = script.seen().len();
        let response = get(&client, "http://a/start");
        assert_eq!((response.status().as_u16(), response.url().as_str()), (401, "http://a/back"));
        assert_eq!(lines(&script)[before..], ["GET /start", "GET /start +", "GET /over", "GET /back"]);
    }
    // Another port and another scheme are other origins; a 401 there is the response.
    for to in ["http://a:8080/", "https://a/"] {
        let script = Script::new().on_with("*", move |request| match request.target() {
            "/start" => reply(301).header("Location", to),
            _ => reply(401).header("WWW-Authenticate", challenge),
        });
        assert_eq!(get(&script.client(), "http://a/start").status(), 401);
        assert_eq!(lines(&script), ["GET /start", "GET /"]);
    }
}

#[test]
fn each_origin_and_each_user_has_a_session_of_its_own() {
    let camera = Camera::new(Wants::default());
    let client = camera.script().client();
    for url in ["http://a/", "http://b/", "http://a:81/", "https://a/", "http://a/", "https://a/"] {
        see(&client, url);
    }
    assert_eq!(camera.refused(), 4);
    let challenge = "Digest realm=\"x\", nonce=\"n\", qop=\"auth\"";
    let script = Script::new().on_with("*", move |request| match request.header("authorization") {
        Some(_) => reply(200),
        None => reply(401).header("WWW-Authenticate", challenge),
    });
    let client = script.client();
    for user in ["me", "you", "me", "you"] {
        assert_eq!(client.get("http://a/").digest_auth(user, "p").send().expect("a response").status(), 200);
    }
    assert_eq!(answered(&script, "username"), ["me", "you", "me", "you"]);
    assert_eq!(answered(&script, "nc"), ["00000001", "00000001", "00000002", "00000002"]);
}

/// The target is what the server receives, and not the whole URL that its proxy is sent.
#[test]
fn through_a_proxy_the_answer_is_for_the_servers_target() {
    let proxy = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            conn.note(format!("{} {}", request.target, request.header("authorization").unwrap_or("none")));
            conn.send(match request.header("authorization") {
                Some(_) => answer("200 OK", "", "a picture"),
                None => answer("401 Who", "WWW-Authenticate: Digest realm=x, nonce=n, qop=auth\r\n", "who?"),
            });
        }
    });
    let address = format!("http://me:proxy@{}", proxy.addr());
    let client = Client::builder().proxy(Proxy::new(&address).expect("a proxy")).build();
    see(&client, "http://camera.test/a?b,c");
    let notes = proxy.notes();
    assert_eq!(notes[0], "http://camera.test/a?b,c none");
    let (target, field) = notes[1].split_once(' ').expect("a target");
    assert_eq!(target, "http://camera.test/a?b,c");
    assert_eq!(Answer::parse(field).expect("it is Digest").get("uri"), Some("/a?b,c"));
    assert_eq!(proxy.connections(), 1);
}
