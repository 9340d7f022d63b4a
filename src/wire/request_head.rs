//! Request heads: how they are written (RFC 9112 §2 to §3; RFC 9110 §7.2).
//!
//! Everything in them was checked where the request was built, so nothing is checked or escaped here.
//! Which fields a request has for its body's length or its proxy is decided by the caller.

use crate::headers::{Headers, has_connection_option};
use crate::method::Method;

/// What the client accepts by itself (RFC 9110 §12.5.1): anything.
const ACCEPT: &[u8] = b"*/*";

/// How a request announces its body (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestFraming {
    /// Not at all: there is no body, and the server expects none.
    None,
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
    pub(crate) own_fields: &'a OwnFields,
    pub(crate) framing: RequestFraming,
    pub(crate) expects_continue: bool,
    /// The fields of this hop alone: each replaces the caller's of that name.
    pub(crate) hop_fields: &'a Headers,
    /// The caller's fields.
    pub(crate) headers: &'a Headers,
}

/// The fields that the client adds by itself, where neither the hop nor the caller sets them.
pub(crate) struct OwnFields {
    /// Empty if none is sent.
    user_agent: String,
    /// The lines of both, each after the end of the line before: most requests have these and no other.
    lines: Vec<u8>,
}

impl OwnFields {
    pub(crate) fn new(user_agent: &str) -> OwnFields {
        let mut lines = Vec::new();
        let mut put = |bytes: &[u8]| lines.extend_from_slice(bytes);
        if !user_agent.is_empty() {
            put_field("User-Agent", user_agent.as_bytes(), &mut put);
        }
        put_field("Accept", ACCEPT, &mut put);
        OwnFields { user_agent: user_agent.to_owned(), lines }
    }

    pub(crate) fn user_agent(&self) -> &str {
        &self.user_agent
    }
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
        let has_more = !self.hop_fields.is_empty() || !self.headers.is_empty();
        let host = if has_more { self.get("host") } else { None };
        put(host.unwrap_or(self.authority.as_bytes()));
        match has_more {
            false => put(&self.own_fields.lines),
            true => self.encode_own(put),
        }
        match self.framing {
            RequestFraming::None => {}
            RequestFraming::Length(length) => {
                put(b"\r\nContent-Length: ");
                put(Decimal::of(length).as_bytes());
            }
            RequestFraming::Chunked => put(b"\r\nTransfer-Encoding: chunked"),
        }
        if self.expects_continue {
            put(b"\r\nExpect: 100-continue");
        }
        if has_more {
            self.encode_fields(put);
        }
        put(b"\r\n\r\n");
    }

    /// Writes those of the client's own fields that nobody replaces.
    fn encode_own(&self, put: &mut impl FnMut(&[u8])) {
        let user_agent = &self.own_fields.user_agent;
        if !user_agent.is_empty() && self.get("user-agent").is_none() {
            put_field("User-Agent", user_agent.as_bytes(), put);
        }
        if self.get("accept").is_none() {
            put_field("Accept", ACCEPT, put);
        }
    }

    /// Writes the fields of the hop and of the caller.
    fn encode_fields(&self, put: &mut impl FnMut(&[u8])) {
        // TE is for the next hop alone, which its connection option says (RFC 9110 §10.1.4).
        if self.headers.contains("te") && !has_connection_option(self.headers, "te") {
            put(b"\r\nConnection: TE");
        }
        for (name, value) in self.hop_fields.iter().filter(|(name, value)| !self.is_written(name, value)) {
            put_field(name, value, put);
        }
        let is_replaced = |name: &str, value: &[u8]| self.is_written(name, value) || self.hop_fields.contains(name);
        for (name, value) in self.headers.iter().filter(|(name, value)| !is_replaced(name, value)) {
            put_field(name, value, put);
        }
    }

    /// The value of a field that is set, for this hop or by the caller.
    fn get(&self, name: &str) -> Option<&[u8]> {
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
            19 => self.next_hop == NextHop::OriginPastProxy && is("proxy-authorization"),
            _ => false,
        }
    }
}

/// Writes a field line after the end of the line before.
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
            own_fields: &OwnFields::new(user_agent),
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
            own_fields: &OwnFields::new("me"),
            framing: RequestFraming::None,
            expects_continue: false,
            hop_fields,
            headers,
        };
        let mut text = Vec::new();
        head.encode(&mut |bytes| text.extend_from_slice(bytes));
        String::from_utf8(text).unwrap()
    }
}
