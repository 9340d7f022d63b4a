//! Where longwire is not of one mind with h11 or hyper, and is so on purpose. Every rule has its row
//! in `README.md`, and must be as narrow as what it speaks of: what longwire says its reason is, or
//! what the other does, and what is to be seen in the bytes.

use crate::{Aspect, Case, Outcome, Peer};

use Aspect::{Body, Fields, TheyAccept, TheyReuse, WeAccept, WeReuse};
use Peer::{H11, Hyper};

/// A disagreement that is meant.
pub(crate) struct Decision {
    /// As in README.md.
    pub(crate) name: &'static str,
    peers: &'static [Peer],
    aspects: &'static [Aspect],
    /// Whether this is what a disagreement is about.
    is_it: fn(&Case, &Outcome, &Outcome) -> bool,
}

const fn decision(
    name: &'static str,
    peers: &'static [Peer],
    aspects: &'static [Aspect],
    is_it: fn(&Case, &Outcome, &Outcome) -> bool,
) -> Decision {
    Decision { name, peers, aspects, is_it }
}

const BOTH: &[Peer] = &[H11, Hyper];

pub(crate) const DECISIONS: &[Decision] = &[
    // We refuse.
    decision("control-byte", BOTH, &[TheyAccept], is_control_byte),
    decision("bare-lf-in-chunked", BOTH, &[TheyAccept], |_, ours, _| ours.mentions("'\\n': it is not allowed there")),
    decision("bare-cr-in-chunk-line", &[H11], &[TheyAccept], |_, ours, _| {
        ours.mentions("chunk line: ") && ours.mentions("LF must follow CR")
    }),
    decision("folded-trailer", &[H11], &[TheyAccept], |case, ours, _| {
        ours.mentions("trailer section: invalid header name") && (case.has(b"\r\n ") || case.has(b"\r\n\t"))
    }),
    decision("folded-framing", BOTH, &[TheyAccept], |case, ours, _| {
        ours.mentions("is folded over two lines") && (case.has(b"\n ") || case.has(b"\n\t"))
    }),
    decision("not-http-1", &[H11], &[TheyAccept], |case, ours, _| {
        ours.mentions("not HTTP/1.x") && !case.bytes.starts_with(b"HTTP/1.")
    }),
    decision("length-beside-identity", &[Hyper], &[TheyAccept], |case, ours, _| {
        let reasons = ["is not a length", "two different lengths", "bytes before the body did"];
        reasons.iter().any(|reason| ours.mentions(reason)) && case.has(b"identity")
    }),
    decision("unknown-coding", &[Hyper], &[TheyAccept], |_, ours, theirs| {
        (ours.mentions("is not chunked") || ours.mentions("identity together with chunked"))
            && theirs.values("transfer-encoding").any(|value| !is_chunked(value))
    }),
    decision("chunked-twice", &[Hyper], &[TheyAccept], |_, ours, _| ours.mentions("Transfer-Encoding: chunked twice")),
    decision("empty-coding", &[Hyper], &[TheyAccept], |_, ours, theirs| {
        ours.mentions("Transfer-Encoding is empty") && theirs.values("transfer-encoding").all(<[u8]>::is_empty)
    }),
    decision("unasked-101", &[Hyper], &[TheyAccept], |_, ours, theirs| {
        ours.mentions("101 that was not requested") && theirs.status == Some(101)
    }),
    decision("empty-lines-limit", &[Hyper], &[TheyAccept], |case, ours, _| {
        ours.mentions("more than 4 empty lines")
            && case.bytes.split(|byte| *byte == b'\n').take(5).all(|line| line.is_empty() || line == b"\r")
    }),
    decision("interim-limit", BOTH, &[TheyAccept], |_, ours, _| ours.mentions("interim responses: over 65536 bytes")),
    decision("head-limits", BOTH, &[TheyAccept], |case, ours, _| {
        let is_large = ours.mentions("(max_head_size)") && case.bytes.len() > 64 * 1024;
        is_large || ours.mentions("over 256 fields (max_headers)")
    }),
    decision("chunk-line-limit", BOTH, &[TheyAccept], |case, ours, _| {
        ours.mentions("chunk line: over 4096 bytes") && case.bytes.len() > 4096
    }),
    decision("trailer-limits", BOTH, &[TheyAccept], |case, ours, _| {
        let is_large = ours.mentions("trailer section: over 16384 bytes") && case.bytes.len() > 16384;
        is_large || ours.mentions("trailer section: too many headers")
    }),
    // They refuse.
    decision("empty-lines", &[H11], &[WeAccept], |_, _, theirs| theirs.mentions("no response line received")),
    decision("other-minor-version", &[Hyper], &[WeAccept], |case, _, theirs| {
        theirs.mentions("Parse(Version)") && (2..=9).any(|minor| case.has(format!("HTTP/1.{minor} ").as_bytes()))
    }),
    decision("any-extension", &[H11], &[WeAccept], |_, _, theirs| {
        theirs.mentions("illegal chunk header") && theirs.mentions(";")
    }),
    decision("framing-in-trailers", &[H11], &[WeAccept], |_, _, theirs| {
        theirs.status.is_some() && (refuses_coding(theirs) || refuses_length(theirs))
    }),
    decision("field-that-decides-nothing", &[H11], &[WeAccept], is_overruled),
    decision("trailers-of-16-kib", &[Hyper], &[WeAccept], |case, ours, _| ours.reuse && case.bytes.len() > 16384),
    decision("control-byte-in-value", BOTH, &[WeAccept], |_, ours, theirs| {
        let has_control = ours.fields.iter().any(|(_, value)| value.iter().any(u8::is_ascii_control));
        has_control && (theirs.mentions("Parse(Header(Token))") || theirs.mentions("illegal header line"))
    }),
    decision("http-2-in-text", BOTH, &[WeAccept, TheyReuse], |case, ours, _| {
        !ours.reuse && case.bytes.trim_ascii_start().starts_with(b"HTTP/2")
    }),
    decision("identity", &[H11], &[WeAccept], |_, ours, theirs| {
        let is_identity = |value: &[u8]| value.eq_ignore_ascii_case(b"identity");
        refuses_coding(theirs) && ours.values("transfer-encoding").any(is_identity)
    }),
    decision("coding-in-http-1-0", BOTH, &[WeAccept, TheyReuse, Body], |case, ours, _| {
        !ours.reuse && case.has(b"HTTP/1.0 ") && ours.values("transfer-encoding").next().is_some()
    }),
    // Something else is seen.
    decision("fields-as-they-came", &[H11], &[Fields], |_, ours, theirs| as_h11_has_them(ours) == theirs.fields),
    decision("fold-is-one-blank", &[H11], &[Fields], |case, ours, theirs| {
        let is_folded = case.has(b"\n ") || case.has(b"\n\t");
        is_folded && squeezed(&as_h11_has_them(ours)) == squeezed(&theirs.fields)
    }),
    decision("empty-list-members", BOTH, &[TheyAccept, WeAccept, Body, WeReuse], |_, ours, theirs| {
        let mut members = ours.values("transfer-encoding").flat_map(|value| value.split(|byte| *byte == b','));
        !theirs.reuse && members.any(|member| member.trim_ascii().is_empty())
    }),
    // The connection.
    decision("keep-alive-in-http-1-0", &[H11], &[WeReuse], |case, ours, _| {
        case.has(b"HTTP/1.0 ") && ours.values("connection").any(|value| has(&value.to_ascii_lowercase(), b"keep-alive"))
    }),
    decision("obs-text-in-connection", &[Hyper], &[WeReuse, TheyReuse], |_, ours, _| {
        ours.values("connection").any(|value| !value.is_ascii())
    }),
    decision("keep-alive-hint", BOTH, &[TheyReuse], |_, ours, _| {
        ours.values("keep-alive").any(|value| value.ends_with(b"=0") || has(value, b"=0,"))
    }),
    decision("body-where-none-may-be", BOTH, &[TheyReuse], |_, ours, _| {
        let has_coding = ours.values("transfer-encoding").next().is_some();
        let has_length = ours.values("content-length").any(|value| value != b"0");
        (ours.status == Some(204) && (has_coding || has_length)) || (ours.status == Some(304) && has_coding)
    }),
    decision("length-beside-coding", BOTH, &[TheyReuse], |_, ours, _| {
        ours.values("transfer-encoding").next().is_some() && ours.values("content-length").next().is_some()
    }),
];

/// The first decision that explains a disagreement.
pub(crate) fn find(
    peer: Peer,
    aspect: Aspect,
    case: &Case,
    ours: &Outcome,
    theirs: &Outcome,
) -> Option<&'static Decision> {
    DECISIONS.iter().find(|decision| {
        decision.peers.contains(&peer) && decision.aspects.contains(&aspect) && (decision.is_it)(case, ours, theirs)
    })
}

impl Case {
    fn has(&self, part: &[u8]) -> bool {
        has(&self.bytes, part)
    }
}

impl Outcome {
    fn mentions(&self, reason: &str) -> bool {
        self.why.contains(reason)
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |field| field.0 == name).map(|field| &field.1[..])
    }
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn is_chunked(value: &[u8]) -> bool {
    value.eq_ignore_ascii_case(b"chunked")
}

/// There is a control byte where text must be.
fn is_control_byte(case: &Case, ours: &Outcome, _: &Outcome) -> bool {
    let is_control = |byte: &u8| byte.is_ascii_control() && !b"\t\r\n".contains(byte);
    let places = ["invalid header value", "invalid response status", "chunk extension: '\\x", "trailer section: '\\x"];
    case.bytes.iter().any(is_control) && places.iter().any(|place| ours.mentions(place))
}

fn refuses_coding(h11: &Outcome) -> bool {
    h11.mentions("Only Transfer-Encoding: chunked is supported") || h11.mentions("multiple Transfer-Encoding headers")
}

fn refuses_length(h11: &Outcome) -> bool {
    h11.mentions("bad Content-Length") || h11.mentions("conflicting Content-Length headers")
}

/// h11 refuses a field for its value alone; here another rule had decided before it is looked at.
fn is_overruled(case: &Case, ours: &Outcome, theirs: &Outcome) -> bool {
    let is_interim = case.bytes.trim_ascii_start().starts_with(b"HTTP/1.1 1");
    let is_bodiless = case.method == "HEAD" || matches!(ours.status, Some(204 | 304));
    let is_coded = ours.values("transfer-encoding").next().is_some() && !ours.reuse;
    let is_length = refuses_length(theirs);
    (is_interim || is_bodiless) && (is_length || refuses_coding(theirs)) || is_length && is_coded
}

/// Content-Length said once, Transfer-Encoding in lower case.
fn as_h11_has_them(ours: &Outcome) -> Vec<(String, Vec<u8>)> {
    let mut fields = ours.fields.clone();
    for (name, value) in &mut fields {
        match name.as_str() {
            "transfer-encoding" => value.make_ascii_lowercase(),
            "content-length" => {
                *value = value.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii().to_vec()
            }
            _ => {}
        }
    }
    fields.dedup_by(|later, first| later.0 == "content-length" && later == first);
    fields
}

/// Every run of blanks made one space.
fn squeezed(fields: &[(String, Vec<u8>)]) -> Vec<(String, Vec<u8>)> {
    let squeeze = |value: &[u8]| {
        let words: Vec<&[u8]> = value.split(|byte| b" \t".contains(byte)).filter(|word| !word.is_empty()).collect();
        words.join(&b' ')
    };
    fields.iter().map(|(name, value)| (name.clone(), squeeze(value))).collect()
}
