//! The page that finds traces.

use askama::Template;
use storage::{RepeatedCalls, ServiceInTrace, Store, TraceOrder, TracePage, TraceSummary, UnixNanos};

use super::colour::{Chip, Palette};
use super::contrast::Contrast;
use super::contrast::calls::Calls;
use super::contrast::numbers::Numbers;
use super::facets::Group;
use super::format::{self, Clockface, Moment};
use super::frame::Frame;
use super::heat::Heat;
use super::hints::Hint;
use super::link::Links;
use super::outcome::Outcome;
use super::search::{Builder, Problem};

mod lanes;

use self::lanes::lanes;

/// `/traces`.
#[derive(Debug, Default, Template)]
#[template(path = "traces.html")]
pub(crate) struct Traces {
    pub(crate) frame: Frame,
    /// The query text.
    pub(crate) query: String,
    /// The same in form controls.
    pub(crate) builder: Builder,
    /// Names to choose from.
    pub(crate) services: Vec<String>,
    /// `from` and `to` and the order, kept by the forms.
    pub(crate) hidden: Vec<(String, String)>,
    /// Why there is no answer.
    pub(crate) problem: Option<Problem>,
    /// Matching spans over time and duration.
    pub(crate) heat: Option<Heat>,
    /// What is selected of it in words, the address without it, and its comparison with the rest.
    pub(crate) selection: Option<(String, String, String)>,
    /// Where what is found is compared with the rest; empty where nothing says what that is.
    pub(crate) contrast: String,
    pub(crate) facets: Vec<Group>,
    /// That chart and values count other spans than those of the list; empty when they do not.
    pub(crate) counted: String,
    /// What the numbers beside values count.
    pub(crate) counts: &'static str,
    /// Where news are told; empty when the window has an end.
    pub(crate) live: String,
    /// Whether news are shown by themselves, and the address that changes it.
    pub(crate) is_live: bool,
    pub(crate) toggle_live: String,
    /// What completes the query.
    pub(crate) complete: String,
    /// What was found.
    pub(crate) rows: Vec<Row>,
    /// How much is shown of how much.
    pub(crate) summary: String,
    /// Word, address and whether it is the present order.
    pub(crate) orders: Vec<(&'static str, String, bool)>,
    /// What the columns of numbers hold in this order.
    pub(crate) columns: Columns,
    /// The next page; empty at the end.
    pub(crate) older: String,
    /// The first page, when this is not it.
    pub(crate) newest: String,
    /// Where those are that this order leaves out; empty when it leaves out none.
    pub(crate) all_traces: String,
    /// Why the answer is not whole.
    pub(crate) notes: Vec<String>,
    /// Other windows and queries to try when nothing was found: word and address.
    pub(crate) otherwise: Vec<(String, String)>,
    /// What was not found, when the usual words would be wrong.
    pub(crate) nothing: String,
    /// What was perhaps meant when nothing was found.
    pub(crate) hints: Vec<Hint>,
    /// Log records that match where no span does, and where they are.
    pub(crate) in_logs: Option<(String, String)>,
    /// The same as JSON.
    pub(crate) json: String,
    /// Up to a thousand of these traces as CSV.
    pub(crate) csv: String,
    /// What it took.
    pub(crate) effort: String,
}

/// `/traces/compare-groups`.
#[derive(Debug, Default, Template)]
#[template(path = "contrast.html")]
pub(crate) struct ContrastPage {
    pub(crate) frame: Frame,
    pub(crate) query: String,
    /// What is compared with the rest, in words.
    pub(crate) selection: String,
    pub(crate) problem: Option<Problem>,
    pub(crate) contrast: Contrast,
    /// What the selected spans wait for.
    pub(crate) calls: Calls,
    /// Attributes that are numbers.
    pub(crate) numbers: Numbers,
    /// Fields that were compared.
    pub(crate) fields: String,
    /// What was not compared, and why.
    pub(crate) left_out: String,
    pub(crate) notes: Vec<String>,
    /// Back to the search.
    pub(crate) back: String,
}

/// Headings of the columns of numbers. The one that the list is sorted by says so, and its cells show what it is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(crate) duration: &'static str,
    pub(crate) spans: &'static str,
    pub(crate) start: &'static str,
    /// Which of them is sorted by: `duration`, `spans`, `errors` or `start`.
    pub(crate) sorted: &'static str,
    /// Which way it goes: `descending` or `ascending`.
    pub(crate) way: &'static str,
    /// The way to the next page.
    pub(crate) next: &'static str,
}

/// How traces are listed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listing<'a> {
    pub(crate) order: TraceOrder,
    /// The list, for the pages of its traces; empty where they need not lead on.
    pub(crate) list: &'a str,
    pub(crate) links: &'a Links,
    pub(crate) clock: &'a Clockface,
    pub(crate) palette: &'a Palette,
}

/// One trace of a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) href: String,
    pub(crate) outcome: Outcome,
    pub(crate) chip: Chip,
    pub(crate) operation: String,
    /// `root missing` and such; empty when all is well.
    pub(crate) remark: &'static str,
    /// `38 × SELECT stock`: calls that one span made again and again; empty for none.
    pub(crate) repeated: String,
    /// `12 alike`: how many of those that were looked at are of its kind; empty where that was not asked, or it is alone.
    pub(crate) alike: String,
    /// Message of the first failed span; empty when none did.
    pub(crate) error: String,
    pub(crate) id: String,
    /// The first digits of its id.
    pub(crate) short_id: String,
    /// Of the trace, or of its newest or first matching span when the list is sorted by it.
    pub(crate) start: Moment,
    /// How far into the trace that is; empty at its start.
    pub(crate) into: String,
    /// When the trace began, where that is something else.
    pub(crate) of_start: String,
    /// Of the trace, or of its longest matching span when the list is sorted by it.
    pub(crate) duration: String,
    pub(crate) exact: String,
    /// How long the trace is, when that is something else.
    pub(crate) of_trace: String,
    /// Percent of the longest in the list.
    pub(crate) share: String,
    /// In all, or those that match when the list is sorted by them.
    pub(crate) spans: String,
    /// How many there are in all, when that is something else.
    pub(crate) of_spans: String,
    /// `3 errors`; empty for none.
    pub(crate) errors: String,
    pub(crate) services: Vec<(Chip, String)>,
    /// Services that are not listed.
    pub(crate) more_services: usize,
    /// Class and path of each lane.
    pub(crate) lanes: Vec<(String, String)>,
    /// The picture in words.
    pub(crate) picture: String,
}

/// What a query decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matched {
    /// Nothing: there is none.
    Everything,
    /// Nothing, but a part of the chart of root spans is selected.
    Roots,
    /// Which spans match.
    Spans,
    /// Which traces match.
    Traces,
}

impl Matched {
    /// What traces of the list have in common, or the one of it.
    pub(crate) fn listed(self, is_one: bool, order: TraceOrder) -> &'static str {
        match (self, order == TraceOrder::MostErrors) {
            (Self::Everything, false) => "with a span in this window",
            (Self::Everything, true) => "with a failed span in this window",
            (Self::Roots, false) => "whose root span is selected",
            (Self::Roots, true) => "whose root span is selected, with a failed span",
            (Self::Spans, false) => "with a span that matches",
            (Self::Spans, true) => "with a span that matches and a failed one",
            (Self::Traces, false) if is_one => "that matches as a whole",
            (Self::Traces, false) => "that match as a whole",
            (Self::Traces, true) if is_one => "that matches as a whole, with a failed span",
            (Self::Traces, true) => "that match as a whole, with a failed span",
        }
    }

    /// What is counted of values: spans, since one trace has many values.
    pub(crate) fn counted(self) -> &'static str {
        match self {
            Self::Everything => "Numbers count all spans of this window.",
            Self::Roots => "Numbers count the root spans that are selected.",
            Self::Spans => "Numbers count the spans that match.",
            Self::Traces => "Numbers count spans, not traces.",
        }
    }

    /// Of a query, and whether a part of the chart is selected.
    pub(crate) fn new(query: &str, is_selected: bool, store: &Store) -> Self {
        if store.asks_for_whole_traces(query) {
            Self::Traces
        } else if !query.trim().is_empty() {
            Self::Spans
        } else if is_selected {
            Self::Roots
        } else {
            Self::Everything
        }
    }
}

// === impl Columns ===

impl Columns {
    /// By what there is to match.
    pub(crate) fn new(order: TraceOrder, matched: Matched) -> Self {
        let either = |narrowed, all| if matched == Matched::Everything { all } else { narrowed };
        let plain = Self { duration: "Duration", spans: "Spans", start: "Started", sorted: "", way: "descending", next: "More →" };
        match order {
            TraceOrder::Newest => {
                Self { start: either("Newest match began", "Newest span began"), sorted: "start", next: "Older →", ..plain }
            }
            TraceOrder::Oldest => {
                Self {
                    start: either("First match began", "First span began"), sorted: "start", way: "ascending", next: "Newer →", ..plain
                }
            }
            TraceOrder::Slowest => {
                Self { duration: either("Longest match", "Longest span"), sorted: "duration", next: "Faster →", ..plain }
            }
            TraceOrder::MostSpans => Self { sorted: "spans", ..plain },
            TraceOrder::MostErrors => Self { spans: "Errors", sorted: "errors", ..plain },
        }
    }
}

/// Rows of a page of found traces.
pub(crate) fn rows(page: &TracePage, listing: &Listing<'_>) -> Vec<Row> {
    let longest = page.traces.iter().map(|trace| listing.duration(trace)).max().unwrap_or(0);
    page.traces.iter().map(|trace| row(trace, longest, listing)).collect()
}

impl Listing<'_> {
    fn duration(&self, trace: &TraceSummary) -> u64 {
        if self.order == TraceOrder::Slowest { trace.key } else { trace.duration }
    }

    /// What is shown of the spans, and of how many when that is not all.
    fn spans(&self, trace: &TraceSummary) -> (String, String) {
        let all = format::count(trace.span_count as u64);
        let counted = self.order.shown(trace.key);
        match self.order {
            TraceOrder::MostSpans if counted != trace.span_count as u64 => (format::count(counted), format!("of {all}")),
            TraceOrder::MostErrors => (format::count(counted), format!("of {all}")),
            _ => (all, String::new()),
        }
    }
}

fn row(trace: &TraceSummary, longest: u64, listing: &Listing<'_>) -> Row {
    let Listing { list, links, clock, palette, .. } = *listing;
    let id = trace.trace_id.to_string();
    let duration = listing.duration(trace);
    let is_by_start = matches!(listing.order, TraceOrder::Newest | TraceOrder::Oldest);
    let start = if is_by_start { UnixNanos::new(trace.key) } else { trace.start };
    let into = start.since(trace.start);
    let (spans, of_spans) = listing.spans(trace);
    let mut by_size: Vec<&ServiceInTrace> = trace.services.iter().collect();
    by_size.sort_by_key(|service| std::cmp::Reverse(service.span_count));
    let listed = trace.services.iter().take(MAX_CHIPS);
    let services: Vec<(Chip, String)> =
        listed.map(|service| (palette.chip(&service.name), format::count(service.span_count as u64))).collect();
    let picture =
        trace.services.iter().take(6).map(|service| format!("{} {}", service.name, service.span_count)).collect::<Vec<_>>().join(", ");
    Row {
        href: links.trace(&trace.trace_id).with("list", list).href(),
        outcome: Outcome::of_summary(trace),
        chip: palette.chip(&trace.root_service),
        operation: format::name(&trace.root_name),
        remark: match (trace.has_root, is_young(trace, clock)) {
            (true, _) => "",
            (false, true) => "still arriving",
            (false, false) => "root not received",
        },
        repeated: trace.repeated.as_ref().map(repeated).unwrap_or_default(),
        alike: String::new(),
        error: why(trace).map(|message| format::message(message, 160)).unwrap_or_default(),
        short_id: id.chars().take(8).collect(),
        id,
        start: clock.moment(start),
        of_start: if into == 0 { String::new() } else { clock.moment(trace.start).text },
        into: if into == 0 { String::new() } else { format::duration(into) },
        duration: format::duration(duration),
        exact: format::exact_nanos(duration),
        of_trace: if duration == trace.duration { String::new() } else { format::duration(trace.duration) },
        share: format::position(duration, longest),
        spans,
        of_spans,
        errors: if trace.error_count == 0 { String::new() } else { format::counted(trace.error_count as u64, "error", "errors") },
        more_services: trace.services.len().saturating_sub(services.len()),
        services,
        lanes: lanes(&by_size, trace.duration, palette),
        picture: format!("spans per service: {}", format::line(&picture, 200)),
    }
}

/// What says why a trace failed, where its failure starts; what its first failed span says where that is not known.
pub(crate) fn why(trace: &TraceSummary) -> Option<&str> {
    let said = match &trace.failure {
        Some(failure) => failure.message.as_deref(),
        None => trace.first_error.as_deref(),
    };
    said.filter(|message| !message.is_empty())
}

fn repeated(calls: &RepeatedCalls) -> String {
    format!("{} × {}", format::exact(calls.count as u64), format::line(&calls.name, 60))
}

/// Whether the rest may still be on its way: exporters send in batches, many every five seconds.
fn is_young(trace: &TraceSummary, clock: &Clockface) -> bool {
    clock.now().since(trace.start) < trace.duration.saturating_add(YOUNG)
}

/// More services than this are counted.
const MAX_CHIPS: usize = 6;

/// Nanoseconds after which what is missing of a trace is no longer expected.
const YOUNG: u64 = 15_000_000_000;

#[cfg(test)]
mod tests;
