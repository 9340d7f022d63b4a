//! Tokens (RFC 9110 §5.6.2): what names a field or a method, and the errors for what is not one.
//!
//! The checked conversions into [`Method`] and [`StatusCode`] are here, and not in their own files,
//! because `error` uses both of them and so neither may use `error`: imports have no cycle.

use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::method::Method;
use crate::redact::excerpt;
use crate::status::StatusCode;

/// Returns whether `bytes` is a token (RFC 9110 §5.6.2).
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(is_tchar)
}

pub(crate) fn is_tchar(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

/// Says why `name` is not a field name. It is shown only up to its first invalid byte: in
/// `Authorization: Bearer ...`, given as a name by mistake, the rest is a secret.
pub(crate) fn field_name_error(name: &[u8]) -> String {
    match name.iter().position(|byte| !is_tchar(byte)) {
        Some(at) => {
            let (valid, invalid) = (excerpt(&name[..at]), name[at].escape_ascii());
            format!("header name \"{valid}\" is followed by '{invalid}', which no field name may have")
        }
        None => "a header name is empty".to_owned(),
    }
}

impl Method {
    /// Creates a method from its name, which may be any token (RFC 9110 §9.1).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if `name` is empty or has a byte that a token may not have.
    ///
    /// ```
    /// use longwire::Method;
    ///
    /// assert_eq!(Method::new("PURGE")?, "PURGE");
    /// assert!(Method::new("GET /").is_err());
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn new(name: &str) -> Result<Method> {
        match is_token(name.as_bytes()) {
            true => Ok(Method::from_token(name)),
            false => Err(Error::new(ErrorKind::InvalidRequest, format!("method {name:?} is not a token"))),
        }
    }
}

impl FromStr for Method {
    type Err = Error;

    /// Does what [`Method::new`] does.
    fn from_str(name: &str) -> Result<Method> {
        Method::new(name)
    }
}

impl TryFrom<&str> for Method {
    type Error = Error;

    /// Does what [`Method::new`] does.
    fn try_from(name: &str) -> Result<Method> {
        Method::new(name)
    }
}

impl TryFrom<u16> for StatusCode {
    type Error = Error;

    /// Does what [`StatusCode::new`] does, with an error of [`ErrorKind::InvalidRequest`] for a number
    /// below 100 or above 999.
    fn try_from(code: u16) -> Result<StatusCode> {
        StatusCode::new(code)
            .ok_or_else(|| Error::new(ErrorKind::InvalidRequest, format!("status code {code} is not in 100..=999")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_name_is_the_constant() {
        for known in [Method::GET, Method::HEAD, Method::POST, Method::TRACE, Method::CONNECT] {
            assert_eq!(Method::new(known.as_str()).unwrap(), known);
            assert_eq!(Method::try_from(known.as_str()).unwrap(), known);
        }
        assert_ne!(Method::new("get").unwrap(), Method::GET);
    }

    #[test]
    fn a_name_that_is_not_a_token_is_not_a_method() {
        for name in ["", "A B", "A\r\n", "G\u{c9}T", "A:"] {
            assert_eq!(Method::new(name).unwrap_err().kind(), ErrorKind::InvalidRequest, "{name:?}");
            assert_eq!(Method::try_from(name).unwrap_err().kind(), ErrorKind::InvalidRequest, "{name:?}");
        }
    }

    #[test]
    fn a_status_code_is_made_from_a_number_of_three_digits() {
        assert_eq!(StatusCode::try_from(404).unwrap(), StatusCode::NOT_FOUND);
        for number in [0, 99, 1000, u16::MAX] {
            let error = StatusCode::try_from(number).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert_eq!(error.to_string(), format!("status code {number} is not in 100..=999"));
        }
    }
}
