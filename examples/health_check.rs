//! A health check: several targets at once, short timeouts, and for each that is ill, who has to act.
//!
//! ```text
//! cargo run --example health_check                            # four servers of its own, three of them ill
//! cargo run --example health_check -- http://a/ http://b/up   # yours; exit status 1 if one of them is ill
//! ```
//!
//! What to look at: [`check`] is the request, and an error answers the questions of whoever is woken by it.
//! `kind()` says what happened, `kind().side()` who has to act (the caller: a wrong URL, say; the network; the
//! server), `stage()` how far it got: a port that refuses fails at `Connect`, a server that hangs at `Wait`. So
//! what is `Network` and `Timeout` at `Wait` is a process that is there and does not answer.
//!
//! Nothing takes longer than `timeout`, whatever the target does, and no target waits for another.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, thread};

use longwire::{Client, ErrorKind, Side, Stage, StatusCode};

/// A line on standard output. A reader who has seen enough, as `head` has, is no reason to panic.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = writeln!(io::stdout(), $($text)*);
    }};
}

/// The side and the stage of an error; `None` for a healthy target.
type Verdict = Option<(Side, Stage)>;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let targets: Vec<String> = env::args().skip(1).collect();
    if !targets.is_empty() {
        let all_are_healthy = check_all(&targets).iter().all(Option::is_none);
        return Ok(if all_are_healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }

    let silent = TcpListener::bind("127.0.0.1:0")?; // it takes connections, and no notice of them
    let (well, busy) = (serve("200 OK")?, serve("503 Service Unavailable")?);
    let gone = TcpListener::bind("127.0.0.1:0")?.local_addr()?; // closed again; the last one, so nobody gets it anew
    let targets = [well, busy, format!("http://{gone}/"), format!("http://{}/", silent.local_addr()?)];
    let expected = [
        None,
        Some((Side::Peer, Stage::Body)), // the head was there, and `error_for_status` did not like it
        Some((Side::Network, Stage::Connect)),
        Some((Side::Network, Stage::Wait)),
    ];
    if check_all(&targets) != expected {
        return Err("this is not what the four servers do".into());
    }
    say!("each as it should be");
    Ok(ExitCode::SUCCESS)
}

/// Checks each target on a thread of its own, and prints a line for each, in their order.
fn check_all(targets: &[String]) -> Vec<Verdict> {
    let client = Client::builder()
        .connect_timeout(Duration::from_secs(1))
        .timeout(Duration::from_secs(2)) // for everything
        .max_idle_per_host(0) // a check that uses an old connection does not see that new ones are refused
        .build();
    thread::scope(|scope| {
        let checks: Vec<_> = targets.iter().map(|url| scope.spawn(|| check(&client, url))).collect();
        let finished = checks.into_iter().map(|check| check.join().expect("no panic"));
        targets.iter().zip(finished).map(|(url, outcome)| tell(url, outcome)).collect()
    })
}

fn check(client: &Client, url: &str) -> longwire::Result<(StatusCode, Duration)> {
    let started = Instant::now();
    let response = client.get(url).send()?.error_for_status()?;
    let status = response.status();
    response.limit(64 << 10).bytes()?; // half of a page is no health
    Ok((status, started.elapsed()))
}

fn tell(url: &str, outcome: longwire::Result<(StatusCode, Duration)>) -> Verdict {
    let error = match outcome {
        Ok((status, took)) => {
            say!("well  {url} {status} in {} ms", took.as_millis());
            return None;
        }
        Err(error) => error,
    };
    let to_act = match (error.kind().side(), error.stage()) {
        (Side::Caller, _) => "this check",
        (Side::Network, Stage::Wait) if error.kind() == ErrorKind::Timeout => "the server: it is there, and silent",
        (Side::Network, _) => "the network, or nobody is there",
        (Side::Peer, _) => "the server",
        _ => "unknown",
    };
    say!("ILL   {url} {:?} at {:?}, to act: {to_act}", error.kind(), error.stage());
    say!("      {error}");
    Some((error.kind().side(), error.stage()))
}

/// Starts a server that answers so, and returns its URL. It ends with the process.
fn serve(status: &'static str) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A head this small comes whole.
            let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(answer.as_bytes()));
        }
    });
    Ok(url)
}
