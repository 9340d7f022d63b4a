//! longwire beside a bare socket loop (`raw`), the limit of a sound library (`rawhttparse`) and other
//! blocking clients, on loopback, without TLS.
//!
//!     cargo run --release --manifest-path benches/Cargo.toml [-- --quick] [--only WORK]... [--rounds N]
//!
//! A full run writes `results.md` and `results.svg` here; `--quick` (a fraction, 3 rounds) and
//! `--only` write them to `target/`. How it is measured stands in `src/lib.rs`.

mod chart;
mod clients;
mod go;
mod works;

use std::io;
use std::net::TcpListener;

use longwire_benches::client::curl;
use longwire_benches::run::Bench;
use longwire_benches::server::{self, Tcp};
use longwire_benches::table::Results;

const BENCH: Bench = Bench {
    clients: clients::names,
    works: &works::WORKS,
    scheme: "http",
    server_for: |_| "tcp",
    can: clients::can,
    serve: |_| server::run(TcpListener::bind(("127.0.0.1", 0))?, Tcp, server::answers()),
    sample: clients::sample,
    note,
    tables,
    file: "results",
};

fn note() -> String {
    let go = go::build().unwrap_or_else(|why| format!("NOT MEASURED: Go's net/http ({why})"));
    format!("{}; {go}. The work with 8 threads was done on all cores.", curl::version())
}

fn tables(results: &Results) -> String {
    let small = results.wall_table(clients::SOUND, works::is_small);
    format!("{}\nThe small ones again. {small}\n{}", results.wall_table("raw", |_| true), results.cpu_table())
}

fn main() -> io::Result<()> {
    match BENCH.run()? {
        Some((results, folder)) => std::fs::write(folder.join("results.svg"), chart::draw(&results)),
        None => Ok(()),
    }
}
