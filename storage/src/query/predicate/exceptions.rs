//! The exceptions of a span. The first has columns of its own; all of them are among the events.

use arrow::array::{Array, BinaryViewArray, RecordBatch, StringViewArray};
use arrow::buffer::BooleanBuffer;

use super::super::columns;
use super::super::question::QueryError;
use super::super::wire::{self, Any};
use super::finder::Finder;
use super::value::ValueTest;
use crate::schema::column;

/// The exceptions of the spans of a batch that have several.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Exceptions<'a> {
    names: &'a StringViewArray,
    events: &'a BinaryViewArray,
}

/// Columns that are read beside those of the first exception.
pub(in super::super) const FURTHER: [&str; 2] = [column::EVENT_NAMES, column::EVENTS];

/// Attributes of exceptions that are searched.
const TEXTS: [&str; 2] = ["exception.type", "exception.message"];

/// Those of the `open` rows with several exceptions of which one has, under one of `keys`, what is asked for.
pub(super) fn any_has(batch: &RecordBatch, open: &BooleanBuffer, keys: &[String], test: &ValueTest) -> Result<BooleanBuffer, QueryError> {
    of_several(batch, open, |key, value| keys.iter().any(|wanted| wanted == key) && test.encoded(value, 0))
}

/// The same for free text in types and messages.
pub(super) fn any_says(batch: &RecordBatch, open: &BooleanBuffer, finder: &Finder) -> Result<BooleanBuffer, QueryError> {
    of_several(batch, open, |key, value| TEXTS.contains(&key) && matches!(wire::any(value), Any::Text(text) if finder.matches(text)))
}

fn of_several(batch: &RecordBatch, open: &BooleanBuffer, pass: impl Fn(&str, &[u8]) -> bool) -> Result<BooleanBuffer, QueryError> {
    if open.count_set_bits() == 0 {
        return Ok(open.clone());
    }
    let exceptions = Exceptions::of(batch)?;
    Ok(BooleanBuffer::collect_bool(open.len(), |row| open.value(row) && exceptions.attributes(row).any(|(key, value)| pass(key, value))))
}

impl<'a> Exceptions<'a> {
    pub(in super::super) fn of(batch: &'a RecordBatch) -> Result<Self, QueryError> {
        Ok(Self { names: columns::text(batch, column::EVENT_NAMES)?, events: columns::binary(batch, column::EVENTS)? })
    }

    /// Attributes of all exceptions of a span; none when it has one only, of which columns tell.
    pub(in super::super) fn attributes(self, row: usize) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let has_several = self.names.is_valid(row) && self.events.is_valid(row) && are_several(self.names.value(row));
        has_several.then(|| wire::exception_attributes(self.events.value(row))).into_iter().flatten()
    }
}

/// By the names of the events, one per line. A name of several lines may make it say yes for nothing, never no.
pub(super) fn are_several(names: &str) -> bool {
    names.lines().filter(|name| *name == "exception").nth(1).is_some()
}
