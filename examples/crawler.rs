//! A crawler: four threads, one client, two connections.
//!
//! ```text
//! cargo run --example crawler                      # a small site of its own
//! cargo run --example crawler -- http://host/path  # a site of yours, 30 pages of it
//! ```
//!
//! What to look at:
//!
//! * [`fetch`] is a page's way: a status of 400 or above is an error, a body over the limit is one, and
//!   `page.url()` is what its links are relative to, for it is where redirects have led.
//! * The threads share one `Client`, so they share its connections; `max_connections_per_host` is how polite
//!   they are together, and those beyond wait in line.
//! * The account of the pool at the end: two connections for all pages, or one more, since that of the page which
//!   was not read to its end was closed.
//!
//! It stays on one origin, in redirects too; only those of the start page are followed anywhere, and decide which
//! origin that is. Where the start page cannot be fetched, the exit status is 1. Links are taken out naively; a
//! real crawler parses HTML, and asks robots.txt first.

use std::collections::{HashSet, VecDeque};
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{env, thread};

use longwire::{Client, Url};

const THREADS: usize = 4;
const CONNECTIONS_MAX: usize = 2;
const PAGES_MAX: usize = 30;
const PAGE_BYTES_MAX: u64 = 1 << 20;

/// A line on standard output. A reader who has seen enough, as `head` has, is no reason to panic.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = writeln!(io::stdout(), $($text)*);
    }};
}

fn main() -> Result<(), Box<dyn Error>> {
    let start = Url::parse(&env::args().nth(1).map_or_else(serve, Ok)?)?;
    let origin = Arc::new(OnceLock::new()); // unknown until the start page is there
    let known_origin = origin.clone();
    let client = Client::builder()
        .max_connections_per_host(CONNECTIONS_MAX)
        .connect_timeout(Duration::from_secs(60)) // the wait in line included
        .timeout(Duration::from_secs(90))
        .on_redirect(move |hop| {
            if known_origin.get().is_some_and(|origin| *origin != hop.to().origin()) {
                hop.stop();
            }
            Ok(())
        })
        .build();
    let first = fetch(&client, &start).map_err(|error| format!("no start page: {error}"))?;
    let origin = origin.get_or_init(|| first.url.origin());
    if *origin != start.origin() {
        say!("the start page leads to {}", first.url);
    }
    let crawl = Crawl::starting_with([start, first.url]);
    let add = |links: Vec<Url>| crawl.add(links.into_iter().filter(|link| link.origin() == *origin));
    add(first.links);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(taken) = crawl.next() {
                    match fetch(&client, &taken.url) {
                        Ok(page) => add(page.links),
                        Err(error) => say!("{error}"),
                    }
                }
            });
        }
    });

    let (stats, state) = (client.pool_stats(), crawl.lock());
    say!("{} pages of {} URLs that are known", state.taken, state.known.len());
    say!("connections opened: {}, used again: {} times", stats.opened, stats.reused);
    for (reason, count) in stats.closed.iter() {
        say!("  closed {count}: {reason}");
    }
    Ok(())
}

/// Where redirects have led, and what the page there links to.
struct Page {
    url: Url,
    links: Vec<Url>,
}

fn fetch(client: &Client, url: &Url) -> longwire::Result<Page> {
    let page = client.get(url).send()?.error_for_status()?;
    let url = page.url().clone();
    let text = page.limit(PAGE_BYTES_MAX).text_lossy()?;
    let targets = text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut links: Vec<Url> = targets.filter_map(|target| url.join(target).ok()).collect();
    links.iter_mut().for_each(|link| link.set_fragment(None));
    Ok(Page { url, links })
}

/// The pages that are known, and those that are still to be fetched.
struct Crawl {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Url>,
    known: HashSet<Url>,
    taken: usize,
    busy_threads: usize,
}

/// A page that a thread is busy with, until this is dropped; a panic does that too, so that no other waits for ever.
struct Taken<'c> {
    crawl: &'c Crawl,
    url: Url,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.crawl.lock().busy_threads -= 1;
        self.crawl.changed.notify_all();
    }
}

impl Crawl {
    /// One page, by the names that it has, has been fetched.
    fn starting_with(names: [Url; 2]) -> Crawl {
        let state = State { known: HashSet::from(names), taken: 1, ..State::default() };
        Crawl { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, links: impl IntoIterator<Item = Url>) {
        let mut state = self.lock();
        for link in links {
            if state.known.insert(link.clone()) {
                state.queue.push_back(link);
            }
        }
    }

    /// Returns the next page; `None` when there is none any more, and no thread that may find one.
    fn next(&self) -> Option<Taken<'_>> {
        let may_come = |state: &mut State| state.queue.is_empty() && state.busy_threads > 0 && state.taken < PAGES_MAX;
        let mut state = self.changed.wait_while(self.lock(), may_come).unwrap_or_else(PoisonError::into_inner);
        if state.taken == PAGES_MAX {
            return None;
        }
        let url = state.queue.pop_front()?;
        state.taken += 1;
        state.busy_threads += 1;
        Some(Taken { crawl: self, url })
    }
}

/// Starts the site, and returns its URL. It ends with the process.
fn serve() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/page/1", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer_all(&stream));
        }
    });
    Ok(url)
}

/// One connection of a site of 40 pages, one that is too large, one that is missing, and one that has moved away.
fn answer_all(mut stream: &TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while let Some(request_line) = lines.next().transpose()? {
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let path = request_line.split(' ').nth(1).unwrap_or_default();
        let page = path.strip_prefix("/page/").and_then(|digits| digits.parse::<u32>().ok());
        let (status, body) = match (path, page) {
            ("/moved", _) => ("302 Found\r\nLocation: http://elsewhere.test/", String::new()),
            ("/large", _) => ("200 OK", "x".repeat(2 << 20)),
            (_, Some(1)) => (
                "200 OK",
                r#"<a href="2">..<a href="3">..<a href="/moved">..<a href="/missing#top">
                <a href="/large">..<a href="http://elsewhere.test/page/1">"#
                    .to_owned(),
            ),
            (_, Some(n @ 2..20)) => ("200 OK", format!(r#"<a href="{}">..<a href="/page/{}">"#, 2 * n, 2 * n + 1)),
            (_, Some(20..=40)) => ("200 OK", "no more".to_owned()),
            _ => ("404 Not Found", "no such page".to_owned()),
        };
        stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
    }
    Ok(())
}
