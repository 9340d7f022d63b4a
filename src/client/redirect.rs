//! Redirects: where they lead, and what may go along (RFC 9110 §15.4).

use url::Url;

use crate::client::hooks::is_framing;
use crate::client::settings::Settings;
use crate::error::{Error, ErrorKind, Fate, Result, Stage};
use crate::headers::Headers;
use crate::message::request::Request;
use crate::message::send_body::SendBody;
use crate::method::Method;
use crate::observe::{Event, Trace};
use crate::redact::location_excerpt;
use crate::uri;
use crate::wire::response_head::Head;
use crate::word_list::is_among;

/// Fields that reveal nothing about the sender: only these are forwarded to another origin. Without
/// Last-Event-ID a stream that is redirected could not go on where it was.
const CROSS_ORIGIN_ALLOWED: &str = "\
    accept accept-charset accept-language accept-encoding user-agent range if-range last-event-id";

/// Fields that belong to the body: they are forwarded with it.
const OF_THE_BODY: &str = "content-type content-encoding content-language content-location content-disposition";

/// Fields about the content besides those called Content-* (RFC 9110 §15.4).
const ABOUT_CONTENT: &str = "digest last-modified transfer-encoding";

/// The redirects of one request.
#[derive(Default)]
pub(crate) struct Redirects {
    pub(crate) max: u32,
    /// The URLs that redirected, first to last.
    pub(crate) trail: Vec<Url>,
    /// How many of them did so for good, before any that did not.
    pub(crate) permanent: usize,
    /// Fields that `on_redirect` kept for the hop under way, for it alone.
    pub(crate) kept: Headers,
}

impl Redirects {
    /// What has become of the request so far: a redirect is a response.
    pub(crate) fn fate(&self) -> Fate {
        if self.trail.is_empty() { Fate::NotSent } else { Fate::ResponseStarted }
    }

    /// Turns `request` into the next one. `false`: the redirect itself is the response.
    pub(crate) fn follow(
        &mut self,
        request: &mut Request<'_>,
        head: &Head,
        settings: &Settings,
        trace: Trace<'_>,
    ) -> Result<bool> {
        if self.max == 0 || !matches!(head.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(false);
        }
        let Some(location) = location(head)? else { return Ok(false) };
        if self.trail.len() >= self.max as usize {
            let what = format!("more than {} redirects (max_redirects)", self.max);
            return Err(answered(ErrorKind::TooManyRedirects, what));
        }
        let next = uri::resolve_location(&request.url, location)
            .map_err(|why| malformed(format!("Location {}: {why}", location_excerpt(location))))?;
        if request.url.scheme() == "https" && next.scheme() == "http" && !settings.allow_https_downgrade {
            return Err(malformed("a redirect from https to http".to_owned()));
        }
        let turns_into_get = becomes_get(&request.method, head.status.as_u16());
        if !turns_into_get && !request.body.is_replayable() {
            return Err(malformed(format!(
                "{} to {}: the request's body was a reader, and cannot be sent again",
                head.status,
                location_excerpt(location)
            )));
        }
        let Some(kept) = self.ask(request, head, &next, settings)? else { return Ok(false) };
        if turns_into_get {
            request.method = Method::GET;
            drop_body(request);
        }
        // To be kept there is only what the redirecting server itself was sent.
        let mut sent = std::mem::take(&mut self.kept);
        if uri::origin(&next) != uri::origin(&request.url) {
            strip_cross_origin(request, &settings.cross_origin_allowed, &mut sent);
            request.options.drop_digest();
        }
        self.kept = keep(sent, &kept);
        trace.report(|ids| Event::Redirect { status: head.status, from: &request.url, to: &next, ids });
        if self.permanent == self.trail.len() && matches!(head.status.as_u16(), 301 | 308) {
            self.permanent += 1;
        }
        self.trail.push(std::mem::replace(&mut request.url, next));
        Ok(true)
    }

    /// Calls the hook, if there is one: returns the names of the fields that it keeps, or `None` to stop.
    fn ask(&self, request: &Request<'_>, head: &Head, to: &Url, settings: &Settings) -> Result<Option<Vec<String>>> {
        let Some(on_redirect) = &settings.on_redirect else { return Ok(Some(Vec::new())) };
        on_redirect(&request.url, to, head.status, &head.headers)
            .map_err(|error| error.at(Stage::Redirect).with_fate_at_least(Fate::ResponseStarted))
    }
}

/// The fields with these names, but for those that frame a message or belong to a connection.
fn keep(mut fields: Headers, names: &[String]) -> Headers {
    let is_kept = |name: &str| names.iter().any(|kept| kept.eq_ignore_ascii_case(name));
    fields.retain(&mut |name| is_kept(name) && !is_framing(name));
    fields
}

fn answered(kind: ErrorKind, what: String) -> Error {
    Error::new(kind, what).at(Stage::Redirect).with_fate(Fate::ResponseStarted)
}

fn malformed(what: String) -> Error {
    answered(ErrorKind::Redirect, what)
}

/// The Location, if there is one; several must be alike. An empty one leads nowhere:
/// followed, it would send the same again.
fn location(head: &Head) -> Result<Option<&[u8]>> {
    let mut all = head.headers.get_all("location").filter(|location| !location.trim_ascii().is_empty());
    let first = all.next();
    match all.find(|other| Some(*other) != first) {
        Some(_) => Err(malformed("two different Location fields".to_owned())),
        None => Ok(first),
    }
}

/// 303 turns all but HEAD into GET; 301 and 302 turn POST into GET, as everybody does
/// (RFC 9110 §15.4.2, §15.4.3); 307 and 308 never.
fn becomes_get(method: &Method, status: u16) -> bool {
    match status {
        303 => *method != Method::HEAD,
        301 | 302 => *method == Method::POST,
        _ => false,
    }
}

fn drop_body(request: &mut Request<'_>) {
    request.body = SendBody::empty();
    request.options.expect_continue = None;
    request.headers.retain(&mut |name| {
        let is_content = name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"));
        !is_content && !is_among(ABOUT_CONTENT, name)
    });
}

/// Leaves only allow-listed fields in a request to another origin. What is gone does not come back on
/// later hops by itself.
fn strip_cross_origin(request: &mut Request<'_>, allowed: &[String], stripped: &mut Headers) {
    let has_body = !request.body.is_none();
    let may_go = |name: &str| {
        is_among(CROSS_ORIGIN_ALLOWED, name)
            || has_body && is_among(OF_THE_BODY, name)
            || allowed.iter().any(|other| other.eq_ignore_ascii_case(name))
    };
    stripped.extend(request.headers.iter().filter(|(name, _)| !may_go(name)));
    request.headers.retain(&mut |name| may_go(name));
}
