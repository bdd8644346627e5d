//! Own time: when a span ran and none of its children did, and what that makes of a service.
//!
//! The one place where it is counted: the page of a trace, the comparison of two and the flame graph say the same.

use super::{Brief, Tree};

/// Per span, the nanoseconds in which none of its children ran.
#[must_use]
pub fn self_times(spans: &[Brief], tree: &Tree) -> Vec<u64> {
    let own = |place| {
        let mut sum = 0;
        own_stretches(spans, tree, place, |from, to| sum += to - from);
        sum
    };
    (0..spans.len()).map(own).collect()
}

/// Per service, the nanoseconds in which at least one of its spans ran and none of that span's children did.
pub(super) fn own_times(spans: &[Brief], tree: &Tree, services: usize) -> Vec<u64> {
    let mut stretches: Vec<Vec<(u64, u64)>> = vec![Vec::new(); services];
    for (place, span) in spans.iter().enumerate() {
        if let Some(of_service) = stretches.get_mut(span.service as usize) {
            own_stretches(spans, tree, place, |from, to| of_service.push((from, to)));
        }
    }
    stretches.iter_mut().map(|of_service| union(of_service)).collect()
}

/// When a span ran and none of its children did: begin and end of each stretch in nanoseconds, in order of time.
fn own_stretches(spans: &[Brief], tree: &Tree, place: usize, mut each: impl FnMut(u64, u64)) {
    let Some(span) = spans.get(place) else { return };
    let mut at = span.start.get();
    let end = span.end.get().max(at);
    let mut without = |child: &Brief| {
        let from = child.start.get().clamp(at, end);
        if from > at {
            each(at, from);
        }
        at = child.end.get().clamp(from, end);
    };
    let children = || tree.children(place).iter().filter_map(|child| spans.get(*child));
    if children().is_sorted_by_key(|child| child.start) {
        children().for_each(&mut without);
    } else {
        // Corrected times may be in another order than those that were sent.
        let mut sorted: Vec<&Brief> = children().collect();
        sorted.sort_by_key(|child| child.start);
        sorted.into_iter().for_each(&mut without);
    }
    if end > at {
        each(at, end);
    }
}

/// How long at least one of the stretches lasts.
fn union(stretches: &mut [(u64, u64)]) -> u64 {
    stretches.sort_unstable();
    let (mut until, mut sum) = (0, 0);
    for (from, to) in stretches.iter() {
        sum += to.saturating_sub((*from).max(until));
        until = until.max(*to);
    }
    sum
}
