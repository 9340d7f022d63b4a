//! What somebody sees who waits at a terminal.

use std::time::Duration;

use crate::process::{Folder, Get};
use crate::support::peer::Peer;

/// Longer than it takes for the progress line to appear and to be drawn again.
const STALL: Duration = Duration::from_millis(1500);

/// What `get` writes to a terminal of so many columns, while a server stalls in the middle of a body.
fn shown(columns: u16, fields: &'static str, arguments: &[&str]) -> String {
    shown_for("/dev/null", columns, fields, arguments)
}

fn shown_for(file: &str, columns: u16, fields: &'static str, arguments: &[&str]) -> String {
    let peer = Peer::start(move |mut conn, _| {
        conn.request();
        conn.send(format!("HTTP/1.1 200 OK\r\n{fields}\r\n"));
        conn.send("x".repeat(600_000));
        conn.pause(STALL);
        conn.send("y".repeat(400_000));
    });
    let ran = Get::new(&[arguments, &["-o", file, &peer.url("/")]].concat()).on_terminal(columns).run();
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.stdout.replace("\u{1b}[2K", "")
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn the_progress_line_fits_every_terminal_and_moves_while_the_server_stalls() {
    for columns in [1, 10, 25, 40, 80, 200] {
        let shown = shown(columns, "Content-Length: 1000000\r\n", &[]);
        let mut frames: Vec<_> = shown.trim_end().split('\r').collect();
        let last = frames.pop().unwrap_or_default();
        let widest = frames.iter().map(|frame| frame.chars().count()).max();
        assert!(widest <= Some(columns.into()), "{columns} columns: {frames:?}");
        let mut spinners: Vec<_> = frames.iter().filter_map(|frame| frame.chars().next()).collect();
        spinners.dedup();
        assert!(spinners.len() >= 4, "{columns} columns: {frames:?}");
        assert!(last.starts_with("Received 976.56 KiB in "), "{columns} columns: {last:?}");
        if columns >= 80 {
            assert!(frames.iter().any(|frame| frame.contains(" 60% ") && frame.contains("█░")), "{frames:?}");
        }
    }
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn a_body_of_unknown_length_has_a_line_without_a_bar_and_silence_has_none() {
    let line = shown(80, "", &[]);
    assert!(line.contains(" 585.94 KiB ") && !line.contains('%') && !line.contains('░'), "{line:?}");
    assert_eq!(shown(80, "", &["-s"]), "");
}

#[test]
#[ignore = "needs python3: run with --include-ignored"]
fn a_download_that_can_be_resumed_has_the_same_line() {
    let folder = Folder::new();
    for file in ["/dev/null", &folder.path("file")] {
        let shown = shown_for(file, 80, "Content-Length: 1000000\r\n", &["-C", "-"]);
        let mut frames = shown.trim_end().split('\r');
        assert!(frames.any(|frame| frame.contains(" 60% ") && frame.contains("█░")), "{shown:?}");
        assert!(frames.next_back().is_some_and(|last| last.starts_with("Received 976.56 KiB in ")), "{shown:?}");
    }
    assert_eq!(folder.read("file").len(), 1_000_000);
}
