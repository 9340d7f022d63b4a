//! What another origin may see of a request that is redirected to it: only what is on the list,
//! and nothing of the rest comes back on a later hop.

use std::sync::{Arc, Mutex};

use longwire::script::{Script, reply};
use longwire::{Client, ErrorKind, Method, Response, Result};

use super::support::peer::Req;
use super::{Site, goal, reach, redirect};

/// A request with every kind of header field, to be sent to the first origin.
fn laden(client: &Client, method: Method, url: String) -> Result<Response> {
    let mut request = client.request(method, url);
    for (name, value) in GOES_ALONG.iter().chain(&STAYS_BEHIND) {
        request = request.header(name, value);
    }
    request.body("the body").send()
}

const GOES_ALONG: [(&str, &str); 13] = [
    ("Accept", "text/x-test"),
    ("Accept-Charset", "utf-8"),
    ("Accept-Language", "zh"),
    ("Accept-Encoding", "identity"),
    ("User-Agent", "test/1"),
    ("Range", "bytes=0-9"),
    ("If-Range", "\"tag\""),
    ("Last-Event-ID", "7"),
    ("Content-Type", "text/x-sent"),
    ("Content-Encoding", "x-none"),
    ("Content-Language", "en"),
    ("Content-Location", "/c"),
    ("Content-Disposition", "inline"),
];

const STAYS_BEHIND: [(&str, &str); 12] = [
    ("AUTHORIZATION", "Bearer secret"),
    ("Cookie", "id=secret"),
    ("cookie2", "secret"),
    ("X-Api-Key", "secret"),
    ("Proxy-Authorization", "Basic secret"),
    ("WWW-Authenticate", "secret"),
    ("Referer", "http://secret.test/"),
    ("Origin", "http://secret.test"),
    ("If-None-Match", "\"secret\""),
    ("Idempotency-Key", "secret"),
    ("X-Forwarded-For", "10.0.0.1"),
    ("Host", "custom.test"),
];

#[track_caller]
fn assert_only_allowed(request: &Req, at: &Site) {
    for (name, value) in STAYS_BEHIND {
        let seen = request.header(name);
        assert_ne!(seen, Some(value), "{name} was sent to another origin");
        assert!(seen.is_none() || name == "Host", "{name}: {seen:?}");
    }
    let head = String::from_utf8_lossy(&request.raw_head);
    assert!(!head.contains("secret"), "{head}");
    assert!(!head.contains("default"), "{head}");
    let host = at.peer.addr().to_string();
    assert_eq!(request.header("host"), Some(host.as_str()));
    assert_eq!(request.count("host"), 1);
}

#[test]
fn only_listed_fields_go_to_another_origin() {
    let goal = Site::new(goal);
    let site = Site::leading_to("307 T", goal.url("/goal"));
    let client = Client::builder().no_proxy().default_header("X-Default", "default").build();
    reach(laden(&client, Method::POST, site.url("/")));
    let (first, last) = (site.last(), goal.last());
    for (name, value) in STAYS_BEHIND {
        assert_eq!(first.header(name), Some(value), "the first origin gets all");
    }
    assert_eq!(first.header("x-default"), Some("default"));
    assert_only_allowed(&last, &goal);
    for (name, value) in GOES_ALONG {
        assert_eq!(last.header(name), Some(value), "{name} goes along");
    }
    assert_eq!(last.body, b"the body");
}

#[test]
fn fields_of_the_body_stay_behind_with_the_body() {
    let goal = Site::new(goal);
    let site = Site::leading_to("303 S", goal.url("/goal"));
    reach(laden(&Client::new(), Method::POST, site.url("/")));
    let last = goal.last();
    assert_only_allowed(&last, &goal);
    for (name, value) in GOES_ALONG {
        let expected = (!name.starts_with("Content-")).then_some(value);
        assert_eq!(last.header(name), expected, "{name}");
    }
    assert_eq!(last.header("content-length"), None);
}

/// Two origins that send each other on: `/1` here, `/2` there, `/3` here, `/4` here again.
fn there_and_back() -> (Site, Site) {
    let here_url: Arc<Mutex<String>> = Arc::default();
    let back = Arc::clone(&here_url);
    let there = Site::new(move |_| redirect("307 T", back.lock().expect("no panic").as_bytes()));
    let away = there.url("/2");
    let here = Site::new(move |request| match request.target.as_str() {
        "/1" => redirect("307 T", away.as_bytes()),
        "/3" => redirect("307 T", "/4"),
        _ => goal(request),
    });
    *here_url.lock().expect("no panic") = here.url("/3");
    (here, there)
}

#[test]
fn what_stayed_behind_is_not_added_again_back_at_the_first_origin() {
    let (here, there) = there_and_back();
    let client = Client::builder().default_header("X-Default", "default").build();
    reach(laden(&client, Method::PUT, here.url("/1")));
    assert_eq!(here.targets(), ["/1", "/3", "/4"]);
    assert_eq!(there.targets(), ["/2"]);
    assert_only_allowed(&there.last(), &there);
    for again in &here.seen()[1..] {
        assert_only_allowed(again, &here);
    }
}

#[test]
fn basic_bearer_and_userinfo_stay_behind_and_are_not_added_again() {
    for way in ["basic", "bearer", "userinfo"] {
        let (here, there) = there_and_back();
        let url = here.url("/1");
        let client = Client::new();
        let get = match way {
            "basic" => client.get(url).basic_auth("user", Some("secret")),
            "bearer" => client.get(url).bearer_auth("secret"),
            _ => client.get(url.replace("http://", "http://user:secret@")),
        };
        let reached = reach(get.send());
        let seen = here.seen();
        assert!(seen[0].header("authorization").is_some(), "{way}");
        assert_eq!(there.last().header("authorization"), None, "{way}");
        assert_eq!(seen[1].header("authorization"), None, "{way}");
        assert_eq!(seen[2].header("authorization"), None, "{way}");
        assert_eq!(reached.as_str(), here.url("/4"), "{way}");
    }
}

#[test]
fn another_host_on_the_same_port_is_another_origin() {
    let site = Site::new(|request| {
        let host = request.header("host").unwrap_or_default();
        let port = host.rsplit(':').next().unwrap_or_default();
        match request.target.as_str() {
            "/" => redirect("302 F", format!("http://two.test:{port}/goal")),
            _ => goal(request),
        }
    });
    let client = Client::builder()
        .no_proxy()
        .resolve_to("one.test", site.peer.addr())
        .resolve_to("two.test", site.peer.addr())
        .build();
    let port = site.peer.addr().port();
    let get = client.get(format!("http://one.test:{port}/"));
    reach(get.header("X-Api-Key", "secret").send());
    let seen = site.seen();
    assert_eq!(seen[0].header("x-api-key"), Some("secret"));
    assert_eq!(seen[1].header("x-api-key"), None);
    let host = format!("two.test:{port}");
    assert_eq!(seen[1].header("host"), Some(host.as_str()));
}

#[test]
fn the_same_origin_sees_everything_again() {
    let site = Site::leading_to("307 T", "/goal");
    let client = Client::builder().no_proxy().default_header("X-Default", "default").build();
    reach(laden(&client, Method::PUT, site.url("/")));
    let last = site.last();
    for (name, value) in GOES_ALONG.iter().chain(&STAYS_BEHIND) {
        assert_eq!(last.header(name), Some(*value), "{name}");
        assert_eq!(last.count(name), 1, "{name}");
    }
    assert_eq!(last.header("x-default"), Some("default"));
    assert_eq!(last.body, b"the body");
}

#[test]
fn the_same_origin_spelt_in_capitals_is_the_same() {
    let site = Site::new(|request| {
        let host = request.header("host").unwrap_or_default();
        match request.target.as_str() {
            "/" => redirect("302 F", format!("HTTP://{}/goal", host.to_uppercase())),
            _ => goal(request),
        }
    });
    let client = Client::builder().no_proxy().resolve_to("one.test", site.peer.addr()).build();
    let url = format!("http://one.test:{}/", site.peer.addr().port());
    reach(client.get(url).header("X-Api-Key", "mine").send());
    assert_eq!(site.last().header("x-api-key"), Some("mine"));
    assert_eq!(site.peer.connections(), 1);
}

#[test]
fn follow_header_lets_one_field_go_along() {
    let (here, there) = there_and_back();
    let client =
        Client::builder().allow_cross_origin_header("x-api-key").default_header("X-Default", "default").build();
    let get = client.get(here.url("/1"));
    let get = get.header("X-Api-Key", "mine").header("X-Other", "other");
    reach(get.send());
    for request in [there.last(), here.last()] {
        assert_eq!(request.header("x-api-key"), Some("mine"));
        assert_eq!(request.header("x-other"), None);
        assert_eq!(request.header("x-default"), None);
    }
}

#[test]
fn userinfo_in_a_location_is_dropped() {
    let goal = Site::new(goal);
    let with_userinfo = |url: String| url.replace("http://", "http://evil:pw@");
    let site = Site::leading_to("302 F", with_userinfo(goal.url("/goal")));
    let url = reach(Client::new().get(site.url("/")).send());
    assert_eq!(goal.last().header("authorization"), None);
    assert_eq!(url.as_str(), goal.url("/goal"));

    let own: Arc<Mutex<String>> = Arc::default();
    let location = Arc::clone(&own);
    let site = Site::new(move |request| match request.target.as_str() {
        "/" => redirect("302 F", location.lock().expect("no panic").as_bytes()),
        _ => self::goal(request),
    });
    *own.lock().expect("no panic") = with_userinfo(site.url("/goal"));
    let get = Client::new().get(site.url("/")).bearer_auth("mine");
    reach(get.send());
    let last = site.last();
    assert_eq!(last.header("authorization"), Some("Bearer mine"));
}

#[test]
fn what_is_let_through_by_name_must_be_a_name() {
    const URL: &str = "http://memory.test/";
    let client = |name| {
        Client::builder().connector(Script::answering(reply(200).body("fine"))).allow_cross_origin_header(name).build()
    };
    let error = client("X Y").get(URL).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("header name \"X\" is followed by ' '"), "{error}");
    assert_eq!(client("X-Y").get(URL).send().unwrap().text().unwrap(), "fine");
}
