//! nginx with `proxy_buffering off` before a server of events in Python (`server.py`): what most feeds come
//! through.
//!
//! It is not installed everywhere, so the test is ignored by name unless asked for:
//! `cargo test --test sse real_servers -- --include-ignored`.

use std::fs::File;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use longwire::sse::EventSource;
use longwire::{Client, Method, Request};

use crate::servers::{Kind, Process, START_LIMIT, Server, Setup, Site, said_port};

/// Starts `server.py`: its process, its folder, and its port.
fn python() -> (Process, Site, u16) {
    let site = Site::create(0);
    let log = File::create(site.dir.join("log")).expect("a log file");
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sse/server.py"));
    command.stdout(log.try_clone().expect("a second handle")).stderr(log);
    let mut process = Process::start(command, None, "python3");
    let started = Instant::now();
    loop {
        if let Some(port) = said_port(&site.log()) {
            return (process, site, port);
        }
        assert!(!process.has_ended() && started.elapsed() < START_LIMIT, "python3 does not start: {}", site.log());
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
#[ignore = "needs nginx and python3: run with --include-ignored (.ci/run does)"]
fn a_feed_through_nginx_comes_without_delay_and_goes_on_where_it_broke() {
    let (_python, _site, port) = python();
    let nginx = Server::before(Kind::Nginx, Setup::default(), port);
    let client = Client::new();
    let request = Request::new(Method::GET, nginx.url("/backend/feed")).expect("a request");
    let mut source = EventSource::new(&client, request).expect("a source").max_attempts(5);

    let mut next = || source.next().expect("no error").map(|event| (event.event().to_owned(), event.data().to_owned()));
    let message = |data: &str| Some(("message".to_owned(), data.to_owned()));
    assert_eq!(next(), message("one after None"));
    assert_eq!(client.get(nginx.url("/backend/go-on")).send().expect("an answer").status(), 200);
    assert_eq!(next(), message("two"));
    assert_eq!(next(), Some(("named".to_owned(), "three".to_owned())));
    let started = Instant::now();
    assert_eq!(next(), message("four after 3"), "after a cut, and a 503");
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}: before Retry-After", started.elapsed());
    assert_eq!(next(), message("five, \u{e4}\u{20ac}\n"));
    assert_eq!(next(), None, "after a 204");
    assert_eq!(source.last_event_id(), Some("5"));
}
