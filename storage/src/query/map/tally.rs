//! Counts calls between parties, and turns them into nodes and edges.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::answer::{Edge, EdgeKind, Node, NodeKind};
use super::super::sketch::Sketch;
use super::{Name, Names};
use crate::model::{SpanId, TraceId};

/// Who calls or is called. What spans name carries its system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Party {
    Service(Name),
    Database(Name, Name),
    Queue(Name, Name),
    External(Name, Name),
    User,
    /// The caller of a span whose parent was never received.
    Unknown,
}

/// All counts.
#[derive(Debug)]
pub(super) struct Tally {
    names: Names,
    other: Name,
    services: BTreeMap<Name, Counts>,
    edges: HashMap<(Party, Party, EdgeKind), EdgeCounts>,
    named: HashMap<NodeKind, BTreeSet<Party>>,
}

#[derive(Debug, Default)]
struct Counts {
    calls: u64,
    errors: u64,
    durations: Sketch,
}

#[derive(Debug, Default)]
struct EdgeCounts {
    counts: Counts,
    samples: Vec<Sample>,
    slowest: Option<Sample>,
    failed: Option<Sample>,
}

/// A node by name and kind.
type Named = (String, NodeKind);

/// Duration, trace, span.
type Sample = (u64, u128, u64);

/// Parties of one kind that spans only name; further ones are counted as one.
const MAX_NAMED: usize = 1_000;
/// Calls of an edge among which typical ones are looked for.
const MAX_SAMPLES: usize = 256;
const OTHER: &str = "other";
const USER: &str = "user";
const UNKNOWN: &str = "unknown caller";

impl Tally {
    pub(super) fn new(mut names: Names) -> Self {
        let other = names.number(OTHER);
        Self { names, other, services: BTreeMap::new(), edges: HashMap::new(), named: HashMap::new() }
    }

    /// A service was seen.
    pub(super) fn service(&mut self, name: Name) {
        self.services.entry(name).or_default();
    }

    /// A service was asked for something.
    pub(super) fn request(&mut self, name: Name, duration: u64, error: bool) {
        self.services.entry(name).or_default().add(duration, error);
    }

    /// One party called another.
    pub(super) fn call(&mut self, from: Party, to: Party, kind: EdgeKind, duration: u64, error: bool, example: (u128, u64)) {
        let (from, to) = (self.bounded(from), self.bounded(to));
        let edge = self.edges.entry((from, to, kind)).or_default();
        edge.counts.add(duration, error);
        let sample = (duration, example.0, example.1);
        if edge.samples.len() < MAX_SAMPLES {
            edge.samples.push(sample);
        }
        edge.slowest = edge.slowest.max(Some(sample));
        if error {
            edge.failed = edge.failed.max(Some(sample));
        }
    }

    fn bounded(&mut self, party: Party) -> Party {
        let kind = party.kind();
        if matches!(kind, NodeKind::Service | NodeKind::User) {
            return party;
        }
        let known = self.named.entry(kind).or_default();
        if known.contains(&party) {
            return party;
        }
        if known.len() < MAX_NAMED {
            known.insert(party);
            return party;
        }
        match party {
            Party::Database(..) => Party::Database(self.other, self.other),
            Party::Queue(..) => Party::Queue(self.other, self.other),
            _ => Party::External(self.other, self.other),
        }
    }

    pub(super) fn finish(self) -> (Vec<Node>, Vec<Edge>) {
        let mut incoming: HashMap<Named, (Counts, String)> = HashMap::new();
        let mut edges: BTreeMap<(Named, Named, EdgeKind), EdgeCounts> = BTreeMap::new();
        for ((from, to, kind), counts) in self.edges {
            let node = |party: Party| (party.name(&self.names).to_owned(), party.kind());
            for (party, called) in [(from, false), (to, true)] {
                if party.kind() != NodeKind::Service {
                    let (sum, system) = incoming.entry(node(party)).or_default();
                    if let Party::Database(_, name) | Party::Queue(_, name) | Party::External(_, name) = party
                        && name != self.other
                        && let text = self.names.text(name)
                        && !text.is_empty()
                        // Of several systems always the same one.
                        && (system.is_empty() || text < system.as_str())
                    {
                        text.clone_into(system);
                    }
                    if called {
                        sum.merge(&counts.counts);
                    }
                }
            }
            // The same name under two systems is one node.
            edges.entry((node(from), node(to), kind)).or_default().merge(counts);
        }
        let services =
            self.services.into_iter().map(|(name, counts)| counts.node(self.names.text(name).to_owned(), NodeKind::Service, String::new()));
        let named = incoming.into_iter().map(|((name, kind), (counts, system))| counts.node(name, kind, system));
        let mut nodes: Vec<_> = services.chain(named).collect();
        nodes.sort_by(|a, b| (&a.name, a.kind).cmp(&(&b.name, b.kind)));
        (nodes, edges.into_iter().map(|((from, to, kind), counts)| counts.finish(from, to, kind)).collect())
    }
}

impl Party {
    fn kind(self) -> NodeKind {
        match self {
            Self::Service(_) => NodeKind::Service,
            Self::Database(..) => NodeKind::Database,
            Self::Queue(..) => NodeKind::Queue,
            Self::External(..) => NodeKind::External,
            Self::User | Self::Unknown => NodeKind::User,
        }
    }

    fn name(self, names: &Names) -> &str {
        match self {
            Self::Service(name) | Self::Database(name, _) | Self::Queue(name, _) | Self::External(name, _) => names.text(name),
            Self::User => USER,
            Self::Unknown => UNKNOWN,
        }
    }
}

impl Counts {
    fn add(&mut self, duration: u64, error: bool) {
        self.calls += 1;
        self.errors += u64::from(error);
        self.durations.add(duration);
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.durations.merge(&other.durations);
    }

    fn node(self, name: String, kind: NodeKind, system: String) -> Node {
        let (p50, p95) = (self.durations.quantile(0.5), self.durations.quantile(0.95));
        Node { name, kind, system, requests: self.calls, errors: self.errors, p50, p95 }
    }
}

impl EdgeCounts {
    fn merge(&mut self, other: Self) {
        self.counts.merge(&other.counts);
        self.samples.extend(other.samples);
        self.slowest = self.slowest.max(other.slowest);
        self.failed = self.failed.max(other.failed);
    }

    fn finish(mut self, from: Named, to: Named, kind: EdgeKind) -> Edge {
        let quantile = |q| self.counts.durations.quantile(q);
        let (p50, p95, p99) = (quantile(0.5), quantile(0.95), quantile(0.99));
        self.samples.sort_unstable();
        let nearest = |wanted: u64| self.samples.iter().min_by_key(|(duration, ..)| duration.abs_diff(wanted)).copied();
        let mut examples = Vec::new();
        for (_, trace, span) in [nearest(p50), nearest(p95), self.slowest, self.failed].into_iter().flatten() {
            let ids = TraceId::from_slice(&trace.to_be_bytes()).zip(SpanId::from_slice(&span.to_be_bytes()));
            if let Some(ids) = ids.filter(|ids| !examples.contains(ids)) {
                examples.push(ids);
            }
        }
        Edge { from, to, kind, calls: self.counts.calls, errors: self.counts.errors, p50, p95, p99, examples }
    }
}
