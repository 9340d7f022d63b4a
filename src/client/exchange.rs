//! One exchange on one connection: a request out, a response head in, and what follows from both
//! for the body and the connection.

use std::time::Instant;

use crate::client::response_reader::ResponseReader;
use crate::client::settings::Settings;
use crate::client::upload::send;
use crate::error::{Error, ErrorKind, Fate, Result, Stage};
use crate::headers::Headers;
use crate::message::request::Request;
use crate::message::response::{ReceivedHead, ResponseParts};
use crate::message::send_body::Upload;
use crate::net::pool::Lease;
use crate::observe::Event;
use crate::redact::{head_text, head_text_without};
use crate::reuse::{CloseReason, Reuse};
use crate::uri;
use crate::wire::framing::{self, Framing};
use crate::wire::head::{NextHop, RequestHead};

/// Sends the request and reads the response head. On an error the connection is closed.
pub(crate) fn run(
    mut lease: Lease,
    request: &mut Request<'_>,
    next_hop: NextHop<'_>,
    settings: &Settings,
) -> Result<ResponseParts> {
    let mut answers = ResponseReader::new(settings, request.headers.contains("upgrade"));
    match converse(&mut lease, request, next_hop, settings, &mut answers) {
        Ok(received) => Ok(ResponseParts { lease, received }),
        Err(error) => {
            let fate = match (answers.has_begun(), lease.sent) {
                (true, _) => Fate::ResponseStarted,
                (false, 0) => Fate::NotSent,
                (false, _) => Fate::MaybeProcessed,
            };
            // Whatever went wrong, a cancel comes first: the body's reader may have ended because of it.
            let error = match lease.check_cancelled() {
                Err(cancelled) => cancelled.at(error.stage()),
                Ok(()) => error,
            };
            Err(error.with_fate(fate).with_peer(lease.peer()))
        }
    }
}

fn converse(
    conn: &mut Lease,
    request: &mut Request<'_>,
    next_hop: NextHop<'_>,
    settings: &Settings,
    answers: &mut ResponseReader<'_>,
) -> Result<ReceivedHead> {
    encode(request, &request.headers, next_hop, settings, &mut |bytes| conn.put(bytes));
    report_request_head(conn, next_hop);
    let expect = request.expectation();
    let upload = send(conn, &mut request.body, expect, answers).map_err(|error| match error.stage() {
        Stage::Request => error.at(Stage::Send),
        _ => error,
    })?;
    let sent = Instant::now();
    conn.report(|ids| Event::RequestSent { bytes: conn.sent, ids });
    let head = answers.read_head(conn, sent)?;
    let received = Instant::now();
    conn.note_read(received);
    let framing = framing::of_response(&request.method, &head).map_err(|error| error.at(Stage::Head))?;
    if matches!(framing, Framing::UntilClose { .. }) && settings.require_framing {
        let what = "the body's end is not announced (require_framing)";
        return Err(Error::new(ErrorKind::Framing, what).at(Stage::Head));
    }
    let content_length = framing::advertised_length(&request.method, &head, framing);
    let reuse = match upload {
        Upload::Complete => framing::reuse(&head, framing, request.says_close()),
        Upload::CutShort | Upload::Withheld => Reuse::Close(CloseReason::UploadUnfinished),
    };
    Ok(ReceivedHead { head, content_length, framing, reuse, upload, sent, received })
}

/// Writes the request's head, piece by piece.
#[inline]
pub(crate) fn encode(
    request: &Request<'_>,
    headers: &Headers,
    next_hop: NextHop<'_>,
    settings: &Settings,
    put: &mut impl FnMut(&[u8]),
) {
    let says_length = request.method.expects_content() || headers.contains("content-length");
    let (authority, target) = uri::authority_and_target(&request.url);
    let head = RequestHead {
        method: &request.method,
        target: match next_hop {
            NextHop::Origin | NextHop::OriginPastProxy => target,
            NextHop::Proxy { .. } => uri::absolute_target(&request.url),
        },
        next_hop,
        authority,
        user_agent: &settings.user_agent,
        announced: request.body.announced(says_length),
        expects_continue: request.expectation().is_some(),
        headers,
    };
    head.encode(put);
}

/// Reports the request's head, with its secrets replaced: what is for a proxy alone is one.
fn report_request_head(lease: &Lease, next_hop: NextHop<'_>) {
    if lease.is_observed() {
        let text = match next_hop {
            NextHop::Proxy { fields } => head_text_without(lease.arrived(), |name| fields.contains(name)),
            NextHop::Origin | NextHop::OriginPastProxy => head_text(lease.arrived()),
        };
        lease.report(|ids| Event::RequestHead { text: &text, ids });
    }
}
