//! Tokens (RFC 9110 §5.6.2): what may name a field or a method, and the words for what may not.

use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::method::Method;
use crate::redact::excerpt;

/// Whether `bytes` is a token (RFC 9110 §5.6.2).
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(is_tchar)
}

pub(crate) fn is_tchar(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

/// Why that is no field name. It is shown only up to its first bad byte: whoever wrote
/// `Authorization: Bearer ...` for a name wrote a secret.
pub(crate) fn field_name_error(name: &[u8]) -> String {
    match name.iter().position(|byte| !is_tchar(byte)) {
        Some(at) => {
            let (good, bad) = (excerpt(&name[..at]), name[at].escape_ascii());
            format!("header name \"{good}\" goes on with '{bad}', which no name may have")
        }
        None => "a header has no name".to_owned(),
    }
}

impl Method {
    /// Any token (RFC 9110 §9.1).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if it is empty or has a byte that a token may not have.
    pub fn new(name: &str) -> Result<Method> {
        match is_token(name.as_bytes()) {
            true => Ok(Method::from_token(name)),
            false => Err(Error::new(ErrorKind::InvalidRequest, format!("method {name:?} is not a token"))),
        }
    }
}

impl FromStr for Method {
    type Err = Error;

    fn from_str(name: &str) -> Result<Method> {
        Method::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_name_is_the_constant() {
        for known in [Method::GET, Method::HEAD, Method::POST, Method::TRACE, Method::CONNECT] {
            assert_eq!(Method::new(known.as_str()).unwrap(), known);
        }
        assert_ne!(Method::new("get").unwrap(), Method::GET);
    }

    #[test]
    fn what_is_no_token_is_no_method() {
        for name in ["", "A B", "A\r\n", "G\u{c9}T", "A:"] {
            assert_eq!(Method::new(name).unwrap_err().kind(), ErrorKind::InvalidRequest, "{name:?}");
        }
    }
}
