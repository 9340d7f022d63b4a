//! A form with a file: `multipart/form-data`, as a browser sends it.
//!
//! ```text
//! cargo run --example upload                               # to a small server of its own
//! cargo run --example upload -- http://host/path           # to a server of yours
//! cargo run --example upload -- http://host/path cat.jpg   # and with a file of yours
//! ```
//!
//! The server at the end of this file answers with the request as it came, so that what is printed is what was
//! sent. Note that the length is there, and the quotation marks: in the text as they are, in the name of a file
//! as `%22`.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{env, thread};

use longwire::Client;
use longwire::multipart::{Form, Part};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE-MIT");

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let url = arguments.next().map_or_else(serve, Ok)?;
    let path = arguments.next().unwrap_or_else(|| FILE.to_owned());

    let form = Form::new()
        .text("title", "some \"text\"")
        .part("notes", Part::bytes("# Notes").file_name("my \"notes\".md").content_type("text/markdown"))
        .file("file", path)?;
    let response = Client::new().post(url).multipart(form).send()?.error_for_status()?;
    io::stdout().write_all(&response.bytes()?)?;
    Ok(())
}

/// Starts the server, and returns its URL. It ends with the process.
fn serve() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/upload", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(&stream));
        }
    });
    Ok(url)
}

/// One request, and itself as the response.
fn answer(mut stream: &TcpStream) -> io::Result<()> {
    let mut input = BufReader::new(stream);
    let (mut request, mut length) = (String::new(), 0);
    while !request.ends_with("\r\n\r\n") {
        let start = request.len();
        if input.read_line(&mut request)? == 0 {
            return Ok(()); // the client has gone
        }
        if let Some(value) = request[start..].strip_prefix("Content-Length: ") {
            length = value.trim_end().parse().map_err(io::Error::other)?;
        }
    }
    let mut request = request.into_bytes();
    input.take(length).read_to_end(&mut request)?;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", request.len());
    stream.write_all(&[head.as_bytes(), &request].concat())
}
