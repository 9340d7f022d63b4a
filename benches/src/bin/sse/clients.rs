//! Three ways to read a stream of events.

use longwire::Response;
use longwire_benches::client::Client;
use longwire_benches::client::longwire::Longwire;
use longwire_benches::sample::{Sample, measure};
use longwire_benches::work::Work;

use crate::works::overhead_bytes;

/// In the order of the table; the first is what all are compared with.
pub const NAMES: [&str; 3] = ["read", "events", "owned"];

pub fn sample(client: &str, work: &Work, url: &str, share: usize) -> Sample {
    let count = (work.count / share).max(1);
    let events = |way| Events { client: longwire::Client::new(), way, overhead: overhead_bytes(work) };
    match client {
        "read" => measure(Longwire(longwire::Client::new()), work, url, count),
        "events" => measure(events(Way::Lent), work, url, count),
        "owned" => measure(events(Way::Owned), work, url, count),
        _ => panic!("no client {client}"),
    }
}

#[derive(Clone, Copy)]
enum Way {
    Lent,
    Owned,
}

#[derive(Clone)]
struct Events {
    client: longwire::Client,
    way: Way,
    overhead: usize,
}

impl Client for Events {
    type Url = String;

    fn get(&mut self, url: &str, _buffer: &mut [u8]) -> usize {
        let mut events = self.client.get(url).send().and_then(Response::events).expect("events");
        let mut total = 0;
        match self.way {
            Way::Lent => {
                while let Some(event) = events.next().expect("an event") {
                    total += event.data().len() + self.overhead;
                }
            }
            Way::Owned => {
                for event in events {
                    total += event.expect("an event").data().len() + self.overhead;
                }
            }
        }
        total
    }
}
