//! The map as it is asked for: which nodes and calls of the store's map stay, and what is in focus.

use std::collections::{HashMap, HashSet};

use storage::{Edge, NodeKind, QueryError, ServiceMap};

use super::Asked;
use crate::view::format;
use crate::view::map::{Grouped, Key, Made, find, find_edge, grouped, is_rare, without};

/// The map as it is asked for, and the same of the window before.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) whole: ServiceMap,
    /// The calls of all nodes, also where only services are shown.
    pub(super) made: Made,
    pub(super) before: Option<ServiceMap>,
    /// The node in focus.
    pub(super) focus: Option<Key>,
    /// Namespaces by the name of the node that stands for them.
    pub(super) groups: HashMap<String, String>,
    /// Namespaces of services by the name of the service.
    members: HashMap<String, String>,
    pub(super) notes: Vec<String>,
    pub(super) hint: &'static str,
}

// === impl Shown ===

impl Shown {
    pub(super) fn new(
        map: ServiceMap,
        before: Option<ServiceMap>,
        namespaces: Option<Result<HashMap<String, String>, QueryError>>,
        asked: &Asked,
    ) -> Self {
        let alone =
            |map: ServiceMap, before, notes| Self { made: Made::of(&map), whole: asked.shown(map), before, notes, ..Self::default() };
        let namespaces = match namespaces {
            None => return alone(map, before, Vec::new()),
            Some(Ok(namespaces)) if namespaces.is_empty() => {
                let note =
                    "No service names its namespace, so none are grouped; it is the resource attribute service.namespace.".to_owned();
                return alone(map, before, vec![note]);
            }
            Some(Ok(namespaces)) => namespaces,
            Some(Err(error)) => return alone(map, before, vec![format!("The namespaces are missing: {error}")]),
        };
        let open: HashSet<String> = asked.open.iter().cloned().collect();
        let made = Made::of(&grouped(&map, &namespaces, &open).map);
        let before = before.map(|before| grouped(&before, &namespaces, &open).map);
        let Grouped { map, groups } = grouped(&asked.shown(map), &namespaces, &open);
        let hint = if groups.is_empty() { "" } else { "Percentiles of a group are those of its slowest part. A click opens it." };
        Self { whole: map, made, before, groups, hint, members: namespaces, ..Self::default() }
    }

    /// Puts what is asked for in focus; of a service that a group stands for, that group.
    pub(super) fn look_at(&mut self, name: &str) {
        if name.is_empty() {
            return;
        }
        self.focus = find(&self.whole, name);
        let group = self.members.get(name).and_then(|namespace| self.groups.iter().find(|(_, known)| *known == namespace));
        let Some((group, _)) = group.filter(|_| self.focus.is_none()) else { return };
        self.notes.push(format!("{} is one of the services of {}, which is in focus.", format::name(name), format::name(group)));
        self.focus = Some((group.clone(), NodeKind::Service));
    }

    /// Leaves out rare calls, save those of what is in focus and the dependency that is open.
    pub(super) fn leave_out_rare(&mut self, open: Option<&(String, String)>) {
        let open = open.and_then(|(from, to)| find_edge(&self.whole, (from, to))).map(|edge| (edge.from.clone(), edge.to.clone()));
        let stays = |edge: &&Edge| {
            let ends = [&edge.from, &edge.to];
            self.focus.as_ref().is_some_and(|focus| ends.contains(&focus)) || open.as_ref().is_some_and(|(from, to)| ends == [from, to])
        };
        let rare = self.whole.edges.iter().filter(|edge| is_rare(edge, &self.made) && !stays(edge));
        let rare: HashSet<(Key, Key)> = rare.map(|edge| (edge.from.clone(), edge.to.clone())).collect();
        self.whole = without(&self.whole, &rare);
        self.before = self.before.as_ref().map(|before| without(before, &rare));
    }
}
