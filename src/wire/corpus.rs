//! The fixtures through `wire` alone: at every split, byte by byte, and mutated.
//!
//! The same fixtures are run through the public client in `tests/fixtures.rs`, with the same expected
//! outcomes. What only the client does (redirects, text) is not tested here.

#[path = "../../tests/support/fixture.rs"]
mod fixture;

use fixture::{Expect, Fixture, Then};

use crate::error::{Error, ErrorKind};
use crate::headers::Headers;
use crate::method::Method;
use crate::observe::BodyEnd;
use crate::reuse::{CloseReason, Reuse};
use crate::status::StatusCode;
use crate::wire::decode::Decoder;
use crate::wire::framing::{of_response, reuse};
use crate::wire::head_lines::InvalidLines;
use crate::wire::response_head::{Head, HeadLimits, HeadParser};
use crate::wire::step::Step;

const LIMITS: HeadLimits = HeadLimits { bytes_max: 64 * 1024, fields_max: 256 };

/// The outcome for one reply.
#[derive(Default)]
struct Outcome {
    interim: usize,
    head: Option<Head>,
    body: Vec<u8>,
    end: Option<BodyEnd>,
    trailers: Headers,
    closes: Option<CloseReason>,
    error: Option<Error>,
}

impl Outcome {
    /// The part that must not depend on how the bytes arrived.
    fn invariant(&self) -> impl PartialEq + std::fmt::Debug {
        let head = self.head.as_ref().map(|head| head.raw().to_vec());
        (head, self.body.clone(), self.end, self.closes, self.error.as_ref().map(Error::kind))
    }
}

/// A connection on which `bytes` arrive in pieces, and which then ends.
struct Feed<'a> {
    bytes: &'a [u8],
    used: usize,
    delivered: usize,
    /// The end of the piece after one that ended there.
    next: Box<dyn Fn(usize) -> usize + 'a>,
}

impl<'a> Feed<'a> {
    fn new(bytes: &'a [u8], next: impl Fn(usize) -> usize + 'a) -> Feed<'a> {
        Feed { bytes, used: 0, delivered: 0, next: Box::new(next) }
    }

    fn arrived(&self) -> &'a [u8] {
        &self.bytes[self.used..self.delivered]
    }

    /// Delivers the next piece; `false` at the end of the connection.
    fn deliver(&mut self) -> bool {
        let before = self.delivered;
        self.delivered = (self.next)(self.delivered).min(self.bytes.len());
        self.delivered > before
    }
}

fn receive(feed: &mut Feed<'_>, expect: &Expect) -> Outcome {
    let method = Method::new(&expect.method).unwrap();
    let invalid_lines = if expect.skips_invalid { InvalidLines::Skip } else { InvalidLines::Reject };
    let mut outcome = Outcome::default();
    if let Err(error) = try_receive(feed, &method, invalid_lines, &mut outcome) {
        outcome.error = Some(error);
    }
    outcome
}

fn try_receive(
    feed: &mut Feed<'_>,
    method: &Method,
    invalid_lines: InvalidLines,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let head = final_head(feed, outcome, invalid_lines)?;
    let framing = of_response(method, &head)?;
    let persistence = reuse(&head, framing, false);
    outcome.head = Some(head);
    let mut decoder = Decoder::new(framing);
    loop {
        match decoder.step(feed.arrived())? {
            Step::Data { skip, len } => {
                outcome.body.extend_from_slice(&feed.arrived()[skip..skip + len]);
                feed.used += skip + len;
                decoder.advance(len);
            }
            Step::More { skip } => {
                feed.used += skip;
                if !feed.deliver() {
                    decoder.eof()?;
                    break;
                }
            }
            Step::End { skip } => {
                feed.used += skip;
                break;
            }
        }
    }
    outcome.end = Some(decoder.end());
    outcome.trailers = decoder.trailers();
    let is_stray = feed.used < feed.bytes.len();
    outcome.closes = match persistence {
        Reuse::Close(reason) => Some(reason),
        Reuse::Keep(_) => is_stray.then_some(CloseReason::StrayBytes),
    };
    Ok(())
}

fn final_head(feed: &mut Feed<'_>, outcome: &mut Outcome, invalid_lines: InvalidLines) -> Result<Head, Error> {
    let mut parser = HeadParser::new(LIMITS, invalid_lines);
    loop {
        if let Some(head) = parser.parse(feed.arrived())? {
            feed.used += head.bytes;
            match head.status {
                _ if head.is_interim() => outcome.interim += 1,
                StatusCode::SWITCHING_PROTOCOLS => return Err(Error::new(ErrorKind::Head, "not asked for")),
                _ => return Ok(head),
            }
        } else if !feed.deliver() {
            return Err(parser.eof(feed.arrived()));
        }
    }
}

/// Returns how the outcome differs from the expected one.
fn difference(fixture: &Fixture, outcome: &Outcome) -> Option<String> {
    let expect = &fixture.expect;
    let kind = outcome.error.as_ref().map(|error| format!("{:?}", error.kind()));
    if kind != expect.error {
        return Some(format!("error is {:?}, expected {:?}", outcome.error, expect.error));
    }
    if let Some(body) = &expect.body_before_error {
        return (!body.starts_with(&outcome.body)).then(|| "the body before the error differs".to_owned());
    }
    if outcome.error.is_some() {
        return None;
    }
    let head = outcome.head.as_ref()?;
    let end = expect.end.as_deref().unwrap_or_default().replace('-', "");
    let reuse = outcome.closes.map_or("kept".to_owned(), |reason| format!("{reason:?}"));
    let same_fields = |expected: &[(String, Vec<u8>)], headers: &Headers| {
        expected.iter().all(|(name, value)| headers.get_all(name).any(|other| other == value))
    };
    let checks = [
        ("status", expect.status == Some(head.status.as_u16())),
        ("reason", expect.reason.as_ref().is_none_or(|reason| reason == head.reason().as_bytes())),
        ("version", expect.version.as_ref().is_none_or(|version| *version == head.version.to_string())),
        ("interim", expect.interim.is_none_or(|count| count == outcome.interim)),
        ("fields", expect.fields.is_none_or(|count| count == head.headers.len())),
        ("headers", same_fields(&expect.headers, &head.headers)),
        ("no-header", !expect.no_headers.iter().any(|name| head.headers.contains(name))),
        ("trailers", same_fields(&expect.trailers, &outcome.trailers)),
        ("no-trailer", !expect.no_trailers.iter().any(|name| outcome.trailers.contains(name))),
        ("end", format!("{:?}", outcome.end).to_lowercase() == format!("some({end})")),
    ];
    if let Some((what, _)) = checks.iter().find(|(_, holds)| !holds) {
        return Some(format!("{what} differs"));
    }
    if expect.reuse.as_ref().is_some_and(|expected| *expected != reuse) {
        return Some(format!("reuse is {reuse}, expected {:?}", expect.reuse));
    }
    expect.body.as_ref()?.difference(&outcome.body)
}

/// The fixtures whose outcome `wire` alone determines.
fn pure_fixtures() -> Vec<Fixture> {
    let is_pure = |fixture: &Fixture| {
        let only_client = ["Redirect", "Decode", "Io"];
        fixture.expect.then != Then::Reset && !fixture.expect.error.iter().any(|kind| only_client.contains(&&**kind))
    };
    fixture::all().into_iter().filter(is_pure).collect()
}

/// The splits to test: all of them in a small reply, some in a large one.
fn splits(length: usize) -> Vec<usize> {
    let dense = length.min(600);
    let sparse = (dense..length).step_by(1 + length / 200);
    (1..dense).chain(sparse).chain(length.saturating_sub(8).max(1)..length).collect()
}

#[test]
fn every_fixture_has_its_outcome_whole_at_every_split_and_byte_by_byte() {
    let fixtures = pure_fixtures();
    assert!(fixtures.len() >= 120, "only {} fixtures", fixtures.len());
    let mut differences = Vec::new();
    for fixture in &fixtures {
        let bytes = &fixture.bytes[..];
        let mut check = |how: String, outcome: Outcome| {
            differences.extend(difference(fixture, &outcome).map(|what| format!("{} {how}: {what}", fixture.name)));
        };
        check("whole".into(), receive(&mut Feed::new(bytes, |_| usize::MAX), &fixture.expect));
        check("byte by byte".into(), receive(&mut Feed::new(bytes, |end| end + 1), &fixture.expect));
        for split in splits(bytes.len()) {
            let mut feed = Feed::new(bytes, |end| if end < split { split } else { usize::MAX });
            check(format!("split at {split}"), receive(&mut feed, &fixture.expect));
        }
    }
    let shown = &differences[..differences.len().min(40)];
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), shown.join("\n"));
}

/// Pseudo-random numbers, the same on every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    /// Changes, removes or inserts a few bytes, or truncates them.
    fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        const SYMBOLS: &[u8] = b"\r\n \t:;,=\"09afgHTP/1.\0\x7f\xff";
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(2) {
            let (at, symbol) = (self.below(bytes.len()), SYMBOLS[self.below(SYMBOLS.len())]);
            match self.below(4) {
                0 if !bytes.is_empty() => bytes[at] = symbol,
                1 if !bytes.is_empty() => drop(bytes.remove(at)),
                2 => bytes.truncate(at),
                _ => bytes.insert(at, symbol),
            }
        }
        bytes
    }
}

#[test]
fn a_mutated_reply_is_read_the_same_however_it_arrives() {
    let mut random = Random(0x6c6f_6e67_7769_7265);
    for fixture in pure_fixtures().iter().filter(|fixture| fixture.bytes.len() <= 4096) {
        for _ in 0..40 {
            let bytes = random.mutate(&fixture.bytes);
            let whole = receive(&mut Feed::new(&bytes, |_| usize::MAX), &fixture.expect);
            let split = random.below(bytes.len()).max(1);
            let parts = receive(&mut Feed::new(&bytes, |end| end + split), &fixture.expect);
            let by_byte = receive(&mut Feed::new(&bytes, |end| end + 1), &fixture.expect);
            for other in [parts, by_byte] {
                assert_eq!(whole.invariant(), other.invariant(), "{}: {}", fixture.name, bytes.escape_ascii());
            }
        }
    }
}
