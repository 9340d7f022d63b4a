//! Which version of a resource a response is about, as far as its fields tell (RFC 9110 §8.8).
//!
//! What is done about another version is not known here.

use std::time::Duration;

use crate::headers::Headers;
use crate::message::response::Response;
use crate::redact::text_excerpt;

/// A `Last-Modified` is a strong validator only if the response's own `Date` is later by this much: before
/// that, the resource may change once more within the same second (RFC 9110 §8.8.2.2; RFC 7232 had a minute).
const DATE_AGE_MIN: Duration = Duration::from_secs(1);

/// The fields of a response that tell one version from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    etag: Option<Vec<u8>>,
    last_modified: Option<Vec<u8>>,
    /// The content codings, where there is one: the bytes are those of the coded content.
    coding: Option<Vec<u8>>,
    validator: Option<Validator>,
}

/// What a server can be asked about: has the resource changed since?
#[derive(Clone, Debug, PartialEq, Eq)]
enum Validator {
    ETag(String),
    LastModified(String),
}

impl Version {
    pub(super) fn of(response: &Response) -> Version {
        let own = |name| only(response.headers(), name).map(<[u8]>::to_vec);
        let (etag, last_modified, coding) = (own("etag"), own("last-modified"), coding(response.headers()));
        let validator = match (&etag, &last_modified) {
            (Some(etag), _) if is_strong(etag) => text(etag).map(Validator::ETag),
            // RFC 9110 §13.1.5 wants no date in If-Range beside any entity tag. A weak one is all that many
            // servers have, and browsers send the date, which is as strong as without the tag.
            (_, Some(date)) if coding.is_none() && is_older(response) => text(date).map(Validator::LastModified),
            _ => None,
        };
        Version { etag, last_modified, coding, validator }
    }

    /// The value of `If-Range`.
    pub(super) fn validator(&self) -> Option<&str> {
        match self.validator.as_ref()? {
            Validator::ETag(text) | Validator::LastModified(text) => Some(text),
        }
    }

    /// Returns whether its validator is an entity tag: of any two versions, whatever their URL, few have the
    /// same. Many files have the same date.
    pub(super) fn has_strong_etag(&self) -> bool {
        matches!(self.validator, Some(Validator::ETag(_)))
    }

    /// Returns the content codings, where there is one.
    pub(super) fn coding(&self) -> Option<&[u8]> {
        self.coding.as_deref()
    }

    /// Returns whether a response with these fields has the same strong entity tag.
    pub(super) fn is_surely(&self, headers: &Headers) -> bool {
        self.has_strong_etag() && only(headers, "etag") == self.etag.as_deref()
    }

    /// Compares what a later response with content says; what it leaves out does not count, but for the coding.
    /// `Err` says what is another one.
    pub(super) fn check(&self, headers: &Headers) -> Result<(), String> {
        self.check_validators(headers)?;
        match (coding(headers), &self.coding) {
            (theirs, ours) if theirs == *ours => Ok(()),
            (Some(theirs), _) => Err(format!("its content is coded with {}", shown(&theirs))),
            (None, _) => Err("its content is not coded any more".to_owned()),
        }
    }

    /// Compares the validators alone.
    pub(super) fn check_validators(&self, headers: &Headers) -> Result<(), String> {
        let other = |name: &str, ours: &[u8], theirs: &[u8]| {
            Err(format!("{name} was {}, and is {} now", shown(ours), shown(theirs)))
        };
        if let Some(ours) = &self.etag {
            if let Some(theirs) = headers.get_all("etag").find(|theirs| !is_same_tag(ours, theirs)) {
                return other("ETag", ours, theirs);
            }
        }
        // Mirrors have the same file with the same tag, and each its own date.
        if let Some(ours) = self.last_modified.as_ref().filter(|_| !self.is_surely(headers)) {
            if let Some(theirs) = headers.get_all("last-modified").find(|theirs| theirs != ours) {
                return other("Last-Modified", ours, theirs);
            }
        }
        Ok(())
    }
}

/// The value of a field that is there once, or several times alike.
pub(super) fn only<'h>(headers: &'h Headers, name: &'h str) -> Option<&'h [u8]> {
    let mut all = headers.get_all(name);
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

/// All of `Content-Encoding`, unless that is nothing or `identity`.
fn coding(headers: &Headers) -> Option<Vec<u8>> {
    let all: Vec<&[u8]> = headers.get_all("content-encoding").collect();
    let all = all.join(&b", "[..]);
    (!all.is_empty() && !all.eq_ignore_ascii_case(b"identity")).then_some(all)
}

/// `opaque-tag = DQUOTE *etagc DQUOTE` (RFC 9110 §8.8.3): without the `W/` of a weak one.
fn is_strong(etag: &[u8]) -> bool {
    let is_etagc = |byte: &u8| !matches!(byte, 0..=b' ' | b'"' | 0x7F);
    match etag {
        [b'"', opaque @ .., b'"'] => opaque.iter().all(is_etagc),
        _ => false,
    }
}

/// Compares entity tags (RFC 9110 §8.8.3.2): a strong one is the same to the byte; a weak one, which proves
/// nothing either way, may have become strong since, as Apache's do within a second.
fn is_same_tag(ours: &[u8], theirs: &[u8]) -> bool {
    match ours.strip_prefix(b"W/") {
        None => ours == theirs,
        Some(ours) => ours == theirs.strip_prefix(b"W/").unwrap_or(theirs),
    }
}

/// Returns whether its `Last-Modified` is a strong validator.
fn is_older(response: &Response) -> bool {
    let age = response.date().zip(response.last_modified()).map(|(date, modified)| date.duration_since(modified));
    age.is_some_and(|age| age.is_ok_and(|age| age >= DATE_AGE_MIN))
}

fn text(value: &[u8]) -> Option<String> {
    std::str::from_utf8(value).ok().map(str::to_owned)
}

fn shown(value: &[u8]) -> String {
    text_excerpt(&String::from_utf8_lossy(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_is_strong_by_its_grammar() {
        for strong in ["\"a\"", "\"\"", "\"W/a-!\u{e9}\""] {
            assert!(is_strong(strong.as_bytes()), "{strong}");
        }
        for other in ["W/\"a\"", "w/\"a\"", "a", "\"a", "a\"", "\"", "", "\"a\"b\"", "\"a b\"", "\"a\", \"b\""] {
            assert!(!is_strong(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_weak_tag_may_become_strong_and_a_strong_one_stays() {
        let same = [("\"a\"", "\"a\""), ("W/\"a\"", "W/\"a\""), ("W/\"a\"", "\"a\"")];
        assert!(same.iter().all(|(ours, theirs)| is_same_tag(ours.as_bytes(), theirs.as_bytes())));
        let other = [("\"a\"", "W/\"a\""), ("\"a\"", "\"b\""), ("W/\"a\"", "W/\"b\""), ("W/\"a\"", "\"b\"")];
        assert!(!other.iter().any(|(ours, theirs)| is_same_tag(ours.as_bytes(), theirs.as_bytes())));
    }

    #[test]
    fn a_field_counts_if_it_is_there_once_or_alike() {
        let headers = |values: &[&str]| -> Headers { values.iter().map(|value| ("ETag", *value)).collect() };
        assert_eq!(only(&headers(&[]), "etag"), None);
        assert_eq!(only(&headers(&["\"a\"", "\"a\""]), "etag"), Some(&b"\"a\""[..]));
        assert_eq!(only(&headers(&["\"a\"", "\"b\""]), "etag"), None);
    }
}
