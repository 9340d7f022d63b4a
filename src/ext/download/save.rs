//! A download as a file: written under another name until it is whole, and gone on with by a later process.
//!
//! For `disk.img` there are, until it is done, `disk.img.part`, the beginning of the file, and
//! `disk.img.part.tag`, which version of what that is: the validator in the first line, the URL in the second,
//! the content coding, if there is one, in the third.
//! The tag is written while the part is empty, and not touched again: so whenever the process ends, what the
//! part holds is the beginning of what the tag says.
//!
//! The URL is written without its userinfo, query and fragment, which may be secrets: signatures, tokens. So
//! two URLs that differ only in their queries are the same to the tag. Their strong entity tags would have to
//! be the same, too; dates are the same more easily, and do not count for a URL with a query.
//!
//! There is no lock: std has one only since Rust 1.89. That another process writes to the same part shows in
//! its length in the end.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use url::Position;

use crate::error::{Error, ErrorKind, Result};
use crate::ext::download::answer::Voucher;
use crate::ext::download::{Download, State};

/// The size of a read: larger than the client's own buffer, so that bytes come straight from the socket.
const PIECE_BYTES: usize = 64 * 1024;

/// What [`Download::save_to`] has done.
///
/// ```no_run
/// use longwire::{Client, Download, Method, Request};
///
/// let request = Request::new(Method::GET, "http://example.com/disk.img")?;
/// let saved = Download::new(&Client::new(), request)?.save_to("disk.img")?;
/// println!("{} bytes, resumed {} times", saved.bytes, saved.resumed);
/// # Ok::<(), longwire::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Saved {
    /// The length of the file.
    pub bytes: u64,
    /// How often the download went on after an interruption, that of an earlier process included.
    pub resumed: u32,
}

impl Download {
    /// Saves the content as the file `path`, in place of one that is there.
    ///
    /// Until it is whole it is written to `path` with `.part` behind it, in the same folder; then it is checked
    /// against the length that the server told, flushed to the disk and renamed. So `path` is always either
    /// what it was before or all of the download. After an error the part stays, and so it does after the end
    /// of the process: the next call for the same path goes on with it, if it is of the same URL and of the
    /// version that the server has now, and begins anew otherwise. `.part.tag` beside it says what it is of:
    /// the [`validator`](Download::validator), and the URL without its query, which may hold secrets. (With a
    /// query, only the `ETag` tells one URL's file from another's: a part with a date begins anew, unless the
    /// caller [vouches](Download::assume_unchanged) for it.)
    ///
    /// If the resource changes on the server meanwhile, the download begins anew, once. Two processes must
    /// not save to the same path at once.
    ///
    /// Nothing may have been read from the download before. It blocks until all is done; for a progress bar,
    /// read and write in a loop of your own.
    ///
    /// # Errors
    /// Those of reading; [`ErrorKind::Io`] with the system's error inside where a file cannot be opened,
    /// read, written or renamed, is not as long as what was written to it, or is a symbolic link in the place
    /// of the part, and the message names it;
    /// [`ErrorKind::InvalidRequest`] if `path` is there and no regular file, or if something was read
    /// before.
    #[doc(alias("--continue-at", "--output"))]
    pub fn save_to(&mut self, path: impl AsRef<Path>) -> Result<Saved> {
        let path = path.as_ref();
        self.check_target(path)?;
        let mut files = Files::open(path)?;
        self.take_up(&mut files)?;
        let mut may_restart = true;
        let mut buffer = vec![0; PIECE_BYTES];
        loop {
            match self.read_into(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    if self.position == count as u64 {
                        files.begin(self.tag())?; // only now is it sure which version comes
                    }
                    files.write(&buffer[..count])?;
                }
                Err(error) if error.kind() == ErrorKind::Changed && may_restart => {
                    may_restart = false;
                    self.restart();
                }
                Err(error) => return Err(error),
            }
        }
        if self.position == 0 {
            files.begin(self.tag())?;
        }
        files.finish(self.position)?;
        Ok(Saved { bytes: self.position, resumed: self.resumed })
    }

    fn check_target(&self, path: &Path) -> Result<()> {
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        let what = match fs::metadata(path) {
            _ if self.position > 0 => "saving a download of which something was read already".to_owned(),
            Ok(there) if !there.is_file() => format!("saving to {path:?}, which is no regular file"),
            _ => return Ok(()),
        };
        Err(self.about(Error::new(ErrorKind::InvalidRequest, what)))
    }

    /// Goes on with the part that is there, if it is of the same version.
    fn take_up(&mut self, files: &mut Files) -> Result<()> {
        let has = files.length()?;
        let may_fit = has > 0 && self.length.is_none_or(|length| has <= length);
        if may_fit && self.tag().is_some_and(|tag| files.have_tag(&tag)) {
            files.seek(has)?;
            self.continue_at(has);
        }
        Ok(())
    }

    /// What a later process must find to go on with the part; `None` if it could not know that it may.
    fn tag(&self) -> Option<Vec<u8>> {
        let url = self.request.url();
        let is_vouched_for = self.voucher == Voucher::Caller;
        if url.query().is_some() && !self.version.has_strong_etag() && !is_vouched_for {
            return None;
        }
        let validator = match self.validator() {
            Some(validator) => validator,
            None if is_vouched_for => "",
            None => return None,
        };
        let mut tag = format!("{validator}\n{}\n", &url[..Position::AfterPath]).into_bytes();
        if let Some(coding) = self.version.coding() {
            tag.extend([coding, b"\n"].concat());
        }
        Some(tag)
    }
}

/// A part and its tag.
struct Files {
    path: PathBuf,
    part_path: PathBuf,
    tag_path: PathBuf,
    part: File,
}

impl Files {
    fn open(path: &Path) -> Result<Files> {
        let beside = |end: &str| {
            let mut name = OsString::from(path);
            name.push(end);
            PathBuf::from(name)
        };
        let (part_path, tag_path) = (beside(".part"), beside(".part.tag"));
        // The file that it leads to would be written over, and the link renamed. (A device loses nothing.)
        let is_link = fs::symlink_metadata(&part_path).is_ok_and(|there| there.is_symlink());
        if is_link && fs::metadata(&part_path).map_or(true, |there| there.is_file()) {
            return Err(failed("opening", &part_path)(io::Error::other("it is a symbolic link")));
        }
        let part = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&part_path);
        let part = part.map_err(failed("opening", &part_path))?;
        Ok(Files { path: path.to_owned(), part_path, tag_path, part })
    }

    fn length(&self) -> Result<u64> {
        Ok(self.part.metadata().map_err(failed("reading the length of", &self.part_path))?.len())
    }

    /// Returns whether the part is of that. A tag that cannot be read is another one.
    fn have_tag(&self, tag: &[u8]) -> bool {
        let mut found = Vec::new();
        let bytes_max = tag.len() as u64 + 1;
        let read = File::open(&self.tag_path).and_then(|file| file.take(bytes_max).read_to_end(&mut found));
        read.is_ok() && found == tag
    }

    fn seek(&mut self, position: u64) -> Result<()> {
        let sought = self.part.seek(SeekFrom::Start(position));
        sought.map(drop).map_err(failed("seeking in", &self.part_path))
    }

    /// Empties the part, and then says what it will be of.
    fn begin(&mut self, tag: Option<Vec<u8>>) -> Result<()> {
        if self.length()? > 0 {
            // On the disk, too, before there is another tag.
            let emptied = self.part.set_len(0).and_then(|()| self.part.sync_all());
            emptied.map_err(failed("emptying", &self.part_path))?;
        }
        self.seek(0)?;
        match tag {
            Some(tag) => self.write_tag(&tag).map_err(failed("writing", &self.tag_path)),
            None => remove(&self.tag_path).map_err(failed("removing", &self.tag_path)),
        }
    }

    /// Writes the tag as a file of its own, whatever was there, and on the disk before there are bytes that it
    /// is about.
    fn write_tag(&self, tag: &[u8]) -> io::Result<()> {
        remove(&self.tag_path)?;
        let mut file = File::create_new(&self.tag_path)?;
        file.write_all(tag)?;
        file.sync_all()
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.part.write_all(bytes).map_err(failed("writing", &self.part_path))
    }

    /// Makes the part, which is whole with that length, the file.
    fn finish(self, length: u64) -> Result<()> {
        let found = self.length()?;
        if found != length {
            let what = format!("is {found} bytes long after {length} were written: is another process writing to it?");
            let error = io::Error::other(what);
            return Err(failed("checking", &self.part_path)(error));
        }
        self.part.sync_all().map_err(failed("flushing", &self.part_path))?;
        let Files { path, part_path, tag_path, part } = self;
        drop(part); // some systems rename no file that is open
        fs::rename(&part_path, &path).map_err(failed("renaming", &part_path))?;
        sync_folder_of(&path).map_err(failed("flushing the folder of", &path))?;
        remove(&tag_path).map_err(failed("removing", &tag_path))
    }
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Lets a rename survive a power failure. A folder that may be written and not read cannot be flushed, and on
/// some file systems (of networks and virtual machines) none can.
#[cfg(unix)]
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(folder) {
        Ok(folder) => match folder.sync_all() {
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
            flushed => flushed,
        },
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// Only unix has a call for that.
#[cfg(not(unix))]
fn sync_folder_of(_: &Path) -> io::Result<()> {
    Ok(())
}

/// What could not be done to which file.
fn failed(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let what = format!("{doing} {path:?}");
    move |error| Error::from_io(ErrorKind::Io, what, error)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// As of some network file systems.
    #[test]
    fn a_folder_that_its_file_system_cannot_flush_is_no_error() {
        let flushed = File::open("/proc/self").expect("a folder").sync_all();
        assert_eq!(flushed.expect_err("it cannot be flushed").kind(), io::ErrorKind::InvalidInput);
        sync_folder_of(Path::new("/proc/self/file")).expect("nothing to flush");
        sync_folder_of(Path::new("/none/file")).expect_err("no such folder");
    }
}
