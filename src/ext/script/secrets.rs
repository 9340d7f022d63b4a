//! Secrets in what is recorded: each byte of one becomes `*`, so that nothing that frames a message changes.
//!
//! What a secret is by its name is decided in `redact`; here is where it stands in a head. Bodies are not
//! known here.

use url::form_urlencoded;

use crate::method::Method;
use crate::redact;

/// The attributes of a cookie (RFC 6265 §4.1.1, and SameSite and Partitioned): these are no secrets.
const COOKIE_ATTRIBUTES: [&str; 8] =
    ["expires", "max-age", "domain", "path", "secure", "httponly", "samesite", "partitioned"];

/// Fields that frame a message, or make it one of another kind: blanked, they would change it.
const NEVER_BLANKED: [&str; 6] =
    ["content-length", "transfer-encoding", "connection", "upgrade", "content-encoding", "trailer"];

fn is_in<S: AsRef<str>>(list: &[S], name: &str) -> bool {
    list.iter().any(|other| other.as_ref().eq_ignore_ascii_case(name))
}

fn is_secret(name: &str, more: &[String]) -> bool {
    redact::is_secret(name) || is_in(more, name) && !is_in(&NEVER_BLANKED, name)
}

fn blank(bytes: &mut [u8]) {
    bytes.fill(b'*');
}

/// Whether a folded line goes on with what was blanked.
#[derive(Clone, Copy, PartialEq)]
enum Field {
    Shown,
    Blanked,
}

/// Blanks secrets in a head, or a part of one that ends anywhere: the values of secret fields, also of those
/// whose name is in `more`, and what [`blank_urls`] finds in the others and the first line.
pub(super) fn blank_head(head: &mut [u8], more: &[String]) {
    let first = head.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or(head.len());
    let is_end = |byte: &u8| b"\r\n".contains(byte);
    let first_end = head[first..].iter().position(is_end).map_or(head.len(), |length| first + length);
    let (line, fields) = head.split_at_mut(first_end);
    blank_urls(line, more);
    blank_fields(fields, more, Field::Shown);
}

/// Blanks secrets in one line of a trailer section.
pub(super) fn blank_trailer(line: &mut [u8], more: &[String]) {
    // A trailer has no folds: an indented line is taken for the rest of a secret.
    blank_fields(line, more, Field::Blanked);
}

/// A CR alone ends a line, too: it may be that only here it does not.
fn blank_fields(lines: &mut [u8], more: &[String], mut before: Field) {
    for line in lines.split_mut(|byte| b"\r\n".contains(byte)).filter(|line| !line.is_empty()) {
        before = blank_field(line, more, before);
    }
}

fn blank_field(line: &mut [u8], more: &[String], before: Field) -> Field {
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        match before {
            Field::Blanked => blank(&mut line[1..]),
            Field::Shown => blank_urls(line, more),
        }
        return before;
    }
    let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
    // `Method` is a token, as a field's name is.
    let name = std::str::from_utf8(&line[..colon]).ok().filter(|name| colon < line.len() && Method::new(name).is_ok());
    let Some(name) = name.map(str::to_owned) else {
        let Some(shown) = redact::secret_end(line) else { return Field::Shown };
        blank(&mut line[shown..]);
        return Field::Blanked;
    };
    let is_space = |byte: &u8| b" \t".contains(byte);
    let start = colon + 1 + line[colon + 1..].iter().take_while(|byte| is_space(byte)).count();
    let value = &mut line[start..];
    if !is_secret(&name, more) {
        blank_urls(value, more);
        return Field::Shown;
    }
    if name.eq_ignore_ascii_case("set-cookie") && !is_in(more, &name) {
        blank_cookie(value)
    } else {
        blank(value)
    }
    Field::Blanked
}

/// Blanks the value of a cookie, and what is none of its attributes: a client that keeps cookies goes on doing
/// so.
fn blank_cookie(value: &mut [u8]) {
    for (number, part) in value.split_mut(|byte| *byte == b';').enumerate() {
        let equals = part.iter().position(|byte| *byte == b'=');
        let name = String::from_utf8_lossy(&part[..equals.unwrap_or(part.len())]).trim().to_owned();
        match equals {
            Some(equals) if number == 0 => blank(&mut part[equals + 1..]),
            _ if number > 0 && is_in(&COOKIE_ATTRIBUTES, &name) => {}
            _ => blank(part),
        }
    }
}

/// Blanks, in text that may have URLs in it, the values of parameters with a secret name, in the query or the
/// fragment, and user and password.
pub(super) fn blank_urls(text: &mut [u8], more: &[String]) {
    blank_userinfo(text);
    let Some(query) = text.iter().position(|byte| b"?#".contains(byte)) else { return };
    let mut start = query + 1;
    while start < text.len() {
        let is_mark = |byte: &u8| b"?&;#".contains(byte);
        let part = &text[start..];
        let name_end = part.iter().position(|byte| is_mark(byte) || *byte == b'=').unwrap_or(part.len());
        let name = form_urlencoded::parse(&part[..name_end]).next().map(|(name, _)| name).unwrap_or_default();
        if part.get(name_end) != Some(&b'=') || !is_secret(&name, more) {
            start += name_end + 1;
            continue;
        }
        let value = &mut text[start + name_end + 1..];
        let end = value.iter().position(|byte| b"&# \t\"<>".contains(byte)).unwrap_or(value.len());
        blank(&mut value[..end]);
        start += name_end + 1 + end;
    }
}

/// Blanks the authority of a URL that ends where the text is cut: there may have been an `@` after it.
pub(super) fn blank_cut_authority(text: &mut [u8]) {
    let mut start = 0;
    while let Some((authority, end)) = authority(text, start) {
        if end == text.len() {
            blank(&mut text[authority..]);
        }
        start = end;
    }
}

/// Returns where the next authority begins, and where it ends.
fn authority(text: &[u8], start: usize) -> Option<(usize, usize)> {
    // Browsers take a backslash for a slash there.
    let is_slash = |byte: &u8| b"/\\".contains(byte);
    let authority = start + text[start..].windows(2).position(|two| two.iter().all(is_slash))? + 2;
    let length = text[authority..].iter().position(|byte| b"/\\?# \t\"<>\r\n".contains(byte));
    Some((authority, length.map_or(text.len(), |length| authority + length)))
}

fn blank_userinfo(text: &mut [u8]) {
    let mut start = 0;
    while let Some((authority, end)) = authority(text, start) {
        if let Some(at) = text[authority..end].iter().rposition(|byte| *byte == b'@') {
            text[authority..authority + at].iter_mut().filter(|byte| **byte != b':').for_each(|byte| *byte = b'*');
        }
        start = end;
    }
}

/// Returns whether a target is the one that was recorded: what is blanked there may be anything here.
pub(super) fn is_same_target(recorded: &str, target: &str) -> bool {
    let (recorded, target) = (parts(recorded), parts(target));
    recorded.len() == target.len() && recorded.iter().zip(&target).all(|(recorded, part)| is_same_part(recorded, part))
}

/// The path and the parameters of a target without secrets, each with the mark that ends it.
fn parts(target: &str) -> Vec<String> {
    let mut target = target.as_bytes().to_vec();
    blank_urls(&mut target, &[]);
    String::from_utf8_lossy(&target).split_inclusive(['?', '&', ';', '#']).map(str::to_owned).collect()
}

fn is_same_part(recorded: &str, part: &str) -> bool {
    let (Some((name, value)), Some((other, _))) = (recorded.split_once('='), part.split_once('=')) else {
        return recorded == part;
    };
    let is_blanked = value.starts_with('*') && value.trim_end_matches(['&', ';', '#']).bytes().all(|byte| byte == b'*');
    recorded == part || name == other && is_blanked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blanked(head: &str, more: &[&str]) -> String {
        let mut bytes = head.as_bytes().to_vec();
        blank_head(&mut bytes, &more.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(bytes.len(), head.len());
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn secrets_in_a_head_are_blanked_and_nothing_else_is() {
        for (line, want) in [
            ("Authorization: Basic dTpw", "Authorization: **********"),
            ("proxy-authorization:x", "proxy-authorization:*"),
            ("Cookie: a=b; c=d", "Cookie: ********"),
            ("X-Api-Key:  k y ", "X-Api-Key:  ****"),
            ("X-Own: mine\r\n and more", "X-Own: ****\r\n ********"),
            ("Set-Cookie: sid=s3cret; Path=/; HttpOnly", "Set-Cookie: sid=******; Path=/; HttpOnly"),
            ("Set-Cookie: sid=\"s3;cret\"; secure", "Set-Cookie: sid=***;*****; secure"),
            ("Set-Cookie: s3cret; Path=/", "Set-Cookie: ******; Path=/"),
            ("Set-Cookie: sid=s3cret\r\n\tmore; Path=/", "Set-Cookie: sid=******\r\n\t************"),
            ("Location: /a?b=c&access_token=s3,cret#x", "Location: /a?b=c&access_token=*******#x"),
            ("Location: http://u:pw@host/@x", "Location: http://*:**@host/@x"),
            ("Link: <//u@h/?key=1>; rel=a", "Link: <//*@h/?key=*>; rel=a"),
            ("Location: /cb#auth=x;token=y", "Location: /cb#auth=*********"),
            ("Vary: Cookie, Accept", "Vary: Cookie, Accept"),
            ("WWW-Authenticate: Basic realm=\"x\"", "WWW-Authenticate: Basic realm=\"x\""),
            ("Content-Length: 5", "Content-Length: 5"),
            ("Cookie s3cret", "Cookie*******"),
            ("Cookie : s3cret", "Cookie*********"),
            ("\x01Cookie: s3cret", "\x01Cookie********"),
            ("A: b\rSet-Cookie: a=s3cret", "A: b\rSet-Cookie: a=******"),
            ("Cookie: s3cret\r more", "Cookie: ******\r ****"),
            ("Location: http:\\\\u:pw@h\\x", "Location: http:\\\\*:**@h\\x"),
            ("Location: /?access%5ftoken=s3cret&x%2Down=mine", "Location: /?access%5ftoken=******&x%2Down=****"),
            ("Host: h:80", "Host: h:80"),
        ] {
            for line_end in ["\r\n", "\n"] {
                let (head, want) = (format!("GET / HTTP/1.1\r\n{line}"), format!("GET / HTTP/1.1\r\n{want}"));
                let more = ["x-own", "content-length"];
                assert_eq!(
                    blanked(&format!("{head}{line_end}{line_end}"), &more),
                    format!("{want}{line_end}{line_end}")
                );
                assert_eq!(blanked(&head, &more), want, "and without an end");
            }
        }
        let first = "\r\nGET http://u:p@h/?b=c&api_key=1&own=2 HTTP/1.1\r\n\r\n";
        assert_eq!(blanked(first, &["own"]), "\r\nGET http://*:*@h/?b=c&api_key=*&own=* HTTP/1.1\r\n\r\n");
        assert_eq!(blanked("HTTP/1.1 200 OK\rCookie: s3cret", &[]), "HTTP/1.1 200 OK\rCookie: ******");
        assert_eq!(blanked("", &[]), "");
    }

    #[test]
    fn a_secret_trailer_is_blanked() {
        for (line, want) in [
            ("X-Token: a\r\n", "X-Token: *\r\n"),
            ("X-Sum: a\r\n", "X-Sum: a\r\n"),
            (" a\r\n", " *\r\n"),
            ("A: b\rKey: a\n", "A: b\rKey: *\n"),
        ] {
            let mut line = line.as_bytes().to_vec();
            blank_trailer(&mut line, &[]);
            assert_eq!(String::from_utf8(line).unwrap(), want);
        }
    }

    #[test]
    fn what_was_blanked_in_a_target_may_be_anything() {
        for (recorded, target, is_same) in [
            ("/a?b=c", "/a?b=c", true),
            ("/a?b=c", "/a?b=d", false),
            ("/a?token=****", "/a?token=x", true),
            ("/a?token=****&b=c", "/a?token=longer-than-that&b=c", true),
            ("/a?token=****&b=c", "/a?token=x&b=d", false),
            ("/a?token=****", "/a?other=x", false),
            ("/a?token=****", "/a", false),
            ("/a?token=", "/a?token=x", false),
            ("/a?b=**x", "/a?b=y", false),
            ("/****", "/abcd", false),
            ("/a?own=**&b", "/a?own=x&b", true),
            ("/a?url=http://*:*@h/", "/a?url=http://u:p@h/", true),
            ("/a?token=written-by-hand", "/a?token=x", true),
        ] {
            assert_eq!(is_same_target(recorded, target), is_same, "{recorded} {target}");
        }
    }
}
