//! The documents in the repository: their links and the paths that they name lead somewhere, and README
//! stays what a user wants of it.

use std::fs;
use std::path::Path;

#[path = "support/markdown.rs"]
mod markdown;
#[path = "support/source_tree.rs"]
mod source_tree;

use source_tree::read;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

const DOCUMENTS: [&str; 14] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benches/README.md",
    "benches/results.md",
    "benches/results-api.md",
    "benches/results-coded.md",
    "benches/results-sse.md",
    "benches/results-tls.md",
    "fixtures/README.md",
    "fuzz/README.md",
    "tests/README.md",
    "tests/differential/README.md",
];

/// A README that is longer is a manual, and not read to its end.
const README_WORDS_MAX: usize = 1_350;

/// It answers a rig's questions, and shows nothing.
const NOT_TO_BE_READ: &str = "wire_driver";

/// The targets of `[text](target)` that are files.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = markdown::links(text).map(|(_, target)| target);
    targets.filter(|target| !target.contains("://") && !target.starts_with('#'))
}

/// The code spans that are paths: with a slash, and nothing that no path of this repository has.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let is_in_path = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    markdown::code_spans(text).filter(move |span| {
        let folder = span.split_once('/').map_or("", |(folder, _)| folder);
        let folders = ["src", "tests", "examples", "fixtures", "fuzz", "benches", ".ci"];
        let layers = ["client", "message", "net", "wire"];
        (folders.contains(&folder) || layers.contains(&folder)) && span.chars().all(is_in_path)
    })
}

/// What cargo and the tools make, and git does not have.
fn is_made(path: &str) -> bool {
    ["fuzz/target", "fuzz/artifacts"].iter().any(|made| path.starts_with(made))
}

#[test]
fn every_link_and_every_path_leads_to_a_file() {
    let root = Path::new(ROOT);
    let mut lost = Vec::new();
    for document in DOCUMENTS {
        let (text, folder) = (read(document), root.join(document).parent().expect("a folder").to_owned());
        for link in links(&text) {
            let file = link.split('#').next().unwrap_or_default();
            if !folder.join(file).exists() {
                lost.push(format!("{document} links to {link}"));
            }
        }
        for path in paths(&text).filter(|path| !is_made(path)) {
            // From the root, as `client/mod.rs` is in `src`, or from the document.
            if ![root.to_owned(), root.join("src"), folder.clone()].iter().any(|from| from.join(path).exists()) {
                lost.push(format!("{document} names {path}"));
            }
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}

/// `tests/README.md` is where one looks for what is tested where.
#[test]
fn every_test_program_and_every_module_is_in_the_list_of_tests() {
    let (list, tests) = (read("tests/README.md"), Path::new(ROOT).join("tests"));
    let files = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("a file").path());
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "rs")).collect::<Vec<_>>()
    };
    let name = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    let mut missing = Vec::new();
    for program in files(&tests).iter().map(|path| name(path)) {
        let line = list.lines().find(|line| line.contains(&format!("`{program}.rs`")));
        let Some(line) = line else {
            missing.push(program);
            continue;
        };
        // Of some programs the modules are only parts, which their own heads list.
        let is_whole = !["tls", "soak", "layers", "differential", "fixtures"].contains(&&*program);
        for module in files(&tests.join(&program)).iter().filter(|_| is_whole).map(|path| name(path)) {
            let names = [format!("`{module}`"), format!("`{program}/{module}.rs`")];
            if !names.iter().any(|name| line.contains(name)) {
                missing.push(format!("{program}/{module}"));
            }
        }
    }
    assert!(missing.is_empty(), "not in tests/README.md: {}", missing.join(", "));
}

#[test]
fn every_example_is_in_readmes_index_and_is_run_by_the_checks() {
    let (readme, checks) = (read("README.md"), read(".ci/run"));
    let index = readme.split("## Examples").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or_default();
    let examples = fs::read_dir(Path::new(ROOT).join("examples")).expect("the folder").map(|entry| entry.expect("one"));
    let names = examples.map(|entry| entry.path().file_stem().expect("a name").to_string_lossy().into_owned());
    let names: Vec<String> = names.filter(|name| name != NOT_TO_BE_READ).collect();
    let in_index: Vec<&str> = index.split('`').skip(1).step_by(2).collect();
    for name in &names {
        assert!(in_index.contains(&name.as_str()), "README.md's index has no `{name}`");
        assert!(checks.contains(&format!("\nstep \"example {name}\"")), ".ci/run does not run {name}");
    }
    assert!(names.len() > 15, "{names:?}");
}

#[test]
fn links_and_paths_are_found() {
    let text =
        "[a](b/c.md#d) [e](https://f/) `src/g.rs` ```sh\n`src/no`\n``` `src/*.rs` `application/json` `net/pool/`";
    assert_eq!(links(text).collect::<Vec<_>>(), ["b/c.md#d"]);
    assert_eq!(paths(text).collect::<Vec<_>>(), ["src/g.rs", "net/pool/"]);
}

#[test]
fn readme_is_short_and_its_examples_are_as_a_forge_shows_them() {
    let readme = read("README.md");
    let words = readme.split_whitespace().count();
    assert!(words <= README_WORDS_MAX, "README.md has {words} words");
    for command in ["\ncargo run --example keep_alive\n", "\ncargo test\n"] {
        assert!(readme.contains(command), "README.md has no line{command}");
    }
    // rustdoc hides lines that begin with "# "; nothing else does.
    for example in readme.split("```rust").skip(1) {
        let code = example.split("```").next().unwrap_or_default();
        assert!(!code.lines().any(|line| line.trim_start().starts_with("# ")), "a hidden line: {code}");
    }
}
