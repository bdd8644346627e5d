//! Rows of the waterfall: which spans are shown, and where their bars lie.

use std::collections::HashSet;

use storage::{Span, SpanKind};

use super::minimap::extent;
use super::{LogMarks, Only, Scene};
use crate::view::colour::Chip;
use crate::view::format;
use crate::view::logs;

/// The rows in view and the ways to the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waterfall {
    pub(crate) rows: Vec<Row>,
    /// Rows in all, folded ones left out.
    pub(crate) total: usize,
    /// Whether only a part of them is in `rows`.
    pub(crate) is_windowed: bool,
    /// `rows 1–200 of 1,318 (50,213 spans)`.
    pub(crate) position: String,
    /// Addresses of the rows before and after; empty at the ends.
    pub(crate) before: String,
    pub(crate) after: String,
    /// Labels of the axis.
    pub(crate) ticks: Vec<String>,
}

/// One span.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) id: String,
    /// From 1, over all rows.
    pub(crate) index: usize,
    /// From 1.
    pub(crate) level: usize,
    /// Indentation, at most [`MAX_INDENT`].
    pub(crate) indent: usize,
    /// Levels beyond that; zero for none.
    pub(crate) beyond: usize,
    pub(crate) chip: Chip,
    /// Whether the service is another than that of the row above it in the tree.
    pub(crate) names_service: bool,
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    /// `200`, `SELECT`; empty for none.
    pub(crate) pill: String,
    pub(crate) is_error: bool,
    pub(crate) has_error_below: bool,
    pub(crate) is_critical: bool,
    pub(crate) is_match: bool,
    pub(crate) is_chosen: bool,
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
    /// Log records as rows below.
    pub(crate) logs: Vec<LogLine>,
}

/// Percentages of the axis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bar {
    pub(crate) x: String,
    pub(crate) width: String,
    /// Where the duration is written, and at which of its ends.
    pub(crate) label_x: String,
    pub(crate) label_anchor: &'static str,
    /// Left edge and width of stretches on the critical path.
    pub(crate) critical: Vec<(String, String)>,
    /// Position, class and title of events and log records.
    pub(crate) dots: Vec<(String, &'static str, String)>,
}

/// A log record between spans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogLine {
    pub(crate) x: String,
    pub(crate) class: &'static str,
    pub(crate) letter: &'static str,
    pub(crate) body: String,
    pub(crate) href: String,
    pub(crate) at: String,
}

/// Lays out the rows in view.
pub(crate) fn waterfall(scene: &Scene<'_>) -> Waterfall {
    let visible = visible(scene);
    let total = visible.len();
    let is_windowed = total > WHOLE;
    let at = if is_windowed { first_row(scene, &visible) } else { 0 };
    let until = if is_windowed { (at + WINDOW).min(total) } else { total };
    let (start, whole) = extent(scene);
    let context = Context { scene, start, whole, matches: scene.matches.iter().copied().collect() };
    let shown = visible.iter().enumerate().skip(at).take(until - at);
    let rows = shown.filter_map(|(index, (place, is_open))| context.row(index, *place, *is_open)).collect();
    let page = |row: usize| scene.here().with("at", &row.to_string()).with("span", "").href();
    let spans = format::exact(scene.trace.spans.len() as u64);
    Waterfall {
        rows,
        total,
        is_windowed,
        position: format!(
            "rows {}–{} of {} ({spans} spans)",
            format::exact(at as u64 + 1),
            format::exact(until as u64),
            format::exact(total as u64)
        ),
        before: if is_windowed && at > 0 { page(at.saturating_sub(WINDOW)) } else { String::new() },
        after: if is_windowed && until < total { page(until) } else { String::new() },
        ticks: (0..=4_u64).map(|quarter| format::duration(whole / 4 * quarter)).collect(),
    }
}

/// Places of the rows that are not folded away, and whether each is open.
fn visible(scene: &Scene<'_>) -> Vec<(usize, bool)> {
    let outline = scene.outline;
    let kept = kept(scene);
    let open = Openness::new(scene);
    let mut rows = Vec::new();
    let mut at = 0;
    while let Some(place) = outline.order.get(at).copied() {
        let below = outline.below.get(place).copied().unwrap_or(0);
        if kept.as_ref().is_some_and(|kept| !kept.contains(&place)) {
            at += 1;
            continue;
        }
        let is_open = kept.is_some() || open.is_open(place);
        rows.push((place, is_open));
        at += if is_open { 1 } else { below + 1 };
    }
    rows
}

/// With a filter: the places that pass it and all above them.
fn kept(scene: &Scene<'_>) -> Option<HashSet<usize>> {
    let outline = scene.outline;
    let passes = |place: &usize| match scene.wanted.only {
        Only::All => true,
        Only::Errors => scene.trace.spans.get(*place).is_some_and(Span::is_error),
        Only::Critical => outline.is_critical(*place),
        Only::Matches => false,
    };
    if scene.wanted.only == Only::All {
        return None;
    }
    let mut kept: HashSet<usize> = HashSet::new();
    let matches = scene.matches.iter().copied().filter(|_| scene.wanted.only == Only::Matches);
    for place in outline.order.iter().copied().filter(passes).chain(matches).chain(scene.chosen) {
        kept.insert(place);
        kept.extend(outline.ancestors(place));
    }
    Some(kept)
}

/// Which spans show their children.
struct Openness<'a> {
    scene: &'a Scene<'a>,
    open: HashSet<usize>,
    closed: HashSet<usize>,
    is_large: bool,
}

impl<'a> Openness<'a> {
    fn new(scene: &'a Scene<'a>) -> Self {
        let wanted = scene.wanted;
        let place_of = |id| scene.trace.spans.iter().position(|span| span.span_id == id);
        let mut open: HashSet<usize> = wanted.open.iter().copied().filter_map(place_of).collect();
        // What is chosen is seen, whatever is folded.
        open.extend(scene.chosen.map(|place| scene.outline.ancestors(place)).unwrap_or_default());
        let mut closed: HashSet<usize> = wanted.closed.iter().copied().filter_map(place_of).collect();
        closed.retain(|place| !open.contains(place));
        Self { scene, open, closed, is_large: scene.trace.spans.len() > LARGE }
    }

    fn is_open(&self, place: usize) -> bool {
        let outline = self.scene.outline;
        if self.open.contains(&place) {
            return true;
        }
        if self.closed.contains(&place) {
            return false;
        }
        if self.scene.wanted.is_expanded {
            return true;
        }
        let depth = outline.depth.get(place).copied().unwrap_or(0);
        if self.scene.wanted.is_collapsed {
            return depth < 1;
        }
        let leads_on = outline.errors_below.get(place).is_some_and(|errors| *errors > 0) || outline.is_critical(place);
        !self.is_large || depth < 3 || leads_on
    }
}

/// The first row of the window: as asked, else so that the chosen span is in it.
fn first_row(scene: &Scene<'_>, visible: &[(usize, bool)]) -> usize {
    let last = visible.len().saturating_sub(1);
    if let Some(at) = scene.wanted.at {
        return at.min(last);
    }
    let chosen = scene.chosen.and_then(|chosen| visible.iter().position(|(place, _)| *place == chosen));
    chosen.map_or(0, |row| row.saturating_sub(WINDOW / 2).min(visible.len().saturating_sub(WINDOW)))
}

struct Context<'a> {
    scene: &'a Scene<'a>,
    start: storage::UnixNanos,
    whole: u64,
    matches: HashSet<usize>,
}

impl Context<'_> {
    fn row(&self, index: usize, place: usize, is_open: bool) -> Option<Row> {
        let (scene, outline) = (self.scene, self.scene.outline);
        let span = scene.trace.spans.get(place)?;
        let depth = outline.depth.get(place).copied().unwrap_or(0);
        let below = outline.below.get(place).copied().unwrap_or(0);
        let above = outline.parent.get(place).copied().flatten().and_then(|parent| scene.trace.spans.get(parent));
        let offset = span.start.since(self.start);
        let self_time = outline.self_time.get(place).copied().unwrap_or(0);
        let is_critical = outline.is_critical(place);
        let mut words = format!("starts at {}, own time {}", format::duration(offset), format::duration(self_time));
        if is_critical {
            words.push_str(", on the critical path");
        }
        Some(Row {
            id: span.span_id.to_string(),
            index: index + 1,
            level: depth + 1,
            indent: depth.min(MAX_INDENT),
            beyond: depth.saturating_sub(MAX_INDENT),
            chip: scene.palette.chip(span.service_name()),
            names_service: above.is_none_or(|above| above.service_name() != span.service_name()),
            name: format::name(&span.name),
            kind: kind_icon(span),
            pill: pill(span),
            is_error: span.is_error(),
            has_error_below: outline.errors_below.get(place).is_some_and(|errors| *errors > 0),
            is_critical,
            is_match: self.matches.contains(&place),
            is_chosen: scene.chosen == Some(place),
            is_open: (below > 0).then_some(is_open),
            below: format::count(below as u64),
            toggle: if below > 0 { self.toggle(span.span_id, is_open) } else { String::new() },
            href: scene.here().with("span", &span.span_id.to_string()).href(),
            links: span.links.len(),
            duration: format::duration(span.duration()),
            exact: format!("{} · {} of the trace", format::exact_nanos(span.duration()), format::percent(span.duration(), self.whole)),
            words,
            bar: self.bar(place, span, offset),
            logs: if scene.wanted.marks == LogMarks::Rows { self.log_lines(place) } else { Vec::new() },
        })
    }

    fn bar(&self, place: usize, span: &Span, offset: u64) -> Bar {
        let end = offset.saturating_add(span.duration()).min(self.whole);
        let (left, right) = (format::ratio(offset, self.whole.max(1)), format::ratio(end, self.whole.max(1)));
        // The label stands where there is room: after the bar, before it, or inside.
        let (label_x, label_anchor) = if right < 0.86 {
            (format::position(end, self.whole), "after")
        } else if left > 0.14 {
            (format::position(offset, self.whole), "before")
        } else {
            (format::position(end, self.whole), "inside")
        };
        let x = |time: storage::UnixNanos| format::position(time.since(self.start), self.whole);
        let mut dots: Vec<(String, &'static str, String)> = Vec::new();
        for event in span.events.iter().take(MAX_DOTS) {
            let class = if event.name == "exception" { "dot-error" } else { "dot-event" };
            dots.push((x(event.time.max(self.start)), class, format::line(&event.name, 80)));
        }
        if self.scene.wanted.marks == LogMarks::Dots {
            for record in self.records(place).take(MAX_DOTS) {
                let (class, _) = severity(record.severity_number);
                dots.push((x(record.time), class, format::line(&logs::body(&record.body, &record.event_name), 120)));
            }
        }
        let width = format::position(end.saturating_sub(offset), self.whole);
        let stretches = self.scene.outline.critical.get(place).map(Vec::as_slice).unwrap_or_default();
        let critical =
            stretches.iter().take(MAX_DOTS).map(|(from, to)| (x(*from), format::position(to.since(*from), self.whole))).collect();
        Bar { x: format::position(offset, self.whole), width, label_x, label_anchor, critical, dots }
    }

    fn records(&self, place: usize) -> impl Iterator<Item = &storage::LogRecord> {
        let indexes = self.scene.by_span.get(&place).map(Vec::as_slice).unwrap_or_default();
        indexes.iter().filter_map(|index| self.scene.logs.get(*index))
    }

    fn log_lines(&self, place: usize) -> Vec<LogLine> {
        let line = |record: &storage::LogRecord| {
            let (class, letter) = severity(record.severity_number);
            LogLine {
                x: format::position(record.time.since(self.start), self.whole),
                class,
                letter,
                body: format::line(&logs::body(&record.body, &record.event_name), 300),
                href: format!(
                    "{}#r{}",
                    self.scene.here().with("view", "logs").with("row", &record.record_id.to_string()).href(),
                    record.record_id
                ),
                at: format::duration(record.time.since(self.start)),
            }
        };
        self.records(place).take(MAX_LOG_ROWS).map(line).collect()
    }

    /// Folds or unfolds one span; the address names only what differs from the rule.
    fn toggle(&self, id: storage::SpanId, is_open: bool) -> String {
        let list = |ids: &[storage::SpanId], add: bool| {
            let kept = ids.iter().filter(|known| **known != id);
            let ids = kept.copied().chain(add.then_some(id)).map(|id| id.to_string());
            // Addresses stay short: the oldest exceptions are forgotten.
            let ids: Vec<String> = ids.collect();
            ids.get(ids.len().saturating_sub(MAX_EXCEPTIONS)..).unwrap_or_default().join(",")
        };
        let wanted = self.scene.wanted;
        let address =
            self.scene.here().with("open", &list(&wanted.open, !is_open)).with("closed", &list(&wanted.closed, is_open)).with("span", "");
        format!("{}#s{id}", address.href())
    }
}

fn severity(number: i32) -> (&'static str, &'static str) {
    match number {
        17.. => ("dot-error", "E"),
        13..=16 => ("dot-warn", "W"),
        9..=12 => ("dot-log", "I"),
        _ => ("dot-log", "·"),
    }
}

/// Name in the icon sprite: what is called, else the kind of the span.
fn kind_icon(span: &Span) -> &'static str {
    if span.attribute("db.system.name").or_else(|| span.attribute("db.system")).is_some() {
        return "database";
    }
    match span.kind {
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal | SpanKind::Unspecified | SpanKind::Other(_) => "internal",
    }
}

/// The one attribute that says most.
fn pill(span: &Span) -> String {
    const KEYS: [&str; 8] = [
        "http.response.status_code",
        "http.status_code",
        "rpc.response.status_code",
        "rpc.grpc.status_code",
        "db.operation.name",
        "db.operation",
        "messaging.operation.type",
        "error.type",
    ];
    let value = KEYS.iter().find_map(|key| span.attribute(key));
    value.map(|value| crate::view::attributes::brief(value, 16)).unwrap_or_default()
}

/// Up to this many rows a page holds all of them.
const WHOLE: usize = 2_000;

/// Rows of a window.
const WINDOW: usize = 200;

/// Traces with more spans are folded below the third level, except where it matters.
const LARGE: usize = 1_000;

/// Deeper rows are not indented further.
pub(super) const MAX_INDENT: usize = 24;

/// Dots on one bar.
const MAX_DOTS: usize = 24;

/// Log records below one span.
const MAX_LOG_ROWS: usize = 50;

/// Span ids in `open` and `closed`.
const MAX_EXCEPTIONS: usize = 40;
