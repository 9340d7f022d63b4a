//! The guide (`src/guide/`) is true: its quotes are the sources' lines, the outcomes that it gives are
//! those of the fixtures, the functions, tests, files and sections that it names exist, and its pictures are
//! well-formed.
//!
//! `UPDATE_GUIDE=1 cargo test --test guide` writes the quotes and outcomes anew, where what they begin and
//! end with is still there.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

#[path = "support/markdown.rs"]
mod markdown;
#[path = "support/source_tree.rs"]
mod source_tree;
#[path = "support/xml.rs"]
mod xml;

use markdown::code_spans;
use source_tree::{definition, read};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Stops of the tour, and lines that one of them quotes at most.
const STOPS: usize = 12;
const QUOTED_LINES_MAX: usize = 20;

/// A quote in the guide, from `<!-- quote FILE: BEGIN ... END -->` to `<!-- end -->`. BEGIN and END are parts
/// of its first and of its last line; `A >> B` is the first line with B from one with A on. BEGIN's A is there once.
const QUOTE: &str = "<!-- quote ";
/// What comes of a fixture, from `<!-- outcome NAME -->` to `<!-- end -->`.
const OUTCOME: &str = "<!-- outcome ";
const END: &str = "<!-- end -->";

/// The files of the guide that end so, by their names without that.
fn names(ending: &str) -> Vec<String> {
    let files = source_tree::files("src/guide", ending);
    files.iter().map(|file| file["src/guide/".len()..file.len() - ending.len()].to_owned()).collect()
}

/// The text of a page, without what makes it a comment.
fn page(name: &str) -> String {
    let source = read(&format!("src/guide/{name}.rs"));
    let docs = source.lines().filter_map(|line| line.strip_prefix("//!"));
    docs.map(|line| line.strip_prefix(' ').unwrap_or(line)).fold(String::new(), |page, line| page + line + "\n")
}

/// The lines that a marker asks for, with the number of the first, counted from 1.
fn quoted<'s>(source: &'s str, marker: &str) -> Result<(usize, Vec<&'s str>), String> {
    let lines: Vec<&str> = source.lines().collect();
    let (begin, end) = marker.split_once(" ... ").ok_or("it has no ` ... ` between its begin and its end")?;
    let find = |part: &str, from: usize| {
        let found = (from..lines.len()).find(|at| lines[*at].contains(part));
        found.ok_or_else(|| format!("no line has {part:?}"))
    };
    let mut from = 0;
    for (nth, part) in begin.split(" >> ").enumerate() {
        from = find(part, from)?;
        if nth == 0 && find(part, from + 1).is_ok() {
            return Err(format!("more than one line has {part:?}"));
        }
    }
    let last = end.split(" >> ").try_fold(from, |from, part| find(part, from))?;
    Ok((from + 1, lines[from..=last].to_vec()))
}

/// The function that lines are of: the first that begins among them, or the last that begins before.
fn function_of<'s>(source: &'s str, first: usize, last: usize) -> Option<&'s str> {
    let begun = |line: &&'s str| definition(line).filter(|(kind, _)| *kind == "fn").map(|(_, name)| name);
    let lines: Vec<&str> = source.lines().take(last).collect();
    let inside = lines[first - 1..].iter().find_map(begun);
    inside.or_else(|| lines[..first].iter().rev().find_map(begun))
}

/// What stands between the marker of a quote and its end.
fn quote(file: &str, marker: &str) -> Result<String, String> {
    let source = read(file);
    let (first, lines) = quoted(&source, marker)?;
    let indents = lines.iter().filter(|line| !line.is_empty()).map(|line| line.len() - line.trim_start().len());
    let indent = indents.min().unwrap_or(0);
    let last = first + lines.len() - 1;
    let function = function_of(&source, first, last).ok_or("it is in no function")?;
    let mut text = "```text\n".to_owned();
    for line in &lines {
        text += line.get(indent..).unwrap_or_default();
        text += "\n";
    }
    let page = file.strip_prefix("src/").ok_or("only `src/` has a page that can be linked to")?;
    let link = format!("../../../src/longwire/{page}.html#{first}-{last}");
    write!(text, "```\n[`{file}::{function}`, lines {first} to {last}]({link})\n").expect("a String takes it");
    Ok(text)
}

/// What stands between the marker of an outcome and its end: the lines of the fixture's expectation.
fn outcome(fixture: &str) -> String {
    let expected = read(&format!("fixtures/{fixture}.expect"));
    let mut text = format!("```text\nfixtures/{fixture}.expect\n\n");
    for line in expected.lines().filter(|line| !line.starts_with("section: ")) {
        text += line.strip_prefix("# ").unwrap_or(line);
        text += "\n";
    }
    text + "```\n"
}

/// The page with each quote and outcome as it has to be, and what could not be found.
fn renewed(source: &str) -> (String, Vec<String>) {
    let (mut text, mut wrong, mut skips) = (String::new(), Vec::new(), false);
    for line in source.lines() {
        let bare = line.trim_start_matches("//!").trim();
        skips &= bare != END;
        if skips {
            continue;
        }
        text += line;
        text += "\n";
        let marker = |kind: &str| bare.strip_prefix(kind).and_then(|rest| rest.strip_suffix(" -->"));
        let inside = match (marker(QUOTE), marker(OUTCOME)) {
            (Some(marker), _) => {
                let (file, span) = marker.split_once(": ").unwrap_or((marker, ""));
                quote(file, span).unwrap_or_else(|why| {
                    wrong.push(format!("the quote of {marker}: {why}"));
                    String::new()
                })
            }
            (None, Some(fixture)) => outcome(fixture),
            (None, None) => continue,
        };
        skips = true;
        for line in inside.lines() {
            text += format!("//! {line}").trim_end();
            text += "\n";
        }
    }
    if skips {
        wrong.push(format!("a quote or an outcome has no {END}"));
    }
    (text, wrong)
}

#[test]
fn quotes_and_outcomes_are_those_of_the_sources_and_fixtures() {
    let mut wrong = Vec::new();
    for name in names(".rs") {
        let path = format!("src/guide/{name}.rs");
        let source = read(&path);
        let (text, missing) = renewed(&source);
        wrong.extend(missing.into_iter().map(|why| format!("{path}: {why}")));
        if text != source && wrong.is_empty() {
            if std::env::var_os("UPDATE_GUIDE").is_some() {
                fs::write(Path::new(ROOT).join(&path), text).expect("it can be written");
                continue;
            }
            let at = text.lines().zip(source.lines()).position(|(a, b)| a != b).unwrap_or(0) + 1;
            wrong.push(format!("{path}: line {at} is not as in the source; run with UPDATE_GUIDE=1"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_quote_is_found_by_its_first_and_its_last_line() {
    let source = "fn a() {\n    b();\n}\nfn c() {\n    b();\n}\n";
    assert_eq!(quoted(source, "fn a() ... }"), Ok((1, vec!["fn a() {", "    b();", "}"])));
    assert_eq!(quoted(source, "fn c() >> b(); ... b();"), Ok((5, vec!["    b();"])));
    assert_eq!(quoted(source, "fn a() ... b() >> }"), Ok((1, vec!["fn a() {", "    b();", "}"])));
    assert_eq!(quoted(source, "b(); ... }"), Err("more than one line has \"b();\"".to_owned()));
    assert_eq!(quoted(source, "fn d() ... }"), Err("no line has \"fn d()\"".to_owned()));
    assert_eq!(quoted(source, "fn c() ... fn"), Ok((4, vec!["fn c() {"])));
    assert_eq!(quoted(source, "fn c() ... fn a"), Err("no line has \"fn a\"".to_owned()));
    let (text, wrong) = renewed("//! <!-- outcome close/said -->\n//! an old one\n//! <!-- end -->\n//! on\n");
    assert!(text.contains("//! reuse: ServerClose\n") && !text.contains("an old one"), "{text}");
    assert!(text.ends_with("//! ```\n//! <!-- end -->\n//! on\n") && wrong.is_empty(), "{text}");
    assert!(!renewed("//! <!-- outcome close/said -->\n").1.is_empty(), "an end that is missing is one to the page");
}

/// The twelve stops, each from its heading to the next heading.
fn stops(page: &str) -> Vec<&str> {
    page.split("\n# ").skip(1).filter(|part| part.starts_with("Stop ")).collect()
}

#[test]
fn each_stop_has_a_quote_a_rule_a_test_that_fails_without_it_and_an_exercise_with_its_answer() {
    let page = page("one_request");
    let stops = stops(&page);
    assert_eq!(stops.len(), STOPS);
    for (nth, stop) in (1..).zip(stops) {
        let heading = stop.lines().next().unwrap_or_default();
        assert!(heading.starts_with(&format!("Stop {nth}: ")), "{heading}");
        for part in [QUOTE, "**Rule:** ", "(https://www.rfc-editor.org/rfc/rfc", "**Held by:** `", "**Try:** "] {
            assert!(stop.contains(part), "{heading} has no {part:?}");
        }
        assert!(stop.contains("<details><summary>Answer</summary>\n\n") && stop.contains("\n</details>"), "{heading}");
        let quotes = stop.split(QUOTE).skip(1).map(|quote| quote.split("```").nth(1).unwrap_or_default());
        let lines: usize = quotes.map(|quote| quote.lines().count().saturating_sub(1)).sum();
        assert!((1..=QUOTED_LINES_MAX).contains(&lines), "{heading} quotes {lines} lines");
        let held = stop.split("**Held by:** ").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
        let proofs =
            code_spans(held).filter(|span| span.starts_with("tests/") || span.starts_with("fixtures/")).count();
        assert!(proofs > 0, "{heading} names no test and no fixture");
    }
}

/// Whether a code span is a path of this repository, or an item in a file of it: `src/error.rs::Fate`.
fn is_path(span: &str) -> bool {
    let folder = span.split_once('/').map_or("", |(folder, _)| folder);
    let is_in_path = |c: char| c.is_ascii_alphanumeric() || "/._-:()".contains(c);
    ["src", "tests", "examples", "fixtures", "benches", ".ci"].contains(&folder) && span.chars().all(is_in_path)
}

/// Returns what is wrong with a path, if anything is.
fn lost(span: &str) -> Option<String> {
    let (path, item) = span.split_once("::").map_or((span, None), |(path, item)| (path, Some(item)));
    if !Path::new(ROOT).join(path).exists() {
        return Some(format!("{path} does not exist"));
    }
    let item = item?.trim_end_matches("()");
    let source = read(path);
    if !source_tree::defines(&source, path, item) {
        return Some(format!("{path} has no {item}"));
    }
    let lines: Vec<&str> = source.lines().collect();
    let at = lines.iter().position(|line| source_tree::defined(line) == Some(item))?;
    let attributes = lines[..at].iter().rev().take_while(|line| line.trim_start().starts_with("#["));
    let mut ignored = attributes.filter(|line| line.contains("ignore"));
    ignored.next().map(|_| format!("{path} runs {item} only if asked to"))
}

#[test]
fn what_the_pages_name_exists() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for name in names(".rs") {
        let page = page(&name);
        let paths = code_spans(&page).filter(|span| is_path(span));
        let lost = paths.inspect(|_| count += 1).filter_map(lost);
        wrong.extend(lost.map(|why| format!("src/guide/{name}.rs: {why}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 60, "{count} paths: the guide has them in code spans");
    assert!(lost("src/error.rs::Fate").is_none() && lost("src/error.rs::Fat").is_some() && lost("src/no.rs").is_some());
}

/// The sections of an RFC that there are, as far as their first number goes.
fn sections_of(rfc: &str) -> Option<u32> {
    [("9110", 19), ("9112", 14), ("8305", 12), ("7617", 7)]
        .iter()
        .find_map(|(number, sections)| (*number == rfc).then_some(*sections))
}

/// Returns what is wrong with a link, if anything is: those to RFCs must say the section that they lead to, those
/// to sources are written by the update, and rustdoc looks for the others.
fn wrong_link(text: &str, target: &str) -> Option<String> {
    if let Some(rest) = target.strip_prefix("https://www.rfc-editor.org/rfc/rfc") {
        let (rfc, section) = rest.split_once("#section-").unwrap_or((rest, ""));
        let first = section.split('.').next().and_then(|number| number.parse::<u32>().ok());
        let exists = matches!((first, sections_of(rfc)), (Some(first), Some(last)) if (1..=last).contains(&first));
        let says = text.contains(rfc) || !text.contains("RFC");
        return (!exists || !says || !text.ends_with(&format!("§{section}")))
            .then(|| format!("[{text}] leads to {target}"));
    }
    let is_source = target.starts_with("../../../src/longwire/");
    let is_known = target.starts_with("https://docs.rs/") || target.starts_with("crate::") || !target.contains('/');
    (!is_source && !is_known).then(|| format!("[{text}] leads to {target}"))
}

#[test]
fn links_lead_where_they_say() {
    let mut wrong = Vec::new();
    for name in names(".rs") {
        let page = page(&name);
        for (text, target) in markdown::links(&page) {
            wrong.extend(wrong_link(text, target).map(|why| format!("src/guide/{name}.rs: {why}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let rfc = "https://www.rfc-editor.org/rfc/rfc9112#section-";
    assert!(wrong_link("RFC 9112 §6.3", &format!("{rfc}6.3")).is_none());
    assert!(wrong_link("RFC 9112 §6.4", &format!("{rfc}6.3")).is_some());
    assert!(wrong_link("RFC 9110 §6.3", &format!("{rfc}6.3")).is_some());
    assert!(wrong_link("RFC 9112 §60", &format!("{rfc}60")).is_some());
    assert!(wrong_link("RFC 9112 §19.5", &format!("{rfc}9.5")).is_some());
    assert!(wrong_link("here", "https://example.com/").is_some());
}

/// The elements of a picture; its comments are for those who draw.
fn elements(svg: &str) -> Vec<xml::Element> {
    let (mut bare, mut rest) = (String::new(), svg);
    while let Some((before, comment)) = rest.split_once("<!--") {
        bare += before;
        rest = comment.split_once("-->").expect("a comment has an end").1;
    }
    xml::elements(&(bare + rest))
}

#[test]
fn pictures_are_well_formed_and_shown_and_name_what_exists() {
    let pages: String = names(".rs").iter().map(|name| read(&format!("src/guide/{name}.rs"))).collect();
    let readme = read("README.md");
    let mut ids = BTreeSet::new();
    for name in names(".svg") {
        let file = format!("{name}.svg");
        let svg = read(&format!("src/guide/{file}"));
        assert!(pages.contains(&format!("#![doc = include_str!(\"{file}\")]")), "no page shows {file}");
        assert!(readme.contains(&format!("(src/guide/{file})")) || readme.contains(&format!("\"src/guide/{file}\"")));
        assert!(!svg.contains("\n\n"), "{file}: an empty line ends a picture inside Markdown");
        let elements = elements(&svg);
        assert_eq!((elements[0].name.as_str(), elements[0].attribute("role")), ("svg", Some("img")), "{file}");
        for told in ["title", "desc"] {
            assert!(elements.iter().any(|element| element.name == told && !element.text.is_empty()), "{file}: {told}");
        }
        let strangers = ["script", "image", "foreignObject", "style"];
        assert!(!elements.iter().any(|element| strangers.contains(&element.name.as_str())), "{file} stands by itself");
        for id in elements.iter().filter_map(|element| element.attribute("id")) {
            assert!(ids.insert(id.to_owned()), "{file}: {id} is there twice, and a page may have all pictures");
        }
        let texts = elements.iter().filter(|element| element.name != "desc").map(|element| element.text.as_str());
        for word in texts.flat_map(|text| text.split(|c: char| c.is_whitespace() || ",;()".contains(c))) {
            let path = format!("src/{word}");
            assert!(!word.ends_with(".rs") || Path::new(ROOT).join(&path).exists(), "{file}: {path} does not exist");
        }
    }
}

/// The names of the reasons, as `src/reuse.rs` has them: `    Name "text"`.
fn close_reasons() -> Vec<String> {
    let source = read("src/reuse.rs");
    let list = source.split("close_reasons! {\n").nth(1).and_then(|rest| rest.split("\n}").next()).unwrap_or_default();
    let lines = list.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(" \""));
    lines.map(|(name, _)| name.to_owned()).collect()
}

/// The names of reasons are what is red, in the type of code and strong.
fn is_reason(element: &xml::Element) -> bool {
    let has = |name, value| element.attribute(name) == Some(value);
    element.name == "text" && has("fill", "#b42318") && has("font-weight", "700") && has("font-size", "13")
}

#[test]
fn pages_are_documentation_alone() {
    for name in names(".rs") {
        let source = read(&format!("src/guide/{name}.rs"));
        let is_text = |line: &str| line.is_empty() || line.starts_with("//!");
        let is_shown = |line: &str| line.starts_with("#![doc = include_str!(\"") && line.ends_with(".svg\")]");
        let is_page = |line: &str| name == "mod" && line.starts_with("pub mod ") && line.ends_with(';');
        let code = source.lines().find(|line| !is_text(line) && !is_shown(line) && !is_page(line));
        assert_eq!(code, None, "src/guide/{name}.rs");
    }
}

#[test]
fn the_life_of_a_connection_ends_for_every_reason_that_there_is() {
    let (reasons, svg) = (close_reasons(), read("src/guide/life.svg"));
    assert!(reasons.len() > 15, "{reasons:?}");
    let elements = elements(&svg);
    let shown: BTreeSet<&str> =
        elements.iter().filter(|element| is_reason(element)).map(|element| &*element.text).collect();
    assert_eq!(shown, reasons.iter().map(String::as_str).collect());
}
