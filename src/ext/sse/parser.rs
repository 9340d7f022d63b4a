//! The event stream format (WHATWG HTML §9.2.5 and §9.2.6): bytes in, events out.
//!
//! Bytes arrive in a buffer of the parser's own, and events are lent out of it: data of one line lies where
//! it was read, data of several lines is moved together there. So nothing is allocated for an event unless
//! the buffer has to grow, and no byte is looked at twice for the end of its line, however the bytes arrive.
//!
//! There is no I/O here, and no HTTP. Where the bytes come from, and what is done about an end, is not known.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use crate::ext::sse::event::Event;
use crate::wire::framing::saturating_decimal;

/// Bytes that an event may have unless another limit is set.
pub(crate) const EVENT_BYTES_MAX: usize = 1 << 20;

/// Room that there is at least for each read: as much as a client's own read buffer has by default, so that
/// a body is read around that.
const ROOM_BYTES_MIN: usize = 8 * 1024;

/// The buffer at first: room for a read beside the beginning of an event.
const BUFFER_BYTES: usize = 2 * ROOM_BYTES_MIN;

/// What it grows to, in two steps, where the stream is so fast that a read takes half of the room: larger reads
/// are fewer.
const FAST_BUFFER_BYTES: usize = 4 * BUFFER_BYTES;

/// Bytes that are searched at once.
const BLOCK_BYTES: usize = 32;

/// The byte order mark, which may stand at the beginning.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A stream of events under way.
pub(crate) struct Parser {
    /// What has arrived and is still needed; from `end` on it is room.
    buffer: Vec<u8>,
    end: usize,
    /// The beginning of the line that comes next.
    line: usize,
    /// Up to here that line is known to have no end.
    scanned: usize,
    before: Before,
    data: Data,
    /// The format's "event type buffer", and its "last event ID buffer", which becomes the last event ID when
    /// the event is complete.
    event: String,
    id_buffer: String,
    id: String,
    /// Whether the buffer has another one. (To compare the two costs more than all else where both are empty:
    /// they have no memory, which glibc's `memcmp` finds out by a fault.)
    is_id_new: bool,
    retry: Option<Duration>,
    /// Bytes in the lines of the event so far, one more for the end of each.
    size: usize,
    size_max: usize,
    /// Data with replacements, where it was not UTF-8.
    text: String,
}

/// What may stand before the next line without being a part of it.
enum Before {
    /// A byte order mark: nothing was read yet.
    Mark,
    /// The LF of a CRLF: the last line ended with CR.
    LineFeed,
    Nothing,
}

/// The data of the event under way, in the buffer.
enum Data {
    /// The event has had no field `data`.
    Missing,
    Growing(Range<usize>),
    /// The event is complete.
    Lent(Range<usize>),
}

/// What the bytes that have arrived come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// An event is complete: [`Parser::event`].
    Event,
    /// It takes more of them: [`Parser::room`].
    Nothing,
}

/// An event, or a comment, has more bytes than this limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge {
    limit: usize,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "events: an event is over {} bytes (limit)", self.limit)
    }
}

impl Parser {
    pub(crate) fn new(size_max: usize) -> Parser {
        Parser {
            buffer: vec![0; BUFFER_BYTES],
            end: 0,
            line: 0,
            scanned: 0,
            before: Before::Mark,
            data: Data::Missing,
            event: String::new(),
            id_buffer: String::new(),
            id: String::new(),
            is_id_new: false,
            retry: None,
            size: 0,
            size_max,
            text: String::new(),
        }
    }

    /// Begins another stream. What the server has asked to be remembered stays: the last event ID and the
    /// reconnection time.
    pub(crate) fn restart(&mut self) {
        (self.end, self.line, self.scanned, self.size) = (0, 0, 0, 0);
        self.before = Before::Mark;
        self.data = Data::Missing;
        self.event.clear();
        self.is_id_new = false;
    }

    /// Sets how many bytes an event may have.
    pub(crate) fn set_limit(&mut self, bytes: usize) {
        self.size_max = bytes;
    }

    /// Sets the last event ID, as one that is known from elsewhere.
    pub(crate) fn set_last_event_id(&mut self, id: &str) {
        id.clone_into(&mut self.id);
    }

    /// Returns the last event ID; an empty one is none.
    pub(crate) fn last_event_id(&self) -> Option<&str> {
        Some(&*self.id).filter(|id| !id.is_empty())
    }

    /// Returns the reconnection time, once the server has set one.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Reads on to the end of an event, in what has arrived. An error comes again however often this is
    /// called.
    pub(crate) fn advance(&mut self) -> Result<Found, TooLarge> {
        if let Data::Lent(_) = self.data {
            self.data = Data::Missing;
            self.event.clear();
        }
        loop {
            self.skip();
            let Some(length) = line_end(&self.buffer[self.scanned..self.end]) else {
                self.scanned = self.end;
                self.grown(self.line..self.end)?; // the rest of the line makes it no shorter
                return Ok(Found::Nothing);
            };
            let line = self.line..self.scanned + length;
            self.size = self.grown(line.clone())?;
            self.before = if self.buffer[line.end] == b'\r' { Before::LineFeed } else { Before::Nothing };
            (self.line, self.scanned) = (line.end + 1, line.end + 1);
            if !line.is_empty() {
                self.field(line);
            } else if self.complete() {
                return Ok(Found::Event);
            }
        }
    }

    /// The event that `advance` has found.
    pub(crate) fn event(&mut self) -> Event<'_> {
        let data = match &self.data {
            Data::Lent(range) => &self.buffer[range.clone()],
            Data::Missing | Data::Growing(_) => &[],
        };
        let data = match std::str::from_utf8(data) {
            Ok(data) => data,
            Err(_) => {
                set_text(&mut self.text, data);
                &self.text
            }
        };
        Event::new(&self.event, data, &self.id)
    }

    /// Room for bytes to arrive in, at least 8 KiB, when `advance` has found nothing. With that the buffer is
    /// as large as an event may be, or 64 KiB, and no larger.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.line == self.end && matches!(self.data, Data::Missing) {
            (self.line, self.scanned, self.end) = (0, 0, 0);
        }
        if self.buffer.len() - self.end < ROOM_BYTES_MIN {
            self.move_to_front();
        }
        if self.buffer.len() - self.end < ROOM_BYTES_MIN {
            let larger = self.buffer.len().saturating_mul(2).min(self.size_max.saturating_add(ROOM_BYTES_MIN));
            self.buffer.resize(larger.max(self.end + ROOM_BYTES_MIN), 0);
        }
        &mut self.buffer[self.end..]
    }

    /// So many bytes have arrived in the room.
    pub(crate) fn filled(&mut self, count: usize) {
        let room = self.buffer.len() - self.end;
        self.end += count.min(room);
        if count >= room / 2 && self.buffer.len() < FAST_BUFFER_BYTES {
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
    }

    /// Moves what is needed to the front of the buffer: the data, and the line that has begun.
    fn move_to_front(&mut self) {
        let mut kept = 0;
        if let Data::Growing(data) = &mut self.data {
            kept = data.len();
            if data.start > 0 {
                self.buffer.copy_within(data.clone(), 0);
                *data = 0..kept;
            }
        }
        let moved = self.line - kept;
        if moved > 0 {
            self.buffer.copy_within(self.line..self.end, kept);
        }
        (self.line, self.scanned, self.end) = (kept, self.scanned - moved, self.end - moved);
    }

    /// Passes over what is before the next line, if that has arrived.
    fn skip(&mut self) {
        let arrived = &self.buffer[self.line..self.end];
        let skipped = match self.before {
            Before::Nothing => return,
            Before::LineFeed if arrived.is_empty() => return,
            Before::LineFeed => usize::from(arrived[0] == b'\n'),
            Before::Mark if arrived.len() < MARK.len() && MARK.starts_with(arrived) => return,
            Before::Mark if arrived.starts_with(MARK) => MARK.len(),
            Before::Mark => 0,
        };
        self.before = Before::Nothing;
        self.line += skipped;
        self.scanned = self.scanned.max(self.line);
    }

    /// The size of the event with this line, whole or begun. An empty line ends it, and a comment that is in
    /// no event is none of it: heartbeats do not add up.
    fn grown(&self, line: Range<usize>) -> Result<usize, TooLarge> {
        if line.is_empty() {
            return Ok(self.size);
        }
        let size = self.size.saturating_add(line.len() + 1);
        match size <= self.size_max {
            true if self.size == 0 && self.buffer[line.start] == b':' => Ok(0),
            true => Ok(size),
            false => Err(TooLarge { limit: self.size_max }),
        }
    }

    /// Reads a line that is not empty: a name, a colon and a value, or a name alone. (A comment has an empty
    /// name.)
    fn field(&mut self, line: Range<usize>) {
        let bytes = &self.buffer[line.clone()];
        let colon = bytes.iter().position(|byte| *byte == b':');
        let name = &bytes[..colon.unwrap_or(bytes.len())];
        let value = match colon {
            Some(colon) => &bytes[colon + 1..],
            None => &[],
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => self.add_data(line.end - value.len()..line.end),
            b"event" => set_text(&mut self.event, value),
            b"id" if !value.contains(&0) => {
                set_text(&mut self.id_buffer, value);
                self.is_id_new = true;
            }
            b"retry" => self.retry = saturating_decimal(value).map(Duration::from_millis).or(self.retry),
            _ => {}
        }
    }

    /// Adds the value of a field `data`. The name of the field was in front of it, so there is room behind the
    /// data so far for a LF and the value.
    fn add_data(&mut self, value: Range<usize>) {
        match &mut self.data {
            Data::Growing(data) => {
                self.buffer[data.end] = b'\n';
                let added = value.len();
                self.buffer.copy_within(value, data.end + 1);
                data.end += 1 + added;
            }
            Data::Missing | Data::Lent(_) => self.data = Data::Growing(value),
        }
    }

    /// The event is complete: whether it is one, which takes data.
    fn complete(&mut self) -> bool {
        self.size = 0;
        if self.is_id_new {
            self.id.clone_from(&self.id_buffer);
            self.is_id_new = false;
        }
        match &self.data {
            Data::Growing(data) => {
                self.data = Data::Lent(data.clone());
                true
            }
            Data::Missing | Data::Lent(_) => {
                self.event.clear();
                false
            }
        }
    }
}

/// Sets the text to these bytes, with U+FFFD for what is not UTF-8. Its memory is used again.
fn set_text(text: &mut String, bytes: &[u8]) {
    text.clear();
    if let Ok(valid) = std::str::from_utf8(bytes) {
        return text.push_str(valid); // the usual case, and several times as fast
    }
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// Returns where the first CR or LF is. Most bytes of a stream are neither, nor any other control character:
/// the compiler makes of this loop one that looks at many at once.
fn line_end(bytes: &[u8]) -> Option<usize> {
    let least = |block: &[u8]| block.iter().fold(u8::MAX, |least, byte| least.min(*byte));
    let plain = bytes.chunks_exact(BLOCK_BYTES).take_while(|block| least(block) > b'\r').count() * BLOCK_BYTES;
    line_end_by_words(&bytes[plain..]).map(|at| plain + at)
}

/// The same, eight bytes at a time.
fn line_end_by_words(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    // The lowest byte that is zero has its high bit set, and none below it has.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    let words = bytes.chunks_exact(8);
    let rest = words.remainder();
    for (number, word) in words.enumerate() {
        let word = u64::from_le_bytes(word.try_into().expect("a chunk of eight bytes"));
        let found = zeros(word ^ (ONES * u64::from(b'\n'))) | zeros(word ^ (ONES * u64::from(b'\r')));
        if found != 0 {
            return Some(8 * number + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'))?;
    Some(bytes.len() - rest.len() + at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ext::sse::cases::{self, Case, Seen};

    /// What comes of these pieces, one after the other.
    fn read<'p>(parser: &mut Parser, pieces: impl IntoIterator<Item = &'p [u8]>) -> (Vec<Seen>, bool) {
        let mut seen = Vec::new();
        for mut piece in pieces {
            while !piece.is_empty() {
                let room = parser.room();
                let count = piece.len().min(room.len());
                room[..count].copy_from_slice(&piece[..count]);
                parser.filled(count);
                piece = &piece[count..];
                loop {
                    match parser.advance() {
                        Ok(Found::Event) => {
                            let event = parser.event();
                            seen.push(Seen::new(event.event(), event.data(), event.id()));
                        }
                        Ok(Found::Nothing) => break,
                        Err(_) => return (seen, true),
                    }
                }
            }
        }
        (seen, false)
    }

    fn check<'p>(case: &Case, pieces: impl IntoIterator<Item = &'p [u8]>, how: &str) {
        let mut parser = Parser::new(EVENT_BYTES_MAX);
        assert_eq!(read(&mut parser, pieces), (case.events.to_vec(), false), "{}, {how}", case.name);
        assert_eq!(parser.retry(), case.retry.map(Duration::from_millis), "{}, {how}", case.name);
    }

    #[test]
    fn each_case_gives_the_same_events_whole_byte_by_byte_and_at_every_split() {
        for case in cases::all() {
            let bytes = &*case.bytes;
            check(&case, [bytes], "whole");
            check(&case, bytes.chunks(1), "byte by byte");
            for at in 1..bytes.len() {
                check(&case, [&bytes[..at], &bytes[at..]], &format!("split at {at}"));
            }
        }
    }

    #[test]
    fn a_case_reads_the_same_after_another_in_the_same_memory() {
        let mut parser = Parser::new(EVENT_BYTES_MAX);
        for case in cases::all() {
            parser.restart();
            parser.set_last_event_id("");
            assert_eq!(read(&mut parser, [&*case.bytes]).0, case.events.to_vec(), "{}", case.name);
        }
    }

    #[test]
    fn an_event_that_ends_in_two_bare_crs_waits_for_nothing_more() {
        let mut parser = Parser::new(EVENT_BYTES_MAX);
        let (seen, _) = read(&mut parser, [&b"data: a\r\r"[..]]);
        assert_eq!(seen, [Seen::new("message", "a", None)]);
        // The LF belongs to the second CR, and is no line.
        let (seen, _) = read(&mut parser, [&b"\ndata: b\r"[..], b"\n\r"]);
        assert_eq!(seen, [Seen::new("message", "b", None)]);
    }

    #[test]
    fn the_limit_counts_every_line_of_an_event_and_one_for_its_end() {
        for (lines, size) in [
            ("data: abc\n", 10),
            ("data: abc\r\n", 10),
            ("data\ndata\ndata:\n", 16),
            ("id: 1\n: comment\nx\nretry: 5\ndata\n", 32),
            ("\n\n: comment\n\ndata\n", 10),
            ("\u{feff}data\n", 5),
        ] {
            let bytes = [lines.as_bytes(), b"\n"].concat();
            for (limit, is_too_large) in [(size, false), (size - 1, true)] {
                for pieces in [bytes.chunks(bytes.len()), bytes.chunks(1)] {
                    let (seen, failed) = read(&mut Parser::new(limit), pieces);
                    assert_eq!((seen.len(), failed), (usize::from(!is_too_large), is_too_large), "{lines:?} {limit}");
                }
            }
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused_at_the_limit_and_the_error_is_final() {
        let mut parser = Parser::new(100);
        assert_eq!(read(&mut parser, [&[b':'; 99][..]]), (vec![], false));
        assert_eq!(read(&mut parser, [&b":"[..]]), (vec![], true));
        assert_eq!(parser.advance(), Err(TooLarge { limit: 100 }));
        assert_eq!(read(&mut parser, [&b"\n\ndata\n\n"[..]]), (vec![], true));
    }

    #[test]
    fn heartbeats_between_events_do_not_add_up() {
        let mut parser = Parser::new(100);
        let heartbeats = ": still here\n".repeat(100);
        let stream = format!("{heartbeats}data: a\n\n{heartbeats}");
        assert_eq!(read(&mut parser, [stream.as_bytes()]), (vec![Seen::new("message", "a", None)], false));
    }

    /// Were the beginning of a line looked at again with each byte, this would take hours.
    #[test]
    fn an_event_of_the_largest_size_may_come_byte_by_byte() {
        let mut parser = Parser::new(EVENT_BYTES_MAX);
        let line = "data: 0123456789\n".repeat(1000);
        let long = "x".repeat(EVENT_BYTES_MAX - line.len() - "data: \n".len());
        let stream = format!("{line}data: {long}\n\n");
        let (seen, failed) = read(&mut parser, stream.as_bytes().chunks(1));
        assert!(!failed && seen.len() == 1);
        assert_eq!(seen[0].data.len(), 1000 * "0123456789\n".len() + long.len());
        assert!(parser.buffer.len() <= EVENT_BYTES_MAX + ROOM_BYTES_MIN, "{}", parser.buffer.len());
        let (_, failed) = read(&mut parser, [stream.replace("x\n", "xx\n").as_bytes()]);
        assert!(failed, "one byte more");
        assert!(parser.buffer.len() <= EVENT_BYTES_MAX + ROOM_BYTES_MIN, "{}", parser.buffer.len());
    }

    #[test]
    fn another_stream_begins_with_the_last_id_that_counts() {
        let mut parser = Parser::new(EVENT_BYTES_MAX);
        read(&mut parser, [&b"id: 1\nretry: 7\ndata\n\nid: 2\nevent: x\ndata: cut"[..]]);
        parser.restart();
        let (seen, _) = read(&mut parser, [&b"\xef\xbb\xbfdata: a\n\n"[..]]);
        assert_eq!(seen, [Seen::new("message", "a", Some("1"))]);
        assert_eq!((parser.last_event_id(), parser.retry()), (Some("1"), Some(Duration::from_millis(7))));
    }

    #[test]
    fn the_end_of_a_line_is_found_wherever_it_is() {
        for length in 0..100 {
            for at in 0..=length {
                for end in [b'\r', b'\n'] {
                    for other in [b'x', b'\t', 0, 0xff, 0x0c, 0x8a, 0x8d] {
                        let mut bytes = vec![other; length];
                        bytes.get_mut(at).into_iter().for_each(|byte| *byte = end);
                        assert_eq!(line_end(&bytes), Some(at).filter(|at| *at < length), "{bytes:?}");
                    }
                }
            }
        }
    }
}
