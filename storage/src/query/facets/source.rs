//! Where the values of a field lie, and how they read.

use std::fmt::Write as _;

use arrow::array::{Array, BinaryViewArray, RecordBatch};
use arrow::buffer::BooleanBuffer;

use super::super::columns;
use super::super::language::{Field, equivalents};
use super::super::predicate::{Exceptions, FURTHER};
use super::super::question::QueryError;
use super::super::wire::{self, Any, MAX_DEPTH};
use super::alike::Alike;
use super::counts::Counts;
use crate::attributes::{Found, Values};
use crate::model::{Hex, Severity, ShownDouble, SpanKind, StatusCode};
use crate::rows::any_value;
use crate::schema::column;
use crate::store::Signal;

/// How a field is read.
#[derive(Clone, Debug)]
pub(in super::super) enum Source {
    Text(&'static str),
    /// The column of the first exception, further exceptions, and attributes of the span that say the same.
    Exception(&'static str, Vec<String>),
    Word(&'static str, fn(i32) -> &'static str),
    Nanos(&'static str),
    Id(&'static str),
    /// Whether a column is null.
    IsNull(&'static str),
    /// One value per line.
    Lines(&'static str),
    /// Attributes of the record, or of its resource when it has none and this says so.
    Attribute(Vec<String>, bool),
    Envelope(&'static str, Part),
    Nested(&'static str, Part),
}

/// Which part of a resource, a scope, of events or links.
#[derive(Clone, Debug)]
pub(in super::super) enum Part {
    Attribute(Vec<String>),
    /// Name of a scope, trace of a link.
    First,
    /// Version of a scope, span of a link.
    Second,
}

impl Source {
    /// `None` when the field has no values to count.
    pub(in super::super) fn new(signal: Signal, field: &Field) -> Option<Self> {
        Some(match field {
            Field::Service => Self::Text(column::SERVICE_NAME),
            Field::Name => Self::Text(column::NAME),
            Field::Kind => Self::Word(column::KIND, |number| SpanKind::from(number).as_str()),
            Field::Status => Self::Word(column::STATUS_CODE, |number| StatusCode::from(number).as_str()),
            Field::StatusMessage => Self::Text(column::STATUS_MESSAGE),
            Field::Duration => Self::Nanos(column::DURATION),
            Field::Trace => Self::Id(column::TRACE_ID),
            Field::Span => Self::Id(column::SPAN_ID),
            Field::Parent => Self::Id(column::PARENT_SPAN_ID),
            Field::Root => Self::IsNull(column::PARENT_SPAN_ID),
            Field::TraceState => Self::Text(column::TRACE_STATE),
            Field::Event if signal == Signal::Logs => Self::Text(column::EVENT_NAME),
            Field::Event => Self::Lines(column::EVENT_NAMES),
            Field::ExceptionType => Self::Exception(column::EXCEPTION_TYPE, equivalents("exception.type")),
            Field::ExceptionMessage => Self::Exception(column::EXCEPTION_MESSAGE, equivalents("exception.message")),
            Field::Peer => Self::Text(column::PEER),
            Field::Severity => {
                Self::Word(column::SEVERITY_NUMBER, |number| Severity::from_number(number).map_or("unknown", Severity::as_str))
            }
            Field::SeverityText => Self::Text(column::SEVERITY_TEXT),
            Field::Body => Self::Text(column::BODY),
            Field::ScopeName => Self::Envelope(column::SCOPE, Part::First),
            Field::ScopeVersion => Self::Envelope(column::SCOPE, Part::Second),
            Field::LinkTrace => Self::Nested(column::LINKS, Part::First),
            Field::LinkSpan => Self::Nested(column::LINKS, Part::Second),
            Field::Attribute(key) => Self::Attribute(equivalents(key), false),
            Field::Either(key) => Self::Attribute(equivalents(key), true),
            Field::Resource(key) => Self::Envelope(column::RESOURCE, Part::Attribute(equivalents(key))),
            Field::Scope(key) => Self::Envelope(column::SCOPE, Part::Attribute(equivalents(key))),
            Field::EventAttribute(key) => Self::Nested(column::EVENTS, Part::Attribute(equivalents(key))),
            Field::LinkAttribute(key) => Self::Nested(column::LINKS, Part::Attribute(equivalents(key))),
            Field::Has => return None,
        })
    }

    /// Columns that its values lie in, beside attributes of the record.
    pub(in super::super) fn columns(&self) -> Vec<&'static str> {
        match self {
            Self::Attribute(_, resource) => resource.then_some(column::RESOURCE).into_iter().collect(),
            Self::Exception(name, _) => std::iter::once(*name).chain(FURTHER).collect(),
            Self::Text(name)
            | Self::Word(name, _)
            | Self::Nanos(name)
            | Self::Id(name)
            | Self::IsNull(name)
            | Self::Lines(name)
            | Self::Envelope(name, _)
            | Self::Nested(name, _) => vec![*name],
        }
    }

    /// Attributes of the record that are looked up.
    pub(in super::super) fn keys(&self) -> &[String] {
        match self {
            Self::Attribute(keys, _) | Self::Exception(_, keys) => keys,
            _ => &[],
        }
    }

    /// Counts the values of the alive rows.
    pub(super) fn count(&self, batch: &RecordBatch, alive: &BooleanBuffer, counts: &mut Counts) -> Result<(), QueryError> {
        match self {
            Self::Text(name) => {
                let texts = columns::text(batch, name)?;
                alive.set_indices().for_each(|row| counts.row(Some(columns::text_or_empty(texts, row)).filter(|text| !text.is_empty())));
            }
            Self::Word(name, word) => {
                let numbers = columns::int(batch, name)?;
                alive.set_indices().for_each(|row| counts.row(Some(word(numbers.value(row)))));
            }
            Self::IsNull(name) => {
                let ids = columns::id(batch, name)?;
                alive.set_indices().for_each(|row| counts.row(Some(if ids.is_null(row) { "true" } else { "false" })));
            }
            Self::Nanos(name) => {
                let (numbers, mut text) = (columns::long(batch, name)?, String::new());
                for row in alive.set_indices() {
                    written(&mut text, format_args!("{}ns", columns::nanos(numbers, row)));
                    counts.row(Some(&text));
                }
            }
            Self::Id(name) => {
                let (ids, mut text) = (columns::id(batch, name)?, String::new());
                for row in alive.set_indices() {
                    hex(&mut text, if ids.is_null(row) { &[] } else { ids.value(row) });
                    counts.row(Some(text.as_str()).filter(|text| !text.is_empty()));
                }
            }
            Self::Lines(name) => {
                let texts = columns::text(batch, name)?;
                for row in alive.set_indices() {
                    counts.begin(1);
                    columns::text_or_empty(texts, row).lines().for_each(|line| counts.add(line));
                    counts.end();
                }
            }
            Self::Exception(name, keys) => exceptions(batch, alive, name, keys, counts)?,
            Self::Attribute(keys, resource) => attributes(batch, alive, keys, *resource, counts)?,
            Self::Envelope(name, part) => envelopes(columns::binary(batch, name)?, alive, name, part, counts),
            Self::Nested(name, part) => {
                let (array, mut text) = (columns::binary(batch, name)?, String::new());
                for row in alive.set_indices() {
                    counts.begin(1);
                    if array.is_valid(row) {
                        nested(array.value(row), name, part, &mut text, counts);
                    }
                    counts.end();
                }
            }
        }
        Ok(())
    }
}

/// A span counts under what each of its exceptions says, once each, as a search finds it.
fn exceptions(
    batch: &RecordBatch,
    alive: &BooleanBuffer,
    name: &'static str,
    keys: &[String],
    counts: &mut Counts,
) -> Result<(), QueryError> {
    let (first, further, own) = (columns::text(batch, name)?, Exceptions::of(batch)?, Values::of_each(batch, keys)?);
    let mut text = String::new();
    for row in alive.set_indices() {
        counts.begin(1);
        Some(columns::text_or_empty(first, row)).filter(|value| !value.is_empty()).into_iter().for_each(|value| counts.add(value));
        under(further.attributes(row), keys, &mut text, counts);
        for values in &own {
            values.any(row, |found| {
                add(found, &mut text, counts);
                false
            });
        }
        counts.end();
    }
    Ok(())
}

fn attributes(batch: &RecordBatch, alive: &BooleanBuffer, keys: &[String], resource: bool, counts: &mut Counts) -> Result<(), QueryError> {
    let values = Values::of_each(batch, keys)?;
    let resources = if resource { Some(columns::binary(batch, column::RESOURCE)?) } else { None };
    let mut of_resource = Alike::default();
    let mut text = String::new();
    for row in alive.set_indices() {
        counts.begin(1);
        let mut has_any = false;
        for values in &values {
            let (_, present) = values.any(row, |found| {
                add(found, &mut text, counts);
                false
            });
            has_any |= present;
        }
        match resources.filter(|_| !has_any) {
            Some(resources) => of_resource.add(resources, row),
            None => counts.end(),
        }
    }
    for (row, weight) in of_resource.rows() {
        counts.begin(weight);
        if let Some(resources) = resources {
            under(wire::resource_attributes(resources.value(row)), keys, &mut text, counts);
        }
        counts.end();
    }
    Ok(())
}

/// Reads each different envelope once.
fn envelopes(array: &BinaryViewArray, alive: &BooleanBuffer, name: &str, part: &Part, counts: &mut Counts) {
    let mut alike = Alike::default();
    alive.set_indices().for_each(|row| alike.add(array, row));
    let mut text = String::new();
    for (row, weight) in alike.rows() {
        let envelope = array.value(row);
        counts.begin(weight);
        match part {
            Part::Attribute(keys) if name == column::RESOURCE => under(wire::resource_attributes(envelope), keys, &mut text, counts),
            Part::Attribute(keys) => under(wire::scope_attributes(envelope), keys, &mut text, counts),
            Part::First => Some(wire::scope_name(envelope).0).filter(|name| !name.is_empty()).into_iter().for_each(|name| counts.add(name)),
            Part::Second => {
                Some(wire::scope_name(envelope).1)
                    .filter(|version| !version.is_empty())
                    .into_iter()
                    .for_each(|version| counts.add(version));
            }
        }
        counts.end();
    }
}

fn nested(bytes: &[u8], name: &str, part: &Part, text: &mut String, counts: &mut Counts) {
    match part {
        Part::Attribute(keys) if name == column::EVENTS => under(wire::event_attributes(bytes), keys, text, counts),
        Part::Attribute(keys) => under(wire::link_attributes(bytes), keys, text, counts),
        Part::First | Part::Second => {
            for (trace, span) in wire::link_ids(bytes) {
                hex(text, if matches!(part, Part::First) { trace } else { span });
                counts.add(text);
            }
        }
    }
}

fn under<'a>(all: impl Iterator<Item = (&'a str, &'a [u8])>, keys: &[String], text: &mut String, counts: &mut Counts) {
    for (_, value) in all.filter(|(key, _)| keys.iter().any(|wanted| wanted == key)) {
        whole_or_parts(value, text, counts);
    }
}

fn add(found: Found<'_>, text: &mut String, counts: &mut Counts) {
    match found {
        Found::Text(value) => return counts.add(value),
        Found::Int(value) => return counts.add_number(value),
        Found::Double(value) => written(text, format_args!("{}", ShownDouble(value))),
        Found::Bool(value) => written(text, format_args!("{value}")),
        Found::Encoded(value) => return whole_or_parts(value, text, counts),
    }
    counts.add(text);
}

/// An array without elements that have a value counts as a whole, by its JSON: it is there, and conditions find it by that.
fn whole_or_parts(value: &[u8], text: &mut String, counts: &mut Counts) {
    if !encoded(value, 0, text, counts) && matches!(wire::any(value), Any::Array(_)) {
        written(text, format_args!("{}", any_value(value)));
        counts.add(text);
    }
}

/// Elements of arrays count one by one, as conditions see them. Maps count as their JSON and bytes as their base64, which conditions find
/// them by. False when there was nothing to count.
fn encoded(value: &[u8], depth: usize, text: &mut String, counts: &mut Counts) -> bool {
    match wire::any(value) {
        Any::Text(value) => {
            counts.add(value);
            return true;
        }
        Any::Int(value) => written(text, format_args!("{value}")),
        Any::Double(value) => written(text, format_args!("{}", ShownDouble(value))),
        Any::Bool(value) => written(text, format_args!("{value}")),
        Any::Array(array) if depth < MAX_DEPTH => {
            let mut any = false;
            wire::elements(array).for_each(|element| any |= encoded(element, depth + 1, text, counts));
            return any;
        }
        Any::Array(_) | Any::Empty => return false,
        Any::Bytes(_) | Any::Map(_) => written(text, format_args!("{}", any_value(value))),
    }
    counts.add(text);
    true
}

fn written(text: &mut String, value: std::fmt::Arguments<'_>) {
    text.clear();
    let _ = text.write_fmt(value);
}

fn hex(text: &mut String, bytes: &[u8]) {
    text.clear();
    Hex(bytes).push_to(text);
}
