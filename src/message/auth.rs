//! Credentials: Basic (RFC 7617) and Bearer (RFC 6750), as `Authorization` and `Proxy-Authorization`
//! have them, user and password from a URL, and those that Digest answers with (RFC 7616).
//!
//! Which challenges Digest answers is not known here.

#[cfg(feature = "digest")]
use std::fmt;
#[cfg(feature = "digest")]
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::{Error, ErrorKind, Result};
#[cfg(feature = "digest")]
use crate::wire::digest::Session;

/// What Digest answers with, of one request.
#[cfg(feature = "digest")]
#[derive(Clone)]
pub(crate) struct DigestAuth {
    pub(crate) user: String,
    pub(crate) password: String,
    /// The session that the request goes on with, while it is sent.
    pub(crate) session: Option<Arc<Session>>,
}

#[cfg(feature = "digest")]
impl DigestAuth {
    /// The user's name becomes a part of a field; the password is never sent.
    pub(crate) fn new(user: &str, password: &str) -> Result<DigestAuth> {
        if user.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(invalid("a user name for Digest auth cannot have control characters"));
        }
        Ok(DigestAuth { user: user.to_owned(), password: password.to_owned(), session: None })
    }
}

#[cfg(feature = "digest")]
impl fmt::Debug for DigestAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestAuth").finish_non_exhaustive()
    }
}

fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidRequest, what)
}

/// The credentials of RFC 7617 §2, as Authorization and Proxy-Authorization have them.
pub(crate) fn basic_credentials(user: &[u8], password: &[u8]) -> Result<String> {
    if user.contains(&b':') {
        return Err(invalid("a user name for Basic auth cannot have a colon (RFC 7617 §2)"));
    }
    let pair = [user, b":", password].concat();
    if pair.iter().any(u8::is_ascii_control) {
        return Err(invalid("Basic auth cannot have control bytes (RFC 7617 §2)"));
    }
    let mut credentials = "Basic ".to_owned();
    encode_base64(&pair, &mut credentials);
    Ok(credentials)
}

/// RFC 4648 §4. In groups of three bytes, because the engine's loop for long input is unrolled, and would
/// be a hundredth of the smallest program.
fn encode_base64(bytes: &[u8], into: &mut String) {
    for group in bytes.chunks(3) {
        let (mut padded, mut encoded) = ([0; 3], [0; 4]);
        padded[..group.len()].copy_from_slice(group);
        let _always_fits = BASE64.encode_slice(padded, &mut encoded);
        encoded[group.len() + 1..].fill(b'=');
        into.extend(encoded.map(char::from));
    }
}

/// Bytes of a percent-encoded part of a URL; a `%` that encodes nothing stands for itself.
pub(crate) fn percent_decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| (*byte as char).to_digit(16));
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let vectors = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (length, want) in vectors.iter().enumerate() {
            let mut encoded = String::new();
            encode_base64(&b"foobar"[..length], &mut encoded);
            assert_eq!(encoded, *want);
        }
        let (mut encoded, all) = (String::new(), (0..=255).collect::<Vec<u8>>());
        encode_base64(&all, &mut encoded);
        assert_eq!(encoded, BASE64.encode(&all));
    }
}
