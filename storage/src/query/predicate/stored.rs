//! Conditions that the values of a column decide on as they are stored, without rows being made of them.

use std::ptr;

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;

use super::super::question::QueryError;
use super::envelope::Envelope;
use super::leaf::{Leaf, Scope, within};
use super::needs::Needs;
use super::value::ValueTest;
use super::{Eval, Predicate};
use crate::schema::column;
use crate::segment::{Owner, RowRanges, Segment, union_rows};
use crate::text::quiet;

/// A condition that every matching row meets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored<'a>(&'a Leaf);

/// What is left of a predicate where some of its conditions are known to be met.
#[derive(Debug)]
pub(crate) struct Rest<'a>(Vec<&'a Eval>);

impl Predicate {
    /// Conditions that can be asked of columns as they are stored: first those that few rows meet, last what takes adding up.
    pub(crate) fn stored(&self) -> Vec<Stored<'_>> {
        let mut found = Vec::new();
        self.root.stored(&mut found);
        found.sort_by_key(|Stored(leaf)| match leaf {
            Leaf::Text(column::NAME, _) => 0,
            Leaf::Attribute(..) => 2,
            Leaf::Long(..) => 3,
            _ => 1,
        });
        found
    }

    /// The rest, where these are known to be met.
    pub(crate) fn rest(&self, met: &[Stored<'_>]) -> Rest<'_> {
        let mut rest = Vec::new();
        self.root.rest(met, &mut rest);
        Rest(rest)
    }
}

impl Eval {
    fn stored<'a>(&'a self, into: &mut Vec<Stored<'a>>) {
        match self {
            Self::And(parts) => parts.iter().for_each(|part| part.stored(into)),
            Self::Leaf(leaf) if leaf.is_stored() => into.push(Stored(leaf)),
            _ => {}
        }
    }

    fn rest<'a>(&'a self, met: &[Stored<'_>], into: &mut Vec<&'a Self>) {
        match self {
            Self::And(parts) => parts.iter().for_each(|part| part.rest(met, into)),
            Self::Leaf(leaf) if met.iter().any(|Stored(met)| ptr::eq(*met, leaf)) => {}
            _ => into.push(self),
        }
    }
}

// === impl Rest ===

impl<'a> Rest<'a> {
    /// What [`Rest::matches`] reads.
    pub(crate) fn needs(&self) -> Needs<'a> {
        let mut needs = Needs::default();
        self.0.iter().for_each(|part| part.needs(&mut needs));
        needs
    }

    /// Those of the `alive` rows that match.
    pub(crate) fn matches(&self, batch: &RecordBatch, mut alive: BooleanBuffer) -> Result<BooleanBuffer, QueryError> {
        for part in &self.0 {
            if alive.count_set_bits() == 0 {
                break;
            }
            alive = part.eval(batch, alive)?;
        }
        Ok(alive)
    }
}

impl Leaf {
    fn is_stored(&self) -> bool {
        match self {
            Self::Text(..) | Self::Shown(..) | Self::Lines(..) | Self::Int(..) | Self::Long(..) | Self::Attribute(..) => true,
            // A row without a resource has one without attributes.
            Self::Envelope(envelope) => !envelope.holds(&[]),
            _ => false,
        }
    }
}

// === impl Stored ===

impl Stored<'_> {
    /// Those of some rows of a segment that may meet it, and whether these are no others than those that do; `None` where it takes reading
    /// them.
    pub(crate) fn rows(self, segment: &Segment, rows: &RowRanges) -> Option<(RowRanges, bool)> {
        let found = match self.0 {
            Leaf::Text(name, test) => segment.rows_passing(name, rows, |value| text(value).is_some_and(|text| test.text(text))),
            Leaf::Shown(name, test) => segment.rows_passing(name, rows, |value| text(value).is_some_and(|text| test.text(&quiet(text)))),
            Leaf::Lines(name, test) => {
                segment.rows_passing(name, rows, |value| text(value).is_some_and(|text| text.lines().any(|line| test.text(line))))
            }
            Leaf::Int(name, ranges) => {
                let number = |value: &[u8]| value.try_into().ok().map(i32::from_le_bytes);
                segment.rows_passing(name, rows, |value| number(value).is_some_and(|number| within(ranges, number)))
            }
            Leaf::Long(name, ranges) => {
                let number = |value: &[u8]| value.try_into().ok().map(u64::from_le_bytes);
                segment.rows_passing(name, rows, |value| number(value).is_some_and(|number| within(ranges, number)))
            }
            Leaf::Envelope(envelope) => segment.rows_passing(envelope.column(), rows, |value| envelope.holds(value)),
            Leaf::Attribute(scope, keys, test) => return attribute(segment, rows, (*scope, keys.as_slice(), test)),
            _ => None,
        };
        Some((found?, true))
    }
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

fn attribute(segment: &Segment, rows: &RowRanges, (scope, keys, test): (Scope, &[String], &ValueTest)) -> Option<(RowRanges, bool)> {
    let mut found = RowRanges::new();
    for key in keys {
        found = union_rows(found, segment.rows_passing_under(key, rows, |value| test.found(value))?);
    }
    let may_have = |key: &String| segment.attributes().is_none_or(|index| index.may_have(Owner::Resource, key));
    let in_resource = scope == Scope::Either && keys.iter().any(may_have);
    if in_resource {
        // Those with another value of their own are among these.
        let envelope = Envelope::ResourceAttribute(keys.to_vec(), test.clone());
        found = union_rows(found, segment.rows_passing(column::RESOURCE, rows, |value| envelope.holds(value))?);
    }
    Some((found, !in_resource))
}
