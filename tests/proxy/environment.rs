//! The environment's proxies, seen by a process that was started with them. What the variables
//! mean is tried with the function that reads them, in `src/client/proxy.rs`.

use std::env;
use std::process::Command;

use longwire::{Client, ErrorKind};

use super::support::peer::{Peer, ok};

/// Set in the processes that the test starts, to the address of their proxy.
const CHILD: &str = "LONGWIRE_TEST_PROXY";

#[test]
fn a_client_reads_the_environment_when_it_is_built() {
    match env::var(CHILD) {
        Ok(proxy) => ask_through(&proxy),
        Err(_) => start_children(),
    }
}

fn start_children() {
    let proxy = Peer::start(|mut conn, _| {
        while let Some(request) = conn.request() {
            conn.send(ok(&format!("proxied {}", request.target)));
        }
    });
    let address = proxy.addr().to_string();
    let run = Command::new(env::current_exe().expect("the path of this program"))
        .args(["--exact", "environment::a_client_reads_the_environment_when_it_is_built"])
        .env(CHILD, &address)
        .env_remove("REQUEST_METHOD")
        .env_remove("HTTP_PROXY")
        .env_remove("HTTPS_PROXY")
        .env_remove("ALL_PROXY")
        .env_remove("NO_PROXY")
        .env("http_proxy", format!("http://{address}"))
        .env("https_proxy", "nonsense://")
        .env("all_proxy", "")
        .env("no_proxy", "127.0.0.2")
        .output()
        .expect("this program runs");
    let printed = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && printed.contains("1 passed"), "{printed}");
    assert_eq!(proxy.request_lines(), ["GET http://example.test/ HTTP/1.1"]);
}

/// In a process with `http_proxy` set.
fn ask_through(proxy: &str) {
    let client = Client::new();
    let text = client.get("http://example.test/").send().unwrap().text().unwrap();
    assert_eq!(text, "proxied http://example.test/");
    let server = Peer::answering(ok("direct"));
    for client in [client, Client::builder().no_proxy().build()] {
        assert_eq!(client.get(server.url("/")).send().unwrap().text().unwrap(), "direct");
    }
    // This machine by a name of its own (RFC 6761 §6.3), which the proxy's machine has, too.
    let client = Client::builder().resolve_to("foo.localhost", server.addr()).build();
    assert_eq!(client.get("http://foo.LOCALHOST/").send().unwrap().text().unwrap(), "direct");
    let unfiltered = Client::builder().address_filter(|_| true).resolve_to("example.test", server.addr()).build();
    assert_eq!(unfiltered.get("http://example.test/").send().unwrap().text().unwrap(), "direct");
    assert_ne!(server.addr().to_string(), proxy);
    // Without TLS nothing is asked of a proxy for https, and its nonsense does not stand in the way.
    let error = Client::new().get("https://example.test/").send().unwrap_err();
    let want = if cfg!(feature = "__rustls") { ErrorKind::InvalidRequest } else { ErrorKind::UnsupportedScheme };
    assert_eq!(error.kind(), want, "{error}");
}
