//! How much a compressed block decodes to (RFC 8878 §3.1.1.3.2, §4.1), found without decoding it.
//!
//! A block of 128 KiB may hold sequences that repeat gigabytes, and ruzstd makes all of them at once. So the
//! lengths are added up first: of the literals, by their header, and of the matches, by reading the
//! sequences as far as their lengths go. What they copy is not known here.

/// The least accuracy of an FSE table (§4.1.1).
const ACCURACY_MIN: u8 = 5;

/// The codes of the kind that has most.
const CODES_MAX: usize = 53;

/// What a kind of code needs to be read: the most accurate table, the codes, and the table that is meant
/// where a block brings none (§3.1.1.3.2.2).
struct Kind {
    accuracy_max: u8,
    codes: usize,
    /// The least length and the extra bits of a code. What is not a match has no length here.
    meaning: fn(u8) -> (u32, u8),
    predefined: (u8, &'static [i16]),
}

const LITERAL_LENGTHS: Kind = Kind {
    accuracy_max: 9,
    codes: 36,
    meaning: |code| (0, code.checked_sub(16).map_or(0, |code| LITERAL_LENGTH_BITS[usize::from(code)])),
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
    meaning: |code| (0, code),
    predefined: (5, &[1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1]),
};

const MATCH_LENGTHS: Kind = Kind {
    accuracy_max: 9,
    codes: CODES_MAX,
    meaning: |code| match code.checked_sub(32) {
        None => (u32::from(code) + 3, 0),
        Some(code) => MATCH_LENGTH_CODES[usize::from(code)],
    },
    predefined: (
        6,
        &[
            1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
        ],
    ),
};

/// The extra bits of the codes of literal lengths from 16 on.
const LITERAL_LENGTH_BITS: [u8; 20] = [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

/// The least length and the extra bits of the codes of match lengths from 32 on.
const MATCH_LENGTH_CODES: [(u32, u8); 21] = [
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
    accuracy: u8,
    states: Vec<State>,
}

#[derive(Clone, Copy, Default)]
struct State {
    code: u8,
    /// The least length and the extra bits of the code.
    least: u32,
    extra: u8,
    /// The next state is the base and so many bits.
    base: u16,
    bits: u8,
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
        // In their order: the extra bits of offset, match and literal, and those of the next states.
        let next_bits = if left > 0 { literal.bits + matched.bits + offset.bits } else { 0 };
        let (front, back) = (offset.extra + matched.extra, literal.extra + next_bits);
        let (extra, next) = if front + back <= BITS_MAX {
            let all = bits.take(front + back);
            (all >> back, all)
        } else {
            (bits.take(front), bits.take(back))
        };
        sum += u64::from(matched.least) + low(extra, matched.extra);
        literal_state = usize::from(literal.base) + low(next >> (matched.bits + offset.bits), literal.bits) as usize;
        match_state = usize::from(matched.base) + low(next >> offset.bits, matched.bits) as usize;
        offset_state = usize::from(offset.base) + low(next, offset.bits) as usize;
    }
    Some(sum)
}

impl Table {
    /// The table of this mode, which takes what describes it off the front of `rest`.
    fn read(kind: &Kind, mode: u8, rest: &mut &[u8]) -> Option<Table> {
        match mode {
            0 => Table::of(kind, kind.predefined.0, kind.predefined.1),
            1 => {
                let (code, after) = rest.split_first()?;
                *rest = after;
                if usize::from(*code) >= kind.codes {
                    return None;
                }
                let (least, extra) = (kind.meaning)(*code);
                Some(Table { accuracy: 0, states: vec![State { code: *code, least, extra, base: 0, bits: 0 }] })
            }
            _ => {
                let (accuracy, shares, used) = shares(kind, rest)?;
                *rest = &rest[used..];
                Table::of(kind, accuracy, &shares)
            }
        }
    }

    /// The table in which each code has its share of the states; -1 is less than one.
    fn of(kind: &Kind, accuracy: u8, shares: &[i16]) -> Option<Table> {
        let size = 1usize << accuracy;
        let mut states = vec![State::default(); size];
        let mut next = [0usize; CODES_MAX];
        next.iter_mut().zip(shares).for_each(|(next, share)| *next = usize::from(share.unsigned_abs()));
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
            state.bits = accuracy - number.checked_ilog2()? as u8; // at most 9
            state.base = (*number << state.bits).checked_sub(size)? as u16;
            (state.least, state.extra) = (kind.meaning)(state.code);
            *number += 1;
        }
        Some(Table { accuracy, states })
    }
}

/// The description of a table (§4.1.1): its accuracy, each code's share, and the bytes that it takes.
fn shares(kind: &Kind, bytes: &[u8]) -> Option<(u8, [i16; CODES_MAX], usize)> {
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
    let accuracy = take(4, &mut at)? as u8 + ACCURACY_MIN;
    if accuracy > kind.accuracy_max {
        return None;
    }
    let (mut left, mut shares, mut code) = (1i32 << accuracy, [0; CODES_MAX], 0);
    while left > 0 {
        let bits = (left as u32 + 1).ilog2() + 1;
        let (low_mask, threshold) = ((1 << (bits - 1)) - 1, (1 << bits) - 1 - (left as u32 + 1));
        let mut value = take(bits - 1, &mut at)?;
        if value >= threshold {
            value |= take(1, &mut at)? << (bits - 1);
            if value > low_mask {
                value -= threshold;
            }
        }
        let share = value as i32 - 1;
        left -= share.abs();
        *shares[..kind.codes].get_mut(code)? = share as i16;
        code += 1;
        // After a code without a share: how many more have none, three and more in several parts.
        let mut zeros = if share == 0 { 3 } else { 0 };
        while zeros == 3 {
            zeros = take(2, &mut at)?;
            code += zeros as usize;
        }
    }
    (left == 0).then_some((accuracy, shares, at.div_ceil(8)))
}

/// The most bits that are read at once: eight bytes less what another value has of the first.
const BITS_MAX: u8 = 56;

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

    /// Takes that many bits, at most `BITS_MAX`. Those before the beginning are zeros.
    #[inline]
    fn take(&mut self, count: u8) -> u64 {
        if let Some(left) = self.left.checked_sub(usize::from(count)) {
            if let Some(bytes) = self.stream[left / 8..].first_chunk() {
                self.left = left;
                return low(u64::from_le_bytes(*bytes) >> (left % 8), count);
            }
        }
        self.take_at_a_border(count)
    }

    /// The same, where eight bytes are not there, or not the bits.
    #[cold]
    fn take_at_a_border(&mut self, count: u8) -> u64 {
        let have = self.left.min(usize::from(count)) as u8;
        self.left -= usize::from(have);
        let bytes = self.stream[self.left / 8..].iter().take(8);
        let bits = bytes.rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        low(bits >> (self.left % 8), have) << (count - have)
    }
}

/// The lowest bits, so many of them.
fn low(bits: u64, count: u8) -> u64 {
    bits & ((1 << count) - 1)
}
