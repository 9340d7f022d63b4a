//! The coding `zstd` (RFC 8878, RFC 9659): frames one after the other, which are data or to be
//! skipped.
//!
//! The frames' structure is read here and each block is decoded by ruzstd, because that reads one
//! frame, has no limit for the window that suits a client nor for what a block decodes to, and does not
//! compare the checksum. A block is decoded when all of it is there. ruzstd gives nothing out of a frame's
//! window before the frame ends, so what a server flushes in the middle of a frame may be seen late.

mod block;

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::io::Read;

use crate::error::{Error, Result};
use crate::wire::coding::progress::{Progress, gather, malformed};
use crate::wire::coding::zstd::block::{Tables, decoded_length};

/// The largest window that a recipient need accept (RFC 9659 §3). ruzstd's buffer for a window has up
/// to twice its size.
const WINDOW_BYTES_MAX: u64 = 8 << 20;
/// The largest block (RFC 8878 §3.1.1.2.4).
const BLOCK_BYTES_MAX: usize = 128 << 10;
const MAGIC: u32 = 0xfd2f_b528;
/// The first of 16 numbers with which frames to be skipped begin.
const SKIPPABLE: u32 = 0x184d_2a50;
const BLOCK_HEADER_BYTES: usize = 3;
/// Kinds of blocks that are told apart here (RFC 8878 §3.1.1.2.2).
const RLE: u32 = 1;
const COMPRESSED: u32 = 2;
const CHECKSUM_BYTES: usize = 4;

pub(super) struct Zstd {
    state: State,
    /// The bytes of what is used as a whole: a header or a block.
    gathered: Vec<u8>,
    decoder: FrameDecoder,
    frame: Frame,
    made: u64,
    /// Of the frame under way.
    tables: Tables,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq)]
enum State {
    /// A magic number, and with it a frame; or the end.
    Magic,
    SkippableLength,
    Skippable {
        left: u32,
    },
    /// The byte after the magic number, which says how long the header is.
    Descriptor,
    Header {
        bytes: usize,
    },
    BlockHeader,
    Block {
        bytes: usize,
        kind: u32,
        is_last: bool,
    },
    /// Decoded data that waits to be taken.
    Output {
        is_last: bool,
    },
}

/// The frame under way.
#[derive(Clone, Copy, Default)]
struct Frame {
    has_checksum: bool,
    /// The length of the data, where the header says it.
    content: Option<u64>,
    made: u64,
    /// What a block may decode to.
    block_bytes_max: u64,
}

impl Zstd {
    pub(super) fn new() -> Zstd {
        let decoder = FrameDecoder::new();
        Zstd {
            state: State::Magic,
            gathered: Vec::new(),
            decoder,
            frame: Frame::default(),
            made: 0,
            tables: Tables::default(),
        }
    }

    pub(super) fn step(&mut self, source: &[u8], target: &mut [u8]) -> Result<Progress> {
        let mut used = 0;
        loop {
            if let State::Output { is_last } = self.state {
                let made = self.take_output(is_last, target)?;
                if made > 0 {
                    return Ok(Progress { used, made });
                }
            }
            if used == source.len() {
                return Ok(Progress { used, made: 0 });
            }
            used += self.step_around(&source[used..])?;
        }
    }

    /// Returns whether the body may end here: before the first byte of a frame.
    pub(super) fn may_end(&self) -> bool {
        self.state == State::Magic && self.gathered.is_empty()
    }

    /// Takes some of a header or a block: how much. The source is not empty.
    fn step_around(&mut self, source: &[u8]) -> Result<usize> {
        match self.state {
            State::Magic => self.take(source, 4, Zstd::end_magic),
            State::SkippableLength => self.take(source, 4, |zstd| {
                zstd.state = match zstd.number() {
                    0 => State::Magic,
                    left => State::Skippable { left },
                };
                zstd.gathered.clear();
                Ok(())
            }),
            State::Skippable { left } => {
                let count = source.len().min(left as usize);
                let left = left - count as u32;
                self.state = if left == 0 { State::Magic } else { State::Skippable { left } };
                Ok(count)
            }
            State::Descriptor => self.take(source, 5, |zstd| {
                zstd.state = State::Header { bytes: header_bytes(zstd.gathered[4]) };
                Ok(())
            }),
            State::Header { bytes } => self.take(source, bytes, Zstd::end_header),
            State::BlockHeader => self.take(source, BLOCK_HEADER_BYTES, Zstd::end_block_header),
            State::Block { bytes, kind, is_last } => self.take(source, bytes, |zstd| zstd.decode_block(kind, is_last)),
            State::Output { .. } => Ok(0),
        }
    }

    /// Gathers until that many bytes are there, and then uses them: how many of the source it took.
    fn take(&mut self, source: &[u8], wanted: usize, end: impl FnOnce(&mut Zstd) -> Result<()>) -> Result<usize> {
        let used = gather(&mut self.gathered, wanted, source);
        if self.gathered.len() == wanted {
            end(self)?;
        }
        Ok(used)
    }

    /// The number that the gathered bytes are.
    fn number(&self) -> u32 {
        self.gathered.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
    }

    fn end_magic(&mut self) -> Result<()> {
        let magic = self.number();
        if magic == MAGIC {
            self.state = State::Descriptor; // the header is used from its beginning
            return Ok(());
        }
        if magic & !0xf == SKIPPABLE {
            self.gathered.clear();
            self.state = State::SkippableLength;
            return Ok(());
        }
        let shown = self.gathered.escape_ascii();
        Err(self.error(format!("\"{shown}\" begins no frame")))
    }

    fn end_header(&mut self) -> Result<()> {
        let header = std::mem::take(&mut self.gathered);
        if header[4] & 0x08 != 0 {
            return Err(self.error("the header has a reserved bit".to_owned())); // RFC 8878 §3.1.1.1.1.4
        }
        let (window, content) = window_and_content(&header);
        if window > WINDOW_BYTES_MAX {
            return Err(self.error(format!("a window of {window} bytes, over {WINDOW_BYTES_MAX} (RFC 9659)")));
        }
        self.decoder.reset(&header[..]).map_err(|error| self.error(error.to_string()))?;
        let block_bytes_max = window.min(BLOCK_BYTES_MAX as u64);
        self.frame = Frame { has_checksum: header[4] & 0x04 != 0, content, made: 0, block_bytes_max };
        self.tables = Tables::default();
        self.state = State::BlockHeader;
        Ok(())
    }

    /// The header stays where it is: the decoder wants to see it before the block.
    fn end_block_header(&mut self) -> Result<()> {
        let header = self.number();
        let (is_last, kind, size) = (header & 1 != 0, header >> 1 & 3, (header >> 3) as usize);
        if size as u64 > self.frame.block_bytes_max {
            return Err(self.error(format!("a block of {size} bytes, over {}", self.frame.block_bytes_max)));
        }
        let content = if kind == RLE { 1 } else { size }; // one byte, that many times
        let checksum = if is_last && self.frame.has_checksum { CHECKSUM_BYTES } else { 0 };
        self.state = State::Block { bytes: BLOCK_HEADER_BYTES + content + checksum, kind, is_last };
        if content + checksum == 0 {
            return self.decode_block(kind, is_last);
        }
        Ok(())
    }

    fn decode_block(&mut self, kind: u32, is_last: bool) -> Result<()> {
        let block = std::mem::take(&mut self.gathered);
        if kind == COMPRESSED {
            let size = (u32::from_le_bytes([block[0], block[1], block[2], 0]) >> 3) as usize;
            let content = &block[BLOCK_HEADER_BYTES..BLOCK_HEADER_BYTES + size];
            let length = decoded_length(content, &mut self.tables);
            let length = length.ok_or_else(|| self.error("a block is malformed".to_owned()))?;
            if length > self.frame.block_bytes_max {
                return Err(self.error(format!("a block of {length} bytes, over {}", self.frame.block_bytes_max)));
            }
        }
        let decoded = self.decoder.decode_blocks(&block[..], BlockDecodingStrategy::UptoBlocks(1));
        decoded.map_err(|_| self.error("a block is malformed".to_owned()))?;
        self.gathered = block;
        self.gathered.clear();
        self.state = State::Output { is_last };
        Ok(())
    }

    /// Takes what has been decoded: how much. After the last of it the next block or frame follows.
    fn take_output(&mut self, is_last: bool, target: &mut [u8]) -> Result<usize> {
        let made = self.decoder.read(target).map_err(|error| self.error(error.to_string()))?;
        self.made += made as u64;
        self.frame.made += made as u64;
        if made > 0 {
            return Ok(made);
        }
        if is_last {
            self.check_frame()?;
        }
        self.state = if is_last { State::Magic } else { State::BlockHeader };
        Ok(0)
    }

    fn check_frame(&self) -> Result<()> {
        let (want, is) = (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum());
        if let (Some(want), Some(is)) = (want, is) {
            if want != is {
                return Err(self.error(format!("checksum {is:08x} is not {want:08x}")));
            }
        }
        match self.frame.content {
            Some(length) if length != self.frame.made => {
                Err(self.error(format!("the frame has {} bytes, and not {length}", self.frame.made)))
            }
            _ => Ok(()),
        }
    }

    fn error(&self, what: String) -> Error {
        malformed(format!("zstd: {what} (after {} bytes of output)", self.made))
    }
}

/// The length of a frame's header, magic number included, by its descriptor (RFC 8878 §3.1.1.1).
fn header_bytes(descriptor: u8) -> usize {
    let window = usize::from(!is_single_segment(descriptor));
    4 + 1 + window + dictionary_bytes(descriptor) + content_bytes(descriptor)
}

fn is_single_segment(descriptor: u8) -> bool {
    descriptor & 0x20 != 0
}

fn dictionary_bytes(descriptor: u8) -> usize {
    [0, 1, 2, 4][usize::from(descriptor & 3)]
}

/// The bytes of the field that says how long the content is.
fn content_bytes(descriptor: u8) -> usize {
    match descriptor >> 6 {
        0 => usize::from(is_single_segment(descriptor)),
        flag => 1 << flag,
    }
}

/// The window that a frame needs, and the length of its content where it is said
/// (RFC 8878 §3.1.1.1.2, §3.1.1.1.4).
fn window_and_content(header: &[u8]) -> (u64, Option<u64>) {
    let descriptor = header[4];
    let field = &header[header.len() - content_bytes(descriptor)..];
    let number = field.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    let content = match field.len() {
        0 => None,
        2 => Some(number + 256),
        _ => Some(number),
    };
    if let (true, Some(content)) = (is_single_segment(descriptor), content) {
        return (content, Some(content));
    }
    let (exponent, mantissa) = (u32::from(header[5] >> 3), u64::from(header[5] & 7));
    let base = 1u64 << (10 + exponent);
    (base + base / 8 * mantissa, content)
}
