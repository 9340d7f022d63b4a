//! The house has floors and arrows point down only. This reads the sources in `src/` and fails on
//! a wrong arrow, an import cycle, I/O in `wire`, HTTP in `net`, a function over 70 lines, a file
//! without its contract, a vectored write, and `unsafe`.
//!
//! Each rule is also held against a small house that breaks it, so that none can rot into a rule
//! which never fails.

use std::collections::{BTreeMap, BTreeSet};

#[path = "layers/lexer.rs"]
mod lexer;
#[path = "support/source_tree.rs"]
mod source_tree;
#[path = "layers/sources.rs"]
mod sources;

use sources::Source;

const FUNCTION_LINES_MAX: usize = 70;

/// Bottom first: a floor is a folder, and all that lies in it, or files of `src/` itself. `net` may
/// not use `wire`, but for the handshake with a proxy.
const FLOORS: [(&str, &[&str]); 9] = [
    (
        "words",
        &[
            "backoff",
            "cookie",
            "error",
            "headers",
            "media_type",
            "method",
            "status",
            "observe",
            "random",
            "redact",
            "reuse",
            "tls_info",
            "token",
            "uri",
            "word_list",
        ],
    ),
    ("wire", &["wire"]),
    ("net", &["net"]),
    ("message", &["message"]),
    ("client", &["client"]),
    ("ext", &["ext"]),
    ("guide", &["guide"]), // documentation alone
    ("lib", &["lib"]),
    ("fuzzing", &["fuzzing"]), // sees every floor, and no floor sees it
];
const WORDS: usize = 0;
const WIRE: usize = 1;
const NET: usize = 2;

/// Floors that are folders; what stands on the others is one file each.
const FOLDERS: [&str; 7] = ["wire", "net", "message", "client", "ext", "guide", "fuzzing"];

/// The one file of `net` that speaks HTTP: the handshake with a proxy.
const HTTP_CONNECT: &str = "net/dial/http_connect.rs";

/// And the one that holds a proxy's own fields, though it names none of them.
const ROUTE: &str = "net/dial/route.rs";

/// Names of fields that are no plain English words. `net` must not hold any of them.
const FIELD_NAMES: [&str; 16] = [
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "keep-alive",
    "user-agent",
    "proxy-connection",
    "proxy-authorization",
    "set-cookie",
    "www-authenticate",
    "retry-after",
    "accept-encoding",
    "idempotency-key",
    "last-modified",
    "100-continue",
    "http/1.",
];

/// Names of fields that are words too: a literal that is just this word is the field.
const FIELD_WORDS: [&str; 12] = [
    "connection",
    "upgrade",
    "trailer",
    "expect",
    "location",
    "cookie",
    "authorization",
    "accept",
    "te",
    "date",
    "server",
    "via",
];

#[test]
fn the_sources_keep_to_their_floors_and_to_the_house_rules() {
    let sources = read_sources();
    let found = broken_rules(&sources);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn the_house_is_read_as_a_whole() {
    let sources = read_sources();
    let modules: BTreeSet<String> = sources.iter().map(name_of).collect();
    for expected in [
        "lib",
        "client",
        "client::exchange",
        "message::response",
        "net::pool",
        "net::tls::verify",
        "wire::framing",
        "error",
    ] {
        assert!(modules.contains(expected), "no module {expected}: {modules:?}");
    }
    let arrows: usize = arrows(&sources).values().map(BTreeMap::len).sum();
    assert!(arrows >= 20, "only {arrows} arrows found: is `use` still understood?");
    let functions: usize = sources.iter().map(|source| source.functions().len()).sum();
    assert!(functions >= 100, "only {functions} functions found");
}

fn read_sources() -> Vec<Source> {
    let files = source_tree::files("src", ".rs");
    files.iter().map(|file| Source::new(&file["src/".len()..], &source_tree::read(file))).collect()
}

fn broken_rules(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        match floor_of(&source.module()) {
            None => found.push(format!("{}: stands on no floor", source.file)),
            Some(WIRE) => io_in_wire(source, &mut found),
            Some(NET) if source.file != HTTP_CONNECT => http_in_net(source, &mut found),
            Some(_) => {}
        }
        house_rules(source, &mut found);
    }
    let arrows = arrows(sources);
    wrong_arrows(&arrows, &mut found);
    found.extend(cycle(&arrows).map(|path| format!("import cycle: {}", path.join(" -> "))));
    found
}

fn floor_of(module: &[String]) -> Option<usize> {
    let first = module.first().map_or("lib", String::as_str);
    let is_placed = module.len() <= 1 || FOLDERS.contains(&first);
    FLOORS.iter().position(|(_, modules)| is_placed && modules.contains(&first))
}

fn name_of(source: &Source) -> String {
    name(&source.module())
}

fn name(module: &[String]) -> String {
    if module.is_empty() { "lib".to_owned() } else { module.join("::") }
}

fn module(name: &str) -> Vec<String> {
    if name == "lib" { Vec::new() } else { name.split("::").map(str::to_owned).collect() }
}

/// From each module to the modules that it names, with the place that names it first.
type Arrows = BTreeMap<String, BTreeMap<String, String>>;

fn arrows(sources: &[Source]) -> Arrows {
    let modules: BTreeSet<Vec<String>> = sources.iter().map(Source::module).collect();
    let mut arrows = Arrows::new();
    for source in sources {
        let from = source.module();
        let out = arrows.entry(name(&from)).or_default();
        for named in source.named().iter().filter(|named| named.path[0] == "crate") {
            // The longest part of the path that is a module; what follows is an item of it.
            let path = &named.path[1..];
            let lengths = (0..=path.len()).rev();
            let to = lengths.map(|length| &path[..length]).find(|path| modules.contains(*path));
            let Some(to) = to.filter(|to| *to != from) else {
                continue;
            };
            let place = format!("{}:{}", source.file, named.line);
            out.entry(name(to)).or_insert(place);
        }
    }
    arrows
}

fn wrong_arrows(arrows: &Arrows, found: &mut Vec<String>) {
    for (from, out) in arrows {
        for (to, place) in out {
            let (Some(here), Some(there)) = (floor_of(&module(from)), floor_of(&module(to))) else {
                continue;
            };
            if there > here {
                let (here, there) = (FLOORS[here].0, FLOORS[there].0);
                found.push(format!("{place}: {from} ({here}) points up to {to} ({there})"));
            } else if here == NET && there == WIRE && from != "net::dial::http_connect" {
                found.push(format!("{place}: {from} uses {to}; in net only http_connect may"));
            }
        }
    }
}

/// A way from a module back to itself, if there is one.
fn cycle(arrows: &Arrows) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    arrows.keys().find_map(|from| cycle_from(from, arrows, &mut Vec::new(), &mut done))
}

fn cycle_from(from: &str, arrows: &Arrows, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<Vec<String>> {
    if let Some(start) = way.iter().position(|name| name == from) {
        let mut found = way[start..].to_vec();
        found.push(from.to_owned());
        return Some(found);
    }
    if !done.insert(from.to_owned()) {
        return None;
    }
    way.push(from.to_owned());
    let out = arrows.get(from).into_iter().flat_map(BTreeMap::keys);
    let found = out.into_iter().find_map(|to| cycle_from(to, arrows, way, done));
    way.pop();
    found
}

fn io_in_wire(source: &Source, found: &mut Vec<String>) {
    for named in source.named() {
        let names: Vec<&str> = named.path.iter().map(String::as_str).collect();
        if let ["std" | "core", "net" | "io" | "time", ..] | ["std", "*"] = names.as_slice() {
            let path = named.path.join("::");
            found.push(format!("{}:{}: {path} in wire", source.file, named.line));
        }
    }
}

fn http_in_net(source: &Source, found: &mut Vec<String>) {
    for literal in source.literals() {
        let text = literal.text.to_ascii_lowercase();
        let place = format!("{}:{}", source.file, literal.line);
        let is_field = FIELD_NAMES.iter().any(|name| text.contains(name));
        if is_field || FIELD_WORDS.contains(&contents(&text)) {
            found.push(format!("{place}: net names a header: {}", literal.text));
        }
        if text.contains("\\r") || text.contains("x0d") {
            found.push(format!("{place}: net writes a CR: {}", literal.text));
        }
    }
    for named in source.named() {
        if named.path.len() > 1 && named.path[..2] == ["crate", "headers"] && source.file != ROUTE {
            let place = format!("{}:{}", source.file, named.line);
            found.push(format!("{place}: net names {}", named.path.join("::")));
        }
    }
}

/// What stands in a literal, without prefix, hashes and quotes, and without a colon behind it.
fn contents(literal: &str) -> &str {
    let quoted = literal.trim_start_matches(['b', 'c', 'r', '#']);
    let Some(rest) = quoted.strip_prefix('"') else {
        return "";
    };
    rest.trim_end_matches(['"', '#', ' ', ':'])
}

fn house_rules(source: &Source, found: &mut Vec<String>) {
    // The crate's own contract may be the README.
    let contracts = ["//!", "#![doc = include_str!("];
    if !contracts.iter().any(|start| source.text.starts_with(start)) {
        found.push(format!("{}: does not open with its contract (//!)", source.file));
    }
    let words = floor_of(&source.module()) == Some(WORDS);
    for named in source.named() {
        if words && ["httparse", "base64"].contains(&named.path[0].as_str()) {
            let (file, line, path) = (&source.file, named.line, named.path.join("::"));
            found.push(format!("{file}:{line}: {path} among the words (std and url only)"));
        }
    }
    if let Some(token) = source.word("unsafe") {
        found.push(format!("{}:{}: unsafe", source.file, token.line));
    }
    // The standard library's vectored write raises SIGPIPE on a socket; its plain one does not.
    if let Some(token) = source.use_of("write_vectored") {
        found.push(format!("{}:{}: a vectored write", source.file, token.line));
    }
    for function in source.functions() {
        if function.lines > FUNCTION_LINES_MAX && !function.in_tests {
            let (file, line, name, lines) = (&source.file, function.line, &function.name, function.lines);
            found.push(format!("{file}:{line}: {name} has {lines} lines"));
        }
    }
}

/// A small house, to hold a rule against: files with their texts.
fn found_in(files: &[(&str, &str)]) -> Vec<String> {
    let with_contract = |text: &str| format!("//! A contract.\n{text}");
    let source = |(file, text): &(&str, &str)| Source::new(file, &with_contract(text));
    let sources: Vec<Source> = files.iter().map(source).collect();
    broken_rules(&sources)
}

/// Asserts that the house breaks exactly one rule, with these words in the report of it.
#[track_caller]
fn assert_broken(files: &[(&str, &str)], words: &str) {
    let found = found_in(files);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains(words), "{found:?} does not say {words:?}");
}

#[test]
fn a_house_in_order_breaks_no_rule() {
    let head = "use crate::error::{self, Error};\npub(crate) mod inner { use super::super::super::status; }";
    let files = [
        (
            "lib.rs",
            "mod error; mod status; mod wire; mod net; mod message;\npub use error::Error; pub use message::body::Body;",
        ),
        ("error.rs", "use std::{fmt, io}; // use crate::client;\n/// crate::body"),
        ("status.rs", ""),
        ("wire/mod.rs", "pub(crate) mod head; pub(crate) mod framing;"),
        ("wire/head.rs", head),
        ("wire/framing.rs", "use super::head; fn f<'a>(x: &'a str) -> impl Iterator + use<'a> { \"crate::net\" }"),
        ("net/mod.rs", "pub(crate) mod pool; mod dial;"),
        ("net/dial/mod.rs", "mod http_connect; use crate::net::dial::http_connect;"),
        ("net/pool.rs", "use std::net::TcpStream; const TEXT: &str = \"the connection is closed\";"),
        ("net/dial/http_connect.rs", "use crate::wire::head; const CRLF: &[u8] = b\"\\r\\n\";"),
        ("message/body.rs", "use crate::{net::pool, wire::{framing, head}};"),
    ];
    assert_eq!(found_in(&files), [""; 0]);
}

#[test]
fn an_arrow_that_points_up_is_found_in_every_spelling() {
    let pool = ("net/pool.rs", "");
    let client = ("client/mod.rs", "");
    for up in [
        "use crate::client::Client;",
        "use crate::{error, client};",
        "use super::client as c;",
        "fn f() { crate::client::send() }",
        "fn f() { super::client::send() }",
        "use crate::client::*;",
        "#[cfg(test)] mod tests { use super::super::client; }",
    ] {
        assert_broken(&[client, ("error.rs", up)], "error (words) points up to client (client)");
    }
    let nested = ("wire/head.rs", "use super::super::net::pool;");
    assert_broken(&[pool, nested], "wire::head (wire) points up to net::pool (net)");
    let deep = [("client/exchange.rs", ""), ("net/pool/table.rs", "use crate::client::exchange;")];
    assert_broken(&deep, "net::pool::table (net) points up to client::exchange (client)");
    let root = [("lib.rs", ""), ("message/body.rs", "use crate::Error;")];
    assert_broken(&root, "message::body (message) points up to lib");
}

#[test]
fn net_uses_wire_for_http_connect_only() {
    let head = ("wire/head.rs", "");
    assert_broken(&[head, ("net/conn.rs", "use crate::wire::head;")], "only http_connect may");
    let renamed = "use crate::{wire as w}; fn f() { w::head::parse() }";
    let found = found_in(&[head, ("wire/mod.rs", "mod head;"), ("net/conn.rs", renamed)]);
    assert_eq!(found.len(), 2, "the module and its file: {found:?}");
}

#[test]
fn an_import_cycle_is_found_and_spelt_out() {
    let files = [
        ("client/mod.rs", "use crate::client::retry;"),
        ("client/retry.rs", "use super::redirect;"),
        ("client/redirect.rs", "fn f() { crate::client::g() }"),
    ];
    assert_broken(&files, "import cycle: client -> client::retry -> client::redirect -> client");
}

#[test]
fn wire_names_neither_sockets_nor_clocks_nor_io() {
    for text in [
        "use std::io;",
        "use std::{fmt, time::Duration};",
        "use std::*;",
        "fn f(x: std::net::SocketAddr) {}",
        "#[cfg(test)] mod tests { use std::io::Read; }",
        "use core::time::Duration;",
    ] {
        assert_broken(&[("wire/head.rs", text)], "in wire");
    }
}

#[test]
fn net_names_neither_header_nor_crlf() {
    for text in ["\"Keep-Alive\"", "b\"Connection\"", "\"Connection: \"", "r#\"te\"#"] {
        let text = format!("const NAME: X = {text};");
        assert_broken(&[("net/pool.rs", &text)], "names a header");
    }
    for text in ["\"a\\r\\n\"", "b'\\r'", "'\\r'", "0x0d", "b\"\\x0D\""] {
        let text = format!("const MARK: X = {text};");
        assert_broken(&[("net/pool.rs", &text)], "writes a CR");
    }
    let headers = [("headers.rs", ""), ("net/pool.rs", "use crate::headers::Headers;")];
    assert_broken(&headers, "net names crate::headers::Headers");
}

#[test]
fn the_words_know_std_and_url_only() {
    assert_broken(&[("headers.rs", "use httparse::Header;")], "among the words");
}

#[test]
fn unsafe_is_found_in_code_and_not_in_text() {
    assert_broken(&[("message/body.rs", "fn f() { unsafe { g() } }")], "message/body.rs:2: unsafe");
    let text = "#![forbid(unsafe_code)] /* unsafe */ const S: &str = \"unsafe\";";
    assert_eq!(found_in(&[("lib.rs", text)]), [""; 0]);
}

#[test]
fn a_vectored_write_is_found() {
    assert_broken(
        &[("message/body.rs", "fn f(s: &mut S) { s.write_vectored(&[]) }")],
        "message/body.rs:2: a vectored write",
    );
}

#[test]
fn a_function_has_70_lines_at_most_except_in_tests() {
    let function = |lines: usize| {
        let body = "    let x = '{'; // }\n".repeat(lines - 2);
        format!("fn long(list: [u8; 4]) {{\n{body}}}\n")
    };
    assert_eq!(found_in(&[("message/body.rs", &function(70))]), [""; 0]);
    assert_broken(&[("message/body.rs", &function(71))], "message/body.rs:2: long has 71 lines");
    let in_tests = format!("#[cfg(test)]\nmod tests {{\n{}}}", function(71));
    assert_eq!(found_in(&[("message/body.rs", &in_tests)]), [""; 0]);
    let in_module = format!("mod inner {{\n{}}}", function(71));
    assert_broken(&[("message/body.rs", &in_module)], "long has 71 lines");
}

#[test]
fn a_file_opens_with_its_contract_and_stands_on_a_floor() {
    let found = broken_rules(&[Source::new("message/body.rs", "// not a contract\n")]);
    assert_eq!(found, ["message/body.rs: does not open with its contract (//!)"]);
    assert_broken(&[("stray.rs", "")], "stray.rs: stands on no floor");
    assert_broken(&[("error/inner.rs", "")], "stands on no floor");
}
