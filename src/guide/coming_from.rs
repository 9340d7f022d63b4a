//! For who knows another client: longwire's names for what Go's `net/http`, Python's requests, reqwest's `blocking`
//! and ureq call otherwise, the habits that differ, and the usual Go program line by line.
//!
//! [Go](#from-go-nethttp), [requests](#from-python-requests), [reqwest](#from-reqwestblocking), [ureq](#from-ureq),
//! [a Go program line by line](#a-go-program-line-by-line). Of the others the names are those of Go 1.27,
//! requests 2.34, reqwest 0.13 and ureq 3.5.
//!
//! Wherever you come from: here a status is never an error by itself ([`Response::error_for_status`] makes one); a body
//! is read as it comes, and is complete or an error (of one that only ends with the connection nobody can tell); a
//! connection needs no more than that its body is read to the end or dropped; and without a setting 10 s for a
//! connection and 60 s of silence end a call ([timeouts](super::using#timeouts)).
//!
//! # From Go: net/http
//!
//! | Go | longwire |
//! |---|---|
//! | `http.Get(url)`, `http.DefaultClient` | [`get`](crate::get): one client for the process, as there |
//! | `http.Client` | [`Client`]; each has a pool of its own, clones share it |
//! | `http.NewRequest`, `client.Do(req)` | [`Request::new`], [`Client::send`] |
//! | `NewRequestWithContext`, `context.WithCancel` | [`RequestBuilder::cancel_token`] |
//! | `Client.Timeout`, `context.WithTimeout` | [`ClientBuilder::timeout`], [`RequestBuilder::timeout`] |
//! | `net.Dialer.Timeout`, `TLSHandshakeTimeout` | [`ClientBuilder::connect_timeout`], for both together, and for the wait for the pool |
//! | `ResponseHeaderTimeout` | [`ClientBuilder::header_timeout`] |
//! | `MaxIdleConns`, `MaxIdleConnsPerHost`, `IdleConnTimeout` | [`max_idle`](crate::ClientBuilder::max_idle), [`max_idle_per_host`](crate::ClientBuilder::max_idle_per_host) (32, not 2), [`idle_timeout`](crate::ClientBuilder::idle_timeout) (30 s, not 90 s) |
//! | `MaxConnsPerHost` | [`ClientBuilder::max_connections_per_host`] |
//! | `Transport.Proxy`, `http.ProxyURL` | [`ClientBuilder::proxy`], [`Proxy`] |
//! | `Transport.DialContext` | [`ClientBuilder::dial`] for socket options, [`resolve_to`](crate::ClientBuilder::resolve_to) for addresses |
//! | `Transport.TLSClientConfig` | [`ClientBuilder::tls`], [`Tls`] |
//! | `Client.CheckRedirect`, `http.ErrUseLastResponse` | [`ClientBuilder::on_redirect`], [`Hop::stop`]; [`max_redirects(0)`](crate::ClientBuilder::max_redirects) |
//! | `Client.Jar`, `cookiejar.New` | [`ClientBuilder::cookie_jar`], [`CookieStore`] |
//! | `Header.Get`, `Header.Values` | [`Headers::get`], [`Headers::get_all`] |
//! | `resp.StatusCode`, `ContentLength`, `Trailer` | [`status`](crate::Response::status), [`content_length`](crate::Response::content_length) (`None` for -1), [`trailers`](crate::Body::trailers) |
//! | `io.ReadAll(io.LimitReader(resp.Body, n))` | [`bytes`](crate::Response::bytes) after [`limit(n)`](crate::Response::limit); more than that is an error here |
//! | `io.ErrUnexpectedEOF`; `err.(net.Error).Timeout()` | [`ErrorKind::Truncated`]; [`Error::is_timeout`] |
//! | `http.RoundTripper` around requests; in tests, `httptest` | [`ClientBuilder::before_send`]; [`Script`] |
//! | `httptrace.ClientTrace` | [`Observer`], [`Response::timings`] |
//! | `CloseIdleConnections`; `httputil.DumpRequestOut` | [`Client::close_idle`]; [`Client::to_wire`] |
//!
//! * **Nothing to close.** `defer resp.Body.Close()` is the drop of the response, at the end of its scope: in a loop
//!   that is each turn, where a `defer` waits for the end of the function. `io.Copy(io.Discard, resp.Body)` before it,
//!   which Go needs to reuse the connection (and since 1.27 does by itself for a short rest), has no counterpart: a
//!   drop takes what has arrived, 64 KiB at most, and never waits.
//! * **A client is its pool.** A zero `http.Client` uses the process-wide `DefaultTransport`, so making one for each
//!   request costs nothing. A `Client::new()` for each request reuses no connection. Make one and clone it.
//! * **`Timeout: 0` is `None`.** Zero is [`ErrorKind::InvalidRequest`]. Go waits for a silent server for ever by
//!   default; here `read_timeout` ends that after 60 s.
//! * **404 comes without an error**, as in Go. The error of a wrong URL comes with `send` when the request is built
//!   by [`RequestBuilder`], with `?` as the only check; [`Request::new`] reports it at once, as `NewRequest` does.
//! * **Redirects** to another origin forward an allow-list of headers. Go forwards all but `Authorization`, `Cookie`
//!   and the like, so also an `X-Api-Key`. Nothing is added either: no `Referer`.
//! * **gzip** is asked for only with the feature of that name. HTTP/2 is never spoken.
//!
//! # From Python: requests
//!
//! | requests | longwire |
//! |---|---|
//! | `requests.get(url)` | [`get`](crate::get); it keeps connections, which `requests.get` does not |
//! | `requests.Session()` | [`Client`] |
//! | `params={…}` | [`RequestBuilder::query_pairs`], [`query`](crate::RequestBuilder::query) |
//! | `data={…}`; `data=b"…"`; `data=open(…)` | [`form`](crate::RequestBuilder::form); [`body`](crate::RequestBuilder::body), of a `File` too |
//! | `json=…`, `r.json()` | [`RequestBuilder::json`], [`Response::json`] (feature `json`) |
//! | `files={…}` | [`RequestBuilder::multipart`], [`Form`] |
//! | `headers={…}`; `session.headers` | [`RequestBuilder::header`]; [`ClientBuilder::default_header`] |
//! | `auth=(user, password)`; `HTTPDigestAuth` | [`basic_auth`](crate::RequestBuilder::basic_auth); [`digest_auth`](crate::RequestBuilder::digest_auth) (feature `digest`) |
//! | `session.cookies` | [`ClientBuilder::cookie_jar`], [`CookieStore`]; a client without one keeps none |
//! | `timeout=(3, 30)` | [`connect_timeout`](crate::ClientBuilder::connect_timeout), with DNS and TLS in it; [`read_timeout`](crate::ClientBuilder::read_timeout) |
//! | `allow_redirects=False`; `session.max_redirects` (30) | [`max_redirects(0)`](crate::RequestBuilder::max_redirects); [`max_redirects`](crate::ClientBuilder::max_redirects) (10) |
//! | `proxies={…}`, `trust_env=False` | [`ClientBuilder::proxy`], [`ClientBuilder::no_proxy`] |
//! | `verify="ca.pem"`, `REQUESTS_CA_BUNDLE` | [`Tls::add_root`] with [`Roots::None`]; `SSL_CERT_FILE` |
//! | `cert=("c.pem", "k.pem")` | [`Tls::identity`] |
//! | `stream=True`, `r.iter_content(n)`, `r.iter_lines()` | [`Response`] is a [`Read`](std::io::Read) and a [`BufRead`](std::io::BufRead): always a stream |
//! | `r.status_code`, `r.reason`, `r.ok` | [`status`](crate::Response::status), [`reason`](crate::Response::reason); `status().as_u16() < 400` |
//! | `r.raise_for_status()` | [`Response::error_for_status`] |
//! | `r.text`, `r.encoding = …`, `r.content` | [`text`](crate::Response::text), [`text_as`](crate::Response::text_as), [`bytes`](crate::Response::bytes) |
//! | `r.url`, `r.history`, `r.elapsed` | [`url`](crate::Response::url), [`redirects`](crate::Response::redirects), [`timings`](crate::Response::timings) |
//! | `HTTPAdapter(max_retries=Retry(…))`, `pool_maxsize` | [`ClientBuilder::retry`]; [`max_idle_per_host`](crate::ClientBuilder::max_idle_per_host) |
//! | `ConnectionError`, `Timeout`, `HTTPError` | [`ErrorKind`]; [`Error::is_timeout`]; [`ErrorKind::Status`] |
//!
//! * **Timeouts are there.** requests has none by default, and no total one. A number there is both the connect and the
//!   read timeout; here `timeout` is the whole call, which is rarely what `timeout=30` meant.
//! * **`verify=False` has no everyday counterpart.** For a device with a self-signed certificate [`Tls::pin`] that; for
//!   a private authority [`Tls::add_root`]. What is left is [`Tls::danger_accept_any_certificate`]: anyone on the way
//!   can then read and change everything.
//! * **Text is exact.** `r.text` takes `text/*` without a charset for ISO-8859-1, guesses others, and replaces what
//!   does not fit. Here it is UTF-8 then, or an error with the first wrong byte; see [`Response::text_lossy`].
//! * **`.netrc` is not read**, and no cookies are kept unless the client has a jar.
//!
//! # From reqwest::blocking
//!
//! | reqwest | longwire |
//! |---|---|
//! | `blocking::get(url)` | [`get`](crate::get), whose client is made once and not for each call |
//! | `Client::builder()…build()?` | [`ClientBuilder::try_build`]; `build()` leaves the error to `send` |
//! | `client.execute(request)` | [`Client::send`] |
//! | `header`, `headers`, `basic_auth`, `bearer_auth`, `form`, `json`, `multipart` | the same names on [`RequestBuilder`] |
//! | `query(&[…])` | [`RequestBuilder::query_pairs`] |
//! | `Body::new(reader)`, `Body::sized(reader, n)` | [`SendBody::reader`], [`SendBody::sized_reader`] |
//! | `Request::try_clone` | [`Request::try_clone`] |
//! | `default_headers(map)` | [`ClientBuilder::default_header`], one by one |
//! | `timeout` (30 s), `connect_timeout` | [`ClientBuilder::timeout`] (none), [`connect_timeout`](crate::ClientBuilder::connect_timeout) (10 s) |
//! | `pool_max_idle_per_host`, `pool_idle_timeout` (90 s) | [`max_idle_per_host`](crate::ClientBuilder::max_idle_per_host), [`idle_timeout`](crate::ClientBuilder::idle_timeout) (30 s) |
//! | `redirect::Policy::limited`, `none`, `custom` | [`max_redirects`](crate::ClientBuilder::max_redirects), [`on_redirect`](crate::ClientBuilder::on_redirect) |
//! | `cookie_store(true)`, `cookie_provider` | [`ClientBuilder::cookie_jar`] with [`CookieStore`], or a [`CookieJar`] |
//! | `gzip(bool)`, `no_brotli()` | [`ClientBuilder::decode`] |
//! | `Proxy::all(url)?`, `NoProxy`, `no_proxy()` | [`Proxy::new`], [`Proxy::bypass`], [`ClientBuilder::no_proxy`] |
//! | `tls_certs_merge`, `tls_certs_only` | [`Tls::add_root`]; the same with [`Roots::None`] |
//! | `identity`, `tls_danger_accept_invalid_certs` | [`Tls::identity`], [`Tls::danger_accept_any_certificate`] |
//! | `resolve`, `resolve_to_addrs`, `dns_resolver` | [`resolve_to`](crate::ClientBuilder::resolve_to), [`resolver`](crate::ClientBuilder::resolver) |
//! | `local_address`, `interface`, `tcp_keepalive` | [`ClientBuilder::dial`] |
//! | `retry(retry::for_host(…))` | [`ClientBuilder::retry`] |
//! | `error_for_status`, `bytes`, `json`, `copy_to`, `content_length`, `url` | the same names on [`Response`] |
//! | `text`, `text_with_charset(default)` | [`text_lossy`](crate::Response::text_lossy); [`text_as`](crate::Response::text_as), which no header overrules |
//! | `remote_addr`, `extensions().get::<TlsInfo>()` | [`ConnectionInfo::peer_addr`], [`ConnectionInfo::tls`] |
//! | `is_timeout`, `is_connect`, `is_status`, `is_decode` | [`Error::is_timeout`]; [`Error::kind`] |
//!
//! * **Features.** TLS is off by default: `features = ["tls"]`. `query` and `form` need no feature.
//! * **No runtime.** reqwest's blocking client runs tokio on a thread of its own, and panics when it is called in an
//!   async context. longwire runs on the calling thread and knows of no runtime: called in an async context it does not
//!   panic, but it blocks that executor's thread, so call it in `tokio::task::spawn_blocking`.
//! * **`timeout` is for the whole call.** There it is the limit of each single wait: for the head, and for every read
//!   of the body. Here it is that of the whole call; for each wait there is `read_timeout`.
//! * **`error_for_status` keeps the page**: up to 8 KiB of the body are in [`Error::body`]. `text` replaces nothing.
//! * **Types** are longwire's own: [`StatusCode`], [`Method`], [`Headers`]. With the feature `http` they convert from
//!   and to those of the `http` crate.
//!
//! # From ureq
//!
//! | ureq | longwire |
//! |---|---|
//! | `Agent`, `Agent::config_builder()` | [`Client`], [`ClientBuilder`] |
//! | `ureq::get(url).call()` | [`get`](crate::get), which keeps connections; ureq's has an agent for this one call |
//! | `.send(body)`, `.send_form(…)`, `.send_json(…)`, `.send_empty()` | [`body`](crate::RequestBuilder::body), [`form`](crate::RequestBuilder::form) or [`json`](crate::RequestBuilder::json), and [`send`](crate::RequestBuilder::send) |
//! | `.config()….build()` on a request | the same settings on [`RequestBuilder`] |
//! | `.header("Authorization", …)` | [`basic_auth`](crate::RequestBuilder::basic_auth), [`bearer_auth`](crate::RequestBuilder::bearer_auth) |
//! | `SendBody::from_reader` | [`SendBody::reader`] |
//! | `timeout_global` | [`ClientBuilder::timeout`] |
//! | `timeout_resolve`, `timeout_connect` | [`ClientBuilder::connect_timeout`], for both together |
//! | `timeout_per_read`, `timeout_per_write` | [`read_timeout`](crate::ClientBuilder::read_timeout), [`write_timeout`](crate::ClientBuilder::write_timeout) |
//! | `timeout_recv_response`, `timeout_await_100` | [`header_timeout`](crate::ClientBuilder::header_timeout), [`expect_continue`](crate::RequestBuilder::expect_continue) |
//! | `timeout_recv_body`, `timeout_send_body` | none: [`min_speed`](crate::ClientBuilder::min_speed), or `timeout` for all |
//! | `http_status_as_error` (on) | [`Response::error_for_status`] |
//! | `max_idle_connections` (10), `…_per_host` (3), `max_idle_age` (15 s) | [`max_idle`](crate::ClientBuilder::max_idle) (128), [`max_idle_per_host`](crate::ClientBuilder::max_idle_per_host) (32), [`idle_timeout`](crate::ClientBuilder::idle_timeout) (30 s) |
//! | `max_redirects`, `redirect_auth_headers` | [`max_redirects`](crate::ClientBuilder::max_redirects), [`allow_cross_origin_header`](crate::ClientBuilder::allow_cross_origin_header) |
//! | `input_buffer_size` (128 KiB), `max_response_header_size` | [`buffer_size`](crate::ClientBuilder::buffer_size) (8 KiB), [`max_head_size`](crate::ClientBuilder::max_head_size) |
//! | `body_mut().read_to_string()`, `read_to_vec()`, `read_json()` | [`text_lossy`](crate::Response::text_lossy), [`bytes`](crate::Response::bytes), [`json`](crate::Response::json) |
//! | `with_config().limit(n)` (10 MB) | [`Response::limit`] (64 MiB) |
//! | `into_body().into_reader()`, `into_parts()` | [`Response`] reads; [`Response::into_parts`] |
//! | `TlsConfig`: `root_certs`, `client_cert`, `disable_verification` | [`Tls`]: [`roots`](crate::Tls::roots), [`identity`](crate::Tls::identity), [`danger_accept_any_certificate`](crate::Tls::danger_accept_any_certificate) |
//! | `cookie_jar_lock()` | [`CookieStore`], of which you keep a clone |
//! | `middleware` | [`before_send`](crate::ClientBuilder::before_send), [`on_redirect`](crate::ClientBuilder::on_redirect); around a response, a function of yours |
//! | `unversioned::transport::Connector`, `unversioned::resolver::Resolver` | [`Connect`], [`Resolve`] |
//! | `Error::StatusCode(404)` | [`ErrorKind::Status`], [`Error::status`] |
//!
//! * **A 404 is `Ok`.** ureq makes an error of it, and the page is lost with it. Add `.error_for_status()?` where
//!   the old code relied on that; the page is then in the error.
//! * **Timeouts:** all of ureq's are off but the wait for a 100, and most are budgets for a phase. Here the defaults
//!   end silence, and only `timeout` is a budget.
//! * **TLS and gzip** are default features there, and none here.
//! * **307 and 308** send the body again if it can be replayed; ureq refuses to.
//!
//! Three of these habits, as a program:
//!
//! ```
//! use longwire::ErrorKind;
//! use longwire::script::{Script, reply};
//! use std::time::Duration;
//!
//! let script = Script::new()
//!     .on("GET /lost", reply(404).body("no such page"))
//!     .on("GET /latin1", reply(200).header("Content-Type", "text/plain").body(*b"caf\xe9"));
//! let client = script.client();
//!
//! // A status is no error until you say so, and then its page is not lost.
//! let response = client.get("http://host/lost").send()?;
//! assert_eq!(response.status(), 404);
//! let error = response.error_for_status().unwrap_err();
//! assert_eq!((error.kind(), error.body()), (ErrorKind::Status, Some(&b"no such page"[..])));
//!
//! // Text is never guessed.
//! let error = client.get("http://host/latin1").send()?.text().unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::Decode);
//! assert_eq!(client.get("http://host/latin1").send()?.text_as("iso-8859-1")?, "café");
//!
//! // No limit is None; zero is a mistake.
//! let error = script.builder().timeout(Duration::ZERO).try_build().unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::InvalidRequest);
//! let patient = script.builder().read_timeout(None).try_build()?;
//! # drop(patient);
//! # Ok::<(), longwire::Error>(())
//! ```
//!
//! # A Go program line by line
//!
//! A program that shows persistent connections in Go: Basic auth, a buffer of 4096 bytes, reads
//! until `io.EOF`.
//!
//! ```go
//! client := &http.Client{}
//! req, err := http.NewRequest("GET", url, nil)
//! if err != nil { log.Fatal(err) }
//! req.SetBasicAuth("user", "password")
//! resp, err := client.Do(req)
//! if err != nil { log.Fatal(err) }
//! defer resp.Body.Close()
//! buf := make([]byte, 4096)
//! for {
//!     n, err := resp.Body.Read(buf)
//!     os.Stdout.Write(buf[:n])
//!     if err == io.EOF { break }
//!     if err != nil { log.Fatal(err) }
//! }
//! ```
//!
//! | Go | longwire | what differs, and why |
//! |---|---|---|
//! | `client := &http.Client{}` | `let client = Client::new();` | Go's connections are in `DefaultTransport`, longwire's in this client: keep it |
//! | `req, err := http.NewRequest("GET", url, nil)` | `let mut request = Request::new(Method::GET, url)?;` | the method is a type, and no body is no argument. A URL that does not parse is an error here already, in both; one whose scheme is not spoken here is, too, in Go only of `Do` |
//! | `if err != nil { log.Fatal(err) }` | `?` | the compiler does not let it be forgotten; `log.Fatal` ends the process without the deferred `Close` |
//! | `req.SetBasicAuth("user", "password")` | `request.set_basic_auth("user", Some("password"))?;` | a user name with a colon, which no server could split again, is an error ([RFC 7617 §2](https://www.rfc-editor.org/rfc/rfc7617#section-2)) |
//! | `resp, err := client.Do(req)` | `let mut response = client.send(request)?;` | it returns when the head is there, in both. `send` takes the request: it cannot be changed while it is sent. For the next time there is [`try_clone`](crate::Request::try_clone), which is `None` where the body is a reader; Go asks that a request is not used again before the response's body is closed, and a body that was read is empty then |
//! | `defer resp.Body.Close()` | | the response is dropped at the end of its scope, on every way out. Nothing to forget, and `Drop` never waits |
//! | `buf := make([]byte, 4096)` | `let mut buffer = [0; 4096];` | on the stack. The connection's own buffer is [`buffer_size`](crate::ClientBuilder::buffer_size); a buffer of that size or larger is read into directly |
//! | `n, err := resp.Body.Read(buf)` | `let count = response.read(&mut buffer)?;` | Go returns bytes *and* an error. Rust returns one of the two: an error that comes behind some bytes is that of the next read |
//! | `os.Stdout.Write(buf[:n])` | `out.write_all(&buffer[..count])?;` | Go's program must write before it looks at `err`: with `Content-Length` the last bytes come together with `io.EOF`. It also drops the error of the write |
//! | `if err == io.EOF { break }` | `if count == 0 { break; }` | `Ok(0)` is the end, proven by the framing ([RFC 9112 §6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3)), and comes again if it is asked for again. (A read into an empty buffer is 0, too, and says nothing) |
//! | `if err != nil { log.Fatal(err) }` | `?`, above | a body that is cut is `io.ErrUnexpectedEOF` there, and [`ErrorKind::Truncated`] here; to std it is [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof). Of a body that ends with the connection neither can tell, unless the network reports an error: [`require_framing`](crate::ClientBuilder::require_framing) refuses those |
//! | "the connection is reused" | the same | in Go once `io.EOF` was returned, or `Close` has found the rest short. Here at the last byte: the connection is in the pool before `Ok(0)` is asked for (of a chunked body, once its last chunk has arrived) |
//!
//! The whole program. Its first two requests go over one connection, and the third body is cut:
//!
//! ```
//! use longwire::{Client, Method, Request};
//! use std::error::Error;
//! use std::io::{Read, Write};
//!
//! fn fetch(client: &Client, url: &str, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
//!     let mut request = Request::new(Method::GET, url)?;
//!     request.set_basic_auth("user", Some("password"))?;
//!     let mut response = client.send(request)?;
//!     let mut buffer = [0; 4096];
//!     loop {
//!         let count = response.read(&mut buffer)?;
//!         if count == 0 {
//!             break;
//!         }
//!         out.write_all(&buffer[..count])?;
//!     }
//!     Ok(())
//! }
//!
//! // A server in memory; with `Client::new()` and a URL of yours it is the network.
//! use longwire::script::{Script, raw, reply};
//! let script = Script::new()
//!     .on("GET /page", reply(200).body(vec![b'x'; 10_000])) // with Content-Length
//!     .then(reply(200).chunked([vec![b'y'; 6_000], vec![b'y'; 4_000]]))
//!     .then(raw("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\nxxxx").close());
//! let client = script.client();
//! let mut out = Vec::new();
//! fetch(&client, "http://host/page", &mut out)?;
//! fetch(&client, "http://host/page", &mut out)?;
//! assert_eq!(out.len(), 20_000);
//! assert_eq!(script.connections(), 1);
//! assert_eq!(script.seen()[1].header("authorization"), Some("Basic dXNlcjpwYXNzd29yZA=="));
//!
//! // What was cut is never taken for the whole.
//! let error = fetch(&client, "http://host/page", &mut out).unwrap_err();
//! let error = error.downcast::<std::io::Error>()?;
//! assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
//! # Ok::<(), Box<dyn Error>>(())
//! ```
//!
//! That the connection is back at the last byte, and not one read later:
//!
//! ```
//! use longwire::script::{Script, reply};
//! use std::io::Read;
//!
//! let client = Script::answering(reply(200).body("hello")).client();
//! let mut response = client.get("http://host/").send()?;
//! response.read_exact(&mut [0; 5])?;
//! assert_eq!((client.pool_stats().idle, client.pool_stats().in_use), (1, 0));
//! assert_eq!(response.read(&mut [0; 5])?, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `examples/read_loop.rs` is this program against a server on loopback.
//!
//! [`Client`]: crate::Client
//! [`Client::close_idle`]: crate::Client::close_idle
//! [`Client::send`]: crate::Client::send
//! [`Client::to_wire`]: crate::Client::to_wire
//! [`ClientBuilder`]: crate::ClientBuilder
//! [`ClientBuilder::before_send`]: crate::ClientBuilder::before_send
//! [`ClientBuilder::connect_timeout`]: crate::ClientBuilder::connect_timeout
//! [`ClientBuilder::cookie_jar`]: crate::ClientBuilder::cookie_jar
//! [`ClientBuilder::decode`]: crate::ClientBuilder::decode
//! [`ClientBuilder::default_header`]: crate::ClientBuilder::default_header
//! [`ClientBuilder::dial`]: crate::ClientBuilder::dial
//! [`ClientBuilder::header_timeout`]: crate::ClientBuilder::header_timeout
//! [`ClientBuilder::max_connections_per_host`]: crate::ClientBuilder::max_connections_per_host
//! [`ClientBuilder::no_proxy`]: crate::ClientBuilder::no_proxy
//! [`ClientBuilder::on_redirect`]: crate::ClientBuilder::on_redirect
//! [`ClientBuilder::proxy`]: crate::ClientBuilder::proxy
//! [`ClientBuilder::retry`]: crate::ClientBuilder::retry
//! [`ClientBuilder::timeout`]: crate::ClientBuilder::timeout
//! [`ClientBuilder::tls`]: crate::ClientBuilder::tls
//! [`ClientBuilder::try_build`]: crate::ClientBuilder::try_build
//! [`Connect`]: crate::transport::Connect
//! [`ConnectionInfo::peer_addr`]: crate::ConnectionInfo::peer_addr
//! [`ConnectionInfo::tls`]: crate::ConnectionInfo::tls
//! [`CookieJar`]: crate::CookieJar
//! [`CookieStore`]: crate::CookieStore
//! [`Error::body`]: crate::Error::body
//! [`Error::is_timeout`]: crate::Error::is_timeout
//! [`Error::kind`]: crate::Error::kind
//! [`Error::status`]: crate::Error::status
//! [`ErrorKind`]: crate::ErrorKind
//! [`ErrorKind::InvalidRequest`]: crate::ErrorKind::InvalidRequest
//! [`ErrorKind::Status`]: crate::ErrorKind::Status
//! [`ErrorKind::Truncated`]: crate::ErrorKind::Truncated
//! [`Form`]: crate::multipart::Form
//! [`Headers`]: crate::Headers
//! [`Headers::get`]: crate::Headers::get
//! [`Headers::get_all`]: crate::Headers::get_all
//! [`Hop::stop`]: crate::Hop::stop
//! [`Method`]: crate::Method
//! [`Observer`]: crate::Observer
//! [`Proxy`]: crate::Proxy
//! [`Proxy::bypass`]: crate::Proxy::bypass
//! [`Proxy::new`]: crate::Proxy::new
//! [`Request::new`]: crate::Request::new
//! [`Request::try_clone`]: crate::Request::try_clone
//! [`RequestBuilder`]: crate::RequestBuilder
//! [`RequestBuilder::cancel_token`]: crate::RequestBuilder::cancel_token
//! [`RequestBuilder::header`]: crate::RequestBuilder::header
//! [`RequestBuilder::json`]: crate::RequestBuilder::json
//! [`RequestBuilder::multipart`]: crate::RequestBuilder::multipart
//! [`RequestBuilder::query_pairs`]: crate::RequestBuilder::query_pairs
//! [`RequestBuilder::timeout`]: crate::RequestBuilder::timeout
//! [`Resolve`]: crate::transport::Resolve
//! [`Response`]: crate::Response
//! [`Response::error_for_status`]: crate::Response::error_for_status
//! [`Response::into_parts`]: crate::Response::into_parts
//! [`Response::json`]: crate::Response::json
//! [`Response::limit`]: crate::Response::limit
//! [`Response::text_lossy`]: crate::Response::text_lossy
//! [`Response::timings`]: crate::Response::timings
//! [`Roots::None`]: crate::Roots::None
//! [`Script`]: crate::script::Script
//! [`SendBody::reader`]: crate::SendBody::reader
//! [`SendBody::sized_reader`]: crate::SendBody::sized_reader
//! [`StatusCode`]: crate::StatusCode
//! [`Tls`]: crate::Tls
//! [`Tls::add_root`]: crate::Tls::add_root
//! [`Tls::danger_accept_any_certificate`]: crate::Tls::danger_accept_any_certificate
//! [`Tls::identity`]: crate::Tls::identity
//! [`Tls::pin`]: crate::Tls::pin
