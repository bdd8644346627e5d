//! The page of one trace: header, findings, waterfall, detail of a span, and its other readings.
//!
//! Owns what is shown of a trace and in which window. What can be said of a trace is decided in [`storage::trace`].

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use storage::trace::{Finding as Found, Sheet};
use storage::{LogRecord, Span, SpanId, TraceId, TraceSummary, UnixNanos};

use crate::error::Failure;

use super::answer;
use super::colour::Palette;
use super::format::{Clockface, Moment};
use super::frame::Frame;
use super::link::{Address, Links};
use super::logs::Row as LogRow;

mod axis;
mod back;
mod colours;
mod columns;
mod compare;
mod detail;
mod findings;
mod flame;
mod fold;
mod header;
mod hiding;
mod json;
mod map;
mod minimap;
mod neighbours;
mod oddities;
mod said;
mod shares;
mod table;
mod ticks;
mod tools;
mod wanted;
mod waterfall;

pub(crate) use self::axis::Axis;
pub(crate) use self::back::{Back, back};
pub(crate) use self::compare::{ComparePage, Order, Side, comparison, records, values};
#[cfg(test)]
pub(crate) use self::detail::Group;
pub(crate) use self::detail::{MAX_LINKED, Panel, panel};
pub(crate) use self::findings::{Finding, failures_told, findings, takers};
pub(crate) use self::flame::{Flame, flame};
pub(crate) use self::fold::{Plan, plan};
pub(crate) use self::header::{Header, Note, header, notes};
pub(crate) use self::json::{Json, MAX_SPANS as MAX_JSON_SPANS, json};
pub(crate) use self::map::{TraceMap, trace_map};
pub(crate) use self::minimap::{Minimap, controls, minimap};
pub(crate) use self::neighbours::Neighbours;
pub(crate) use self::said::{MAX_LOGS, said, speakers};
pub(crate) use self::shares::{Share, shares};
pub(crate) use self::table::{Table, failed, table};
pub(crate) use self::ticks::Tick;
pub(crate) use self::tools::{Tab, Tools, tabs, tools};
pub(crate) use self::wanted::{FlameKind, LogMarks, Only, PanelTab, SpanOrder, View, Wanted};
pub(crate) use self::waterfall::{Waterfall, waterfall};

/// `/trace/{id}`.
#[derive(Debug, Default, Template)]
#[template(path = "trace.html")]
pub(crate) struct TracePage {
    pub(crate) frame: Frame,
    pub(crate) header: Header,
    /// The list it was opened from.
    pub(crate) neighbours: Option<Neighbours>,
    /// The page of logs or the trace that it was opened from.
    pub(crate) back: Option<Back>,
    pub(crate) findings: Vec<Finding>,
    /// How far the picture can be trusted, and why not further.
    pub(crate) notes: Vec<Note>,
    /// Where spans that still arrive are told of; empty when none are expected.
    pub(crate) live: String,
    pub(crate) minimap: Minimap,
    pub(crate) tabs: Vec<Tab>,
    pub(crate) view: View,
    pub(crate) tools: Tools,
    pub(crate) waterfall: Waterfall,
    pub(crate) panel: Option<Panel>,
    pub(crate) shares: Vec<Share>,
    pub(crate) flame: Flame,
    pub(crate) table: Table,
    pub(crate) map: TraceMap,
    pub(crate) json: Json,
    pub(crate) logs: Vec<LogRow>,
    /// How many log records and events there are; empty where there are records alone.
    pub(crate) log_counts: String,
    /// What else to say of them, such as that only a part is shown.
    pub(crate) log_notes: Vec<String>,
}

/// The rows of a window alone: what the script asks for while scrolling.
#[derive(Debug, Default, Template)]
#[template(path = "fragment_rows.html")]
pub(crate) struct RowsPart {
    pub(crate) frame: Frame,
    pub(crate) waterfall: Waterfall,
}

/// The detail of the chosen span alone, and the parts of the page that depend on which one it is: what the script asks for when a span is
/// chosen, or none any more. With the rows of the window around that span where the script does not have them.
#[derive(Debug, Default, Template)]
#[template(path = "fragment_panel.html")]
pub(crate) struct PanelPart {
    pub(crate) frame: Frame,
    pub(crate) panel: Option<Panel>,
    pub(crate) minimap: Minimap,
    pub(crate) tabs: Vec<Tab>,
    pub(crate) view: View,
    pub(crate) tools: Tools,
    pub(crate) waterfall: Option<Waterfall>,
}

/// `/trace/{id}/span/{span}`.
#[derive(Debug, Default, Template)]
#[template(path = "span.html")]
pub(crate) struct SpanPage {
    pub(crate) frame: Frame,
    pub(crate) panel: Panel,
    /// Name and address of the spans above, the root first.
    pub(crate) above: Vec<(String, String)>,
}

/// Everything that the parts of the page are made from.
#[derive(Debug)]
pub(crate) struct Scene {
    /// By the times that are shown.
    pub(crate) sheet: Arc<Sheet>,
    /// The spans in view, whole.
    pub(crate) details: HashMap<usize, Span>,
    pub(crate) logs: Vec<LogRecord>,
    pub(crate) wanted: Wanted,
    pub(crate) links: Links,
    pub(crate) clock: Clockface,
    pub(crate) palette: Palette,
    pub(crate) colours: colours::Colours,
    pub(crate) findings: Vec<Found>,
    /// Places of spans that match the search, in the order of rows.
    pub(crate) matches: Arc<Vec<usize>>,
    /// Why the search was not answered.
    pub(crate) unfound: Option<Failure>,
    /// Attributes that the search names and nothing has, one sentence each, where it found nothing.
    pub(crate) unknown: Vec<String>,
    /// Log records by the place of their span.
    pub(crate) by_span: HashMap<usize, Vec<usize>>,
    /// The chosen span.
    pub(crate) chosen: Option<usize>,
    /// The span that is shown as the root.
    pub(crate) root: Option<usize>,
    /// Which spans are no rows because their service is hidden; `None` when all are.
    pub(crate) veil: Option<hiding::Veil>,
    pub(crate) axis: Axis,
    /// Where the axis begins: the earliest start, by the times that are shown.
    pub(crate) start: UnixNanos,
    /// By how much clocks are corrected, per span; empty when times are shown as sent.
    pub(crate) offsets: Vec<i64>,
    /// How long spans of the chosen one's operation usually take.
    pub(crate) usual: Option<storage::trace::Usual>,
    /// Other traces with a link to the chosen span.
    pub(crate) linked: Vec<TraceSummary>,
    /// Other traces that the chosen span links to, `None` for one that is not stored; only those that were looked for.
    pub(crate) targets: Option<HashMap<TraceId, Option<TraceSummary>>>,
    /// Spans of other traces that the chosen one links to, `None` for one that was not received; only those that were looked for.
    pub(crate) target_spans: HashMap<(TraceId, SpanId), Option<LinkedSpan>>,
}

/// A span of another trace that a link leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkedSpan {
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) start: UnixNanos,
    pub(crate) duration: u64,
}

// === impl Scene ===

impl Scene {
    /// Puts together what the parts share. `findings`, `matches`, `details`, `usual` and `linked` are filled in by who asks the store.
    pub(crate) fn new(
        sheet: Arc<Sheet>,
        logs: Vec<LogRecord>,
        wanted: Wanted,
        (links, clock, palette): (Links, Clockface, Palette),
    ) -> Self {
        let mut by_span: HashMap<usize, Vec<usize>> = HashMap::new();
        for (index, record) in logs.iter().enumerate() {
            if let Some(place) = record.span_id.and_then(|id| sheet.place_of(id)) {
                by_span.entry(place).or_default().push(index);
            }
        }
        let chosen = wanted.span.and_then(|id| sheet.place_of(id));
        let root = wanted.root.and_then(|id| sheet.place_of(id));
        // Of the sheet that is kept, so that they are worked out once.
        let colours = colours::Colours::of(&sheet);
        let corrected = if wanted.is_adjusted { sheet.by_corrected_times() } else { None };
        let sheet = corrected.map_or(sheet, Arc::new);
        let offsets = if sheet.is_corrected() { sheet.skew().offsets.clone() } else { Vec::new() };
        let (start, whole) = (sheet.start(), sheet.duration());
        let veil = if hiding::hides(wanted.view) { hiding::Veil::new(&sheet, &wanted.services, chosen, root) } else { None };
        let mut scene = Self {
            colours,
            sheet,
            details: HashMap::new(),
            logs,
            wanted,
            links,
            clock,
            palette,
            findings: Vec::new(),
            matches: Arc::default(),
            unfound: None,
            unknown: Vec::new(),
            by_span,
            chosen,
            root,
            veil,
            axis: Axis::default(),
            start,
            offsets,
            usual: None,
            linked: Vec::new(),
            targets: None,
            target_spans: HashMap::new(),
        };
        let shown = root.and_then(|root| Some((scene.offset(root), scene.sheet.spans.get(root)?.duration())));
        scene.axis = Axis::new(whole, shown, &scene.wanted);
        scene
    }

    /// The address of this page as it is, window and chosen span included.
    pub(crate) fn here(&self) -> Address {
        self.wanted.write(self.links.trace(&self.sheet.id))
    }

    /// The address of this page as the way back from another.
    fn via(&self) -> String {
        back::way(self)
    }

    /// The waterfall as it is, whichever reading is shown.
    pub(crate) fn timeline(&self) -> Address {
        self.here().with("view", "").with("at", "").with("row", "")
    }

    /// The address that chooses a span and brings its row into view.
    pub(crate) fn to_span(&self, place: usize) -> String {
        let Some(span) = self.sheet.spans.get(place) else { return self.here().href() };
        let id = span.span_id.to_string();
        // A span outside the subtree that is shown is reached by showing all again.
        let is_inside = self.root.is_none_or(|root| root == place || self.sheet.ancestors(place).contains(&root));
        let address = if is_inside { self.timeline() } else { self.timeline().with("root", "").with("t0", "").with("t1", "") };
        format!("{}#s{id}", address.with("span", &id).href())
    }

    /// The address that chooses the first span that was found, of those that are rows.
    pub(crate) fn first_match(&self) -> Option<String> {
        self.matches.iter().find(|place| !self.is_hidden(**place)).map(|place| self.to_span(*place))
    }

    /// When a span began for display, in nanoseconds after the start of the trace.
    pub(crate) fn offset(&self, place: usize) -> u64 {
        self.sheet.spans.get(place).map_or(0, |span| span.start.since(self.start))
    }

    /// A time that the clock of a span gave, as it was sent, in nanoseconds after the start of the trace as shown; before it is as far as nothing.
    pub(crate) fn since(&self, place: usize, time: UnixNanos) -> u64 {
        let moved = self.offsets.get(place).copied().unwrap_or(0);
        time.get().saturating_add_signed(moved).saturating_sub(self.start.get())
    }

    /// The code of a failed call that was answered; empty for what failed otherwise, or with what was called. Known of spans in view.
    pub(crate) fn answer(&self, place: usize) -> String {
        if self.sheet.errors_below(place) > 0 {
            return String::new();
        }
        self.details.get(&place).and_then(answer::of_call).unwrap_or_default()
    }

    /// When a log record of this trace was made, as shown.
    pub(crate) fn moment(&self, time: UnixNanos) -> Moment {
        self.clock.moment(time)
    }

    /// The log records of a span.
    pub(crate) fn records(&self, place: usize) -> impl Iterator<Item = &LogRecord> {
        let indexes = self.by_span.get(&place).map(Vec::as_slice).unwrap_or_default();
        indexes.iter().filter_map(|index| self.logs.get(*index))
    }
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
