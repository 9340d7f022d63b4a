//! Reads one source file as far as the layers need it: its module path, the paths it names (with
//! `use` trees spread out and `self`, `super` and imported names resolved), its functions with
//! their lengths, and its literals.
//!
//! It does not know which arrows are allowed; that is `layers.rs`.
#![allow(unreachable_pub)] // public to the test

use std::collections::HashMap;

use crate::lexer::{Kind, Token, tokens};

/// Names that start a path by themselves.
const ROOTS: [&str; 7] = ["crate", "std", "core", "alloc", "httparse", "base64", "url"];

/// A path named in a file, from `crate` or from a crate's name on: `["crate", "wire", "head"]`.
#[derive(Debug)]
pub struct Named {
    pub path: Vec<String>,
    pub line: usize,
}

#[derive(Debug)]
pub struct Function {
    pub name: String,
    pub line: usize,
    /// From the line of `fn` to the line of the closing brace, both counted.
    pub lines: usize,
    pub in_tests: bool,
}

/// A `.rs` file of `src/`.
pub struct Source {
    /// Relative to `src/`, with slashes: `wire/head.rs`.
    pub file: String,
    pub text: String,
    tokens: Vec<Token>,
    /// For each token, the inline modules around it, outermost first.
    inline: Vec<Vec<Inline>>,
}

/// `mod NAME { … }` inside a file.
#[derive(Clone, Debug)]
struct Inline {
    name: String,
    cfg_test: bool,
}

/// One name that a `use` brings in.
struct Leaf {
    path: Vec<String>,
    renamed: Option<String>,
    at: usize,
}

/// What the names brought in stand for.
type Imported = HashMap<String, Vec<String>>;

impl Source {
    pub fn new(file: &str, text: &str) -> Source {
        let tokens = tokens(text);
        let inline = inline_modules(&tokens);
        Source { file: file.to_owned(), text: text.to_owned(), tokens, inline }
    }

    /// `wire/head.rs` is `["wire", "head"]`, `wire/mod.rs` is `["wire"]`, `lib.rs` is `[]`.
    pub fn module(&self) -> Vec<String> {
        let path = self.file.trim_end_matches(".rs");
        let names = path.split('/').filter(|name| !["mod", "lib"].contains(name));
        names.map(str::to_owned).collect()
    }

    pub fn literals(&self) -> impl Iterator<Item = &Token> {
        let literal = |token: &&Token| token.kind == Kind::Literal;
        self.tokens.iter().filter(literal)
    }

    pub fn word(&self, word: &str) -> Option<&Token> {
        self.tokens.iter().find(|token| token.is(word))
    }

    /// That word, where it is not the name of a function that is defined there.
    pub fn use_of(&self, word: &str) -> Option<&Token> {
        let used = self.tokens.windows(2).find(|pair| pair[1].is(word) && !pair[0].is("fn"))?;
        Some(&used[1])
    }

    /// Every path to another module or crate: those of `use`, and those in the code.
    pub fn named(&self) -> Vec<Named> {
        let mut imported = self.declared_modules();
        let mut named = Vec::new();
        for leaf in self.use_leaves() {
            let line = self.tokens[leaf.at].line;
            let last = leaf.path.last().cloned().unwrap_or_default();
            if let Some(path) = self.resolve(&leaf.path, leaf.at, &imported) {
                imported.insert(leaf.renamed.unwrap_or(last), path.clone());
                named.push(Named { path, line });
            }
        }
        let mut in_use = false;
        for at in 0..self.tokens.len() {
            in_use = (in_use && !self.is(at, ";")) || self.starts_use(at);
            let starts = self.tokens[at].kind == Kind::Word && self.is(at + 1, "::");
            if starts && !in_use && (at == 0 || !self.is(at - 1, "::")) {
                let line = self.tokens[at].line;
                let path = self.resolve(&self.path_from(at), at, &imported);
                named.extend(path.map(|path| Named { path, line }));
            }
        }
        named
    }

    pub fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            let name = self.tokens.get(at + 1);
            let name = name.filter(|name| token.is("fn") && name.kind == Kind::Word);
            let (Some(name), Some(last)) = (name, self.body_end(at)) else {
                continue;
            };
            functions.push(Function {
                name: name.text.clone(),
                line: token.line,
                lines: self.tokens[last].line - token.line + 1,
                in_tests: self.inline[at].iter().any(|inline| inline.cfg_test),
            });
        }
        functions
    }

    fn is(&self, at: usize, text: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is(text))
    }

    /// The module path at this token, from `crate` on.
    fn module_at(&self, at: usize) -> Vec<String> {
        let inline = self.inline[at].iter().map(|inline| inline.name.clone());
        let mut path = vec!["crate".to_owned()];
        path.extend(self.module());
        path.extend(inline);
        path
    }

    /// The child modules that this file declares by `mod NAME;`.
    fn declared_modules(&self) -> Imported {
        let mut declared = Imported::new();
        for at in 0..self.tokens.len() {
            if self.is(at, "mod") && self.is(at + 2, ";") {
                let name = self.tokens[at + 1].text.clone();
                let mut path = self.module_at(at);
                path.push(name.clone());
                declared.insert(name, path);
            }
        }
        declared
    }

    fn use_leaves(&self) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        for at in 0..self.tokens.len() {
            if self.starts_use(at) {
                self.use_tree(at + 1, Vec::new(), &mut leaves);
            }
        }
        leaves
    }

    /// `use<'a>` in a return type names lifetimes, not a path.
    fn starts_use(&self, at: usize) -> bool {
        self.is(at, "use") && !self.is(at + 1, "<")
    }

    /// Spreads out the tree that starts at `at`; gives the index after it.
    fn use_tree(&self, mut at: usize, mut path: Vec<String>, leaves: &mut Vec<Leaf>) -> usize {
        let first = at;
        while at < self.tokens.len() {
            let token = &self.tokens[at];
            if token.is("{") {
                at += 1;
                while at < self.tokens.len() && !self.is(at, "}") {
                    at = self.use_tree(at, path.clone(), leaves);
                    at += usize::from(self.is(at, ","));
                }
                return at + 1;
            }
            if !(token.kind == Kind::Word || token.is("::") || token.is("*")) || token.is("as") {
                break;
            }
            // `{self, …}` is the path so far; a leading `self` is this module.
            if !token.is("::") && (path.is_empty() || !token.is("self")) {
                path.push(token.text.clone());
            }
            at += 1;
        }
        let renamed = self.is(at, "as").then(|| self.tokens[at + 1].text.clone());
        at += 2 * usize::from(renamed.is_some());
        leaves.push(Leaf { path, renamed, at: first });
        at.max(first + 1)
    }

    /// The names joined by `::` from this token on.
    fn path_from(&self, mut at: usize) -> Vec<String> {
        let mut path = vec![self.tokens[at].text.clone()];
        while self.is(at + 1, "::") {
            let next = self.tokens.get(at + 2);
            let Some(next) = next.filter(|next| next.kind == Kind::Word) else {
                break;
            };
            path.push(next.text.clone());
            at += 2;
        }
        path
    }

    /// From the crate's root (or another crate's name) on; None for a name that is local.
    fn resolve(&self, path: &[String], at: usize, imported: &Imported) -> Option<Vec<String>> {
        let first = path.first()?.as_str();
        let (mut base, rest) = match first {
            "self" => (self.module_at(at), &path[1..]),
            "super" => (self.module_at(at), path),
            root if ROOTS.contains(&root) => return Some(path.to_vec()),
            name => (imported.get(name)?.clone(), &path[1..]),
        };
        for name in rest {
            if name == "super" {
                base.pop();
            } else {
                base.push(name.clone());
            }
        }
        Some(base)
    }

    /// The index of the brace that closes the body of the function at `at`; None without a body.
    fn body_end(&self, at: usize) -> Option<usize> {
        let mut nested = 0usize;
        for (index, token) in self.tokens.iter().enumerate().skip(at) {
            match token.text.as_str() {
                _ if token.kind == Kind::Literal => {}
                "(" | "[" => nested += 1,
                ")" | "]" => nested = nested.saturating_sub(1),
                ";" if nested == 0 => return None,
                "{" if nested == 0 => return closing_brace(&self.tokens, index),
                _ => {}
            }
        }
        None
    }
}

fn closing_brace(tokens: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        if token.is("{") {
            depth += 1;
        } else if token.is("}") {
            depth -= 1;
            if depth == 0 {
                return Some(index);
            }
        }
    }
    None
}

fn inline_modules(tokens: &[Token]) -> Vec<Vec<Inline>> {
    let mut around = vec![Vec::new(); tokens.len()];
    for at in 0..tokens.len().saturating_sub(2) {
        let opens = tokens[at].is("mod") && tokens[at + 2].is("{");
        let Some(end) = opens.then(|| closing_brace(tokens, at + 2)).flatten() else {
            continue;
        };
        let inline = Inline { name: tokens[at + 1].text.clone(), cfg_test: is_cfg_test(&tokens[..at]) };
        for list in &mut around[at + 3..end] {
            list.push(inline.clone());
        }
    }
    around
}

/// Returns whether the attributes right before say `cfg(test)`, alone or in an `all(…)`.
fn is_cfg_test(before: &[Token]) -> bool {
    let ends_item = |token: &&Token| [";", "{", "}"].iter().any(|mark| token.is(mark));
    let attributes = before.iter().rev().take_while(|token| !ends_item(token));
    let words: Vec<&str> = attributes.map(|token| token.text.as_str()).collect();
    words.contains(&"cfg") && words.contains(&"test") && !words.contains(&"not")
}
