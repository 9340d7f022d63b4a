//! A unix socket in the place of TCP: one path, whatever the URL's host.

use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Result};
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
#[cfg(unix)]
use crate::net::helper::{self, Mailbox};
use crate::net::transport::{Connect, Stream, Target};

/// Connects that may be under way at once; the rest wait. One to a listener whose queue is full
/// takes a place, and a thread, until the listener takes it or goes.
#[cfg(unix)]
const CONNECTS_MAX: usize = 16;

pub(crate) struct UnixSocket {
    path: PathBuf,
    /// One for each connect that may begin.
    #[cfg(unix)]
    places: Mailbox<()>,
}

impl UnixSocket {
    #[cfg(unix)]
    pub(crate) fn new(path: PathBuf) -> UnixSocket {
        let places = Mailbox::new();
        let slot = places.slot();
        (0..CONNECTS_MAX).for_each(|_| slot.put(()));
        UnixSocket { path, places }
    }

    #[cfg(not(unix))]
    pub(crate) fn new(path: PathBuf) -> UnixSocket {
        UnixSocket { path }
    }
}

impl Connect for UnixSocket {
    /// It waits where the listener's queue is full, and cannot be told for how long: so a helper
    /// does it.
    #[cfg(unix)]
    fn connect(&self, _: &Target<'_>, deadline: Deadline, token: &CancelToken) -> Result<Box<dyn Stream>> {
        use std::io;
        use std::os::unix::net::UnixStream;

        let late = || deadline.error("connecting");
        let place = self.places.slot();
        self.places.wait(deadline, Some(token))?.ok_or_else(late)?;
        let mailbox = Mailbox::new();
        let (slot, path, leaving) = (mailbox.slot(), self.path.clone(), place.clone());
        let connect = move || {
            let connected = loop {
                match UnixStream::connect(&path) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {} // a signal: once more
                    connected => break connected,
                }
            };
            leaving.put(());
            slot.put(connected);
        };
        helper::start("longwire-connect", Box::new(connect)).map_err(|error| {
            place.put(());
            Error::from_io(ErrorKind::Connect, "no thread for the attempt", error)
        })?;
        match mailbox.wait(deadline, Some(token))?.ok_or_else(late)? {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => {
                Err(Error::from_io(ErrorKind::Connect, format!("unix socket {}", self.path.display()), error))
            }
        }
    }

    #[cfg(not(unix))]
    fn connect(&self, _: &Target<'_>, _: Deadline, _: &CancelToken) -> Result<Box<dyn Stream>> {
        let what = format!("unix socket {}: this system has none", self.path.display());
        Err(Error::new(ErrorKind::Connect, what))
    }
}
