//! The table as a picture: for each work a bar per client, as long as it takes against `raw`.
//!
//! Plain SVG with the system's fonts. It has a ground of its own, light or dark as the reader prefers,
//! so that it can be read on any page.

use std::fmt::Write;

use longwire_benches::table::Results;

use crate::clients::NAMES;

const COLUMNS: usize = 2;
const COLUMN_WIDTH: usize = 410;
const NAME_WIDTH: usize = 62;
const BAR_WIDTH: f64 = 280.0;
const BAR_HEIGHT: usize = 9;
const FIGURE_WIDTH: f64 = 30.0;
const STEP: usize = 12;
const TITLE_HEIGHT: usize = 20;
const GAP: usize = 14;
const TOP: usize = 36;
const MARGIN: usize = 12;

/// What takes longer than this has a bar that is cut; its figure says how long it is.
const RATIO_MAX: f64 = 5.0;

const STYLE: &str = ".ground{fill:#fff}text{font:10px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#444}\
    .work{font-size:12px;font-weight:600;fill:#111}.own{font-weight:600;fill:#111}\
    .bar{fill:#9aa4b2}.own-bar{fill:#d9480f}.raw{stroke:#111;stroke-dasharray:2 2}\
    @media(prefers-color-scheme:dark){.ground{fill:#0d1117}text{fill:#b8c0cc}.work,.own{fill:#f0f3f6}\
    .bar{fill:#5b6675}.own-bar{fill:#ff922b}.raw{stroke:#f0f3f6}}";

pub fn draw(results: &Results) -> String {
    let group = TITLE_HEIGHT + (NAMES.len() - 1) * STEP + GAP;
    let rows = results.works.len().div_ceil(COLUMNS);
    let (width, height) = (MARGIN + COLUMNS * COLUMN_WIDTH, TOP + rows * group);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"Wall-clock time of each client relative to a bare socket loop\">\n\
         <style>{STYLE}</style>\n<rect class=\"ground\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\n\
         <text x=\"{MARGIN}\" y=\"20\">Wall-clock time relative to a bare socket loop (dashed line, 1.00): shorter is better.</text>\n"
    );
    for (index, work) in results.works.iter().enumerate() {
        let (left, top) = (MARGIN + index / rows * COLUMN_WIDTH, TOP + index % rows * group);
        let _ = writeln!(svg, "<text class=\"work\" x=\"{left}\" y=\"{}\">{}</text>", top + 12, work.title);
        for (client, name) in NAMES.iter().enumerate().skip(1) {
            let ratio = results.wall(index, client).map(|ratio| ratio.median);
            draw_bar(&mut svg, name, ratio, left, top + TITLE_HEIGHT + (client - 1) * STEP);
        }
        let (x, from) = (left as f64 + NAME_WIDTH as f64 + BAR_WIDTH / RATIO_MAX, top + TITLE_HEIGHT - 2);
        let to = from + (NAMES.len() - 1) * STEP;
        let _ = writeln!(svg, "<line class=\"raw\" x1=\"{x}\" x2=\"{x}\" y1=\"{from}\" y2=\"{to}\"/>");
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw_bar(svg: &mut String, name: &str, ratio: Option<f64>, left: usize, y: usize) {
    let (text, bar) = if name == "longwire" { (" class=\"own\"", "own-bar") } else { ("", "bar") };
    let x = left + NAME_WIDTH;
    let length = ratio.unwrap_or(0.0).min(RATIO_MAX) * BAR_WIDTH / RATIO_MAX;
    let figure = match ratio {
        Some(ratio) if ratio > RATIO_MAX => format!("{ratio:.1} \u{2192}"),
        Some(ratio) => format!("{ratio:.2}"),
        None => "n/a".to_owned(),
    };
    let base = y + BAR_HEIGHT - 1;
    let _ = writeln!(svg, "<text{text} x=\"{}\" y=\"{base}\" text-anchor=\"end\">{name}</text>", x - 5);
    if ratio.is_some() {
        let _ = writeln!(
            svg,
            "<rect class=\"{bar}\" x=\"{x}\" y=\"{y}\" width=\"{length:.1}\" height=\"{BAR_HEIGHT}\" rx=\"1\"/>"
        );
    }
    // Not across the dashed line.
    let line = BAR_WIDTH / RATIO_MAX;
    let end = if (line - FIGURE_WIDTH..line).contains(&length) { line } else { length };
    let _ = writeln!(svg, "<text{text} x=\"{:.1}\" y=\"{base}\">{figure}</text>", x as f64 + end + 5.0);
}
