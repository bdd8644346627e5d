//! Counts calls between parties, and turns them into nodes and edges.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use super::super::answer::{Edge, Node, NodeKind};
use super::super::scan::Holding;
use super::parts::{Part, Parts};
use crate::calls::{Cell, Fact, Instance, Name, Names, Party, Sample, Subject, Sums, Unit, Way, slot_of};
use crate::model::{SpanId, TimeRange, TraceId, UnixNanos};
use crate::rollup::{MINUTE, bucket_of, minute_of};

mod finish;
mod held;

use self::held::Held;

/// Which calls count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) range: TimeRange,
    /// A call that ended shortly before may lack its other half only because that has not come yet.
    pub(super) now: UnixNanos,
    /// Parts of it that are counted by themselves too.
    pub(super) parts: Parts,
}

/// The map, sorted.
#[derive(Debug, PartialEq)]
pub(super) struct Derived {
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge>,
    pub(super) relays: Vec<Edge>,
    /// The edges and relays of each part of the window, when it has some. All of them together are those above.
    pub(super) parts: Vec<(Vec<Edge>, Vec<Edge>)>,
    /// Whether calls were left out that may still find their other half.
    pub(super) open: bool,
}

/// All counts.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) names: Names,
    window: Window,
    other: Name,
    services: HashMap<Name, Sums>,
    edges: HashMap<(Link, Part), Sums>,
    /// Calls to a service by somebody who was not received, by when they ended.
    orphans: HashMap<(Name, u64, Part), Sums>,
    /// Who answered at an address, and how often.
    answers: HashMap<(Name, Name), u64>,
    held: Held,
}

type Link = (Party, Party, Way);

/// Parties of one kind that spans only name; the others with fewer calls are counted as one.
const MAX_NAMED: usize = 1_000;
/// Different edges while they are counted; beyond, what spans only name is counted as one.
const MAX_EDGES: usize = 100_000;
/// Calls of an edge among which typical ones are looked for.
const MAX_SAMPLES: usize = 256;
const OTHER: &str = "other";
const USER: &str = "user";
pub(super) const UNKNOWN: &str = "unknown caller";

impl Tally {
    /// What it holds is shown by `holding`.
    pub(super) fn new(mut names: Names, window: Window, holding: Holding) -> Self {
        let other = names.number(OTHER);
        let (services, edges, orphans, answers) = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
        Self { names, window, other, services, edges, orphans, answers, held: Held::new(holding) }
    }

    /// Counts what a trace shows inside of the window.
    pub(super) fn add(&mut self, facts: &[Fact]) {
        let window = self.window;
        for fact in facts.iter().filter(|fact| window.counts(time_of(fact))) {
            match *fact {
                Fact::Seen(service, _) => self.services.entry(service).or_default().rows += 1,
                Fact::Request(service, call) => count(self.services.entry(service).or_default(), &call),
                Fact::Call(from, to, way, call) => add(self.edge((from, to, way), window.parts.of(call.at)), &call),
                Fact::Orphan(service, call) => {
                    add(self.orphans.entry((service, ended(&call), window.parts.of(call.at))).or_default(), &call)
                }
                Fact::Answer(address, service, _) => *self.answers.entry((address, service)).or_default() += 1,
            }
        }
        self.show(facts.len());
    }

    /// Takes off what a trace shows in these minutes, which [`Self::add_cells`] counted.
    pub(super) fn take_off(&mut self, facts: &[Fact], minutes: &Range<u64>) {
        let parts = self.window.parts;
        for fact in facts.iter().filter(|fact| minutes.contains(&minute_of(time_of(fact)).into())) {
            match *fact {
                Fact::Seen(service, _) => {
                    let sums = self.services.entry(service).or_default();
                    sums.rows = sums.rows.saturating_sub(1);
                }
                Fact::Request(service, call) => discount(self.services.entry(service).or_default(), &call),
                Fact::Call(from, to, way, call) => discount(self.edge((from, to, way), parts.of(call.at)), &call),
                Fact::Orphan(service, call) => discount(self.orphans.entry((service, ended(&call), parts.of(call.at))).or_default(), &call),
                Fact::Answer(address, service, _) => {
                    let count = self.answers.entry((address, service)).or_default();
                    *count = count.saturating_sub(1);
                }
            }
        }
    }

    /// Takes off what a trace shows inside of the window, which was counted; its calls are no examples any more.
    pub(super) fn take_back(&mut self, facts: &[Fact]) {
        let (window, parts) = (self.window, self.window.parts);
        let counted: Vec<Fact> = facts.iter().filter(|fact| window.counts(time_of(fact))).copied().collect();
        self.take_off(&counted, &(0..u64::MAX));
        for fact in counted {
            let (sums, call) = match fact {
                Fact::Call(from, to, way, call) => (self.edge((from, to, way), parts.of(call.at)), call),
                Fact::Orphan(service, call) => (self.orphans.entry((service, ended(&call), parts.of(call.at))).or_default(), call),
                Fact::Seen(..) | Fact::Request(..) | Fact::Answer(..) => continue,
            };
            let taken = Sample::of(&call);
            sums.samples.retain(|sample| *sample != taken);
        }
    }

    /// Some of the calls by somebody unknown that are still counted, sorted.
    pub(super) fn by_unknown(&self) -> BTreeSet<(TraceId, SpanId)> {
        let there = self.orphans.values().filter(|sums| sums.durations.count() > 0);
        there.flat_map(|sums| &sums.samples).filter_map(ids_of).collect()
    }

    /// How many calls are by somebody unknown.
    pub(super) fn calls_by_unknown(&self) -> u64 {
        self.orphans.values().map(|sums| sums.durations.count()).sum()
    }

    /// Counts cells of a unit. Calls of the traces in `apart` are taken off again, so they are no examples.
    pub(super) fn add_cells(&mut self, unit: &Unit, cells: &[Cell], apart: &HashSet<u128>) {
        let numbers = self.names.take_in(&unit.names);
        let number = |name: Name| numbers.get(name.0 as usize).copied().unwrap_or(name);
        for cell in cells {
            let part = self.window.parts.of(u64::from(cell.minute).saturating_mul(MINUTE));
            let sums = match cell.subject {
                Subject::Service(name) => self.services.entry(number(name)).or_default(),
                Subject::Edge(edge) => {
                    let Some((from, to, way)) = unit.edges.get(edge as usize) else { continue };
                    self.edge((from.renamed(number), to.renamed(number), *way), part)
                }
                Subject::Orphans(name, slot) => self.orphans.entry((number(name), slot, part)).or_default(),
                Subject::Answers(address, name) => {
                    *self.answers.entry((number(address), number(name))).or_default() += cell.sums.rows;
                    continue;
                }
            };
            sums.rows += cell.sums.rows;
            sums.errors += cell.sums.errors;
            sums.merge_durations(&cell.sums);
            sums.samples.extend(cell.sums.samples.iter().filter(|sample| !apart.contains(&sample.trace)));
            bound(sums);
        }
        self.show(cells.len());
    }

    fn edge(&mut self, link: Link, part: Part) -> &mut Sums {
        let (from, to, way) = link;
        let is_known = self.edges.len() < MAX_EDGES || self.edges.contains_key(&(link, part));
        let link = if is_known { link } else { (from.folded(self.other), to.folded(self.other), way) };
        self.edges.entry((link, part)).or_default()
    }
}

impl Window {
    /// All time has no end.
    pub(super) fn counts(&self, at: u64) -> bool {
        self.range == TimeRange::ALL || self.range.contains(UnixNanos::new(at))
    }
}

fn time_of(fact: &Fact) -> u64 {
    match fact {
        Fact::Seen(_, at) | Fact::Answer(_, _, at) => *at,
        Fact::Request(_, call) | Fact::Call(_, _, _, call) | Fact::Orphan(_, call) => call.at,
    }
}

fn ended(call: &Instance) -> u64 {
    slot_of(call.at.saturating_add(call.duration))
}

fn count(sums: &mut Sums, call: &Instance) {
    sums.errors += u64::from(call.error);
    sums.durations.add(bucket_of(call.duration), 1);
    sums.powers.add(call.duration);
}

fn add(sums: &mut Sums, call: &Instance) {
    count(sums, call);
    sums.samples.push(Sample::of(call));
    bound(sums);
}

fn discount(sums: &mut Sums, call: &Instance) {
    sums.errors = sums.errors.saturating_sub(u64::from(call.error));
    if sums.durations.remove(bucket_of(call.duration), 1) {
        sums.powers.remove(call.duration);
    }
}

fn bound(sums: &mut Sums) {
    if sums.samples.len() > 2 * MAX_SAMPLES {
        sums.thin_out(MAX_SAMPLES);
    }
}

fn kind_of(party: Party) -> NodeKind {
    match party {
        Party::Service(_) => NodeKind::Service,
        Party::Database(..) => NodeKind::Database,
        Party::Queue(..) => NodeKind::Queue,
        Party::External(..) => NodeKind::External,
        Party::User | Party::Unknown => NodeKind::User,
    }
}

fn name_of(party: Party, names: &Names) -> &str {
    match party {
        Party::Service(name) | Party::Database(name, _) | Party::Queue(name, _) | Party::External(name, _) => names.text(name),
        Party::User => USER,
        Party::Unknown => UNKNOWN,
    }
}

fn system_of(party: Party) -> Option<Name> {
    match party {
        Party::Database(_, system) | Party::Queue(_, system) | Party::External(_, system) => Some(system),
        Party::Service(_) | Party::User | Party::Unknown => None,
    }
}

pub(super) fn ids_of(sample: &Sample) -> Option<(TraceId, SpanId)> {
    TraceId::from_slice(&sample.trace.to_be_bytes()).zip(SpanId::from_slice(&sample.span.to_be_bytes()))
}
