//! Rows of the waterfall: what each says, and where its bar lies.

use std::collections::HashSet;

use storage::SpanId;

use super::columns::{Heading, headings};
use super::fold::{Line, Plan, WINDOW};
use super::wanted::MAX_EXCEPTIONS;
use super::{LogMarks, Scene, Tick};
use crate::view::colour::Chip;
use crate::view::format;
use crate::view::logs;

mod group;
mod log_lines;
mod marks;

pub(crate) use self::group::Group;
pub(crate) use self::log_lines::LogLine;
use self::marks::{kind_icon, pill, severity, stretches};

/// The rows in view and the ways to the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waterfall {
    pub(crate) rows: Vec<Row>,
    /// Rows in all, folded ones left out.
    pub(crate) total: usize,
    /// Rows as a grid counts them: with the heading, and log records between rows. `None` where those of other rows are not known.
    pub(crate) count: Option<usize>,
    /// Whether only a part of them is in `rows`.
    pub(crate) is_windowed: bool,
    /// `rows 1–100 of 1,318 (50,213 spans)`.
    pub(crate) position: String,
    /// Addresses of the rows before and after; empty at the ends.
    pub(crate) before: String,
    pub(crate) after: String,
    /// The rows from the first one of the window of time, when none of those in view is of it; else empty.
    pub(crate) inside: String,
    /// Why there are no rows.
    pub(crate) nothing: &'static str,
    /// Columns that the reader added.
    pub(crate) columns: Vec<Heading>,
    /// Labels of the axis.
    pub(crate) ticks: Vec<Tick>,
    /// How many log records of these rows stand between them when that is not all, and where all of the trace are.
    pub(crate) logs: Option<(String, String)>,
}

/// One span, or many similar ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) id: String,
    /// From 1, over all rows.
    pub(crate) index: usize,
    /// The number of the row that it stands below; 0 for none.
    pub(crate) above: usize,
    /// Whether it is the one that the reader comes from.
    pub(crate) is_near: bool,
    /// As a grid counts them; log records below it have the numbers that follow.
    pub(crate) number: Option<usize>,
    /// From 1.
    pub(crate) level: usize,
    /// Indentation, at most [`MAX_INDENT`].
    pub(crate) indent: usize,
    /// Levels beyond that; zero for none.
    pub(crate) beyond: usize,
    pub(crate) chip: Chip,
    /// Class that colours the bar.
    pub(crate) colour: String,
    /// Whether the service is another than that of the row above it in the tree.
    pub(crate) names_service: bool,
    pub(crate) name: String,
    /// Whether the name breaks into lines where there is little room.
    pub(crate) is_long: bool,
    /// Whether it is one word in parts, such as `com.example.Ledger.find`, of which the last ones say most.
    pub(crate) is_qualified: bool,
    pub(crate) kind: &'static str,
    /// `200`, `SELECT`; empty for none.
    pub(crate) pill: String,
    pub(crate) is_error: bool,
    /// The code of a failed call that was answered; empty for what failed otherwise.
    pub(crate) answer: String,
    pub(crate) has_error_below: bool,
    pub(crate) is_critical: bool,
    pub(crate) is_match: bool,
    /// Whether it steps back behind the matches.
    pub(crate) is_dim: bool,
    pub(crate) is_chosen: bool,
    /// Whether its times were moved.
    pub(crate) is_moved: bool,
    /// That its clock contradicts its caller's, in words, and the address of the picture by the other times; empty when it does not.
    pub(crate) clock: (String, String),
    /// `None` for a span without children.
    pub(crate) is_open: Option<bool>,
    /// Spans below.
    pub(crate) below: String,
    pub(crate) toggle: String,
    pub(crate) href: String,
    pub(crate) links: usize,
    pub(crate) duration: String,
    pub(crate) exact: String,
    /// What the bar shows, in words.
    pub(crate) words: String,
    pub(crate) bar: Bar,
    /// What stands in the columns that the reader added.
    pub(crate) cells: Vec<(&'static str, String)>,
    /// Totals of similar spans.
    pub(crate) group: Option<Group>,
    /// Log records as rows below.
    pub(crate) logs: Vec<LogLine>,
    /// How many more the span has, and where; empty for none.
    pub(crate) more_logs: (String, String),
}

/// Percentages of the axis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) x: String,
    pub(crate) width: String,
    /// `◂` or `▸` when all of it lies outside of what is shown.
    pub(crate) outside: &'static str,
    /// Where the duration is written, and at which of its ends.
    pub(crate) label_x: String,
    pub(crate) label_anchor: &'static str,
    /// Path data in units of `marks`: stretches on the critical path.
    pub(crate) critical: String,
    /// Position, class and title of events and log records.
    pub(crate) dots: Vec<(String, &'static str, String)>,
}

/// Lays out the rows in view.
pub(crate) fn waterfall(scene: &Scene, plan: &Plan) -> Waterfall {
    let above = scene.chosen.map(|chosen| scene.sheet.ancestors(chosen).into_iter().collect()).unwrap_or_default();
    let context = Context { scene, matches: in_view(scene, plan), near: plan.near, above };
    let mut rows: Vec<Row> = plan.lines.iter().enumerate().filter_map(|(row, line)| context.row(plan.first + row, line)).collect();
    let logs = if scene.wanted.marks == LogMarks::Rows { log_lines::fill(scene, plan, &mut rows) } else { None };
    if scene.wanted.is_dim && !scene.matches.is_empty() {
        rows.iter_mut().for_each(|row| row.is_dim = !row.is_match);
    }
    let (at, until, total) = (plan.first, plan.first + plan.lines.len(), plan.total);
    let is_countable = scene.wanted.marks != LogMarks::Rows || plan.lines.len() == total;
    let count = is_countable.then(|| total - rows.len() + numbered(&mut rows, at + 2));
    // With the chosen span, which decides on what is folded: rows keep their numbers from window to window.
    let page = |row: usize| scene.here().with("at", &row.to_string()).href();
    Waterfall {
        is_windowed: plan.lines.len() < total,
        position: format!(
            "rows {}–{} of {} ({} spans)",
            format::exact(at as u64 + 1),
            format::exact(until as u64),
            format::exact(total as u64),
            format::exact((scene.sheet.spans.len() - scene.hidden()) as u64)
        ),
        before: if at > 0 { page(at.saturating_sub(WINDOW)) } else { String::new() },
        after: if until < total { page(until) } else { String::new() },
        inside: plan.inside.map(page).unwrap_or_default(),
        nothing: if scene.hidden() == scene.sheet.spans.len() { "Every span is hidden." } else { "No span passes this filter." },
        columns: headings(scene),
        ticks: scene.axis.ticks(),
        logs,
        rows,
        total,
        count,
    }
}

/// Gives rows their numbers, and says how many there are with the heading and what stands between them.
fn numbered(rows: &mut [Row], first: usize) -> usize {
    let mut next = first;
    for row in rows.iter_mut() {
        row.number = Some(next);
        next += 1 + row.logs.len() + usize::from(!row.more_logs.0.is_empty());
    }
    next - first + 1
}

/// The matches among the spans in view.
fn in_view(scene: &Scene, plan: &Plan) -> HashSet<usize> {
    let sheet = &scene.sheet;
    let is_match = |place: &usize| scene.matches.binary_search_by_key(&sheet.rank(*place), |known| sheet.rank(*known)).is_ok();
    if scene.matches.is_empty() {
        return HashSet::new();
    }
    plan.lines.iter().flat_map(|line| std::iter::once(&line.place).chain(&line.group)).copied().filter(is_match).collect()
}

struct Context<'a> {
    scene: &'a Scene,
    matches: HashSet<usize>,
    near: Option<usize>,
    /// The spans above the chosen one.
    above: HashSet<usize>,
}

impl Context<'_> {
    fn row(&self, index: usize, line: &Line) -> Option<Row> {
        let (scene, sheet, place) = (self.scene, &self.scene.sheet, line.place);
        let brief = sheet.spans.get(place)?;
        let id = brief.span_id.to_string();
        let (above, below) = (scene.above(place), scene.below(place));
        // In a trace of one service colours tell operations, that of its letters too.
        let colour = scene.colour(place);
        let mut row = Row {
            index: index + 1,
            above: line.above.map_or(0, |above| above + 1),
            is_near: self.near == Some(index),
            cells: scene.wanted.columns.cells(scene, line),
            level: line.level + 1,
            indent: line.level.min(MAX_INDENT),
            beyond: line.level.saturating_sub(MAX_INDENT),
            chip: Chip { class: colour.clone(), ..scene.palette.chip(sheet.service(place)) },
            colour,
            names_service: line.level == 0 || above.is_none_or(|above| sheet.service(above) != sheet.service(place)),
            name: format::name(sheet.name(place)),
            kind: kind_icon(brief.kind, scene.details.get(&place)),
            is_error: brief.is_error(),
            ..Row::default()
        };
        row.is_long = row.name.chars().count() > LONG;
        row.is_qualified = row.is_long && !row.name.contains(' ');
        if !line.group.is_empty() {
            self.fill_group(&mut row, line);
            return Some(row);
        }
        row.has_error_below = sheet.errors_below(place) > 0;
        row.is_critical = sheet.is_critical(place);
        row.is_match = self.matches.contains(&place);
        row.is_chosen = scene.chosen == Some(place);
        row.is_moved = scene.offsets.get(place).is_some_and(|moved| *moved != 0);
        row.clock = self.clock(place);
        row.is_open = (below > 0).then_some(line.is_open);
        row.below = format::count(below as u64);
        row.toggle = if below > 0 { self.toggle((place, brief.span_id), line.is_open) } else { String::new() };
        row.href = scene.here().with("span", &id).with("at", "").href();
        row.duration = format::duration(brief.duration());
        row.exact =
            format!("{} · {} of the trace", format::exact_nanos(brief.duration()), format::percent(brief.duration(), scene.axis.whole));
        row.words = self.words(place, row.is_critical);
        if let Some(span) = scene.details.get(&place) {
            // A name such as `GET /cart` says it already.
            row.pill = Some(pill(span)).filter(|pill| !row.name.split(' ').any(|word| word.eq_ignore_ascii_case(pill))).unwrap_or_default();
            row.links = span.links.len();
            row.answer = scene.answer(place);
        }
        row.bar = self.bar(place);
        row.id = id;
        Some(row)
    }

    /// What is said of the clock of a span that contradicts its caller's.
    fn clock(&self, place: usize) -> (String, String) {
        let (scene, sheet) = (self.scene, &self.scene.sheet);
        let jumps = &sheet.skew().jumps;
        // They are in the order of rows.
        let found = jumps.binary_search_by_key(&sheet.rank(place), |jump| sheet.rank(jump.server)).ok().and_then(|at| jumps.get(at));
        let Some(jump) = found else { return (String::new(), String::new()) };
        let by = format::duration(jump.delta.unsigned_abs());
        let direction = if jump.delta > 0 { "behind" } else { "ahead of" };
        let said = format!("this clock seems {by} {direction} that of {}", format::line(sheet.service(jump.client), 60));
        match (jump.applied, scene.wanted.is_adjusted) {
            (false, _) => (said, String::new()),
            (true, false) => (format!("{said}; show corrected times"), scene.here().with("skew", "adjust").href()),
            (true, true) => (format!("{said}, and is corrected; show times as sent"), scene.here().with("skew", "").href()),
        }
    }

    fn words(&self, place: usize, is_critical: bool) -> String {
        let (scene, sheet) = (self.scene, &self.scene.sheet);
        let mut words =
            format!("starts at {}, own time {}", format::duration(scene.offset(place)), format::duration(sheet.self_time(place)));
        if is_critical {
            words.push_str(", on the critical path");
        }
        words
    }

    fn bar(&self, place: usize) -> Bar {
        let (scene, axis) = (self.scene, &self.scene.axis);
        let Some(brief) = scene.sheet.spans.get(place) else { return Bar::default() };
        let offset = scene.offset(place);
        let end = offset.saturating_add(brief.duration());
        if !axis.shows(offset, end) {
            let is_before = end < axis.from;
            return Bar {
                outside: if is_before { "◂" } else { "▸" },
                label_x: if is_before { "0" } else { "100" }.to_owned(),
                ..Bar::default()
            };
        }
        let (left, right) = (axis.share(offset), axis.share(end));
        // The label stands where there is room: after the bar, before it, or inside.
        let (label_x, label_anchor) = if right < 0.86 {
            (axis.x(end), "after")
        } else if left > 0.14 {
            (axis.x(offset), "before")
        } else {
            (axis.x(end), "inside")
        };
        let moved = |time: storage::UnixNanos| offset.saturating_add(time.since(brief.start));
        let sections = scene.sheet.sections(place).iter().map(|section| (moved(section.from), moved(section.to)));
        let critical = sections.filter(|(from, to)| axis.shows(*from, *to));
        Bar {
            x: axis.x(offset),
            width: axis.width(offset, end),
            outside: "",
            label_x,
            label_anchor,
            critical: stretches(axis, critical),
            dots: self.dots(place),
        }
    }

    fn dots(&self, place: usize) -> Vec<(String, &'static str, String)> {
        let (scene, axis) = (self.scene, &self.scene.axis);
        let mut dots: Vec<(String, &'static str, String)> = Vec::new();
        let since = |time: storage::UnixNanos| scene.since(place, time);
        let events = scene.details.get(&place).map(|span| span.events.as_slice()).unwrap_or_default();
        for event in events.iter().filter(|event| axis.shows(since(event.time), since(event.time))).take(MAX_DOTS / 2) {
            let class = if event.name == "exception" { "dot-error" } else { "dot-event" };
            dots.push((axis.x(since(event.time)), class, format::line(&event.name, 80)));
        }
        if scene.wanted.marks == LogMarks::Dots {
            let records = scene.records(place).filter(|record| axis.shows(since(record.time), since(record.time)));
            for record in records.take(MAX_DOTS - dots.len()) {
                let (class, _) = severity(record.severity_number);
                dots.push((axis.x(since(record.time)), class, format::line(&logs::body(&record.body, &record.event_name), 120)));
            }
        }
        dots
    }

    /// Folds or unfolds one span; the address names only what differs from the rule.
    fn toggle(&self, (place, id): (usize, SpanId), is_open: bool) -> String {
        let wanted = &self.scene.wanted;
        let open = exceptions(&wanted.open, id, !is_open);
        let closed = exceptions(&wanted.closed, id, is_open);
        let hides = is_open && self.above.contains(&place);
        self.folded(&id.to_string(), &[("open", open.as_str()), ("closed", closed.as_str())], hides)
    }

    /// The page with a row folded in another way, which stays in view: the row by its id without the letter of rows. The chosen span stays
    /// chosen unless that `hides` its row.
    fn folded(&self, row: &str, changes: &[(&str, &str)], hides: bool) -> String {
        let address = changes.iter().fold(self.scene.here(), |address, (name, value)| address.with(name, value));
        let address = if hides { address.with("span", "").with("tab", "") } else { address };
        format!("{}#s{row}", address.with("at", "").with("near", row).href())
    }
}

/// A list of ids with one more or one less. Addresses stay short: the oldest are forgotten.
fn exceptions(known: &[SpanId], id: SpanId, add: bool) -> String {
    let kept = known.iter().copied().filter(|known| *known != id);
    let ids: Vec<String> = kept.chain(add.then_some(id)).map(|id| id.to_string()).collect();
    ids.get(ids.len().saturating_sub(MAX_EXCEPTIONS)..).unwrap_or_default().join(",")
}

/// Deeper rows are not indented further.
pub(super) const MAX_INDENT: usize = 24;

/// Longer names may be wider than a narrow screen.
const LONG: usize = 24;

/// Dots on one bar.
const MAX_DOTS: usize = 8;
