//! The streams. Knows no client.

use longwire_benches::server::{Answer, Answers, EVENT, EVENTS};
use longwire_benches::work::{Act, KIB, Work, work};

/// A word of a language model's answer, as its API sends it.
pub const WORD: &str = "data: {\"id\":\"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012\",\"object\":\"chat.completion.chunk\",\
    \"created\":1726000000,\"model\":\"m-4\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" hello\"},\
    \"finish_reason\":null}]}\n\n";

/// Events that come with one write where a server sends faster than any model thinks.
const AT_ONCE: usize = 500;

const BY_4: Act = Act::Get { buffer: 4 * KIB };
const BY_64: Act = Act::Get { buffer: 64 * KIB };
const WORDS_BYTES: usize = WORD.len() * EVENTS;
const SMALL_BYTES: usize = EVENT.len() * EVENTS;

#[rustfmt::skip] // a table
pub const WORKS: [Work; 5] = [
    work("words", "200,000 words, a write each; reads of 4 KiB", "/words", BY_4, 2, WORDS_BYTES),
    work("words-64k", "the same, reads of 64 KiB", "/words", BY_64, 2, WORDS_BYTES),
    work("burst", "200,000 words, 500 to a write; reads of 4 KiB", "/burst", BY_4, 8, WORDS_BYTES),
    work("burst-64k", "the same, reads of 64 KiB", "/burst", BY_64, 8, WORDS_BYTES),
    work("small-burst", "200,000 events of 49 bytes with an ID, 500 to a write; reads of 4 KiB", "/small", BY_4, 16, SMALL_BYTES),
];

pub fn answers() -> Answers {
    Answers::from([
        ("/words", Answer::events(WORD, EVENTS, 1)),
        ("/burst", Answer::events(WORD, EVENTS, AT_ONCE)),
        ("/small", Answer::events(EVENT, EVENTS, AT_ONCE)),
    ])
}

/// What is in an event besides its data.
pub fn overhead_bytes(work: &Work) -> usize {
    match work.path {
        "/small" => "id: 12345678\ndata: \n\n".len(),
        _ => "data: \n\n".len(),
    }
}

pub fn describe() -> String {
    format!(
        "A word is an event of {} bytes, a chunk of its own. Events are read through a buffer of 16 KiB, which grows to 64 KiB in a burst.",
        WORD.len()
    )
}
