//! One exchange on one connection: a request out, a response head in, and what follows from both
//! for the body and the connection.

use std::time::{Duration, Instant};

#[cfg(feature = "__coding")]
use crate::client::accept_encoding;
use crate::client::response_reader::ResponseReader;
use crate::client::settings::Settings;
use crate::client::upload;
use crate::error::{Error, ErrorKind, Fate, Result, Stage};
use crate::headers::Headers;
use crate::message::request::Request;
use crate::message::response::{Exchanged, ReceivedHead};
use crate::message::send_body::Upload;
use crate::net::pool::lease::Lease;
use crate::observe::Event;
use crate::reuse::{CloseReason, Reuse};
use crate::uri;
use crate::wire::framing::{self, Framing};
use crate::wire::request_head::{NextHop, RequestHead};

/// What one hop of a request brings along.
#[derive(Clone, Copy)]
pub(crate) struct Hop<'h> {
    /// Who receives the head.
    pub(crate) next: NextHop,
    /// The fields for this head alone: a proxy's, those that `on_redirect` kept, the jar's cookies, those
    /// that `before_send` set.
    pub(crate) fields: &'h Headers,
    /// The proxy's among them, which no event shows.
    pub(crate) proxy_fields: &'h Headers,
}

/// Sends the request and reads the response head. On an error the connection is closed.
pub(crate) fn run(mut lease: Lease, request: &mut Request<'_>, hop: Hop<'_>, settings: &Settings) -> Result<Exchanged> {
    let mut reader = ResponseReader::new(settings, request.headers.contains("upgrade"));
    match converse(&mut lease, request, hop, settings, &mut reader) {
        Ok(received) => Ok(Exchanged {
            lease,
            received,
            #[cfg(feature = "__coding")]
            decodes: accept_encoding::is_asked_for(hop.fields),
            attempts: 1,
        }),
        Err(error) => {
            let fate = match (reader.has_begun, lease.sent) {
                (true, _) => Fate::ResponseStarted,
                (false, 0) => Fate::NotSent,
                (false, _) => Fate::MaybeProcessed,
            };
            // A cancel comes first: it may be the cause of any other error.
            let error = match lease.check_cancelled() {
                Err(cancelled) => cancelled.at(error.stage()),
                Ok(()) => error,
            };
            Err(error.with_fate(fate).with_peer(lease.peer()))
        }
    }
}

#[inline]
fn converse(
    lease: &mut Lease,
    request: &mut Request<'_>,
    hop: Hop<'_>,
    settings: &Settings,
    reader: &mut ResponseReader<'_>,
) -> Result<ReceivedHead> {
    let expect = request.expectation();
    let buffer = &mut lease.buffer;
    encode(request, &request.headers, expect, hop, settings, &mut |bytes| buffer.put(bytes));
    if let Some(observers) = lease.observers() {
        let text = (observers.head_text)(lease.buffer.bytes(), &|name| hop.proxy_fields.contains(name));
        lease.report(|ids| Event::RequestHead { text: &text, ids });
    }
    let upload = match request.body.small_bytes() {
        // Head and body leave in one write.
        Some(bytes) if expect.is_none() => match lease.send(bytes) {
            Ok(()) => Upload::Complete,
            Err(error) => upload::after_broken_write(lease, reader, error)?,
        },
        _ => upload::send(lease, &mut request.body, expect, reader).map_err(|error| match error.stage() {
            Stage::Request => error.at(Stage::Send),
            _ => error,
        })?,
    };
    let sent = Instant::now();
    if lease.is_observed() {
        lease.report(|ids| Event::RequestSent { bytes: lease.sent, ids });
    }
    let head = reader.read_head(lease, sent)?;
    let received = Instant::now();
    lease.head_read_at = Some(received);
    let framing = framing::of_response(&request.method, &head).map_err(|error| error.at(Stage::Head))?;
    if matches!(framing, Framing::UntilClose { .. }) && settings.require_framing {
        let what = "the body's end is not announced (require_framing)";
        return Err(Error::new(ErrorKind::Framing, what).at(Stage::Head));
    }
    let content_length = framing::advertised_length(&request.method, &head, framing);
    let reuse = match upload {
        Upload::Complete => framing::reuse(&head, framing, !request.headers.is_empty() && request.says_close()),
        Upload::CutShort | Upload::Withheld => Reuse::Close(CloseReason::UploadUnfinished),
    };
    Ok(ReceivedHead { head, content_length, framing, reuse, upload, sent, received })
}

/// Writes the request's head, piece by piece.
#[inline]
pub(crate) fn encode(
    request: &Request<'_>,
    headers: &Headers,
    expect: Option<Duration>,
    hop: Hop<'_>,
    settings: &Settings,
    put: &mut impl FnMut(&[u8]),
) {
    let announces_length = request.method.expects_content() || headers.contains("content-length");
    let (authority, target) = uri::authority_and_target(&request.url);
    let head = RequestHead {
        method: &request.method,
        target: match hop.next {
            NextHop::Origin | NextHop::OriginPastProxy => target,
            NextHop::Proxy => uri::absolute_target(&request.url),
        },
        next_hop: hop.next,
        authority,
        own_fields: &settings.own_fields,
        framing: request.body.framing(announces_length),
        expects_continue: expect.is_some(),
        hop_fields: hop.fields,
        headers,
    };
    head.encode(put);
}
