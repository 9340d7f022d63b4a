//! The script: rules and lists of replies, and the connector that serves them.
//!
//! What is sent on a connection, and when, is not known here.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::client::Client;
use crate::client::builder::ClientBuilder;
use crate::error::{Error, ErrorKind, Result};
use crate::ext::script::plan::{Answer, List, Plan};
use crate::ext::script::reply::Reply;
use crate::ext::script::seen::{Entry, Seen};
use crate::ext::script::stream::{self, ScriptedStream};
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
use crate::net::transport::{Connect, Stream, Target};

/// What a server in memory does: see the [module](crate::script).
///
/// It is cheap to clone, and all clones are the same server: keep one to ask what it has
/// [seen](Script::seen), and give the other to [`ClientBuilder::connector`]. It may be shared by threads.
///
/// ```
/// use longwire::script::{Script, reply};
///
/// let script = Script::new().on("*", reply(204));
/// let client = script.builder().max_idle_per_host(1).build();
/// assert_eq!(client.delete("http://host/file").send()?.status(), 204);
/// assert_eq!(script.seen()[0].line(), "DELETE /file");
/// # Ok::<(), longwire::Error>(())
/// ```
#[doc(alias("httptest", "responses", "requests_mock", "mock", "mockito", "wiremock", "httpmock"))]
#[derive(Clone)]
#[must_use]
pub struct Script(Arc<Plan>);

/// A closure that answers requests.
struct With<F>(F);

impl<F: Fn(&Seen) -> Reply + Send + Sync> Answer for With<F> {
    fn at_head(&self, request: &Seen) -> Option<Reply> {
        request.header("expect").map(|_| (self.0)(request))
    }

    fn at_end(&self, request: &Seen) -> std::result::Result<Reply, String> {
        Ok((self.0)(request))
    }
}

impl Default for Script {
    fn default() -> Script {
        Script::new()
    }
}

impl Script {
    /// Creates a server that has no reply for anything yet: until it has a rule, it refuses every
    /// connection.
    pub fn new() -> Script {
        Script(Arc::new(Plan::new()))
    }

    /// Creates a server that answers every request with the same reply.
    ///
    /// ```
    /// use longwire::script::{Script, reply};
    ///
    /// let client = Script::answering(reply(200).body("always")).client();
    /// assert_eq!(client.get("http://host/").send()?.text()?, "always");
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn answering(reply: Reply) -> Script {
        Script::new().on("*", reply)
    }

    /// Adds a rule: requests that match `pattern` are answered with `reply`.
    ///
    /// A pattern is `METHOD TARGET`, or the target alone for any method, which is also `*`. The target is what
    /// stands in the request's first line, `/path?query`; or with the scheme and the host before it, as
    /// `https://host/path`, for one server among several. A `*` at its end stands for any rest: `GET /files/*`,
    /// `POST *`, and `*` for everything.
    ///
    /// The first rule that matches is used. A pattern that was added before gets one more reply, as with
    /// [`then`](Script::then).
    ///
    /// ```
    /// use longwire::script::{Script, reply};
    ///
    /// let script = Script::new()
    ///     .on("GET https://login.example/*", reply(200).body("a token"))
    ///     .on("POST /files/*", reply(201));
    /// let client = script.client();
    /// assert_eq!(client.get("https://login.example/?user=7").send()?.text()?, "a token");
    /// assert_eq!(client.post("https://files.example/files/7").body("text").send()?.status(), 201);
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn on(self, pattern: &str, reply: Reply) -> Script {
        self.0.lock().add_answer(pattern, Arc::new(reply));
        self
    }

    /// Adds a reply to the rule that was added last, or added to. Replies are given one after the other, and the
    /// last again and again.
    ///
    /// # Panics
    /// If there is no rule.
    ///
    /// ```
    /// use longwire::script::{Script, reply};
    ///
    /// let script = Script::new()
    ///     .on("GET /job", reply(503).header("Retry-After", "1"))
    ///     .then(reply(200).body("done"));
    /// let client = script.client();
    /// let status = || client.get("http://host/job").send().map(|response| response.status().as_u16());
    /// assert_eq!([status()?, status()?, status()?], [503, 200, 200]);
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn then(self, reply: Reply) -> Script {
        self.0.lock().add_reply(reply);
        self
    }

    /// Adds a rule as [`on`](Script::on) does, whose reply is computed from the request, on the thread that
    /// sends it.
    ///
    /// That is done once the request has come whole; [`early`](Reply::early), [`continues`](Reply::continues) and
    /// [`receives`](Reply::receives) of the reply come too late then. A request that expects 100 (Continue) is
    /// answered as soon as its head is there: its body is not to be seen, and all of the reply counts.
    ///
    /// ```
    /// use longwire::script::{Script, reply};
    ///
    /// let script = Script::new().on_with("*", |request| reply(200).body(request.body()));
    /// assert_eq!(script.client().post("http://host/").body("echo").send()?.text()?, "echo");
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn on_with(self, pattern: &str, answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Script {
        self.0.lock().add_answer(pattern, Arc::new(With(answer)));
        self
    }

    /// A script with one rule for every request.
    pub(super) fn with_answer(answer: Arc<dyn Answer>) -> Script {
        let script = Script::new();
        script.0.lock().add_answer("*", answer);
        script
    }

    /// Gives a list of replies to the next connection that is opened and has none yet.
    ///
    /// ```
    /// use longwire::script::{Script, connection, raw, reply};
    ///
    /// // The first connection dies under the second request; the retry gets its reply on another.
    /// let script = Script::new()
    ///     .connection(connection().exchange(reply(200).body("one")).exchange(raw("").reset()))
    ///     .on("*", reply(200).body("two"));
    /// let client = script.client();
    /// assert_eq!(client.get("http://host/").send()?.text()?, "one");
    /// assert_eq!(client.get("http://host/").send()?.text()?, "two");
    /// assert_eq!(script.connections(), 2);
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn connection(self, connection: Connection) -> Script {
        let Connection { greeting, exchanges } = connection;
        self.0.lock().lists.push_back(List::Accept { greeting, exchanges });
        self
    }

    /// Refuses the next connection that is opened and has no list yet.
    ///
    /// ```
    /// use longwire::ErrorKind;
    /// use longwire::script::{Script, reply};
    ///
    /// let client = Script::answering(reply(200)).refuse().client();
    /// assert_eq!(client.get("http://host/").send().unwrap_err().kind(), ErrorKind::Connect);
    /// assert_eq!(client.get("http://host/").send()?.status(), 200);
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn refuse(self) -> Script {
        self.0.lock().lists.push_back(List::Refuse);
        self
    }

    /// Sets how many bytes one read gives at most. There is no limit by default.
    ///
    /// # Panics
    /// If it is zero: that would be the end of the connection.
    pub fn read_max(self, bytes: usize) -> Script {
        assert!(bytes > 0, "a read that gives nothing is the end");
        self.0.lock().transport.read_bytes_max = bytes;
        self
    }

    /// Sets how many bytes one write takes at most. There is no limit by default.
    ///
    /// # Panics
    /// If it is zero: such a write is an error.
    pub fn write_max(self, bytes: usize) -> Script {
        assert!(bytes > 0, "a write that takes nothing is an error");
        self.0.lock().transport.write_bytes_max = bytes;
        self
    }

    /// Keeps no record of requests, for runs so long that it would fill the memory: [`seen`](Script::seen) is
    /// empty then.
    pub fn without_record(self) -> Script {
        self.0.lock().keeps_record = false;
        self
    }

    /// Returns a client that talks to this server, whatever host its URLs name. All else is as in
    /// [`Client::new`].
    #[must_use]
    pub fn client(&self) -> Client {
        self.builder().build()
    }

    /// Returns a builder of such clients, for other settings.
    ///
    /// ```
    /// use longwire::ErrorKind;
    /// use longwire::script::{Script, raw};
    /// use std::time::Duration;
    ///
    /// let script = Script::answering(raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe").silence());
    /// let client = script.builder().read_timeout(Duration::from_millis(10)).build();
    /// let error = client.get("http://host/").send()?.text().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Timeout);
    /// # Ok::<(), longwire::Error>(())
    /// ```
    pub fn builder(&self) -> ClientBuilder {
        Client::builder().connector(self.clone())
    }

    /// Returns the requests so far, in the order in which their heads were complete.
    #[doc(alias = "received_requests")]
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        let entries = self.0.lock().history.requests.clone();
        entries.iter().map(Entry::to_seen).collect()
    }

    /// Returns how many connections were opened; refused ones do not count.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.lock().history.opened
    }

    /// Returns how many of the connections the client has closed.
    #[must_use]
    pub fn closed(&self) -> usize {
        self.0.lock().history.closed
    }

    /// Returns how many bytes the client has sent on all connections.
    #[must_use]
    pub fn bytes_received(&self) -> u64 {
        self.0.lock().history.bytes_received
    }

    /// Returns how many bytes the client has read on all connections.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.0.lock().history.bytes_sent
    }

    /// Asserts that each reply was asked for, by a rule or a list, each list used, and each request answered.
    ///
    /// # Panics
    /// If not, with a line for each.
    ///
    /// ```should_panic
    /// use longwire::script::{Script, reply};
    ///
    /// let script = Script::new().on("GET /", reply(200)).on("POST /", reply(201)).then(reply(409));
    /// script.client().post("http://host/").send()?;
    /// script.assert_done(); // "not asked for: GET /", "1 of 2 replies given: POST /"
    /// # Ok::<(), longwire::Error>(())
    /// ```
    #[doc(alias = "assert_all_requests_are_fired")]
    #[track_caller]
    pub fn assert_done(&self) {
        let unfinished = self.0.lock().unfinished();
        assert!(unfinished.is_empty(), "the script is not done:\n  {}", unfinished.join("\n  "));
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.seen();
        f.debug_struct("Script").field("rules", &self.0.lock().patterns()).field("seen", &seen).finish_non_exhaustive()
    }
}

impl Connect for Script {
    fn connect(&self, target: &Target<'_>, _: Deadline, _: &CancelToken) -> Result<Box<dyn Stream>> {
        let mut state = self.0.lock();
        let (list, greeting) = match state.lists.pop_front() {
            None if state.patterns().is_empty() => {
                return Err(refused("the script refuses the connection: it has no rules"));
            }
            None => (None, None),
            Some(List::Refuse) => return Err(refused("the script refuses the connection")),
            Some(List::Accept { greeting, exchanges }) => {
                state.opened_lists.push(List::Accept { greeting: None, exchanges });
                (Some(state.opened_lists.len() - 1), greeting)
            }
        };
        let (number, transport) = (state.history.opened, state.transport);
        state.history.opened += 1;
        drop(state);
        let connection = stream::Connection { number, origin: origin(target).into(), list, greeting, transport };
        Ok(Box::new(ScriptedStream::new(self.0.clone(), connection)))
    }
}

fn refused(what: &'static str) -> Error {
    Error::from_io(ErrorKind::Connect, what, io::ErrorKind::ConnectionRefused.into())
}

/// The scheme and the authority of a URL, without the scheme's default port.
fn origin(target: &Target<'_>) -> String {
    let (scheme, default_port) = if target.is_https() { ("https", 443) } else { ("http", 80) };
    let host = target.host();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let port = if target.port() == default_port { String::new() } else { format!(":{}", target.port()) };
    format!("{scheme}://{host}{port}")
}

/// What is answered on one connection, one reply a request: for [`Script::connection`].
///
/// ```
/// use longwire::script::{Script, connection, raw, reply};
///
/// // A server that gives up on a new connection before it is asked.
/// let busy = connection().greeting(raw("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n").close());
/// let script = Script::answering(reply(200)).connection(busy);
/// # drop(script);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Connection {
    greeting: Option<Reply>,
    exchanges: VecDeque<Reply>,
}

/// Returns a connection whose list of replies is empty: then the rules answer.
pub fn connection() -> Connection {
    Connection::default()
}

impl Connection {
    /// Sets what the server sends unasked, as soon as the connection is open.
    pub fn greeting(mut self, reply: Reply) -> Connection {
        self.greeting = Some(reply);
        self
    }

    /// Adds the reply to the next request on this connection. The rules answer those after the last.
    pub fn exchange(mut self, reply: Reply) -> Connection {
        self.exchanges.push_back(reply);
        self
    }
}
