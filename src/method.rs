//! Request methods (RFC 9110 §9): the registered ones and any other token.

use std::fmt;

/// A request method. Methods are case-sensitive: `get` is not `GET`.
///
/// ```
/// use longwire::Method;
///
/// assert!(Method::PUT.is_idempotent());
/// assert!(!Method::POST.is_idempotent());
///
/// let purge = Method::new("PURGE")?;
/// assert!(purge == "PURGE" && purge != Method::PUT);
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

/// The methods with a constant.
const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

impl Method {
    /// Transfers a representation of the resource (RFC 9110 §9.3.1).
    pub const GET: Method = Method(Name::Known("GET"));
    /// Does what GET does, without the content (§9.3.2).
    pub const HEAD: Method = Method(Name::Known("HEAD"));
    /// Has the resource process the content (§9.3.3).
    pub const POST: Method = Method(Name::Known("POST"));
    /// Replaces the representation by the content (§9.3.4).
    pub const PUT: Method = Method(Name::Known("PUT"));
    /// Changes a part of the resource (RFC 5789).
    pub const PATCH: Method = Method(Name::Known("PATCH"));
    /// Removes the resource (RFC 9110 §9.3.5).
    pub const DELETE: Method = Method(Name::Known("DELETE"));
    /// Asks for the communication options (§9.3.7).
    pub const OPTIONS: Method = Method(Name::Known("OPTIONS"));
    /// Has the request looped back (§9.3.8).
    pub const TRACE: Method = Method(Name::Known("TRACE"));
    /// Opens a tunnel through a proxy (§9.3.6). The client sends it itself; a request with it is rejected.
    pub const CONNECT: Method = Method(Name::Known("CONNECT"));

    /// The method with that name, which must be a token.
    pub(crate) fn from_token(name: &str) -> Method {
        match KNOWN.iter().find(|known| **known == name) {
            Some(known) => Method(Name::Known(known)),
            None => Method(Name::Other(name.into())),
        }
    }

    /// Returns the method's name, as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Known(name) => name,
            Name::Other(name) => name,
        }
    }

    /// Returns whether the method is safe: it asks for no change on the server (RFC 9110 §9.2.1).
    #[must_use]
    pub fn is_safe(&self) -> bool {
        matches!(self.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE")
    }

    /// Returns whether the method is idempotent: sending a request twice has the same intended effect
    /// as sending it once (RFC 9110 §9.2.2), so a request whose response was lost may be sent again.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.is_safe() || matches!(self.as_str(), "PUT" | "DELETE")
    }

    /// Returns whether servers expect content with the method, so that a request without any carries
    /// `Content-Length: 0` (RFC 9110 §8.6).
    pub(crate) fn expects_content(&self) -> bool {
        matches!(self.as_str(), "POST" | "PUT" | "PATCH")
    }
}

impl AsRef<str> for Method {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for Method {
    fn eq(&self, name: &str) -> bool {
        self.as_str() == name
    }
}

impl PartialEq<&str> for Method {
    fn eq(&self, name: &&str) -> bool {
        self.as_str() == *name
    }
}

impl PartialEq<Method> for str {
    fn eq(&self, method: &Method) -> bool {
        self == method.as_str()
    }
}

impl PartialEq<Method> for &str {
    fn eq(&self, method: &Method) -> bool {
        *self == method.as_str()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_compares_with_its_name_from_both_sides() {
        let get = Method::GET;
        assert_eq!([get == "GET", "GET" == get, get == *"GET", *"GET" == get], [true; 4]);
        assert_eq!([get == "get", "get" == get, get == *"get", *"get" == get], [false; 4]);
        assert_eq!(AsRef::<str>::as_ref(&Method::from_token("PURGE")), "PURGE");
    }
}
