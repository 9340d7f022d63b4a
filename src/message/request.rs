//! A request as plain data: made and checked without a client, sent by one.

use std::borrow::Borrow;
use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::headers::{Headers, TrimOws, has_connection_option, is_field_byte, list_members};
#[cfg(feature = "digest")]
use crate::message::auth::DigestAuth;
use crate::message::auth::{basic_credentials, percent_decode};
use crate::message::proxy::Proxy;
use crate::message::retry::Retry;
use crate::message::send_body::{Kind, SendBody};
use crate::method::Method;
use crate::net::cancel::CancelToken;
use crate::net::speed::MinSpeed;
use crate::redact::is_secret;
use crate::uri::{self, IntoUrl};
use crate::word_list::is_among;

/// How long `Expect: 100-continue` set by hand, or brought by Digest, waits for the 100; curl's time.
const EXPECT_PATIENCE: Duration = Duration::from_secs(1);

/// Connection options that a caller may list (RFC 9110 §7.6.1).
const CONNECTION_OPTIONS: &str = "close keep-alive upgrade te";

/// A request: method, URL, header fields, body, and options that override the client's settings.
///
/// Plain data, made without a client and sent by [`Client::send`](crate::Client::send). All that
/// [`RequestBuilder`](crate::RequestBuilder) does step by step can be done here by `&mut`. `'b` is the
/// lifetime of a borrowed body.
///
/// ```
/// use longwire::{Method, Request};
///
/// let mut request = Request::new(Method::GET, "http://user:pass@example.com/a")?;
/// assert_eq!(request.url().as_str(), "http://example.com/a"); // the password is in a header now
/// assert!(request.headers().contains("Authorization"));
/// request.set_header("Connection", "keep-alive")?;
/// # Ok::<(), longwire::Error>(())
/// ```
#[doc(alias = "PreparedRequest")]
pub struct Request<'b> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Headers,
    pub(crate) body: SendBody<'b>,
    pub(crate) options: Options,
}

/// What a request sets for itself; `None` leaves it to the client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) timeout: Option<Option<Duration>>,
    pub(crate) read_timeout: Option<Option<Duration>>,
    pub(crate) max_redirects: Option<u32>,
    pub(crate) expect_continue: Option<Duration>,
    pub(crate) token: Option<CancelToken>,
    pub(crate) idempotent: Option<bool>,
    pub(crate) min_speed: Option<Option<MinSpeed>>,
    pub(crate) proxy: ProxyOption,
    /// Shared with its copies.
    pub(crate) retry: Option<Option<Arc<Retry>>>,
    #[cfg(feature = "__coding")]
    pub(crate) decode: Option<bool>,
    /// Boxed, since few requests have it.
    #[cfg(feature = "digest")]
    digest: Option<Box<DigestAuth>>,
    /// The first option that is invalid: `send` returns it.
    pub(crate) deferred_error: Option<Error>,
}

/// How a request goes about proxies.
#[derive(Clone, Debug, Default)]
pub(crate) enum ProxyOption {
    /// As the client does.
    #[default]
    Client,
    /// Without one.
    Direct,
    Proxy(Arc<Proxy>),
}

impl<'b> Request<'b> {
    /// Creates a request without body and without fields of the caller's. User and password in the URL
    /// become an `Authorization: Basic` field and leave the URL (RFC 9110 §4.2.4).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidUrl`], [`ErrorKind::UnsupportedScheme`], or
    /// [`ErrorKind::InvalidRequest`] for CONNECT, which only a proxy is sent.
    #[doc(alias("NewRequest", "NewRequestWithContext"))]
    #[inline]
    pub fn new(method: Method, url: impl IntoUrl) -> Result<Request<'b>> {
        let mut url = url.into_url()?;
        let mut headers = Headers::new();
        if uri::has_userinfo(&url) {
            headers = take_userinfo(&mut url)?;
        }
        if method == Method::CONNECT {
            return Err(connect_refused().with_request(&method, &url));
        }
        Ok(Request { method, url, headers, body: SendBody::empty(), options: Options::default() })
    }

    /// Returns a copy of the request, or `None` if its body cannot be had twice: a reader, or a file
    /// whose descriptor cannot be duplicated. Bytes that the request owns are copied.
    ///
    /// ```
    /// use longwire::{Request, SendBody};
    ///
    /// let request = Request::builder(longwire::Method::PUT, "http://example.com/").body("again").build()?;
    /// assert!(request.try_clone().is_some());
    /// let request = Request::builder(longwire::Method::PUT, "http://example.com/")
    ///     .body(SendBody::reader(std::io::stdin()))
    ///     .build()?;
    /// assert!(request.try_clone().is_none());
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn try_clone(&self) -> Option<Request<'b>> {
        Some(Request {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: self.body.try_clone()?,
            options: self.options.clone(),
        })
    }

    /// The same request without its body, and so without what that borrows.
    pub(crate) fn without_body(self) -> Request<'static> {
        let Request { method, url, headers, options, .. } = self;
        Request { method, url, headers, body: SendBody::empty(), options }
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Sets the method.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for CONNECT.
    pub fn set_method(&mut self, method: Method) -> Result<()> {
        if method == Method::CONNECT {
            return Err(connect_refused());
        }
        self.method = method;
        Ok(())
    }

    /// Returns the URL, without userinfo.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Sets the URL. Userinfo in it becomes an `Authorization` field; without userinfo the one that is
    /// there stays.
    ///
    /// # Errors
    /// As [`new`](Request::new); then nothing has changed.
    pub fn set_url(&mut self, url: impl IntoUrl) -> Result<()> {
        let fresh = Request::new(Method::GET, url)?;
        if let Some(credentials) = fresh.headers.get_bytes("authorization") {
            self.headers.insert("Authorization", credentials)?;
            self.options.drop_digest();
        }
        self.url = fresh.url;
        Ok(())
    }

    /// Adds `name=value` to the URL's query, percent-encoded as a form field.
    pub fn add_query(&mut self, name: &str, value: impl Display) {
        uri::append_query(&mut self.url, name, &value.to_string());
    }

    /// Adds all of these pairs to the URL's query: by value or by reference, from an array, a slice, a
    /// `Vec`, a map.
    pub fn add_query_pairs<I, K, V>(&mut self, pairs: I)
    where
        I: IntoIterator,
        I::Item: Borrow<(K, V)>,
        K: AsRef<str>,
        V: Display,
    {
        for pair in pairs {
            let (name, value) = pair.borrow();
            self.add_query(name.as_ref(), value);
        }
    }

    /// Returns the header fields that the caller has set; the client adds its own in front.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Returns the header fields that the caller has set, to change them. What may be set is checked
    /// when the request is built or sent, by the rules of
    /// [`RequestBuilder::header`](crate::RequestBuilder::header).
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// Adds a field: see [`RequestBuilder::header`](crate::RequestBuilder::header).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if name or value break the grammar or may not be set; then
    /// nothing has changed.
    pub fn add_header(&mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Result<()> {
        let (name, value) = (name.as_ref(), value.as_ref());
        if name.eq_ignore_ascii_case("host") && self.headers.contains("host") {
            return Err(invalid("Host is set twice"));
        }
        match is_singleton(name) || name.eq_ignore_ascii_case("expect") {
            true => self.set_header(name, value),
            false => {
                check_user_header(name, value)?;
                self.headers.append(name, value)
            }
        }
    }

    /// Sets a field, in place of all of that name.
    ///
    /// # Errors
    /// As [`add_header`](Request::add_header).
    pub fn set_header(&mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Result<()> {
        let (name, value) = (name.as_ref(), value.as_ref());
        if name.eq_ignore_ascii_case("expect") {
            return self.options.expect(value);
        }
        check_user_header(name, value)?;
        self.headers.insert(name, value)?;
        if name.eq_ignore_ascii_case("authorization") {
            self.options.drop_digest();
        }
        Ok(())
    }

    /// Sets Basic authentication (RFC 7617), in place of any other `Authorization`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for a colon in the user name, and for control bytes.
    pub fn set_basic_auth(&mut self, user: impl AsRef<[u8]>, password: Option<&str>) -> Result<()> {
        let credentials = basic_credentials(user.as_ref(), password.unwrap_or_default().as_bytes())?;
        self.set_header("Authorization", credentials)
    }

    /// Sets a bearer token (RFC 6750), in place of any other `Authorization`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for bytes that no field may have.
    pub fn set_bearer_auth(&mut self, token: impl AsRef<str>) -> Result<()> {
        self.set_header("Authorization", format!("Bearer {}", token.as_ref()))
    }

    /// Sets Digest authentication (RFC 7616), in place of any `Authorization`: see
    /// [`RequestBuilder::digest_auth`](crate::RequestBuilder::digest_auth).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for control characters in the user name; then nothing has changed.
    #[cfg(feature = "digest")]
    #[cfg_attr(docsrs, doc(cfg(feature = "digest")))]
    pub fn set_digest_auth(&mut self, user: impl AsRef<str>, password: impl AsRef<str>) -> Result<()> {
        let digest = DigestAuth::new(user.as_ref(), password.as_ref())?;
        self.headers.remove("Authorization");
        self.options.digest = Some(Box::new(digest));
        Ok(())
    }

    /// Returns the user name of Digest authentication, where it is set. (Basic and Bearer are a field: see
    /// [`headers`](Request::headers).)
    #[cfg(feature = "digest")]
    #[cfg_attr(docsrs, doc(cfg(feature = "digest")))]
    pub fn digest_user(&self) -> Option<&str> {
        self.options.digest().map(|digest| &*digest.user)
    }

    /// Returns the body.
    pub fn body(&self) -> &SendBody<'b> {
        &self.body
    }

    /// Sets the body. A `Content-Type` is the caller's to set; that of a form which was the body before goes
    /// with it.
    pub fn set_body(&mut self, body: impl Into<SendBody<'b>>) {
        if self.body.content_type().is_some_and(|only| self.headers.get("content-type") == Some(only)) {
            self.headers.remove("Content-Type");
        }
        self.body = body.into();
    }

    /// Sets a body of form fields, and its `Content-Type: application/x-www-form-urlencoded`. Takes
    /// pairs as [`add_query_pairs`](Request::add_query_pairs) does.
    pub fn set_form<I, K, V>(&mut self, fields: I)
    where
        I: IntoIterator,
        I::Item: Borrow<(K, V)>,
        K: AsRef<str>,
        V: Display,
    {
        let mut body = String::new();
        for pair in fields {
            let (name, value) = pair.borrow();
            uri::append_pair(&mut body, name.as_ref(), &value.to_string());
        }
        self.body = body.into();
        let typed = self.headers.insert("Content-Type", "application/x-www-form-urlencoded");
        debug_assert!(typed.is_ok(), "name and value are well formed");
    }

    /// Returns the limit for the whole call; the outer `None` leaves it to the client, the inner one is
    /// no limit.
    pub fn timeout(&self) -> Option<Option<Duration>> {
        self.options.timeout
    }

    /// Sets how long the whole call may take, to the body's last byte; `None` for no limit. In place of
    /// the client's [`timeout`](crate::ClientBuilder::timeout). Zero is an error of `send`.
    pub fn set_timeout(&mut self, limit: impl Into<Option<Duration>>) {
        self.options.timeout = Some(self.checked_limit("timeout", limit.into()));
    }

    /// Returns the limit for silence while reading, as [`timeout`](Request::timeout) does its.
    pub fn read_timeout(&self) -> Option<Option<Duration>> {
        self.options.read_timeout
    }

    /// Sets how long the server may send nothing; `None` for no limit. In place of the client's
    /// [`read_timeout`](crate::ClientBuilder::read_timeout). Zero is an error of `send`.
    pub fn set_read_timeout(&mut self, limit: impl Into<Option<Duration>>) {
        self.options.read_timeout = Some(self.checked_limit("read_timeout", limit.into()));
    }

    /// Returns the slowest that the server may send the response body, bytes and the time for them; the
    /// outer `None` leaves it to the client, the inner one is no limit.
    pub fn min_speed(&self) -> Option<Option<(u64, Duration)>> {
        let min_speed = self.options.min_speed.as_ref()?;
        Some(min_speed.map(|min| (min.bytes, min.per)))
    }

    /// Sets the slowest that the server may send the response body, in place of the client's: see
    /// [`ClientBuilder::min_speed`](crate::ClientBuilder::min_speed). 0 bytes for no limit. A time of
    /// zero is an error of `send`.
    pub fn set_min_speed(&mut self, bytes: u64, per: Duration) {
        match MinSpeed::checked(bytes, per) {
            Ok(min_speed) => self.options.min_speed = Some(min_speed),
            Err(error) => self.options.defer(error),
        }
    }

    /// Returns how many redirects are followed; `None` leaves it to the client.
    pub fn max_redirects(&self) -> Option<u32> {
        self.options.max_redirects
    }

    /// Sets how many redirects are followed; with 0 the 3xx itself is the response.
    pub fn set_max_redirects(&mut self, count: u32) {
        self.options.max_redirects = Some(count);
    }

    /// Returns how long a 100 (Continue) is waited for before the body is sent, if at all.
    pub fn expect_continue(&self) -> Option<Duration> {
        self.options.expect_continue
    }

    /// Sets `Expect: 100-continue`: see
    /// [`RequestBuilder::expect_continue`](crate::RequestBuilder::expect_continue). `None` sends none.
    /// Zero is an error of `send`.
    pub fn set_expect_continue(&mut self, patience: impl Into<Option<Duration>>) {
        self.options.expect_continue = self.checked_limit("expect_continue", patience.into());
    }

    /// Returns the token that may cancel the request.
    pub fn cancel_token(&self) -> Option<&CancelToken> {
        self.options.token.as_ref()
    }

    /// Lets `token` cancel this request, up to the last byte of the response body.
    pub fn set_cancel_token(&mut self, token: &CancelToken) {
        self.options.token = Some(token.clone());
    }

    /// Returns whether the request is idempotent, so that it may be sent again although the server may
    /// have processed it: by [`set_idempotent`](Request::set_idempotent), else by its method
    /// (RFC 9110 §9.2.2), or because it has an `Idempotency-Key`.
    pub fn is_idempotent(&self) -> bool {
        let by_nature = self.method.is_idempotent() || self.headers.contains("idempotency-key");
        self.options.idempotent.unwrap_or(by_nature)
    }

    /// Sets whether the request is idempotent: see
    /// [`RequestBuilder::idempotent`](crate::RequestBuilder::idempotent).
    pub fn set_idempotent(&mut self, yes: bool) {
        self.options.idempotent = Some(yes);
    }

    /// Returns the policy by which this request is sent again; the outer `None` leaves it to the client, the
    /// inner one is none.
    pub fn retry(&self) -> Option<Option<&Retry>> {
        self.options.retry.as_ref().map(Option::as_deref)
    }

    /// Sets the policy by which this request is sent again, in place of the client's
    /// ([`ClientBuilder::retry`](crate::ClientBuilder::retry)); `None` for none.
    pub fn set_retry(&mut self, retry: impl Into<Option<Retry>>) {
        self.options.retry = Some(retry.into().map(Arc::new));
    }

    /// Returns whether content codings are asked for and undone; `None` leaves it to the client.
    #[cfg(feature = "__coding")]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))))]
    pub fn decode(&self) -> Option<bool> {
        self.options.decode
    }

    /// Sets whether content codings are asked for and undone, in place of the client's
    /// [`decode`](crate::ClientBuilder::decode).
    #[cfg(feature = "__coding")]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))))]
    pub fn set_decode(&mut self, yes: bool) {
        self.options.decode = Some(yes);
    }

    /// Returns the proxy of this request alone, where one was set.
    pub fn proxy(&self) -> Option<&Proxy> {
        match &self.options.proxy {
            ProxyOption::Proxy(proxy) => Some(proxy),
            ProxyOption::Client | ProxyOption::Direct => None,
        }
    }

    /// Sends this request through `proxy`, in place of the client's proxies. Together with a client's
    /// connector or unix socket it is an error of `send`.
    pub fn set_proxy(&mut self, proxy: Proxy) {
        self.options.proxy = ProxyOption::Proxy(Arc::new(proxy));
    }

    /// Sends this request without a proxy, whatever the client's settings are.
    pub fn set_no_proxy(&mut self) {
        self.options.proxy = ProxyOption::Direct;
    }

    /// Returns a limit of time; zero is kept as an error.
    fn checked_limit(&mut self, setting: &str, limit: Option<Duration>) -> Option<Duration> {
        if limit == Some(Duration::ZERO) {
            self.options.defer(invalid(format!("{setting} is zero: nothing could ever be done in it")));
        }
        limit
    }

    /// Brings what was set through [`headers_mut`](Request::headers_mut) into the form that the setters
    /// give it.
    pub(crate) fn settle_headers(&mut self) -> Result<()> {
        self.options.settle(&mut self.headers)
    }

    /// Checks the request with these header fields, its own or with the client's defaults.
    #[inline]
    pub(crate) fn check(&self, headers: &Headers) -> Result<()> {
        if let Some(error) = self.options.deferred_error.as_ref().or(headers.deferred_error.as_ref()) {
            return Err(error.clone());
        }
        if let Kind::Unusable(_) | Kind::Chain { .. } = self.body.0 {
            self.body.check()?;
            self.check_content_type(headers)?;
        }
        if self.method == Method::TRACE {
            self.check_trace(headers)?;
        }
        if headers.is_empty() { Ok(()) } else { self.check_headers(headers) }
    }

    /// The rules for fields set by hand, and what they say of each other and of the body.
    fn check_headers(&self, headers: &Headers) -> Result<()> {
        for (name, value) in headers.iter() {
            check_user_header(name, value)?;
            // The fields of a response may be given to a request, and can have control characters.
            if let Some(bad) = value.iter().find(|byte| !is_field_byte(**byte)) {
                return Err(invalid(format!("header {name}: byte 0x{bad:02x} is not allowed in a value")));
            }
        }
        for name in ["Host", "Authorization", "Content-Type"] {
            if headers.get_all(name).nth(1).is_some() {
                return Err(invalid(format!("{name} is set twice")));
            }
        }
        for value in headers.get_all("content-length") {
            let announced = crate::wire::framing::decimal(value);
            if announced.is_none() || announced != self.body.len() {
                return Err(invalid(match self.body.len() {
                    Some(_) => "Content-Length is not the length of the body: leave it out",
                    None => "Content-Length beside a body of unknown length: SendBody::sized_reader sends one",
                }));
            }
        }
        if headers.contains("transfer-encoding") && self.body.len().is_some() {
            let what = "Transfer-Encoding: chunked beside a body whose length is known: leave it out, \
                        or send a stream (SendBody::reader)";
            return Err(invalid(what));
        }
        if has_connection_option(headers, "upgrade") && !headers.contains("upgrade") {
            return Err(invalid("Connection: upgrade needs an Upgrade field"));
        }
        Ok(())
    }

    /// A body that only one `Content-Type` makes sense of is sent with that one.
    fn check_content_type(&self, headers: &Headers) -> Result<()> {
        match self.body.content_type() {
            Some(only) if headers.get("content-type") != Some(only) => Err(foreign_content_type()),
            _ => Ok(()),
        }
    }

    /// RFC 9110 §9.3.8: the recipient sends back what it received.
    fn check_trace(&self, headers: &Headers) -> Result<()> {
        if !self.body.is_none() {
            return Err(invalid("TRACE must not have a body (RFC 9110 §9.3.8)"));
        }
        let digest = self.options.uses_digest().then_some("Authorization");
        match headers.iter().map(|(name, _)| name).find(|name| is_secret(name)).or(digest) {
            Some(name) => Err(invalid(format!("TRACE must not carry {name} (RFC 9110 §9.3.8)"))),
            None => Ok(()),
        }
    }

    /// Returns whether its `Connection` field has the option `close`.
    #[inline]
    pub(crate) fn says_close(&self) -> bool {
        has_connection_option(&self.headers, "close")
    }

    /// How long 100 (Continue) is waited for. Only a request with content may expect one
    /// (RFC 9110 §10.1.1).
    pub(crate) fn expectation(&self) -> Option<Duration> {
        self.options.expect_continue.filter(|_| self.body.len() != Some(0))
    }
}

impl Options {
    /// Takes `Expect: 100-continue` out of the fields: it is an option. An `Authorization` among them was
    /// set after Digest authentication, which removes it.
    pub(crate) fn settle(&mut self, headers: &mut Headers) -> Result<()> {
        if self.uses_digest() && headers.contains("authorization") {
            self.drop_digest();
        }
        if headers.contains("expect") {
            headers.get_all("expect").try_for_each(|value| self.expect(value))?;
            headers.remove("expect");
        }
        Ok(())
    }

    /// `Expect: 100-continue` by hand is `expect_continue` with the field's usual patience.
    fn expect(&mut self, value: &[u8]) -> Result<()> {
        if !value.trim_ows().eq_ignore_ascii_case(b"100-continue") {
            return Err(invalid("Expect may only be 100-continue (RFC 9110 §10.1.1)"));
        }
        self.expect_continue.get_or_insert(EXPECT_PATIENCE);
        Ok(())
    }

    /// Returns whether the request has Digest credentials.
    #[inline]
    pub(crate) fn uses_digest(&self) -> bool {
        #[cfg(feature = "digest")]
        return self.digest.is_some();
        #[cfg(not(feature = "digest"))]
        false
    }

    /// Leaves Digest credentials out from here on.
    pub(crate) fn drop_digest(&mut self) {
        #[cfg(feature = "digest")]
        {
            self.digest = None;
        }
    }

    #[cfg(feature = "digest")]
    pub(crate) fn digest(&self) -> Option<&DigestAuth> {
        self.digest.as_deref()
    }

    #[cfg(feature = "digest")]
    pub(crate) fn digest_mut(&mut self) -> Option<&mut DigestAuth> {
        self.digest.as_deref_mut()
    }

    /// Lets a body that can be sent only once wait for a 401, where one may come.
    #[inline]
    pub(crate) fn expect_challenge(&mut self, body: &SendBody<'_>) {
        if self.uses_digest() && !body.can_be_resent() {
            self.expect_continue.get_or_insert(EXPECT_PATIENCE);
        }
    }

    /// Keeps the first error.
    fn defer(&mut self, error: Error) {
        self.deferred_error.get_or_insert(error);
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

pub(crate) fn foreign_content_type() -> Error {
    invalid(
        "Content-Type is set beside multipart, by hand or by another body: leave it out, since the form sets it, \
         with the boundary between its parts",
    )
}

fn connect_refused() -> Error {
    invalid("CONNECT is for proxies, not a request")
}

fn invalid(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidRequest, what)
}

/// Makes a field of the user and password in the URL.
#[cold]
fn take_userinfo(url: &mut Url) -> Result<Headers> {
    let user = percent_decode(url.username());
    let password = url.password().map(percent_decode).unwrap_or_default();
    *url = uri::without_userinfo(url.clone());
    let mut headers = Headers::new();
    headers.insert("Authorization", basic_credentials(&user, &password)?)?;
    Ok(headers)
}

/// An Upgrade field needs its connection option (RFC 9110 §7.8), which a client's defaults may bring.
pub(crate) fn check_upgrade(headers: &Headers) -> Result<()> {
    if headers.contains("upgrade") && !has_connection_option(headers, "upgrade") {
        return Err(invalid("an Upgrade field needs Connection: upgrade beside it (RFC 9110 §7.8)"));
    }
    Ok(())
}

/// Fields that a request has once (RFC 9110 §5.3), and that come from elsewhere, too: the URL's
/// userinfo, `basic_auth`, `form`. The last word counts.
pub(crate) fn is_singleton(name: &str) -> bool {
    is_among("authorization content-type", name)
}

/// Checks a field that a caller sets: refused is what would make two messages of one, and what has no
/// effect. `Expect` is an option of a request, not a field.
pub(crate) fn check_user_header(name: &str, value: &[u8]) -> Result<()> {
    let value = value.trim_ows();
    let lists_only = |known| list_members(value).all(|member| is_among(known, member));
    match name.len() {
        2 if name.eq_ignore_ascii_case("te") && !lists_only("trailers") => {
            Err(invalid("TE may only be trailers: no transfer coding but chunked is undone here"))
        }
        4 if name.eq_ignore_ascii_case("host") => check_host(value),
        6 if name.eq_ignore_ascii_case("expect") => {
            Err(invalid("Expect belongs to one request: RequestBuilder::header or expect_continue"))
        }
        7 if name.eq_ignore_ascii_case("trailer") => {
            Err(invalid("Trailer announces trailer fields, and none are sent: leave it out"))
        }
        10 if name.eq_ignore_ascii_case("connection") && !lists_only(CONNECTION_OPTIONS) => {
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
    if text.is_empty() || !text.is_ascii() || !same || text.bytes().any(|byte| b"/\\?#@\t ".contains(&byte)) {
        return Err(invalid("Host is not host or host:port"));
    }
    Ok(())
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
            let refused = request().add_header(name, value).map_err(|error| error.kind());
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
            assert!(request().add_header(name, value).is_ok(), "{name}: {value}");
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
