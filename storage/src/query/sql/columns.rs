//! The tables as SQL shows them: ids as hex, enumerations as words, attributes as one map of texts, what exceptions say as lists of texts.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, BinaryViewArray, ListBuilder, MapArray, MapBuilder, MapFieldNames, RecordBatch, StringBuilder,
    StringViewBuilder,
};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value as Json;

use super::super::columns;
use super::super::predicate::Exceptions;
use super::super::question::QueryError;
use super::super::wire::{self, Any};
use crate::attributes::{ATTRIBUTES, Attributes, Found};
use crate::model::{Hex, Severity, SpanKind, StatusCode};
use crate::schema::{self, column};
use crate::store::Signal;

/// A column as SQL shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    form: Form,
}

/// How a column is made from stored ones.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// As stored.
    Same(&'static str),
    Hex(&'static str),
    Word(&'static str, fn(i32) -> &'static str),
    Attributes,
    Resource,
    /// What all exceptions of a span say under a key, from what holds it of the first and of several.
    Exceptions(&'static [&'static str; 3], &'static str),
}

/// What a text of a column stands for.
pub(super) enum Stored {
    Text(&'static str),
    Numbers(&'static str, Vec<i32>),
}

/// Columns of texts that are asked before rows are made; others are as long as bodies, or seldom asked for one text.
const TEXTS: [&str; 2] = [column::SERVICE_NAME, column::NAME];
/// Numbers that may have words of their own.
const NAMED: RangeInclusive<i32> = 0..=32;

const TYPES: [&str; 3] = [column::EXCEPTION_TYPE, column::EVENT_NAMES, column::EVENTS];
const MESSAGES: [&str; 3] = [column::EXCEPTION_MESSAGE, column::EVENT_NAMES, column::EVENTS];

const SPANS: [Column; 22] = [
    Column { name: "trace_id", form: Form::Hex(column::TRACE_ID) },
    Column { name: "span_id", form: Form::Hex(column::SPAN_ID) },
    Column { name: "parent_span_id", form: Form::Hex(column::PARENT_SPAN_ID) },
    Column { name: "start_time", form: Form::Same(column::START_TIME) },
    Column { name: "end_time", form: Form::Same(column::END_TIME) },
    Column { name: "duration", form: Form::Same(column::DURATION) },
    Column { name: "service_name", form: Form::Same(column::SERVICE_NAME) },
    Column { name: "name", form: Form::Same(column::NAME) },
    Column { name: "kind", form: Form::Word(column::KIND, kind) },
    Column { name: "status", form: Form::Word(column::STATUS_CODE, status) },
    Column { name: "status_message", form: Form::Same(column::STATUS_MESSAGE) },
    Column { name: "attributes", form: Form::Attributes },
    Column { name: "resource", form: Form::Resource },
    Column { name: "event_names", form: Form::Same(column::EVENT_NAMES) },
    Column { name: "exception_type", form: Form::Same(column::EXCEPTION_TYPE) },
    Column { name: "exception_message", form: Form::Same(column::EXCEPTION_MESSAGE) },
    Column { name: "exception_types", form: Form::Exceptions(&TYPES, "exception.type") },
    Column { name: "exception_messages", form: Form::Exceptions(&MESSAGES, "exception.message") },
    Column { name: "peer", form: Form::Same(column::PEER) },
    Column { name: "peer_system", form: Form::Same(column::PEER_SYSTEM) },
    Column { name: "trace_state", form: Form::Same(column::TRACE_STATE) },
    Column { name: "flags", form: Form::Same(column::FLAGS) },
];

const LOGS: [Column; 14] = [
    Column { name: "record_id", form: Form::Same(column::RECORD_ID) },
    Column { name: "time", form: Form::Same(column::TIME) },
    Column { name: "observed_time", form: Form::Same(column::OBSERVED_TIME) },
    Column { name: "trace_id", form: Form::Hex(column::TRACE_ID) },
    Column { name: "span_id", form: Form::Hex(column::SPAN_ID) },
    Column { name: "service_name", form: Form::Same(column::SERVICE_NAME) },
    Column { name: "severity", form: Form::Word(column::SEVERITY_NUMBER, severity) },
    Column { name: "severity_number", form: Form::Same(column::SEVERITY_NUMBER) },
    Column { name: "severity_text", form: Form::Same(column::SEVERITY_TEXT) },
    Column { name: "body", form: Form::Same(column::BODY) },
    Column { name: "attributes", form: Form::Attributes },
    Column { name: "resource", form: Form::Resource },
    Column { name: "event_name", form: Form::Same(column::EVENT_NAME) },
    Column { name: "flags", form: Form::Same(column::FLAGS) },
];

/// The columns of a table in order.
pub(super) fn of(signal: Signal) -> &'static [Column] {
    match signal {
        Signal::Traces => &SPANS,
        Signal::Logs => &LOGS,
    }
}

/// The schema of some columns of a table.
pub(super) fn schema(signal: Signal, columns: &[Column]) -> SchemaRef {
    let stored = schema::of(signal);
    let field = |column: &Column| {
        let (data_type, nullable) = match column.form {
            Form::Same(name) => stored.field_with_name(name).map_or((DataType::Null, true), |f| (f.data_type().clone(), f.is_nullable())),
            Form::Hex(name) => (DataType::Utf8View, stored.field_with_name(name).is_ok_and(Field::is_nullable)),
            Form::Word(..) => (DataType::Utf8View, false),
            Form::Attributes | Form::Resource => (map_type(), false),
            Form::Exceptions(..) => (DataType::new_list(DataType::Utf8View, true), false),
        };
        Field::new(column.name, data_type, nullable)
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// A type in words that people of SQL know.
pub(super) fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "TEXT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Int32 => "INTEGER".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Map(..) => "MAP(TEXT, TEXT)".to_owned(),
        DataType::List(element) => format!("LIST({})", sql_type(element.data_type())),
        DataType::Binary | DataType::BinaryView | DataType::LargeBinary | DataType::FixedSizeBinary(_) => "BYTEA".to_owned(),
        DataType::Timestamp(..) => "TIMESTAMP".to_owned(),
        other => other.to_string().to_uppercase(),
    }
}

impl Column {
    /// The stored columns it is made from.
    pub(super) fn sources(&self) -> &'static [&'static str] {
        match &self.form {
            Form::Same(_) | Form::Hex(_) | Form::Word(..) => &[],
            Form::Attributes => &ATTRIBUTES,
            Form::Resource => &[column::RESOURCE],
            Form::Exceptions(sources, _) => *sources,
        }
    }

    /// The single stored column it is made from.
    pub(super) fn source(&self) -> Option<&'static str> {
        match self.form {
            Form::Same(name) | Form::Hex(name) | Form::Word(name, _) => Some(name),
            Form::Attributes | Form::Resource | Form::Exceptions(..) => None,
        }
    }

    /// The stored texts or numbers that this text stands for; of ids, maps and lists it is not known, nor of a word for numbers without one.
    pub(super) fn stored(&self, text: &str) -> Option<Stored> {
        match self.form {
            Form::Same(name) if TEXTS.contains(&name) => Some(Stored::Text(name)),
            Form::Word(name, word) => {
                let is_of_others = word(*NAMED.start() - 1) == text || word(*NAMED.end() + 1) == text;
                (!is_of_others).then(|| Stored::Numbers(name, NAMED.filter(|number| word(*number) == text).collect()))
            }
            _ => None,
        }
    }

    /// Those of the rows that may have this text; of ids, maps and lists it is not known.
    pub(super) fn having(&self, text: &str, batch: &RecordBatch, rows: BooleanBuffer) -> Result<BooleanBuffer, QueryError> {
        Ok(match self.form {
            Form::Word(name, word) => {
                let numbers = columns::int(batch, name)?;
                BooleanBuffer::collect_bool(rows.len(), |row| rows.value(row) && word(numbers.value(row)) == text)
            }
            Form::Same(name) => match batch.column_by_name(name).and_then(|texts| texts.as_string_view_opt()) {
                Some(texts) => {
                    BooleanBuffer::collect_bool(rows.len(), |row| rows.value(row) && texts.is_valid(row) && texts.value(row) == text)
                }
                None => rows,
            },
            Form::Hex(_) | Form::Attributes | Form::Resource | Form::Exceptions(..) => rows,
        })
    }

    /// Makes it for the rows of a batch.
    pub(super) fn array(&self, batch: &RecordBatch) -> Result<ArrayRef, QueryError> {
        match self.form {
            Form::Same(name) => {
                batch.column_by_name(name).cloned().ok_or_else(|| QueryError::Internal(format!("column {name} is missing")))
            }
            Form::Hex(name) => hex(batch, name),
            Form::Word(name, word) => {
                let numbers = columns::int(batch, name)?;
                let mut words = StringViewBuilder::with_capacity(batch.num_rows());
                numbers.values().iter().for_each(|number| words.append_value(word(*number)));
                Ok(Arc::new(words.finish()))
            }
            Form::Attributes => attributes(batch),
            Form::Resource => resources(columns::binary(batch, column::RESOURCE)?),
            Form::Exceptions([first, ..], key) => exceptions(batch, first, key),
        }
    }
}

fn kind(number: i32) -> &'static str {
    SpanKind::from(number).as_str()
}

fn status(number: i32) -> &'static str {
    StatusCode::from(number).as_str()
}

fn severity(number: i32) -> &'static str {
    Severity::from_number(number).map_or("unknown", Severity::as_str)
}

fn hex(batch: &RecordBatch, name: &str) -> Result<ArrayRef, QueryError> {
    let ids = columns::id(batch, name)?;
    let mut texts = StringViewBuilder::with_capacity(ids.len());
    let mut text = String::new();
    for id in ids {
        match id {
            None => texts.append_null(),
            Some(id) => {
                text.clear();
                Hex(id).push_to(&mut text);
                texts.append_value(&text);
            }
        }
    }
    Ok(Arc::new(texts.finish()))
}

type Maps = MapBuilder<StringBuilder, StringBuilder>;

fn maps(rows: usize) -> Maps {
    let names = MapFieldNames { entry: "entries".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
    MapBuilder::with_capacity(Some(names), StringBuilder::new(), StringBuilder::new(), rows)
}

fn map_type() -> DataType {
    let entries = Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

fn finish(mut maps: Maps) -> Result<ArrayRef, QueryError> {
    let map: MapArray = maps.finish();
    Ok(Arc::new(map))
}

fn attributes(batch: &RecordBatch) -> Result<ArrayRef, QueryError> {
    let attributes = Attributes::of(batch)?;
    let mut maps = maps(batch.num_rows());
    for row in 0..batch.num_rows() {
        for (key, found) in attributes.all(row) {
            maps.keys().append_value(key);
            match found {
                Found::Text(text) => maps.values().append_value(text),
                Found::Int(value) => maps.values().append_value(value.to_string()),
                Found::Double(value) => maps.values().append_value(value.to_string()),
                Found::Bool(value) => maps.values().append_value(if value { "true" } else { "false" }),
                Found::Encoded(value) => append_any(maps.values(), value),
            }
        }
        maps.append(true).map_err(|error| QueryError::Internal(error.to_string()))?;
    }
    finish(maps)
}

/// In the order in which they happened; an exception without the key has no place in it.
fn exceptions(batch: &RecordBatch, first: &str, key: &str) -> Result<ArrayRef, QueryError> {
    let (first, several) = (columns::text(batch, first)?, Exceptions::of(batch)?);
    let mut lists = ListBuilder::new(StringViewBuilder::new());
    for row in 0..batch.num_rows() {
        let mut of_several = several.attributes(row).filter(|(name, _)| *name == key).filter_map(|(_, value)| text_of(value)).peekable();
        if of_several.peek().is_some() {
            of_several.for_each(|text| lists.values().append_value(text));
        } else if first.is_valid(row) {
            lists.values().append_value(first.value(row));
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

fn resources(envelopes: &BinaryViewArray) -> Result<ArrayRef, QueryError> {
    let mut maps = maps(envelopes.len());
    let mut known: HashMap<u128, Vec<(String, Option<String>)>> = HashMap::new();
    for (row, view) in envelopes.views().iter().enumerate() {
        let attributes = known.entry(*view).or_insert_with(|| {
            wire::resource_attributes(envelopes.value(row)).map(|(key, value)| (key.to_owned(), text_of(value))).collect()
        });
        for (key, value) in attributes {
            maps.keys().append_value(key);
            maps.values().append_option(value.as_ref());
        }
        maps.append(true).map_err(|error| QueryError::Internal(error.to_string()))?;
    }
    finish(maps)
}

fn append_any(values: &mut StringBuilder, encoded: &[u8]) {
    values.append_option(text_of(encoded));
}

/// A value as text: arrays and maps as JSON, bytes in base64, by which conditions find them, nothing for an empty one.
pub(in super::super) fn text_of(encoded: &[u8]) -> Option<String> {
    match json_of(encoded, 0) {
        Json::Null => None,
        Json::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

fn json_of(encoded: &[u8], depth: usize) -> Json {
    const MAX_DEPTH: usize = 32;
    match wire::any(encoded) {
        Any::Empty => Json::Null,
        Any::Text(text) => text.into(),
        Any::Bool(value) => value.into(),
        Any::Int(value) => value.into(),
        Any::Double(value) => serde_json::Number::from_f64(value).map_or_else(|| value.to_string().into(), Json::Number),
        Any::Bytes(bytes) => BASE64_STANDARD.encode(bytes).into(),
        Any::Array(_) | Any::Map(_) if depth >= MAX_DEPTH => "…".into(),
        Any::Array(array) => wire::elements(array).map(|element| json_of(element, depth + 1)).collect(),
        Any::Map(map) => wire::entries(map).map(|(key, value)| (key.to_owned(), json_of(value, depth + 1))).collect(),
    }
}
