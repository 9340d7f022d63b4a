//! Faults under load: many threads share one client and ask a server that goes wrong in every way
//! it can, at random, from a seed. Whatever the server does, no wrong body is accepted, no POST is
//! processed twice, nothing comes back after its deadline, and nothing is left over.
//!
//! The server is in this process; the client runs in a child, which is this program once more, so
//! that its descriptors, threads and memory can be counted alone. `LONGWIRE_SOAK_SEED` and
//! `LONGWIRE_SOAK_REQUESTS` change the draw and the length. Linux only, for it reads /proc.
#![cfg(target_os = "linux")]

#[path = "soak/figures.rs"]
mod figures;
#[path = "soak/plan.rs"]
mod plan;
#[path = "soak/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, Read};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use figures::{Figures, Holdings, Memory, status_kib, time_waits};
use longwire::{
    Body, CancelToken, Client, Error, ErrorKind, Fate, Method, PoolStats, Response, Retry, SendBody, Stage,
};
use plan::{Ask, Fault, Plan, Reading, Upload};
use server::Server;

const THREADS: usize = 16;
const SEED: u64 = 20_250_601;

/// Fewer than threads on a busy day, so that some wait in line.
const CONNECTIONS_PER_HOST_MAX: usize = 3;

/// How late a request may come back on a machine that is busy with other things.
const OVERRUN_MAX: Duration = Duration::from_millis(500);

/// How much the resident set may grow in the last third: noise, and no more than that.
const GROWTH_KIB_MAX: u64 = 3 * 1024;

/// Violations that are shown.
const SHOWN_MAX: usize = 20;

const CHILD_LIMIT: Duration = Duration::from_secs(1_800);

const ADDRESSES_VARIABLE: &str = "LONGWIRE_SOAK_ADDRESSES";
const SEED_VARIABLE: &str = "LONGWIRE_SOAK_SEED";
const REQUESTS_VARIABLE: &str = "LONGWIRE_SOAK_REQUESTS";

#[test]
fn eight_thousand_requests_through_every_fault_harm_nothing() {
    soak("eight_thousand_requests_through_every_fault_harm_nothing", 8_000, None);
}

#[test]
#[ignore = "long: some minutes; run it alone, with --release"]
fn two_hundred_thousand_requests_through_every_fault_harm_nothing() {
    soak("two_hundred_thousand_requests_through_every_fault_harm_nothing", 200_000, None);
}

#[test]
fn four_thousand_requests_with_retries_harm_nothing() {
    soak("four_thousand_requests_with_retries_harm_nothing", 4_000, retries());
}

#[test]
#[ignore = "long: some minutes; run it alone, with --release"]
fn two_hundred_thousand_requests_with_retries_harm_nothing() {
    soak("two_hundred_thousand_requests_with_retries_harm_nothing", 200_000, retries());
}

/// After short waits, without end, and after the answers that the server has.
fn retries() -> Option<Retry> {
    let waits = (Duration::from_millis(1), Duration::from_millis(20));
    Some(Retry::new(3).backoff(waits.0, waits.1).without_budget())
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|value| value.parse().expect("a number"))
}

/// The server's side, with the client in a child; or, in the child, the client's side.
fn soak(test: &str, requests: u64, retry: Option<Retry>) {
    let seed = number(SEED_VARIABLE).unwrap_or(SEED);
    let requests = number(REQUESTS_VARIABLE).unwrap_or(requests);
    if let Ok(addresses) = env::var(ADDRESSES_VARIABLE) {
        let addresses: Vec<String> = addresses.split(' ').map(str::to_owned).collect();
        return ask_all(&addresses, seed, requests, retry);
    }
    let time_waits_before = time_waits();
    let server = Server::start(seed, requests as usize);
    let addresses: Vec<String> = server.addresses().iter().map(|address| address.to_string()).collect();
    let child = Command::new(env::current_exe().expect("the path of this program"))
        .args(["--exact", test, "--include-ignored", "--nocapture", "--test-threads=1"])
        .env(ADDRESSES_VARIABLE, addresses.join(" "))
        .env(SEED_VARIABLE, seed.to_string())
        .env(REQUESTS_VARIABLE, requests.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this program, once more");
    let (went_well, printed) = outcome(child);
    let (books, quiet) = server.stop();
    println!("{printed}");
    println!("server: {} connections, faults {:?}", books.connections(), books.faults());
    println!("sockets in TIME_WAIT: {time_waits_before} before, {} after", time_waits());
    assert!(went_well && printed.contains("1 passed"), "the client's side failed, with seed {seed}");
    assert!(quiet, "connections are still served although the client is gone");
    assert_eq!(books.more_than(1).posts, 0, "POSTs received twice, with seed {seed}");
    assert_eq!(books.more_than(2).arrivals, 0, "requests sent more than twice, with seed {seed}");
    assert_eq!(books.wrong_uploads.load(Ordering::SeqCst), 0, "uploads that arrived wrong, with seed {seed}");
}

/// Waits for the child: whether it ended well, and what it printed.
fn outcome(mut child: Child) -> (bool, String) {
    let mut pipes = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let printed = thread::spawn(move || {
        let mut printed = String::new();
        let _ = pipes.0.read_to_string(&mut printed);
        printed
    });
    let complained = thread::spawn(move || {
        let mut printed = String::new();
        let _ = pipes.1.read_to_string(&mut printed);
        printed
    });
    let end = Instant::now() + CHILD_LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child's state") {
            break Some(status);
        }
        if Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        thread::sleep(Duration::from_millis(20));
    };
    let printed = printed.join().expect("it only reads") + &complained.join().expect("it only reads");
    (status.is_some_and(|status| status.success()), printed)
}

// ---- the client's side ----

/// What is known of a request in the end, as far as it was a POST.
const UNKNOWN: u8 = 0;
const PROCESSED: u8 = 1;
const NOT_SENT: u8 = 2;

/// The client's side: one client, many threads.
struct Asking<'a> {
    client: &'a Client,
    addresses: &'a [String],
    seed: u64,
    requests: u64,
    next: AtomicU64,
    fates: Vec<AtomicU8>,
}

fn ask_all(addresses: &[String], seed: u64, requests: u64, retry: Option<Retry>) {
    plan::filling(0, 0); // made before anything is measured
    let fates: Vec<AtomicU8> = (0..requests).map(|_| AtomicU8::new(u8::MAX)).collect();
    fates.iter().for_each(|fate| fate.store(UNKNOWN, Ordering::Relaxed));
    let before = Holdings::count();
    let client = Client::builder()
        .max_connections_per_host(CONNECTIONS_PER_HOST_MAX)
        .idle_timeout(Duration::from_millis(500))
        .retry(retry)
        .build();
    let asking = Asking { client: &client, addresses, seed, requests, next: AtomicU64::new(0), fates };
    let start = Instant::now();
    let (figures, mut memory) = asking.run();
    let took = start.elapsed();
    let stats = client.pool_stats();
    client.close_idle();
    let cleared = client.pool_stats();
    let after = before.wait_until_back();
    let [middle, last] = memory.medians();

    println!("{requests} requests, seed {seed}, {THREADS} threads, {took:.1?}");
    println!("complete {}, dropped {}, errors {:?}", figures.complete, figures.dropped, figures.errors);
    let leases = stats.reused + stats.opened;
    println!("reused {} of {leases}: {:.1} %", stats.reused, stats.reused as f64 * 100.0 / leases as f64);
    println!("at most {:?} behind a deadline", figures.overrun_max);
    println!("resident: {middle} KiB in the middle, {last} KiB in the last third, peak {} KiB", status_kib("VmHWM"));
    println!("{before:?} before, {after:?} after");
    let closed: BTreeMap<String, u64> =
        stats.closed.iter().map(|(reason, count)| (format!("{reason:?}"), count)).collect();
    println!("opened {}, idle {}, closed {closed:?}", stats.opened, stats.idle);

    let violations = &figures.violations;
    assert!(violations.is_empty(), "{}: {:#?}", violations.len(), &violations[..violations.len().min(SHOWN_MAX)]);
    assert_eq!(figures.requests(), requests);
    assert_consistent(&stats, &cleared);
    assert_eq!(after, before, "descriptors or threads are left over");
    assert!(figures.overrun_max <= OVERRUN_MAX, "{:?} behind a deadline", figures.overrun_max);
    assert!(last <= middle + GROWTH_KIB_MAX, "the resident set grew from {middle} to {last} KiB");
    check_ledger(&asking);
}

fn assert_consistent(stats: &PoolStats, cleared: &PoolStats) {
    for stats in [stats, cleared] {
        assert_eq!((stats.in_use, stats.waiting), (0, 0), "{stats:?}");
        assert_eq!(stats.opened, stats.idle as u64 + stats.closed.total(), "{stats:?}");
    }
    assert_eq!(cleared.idle, 0, "{cleared:?}");
}

/// What each error and each response showed of its POST is what the server has in its books.
fn check_ledger(asking: &Asking<'_>) {
    let url = format!("http://{}/ledger", asking.addresses[0]);
    let response = Client::new().get(url).send().expect("the ledger");
    assert_eq!(response.status(), 200, "the server is still busy");
    let ledger = response.bytes().expect("the ledger");
    assert_eq!(ledger.len() as u64, asking.requests);
    let mut counts = [0; 3];
    for (id, (fate, received)) in asking.fates.iter().zip(&ledger).enumerate() {
        let fate = fate.load(Ordering::SeqCst);
        counts[usize::from(fate)] += 1;
        match fate {
            PROCESSED => assert_eq!(*received, 1, "request {id} was answered"),
            NOT_SENT => assert_eq!(*received, 0, "request {id} was printed not to be sent"),
            _ => assert!(*received <= 1, "request {id} was received {received} times"),
        }
    }
    println!("POSTs answered {}, not sent {}", counts[usize::from(PROCESSED)], counts[usize::from(NOT_SENT)]);
}

/// What came of one request.
enum Outcome {
    /// The response to it, whole.
    Complete(u16),
    Dropped,
    Failed(Error),
    /// What cannot be.
    Wrong(String),
}

impl Asking<'_> {
    /// All requests, each by whichever thread comes first.
    fn run(&self) -> (Figures, Memory) {
        let mut figures = Figures::default();
        let mut memory = Memory::default();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| self.work())).collect();
            while !threads.iter().all(|thread| thread.is_finished()) {
                memory.look(self.next.load(Ordering::Relaxed).min(self.requests), self.requests);
                thread::sleep(Duration::from_millis(10));
            }
            for thread in threads {
                figures.add(thread.join().expect("the client does not panic"));
            }
        });
        (figures, memory)
    }

    fn work(&self) -> Figures {
        let mut figures = Figures::default();
        loop {
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            if id >= self.requests {
                return figures;
            }
            let plan = Plan::of(self.seed, id);
            let start = Instant::now();
            let outcome = self.ask(&plan).unwrap_or_else(Outcome::Failed);
            let took = start.elapsed();
            figures.overrun_max = figures.overrun_max.max(took.saturating_sub(plan.timeout));
            if let Some(violation) = violation(&plan, &outcome, took) {
                figures.violations.push(format!("{violation}, after {took:?}: {plan:?}"));
            }
            self.fates[id as usize].store(fate(&plan, &outcome), Ordering::SeqCst);
            match outcome {
                Outcome::Complete(_) | Outcome::Wrong(_) => figures.complete += 1,
                Outcome::Dropped => figures.dropped += 1,
                Outcome::Failed(error) => {
                    let name = format!("{:?} in {:?}", error.kind(), error.stage());
                    *figures.errors.entry(name).or_default() += 1;
                }
            }
        }
    }

    fn ask(&self, plan: &Plan) -> Result<Outcome, Error> {
        let method = match plan.ask {
            Ask::Get => Method::GET,
            Ask::Head => Method::HEAD,
            Ask::Post => Method::POST,
            Ask::Put => Method::PUT,
        };
        let hop = if plan.fault.is_redirect() { "first" } else { "last" };
        let (host, port) = self.addresses[plan.host].split_once(':').expect("an address with its port");
        let host = if plan.fault == Fault::Refused { Fault::REFUSING } else { host };
        let url = format!("http://{host}:{port}/{hop}/{}", plan.id);
        let mut request = self.client.request(method, url).timeout(plan.timeout);
        if matches!(plan.ask, Ask::Post | Ask::Put) {
            let body = plan::filling(plan.id, plan.upload_bytes);
            request = request.body(match plan.upload {
                Upload::Bytes => SendBody::from(body),
                Upload::Reader => SendBody::reader(body),
                Upload::SizedReader => SendBody::sized_reader(body, body.len() as u64),
            });
        }
        let token = CancelToken::new();
        if matches!(plan.reading, Reading::Cancel(_)) {
            request = request.cancel_token(&token);
        }
        let response = request.send()?;
        let status = response.status().as_u16();
        if response.header("x-id") != Some(&plan.id.to_string()) {
            return Ok(Outcome::Wrong(format!("the head of another response: {response:?}")));
        }
        let content = match read(response, plan.reading, &token)? {
            Taken::Whole(content) => content,
            Taken::Part => return Ok(Outcome::Dropped),
            Taken::Wrongly(what) => return Ok(Outcome::Wrong(what)),
        };
        let checked = match content.is_empty() && (plan.ask == Ask::Head || status == 204) {
            true => Ok(()),
            false => plan::check(plan.id, &content),
        };
        Ok(checked.map_or_else(Outcome::Wrong, |()| Outcome::Complete(status)))
    }
}

/// What was taken of a body.
enum Taken {
    Whole(Vec<u8>),
    Part,
    Wrongly(String),
}

fn read(mut response: Response, reading: Reading, token: &CancelToken) -> Result<Taken, Error> {
    match reading {
        Reading::Bytes => response.bytes().map(Taken::Whole),
        Reading::CopyTo => {
            let mut content = Vec::new();
            response.copy_to(&mut content)?;
            Ok(Taken::Whole(content))
        }
        Reading::Buffer(size) => read_on(&mut response.into_body(), size, usize::MAX),
        Reading::BufRead => read_buffered(response.into_body()),
        Reading::Drop(bytes) => read_on(&mut response.into_body(), 50, bytes).map(part),
        Reading::Cancel(bytes) => {
            let mut body = response.into_body();
            let taken = read_on(&mut body, bytes.max(1), bytes)?;
            let was_complete = body.is_complete();
            token.cancel();
            match body.read(&mut [0; 100]) {
                Ok(0) if was_complete => Ok(part(taken)),
                Ok(count) => Ok(Taken::Wrongly(format!("{count} bytes after the cancel"))),
                Err(error) => Err(own(error)),
            }
        }
    }
}

fn part(taken: Taken) -> Taken {
    match taken {
        Taken::Whole(_) => Taken::Part,
        other => other,
    }
}

fn own(error: std::io::Error) -> Error {
    Error::try_from(error).expect("the body's errors are the client's own")
}

/// Reads to the end, or up to this many bytes. An end must be one for good, and so must an error.
fn read_on(body: &mut Body, size: usize, bytes_max: usize) -> Result<Taken, Error> {
    let mut content = Vec::new();
    let mut buffer = vec![0; size];
    while content.len() < bytes_max {
        match body.read(&mut buffer) {
            Ok(0) if body.is_complete() && matches!(body.read(&mut buffer), Ok(0)) => break,
            Ok(0) => return Ok(Taken::Wrongly("an end that is none".to_owned())),
            Ok(count) => content.extend_from_slice(&buffer[..count]),
            Err(error) => {
                let error = own(error);
                return match body.read(&mut buffer).map_err(own) {
                    Err(again) if again.kind() == error.kind() => Err(error),
                    other => Ok(Taken::Wrongly(format!("after \"{error}\" a read gave {other:?}"))),
                };
            }
        }
    }
    Ok(Taken::Whole(content))
}

/// Reads to the end by way of the body's own buffer, half of it at a time.
fn read_buffered(mut body: Body) -> Result<Taken, Error> {
    let mut content = Vec::new();
    loop {
        let ready = body.fill_buf().map_err(own)?;
        if ready.is_empty() {
            return Ok(Taken::Whole(content));
        }
        let count = ready.len().div_ceil(2);
        content.extend_from_slice(&ready[..count]);
        body.consume(count);
    }
}

/// What the outcome says of a POST.
fn fate(plan: &Plan, outcome: &Outcome) -> u8 {
    match outcome {
        _ if plan.ask != Ask::Post => UNKNOWN,
        // The rest of the upload may have been left; or the last hop was a GET.
        _ if plan.fault.is_too_large() => UNKNOWN,
        _ if matches!(plan.fault, Fault::EarlyOk | Fault::Redirect(302 | 303)) => UNKNOWN,
        Outcome::Complete(_) | Outcome::Dropped => PROCESSED,
        Outcome::Failed(error) if error.fate() == Fate::NotSent => NOT_SENT,
        Outcome::Failed(_) | Outcome::Wrong(_) => UNKNOWN,
    }
}

/// Why the outcome cannot come of the plan, if it cannot.
fn violation(plan: &Plan, outcome: &Outcome, took: Duration) -> Option<String> {
    let is_planned = |planned: bool, what: &str| (!planned).then(|| what.to_owned());
    match outcome {
        Outcome::Wrong(what) => Some(what.clone()),
        Outcome::Dropped => is_planned(matches!(plan.reading, Reading::Drop(_) | Reading::Cancel(_)), "dropped"),
        Outcome::Complete(status) => {
            let planned = match plan.fault {
                Fault::Refused | Fault::CutHead => false,
                fault if fault.outlasts() || fault.is_in_body() => false,
                Fault::NoContent => *status == 204,
                fault if fault.is_too_large() => *status == 413,
                _ => *status == 200,
            };
            is_planned(planned, &format!("complete with {status}"))
        }
        Outcome::Failed(error) if error.is_timeout() && took < plan.timeout => Some(format!("early: {error}")),
        Outcome::Failed(error) => is_planned(may_fail(plan, error), &format!("{:?}: {error}", error.kind())),
    }
}

fn may_fail(plan: &Plan, error: &Error) -> bool {
    let is_broken = matches!(error.kind(), ErrorKind::Io | ErrorKind::Truncated);
    if plan.fault == Fault::Refused {
        return error.kind() == ErrorKind::Connect && error.fate() == Fate::NotSent;
    }
    match error.kind() {
        // A stray word that came after another response, too late for the probe to see it.
        ErrorKind::Head => error.to_string().contains("STRAY"),
        ErrorKind::Cancelled => matches!(plan.reading, Reading::Cancel(_)),
        // The connection was closed as the request went out, and it must not go out twice.
        _ if is_broken && !plan.is_repeatable() && matches!(error.stage(), Stage::Send | Stage::Wait) => true,
        ErrorKind::Timeout => plan.fault == Fault::Late || plan.fault.outlasts(),
        ErrorKind::Chunk => plan.fault == Fault::BadLastChunk,
        _ if is_broken => match plan.fault {
            Fault::Mute | Fault::MuteReset => error.fate() == Fate::MaybeProcessed,
            Fault::CutHead | Fault::CutBody | Fault::ResetBody => error.fate() == Fate::ResponseStarted,
            Fault::TooLargeReset => true,
            _ => false,
        },
        _ => false,
    }
}
