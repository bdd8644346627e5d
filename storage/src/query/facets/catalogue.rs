//! Which fields the rows of a search have, and how many rows have each.
//!
//! Reads rows, the newest first, up to a bound, and says so when there are more.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, BinaryViewArray, RecordBatch};
use arrow::buffer::BooleanBuffer;

use super::super::answer::QueryStats;
use super::super::columns;
use super::super::language::{Field, Query};
use super::super::predicate::Predicate;
use super::super::question::QueryError;
use super::super::scan::{Control, Scan, Wanted};
use super::super::wire;
use super::alike::Alike;
use super::counts::Counts;
use crate::attributes::{self, ATTRIBUTES, Attributes};
use crate::model::TimeRange;
use crate::schema::column;
use crate::snapshot::Snapshot;
use crate::store::Signal;

/// Fields with how many rows have them, the most frequent first.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// Every field that a row has.
    pub fields: Vec<FieldCount>,
    /// Rows that were looked at: all that the search finds, or the newest of them.
    pub rows: u64,
    /// What it took. Not complete when only the newest rows, or not all fields, were counted.
    pub stats: QueryStats,
}

/// A field with how many rows have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldCount {
    /// As the query language writes it.
    pub name: String,
    /// Rows with a value.
    pub rows: u64,
    /// What its values are: `text`, `int`, `double`, `bool`, `bytes`, `array`, `map`, `id`, `word`, `duration`, or `mixed`.
    pub kind: &'static str,
}

/// Rows that are looked at before it is said that there are more.
const MAX_ROWS: u64 = 200_000;
const MAX_FIELDS: usize = 5_000;

/// Columns that are fields, with the field; null where a row has none.
const SPANS: [(&str, Field); 14] = [
    (column::SERVICE_NAME, Field::Service),
    (column::NAME, Field::Name),
    (column::KIND, Field::Kind),
    (column::STATUS_CODE, Field::Status),
    (column::STATUS_MESSAGE, Field::StatusMessage),
    (column::DURATION, Field::Duration),
    (column::TRACE_ID, Field::Trace),
    (column::SPAN_ID, Field::Span),
    (column::PARENT_SPAN_ID, Field::Parent),
    (column::TRACE_STATE, Field::TraceState),
    (column::EVENT_NAMES, Field::Event),
    (column::EXCEPTION_TYPE, Field::ExceptionType),
    (column::EXCEPTION_MESSAGE, Field::ExceptionMessage),
    (column::PEER, Field::Peer),
];
const LOGS: [(&str, Field); 7] = [
    (column::SERVICE_NAME, Field::Service),
    (column::TRACE_ID, Field::Trace),
    (column::SPAN_ID, Field::Span),
    (column::SEVERITY_NUMBER, Field::Severity),
    (column::SEVERITY_TEXT, Field::SeverityText),
    (column::BODY, Field::Body),
    (column::EVENT_NAME, Field::Event),
];

/// Counts the fields of what a search would find.
pub(crate) fn fields(snapshot: &Snapshot, signal: Signal, query: &str, range: TimeRange, control: &Control) -> Result<Fields, QueryError> {
    let (query, note) = Query::rows(signal, query).map_err(QueryError::Parse)?;
    let predicate = Predicate::new(&query);
    let known: &[(&'static str, Field)] = if signal == Signal::Traces { &SPANS } else { &LOGS };
    let mut wanted: Vec<&'static str> = known.iter().map(|(name, _)| *name).collect();
    wanted.extend(ATTRIBUTES);
    wanted.extend([column::RESOURCE, column::SCOPE]);
    if signal == Signal::Traces {
        wanted.extend([column::EVENTS, column::LINKS]);
    }
    let found = RefCell::new(Found::new(signal, known));
    let mut more = false;
    let mut scan = Scan::new(snapshot, signal, range, &predicate.hints, control)?;
    note.into_iter().for_each(|note| scan.note(note));
    // One after the other, so that the same question sees the same rows.
    scan.run(
        Wanted { columns: &wanted, keys: &[], predicate: &predicate },
        |_| {
            more = found.borrow().rows >= MAX_ROWS;
            more
        },
        |rows| found.borrow_mut().add(rows.batch, &rows.alive),
    )?;
    if more {
        scan.note(format!("the fields of the newest {} rows were counted, there are more rows", found.borrow().rows));
    }
    let found = found.into_inner();
    if found.keys.iter().any(|keys| keys.counts.is_full()) {
        scan.note("not all attributes were counted: there are too many different ones".to_owned());
    }
    let rows = found.rows;
    let mut fields = found.finish();
    if fields.len() > MAX_FIELDS {
        fields.truncate(MAX_FIELDS);
        scan.note(format!("only the {MAX_FIELDS} most frequent fields are listed"));
    }
    Ok(Fields { fields, rows, stats: scan.stats })
}

/// The attribute of a key in one place.
type FieldOf = fn(String) -> Field;

/// How many rows have what.
struct Found {
    rows: u64,
    known: Vec<(&'static str, Field, u64)>,
    /// Attributes by where they are.
    keys: [Keys; 5],
    is_spans: bool,
}

/// Keys of attributes in one place.
struct Keys {
    field: FieldOf,
    counts: Counts,
    /// Of the values of each, by its place among those that are counted: of all of them, so that it is no matter where rows lie.
    kinds: Vec<&'static str>,
}

impl Keys {
    fn new(field: FieldOf) -> Self {
        Self { field, counts: Counts::default(), kinds: Vec::new() }
    }

    fn begin(&mut self, weight: u64) {
        self.counts.begin(weight);
    }

    /// An attribute without a value, which has no kind, is as good as missing.
    fn add(&mut self, key: &str, kind: Option<&'static str>) {
        let Some(kind) = kind else { return };
        let Some(place) = self.counts.added(key) else { return };
        match self.kinds.get_mut(place) {
            Some(known) if *known == kind => {}
            Some(known) => *known = "mixed",
            None => self.kinds.push(kind),
        }
    }

    fn end(&mut self) {
        self.counts.end();
    }

    fn finish(self) -> impl Iterator<Item = FieldCount> {
        let Self { field, counts, kinds } = self;
        let kinds: HashMap<Arc<str>, &'static str> = counts.values().cloned().zip(kinds).collect();
        let counted = counts.most_frequent(usize::MAX).into_iter().filter(|(key, _)| !key.is_empty());
        counted.map(move |(key, rows)| {
            let kind = kinds.get(key.as_str()).copied().unwrap_or("text");
            FieldCount { name: field(key).to_string(), rows, kind }
        })
    }
}

impl Found {
    fn new(signal: Signal, known: &[(&'static str, Field)]) -> Self {
        Self {
            rows: 0,
            known: known.iter().map(|(name, field)| (*name, field.clone(), 0)).collect(),
            keys: [Field::Attribute, Field::Resource, Field::Scope, Field::EventAttribute, Field::LinkAttribute].map(Keys::new),
            is_spans: signal == Signal::Traces,
        }
    }

    fn add(&mut self, batch: &RecordBatch, alive: &BooleanBuffer) -> Result<(), QueryError> {
        self.rows += alive.count_set_bits() as u64;
        for (name, _, rows) in &mut self.known {
            let array = batch.column_by_name(name).ok_or_else(|| QueryError::Internal(format!("column {name} is missing")))?;
            *rows += match array.nulls() {
                None => alive.count_set_bits() as u64,
                Some(nulls) => (alive & nulls.inner()).count_set_bits() as u64,
            };
        }
        let [own, resource, scope, event, link] = &mut self.keys;
        let attributes = Attributes::of(batch)?;
        for row in alive.set_indices() {
            own.begin(1);
            attributes.all(row).for_each(|(key, value)| own.add(key, kind_of(value)));
            own.end();
        }
        envelopes(columns::binary(batch, column::RESOURCE)?, alive, resource, |bytes, keys| {
            wire::resource_attributes(bytes).for_each(|(key, value)| keys.add(key, kind_in(value)));
        });
        envelopes(columns::binary(batch, column::SCOPE)?, alive, scope, |bytes, keys| {
            wire::scope_attributes(bytes).for_each(|(key, value)| keys.add(key, kind_in(value)));
        });
        if self.is_spans {
            nested(columns::binary(batch, column::EVENTS)?, alive, event, |bytes, keys| {
                wire::event_attributes(bytes).for_each(|(key, value)| keys.add(key, kind_in(value)));
            });
            nested(columns::binary(batch, column::LINKS)?, alive, link, |bytes, keys| {
                wire::link_attributes(bytes).for_each(|(key, value)| keys.add(key, kind_in(value)));
            });
        }
        Ok(())
    }

    fn finish(self) -> Vec<FieldCount> {
        let known = self.known.into_iter().map(|(_, field, rows)| {
            let kind = match field {
                Field::Kind | Field::Status | Field::Severity => "word",
                Field::Trace | Field::Span | Field::Parent => "id",
                Field::Duration => "duration",
                _ => "text",
            };
            FieldCount { name: field.to_string(), rows, kind }
        });
        let mut fields: Vec<FieldCount> =
            known.chain(self.keys.into_iter().flat_map(Keys::finish)).filter(|field| field.rows > 0).collect();
        fields.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.name.cmp(&b.name)));
        fields
    }
}

fn kind_of(value: attributes::Found<'_>) -> Option<&'static str> {
    Some(match value {
        attributes::Found::Text(_) => "text",
        attributes::Found::Int(_) => "int",
        attributes::Found::Double(_) => "double",
        attributes::Found::Bool(_) => "bool",
        attributes::Found::Encoded(value) => return kind_in(value),
    })
}

fn kind_in(value: &[u8]) -> Option<&'static str> {
    Some(match wire::any(value) {
        wire::Any::Empty => return None,
        wire::Any::Text(_) => "text",
        wire::Any::Bool(_) => "bool",
        wire::Any::Int(_) => "int",
        wire::Any::Double(_) => "double",
        wire::Any::Bytes(_) => "bytes",
        wire::Any::Array(_) => "array",
        wire::Any::Map(_) => "map",
    })
}

fn envelopes(array: &BinaryViewArray, alive: &BooleanBuffer, keys: &mut Keys, each: impl Fn(&[u8], &mut Keys)) {
    let mut alike = Alike::default();
    alive.set_indices().for_each(|row| alike.add(array, row));
    for (row, weight) in alike.rows() {
        keys.begin(weight);
        each(array.value(row), keys);
        keys.end();
    }
}

fn nested(array: &BinaryViewArray, alive: &BooleanBuffer, keys: &mut Keys, each: impl Fn(&[u8], &mut Keys)) {
    for row in alive.set_indices().filter(|row| array.is_valid(*row)) {
        keys.begin(1);
        each(array.value(row), keys);
        keys.end();
    }
}
