//! What can go wrong, and the exit status for it: curl's ("Exit codes" in curl(1)), so that scripts which
//! know curl know `get`.
//!
//! longwire's errors say who, where and what; here they are only sorted. Nothing is printed here.

use std::fmt;
use std::io;

use longwire::{ErrorKind as Kind, Stage};

pub(crate) enum Failure {
    /// The command line.
    Usage(String),
    /// An option whose feature of longwire is not built in.
    NotBuiltIn { option: String, features: &'static str },
    /// A setting for which curl has an exit status of its own.
    Setting(u8, String),
    /// The request or its response; the message says where and why.
    Http(longwire::Error),
    /// A file that was to be sent.
    Input(String, io::Error),
    /// Where the body was to go.
    Output(String, io::Error),
}

impl Failure {
    pub(crate) fn writing(error: io::Error) -> Self {
        Self::Output("writing the body".to_owned(), error)
    }

    /// An error from reading a body carries longwire's own error inside.
    pub(crate) fn reading(error: io::Error) -> Self {
        longwire::Error::try_from(error).map_or_else(Self::writing, Self::Http)
    }

    /// Whoever read our output has seen enough, as `head` does.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(_, error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            _ if self.is_broken_pipe() => 0,
            Self::Usage(_) => 2,
            Self::NotBuiltIn { .. } => 4,
            Self::Setting(status, _) => *status,
            Self::Http(error) => curl_status(error),
            Self::Input(..) => 26,
            Self::Output(..) => 23,
        }
    }
}

/// What curl exits with where longwire gives this error. Two differences that curl makes are in
/// longwire's words only: whose name could not be looked up, and whether it is the certificate that a
/// handshake failed for.
fn curl_status(error: &longwire::Error) -> u8 {
    let says = |words: &str| error.to_string().contains(words);
    match (error.kind(), error.stage()) {
        (Kind::UnsupportedScheme, _) => 1,
        (Kind::InvalidRequest, _) => 2,
        (Kind::InvalidUrl, _) => 3,
        (Kind::Resolve, _) if says("the proxy ") => 5,
        (Kind::Resolve, _) => 6,
        (Kind::Connect | Kind::BlockedAddress, _) => 7,
        (Kind::Head | Kind::Framing | Kind::Redirect, _) => 8,
        (Kind::Truncated, Stage::Body) => 18,
        (Kind::Status, _) => 22,
        (Kind::Io, Stage::Request) => 23, // no request failed: a file did
        (Kind::Body, _) => 26,
        (Kind::Timeout, _) => 28,
        (Kind::Tls, Stage::Tls | Stage::Connect) if says("the server's certificate") => 60,
        (Kind::Tls, Stage::Tls | Stage::Connect) => 35,
        (Kind::Changed, _) => 33,
        (Kind::Cancelled, _) => 42,
        (Kind::TooManyRedirects, _) => 47,
        (Kind::Truncated, Stage::Wait) => 52,
        (Kind::Io, Stage::Send) => 55,
        (Kind::Decode, _) => 61,
        (Kind::BodyTooLarge, _) => 63,
        (Kind::Proxy, _) if error.proxy_answer().is_none() => 97, // else CONNECT was refused: 56
        _ => 56, // whatever else went wrong while something was received, and kinds yet to come
    }
}

impl From<longwire::Error> for Failure {
    fn from(error: longwire::Error) -> Self {
        Self::Http(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) => write!(f, "{what} (get --help tells more)"),
            Self::NotBuiltIn { option, features } => {
                write!(f, "option {option} is not built in: it needs the feature {features}")
            }
            Self::Setting(_, what) => f.write_str(what),
            Self::Http(error) => error.fmt(f),
            Self::Input(what, error) | Self::Output(what, error) => write!(f, "{what}: {error}"),
        }
    }
}
