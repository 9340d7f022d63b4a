//! A request as plain data: made and checked without a client, sent by one.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::headers::{Headers, TrimOws, has_connection_option, list_members};
use crate::message::send_body::SendBody;
use crate::method::Method;
use crate::net::cancel::CancelToken;
use crate::net::speed::MinSpeed;
use crate::redact::is_secret;
use crate::uri::{self, IntoUrl};

/// How long `Expect: 100-continue` set by hand waits for the server's go-ahead; curl's time.
const EXPECT_PATIENCE: Duration = Duration::from_secs(1);

/// Connection options that a caller may list (RFC 9110 §7.6.1).
const CONNECTION_OPTIONS: [&str; 4] = ["close", "keep-alive", "upgrade", "te"];

/// A request: method, URL, header fields, body, and how to go about it.
///
/// Plain data, made without a client and sent by [`Client::send`](crate::Client::send); most
/// programs use a [`RequestBuilder`](crate::RequestBuilder) instead. `'b` is the lifetime of a
/// borrowed body.
///
/// ```
/// use longwire::{Method, Request};
///
/// let request = Request::new(Method::GET, "http://user:pass@example.com/a")?;
/// assert_eq!(request.url().as_str(), "http://example.com/a"); // the password is in a header now
/// assert!(request.headers().contains("Authorization"));
/// # Ok::<(), longwire::Error>(())
/// ```
pub struct Request<'b> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Headers,
    pub(crate) body: SendBody<'b>,
    pub(crate) options: Options,
}

/// How to go about a request; `None` leaves a thing to the client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) timeout: Option<Option<Duration>>,
    pub(crate) read_timeout: Option<Option<Duration>>,
    pub(crate) max_redirects: Option<u32>,
    pub(crate) expect_continue: Option<Duration>,
    pub(crate) token: Option<CancelToken>,
    pub(crate) idempotent: Option<bool>,
    pub(crate) min_speed: Option<Option<MinSpeed>>,
}

impl<'b> Request<'b> {
    /// A request without body and without fields of your own. User and password in the URL become
    /// an `Authorization: Basic` field and leave the URL (RFC 9110 §4.2.4).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidUrl`], [`ErrorKind::UnsupportedScheme`], or
    /// [`ErrorKind::InvalidRequest`] for CONNECT, which is a proxy's business.
    #[inline]
    pub fn new(method: Method, url: impl IntoUrl) -> Result<Request<'b>> {
        let mut url = url.into_url()?;
        if method == Method::CONNECT {
            let refused = Error::new(ErrorKind::InvalidRequest, "CONNECT is for proxies, not a request");
            return Err(refused.with_request(&method, &uri::without_userinfo(url)));
        }
        let mut headers = Headers::new();
        if uri::has_userinfo(&url) {
            let user = percent_decode(url.username());
            let password = url.password().map(percent_decode);
            headers.insert("Authorization", basic_credentials(&user, password.as_deref().unwrap_or_default())?)?;
            url = uri::without_userinfo(url);
        }
        Ok(Request { method, url, headers, body: SendBody::empty(), options: Options::default() })
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URL, without userinfo.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The header fields that you have set; the client adds its own in front.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Adds a field, if it may be set by hand and is well formed.
    pub(crate) fn add_header(&mut self, name: &str, value: &[u8]) -> Result<()> {
        if name.eq_ignore_ascii_case("expect") {
            return self.add_expect(value);
        }
        check_user_header(name, value)?;
        if name.eq_ignore_ascii_case("host") && self.headers.contains("host") {
            return Err(invalid("Host is set twice"));
        }
        match is_singleton(name) {
            true => self.headers.insert(name, value),
            false => self.headers.append(name, value),
        }
    }

    /// `Expect: 100-continue` by hand is `expect_continue` with the field's usual patience.
    fn add_expect(&mut self, value: &[u8]) -> Result<()> {
        if !value.trim_ows().eq_ignore_ascii_case(b"100-continue") {
            return Err(invalid("Expect may only be 100-continue (RFC 9110 §10.1.1)"));
        }
        self.options.expect_continue.get_or_insert(EXPECT_PATIENCE);
        Ok(())
    }

    pub(crate) fn set_basic_auth(&mut self, user: &[u8], password: Option<&[u8]>) -> Result<()> {
        self.headers.insert("Authorization", basic_credentials(user, password.unwrap_or_default())?)
    }

    /// What can only be checked when all is there; `headers` are those that will be sent.
    #[inline]
    pub(crate) fn check(&self, headers: &Headers) -> Result<()> {
        self.body.check()?;
        if self.method == Method::TRACE {
            self.check_trace(headers)?;
        }
        if headers.is_empty() {
            return Ok(());
        }
        for value in headers.get_all("content-length") {
            let announced = crate::wire::framing::decimal(value);
            if announced.is_none() || announced != self.body.length() {
                return Err(invalid(match self.body.length() {
                    Some(_) => "Content-Length is not the length of the body: leave it out",
                    None => "Content-Length beside a body of unknown length: SendBody::sized_reader sends one",
                }));
            }
        }
        if headers.contains("transfer-encoding") && self.body.length().is_some() {
            let what = "Transfer-Encoding: chunked beside a body whose length is known: leave it out, \
                        or send a stream (SendBody::reader)";
            return Err(invalid(what));
        }
        if has_connection_option(headers, "upgrade") && !headers.contains("upgrade") {
            return Err(invalid("Connection: upgrade needs an Upgrade field"));
        }
        Ok(())
    }

    /// RFC 9110 §9.3.8: whoever answers sends back what it got.
    fn check_trace(&self, headers: &Headers) -> Result<()> {
        if !self.body.is_none() {
            return Err(invalid("TRACE must not have a body (RFC 9110 §9.3.8)"));
        }
        match headers.iter().map(|(name, _)| name).find(|name| is_secret(name)) {
            Some(name) => Err(invalid(format!("TRACE must not carry {name} (RFC 9110 §9.3.8)"))),
            None => Ok(()),
        }
    }

    /// Whether it asks for the connection to be closed.
    #[inline]
    pub(crate) fn says_close(&self) -> bool {
        !self.headers.is_empty() && has_connection_option(&self.headers, "close")
    }

    /// How long 100 (Continue) is waited for. Only a request with content may expect one
    /// (RFC 9110 §10.1.1).
    pub(crate) fn expectation(&self) -> Option<Duration> {
        self.options.expect_continue.filter(|_| self.body.length() != Some(0))
    }

    /// Whether it may be sent again although the server may have acted on it.
    pub(crate) fn is_idempotent(&self) -> bool {
        let by_nature = self.method.is_idempotent() || self.headers.contains("idempotency-key");
        self.options.idempotent.unwrap_or(by_nature)
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url.as_str())
            .field("headers", &self.headers)
            .field("body", &self.body)
            .finish()
    }
}

fn invalid(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidRequest, what)
}

/// A limit of time, if it makes sense.
pub(crate) fn check_limit(limit: Option<Duration>) -> Result<Option<Duration>> {
    match limit {
        Some(Duration::ZERO) => Err(invalid("a time limit of zero: nothing could ever be done in it")),
        limit => Ok(limit),
    }
}

/// An Upgrade field needs its connection option (RFC 9110 §7.8); a client's defaults may bring it.
#[inline]
pub(crate) fn check_upgrade(headers: &Headers) -> Result<()> {
    if headers.contains("upgrade") && !has_connection_option(headers, "upgrade") {
        return Err(invalid("an Upgrade field needs Connection: upgrade beside it (RFC 9110 §7.8)"));
    }
    Ok(())
}

/// Fields that a request has once (RFC 9110 §5.3), and that come from elsewhere, too: the URL's
/// userinfo, `basic_auth`, `form`. The last word counts.
pub(crate) fn is_singleton(name: &str) -> bool {
    ["authorization", "content-type"].iter().any(|single| single.eq_ignore_ascii_case(name))
}

/// Checks a field that a caller sets: what would make two messages of one is refused, and so is what
/// nobody could act on. `Expect` goes with a request, not with a field.
pub(crate) fn check_user_header(name: &str, value: &[u8]) -> Result<()> {
    let value = value.trim_ows();
    let lists_only = |known: &[&str]| {
        list_members(value).all(|member| known.iter().any(|known| member.eq_ignore_ascii_case(known.as_bytes())))
    };
    match name.len() {
        2 if name.eq_ignore_ascii_case("te") && !lists_only(&["trailers"]) => {
            Err(invalid("TE may only be trailers: no transfer coding but chunked is undone here"))
        }
        4 if name.eq_ignore_ascii_case("host") => check_host(value),
        6 if name.eq_ignore_ascii_case("expect") => {
            Err(invalid("Expect belongs to one request: RequestBuilder::header or expect_continue"))
        }
        7 if name.eq_ignore_ascii_case("trailer") => {
            Err(invalid("Trailer announces trailer fields, and none are sent: leave it out"))
        }
        10 if name.eq_ignore_ascii_case("connection") && !lists_only(&CONNECTION_OPTIONS) => {
            Err(invalid("Connection may list close, keep-alive, upgrade and TE, and nothing else"))
        }
        17 if name.eq_ignore_ascii_case("transfer-encoding") && !value.eq_ignore_ascii_case(b"chunked") => {
            Err(invalid("Transfer-Encoding may only be chunked, beside a stream (SendBody::reader)"))
        }
        _ => Ok(()),
    }
}

/// A Host field must be an authority without userinfo (RFC 9112 §3.2).
fn check_host(value: &[u8]) -> Result<()> {
    let text = std::str::from_utf8(value.trim_ows()).unwrap_or_default();
    let parsed = Url::parse(&format!("http://{text}/"));
    let same = parsed.is_ok_and(|url| url.path() == "/" && !uri::has_userinfo(&url) && url.query().is_none());
    if text.is_empty() || !text.is_ascii() || !same || text.contains(['/', '\\', '?', '#', '@', '\t', ' ']) {
        return Err(invalid("Host is not host or host:port"));
    }
    Ok(())
}

/// The credentials of RFC 7617 §2, as Authorization and Proxy-Authorization have them.
pub(crate) fn basic_credentials(user: &[u8], password: &[u8]) -> Result<String> {
    if user.contains(&b':') {
        return Err(invalid("a user name for Basic auth cannot have a colon (RFC 7617 §2)"));
    }
    let pair = [user, b":", password].concat();
    if pair.iter().any(u8::is_ascii_control) {
        return Err(invalid("Basic auth cannot have control bytes (RFC 7617 §2)"));
    }
    let mut credentials = "Basic ".to_owned();
    BASE64.encode_string(pair, &mut credentials);
    Ok(credentials)
}

/// Bytes of a percent-encoded part of a URL; a `%` that encodes nothing stands for itself.
pub(crate) fn percent_decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| (*byte as char).to_digit(16));
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request<'static> {
        Request::new(Method::POST, "http://example.com/").unwrap()
    }

    #[test]
    fn userinfo_becomes_basic_auth_and_is_gone() {
        let request = Request::new(Method::GET, "http://us%65r:p%40ss@example.com/").unwrap();
        assert_eq!(request.headers.get("authorization"), Some("Basic dXNlcjpwQHNz"));
        let shown = format!("{request:?} {}", request.url());
        assert!(!shown.contains("p@ss") && !shown.contains("p%40ss") && !shown.contains("dXNl"), "{shown}");
    }

    #[test]
    fn a_refused_method_shows_no_userinfo() {
        let error = Request::new(Method::CONNECT, "http://user:pass@example.com/").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.url().map(Url::as_str), Some("http://example.com/"));
    }

    #[test]
    fn what_is_not_the_callers_to_set_is_refused() {
        let cases = [
            ("Transfer-Encoding", "gzip"),
            ("Transfer-Encoding", "gzip, chunked"),
            ("Transfer-Encoding", ""),
            ("TE", "gzip"),
            ("TE", "trailers, deflate;q=0.5"),
            ("Trailer", "X"),
            ("Expect", "200-ok"),
            ("Connection", "close, X"),
            ("Connection", "X-Secret"),
            ("Host", ""),
            ("Host", "a b"),
            ("Host", "user@a"),
            ("Host", "a/b"),
            ("Host", "b\u{fc}cher.example"),
            ("Host", "a:99999"),
        ];
        for (name, value) in cases {
            let refused = request().add_header(name, value.as_bytes()).map_err(|error| error.kind());
            assert_eq!(refused, Err(ErrorKind::InvalidRequest), "{name}: {value}");
        }
        for (name, value) in [
            ("Connection", " Close "),
            ("Connection", "keep-alive, Upgrade,TE,"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "keep-alive"),
            ("TE", "Trailers"),
            ("Expect", "100-Continue"),
            ("Transfer-Encoding", "Chunked"),
            ("Host", "a:80"),
            ("Host", "[::1]:8080"),
        ] {
            assert!(request().add_header(name, value.as_bytes()).is_ok(), "{name}: {value}");
        }
    }

    #[test]
    fn a_coding_by_hand_goes_with_a_stream_alone() {
        for (body, ok) in [
            (SendBody::reader(std::io::empty()), true),
            (SendBody::sized_reader(std::io::empty(), 0), false),
            ("x".into(), false),
            (SendBody::empty(), false),
        ] {
            let mut request = request();
            request.body = body;
            request.add_header("Transfer-Encoding", b"chunked").unwrap();
            assert_eq!(request.check(&request.headers).is_ok(), ok, "{request:?}");
        }
        let mut request = request();
        request.body = SendBody::reader(std::io::empty());
        request.add_header("Content-Length", b"5").unwrap();
        assert!(request.check(&request.headers).unwrap_err().to_string().contains("sized_reader"));
    }

    #[test]
    fn expect_by_hand_is_a_way_to_go_about_the_request() {
        let mut request = request();
        request.add_header("expect", b"100-continue").unwrap();
        assert_eq!(request.options.expect_continue, Some(EXPECT_PATIENCE));
        assert!(!request.headers.contains("expect"), "the head writes it, where there is a body");
        let own = Duration::from_millis(7);
        request.options.expect_continue = Some(own);
        request.add_header("Expect", b"100-continue").unwrap();
        assert_eq!(request.options.expect_continue, Some(own));
    }

    #[test]
    fn close_is_found_in_every_list() {
        for (value, closes) in [("close", true), ("keep-alive, Close", true), ("closed", false), ("keep-alive", false)]
        {
            let mut request = request();
            let added = request.headers.append("Connection", value);
            assert!(added.is_ok() && request.says_close() == closes, "{value}");
        }
    }

    #[test]
    fn a_length_by_hand_must_be_the_bodys() {
        for (value, ok) in [("5", true), ("6", false), ("+5", false), ("x", false)] {
            let mut request = request();
            request.body = "hello".into();
            request.add_header("Content-Length", value.as_bytes()).unwrap();
            assert_eq!(request.check(&request.headers).is_ok(), ok, "{value}");
        }
    }
}
