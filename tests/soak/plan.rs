//! What is asked and what goes wrong, request by request: drawn from the seed and the request's
//! number alone, so that both sides know it without a word. And the bodies, which say whose they
//! are, how long, and what they sum up to.

use std::sync::OnceLock;
use std::time::Duration;

/// A server listens on 127.0.0.1 up to this last number: as many origins as there are.
pub(crate) const HOSTS: usize = 8;

/// Where nothing is slow by plan, a request has this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// The pattern that bodies are cut out of.
const PATTERN_BYTES: usize = 2 << 20;
const BODY_BYTES_MAX: usize = 1 << 20;

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// From `min` up to `max`, both included.
    pub(crate) fn between(&mut self, min: usize, max: usize) -> usize {
        min + (self.next() % (max - min + 1) as u64) as usize
    }

    /// The entry whose share, in thousandths, is drawn; what is left of the thousand is `rest`.
    fn pick<T: Copy>(&mut self, table: &[(usize, T)], rest: T) -> T {
        let mut drawn = self.between(0, 999);
        for (share, entry) in table {
            if drawn < *share {
                return *entry;
            }
            drawn -= share;
        }
        rest
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Get,
    Head,
    Post,
    Put,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length,
    Chunked,
    UntilClose,
}

/// What the server does instead of a plain response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    None,
    /// Nothing listens there.
    Refused,
    /// Interim responses come first.
    Interim,
    /// 204.
    NoContent,
    /// The first hop leads on with this status.
    Redirect(u16),
    /// Reads the request and closes without a word: with FIN, or with RST.
    Mute,
    MuteReset,
    /// The head ends in the middle.
    CutHead,
    /// The body ends in the middle: with FIN, or with RST.
    CutBody,
    ResetBody,
    /// In place of the last chunk comes what is none.
    BadLastChunk,
    /// Slow, but in time.
    Drip,
    /// The response comes just about when the time is up.
    Late,
    /// Silence that outlasts the time: before the head, within it, within the body.
    SilentBeforeHead,
    SilentInHead,
    SilentInBody,
    /// One byte per so many milliseconds that outlast the time: in the head, in the body.
    DrippingHead,
    DrippingBody,
    /// Does not read the upload, and sends nothing.
    NeverReads,
    /// 413 before the upload was read; then RST, or FIN, or it reads the rest all the same.
    TooLargeReset,
    TooLargeClose,
    TooLargeReadsOn,
    /// 200 before the upload was read.
    EarlyOk,
}

const FAULTS: [(usize, Fault); 24] = [
    (6, Fault::Refused),
    (30, Fault::Interim),
    (20, Fault::NoContent),
    (12, Fault::Redirect(302)),
    (12, Fault::Redirect(303)),
    (16, Fault::Redirect(307)),
    (8, Fault::Mute),
    (8, Fault::MuteReset),
    (8, Fault::CutHead),
    (15, Fault::CutBody),
    (12, Fault::ResetBody),
    (10, Fault::BadLastChunk),
    (15, Fault::Drip),
    (6, Fault::Late),
    (4, Fault::SilentBeforeHead),
    (3, Fault::SilentInHead),
    (4, Fault::SilentInBody),
    (3, Fault::DrippingHead),
    (4, Fault::DrippingBody),
    (3, Fault::NeverReads),
    (8, Fault::TooLargeReset),
    (8, Fault::TooLargeClose),
    (8, Fault::TooLargeReadsOn),
    (8, Fault::EarlyOk),
];

impl Fault {
    /// Another address of loopback, where nothing listens to the ports of the server.
    pub(crate) const REFUSING: &str = "127.0.0.9";

    pub(crate) fn is_redirect(self) -> bool {
        matches!(self, Fault::Redirect(_))
    }

    /// The request's time is short, since it will be used up, or nearly so.
    fn is_slow(self) -> bool {
        self == Fault::Late || self.outlasts()
    }

    /// No response is complete in time.
    pub(crate) fn outlasts(self) -> bool {
        matches!(
            self,
            Fault::SilentBeforeHead
                | Fault::SilentInHead
                | Fault::SilentInBody
                | Fault::DrippingHead
                | Fault::DrippingBody
                | Fault::NeverReads
        )
    }

    /// What goes wrong goes wrong in the body.
    pub(crate) fn is_in_body(self) -> bool {
        matches!(
            self,
            Fault::CutBody | Fault::ResetBody | Fault::BadLastChunk | Fault::SilentInBody | Fault::DrippingBody
        )
    }

    pub(crate) fn is_too_large(self) -> bool {
        matches!(self, Fault::TooLargeReset | Fault::TooLargeClose | Fault::TooLargeReadsOn)
    }

    fn needs_upload(self) -> bool {
        self.is_too_large() || matches!(self, Fault::EarlyOk | Fault::NeverReads)
    }
}

/// What becomes of the connection after a whole response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Aftermath {
    Keep,
    /// `Connection: close`.
    CloseSaid,
    /// FIN at once, which is not announced.
    CloseUnsaid,
    /// RST as the next request arrives.
    ResetOnNext,
    /// Another request's answer, in the same write.
    StrayAnswer,
    /// Bytes that are no response, a moment later.
    StrayLate,
}

const AFTERMATHS: [(usize, Aftermath); 5] = [
    (30, Aftermath::CloseSaid),
    (30, Aftermath::CloseUnsaid),
    (20, Aftermath::ResetOnNext),
    (15, Aftermath::StrayAnswer),
    (10, Aftermath::StrayLate),
];

/// How the caller takes the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Bytes,
    /// By `read`, with a buffer of this many bytes.
    Buffer(usize),
    BufRead,
    CopyTo,
    /// Drops it after this many bytes.
    Drop(usize),
    /// Cancels the request after this many bytes.
    Cancel(usize),
}

const READINGS: [(usize, Reading); 7] = [
    (250, Reading::Bytes),
    (100, Reading::Buffer(100)),
    (100, Reading::Buffer(64 * 1024)),
    (150, Reading::BufRead),
    (100, Reading::CopyTo),
    (30, Reading::Drop(200)),
    (10, Reading::Cancel(20)),
];

/// How a request body is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upload {
    Bytes,
    Reader,
    SizedReader,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) id: u64,
    pub(crate) host: usize,
    pub(crate) ask: Ask,
    pub(crate) upload: Upload,
    pub(crate) upload_bytes: usize,
    pub(crate) timeout: Duration,
    pub(crate) reading: Reading,
    pub(crate) fault: Fault,
    pub(crate) framing: Framing,
    pub(crate) filling_bytes: usize,
    pub(crate) aftermath: Aftermath,
    /// For whatever else is left to chance.
    pub(crate) seed: u64,
}

impl Plan {
    pub(crate) fn of(seed: u64, id: u64) -> Plan {
        let mut random = Random::new(seed ^ id.wrapping_mul(0xD134_2543_DE82_EF95));
        let fault = random.pick(&FAULTS, Fault::None);
        let ask = random.pick(&[(280, Ask::Post), (60, Ask::Put), (40, Ask::Head)], Ask::Get);
        let ask = match ask {
            _ if fault.needs_upload() => Ask::Post,
            Ask::Head if fault.is_in_body() => Ask::Get,
            ask => ask,
        };
        let framing = random.pick(&[(480, Framing::Chunked), (60, Framing::UntilClose)], Framing::Length);
        let framing = match (fault, framing) {
            (Fault::BadLastChunk, _) => Framing::Chunked,
            // That cannot be distinguished from an end.
            (Fault::CutBody, Framing::UntilClose) => Framing::Length,
            // The connection stays open behind it, to be read from.
            (fault, Framing::UntilClose) if fault.needs_upload() => Framing::Length,
            (_, framing) => framing,
        };
        let aftermath = match framing {
            Framing::UntilClose => Aftermath::Keep,
            _ => random.pick(&AFTERMATHS, Aftermath::Keep),
        };
        let aftermath = match (aftermath, fault) {
            (Aftermath::StrayAnswer, Fault::None | Fault::NoContent) => aftermath,
            (Aftermath::StrayAnswer, _) => Aftermath::Keep,
            _ => aftermath,
        };
        let upload = random.pick(&[(150, Upload::Reader), (150, Upload::SizedReader)], Upload::Bytes);
        let timeout = Duration::from_millis(random.between(120, 400) as u64);
        Plan {
            id,
            host: random.between(0, HOSTS - 1),
            ask,
            upload: if fault.is_redirect() { Upload::Bytes } else { upload },
            upload_bytes: upload_bytes(&mut random, ask, fault),
            timeout: if fault.is_slow() { timeout } else { PATIENCE },
            reading: random.pick(&READINGS, Reading::Buffer(4096)),
            fault,
            framing,
            filling_bytes: filling_bytes(&mut random, aftermath),
            aftermath,
            seed: random.next(),
        }
    }

    /// Returns whether a request that got no byte of a response may go out once more.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.ask != Ask::Post && (self.upload == Upload::Bytes || self.upload_bytes == 0)
    }
}

fn upload_bytes(random: &mut Random, ask: Ask, fault: Fault) -> usize {
    match ask {
        Ask::Get | Ask::Head => 0,
        _ if fault.needs_upload() => random.between(100_000, 1_000_000),
        _ => match random.between(0, 99) {
            0..=69 => random.between(0, 2_000),
            70..=94 => random.between(2_000, 64_000),
            _ => random.between(64_000, 600_000),
        },
    }
}

/// A stray response is in one segment with what it follows only if that is small.
fn filling_bytes(random: &mut Random, aftermath: Aftermath) -> usize {
    match random.between(0, 99) {
        0..=59 => random.between(0, 2_000),
        _ if aftermath == Aftermath::StrayAnswer => random.between(2_000, 4_000),
        60..=89 => random.between(2_000, 20_000),
        90..=98 => random.between(20_000, 100_000),
        _ => random.between(100_000, 400_000),
    }
}

fn pattern() -> &'static [u8] {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    PATTERN.get_or_init(|| {
        let mut random = Random::new(7);
        (0..PATTERN_BYTES / 8).flat_map(|_| random.next().to_le_bytes()).collect()
    })
}

/// Bytes that belong to this request and, but for chance, to no other.
pub(crate) fn filling(id: u64, length: usize) -> &'static [u8] {
    assert!(length <= BODY_BYTES_MAX, "no body is that long");
    let from = Random::new(id).between(0, PATTERN_BYTES - BODY_BYTES_MAX);
    &pattern()[from..from + length]
}

/// FNV-1a over words of eight bytes, the last one filled up with zeros.
fn hash(bytes: &[u8]) -> u64 {
    let mut sum = 0xCBF2_9CE4_8422_2325_u64;
    for word in bytes.chunks(8) {
        let mut eight = [0; 8];
        eight[..word.len()].copy_from_slice(word);
        sum = (sum ^ u64::from_le_bytes(eight)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    sum
}

/// A response body that says of itself whose it is, how long its rest is, and that rest's hash.
pub(crate) fn content(id: u64, filling_bytes: usize) -> Vec<u8> {
    let filling = filling(id, filling_bytes);
    let mut content = format!("{id} {filling_bytes} {:016x}\n", hash(filling)).into_bytes();
    content.extend_from_slice(filling);
    content
}

/// Returns whether these bytes are the whole response to this request.
pub(crate) fn check(id: u64, content: &[u8]) -> Result<(), String> {
    let Some(end) = content.iter().position(|byte| *byte == b'\n') else {
        return Err(format!("{} bytes that do not say whose they are", content.len()));
    };
    let line = String::from_utf8_lossy(&content[..end]);
    let filling = &content[end + 1..];
    let truth = format!("{id} {} {:016x}", filling.len(), hash(filling));
    if line == truth { Ok(()) } else { Err(format!("the body says \"{line}\", and is \"{truth}\"")) }
}
