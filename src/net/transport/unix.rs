//! A unix socket in place of TCP: one path, whatever the URL's host. Knows no proxies and no TLS.

#[cfg(unix)]
use std::io;
#[cfg(unix)]
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
#[cfg(unix)]
use std::{path::Path, slice};

use crate::error::{Error, ErrorKind, Result};
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
#[cfg(unix)]
use crate::net::dial::{
    permits::Permits,
    race::{self, RaceError},
};
#[cfg(unix)]
use crate::net::transport::socket::without_sigpipe;
use crate::net::transport::{Connect, Stream, Target};

pub(crate) struct UnixSocket {
    path: PathBuf,
    #[cfg(unix)]
    permits: Permits<PathBuf>,
}

impl UnixSocket {
    pub(crate) fn new(path: PathBuf) -> UnixSocket {
        UnixSocket {
            path,
            #[cfg(unix)]
            permits: Permits::default(),
        }
    }
}

impl Connect for UnixSocket {
    /// Where the listener's backlog is full, a connect blocks until the listener accepts or closes, and
    /// takes no timeout. So it runs on a worker, as in a race of one address.
    #[cfg(unix)]
    fn connect(&self, _: &Target<'_>, deadline: Deadline, token: &CancelToken) -> Result<Box<dyn Stream>> {
        let open = |path: &PathBuf, _| open(path);
        match race::run(&self.permits, slice::from_ref(&self.path), open, deadline, Some(token)) {
            Ok((_, stream)) => Ok(Box::new(stream)),
            Err(RaceError::Cancelled(error)) => Err(error),
            Err(RaceError::TimedOut(_, queued)) => Err(deadline.error(&race::describe_timeout::<&str>(&[], queued))),
            Err(RaceError::AllFailed(mut failed)) => {
                let error = failed.pop().map_or(io::ErrorKind::NotFound.into(), |(_, error)| error);
                Err(Error::from_io(ErrorKind::Connect, format!("unix socket {}", self.path.display()), error))
            }
        }
    }

    #[cfg(not(unix))]
    fn connect(&self, _: &Target<'_>, _: Deadline, _: &CancelToken) -> Result<Box<dyn Stream>> {
        let what = format!("unix socket {}: this platform has none", self.path.display());
        Err(Error::new(ErrorKind::Connect, what))
    }
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<TcpStream> {
    loop {
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {} // by a signal
            connected => return connected.map(without_sigpipe),
        }
    }
}
