//! Reads and writes on a TCP socket that lose no byte to a timeout on Windows.
//!
//! On Unix a call that times out has transferred nothing. On Windows it may have: "TCP sockets in this
//! state have a potential for data loss, since the operation could be canceled at the same moment
//! the operation was to be completed" (Microsoft, `setsockopt`, SO_RCVTIMEO); and how much of a send was
//! transferred is unknown. So here no call that transfers bytes blocks: a read blocks in a peek, which
//! consumes nothing, and a write that finds no room sleeps. The timeouts are those of the socket. This is
//! compiled and tested on every platform, since it is correct on all, and used on Windows.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of one write on Windows. A larger one, which does not fit into the send buffer (64 KiB), may be
/// refused there as long as the buffer is not empty.
const WRITE_BYTES_MAX: usize = 16 * 1024;

/// How long a write sleeps at first where there is no room: a full send buffer is sent in this time at
/// 1 Gbit/s, and the system's timer is hardly finer.
const PAUSE_MIN: Duration = Duration::from_micros(500);

/// The pauses double up to this: a stall costs no CPU time, and its end is noticed soon enough.
const PAUSE_MAX: Duration = Duration::from_millis(16);

/// Reads once, within the socket's read timeout.
pub(super) fn read(mut stream: &TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    stream.peek(&mut [0; 1])?;
    stream.read(buf)
}

/// Writes once, as much as there is room for. Waits for room within the socket's write timeout.
pub(super) fn write(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    stream.set_nonblocking(true)?;
    let written = write_when_writable(stream, &bytes[..bytes.len().min(WRITE_BYTES_MAX)]);
    stream.set_nonblocking(false)?;
    written
}

fn write_when_writable(mut stream: &TcpStream, piece: &[u8]) -> io::Result<usize> {
    let (mut started, mut pause) = (None, PAUSE_MIN);
    loop {
        match stream.write(piece) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            written => return written,
        }
        let waited = started.get_or_insert_with(Instant::now).elapsed();
        let left = stream.write_timeout()?.map(|timeout| timeout.saturating_sub(waited));
        if left == Some(Duration::ZERO) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        thread::sleep(left.map_or(pause, |left| left.min(pause)));
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    /// Writes bytes that count up from `at` on, until a write times out: its error, and how long it took.
    fn fill(near: &TcpStream, at: &mut usize) -> (io::Error, Duration) {
        let counting: Vec<u8> = (0..=u8::MAX).cycle().take(1 << 16).collect();
        loop {
            let started = Instant::now();
            match write(near, &counting[*at % 256..]) {
                Ok(count) => *at += count,
                Err(error) => return (error, started.elapsed()),
            }
        }
    }

    fn assert_counts(came: &[u8], sent: usize) {
        assert_eq!(came.len(), sent);
        assert!(came.iter().enumerate().all(|(at, byte)| *byte == at as u8));
    }

    #[test]
    fn a_write_that_times_out_has_sent_nothing() {
        let (near, mut far) = pair();
        let timeout = Duration::from_millis(40);
        near.set_write_timeout(Some(timeout)).unwrap();
        let (mut sent, mut came) = (0, Vec::new());
        for _ in 0..4 {
            let (error, took) = fill(&near, &mut sent);
            assert!(error.kind() == io::ErrorKind::WouldBlock && took >= timeout, "{error} after {took:?}");
            (&mut far).take(300_000).read_to_end(&mut came).unwrap(); // room for the next round
        }
        drop(near);
        far.read_to_end(&mut came).unwrap();
        assert_counts(&came, sent);
    }

    #[test]
    fn a_write_waits_for_room() {
        let (near, mut far) = pair();
        near.set_write_timeout(Some(Duration::from_millis(40))).unwrap();
        let mut sent = 0;
        fill(&near, &mut sent);
        near.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        let reader = thread::spawn(move || {
            let mut came = Vec::new();
            far.read_to_end(&mut came).map(|_| came).unwrap()
        });
        sent += write(&near, &[sent as u8]).unwrap();
        drop(near);
        assert_counts(&reader.join().unwrap(), sent);
    }

    #[test]
    fn a_read_waits_and_takes_what_came_and_the_end() {
        let (near, mut far) = pair();
        near.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        let error = read(&near, &mut [0; 8]).unwrap_err();
        assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{error}");
        far.write_all(b"it came").unwrap();
        near.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut buf = [0; 5];
        assert_eq!((read(&near, &mut buf).unwrap(), &buf), (5, b"it ca"));
        drop(far);
        assert_eq!((read(&near, &mut buf).unwrap(), &buf[..2]), (2, &b"me"[..]));
        assert_eq!(read(&near, &mut buf).unwrap(), 0);
    }
}
