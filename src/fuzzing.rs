//! Entry points for fuzzers: each takes any bytes and panics if the library breaks a promise.
//!
//! What they hold the pure floors against: that it does not matter how bytes arrive, a second
//! opinion (`fuzzing/reference.rs`) that was written without looking at the first, and
//! what must be true of every result. An input is what the peer sends and nothing else, so that
//! fixtures are inputs and inputs become fixtures; how it is cut is derived from its bytes.
//!
//! This exists under `cfg(fuzzing)`, for `fuzz/`, and under `cfg(test)`, where the inputs kept in
//! `fuzz/corpus` and the fixtures are played again: those of the repository, for the published package has
//! neither. The client as a whole is fuzzed through its public face, in `tests/fixtures/fuzz.rs`.

mod reference;

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::headers::{Headers, is_field_byte};
use crate::method::Method;
use crate::net::deadline::Deadline;
use crate::net::dial::tunnel::{self, Credentials, Destination, Dns, Outcome, ProxyProtocol, ProxyServer};
use crate::net::transport::{Socket, Stream};
use crate::redact::hide_userinfo;
use crate::token::is_token;
use crate::uri::sealed::Sealed;
use crate::uri::{authority_and_target, has_userinfo, resolve_location, without_userinfo};
use crate::wire::chunked::{LAST_CHUNK, SIZE_LINE_BYTES_MAX, encode_size};
use crate::wire::decode::Decoder;
use crate::wire::framing::{Framing, Persistence, of_response, persists};
use crate::wire::head::{Head, HeadLimits};
use crate::wire::head_lines::InvalidLines;
use crate::wire::head_parser::HeadParser;
use crate::wire::step::Step;

/// The client's own limits, and some that a short input can reach.
const LIMITS: HeadLimits = HeadLimits { bytes_max: 64 * 1024, fields_max: 256 };
const TIGHT: HeadLimits = HeadLimits { bytes_max: 300, fields_max: 5 };

/// A response head means the same however it arrives, is held to its limits, and is clean.
pub fn head(bytes: &[u8]) {
    for limits in [LIMITS, TIGHT] {
        let strict = receive_head(bytes, Way::Whole, limits, InvalidLines::Refused);
        let lenient = receive_head(bytes, Way::Whole, limits, InvalidLines::Skipped);
        check_leniency(&strict, &lenient);
        for (way, whole, invalid) in ways(bytes)
            .into_iter()
            .flat_map(|way| [(way, &strict, InvalidLines::Refused), (way, &lenient, InvalidLines::Skipped)])
        {
            let parts = receive_head(bytes, way, limits, invalid);
            match (whole, &parts) {
                (Ok(whole), Ok(parts)) => assert_same_head(whole, parts),
                (Err(whole), Err(parts)) => assert_same_error(whole, parts, bytes.len(), limits),
                _ => panic!("{way:?} {invalid:?}: {:?}, whole: {:?}", parts.err(), whole.as_ref().err()),
            }
        }
        if let Ok(head) = &strict {
            check_head(head, bytes, limits);
        }
    }
}

/// A whole reply means the same however it arrives, and the same to a second reader.
pub fn reply(bytes: &[u8]) {
    for method in [Method::GET, Method::HEAD] {
        let whole = receive(bytes, &method, Way::Whole);
        for way in ways(bytes) {
            assert_eq!(receive(bytes, &method, way), whole, "{method} {way:?}");
        }
        let Some(head) = &whole.head else { continue };
        let second = reference::final_head(bytes).expect("a head that was taken is a head");
        assert_eq!((head.status.as_u16(), head.raw()), (second.status, second.raw));
        let framing = of_response(&method, head);
        assert_eq!(framing.as_ref().ok().copied(), reference::framing(method.as_str(), &second).map(framing_of));
        let Ok(framing) = framing else { continue };
        let keeps = matches!(persists(head, framing, false), Persistence::Keep(_));
        let framing = reference::framing(method.as_str(), &second).expect("it was the same");
        assert_eq!(keeps, reference::persists(&second, framing));
        whole.body.check(&bytes[second.end..], framing);
    }
}

/// The chunked coding by itself.
pub fn chunked(bytes: &[u8]) {
    let whole = receive_body(bytes, Framing::Chunked, Way::Whole);
    for way in ways(bytes) {
        assert_eq!(receive_body(bytes, Framing::Chunked, way), whole, "{way:?}");
    }
    whole.check(bytes, reference::Framing::Chunked);
}

/// The trailer section by itself: `bytes` are what follows the last chunk's line.
pub fn trailers(bytes: &[u8]) {
    chunked(&[b"0\r\n", bytes].concat());
    chunked(&[b"0\r\n", bytes, b"\r\n\r\n"].concat());
}

/// What is encoded in chunks decodes to the same. The first byte says how many sizes follow.
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
    for way in ways(&text) {
        let body = receive_body(&text, Framing::Chunked, way);
        assert_eq!((&body.bytes[..], body.end, &body.trailers[..]), (whole, End::At(end), &[][..]), "{way:?}");
    }
}

/// Connection, Keep-Alive, Content-Length and Transfer-Encoding: a list over several lines is the
/// same list in one, and both mean what a second reader says. Each line is a field's value; its
/// first byte says which field's.
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

/// What a head's fields mean for the body and the connection; the second reader must agree.
fn meaning(text: &[u8], method: &Method) -> Option<(Framing, Persistence)> {
    let head = receive_head(text, Way::Whole, LIMITS, InvalidLines::Refused).expect("it is well-formed");
    let second = reference::head(text).expect("it is well-formed");
    let framing = of_response(method, &head).ok();
    let second_framing = reference::framing(method.as_str(), &second);
    assert_eq!(framing, second_framing.map(framing_of));
    let (framing, second_framing) = (framing?, second_framing?);
    let persistence = persists(&head, framing, false);
    match persistence {
        Persistence::Keep(hint) => {
            assert!(reference::persists(&second, second_framing), "kept");
            assert_eq!(hint.timeout_secs, reference::hint(&second, "timeout"));
            assert_eq!(hint.requests_left, reference::hint(&second, "max"));
        }
        Persistence::Close(_) => assert!(!reference::persists(&second, second_framing), "closed"),
    }
    Some((framing, persistence))
}

/// A caller's URL, and a Location that is resolved against it: what comes out is http(s), fit for
/// a request line, without userinfo, and the same when resolved again. The first line is the URL.
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
        let shown = location.escape_ascii().to_string(); // as an error about it shows it
        assert!(hide_userinfo(&shown, "//").contains("***@"), "userinfo is shown: {shown}");
    }
    check_url(&next);
    check_host(&reference, &next);
    let again = resolve_location(&base, next.as_str().as_bytes()).expect("what came out goes in");
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

/// A plain name in an authority is the host that is asked, and no other.
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

/// Whatever a proxy says comes to an end: in a tunnel where a second reader sees that it agreed and
/// said no more; else in an error that blames the proxy.
pub fn tunnel(bytes: &[u8]) {
    let http = || ProxyProtocol::Http { is_https: false, fields: Headers::new() };
    let whole = shake_hands(bytes, Way::Whole, http());
    let head = reference::final_head(bytes);
    let is_agreed = head.is_some_and(|head| (200..300).contains(&head.status) && head.end == bytes.len());
    assert!(is_agreed || whole.is_none(), "it did not agree");
    for way in ways(bytes) {
        assert_eq!(shake_hands(bytes, way, http()), whole, "{way:?}");
    }
    for login in [false, true] {
        let end = socks5_end(bytes, login);
        for way in ways(bytes).into_iter().chain([Way::Whole]) {
            let speaks = ProxyProtocol::Socks5 {
                names: Dns::Remote,
                login: login.then(|| Credentials { user: b"me".to_vec(), password: b"secret".to_vec() }),
            };
            assert_eq!(shake_hands(bytes, way, speaks), end, "{way:?}");
        }
    }
}

/// How many bytes were read of what the proxy says when the tunnel was there, if it came to that.
fn shake_hands(bytes: &[u8], way: Way, speaks: ProxyProtocol) -> Option<usize> {
    let read = Arc::new(AtomicUsize::new(0));
    let said = Said { bytes: bytes.to_vec(), way, shown: 0, read: Arc::clone(&read) };
    let relay = ProxyServer {
        name: String::new(),
        host: String::new(),
        port: 1,
        speaks,
        is_trusted: false,
        #[cfg(feature = "__rustls")]
        tls: None,
    };
    let to = Destination::Host("example.test", 80);
    match tunnel::open(Socket::Other(Box::new(said)), &relay, b"", to, Deadline::none(), None) {
        Ok(Outcome::Open(_)) => Some(read.load(Ordering::Relaxed)),
        Ok(Outcome::Unreachable(error)) | Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Proxy, "{error}");
            assert!(error.proxy_answer().is_none_or(|answer| answer.len() <= 24 * 1024), "{error}");
            None
        }
    }
}

/// Where a SOCKS5 proxy's part of the handshake ends, if it agrees (RFC 1928, RFC 1929) and nothing
/// comes behind.
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

/// A proxy that says this whatever it hears, and closes.
struct Said {
    bytes: Vec<u8>,
    way: Way,
    shown: usize,
    read: Arc<AtomicUsize>,
}

impl Read for Said {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let start = self.read.load(Ordering::Relaxed);
        if start == self.shown {
            self.shown = self.way.next(start, self.bytes.len());
        }
        let count = (&self.bytes[start..self.shown]).read(buf)?;
        self.read.store(start + count, Ordering::Relaxed);
        Ok(count)
    }
}

impl Write for Said {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Said {
    fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let all_read = self.read.load(Ordering::Relaxed) == self.bytes.len();
        if all_read { Err(io::ErrorKind::WouldBlock.into()) } else { self.read(buf) }
    }

    fn set_timeouts(&mut self, _: Option<Duration>, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        None
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        None
    }
}

/// How the bytes of an input arrive.
#[derive(Clone, Copy, Debug)]
enum Way {
    Whole,
    ByByte,
    /// In two parts.
    Split(usize),
    /// In pieces of up to so many bytes.
    Pieces {
        dice: u64,
        most: usize,
    },
}

impl Way {
    /// How many bytes are there when something has come behind `shown` bytes.
    fn next(&mut self, shown: usize, length: usize) -> usize {
        match self {
            Way::Whole => length,
            Way::ByByte => (shown + 1).min(length),
            Way::Split(at) if shown < *at => (*at).min(length),
            Way::Split(_) => length,
            Way::Pieces { dice, most } => {
                *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (shown + 1 + (*dice >> 33) as usize % *most).min(length)
            }
        }
    }
}

/// Ways worth trying; which ones exactly depends on nothing but the bytes.
fn ways(bytes: &[u8]) -> Vec<Way> {
    let dice = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mut ways = vec![Way::ByByte, Way::Pieces { dice, most: 7 }, Way::Pieces { dice, most: 200 }];
    match bytes.len() {
        0 => {}
        length @ 1..=48 => ways.extend((1..length).map(Way::Split)),
        length => ways.push(Way::Split(1 + (dice >> 17) as usize % (length - 1))),
    }
    ways
}

/// Who skips lines takes what is taken without, and the same of it; and skips none that some reader may
/// take for one that frames the message.
fn check_leniency(strict: &Result<Head>, lenient: &Result<Head>) {
    let Ok(lenient) = lenient else {
        assert!(strict.is_err(), "only a strict reader takes it");
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
    // Nor is one folded.
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

fn receive_head(bytes: &[u8], mut way: Way, limits: HeadLimits, invalid: InvalidLines) -> Result<Head> {
    let (mut parser, mut shown) = (HeadParser::new(limits, invalid), 0);
    loop {
        let before = shown;
        shown = way.next(shown, bytes.len());
        if before == shown {
            return Err(parser.eof(&bytes[..shown]));
        }
        if let Some(found) = parser.parse(&bytes[..shown])? {
            return Ok(found);
        }
    }
}

fn assert_same_head(one: &Head, other: &Head) {
    assert_eq!((one.raw(), one.bytes, one.status), (other.raw(), other.bytes, other.status));
    assert_eq!((one.version, one.reason()), (other.version, other.reason()));
    assert!(one.headers.iter().eq(other.headers.iter()), "{:?} {:?}", one.headers, other.headers);
}

/// What is too large need not be looked at any more, so it may also be malformed; nothing else
/// depends on the order in which things are noticed.
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
    assert!(bytes[..length].ends_with(head.raw()), "the raw head is what came");
    let lead = &bytes[..length - head.raw().len()];
    assert!(lead.iter().filter(|byte| **byte == b'\n').count() <= 4, "empty lines before the head");
    assert!((100..=999).contains(&head.status.as_u16()), "{}", head.status);
    assert!(head.reason().bytes().all(is_field_byte), "{:?}", head.reason());
    let is_clean = |value: &[u8]| !value.iter().any(|byte| b"\r\n\0".contains(byte));
    let second = reference::head(bytes).expect("a head that was taken is a head");
    assert_eq!(second.raw, head.raw());
    assert_eq!(second.fields.len(), head.headers.len());
    for ((name, value), (second_name, second_value)) in head.headers.iter().zip(&second.fields) {
        assert!(is_token(name.as_bytes()) && is_clean(value), "{name}: {}", value.escape_ascii());
        assert_eq!((&name.to_ascii_lowercase(), value), (second_name, &second_value[..]));
    }
}

/// What came of a reply.
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

fn receive(bytes: &[u8], method: &Method, way: Way) -> Received {
    let mut received = Received::default();
    let mut used = 0;
    let framing = loop {
        match receive_head(&bytes[used..], way, LIMITS, InvalidLines::Refused) {
            Ok(head) => {
                used += head.bytes;
                if head.status.is_informational() && head.status.as_u16() != 101 {
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
        Ok(framing) => received.body = receive_body(&bytes[used..], framing, way),
        Err(error) => received.body.end = End::Error(error.kind()),
    }
    received
}

/// What came of the bytes behind a head, with the end of the connection behind them.
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

fn receive_body(bytes: &[u8], framing: Framing, mut way: Way) -> Body {
    let mut decoder = Decoder::new(framing);
    let (mut body, mut used, mut shown) = (Body::default(), 0, 0);
    let end = loop {
        match decoder.step(&bytes[used..shown]) {
            Ok(Step::Data { skip, len }) => {
                assert!(len > 0 && used + skip + len <= shown, "data that is not there");
                let taken = if len > 3 { len / 2 } else { len }; // as a reader with little room does
                body.bytes.extend_from_slice(&bytes[used + skip..used + skip + taken]);
                used += skip + taken;
                decoder.advance(taken);
            }
            Ok(Step::More { skip }) => {
                used += skip;
                assert_eq!(used, shown, "all that is no data is used up");
                shown = way.next(shown, bytes.len());
                if used == shown {
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
    /// Holds it against what a second reader makes of the same bytes.
    fn check(&self, bytes: &[u8], framing: reference::Framing) {
        let second = reference::body(bytes, framing, true);
        assert_eq!(self.bytes, second.bytes);
        match (self.end, second.end) {
            (End::At(end), reference::End::At(second)) => assert_eq!(end, second),
            (End::Error(ErrorKind::Chunk), reference::End::Bad | reference::End::Open) => {}
            (End::Error(ErrorKind::Truncated), reference::End::Open) => {}
            (end, second) => panic!("{end:?}, but {second:?}"),
        }
        if matches!(self.end, End::At(_)) {
            let harmless = |name: &str| !["content-length", "transfer-encoding", "host", "connection"].contains(&name);
            assert!(self.trailers.iter().all(|(name, _)| harmless(name)), "{:?}", self.trailers);
            let mut second = second.trailers.iter();
            assert!(self.trailers.iter().all(|field| second.any(|other| other == field)), "{:?}", self.trailers);
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

    /// The replies of the fixtures, and two that are here in any case.
    fn replies() -> Vec<(String, Vec<u8>)> {
        let folders = ["head", "framing", "chunked", "close", "limits", "hostile", "wild"];
        let all = folders.iter().flat_map(|folder| files(&format!("fixtures/{folder}")));
        let all: Vec<_> = all.filter(|(name, _)| name.ends_with(".http")).collect();
        let is_package = !Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").exists();
        assert!(all.len() >= 120 || is_package, "only {} fixtures", all.len());
        let texts = [
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
        ];
        all.into_iter().chain(named(&texts)).collect()
    }

    /// Plays the inputs kept for a target, and some more; the name is shown when one panics.
    fn play(target: &str, entry: fn(&[u8]), more: Vec<(String, Vec<u8>)>) {
        for (name, bytes) in files(&format!("fuzz/corpus/{target}")).into_iter().chain(more) {
            let played = std::panic::catch_unwind(|| entry(&bytes));
            assert!(played.is_ok(), "{target}: {name}");
        }
    }

    fn named(texts: &[&str]) -> Vec<(String, Vec<u8>)> {
        texts.iter().map(|text| ((*text).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn heads_mean_the_same_however_they_arrive() {
        play("head", head, replies());
    }

    #[test]
    fn replies_mean_what_a_second_reader_says() {
        play("reply", reply, replies());
    }

    #[test]
    fn chunked_bodies_mean_what_a_second_reader_says() {
        let behind_head = |(name, bytes): (String, Vec<u8>)| {
            let body = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4);
            (name, bytes[body..].to_vec())
        };
        play("chunked", chunked, replies().into_iter().map(behind_head).collect());
    }

    #[test]
    fn trailer_sections_mean_what_a_second_reader_says() {
        let texts =
            ["", "A: 1\r\n\r\n", "A:1\r\nB :2\r\n", "Host: x\r\nX:\r\n\r\nHTTP/1.1", "A: 1\r\n b\r\n\r\n", "\n"];
        play("trailers", trailers, named(&texts));
    }

    #[test]
    fn what_is_encoded_decodes_to_the_same_at_every_split() {
        let texts = ["", "\x01\x00abc", "\x02\x05\x00hello, world", "\x03abcdefghijklmnopqrstuvwxyz", "\x7f"];
        play("round_trip", round_trip, named(&texts));
    }

    #[test]
    fn a_list_over_several_lines_is_the_same_list_in_one() {
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
        play("fields", fields, named(&texts));
    }

    #[test]
    fn a_location_leads_where_it_says() {
        let texts = [
            "http://a/b/c/d?q#f\n../g",
            "http://user:pass@A.example:80/\n//u:p@b.example/x y\u{e9}",
            "HTTP://[::1]:8080/\n?\"<>`{}|^",
            "http://0x7f.1/\nHTTPS://xn--a/",
            "http://a/\n\\\\b/",
            "\n/..//evil.example/%2e%2e/;a=b",
        ];
        play("location", location, named(&texts));
    }

    #[test]
    fn a_proxy_that_says_anything_is_agreed_with_or_blamed() {
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
        let (opened, agreed) = (texts.map(|text| socks5_end(text.as_bytes(), true)), [None, Some(15), Some(24)]);
        assert_eq!(opened[4..7], agreed);
        play("tunnel", tunnel, named(&texts).into_iter().chain(replies()).collect());
    }
}
