//! The works. Knows the server's paths, and no client.

use longwire_benches::server::JSON;
use longwire_benches::work::{Act, KIB, Work, work};

use crate::content::TEXT_BYTES;

const BY_4: Act = Act::Get { buffer: 4 * KIB };
const BY_8: Act = Act::Get { buffer: 8 * KIB };
const BY_64: Act = Act::Get { buffer: 64 * KIB };

#[rustfmt::skip] // a table
pub const WORKS: [Work; 6] = [
    work("gzip-64k", "1.5 MiB of text, gzip, reads of 64 KiB", "/text.gz", BY_64, 100, TEXT_BYTES),
    work("gzip-8k", "1.5 MiB of text, gzip, reads of 8 KiB", "/text.gz", BY_8, 100, TEXT_BYTES),
    work("gzip-4k", "1.5 MiB of text, gzip, reads of 4 KiB", "/text.gz", BY_4, 100, TEXT_BYTES),
    work("br-64k", "1.5 MiB of text, br, reads of 64 KiB", "/text.br", BY_64, 100, TEXT_BYTES),
    work(ZSTD, "1.5 MiB of text, zstd, reads of 64 KiB", "/text.zst", BY_64, 100, TEXT_BYTES),
    work("json", "2 KB of JSON, gzip", "/json.gz", BY_8, 8000, JSON.len()),
];

pub const ZSTD: &str = "zstd-64k";
