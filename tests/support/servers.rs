//! Real servers for `tests/interop.rs`; `real_proxies.rs` starts its proxies by the same means.
//!
//! Each [`Server`] is started for one test, in the foreground, on a loopback
//! port of its own, from a configuration under `servers/` that is written into
//! a new folder. It ends with the value, with the test process however that
//! dies, and after [`LIFE_S`] in any case. A server that is not installed is a
//! panic that names the Debian package. nginx, Apache, Caddy and h2o pass
//! `/backend/` on to a small [`backend`] in this process; Node has the same
//! paths in its script. What longwire makes of any of them is not known here.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::peer::Peer;

/// Seconds after which a server ends in any case.
const LIFE_S: u32 = 300;
/// How long a server may take until it answers.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(30);
/// A port is chosen, given back and then given to the server; another process
/// may take it in between.
pub(crate) const PORTS_TRIED_MAX: u32 = 5;
/// How long a state is waited for.
const WAIT_LIMIT: Duration = Duration::from_secs(30);
/// Bytes of `stream.bin` and of `/backend/stream`.
pub(crate) const STREAM_BYTES: usize = 300_007;
/// Fields that `large-head.txt` is sent with, and the bytes of each value.
pub(crate) const LARGE_FIELDS: usize = 12;
pub(crate) const LARGE_VALUE_BYTES: usize = 3900;
/// A prime, so that no shift by a buffer's or a chunk's size goes unseen.
const PATTERN_PERIOD: usize = 65_521;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Apache,
    Caddy,
    H2o,
    /// For Digest with SHA-256.
    #[allow(dead_code, reason = "only tests/digest has it")]
    Lighttpd,
    Node,
    /// `python3 -m http.server` as it is: HTTP/1.0.
    Python10,
    /// The same with `--protocol HTTP/1.1`.
    Python11,
}

impl Kind {
    /// The program, and the Debian package that has it.
    fn program(self) -> (&'static str, &'static str) {
        match self {
            Kind::Nginx => ("nginx", "nginx"),
            Kind::Apache => ("apache2", "apache2-bin"),
            Kind::Caddy => ("caddy", "caddy"),
            Kind::H2o => ("h2o", "h2o"),
            Kind::Lighttpd => ("/usr/sbin/lighttpd", "lighttpd"),
            Kind::Node => ("node", "nodejs"),
            Kind::Python10 | Kind::Python11 => ("python3", "python3"),
        }
    }

    /// The configuration, for those that have one.
    fn template(self) -> &'static str {
        match self {
            Kind::Nginx => include_str!("servers/nginx.conf"),
            Kind::Apache => include_str!("servers/apache.conf"),
            Kind::Caddy => include_str!("servers/Caddyfile"),
            Kind::H2o => include_str!("servers/h2o.conf"),
            Kind::Lighttpd => include_str!("servers/lighttpd.conf"),
            Kind::Node => include_str!("servers/node.js"),
            Kind::Python10 | Kind::Python11 => "",
        }
    }

    /// One line of configuration that adds a field to a response.
    fn field_line(self, name: &str, value: &str) -> String {
        match self {
            Kind::Nginx => format!("add_header {name} \"{value}\";\n"),
            Kind::Apache => format!("Header set {name} \"{value}\"\n"),
            Kind::Caddy => format!("header /large-head.txt {name} {value}\n\t"),
            Kind::H2o => format!("header.add: \"{name}: {value}\"\n        "),
            Kind::Lighttpd | Kind::Node | Kind::Python10 | Kind::Python11 => String::new(),
        }
    }

    /// True if it listens on port 0 and reports which port that became.
    fn says_its_port(self) -> bool {
        matches!(self, Kind::Node | Kind::Python10 | Kind::Python11)
    }
}

/// What a test may want otherwise.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    /// After so much idle time the server closes a connection.
    pub(crate) idle: Duration,
    /// An upload above this is answered 413.
    pub(crate) upload_bytes_max: usize,
    /// Bytes of `large.bin`; 0: there is none.
    pub(crate) large_bytes: usize,
}

impl Default for Setup {
    fn default() -> Self {
        Setup { idle: Duration::from_secs(60), upload_bytes_max: 16 << 20, large_bytes: 0 }
    }
}

pub(crate) struct Server {
    process: Process,
    port: u16,
    // Dropped after the process: the folder that it serves and the backend it asks.
    site: Site,
    _backend: Option<Peer>,
}

impl Server {
    pub(crate) fn start(kind: Kind, setup: Setup) -> Server {
        let backend = backend();
        let server = Server::before(kind, setup, backend.addr().port());
        Server { _backend: Some(backend), ..server }
    }

    /// With a backend of the test's own at that port.
    #[allow(dead_code, reason = "few tests have one")]
    pub(crate) fn before(kind: Kind, setup: Setup, backend_port: u16) -> Server {
        let site = Site::create(setup.large_bytes);
        for _ in 0..PORTS_TRIED_MAX {
            let mut process = spawn(kind, setup, &site, backend_port);
            if let Some(port) = process.wait_until_ready(&site) {
                return Server { process, port, site, _backend: None };
            }
        }
        panic!("{kind:?} does not start: {}", site.log());
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    #[allow(dead_code, reason = "only tests/download has it")]
    pub(crate) fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The folder with the files that it serves.
    #[allow(dead_code, reason = "only tests/download has it")]
    pub(crate) fn www(&self) -> PathBuf {
        self.site.dir.join("www")
    }

    /// Ends the server at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }
}

/// A server's process, and a second one that ends it when we no longer can.
pub(crate) struct Process {
    server: Child,
    watchdog: Child,
    /// `None`: it says so in its log.
    port: Option<u16>,
}

impl Process {
    pub(crate) fn start(mut command: Command, port: Option<u16>, package: &str) -> Process {
        let server = command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| {
            let program = command.get_program().to_string_lossy();
            panic!("{program}: {error}; these tests need the Debian package {package}")
        });
        // Its stdin reaches end of file when we let go of it or die.
        let script = format!("timeout {LIFE_S} cat >/dev/null; kill -KILL \"$1\" 2>/dev/null");
        let watchdog = Command::new("sh")
            .args(["-c", &script, "sh", &server.id().to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .expect("sh is there");
        Process { server, watchdog, port }
    }

    /// The port at which this very server answers, or `None` if it has ended.
    fn wait_until_ready(&mut self, site: &Site) -> Option<u16> {
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            if self.has_ended() {
                return None;
            }
            let port = self.port.or_else(|| said_port(&site.log()));
            if let Some(port) = port {
                if serves(port, &site.token).unwrap_or(false) {
                    return Some(port);
                }
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("no response within {START_LIMIT:?}: {}", site.log());
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.server.try_wait().expect("our own child").is_some()
    }

    fn kill(&mut self) {
        // The process stays ours, and its number with it, until `wait`: only then may the watchdog be gone.
        let _ = self.server.kill();
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
        let _ = self.server.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(kind: Kind, setup: Setup, site: &Site, backend_port: u16) -> Process {
    let (program, package) = kind.program();
    let port = (!kind.says_its_port()).then(free_port);
    let configuration = site.dir.join("configuration");
    let text = configure(kind, setup, &site.dir, port.unwrap_or(0), backend_port);
    fs::write(&configuration, text).expect("a configuration");
    let www = site.dir.join("www");
    let mut command = Command::new(program);
    match kind {
        Kind::Nginx => command.arg("-e").arg("stderr").arg("-c").arg(&configuration),
        // One process, in the foreground.
        Kind::Apache => command.arg("-X").arg("-f").arg(&configuration),
        Kind::Caddy => command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&configuration),
        Kind::H2o => command.arg("-c").arg(&configuration),
        Kind::Lighttpd => command.arg("-D").arg("-f").arg(&configuration),
        Kind::Node => command
            .arg(&configuration)
            .arg(&www)
            .arg(setup.idle.as_millis().to_string())
            .arg(setup.upload_bytes_max.to_string()),
        Kind::Python10 | Kind::Python11 => {
            let version = if kind == Kind::Python10 { "HTTP/1.0" } else { "HTTP/1.1" };
            command.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "--protocol", version]);
            command.arg("--directory").arg(&www).arg("0")
        }
    };
    let log = File::create(site.dir.join("log")).expect("a log file");
    command.stdout(log.try_clone().expect("a second handle")).stderr(log);
    // Caddy keeps its state under HOME.
    command.current_dir(&site.dir).env("HOME", &site.dir).env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
    Process::start(command, port, package)
}

fn configure(kind: Kind, setup: Setup, dir: &Path, port: u16, backend_port: u16) -> String {
    let large_head: String =
        (0..LARGE_FIELDS).map(|n| kind.field_line(&format!("X-Large-{n}"), &large_value(n))).collect();
    kind.template()
        .replace("@DIR@", dir.to_str().expect("a temporary folder with a plain name"))
        .replace("@PORT@", &port.to_string())
        .replace("@BACKEND@", &backend_port.to_string())
        .replace("@IDLE_MS@", &setup.idle.as_millis().to_string())
        .replace("@IDLE_S@", &setup.idle.as_secs().to_string())
        .replace("@UPLOAD_BYTES_MAX@", &setup.upload_bytes_max.to_string())
        .replace("@LARGE_HEAD@", &large_head)
}

/// The value of `X-Large-n`.
pub(crate) fn large_value(n: usize) -> String {
    String::from(char::from(b'a' + n as u8)).repeat(LARGE_VALUE_BYTES)
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// The number after "port " in a log, once it is there with what follows it.
pub(crate) fn said_port(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once(" port ")?;
    let (port, _) = rest.split_once(' ')?;
    port.parse().ok()
}

/// Returns whether the server at `port` has our `token.txt`: a stranger on the same port has not.
fn serves(port: u16, token: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(START_LIMIT))?;
    stream.write_all(b"GET /token.txt HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.ends_with(token))
}

/// The folder of one server: `www` with the files it serves, its configuration
/// and its log. Gone with the value.
pub(crate) struct Site {
    pub(crate) dir: PathBuf,
    token: String,
}

impl Site {
    pub(crate) fn create(large_bytes: usize) -> Site {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let token = format!("longwire-interop-{}-{count}", std::process::id());
        let dir = std::env::temp_dir().join(&token);
        let www = dir.join("www");
        fs::create_dir_all(www.join("dir")).expect("a temporary folder");
        let site = Site { dir, token };
        fs::write(www.join("token.txt"), &site.token).expect("a file");
        fs::write(site.dir.join("users"), DIGEST_USERS).expect("a file");
        for (name, text) in FILES {
            fs::write(www.join(name), text).expect("a file");
        }
        for name in ["coded.txt", "stored.txt"] {
            fs::write(www.join(name), CODED.repeat(2000)).expect("a file");
        }
        fs::write(www.join("stored.txt.gz"), include_bytes!("servers/stored.txt.gz")).expect("a file");
        fs::write(www.join("stream.bin"), pattern(STREAM_BYTES)).expect("a file");
        if large_bytes > 0 {
            fs::write(www.join("large.bin"), pattern(large_bytes)).expect("a large file");
        }
        site
    }

    pub(crate) fn log(&self) -> String {
        fs::read(self.dir.join("log")).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// What every server serves, besides `stream.bin` and `large.bin`.
pub(crate) const SMALL: &str = "A connection lives as long as both sides wish.\n";
/// The line of which `coded.txt` and `stored.txt` have 2,000.
pub(crate) const CODED: &str = "What is said again and again takes little room.\n";
pub(crate) const INDEX: &str = "<!doctype html><title>dir</title>\n";
const FILES: [(&str, &str); 8] = [
    ("small.txt", SMALL),
    ("three.txt", SMALL),
    ("close.txt", SMALL),
    ("large-head.txt", SMALL),
    ("dir/index.html", INDEX),
    ("protected.txt", SMALL),
    ("protected-briefly.txt", SMALL),
    ("protected-once.txt", SMALL),
];

/// Who may read the `protected` files, with the password `secret`: as htdigest writes it with MD5, and the
/// same with SHA-256.
const DIGEST_USERS: &str = "\
    me:longwire:8465306eda2963010fc0de1947ee36ce\n\
    me:longwire:867e92a33fb5e34a8459beec5affda8213578d62c618a1f8b5f5a893ae8a9f31\n\
    J\u{e4}s:longwire:1901303f19d9a0471980150809797e56\n\
    J\u{e4}s:longwire:62a29b7d9023d41202825b506c72f5004140799d8062fade753775af68b7ec78\n\n";

/// Bytes that show where in the body they stand.
pub(crate) fn pattern(bytes: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let period: Vec<u8> = (0..PATTERN_PERIOD.min(bytes)).map(|_| next()).collect();
    period.iter().copied().cycle().take(bytes).collect()
}

/// Follows a [`pattern`] piece by piece, so that it need not be held whole.
pub(crate) struct PatternCheck {
    two_periods: Vec<u8>,
    pub(crate) bytes: u64,
}

impl PatternCheck {
    pub(crate) fn new() -> PatternCheck {
        PatternCheck { two_periods: pattern(2 * PATTERN_PERIOD), bytes: 0 }
    }

    /// Returns whether `piece` (at most one period long) is what comes next.
    pub(crate) fn goes_on_with(&mut self, piece: &[u8]) -> bool {
        let at = (self.bytes % PATTERN_PERIOD as u64) as usize;
        self.bytes += piece.len() as u64;
        self.two_periods[at..].starts_with(piece)
    }
}

/// Waits until the other side of the connection from `local` has sent its FIN.
/// The socket is inside the client under test, so the kernel's table is asked.
pub(crate) fn wait_until_peer_closed(local: SocketAddr) {
    let SocketAddr::V4(v4) = local else { panic!("{local} is not on 127.0.0.1") };
    let address = u32::from_ne_bytes(v4.ip().octets());
    let address = format!("{address:08X}:{:04X}", v4.port());
    let started = Instant::now();
    while !is_half_closed(&address) {
        let waited = started.elapsed();
        assert!(waited < WAIT_LIMIT, "{local} is open after {waited:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Returns whether Linux lists the connection whose own side is `address` as half closed by its peer.
/// That it does not list it at all says nothing: the table moves while it is read.
fn is_half_closed(address: &str) -> bool {
    const CLOSE_WAIT: &str = "08";
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux's table of connections");
    table.lines().any(|line| {
        // The columns begin: number, own address, the peer's address, state.
        let mut columns = line.split_whitespace().skip(1);
        columns.next() == Some(address) && columns.nth(1) == Some(CLOSE_WAIT)
    })
}

/// The server behind the proxies: `/stream` sends `stream.bin` in chunks of many sizes, `/echo`
/// gives a body back once all of it is here. One request per connection.
fn backend() -> Peer {
    Peer::start(|mut conn, _| {
        let Some(request) = conn.head() else { return };
        if request.header("expect").is_some() {
            conn.send("HTTP/1.1 100 Continue\r\n\r\n");
        }
        // A proxy that gives up in the middle of a body is no failure of the test's.
        let Some(body) = conn.body(&request) else {
            return;
        };
        if request.target == "/stream" {
            conn.send(chunked_stream());
        } else {
            let length = body.len();
            conn.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"));
            conn.send(body);
        }
    })
}

fn chunked_stream() -> Vec<u8> {
    let mut answer = Vec::from(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    let body = pattern(STREAM_BYTES);
    let mut rest = &body[..];
    let mut size = 1;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        answer.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        answer.extend(chunk);
        answer.extend(b"\r\n");
        rest = after;
        size = (size * 3) % 20_011;
    }
    answer.extend(b"0\r\n\r\n");
    answer
}

/// One module per server of another make: the checks in the module around it that hold for that server,
/// each a test of its own.
macro_rules! checks_of {
    ($name:ident, $kind:expr, $needs:literal, [$($check:ident),* $(,)?]) => {
        mod $name {
            $(
                #[test]
                #[ignore = $needs]
                fn $check() {
                    super::$check($kind);
                }
            )*
        }
    };
}
pub(crate) use checks_of;
