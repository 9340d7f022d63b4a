//! What the benches have in common: works, the clients that do them, the server that they ask, and
//! how a run is made of samples.
//!
//! Every sample is a process of its own. All clients do one work, then all do the next, and so on
//! through all works: a round; in the next round another client begins. What counts is each
//! client's time against that of the first, the bare loop, for the same work in the same round, so
//! what else the machine does meanwhile falls on all of them; the tables give the median over the
//! rounds. Client and server share one core, which needs `taskset`: a small request is then its own
//! cost and the server's, and not the waking of a second core.

pub mod client;
pub mod machine;
pub mod memory;
pub mod run;
pub mod sample;
pub mod server;
pub mod table;
pub mod work;
