//! Digest authentication as a client does it: which 401 is answered, and the sessions that are kept so
//! that later requests carry their answer at once (RFC 7616 §3.6).
//!
//! A session belongs to one origin and one user name, and to no path: where a server has several
//! realms, a request to another one costs the 401 again. What an answer is made of is not known here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Fate};
use crate::message::auth::DigestAuth;
use crate::message::request::Request;
use crate::net::deadline::Deadline;
use crate::random;
use crate::status::StatusCode;
use crate::uri;
use crate::wire::digest::{Asked, Challenge, Session};
use crate::wire::response_head::Head;

/// Sessions that a client keeps; the one unused for longest goes first. A client of more devices than
/// these pays another 401 for them.
const SESSIONS_MAX: usize = 64;

/// How long the rest of a 401 is waited for, so that its connection carries the answer, too: some devices
/// know their nonce on that one alone.
const DRAIN_WAIT: Duration = Duration::from_secs(5);

/// Until when the rest of a 401 that was just received is waited for.
pub(crate) fn drain_deadline() -> Deadline {
    Deadline::of("the rest of a 401", Some(DRAIN_WAIT), Instant::now())
}

/// The sessions of one client.
#[derive(Default)]
pub(crate) struct Sessions {
    /// The one used last is the last.
    kept: Mutex<Vec<Kept>>,
}

struct Kept {
    origin: String,
    user: String,
    session: Arc<Session>,
}

/// Which challenge a request may answer yet.
#[derive(Clone, Copy)]
pub(crate) enum Budget {
    /// Any: it carried no answer, or one of an earlier request's session, whose nonce may be too old or
    /// meant for another URL.
    Any,
    /// It answered the challenge before: one that says that its nonce is too old, and so the password
    /// right.
    Stale,
    /// None: the 401 is the response.
    None,
}

impl Sessions {
    /// Returns the value of the request's `Authorization` field, if it has Digest credentials and there is
    /// a challenge to answer.
    ///
    /// Its `uri` is the target in origin-form, which the server receives from a proxy, too, and which curl
    /// and the browsers send: lighttpd answers 400 to the whole URL there, even as the request's target.
    pub(crate) fn authorization(&self, request: &Request<'_>) -> Option<Vec<u8>> {
        let digest = request.options.digest()?;
        let session = digest.session.clone().or_else(|| self.find(request, digest))?;
        let body = request.body.memory_parts();
        let (_, target) = uri::authority_and_target(&request.url);
        let asked = Asked { method: request.method.as_str(), target, body: body.as_deref() };
        session.answer(&digest.user, &digest.password, asked)
    }

    /// Lets the request begin with the session that is kept for it, if there is one.
    pub(crate) fn resume(&self, request: &mut Request<'_>) -> Budget {
        let session = request.options.digest().and_then(|digest| self.find(request, digest));
        if let Some(digest) = request.options.digest_mut() {
            digest.session = session;
        }
        Budget::Any
    }

    /// Returns why the request is to be sent again, with the answer to this response, if it is: see
    /// [`Budget`]. What the response says of nonces counts for later requests in any case.
    pub(crate) fn why_answer(&self, request: &mut Request<'_>, head: &Head, budget: &mut Budget) -> Option<Error> {
        if head.status != StatusCode::UNAUTHORIZED {
            self.note_accepted(request, head);
            return None;
        }
        let Some(challenge) = challenge(request, head, budget) else {
            self.replace(request, None);
            return None;
        };
        let why = asked_for(&challenge);
        self.begin(request, challenge);
        // A body that is gone went with the 401: the next request begins with an answer.
        request.body.is_replayable().then_some(why)
    }

    /// Returns the session for the request's origin and that user, which is the last used from here on.
    fn find(&self, request: &Request<'_>, digest: &DigestAuth) -> Option<Arc<Session>> {
        let mut kept = self.lock();
        let at = position(&kept, uri::origin(&request.url), &digest.user)?;
        kept[at..].rotate_left(1);
        kept.last().map(|last| Arc::clone(&last.session))
    }

    /// Begins a session with that challenge, for this request and those after it. Where a server gives out
    /// the same nonce again, the count goes on, so that none comes twice while the session is kept. (One
    /// that it takes up again after another, or after it refused an answer, is counted anew.)
    fn begin(&self, request: &mut Request<'_>, challenge: Challenge) {
        let origin = uri::origin(&request.url).to_owned();
        let Some(digest) = request.options.digest_mut() else { return };
        let mut kept = self.lock();
        let known = position(&kept, &origin, &digest.user).map(|at| kept.remove(at));
        let session = match known {
            Some(known) => known.session.renewed(challenge, cnonce()),
            None => Session::new(challenge, cnonce()),
        };
        let session = Arc::new(session);
        digest.session = Some(Arc::clone(&session));
        if kept.len() == SESSIONS_MAX {
            kept.remove(0);
        }
        kept.push(Kept { origin, user: digest.user.clone(), session });
    }

    /// Takes over the nonce that the response to an answer announces for the next one.
    fn note_accepted(&self, request: &Request<'_>, head: &Head) {
        let session = request.options.digest().and_then(|digest| digest.session.as_ref());
        let next = session.and_then(|session| session.next(head.headers.get_all("authentication-info")));
        if let Some(next) = next {
            self.replace(request, Some(Arc::new(next)));
        }
    }

    /// Puts another session in the place of the request's, or none if its answer was refused, unless another
    /// request has done so meanwhile.
    fn replace(&self, request: &Request<'_>, by: Option<Arc<Session>>) {
        let Some(digest) = request.options.digest() else { return };
        let mut kept = self.lock();
        let Some(at) = position(&kept, uri::origin(&request.url), &digest.user) else { return };
        if !digest.session.as_ref().is_some_and(|session| Arc::ptr_eq(session, &kept[at].session)) {
            return;
        }
        match by {
            Some(session) => kept[at].session = session,
            None => drop(kept.remove(at)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn position(kept: &[Kept], origin: &str, user: &str) -> Option<usize> {
    kept.iter().position(|one| one.origin == origin && one.user == user)
}

/// Returns the challenge in this 401 that is to be answered, if there is one and the budget allows.
fn challenge(request: &Request<'_>, head: &Head, budget: &mut Budget) -> Option<Challenge> {
    let offered = head.headers.get_all("www-authenticate");
    let challenge = Challenge::select(offered, request.body.memory_parts().is_some())?;
    *budget = match budget {
        Budget::Any => Budget::Stale,
        Budget::Stale if challenge.is_stale => Budget::None,
        Budget::Stale | Budget::None => return None,
    };
    Some(challenge)
}

/// Why the request is sent again.
fn asked_for(challenge: &Challenge) -> Error {
    let what = match challenge.is_stale {
        true => "the server asks for Digest authentication with a new nonce",
        false => "the server asks for Digest authentication",
    };
    Error::new(ErrorKind::Status, what).with_status(StatusCode::UNAUTHORIZED).with_fate(Fate::ResponseStarted)
}

/// Returns a nonce of the client's own: 128 bits that a server cannot foresee when it chooses its nonce,
/// so that it cannot choose one for which it has a table of digests (RFC 7616 §5.10, §5.11).
///
/// They need not be secret. Should a device have no entropy yet, an answer is as strong as one of RFC 2069,
/// which has no such nonce.
fn cnonce() -> String {
    format!("{:016x}{:016x}", random::bits(), random::bits())
}
