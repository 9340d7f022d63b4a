//! The progress line, for somebody who is kept waiting: how much has come, how fast, and what is left.
//!
//! It is drawn by a thread of its own, so that it goes on when the server does not. What matters most stands
//! first, and the terminal's width cuts the line off: so it fits every width.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A download that is done sooner gets no line.
const AFTER: Duration = Duration::from_millis(500);

/// How often the line is drawn when nothing comes.
const TICK: Duration = Duration::from_millis(200);

/// The columns of the bar at the end of the line.
const BAR_COLUMNS: usize = 30;

pub(crate) struct Progress {
    bar: ProgressBar,
    drawing: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Of a body of that many bytes, if that is known.
    pub(crate) fn start(total: Option<u64>, is_watched: bool) -> Self {
        let style = ProgressStyle::with_template("{spinner}{wide_msg}").expect("the template is well formed");
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden()).with_style(style);
        let drawing = is_watched.then(|| {
            let (stop, stopped) = mpsc::channel();
            let bar = bar.clone();
            (stop, thread::spawn(move || draw(&bar, &stopped)))
        });
        Self { bar, drawing }
    }

    /// So many bytes have come over the wire.
    pub(crate) fn set(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// Takes the line away.
    pub(crate) fn finish(self) {
        if let Some((stop, drawing)) = self.drawing {
            drop(stop);
            let _ = drawing.join(); // a line that panicked is gone, too
        }
    }
}

/// Draws the line again and again until the other end of the channel is gone.
fn draw(bar: &ProgressBar, stopped: &Receiver<()>) {
    let mut wait = AFTER;
    while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        if wait == AFTER {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            wait = TICK;
        }
        bar.set_message(line(bar.position(), bar.length(), bar.per_sec(), bar.eta()));
        bar.tick();
    }
    bar.finish_and_clear();
}

/// The line for so many bytes of so many.
fn line(bytes: u64, total: Option<u64>, rate: f64, left: Duration) -> String {
    // Where nothing comes, there is nothing to tell the time by.
    let left = if rate < 1.0 { "?".to_owned() } else { format!("{:#}", HumanDuration(left)) };
    let speed = format!("{}/s", HumanBytes(rate as u64));
    let come = HumanBytes(bytes).to_string();
    match total.filter(|total| *total > 0) {
        None => format!(" {come:>11} {speed:>13}"),
        Some(total) => {
            let part = (bytes as f64 / total as f64).min(1.0);
            let filled = "█".repeat((part * BAR_COLUMNS as f64) as usize);
            format!(" {:>3.0}% {come:>11} {speed:>13} {left:>4} {filled:░<BAR_COLUMNS$}", (part * 100.0).floor())
        }
    }
}
