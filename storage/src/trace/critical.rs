//! The critical path: which span the end of a trace waited for, at every moment.

use crate::model::{SpanKind, UnixNanos};

use super::{Brief, Tree};

/// A stretch of time that one span is responsible for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Who is responsible.
    pub span: usize,
    /// Begin.
    pub from: UnixNanos,
    /// End; later than the begin.
    pub to: UnixNanos,
}

/// A span whose children are being gone through, from the last to finish to the first.
#[derive(Debug)]
struct Frame {
    span: usize,
    /// Children, those that finish last at the end.
    children: Vec<usize>,
    /// Up to here the path is not known yet.
    until: u64,
}

/// The critical path of one root, in order of time. Its sections are disjoint and as long together as the root.
///
/// Children count as far as they lie inside their parent. Consumers below producers do not: nobody waited for them.
#[must_use]
pub fn critical_path(spans: &[Brief], tree: &Tree, root: usize) -> Vec<Section> {
    let mut path = Vec::new();
    walk(root, spans, tree, &clamp(spans, tree), &mut path);
    path.reverse();
    path
}

fn walk(root: usize, spans: &[Brief], tree: &Tree, clamped: &[(u64, u64)], path: &mut Vec<Section>) {
    let bounds = |span: usize| clamped.get(span).copied().unwrap_or_default();
    let open = |span: usize| {
        let mut children: Vec<usize> = tree.children(span).iter().copied().filter(|child| waits(spans, span, *child)).collect();
        children.sort_by_key(|child| (bounds(*child).1, std::cmp::Reverse(bounds(*child).0)));
        Frame { span, children, until: bounds(span).1 }
    };
    let mut add = |span: usize, from: u64, to: u64| {
        if from < to {
            path.push(Section { span, from: UnixNanos::new(from), to: UnixNanos::new(to) });
        }
    };
    let mut stack = vec![open(root)];
    while let Some(frame) = stack.last_mut() {
        let Some(child) = frame.children.pop() else {
            let (start, _) = bounds(frame.span);
            add(frame.span, start, frame.until);
            stack.pop();
            continue;
        };
        let (start, end) = bounds(child);
        if end > frame.until || start == end {
            continue;
        }
        add(frame.span, end, frame.until);
        frame.until = start;
        stack.push(open(child));
    }
}

fn waits(spans: &[Brief], parent: usize, child: usize) -> bool {
    !spans.get(parent).zip(spans.get(child)).is_some_and(|(parent, child)| is_handed_over(parent, child))
}

/// Whether a span only takes on what the one above it left for it.
pub(super) fn is_handed_over(parent: &Brief, child: &Brief) -> bool {
    parent.kind == SpanKind::Producer && child.kind == SpanKind::Consumer
}

/// Start and end of every span as far as it lies inside all of those above it that wait for it.
fn clamp(spans: &[Brief], tree: &Tree) -> Vec<(u64, u64)> {
    let mut clamped = vec![(0, 0); spans.len()];
    for place in tree.preorder() {
        let Some(span) = spans.get(*place) else { continue };
        let (start, end) = (span.start.get(), span.end.get().max(span.start.get()));
        let above = tree.parent(*place).filter(|parent| waits(spans, *parent, *place));
        let (from, to) = above.and_then(|parent| clamped.get(parent).copied()).unwrap_or((start, end));
        if let Some(slot) = clamped.get_mut(*place) {
            *slot = (start.clamp(from, to), end.clamp(from, to));
        }
    }
    clamped
}
