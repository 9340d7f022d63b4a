//! One request, followed through the source in twelve stops.
//!
//! You know the outside: a client, a `read` into a buffer of 4096 bytes, and "connections are reused". This page
//! goes through the inside once, from the call to the last byte, in the order in which it happens. It takes a
//! quarter of an hour. Afterwards you can explain how the end of a body is known, why a connection can be used
//! again and why not, what a stale connection does to a GET and to a POST, and what a deadline is in blocking
//! code.
//!
//! Each stop quotes the lines that decide something; the link below a quote leads to the whole file. **Rule** is
//! the section of the standard. **Held by** names tests and fixtures that fail if one breaks it. **Try** is an
//! exercise. Most need two terminals, in the repository:
//!
//! ```text
//! nc -l 8080 < fixtures/close/said.http
//! cargo run --example get -- -v http://127.0.0.1:8080/
//! ```
//!
//! The first is a server that answers its one client with a file; some versions of `nc` want `nc -l -p 8080`, and
//! Ctrl-C ends it. The second is a client that tells what it does. A fixture is the bytes of one response, in
//! `NAME.http`, and what must come of it, in `NAME.expect`. `cargo run --example follow` tells the whole story
//! of this page live, with the bytes.
//!
//! Where is what? Each layer of the house uses only those below it. Nothing calls back up, so one request goes
//! down the picture once, and its response comes up once:
//!
#![doc = include_str!("house.svg")]
//!
//! # Stop 1: a call, and all the time that it has
//!
//! `client.get(url).send()` builds a [`Request`](crate::Request), which is plain data, and calls
//! [`Client::send`](crate::Client::send). The first thing decided is time: a *deadline*, a point on the clock,
//! is computed once from `timeout`, and handed down with everything that may wait. A duration would begin anew
//! in each function; a point in time does not, so no redirect, no retry and no slow server can add to it.
//!
//! `follow` sends the request, and whatever its redirects make of it, until there is a response to hand out.
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
//! [`src/client/mod.rs`, lines 162 to 173](../../../src/longwire/client/mod.rs.html#162-173)
//! <!-- end -->
//!
//! **Rule:** none; HTTP knows no timeouts. A client whose calls end needs one of its own.
//! [RFC 9110 §3.3](https://www.rfc-editor.org/rfc/rfc9110#section-3.3) says what a client is.
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
//! [`NotSent`](crate::Fate::NotSent), so that even a POST may be sent again. `src/client/mod.rs::lease` checks
//! the clock first, since a request that has no time left must not be sent on a connection that happens to be
//! free.
//!
//! </details>
//!
//! # Stop 2: which connections would do
//!
//! A connection may carry this request if it leads to the same *origin*: scheme, host and port. The origin is a
//! prefix of the URL's own text, so that the usual case costs no allocation. A proxy that forwards requests takes
//! those for all servers on one connection; a tunnel through a proxy leads to one server only.
//!
//! The host is the name in the URL and not its address: two names may lead to one address and to two servers.
//!
//! <!-- quote src/client/mod.rs: // What makes connections interchangeable: the origin ... Route::Tunnel -->
//! ```text
//! /// What makes connections interchangeable: the origin, or the proxy, or both.
//! #[inline(always)]
//! fn pool_key<'u>(url: &'u Url, route: Route<'_>) -> Cow<'u, str> {
//!     match route {
//!         Route::Direct => Cow::Borrowed(uri::origin(url)),
//!         Route::Forward { proxy, .. } => Cow::Owned(format!("proxy {}", proxy.pool_key())),
//!         Route::Tunnel(proxy) => Cow::Owned(format!("{} through {}", uri::origin(url), proxy.pool_key())),
//! ```
//! [`src/client/mod.rs`, lines 439 to 445](../../../src/longwire/client/mod.rs.html#439-445)
//! <!-- end -->
//!
//! **Rule:** [RFC 9110 §4.3.1](https://www.rfc-editor.org/rfc/rfc9110#section-4.3.1) (origin),
//! [RFC 9112 §9.3](https://www.rfc-editor.org/rfc/rfc9112#section-9.3) (persistence)
//!
//! **Held by:** `tests/reuse/pool.rs::a_connection_serves_its_own_origin_only`,
//! `tests/reuse/pool.rs::the_key_is_the_name_asked_for_and_not_its_address`
//!
//! **Try:** which of these share a connection: `http://a.example/x`, `HTTP://A.EXAMPLE:80/y`,
//! `http://a.example:8080/`, `https://a.example/`?
//!
//! <details><summary>Answer</summary>
//!
//! The first two. Scheme and host are lower-cased when a URL is parsed, and the default port is dropped, so both
//! have the origin `http://a.example`. Another port or another scheme is another origin.
//!
//! </details>
//!
//! # Stop 3: an idle connection, or a new one
//!
//! The pool is a table of origins, each with a list of idle connections, the one last used at its end. To take one
//! is to *lease* it: the `Lease` owns the connection until the exchange is over. There are two ways out.
//! `release` gives the connection back, and is called by name; everything else, a panic included, drops the lease,
//! and that closes the connection. So nobody can forget to close one, and nobody gives back a bad one by accident.
//!
//! The newest is taken because it is the one that the server is least likely to have closed (before it the one
//! that this very thread has released within the last millisecond, which is still in the core's cache). Before it is
//! used it is probed (the next stop); one that fails is closed, and the next newest is tried. If none is left,
//! `open` dials.
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
//! [`src/net/pool/lease.rs`, lines 42 to 55](../../../src/longwire/net/pool/lease.rs.html#42-55)
//! <!-- end -->
//!
//! This is the life of a connection, with all the reasons for which it ends:
//!
#![doc = include_str!("life.svg")]
//!
//! **Rule:** [RFC 9112 §9.3](https://www.rfc-editor.org/rfc/rfc9112#section-9.3),
//! [RFC 9112 §9.4](https://www.rfc-editor.org/rfc/rfc9112#section-9.4) (how many)
//!
//! **Held by:** `tests/reuse.rs::the_newest_idle_connection_is_taken_first`,
//! `tests/reuse/slots.rs::an_observer_that_panics_while_a_slot_is_acquired_costs_no_slot`
//!
//! **Try:** two threads send to one origin at the same time, then each sends again. How many connections are
//! opened?
//!
//! <details><summary>Answer</summary>
//!
//! Two. HTTP/1.1 carries one exchange at a time on a connection, so the second thread finds none that is idle.
//! The next two requests find both idle, if the bodies of the first two were read to their ends: a body that is
//! still open has its connection leased. `max_connections_per_host(1)` would make the second thread wait instead.
//!
//! </details>
//!
//! # Stop 4: is it still alive?
//!
//! While a connection was idle the server may have closed it, or sent bytes that answer no request. Both lie in
//! the socket already, and cost nothing to see: one read of one byte that does not wait. "Nothing there" is the
//! good answer. The end of the stream, an error, and any byte are bad ones.
//!
//! The probe is what protects a POST: sent on a connection that the server has closed, it would be lost, and could
//! not be sent again (stop 12). And it protects every request from a stray response: HTTP/1.1 has no request
//! numbers, so whatever arrives next on a connection *is* the response. A server that closes after the probe and
//! before the request arrives is not seen by it; no client can see that. By default every reuse is probed;
//! [`probe_after`](crate::ClientBuilder::probe_after) leaves it out after a shorter time than it says.
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
//! [`src/net/conn.rs`, lines 258 to 266](../../../src/longwire/net/conn.rs.html#258-266)
//! <!-- end -->
//!
//! **Rule:** [RFC 9112 §9.5](https://www.rfc-editor.org/rfc/rfc9112#section-9.5) (a close at any time),
//! [RFC 9112 §9.2](https://www.rfc-editor.org/rfc/rfc9112#section-9.2) (which response belongs to which request)
//!
//! **Held by:** `tests/reuse/probe.rs::a_post_does_not_die_on_a_connection_that_the_server_closed_after_its_response`,
//! `tests/reuse/probe.rs::a_second_response_after_a_response_is_never_the_next_response`
//!
//! **Try:** play `fixtures/close/stray-byte.http`. Which [`CloseReason`](crate::CloseReason)?
//!
//! <details><summary>Answer</summary>
//!
//! <!-- outcome close/stray-byte -->
//! ```text
//! nc -l 8080 < fixtures/close/stray-byte.http
//!
//! One byte behind the body is enough.
//! status: 200
//! body: "hello"
//! end: length
//! reuse: StrayBytes
//! ```
//! <!-- end -->
//!
//! The byte came together with the body, so it was seen when the connection was given back, before any probe.
//! Had it come later, the probe would have found it, with the same reason. `get -v` prints "connection closed:
//! the server sent unrequested bytes".
//!
//! </details>
//!
//! # Stop 5: dialling
//!
//! No idle connection was fit, so a name becomes addresses, and an address a socket. A single address is a plain
//! `connect` with a timeout. For several the attempts race: the next one starts when one fails, or after a quarter
//! of a second, and the first that connects wins. DNS and a race cannot be interrupted in blocking code, so they
//! run on worker threads, which are abandoned when the time is up and end by themselves.
//!
//! Getting a connection, the wait for the pool and DNS and a proxy's handshake included, has a limit of its own,
//! `connect_timeout`, within the deadline.
//!
//! <!-- quote src/net/dial/race.rs: while !race.is_lost() { ... None => {} >> } -->
//! ```text
//! while !race.is_lost() {
//!     let mut limit = deadline;
//!     if let Some(permit) = race.next_permit(deadline, token)? {
//!         race.pending.push(permit.address.clone());
//!         limit = deadline.share(race.untried.len() as u32 + 1);
//!         start(permit, connect.clone(), deadline, inbox.sender());
//!     }
//!     match inbox.recv(race.next_attempt(limit), token).map_err(RaceError::Cancelled)? {
//!         Some((address, Ok(stream))) => {
//!             race.win(&address);
//!             return Ok(stream);
//!         }
//!         Some((address, Err(error))) => race.fail(address, error),
//!         None if deadline.has_passed() => return Err(RaceError::TimedOut(race.take_failed(), None)),
//!         None => {}
//! ```
//! [`src/net/dial/race.rs`, lines 61 to 75](../../../src/longwire/net/dial/race.rs.html#61-75)
//! <!-- end -->
//!
//! **Rule:** [RFC 8305 §5](https://www.rfc-editor.org/rfc/rfc8305#section-5) ("Happy Eyeballs")
//!
//! **Held by:** `tests/connecting.rs::an_address_that_does_not_answer_gives_way_to_the_next_after_the_attempt_delay`,
//! `tests/connecting.rs::dead_addresses_share_one_connect_timeout`
//!
//! **Try:** `cargo run --example get -- -v http://127.0.0.1:9/` when nothing listens there. Kind, stage, fate?
//!
//! <details><summary>Answer</summary>
//!
//! [`Connect`](crate::ErrorKind::Connect), [`Stage::Connect`](crate::Stage::Connect),
//! [`NotSent`](crate::Fate::NotSent). It is not tried again by itself: a fresh connection that fails is no accident
//! of timing. The exit status of `get` is curl's, 7.
//!
//! </details>
//!
//! # Stop 6: the request goes out
//!
//! The head is written into the connection's buffer, and a small body behind it, so that both leave in one system
//! call: a server then sees the whole request in its first read. Only what the caller has set is added to three
//! fields of the client's own. `Content-Length` or `Transfer-Encoding: chunked` is decided here too, by the body;
//! a caller who sets another one is refused, since two that differ make two messages of one.
//!
//! From the first byte that the socket takes, the *fate* of the request is
//! [`MaybeProcessed`](crate::Fate::MaybeProcessed). Before that it is `NotSent`.
//!
//! <!-- quote src/wire/request_head.rs: pub(crate) fn encode(&self, put: ... RequestFraming::Chunked => >> } -->
//! ```text
//! pub(crate) fn encode(&self, put: &mut impl FnMut(&[u8])) {
//!     put(self.method.as_str().as_bytes());
//!     put(b" ");
//!     put(self.target.as_bytes());
//!     put(b" HTTP/1.1\r\nHost: ");
//!     let has_more = !self.hop_fields.is_empty() || !self.headers.is_empty();
//!     let host = if has_more { self.get("host") } else { None };
//!     put(host.unwrap_or(self.authority.as_bytes()));
//!     match has_more {
//!         false => put(&self.own_fields.lines),
//!         true => self.encode_own(put),
//!     }
//!     match self.framing {
//!         RequestFraming::None => {}
//!         RequestFraming::Length(length) => {
//!             put(b"\r\nContent-Length: ");
//!             put(Decimal::of(length).as_bytes());
//!         }
//!         RequestFraming::Chunked => put(b"\r\nTransfer-Encoding: chunked"),
//!     }
//! ```
//! [`src/wire/request_head.rs`, lines 79 to 98](../../../src/longwire/wire/request_head.rs.html#79-98)
//! <!-- end -->
//!
//! **Rule:** [RFC 9112 §3](https://www.rfc-editor.org/rfc/rfc9112#section-3),
//! [RFC 9110 §7.2](https://www.rfc-editor.org/rfc/rfc9110#section-7.2) (Host)
//!
//! **Held by:** `tests/requests/head.rs::a_plain_get_is_four_lines`,
//! `tests/requests/head.rs::head_and_small_body_leave_in_one_write`,
//! `tests/requests/checks.rs::content_length_can_only_be_the_bodys`
//!
//! **Try:** print `client.to_wire(&request)` for a POST of `"abc"`, then for `SendBody::reader`. What differs?
//!
//! <details><summary>Answer</summary>
//!
//! `Content-Length: 3` is `Transfer-Encoding: chunked` in the second: the length of a reader is not known before it
//! has ended, and the chunked coding is how a message says its end without a length. Such a body cannot be sent
//! twice either, which matters in stop 12.
//!
//! </details>
//!
//! # Stop 7: waiting, and what a deadline is in blocking code
//!
//! A thread that is blocked in `read` can look at no clock. The kernel can: `SO_RCVTIMEO` makes a read return with
//! nothing after a while. But that timeout begins anew with each read, and a server that sends one byte in each
//! could hold a thread for ever. So the socket's timeout is only a *tick* that wakes the thread. After each
//! wake-up, and before each read, the clock decides: how much is left of the deadline, of `read_timeout` (silence)
//! and of `until` (the limit for this stage)? None of it: an error that names the limit. Some: wait again, for at
//! most that long.
//!
//! Setting the socket's timeout is a system call. A tick of half the time that is left fits the next request as
//! well, so most requests set none.
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
//! [`src/net/conn.rs`, lines 303 to 322](../../../src/longwire/net/conn.rs.html#303-322)
//! <!-- end -->
//!
#![doc = include_str!("deadline.svg")]
//!
//! **Rule:** [RFC 9112 §9.5](https://www.rfc-editor.org/rfc/rfc9112#section-9.5) (who may give up, and when);
//! `SO_RCVTIMEO` in POSIX
//!
//! **Held by:** `tests/deadlines.rs::the_total_deadline_covers_a_body_with_length_that_drips`,
//! `tests/deadlines/signals.rs::signals_neither_break_a_request_nor_move_a_limit`
//!
//! **Try:** a server sends a byte every 10 s for an hour. Which limits end it, with the defaults? Which would?
//!
//! <details><summary>Answer</summary>
//!
//! In the body none: each byte ends a silence, so `read_timeout` (60 s) is never reached, and the deadline is off
//! by default. `timeout` ends it, and `min_speed` does so without a limit for large bodies. In the head
//! `read_timeout` does: a head that has begun must be complete within it.
//!
//! </details>
//!
//! # Stop 8: the response head
//!
//! What has arrived in the buffer is parsed in place, as often as needed, until the empty line is there. Heads of
//! 1xx are passed over: they announce the real one. The head is *consumed*, and what stands behind it in the buffer
//! is the beginning of the body, or nothing yet.
//!
//! The end of the connection is an input like any other. Without a byte of a response it is
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
//! [`src/client/response_reader.rs`, lines 90 to 102](../../../src/longwire/client/response_reader.rs.html#90-102)
//! <!-- end -->
//!
//! **Rule:** [RFC 9112 §4](https://www.rfc-editor.org/rfc/rfc9112#section-4),
//! [RFC 9110 §15.2](https://www.rfc-editor.org/rfc/rfc9110#section-15.2) (1xx)
//!
//! **Held by:** `fixtures/head/interim-102-103.http`, `fixtures/head/cut-in-field-value.http`,
//! `tests/limits.rs::a_head_may_have_max_head_size_bytes_and_not_one_more`
//!
//! **Try:** play `fixtures/head/no-colon.http`. What does the error show?
//!
//! <details><summary>Answer</summary>
//!
//! <!-- outcome head/no-colon -->
//! ```text
//! nc -l 8080 < fixtures/head/no-colon.http
//!
//! A field line without a colon is refused.
//! error: Head
//! stage: Head
//! ```
//! <!-- end -->
//!
//! The error gives the number of the line and shows that line alone, since others may have secrets in them. With
//! `skip_invalid_headers(true)` the line is passed over, unless it names `Content-Length` or `Transfer-Encoding`:
//! what decides where the message ends is never guessed.
//!
//! </details>
//!
//! # Stop 9: where the body ends, and whether the connection lives on
//!
//! This is the heart of HTTP/1.1, and two pure functions in the order of the standard. The first one gives one of
//! four framings. The order matters: a 204 has no body whatever its fields say, and `chunked` beats a length, for
//! whoever believes the other one reads a different message. A length that is not plain digits is an error, not a
//! guess.
//!
//! <!-- quote src/wire/framing.rs: // 1. Responses to HEAD, and 1xx ... // 5. and 6. -->
//! ```text
//! // 1. Responses to HEAD, and 1xx, 204 and 304, have no body, regardless of their fields.
//! let is_bodiless = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
//! if *method == Method::HEAD || is_bodiless || head.status.is_informational() {
//!     return Ok(Framing::Empty);
//! }
//! // 2. Nor has a 2xx to CONNECT: the tunnel follows.
//! if *method == Method::CONNECT && head.status.is_success() {
//!     return Ok(Framing::Empty);
//! }
//! // 3. and 4. Transfer-Encoding overrides Content-Length; only `chunked`, alone, can be decoded.
//! // `identity` (RFC 2616 §3.6) is not a coding: that body ends with the connection, and a
//! // Content-Length with it is the least that must arrive.
//! if head.framing_fields.transfer_encoding != Occurrence::None {
//!     return match transfer_coding(head)? {
//!         TransferCoding::Chunked => Ok(Framing::Chunked),
//!         TransferCoding::Identity => Ok(Framing::UntilClose { at_least: content_length(head)?.unwrap_or(0) }),
//!     };
//! }
//! // 5. and 6. Content-Length, if it is one number.
//! ```
//! [`src/wire/framing.rs`, lines 32 to 50](../../../src/longwire/wire/framing.rs.html#32-50)
//! <!-- end -->
//!
#![doc = include_str!("framings.svg")]
//!
//! The second one is the verdict on the connection. It lives on unless there is a reason against it, and each reason
//! has a name, which [`Client::pool_stats`](crate::Client::pool_stats) counts.
//!
//! <!-- quote src/wire/framing.rs: let connection = Connection::of(head); ... return Reuse::Close(CloseReason::BadFraming) >> } -->
//! ```text
//! let connection = Connection::of(head);
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
//! if head.claims_http2 {
//!     return Reuse::Close(CloseReason::VersionInDoubt);
//! }
//! if is_ambiguous(head, framing) {
//!     return Reuse::Close(CloseReason::BadFraming);
//! }
//! ```
//! [`src/wire/framing.rs`, lines 76 to 94](../../../src/longwire/wire/framing.rs.html#76-94)
//! <!-- end -->
//!
//! **Rule:** [RFC 9112 §6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3) (rules 1 to 8),
//! [RFC 9112 §9.3](https://www.rfc-editor.org/rfc/rfc9112#section-9.3)
//!
//! **Held by:** `fixtures/framing/chunked-beats-length.http`, `fixtures/framing/204-with-length.http`,
//! `fixtures/close/said.http`, `fixtures/close/one-zero.http`
//!
//! **Try:** make the server say close: play `fixtures/close/said.http`. Then take a fixture without a length and
//! without chunks, `fixtures/close/until-close.http`. Which `CloseReason` has each?
//!
//! <details><summary>Answer</summary>
//!
//! <!-- outcome close/said -->
//! ```text
//! nc -l 8080 < fixtures/close/said.http
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
//! nc -l 8080 < fixtures/close/until-close.http
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
//! The second body ends where the connection ends, so there is nothing left to use again. (With `nc` you have to end
//! it: Ctrl-D or Ctrl-C. Until then the client waits, since more may come.)
//!
//! </details>
//!
//! # Stop 10: the bytes of the body
//!
//! [`Response`](crate::Response) owns the lease now. In blocking code the call stack is the state machine; only the
//! body outlives a call, so only the body has a state. Each `read` asks the decoder what the bytes in the buffer
//! are. It copies none and knows no socket: it says "skip so many bytes of framing, then so many are content", "more
//! is needed", or "the body ends here". Bytes beyond the end of the body are not the body's.
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
//! [`src/wire/decode.rs`, lines 39 to 48](../../../src/longwire/wire/decode.rs.html#39-48)
//! <!-- end -->
//!
//! What the end of the connection means depends on the framing, and every framing answers. Only one of the four
//! takes it for the end:
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
//! [`src/wire/decode.rs`, lines 77 to 85](../../../src/longwire/wire/decode.rs.html#77-85)
//! <!-- end -->
//!
//! **Rule:** [RFC 9112 §7.1](https://www.rfc-editor.org/rfc/rfc9112#section-7.1) (chunks),
//! [RFC 9112 §8](https://www.rfc-editor.org/rfc/rfc9112#section-8) (incomplete messages)
//!
//! **Held by:** `fixtures/framing/length-cut-by-one.http`, `fixtures/chunked/cut-no-last-chunk.http`,
//! `tests/body.rs::a_chunked_body_cut_at_any_byte_is_an_error_and_stays_one`
//!
//! **Try:** play `fixtures/chunked/cut-in-data.http`, and end `nc` with Ctrl-C. What has the program got, and what
//! does a second `read` after the error give?
//!
//! <details><summary>Answer</summary>
//!
//! <!-- outcome chunked/cut-in-data -->
//! ```text
//! nc -l 8080 < fixtures/chunked/cut-in-data.http
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
//! again, never `Ok(0)`. So a loop that ends at `Ok(0)` cannot take half a file for a whole one.
//!
//! </details>
//!
//! # Stop 11: the last byte
//!
//! `Ok(0)` from a `read` is the proof that the body is complete. But the connection goes back one step earlier, in
//! the read that takes the last byte: the verdict of stop 9 is carried out as soon as the decoder has seen the end.
//! There is nothing to close and nothing to call.
//!
//! <!-- quote src/message/body/framed.rs: // The body has ended: the connection goes back ... Reuse::Close(reason) => self.lease.close -->
//! ```text
//! /// The body has ended: the connection goes back to the pool, or is closed for the reason known.
//! #[inline]
//! pub(super) fn release_or_close(self) {
//!     match self.reuse {
//!         Reuse::Keep(keep_alive) => self.lease.release(keep_alive),
//!         Reuse::Close(reason) => self.lease.close(reason),
//! ```
//! [`src/message/body/framed.rs`, lines 135 to 140](../../../src/longwire/message/body/framed.rs.html#135-140)
//! <!-- end -->
//!
//! A body that is dropped before its end never waits for the network. If the rest has arrived already, and is small,
//! it is taken and the connection kept; otherwise the connection is closed, since the next response would begin in
//! the middle of this body.
//!
//! <!-- quote src/message/body/framed.rs: while self.decoder.remaining().is_none_or(|left| left <= DROP ... self.lease.close(CloseReason::Unfinished) -->
//! ```text
//! while self.decoder.remaining().is_none_or(|left| left <= DROP_BYTES_MAX as u64) {
//!     match self.next() {
//!         Ok(Found::End) => return self.release_or_close(),
//!         Ok(Found::Data(count)) => {
//!             self.lease.buffer.consume(count);
//!             self.decoder.advance(count);
//!         }
//!         Ok(Found::Nothing) if budget == 0 || reads == DROP_READS_MAX => break,
//!         Ok(Found::Nothing) => match self.lease.try_read(Room::Buffer) {
//!             Ok(Some(count)) if count > 0 => (budget, reads) = (budget.saturating_sub(count), reads + 1),
//!             Ok(_) => break,
//!             Err(_) => return self.lease.close(CloseReason::Failed),
//!         },
//!         Err(_) => return self.lease.close(CloseReason::Failed),
//!     }
//! }
//! self.lease.close(CloseReason::Unfinished);
//! ```
//! [`src/message/body/framed.rs`, lines 156 to 172](../../../src/longwire/message/body/framed.rs.html#156-172)
//! <!-- end -->
//!
//! Back in the pool the connection is idle until it expires: 30 s, or a second less than the server's
//! `Keep-Alive: timeout` says. Nobody watches the clock meanwhile; the next call of the client closes what has
//! expired. That is why longwire needs no thread in the background.
//!
//! **Rule:** [RFC 9112 §9.3](https://www.rfc-editor.org/rfc/rfc9112#section-9.3) (read the whole body, or close)
//!
//! **Held by:** `tests/reuse.rs::a_body_read_to_exactly_its_last_byte_is_finished`,
//! `tests/reuse/unread.rs::a_rest_that_has_not_arrived_is_not_waited_for`
//!
//! **Try:** `GET` a body of 100 MiB, read 10 bytes, drop the response. What is the reason of the close? And after
//! `GET` of 10 bytes of which you read none?
//!
//! <details><summary>Answer</summary>
//!
//! [`Unfinished`](crate::CloseReason::Unfinished): more than 64 KiB are left, so nothing is read at all. The ten
//! bytes most likely came with the head; then the drop takes them, and the connection is kept.
//!
//! </details>
//!
//! # Stop 12: when the connection was dead after all
//!
//! A server may close an idle connection in the very moment in which a request goes out on it. The write succeeds,
//! the read finds the end of the connection, and nobody can know whether the server has acted on the request. What
//! is right to do depends on the request, and the decision is a staircase of early returns.
//!
//! A GET is *idempotent*: twice is as once. It is sent again, once, on a new connection, and the caller notices
//! nothing. A POST is not: it comes back as an error with the fate `MaybeProcessed`, and the caller decides. If not
//! one byte of it was sent, even a POST is sent again.
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
//! [`src/client/retry.rs`, lines 14 to 32](../../../src/longwire/client/retry.rs.html#14-32)
//! <!-- end -->
//!
//! **Rule:** [RFC 9110 §9.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2) (idempotent methods),
//! [RFC 9112 §9.3.1](https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1) (retrying)
//!
//! **Held by:** `tests/retry.rs::what_is_idempotent_is_sent_again_on_a_fresh_connection`,
//! `tests/retry.rs::a_post_is_never_sent_twice`,
//! `tests/retry.rs::one_byte_of_a_response_is_enough_not_to_try_again`
//!
//! **Try:** a pooled connection dies in silence under (a) a PUT from memory, (b) a PUT from a reader, (c) a POST with
//! an `Idempotency-Key`, (d) a GET of which the response's first byte has arrived, (e) a GET that ran into
//! `read_timeout`. Which are sent again?
//!
//! <details><summary>Answer</summary>
//!
//! (a) and (c). The reader of (b) was read from and is not what it was (if it had not been touched yet, it would be
//! sent). In (d) the server has answered. In (e) the connection did not break, the server was slow; sending the same
//! again would make that worse. A policy ([`Retry`](crate::Retry)) can do more than this.
//!
//! </details>
//!
//! # Beside the way
//!
//! A plain GET passes these by. Each is one step to the side of a stop.
//!
//! **Redirects** (stop 1, in `follow`). The redirect's connection is given back or closed first, then the request
//! becomes the next one: 303 makes a GET of anything but HEAD, 301 and 302 make a GET of a POST, 307 and 308 change
//! nothing and need a body that can be sent again. To another origin only a short list of fields goes along: no
//! `Authorization`, no `Cookie`, no custom field. From https to http none is followed, and after 10 it is an error
//! ([`TooManyRedirects`](crate::ErrorKind::TooManyRedirects)). One deadline covers all hops. See
//! `src/client/redirect.rs::follow`, [RFC 9110 §15.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4).
//!
//! **Proxies** (stops 2 and 6). An http URL is sent to an HTTP proxy as it is, with the whole URL for a target; for
//! all servers one kind of connection will do, that to the proxy. An https URL needs a *tunnel*: `CONNECT host:port`
//! to the proxy, and after a 2xx the bytes go through, so the connection leads to one server. The proxy's credentials
//! go to the proxy alone. SOCKS5 is a tunnel for both. A failed handshake is an error of the proxy
//! ([`Proxy`](crate::ErrorKind::Proxy)), and the request was not sent. See `src/net/dial/mod.rs::connect`,
//! `src/net/dial/http_connect.rs`, [RFC 9110 §9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6).
//!
//! **Cancelling** (stop 7). Another thread calls [`CancelToken::cancel`](crate::CancelToken::cancel), which shuts the
//! socket down: the blocked `read` or `write` returns at once, and finds the token cancelled. The connection is never
//! used again, and a body that was cut off by a cancel never looks complete. A wait in the pool, for DNS or for a
//! connect is woken up likewise. A cancel that comes after the last byte hits nothing: the token is taken off the
//! connection before that is given back, or it would shut down the next request's socket. See
//! `src/net/conn.rs::lift_token`, `src/net/cancel.rs`.
//!
//! **TLS** (stop 5) is one more layer over the socket, with the same ticks, made by rustls. A session ticket that
//! arrives while a connection is idle is no stray byte, which only TLS itself can tell; that is why the probe is a
//! read. See `src/net/tls/stream.rs`.
//!
//! **Large bodies** (stop 6): a body that does not fit beside the head is sent in blocks, and between two blocks the
//! socket is asked whether the server has answered already (413, say). Then the upload stops, and the connection is
//! closed ([`UploadUnfinished`](crate::CloseReason::UploadUnfinished)). See `src/client/upload.rs`.
//!
//! # What to read next
//!
//! You have met the decisions of eleven files. The tests are worth as much: open `tests/retry.rs`, or any pair of
//! fixtures, break a line of the source, and see what fails. `CONTRIBUTING.md` says which file to open for which
//! change.
