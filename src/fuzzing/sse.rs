//! Any bytes as a stream of events.
//!
//! The parser is compared with one that reads the whole text line by line, as the specification tells it, and
//! shares no code with it.

use std::time::Duration;

use crate::ext::sse::parser::{Found, Parser};
use crate::fuzzing::delivery::{Delivery, deliveries};

/// The default limit, and one that a short input can exceed.
const LIMITS: [usize; 2] = [1 << 20, 40];

/// What a stream comes to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    /// Type, data and ID of each event.
    events: Vec<[String; 3]>,
    last_event_id: String,
    retry: Option<Duration>,
    is_too_large: bool,
}

/// The same events come of a stream however it arrives, and those that the second reader sees; none is over
/// the limit.
pub fn sse(bytes: &[u8]) {
    for limit in LIMITS {
        let expected = reference(bytes, limit);
        for delivery in [Delivery::Whole].into_iter().chain(deliveries(bytes)) {
            assert_eq!(receive(bytes, delivery, limit), expected, "{delivery:?}, limit {limit}");
        }
    }
}

fn receive(bytes: &[u8], mut delivery: Delivery, limit: usize) -> Outcome {
    let (mut parser, mut outcome, mut arrived) = (Parser::new(limit), Outcome::default(), 0);
    loop {
        match parser.advance() {
            Ok(Found::Event) => {
                let event = parser.event();
                let parts = [event.event(), event.data(), event.id().unwrap_or_default()];
                assert!(parts.iter().all(|part| part.len() <= 3 * limit), "{event:?}");
                outcome.events.push(parts.map(str::to_owned));
                continue;
            }
            Ok(Found::Nothing) if arrived < bytes.len() => {}
            end => {
                outcome.is_too_large = end.is_err();
                break;
            }
        }
        let room = parser.room();
        assert!((8 * 1024..=limit.max(56 * 1024) + 8 * 1024).contains(&room.len()), "room for {} bytes", room.len());
        let count = (delivery.next(arrived, bytes.len()) - arrived).min(room.len());
        room[..count].copy_from_slice(&bytes[arrived..arrived + count]);
        parser.filled(count);
        arrived += count;
    }
    assert_eq!(parser.advance().is_err(), outcome.is_too_large, "an error is final, and so is an end");
    outcome.last_event_id = parser.last_event_id().unwrap_or_default().to_owned();
    outcome.retry = parser.retry();
    outcome
}

/// WHATWG HTML §9.2.6, on all of the text at once.
fn reference(bytes: &[u8], limit: usize) -> Outcome {
    let mut outcome = Outcome::default();
    let (lines, rest) = lines(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let (mut event, mut data, mut id, mut size) = (String::new(), None::<String>, String::new(), 0);
    for line in lines {
        if line.is_empty() {
            outcome.last_event_id.clone_from(&id);
            let event = std::mem::take(&mut event);
            if let Some(data) = data.take() {
                let event = if event.is_empty() { "message".to_owned() } else { event };
                outcome.events.push([event, data, id.clone()]);
            }
            size = 0;
            continue;
        }
        if size + line.len() + 1 > limit {
            outcome.is_too_large = true;
            return outcome;
        }
        if size > 0 || line[0] != b':' {
            size += line.len() + 1;
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        let (name, value) = text.split_once(':').unwrap_or((&text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => event = value.to_owned(),
            "data" => data = Some(data.map_or(String::new(), |data| data + "\n") + value),
            "id" if !value.contains('\0') => id = value.to_owned(),
            "retry" if !value.is_empty() && value.chars().all(|c| c.is_ascii_digit()) => {
                outcome.retry = Some(Duration::from_millis(value.parse().unwrap_or(u64::MAX)));
            }
            _ => {}
        }
    }
    outcome.is_too_large = !rest.is_empty() && size + rest.len() + 1 > limit;
    outcome
}

/// The lines, and what comes after the last line end.
fn lines(bytes: &[u8]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let (mut lines, mut line, mut before) = (Vec::new(), Vec::new(), 0);
    for byte in bytes {
        match (before, byte) {
            (b'\r', b'\n') => {}
            (_, b'\r' | b'\n') => lines.push(std::mem::take(&mut line)),
            _ => line.push(*byte),
        }
        before = *byte;
    }
    (lines, line)
}
