//! What a response to the request for the rest means: which bytes it has, and whether they are of the same
//! version (RFC 9110 §14.2, §15.3.7, §15.5.17).
//!
//! Bytes are never taken on trust: what cannot be told to be right is refused. What is done then, and how
//! bodies are read, is not known here.

use crate::ext::download::content_range::ContentRange;
use crate::ext::download::version::{Version, only};
use crate::message::response::Response;
use crate::status::StatusCode;

/// What there was when the rest was asked for.
pub(super) struct Asked<'d> {
    /// The first byte that is wanted: some are there already.
    pub(super) position: u64,
    /// The length of the whole, if it is known.
    pub(super) length: Option<u64>,
    pub(super) version: &'d Version,
    /// Whose word it is that the resource is the same, where the server says neither yes nor no.
    pub(super) voucher: Voucher,
}

/// Who says that a resource has not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voucher {
    /// The server, by a validator.
    Server,
    /// The caller, unless the server says otherwise.
    Caller,
}

/// What the response gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Its body goes on at the position, after the first `skip` bytes.
    Rest { skip: u64, extent: Extent, length: Option<u64> },
    /// There is nothing behind the position.
    NothingLeft,
}

/// How far a body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// To the end of the whole.
    Whole,
    /// Up to the byte before this one; whether there is more is another question.
    UpTo(u64),
}

impl Asked<'_> {
    /// Decides on a 206, a 416 or a 200. `Err` says why it cannot be used.
    pub(super) fn decide(&self, response: &Response) -> Result<Answer, String> {
        match response.status() {
            StatusCode::PARTIAL_CONTENT => self.decide_on_part(response),
            StatusCode::RANGE_NOT_SATISFIABLE => self.decide_on_nothing(response),
            _ => self.decide_on_whole(response),
        }
    }

    /// RFC 9110 §15.3.7: a part says by itself which bytes it has. They may be others than those asked for.
    fn decide_on_part(&self, response: &Response) -> Result<Answer, String> {
        let is_multipart = |value: &[u8]| value.to_ascii_lowercase().starts_with(b"multipart/byteranges");
        if response.headers().get_bytes("content-type").is_some_and(is_multipart) {
            return Err("the server answered with several parts, where one was asked for".to_owned());
        }
        self.version.check(response.headers())?;
        let Some(ContentRange::Part { first, end, length }) = content_range(response) else {
            return Err("the server sent a part without a valid Content-Range".to_owned());
        };
        if first > self.position || end < self.position {
            let (last, position) = (end - 1, self.position);
            return Err(format!("the server sent the bytes {first}-{last}, where byte {position} was asked for"));
        }
        let is_longer = self.length.is_some_and(|ours| end > ours || length.is_some_and(|theirs| theirs != ours));
        if is_longer {
            return Err(self.other_length(length.unwrap_or(end)));
        }
        if response.body().remaining().is_some_and(|announced| announced != end - first) {
            return Err("the server sent a part with a Content-Length that is not that of its Content-Range".to_owned());
        }
        let length = self.length.or(length);
        Ok(Answer::Rest { skip: self.position - first, extent: Extent::UpTo(end), length })
    }

    /// The server does not know ranges, or has another version (RFC 9110 §13.1.5).
    fn decide_on_whole(&self, response: &Response) -> Result<Answer, String> {
        if response.headers().contains("content-range") {
            return Err("the server answered 200 with a Content-Range: which bytes these are cannot be told".to_owned());
        }
        self.version.check(response.headers())?;
        if self.voucher == Voucher::Server && !self.version.is_surely(response.headers()) {
            return Err("the server sent the whole anew, and no strong ETag that says it is the same".to_owned());
        }
        let length = response.body().remaining();
        match length {
            Some(theirs) if self.length.map_or(theirs < self.position, |ours| theirs != ours) => {
                Err(self.other_length(theirs))
            }
            _ => Ok(Answer::Rest { skip: self.position, extent: Extent::Whole, length: self.length.or(length) }),
        }
    }

    /// The server says that the whole ends where we are, or before. Its content is a page about that.
    fn decide_on_nothing(&self, response: &Response) -> Result<Answer, String> {
        self.version.check_validators(response.headers())?;
        match (content_range(response), self.length) {
            (Some(ContentRange::Unsatisfied { length }), None) if length == self.position => Ok(Answer::NothingLeft),
            (Some(ContentRange::Unsatisfied { length }), ours) if ours != Some(length) => {
                Err(self.other_length(length))
            }
            _ => Err(format!("the server answered 416, nothing to send from byte {} on", self.position)),
        }
    }

    fn other_length(&self, theirs: u64) -> String {
        match self.length {
            Some(ours) if ours != theirs => format!("its length was {ours} bytes, and is {theirs} now"),
            _ => format!("it has {theirs} bytes now, and {} were read", self.position),
        }
    }
}

fn content_range(response: &Response) -> Option<ContentRange> {
    ContentRange::parse(only(response.headers(), "content-range")?)
}
