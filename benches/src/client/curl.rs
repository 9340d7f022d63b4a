use std::path::{Path, PathBuf};
use std::time::Duration;

use curl::easy::{Easy2, Handler, WriteError};

use super::Client;
use crate::work::KIB;

const BUFFER_BYTES: usize = 64 * KIB;

/// Takes the text of a URL only. A clone has connections of its own: a handle is for one thread.
pub struct Curl {
    easy: Easy2<Content>,
    root: Option<PathBuf>,
}

/// curl hands a body out as it comes, in pieces of its own: here they are copied to where the caller wants them.
struct Content {
    buffer: Box<[u8]>,
    bytes: usize,
    /// The body in one piece, where that is wanted.
    collected: Option<Vec<u8>>,
}

impl Handler for Content {
    fn write(&mut self, piece: &[u8]) -> Result<usize, WriteError> {
        match &mut self.collected {
            Some(collected) => collected.extend_from_slice(piece),
            None => self.buffer[..piece.len()].copy_from_slice(piece),
        }
        self.bytes += piece.len();
        Ok(piece.len())
    }
}

impl Curl {
    /// With TLS it believes the certificate in that file, and nobody else.
    pub fn new(root: Option<&Path>) -> Curl {
        let mut easy = Easy2::new(Content { buffer: vec![0; BUFFER_BYTES].into(), bytes: 0, collected: None });
        easy.buffer_size(BUFFER_BYTES).expect("a sound size");
        if let Some(root) = root {
            easy.cainfo(root).expect("a path");
        }
        Curl { easy, root: root.map(Path::to_owned) }
    }

    fn collected(&mut self) -> Vec<u8> {
        self.easy.get_mut().collected = Some(Vec::new());
        self.easy.perform().expect("an answer");
        self.easy.get_mut().collected.take().expect("what was collected")
    }
}

impl Clone for Curl {
    fn clone(&self) -> Curl {
        Curl::new(self.root.as_deref())
    }
}

impl Client for Curl {
    type Url = String;

    fn get(&mut self, url: &str, _: &mut [u8]) -> usize {
        self.easy.url(url).expect("a URL");
        self.easy.get_mut().bytes = 0;
        self.easy.perform().expect("an answer");
        self.easy.get_ref().bytes
    }

    fn collect(&mut self, url: &str, deadline: Option<Duration>) -> Vec<u8> {
        self.easy.url(url).expect("a URL");
        self.easy.timeout(deadline.unwrap_or_default()).expect("a sound time"); // none if it is 0
        self.collected()
    }

    fn post(&mut self, url: &str, body: &[u8]) -> Vec<u8> {
        self.easy.url(url).expect("a URL");
        self.easy.post(true).expect("a method");
        self.easy.post_fields_copy(body).expect("a body");
        self.collected()
    }
}

/// What it is made of.
pub fn version() -> String {
    let version = curl::Version::get();
    format!("libcurl {} with {}", version.version(), version.ssl_version().unwrap_or("no TLS"))
}
