//! The steps that `follow` tells, in the order of a request: what each is about, the rule that decides it, and
//! the function of longwire that does it. This is all there is to know about them; when each happens, the client's
//! events say (`teller.rs`).
//!
//! `tests/follow.rs` reads this table: each function must be in the file that is named with it.

/// One step of a request.
pub(crate) struct Step {
    pub(crate) key: Key,
    /// Told with the step the first time.
    pub(crate) why: &'static str,
    /// The section that decides; empty where no RFC does.
    pub(crate) rule: &'static str,
    pub(crate) function: &'static str,
    pub(crate) file: &'static str,
}

/// A row: the key, the rule, the function with its file, and why.
macro_rules! steps {
    ($($key:ident, $rule:literal, $function:literal in $file:literal: $why:literal;)*) => {
        /// The name of a step.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub(crate) enum Key { $($key,)* }

        pub(crate) const STEPS: &[Step] =
            &[$(Step { key: Key::$key, why: $why, rule: $rule, function: $function, file: $file },)*];
    };
}

steps! {
    Called, "", "Client::send" in "src/client/mod.rs":
        "One deadline is set here and shared by all that follows: pool, look-up, connect, sending, waiting, \
         reading, redirects and a retry. Nothing waits longer.";
    NoneIdle, "RFC 9110 §4.3.1", "Pool::acquire" in "src/net/pool/lease.rs":
        "Only a connection to the same origin will do: scheme, host and port. There is none, so one is opened.";
    AddressKnown, "", "Resolver::known" in "src/net/dial/resolve.rs":
        "So nothing is looked up.";
    LookedUp, "", "Resolver::look_up" in "src/net/dial/resolve.rs":
        "The system looks the name up, on a thread of its own: a look-up has no timeout, but the request has.";
    Connected, "RFC 8305 §5", "Dialer::connect_tcp" in "src/net/dial/mod.rs":
        "Of several addresses, the next is tried as well when one does not answer soon; the first to connect wins.";
    Secured, "RFC 8446 §4", "Tls::wrap" in "src/net/tls/handshake.rs":
        "The bytes below are those inside of TLS.";
    RequestHead, "RFC 9110 §7.2", "RequestHead::encode" in "src/wire/request_head.rs":
        "Host comes first, so that the server knows at once which of its sites is meant. No Connection field: \
         HTTP/1.1 keeps connections unless told not to. No Content-Length: a GET brings no body.";
    RequestHeadWithBody, "RFC 9112 §6", "RequestHead::encode" in "src/wire/request_head.rs":
        "Content-Length says where this request's body ends, for the next request begins right behind it.";
    Sent, "", "Conn::send" in "src/net/conn.rs":
        "The head, and a body that is small, leave in one write. The system has them; whether the server does, \
         only a response will tell.";
    Interim, "RFC 9110 §15.2", "ResponseReader::skip_interim" in "src/client/response_reader.rs":
        "A 1xx is no answer yet. The final head follows on the same connection.";
    ResponseHead, "RFC 9112 §2.2", "HeadParser::parse" in "src/wire/response_head.rs":
        "The empty line ends it. What was read behind that line stays in the connection's buffer: it is the body's.";
    NoBody, "RFC 9112 §6.3", "framing::of_response" in "src/wire/framing.rs":
        "A response to HEAD, a 1xx, a 204 and a 304 have no body, whatever their fields say.";
    Chunked, "RFC 9112 §6.3", "framing::of_response" in "src/wire/framing.rs":
        "Rules 1 and 2 (no body) do not apply. Rule 4: with Transfer-Encoding: chunked the body ends at the chunk of \
         size 0. A Content-Length beside it would not count: rule 3.";
    Length, "RFC 9112 §6.3", "framing::of_response" in "src/wire/framing.rs":
        "The rules have an order. 1 and 2 (no body), 3 and 4 (Transfer-Encoding) do not apply; by 5 a Content-Length \
         has to be one number, and by 6 it is the length.";
    UntilClose, "RFC 9112 §6.3", "framing::of_response" in "src/wire/framing.rs":
        "Nothing announces the end (rule 7 is about requests). Rule 8: the body is all that comes until the server \
         closes. A cut could not be told from an end.";
    MayPersist, "RFC 9112 §9.3", "framing::reuse" in "src/wire/framing.rs":
        "HTTP/1.1, no Connection: close from either side, and a body whose end will be seen: what comes after \
         it can only be the next response.";
    WillClose, "RFC 9112 §9.3", "framing::reuse" in "src/wire/framing.rs":
        "The version, a Connection field or the framing rules out a second exchange on this connection.";
    Reading, "", "Body::read_into" in "src/message/body/mod.rs":
        "The caller's buffer and the caller's pace: nothing is read ahead but what the connection's buffer holds.";
    BodyEnded, "RFC 9112 §6", "Decoder::end" in "src/wire/decode.rs":
        "The end is proven by the framing that was decided above, never by silence.";
    Kept, "RFC 9112 §9.3", "Lease::release" in "src/net/pool/lease.rs":
        "At the last byte, within the same read: not one read later, and with nothing to call or to drop.";
    Proven, "", "Body::poll_data" in "src/message/body/mod.rs":
        "Ok(0) is the proof that the body is whole. After a cut it never comes.";
    Probed, "RFC 9112 §9.5", "Conn::probe" in "src/net/conn.rs":
        "One read that does not wait. It found neither bytes nor an end, so the connection is fit, as far as \
         anyone can know: the server may still close it at any moment.";
    ProbeSawEnd, "RFC 9112 §9.5", "Conn::probe" in "src/net/conn.rs":
        "The same read of one byte, but it found the end of the stream. The request has not been sent, so \
         nothing is lost, and it goes to another connection without being a retry.";
    Closed, "RFC 9112 §9.3", "Lease::close_conn" in "src/net/pool/lease.rs":
        "Closing is the default. Only a complete exchange leads back to the pool.";
    CutShort, "RFC 9112 §8", "Decoder::eof" in "src/wire/decode.rs":
        "The connection ended before the body did, by its own framing: that is no end. The bytes that came were \
         handed out, but Ok(0) will not follow, and every later read gives this error again.";
    BodyFailed, "", "Body::fail" in "src/message/body/mod.rs":
        "What has come so far was handed out. Ok(0) will not follow, and every later read gives this error again.";
    NotConnected, "", "Dialer::open" in "src/net/dial/mod.rs":
        "Without a connection nothing was sent: whatever the method, the request may be tried again.";
    Failed, "", "exchange::run" in "src/client/exchange.rs":
        "The fate follows from two facts: whether any byte of the request was sent, and whether any byte of a \
         response came back.";
    SentAgain, "RFC 9110 §9.2.2", "may_retry" in "src/client/retry.rs":
        "Four answers allow it: the connection was a reused one, it broke before any byte of a response, the \
         body can be sent again, and the method is idempotent: twice is as good as once.";
    NotSentAgain, "RFC 9110 §9.2.2", "may_retry" in "src/client/retry.rs":
        "The reused connection broke, but the server may have acted on the request, and the method is not \
         idempotent: twice might be two orders. Only the caller can know, and is told so.";
    Redirected, "RFC 9110 §15.4", "Redirects::follow" in "src/client/redirect.rs":
        "The Location is the next request's URL. To another origin neither Authorization nor cookies go along.";
}
