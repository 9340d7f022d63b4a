//! One exchange on one connection: a request out, a response head in, and what follows from both
//! for the body and the connection.

use std::time::{Duration, Instant};

use crate::client::response_reader::ResponseReader;
use crate::client::settings::Settings;
use crate::client::upload::send;
use crate::error::{Error, ErrorKind, Fate, Result, Stage};
use crate::headers::Headers;
use crate::message::body::framed::Afterwards;
use crate::message::request::Request;
use crate::message::response::{ReceivedHead, ResponseParts};
use crate::message::send_body::Upload;
use crate::net::conn::Conn;
use crate::net::pool::{Lease, Return};
use crate::observe::{CloseReason, Event};
use crate::redact::{head_text, head_text_without};
use crate::uri;
use crate::wire::framing::{self, Framing, Persistence};
use crate::wire::request_head::{NextHop, RequestHead};
use crate::wire::response_head::Head;

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
            let fate = match (answers.has_begun(), lease.sent()) {
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
    conn: &mut Conn,
    request: &mut Request<'_>,
    next_hop: NextHop<'_>,
    settings: &Settings,
    answers: &mut ResponseReader<'_>,
) -> Result<ReceivedHead> {
    encode(request, &request.headers, next_hop, settings, &mut |bytes| conn.put(bytes));
    settings.observe_request(conn.arrived(), next_hop);
    let expect = request.expectation();
    let upload = send(conn, &mut request.body, expect, answers).map_err(|error| match error.stage() {
        Stage::Request => error.at(Stage::Send),
        _ => error,
    })?;
    let sent = Instant::now();
    let head = answers.read_head(conn, sent)?;
    let received = Instant::now();
    conn.heard_by(received);
    let framing = framing::of_response(&request.method, &head).map_err(|error| error.at(Stage::Head))?;
    if matches!(framing, Framing::UntilClose { .. }) && settings.require_framing {
        let what = "the body's end is not announced (require_framing)";
        return Err(Error::new(ErrorKind::Framing, what).at(Stage::Head));
    }
    let content_length = framing::advertised_length(&request.method, &head, framing);
    let afterwards = afterwards(&head, framing, request, upload);
    Ok(ReceivedHead { head, content_length, framing, afterwards, upload, sent, received })
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
        framing: request.body.announced(says_length),
        expects_continue: request.expectation().is_some(),
        headers,
    };
    head.encode(put);
}

/// What becomes of the connection once the body is complete.
fn afterwards(head: &Head, framing: Framing, request: &Request<'_>, upload: Upload) -> Afterwards {
    if upload != Upload::Complete {
        return Err(CloseReason::UploadUnfinished);
    }
    match framing::persists(head, framing, request.says_close()) {
        Persistence::Close(reason) => Err(reason),
        Persistence::Keep(hint) => Ok(Return {
            server_timeout: hint.timeout_secs.map(Duration::from_secs),
            requests_left: hint.requests_left,
            unproven: framing == Framing::Empty,
        }),
    }
}

impl Settings {
    /// Shows the observer the request's head, secrets replaced: what is for a proxy alone is one.
    fn observe_request(&self, head: &[u8], next_hop: NextHop<'_>) {
        if self.observer.is_some() {
            let text = match next_hop {
                NextHop::Proxy { fields } => head_text_without(head, |name| fields.contains(name)),
                NextHop::Origin | NextHop::OriginPastProxy => head_text(head),
            };
            self.observe(|| Event::RequestHead { text: &text });
        }
    }
}
