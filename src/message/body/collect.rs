//! A whole body in memory: how much of it, and how memory is taken for it. No Content-Length is
//! trusted for that.

use crate::error::{Error, ErrorKind, Result};
use crate::message::body::framed::Framed;
use crate::wire::framing::at_most;

/// What `bytes` and `text` collect unless `Body::limit` says otherwise.
pub(super) const COLLECT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Memory that is reserved at a time, on the word of a Content-Length alone.
const RESERVE_BYTES_MAX: usize = if cfg!(target_pointer_width = "64") { 16 << 20 } else { 1 << 20 };

/// The least that is reserved for an unknown length.
const RESERVE_BYTES_MIN: usize = 8 * 1024;

/// Bytes that are read at a time. They are zeroed first, and few enough to be in the cache still when
/// the system writes into them.
const COLLECT_STEP_BYTES: usize = 256 * 1024;

/// Reads all that is left of a body.
pub(super) fn collect(framed: &mut Framed, limit: u64) -> Result<Vec<u8>> {
    let fits = |left| left <= limit && isize::try_from(left).is_ok();
    if framed.remaining().is_some_and(|left| !fits(left)) {
        return Err(too_large(limit));
    }
    let mut collected = Vec::new();
    let mut filled = 0; // what is behind is room, zeroed once
    while !framed.is_complete() {
        if filled == collected.len() {
            reserve(&mut collected, framed.remaining())?;
            collected.resize(collected.capacity().min(filled + COLLECT_STEP_BYTES), 0);
        }
        match framed.read_into(&mut collected[filled..])? {
            0 => break,
            count => filled += count,
        }
        if filled as u64 > limit {
            return Err(too_large(limit));
        }
    }
    collected.truncate(filled);
    Ok(collected)
}

/// Makes room: for all that is left, if that is known and not too much; else for as much again
/// as has come.
fn reserve(collected: &mut Vec<u8>, left: Option<u64>) -> Result<()> {
    if collected.capacity() > collected.len() {
        return Ok(());
    }
    let more = match left {
        Some(left) => at_most(left, collected.len().max(RESERVE_BYTES_MAX)),
        None => collected.len().max(RESERVE_BYTES_MIN),
    };
    collected.try_reserve_exact(more).map_err(|_| {
        let bytes = collected.len().saturating_add(more);
        Error::new(ErrorKind::BodyTooLarge, format!("there is no memory for a body of {bytes} bytes"))
    })
}

fn too_large(limit: u64) -> Error {
    let limit = limit.min(isize::MAX as u64);
    Error::new(ErrorKind::BodyTooLarge, format!("the body is over {limit} bytes (limit)"))
}
