//! Sending a request again by a policy of the caller's (RFC 9110 §9.2.2, §10.2.3).
//!
//! Here it is decided what follows from an attempt: it was the last, or there is another one after a wait. Each
//! may have its own retry on a dead pooled connection. How the request is sent is not known here.

use std::borrow::Cow;
use std::mem;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Fate, Result, Stage};
use crate::message::response::{Exchanged, retry_after};
use crate::message::retry::{Attempts, Bounds, Retry, Sent, Spending};
use crate::net::cancel;
use crate::net::deadline::Deadline;
use crate::observe::Event;
use crate::random;
use crate::status::StatusCode;

/// How long the rest of a response is waited for before the next attempt.
const DRAIN_WAIT: Duration = Duration::from_secs(1);

impl Retry {
    /// Creates a policy that sends a request again up to `retries` times: that is `retries + 1` attempts.
    pub const fn new(retries: u32) -> Retry {
        Retry {
            retries_max: retries,
            statuses: Cow::Borrowed(StatusCode::TRANSIENT),
            backoff: (Duration::from_millis(200), Duration::from_secs(20)),
            wait_max: Duration::from_secs(60),
            spending: Spending::ClientBudget,
            next,
        }
    }
}

/// Why a request is to be sent again, and how long after.
struct Again {
    why: Error,
    wait: Duration,
}

fn next(
    attempts: &mut Attempts,
    sent: &Sent<'_>,
    bounds: &Bounds<'_>,
    outcome: Result<Exchanged>,
) -> Result<Option<Exchanged>> {
    if attempts.count == 1 {
        bounds.budget.add_request();
    }
    let Some(Again { why, wait }) = attempts.after(&outcome, sent, bounds) else {
        let finished = mem::replace(attempts, Attempts::new(attempts.policy.clone()));
        let counted = outcome.map(|exchanged| Some(Exchanged { attempts: finished.count, ..exchanged }));
        return counted.map_err(|error| error.with_fate_at_least(finished.fate));
    };
    let fate = attempts.fate.max(why.fate());
    let decided = Instant::now();
    if let Ok(exchanged) = outcome {
        // What is left of the deadline is for the next attempt, too.
        let until = Deadline::of("the rest of a response", Some(DRAIN_WAIT), decided);
        let until = until.or_sooner(bounds.limits.deadline.share(2));
        exchanged.drain(&until).map_err(|cancelled| cancelled.at(Stage::Body).with_fate_at_least(fate))?;
    }
    bounds.trace.report(|ids| Event::Retry { error: &why, wait, ids });
    // The drain is a part of the wait, which was chosen to end before the deadline.
    cancel::sleep(bounds.limits.token.as_ref(), wait.saturating_sub(decided.elapsed()))
        .map_err(|cancelled| cancelled.with_fate(fate))?;
    attempts.count += 1;
    attempts.fate = fate;
    Ok(None)
}

impl Attempts {
    /// Returns whether and when the request is sent again after that outcome. The retry is paid for here.
    fn after(&mut self, outcome: &Result<Exchanged>, sent: &Sent<'_>, bounds: &Bounds<'_>) -> Option<Again> {
        let Attempts { policy, count, backoff, .. } = self;
        if *count > policy.retries_max || !sent.is_replayable || bounds.limits.deadline.has_passed() {
            return None;
        }
        let (why, asked) = match outcome {
            Ok(exchanged) => {
                let head = &exchanged.received.head;
                if !policy.statuses.contains(&head.status.as_u16()) || !sent.is_idempotent {
                    return None;
                }
                let answered = Error::new(ErrorKind::Status, format!("the server answered {}", head.status));
                let why = answered.with_status(head.status).with_fate(Fate::ResponseStarted);
                (why.with_request(sent.method, sent.url), retry_after(&head.headers))
            }
            Err(error) if policy.is_transient(error) && may_resend(sent, error.fate()) => {
                (error.clone().with_request(sent.method, sent.url), None)
            }
            Err(_) => return None,
        };
        let wait = match asked {
            Some(asked) if asked > policy.wait_max => return None,
            Some(asked) => asked,
            None => random::between(Duration::ZERO, backoff.next_wait().min(policy.wait_max)),
        };
        if bounds.limits.deadline.remaining().is_some_and(|left| wait >= left) {
            return None;
        }
        let is_paid = policy.spending == Spending::Unlimited || bounds.budget.spend();
        is_paid.then_some(Again { why, wait })
    }
}

impl Retry {
    /// Returns whether the same may succeed a little later. Of a proxy's answers that is the policy's to say.
    fn is_transient(&self, error: &Error) -> bool {
        match error.kind() {
            ErrorKind::Proxy => error.status().is_some_and(|status| self.statuses.contains(&status.as_u16())),
            _ => error.is_transient(),
        }
    }
}

/// Returns whether a request of that fate may go out again (RFC 9110 §9.2.2).
fn may_resend(sent: &Sent<'_>, fate: Fate) -> bool {
    match fate {
        Fate::NotSent => true,
        Fate::MaybeProcessed => sent.is_idempotent,
        Fate::ResponseStarted => false,
    }
}
