//! Charsets (WHATWG Encoding Standard): labels, byte order marks, and the text that bytes stand for.
//!
//! Built in are UTF-8, UTF-16 and windows-1252, with all their labels; the feature `charset` brings the
//! others. As the standard has it, `iso-8859-1`, `latin1` and `us-ascii` are labels of windows-1252.
//! Where a label comes from is not known here.

/// A charset that this build can decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    Utf16Le,
    Utf16Be,
    Windows1252,
    /// One of those that the feature `charset` brings.
    #[cfg(feature = "charset")]
    Other(&'static encoding_rs::Encoding),
}

/// Labels of the charsets that are built in (§4.2, "names and labels"), separated by blanks.
const LABELS: [(Charset, &str); 4] = [
    (Charset::Utf8, "utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8"),
    (
        Charset::Windows1252,
        "iso-8859-1 latin1 windows-1252 us-ascii ascii ansi_x3.4-1968 cp1252 cp819 csisolatin1 ibm819 iso-ir-100 \
         iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 x-cp1252",
    ),
    (Charset::Utf16Le, "utf-16 utf-16le csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff"),
    (Charset::Utf16Be, "utf-16be unicodefffe"),
];

/// What the bytes 0x80 to 0x9F are in windows-1252; the others are the code points of that number. The
/// five that were never assigned are control characters, so every byte is a character.
const WINDOWS_1252: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2c6}', '\u{2030}',
    '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}',
    '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}',
    '\u{17e}', '\u{178}',
];

impl Charset {
    /// Returns the charset with that label, in any case and with blanks around it (§4.2, "get an
    /// encoding"). The labels whose charset the standard replaces because it is dangerous
    /// (`iso-2022-kr`, `hz-gb-2312`) count as unknown.
    pub(crate) fn for_label(label: &[u8]) -> Option<Charset> {
        let label = label.trim_ascii();
        let is_label = |known: &[u8]| known.eq_ignore_ascii_case(label);
        let built_in = LABELS.iter().find(|(_, labels)| labels.as_bytes().split(|byte| *byte == b' ').any(is_label));
        let found = built_in.map(|(charset, _)| *charset);
        #[cfg(feature = "charset")]
        let found = found.or_else(|| encoding_rs::Encoding::for_label_no_replacement(label).map(Charset::Other));
        found
    }

    /// Returns the charset whose byte order mark the bytes begin with, and the mark's length (§6, "BOM
    /// sniff").
    pub(crate) fn of_mark(bytes: &[u8]) -> Option<(Charset, usize)> {
        match bytes {
            [0xef, 0xbb, 0xbf, ..] => Some((Charset::Utf8, 3)),
            [0xfe, 0xff, ..] => Some((Charset::Utf16Be, 2)),
            [0xff, 0xfe, ..] => Some((Charset::Utf16Le, 2)),
            _ => None,
        }
    }

    /// Returns the charset's name in the standard.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Charset::Utf8 => "UTF-8",
            Charset::Utf16Le => "UTF-16LE",
            Charset::Utf16Be => "UTF-16BE",
            Charset::Windows1252 => "windows-1252",
            #[cfg(feature = "charset")]
            Charset::Other(encoding) => encoding.name(),
        }
    }

    /// Returns the text, without a mark of `mark` bytes at its beginning; or the offset of the first byte
    /// that is none.
    pub(crate) fn decode(self, bytes: Vec<u8>, mark: usize) -> Result<String, usize> {
        let content = &bytes[mark..];
        match self {
            Charset::Utf8 => return utf_8(bytes, mark),
            Charset::Utf16Le => utf_16(content, u16::from_le_bytes),
            Charset::Utf16Be => utf_16(content, u16::from_be_bytes),
            Charset::Windows1252 => Ok(windows_1252(content)),
            #[cfg(feature = "charset")]
            Charset::Other(encoding) => other(content, encoding),
        }
        .map_err(|at| mark + at)
    }

    /// Returns the text, without the mark, and with U+FFFD for what is none.
    pub(crate) fn decode_lossy(self, bytes: Vec<u8>, mark: usize) -> String {
        let content = &bytes[mark..];
        match self {
            Charset::Utf8 => utf_8_lossy(bytes, mark),
            Charset::Utf16Le => utf_16_lossy(content, u16::from_le_bytes),
            Charset::Utf16Be => utf_16_lossy(content, u16::from_be_bytes),
            Charset::Windows1252 => windows_1252(content),
            #[cfg(feature = "charset")]
            Charset::Other(encoding) => encoding.decode_without_bom_handling(content).0.into_owned(),
        }
    }
}

/// In the memory that the bytes have.
fn utf_8(bytes: Vec<u8>, mark: usize) -> Result<String, usize> {
    let mut text = String::from_utf8(bytes).map_err(|error| error.utf8_error().valid_up_to())?;
    text.drain(..mark);
    Ok(text)
}

fn utf_8_lossy(bytes: Vec<u8>, mark: usize) -> String {
    match String::from_utf8(bytes) {
        Ok(mut text) => {
            text.drain(..mark);
            text
        }
        Err(error) => String::from_utf8_lossy(&error.as_bytes()[mark..]).into_owned(),
    }
}

/// RFC 2781 §2.2: surrogates come in pairs, and a unit has two bytes.
fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, usize> {
    let (mut text, mut at) = (String::with_capacity(bytes.len() / 2), 0);
    for decoded in char::decode_utf16(units(bytes, unit)) {
        let character = decoded.map_err(|_| at)?;
        text.push(character);
        at += 2 * character.len_utf16();
    }
    if at == bytes.len() { Ok(text) } else { Err(at) }
}

fn utf_16_lossy(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let decoded = char::decode_utf16(units(bytes, unit)).map(|decoded| decoded.unwrap_or(char::REPLACEMENT_CHARACTER));
    let half_a_unit = (bytes.len() % 2 == 1).then_some(char::REPLACEMENT_CHARACTER);
    decoded.chain(half_a_unit).collect()
}

fn units(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> impl Iterator<Item = u16> {
    bytes.chunks_exact(2).map(move |pair| unit([pair[0], pair[1]]))
}

fn windows_1252(bytes: &[u8]) -> String {
    let high_bytes = bytes.iter().filter(|byte| !byte.is_ascii()).count();
    let mut text = String::with_capacity(bytes.len() + high_bytes);
    text.extend(bytes.iter().map(|byte| match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        _ => char::from(*byte),
    }));
    text
}

#[cfg(feature = "charset")]
fn other(bytes: &[u8], encoding: &'static encoding_rs::Encoding) -> Result<String, usize> {
    use encoding_rs::DecoderResult;

    let mut decoder = encoding.new_decoder_without_bom_handling();
    // Most of these have two bytes for a character of three; what is missing is added below.
    let (mut text, mut read) = (String::with_capacity(bytes.len() + bytes.len() / 2), 0);
    loop {
        let (result, count) = decoder.decode_to_string_without_replacement(&bytes[read..], &mut text, true);
        read += count;
        match result {
            DecoderResult::InputEmpty => return Ok(text),
            // At least one character more.
            DecoderResult::OutputFull => text.reserve((bytes.len() - read).max(16)),
            DecoderResult::Malformed(length, after) => return Err(read - usize::from(length) - usize::from(after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict(charset: Charset, bytes: &[u8]) -> Result<String, usize> {
        charset.decode(bytes.to_vec(), 0)
    }

    #[test]
    fn a_label_is_known_in_any_case_and_with_blanks() {
        for (label, want) in [
            (&b"utf-8"[..], Some(Charset::Utf8)),
            (b"\t UTF8\n", Some(Charset::Utf8)),
            (b"ISO-8859-1", Some(Charset::Windows1252)),
            (b"US-ASCII", Some(Charset::Windows1252)),
            (b"Utf-16", Some(Charset::Utf16Le)),
            (b"utf-16be", Some(Charset::Utf16Be)),
            (b"utf-32", None),
            (b"hz-gb-2312", None),
            (b"'utf-8'", None),
            (b"utf\xff8", None),
            (b"", None),
        ] {
            assert_eq!(Charset::for_label(label), want, "{}", label.escape_ascii());
        }
        assert_eq!(Charset::for_label(b"shift_jis").is_some(), cfg!(feature = "charset"));
    }

    #[test]
    fn a_mark_tells_the_charset() {
        assert_eq!(Charset::of_mark(b"\xef\xbb\xbfx"), Some((Charset::Utf8, 3)));
        assert_eq!(Charset::of_mark(b"\xfe\xff"), Some((Charset::Utf16Be, 2)));
        assert_eq!(Charset::of_mark(b"\xff\xfe\0\0"), Some((Charset::Utf16Le, 2)));
        for none in [&b""[..], b"\xef\xbb", b"\xfe", b"x\xff\xfe"] {
            assert_eq!(Charset::of_mark(none), None, "{none:?}");
        }
    }

    #[test]
    fn utf_8_is_strict_and_lossy_and_loses_its_mark() {
        let mark = b"\xef\xbb\xbf";
        let text = [mark, "h\u{e9}\u{feff}".as_bytes()].concat();
        assert_eq!(Charset::Utf8.decode(text.clone(), 3).as_deref(), Ok("h\u{e9}\u{feff}"));
        assert_eq!(Charset::Utf8.decode_lossy(text, 3), "h\u{e9}\u{feff}");
        let cut = [mark, &b"h\xc3"[..]].concat();
        assert_eq!(Charset::Utf8.decode(cut.clone(), 3), Err(4), "counted from the mark on");
        assert_eq!(Charset::Utf8.decode_lossy(cut, 3), "h\u{fffd}");
    }

    #[test]
    fn utf_16_has_pairs_of_surrogates_and_of_bytes() {
        let cases: [(&[u8], Result<&str, usize>, &str); 8] = [
            (b"", Ok(""), ""),
            (b"a\0\xe9\0", Ok("a\u{e9}"), "a\u{e9}"),
            (b"\x3d\xd8\0\xde!\0", Ok("\u{1f600}!"), "\u{1f600}!"),
            (b"a\0b", Err(2), "a\u{fffd}"),
            (b"a\0\x3d\xd8", Err(2), "a\u{fffd}"),
            (b"a\0\x3d\xd8b\0", Err(2), "a\u{fffd}b"),
            (b"\0\xdea\0", Err(0), "\u{fffd}a"),
            (b"\xff\xfea\0", Ok("\u{feff}a"), "\u{feff}a"),
        ];
        for (bytes, want, lossy) in cases {
            let swapped: Vec<u8> = bytes.chunks(2).flat_map(|pair| pair.iter().rev()).copied().collect();
            for (charset, bytes) in [(Charset::Utf16Le, bytes), (Charset::Utf16Be, &swapped)] {
                assert_eq!(strict(charset, bytes).as_deref().map_err(|at| *at), want, "{charset:?} {bytes:?}");
                assert_eq!(charset.decode_lossy(bytes.to_vec(), 0), lossy, "{charset:?} {bytes:?}");
            }
        }
        assert_eq!(Charset::Utf16Le.decode(b"\xff\xfea\0b".to_vec(), 2), Err(4), "counted from the mark on");
    }

    #[test]
    fn every_byte_is_a_character_of_windows_1252() {
        let all: Vec<u8> = (0..=255).collect();
        let text = strict(Charset::Windows1252, &all).unwrap();
        assert_eq!(text.chars().count(), 256);
        assert_eq!(text, Charset::Windows1252.decode_lossy(all, 0));
        assert_eq!(
            strict(Charset::Windows1252, b"\x80 gr\xfcn \x93x\x94").as_deref(),
            Ok("\u{20ac} gr\u{fc}n \u{201c}x\u{201d}")
        );
    }

    /// encoding_rs is the standard's reference; what is built in must not differ from it.
    #[cfg(feature = "charset")]
    mod as_encoding_rs_has_it {
        use super::*;
        use encoding_rs::Encoding;

        fn reference(charset: Charset) -> &'static Encoding {
            Encoding::for_label(charset.name().as_bytes()).unwrap()
        }

        #[test]
        fn the_labels_of_what_is_built_in() {
            for (charset, labels) in LABELS {
                for label in labels.split(' ') {
                    assert_eq!(Encoding::for_label(label.as_bytes()), Some(reference(charset)), "{label}");
                }
                assert_eq!(reference(charset).name(), charset.name());
            }
        }

        #[test]
        fn windows_1252_byte_for_byte() {
            for byte in 0..=255 {
                let bytes = [byte];
                let (want, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes);
                assert_eq!(strict(Charset::Windows1252, &bytes).as_deref(), Ok(&*want), "{byte:02x}");
            }
        }

        /// All inputs of up to five bytes of an alphabet in which each kind of unit and sequence occurs.
        #[test]
        fn utf_16_and_utf_8_for_all_short_inputs() {
            let alphabet = [b'a', 0, 0xd8, 0xdc, 0xe2, 0x82, 0xff];
            let mut inputs = vec![Vec::new()];
            for start in 0.. {
                let Some(input) = inputs.get(start).cloned() else { break };
                for charset in [Charset::Utf8, Charset::Utf16Le, Charset::Utf16Be] {
                    let (lossy, is_lossy) = reference(charset).decode_without_bom_handling(&input);
                    assert_eq!(strict(charset, &input).is_err(), is_lossy, "{charset:?} {input:?}");
                    let ours = charset.decode_lossy(input.clone(), 0);
                    // A pair cut in its second unit is one mistake there, and two here.
                    let trimmed = |text: &str| text.trim_end_matches(char::REPLACEMENT_CHARACTER).to_owned();
                    assert_eq!(trimmed(&ours), trimmed(&lossy), "{charset:?} {input:?}");
                }
                if input.len() < 5 {
                    inputs.extend(alphabet.iter().map(|byte| [&input[..], &[*byte]].concat()));
                }
            }
        }

        #[test]
        fn a_malformed_sequence_is_found_where_it_begins() {
            let sjis = Charset::for_label(b"Shift_JIS").unwrap();
            assert_eq!(sjis.name(), "Shift_JIS");
            assert_eq!(strict(sjis, b"\x83e\x83X\x83g").as_deref(), Ok("\u{30c6}\u{30b9}\u{30c8}"));
            let cases: [(&str, &[u8], usize); 7] = [
                ("shift_jis", b"ab\x83", 2),
                ("shift_jis", b"ab\x83\x00x", 2),
                ("shift_jis", b"a\xfdx", 1),
                ("euc-kr", b"\xb0\xa1\xff", 2),
                ("gb18030", b"a\x81\x30\x81", 1),
                ("big5", b"x\x81\x40", 1),
                ("iso-2022-jp", b"a\x1b\x24\x42\x30", 4),
            ];
            for (label, bytes, want) in cases {
                let charset = Charset::for_label(label.as_bytes()).unwrap();
                assert_eq!(strict(charset, bytes), Err(want), "{label} {}", bytes.escape_ascii());
                assert!(charset.decode_lossy(bytes.to_vec(), 0).contains('\u{fffd}'), "{label}");
            }
        }

        #[test]
        fn a_text_that_grows_in_every_charset_is_whole() {
            for label in ["windows-874", "koi8-u", "x-user-defined", "gbk", "euc-jp", "macintosh"] {
                let encoding = Encoding::for_label(label.as_bytes()).unwrap();
                let bytes: Vec<u8> = [0xa1, 0xa1].repeat(5_000);
                let (want, _) = encoding.decode_without_bom_handling(&bytes);
                assert_eq!(strict(Charset::Other(encoding), &bytes).as_deref(), Ok(&*want), "{label}");
            }
        }
    }
}
