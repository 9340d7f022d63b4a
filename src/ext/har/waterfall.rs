//! A recording as a picture (SVG 1.1): a row for each exchange, the rows of a connection together, and time
//! from left to right.
//!
//! The picture needs no script, no style sheet and no font of its own, and has its own background. It has no
//! blank line and no names that could be in the way of others, so that it can stand in the middle of Markdown
//! or HTML. The same recording gives the same picture.

use std::fmt::{self, Write};
use std::ops::Range;

use url::{Position, Url};

use crate::ext::har::exchange::{Exchange, Link, Outcome, Phase, micros};
use crate::observe::ConnectionId;

/// Exchanges that are drawn; a taller picture is not looked at.
const ROWS_MAX: usize = 1_000;

// Pixels, as everything here.
const WIDTH: u32 = 1_200;
const HEAD_HEIGHT: u32 = 94;
const CARD_HEAD_HEIGHT: u32 = 26;
const ROW_HEIGHT: u32 = 22;
const CARD_FOOT_HEIGHT: u32 = 6;
const CARD_GAP: u32 = 8;
const BAR_HEIGHT: u32 = 12;

/// From left to right: the line of a connection, what is asked for, what came of it, time, and room for the
/// text behind the last bar.
const LINE: u32 = 30;
const LABEL: u32 = 44;
const STATUS_END: u32 = 378;
const CHART: Range<u32> = 394..1_106;
const TEXT_END: u32 = WIDTH - 16;

/// Characters of a label that fit, in a monospaced font of 12 pixels.
const LABEL_CHARS_MAX: usize = 39;

/// How wide the characters of a note beside a bar are at most, on the average.
const NOTE_CHAR_WIDTH: f64 = 6.2;

/// A bar that is too short for the eye is as long as this.
const BAR_WIDTH_MIN: f64 = 2.0;

const TICKS_MAX: u64 = 8;

const SANS: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Helvetica, Arial, sans-serif";
const MONO: &str = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace";

const PAGE: &str = "#eef1f4";
const CARD: &str = "#ffffff";
const GRID: &str = "#dfe4ea";
const INK: &str = "#1f2933";
const MUTED: &str = "#66727f";
const BLUE: &str = "#1d5fb8";
const RED: &str = "#c62828";

/// Of connections: neighbours differ.
const LANES: [&str; 6] = ["#0b6e99", "#ad5a00", "#6b46c1", "#2e7d32", "#b83280", "#5d6b0c"];

const PHASES: [(Phase, &str, &str); 7] = [
    (Phase::Blocked, "blocked", "#c3cad3"),
    (Phase::Resolve, "resolve", "#14a3a8"),
    (Phase::Connect, "connect", "#f2902c"),
    (Phase::Tls, "TLS", "#a25ddc"),
    (Phase::Send, "send", "#e3bf1b"),
    (Phase::Wait, "wait", "#6cc070"),
    (Phase::Body, "body", "#3577d4"),
];

/// Draws the exchanges, which are in the order in which they began.
pub(super) fn draw(exchanges: &[Exchange]) -> String {
    let shown = &exchanges[exchanges.len().saturating_sub(ROWS_MAX)..];
    let (cards, scale) = (cards(shown), Scale::of(shown));
    let height = cards.last().map_or(HEAD_HEIGHT, Card::bottom) + CARD_GAP;
    let mut svg = Svg::default();
    svg.line(format_args!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" style="max-width:100%;height:auto" role="img" aria-label="HTTP exchanges over time, by connection" font-family="{SANS}" font-size="12">"#
    ));
    svg.line(format_args!(r#"<rect width="{WIDTH}" height="{height}" fill="{PAGE}"/>"#));
    let title = title(exchanges.len(), shown, &cards, &scale);
    svg.text(16.0, 27, r#"font-size="15" font-weight="600""#, INK, &title);
    draw_legend(&mut svg);
    for card in &cards {
        let (top, height) = (card.top, card.bottom() - card.top);
        svg.line(format_args!(
            r#"<rect x="8" y="{top}" width="{}" height="{height}" rx="4" fill="{CARD}"/>"#,
            WIDTH - 16
        ));
        svg.line(format_args!(r#"<rect x="8" y="{top}" width="4" height="{height}" fill="{}"/>"#, card.colour));
    }
    draw_axis(&mut svg, &scale, height - CARD_GAP);
    for card in &cards {
        card.draw(&mut svg, &scale);
    }
    svg.line(format_args!("</svg>"));
    svg.0
}

fn title(all: usize, shown: &[Exchange], cards: &[Card<'_>], scale: &Scale) -> String {
    let connections = cards.iter().filter(|card| card.connection.is_some()).count();
    let failed = shown.iter().filter(|exchange| matches!(exchange.outcome, Outcome::Failed { .. })).count();
    let mut title = count(shown.len(), "exchange");
    if shown.len() < all {
        title = format!("The last {title} of {all}");
    }
    title += &format!(" on {}", count(connections, "connection"));
    if !shown.is_empty() {
        title += &format!(" in {}", Time(scale.length));
    }
    if failed > 0 {
        title += &format!(", {failed} failed");
    }
    title
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn draw_legend(svg: &mut Svg) {
    const Y: u32 = 50;
    svg.mark(Mark::New, 22, Y, MUTED);
    svg.text(32.0, Y + 4, "", INK, "new connection");
    svg.mark(Mark::Reused, 142, Y, MUTED);
    svg.text(152.0, Y + 4, "", INK, "reused connection");
    let mut x = CHART.start;
    for (_, name, colour) in PHASES {
        svg.line(format_args!(r#"<rect x="{x}" y="{}" width="12" height="12" rx="2" fill="{colour}"/>"#, Y - 6));
        svg.text(f64::from(x + 17), Y + 4, "", INK, name);
        x += 40 + 6 * name.len() as u32;
    }
}

/// The ticks, with a line down to `bottom` from each.
fn draw_axis(svg: &mut Svg, scale: &Scale, bottom: u32) {
    let step = scale.step();
    for number in 0..=scale.length / step {
        let (x, at) = (scale.x(number * step), Time(number * step));
        svg.line(format_args!(
            r#"<line x1="{x:.1}" y1="{}" x2="{x:.1}" y2="{bottom}" stroke="{GRID}"/>"#,
            HEAD_HEIGHT - 6
        ));
        svg.text(x, HEAD_HEIGHT - 11, r#"font-size="11" text-anchor="middle""#, MUTED, &at.to_string());
    }
}

/// Where a time is drawn: microseconds, the first and how many there are.
struct Scale {
    start: u64,
    length: u64,
}

impl Scale {
    fn of(exchanges: &[Exchange]) -> Scale {
        let start = exchanges.first().map_or(0, |first| micros(first.started));
        let end = exchanges.iter().map(|exchange| micros(exchange.started) + exchange.phases().total()).max();
        Scale { start, length: end.unwrap_or(start).saturating_sub(start).max(1) }
    }

    fn x(&self, since_start: u64) -> f64 {
        let width = f64::from(CHART.end - CHART.start);
        f64::from(CHART.start) + since_start as f64 / self.length as f64 * width
    }

    /// The distance of ticks: 1, 2 or 5 of a power of ten, so that there are not too many.
    fn step(&self) -> u64 {
        let powers = (0..19).map(|exponent| 10_u64.pow(exponent));
        let steps = powers.flat_map(|power| [1, 2, 5].map(|factor| power.saturating_mul(factor)));
        steps.into_iter().find(|step| self.length / step <= TICKS_MAX).unwrap_or(u64::MAX)
    }
}

/// What is drawn of one connection, or of all exchanges that never got one.
struct Card<'e> {
    connection: Option<ConnectionId>,
    exchanges: Vec<&'e Exchange>,
    colour: &'static str,
    top: u32,
}

/// A card for each connection, in the order in which they were first asked for; in it the exchanges in the order
/// of the connection, since one that began sooner may have waited longer.
fn cards(exchanges: &[Exchange]) -> Vec<Card<'_>> {
    let mut cards: Vec<Card<'_>> = Vec::new();
    let mut lanes = LANES.iter().cycle();
    for exchange in exchanges {
        let connection = exchange.link.connection();
        match cards.iter_mut().find(|card| card.connection == connection) {
            Some(card) => card.exchanges.push(exchange),
            None => {
                let colour = connection.and_then(|_| lanes.next()).unwrap_or(&MUTED);
                cards.push(Card { connection, exchanges: vec![exchange], colour, top: 0 });
            }
        }
    }
    let mut top = HEAD_HEIGHT;
    for card in &mut cards {
        card.exchanges.sort_by_key(|exchange| exchange.link.nth());
        card.top = top;
        top = card.bottom() + CARD_GAP;
    }
    cards
}

impl Card<'_> {
    fn bottom(&self) -> u32 {
        self.top + CARD_HEAD_HEIGHT + self.exchanges.len() as u32 * ROW_HEIGHT + CARD_FOOT_HEIGHT
    }

    fn row_middle(&self, row: usize) -> u32 {
        self.top + CARD_HEAD_HEIGHT + row as u32 * ROW_HEIGHT + ROW_HEIGHT / 2
    }

    fn draw(&self, svg: &mut Svg, scale: &Scale) {
        self.draw_head(svg);
        self.draw_line(svg, scale);
        for (row, exchange) in self.exchanges.iter().enumerate() {
            let y = self.row_middle(row);
            svg.line(format_args!("<g>"));
            svg.tooltip(&tooltip(exchange));
            // Without it only what is painted could be pointed at.
            svg.line(format_args!(
                r#"<rect x="12" y="{}" width="{}" height="{ROW_HEIGHT}" fill-opacity="0"/>"#,
                y - ROW_HEIGHT / 2,
                WIDTH - 20
            ));
            match exchange.link.nth() {
                0 => {}
                1 => svg.mark(Mark::New, LINE, y, self.colour),
                _ => svg.mark(Mark::Reused, LINE, y, self.colour),
            }
            self.draw_label(svg, exchange, y);
            draw_bar(svg, exchange, scale, y);
            svg.line(format_args!("</g>"));
        }
    }

    fn draw_head(&self, svg: &mut Svg) {
        let (name, details) = match (self.connection, self.exchanges.first()) {
            (Some(connection), Some(first)) => (format!("connection {connection}"), self.details(first)),
            _ => ("no connection".to_owned(), String::new()),
        };
        svg.line(format_args!(
            r#"<text x="22" y="{}" fill="{MUTED}"><tspan fill="{}" font-weight="600">{name}</tspan> <tspan dx="6">{}</tspan></text>"#,
            self.top + 18,
            self.colour,
            escaped(&details)
        ));
    }

    /// Where the connection leads, and how often it was reused: also by exchanges that are not shown.
    fn details(&self, first: &Exchange) -> String {
        let mut details = origin(&first.url).to_owned();
        if let Some(peer) = first.peer.map(|peer| peer.to_string()).filter(|peer| !details.ends_with(peer)) {
            details += &format!(" at {peer}");
        }
        if let Link::Reused(_, 1) = first.link {
            details += ", opened ahead";
        }
        let last_nth = self.exchanges.last().map_or(0, |last| last.link.nth());
        match last_nth.saturating_sub(1) {
            0 => details + ", not reused",
            1 => details + ", reused once",
            times => details + &format!(", reused {times} times"),
        }
    }

    /// The line that the marks are on, and the steps from each bar to the next: between them it was idle.
    fn draw_line(&self, svg: &mut Svg, scale: &Scale) {
        if self.connection.is_none() {
            return;
        }
        let (first, last) = (self.row_middle(0), self.row_middle(self.exchanges.len() - 1));
        let colour = self.colour;
        svg.line(format_args!(
            r#"<line x1="{LINE}" y1="{first}" x2="{LINE}" y2="{last}" stroke="{colour}" stroke-width="2"/>"#
        ));
        for (row, pair) in self.exchanges.windows(2).enumerate() {
            let (from, to) = (Span::of(pair[0], scale).end, Span::of(pair[1], scale).unblocked);
            let (y1, y2) = (self.row_middle(row), self.row_middle(row + 1));
            svg.line(format_args!(
                r#"<path d="M{from:.1} {y1}H{to:.1}V{y2}" fill="none" stroke="{colour}" stroke-opacity="0.5"/>"#
            ));
        }
    }

    fn draw_label(&self, svg: &mut Svg, exchange: &Exchange, y: u32) {
        let url = &exchange.url;
        let is_elsewhere = self.exchanges.first().is_some_and(|first| origin(&first.url) != origin(url));
        let place = if is_elsewhere || self.connection.is_none() { without_query(url) } else { url.path() };
        let more = if url.query().is_some() { "?\u{2026}" } else { "" };
        let label = shortened(&format!("{} {place}{more}", exchange.method), LABEL_CHARS_MAX);
        let mono = format!(r#"font-family="{MONO}""#);
        svg.text(f64::from(LABEL), y + 4, &mono, INK, &label);
        let (status, _) = exchange.status();
        let has_failed = matches!(exchange.outcome, Outcome::Failed { .. });
        let (text, colour) = match status {
            0 if has_failed => ("error".to_owned(), RED),
            0 => ("\u{2026}".to_owned(), MUTED),
            _ if has_failed || status >= 400 => (status.to_string(), RED),
            300..=399 => (status.to_string(), BLUE),
            _ => (status.to_string(), INK),
        };
        let style = format!(r#"{mono} font-weight="600" text-anchor="end""#);
        svg.text(f64::from(STATUS_END), y + 4, &style, colour, &text);
    }
}

/// From where to where a bar goes, and where it is no longer blocked.
struct Span {
    start: f64,
    unblocked: f64,
    end: f64,
}

impl Span {
    fn of(exchange: &Exchange, scale: &Scale) -> Span {
        let (started, phases) = (micros(exchange.started).saturating_sub(scale.start), exchange.phases());
        let start = scale.x(started);
        let unblocked = scale.x(started + phases.of(Phase::Blocked).unwrap_or(0));
        Span { start, unblocked, end: scale.x(started + phases.total()).max(start + BAR_WIDTH_MIN) }
    }
}

fn draw_bar(svg: &mut Svg, exchange: &Exchange, scale: &Scale, y: u32) {
    let span = Span::of(exchange, scale);
    let phases = exchange.phases();
    let longest = PHASES.iter().max_by_key(|(phase, ..)| phases.of(*phase));
    if let Some((.., colour)) = longest.filter(|_| scale.x(phases.total()) - scale.x(0) < BAR_WIDTH_MIN) {
        svg.bar(span.start, span.end, y, BAR_HEIGHT, colour);
    } else {
        let mut at = micros(exchange.started).saturating_sub(scale.start);
        for (phase, _, colour) in PHASES {
            let took = phases.of(phase).unwrap_or(0);
            let height = if phase == Phase::Blocked { BAR_HEIGHT / 3 } else { BAR_HEIGHT };
            if took > 0 {
                svg.bar(scale.x(at), scale.x(at + took), y, height, colour);
            }
            at += took;
        }
    }
    let took = Time(phases.total()).to_string();
    let (note, colour) = match &exchange.outcome {
        Outcome::Complete => (took, MUTED),
        Outcome::UnderWay => (format!("{took}, under way"), MUTED),
        Outcome::LeftUnread => (format!("{took}, left unread"), MUTED),
        Outcome::Failed { what, .. } => (format!("{took}, {}", without_request(what, exchange)), RED),
    };
    draw_note(svg, &span, y, &note, colour);
}

/// The text beside a bar: behind it if there is room, else before it, if there is more.
fn draw_note(svg: &mut Svg, bar: &Span, y: u32, note: &str, colour: &str) {
    let (before, behind) = (bar.start - f64::from(CHART.start), f64::from(TEXT_END) - bar.end);
    let chars = |room: f64| ((room - 8.0) / NOTE_CHAR_WIDTH).max(0.0) as usize;
    let is_behind = note.chars().count() <= chars(behind) || behind >= before;
    let (x, room, anchor) = if is_behind { (bar.end + 6.0, behind, "start") } else { (bar.start - 6.0, before, "end") };
    // A line that passes under it must not strike it out.
    let halo = format!(r#"stroke="{CARD}" stroke-width="3" paint-order="stroke""#);
    let style = format!(r#"font-size="11" text-anchor="{anchor}" {halo}"#);
    svg.text(x, y + 4, &style, colour, &shortened(note, chars(room)));
}

/// The text of an error without what the row says already: which request it was, and to whom.
fn without_request<'w>(what: &'w str, exchange: &Exchange) -> &'w str {
    let is_request = |text: &str| {
        let peer = exchange.peer.map(|peer| peer.to_string());
        text.starts_with(&exchange.method) || peer.is_some_and(|peer| text.starts_with(&peer))
    };
    match what.rsplit_once(" (") {
        Some((before, request)) if is_request(request) => before,
        _ => what,
    }
}

/// What is shown of a row that is pointed at.
fn tooltip(exchange: &Exchange) -> Vec<String> {
    let (status, reason) = exchange.status();
    let mut lines = vec![format!("{} {}", exchange.method, without_query(&exchange.url))];
    match &exchange.outcome {
        Outcome::Failed { what, .. } => lines.push(what.clone()),
        _ if status == 0 => {}
        _ => lines.push(format!("{status} {reason}")),
    }
    match exchange.link {
        Link::None => {}
        Link::Opened(connection) => lines.push(format!("on connection {connection}, which was opened for it")),
        Link::Reused(connection, 1) => lines.push(format!("on connection {connection}, which was opened ahead")),
        Link::Reused(connection, nth) => lines.push(format!("on connection {connection}, its exchange {nth}")),
    }
    let phases = exchange.phases();
    for (phase, name, _) in PHASES {
        lines.extend(phases.of(phase).map(|took| format!("{name} {}", Time(took))));
    }
    lines
}

/// Scheme, host and port.
fn origin(url: &Url) -> &str {
    &url[..Position::BeforePath]
}

fn without_query(url: &Url) -> &str {
    &url[..Position::AfterPath]
}

/// The first characters, with an ellipsis for the rest.
fn shortened(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(['\u{2026}']).collect()
}

/// Microseconds, in three digits or a little more.
struct Time(u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            0..1_000 => (1, "\u{b5}s"),
            1_000..1_000_000 => (1_000, "ms"),
            _ => (1_000_000, "s"),
        };
        let whole = self.0 / unit;
        let hundredths = self.0 % unit * 100 / unit;
        match (whole, hundredths) {
            (0, _) => f.write_str("0"),
            (_, 0) | (100.., _) => write!(f, "{whole} {name}"),
            (_, _) if whole >= 10 || hundredths % 10 == 0 => write!(f, "{whole}.{} {name}", hundredths / 10),
            _ => write!(f, "{whole}.{hundredths:02} {name}"),
        }
    }
}

#[derive(Clone, Copy)]
enum Mark {
    /// A ring.
    New,
    /// A dot.
    Reused,
}

/// The text of the picture, an element on each line.
#[derive(Default)]
struct Svg(String);

impl Svg {
    fn line(&mut self, element: fmt::Arguments<'_>) {
        let _ = writeln!(self.0, "{element}"); // a String takes anything
    }

    fn text(&mut self, x: f64, y: u32, style: &str, colour: &str, text: &str) {
        let space = if style.is_empty() { "" } else { " " };
        self.line(format_args!(r#"<text x="{x:.1}" y="{y}"{space}{style} fill="{colour}">{}</text>"#, escaped(text)));
    }

    fn tooltip(&mut self, lines: &[String]) {
        let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
        self.line(format_args!("<title>{}</title>", lines.join("\n")));
    }

    fn bar(&mut self, start: f64, end: f64, middle: u32, height: u32, colour: &str) {
        let (top, width) = (middle - height / 2, end - start);
        self.line(format_args!(
            r#"<rect x="{start:.2}" y="{top}" width="{width:.2}" height="{height}" fill="{colour}"/>"#
        ));
    }

    fn mark(&mut self, mark: Mark, x: u32, y: u32, colour: &str) {
        let fill = match mark {
            Mark::New => CARD,
            Mark::Reused => colour,
        };
        self.line(format_args!(
            r#"<circle cx="{x}" cy="{y}" r="4.5" fill="{fill}" stroke="{colour}" stroke-width="2"/>"#
        ));
    }
}

/// Text that stands between tags (XML 1.0 §2.4). What is no character there is replaced (§2.2).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_thousand_exchanges_are_drawn_and_the_first_are_left_out() {
        let exchange = |number: usize| {
            let url = Url::parse(&format!("http://a.test/{number}")).unwrap();
            Exchange::new("GET", &url, Duration::from_millis(number as u64))
        };
        let exchanges: Vec<Exchange> = (0..=ROWS_MAX).map(exchange).collect();
        let whole = draw(&exchanges[1..]);
        assert!(whole.contains(">1000 exchanges on 0 connections in 999 ms<"));
        let cut = draw(&exchanges);
        assert!(cut.contains(">The last 1000 exchanges of 1001 on 0 connections in 999 ms<"));
        assert_eq!(cut.matches("<title>").count(), ROWS_MAX);
        assert!(!cut.contains("a.test/0<") && cut.contains("a.test/1<") && cut.contains("a.test/1000<"));
    }

    #[test]
    fn times_are_short() {
        let cases = [
            (0, "0"),
            (7, "7 \u{b5}s"),
            (999, "999 \u{b5}s"),
            (1_000, "1 ms"),
            (1_050, "1.05 ms"),
            (1_500, "1.5 ms"),
            (12_345, "12.3 ms"),
            (123_999, "123 ms"),
            (1_000_000, "1 s"),
            (2_500_000, "2.5 s"),
            (90_000_000, "90 s"),
            (3_600_000_000, "3600 s"),
        ];
        for (micros, want) in cases {
            assert_eq!(Time(micros).to_string(), want);
        }
    }

    #[test]
    fn ticks_are_round_and_not_too_many_at_any_length() {
        for exponent in 0..61 {
            for length in [1_u64 << exponent, (1 << exponent) + 1, (1 << exponent) * 7 / 5] {
                let scale = Scale { start: 0, length };
                let step = scale.step();
                let ticks = length / step;
                assert!(ticks <= TICKS_MAX && (ticks >= 3 || step == 1), "{length}: {ticks} of {step}");
                let digits = step.to_string();
                assert!(["1", "2", "5"].contains(&digits.trim_end_matches('0')), "{length}: {step}");
            }
        }
        assert!(Scale { start: 0, length: u64::MAX }.step() > 0);
    }

    #[test]
    fn what_is_too_long_is_cut_at_a_character() {
        assert_eq!(shortened("abc", 3), "abc");
        assert_eq!(shortened("\u{e4}bcd", 3), "\u{e4}b\u{2026}");
        assert_eq!(shortened("ab", 0), "\u{2026}");
    }

    #[test]
    fn text_is_escaped_for_xml() {
        assert_eq!(escaped("a<b>&\"'\u{1}\u{ffff}\n"), "a&lt;b&gt;&amp;\"'\u{fffd}\u{fffd}\u{fffd}");
    }
}
