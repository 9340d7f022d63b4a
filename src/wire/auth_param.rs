//! Challenges with their parameters, and lists of parameters (RFC 9110 §11.2, §11.3).
//!
//! What the parameters of a scheme mean is not known here, nor whether a scheme is supported.

use std::borrow::Cow;

use crate::headers::{TrimOws, is_field_byte};
use crate::token::is_token;
use crate::wire::challenge::{elements, scheme_of};

/// Challenges that are read at most, malformed ones among them: a few schemes, and Digest once for each
/// algorithm.
pub(crate) const CHALLENGES_MAX: usize = 16;

/// Parameters that one challenge may have; Digest has ten. With more it is malformed.
pub(crate) const PARAMETERS_MAX: usize = 24;

/// A challenge: its scheme, and the parameters after it.
#[derive(Debug, PartialEq)]
pub(crate) struct Challenge<'a> {
    pub(crate) scheme: &'a str,
    /// Names and values, these without their quotes; none beside a token68.
    pub(crate) parameters: Vec<(&'a str, Cow<'a, [u8]>)>,
}

/// Returns the challenges in these field values, in order. Malformed ones are left out, and so are those
/// after the first [`CHALLENGES_MAX`].
pub(crate) fn challenges<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<Challenge<'a>> {
    // `None` is one that turned out malformed: parameters that follow are its.
    let mut found: Vec<Option<Challenge<'a>>> = Vec::new();
    for element in values.flat_map(elements).map(TrimOws::trim_ows).filter(|element| !element.is_empty()) {
        match scheme_of(element) {
            Some(_) if found.len() == CHALLENGES_MAX => break,
            Some(scheme) => found.push(Challenge::begin(scheme, element[scheme.len()..].trim_ows())),
            None => {
                if let Some(last) = found.last_mut() {
                    *last = last.take().and_then(|challenge| challenge.with(element));
                }
            }
        }
    }
    found.into_iter().flatten().collect()
}

/// Returns the value of the parameter called `name` in field values that are a list of parameters, as
/// Authentication-Info is (RFC 7615 §3).
pub(crate) fn listed_parameter<'a>(values: impl Iterator<Item = &'a [u8]>, name: &str) -> Option<Cow<'a, [u8]>> {
    let mut parameters = values.flat_map(elements).take(PARAMETERS_MAX).filter_map(|element| parameter(element));
    parameters.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

impl<'a> Challenge<'a> {
    /// A challenge whose first element goes on with `rest`: nothing, a token68, or the first parameter.
    fn begin(scheme: &'a str, rest: &'a [u8]) -> Option<Challenge<'a>> {
        let challenge = Challenge { scheme, parameters: Vec::new() };
        if rest.is_empty() || is_token68(rest) { Some(challenge) } else { challenge.with(rest) }
    }

    /// Adds a parameter, which a challenge may have once (RFC 9110 §11.3).
    fn with(mut self, element: &'a [u8]) -> Option<Challenge<'a>> {
        let (name, value) = parameter(element)?;
        if self.parameters.len() == PARAMETERS_MAX || self.parameter(name).is_some() {
            return None;
        }
        self.parameters.push((name, value));
        Some(self)
    }

    /// Returns the value of the parameter called `name`.
    pub(crate) fn parameter(&self, name: &str) -> Option<&[u8]> {
        let parameter = self.parameters.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        parameter.map(|(_, value)| &**value)
    }
}

/// `token BWS "=" BWS ( token / quoted-string )`. A value without quotes may have any visible bytes but
/// quotes, since servers send nonces in base64 so.
fn parameter(element: &[u8]) -> Option<(&str, Cow<'_, [u8]>)> {
    let equals = element.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (element[..equals].trim_ows(), element[equals + 1..].trim_ows());
    let value = match value {
        [b'"', quoted @ ..] => unquote(quoted)?,
        _ if value.is_empty() => return None,
        _ if value.iter().all(|byte| is_field_byte(*byte) && !b"\t \"".contains(byte)) => Cow::Borrowed(value),
        _ => return None,
    };
    let name = std::str::from_utf8(name).ok().filter(|name| is_token(name.as_bytes()))?;
    Some((name, value))
}

/// The value of a quoted-string without its first quote (RFC 9110 §5.6.4); `None` if its end is not the
/// last byte.
fn unquote(quoted: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (mut value, mut rest) = (Vec::new(), quoted);
    loop {
        let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\') || !is_field_byte(*byte))?;
        match &rest[plain..] {
            [b'"'] if value.is_empty() => return Some(Cow::Borrowed(&rest[..plain])),
            [b'"'] => {
                value.extend_from_slice(&rest[..plain]);
                return Some(Cow::Owned(value));
            }
            [b'\\', escaped, after @ ..] if is_field_byte(*escaped) => {
                value.extend_from_slice(&rest[..plain]);
                value.push(*escaped);
                rest = after;
            }
            _ => return None,
        }
    }
}

/// RFC 9110 §11.2.
fn is_token68(bytes: &[u8]) -> bool {
    let end = bytes.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    end > 0 && bytes[..end].iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&[u8]]) -> String {
        let challenge = |challenge: &Challenge<'_>| {
            let latin1 = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
            let parameters = challenge.parameters.iter();
            let parameters: Vec<_> = parameters.map(|(name, value)| format!("{name}<{}>", latin1(value))).collect();
            format!("{} {}", challenge.scheme, parameters.join(" ")).trim_end().to_owned()
        };
        challenges(values.iter().copied()).iter().map(challenge).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn challenges_are_read_with_their_parameters_and_malformed_ones_ignored() {
        let cases: [(&[&[u8]], &str); 24] = [
            (&[], ""),
            (&[b"Negotiate"], "Negotiate"),
            (&[b"Negotiate YIIabc==, Basic realm=x"], "Negotiate; Basic realm<x>"),
            (&[b"Digest realm=\"a, Basic b\", qop=\"auth,auth-int\""], "Digest realm<a, Basic b> qop<auth,auth-int>"),
            (
                &[b"Digest realm=\"x\",nonce=\"n\", Digest realm=y", b"Basic realm=\"z\""],
                "Digest realm<x> nonce<n>; Digest realm<y>; Basic realm<z>",
            ),
            (&[b",, ,Digest realm = \"x\" ,\tnonce\t=\tabc==,,"], "Digest realm<x> nonce<abc==>"),
            (&[b"Digest realm=\"a \\\"b\\\" \\\\ c\\d\""], "Digest realm<a \"b\" \\ cd>"),
            (&[b"Digest realm=\"\""], "Digest realm<>"),
            (&[b"Digest realm=\"\xe4\""], "Digest realm<\u{e4}>"),
            (&[b"Digest", b"realm=x"], "Digest realm<x>"),
            (&[b"realm=x, Basic realm=y"], "Basic realm<y>"),
            // Malformed: no value, no name, no end of the string, a byte after it, a control byte, two of a
            // name, two words. The challenges around it are not.
            (&[b"Digest nonce=n, realm=, Basic realm=x"], "Basic realm<x>"),
            (&[b"Digest realm=x, =y, Basic realm=x"], "Basic realm<x>"),
            (&[b"Basic realm=x, Digest realm=\"y"], "Basic realm<x>"),
            (&[b"Digest realm=\"y", b"Basic realm=x"], "Basic realm<x>"),
            (&[b"Digest realm=\"y\\"], ""),
            (&[b"Digest realm=\"y\"z, Basic realm=x"], "Basic realm<x>"),
            (&[b"Digest realm=\"y\x01\", Basic realm=x"], "Basic realm<x>"),
            (&[b"Digest realm=\"y\\\x01\", Basic realm=x"], "Basic realm<x>"),
            (&[b"Digest realm=y, REALM=z, nonce=n, Basic realm=x"], "Basic realm<x>"),
            (&[b"Digest realm=\"y\" nonce=\"z\", Basic realm=x"], "Basic realm<x>"),
            (&[b"Digest realm=y z, Basic realm=x"], "Basic realm<x>"),
            (&[b"Digest r@lm=y, Basic realm=x"], "Basic realm<x>"),
            (&[b"Digest \xff, Basic realm=x"], "Basic realm<x>"),
        ];
        for (values, want) in cases {
            let shown: Vec<_> = values.iter().map(|value| value.escape_ascii().to_string()).collect();
            assert_eq!(read(values), want, "{shown:?}");
        }
    }

    #[test]
    fn a_parameter_is_found_by_its_name_in_any_case() {
        let values = [&b"Digest Realm=\"x\", nonce=n"[..]];
        let challenges = challenges(values.into_iter());
        assert_eq!(challenges[0].parameter("realm"), Some(&b"x"[..]));
        assert_eq!(challenges[0].parameter("NONCE"), Some(&b"n"[..]));
        assert_eq!(challenges[0].parameter("opaque"), None);
    }

    #[test]
    fn sixteen_challenges_are_read_and_no_more() {
        let digests = |count: usize| vec!["Digest realm=x"; count].join(", ");
        for (count, want) in [(CHALLENGES_MAX, 16), (CHALLENGES_MAX + 1, 16)] {
            assert_eq!(challenges([digests(count).as_bytes()].into_iter()).len(), want);
        }
        // Malformed ones count, and what follows the last is not taken for its parameters.
        let malformed = vec!["Digest r@lm=x"; CHALLENGES_MAX - 1].join(", ") + ", Basic realm=x, Digest a=b, c=d";
        assert_eq!(read(&[malformed.as_bytes()]), "Basic realm<x>");
    }

    #[test]
    fn a_challenge_has_twenty_four_parameters_at_most() {
        let with = |count: usize| {
            let parameters: Vec<_> = (0..count).map(|number| format!("p{number}=v")).collect();
            format!("Digest {}, Basic realm=x", parameters.join(", "))
        };
        assert_eq!(challenges([with(PARAMETERS_MAX).as_bytes()].into_iter())[0].parameters.len(), 24);
        assert_eq!(read(&[with(PARAMETERS_MAX + 1).as_bytes()]), "Basic realm<x>");
    }

    #[test]
    fn a_parameter_of_a_list_is_found() {
        let next = |values: &[&[u8]]| {
            listed_parameter(values.iter().copied(), "nextnonce").map(|value| value.escape_ascii().to_string())
        };
        assert_eq!(next(&[b"rspauth=\"x\", nextnonce=\"a,\\\"b\", qop=auth"]).as_deref(), Some("a,\\\"b"));
        assert_eq!(next(&[b"rspauth=\"x\"", b"NextNonce=n"]).as_deref(), Some("n"));
        assert_eq!(next(&[b"nextnonce=, x", b"rspauth=x"]), None);
        let after = |count: usize| format!("{}nextnonce=n", "a=b, ".repeat(count));
        assert_eq!(next(&[after(PARAMETERS_MAX - 1).as_bytes()]).as_deref(), Some("n"));
        assert_eq!(next(&[after(PARAMETERS_MAX).as_bytes()]), None);
    }
}
