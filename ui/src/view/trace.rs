//! The page of one trace: header, findings, waterfall, detail of a span, logs.
//!
//! Owns what is shown of a trace and in which window. What can be said of a trace is decided in [`storage::trace`].

use std::collections::{HashMap, HashSet};

use askama::Template;
use storage::trace::Trace;
use storage::{LogRecord, SpanId};

use super::colour::{Chip, Palette};
use super::format::{Clockface, Moment};
use super::frame::Frame;
use super::link::{Address, Links};
use super::logs::Row as LogRow;

mod detail;
mod find;
mod header;
mod minimap;
mod outline;
mod shares;
mod waterfall;

pub(crate) use self::detail::{Panel, panel};
pub(crate) use self::find::Needle;
pub(crate) use self::header::{Finding, Header, findings, header, stray_logs};
pub(crate) use self::minimap::{Minimap, minimap};
pub(crate) use self::outline::Outline;
pub(crate) use self::shares::{Share, shares};
pub(crate) use self::waterfall::{Waterfall, waterfall};

/// `/trace/{id}`.
#[derive(Debug, Default, Template)]
#[template(path = "trace.html")]
pub(crate) struct TracePage {
    pub(crate) frame: Frame,
    pub(crate) header: Header,
    pub(crate) findings: Vec<Finding>,
    /// What is missing and why.
    pub(crate) notes: Vec<String>,
    pub(crate) minimap: Minimap,
    /// Word, count, address and whether it is the present one.
    pub(crate) tabs: Vec<(&'static str, String, String, bool)>,
    pub(crate) view: View,
    pub(crate) tools: Tools,
    pub(crate) waterfall: Waterfall,
    pub(crate) panel: Option<Panel>,
    pub(crate) shares: Vec<Share>,
    pub(crate) logs: Vec<LogRow>,
}

/// The rows of a window alone: what the script asks for while scrolling.
#[derive(Debug, Default, Template)]
#[template(path = "fragment_rows.html")]
pub(crate) struct RowsPart {
    pub(crate) frame: Frame,
    pub(crate) waterfall: Waterfall,
}

/// The detail of the chosen span alone, and the ways on from it: what the script asks for when a span is chosen.
#[derive(Debug, Default, Template)]
#[template(path = "fragment_panel.html")]
pub(crate) struct PanelPart {
    pub(crate) panel: Option<Panel>,
    pub(crate) tools: Tools,
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

/// What stands above the waterfall.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tools {
    /// Where the find form leads.
    pub(crate) action: String,
    /// What it carries along.
    pub(crate) hidden: Vec<(&'static str, String)>,
    pub(crate) find: String,
    /// How many spans match; empty without search.
    pub(crate) found: String,
    /// The next and the match before; empty without.
    pub(crate) next_match: String,
    pub(crate) previous_match: String,
    /// How many spans failed, and the next and the one before.
    pub(crate) errors: String,
    pub(crate) next_error: String,
    pub(crate) previous_error: String,
    /// Word, address and whether it is the present choice.
    pub(crate) only: Vec<(&'static str, String, bool)>,
    pub(crate) logs: Vec<(&'static str, String, bool)>,
    pub(crate) expand_all: String,
    pub(crate) collapse_all: String,
    /// Colours in use.
    pub(crate) services: Vec<Chip>,
}

/// Which reading of the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum View {
    /// The waterfall.
    #[default]
    Timeline,
    /// Time per service.
    Services,
    /// Log records.
    Logs,
}

/// Which rows of the waterfall are kept, with the rows above them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Only {
    /// All.
    #[default]
    All,
    /// Failed spans.
    Errors,
    /// The critical path.
    Critical,
    /// Matches of the search.
    Matches,
}

/// How log records appear in the waterfall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogMarks {
    /// As dots on bars.
    #[default]
    Dots,
    /// As rows.
    Rows,
    /// Not at all.
    Off,
}

/// What the address says about how the trace is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) view: View,
    pub(crate) span: Option<SpanId>,
    pub(crate) find: String,
    pub(crate) only: Only,
    pub(crate) marks: LogMarks,
    pub(crate) open: Vec<SpanId>,
    pub(crate) closed: Vec<SpanId>,
    /// Whether only the first level is open.
    pub(crate) is_collapsed: bool,
    /// Whether every span is open, whatever the size.
    pub(crate) is_expanded: bool,
    /// First row of the window.
    pub(crate) at: Option<usize>,
    /// The log record whose row is open.
    pub(crate) row: Option<u64>,
}

/// Everything that the parts of the page are made from.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) trace: &'a Trace,
    pub(crate) outline: &'a Outline,
    pub(crate) logs: &'a [LogRecord],
    pub(crate) wanted: &'a Wanted,
    pub(crate) links: &'a Links,
    pub(crate) clock: &'a Clockface,
    pub(crate) palette: &'a Palette,
    /// Places of spans that match the search, in the order of rows.
    pub(crate) matches: Vec<usize>,
    /// Log records by the place of their span.
    pub(crate) by_span: HashMap<usize, Vec<usize>>,
    /// The chosen span.
    pub(crate) chosen: Option<usize>,
}

// === impl View, Only, LogMarks ===

impl View {
    /// As written in addresses; the default is left out.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Timeline => "",
            Self::Services => "services",
            Self::Logs => "logs",
        }
    }
}

impl Only {
    /// As written in addresses; the default is left out.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Errors => "errors",
            Self::Critical => "critical",
            Self::Matches => "matches",
        }
    }
}

impl LogMarks {
    /// As written in addresses; the default is left out.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Dots => "",
            Self::Rows => "rows",
            Self::Off => "off",
        }
    }
}

// === impl Scene ===

impl<'a> Scene<'a> {
    /// Puts together what the parts share.
    pub(crate) fn new(
        trace: &'a Trace,
        outline: &'a Outline,
        logs: &'a [LogRecord],
        wanted: &'a Wanted,
        (links, clock, palette): (&'a Links, &'a Clockface, &'a Palette),
    ) -> Self {
        let places: HashMap<SpanId, usize> = trace.spans.iter().enumerate().map(|(place, span)| (span.span_id, place)).collect();
        let mut by_span: HashMap<usize, Vec<usize>> = HashMap::new();
        for (index, record) in logs.iter().enumerate() {
            if let Some(place) = record.span_id.and_then(|id| places.get(&id)) {
                by_span.entry(*place).or_default().push(index);
            }
        }
        let matches = Needle::parse(&wanted.find).map(|needle| {
            let is_match = |place: &usize| trace.spans.get(*place).is_some_and(|span| needle.is_in(span));
            outline.order.iter().copied().filter(is_match).collect()
        });
        let chosen = wanted.span.and_then(|id| places.get(&id).copied());
        Self { trace, outline, logs, wanted, links, clock, palette, matches: matches.unwrap_or_default(), by_span, chosen }
    }

    /// The address of this page as it is, window and chosen span included.
    pub(crate) fn here(&self) -> Address {
        let list = |ids: &[SpanId]| ids.iter().map(SpanId::to_string).collect::<Vec<_>>().join(",");
        let wanted = self.wanted;
        let depth = if wanted.is_collapsed {
            "1"
        } else if wanted.is_expanded {
            "all"
        } else {
            ""
        };
        self.links
            .trace(&self.trace.id)
            .with("view", wanted.view.as_str())
            .with("find", &wanted.find)
            .with("only", wanted.only.as_str())
            .with("logs", wanted.marks.as_str())
            .with("depth", depth)
            .with("open", &list(&wanted.open))
            .with("closed", &list(&wanted.closed))
            .with("at", &wanted.at.map(|at| at.to_string()).unwrap_or_default())
            .with("span", &wanted.span.map(|id| id.to_string()).unwrap_or_default())
    }

    /// The address that chooses a span and brings its row into view.
    pub(crate) fn to_span(&self, place: usize) -> String {
        let Some(span) = self.trace.spans.get(place) else { return self.here().href() };
        format!("{}#s{}", self.here().with("at", "").with("span", &span.span_id.to_string()).href(), span.span_id)
    }

    /// When a log record of this trace was made, as shown.
    pub(crate) fn moment(&self, time: storage::UnixNanos) -> Moment {
        self.clock.moment(time)
    }
}

/// What stands above the waterfall.
pub(crate) fn tools(scene: &Scene<'_>) -> Tools {
    let (outline, wanted) = (scene.outline, scene.wanted);
    let errors: Vec<usize> =
        outline.order.iter().copied().filter(|place| scene.trace.spans.get(*place).is_some_and(storage::Span::is_error)).collect();
    let (previous_error, next_error) = around(scene, &errors);
    let (previous_match, next_match) = around(scene, &scene.matches);
    let here = || scene.here().with("at", "");
    let only = |label, value: Only| (label, here().with("only", value.as_str()).href(), wanted.only == value);
    let logs = |label, value: LogMarks| (label, here().with("logs", value.as_str()).href(), wanted.marks == value);
    let mut seen = HashSet::new();
    let services = scene.trace.spans.iter().map(storage::Span::service_name).filter(|name| seen.insert(*name)).take(24);
    Tools {
        action: scene.links.trace(&scene.trace.id).href(),
        hidden: vec![
            ("logs", wanted.marks.as_str().to_owned()),
            ("depth", if wanted.is_expanded { "all".to_owned() } else { String::new() }),
        ],
        find: wanted.find.clone(),
        found: if wanted.find.trim().is_empty() { String::new() } else { position(scene, &scene.matches) },
        next_match,
        previous_match,
        errors: if errors.is_empty() { String::new() } else { position(scene, &errors) },
        next_error,
        previous_error,
        only: [("All", Only::All), ("Errors", Only::Errors), ("Critical path", Only::Critical), ("Matches", Only::Matches)]
            .into_iter()
            .filter(|(_, value)| *value != Only::Matches || !scene.matches.is_empty())
            .map(|(label, value)| only(label, value))
            .collect(),
        logs: if scene.logs.is_empty() {
            Vec::new()
        } else {
            vec![logs("Dots", LogMarks::Dots), logs("Rows", LogMarks::Rows), logs("Off", LogMarks::Off)]
        },
        expand_all: here().with("depth", "all").with("open", "").with("closed", "").href(),
        collapse_all: here().with("depth", "1").with("open", "").with("closed", "").href(),
        services: services.map(|name| scene.palette.chip(name)).collect(),
    }
}

/// `7`, or `2 of 7` when the chosen span is one of them.
fn position(scene: &Scene<'_>, places: &[usize]) -> String {
    let all = super::format::count(places.len() as u64);
    match scene.chosen.and_then(|chosen| places.iter().position(|place| *place == chosen)) {
        Some(at) => format!("{} of {all}", at + 1),
        None => all,
    }
}

/// Addresses of the one before and the one after the chosen span, in the order of rows and around the ends.
fn around(scene: &Scene<'_>, places: &[usize]) -> (String, String) {
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return (String::new(), String::new()) };
    let rank = |place: usize| scene.outline.rank.get(place).copied().unwrap_or(0);
    let chosen = scene.chosen.map(rank);
    let before = chosen.and_then(|chosen| places.iter().rev().find(|place| rank(**place) < chosen)).unwrap_or(last);
    let after = chosen.and_then(|chosen| places.iter().find(|place| rank(**place) > chosen)).unwrap_or(first);
    (scene.to_span(*before), scene.to_span(*after))
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
