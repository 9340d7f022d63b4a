//! The codings' command-line tools as the judges: what they compress is decoded to the same, and where
//! data is damaged, what they refuse is refused here.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use super::{Framing, read};

/// A coding, the command that compresses, and the one that decompresses.
const TOOLS: [(&str, &[&str], &[&str]); 7] = [
    ("gzip", &["gzip", "-1c"], &["gzip", "-dc"]),
    ("gzip", &["gzip", "-9c"], &["gzip", "-dc"]),
    ("br", &["brotli", "-q", "3", "-c"], &["brotli", "-dc"]),
    ("br", &["brotli", "-q", "11", "-w", "24", "-c"], &["brotli", "-dc"]),
    ("zstd", &["zstd", "-qc1"], &["zstd", "-qdc"]),
    ("zstd", &["zstd", "-qc19"], &["zstd", "-qdc"]),
    ("zstd", &["zstd", "-qc", "--fast=5"], &["zstd", "-qdc"]),
];

/// What a command makes of its input; `None` if it fails.
fn run(command: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut tool = Command::new(command[0]);
    tool.args(&command[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = tool.spawn().unwrap_or_else(|error| panic!("{}: {error}; install it", command[0]));
    let mut stdin = child.stdin.take().expect("a pipe");
    let output = thread::scope(|scope| {
        // A tool that has seen enough closes its input.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("an exit status")
    });
    output.status.success().then_some(output.stdout)
}

/// Numbers from a sequence that is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    /// Content of several kinds: noise, words, runs, and mixtures of them.
    fn content(&mut self) -> Vec<u8> {
        let length = [0, 1, 100, 9_000, 140_000, 500_000][self.below(6)];
        let mut content = Vec::with_capacity(length);
        while content.len() < length {
            match self.below(4) {
                0 => content.extend((0..1 + self.below(300)).map(|_| self.below(256) as u8)),
                1 => content.extend(format!("word {} of many, ", self.below(50)).repeat(1 + self.below(9)).bytes()),
                2 => content.extend(vec![self.below(256) as u8; self.below(5_000)]),
                _ if content.is_empty() => content.push(b'x'),
                _ => {
                    let from = self.below(content.len());
                    let to = content.len().min(from + self.below(20_000));
                    content.extend_from_within(from..to);
                }
            }
        }
        content.truncate(length);
        content
    }
}

#[test]
#[ignore = "needs gzip, brotli and zstd: run with --include-ignored (.ci/run does)"]
fn what_the_tools_compress_is_decoded_to_the_same() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..12 {
        let content = numbers.content();
        for (coding, compress, _) in TOOLS {
            let coded = run(compress, &content).expect("it compresses");
            let piece = [usize::MAX, 1460, 333][numbers.below(3)];
            let decoded = read(coding, &coded, Framing::Chunked, piece).unwrap_or_else(|error| panic!("{error}"));
            assert!(decoded == content, "{compress:?}: {} of {} bytes", decoded.len(), content.len());
        }
    }
}

#[test]
#[ignore = "needs gzip, brotli and zstd: run with --include-ignored (.ci/run does)"]
fn what_the_tools_refuse_is_refused_and_what_they_read_is_the_same() {
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let (mut refused, mut taken) = (0, 0);
    for _ in 0..12 {
        let mut content = numbers.content();
        content.truncate(20_000);
        for (coding, compress, decompress) in TOOLS {
            let mut coded = run(compress, &content).expect("it compresses");
            for _ in 0..=numbers.below(2) {
                let reach = [20, usize::MAX][numbers.below(2)];
                let at = numbers.below(coded.len().min(reach));
                match numbers.below(3) {
                    0 => coded.truncate(at),
                    1 => coded[at] ^= 1 << numbers.below(8),
                    _ => coded.insert(at, numbers.below(256) as u8),
                }
                if coded.is_empty() {
                    break;
                }
            }
            let expected = run(decompress, &coded);
            let got = read(coding, &coded, Framing::Length, usize::MAX);
            let shown = coded[..coded.len().min(40)].escape_ascii();
            match (expected, got) {
                (Some(expected), Ok(got)) => {
                    assert!(got == expected, "{coding}: {shown}");
                    taken += 1;
                }
                (None, Err(_)) => refused += 1,
                // An empty body has no coding; the tools want a head.
                (None, Ok(got)) if coded.is_empty() && got.is_empty() => {}
                (None, Ok(got)) => panic!("{coding}: {} bytes of what the tool refuses: {shown}", got.len()),
                (Some(_), Err(error)) => panic!("{coding}: the tool takes what is refused with {error}: {shown}"),
            }
        }
    }
    assert!(refused > 30 && taken > 0, "{refused} were refused and {taken} taken");
}
