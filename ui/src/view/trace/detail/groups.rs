//! Attributes by what they are about, each with the ways on from its value.

use std::collections::HashMap;

use storage::{KeyValue, Value};

use super::windows::{Cut, Window};
use super::{PanelTab, Scene};
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

/// Attributes in groups: those with most keys of one beginning together, single ones at the end. As many as a window of the part holds.
pub(super) fn groups(cut: &Cut<'_>, part: PanelTab, attributes: &[KeyValue], asked: Asked) -> (Vec<Group>, Window) {
    let ordered = in_order(attributes);
    let row = |_, (title, pair): (String, &KeyValue)| {
        let row = attributes::row(pair, asked, &cut.scene.links);
        (title, with_ways(cut.scene, row, pair, asked))
    };
    let (rows, window) = cut.rows(part, ordered.into_iter(), row, |(_, shown)| shown.row.elements() + WAYS);
    let mut groups: Vec<Group> = Vec::new();
    for (title, shown) in rows {
        match groups.last_mut().filter(|group| group.title == title) {
            Some(group) => group.rows.push(shown),
            None => groups.push(Group { title, rows: vec![shown] }),
        }
    }
    (groups, window)
}

/// Attributes with the titles of their groups, in the order of these.
fn in_order(attributes: &[KeyValue]) -> Vec<(String, &KeyValue)> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<(String, Vec<&KeyValue>)> = Vec::new();
    for pair in attributes {
        let title = beginning(&pair.key);
        let place = *places.entry(title.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, pairs)) => pairs.push(pair),
            None => groups.push((title, vec![pair])),
        }
    }
    let (groups, single): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(_, pairs)| pairs.len() > 1);
    let others = if groups.is_empty() { "" } else { "other" };
    let titled = groups.into_iter().flat_map(|(title, pairs)| pairs.into_iter().map(move |pair| (title.clone(), pair)));
    titled.chain(single.into_iter().flat_map(|(_, pairs)| pairs).map(|pair| (others.to_owned(), pair))).collect()
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

/// Elements of the ways on from a value.
const WAYS: usize = 4;
