//! Exchanges with a server, written to files as they happen: `001.request` and `001.http`, and so on.
//!
//! A request begins the next exchange as soon as the one before it on its connection is whole, and what is read
//! until then is the response: that takes no knowledge of where a response ends. What a secret is, is not known
//! here.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind as IoErrorKind, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::client::Client;
use crate::client::builder::ClientBuilder;
use crate::client::direct::Direct;
use crate::error::{Error, ErrorKind, Result};
use crate::ext::script::message::{Message, Piece, status};
use crate::ext::script::secrets;
use crate::ext::script::seen::Seen;
use crate::net::cancel::CancelToken;
use crate::net::deadline::Deadline;
use crate::net::transport::{Connect, Stream, Target};

/// A connector that writes what is exchanged on its connections to files, for a [`Replay`](super::Replay).
///
/// Each exchange has two files, raw as on the wire: `001.request`, `001.http`, and so on, in the order in which
/// the requests began. `https` is recorded too, in plain text. It passes on every byte and every error. Two
/// things are not as without it: `connection().tls()` is `None`, since TLS is done below it, and an HTTP proxy
/// opens a tunnel for `http` as well.
///
/// ```no_run
/// use longwire::script::{Record, Replay};
///
/// let url = "https://api.example/items";
/// // Once, with the server:
/// let client = Record::to("tests/items")?.client();
/// let items = client.get(url).bearer_auth("s3cret").send()?.text()?;
///
/// // From then on, without it:
/// let client = Replay::from("tests/items")?.client();
/// assert_eq!(client.get(url).bearer_auth("any").send()?.text()?, items);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Secrets
///
/// In heads and trailers each byte of a secret is written as `*`: the values of `Authorization`,
/// `Proxy-Authorization` and `Cookie`, of fields with one of the words key, token, secret, password, session,
/// signature or auth between the dashes of their name, and those given to [`redact`](Record::redact); the value
/// of the cookie in `Set-Cookie`, whose name and attributes stay; in URLs user and password, and the values of
/// parameters with such a name (percent-encoded or not).
///
/// **Bodies are written as they are.** Look at them before you share the files.
///
/// # What is not recorded
///
/// What a server sends before it is asked; what follows a 101 (Switching Protocols). A response that is not
/// read to its end is recorded as far as it was read. With a client that pipelines, which longwire's does not,
/// a response is found with the wrong request.
///
/// # Errors
///
/// Where a file cannot be written, the request fails, and so do all later ones: with [`ErrorKind::Io`], and the
/// path in the text. A head, or a line of the chunked coding, of over 1 MiB cannot be recorded.
///
/// An `https` connection that is not [secure](Stream::is_secure), over which the client would do TLS itself, is
/// refused with [`ErrorKind::InvalidRequest`]: only ciphertext could be recorded.
#[doc(alias("VCR", "cassette"))]
#[derive(Clone)]
#[must_use]
pub struct Record {
    connect: Arc<dyn Connect>,
    folder: Arc<Folder>,
    redacted: Arc<[String]>,
}

/// Where files are written.
struct Folder {
    path: PathBuf,
    progress: Mutex<Progress>,
}

struct Progress {
    exchanges: usize,
    /// What could not be written: the record is not whole.
    failed: Option<(IoErrorKind, String)>,
}

impl Record {
    /// Records the exchanges on connections that are opened as a client does it with the default settings
    /// ([`Direct::new`]), in a folder, which is created if it is not there.
    ///
    /// # Errors
    /// `AlreadyExists` if files of a record are in the folder: remove them to record anew. Else what the
    /// system reports of the folder.
    pub fn to(folder: impl AsRef<Path>) -> io::Result<Record> {
        Record::new(Direct::new(), folder)
    }

    /// Records the exchanges on connections that this connector opens: a [`Direct`] with settings, say.
    ///
    /// ```no_run
    /// use longwire::script::Record;
    /// use longwire::transport::Direct;
    /// use longwire::{Client, Proxy};
    ///
    /// let proxied = Direct::with(Client::builder().proxy(Proxy::new("http://proxy.example:3128")?))?;
    /// let client = Record::new(proxied, "tests/items")?.client();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`to`](Record::to).
    pub fn new(connect: impl Connect + 'static, folder: impl AsRef<Path>) -> io::Result<Record> {
        let path = folder.as_ref().to_owned();
        fs::create_dir_all(&path).map_err(|error| about(&path, error))?;
        if let Some((number, _)) = recorded_files(&path)?.first() {
            let what = format!("{}: it has a record (number {number}); remove that first", path.display());
            return Err(io::Error::new(IoErrorKind::AlreadyExists, what));
        }
        let progress = Mutex::new(Progress { exchanges: 0, failed: None });
        Ok(Record { connect: Arc::new(connect), folder: Arc::new(Folder { path, progress }), redacted: Arc::new([]) })
    }

    /// Takes the field, or the parameter in a URL, with this name for a secret. Case counts for nothing. Those
    /// that frame a message are never blanked (as Content-Length).
    pub fn redact(mut self, name: &str) -> Record {
        self.redacted = self.redacted.iter().cloned().chain([name.to_owned()]).collect();
        self
    }

    /// Returns a client whose exchanges are recorded. All else is as in [`Client::new`].
    #[must_use]
    pub fn client(&self) -> Client {
        self.builder().build()
    }

    /// Returns a builder of such clients, for other settings. Those about connections are given to
    /// [`Direct::with`] instead.
    pub fn builder(&self) -> ClientBuilder {
        Client::builder().connector(self.clone())
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exchanges = self.folder.lock().exchanges;
        f.debug_struct("Record")
            .field("folder", &self.folder.path)
            .field("exchanges", &exchanges)
            .finish_non_exhaustive()
    }
}

impl Connect for Record {
    fn connect(&self, target: &Target<'_>, deadline: Deadline, token: &CancelToken) -> Result<Box<dyn Stream>> {
        self.folder.check().map_err(|error| Error::from_io(ErrorKind::Io, "nothing more is recorded", error))?;
        let inner = self.connect.connect(target, deadline, token)?;
        if target.is_https() && !inner.is_secure() {
            let what = "https is recorded on streams that are secure, as those of transport::Direct";
            return Err(Error::new(ErrorKind::InvalidRequest, what));
        }
        let (folder, redacted) = (self.folder.clone(), self.redacted.clone());
        let recorder = Recorder { folder, redacted, state: State::Unasked, is_incomplete: false };
        Ok(Box::new(RecordingStream { inner, recorder }))
    }
}

/// The files of a record in a folder, by number, `.http` before `.request`.
pub(super) fn recorded_files(folder: &Path) -> io::Result<Vec<(usize, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| about(folder, error))? {
        let path = entry.map_err(|error| about(folder, error))?.path();
        let is_ours = path.extension().is_some_and(|ending| ending == "request" || ending == "http");
        let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|_| is_ours);
        let is_number = |stem: &&str| stem.len() >= 3 && stem.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(number) = stem.filter(is_number).and_then(|stem| stem.parse().ok()) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

/// An error with the path that it is about.
pub(super) fn about(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Folder {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the error that has made the record incomplete, if there was one.
    fn check(&self) -> io::Result<()> {
        match &self.lock().failed {
            Some((kind, what)) => Err(io::Error::new(*kind, what.clone())),
            None => Ok(()),
        }
    }

    /// Keeps an error for all that comes after it.
    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            let what = format!("the record of the exchange: {error}");
            self.lock().failed.get_or_insert((error.kind(), what));
            self.check()?;
        }
        result
    }

    /// Creates the two files of the next exchange.
    fn next_exchange(&self) -> io::Result<[Output; 2]> {
        let mut progress = self.lock();
        let number = progress.exchanges + 1;
        let create = |ending: &str| {
            let path = self.path.join(format!("{number:03}.{ending}"));
            let file = OpenOptions::new().write(true).create_new(true).open(&path);
            file.map(|file| Output { file, path: path.clone() }).map_err(|error| about(&path, error))
        };
        let outputs = [create("request")?, create("http")?];
        progress.exchanges = number;
        Ok(outputs)
    }
}

struct Output {
    file: File,
    path: PathBuf,
}

impl Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).map_err(|error| about(&self.path, error))
    }

    /// Writes a piece of a message without its secrets.
    fn write_piece(&mut self, piece: Piece<'_>, redacted: &[String]) -> io::Result<()> {
        match piece {
            Piece::Head(mut head) => {
                secrets::blank_head(&mut head, redacted);
                self.write(&head)
            }
            Piece::Trailer(mut line) => {
                secrets::blank_trailer(&mut line, redacted);
                self.write(&line)
            }
            Piece::Content(content) => self.write(content),
            Piece::Coding(line) => self.write(&line),
        }
    }

    /// Writes what has come of a head or a line that is not whole.
    fn write_held(&mut self, message: &mut Message, redacted: &[String]) -> io::Result<()> {
        let mut piece = message.take_held();
        if let Some(Piece::Head(held) | Piece::Trailer(held)) = &mut piece {
            secrets::blank_cut_authority(held);
        }
        piece.map_or(Ok(()), |piece| self.write_piece(piece, redacted))
    }
}

/// Writes what one connection moves.
struct Recorder {
    folder: Arc<Folder>,
    redacted: Arc<[String]>,
    state: State,
    /// Something of this connection could not be written.
    is_incomplete: bool,
}

enum State {
    /// No request has begun yet.
    Unasked,
    Exchange(Box<Exchange>),
    /// The connection speaks another protocol.
    Upgraded,
}

struct Exchange {
    method: String,
    request: Message,
    response: Message,
    request_output: Output,
    response_output: Output,
}

impl Recorder {
    /// Notes what the client has sent.
    fn note_written(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Upgraded => return Ok(()),
                State::Exchange(exchange) if !exchange.request.is_complete() => {
                    exchange.note_written(&mut bytes, &self.redacted)?;
                }
                State::Exchange(_) | State::Unasked => {
                    self.finish()?;
                    let [request_output, response_output] = self.folder.next_exchange()?;
                    self.state = State::Exchange(Box::new(Exchange {
                        method: String::new(),
                        request: Message::request(),
                        response: Message::response_to(""),
                        request_output,
                        response_output,
                    }));
                }
            }
        }
        Ok(())
    }

    /// Notes what the server has sent.
    fn note_read(&mut self, bytes: &[u8]) -> io::Result<()> {
        let State::Exchange(exchange) = &mut self.state else { return Ok(()) };
        if exchange.note_read(bytes, &self.redacted)? {
            self.state = State::Upgraded;
        }
        Ok(())
    }

    /// The exchange is over: nothing more comes of what is held.
    fn finish(&mut self) -> io::Result<()> {
        let State::Exchange(exchange) = &mut self.state else { return Ok(()) };
        exchange.request_output.write_held(&mut exchange.request, &self.redacted)?;
        exchange.response_output.write_held(&mut exchange.response, &self.redacted)
    }

    /// Fails if something of this connection could not be written.
    fn check(&self) -> io::Result<()> {
        if self.is_incomplete { self.folder.check() } else { Ok(()) }
    }

    /// Fails before the first byte of a request is sent, if anything could not be written.
    fn check_next(&self) -> io::Result<()> {
        match &self.state {
            State::Exchange(exchange) if !exchange.request.is_complete() => self.check(),
            State::Unasked | State::Exchange(_) => self.folder.check(),
            State::Upgraded => Ok(()),
        }
    }

    fn after_read(&mut self, read: io::Result<usize>, into: &[u8]) -> io::Result<usize> {
        let noted = match &read {
            Ok(0) if !into.is_empty() => self.finish(),
            Ok(count) => self.note_read(into.get(..*count).unwrap_or(into)),
            Err(_) => Ok(()),
        };
        self.folder.note(noted)?;
        read
    }

    /// What was sent counts as sent, or the client would take it for safe to be sent again. So an error is
    /// that of the next call.
    fn after_write(&mut self, written: &io::Result<usize>, bytes: &[u8]) {
        if let Ok(count) = written {
            let noted = self.note_written(bytes.get(..*count).unwrap_or(bytes));
            self.is_incomplete |= self.folder.note(noted).is_err();
        }
    }
}

impl Exchange {
    fn note_written(&mut self, bytes: &mut &[u8], redacted: &[String]) -> io::Result<()> {
        while let Some(piece) = self.request.next(bytes)? {
            if let Piece::Head(head) = &piece {
                let seen = Seen::new("".into(), 0, 0, head.clone());
                seen.method().clone_into(&mut self.method);
                self.response.answers(&self.method);
            }
            self.request_output.write_piece(piece, redacted)?;
        }
        Ok(())
    }

    /// Returns whether the connection is upgraded by what was read.
    fn note_read(&mut self, mut bytes: &[u8], redacted: &[String]) -> io::Result<bool> {
        while !bytes.is_empty() {
            if self.response.is_complete() {
                // More than was asked for: it is recorded, and its secrets too are blanked.
                self.response = Message::response_to(&self.method);
            }
            while let Some(piece) = self.response.next(&mut bytes)? {
                let is_upgrade = matches!(&piece, Piece::Head(head) if status(head) == Some(101));
                self.response_output.write_piece(piece, redacted)?;
                if is_upgrade {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

struct RecordingStream {
    inner: Box<dyn Stream>,
    recorder: Recorder,
}

impl Read for RecordingStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.recorder.check()?;
        let read = match self.inner.as_tcp() {
            // A read of a socket that times out may lose bytes there; a peek does not.
            Some(socket) if cfg!(windows) => socket.peek(&mut [0]).and_then(|_| self.inner.read(buf)),
            _ => self.inner.read(buf),
        };
        self.recorder.after_read(read, buf)
    }
}

impl Write for RecordingStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.recorder.check_next()?;
        let written = self.inner.write(buf);
        self.recorder.after_write(&written, buf);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.recorder.check()?;
        self.inner.flush()
    }
}

impl Stream for RecordingStream {
    fn set_timeouts(&mut self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.inner.set_timeouts(read, write)
    }

    fn try_read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.recorder.check()?;
        let read = self.inner.try_read(buf);
        self.recorder.after_read(read, buf)
    }

    fn write_nosignal(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.recorder.check_next()?;
        let written = self.inner.write_nosignal(buf);
        self.recorder.after_write(&written, buf);
        written
    }

    fn shutdown_handle(&self) -> Option<Box<dyn Fn() + Send + Sync>> {
        self.inner.shutdown_handle()
    }

    fn peer_addr(&self) -> Option<SocketAddr> {
        self.inner.peer_addr()
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.inner.local_addr()
    }

    fn is_drained(&self) -> bool {
        self.inner.is_drained()
    }

    fn has_partial_record(&self) -> bool {
        self.inner.has_partial_record()
    }

    fn bytes_flushed(&self) -> u64 {
        self.inner.bytes_flushed()
    }

    fn is_secure(&self) -> bool {
        self.inner.is_secure()
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.inner.shutdown_write()
    }
}

impl Drop for RecordingStream {
    fn drop(&mut self) {
        // An error stays in the folder, for the next request.
        let finished = self.recorder.finish();
        let _ = self.recorder.folder.note(finished);
    }
}
