//! What can be said of a trace, by place in [`Trace::spans`], computed once per page.

use std::collections::HashMap;

use storage::SpanId;
use storage::trace::{FindingKind, Trace, Tree, critical_path, findings, self_times};

/// All vectors but `order` and `findings` are indexed by the place of a span in its trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outline {
    /// Places, each parent before its children, siblings by start.
    pub(crate) order: Vec<usize>,
    /// Place in `order`.
    pub(crate) rank: Vec<usize>,
    /// The span above, when it was received.
    pub(crate) parent: Vec<Option<usize>>,
    /// Levels above.
    pub(crate) depth: Vec<usize>,
    /// Spans below, without the span itself.
    pub(crate) below: Vec<usize>,
    /// Failed spans below.
    pub(crate) errors_below: Vec<usize>,
    /// Nanoseconds in which no child ran.
    pub(crate) self_time: Vec<u64>,
    /// Stretches of the critical path, as begin and end.
    pub(crate) critical: Vec<Vec<(storage::UnixNanos, storage::UnixNanos)>>,
    /// What stands out, the most telling first: icon, class, sentence and place.
    pub(crate) findings: Vec<(&'static str, &'static str, String, Option<usize>)>,
}

impl Outline {
    /// Looks at a trace from all sides.
    pub(crate) fn new(trace: &Trace) -> Self {
        let (spans, tree) = (&trace.spans, trace.tree());
        let order = tree.preorder().to_vec();
        let mut rank = vec![0; spans.len()];
        for (row, place) in order.iter().enumerate() {
            if let Some(known) = rank.get_mut(*place) {
                *known = row;
            }
        }
        let mut critical = vec![Vec::new(); spans.len()];
        for section in critical_path(spans, &tree) {
            if let Some(sections) = critical.get_mut(section.span) {
                sections.push((section.from, section.to));
            }
        }
        Self {
            parent: (0..spans.len()).map(|place| tree.parent(place)).collect(),
            depth: (0..spans.len()).map(|place| tree.depth(place)).collect(),
            below: (0..spans.len()).map(|place| tree.subtree_size(place).saturating_sub(1)).collect(),
            errors_below: errors_below(trace, &tree, &order),
            self_time: self_times(spans, &tree),
            findings: told(trace, &tree),
            critical,
            order,
            rank,
        }
    }

    /// Whether the trace waited for this span at some time.
    pub(crate) fn is_critical(&self, place: usize) -> bool {
        self.critical.get(place).is_some_and(|sections| !sections.is_empty())
    }

    /// From the root down to the span above `place`.
    pub(crate) fn ancestors(&self, place: usize) -> Vec<usize> {
        let mut above = Vec::new();
        let mut at = place;
        while let Some(parent) = self.parent.get(at).copied().flatten() {
            above.push(parent);
            at = parent;
        }
        above.reverse();
        above
    }
}

/// Children come after their parents in `order`, so one walk from its end adds up.
fn errors_below(trace: &Trace, tree: &Tree, order: &[usize]) -> Vec<usize> {
    let mut below = vec![0_usize; trace.spans.len()];
    for place in order.iter().rev() {
        let own = usize::from(trace.spans.get(*place).is_some_and(storage::Span::is_error));
        let total = below.get(*place).copied().unwrap_or(0) + own;
        if let Some(sum) = tree.parent(*place).and_then(|parent| below.get_mut(parent)) {
            *sum += total;
        }
    }
    below
}

fn told(trace: &Trace, tree: &Tree) -> Vec<(&'static str, &'static str, String, Option<usize>)> {
    let places: HashMap<SpanId, usize> = trace.spans.iter().enumerate().map(|(place, span)| (span.span_id, place)).collect();
    let tell = |finding: storage::trace::Finding| {
        let (icon, class) = match finding.kind {
            FindingKind::ErrorStart { .. } => ("error", "bad"),
            FindingKind::RepeatedCalls { .. } => ("repeat", "warn"),
            FindingKind::CriticalShare { .. } => ("path", "plain"),
            FindingKind::IdleGap { .. } => ("gap", "plain"),
            FindingKind::ClockSkew { .. } => ("clock", "warn"),
            FindingKind::MissingParents { .. } => ("missing", "warn"),
        };
        (icon, class, finding.sentence(), finding.span.and_then(|id| places.get(&id).copied()))
    };
    findings(trace, tree).into_iter().take(MAX_FINDINGS).map(tell).collect()
}

/// More would no longer be a glance.
const MAX_FINDINGS: usize = 6;
