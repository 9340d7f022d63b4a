//! A second opinion on HTTP/1.1: what a reply means, read whole and line by line (RFC 9112).
//!
//! Written to be obviously right and nothing else: slow, without states, on bytes that are all
//! there. The fuzz targets hold the library against it. What must never live here: a name from
//! the library, or a line taken over from it.
#![allow(dead_code, reason = "each that includes this file uses its own part of it")]

/// Bytes of a chunk line, its CRLF counted.
const CHUNK_LINE_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a trailer section, without the empty line.
const TRAILER_BYTES_MAX: usize = 16 * 1024;
const TRAILER_FIELDS_MAX: usize = 64;

/// A response head that a strict reader takes.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    /// From the status line's first byte to the empty line's last.
    pub(crate) raw: &'a [u8],
    /// Where it ends, counted from the first byte given.
    pub(crate) end: usize,
    pub(crate) status: u16,
    pub(crate) is_http_1_0: bool,
    /// HTTP/2, in text.
    pub(crate) claims_http2: bool,
    /// Names in lower case, values without outer blanks, folds made spaces.
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    /// Content-Length or Transfer-Encoding has a folded line.
    pub(crate) has_folded_framing: bool,
}

impl Head<'_> {
    /// The members of a comma-separated list over all its lines; empty ones, too.
    fn members(&self, name: &str) -> Vec<Vec<u8>> {
        let values = self.fields.iter().filter(|field| field.0 == name);
        values.flat_map(|field| field.1.split(|byte| *byte == b',')).map(|member| trim(member).to_vec()).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.0 == name)
    }

    fn has_option(&self, option: &str) -> bool {
        self.members("connection").iter().any(|member| member.eq_ignore_ascii_case(option.as_bytes()))
    }
}

fn trim(bytes: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| *byte != b' ' && *byte != b'\t';
    let start = bytes.iter().position(is_text).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(is_text).map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// The line at `at` without its LF or CRLF, and where the next one begins.
fn line(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let length = bytes[at..].iter().position(|byte| *byte == b'\n')?;
    let line = &bytes[at..at + length];
    Some((line.strip_suffix(b"\r").unwrap_or(line), at + length + 1))
}

/// The head at the start of `bytes`, if it is all there.
pub(crate) fn head(bytes: &[u8]) -> Option<Head<'_>> {
    let mut at = 0;
    while let Some((b"", next)) = line(bytes, at) {
        at = next;
    }
    let start = at;
    let (status_line, mut at) = line(bytes, at)?;
    let version_end = status_line.iter().position(|byte| *byte == b' ')?;
    let digits = status_line.get(version_end + 1..version_end + 4)?;
    let status = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let is_http_1_0 = status_line.starts_with(b"HTTP/1.0");
    let claims_http2 = status_line.starts_with(b"HTTP/2");
    let (mut fields, mut has_folded_framing) = (Vec::<(String, Vec<u8>)>::new(), false);
    loop {
        let (text, next) = line(bytes, at)?;
        at = next;
        if text.is_empty() {
            let raw = &bytes[start..at];
            return Some(Head { raw, end: at, status, is_http_1_0, claims_http2, fields, has_folded_framing });
        }
        if text.starts_with(b" ") || text.starts_with(b"\t") {
            let (name, value) = fields.last_mut()?;
            has_folded_framing |= name == "content-length" || name == "transfer-encoding";
            let more = trim(text);
            if !value.is_empty() && !more.is_empty() {
                value.push(b' ');
            }
            value.extend_from_slice(more);
            continue;
        }
        let colon = text.iter().position(|byte| *byte == b':')?;
        let name = String::from_utf8(text[..colon].to_ascii_lowercase()).ok()?;
        fields.push((name, trim(&text[colon + 1..]).to_vec()));
    }
}

/// The final head; interim ones before it are passed over.
pub(crate) fn final_head(bytes: &[u8]) -> Option<Head<'_>> {
    let mut at = 0;
    loop {
        let mut head = head(&bytes[at..])?;
        head.end += at;
        if head.status >= 200 || head.status == 101 {
            return Some(head);
        }
        at = head.end;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Empty,
    Length(u64),
    Chunked,
    UntilClose { at_least: u64 },
}

/// RFC 9112 §6.3; `None` where the end cannot be told.
pub(crate) fn framing(method: &str, head: &Head<'_>) -> Option<Framing> {
    let is_bodiless = head.status < 200 || head.status == 204 || head.status == 304;
    if method == "HEAD" || is_bodiless {
        return Some(Framing::Empty);
    }
    if head.has_folded_framing {
        return None;
    }
    if head.has("transfer-encoding") {
        let codings: Vec<_> =
            head.members("transfer-encoding").into_iter().filter(|coding| !coding.is_empty()).collect();
        if codings.len() == 1 && codings[0].eq_ignore_ascii_case(b"chunked") {
            return Some(Framing::Chunked);
        }
        // No coding at all, and the length beside it a lower bound.
        let is_identity = !codings.is_empty() && codings.iter().all(|coding| coding.eq_ignore_ascii_case(b"identity"));
        let at_least = if head.has("content-length") { one_length(head)? } else { 0 };
        return is_identity.then_some(Framing::UntilClose { at_least });
    }
    if !head.has("content-length") {
        return Some(Framing::UntilClose { at_least: 0 });
    }
    one_length(head).map(Framing::Length)
}

/// The one number that all Content-Length fields agree on.
fn one_length(head: &Head<'_>) -> Option<u64> {
    let numbers: Option<Vec<u64>> = head.members("content-length").iter().map(|digits| number(digits)).collect();
    let numbers = numbers?;
    numbers.iter().all(|number| *number == numbers[0]).then(|| numbers[0])
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// RFC 9112 §9.3: whether the connection may be used again.
pub(crate) fn persists(head: &Head<'_>, framing: Framing) -> bool {
    let ambiguous = match framing {
        Framing::Chunked => head.has("content-length") || head.is_http_1_0,
        Framing::Empty if head.status == 204 => {
            head.has("transfer-encoding") || head.has("content-length") && one_length(head) != Some(0)
        }
        Framing::Empty if head.status == 304 => head.has("transfer-encoding"),
        _ => false,
    };
    let is_asked_to = !head.is_http_1_0 || head.has_option("keep-alive");
    let (timeout, max) = (hint(head, "timeout"), hint(head, "max"));
    head.status != 101
        && !head.claims_http2
        && !head.has_option("close")
        && is_asked_to
        && !matches!(framing, Framing::UntilClose { .. })
        && !ambiguous
        && timeout != Some(0)
        && max != Some(0)
}

/// The last parameter of that name in Keep-Alive which is a number.
pub(crate) fn hint(head: &Head<'_>, name: &str) -> Option<u64> {
    let members = head.members("keep-alive");
    let mut values = members.iter().filter_map(|member| {
        let (key, value) = member.split_at(member.iter().position(|byte| *byte == b'=')?);
        trim(key).eq_ignore_ascii_case(name.as_bytes()).then(|| number(trim(&value[1..])))?
    });
    values.next_back()
}

/// What lies behind a head.
#[derive(Debug, PartialEq)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: End,
    /// Lines of the trailer section: names in lower case, values trimmed.
    pub(crate) trailers: Vec<(String, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The body is complete; what follows is not its.
    At(usize),
    /// It breaks the grammar for certain.
    Bad,
    /// It is not complete; it may be bad already.
    Open,
}

/// The body at the start of `bytes`; `closed`: the peer has closed in order behind them.
pub(crate) fn body(bytes: &[u8], framing: Framing, closed: bool) -> Body {
    let (length, end) = match framing {
        Framing::Empty => (0, End::At(0)),
        Framing::UntilClose { at_least } if closed && bytes.len() as u64 >= at_least => {
            (bytes.len(), End::At(bytes.len()))
        }
        Framing::UntilClose { .. } => (bytes.len(), End::Open),
        Framing::Length(length) => match usize::try_from(length) {
            Ok(length) if length <= bytes.len() => (length, End::At(length)),
            _ => (bytes.len(), End::Open),
        },
        Framing::Chunked => return chunked(bytes),
    };
    Body { bytes: bytes[..length].to_vec(), end, trailers: Vec::new() }
}

/// RFC 9112 §7.1.
pub(crate) fn chunked(bytes: &[u8]) -> Body {
    let mut body = Body { bytes: Vec::new(), end: End::Open, trailers: Vec::new() };
    let mut at = 0;
    loop {
        let Some((line, next)) = crlf_line(bytes, at) else { return body };
        let size = line.filter(|_| next - at <= CHUNK_LINE_BYTES_MAX).and_then(chunk_size);
        let Some(size) = size else {
            body.end = End::Bad;
            return body;
        };
        at = next;
        if size == 0 {
            trailer_section(bytes, at, &mut body);
            return body;
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let data = &bytes[at..at.saturating_add(size).min(bytes.len())];
        body.bytes.extend_from_slice(data);
        at += data.len();
        match &bytes[at..] {
            [b'\r', b'\n', ..] => at += 2,
            [] | [b'\r'] => return body,
            _ => {
                body.end = End::Bad;
                return body;
            }
        }
    }
}

/// The line at `at` and where the next begins: `None` if its LF is not there, and `Some(None)` for
/// one that does not end in CRLF or has another CR.
fn crlf_line(bytes: &[u8], at: usize) -> Option<(Option<&[u8]>, usize)> {
    let length = bytes[at..].iter().position(|byte| *byte == b'\n')?;
    let line = bytes[at..at + length].strip_suffix(b"\r").filter(|line| !line.contains(&b'\r'));
    Some((line, at + length + 1))
}

/// `chunk-size [ chunk-ext ]`, blanks behind the size allowed.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let rest = line[digits..].iter().skip_while(|byte| **byte == b' ' || **byte == b'\t').copied().collect::<Vec<u8>>();
    let is_extension = rest.starts_with(b";") && rest.iter().all(is_text);
    if !(rest.is_empty() || is_extension) {
        return None;
    }
    let mut size = 0u128;
    for digit in std::str::from_utf8(&line[..digits]).ok()?.chars() {
        size = size * 16 + u128::from(digit.to_digit(16)?);
        u64::try_from(size).ok()?;
    }
    if digits == 0 { None } else { u64::try_from(size).ok() }
}

/// HTAB, SP, VCHAR and obs-text: what may stand in a field value.
fn is_text(byte: &u8) -> bool {
    *byte == b'\t' || *byte >= b' ' && *byte != 0x7f
}

/// Judged as a whole, once it is all there.
fn trailer_section(bytes: &[u8], start: usize, body: &mut Body) {
    let (mut at, mut is_bad) = (start, false);
    while let Some((line, next)) = crlf_line(bytes, at) {
        if line == Some(b"") {
            is_bad |= body.trailers.len() > TRAILER_FIELDS_MAX || at - start > TRAILER_BYTES_MAX;
            body.end = if is_bad { End::Bad } else { End::At(next) };
            return;
        }
        match line.and_then(field) {
            Some(field) => body.trailers.push(field),
            None => is_bad = true,
        }
        at = next;
    }
}

fn field(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if name.is_empty() || !name.iter().all(is_name) || !value.iter().all(is_text) {
        return None;
    }
    Some((String::from_utf8(name.to_ascii_lowercase()).ok()?, trim(value).to_vec()))
}

/// What a Content-Range tells of: the first and the last byte, if it has them, and the length of the whole.
#[derive(Debug, PartialEq)]
pub(crate) struct ContentRange {
    pub(crate) positions: Option<(u64, u64)>,
    pub(crate) length: Option<u64>,
}

pub(crate) fn content_range(value: &[u8]) -> Option<ContentRange> {
    let text = std::str::from_utf8(value).ok()?.trim_matches(|c: char| c.is_ascii_whitespace());
    let number = |text: &str| {
        let number: u128 = text.parse().ok().filter(|_| text.chars().all(|c| c.is_ascii_digit()))?;
        u64::try_from(number).ok()
    };
    let [unit, range] = text.split(' ').collect::<Vec<_>>()[..] else { return None };
    let [positions, length] = range.split('/').collect::<Vec<_>>()[..] else { return None };
    if unit.to_lowercase() != "bytes" {
        return None;
    }
    if positions == "*" {
        return Some(ContentRange { positions: None, length: Some(number(length)?) });
    }
    let [first, last] = positions.split('-').collect::<Vec<_>>()[..] else { return None };
    let (first, last) = (number(first)?, number(last)?);
    let length = if length == "*" { None } else { Some(number(length)?) };
    let is_inside = first <= last && last < length.unwrap_or(u64::MAX);
    is_inside.then_some(ContentRange { positions: Some((first, last)), length })
}
