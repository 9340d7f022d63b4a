//! A download over a connection that breaks: it goes on where it was, and the file is whole.
//!
//! ```text
//! cargo run --example download                                       # against a small server of its own
//! cargo run --example download -- http://example.com/disk.img disk.img  # against a server of yours
//! ```
//!
//! * [`save`] is all there is to it: the file appears under its name when all of it is there.
//! * [`watch`] is the same as a loop of one's own: a `Download` is a `std::io::Read`.
//! * [`vanish_story`] is a process that ends in the middle: the next one goes on with what it left.
//! * [`change_story`] is a file that is replaced on the server meanwhile: never are two of them mixed.
//!
//! The server is the module at the end of this file and needs only std.

use std::error::Error;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use longwire::{Client, Download, Method, Request};

/// A line on standard output. A reader who has seen enough, as `head` has, is no reason to panic.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = writeln!(io::stdout(), $($text)*);
    }};
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match &arguments[..] {
        [] => tour(),
        [url, path] => save(&Client::new(), url, Path::new(path)),
        _ => Err("which URL, and which file?".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("download: {error}");
            ExitCode::FAILURE
        }
    }
}

fn begin(client: &Client, url: &str) -> longwire::Result<Download> {
    Download::new(client, Request::new(Method::GET, url)?)
}

/// Saves a URL as a file, in the face of whatever happens to the connection.
fn save(client: &Client, url: &str, path: &Path) -> Result<(), Box<dyn Error>> {
    let saved = begin(client, url)?.save_to(path)?;
    say!("{}: {} bytes, resumed {} times", path.display(), saved.bytes, saved.resumed);
    Ok(())
}

/// The whole story, told with a server of our own.
fn tour() -> Result<(), Box<dyn Error>> {
    let (client, base) = (Client::new(), format!("http://{}", server::start()?));
    let folder = env::temp_dir().join(format!("longwire-download-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let told = stories(&client, &base, &folder.join("disk.img"));
    fs::remove_dir_all(&folder)?;
    told
}

fn stories(client: &Client, base: &str, path: &Path) -> Result<(), Box<dyn Error>> {
    say!("The server cuts every connection after at most {} bytes", server::CUT_BYTES);
    save(client, &format!("{base}/disk.img"), path)?;
    expect(fs::read(path)? == server::file(1), "the file is that of the server")?;
    watch(client, &format!("{base}/disk.img"))?;
    vanish_story(client, &format!("{base}/disk.img"), path)?;
    change_story(client, &format!("{base}/changing.img"))
}

/// A loop of one's own, for a progress bar. `Ok(0)` is the proof that all of it was read.
fn watch(client: &Client, url: &str) -> Result<(), Box<dyn Error>> {
    say!("\nThe same, read piece by piece");
    let mut download = begin(client, url)?;
    let (mut buffer, mut content) = (vec![0; 64 * 1024], Vec::new());
    loop {
        let count = download.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        content.extend_from_slice(&buffer[..count]);
        if content.len() % 100_000 < count {
            let length = download.length().unwrap_or_default();
            say!("  {:>6} of {length} bytes, resumed {} times", download.position(), download.resumed());
        }
    }
    expect(content == server::file(1), "what was read is the file of the server")
}

/// A download that may not be resumed fails at the first cut, as a process would end that is killed. What it
/// leaves is enough for the next one.
fn vanish_story(client: &Client, url: &str, path: &Path) -> Result<(), Box<dyn Error>> {
    say!("\nA process ends in the middle, and the next one goes on");
    fs::remove_file(path)?;
    let error = begin(client, url)?.attempts(0).save_to(path).err().ok_or("it was to fail")?;
    say!("  Err: {error}");
    let part = path.with_extension("img.part");
    let left = fs::metadata(&part)?.len();
    say!(
        "  {} has {left} bytes, of {}",
        part.display(),
        fs::read_to_string(path.with_extension("img.part.tag"))?.replace('\n', " ")
    );
    save(client, url, path)?;
    expect(left > 0 && fs::read(path)? == server::file(1), "the file is that of the server")
}

/// The server replaces the file while it is read. A reader is told; a file would begin anew by itself.
fn change_story(client: &Client, url: &str) -> Result<(), Box<dyn Error>> {
    say!("\nThe file changes on the server");
    let error = io::copy(&mut begin(client, url)?, &mut io::sink()).err().ok_or("it was to fail")?;
    let error = longwire::Error::try_from(error)?;
    say!("  Err: {error}");
    expect(error.kind() == longwire::ErrorKind::Changed, "it has changed")
}

fn expect(holds: bool, what: &str) -> Result<(), Box<dyn Error>> {
    if !holds {
        return Err(format!("this does not hold: {what}").into());
    }
    say!("  {what}");
    Ok(())
}

/// A server for one tour, which has two files of 300,000 bytes, knows ranges, and cuts every connection. It
/// stops with the process.
mod server {
    use std::io::{self, BufRead, BufReader, Write};
    use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
    use std::thread;

    pub(crate) const CUT_BYTES: usize = 70_000;
    const FILE_BYTES: usize = 300_000;

    /// The bytes of that version of a file.
    pub(crate) fn file(version: usize) -> Vec<u8> {
        (0..FILE_BYTES).map(|at| (at % 251 + version) as u8).collect()
    }

    pub(crate) fn start() -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                thread::spawn(move || serve(&stream, number));
            }
        });
        Ok(address)
    }

    /// One request, and what is wanted of the file: of the version that the request knows, or else the whole.
    fn serve(mut stream: &TcpStream, number: usize) -> io::Result<()> {
        let lines = BufReader::new(stream).lines();
        let head: Vec<String> =
            lines.take_while(|line| !matches!(line, Ok(line) if line.is_empty())).collect::<Result<_, _>>()?;
        let value = |name: &str| head.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let is_changing = head.first().is_some_and(|line| line.starts_with("GET /changing.img "));
        let version = if is_changing { number } else { 1 };
        let tag = format!("\"v{version}\"");
        let from = value("Range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let file = file(version);
        let (status, range, body) = match from {
            Some(from @ 1..FILE_BYTES) if value("If-Range") == Some(&tag) => {
                let range = format!("Content-Range: bytes {from}-{}/{FILE_BYTES}\r\n", FILE_BYTES - 1);
                ("206 Partial Content", range, &file[from..])
            }
            _ => ("200 OK", String::new(), &file[..]),
        };
        let length = body.len();
        write!(stream, "HTTP/1.1 {status}\r\nETag: {tag}\r\n{range}Content-Length: {length}\r\n\r\n")?;
        stream.write_all(&body[..length.min(CUT_BYTES)])
    }
}
