//! The file of cookies in Netscape's form, `cookies.txt`, as curl reads and writes it
//! (<https://curl.se/docs/http-cookies.html>).
//!
//! A line has seven fields between tabs: domain, whether it covers the names below it, path, whether the
//! cookie is Secure, its end in seconds since 1970 (0: with the session), name and value. A line that
//! begins with `#HttpOnly_` is such a cookie; any other `#` begins a comment.

use std::io::{self, BufRead, Read};

use crate::client::cookies::jar::Jar;
use crate::client::cookies::matching::{DOMAIN_BYTES_MAX, PATH_BYTES_MAX, has_one_label};
use crate::client::cookies::storage::latest;
use crate::cookie::Cookie;
use crate::wire::set_cookie::{check_pair, has_control};

/// Bytes of one line, its end included: a name with its value, a path and a domain of the greatest length
/// fit, so what is written can be read. It bounds what a file that is none takes up in memory.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// The first line is what Python's reader asks for.
const HEAD: &[u8] = b"# Netscape HTTP Cookie File\n# Written by longwire. It holds secrets.\n\n";

const HTTP_ONLY: &[u8] = b"#HttpOnly_";

/// Returns the file's text for these cookies.
pub(super) fn text_of(cookies: impl Iterator<Item = Cookie>) -> Vec<u8> {
    let mut text = HEAD.to_vec();
    for cookie in cookies {
        let has_tab = |part: &[u8]| part.contains(&b'\t');
        if has_tab(&cookie.name) || has_tab(&cookie.value) || has_tab(&cookie.path) {
            continue;
        }
        let flag = |is: bool| if is { &b"TRUE"[..] } else { b"FALSE" };
        let expires = cookie.expires.unwrap_or(0).to_string();
        let dot = if cookie.is_host_only { "" } else { "." };
        let domain = format!("{dot}{}", cookie.domain);
        let (covers, secure) = (flag(!cookie.is_host_only), flag(cookie.is_secure));
        let fields = [domain.as_bytes(), covers, &cookie.path, secure, expires.as_bytes(), &cookie.name, &cookie.value];
        if cookie.is_http_only {
            text.extend_from_slice(HTTP_ONLY);
        }
        text.extend_from_slice(&fields.join(&b'\t'));
        text.push(b'\n');
    }
    text
}

/// Reads a file. An error names the line.
pub(super) fn read(mut reader: impl BufRead, now: i64) -> io::Result<Jar> {
    let (mut jar, mut line) = (Jar::default(), Vec::new());
    for number in 1.. {
        let malformed =
            |why: &str| io::Error::new(io::ErrorKind::InvalidData, format!("cookies.txt: line {number} {why}"));
        line.clear();
        let limit = LINE_BYTES_MAX as u64 + 1;
        if reader.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(malformed("has more than 8 KiB"));
        }
        if let Some(cookie) = cookie_in(without_end(&line), now).map_err(malformed)? {
            jar.put(cookie, now);
        }
    }
    Ok(jar)
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The cookie in a line, if the line is neither empty nor a comment.
fn cookie_in(line: &[u8], now: i64) -> Result<Option<Cookie>, &'static str> {
    let (is_http_only, line) = match line.strip_prefix(HTTP_ONLY) {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    if line.trim_ascii().is_empty() || line.starts_with(b"#") {
        return Ok(None);
    }
    let mut fields = line.split(|byte| *byte == b'\t');
    let mut next = || fields.next().ok_or("has no seven fields between tabs");
    let (domain, covers, path, secure, expires, name) = (next()?, next()?, next()?, next()?, next()?, next()?);
    // Editors cut the tab before an empty value.
    let value = fields.next().unwrap_or_default();
    if fields.next().is_some() {
        return Err("has more than seven fields");
    }
    if has_control(line) {
        return Err("has a control character");
    }
    check_pair(name, value).map_err(|_| "has neither a name nor a value, or more than 4096 bytes of them")?;
    let domain = std::str::from_utf8(domain).map_err(|_| "has a domain that is not UTF-8")?;
    let domain = domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase();
    if domain.is_empty() || domain.len() > DOMAIN_BYTES_MAX {
        return Err("has no domain, or one of more than 255 bytes");
    }
    if path.len() > PATH_BYTES_MAX {
        return Err("has a path of more than 1024 bytes");
    }
    let expires = match seconds(expires).ok_or("has an end that is no number")? {
        0 => None,
        expires => Some(latest(expires, now)),
    };
    Ok(Some(Cookie {
        name: name.to_vec(),
        value: value.to_vec(),
        is_host_only: !flag(covers)? || has_one_label(&domain),
        domain,
        path: if path.starts_with(b"/") { path } else { b"/" }.to_vec(),
        expires,
        is_secure: flag(secure)?,
        is_http_only,
        same_site: None,
    }))
}

fn flag(text: &[u8]) -> Result<bool, &'static str> {
    match text.to_ascii_uppercase().as_slice() {
        b"TRUE" => Ok(true),
        b"FALSE" => Ok(false),
        _ => Err("has a flag that is neither TRUE nor FALSE"),
    }
}

/// Seconds since 1970; 0 without any digits, as Python writes it, and without a fraction, which some
/// extensions write. A negative number is long past.
fn seconds(text: &[u8]) -> Option<i64> {
    let whole = text.split(|byte| *byte == b'.').next().unwrap_or_default();
    let (sign, digits) = match whole {
        [b'-', digits @ ..] => (-1, digits),
        digits => (1, digits),
    };
    let step = |number: i64, digit: &u8| match digit {
        b'0'..=b'9' => Some(number.saturating_mul(10).saturating_add(i64::from(digit - b'0'))),
        _ => None,
    };
    digits.iter().try_fold(0, step).map(|number| sign * number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    const NOW: i64 = 1_800_000_000;

    fn cookies(text: &str) -> Vec<Cookie> {
        read(text.as_bytes(), NOW).unwrap_or_else(|error| panic!("{text:?}: {error}")).live(NOW)
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = "# Netscape HTTP Cookie File\n# Written by longwire. It holds secrets.\n\n\
                    .a.example\tTRUE\t/\tFALSE\t1800000100\ta\t\"b, c\"\n\
                    #HttpOnly_a.example\tFALSE\t/x\tTRUE\t0\tsid\tx=y==\n\
                    ::1\tFALSE\t/\tFALSE\t0\t\tnameless\n\
                    a.example\tFALSE\t/\tFALSE\t0\tempty\t\n";
        let read = cookies(text);
        assert_eq!(String::from_utf8(text_of(read.clone().into_iter())).unwrap(), text);
        let [first, second, third, fourth] = &read[..] else { panic!("{read:?}") };
        assert_eq!((&*first.domain, first.is_host_only, first.expires), ("a.example", false, Some(NOW + 100)));
        assert!(second.is_host_only && second.is_secure && second.is_http_only && second.expires.is_none());
        assert_eq!((&third.name[..], &third.value[..]), (&b""[..], &b"nameless"[..]));
        assert_eq!((&fourth.name[..], &fourth.value[..]), (&b"empty"[..], &b""[..]));
    }

    #[test]
    fn what_other_programs_write_is_read_too() {
        for (line, want) in [
            ("a.example\tFALSE\t/\tFALSE\t0\ta\tb\r\n", "a.example / a=b"),
            ("a.example\tfalse\t/\tFalse\t\ta\tb", "a.example / a=b"),
            ("a.example\tFALSE\t/\tFALSE\t0\ta\n", "a.example / a="),
            ("A.Example\tTRUE\t/\tFALSE\t0\ta\tb\n", "a.example / a=b"),
            ("a.example\tFALSE\tx\tFALSE\t0\ta\tb\n", "a.example / a=b"),
            ("a.example\tFALSE\t/\tFALSE\t1800000001.75\ta\tb\n", "a.example / a=b"),
            ("a.example\tFALSE\t/\tFALSE\t99999999999999999999999\ta\tb\n", "a.example / a=b"),
            ("\n# a comment\n \t\n#HttpOnly_\n#\na.example\tFALSE\t/\tFALSE\t0\ta\tb", "a.example / a=b"),
            ("a.example\tFALSE\t/\tFALSE\t1799999999\ta\tb\n", ""),
            ("a.example\tFALSE\t/\tFALSE\t-1\ta\tb\n", ""),
        ] {
            let shown = |cookie: &Cookie| {
                let [path, name, value] = [&cookie.path, &cookie.name, &cookie.value].map(|part| part.escape_ascii());
                format!("{} {path} {name}={value}", cookie.domain)
            };
            assert_eq!(cookies(line).iter().map(shown).collect::<String>(), want, "{line:?}");
        }
        let far = &cookies("a.example\tFALSE\t/\tFALSE\t9999999999\ta\tb")[0];
        assert_eq!(far.expires, Some(NOW + 400 * 86_400));
        assert!(cookies("localhost\tTRUE\t/\tFALSE\t0\ta\tb")[0].is_host_only);
    }

    #[test]
    fn a_line_that_is_no_cookie_is_named_and_not_shown() {
        let long = format!("a.example\tFALSE\t/\tFALSE\t0\ts3cret\t{}\n", "s3cret".repeat(683));
        for (line, want) in [
            ("s3cret", "has no seven fields between tabs"),
            ("a.example FALSE / FALSE 0 a s3cret", "has no seven fields between tabs"),
            ("a.example\tFALSE\t/\tFALSE\t0\ta\tb\ts3cret", "has more than seven fields"),
            ("a.example\tFALSE\t/\tFALSE\t0\ta\ts3cret\x01", "has a control character"),
            ("a.example\tFALSE\t/\tFALSE\ts3cret\ta\tb", "has an end that is no number"),
            ("a.example\ts3cret\t/\tFALSE\t0\ta\tb", "has a flag that is neither TRUE nor FALSE"),
            ("a.example\tFALSE\t/\ts3cret\t0\ta\tb", "has a flag that is neither TRUE nor FALSE"),
            (".\tFALSE\t/\tFALSE\t0\ta\ts3cret", "has no domain, or one of more than 255 bytes"),
            ("a.example\tFALSE\t/\tFALSE\t0\t\t", "has neither a name nor a value, or more than 4096 bytes of them"),
            (&long, "has neither a name nor a value, or more than 4096 bytes of them"),
        ] {
            let error = read(format!("# s3cret\n\n{line}").as_bytes(), NOW).err().expect(line);
            assert_eq!(error.to_string(), format!("cookies.txt: line 3 {want}"), "{line:?}");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
        let not_text = read(&b"\xff\tFALSE\t/\tFALSE\t0\ta\tb"[..], NOW).err().expect("an error");
        assert!(not_text.to_string().contains("not UTF-8"), "{not_text}");
    }

    #[test]
    fn a_line_has_at_most_8_kib() {
        let comment = |bytes: usize| format!("#{}\n", "c".repeat(bytes - "#\n".len()));
        for size in [1, 100, 1 << 20] {
            let read = |text: &str| read(BufReader::with_capacity(size, text.as_bytes()), NOW).map(|jar| jar.live(NOW));
            assert_eq!(read(&comment(LINE_BYTES_MAX)).expect("the longest line"), []);
            let error = read(&comment(LINE_BYTES_MAX + 1)).expect_err("a longer one");
            assert_eq!(error.to_string(), "cookies.txt: line 1 has more than 8 KiB");
        }
    }

    #[test]
    fn the_longest_cookie_that_is_stored_is_written_and_read() {
        let part = |bytes: usize| "x".repeat(bytes);
        let line = |domain: usize, path: usize, pair: usize| {
            let (domain, path, name) = (part(domain - ".x".len()), part(path - "/".len()), part(pair));
            format!("#HttpOnly_.{domain}.x\tTRUE\t/{path}\tFALSE\t1800000100\t{name}\t\n")
        };
        let longest = line(DOMAIN_BYTES_MAX, PATH_BYTES_MAX, 4096);
        assert!(text_of(cookies(&longest).into_iter()).ends_with(longest.as_bytes()));
        for (line, want) in [
            (line(DOMAIN_BYTES_MAX + 1, 9, 9), "has no domain, or one of more than 255 bytes"),
            (line(9, PATH_BYTES_MAX + 1, 9), "has a path of more than 1024 bytes"),
            (line(9, 9, 4097), "has neither a name nor a value, or more than 4096 bytes of them"),
        ] {
            let error = read(line.as_bytes(), NOW).err().expect("a line that is too long");
            assert_eq!(error.to_string(), format!("cookies.txt: line 1 {want}"));
        }
    }

    #[test]
    fn a_cookie_with_a_tab_has_no_place_in_a_file() {
        let mut with_tab = cookies("a.example\tFALSE\t/\tFALSE\t0\ta\tb").remove(0);
        with_tab.value = b"b\tc".to_vec();
        assert_eq!(text_of([with_tab].into_iter()), HEAD);
    }
}
