//! What `-d` and its kin send: pieces of data, from the command line or from files, which make one body or,
//! with `-G`, one query.
//!
//! A file that is sent as it is (`--data-binary @FILE`) stays on the disk: it is streamed, its length is
//! known, and it can be sent again after a redirect. Everything else is read into memory. Standard input is
//! read at once, since several URLs may want it.

use std::fs::File;
use std::io::{self, Read};

use longwire::SendBody;

use super::failure::Failure;

/// One `-d`.
pub(crate) struct Data {
    source: Source,
    coding: Coding,
    /// What separates it from the piece before.
    separator: &'static str,
}

/// Where content comes from.
pub(crate) enum Source {
    Bytes(Vec<u8>),
    File(String),
}

enum Coding {
    AsIs,
    /// `-d @FILE`: so that a file with one long line may have a line end.
    WithoutLineEnds,
    /// `--data-urlencode`, with what stands before the encoded content.
    Percent(String),
}

impl Data {
    /// `-d DATA`, `-d @FILE`.
    pub(crate) fn plain(text: String) -> Result<Self, Failure> {
        let coding = if text.starts_with('@') { Coding::WithoutLineEnds } else { Coding::AsIs };
        Ok(Self { source: Source::at_sign(text)?, coding, separator: "&" })
    }

    /// `--data-raw DATA`.
    pub(crate) fn raw(text: String) -> Self {
        Self { source: Source::Bytes(text.into()), coding: Coding::AsIs, separator: "&" }
    }

    /// `--data-binary DATA`, `--data-binary @FILE`.
    pub(crate) fn binary(text: String) -> Result<Self, Failure> {
        Ok(Self { source: Source::at_sign(text)?, coding: Coding::AsIs, separator: "&" })
    }

    /// `--json DATA`, `--json @FILE`: pieces of one document.
    pub(crate) fn json(text: String) -> Result<Self, Failure> {
        Ok(Self { separator: "", ..Self::binary(text)? })
    }

    /// `--data-urlencode`: `CONTENT`, `=CONTENT`, `NAME=CONTENT`, `@FILE` or `NAME@FILE`.
    pub(crate) fn url_encoded(text: String) -> Result<Self, Failure> {
        let Some(at) = text.find(['=', '@']) else {
            let (source, coding) = (Source::Bytes(text.into()), Coding::Percent(String::new()));
            return Ok(Self { source, coding, separator: "&" });
        };
        let (name, content) = (&text[..at], &text[at + 1..]);
        let source = match &text[at..=at] {
            "@" => Source::file(content)?,
            _ => Source::Bytes(content.into()),
        };
        let prefix = if name.is_empty() { String::new() } else { format!("{name}=") };
        Ok(Self { source, coding: Coding::Percent(prefix), separator: "&" })
    }

    fn bytes(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = self.source.bytes()?;
        match &self.coding {
            Coding::AsIs => {}
            Coding::WithoutLineEnds => bytes.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0)),
            Coding::Percent(prefix) => bytes = (prefix.clone() + &percent_encoded(&bytes)).into(),
        }
        Ok(bytes)
    }

    fn body(&self) -> Result<SendBody<'static>, Failure> {
        match self.coding {
            Coding::AsIs => self.source.body(),
            _ => Ok(self.bytes()?.into()),
        }
    }
}

impl Source {
    /// What `@FILE` names, or else the text itself.
    fn at_sign(text: String) -> Result<Self, Failure> {
        match text.strip_prefix('@') {
            Some(path) => Self::file(path),
            None => Ok(Self::Bytes(text.into())),
        }
    }

    /// The file at this path; `-` is standard input.
    pub(crate) fn file(path: &str) -> Result<Self, Failure> {
        if path != "-" {
            return Ok(Self::File(path.to_owned()));
        }
        let mut bytes = Vec::new();
        let read = io::stdin().read_to_end(&mut bytes);
        read.map_err(|error| Failure::Input("standard input".to_owned(), error))?;
        Ok(Self::Bytes(bytes))
    }

    fn bytes(&self) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::File(path) => std::fs::read(path).map_err(|error| Failure::Input(path.clone(), error)),
        }
    }

    pub(crate) fn body(&self) -> Result<SendBody<'static>, Failure> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone().into()),
            Self::File(path) => file(path),
        }
    }
}

/// A text that may be given as `@FILE`, without its line ends then.
pub(crate) fn text_or_file(text: String) -> Result<String, Failure> {
    let bytes = Data::plain(text)?.bytes()?;
    String::from_utf8(bytes).map_err(|_| Failure::Usage("the file is not UTF-8".to_owned()))
}

/// All pieces as one body.
pub(crate) fn body(data: &[Data]) -> Result<SendBody<'static>, Failure> {
    let mut parts = Vec::new();
    for (number, piece) in data.iter().enumerate() {
        if number > 0 {
            parts.push(piece.separator.into());
        }
        parts.push(piece.body()?);
    }
    Ok(SendBody::chain(parts))
}

/// All pieces as one query.
pub(crate) fn query(data: &[Data]) -> Result<String, Failure> {
    let mut query = Vec::new();
    for (number, piece) in data.iter().enumerate() {
        if number > 0 {
            query.extend_from_slice(piece.separator.as_bytes());
        }
        query.extend_from_slice(&piece.bytes()?);
    }
    String::from_utf8(query).map_err(|_| Failure::Usage("-G with data that is not UTF-8".to_owned()))
}

/// `-T FILE`: a regular file goes out with its length and can be sent again after a redirect; standard
/// input goes out chunked, as it comes.
pub(crate) fn upload(path: &str) -> Result<SendBody<'static>, Failure> {
    if path == "-" { Ok(SendBody::reader(io::stdin())) } else { file(path) }
}

fn file(path: &str) -> Result<SendBody<'static>, Failure> {
    let file = File::open(path).map_err(|error| Failure::Input(path.to_owned(), error))?;
    Ok(file.into())
}

/// As form fields are encoded: letters, digits and `-._~` stay, a space is `+`.
fn percent_encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(byte.into()),
            b' ' => text.push('+'),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
