//! Conversions from and to the types of the `http` crate, for programs and libraries that use those: the
//! feature `http`.
//!
//! What gets lost on the way is listed at each conversion.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};

use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::headers::Headers;
use crate::message::body::Body;
use crate::message::request::Request;
use crate::message::response::Response;
use crate::message::send_body::SendBody;
use crate::method::Method;
use crate::redact::excerpt;
use crate::status::{StatusCode, Version};

impl Client {
    /// Sends a request of the `http` crate and collects the response: [`send`](Client::send),
    /// [`bytes`](Response::bytes) and the conversions, with what these lose. As a closure it is the HTTP
    /// client that libraries ask for which leave the sending to their caller:
    ///
    /// ```no_run
    /// let client = longwire::Client::new();
    /// // For the `oauth2` crate, version 5: `.request(&http_client)`.
    /// let http_client = |request: http::Request<Vec<u8>>| client.send_http(request);
    ///
    /// let request = http::Request::get("http://example.com/").body(Vec::new())?;
    /// let response: http::Response<Vec<u8>> = http_client(request)?;
    /// println!("{}: {} bytes", response.status(), response.body().len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The client's settings apply. A library that sends secrets may ask that redirects are not followed:
    /// [`max_redirects(0)`](crate::ClientBuilder::max_redirects).
    ///
    /// # Errors
    /// As [`send`](Client::send), [`bytes`](Response::bytes) and the conversions.
    #[cfg_attr(docsrs, doc(cfg(feature = "http")))]
    pub fn send_http<'b, B: Into<SendBody<'b>>>(&self, request: http::Request<B>) -> Result<http::Response<Vec<u8>>> {
        let response = http::Response::try_from(self.send(request.try_into()?)?)?;
        let (head, body) = response.into_parts();
        Ok(http::Response::from_parts(head, body.bytes()?))
    }
}

/// Takes method, URI, fields and body. The URI must be absolute (`http://host/path`). Empty bytes and an
/// empty text are no body.
///
/// The version is not taken, since all requests are HTTP/1.1; nor are the extensions, nor the mark of a
/// sensitive value: what is a secret is known by the field's name (see [`Event`](crate::Event)).
///
/// # Errors
/// [`ErrorKind::InvalidUrl`] and [`ErrorKind::UnsupportedScheme`] for the URI, and
/// [`ErrorKind::InvalidRequest`] as from [`RequestBuilder::header`](crate::RequestBuilder::header).
///
/// ```
/// use longwire::Request;
///
/// let foreign = http::Request::post("http://example.com/items").header("X-Id", "7").body("lamp")?;
/// let request = Request::try_from(foreign)?;
/// assert_eq!(request.method(), "POST");
/// assert_eq!(request.headers().get("x-id"), Some("7"));
/// assert_eq!(request.body().len(), Some(4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl<'b, B: Into<SendBody<'b>>> TryFrom<http::Request<B>> for Request<'b> {
    type Error = Error;

    fn try_from(foreign: http::Request<B>) -> Result<Request<'b>> {
        let (head, body) = foreign.into_parts();
        if head.uri.scheme().is_none() {
            let shown = [head.uri.host().unwrap_or_default(), head.uri.path()].concat();
            let what = format!("the URI \"{}\" is not absolute: it has no scheme", excerpt(shown.as_bytes()));
            return Err(Error::new(ErrorKind::InvalidUrl, what));
        }
        let mut request = Request::new(head.method.into(), head.uri.to_string())?;
        for (name, value) in &head.headers {
            let added = request.add_header(name, value);
            added.map_err(|error| error.with_request(request.method(), request.url()))?;
        }
        let body = body.into();
        // For the http crate nothing is no body, and a GET announces none.
        if body.small_bytes() != Some(&[]) {
            request.set_body(body);
        }
        Ok(request)
    }
}

/// Takes status, version, fields and body. The URL, the reason phrase, the timings and what else a
/// [`Response`] has are left behind, but for what errors of the body say. Where a content coding is undone
/// ([`Body::coding`]), so are `Content-Encoding` and `Content-Length`, which are not those of what is read.
///
/// # Errors
/// As for `HeaderMap`: see there.
///
/// ```no_run
/// let response = longwire::get("http://example.com/")?;
/// let foreign: http::Response<longwire::Body> = response.try_into()?;
/// let text = foreign.into_body().text()?;
/// # Ok::<(), longwire::Error>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl TryFrom<Response> for http::Response<Body> {
    type Error = Error;

    fn try_from(response: Response) -> Result<http::Response<Body>> {
        let mut headers = header_map(response.headers()).map_err(|what| response.error(ErrorKind::Head, what))?;
        if response.body().coding().is_some() {
            headers.remove(CONTENT_ENCODING);
            headers.remove(CONTENT_LENGTH);
        }
        let (head, body) = response.into_parts();
        let mut foreign = http::Response::new(body);
        *foreign.status_mut() = head.status().into();
        *foreign.version_mut() = head.version().into();
        *foreign.headers_mut() = headers;
        Ok(foreign)
    }
}

/// Takes the fields with all their values. Lost are the spelling of names, which become lower-case, and the
/// order of fields with different names.
///
/// # Errors
/// [`ErrorKind::Head`] for what a `HeaderMap` cannot hold: values with control characters, which some
/// servers send and longwire keeps, names of 64 KiB, more than 24,576 names.
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl TryFrom<&Headers> for HeaderMap {
    type Error = Error;

    fn try_from(headers: &Headers) -> Result<HeaderMap> {
        header_map(headers).map_err(|what| Error::new(ErrorKind::Head, what))
    }
}

/// As from a reference.
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl TryFrom<Headers> for HeaderMap {
    type Error = Error;

    fn try_from(headers: Headers) -> Result<HeaderMap> {
        (&headers).try_into()
    }
}

fn header_map(headers: &Headers) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let shown = excerpt(name.as_bytes());
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("header {shown}: its name is too long"))?;
        let value = HeaderValue::from_bytes(value)
            .map_err(|_| format!("header {shown}: its value has control characters, which the http crate refuses"))?;
        map.try_append(name, value).map_err(|_| format!("header {shown}: there are too many for the http crate"))?;
    }
    Ok(map)
}

/// Takes all fields, name by name.
///
/// The values keep their bytes, without spaces and tabs around them; the mark of a sensitive value is lost.
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl From<&HeaderMap> for Headers {
    fn from(map: &HeaderMap) -> Headers {
        map.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
    }
}

/// As from a reference.
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl From<HeaderMap> for Headers {
    fn from(map: HeaderMap) -> Headers {
        (&map).into()
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl From<http::Method> for Method {
    fn from(method: http::Method) -> Method {
        Method::from_token(method.as_str())
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl From<Method> for http::Method {
    fn from(method: Method) -> http::Method {
        http::Method::from_bytes(method.as_str().as_bytes()).expect("it is a token, as the http crate wants it")
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl From<http::StatusCode> for StatusCode {
    fn from(status: http::StatusCode) -> StatusCode {
        StatusCode::new(status.as_u16()).expect("both have the codes from 100 to 999")
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl From<StatusCode> for http::StatusCode {
    fn from(status: StatusCode) -> http::StatusCode {
        http::StatusCode::from_u16(status.as_u16()).expect("both have the codes from 100 to 999")
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl From<Version> for http::Version {
    fn from(version: Version) -> http::Version {
        match version {
            Version::Http10 => http::Version::HTTP_10,
            Version::Http11 => http::Version::HTTP_11,
        }
    }
}

/// Takes HTTP/1.0 and HTTP/1.1.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] for all others.
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl TryFrom<http::Version> for Version {
    type Error = Error;

    fn try_from(version: http::Version) -> Result<Version> {
        match version {
            http::Version::HTTP_10 => Ok(Version::Http10),
            http::Version::HTTP_11 => Ok(Version::Http11),
            other => Err(Error::new(ErrorKind::InvalidRequest, format!("{other:?} is neither HTTP/1.0 nor HTTP/1.1"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_a_token_in_both_crates() {
        for byte in 0..=u8::MAX {
            let name = ["A", &char::from(byte).to_string(), "Z"].concat();
            let (ours, theirs) = (Method::new(&name), http::Method::from_bytes(name.as_bytes()));
            assert_eq!(ours.is_ok(), theirs.is_ok(), "{name:?}");
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
                assert_eq!(http::Method::from(ours.clone()), theirs);
                assert_eq!(Method::from(theirs), ours);
            }
        }
        let long = "A".repeat(100_000);
        assert_eq!(http::Method::from(Method::from_token(&long)).as_str(), long);
        assert_eq!(Method::from(http::Method::PATCH), Method::PATCH);
    }

    #[test]
    fn a_status_code_is_the_same_number_in_both_crates() {
        for number in 0..=u16::MAX {
            let (ours, theirs) = (StatusCode::new(number), http::StatusCode::from_u16(number).ok());
            assert_eq!(ours.map(http::StatusCode::from), theirs);
            assert_eq!(theirs.map(StatusCode::from), ours);
        }
    }

    #[test]
    fn only_http_1_is_a_version_in_both_crates() {
        for version in [Version::Http10, Version::Http11] {
            assert_eq!(Version::try_from(http::Version::from(version)).ok(), Some(version));
        }
        for version in [http::Version::HTTP_09, http::Version::HTTP_2, http::Version::HTTP_3] {
            let error = Version::try_from(version).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        }
        let error = Version::try_from(http::Version::HTTP_2).unwrap_err();
        assert_eq!(error.to_string(), "HTTP/2.0 is neither HTTP/1.0 nor HTTP/1.1");
    }

    #[test]
    fn a_field_value_has_the_same_bytes_in_both_crates() {
        for byte in 0..=u8::MAX {
            let value = [b'a', byte, b'z'];
            let mut headers = Headers::new();
            let appended = headers.append("X", value);
            assert_eq!(appended.is_ok(), HeaderValue::from_bytes(&value).is_ok(), "{byte:02x}");
            if appended.is_ok() {
                let map = HeaderMap::try_from(&headers).unwrap();
                assert_eq!(map["x"].as_bytes(), value);
                assert_eq!(Headers::from(map), headers);
            }
        }
    }

    #[test]
    fn a_header_map_keeps_repetitions_and_loses_spelling_and_order_between_names() {
        let fields = [("B", "1"), ("A", "2"), ("b", "3"), ("A", "\u{e4}")];
        let headers: Headers = fields.into_iter().collect();
        let map = HeaderMap::try_from(headers.clone()).unwrap();
        assert_eq!(map.get_all("b").iter().map(HeaderValue::as_bytes).collect::<Vec<_>>(), [b"1", b"3"]);
        let back = Headers::from(&map);
        assert_eq!(back.len(), 4);
        for name in ["a", "b"] {
            assert_eq!(back.get_all(name).collect::<Vec<_>>(), headers.get_all(name).collect::<Vec<_>>());
        }
        assert!(back.iter().all(|(name, _)| name == "a" || name == "b"), "{back:?}");
    }

    #[test]
    fn what_a_header_map_cannot_hold_is_an_error_and_no_panic() {
        let raw = "X: ?";
        let received = Headers::from_head(raw.as_bytes(), [(&raw[..1], vec![b'a', 1].into())].into_iter());
        for (headers, want) in [
            (received, "header X: its value has control"),
            ([("X".repeat(70_000), "y")].into_iter().collect(), "its name is too long"),
            ((0..40_000).map(|number| (format!("x-{number}"), "y")).collect(), "there are too many"),
        ] {
            let error = HeaderMap::try_from(&headers).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Head);
            assert!(error.to_string().contains(want) && error.to_string().len() < 200, "{error}");
        }
    }
}
