//! What rows are told apart by.
//!
//! A key is written for every row: per field a byte that says whether there is a value, then its length in four bytes and its text. A row
//! with several events or links has a key for each of their different values.

use arrow::array::RecordBatch;

use super::super::facets::Source;
use super::super::language::{Field, field, is_of_traces};
use super::super::question::QueryError;
use super::super::rolled::Item;
use super::super::sql::text_of;
use super::column::{Column, has_many};
use crate::attributes::Found;
use crate::model::{Severity, ShownDouble, SpanKind, StatusCode};
use crate::store::Signal;

/// Fields in the order that was asked for.
#[derive(Debug)]
pub(super) struct Grouping {
    fields: Vec<(Field, Source)>,
}

/// Reads keys of one batch.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    /// Of a field of which items tell there is no column.
    fields: Vec<(&'a Field, &'a Source, Option<Column<'a>>)>,
    has_many: bool,
    key: Vec<u8>,
    /// Whether a row had more values than count.
    pub(super) is_cut: bool,
}

/// Longer values are cut.
const MAX_VALUE_BYTES: usize = 1_024;
/// Groups that one row counts for.
pub(super) const MAX_KEYS: usize = 64;

impl Grouping {
    pub(super) fn new(signal: Signal, names: &[String]) -> Result<Self, QueryError> {
        let known = |name: &String| {
            let refuse = |reason: String| QueryError::Invalid(format!("cannot group: {reason}"));
            if signal == Signal::Traces && is_of_traces(name) {
                return Err(refuse(format!("`{name}` is of whole traces; an attribute of that name is written attr.{name}")));
            }
            let field = field(signal, name).map_err(refuse)?;
            let source = Source::new(signal, &field)
                .ok_or_else(|| refuse(format!("`{name}` asks whether there is something; name the field itself")))?;
            Ok((field, source))
        };
        Ok(Self { fields: names.iter().map(known).collect::<Result<_, QueryError>>()? })
    }

    /// Whether roll-ups tell rows apart by all of them.
    pub(super) fn is_told_apart(&self) -> bool {
        self.fields.iter().all(|(field, _)| is_told(field))
    }

    pub(super) fn has_names(&self) -> bool {
        self.fields.iter().any(|(field, _)| *field == Field::Name)
    }

    /// Columns that a reader needs beside those of items.
    pub(super) fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().filter(|(field, _)| !is_told(field)).flat_map(|(_, source)| source.columns())
    }

    /// Attributes that a reader looks up.
    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.fields.iter().flat_map(|(_, source)| source.keys())
    }

    /// Hands on the key of an item of which everything is told.
    pub(super) fn told(&self, item: &Item<'_>, take: impl FnOnce(&[u8])) {
        let mut key = Vec::with_capacity(64);
        for (field, _) in &self.fields {
            put(&mut key, told(field, item));
        }
        take(&key);
    }

    pub(super) fn reader<'a>(&'a self, batch: &'a RecordBatch) -> Result<Reader<'a>, QueryError> {
        let read = |(field, source): &'a (Field, Source)| {
            let column = if is_told(field) { None } else { Some(Column::of(batch, source)?) };
            Ok((field, source, column))
        };
        let fields: Vec<_> = self.fields.iter().map(read).collect::<Result<_, QueryError>>()?;
        let has_many = fields.iter().any(|(_, source, _)| has_many(source));
        Ok(Reader { fields, has_many, key: Vec::new(), is_cut: false })
    }
}

fn is_told(field: &Field) -> bool {
    matches!(field, Field::Service | Field::Name | Field::Kind | Field::Status | Field::Severity)
}

fn told<'i>(field: &Field, item: &Item<'i>) -> Option<&'i str> {
    match field {
        Field::Service => Some(item.service),
        Field::Name => Some(item.name),
        Field::Kind => Some(SpanKind::from(item.kind).as_str()),
        Field::Status => Some(StatusCode::from(item.status).as_str()),
        Field::Severity => Some(Severity::from_number(item.status).map_or("unknown", Severity::as_str)),
        _ => None,
    }
}

impl Reader<'_> {
    /// Hands on the keys of a row, each once.
    pub(super) fn read(&mut self, row: usize, item: &Item<'_>, mut take: impl FnMut(&[u8])) {
        if self.has_many {
            return self.product(row, item).iter().for_each(|key| take(key));
        }
        self.key.clear();
        for (field, _, column) in &mut self.fields {
            match column {
                None => put(&mut self.key, told(field, item)),
                Some(column) => {
                    let mut has_value = false;
                    column.each(row, |found| {
                        has_value = put_found(&mut self.key, found);
                        has_value
                    });
                    if !has_value {
                        put(&mut self.key, None);
                    }
                }
            }
        }
        take(&self.key);
    }

    /// Every value of each field with every value of the others.
    fn product(&mut self, row: usize, item: &Item<'_>) -> Vec<Vec<u8>> {
        let mut keys = vec![Vec::new()];
        for (field, source, column) in &mut self.fields {
            let mut values: Vec<Vec<u8>> = Vec::new();
            match column {
                None => values.push(written(told(field, item))),
                Some(column) => {
                    let most = MAX_KEYS / keys.len();
                    column.each(row, |found| {
                        let mut value = Vec::new();
                        if !put_found(&mut value, found) || values.contains(&value) {
                            return false;
                        }
                        if values.len() >= most {
                            self.is_cut = true;
                            return true;
                        }
                        values.push(value);
                        !has_many(source)
                    });
                    if values.is_empty() {
                        values.push(written(None));
                    }
                }
            }
            keys = keys.iter().flat_map(|key| values.iter().map(move |value| [key.as_slice(), value].concat())).collect();
        }
        keys
    }
}

/// Writes a value; false when there is nothing to write.
fn put_found(key: &mut Vec<u8>, found: Found<'_>) -> bool {
    match found {
        Found::Text(text) => put(key, Some(text)),
        Found::Int(value) => put(key, Some(&value.to_string())),
        Found::Double(value) => put(key, Some(&ShownDouble(value).to_string())),
        Found::Bool(value) => put(key, Some(if value { "true" } else { "false" })),
        Found::Encoded(value) => match text_of(value) {
            Some(text) => put(key, Some(&text)),
            None => return false,
        },
    }
    true
}

fn written(value: Option<&str>) -> Vec<u8> {
    let mut key = Vec::new();
    put(&mut key, value);
    key
}

fn put(key: &mut Vec<u8>, value: Option<&str>) {
    let Some(value) = value else { return key.push(0) };
    let value = value.get(..value.floor_char_boundary(MAX_VALUE_BYTES)).unwrap_or_default();
    key.push(1);
    key.extend_from_slice(&u32::try_from(value.len()).unwrap_or_default().to_le_bytes());
    key.extend_from_slice(value.as_bytes());
}

/// The values that a key was written from.
pub(super) fn values(mut key: &[u8]) -> Vec<Option<String>> {
    let mut values = Vec::new();
    while let Some((has_value, rest)) = key.split_first() {
        key = rest;
        if *has_value == 0 {
            values.push(None);
            continue;
        }
        let Some((len, rest)) = key.split_first_chunk() else { break };
        let Some((text, rest)) = usize::try_from(u32::from_le_bytes(*len)).ok().and_then(|len| rest.split_at_checked(len)) else { break };
        values.push(Some(String::from_utf8_lossy(text).into_owned()));
        key = rest;
    }
    values
}
