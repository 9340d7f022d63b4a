//! Header fields: an ordered list over one block of text (RFC 9110 §5).
//!
//! The block of a response is its head as it came, with an index behind it, so a head costs one
//! allocation however many fields it has. Order, spelling and repetition are kept. What a field
//! *means* is not known here.

use std::fmt;

use crate::error::{Error, ErrorKind, Result, excerpt};
use crate::uri::hide_userinfo;

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

    /// Every field, name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields().map(|field| {
            let name = std::str::from_utf8(field.name.of(&self.text)).expect("names are tokens, and tokens are ASCII");
            (name, field.value.of(&self.text))
        })
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
            return Err(Error::new(ErrorKind::InvalidRequest, mistake_in_name(name.as_bytes())));
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

/// Fields whose value may be shown: they describe the message and hold no secret.
const HARMLESS: [&str; 34] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "cache-control",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expect",
    "expires",
    "host",
    "if-range",
    "keep-alive",
    "last-modified",
    "range",
    "retry-after",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
];

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.iter() {
            if HARMLESS.iter().any(|harmless| harmless.eq_ignore_ascii_case(name)) {
                map.entry(&name, &hide_userinfo(&value.escape_ascii().to_string(), mark_of(name)));
            } else {
                map.entry(&name, &format_args!("<{} bytes>", value.len()));
            }
        }
        map.finish()
    }
}

/// What stands before an authority in the field's value, as [`hide_userinfo`] wants it.
fn mark_of(name: &str) -> &'static str {
    let is_reference = ["location", "content-location"].iter().any(|other| other.eq_ignore_ascii_case(name));
    if is_reference { "//" } else { "://" }
}

/// Fields whose value is a secret wherever it is shown.
pub(crate) const SECRET: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// A raw head as text to be shown: secrets are replaced, on folded lines too, and passwords in
/// URLs.
pub(crate) fn without_secrets(head: &[u8]) -> String {
    without_secrets_and(head, &Headers::new())
}

/// The same; and the values of all fields that are called as one of `others` are secrets, too.
pub(crate) fn without_secrets_and(head: &[u8], others: &Headers) -> String {
    let text = String::from_utf8_lossy(head);
    let mut shown = String::with_capacity(text.len());
    let (mut is_secret, mut mark) = (false, "://");
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if !line.starts_with([' ', '\t']) {
            let name = line.split_once(':').map_or(line, |(name, _)| name).trim_ascii_end();
            is_secret = SECRET.iter().any(|secret| secret.eq_ignore_ascii_case(name)) || others.contains(name);
            mark = mark_of(name);
            if is_secret {
                shown.push_str(name);
                shown.push_str(": ***\r\n");
            }
        }
        match (is_secret, number) {
            (true, _) => {}
            (false, 0) => shown.push_str(line), // a target has no userinfo
            (false, _) => shown.push_str(&hide_userinfo(line, mark)),
        }
    }
    shown
}

/// Whether `bytes` is a token (RFC 9110 §5.6.2).
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(is_tchar)
}

fn is_tchar(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

/// Why that is no field name. It is shown only so far: whoever wrote `Authorization: Bearer ...` for a
/// name wrote a secret.
fn mistake_in_name(name: &[u8]) -> String {
    match name.iter().position(|byte| !is_tchar(byte)) {
        Some(at) => {
            let (good, bad) = (excerpt(&name[..at]), name[at].escape_ascii());
            format!("header name \"{good}\" goes on with '{bad}', which no name may have")
        }
        None => "a header has no name".to_owned(),
    }
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
    fn a_shown_head_has_no_secrets_even_folded() {
        let head = b"HTTP/1.1 200 OK\r\nset-cookie: a=b;\r\n more=secret\r\nX: y\r\n z\r\nCookie:c\r\n\r\n";
        let want = "HTTP/1.1 200 OK\r\nset-cookie: ***\r\nX: y\r\n z\r\nCookie: ***\r\n\r\n";
        assert_eq!(without_secrets(head), want);
    }

    #[test]
    fn a_shown_head_hides_further_fields_by_name() {
        let mut others = Headers::new();
        others.append("x-token", "other").unwrap();
        let head = b"GET / HTTP/1.1\r\nX-TOKEN: secret\r\n secret\r\nX: y\r\n\r\n";
        assert_eq!(without_secrets_and(head, &others), "GET / HTTP/1.1\r\nX-TOKEN: ***\r\nX: y\r\n\r\n");
    }

    #[test]
    fn a_password_in_a_content_location_is_not_shown() {
        for url in ["http://u:secret@h/x", "//u:secret@h/x"] {
            let mut headers = Headers::new();
            headers.append("Content-Location", url).unwrap();
            let shown =
                format!("{headers:?} {}", without_secrets(format!("GET\r\nContent-Location: {url}").as_bytes()));
            assert!(!shown.contains("secret") && shown.matches("//***@h/x").count() == 2, "{shown}");
        }
    }

    #[test]
    fn debug_shows_lengths_off_the_list() {
        let mut headers = Headers::new();
        headers.append("Content-Type", "text/plain").unwrap();
        headers.append("X-Api-Key", "hunter2").unwrap();
        assert_eq!(format!("{headers:?}"), r#"{"Content-Type": "text/plain", "X-Api-Key": <7 bytes>}"#);
    }
}
