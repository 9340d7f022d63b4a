//! Forms as the parsers of other languages read them: Python's email, the one behind Node's fetch, busboy, Go's
//! mime/multipart, and PHP.
//!
//! Each is a small program in `parsers/` that prints what it has understood. Those of Python and Node are run
//! by `.ci/run`; the others, in `more_parsers`, by hand, since they need more than is installed there.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use longwire::multipart::{Form, Part};
use longwire::script::Seen;

use super::{arriving, boundary};

/// One part, as a parser has understood it.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    name: String,
    /// Of a file: its name and its type.
    file: Option<(String, String)>,
    content: Vec<u8>,
}

fn field(name: &str, value: &str) -> Entry {
    Entry { name: name.to_owned(), file: None, content: value.into() }
}

fn file(name: &str, file_name: &str, media_type: &str, content: impl Into<Vec<u8>>) -> Entry {
    Entry { name: name.to_owned(), file: Some((file_name.to_owned(), media_type.to_owned())), content: content.into() }
}

const OCTETS: &str = "application/octet-stream";

/// Names and contents that a careless writer of forms would spoil. No field is longer than the limits that
/// parsers have.
fn entries() -> Vec<Entry> {
    let every_byte: Vec<u8> = (0..=255).collect();
    vec![
        field("plain", "value"),
        field("two words", "line breaks\nof\rall\r\nkinds\r\n"),
        file("a \"quote\"", "c\"\r\nX-Evil: 1\r\n\r\n.txt", OCTETS, every_byte.repeat(1000)),
        field("100%", ""),
        file("ə;=,", "☺ 'x'; (y).txt", "text/plain", "\r\n--longwire-\r\n--"),
        field("ə", "é☺"),
        file("empty", "empty.bin", "image/png", ""),
        field("plain", "once more"),
    ]
}

/// The form of these parts; every other content of a file comes from a reader.
fn form_of(entries: &[Entry]) -> Form<'_> {
    let mut form = Form::new();
    for (number, entry) in entries.iter().enumerate() {
        form = match &entry.file {
            None => form.text(&entry.name, String::from_utf8_lossy(&entry.content)),
            Some((name, media_type)) => {
                let part = match number % 4 {
                    0 => Part::reader(Cursor::new(&entry.content)),
                    _ => Part::bytes(&entry.content),
                };
                let part = part.file_name(name);
                let part = if media_type == OCTETS { part } else { part.content_type(media_type) };
                form.part(&entry.name, part)
            }
        };
    }
    form
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/multipart/parsers").join(name)
}

/// What the command makes of a form that has arrived.
fn parsed_by(mut command: Command, seen: &Seen) -> Vec<Entry> {
    command.arg(format!("multipart/form-data; boundary={}", boundary(seen)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
    let (mut input, body) = (child.stdin.take().expect("it is piped"), seen.body().to_vec());
    let writer = thread::spawn(move || input.write_all(&body));
    let output = child.wait_with_output().expect("its output");
    writer.join().expect("no panic").expect("it reads all of the form");
    assert!(output.status.success(), "{command:?}: {}", output.status);
    entries_in(&String::from_utf8(output.stdout).expect("lines of hex"))
}

/// The entries that a program has printed.
fn entries_in(lines: &str) -> Vec<Entry> {
    let bytes = |word: &str| -> Option<Vec<u8>> {
        let digits = word.strip_suffix('.')?.as_bytes();
        let digits = digits.chunks(2).map(|pair| std::str::from_utf8(pair).expect("hex"));
        Some(digits.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect())
    };
    let text = |word: &str| bytes(word).map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
    let entry = |line: &str| {
        let mut words = line.split(' ');
        let mut next = || words.next().expect("four words");
        let name = unescaped(&text(next()).expect("a name"));
        let file_name = text(next()).map(|name| unescaped(&name));
        let file = file_name.zip(text(next()));
        Entry { name, file, content: bytes(next()).expect("a content") }
    };
    lines.lines().map(entry).collect()
}

/// Some parsers undo the escapes of names, and others leave them to the program.
fn unescaped(name: &str) -> String {
    name.replace("%0D", "\r").replace("%0A", "\n").replace("%22", "\"")
}

fn assert_understood(command: impl Fn() -> Command, entries: &[Entry]) {
    assert_eq!(parsed_by(command(), &arriving(form_of(entries))), entries);
}

/// Names that are empty, as RFC 7578 allows.
fn nameless() -> [Entry; 3] {
    [field("", "x"), file("", "f", OCTETS, "y"), file("n", "", OCTETS, "z")]
}

fn python() -> Command {
    let mut command = Command::new("python3");
    command.arg(program("read_form.py"));
    command
}

fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(program(script));
    command
}

/// It takes no form without parts, which RFC 2046 §5.1.1 does not have.
#[test]
#[ignore = "needs python3: run with --include-ignored (.ci/run does)"]
fn pythons_email_understands_a_form() {
    assert_understood(python, &entries());
    assert_understood(python, &nameless());
}

#[test]
#[ignore = "needs node: run with --include-ignored (.ci/run does)"]
fn nodes_fetch_understands_a_form() {
    assert_understood(|| node("undici.js"), &entries());
    assert_understood(|| node("undici.js"), &nameless());
    let escaped = [field("back\\slash", "x"), file("n", "back\\slash", OCTETS, "y")];
    assert_understood(|| node("undici.js"), &escaped);
    assert_understood(|| node("undici.js"), &[]);
}

/// With programs that are not installed everywhere: `cargo test --test multipart -- --include-ignored`.
mod more_parsers {
    use super::*;
    use crate::servers::{Process, START_LIMIT, free_port};
    use longwire::Client;
    use std::time::{Duration, Instant};

    #[test]
    #[ignore = "needs go: run with --include-ignored"]
    fn gos_mime_multipart_understands_a_form() {
        let go = || {
            let mut command = Command::new("go");
            command.arg("run").arg(program("mime.go")).env("GOPROXY", "off");
            command
        };
        assert_understood(go, &entries());
        assert_understood(go, &nameless());
        assert_understood(go, &[]);
    }

    #[test]
    #[ignore = "needs node with busboy (npm install busboy; NODE_PATH): run with --include-ignored"]
    fn busboy_understands_a_form() {
        assert_understood(|| node("busboy.js"), &entries());
        assert_understood(|| node("busboy.js"), &[]);
    }

    /// PHP parses forms in its server alone. It keeps one value of each name, changes names that a variable
    /// cannot have, and puts files after the fields.
    #[test]
    #[ignore = "needs php-cli: run with --include-ignored"]
    fn php_understands_a_form() {
        let mut variables = BTreeMap::new();
        for (number, mut entry) in entries().into_iter().enumerate() {
            entry.name = format!("v{number}");
            variables.insert((entry.file.is_some(), number), entry);
        }
        let sent: Vec<Entry> = variables.into_values().collect();
        let (port, mut server) = php();
        let url = format!("http://127.0.0.1:{port}/");
        let started = Instant::now();
        while Client::new().get(&url).send().is_err() {
            assert!(started.elapsed() < START_LIMIT && !server.has_ended(), "php does not start");
            thread::sleep(Duration::from_millis(10));
        }
        // Twice: PHP's own server closes each connection.
        for _ in 0..2 {
            let response = Client::new().post(&url).multipart(sized(&sent)).send().expect("a response");
            assert_eq!(entries_in(&response.text().expect("lines")), sent);
        }
    }

    /// The form with a length, since PHP's own server has no chunks.
    fn sized(entries: &[Entry]) -> Form<'_> {
        entries.iter().fold(Form::new(), |form, entry| match &entry.file {
            None => form.text(&entry.name, String::from_utf8_lossy(&entry.content)),
            Some((name, media_type)) => {
                let content = Part::sized_reader(Cursor::new(&entry.content), entry.content.len() as u64);
                form.part(&entry.name, content.file_name(name).content_type(media_type))
            }
        })
    }

    fn php() -> (u16, Process) {
        let port = free_port();
        let mut command = Command::new("php");
        command.arg("-S").arg(format!("127.0.0.1:{port}")).arg(program("form.php"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        (port, Process::start(command, Some(port), "php-cli"))
    }
}
