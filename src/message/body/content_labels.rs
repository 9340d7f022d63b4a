//! What a head announces of its content, kept for a body that has left it: its charset, and its coding for
//! errors. What a charset means is not known here.

use std::borrow::Cow;

use crate::headers::{Headers, list_members};
use crate::media_type;
use crate::redact::excerpt;
use crate::word_list::is_among;

/// Content codings under which a body is no text in any charset (IANA's HTTP Content Coding Registry).
/// Others do not count: some servers announce `utf-8` as a coding.
const CODINGS: &str = "gzip x-gzip deflate br zstd compress x-compress";

/// What a head announces of its content, for a body that has left it, and for errors.
pub(crate) struct ContentLabels {
    charset: Option<Vec<u8>>,
    coding: Option<Vec<u8>>,
    /// For an error of `json`.
    #[cfg(feature = "json")]
    is_html: bool,
}

impl ContentLabels {
    /// `None` if it announces nothing that is of interest; a coding that is `undone` is not.
    pub(crate) fn of(headers: &Headers, undone: bool) -> Option<ContentLabels> {
        let content_type = headers.get_bytes("content-type");
        let charset = content_type.and_then(media_type::charset).map(Cow::into_owned);
        let is_left = |coding: &&[u8]| !undone && !coding.eq_ignore_ascii_case(b"identity");
        let coding = headers.get_bytes("content-encoding").filter(is_left);
        let labels = ContentLabels {
            charset,
            coding: coding.map(<[u8]>::to_vec),
            #[cfg(feature = "json")]
            is_html: content_type.is_some_and(media_type::is_html),
        };
        (labels.charset.is_some() || labels.coding.is_some() || labels.is_html()).then_some(labels)
    }

    /// Returns the label of the charset.
    pub(crate) fn charset(&self) -> Option<&[u8]> {
        self.charset.as_deref()
    }

    /// Returns whether the content is compressed.
    pub(crate) fn is_coded(&self) -> bool {
        let coding = self.coding.as_deref().unwrap_or_default();
        list_members(coding).any(|member| is_among(CODINGS, member))
    }

    /// Adds the coding to an error.
    #[cold]
    pub(crate) fn tell_coding(&self, said: &mut String) {
        if let Some(coding) = &self.coding {
            *said += &format!("; its Content-Encoding is {}, which is not undone here", excerpt(coding));
        }
    }

    /// Adds the charset to an error.
    #[cold]
    pub(crate) fn tell_charset(&self, said: &mut String) {
        if let Some(charset) = &self.charset {
            *said += &format!("; its Content-Type says charset {}", excerpt(charset));
        }
    }

    /// Returns whether the Content-Type is that of HTML, if anything asks for that in this build.
    pub(crate) fn is_html(&self) -> bool {
        #[cfg(feature = "json")]
        return self.is_html;
        #[cfg(not(feature = "json"))]
        false
    }
}
