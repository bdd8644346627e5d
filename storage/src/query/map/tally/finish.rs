//! Turns counts between parties into nodes and edges: calls by somebody unknown, answers at addresses, names that are too many.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::super::super::answer::{Node, NodeKind};
use super::super::parts::Part;
use super::super::ways::{self, Named, Ways};
use super::{Derived, Link, MAX_NAMED, Tally, bound, kind_of, name_of, system_of};
use crate::calls::{Name, Party, Sums, Way, slot_of};

impl Tally {
    pub(in super::super) fn finish(mut self) -> Derived {
        let open = self.settle();
        self.edges.retain(|_, sums| sums.durations.count() > 0);
        self.services.retain(|_, sums| sums.rows > 0);
        self.resolve();
        self.fold();
        let mut incoming: HashMap<Named, (Sums, String)> = HashMap::new();
        let (mut whole, mut parts) = (Ways::default(), vec![Ways::default(); self.window.parts.count()]);
        for (((from, to, way), part), sums) in self.edges {
            let node = |party: Party| (name_of(party, &self.names).to_owned(), kind_of(party));
            for (party, called) in [(from, false), (to, true)] {
                if kind_of(party) != NodeKind::Service {
                    let (sum, system) = incoming.entry(node(party)).or_default();
                    let text = system_of(party).filter(|name| *name != self.other).map_or("", |name| self.names.text(name));
                    // Of several systems always the same one.
                    if !text.is_empty() && (system.is_empty() || text < system.as_str()) {
                        text.clone_into(system);
                    }
                    if called {
                        sum.errors += sums.errors;
                        sum.merge_durations(&sums);
                    }
                }
            }
            // The same name under two systems is one node.
            for ways in std::iter::once(&mut whole).chain(parts.get_mut(usize::from(part))) {
                ways.add(way, (node(from), node(to)), &sums);
            }
        }
        let services = self.services.into_iter().map(|(name, sums)| {
            let name = self.names.text(name).to_owned();
            node(&sums, name, NodeKind::Service, String::new())
        });
        let named = incoming.into_iter().map(|((name, kind), (sums, system))| node(&sums, name, kind, system));
        let mut nodes: Vec<_> = services.chain(named).collect();
        nodes.sort_by(|a, b| (&a.name, a.kind).cmp(&(&b.name, b.kind)));
        ways::pass_queues(&mut whole, &mut parts);
        let (edges, relays) = whole.finish();
        let parts = parts.into_iter().map(Ways::finish).collect();
        Derived { nodes, edges, relays, parts, open }
    }

    /// Calls without a caller are by somebody unknown, once it has had the time to come. True when some still wait.
    fn settle(&mut self) -> bool {
        let now = slot_of(self.window.now.get());
        let mut open = false;
        for ((service, slot, part), sums) in std::mem::take(&mut self.orphans) {
            if sums.durations.count() == 0 {
                continue;
            }
            if slot <= now && now - slot <= 1 {
                open = true;
                continue;
            }
            let edge = self.edges.entry(((Party::Unknown, Party::Service(service), Way::Call), part)).or_default();
            edge.merge(&sums);
            bound(edge);
        }
        open
    }

    /// An unanswered call to an address where only one service answered in this window, or to the name of a service, is a call to that
    /// service: its server's half is late, lost or elsewhere.
    fn resolve(&mut self) {
        let mut answering: HashMap<Name, Option<Name>> = HashMap::new();
        for ((address, service), _) in self.answers.iter().filter(|(_, count)| **count > 0) {
            answering.entry(*address).and_modify(|known| *known = None).or_insert(Some(*service));
        }
        let service_at = |address: Name| match answering.get(&address) {
            Some(known) => *known,
            None => self.services.contains_key(&address).then_some(address),
        };
        let target = |link: &Link| if let Party::External(address, _) = link.1 { service_at(address) } else { None };
        let found: Vec<(Link, Part, Name)> = self.edges.keys().filter_map(|(link, part)| Some((*link, *part, target(link)?))).collect();
        for (link, part, service) in found {
            let Some(sums) = self.edges.remove(&(link, part)) else { continue };
            self.services.entry(service).or_default();
            self.edges.entry(((link.0, Party::Service(service), link.2), part)).or_default().merge(&sums);
        }
    }

    /// Of what spans only name, keeps the most called; the rest is counted as one.
    fn fold(&mut self) {
        let mut calls: BTreeMap<NodeKind, HashMap<Party, u64>> = BTreeMap::new();
        for (((from, to, _), _), sums) in &self.edges {
            for party in [from, to].into_iter().filter(|party| system_of(**party).is_some()) {
                *calls.entry(kind_of(*party)).or_default().entry(*party).or_default() += sums.durations.count();
            }
        }
        let mut surplus: HashSet<Party> = HashSet::new();
        for known in calls.into_values().filter(|known| known.len() > MAX_NAMED) {
            let names = &self.names;
            let order = |party: Party| (name_of(party, names), system_of(party).map(|name| names.text(name)));
            let mut known: Vec<(Party, u64)> = known.into_iter().collect();
            known.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| order(a.0).cmp(&order(b.0))));
            surplus.extend(known.into_iter().skip(MAX_NAMED).map(|(party, _)| party));
        }
        let folded: BTreeSet<(Link, Part)> =
            self.edges.keys().filter(|((from, to, _), _)| surplus.contains(from) || surplus.contains(to)).copied().collect();
        for (link, part) in folded {
            let Some(sums) = self.edges.remove(&(link, part)) else { continue };
            let other = |party: Party| if surplus.contains(&party) { party.folded(self.other) } else { party };
            let edge = self.edges.entry(((other(link.0), other(link.1), link.2), part)).or_default();
            edge.merge(&sums);
            bound(edge);
        }
    }
}

fn node(sums: &Sums, name: String, kind: NodeKind, system: String) -> Node {
    let (p50, p95, p99) = (sums.quantile(0.5), sums.quantile(0.95), sums.quantile(0.99));
    Node { name, kind, system, requests: sums.durations.count(), errors: sums.errors, p50, p95, p99 }
}
