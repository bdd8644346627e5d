//! A trace of any size in columns: a few numbers per span, and what follows from them. Built once per trace and version.
//!
//! Owns the order of spans, what every page asks of each, and the words they share. Attributes, events and links are not here: they are
//! read for the spans that are shown.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::model::{Resource, Span, SpanId, SpanKind, StatusCode, TraceId, UnixNanos};

use super::skew::clock_key;
use super::{Finding, Section, Skew, Trace, Tree, critical_path, error_message, findings, own_times, self_times, skew};

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
    /// End as sent; may lie before the start.
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
    self_times: Vec<u64>,
    errors_below: Vec<u32>,
    /// By span, then time.
    path: Vec<Section>,
    messages: HashMap<u32, String>,
    start: UnixNanos,
    duration: u64,
    /// What stands out of the spans alone; looked for once.
    lasting: OnceLock<Vec<Finding>>,
    skew: OnceLock<Skew>,
}

/// Collects spans as they are read.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    rows: Vec<(Brief, u32)>,
    services: Words,
    names: Words,
    clocks: Words,
    /// What failed spans say, by number of the row.
    messages: HashMap<u32, String>,
}

/// Texts by number, each once.
#[derive(Debug, Default)]
struct Words {
    known: HashMap<String, u32>,
    words: Vec<String>,
}

/// Clocks further apart than this are not corrected: one hour.
const MAX_SKEW: u64 = 3_600_000_000_000;

/// Messages of more failed spans are not kept.
const MAX_MESSAGES: usize = 1_000;

// === impl Brief ===

impl Brief {
    /// Nanoseconds from start to end; zero when the end lies before the start.
    #[must_use]
    pub fn duration(&self) -> u64 {
        self.end.since(self.start)
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
        self.self_times.get(span).copied().unwrap_or(0)
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
        let from = self.path.partition_point(|section| section.span < span);
        let to = self.path.partition_point(|section| section.span <= span);
        self.path.get(from..to).unwrap_or_default()
    }

    /// Whether the trace waited for this span at some time.
    #[must_use]
    pub fn is_critical(&self, span: usize) -> bool {
        !self.sections(span).is_empty()
    }

    /// Every section of the critical path, by span.
    #[must_use]
    pub fn path(&self) -> &[Section] {
        &self.path
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
        self.start
    }

    /// Nanoseconds from the earliest start to the latest end.
    #[must_use]
    pub fn duration(&self) -> u64 {
        self.duration
    }

    /// What the trace is about and called by: the earliest span without a parent, as in lists of traces. Where none was received, the
    /// longest of those whose parents are missing, the earliest of equals.
    #[must_use]
    pub fn main_root(&self) -> Option<usize> {
        let roots = self.tree.roots();
        let is_first = |root: &usize| self.spans.get(*root).is_some_and(|span| span.parent_span_id.is_none());
        let lasting = |root: &usize| self.spans.get(*root).map_or(0, Brief::duration);
        let longest = || roots.iter().copied().max_by_key(|root| (lasting(root), std::cmp::Reverse(*root)));
        roots.iter().copied().find(is_first).or_else(longest)
    }

    /// By how much clocks seem to disagree.
    #[must_use]
    pub fn skew(&self) -> &Skew {
        self.skew.get_or_init(|| skew(&self.spans, &self.tree, MAX_SKEW))
    }

    /// The earliest start and the nanoseconds from there to the latest end with clocks corrected; as sent where they agree.
    #[must_use]
    pub fn corrected(&self) -> (UnixNanos, u64) {
        let skew = self.skew();
        if !skew.jumps.iter().any(|jump| jump.applied) {
            return (self.start, self.duration);
        }
        let moved = |time: UnixNanos, by: &i64| time.get().saturating_add_signed(*by);
        let timed = || self.spans.iter().zip(&skew.offsets);
        let start = timed().map(|(span, by)| moved(span.start, by)).min().unwrap_or_default();
        let end = timed().map(|(span, by)| moved(span.end.max(span.start), by)).max().unwrap_or_default();
        (UnixNanos::new(start), end.saturating_sub(start))
    }

    /// What stands out of the spans alone.
    pub(super) fn lasting(&self) -> &[Finding] {
        self.lasting.get_or_init(|| findings::lasting(self))
    }

    /// Bytes in memory, about.
    pub(crate) fn size(&self) -> usize {
        let words: usize = self.services.iter().chain(&self.names).map(|word| word.len() + size_of::<String>()).sum();
        self.spans.len() * BYTES_PER_SPAN + self.path.len() * size_of::<Section>() + words
    }
}

/// A brief, a node of the tree and the entries of all other columns.
const BYTES_PER_SPAN: usize = size_of::<Brief>() + 28 + 16 + 8 + 8 + 4 + 8 + 4 + 8 + 8;

// === impl Collector ===

impl Collector {
    /// The number of a service.
    pub(crate) fn service(&mut self, name: &str) -> u32 {
        self.services.number(name)
    }

    /// The number of a name.
    pub(crate) fn name(&mut self, name: &str) -> u32 {
        self.names.number(name)
    }

    /// The number of the clock of a resource.
    pub(crate) fn clock(&mut self, resource: &Resource) -> u32 {
        self.clocks.number(&clock_key(resource))
    }

    /// Adds a span; `message` is asked for when it failed. Of equal spans the last one added is kept.
    pub(crate) fn add(&mut self, brief: Brief, message: impl FnOnce() -> Option<String>) {
        let row = number(self.rows.len());
        if brief.is_error()
            && self.messages.len() < MAX_MESSAGES
            && let Some(message) = message()
        {
            self.messages.insert(row, message);
        }
        self.rows.push((brief, row));
    }

    pub(super) fn add_span(&mut self, span: &Span, clock: u32) {
        let brief = Brief {
            span_id: span.span_id,
            parent_span_id: span.parent_span_id,
            kind: span.kind,
            status: span.status.code,
            start: span.start,
            end: span.end,
            service: self.service(span.service_name()),
            name: self.name(&span.name),
            clock,
            events: u32::try_from(span.events.len()).unwrap_or(u32::MAX),
        };
        self.add(brief, || error_message(span).map(str::to_owned));
    }

    /// The sheet, and for every span the number of the row it came from.
    pub(crate) fn finish(mut self, id: TraceId, complete: bool, notes: Vec<String>) -> (Sheet, Vec<u32>) {
        let key = |(brief, _): &(Brief, u32)| (brief.start, brief.span_id, brief.kind.number());
        self.rows.sort_by_key(|row| (key(row), std::cmp::Reverse(row.1)));
        let (mut replaced, mut counted) = (0, None);
        self.rows.dedup_by(|again, kept| {
            let is_same = key(again) == key(kept);
            if is_same && again.0 != kept.0 && counted != Some(key(kept)) {
                counted = Some(key(kept));
                replaced += 1;
            }
            is_same
        });
        let rows: Vec<u32> = self.rows.iter().map(|(_, row)| *row).collect();
        let spans: Vec<Brief> = self.rows.into_iter().map(|(brief, _)| brief).collect();
        let taken = std::mem::take(&mut self.messages);
        let said = rows.iter().enumerate().filter(|(place, _)| spans.get(*place).is_some_and(Brief::is_error));
        let messages = said.filter_map(|(place, row)| Some((number(place), taken.get(row)?.clone()))).collect();
        let words = (self.services.words, self.names.words);
        (Sheet { replaced, ..sheet(id, spans, words, messages, (complete, notes)) }, rows)
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
    let mut path = critical_path(&spans, &tree);
    path.sort_unstable_by_key(|section| (section.span, section.from));
    let start = spans.iter().map(|span| span.start).min().unwrap_or_default();
    let end = spans.iter().map(|span| span.end.max(span.start)).max().unwrap_or_default();
    Sheet {
        id,
        self_times: self_times(&spans, &tree),
        errors_below: errors_below(&spans, &tree),
        start,
        duration: end.since(start),
        lasting: OnceLock::new(),
        skew: OnceLock::new(),
        tree,
        rank,
        path,
        messages,
        spans,
        services,
        names,
        complete,
        notes,
        replaced: 0,
    }
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

// === impl Words ===

impl Words {
    fn number(&mut self, word: &str) -> u32 {
        if let Some(known) = self.known.get(word) {
            return *known;
        }
        let next = number(self.words.len());
        self.words.push(word.to_owned());
        self.known.insert(word.to_owned(), next);
        next
    }
}
