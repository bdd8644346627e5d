//! Which spans of a trace a span hangs on: its parent, and its nearest ancestor that crosses a process.
//!
//! Owns the way up and how far apart spans may start on it. What calls that makes is up to the rules beside.

use super::super::{Call, Kind};

/// For each span its parent and its nearest ancestor that crosses a process, so far as they start near it.
pub(super) fn seen_within(spans: &[Call], reach: u64) -> (Vec<Option<usize>>, Vec<Option<usize>>) {
    let parents: Vec<_> = spans.iter().enumerate().map(|(i, span)| parent_of(spans, i, span, reach)).collect();
    let crossings = crossings(spans, &parents, reach);
    (parents, crossings)
}

fn parent_of(spans: &[Call], i: usize, span: &Call, reach: u64) -> Option<usize> {
    if span.parent == 0 || span.parent == span.span {
        return None;
    }
    let first = spans.partition_point(|call| call.span < span.parent);
    let same = spans.get(first..)?.iter().zip(first..).take_while(|(call, _)| call.span == span.parent);
    same.filter(|(call, at)| *at != i && call.start.abs_diff(span.start) <= reach).map(|(_, at)| at).next()
}

/// The way up from a span to the nearest ancestor that crosses a process: where it is, and between which times everything on the way starts.
#[derive(Clone, Copy)]
struct Climb {
    found: usize,
    earliest: u64,
    latest: u64,
}

/// For each span its nearest ancestor that crosses a process, in one pass over the tree, also when parents go in circles. Everything on
/// the way is near the span.
fn crossings(spans: &[Call], parents: &[Option<usize>], reach: u64) -> Vec<Option<usize>> {
    let mut known: Vec<Option<Option<Climb>>> = vec![None; spans.len()];
    let mut path = Vec::new();
    let mut on_path = vec![false; spans.len()];
    for start in 0..spans.len() {
        let mut at = start;
        let mut found = loop {
            if let Some(found) = known.get(at).copied().flatten() {
                break found;
            }
            if on_path.get(at).copied().unwrap_or(true) {
                break None;
            }
            path.push(at);
            if let Some(mark) = on_path.get_mut(at) {
                *mark = true;
            }
            let Some(parent) = parents.get(at).copied().flatten() else { break None };
            let Some(above) = spans.get(parent) else { break None };
            if above.kind != Kind::Other {
                break Some(Climb { found: parent, earliest: u64::MAX, latest: 0 });
            }
            at = parent;
        };
        for passed in path.drain(..).rev() {
            // The parent of what was passed is on the way too.
            let above = parents.get(passed).copied().flatten().and_then(|parent| spans.get(parent));
            found = found.zip(above).map(|(climb, above)| Climb {
                earliest: climb.earliest.min(above.start),
                latest: climb.latest.max(above.start),
                ..climb
            });
            if let Some(place) = known.get_mut(passed) {
                *place = Some(found);
            }
            if let Some(mark) = on_path.get_mut(passed) {
                *mark = false;
            }
        }
    }
    let is_near = |time: u64, span: &Call| time.abs_diff(span.start) <= reach;
    let reached = |(span, climb): (&Call, Option<Option<Climb>>)| {
        climb.flatten().filter(|climb| is_near(climb.earliest, span) && is_near(climb.latest, span)).map(|climb| climb.found)
    };
    spans.iter().zip(known).map(reached).collect()
}
