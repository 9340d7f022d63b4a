//! A policy for sending a request again, as plain data.
//!
//! What it leads to is decided in `client`. The value brings the code for that along, so that a program which
//! never makes one does not link it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use url::Url;

use crate::backoff::Backoff;
use crate::error::{Fate, Result};
use crate::message::response::Exchanged;
use crate::method::Method;
use crate::net::conn::Limits;
use crate::observe::Trace;

/// Decides what becomes of the outcome of an attempt: it is final, or `None` after the wait for the next one.
pub(crate) type Next = fn(&mut Attempts, &Sent<'_>, &Bounds<'_>, Result<Exchanged>) -> Result<Option<Exchanged>>;

/// The attempts to send a request to one URL.
pub(crate) struct Attempts {
    pub(crate) policy: Arc<Retry>,
    pub(crate) count: u32,
    /// Of all that failed.
    pub(crate) fate: Fate,
    pub(crate) backoff: Backoff,
}

impl Attempts {
    pub(crate) fn new(policy: Arc<Retry>) -> Attempts {
        let (first, longest) = policy.backoff;
        Attempts { policy, count: 1, fate: Fate::NotSent, backoff: Backoff::new(first, longest) }
    }
}

/// What is to be known of the request that was sent.
pub(crate) struct Sent<'r> {
    pub(crate) method: &'r Method,
    pub(crate) url: &'r Url,
    pub(crate) is_idempotent: bool,
    pub(crate) is_replayable: bool,
}

/// What the attempts are bound by.
pub(crate) struct Bounds<'c> {
    pub(crate) budget: &'c Budget,
    pub(crate) limits: &'c Limits,
    pub(crate) trace: Trace<'c>,
}

/// When a request that failed is sent again: a policy for [`ClientBuilder::retry`], or for one request
/// ([`RequestBuilder::retry`]). Without one nothing waits, and only a dead pooled connection is worth a second
/// try.
///
/// It goes by what is known of the request's [fate](crate::Error::fate), and never sends again what the server
/// may have acted on, unless twice is as once:
///
/// | what came of the request | is it sent again? |
/// |---|---|
/// | it was not sent ([`Fate::NotSent`]): no address, no connection, a broken TLS handshake, a wait for a free connection, a proxy that refused its tunnel with one of the [`statuses`](Retry::statuses) | yes, whatever its method |
/// | it may have been processed ([`Fate::MaybeProcessed`]): the connection broke, or the server was silent for too long | if it is [idempotent](crate::Request::is_idempotent) |
/// | a response has one of the [`statuses`](Retry::statuses) | if it is idempotent |
/// | a response was cut, in its head or its body ([`Fate::ResponseStarted`]); any other status | no |
/// | a mistake of the caller, a certificate that is not trusted, a blocked address, a cancel, `timeout` | no |
/// | its body cannot be had twice (a reader that was read from) | no |
///
/// Between two attempts it waits: for as long as the response's `Retry-After` says (RFC 9110 §10.2.3), else for
/// a random time between zero and twice the one before (full jitter; see [`backoff`](Retry::backoff)). The call
/// blocks meanwhile; a [`CancelToken`](crate::CancelToken) ends the wait. Where the wait would be longer than
/// [`max_wait`](Retry::max_wait), or than what is left of `timeout`, the response (or the error) is returned at
/// once instead. So it is when the attempts are used up: the last response is returned as it is, never an error
/// in its place; [`Response::attempts`](crate::Response::attempts) counts them.
///
/// Each hop of a redirect has its own attempts. The response that is passed over is drained as far as it arrives
/// within a second of the wait, and half of what is left of `timeout` (64 KiB at most), so that its connection
/// can be used again. Each retry is an [`Event::Retry`](crate::Event::Retry).
///
/// **Budget.** When a server is down, retries must not multiply what it gets. The requests of a client with a
/// policy may be sent again ten times, and then once for every five further ones; see
/// [`without_budget`](Retry::without_budget).
///
/// ```no_run
/// use longwire::{Client, Retry};
/// use std::time::Duration;
///
/// let client = Client::builder().retry(Retry::new(3)).timeout(Duration::from_secs(60)).build();
/// let patient = Retry::new(8).max_wait(Duration::from_secs(300));
/// let response = client.put("http://example.com/hook").body("done").retry(patient).send()?;
/// println!("{} after {} attempts", response.status(), response.attempts());
/// # Ok::<(), longwire::Error>(())
/// ```
///
/// [`ClientBuilder::retry`]: crate::ClientBuilder::retry
/// [`RequestBuilder::retry`]: crate::RequestBuilder::retry
/// [`Fate::NotSent`]: crate::Fate::NotSent
/// [`Fate::MaybeProcessed`]: crate::Fate::MaybeProcessed
/// [`Fate::ResponseStarted`]: crate::Fate::ResponseStarted
#[derive(Clone)]
#[must_use]
pub struct Retry {
    pub(crate) retries_max: u32,
    pub(crate) statuses: Cow<'static, [u16]>,
    /// The upper end of the first random wait, and of all.
    pub(crate) backoff: (Duration, Duration),
    pub(crate) wait_max: Duration,
    pub(crate) spending: Spending,
    pub(crate) next: Next,
}

/// What retries are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spending {
    ClientBudget,
    Unlimited,
}

impl Retry {
    /// Sets the statuses after which an idempotent request is sent again, in place of 429, 502, 503 and 504.
    #[doc(alias = "status_forcelist")]
    pub fn statuses(mut self, statuses: &[u16]) -> Retry {
        self.statuses = Cow::Owned(statuses.to_vec());
        self
    }

    /// Sets the upper end of the first random wait and of the longest one. Default 200 ms, doubled at each
    /// attempt, up to 20 s.
    #[doc(alias("--retry-delay", "backoff_factor"))]
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Retry {
        self.backoff = (first, longest);
        self
    }

    /// Sets the longest wait between two attempts. Default 60 s. Where `Retry-After` asks for more, the response
    /// is returned at once; random waits are cut to it.
    #[doc(alias = "respect_retry_after_header")]
    pub fn max_wait(mut self, limit: Duration) -> Retry {
        self.wait_max = limit;
        self
    }

    /// Lets every request have all its attempts, whatever the others of the client needed: for a program that
    /// sends few requests, and for which each one counts.
    pub fn without_budget(mut self) -> Retry {
        self.spending = Spending::Unlimited;
        self
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("retries", &self.retries_max)
            .field("statuses", &self.statuses)
            .field("backoff", &self.backoff)
            .field("max_wait", &self.wait_max)
            .field("spending", &self.spending)
            .finish()
    }
}

/// Retries that a client may still make: a bucket of tokens, [`RETRY`](Budget::RETRY) for each. A request puts
/// one in.
pub(crate) struct Budget(AtomicU32);

impl Budget {
    const RETRY: u32 = 5;
    const FULL: u32 = 10 * Budget::RETRY;

    pub(crate) const fn new() -> Budget {
        Budget(AtomicU32::new(Budget::FULL))
    }

    pub(crate) fn add_request(&self) {
        let more = |tokens| (tokens < Budget::FULL).then_some(tokens + 1);
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more); // it may be full
    }

    /// Takes what a retry costs. Returns whether it was there.
    pub(crate) fn spend(&self) -> bool {
        let less = |tokens: u32| tokens.checked_sub(Budget::RETRY);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_retries_are_free_and_each_costs_five_requests_after_that() {
        let budget = Budget::new();
        assert_eq!((0..20).filter(|_| budget.spend()).count(), 10);
        for _ in 0..4 {
            budget.add_request();
        }
        assert!(!budget.spend());
        budget.add_request();
        assert!(budget.spend());
        for _ in 0..1_000 {
            budget.add_request();
        }
        assert_eq!((0..20).filter(|_| budget.spend()).count(), 10, "it does not save up for a storm");
    }
}
