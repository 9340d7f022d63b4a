//! Lists of words, such as names of fields: one text with a blank after each word but the last. That is
//! shorter than a slice of texts in the source and, since each of those has an address and a length, in a
//! program. What the words stand for is not known here.

/// Returns whether `word` is in the list, in whatever case. A word with a blank in it is in none.
pub(crate) fn is_among(list: &str, word: impl AsRef<[u8]>) -> bool {
    #[inline(never)] // once in a program, though it is short
    fn is_among(list: &[u8], word: &[u8]) -> bool {
        list.split(|byte| *byte == b' ').any(|listed| listed.eq_ignore_ascii_case(word))
    }
    is_among(list.as_bytes(), word.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_in_a_list_whole_and_in_any_case() {
        for word in ["te", "TE", "Trailer"] {
            assert!(is_among("host te trailer", word), "{word}");
        }
        for word in ["", " ", "t", "tee", "host te", "te "] {
            assert!(!is_among("host te trailer", word), "{word:?}");
        }
    }
}
