//! longwire beside a bare socket loop with the codings' own decoders (`bare`), ureq and reqwest: GETs of
//! compressed bodies, decoded to their end. On loopback, without TLS.
//!
//!     cargo run --release --manifest-path benches/Cargo.toml --features coded --bin coded [-- --quick] [--only WORK]... [--rounds N]
//!
//! A full run writes `results-coded.md` here; `--quick` (a fraction, 3 rounds) and `--only` write it to
//! `target/`. How it is measured stands in `src/lib.rs`.

mod bare;
mod clients;
mod content;
mod works;

use std::io;
use std::net::TcpListener;

use longwire_benches::machine;
use longwire_benches::run::Bench;
use longwire_benches::server::{self, Tcp};
use longwire_benches::table::Results;

const BENCH: Bench = Bench {
    clients: || clients::NAMES.to_vec(),
    works: &works::WORKS,
    scheme: "http",
    server_for: |_| "tcp",
    can: clients::can,
    serve,
    sample: clients::sample,
    note,
    tables,
    file: "results-coded",
};

fn serve(_kind: &str) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    server::run(listener, Tcp, content::answers()?)
}

fn note() -> String {
    let locked = |name: &str| machine::versions_of(name).join(" or ");
    format!(
        "All decode gzip with {} over {}, and br with {}, of which `bare` and longwire have the last; zstd is \
         decoded with {} by `bare` and longwire, with the C library ({}) by reqwest. {}",
        locked("flate2"),
        locked("miniz_oxide"),
        locked("brotli-decompressor"),
        locked("ruzstd"),
        locked("zstd-sys"),
        content::describe().expect("the content"),
    )
}

fn tables(results: &Results) -> String {
    let speeds = results.rates(|work, sample| work.bytes as f64 / sample.wall * 1e3);
    format!(
        "Decoded content, in MB (10^6 bytes) per second of wall-clock time: median.\n\n{speeds}\n{}",
        results.tables()
    )
}

fn main() -> io::Result<()> {
    BENCH.run().map(drop)
}
