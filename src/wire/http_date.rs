//! Dates in fields (RFC 9110 §5.6.7): the three forms that HTTP has, and what else servers send.
//!
//! A date is read by the tolerant algorithm for cookies (RFC 6265bis §5.1.1), which all three forms fit:
//! IMF-fixdate, RFC 850 and asctime. It takes a time, a day, a month and a year in any order, and ignores
//! the weekday and the zone; HTTP's dates are in UTC. What the date means is not known here, nor what
//! time it is now.

/// Years that a date may have: from the first of the Gregorian calendar's full cycle to the last of four
/// digits.
const YEARS: std::ops::RangeInclusive<u32> = 1601..=9999;

const MONTHS: [&[u8; 3]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// Returns the seconds since 1970-01-01 00:00:00 UTC, negative before; `None` if the text is no date.
///
/// A year of two digits from 70 is of the 20th century, and one below of the 21st. A leap second (`:60`)
/// is not taken.
pub(crate) fn parse(text: &[u8]) -> Option<i64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(|byte| is_delimiter(*byte)) {
        // The first that fits takes the token.
        let _ = fill(&mut time, time_of(token))
            || fill(&mut day, number(token, 1..=2))
            || fill(&mut month, month_of(token))
            || fill(&mut year, number(token, 2..=4));
    }
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    let ((hour, minute, second), day, month) = (time?, day?, month?);
    let is_date = YEARS.contains(&year) && (1..=days_in(month, year)).contains(&day);
    let is_time = hour <= 23 && minute <= 59 && second <= 59;
    (is_date && is_time).then(|| {
        let seconds = days_since_1970(year, month, day) * 86_400;
        seconds + i64::from(hour * 3600 + minute * 60 + second)
    })
}

/// Sets what is not set yet. Returns whether it did.
fn fill<T>(part: &mut Option<T>, found: Option<T>) -> bool {
    let fills = part.is_none() && found.is_some();
    if fills {
        *part = found;
    }
    fills
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// The number that a token begins with, if it has so many digits.
fn number(token: &[u8], digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let end = token.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(token.len());
    digits.contains(&end).then(|| token[..end].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
}

/// Hour, minute and second, each of one or two digits; anything but a digit may follow.
fn time_of(token: &[u8]) -> Option<(u32, u32, u32)> {
    let mut parts = token.splitn(3, |byte| *byte == b':');
    let mut whole =
        || parts.next().filter(|part| part.iter().all(u8::is_ascii_digit)).and_then(|part| number(part, 1..=2));
    let (hour, minute) = (whole()?, whole()?);
    Some((hour, minute, number(parts.next()?, 1..=2)?))
}

/// The month, counted from 1, by its first three letters.
fn month_of(token: &[u8]) -> Option<u32> {
    let name = token.get(..3)?;
    (1..).zip(MONTHS).find(|(_, month)| name.eq_ignore_ascii_case(*month)).map(|(number, _)| number)
}

fn days_in(month: u32, year: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from 1970-01-01 to that day of the Gregorian calendar. A year is counted from March here, so
/// that the leap day is its last.
fn days_since_1970(year: u32, month: u32, day: u32) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let days_of_months = i64::from((153 * ((month + 9) % 12) + 2) / 5);
    let days_of_years = year * 365 + year / 4 - year / 100 + year / 400;
    const DAYS_TO_1970: i64 = 719_468;
    days_of_years + days_of_months + i64::from(day) - 1 - DAYS_TO_1970
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN_2017: i64 = 1_492_290_082; // Sat, 15 Apr 2017 21:01:22 GMT
    const IN_2007: i64 = 1_176_936_612; // Wed, 18 Apr 2007 22:50:12 GMT
    const IN_2003: i64 = 1_041_379_200; // Wed, 01 Jan 2003 00:00:00 GMT
    const IN_2010: i64 = 1_262_304_000; // Fri, 01 Jan 2010 00:00:00 GMT

    #[test]
    fn the_three_forms_of_http_are_read() {
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parse(text.as_bytes()), Some(784_111_777), "{text}");
        }
    }

    /// Dates of the IETF's http-state working group, in part from BSD and the browsers.
    #[test]
    fn what_else_servers_send_is_read_too() {
        let cases = [
            ("Mon, 10-Dec-2007 17:02:24 GMT", 1_197_306_144),
            ("Thursday, 01-Jan-1970 00:00:00 GMT", 0),
            ("Mon Dec 10 16:32:30 2007 GMT", 1_197_304_350),
            ("Wednesday, 01-Jan-10 00:00:00 GMT", IN_2010),
            ("Wednesday, 01-Jan-10 0:0:00 GMT", IN_2010),
            ("Wed, 1 Jan 2020 00:00:00 GMT", 1_577_836_800),
            ("Thu, 31 Dec 23:55:55 2037 GMT", 2_145_916_555),
            ("Sun,  9 Dec 2012 13:42:05 GMT", 1_355_060_525),
            ("Wed Dec 12 2007 08:44:07 GMT-0500 (EST)", 1_197_449_047),
            ("Sun, 1-Jan-1995 00:00:00 GMT", 788_918_400),
            ("Thu, 10 Dec 2009 13:57:2 GMT", 1_260_453_422),
            ("Thu, 19/Apr\\2007 16:00:00 GMT", 1_176_998_400),
            (", 1-Jan-2003 00:00:00 GMT", IN_2003),
            (" 1-Jan-2003 00:00:00 GMT", IN_2003),
            ("Wednes, 1-Januar-2003 00:00:00 GMT", IN_2003),
            ("Wed,18-Apr-07 22:50:12 GMT", IN_2007),
            ("WillyWonka  ,  18-apr-07   22:50:12", IN_2007),
            ("Partyday, 18- April-07 22:50:12", IN_2007),
            ("Partyday, 18 - Apri-07 22:50:12", IN_2007),
            ("22:50:12 Thu Apr 18 2007 GMT", IN_2007),
            ("Thu Apr 22:50:12 18 2007 GMT", IN_2007),
            ("Thu Apr 18 2007 GMT 22:50:12", IN_2007),
            ("Mon, 18-Apr-77 22:50:13 GMT", 230_251_813),
            ("\"Sat, 15-Apr-17\\\"21:01:22\\\"GMT\"", IN_2017),
            ("Sat, 15-Apr-17 21:01:22", IN_2017),
            ("Sat, 15-Apr-17 21:01:22 GMT-0400 (EDT)", IN_2017),
            ("Sat, 15-Apr-17 21:01:22 (hello there)", IN_2017),
            ("Sat, 15-Apr-17 21:01:22 11:22:33", IN_2017),
            ("Sat, 15-Apr-17 ::00 21:01:22", IN_2017),
            ("Sat, 15-Apr-17 boink:z 21:01:22", IN_2017),
            ("15-Sat, Apr 21:01:22 GMT 17", IN_2017),
            ("15 17 Apr 21:01:22", IN_2017),
            ("Apr 15 17 21:01:22", IN_2017),
            ("2017 April 15 21:01:22", IN_2017),
            ("15 April 2017 21:01:22x9", IN_2017),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text.as_bytes()), Some(want), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "120",
            "IAintNoDateFool",
            "Mon, 01-Jan-2011 00: 00:00 GMT",
            "Sat, 15-Apr-17 91:22:33 21:01:22",
            "98 April 17 21:01:22",
            "Thu, 012-Aug-2008 20:49:07 GMT",
            "Thu, 12-Aug-31841 20:49:07 GMT",
            "Thu, 12-Aug-9999999999 20:49:07 GMT",
            "Thu, 999999999999-Aug-2007 20:49:07 GMT",
            "Thu, 12-Aug-2007 20:61:99999999999 GMT",
            "Fri, 30 Feb 2024 00:00:00 GMT",
            "Wed, 29 Feb 2100 00:00:00 GMT",
            "Wed, 00 Jan 2020 00:00:00 GMT",
            "Wed, 31 Apr 2020 00:00:00 GMT",
            "Wed, 01 Jan 2020 24:00:00 GMT",
            "Wed, 01 Jan 2020 23:60:00 GMT",
            "Wed, 01 Jan 2020 23:59:60 GMT",
            "Sun, 31 Dec 1600 00:00:00 GMT",
            "Wed, 01 2020 00:00:00 GMT",
            "Wed, Jan 2020 00:00:00 GMT",
            "Wed, 01 Jan 00:00:00 GMT",
            "Wed, 01 Jan 2020 GMT",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn each_day_follows_the_one_before() {
        let first = parse(b"1 Jan 1601 00:00:00").unwrap();
        assert_eq!(first, -11_644_473_600);
        let mut expected = first;
        for year in YEARS {
            for (month, name) in (1..).zip(MONTHS) {
                assert_eq!(days_since_1970(year, month, 1) * 86_400, expected);
                expected += i64::from(days_in(month, year)) * 86_400;
                assert_eq!(month_of(name), Some(month));
            }
        }
        assert_eq!(parse(b"31 Dec 9999 23:59:59"), Some(expected - 1));
        assert_eq!(parse(b"29 Feb 2024 00:00:00"), Some(1_709_164_800));
        assert_eq!(parse(b"29 Feb 2000 00:00:00"), Some(951_782_400));
        for (year, want) in [("69", 3_124_224_000), ("70", 0), ("1969", -31_536_000)] {
            assert_eq!(parse(format!("1 Jan {year} 00:00:00").as_bytes()), Some(want), "{year}");
        }
    }
}
