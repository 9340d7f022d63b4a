//! The client that all transfers of one run share, and with it its connections and cookies.
//!
//! Here is what longwire is told once and for all: proxies, names, TLS, redirects, cookies, and who watches. What
//! differs between requests is in `request.rs`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longwire::har::Recorder;
use longwire::transport::Query;
use longwire::{Client, ClientBuilder, CookieStore, Error, ErrorKind, Event, Hop, Proxy};

use super::failure::Failure;
use super::options::{Options, Resolve};
use super::trace::Trace;

/// curl's limit for `-L`.
const MAX_REDIRS: u32 = 50;

pub(crate) struct Session {
    pub(crate) client: Client,
    /// Connections that were opened, as an observer counts them.
    connects: Arc<AtomicU32>,
    /// The heads of redirects that were followed, as a hook has seen them.
    redirect_heads: Arc<Mutex<Vec<u8>>>,
    /// Where `-b` or `-c` asks for cookies.
    cookies: Option<CookieStore>,
    /// Where `--har` or `--waterfall` asks for it.
    recorder: Option<Recorder>,
}

impl Session {
    pub(crate) fn new(options: &Options) -> Result<Self, Failure> {
        let (connects, redirect_heads) = (Arc::default(), Arc::default());
        let recorder = (options.har.is_some() || options.waterfall.is_some()).then(Recorder::new);
        let mut builder = watched(Client::builder(), options, &connects);
        if let Some(recorder) = &recorder {
            builder = builder.observer(recorder.clone()); // a clone is the same recording
        }
        builder = redirecting(builder, options, &redirect_heads);
        builder = connecting(builder, options)?;
        // Without --compressed the body is printed as it comes.
        #[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
        {
            builder = builder.decode(options.compressed);
        }
        if let Some(name) = &options.user_agent {
            builder = builder.user_agent(name);
        }
        let cookies = cookies(options)?;
        if let Some(cookies) = &cookies {
            builder = builder.cookie_jar(cookies.clone()); // a clone is the same jar
        }
        Ok(Self { client: builder.try_build()?, connects, redirect_heads, cookies, recorder })
    }

    /// Writes the cookies to the file of `-c`. What is no regular file (`/dev/stdout`, a link) is written as it is.
    pub(crate) fn save_cookies(&self, options: &Options) -> Result<(), Failure> {
        let (Some(cookies), Some(path)) = (&self.cookies, &options.cookie_jar) else { return Ok(()) };
        if path == "-" {
            return cookies.write_to(io::stdout()).map_err(Failure::writing);
        }
        let written = match fs::symlink_metadata(path) {
            Ok(old) if !old.is_file() => File::create(path).and_then(|file| cookies.write_to(file)),
            _ => replace(path, cookies),
        };
        written.map_err(|error| Failure::Output(path.clone(), error))
    }

    /// Writes what was recorded to the files of `--har` and `--waterfall`.
    pub(crate) fn save_recording(&self, options: &Options) -> Result<(), Failure> {
        let Some(recorder) = &self.recorder else { return Ok(()) };
        if let Some(path) = &options.har {
            save(path, &recorder.har())?;
        }
        if let Some(path) = &options.waterfall {
            save(path, &recorder.waterfall())?;
        }
        Ok(())
    }

    /// Begins to count anew, for the next transfer.
    pub(crate) fn begin(&self) {
        self.connects.store(0, Ordering::Relaxed);
        self.lock_redirect_heads().clear();
    }

    /// How many connections were opened since.
    pub(crate) fn connects(&self) -> u32 {
        self.connects.load(Ordering::Relaxed)
    }

    /// The heads of the redirects that were followed since.
    pub(crate) fn redirect_heads(&self) -> Vec<u8> {
        self.lock_redirect_heads().clone()
    }

    fn lock_redirect_heads(&self) -> MutexGuard<'_, Vec<u8>> {
        self.redirect_heads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a text to this file, or to standard output.
fn save(path: &str, text: &str) -> Result<(), Failure> {
    let written = match path {
        "-" => io::stdout().write_all(text.as_bytes()),
        _ => fs::write(path, text),
    };
    written.map_err(|error| Failure::Output(path.to_owned(), error))
}

/// Observers add up.
fn watched(mut builder: ClientBuilder, options: &Options, connects: &Arc<AtomicU32>) -> ClientBuilder {
    if options.verbose {
        builder = builder.observer(Trace);
    }
    let connects = Arc::clone(connects);
    builder.observer(move |event: &Event<'_>| {
        if let Event::Connected { .. } = event {
            connects.fetch_add(1, Ordering::Relaxed);
        }
    })
}

/// Without `-L` a redirect is a response like any other. With it, the hook sees each before it is followed.
fn redirecting(builder: ClientBuilder, options: &Options, heads: &Arc<Mutex<Vec<u8>>>) -> ClientBuilder {
    if !options.follow {
        return builder.max_redirects(0);
    }
    let count = options.max_redirs.unwrap_or(MAX_REDIRS);
    let heads = Arc::clone(heads);
    builder.max_redirects(count.max(1)).on_redirect(move |hop| {
        if count == 0 {
            return Err(Error::new(ErrorKind::TooManyRedirects, "a redirect, and none may be followed (--max-redirs)"));
        }
        heads.lock().unwrap_or_else(PoisonError::into_inner).extend(head_of(hop));
        Ok(())
    })
}

/// The head of a redirect, but for its version and reason phrase.
fn head_of(hop: &Hop<'_>) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} \r\n", hop.status()).into_bytes();
    for (name, value) in hop.headers() {
        head.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// The jar, with the cookies of all `-b FILE`. A file that is not there yet is an empty one: so `-b FILE -c FILE`
/// works from the first time on.
fn cookies(options: &Options) -> Result<Option<CookieStore>, Failure> {
    if options.cookie_files.is_empty() && options.cookie_jar.is_none() {
        return Ok(None);
    }
    let cookies = CookieStore::new();
    for path in options.cookie_files.iter().filter(|path| !path.is_empty()) {
        let read = match File::open(path) {
            Ok(file) => cookies.read_from(BufReader::new(file)),
            Err(_) if path == "-" => cookies.read_from(io::stdin().lock()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        read.map_err(|error| Failure::Input(path.clone(), error))?;
    }
    Ok(Some(cookies))
}

/// Writes the cookies to a new file, which only its owner may read (on unix), and gives it this path. Until all is
/// written, an old file stays as it is.
fn replace(path: &str, cookies: &CookieStore) -> io::Result<()> {
    let new_path = format!("{path}.{}.new", std::process::id());
    let mut file = OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    let file = file.open(&new_path)?;
    let written = cookies.write_to(file).and_then(|()| fs::rename(&new_path, path));
    if written.is_err() {
        let _ = fs::remove_file(&new_path);
    }
    written
}

/// How a connection comes about.
fn connecting(mut builder: ClientBuilder, options: &Options) -> Result<ClientBuilder, Failure> {
    if let Some(limit) = options.connect_timeout {
        builder = builder.connect_timeout(limit);
    }
    builder = match options.proxy.as_deref() {
        None => builder, // as the environment says
        Some("") => builder.no_proxy(),
        Some(url) => builder.proxy(proxy(url)?),
    };
    if !options.resolve.is_empty() {
        builder = resolving(builder, options.resolve.clone());
    }
    if let Some(path) = &options.unix_socket {
        builder = builder.unix_socket(path);
    }
    #[cfg(feature = "__rustls")]
    {
        builder = builder.tls(tls(options)?);
    }
    Ok(builder)
}

/// `--resolve` is for one port, where `ClientBuilder::resolve_to` is for all: so it is a resolver. It is asked
/// for the hosts of URLs, which are in lower case.
fn resolving(builder: ClientBuilder, fixed: Vec<Resolve>) -> ClientBuilder {
    builder.resolver(move |query: &Query<'_>| {
        let (host, port) = (query.host(), query.port());
        match fixed.iter().find(|fixed| fixed.host == host && fixed.port == port) {
            Some(fixed) => Ok(fixed.addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect()),
            None => Ok((host, port).to_socket_addrs()?.collect()),
        }
    })
}

fn proxy(url: &str) -> Result<Proxy, Failure> {
    let proxy = Proxy::new(url).map_err(|error| match error.kind() {
        ErrorKind::UnsupportedScheme => Failure::Setting(7, error.to_string()),
        _ => Failure::Setting(5, error.to_string()),
    })?;
    // -k, --cacert and --cert are about servers.
    #[cfg(feature = "__rustls")]
    let proxy = proxy.tls(longwire::Tls::new())?;
    Ok(proxy)
}

/// What TLS is to trust and to show.
#[cfg(feature = "__rustls")]
fn tls(options: &Options) -> Result<longwire::Tls, Failure> {
    use longwire::{Roots, Tls};

    let read =
        |status, path: &str| std::fs::read(path).map_err(|error| Failure::Setting(status, format!("{path}: {error}")));
    let mut tls = Tls::new();
    match &options.cacert {
        _ if options.insecure => tls = tls.danger_accept_any_certificate(),
        None => {}
        Some(path) => {
            let added = tls.roots(Roots::None).add_root(read(77, path)?);
            tls = added.map_err(|error| Failure::Setting(77, format!("{path}: {error}")))?;
        }
    }
    if let Some(path) = &options.cert {
        let (cert, key) = (read(58, path)?, read(58, options.key.as_ref().unwrap_or(path))?);
        tls = tls.identity(cert, key).map_err(|error| Failure::Setting(58, format!("{path}: {error}")))?;
    }
    Ok(tls)
}
