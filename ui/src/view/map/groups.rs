//! Services of one namespace as one node, so that many services are seen at once.

use std::collections::{BTreeMap, HashMap, HashSet};

use storage::{Edge, Node, NodeKind, ServiceMap};

use super::Key;

/// A map in which services stand for their namespaces, and the names of the nodes that do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grouped {
    pub(crate) map: ServiceMap,
    /// Namespaces by the name of their node.
    pub(crate) groups: HashMap<String, String>,
}

/// Folds services by their namespace, except those of the namespaces in `open`. Sums are exact; percentiles of a group are those of its
/// slowest part, since percentiles cannot be added.
pub(crate) fn grouped(map: &ServiceMap, namespaces: &HashMap<String, String>, open: &HashSet<String>) -> Grouped {
    let namespace_of = |(name, kind): &Key| {
        let namespace = namespaces.get(name).filter(|_| *kind == NodeKind::Service)?;
        (!open.contains(namespace)).then_some(namespace)
    };
    let mut members: BTreeMap<&str, usize> = BTreeMap::new();
    for node in &map.nodes {
        if let Some(namespace) = namespace_of(&(node.name.clone(), node.kind)) {
            *members.entry(namespace.as_str()).or_default() += 1;
        }
    }
    let name = |namespace: &str| match members.get(namespace) {
        Some(1) | None => format!("{namespace} (1 service)"),
        Some(many) => format!("{namespace} ({many} services)"),
    };
    let shown = |key: &Key| namespace_of(key).map_or_else(|| key.clone(), |namespace| (name(namespace), NodeKind::Service));
    let mut nodes: Vec<Node> = Vec::new();
    for node in &map.nodes {
        let (name, kind) = shown(&(node.name.clone(), node.kind));
        match nodes.iter_mut().find(|known| known.name == name && known.kind == kind) {
            Some(known) => {
                known.requests = known.requests.saturating_add(node.requests);
                known.errors = known.errors.saturating_add(node.errors);
                (known.p50, known.p95, known.p99) = (known.p50.max(node.p50), known.p95.max(node.p95), known.p99.max(node.p99));
            }
            None => nodes.push(Node { name, ..node.clone() }),
        }
    }
    let mut edges: Vec<Edge> = Vec::new();
    for edge in &map.edges {
        let (from, to) = (shown(&edge.from), shown(&edge.to));
        // What a namespace calls within itself is not seen from outside.
        if from == to && edge.from != edge.to {
            continue;
        }
        match edges.iter_mut().find(|known| known.from == from && known.to == to && known.kind == edge.kind) {
            Some(known) => add(known, edge),
            None => edges.push(Edge { from, to, ..edge.clone() }),
        }
    }
    let groups = members.keys().map(|namespace| (name(namespace), (*namespace).to_owned())).collect();
    Grouped { map: ServiceMap { range: map.range, nodes, edges, relays: Vec::new(), stats: map.stats.clone() }, groups }
}

pub(super) fn add(known: &mut Edge, edge: &Edge) {
    // The examples of the part that fails, or else is slower, are the ones to look at.
    if (edge.errors > 0, edge.p95) > (known.errors > 0, known.p95) {
        known.examples.clone_from(&edge.examples);
    }
    known.calls = known.calls.saturating_add(edge.calls);
    known.errors = known.errors.saturating_add(edge.errors);
    (known.p50, known.p95, known.p99) = (known.p50.max(edge.p50), known.p95.max(edge.p95), known.p99.max(edge.p99));
}

#[cfg(test)]
mod tests {
    use storage::EdgeKind;

    use super::*;

    fn edge(from: &str, to: &str, errors: u64) -> Edge {
        let key = |name: &str| (name.to_owned(), NodeKind::Service);
        Edge {
            from: key(from),
            to: key(to),
            kind: EdgeKind::Call,
            calls: 10,
            errors,
            p50: 1,
            p95: 2 + errors,
            p99: 9,
            examples: Vec::new(),
        }
    }

    fn map() -> ServiceMap {
        let node = |name: &str| Node {
            name: name.to_owned(),
            kind: NodeKind::Service,
            system: String::new(),
            requests: 10,
            errors: 1,
            p50: 1,
            p95: 2,
            p99: 3,
        };
        let edges = vec![edge("web", "cart", 0), edge("web", "orders", 3), edge("cart", "orders", 0), edge("orders", "mail", 0)];
        ServiceMap { nodes: ["web", "cart", "orders", "mail"].map(node).into(), edges, ..ServiceMap::default() }
    }

    fn namespaces() -> HashMap<String, String> {
        [("cart", "shop"), ("orders", "shop"), ("mail", "office")].map(|(name, of)| (name.to_owned(), of.to_owned())).into()
    }

    #[test]
    fn a_namespace_is_one_node_with_the_sums_of_its_services() {
        let grouped = grouped(&map(), &namespaces(), &HashSet::new());
        let told = |edge: &Edge| (edge.from.0.clone(), edge.to.0.clone(), edge.calls, edge.errors, edge.p95);
        assert_eq!(
            grouped.map.edges.iter().map(told).collect::<Vec<_>>(),
            [
                ("web".to_owned(), "shop (2 services)".to_owned(), 20, 3, 5),
                ("shop (2 services)".to_owned(), "office (1 service)".to_owned(), 10, 0, 2)
            ]
        );
        assert_eq!(grouped.map.nodes.len(), 3);
        assert_eq!(grouped.groups["shop (2 services)"], "shop");
    }

    #[test]
    fn an_open_namespace_shows_its_services() {
        let open = HashSet::from(["shop".to_owned()]);
        let grouped = grouped(&map(), &namespaces(), &open);
        assert_eq!((grouped.map.nodes.len(), grouped.map.edges.len()), (4, 4));
        assert_eq!(grouped.groups.len(), 1);
    }
}
