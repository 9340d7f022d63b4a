//! The coding `gzip` (RFC 9110 §8.4.1.3; RFC 1952): members one after the other, each with a header,
//! deflate data, and a trailer with the data's check and length.
//!
//! All members are read. What follows the last must be one: bytes that are none, zeros among them,
//! are an error.

use flate2::{Crc, Decompress};

use crate::error::{Error, Result};
use crate::wire::coding::progress::{Progress, gather, malformed};
use crate::wire::coding::zlib::decompress;

/// The fixed part of a member's header, and the whole of its trailer.
const FIXED_BYTES: usize = 10;
const TRAILER_BYTES: usize = 8;

/// The flags of a header (RFC 1952 §2.3.1). The highest three are reserved, and must be zero.
const HAS_CHECK: u8 = 0x02;
const HAS_EXTRA: u8 = 0x04;
const HAS_NAME: u8 = 0x08;
const HAS_COMMENT: u8 = 0x10;
const RESERVED: u8 = 0xe0;

pub(super) struct Gzip {
    part: Part,
    /// The bytes of a part that is used as a whole.
    gathered: Vec<u8>,
    flags: u8,
    inflate: Decompress,
    /// Of the header until the data begins, then of what was decoded.
    check: Crc,
    /// Members that have ended.
    members: u64,
}

/// The parts of a member, in their order.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Fixed,
    ExtraLength,
    Extra { left: usize },
    Name,
    Comment,
    HeaderCheck,
    Data,
    Trailer,
}

impl Gzip {
    pub(super) fn new() -> Gzip {
        Gzip {
            part: Part::Fixed,
            gathered: Vec::new(),
            flags: 0,
            inflate: Decompress::new(false),
            check: Crc::new(),
            members: 0,
        }
    }

    pub(super) fn step(&mut self, source: &[u8], target: &mut [u8]) -> Result<Progress> {
        if self.part == Part::Data {
            return self.step_data(source, target);
        }
        let mut used = 0;
        while used < source.len() && self.part != Part::Data {
            used += self.step_around(&source[used..])?;
        }
        Ok(Progress { used, made: 0 })
    }

    /// Returns whether the body may end here: before the first byte of a member.
    pub(super) fn may_end(&self) -> bool {
        self.part == Part::Fixed && self.gathered.is_empty()
    }

    fn step_data(&mut self, source: &[u8], target: &mut [u8]) -> Result<Progress> {
        let decoded = decompress(&mut self.inflate, source, target);
        let (progress, ended) = decoded.map_err(|what| self.error(what))?;
        self.check.update(&target[..progress.made]);
        if ended {
            self.part = Part::Trailer;
        }
        Ok(progress)
    }

    /// Takes some of a header or a trailer: how much. The source is not empty.
    fn step_around(&mut self, source: &[u8]) -> Result<usize> {
        match self.part {
            Part::Fixed => self.take(source, FIXED_BYTES, Gzip::end_fixed),
            Part::ExtraLength => self.take(source, 2, |gzip, length| {
                gzip.check.update(length);
                gzip.part = Part::Extra { left: usize::from(u16::from_le_bytes([length[0], length[1]])) };
                gzip.skip_absent();
                Ok(())
            }),
            Part::Extra { left } => {
                let count = left.min(source.len());
                self.check.update(&source[..count]);
                self.part = Part::Extra { left: left - count };
                self.skip_absent();
                Ok(count)
            }
            Part::Name | Part::Comment => {
                let end = source.iter().position(|byte| *byte == 0);
                let count = end.map_or(source.len(), |at| at + 1);
                self.check.update(&source[..count]);
                if end.is_some() {
                    self.part = if self.part == Part::Name { Part::Comment } else { Part::HeaderCheck };
                    self.skip_absent();
                }
                Ok(count)
            }
            Part::HeaderCheck => self.take(source, 2, |gzip, check| {
                let (want, is) = (u16::from_le_bytes([check[0], check[1]]), gzip.check.sum() as u16);
                if want != is {
                    return Err(gzip.error(format!("the header's check {want:04x} is not {is:04x}")));
                }
                gzip.begin_data();
                Ok(())
            }),
            Part::Trailer => self.take(source, TRAILER_BYTES, Gzip::end_member),
            Part::Data => Ok(0),
        }
    }

    /// Gathers that many bytes, and uses them once they are there: how many of the source it took.
    fn take(
        &mut self,
        source: &[u8],
        wanted: usize,
        end: impl FnOnce(&mut Gzip, &[u8]) -> Result<()>,
    ) -> Result<usize> {
        let used = gather(&mut self.gathered, wanted, source);
        if self.part == Part::Fixed {
            self.check_magic()?;
        }
        if self.gathered.len() == wanted {
            let gathered = std::mem::take(&mut self.gathered);
            end(self, &gathered)?;
            self.gathered = gathered;
            self.gathered.clear();
        }
        Ok(used)
    }

    /// A member begins with two bytes that tell it from anything else: as soon as one is wrong, no more
    /// is waited for.
    fn check_magic(&self) -> Result<()> {
        let begin = &self.gathered[..self.gathered.len().min(2)];
        let Some(wrong) = begin.iter().zip([0x1f, 0x8b]).position(|(byte, magic)| *byte != magic) else {
            return Ok(());
        };
        let shown = begin[..=wrong].escape_ascii();
        match self.members {
            0 => Err(malformed(format!("gzip: the body begins with \"{shown}\""))),
            members => Err(malformed(format!("gzip: \"{shown}\" follows member {members}, and begins no other"))),
        }
    }

    fn end_fixed(&mut self, header: &[u8]) -> Result<()> {
        let (method, flags) = (header[2], header[3]);
        if method != 8 {
            return Err(self.error(format!("the compression method is {method}, and not 8")));
        }
        if flags & RESERVED != 0 {
            return Err(self.error(format!("the header has reserved flags ({flags:02x})")));
        }
        self.flags = flags;
        self.check.reset();
        self.check.update(header);
        self.part = Part::ExtraLength;
        self.skip_absent();
        Ok(())
    }

    /// Passes over the parts that this header does not have.
    fn skip_absent(&mut self) {
        let has = |flag: u8| self.flags & flag != 0;
        self.part = match self.part {
            Part::ExtraLength if !has(HAS_EXTRA) => Part::Name,
            Part::Extra { left: 0 } => Part::Name,
            part => part,
        };
        if self.part == Part::Name && !has(HAS_NAME) {
            self.part = Part::Comment;
        }
        if self.part == Part::Comment && !has(HAS_COMMENT) {
            self.part = Part::HeaderCheck;
        }
        if self.part == Part::HeaderCheck && !has(HAS_CHECK) {
            self.begin_data();
        }
    }

    fn begin_data(&mut self) {
        self.check.reset();
        if self.members > 0 {
            self.inflate.reset(false); // a new one need not be, which writes its window of 32 KiB
        }
        self.part = Part::Data;
    }

    fn end_member(&mut self, trailer: &[u8]) -> Result<()> {
        let number = |at: usize| u32::from_le_bytes([trailer[at], trailer[at + 1], trailer[at + 2], trailer[at + 3]]);
        let (check, length) = (self.check.sum(), self.check.amount());
        if number(0) != check {
            return Err(self.error(format!("checksum {check:08x} is not {:08x}", number(0))));
        }
        if number(4) != length {
            return Err(self.error(format!("the length {length} is not {}, modulo 2^32", number(4))));
        }
        self.members += 1;
        self.part = Part::Fixed;
        Ok(())
    }

    fn error(&self, what: String) -> Error {
        malformed(format!("gzip: {what} (member {})", self.members + 1))
    }
}
