//! The works, and what the server answers. Knows no client.

use longwire_benches::server::{Answer, Answers, JSON};
use longwire_benches::work::{Act, KIB, MIB, Work, work};

/// In the list.
pub const ITEMS: usize = 9;

const BY_8: Act = Act::Get { buffer: 8 * KIB };
const LIST: Act = Act::Post { bytes: 0 };
const SMALL_FILE: Act = Act::Post { bytes: 10 * KIB };
const LARGE_FILE: Act = Act::Post { bytes: MIB };

#[rustfmt::skip] // a table
pub const WORKS: [Work; 4] = [
    work("json-get", "GET of 2 KB of JSON, read into a struct", "/items", BY_8, 8000, JSON.len()),
    work("json-post", "POST of the struct as 2 KB of JSON", "/sink", LIST, 8000, JSON.len()),
    work("upload-10k", "multipart upload of 10 KiB", UPLOAD, SMALL_FILE, 8000, 10 * KIB),
    work("upload-1m", "multipart upload of 1 MiB", UPLOAD, LARGE_FILE, 400, MIB),
];

const UPLOAD: &str = "/upload";

pub fn is_upload(work: &Work) -> bool {
    work.path == UPLOAD
}

pub fn answers() -> Answers {
    Answers::from([("/items", Answer::with_fields("", JSON.as_bytes()))])
}

pub fn describe() -> String {
    format!(
        "The JSON has {} bytes; all read and write it with serde_json, ureq indented. A form has a text and the file.",
        JSON.len()
    )
}
