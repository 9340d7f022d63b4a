//! One request, followed through the source in twelve stops.
//!
//! You know the outside: a client, a `read` into a buffer of 4096 bytes, and "connections are reused". This page
//! goes through the inside once, from the call to the last byte, in the order in which it happens. It takes half an
//! hour, or a quarter of one without the exercises. Afterwards you can explain how the end of a body is known, why a
//! connection can be used again and why not, what a stale connection does to a GET and to a POST, and what a deadline
//! is in blocking code.
//!
//! Each stop quotes the lines that decide something, and the link below names their function and leads to the file.
//! **Rule** is the section of the standard. **Held by** names tests and fixtures that fail if one breaks it. **Try**
//! is an exercise. Some of them want two terminals, in the repository:
//!
//! ```text
//! nc -l 8080 < fixtures/close/said.http
//! cargo run --example get -- -v http://127.0.0.1:8080/
//! ```
//!
//! The first is a server that answers its one client with a file, and stays connected until Ctrl-C; some versions of
//! `nc` want `nc -l -p 8080`. The second is a client that tells what it does. A fixture is the bytes of one response,
//! in `NAME.http`, and what must come of it, in `NAME.expect`. `cargo run --example follow` tells the whole story of
//! this page live, with the bytes.
//!
//! Some words come again and again. An *exchange* is one request and its response. A *head* is a start line with the
//! fields behind it. *Framing* is what says where a body ends. *EOF* is the end of what the other side sends: it has
//! closed the connection in order, where a *reset* breaks it off. An error has a *stage*, how far the exchange had got,
//! and a *fate*, what the server may have done with the request.
//!
//! The source has six layers. None names one above it; what it has to call there is handed down. So one request goes
//! down this picture once, and its response comes up once:
//!
#![doc = include_str!("house.svg")]
//!
//! # Stop 1: a call, and all the time that it has
//!
//! `client.get(url).send()` builds a [`Request`](crate::Request), which is plain data, and calls
//! [`Client::send`](crate::Client::send). The first thing decided is time: a *deadline*, a point on the clock, is
//! computed once from `timeout`, and handed down with everything that may wait. (`timeout` is off by default; then the
//! deadline never passes.) A duration would begin anew in each function; a point in time does not, so no redirect, no
//! retry and no slow server can add to it.
//!
//! `src/client/mod.rs::follow` then sends the request, and whatever its redirects make of it, until there is a response
//! to hand out. For each hop it leases a connection (stop 2) and has the exchange run on it (stop 5).
//!
//! <!-- quote src/client/mod.rs: // The request's own options come before ... let call = Call -->
//! ```text
//! // The request's own options come before the client's settings.
//! let now = Instant::now();
//! let limits = Limits {
//!     deadline: Deadline::of("timeout", options.timeout.unwrap_or(settings.timeout), now),
//!     read_timeout: options.read_timeout.unwrap_or(settings.read_timeout),
//!     write_timeout: settings.write_timeout,
//!     min_speed: options.min_speed.unwrap_or(settings.min_speed),
//!     token: options.token.clone(),
//! };
//! let max = options.max_redirects.unwrap_or(settings.max_redirects);
//! let mut redirects = Redirects { max, ..Redirects::default() };
//! let call = Call { client: &self.0, limits, trace };
//! ```
//! [`src/client/mod.rs::send`, lines 162 to 173](../../../src/longwire/client/mod.rs.html#162-173)
//! <!-- end -->
//!
//! **Rule:** none: HTTP sets no limits of time, and lets both sides have their own
//! ([RFC 9112 §9.5](https://www.rfc-editor.org/rfc/rfc9112#section-9.5)).
//!
//! **Held by:** `tests/deadlines.rs::the_total_deadline_covers_all_redirects_together`,
//! `tests/deadlines.rs::the_total_deadline_covers_a_retry_and_does_not_begin_again`
//!
//! **Try:** send a request with `timeout(Duration::from_nanos(1))`. How far does it get?
//!
//! <details><summary>Answer</summary>
//!
//! Nowhere: the deadline has passed before a connection is asked for. The error is a
//! [`Timeout`](crate::ErrorKind::Timeout) with the stage [`Pool`](crate::Stage::Pool) and the fate
//! [`NotSent`](crate::Fate::NotSent), so that even a POST may be sent again. `src/client/mod.rs::lease` checks the
//! clock first, since a request that has no time left must not be sent on a connection that happens to be free.
//!
//! </details>
//!
//! # Stop 2: an idle connection, or a new one
//!
//! A connection may carry this request if it leads to the same *origin*: scheme, host and port. The host is the name in
//! the URL and not its address: one address may be that of two servers.
//!
//! <!-- quote src/client/mod.rs: fn pool_key ... Route::Tunnel -->
//! ```text
//! fn pool_key<'u>(url: &'u Url, route: Route<'_>) -> Cow<'u, str> {
//!     match route {
//!         Route::Direct => Cow::Borrowed(uri::origin(url)),
//!         Route::Forward { proxy, .. } => Cow::Owned(format!("proxy {}", proxy.pool_key())),
//!         Route::Tunnel(proxy) => Cow::Owned(format!("{} through {}", uri::origin(url), proxy.pool_key())),
//! ```
//! [`src/client/mod.rs::pool_key`, lines 441 to 445](../../../src/longwire/client/mod.rs.html#441-445)
//! <!-- end -->
//!
//! The pool is a table of these keys, each with a list of idle connections. To take one is to *lease* it: the `Lease`
//! owns the connection until the exchange is over, in a *slot*, one of the places that `max_connections_per_host`
//! allows. `release` gives the connection back, and `close` ends it for a reason; both are called by name. A lease that
//! is simply dropped, by a `?` or a panic, closes its connection. So nobody can forget to close one, and nobody gives
//! back a bad one by accident.
//!
//! First choice is a connection that this very thread released less than a millisecond ago; else the newest, since the
//! server is least likely to have closed that. It is probed before it is used (stop 3). One that fails is closed, and
//! the next newest is tried; if none is left, `open` dials (stop 4).
//!
//! <!-- quote src/net/pool/lease.rs: while let Slot::Connected(conn) = &mut lease.slot ... let mut conn = open( -->
//! ```text
//! while let Slot::Connected(conn) = &mut lease.slot {
//!     match conn.probe(now, self.limits.probe_after) {
//!         Ok(()) => {
//!             conn.begin(checkout.limits, checkout.ids, now);
//!             if self.observers.list.is_some() {
//!                 let (peer, nth, ids) = (conn.peer(), conn.exchanges, conn.ids);
//!                 self.observers.report(|| Event::Reused { peer, nth, ids });
//!             }
//!             return Ok(lease);
//!         }
//!         Err(reason) => lease.replace(reason, now, checkout.ids),
//!     }
//! }
//! let mut conn = open(checkout.deadline())?;
//! ```
//! [`src/net/pool/lease.rs::acquire`, lines 42 to 55](../../../src/longwire/net/pool/lease.rs.html#42-55)
//! <!-- end -->
//!
//! This is the life of a connection, with all the reasons for which it ends:
//!
#![doc = include_str!("life.svg")]
//!
//! **Rule:** [RFC 9110 §4.3.1](https://www.rfc-editor.org/rfc/rfc9110#section-4.3.1) (origin),
//! [RFC 9112 §9.3](https://www.rfc-editor.org/rfc/rfc9112#section-9.3) (persistence),
//! [RFC 9112 §9.4](https://www.rfc-editor.org/rfc/rfc9112#section-9.4) (how many)
//!
//! **Held by:** `tests/reuse/pool.rs::a_connection_serves_its_own_origin_only`,
//! `tests/reuse.rs::the_newest_idle_connection_is_taken_first`,
//! `tests/reuse/slots.rs::an_observer_that_panics_while_a_slot_is_acquired_costs_no_slot`
//!
//! **Try:** two threads send to one origin at the same time and read their bodies to the end; then each sends again.
//! How many connections are opened at most? And which of these have the same origin: `http://a.example/x`,
//! `HTTP://A.EXAMPLE:80/y`, `http://a.example:8080/`, `https://a.example/`?
//!
//! <details><summary>Answer</summary>
//!
//! Two. longwire has one exchange at a time on a connection (it does not pipeline), so the second thread finds none
//! that is idle; later both find one. A body that is still open keeps its connection leased, and would cost a third
//! one. With `max_connections_per_host(1)` the second thread would wait instead. Of the URLs the first two have the
//! same origin, `http://a.example`: scheme and host are lower-cased when a URL is parsed, and the default port is
//! dropped.
//!
//! </details>
//!
//! # Stop 3: is it still alive?
//!
//! While a connection was idle the server may have closed it, or sent bytes that answer no request. Whatever it was
//! lies in the socket already, and one read of one byte that does not wait shows it. That read *should* fail: with the
//! error `WouldBlock`, nothing there, which `is_retryable` knows. A byte, EOF and any other error make the connection
//! unfit. (Half a TLS record counts as a byte: `has_partial_record`.)
//!
//! The probe is what protects a POST: sent on a connection that the server has closed, it would be lost, and could not
//! be sent again (stop 12). And it protects every request from a stray response: HTTP/1.1 has no request numbers, so
//! whatever arrives next on a connection *is* the response. A server that closes after the probe and before the request
//! arrives is not seen by it; no client can see that.
//!
//! A stray response that comes between the probe and the real one is taken for it; no client can tell that either.
//!
//! By default every reuse is probed. [`probe_after(t)`](crate::ClientBuilder::probe_after) leaves that out where the
//! connection was idle for less than `t`, unless there is a reason for doubt (`must_probe`): it is the first reuse, the
//! last body took more reads than the head's or may have left something, or there was no body (HEAD, 204, 304), which a
//! confused server may send all the same.
//!
//! <!-- quote src/net/conn.rs: pub(crate) fn probe(&mut self ... Ok(_) | Err(_) => Err(CloseReason::StrayBytes) -->
//! ```text
//! pub(crate) fn probe(&mut self, now: Instant, after: Duration) -> Result<(), CloseReason> {
//!     if !self.must_probe && now.saturating_duration_since(self.idle_since) < after {
//!         return Ok(());
//!     }
//!     match self.socket.try_read(&mut [0; 1]) {
//!         Err(error) if !is_retryable(&error) => Err(CloseReason::PeerClosed),
//!         Ok(0) => Err(CloseReason::PeerClosed),
//!         Err(_) if !self.socket.has_partial_record() => Ok(()),
//!         Ok(_) | Err(_) => Err(CloseReason::StrayBytes),
//! ```
//! [`src/net/conn.rs::probe`, lines 258 to 266](../../../src/longwire/net/conn.rs.html#258-266)
//! <!-- end -->
//!
//! **Rule:** [RFC 9112 §9.5](https://www.rfc-editor.org/rfc/rfc9112#section-9.5) (a close at any time),
//! [RFC 9112 §9.2](https://www.rfc-editor.org/rfc/rfc9112#section-9.2) (which response belongs to which request)
//!
//! **Held by:** `tests/reuse/probe.rs::a_post_does_not_die_on_a_connection_that_the_server_closed_after_its_response`,
//! `tests/reuse/probe.rs::a_second_response_after_a_response_is_never_the_next_response`
//!
//! **Try:** serve `fixtures/close/stray-byte.http`. Which [`CloseReason`](crate::CloseReason)?
//!
//! <details><summary>Answer</summary>
//!
//! <!-- outcome close/stray-byte -->
//! ```text
//! fixtures/close/stray-byte.expect
//!
//! One byte behind the body is enough.
//! status: 200
//! body: "hello"
//! end: length
//! reuse: StrayBytes
//! ```
//! <!-- end -->
//!
//! `get -v` says it in words: "connection closed: the server sent unrequested bytes". The byte came together with the
//! body, so it was seen when the connection was given back, before any probe. Had it come later, the probe would have
//! found it, with the same reason.
//!
//! </details>
//!
//! # Stop 4: dialling
//!
//! No idle connection was fit, so a name becomes addresses, and an address a socket. A single address is a plain
//! `connect` with a timeout. Several addresses race: the next attempt starts when one fails, or after a quarter of a
//! second, and the first that connects wins. DNS and such a race cannot be interrupted in blocking code, nor can a
//! plain connect that a token may cancel. So these run on worker threads, which are abandoned when the time is up and
//! end by themselves.
//!
//! Getting a connection, the wait for the pool and DNS and a proxy's handshake included, has a limit of its own,
//! `connect_timeout`: 10 s by default, anew for each hop and each retry, and within the deadline.
//!
//! <!-- quote src/net/dial/mod.rs: let connected = match (&self.dial, addresses, token) { ... race::run( >> }; -->
//! ```text
//! let connected = match (&self.dial, addresses, token) {
//!     (None, [address], None) => {
//!         connect(address, deadline).map_err(|error| RaceError::AllFailed(vec![(*address, error)]))
//!     }
//!     (dial, ..) => {
//!         let by_default: ConnectTcp = Arc::new(connect);
//!         race::run(&self.permits, addresses, dial.as_ref().unwrap_or(&by_default), deadline, token)
//!     }
//! };
//! ```
//! [`src/net/dial/mod.rs::connect_tcp`, lines 345 to 353](../../../src/longwire/net/dial/mod.rs.html#345-353)
//! <!-- end -->
//!
//! **Rule:** [RFC 8305 §5](https://www.rfc-editor.org/rfc/rfc8305#section-5) ("Happy Eyeballs")
//!
//! **Held by:** `tests/connecting.rs::an_address_that_does_not_answer_gives_way_to_the_next_after_the_attempt_delay`,
//! `tests/connecting.rs::dead_addresses_share_one_connect_timeout`
//!
//! **Try:** `cargo run --example get -- http://127.0.0.1:9/`, where nothing listens. What would
//! [`kind`](crate::Error::kind), [`stage`](crate::Error::stage) and [`fate`](crate::Error::fate) of that error be?
//!
//! <details><summary>Answer</summary>
//!
//! [`Connect`](crate::ErrorKind::Connect), [`Stage::Connect`](crate::Stage::Connect),
//! [`NotSent`](crate::Fate::NotSent). It is not tried again by itself: a fresh connection that fails is no accident of
//! timing. The exit status of `get` is curl's, 7.
//!
//! </details>
//!
//! # Stop 5: the request goes out
//!
//! `src/client/exchange.rs::converse` has the exchange in hand, from here to stop 9. The head is written into the
//! connection's buffer, and a small body behind it, so that both leave in one system call. By itself a client sends
//! Host, User-Agent and Accept; a content coding, a cookie jar, Digest and a proxy add theirs, and everything else is
//! yours. How the body ends is said here, too: `Content-Length`, or `Transfer-Encoding: chunked` where the length is
//! not known. You cannot set another one by hand: two lengths would let two readers see two different messages, which
//! is how requests are smuggled.
//!
//! <!-- quote src/wire/request_head.rs: put(self.method.as_str() ... true => self.encode_own(put) >> } -->
//! ```text
//! put(self.method.as_str().as_bytes());
//! put(b" ");
//! put(self.target.as_bytes());
//! put(b" HTTP/1.1\r\nHost: ");
//! let has_more = !self.hop_fields.is_empty() || !self.headers.is_empty();
//! let host = if has_more { self.get("host") } else { None };
//! put(host.unwrap_or(self.authority.as_bytes()));
//! match has_more {
//!     false => put(&self.own_fields.lines),
//!     true => self.encode_own(put),
//! }
//! ```
//! [`src/wire/request_head.rs::encode`, lines 80 to 90](../../../src/longwire/wire/request_head.rs.html#80-90)
//! <!-- end -->
//! <!-- quote src/client/exchange.rs: let upload = match request.body.small_bytes() ... after_broken_write -->
//! ```text
//! let upload = match request.body.small_bytes() {
//!     // Head and body leave in one write.
//!     Some(bytes) if expect.is_none() => match lease.send(bytes) {
//!         Ok(()) => Upload::Complete,
//!         Err(error) => upload::after_broken_write(lease, reader, error)?,
//! ```
//! [`src/client/exchange.rs::converse`, lines 77 to 81](../../../src/longwire/client/exchange.rs.html#77-81)
//! <!-- end -->
//!
//! From the first byte that the socket takes, the fate of this attempt is
//! [`MaybeProcessed`](crate::Fate::MaybeProcessed). Before that it is `NotSent`. The fate of the whole call is the
//! worst of its attempts: after a redirect an error says [`ResponseStarted`](crate::Fate::ResponseStarted), even if the
//! next hop was never reached.
//!
//! **Rule:** [RFC 9112 §3](https://www.rfc-editor.org/rfc/rfc9112#section-3),
//! [RFC 9110 §7.2](https://www.rfc-editor.org/rfc/rfc9110#section-7.2) (Host),
//! [RFC 9112 §11.2](https://www.rfc-editor.org/rfc/rfc9112#section-11.2) (request smuggling)
//!
//! **Held by:** `tests/requests/head.rs::a_plain_get_is_four_lines`,
//! `tests/requests/head.rs::head_and_small_body_leave_in_one_write`,
//! `tests/requests/checks.rs::content_length_can_only_be_the_bodys`
//!
//! **Try:** print `client.to_wire(&request)` for a POST of `"abc"`, then for `SendBody::reader`. What differs?
//!
//! <details><summary>Answer</summary>
//!
//! `Content-Length: 3` is `Transfer-Encoding: chunked` in the second: the length of a reader is not known before it has
//! ended, and the chunked coding is how a message says its end without a length. Such a body cannot be sent twice
//! either, which matters in stop 12.
//!
//! </details>
//!
//! # Stop 6: waiting, and what a deadline is in blocking code
//!
//! A thread that is blocked in `read` can look at no clock. The kernel can: `SO_RCVTIMEO` makes a read return with
//! nothing after a while. But that timeout begins anew with each read, and a server that sends one byte in each could
//! hold a thread for ever. So the socket's timeout is only a *tick* that wakes the thread. Before each read, and after
//! each wake-up, the clock decides. There are three limits: the deadline, `read_timeout` (silence), and `until` (that
//! of this stage). If one of them is used up, that is the error, which names it; else the thread waits again, at most
//! for what is left.
//!
//! To set the socket's timeout is a system call. So a tick is armed with half of what is left, and kept while it is
//! between a quarter and the whole of what is left (`src/net/conn.rs::fitting_tick`): the next request, with the same
//! limits, finds one that fits.
//!
//! <!-- quote src/net/conn.rs: let mut left = [until.remaining_at(now) ... Err(error) if is_retryable -->
//! ```text
//! let mut left = [until.remaining_at(now), deadline.remaining_at(now), *read_timeout].into_iter().flatten().min();
//! loop {
//!     self.check_cancelled()?;
//!     if left == Some(Duration::ZERO) {
//!         return Err(self.failure(self.read_silence(until, now).error(READING)));
//!     }
//!     let tick = fitting_tick(self.read_tick, left, self.must_poll);
//!     if tick != self.read_tick {
//!         self.arm_read(tick)?;
//!     }
//!     match self.read_socket(&mut room, Socket::read) {
//!         Ok(0) => {
//!             self.check_cancelled()?;
//!             return match self.write_error {
//!                 Some(how) => Err(self.broken("read", how.into())),
//!                 None => Ok(0),
//!             };
//!         }
//!         Ok(count) => return Ok(count),
//!         Err(error) if is_retryable(&error) => left = self.read_silence(until, now).remaining(),
//! ```
//! [`src/net/conn.rs::read`, lines 303 to 322](../../../src/longwire/net/conn.rs.html#303-322)
//! <!-- end -->
//!
#![doc = include_str!("deadline.svg")]
//!
//! **Rule:** `SO_RCVTIMEO` in POSIX; HTTP has none
//! ([RFC 9112 §9.5](https://www.rfc-editor.org/rfc/rfc9112#section-9.5))
//!
//! **Held by:** `tests/deadlines.rs::the_total_deadline_covers_a_body_with_length_that_drips`,
//! `tests/deadlines/signals.rs::signals_neither_break_a_request_nor_move_a_limit`
//!
//! **Try:** a server sends a byte every 10 s for an hour. Does any limit end it by default? Which settings would?
//!
//! <details><summary>Answer</summary>
//!
//! In the body none: each byte ends a silence, so `read_timeout` (60 s) is never reached, and there is no deadline by
//! default. `timeout` ends it. `min_speed` ends it too, and lets a large body that comes fast take as long as it needs.
//! In the head `read_timeout` does: a head that has begun must be complete within it.
//!
//! </details>
//!
//! # Stop 7: the response head
//!
//! What has arrived in the buffer is parsed in place, as often as needed, until the empty line is there. Interim heads
//! (1xx, but for 101, which ends HTTP on this connection) are passed over: the final one is still to come. The head is
//! *consumed*, and what stands behind it in the buffer is the beginning of the body, or nothing yet.
//!
//! Until the first byte of a head the stage is [`Wait`](crate::Stage::Wait), where a silent server ends in a timeout;
//! from then on it is [`Head`](crate::Stage::Head). EOF is an input like any other. Without a byte of a response it is
//! [`Truncated`](crate::ErrorKind::Truncated) with the fate `MaybeProcessed`; after one byte of a head the fate is
//! [`ResponseStarted`](crate::Fate::ResponseStarted): the server was there, and answered.
//!
//! <!-- quote src/client/response_reader.rs: while self.head.is_none() && !lease.buffer ... report_head(lease, head -->
//! ```text
//! while self.head.is_none() && !lease.buffer.bytes().is_empty() {
//!     self.has_begun = true;
//!     self.head = self.parser.parse(lease.buffer.bytes()).map_err(|error| error.at(Stage::Head))?;
//!     let Some(head) = &self.head else {
//!         self.partial_since.get_or_insert_with(Instant::now);
//!         break;
//!     };
//!     lease.buffer.consume(head.bytes);
//!     if head.is_interim() {
//!         self.skip_interim(lease);
//!         continue;
//!     }
//!     report_head(lease, head, |text, ids| Event::ResponseHead { text, ids });
//! ```
//! [`src/client/response_reader.rs::parse_buffered`, lines 90 to 102](../../../src/longwire/client/response_reader.rs.html#90-102)
//! <!-- end -->
//!
//! **Rule:** [RFC 9112 §4](https://www.rfc-editor.org/rfc/rfc9112#section-4) (status line),
//! [RFC 9112 §5](https://www.rfc-editor.org/rfc/rfc9112#section-5) (fields),
//! [RFC 9110 §15.2](https://www.rfc-editor.org/rfc/rfc9110#section-15.2) (1xx)
//!
//! **Held by:** `fixtures/head/interim-102-103.http`, `fixtures/head/cut-in-field-value.http`,
//! `tests/limits.rs::a_head_may_have_max_head_size_bytes_and_not_one_more`
//!
//! **Try:** serve `fixtures/head/no-colon.http`. What does the error show, and what does it not show?
//!
//! <details><summary>Answer</summary>
//!
//! <!-- outcome head/no-colon -->
//! ```text
//! fixtures/head/no-colon.expect
//!
//! A field line without a colon is refused.
//! error: Head
//! stage: Head
//! ```
//! <!-- end -->
//!
//! `get` prints the number of the line and that line alone, since others may have secrets in them. With
//! `skip_invalid_headers(true)` the line is passed over, unless it names `Content-Length` or `Transfer-Encoding`: what
//! decides where the message ends is never guessed.
//!
//! </details>
//!
//! # Stop 8: where the body ends
//!
//! This is the heart of HTTP/1.1: one pure function, in the order of the standard's rules, and four outcomes. The order
//! matters. A 204 has no body whatever its fields say (rule 1). `chunked` beats a length (rule 3); since a proxy on the
//! way may have believed the length, the connection is closed after that. A length must be one number (rule 5), though
//! the same one may be repeated.
//!
//! Here longwire is stricter than rule 4: a coding that it cannot undo, such as `gzip, chunked`, is an error. And it
//! takes `identity`, an old name for no coding at all, which some devices send.
//!
//! <!-- quote src/wire/framing.rs: // 1. Responses to HEAD, and 1xx ... return Ok(Framing::Empty) >> } -->
//! ```text
//! // 1. Responses to HEAD, and 1xx, 204 and 304, have no body, regardless of their fields.
//! let is_bodiless = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
//! if *method == Method::HEAD || is_bodiless || head.status.is_informational() {
//!     return Ok(Framing::Empty);
//! }
//! ```
//! [`src/wire/framing.rs::of_response`, lines 32 to 36](../../../src/longwire/wire/framing.rs.html#32-36)
//! <!-- end -->
//! <!-- quote src/wire/framing.rs: if head.framing_fields.transfer_encoding != Occurrence::None { ... Ok(Framing::UntilClose { at_least: 0 }) -->
//! ```text
//! if head.framing_fields.transfer_encoding != Occurrence::None {
//!     return match transfer_coding(head)? {
//!         TransferCoding::Chunked => Ok(Framing::Chunked),
//!         TransferCoding::Identity => Ok(Framing::UntilClose { at_least: content_length(head)?.unwrap_or(0) }),
//!     };
//! }
//! // 5. and 6. Content-Length, if it is one number.
//! if let Some(length) = content_length(head)? {
//!     return Ok(Framing::Length(length));
//! }
//! // 8. Otherwise the body ends with the connection. (7. is about requests.)
//! Ok(Framing::UntilClose { at_least: 0 })
//! ```
//! [`src/wire/framing.rs::of_response`, lines 44 to 55](../../../src/longwire/wire/framing.rs.html#44-55)
//! <!-- end -->
//!
#![doc = include_str!("framings.svg")]
//!
//! **Rule:** [RFC 9112 §6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3) (rules 1 to 8),
//! [RFC 9112 §6.1](https://www.rfc-editor.org/rfc/rfc9112#section-6.1) (Transfer-Encoding)
//!
//! **Held by:** `fixtures/framing/chunked-beats-length.http`, `fixtures/framing/204-with-length.http`,
//! `fixtures/framing/te-gzip-chunked.http`, `fixtures/framing/length-list-unequal.http`
//!
//! **Try:** what comes of `Transfer-Encoding: chunked` beside `Content-Length: 5`? Serve
//! `fixtures/framing/chunked-beats-length.http`.
//!
//! <details><summary>Answer</summary>
//!
//! <!-- outcome framing/chunked-beats-length -->
//! ```text
//! fixtures/framing/chunked-beats-length.expect
//!
//! Transfer-Encoding wins over Content-Length, and the connection ends.
//! status: 200
//! body: "hello"
//! end: last-chunk
//! reuse: BadFraming
//! ```
//! <!-- end -->
//!
//! The body is that of the chunks. `get -v` says "the framing was ambiguous", and the connection is not used again.
//!
//! </details>
//!
//! # Stop 9: whether the connection lives on
//!
//! A second pure function, with the same head and the framing just found. The connection lives on unless there is a
//! reason against it, and each reason has a name, which [`Client::pool_stats`](crate::Client::pool_stats) counts.
//! Before the lines quoted is only 101 (`Upgraded`); between the two pieces is a status line that claims HTTP/2
//! (`VersionInDoubt`). *Ambiguous* is a length beside chunks, chunks in HTTP/1.0, a 204 that announces a body and a 304
//! that has a transfer coding: someone on the way may see the end of the message elsewhere. `unproven` marks a response
//! without a body, for the next probe (stop 3).
//!
//! <!-- quote src/wire/framing.rs: if connection.close { ... return Reuse::Close(CloseReason::UntilClose) >> } -->
//! ```text
//! if connection.close {
//!     return Reuse::Close(CloseReason::ServerClose);
//! }
//! if request_closes {
//!     return Reuse::Close(CloseReason::ClientClose);
//! }
//! if head.version == Version::Http10 && !connection.keep_alive {
//!     return Reuse::Close(CloseReason::Http10);
//! }
//! if matches!(framing, Framing::UntilClose { .. }) {
//!     return Reuse::Close(CloseReason::UntilClose);
//! }
//! ```
//! [`src/wire/framing.rs::reuse`, lines 77 to 88](../../../src/longwire/wire/framing.rs.html#77-88)
//! <!-- end -->
//! <!-- quote src/wire/framing.rs: if is_ambiguous(head, framing) { ... Reuse::Keep(keep_alive) -->
//! ```text
//! if is_ambiguous(head, framing) {
//!     return Reuse::Close(CloseReason::BadFraming);
//! }
//! let keep_alive = KeepAlive { unproven: framing == Framing::Empty, ..keep_alive(head) };
//! if keep_alive.timeout_secs == Some(0) || keep_alive.requests_left == Some(0) {
//!     return Reuse::Close(CloseReason::KeepAliveHint);
//! }
//! Reuse::Keep(keep_alive)
//! ```
//! [`src/wire/framing.rs::reuse`, lines 92 to 99](../../../src/longwire/wire/framing.rs.html#92-99)
//! <!-- end -->
//!
//! The verdict is carried out at the end of the body (stop 11). Until then it only waits.
//!
//! **Rule:** [RFC 9112 §9.3](https://www.rfc-editor.org/rfc/rfc9112#section-9.3) (persistence),
//! [RFC 9112 §9.6](https://www.rfc-editor.org/rfc/rfc9112#section-9.6) (close)
//!
//! **Held by:** `fixtures/close/said.http`, `fixtures/close/one-zero.http`, `fixtures/close/one-zero-keep-alive.http`,
//! `fixtures/close/hint-timeout-zero.http`
//!
//! **Try:** make the server say close: serve `fixtures/close/said.http`. Then one without a length and without chunks,
//! `fixtures/close/until-close.http`. Which `CloseReason` has each?
//!
//! <details><summary>Answer</summary>
//!
//! <!-- outcome close/said -->
//! ```text
//! fixtures/close/said.expect
//!
//! Connection: close ends the connection after the body, even if the server keeps it.
//! status: 200
//! body: "hello"
//! end: length
//! reuse: ServerClose
//! ```
//! <!-- end -->
//! <!-- outcome close/until-close -->
//! ```text
//! fixtures/close/until-close.expect
//!
//! Without framing the body runs until the server closes.
//! then: close
//! status: 200
//! body: "hello"
//! end: closed
//! reuse: UntilClose
//! ```
//! <!-- end -->
//!
//! In words: "the server sent Connection: close", and "the body ended with the connection", after which there is
//! nothing left to use again. (End `nc` with Ctrl-C. Until then the client waits, since more may come.)
//!
//! </details>
//!
//! # Stop 10: the bytes of the body
//!
//! [`Response`](crate::Response) owns the lease now. Up to here, how far the request had got was simply where in the
//! code the thread stood. Only a body outlives the call, so only the body has a state. Each `read` asks the decoder
//! what the bytes in the buffer are. It knows no socket, and says: so many bytes of framing and then so many of content
//! (`Data`), more is needed (`More`), or the body has ended here (`End`). Bytes beyond that are not the body's.
//!
//! <!-- quote src/wire/decode.rs: pub(crate) fn step(&mut self, bytes: &[u8]) ... len => Ok(Step::Data -->
//! ```text
//! pub(crate) fn step(&mut self, bytes: &[u8]) -> Result<Step> {
//!     let left = match self {
//!         Decoder::Empty | Decoder::Length { left: 0 } => return Ok(Step::End { skip: 0 }),
//!         Decoder::Chunked(chunked) => return chunked.step(bytes),
//!         Decoder::Length { left } => *left,
//!         Decoder::UntilClose { .. } => u64::MAX,
//!     };
//!     match at_most(left, bytes.len()) {
//!         0 => Ok(Step::More { skip: 0 }),
//!         len => Ok(Step::Data { skip: 0, len }),
//! ```
//! [`src/wire/decode.rs::step`, lines 39 to 48](../../../src/longwire/wire/decode.rs.html#39-48)
//! <!-- end -->
//!
//! What EOF means depends on the framing, and every framing answers. Of a body that may still lack bytes only
//! `UntilClose` takes it for the end, and that end is not proven: the server may have died. Where that matters,
//! [`require_framing`](crate::ClientBuilder::require_framing) refuses such responses.
//!
//! <!-- quote src/wire/decode.rs: pub(crate) fn eof(&self) ... Err(Error::new(ErrorKind::Truncated -->
//! ```text
//! pub(crate) fn eof(&self) -> Result<()> {
//!     let what = match self {
//!         Decoder::UntilClose { at_least: 0 } | Decoder::Empty | Decoder::Length { left: 0 } => return Ok(()),
//!         Decoder::Length { left } | Decoder::UntilClose { at_least: left } => {
//!             format!("the connection ended {left} bytes before the body did")
//!         }
//!         Decoder::Chunked(chunked) => chunked.truncation().to_owned(),
//!     };
//!     Err(Error::new(ErrorKind::Truncated, what))
//! ```
//! [`src/wire/decode.rs::eof`, lines 77 to 85](../../../src/longwire/wire/decode.rs.html#77-85)
//! <!-- end -->
//!
//! **Rule:** [RFC 9112 §7.1](https://www.rfc-editor.org/rfc/rfc9112#section-7.1) (chunks),
//! [RFC 9112 §8](https://www.rfc-editor.org/rfc/rfc9112#section-8) (incomplete messages)
//!
//! **Held by:** `fixtures/framing/length-cut-by-one.http`, `fixtures/chunked/cut-no-last-chunk.http`,
//! `tests/body.rs::a_chunked_body_cut_at_any_byte_is_an_error_and_stays_one`
//!
//! **Try:** serve `fixtures/chunked/cut-in-data.http`, and end `nc` with Ctrl-C. What has the program got? What would a
//! second `read` after the error give?
//!
//! <details><summary>Answer</summary>
//!
//! <!-- outcome chunked/cut-in-data -->
//! ```text
//! fixtures/chunked/cut-in-data.expect
//!
//! A close inside the data is a cut.
//! then: close
//! status: 200
//! error: Truncated
//! stage: Body
//! body-before-error: "hel"
//! ```
//! <!-- end -->
//!
//! The bytes that came before the cut were delivered, then the error, and it is final: every later read returns it
//! again, never `Ok(0)` (the test named above asks for that). So a loop that ends at `Ok(0)` cannot take half of a body
//! with a length or chunks for the whole.
//!
//! </details>
//!
//! # Stop 11: the last byte
//!
//! The verdict of stop 9 is carried out as soon as the decoder has seen the end, and that is often before the caller
//! has: after each piece that the caller takes, it is asked. With a length the connection goes back in the read of the
//! last byte. With chunks it does, too, if the last chunk has arrived together with the data; else in the next read,
//! the one that returns `Ok(0)`. There is nothing to close and nothing to call.
//!
//! <!-- quote src/message/body/mod.rs: let found = match framed.decoder.remaining() ... Ok(Found::End) => self.finish() -->
//! ```text
//! let found = match framed.decoder.remaining() {
//!     Some(0) => Ok(Found::End),
//!     Some(_) => return, // there is no more to see
//!     None => framed.next(),
//! };
//! match found {
//!     Ok(Found::End) => self.finish(),
//! ```
//! [`src/message/body/mod.rs::take`, lines 472 to 478](../../../src/longwire/message/body/mod.rs.html#472-478)
//! <!-- end -->
//! <!-- quote src/message/body/framed.rs: pub(super) fn release_or_close ... Reuse::Close(reason) => self.lease.close -->
//! ```text
//! pub(super) fn release_or_close(self) {
//!     match self.reuse {
//!         Reuse::Keep(keep_alive) => self.lease.release(keep_alive),
//!         Reuse::Close(reason) => self.lease.close(reason),
//! ```
//! [`src/message/body/framed.rs::release_or_close`, lines 137 to 140](../../../src/longwire/message/body/framed.rs.html#137-140)
//! <!-- end -->
//!
//! A body that is dropped before its end never waits for the network (`src/message/body/framed.rs::drain_or_close`). If
//! the verdict was to close, it is carried out. Else what has arrived already is taken, 64 KiB at most; if that was
//! all, the connection goes back. Otherwise it is closed as [`Unfinished`](crate::CloseReason::Unfinished) (or as
//! `Failed`, if the rest was malformed), since the next response would begin in the middle of this body.
//!
//! Back in the pool the connection is idle until it expires: after 30 s, or if that is sooner, a second before the time
//! that the server has announced in `Keep-Alive: timeout` (of a single second, half). Nobody watches the clock
//! meanwhile; the next call of the client closes what has expired. That is why longwire needs no thread in the
//! background.
//!
//! **Rule:** [RFC 9112 §9.3](https://www.rfc-editor.org/rfc/rfc9112#section-9.3) (read the whole body, or close)
//!
//! **Held by:** `tests/reuse.rs::a_body_read_to_exactly_its_last_byte_is_finished`,
//! `tests/reuse.rs::a_chunked_body_is_not_finished_before_its_terminator`,
//! `tests/reuse/unread.rs::a_rest_that_has_not_arrived_is_not_waited_for`
//!
//! **Try:** on a connection that would be kept, `GET` a body with `Content-Length` of 100 MiB, read 10 bytes and drop
//! the response. What becomes of the connection? And with a length of 10 of which you read none?
//!
//! <details><summary>Answer</summary>
//!
//! It is closed, as `Unfinished`: more than 64 KiB are known to be left, so nothing is read at all. The ten bytes most
//! likely came with the head; then the drop takes them, and the connection is kept.
//!
//! </details>
//!
//! # Stop 12: when the connection was dead after all
//!
//! A server may close an idle connection in the very moment in which a request goes out on it. The write succeeds, the
//! read finds EOF or a reset, and nobody can know whether the server has acted on the request. What is right to do
//! depends on the request, and the decision is a staircase of early returns.
//!
//! A GET is *idempotent*: twice is as once. It is sent again, once, on a new connection, and the caller notices
//! nothing. A POST is not: it comes back as an error with the fate `MaybeProcessed`, and the caller decides. If not one
//! byte of it was sent, even a POST is sent again.
//!
//! <!-- quote src/client/retry.rs: // A fresh connection that fails is no accident ... Fate::ResponseStarted => false -->
//! ```text
//! // A fresh connection that fails is no accident of timing.
//! if !was_reused {
//!     return false;
//! }
//! // Only for a connection that broke: not for timeouts, cancels and malformed responses.
//! if !matches!(error.kind(), ErrorKind::Io | ErrorKind::Truncated) {
//!     return false;
//! }
//! // A reader that has been read from is not what it was.
//! if !request.body.is_replayable() {
//!     return false;
//! }
//! match error.fate() {
//!     // The server has received nothing.
//!     Fate::NotSent => true,
//!     // The server may have processed it: harmless only if it is idempotent.
//!     Fate::MaybeProcessed => request.is_idempotent(),
//!     // The server was there, and answered.
//!     Fate::ResponseStarted => false,
//! ```
//! [`src/client/retry.rs::may_retry`, lines 14 to 32](../../../src/longwire/client/retry.rs.html#14-32)
//! <!-- end -->
//!
//! **Rule:** [RFC 9110 §9.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2) (idempotent methods),
//! [RFC 9112 §9.3.1](https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1) (retrying)
//!
//! **Held by:** `tests/retry.rs::what_is_idempotent_is_sent_again_on_a_fresh_connection`,
//! `tests/retry.rs::a_post_is_never_sent_twice`,
//! `tests/retry.rs::one_byte_of_a_response_is_enough_not_to_try_again`
//!
//! **Try:** on a pooled connection there is EOF without a byte of a response to (a) a PUT from memory, (b) a PUT from a
//! reader, (c) a POST with an `Idempotency-Key`. On others, (d) EOF in the middle of the head of a response to a GET,
//! and (e) a GET that runs into `read_timeout`. Which are sent again?
//!
//! <details><summary>Answer</summary>
//!
//! (a) and (c). The reader of (b) was read from and is not what it was. In (d) the server has answered. In (e) the
//! connection did not break, the server was slow; sending the same again would make that worse. A policy
//! ([`Retry`](crate::Retry)) can do more than this.
//!
//! </details>
//!
//! # Side paths
//!
//! A plain GET passes these by. Each is one step to the side of a stop.
//!
//! **Redirects** (stop 1). The request becomes the next one, and the connection of the redirect is given back or closed
//! before that one is sent. 303 makes a GET of anything but HEAD, and 301 and 302 of a POST; then the body and the
//! fields about it (`Content-*`) are dropped. 307 and 308 change neither method nor body, and need a body that can be
//! sent again. To another origin only an allow-list goes along: the fields about the body, if that goes, and a few that
//! reveal nothing (`Accept`, `User-Agent`, `Range`, …), but no `Authorization`, no `Cookie`, no custom field; what was
//! dropped stays dropped, even if a later hop leads back. A redirect from https to http is an error
//! ([`Redirect`](crate::ErrorKind::Redirect)), unless
//! [`allow_https_downgrade`](crate::ClientBuilder::allow_https_downgrade) is set; so is the eleventh in a row
//! ([`TooManyRedirects`](crate::ErrorKind::TooManyRedirects)). One deadline covers all hops. See
//! `src/client/redirect.rs::follow`, [RFC 9110 §15.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4).
//!
//! **Proxies** (stops 2 and 5). A request for an http URL goes to an HTTP proxy unchanged but for its target, which is
//! the whole URL (*absolute-form*), and the proxy's own credentials in `Proxy-Authorization`. Such connections lead to
//! the proxy, so requests for all http servers share them, if the proxy's credentials are the same. An https URL needs
//! a *tunnel*: `CONNECT host:port` to the proxy, with the credentials in that head alone; after a 2xx the bytes go
//! through, TLS begins, and the connection leads to one server, which never sees the proxy's credentials. SOCKS5 is a
//! tunnel for both. A tunnel that the proxy refuses, breaks off or answers with nonsense is
//! [`Proxy`](crate::ErrorKind::Proxy), and the request was not sent: after a 407, say. (For an http URL a 407 is a
//! response like any other.) See `src/client/mod.rs::pool_key`, `src/net/dial/http_connect.rs`, [RFC 9112
//! §3.2.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2), [RFC 9110
//! §9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6).
//!
//! **Cancelling** (stop 6). Another thread calls [`CancelToken::cancel`](crate::CancelToken::cancel), which shuts the
//! socket down: the blocked `read` or `write` returns at once (on Windows, and on a stream that cannot be shut down
//! from outside, within 100 ms, the longest tick then), and finds the token cancelled. That connection is never used
//! again, and a body that a cancel has cut off never looks complete. A wait in the pool, for DNS or for a connect is
//! woken up likewise. A cancel after the last byte changes nothing: the body is complete, and the connection in the
//! pool. Why can it not hit the next request on that connection? The token's hook on the socket is taken off before the
//! connection is given back, under the lock under which hooks are called: so taking it off waits for a cancel that is
//! under way, and if one came, the connection is closed as `Cancelled`. See `src/net/conn.rs::lift_token`,
//! `src/net/cancel.rs::register`.
//!
//! **TLS** (stop 4) is one more layer over the socket, made by rustls, with the same ticks. A session ticket that
//! arrives while a connection is idle is no stray byte, which only TLS itself can tell; that is why the probe is a
//! read. See `src/net/tls/stream.rs`.
//!
//! **Large bodies** (stop 5): a body that does not fit beside the head is sent in blocks, and now and then the socket
//! is asked whether a response has come already. A status of 300 or above (413, say) stops the upload, and the
//! connection is closed as [`UploadUnfinished`](crate::CloseReason::UploadUnfinished). See
//! `src/client/upload.rs::send`.
//!
//! # What to read next
//!
//! You have met the decisions of a dozen files. The tests are worth as much: open `tests/retry.rs`, or any pair of
//! fixtures, break a line of the source, and see what fails. `CONTRIBUTING.md` says which file to open for which
//! change.
