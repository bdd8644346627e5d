//! What is around a focus without what its neighbours have with each other: of a busy service that would be most of the picture.

use std::collections::HashMap;

use storage::ServiceMap;

use super::Key;

/// A map with the calls that lead towards what is in focus or away from it, and those from there to itself.
pub(crate) fn spokes(map: &ServiceMap, focus: &Key) -> ServiceMap {
    let mut far: HashMap<&Key, usize> = HashMap::from([(focus, 0)]);
    let mut edge = vec![focus];
    for distance in 1.. {
        let beside = map.edges.iter().filter_map(|call| match (edge.contains(&&call.from), edge.contains(&&call.to)) {
            (true, false) => Some(&call.to),
            (false, true) => Some(&call.from),
            _ => None,
        });
        let next: Vec<&Key> = beside.filter(|key| !far.contains_key(*key)).collect();
        if next.is_empty() {
            break;
        }
        far.extend(next.iter().map(|key| (*key, distance)));
        edge = next;
    }
    let is_spoke = |call: &&storage::Edge| far.get(&call.from) != far.get(&call.to) || (call.from == *focus && call.to == *focus);
    ServiceMap {
        range: map.range,
        nodes: map.nodes.clone(),
        edges: map.edges.iter().filter(is_spoke).cloned().collect(),
        relays: Vec::new(),
        stats: map.stats.clone(),
    }
}
