//! Whether a request that failed is sent once more (RFC 9110 §9.2.2, RFC 9112 §9.3.1).
//!
//! A server may close an idle connection at the moment a request goes out on it: an accident of timing
//! that is worth one retry, but never at the risk of processing a request twice.

use crate::error::{Error, ErrorKind, Fate, Result};
use crate::message::request::Request;
use crate::message::response::Exchanged;
use crate::message::send_body::Upload;
use crate::status::StatusCode;

/// Returns whether the request may go to a fresh connection after `error`.
fn may_retry(request: &Request<'_>, error: &Error, was_reused: bool) -> bool {
    // A fresh connection that fails is no accident of timing.
    if !was_reused {
        return false;
    }
    // Only for a connection that broke: not for timeouts, cancels and malformed responses.
    if !matches!(error.kind(), ErrorKind::Io | ErrorKind::Truncated) {
        return false;
    }
    // A reader that has been read from is not what it was.
    if !request.body.is_replayable() {
        return false;
    }
    match error.fate() {
        // The server has received nothing.
        Fate::NotSent => true,
        // The server may have processed it: harmless only if it is idempotent.
        Fate::MaybeProcessed => request.is_idempotent(),
        // The server was there, and answered.
        Fate::ResponseStarted => false,
    }
}

/// Returns why the request is to be repeated on a fresh connection, if it is: its connection was dead, or
/// the server refused `Expect: 100-continue` with a 417, and not the request (RFC 9110 §10.1.1, §15.5.18).
pub(crate) fn why_repeat(request: &Request<'_>, outcome: &Result<Exchanged>, was_reused: bool) -> Option<Error> {
    match outcome {
        Err(error) => may_retry(request, error, was_reused).then(|| error.clone()),
        Ok(exchanged) if exchanged.received.head.status != StatusCode::EXPECTATION_FAILED => None,
        // After a 100, or once the wait for it was over, the 417 is about what was sent.
        Ok(Exchanged { received, .. }) => {
            let is_meant = request.expectation().is_some() && received.upload == Upload::Withheld;
            let refused = Error::new(ErrorKind::Status, "the server does not know Expect: 100-continue");
            is_meant.then(|| refused.with_status(received.head.status).with_fate(Fate::ResponseStarted))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::send_body::SendBody;
    use crate::method::Method;

    #[test]
    fn only_a_reused_connection_that_broke_in_silence_is_worth_a_retry() {
        let get = Request::new(Method::GET, "http://a/").unwrap();
        let post = Request::new(Method::POST, "http://a/").unwrap();
        let error = |kind, fate| Error::new(kind, "").with_fate(fate);
        let broke = |fate| error(ErrorKind::Io, fate);
        assert!(may_retry(&get, &broke(Fate::MaybeProcessed), true));
        assert!(may_retry(&get, &error(ErrorKind::Truncated, Fate::MaybeProcessed), true));
        assert!(!may_retry(&get, &broke(Fate::MaybeProcessed), false));
        assert!(!may_retry(&get, &broke(Fate::ResponseStarted), true));
        assert!(!may_retry(&get, &error(ErrorKind::Timeout, Fate::NotSent), true));
        assert!(!may_retry(&get, &error(ErrorKind::Head, Fate::ResponseStarted), true));
        assert!(!may_retry(&post, &broke(Fate::MaybeProcessed), true));
        assert!(may_retry(&post, &broke(Fate::NotSent), true));
    }

    #[test]
    fn the_caller_may_say_that_twice_is_as_once() {
        let broke = Error::new(ErrorKind::Io, "").with_fate(Fate::MaybeProcessed);
        let mut post = Request::new(Method::POST, "http://a/").unwrap();
        post.options.idempotent = Some(true);
        assert!(may_retry(&post, &broke, true));
        post.options.idempotent = None;
        post.add_header("Idempotency-Key", "k").unwrap();
        assert!(may_retry(&post, &broke, true));
        post.body = SendBody::reader(std::io::empty());
        assert!(may_retry(&post, &broke, true), "a reader that was not touched is as good as new");
    }
}
