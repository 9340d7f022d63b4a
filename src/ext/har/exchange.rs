//! One exchange as it is recorded: what the events of a client say about it, and when.
//!
//! A record begins before its exchange has an id, with the call or with what repeats it (a redirect, a
//! retry), so that one which fails before it has a connection is a record, too. What is made of records is
//! not known here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use url::Url;

use crate::error::{Error, Stage};
use crate::observe::{ConnectionId, Event, ExchangeId};
use crate::reuse::CloseReason;

/// All times are counted from when the recorder was made.
#[derive(Clone)]
pub(super) struct Exchange {
    /// `None` until its first event.
    pub(super) id: Option<ExchangeId>,
    pub(super) method: String,
    /// Without fragment.
    pub(super) url: Url,
    pub(super) began: SystemTime,
    pub(super) started: Duration,
    /// What a retry waits first, which no failure has to do with.
    pub(super) wait: Duration,
    pub(super) link: Link,
    /// The server, or the proxy.
    pub(super) peer: Option<SocketAddr>,
    resolve: Option<Duration>,
    connect: Option<Duration>,
    tls: Option<Duration>,
    pub(super) request: Option<Head>,
    sent_at: Option<Duration>,
    /// Head and body, as they went over the connection.
    pub(super) sent_bytes: Option<u64>,
    pub(super) response: Option<Head>,
    /// How long the body was, without its framing. Not known of one that was thrown away.
    pub(super) body_bytes: Option<u64>,
    pub(super) outcome: Outcome,
    ended: Duration,
}

/// The connection of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    None,
    Opened(ConnectionId),
    /// Its exchange of that number; the first one is on a connection that was opened ahead.
    Reused(ConnectionId, u32),
}

impl Link {
    pub(super) fn connection(self) -> Option<ConnectionId> {
        match self {
            Link::None => None,
            Link::Opened(connection) | Link::Reused(connection, _) => Some(connection),
        }
    }

    /// Which of its connection's exchanges this is, counted from 1; 0 without a connection.
    pub(super) fn nth(self) -> u32 {
        match self {
            Link::None => 0,
            Link::Opened(_) => 1,
            Link::Reused(_, nth) => nth,
        }
    }
}

/// A head as observers are shown it.
#[derive(Clone)]
pub(super) struct Head {
    at: Duration,
    /// Shared, so that a recording is copied without it.
    pub(super) text: Arc<str>,
}

impl Head {
    /// The request line or status line. Empty lines may stand before it (RFC 9112 §2.2).
    pub(super) fn start_line(&self) -> &str {
        self.text.lines().find(|line| !line.is_empty()).unwrap_or_default()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    UnderWay,
    Complete,
    /// The rest of the response was left unread, and the connection closed.
    LeftUnread,
    Failed {
        stage: Stage,
        what: String,
    },
}

/// The parts of an exchange's time, in their order. Those of a proxy count with the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waiting for a place in the pool, for a retry, or in the client itself.
    Blocked,
    Resolve,
    Connect,
    Tls,
    Send,
    Wait,
    Body,
}

/// How long each phase took, in microseconds; `None` where it did not happen. They add up to the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phases(pub(super) [(Phase, Option<u64>); 7]);

impl Phases {
    pub(super) fn of(&self, phase: Phase) -> Option<u64> {
        self.0[phase as usize].1
    }

    pub(super) fn total(&self) -> u64 {
        self.0.iter().filter_map(|(_, took)| *took).sum()
    }
}

impl Exchange {
    pub(super) fn new(method: &str, url: &Url, at: Duration) -> Exchange {
        let mut url = url.clone();
        url.set_fragment(None);
        Exchange {
            id: None,
            method: method.to_owned(),
            url,
            began: SystemTime::now(),
            started: at,
            wait: Duration::ZERO,
            link: Link::None,
            peer: None,
            resolve: None,
            connect: None,
            tls: None,
            request: None,
            sent_at: None,
            sent_bytes: None,
            response: None,
            body_bytes: None,
            outcome: Outcome::UnderWay,
            ended: at,
        }
    }

    /// Takes down an event of this exchange.
    pub(super) fn record(&mut self, event: &Event<'_>, at: Duration) {
        let connection = event.connection();
        match event {
            Event::Resolved { took, .. } => *self.resolve.get_or_insert_default() += *took,
            Event::Connected { peer, took, .. } => {
                (self.peer, self.connect) = (*peer, Some(*took));
                self.link = connection.map_or(Link::None, Link::Opened);
            }
            Event::Secured { peer, took, .. } => {
                self.peer = *peer;
                *self.tls.get_or_insert_default() += *took;
            }
            Event::Reused { peer, nth, .. } => {
                self.peer = *peer;
                self.link = connection.map_or(Link::None, |id| Link::Reused(id, *nth));
            }
            Event::RequestHead { text, .. } => {
                self.method = text.split(' ').next().unwrap_or_default().to_owned();
                self.request = Some(Head { at, text: Arc::from(*text) });
            }
            Event::RequestSent { bytes, .. } => (self.sent_at, self.sent_bytes) = (Some(at), Some(*bytes)),
            Event::ResponseHead { text, .. } => self.response = Some(Head { at, text: Arc::from(*text) }),
            Event::BodyEnded { bytes, .. } => {
                self.body_bytes = Some(*bytes);
                self.end(Outcome::Complete, at);
            }
            Event::Kept { .. } if connection == self.link.connection() => self.end(Outcome::Complete, at),
            Event::Closed { reason, .. } if connection == self.link.connection() => {
                let is_upgraded = *reason == CloseReason::Upgraded;
                self.end(if is_upgraded { Outcome::Complete } else { Outcome::LeftUnread }, at);
            }
            _ => {}
        }
        if self.outcome == Outcome::UnderWay {
            self.ended = at;
        }
    }

    /// The response is not read: what it asks for is done.
    pub(super) fn complete(&mut self, at: Duration) {
        self.end(Outcome::Complete, at);
        // The connection may have been closed before that was reported.
        self.outcome = Outcome::Complete;
    }

    /// It has failed with that error, whose words are `what`.
    pub(super) fn fail(&mut self, error: &Error, what: String, at: Duration) {
        self.end(Outcome::Complete, at);
        self.outcome = Outcome::Failed { stage: error.stage(), what };
        self.peer = self.peer.or(error.peer_addr());
        if let (None, Some(method)) = (&self.request, error.method()) {
            self.method = method.to_string(); // a redirect may have changed it
        }
    }

    /// The first end counts.
    fn end(&mut self, outcome: Outcome, at: Duration) {
        if self.outcome == Outcome::UnderWay {
            (self.outcome, self.ended) = (outcome, at);
        }
    }

    /// The status and its reason phrase; 0 if no head came.
    pub(super) fn status(&self) -> (u16, &str) {
        let line = self.response.as_ref().map_or("", Head::start_line);
        let mut words = line.splitn(3, ' ').skip(1);
        let status = words.next().and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, words.next().unwrap_or_default())
    }

    /// The size of what a peer or the caller decides on: for the limit on it.
    pub(super) fn text_bytes(&self) -> usize {
        let of_head = |head: &Option<Head>| head.as_ref().map_or(0, |head| head.text.len());
        let of_outcome = match &self.outcome {
            Outcome::Failed { what, .. } => what.len(),
            Outcome::UnderWay | Outcome::Complete | Outcome::LeftUnread => 0,
        };
        self.url.as_str().len() + of_head(&self.request) + of_head(&self.response) + of_outcome
    }

    /// What its time was spent on, up to its last event.
    pub(super) fn phases(&self) -> Phases {
        let ended = micros(self.ended).max(micros(self.started));
        let or_end = |at: Option<Duration>, after: u64| at.map_or(ended, micros).clamp(after, ended);
        let head_at = or_end(self.request.as_ref().map(|head| head.at), micros(self.started));
        let sent_at = or_end(self.sent_at, head_at);
        // A server may answer before it has all of the request.
        let response_at = or_end(self.response.as_ref().map(|head| head.at), sent_at);

        let mut blocked = head_at - micros(self.started);
        let mut part = |took: Option<Duration>| {
            let took = micros(took?).min(blocked);
            blocked -= took;
            Some(took)
        };
        let [mut resolve, mut connect, mut tls] = [self.resolve, self.connect, self.tls].map(&mut part);
        if let (Outcome::Failed { stage, .. }, None) = (&self.outcome, &self.request) {
            let failed = match stage {
                Stage::Resolve => Some(&mut resolve),
                Stage::Connect => Some(&mut connect),
                Stage::Tls => Some(&mut tls),
                _ => None,
            };
            if let Some(took) = failed {
                let waited = micros(self.wait).min(blocked);
                *took.get_or_insert_default() += blocked - waited;
                blocked = waited;
            }
        }
        let since_request = |took: u64| self.request.as_ref().map(|_| took);
        Phases([
            (Phase::Blocked, Some(blocked)),
            (Phase::Resolve, resolve),
            (Phase::Connect, connect),
            (Phase::Tls, tls),
            (Phase::Send, since_request(sent_at - head_at)),
            (Phase::Wait, self.sent_at.map(|_| response_at - sent_at)),
            (Phase::Body, self.response.as_ref().map(|_| ended - response_at)),
        ])
    }
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    const NONE: Option<u64> = None;

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn head(at: u64) -> Option<Head> {
        Some(Head { at: millis(at), text: Arc::from("") })
    }

    /// One that begins after 100 ms, and whose last event is at `ended`.
    fn exchange(ended: u64) -> Exchange {
        let url = Url::parse("http://a.test/#fragment").unwrap();
        let exchange = Exchange::new("GET", &url, millis(100));
        assert_eq!(exchange.url.as_str(), "http://a.test/");
        Exchange { ended: millis(ended), ..exchange }
    }

    /// In milliseconds: blocked, resolve, connect, TLS, send, wait, body.
    fn phases(exchange: &Exchange) -> [Option<u64>; 7] {
        let phases = exchange.phases();
        assert_eq!(phases.total(), micros(exchange.ended) - micros(exchange.started), "they add up");
        phases.0.map(|(phase, took)| {
            assert_eq!(phases.of(phase), took);
            took.map(|micros| micros / 1000)
        })
    }

    #[test]
    fn the_phases_of_an_exchange_follow_each_other() {
        let whole = Exchange {
            resolve: Some(millis(1)),
            connect: Some(millis(2)),
            tls: Some(millis(4)),
            request: head(110),
            sent_at: Some(millis(120)),
            response: head(140),
            ..exchange(170)
        };
        assert_eq!(phases(&whole), [Some(3), Some(1), Some(2), Some(4), Some(10), Some(20), Some(30)]);
        let reused = Exchange { resolve: None, connect: None, tls: None, ..whole.clone() };
        assert_eq!(phases(&reused), [Some(10), NONE, NONE, NONE, Some(10), Some(20), Some(30)]);
        let early = Exchange { response: head(115), ..whole };
        assert_eq!(phases(&early)[4..], [Some(10), Some(0), Some(50)]);
    }

    #[test]
    fn what_was_not_reached_did_not_happen() {
        assert_eq!(phases(&exchange(107)), [Some(7), NONE, NONE, NONE, NONE, NONE, NONE]);
        let sending = Exchange { request: head(101), ..exchange(103) };
        assert_eq!(phases(&sending), [Some(1), NONE, NONE, NONE, Some(2), NONE, NONE]);
        let waiting = Exchange { request: head(101), sent_at: Some(millis(102)), ..exchange(105) };
        assert_eq!(phases(&waiting)[4..], [Some(1), Some(3), NONE]);
    }

    #[test]
    fn the_time_of_a_failure_belongs_to_its_stage() {
        let resolved = Exchange { resolve: Some(millis(5)), ..exchange(130) };
        let stages = [
            (Stage::Pool, [Some(25), Some(5), NONE, NONE]),
            (Stage::Resolve, [Some(0), Some(30), NONE, NONE]),
            (Stage::Connect, [Some(0), Some(5), Some(25), NONE]),
            (Stage::Tls, [Some(0), Some(5), NONE, Some(25)]),
        ];
        for (stage, want) in stages {
            let outcome = Outcome::Failed { stage, what: String::new() };
            assert_eq!(phases(&Exchange { outcome, ..resolved.clone() })[..4], want, "{stage:?}");
        }
        let outcome = Outcome::Failed { stage: Stage::Connect, what: String::new() };
        let retry = Exchange { outcome, wait: millis(20), ..resolved };
        assert_eq!(phases(&retry)[..4], [Some(20), Some(5), Some(5), NONE]);
        let too_long = Exchange { wait: millis(200), ..retry };
        assert_eq!(phases(&too_long)[..4], [Some(25), Some(5), Some(0), NONE]);
    }

    #[test]
    fn the_status_is_read_off_the_head() {
        let status = |text: &str| {
            let response = Some(Head { at: millis(110), text: Arc::from(text) });
            let answered = Exchange { response, ..exchange(120) };
            let (status, reason) = answered.status();
            (status, reason.to_owned())
        };
        assert_eq!(status("\r\nHTTP/1.1 404 Not  Found\r\n\r\n"), (404, "Not  Found".to_owned()));
        assert_eq!(status("HTTP/1.0 200\r\n\r\n"), (200, String::new()));
        assert_eq!(exchange(120).status(), (0, ""));
    }

    /// Events that come out of order, or durations that a clock made too long.
    #[test]
    fn phases_add_up_whatever_the_times_are() {
        for (head_at, sent_at, response_at, took) in
            [(90, 80, 70, 1_000), (500, 400, 300, 50), (110, 105, 102, 7), (100, 500, 120, 0), (130, 100, 500, 90)]
        {
            let odd = Exchange {
                resolve: Some(millis(took)),
                connect: Some(millis(took)),
                tls: Some(millis(took)),
                request: head(head_at),
                sent_at: Some(millis(sent_at)),
                response: head(response_at),
                ..exchange(200)
            };
            phases(&odd);
        }
    }

    #[test]
    fn the_first_end_counts_but_a_failure_is_told() {
        let mut ended = exchange(100);
        ended.end(Outcome::LeftUnread, millis(110));
        ended.end(Outcome::Complete, millis(120));
        assert_eq!((&ended.outcome, ended.ended), (&Outcome::LeftUnread, millis(110)));
        ended.complete(millis(130));
        assert_eq!((&ended.outcome, ended.ended), (&Outcome::Complete, millis(110)));
        ended.fail(&Error::new(ErrorKind::Io, "broken"), "broken".to_owned(), millis(140));
        let failed = Outcome::Failed { stage: Stage::Request, what: "broken".to_owned() };
        assert_eq!((ended.outcome, ended.ended), (failed, millis(110)));
    }
}
