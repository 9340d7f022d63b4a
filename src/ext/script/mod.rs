//! A server in memory: tests of a program that uses HTTP, without a socket, a port or a thread.
//!
//! A [`Script`] says what the server does. It is a connector, so the whole client runs above it: its pool,
//! retries, redirects, limits and cancels. The server can also do what real servers do on a bad day, at an
//! exact byte: cut a reply, reset the connection, send a few bytes now and then or nothing at all, stop
//! reading, refuse connections, drop those that are idle.
//!
//! A [`Record`] writes the exchanges with a real server to files, without secrets, and a [`Replay`] plays them
//! again.
//!
//! # Test your program without a server
//!
//! Let the program be given its [`Client`](crate::Client), and give it the script's in a test:
//!
//! ```
//! use longwire::script::{Script, raw, reply};
//! use longwire::{Client, ErrorKind};
//!
//! // The program.
//! fn temperature(client: &Client, city: &str) -> longwire::Result<String> {
//!     let response = client.get("https://weather.example/now").query("city", city).send()?;
//!     response.error_for_status()?.text()
//! }
//!
//! // Its test.
//! let script = Script::new()
//!     .on("GET /now?city=Oslo", reply(200).header("Content-Type", "text/plain").body("-3"))
//!     .on("GET /now?city=Atlantis", reply(404))
//!     .on("GET /now?city=Rome", raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut").close());
//! let client = script.client();
//! assert_eq!(temperature(&client, "Oslo")?, "-3");
//! assert_eq!(temperature(&client, "Atlantis").unwrap_err().kind(), ErrorKind::Status);
//! assert_eq!(temperature(&client, "Rome").unwrap_err().kind(), ErrorKind::Truncated);
//! assert_eq!(script.seen()[0].header("host"), Some("weather.example"));
//! script.assert_done();
//! # Ok::<(), longwire::Error>(())
//! ```
//!
//! `https` needs no TLS here, and no feature: the connections are [secure](crate::transport::Stream::is_secure)
//! as they are. Nothing is looked up, and no proxy is asked. A setting about that, as a resolver or a proxy, is
//! an error of each request, as with every connector.
//!
//! # How replies are chosen
//!
//! 1. By connection: a [`Connection`] lists what is answered on it, one reply a request, whatever is asked for.
//!    [`Script::connection`] gives such a list to the next connection that is opened.
//! 2. By request: where there is no such list, or it is used up, the rules of [`Script::on`] and
//!    [`Script::on_with`] are tried in the order in which they were added. A rule with several replies
//!    ([`Script::then`]) gives one after the other, and the last of them again and again.
//! 3. A request without a rule fails with [`ErrorKind::Connect`](crate::ErrorKind::Connect), and a text that
//!    names it and the nearest rule. It is in the record of requests all the same.
//!
//! A script without any rule refuses the connections for which it has no list.
//!
//! # Time
//!
//! The clock is the real one, and nothing here has a thread of its own. What comes next on a connection comes
//! when the client reads, and each piece of a reply is given by a read of its own. A read that has nothing to
//! give waits on a condition variable, for as long as the client's timeouts allow, and so does a write that
//! the server does not take; a cancel wakes both. A read that waits for a [pause](Reply::pause) ends with it.
//!
//! # Limits
//!
//! A request's head, and a line of its chunked coding, may have 1 MiB; of its body 64 MiB are kept. The record
//! of requests grows with each ([`Script::without_record`]).

mod message;
mod plan;
mod record;
mod replay;
mod reply;
mod secrets;
mod seen;
mod server;
mod stream;

pub use record::Record;
pub use replay::Replay;
pub use reply::{Reply, Then, raw, reply};
pub use seen::Seen;
pub use server::{Connection, Script, connection};
