//! The fixtures through the pure layer: at every split, byte by byte, and mutated.
//!
//! The same corpus goes through the public client in `tests/fixtures.rs`; both are held to the
//! same claims. What is the client's alone (redirects, text) is left to it.

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

/// What came of one reply.
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
    /// What must not depend on how the bytes arrived.
    fn essence(&self) -> impl PartialEq + std::fmt::Debug {
        let head = self.head.as_ref().map(|head| head.raw().to_vec());
        (head, self.body.clone(), self.end, self.closes, self.error.as_ref().map(Error::kind))
    }
}

/// A connection on which `bytes` arrive in pieces, and then it ends.
struct Feed<'a> {
    bytes: &'a [u8],
    used: usize,
    shown: usize,
    /// Where pieces end.
    next: Box<dyn Fn(usize) -> usize + 'a>,
}

impl<'a> Feed<'a> {
    fn new(bytes: &'a [u8], next: impl Fn(usize) -> usize + 'a) -> Feed<'a> {
        Feed { bytes, used: 0, shown: 0, next: Box::new(next) }
    }

    fn arrived(&self) -> &'a [u8] {
        &self.bytes[self.used..self.shown]
    }

    /// Shows the next piece; `false` at the end of the connection.
    fn more(&mut self) -> bool {
        let before = self.shown;
        self.shown = (self.next)(self.shown).min(self.bytes.len());
        self.shown > before
    }
}

fn receive(feed: &mut Feed<'_>, expect: &Expect) -> Outcome {
    let method = Method::new(&expect.method).unwrap();
    let invalid = if expect.skips_invalid { InvalidLines::Skip } else { InvalidLines::Reject };
    let mut outcome = Outcome::default();
    if let Err(error) = try_receive(feed, &method, invalid, &mut outcome) {
        outcome.error = Some(error);
    }
    outcome
}

fn try_receive(
    feed: &mut Feed<'_>,
    method: &Method,
    invalid: InvalidLines,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let head = final_head(feed, outcome, invalid)?;
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
                if !feed.more() {
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

fn final_head(feed: &mut Feed<'_>, outcome: &mut Outcome, invalid: InvalidLines) -> Result<Head, Error> {
    let mut parser = HeadParser::new(LIMITS, invalid);
    loop {
        if let Some(head) = parser.parse(feed.arrived())? {
            feed.used += head.bytes;
            match head.status {
                _ if head.is_interim() => outcome.interim += 1,
                StatusCode::SWITCHING_PROTOCOLS => return Err(Error::new(ErrorKind::Head, "not asked for")),
                _ => return Ok(head),
            }
        } else if !feed.more() {
            return Err(parser.eof(feed.arrived()));
        }
    }
}

/// How the outcome differs from the claim.
fn difference(fixture: &Fixture, outcome: &Outcome) -> Option<String> {
    let expect = &fixture.expect;
    let kind = outcome.error.as_ref().map(|error| format!("{:?}", error.kind()));
    if kind != expect.error {
        return Some(format!("error is {:?}, expected {:?}", outcome.error, expect.error));
    }
    if let Some(claim) = &expect.body_before_error {
        return (!claim.starts_with(&outcome.body)).then(|| "the body before the error differs".to_owned());
    }
    if outcome.error.is_some() {
        return None;
    }
    let head = outcome.head.as_ref()?;
    let end = expect.end.as_deref().unwrap_or_default().replace('-', "");
    let reuse = outcome.closes.map_or("kept".to_owned(), |reason| format!("{reason:?}"));
    let same_fields = |claims: &[(String, Vec<u8>)], headers: &Headers| {
        claims.iter().all(|(name, value)| headers.get_all(name).any(|other| other == value))
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
    if expect.reuse.as_ref().is_some_and(|claim| *claim != reuse) {
        return Some(format!("reuse is {reuse}, expected {:?}", expect.reuse));
    }
    expect.body.as_ref()?.difference(&outcome.body)
}

/// The fixtures that are about bytes alone.
fn pure_fixtures() -> Vec<Fixture> {
    let is_pure = |fixture: &Fixture| {
        let of_client = ["Redirect", "Decode", "Io"];
        fixture.expect.then != Then::Reset && !fixture.expect.error.iter().any(|kind| of_client.contains(&&**kind))
    };
    fixture::all().into_iter().filter(is_pure).collect()
}

/// Splits worth trying: all of them in a small reply, some in a large one.
fn splits(length: usize) -> Vec<usize> {
    let dense = length.min(600);
    let sparse = (dense..length).step_by(1 + length / 200);
    (1..dense).chain(sparse).chain(length.saturating_sub(8).max(1)..length).collect()
}

#[test]
fn every_fixture_holds_whole_at_every_split_and_byte_by_byte() {
    let fixtures = pure_fixtures();
    assert!(fixtures.len() >= 120, "only {} fixtures", fixtures.len());
    let mut wrong = Vec::new();
    for fixture in &fixtures {
        let bytes = &fixture.bytes[..];
        let mut check = |how: String, outcome: Outcome| {
            wrong.extend(difference(fixture, &outcome).map(|what| format!("{} {how}: {what}", fixture.name)));
        };
        check("whole".into(), receive(&mut Feed::new(bytes, |_| usize::MAX), &fixture.expect));
        check("byte by byte".into(), receive(&mut Feed::new(bytes, |shown| shown + 1), &fixture.expect));
        for split in splits(bytes.len()) {
            let mut feed = Feed::new(bytes, |shown| if shown < split { split } else { usize::MAX });
            check(format!("split at {split}"), receive(&mut feed, &fixture.expect));
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

/// Numbers that are the same on every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    /// Changes, takes out, doubles or puts in a byte or two.
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
fn a_mutated_reply_means_the_same_however_it_arrives() {
    let mut dice = Dice(0x6c6f_6e67_7769_7265);
    for fixture in pure_fixtures().iter().filter(|fixture| fixture.bytes.len() <= 4096) {
        for _ in 0..40 {
            let bytes = dice.mutate(&fixture.bytes);
            let whole = receive(&mut Feed::new(&bytes, |_| usize::MAX), &fixture.expect);
            let split = dice.below(bytes.len()).max(1);
            let parts = receive(&mut Feed::new(&bytes, |shown| shown + split), &fixture.expect);
            let by_byte = receive(&mut Feed::new(&bytes, |shown| shown + 1), &fixture.expect);
            for other in [parts, by_byte] {
                assert_eq!(whole.essence(), other.essence(), "{}: {}", fixture.name, bytes.escape_ascii());
            }
        }
    }
}
