//! Heads: a request's as bytes, a response's from bytes (RFC 9112 §2 to §5).
//!
//! The grammar of a response head is httparse's; here is what it leaves open, and the care that a
//! head is not parsed from the start for every byte that arrives. What fields mean is `framing`'s.

use std::mem::MaybeUninit;

use crate::error::{Error, ErrorKind, Result, excerpt};
use crate::headers::{Field, Headers, INDEX_BYTES, Span, TrimBlanks};
use crate::method::Method;
use crate::status::{StatusCode, Version};

/// Empty lines before a status line that are passed over (RFC 9112 §2.2 asks for one).
const EMPTY_LINES_MAX: usize = 4;

/// Interim responses before a final one.
pub(crate) const INTERIM_MAX: u32 = 16;

/// Fields that are parsed into slots on the stack; a `max_headers` above costs an allocation.
const FIELDS_ON_STACK: usize = 256;

/// How large a head may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// Bytes from the status line's first to the empty line's last.
    pub(crate) bytes_max: usize,
    /// Field lines.
    pub(crate) fields_max: usize,
}

/// A response head.
pub(crate) struct Head {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    pub(crate) headers: Headers,
    pub(crate) noted: Noted,
    reason: Span,
    /// Bytes that it took, empty lines before it included.
    pub(crate) bytes: usize,
}

/// Where the fields that frame a message are. Noted while the head is parsed, so that nobody has
/// to look for them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Noted {
    pub(crate) content_length: Lines,
    pub(crate) transfer_encoding: Lines,
    pub(crate) connection: Lines,
    pub(crate) keep_alive: Lines,
}

/// The lines of one field.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Lines {
    #[default]
    None,
    /// One: the number of this field, counted from 0.
    One(u16),
    Several,
}

impl Noted {
    fn note(&mut self, name: &str, number: usize) {
        // Most servers spell these as the RFC does.
        let is = |spelled: &str| name == spelled || name.eq_ignore_ascii_case(spelled);
        let lines = match name.len() {
            10 if is("Connection") => &mut self.connection,
            10 if is("Keep-Alive") => &mut self.keep_alive,
            14 if is("Content-Length") => &mut self.content_length,
            17 if is("Transfer-Encoding") => &mut self.transfer_encoding,
            _ => return,
        };
        *lines = match u16::try_from(number) {
            Ok(number) if *lines == Lines::None => Lines::One(number),
            _ => Lines::Several,
        };
    }
}

impl Head {
    /// The reason phrase; bytes that were not UTF-8 are replaced.
    pub(crate) fn reason(&self) -> &str {
        std::str::from_utf8(self.reason.of(self.headers.block())).unwrap_or_default()
    }

    /// Shows every value of the field called `name`, whose `lines` were noted.
    #[inline]
    pub(crate) fn each(&self, lines: Lines, name: &str, show: impl FnMut(&[u8])) {
        match lines {
            Lines::None => {}
            Lines::One(number) => self.headers.value_at(number.into()).into_iter().for_each(show),
            Lines::Several => self.headers.get_all(name).for_each(show),
        }
    }

    /// The head as it came.
    pub(crate) fn raw(&self) -> &[u8] {
        self.headers.before_index()
    }
}

/// Reads one head out of a buffer that fills up step by step.
///
/// A parse is tried on the first bytes, where a whole head nearly always lies; then when the first
/// line is complete, so that junk is not waited for; and then when the empty line is there.
pub(crate) struct HeadParser {
    limits: HeadLimits,
    tries: Tries,
    /// Bytes, counted behind leading empty lines, that are known not to begin the blank line.
    scanned: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Tries {
    None,
    FirstBytes,
    FirstLine,
}

impl HeadParser {
    pub(crate) fn new(limits: HeadLimits) -> HeadParser {
        HeadParser { limits, tries: Tries::None, scanned: 0 }
    }

    /// Looks at all bytes that have arrived; the head, once it is complete.
    #[inline]
    pub(crate) fn parse(&mut self, arrived: &[u8]) -> Result<Option<Head>> {
        let lead = leading_empty_lines(arrived)?;
        let bytes = &arrived[lead..];
        let seen = self.look(bytes);
        let mut parsed = if seen == Seen::Nothing { Ok(None) } else { parse_whole(bytes, self.limits) };
        match &mut parsed {
            Ok(Some(head)) if lead + head.bytes > self.limits.bytes_max => Err(self.too_large()),
            Ok(Some(head)) => {
                head.bytes += lead;
                parsed
            }
            Ok(None) if seen == Seen::BlankLine => Err(malformed("the head ends inside a line")),
            Ok(None) if arrived.len() >= self.limits.bytes_max => Err(self.too_large()),
            Ok(None) | Err(_) => parsed,
        }
    }

    /// The connection has ended after `arrived`: what that makes of it.
    pub(crate) fn eof(&self, arrived: &[u8]) -> Error {
        let cut = |what| Error::new(ErrorKind::Truncated, what);
        if arrived.is_empty() {
            return cut("the connection ended without a response");
        }
        // What is malformed was not merely cut; it need not have been looked at yet.
        let parsed = leading_empty_lines(arrived).and_then(|lead| parse_whole(&arrived[lead..], self.limits));
        parsed.err().unwrap_or_else(|| cut("the connection ended inside the response head"))
    }

    fn too_large(&self) -> Error {
        let what = format!("response head: over {} bytes (max_head_size)", self.limits.bytes_max);
        Error::new(ErrorKind::HeadTooLarge, what)
    }

    /// Whether a parse is worth while.
    fn look(&mut self, bytes: &[u8]) -> Seen {
        if bytes.is_empty() {
            return Seen::Nothing;
        }
        if self.tries == Tries::None {
            self.tries = Tries::FirstBytes;
            return Seen::FirstBytes;
        }
        while let Some(newline) = bytes[self.scanned..].iter().position(|byte| *byte == b'\n') {
            let at = self.scanned + newline;
            match &bytes[at + 1..] {
                [b'\n', ..] | [b'\r', b'\n', ..] => return Seen::BlankLine,
                [] | [b'\r'] => {
                    self.scanned = at;
                    return self.first_line();
                }
                _ => self.scanned = at + 1,
            }
            if self.tries == Tries::FirstBytes {
                return self.first_line();
            }
        }
        self.scanned = bytes.len();
        Seen::Nothing
    }

    fn first_line(&mut self) -> Seen {
        if self.tries == Tries::FirstLine {
            return Seen::Nothing;
        }
        self.tries = Tries::FirstLine;
        Seen::FirstLine
    }
}

/// What a look at the bytes showed.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    Nothing,
    FirstBytes,
    FirstLine,
    BlankLine,
}

fn malformed(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Head, what)
}

/// How many bytes of empty lines stand before the status line.
fn leading_empty_lines(bytes: &[u8]) -> Result<usize> {
    let mut at = 0;
    for _ in 0..=EMPTY_LINES_MAX {
        match &bytes[at..] {
            [b'\n', ..] => at += 1,
            [b'\r', b'\n', ..] => at += 2,
            _ => return Ok(at),
        }
    }
    Err(malformed(format!("response head: more than {EMPTY_LINES_MAX} empty lines before it")))
}

/// The head at the start of `bytes`, or `None` if it is not all there.
fn parse_whole(bytes: &[u8], limits: HeadLimits) -> Result<Option<Head>> {
    if limits.fields_max <= FIELDS_ON_STACK {
        let mut slots = [const { MaybeUninit::uninit() }; FIELDS_ON_STACK];
        parse_into(&mut slots[..limits.fields_max], bytes, Leniency::default())
    } else {
        parse_into(&mut vec![MaybeUninit::uninit(); limits.fields_max], bytes, Leniency::default())
    }
}

/// What httparse does not take as it is; asked for only when it has refused.
#[derive(Clone, Copy, Default)]
struct Leniency<'r> {
    /// Lines may be folded.
    folds: bool,
    /// The bytes as they came, where the version was changed for httparse.
    raw: Option<&'r [u8]>,
}

fn parse_into<'a>(
    slots: &mut [MaybeUninit<httparse::Header<'a>>],
    bytes: &'a [u8],
    leniency: Leniency<'_>,
) -> Result<Option<Head>> {
    let mut config = httparse::ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(leniency.folds);
    let mut response = httparse::Response::new(&mut []);
    let fields_max = slots.len();
    match config.parse_response_with_uninit_headers(&mut response, bytes, slots) {
        Ok(httparse::Status::Partial) => Ok(None),
        Ok(httparse::Status::Complete(length)) => to_head(&bytes[..length], &response, leniency).map(Some),
        Err(httparse::Error::HeaderName) if !leniency.folds => {
            let leniency = Leniency { folds: true, ..leniency };
            parse_into(&mut vec![MaybeUninit::uninit(); fields_max], bytes, leniency)
        }
        Err(httparse::Error::Version) => match as_version_1_1(bytes) {
            Some(changed) => {
                let leniency = Leniency { raw: Some(bytes), ..leniency };
                parse_into(&mut vec![MaybeUninit::uninit(); fields_max], &changed, leniency)
            }
            None => Err(malformed(format!("response head: not HTTP/1.x but \"{}\"", excerpt(bytes)))),
        },
        Err(httparse::Error::TooManyHeaders) => {
            let what = format!("response head: over {fields_max} fields (max_headers)");
            Err(Error::new(ErrorKind::HeadTooLarge, what))
        }
        Err(error) => Err(malformed(format!("response head: {error}; it begins \"{}\"", excerpt(bytes)))),
    }
}

/// HTTP/1.2 and up read as 1.1 (RFC 9110 §2.5), which httparse does not know.
fn as_version_1_1(bytes: &[u8]) -> Option<Vec<u8>> {
    let (minor, rest) = bytes.strip_prefix(b"HTTP/1.")?.split_first()?;
    matches!(minor, b'2'..=b'9').then(|| [&b"HTTP/1.1"[..], rest].concat())
}

fn to_head(bytes: &[u8], response: &httparse::Response<'_, '_>, leniency: Leniency<'_>) -> Result<Head> {
    let code = response.code.unwrap_or_default();
    let status = StatusCode::new(code).ok_or_else(|| malformed(format!("response head: status {code:03}")))?;
    let version = if response.version == Some(0) { Version::Http10 } else { Version::Http11 };
    let raw = leniency.raw.map_or(bytes, |raw| &raw[..bytes.len()]);
    let index = raw.len()..raw.len() + response.headers.len() * INDEX_BYTES;
    let mut text = Vec::with_capacity(index.end);
    text.extend_from_slice(raw);
    let mut rewritten = Rewritten { start: index.end, text: Vec::new() };
    let mut noted = Noted::default();
    for (number, header) in response.headers.iter().enumerate() {
        let name = span_in(bytes, header.name.as_bytes());
        let value = match leniency.folds {
            true => unfold(bytes, header, &mut rewritten)?,
            false => span_in(bytes, header.value),
        };
        noted.note(header.name, number);
        text.extend_from_slice(&Field { name, value }.entry());
    }
    let reason = match response.reason {
        Some("") | None => raw_reason(bytes, &mut rewritten),
        Some(reason) => span_in(bytes, reason.as_bytes()),
    };
    text.extend_from_slice(&rewritten.text);
    let index = Span { start: index.start as u32, end: index.end as u32 };
    Ok(Head { version, status, headers: Headers::from_block(text, index), reason, bytes: bytes.len(), noted })
}

/// What could not stay as it came; it will lie behind the index.
struct Rewritten {
    start: usize,
    text: Vec<u8>,
}

impl Rewritten {
    fn put(&mut self, bytes: &[u8]) -> Span {
        let start = self.start + self.text.len();
        self.text.extend_from_slice(bytes);
        Span { start: start as u32, end: (start + bytes.len()) as u32 }
    }
}

/// Where `part`, which lies in `whole`, begins and ends.
fn span_in(whole: &[u8], part: &[u8]) -> Span {
    let offset = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    let start = if part.is_empty() { 0 } else { offset as u32 }; // what is empty may lie anywhere
    Span { start, end: start + part.len() as u32 }
}

/// The value on one line: as it lies there, or put behind the raw head (RFC 9112 §5.2: each fold
/// is a space). Where the body ends must not depend on how a recipient unfolds, so fields of
/// framing must not be folded.
fn unfold(bytes: &[u8], header: &httparse::Header<'_>, rewritten: &mut Rewritten) -> Result<Span> {
    let name = span_in(bytes, header.name.as_bytes());
    // httparse trims a fold at the value's ends away: so look at all that follows the name.
    let mut behind_line = bytes[name.end as usize..].iter().skip_while(|byte| **byte != b'\n').skip(1);
    let is_folded = matches!(behind_line.next(), Some(b' ' | b'\t'));
    if !is_folded {
        return Ok(span_in(bytes, header.value));
    }
    if ["content-length", "transfer-encoding"].iter().any(|framing| framing.eq_ignore_ascii_case(header.name)) {
        let what = format!("response head: {} is folded over two lines", header.name);
        return Err(Error::new(ErrorKind::Framing, what));
    }
    let lines = header.value.split(|byte| *byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line).trim_ascii_blanks());
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    Ok(rewritten.put(&lines.join(&b' ')))
}

/// The reason phrase from the raw line, since httparse drops one with obs-text. One that is not
/// UTF-8 is put behind the raw head with its odd bytes replaced.
fn raw_reason(bytes: &[u8], rewritten: &mut Rewritten) -> Span {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let reason = line.get("HTTP/1.1 200 ".len()..).unwrap_or_default().trim_ascii_blanks();
    match std::str::from_utf8(reason) {
        Ok(reason) => span_in(bytes, reason.as_bytes()),
        Err(_) => rewritten.put(String::from_utf8_lossy(reason).as_bytes()),
    }
}

/// How a request says how long its body is (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announced {
    /// Nothing is said: no body, and none expected.
    Nothing,
    /// Content-Length.
    Length(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
}

/// Who reads a request's head first, and so whom Proxy-Authorization is for (RFC 9110 §11.7.2).
#[derive(Clone, Copy)]
pub(crate) enum NextHop<'a> {
    /// The server, and nobody knows of a proxy: all fields go to whom they are sent.
    Origin,
    /// The server, past a proxy or through its tunnel: what is for the proxy is not for the server.
    OriginPastProxy,
    /// A proxy that is asked for the whole URL, and the fields that are for it alone.
    Proxy { fields: &'a Headers },
}

/// What a request head is made of.
pub(crate) struct RequestHead<'a> {
    pub(crate) method: &'a Method,
    /// In origin-form, or for a proxy in absolute-form.
    pub(crate) target: &'a str,
    pub(crate) next_hop: NextHop<'a>,
    pub(crate) authority: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) announced: Announced,
    pub(crate) expects_continue: bool,
    pub(crate) headers: &'a Headers,
}

impl RequestHead<'_> {
    /// Writes the head, piece by piece: Host first (RFC 9110 §7.2), then ours, then the caller's.
    /// Of Host, User-Agent, Accept and what is for the proxy alone the caller's stands alone. Each
    /// line brings the end of the one before.
    pub(crate) fn encode(&self, put: &mut impl FnMut(&[u8])) {
        put(self.method.as_str().as_bytes());
        put(b" ");
        put(self.target.as_bytes());
        put(b" HTTP/1.1\r\nHost: ");
        put(self.headers.get_bytes("host").unwrap_or(self.authority.as_bytes()));
        if !self.user_agent.is_empty() && !self.sets("user-agent") {
            put(b"\r\nUser-Agent: ");
            put(self.user_agent.as_bytes());
        }
        if !self.sets("accept") {
            put(b"\r\nAccept: */*");
        }
        match self.announced {
            Announced::Nothing => {}
            Announced::Length(length) => {
                put(b"\r\nContent-Length: ");
                put(Decimal::of(length).as_bytes());
            }
            Announced::Chunked => put(b"\r\nTransfer-Encoding: chunked"),
        }
        if self.expects_continue {
            put(b"\r\nExpect: 100-continue");
        }
        if let NextHop::Proxy { fields } = self.next_hop {
            for (name, value) in fields.iter().filter(|(name, _)| !self.headers.contains(name)) {
                put_field(name, value, put);
            }
        }
        let is_past_proxy = matches!(self.next_hop, NextHop::OriginPastProxy);
        for (name, value) in self.headers.iter() {
            let said = name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case("content-length");
            let is_secret = is_past_proxy && name.eq_ignore_ascii_case("proxy-authorization");
            if !said && !is_secret {
                put_field(name, value, put);
            }
        }
        put(b"\r\n\r\n");
    }

    /// Whether the caller sets `name`, for the server or for the proxy that is asked.
    fn sets(&self, name: &str) -> bool {
        let by_proxy = matches!(self.next_hop, NextHop::Proxy { fields } if fields.contains(name));
        by_proxy || self.headers.contains(name)
    }
}

/// Writes a field line behind the end of the line before.
fn put_field(name: &str, value: &[u8], put: &mut impl FnMut(&[u8])) {
    put(b"\r\n");
    put(name.as_bytes());
    put(b": ");
    put(value);
}

/// A number in decimal digits, without an allocation.
struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    fn of(mut number: u64) -> Decimal {
        let mut decimal = Decimal { digits: [b'0'; 20], start: 20 };
        loop {
            decimal.start -= 1;
            decimal.digits[decimal.start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return decimal;
            }
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { bytes_max: 1024, fields_max: 8 };

    fn whole(bytes: &[u8]) -> Result<Option<Head>> {
        HeadParser::new(LIMITS).parse(bytes)
    }

    fn bytewise(bytes: &[u8]) -> Result<Option<Head>> {
        let mut parser = HeadParser::new(LIMITS);
        for end in 1..=bytes.len() {
            if let Some(done) = parser.parse(&bytes[..end])? {
                return Ok(Some(done));
            }
        }
        Ok(None)
    }

    #[test]
    fn a_head_is_the_same_whole_and_byte_by_byte() {
        let text = b"\r\nHTTP/1.1 200 Fine\r\nA: 1\r\nb:\t2 \r\nA:\r\n\r\nbody";
        for head in [whole(text), bytewise(text)].map(|parsed| parsed.unwrap().unwrap()) {
            assert_eq!(head.bytes, text.len() - 4);
            assert_eq!((head.status.as_u16(), head.reason()), (200, "Fine"));
            let fields: Vec<_> = head.headers.iter().collect();
            assert_eq!(fields, [("A", &b"1"[..]), ("b", b"2"), ("A", b"")]);
            assert_eq!(head.raw(), &text[2..head.bytes]);
        }
    }

    #[test]
    fn junk_is_refused_at_the_end_of_its_first_line() {
        let mut parser = HeadParser::new(LIMITS);
        let text = b"SSH-2.0-OpenSSH_9.2\r\n";
        assert!((1..text.len()).all(|end| matches!(parser.parse(&text[..end]), Ok(None) | Err(_))));
        assert_eq!(whole(text).err().unwrap().kind(), ErrorKind::Head);
        assert_eq!(bytewise(text).err().unwrap().kind(), ErrorKind::Head);
    }

    #[test]
    fn junk_is_refused_although_more_came_with_its_first_line() {
        assert_eq!(whole(b"SSH-2.0-OpenSSH_9.2\r\nmore").err().unwrap().kind(), ErrorKind::Head);
        let mut parser = HeadParser::new(LIMITS);
        let text = b"HTTP/1.1 2x0 OK\r\nServer: x";
        assert!(parser.parse(&text[..9]).unwrap().is_none());
        assert_eq!(parser.parse(text).err().unwrap().kind(), ErrorKind::Head);
    }

    #[test]
    fn junk_is_shown_by_its_first_bytes() {
        let message = whole(b"SSH-2.0-OpenSSH_9.2 and its long tail\r\n").err().unwrap().to_string();
        assert_eq!(message, "response head: not HTTP/1.x but \"SSH-2.0-OpenSSH_9.2 and its long tail\\r\\n\"");
        let message = whole(b"HTTP/1.1 2x0\r\n").err().unwrap().to_string();
        assert_eq!(message, "response head: invalid response status; it begins \"HTTP/1.1 2x0\\r\\n\"");
    }

    #[test]
    fn only_the_fields_that_frame_are_noted_and_none_of_the_same_length() {
        use Lines::{None, One, Several};
        let noted = |name: &str, numbers: &[usize]| {
            let mut noted = Noted::default();
            numbers.iter().for_each(|number| noted.note(name, *number));
            [noted.content_length, noted.transfer_encoding, noted.connection, noted.keep_alive]
        };
        assert_eq!(noted("Content-Length", &[7]), [One(7), None, None, None]);
        assert_eq!(noted("Transfer-Encoding", &[0, 1]), [None, Several, None, None]);
        assert_eq!(noted("Connection", &[65_535]), [None, None, One(65_535), None]);
        assert_eq!(noted("Connection", &[65_536]), [None, None, Several, None]);
        assert_eq!(noted("Keep-Alive", &[1, 2, 3]), [None, None, None, Several]);
        for other in ["User-Agent", "Accept-Charset", "If-Modified-Since", "Date"] {
            assert_eq!(noted(other, &[0]), [None; 4], "{other}");
        }
    }

    #[test]
    fn a_fold_is_a_space_but_not_in_framing() {
        let head = whole(b"HTTP/1.1 200 OK\r\nA: one\r\n \t two\r\nB: x\r\nC: 3\r\n 4\r\n\r\n").unwrap().unwrap();
        let fields: Vec<_> = head.headers.iter().collect();
        assert_eq!(fields, [("A", &b"one two"[..]), ("B", b"x"), ("C", b"3 4")]);
        for length in ["\r\n 5", "5\r\n ", " \n\t5"] {
            let folded = whole(format!("HTTP/1.1 200 OK\r\nContent-Length:{length}\r\n\r\n").as_bytes());
            assert_eq!(folded.err().unwrap().kind(), ErrorKind::Framing, "{length:?}");
        }
    }

    #[test]
    fn a_higher_minor_version_counts_as_1_1() {
        let text = b"HTTP/1.7 200 OK\r\n\r\n";
        for split in 1..text.len() {
            let mut parser = HeadParser::new(LIMITS);
            assert!(parser.parse(&text[..split]).unwrap().is_none(), "split at {split}");
            let head = parser.parse(text).unwrap().unwrap();
            assert_eq!((head.version, head.raw()), (Version::Http11, &text[..]));
        }
        assert_eq!(whole(b"HTTP/2.0 200 OK\r\n\r\n").err().unwrap().kind(), ErrorKind::Head);
    }

    #[test]
    fn the_limits_hold_on_both_sides() {
        let head = |bytes: usize| {
            let mut text = b"HTTP/1.1 200 OK\r\nA: ".to_vec();
            text.resize(bytes - 4, b'x');
            text.extend_from_slice(b"\r\n\r\n");
            text
        };
        assert!(whole(&head(1024)).unwrap().is_some());
        assert!(bytewise(&head(1024)).unwrap().is_some());
        assert_eq!(whole(&head(1025)).err().unwrap().kind(), ErrorKind::HeadTooLarge);
        assert_eq!(bytewise(&head(1025)).err().unwrap().kind(), ErrorKind::HeadTooLarge);
        let unfinished = |bytes: usize| whole(&head(9999)[..bytes]).map_err(|error| error.kind());
        assert!(unfinished(1023).unwrap().is_none());
        assert_eq!(unfinished(1024).err(), Some(ErrorKind::HeadTooLarge), "there is no room for its end");
        let fields = |count: usize| ["HTTP/1.1 200 OK\r\n", &"A: 1\r\n".repeat(count), "\r\n"].concat();
        assert!(whole(fields(8).as_bytes()).unwrap().is_some());
        assert_eq!(whole(fields(9).as_bytes()).err().unwrap().kind(), ErrorKind::HeadTooLarge);
        let many = HeadLimits { bytes_max: 9999, fields_max: FIELDS_ON_STACK + 1 };
        let parsed = |count: usize| HeadParser::new(many).parse(fields(count).as_bytes());
        assert_eq!(parsed(many.fields_max).unwrap().unwrap().headers.len(), many.fields_max);
        assert_eq!(parsed(many.fields_max + 1).err().unwrap().kind(), ErrorKind::HeadTooLarge);
    }

    #[test]
    fn a_reason_with_odd_bytes_is_read_all_the_same() {
        let head = whole(b"HTTP/1.1 404 Pas trouv\xe9\r\n\r\n").unwrap().unwrap();
        assert_eq!(head.reason(), "Pas trouv\u{fffd}");
        let head = whole("HTTP/1.1 404 Näh\r\n\r\n".as_bytes()).unwrap().unwrap();
        assert_eq!(head.reason(), "Näh");
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 9, 10, 65535, u64::MAX] {
            assert_eq!(Decimal::of(number).as_bytes(), number.to_string().as_bytes());
        }
    }

    /// A POST of three bytes to `/a`, with these fields of the caller's.
    fn encoded(user_agent: &str, fields: &[(&str, &str)]) -> String {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.append(name, value).unwrap();
        }
        let head = RequestHead {
            method: &Method::POST,
            target: "/a",
            next_hop: NextHop::Origin,
            authority: "here",
            user_agent,
            announced: Announced::Length(3),
            expects_continue: false,
            headers: &headers,
        };
        let mut text = Vec::new();
        head.encode(&mut |bytes| text.extend_from_slice(bytes));
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn host_comes_first_and_the_callers_own_stands_alone() {
        let text = encoded("me", &[("X-B", "2"), ("Accept", "text/html"), ("Host", "other")]);
        let want = "POST /a HTTP/1.1\r\nHost: other\r\nUser-Agent: me\r\nContent-Length: 3\r\nX-B: 2\r\nAccept: text/html\r\n\r\n";
        assert_eq!(text, want);
        let text = encoded("me", &[("User-Agent", "you"), ("Content-Length", "3")]);
        let want = "POST /a HTTP/1.1\r\nHost: here\r\nAccept: */*\r\nContent-Length: 3\r\nUser-Agent: you\r\n\r\n";
        assert_eq!(text, want);
        let want = "POST /a HTTP/1.1\r\nHost: here\r\nAccept: */*\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(encoded("", &[]), want);
    }

    #[test]
    fn of_what_both_set_the_request_stands_before_the_proxy_and_that_before_the_client() {
        let (mut its, mut mine) = (Headers::new(), Headers::new());
        its.append("user-agent", "its").unwrap();
        its.append("ACCEPT", "its").unwrap();
        mine.append("Accept", "mine").unwrap();
        let head = RequestHead {
            method: &Method::GET,
            target: "http://here/",
            next_hop: NextHop::Proxy { fields: &its },
            authority: "here",
            user_agent: "me",
            announced: Announced::Nothing,
            expects_continue: false,
            headers: &mine,
        };
        let mut text = Vec::new();
        head.encode(&mut |bytes| text.extend_from_slice(bytes));
        let want = "GET http://here/ HTTP/1.1\r\nHost: here\r\nuser-agent: its\r\nAccept: mine\r\n\r\n";
        assert_eq!(String::from_utf8(text).unwrap(), want);
    }

    #[test]
    fn proxy_authorization_does_not_go_past_a_proxy() {
        let (mut by_hand, mut its, none) = (Headers::new(), Headers::new(), Headers::new());
        by_hand.append("proxy-authorization", "mine").unwrap();
        its.append("Proxy-Authorization", "its").unwrap();
        its.append("X-For-Proxy", "1").unwrap();
        let proxy = |fields| NextHop::Proxy { fields };
        let cases = [
            (NextHop::Origin, &by_hand, "proxy-authorization: mine\r\n"),
            (NextHop::Origin, &none, ""),
            (NextHop::OriginPastProxy, &by_hand, ""),
            (proxy(&none), &by_hand, "proxy-authorization: mine\r\n"),
            (proxy(&its), &by_hand, "X-For-Proxy: 1\r\nproxy-authorization: mine\r\n"),
            (proxy(&its), &none, "Proxy-Authorization: its\r\nX-For-Proxy: 1\r\n"),
            (proxy(&none), &none, ""),
        ];
        for (next_hop, headers, want) in cases {
            let (method, announced) = (&Method::GET, Announced::Nothing);
            let (target, authority, user_agent) = ("/", "here", "");
            let expects_continue = false;
            let head =
                RequestHead { method, target, next_hop, authority, user_agent, announced, expects_continue, headers };
            let mut text = Vec::new();
            head.encode(&mut |bytes| text.extend_from_slice(bytes));
            let want = format!("GET / HTTP/1.1\r\nHost: here\r\nAccept: */*\r\n{want}\r\n");
            assert_eq!(String::from_utf8(text).unwrap(), want);
        }
    }
}
