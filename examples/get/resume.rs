//! `-C -`: a download that is resumed, within a run and by the next one.
//!
//! `Download` does it: the file is written as `FILE.part` until it is whole, and a later run goes on with that
//! if the server still has the same version. For standard output, and what is no regular file (`/dev/null`), only
//! what breaks within a run is made good.

use std::fs;
use std::io::Read;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use longwire::{Client, Download};

use super::PIECE_BYTES;
use super::failure::Failure;
use super::login;
use super::options::Options;
use super::output::Output;
use super::progress::Progress;
use super::request::Target;

/// How often the progress line is told how much of the file there is.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Sends the request for the whole.
pub(crate) fn begin(client: &Client, options: &Options, target: &Target<'_>) -> Result<Download, Failure> {
    Ok(Download::new(client, login::request_of(client, options, target)?.build()?)?)
}

/// Writes it to its file, or to standard output.
pub(crate) fn finish(download: &mut Download, file_name: Option<&str>, progress: &Progress) -> Result<(), Failure> {
    let is_regular = |file_name: &&str| fs::metadata(file_name).map_or(true, |there| there.is_file());
    match file_name.filter(is_regular) {
        Some(file_name) => save(download, file_name, progress),
        None => copy(download, Output::new(file_name), progress),
    }
}

/// Saves it as a file, and shows the progress by the length of the part.
fn save(download: &mut Download, file_name: &str, progress: &Progress) -> Result<(), Failure> {
    let (done, is_done) = mpsc::channel::<()>();
    let part = format!("{file_name}.part");
    let part_length = || fs::metadata(&part).map_or(0, |part| part.len());
    let saved = thread::scope(|scope| {
        scope.spawn(move || {
            while is_done.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                progress.set(part_length());
            }
        });
        let saved = download.save_to(file_name);
        drop(done);
        saved
    });
    saved.map(drop).map_err(Failure::from)
}

fn copy(download: &mut Download, mut output: Output<'_>, progress: &Progress) -> Result<(), Failure> {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let count = download.read(&mut buffer).map_err(Failure::reading)?;
        if count == 0 {
            return Ok(());
        }
        progress.set(download.position());
        output.write(&buffer[..count])?;
    }
}
