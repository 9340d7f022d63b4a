//! Look-ups, races and unix sockets need threads, and a system may refuse them. That is an error
//! of the request, and of no other.
//!
//! Std reserves as much stack for a thread as `RUST_MIN_STACK` says: where that is more than there
//! is of addresses, no thread can be started. So the program runs itself once more as a child.

use std::env;
use std::thread;

use longwire::{CancelToken, Client, ErrorKind, Fate, Stage};

use super::support::peer::{Peer, ok};
use super::{refused, text};

const PORT_VARIABLE: &str = "LONGWIRE_TEST_PORT";

/// By itself with threads; as the child of the test below without.
#[test]
fn what_needs_a_thread_succeeds_or_says_so() {
    let has_threads = thread::Builder::new().spawn(|| {}).is_ok();
    assert_eq!(has_threads, env::var(PORT_VARIABLE).is_err(), "a system that starts threads of any size");
    let own = has_threads.then(|| Peer::answering(ok("here")));
    let port =
        own.as_ref().map_or_else(|| env::var(PORT_VARIABLE).expect("a port"), |peer| peer.addr().port().to_string());

    let client = Client::builder().resolver(super::Names::all_at(&[])).build();
    let token = CancelToken::new();
    let literal = || client.get(format!("http://127.0.0.1:{port}/"));
    assert_eq!(text(literal().send()), "here", "that needs none");
    client.close_idle();
    for _ in 0..super::LOOK_UPS_MAX + 1 {
        let error = refused(client.get("http://a.test/").send(), ErrorKind::Resolve);
        assert_eq!((error.stage(), error.fate()), (Stage::Resolve, Fate::NotSent));
        assert_eq!(error.to_string().contains("no thread"), !has_threads, "{error}");
    }
    if has_threads {
        assert_eq!(text(literal().cancel_token(&token).send()), "here");
    } else {
        let error = refused(literal().cancel_token(&token).send(), ErrorKind::Connect);
        assert_eq!((error.stage(), error.fate()), (Stage::Connect, Fate::NotSent));
    }
    #[cfg(unix)]
    {
        let client = Client::builder().unix_socket("/nonexistent/longwire.sock").build();
        let error = refused(client.get("http://a.test/").send(), ErrorKind::Connect);
        assert_eq!((error.stage(), error.fate()), (Stage::Connect, Fate::NotSent));
        assert_eq!(error.to_string().contains("no thread"), !has_threads, "{error}");
    }
    assert_eq!(text(literal().send()), "here");
}

#[test]
#[cfg(target_os = "linux")]
fn a_system_that_refuses_threads_fails_the_request_that_needs_one() {
    const CHILD: &str = "threads::what_needs_a_thread_succeeds_or_says_so";

    let peer = Peer::answering(ok("here"));
    let output = std::process::Command::new(env::current_exe().expect("the path of this program"))
        .args(["--exact", CHILD])
        .env(PORT_VARIABLE, peer.addr().port().to_string())
        .env("RUST_MIN_STACK", (usize::MAX / 4).to_string())
        .output()
        .expect("this program, once more");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
    assert_eq!(peer.connections(), 2);
}
