//! When the stream that a connector hands out is used: in time, not after a cancel, for `https` only
//! where it is secure or TLS can be put over it, and never past a guard.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use longwire::script::{Script, reply};
use longwire::transport::{Connect, Deadline, Query, Resolve};
use longwire::{CancelToken, Client, ClientBuilder, Error, ErrorKind, Fate, Proxy, PublicOnly, SendBody, Stage};

use super::{URL, wrapped};
use crate::support::wrapped::connector;
#[cfg(not(feature = "__rustls"))]
use crate::support::wrapped::{Wrapped, wrapping};

const HTTPS_URL: &str = "https://memory.test/";

/// The stream was closed, and nothing was written to it or counted as sent.
#[track_caller]
fn assert_unused(error: &Error, script: &Script) {
    assert_eq!((error.stage(), error.fate()), (Stage::Connect, Fate::NotSent), "{error}");
    assert_eq!((script.bytes_received(), script.closed()), (0, 1));
}

fn fine() -> Script {
    Script::answering(reply(200).body("fine"))
}

/// Hands out a stream to that server after this.
fn after<F: Fn(Deadline, &CancelToken) + Send + Sync>(script: &Script, act: F) -> impl Connect + use<F> {
    let script = script.clone();
    connector(move |target, deadline, token| {
        act(deadline, token);
        script.connect(target, deadline, token)
    })
}

#[test]
fn a_stream_that_comes_after_the_deadline_is_closed_unused() {
    let limit = Duration::from_millis(20);
    let sleeps = |deadline: Deadline, _: &CancelToken| {
        while !deadline.has_passed() {
            thread::sleep(deadline.remaining().expect("there is a limit"));
        }
    };
    for setting in ["connect_timeout", "timeout"] {
        let script = fine();
        let builder = Client::builder().connector(after(&script, sleeps));
        let client = match setting {
            "timeout" => builder.timeout(limit).build(),
            _ => builder.connect_timeout(limit).build(),
        };
        let error = client.post(URL).body("x").send().expect_err("it is too late");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.to_string().contains(&format!("connecting: {setting} of 20ms passed")), "{error}");
        assert_unused(&error, &script);
        assert_eq!(client.pool_stats().in_use, 0);
    }
}

#[test]
fn a_stream_that_comes_after_a_cancel_is_closed_unused() {
    let script = fine();
    let client = Client::builder().connector(after(&script, |_, token| token.cancel())).build();
    let error = client.get(URL).cancel_token(&CancelToken::new()).send().expect_err("it was cancelled");
    assert!(error.is_cancelled(), "{error}");
    assert_unused(&error, &script);
}

/// A [wrapped](crate::support::wrapped) stream panics then. (Over TLS: `tls/connectors.rs`.)
#[test]
fn write_vectored_of_a_stream_is_never_called() {
    let script = fine();
    let client = wrapped(&script, |stream| stream);
    let (small, large) = (vec![b'x'; 100], vec![b'x'; 100_000]);
    let bodies = [
        SendBody::empty(),
        SendBody::from(&small),
        SendBody::from(&large),
        SendBody::sized_reader(&large[..], large.len() as u64),
        SendBody::reader(&large[..]),
    ];
    for body in bodies {
        client.post(URL).body(body).send().expect("a response");
        client.close_idle();
    }
    assert_eq!(script.closed(), 5);
    assert_eq!(script.seen().iter().map(|request| request.line()).collect::<Vec<_>>(), ["POST /"; 5]);
}

#[test]
fn https_over_a_stream_that_is_secure_needs_no_tls() {
    let script = fine();
    let client = script.client();
    assert_eq!(client.get(HTTPS_URL).send().expect("a response").text().expect("a body"), "fine");
    assert!(script.seen()[0].raw_head().starts_with(b"GET / HTTP/1.1\r\nHost: memory.test\r\n"), "{:?}", script.seen());
    drop(client);
    assert_eq!(script.closed(), 1);
}

#[cfg(not(feature = "__rustls"))]
#[test]
fn https_over_a_stream_that_is_not_secure_is_refused_before_a_byte_is_sent() {
    let (script, trace) = (fine(), crate::support::trace::Trace::default());
    let client =
        Client::builder().connector(wrapping(script.clone(), Wrapped::insecure)).observer(trace.clone()).build();
    let error = client.get(HTTPS_URL).bearer_auth("s3cret").send().expect_err("there is no TLS here");
    assert_eq!(
        (error.kind(), error.stage(), error.fate()),
        (ErrorKind::UnsupportedScheme, Stage::Tls, Fate::NotSent),
        "{error}"
    );
    for advice in ["feature `tls`", "Stream::is_secure"] {
        assert!(error.to_string().contains(advice), "{error}");
    }
    assert_eq!((script.bytes_received(), script.closed()), (0, 1));
    assert_eq!(trace.lines(), ["connected", "closed Failed"]);
    let stats = client.pool_stats();
    assert_eq!((stats.in_use, stats.opened, stats.closed.get(super::CloseReason::Failed)), (0, 1, 1));
}

/// Its streams are never secure, so it takes no connect to know that.
#[cfg(not(feature = "__rustls"))]
#[test]
fn https_through_a_unix_socket_is_refused_before_it_is_connected_to() {
    let error = Client::builder().unix_socket("/nowhere").build().get(HTTPS_URL).send().expect_err("no TLS here");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::UnsupportedScheme, Stage::Request), "{error}");
}

struct NoNames;

impl Resolve for NoNames {
    fn resolve(&self, _: &Query<'_>) -> io::Result<Vec<SocketAddr>> {
        Ok(Vec::new())
    }
}

/// Bypassed, they would guard nothing, without a sign of it.
#[test]
fn a_guard_that_would_be_bypassed_is_an_error() {
    type Setting = (&'static str, fn(ClientBuilder) -> ClientBuilder);
    let connectors: [Setting; 2] = [
        ("connector", |builder| builder.connector(fine())),
        ("unix_socket", |builder| builder.unix_socket("/nowhere")),
    ];
    let guards: [Setting; 5] = [
        ("address_filter", |builder| builder.address_filter(|_| true)),
        ("address_filter", |builder| builder.address_filter(PublicOnly::allows)),
        ("resolve_to", |builder| builder.resolve_to("memory.test", ([127, 0, 0, 1], 1).into())),
        ("resolver", |builder| builder.resolver(NoNames)),
        ("proxy", |builder| builder.proxy(Proxy::new("http://127.0.0.1:1").expect("a proxy"))),
    ];
    for (connector, connect) in connectors {
        for (guard, set) in guards {
            for builder in [set(connect(Client::builder())), connect(set(Client::builder()))] {
                let client = builder.build();
                for _ in 0..2 {
                    let error = client.get(URL).send().expect_err("the guard would be bypassed");
                    assert_eq!((error.kind(), error.fate()), (ErrorKind::InvalidRequest, Fate::NotSent), "{error}");
                    let named = format!("{guard} together with {connector}");
                    assert!(error.to_string().contains(&named), "{error} does not name {named}");
                }
            }
        }
    }
}

#[test]
fn of_connector_and_unix_socket_the_last_counts() {
    let client = Client::builder().unix_socket("/nowhere").connector(fine()).build();
    assert_eq!(client.get(URL).send().expect("a response").text().expect("a body"), "fine");
    let error = Client::builder().connector(fine()).unix_socket("/nowhere").build().get(URL).send();
    assert_eq!(error.expect_err("there is no such socket").kind(), ErrorKind::Connect);
}
