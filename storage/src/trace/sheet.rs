//! A trace of any size in columns: a few numbers per span, and what follows from them. Built once per trace and version.
//!
//! Owns the order of spans, what every page asks of each, and the words they share. Attributes, events and links are not here: they are
//! read for the spans that are shown.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::model::{Resource, SpanId, SpanKind, StatusCode, TraceId, UnixNanos};

use super::{Failing, Finding, Operations, Section, Skew, Trace, Tree, alike, critical_path, findings, own_times, self_times, skew};

mod collector;

pub(crate) use self::collector::Collector;

/// What is known of one span without reading it whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brief {
    /// The span.
    pub span_id: SpanId,
    /// The span that caused it; `None` for a root.
    pub parent_span_id: Option<SpanId>,
    /// Role in its call.
    pub kind: SpanKind,
    /// Outcome.
    pub status: StatusCode,
    /// Start as sent.
    pub start: UnixNanos,
    /// End as sent, at most as far from the start as a duration can be; may lie before it.
    pub end: UnixNanos,
    /// Place in [`Sheet::services`].
    pub service: u32,
    /// Place in [`Sheet::names`].
    pub name: u32,
    /// Spans with the same number were timed by the same clock.
    pub clock: u32,
    /// How many events it has.
    pub events: u32,
}

/// A trace in columns. Spans are named by their place in `spans`, which is ordered by start, then span id.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// The trace.
    pub id: TraceId,
    /// At least one span; duplicates removed.
    pub spans: Vec<Brief>,
    /// Names of services, in the order of their first span as read.
    pub services: Vec<String>,
    /// Names of spans.
    pub names: Vec<String>,
    /// False when a part could not be read; see `notes`.
    pub complete: bool,
    /// What is missing and why, one sentence each.
    pub notes: Vec<String>,
    /// Spans that were received again with another end, outcome, name, service or parent; the last ones are in `spans`.
    pub replaced: usize,
    tree: Tree,
    rank: Vec<u32>,
    errors_below: Vec<u32>,
    messages: HashMap<u32, String>,
    timed: Timed,
    /// Whether times are corrected, and how long the trace lasts as sent.
    sent: Option<u64>,
    /// What stands out of the spans alone; looked for once.
    lasting: OnceLock<Vec<Finding>>,
    operations: OnceLock<Operations>,
    alike: OnceLock<Vec<u32>>,
    skew: OnceLock<Skew>,
}

/// What follows from the times of spans.
#[derive(Clone, Debug)]
struct Timed {
    self_times: Vec<u64>,
    /// The critical path of the main root, by span, then time.
    path: Vec<Section>,
    start: UnixNanos,
    duration: u64,
}

/// Clocks further apart than this are not corrected: one hour.
const MAX_SKEW: u64 = 3_600_000_000_000;

// === impl Brief ===

impl Brief {
    /// Nanoseconds from start to end, see [`UnixNanos::until`].
    #[must_use]
    pub fn duration(&self) -> u64 {
        self.start.until(self.end)
    }

    /// Whether the status says ERROR.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.status == StatusCode::Error
    }
}

// === impl Sheet ===

impl Sheet {
    /// The columns of a trace that was read whole.
    #[must_use]
    pub fn of(trace: &Trace) -> Self {
        let mut collector = Collector::default();
        let mut clocks: HashMap<*const Resource, u32> = HashMap::new();
        for span in &trace.spans {
            let clock = *clocks.entry(Arc::as_ptr(&span.resource)).or_insert_with(|| collector.clock(&span.resource));
            collector.add_span(span, clock);
        }
        collector.finish(trace.id, trace.complete, trace.notes.clone()).0
    }

    /// Who caused whom.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Place in [`Tree::preorder`]: the row of a waterfall in which nothing is folded.
    #[must_use]
    pub fn rank(&self, span: usize) -> usize {
        self.rank.get(span).map_or(0, |rank| *rank as usize)
    }

    /// Where failures start, as far as no failed span below explains them: those that fail their request first.
    #[must_use]
    pub fn failure_starts(&self) -> Vec<usize> {
        self.failing().starts.into_iter().map(|start| start.place).collect()
    }

    /// Where the failure starts that the failed span at `place` fails with; `None` where it starts there, or that is not known.
    #[must_use]
    pub fn failure_below(&self, place: usize) -> Option<usize> {
        let failing = self.failing();
        let explains = |start: &usize| *start != place && failing.chain(*start, &self.spans).contains(&place);
        failing.starts.iter().map(|start| start.place).find(explains)
    }

    pub(super) fn failing(&self) -> Failing {
        Failing::of(&self.spans, &self.tree, |place| self.message(place))
    }

    /// The first failed span that the one at `place` explains and that says something of its failure.
    #[must_use]
    pub fn said_above(&self, place: usize) -> Option<usize> {
        self.failing().chain(place, &self.spans).into_iter().skip(1).find(|above| self.message(*above).is_some())
    }

    /// The span with this id; of a client and a server that share one, the earlier.
    #[must_use]
    pub fn place_of(&self, id: SpanId) -> Option<usize> {
        self.tree.place_of(id)
    }

    /// The service of a span.
    #[must_use]
    pub fn service(&self, span: usize) -> &str {
        self.spans.get(span).and_then(|brief| self.services.get(brief.service as usize)).map_or("", String::as_str)
    }

    /// The name of a span.
    #[must_use]
    pub fn name(&self, span: usize) -> &str {
        self.spans.get(span).and_then(|brief| self.names.get(brief.name as usize)).map_or("", String::as_str)
    }

    /// What a failed span says of its failure; known of the first thousand.
    #[must_use]
    pub fn message(&self, span: usize) -> Option<&str> {
        self.messages.get(&number(span)).map(String::as_str)
    }

    /// Nanoseconds in which none of its children ran.
    #[must_use]
    pub fn self_time(&self, span: usize) -> u64 {
        self.timed.self_times.get(span).copied().unwrap_or(0)
    }

    /// Per service, in the order of [`Self::services`], the nanoseconds in which at least one of its spans ran and none of that span's
    /// children did: spans that run side by side count once.
    #[must_use]
    pub fn own_times(&self) -> Vec<u64> {
        own_times(&self.spans, &self.tree, self.services.len())
    }

    /// Failed spans below it, itself left out.
    #[must_use]
    pub fn errors_below(&self, span: usize) -> usize {
        self.errors_below.get(span).map_or(0, |errors| *errors as usize)
    }

    /// When the trace waited for this span, in order of time.
    #[must_use]
    pub fn sections(&self, span: usize) -> &[Section] {
        let path = self.path();
        let from = path.partition_point(|section| section.span < span);
        let to = path.partition_point(|section| section.span <= span);
        path.get(from..to).unwrap_or_default()
    }

    /// Whether the trace waited for this span at some time.
    #[must_use]
    pub fn is_critical(&self, span: usize) -> bool {
        !self.sections(span).is_empty()
    }

    /// Every section of the critical path, which is that of the main root; by span.
    #[must_use]
    pub fn path(&self) -> &[Section] {
        &self.timed.path
    }

    /// From the root down to the span above.
    #[must_use]
    pub fn ancestors(&self, span: usize) -> Vec<usize> {
        let mut above = Vec::new();
        let mut at = span;
        while let Some(parent) = self.tree.parent(at) {
            above.push(parent);
            at = parent;
        }
        above.reverse();
        above
    }

    /// Earliest start.
    #[must_use]
    pub fn start(&self) -> UnixNanos {
        self.timed.start
    }

    /// Nanoseconds from the earliest start to the latest end.
    #[must_use]
    pub fn duration(&self) -> u64 {
        self.timed.duration
    }

    /// What the trace is about and called by: the earliest span without a parent, as in lists of traces. Where none was received, the
    /// longest of those whose parents are missing, the earliest of equals.
    #[must_use]
    pub fn main_root(&self) -> Option<usize> {
        main_root(&self.spans, &self.tree)
    }

    /// The same trace by corrected times, its spans at the same places; `None` when no clock is corrected.
    #[must_use]
    pub fn by_corrected_times(&self) -> Option<Self> {
        let skew = self.skew();
        if self.is_corrected() || !skew.jumps.iter().any(|jump| jump.applied) {
            return None;
        }
        let mut sheet = self.clone();
        for (span, by) in sheet.spans.iter_mut().zip(&skew.offsets) {
            let moved = |time: UnixNanos| UnixNanos::new(time.get().saturating_add_signed(*by));
            (span.start, span.end) = (moved(span.start), moved(span.end));
        }
        sheet.timed = Timed::of(&sheet.spans, &sheet.tree);
        sheet.sent = Some(self.duration());
        sheet.lasting = OnceLock::new();
        Some(sheet)
    }

    /// Whether its times are corrected.
    #[must_use]
    pub fn is_corrected(&self) -> bool {
        self.sent.is_some()
    }

    /// Nanoseconds from the earliest start to the latest end as sent.
    #[must_use]
    pub fn sent_duration(&self) -> u64 {
        self.sent.unwrap_or(self.duration())
    }

    /// By how much clocks seem to disagree.
    #[must_use]
    pub fn skew(&self) -> &Skew {
        self.skew.get_or_init(|| skew(&self.spans, &self.tree, MAX_SKEW))
    }

    /// Nanoseconds from the earliest start to the latest end with clocks corrected; as sent where they agree.
    #[must_use]
    pub fn corrected_duration(&self) -> u64 {
        let skew = self.skew();
        if self.is_corrected() {
            return self.duration();
        }
        let moved = |time: UnixNanos, by: &i64| time.get().saturating_add_signed(*by);
        let timed = || self.spans.iter().zip(&skew.offsets);
        let start = timed().map(|(span, by)| moved(span.start, by)).min().unwrap_or_default();
        let end = timed().map(|(span, by)| moved(span.end.max(span.start), by)).max().unwrap_or_default();
        UnixNanos::new(start).until(UnixNanos::new(end))
    }

    /// What stands out of the spans alone.
    pub(super) fn lasting(&self) -> &[Finding] {
        self.lasting.get_or_init(|| findings::lasting(self))
    }

    /// The operations that take longest.
    #[must_use]
    pub fn operations(&self) -> &Operations {
        self.operations.get_or_init(|| Operations::of(&self.spans, &self.names))
    }

    /// The place of the first name that is like this one but for its numbers.
    #[must_use]
    pub fn alike(&self, name: u32) -> u32 {
        self.alike.get_or_init(|| alike::alike(&self.names)).get(name as usize).copied().unwrap_or(name)
    }

    /// Bytes in memory, about.
    pub(crate) fn size(&self) -> usize {
        let words: usize = self.services.iter().chain(&self.names).map(|word| word.len() + size_of::<String>()).sum();
        self.spans.len() * BYTES_PER_SPAN + size_of_val(self.path()) + words
    }
}

/// A brief, a node of the tree and the entries of all other columns.
const BYTES_PER_SPAN: usize = size_of::<Brief>() + 28 + 16 + 8 + 8 + 4 + 8 + 4 + 8 + 8;

// === impl Timed ===

impl Timed {
    fn of(spans: &[Brief], tree: &Tree) -> Self {
        let mut path = main_root(spans, tree).map(|root| critical_path(spans, tree, root)).unwrap_or_default();
        path.sort_unstable_by_key(|section| (section.span, section.from));
        let start = spans.iter().map(|span| span.start).min().unwrap_or_default();
        let end = spans.iter().map(|span| span.end.max(span.start)).max().unwrap_or_default();
        Self { self_times: self_times(spans, tree), path, start, duration: start.until(end) }
    }
}

/// Derives every other column.
fn sheet(
    id: TraceId,
    spans: Vec<Brief>,
    (services, names): (Vec<String>, Vec<String>),
    messages: HashMap<u32, String>,
    (complete, notes): (bool, Vec<String>),
) -> Sheet {
    let tree = Tree::new(&spans);
    let mut rank = vec![0; spans.len()];
    for (row, place) in tree.preorder().iter().enumerate() {
        if let Some(known) = rank.get_mut(*place) {
            *known = number(row);
        }
    }
    Sheet {
        id,
        errors_below: errors_below(&spans, &tree),
        timed: Timed::of(&spans, &tree),
        sent: None,
        lasting: OnceLock::new(),
        operations: OnceLock::new(),
        alike: OnceLock::new(),
        skew: OnceLock::new(),
        tree,
        rank,
        messages,
        spans,
        services,
        names,
        complete,
        notes,
        replaced: 0,
    }
}

/// See [`Sheet::main_root`].
fn main_root(spans: &[Brief], tree: &Tree) -> Option<usize> {
    let roots = tree.roots();
    let is_first = |root: &usize| spans.get(*root).is_some_and(|span| span.parent_span_id.is_none());
    let lasting = |root: &usize| spans.get(*root).map_or(0, Brief::duration);
    let longest = || roots.iter().copied().max_by_key(|root| (lasting(root), std::cmp::Reverse(*root)));
    roots.iter().copied().find(is_first).or_else(longest)
}

/// Children come after their parents in the order of rows, so one walk from its end adds up.
fn errors_below(spans: &[Brief], tree: &Tree) -> Vec<u32> {
    let mut below = vec![0_u32; spans.len()];
    for place in tree.preorder().iter().rev() {
        let own = u32::from(spans.get(*place).is_some_and(Brief::is_error));
        let total = below.get(*place).copied().unwrap_or(0) + own;
        if let Some(sum) = tree.parent(*place).and_then(|parent| below.get_mut(parent)) {
            *sum += total;
        }
    }
    below
}

/// Places are 32 bits wide: a trace has fewer spans than that, or its last ones share a number.
fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
