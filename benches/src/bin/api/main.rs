//! What programs exchange with an API: JSON in both directions, and files in multipart forms. longwire beside a bare
//! socket loop with serde_json (`bare`), ureq and reqwest. On loopback, without TLS.
//!
//!     cargo run --release --manifest-path benches/Cargo.toml --features api --bin api [-- --quick] [--only WORK]... [--rounds N]
//!
//! A full run writes `results-api.md` here; `--quick` (a fraction, 3 rounds) and `--only` write it to
//! `target/`. How it is measured stands in `src/lib.rs`.

mod bare;
mod calls;
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
    tables: Results::tables,
    file: "results-api",
};

fn main() -> io::Result<()> {
    BENCH.run().map(drop)
}
