//! The coding `deflate` (RFC 9110 §8.4.1.2): the zlib format (RFC 1950), or deflate data alone
//! (RFC 1951), which some servers send by that name.

use flate2::{Decompress, FlushDecompress, Status};

use crate::error::{Error, Result};
use crate::wire::coding::progress::{Progress, garbage, gather, malformed};

const NAME: &str = "deflate";

/// The bytes by which the two formats are told apart.
const SIGN_BYTES: usize = 2;

pub(super) struct Deflate {
    state: State,
    /// The first bytes, until the format is known.
    sign: Vec<u8>,
}

enum State {
    /// The format is not known yet.
    Start,
    /// The sign is decoded first, and then what follows it.
    Data {
        inflate: Decompress,
        from_sign: usize,
    },
    Ended,
}

impl Deflate {
    pub(super) fn new() -> Deflate {
        Deflate { state: State::Start, sign: Vec::new() }
    }

    pub(super) fn step(&mut self, source: &[u8], target: &mut [u8]) -> Result<Progress> {
        match &mut self.state {
            State::Start => {
                let used = gather(&mut self.sign, SIGN_BYTES, source);
                if self.sign.len() == SIGN_BYTES {
                    let inflate = Decompress::new(is_zlib(&self.sign));
                    self.state = State::Data { inflate, from_sign: 0 };
                }
                Ok(Progress { used, made: 0 })
            }
            State::Data { inflate, from_sign } => {
                while *from_sign < SIGN_BYTES {
                    let (progress, ended) = decompress(inflate, &self.sign[*from_sign..], target).map_err(named)?;
                    *from_sign += progress.used;
                    if ended {
                        let rest = self.sign.split_off(*from_sign);
                        self.state = State::Ended;
                        return match progress.made {
                            _ if !rest.is_empty() => Err(garbage(NAME, &rest)),
                            0 => self.step(source, target),
                            made => Ok(Progress { used: 0, made }),
                        };
                    }
                    if progress.made > 0 {
                        return Ok(Progress { used: 0, ..progress });
                    }
                }
                let (progress, ended) = decompress(inflate, source, target).map_err(named)?;
                if ended {
                    self.state = State::Ended;
                }
                Ok(progress)
            }
            State::Ended if source.is_empty() => Ok(Progress { used: 0, made: 0 }),
            State::Ended => Err(garbage(NAME, source)),
        }
    }

    /// Returns whether the body may end here. One without a byte is empty.
    pub(super) fn may_end(&self) -> bool {
        match self.state {
            State::Start => self.sign.is_empty(),
            State::Data { .. } => false,
            State::Ended => true,
        }
    }
}

/// Returns whether data begins with the head of the zlib format (RFC 1950 §2.2): deflate as the
/// method, a window of at most 32 KiB, and a check that holds.
fn is_zlib(sign: &[u8]) -> bool {
    let [method, flags] = [sign[0], sign[1]];
    method & 0x0f == 8 && method >> 4 <= 7 && (u16::from(method) << 8 | u16::from(flags)) % 31 == 0
}

fn named(what: String) -> Error {
    malformed(format!("{NAME}: {what}"))
}

/// Decodes some deflate data, in whichever format: how far it went, and whether the data has ended; or
/// what is wrong with it.
pub(super) fn decompress(
    inflate: &mut Decompress,
    source: &[u8],
    target: &mut [u8],
) -> Result<(Progress, bool), String> {
    let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
    let decoded = inflate.decompress(source, target, FlushDecompress::None);
    let malformed = |_| format!("the data is malformed (after {} bytes of output)", inflate.total_out());
    let status = decoded.map_err(malformed)?;
    // Neither can be more than the length of a slice.
    let used = (inflate.total_in() - before_in) as usize;
    let made = (inflate.total_out() - before_out) as usize;
    Ok((Progress { used, made }, status == Status::StreamEnd))
}
