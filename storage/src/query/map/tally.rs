//! Counts calls between parties, and turns them into nodes and edges.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::answer::{Edge, EdgeKind, Node, NodeKind};
use super::{Call, Name, Names};
use crate::model::{SpanId, TimeRange, TraceId, UnixNanos};
use crate::rollup::Sketch;

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

/// Which calls count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) range: TimeRange,
    /// A call that ended since, up to `now`, may lack its other half only because that has not come yet.
    pub(super) settled: UnixNanos,
    pub(super) now: UnixNanos,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instance {
    pub(super) at: u64,
    pub(super) duration: u64,
    pub(super) error: bool,
    pub(super) trace: u128,
    pub(super) span: u64,
}

/// The map, sorted.
#[derive(Debug)]
pub(super) struct Derived {
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge>,
    /// Whether calls were left out that may still find their other half.
    pub(super) open: bool,
}

/// All counts.
#[derive(Debug)]
pub(super) struct Tally {
    names: Names,
    window: Window,
    open: bool,
    /// Who answers at an address; nobody when several do.
    answering: HashMap<Name, Option<Name>>,
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
    pub(super) fn new(mut names: Names, window: Window) -> Self {
        let other = names.number(OTHER);
        let (services, edges, named, answering) = (BTreeMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
        Self { names, window, open: false, answering, other, services, edges, named }
    }

    /// A service was seen.
    pub(super) fn service(&mut self, name: Name, at: u64) {
        if self.window.counts(at) {
            self.services.entry(name).or_default();
        }
    }

    /// A service was asked for something.
    pub(super) fn request(&mut self, name: Name, request: Instance) {
        if self.window.counts(request.at) {
            self.services.entry(name).or_default().add(request.duration, request.error);
        }
    }

    /// A service answered a call to an address, inside of the window or not.
    pub(super) fn answered_at(&mut self, address: Name, service: Name) {
        let known = self.answering.entry(address).or_insert(Some(service));
        if *known != Some(service) {
            *known = None;
        }
    }

    /// Whether the other half of a call that ended then may be on its way.
    pub(super) fn is_open(&mut self, end: u64) -> bool {
        let end = UnixNanos::new(end);
        let open = self.window.settled < end && end <= self.window.now;
        self.open |= open;
        open
    }

    /// One party called another.
    pub(super) fn call(&mut self, from: Party, to: Party, kind: EdgeKind, call: Instance) {
        if !self.window.counts(call.at) {
            return;
        }
        let (from, to) = (self.bounded(from), self.bounded(to));
        let edge = self.edges.entry((from, to, kind)).or_default();
        edge.counts.add(call.duration, call.error);
        let sample = (call.duration, call.trace, call.span);
        if edge.samples.len() < MAX_SAMPLES {
            edge.samples.push(sample);
        }
        edge.slowest = edge.slowest.max(Some(sample));
        if call.error {
            edge.failed = edge.failed.max(Some(sample));
        }
    }

    /// The service that an address belongs to, as far as is known.
    fn service_at(&self, address: Name) -> Option<Name> {
        match self.answering.get(&address) {
            Some(known) => *known,
            None => self.services.contains_key(&address).then_some(address),
        }
    }

    /// Calls that nobody answered, to addresses where a service is known to answer, as calls to that service.
    fn resolve(&mut self) {
        let (resolved, rest): (HashMap<_, _>, _) = std::mem::take(&mut self.edges).into_iter().partition(|((_, to, _), _)| match to {
            Party::External(address, _) => self.service_at(*address).is_some(),
            _ => false,
        });
        self.edges = rest;
        for ((from, to, kind), counts) in resolved {
            let Party::External(address, _) = to else { continue };
            let Some(service) = self.service_at(address) else { continue };
            self.services.entry(service).or_default();
            self.edges.entry((from, Party::Service(service), kind)).or_default().merge(counts);
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

    pub(super) fn finish(mut self) -> Derived {
        self.resolve();
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
        let edges = edges.into_iter().map(|((from, to, kind), counts)| counts.finish(from, to, kind)).collect();
        Derived { nodes, edges, open: self.open }
    }
}

impl Window {
    /// All time has no end.
    fn counts(&self, at: u64) -> bool {
        self.range == TimeRange::ALL || self.range.contains(UnixNanos::new(at))
    }
}

impl Instance {
    /// A call that one span shows.
    pub(super) fn of(span: &Call) -> Self {
        Self { at: span.start, duration: span.duration, error: span.error, trace: span.trace, span: span.span }
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
