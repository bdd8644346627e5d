//! How a map differs from the one of the window before: what is new, what is gone, and what has other numbers by more than chance.

use storage::{Edge, EdgeKind, Node, ServiceMap};

use super::shown;
use crate::view::chance::{CERTAIN, margin, share};
use crate::view::format;

/// What became of a dependency or a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) is_new: bool,
    /// `failed 1 % → 5 %`, `p95 2 ms → 9 ms` and `4/s → 12/s`; empty for what is as it was.
    pub(crate) failed: String,
    pub(crate) p95: String,
    pub(crate) rate: String,
    pub(crate) is_worse: bool,
    /// Whether it fails less.
    pub(crate) is_mended: bool,
}

/// How often, how many failed, and how long they took.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    calls: u64,
    errors: u64,
    p50: u64,
    p95: u64,
    p99: u64,
}

// === impl Change ===

impl Change {
    /// Each difference as class and words.
    pub(crate) fn parts(&self) -> Vec<(&'static str, String)> {
        let new = if self.is_new { "new" } else { "" };
        let parts = [("", new), (self.failing(), &self.failed), ("", &self.p95), ("", &self.rate)];
        parts.into_iter().filter(|(_, part)| !part.is_empty()).map(|(class, part)| (class, part.to_owned())).collect()
    }

    pub(crate) fn words(&self) -> String {
        self.parts().into_iter().map(|(_, part)| part).collect::<Vec<_>>().join(", ")
    }

    /// The class of what became of failures: what got better is not in the colour of failure.
    pub(super) fn failing(&self) -> &'static str {
        if self.is_mended { "good" } else { "bad" }
    }

    /// `None` for what is as it was, or differs by chance.
    fn between(old: Numbers, now: Numbers, window: u64) -> Option<Self> {
        let mut change = Self::default();
        let is_many = now.calls >= FEWEST && old.calls >= FEWEST;
        if is_many && (now.fails_more(old) || old.fails_more(now)) {
            change.failed = format!("failed {} → {}", format::percent(old.errors, old.calls), format::percent(now.errors, now.calls));
            change.is_mended = old.fails_more(now);
            change.is_worse |= !change.is_mended;
        }
        if is_many && (now.is_slower(old) || old.is_slower(now)) {
            change.p95 = format!("p95 {} → {}", format::duration(old.p95), format::duration(now.p95));
            change.is_worse |= now.is_slower(old);
        }
        if now.is_more(old) || old.is_more(now) {
            change.rate = format!("{} → {}", format::rate(old.calls, window), format::rate(now.calls, window));
        }
        (change != Self::default()).then_some(change)
    }
}

// === impl Numbers ===

impl Numbers {
    fn failed(self) -> f64 {
        share(self.errors, self.calls)
    }

    /// Whether a greater share fails: by a point, and by more than chance. One or two failures may be chance however few fail elsewhere.
    fn fails_more(self, other: Self) -> bool {
        let may_be = margin((self.errors, other.errors), (self.calls, other.calls));
        self.errors >= FEW && self.failed() - other.failed() >= may_be.max(0.01)
    }

    /// Whether calls take longer: one in twenty by half and two milliseconds, and by more than chance. How many took longer than some time is
    /// known at percentiles alone, so either half of these calls took longer than one in twenty of the others, or one in twenty of these
    /// longer than one in a hundred of the others, and these shares must differ by more than chance.
    fn is_slower(self, other: Self) -> bool {
        let is_beyond_chance = |part: u64, other_part: u64| {
            let difference = share(1, part) - share(1, other_part);
            difference >= margin((self.calls / part, other.calls.div_ceil(other_part)), (self.calls, other.calls))
        };
        self.p95 > other.p95.saturating_mul(3) / 2
            && self.p95 - other.p95 >= 2_000_000
            && (self.p50 > other.p95 && is_beyond_chance(2, 20) || self.p95 > other.p99 && is_beyond_chance(20, 100))
    }

    /// Whether there are twice as many: numbers of calls have a standard error of their root.
    fn is_more(self, other: Self) -> bool {
        let may_be = CERTAIN * share(self.calls.saturating_add(other.calls), 1).sqrt();
        self.calls >= FEWEST && self.calls >= other.calls.saturating_mul(2) && share(self.calls - other.calls, 1) >= may_be
    }
}

impl From<&Edge> for Numbers {
    fn from(edge: &Edge) -> Self {
        Self { calls: edge.calls, errors: edge.errors, p50: edge.p50, p95: edge.p95, p99: edge.p99 }
    }
}

impl From<&Node> for Numbers {
    fn from(node: &Node) -> Self {
        Self { calls: node.requests, errors: node.errors, p50: node.p50, p95: node.p95, p99: node.p99 }
    }
}

/// How an edge differs from the window before; `None` when it does not, or when that window holds nothing.
pub(super) fn change(edge: &Edge, before: &ServiceMap, window: u64) -> Option<Change> {
    if before.edges.is_empty() {
        return None;
    }
    let Some(old) = twin(edge, before) else { return Some(Change { is_new: true, ..Change::default() }) };
    Change::between(old.into(), edge.into(), window)
}

/// The same of a node.
pub(super) fn of_node(node: &Node, before: &ServiceMap, window: u64) -> Option<Change> {
    if before.edges.is_empty() {
        return None;
    }
    let Some(old) = before.nodes.iter().find(|old| old.name == node.name && old.kind == node.kind) else {
        return Some(Change { is_new: true, ..Change::default() });
    };
    Change::between(old.into(), node.into(), window)
}

/// By how much more of an edge fails than before.
fn risen(edge: &Edge, before: &ServiceMap) -> f64 {
    let failed = |edge: &Edge| Numbers::from(edge).failed();
    failed(edge) - twin(edge, before).map_or(0.0, failed)
}

/// What became of all dependencies in words, and whether any is worse; `when` is the window before.
pub(crate) fn compared(map: &ServiceMap, before: &ServiceMap, window: u64, when: &str) -> Option<(String, bool)> {
    if before.edges.is_empty() {
        return None;
    }
    let changes: Vec<(&Edge, Change)> = map.edges.iter().filter_map(|edge| Some((edge, change(edge, before, window)?))).collect();
    let mut worse: Vec<&(&Edge, Change)> = changes.iter().filter(|(_, change)| change.is_worse).collect();
    // What fails more than before comes first, as far as it does: nearest to where that starts the share is the greatest.
    worse.sort_by(|(a, _), (b, _)| risen(b, before).total_cmp(&risen(a, before)));
    let named = |(edge, change): &&(&Edge, Change)| {
        let how = if edge.kind == EdgeKind::Message { "sends to" } else { "calls" };
        format!("{} {how} {} ({})", shown(&edge.from, map), shown(&edge.to, map), change.words())
    };
    let mut said = if worse.is_empty() {
        format!("Nothing is worse than in the window before ({when}) by more than chance.")
    } else {
        let mut all: Vec<String> = worse.iter().take(MAX_NAMED).map(named).collect();
        let more = worse.len().saturating_sub(MAX_NAMED);
        all.extend((more > 0).then(|| format!("and {more} more")));
        let are = format::counted(worse.len() as u64, "dependency is", "dependencies are");
        format!("{are} worse than in the window before ({when}): {}.", all.join("; "))
    };
    let new = changes.iter().filter(|(_, change)| change.is_new).count() as u64;
    let other = (changes.len() - worse.len()) as u64 - new;
    if new > 0 {
        said.push_str(&format!(" {}.", format::counted(new, "is new", "are new")));
    }
    if other > 0 {
        said.push_str(&format!(" {} without being worse.", format::counted(other, "differs", "differ")));
    }
    Some((said, !worse.is_empty()))
}

/// Dependencies of the window before that are no more: both names.
pub(crate) fn gone(map: &ServiceMap, before: &ServiceMap) -> Vec<(String, String)> {
    let lost = before.edges.iter().filter(|old| old.calls >= FEWEST && twin(old, map).is_none());
    lost.take(MAX_GONE).map(|old| (shown(&old.from, before), shown(&old.to, before))).collect()
}

/// The same dependency in another map.
pub(super) fn twin<'a>(edge: &Edge, map: &'a ServiceMap) -> Option<&'a Edge> {
    map.edges.iter().find(|other| other.from == edge.from && other.to == edge.to && other.kind == edge.kind)
}

/// Fewer calls say nothing about a change, nor do fewer failures.
const FEWEST: u64 = 20;
const FEW: u64 = 3;

/// Dependencies that are named: lost ones, and worse ones.
const MAX_GONE: usize = 20;
const MAX_NAMED: usize = 3;

#[cfg(test)]
mod tests;
