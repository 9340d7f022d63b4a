//! Just enough of Rust's lexical grammar to read `src/`: identifiers, literals and punctuation
//! with their lines; comments (doc comments too) and lifetimes are left out.
//!
//! It does not know what the tokens mean; that is `sources.rs`.
#![allow(unreachable_pub)] // public to the test

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// An identifier or a keyword.
    Word,
    /// A string, byte string, char, byte or number, as it is written.
    Literal,
    /// One character of punctuation, except `::`, which is one token.
    Mark,
}

#[derive(Clone, Debug)]
pub struct Token {
    pub kind: Kind,
    pub text: String,
    /// Counted from 1.
    pub line: usize,
}

impl Token {
    pub fn is(&self, text: &str) -> bool {
        self.kind != Kind::Literal && self.text == text
    }
}

pub fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { chars: source.chars().collect(), at: 0, line: 1, tokens: Vec::new() };
    while lexer.at < lexer.chars.len() {
        lexer.step();
    }
    lexer.tokens
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl Lexer {
    fn look(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn step(&mut self) {
        let char = self.look(0);
        match char {
            '/' if self.look(1) == '/' => self.line_comment(),
            '/' if self.look(1) == '*' => self.block_comment(),
            '"' => self.string(0),
            '\'' => self.char_or_lifetime(),
            ':' if self.look(1) == ':' => self.push(Kind::Mark, 2),
            _ if char.is_alphabetic() || char == '_' => self.word_or_prefixed_literal(),
            _ if char.is_ascii_digit() => {
                let length = self.word_length();
                self.push(Kind::Literal, length);
            }
            _ if char.is_whitespace() => self.skip(1),
            _ => self.push(Kind::Mark, 1),
        }
    }

    /// Goes over this many characters and keeps the count of lines.
    fn skip(&mut self, length: usize) {
        let end = (self.at + length).min(self.chars.len());
        let lines = self.chars[self.at..end].iter().filter(|&&char| char == '\n');
        self.line += lines.count();
        self.at = end;
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let end = (self.at + length).min(self.chars.len());
        let text = self.chars[self.at..end].iter().collect();
        let line = self.line;
        self.tokens.push(Token { kind, text, line });
        self.skip(length);
    }

    fn line_comment(&mut self) {
        let rest = self.chars[self.at..].iter();
        let length = rest.take_while(|&&char| char != '\n').count();
        self.skip(length);
    }

    /// Block comments nest.
    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.chars.len() {
            match (self.look(0), self.look(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    self.skip(1);
                    continue;
                }
            }
            self.skip(2);
            if depth == 0 {
                return;
            }
        }
    }

    /// A string whose opening quote is `prefix` characters ahead (after `b` or `c`).
    fn string(&mut self, prefix: usize) {
        let mut length = prefix + 1;
        while self.at + length < self.chars.len() && self.look(length) != '"' {
            length += if self.look(length) == '\\' { 2 } else { 1 };
        }
        self.push(Kind::Literal, length + 1);
    }

    /// A raw string with this many characters (`r`, `br`, `cr`) before its hashes.
    fn raw_string(&mut self, prefix: usize) {
        let hashes = self.chars[self.at + prefix..].iter();
        let hashes = hashes.take_while(|&&char| char == '#').count();
        let mut length = prefix + hashes + 1;
        loop {
            let closes = self.look(length) == '"' && (1..=hashes).all(|ahead| self.look(length + ahead) == '#');
            length += 1;
            if closes || self.at + length >= self.chars.len() {
                return self.push(Kind::Literal, length + hashes);
            }
        }
    }

    fn char_or_lifetime(&mut self) {
        let escaped = self.look(1) == '\\';
        if escaped || self.look(2) == '\'' {
            return self.char(0);
        }
        self.skip(1);
        let length = self.word_length();
        self.skip(length);
    }

    /// A char whose quote is `prefix` characters ahead (after `b`).
    fn char(&mut self, prefix: usize) {
        let mut length = prefix + 1;
        while self.at + length < self.chars.len() && self.look(length) != '\'' {
            length += if self.look(length) == '\\' { 2 } else { 1 };
        }
        self.push(Kind::Literal, length + 1);
    }

    fn word_or_prefixed_literal(&mut self) {
        let length = self.word_length();
        let word: String = self.chars[self.at..self.at + length].iter().collect();
        let raw_identifier = word == "r" && self.look(1) == '#' && self.look(2) != '"';
        match (word.as_str(), self.look(length)) {
            ("b" | "c", '"') => self.string(1),
            ("b", '\'') => self.char(1),
            ("r" | "br" | "cr", '"' | '#') if !raw_identifier => self.raw_string(length),
            _ => self.push(Kind::Word, length),
        }
    }

    fn word_length(&self) -> usize {
        let rest = self.chars[self.at..].iter();
        rest.take_while(|&&char| char.is_alphanumeric() || char == '_').count()
    }
}
