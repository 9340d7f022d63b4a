//! A body as text: which charset it is in, and the error for one that is not.

use std::borrow::Cow;

use crate::error::{Error, ErrorKind, Result};
use crate::headers::Headers;
use crate::media_type;
use crate::message::body::Body;
use crate::message::body::content_labels::ContentLabels;
use crate::redact::excerpt;
use crate::wire::charset::Charset;

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
            None => self.labels()?.charset().map(Cow::Borrowed),
        }
    }

    /// The error of a body that is no text, with what its head announces.
    #[cold]
    fn not_text(&mut self, headers: &Headers, mut mistake: String) -> Error {
        self.note_content(headers);
        if let Some(labels) = self.labels() {
            labels.tell_coding(&mut mistake);
            labels.tell_charset(&mut mistake);
        }
        self.error(ErrorKind::Decode, mistake)
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
