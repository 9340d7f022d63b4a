//! What longwire makes of a response, through its public client and a server in memory.
//!
//! The connection gives its bytes, is quiet then, and ends only when the client waits for it. So it is
//! seen what needs the end and what does not.

use std::io::Read;

use longwire::script::{Script, raw};
use longwire::{Client, Error, Method};

use crate::{End, Outcome};

/// What longwire makes of the bytes.
pub(crate) fn outcome(method: &str, bytes: &[u8]) -> Outcome {
    let script = Script::answering(raw(bytes).awaited().close());
    let client = Client::builder().connector(script).max_redirects(0).build();
    let mut outcome = Outcome {
        status: None,
        fields: Vec::new(),
        body: Vec::new(),
        end: End::Complete,
        reuse: false,
        why: String::new(),
    };
    let method = Method::new(method).expect("the fixtures' methods are methods");
    match client.request(method, "http://peer.test/").send() {
        Err(error) => fail(&mut outcome, &error),
        Ok(mut response) => {
            outcome.status = Some(response.status().as_u16());
            let fields = response.headers().iter();
            outcome.fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec())).collect();
            if let Err(error) = response.read_to_end(&mut outcome.body) {
                fail(&mut outcome, &Error::try_from(error).expect("a body's errors are longwire's"));
            }
            outcome.reuse = client.pool_stats().idle == 1;
        }
    }
    outcome.sorted()
}

fn fail(outcome: &mut Outcome, error: &Error) {
    outcome.end = if error.kind() == longwire::ErrorKind::Truncated { End::Cut } else { End::Refused };
    outcome.why = error.to_string();
}
