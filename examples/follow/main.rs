//! One request told live, step by step: what was decided, by which rule and which function, and the bytes as they go
//! and come. Then a second request on the kept connection, connections that turn out stale, and a body that is cut.
//!
//! ```text
//! cargo run --example follow                 # against a small server of its own
//! cargo run --example follow -- http://host  # two GETs to a URL of yours
//! ```
//!
//! The output begins with how to read it. The steps themselves are the table in `steps.rs`; `teller.rs` makes them of
//! the client's events, `stream.rs` shows the bytes, and `server.rs` is the other side. What a program does to send a
//! request is [`exchange`], and no more.

mod server;
pub(crate) mod steps;
mod stream;
mod teller;

use std::error::Error;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use longwire::transport::{Connect, Deadline, Direct, Stream, Target};
use longwire::{CancelToken, Client, ClientBuilder, ErrorKind, Event, Fate, Observer, RequestBuilder};

use server::Server;
use steps::Key;
use stream::Shown;
use teller::Teller;

/// How much of a body is read at a time. Any size will do.
const BUFFER_BYTES: usize = 4096;

/// For each request and all that belongs to it.
const TIMEOUT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    execute(std::env::args().nth(1).as_deref(), TIMEOUT, Box::new(io::stdout())).into()
}

/// Returns the exit status. `timeout` is for each request.
pub(crate) fn execute(url: Option<&str>, timeout: Duration, out: Box<dyn Write + Send>) -> u8 {
    let teller = Arc::new(Teller::new(timeout, out));
    teller.lock().legend();
    let outcome = match url {
        Some(url) => visit(&teller, url),
        None => story(&teller),
    };
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("follow: {error}");
            1
        }
    }
}

/// Two GETs to a URL of yours.
fn visit(teller: &Arc<Teller>, url: &str) -> Result<(), Box<dyn Error>> {
    let client = client(teller, Client::builder())?;
    for title in ["A GET", "The same GET again"] {
        teller.lock().act(title);
        exchange(teller, client.get(url))?;
    }
    tell_pool(teller, &client);
    Ok(())
}

/// All of it, with a server of our own. What that does with a connection after an answer is the next one's story.
fn story(teller: &Arc<Teller>) -> Result<(), Box<dyn Error>> {
    let server = Server::start()?;
    let client = client(teller, Client::builder().no_proxy())?;
    let get = |path: &str| client.get(format!("http://{}{path}", server.address));

    teller.lock().act("A GET, on a new connection");
    exchange(teller, get("/page"))?;

    teller.lock().act("A second GET, on the connection that was kept");
    exchange(teller, get("/chunked"))?;

    teller.lock().act("A third, but the server has closed the idle connection, and the probe sees it");
    teller.lock().expects_end = true;
    exchange(teller, get("/note"))?;

    teller.lock().act("A fourth, and the server closes just as it arrives, which no probe can see");
    exchange(teller, get("/stock"))?;
    teller.lock().say(&format!("the server has seen GET /stock {} times", server.count("GET /stock")));

    teller.lock().act("The server does that again, but the request is a POST");
    let post = client.post(format!("http://{}/order", server.address)).body("1 lamp");
    fails(teller, exchange(teller, post), Fate::MaybeProcessed)?;
    teller.lock().say(&format!("times that the server has seen POST /order: {}", server.count("POST /order")));

    teller.lock().act("A body that is cut: the server promises 4800 bytes, sends 2800 and closes");
    fails(teller, exchange(teller, get("/cut")), Fate::ResponseStarted)?;

    tell_pool(teller, &client);
    Ok(())
}

/// A client that tells what it does, and whose streams show their bytes. `way` says how it connects.
fn client(teller: &Arc<Teller>, way: ClientBuilder) -> longwire::Result<Client> {
    let direct = Direct::with(way.observer(teller.clone()))?; // what a client does by itself to connect
    let for_streams = teller.clone();
    let connect = move |target: &Target<'_>, deadline: Deadline, token: &CancelToken| -> longwire::Result<_> {
        for_streams.lock().connecting(target);
        let stream = direct.connect(target, deadline, token)?;
        Ok(Box::new(Shown { stream, teller: for_streams.clone() }) as Box<dyn Stream>)
    };
    let for_events = teller.clone();
    let observer = move |event: &Event<'_>| match event {
        Event::Connected { .. } => {} // Direct has reported it, when it happened
        event => for_events.event(event),
    };
    let timeout = teller.lock().timeout;
    Client::builder().timeout(timeout).connector(connect).observer(observer).try_build()
}

/// Sends, then reads the body into a buffer of the caller's until `read` says `Ok(0)`.
fn exchange(teller: &Teller, request: RequestBuilder<'_>) -> io::Result<()> {
    let mut response = request.send()?;
    teller.lock().tell(Key::Reading, &format!("The caller reads the body, at most {BUFFER_BYTES} bytes at a time."));
    let mut buffer = [0; BUFFER_BYTES];
    loop {
        let count = response.read(&mut buffer)?;
        teller.lock().say(&format!("read() gives Ok({count})"));
        if count == 0 {
            break;
        }
    }
    let (body, connection) = (response.body(), response.connection());
    teller.lock().tell(Key::Proven, &format!("The body is whole: {} bytes.", body.wire_bytes()));
    let life = if connection.reused() { "a reused" } else { "a new" };
    let port = connection.local_addr().map_or(0, |local| local.port());
    teller.lock().say(&format!(
        "{}: exchange {} on {life} connection, from port {port}, answered in {:.1?}",
        response.status(),
        connection.nth(),
        response.timings().wait
    ));
    Ok(())
}

/// What the caller sees of an exchange that broke off: it has to, and with that fate.
fn fails(teller: &Teller, outcome: io::Result<()>, fate: Fate) -> Result<(), Box<dyn Error>> {
    let Err(error) = outcome else { return Err("this exchange should have failed".into()) };
    let error = longwire::Error::try_from(error)?;
    teller.lock().say(&format!("Err({error})"));
    match (error.kind(), error.fate()) {
        (ErrorKind::Truncated, it) if it == fate => Ok(()),
        _ => Err(error.into()),
    }
}

fn tell_pool(teller: &Teller, client: &Client) {
    let stats = client.pool_stats();
    let mut teller = teller.lock();
    teller.act("The pool's account");
    teller.say(&format!("connections opened {}, reused {}, idle {}", stats.opened, stats.reused, stats.idle));
    for (reason, count) in stats.closed.iter() {
        teller.say(&format!("closed {count}: {reason}"));
    }
}
