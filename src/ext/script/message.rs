//! HTTP messages as they come, in either direction: where a head ends, what is content, and where the message
//! ends (RFC 9112 §6, §7.1).
//!
//! Nothing is refused here: where a message cannot be framed, all that follows is content. Of the fields only
//! the two that frame a message are known.

use std::io;

use crate::headers::TrimOws;

/// Bytes of a head, or of a line of the chunked coding, at most: they are held until they are complete.
const HELD_BYTES_MAX: usize = 1 << 20;

/// A message that is being read.
pub(super) struct Message {
    kind: Kind,
    part: Part,
    /// A head or a line of which the end has not come.
    held: Vec<u8>,
}

/// What a message is, which decides how it is framed.
#[derive(Clone, Copy)]
enum Kind {
    Request,
    Response(Bodies),
}

/// Which responses to a request have a body.
#[derive(Clone, Copy)]
enum Bodies {
    ByStatus,
    /// None: it was HEAD.
    Never,
}

/// What is read next.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Head,
    /// This much of the content is missing.
    Length(u64),
    /// A line with the size of a chunk.
    Size,
    /// This much of a chunk's data is missing.
    Chunk(u64),
    /// The line end after a chunk's data.
    ChunkEnd,
    Trailer,
    /// All that comes is content.
    UntilEnd,
    Complete,
}

/// A piece of a message.
#[derive(Debug, PartialEq)]
pub(super) enum Piece<'a> {
    /// A head with its empty line.
    Head(Vec<u8>),
    /// Some of the body, without the chunked coding.
    Content(&'a [u8]),
    /// A line of the chunked coding: the size of a chunk, the end of its data or of the trailer section.
    Coding(Vec<u8>),
    /// A line of the trailer section.
    Trailer(Vec<u8>),
}

impl Message {
    pub(super) fn request() -> Message {
        Message { kind: Kind::Request, part: Part::Head, held: Vec::new() }
    }

    /// The response to a request with this method, its interim responses included.
    pub(super) fn response_to(method: &str) -> Message {
        let mut message = Message { kind: Kind::Response(Bodies::ByStatus), part: Part::Head, held: Vec::new() };
        message.answers(method);
        message
    }

    /// Says which method it is the response to. What has come of it stays.
    pub(super) fn answers(&mut self, method: &str) {
        self.kind = Kind::Response(if method == "HEAD" { Bodies::Never } else { Bodies::ByStatus });
    }

    pub(super) fn is_complete(&self) -> bool {
        self.part == Part::Complete
    }

    /// Takes the next piece off the front of `bytes`. `None` if none is complete: then nothing is left of
    /// `bytes`, unless the message is complete.
    ///
    /// # Errors
    /// A head or a line is too long.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> io::Result<Option<Piece<'a>>> {
        if bytes.is_empty() || self.is_complete() {
            return Ok(None);
        }
        let piece = match &mut self.part {
            Part::Head => {
                let head = self.hold(bytes, head_length)?;
                head.inspect(|head| self.part = self.after_head(head)).map(Piece::Head)
            }
            Part::Length(missing) => {
                let content = take(bytes, missing);
                if *missing == 0 {
                    self.part = Part::Complete;
                }
                Some(Piece::Content(content))
            }
            Part::Chunk(missing) => {
                let content = take(bytes, missing);
                if *missing == 0 {
                    self.part = Part::ChunkEnd;
                }
                Some(Piece::Content(content))
            }
            Part::Size | Part::ChunkEnd | Part::Trailer => {
                let line = self.hold(bytes, line_length)?;
                line.map(|line| self.end_line(line))
            }
            Part::UntilEnd => Some(Piece::Content(std::mem::take(bytes))),
            Part::Complete => None,
        };
        Ok(piece)
    }

    /// Returns what is held of a head or a line whose end has not come, and will not.
    pub(super) fn take_held(&mut self) -> Option<Piece<'static>> {
        let held = std::mem::take(&mut self.held);
        match self.part {
            _ if held.is_empty() => None,
            Part::Head => Some(Piece::Head(held)),
            Part::Trailer => Some(Piece::Trailer(held)),
            _ => Some(Piece::Coding(held)),
        }
    }

    /// Holds bytes until they end as `length` says, and returns them then.
    fn hold(&mut self, bytes: &mut &[u8], length: fn(&[u8], usize) -> Option<usize>) -> io::Result<Option<Vec<u8>>> {
        if self.held.is_empty() {
            // Nothing is copied that does not belong to it: there may be many lines in these bytes.
            if let Some(length) = length(bytes, 0) {
                let (held, rest) = bytes.split_at(length);
                *bytes = rest;
                return Ok(Some(held.to_vec()));
            }
        }
        let before = self.held.len();
        self.held.extend_from_slice(bytes);
        let Some(length) = length(&self.held, before) else {
            if self.held.len() > HELD_BYTES_MAX {
                let what = "a message with a head, or a line of its chunked coding, of over 1 MiB";
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            *bytes = &[];
            return Ok(None);
        };
        *bytes = &bytes[length - before..];
        self.held.truncate(length);
        Ok(Some(std::mem::take(&mut self.held)))
    }

    /// Returns what follows a head: RFC 9112 §6.3 in its order. What it calls an error has no end here.
    fn after_head(&self, head: &[u8]) -> Part {
        let coding = field(head, "transfer-encoding");
        let length = field(head, "content-length").map(|value| number(value, 10));
        match self.kind {
            Kind::Response(bodies) => match (status(head), bodies) {
                (Some(101), _) => return Part::UntilEnd,
                (Some(100..200), _) => return Part::Head,
                (Some(204 | 304), _) | (_, Bodies::Never) => return Part::Complete,
                _ => {}
            },
            Kind::Request if coding.is_none() && length.is_none() => return Part::Complete,
            Kind::Request => {}
        }
        match (coding, length) {
            (Some(coding), _) if coding.eq_ignore_ascii_case(b"chunked") => Part::Size,
            (None, Some(Some(0))) => Part::Complete,
            (None, Some(Some(length))) => Part::Length(length),
            _ => Part::UntilEnd,
        }
    }

    /// A line of the chunked coding is complete.
    fn end_line(&mut self, line: Vec<u8>) -> Piece<'static> {
        let is_empty = matches!(&*line, b"\r\n" | b"\n");
        self.part = match self.part {
            Part::Trailer if !is_empty => return Piece::Trailer(line),
            Part::Trailer => Part::Complete,
            Part::ChunkEnd if is_empty => Part::Size,
            Part::Size => match chunk_size(&line) {
                Some(0) => Part::Trailer,
                Some(size) => Part::Chunk(size),
                None => Part::UntilEnd,
            },
            _ => Part::UntilEnd,
        };
        Piece::Coding(line)
    }
}

/// Takes bytes off the front: as many as there are, and at most those that are missing.
fn take<'a>(bytes: &mut &'a [u8], missing: &mut u64) -> &'a [u8] {
    let count = usize::try_from(*missing).map_or(bytes.len(), |missing| missing.min(bytes.len()));
    let (taken, rest) = bytes.split_at(count);
    (*bytes, *missing) = (rest, *missing - count as u64);
    taken
}

/// Returns the length of the head that the bytes begin with, if its end is there. Its empty line may end in LF
/// alone, and there may be some before it; the first `searched` bytes have no end in them, or its first part.
fn head_length(bytes: &[u8], searched: usize) -> Option<usize> {
    let start = bytes.iter().position(|byte| !b"\r\n".contains(byte))?;
    let from = start.max(searched.saturating_sub(3));
    let newlines = bytes.iter().enumerate().skip(from).filter(|(_, byte)| **byte == b'\n');
    newlines.map(|(at, _)| at + 1).find_map(|end| match &bytes[end..] {
        [b'\n', ..] => Some(end + 1),
        [b'\r', b'\n', ..] => Some(end + 2),
        _ => None,
    })
}

fn line_length(bytes: &[u8], searched: usize) -> Option<usize> {
    bytes[searched..].iter().position(|byte| *byte == b'\n').map(|at| searched + at + 1)
}

/// Returns the status in the first line of a head.
pub(super) fn status(head: &[u8]) -> Option<u64> {
    let line = head.trim_ascii_start().split(|byte| *byte == b'\n').next()?;
    number(line.split(|byte| *byte == b' ').nth(1)?.trim_ows_and_cr(), 10)
}

/// Returns the fields of a head in their order, folds and lines that are no fields left out.
pub(super) fn fields(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = head.trim_ascii_start().split(|byte| *byte == b'\n').skip(1);
    lines.filter(|line| !line.starts_with(b" ") && !line.starts_with(b"\t")).filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some((&line[..colon], line[colon + 1..].trim_ows_and_cr()))
    })
}

fn field<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    fields(head).find(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    number(line.split(|byte| *byte == b';').next()?.trim_ows_and_cr(), 16)
}

/// Returns the value of digits, below 2^64.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = char::from(*byte).to_digit(radix)?;
        number.checked_mul(radix.into())?.checked_add(digit.into())
    })
}

trait TrimLine {
    /// Without whitespace around it, and without the CR that ends a line.
    fn trim_ows_and_cr(&self) -> &[u8];
}

impl TrimLine for [u8] {
    fn trim_ows_and_cr(&self) -> &[u8] {
        let line = self.strip_suffix(b"\n").unwrap_or(self);
        line.strip_suffix(b"\r").unwrap_or(line).trim_ows()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a message is made of, and what is left after it; its bytes come `piece` at a time.
    fn read(mut message: Message, bytes: &[u8], piece: usize) -> (String, bool, usize) {
        let (mut pieces, mut used) = (String::new(), 0);
        for part in bytes.chunks(piece) {
            let mut rest = part;
            while let Some(piece) = message.next(&mut rest).unwrap() {
                let (mark, bytes) = match &piece {
                    Piece::Head(head) => ("h", &head[..]),
                    Piece::Content(content) => ("", *content),
                    Piece::Coding(line) => ("c", &line[..]),
                    Piece::Trailer(line) => ("t", &line[..]),
                };
                pieces += &format!("{mark}{}", bytes.escape_ascii());
            }
            used += part.len() - rest.len();
            if !rest.is_empty() {
                break;
            }
        }
        (pieces, message.is_complete(), bytes.len() - used)
    }

    type Make = fn() -> Message;
    const GET: Make = || Message::response_to("GET");
    const HEAD: Make = || Message::response_to("HEAD");

    #[test]
    fn a_message_has_the_same_pieces_however_it_comes() {
        let get = "GET / HTTP/1.1\r\nA: b\r\n\r\n";
        let cases: [(Make, &str, &str, bool, usize); 16] = [
            (Message::request, &format!("{get}GET"), r"hGET / HTTP/1.1\r\nA: b\r\n\r\n", true, 3),
            (Message::request, "P\r\nContent-Length: 2\r\n\r\nabc", r"hP\r\nContent-Length: 2\r\n\r\nab", true, 1),
            (Message::request, "P\r\nContent-Length: +2\r\n\r\nabc", r"hP\r\nContent-Length: +2\r\n\r\nabc", false, 0),
            (
                Message::request,
                "P\r\nTransfer-Encoding: chunked\r\n\r\na;x=1\r\n0123456789\r\n0\r\nT: u\r\n\r\nX",
                r"hP\r\nTransfer-Encoding: chunked\r\n\r\nca;x=1\r\n0123456789c\r\nc0\r\ntT: u\r\nc\r\n",
                true,
                1,
            ),
            (
                Message::request,
                "P\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\n\r\n",
                r"hP\r\nTransfer-Encoding: chunked\r\n\r\nc1\r\nacb\n\r\n",
                false,
                0,
            ),
            (GET, "HTTP/1.1 200 OK\n\nabc", r"hHTTP/1.1 200 OK\n\nabc", false, 0),
            (HEAD, "HTTP/1.1 200 OK\n\nabc", r"hHTTP/1.1 200 OK\n\n", true, 3),
            (GET, "\r\n\nHTTP/1.1 204 No\r\n\r\nabc", r"h\r\n\nHTTP/1.1 204 No\r\n\r\n", true, 3),
            (
                GET,
                "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 304\r\n\r\nX",
                r"hHTTP/1.1 100 Go\r\n\r\nhHTTP/1.1 304\r\n\r\n",
                true,
                1,
            ),
            (GET, "HTTP/1.1 101 Up\n\nabc", r"hHTTP/1.1 101 Up\n\nabc", false, 0),
            (
                GET,
                "HTTP/1.1 200\nTransfer-Encoding: gzip, chunked\n\n0\r\n",
                r"hHTTP/1.1 200\nTransfer-Encoding: gzip, chunked\n\n0\r\n",
                false,
                0,
            ),
            (GET, "HTTP/1.1 200\nContent-Length: 0\n\nX", r"hHTTP/1.1 200\nContent-Length: 0\n\n", true, 1),
            (
                GET,
                "HTTP/1.1 200\nContent-Length: 18446744073709551615\n\nX",
                r"hHTTP/1.1 200\nContent-Length: 18446744073709551615\n\nX",
                false,
                0,
            ),
            (GET, "SSH-2.0\r\n", "", false, 0),
            (GET, "\r\n\r\n", "", false, 0),
            (
                GET,
                "HTTP/1.1 200\nTransfer-Encoding: chunked\n\nffffffffffffffff1\r\nab",
                r"hHTTP/1.1 200\nTransfer-Encoding: chunked\n\ncffffffffffffffff1\r\nab",
                false,
                0,
            ),
        ];
        for (message, text, pieces, is_complete, left) in cases {
            for piece in [1, 2, 3, 7, text.len()] {
                let read = read(message(), text.as_bytes(), piece);
                assert_eq!((&*read.0, read.1), (pieces, is_complete), "{text:?} by {piece}");
                assert!(piece < text.len() || read.2 == left, "{text:?}: {} left", read.2);
            }
        }
    }

    #[test]
    fn what_came_before_the_method_was_known_is_not_lost() {
        let mut message = Message::response_to("");
        assert_eq!(message.next(&mut &b"HTTP/1.1 200 OK\r\nContent-"[..]).unwrap(), None);
        message.answers("HEAD");
        let rest = &mut &b"Length: 1\r\n\r\n"[..];
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n".to_vec();
        assert_eq!(message.next(rest).unwrap(), Some(Piece::Head(head)));
        assert!(message.is_complete());
    }

    /// Or many lines that come at once would be copied again and again.
    #[test]
    fn a_line_is_taken_without_a_copy_of_what_follows_it() {
        let text = ["P\r\nTransfer-Encoding: chunked\r\n\r\n", &"1\r\nx\r\n".repeat(1000)].concat();
        let (mut message, mut rest, mut taken) = (Message::request(), text.as_bytes(), 0);
        while let Some(piece) = message.next(&mut rest).unwrap() {
            if let Piece::Head(line) | Piece::Coding(line) = piece {
                assert!(line.capacity() < 100, "{}", line.capacity());
                taken += 1;
            }
        }
        assert_eq!(taken, 1 + 2 * 1000);
    }

    #[test]
    fn what_is_held_has_a_limit() {
        for start in ["GET ", "P\r\nTransfer-Encoding: chunked\r\n\r\n1;"] {
            let mut message = Message::request();
            let held = start.rsplit('\n').next().unwrap().len();
            let longest = [start.as_bytes(), &vec![b'x'; HELD_BYTES_MAX - held]].concat();
            let mut bytes = &longest[..];
            while message.next(&mut bytes).unwrap().is_some() {}
            assert_eq!(message.held.len(), HELD_BYTES_MAX);
            let error = message.next(&mut &b"x"[..]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert_eq!(message.held.len(), HELD_BYTES_MAX + 1);
            assert!(matches!(message.take_held(), Some(Piece::Head(_) | Piece::Coding(_))));
        }
    }
}
