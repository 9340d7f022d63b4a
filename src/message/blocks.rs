//! A request body in blocks, each of which is written at once: with chunk lines where the length of the body
//! is not known (RFC 9112 §7.1), and each part held to its own length where that is known.
//!
//! Parts in memory and in files share a block, so that many small parts leave in few writes. A reader may
//! block for long, so nothing that was gathered waits for one, but to ask one that must be at its end whether
//! it is, and what it gives leaves at once. Large bytes are not copied: they are a block of their own where
//! they are. Nothing here knows a connection.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
#[cfg(not(any(unix, windows)))]
use std::io::Seek;
use std::io::{self, Read};

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::wire::chunked::{LAST_CHUNK, SIZE_LINE_BYTES_MAX, encode_size};
use crate::wire::framing::at_most;

/// Bytes that are read from a reader at a time, and so its largest chunk; also the bytes in memory that are
/// copied into one block.
const READER_BLOCK_BYTES: usize = 16 * 1024;

/// Bytes that are read from a file at a time.
const FILE_BLOCK_BYTES: usize = 64 * 1024;

/// The longest block of bytes that are written from where they are: no more than is sent before the response
/// is polled.
const SLICE_BYTES_MAX: usize = 1024 * 1024;

/// What may follow the content of a block: the end of its chunk, and the last chunk.
const TAIL_BYTES_MAX: usize = 2 + LAST_CHUNK.len();

/// The blocks of one body, from the first to the last.
pub(crate) trait Blocks {
    /// The beginning of the body, for the write of the head: as much as can be had without waiting for a
    /// reader, and is at most `bytes_max` long with its chunk line.
    fn first(&mut self, bytes_max: usize) -> Result<&[u8]>;

    /// The next block to write, or `None` after the last.
    fn next(&mut self) -> Result<Option<&[u8]>>;
}

/// A part of a body that is being sent.
pub(crate) struct Part<'p> {
    pub(crate) source: Source<'p>,
    /// Bytes left of its length; `None` where that is unknown.
    pub(crate) remaining: Option<u64>,
}

pub(crate) enum Source<'p> {
    Bytes(&'p [u8]),
    /// From that position; a file that grows meanwhile is sent with the length that it had.
    File(&'p File, u64),
    Reader(&'p mut (dyn Read + Send), &'p mut bool),
}

impl Part<'_> {
    fn is_reader(&self) -> bool {
        matches!(self.source, Source::Reader(..))
    }

    fn read(&mut self, block: &mut [u8]) -> io::Result<usize> {
        match &mut self.source {
            Source::Bytes(bytes) => bytes.read(block),
            Source::File(file, position) => {
                let count = read_at(file, block, *position)?;
                *position += count as u64;
                Ok(count)
            }
            Source::Reader(reader, started) => {
                **started = true; // from here on the body cannot be sent again
                reader.read(block)
            }
        }
    }
}

/// The blocks of a body made of these parts.
pub(crate) struct BodyBlocks<'p> {
    parts: VecDeque<Part<'p>>,
    framing: BlockFraming,
    /// Room for a chunk line, the content, and what may follow it.
    block: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum BlockFraming {
    Length,
    Chunked,
    /// The last chunk was given out.
    Ended,
}

/// When a reader is waited for.
#[derive(Clone, Copy, PartialEq)]
enum Wait {
    Never,
    /// Not while there is something that could be sent.
    WhileEmpty,
}

impl Blocks for BodyBlocks<'_> {
    fn first(&mut self, bytes_max: usize) -> Result<&[u8]> {
        let around = match self.framing {
            BlockFraming::Length => 0,
            BlockFraming::Chunked | BlockFraming::Ended => SIZE_LINE_BYTES_MAX + TAIL_BYTES_MAX,
        };
        let room = self.room().min(bytes_max.saturating_sub(around));
        match self.gather(room, Wait::Never)? {
            0 => Ok(&[]),
            count => Ok(self.frame(count)),
        }
    }

    fn next(&mut self) -> Result<Option<&[u8]>> {
        if let Some(bytes) = self.take_large_bytes() {
            return Ok(Some(bytes));
        }
        match self.gather(self.room(), Wait::WhileEmpty)? {
            0 if self.framing == BlockFraming::Chunked => {
                self.framing = BlockFraming::Ended;
                Ok(Some(LAST_CHUNK))
            }
            0 => Ok(None),
            count => Ok(Some(self.frame(count))),
        }
    }
}

impl<'p> BodyBlocks<'p> {
    /// Makes blocks of parts that have that length together.
    pub(crate) fn new(parts: VecDeque<Part<'p>>, length: Option<u64>) -> BodyBlocks<'p> {
        let is_file = |part: &Part<'_>| matches!(part.source, Source::File(..));
        let room = match length {
            Some(0) => 1, // for the checks of the ends alone
            _ if parts.iter().any(is_file) => FILE_BLOCK_BYTES,
            _ => READER_BLOCK_BYTES,
        };
        let framing = if length.is_some() { BlockFraming::Length } else { BlockFraming::Chunked };
        let block = vec![0; SIZE_LINE_BYTES_MAX + room + TAIL_BYTES_MAX];
        BodyBlocks { parts, framing, block }
    }

    fn room(&self) -> usize {
        self.block.len() - SIZE_LINE_BYTES_MAX - TAIL_BYTES_MAX
    }

    /// Bytes in memory that come next and would fill a whole block by themselves. Where other parts follow,
    /// the last of them are left, to be gathered with those: see there.
    fn take_large_bytes(&mut self) -> Option<&'p [u8]> {
        let room = self.room();
        let left = if self.parts.len() > 1 { room / 2 } else { 0 };
        let part = self.parts.front_mut()?;
        match &mut part.source {
            Source::Bytes(bytes) if bytes.len() >= room + left && self.framing == BlockFraming::Length => {
                let (block, rest) = bytes.split_at((bytes.len() - left).min(SLICE_BYTES_MAX));
                *bytes = rest;
                part.remaining = Some(rest.len() as u64);
                Some(block)
            }
            _ => None,
        }
    }

    /// Gathers content into the block, at most `room` bytes, and returns how many it has: 0 only if there is
    /// no room, the body is at its end, or a reader comes next that is not to be waited for.
    fn gather(&mut self, room: usize, wait: Wait) -> Result<usize> {
        let mut count = 0;
        while let Some(part) = self.parts.front_mut() {
            let is_reader = part.is_reader();
            let may_read = !is_reader || count == 0 && wait == Wait::WhileEmpty;
            // A part without content is only asked whether it is at its end, before the bytes in front of
            // it may make the request complete.
            if part.remaining != Some(0) && (count == room || !may_read) {
                break;
            }
            let wanted = part.remaining.map_or(room - count, |remaining| at_most(remaining, room - count));
            let start = SIZE_LINE_BYTES_MAX + count;
            let got = if wanted == 0 { 0 } else { read(part, &mut self.block[start..start + wanted])? };
            match &mut part.remaining {
                Some(remaining) if got == 0 && *remaining > 0 => return Err(too_short(is_reader, *remaining)),
                Some(remaining) => *remaining -= got as u64,
                None => {}
            }
            count += got;
            if got == 0 || part.remaining == Some(0) {
                self.end_part()?; // before its last bytes may make the request complete
            }
        }
        Ok(count)
    }

    /// The block of `count` bytes that were gathered: as it is, or as a chunk, with the last chunk where that
    /// follows.
    fn frame(&mut self, count: usize) -> &[u8] {
        let mut end = SIZE_LINE_BYTES_MAX + count;
        if self.framing == BlockFraming::Length {
            return &self.block[SIZE_LINE_BYTES_MAX..end];
        }
        let mut line = [0; SIZE_LINE_BYTES_MAX];
        let line = encode_size(count, &mut line);
        let start = SIZE_LINE_BYTES_MAX - line.len();
        self.block[start..SIZE_LINE_BYTES_MAX].copy_from_slice(line);
        let mut put = |bytes: &[u8]| {
            self.block[end..end + bytes.len()].copy_from_slice(bytes);
            end += bytes.len();
        };
        put(b"\r\n");
        if self.parts.is_empty() {
            put(LAST_CHUNK);
            self.framing = BlockFraming::Ended;
        }
        &self.block[start..end]
    }

    /// Leaves the first part. A reader whose length was announced must be at its end.
    fn end_part(&mut self) -> Result<()> {
        let Some(mut part) = self.parts.pop_front() else { return Ok(()) };
        let is_sized_reader = part.is_reader() && part.remaining.is_some();
        let at = self.block.len() - 1;
        if is_sized_reader && read(&mut part, &mut self.block[at..])? > 0 {
            return Err(invalid("the body's reader goes on past its announced length"));
        }
        Ok(())
    }
}

/// Reads at a place in a file, and not at its cursor, which clones of the file share.
pub(crate) fn read_at(file: &File, block: &mut [u8], at: u64) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, block, at);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, block, at);
    #[cfg(not(any(unix, windows)))]
    {
        let mut file = file;
        file.seek(io::SeekFrom::Start(at))?;
        file.read(block)
    }
}

/// One read of a part, whatever signals come.
fn read(part: &mut Part<'_>, block: &mut [u8]) -> Result<usize> {
    loop {
        match part.read(block) {
            Ok(count) if count > block.len() => {
                return Err(invalid("the body's reader claims more than it was given room for"));
            }
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(Error::from_io(ErrorKind::Body, "reading the request body", error).at(Stage::Send));
            }
        }
    }
}

fn too_short(is_reader: bool, missing: u64) -> Error {
    let what = if is_reader { "reader" } else { "file" };
    invalid(format!("the body's {what} ended {missing} bytes before its announced length"))
}

fn invalid(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Body, what).at(Stage::Send)
}
