//! A whole body in memory: how much of it, and how memory is taken for it. No Content-Length is
//! trusted for that. Its mistakes are plain sentences.

use crate::wire::framing::at_most;

/// What `bytes` and `text` collect unless `Body::limit` is set.
pub(super) const COLLECT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Memory that is reserved at a time, on the word of a Content-Length alone.
const RESERVE_BYTES_MAX: usize = if cfg!(target_pointer_width = "64") { 16 << 20 } else { 1 << 20 };

/// The least that is reserved for an unknown length.
const RESERVE_BYTES_MIN: usize = 8 * 1024;

/// Bytes that are read at a time. They are zeroed first, and few enough to be in the cache still when
/// the system writes into them.
pub(super) const STEP_BYTES: usize = 256 * 1024;

/// The same for a body of which more can be appended after a read, without zeroing.
pub(super) const STEP_BYTES_BEFORE_APPEND: usize = 16 * 1024;

/// The least that is worth to be appended: it takes a few system calls.
pub(super) const APPEND_BYTES_MIN: u64 = 32 * 1024;

/// The most that is appended at a time: the limits of time are looked at before and after it.
const APPEND_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The bytes of a body as they come.
pub(super) struct Collected {
    /// Those that came, and after them room that was zeroed.
    bytes: Vec<u8>,
    filled: usize,
    limit: u64,
}

impl Collected {
    /// Nothing yet of a body with that many bytes, where that is known.
    pub(super) fn new(limit: u64, remaining: Option<u64>) -> Result<Collected, String> {
        let fits = |left| left <= limit && isize::try_from(left).is_ok();
        match remaining.is_none_or(fits) {
            true => Ok(Collected { bytes: Vec::new(), filled: 0, limit }),
            false => Err(too_large(limit)),
        }
    }

    /// Room for the next read: for all that is left, if that is known and not too much; else for as
    /// much again as has come; at most `step` bytes of it at a time.
    pub(super) fn room(&mut self, remaining: Option<u64>, step: usize) -> Result<&mut [u8], String> {
        if self.filled == self.bytes.len() {
            if self.bytes.capacity() == self.filled {
                let more = match remaining {
                    Some(left) => at_most(left, self.filled.max(RESERVE_BYTES_MAX)),
                    None => self.filled.max(RESERVE_BYTES_MIN),
                };
                let total = self.filled.saturating_add(more);
                let reserved = self.bytes.try_reserve_exact(more);
                reserved.map_err(|_| format!("there is no memory for a body of {total} bytes"))?;
            }
            self.bytes.resize(self.bytes.capacity().min(self.filled + step), 0);
        }
        Ok(&mut self.bytes[self.filled..])
    }

    /// `count` bytes were read into the room.
    pub(super) fn add(&mut self, count: usize) {
        self.filled += count;
    }

    /// Fails if more has come than the limit allows.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.filled as u64 > self.limit { Err(too_large(self.limit)) } else { Ok(()) }
    }

    /// Has `append` append at most so many bytes, and no more than there is memory for; one more than the
    /// limit is enough. Nothing is done where it is not worth it.
    pub(super) fn append<E>(
        &mut self,
        appendable: u64,
        append: impl FnOnce(&mut Vec<u8>, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let within_limit = self.limit.saturating_sub(self.filled as u64).saturating_add(1);
        let bytes_max = appendable.min(within_limit).min(APPEND_BYTES_MAX);
        let count = at_most(bytes_max, self.bytes.capacity() - self.filled);
        if (count as u64) < APPEND_BYTES_MIN {
            return Ok(());
        }
        self.bytes.truncate(self.filled);
        let appended = append(&mut self.bytes, count);
        self.filled = self.bytes.len();
        appended
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.filled);
        self.bytes
    }
}

fn too_large(limit: u64) -> String {
    format!("the body is over {} bytes (limit)", limit.min(isize::MAX as u64))
}
