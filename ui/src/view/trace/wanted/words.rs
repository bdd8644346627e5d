//! The words of an address of a trace: what can be chosen, and how it is written.

/// Which reading of the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum View {
    /// The waterfall.
    #[default]
    Timeline,
    /// Where the time goes, merged or in order.
    Flame,
    /// Time per service.
    Services,
    /// A flat table.
    Spans,
    /// Log records.
    Logs,
    /// Who called whom.
    Map,
    /// As the API gives it.
    Json,
}

/// Which part of the detail of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PanelTab {
    Attributes,
    Events,
    Links,
    Logs,
    Resource,
    Timing,
    Raw,
    /// All parts below each other: the page of one span.
    All,
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

/// How far rows are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Depth {
    /// By size: all of a small trace; of a large one three levels, and what leads to failures and the critical path.
    #[default]
    Rule,
    /// This many levels below the root.
    Levels(usize),
    /// Everything.
    All,
}

/// Which flame graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FlameKind {
    /// Equal calls merged, the heaviest left.
    #[default]
    Merged,
    /// In order of time.
    Time,
}

/// How the flat table is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SpanOrder {
    #[default]
    Longest,
    SelfTime,
    Start,
    Name,
    Service,
}

pub(super) const VIEWS: [(&str, View); 7] = [
    ("timeline", View::Timeline),
    ("flame", View::Flame),
    ("services", View::Services),
    ("spans", View::Spans),
    ("logs", View::Logs),
    ("map", View::Map),
    ("json", View::Json),
];
pub(super) const TABS: [(&str, PanelTab); 7] = [
    ("attributes", PanelTab::Attributes),
    ("events", PanelTab::Events),
    ("links", PanelTab::Links),
    ("logs", PanelTab::Logs),
    ("resource", PanelTab::Resource),
    ("timing", PanelTab::Timing),
    ("raw", PanelTab::Raw),
];
pub(super) const ONLY: [(&str, Only); 4] =
    [("all", Only::All), ("errors", Only::Errors), ("critical", Only::Critical), ("matches", Only::Matches)];
pub(super) const MARKS: [(&str, LogMarks); 3] = [("dots", LogMarks::Dots), ("rows", LogMarks::Rows), ("off", LogMarks::Off)];
pub(super) const FLAMES: [(&str, FlameKind); 2] = [("merged", FlameKind::Merged), ("time", FlameKind::Time)];
pub(super) const ORDERS: [(&str, SpanOrder); 5] = [
    ("longest", SpanOrder::Longest),
    ("self", SpanOrder::SelfTime),
    ("start", SpanOrder::Start),
    ("name", SpanOrder::Name),
    ("service", SpanOrder::Service),
];

/// The word of a value; the default is left out.
pub(super) fn word_of<T: Copy + PartialEq + Default>(words: &[(&'static str, T)], value: T) -> &'static str {
    if value == T::default() {
        return "";
    }
    words.iter().find(|(_, known)| *known == value).map_or("", |(word, _)| word)
}

// === impls ===

impl View {
    /// As written in addresses; the default is left out.
    pub(crate) fn as_str(self) -> &'static str {
        word_of(&VIEWS, self)
    }
}

impl PanelTab {
    /// As written in addresses.
    pub(crate) fn as_str(self) -> &'static str {
        TABS.iter().find(|(_, known)| *known == self).map_or("", |(word, _)| word)
    }
}

impl Only {
    /// As written in addresses; the default is left out.
    pub(crate) fn as_str(self) -> &'static str {
        word_of(&ONLY, self)
    }
}

impl LogMarks {
    /// As written in addresses; the default is left out.
    pub(crate) fn as_str(self) -> &'static str {
        word_of(&MARKS, self)
    }
}

impl SpanOrder {
    /// As written in addresses; the default is left out.
    pub(crate) fn as_str(self) -> &'static str {
        word_of(&ORDERS, self)
    }
}
