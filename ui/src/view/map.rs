//! The map of services: who calls whom, drawn from left to right, with a table that says the same.

use std::collections::HashSet;

use askama::Template;
use storage::{Edge, Node, NodeKind, ServiceMap, TimeRange};

use super::chart::Bars;
use super::colour::{Chip, Palette};
use super::format;
use super::frame::Frame;
use super::link::{Address, Links};

mod change;
mod drawing;
mod edge;
mod facts;
mod groups;
mod layout;
mod made;
mod named;
mod spokes;

pub(crate) use self::change::{compared, gone};
pub(crate) use self::drawing::{Drawing, Picture};
pub(crate) use self::edge::{EdgePanel, address, panel};
pub(crate) use self::facts::Facts;
pub(crate) use self::groups::{Grouped, grouped};
pub(crate) use self::made::Made;
pub(crate) use self::named::{find, find_edge, written};
pub(crate) use self::spokes::spokes;

/// `/map`.
#[derive(Debug, Default, Template)]
#[template(path = "map.html")]
pub(crate) struct Map {
    pub(crate) frame: Frame,
    pub(crate) drawing: Option<Drawing>,
    /// Requests to all services over time: a bar leads to the map of its part.
    pub(crate) requests: Option<Bars>,
    /// What that is called: of the service in focus, where there is one.
    pub(crate) requests_to: String,
    /// Whether some arrows are drawn faintly and without a card.
    pub(crate) has_rare: bool,
    /// Why there is no drawing although there are calls, or what is left out of it, and maps that can be drawn.
    pub(crate) no_drawing: String,
    pub(crate) instead: Vec<(String, String)>,
    pub(crate) calls: Vec<Call>,
    /// Services without calls, and where they lead.
    pub(crate) tray: Vec<(Chip, String)>,
    /// `6 services, 7 dependencies`.
    pub(crate) summary: String,
    /// The dependency that is selected.
    pub(crate) panel: Option<EdgePanel>,
    /// Whether it is compared with the window before.
    pub(crate) is_compared: bool,
    /// What became of the calls in all, and whether any are worse.
    pub(crate) compared: Option<(String, bool)>,
    /// Calls that are no more.
    pub(crate) gone: Vec<(String, String)>,
    /// Switches of the page: word, address, whether on.
    pub(crate) switches: Vec<(&'static str, String, bool)>,
    /// Open namespaces, and the page with them folded again.
    pub(crate) open: Vec<(String, String)>,
    /// Orders of the table: word, address, whether it is the present one.
    pub(crate) orders: Vec<(&'static str, String, bool)>,
    /// The node in focus, and how far around it the map reaches.
    pub(crate) focus: String,
    /// Its name as far as a button has room for it.
    pub(crate) short: String,
    pub(crate) hops: usize,
    /// The page of the service in focus; empty for none.
    pub(crate) service: String,
    /// Nodes that may be focused, as addresses name them.
    pub(crate) names: Vec<String>,
    pub(crate) hidden: Vec<(String, String)>,
    pub(crate) whole: String,
    pub(crate) notes: Vec<String>,
    /// How groups are read.
    pub(crate) hint: &'static str,
    /// Whether someone calls who sends no spans.
    pub(crate) has_user: bool,
    pub(crate) otherwise: Vec<(String, String)>,
    /// Why no calls are listed.
    pub(crate) nothing: String,
    pub(crate) json: String,
}

/// One row of the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) facts: Facts,
    /// A call to look at.
    pub(crate) example: String,
    /// Its panel.
    pub(crate) panel: String,
}

/// What the table begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    #[default]
    Calls,
    Failures,
    Slowest,
    Share,
}

/// A node by name and kind, as edges name it.
pub(crate) type Key = (String, NodeKind);

/// The nodes within `hops` of `focus`, and the edges between them; everything without focus.
pub(crate) fn around(map: &ServiceMap, focus: Option<&Key>, hops: usize) -> ServiceMap {
    let Some(focus) = focus else { return map.clone() };
    let mut near: HashSet<&Key> = HashSet::from([focus]);
    for _ in 0..hops {
        let next: Vec<&Key> = map
            .edges
            .iter()
            .filter(|edge| near.contains(&edge.from) || near.contains(&edge.to))
            .flat_map(|edge| [&edge.from, &edge.to])
            .collect();
        near.extend(next);
    }
    ServiceMap {
        range: map.range,
        nodes: map.nodes.iter().filter(|node| near.iter().any(|(name, kind)| *name == node.name && *kind == node.kind)).cloned().collect(),
        edges: map.edges.iter().filter(|edge| near.contains(&edge.from) && near.contains(&edge.to)).cloned().collect(),
        relays: Vec::new(),
        stats: map.stats.clone(),
    }
}

/// Services alone, without what sends no spans itself: what goes through a queue leads from its sender to its consumer.
pub(crate) fn services_only(map: &ServiceMap) -> ServiceMap {
    let stays = |kind: NodeKind| matches!(kind, NodeKind::Service | NodeKind::User);
    let mut edges: Vec<Edge> = map.edges.iter().filter(|edge| stays(edge.from.1) && stays(edge.to.1)).cloned().collect();
    for relay in &map.relays {
        match edges.iter_mut().find(|edge| edge.from == relay.from && edge.to == relay.to && edge.kind == relay.kind) {
            Some(known) => groups::add(known, relay),
            None => edges.push(relay.clone()),
        }
    }
    edges.sort_by(|a, b| (&a.from, &a.to, a.kind).cmp(&(&b.from, &b.to, b.kind)));
    ServiceMap {
        range: map.range,
        nodes: map.nodes.iter().filter(|node| stays(node.kind)).cloned().collect(),
        edges,
        relays: Vec::new(),
        stats: map.stats.clone(),
    }
}

/// Whether calls are few of all that their caller makes, and none failed.
pub(crate) fn is_rare(edge: &Edge, made: &Made) -> bool {
    edge.errors == 0 && edge.calls < made.by(&edge.from) / RARE
}

/// Calls are rare below one in so many of their caller.
const RARE: u64 = 50;

/// A map without some of its calls, and without the nodes that only these reach.
pub(crate) fn without(map: &ServiceMap, left_out: &HashSet<(Key, Key)>) -> ServiceMap {
    let is_left_out = |edge: &&Edge| left_out.contains(&(edge.from.clone(), edge.to.clone()));
    let lost = ends(map.edges.iter().filter(is_left_out));
    let kept = ends(map.edges.iter().filter(|edge| !is_left_out(edge)));
    let stays = |node: &&Node| {
        let key = (node.name.clone(), node.kind);
        kept.contains(&key) || !lost.contains(&key)
    };
    ServiceMap {
        range: map.range,
        nodes: map.nodes.iter().filter(stays).cloned().collect(),
        edges: map.edges.iter().filter(|edge| !is_left_out(edge)).cloned().collect(),
        relays: map.relays.clone(),
        stats: map.stats.clone(),
    }
}

/// The nodes that calls lead from and to.
fn ends<'a>(edges: impl Iterator<Item = &'a Edge>) -> HashSet<Key> {
    edges.flat_map(|edge| [edge.from.clone(), edge.to.clone()]).collect()
}

/// The table: every dependency of the part that is shown, in an order.
pub(crate) fn calls(
    (map, made): (&ServiceMap, &Made),
    before: Option<&ServiceMap>,
    range: TimeRange,
    order: Order,
    (links, page): (&Links, &Address),
) -> Vec<Call> {
    let window = range.to.since(range.from);
    let mut edges: Vec<&Edge> = map.edges.iter().collect();
    edges.sort_by(|a, b| {
        let share = |edge: &Edge, of: u64, whole: u64| if edge.calls == 0 { 0.0 } else { format::ratio(of, whole.max(1)) };
        let by_order = match order {
            Order::Calls => std::cmp::Ordering::Equal,
            Order::Failures => share(b, b.errors, b.calls).total_cmp(&share(a, a.errors, a.calls)),
            Order::Slowest => b.p95.cmp(&a.p95),
            Order::Share => share(b, b.calls, made.by(&b.from)).total_cmp(&share(a, a.calls, made.by(&a.from))),
        };
        by_order.then(b.calls.cmp(&a.calls))
    });
    let call = |edge: &&Edge| Call {
        facts: Facts::new(edge, (map, made), before, window),
        example: super::services::example(edge, links),
        panel: address(page, edge),
    };
    edges.iter().take(MAX_CALLS).map(call).collect()
}

/// The name of a node; databases say what they are, since they often have the name of their service, or a number.
pub(crate) fn shown((name, kind): &Key, map: &ServiceMap) -> String {
    let node = map.nodes.iter().find(|node| node.name == *name && node.kind == *kind);
    let system = node.filter(|_| *kind == NodeKind::Database).map_or("", |node| node.system.as_str());
    if system.is_empty() || name.contains(system) { format::name(name) } else { format::name(&format!("{system} {name}")) }
}

/// Services that neither call nor are called.
pub(crate) fn tray(map: &ServiceMap, links: &Links, palette: &Palette) -> Vec<(Chip, String)> {
    let linked: HashSet<(&str, NodeKind)> =
        map.edges.iter().flat_map(|edge| [(edge.from.0.as_str(), edge.from.1), (edge.to.0.as_str(), edge.to.1)]).collect();
    let alone = |node: &&Node| node.kind == NodeKind::Service && !linked.contains(&(node.name.as_str(), node.kind));
    map.nodes.iter().filter(alone).map(|node| (palette.chip(&node.name), links.service(&node.name).href())).collect()
}

/// `6 services, 2 other systems, 7 dependencies`.
pub(crate) fn summary(map: &ServiceMap) -> String {
    let services = map.nodes.iter().filter(|node| node.kind == NodeKind::Service).count();
    let others = map.nodes.iter().filter(|node| !matches!(node.kind, NodeKind::Service | NodeKind::User)).count();
    let mut parts = vec![format::counted(services as u64, "service", "services")];
    if others > 0 {
        parts.push(format::counted(others as u64, "other system", "other systems"));
    }
    parts.push(format::counted(map.edges.len() as u64, "dependency", "dependencies"));
    parts.join(", ")
}

// === impl Order ===

impl Order {
    /// Words of the address.
    pub(crate) const WORDS: [(&'static str, Self); 4] =
        [("calls", Self::Calls), ("failed", Self::Failures), ("p95", Self::Slowest), ("share", Self::Share)];

    /// The orders as links; `page` is the map without one.
    pub(crate) fn list(self, page: &Address) -> Vec<(&'static str, String, bool)> {
        let labels = ["Calls", "Failed", "p95", "Share"];
        let link = |(label, (word, order)): (&'static str, (&'static str, Self))| {
            let word = if order == Self::Calls { "" } else { word };
            (label, format!("{}#calls", page.clone().with("sort", word).href()), order == self)
        };
        labels.into_iter().zip(Self::WORDS).map(link).collect()
    }

    /// The word of the address.
    pub(crate) fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, order)| *order == self).map_or("", |(word, _)| word)
    }
}

/// Keys of nodes that take part in calls, in order.
pub(crate) fn keys(map: &ServiceMap) -> Vec<Key> {
    let mut keys: Vec<Key> = map.edges.iter().flat_map(|edge| [edge.from.clone(), edge.to.clone()]).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// Whether someone calls who sends no spans.
pub(crate) fn has_user(map: &ServiceMap) -> bool {
    map.edges.iter().any(|edge| edge.from.1 == NodeKind::User)
}

/// More nodes are shown as a table until one is focused.
pub(crate) const MAX_NODES: usize = 150;

/// Rows of the table.
const MAX_CALLS: usize = 500;

#[cfg(test)]
mod tests;
