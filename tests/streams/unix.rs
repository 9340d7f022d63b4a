//! Unix sockets where they wait: for a place in the listener's queue, for bytes, for a reader.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, fs, process};

use longwire::{CancelToken, Client, ClientBuilder, ErrorKind, Fate, Stage};

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
    let error = socket.client().connect_timeout(limit).build().get(URL).send().expect_err("nobody accepts");
    assert_eq!((error.kind(), error.stage(), error.fate()), (ErrorKind::Timeout, Stage::Connect, Fate::NotSent));
    assert!(started.elapsed() >= limit && started.elapsed() < LIMIT / 2, "{:?}", started.elapsed());

    let (client, token) = (socket.client().connect_timeout(LIMIT).build(), CancelToken::new());
    thread::scope(|scope| {
        let sending = scope.spawn(|| client.get(URL).cancel(&token).send().map(drop));
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
fn connects_that_hang_are_sixteen_at_most_and_there_is_room_again_when_they_end() {
    const CONNECTS_MAX: usize = 16;
    const OTHERS: usize = 4; // of the tests beside

    let (socket, listener) = Socket::bind("hanging");
    let filling = fill(&socket);
    let client = socket.client().connect_timeout(Duration::from_millis(20)).build();
    for _ in 0..CONNECTS_MAX + OTHERS + 4 {
        let error = client.get(URL).send().expect_err("nobody accepts");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::Connect), "{error}");
    }
    assert!((CONNECTS_MAX..=CONNECTS_MAX + OTHERS).contains(&connecting().len()), "abandoned, and no more");
    drop((listener, socket));
    filling.join().expect("no panic");
    let end = Instant::now() + LIMIT;
    while client.get(URL).send().expect_err("nobody listens").is_timeout() {
        assert!(Instant::now() < end, "there never was room again");
    }
}

/// Signals, which std knows nothing of.
#[cfg(target_os = "linux")]
mod signals {
    #![allow(unsafe_code)]

    pub(super) const SIGURG: i32 = 23; // whose default is to be ignored

    unsafe extern "C" {
        fn signal(signal: i32, handler: extern "C" fn(i32)) -> usize;
        fn siginterrupt(signal: i32, interrupts: i32) -> i32;
        fn tgkill(process: i32, thread: i32, signal: i32) -> i32;
    }

    extern "C" fn nothing(_: i32) {}

    /// From here on that signal interrupts what a thread waits for, and does nothing else.
    pub(super) fn let_interrupt(number: i32) {
        // SAFETY: the handler touches nothing.
        unsafe {
            signal(number, nothing);
            siginterrupt(number, 1);
        }
    }

    pub(super) fn send(thread: i32, number: i32) {
        // SAFETY: it takes numbers only, and a thread that is gone is an error that nobody minds.
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
        let sending = scope.spawn(|| client.get(URL).send().expect_err("nobody accepts"));
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
    let error = socket.client().build().get(URL).cancel(&token).send().expect_err("it was cancelled");
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
fn an_echo_that_has_stalled_an_upload_is_told_that_nothing_more_comes() {
    static BODY: [u8; 8 << 20] = [b'x'; 8 << 20];
    let (socket, listener) = Socket::bind("echo");
    let serving = thread::spawn(move || echo(&listener, BODY.len()));
    let started = Instant::now();
    let response = socket.client().build().post(URL).body(&BODY).send().expect("an early answer");
    assert_eq!(response.status(), 200);
    let error = response.bytes().expect_err("not all of it was sent");
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    assert!(started.elapsed() < LIMIT / 2, "{:?}", started.elapsed());
    assert!(serving.join().expect("no panic") < BODY.len());
}
