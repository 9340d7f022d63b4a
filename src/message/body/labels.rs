//! What a head announces of its content, for a body that has left its response, and for errors.

use std::borrow::Cow;

use crate::headers::Headers;
use crate::media_type;
use crate::redact::excerpt;

/// Content codings under which a body is no text in any charset (IANA's HTTP Content Coding Registry).
/// Others do not count: some servers announce `utf-8` as a coding.
const CODINGS: [&str; 7] = ["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"];

/// What a head announces of its content, for a body that has left it, and for errors.
#[derive(Default)]
pub(crate) struct ContentLabels {
    pub(super) charset: Option<Vec<u8>>,
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
    pub(super) fn is_coded(&self) -> bool {
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
