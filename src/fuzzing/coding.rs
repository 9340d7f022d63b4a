//! The target for content codings: what is decoded does not depend on how the bytes arrive or where they
//! go, and is what the codings' own readers make of all bytes together.

use std::io::Read;

use crate::error::ErrorKind;
use crate::headers::Headers;
use crate::wire::coding::ContentDecoder;

/// Decoded bytes beyond which an input is left: it is one that grows.
const DECODED_BYTES_MAX: usize = 1 << 20;

/// The first byte chooses the codings, the rest is the body.
const CODINGS: [&str; 6] = ["gzip", "deflate", "br", "zstd", "deflate, gzip", "gzip, br"];

/// Content, and how it ended; an error comes after the content before it.
type Outcome = (Vec<u8>, Option<ErrorKind>);

/// A coded body decodes to the same however it arrives and in whatever pieces it is taken, and to what
/// another reader makes of it.
pub fn coding(bytes: &[u8]) {
    let Some((choice, body)) = bytes.split_first() else { return };
    let name = CODINGS[usize::from(*choice) % CODINGS.len()];
    let whole = decode(name, body, body.len().max(1), 64 * 1024);
    if whole.0.len() > DECODED_BYTES_MAX {
        return;
    }
    let step = 1 + body.len() / 3;
    for (source, target) in [(1, 8192), (step, 1), (7, 11), (step, 997)] {
        let (content, error) = decode(name, body, source, target);
        if content.len() > DECODED_BYTES_MAX {
            continue;
        }
        assert_eq!(error, whole.1, "{name}, {source}, {target}");
        // What an error leaves of the content before it depends on the pieces.
        let common = if error.is_some() { content.len().min(whole.0.len()) } else { usize::MAX };
        assert!(
            content[..content.len().min(common)] == whole.0[..whole.0.len().min(common)],
            "{name}, {source}, {target}"
        );
    }
    if let Some(expected) = reference(name, body) {
        match (&whole, &expected) {
            ((content, None), Some(expected)) => assert!(content == expected, "{name}"),
            ((_, Some(_)), None) => {}
            (whole, expected) => panic!("{name}: {:?}, expected {:?}", whole.1, expected.as_ref().map(Vec::len)),
        }
    }
}

/// Decodes a body that arrives in pieces of `source` bytes and is taken in pieces of `target`.
fn decode(name: &str, body: &[u8], source: usize, target: usize) -> Outcome {
    let mut headers = Headers::new();
    headers.append("Content-Encoding", name).expect("a well-formed field");
    let decoder = ContentDecoder::of(&headers).expect("two codings are not too many");
    let Some(mut decoder) = decoder else { return (Vec::new(), None) };
    let (mut content, mut piece) = (Vec::new(), vec![0; target]);
    for arrived in body.chunks(source).chain([&[][..]]) {
        let mut rest = arrived;
        loop {
            let progress = match decoder.step(rest, &mut piece, |_| Ok(())) {
                Ok(progress) => progress,
                Err(error) => return (content, Some(error.kind())),
            };
            rest = &rest[progress.used..];
            content.extend_from_slice(&piece[..progress.made]);
            if progress.made < piece.len() {
                assert!(rest.is_empty(), "{name}: {} bytes are not used", rest.len());
                break;
            }
            if content.len() > DECODED_BYTES_MAX {
                return (content, None);
            }
        }
    }
    (content, decoder.eof().err().map(|error| error.kind()))
}

/// What the other reader makes of it: `None` where there is none or it has another opinion, `Some(None)`
/// for an error.
fn reference(name: &str, body: &[u8]) -> Option<Option<Vec<u8>>> {
    let reader: Box<dyn Read + '_> = match name {
        _ if body.is_empty() => return Some(Some(Vec::new())),
        "gzip" => Box::new(flate2::bufread::MultiGzDecoder::new(body)),
        "br" => return reference_brotli(body),
        _ => return None,
    };
    let mut content = Vec::new();
    match reader.take(DECODED_BYTES_MAX as u64 + 1).read_to_end(&mut content) {
        Ok(_) if content.len() > DECODED_BYTES_MAX => None,
        Ok(_) => Some(Some(content)),
        Err(_) => Some(None),
    }
}

/// It passes over what follows the data, so its opinion counts only where nothing does.
fn reference_brotli(body: &[u8]) -> Option<Option<Vec<u8>>> {
    let mut content = Vec::new();
    let reader = brotli_decompressor::Decompressor::new(body, 4096);
    match reader.take(DECODED_BYTES_MAX as u64 + 1).read_to_end(&mut content) {
        Ok(_) => None,
        // It takes larger windows; what it refuses is refused here.
        Err(_) => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// The files that the tests have, as inputs of the target.
    fn samples() -> Vec<(String, Vec<u8>)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/decoding/data");
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let mut samples = Vec::new();
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let choice = match name.rsplit_once('.').unwrap_or_default() {
                ("page.zlib", "gz") => 4,
                ("page.gz", "br") => 5,
                ("page.gz", "gz") | (_, "txt") => continue,
                (_, "gz") => 0,
                (_, "zlib" | "deflate") => 1,
                (_, "br") => 2,
                (_, "zst") => 3,
                _ => continue,
            };
            samples.push((name, [&[choice][..], &fs::read(path).unwrap()].concat()));
        }
        samples
    }

    #[test]
    fn coded_bodies_decode_to_the_same_however_they_arrive() {
        for (name, bytes) in samples() {
            println!("{name}");
            coding(&bytes);
        }
    }

    /// Bytes changed, lost, doubled and moved, by a sequence of pseudo-random numbers.
    #[test]
    fn damaged_bodies_panic_nowhere() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |limit: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % limit as u64) as usize
        };
        let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20);
        // Bodies that grow take time, and have little structure.
        for (name, sample) in samples().into_iter().filter(|(name, _)| !name.starts_with("zeros")) {
            for round in 0..rounds {
                let mut bytes = sample.clone();
                for _ in 0..1 + below(4) {
                    // The structure is at the front: half of the damage goes there.
                    let reach = if below(2) == 0 { bytes.len().min(40) } else { bytes.len() };
                    let at = 1 + below(reach - 1);
                    match below(5) {
                        0 => bytes[at] ^= 1 << below(8),
                        1 => bytes[at] = below(256) as u8,
                        2 => bytes.truncate(at.max(2)),
                        3 => drop(bytes.remove(at)),
                        _ => bytes.insert(at, below(256) as u8),
                    }
                    if bytes.len() < 3 {
                        break;
                    }
                }
                let result = std::panic::catch_unwind(|| coding(&bytes));
                assert!(result.is_ok(), "{name}, round {round}: {}", bytes[..bytes.len().min(64)].escape_ascii());
            }
        }
    }
}
