//! What a client was built with, as far as exchanges need to know it.

use std::sync::Arc;
use std::time::Duration;

use crate::client::proxy::Proxies;
use crate::error::Error;
use crate::headers::Headers;
use crate::net::speed::MinSpeed;
use crate::observe::{Event, Observer};
use crate::wire::head_lines::InvalidLines;
use crate::wire::response_head::HeadLimits;

pub(crate) struct Settings {
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) read_timeout: Option<Duration>,
    pub(crate) write_timeout: Option<Duration>,
    pub(crate) header_timeout: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) min_speed: Option<MinSpeed>,
    pub(crate) head_limits: HeadLimits,
    pub(crate) invalid_lines: InvalidLines,
    pub(crate) max_redirects: u32,
    pub(crate) proxies: Proxies,
    pub(crate) require_framing: bool,
    pub(crate) allow_https_downgrade: bool,
    pub(crate) user_agent: String,
    pub(crate) default_headers: Headers,
    /// Names of further fields that go along to other origins.
    pub(crate) cross_origin_allowed: Vec<String>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    /// The first setting that makes no sense; every send gives it.
    pub(crate) deferred_error: Option<Error>,
}

impl Settings {
    /// The client's own `User-Agent`, whatever a request says; empty if it says none.
    pub(crate) fn own_user_agent(&self) -> &[u8] {
        self.default_headers.get_bytes("user-agent").unwrap_or(self.user_agent.as_bytes())
    }

    /// Tells the observer, if there is one; only then is the event made.
    pub(crate) fn observe<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        if let Some(observer) = &self.observer {
            observer.event(&event());
        }
    }
}
