//! The coding `br` (RFC 7932). Windows are at most 16 MiB, as that RFC has them: the larger ones of
//! later encoders are an error.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use crate::error::Result;
use crate::wire::coding::progress::{Progress, garbage, malformed};

pub(super) struct Brotli {
    state: Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>,
    progress: Reached,
    made: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Reached {
    Nothing,
    Data,
    End,
}

impl Brotli {
    pub(super) fn new() -> Brotli {
        let alloc = StandardAlloc::default;
        let state = Box::new(BrotliState::new_strict(alloc(), alloc(), alloc()));
        Brotli { state, progress: Reached::Nothing, made: 0 }
    }

    pub(super) fn step(&mut self, source: &[u8], target: &mut [u8]) -> Result<Progress> {
        if self.progress == Reached::End {
            return if source.is_empty() { Ok(Progress { used: 0, made: 0 }) } else { Err(garbage("br", source)) };
        }
        if self.progress == Reached::Nothing && !source.is_empty() {
            self.progress = Reached::Data;
        }
        let (mut available_in, mut used) = (source.len(), 0);
        let (mut available_out, mut made) = (target.len(), 0);
        let result = BrotliDecompressStream(
            &mut available_in,
            &mut used,
            source,
            &mut available_out,
            &mut made,
            target,
            &mut self.made,
            &mut self.state,
        );
        match result {
            BrotliResult::ResultSuccess => self.progress = Reached::End,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultFailure => {
                let code = self.state.error_code as i32;
                let what = format!("br: the data is malformed (code {code}, after {} bytes of output)", self.made);
                return Err(malformed(what));
            }
        }
        Ok(Progress { used, made })
    }

    /// Returns whether the body may end here. One without a byte is empty.
    pub(super) fn may_end(&self) -> bool {
        self.progress != Reached::Data
    }
}
