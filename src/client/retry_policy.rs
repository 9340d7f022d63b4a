//! Sending a request again by a policy of the caller's (RFC 9110 §9.2.2, §10.2.3).
//!
//! The loop stands above the attempts, each of which may have its own retry on a dead pooled connection. It
//! knows what came of an attempt, and whether the request may be sent once more; how it is sent is not known
//! here.

use std::borrow::Cow;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::error::{Error, ErrorKind, Fate, Result, Stage};
use crate::message::request::Request;
use crate::message::response::{Exchanged, retry_after};
use crate::message::retry::{Attempt, Retry, Series, Spending};
use crate::net::deadline::Deadline;
use crate::observe::Event;
use crate::random;

/// After these the same request may succeed a little later: Too Many Requests, Bad Gateway, Service
/// Unavailable, Gateway Timeout.
const STATUSES: &[u16] = &[429, 502, 503, 504];

/// How long the rest of a response is waited for before the next attempt.
const DRAIN_WAIT: Duration = Duration::from_secs(1);

impl Retry {
    /// Creates a policy that sends a request again up to `retries` times: that is `retries + 1` attempts.
    pub const fn new(retries: u32) -> Retry {
        Retry {
            retries_max: retries,
            statuses: Cow::Borrowed(STATUSES),
            backoff: (Duration::from_millis(200), Duration::from_secs(20)),
            wait_max: Duration::from_secs(60),
            spending: Spending::ClientBudget,
            run,
        }
    }
}

/// Why a request is to be sent again, and how long after.
struct Again {
    why: Error,
    wait: Duration,
}

fn run(retry: &Retry, series: Series<'_>, request: &mut Request<'_>, send: &mut Attempt<'_>) -> Result<Exchanged> {
    let mut backoff = Backoff::new(retry.backoff.0, retry.backoff.1);
    let (mut attempts, mut fate) = (1, Fate::NotSent);
    series.budget.add_request();
    loop {
        let outcome = send(request);
        let again = match attempts <= retry.retries_max && !series.limits.deadline.has_passed() {
            true => retry.after(&outcome, request, series, &mut backoff),
            false => None,
        };
        let Some(Again { why, wait }) = again else {
            let counted = outcome.map(|exchanged| Exchanged { attempts, ..exchanged });
            return counted.map_err(|error| error.with_fate_at_least(fate));
        };
        fate = fate.max(why.fate());
        if let Ok(exchanged) = outcome {
            let until = Deadline::of("the rest of a response", Some(DRAIN_WAIT), Instant::now());
            exchanged.drain(&until).map_err(|cancelled| cancelled.at(Stage::Body).with_fate_at_least(fate))?;
        }
        series.trace.report(|ids| Event::Retry { error: &why, wait, ids });
        if sleep(series, wait) {
            return Err(Error::cancelled().with_fate(fate));
        }
        attempts += 1;
    }
}

impl Retry {
    /// Returns whether and when the request is sent again after that outcome. A retry is paid for here.
    fn after(
        &self,
        outcome: &Result<Exchanged>,
        request: &Request<'_>,
        series: Series<'_>,
        backoff: &mut Backoff,
    ) -> Option<Again> {
        let (why, asked) = match outcome {
            Ok(exchanged) => {
                let head = &exchanged.received.head;
                if !self.statuses.contains(&head.status.as_u16()) || !request.is_idempotent() {
                    return None;
                }
                let answered = Error::new(ErrorKind::Status, format!("the server answered {}", head.status));
                let why = answered.with_status(head.status).with_fate(Fate::ResponseStarted);
                (why.with_request(&request.method, &request.url), retry_after(&head.headers))
            }
            Err(error) if self.is_transient(error) && may_resend(request, error.fate()) => (error.clone(), None),
            Err(_) => return None,
        };
        if !request.body.is_replayable() {
            return None;
        }
        let wait = match asked {
            Some(asked) if asked > self.wait_max => return None,
            Some(asked) => asked,
            None => random::between(Duration::ZERO, backoff.next_wait().min(self.wait_max)),
        };
        if series.limits.deadline.remaining().is_some_and(|left| wait >= left) {
            return None;
        }
        let is_paid = self.spending == Spending::Unlimited || series.budget.spend();
        is_paid.then_some(Again { why, wait })
    }

    /// Returns whether the same may succeed a little later: nobody has made a mistake, and nobody has refused.
    fn is_transient(&self, error: &Error) -> bool {
        match error.kind() {
            ErrorKind::Resolve | ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Io | ErrorKind::Truncated => true,
            ErrorKind::Proxy => error.status().is_some_and(|status| self.statuses.contains(&status.as_u16())),
            // A handshake that broke; a certificate is not better the next time.
            ErrorKind::Tls => is_broken(error),
            _ => false,
        }
    }
}

/// Returns whether a request of that fate may go out again (RFC 9110 §9.2.2).
fn may_resend(request: &Request<'_>, fate: Fate) -> bool {
    match fate {
        Fate::NotSent => true,
        Fate::MaybeProcessed => request.is_idempotent(),
        Fate::ResponseStarted => false,
    }
}

/// Returns whether the system says that the connection broke.
fn is_broken(error: &Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>());
    inner.is_some_and(|inner| matches!(inner.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof))
}

/// Waits. Returns whether the request was cancelled meanwhile.
fn sleep(series: Series<'_>, wait: Duration) -> bool {
    match &series.limits.token {
        Some(token) => token.wait(wait),
        None => {
            thread::sleep(wait);
            false
        }
    }
}
