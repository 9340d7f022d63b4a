//! longwire beside a bare loop over rustls (`rustls`), ureq and curl, on loopback, with TLS.
//!
//!     cargo run --release --manifest-path benches/Cargo.toml --features tls --bin tls [-- --quick] [--only WORK]... [--rounds N]
//!
//! A full run writes `results-tls.md` here; `--quick` (a fraction, 3 rounds) and `--only` write it to
//! `target/`. How it is measured stands in `src/lib.rs`. The bare loop is rustls' own `StreamOwned`
//! over a socket, with the same config as longwire's.

mod clients;
mod identity;
mod stream;
mod works;

use longwire_benches::client::curl;
use longwire_benches::run::Bench;
use longwire_benches::table::Results;

const BENCH: Bench = Bench {
    clients: || clients::NAMES.to_vec(),
    works: &works::WORKS,
    scheme: "https",
    server_for: works::server_for,
    can: clients::can,
    serve: stream::serve,
    sample: clients::sample,
    note,
    tables: Results::tables,
    file: "results-tls",
};

fn note() -> String {
    format!(
        "The server is rustls, and knows only {}; all but {} are clients with rustls and ring. OpenSSL \
         also sends the key share of a post-quantum group, which costs it some time in a full handshake.",
        identity::AGREED,
        curl::version(),
    )
}

fn main() -> std::io::Result<()> {
    BENCH.run().map(drop)
}
