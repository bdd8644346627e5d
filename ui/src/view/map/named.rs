//! How addresses name nodes of the map. A database often has the name of a service, so all that are not services say what they are.

use storage::{Edge, NodeKind, ServiceMap};

use super::Key;

/// A node as addresses have it: the name of a service, `database:users`, `queue:mails`.
pub(crate) fn written((name, kind): &Key) -> String {
    if *kind == NodeKind::Service && parted(name).is_none() { name.clone() } else { format!("{}:{name}", kind.as_str()) }
}

/// The node that an address means. A name alone is that of a service, and of something else only where no service has it.
pub(crate) fn find(map: &ServiceMap, text: &str) -> Option<Key> {
    let of_edges = map.edges.iter().flat_map(|edge| [edge.from.clone(), edge.to.clone()]);
    let keys = map.nodes.iter().map(|node| (node.name.clone(), node.kind)).chain(of_edges);
    keys.filter_map(|key| Some((rank(&key, text)?, key))).min().map(|(_, key)| key)
}

/// The dependency between two nodes that an address names.
pub(crate) fn find_edge<'a>(map: &'a ServiceMap, (from, to): (&str, &str)) -> Option<&'a Edge> {
    let ranked = map.edges.iter().filter_map(|edge| Some(((rank(&edge.from, from)?, rank(&edge.to, to)?), edge)));
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, edge)| edge)
}

/// How well a text names a node, the best first; `None` when it does not.
fn rank(key: &Key, text: &str) -> Option<u8> {
    if parted(text).is_some_and(|(kind, name)| (name, kind) == (key.0.as_str(), key.1)) || written(key) == text {
        return Some(0);
    }
    (key.0 == text).then_some(1)
}

fn parted(text: &str) -> Option<(NodeKind, &str)> {
    let (word, name) = text.split_once(':')?;
    KINDS.into_iter().find(|kind| kind.as_str() == word).map(|kind| (kind, name))
}

const KINDS: [NodeKind; 5] = [NodeKind::Service, NodeKind::Database, NodeKind::Queue, NodeKind::External, NodeKind::User];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use storage::EdgeKind;

    use super::*;

    fn map(keys: &[Key]) -> ServiceMap {
        let from = ("orders".to_owned(), NodeKind::Service);
        let edge = |to: &Key| Edge {
            from: from.clone(),
            to: to.clone(),
            kind: EdgeKind::Call,
            calls: 1,
            errors: 0,
            p50: 1,
            p95: 1,
            p99: 1,
            examples: Vec::new(),
        };
        ServiceMap { edges: keys.iter().map(edge).collect(), ..ServiceMap::default() }
    }

    #[test]
    fn a_database_with_the_name_of_a_service_has_an_address_of_its_own() {
        let (service, database) = (("users".to_owned(), NodeKind::Service), ("users".to_owned(), NodeKind::Database));
        let both = map(&[database.clone(), service.clone()]);
        assert_eq!((written(&service), written(&database)), ("users".to_owned(), "database:users".to_owned()));
        assert_eq!(find(&both, "users"), Some(service.clone()));
        assert_eq!(find(&both, "database:users"), Some(database.clone()));
        assert_eq!(find_edge(&both, ("orders", "database:users")).map(|edge| &edge.to), Some(&database));
        assert_eq!(find_edge(&both, ("orders", "users")).map(|edge| &edge.to), Some(&service));
        // Addresses of before kinds were written.
        let alone = map(std::slice::from_ref(&database));
        assert_eq!(find(&alone, "users"), Some(database.clone()));
        assert_eq!(find_edge(&alone, ("orders", "users")).map(|edge| &edge.to), Some(&database));
        assert_eq!(find(&both, "nosuch"), None);
    }

    proptest! {
        #[test]
        fn no_two_nodes_share_an_address(a in "(service|database|:|x){0,4}", b in "(service|database|:|x){0,4}", kinds in (0..5_usize, 0..5_usize)) {
            let (a, b) = ((a, KINDS[kinds.0]), (b, KINDS[kinds.1]));
            prop_assert_eq!(written(&a) == written(&b), a == b);
            prop_assert_eq!(find(&map(&[b, a.clone()]), &written(&a)), Some(a));
        }
    }
}
