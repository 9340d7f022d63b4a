//! The command line: which options there are, and how arguments are read.
//!
//! [`ROWS`] has a row for each option: its names, what it takes, its line of `--help`, and what it sets.
//! [`Options`] is all that the other modules see; what the values mean to longwire is theirs to know.
//!
//! Arguments are read as curl reads them: `-iv`, `-oFILE`, `-o FILE` and `--output FILE`, before the URL or
//! after it, but not `--output=FILE`. Each `-o` and `-T` belongs to the URL of the same number;
//! there may be fewer of them than URLs, but not more.

use std::ffi::OsString;
use std::net::IpAddr;
use std::time::Duration;

use super::data::{self, Data};
use super::failure::Failure;
use super::form::FormField;

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) help: bool,
    // What is fetched from where to where.
    pub(crate) urls: Vec<String>,
    pub(crate) destinations: Vec<Destination>,
    pub(crate) uploads: Vec<String>,
    // The request.
    pub(crate) method: Option<String>,
    pub(crate) head: bool,
    pub(crate) headers: Vec<Field>,
    pub(crate) data: Vec<Data>,
    pub(crate) data_in_query: bool,
    pub(crate) json: bool,
    pub(crate) form: Vec<FormField>,
    pub(crate) user: Option<(String, Option<String>)>,
    pub(crate) auth: Auth,
    pub(crate) user_agent: Option<String>,
    pub(crate) referer: Option<String>,
    pub(crate) range: Option<String>,
    pub(crate) resume: bool,
    pub(crate) cookies: Vec<String>,
    pub(crate) compressed: bool,
    pub(crate) max_time: Option<Duration>,
    pub(crate) retry: Option<u32>,
    // Redirects.
    pub(crate) follow: bool,
    pub(crate) max_redirs: Option<u32>,
    // The connection.
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) proxy: Option<String>,
    pub(crate) resolve: Vec<Resolve>,
    pub(crate) unix_socket: Option<String>,
    pub(crate) insecure: bool,
    pub(crate) cacert: Option<String>,
    pub(crate) cert: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) cookie_files: Vec<String>,
    pub(crate) cookie_jar: Option<String>,
    // What is printed.
    pub(crate) include: bool,
    pub(crate) fail: bool,
    pub(crate) silent: bool,
    pub(crate) show_error: bool,
    pub(crate) verbose: bool,
    pub(crate) write_out: Option<String>,
    pub(crate) har: Option<String>,
    pub(crate) waterfall: Option<String>,
}

/// How `-u` is proven to the server.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Auth {
    #[default]
    Basic,
    Digest,
    /// As the server asks for.
    Any,
}

/// Where a body goes.
pub(crate) enum Destination {
    Stdout,
    /// `-o`.
    File(String),
    /// `-O`: a file that is called like the last part of the URL's path.
    RemoteName,
}

/// One `-H`.
pub(crate) struct Field {
    pub(crate) name: String,
    /// `None` for `-H NAME:`, which leaves out what `get` would send by itself.
    pub(crate) value: Option<String>,
}

/// One `--resolve`: the addresses of this host at this port.
#[derive(Clone)]
pub(crate) struct Resolve {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) addresses: Vec<IpAddr>,
}

/// An option.
struct Row {
    /// With a comma between them.
    names: &'static str,
    takes: Takes,
    /// Its line of `--help`; without one it is understood, but not listed.
    help: &'static str,
    /// The features that it needs one of, and whether it is built in.
    needs: Option<(&'static str, bool)>,
}

/// What stands behind an option's name, and what is done about it.
enum Takes {
    Nothing(fn(&mut Options)),
    Text(&'static str, fn(&mut Options, String)),
    /// A text that may be wrong.
    Checked(&'static str, fn(&mut Options, String) -> Result<(), Failure>),
}

const fn flag(names: &'static str, help: &'static str, set: fn(&mut Options)) -> Row {
    Row { names, takes: Takes::Nothing(set), help, needs: None }
}

const fn text(names: &'static str, value: &'static str, help: &'static str, set: fn(&mut Options, String)) -> Row {
    Row { names, takes: Takes::Text(value, set), help, needs: None }
}

const fn checked(
    names: &'static str,
    value: &'static str,
    help: &'static str,
    set: fn(&mut Options, String) -> Result<(), Failure>,
) -> Row {
    Row { names, takes: Takes::Checked(value, set), help, needs: None }
}

impl Row {
    const fn needs(mut self, features: &'static str, is_built_in: bool) -> Row {
        self.needs = Some((features, is_built_in));
        self
    }

    const fn needs_tls(self) -> Row {
        self.needs("tls", cfg!(feature = "__rustls"))
    }
}

const ROWS: &[Row] = &[
    text("-A, --user-agent", "NAME", "send NAME as User-Agent; '' sends none", |o, v| o.user_agent = Some(v)),
    flag("--anyauth", "log in as the server asks for: Digest if that is built in, or Basic", |o| o.auth = Auth::Any),
    flag("--basic", "log in with Basic auth, which is the default", |o| o.auth = Auth::Basic),
    text("-b, --cookie", "DATA", "send the cookie NAME=VALUE, or those of a file (cookies.txt)", |o, v| {
        if v.contains('=') { o.cookies.push(v) } else { o.cookie_files.push(v) }
    }),
    text("-c, --cookie-jar", "FILE", "write all cookies to FILE in the end", |o, v| o.cookie_jar = Some(v)),
    text("--cacert", "FILE", "trust the certificates in FILE (PEM), and no others", |o, v| o.cacert = Some(v))
        .needs_tls(),
    text("-E, --cert", "FILE", "show this certificate (PEM) to servers that ask for one", |o, v| o.cert = Some(v))
        .needs_tls(),
    flag("--compressed", "ask for a compressed body, and decode it", |o| o.compressed = true)
        .needs("gzip, brotli or zstd", cfg!(any(feature = "gzip", feature = "brotli", feature = "zstd"))),
    checked("--connect-timeout", "SECONDS", "give up connecting after so long", |o, v| {
        seconds(&v).map(|limit| o.connect_timeout = limit)
    }),
    checked("-C, --continue-at", "-", "resume the download if it breaks, and go on with FILE.part", |o, v| {
        o.resume = true;
        if v == "-" { Ok(()) } else { Err(Failure::Usage("where to go on is for - to find out".to_owned())) }
    }),
    checked("-d, --data", "DATA", "send DATA with POST; @FILE sends a file, without its line ends", |o, v| {
        Data::plain(v).map(|data| o.data.push(data))
    }),
    checked("--data-ascii", "DATA", "", |o, v| Data::plain(v).map(|data| o.data.push(data))),
    checked("--data-binary", "DATA", "the same, but @FILE is sent as it is", |o, v| {
        Data::binary(v).map(|data| o.data.push(data))
    }),
    text("--data-raw", "DATA", "the same, but @ means nothing", |o, v| o.data.push(Data::raw(v))),
    checked("--data-urlencode", "DATA", "the same, percent-encoded: TEXT, NAME=TEXT, @FILE or NAME@FILE", |o, v| {
        Data::url_encoded(v).map(|data| o.data.push(data))
    }),
    flag("--digest", "log in with Digest auth", |o| o.auth = Auth::Digest).needs("digest", cfg!(feature = "digest")),
    flag("-f, --fail", "make a status of 400 or more an error", |o| o.fail = true),
    checked(
        "-F, --form",
        "NAME=CONTENT",
        "send a form with POST: TEXT, @FILE, <FILE; ';type=', ';filename='",
        |o, v| FormField::parse(&v).map(|field| o.form.push(field)),
    ),
    flag("-G, --get", "put the data into the URL's query, and send GET", |o| o.data_in_query = true),
    flag("-g, --globoff", "", |_| {}), // brackets and braces in URLs mean nothing here
    text("--har", "FILE", "write what was sent and received to FILE (HAR 1.2), without bodies", |o, v| o.har = Some(v)),
    checked(
        "-H, --header",
        "FIELD",
        "send 'NAME: VALUE' too; 'NAME:' leaves NAME out, 'NAME;' has no value",
        |o, v| field(&v).map(|field| o.headers.push(field)),
    ),
    flag("-h, --help", "print this help", |o| o.help = true),
    flag("-I, --head", "send HEAD, and print the head of the response", |o| o.head = true),
    flag("-i, --include", "print the head of the response before its body", |o| o.include = true),
    checked("--json", "DATA", "send DATA with POST as application/json; @FILE as it is", |o, v| {
        o.json = true;
        Data::json(v).map(|data| o.data.push(data))
    }),
    text("--key", "FILE", "the private key (PEM), if --cert does not have it", |o, v| o.key = Some(v)).needs_tls(),
    flag("-k, --insecure", "accept any certificate of any server", |o| o.insecure = true).needs_tls(),
    flag("-L, --location", "follow redirects", |o| o.follow = true),
    checked("--max-redirs", "N", "follow at most N redirects; -1 for no limit (50)", |o, v| {
        let number = if v == "-1" { Ok(u32::MAX) } else { v.parse() };
        number.map(|count| o.max_redirs = Some(count)).map_err(|_| wrong(&v))
    }),
    checked("-m, --max-time", "SECONDS", "give up after so long", |o, v| seconds(&v).map(|limit| o.max_time = limit)),
    flag("-N, --no-buffer", "", |_| {}), // nothing is held back anyway
    text("-o, --output", "FILE", "write the body to FILE", |o, v| {
        o.destinations.push(if v == "-" { Destination::Stdout } else { Destination::File(v) });
    }),
    flag("-O, --remote-name", "write the body to a file called as in the URL", |o| {
        o.destinations.push(Destination::RemoteName);
    }),
    text("-x, --proxy", "URL", "go through this proxy; '' for none at all", |o, v| o.proxy = Some(v)),
    text("-r, --range", "RANGE", "ask for these bytes only: 0-499, 500-, -500", |o, v| o.range = Some(v)),
    text("-e, --referer", "URL", "send URL as Referer", |o, v| o.referer = Some(v)),
    text("-X, --request", "METHOD", "use METHOD instead of GET, HEAD, POST or PUT", |o, v| o.method = Some(v)),
    checked("--resolve", "HOST:PORT:ADDRESS", "connect to ADDRESS for HOST:PORT", |o, v| {
        resolve(&v).map(|resolve| o.resolve.push(resolve))
    }),
    checked(
        "--retry",
        "N",
        "send it again up to N times: what was not sent, and GET and its like on 408, 429, 5xx",
        |o, v| v.parse().map(|count| o.retry = Some(count)).map_err(|_| wrong(&v)),
    ),
    flag("-S, --show-error", "with -s, print errors nevertheless", |o| o.show_error = true),
    flag("-s, --silent", "print neither progress nor errors", |o| o.silent = true),
    text("--unix-socket", "PATH", "connect to this unix socket", |o, v| o.unix_socket = Some(v)),
    text("-T, --upload-file", "FILE", "send FILE with PUT; - is standard input", |o, v| o.uploads.push(v)),
    text("--url", "URL", "the URL, for those who like to name things", |o, v| o.urls.push(with_scheme(v))),
    text("-u, --user", "NAME:PASSWORD", "log in", |o, v| {
        o.user = Some(match v.split_once(':') {
            Some((name, password)) => (name.to_owned(), Some(password.to_owned())),
            None => (v, None),
        });
    }),
    flag("-v, --verbose", "print what goes over the wire, on standard error", |o| o.verbose = true),
    text("--waterfall", "FILE", "draw what took how long, by connection, to FILE (SVG)", |o, v| o.waterfall = Some(v)),
    checked("-w, --write-out", "FORMAT", "print this after each transfer; @FILE reads it from a file", |o, v| {
        data::text_or_file(v).map(|format| o.write_out = Some(format))
    }),
];

/// What `--help` prints.
pub(crate) fn usage() -> String {
    let mut usage = "Usage: get [options] URL...\n\n".to_owned();
    for row in ROWS.iter().filter(|row| !row.help.is_empty()) {
        let indent = if row.names.starts_with("--") { "    " } else { "" };
        let value = match row.takes {
            Takes::Nothing(_) => "",
            Takes::Text(value, _) | Takes::Checked(value, _) => value,
        };
        let option = format!("{indent}{} {value}", row.names);
        let note = row.needs.map_or(String::new(), |(features, _)| format!(" (feature {features})"));
        usage += &format!("  {option:<34} {}{note}\n", row.help);
    }
    usage
        + "
-C - goes on only with bytes of the same version, by ETag or date, and never by the length of a file alone:
FILE.part has what there is of FILE, and FILE.part.tag which version that is. Any status but 200 is an error.

The exit status is curl's: 3 URL, 6 name, 7 connect, 22 status (-f), 28 time, 33 not the same version (-C),
47 redirects, 52 no answer, 56 receiving, 60 certificate, ...; of several transfers it is the last one's.
"
}

impl Options {
    pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut words = arguments.map(into_text).collect::<Result<Vec<_>, _>>()?.into_iter();
        while let Some(word) = words.next() {
            if word == "--" {
                options.urls.extend(words.by_ref().map(with_scheme));
            } else if word.starts_with("--") {
                options.set(&word, || words.next())?;
            } else if let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
                let mut letters = letters.chars();
                while let Some(letter) = letters.next() {
                    options.set(&format!("-{letter}"), || {
                        let value: String = letters.by_ref().collect();
                        if value.is_empty() { words.next() } else { Some(value) }
                    })?;
                }
            } else {
                options.urls.push(with_scheme(word));
            }
        }
        if !options.help {
            options.check()?;
        }
        Ok(options)
    }

    /// One option. `value` takes what stands behind it, and is called only for those that want it.
    fn set(&mut self, name: &str, value: impl FnOnce() -> Option<String>) -> Result<(), Failure> {
        let unknown = || Failure::Usage(format!("there is no option {name}"));
        let row = ROWS.iter().find(|row| row.names.split(", ").any(|one| one == name)).ok_or_else(unknown)?;
        if let Some((features, false)) = row.needs {
            return Err(Failure::NotBuiltIn { option: name.to_owned(), features });
        }
        let value = || value().ok_or_else(|| Failure::Usage(format!("option {name} needs a value")));
        match row.takes {
            Takes::Nothing(set) => set(self),
            Takes::Text(_, set) => set(self, value()?),
            Takes::Checked(_, set) => set(self, value()?).map_err(|failure| match failure {
                Failure::Usage(what) => Failure::Usage(format!("option {name}: {what}")),
                other => other,
            })?,
        }
        Ok(())
    }

    /// What no single option can know to be wrong.
    fn check(&self) -> Result<(), Failure> {
        if self.urls.is_empty() {
            return Err(Failure::Usage("which URL?".to_owned()));
        }
        for (option, count) in [("-T", self.uploads.len()), ("-o or -O", self.destinations.len())] {
            if count > self.urls.len() {
                return Err(Failure::Usage(format!("each {option} needs a URL of its own")));
            }
        }
        if self.resume && (self.include || self.auth == Auth::Any) {
            return Err(Failure::Usage("-C - is neither for -i nor for --anyauth".to_owned()));
        }
        let contents = [
            ("-d", !self.data.is_empty() && !self.data_in_query),
            ("-F", !self.form.is_empty()),
            ("-I", self.head),
            ("-T", !self.uploads.is_empty()),
        ];
        let mut given = contents.into_iter().filter(|(_, is_given)| *is_given);
        match (given.next(), given.next()) {
            (Some((one, _)), Some((other, _))) => {
                Err(Failure::Usage(format!("{one} and {other} are different requests")))
            }
            _ => Ok(()),
        }
    }
}

fn into_text(argument: OsString) -> Result<String, Failure> {
    argument.into_string().map_err(|argument| Failure::Usage(format!("{argument:?} is not UTF-8")))
}

/// `example.com` is short for `http://example.com`.
fn with_scheme(url: String) -> String {
    let is_scheme = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    match url.split_once("://") {
        Some((scheme, _)) if is_scheme(scheme) => url,
        _ => format!("http://{url}"),
    }
}

fn wrong(value: &str) -> Failure {
    Failure::Usage(format!("{value:?} will not do"))
}

/// A time limit; 0 is as if it were not given.
fn seconds(text: &str) -> Result<Option<Duration>, Failure> {
    let seconds = text.parse().map_err(|_| wrong(text))?;
    let limit = Duration::try_from_secs_f64(seconds).map_err(|_| wrong(text))?;
    Ok(Some(limit).filter(|limit| !limit.is_zero()))
}

fn field(text: &str) -> Result<Field, Failure> {
    if let Some((name, value)) = text.split_once(':') {
        let value = value.trim();
        return Ok(Field { name: name.to_owned(), value: (!value.is_empty()).then(|| value.to_owned()) });
    }
    match text.strip_suffix(';') {
        Some(name) => Ok(Field { name: name.to_owned(), value: Some(String::new()) }),
        None => Err(wrong(text)),
    }
}

/// `HOST:PORT:ADDRESS`, or several addresses with commas between them; those of IPv6 may have brackets.
fn resolve(text: &str) -> Result<Resolve, Failure> {
    let refuse = |what: &str| Failure::Setting(49, format!("--resolve {text:?}: {what}"));
    let parse = || {
        let (host, rest) = text.strip_prefix('+').unwrap_or(text).split_once(':')?;
        let (port, addresses) = rest.split_once(':')?;
        let address = |text: &str| text.trim_matches(['[', ']']).parse().ok();
        let addresses = addresses.split(',').map(address).collect::<Option<_>>()?;
        Some(Resolve { host: host.to_ascii_lowercase(), port: port.parse().ok()?, addresses })
    };
    let resolve = parse().ok_or_else(|| refuse("this is not HOST:PORT:ADDRESS"))?;
    // longwire looks up neither (RFC 6761, section 6.3), and would go elsewhere without a word.
    if resolve.host == "localhost" || resolve.host.ends_with(".localhost") || resolve.host.parse::<IpAddr>().is_ok() {
        return Err(refuse("localhost is this machine, and an address is itself"));
    }
    Ok(resolve)
}
