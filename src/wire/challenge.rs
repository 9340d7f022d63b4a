//! Challenges: which authentication schemes a 401 or a 407 offers (RFC 9110 §11.3, §11.6.1, §11.7.1).
//!
//! Parameters of the schemes are read in `auth_param`; whether a scheme is supported is not known here.

use crate::headers::TrimOws;
use crate::token::is_token;

/// Schemes that are returned at most: more than any server is known to offer at once.
const SCHEMES_MAX: usize = 8;

/// Returns the schemes that these field values offer, in order and each once, compared without regard
/// to case. Schemes after the first eight are left out, and malformed challenges are ignored.
pub(crate) fn schemes<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<&'a str> {
    let mut schemes: Vec<&str> = Vec::new();
    for scheme in values.flat_map(elements).filter_map(scheme_of) {
        if schemes.len() < SCHEMES_MAX && !schemes.iter().any(|other| other.eq_ignore_ascii_case(scheme)) {
            schemes.push(scheme);
        }
    }
    schemes
}

/// Returns the elements between commas that are not in a quoted string. The list of challenges and
/// the list of a challenge's parameters share these commas.
pub(crate) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    value.split(move |byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_quoted,
            b'"' => is_quoted = !is_quoted,
            b',' => return !is_quoted,
            _ => {}
        }
        false
    })
}

/// Returns the scheme of the challenge that an element begins; an element of the form `name =` is a
/// parameter of the challenge before.
pub(crate) fn scheme_of(element: &[u8]) -> Option<&str> {
    let element = element.trim_ows();
    let end = element.iter().position(|byte| matches!(byte, b' ' | b'\t' | b'=')).unwrap_or(element.len());
    let (token, rest) = element.split_at(end);
    let is_parameter = rest.trim_ows().starts_with(b"=");
    let token = std::str::from_utf8(token).ok()?;
    (is_token(token.as_bytes()) && !is_parameter).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(values: &[&str]) -> String {
        schemes(values.iter().map(|value| value.as_bytes())).join(" ")
    }

    #[test]
    fn each_scheme_is_found_once_among_parameters_and_commas() {
        let cases: [(&[&str], &str); 12] = [
            (&[], ""),
            (&["Basic realm=\"x\""], "Basic"),
            (&["Negotiate", "NTLM"], "Negotiate NTLM"),
            (&["Negotiate, NTLM , Basic realm=\"a, Digest b\""], "Negotiate NTLM Basic"),
            (
                &[
                    "Newauth realm=\"apps\", type=1, title=\"Credentials to \\\"apps\\\", Bearer x\", Basic realm=simple",
                ],
                "Newauth Basic",
            ),
            (&["Digest realm = \"x\" , qop\t=\tauth,nonce=abc=="], "Digest"),
            (&["Negotiate YIIabc=="], "Negotiate"),
            (&["Bearer, bearer error=\"x\"", "BEARER"], "Bearer"),
            (&[",, ,Basic,"], "Basic"),
            (&["realm=\"x\"", "=", "a/b c", "\"Basic\"", "B\u{e4}sic", "  "], ""),
            (&["Basic realm=\"never closed, Digest x"], "Basic"),
            (&["a\\, Basic"], "Basic"),
        ];
        for (values, want) in cases {
            assert_eq!(offered(values), want, "{values:?}");
        }
    }

    #[test]
    fn at_most_eight_schemes_are_returned() {
        assert_eq!(offered(&["a, b, c, d, e, f, g, h"]), "a b c d e f g h");
        assert_eq!(offered(&["a, b, c, d, e, f, g, h, i"]), "a b c d e f g h");
    }
}
