//! The sources as text: the files of a folder, and whether one of them defines an item.

#![allow(dead_code, unreachable_pub, reason = "each program uses only a part of it")]

use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The text of a file of this repository.
#[track_caller]
pub fn read(file: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The files below a folder that end so, by their paths from the root of the repository, with slashes.
pub fn files(folder: &str, ending: &str) -> Vec<String> {
    let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(Path::new(ROOT).join(&folder)).expect("the folder can be listed") {
            let path = entry.expect("the folder can be listed").path();
            let name = format!("{folder}/{}", path.file_name().expect("a name").to_string_lossy());
            match path.is_dir() {
                true => folders.push(name),
                false if name.ends_with(ending) => found.push(name),
                false => {}
            }
        }
    }
    found.sort();
    found
}

/// Whether a line of the source defines an item of that path: `name`, `module::name` or `Type::name`.
pub fn defines(source: &str, file: &str, path: &str) -> bool {
    let (owner, name) = path.rsplit_once("::").map_or((None, path), |(owner, name)| (Some(owner), name));
    let owner_is_there = match owner {
        None => true,
        Some(owner) if owner.starts_with(char::is_uppercase) => {
            source.lines().any(|line| implemented(line) == Some(owner))
        }
        Some(module) => Path::new(file).with_extension("").file_name().is_some_and(|stem| stem == module),
    };
    owner_is_there && source.lines().any(|line| defined(line) == Some(name))
}

/// The name of the item that a line defines.
pub fn defined(line: &str) -> Option<&str> {
    definition(line).map(|(_, name)| name)
}

/// The keyword and the name of the item that a line defines.
pub fn definition(line: &str) -> Option<(&str, &str)> {
    const KINDS: [&str; 9] = ["fn", "struct", "enum", "trait", "const", "static", "mod", "type", "macro_rules!"];
    let line = line.trim_start();
    let line = if line.starts_with("pub") { line.split_once(' ')?.1 } else { line };
    let mut words = line.strip_prefix("const ").filter(|rest| rest.starts_with("fn ")).unwrap_or(line).split(' ');
    let kind = words.next()?;
    let name = identifier(words.next().filter(|_| KINDS.contains(&kind))?);
    (!name.is_empty()).then_some((kind, name))
}

/// The type that an `impl` at the margin is of, without its parameters.
pub fn implemented(line: &str) -> Option<&str> {
    let mut rest = line.strip_prefix("impl")?;
    if rest.starts_with('<') {
        let mut depth = 0;
        let end = rest.find(|c| {
            depth += i32::from(c == '<') - i32::from(c == '>');
            depth == 0
        });
        rest = &rest[end? + 1..];
    }
    let of = rest.split_once(" for ").map_or(rest, |(_, of)| of);
    Some(identifier(of.trim_start()))
}

/// The identifier at the beginning of a text.
pub fn identifier(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

#[test]
fn what_is_defined_is_found_and_nothing_else() {
    let text = "impl<'a> Body<'a> {\n    pub(crate) fn read<T>(&self) {}\n}\n// fn take(x)\npub const fn free() {}\nenum E {}\n";
    let defines = |path| defines(text, "src/a/framing.rs", path);
    for path in ["Body::read", "framing::free", "free", "E"] {
        assert!(defines(path), "{path}");
    }
    for path in ["Bod::read", "Body::take", "take", "frame::free", "fre", "fn"] {
        assert!(!defines(path), "{path}");
    }
    assert!(files("src/guide", ".svg").contains(&"src/guide/life.svg".to_owned()));
}
