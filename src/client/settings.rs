//! A client's settings, with their defaults.

use std::sync::Arc;
use std::time::Duration;

use crate::client::cookies::HeadCookies;
use crate::client::hooks::{BeforeSend, OnRedirect};
use crate::client::proxy::Proxies;
use crate::error::Error;
use crate::headers::Headers;
use crate::message::retry::Retry;
use crate::net::pool::PoolLimits;
use crate::net::speed::MinSpeed;
use crate::wire::head_lines::InvalidLines;
use crate::wire::request_head::OwnFields;
use crate::wire::response_head::HeadLimits;

/// What a client is built with; see [`ClientBuilder`](crate::ClientBuilder).
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
    pub(crate) own_fields: OwnFields,
    pub(crate) default_headers: Headers,
    /// Names of further fields that redirects forward to other origins.
    pub(crate) cross_origin_allowed: Vec<String>,
    pub(crate) on_redirect: Option<Arc<OnRedirect>>,
    pub(crate) before_send: Option<Arc<BeforeSend>>,
    /// Content codings are asked for, and undone.
    #[cfg(feature = "__coding")]
    pub(crate) decode: bool,
    pub(crate) cookie_jar: Option<Arc<dyn HeadCookies>>,
    pub(crate) retry: Option<Arc<Retry>>,
    /// The first setting that is invalid; every send returns it.
    pub(crate) deferred_error: Option<Error>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            connect_timeout: Some(Duration::from_secs(10)),
            read_timeout: Some(Duration::from_secs(60)),
            write_timeout: Some(Duration::from_secs(60)),
            header_timeout: None,
            timeout: None,
            min_speed: None,
            head_limits: HeadLimits { bytes_max: 64 * 1024, fields_max: 256 },
            invalid_lines: InvalidLines::Reject,
            max_redirects: 10,
            proxies: Proxies::None,
            require_framing: false,
            allow_https_downgrade: false,
            own_fields: OwnFields::new(concat!("longwire/", env!("CARGO_PKG_VERSION"))),
            default_headers: Headers::new(),
            cross_origin_allowed: Vec::new(),
            on_redirect: None,
            before_send: None,
            #[cfg(feature = "__coding")]
            decode: true,
            cookie_jar: None,
            retry: None,
            deferred_error: None,
        }
    }
}

impl Settings {
    /// The client's own `User-Agent`, whatever a request sets; empty if it sends none.
    pub(crate) fn own_user_agent(&self) -> &[u8] {
        self.default_headers.get_bytes("user-agent").unwrap_or(self.own_fields.user_agent().as_bytes())
    }
}

/// The pool's settings, with their defaults.
impl Default for PoolLimits {
    fn default() -> PoolLimits {
        PoolLimits {
            idle_timeout: Some(Duration::from_secs(30)),
            idle_per_host_max: 32,
            idle_max: 128,
            per_host_max: None,
            age_max: None,
            buffer_size: 8 * 1024,
            probe_after: Duration::ZERO,
        }
    }
}
