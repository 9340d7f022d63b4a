//! A recording of what a client does, as a HAR 1.2 document and as a picture: an observer.
//!
//! This file finds the record that an event belongs to, and limits how many there are. What a record is
//! made of is `exchange`'s, how it is written `document`'s and `waterfall`'s.

mod document;
mod exchange;
mod waterfall;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::ErrorKind;
use crate::ext::har::exchange::Exchange;
use crate::observe::{Event, Observer};

/// Exchanges that are kept: with heads of half a kilobyte each they are about 15 MB.
const EXCHANGES_MAX: usize = 10_000;

/// All that is kept of heads, URLs and errors together: a server may send heads of 64 KiB each.
const TEXT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Records a client's exchanges, for tools that read HAR and for the eye.
///
/// Clones share one recording, so one is given to [`ClientBuilder::observer`] and the other kept; several
/// clients may share a recorder. The last 10,000 exchanges are kept, and at most 32 MiB of heads, URLs and
/// errors: the oldest calls make room for new ones. An exchange is one request head and its response, so each
/// redirect and each retry counts. One that is still under way is there as far as it has come.
///
/// To record is a short lock for each event, and a copy of each head. [`har`](Recorder::har) and
/// [`waterfall`](Recorder::waterfall) work on a copy of the recording, and requests wait only while that is made.
///
/// ```
/// use longwire::Client;
/// use longwire::har::Recorder;
/// # use std::io::{Read, Write};
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let url = format!("http://{}/list?page=1", listener.local_addr()?);
/// # let server = std::thread::spawn(move || {
/// #     let (mut stream, _) = listener.accept().unwrap();
/// #     let mut head = Vec::new();
/// #     while !head.ends_with(b"\r\n\r\n") {
/// #         let mut byte = [0];
/// #         stream.read_exact(&mut byte).unwrap();
/// #         head.push(byte[0]);
/// #     }
/// #     stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").unwrap();
/// # });
///
/// let recorder = Recorder::new();
/// let client = Client::builder().observer(recorder.clone()).build();
/// client.get(url).send()?.text()?;
///
/// assert!(recorder.har().contains("\"status\":200"));
/// # let folder = std::env::temp_dir().join(format!("longwire-har-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// std::fs::write(folder.join("session.har"), recorder.har())?;
/// std::fs::write(folder.join("session.svg"), recorder.waterfall())?;
/// # std::fs::remove_dir_all(&folder)?;
/// # server.join().unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`ClientBuilder::observer`]: crate::ClientBuilder::observer
#[derive(Clone)]
pub struct Recorder {
    made: Instant,
    recording: Arc<Mutex<Recording>>,
}

impl Recorder {
    /// Creates a recorder that has nothing yet.
    pub fn new() -> Recorder {
        Recorder { made: Instant::now(), recording: Arc::default() }
    }

    /// Returns the recording as a HAR 1.2 document, which browsers' developer tools and others import.
    ///
    /// The entries are in the order in which they began. What the document has and has not:
    ///
    /// * URLs with their query, as tools need it, that of a `Location` too. **A secret in a query is in the
    ///   document.** Userinfo is not.
    /// * Fields as observers see them: the values of `Authorization`, `Cookie`, `Set-Cookie` and the like
    ///   are `***` (see [`Event`]). `cookies` is empty for the same reason. `headersSize` is -1 where a head
    ///   is not shown as it was, unless it is all that was sent.
    /// * No content: neither what was sent (`postData`) nor what was received (`text`). `content.size` is what
    ///   came over the wire, before a content coding is undone; `bodySize` is -1 where it is not known, as of
    ///   a response that was passed over for a redirect or a retry.
    /// * `serverIPAddress` is a proxy's, where there is one. `connection` is the number of
    ///   [`Event::connection`].
    /// * `timings` in milliseconds, to the microsecond. `connect` has `ssl` in it. `blocked` is the rest of the
    ///   time before the request: the wait for a place in the pool, or until a retry.
    /// * The response of an exchange that failed has the error as `_error`, and the status 0 if no head came.
    ///   What was left unread, or is still under way, says so in its `comment`.
    pub fn har(&self) -> String {
        document::write(&self.snapshot())
    }

    /// Returns the recording as a picture, an SVG that stands by itself: a waterfall of all exchanges, by
    /// connection, in colours for resolving, connecting, TLS, sending, waiting and the body.
    ///
    /// Of each exchange it shows method, path and status, the words of its error, and more when it is pointed at,
    /// but no query and no field. Of a connection that was opened ahead
    /// ([`connect_ahead`](crate::Client::connect_ahead)) the opening is not there: it belongs to no exchange. Of
    /// more than 1,000 exchanges it shows the last. The time axis begins with the first of those, so
    /// [`clear`](Recorder::clear) the recording before what is to be looked at.
    pub fn waterfall(&self) -> String {
        waterfall::draw(&self.snapshot())
    }

    /// Forgets all that is recorded. What is under way is forgotten to its end.
    pub fn clear(&self) {
        *self.lock() = Recording::default();
    }

    /// All exchanges, in the order in which they began.
    fn snapshot(&self) -> Vec<Exchange> {
        let mut exchanges: Vec<Exchange> = self.lock().exchanges.values().cloned().collect();
        exchanges.sort_by_key(|exchange| exchange.started);
        exchanges
    }

    fn lock(&self) -> MutexGuard<'_, Recording> {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder::new()
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("exchanges", &self.lock().exchanges.len()).finish_non_exhaustive()
    }
}

impl Observer for Recorder {
    fn event(&self, event: &Event<'_>) {
        let at = self.made.elapsed(); // the lock may take a while
        // The words of a caller's own error may come from anywhere, from a clone of this recorder too.
        let words = match event {
            Event::Retry { error, .. } | Event::Failed { error, .. } => error.to_string(),
            _ => String::new(),
        };
        self.lock().take(event, words, at);
    }
}

#[derive(Default)]
struct Recording {
    /// By the number of the call, and that of the exchange in it, counted from 0.
    exchanges: BTreeMap<(u64, u32), Exchange>,
    text_bytes: usize,
}

impl Recording {
    /// Takes down an event; `words` are those of its error.
    fn take(&mut self, event: &Event<'_>, words: String, at: Duration) {
        let call = event.call().as_u64();
        match event {
            Event::CallStarted { method, url, .. } => {
                self.insert((call, 0), Exchange::new(method.as_str(), url, at));
            }
            Event::Redirect { to, .. } => self.go_on(call, |last| {
                last.complete(at);
                Exchange::new(&last.method, to, at)
            }),
            Event::Retry { error, wait, .. } => self.go_on(call, |last| {
                match error.kind() {
                    ErrorKind::Status => last.complete(at), // the server wants it otherwise
                    _ => last.fail(error, words, at),
                }
                let mut next = Exchange::new(&last.method, &last.url, at);
                next.wait = *wait;
                next
            }),
            Event::Failed { error, .. } => self.change(event, |exchange| exchange.fail(error, words, at)),
            _ => self.change(event, |exchange| exchange.record(event, at)),
        }
    }
}

impl Recording {
    /// Changes the exchange of an event, which is there or begins.
    fn change(&mut self, event: &Event<'_>, change: impl FnOnce(&mut Exchange)) {
        let Some(key) = self.find(event) else { return };
        self.update(key, |exchange| {
            exchange.id = exchange.id.or(event.exchange());
            change(exchange);
        });
        self.make_room();
    }

    /// Changes an exchange, and with it what is counted.
    fn update<T>(&mut self, key: (u64, u32), change: impl FnOnce(&mut Exchange) -> T) -> Option<T> {
        let exchange = self.exchanges.get_mut(&key)?;
        let before = exchange.text_bytes();
        let made = change(exchange);
        self.text_bytes = self.text_bytes - before + exchange.text_bytes();
        Some(made)
    }

    /// The key of the exchange that the event belongs to. It may be the first event of one.
    fn find(&self, event: &Event<'_>) -> Option<(u64, u32)> {
        let call = event.call().as_u64();
        let mut of_call = self.exchanges.range((call, 0)..=(call, u32::MAX)).rev();
        let last = of_call.clone().next();
        let is_first_event = matches!(
            event,
            Event::Resolved { .. }
                | Event::Connected { .. }
                | Event::Secured { .. }
                | Event::Reused { .. }
                | Event::RequestHead { .. }
        );
        let found = match (event.exchange(), last) {
            // Not looked for among those before: a call may have thousands.
            (Some(_), Some((_, exchange))) if is_first_event && exchange.id.is_none() => last,
            (Some(id), _) => of_call.find(|(_, exchange)| exchange.id == Some(id)),
            // It is the call that failed, and its last exchange that this was in.
            (None, _) => last.filter(|_| matches!(event, Event::Failed { .. })),
        };
        found.map(|(key, _)| *key)
    }

    /// Begins the next exchange of a call, where `next` has taken leave of the last one.
    fn go_on(&mut self, call: u64, next: impl FnOnce(&mut Exchange) -> Exchange) {
        let last = self.exchanges.range((call, 0)..=(call, u32::MAX)).next_back();
        let Some((&(_, number), _)) = last else { return };
        let Some(next) = self.update((call, number), next) else { return };
        self.insert((call, number.saturating_add(1)), next);
    }

    fn insert(&mut self, key: (u64, u32), exchange: Exchange) {
        self.text_bytes += exchange.text_bytes();
        self.exchanges.insert(key, exchange);
        self.make_room();
    }

    fn make_room(&mut self) {
        while self.exchanges.len() > EXCHANGES_MAX || self.text_bytes > TEXT_BYTES_MAX {
            let Some((_, oldest)) = self.exchanges.pop_first() else { return };
            self.text_bytes -= oldest.text_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::error::Error;
    use crate::ext::har::exchange::Outcome;
    use crate::method::Method;
    use crate::observe::EventIds;

    fn start(recorder: &Recorder, call: u64) {
        let url = Url::parse(&format!("http://a.test/{call}")).unwrap();
        let ids = EventIds { call, ..EventIds::default() };
        recorder.event(&Event::CallStarted { method: &Method::GET, url: &url, ids });
    }

    fn request(recorder: &Recorder, call: u64, text: &str) {
        let ids = EventIds { call, exchange: 1_000_000 + call, connection: 1 };
        recorder.event(&Event::RequestHead { text, ids });
    }

    fn paths(recorder: &Recorder) -> Vec<String> {
        recorder.snapshot().iter().map(|exchange| exchange.url.path().to_owned()).collect()
    }

    #[test]
    fn ten_thousand_exchanges_are_kept_and_the_oldest_go() {
        let recorder = Recorder::new();
        (1..=EXCHANGES_MAX as u64).for_each(|call| start(&recorder, call));
        assert_eq!(paths(&recorder).len(), EXCHANGES_MAX);
        assert_eq!(paths(&recorder)[0], "/1");
        start(&recorder, EXCHANGES_MAX as u64 + 1);
        let kept = paths(&recorder);
        assert_eq!((kept.len(), &*kept[0], &*kept[EXCHANGES_MAX - 1]), (EXCHANGES_MAX, "/2", "/10001"));
        request(&recorder, 1, "GET / HTTP/1.1\r\n\r\n"); // of one that has gone
        assert_eq!(paths(&recorder), kept);
    }

    #[test]
    fn heads_are_kept_up_to_a_number_of_bytes() {
        const HEAD_BYTES: usize = 1 << 20;
        const FIT: u64 = (TEXT_BYTES_MAX / HEAD_BYTES) as u64 - 1; // the URLs need room, too
        let (recorder, head) = (Recorder::new(), "x".repeat(HEAD_BYTES));
        for call in 1..=FIT {
            start(&recorder, call);
            request(&recorder, call, &head);
        }
        assert_eq!(paths(&recorder).len(), FIT as usize);
        start(&recorder, FIT + 1);
        request(&recorder, FIT + 1, &head);
        assert_eq!(paths(&recorder)[0], "/2");
        let recording = recorder.lock();
        let counted: usize = recording.exchanges.values().map(Exchange::text_bytes).sum();
        assert_eq!(recording.text_bytes, counted);
        assert!(counted <= TEXT_BYTES_MAX && counted > TEXT_BYTES_MAX - 2 * HEAD_BYTES, "{counted}");
    }

    #[test]
    fn the_words_of_errors_count_as_heads_do() {
        const WORDS_BYTES: usize = 1 << 20;
        let recorder = Recorder::new();
        let error = Error::new(ErrorKind::Io, "x".repeat(WORDS_BYTES));
        start(&recorder, 1);
        for exchange in 1..=2 * (TEXT_BYTES_MAX / WORDS_BYTES) as u64 {
            let ids = EventIds { call: 1, exchange, connection: exchange };
            recorder.event(&Event::RequestHead { text: "GET / HTTP/1.1\r\n\r\n", ids });
            let ids = EventIds { call: 1, ..EventIds::default() };
            recorder.event(&Event::Retry { error: &error, wait: Duration::ZERO, ids });
        }
        recorder.event(&Event::Failed { error: &error, ids: EventIds { call: 1, ..EventIds::default() } });
        let recording = recorder.lock();
        let failed = |exchange: &&Exchange| matches!(&exchange.outcome, Outcome::Failed { .. });
        assert_eq!(recording.exchanges.values().filter(failed).count(), TEXT_BYTES_MAX / WORDS_BYTES - 1);
        let counted: usize = recording.exchanges.values().map(Exchange::text_bytes).sum();
        assert_eq!(recording.text_bytes, counted);
    }

    #[test]
    fn one_head_that_is_more_than_all_is_not_kept() {
        let recorder = Recorder::new();
        start(&recorder, 1);
        request(&recorder, 1, &"x".repeat(TEXT_BYTES_MAX));
        assert_eq!((paths(&recorder).len(), recorder.lock().text_bytes), (0, 0));
    }
}
