//! https and proxies together: through HTTP proxies, plain and with TLS, and through
//! SOCKS5 proxies. The scripted proxies here relay, so that both ends see the true bytes; what
//! proxies do badly by themselves is tried in `tests/proxy.rs`, real ones in `tests/proxies.rs`.

use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use longwire::rustls::ALL_VERSIONS;
use longwire::rustls::version::{TLS12, TLS13};
use longwire::{
    CancelToken, Client, ClientBuilder, CloseReason, Error, ErrorKind, Event, Fate, Observer, Proxy, PublicOnly, Stage,
    Tls,
};

use crate::certificates::{Authority, Identity, NAME};
use crate::session::{dripping, serve};
use crate::support::peer::{Conn, LIMIT, Peer, answer, ok};
use crate::support::trace::Trace;
use crate::support::uncoded;
use crate::{pattern, url};

/// The name of the proxies, and how they answer a CONNECT.
const PROXY: &str = "proxy.test";
const ESTABLISHED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";
/// `me:secret`, as Basic has it.
const BASIC: &str = "Basic bWU6c2VjcmV0";
const USER_AGENT: &str = concat!("longwire/", env!("CARGO_PKG_VERSION"));
const SCHEMES: [&str; 3] = ["http", "https", "socks5h"];

const SHORT: Duration = Duration::from_millis(300);
/// More than a limit may be overrun on a busy machine, less than any default of the client.
const SLACK: Duration = Duration::from_secs(5);
const GAP: Duration = Duration::from_millis(20);

/// A proxy with what a client needs to reach and trust it.
struct Way {
    authority: Authority,
    scheme: &'static str,
    /// Does the TLS of an https proxy, and passes on to it.
    front: Option<Peer>,
    /// Is asked for tunnels and URLs.
    asked: Peer,
}

impl Way {
    /// Through a proxy that relays.
    fn new(scheme: &'static str) -> Way {
        Way::through(scheme, if scheme.starts_with("socks5") { socks5_proxy() } else { http_proxy() })
    }

    fn through(scheme: &'static str, asked: Peer) -> Way {
        let authority = Authority::new("root");
        let identity = authority.issue(&[PROXY], |_| {});
        let front = (scheme == "https").then(|| front(&identity, &asked));
        Way { authority, scheme, front, asked }
    }

    /// What the client connects to.
    fn near(&self) -> &Peer {
        self.front.as_ref().unwrap_or(&self.asked)
    }

    fn proxy(&self) -> Proxy {
        let proxy = Proxy::new(&format!("{}://{PROXY}:{}", self.scheme, self.near().addr().port())).expect("a proxy");
        let has_login = !self.scheme.starts_with("socks5");
        if has_login { proxy.basic_auth("me", "secret").expect("credentials") } else { proxy }
    }

    fn builder(&self) -> ClientBuilder {
        let config = Arc::new(self.authority.client_config(ALL_VERSIONS));
        uncoded().tls(Tls::from_rustls(config)).resolve_to(PROXY, self.near().addr()).proxy(self.proxy())
    }

    fn client(&self) -> Client {
        self.builder().build()
    }
}

/// An HTTP proxy: a tunnel leads to that port of this machine, whatever the name; other requests
/// get their own head for an answer. All heads are noted.
fn http_proxy() -> Peer {
    Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            let head = String::from_utf8_lossy(&request.raw_head).into_owned();
            conn.note(&head);
            if request.method == "CONNECT" {
                let port = request.target.rsplit(':').next().and_then(|port| port.parse().ok());
                conn.send(ESTABLISHED);
                return relay(&mut conn, port.expect("a port"));
            }
            conn.send(ok(&head));
        }
    })
}

/// The same for SOCKS5; what is asked for is noted as `name:port`.
fn socks5_proxy() -> Peer {
    Peer::start(|mut conn, _| {
        if let Some(port) = socks5_request(&mut conn) {
            conn.send([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
            relay(&mut conn, port);
        }
    })
}

/// The port that is asked for; `None` from a client that has run out of time.
fn socks5_request(conn: &mut Conn) -> Option<u16> {
    assert_eq!(conn.exactly(3)?, [5, 1, 0]);
    conn.send([5, 0]);
    let is_name = conn.exactly(4)?[3] == 3;
    let length = if is_name { conn.exactly(1)?[0] } else { 4 };
    let host = conn.exactly(length.into())?;
    let port = u16::from_be_bytes(conn.exactly(2)?.try_into().ok()?);
    match <[u8; 4]>::try_from(&host[..]) {
        Ok(address) if !is_name => conn.note(format!("{}:{port}", Ipv4Addr::from(address))),
        _ => conn.note(format!("{}:{port}", String::from_utf8_lossy(&host))),
    }
    Some(port)
}

fn relay(conn: &mut Conn, port: u16) {
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the tunnel's destination");
    conn.relay(&far, <[u8]>::to_vec, <[u8]>::to_vec);
}

/// Notes the name that it was asked by, and whether its client ended TLS as it should.
fn front(identity: &Identity, asked: &Peer) -> Peer {
    let to = asked.addr();
    serve(identity.server_config(ALL_VERSIONS), move |session, _| {
        session.conn.note(session.tls.server_name().unwrap_or("no name"));
        session.relay(to);
        session.note_end();
    })
}

/// A server that answers with the name that it was asked by, and the request.
fn origin(identity: &Identity) -> Peer {
    serve(identity.server_config(ALL_VERSIONS), |session, _| {
        let name = session.tls.server_name().unwrap_or("no name").to_owned();
        while let Some(request) = session.request() {
            session.conn.note(&request);
            session.send(ok(&format!("{name} {request}")));
        }
        session.note_end();
    })
}

/// A peer that says this to whatever comes first, and closes.
fn hearing(answer: String) -> Peer {
    Peer::start(move |mut conn, _| {
        conn.read_some();
        conn.send(&answer);
    })
}

fn connect(peer: &Peer) -> String {
    let authority = format!("{NAME}:{}", peer.addr().port());
    format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {USER_AGENT}\r\n\
         Proxy-Authorization: {BASIC}\r\n\r\n"
    )
}

#[track_caller]
fn failed(client: &Client, url: &str) -> Error {
    let error = client.post(url).body("an order").send().expect_err("no response");
    crate::failures::assert_plain(&error);
    error
}

/// Nothing is held, and of what was opened only so much was not closed.
#[track_caller]
fn assert_at_rest(client: &Client, idle: usize) {
    let stats = client.pool_stats();
    let left = stats.opened - stats.closed.total();
    assert_eq!((stats.in_use, stats.waiting, stats.idle, left), (0, 0, idle, idle as u64), "{stats:?}");
}

#[test]
fn a_tunnel_is_asked_for_and_what_goes_through_is_the_servers_alone() {
    for scheme in SCHEMES {
        let way = Way::new(scheme);
        let identity = way.authority.identity();
        let [one, two] = [(); 2].map(|()| origin(&identity));
        let client = way.client();
        for (peer, exchange) in [(&one, 1), (&two, 1), (&one, 2)] {
            let request = client.get(url(peer, "/a?b#c")).header("Proxy-Authorization", "mine");
            let response = request.basic_auth("you", Some("pw")).send().expect("an answer");
            let connection = response.connection();
            assert_eq!((connection.nth(), connection.peer_addr()), (exchange, Some(way.near().addr())));
            let shown = connection.tls().expect("TLS").peer_certificates();
            assert_eq!(shown, [identity.chain[0].to_vec()], "the server's, not the proxy's");
            let want = format!(
                "{NAME} GET /a?b HTTP/1.1\r\nHost: {NAME}:{}\r\nUser-Agent: {USER_AGENT}\r\nAccept: */*\r\n\
                 Authorization: Basic eW91OnB3\r\n\r\n",
                peer.addr().port()
            );
            assert_eq!(response.text().expect("a body"), want, "{scheme}");
        }
        let asked = match scheme {
            "socks5h" => [&one, &two].map(|peer| format!("{NAME}:{}", peer.addr().port())),
            _ => [&one, &two].map(connect),
        };
        assert_eq!(way.asked.notes(), asked);
        if let Some(front) = &way.front {
            assert_eq!(front.notes(), [PROXY; 2]);
        }
        assert_eq!((client.pool_stats().opened, client.pool_stats().reused), (2, 1));
        assert_at_rest(&client, 2);
    }
}

#[test]
fn a_wrong_certificate_behind_a_tunnel_is_refused_and_leaves_nothing_behind() {
    for scheme in SCHEMES {
        let way = Way::new(scheme);
        let trace = Trace::default();
        let client = way.builder().observer(trace.clone()).max_connections_per_host(1).build();
        let wrong = [way.authority.issue(&[PROXY], |_| {}), Authority::new("stranger").identity()];
        for (index, (identity, words)) in wrong.iter().zip(["is for another name", "no trusted root"]).enumerate() {
            let server = origin(identity);
            let error = failed(&client, &url(&server, "/"));
            assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Tls, Stage::Tls, Fate::NotSent));
            let start = format!("TLS handshake with {NAME}: ");
            assert!(error.to_string().starts_with(&start) && error.to_string().contains(words), "{error}");
            assert!(way.asked.saw_close(index) && way.near().saw_close(index), "{scheme}");
            assert!(!server.notes().iter().any(|note| note.contains("order")), "{:?}", server.notes());
            assert_eq!(trace.lines().last().map(String::as_str), Some("closed Failed"));
            assert_at_rest(&client, 0);
        }
        assert_eq!(client.pool_stats().opened, 2, "as often as that was reported");
        let server = origin(&way.authority.identity());
        assert!(client.get(url(&server, "/")).send().is_ok(), "{scheme}");
    }
}

#[test]
fn a_refused_tunnel_shows_the_proxys_answer_and_sends_nothing() {
    let refusals = [("407 Who", "it does not take the credentials"), ("403 No", "403 No"), ("502 Gone", "502 Gone")];
    for scheme in ["http", "https"] {
        for (status, words) in refusals {
            let page = answer(status, "Proxy-Authenticate: Basic realm=\"x\"\r\n", "a page");
            let way = Way::through(scheme, Peer::answering(page.clone()));
            let client = way.client();
            for (host, authority) in [(NAME, "longwire.test:443"), ("[2001:db8::1]", "[2001:db8::1]:443")] {
                let error = failed(&client, &format!("https://{host}/"));
                assert_eq!(
                    (error.kind(), error.stage(), error.fate(), error.peer_addr()),
                    (ErrorKind::Proxy, Stage::Connect, Fate::NotSent, Some(way.near().addr())),
                    "{error}"
                );
                assert_eq!(
                    error.status().map(|status| status.to_string()[..3].to_owned()),
                    Some(status[..3].to_owned())
                );
                assert_eq!(error.proxy_answer(), Some(page.as_bytes()));
                assert!(error.to_string().contains(words), "{error}");
                assert_eq!(way.asked.request_lines().last(), Some(&format!("CONNECT {authority} HTTP/1.1")));
            }
            assert!((0..2).all(|index| way.asked.saw_close(index)));
            assert_eq!(way.asked.request_lines().len(), 2, "no byte of the order");
            assert_at_rest(&client, 0);
        }
    }
}

#[test]
fn an_https_proxy_is_asked_for_http_urls_inside_tls() {
    let way = Way::new("https");
    let client = way.client();
    for (host, exchange) in [("one.test", 1), ("two.test:81", 2), ("one.test", 3)] {
        let response = client.get(format!("http://{host}/a?b")).send().expect("an answer");
        assert_eq!(response.connection().nth(), exchange);
        assert_eq!(response.timings().tls.is_zero(), exchange > 1);
        assert!(response.connection().tls().is_none(), "there is none with the server");
        let want = format!(
            "GET http://{host}/a?b HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {USER_AGENT}\r\nAccept: */*\r\n\
             Proxy-Authorization: {BASIC}\r\n\r\n"
        );
        assert_eq!(response.text().expect("a body"), want);
    }
    assert_eq!(way.near().notes(), [PROXY]);
    assert_at_rest(&client, 1);
}

#[test]
fn an_https_proxy_that_is_not_trusted_is_named_in_the_error_and_sent_nothing() {
    let mut way = Way::new("https");
    let cases = [
        (front(&way.authority.identity(), &way.asked), "'s certificate is for another name"),
        (front(&Authority::new("stranger").issue(&[PROXY], |_| {}), &way.asked), "no trusted root"),
        (hearing(answer("400 What", "", "")), " speaks plain HTTP on this port"),
        (hearing(String::new()), " closed the connection"),
    ];
    for (peer, words) in cases {
        let address = peer.addr();
        way.front = Some(peer);
        let trace = Trace::default();
        let client = way.builder().observer(trace.clone()).build();
        for (index, scheme) in ["http", "https"].into_iter().enumerate() {
            let error = failed(&client, &format!("{scheme}://example.test/"));
            let (kind, stage, fate) = (error.kind(), error.stage(), error.fate());
            assert_eq!((kind, stage, fate), (ErrorKind::Tls, Stage::Tls, Fate::NotSent), "{error}");
            let (port, shown) = (address.port(), error.to_string());
            let start = format!("the proxy https://{PROXY}:{port}: TLS handshake with {PROXY}: the server");
            assert!(shown.starts_with(&start) && shown.contains(words), "{shown}");
            assert!(way.near().has_closed(index));
        }
        assert!(trace.lines().is_empty(), "no connection came of it: {:?}", trace.lines());
        assert_at_rest(&client, 0);
    }
    assert_eq!(way.asked.connections(), 0);
}

/// In TLS 1.3 the refusal meets whatever is read first.
#[test]
fn an_https_proxy_that_wants_a_client_certificate_says_so() {
    for version in [&TLS12, &TLS13] {
        let way = Way::new("https");
        let identity = way.authority.issue(&[PROXY], |_| {});
        let demanding = way.authority.demanding(&identity, version);
        let to = way.asked.addr();
        let way = Way { front: Some(serve(demanding, move |session, _| session.relay(to))), ..way };
        let error = failed(&way.client(), &format!("https://{NAME}/"));
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Tls, Fate::NotSent), "{error}");
        assert!(error.to_string().contains("the server requires a client certificate"), "{error}");
        let server = origin(&way.authority.identity());
        let config = Arc::new(way.authority.client_config_with(&way.authority.identity()));
        let with = way.builder().tls(Tls::from_rustls(config)).build();
        assert!(with.get(url(&server, "/")).send().is_ok(), "{version:?}");
    }
}

/// The proxy's settings are not used for servers, nor the other way round.
#[test]
fn the_settings_of_a_proxy_apply_to_it_alone() {
    let way = Way::new("https");
    let (world, to) = (Authority::new("the world's"), way.asked.addr());
    let demanding = way.authority.demanding(&way.authority.issue(&[PROXY], |_| {}), &TLS13);
    let way = Way { front: Some(serve(demanding, move |session, _| session.relay(to))), ..way };
    let server = origin(&world.identity());
    let through = |proxy| {
        let config = Arc::new(world.client_config(ALL_VERSIONS));
        uncoded().tls(Tls::from_rustls(config)).resolve_to(PROXY, way.near().addr()).proxy(proxy).build()
    };
    let error = failed(&through(way.proxy()), &url(&server, "/"));
    assert!(error.kind() == ErrorKind::Tls && error.to_string().contains("no trusted root"), "{error}");
    let own = Arc::new(way.authority.client_config_with(&way.authority.identity()));
    let client = through(way.proxy().tls(Tls::from_rustls(own)).expect("a sound value"));
    assert!(client.get(url(&server, "/")).send().is_ok());
    let of_the_proxys = origin(&way.authority.identity());
    let error = failed(&client, &url(&of_the_proxys, "/"));
    assert!(error.kind() == ErrorKind::Tls && error.to_string().contains("no trusted root"), "{error}");
}

/// A connection that was opened with one value must not carry a request that asks for another.
#[test]
fn requests_whose_proxies_differ_in_tls_share_no_connection() {
    let way = Way::new("https");
    let client = way.builder().build();
    let server = origin(&way.authority.identity());
    let nth = |proxy: Proxy, url: &str| client.get(url).proxy(proxy).send().map(|response| response.connection().nth());
    let own = way.proxy().tls(way.authority.tls()).expect("a sound value");
    let stranger = way.proxy().tls(Authority::new("stranger").tls()).expect("a sound value");
    for url in ["http://one.test/", &url(&server, "/")] {
        for exchange in 1..=2 {
            assert_eq!(nth(way.proxy(), url).expect("an answer"), exchange, "the client's");
            assert_eq!(nth(own.clone(), url).expect("an answer"), exchange, "its own");
            assert_eq!(nth(stranger.clone(), url).expect_err("it is not trusted").kind(), ErrorKind::Tls);
        }
    }
}

/// Also where the proxy's TLS ends without close_notify, which is another error elsewhere.
#[test]
fn a_proxy_that_breaks_off_in_the_servers_handshake_is_a_failed_handshake() {
    for scheme in ["http", "https"] {
        let asked = Peer::start(|mut conn, _| {
            conn.request();
            conn.send(ESTABLISHED);
            conn.read_some();
        });
        let mut way = Way::through(scheme, asked);
        if scheme == "https" {
            let identity = way.authority.issue(&[PROXY], |_| {});
            way.front = Some(serve(identity.server_config(ALL_VERSIONS), |session, _| {
                session.request();
                session.send(ESTABLISHED);
                session.read_more(1);
            }));
        }
        let error = failed(&way.client(), &format!("https://{NAME}/"));
        assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Tls, Stage::Tls, Fate::NotSent), "{error}");
        let start = format!("TLS handshake with {NAME}: ");
        assert!(error.to_string().starts_with(&start), "{error}");
    }
}

#[test]
fn a_kept_tunnel_that_died_is_replaced_by_another() {
    for scheme in SCHEMES {
        let way = Way::new(scheme);
        let server = serve(way.authority.identity().server_config(ALL_VERSIONS), |session, index| {
            while session.request().is_some() {
                session.send(ok(&index.to_string()));
                if index == 0 {
                    session.request(); // and no answer
                    return;
                }
            }
        });
        let client = way.client();
        let texts = [(); 3].map(|()| crate::text(&client, &url(&server, "/")));
        assert_eq!(texts, ["0", "1", "1"], "{scheme}");
        assert_eq!((way.asked.notes().len(), client.pool_stats().closed.get(CloseReason::Failed)), (2, 1));
        assert_at_rest(&client, 1);
    }
}

// ── Redirects and the environment ───────────────────────────────────────────────────────────────

#[test]
fn redirects_out_of_a_tunnel_take_only_harmless_fields_along() {
    for scheme in ["http", "https"] {
        let way = Way::new(scheme);
        let other = origin(&way.authority.identity());
        let elsewhere = url(&other, "/c");
        let first = serve(way.authority.identity().server_config(ALL_VERSIONS), move |session, _| {
            while let Some(request) = session.request() {
                let down = request.starts_with("GET /down ");
                let to = if down { "http://plain.test/b" } else { elsewhere.as_str() };
                session.send(answer("302 Found", &format!("Location: {to}\r\n"), ""));
            }
        });
        let ask = |builder: ClientBuilder, path: &str| {
            let client = builder.allow_cross_origin_header("X-Trace").default_header("X-Api-Key", "k3y").build();
            let request = client.get(url(&first, path)).bearer_auth("token").header("Accept", "text/plain");
            request.header("X-Trace", "1").header("Cookie", "a=b").send()
        };
        let error = ask(way.builder(), "/down").expect_err("it leads out of TLS");
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Redirect, Fate::ResponseStarted), "{error}");
        assert_eq!(way.asked.notes(), [connect(&first)]);

        let forwarded = ask(way.builder().allow_https_downgrade(true), "/down").expect("an answer");
        let head = |target: &str, host: &str, credentials: &str| {
            format!(
                "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {USER_AGENT}\r\n{credentials}\
                 Accept: text/plain\r\nX-Trace: 1\r\n\r\n"
            )
        };
        let credentials = format!("Proxy-Authorization: {BASIC}\r\n");
        assert_eq!(forwarded.text().expect("a body"), head("http://plain.test/b", "plain.test", &credentials));

        let tunnelled = ask(way.builder(), "/across").expect("an answer");
        let host = format!("{NAME}:{}", other.addr().port());
        assert_eq!(tunnelled.text().expect("a body"), format!("{NAME} {}", head("/c", &host, "")));
        assert_eq!(way.asked.notes()[3..], [connect(&first), connect(&other)]);
    }
}

/// In a child process, which is started with the variables.
#[test]
fn the_environment_has_one_proxy_for_https_and_another_for_http() {
    const CHILD: &str = "LONGWIRE_TEST_HTTPS_PROXY";

    if std::env::var_os(CHILD).is_some() {
        let client = Client::new();
        assert_eq!(client.get("http://example.test/").send().expect("an answer").text().expect("a body"), "for http");
        let error = client.get("https://example.test/").send().expect_err("no tunnel");
        assert_eq!((error.kind(), error.proxy_answer().is_some()), (ErrorKind::Proxy, true), "{error}");
        return;
    }
    let for_http = Peer::answering(ok("for http"));
    let for_https = Peer::answering(answer("403 No", "", "for https"));
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    for name in ["REQUEST_METHOD", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "HTTP_PROXY", "https_proxy"] {
        child.env_remove(name);
    }
    let child = child
        .args(["--exact", "proxies::the_environment_has_one_proxy_for_https_and_another_for_http"])
        .env(CHILD, "1")
        .env("http_proxy", for_http.addr().to_string())
        .env("HTTPS_PROXY", format!("http://{}", for_https.addr()))
        .output()
        .expect("this program runs");
    let output = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && output.contains("1 passed"), "{output}");
    assert_eq!(for_http.request_lines(), ["GET http://example.test/ HTTP/1.1"]);
    assert_eq!(for_https.request_lines(), ["CONNECT example.test:443 HTTP/1.1"]);
}

#[test]
fn an_address_filter_sees_what_a_trusted_proxy_is_asked_for() {
    for scheme in SCHEMES {
        let way = Way::new(scheme);
        let server = origin(&way.authority.identity());
        let to_metadata = answer("302 Found", "Location: https://169.254.169.254/\r\n", "");
        let moved = serve(way.authority.identity().server_config(ALL_VERSIONS), move |session, _| {
            session.request();
            session.send(&to_metadata);
        });
        let blocked = |client: &Client, url: &str| {
            let error = client.get(url).send().expect_err(url);
            assert_eq!(error.kind(), ErrorKind::BlockedAddress, "{scheme} {url}: {error}");
        };
        let untrusted = way.builder().address_filter(PublicOnly::allows).build();
        blocked(&untrusted, &url(&server, "/"));
        assert_eq!(way.near().connections(), 0);
        let trusted = way.builder().proxy(way.proxy().trusted()).address_filter(PublicOnly::allows).build();
        assert!(trusted.get(url(&server, "/")).send().is_ok(), "{scheme}");
        for literal in ["https://127.0.0.1/", "https://[::ffff:10.0.0.1]/", "https://2130706433/"] {
            blocked(&trusted, literal);
        }
        blocked(&trusted, &url(&moved, "/"));
        assert_eq!(way.near().connections(), 2);
    }
}

#[test]
fn a_name_that_is_looked_up_here_for_socks5_is_filtered_and_still_the_one_in_the_certificate() {
    let way = Way::new("socks5");
    let server = origin(&way.authority.identity());
    let own = server.addr();
    let client = |allows: bool| {
        let filter = move |address: &std::net::SocketAddr| allows && *address == own;
        way.builder().resolve_to(NAME, own).proxy(way.proxy().trusted()).address_filter(filter).build()
    };
    let error = failed(&client(false), &url(&server, "/"));
    assert_eq!((error.kind(), way.asked.connections()), (ErrorKind::BlockedAddress, 0), "{error}");
    assert!(crate::text(&client(true), &url(&server, "/")).starts_with(&format!("{NAME} GET / ")));
    assert_eq!(way.asked.notes(), [own.to_string()]);
}

// ── What can be seen ────────────────────────────────────────────────────────────────────────────

#[test]
fn events_and_timings_report_every_handshake() {
    for scheme in SCHEMES {
        let way = Way::new(scheme);
        let server = origin(&way.authority.identity());
        let trace = Trace::default();
        let client = way.builder().observer(trace.clone()).build();
        let started = Instant::now();
        let response = client.get(url(&server, "/")).send().expect("an answer");
        let (timings, whole) = (response.timings(), started.elapsed());
        assert!(!timings.tls.is_zero() && !timings.connect.is_zero(), "{timings:?}");
        assert!(timings.resolve + timings.connect + timings.tls + timings.send + timings.wait <= whole, "{timings:?}");
        response.bytes().expect("a body");
        let mut want = vec!["connected", "secured", "request GET / HTTP/1.1", "response HTTP/1.1 200 OK", "kept"];
        if scheme == "https" {
            want.insert(0, "secured"); // the proxy; what is connected is the tunnel
        }
        assert_eq!(trace.lines(), want, "{scheme}");
        let again = client.get(url(&server, "/")).send().expect("an answer").timings();
        assert!(again.tls.is_zero() && again.connect.is_zero() && again.resolve.is_zero(), "{again:?}");
    }
}

#[test]
fn both_layers_of_tls_say_goodbye_when_a_connection_is_closed() {
    let way = Way::new("https");
    let server = origin(&way.authority.identity());
    let client = way.client();
    crate::text(&client, &url(&server, "/"));
    client.close_idle();
    assert!(server.noted(0, "goodbye"), "{:?}", server.notes());
    assert!(way.near().noted(0, "goodbye"), "{:?}", way.near().notes());
    assert_eq!(client.pool_stats().closed.get(CloseReason::Cleared), 1);
    assert_at_rest(&client, 0);
}

/// Records of the one layer end nowhere near those of the other.
#[test]
fn large_bodies_pass_through_both_layers_of_tls() {
    const BYTES: usize = 3 << 20;

    let way = Way::new("https");
    let server = serve(way.authority.identity().server_config(ALL_VERSIONS), |session, _| {
        while let Some(request) = session.request() {
            let body = request.split_once("\r\n\r\n").expect("a head").1.to_owned();
            session.send(ok(&body));
        }
    });
    let body: String = pattern(BYTES).into_iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    let client = way.client();
    for exchange in 1..=2 {
        let response = client.post(url(&server, "/")).body(&body).send().expect("an answer");
        assert_eq!(response.connection().nth(), exchange);
        assert!(response.text().expect("a body") == body, "exchange {exchange}");
    }
}

// ── Time and cancels ────────────────────────────────────────────────────────────────────────────

/// A peer that reads something, and then sends nothing.
fn silent() -> Peer {
    Peer::start(|mut conn, _| {
        conn.read_some();
        conn.note("received");
        conn.wait_closed(LIMIT);
    })
}

/// The phase in which a peer on the way to the server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    ProxysHandshake,
    Answer,
    ServersHandshake,
}

struct Stop {
    way: Way,
    server: Peer,
    phase: Phase,
}

impl Stop {
    /// The peer that stops.
    fn who(&self) -> &Peer {
        match self.phase {
            Phase::ProxysHandshake => self.way.near(),
            Phase::Answer => &self.way.asked,
            Phase::ServersHandshake => &self.server,
        }
    }
}

/// Every phase in which a client waits for a proxy or for the server beyond it; `stopping` makes
/// the peer that stops.
fn stops(stopping: impl Fn(Phase, &Authority) -> Peer) -> Vec<Stop> {
    let mut stops: Vec<Stop> = Vec::new();
    for scheme in SCHEMES {
        let (way, phase) = (Way::new(scheme), Phase::ServersHandshake);
        stops.push(Stop { server: stopping(phase, &way.authority), way, phase });
    }
    let way = Way::through("https", stopping(Phase::Answer, &Authority::new("unused")));
    stops.push(Stop { way, server: silent(), phase: Phase::Answer });
    let (mut way, phase) = (Way::new("https"), Phase::ProxysHandshake);
    way.front = Some(stopping(phase, &way.authority));
    stops.push(Stop { way, server: silent(), phase });
    stops
}

#[track_caller]
fn assert_in_time(stop: &Stop) {
    for setting in ["connect_timeout", "timeout"] {
        let builder = stop.way.builder();
        let builder = if setting == "timeout" { builder.timeout(SHORT) } else { builder.connect_timeout(SHORT) };
        let client = builder.build();
        let started = Instant::now();
        let error = failed(&client, &url(&stop.server, "/"));
        let took = started.elapsed();
        assert_eq!((error.kind(), error.fate()), (ErrorKind::Timeout, Fate::NotSent), "{error}");
        assert!(error.to_string().contains(&format!("{setting} of 300ms passed")), "{error}");
        assert!(took >= SHORT && took < SHORT + SLACK, "{took:?}: {error}");
        assert_at_rest(&client, 0);
    }
}

#[test]
fn a_peer_that_stalls_on_the_way_is_not_waited_for_longer_than_allowed() {
    for stop in stops(|_, _| silent()) {
        assert_in_time(&stop);
    }
}

#[test]
fn a_peer_that_drips_on_the_way_is_not_waited_for_longer_than_allowed() {
    let drips = |phase: Phase, authority: &Authority| match phase {
        Phase::Answer => Peer::start(|mut conn, _| {
            conn.head();
            conn.drip(format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(2000)), GAP);
        }),
        _ => dripping(authority.issue(&[NAME, PROXY], |_| {}).server_config(ALL_VERSIONS), GAP),
    };
    for stop in stops(drips) {
        assert_in_time(&stop);
    }
}

#[test]
fn a_cancel_ends_every_phase_on_the_way() {
    for stop in stops(|_, _| silent()) {
        let (trace, token) = (Trace::default(), CancelToken::new());
        let client = stop.way.builder().observer(trace.clone()).build();
        let started = Instant::now();
        let error = thread::scope(|scope| {
            scope.spawn(|| {
                assert!(stop.who().noted(0, "received"));
                token.cancel();
            });
            client.get(url(&stop.server, "/")).cancel_token(&token).send().expect_err("a cancel")
        });
        let stage = if stop.phase == Phase::Answer { Stage::Connect } else { Stage::Tls };
        let (kind, fate) = (ErrorKind::Cancelled, Fate::NotSent);
        assert_eq!((error.kind(), error.stage(), error.fate()), (kind, stage, fate), "{:?}", stop.phase);
        assert!(started.elapsed() < SLACK && stop.who().saw_close(0), "{:?}", stop.phase);
        let was_connected = trace.lines().last().is_some_and(|line| line == "closed Cancelled");
        assert_eq!(was_connected, stop.phase == Phase::ServersHandshake, "{:?}", trace.lines());
        assert_at_rest(&client, 0);
    }
}

/// Cancels its token at the first handshake that was completed.
struct CancelWhenSecured(CancelToken);

impl Observer for CancelWhenSecured {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::CallStarted { .. } | Event::Failed { .. } => {}
            Event::Secured { .. } => self.0.cancel(),
            _ => panic!("what comes after the cancel: {event:?}"),
        }
    }
}

#[test]
fn a_cancel_between_two_handshakes_is_seen() {
    let way = Way::new("https");
    let token = CancelToken::new();
    let client = way.builder().observer(CancelWhenSecured(token.clone())).build();
    let error = client.get("https://example.test/").cancel_token(&token).send().expect_err("a cancel");
    assert_eq!((error.kind(), error.fate()), (ErrorKind::Cancelled, Fate::NotSent), "{error}");
    assert!(way.near().saw_close(0) && way.asked.notes().is_empty());
    assert_at_rest(&client, 0);
}
