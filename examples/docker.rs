//! Docker's API over its unix socket: lists the containers, and follows the log of one.
//!
//! ```text
//! cargo run --example docker                                   # a small daemon of its own
//! cargo run --example docker -- /var/run/docker.sock           # yours; Ctrl-C ends it
//! cargo run --example docker -- /var/run/docker.sock NAME      # the log of this container
//! ```
//!
//! What to look at:
//!
//! * The socket is a setting of the client; the URL's host only names the server.
//! * A log that is followed may say nothing for hours, so that request has no `read_timeout`.
//! * [`follow`] reads the frames of the log (8 bytes: the stream, the length; then the text) with `read_exact`,
//!   straight from the response. The end of the body between two frames is the end of the log; within one it
//!   is an error, as every cut is.
//!
//! With the feature `json`, `Response::json` takes the place of the line with serde_json.

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    unix::main()
}

#[cfg(not(unix))]
fn main() {
    println!("std has no unix sockets here");
}

#[cfg(unix)]
mod unix {
    use std::error::Error;
    use std::io::{self, BufRead, BufReader, Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::{Path, PathBuf};
    use std::{env, fs, process, thread};

    use longwire::{Client, Response, Url};
    use serde_json::Value;

    pub(super) fn main() -> Result<(), Box<dyn Error>> {
        let mut arguments = env::args_os().skip(1);
        let given = arguments.next().map(PathBuf::from);
        let wanted = arguments.next().and_then(|name| name.into_string().ok());
        let Some(path) = given else {
            let path = env::temp_dir().join(format!("longwire-docker-{}.sock", process::id()));
            serve(&path).map_err(|error| format!("no socket at {}: {error}", path.display()))?;
            let socket = SocketFile(path);
            return show(&socket.0, wanted);
        };
        show(&path, wanted)
    }

    /// Removes the file when it is dropped: at the end, at an error and at a panic.
    struct SocketFile(PathBuf);

    impl Drop for SocketFile {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn show(path: &Path, wanted: Option<String>) -> Result<(), Box<dyn Error>> {
        let client = Client::builder().unix_socket(path).build();
        let response = client.get("http://docker/containers/json").query("all", true).send()?.error_for_status()?;
        let containers: Vec<Value> = serde_json::from_slice(&response.bytes()?)?;
        let mut running = None;
        for container in &containers {
            let text = |field: &Value| field.as_str().unwrap_or("?").to_owned();
            let name = text(&container["Names"][0]).trim_start_matches('/').to_owned();
            writeln!(io::stdout(), "{name}: {}, {}", text(&container["Image"]), text(&container["Status"]))?;
            if container["State"] == "running" {
                running = running.or(Some(name));
            }
        }
        let Some(name) = wanted.or(running) else { return Ok(()) };
        let mut url = Url::parse("http://docker/containers")?;
        url.path_segments_mut().expect("http has a path").extend([&name, "logs"]); // escaped, whatever the name is
        let request = client.get(url);
        let request = request.query_pairs([("follow", "1"), ("stdout", "1"), ("stderr", "1"), ("tail", "10")]);
        let log = request.read_timeout(None).send()?.error_for_status()?;
        writeln!(io::stdout(), "the log of {name}, reused connection: {}", log.connection().reused())?;
        follow(log)
    }

    /// Prints a log until it ends.
    fn follow(mut log: Response) -> Result<(), Box<dyn Error>> {
        if log.header("Content-Type") != Some("application/vnd.docker.multiplexed-stream") {
            log.copy_to(&mut io::stdout())?; // that of a terminal has no frames (since API 1.42 the type says so)
            return Ok(());
        }
        while !log.fill_buf()?.is_empty() {
            let mut frame = [0; 8];
            log.read_exact(&mut frame)?;
            let length = u32::from_be_bytes([frame[4], frame[5], frame[6], frame[7]]);
            write!(io::stdout(), "{}", if frame[0] == 2 { "err> " } else { "out> " })?;
            let copied = io::copy(&mut log.by_ref().take(length.into()), &mut io::stdout())?;
            if copied < length.into() {
                return Err("the log ends within a line".into());
            }
        }
        writeln!(io::stdout(), "the log has ended")?;
        Ok(())
    }

    /// Starts a daemon that has two containers. It ends with the process.
    fn serve(path: &Path) -> io::Result<()> {
        let listener = UnixListener::bind(path)?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer_all(&stream); // the client has gone
            }
        });
        Ok(())
    }

    fn answer_all(mut stream: &UnixStream) -> io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        while let Some(request_line) = lines.next().transpose()? {
            while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
            match request_line.split(' ').nth(1) {
                Some("/containers/json?all=true") => {
                    let list = r#"[{"Names": ["/db"], "Image": "db:1", "State": "exited", "Status": "Exited (0)"},
                        {"Names": ["/web"], "Image": "web:2", "State": "running", "Status": "Up 2 hours"}]"#;
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", list.len());
                    stream.write_all((head + list).as_bytes())?;
                }
                Some("/containers/web/logs?follow=1&stdout=1&stderr=1&tail=10") => {
                    let kind = "Content-Type: application/vnd.docker.multiplexed-stream";
                    let head = format!("HTTP/1.1 200 OK\r\n{kind}\r\nTransfer-Encoding: chunked\r\n\r\n");
                    stream.write_all(head.as_bytes())?;
                    // Frames and chunks need not agree: the second frame is in two chunks.
                    stream.write_all(b"12\r\n\x01\0\0\0\0\0\0\x06ready\n\x02\0\0\0\r\n")?;
                    stream.write_all(b"d\r\n\0\0\0\x09no cache\n\r\n0\r\n\r\n")?;
                }
                _ => stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?,
            }
        }
        Ok(())
    }
}
