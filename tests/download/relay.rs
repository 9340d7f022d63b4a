//! A relay that cuts its connections, and downloads through it: many in the long form, some in the short one.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use longwire::{Client, Download, Method, Request};
use sha2::{Digest, Sha256};

use crate::support::random::Random;
use crate::{Folder, content};

/// How long a read or write of a server here may take.
const LIMIT: Duration = Duration::from_secs(20);

/// What a connection carries before it is cut.
const CUT_BYTES_MIN: usize = 1024;
const CUT_BYTES_MAX: usize = 200 * 1024;

/// Accepts connections, and serves each on a thread of its own, until it is dropped. (A `Peer` keeps what
/// happened on each: too much for a hundred thousand.)
struct Acceptor {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Acceptor {
    fn start(serve: impl Fn(TcpStream, usize) -> io::Result<()> + Send + Sync + 'static) -> Acceptor {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (is_over, serve) = (Arc::new(AtomicBool::new(false)), Arc::new(serve));
        let accepting = thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || {
                for (number, stream) in listener.incoming().enumerate() {
                    if is_over.load(Ordering::SeqCst) {
                        return;
                    }
                    let (Ok(stream), serve) = (stream, Arc::clone(&serve)) else { continue };
                    thread::spawn(move || {
                        limit(&stream)?;
                        serve(stream, number) // the client's end of it is no failure
                    });
                }
            }
        });
        Acceptor { address, is_over, accepting: Some(accepting) }
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // wakes it
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn limit(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))
}

/// Passes bytes on between its clients and a server, and closes the connection to the client somewhere.
pub(crate) struct Relay {
    acceptor: Acceptor,
    cuts: Arc<AtomicUsize>,
}

impl Relay {
    /// Cuts the first `cuts_max` connections, each after a random number of bytes from the server.
    pub(crate) fn start(server: SocketAddr, cuts_max: usize) -> Relay {
        let cuts = Arc::new(AtomicUsize::new(0));
        let acceptor = Acceptor::start({
            let cuts = Arc::clone(&cuts);
            move |near, number| {
                let far = TcpStream::connect(server)?;
                limit(&far)?;
                let mut random =
                    Random(0x9E37_79B9_7F4A_7C15 ^ (number as u64 + 1).wrapping_mul(0xD6E8_FEB8_6659_FD93));
                random.below(2);
                let bytes = CUT_BYTES_MIN + random.below(CUT_BYTES_MAX - CUT_BYTES_MIN + 1);
                let bytes = if number < cuts_max { bytes } else { usize::MAX };
                let inward = thread::spawn({
                    let (near, far) = (near.try_clone()?, far.try_clone()?);
                    move || pass(&near, &far, usize::MAX)
                });
                if pass(&far, &near, bytes) == bytes {
                    cuts.fetch_add(1, Ordering::SeqCst);
                }
                let _ = (near.shutdown(Shutdown::Both), far.shutdown(Shutdown::Both));
                let _ = inward.join();
                Ok(())
            }
        });
        Relay { acceptor, cuts }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.acceptor.address)
    }

    /// How many connections were cut so far.
    pub(crate) fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

/// Passes bytes on, so many at most; returns how many those were.
fn pass(mut from: &TcpStream, mut to: &TcpStream, bytes_max: usize) -> usize {
    let (mut buffer, mut passed) = (vec![0; 64 * 1024], 0);
    while passed < bytes_max {
        let room = buffer.len().min(bytes_max - passed);
        let Ok(count @ 1..) = from.read(&mut buffer[..room]) else { break };
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
        passed += count;
    }
    passed
}

/// A server that has one file, and knows ranges.
fn origin(file: Vec<u8>) -> Acceptor {
    Acceptor::start(move |mut stream, _| {
        let mut head = Vec::new();
        let mut buffer = [0; 4096];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                count => head.extend_from_slice(&buffer[..count]),
            }
        }
        let head = String::from_utf8_lossy(&head);
        let from = head.lines().find_map(|line| line.strip_prefix("Range: bytes=")?.strip_suffix('-')?.parse().ok());
        let (from, length) = (from.unwrap_or(0), file.len());
        let (status, range) = match from {
            0 => ("200 OK", String::new()),
            _ => ("206 Partial Content", format!("Content-Range: bytes {from}-{}/{length}\r\n", length - 1)),
        };
        assert!(from == 0 || head.contains("\r\nIf-Range: \"one\"\r\n"), "{head}");
        let rest = &file[from..];
        write!(stream, "HTTP/1.1 {status}\r\nETag: \"one\"\r\n{range}Content-Length: {}\r\n", rest.len())?;
        stream.write_all(b"Connection: close\r\n\r\n")?;
        stream.write_all(rest)
    })
}

/// Downloads one file again and again through the relay, and compares what comes by its digest; every tenth
/// time it is saved.
fn soak(downloads: usize, bytes: usize) {
    let mut random = Random(20_250_601);
    let file: Vec<u8> = (0..bytes).map(|_| random.below(256) as u8).collect();
    let want = Sha256::digest(&file);
    let origin = origin(file);
    let relay = Relay::start(origin.address, usize::MAX);
    let (client, folder, started) = (Client::new(), Folder::new(), Instant::now());
    let mut resumed = 0;
    for number in 0..downloads {
        let request = Request::new(Method::GET, relay.url("/file")).expect("a request");
        let mut download = Download::new(&client, request).expect("a head");
        let mut digest = Sha256::new();
        if number % 10 == 9 {
            let saved = download.save_to(folder.path("file")).unwrap_or_else(|error| panic!("{number}: {error}"));
            assert_eq!(saved.bytes, bytes as u64);
            digest.update(content(&folder.path("file")));
        } else {
            let mut buffer = vec![0; 64 * 1024];
            while let count @ 1.. = download.read(&mut buffer).unwrap_or_else(|error| panic!("{number}: {error}")) {
                digest.update(&buffer[..count]);
            }
        }
        assert!(digest.finalize() == want, "download {number} is another one");
        resumed += download.resumed();
    }
    let (cuts, took) = (relay.cuts(), started.elapsed());
    println!("{downloads} downloads of {bytes} bytes: {cuts} cuts, resumed {resumed} times, all equal, in {took:.1?}");
    assert!(resumed as usize >= downloads && cuts >= downloads, "the relay has cut nothing");
}

#[test]
fn twenty_downloads_through_a_relay_that_cuts_are_whole() {
    soak(20, 1 << 20);
}

#[test]
#[ignore = "long: some minutes; run it alone, with --release"]
fn a_thousand_downloads_of_ten_mib_through_a_relay_that_cuts_are_whole() {
    soak(1000, 10 << 20);
}
