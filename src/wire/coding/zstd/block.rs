//! How much a compressed block decodes to (RFC 8878 §3.1.1.3.2, §4.1), found without decoding it.
//!
//! A block of 128 KiB may hold sequences that repeat gigabytes, and ruzstd makes all of them at once. So the
//! lengths are added up first: of the literals, by their header, and of the matches, by reading the
//! sequences as far as their lengths go. What they copy is not known here.

/// The least accuracy of an FSE table (§4.1.1).
const ACCURACY_MIN: u32 = 5;

/// What a kind of code needs to be read: the most accurate table, the codes, and the table that is meant
/// where a block brings none (§3.1.1.3.2.2).
struct Kind {
    accuracy_max: u32,
    codes: usize,
    predefined: (u32, &'static [i16]),
}

const LITERAL_LENGTHS: Kind = Kind {
    accuracy_max: 9,
    codes: 36,
    predefined: (
        6,
        &[
            4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1,
            -1,
        ],
    ),
};

const OFFSETS: Kind = Kind {
    accuracy_max: 8,
    codes: 32,
    predefined: (5, &[1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1]),
};

const MATCH_LENGTHS: Kind = Kind {
    accuracy_max: 9,
    codes: 53,
    predefined: (
        6,
        &[
            1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
        ],
    ),
};

/// The extra bits of the codes of literal lengths from 16 on.
const LITERAL_LENGTH_BITS: [u32; 20] = [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

/// The least length and the extra bits of the codes of match lengths from 32 on.
const MATCH_LENGTH_CODES: [(u64, u32); 21] = [
    (35, 1),
    (37, 1),
    (39, 1),
    (41, 1),
    (43, 2),
    (47, 2),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 5),
    (131, 7),
    (259, 8),
    (515, 9),
    (1027, 10),
    (2051, 11),
    (4099, 12),
    (8195, 13),
    (16387, 14),
    (32771, 15),
    (65539, 16),
];

/// The tables that a block may repeat: those of the last block of its frame that had sequences.
#[derive(Default)]
pub(super) struct Tables {
    literal_lengths: Option<Table>,
    offsets: Option<Table>,
    match_lengths: Option<Table>,
}

/// An FSE table (§4.1.1): for each state its code, and what the next one is.
struct Table {
    accuracy: u32,
    states: Vec<State>,
}

#[derive(Clone, Copy, Default)]
struct State {
    code: u8,
    bits: u32,
    base: usize,
}

/// Returns how many bytes the block decodes to, or `None` if it is malformed.
pub(super) fn decoded_length(block: &[u8], tables: &mut Tables) -> Option<u64> {
    let (literals, rest) = literals(block)?;
    let (count, rest) = sequence_count(rest)?;
    if count == 0 {
        return Some(literals);
    }
    let (modes, mut rest) = rest.split_first()?;
    let mut table = |kind: &Kind, mode: u8, last: &mut Option<Table>| {
        if mode & 3 != 3 {
            *last = Some(Table::read(kind, mode & 3, &mut rest)?);
        }
        last.is_some().then_some(())
    };
    table(&LITERAL_LENGTHS, modes >> 6, &mut tables.literal_lengths)?;
    table(&OFFSETS, modes >> 4, &mut tables.offsets)?;
    table(&MATCH_LENGTHS, modes >> 2, &mut tables.match_lengths)?;
    Some(literals + matches(count, rest, tables)?)
}

/// The length of the literals, and what follows their section.
fn literals(block: &[u8]) -> Option<(u64, &[u8])> {
    let first = *block.first()?;
    let (kind, format) = (first & 3, first >> 2 & 3);
    let header = match (kind, format) {
        (0 | 1, 0 | 2) => 1,
        (0 | 1, 1) => 2,
        (0 | 1, _) | (_, 0 | 1) => 3,
        (_, 2) => 4,
        _ => 5,
    };
    let bits = block.get(..header)?.iter().rev().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    let (length, content) = match (kind, header) {
        (0, 1) => (bits >> 3, bits >> 3),
        (0, _) => (bits >> 4, bits >> 4),
        (1, 1) => (bits >> 3, 1),
        (1, _) => (bits >> 4, 1),
        (_, 3) => (bits >> 4 & 0x3ff, bits >> 14),
        (_, 4) => (bits >> 4 & 0x3fff, bits >> 18),
        _ => (bits >> 4 & 0x3_ffff, bits >> 22),
    };
    Some((length, block.get(header + usize::try_from(content).ok()?..)?))
}

/// The number of sequences, and what follows it.
fn sequence_count(section: &[u8]) -> Option<(usize, &[u8])> {
    match *section {
        [count @ ..=127, ref rest @ ..] => Some((usize::from(count), rest)),
        [high @ ..=254, low, ref rest @ ..] => Some((usize::from(high - 128) << 8 | usize::from(low), rest)),
        [255, low, high, ref rest @ ..] => Some((usize::from(u16::from_le_bytes([low, high])) + 0x7f00, rest)),
        _ => None,
    }
}

/// The lengths of all matches together.
fn matches(count: usize, stream: &[u8], tables: &Tables) -> Option<u64> {
    let Tables { literal_lengths: Some(literal_lengths), offsets: Some(offsets), match_lengths: Some(match_lengths) } =
        tables
    else {
        return None;
    };
    let mut bits = BitsFromEnd::new(stream)?;
    let mut literal_state = bits.take(literal_lengths.accuracy) as usize;
    let mut offset_state = bits.take(offsets.accuracy) as usize;
    let mut match_state = bits.take(match_lengths.accuracy) as usize;
    let mut sum = 0;
    for left in (0..count).rev() {
        let literal = literal_lengths.states.get(literal_state)?;
        let offset = offsets.states.get(offset_state)?;
        let matched = match_lengths.states.get(match_state)?;
        bits.take(u32::from(offset.code));
        sum += match matched.code.checked_sub(32) {
            None => u64::from(matched.code) + 3,
            Some(code) => {
                let (least, extra) = *MATCH_LENGTH_CODES.get(usize::from(code))?;
                least + bits.take(extra)
            }
        };
        if let Some(code) = literal.code.checked_sub(16) {
            bits.take(*LITERAL_LENGTH_BITS.get(usize::from(code))?);
        }
        if left > 0 {
            literal_state = literal.base + bits.take(literal.bits) as usize;
            match_state = matched.base + bits.take(matched.bits) as usize;
            offset_state = offset.base + bits.take(offset.bits) as usize;
        }
    }
    Some(sum)
}

impl Table {
    /// The table of this mode, which takes what describes it off the front of `rest`.
    fn read(kind: &Kind, mode: u8, rest: &mut &[u8]) -> Option<Table> {
        match mode {
            0 => Table::of(kind.predefined.0, kind.predefined.1),
            1 => {
                let (code, after) = rest.split_first()?;
                *rest = after;
                let is_known = usize::from(*code) < kind.codes;
                is_known.then(|| Table { accuracy: 0, states: vec![State { code: *code, bits: 0, base: 0 }] })
            }
            _ => {
                let (accuracy, shares, used) = shares(kind, rest)?;
                *rest = &rest[used..];
                Table::of(accuracy, &shares)
            }
        }
    }

    /// The table in which each code has its share of the states; -1 is less than one.
    fn of(accuracy: u32, shares: &[i16]) -> Option<Table> {
        let size = 1usize << accuracy;
        let mut states = vec![State::default(); size];
        let mut next: Vec<usize> = shares.iter().map(|share| usize::from(share.unsigned_abs())).collect();
        let mut high = size;
        for (code, _) in shares.iter().enumerate().filter(|(_, share)| **share == -1) {
            high = high.checked_sub(1)?;
            states[high].code = code as u8;
        }
        let step = (size >> 1) + (size >> 3) + 3;
        let mut at = 0;
        for (code, share) in shares.iter().enumerate().filter(|(_, share)| **share > 0) {
            for _ in 0..*share {
                states[at].code = code as u8;
                loop {
                    at = (at + step) & (size - 1);
                    if at < high {
                        break;
                    }
                }
            }
        }
        for state in &mut states {
            let number = &mut next[usize::from(state.code)];
            state.bits = accuracy - number.checked_ilog2()?;
            state.base = (*number << state.bits).checked_sub(size)?;
            *number += 1;
        }
        Some(Table { accuracy, states })
    }
}

/// The description of a table (§4.1.1): its accuracy, each code's share, and the bytes that it takes.
fn shares(kind: &Kind, bytes: &[u8]) -> Option<(u32, Vec<i16>, usize)> {
    let mut at = 0;
    let take = |count: u32, at: &mut usize| {
        let mut value = 0u32;
        for bit in 0..count {
            let byte = *bytes.get(*at / 8)?;
            value |= u32::from(byte >> (*at % 8) & 1) << bit;
            *at += 1;
        }
        Some(value)
    };
    let accuracy = take(4, &mut at)? + ACCURACY_MIN;
    if accuracy > kind.accuracy_max {
        return None;
    }
    let (mut left, mut shares) = (1i32 << accuracy, Vec::new());
    while left > 0 {
        let bits = (left as u32 + 1).ilog2() + 1;
        let (low_mask, threshold) = ((1 << (bits - 1)) - 1, (1 << bits) - 1 - (left as u32 + 1));
        let mut value = take(bits - 1, &mut at)?;
        if value & low_mask >= threshold {
            value |= take(1, &mut at)? << (bits - 1);
            if value > low_mask {
                value -= threshold;
            }
        }
        let share = value as i32 - 1;
        left -= share.abs();
        shares.push(share as i16);
        while shares.last() == Some(&0) {
            let zeros = take(2, &mut at)?;
            shares.extend((0..zeros).map(|_| 0));
            if zeros < 3 {
                break;
            }
        }
        if shares.len() > kind.codes {
            return None;
        }
    }
    (left == 0).then_some((accuracy, shares, at.div_ceil(8)))
}

/// Bits that are read from the end of a stream (§4.1.2): the first are those before its last set bit.
struct BitsFromEnd<'s> {
    stream: &'s [u8],
    /// Bits that are left.
    left: usize,
}

impl<'s> BitsFromEnd<'s> {
    fn new(stream: &'s [u8]) -> Option<BitsFromEnd<'s>> {
        let last = *stream.last()?;
        let mark = last.checked_ilog2()?;
        Some(BitsFromEnd { stream, left: (stream.len() - 1) * 8 + mark as usize })
    }

    /// Takes that many bits, at most 32. Those before the beginning are zeros.
    fn take(&mut self, count: u32) -> u64 {
        let count = count as usize;
        let start = self.left.saturating_sub(count);
        let first = start / 8;
        let mut window = 0u64;
        for (place, byte) in self.stream[first..].iter().take(8).enumerate() {
            window |= u64::from(*byte) << (8 * place);
        }
        let have = self.left - start;
        self.left = start;
        (window >> (start % 8) & ((1 << have) - 1)) << (count - have)
    }
}
