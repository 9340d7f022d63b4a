//! Heads: a request's as bytes, and what a response's is once it is read (RFC 9112 §2 to §5).
//!
//! How a response head is read is `head_parser`'s; what fields mean is `framing`'s.

use crate::headers::{Field, Headers, INDEX_BYTES, Span, names_option};
use crate::method::Method;
use crate::status::{StatusCode, Version};

/// How large a head may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// Bytes from the status line's first to the empty line's last.
    pub(crate) bytes_max: usize,
    /// Field lines.
    pub(crate) fields_max: usize,
}

/// A response head.
pub(crate) struct Head {
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    pub(crate) headers: Headers,
    pub(crate) framing_fields: FramingFields,
    /// The status line says HTTP/2, in text: what else is wrong there nobody knows.
    pub(crate) claims_http2: bool,
    reason: Span,
    /// Bytes that it took, empty lines before it included.
    pub(crate) bytes: usize,
}

/// Where the fields that frame a message are. Noted while the head is parsed, so that nobody has
/// to look for them.
#[derive(Clone, Copy, Default)]
pub(crate) struct FramingFields {
    pub(crate) content_length: Occurrence,
    pub(crate) transfer_encoding: Occurrence,
    pub(crate) connection: Occurrence,
    pub(crate) keep_alive: Occurrence,
}

/// The lines of one field.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Occurrence {
    #[default]
    None,
    /// One: the number of this field, counted from 0.
    One(u16),
    Several,
}

/// What a head is put together from, as it lies in its raw bytes.
pub(crate) struct Parts<'h, F> {
    pub(crate) raw: &'h [u8],
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    pub(crate) claims_http2: bool,
    pub(crate) reason: Piece<'h>,
    /// Name and value of each field.
    pub(crate) fields: F,
}

/// A piece of a head: as it lies there, or rewritten.
pub(crate) enum Piece<'h> {
    Raw(&'h [u8]),
    Rewritten(Vec<u8>),
}

impl FramingFields {
    fn note(&mut self, name: &str, number: usize) {
        // Most servers spell these as the RFC does.
        let is = |spelled: &str| name == spelled || name.eq_ignore_ascii_case(spelled);
        let lines = match name.len() {
            10 if is("Connection") => &mut self.connection,
            10 if is("Keep-Alive") => &mut self.keep_alive,
            14 if is("Content-Length") => &mut self.content_length,
            17 if is("Transfer-Encoding") => &mut self.transfer_encoding,
            _ => return,
        };
        *lines = match u16::try_from(number) {
            Ok(number) if *lines == Occurrence::None => Occurrence::One(number),
            _ => Occurrence::Several,
        };
    }
}

impl Head {
    /// Puts a head together: the raw bytes, behind them the index of its fields, and behind that what
    /// could not stay as it came.
    #[inline]
    pub(crate) fn assemble<'h>(
        Parts { raw, version, status, claims_http2, reason, fields }: Parts<
            'h,
            impl ExactSizeIterator<Item = (&'h str, Piece<'h>)>,
        >,
    ) -> Head {
        let index = raw.len()..raw.len() + fields.len() * INDEX_BYTES;
        let mut text = Vec::with_capacity(index.end);
        text.extend_from_slice(raw);
        let mut rewritten = Vec::new();
        let mut span_of = |piece: Piece<'_>| match piece {
            Piece::Raw(piece) => span_in(raw, piece),
            Piece::Rewritten(piece) => {
                let start = index.end + rewritten.len();
                rewritten.extend_from_slice(&piece);
                Span { start: start as u32, end: (start + piece.len()) as u32 }
            }
        };
        let mut framing_fields = FramingFields::default();
        for (number, (name, value)) in fields.enumerate() {
            framing_fields.note(name, number);
            let field = Field { name: span_in(raw, name.as_bytes()), value: span_of(value) };
            text.extend_from_slice(&field.entry());
        }
        let reason = span_of(reason);
        text.extend_from_slice(&rewritten);
        let index = Span { start: index.start as u32, end: index.end as u32 };
        let headers = Headers::from_block(text, index);
        Head { version, status, headers, claims_http2, reason, bytes: raw.len(), framing_fields }
    }

    /// The reason phrase; bytes that were not UTF-8 are replaced.
    pub(crate) fn reason(&self) -> &str {
        std::str::from_utf8(self.reason.of(self.headers.block())).unwrap_or_default()
    }

    /// Shows every value of the field called `name`, whose `lines` were noted.
    #[inline]
    pub(crate) fn each(&self, lines: Occurrence, name: &str, show: impl FnMut(&[u8])) {
        match lines {
            Occurrence::None => {}
            Occurrence::One(number) => self.headers.value_at(number.into()).into_iter().for_each(show),
            Occurrence::Several => self.headers.get_all(name).for_each(show),
        }
    }

    /// The head as it came.
    pub(crate) fn raw(&self) -> &[u8] {
        self.headers.before_index()
    }
}

/// Where `part`, which lies in `whole`, begins and ends.
fn span_in(whole: &[u8], part: &[u8]) -> Span {
    let offset = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    let start = if part.is_empty() { 0 } else { offset as u32 }; // what is empty may lie anywhere
    Span { start, end: start + part.len() as u32 }
}

/// How a request says how long its body is (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestFraming {
    /// Nothing is said: no body, and none expected.
    Nothing,
    /// Content-Length.
    Length(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
}

/// The recipient of a request's head, and so the one whom `Proxy-Authorization` is for
/// (RFC 9110 §11.7.2).
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum NextHop {
    /// The server, and no proxy is configured: all fields go to it.
    Origin,
    /// The server, past a proxy or through its tunnel: what is for the proxy is not for the server.
    OriginPastProxy,
    /// A proxy, which is sent the whole URL.
    Proxy,
}

/// What a request head is made of.
pub(crate) struct RequestHead<'a> {
    pub(crate) method: &'a Method,
    /// In origin-form, or for a proxy in absolute-form.
    pub(crate) target: &'a str,
    pub(crate) next_hop: NextHop,
    pub(crate) authority: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) framing: RequestFraming,
    pub(crate) expects_continue: bool,
    /// The fields of this hop alone: each replaces the caller's of that name.
    pub(crate) hop_fields: &'a Headers,
    /// The caller's fields.
    pub(crate) headers: &'a Headers,
}

impl RequestHead<'_> {
    /// Writes the head, piece by piece: Host first (RFC 9110 §7.2), then the client's fields, then those
    /// of the hop, then the caller's. Host, User-Agent and Accept that are set replace the client's.
    /// Each line brings the end of the one before.
    pub(crate) fn encode(&self, put: &mut impl FnMut(&[u8])) {
        put(self.method.as_str().as_bytes());
        put(b" ");
        put(self.target.as_bytes());
        put(b" HTTP/1.1\r\nHost: ");
        put(self.get("host").unwrap_or(self.authority.as_bytes()));
        if !self.user_agent.is_empty() && self.get("user-agent").is_none() {
            put(b"\r\nUser-Agent: ");
            put(self.user_agent.as_bytes());
        }
        if self.get("accept").is_none() {
            put(b"\r\nAccept: */*");
        }
        match self.framing {
            RequestFraming::Nothing => {}
            RequestFraming::Length(length) => {
                put(b"\r\nContent-Length: ");
                put(Decimal::of(length).as_bytes());
            }
            RequestFraming::Chunked => put(b"\r\nTransfer-Encoding: chunked"),
        }
        if self.expects_continue {
            put(b"\r\nExpect: 100-continue");
        }
        if !self.hop_fields.is_empty() || !self.headers.is_empty() {
            self.encode_fields(put);
        }
        put(b"\r\n\r\n");
    }

    /// Writes the fields of the hop and of the caller.
    fn encode_fields(&self, put: &mut impl FnMut(&[u8])) {
        // TE is for the next hop alone, which its connection option says (RFC 9110 §10.1.4).
        if self.headers.contains("te") && !names_option(self.headers, "te") {
            put(b"\r\nConnection: TE");
        }
        for (name, value) in self.hop_fields.iter().filter(|(name, value)| !self.is_written(name, value)) {
            put_field(name, value, put);
        }
        let is_replaced = |name: &str, value: &[u8]| {
            let is_for_proxy = || name.eq_ignore_ascii_case("proxy-authorization");
            self.is_written(name, value)
                || self.hop_fields.contains(name)
                || self.next_hop == NextHop::OriginPastProxy && is_for_proxy()
        };
        for (name, value) in self.headers.iter().filter(|(name, value)| !is_replaced(name, value)) {
            put_field(name, value, put);
        }
    }

    /// The value of a field that is set, for this hop or by the caller.
    fn get(&self, name: &str) -> Option<&[u8]> {
        if self.hop_fields.is_empty() && self.headers.is_empty() {
            return None;
        }
        self.hop_fields.get_bytes(name).or_else(|| self.headers.get_bytes(name))
    }

    /// Returns whether the field is written already, or not to be written.
    fn is_written(&self, name: &str, value: &[u8]) -> bool {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match name.len() {
            4 => is("host"),
            10 => value.is_empty() && is("user-agent"),
            14 => is("content-length"),
            17 => is("transfer-encoding"),
            _ => false,
        }
    }
}

/// Writes a field line behind the end of the line before.
fn put_field(name: &str, value: &[u8], put: &mut impl FnMut(&[u8])) {
    put(b"\r\n");
    put(name.as_bytes());
    put(b": ");
    put(value);
}

/// A number in decimal digits, without an allocation.
struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    fn of(mut number: u64) -> Decimal {
        let mut decimal = Decimal { digits: [b'0'; 20], start: 20 };
        loop {
            decimal.start -= 1;
            decimal.digits[decimal.start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return decimal;
            }
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_fields_that_frame_are_noted_and_none_of_the_same_length() {
        use Occurrence::{None, One, Several};
        let framing_fields = |name: &str, numbers: &[usize]| {
            let mut framing_fields = FramingFields::default();
            numbers.iter().for_each(|number| framing_fields.note(name, *number));
            [
                framing_fields.content_length,
                framing_fields.transfer_encoding,
                framing_fields.connection,
                framing_fields.keep_alive,
            ]
        };
        assert_eq!(framing_fields("Content-Length", &[7]), [One(7), None, None, None]);
        assert_eq!(framing_fields("Transfer-Encoding", &[0, 1]), [None, Several, None, None]);
        assert_eq!(framing_fields("Connection", &[65_535]), [None, None, One(65_535), None]);
        assert_eq!(framing_fields("Connection", &[65_536]), [None, None, Several, None]);
        assert_eq!(framing_fields("Keep-Alive", &[1, 2, 3]), [None, None, None, Several]);
        for other in ["User-Agent", "Accept-Charset", "If-Modified-Since", "Date"] {
            assert_eq!(framing_fields(other, &[0]), [None; 4], "{other}");
        }
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 9, 10, 65535, u64::MAX] {
            assert_eq!(Decimal::of(number).as_bytes(), number.to_string().as_bytes());
        }
    }

    /// A POST of three bytes to `/a`, with these fields of the caller's.
    fn encoded(user_agent: &str, fields: &[(&str, &str)]) -> String {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.append(name, value).unwrap();
        }
        let head = RequestHead {
            method: &Method::POST,
            target: "/a",
            next_hop: NextHop::Origin,
            authority: "here",
            user_agent,
            framing: RequestFraming::Length(3),
            expects_continue: false,
            hop_fields: &Headers::new(),
            headers: &headers,
        };
        let mut text = Vec::new();
        head.encode(&mut |bytes| text.extend_from_slice(bytes));
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn host_comes_first_and_the_callers_own_stands_alone() {
        let text = encoded("me", &[("X-B", "2"), ("Accept", "text/html"), ("Host", "other")]);
        let want = "POST /a HTTP/1.1\r\nHost: other\r\nUser-Agent: me\r\nContent-Length: 3\r\nX-B: 2\r\nAccept: text/html\r\n\r\n";
        assert_eq!(text, want);
        let text = encoded("me", &[("User-Agent", "you"), ("Content-Length", "3")]);
        let want = "POST /a HTTP/1.1\r\nHost: here\r\nAccept: */*\r\nContent-Length: 3\r\nUser-Agent: you\r\n\r\n";
        assert_eq!(text, want);
        let want = "POST /a HTTP/1.1\r\nHost: here\r\nAccept: */*\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(encoded("", &[]), want);
        assert_eq!(encoded("me", &[("User-Agent", "")]), want);
    }

    #[test]
    fn te_brings_its_connection_option_once() {
        let start = "POST /a HTTP/1.1\r\nHost: here\r\nAccept: */*\r\nContent-Length: 3\r\n";
        for (connection, want) in [
            (None, "Connection: TE\r\nTE: trailers\r\n"),
            (Some("close"), "Connection: TE\r\nConnection: close\r\nTE: trailers\r\n"),
            (Some("close, te"), "Connection: close, te\r\nTE: trailers\r\n"),
        ] {
            let mut fields: Vec<_> = connection.map(|value| ("Connection", value)).into_iter().collect();
            fields.push(("TE", "trailers"));
            assert_eq!(encoded("", &fields), format!("{start}{want}\r\n"));
        }
    }

    #[test]
    fn a_field_of_the_hop_replaces_the_callers_and_the_clients() {
        let (mut its, mut mine) = (Headers::new(), Headers::new());
        its.append("user-agent", "its").unwrap();
        its.append("ACCEPT", "its").unwrap();
        mine.append("Accept", "mine").unwrap();
        mine.append("X", "mine").unwrap();
        let text = encoded_for(NextHop::Proxy, &its, &mine);
        let want = "GET / HTTP/1.1\r\nHost: here\r\nuser-agent: its\r\nACCEPT: its\r\nX: mine\r\n\r\n";
        assert_eq!(text, want);
        its.append("Host", "there").unwrap();
        assert!(encoded_for(NextHop::Origin, &its, &mine).starts_with("GET / HTTP/1.1\r\nHost: there\r\nuser-agent"));
    }

    #[test]
    fn proxy_authorization_does_not_go_past_a_proxy() {
        let (mut by_hand, mut its, none) = (Headers::new(), Headers::new(), Headers::new());
        by_hand.append("proxy-authorization", "mine").unwrap();
        its.append("Proxy-Authorization", "its").unwrap();
        let cases = [
            (NextHop::Origin, &none, &by_hand, "proxy-authorization: mine\r\n"),
            (NextHop::OriginPastProxy, &none, &by_hand, ""),
            (NextHop::Proxy, &none, &by_hand, "proxy-authorization: mine\r\n"),
            (NextHop::Proxy, &its, &none, "Proxy-Authorization: its\r\n"),
            (NextHop::Proxy, &none, &none, ""),
        ];
        for (next_hop, hop_fields, headers, want) in cases {
            let want = format!("GET / HTTP/1.1\r\nHost: here\r\nUser-Agent: me\r\nAccept: */*\r\n{want}\r\n");
            assert_eq!(encoded_for(next_hop, hop_fields, headers), want);
        }
    }

    /// A GET without content to that recipient.
    fn encoded_for(next_hop: NextHop, hop_fields: &Headers, headers: &Headers) -> String {
        let head = RequestHead {
            method: &Method::GET,
            target: "/",
            next_hop,
            authority: "here",
            user_agent: "me",
            framing: RequestFraming::Nothing,
            expects_continue: false,
            hop_fields,
            headers,
        };
        let mut text = Vec::new();
        head.encode(&mut |bytes| text.extend_from_slice(bytes));
        String::from_utf8(text).unwrap()
    }
}
