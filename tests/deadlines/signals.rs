//! Signals are no errors and no time: a system call that one interrupts is made again, and the
//! clock alone decides.
//!
//! Std can neither send a signal nor set a handler. But on Linux a read or write on a socket
//! that has a timeout fails with EINTR when its process is stopped and continued (signal(7),
//! "Interruption of system calls and library functions by stop signals"): so the program runs
//! itself once more as a child, and `kill` does the rest.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use longwire::{Client, SendBody, Stage};

use super::support::peer::{LIMIT, Peer, ok};
use super::{SHORT, assert_limit, failing, ms};

const URL_VARIABLE: &str = "LONGWIRE_TEST_URL";
const CHILD: &str = "signals::slow_requests_come_through";
const UPLOAD_BYTES: u64 = 24 << 20;

/// Pauses in every phase that may wait: before the head, inside it, inside the body, and while
/// an upload is read.
fn pausing() -> Peer {
    Peer::start(|mut conn, _| {
        while let Some(request) = conn.head() {
            conn.pause(ms(300));
            match request.target.as_str() {
                "/never" => {
                    conn.wait_closed(LIMIT);
                }
                "/half" => {
                    conn.send("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n");
                    conn.send(vec![b'x'; 100_000]);
                    conn.wait_closed(LIMIT);
                }
                "/upload" => {
                    let length = conn.body(&request).map_or(0, |body| body.len());
                    conn.send(ok(&length.to_string()));
                }
                _ => {
                    for part in ["HTTP/1.1 200 OK\r\nContent-", "Length: 8\r\n\r\nhalf", "half"] {
                        conn.send(part);
                        conn.pause(ms(300));
                    }
                }
            }
        }
    })
}

/// By itself a test of patience; as the child of the test below, under a storm of signals.
#[test]
fn slow_requests_come_through() {
    let (own, url) = match std::env::var(URL_VARIABLE) {
        Ok(url) => (None, url),
        Err(_) => {
            let peer = pausing();
            let url = peer.url("");
            (Some(peer), url)
        }
    };
    let client = Client::builder().read_timeout(LIMIT).write_timeout(LIMIT).build();
    let response = client.get(format!("{url}/slow")).send().expect("a slow head");
    assert_eq!(response.text().expect("a slow body"), "halfhalf");

    let body = SendBody::sized_reader(std::io::repeat(b'x').take(UPLOAD_BYTES), UPLOAD_BYTES);
    let response = client.post(format!("{url}/upload")).body(body).send();
    let received = response.expect("a slow upload").text().expect("a body");
    assert_eq!(received, UPLOAD_BYTES.to_string());

    let never = client.get(format!("{url}/never")).read_timeout(SHORT);
    let failed = failing(|| never.send());
    assert_limit(&failed, Stage::Wait, "read_timeout", SHORT);

    let limit = ms(2000); // more than the pause before the head
    let half = client.get(format!("{url}/half")).read_timeout(limit).send().expect("a head");
    let failed = failing(|| half.bytes());
    assert_limit(&failed, Stage::Body, "read_timeout", limit);
    drop(own);
}

fn kill(child: &Child, signal: &str) {
    let command = format!("kill -{signal} {}", child.id());
    let done = Command::new("sh").args(["-c", &command]).stderr(Stdio::null()).status();
    done.expect("a shell"); // that the child has ended meanwhile is no mistake
}

#[test]
fn signals_neither_break_a_request_nor_move_a_limit() {
    const STORM_MIN: u32 = 5;
    let peer = pausing();
    let mut child = Command::new(std::env::current_exe().expect("the path of this program"))
        .args(["--exact", CHILD])
        .env(URL_VARIABLE, peer.url(""))
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program, once more");
    let end = Instant::now() + LIMIT;
    let mut stops = 0;
    while child.try_wait().expect("the child's state").is_none() {
        assert!(Instant::now() < end, "the child does not end");
        kill(&child, "STOP");
        thread::sleep(Duration::from_millis(2));
        kill(&child, "CONT");
        thread::sleep(Duration::from_millis(10));
        stops += 1;
    }
    let output = child.wait_with_output().expect("the child's words");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
    assert!(stops >= STORM_MIN, "only {stops} signals");
}
