//! Header fields: an ordered list over one block of text (RFC 9110 §5).
//!
//! The block of a received head holds the head as received, then an index of where its fields lie,
//! then the values that had to be rewritten (a folded one). So a head costs one allocation, however
//! many fields it has. Fields that are added later append their text to the block and their offsets
//! to a list. Order, spelling and repetition are kept. What a field *means* is not known here.

use std::borrow::Cow;
use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::redact::debug_value;
use crate::token::{field_name_error, is_token};

/// Header fields in order, with their spelling and repetitions.
///
/// Names are compared without regard to case. A value is bytes: [`get`](Headers::get) returns it if
/// it is UTF-8, [`get_bytes`](Headers::get_bytes) in any case. `Debug` shows the values of well-known
/// harmless fields and only the length of all others, so that no secret ends up in a log.
///
/// Two `Headers` are equal if they have the same fields in the same order: names are compared
/// without regard to case, values byte by byte.
///
/// ```
/// use longwire::Headers;
///
/// let mut headers = Headers::new();
/// headers.append("Accept", "text/html")?;
/// headers.append("X-Token", "s3cret")?;
/// assert_eq!(headers.get("accept"), Some("text/html"));
/// assert!(!format!("{headers:?}").contains("s3cret"));
/// assert!(headers.append("X", "one\r\nEvil: two").is_err());
///
/// let same: Headers = [("accept", "text/html"), ("X-Token", "s3cret")].into_iter().collect();
/// assert_eq!(headers, same);
/// # Ok::<(), longwire::Error>(())
/// ```
#[doc(alias("CaseInsensitiveDict", "HeaderMap"))]
#[derive(Clone, Default)]
pub struct Headers {
    text: Vec<u8>,
    /// Where in `text` the index lies: [`INDEX_BYTES`] for each field, in order.
    index: Span,
    /// Fields added later; they follow those of the index.
    added: Vec<Field>,
    /// Why the first field was left out that `extend` or `collect` could not take. A request with such
    /// headers is not sent.
    pub(crate) deferred_error: Option<Error>,
}

/// A slice of a block of text, by the offsets of its first byte and of the one after its last.
#[derive(Clone, Copy, Default)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Returns where `part`, a slice of `whole`, lies in it.
    #[inline]
    pub(crate) fn within(whole: &[u8], part: &[u8]) -> Span {
        let offset = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        let start = if part.is_empty() { 0 } else { offset as u32 }; // an empty slice may lie anywhere
        Span { start, end: start + part.len() as u32 }
    }

    #[inline]
    pub(crate) fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end as usize]
    }
}

/// Where one field's name and value lie.
#[derive(Clone, Copy)]
struct Field {
    name: Span,
    value: Span,
}

/// Bytes of one field's entry in the index: four offsets.
const INDEX_BYTES: usize = 16;

impl Field {
    /// The field's entry in the index.
    #[inline]
    fn entry(self) -> [u8; INDEX_BYTES] {
        let offsets = [self.name.start, self.name.end, self.value.start, self.value.end];
        let mut entry = [0; INDEX_BYTES];
        for (slot, offset) in entry.chunks_exact_mut(4).zip(offsets) {
            slot.copy_from_slice(&offset.to_ne_bytes());
        }
        entry
    }

    fn from_entry(entry: &[u8; INDEX_BYTES]) -> Field {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *entry;
        let offset = u32::from_ne_bytes;
        Field {
            name: Span { start: offset([a, b, c, d]), end: offset([e, f, g, h]) },
            value: Span { start: offset([i, j, k, l]), end: offset([m, n, o, p]) },
        }
    }
}

fn append_text(text: &mut Vec<u8>, bytes: &[u8]) -> Span {
    let start = text.len() as u32;
    text.extend_from_slice(bytes);
    Span { start, end: text.len() as u32 }
}

/// Bytes that one set of headers may have in all: what a [`Span`] can address.
const TEXT_BYTES_MAX: usize = u32::MAX as usize;

impl Headers {
    /// Creates an empty list of fields.
    pub const fn new() -> Headers {
        Headers { text: Vec::new(), index: Span { start: 0, end: 0 }, added: Vec::new(), deferred_error: None }
    }

    /// Builds the fields of a received head. `raw` is the whole head; borrowed names and values are
    /// slices of it.
    #[inline]
    pub(crate) fn from_head<'h>(
        raw: &'h [u8],
        fields: impl ExactSizeIterator<Item = (&'h str, Cow<'h, [u8]>)>,
    ) -> Headers {
        let index = raw.len()..raw.len() + fields.len() * INDEX_BYTES;
        let mut text = Vec::with_capacity(index.end);
        text.extend_from_slice(raw);
        let mut rewritten = Vec::new();
        for (name, value) in fields {
            let value = match value {
                Cow::Borrowed(value) => Span::within(raw, value),
                Cow::Owned(value) => {
                    let start = index.end + rewritten.len();
                    rewritten.extend_from_slice(&value);
                    Span { start: start as u32, end: (start + value.len()) as u32 }
                }
            };
            text.extend_from_slice(&Field { name: Span::within(raw, name.as_bytes()), value }.entry());
        }
        text.extend_from_slice(&rewritten);
        let index = Span { start: index.start as u32, end: index.end as u32 };
        Headers { text, index, added: Vec::new(), deferred_error: None }
    }

    /// Appends text to the block that belongs to no field.
    pub(crate) fn store_text(&mut self, text: &[u8]) -> Span {
        append_text(&mut self.text, text)
    }

    /// Returns the text that lies there in the block.
    #[inline]
    pub(crate) fn text_at(&self, span: Span) -> &[u8] {
        span.of(&self.text)
    }

    /// Returns the head as received, if the fields were built from one; otherwise nothing.
    pub(crate) fn raw_head(&self) -> &[u8] {
        &self.text[..self.index.start as usize]
    }

    fn fields(&self) -> impl Iterator<Item = Field> {
        (0..).map_while(|number| self.field(number))
    }

    /// The field with that number, counted from 0.
    fn field(&self, number: usize) -> Option<Field> {
        let index = self.index.of(&self.text);
        match index.get(number * INDEX_BYTES..).and_then(<[u8]>::first_chunk) {
            Some(entry) => Some(Field::from_entry(entry)),
            None => self.added.get(number - index.len() / INDEX_BYTES).copied(),
        }
    }

    /// Returns the first value of `name` if there is one and it is UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get_bytes(name)?).ok()
    }

    /// Returns the first value of `name` if there is one.
    #[inline]
    pub fn get_bytes(&self, name: &str) -> Option<&[u8]> {
        if self.text.is_empty() {
            return None;
        }
        let field = self.fields().find(|field| field.name.of(&self.text).eq_ignore_ascii_case(name.as_bytes()))?;
        Some(field.value.of(&self.text))
    }

    /// Returns all values of `name`, in order.
    #[doc(alias = "Values")]
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields()
            .filter(move |field| field.name.of(&self.text).eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| field.value.of(&self.text))
    }

    /// Returns the value of the field with that number, counted from 0.
    pub(crate) fn value_at(&self, number: usize) -> Option<&[u8]> {
        Some(self.field(number)?.value.of(&self.text))
    }

    /// Returns whether there is a field called `name`.
    #[inline]
    pub fn contains(&self, name: &str) -> bool {
        self.get_bytes(name).is_some()
    }

    /// Returns an iterator over the fields, name and value, in order.
    pub fn iter(&self) -> HeadersIter<'_> {
        HeadersIter { headers: self, number: 0 }
    }

    /// Returns the number of fields; a name that occurs twice counts twice.
    pub fn len(&self) -> usize {
        self.index.of(&self.text).len() / INDEX_BYTES + self.added.len()
    }

    /// Returns whether there are no fields.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.index.start == self.index.end && self.added.is_empty()
    }

    /// Appends a field after the others, whether or not the name is there already. Spaces and tabs
    /// around the value are trimmed.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if the name is not a token (RFC 9110 §5.6.2), or the value has a
    /// byte other than HTAB, SP, 0x21 to 0x7E and 0x80 to 0xFF (RFC 9110 §5.5).
    #[doc(alias = "Add")]
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.append_trimmed(name, value.as_ref().trim_ows())
    }

    fn append_trimmed(&mut self, name: &str, value: &[u8]) -> Result<()> {
        if !is_token(name.as_bytes()) {
            return Err(Error::new(ErrorKind::InvalidRequest, field_name_error(name.as_bytes())));
        }
        if let Some(bad) = value.iter().find(|byte| !is_field_byte(**byte)) {
            let what = format!("header {name}: byte 0x{bad:02x} is not allowed in a value");
            return Err(Error::new(ErrorKind::InvalidRequest, what));
        }
        if self.text.len() + name.len() + value.len() > TEXT_BYTES_MAX {
            return Err(Error::new(ErrorKind::InvalidRequest, "the headers are over 4 GiB"));
        }
        self.text.reserve(name.len() + value.len()); // one allocation for both
        let name = append_text(&mut self.text, name.as_bytes());
        let value = append_text(&mut self.text, value);
        self.added.push(Field { name, value });
        Ok(())
    }

    /// Sets a field, replacing all fields of that name.
    ///
    /// # Errors
    /// As [`append`](Headers::append); then nothing has changed.
    #[doc(alias = "Set")]
    pub fn insert(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.append(name, value)?;
        let last = self.added.pop();
        self.remove(name);
        self.added.extend(last);
        Ok(())
    }

    /// Removes all fields called `name`.
    #[doc(alias = "Del")]
    pub fn remove(&mut self, name: &str) {
        self.retain(&mut |other| !other.eq_ignore_ascii_case(name));
    }

    /// Keeps only the fields for whose name `keep` returns `true`.
    pub(crate) fn retain(&mut self, keep: &mut dyn FnMut(&str) -> bool) {
        let mut kept = Vec::new();
        for field in self.fields() {
            if keep(std::str::from_utf8(field.name.of(&self.text)).unwrap_or_default()) {
                kept.push(field);
            }
        }
        self.added = kept;
        self.index = Span::default();
    }
}

/// An iterator over the fields of [`Headers`], name and value, in order; see [`Headers::iter`].
///
/// ```
/// let mut headers = longwire::Headers::new();
/// headers.append("Accept", "text/html")?;
/// for (name, value) in &headers {
///     println!("{name}: {}", String::from_utf8_lossy(value));
/// }
/// # Ok::<(), longwire::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct HeadersIter<'a> {
    headers: &'a Headers,
    number: usize,
}

impl<'a> Iterator for HeadersIter<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<(&'a str, &'a [u8])> {
        let field = self.headers.field(self.number)?;
        self.number += 1;
        let text = &self.headers.text;
        let name = std::str::from_utf8(field.name.of(text)).expect("names are tokens, and tokens are ASCII");
        Some((name, field.value.of(text)))
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = (&'a str, &'a [u8]);
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

/// Appends fields, name and value.
///
/// A field that [`append`](Headers::append) would reject is left out; the first such error is kept,
/// and returned when a request with these headers is built or sent.
///
/// ```
/// let mut headers = longwire::Headers::new();
/// headers.extend([("Accept", "text/html"), ("Accept-Language", "en")]);
/// assert_eq!(headers.len(), 2);
/// ```
impl<N: AsRef<str>, V: AsRef<[u8]>> Extend<(N, V)> for Headers {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, fields: I) {
        for (name, value) in fields {
            if let Err(error) = self.append(name.as_ref(), value) {
                self.deferred_error.get_or_insert(error);
            }
        }
    }
}

/// Collects fields, name and value.
///
/// As with [`extend`](Extend::extend), a field that [`append`](Headers::append) would reject is left
/// out, and the first such error is returned when a request with these headers is built or sent.
///
/// ```
/// use longwire::Headers;
///
/// let headers: Headers = [("Accept", "text/html")].into_iter().collect();
/// assert_eq!(headers.get("accept"), Some("text/html"));
/// ```
impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Headers {
        let mut headers = Headers::new();
        headers.extend(fields);
        headers
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Headers) -> bool {
        self.len() == other.len()
            && self.iter().zip(other).all(|((name, value), (other_name, other_value))| {
                name.eq_ignore_ascii_case(other_name) && value == other_value
            })
    }
}

impl Eq for Headers {}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.iter() {
            match debug_value(name, value) {
                Some(shown) => map.entry(&name, &shown),
                None => map.entry(&name, &format_args!("<{} bytes>", value.len())),
            };
        }
        map.finish()
    }
}

/// Returns the members of one line of a comma-separated list, without empty ones (RFC 9110 §5.6.1).
pub(crate) fn list_members(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b',').map(TrimOws::trim_ows).filter(|member| !member.is_empty())
}

/// Returns whether the Connection field, in any of its lines, lists `option` (RFC 9110 §7.6.1).
pub(crate) fn has_connection_option(headers: &Headers, option: &str) -> bool {
    headers.get_all("connection").flat_map(list_members).any(|member| member.eq_ignore_ascii_case(option.as_bytes()))
}

/// Returns whether a field value may have `byte`: field-vchar, SP or HTAB (RFC 9110 §5.5).
pub(crate) fn is_field_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' ' | 0x21..=0x7e | 0x80..=0xff)
}

/// Trims OWS, optional whitespace: SP and HTAB (RFC 9110 §5.6.3), and no other whitespace.
pub(crate) trait TrimOws {
    fn trim_ows(&self) -> &Self;
}

impl TrimOws for [u8] {
    fn trim_ows(&self) -> &[u8] {
        let mut rest = self;
        while let [b' ' | b'\t', inner @ ..] | [inner @ .., b' ' | b'\t'] = rest {
            rest = inner;
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insert_replaces_every_spelling() {
        let mut headers = Headers::new();
        headers.append("X-A", "1").unwrap();
        headers.append("B", "2").unwrap();
        headers.append("x-a", "3").unwrap();
        headers.insert("X-a", " 4\t").unwrap();
        let all: Vec<_> = headers.iter().collect();
        assert_eq!(all, [("B", &b"2"[..]), ("X-a", &b"4"[..])]);
    }

    #[test]
    fn a_rejected_value_changes_nothing() {
        let mut headers = Headers::new();
        headers.append("A", "1").unwrap();
        for bad in ["a\r\nB: 2", "a\n", "\ra", "a\0", "a\x7f", "a\x1f"] {
            assert_eq!(headers.insert("A", bad).unwrap_err().kind(), ErrorKind::InvalidRequest, "{bad:?}");
        }
        assert_eq!(headers.get("a"), Some("1"));
        assert_eq!(headers.len(), 1);
    }

    #[test]
    fn values_are_bytes() {
        let mut headers = Headers::new();
        headers.append("A", b"caf\xe9").unwrap();
        assert_eq!(headers.get("A"), None);
        assert_eq!(headers.get_bytes("A"), Some(&b"caf\xe9"[..]));
    }

    #[test]
    fn debug_shows_the_length_of_a_field_that_is_not_on_the_list() {
        let mut headers = Headers::new();
        headers.append("Content-Type", "text/plain").unwrap();
        headers.append("X-Api-Key", "hunter2").unwrap();
        assert_eq!(format!("{headers:?}"), r#"{"Content-Type": "text/plain", "X-Api-Key": <7 bytes>}"#);
    }

    #[test]
    fn the_first_field_that_is_not_valid_is_left_out_and_kept_as_an_error() {
        let mut headers: Headers = [("A", "1"), ("B C", "2"), ("D", "a\nb"), ("E", "3")].into_iter().collect();
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("A", &b"1"[..]), ("E", b"3")]);
        let first = "header name \"B\" is followed by ' ', which no field name may have";
        let message =
            |headers: &Headers| headers.deferred_error.as_ref().map(|error| (error.kind(), error.to_string()));
        assert_eq!(message(&headers), Some((ErrorKind::InvalidRequest, first.to_owned())));
        headers.extend([(String::new(), vec![0])]);
        assert_eq!(message(&headers.clone()), Some((ErrorKind::InvalidRequest, first.to_owned())), "still the first");
        assert!(Headers::new().deferred_error.is_none());
    }

    #[test]
    fn fields_of_one_list_extend_another() {
        let mut headers: Headers = [("A", "1")].into_iter().collect();
        headers.extend(&headers.clone());
        headers.extend([("b", b"\xff")]);
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("A", &b"1"[..]), ("A", b"1"), ("b", b"\xff")]);
    }

    #[test]
    fn equal_headers_have_the_same_fields_in_the_same_order() {
        let of = |fields: &[(&str, &str)]| fields.iter().copied().collect::<Headers>();
        let headers = of(&[("A", "x"), ("B", "y")]);
        assert_eq!(headers, of(&[("a", "x"), ("b", "y")]));
        let raw = b"a:x\nb:y\n";
        let text = |range: std::ops::Range<usize>| std::str::from_utf8(&raw[range]).unwrap();
        let fields = [(text(0..1), Cow::Borrowed(&raw[2..3])), (text(4..5), Cow::Owned(b"y".to_vec()))];
        let received = Headers::from_head(raw, fields.into_iter());
        assert_eq!(headers, received, "however they are stored");
        for other in
            [&[("B", "y"), ("A", "x")][..], &[("A", "x")], &[("A", "X"), ("B", "y")], &[("C", "x"), ("B", "y")]]
        {
            assert_ne!(headers, of(other), "{other:?}");
        }
    }
}
