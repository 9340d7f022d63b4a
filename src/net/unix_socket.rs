//! A unix socket in the place of TCP: one path, whatever the URL's host.

use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Result};
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
use crate::net::stream::{Connect, Stream, Target};

pub(crate) struct UnixSocket(pub(crate) PathBuf);

impl Connect for UnixSocket {
    /// It waits where the listener's queue is full, and cannot be told for how long: so a helper
    /// does it.
    #[cfg(unix)]
    fn connect(&self, _: &Target<'_>, deadline: Deadline, token: &CancelToken) -> Result<Box<dyn Stream>> {
        use std::os::unix::net::UnixStream;

        use crate::net::helper::{self, Mailbox};

        let mailbox = Mailbox::new();
        let (slot, path) = (mailbox.slot(), self.0.clone());
        helper::start("longwire-connect", Box::new(move || slot.put(UnixStream::connect(path))))
            .map_err(|error| Error::from_io(ErrorKind::Connect, "no thread for the attempt", error))?;
        match mailbox.wait(deadline, Some(token))? {
            Some(Ok(stream)) => Ok(Box::new(stream)),
            Some(Err(error)) => {
                Err(Error::from_io(ErrorKind::Connect, format!("unix socket {}", self.0.display()), error))
            }
            None => Err(deadline.error("connecting")),
        }
    }

    #[cfg(not(unix))]
    fn connect(&self, _: &Target<'_>, _: Deadline, _: &CancelToken) -> Result<Box<dyn Stream>> {
        let what = format!("unix socket {}: this system has none", self.0.display());
        Err(Error::new(ErrorKind::Connect, what))
    }
}
