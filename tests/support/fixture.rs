//! The fixture corpus as data: reads `fixtures/*/NAME.http` and `NAME.expect`.
//!
//! Here are the files, their format, and nothing else: no name from the library, and no
//! judgement on what it did. `fixtures/README.md` is the format's manual.
//!
//! Every mistake in the corpus is a panic that names the file and the line.

#![allow(dead_code, reason = "each test that includes this file uses its own part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders of the corpus; a file anywhere else is a mistake.
pub(crate) const FOLDERS: [&str; 7] = ["head", "framing", "chunked", "close", "limits", "hostile", "wild"];

/// Bytes of a body that a message shows.
const SHOWN_BYTES_MAX: usize = 200;

const ENDS: [&str; 4] = ["length", "last-chunk", "closed", "empty"];
const STAGES: [&str; 4] = ["Wait", "Head", "Body", "Redirect"];
const ERRORS: [&str; 8] = ["Head", "HeadTooLarge", "Framing", "Chunk", "Truncated", "Redirect", "Decode", "Io"];
const REUSES: [&str; 9] = [
    "kept",
    "ServerClose",
    "Http10",
    "UntilClose",
    "BadFraming",
    "VersionInDoubt",
    "KeepAliveHint",
    "StrayBytes",
    "Upgraded",
];

/// One reply of a server, and what must come of it.
#[derive(Debug, Clone)]
pub(crate) struct Fixture {
    /// Folder and file name without the ending: `chunked/plus-sign`.
    pub(crate) name: String,
    /// The bytes, exactly as the server sends them.
    pub(crate) bytes: Vec<u8>,
    /// The claim.
    pub(crate) expect: Expect,
}

/// What `NAME.expect` says. A field that is `None` or empty claims nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expect {
    /// The first line: one sentence.
    pub(crate) claim: String,
    /// The RFC section, or the real server, that decides.
    pub(crate) section: String,
    /// The request's method; `GET` unless given.
    pub(crate) method: String,
    /// What the server does after its last byte.
    pub(crate) then: Then,
    /// The status of the final response. Absent if there is none to see.
    pub(crate) status: Option<u16>,
    /// `HTTP/1.0` or `HTTP/1.1`, as the client reports it.
    pub(crate) version: Option<String>,
    /// The reason phrase.
    pub(crate) reason: Option<Vec<u8>>,
    /// The whole body.
    pub(crate) body: Option<BodyClaim>,
    /// How the body ended: `length`, `last-chunk`, `closed` or `empty`.
    pub(crate) end: Option<String>,
    /// Header lines. For each name in this list, all its lines in their order.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// Header names that must be absent.
    pub(crate) no_headers: Vec<String>,
    /// The number of header lines.
    pub(crate) fields: Option<usize>,
    /// Trailer lines, by the same rule as `headers`.
    pub(crate) trailers: Vec<(String, Vec<u8>)>,
    /// Trailer names that must be absent.
    pub(crate) no_trailers: Vec<String>,
    /// The number of 1xx heads passed over before the final one.
    pub(crate) interim: Option<usize>,
    /// The error's kind.
    pub(crate) error: Option<String>,
    /// Where the error is met: `Wait`, `Head`, `Redirect` (no response) or `Body`.
    pub(crate) stage: Option<String>,
    /// What may be read before the error: the bytes delivered are a prefix of it.
    pub(crate) body_before_error: Option<Vec<u8>>,
    /// True if the body is asked for as text, which may be the mistake (`Decode`).
    pub(crate) as_text: bool,
    /// The client skips lines that are no fields.
    pub(crate) skips_invalid: bool,
    /// `kept`, or the name of the reason for which the connection was closed.
    pub(crate) reuse: Option<String>,
}

/// What the server does once it has sent the bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Then {
    /// Says no more and keeps the connection open.
    #[default]
    Hold,
    /// Closes in order (FIN).
    Close,
    /// Breaks the connection (RST).
    Reset,
}

/// A body, spelt out or by its length and FNV-1a sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BodyClaim {
    /// These bytes.
    Bytes(Vec<u8>),
    /// This many bytes with this 64-bit FNV-1a sum.
    Sum { length: u64, fnv: u64 },
}

impl BodyClaim {
    /// Says how `body` differs from the claim, or `None` if it does not.
    pub(crate) fn difference(&self, body: &[u8]) -> Option<String> {
        match self {
            BodyClaim::Bytes(bytes) if bytes == body => None,
            BodyClaim::Bytes(bytes) => Some(format!("body is {}, expected {}", shown(body), shown(bytes))),
            BodyClaim::Sum { length, fnv } => {
                let (got_length, got_fnv) = (body.len() as u64, fnv1a(body));
                if (got_length, got_fnv) == (*length, *fnv) {
                    return None;
                }
                Some(format!("body is {got_length} bytes with sum {got_fnv:016x}, expected {length} with {fnv:016x}"))
            }
        }
    }
}

/// Bytes for a message: in quotes, escaped, and not too many of them.
pub(crate) fn shown(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN_BYTES_MAX) {
        None => format!("\"{}\"", bytes.escape_ascii()),
        Some(start) => format!("\"{}\"... ({} bytes)", start.escape_ascii(), bytes.len()),
    }
}

/// The 64-bit FNV-1a sum: enough to distinguish two bodies, and six lines long.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Reads the whole corpus, sorted by name.
pub(crate) fn all() -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut fixtures = Vec::new();
    for folder in FOLDERS {
        for (name, (http, expect)) in pairs(&root.join(folder)) {
            let text = fs::read_to_string(&expect).unwrap_or_else(|error| panic!("{}: {error}", expect.display()));
            let bytes = fs::read(&http).unwrap_or_else(|error| panic!("{}: {error}", http.display()));
            let expect = parse(&text).unwrap_or_else(|(line, what)| panic!("{}:{line}: {what}", expect.display()));
            fixtures.push(Fixture { name: format!("{folder}/{name}"), bytes, expect });
        }
    }
    fixtures.sort_by(|a, b| a.name.cmp(&b.name));
    fixtures
}

/// The `.http` and `.expect` files of one folder, by name; none without the other.
fn pairs(folder: &Path) -> BTreeMap<String, (PathBuf, PathBuf)> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut pairs = BTreeMap::new();
    for entry in entries {
        let path = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        let other = match ending {
            Some("http") => path.with_extension("expect"),
            Some("expect") => path.with_extension("http"),
            _ => panic!("{}:1: neither .http nor .expect", path.display()),
        };
        assert!(other.is_file(), "{}:1: has no {}", path.display(), other.display());
        let name = path.file_stem().and_then(|name| name.to_str());
        let name = name.unwrap_or_else(|| panic!("{}:1: not a UTF-8 name", path.display()));
        pairs.insert(name.to_owned(), (path.with_extension("http"), path.with_extension("expect")));
    }
    pairs
}

/// What is wrong, and on which line.
type Mistake = (usize, String);

/// Parses the text of an `.expect` file.
pub(crate) fn parse(text: &str) -> Result<Expect, Mistake> {
    let claim = text.lines().next().and_then(|line| line.strip_prefix("# "));
    let claim = claim.ok_or((1, "the first line is not `# ` and a sentence".to_owned()))?;
    if !claim.ends_with('.') {
        return Err((1, "the claim is not a sentence: no full stop".to_owned()));
    }
    let mut expect = Expect { claim: claim.to_owned(), method: "GET".to_owned(), ..Expect::default() };
    let mut seen: Vec<&str> = Vec::new();
    let (mut length, mut fnv) = (None, None);
    for (index, line) in text.lines().enumerate() {
        let at = |what: String| (index + 1, what);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once(':').ok_or_else(|| at("not `key: value`".to_owned()))?;
        let value = value.trim_matches([' ', '\t']);
        let many = ["header", "no-header", "trailer", "no-trailer"].contains(&key);
        if seen.contains(&key) && !many {
            return Err(at(format!("`{key}` is there twice")));
        }
        seen.push(key);
        match key {
            "body-length" => length = Some(number(value, 10).map_err(at)?),
            "body-fnv" => fnv = Some(number(value, 16).map_err(at)?),
            _ => set(&mut expect, key, value).map_err(at)?,
        }
    }
    let last = text.lines().count();
    match (length, fnv) {
        (Some(length), Some(fnv)) if expect.body.is_none() => {
            expect.body = Some(BodyClaim::Sum { length, fnv });
        }
        (None, None) => {}
        _ => return Err((last, "body, or body-length and body-fnv".to_owned())),
    }
    complete(&expect).map_err(|what| (last, what.to_owned()))?;
    Ok(expect)
}

/// Writes one `key: value` into its place.
fn set(expect: &mut Expect, key: &str, value: &str) -> Result<(), String> {
    match key {
        "section" => expect.section = given(value)?,
        "method" => expect.method = given(value)?,
        "then" => expect.then = then(value)?,
        "status" => expect.status = Some(status(value)?),
        "version" => expect.version = Some(one_of(value, &["HTTP/1.0", "HTTP/1.1"])?),
        "reason" => expect.reason = Some(unescape(value)?),
        "body" => expect.body = Some(BodyClaim::Bytes(quoted(value)?)),
        "end" => expect.end = Some(one_of(value, &ENDS)?),
        "header" => expect.headers.push(field(value)?),
        "no-header" => expect.no_headers.push(given(value)?),
        "fields" => expect.fields = Some(count(value)?),
        "trailer" => expect.trailers.push(field(value)?),
        "no-trailer" => expect.no_trailers.push(given(value)?),
        "interim" => expect.interim = Some(count(value)?),
        "error" => expect.error = Some(one_of(value, &ERRORS)?),
        "stage" => expect.stage = Some(one_of(value, &STAGES)?),
        "body-before-error" => expect.body_before_error = Some(quoted(value)?),
        "skip-invalid" => expect.skips_invalid = one_of(value, &["no", "yes"])? == "yes",
        "read-as" => expect.as_text = one_of(value, &["bytes", "text"])? == "text",
        "reuse" => expect.reuse = Some(one_of(value, &REUSES)?),
        _ => return Err(format!("unknown key `{key}`")),
    }
    Ok(())
}

/// A claim says either how a response ends or how it fails, and all of it.
fn complete(expect: &Expect) -> Result<(), &'static str> {
    if expect.section.is_empty() {
        return Err("no section");
    }
    let Some(stage) = expect.stage.as_deref() else {
        return match expect {
            Expect { error: Some(_), .. } => Err("an error has a stage"),
            Expect { status: None, .. } => Err("neither status nor error"),
            Expect { body: None, .. } => Err("no body"),
            Expect { end: None, .. } => Err("no end"),
            Expect { reuse: None, .. } => Err("no reuse"),
            Expect { body_before_error: Some(_), .. } => Err("body-before-error without an error"),
            _ => Ok(()),
        };
    };
    match (&expect.error, stage, expect.status) {
        (None, ..) => Err("a stage without an error"),
        (_, "Body", None) => Err("an error in the body comes after a status"),
        (_, "Wait" | "Head" | "Redirect", Some(_)) => Err("an error before the body has no status"),
        _ if expect.reuse.is_some() => Err("after an error there is no reuse to claim"),
        _ if expect.body.is_some() || expect.end.is_some() => {
            Err("after an error there is no whole body: body-before-error")
        }
        _ => Ok(()),
    }
}

fn given(value: &str) -> Result<String, String> {
    match value {
        "" => Err("no value".to_owned()),
        value => Ok(value.to_owned()),
    }
}

fn then(value: &str) -> Result<Then, String> {
    match value {
        "hold" => Ok(Then::Hold),
        "close" => Ok(Then::Close),
        "reset" => Ok(Then::Reset),
        _ => Err(format!("`{value}` is not hold, close or reset")),
    }
}

fn one_of(value: &str, words: &[&str]) -> Result<String, String> {
    if words.contains(&value) {
        return Ok(value.to_owned());
    }
    Err(format!("`{value}` is none of {}", words.join(", ")))
}

fn number(value: &str, radix: u32) -> Result<u64, String> {
    u64::from_str_radix(value, radix).map_err(|error| format!("`{value}`: {error}"))
}

fn count(value: &str) -> Result<usize, String> {
    usize::try_from(number(value, 10)?).map_err(|error| format!("`{value}`: {error}"))
}

fn status(value: &str) -> Result<u16, String> {
    u16::try_from(number(value, 10)?).map_err(|error| format!("`{value}`: {error}"))
}

/// `Name: value`, the value with escapes.
fn field(line: &str) -> Result<(String, Vec<u8>), String> {
    let (name, value) = line.split_once(':').ok_or_else(|| format!("`{line}` is not `Name: value`"))?;
    Ok((name.to_owned(), unescape(value.trim_matches([' ', '\t']))?))
}

/// A string in double quotes, with escapes.
fn quoted(value: &str) -> Result<Vec<u8>, String> {
    let inner = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .ok_or_else(|| format!("`{value}` is not in double quotes"))?;
    unescape(inner)
}

/// Text with `\r \n \t \0 \" \\ \xNN`; all else stands for itself, in UTF-8.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'r') => b'\r',
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'0') => 0,
            Some(b'"') => b'"',
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let digits = [rest.next(), rest.next()].map(|digit| digit.unwrap_or(b'?'));
                let digits = String::from_utf8_lossy(&digits).into_owned();
                u8::from_str_radix(&digits, 16).map_err(|_| format!("bad escape `\\x{digits}`"))?
            }
            _ => return Err("an unknown escape".to_owned()),
        });
    }
    Ok(bytes)
}
