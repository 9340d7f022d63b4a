//! Request methods (RFC 9110 §9): the registered ones and any other token.

use std::fmt;

/// A request method. Case matters: `get` is not `GET`.
///
/// ```
/// use longwire::Method;
///
/// assert!(Method::PUT.is_idempotent());
/// assert!(!Method::POST.is_idempotent());
///
/// let purge = Method::new("PURGE")?;
/// assert_eq!(purge.as_str(), "PURGE");
/// assert!(Method::new("GET /evil").is_err());
/// # Ok::<(), longwire::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Method(Name);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Name {
    Known(&'static str),
    Other(Box<str>),
}

/// The methods that have a constant.
const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

impl Method {
    /// Transfer a representation (RFC 9110 §9.3.1).
    pub const GET: Method = Method(Name::Known("GET"));
    /// As GET, without the content (§9.3.2).
    pub const HEAD: Method = Method(Name::Known("HEAD"));
    /// Process the content (§9.3.3).
    pub const POST: Method = Method(Name::Known("POST"));
    /// Replace the representation (§9.3.4).
    pub const PUT: Method = Method(Name::Known("PUT"));
    /// Change a part (RFC 5789).
    pub const PATCH: Method = Method(Name::Known("PATCH"));
    /// Remove the association (RFC 9110 §9.3.5).
    pub const DELETE: Method = Method(Name::Known("DELETE"));
    /// Ask what is possible (§9.3.7).
    pub const OPTIONS: Method = Method(Name::Known("OPTIONS"));
    /// Loop the request back (§9.3.8).
    pub const TRACE: Method = Method(Name::Known("TRACE"));
    /// Open a tunnel (§9.3.6). A proxy's business: as a request it is refused.
    pub const CONNECT: Method = Method(Name::Known("CONNECT"));

    /// That token, known or not.
    pub(crate) fn from_token(name: &str) -> Method {
        match KNOWN.iter().find(|known| **known == name) {
            Some(known) => Method(Name::Known(known)),
            None => Method(Name::Other(name.into())),
        }
    }

    /// The method as it goes over the wire.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Known(name) => name,
            Name::Other(name) => name,
        }
    }

    /// Whether it asks for no change on the server (RFC 9110 §9.2.1).
    pub fn is_safe(&self) -> bool {
        matches!(self.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE")
    }

    /// Whether asking twice means the same as asking once (RFC 9110 §9.2.2), so that a request
    /// that was lost may be sent again.
    pub fn is_idempotent(&self) -> bool {
        self.is_safe() || matches!(self.as_str(), "PUT" | "DELETE")
    }

    /// Whether servers expect content with it, so that its absence is said aloud
    /// (`Content-Length: 0`, RFC 9110 §8.6).
    pub(crate) fn expects_content(&self) -> bool {
        matches!(self.as_str(), "POST" | "PUT" | "PATCH")
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
