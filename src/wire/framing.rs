//! Framing: where a response's body ends, and whether the connection persists (RFC 9112 §6, §9).
//!
//! Two pure functions in the order of the RFC's rules: [`of_response`] is why a body is read as it is,
//! [`reuse`] why a connection is closed after it. How a body is decoded is not known here.

use std::borrow::Cow;

use crate::error::{Error, ErrorKind, Result};
use crate::headers::{TrimOws, list_members};
use crate::method::Method;
use crate::redact::excerpt;
use crate::reuse::{CloseReason, KeepAlive, Reuse};
use crate::status::{StatusCode, Version};
use crate::wire::response_head::{Head, Occurrence};

/// Where a response's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no body.
    Empty,
    /// After this number of bytes.
    Length(u64),
    /// At the last chunk.
    Chunked,
    /// Where the connection ends, which must not be before `at_least` bytes.
    UntilClose { at_least: u64 },
}

/// Returns how a response's body is framed: RFC 9112 §6.3, rule by rule.
#[inline(always)]
pub(crate) fn of_response(method: &Method, head: &Head) -> Result<Framing> {
    // 1. Responses to HEAD, and 1xx, 204 and 304, have no body, regardless of their fields.
    let is_bodiless = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if *method == Method::HEAD || is_bodiless || head.status.is_informational() {
        return Ok(Framing::Empty);
    }
    // 2. Nor has a 2xx to CONNECT: the tunnel follows.
    if *method == Method::CONNECT && head.status.is_success() {
        return Ok(Framing::Empty);
    }
    // 3. and 4. Transfer-Encoding overrides Content-Length; only `chunked`, alone, can be decoded.
    // `identity` (RFC 2616 §3.6) is not a coding: that body ends with the connection, and a
    // Content-Length with it is the least that must arrive.
    if head.framing_fields.transfer_encoding != Occurrence::None {
        return match transfer_coding(head)? {
            TransferCoding::Chunked => Ok(Framing::Chunked),
            TransferCoding::Identity => Ok(Framing::UntilClose { at_least: content_length(head)?.unwrap_or(0) }),
        };
    }
    // 5. and 6. Content-Length, if it is one number.
    if let Some(length) = content_length(head)? {
        return Ok(Framing::Length(length));
    }
    // 8. Otherwise the body ends with the connection. (7. is about requests.)
    Ok(Framing::UntilClose { at_least: 0 })
}

/// Returns the length that the head advertises: the body's, if it is known in advance; for HEAD, that
/// of the response to GET (RFC 9110 §8.6).
#[inline]
pub(crate) fn advertised_length(method: &Method, head: &Head, framing: Framing) -> Option<u64> {
    match framing {
        Framing::Empty if *method == Method::HEAD => content_length(head).ok().flatten(),
        Framing::Empty => Some(0),
        Framing::Length(length) => Some(length),
        Framing::Chunked | Framing::UntilClose { .. } => None,
    }
}

/// Returns whether the connection persists after this exchange, and if not, why: RFC 9112 §9.3.
#[inline]
pub(crate) fn reuse(head: &Head, framing: Framing, request_closes: bool) -> Reuse {
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Reuse::Close(CloseReason::Upgraded);
    }
    let connection = Connection::of(head);
    if connection.close {
        return Reuse::Close(CloseReason::ServerClose);
    }
    if request_closes {
        return Reuse::Close(CloseReason::ClientClose);
    }
    if head.version == Version::Http10 && !connection.keep_alive {
        return Reuse::Close(CloseReason::Http10);
    }
    if matches!(framing, Framing::UntilClose { .. }) {
        return Reuse::Close(CloseReason::UntilClose);
    }
    if head.claims_http2 {
        return Reuse::Close(CloseReason::VersionInDoubt);
    }
    if is_ambiguous(head, framing) {
        return Reuse::Close(CloseReason::BadFraming);
    }
    let keep_alive = KeepAlive { unproven: framing == Framing::Empty, ..keep_alive(head) };
    if keep_alive.timeout_secs == Some(0) || keep_alive.requests_left == Some(0) {
        return Reuse::Close(CloseReason::KeepAliveHint);
    }
    Reuse::Keep(keep_alive)
}

/// Returns whether the fields contradict each other, or the status. Then the server and a proxy before
/// it may disagree on where this response ends, so that the next bytes could be anything
/// (RFC 9112 §6.1, §11.2).
fn is_ambiguous(head: &Head, framing: Framing) -> bool {
    let coded = head.framing_fields.transfer_encoding != Occurrence::None;
    match framing {
        // HTTP/1.0 has no chunked coding: a proxy before the server may not know it (§6.1).
        Framing::Chunked => head.framing_fields.content_length != Occurrence::None || head.version == Version::Http10,
        Framing::Empty if head.status == StatusCode::NO_CONTENT => {
            coded || !matches!(content_length(head), Ok(None | Some(0)))
        }
        Framing::Empty if head.status == StatusCode::NOT_MODIFIED => coded,
        _ => false,
    }
}

fn invalid(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Framing, what)
}

/// A transfer coding that can be decoded.
enum TransferCoding {
    Chunked,
    Identity,
}

/// Returns the transfer coding (RFC 9112 §6.1): `chunked` once, or nothing but `identity`. Any other
/// could not be decoded.
fn transfer_coding(head: &Head) -> Result<TransferCoding> {
    let (mut chunked, mut identity) = (0, 0);
    let mut other = None;
    head.each_value(head.framing_fields.transfer_encoding, "transfer-encoding", |value| {
        for coding in list_members(value) {
            match coding {
                coding if coding.eq_ignore_ascii_case(b"chunked") => chunked += 1,
                coding if coding.eq_ignore_ascii_case(b"identity") => identity += 1,
                coding => other = Some(format!("Transfer-Encoding: \"{}\" is not chunked", excerpt(coding))),
            }
        }
    });
    match (other, chunked, identity) {
        (Some(other), ..) => Err(invalid(other)),
        (None, 1, 0) => Ok(TransferCoding::Chunked),
        (None, 0, 1..) => Ok(TransferCoding::Identity),
        (None, 0, 0) => Err(invalid("Transfer-Encoding is empty")),
        (None, _, 0) => Err(invalid("Transfer-Encoding: chunked twice")),
        (None, ..) => Err(invalid("Transfer-Encoding: identity together with chunked")),
    }
}

/// Returns the Content-Length: one number in digits; equal repetitions count once (RFC 9110 §8.6).
fn content_length(head: &Head) -> Result<Option<u64>> {
    let mut length = Ok(None);
    head.each_value(head.framing_fields.content_length, "content-length", |value| {
        if let (Ok(None), Some(number)) = (&length, decimal(value)) {
            length = Ok(Some(number)); // one number, as nearly always, and not a list
            return;
        }
        for part in value.split(|byte| *byte == b',') {
            length = match (&length, decimal(part.trim_ows())) {
                (Err(_), _) => return,
                (_, None) => Err(invalid(format!("Content-Length: \"{}\" is not a length", excerpt(value)))),
                (Ok(Some(before)), Some(number)) if *before != number => {
                    Err(invalid("Content-Length: two different lengths"))
                }
                (Ok(_), Some(number)) => Ok(Some(number)),
            };
        }
    });
    length
}

/// Returns the value of decimal digits below 2^64; `None` if there is any other byte, or none at all.
#[inline]
pub(crate) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| match byte {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

/// Returns the value of decimal digits, `u64::MAX` for all that are above; `None` if there is any other byte, or
/// none at all.
pub(crate) fn saturating_decimal(digits: &[u8]) -> Option<u64> {
    let are_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    are_digits.then(|| decimal(digits).unwrap_or(u64::MAX))
}

/// The options of the Connection field that decide on persistence (RFC 9110 §7.6.1).
struct Connection {
    close: bool,
    keep_alive: bool,
}

impl Connection {
    fn of(head: &Head) -> Connection {
        let mut connection = Connection { close: false, keep_alive: false };
        head.each_value(head.framing_fields.connection, "connection", |value| {
            for option in list_members(value) {
                connection.close |= option.eq_ignore_ascii_case(b"close");
                connection.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        });
        connection
    }
}

/// Returns the parameters of the server's Keep-Alive field. They are hints, so invalid ones are ignored.
fn keep_alive(head: &Head) -> KeepAlive {
    let mut hint = KeepAlive::default();
    head.each_value(head.framing_fields.keep_alive, "keep-alive", |value| {
        for parameter in list_members(value) {
            let Some(equals) = parameter.iter().position(|byte| *byte == b'=') else { continue };
            let (name, value) = (parameter[..equals].trim_ows(), parameter[equals + 1..].trim_ows());
            if name.eq_ignore_ascii_case(b"timeout") {
                hint.timeout_secs = decimal(value).or(hint.timeout_secs);
            } else if name.eq_ignore_ascii_case(b"max") {
                hint.requests_left = decimal(value).or(hint.requests_left);
            }
        }
    });
    hint
}

/// Returns the smaller of a body's length, which may be over what this machine can address, and the
/// length of a slice.
pub(crate) fn at_most(length: u64, slice: usize) -> usize {
    usize::try_from(length).map_or(slice, |length| length.min(slice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::head_lines::InvalidLines;
    use crate::wire::response_head::{HeadLimits, HeadParser};

    fn head(text: &str) -> Head {
        let bytes = text.replace('\n', "\r\n");
        let limits = HeadLimits { bytes_max: 4096, fields_max: 32 };
        HeadParser::new(limits, InvalidLines::Reject).parse(bytes.as_bytes()).unwrap().unwrap()
    }

    fn frame(method: &Method, text: &str) -> Result<Framing, ErrorKind> {
        of_response(method, &head(text)).map_err(|error| error.kind())
    }

    #[test]
    fn the_rules_come_in_the_order_of_the_rfc() {
        let bad = Err(ErrorKind::Framing);
        let until_close = |at_least| Framing::UntilClose { at_least };
        let cases = [
            (Method::HEAD, "HTTP/1.1 200 OK\nTransfer-Encoding: x\n\n", Ok(Framing::Empty)),
            (Method::GET, "HTTP/1.1 204 No\nContent-Length: 5\n\n", Ok(Framing::Empty)),
            (Method::GET, "HTTP/1.1 304 No\nContent-Length: 5\n\n", Ok(Framing::Empty)),
            (Method::CONNECT, "HTTP/1.1 200 OK\nContent-Length: 5\n\n", Ok(Framing::Empty)),
            (Method::CONNECT, "HTTP/1.1 407 No\nContent-Length: 5\n\n", Ok(Framing::Length(5))),
            (Method::GET, "HTTP/1.1 200 OK\nTransfer-Encoding: Chunked\n\n", Ok(Framing::Chunked)),
            (Method::GET, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nContent-Length: x\n\n", Ok(Framing::Chunked)),
            (Method::GET, "HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n\n", bad),
            (Method::GET, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked, chunked\n\n", bad),
            (Method::GET, "HTTP/1.1 200 OK\nTransfer-Encoding:\n\n", bad),
            (Method::GET, "HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n", Ok(Framing::Chunked)),
            (Method::GET, "HTTP/1.1 200 OK\nTransfer-Encoding: Identity\n\n", Ok(until_close(0))),
            (Method::GET, "HTTP/1.1 200 OK\nTransfer-Encoding: identity, identity\n\n", Ok(until_close(0))),
            (Method::GET, "HTTP/1.1 200 OK\nTransfer-Encoding: identity\nContent-Length: 5\n\n", Ok(until_close(5))),
            (Method::GET, "HTTP/1.1 200 OK\nTransfer-Encoding: identity\nContent-Length: x\n\n", bad),
            (Method::GET, "HTTP/1.1 200 OK\nTransfer-Encoding: identity, chunked\n\n", bad),
            (Method::GET, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTransfer-Encoding: identity\n\n", bad),
            (Method::GET, "HTTP/1.1 200 OK\nContent-Length: 5, 5\nContent-Length: 05\n\n", Ok(Framing::Length(5))),
            (Method::GET, "HTTP/1.1 200 OK\nContent-Length: 5, 6\n\n", bad),
            (Method::GET, "HTTP/1.1 200 OK\nContent-Length: 5,\n\n", bad),
            (Method::GET, "HTTP/1.1 200 OK\nContent-Length: +5\n\n", bad),
            (Method::GET, "HTTP/1.1 200 OK\nContent-Length:\n\n", bad),
            (Method::GET, "HTTP/1.1 200 OK\nContent-Length: 18446744073709551615\n\n", Ok(Framing::Length(u64::MAX))),
            (Method::GET, "HTTP/1.1 200 OK\nContent-Length: 18446744073709551616\n\n", bad),
            (Method::GET, "HTTP/1.1 200 OK\n\n", Ok(until_close(0))),
        ];
        for (method, text, want) in cases {
            assert_eq!(frame(&method, text), want, "{method} {text}");
        }
    }

    #[test]
    fn the_error_names_the_framing_field_and_what_is_wrong_with_it() {
        let cases = [
            ("HTTP/1.1 200 OK\nTransfer-Encoding: ,\n\n", "Transfer-Encoding is empty"),
            ("HTTP/1.1 200 OK\nTransfer-Encoding: chunked, chunked\n\n", "Transfer-Encoding: chunked twice"),
            ("HTTP/1.1 200 OK\nTransfer-Encoding: gzip\n\n", "Transfer-Encoding: \"gzip\" is not chunked"),
            (
                "HTTP/1.1 200 OK\nTransfer-Encoding: identity\nTransfer-Encoding: chunked\n\n",
                "Transfer-Encoding: identity together with chunked",
            ),
            ("HTTP/1.1 200 OK\nContent-Length: 5 5\n\n", "Content-Length: \"5 5\" is not a length"),
            ("HTTP/1.1 200 OK\nContent-Length: 5, 6\n\n", "Content-Length: two different lengths"),
        ];
        for (text, message) in cases {
            assert_eq!(of_response(&Method::GET, &head(text)).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn the_advertised_length_is_the_bodys_or_that_of_a_response_to_get() {
        let advertised = |method: Method, text: &str| {
            let head = head(text);
            advertised_length(&method, &head, of_response(&method, &head).unwrap())
        };
        assert_eq!(advertised(Method::GET, "HTTP/1.1 200 OK\nContent-Length: 5\n\n"), Some(5));
        assert_eq!(advertised(Method::GET, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n"), None);
        assert_eq!(advertised(Method::GET, "HTTP/1.1 200 OK\n\n"), None);
        assert_eq!(advertised(Method::GET, "HTTP/1.1 304 No\nContent-Length: 5\n\n"), Some(0));
        assert_eq!(advertised(Method::HEAD, "HTTP/1.1 200 OK\nContent-Length: 5\n\n"), Some(5));
        assert_eq!(advertised(Method::HEAD, "HTTP/1.1 200 OK\nContent-Length: x\n\n"), None);
        assert_eq!(advertised(Method::HEAD, "HTTP/1.1 200 OK\n\n"), None);
    }

    #[test]
    fn the_reason_for_a_close_is_known() {
        let close = |text: &str, framing| match reuse(&head(text), framing, false) {
            Reuse::Keep(_) => None,
            Reuse::Close(reason) => Some(reason),
        };
        let length = Framing::Length(0);
        let cases = [
            ("HTTP/1.1 200 OK\n\n", length, None),
            ("HTTP/1.1 200 OK\n\n", Framing::UntilClose { at_least: 0 }, Some(CloseReason::UntilClose)),
            ("HTTP/2.0 200 OK\n\n", length, Some(CloseReason::VersionInDoubt)),
            ("HTTP/2 200 OK\nConnection: close\n\n", length, Some(CloseReason::ServerClose)),
            ("HTTP/1.0 200 OK\nConnection: keep-alive\n\n", Framing::Chunked, Some(CloseReason::BadFraming)),
            ("HTTP/1.1 200 OK\nConnection: x\nConnection: y, CLOSE\n\n", length, Some(CloseReason::ServerClose)),
            ("HTTP/1.1 200 OK\nConnection: closed\n\n", length, None),
            ("HTTP/1.0 200 OK\n\n", length, Some(CloseReason::Http10)),
            ("HTTP/1.0 200 OK\nConnection: Keep-Alive\n\n", length, None),
            ("HTTP/1.1 200 OK\nContent-Length: 1\n\n", Framing::Chunked, Some(CloseReason::BadFraming)),
            ("HTTP/1.1 204 No\nContent-Length: 1\n\n", Framing::Empty, Some(CloseReason::BadFraming)),
            ("HTTP/1.1 204 No\nContent-Length: 0\n\n", Framing::Empty, None),
            ("HTTP/1.1 304 No\nContent-Length: 9\n\n", Framing::Empty, None),
            ("HTTP/1.1 304 No\nTransfer-Encoding: chunked\n\n", Framing::Empty, Some(CloseReason::BadFraming)),
            ("HTTP/1.1 200 OK\nKeep-Alive: timeout=0\n\n", length, Some(CloseReason::KeepAliveHint)),
            ("HTTP/1.1 200 OK\nKeep-Alive: timeout=5, max=0\n\n", length, Some(CloseReason::KeepAliveHint)),
            ("HTTP/1.1 101 Up\nUpgrade: x\n\n", Framing::Empty, Some(CloseReason::Upgraded)),
        ];
        for (text, framing, want) in cases {
            assert_eq!(close(text, framing), want, "{text}");
        }
        assert_eq!(reuse(&head("HTTP/1.1 200 OK\n\n"), length, true), Reuse::Close(CloseReason::ClientClose));
    }

    #[test]
    fn invalid_keep_alive_parameters_are_ignored() {
        let text = "HTTP/1.1 200 OK\nKeep-Alive: TIMEOUT = 5 , x, y=z, max=+1\nKeep-Alive: max=7\n\n";
        assert_eq!(
            keep_alive(&head(text)),
            KeepAlive { timeout_secs: Some(5), requests_left: Some(7), unproven: false }
        );
    }
}
