//! Request bodies: what can be sent, how long it is, and whether it can be sent again.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};

use crate::error::{Error, ErrorKind, Result};
use crate::wire::request_head::RequestFraming;

/// A request body.
///
/// Bodies may be borrowed (`'b`), because sending blocks. Text and bytes are sent with their
/// length; so is a [`File`], from its current position to its end. A reader is sent with the
/// length that you give, or in chunks. All can be sent again, for a redirect (307,
/// 308) or a retry, but readers that were read from.
///
/// ```
/// use longwire::SendBody;
///
/// let text = String::from("borrowed");
/// let bodies = [SendBody::from(&text), SendBody::from("static"), SendBody::from(vec![1, 2, 3])];
/// let stream = SendBody::reader(std::io::Cursor::new("sent in chunks"));
/// let sized = SendBody::sized_reader(std::io::Cursor::new("four"), 4);
/// # drop((bodies, stream, sized));
/// ```
pub struct SendBody<'b>(pub(crate) Kind<'b>);

/// How the sending of a body ended.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Upload {
    /// All was sent.
    Complete,
    /// The final head came first, and the rest of the body was not sent.
    CutShort,
    /// The final head came in the place of 100 (Continue), and nothing of the body was sent.
    Withheld,
}

pub(crate) enum Kind<'b> {
    Empty,
    Bytes(Cow<'b, [u8]>),
    File {
        file: File,
        start: u64,
        length: u64,
    },
    Reader {
        reader: Box<dyn Read + Send + 'b>,
        length: Option<u64>,
        started: bool,
    },
    /// A file that could not be used; said when the request is sent.
    Unusable(Error),
}

impl<'b> SendBody<'b> {
    /// No body.
    pub const fn empty() -> SendBody<'b> {
        SendBody(Kind::Empty)
    }

    /// A stream of unknown length, sent in chunks (RFC 9112 §7.1) as it is read. Each read of up
    /// to 16 KiB becomes a chunk and leaves at once.
    pub fn reader(reader: impl Read + Send + 'b) -> SendBody<'b> {
        SendBody(Kind::Reader { reader: Box::new(reader), length: None, started: false })
    }

    /// A stream of exactly `length` bytes. If the reader has fewer or more, the request fails
    /// with [`ErrorKind::Body`] and its connection is closed. To know, it is asked for one byte
    /// more before the last ones leave: give `reader.take(length)` of one that would block there.
    pub fn sized_reader(reader: impl Read + Send + 'b, length: u64) -> SendBody<'b> {
        SendBody(Kind::Reader { reader: Box::new(reader), length: Some(length), started: false })
    }

    /// The length, where it is known.
    #[inline]
    pub(crate) fn length(&self) -> Option<u64> {
        match &self.0 {
            Kind::Empty | Kind::Unusable(_) => Some(0),
            Kind::Bytes(bytes) => Some(bytes.len() as u64),
            Kind::File { length, .. } => Some(*length),
            Kind::Reader { length, .. } => *length,
        }
    }

    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        matches!(self.0, Kind::Empty)
    }

    /// How the head announces it. `expected`: whether absence is said aloud.
    #[inline]
    pub(crate) fn announced(&self, expected: bool) -> RequestFraming {
        match (&self.0, self.length()) {
            (Kind::Empty, _) if !expected => RequestFraming::None,
            (_, Some(length)) => RequestFraming::Length(length),
            (_, None) => RequestFraming::Chunked,
        }
    }

    /// Whether all of it can be sent again: sending begins where the body does, each time.
    pub(crate) fn is_replayable(&self) -> bool {
        !matches!(self.0, Kind::Reader { started: true, .. })
    }

    /// What is wrong with it, where that is known beforehand.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.0 {
            Kind::Unusable(error) => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

impl Default for SendBody<'_> {
    fn default() -> Self {
        SendBody::empty()
    }
}

impl fmt::Debug for SendBody<'_> {
    /// Never the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.0 {
            Kind::Empty => "Empty",
            Kind::Bytes(_) => "Bytes",
            Kind::File { .. } => "File",
            Kind::Reader { .. } => "Reader",
            Kind::Unusable(_) => "Unusable",
        };
        match self.length() {
            Some(length) => write!(f, "{name}({length} bytes)"),
            None => write!(f, "{name}(of unknown length)"),
        }
    }
}

impl<'b> From<&'b [u8]> for SendBody<'b> {
    fn from(bytes: &'b [u8]) -> Self {
        SendBody(Kind::Bytes(Cow::Borrowed(bytes)))
    }
}

impl<'b, const N: usize> From<&'b [u8; N]> for SendBody<'b> {
    fn from(bytes: &'b [u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

impl<'b> From<&'b Vec<u8>> for SendBody<'b> {
    fn from(bytes: &'b Vec<u8>) -> Self {
        bytes.as_slice().into()
    }
}

impl<'b> From<&'b str> for SendBody<'b> {
    fn from(text: &'b str) -> Self {
        text.as_bytes().into()
    }
}

impl<'b> From<&'b String> for SendBody<'b> {
    fn from(text: &'b String) -> Self {
        text.as_bytes().into()
    }
}

impl From<Vec<u8>> for SendBody<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        SendBody(Kind::Bytes(Cow::Owned(bytes)))
    }
}

impl From<String> for SendBody<'_> {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<File> for SendBody<'_> {
    /// A regular file is sent from its current position, with the length that it has now. It is read
    /// by position and not by its cursor, so clones of it may be sent at the same time. On Windows such
    /// a read moves the cursor that clones share, too: there, make all of the bodies before the first is
    /// sent. A directory is refused before anything is sent ([`ErrorKind::Body`]).
    /// Anything else that opens as a file (a pipe, a device, what is in /proc) is read in chunks to
    /// its end.
    fn from(file: File) -> Self {
        match extent(&file) {
            Ok(Some((start, length))) => SendBody(Kind::File { file, start, length }),
            Ok(None) => SendBody::reader(file),
            Err(error) => SendBody(Kind::Unusable(Error::from_io(ErrorKind::Body, "the body's file", error))),
        }
    }
}

/// A regular file's position, and how many bytes are behind it.
fn extent(mut file: &File) -> io::Result<Option<(u64, u64)>> {
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
    }
    if !metadata.is_file() {
        return Ok(None);
    }
    let start = file.stream_position()?;
    let length = metadata.len().saturating_sub(start);
    if length == 0 && read_at(file, &mut [0; 1], start)? > 0 {
        return Ok(None); // a file whose length is not known, as those in /proc
    }
    Ok(Some((start, length)))
}

/// Reads at a place in a file, and not at its cursor, which clones of the file share.
pub(crate) fn read_at(file: &File, block: &mut [u8], at: u64) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, block, at);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, block, at);
    #[cfg(not(any(unix, windows)))]
    {
        let mut file = file;
        file.seek(io::SeekFrom::Start(at))?;
        file.read(block)
    }
}
