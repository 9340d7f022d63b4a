//! A body as text: which charset it is in, and the error for one that is not.

use std::borrow::Cow;

use crate::error::{Error, ErrorKind, Result};
use crate::headers::Headers;
use crate::media_type;
use crate::message::body::Body;
use crate::redact::excerpt;
use crate::wire::charset::Charset;

/// Content codings under which a body is no text in any charset (IANA's HTTP Content Coding Registry).
/// Others do not count: some servers announce `utf-8` as a coding.
const CODINGS: [&str; 7] = ["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"];

/// What a head announces of its content, for a body that has left it, and for errors.
#[derive(Default)]
pub(crate) struct ContentLabels {
    charset: Option<Vec<u8>>,
    coding: Option<String>,
    /// For an error of `json`.
    #[cfg(feature = "json")]
    is_html: bool,
}

impl ContentLabels {
    /// `None` if it announces nothing that is of interest; a coding that is `undone` is not.
    pub(crate) fn of(headers: &Headers, undone: bool) -> Option<ContentLabels> {
        let content_type = headers.get_bytes("content-type");
        let charset = content_type.and_then(media_type::charset).map(Cow::into_owned);
        let coding =
            headers.get_bytes("content-encoding").filter(|coding| !undone && !coding.eq_ignore_ascii_case(b"identity"));
        let labels = ContentLabels {
            charset,
            coding: coding.map(excerpt),
            #[cfg(feature = "json")]
            is_html: content_type.is_some_and(media_type::is_html),
        };
        (labels.charset.is_some() || labels.coding.is_some() || labels.is_html()).then_some(labels)
    }

    /// Returns whether the content is compressed.
    fn is_coded(&self) -> bool {
        let codings = self.coding.iter().flat_map(|coding| coding.split(','));
        codings.map(str::trim).any(|coding| CODINGS.iter().any(|known| known.eq_ignore_ascii_case(coding)))
    }

    /// Returns what an error adds about the coding.
    pub(crate) fn about_coding(&self) -> String {
        let coding = self.coding.as_ref();
        coding.map(|coding| format!("; its Content-Encoding is {coding}, which is not undone here")).unwrap_or_default()
    }

    /// Returns what an error adds about the charset.
    pub(crate) fn about_charset(&self) -> String {
        let charset = self.charset.as_ref();
        charset.map(|charset| format!("; its Content-Type says charset {}", excerpt(charset))).unwrap_or_default()
    }

    /// Returns whether the Content-Type is that of HTML, if anything asks for that in this build.
    pub(crate) fn is_html(&self) -> bool {
        #[cfg(feature = "json")]
        return self.is_html;
        #[cfg(not(feature = "json"))]
        false
    }
}

impl Body {
    /// Reads the body as text: in the charset with that label, else in the one that its head announces,
    /// which has been noted or is still there.
    pub(crate) fn into_text(mut self, headers: &Headers, label: Option<&str>) -> Result<String> {
        let bytes = self.collect()?;
        let announced = self.announced_charset(headers);
        let given = label.map(|label| Cow::Borrowed(label.as_bytes()));
        let (charset, mark) = match charset_of(&bytes, given.or(announced).as_deref()) {
            Ok(found) => found,
            Err(mistake) => return Err(self.error(ErrorKind::Decode, mistake)),
        };
        // Compressed bytes are not UTF-8, but a text in most other charsets.
        if charset != Charset::Utf8 {
            self.note_content(headers);
            if self.labels().is_some_and(ContentLabels::is_coded) {
                return Err(self.not_text(headers, "the body is compressed".to_owned()));
            }
        }
        charset.decode(bytes, mark).map_err(|at| {
            let name = charset.name();
            let what = if mark > 0 { format!("the {name} that its byte order mark says") } else { name.to_owned() };
            self.not_text(headers, format!("the body is not {what} (byte {})", at + 1))
        })
    }

    /// Reads the body as text, with U+FFFD for what is none.
    pub(crate) fn into_text_lossy(mut self, headers: &Headers) -> Result<String> {
        let bytes = self.collect()?;
        let announced = self.announced_charset(headers);
        let (charset, mark) = charset_of(&bytes, announced.as_deref()).unwrap_or((Charset::Utf8, 0));
        Ok(charset.decode_lossy(bytes, mark))
    }

    /// The label of the charset that the head announces.
    fn announced_charset<'h>(&'h self, headers: &'h Headers) -> Option<Cow<'h, [u8]>> {
        match headers.get_bytes("content-type") {
            Some(content_type) => media_type::charset(content_type),
            None => self.labels()?.charset.as_deref().map(Cow::Borrowed),
        }
    }

    #[cold]
    fn not_text(&mut self, headers: &Headers, mistake: String) -> Error {
        self.note_content(headers);
        let (coding, charset) =
            self.labels().map(|labels| (labels.about_coding(), labels.about_charset())).unwrap_or_default();
        self.error(ErrorKind::Decode, format!("{mistake}{coding}{charset}"))
    }
}

/// Returns the charset of these bytes, and how long its mark is: by a byte order mark, else by the label,
/// else UTF-8; or why it cannot be had.
fn charset_of(bytes: &[u8], label: Option<&[u8]>) -> Result<(Charset, usize), String> {
    if let Some(marked) = Charset::of_mark(bytes) {
        return Ok(marked);
    }
    match label {
        Some(label) if !bytes.is_empty() => match Charset::for_label(label) {
            Some(charset) => Ok((charset, 0)),
            None => Err(unknown(label)),
        },
        _ => Ok((Charset::Utf8, 0)),
    }
}

fn unknown(label: &[u8]) -> String {
    let label = excerpt(label);
    match cfg!(feature = "charset") {
        true => format!("charset {label} is none of the WHATWG Encoding Standard's"),
        false => format!("charset {label} needs longwire's feature `charset`"),
    }
}
