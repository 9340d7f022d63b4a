//! What the server sends: this project's own documents and sources as text, and JSON as an API has it,
//! each compressed once, as well as servers do on the fly.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use longwire_benches::server::{Answer, Answers, JSON};

pub const TEXT_BYTES: usize = 3 << 19;

const GZIP_LEVEL: u32 = 6;
const BROTLI_QUALITY: u32 = 5;
const BROTLI_WINDOW_BITS: u32 = 22;
const ZSTD_LEVEL: i32 = 3;

pub fn answers() -> io::Result<Answers> {
    let text = text()?;
    let coded = |coding: &str, body: Vec<u8>| Answer::with_fields(&format!("Content-Encoding: {coding}\r\n"), &body);
    Ok(Answers::from([
        ("/text.gz", coded("gzip", gzip(&text)?)),
        ("/text.br", coded("br", brotli(&text)?)),
        ("/text.zst", coded("zstd", zstd(&text)?)),
        ("/json.gz", coded("gzip", gzip(JSON.as_bytes())?)),
    ]))
}

/// What it is, and how small it gets.
pub fn describe() -> io::Result<String> {
    let text = text()?;
    let share = |coded: Vec<u8>| 100 * coded.len() / TEXT_BYTES;
    Ok(format!(
        "The text is the first 1.5 MiB of this project's documents and sources: {} % of it with gzip (level {GZIP_LEVEL}), \
         {} % with br ({BROTLI_QUALITY}), {} % with zstd ({ZSTD_LEVEL}); the JSON has {} bytes, and {} with gzip.",
        share(gzip(&text)?),
        share(brotli(&text)?),
        share(zstd(&text)?),
        JSON.len(),
        gzip(JSON.as_bytes())?.len(),
    ))
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL));
    encoder.write_all(content)?;
    encoder.finish()
}

fn brotli(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut coded = Vec::new();
    brotli::CompressorWriter::new(&mut coded, 1 << 16, BROTLI_QUALITY, BROTLI_WINDOW_BITS).write_all(content)?;
    Ok(coded)
}

/// With a checksum, as the tool writes it.
fn zstd(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.write_all(content)?;
    encoder.finish()
}

/// The documents, then `src`, then `tests`, each in the order of the names.
fn text() -> io::Result<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the project");
    let (mut files, mut text) = (Vec::new(), Vec::new());
    for document in ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"] {
        files.push(root.join(document));
    }
    gather(&root.join("src"), &mut files)?;
    gather(&root.join("tests"), &mut files)?;
    for file in files {
        text.extend(fs::read(file)?);
    }
    assert!(text.len() >= TEXT_BYTES, "{} bytes of text", text.len());
    text.truncate(TEXT_BYTES);
    Ok(text)
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries: io::Result<Vec<_>> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect();
    let mut entries = entries?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            gather(&entry, files)?;
        } else if entry.extension().is_some_and(|extension| extension == "rs" || extension == "md") {
            files.push(entry);
        }
    }
    Ok(())
}
