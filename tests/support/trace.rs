//! An observer that writes down what it is shown.

use std::sync::{Arc, Mutex};

use longwire::{Event, Observer};

/// An observer that keeps a line for each event: short ones for their order, and whole ones
/// (`Debug`) to look for what must not be in them.
#[derive(Clone, Default)]
pub struct Trace {
    lines: Arc<Mutex<Vec<(String, String)>>>,
}

impl Trace {
    /// What happened, a line each: `connected`, `request GET / HTTP/1.1`, `closed Unfinished`, …
    pub fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock().expect("no test panics with the lines");
        lines.iter().map(|(short, _)| short.clone()).collect()
    }

    /// All that was shown, by `Debug`.
    pub fn whole(&self) -> String {
        let lines = self.lines.lock().expect("no test panics with the lines");
        let whole: Vec<&str> = lines.iter().map(|(_, whole)| whole.as_str()).collect();
        whole.join("\n")
    }
}

impl Observer for Trace {
    fn event(&self, event: &Event<'_>) {
        let first_line = |text: &str| text.lines().next().unwrap_or("").to_owned();
        let short = match event {
            Event::Resolved { host, .. } => format!("resolved {host}"),
            Event::Connected { .. } => "connected".to_owned(),
            Event::Secured { .. } => "secured".to_owned(),
            Event::Reused { nth, .. } => format!("reused for exchange {nth}"),
            Event::RequestHead { text, .. } => format!("request {}", first_line(text)),
            Event::InterimHead { text, .. } => format!("interim {}", first_line(text)),
            Event::ResponseHead { text, .. } => format!("response {}", first_line(text)),
            Event::Redirect { status, from, to, .. } => {
                format!("redirect {status} from {} to {}", from.path(), to.path())
            }
            Event::Retry { .. } => "retry".to_owned(),
            Event::Kept { .. } => "kept".to_owned(),
            Event::Closed { reason, .. } => format!("closed {reason:?}"),
            _ => return, // what the call and the body report
        };
        let mut lines = self.lines.lock().expect("no test panics with the lines");
        lines.push((short, format!("{event:?}")));
    }
}
