//! A text that occurs somewhere in a span, whatever holds it: how a word is meant inside of one trace.
//!
//! Looks into more than free text on spans does elsewhere, and into the middle of words: a trace is small enough for both. Words of closed
//! sets, kind and status, are found by their fields only, or a search for `error` would say little.

use arrow::array::{Array as _, RecordBatch};
use arrow::buffer::BooleanBuffer;

use super::super::columns;
use super::super::language::Literal;
use super::super::question::QueryError;
use super::super::wire;
use super::envelope::{Envelope, EnvelopeTest};
use super::finder::Finder;
use super::leaf::{SPAN_TEXTS, keep};
use crate::attributes::{ATTRIBUTES, Attributes, Found};
use crate::model::{SpanId, Value};
use crate::rows::any_value;
use crate::schema::column;

/// What is looked for.
#[derive(Debug)]
pub(super) struct Anywhere {
    finder: Finder,
    resource: Envelope,
    scope: Envelope,
}

/// Columns that are looked into, attributes left out.
const COLUMNS: [&str; 5] = [column::SERVICE_NAME, column::SPAN_ID, column::EVENTS, column::RESOURCE, column::SCOPE];

// === impl Anywhere ===

impl Anywhere {
    /// `None` when it asks for nothing. A word without quotes is found inside of others as well.
    pub(super) fn new(literal: &Literal, is_exact: bool) -> Option<Self> {
        let finder = match literal {
            _ if is_exact => Finder::exact(literal),
            Literal::Bare(word) => Finder::new(&Literal::Quoted(word.clone())),
            _ => Finder::new(literal),
        }?;
        Some(Self { resource: Envelope::ResourceText(finder.clone()), scope: Envelope::ScopeText(finder.clone()), finder })
    }

    pub(super) fn columns() -> impl Iterator<Item = &'static str> {
        COLUMNS.into_iter().chain(SPAN_TEXTS).chain(ATTRIBUTES)
    }

    /// Those of the `alive` rows in which it occurs; what is read fastest decides first.
    pub(super) fn eval(&self, batch: &RecordBatch, alive: &BooleanBuffer) -> Result<BooleanBuffer, QueryError> {
        let mut found = BooleanBuffer::new_unset(alive.len());
        for name in [column::SERVICE_NAME].into_iter().chain(SPAN_TEXTS) {
            let array = columns::text(batch, name)?;
            let open = alive & &!&found;
            found = &found | &keep(&open, |row| array.is_valid(row) && self.finder.matches(array.value(row)));
        }
        for envelope in [&self.resource, &self.scope] {
            let mut test = EnvelopeTest::new(columns::binary(batch, envelope.column())?, envelope);
            let open = alive & &!&found;
            found = &found | &keep(&open, |row| test.passes(row));
        }
        let (ids, events, attributes) =
            (columns::id(batch, column::SPAN_ID)?, columns::binary(batch, column::EVENTS)?, Attributes::of(batch)?);
        let open = alive & &!&found;
        let is_in = |row| {
            attributes.all(row).any(|(key, value)| self.is_in_pair(key, value))
                || (events.is_valid(row) && holds_pair(&self.finder, wire::event_attributes(events.value(row))))
                || SpanId::from_slice(ids.value(row)).is_some_and(|id| self.finder.matches(&id.to_string()))
        };
        Ok(&found | &keep(&open, is_in))
    }

    fn is_in_pair(&self, key: &str, value: Found<'_>) -> bool {
        self.finder.matches(key)
            || match value {
                Found::Text(text) => self.finder.matches(text),
                Found::Int(value) => self.finder.matches(&value.to_string()),
                Found::Double(value) => self.finder.matches(&Value::Double(value).to_string()),
                Found::Bool(value) => self.finder.matches(if value { "true" } else { "false" }),
                Found::Encoded(value) => self.finder.matches(&any_value(value).to_string()),
            }
    }
}

/// Whether a key or a value, as it is shown, has the text.
pub(super) fn holds_pair<'a>(finder: &Finder, mut pairs: impl Iterator<Item = (&'a str, &'a [u8])>) -> bool {
    pairs.any(|(key, value)| finder.matches(key) || finder.matches(&any_value(value).to_string()))
}
