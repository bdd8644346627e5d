//! Calls by caller and called, as an answer has them, and which of them lead past a queue.

use std::collections::{BTreeMap, BTreeSet};

use super::super::answer::{Edge, EdgeKind, NodeKind};
use super::tally::ids_of;
use crate::calls::{Sums, Way};

/// A node by name and kind.
pub(super) type Named = (String, NodeKind);

type Key = (Named, Named, EdgeKind);

/// What is known of calls by caller, called and kind.
type Edges = BTreeMap<Key, Sums>;

/// The calls of a window, or of a part of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ways {
    edges: Edges,
    relays: Edges,
}

impl Ways {
    pub(super) fn add(&mut self, way: Way, (from, to): (Named, Named), sums: &Sums) {
        let same_way = if way == Way::Relay { &mut self.relays } else { &mut self.edges };
        same_way.entry((from, to, kind(way))).or_default().merge(sums);
    }

    /// Edges and relays, sorted.
    pub(super) fn finish(self) -> (Vec<Edge>, Vec<Edge>) {
        let all = |sums: Edges| sums.into_iter().map(|((from, to, kind), sums)| edge(sums, from, to, kind)).collect();
        (all(self.edges), all(self.relays))
    }
}

/// What consumers take from queues that one service alone sends to: it comes from there, whether or not they descend from the sender. What is
/// so of the whole is so of its parts.
pub(super) fn pass_queues(whole: &mut Ways, parts: &mut [Ways]) {
    let senders = only_senders(&whole.edges);
    let calls = |sums: Option<&Sums>| sums.map_or(0, |sums| sums.durations.count());
    let found = from_senders(&whole.edges, &senders);
    let better: BTreeSet<Key> =
        found.into_iter().filter(|(key, sums)| calls(Some(sums)) > calls(whole.relays.get(key))).map(|(key, _)| key).collect();
    for ways in std::iter::once(whole).chain(parts) {
        let mut found = from_senders(&ways.edges, &senders);
        for key in &better {
            match found.remove(key) {
                Some(sums) => ways.relays.insert(key.clone(), sums),
                None => ways.relays.remove(key),
            };
        }
    }
}

/// Queues that one service alone sends to, and that service.
fn only_senders(edges: &Edges) -> BTreeMap<Named, Named> {
    let messages = edges.keys().filter(|(_, _, kind)| *kind == EdgeKind::Message);
    let mut senders: BTreeMap<&Named, Option<&Named>> = BTreeMap::new();
    for (from, to, _) in messages.filter(|(from, to, _)| from.1 == NodeKind::Service && to.1 == NodeKind::Queue) {
        senders.entry(to).and_modify(|only| *only = None).or_insert(Some(from));
    }
    senders.into_iter().filter_map(|(queue, sender)| Some((queue.clone(), sender?.clone()))).collect()
}

fn from_senders(edges: &Edges, senders: &BTreeMap<Named, Named>) -> Edges {
    let mut relays: Edges = BTreeMap::new();
    for ((queue, to, kind), sums) in edges.iter().filter(|((_, _, kind), _)| *kind == EdgeKind::Message) {
        if let Some(sender) = senders.get(queue).filter(|sender| *sender != to) {
            relays.entry((sender.clone(), to.clone(), *kind)).or_default().merge(sums);
        }
    }
    relays
}

fn kind(way: Way) -> EdgeKind {
    match way {
        Way::Call => EdgeKind::Call,
        Way::Message | Way::Relay => EdgeKind::Message,
    }
}

fn edge(mut sums: Sums, from: Named, to: Named, kind: EdgeKind) -> Edge {
    let (p50, p95, p99) = (sums.quantile(0.5), sums.quantile(0.95), sums.quantile(0.99));
    sums.samples.sort_unstable();
    let nearest = |wanted: u64| sums.samples.iter().min_by_key(|sample| sample.duration.abs_diff(wanted)).copied();
    let (slowest, failed) = (sums.samples.last().copied(), sums.samples.iter().rfind(|sample| sample.error).copied());
    // Where calls failed, the last example is a failed one: better none than another.
    let has_last = sums.errors == 0 || failed.is_some();
    let mut examples = Vec::new();
    for sample in [nearest(p50), nearest(p95), slowest, failed].into_iter().flatten().filter(|_| has_last) {
        if let Some(ids) = ids_of(&sample).filter(|ids| !examples.contains(ids)) {
            examples.push(ids);
        }
    }
    Edge { from, to, kind, calls: sums.durations.count(), errors: sums.errors, p50, p95, p99, examples }
}
