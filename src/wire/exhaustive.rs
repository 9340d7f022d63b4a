//! All short inputs, compared with an independent implementation of the RFCs' grammar.
//!
//! Nearly all bugs of a parser show on inputs of a few symbols. So all inputs up to six symbols (seven in
//! the long form), over an alphabet with one symbol of each kind, go through the chunked decoder at
//! every split: from its start, and from states that short inputs do not reach. Values of the framing
//! fields go through whole heads. The expected outcome is computed by [`abnf`], which shares no code
//! with the parsers.
//!
//! The long form takes some minutes, exists in release builds only, and is started by hand:
//! `cargo test --release --lib exhaustive -- --ignored`.

use crate::error::ErrorKind;
use crate::method::Method;
use crate::reuse::{CloseReason, KeepAlive, Reuse};
use crate::status::{StatusCode, Version};
use crate::wire::chunked::Chunked;
use crate::wire::framing::{Framing, of_response, reuse};
use crate::wire::head_lines::InvalidLines;
use crate::wire::response_head::{Head, HeadLimits, HeadParser};
use crate::wire::step::Step;

/// One symbol of each kind: zero, another digit, a hex letter, a letter, a sign, the delimiters of an
/// extension, whitespace, line ends, a control character, obs-text.
const CHUNK_SYMBOLS: &[u8] = b"01ag+;\" \t\r\n\x01\xe9";

/// The same for the text after the semicolon of a chunk line.
const EXTENSION_SYMBOLS: &[u8] = b"a1=;\"\\ \t\r\n\x7f\xe9";

/// The same for a trailer section.
const TRAILER_SYMBOLS: &[u8] = b"a0:\" \t\r\n\x01\xe9";

/// Where a short input begins: the bytes before it, and the symbols that matter there.
struct Context {
    before: &'static [u8],
    symbols: &'static [u8],
}

const START: Context = Context { before: b"", symbols: CHUNK_SYMBOLS };

/// States that a short input does not reach from the start.
const DEEP: [Context; 8] = [
    Context { before: b"5\r\nhell", symbols: CHUNK_SYMBOLS },
    Context { before: b"5\r\nhello", symbols: CHUNK_SYMBOLS },
    Context { before: b"5\r\nhello\r\n", symbols: CHUNK_SYMBOLS },
    Context { before: b"0fffffffffffffff", symbols: CHUNK_SYMBOLS },
    Context { before: b"1;", symbols: EXTENSION_SYMBOLS },
    Context { before: b"1;a=\"", symbols: EXTENSION_SYMBOLS },
    Context { before: b"0\r\n", symbols: TRAILER_SYMBOLS },
    Context { before: b"0\r\na:0\r\n", symbols: TRAILER_SYMBOLS },
];

#[test]
fn every_chunked_body_of_six_symbols_is_what_the_grammar_says_at_every_split() {
    assert_eq!(Walk::all(&START, 6), inputs(CHUNK_SYMBOLS.len(), 6));
}

#[test]
fn every_five_symbols_deep_in_a_chunked_body_are_what_the_grammar_says_at_every_split() {
    for context in &DEEP {
        assert_eq!(Walk::all(context, 5), inputs(context.symbols.len(), 5));
    }
}

#[cfg(not(debug_assertions))] // hours
#[test]
#[ignore = "long: some minutes, with --release"]
fn every_chunked_body_of_seven_symbols_is_what_the_grammar_says_at_every_split() {
    for context in [&START].into_iter().chain(&DEEP) {
        let length = if context.before.is_empty() { 7 } else { 6 };
        assert_eq!(Walk::all(context, length), inputs(context.symbols.len(), length));
    }
}

/// Returns the number of inputs of up to `length` symbols, with the empty one.
fn inputs(symbols: usize, length: u32) -> usize {
    (0..=length).map(|length| symbols.pow(length)).sum()
}

/// Visits all inputs depth first. The decoder's state after each prefix is kept, so that an input costs
/// one run of the decoder for each position at which it may be split.
struct Walk {
    context: &'static Context,
    /// The prefix, without the context.
    bytes: Vec<u8>,
    /// The state after each of its prefixes, the empty one first, fed byte by byte.
    states: Vec<State>,
    /// The expected outcome of each of them.
    expected: Vec<abnf::Outcome>,
    inputs: usize,
}

/// A decoder and the outcome of the bytes so far.
#[derive(Clone, Debug, PartialEq)]
struct State {
    decoder: Chunked,
    body: Vec<u8>,
    reached: Reached,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reached {
    Open,
    Rejected,
    /// The body has ended, `bytes_after` bytes before the end of the input.
    Ended {
        bytes_after: usize,
    },
}

impl State {
    /// Passes the bytes to the decoder at once.
    fn feed(&mut self, mut bytes: &[u8]) {
        loop {
            match self.decoder.step(bytes) {
                Ok(Step::Data { skip, len }) => {
                    self.body.extend_from_slice(&bytes[skip..skip + len]);
                    self.decoder.advance(len);
                    bytes = &bytes[skip + len..];
                }
                Ok(Step::More { skip }) => {
                    assert_eq!(skip, bytes.len(), "a byte was not consumed");
                    return;
                }
                Ok(Step::End { skip }) => {
                    self.reached = Reached::Ended { bytes_after: bytes.len() - skip };
                    return;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Chunk);
                    self.reached = Reached::Rejected;
                    return;
                }
            }
        }
    }

    /// Returns whether this is the outcome of the same bytes in other pieces.
    fn is_same(&self, other: &State) -> bool {
        let is_over = self.reached != Reached::Open;
        self.reached == other.reached && self.body == other.body && (is_over || self.decoder == other.decoder)
    }
}

impl Walk {
    /// Checks all inputs of up to `length` symbols, and returns their number.
    fn all(context: &'static Context, length: u32) -> usize {
        let mut state = State { decoder: Chunked::new(), body: Vec::new(), reached: Reached::Open };
        state.feed(context.before);
        let outcome = abnf::chunked_body(context.before, abnf::Dialect::Lenient);
        assert_eq!(
            (state.reached, &outcome.kind),
            (Reached::Open, &abnf::Kind::Open),
            "the context is not a prefix of a body"
        );
        let (states, expected) = (vec![state], vec![outcome]);
        let mut walk = Walk { context, bytes: Vec::new(), states, expected, inputs: 1 };
        walk.extend(length);
        walk.inputs
    }

    fn extend(&mut self, left: u32) {
        if left == 0 {
            return;
        }
        for symbol in self.context.symbols {
            self.bytes.push(*symbol);
            self.inputs += 1;
            let state = self.state();
            let outcome = self.outcome();
            self.compare(&state, &outcome);
            self.states.push(state);
            self.expected.push(outcome);
            self.extend(left - 1);
            self.states.pop();
            self.expected.pop();
            self.bytes.pop();
        }
    }

    /// Returns the state after `bytes`, which must be the same at every split. Two pieces are enough: the
    /// state after the first one is known to be the same at every split of that piece.
    fn state(&self) -> State {
        let last = self.bytes.len() - 1;
        let mut state = self.states[last].clone();
        match &mut state.reached {
            Reached::Open => state.feed(&self.bytes[last..]),
            Reached::Ended { bytes_after } => *bytes_after += 1,
            Reached::Rejected => {}
        }
        for split in 0..last {
            if self.states[split].reached == Reached::Open {
                let mut other = self.states[split].clone();
                other.feed(&self.bytes[split..]);
                assert!(other.is_same(&state), "{}, split at {split}:\n{other:?}\n{state:?}", self.shown());
            }
        }
        state
    }

    /// Returns the outcome that the grammar has for `bytes`. A rejected prefix is rejected with any bytes
    /// after it.
    fn outcome(&self) -> abnf::Outcome {
        let before = &self.expected[self.bytes.len() - 1];
        match before.kind {
            abnf::Kind::Open => {}
            _ => return before.clone(),
        }
        let text = [self.context.before, &self.bytes].concat();
        let outcome = abnf::chunked_body(&text, abnf::Dialect::Lenient);
        let strict = abnf::chunked_body(&text, abnf::Dialect::Rfc);
        // The decoder accepts more than the RFC has, never less, and only if a size is padded or extended.
        let is_plain = !text.iter().any(|byte| b"; \t".contains(byte));
        if matches!(strict.kind, abnf::Kind::Complete { .. }) || is_plain {
            assert_eq!(strict, outcome, "{}", self.shown());
        }
        outcome
    }

    fn compare(&self, state: &State, outcome: &abnf::Outcome) {
        let is_same = match (state.reached, &outcome.kind) {
            (Reached::Open, abnf::Kind::Open) | (Reached::Rejected, abnf::Kind::Rejected) => true,
            (Reached::Ended { bytes_after }, abnf::Kind::Complete { used, trailers }) => {
                let fields = state.decoder.trailers();
                let fields = fields.iter().map(|(name, value)| (name.as_bytes(), value));
                self.context.before.len() + self.bytes.len() == used + bytes_after
                    && fields.eq(trailers.iter().map(|(name, value)| (&name[..], &value[..])))
            }
            _ => false,
        };
        let is_same = is_same && state.body == outcome.body;
        assert!(is_same, "{}:\n{state:?}\n{outcome:?}", self.shown());
    }

    fn shown(&self) -> String {
        format!("\"{}\" after \"{}\"", self.bytes.escape_ascii(), self.context.before.escape_ascii())
    }
}

/// A field that frames a message or manages the connection, with its special values.
struct Field {
    name: &'static str,
    /// A field line before it, if the outcome would otherwise be the same for all values.
    other: &'static str,
    /// The status lines on which the outcome depends.
    before: &'static [(Version, StatusCode)],
    symbols: &'static [&'static [u8]],
}

const WITH_BODY: [(Version, StatusCode); 2] = [(Version::Http11, StatusCode::OK), (Version::Http10, StatusCode::OK)];
const ALL: [(Version, StatusCode); 4] = [
    WITH_BODY[0],
    WITH_BODY[1],
    (Version::Http11, StatusCode::NO_CONTENT),
    (Version::Http11, StatusCode::NOT_MODIFIED),
];

/// Without a length, every connection would end with its body.
const LENGTH: &str = "Content-Length: 0\r\n";

/// The fields, and the symbols of their values.
const FIELDS: [Field; 4] = [
    Field { name: "Content-Length", other: "", before: &ALL, symbols: &[b"0", b"5", b",", b" ", b"\t", b"+", b"\xe9"] },
    Field {
        name: "Transfer-Encoding",
        other: "",
        before: &ALL,
        symbols: &[b"chunked", b"Chunked", b",", b" ", b";", b"\"", b"x"],
    },
    Field {
        name: "Connection",
        other: LENGTH,
        before: &WITH_BODY,
        symbols: &[b"close", b"Keep-Alive", b",", b" ", b";", b"\"", b"x"],
    },
    Field {
        name: "Keep-Alive",
        other: LENGTH,
        before: &WITH_BODY,
        symbols: &[b"timeout", b"Max=", b"=", b",", b" ", b"0", b"5"],
    },
];

/// One symbol of each kind in any value, with those that end the line or make it malformed.
const ANY_SYMBOLS: &[&[u8]] = &[b"5", b"a", b"+", b";", b"\"", b",", b" ", b"\t", b"\r", b"\n", b"\x01", b"\xe9"];

#[test]
fn every_value_of_six_symbols_frames_as_the_grammar_says() {
    for field in &FIELDS {
        assert_eq!(check_values(field, field.symbols, 6), inputs(field.symbols.len(), 6));
    }
}

#[test]
fn every_value_of_four_symbols_that_may_break_lines_frames_as_the_grammar_says() {
    for field in &FIELDS {
        assert_eq!(check_values(field, ANY_SYMBOLS, 4), inputs(ANY_SYMBOLS.len(), 4));
    }
}

#[cfg(not(debug_assertions))] // hours
#[test]
#[ignore = "long: some minutes, with --release"]
fn every_value_of_seven_symbols_frames_as_the_grammar_says() {
    for field in &FIELDS {
        assert_eq!(check_values(field, field.symbols, 7), inputs(field.symbols.len(), 7));
        assert_eq!(check_values(field, ANY_SYMBOLS, 6), inputs(ANY_SYMBOLS.len(), 6));
    }
}

/// Checks heads with all values of up to `length` symbols, and returns their number.
fn check_values(field: &Field, symbols: &[&[u8]], length: u32) -> usize {
    let before = format!("HTTP/1.1 200 OK\r\n{}{}:", field.other, field.name).into_bytes();
    let mut count = 0;
    each_value(symbols, length, &mut Vec::new(), &mut |value| {
        count += 1;
        check_head(&[&before, value, b"\r\n\r\n"].concat(), field.before);
    });
    count
}

fn each_value(symbols: &[&[u8]], left: u32, value: &mut Vec<u8>, check: &mut impl FnMut(&[u8])) {
    check(value);
    if left > 0 {
        for symbol in symbols {
            value.extend_from_slice(symbol);
            each_value(symbols, left - 1, value, check);
            value.truncate(value.len() - symbol.len());
        }
    }
}

/// How a response to GET is framed, and what happens to its connection.
type Meaning = Result<(Framing, Reuse), ErrorKind>;

/// Checks that the head in `text` has the outcome that the grammar has for it, with each of these in its
/// status line.
fn check_head(text: &[u8], status_lines: &[(Version, StatusCode)]) {
    let limits = HeadLimits { bytes_max: 1024, fields_max: 8 };
    let parsed = HeadParser::new(limits, InvalidLines::Reject).parse(text).map_err(|error| error.kind());
    match (parsed, abnf::head(text)) {
        (Ok(parsed), Ok(expected)) => {
            let mut head = parsed.expect("it has an empty line");
            assert_eq!(head.bytes, expected.used, "the head's length: {}", text.escape_ascii());
            assert!(head.headers.iter().map(|(name, value)| (name.as_bytes(), value)).eq(expected.fields()));
            for &(version, status) in status_lines {
                (head.version, head.status) = (version, status);
                let expected = abnf::meaning(&expected, version == Version::Http10, status.as_u16());
                assert_eq!(meaning(&head), expected, "{version} {status}: {}", text.escape_ascii());
            }
        }
        (parsed, expected) => assert_eq!(parsed.err(), expected.err(), "{}", text.escape_ascii()),
    }
}

fn meaning(head: &Head) -> Meaning {
    let framing = of_response(&Method::GET, head).map_err(|error| error.kind())?;
    Ok((framing, reuse(head, framing, false)))
}

/// The grammar of RFC 9112 and RFC 9110, rule by rule, on complete input. Each rule takes the input and
/// a position in it, and returns the position after what it matched. No code of the parsers may be
/// reused here, except the types of the outcome.
mod abnf {
    use super::{CloseReason, ErrorKind, Framing, KeepAlive, Meaning, Reuse};

    /// Why a rule does not match.
    #[derive(Debug)]
    enum Stop {
        /// The input has ended; with more input it may match.
        Incomplete,
        /// It cannot match with any more input.
        Mismatch,
    }

    type Parsed = Result<usize, Stop>;

    #[derive(Clone, Copy, PartialEq)]
    pub(super) enum Dialect {
        /// The RFC's.
        Rfc,
        /// Whitespace may follow a chunk-size, and all bytes of a field value a semicolon.
        Lenient,
    }

    /// The expected outcome of a chunked body.
    #[derive(Clone, Debug, PartialEq)]
    pub(super) struct Outcome {
        pub(super) kind: Kind,
        pub(super) body: Vec<u8>,
    }

    #[derive(Clone, Debug, PartialEq)]
    pub(super) enum Kind {
        Open,
        Rejected,
        Complete { used: usize, trailers: Vec<(Vec<u8>, Vec<u8>)> },
    }

    /// chunked-body = *chunk last-chunk trailer-section CRLF
    pub(super) fn chunked_body(input: &[u8], dialect: Dialect) -> Outcome {
        let mut body = Vec::new();
        let mut trailers = Vec::new();
        let parsed = chunks(input, dialect, &mut body).and_then(|at| trailer_section(input, at, &mut trailers));
        let kind = match parsed {
            Ok(used) => Kind::Complete { used, trailers },
            Err(Stop::Incomplete) => Kind::Open,
            Err(Stop::Mismatch) => Kind::Rejected,
        };
        Outcome { kind, body }
    }

    /// *chunk last-chunk, where
    /// chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF and last-chunk = 1*("0") [ chunk-ext ] CRLF
    fn chunks(input: &[u8], dialect: Dialect, body: &mut Vec<u8>) -> Parsed {
        let mut at = 0;
        loop {
            let (size, digits_end) = chunk_size(input, at)?;
            at = match dialect {
                Dialect::Rfc => chunk_ext(input, digits_end)?,
                Dialect::Lenient => lenient_chunk_ext(input, digits_end)?,
            };
            at = crlf(input, at)?;
            if size == 0 {
                return Ok(at);
            }
            let data_end = usize::try_from(size).map_or(usize::MAX, |size| at.saturating_add(size));
            if data_end > input.len() {
                body.extend_from_slice(&input[at..]);
                return Err(Stop::Incomplete);
            }
            body.extend_from_slice(&input[at..data_end]);
            at = crlf(input, data_end)?;
        }
    }

    /// chunk-size = 1*HEXDIG, of a number below 2^64
    fn chunk_size(input: &[u8], at: usize) -> Result<(u64, usize), Stop> {
        let first_end = one(input, at, |byte| byte.is_ascii_hexdigit())?;
        let end = many(input, first_end, |byte| byte.is_ascii_hexdigit());
        let zeros_end = many(input, at, |byte| byte == b'0');
        match std::str::from_utf8(&input[zeros_end..end]) {
            Ok("") => Ok((0, end)),
            Ok(digits) => u64::from_str_radix(digits, 16).map(|size| (size, end)).map_err(|_| Stop::Mismatch),
            Err(_) => Err(Stop::Mismatch),
        }
    }

    /// chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
    /// chunk-ext-val = token / quoted-string
    fn chunk_ext(input: &[u8], mut at: usize) -> Parsed {
        loop {
            let semicolon = many(input, at, is_whitespace);
            match input.get(semicolon) {
                Some(b';') => {}
                None if semicolon > at => return Err(Stop::Incomplete),
                _ => return Ok(at),
            }
            at = token(input, many(input, semicolon + 1, is_whitespace))?;
            let equals = many(input, at, is_whitespace);
            if input.get(equals) == Some(&b'=') {
                let value = many(input, equals + 1, is_whitespace);
                at = match input.get(value) {
                    Some(b'"') => quoted_string(input, value)?,
                    _ => token(input, value)?,
                };
            }
        }
    }

    /// Lenient: *( SP / HTAB ) [ ";" *( HTAB / SP / VCHAR / obs-text ) ]
    fn lenient_chunk_ext(input: &[u8], at: usize) -> Parsed {
        let at = many(input, at, is_whitespace);
        match input.get(at) {
            Some(b';') => Ok(many(input, at + 1, is_text)),
            _ => Ok(at),
        }
    }

    /// quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE
    fn quoted_string(input: &[u8], at: usize) -> Parsed {
        let mut at = one(input, at, |byte| byte == b'"')?;
        loop {
            at = match input.get(at) {
                Some(b'"') => return Ok(at + 1),
                Some(b'\\') => one(input, at + 1, is_text)?,
                _ => one(input, at, is_text)?,
            };
        }
    }

    /// trailer-section = *( field-line CRLF ), and the CRLF after it. Lines are parsed once
    /// all of them are complete.
    fn trailer_section(input: &[u8], mut at: usize, fields: &mut Vec<(Vec<u8>, Vec<u8>)>) -> Parsed {
        let mut lines = Vec::new();
        loop {
            let end = many(input, at, is_text);
            let next = crlf(input, end)?;
            if end == at {
                for line in lines {
                    fields.push(field_line(line).map_err(|_| Stop::Mismatch)?); // the line is complete
                }
                return Ok(next);
            }
            lines.push(&input[at..end]);
            at = next;
        }
    }

    /// field-line = field-name ":" OWS field-value OWS
    fn field_line(line: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Stop> {
        let name_end = token(line, 0)?;
        let colon_end = one(line, name_end, |byte| byte == b':')?;
        Ok((line[..name_end].to_vec(), trim(&line[colon_end..]).to_vec()))
    }

    /// token = 1*tchar
    fn token(input: &[u8], at: usize) -> Parsed {
        let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        Ok(many(input, one(input, at, is_tchar)?, is_tchar))
    }

    fn crlf(input: &[u8], at: usize) -> Parsed {
        let at = one(input, at, |byte| byte == b'\r')?;
        one(input, at, |byte| byte == b'\n')
    }

    fn one(input: &[u8], at: usize, is: impl Fn(u8) -> bool) -> Parsed {
        match input.get(at) {
            None => Err(Stop::Incomplete),
            Some(byte) if is(*byte) => Ok(at + 1),
            Some(_) => Err(Stop::Mismatch),
        }
    }

    fn many(input: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
        at + input[at..].iter().take_while(|byte| is(**byte)).count()
    }

    fn is_whitespace(byte: u8) -> bool {
        byte == b' ' || byte == b'\t'
    }

    /// HTAB / SP / VCHAR / obs-text
    fn is_text(byte: u8) -> bool {
        byte == b'\t' || (0x20..=0x7e).contains(&byte) || byte >= 0x80
    }

    fn trim(mut bytes: &[u8]) -> &[u8] {
        while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
            bytes = rest;
        }
        bytes
    }

    /// The fields of a response head, and where it ends.
    pub(super) struct Head {
        fields: Vec<(Vec<u8>, Vec<u8>)>,
        pub(super) used: usize,
    }

    /// status-line CRLF *( field-line CRLF ) CRLF. A lone LF ends a line, too (RFC 9112 §2.2); a
    /// line that begins with whitespace belongs to the one before it (§5.2), but not in framing fields.
    pub(super) fn head(text: &[u8]) -> Result<Head, ErrorKind> {
        let (mut lines, mut used) = (Vec::new(), 0);
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            used += line.len();
            let line = line.strip_suffix(b"\n").expect("the text ends with an empty line");
            match line.strip_suffix(b"\r").unwrap_or(line) {
                b"" => break,
                line => lines.push(line),
            }
        }
        let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for line in &lines[1..] {
            let frames = |field: &(Vec<u8>, _)| is(&field.0, "content-length") || is(&field.0, "transfer-encoding");
            if is_whitespace(line[0]) && fields.last().is_some_and(frames) {
                return Err(ErrorKind::Framing);
            }
            if line.iter().any(|byte| [b'\0', b'\r'].contains(byte)) {
                return Err(ErrorKind::Head);
            }
            if !is_whitespace(line[0]) {
                fields.push(field_line(line).map_err(|_| ErrorKind::Head)?);
                continue;
            }
            let (_, value) = fields.last_mut().expect("the first field is ours");
            *value = trim(&[value, &b" "[..], trim(line)].concat()).to_vec();
        }
        Ok(Head { fields, used })
    }

    fn is(name: &[u8], other: &str) -> bool {
        name.eq_ignore_ascii_case(other.as_bytes())
    }

    impl Head {
        pub(super) fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
            self.fields.iter().map(|(name, value)| (&name[..], &value[..]))
        }

        /// The value of a field: all its lines with commas between them (RFC 9110 §5.3).
        fn value(&self, name: &str) -> Option<Vec<u8>> {
            let lines = self.fields.iter().filter(|field| is(&field.0, name)).map(|field| &field.1[..]);
            let lines: Vec<&[u8]> = lines.collect();
            (!lines.is_empty()).then(|| lines.join(&b","[..]))
        }

        /// #element = [ element ] *( OWS "," OWS [ element ] ); empty ones do not count
        /// (RFC 9110 §5.6.1.2).
        fn elements(&self, name: &str) -> Vec<Vec<u8>> {
            let value = self.value(name).unwrap_or_default();
            let elements = value.split(|byte| *byte == b',').map(|element| trim(element).to_vec());
            elements.filter(|element| !element.is_empty()).collect()
        }

        fn is_option(&self, option: &str) -> bool {
            self.elements("connection").iter().any(|element| is(element, option))
        }
    }

    /// RFC 9112 §6.3 for a response to GET.
    pub(super) fn meaning(head: &Head, is_http_1_0: bool, status: u16) -> Meaning {
        let framing = framing(head, status)?;
        Ok((framing, persistence(head, framing, is_http_1_0, status)))
    }

    fn framing(head: &Head, status: u16) -> Result<Framing, ErrorKind> {
        if status == 204 || status == 304 {
            return Ok(Framing::Empty);
        }
        if head.value("transfer-encoding").is_some() {
            // No other coding can be decoded.
            return match &head.elements("transfer-encoding")[..] {
                [coding] if is(coding, "chunked") => Ok(Framing::Chunked),
                [] => Err(ErrorKind::Framing),
                codings if codings.iter().all(|coding| is(coding, "identity")) => {
                    let length = head.value("content-length").map(|value| content_length(&value));
                    let at_least = length.unwrap_or(Some(0)).ok_or(ErrorKind::Framing)?;
                    Ok(Framing::UntilClose { at_least })
                }
                _ => Err(ErrorKind::Framing),
            };
        }
        match head.value("content-length") {
            None => Ok(Framing::UntilClose { at_least: 0 }),
            Some(value) => content_length(&value).map(Framing::Length).ok_or(ErrorKind::Framing),
        }
    }

    /// Content-Length = 1*DIGIT, or the same number again and again with commas between
    /// (RFC 9110 §8.6). That is not a #list: it has no empty elements.
    fn content_length(value: &[u8]) -> Option<u64> {
        let numbers: Option<Vec<u64>> = value.split(|byte| *byte == b',').map(|text| number(trim(text))).collect();
        let numbers = numbers?;
        numbers.windows(2).all(|pair| pair[0] == pair[1]).then(|| numbers[0])
    }

    /// 1*DIGIT, of a number below 2^64
    fn number(text: &[u8]) -> Option<u64> {
        let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
        if is_number { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
    }

    /// RFC 9112 §9.3, in the order in which reasons are given.
    fn persistence(head: &Head, framing: Framing, is_http_1_0: bool, status: u16) -> Reuse {
        let length = head.value("content-length");
        let is_confused = match status {
            204 => {
                head.value("transfer-encoding").is_some()
                    || length.is_some_and(|length| content_length(&length) != Some(0))
            }
            304 => head.value("transfer-encoding").is_some(),
            _ => head.value("transfer-encoding").is_some() && (length.is_some() || is_http_1_0),
        };
        let hint = KeepAlive {
            timeout_secs: keep_alive(head, "timeout"),
            requests_left: keep_alive(head, "max"),
            unproven: framing == Framing::Empty,
        };
        let reasons = [
            (head.is_option("close"), CloseReason::ServerClose),
            (is_http_1_0 && !head.is_option("keep-alive"), CloseReason::Http10),
            (matches!(framing, Framing::UntilClose { .. }), CloseReason::UntilClose),
            (is_confused, CloseReason::BadFraming),
            (hint.timeout_secs == Some(0) || hint.requests_left == Some(0), CloseReason::KeepAliveHint),
        ];
        let reason = reasons.iter().find(|(holds, _)| *holds);
        reason.map_or(Reuse::Keep(hint), |(_, reason)| Reuse::Close(*reason))
    }

    /// Keep-Alive = #( token [ BWS "=" BWS ( token / quoted-string ) ] ), a hint: of the parameters
    /// with that name the last one whose value is a number (RFC 2068 §19.7.1.1).
    fn keep_alive(head: &Head, name: &str) -> Option<u64> {
        head.elements("keep-alive").into_iter().rev().find_map(|element| {
            let (key, value) = element.split_at(token(&element, 0).ok()?);
            let value = trim(value).strip_prefix(b"=")?;
            is(key, name).then(|| number(trim(value)))?
        })
    }
}
