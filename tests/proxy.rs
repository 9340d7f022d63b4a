//! Through scripted proxies: what goes to the proxy, what to the server behind it, which
//! connections are shared, and what a proxy that behaves badly can do (nothing).
//!
//! An HTTP proxy that gets whole URLs is here, with what holds for all kinds.
//!
//! | file | topic |
//! |---|---|
//! | `proxy/tunnel.rs` | CONNECT |
//! | `proxy/socks5.rs` | SOCKS5 (RFC 1928, RFC 1929) |
//! | `proxy/environment.rs` | `http_proxy`, `no_proxy` and their kin |
//! | `proxy/real_servers.rs` | Squid, tinyproxy and Dante |
//! | `tls/proxies.rs` | proxies that are reached by TLS, and https through them |

#[cfg(all(unix, feature = "__rustls"))]
#[path = "tls/certificates.rs"]
mod certificates;
#[path = "proxy/environment.rs"]
mod environment;
#[cfg(unix)]
#[path = "support/real_proxies.rs"]
mod real_proxies;
#[cfg(unix)]
#[path = "proxy/real_servers.rs"]
mod real_servers;
#[cfg(unix)]
#[path = "support/servers.rs"]
#[allow(dead_code, reason = "the servers themselves are for interop.rs; here are their tools")]
mod servers;
#[cfg(all(unix, feature = "__rustls"))]
#[path = "tls/session.rs"]
mod session;
#[path = "support/silent.rs"]
mod silent;
#[path = "proxy/socks5.rs"]
mod socks5;
mod support;
#[path = "proxy/tunnel.rs"]
mod tunnel;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use longwire::script::Script;
use longwire::transport::{Query, Resolve};
use longwire::{Client, ClientBuilder, Error, ErrorKind, Fate, Proxy, Response, Stage};
use silent::Refused;
use support::peer::{Peer, Req, answer, ok};
use support::trace::Trace;
use support::uncoded;

/// The limit under test, where nothing else decides.
const SHORT: Duration = Duration::from_millis(if cfg!(target_arch = "arm") { 1_000 } else { 300 }); // there, emulated
/// More than a limit may be overrun on a busy machine, less than any default of the client.
const SLACK: Duration = Duration::from_secs(5);
/// `me:secret`, as Basic has it.
const BASIC: &str = "Basic bWU6c2VjcmV0";

/// The proxy at that peer, spoken to in that scheme.
fn at(scheme: &str, peer: &Peer) -> Proxy {
    Proxy::new(&format!("{scheme}://{}", peer.addr())).expect("a proxy")
}

fn by(proxy: Proxy) -> Client {
    uncoded().proxy(proxy).build()
}

/// A client whose connections must be there soon.
fn impatient(proxy: Proxy) -> Client {
    Client::builder().proxy(proxy).connect_timeout(SHORT).build()
}

#[track_caller]
fn refused(client: &Client, url: &str) -> Error {
    client.get(url).send().expect_err("no response")
}

fn head(request: &Req) -> String {
    String::from_utf8_lossy(&request.raw_head).into_owned()
}

/// A peer that answers each request with its head, so that the test sees what came.
fn echoing() -> Peer {
    Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            conn.send(ok(&head(&request)));
        }
    })
}

/// Fails within the limit, and not long after it.
#[track_caller]
fn assert_in_time(started: Instant, limit: Duration, error: &Error) {
    let took = started.elapsed();
    assert!(took < limit + SLACK, "late: {took:?} of {limit:?}: {error}");
}

/// A resolver that knows one name.
struct Name(&'static str, Vec<SocketAddr>);

impl Resolve for Name {
    fn resolve(&self, query: &Query<'_>) -> io::Result<Vec<SocketAddr>> {
        let host = query.host();
        if host == self.0 { Ok(self.1.clone()) } else { Err(io::Error::other(format!("no {host} here"))) }
    }
}

#[test]
fn an_http_proxy_is_asked_for_the_whole_url() {
    let proxy = echoing();
    let client = by(at("http", &proxy).basic_auth("me", "secret").unwrap());
    let sent = |url: &str| client.get(url).send().unwrap().text().unwrap();
    let user_agent = concat!("longwire/", env!("CARGO_PKG_VERSION"));
    let head = sent("http://example.test:8081/a/b?c=d#e");
    let want = format!(
        "GET http://example.test:8081/a/b?c=d HTTP/1.1\r\nHost: example.test:8081\r\nUser-Agent: {user_agent}\r\n\
         Accept: */*\r\nProxy-Authorization: {BASIC}\r\n\r\n"
    );
    assert_eq!(head, want);
    assert!(sent("http://example.test").starts_with("GET http://example.test/ HTTP/1.1\r\nHost: example.test\r\n"));
    assert!(
        sent("http://[2001:db8::1]:80/x").starts_with("GET http://[2001:db8::1]/x HTTP/1.1\r\nHost: [2001:db8::1]\r\n")
    );
}

#[test]
fn credentials_for_the_server_go_along_with_those_for_the_proxy() {
    let proxy = echoing();
    let client = by(at("http", &proxy).basic_auth("me", "secret").unwrap());
    let head = client.get("http://user:pass@example.test/").send().unwrap().text().unwrap();
    assert!(head.starts_with("GET http://example.test/ "), "no userinfo: {head}");
    assert!(head.contains("\r\nAuthorization: Basic dXNlcjpwYXNz\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nProxy-Authorization: {BASIC}\r\n")), "{head}");
}

#[test]
fn proxy_authorization_by_hand_goes_to_a_proxy_that_is_asked_and_not_past_it() {
    let peer = echoing();
    let sent = |client: &Client, url: &str| {
        let request = client.get(url).header("Proxy-Authorization", "Bearer mine");
        request.send().unwrap().text().unwrap()
    };
    let proxy = at("http", &peer).basic_auth("me", "secret").unwrap().bypass("127.0.0.1").unwrap();
    let client = by(proxy);
    let head = sent(&client, "http://example.test/");
    assert!(head.contains("\r\nProxy-Authorization: Bearer mine\r\n") && !head.contains("Basic"), "{head}");
    let past = sent(&client, &peer.url("/"));
    assert!(past.starts_with("GET / ") && !past.contains("mine"), "{past}");
    // Where there is no proxy, the server is whom it was written for: some gateways ask for it.
    let direct = sent(&Client::builder().no_proxy().build(), &peer.url("/"));
    assert!(direct.contains("\r\nProxy-Authorization: Bearer mine\r\n"), "{direct}");
}

#[test]
fn what_is_for_the_proxy_alone_goes_to_it_and_to_no_server() {
    let server = echoing();
    let to_server = format!("Location: {}\r\n", server.url("/direct"));
    // Forwards requests or makes tunnels, and tells what it was sent.
    let proxy = Peer::start(move |mut conn, _| {
        while let Some(request) = conn.head() {
            conn.note(format!("{} {:?}", request.method, request.header("x-token")));
            match request.target.as_str() {
                "http://example.test/away" => conn.send(answer("302 Found", &to_server, "")),
                "example.test:80" => conn.send("HTTP/1.1 200 Connection established\r\n\r\n"),
                _ => conn.send(ok(&head(&request))),
            };
        }
    });
    let with_token = at("http", &proxy).bypass("127.0.0.1").unwrap().header("X-Token", "hunter2").unwrap();
    let trace = Trace::default();
    let client = Client::builder().observer(trace.clone()).proxy(with_token.clone()).build();
    let sent = |client: &Client, url: &str| client.get(url).send().unwrap().text().unwrap();

    assert!(sent(&client, "http://example.test/").contains("\r\nX-Token: hunter2\r\n"));
    let own = client.get("http://example.test/").header("x-token", "own").send().unwrap().text().unwrap();
    assert!(own.contains("\r\nx-token: own\r\n") && !own.contains("hunter2"), "{own}");
    let redirected = sent(&client, "http://example.test/away");
    assert!(redirected.starts_with("GET /direct ") && !redirected.contains("hunter2"), "{redirected}");
    assert_eq!(proxy.connections(), 1, "one field more makes no other proxy");

    let tunnelling = Client::builder().observer(trace.clone()).proxy(with_token.tunnel_http()).build();
    let through = sent(&tunnelling, "http://example.test/");
    assert!(through.starts_with("GET / ") && !through.contains("hunter2"), "{through}");
    assert!(proxy.noted(1, "CONNECT Some(\"hunter2\")") && proxy.noted(1, "GET None"), "{:?}", proxy.events());

    let shown = trace.whole();
    assert!(shown.contains("X-Token: ***") && !shown.contains("hunter2"), "{shown}");
    assert!(!shown.contains("x-token: own"), "what the request has in its place is for the proxy, too: {shown}");
}

#[test]
fn servers_asked_through_one_proxy_share_its_connections() {
    let proxy = echoing();
    let client = by(at("http", &proxy));
    for (number, url) in ["http://one.test/", "http://two.test:81/", "http://one.test/again"].iter().enumerate() {
        let response = client.get(*url).send().unwrap();
        assert_eq!(response.connection().nth() as usize, number + 1);
        assert_eq!(response.connection().peer_addr(), Some(proxy.addr()));
        response.bytes().unwrap();
    }
    assert_eq!((proxy.connections(), client.pool_stats().idle), (1, 1));
}

#[test]
fn a_connection_to_a_proxy_is_none_to_a_server_at_the_same_address() {
    let peer = echoing();
    let client = by(at("http", &peer).bypass("127.0.0.1").unwrap());
    for want in [1, 2] {
        client.get("http://example.test/").send().unwrap().bytes().unwrap();
        let response = client.get(peer.url("/")).send().unwrap();
        assert_eq!(response.connection().nth(), want);
        assert!(response.text().unwrap().starts_with("GET / "));
    }
    assert_eq!(peer.connections(), 2);
}

#[test]
fn a_kept_connection_that_the_proxy_closed_is_replaced_and_asked_in_the_same_form() {
    let proxy = Peer::start(|mut conn, index| {
        let request = conn.request().expect("a request");
        conn.send(ok(&request.target));
        if index == 0 {
            assert!(conn.request().is_some(), "the second request came, and gets no response");
        }
    });
    let client = by(at("http", &proxy));
    assert_eq!(client.get("http://example.test/1").send().unwrap().text().unwrap(), "http://example.test/1");
    assert_eq!(client.get("http://example.test/2").send().unwrap().text().unwrap(), "http://example.test/2");
    assert_eq!(proxy.connections(), 2);
}

#[test]
fn what_a_proxy_answers_to_a_plain_request_is_a_response() {
    let challenge = "Proxy-Authenticate: Basic realm=\"x\"\r\n";
    let proxy = Peer::answering(answer("407 Proxy Authentication Required", challenge, "who?"));
    let response = by(at("http", &proxy)).get("http://example.test/").send().unwrap();
    assert_eq!((response.status().as_u16(), response.text().unwrap().as_str()), (407, "who?"));
}

#[test]
fn a_redirect_chooses_its_proxy_anew_and_takes_no_credentials_along() {
    let server = echoing();
    let to_server = format!("Location: {}\r\n", server.url("/direct"));
    let proxy = Peer::start(move |mut conn, _| {
        while let Some(request) = conn.request() {
            assert_eq!(request.header("proxy-authorization"), Some(BASIC));
            match request.target.as_str() {
                "http://one.test/" => conn.send(answer("302 Found", "Location: http://two.test/\r\n", "")),
                "http://two.test/" => conn.send(answer("302 Found", &to_server, "")),
                other => panic!("{other}"),
            };
        }
    });
    let client = by(at("http", &proxy).basic_auth("me", "secret").unwrap().bypass("127.0.0.1").unwrap());
    let response = client.get("http://one.test/").bearer_auth("token").send().unwrap();
    assert_eq!(response.redirects().len(), 2);
    assert_eq!(response.connection().peer_addr(), Some(server.addr()));
    let head = response.text().unwrap();
    assert!(head.starts_with("GET /direct HTTP/1.1\r\n"), "{head}");
    assert!(!head.to_lowercase().contains("authorization"), "{head}");
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn a_redirect_may_lead_from_a_direct_hop_to_a_proxied_one() {
    let proxy = echoing();
    let server = Peer::answering(answer("302 Found", "Location: http://example.test/far\r\n", ""));
    let client = by(at("http", &proxy).bypass("127.0.0.1").unwrap());
    let head = client.get(server.url("/")).send().unwrap().text().unwrap();
    assert!(head.starts_with("GET http://example.test/far HTTP/1.1\r\nHost: example.test\r\n"), "{head}");
}

#[test]
fn a_proxy_that_cannot_be_reached_is_named_in_the_error() {
    let gone = Refused::new();
    for scheme in ["http", "socks5", "socks5h"] {
        let client = by(Proxy::new(&format!("{scheme}://me:secret@{}", gone.address)).unwrap());
        let error = client.post("http://192.0.2.1/").body("x").send().unwrap_err();
        assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Connect, Stage::Connect, Fate::NotSent));
        let want = format!("the proxy {scheme}://{0}: connect: ", gone.address);
        assert!(error.to_string().starts_with(&want), "{error}");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::ConnectionRefused);
    }
}

#[test]
fn a_proxy_whose_name_is_not_known_is_named_in_the_error() {
    let resolver = Name("other.test", Vec::new());
    let client = Client::builder().resolver(resolver).proxy(Proxy::new("http://proxy.test:3128").unwrap()).build();
    let error = refused(&client, "http://example.test/");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Resolve, Stage::Resolve));
    assert!(error.to_string().contains("the proxy http://proxy.test:3128: looking up proxy.test"), "{error}");
}

#[test]
fn the_proxys_name_is_looked_up_and_the_servers_is_not() {
    let peer = echoing();
    let resolver = Name("proxy.test", vec![peer.addr()]);
    let client = Client::builder().resolver(resolver).proxy(Proxy::new("http://proxy.test").unwrap()).build();
    assert!(client.get("http://example.test/").send().unwrap().text().unwrap().contains("http://example.test/ "));
}

#[test]
fn a_proxy_that_takes_no_connection_does_not_outlive_the_limit() {
    let client = impatient(Proxy::new(&format!("http://{}", silent::black_hole())).unwrap());
    let started = Instant::now();
    let error = refused(&client, "http://example.test/");
    assert!(error.is_timeout() && error.to_string().contains("the proxy http://127.0.0.1:"), "{error}");
    assert!(error.to_string().contains("connect_timeout"), "{error}");
    assert_in_time(started, SHORT, &error);
}

#[test]
fn a_proxy_that_is_silent_after_a_plain_request_is_a_silent_server() {
    let proxy = Peer::start(|mut conn, _| {
        conn.request();
        conn.hold();
    });
    let client = by(at("http", &proxy));
    let started = Instant::now();
    let error = client.get("http://example.test/").timeout(SHORT).send().unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::Wait));
    assert_in_time(started, SHORT, &error);
}

#[test]
fn a_proxy_and_another_way_out_exclude_each_other() {
    let proxy = || Client::builder().proxy(Proxy::new("http://127.0.0.1:9").unwrap());
    let both: [fn(ClientBuilder) -> ClientBuilder; 2] =
        [|builder| builder.unix_socket("/nowhere"), |builder| builder.connector(Script::new())];
    for add in both {
        let error = refused(&add(proxy()).build(), "http://example.test/");
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        let error = refused(&add(proxy().no_proxy()).build(), "http:///");
        assert_eq!(error.kind(), ErrorKind::InvalidUrl, "the later setting counts: {error}");
    }
}

#[cfg(not(feature = "__rustls"))]
#[test]
fn a_proxy_behind_tls_needs_tls() {
    let client = by(Proxy::new("https://127.0.0.1:9").unwrap());
    let error = refused(&client, "http://example.test/");
    assert_eq!(error.kind(), ErrorKind::UnsupportedScheme, "{error}");
    assert!(error.to_string().contains("the proxy https://127.0.0.1:9 "), "{error}");
}

#[test]
fn nothing_shows_the_credentials() {
    let peer = Peer::answering(answer("407 Proxy Authentication Required", "", ""));
    let trace = Trace::default();
    let login = |scheme: &str| Proxy::new(&format!("{scheme}://me:hunter2@{}", peer.addr())).unwrap();
    let client = Client::builder().observer(trace.clone()).proxy(login("http")).build();
    let response: Response = client.get("http://example.test/").send().unwrap();
    let error = response.error_for_status().unwrap_err();
    let tunnelled = Client::builder().observer(trace.clone()).proxy(login("http").tunnel_http()).build();
    let refusal = refused(&tunnelled, "http://example.test/");
    let socks5 = refused(&impatient(login("socks5h")), "http://example.test/");
    let mut shown = format!("{error} {error:?} {refusal} {refusal:?} {socks5} {socks5:?} {}", trace.whole());
    shown += &format!("{:?} {client:?} {:?}", login("http"), Client::builder().proxy(login("socks5")));
    assert!(shown.contains("Proxy-Authorization: ***"), "{shown}");
    for secret in ["hunter2", "bWU6aHVudGVyMg=="] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
