//! Header fields: an ordered list over one block of text (RFC 9110 §5).
//!
//! The block of a response is its head as it came, with an index behind it, so a head costs one
//! allocation however many fields it has. Order, spelling and repetition are kept. What a field
//! *means* is not known here.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::redact::debug_value;
use crate::token::{field_name_error, is_token};

/// Header fields in order of arrival, with their spelling and repetitions.
///
/// Look-up ignores case. A value is bytes: [`get`](Headers::get) gives those that are UTF-8,
/// [`get_bytes`](Headers::get_bytes) any. `Debug` shows the values of well-known harmless fields
/// and only the length of all others, so that no secret ends up in a log.
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
/// # Ok::<(), longwire::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Headers {
    text: Vec<u8>,
    /// Where in `text` the index lies: [`INDEX_BYTES`] a field, in order.
    index: Span,
    /// Fields that were added since; they come behind those of the index.
    added: Vec<Field>,
}

/// A piece of a block of text: offset of its first byte and of the one behind its last.
#[derive(Clone, Copy, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    #[inline]
    pub(crate) fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end as usize]
    }
}

/// Where one field's name and value lie.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: Span,
    pub(crate) value: Span,
}

/// Bytes that a field has in the index: its four offsets.
pub(crate) const INDEX_BYTES: usize = 16;

impl Field {
    /// The field's entry in the index.
    #[inline]
    pub(crate) fn entry(self) -> [u8; INDEX_BYTES] {
        let offsets = [self.name.start, self.name.end, self.value.start, self.value.end];
        let mut entry = [0; INDEX_BYTES];
        for (place, offset) in entry.chunks_exact_mut(4).zip(offsets) {
            place.copy_from_slice(&offset.to_ne_bytes());
        }
        entry
    }

    fn read(entry: &[u8; INDEX_BYTES]) -> Field {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *entry;
        let offset = u32::from_ne_bytes;
        Field {
            name: Span { start: offset([a, b, c, d]), end: offset([e, f, g, h]) },
            value: Span { start: offset([i, j, k, l]), end: offset([m, n, o, p]) },
        }
    }
}

fn put(text: &mut Vec<u8>, bytes: &[u8]) -> Span {
    let start = text.len() as u32;
    text.extend_from_slice(bytes);
    Span { start, end: text.len() as u32 }
}

/// Bytes that all of one set of headers may have: what a [`Span`] can reach.
const TEXT_BYTES_MAX: usize = u32::MAX as usize;

impl Headers {
    /// No fields.
    pub const fn new() -> Headers {
        Headers { text: Vec::new(), index: Span { start: 0, end: 0 }, added: Vec::new() }
    }

    /// Fields that lie in `text`, by the index in it.
    pub(crate) fn from_block(text: Vec<u8>, index: Span) -> Headers {
        Headers { text, index, added: Vec::new() }
    }

    fn fields(&self) -> impl Iterator<Item = Field> {
        (0..).map_while(|number| self.field(number))
    }

    /// The field in that place, counted from 0.
    fn field(&self, number: usize) -> Option<Field> {
        let index = self.index.of(&self.text);
        match index.get(number * INDEX_BYTES..).and_then(<[u8]>::first_chunk) {
            Some(entry) => Some(Field::read(entry)),
            None => self.added.get(number - index.len() / INDEX_BYTES).copied(),
        }
    }

    /// The whole block, fields and what lies between them.
    #[inline]
    pub(crate) fn block(&self) -> &[u8] {
        &self.text
    }

    /// The first value of `name`, if it is UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get_bytes(name)?).ok()
    }

    /// The first value of `name`.
    #[inline]
    pub fn get_bytes(&self, name: &str) -> Option<&[u8]> {
        if self.text.is_empty() {
            return None;
        }
        let field = self.fields().find(|field| field.name.of(&self.text).eq_ignore_ascii_case(name.as_bytes()))?;
        Some(field.value.of(&self.text))
    }

    /// All values of `name`, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields()
            .filter(move |field| field.name.of(&self.text).eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| field.value.of(&self.text))
    }

    /// The text that came before the index: of a response the head as it came.
    pub(crate) fn before_index(&self) -> &[u8] {
        &self.text[..self.index.start as usize]
    }

    /// The value of the field in that place, counted from 0.
    pub(crate) fn value_at(&self, number: usize) -> Option<&[u8]> {
        Some(self.field(number)?.value.of(&self.text))
    }

    /// Whether there is a field called `name`.
    #[inline]
    pub fn contains(&self, name: &str) -> bool {
        self.get_bytes(name).is_some()
    }

    /// Returns every field, name and value, in order.
    pub fn iter(&self) -> HeadersIter<'_> {
        HeadersIter { headers: self, number: 0 }
    }

    /// How many fields there are; a name that occurs twice counts twice.
    pub fn len(&self) -> usize {
        self.index.of(&self.text).len() / INDEX_BYTES + self.added.len()
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.index.start == self.index.end && self.added.is_empty()
    }

    /// Adds a field behind the others, whether or not the name is there already.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if the name is not a token, or the value has a byte other
    /// than HTAB, SP, 0x21 to 0x7E and 0x80 to 0xFF (RFC 9110 §5.5). Blanks around the value are
    /// trimmed first.
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.add(name, value.as_ref().trim_ascii_blanks())
    }

    fn add(&mut self, name: &str, value: &[u8]) -> Result<()> {
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
        let name = put(&mut self.text, name.as_bytes());
        let value = put(&mut self.text, value);
        self.added.push(Field { name, value });
        Ok(())
    }

    /// Sets a field, in place of all of that name.
    ///
    /// # Errors
    /// As [`append`](Headers::append); then nothing has changed.
    pub fn insert(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        self.append(name, value)?;
        let last = self.added.pop();
        self.remove(name);
        self.added.extend(last);
        Ok(())
    }

    /// Removes every field called `name`.
    pub fn remove(&mut self, name: &str) {
        self.retain(&mut |other| !other.eq_ignore_ascii_case(name));
    }

    /// Keeps the fields whose name passes.
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

/// The fields of [`Headers`], name and value, in order: what [`Headers::iter`] returns.
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

/// The members of one line of a comma-separated list; empty ones do not count (RFC 9110 §5.6.1).
pub(crate) fn list_members(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b',').map(TrimBlanks::trim_ascii_blanks).filter(|member| !member.is_empty())
}

/// Whether the Connection field, over all its lines, lists that option (RFC 9110 §7.6.1).
pub(crate) fn names_option(headers: &Headers, option: &str) -> bool {
    headers.get_all("connection").flat_map(list_members).any(|member| member.eq_ignore_ascii_case(option.as_bytes()))
}

/// Whether a field's value may hold `byte` (RFC 9110 §5.5: field-vchar, SP, HTAB).
pub(crate) fn is_field_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' ' | 0x21..=0x7e | 0x80..=0xff)
}

/// Trimming by HTTP's notion of a blank: SP and HTAB (RFC 9110 §5.6.3 OWS), nothing else.
pub(crate) trait TrimBlanks {
    fn trim_ascii_blanks(&self) -> &Self;
}

impl TrimBlanks for [u8] {
    fn trim_ascii_blanks(&self) -> &[u8] {
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
    fn a_refused_value_changes_nothing() {
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
    fn debug_shows_lengths_off_the_list() {
        let mut headers = Headers::new();
        headers.append("Content-Type", "text/plain").unwrap();
        headers.append("X-Api-Key", "hunter2").unwrap();
        assert_eq!(format!("{headers:?}"), r#"{"Content-Type": "text/plain", "X-Api-Key": <7 bytes>}"#);
    }
}
