//! Status codes with their IANA names (RFC 9110 §15), and protocol versions. What a status means for
//! the body is not known here.

use std::fmt;

/// A response's status code, 100 to 999.
///
/// The classes are those of RFC 9110 §15; a code above 599 is in none of them.
///
/// ```
/// use longwire::StatusCode;
///
/// let code = StatusCode::NOT_FOUND;
/// assert_eq!(code.as_u16(), 404);
/// assert_eq!(code.canonical_reason(), Some("Not Found"));
/// assert!(code.is_client_error());
/// assert!(code == 404);
///
/// assert_eq!(StatusCode::try_from(404)?, code);
/// assert_eq!(u16::from(code), 404);
/// # Ok::<(), longwire::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusCode(u16);

impl StatusCode {
    /// Creates a status code from a number from 100 to 999; any other number gives `None`.
    #[must_use]
    pub const fn new(code: u16) -> Option<StatusCode> {
        if code >= 100 && code <= 999 { Some(StatusCode(code)) } else { None }
    }

    /// Returns the number.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// Returns whether the code is 1xx: the final response is still to come.
    #[must_use]
    pub const fn is_informational(self) -> bool {
        self.0 / 100 == 1
    }

    /// Returns whether the code is 2xx.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 / 100 == 2
    }

    /// Returns whether the code is 3xx.
    #[must_use]
    pub const fn is_redirection(self) -> bool {
        self.0 / 100 == 3
    }

    /// Returns whether the code is 4xx.
    #[must_use]
    pub const fn is_client_error(self) -> bool {
        self.0 / 100 == 4
    }

    /// Returns whether the code is 5xx.
    #[must_use]
    pub const fn is_server_error(self) -> bool {
        self.0 / 100 == 5
    }

    /// Those after which the same request may succeed a little later: Too Many Requests, Bad Gateway, Service
    /// Unavailable, Gateway Timeout.
    pub(crate) const TRANSIENT: &[u16] = &[429, 502, 503, 504];

    pub(crate) fn is_transient(self) -> bool {
        StatusCode::TRANSIENT.contains(&self.0)
    }
}

impl PartialEq<u16> for StatusCode {
    fn eq(&self, code: &u16) -> bool {
        self.0 == *code
    }
}

impl From<StatusCode> for u16 {
    fn from(code: StatusCode) -> u16 {
        code.0
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

macro_rules! names {
    ($($code:literal $constant:ident $name:literal)*) => {
        impl StatusCode {
            $(#[doc = concat!(stringify!($code), " ", $name)]
            pub const $constant: StatusCode = StatusCode($code);)*

            /// Returns the code's name in IANA's registry, or `None` if it has none there. What the
            /// server sent is [`Response::reason`](crate::Response::reason).
            #[must_use]
            pub const fn canonical_reason(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

names! {
    100 CONTINUE "Continue"
    101 SWITCHING_PROTOCOLS "Switching Protocols"
    102 PROCESSING "Processing"
    103 EARLY_HINTS "Early Hints"
    200 OK "OK"
    201 CREATED "Created"
    202 ACCEPTED "Accepted"
    203 NON_AUTHORITATIVE_INFORMATION "Non-Authoritative Information"
    204 NO_CONTENT "No Content"
    205 RESET_CONTENT "Reset Content"
    206 PARTIAL_CONTENT "Partial Content"
    207 MULTI_STATUS "Multi-Status"
    208 ALREADY_REPORTED "Already Reported"
    226 IM_USED "IM Used"
    300 MULTIPLE_CHOICES "Multiple Choices"
    301 MOVED_PERMANENTLY "Moved Permanently"
    302 FOUND "Found"
    303 SEE_OTHER "See Other"
    304 NOT_MODIFIED "Not Modified"
    305 USE_PROXY "Use Proxy"
    307 TEMPORARY_REDIRECT "Temporary Redirect"
    308 PERMANENT_REDIRECT "Permanent Redirect"
    400 BAD_REQUEST "Bad Request"
    401 UNAUTHORIZED "Unauthorized"
    402 PAYMENT_REQUIRED "Payment Required"
    403 FORBIDDEN "Forbidden"
    404 NOT_FOUND "Not Found"
    405 METHOD_NOT_ALLOWED "Method Not Allowed"
    406 NOT_ACCEPTABLE "Not Acceptable"
    407 PROXY_AUTHENTICATION_REQUIRED "Proxy Authentication Required"
    408 REQUEST_TIMEOUT "Request Timeout"
    409 CONFLICT "Conflict"
    410 GONE "Gone"
    411 LENGTH_REQUIRED "Length Required"
    412 PRECONDITION_FAILED "Precondition Failed"
    413 CONTENT_TOO_LARGE "Content Too Large"
    414 URI_TOO_LONG "URI Too Long"
    415 UNSUPPORTED_MEDIA_TYPE "Unsupported Media Type"
    416 RANGE_NOT_SATISFIABLE "Range Not Satisfiable"
    417 EXPECTATION_FAILED "Expectation Failed"
    421 MISDIRECTED_REQUEST "Misdirected Request"
    422 UNPROCESSABLE_CONTENT "Unprocessable Content"
    423 LOCKED "Locked"
    424 FAILED_DEPENDENCY "Failed Dependency"
    425 TOO_EARLY "Too Early"
    426 UPGRADE_REQUIRED "Upgrade Required"
    428 PRECONDITION_REQUIRED "Precondition Required"
    429 TOO_MANY_REQUESTS "Too Many Requests"
    431 REQUEST_HEADER_FIELDS_TOO_LARGE "Request Header Fields Too Large"
    451 UNAVAILABLE_FOR_LEGAL_REASONS "Unavailable For Legal Reasons"
    500 INTERNAL_SERVER_ERROR "Internal Server Error"
    501 NOT_IMPLEMENTED "Not Implemented"
    502 BAD_GATEWAY "Bad Gateway"
    503 SERVICE_UNAVAILABLE "Service Unavailable"
    504 GATEWAY_TIMEOUT "Gateway Timeout"
    505 HTTP_VERSION_NOT_SUPPORTED "HTTP Version Not Supported"
    506 VARIANT_ALSO_NEGOTIATES "Variant Also Negotiates"
    507 INSUFFICIENT_STORAGE "Insufficient Storage"
    508 LOOP_DETECTED "Loop Detected"
    511 NETWORK_AUTHENTICATION_REQUIRED "Network Authentication Required"
}

/// The protocol version of a response.
///
/// A minor version above 1 counts as HTTP/1.1 (RFC 9110 §2.5). So there can be no third one, and the
/// enum is not `#[non_exhaustive]`.
///
/// ```
/// assert_eq!(longwire::Version::Http11.to_string(), "HTTP/1.1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// HTTP/1.0: a connection is kept alive only if the server announces it.
    Http10,
    /// HTTP/1.1.
    Http11,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_code_has_three_digits() {
        assert_eq!(StatusCode::new(99), None);
        assert_eq!(StatusCode::new(1000), None);
        assert_eq!(StatusCode::new(100), Some(StatusCode::CONTINUE));
        assert_eq!(StatusCode::new(999).map(StatusCode::as_u16), Some(999));
    }

    #[test]
    fn a_code_without_a_name_still_has_a_class() {
        let code = StatusCode::new(299).unwrap();
        assert!(code.is_success());
        assert_eq!(code.canonical_reason(), None);
    }
}
