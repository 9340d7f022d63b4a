//! Far ends that do not answer: a listener whose backlog is full, a port that refuses, a name
//! service that hangs; and the gate by which a test holds a script until its moment has come.
//!
//! All of it is on loopback and bounded in time. Of the crate under test it knows the trait
//! `Resolve` and nothing else.

#![allow(dead_code, reason = "each test that includes this file uses its own part of it")]

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use longwire::transport::{Query, Resolve};

/// How long anything here waits before it gives up.
const LIMIT: Duration = Duration::from_secs(20);

/// The backlog is full when this many connects in a row were not answered.
const UNANSWERED_ENOUGH: u32 = 2;
const FILLERS_MAX: usize = 900;

/// An address of loopback where a SYN gets no response: its listener accepts nothing and its
/// backlog is full. One for the whole program, for it costs a descriptor per place.
pub(crate) fn black_hole() -> SocketAddr {
    static HOLE: OnceLock<FullBacklog> = OnceLock::new();
    HOLE.get_or_init(FullBacklog::fill).address
}

/// A second one, for a name with two dead addresses.
pub(crate) fn other_black_hole() -> SocketAddr {
    static HOLE: OnceLock<FullBacklog> = OnceLock::new();
    HOLE.get_or_init(FullBacklog::fill).address
}

/// One of these that can come to life.
pub(crate) struct FullBacklog {
    pub(crate) address: SocketAddr,
    listener: TcpListener,
    _fillers: Vec<TcpStream>,
}

impl FullBacklog {
    pub(crate) fn fill() -> FullBacklog {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bind to 127.0.0.1:0");
        let address = listener.local_addr().expect("the listener's address");
        let mut fillers = Vec::new();
        let mut unanswered = 0;
        while unanswered < UNANSWERED_ENOUGH {
            assert!(fillers.len() < FILLERS_MAX, "this system's backlog never fills");
            match TcpStream::connect_timeout(&address, Duration::from_millis(250)) {
                Ok(filler) => {
                    fillers.push(filler);
                    unanswered = 0;
                }
                Err(_) => unanswered += 1,
            }
        }
        FullBacklog { address, listener, _fillers: fillers }
    }

    /// The listener, for a test that accepts what is there. The connections that filled it are closed.
    pub(crate) fn wake_up(self) -> TcpListener {
        self.listener
    }
}

/// An address that refuses at once, as long as this lives: its port is taken on 127.0.0.1, so
/// no other program gets it, and nothing listens to it on 127.0.0.2.
pub(crate) struct Refused {
    pub(crate) address: SocketAddr,
    _holder: TcpListener,
}

impl Refused {
    pub(crate) fn new() -> Refused {
        let holder = TcpListener::bind(("127.0.0.1", 0)).expect("bind to 127.0.0.1:0");
        let port = holder.local_addr().expect("the holder's address").port();
        Refused { address: SocketAddr::from(([127, 0, 0, 2], port)), _holder: holder }
    }
}

/// Holds those who pass until it is opened, and then no more.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    open: bool,
    came: usize,
}

impl Gate {
    pub(crate) fn closed() -> Arc<Gate> {
        Arc::new(Gate::default())
    }

    /// Waits until the gate is open; false if that takes longer than the limit.
    pub(crate) fn pass(&self) -> bool {
        self.lock().came += 1;
        self.changed.notify_all();
        self.wait(|state| state.open)
    }

    /// Waits until so many have come to the gate.
    pub(crate) fn saw(&self, count: usize) -> bool {
        self.wait(|state| state.came >= count)
    }

    pub(crate) fn open(&self) {
        self.lock().open = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn wait(&self, done: impl Fn(&GateState) -> bool) -> bool {
        let end = Instant::now() + LIMIT;
        let mut state = self.lock();
        while !done(&state) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        true
    }
}

/// A name service that gives no response until this is opened, or dropped.
pub(crate) struct HangingNames {
    pub(crate) gate: Arc<Gate>,
    live: Arc<AtomicUsize>,
    live_max: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
}

impl HangingNames {
    pub(crate) fn new() -> HangingNames {
        HangingNames { gate: Gate::closed(), live: Arc::default(), live_max: Arc::default(), calls: Arc::default() }
    }

    /// The resolver for a client: says `address` for every name, once the gate is open.
    pub(crate) fn resolver(&self, address: SocketAddr) -> impl Resolve + use<> {
        HangingResolver {
            address,
            gate: Arc::clone(&self.gate),
            live: Arc::clone(&self.live),
            live_max: Arc::clone(&self.live_max),
            calls: Arc::clone(&self.calls),
        }
    }

    /// How often the resolver was asked.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many look-ups run.
    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::SeqCst)
    }

    /// How many look-ups ran at once, at the most.
    pub(crate) fn live_max(&self) -> usize {
        self.live_max.load(Ordering::SeqCst)
    }
}

impl Drop for HangingNames {
    fn drop(&mut self) {
        self.gate.open();
    }
}

struct HangingResolver {
    address: SocketAddr,
    gate: Arc<Gate>,
    live: Arc<AtomicUsize>,
    live_max: Arc<AtomicUsize>,
    calls: Arc<AtomicUsize>,
}

impl Resolve for HangingResolver {
    fn resolve(&self, _: &Query<'_>) -> io::Result<Vec<SocketAddr>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let live = self.live.fetch_add(1, Ordering::SeqCst) + 1;
        self.live_max.fetch_max(live, Ordering::SeqCst);
        self.gate.pass();
        self.live.fetch_sub(1, Ordering::SeqCst);
        Ok(vec![self.address])
    }
}
