//! Streams, and the events that they are: for the tests of the parser, and for those of the client.
//!
//! Those with `format-` are the cases of the web-platform-tests' `eventsource` folder, by their names there;
//! the others are what has gone wrong in one client or another.

/// An event as a test sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) event: String,
    pub(crate) data: String,
    pub(crate) id: Option<String>,
}

impl Seen {
    pub(crate) fn new(event: &str, data: &str, id: Option<&str>) -> Seen {
        Seen { event: event.to_owned(), data: data.to_owned(), id: id.map(str::to_owned) }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) events: Vec<Seen>,
    /// What the server has set, in milliseconds.
    pub(crate) retry: Option<u64>,
}

/// Messages without an ID.
fn case(name: &'static str, bytes: impl Into<Vec<u8>>, messages: &[&str]) -> Case {
    let events = messages.iter().map(|data| Seen::new("message", data, None)).collect();
    Case { name, bytes: bytes.into(), events, retry: None }
}

fn with_ids(name: &'static str, bytes: &str, messages: &[(&str, Option<&str>)]) -> Case {
    let events = messages.iter().map(|(data, id)| Seen::new("message", data, *id)).collect();
    Case { name, bytes: bytes.into(), events, retry: None }
}

fn with_types(name: &'static str, bytes: &str, events: &[(&str, &str)]) -> Case {
    let events = events.iter().map(|(event, data)| Seen::new(event, data, None)).collect();
    Case { name, bytes: bytes.into(), events, retry: None }
}

fn with_retry(name: &'static str, bytes: &str, messages: &[&str], retry: Option<u64>) -> Case {
    Case { retry, ..case(name, bytes, messages) }
}

pub(crate) fn all() -> Vec<Case> {
    [formats(), ids_and_types(), waits(), traps()].concat()
}

/// How lines and data are read.
fn formats() -> Vec<Case> {
    let long = "x".repeat(200);
    vec![
        case("format-bom", "\u{feff}data:1\n\n\u{feff}data:2\n\ndata:3\n\n", &["1", "3"]),
        case("format-bom-2", "\u{feff}\u{feff}data:1\n\ndata:2\n\ndata:3\n\n", &["2", "3"]),
        case(
            "format-comments",
            format!("data:1\r:\0\n:\r\ndata:2\n:{long}\rdata:3\n:data:no\r:{long}\ndata:4\n\n"),
            &["1\n2\n3\n4"],
        ),
        case("format-data-before-final-empty-line", "retry:1000\ndata:1\n\nid:7\ndata:2", &["1"]).waits(1000),
        case("format-field-data", "data:\n\ndata\ndata\n\ndata:test\n\n", &["", "\n", "test"]),
        case(
            "format-field-parsing",
            "data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
            &["\0\n 2\n1\n3\n\n4"],
        ),
        case(
            "format-field-unknown",
            "data:a\n data\ndata\nother:x\nonly words\n:data:a comment\ndata:b\n\n",
            &["a\n\nb"],
        ),
        case("format-leading-space", "data:\ttest\rdata: \ndata:test\n\n", &["\ttest\n\ntest"]),
        case("format-newlines", "data:test\r\ndata\ndata:test\r\n\r", &["test\n\ntest"]),
        case("format-null-character", "data:\0\n\n\n\n", &["\0"]),
        case("format-utf-8", "data:ok\u{2026}\n\n", &["ok\u{2026}"]),
        case(
            "format-utf-8, not UTF-8",
            b"data:ok\xe2\x80\n\ndata:\xff\xe2\x80\xa6\xc0\x80\n\n",
            &["ok\u{fffd}", "\u{fffd}\u{2026}\u{fffd}\u{fffd}"],
        ),
        case(
            "event-data",
            "data:msg\ndata: msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\ndata:end\n\n",
            &["msg\nmsg", "", "end"],
        ),
    ]
}

fn ids_and_types() -> Vec<Case> {
    vec![
        with_ids("format-field-id", "id: \u{2026}\ndata:hello\n\n", &[("hello", Some("\u{2026}"))]),
        with_ids(
            "format-field-id-2",
            "id:a\ndata:1\n\ndata:2\n\nid\ndata:3\n\n",
            &[("1", Some("a")), ("2", Some("a")), ("3", None)],
        ),
        with_ids("format-field-id-3, persists", "id: 1\ndata: 1\n\ndata:2\n\n", &[("1", Some("1")), ("2", Some("1"))]),
        with_ids(
            "format-field-id-3, changes and persists",
            "id: 1\ndata: 1\n\nid: 2\ndata:2\n\ndata:3\n\n",
            &[("1", Some("1")), ("2", Some("2")), ("3", Some("2"))],
        ),
        with_ids(
            "format-field-id-3, resets",
            "id: 1\ndata: 1\n\nid:\ndata:2\n\ndata:3\n\n",
            &[("1", Some("1")), ("2", None), ("3", None)],
        ),
        with_ids(
            "format-field-id-null",
            "id:1\ndata:a\n\nid:\0\0\ndata:hello\n\nid:2\0\ndata:b\n\n",
            &[("a", Some("1")), ("hello", Some("1")), ("b", Some("1"))],
        ),
        with_types("format-field-event", "event:test\ndata:x\n\ndata:x\n\n", &[("test", "x"), ("message", "x")]),
        with_types("format-field-event-empty", "event: \ndata:data\n\n", &[("message", "data")]),
        with_types(
            "the last event field counts, and one without data is for no other event",
            "event:a\nevent:b\ndata:1\n\nevent:c\n\ndata:2\n\nevent:d\nevent\ndata:3\n\n",
            &[("b", "1"), ("message", "2"), ("message", "3")],
        ),
        with_ids(
            "an ID without data counts for the next event",
            "id:5\n\ndata:a\n\nid:6\n\nid:7\ndata:cut",
            &[("a", Some("5"))],
        ),
    ]
}

fn waits() -> Vec<Case> {
    vec![
        with_retry("format-field-retry", "retry:3000\ndata:x\n\n", &["x"], Some(3000)),
        with_retry("format-field-retry-bogus", "retry:3000\nretry:1000x\ndata:x\n\n", &["x"], Some(3000)),
        with_retry("format-field-retry-empty", "retry\ndata:test\n\nretry:\n\n", &["test"], None),
        with_retry("no digits", "retry:+1\nretry:-1\nretry: 1 \nretry:1.5\nretry:\u{664}\n\n", &[], None),
        with_retry("the last one counts, also without an event", "retry:5\n\nretry: 0040\n", &[], Some(40)),
        with_retry("more than a number holds", "retry:99999999999999999999999\n\n", &[], Some(u64::MAX)),
    ]
}

/// What clients have got wrong.
fn traps() -> Vec<Case> {
    vec![
        case("CRLF everywhere", "data:1\r\ndata:2\r\n\r\ndata:3\r\n\r\n", &["1\n2", "3"]),
        case("CR everywhere", "data:1\rdata:2\r\rdata:3\r\r", &["1\n2", "3"]),
        case("CR and LF mixed", "data:1\n\rdata:2\r\n\ndata:3\r\r\ndata:4\n\r\n", &["1", "2", "3", "4"]),
        case("empty lines are no events", "\n\n\r\n\r\rdata:1\n\n\n\n\ndata:2\n\n", &["1", "2"]),
        case("one blank goes, others stay", "data:  a \ndata:\u{a0}b\ndata:\t\n\n", &[" a \n\u{a0}b\n\t"]),
        case("data of every length", "data\ndata:\ndata: \ndata:  \ndata:a\n\n", &["\n\n\n \na"]),
        case("colons in data", "data:a:b: c\ndata::\n\n", &["a:b: c\n:"]),
        case("names are told exactly", "DATA:1\nData:2\ndata :3\n data:4\ndat:5\ndatas:6\nid\n\n", &[]),
        case("a comment alone", ":\n\n: x\n\n", &[]),
        case("nothing", "", &[]),
        case("a mark alone", "\u{feff}", &[]),
        case("a mark, and a line end", "\u{feff}\r\ndata:1\r\n\r\n", &["1"]),
        case("the beginning of a mark", b"\xef\xbbdata:1\n\ndata:2\n\n", &["2"]),
        case("a mark that is cut", b"\xef\xbb", &[]),
        case("no empty line at the end", "data:1\n\ndata:2\n", &["1"]),
        case("no line end at the end", "data:1\n\ndata:2\n\ndata", &["1", "2"]),
        case("a character that a line end cuts", b"data:\xf0\x9f\ndata:\x92\xa9\n\n", &["\u{fffd}\n\u{fffd}\u{fffd}"]),
        case("characters of all lengths", "data:\u{e4}\u{20ac}\u{1f4a1}\n\n", &["\u{e4}\u{20ac}\u{1f4a1}"]),
        case("other line ends are none", "data:a\u{2028}b\u{85}c\u{b}d\u{c}e\n\n", &["a\u{2028}b\u{85}c\u{b}d\u{c}e"]),
        case(
            "lines as long as what is searched at once",
            format!("data:{}\n\ndata:{}\r\n\r\n", "a".repeat(27), "b".repeat(58)),
            &[&"a".repeat(27), &"b".repeat(58)],
        ),
    ]
}

impl Case {
    fn waits(self, milliseconds: u64) -> Case {
        Case { retry: Some(milliseconds), ..self }
    }
}
