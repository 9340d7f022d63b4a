//! Building a request step by step, and the short ways to one.

use std::borrow::Borrow;
use std::sync::OnceLock;
use std::time::Duration;

use crate::client::Client;
use crate::error::Result;
use crate::headers::Headers;
use crate::message::request::{Request, check_limit};
use crate::message::response::Response;
use crate::message::send_body::SendBody;
use crate::method::Method;
use crate::net::cancel::CancelToken;
use crate::net::speed::MinSpeed;
use crate::uri::{self, IntoUrl};

/// Builds a request and sends it.
///
/// The first mistake is kept and returned by [`build`](RequestBuilder::build) or
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
    client: Client,
    request: Result<Request<'b>>,
}

impl<'b> RequestBuilder<'b> {
    #[inline]
    fn new(client: Client, method: Method, url: impl IntoUrl) -> RequestBuilder<'b> {
        RequestBuilder { client, request: Request::new(method, url) }
    }

    /// Does the next step, if none has failed so far.
    fn step(mut self, step: impl FnOnce(&mut Request<'b>) -> Result<()>) -> Self {
        if let Ok(request) = &mut self.request {
            if let Err(mistake) = step(request) {
                let mistake = mistake.with_request(&request.method, &request.url);
                self.request = Err(mistake);
            }
        }
        self
    }

    /// Adds a header field. `Host`, `User-Agent` and `Accept` stand in for longwire's own;
    /// `Authorization` and `Content-Type` replace what was there, since a request has each once.
    ///
    /// `Connection` may list `close`, `keep-alive`, `upgrade` (beside `Upgrade`) and `TE`; it is sent
    /// as it is, and `close` closes. `TE: trailers` asks for trailers and brings its connection option.
    /// `Expect: 100-continue` is [`expect_continue`](RequestBuilder::expect_continue) of one second.
    /// `Transfer-Encoding: chunked` beside a body of unknown length, and a `Content-Length` that is the
    /// body's, change nothing. `User-Agent` with an empty value sends none.
    ///
    /// Refused are names and values that break the grammar, and what would make two messages of one:
    /// another length, another coding, `Trailer`.
    ///
    /// Where the client has a proxy, a `Proxy-Authorization` is for that: it goes along when an HTTP
    /// proxy is asked for the URL, in place of the credentials of [`Proxy`](crate::Proxy), and not
    /// to a server, be it asked directly or through a tunnel. Without a proxy it is a field like any
    /// other.
    pub fn header(self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        self.step(|request| request.add_header(name.as_ref(), value.as_ref()))
    }

    /// Adds all of these fields.
    pub fn headers(self, headers: &Headers) -> Self {
        self.step(|request| headers.iter().try_for_each(|(name, value)| request.add_header(name, value)))
    }

    /// Adds `name=value` to the URL's query, percent-encoded as a form field.
    pub fn query(self, name: &str, value: &str) -> Self {
        self.step(|request| {
            uri::append_query(&mut request.url, name, value);
            Ok(())
        })
    }

    /// Basic authentication (RFC 7617). A second call, or userinfo in the URL, is replaced.
    pub fn basic_auth(self, user: impl AsRef<[u8]>, password: Option<&str>) -> Self {
        self.step(|request| request.set_basic_auth(user.as_ref(), password.map(str::as_bytes)))
    }

    /// A bearer token (RFC 6750), in place of any other `Authorization`.
    pub fn bearer_auth(self, token: impl AsRef<str>) -> Self {
        self.step(|request| request.headers.insert("Authorization", format!("Bearer {}", token.as_ref())))
    }

    /// The body. Without a `Content-Type` of yours, none is sent.
    pub fn body(self, body: impl Into<SendBody<'b>>) -> Self {
        self.step(|request| {
            request.body = body.into();
            Ok(())
        })
    }

    /// A body of form fields, and its `Content-Type: application/x-www-form-urlencoded`.
    ///
    /// Takes pairs by value or by reference: an array, a slice, a `Vec`, a map.
    pub fn form<I, K, V>(self, fields: I) -> Self
    where
        I: IntoIterator,
        I::Item: Borrow<(K, V)>,
        K: AsRef<str>,
        V: AsRef<str>,
    {
        self.step(|request| {
            let mut body = String::new();
            for pair in fields {
                let (name, value) = pair.borrow();
                uri::append_pair(&mut body, name.as_ref(), value.as_ref());
            }
            request.body = body.into();
            request.headers.insert("Content-Type", "application/x-www-form-urlencoded")
        })
    }

    /// How long everything together may take, to the body's last byte; `None` for no limit. In
    /// place of the client's.
    pub fn timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        self.step(|request| {
            request.options.timeout = Some(check_limit(limit.into())?);
            Ok(())
        })
    }

    /// How long the server may be silent; `None` for no limit. In place of the client's.
    pub fn read_timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        self.step(|request| {
            request.options.read_timeout = Some(check_limit(limit.into())?);
            Ok(())
        })
    }

    /// Sets the slowest that the server may send the response body, in place of the client's: see
    /// [`ClientBuilder::min_speed`](crate::ClientBuilder::min_speed). 0 bytes for no limit.
    pub fn min_speed(self, bytes: u64, per: Duration) -> Self {
        self.step(|request| {
            request.options.min_speed = Some(MinSpeed::checked(bytes, per)?);
            Ok(())
        })
    }

    /// How many redirects are followed; with 0 the 3xx itself is the response.
    pub fn max_redirects(self, count: u32) -> Self {
        self.step(|request| {
            request.options.max_redirects = Some(count);
            Ok(())
        })
    }

    /// Sends `Expect: 100-continue` and waits for the server's go-ahead before the body, but no
    /// longer than `patience` (RFC 9110 §10.1.1). A final answer instead is the response, and the
    /// body is not sent; but a 417, which refuses the expectation alone, and the request is repeated
    /// once without it, on a new connection. Nothing of this happens without a body.
    pub fn expect_continue(self, patience: Duration) -> Self {
        self.step(|request| {
            request.options.expect_continue = check_limit(Some(patience))?;
            Ok(())
        })
    }

    /// Lets `token` cancel this request, up to the last byte of its body.
    pub fn cancel_token(self, token: &CancelToken) -> Self {
        self.step(|request| {
            request.options.token = Some(token.clone());
            Ok(())
        })
    }

    /// Says whether the request may be sent again after a kept connection turned out to be dead,
    /// although the server may have acted on it. By default GET, HEAD, OPTIONS, TRACE, PUT and
    /// DELETE may, and requests with an `Idempotency-Key`.
    pub fn idempotent(self, yes: bool) -> Self {
        self.step(|request| {
            request.options.idempotent = Some(yes);
            Ok(())
        })
    }

    /// The request, to be sent by [`Client::send`].
    ///
    /// # Errors
    /// The first mistake.
    pub fn build(self) -> Result<Request<'b>> {
        let request = self.request?;
        match request.check(&request.headers) {
            Ok(()) => Ok(request),
            Err(mistake) => Err(mistake.with_request(&request.method, &request.url)),
        }
    }

    /// Sends the request; see [`Client::send`].
    ///
    /// # Errors
    /// The first mistake, or as [`Client::send`].
    #[inline]
    pub fn send(self) -> Result<Response> {
        self.client.send(self.request?)
    }
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $method:ident)*) => {
        impl Client {
            /// A request with any method.
            pub fn request<'b>(&self, method: Method, url: impl IntoUrl) -> RequestBuilder<'b> {
                RequestBuilder::new(self.clone(), method, url)
            }

            $($(#[$doc])*
            pub fn $name<'b>(&self, url: impl IntoUrl) -> RequestBuilder<'b> {
                self.request(Method::$method, url)
            })*
        }
    };
}

methods! {
    /// A GET request.
    get GET
    /// A HEAD request.
    head HEAD
    /// A POST request.
    post POST
    /// A PUT request.
    put PUT
    /// A PATCH request.
    patch PATCH
    /// A DELETE request.
    delete DELETE
    /// An OPTIONS request.
    options OPTIONS
}

/// The client behind the functions of this crate.
fn shared() -> &'static Client {
    static SHARED: OnceLock<Client> = OnceLock::new();
    SHARED.get_or_init(Client::new)
}

/// A request with any method, to be sent by a client that the whole process shares.
///
/// ```no_run
/// let response = longwire::request(longwire::Method::OPTIONS, "http://example.com/").send()?;
/// # Ok::<(), longwire::Error>(())
/// ```
pub fn request<'b>(method: Method, url: impl IntoUrl) -> RequestBuilder<'b> {
    shared().request(method, url)
}

/// Sends a GET request by a client that the whole process shares.
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

/// Sends a HEAD request by a client that the whole process shares.
///
/// # Errors
/// As [`Client::send`].
pub fn head(url: impl IntoUrl) -> Result<Response> {
    shared().head(url).send()
}

/// Sends a DELETE request by a client that the whole process shares.
///
/// # Errors
/// As [`Client::send`].
pub fn delete(url: impl IntoUrl) -> Result<Response> {
    shared().delete(url).send()
}

/// Sends a POST request by a client that the whole process shares.
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

/// Sends a PUT request by a client that the whole process shares.
///
/// # Errors
/// As [`Client::send`].
pub fn put<'b>(url: impl IntoUrl, body: impl Into<SendBody<'b>>) -> Result<Response> {
    shared().put(url).body(body).send()
}

/// Sends a PATCH request by a client that the whole process shares.
///
/// # Errors
/// As [`Client::send`].
pub fn patch<'b>(url: impl IntoUrl, body: impl Into<SendBody<'b>>) -> Result<Response> {
    shared().patch(url).body(body).send()
}
