//! Events that are lent (`events`) and copied (`owned`), beside longwire's own read loop over the same chunked
//! response (`read`): what reading events adds to reading bytes. On loopback.
//!
//!     cargo run --release --manifest-path benches/Cargo.toml --bin sse [-- --quick] [--only WORK]... [--rounds N]
//!
//! A full run writes `results-sse.md` here; `--quick` (a fraction, 3 rounds) and `--only` write it to `target/`.
//! How it is measured stands in `src/lib.rs`.

mod clients;
mod works;

use std::io;
use std::net::TcpListener;

use longwire_benches::run::Bench;
use longwire_benches::server::{self, Tcp};
use longwire_benches::table::Results;

const BENCH: Bench = Bench {
    clients: || clients::NAMES.to_vec(),
    works: &works::WORKS,
    scheme: "http",
    server_for: |_| "tcp",
    can: |_, _| true,
    serve: |_| server::run(TcpListener::bind(("127.0.0.1", 0))?, Tcp, works::answers()),
    sample: clients::sample,
    note: works::describe,
    tables,
    file: "results-sse",
};

fn tables(results: &Results) -> String {
    let least = results.least();
    format!("The least wall-clock time, in milliseconds (relative to `read`).\n\n{least}\n{}", results.tables())
}

fn main() -> io::Result<()> {
    BENCH.run().map(drop)
}
