//! A recording as a HAR 1.2 document (<http://www.softwareishard.com/blog/har-12-spec/>), in JSON
//! (RFC 8259).
//!
//! Readers are strict: Chrome refuses a whole document for one member that is missing or of the wrong type.
//! So every entry has every member, and `timings` add up to `time`. `_connectionId` and `_error` are Chrome's.
//! What is a secret is not known here; it is `***` already.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::ext::har::exchange::{Exchange, Outcome, Phase, Phases};

/// Stands in a head for what observers are not shown.
const HIDDEN: &str = "***";

/// Begins what stands in a head for a control character.
const ESCAPE: char = '\\';

/// Writes the document: an entry on each line.
pub(super) fn write(exchanges: &[Exchange]) -> String {
    format!(
        "{{\"log\":{{\"version\":\"1.2\",\"creator\":{{\"name\":\"longwire\",\"version\":{}}},\"pages\":[],\"entries\":{}}}}}\n",
        Quoted(env!("CARGO_PKG_VERSION")),
        List(exchanges.iter().map(Entry))
    )
}

struct Entry<'e>(&'e Exchange);

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exchange = self.0;
        let phases = exchange.phases();
        write!(f, "\n{{")?; // a line of its own
        write!(f, r#""startedDateTime":"{}","time":{}"#, DateTime(exchange.began), Millis(phases.total()))?;
        write!(f, r#","request":{},"response":{}"#, Request(exchange), Response(exchange))?;
        write!(f, r#","cache":{{}},"timings":{}"#, Timings(&phases))?;
        if let Some(peer) = exchange.peer {
            write!(f, r#","serverIPAddress":"{}""#, peer.ip())?;
        }
        if let Some(connection) = exchange.link.connection() {
            write!(f, r#","connection":"{connection}","_connectionId":"{connection}""#)?;
        }
        match &exchange.outcome {
            Outcome::Complete | Outcome::Failed { .. } => {}
            Outcome::UnderWay => f.write_str(r#","comment":"still under way""#)?,
            Outcome::LeftUnread => f.write_str(r#","comment":"the rest of the response was left unread""#)?,
        }
        f.write_str("}")
    }
}

struct Request<'e>(&'e Exchange);

impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exchange = self.0;
        let (line, head) = exchange.request.as_ref().map_or(("", ""), |head| (head.start_line(), &head.text));
        let version = line.rsplit_once(' ').map_or("", |(_, version)| version);
        let fields = fields(head);
        let query = exchange.url.query_pairs().map(|(name, value)| Pair(name, value));
        let (shown, sent) = (known_size(head), exchange.sent_bytes);
        // Without a body the head is all that was sent.
        let is_head_alone = is_without_body(&fields);
        let headers_size = sent.filter(|_| is_head_alone).or(shown).map_or(-1, signed);
        let body_size = match (is_head_alone, sent.zip(shown)) {
            (true, _) => 0,
            (false, Some((sent, head))) => signed(sent.saturating_sub(head)),
            (false, None) => -1,
        };
        write!(f, r#"{{"method":{},"url":{}"#, Quoted(&exchange.method), Quoted(exchange.url.as_str()))?;
        write!(f, r#","httpVersion":{},"cookies":[],"headers":{}"#, Quoted(version), List(fields.iter()))?;
        write!(f, r#","queryString":{}"#, List(query))?;
        write!(f, r#","headersSize":{headers_size},"bodySize":{body_size}}}"#)
    }
}

struct Response<'e>(&'e Exchange);

impl fmt::Display for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exchange = self.0;
        let (line, head) = exchange.response.as_ref().map_or(("", ""), |head| (head.start_line(), &head.text));
        let version = line.split(' ').next().unwrap_or_default();
        let (status, reason) = exchange.status();
        let fields = fields(head);
        let field = |name: &str| value(&fields, name);
        let headers_size = known_size(head).map_or(-1, signed);
        let has_none = field("content-length") == "0";
        let body_size = exchange.body_bytes.or(has_none.then_some(0)).map_or(-1, signed);
        let coding = field("content-encoding");
        write!(f, r#"{{"status":{status},"statusText":{},"httpVersion":{}"#, Quoted(reason), Quoted(version))?;
        write!(f, r#","cookies":[],"headers":{}"#, List(fields.iter()))?;
        write!(f, r#","content":{{"size":{},"mimeType":{}"#, body_size.max(0), Quoted(field("content-type")))?;
        if !coding.is_empty() {
            let comment = format!("size is that of the body as it came, in {coding}");
            write!(f, r#","comment":{}"#, Quoted(&comment))?;
        }
        write!(f, r#"}},"redirectURL":{}"#, Quoted(field("location")))?;
        write!(f, r#","headersSize":{headers_size},"bodySize":{body_size}"#)?;
        if let Outcome::Failed { what, .. } = &exchange.outcome {
            write!(f, r#","_error":{}"#, Quoted(what))?;
        }
        f.write_str("}")
    }
}

struct Timings<'p>(&'p Phases);

impl fmt::Display for Timings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Timings(phases) = self;
        let (connect, tls) = (phases.of(Phase::Connect), phases.of(Phase::Tls));
        let with_tls = connect.or(tls).map(|_| connect.unwrap_or(0) + tls.unwrap_or(0));
        // These three may not be -1.
        let always = |phase| Millis(phases.of(phase).unwrap_or(0));
        write!(f, r#"{{"blocked":{}"#, OrMinusOne(phases.of(Phase::Blocked)))?;
        write!(f, r#","dns":{}"#, OrMinusOne(phases.of(Phase::Resolve)))?;
        write!(f, r#","connect":{},"ssl":{}"#, OrMinusOne(with_tls), OrMinusOne(tls))?;
        write!(f, r#","send":{},"wait":{}"#, always(Phase::Send), always(Phase::Wait))?;
        write!(f, r#","receive":{}}}"#, always(Phase::Body))
    }
}

/// The fields of a head. What is on a folded line is joined to its field by a space (RFC 9112 §5.2).
fn fields(head: &str) -> Vec<Pair<String>> {
    // Not all that Unicode takes for a blank.
    let trimmed = |text: &str| text.trim_matches([' ', '\t']).to_owned();
    let mut fields: Vec<Pair<String>> = Vec::new();
    for line in head.lines().skip_while(|line| line.is_empty()).skip(1).filter(|line| !line.is_empty()) {
        match (line.starts_with([' ', '\t']), fields.last_mut(), line.split_once(':')) {
            (true, Some(Pair(_, value)), _) => *value = format!("{value} {}", trimmed(line)),
            (_, _, Some((name, value))) => fields.push(Pair(trimmed(name), trimmed(value))),
            (_, _, None) => fields.push(Pair(trimmed(line), String::new())),
        }
    }
    fields
}

fn value<'f>(fields: &'f [Pair<String>], name: &str) -> &'f str {
    fields.iter().find(|Pair(other, _)| other.eq_ignore_ascii_case(name)).map_or("", |Pair(_, value)| value)
}

/// Returns whether a request with these fields has no body (RFC 9112 §6.3).
fn is_without_body(fields: &[Pair<String>]) -> bool {
    matches!(value(fields, "content-length"), "" | "0") && value(fields, "transfer-encoding").is_empty()
}

/// The size of a head, unless something is not shown as it was.
fn known_size(head: &str) -> Option<u64> {
    let is_as_sent = !head.is_empty() && !head.contains(HIDDEN) && !head.contains(ESCAPE) && head.is_ascii();
    is_as_sent.then_some(head.len() as u64)
}

fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// A name and a value.
struct Pair<T>(T, T);

impl<T: AsRef<str>> fmt::Display for Pair<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"{{"name":{},"value":{}}}"#, Quoted(self.0.as_ref()), Quoted(self.1.as_ref()))
    }
}

/// An array.
struct List<I>(I);

impl<I: Iterator<Item: fmt::Display> + Clone> fmt::Display for List<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (number, item) in self.0.clone().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            write!(f, "{comma}{item}")?;
        }
        f.write_str("]")
    }
}

/// A string (RFC 8259 §7). U+2028 and U+2029 end a line in JavaScript.
struct Quoted<'t>(&'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                    write!(f, "\\u{:04x}", u32::from(c))?
                }
                _ => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Microseconds as milliseconds.
struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// The same, or -1 for what did not happen.
struct OrMinusOne(Option<u64>);

impl fmt::Display for OrMinusOne {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(micros) => Millis(micros).fmt(f),
            None => f.write_str("-1"),
        }
    }
}

/// A time in UTC, to the millisecond (ISO 8601). One before 1970 is shown as its beginning.
struct DateTime(SystemTime);

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = since.as_secs();
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let millis = since.subsec_millis();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// The day of the Gregorian calendar that is so many days after 1970-01-01: year, month and day. A year is
/// counted from March here, so that the leap day is its last.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468;
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = days + DAYS_TO_1970;
    let day = days % DAYS_OF_400_YEARS;
    // Without the leap days that lie before it a year has 365 days, each.
    let year_of_400 = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_400 + year_of_400 / 4 - year_of_400 / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = days / DAYS_OF_400_YEARS * 400 + year_of_400 + u64::from(month <= 2);
    (year, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_is_written_in_utc_to_the_millisecond() {
        let at = |seconds: u64, millis: u64| {
            DateTime(UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(millis)).to_string()
        };
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(784_111_777, 7), "1994-11-06T08:49:37.007Z");
        assert_eq!(at(951_782_399, 999), "2000-02-28T23:59:59.999Z");
        assert_eq!(at(951_782_400, 0), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
        assert_eq!(at(253_402_300_799, 0), "9999-12-31T23:59:59.000Z");
        let before_1970 = UNIX_EPOCH.checked_sub(Duration::from_secs(1));
        assert_eq!(before_1970.map(|time| DateTime(time).to_string()).as_deref(), Some("1970-01-01T00:00:00.000Z"));
    }

    #[test]
    fn the_days_of_four_hundred_years_and_more_follow_each_other() {
        let is_leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..200_000 {
            assert_eq!(civil(days), (year, month, day), "{days} days");
            let in_month = match month {
                2 => 28 + u64::from(is_leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > in_month {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn a_string_is_escaped_where_json_or_javascript_would_break() {
        let shown = Quoted("a\"b\\c\n\u{0}\u{1f}\u{7f}\u{85}\u{2028}\u{2029}\u{e4}\u{1f4a1}/<").to_string();
        let want = r#""a\"b\\c\u000a\u0000\u001f\u007f\u0085\u2028\u2029"#.to_owned() + "\u{e4}\u{1f4a1}/<\"";
        assert_eq!(shown, want);
    }

    #[test]
    fn fields_are_read_off_a_head_folded_or_odd() {
        let head = "\r\nHTTP/1.1 200 OK\r\nA: b\r\n c\r\n\td\r\nE:f:g\r\nno colon\r\nH:\r\n\r\n";
        let found: Vec<String> = fields(head).iter().map(|Pair(name, value)| format!("{name}={value}")).collect();
        assert_eq!(found, ["A=b c d", "E=f:g", "no colon=", "H="]);
        assert!(fields("").is_empty() && fields("GET / HTTP/1.1\r\n\r\n").is_empty());
    }

    #[test]
    fn the_size_of_a_head_is_known_only_if_it_is_shown_as_it_was() {
        assert_eq!(known_size("GET / HTTP/1.1\r\n\r\n"), Some(18));
        for head in ["", "A: ***\r\n", "A: \\u{1b}\r\n", "A: \u{fffd}\r\n"] {
            assert_eq!(known_size(head), None, "{head:?}");
        }
    }
}
