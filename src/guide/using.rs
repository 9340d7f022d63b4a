//! How to use longwire: each thing with an example that runs, and with the trap that people step into.
//!
//! The examples need no network. Their servers are in memory ([`script`]), or listen on loopback.
//!
//! [Timeouts](#timeouts), [errors](#errors), [retries](#retries), [the pool and threads](#the-pool-and-threads),
//! [cancelling](#cancelling), [`fork()`](#fork), [tests](#tests-without-a-server), [TLS](#tls), [proxies](#proxies),
//! [untrusted URLs](#untrusted-urls), [small builds](#small-builds), [what it does not do](#what-it-does-not-do).
//!
//! # Timeouts
//!
//! Every limit ends one kind of waiting, and its error is an [`ErrorKind::Timeout`] whose text names the setting.
//! The [front page](crate#timeouts) has the defaults.
//!
//! | what hangs | which limit ends it |
//! |---|---|
//! | every connection that [`max_connections_per_host`](crate::ClientBuilder::max_connections_per_host) allows is in use | [`connect_timeout`](crate::ClientBuilder::connect_timeout) |
//! | the DNS look-up; the connect; the handshakes with a proxy and of TLS | the same, for all of them together |
//! | the server takes no more of the request | [`write_timeout`](crate::ClientBuilder::write_timeout) |
//! | nothing comes back | [`read_timeout`](crate::ClientBuilder::read_timeout) |
//! | only interim responses (1xx) come back, again and again | [`header_timeout`](crate::ClientBuilder::header_timeout) |
//! | a response head begins and does not end | `read_timeout`, counted from its first byte |
//! | the body stops | `read_timeout` |
//! | the body goes on, a few bytes at a time | [`min_speed`](crate::ClientBuilder::min_speed) |
//! | each step is quick, and there are many: redirects, retries | [`timeout`](crate::ClientBuilder::timeout) |
//! | the reader of your request body, or your code between two reads | none: these are not interrupted |
//!
//! `timeout` is one deadline from the call to the last byte of the body, and the time between your reads counts.
//! Give none to a download whose length is unknown: it needs `read_timeout`, and `min_speed` against a server that
//! drips. (What has already arrived is handed out after a deadline, too.)
//!
//! ```
//! use longwire::ErrorKind;
//! use longwire::script::{Script, reply};
//! use std::time::Duration;
//!
//! // 10 bytes, and 5 ms later the next 10: no read ever waits for long.
//! let script = Script::answering(reply(200).body(vec![b'x'; 5_000]).drip(10, Duration::from_millis(5)));
//! let client = script
//!     .builder()
//!     .read_timeout(Duration::from_secs(30))
//!     .min_speed(100_000, Duration::from_millis(50)) // in earnest: 10_000 bytes in 30 s, say
//!     .build();
//! let error = client.get("http://files.example/image").send()?.bytes().unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::Timeout);
//! assert!(error.to_string().contains("min_speed"), "{error}");
//! # Ok::<(), longwire::Error>(())
//! ```
//!
//! **Trap:** a `timeout` of 30 s that was meant for "the server is dead" and ends a download of 31 s. And zero is
//! no way to say "no limit": that is `None`; zero is [`ErrorKind::InvalidRequest`].
//!
//! # Errors
//!
//! A response with status 404 is `Ok`; [`error_for_status`](crate::Response::error_for_status) makes an error of it,
//! with the beginning of its body ([`Error::body`]). An [`Error`] has one line for the log and four answers for the
//! program:
//!
//! | ask | to decide |
//! |---|---|
//! | [`kind`](crate::Error::kind) | what to tell the user |
//! | [`kind().side()`](crate::ErrorKind::side) | who mends it: [`Caller`](crate::Side::Caller) is this program or its settings, [`Network`](crate::Side::Network) is later or another way, [`Peer`](crate::Side::Peer) is the server |
//! | [`stage`](crate::Error::stage) | where to look: [`Resolve`](crate::Stage::Resolve) is DNS, [`Wait`](crate::Stage::Wait) a slow server |
//! | [`fate`](crate::Error::fate) | whether it is safe to send it again |
//!
//! ```
//! use longwire::script::{Script, raw};
//! use longwire::{Client, Error, ErrorKind, Fate, Side};
//! use std::io::Read;
//!
//! let script = Script::new()
//!     .refuse() // the first connection
//!     .on("POST /pay", raw("").close()) // it has read the request, and closes without a word
//!     .on("GET /page", raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut").close());
//! let client = script.client();
//! let pay = |client: &Client| client.post("http://shop.example/pay").body("7 EUR").send().unwrap_err();
//!
//! let error = pay(&client);
//! assert_eq!((error.kind(), error.fate()), (ErrorKind::Connect, Fate::NotSent)); // pay again
//! let error = pay(&client);
//! assert_eq!((error.kind(), error.fate()), (ErrorKind::Truncated, Fate::MaybeProcessed)); // ask first
//! assert_eq!(error.kind().side(), Side::Peer);
//!
//! // Reading goes through std::io::Read, so the error comes inside an io::Error.
//! let mut text = String::new();
//! let error = client.get("http://shop.example/page").send()?.read_to_string(&mut text).unwrap_err();
//! let error = Error::try_from(error)?;
//! assert_eq!((error.kind(), error.fate()), (ErrorKind::Truncated, Fate::ResponseStarted));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Trap:** to send a POST again because its error was a timeout. The kind says what happened to you, the fate what
//! may have happened at the server.
//!
//! # Retries
//!
//! By itself a client repeats only what died on a pooled connection, under [these
//! conditions](crate#errors-and-retries). A [`Retry`] does more, for a whole client or for one request: it waits, as
//! `Retry-After` says, and sends again what was not sent; and what is idempotent also after 429, 502, 503 and 504, a
//! broken connection, or silence. For a POST to be idempotent the server must be able to tell a repetition: give it an
//! `Idempotency-Key`, if the server honours that.
//!
//! ```
//! use longwire::Retry;
//! use longwire::script::{Script, reply};
//!
//! let script = Script::new().on("POST /pay", reply(503).header("Retry-After", "0")).then(reply(201));
//! let client = script.builder().retry(Retry::new(3)).build();
//! let request = client.post("http://shop.example/pay").header("Idempotency-Key", "order-4711").body("7 EUR");
//! let response = request.send()?;
//! assert_eq!((response.status().as_u16(), response.attempts()), (201, 2));
//!
//! // Without the key the 503 is handed out.
//! let script = Script::answering(reply(503));
//! let client = script.builder().retry(Retry::new(3)).build();
//! let response = client.post("http://shop.example/pay").body("7 EUR").send()?;
//! assert_eq!((response.status().as_u16(), response.attempts()), (503, 1));
//! # Ok::<(), longwire::Error>(())
//! ```
//!
//! Write a loop of your own only for what no policy can know: a job that answers 200 and "not yet", or a body from a
//! reader, which you can open anew. Go by `fate()`, wait by [`Response::retry_after`], sleep by
//! [`CancelToken::wait`].
//!
//! **Trap:** loops around loops. Three attempts of yours around a `Retry::new(3)` are up to twelve requests, and more
//! with redirects and connections that turn out dead. An `Idempotency-Key` that the server ignores pays twice. And a
//! policy never repeats what was answered with a response that was cut. For a large file there is [`Download`], which
//! asks for the rest.
//!
//! # The pool and threads
//!
//! Make one [`Client`] and keep it; clones share its pool, and any number of threads may use it. A body that was read
//! to its end has returned its connection. If it is dropped before, the connection is closed, unless the rest has
//! already arrived (64 KiB at most). [`pool_stats`](crate::Client::pool_stats) tells how many connections were opened
//! and reused, and why each was closed.
//!
//! ```
//! use longwire::CloseReason;
//! use longwire::script::{Script, reply};
//! use std::thread;
//!
//! let script = Script::new()
//!     .on("GET /small", reply(200).body("small"))
//!     .on("GET /large", reply(200).body(vec![b'x'; 1 << 20]));
//! let client = script.client();
//! thread::scope(|scope| {
//!     for _ in 0..4 {
//!         scope.spawn(|| {
//!             for _ in 0..25 {
//!                 client.get("http://files.example/small").send().unwrap().bytes().unwrap();
//!             }
//!         });
//!     }
//! });
//! let stats = client.pool_stats();
//! assert!(stats.opened <= 4); // one for each thread, at most
//! assert_eq!(stats.opened + stats.reused, 100);
//!
//! drop(client.get("http://files.example/large").send()?); // nobody reads a megabyte for nothing
//! assert_eq!(client.pool_stats().closed.get(CloseReason::Unfinished), 1);
//! # Ok::<(), longwire::Error>(())
//! ```
//!
//! | many closed for | mend it by |
//! |---|---|
//! | [`Unfinished`](crate::CloseReason::Unfinished) | reading to the end, or asking for less: `HEAD`, `Range` |
//! | [`PeerClosed`](crate::CloseReason::PeerClosed), and [`StrayBytes`](crate::CloseReason::StrayBytes) where they are a 408 to an idle connection | an [`idle_timeout`](crate::ClientBuilder::idle_timeout) below the server's |
//! | [`PoolFull`](crate::CloseReason::PoolFull) | a [`max_idle_per_host`](crate::ClientBuilder::max_idle_per_host), and a [`max_idle`](crate::ClientBuilder::max_idle) for all hosts, of as many as there are threads |
//! | [`ServerClose`](crate::CloseReason::ServerClose), [`Http10`](crate::CloseReason::Http10), [`UntilClose`](crate::CloseReason::UntilClose) | the server's configuration: it ends them |
//! | other `StrayBytes`, [`BadFraming`](crate::CloseReason::BadFraming) | a look at the server, or at the proxy in between: what it sends is not sound |
//!
//! * [`max_connections_per_host`](crate::ClientBuilder::max_connections_per_host) caps what a server gets; further
//!   requests wait their turn. [`max_connection_age`](crate::ClientBuilder::max_connection_age) lets a load balancer or
//!   a change of DNS have effect.
//! * Each reuse is probed: one read that does not wait, three system calls.
//!   [`probe_after`](crate::ClientBuilder::probe_after) leaves that out after short rests. Keep it where a POST must
//!   not meet a dead connection, and where you don't trust the link.
//! * [`connect_ahead`](crate::Client::connect_ahead) opens connections before they are needed. One that no request
//!   takes within 5 s is not used any more.
//!
//! **Trap:** a client for each request: nothing is ever reused. And with `max_connections_per_host(1)`, to send the
//! second request while the first response is unread in hand: the thread waits for itself, until `connect_timeout`.
//!
//! # Cancelling
//!
//! A [`CancelToken`] ends requests from another thread, at whatever stage they are; a cancelled body never looks
//! complete.
//!
//! ```
//! use longwire::CancelToken;
//! use longwire::script::{Script, raw};
//! use std::thread;
//!
//! let script = Script::answering(raw("").silence()); // it never answers
//! let client = script.client();
//! let token = CancelToken::new();
//! let error = thread::scope(|scope| {
//!     let request = client.get("http://slow.example/").cancel_token(&token);
//!     let waiting = scope.spawn(|| request.send().unwrap_err());
//!     token.cancel(); // before or while it waits: both end it
//!     waiting.join().unwrap()
//! });
//! assert!(error.is_cancelled());
//! ```
//!
//! **Trap:** a cancelled token stays cancelled. Make a new one for the next piece of work, not one for the program.
//!
//! # `fork()`
//!
//! After `fork()` parent and child hold the same sockets, and each could read the other's response. The child calls
//! [`close_idle`](crate::Client::close_idle) first, or makes a client of its own. That costs the parent nothing:
//! `tests/reuse/fork.rs::a_child_costs_its_parent_no_connection_and_no_byte`.
//!
//! ```
//! use longwire::script::{Script, reply};
//! use longwire::{Client, Result};
//!
//! /// The first thing that a worker process does after `fork()`.
//! fn in_child(client: &Client) -> Result<String> {
//!     client.close_idle();
//!     client.get("http://jobs.example/next").send()?.text()
//! }
//!
//! let script = Script::answering(reply(200).body("job 7"));
//! let client = script.client();
//! client.get("http://jobs.example/").send()?.text()?; // one connection is idle now
//! assert_eq!(in_child(&client)?, "job 7");
//! assert_eq!(script.connections(), 2); // and it was not the one that was used
//! # Ok::<(), longwire::Error>(())
//! ```
//!
//! **Trap:** the functions [`get`](crate::get), [`post`](crate::post) and their like share one client, which you
//! cannot empty: a child must not use them if its parent has. (`std::process::Command` needs none of this: the new
//! program has no client, and std's sockets are closed by `exec`.) What else a child may do with a copy stands at
//! [`Client`].
//!
//! # Tests without a server
//!
//! Let your functions take a `&Client`, and give them the client of a [`Script`] in tests: a server in memory, below
//! the whole of longwire, so that pool, retries, redirects and limits are the real ones. It does what servers do on a
//! bad day, too.
//!
//! ```
//! use longwire::script::{Script, connection, reply};
//! use longwire::{Client, ErrorKind, Result};
//!
//! fn count_lines(client: &Client) -> Result<usize> {
//!     Ok(client.get("https://logs.example/today").send()?.error_for_status()?.text()?.lines().count())
//! }
//!
//! let log = || reply(200).body("one\ntwo\n");
//! let script = Script::new()
//!     .connection(connection().exchange(log()).exchange(log().stale())) // dead after its second reply
//!     .on("GET /today", log())
//!     .then(log().cut_after(45)) // in the middle of the head
//!     .then(reply(500));
//! let client = script.client();
//! assert_eq!(count_lines(&client)?, 2);
//! assert_eq!(count_lines(&client)?, 2);
//! assert_eq!(count_lines(&client)?, 2); // sent twice: its connection was dead
//! assert_eq!(count_lines(&client).unwrap_err().kind(), ErrorKind::Truncated);
//! assert_eq!(count_lines(&client).unwrap_err().kind(), ErrorKind::Status);
//! assert_eq!(script.seen()[0].header("host"), Some("logs.example"));
//! script.assert_done();
//! # Ok::<(), longwire::Error>(())
//! ```
//!
//! [`Record`] writes the exchanges with a real server to files, and [`Replay`] is that server from then on.
//!
//! **Trap:** a record has the secrets of heads and URLs blanked, and its bodies as they came: look at them before you
//! commit them. And a script stands in for the network, so a proxy, a resolver or an address filter together with it
//! is [`ErrorKind::InvalidRequest`].
//!
//! # TLS
//!
//! The features `tls` and `tls-webpki-roots` bring it; [`ClientBuilder::tls`] takes a [`Tls`].
//!
//! | the server's certificate | what to set |
//! |---|---|
//! | is from a public authority | nothing: the platform's roots, or Mozilla's with `tls-webpki-roots` alone |
//! | … but the image has no trust store | the feature `tls-webpki-roots`; with both features, `roots(Roots::Bundled)` |
//! | is from your company's authority | [`add_root`](crate::Tls::add_root); alone with [`roots(Roots::None)`](crate::Tls::roots); or, on Linux and the BSDs, the variable `SSL_CERT_FILE`, which stands in place of the platform's |
//! | is a device's own, self-signed | [`pin`](crate::Tls::pin); [`any_name`](crate::Tls::any_name) where the device goes by another name than its certificate |
//! | (and it asks for yours) | [`identity`](crate::Tls::identity) |
//!
//! ```
//! # #[cfg(any(feature = "tls", feature = "tls-webpki-roots"))] {
//! use longwire::{Client, ErrorKind, Roots, Tls};
//! use std::fs;
//!
//! fn clients() -> Result<[Client; 2], Box<dyn std::error::Error>> {
//!     let company = Tls::new()
//!         .add_root(fs::read("company-root.pem")?)?
//!         .identity(fs::read("client.pem")?, fs::read("client.key")?)?;
//!     // openssl s_client -connect printer:443 </dev/null | openssl x509 >printer.pem
//!     let printer = Tls::new().pin(fs::read("printer.pem")?)?;
//!     Ok([Client::builder().tls(company).try_build()?, Client::builder().tls(printer).try_build()?])
//! }
//! # let _ = clients;
//!
//! // What could never work is an error when the client is built, not at the first request.
//! let error = Client::builder().tls(Tls::new().roots(Roots::None)).try_build().unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::InvalidRequest);
//! # }
//! ```
//!
//! **Trap:** [`danger_accept_any_certificate`](crate::Tls::danger_accept_any_certificate) for a device with a
//! self-signed certificate. It trusts whoever answers; a pin trusts the device.
//!
//! # Proxies
//!
//! `Client::new()` goes by `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, as they are when it is built, and
//! never for loopback hosts. [`ClientBuilder::proxy`] stands in place of all that, and holds for loopback hosts too;
//! [`Proxy::bypass`] takes a list in the form of `no_proxy`; [`no_proxy`](crate::ClientBuilder::no_proxy) is none at
//! all. The schemes are `http`, `https`, `socks5` (names are looked up here) and `socks5h` (by the proxy).
//!
//! ```
//! use longwire::{Client, Proxy};
//! # use std::io::{BufRead, BufReader, Write};
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let address = listener.local_addr()?;
//! # let server = std::thread::spawn(move || {
//! #     let (mut stream, _) = listener.accept().unwrap();
//! #     let lines = BufReader::new(stream.try_clone().unwrap()).lines();
//! #     let head: Vec<String> = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
//! #     stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n").unwrap();
//! #     head
//! # });
//!
//! // At `address` listens a proxy that wants other credentials.
//! let proxy = Proxy::new(&format!("http://me:secret@{address}"))?.bypass("10.0.0.0/8, .internal.example")?;
//! let client = Client::builder().proxy(proxy).build();
//! let response = client.get("http://printer.example/").send()?; // the proxy looks the name up
//! assert_eq!(response.status(), 407); // a response, which the proxy has sent
//!
//! let head = server.join().unwrap(); // what the proxy has received
//! assert_eq!(head[0], "GET http://printer.example/ HTTP/1.1");
//! assert!(head.contains(&"Proxy-Authorization: Basic bWU6c2VjcmV0".to_owned()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Trap:** for `https` the same refusal is [`ErrorKind::Proxy`], since there it refuses a tunnel, and the server was
//! never reached. [`Error::proxy_answer`] has what the proxy said.
//!
//! # Untrusted URLs
//!
//! A service that fetches URLs of its users can be led to its own network (SSRF). [`PublicOnly`] checks the very
//! address that is connected to, after DNS and on every hop of a redirect.
//!
//! ```
//! use longwire::{Client, ErrorKind, PublicOnly};
//! use std::time::Duration;
//! # use std::io::{Read, Write};
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let address = listener.local_addr()?;
//! # std::thread::spawn(move || {
//! #     let (mut stream, _) = listener.accept().unwrap();
//! #     let _ = stream.read(&mut [0; 4096]);
//! #     let head = "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 0\r\n\r\n";
//! #     stream.write_all(head.as_bytes()).unwrap();
//! # });
//!
//! // At `address`, which is let through for this example, a server redirects to a cloud's metadata.
//! let client = Client::builder()
//!     .address_filter(move |to| *to == address || PublicOnly::allows(to))
//!     .timeout(Duration::from_secs(20))
//!     .max_redirects(3)
//!     .build();
//! let error = client.get(format!("http://{address}/")).send().unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::BlockedAddress);
//! assert_eq!(error.url().and_then(|url| url.host_str()), Some("169.254.169.254"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Trap:** to check the URL's text, or to look the name up first: the name may have another address a moment later.
//! The filter is not all, either: `PublicOnly` checks neither ports nor sizes. Set a `timeout`, and a
//! [`limit`](crate::Response::limit) for what is collected. With a filter the environment's proxies are ignored, and a
//! proxy of yours must be marked [`trusted`](crate::Proxy::trusted).
//!
//! # Small builds
//!
//! All features are off by default, and what a program does not call is not linked. The largest part that is left is
//! Unicode data for host names; two lines of the program's own manifest leave it out. Host names must then be ASCII.
//!
//! ```toml
//! [dependencies]
//! longwire = "0.1"
//! idna_adapter = "~1.0"
//! utf8_iter = "=1.0.4"
//! ```
//!
//! What these lines save and what each feature costs is measured in `benches/README.md` of the repository. Of memory
//! an active connection holds one read buffer, and an idle one none.
//!
//! ```
//! use longwire::script::{Script, reply};
//! use std::io::Read;
//!
//! let script = Script::answering(reply(200).body(vec![b'x'; 50_000]));
//! let client = script
//!     .builder()
//!     .buffer_size(1024) // the least is 512
//!     .max_head_size(4096)
//!     .max_headers(32)
//!     .max_idle(2)
//!     .build();
//! let mut response = client.get("http://sensor.example/").send()?;
//! let (mut piece, mut length) = ([0; 512], 0);
//! loop {
//!     match response.read(&mut piece)? {
//!         0 => break,
//!         count => length += count,
//!     }
//! }
//! assert_eq!(length, 50_000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Trap:** `bytes()` and `text()` on a small machine: they collect up to 64 MiB. Read in pieces, or set a
//! [`limit`](crate::Response::limit). Of the features TLS is the largest by far. Of the codings `gzip` is the small
//! one: the others need memory for their windows.
//!
//! # What it does not do
//!
//! | not here | what to do |
//! |---|---|
//! | HTTP/2, HTTP/3, gRPC | use curl, reqwest or hyper. Nearly every server that speaks HTTP/2 speaks HTTP/1.1 as well, and over TLS this client offers `http/1.1` alone |
//! | async | call it from a thread that may block: `tokio::task::spawn_blocking(move \|\| client.get(url).send())`, with a clone of the client. Thousands of requests at once want an async client |
//! | a cache | keep the `ETag`, and ask with `If-None-Match`, as below |
//! | pipelining | several threads with one client |
//! | WebSocket frames | [`Response::upgrade`] gives the stream to a library for them |
//! | `.netrc`, PAC files, NTLM, Kerberos | read them yourself, and set [`basic_auth`](crate::RequestBuilder::basic_auth) or a [`Proxy`] |
//! | revocation of certificates | [`Tls::from_rustls`] with a verifier of yours |
//!
//! ```
//! use longwire::script::{Script, reply};
//! use longwire::{Client, Result};
//!
//! /// A copy, and what the server calls its version.
//! struct Cached {
//!     etag: String,
//!     text: String,
//! }
//!
//! fn refresh(client: &Client, url: &str, cached: &mut Cached) -> Result<()> {
//!     let response = client.get(url).header("If-None-Match", &cached.etag).send()?;
//!     if response.status() == 304 {
//!         return Ok(()); // the copy is good
//!     }
//!     let response = response.error_for_status()?;
//!     cached.etag = response.header("ETag").unwrap_or_default().to_owned();
//!     cached.text = response.text()?;
//!     Ok(())
//! }
//!
//! let script = Script::new().on("GET /", reply(200).header("ETag", "\"2\"").body("second")).then(reply(304));
//! let mut cached = Cached { etag: "\"1\"".to_owned(), text: "first".to_owned() };
//! for _ in 0..2 {
//!     refresh(&script.client(), "http://news.example/", &mut cached)?;
//!     assert_eq!(cached.text, "second");
//! }
//! assert_eq!(script.seen()[1].header("if-none-match"), Some("\"2\""));
//! # Ok::<(), longwire::Error>(())
//! ```
//!
//! [`CancelToken`]: crate::CancelToken
//! [`CancelToken::wait`]: crate::CancelToken::wait
//! [`Client`]: crate::Client
//! [`ClientBuilder::proxy`]: crate::ClientBuilder::proxy
//! [`ClientBuilder::tls`]: crate::ClientBuilder::tls
//! [`Download`]: crate::Download
//! [`Error`]: crate::Error
//! [`Error::body`]: crate::Error::body
//! [`Error::proxy_answer`]: crate::Error::proxy_answer
//! [`ErrorKind::InvalidRequest`]: crate::ErrorKind::InvalidRequest
//! [`ErrorKind::Proxy`]: crate::ErrorKind::Proxy
//! [`ErrorKind::Timeout`]: crate::ErrorKind::Timeout
//! [`Proxy`]: crate::Proxy
//! [`Proxy::bypass`]: crate::Proxy::bypass
//! [`PublicOnly`]: crate::PublicOnly
//! [`Record`]: crate::script::Record
//! [`Replay`]: crate::script::Replay
//! [`Response::retry_after`]: crate::Response::retry_after
//! [`Response::upgrade`]: crate::Response::upgrade
//! [`Retry`]: crate::Retry
//! [`Script`]: crate::script::Script
//! [`script`]: crate::script
//! [`Tls`]: crate::Tls
//! [`Tls::from_rustls`]: crate::Tls::from_rustls
