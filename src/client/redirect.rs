//! Redirects: where they lead, and what may go along (RFC 9110 §15.4).

use url::Url;

use crate::client::settings::Settings;
use crate::error::{Error, ErrorKind, Fate, Result, Stage};
use crate::message::request::Request;
use crate::message::send_body::SendBody;
use crate::method::Method;
use crate::observe::Event;
use crate::redact::location_excerpt;
use crate::uri;
use crate::wire::response_head::Head;

/// Fields that say nothing about who asks: only these go to another origin.
const CROSS_ORIGIN_ALLOWED: [&str; 7] =
    ["accept", "accept-charset", "accept-language", "accept-encoding", "user-agent", "range", "if-range"];

/// Fields that belong to the body: they go where it goes.
const OF_THE_BODY: [&str; 5] =
    ["content-type", "content-encoding", "content-language", "content-location", "content-disposition"];

/// Fields that speak of the content, beside those called Content-* (RFC 9110 §15.4).
const ABOUT_CONTENT: [&str; 3] = ["digest", "last-modified", "transfer-encoding"];

/// The redirects of one request.
pub(crate) struct Redirects {
    max: u32,
    trail: Vec<Url>,
}

impl Redirects {
    pub(crate) fn new(max: u32) -> Redirects {
        Redirects { max, trail: Vec::new() }
    }

    /// The URLs that redirected, first to last.
    pub(crate) fn into_trail(self) -> Vec<Url> {
        self.trail
    }

    /// What has become of the request so far: a redirect is an answer.
    pub(crate) fn fate(&self) -> Fate {
        if self.trail.is_empty() { Fate::NotSent } else { Fate::ResponseStarted }
    }

    /// Makes `request` the one that the redirect asks for. `false`: it is none to be cross_origin_allowed.
    pub(crate) fn follow(&mut self, request: &mut Request<'_>, head: &Head, settings: &Settings) -> Result<bool> {
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
        if becomes_get(&request.method, head.status.as_u16()) {
            request.method = Method::GET;
            drop_body(request);
        } else if !request.body.is_replayable() {
            return Err(malformed(format!(
                "{} to {}: the request's body was a reader, and cannot be sent again",
                head.status,
                location_excerpt(location)
            )));
        }
        if uri::origin(&next) != uri::origin(&request.url) {
            strip_cross_origin(request, &settings.cross_origin_allowed);
        }
        settings.observe(|| Event::Redirect { status: head.status, from: &request.url, to: &next });
        self.trail.push(std::mem::replace(&mut request.url, next));
        Ok(true)
    }
}

fn answered(kind: ErrorKind, what: String) -> Error {
    Error::new(kind, what).at(Stage::Redirect).with_fate(Fate::ResponseStarted)
}

fn malformed(what: String) -> Error {
    answered(ErrorKind::Redirect, what)
}

/// The Location, if there is one; several must be alike. An empty one leads nowhere: cross_origin_allowed, it
/// would ask the same again.
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
        let is = |other: &&str| other.eq_ignore_ascii_case(name);
        !(name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-")) || ABOUT_CONTENT.iter().any(is))
    });
}

/// To another origin goes only what is on a list. What is gone does not come back on later hops.
fn strip_cross_origin(request: &mut Request<'_>, cross_origin_allowed: &[String]) {
    let has_body = !request.body.is_none();
    request.headers.retain(&mut |name| {
        let is = |other: &&str| other.eq_ignore_ascii_case(name);
        CROSS_ORIGIN_ALLOWED.iter().any(is)
            || has_body && OF_THE_BODY.iter().any(is)
            || cross_origin_allowed.iter().any(|other| other.eq_ignore_ascii_case(name))
    });
}
