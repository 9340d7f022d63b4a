//! What the client costs the system: resident memory per open response, and system calls per
//! request on a kept connection. Linux only, for it reads /proc and runs strace.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use longwire::{Client, Response};

use crate::support::peer::{Peer, ok};
use crate::{alone, counted};

// ---- resident memory ----

/// Accepts connections on one thread without buffers of its own, answers the head and a part
/// of the body, and keeps the sockets until it is stopped.
struct Keeper {
    address: SocketAddr,
    done: Sender<()>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Serves exactly `connections`, one after the other.
    fn start(connections: usize) -> Keeper {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bind to 127.0.0.1:0");
        let address = listener.local_addr().expect("the listener's address");
        let (done, waiting) = mpsc::channel();
        let thread = thread::spawn(move || keep(&listener, connections, &waiting));
        Keeper { address, done, thread }
    }

    fn stop(self) {
        self.done.send(()).expect("the keeper waits");
        self.thread.join().expect("the keeper did not panic");
    }
}

fn keep(listener: &TcpListener, connections: usize, done: &Receiver<()>) {
    let mut kept: Vec<TcpStream> = Vec::with_capacity(connections);
    let part = [b'x'; 4096];
    for _ in 0..connections {
        let (mut stream, _) = listener.accept().expect("a connection");
        let limit = Some(Duration::from_secs(20));
        stream.set_read_timeout(limit).expect("a limit");
        read_head(&mut stream);
        let head = b"HTTP/1.1 200 OK\r\nServer: test\r\nContent-Length: 100000\r\n\r\n";
        stream.write_all(head).expect("the client reads");
        stream.write_all(&part).expect("the client reads");
        kept.push(stream);
    }
    let _ = done.recv_timeout(Duration::from_secs(60));
}

fn read_head(stream: &mut TcpStream) {
    let mut last = [0; 4];
    while last != *b"\r\n\r\n" {
        last.rotate_left(1);
        stream.read_exact(&mut last[3..]).expect("a request head");
    }
}

/// The resident set of this process.
fn resident_bytes() -> i64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: i64 = kib.and_then(|kib| kib.parse().ok()).expect("VmRSS in kB");
    kib * 1024
}

/// What else the process does counts, too: so the least of some tries is taken.
#[test]
fn an_open_response_costs_at_most_ten_kib_resident() {
    const BYTES_MAX: i64 = 10 * 1024;
    const TRIES: usize = 5;
    let _alone = alone();
    let each = (0..TRIES).map(|_| resident_bytes_per_open_response()).find(|each| *each <= BYTES_MAX);
    let each = each.unwrap_or_else(|| panic!("over {BYTES_MAX} bytes for an open response, {TRIES} times"));
    println!("resident bytes per open response: {each}");
}

fn resident_bytes_per_open_response() -> i64 {
    const WARM_UP: usize = 4;
    const OPEN: usize = 400;
    let keeper = Keeper::start(WARM_UP + OPEN);
    let client = Client::new();
    let url = format!("http://{}/", keeper.address);
    let mut open: Vec<Response> = Vec::with_capacity(WARM_UP + OPEN);
    let mut one_more = || {
        let mut response = client.get(&url).send().expect("a head");
        let mut some = [0; 100];
        response.read_exact(&mut some).expect("some of the body");
        open.push(response);
    };
    (0..WARM_UP).for_each(|_| one_more());
    let before = resident_bytes();
    (0..OPEN).for_each(|_| one_more());
    let each = (resident_bytes() - before) / i64::try_from(OPEN).expect("some hundreds");
    assert!(open.iter().all(|response| !response.body().is_complete()));
    keeper.stop();
    each
}

// ---- system calls ----

const URL_VARIABLE: &str = "LONGWIRE_TEST_URL";
const REQUESTS_VARIABLE: &str = "LONGWIRE_TEST_REQUESTS";
const PROBE_AFTER_VARIABLE: &str = "LONGWIRE_TEST_PROBE_AFTER_SECONDS";

/// The tight loop: as a test of its own a short one against a peer of its own, and the child that
/// the test below runs under strace, with the peer in the parent.
#[test]
fn a_tight_loop_of_gets_stays_on_one_connection() {
    let _alone = alone();
    let (own, url) = match std::env::var(URL_VARIABLE) {
        Ok(url) => (None, url),
        Err(_) => {
            let peer = Peer::answering(ok("hello"));
            let url = peer.url("/");
            (Some(peer), url)
        }
    };
    let requests = std::env::var(REQUESTS_VARIABLE);
    let requests: u32 = requests.map_or(50, |count| count.parse().expect("a number"));
    let seconds = std::env::var(PROBE_AFTER_VARIABLE).map_or(0, |seconds| seconds.parse().expect("a number"));
    let client = Client::builder().probe_after(Duration::from_secs(seconds)).build();
    let mut buffer = [0; 4096];
    for number in 1..=requests {
        let mut response = client.get(&url).send().expect("a response");
        assert_eq!(response.read(&mut buffer).expect("a body"), 5);
        assert!(response.body().is_complete());
        assert_eq!(response.connection().nth(), number);
    }
    assert_eq!(client.pool_stats().opened, 1);
    drop(own);
}

/// Of each request of the loop above, run as a child.
fn system_calls_each(probe_after_seconds: &str) -> f64 {
    const REQUESTS: u32 = 1000;
    let peer = Peer::answering(ok("hello"));
    let url = peer.url("/");
    let calls = |requests: u32| {
        let requests = requests.to_string();
        let variables =
            [(URL_VARIABLE, &*url), (REQUESTS_VARIABLE, &requests), (PROBE_AFTER_VARIABLE, probe_after_seconds)];
        counted::system_calls("process::a_tight_loop_of_gets_stays_on_one_connection", &variables)
    };
    let (once, twice) = (calls(REQUESTS), calls(2 * REQUESTS));
    (twice as f64 - once as f64) / f64::from(REQUESTS)
}

/// A write and a read; and before them the probe: to non-blocking, a read, and back.
#[test]
#[ignore = "needs strace"]
fn a_get_on_a_kept_connection_is_one_write_and_one_read_and_the_probe() {
    let _alone = alone();
    for (probe_after_seconds, calls) in [("0", 5.0), ("3600", 2.0)] {
        let each = system_calls_each(probe_after_seconds);
        println!("system calls per keep-alive GET, probe_after of {probe_after_seconds} s: {each:.3}");
        assert!((calls - 0.1..calls + 0.05).contains(&each), "{each} system calls per GET");
    }
}
