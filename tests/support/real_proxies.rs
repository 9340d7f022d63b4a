//! Real proxies for `tests/proxy/real_servers.rs`: Squid, tinyproxy and Dante.
//!
//! Each is started for one test, in the foreground, on a loopback port of its own, from a
//! configuration under `servers/`, and ends as the servers of `servers.rs` do. A proxy that is not
//! installed is a panic that names the Debian package. What longwire makes of them is not known
//! here.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::servers::{PORTS_TRIED_MAX, Process, START_LIMIT, Site, free_port};

/// Who may use the HTTP proxies; for Squid a second time, as `openssl passwd -apr1` has it.
pub(crate) const USER: &str = "me";
pub(crate) const PASSWORD: &str = "secret";
const SQUID_USERS: &str = "me:$apr1$longwire$WBeIVaI7PvZKRvDR34exS1\n";
/// `me:secret`, as Basic has it.
const BASIC: &str = "bWU6c2VjcmV0";
/// Where none of them lets anybody go; for tinyproxy as a pattern of names.
pub(crate) const FORBIDDEN: &str = "127.0.0.3";
const TINYPROXY_FILTER: &str = "^127\\.0\\.0\\.3$\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Squid,
    Tinyproxy,
    Dante,
}

impl Kind {
    /// The program, and the Debian package that has it.
    fn program(self) -> (&'static str, &'static str) {
        match self {
            Kind::Squid => ("/usr/sbin/squid", "squid"),
            Kind::Tinyproxy => ("tinyproxy", "tinyproxy-bin"),
            Kind::Dante => ("/usr/sbin/danted", "dante-server"),
        }
    }

    fn template(self) -> &'static str {
        match self {
            Kind::Squid => include_str!("servers/squid.conf"),
            Kind::Tinyproxy => include_str!("servers/tinyproxy.conf"),
            Kind::Dante => include_str!("servers/danted.conf"),
        }
    }

    /// What is sent to it first, and how it begins its response when it is ready.
    fn greeting(self) -> (String, &'static [u8]) {
        let connect = format!("CONNECT 127.0.0.1:1 HTTP/1.1\r\nProxy-Authorization: Basic {BASIC}\r\n\r\n");
        match self {
            Kind::Squid | Kind::Tinyproxy => (connect, b"HTTP/1."),
            Kind::Dante => ("\x05\x01\0".to_owned(), &[5, 0]),
        }
    }
}

pub(crate) struct ProxyServer {
    // Ends before its folder goes.
    _process: Process,
    pub(crate) port: u16,
    _site: Site,
}

impl ProxyServer {
    pub(crate) fn start(kind: Kind) -> ProxyServer {
        ProxyServer::start_with(kind, String::new)
    }

    /// With further lines in its configuration, which are asked for anew with each try.
    pub(crate) fn start_with(kind: Kind, mut lines: impl FnMut() -> String) -> ProxyServer {
        let site = Site::create(0);
        for _ in 0..PORTS_TRIED_MAX {
            let port = free_port();
            let mut process = spawn(kind, &site, port, &lines());
            if is_ready(kind, &mut process, port, &site) {
                return ProxyServer { _process: process, port, _site: site };
            }
        }
        panic!("{kind:?} does not start: {}", site.log());
    }
}

fn spawn(kind: Kind, site: &Site, port: u16, lines: &str) -> Process {
    let (program, package) = kind.program();
    let dir = site.dir.to_str().expect("a temporary folder with a plain name");
    let configuration = site.dir.join("configuration");
    let text = kind.template().replace("@DIR@", dir).replace("@PORT@", &port.to_string()) + lines;
    fs::write(&configuration, text).expect("a configuration");
    fs::write(site.dir.join("users"), SQUID_USERS).expect("a file of users");
    fs::write(site.dir.join("filter"), TINYPROXY_FILTER).expect("a file of patterns");
    let mut command = Command::new(program);
    match kind {
        // One process, in the foreground.
        Kind::Squid => command.arg("-N").arg("-f").arg(&configuration),
        Kind::Tinyproxy => command.arg("-d").arg("-c").arg(&configuration),
        Kind::Dante => command.arg("-f").arg(&configuration),
    };
    let log = File::create(site.dir.join("log")).expect("a log file");
    command.stdout(log.try_clone().expect("a second handle")).stderr(log).current_dir(&site.dir);
    Process::start(command, Some(port), package)
}

/// Waits until it answers; `false` if it has ended.
fn is_ready(kind: Kind, process: &mut Process, port: u16, site: &Site) -> bool {
    let started = Instant::now();
    while started.elapsed() < START_LIMIT {
        if process.has_ended() {
            return false;
        }
        if answers(kind, port).unwrap_or(false) {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("no response within {START_LIMIT:?}: {}", site.log());
}

fn answers(kind: Kind, port: u16) -> std::io::Result<bool> {
    let (greeting, want) = kind.greeting();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(START_LIMIT))?;
    stream.write_all(greeting.as_bytes())?;
    let mut answer = vec![0; want.len()];
    stream.read_exact(&mut answer)?;
    Ok(answer == want)
}
