//! The handshake with an HTTP proxy that opens a tunnel: CONNECT (RFC 9110 §9.3.6).
//!
//! The only file of `net` that uses `wire`. A proxy is not trusted more than a server is: whatever it
//! sends is limited, in size here and in time by the connection.

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::headers::Headers;
use crate::method::Method;
use crate::net::buffer::Buffer;
use crate::net::conn::{Conn, Room};
use crate::net::deadline::Deadline;
use crate::net::dial::route::Destination;
use crate::redact::excerpt;
use crate::status::StatusCode;
use crate::wire::challenge;
use crate::wire::decode::Decoder;
use crate::wire::framing;
use crate::wire::head_lines::InvalidLines;
use crate::wire::response_head::{Head, HeadLimits, HeadParser};
use crate::wire::step::Step;

/// A response to CONNECT is a status line and, at most, the challenges of a few schemes.
const HEAD_LIMITS: HeadLimits = HeadLimits { bytes_max: 16 * 1024, fields_max: 64 };

/// Read at once: a usual response to CONNECT fits.
const BUFFER_BYTES: usize = 1024;

/// Bytes of a refusal's body that are kept: enough for the text of an error page.
const REFUSAL_BYTES_MAX: usize = 8 * 1024;

/// How long a refusal's body is waited for. That the proxy refuses is known already.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Has the proxy open a tunnel to `to`. Every response that is not 2xx is a refusal.
pub(crate) fn handshake(conn: &mut Conn, to: Destination<'_>, user_agent: &[u8], fields: &Headers) -> Result<()> {
    let authority = to.to_string();
    conn.send(&encode(&authority, user_agent, fields))?;
    conn.buffer = Buffer::new(BUFFER_BYTES);
    let head = read_head(conn)?;
    match head.status.is_success() {
        true => Ok(()), // Content-Length and Transfer-Encoding have no meaning here
        false => Err(refusal(conn, &head, &authority, fields.get_bytes("proxy-authorization"))),
    }
}

/// Host comes first (RFC 9110 §7.2), then User-Agent, then the fields for this proxy alone, which may
/// replace the User-Agent.
fn encode(authority: &str, user_agent: &[u8], fields: &Headers) -> Vec<u8> {
    let mut head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    let mut put = |name: &str, value: &[u8]| head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    if !user_agent.is_empty() && !fields.contains("user-agent") {
        put("User-Agent", user_agent);
    }
    fields.iter().for_each(|(name, value)| put(name, value));
    head.extend(b"\r\n");
    head
}

/// Reads the first head that is not interim. 101 is no valid response to CONNECT, and so a refusal.
fn read_head(conn: &mut Conn) -> Result<Head> {
    let mut parser = HeadParser::new(HEAD_LIMITS, InvalidLines::Reject);
    loop {
        if let Some(head) = parser.parse(conn.buffer.bytes())? {
            conn.buffer.consume(head.bytes);
            if !head.is_interim() {
                return Ok(head);
            }
        } else if conn.read(Room::Buffer, &Deadline::NONE, Instant::now())? == 0 {
            return Err(parser.eof(conn.buffer.bytes()));
        }
    }
}

/// Returns the error of a response that is not 2xx, with its head and the beginning of its body.
fn refusal(conn: &mut Conn, head: &Head, authority: &str, credentials: Option<&[u8]>) -> Error {
    let mut answer = head.raw().to_vec();
    if let Err(cancelled) = read_body(conn, head, &mut answer) {
        return cancelled;
    }
    let status = head.status;
    let hint = match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => missing_credentials(head, credentials),
        _ => String::new(),
    };
    let reason = excerpt(head.reason().as_bytes());
    let what = format!("the proxy refused a tunnel to {authority}: {} {reason}{hint}", status.as_u16());
    Error::new(ErrorKind::Proxy, what).with_status(status).with_proxy_answer(answer)
}

/// Returns what to do about a 407 (RFC 9110 §15.5.8), by the schemes that the proxy offers. Nothing of
/// the credentials that were sent is shown, not even their scheme: a bare token would be taken for one.
fn missing_credentials(head: &Head, sent: Option<&[u8]>) -> String {
    let offered = challenge::schemes(head.headers.get_all("proxy-authenticate"));
    let is_sent = |scheme: &&str| sent.is_some_and(|sent| begins_with_scheme(sent, scheme));
    if sent.is_some() && (offered.is_empty() || offered.iter().any(is_sent)) {
        return "; it does not take the credentials that it was given".to_owned();
    }
    let wants = if sent.is_some() { "it does not take such credentials" } else { "it wants credentials" };
    if offered.is_empty() {
        return format!("; {wants}, and does not say of which scheme");
    }
    let is_basic = offered.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic"));
    let remedy = if is_basic { "Proxy::basic_auth" } else { "Proxy::header" };
    format!("; {wants}, and offers {} ({remedy})", excerpt(offered.join(", ").as_bytes()))
}

/// Returns whether credentials are of that scheme, which ends at a blank (RFC 9110 §11.4).
fn begins_with_scheme(credentials: &[u8], scheme: &str) -> bool {
    let end = credentials.iter().position(|byte| *byte == b' ').unwrap_or(credentials.len());
    credentials[..end].eq_ignore_ascii_case(scheme.as_bytes())
}

/// Appends as much of the refusal's body as arrives soon: it is a refusal without it, too. The only
/// error is a cancel.
fn read_body(conn: &mut Conn, head: &Head, answer: &mut Vec<u8>) -> Result<()> {
    // This is no 2xx, so its body is framed as that of any method but HEAD.
    let Ok(framing) = framing::of_response(&Method::GET, head) else { return Ok(()) };
    let mut decoder = Decoder::new(framing);
    let until = Deadline::of("", Some(REFUSAL_TIMEOUT), Instant::now());
    let full = answer.len() + REFUSAL_BYTES_MAX;
    while answer.len() < full {
        match decoder.step(conn.buffer.bytes()) {
            Ok(Step::Data { skip, len }) => {
                let data = &conn.buffer.bytes()[skip..skip + len];
                answer.extend_from_slice(&data[..len.min(full - answer.len())]);
                decoder.advance(len);
                conn.buffer.consume(skip + len);
            }
            Ok(Step::More { skip }) => {
                conn.buffer.consume(skip);
                match conn.read(Room::Buffer, &until, Instant::now()) {
                    Ok(1..) => {}
                    Err(error) if error.is_cancelled() => return Err(error),
                    Ok(0) | Err(_) => break,
                }
            }
            Ok(Step::End { .. }) | Err(_) => break,
        }
    }
    Ok(())
}
