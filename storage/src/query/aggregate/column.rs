//! The values of one field in the rows of a batch, row by row.
//!
//! `facets` knows where a field lies and counts its values batch by batch; here they are handed on with their types, so that rows can be
//! told apart by them and numbers be summed up.

use std::collections::HashMap;
use std::fmt::Write as _;

use arrow::array::{Array as _, BinaryViewArray, FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch, StringViewArray};

use super::super::columns;
use super::super::facets::{Part, Source};
use super::super::predicate::Exceptions;
use super::super::question::QueryError;
use super::super::wire::{self, Any};
use crate::attributes::{Found, Values};
use crate::model::Hex;
use crate::schema::column;

/// Reads a field.
#[derive(Debug)]
pub(super) struct Column<'a> {
    lies: Lies<'a>,
    /// Where values that are not stored as text are written.
    text: String,
}

#[derive(Debug)]
enum Lies<'a> {
    Text(&'a StringViewArray),
    Lines(&'a StringViewArray),
    Word(&'a Int32Array, fn(i32) -> &'static str),
    Nanos(&'a Int64Array),
    Id(&'a FixedSizeBinaryArray),
    IsNull(&'a FixedSizeBinaryArray),
    /// Among the attributes of the record, else of the resource.
    Attribute(Vec<Values<'a>>, Option<Envelopes<'a>>),
    /// In the column of the first exception, in further ones under these keys, and among the attributes of the span.
    Exception(&'a StringViewArray, (Exceptions<'a>, &'a [String]), Vec<Values<'a>>),
    Envelope(Envelopes<'a>),
    Events(&'a BinaryViewArray, &'a [String]),
    Links(&'a BinaryViewArray, &'a Part),
}

/// Resources or scopes.
#[derive(Debug)]
struct Envelopes<'a> {
    array: &'a BinaryViewArray,
    wanted: Wanted<'a>,
    /// Values by view: equal views are equal bytes.
    known: HashMap<u128, Option<Found<'a>>>,
}

#[derive(Clone, Copy, Debug)]
enum Wanted<'a> {
    OfResource(&'a [String]),
    OfScope(&'a [String]),
    Name,
    Version,
}

/// Whether a row may have several values of a field, of which each tells it apart.
pub(super) fn has_many(source: &Source) -> bool {
    matches!(source, Source::Lines(_) | Source::Nested(..) | Source::Exception(..))
}

impl<'a> Column<'a> {
    pub(super) fn of(batch: &'a RecordBatch, source: &'a Source) -> Result<Self, QueryError> {
        let lies = match source {
            Source::Text(name) => Lies::Text(columns::text(batch, name)?),
            Source::Lines(name) => Lies::Lines(columns::text(batch, name)?),
            Source::Word(name, word) => Lies::Word(columns::int(batch, name)?, *word),
            Source::Nanos(name) => Lies::Nanos(columns::long(batch, name)?),
            Source::Id(name) => Lies::Id(columns::id(batch, name)?),
            Source::IsNull(name) => Lies::IsNull(columns::id(batch, name)?),
            Source::Exception(name, keys) => {
                Lies::Exception(columns::text(batch, name)?, (Exceptions::of(batch)?, keys), Values::of_each(batch, keys)?)
            }
            Source::Attribute(keys, or_resource) => {
                let resources = or_resource.then(|| Envelopes::of(batch, column::RESOURCE, Wanted::OfResource(keys))).transpose()?;
                Lies::Attribute(Values::of_each(batch, keys)?, resources)
            }
            Source::Envelope(name, part) => {
                let wanted = match part {
                    Part::Attribute(keys) if *name == column::RESOURCE => Wanted::OfResource(keys),
                    Part::Attribute(keys) => Wanted::OfScope(keys),
                    Part::First => Wanted::Name,
                    Part::Second => Wanted::Version,
                };
                Lies::Envelope(Envelopes::of(batch, name, wanted)?)
            }
            Source::Nested(name, Part::Attribute(keys)) if *name == column::EVENTS => Lies::Events(columns::binary(batch, name)?, keys),
            Source::Nested(name, part) => Lies::Links(columns::binary(batch, name)?, part),
        };
        Ok(Self { lies, text: String::new() })
    }

    /// Calls `see` for the values of a row until it returns true.
    pub(super) fn each(&mut self, row: usize, mut see: impl FnMut(Found<'_>) -> bool) {
        let text = &mut self.text;
        match &mut self.lies {
            Lies::Text(texts) => {
                see_text(columns::text_or_empty(texts, row), &mut see);
            }
            Lies::Lines(texts) => {
                columns::text_or_empty(texts, row).lines().any(|line| see_text(line, &mut see));
            }
            Lies::Word(numbers, word) => {
                see(Found::Text(word(numbers.value(row))));
            }
            Lies::Nanos(numbers) => {
                text.clear();
                // Writing to a String cannot fail.
                let _ = write!(text, "{}ns", columns::nanos(numbers, row));
                see(Found::Text(text));
            }
            Lies::Id(ids) => {
                see_text(hex(text, if ids.is_null(row) { &[] } else { ids.value(row) }), &mut see);
            }
            Lies::IsNull(ids) => {
                see(Found::Text(if ids.is_null(row) { "true" } else { "false" }));
            }
            Lies::Attribute(values, resources) => {
                let mut has_any = false;
                for values in values {
                    let (is_enough, present) = values.any(row, &mut see);
                    if is_enough {
                        return;
                    }
                    has_any |= present;
                }
                if let Some(found) = resources.as_mut().filter(|_| !has_any).and_then(|resources| resources.value(row)) {
                    see(found);
                }
            }
            Lies::Exception(first, (further, keys), own) => {
                let is_enough =
                    see_text(columns::text_or_empty(first, row), &mut see) || under(further.attributes(row), keys).any(&mut see);
                if !is_enough {
                    own.iter().any(|values| values.any(row, &mut see).0);
                }
            }
            Lies::Envelope(envelopes) => {
                if let Some(found) = envelopes.value(row) {
                    see(found);
                }
            }
            Lies::Events(events, keys) if events.is_valid(row) => {
                under(wire::event_attributes(events.value(row)), keys).any(see);
            }
            Lies::Links(links, part) if links.is_valid(row) => match part {
                Part::Attribute(keys) => {
                    under(wire::link_attributes(links.value(row)), keys).any(see);
                }
                Part::First => {
                    wire::link_ids(links.value(row)).any(|(trace, _)| see_text(hex(text, trace), &mut see));
                }
                Part::Second => {
                    wire::link_ids(links.value(row)).any(|(_, span)| see_text(hex(text, span), &mut see));
                }
            },
            Lies::Events(..) | Lies::Links(..) => {}
        }
    }
}

impl<'a> Envelopes<'a> {
    fn of(batch: &'a RecordBatch, name: &str, wanted: Wanted<'a>) -> Result<Self, QueryError> {
        Ok(Self { array: columns::binary(batch, name)?, wanted, known: HashMap::new() })
    }

    fn value(&mut self, row: usize) -> Option<Found<'a>> {
        let Self { array, wanted, known } = self;
        let (array, wanted) = (*array, *wanted);
        let view = array.views().get(row).copied().unwrap_or_default();
        let find = || {
            let envelope = array.value(row);
            let text = |text: &'a str| Some(Found::Text(text)).filter(|_| !text.is_empty());
            match wanted {
                // The current name goes before older ones.
                Wanted::OfResource(keys) => {
                    keys.iter().find_map(|key| under(wire::resource_attributes(envelope), std::slice::from_ref(key)).next())
                }
                Wanted::OfScope(keys) => {
                    keys.iter().find_map(|key| under(wire::scope_attributes(envelope), std::slice::from_ref(key)).next())
                }
                Wanted::Name => text(wire::scope_name(envelope).0),
                Wanted::Version => text(wire::scope_name(envelope).1),
            }
        };
        *known.entry(view).or_insert_with(find)
    }
}

fn see_text(text: &str, see: &mut impl FnMut(Found<'_>) -> bool) -> bool {
    !text.is_empty() && see(Found::Text(text))
}

fn under<'a>(all: impl Iterator<Item = (&'a str, &'a [u8])>, keys: &[String]) -> impl Iterator<Item = Found<'a>> {
    all.filter(|(key, _)| keys.iter().any(|wanted| wanted == key)).filter_map(|(_, value)| {
        Some(match wire::any(value) {
            Any::Empty => return None,
            Any::Text(text) => Found::Text(text),
            Any::Int(number) => Found::Int(number),
            Any::Double(number) => Found::Double(number),
            Any::Bool(flag) => Found::Bool(flag),
            Any::Bytes(_) | Any::Array(_) | Any::Map(_) => Found::Encoded(value),
        })
    })
}

fn hex<'t>(text: &'t mut String, bytes: &[u8]) -> &'t str {
    text.clear();
    Hex(bytes).push_to(text);
    text
}
