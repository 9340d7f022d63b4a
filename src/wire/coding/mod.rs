//! Content codings: what a response's Content-Encoding says, and how it is undone (RFC 9110 §8.4).
//!
//! A coding is given slices and fills slices; where the bytes come from, how they are framed and who
//! takes the rest is not known here. Each coding answers for the end of the body: in the middle of a
//! stream it is an error, and so is what follows a stream that cannot be followed.

#[cfg(feature = "brotli")]
mod brotli;
#[cfg(feature = "gzip")]
mod gzip;
mod progress;
#[cfg(feature = "gzip")]
mod zlib;
#[cfg(feature = "zstd")]
mod zstd;

use std::borrow::Cow;

use crate::error::{Error, ErrorKind, Result};
use crate::headers::{Headers, list_members};
use crate::wire::coding::progress::Progress;

/// The codings that are asked for. `deflate` is not among them, because servers disagree on what it
/// is; it is decoded all the same.
pub(crate) const ACCEPTED: &str = match (cfg!(feature = "gzip"), cfg!(feature = "brotli"), cfg!(feature = "zstd")) {
    (true, true, true) => "gzip, br, zstd",
    (true, true, false) => "gzip, br",
    (true, false, true) => "gzip, zstd",
    (true, false, false) => "gzip",
    (false, true, true) => "br, zstd",
    (false, true, false) => "br",
    (false, false, true) => "zstd",
    (false, false, false) => "identity",
};

/// Codings on top of each other that are undone. Each has a state of tens of KiB or more, and no
/// server that means well applies three.
const LAYERS_MAX: usize = 2;

/// The bytes between two codings.
const BETWEEN_BYTES: usize = 8 * 1024;

/// One coding. Which one, the variants say; what each has decoded so far, it keeps.
enum Layer {
    #[cfg(feature = "gzip")]
    Gzip(gzip::Gzip),
    #[cfg(feature = "gzip")]
    Deflate(zlib::Deflate),
    #[cfg(feature = "brotli")]
    Brotli(brotli::Brotli),
    #[cfg(feature = "zstd")]
    Zstd(Box<zstd::Zstd>),
}

/// The codings of one body.
pub(crate) struct ContentDecoder {
    /// The last one that was applied, and so the first that is undone.
    outer: Layer,
    /// The one below, with the bytes between the two.
    inner: Option<Box<(Layer, Between)>>,
    name: Cow<'static, str>,
}

/// Bytes that one coding has made and the next has not used.
struct Between {
    bytes: [u8; BETWEEN_BYTES],
    start: usize,
    end: usize,
}

impl ContentDecoder {
    /// Returns the decoder of a body with these fields, or `None` if it is to be left as it is: without
    /// a coding, or with one that is not known.
    ///
    /// # Errors
    /// `Decode` for more codings than are undone.
    pub(crate) fn of(headers: &Headers) -> Result<Option<ContentDecoder>> {
        let mut layers = Vec::new();
        for member in headers.get_all("content-encoding").flat_map(list_members) {
            if member.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            let Some(layer) = Layer::named(member) else { return Ok(None) };
            layers.push(layer);
            if layers.len() > LAYERS_MAX {
                let what = format!("more than {LAYERS_MAX} content codings on top of each other");
                return Err(Error::new(ErrorKind::Decode, what));
            }
        }
        let name = match &layers[..] {
            [layer] => Cow::Borrowed(layer.name()),
            layers => Cow::Owned(layers.iter().map(Layer::name).collect::<Vec<_>>().join(", ")),
        };
        let Some(outer) = layers.pop() else { return Ok(None) };
        let between = || Between { bytes: [0; BETWEEN_BYTES], start: 0, end: 0 };
        let inner = layers.pop().map(|inner| Box::new((inner, between())));
        Ok(Some(ContentDecoder { outer, inner, name }))
    }

    /// Returns the names of the codings, in the order in which they were applied.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Decodes until `source` is used up or `target` is full. Where it is not full, nothing that could
    /// be made of the source is left. What is between two codings may be a thousand times as much, and
    /// make nothing: `may_go_on` is told of each piece of it, and may end the work with its error.
    pub(crate) fn step(
        &mut self,
        source: &[u8],
        target: &mut [u8],
        mut may_go_on: impl FnMut(usize) -> Result<()>,
    ) -> Result<Progress> {
        let Some(stack) = &mut self.inner else { return self.outer.run(source, target) };
        let (inner, between) = &mut **stack;
        let (mut used, mut made) = (0, 0);
        loop {
            let progress = inner.run(&between.bytes[between.start..between.end], &mut target[made..])?;
            between.start += progress.used;
            made += progress.made;
            if made == target.len() {
                return Ok(Progress { used, made });
            }
            let progress = self.outer.run(&source[used..], &mut between.bytes)?;
            may_go_on(progress.made)?;
            used += progress.used;
            (between.start, between.end) = (0, progress.made);
            if progress.made == 0 {
                return Ok(Progress { used, made });
            }
        }
    }

    /// Returns whether all that was given is decoded and taken, and the body may end here.
    pub(crate) fn may_end(&self) -> bool {
        let inner_may_end = |(inner, between): &(Layer, Between)| between.start == between.end && inner.may_end();
        self.outer.may_end() && self.inner.as_deref().is_none_or(inner_may_end)
    }

    /// The body has ended, and the last step did not fill its target.
    ///
    /// # Errors
    /// `Truncated` in the middle of a stream.
    pub(crate) fn eof(&self) -> Result<()> {
        self.outer.eof()?;
        self.inner.as_ref().map_or(Ok(()), |stack| stack.0.eof())
    }
}

impl Layer {
    /// The coding of that name (RFC 9110 §8.4.1), with the aliases that recipients are to know.
    fn named(name: &[u8]) -> Option<Layer> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        #[cfg(feature = "gzip")]
        if is("gzip") || is("x-gzip") {
            return Some(Layer::Gzip(gzip::Gzip::new()));
        }
        #[cfg(feature = "gzip")]
        if is("deflate") {
            return Some(Layer::Deflate(zlib::Deflate::new()));
        }
        #[cfg(feature = "brotli")]
        if is("br") {
            return Some(Layer::Brotli(brotli::Brotli::new()));
        }
        #[cfg(feature = "zstd")]
        if is("zstd") {
            return Some(Layer::Zstd(Box::new(zstd::Zstd::new())));
        }
        let _ = is;
        None
    }

    fn name(&self) -> &'static str {
        match self {
            #[cfg(feature = "gzip")]
            Layer::Gzip(_) => "gzip",
            #[cfg(feature = "gzip")]
            Layer::Deflate(_) => "deflate",
            #[cfg(feature = "brotli")]
            Layer::Brotli(_) => "br",
            #[cfg(feature = "zstd")]
            Layer::Zstd(_) => "zstd",
        }
    }

    /// Steps until the source is used up and gives no more, or the target is full.
    fn run(&mut self, source: &[u8], target: &mut [u8]) -> Result<Progress> {
        let (mut used, mut made) = (0, 0);
        while made < target.len() {
            let progress = self.step(&source[used..], &mut target[made..])?;
            used += progress.used;
            made += progress.made;
            if progress == (Progress { used: 0, made: 0 }) {
                break;
            }
        }
        Ok(Progress { used, made })
    }

    /// Decodes some. The target is not empty. No progress: more of the source is needed.
    fn step(&mut self, source: &[u8], target: &mut [u8]) -> Result<Progress> {
        match self {
            #[cfg(feature = "gzip")]
            Layer::Gzip(gzip) => gzip.step(source, target),
            #[cfg(feature = "gzip")]
            Layer::Deflate(deflate) => deflate.step(source, target),
            #[cfg(feature = "brotli")]
            Layer::Brotli(brotli) => brotli.step(source, target),
            #[cfg(feature = "zstd")]
            Layer::Zstd(zstd) => zstd.step(source, target),
        }
    }

    /// Returns whether the body may end here: at the end of a stream whose content has all been made.
    fn may_end(&self) -> bool {
        match self {
            #[cfg(feature = "gzip")]
            Layer::Gzip(gzip) => gzip.may_end(),
            #[cfg(feature = "gzip")]
            Layer::Deflate(deflate) => deflate.may_end(),
            #[cfg(feature = "brotli")]
            Layer::Brotli(brotli) => brotli.may_end(),
            #[cfg(feature = "zstd")]
            Layer::Zstd(zstd) => zstd.may_end(),
        }
    }

    fn eof(&self) -> Result<()> {
        if self.may_end() {
            return Ok(());
        }
        let what = format!("{}: the body ends in the middle of the compressed data", self.name());
        Err(Error::new(ErrorKind::Truncated, what))
    }
}
