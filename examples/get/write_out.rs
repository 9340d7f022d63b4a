//! `-w`: what a transfer was like, in a form of the caller's.
//!
//! The variables are curl's; those that do not exist here are reported on standard error, once for each time
//! they stand in the format. A [`Report`] is filled while a transfer goes on, so that there is one for a transfer
//! that has failed, too: what is not known is empty or zero.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use longwire::{Download, ResponseHead, Version};

/// What is known of a transfer.
pub(crate) struct Report<'o> {
    pub(crate) url: &'o str,
    /// The number of the URL, counted from 0.
    pub(crate) number: usize,
    pub(crate) started: Instant,
    pub(crate) answer: Option<Answer>,
    /// When the head had come, and when the last byte had, counted from the start.
    pub(crate) answered: Duration,
    pub(crate) finished: Duration,
    /// The bytes of the body, as they came over the wire; of a download, all that there are in the end.
    pub(crate) bytes: u64,
    /// Connections that were opened.
    pub(crate) connects: u32,
    /// Where the body went.
    pub(crate) file_name: Option<String>,
    /// The exit status, and the words for it.
    pub(crate) failure: Option<(u8, String)>,
}

/// What knows the head of the response.
pub(crate) enum Answer {
    Response(Box<ResponseHead>),
    Download(Box<Download>),
}

impl<'o> Report<'o> {
    pub(crate) fn new(url: &'o str, number: usize) -> Self {
        Self {
            url,
            number,
            started: Instant::now(),
            answer: None,
            answered: Duration::ZERO,
            finished: Duration::ZERO,
            bytes: 0,
            connects: 0,
            file_name: None,
            failure: None,
        }
    }

    /// The head of the response; of a download, that of the first one.
    pub(crate) fn head(&self) -> Option<&ResponseHead> {
        self.answer.as_ref().map(|answer| match answer {
            Answer::Response(head) => head,
            Answer::Download(download) => download.head(),
        })
    }

    /// The value of a variable, or `None` if there is none of that name.
    fn variable(&self, name: &str) -> Option<String> {
        if let Some(phase) = name.strip_prefix("time_") {
            return Some(format!("{:.6}", self.time(phase)?.as_secs_f64()));
        }
        let head = self.head();
        let peer = head.and_then(|head| head.connection().peer_addr());
        let local = head.and_then(|head| head.connection().local_addr());
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Some(match name {
            "content_type" => text(head.and_then(|head| head.header("Content-Type"))),
            "errormsg" => text(self.failure.as_ref().map(|(_, words)| words.as_str())),
            "exitcode" => self.failure.as_ref().map_or(0, |(status, _)| *status).to_string(),
            "filename_effective" => text(self.file_name.as_deref()),
            "http_code" | "response_code" => format!("{:03}", head.map_or(0, |head| head.status().as_u16())),
            "http_version" => match head.map(ResponseHead::version) {
                None => "0".to_owned(),
                Some(Version::Http10) => "1".to_owned(),
                Some(Version::Http11) => "1.1".to_owned(),
            },
            "local_ip" => local.map_or(String::new(), |address| address.ip().to_string()),
            "local_port" => local.map_or(0, |address| address.port()).to_string(),
            "num_connects" => self.connects.to_string(),
            "num_headers" => head.map_or(0, |head| head.headers().len()).to_string(),
            "num_redirects" => head.map_or(0, |head| head.redirects().len()).to_string(),
            "redirect_url" => text(head.and_then(redirect_url).as_deref()),
            "remote_ip" => peer.map_or(String::new(), |address| address.ip().to_string()),
            "remote_port" => peer.map_or(0, |address| address.port()).to_string(),
            "scheme" => text(head.map(|head| head.url().scheme())).to_uppercase(),
            "size_download" => self.bytes.to_string(),
            "speed_download" => format!("{:.0}", self.bytes as f64 / self.finished.as_secs_f64().max(f64::EPSILON)),
            "url" => self.url.to_owned(),
            "url_effective" => text(Some(head.map_or(self.url, |head| head.url().as_str()))),
            "urlnum" => self.number.to_string(),
            _ => return None,
        })
    }

    /// How long it took from the start to the end of a phase. longwire measures the phases of the last
    /// exchange one by one: what came before that were redirects.
    fn time(&self, phase: &str) -> Option<Duration> {
        let timings = self.head().map(ResponseHead::timings).unwrap_or_default();
        let exchange = timings.resolve + timings.connect + timings.tls + timings.send + timings.wait;
        let before = self.answered.saturating_sub(exchange);
        let is_secure = !timings.tls.is_zero();
        let secured = before + timings.resolve + timings.connect + timings.tls;
        let is_redirected = self.head().is_some_and(|head| !head.redirects().is_empty());
        Some(match phase {
            "redirect" => {
                if is_redirected {
                    before
                } else {
                    Duration::ZERO
                }
            }
            "namelookup" => before + timings.resolve,
            "connect" => before + timings.resolve + timings.connect,
            "appconnect" => {
                if is_secure {
                    secured
                } else {
                    Duration::ZERO
                }
            }
            "pretransfer" => secured,
            "starttransfer" => self.answered,
            "total" => self.finished,
            _ => return None,
        })
    }
}

/// Where `-L` would have led.
fn redirect_url(head: &ResponseHead) -> Option<String> {
    let location = head.header("Location").filter(|_| (300..400).contains(&head.status().as_u16()))?;
    head.url().join(location).ok().map(String::from)
}

/// Prints the format, with the variables' values.
pub(crate) fn write_out(format: &str, report: &Report<'_>) {
    let mut stream: Box<dyn Write> = Box::new(io::stdout());
    let mut rest = format;
    while !rest.is_empty() {
        let (piece, after) = first_piece(rest);
        rest = after;
        let value = match piece {
            Piece::Variable("onerror") if report.failure.is_none() => break,
            Piece::Variable("onerror") => continue,
            Piece::Variable("stdout") => {
                stream = Box::new(io::stdout());
                continue;
            }
            Piece::Variable("stderr") => {
                stream = Box::new(io::stderr());
                continue;
            }
            Piece::Variable(name) => report.variable(name).unwrap_or_else(|| {
                note!("get: unknown --write-out variable: '{name}'");
                String::new()
            }),
            Piece::Header(name) => report.head().and_then(|head| head.header(name)).unwrap_or_default().to_owned(),
            Piece::Text(text) => text.to_owned(),
        };
        let _ = stream.write_all(value.as_bytes()); // that nobody reads it changes nothing
    }
    let _ = io::stdout().flush();
}

#[derive(Debug, PartialEq)]
enum Piece<'f> {
    Text(&'f str),
    /// `%{NAME}`.
    Variable(&'f str),
    /// `%header{NAME}`.
    Header(&'f str),
}

/// The first piece of a format that is not empty, and what follows it.
fn first_piece(format: &str) -> (Piece<'_>, &str) {
    for (escape, text) in [("%%", "%"), (r"\n", "\n"), (r"\r", "\r"), (r"\t", "\t")] {
        if let Some(rest) = format.strip_prefix(escape) {
            return (Piece::Text(text), rest);
        }
    }
    let name_after = |opening| format.strip_prefix(opening)?.split_once('}');
    if let Some((name, rest)) = name_after("%{") {
        return (Piece::Variable(name), rest);
    }
    if let Some((name, rest)) = name_after("%header{") {
        return (Piece::Header(name), rest);
    }
    // At least one character, so that a lone `%` stands for itself.
    let mut specials = format.char_indices().skip(1).filter(|(_, char)| "%\\".contains(*char));
    let end = specials.next().map_or(format.len(), |(at, _)| at);
    (Piece::Text(&format[..end]), &format[end..])
}
