//! Says of a search that found nothing which of its attributes nothing has, and what was perhaps meant.
//!
//! Asks the catalogues of segments and looks through memory; where a catalogue cannot tell, nothing is said.

use std::collections::BTreeSet;

use arrow::array::{Array as _, RecordBatch};

use super::columns;
use super::language::{Field, Node, Query, equivalents, nearest};
use super::question::QueryError;
use crate::attributes::Attributes;
use crate::encoded;
use crate::schema::column;
use crate::segment::Owner;
use crate::snapshot::{Snapshot, TableSnapshot};
use crate::store::Signal;

use self::remarks::remarks;

mod remarks;

/// Rows in memory of which all keys are listed; of the others it is only known whether they have what is asked for.
const MAX_ROWS: usize = 200_000;
/// Attributes of one query that are looked for.
const MAX_FIELDS: usize = 8;

/// As [`notes`], of a query in words.
pub(crate) fn told(snapshot: &Snapshot, signal: Signal, text: &str) -> Result<Vec<String>, QueryError> {
    notes(snapshot, &Query::parse(signal, text).map_err(QueryError::Parse)?)
}

/// One sentence for each attribute that no row has.
pub(super) fn notes(snapshot: &Snapshot, query: &Query) -> Result<Vec<String>, QueryError> {
    let mut fields = Vec::new();
    attributes(&query.root, &mut fields);
    let table = snapshot.table(query.signal);
    fields.truncate(MAX_FIELDS);
    let asked: Vec<String> = fields.iter().filter_map(|field| owners(field)).flat_map(|(_, key)| equivalents(key)).collect();
    let mut known: Vec<(Owner, Option<BTreeSet<String>>)> = Vec::new();
    let mut notes = remarks(query);
    for field in fields {
        let Some((owners, key)) = owners(field) else { continue };
        let mut keys: Option<BTreeSet<&str>> = Some(BTreeSet::new());
        for owner in owners {
            if !known.iter().any(|(known, _)| known == owner) {
                known.push((*owner, keys_of(table, *owner, &asked, MAX_ROWS)?));
            }
        }
        for (_, of_owner) in known.iter().filter(|(known, _)| owners.contains(known)) {
            keys = keys.zip(of_owner.as_ref()).map(|(mut keys, more)| {
                keys.extend(more.iter().map(String::as_str));
                keys
            });
        }
        let Some(keys) = keys.filter(|keys| !equivalents(key).iter().any(|name| keys.contains(name.as_str()))) else { continue };
        notes.push(sentence(query.signal, field, &nearest(without_prefix(key), keys.into_iter())));
    }
    Ok(notes)
}

fn sentence(signal: Signal, field: &Field, nearest: &[String]) -> String {
    let what = if signal == Signal::Traces { "span" } else { "log record" };
    let meant: Vec<String> = nearest.iter().map(|key| renamed(field, key).to_string()).collect();
    let hint = if meant.is_empty() { String::new() } else { format!("; did you mean {}?", meant.join(", ")) };
    format!("no {what} has `{field}`{hint}")
}

/// A key without what other systems put before it.
fn without_prefix(key: &str) -> &str {
    let prefixes = ["attributes.", "span_attributes.", "tags.", "resource_attributes.", "labels."];
    prefixes.iter().find_map(|prefix| key.strip_prefix(prefix)).unwrap_or(key)
}

/// Fields of comparisons that name attributes, each once.
fn attributes<'a>(node: &'a Node, into: &mut Vec<&'a Field>) {
    match node {
        Node::And(nodes) | Node::Or(nodes) => nodes.iter().for_each(|node| attributes(node, into)),
        Node::Not(node) => attributes(node, into),
        Node::Test(test) if owners(&test.field).is_some() && !into.contains(&&test.field) => into.push(&test.field),
        Node::All | Node::Text(_) | Node::Exact(_) | Node::Test(_) => {}
    }
}

fn owners(field: &Field) -> Option<(&'static [Owner], &str)> {
    Some(match field {
        Field::Attribute(key) => (&[Owner::Record], key),
        Field::Resource(key) => (&[Owner::Resource], key),
        Field::Scope(key) => (&[Owner::Scope], key),
        Field::EventAttribute(key) => (&[Owner::Event], key),
        Field::LinkAttribute(key) => (&[Owner::Link], key),
        Field::Either(key) => (&[Owner::Record, Owner::Resource], key),
        _ => return None,
    })
}

fn renamed(field: &Field, key: &str) -> Field {
    match field {
        Field::Resource(_) => Field::Resource(key.to_owned()),
        Field::Scope(_) => Field::Scope(key.to_owned()),
        Field::EventAttribute(_) => Field::EventAttribute(key.to_owned()),
        Field::LinkAttribute(_) => Field::LinkAttribute(key.to_owned()),
        Field::Either(_) if key.contains('.') => Field::Either(key.to_owned()),
        _ => Field::Attribute(key.to_owned()),
    }
}

/// All keys of an owner that segments and so many rows in memory have, and which of those that are asked for the rest has; `None` when
/// these are not all known.
fn keys_of(table: &TableSnapshot, owner: Owner, asked: &[String], rows: usize) -> Result<Option<BTreeSet<String>>, QueryError> {
    let mut keys = BTreeSet::new();
    for segment in &table.segments {
        let catalogue = segment.attributes().and_then(|attributes| attributes.catalogue()).filter(|catalogue| catalogue.is_complete(owner));
        let Some(catalogue) = catalogue else { return Ok(None) };
        for entry in catalogue.entries.iter().filter(|entry| entry.owner == owner) {
            if !keys.contains(&entry.key) {
                keys.insert(entry.key.clone());
            }
        }
    }
    let mut left = rows;
    for batch in &table.buffered {
        let is_listed = batch.num_rows() <= left;
        left = if is_listed { left - batch.num_rows() } else { 0 };
        keys_in(batch, owner, |key| {
            if (is_listed || asked.iter().any(|asked| asked == key)) && !keys.contains(key) {
                keys.insert(key.to_owned());
            }
        })?;
    }
    Ok(Some(keys))
}

/// Keys that the rows of a batch have, each many times.
fn keys_in(batch: &RecordBatch, owner: Owner, mut add: impl FnMut(&str)) -> Result<(), QueryError> {
    if owner == Owner::Record {
        let attributes = Attributes::of(batch)?;
        (0..batch.num_rows()).for_each(|row| attributes.all(row).for_each(|(key, _)| add(key)));
        return Ok(());
    }
    let parts = columns::binary(batch, column_of(owner))?;
    // Neighbours mostly share a resource and a scope.
    let mut last = None;
    for (row, view) in parts.views().iter().enumerate().filter(|(row, _)| parts.is_valid(*row)) {
        if last.replace(*view) == Some(*view) {
            continue;
        }
        let part = parts.value(row);
        match owner {
            Owner::Resource => encoded::resource_attributes(part).for_each(|(key, _)| add(key)),
            Owner::Event => encoded::event_attributes(part).for_each(|(key, _)| add(key)),
            Owner::Link => encoded::link_attributes(part).for_each(|(key, _)| add(key)),
            Owner::Record | Owner::Scope => encoded::scope_attributes(part).for_each(|(key, _)| add(key)),
        }
    }
    Ok(())
}

/// Where the attributes of an owner lie that is not the record itself.
const fn column_of(owner: Owner) -> &'static str {
    match owner {
        Owner::Resource => column::RESOURCE,
        Owner::Event => column::EVENTS,
        Owner::Link => column::LINKS,
        Owner::Record | Owner::Scope => column::SCOPE,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;
    use crate::model::{Event, Link, Span};

    fn spans() -> (Span, Span) {
        let mut old = fixtures::span(1, 1, 0, "api", "x", 100, 1);
        old.attributes = vec![fixtures::text("http.request.method", "GET"), fixtures::text("retries", "1")];
        let event = |key: &str| Event { attributes: vec![fixtures::text(key, "1")], ..Event::default() };
        let link = |key: &str| Link { attributes: vec![fixtures::text(key, "1")], ..Link::default() };
        (old.events, old.links) = (vec![event("reason")], vec![link("batch")]);
        let mut new = fixtures::span(2, 2, 0, "api", "x", 200, 1);
        new.attributes = vec![fixtures::text("customer", "7")];
        (new.events, new.links) = (vec![event("attempt")], vec![link("cause")]);
        (old, new)
    }

    #[test]
    fn attributes_that_nothing_has_are_named_with_what_is_near() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = spans();
        let snapshot =
            fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(&[new])], vec![vec![fixtures::spans(&[old])]]);
        let of = |text: &str| notes(&snapshot, &Query::parse(Signal::Traces, text).unwrap()).unwrap();
        assert_eq!(of("attr.retrys:1"), ["no span has `attr.retrys`; did you mean attr.retries?"]);
        assert_eq!(of("-attr.custmer:1 OR kind:server"), ["no span has `attr.custmer`; did you mean attr.customer?"]);
        assert_eq!(of("http.request.methd:GET"), ["no span has `http.request.methd`; did you mean http.request.method?"]);
        assert_eq!(
            of("resource.service.nam:x scope.zzz:1"),
            ["no span has `resource.service.nam`; did you mean resource.service.name?", "no span has `scope.zzz`"]
        );
        assert_eq!(
            of("event.resaon:1 event.attemt:1 link.bach:1 link.zzz:1"),
            [
                "no span has `event.resaon`; did you mean event.reason?",
                "no span has `event.attemt`; did you mean event.attempt?",
                "no span has `link.bach`; did you mean link.batch?",
                "no span has `link.zzz`"
            ]
        );
        assert_eq!(of("attributes.retries:1"), ["no span has `attributes.retries`; did you mean attr.retries?"]);
        assert_eq!(of("not here"), ["`not` was looked for as a word; conditions are joined by AND, OR and NOT in capital letters"]);
        assert_eq!(of("event.attempt:1 link.cause:1 link.batch:2"), Vec::<String>::new());
        // What is there under another name, and what has other values, is known.
        assert_eq!(of("http.method:PUT attr.retries:2 service.name:y event.reason:z"), Vec::<String>::new());
    }

    #[test]
    fn of_very_many_rows_in_memory_it_is_known_whether_they_have_what_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = spans();
        let snapshot =
            fixtures::snapshot(folder.path(), Signal::Traces, vec![fixtures::spans(&[old]), fixtures::spans(&[new])], Vec::new());
        let keys = |rows, asked: &str| {
            let found = keys_of(snapshot.table(Signal::Traces), Owner::Record, &[asked.to_owned()], rows).unwrap().unwrap();
            found.into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(keys(2, ""), "customer http.request.method retries");
        assert_eq!(keys(1, ""), "http.request.method retries");
        assert_eq!(keys(1, "customer"), "customer http.request.method retries");
        assert_eq!(keys(0, "customer"), "customer");
    }
}
