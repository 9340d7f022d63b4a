//! Transports that die, as Linux tells of it.

use std::io::{self, ErrorKind as IoKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use longwire::ErrorKind;

use crate::support::peer::ok;
use crate::{Double, URL, copy, over, text};

/// What the kernel says once of a connection whose probes went unanswered (then it gives `Ok(0)`).
fn died() -> io::Error {
    let error = io::Error::from_raw_os_error(110);
    assert_eq!(error.kind(), IoKind::TimedOut, "ETIMEDOUT");
    error
}

#[test]
fn a_body_without_a_length_does_not_end_where_the_network_died() {
    let client = over(|| {
        let mut turn = 0;
        Double::new(move |buffer| {
            turn += 1;
            match turn {
                1 => Ok(copy(b"HTTP/1.1 200 OK\r\n\r\nhalf", buffer)),
                2 => Err(died()),
                _ => Ok(0),
            }
        })
    });
    let mut response = client.get(URL).send().unwrap();
    let mut buffer = [0; 100];
    assert_eq!(response.read(&mut buffer).unwrap(), 4);
    for _ in 0..3 {
        let error = longwire::Error::try_from(response.read(&mut buffer).unwrap_err()).unwrap();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(!response.body().is_complete());
    }
}

#[test]
fn a_connection_that_died_while_idle_is_not_silent() {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = opened.clone();
    let client = over(move || {
        count.fetch_add(1, Ordering::SeqCst);
        Double::giving([ok("one"), ok("two")]).trying(|_| Err(died()))
    });
    assert_eq!(text(&client, URL), "one");
    assert_eq!(client.pool_stats().idle, 1);
    assert_eq!(text(&client, URL), "one", "the first answer of a second connection");
    assert_eq!(opened.load(Ordering::SeqCst), 2);
}
