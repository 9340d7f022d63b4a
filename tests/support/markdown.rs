//! What documents are made of, as far as tests look at it: code spans and links.

#![allow(unreachable_pub, reason = "public to the programs that use it")]

/// The code spans of the prose, which blocks of code are not.
pub fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2))
}

/// The links, `[text](target)`: the text and the target of each.
pub fn links(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices("](").map(|(at, mark)| {
        let shown = text[..at].rsplit('[').next().unwrap_or_default();
        (shown, text[at + mark.len()..].split(')').next().unwrap_or_default())
    })
}
