//! What the hooks of a client are given: a redirect to decide on, and a request head on its way out.

use std::fmt;
use std::sync::Arc;

use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::headers::Headers;
use crate::method::Method;
use crate::status::StatusCode;
use crate::uri;
use crate::wire::request_head::NextHop;
use crate::word_list::is_among;

/// Fields that frame the message or belong to the connection: not for a hook to set.
const FRAMING: &str = "connection content-length expect te trailer transfer-encoding upgrade";

/// Decides on a redirect by its two URLs, its status and its fields: returns the names of the fields that
/// are kept, or `None` if the redirect is not to be followed.
pub(crate) type OnRedirect = dyn Fn(&Url, &Url, StatusCode, &Headers) -> Result<Option<Vec<String>>> + Send + Sync;

/// Returns the fields of one hop, given method, URL, the client's User-Agent, the request's fields, and
/// those of the hop so far, and who receives the head.
pub(crate) type BeforeSend = dyn Fn(&Method, &Url, &str, &Headers, Headers, NextHop) -> Result<Headers> + Send + Sync;

/// Wraps a hook together with the code that calls it, which only a program that sets one needs.
pub(crate) fn on_redirect(decide: impl Fn(&mut Hop<'_>) -> Result<()> + Send + Sync + 'static) -> Arc<OnRedirect> {
    Arc::new(move |from, to, status, headers| {
        let mut hop = Hop { from, to, status, headers, kept: Vec::new(), is_stopped: false };
        decide(&mut hop)?;
        Ok((!hop.is_stopped).then_some(hop.kept))
    })
}

/// As [`on_redirect`].
pub(crate) fn before_send(
    prepare: impl Fn(&mut Outgoing<'_>) -> Result<()> + Send + Sync + 'static,
) -> Arc<BeforeSend> {
    Arc::new(move |method, url, user_agent, own, hop_fields, next_hop| {
        let mut outgoing = Outgoing::new(method, url, user_agent, own, hop_fields, next_hop)?;
        prepare(&mut outgoing)?;
        Ok(outgoing.hop_fields)
    })
}

pub(crate) fn is_framing(name: &str) -> bool {
    is_among(FRAMING, name)
}

/// A redirect that is about to be followed: what [`ClientBuilder::on_redirect`] decides on.
///
/// ```
/// use longwire::Client;
///
/// let client = Client::builder()
///     .on_redirect(|hop| {
///         // To https on the same host the credentials may go along.
///         if hop.to().scheme() == "https" && hop.from().host() == hop.to().host() {
///             hop.keep_header("Authorization");
///         }
///         Ok(())
///     })
///     .build();
/// # drop(client);
/// ```
///
/// [`ClientBuilder::on_redirect`]: crate::ClientBuilder::on_redirect
pub struct Hop<'h> {
    from: &'h Url,
    to: &'h Url,
    status: StatusCode,
    headers: &'h Headers,
    kept: Vec<String>,
    is_stopped: bool,
}

impl Hop<'_> {
    /// Returns the URL that redirected.
    pub fn from(&self) -> &Url {
        self.from
    }

    /// Returns the URL that it redirects to.
    pub fn to(&self) -> &Url {
        self.to
    }

    /// Returns the status: 301, 302, 303, 307 or 308.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the redirect's header fields, `Set-Cookie` among them.
    pub fn headers(&self) -> &Headers {
        self.headers
    }

    /// Returns the first value of one of the redirect's fields, if it is there and UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// Sends the request's fields of that name along on this hop, though it leads to another origin. Only
    /// fields that the redirecting server was sent can be kept. On the next hop they stay behind, unless
    /// they are kept there, too. Fields that frame the message or belong to the connection are never kept.
    pub fn keep_header(&mut self, name: impl Into<String>) {
        self.kept.push(name.into());
    }

    /// Does not follow: the redirect itself is the response.
    #[doc(alias = "ErrUseLastResponse")]
    pub fn stop(&mut self) {
        self.is_stopped = true;
    }
}

impl fmt::Debug for Hop<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hop")
            .field("from", &self.from.as_str())
            .field("to", &self.to.as_str())
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish()
    }
}

/// A request head that is about to be sent: what [`ClientBuilder::before_send`] is given, for each hop
/// and each retry anew.
///
/// Fields that are set here are for this head alone: they replace the request's fields of that name, and
/// are gone on the next hop, for which the hook is called again.
///
/// ```
/// use longwire::Client;
///
/// let client = Client::builder()
///     .before_send(|outgoing| {
///         let signature = format!("{} {}", outgoing.method(), outgoing.url().path()).len(); // sign it here
///         outgoing.set_header("X-Signature", signature.to_string())
///     })
///     .build();
/// # drop(client);
/// ```
///
/// [`ClientBuilder::before_send`]: crate::ClientBuilder::before_send
pub struct Outgoing<'r> {
    method: &'r Method,
    url: &'r Url,
    /// All fields but those that frame the message.
    headers: Headers,
    /// Those of this hop alone.
    hop_fields: Headers,
}

impl<'r> Outgoing<'r> {
    /// The head of that request, with the fields that are for this hop already.
    fn new(
        method: &'r Method,
        url: &'r Url,
        user_agent: &str,
        own: &Headers,
        hop_fields: Headers,
        next_hop: NextHop,
    ) -> Result<Outgoing<'r>> {
        let mut headers = Headers::new();
        let (authority, _) = uri::authority_and_target(url);
        let host = hop_fields.get_bytes("host").or(own.get_bytes("host"));
        headers.append("Host", host.unwrap_or(authority.as_bytes()))?;
        for (name, value) in [("User-Agent", user_agent), ("Accept", "*/*")] {
            if !value.is_empty() && !own.contains(name) && !hop_fields.contains(name) {
                headers.append(name, value)?;
            }
        }
        let is_elsewhere = |name: &str| {
            let is = |other: &str| other.eq_ignore_ascii_case(name);
            is("host")
                || is("content-length")
                || is("transfer-encoding")
                || next_hop == NextHop::OriginPastProxy && is("proxy-authorization")
        };
        let own = own.iter().filter(|(name, _)| !hop_fields.contains(name));
        for (name, value) in hop_fields.iter().chain(own).filter(|(name, _)| !is_elsewhere(name)) {
            headers.append(name, value)?;
        }
        Ok(Outgoing { method, url, headers, hop_fields })
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        self.method
    }

    /// Returns the URL of this hop, without userinfo.
    pub fn url(&self) -> &Url {
        self.url
    }

    /// Returns the fields of the head, `Host` among them, but not those that frame the message
    /// (`Content-Length`, `Transfer-Encoding`, `Expect`).
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Returns the first value of a field, if it is there and UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// Sets a field of this head, in place of all of that name.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if name or value break the grammar, for `Host`, and for fields that
    /// frame the message or belong to the connection.
    pub fn set_header(&mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Result<()> {
        let (name, value) = (name.as_ref(), value.as_ref());
        if name.eq_ignore_ascii_case("host") || is_framing(name) {
            return Err(Error::new(ErrorKind::InvalidRequest, format!("before_send may not set {name}")));
        }
        self.headers.insert(name, value)?;
        self.hop_fields.insert(name, value)
    }
}

impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("method", &self.method)
            .field("url", &self.url.as_str())
            // Names alone: the proxy's own fields are among them, and may be secret whatever they are called.
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}
