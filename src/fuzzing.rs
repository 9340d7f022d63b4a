//! Fuzz targets: each takes any bytes and panics if the library breaks a promise.
//!
//! Checked is that the result does not depend on how the bytes arrive, that it is the result of an
//! independent parser (`fuzzing/reference.rs`), and that it has the properties which every
//! result must have. An input is what the peer sends and nothing else, so fixtures are inputs and
//! inputs become fixtures; how it is split is derived from its bytes.
//!
//! This module exists under `cfg(fuzzing)`, for `fuzz/`, and under `cfg(test)`, where the fixtures and
//! the inputs kept in `fuzz/corpus` are run again. The client as a whole is fuzzed through its public
//! API, in `tests/fixtures/fuzz.rs`.

#[cfg(all(feature = "gzip", feature = "brotli", feature = "zstd"))]
mod coding;
mod cookies;
mod delivery;
mod reference;
mod sse;

#[cfg(all(feature = "gzip", feature = "brotli", feature = "zstd"))]
pub use coding::coding;

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::ext::download::content_range::ContentRange;
use crate::fuzzing::delivery::{Delivery, deliveries};
use crate::headers::{Headers, is_field_byte};
use crate::method::Method;
use crate::net::deadline::Deadline;
use crate::net::dial::route::{Credentials, Destination, Dns, ProxyProtocol, ProxyServer, TunnelError};
use crate::net::dial::{http_connect, tunnel};
use crate::net::transport::Stream;
use crate::net::transport::socket::Socket;
use crate::redact::{Urls, hide_userinfo};
use crate::reuse::Reuse;
use crate::token::is_token;
use crate::uri::sealed::Sealed;
use crate::uri::{authority_and_target, has_userinfo, resolve_location, without_userinfo};
use crate::wire::chunked::{LAST_CHUNK, SIZE_LINE_BYTES_MAX, encode_size};
use crate::wire::decode::Decoder;
#[cfg(feature = "digest")]
use crate::wire::digest;
use crate::wire::framing::{Framing, of_response, reuse};
use crate::wire::head_lines::InvalidLines;
use crate::wire::response_head::{Head, HeadLimits, HeadParser};
use crate::wire::step::Step;
use crate::wire::{auth_param, challenge};

pub use cookies::cookies;
pub use sse::sse;

/// The client's default limits, and limits that a short input can exceed.
const LIMITS: HeadLimits = HeadLimits { bytes_max: 64 * 1024, fields_max: 256 };
const TIGHT: HeadLimits = HeadLimits { bytes_max: 300, fields_max: 5 };

/// A response head parses to the same however it arrives, is within its limits, and is clean.
pub fn head(bytes: &[u8]) {
    for limits in [LIMITS, TIGHT] {
        let strict = receive_head(bytes, Delivery::Whole, limits, InvalidLines::Reject);
        let lenient = receive_head(bytes, Delivery::Whole, limits, InvalidLines::Skip);
        check_skipping(&strict, &lenient);
        for (delivery, whole, invalid_lines) in deliveries(bytes)
            .into_iter()
            .flat_map(|delivery| [(delivery, &strict, InvalidLines::Reject), (delivery, &lenient, InvalidLines::Skip)])
        {
            let parts = receive_head(bytes, delivery, limits, invalid_lines);
            match (whole, &parts) {
                (Ok(whole), Ok(parts)) => assert_same_head(whole, parts),
                (Err(whole), Err(parts)) => assert_same_error(whole, parts, bytes.len(), limits),
                _ => panic!("{delivery:?} {invalid_lines:?}: {:?}, whole: {:?}", parts.err(), whole.as_ref().err()),
            }
        }
        if let Ok(head) = &strict {
            check_head(head, bytes, limits);
        }
    }
}

/// A whole reply parses to the same however it arrives, and as the reference parser has it.
pub fn reply(bytes: &[u8]) {
    for method in [Method::GET, Method::HEAD] {
        let whole = receive(bytes, &method, Delivery::Whole);
        for delivery in deliveries(bytes) {
            assert_eq!(receive(bytes, &method, delivery), whole, "{method} {delivery:?}");
        }
        let Some(head) = &whole.head else { continue };
        let expected = reference::final_head(bytes).expect("an accepted head is a head");
        assert_eq!((head.status.as_u16(), head.raw()), (expected.status, expected.raw));
        let framing = of_response(&method, head);
        assert_eq!(framing.as_ref().ok().copied(), reference::framing(method.as_str(), &expected).map(framing_of));
        let Ok(framing) = framing else { continue };
        let keeps = matches!(reuse(head, framing, false), Reuse::Keep(_));
        let framing = reference::framing(method.as_str(), &expected).expect("it was the same");
        assert_eq!(keeps, reference::persists(&expected, framing));
        whole.body.check(&bytes[expected.end..], framing);
    }
}

/// The chunked coding alone.
pub fn chunked(bytes: &[u8]) {
    let whole = receive_body(bytes, Framing::Chunked, Delivery::Whole);
    for delivery in deliveries(bytes) {
        assert_eq!(receive_body(bytes, Framing::Chunked, delivery), whole, "{delivery:?}");
    }
    whole.check(bytes, reference::Framing::Chunked);
}

/// The trailer section alone: `bytes` follow the line of the last chunk.
pub fn trailers(bytes: &[u8]) {
    chunked(&[b"0\r\n", bytes].concat());
    chunked(&[b"0\r\n", bytes, b"\r\n\r\n"].concat());
}

/// Data that is encoded in chunks decodes to the same. The first byte is the number of sizes that follow.
pub fn round_trip(bytes: &[u8]) {
    let Some((count, rest)) = bytes.split_first() else { return };
    let (sizes, mut data) = rest.split_at(rest.len().min(usize::from(*count)));
    let (mut text, whole) = (Vec::new(), data);
    for size in sizes.iter().cycle().take(4096) {
        let (chunk, left) = data.split_at(data.len().min(usize::from(*size) * 3 + 1));
        data = left;
        if chunk.is_empty() {
            break;
        }
        text.extend_from_slice(encode_size(chunk.len(), &mut [0; SIZE_LINE_BYTES_MAX]));
        text.extend_from_slice(chunk);
        text.extend_from_slice(b"\r\n");
    }
    let whole = &whole[..whole.len() - data.len()];
    text.extend_from_slice(LAST_CHUNK);
    let end = text.len();
    text.extend_from_slice(b"HTTP/1.1 200 OK");
    for delivery in deliveries(&text) {
        let body = receive_body(&text, Framing::Chunked, delivery);
        assert_eq!((&body.bytes[..], body.end, &body.trailers[..]), (whole, End::At(end), &[][..]), "{delivery:?}");
    }
}

/// Connection, Keep-Alive, Content-Length and Transfer-Encoding: a list over several field lines is the
/// same as on one, and both are read as by the reference parser. Each line of the input is a field's
/// value; its first byte selects the field.
pub fn fields(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let status_line = match first.first().map_or(0, |byte| byte % 5) {
        0 => "HTTP/1.1 200 OK\r\n",
        1 => "HTTP/1.0 200 OK\r\n",
        2 => "HTTP/1.1 204 No Content\r\n",
        3 => "HTTP/1.1 304 Not Modified\r\n",
        _ => "HTTP/1.1 404 Not Found\r\n",
    };
    let mut values: [Vec<Vec<u8>>; 4] = Default::default();
    for (which, value) in lines.filter_map(|line| line.split_first()).take(200) {
        values[usize::from(which % 4)].push(value.iter().copied().filter(|byte| is_field_byte(*byte)).collect());
    }
    let names = ["Connection", "Keep-Alive", "Content-Length", "Transfer-Encoding"];
    let (mut apart, mut joined) = (status_line.as_bytes().to_vec(), status_line.as_bytes().to_vec());
    for (name, values) in names.iter().zip(&values) {
        for value in values {
            apart.extend_from_slice(&[name.as_bytes(), b":", &value[..], b"\r\n"].concat());
        }
        if !values.is_empty() {
            joined.extend_from_slice(&[name.as_bytes(), b":", &values.join(&b","[..]), b"\r\n"].concat());
        }
    }
    let [apart, joined] = [apart, joined].map(|text| [&text[..], b"\r\n"].concat());
    for method in [Method::GET, Method::HEAD] {
        assert_eq!(meaning(&apart, &method), meaning(&joined, &method));
    }
}

/// The framing and persistence of a head, which must be those of the reference parser.
fn meaning(text: &[u8], method: &Method) -> Option<(Framing, Reuse)> {
    let head = receive_head(text, Delivery::Whole, LIMITS, InvalidLines::Reject).expect("it is well-formed");
    let expected = reference::head(text).expect("it is well-formed");
    let framing = of_response(method, &head).ok();
    let expected_framing = reference::framing(method.as_str(), &expected);
    assert_eq!(framing, expected_framing.map(framing_of));
    let (framing, expected_framing) = (framing?, expected_framing?);
    let persistence = reuse(&head, framing, false);
    match persistence {
        Reuse::Keep(hint) => {
            assert!(reference::persists(&expected, expected_framing), "kept");
            assert_eq!(hint.timeout_secs, reference::hint(&expected, "timeout"));
            assert_eq!(hint.requests_left, reference::hint(&expected, "max"));
        }
        Reuse::Close(_) => assert!(!reference::persists(&expected, expected_framing), "closed"),
    }
    Some((framing, persistence))
}

/// A Content-Range is read as by the reference parser, and to the same when it is written again.
pub fn content_range(bytes: &[u8]) {
    let (found, expected) = (ContentRange::parse(bytes), reference::content_range(bytes));
    let (positions, length, text) = match found {
        None => return assert_eq!(expected, None),
        Some(ContentRange::Part { first, end, length }) => {
            assert!(first < end && length.is_none_or(|length| end <= length));
            let shown = length.map_or("*".to_owned(), |length| length.to_string());
            (Some((first, end - 1)), length, format!("bytes {first}-{}/{shown}", end - 1))
        }
        Some(ContentRange::Unsatisfied { length }) => (None, Some(length), format!("bytes */{length}")),
    };
    assert_eq!(expected, Some(reference::ContentRange { positions, length }));
    assert_eq!(ContentRange::parse(text.as_bytes()), found, "{text}");
}

/// Challenges, one field value a line: within their limits, made of what a field may have, and read to the
/// same when they are written again. What Digest answers them is well formed, too, and has what it must
/// send back.
pub fn challenges(bytes: &[u8]) {
    let values = || bytes.split(|byte| *byte == b'\n').take(LIMITS.fields_max);
    let found = auth_param::challenges(values());
    assert!(found.len() <= auth_param::CHALLENGES_MAX);
    let schemes = challenge::schemes(values());
    let mut text = Vec::new();
    for challenge in &found {
        let is_listed = schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case(challenge.scheme));
        assert!(is_listed || schemes.len() == 8, "{challenge:?}");
        assert!(challenge.parameters.len() <= auth_param::PARAMETERS_MAX);
        text.extend_from_slice(if text.is_empty() { b"" } else { b", " });
        text.extend_from_slice(challenge.scheme.as_bytes());
        for (nth, (name, value)) in challenge.parameters.iter().enumerate() {
            assert!(is_token(name.as_bytes()) && value.iter().all(|byte| is_field_byte(*byte)), "{challenge:?}");
            assert_eq!(challenge.parameter(&name.to_ascii_uppercase()), Some(&**value));
            let escaped = value.iter().flat_map(|byte| [b'\\', *byte]);
            text.extend(if nth == 0 { " " } else { ", " }.bytes().chain(name.bytes()).chain(*b"=\"").chain(escaped));
            text.push(b'"');
        }
    }
    assert_eq!(auth_param::challenges([&text[..]].into_iter()), found, "{}", text.escape_ascii());
    if let Some(nonce) = auth_param::listed_parameter(values(), "nextnonce") {
        assert!(nonce.iter().all(|byte| is_field_byte(*byte)));
    }
    #[cfg(feature = "digest")]
    answer_of(bytes, &found);
}

/// The answer to the challenge that Digest chooses of these.
#[cfg(feature = "digest")]
fn answer_of(bytes: &[u8], found: &[auth_param::Challenge<'_>]) {
    let values = bytes.split(|byte| *byte == b'\n').take(LIMITS.fields_max);
    let Some(chosen) = digest::Challenge::select(values, true) else { return };
    let session = digest::Session::new(chosen, "c".to_owned());
    let asked = digest::Asked { method: "GET", target: "/?\u{e4}", body: Some(&[b"x"]) };
    let answer = session.answer("J\u{e4}s \"\\", "secret", asked).expect("its count is the first");
    assert!(answer.iter().all(|byte| is_field_byte(*byte)), "{}", answer.escape_ascii());
    let read = auth_param::challenges([&answer[..]].into_iter());
    let [answer] = &read[..] else { panic!("{}", answer.escape_ascii()) };
    let is_answered = |challenge: &auth_param::Challenge<'_>| {
        let same = |name: &str| challenge.parameter(name) == answer.parameter(name);
        ["realm", "nonce", "opaque", "algorithm"].into_iter().all(same)
    };
    assert!(found.iter().any(is_answered), "{answer:?}");
    assert!(answer.parameter("response").is_some_and(|hex| matches!(hex.len(), 32 | 64)));
}

/// A caller's URL, and a Location that is resolved against it: the result is http or https, valid in a
/// request line, without userinfo, and the same when resolved again. The first line is the URL.
pub fn location(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let text = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let location = parts.next().unwrap_or_default();
    let base = match text.as_str().into_url() {
        Ok(url) => {
            let url = without_userinfo(url);
            check_url(&url);
            check_host(&text, &url);
            url
        }
        Err(_) => Url::parse("http://example.com:8080/a/b;c?d=e#f").expect("it is a URL"),
    };
    let reference = String::from_utf8_lossy(location);
    let Ok(next) = resolve_location(&base, location) else { return };
    if base.join(&reference.replace(' ', "%20")).is_ok_and(|url| has_userinfo(&url)) {
        let shown = location.escape_ascii().to_string(); // as in an error message
        assert!(hide_userinfo(&shown, Urls::Reference).contains("***@"), "userinfo is shown: {shown}");
    }
    check_url(&next);
    check_host(&reference, &next);
    let again = resolve_location(&base, next.as_str().as_bytes()).expect("a resolved URL is a valid Location");
    assert_eq!(again, next, "resolved again");
}

fn check_url(url: &Url) {
    assert!(["http", "https"].contains(&url.scheme()), "{url}");
    assert!(!has_userinfo(url) && url.port() != Some(0), "{url}");
    assert!(url.host_str().is_some_and(|host| !host.is_empty()), "{url}");
    let is_visible = |text: &str| text.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    let (host, target) = authority_and_target(url);
    assert!(target.starts_with('/') && is_visible(target) && !target.contains('#'), "{url}");
    assert!(!host.is_empty() && is_visible(host) && !host.contains(['/', '\\', '@', '?', '#']), "{url}");
    assert_eq!(url.as_str().into_url().expect("it is a URL"), *url, "parsed again");
}

/// A plain name in an authority is the URL's host.
fn check_host(text: &str, url: &Url) {
    let Some((before, rest)) = text.split_once("//") else { return };
    if !(before.is_empty() || ["http:", "https:"].contains(&before.to_ascii_lowercase().as_str())) {
        return;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
    // Numbers may be an address in another notation, and xn-- may stand for other letters.
    let is_plain = host.split('.').all(|label| {
        let letters = label.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
        letters && !label.is_empty() && !label.to_ascii_lowercase().starts_with("xn--")
    });
    if is_plain {
        assert_eq!(url.host_str(), Some(host.to_ascii_lowercase().as_str()), "{text}");
    }
}

/// The handshake with a proxy ends for any bytes that the proxy sends: in a tunnel if the reference
/// parser finds a 2xx head and no bytes after it, otherwise in an error of [`ErrorKind::Proxy`].
pub fn tunnel(bytes: &[u8]) {
    let http =
        || ProxyProtocol::Http { is_https: false, fields: Headers::new(), connect: Some(http_connect::handshake) };
    let whole = run_handshake(bytes, Delivery::Whole, http());
    let head = reference::final_head(bytes);
    let is_accepted = head.is_some_and(|head| (200..300).contains(&head.status) && head.end == bytes.len());
    assert!(is_accepted || whole.is_none(), "the proxy did not accept");
    for delivery in deliveries(bytes) {
        assert_eq!(run_handshake(bytes, delivery, http()), whole, "{delivery:?}");
    }
    for login in [false, true] {
        let end = socks5_end(bytes, login);
        for delivery in deliveries(bytes).into_iter().chain([Delivery::Whole]) {
            let speaks = ProxyProtocol::Socks5 {
                dns: Dns::Remote,
                credentials: login.then(|| Credentials { user: b"me".to_vec(), password: b"secret".to_vec() }),
            };
            assert_eq!(run_handshake(bytes, delivery, speaks), end, "{delivery:?}");
        }
    }
}

/// Returns the number of bytes that were read from the proxy when the tunnel opened, if it did.
fn run_handshake(bytes: &[u8], delivery: Delivery, speaks: ProxyProtocol) -> Option<usize> {
    let read = Arc::new(AtomicUsize::new(0));
    let proxy = ScriptedProxy { bytes: bytes.to_vec(), delivery, arrived: 0, read: Arc::clone(&read) };
    let server = ProxyServer {
        name: String::new(),
        host: String::new(),
        port: 1,
        protocol: speaks,
        is_trusted: false,
        #[cfg(feature = "__rustls")]
        tls: None,
    };
    let to = Destination::Host("example.test", 80);
    match tunnel::open(Socket::other(Box::new(proxy)), &server, b"", to, Deadline::none(), None) {
        Ok(_) => Some(read.load(Ordering::Relaxed)),
        Err(TunnelError::Unreachable(error) | TunnelError::Failed(error)) => {
            assert_eq!(error.kind(), ErrorKind::Proxy, "{error}");
            assert!(error.proxy_answer().is_none_or(|answer| answer.len() <= 24 * 1024), "{error}");
            None
        }
    }
}

/// Returns the length of a SOCKS5 proxy's part of the handshake, if it accepts (RFC 1928, RFC 1929) and
/// sends nothing after it.
fn socks5_end(bytes: &[u8], login: bool) -> Option<usize> {
    let start = match bytes {
        [5, 0, ..] => 2,
        [5, 2, 1 | 5, 0, ..] if login => 4,
        _ => return None,
    };
    let length = match &bytes[start..] {
        [5, 0, _, 1, ..] => 10,
        [5, 0, _, 4, ..] => 22,
        [5, 0, _, 3, name, ..] => 7 + usize::from(*name),
        _ => return None,
    };
    (start + length == bytes.len()).then_some(start + length)
}

/// A proxy that sends these bytes, whatever it is sent, and closes.
struct ScriptedProxy {
    bytes: Vec<u8>,
    delivery: Delivery,
    arrived: usize,
    read: Arc<AtomicUsize>,
}

impl Read for ScriptedProxy {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let start = self.read.load(Ordering::Relaxed);
        if start == self.arrived {
            self.arrived = self.delivery.next(start, self.bytes.len());
        }
        let count = (&self.bytes[start..self.arrived]).read(buf)?;
        self.read.store(start + count, Ordering::Relaxed);
        Ok(count)
    }
}

impl Write for ScriptedProxy {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for ScriptedProxy {
    fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let all_read = self.read.load(Ordering::Relaxed) == self.bytes.len();
        if all_read { Err(io::ErrorKind::WouldBlock.into()) } else { self.read(buf) }
    }

    fn set_timeouts(&mut self, _: Option<Duration>, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

/// A parser that skips invalid lines accepts each head that one that does not accepts, with the same
/// result, and skips no line that another parser may take for a field that frames the message.
fn check_skipping(strict: &Result<Head>, lenient: &Result<Head>) {
    let Ok(lenient) = lenient else {
        assert!(strict.is_err(), "only a strict parser accepts it");
        return;
    };
    if let Ok(strict) = strict {
        return assert_same_head(strict, lenient);
    }
    let frames = |name: &[u8]| {
        let name: Vec<u8> = name.iter().filter(|byte| is_token(&[**byte])).map(u8::to_ascii_lowercase).collect();
        ["content-length", "transfer-encoding"]
            .iter()
            .any(|field| name.windows(field.len()).any(|part| part == field.as_bytes()))
    };
    // None of those is folded.
    let mut unfolded: &[u8] = &[];
    for line in lenient.raw().split(|byte| *byte == b'\n').skip(1) {
        let is_fold = line.starts_with(b" ") || line.starts_with(b"\t");
        let name = unfolded.split(|byte| *byte == b':').next().unwrap_or_default();
        let is_framing =
            ["content-length", "transfer-encoding"].iter().any(|field| field.as_bytes().eq_ignore_ascii_case(name));
        assert!(!(is_fold && is_framing), "a fold of a line that frames");
        unfolded = if is_fold { unfolded } else { line };
    }
    let lines = lenient.raw().split(|byte| *byte == b'\n').skip(1);
    let names = lines.filter(|line| !line.starts_with(b" ") && !line.starts_with(b"\t"));
    let names = names.map(|line| line.split(|byte| *byte == b':').next().unwrap_or_default());
    let seen = lenient.headers.iter().filter(|(name, _)| frames(name.as_bytes())).count();
    assert_eq!(names.filter(|name| frames(name)).count(), seen, "a line that frames was skipped");
}

fn receive_head(bytes: &[u8], mut delivery: Delivery, limits: HeadLimits, invalid_lines: InvalidLines) -> Result<Head> {
    let (mut parser, mut arrived) = (HeadParser::new(limits, invalid_lines), 0);
    loop {
        let before = arrived;
        arrived = delivery.next(arrived, bytes.len());
        if before == arrived {
            return Err(parser.eof(&bytes[..arrived]));
        }
        if let Some(found) = parser.parse(&bytes[..arrived])? {
            return Ok(found);
        }
    }
}

fn assert_same_head(one: &Head, other: &Head) {
    assert_eq!((one.raw(), one.bytes, one.status), (other.raw(), other.bytes, other.status));
    assert_eq!((one.version, one.reason()), (other.version, other.reason()));
    assert!(one.headers.iter().eq(other.headers.iter()), "{:?} {:?}", one.headers, other.headers);
}

/// A head that is too large is not parsed further, so it may also be malformed; no other error depends
/// on the order in which the bytes are checked.
fn assert_same_error(one: &Error, other: &Error, length: usize, limits: HeadLimits) {
    let is_at_limit = [one, other].iter().any(|error| error.kind() == ErrorKind::HeadTooLarge);
    assert!(!is_at_limit || limits.fields_max == TIGHT.fields_max || length > 256, "{one}; {other}");
    if !is_at_limit {
        assert_eq!(one.kind(), other.kind(), "{one}; {other}");
    }
}

fn check_head(head: &Head, bytes: &[u8], limits: HeadLimits) {
    let length = head.bytes;
    assert!(length <= limits.bytes_max && head.headers.len() <= limits.fields_max, "{length} bytes");
    assert!(bytes[..length].ends_with(head.raw()), "the raw head is the received one");
    let lead = &bytes[..length - head.raw().len()];
    assert!(lead.iter().filter(|byte| **byte == b'\n').count() <= 4, "empty lines before the head");
    assert!((100..=999).contains(&head.status.as_u16()), "{}", head.status);
    assert!(head.reason().bytes().all(is_field_byte), "{:?}", head.reason());
    let is_clean = |value: &[u8]| !value.iter().any(|byte| b"\r\n\0".contains(byte));
    let expected = reference::head(bytes).expect("an accepted head is a head");
    assert_eq!(expected.raw, head.raw());
    assert_eq!(expected.fields.len(), head.headers.len());
    for ((name, value), (expected_name, expected_value)) in head.headers.iter().zip(&expected.fields) {
        assert!(is_token(name.as_bytes()) && is_clean(value), "{name}: {}", value.escape_ascii());
        assert_eq!((&name.to_ascii_lowercase(), value), (expected_name, &expected_value[..]));
    }
}

/// The result for a reply.
#[derive(Default)]
struct Received {
    interim: usize,
    head: Option<Head>,
    body: Body,
}

impl PartialEq for Received {
    fn eq(&self, other: &Received) -> bool {
        let raw = |received: &Received| received.head.as_ref().map(|head| head.raw().to_vec());
        (self.interim, raw(self), &self.body) == (other.interim, raw(other), &other.body)
    }
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let raw = self.head.as_ref().map(|head| head.raw().escape_ascii().to_string());
        write!(f, "{} interim, {raw:?}, {:?}", self.interim, self.body)
    }
}

fn receive(bytes: &[u8], method: &Method, delivery: Delivery) -> Received {
    let mut received = Received::default();
    let mut used = 0;
    let framing = loop {
        match receive_head(&bytes[used..], delivery, LIMITS, InvalidLines::Reject) {
            Ok(head) => {
                used += head.bytes;
                if head.is_interim() {
                    received.interim += 1;
                    continue;
                }
                let framing = of_response(method, &head);
                received.head = Some(head);
                break framing;
            }
            Err(error) => break Err(error),
        }
    };
    match framing {
        Ok(framing) => received.body = receive_body(&bytes[used..], framing, delivery),
        Err(error) => received.body.end = End::Error(error.kind()),
    }
    received
}

/// The result for the bytes after a head, which the connection's end follows.
#[derive(Debug, Default, PartialEq)]
struct Body {
    bytes: Vec<u8>,
    end: End,
    trailers: Vec<(String, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum End {
    #[default]
    Never,
    At(usize),
    Error(ErrorKind),
}

fn receive_body(bytes: &[u8], framing: Framing, mut delivery: Delivery) -> Body {
    let mut decoder = Decoder::new(framing);
    let (mut body, mut used, mut arrived) = (Body::default(), 0, 0);
    let end = loop {
        match decoder.step(&bytes[used..arrived]) {
            Ok(Step::Data { skip, len }) => {
                assert!(len > 0 && used + skip + len <= arrived, "data that has not arrived");
                let taken = if len > 3 { len / 2 } else { len }; // as a reader with a small buffer does
                body.bytes.extend_from_slice(&bytes[used + skip..used + skip + taken]);
                used += skip + taken;
                decoder.advance(taken);
            }
            Ok(Step::More { skip }) => {
                used += skip;
                assert_eq!(used, arrived, "bytes that are not data are consumed");
                arrived = delivery.next(arrived, bytes.len());
                if used == arrived {
                    break decoder.eof().map(|()| used);
                }
            }
            Ok(Step::End { skip }) => break Ok(used + skip),
            Err(error) => break Err(error),
        }
    };
    body.end = end.map_or_else(|error| End::Error(error.kind()), End::At);
    body.trailers = pairs(&decoder.trailers());
    body
}

impl Body {
    /// Compares it with the result of the reference parser for the same bytes.
    fn check(&self, bytes: &[u8], framing: reference::Framing) {
        let expected = reference::body(bytes, framing, true);
        assert_eq!(self.bytes, expected.bytes);
        match (self.end, expected.end) {
            (End::At(end), reference::End::At(expected)) => assert_eq!(end, expected),
            (End::Error(ErrorKind::Chunk), reference::End::Bad | reference::End::Open) => {}
            (End::Error(ErrorKind::Truncated), reference::End::Open) => {}
            (end, expected) => panic!("{end:?}, but {expected:?}"),
        }
        if matches!(self.end, End::At(_)) {
            let is_allowed =
                |name: &str| !["content-length", "transfer-encoding", "host", "connection"].contains(&name);
            assert!(self.trailers.iter().all(|(name, _)| is_allowed(name)), "{:?}", self.trailers);
            let mut expected = expected.trailers.iter();
            assert!(self.trailers.iter().all(|field| expected.any(|other| other == field)), "{:?}", self.trailers);
        }
    }
}

fn pairs(headers: &Headers) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec())).collect()
}

fn framing_of(framing: reference::Framing) -> Framing {
    match framing {
        reference::Framing::Empty => Framing::Empty,
        reference::Framing::Length(length) => Framing::Length(length),
        reference::Framing::Chunked => Framing::Chunked,
        reference::Framing::UntilClose { at_least } => Framing::UntilClose { at_least },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// The files in `folder` of the repository; none in the published package, nor where a target has kept
    /// no input.
    fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
        let files = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        files.map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
    }

    /// The replies of the fixtures, which the published package does not have, and two that are here in any
    /// case.
    fn replies() -> Vec<(String, Vec<u8>)> {
        let folders = ["head", "framing", "chunked", "close", "limits", "hostile", "wild"];
        let all = folders.iter().flat_map(|folder| files(&format!("fixtures/{folder}")));
        let mut replies: Vec<_> = all.filter(|(name, _)| name.ends_with(".http")).collect();
        let is_package = !Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").exists();
        assert!(replies.len() >= 120 || is_package, "only {} fixtures", replies.len());
        replies.extend(named(&[
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
        ]));
        replies
    }

    /// Runs a target on the inputs kept for it, and on `more`; the input's name is shown if one panics.
    fn run(target: &str, entry: fn(&[u8]), more: Vec<(String, Vec<u8>)>) {
        for (name, bytes) in files(&format!("fuzz/corpus/{target}")).into_iter().chain(more) {
            let result = std::panic::catch_unwind(|| entry(&bytes));
            assert!(result.is_ok(), "{target}: {name}");
        }
    }

    fn named(texts: &[&str]) -> Vec<(String, Vec<u8>)> {
        texts.iter().map(|text| ((*text).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn heads_parse_to_the_same_however_they_arrive() {
        run("head", head, replies());
    }

    #[test]
    fn replies_are_read_as_by_the_reference_parser() {
        run("reply", reply, replies());
    }

    #[test]
    fn chunked_bodies_are_read_as_by_the_reference_parser() {
        let after_head = |(name, bytes): (String, Vec<u8>)| {
            let body = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4);
            (name, bytes[body..].to_vec())
        };
        run("chunked", chunked, replies().into_iter().map(after_head).collect());
    }

    #[test]
    fn trailer_sections_are_read_as_by_the_reference_parser() {
        let texts =
            ["", "A: 1\r\n\r\n", "A:1\r\nB :2\r\n", "Host: x\r\nX:\r\n\r\nHTTP/1.1", "A: 1\r\n b\r\n\r\n", "\n"];
        run("trailers", trailers, named(&texts));
    }

    #[test]
    fn encoded_data_decodes_to_the_same_at_every_split() {
        let texts = ["", "\x01\x00abc", "\x02\x05\x00hello, world", "\x03abcdefghijklmnopqrstuvwxyz", "\x7f"];
        run("round_trip", round_trip, named(&texts));
    }

    #[test]
    fn a_list_over_several_lines_is_the_same_as_on_one() {
        let texts = [
            "0\n0close",
            "1\n0Keep-Alive\n1timeout=5, max=100\n1max=0",
            "2\n25\n25",
            "0\n25\n2 5, 5",
            "0\n2\n",
            "0\n3chunked\n25",
            "0\n3chunked\n3",
            "3\n3 ,CHUNKED ,",
            "0\n1timeout = 18446744073709551616,timeout=7,=",
        ];
        run("fields", fields, named(&texts));
    }

    #[test]
    fn challenges_are_read_to_the_same_when_they_are_written_again() {
        let texts = [
            "",
            "Digest realm=\"a, \\\"b\\\"\", nonce=\"n\", qop=\"auth,auth-int\", algorithm=SHA-256\nBasic realm=x",
            "Digest realm=\"x\", nonce=n==, opaque=\"\\\\\", charset=UTF-8, algorithm=md5-sess, qop=auth",
            "Digest nonce=\"\", realm=\"\u{e4}\", userhash=true, qop=\"auth-int\", stale=TRUE",
            "Negotiate abc==, Digest, realm=x\n\"unclosed, Digest realm=x\nBasic",
            "nextnonce=\"n\\\"\", rspauth=\"\"",
            "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
        ];
        run("challenges", challenges, named(&texts));
    }

    #[test]
    fn a_content_range_is_read_as_by_the_reference_parser() {
        let parts =
            ["bytes", "BYTES", " ", "-", "/", "*", "0", "9", "10", "999", "18446744073709551615", "+", "\t", ",", "x"];
        let all = (0..parts.len().pow(4)).map(|number| {
            let nth = |place: u32| parts[number / parts.len().pow(place) % parts.len()];
            // A beginning of which the grammar may make something.
            let text = format!("bytes {}{}{}/{}", nth(0), nth(1), nth(2), nth(3));
            (text.clone(), text.into_bytes())
        });
        let texts = [
            "bytes 0-9/10",
            "bytes */10",
            "bytes 0-18446744073709551615/*",
            "bytes 5-18446744073709551614/18446744073709551615",
            " Bytes 00-09/*\t",
            "bytes 0-9/10/",
            "bytes",
        ];
        run("content_range", content_range, named(&texts).into_iter().chain(all).collect());
    }

    #[test]
    fn a_location_resolves_to_a_valid_url() {
        let texts = [
            "http://a/b/c/d?q#f\n../g",
            "http://user:pass@A.example:80/\n//u:p@b.example/x y\u{e9}",
            "HTTP://[::1]:8080/\n?\"<>`{}|^",
            "http://0x7f.1/\nHTTPS://xn--a/",
            "http://a/\n\\\\b/",
            "\n/..//evil.example/%2e%2e/;a=b",
        ];
        run("location", location, named(&texts));
    }

    #[test]
    fn any_bytes_of_a_proxy_open_a_tunnel_or_are_a_proxy_error() {
        let texts = [
            "",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 100 C\r\n\r\nHTTP/1.0 299 \r\nContent-Length: 7\r\n\r\n",
            "HTTP/1.1 407 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno!\r\n0\r\n\r\n",
            "\x05\x00\x05\x00\x00\x01abcd\x00\x50HTTP/1.1 200 OK",
            "\x05\x02\x01\x00\x05\x00\x00\x03\x04name\x00\x50",
            "\x05\x00\x05\x00\x00\x04abcdabcdabcdabcd\x00\x50",
            "\x05\x00\x05\x05\x00\x01",
        ];
        let (opened, expected) = (texts.map(|text| socks5_end(text.as_bytes(), true)), [None, Some(15), Some(24)]);
        assert_eq!(opened[4..7], expected);
        run("tunnel", tunnel, named(&texts).into_iter().chain(replies()).collect());
    }

    #[test]
    fn any_bytes_as_a_stream_of_events_are_read_as_by_the_second_reader() {
        let texts = [
            "",
            "data: a\n\nid: 1\nevent: b\ndata\ndata: c\r\n\r\n",
            "\u{feff}:\r\rretry: 10\rdata:\r\rid\r\r",
            "data: as long as the small limit is, and more\n\n",
            "data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\n\n",
            ": as long as the small limit is, and more",
        ];
        let parts = ["data", "event", "id", "retry", ":", ": ", " ", "\n", "\r", "\r\n", "\n\n", "\r\r", "x", "\0"];
        let parts = parts.map(str::as_bytes).into_iter().chain([&b"\xef\xbb\xbf"[..], b"\xf0\x9f", b"\xff", b"12"]);
        let parts: Vec<&[u8]> = parts.collect();
        let mut seed = 7u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize
        };
        let mixed = (0..2000).map(|number| {
            let text: Vec<&[u8]> = (0..random() % 40).map(|_| parts[random() % parts.len()]).collect();
            (format!("mixed {number}"), text.concat())
        });
        run("sse", sse, named(&texts).into_iter().chain(mixed).collect());
    }

    #[test]
    fn any_bytes_as_cookies_are_within_the_rules() {
        let texts = [
            "",
            "=",
            "0a=1\n0a=2; Max-Age=0\n0a=3; Domain=example.org\n1a=4\n1b=5;Secure\n0b=5;Secure\n2b=6",
            "4x=\ty; Domain=[::1]\n5x; Domain=test.\n5y; Domain=other.test.; Path=/\tx",
            "a.example\tTRUE\t/\tFALSE\t0\ta\tb\n\t\t\t\t\t\t\n",
            "LOCALHOST\tTRUE\t/\tFALSE\t\ta\n.\tFALSE\t\tTRUE\t-1\t\t\t",
        ];
        let parts =
            ["a=b", "=", ";", " Path=/", " Domain=", "example.org", ".", "Secure", "Max-Age=", "-1", "9", "\n0"];
        let parts =
            parts.into_iter().chain(["\n1", "\n5", "\t", "TRUE", "\u{e9}", "__host-", "/x", "test", "\r\n#", " "]);
        let parts: Vec<&str> = parts.collect();
        let mut seed = 1u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize
        };
        let mixed = (0..2000).map(|number| {
            let text: String = (0..random() % 40).map(|_| parts[random() % parts.len()]).collect();
            (format!("mixed {number}"), text.into_bytes())
        });
        run("cookies", cookies, named(&texts).into_iter().chain(mixed).collect());
    }
}
