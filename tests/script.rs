//! The server in memory (`longwire::script`), records of real exchanges, and their replay.
//!
//! | file | topic |
//! |---|---|
//! | `script/server.rs` | what comes on a connection: pieces, faults, time, what is received |
//! | `script/client.rs` | what a client says of each fault, and what a script says of its requests |
//! | `script/record.rs` | what is recorded, without secrets, and played again |
//! | `script/real_servers.rs` | records of nginx and Python, and of a server with TLS |

#[cfg(feature = "__rustls")]
#[path = "tls/certificates.rs"]
mod certificates;
#[path = "script/client.rs"]
mod client;
#[path = "script/real_servers.rs"]
mod real_servers;
#[path = "script/record.rs"]
mod record;
#[path = "script/server.rs"]
mod server;
#[cfg(unix)]
#[path = "support/servers.rs"]
#[allow(dead_code, reason = "most of it is for interop.rs")]
mod servers;
#[cfg(feature = "__rustls")]
#[path = "tls/session.rs"]
mod session;
mod support;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env, fs, process};

use longwire::Client;

const URL: &str = "http://memory.test/";

/// No wait here takes longer, on the slowest machine.
const LIMIT: Duration = Duration::from_secs(20);

fn text(client: &Client, url: &str) -> String {
    client.get(url).send().expect("a response").text().expect("a body")
}

/// A folder that is not there yet, and is removed when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Folder(env::temp_dir().join(format!("longwire-script-{}-{number}", process::id())))
    }

    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("a folder");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> = entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
