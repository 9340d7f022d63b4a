//! Request bodies: what can be sent, how long it is, and whether it can be sent again.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::message::blocks::{Blocks, BodyBlocks, Part, Source, read_at};
use crate::wire::request_head::RequestFraming;

/// A body up to this size is sent without an eye on the response.
const SMALL_BYTES_MAX: usize = 64 * 1024;

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

/// Returns the blocks in which a body is sent. It comes with the bodies that need it, so that a program
/// without them does not link what is behind it.
pub(crate) type InBlocks = for<'p> fn(&'p mut SendBody<'_>) -> Result<Box<dyn Blocks + 'p>>;

pub(crate) enum Kind<'b> {
    Empty,
    Bytes(Cow<'b, [u8]>),
    Shared(Arc<[u8]>),
    File {
        file: File,
        start: u64,
        length: u64,
        in_blocks: InBlocks,
    },
    Reader {
        reader: Box<dyn Read + Send + 'b>,
        length: Option<u64>,
        /// It was read from, and cannot be sent again.
        started: bool,
        in_blocks: InBlocks,
    },
    /// Parts that follow each other; none of them is a chain.
    Chain {
        parts: Vec<SendBody<'b>>,
        /// The one `Content-Type` by which a recipient can tell the parts apart, if there is such a one.
        content_type: Option<Box<str>>,
        in_blocks: InBlocks,
    },
    /// A file that could not be used; the error is returned when the request is sent.
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
        SendBody(Kind::Reader { reader: Box::new(reader), length: None, started: false, in_blocks })
    }

    /// A stream of exactly `length` bytes. If the reader has fewer or more, the request fails
    /// with [`ErrorKind::Body`] and its connection is closed. To check, one byte more is
    /// read before the last ones are sent: pass `reader.take(length)` of a reader that would block there.
    pub fn sized_reader(reader: impl Read + Send + 'b, length: u64) -> SendBody<'b> {
        SendBody(Kind::Reader { reader: Box::new(reader), length: Some(length), started: false, in_blocks })
    }

    /// A body of several parts, one after the other. Its length is known if the lengths of all parts
    /// are; else it is sent in chunks. It can be sent again if all parts can. Small parts of bytes and files
    /// leave together; what a reader gives leaves at once.
    ///
    /// ```
    /// use longwire::SendBody;
    ///
    /// let body = SendBody::chain([SendBody::from("head "), SendBody::from(vec![b'x'; 3])]);
    /// assert_eq!(body.len(), Some(8));
    /// ```
    pub fn chain(parts: impl IntoIterator<Item = SendBody<'b>>) -> SendBody<'b> {
        let mut flat = Vec::new();
        for part in parts {
            match part.0 {
                Kind::Chain { parts: inner, .. } => flat.extend(inner),
                _ => flat.push(part),
            }
        }
        match flat.iter().all(SendBody::is_none) {
            true => SendBody::empty(),
            false => SendBody(Kind::Chain { parts: flat, content_type: None, in_blocks }),
        }
    }

    /// Binds a chain to the only `Content-Type` that it may be sent with.
    pub(crate) fn bound_to(mut self, only: &str) -> SendBody<'b> {
        if let Kind::Chain { content_type, .. } = &mut self.0 {
            *content_type = Some(only.into());
        }
        self
    }

    /// Returns the only `Content-Type` that the body may be sent with, if it is bound to one.
    pub(crate) fn content_type(&self) -> Option<&str> {
        match &self.0 {
            Kind::Chain { content_type, .. } => content_type.as_deref(),
            _ => None,
        }
    }

    /// Returns the length in bytes, where it is known beforehand.
    #[inline]
    pub fn len(&self) -> Option<u64> {
        match &self.0 {
            Kind::Empty | Kind::Unusable(_) => Some(0),
            Kind::Bytes(bytes) => Some(bytes.len() as u64),
            Kind::Shared(bytes) => Some(bytes.len() as u64),
            Kind::Chain { parts, .. } => parts.iter().try_fold(0u64, |sum, part| sum.checked_add(part.len()?)),
            Kind::File { length, .. } => Some(*length),
            Kind::Reader { length, .. } => *length,
        }
    }

    /// Returns whether there is nothing to send: the length is known to be 0.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Returns whether there is no body at all.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self.0, Kind::Empty)
    }

    /// Returns all of the body, if it is in memory and small enough to be sent without an eye on the
    /// response.
    pub(crate) fn small_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Empty => Some(&[]),
            Kind::Bytes(bytes) if bytes.len() <= SMALL_BYTES_MAX => Some(bytes),
            Kind::Shared(bytes) if bytes.len() <= SMALL_BYTES_MAX => Some(bytes),
            _ => None,
        }
    }

    /// The body's framing. `expected`: its absence is announced, too.
    #[inline]
    pub(crate) fn framing(&self, expected: bool) -> RequestFraming {
        match &self.0 {
            Kind::Empty if !expected => RequestFraming::None,
            _ => self.len().map_or(RequestFraming::Chunked, RequestFraming::Length),
        }
    }

    /// Returns whether all of it can be sent again: sending starts where the body does, each time.
    pub(crate) fn is_replayable(&self) -> bool {
        match &self.0 {
            Kind::Reader { started, .. } => !started,
            Kind::Chain { parts, .. } => parts.iter().all(SendBody::is_replayable),
            _ => true,
        }
    }

    /// Returns whether it can be sent again once it was sent: readers cannot.
    pub(crate) fn can_be_resent(&self) -> bool {
        match &self.0 {
            Kind::Reader { .. } => false,
            Kind::Chain { parts, .. } => parts.iter().all(SendBody::can_be_resent),
            _ => true,
        }
    }

    /// Returns the content in parts, if all of it is in memory.
    #[cfg(feature = "digest")]
    pub(crate) fn memory_parts(&self) -> Option<Vec<&[u8]>> {
        match &self.0 {
            Kind::Empty => Some(Vec::new()),
            Kind::Bytes(bytes) => Some(vec![bytes]),
            Kind::Shared(bytes) => Some(vec![bytes]),
            Kind::Chain { parts, .. } => {
                let parts: Option<Vec<_>> = parts.iter().map(SendBody::memory_parts).collect();
                Some(parts?.concat())
            }
            Kind::File { .. } | Kind::Reader { .. } | Kind::Unusable(_) => None,
        }
    }

    /// A copy, if the body can be had twice.
    pub(crate) fn try_clone(&self) -> Option<SendBody<'b>> {
        Some(SendBody(match &self.0 {
            Kind::Empty => Kind::Empty,
            Kind::Bytes(bytes) => Kind::Bytes(bytes.clone()),
            Kind::Shared(bytes) => Kind::Shared(bytes.clone()),
            Kind::File { file, start, length, in_blocks } => {
                Kind::File { file: file.try_clone().ok()?, start: *start, length: *length, in_blocks: *in_blocks }
            }
            Kind::Reader { .. } => return None,
            Kind::Chain { parts, content_type, in_blocks } => Kind::Chain {
                parts: parts.iter().map(SendBody::try_clone).collect::<Option<_>>()?,
                content_type: content_type.clone(),
                in_blocks: *in_blocks,
            },
            Kind::Unusable(error) => Kind::Unusable(error.clone()),
        }))
    }

    /// An error that is known before anything is sent.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.0 {
            Kind::Unusable(error) => Err(error.clone()),
            Kind::Chain { parts, .. } => parts.iter().try_for_each(SendBody::check),
            _ => Ok(()),
        }
    }
}

fn in_blocks<'p>(body: &'p mut SendBody<'_>) -> Result<Box<dyn Blocks + 'p>> {
    let length = body.len();
    let mut list = VecDeque::new();
    parts(body, &mut list)?;
    Ok(Box::new(BodyBlocks::new(list, length)))
}

/// The parts of a body; reading from one makes a second time impossible.
fn parts<'p>(body: &'p mut SendBody<'_>, list: &mut VecDeque<Part<'p>>) -> Result<()> {
    let remaining = body.len();
    let source = match &mut body.0 {
        Kind::Empty => return Ok(()),
        Kind::Bytes(bytes) => Source::Bytes(bytes),
        Kind::Shared(bytes) => Source::Bytes(bytes),
        Kind::File { file, start, .. } => Source::File(file, *start),
        Kind::Reader { reader, started, .. } => Source::Reader(&mut **reader, started),
        Kind::Chain { parts: chain, .. } => return chain.iter_mut().try_for_each(|part| parts(part, list)),
        Kind::Unusable(error) => return Err(error.clone()),
    };
    list.push_back(Part { source, remaining });
    Ok(())
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
            Kind::Bytes(_) | Kind::Shared(_) => "Bytes",
            Kind::Chain { .. } => "Chain",
            Kind::File { .. } => "File",
            Kind::Reader { .. } => "Reader",
            Kind::Unusable(_) => "Unusable",
        };
        match self.len() {
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

impl<'b> From<Cow<'b, [u8]>> for SendBody<'b> {
    fn from(bytes: Cow<'b, [u8]>) -> Self {
        SendBody(Kind::Bytes(bytes))
    }
}

impl<'b> From<Cow<'b, str>> for SendBody<'b> {
    fn from(text: Cow<'b, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<Box<[u8]>> for SendBody<'_> {
    fn from(bytes: Box<[u8]>) -> Self {
        bytes.into_vec().into()
    }
}

impl From<Arc<[u8]>> for SendBody<'_> {
    /// Bytes that are shared, and not copied for a [`try_clone`](crate::Request::try_clone).
    fn from(bytes: Arc<[u8]>) -> Self {
        SendBody(Kind::Shared(bytes))
    }
}

impl From<&File> for SendBody<'_> {
    /// As from a [`File`], by a duplicate of the descriptor.
    fn from(file: &File) -> Self {
        match file.try_clone() {
            Ok(file) => file.into(),
            Err(error) => SendBody(Kind::Unusable(Error::from_io(ErrorKind::Body, "the body's file", error))),
        }
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
            Ok(Some((start, length))) => SendBody(Kind::File { file, start, length, in_blocks }),
            Ok(None) => SendBody::reader(file),
            Err(error) => SendBody(Kind::Unusable(Error::from_io(ErrorKind::Body, "the body's file", error))),
        }
    }
}

/// A regular file's position, and how many bytes follow it.
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
