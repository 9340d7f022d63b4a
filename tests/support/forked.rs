//! A client on both sides of `fork()`, which std does not have: this program runs itself once more,
//! with no thread but the test's that does anything, and that process forks. Linux only.
//!
//! Whatever a child does with its copy of the client, the parent's next request must go over the
//! connection that it had, and get its own response.
#![allow(unsafe_code)]

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use longwire::{Client, Response};

const URL_VARIABLE: &str = "LONGWIRE_TEST_FORK_URL";
const LIMIT: Duration = Duration::from_secs(60);

/// More than is read with a head, so that a body is open; less than a dropped one takes in.
pub(crate) const LARGE_BYTES: usize = 20_000;

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(status: i32) -> !;
}

/// The URL that the parent was started with; `None`: this is the test program itself.
pub(crate) fn url() -> Option<String> {
    env::var(URL_VARIABLE).ok()
}

/// Starts the parent: this program, where that test alone runs.
pub(crate) fn start_parent(test: &str, url: &str, variables: &[(&str, &str)]) {
    let mut parent = Command::new(env::current_exe().expect("the path of this program"))
        .args(["--exact", test, "--test-threads=1", "--nocapture"])
        .env(URL_VARIABLE, url)
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program, once more");
    let end = Instant::now() + LIMIT;
    while parent.try_wait().expect("the parent's state").is_none() {
        if Instant::now() > end {
            parent.kill().expect("our own process");
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = parent.wait_with_output().expect("the parent's words");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
}

/// Does this in a child of its own, and waits for the child's end, without any cleaning up.
fn in_child(act: impl FnOnce()) {
    let threads = fs::read_dir("/proc/self/task").expect("the list of threads").count();
    assert!(threads <= 2, "the child would have the locks of threads that it does not have");
    // SAFETY: the one other thread is the harness's, which only waits for this one, and holds no lock.
    let child = unsafe { fork() };
    assert!(child >= 0, "{}", std::io::Error::last_os_error());
    if child == 0 {
        let outcome = catch_unwind(AssertUnwindSafe(act));
        // SAFETY: it only ends the process, and past the test harness, of which this is a copy.
        unsafe { _exit(i32::from(outcome.is_err())) }
    }
    let mut status = 0;
    // SAFETY: the status is a place of ours.
    let waited = unsafe { waitpid(child, &mut status, 0) };
    assert_eq!((waited, status), (child, 0), "the child has failed");
}

/// The response to each path is that path, and it comes on an exchange with this number.
fn ask(client: &Client, url: &str, path: &str, exchange: u32) {
    let response = client.get(format!("{url}{path}")).send().expect("a response");
    assert_eq!(response.connection().nth(), exchange, "of the connection for {path}");
    assert_eq!(response.text().expect("a body"), path);
}

/// The parent: it forks between its requests.
pub(crate) fn run_parent(client: Client, url: &str) {
    let mut client = Some(client);
    let parent = |client: &Option<Client>, path, exchange| ask(client.as_ref().expect("ours"), url, path, exchange);
    parent(&client, "/1", 1);

    in_child(|| client.as_ref().expect("a copy").close_idle());
    parent(&client, "/2", 2);

    in_child(|| drop(client.take()));
    parent(&client, "/3", 3);

    in_child(|| {
        client.as_ref().expect("a copy").close_idle();
        for (path, exchange) in [("/child/1", 1), ("/child/2", 2)] {
            parent(&client, path, exchange);
        }
        drop(client.take());
    });
    parent(&client, "/4", 4);

    let mut open = Some(open_body(client.as_ref().expect("ours"), url));
    in_child(|| drop(open.take()));
    let mut body = String::new();
    open.take().expect("ours").read_to_string(&mut body).expect("the rest of the body");
    assert!(body == "x".repeat(LARGE_BYTES), "{} bytes", body.len());
    parent(&client, "/6", 6);

    // The whole of a small body lies in both copies' buffers: the connection is the parent's.
    let small = client.as_ref().expect("ours").get(format!("{url}/small")).send().expect("a head");
    let mut small = Some(small);
    in_child(|| {
        client.as_ref().expect("a copy").close_idle();
        drop(small.take());
        parent(&client, "/child/3", 1);
    });
    assert_eq!(small.take().expect("ours").text().expect("a body"), "/small");
    parent(&client, "/8", 8);
}

fn open_body(client: &Client, url: &str) -> Response {
    client.get(format!("{url}/large")).send().expect("a head")
}
