//! Attributes by what they are about, each with the ways on from its value.

use storage::{KeyValue, Value};

use super::Scene;
use crate::view::attributes::{self, Asked, Row as Attribute};
use crate::view::link::{field, quoted};
use crate::view::trace::columns;

/// Attributes whose keys begin alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// `http`, `db` …; empty when there is only one group.
    pub(crate) title: String,
    pub(crate) rows: Vec<Pair>,
}

/// One attribute and what can be done with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pair {
    pub(crate) row: Attribute,
    /// Traces without this value; empty when that cannot be asked.
    pub(crate) exclude: String,
    /// This trace with the spans that have the value; empty when that cannot be asked.
    pub(crate) in_trace: String,
    /// The waterfall with the attribute as a column, or without it when it is one; empty when it cannot be named.
    pub(crate) column: (String, bool),
}

/// Attributes in groups: those with most keys of one beginning together, single ones at the end.
pub(super) fn groups(scene: &Scene, attributes: &[KeyValue], asked: Asked) -> Vec<Group> {
    let rows = attributes::rows(attributes, asked, &scene.links);
    let mut groups: Vec<Group> = Vec::new();
    for (row, pair) in rows.into_iter().zip(attributes) {
        let title = beginning(&pair.key);
        let shown = with_ways(scene, row, pair, asked);
        match groups.iter_mut().find(|group| group.title == title) {
            Some(group) => group.rows.push(shown),
            None => groups.push(Group { title, rows: vec![shown] }),
        }
    }
    let (mut groups, single): (Vec<Group>, Vec<Group>) = groups.into_iter().partition(|group| group.rows.len() > 1);
    let others: Vec<Pair> = single.into_iter().flat_map(|group| group.rows).collect();
    if !others.is_empty() {
        groups.push(Group { title: if groups.is_empty() { String::new() } else { "other".to_owned() }, rows: others });
    }
    groups
}

/// The part of a key before its first dot.
fn beginning(key: &str) -> String {
    let first = key.split('.').next().unwrap_or_default();
    crate::view::format::line(first, 40)
}

fn with_ways(scene: &Scene, row: Attribute, pair: &KeyValue, asked: Asked) -> Pair {
    let value = match &pair.value {
        Value::String(text) if text.len() <= 200 => quoted(text),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        _ => String::new(),
    };
    let of_resource = matches!(asked, Asked::Resource);
    let column = columns::toggle(scene, &pair.key, of_resource);
    if value.is_empty() || row.filter.is_empty() {
        return Pair { row, column, ..Pair::default() };
    }
    let has = format!("{}={value}", field(if of_resource { "resource" } else { "attr" }, &pair.key));
    let find = scene.timeline().with("find", &has).with("only", "");
    Pair { exclude: scene.links.traces(&format!("-{has}")).href(), in_trace: find.href(), column, row }
}
