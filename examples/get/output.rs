//! Where a body goes: standard output, or a file, which is there as soon as there is something to write.

use std::fs::File;
use std::io::{self, IsTerminal, Write};

use super::failure::Failure;
use super::options::Destination;
use super::request;

/// A destination, opened by the first write to it.
pub(crate) struct Output<'o> {
    /// `None` for standard output.
    file_name: Option<&'o str>,
    writer: Option<Box<dyn Write>>,
}

impl<'o> Output<'o> {
    pub(crate) fn new(file_name: Option<&'o str>) -> Self {
        Self { file_name, writer: None }
    }

    /// Returns whether somebody sees on a terminal what is written.
    pub(crate) fn is_shown(&self) -> bool {
        self.file_name.is_none() && io::stdout().is_terminal()
    }

    /// Writes all of this, and keeps nothing back.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(open(self.file_name)?),
        };
        writer.write_all(bytes).and_then(|()| writer.flush()).map_err(Failure::writing)
    }
}

fn open(file_name: Option<&str>) -> Result<Box<dyn Write>, Failure> {
    let Some(path) = file_name else { return Ok(Box::new(io::stdout())) };
    let file = File::create(path).map_err(|error| Failure::Output(path.to_owned(), error))?;
    Ok(Box::new(file))
}

/// The name of the file that the body of `url` goes to; `None` for standard output.
pub(crate) fn file_name(destination: &Destination, url: &str) -> Result<Option<String>, Failure> {
    match destination {
        Destination::Stdout => Ok(None),
        Destination::File(path) => Ok(Some(path.clone())),
        Destination::RemoteName => {
            // There is neither a slash nor a `..` in a part of the path.
            let url = request::parse(url)?;
            let name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
            match name {
                "" => Err(Failure::Setting(23, "-O: there is no file name in the URL".to_owned())),
                // A colon stands behind the letter of a drive there.
                _ if cfg!(windows) => Ok(Some(name.replace(':', "_"))),
                _ => Ok(Some(name.to_owned())),
            }
        }
    }
}
