//! `Content-Range`: which bytes of a representation a response has (RFC 9110 §14.4). It parses, and decides
//! nothing.
//!
//! ```text
//! Content-Range     = range-unit SP ( range-resp / unsatisfied-range )
//! range-resp        = first-pos "-" last-pos "/" ( complete-length / "*" )
//! unsatisfied-range = "*/" complete-length
//! ```

use crate::wire::framing::decimal;

/// What a `Content-Range` in bytes says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentRange {
    /// The bytes from `first` up to the one before `end`, which is greater; `length` is that of the whole,
    /// and at least `end`.
    Part { first: u64, end: u64, length: Option<u64> },
    /// Of a 416: the range that was asked for lies outside of the whole, which has this length.
    Unsatisfied { length: u64 },
}

impl ContentRange {
    /// Parses the value of a field. `None` if it is malformed, contradicts itself, has a number that is 2^64 or
    /// above, or counts in another unit than bytes.
    pub(crate) fn parse(value: &[u8]) -> Option<ContentRange> {
        let (unit, range) = split_at_byte(value.trim_ascii(), b' ')?;
        if !unit.eq_ignore_ascii_case(b"bytes") {
            return None;
        }
        let (positions, length) = split_at_byte(range, b'/')?;
        if positions == b"*" {
            return Some(ContentRange::Unsatisfied { length: decimal(length)? });
        }
        let (first, last) = split_at_byte(positions, b'-')?;
        let (first, end) = (decimal(first)?, decimal(last)?.checked_add(1)?);
        let length = if length == b"*" { None } else { Some(decimal(length)?) };
        let holds = first < end && length.is_none_or(|length| end <= length);
        holds.then_some(ContentRange::Part { first, end, length })
    }
}

/// What stands before and behind the first such byte.
fn split_at_byte(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|other| *other == byte)?;
    Some((&text[..at], &text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(first: u64, end: u64, length: impl Into<Option<u64>>) -> Option<ContentRange> {
        Some(ContentRange::Part { first, end, length: length.into() })
    }

    #[test]
    fn a_range_is_parsed_by_its_grammar() {
        let cases = [
            ("bytes 0-0/1", part(0, 1, 1)),
            ("bytes 400-999/1000", part(400, 1000, 1000)),
            ("bytes 400-998/1000", part(400, 999, 1000)),
            ("Bytes 007-9/*", part(7, 10, None)),
            (" bytes 0-9/10\t", part(0, 10, 10)),
            ("bytes */0", Some(ContentRange::Unsatisfied { length: 0 })),
            ("BYTES */1000", Some(ContentRange::Unsatisfied { length: 1000 })),
        ];
        for (value, want) in cases {
            assert_eq!(ContentRange::parse(value.as_bytes()), want, "{value:?}");
        }
    }

    #[test]
    fn what_is_malformed_or_contradicts_itself_is_none() {
        let values = [
            "",
            "bytes",
            "bytes ",
            "bytes=0-9/10",
            "bytes 0-9",
            "bytes 0-9/",
            "bytes -9/10",
            "bytes 0-/10",
            "bytes 9/10",
            "bytes */*",
            "bytes */",
            "bytes  0-9/10",
            "bytes 0 - 9/10",
            "bytes +0-9/10",
            "bytes 0-9/+10",
            "bytes 0-0x9/10",
            "bytes 0-9/10/10",
            "bytes 0-9-9/10",
            "bytes 0-9/10,",
            "bytes 0-9/10, bytes 0-9/10",
            "items 0-9/10",
            "bytes 9-8/10",
            "bytes 0-10/10",
            "bytes 0-0/0",
            "0-9/10",
            "bytes\t0-9/10",
        ];
        for value in values {
            assert_eq!(ContentRange::parse(value.as_bytes()), None, "{value:?}");
        }
    }

    #[test]
    fn numbers_end_below_two_to_the_64() {
        let max = u64::MAX;
        assert_eq!(ContentRange::parse(format!("bytes 0-{}/{max}", max - 1).as_bytes()), part(0, max, max));
        assert_eq!(ContentRange::parse(format!("bytes {0}-{0}/*", max - 1).as_bytes()), part(max - 1, max, None));
        assert_eq!(ContentRange::parse(format!("bytes 0-{max}/*").as_bytes()), None, "its end is 2^64");
        assert_eq!(ContentRange::parse(b"bytes 0-9/18446744073709551616"), None);
        assert_eq!(ContentRange::parse(b"bytes */18446744073709551616"), None);
        assert_eq!(
            ContentRange::parse(b"bytes */18446744073709551615"),
            Some(ContentRange::Unsatisfied { length: max })
        );
    }
}
