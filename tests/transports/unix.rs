//! Unix sockets: in the pool, and where they wait: for a place in the listener's queue, for bytes, for a
//! reader.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, fs, process};

use longwire::{CancelToken, Client, ClientBuilder, Error, ErrorKind, Fate, Stage};

use crate::support::peer::ok;
use crate::support::wrapped::connector;

/// How long anything here waits before it gives up.
const LIMIT: Duration = Duration::from_secs(20);
/// The listener's queue is full when no connect has succeeded for so long.
const QUIET: Duration = Duration::from_secs(2);
const URL: &str = "http://unix.test/";

/// A listener, and the file that it leaves behind.
struct Socket(PathBuf);

impl Socket {
    fn bind(name: &str) -> (Socket, UnixListener) {
        let path = env::temp_dir().join(format!("longwire-{}-{name}.sock", process::id()));
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path).expect("a unix socket");
        (Socket(path), listener)
    }

    fn client(&self) -> ClientBuilder {
        Client::builder().unix_socket(&self.0).read_timeout(LIMIT)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn requests_go_through_a_unix_socket_and_keep_it_alive() {
    let (socket, listener) = Socket::bind("kept");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let (mut heads, mut seen) = (Vec::new(), [0; 4096]);
        for exchange in 1..=2 {
            let length = stream.read(&mut seen).unwrap(); // a head this small comes whole
            heads.push(String::from_utf8_lossy(&seen[..length]).into_owned());
            stream.write_all(ok(&exchange.to_string()).as_bytes()).unwrap();
        }
        heads
    });
    let client = socket.client().build();
    assert_eq!(super::text(&client, "http://localhost/a?b"), "1");
    let response = client.get("http://localhost/").send().unwrap();
    assert!(response.connection().reused());
    assert_eq!(response.connection().peer_addr(), None);
    assert_eq!(response.text().unwrap(), "2");
    let heads = server.join().unwrap();
    assert!(heads[0].starts_with("GET /a?b HTTP/1.1\r\nHost: localhost\r\n"), "{heads:?}");
}

#[test]
fn a_unix_socket_that_is_not_there_is_a_connect_error() {
    let client = Client::builder().unix_socket("/nonexistent/longwire.sock").build();
    let error = client.post("http://localhost/").body("x").send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert_eq!(error.fate(), Fate::NotSent);
}

/// Fills the listener's queue: a connection stays in it although its client has gone.
fn fill(socket: &Socket) -> JoinHandle<()> {
    let (sender, connects) = channel();
    let path = socket.0.clone();
    let filling = thread::spawn(move || while sender.send(UnixStream::connect(&path).is_ok()).is_ok() {});
    while connects.recv_timeout(QUIET).is_ok() {}
    filling // it waits, until the listener goes
}

#[test]
fn a_listener_whose_queue_is_full_is_waited_for_no_longer_than_allowed() {
    let (socket, listener) = Socket::bind("full");
    let filling = fill(&socket);
    let limit = Duration::from_millis(300);
    let started = Instant::now();
    let error = socket.client().connect_timeout(limit).build().get(URL).send().expect_err("nothing accepts");
    assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Timeout, Stage::Connect, Fate::NotSent));
    assert!(started.elapsed() >= limit && started.elapsed() < LIMIT / 2, "{:?}", started.elapsed());

    let (client, token) = (socket.client().connect_timeout(LIMIT).build(), CancelToken::new());
    thread::scope(|scope| {
        let sending = scope.spawn(|| client.get(URL).cancel_token(&token).send().map(drop));
        token.cancel(); // before it began to wait, or since
        let error = sending.join().expect("no panic").expect_err("it was cancelled");
        assert!(error.is_cancelled() && error.fate() == Fate::NotSent, "{error:?}");
    });
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
    drop(listener);
    filling.join().expect("no panic");
}

/// The threads of this program that connect to something.
#[cfg(target_os = "linux")]
fn connecting() -> Vec<i32> {
    const NAME: &str = "longwire-connec"; // the system keeps 15 bytes

    let tasks = fs::read_dir("/proc/self/task").expect("the list of threads").flatten();
    let tasks = tasks.filter(|task| fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == NAME));
    tasks.filter_map(|task| task.file_name().to_str()?.parse().ok()).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn connects_that_hang_are_four_at_most_and_there_is_room_again_when_they_end() {
    const CONNECTS_MAX: usize = 4;
    const OTHERS: usize = 4; // of tests that run at the same time

    let (socket, listener) = Socket::bind("hanging");
    let filling = fill(&socket);
    let client = socket.client().connect_timeout(Duration::from_millis(20)).build();
    let mut in_line = 0;
    for _ in 0..CONNECTS_MAX + OTHERS + 4 {
        let error = client.get(URL).send().expect_err("nothing accepts");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::Connect), "{error}");
        let behind = "queued to connect, with 4 unanswered attempts under way";
        in_line += usize::from(error.to_string().contains(behind));
    }
    assert_eq!(in_line, OTHERS + 4, "the error says what they waited for");
    assert!((CONNECTS_MAX..=CONNECTS_MAX + OTHERS).contains(&connecting().len()), "abandoned, and no more");
    drop((listener, socket));
    filling.join().expect("no panic");
    let end = Instant::now() + LIMIT;
    while client.get(URL).send().expect_err("nothing listens").is_timeout() {
        assert!(Instant::now() < end, "there never was room again");
    }
}

/// Signals, which std knows nothing of.
#[cfg(target_os = "linux")]
mod signals {
    #![allow(unsafe_code)]

    pub(super) const SIGPIPE: i32 = 13; // whose default is to end the process
    pub(super) const SIGURG: i32 = 23; // whose default is to be ignored

    unsafe extern "C" {
        fn signal(signal: i32, handler: usize) -> usize;
        fn siginterrupt(signal: i32, interrupts: i32) -> i32;
        fn tgkill(process: i32, thread: i32, signal: i32) -> i32;
    }

    extern "C" fn nothing(_: i32) {}

    /// From here on that signal interrupts what a thread waits for, and does nothing else.
    pub(super) fn let_interrupt(number: i32) {
        // SAFETY: the handler touches nothing.
        unsafe {
            signal(number, nothing as extern "C" fn(i32) as usize);
            siginterrupt(number, 1);
        }
    }

    /// From here on that signal does what it does by default. (Rust's programs ignore SIGPIPE.)
    pub(super) fn let_be_as_by_default(number: i32) {
        const SIG_DFL: usize = 0;
        // SAFETY: there is no handler.
        unsafe { signal(number, SIG_DFL) };
    }

    pub(super) fn send(thread: i32, number: i32) {
        // SAFETY: it takes numbers only, and a thread that is gone is an error to be ignored.
        unsafe { tgkill(std::process::id() as i32, thread, number) };
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_does_not_end_a_connect() {
    let (socket, listener) = Socket::bind("signal");
    let filling = fill(&socket);
    signals::let_interrupt(signals::SIGURG);
    let limit = Duration::from_millis(500);
    let client = socket.client().connect_timeout(limit).build();
    let started = Instant::now();
    let error = thread::scope(|scope| {
        let sending = scope.spawn(|| client.get(URL).send().expect_err("nothing accepts"));
        while !sending.is_finished() {
            connecting().into_iter().for_each(|thread| signals::send(thread, signals::SIGURG));
            thread::sleep(Duration::from_millis(5));
        }
        sending.join().expect("no panic")
    });
    assert!(error.is_timeout() && started.elapsed() >= limit, "{error} after {:?}", started.elapsed());
    drop(listener);
    filling.join().expect("no panic");
}

/// Answers one request after the other with 101, and closes.
fn switch_and_close(listener: &UnixListener) {
    for stream in listener.incoming() {
        let mut stream = stream.expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        assert!(stream.read(&mut [0; 4096]).expect("a request") > 0);
        let switching = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
        stream.write_all(switching).expect("a reader");
    }
}

/// In a process of its own, in which SIGPIPE is what it is by default: that is the end of it.
#[test]
#[cfg(target_os = "linux")]
fn a_write_to_a_peer_that_has_closed_is_an_error_and_not_the_end_of_the_process() {
    const ALONE: &str = "LONGWIRE_TEST_SIGPIPE";
    const NAME: &str = "unix::a_write_to_a_peer_that_has_closed_is_an_error_and_not_the_end_of_the_process";
    if env::var_os(ALONE).is_none() {
        let program = env::current_exe().expect("the path of this program");
        let run = process::Command::new(program).args(["--exact", NAME]).env(ALONE, "").output();
        let run = run.expect("this program, once more");
        let printed = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() && printed.contains("1 passed"), "{}: {printed}", run.status);
        return;
    }
    static BODY: [u8; 8 << 20] = [b'x'; 8 << 20];
    signals::let_be_as_by_default(signals::SIGPIPE);
    let clients = |socket: &Socket| {
        let path = socket.0.clone();
        let plain = connector(move |_, _, _| {
            let broken = |error| Error::from_io(ErrorKind::Connect, "unix socket", error);
            Ok(Box::new(UnixStream::connect(&path).map_err(broken)?))
        });
        [socket.client(), Client::builder().connector(plain)]
    };
    let (socket, listener) = Socket::bind("closes");
    thread::spawn(move || listener.incoming().for_each(drop));
    for client in clients(&socket) {
        let error = client.build().post(URL).body(&BODY).send().expect_err("it is not read");
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    }
    let (socket, listener) = Socket::bind("switches");
    thread::spawn(move || switch_and_close(&listener));
    let upgraded = |client: ClientBuilder| {
        let request = client.build().get(URL).header("Connection", "upgrade").header("Upgrade", "echo");
        request.send().expect("a response").upgrade().expect("a stream")
    };
    let write_until_closed = |stream: &mut dyn Write| {
        let error = loop {
            if let Err(error) = stream.write_all(&BODY) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    };
    clients(&socket).map(upgraded).iter_mut().for_each(|stream| write_until_closed(stream));
    write_until_closed(&mut upgraded(socket.client()).into_parts().0); // the bare stream, which is the client's own
}

#[test]
fn a_cancel_wakes_a_reader_of_a_unix_socket() {
    let (socket, listener) = Socket::bind("cancel");
    let token = CancelToken::new();
    let cancelling = token.clone();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        let count = stream.read(&mut [0; 4096]).expect("a request");
        cancelling.cancel();
        (count, stream.read(&mut [0; 1]).expect("the end"))
    });
    let started = Instant::now();
    let error = socket.client().build().get(URL).cancel_token(&token).send().expect_err("it was cancelled");
    assert!(error.is_cancelled() && started.elapsed() < LIMIT / 2, "{error:?} after {:?}", started.elapsed());
    let (count, rest) = serving.join().expect("no panic");
    assert!(count > 0 && rest == 0);
}

/// Sends back what comes as it comes, up to the end of it.
fn echo(listener: &UnixListener, length: usize) -> usize {
    let (mut stream, _) = listener.accept().expect("a connection");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream.set_write_timeout(Some(LIMIT)).expect("a limit");
    let mut block = vec![0; 64 * 1024];
    let mut received = stream.read(&mut block).expect("a head");
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").expect("a reader");
    loop {
        match stream.read(&mut block) {
            Ok(count) if count > 0 => received += count,
            _ => return received,
        }
        if stream.write_all(&block).is_err() {
            return received;
        }
    }
}

#[test]
fn an_echo_that_has_stalled_an_upload_sees_the_end_of_it() {
    static BODY: [u8; 8 << 20] = [b'x'; 8 << 20];
    let (socket, listener) = Socket::bind("echo");
    let serving = thread::spawn(move || echo(&listener, BODY.len()));
    let started = Instant::now();
    let response = socket.client().build().post(URL).body(&BODY).send().expect("an early response");
    assert_eq!(response.status(), 200);
    let error = response.bytes().expect_err("not all of it was sent");
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    assert!(started.elapsed() < LIMIT / 2, "{:?}", started.elapsed());
    assert!(serving.join().expect("no panic") < BODY.len());
}
