//! What rows are told apart by.
//!
//! A key is written for every row: per field a byte that says whether there is a value, then its length in four bytes and its text.

use std::collections::HashMap;

use arrow::array::{BinaryViewArray, RecordBatch};

use super::super::columns;
use super::super::language::{Field, equivalents, field};
use super::super::question::QueryError;
use super::super::rolled::Item;
use super::super::sql::text_of;
use super::super::wire;
use crate::attributes::{Found, Values};
use crate::model::{Severity, ShownDouble, SpanKind, StatusCode};
use crate::schema::column;
use crate::store::Signal;

/// Fields in the order that was asked for.
#[derive(Debug)]
pub(super) struct Grouping {
    fields: Vec<Source>,
}

/// How a field is read. Attributes have all their names.
#[derive(Debug)]
enum Source {
    Service,
    Name,
    Kind,
    Status,
    Severity,
    Text(&'static str),
    Attribute(Vec<String>),
    Resource(Vec<String>),
    Either(Vec<String>),
}

/// Reads keys of one batch.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    grouping: &'a Grouping,
    batch: &'a RecordBatch,
    /// Values of each field that is an attribute.
    attributes: Vec<Vec<Values<'a>>>,
    resources: Option<&'a BinaryViewArray>,
    /// Values of each field by view of the resource: equal views are equal bytes.
    known: HashMap<(usize, u128), Option<String>>,
    key: Vec<u8>,
}

/// Longer values are cut.
const MAX_VALUE_BYTES: usize = 1_024;

impl Grouping {
    pub(super) fn new(signal: Signal, names: &[String]) -> Result<Self, QueryError> {
        let source = |name: &String| {
            let field = field(signal, name).map_err(|message| QueryError::Invalid(format!("cannot group: {message}")))?;
            Ok(match field {
                Field::Service => Source::Service,
                Field::Name => Source::Name,
                Field::Kind => Source::Kind,
                Field::Status => Source::Status,
                Field::Severity => Source::Severity,
                Field::StatusMessage => Source::Text(column::STATUS_MESSAGE),
                Field::ExceptionType => Source::Text(column::EXCEPTION_TYPE),
                Field::Peer => Source::Text(column::PEER),
                Field::Event if signal == Signal::Logs => Source::Text(column::EVENT_NAME),
                Field::Attribute(key) => Source::Attribute(equivalents(&key)),
                Field::Resource(key) => Source::Resource(equivalents(&key)),
                Field::Either(key) => Source::Either(equivalents(&key)),
                _ => return Err(QueryError::Invalid(format!("rows cannot be grouped by `{name}`; an attribute is written attr.{name}"))),
            })
        };
        Ok(Self { fields: names.iter().map(source).collect::<Result<_, QueryError>>()? })
    }

    /// Whether roll-ups tell rows apart by all of them.
    pub(super) fn is_told_apart(&self) -> bool {
        let told = |field: &Source| matches!(field, Source::Service | Source::Name | Source::Kind | Source::Status | Source::Severity);
        self.fields.iter().all(told)
    }

    pub(super) fn has_names(&self) -> bool {
        self.fields.iter().any(|field| matches!(field, Source::Name))
    }

    /// Columns that a reader needs beside those of items.
    pub(super) fn columns(&self) -> Vec<&'static str> {
        let mut columns = Vec::new();
        for field in &self.fields {
            match field {
                Source::Text(name) => columns.push(*name),
                Source::Resource(_) | Source::Either(_) => columns.push(column::RESOURCE),
                _ => {}
            }
        }
        columns
    }

    /// Attributes that a reader looks up.
    pub(super) fn keys(&self) -> Vec<String> {
        self.fields.iter().flat_map(Source::attributes).cloned().collect()
    }

    /// Hands on the key of an item of which everything is told.
    pub(super) fn told(&self, item: &Item<'_>, take: impl FnOnce(&[u8])) {
        let mut key = Vec::with_capacity(64);
        for field in &self.fields {
            put(&mut key, field.told(item));
        }
        take(&key);
    }

    pub(super) fn reader<'a>(&'a self, batch: &'a RecordBatch) -> Result<Reader<'a>, QueryError> {
        let columns = self.columns();
        let attributes = self.fields.iter().map(|field| Values::of_each(batch, field.attributes())).collect::<Result<_, _>>()?;
        let resources = columns.contains(&column::RESOURCE).then(|| columns::binary(batch, column::RESOURCE)).transpose()?;
        Ok(Reader { grouping: self, batch, attributes, resources, known: HashMap::new(), key: Vec::new() })
    }
}

impl Source {
    fn told<'i>(&self, item: &Item<'i>) -> Option<&'i str> {
        match self {
            Self::Service => Some(item.service),
            Self::Name => Some(item.name),
            Self::Kind => Some(SpanKind::from(item.kind).as_str()),
            Self::Status => Some(StatusCode::from(item.status).as_str()),
            Self::Severity => Some(Severity::from_number(item.status).map_or("unknown", Severity::as_str)),
            _ => None,
        }
    }

    /// Names of the attribute of the record that it is.
    fn attributes(&self) -> &[String] {
        match self {
            Self::Attribute(names) | Self::Either(names) => names,
            _ => &[],
        }
    }
}

impl Reader<'_> {
    /// Hands on the key of a row.
    pub(super) fn read(&mut self, row: usize, item: &Item<'_>, take: impl FnOnce(&[u8])) {
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        let grouping = self.grouping;
        for (place, field) in grouping.fields.iter().enumerate() {
            match field {
                Source::Text(name) => {
                    let text = columns::text(self.batch, name).map_or("", |texts| columns::text_or_empty(texts, row));
                    put(&mut key, Some(text).filter(|text| !text.is_empty()));
                }
                Source::Attribute(_) => {
                    if !self.attribute(row, place, &mut key) {
                        put(&mut key, None);
                    }
                }
                Source::Resource(names) => self.resource(row, place, names, &mut key),
                Source::Either(names) => {
                    if !self.attribute(row, place, &mut key) {
                        self.resource(row, place, names, &mut key);
                    }
                }
                told => put(&mut key, told.told(item)),
            }
        }
        take(&key);
        self.key = key;
    }

    /// Writes the value of an attribute of the record; false when there is none.
    fn attribute(&self, row: usize, place: usize, key: &mut Vec<u8>) -> bool {
        self.attributes.get(place).into_iter().flatten().any(|values| {
            let (found, _) = values.any(row, |found| {
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
            });
            found
        })
    }

    fn resource(&mut self, row: usize, place: usize, names: &[String], key: &mut Vec<u8>) {
        let Some(envelopes) = self.resources else { return put(key, None) };
        let view = envelopes.views().get(row).copied().unwrap_or_default();
        let value = self.known.entry((place, view)).or_insert_with(|| {
            let find = |name: &String| wire::resource_attributes(envelopes.value(row)).find(|(key, _)| key == name);
            names.iter().find_map(find).and_then(|(_, value)| text_of(value))
        });
        put(key, value.as_deref());
    }
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
