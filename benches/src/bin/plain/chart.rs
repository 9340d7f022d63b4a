//! The table as a picture: for each work a bar per client that can do it, as long as it takes against `raw`. What only
//! longwire can do is left to the table.
//!
//! Plain SVG with the system's fonts. It has a ground of its own, light or dark as the reader prefers,
//! so that it can be read on any page.

use std::fmt::Write;

use longwire_benches::table::Results;
use longwire_benches::work::Work;

use crate::clients::SOUND;
use crate::works;

const COLUMNS: usize = 2;
const COLUMN_WIDTH: usize = 414;
const NAME_WIDTH: usize = 66;
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
    .bar{fill:#9aa4b2}.sound-bar{fill:#ccd2da}.own-bar{fill:#d9480f}.raw{stroke:#111;stroke-dasharray:2 2}\
    @media(prefers-color-scheme:dark){.ground{fill:#0d1117}text{fill:#b8c0cc}.work,.own{fill:#f0f3f6}\
    .bar{fill:#5b6675}.sound-bar{fill:#3a424d}.own-bar{fill:#ff922b}.raw{stroke:#f0f3f6}}";

/// A work, and how long those take that can do it.
struct Group {
    title: &'static str,
    bars: Vec<(&'static str, f64)>,
}

impl Group {
    fn height(&self) -> usize {
        TITLE_HEIGHT + self.bars.len() * STEP + GAP
    }
}

pub fn draw(results: &Results) -> String {
    let columns = columns(groups(results));
    let heights = columns.iter().map(|column| column.iter().map(Group::height).sum::<usize>());
    let (width, height) = (MARGIN + COLUMNS * COLUMN_WIDTH, TOP + heights.max().unwrap_or(0));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"Wall-clock time of each client relative to a bare socket loop\">\n\
         <style>{STYLE}</style>\n<rect class=\"ground\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\n\
         <text x=\"{MARGIN}\" y=\"20\">Wall-clock time relative to a bare socket loop (dashed line, 1.00): shorter is better. \
         {SOUND}: a loop as sound as a library.</text>\n"
    );
    for (index, column) in columns.iter().enumerate() {
        let mut top = TOP;
        for group in column {
            draw_group(&mut svg, group, MARGIN + index * COLUMN_WIDTH, top);
            top += group.height();
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn groups(results: &Results) -> Vec<Group> {
    let works = results.works.iter().enumerate().filter(|(_, work)| works::probe_after(work).is_none());
    let group = |(row, work): (usize, &&'static Work)| {
        let others = results.clients.iter().enumerate().skip(1);
        let bars = others.filter_map(|(client, name)| Some((*name, results.wall(row, client)?.median)));
        Group { title: work.title, bars: bars.collect() }
    };
    works.map(group).collect()
}

/// In their order, each column about as high as the others.
fn columns(groups: Vec<Group>) -> [Vec<Group>; COLUMNS] {
    let whole: usize = groups.iter().map(Group::height).sum();
    let mut columns = [const { Vec::new() }; COLUMNS];
    let mut above = 0;
    for group in groups {
        let height = group.height();
        columns[(above + height / 2) * COLUMNS / whole].push(group);
        above += height;
    }
    columns
}

fn draw_group(svg: &mut String, group: &Group, left: usize, top: usize) {
    let _ = writeln!(svg, "<text class=\"work\" x=\"{left}\" y=\"{}\">{}</text>", top + 12, group.title);
    for (place, (name, ratio)) in group.bars.iter().enumerate() {
        draw_bar(svg, name, *ratio, left, top + TITLE_HEIGHT + place * STEP);
    }
    let (x, from) = (left as f64 + NAME_WIDTH as f64 + BAR_WIDTH / RATIO_MAX, top + TITLE_HEIGHT - 2);
    let to = from + group.bars.len() * STEP;
    let _ = writeln!(svg, "<line class=\"raw\" x1=\"{x}\" x2=\"{x}\" y1=\"{from}\" y2=\"{to}\"/>");
}

fn draw_bar(svg: &mut String, name: &str, ratio: f64, left: usize, y: usize) {
    let (text, bar) = match name {
        "longwire" => (" class=\"own\"", "own-bar"),
        SOUND => ("", "sound-bar"),
        _ => ("", "bar"),
    };
    let x = left + NAME_WIDTH;
    let length = ratio.min(RATIO_MAX) * BAR_WIDTH / RATIO_MAX;
    let figure = if ratio > RATIO_MAX { format!("{ratio:.1} \u{2192}") } else { format!("{ratio:.2}") };
    let base = y + BAR_HEIGHT - 1;
    let _ = writeln!(svg, "<text{text} x=\"{}\" y=\"{base}\" text-anchor=\"end\">{name}</text>", x - 5);
    let _ = writeln!(
        svg,
        "<rect class=\"{bar}\" x=\"{x}\" y=\"{y}\" width=\"{length:.1}\" height=\"{BAR_HEIGHT}\" rx=\"1\"/>"
    );
    // Not across the dashed line.
    let line = BAR_WIDTH / RATIO_MAX;
    let end = if (line - FIGURE_WIDTH..line).contains(&length) { line } else { length };
    let _ = writeln!(svg, "<text{text} x=\"{:.1}\" y=\"{base}\">{figure}</text>", x as f64 + end + 5.0);
}
