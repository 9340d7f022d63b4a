//! What a work is: what it asks the server for, and how often per sample. Knows no client.

use std::time::Duration;

pub const KIB: usize = 1 << 10;
pub const MIB: usize = 1 << 20;

/// How many different paths a client asks for in turn where it asks for more than one.
pub const PATHS: usize = 64;

/// What one operation of a work is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// GET from the text of the URL; the body is read through a buffer of so many bytes.
    Get { buffer: usize },
    /// The same, from a URL that was parsed once and beforehand.
    GetParsed { buffer: usize },
    /// GET, and the body in one piece.
    Collect { deadline: Option<Duration> },
    /// POST of so many bytes.
    Post { bytes: usize },
    /// Small GETs from as many threads with one client; the count is that of each thread.
    Threads { threads: usize },
}

pub struct Work {
    pub name: &'static str,
    pub title: &'static str,
    pub path: &'static str,
    /// How many there are: the path itself or, if more than one, as many below it.
    pub paths: usize,
    pub act: Act,
    /// Operations in one sample, by a client that keeps connections.
    pub count: usize,
    /// The bytes that one operation transfers: each is checked.
    pub bytes: usize,
}

impl Work {
    /// Threads that share one core show nothing of how they share a pool.
    pub fn is_pinned(&self) -> bool {
        !matches!(self.act, Act::Threads { .. })
    }

    /// The same, over different paths.
    pub const fn over_paths(self) -> Work {
        Work { paths: PATHS, ..self }
    }

    /// All that are asked for in turn, if this is the URL of the path.
    pub fn urls(&self, url: &str) -> Vec<String> {
        match self.paths {
            1 => vec![url.to_owned()],
            paths => (0..paths).map(|number| format!("{url}/{number:02}")).collect(),
        }
    }
}

pub const fn work(
    name: &'static str,
    title: &'static str,
    path: &'static str,
    act: Act,
    count: usize,
    bytes: usize,
) -> Work {
    Work { name, title, path, paths: 1, act, count, bytes }
}
