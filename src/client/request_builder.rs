//! Building a request step by step, and the short ways to one.

use std::borrow::Borrow;
use std::fmt::Display;
use std::sync::OnceLock;
use std::time::Duration;

use crate::client::Client;
use crate::error::Result;
use crate::headers::Headers;
use crate::message::proxy::Proxy;
use crate::message::request::Request;
use crate::message::response::Response;
use crate::message::retry::Retry;
use crate::message::send_body::SendBody;
use crate::method::Method;
use crate::net::cancel::CancelToken;
use crate::uri::IntoUrl;

/// Builds a request and sends it.
///
/// The first error is kept and returned by [`build`](RequestBuilder::build) or
/// [`send`](RequestBuilder::send), so a request needs one `?`.
///
/// ```no_run
/// use longwire::Client;
/// use std::time::Duration;
///
/// let response = Client::new()
///     .post("http://example.com/items")
///     .query("dry", "yes")
///     .basic_auth("me", Some("secret"))
///     .form([("name", "lamp"), ("price", "12")])
///     .timeout(Duration::from_secs(5))
///     .send()?;
/// # Ok::<(), longwire::Error>(())
/// ```
#[must_use]
#[derive(Debug)]
pub struct RequestBuilder<'b> {
    /// `None`: the process-wide one.
    client: Option<Client>,
    request: Result<Request<'b>>,
}

impl<'b> RequestBuilder<'b> {
    /// Does the next step, if none has failed so far.
    #[inline]
    pub(crate) fn step(mut self, step: impl FnOnce(&mut Request<'b>) -> Result<()>) -> Self {
        if let Ok(request) = &mut self.request {
            if let Err(mistake) = step(request) {
                let mistake = mistake.with_request(&request.method, &request.url);
                self.request = Err(mistake);
            }
        }
        self
    }

    /// Does a step that cannot fail.
    #[inline]
    fn set(mut self, set: impl FnOnce(&mut Request<'b>)) -> Self {
        if let Ok(request) = &mut self.request {
            set(request);
        }
        self
    }

    /// Adds a header field. `Host`, `User-Agent` and `Accept` replace longwire's own; `Authorization` and
    /// `Content-Type` replace an earlier one, since a request has each once.
    ///
    /// `Connection` may list `close`, `keep-alive`, `upgrade` (together with `Upgrade`) and `TE`; it is sent
    /// as it is, and `close` closes. `TE: trailers` asks for trailers and brings its connection option.
    /// `Expect: 100-continue` is [`expect_continue`](RequestBuilder::expect_continue) of one second.
    /// `Transfer-Encoding: chunked` with a body of unknown length, and a `Content-Length` that is the
    /// body's, change nothing. `User-Agent` with an empty value sends none.
    ///
    /// Refused are names and values that break the grammar, and what would make two messages of one:
    /// another length, another coding, `Trailer`.
    ///
    /// Where the client has a proxy, a `Proxy-Authorization` is for that: it is sent when an HTTP proxy
    /// forwards the request, in place of the credentials of [`Proxy`](crate::Proxy), and not to a server,
    /// be it connected to directly or through a tunnel. Without a proxy it is a field like any other.
    #[doc(alias("--header", "-H", "with_header"))]
    pub fn header(self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        self.step(|request| request.add_header(name, value))
    }

    /// Adds all of these fields.
    pub fn headers(self, headers: &Headers) -> Self {
        self.step(|request| {
            headers.deferred_error.clone().map_or(Ok(()), Err)?;
            headers.iter().try_for_each(|(name, value)| request.add_header(name, value))
        })
    }

    /// Adds `name=value` to the URL's query, percent-encoded as a form field.
    #[doc(alias("param", "with_param"))]
    pub fn query(self, name: &str, value: impl Display) -> Self {
        self.set(|request| request.add_query(name, value))
    }

    /// Adds all of these pairs to the URL's query.
    ///
    /// Takes pairs by value or by reference: an array, a slice, a `Vec`, a map.
    #[doc(alias("Values", "params", "urlencode"))]
    pub fn query_pairs<I, K, V>(self, pairs: I) -> Self
    where
        I: IntoIterator,
        I::Item: Borrow<(K, V)>,
        K: AsRef<str>,
        V: Display,
    {
        self.set(|request| request.add_query_pairs(pairs))
    }

    /// Sets Basic authentication (RFC 7617), in place of any other `Authorization` and of userinfo in the
    /// URL.
    #[doc(alias("SetBasicAuth", "--user", "-u", "HTTPBasicAuth"))]
    pub fn basic_auth(self, user: impl AsRef<[u8]>, password: Option<&str>) -> Self {
        self.step(|request| request.set_basic_auth(user, password))
    }

    /// Sets a bearer token (RFC 6750), in place of any other `Authorization`.
    #[doc(alias = "--oauth2-bearer")]
    pub fn bearer_auth(self, token: impl AsRef<str>) -> Self {
        self.step(|request| request.set_bearer_auth(token))
    }

    /// Sets Digest authentication (RFC 7616), in place of any other `Authorization` and of userinfo in the
    /// URL; of this, [`basic_auth`](RequestBuilder::basic_auth) and the like the last one counts.
    ///
    /// The first request to an origin is sent without credentials, and again with the answer to its 401.
    /// Its nonce is kept in the client, for this origin and this user name, so that later requests carry
    /// their answer at once. If one of them gets a 401 even so, the new challenge is answered, once; and
    /// once more if the server says that this nonce is too old already (`stale`). Any other 401 is the
    /// response: user or password are wrong. The rest of a 401 is waited for, up to 64 KiB and 5 s, so that
    /// the answer goes over the same connection.
    ///
    /// Of several challenges SHA-256 comes before SHA-512-256, and that before MD5, each with `-sess` or
    /// without; the password itself is never sent. `qop=auth` is used where it is offered, and `auth-int`
    /// where it is offered alone and the body is in memory. A challenge without `qop` is answered as in
    /// RFC 2069. A challenge is ignored if it is malformed, wants anything else, or has a realm, nonce or
    /// opaque of more than 4 KiB. That the server knows the password, too (`rspauth`), is not checked. User
    /// and password are sent and hashed in UTF-8, as they are.
    ///
    /// A reader can be sent only once. So it waits for the 401, for up to a second, unless
    /// [`expect_continue`](RequestBuilder::expect_continue) says otherwise; if the server asks for
    /// credentials after it has the body, that 401 is the response, and the next request carries its answer.
    ///
    /// On redirects to another origin the credentials stay behind, whatever
    /// [`allow_cross_origin_header`](crate::ClientBuilder::allow_cross_origin_header) and
    /// [`Hop::keep_header`](crate::Hop::keep_header) say, and they do not come back on a later hop. They are
    /// for servers: a proxy's 407 is not answered.
    ///
    /// ```no_run
    /// use longwire::Client;
    ///
    /// let client = Client::new();
    /// for _ in 0..3 {
    ///     // One 401 in all, and one connection.
    ///     let picture = client.get("http://camera/snapshot.jpg").digest_auth("admin", "secret").send()?.bytes()?;
    ///     println!("{} bytes", picture.len());
    /// }
    /// # Ok::<(), longwire::Error>(())
    /// ```
    #[doc(alias("--digest", "HTTPDigestAuth"))]
    #[cfg(feature = "digest")]
    #[cfg_attr(docsrs, doc(cfg(feature = "digest")))]
    pub fn digest_auth(self, user: impl AsRef<str>, password: impl AsRef<str>) -> Self {
        self.step(|request| request.set_digest_auth(user, password))
    }

    /// Sets the body. A `Content-Type` is the caller's to set.
    #[doc(alias("--data-binary", "--upload-file", "send_bytes", "send_string", "with_body"))]
    pub fn body(self, body: impl Into<SendBody<'b>>) -> Self {
        self.set(|request| request.set_body(body))
    }

    /// Sets a body of form fields, and its `Content-Type: application/x-www-form-urlencoded`.
    ///
    /// Takes pairs by value or by reference: an array, a slice, a `Vec`, a map.
    #[doc(alias("PostForm", "Values", "--data", "--data-urlencode", "-d", "send_form"))]
    pub fn form<I, K, V>(self, fields: I) -> Self
    where
        I: IntoIterator,
        I::Item: Borrow<(K, V)>,
        K: AsRef<str>,
        V: Display,
    {
        self.set(|request| request.set_form(fields))
    }

    /// Sets how long the whole call may take, to the last byte of the response body; `None` for no limit.
    /// In place of the client's.
    #[doc(alias = "WithTimeout")]
    pub fn timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        self.set(|request| request.set_timeout(limit))
    }

    /// Sets how long the server may send nothing; `None` for no limit. In place of the client's.
    pub fn read_timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        self.set(|request| request.set_read_timeout(limit))
    }

    /// Sets the policy by which this request is sent again, in place of the client's; `None` for none. See
    /// [`Retry`].
    pub fn retry(self, retry: impl Into<Option<Retry>>) -> Self {
        self.set(|request| request.set_retry(retry))
    }

    /// Sets the slowest that the server may send the response body, in place of the client's: see
    /// [`ClientBuilder::min_speed`](crate::ClientBuilder::min_speed). 0 bytes for no limit.
    pub fn min_speed(self, bytes: u64, per: Duration) -> Self {
        self.set(|request| request.set_min_speed(bytes, per))
    }

    /// Sets how many redirects are followed; with 0 the 3xx itself is the response.
    #[doc(alias("follow_redirects", "max_redirections", "with_max_redirects", "with_follow_redirects"))]
    pub fn max_redirects(self, count: u32) -> Self {
        self.set(|request| request.set_max_redirects(count))
    }

    /// Sends `Expect: 100-continue` and waits for the server's 100 before the body, but no longer than
    /// `patience` (RFC 9110 §10.1.1). A final response instead is the response, and the body is not sent;
    /// but a 417, which refuses the expectation alone, and the request is repeated once without it, on a
    /// new connection. Nothing of this happens without a body.
    #[doc(alias("ExpectContinueTimeout", "--expect100-timeout"))]
    pub fn expect_continue(self, patience: Duration) -> Self {
        self.set(|request| request.set_expect_continue(patience))
    }

    /// Lets `token` cancel this request, up to the last byte of the response body.
    pub fn cancel_token(self, token: &CancelToken) -> Self {
        self.set(|request| request.set_cancel_token(token))
    }

    /// Sets whether the request may be sent again after a kept connection turned out to be dead, although
    /// the server may have processed it. By default GET, HEAD, OPTIONS, TRACE, PUT and DELETE may
    /// (RFC 9110 §9.2.2), and requests with an `Idempotency-Key`.
    pub fn idempotent(self, yes: bool) -> Self {
        self.set(|request| request.set_idempotent(yes))
    }

    /// Sets whether content codings are asked for and undone, in place of the client's
    /// [`decode`](crate::ClientBuilder::decode).
    #[cfg(feature = "__coding")]
    #[cfg_attr(docsrs, doc(cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))))]
    pub fn decode(self, yes: bool) -> Self {
        self.set(|request| request.set_decode(yes))
    }

    /// Sends this request through `proxy`, in place of the client's proxies.
    #[doc(alias = "with_proxy")]
    pub fn proxy(self, proxy: Proxy) -> Self {
        self.set(|request| request.set_proxy(proxy))
    }

    /// Sends this request without a proxy, whatever the client's settings are.
    pub fn no_proxy(self) -> Self {
        self.set(Request::set_no_proxy)
    }

    /// Returns the request, to be sent by [`Client::send`].
    ///
    /// # Errors
    /// The first error of the steps.
    pub fn build(self) -> Result<Request<'b>> {
        let mut request = self.request?;
        match request.settle_headers().and_then(|()| request.check(&request.headers)) {
            Ok(()) => Ok(request),
            Err(mistake) => Err(mistake.with_request(&request.method, &request.url)),
        }
    }

    /// Sends the request; see [`Client::send`]. One that was made without a client is sent by the
    /// process-wide client, created on first use.
    ///
    /// # Errors
    /// The first error of the steps, or as [`Client::send`].
    #[doc(alias("call", "send_lazy"))]
    #[inline]
    pub fn send(self) -> Result<Response> {
        let request = self.request?;
        self.client.as_ref().unwrap_or_else(|| shared()).send(request)
    }
}

impl<'b> Request<'b> {
    /// Returns a builder without a client, as [`longwire::request`](crate::request) does.
    pub fn builder(method: Method, url: impl IntoUrl) -> RequestBuilder<'b> {
        RequestBuilder { client: None, request: Request::new(method, url) }
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $method:ident)*) => {
        impl Client {
            /// Returns a builder for a request with any method.
            pub fn request<'b>(&self, method: Method, url: impl IntoUrl) -> RequestBuilder<'b> {
                RequestBuilder { client: Some(self.clone()), request: Request::new(method, url) }
            }

            $($(#[$doc])*
            pub fn $name<'b>(&self, url: impl IntoUrl) -> RequestBuilder<'b> {
                self.request(Method::$method, url)
            })*
        }
    };
}

methods! {
    /// Returns a builder for a GET request.
    get GET
    /// Returns a builder for a HEAD request.
    head HEAD
    /// Returns a builder for a POST request.
    post POST
    /// Returns a builder for a PUT request.
    put PUT
    /// Returns a builder for a PATCH request.
    patch PATCH
    /// Returns a builder for a DELETE request.
    delete DELETE
    /// An OPTIONS request.
    options OPTIONS
}

/// The client of the functions of this crate.
fn shared() -> &'static Client {
    static SHARED: OnceLock<Client> = OnceLock::new();
    SHARED.get_or_init(Client::new)
}

/// Returns a builder for a request that the process-wide client sends.
///
/// ```no_run
/// let response = longwire::request(longwire::Method::OPTIONS, "http://example.com/").send()?;
/// # Ok::<(), longwire::Error>(())
/// ```
pub fn request<'b>(method: Method, url: impl IntoUrl) -> RequestBuilder<'b> {
    Request::builder(method, url)
}

/// Sends a GET request by the process-wide client, created on first use.
///
/// # Errors
/// As [`Client::send`].
///
/// ```no_run
/// println!("{}", longwire::get("http://example.com/")?.text()?);
/// # Ok::<(), longwire::Error>(())
/// ```
pub fn get(url: impl IntoUrl) -> Result<Response> {
    shared().get(url).send()
}

/// Sends a HEAD request by the process-wide client, created on first use.
///
/// # Errors
/// As [`Client::send`].
pub fn head(url: impl IntoUrl) -> Result<Response> {
    shared().head(url).send()
}

/// Sends a DELETE request by the process-wide client, created on first use.
///
/// # Errors
/// As [`Client::send`].
pub fn delete(url: impl IntoUrl) -> Result<Response> {
    shared().delete(url).send()
}

/// Sends a POST request by the process-wide client, created on first use.
///
/// # Errors
/// As [`Client::send`].
///
/// ```no_run
/// let response = longwire::post("http://example.com/notes", "remember the milk")?;
/// # Ok::<(), longwire::Error>(())
/// ```
pub fn post<'b>(url: impl IntoUrl, body: impl Into<SendBody<'b>>) -> Result<Response> {
    shared().post(url).body(body).send()
}

/// Sends a PUT request by the process-wide client, created on first use.
///
/// # Errors
/// As [`Client::send`].
pub fn put<'b>(url: impl IntoUrl, body: impl Into<SendBody<'b>>) -> Result<Response> {
    shared().put(url).body(body).send()
}

/// Sends a PATCH request by the process-wide client, created on first use.
///
/// # Errors
/// As [`Client::send`].
pub fn patch<'b>(url: impl IntoUrl, body: impl Into<SendBody<'b>>) -> Result<Response> {
    shared().patch(url).body(body).send()
}
