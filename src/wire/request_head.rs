//! Request heads: how they are written (RFC 9112 §2 to §3; RFC 9110 §7.2).
//!
//! Everything in them was checked where the request was built, so nothing is checked or escaped here.
//! Which fields a request has for its body's length or its proxy is decided by the caller.

use crate::headers::{Headers, has_connection_option};
use crate::method::Method;

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

/// The first recipient of a request's head, on which it depends whether Proxy-Authorization is sent
/// (RFC 9110 §11.7.2).
#[derive(Clone, Copy)]
pub(crate) enum NextHop<'a> {
    /// The server, and no proxy is configured: every field is sent.
    Origin,
    /// The server, through a proxy's tunnel or bypassing the proxy: the server must not see the
    /// proxy's credentials.
    OriginPastProxy,
    /// A proxy that forwards the request, and the fields that only it is sent.
    Proxy { fields: &'a Headers },
}

/// The parts of a request head.
pub(crate) struct RequestHead<'a> {
    pub(crate) method: &'a Method,
    /// In origin-form; for a forwarding proxy in absolute-form (RFC 9112 §3.2).
    pub(crate) target: &'a str,
    pub(crate) next_hop: NextHop<'a>,
    pub(crate) authority: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) framing: RequestFraming,
    pub(crate) expects_continue: bool,
    pub(crate) headers: &'a Headers,
}

impl RequestHead<'_> {
    /// Writes the head, slice by slice: Host first (RFC 9110 §7.2), then the client's fields, then the
    /// caller's. Host, User-Agent, Accept and the proxy's fields are left to the caller where the
    /// caller sets them. Each field line is written after the CRLF of the line before.
    pub(crate) fn encode(&self, put: &mut impl FnMut(&[u8])) {
        // The caller may set a field in the request, or for the proxy that forwards it.
        let is_set = |name: &str| {
            let for_proxy = matches!(self.next_hop, NextHop::Proxy { fields } if fields.contains(name));
            for_proxy || self.headers.contains(name)
        };
        put(self.method.as_str().as_bytes());
        put(b" ");
        put(self.target.as_bytes());
        put(b" HTTP/1.1\r\nHost: ");
        put(self.headers.get_bytes("host").unwrap_or(self.authority.as_bytes()));
        if !self.user_agent.is_empty() && !is_set("user-agent") {
            put(b"\r\nUser-Agent: ");
            put(self.user_agent.as_bytes());
        }
        if !is_set("accept") {
            put(b"\r\nAccept: */*");
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
        if let NextHop::Proxy { fields } = self.next_hop {
            for (name, value) in fields.iter().filter(|(name, _)| !self.headers.contains(name)) {
                put_field(name, value, put);
            }
        }
        // TE is for the next hop alone, and must be listed in Connection (RFC 9110 §10.1.4).
        if self.headers.contains("te") && !has_connection_option(self.headers, "te") {
            put(b"\r\nConnection: TE");
        }
        for (name, value) in self.headers.iter() {
            if !self.is_written_elsewhere(name, value) {
                put_field(name, value, put);
            }
        }
        put(b"\r\n\r\n");
    }

    /// Returns whether the caller's field has been written already, or must not be written.
    fn is_written_elsewhere(&self, name: &str, value: &[u8]) -> bool {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match name.len() {
            4 => is("host"),
            10 => value.is_empty() && is("user-agent"),
            14 => is("content-length"),
            17 => is("transfer-encoding"),
            19 => matches!(self.next_hop, NextHop::OriginPastProxy) && is("proxy-authorization"),
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

    /// A POST of three bytes to `/a`, with these fields set by the caller.
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
            headers: &headers,
        };
        let mut text = Vec::new();
        head.encode(&mut |bytes| text.extend_from_slice(bytes));
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn host_comes_first_and_a_field_of_the_caller_replaces_the_clients() {
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
    fn te_adds_its_connection_option_once() {
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
    fn a_field_of_the_request_replaces_the_proxys_and_that_the_clients() {
        let (mut its, mut mine) = (Headers::new(), Headers::new());
        its.append("user-agent", "its").unwrap();
        its.append("ACCEPT", "its").unwrap();
        mine.append("Accept", "mine").unwrap();
        let head = RequestHead {
            method: &Method::GET,
            target: "http://here/",
            next_hop: NextHop::Proxy { fields: &its },
            authority: "here",
            user_agent: "me",
            framing: RequestFraming::None,
            expects_continue: false,
            headers: &mine,
        };
        let mut text = Vec::new();
        head.encode(&mut |bytes| text.extend_from_slice(bytes));
        let want = "GET http://here/ HTTP/1.1\r\nHost: here\r\nuser-agent: its\r\nAccept: mine\r\n\r\n";
        assert_eq!(String::from_utf8(text).unwrap(), want);
    }

    #[test]
    fn proxy_authorization_is_sent_to_the_proxy_only() {
        let (mut by_hand, mut its, none) = (Headers::new(), Headers::new(), Headers::new());
        by_hand.append("proxy-authorization", "mine").unwrap();
        its.append("Proxy-Authorization", "its").unwrap();
        its.append("X-For-Proxy", "1").unwrap();
        let proxy = |fields| NextHop::Proxy { fields };
        let cases = [
            (NextHop::Origin, &by_hand, "proxy-authorization: mine\r\n"),
            (NextHop::Origin, &none, ""),
            (NextHop::OriginPastProxy, &by_hand, ""),
            (proxy(&none), &by_hand, "proxy-authorization: mine\r\n"),
            (proxy(&its), &by_hand, "X-For-Proxy: 1\r\nproxy-authorization: mine\r\n"),
            (proxy(&its), &none, "Proxy-Authorization: its\r\nX-For-Proxy: 1\r\n"),
            (proxy(&none), &none, ""),
        ];
        for (next_hop, headers, want) in cases {
            let (method, framing) = (&Method::GET, RequestFraming::None);
            let (target, authority, user_agent) = ("/", "here", "");
            let expects_continue = false;
            let head =
                RequestHead { method, target, next_hop, authority, user_agent, framing, expects_continue, headers };
            let mut text = Vec::new();
            head.encode(&mut |bytes| text.extend_from_slice(bytes));
            let want = format!("GET / HTTP/1.1\r\nHost: here\r\nAccept: */*\r\n{want}\r\n");
            assert_eq!(String::from_utf8(text).unwrap(), want);
        }
    }
}
