//! Conditions that the values of a column decide on as they are stored, without rows being made of them.

use super::envelope::Envelope;
use super::leaf::{Leaf, Scope, within};
use super::value::ValueTest;
use super::{Eval, Predicate};
use crate::schema::column;
use crate::segment::{RowRanges, Segment, union_rows};

/// A condition that every matching row meets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored<'a>(&'a Leaf);

impl Predicate {
    /// Conditions that can be asked of columns as they are stored: first those on columns of few different values.
    pub(crate) fn stored(&self) -> Vec<Stored<'_>> {
        let mut found = Vec::new();
        self.root.stored(&mut found);
        found.sort_by_key(|Stored(leaf)| matches!(leaf, Leaf::Long(..)));
        found
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
}

impl Leaf {
    fn is_stored(&self) -> bool {
        match self {
            Self::Text(..) | Self::Lines(..) | Self::Int(..) | Self::Long(..) | Self::Attribute(..) => true,
            // A row without a resource has one without attributes.
            Self::Envelope(envelope) => !envelope.holds(&[]),
            _ => false,
        }
    }
}

// === impl Stored ===

impl Stored<'_> {
    /// Those of some rows of a segment that may meet it; `None` where it takes reading them.
    pub(crate) fn rows(self, segment: &Segment, rows: &RowRanges) -> Option<RowRanges> {
        match self.0 {
            Leaf::Text(name, test) => segment.rows_passing(name, rows, |value| text(value).is_none_or(|text| test.text(text))),
            Leaf::Lines(name, test) => {
                segment.rows_passing(name, rows, |value| text(value).is_none_or(|text| text.lines().any(|line| test.text(line))))
            }
            Leaf::Int(name, ranges) => {
                let number = |value: &[u8]| value.try_into().ok().map(i32::from_le_bytes);
                segment.rows_passing(name, rows, |value| number(value).is_none_or(|number| within(ranges, number)))
            }
            Leaf::Long(name, ranges) => {
                let number = |value: &[u8]| value.try_into().ok().map(u64::from_le_bytes);
                segment.rows_passing(name, rows, |value| number(value).is_none_or(|number| within(ranges, number)))
            }
            Leaf::Envelope(envelope) => segment.rows_passing(envelope.column(), rows, |value| envelope.holds(value)),
            Leaf::Attribute(scope, keys, test) => attribute(segment, rows, (*scope, keys.as_slice(), test)),
            _ => None,
        }
    }
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

fn attribute(segment: &Segment, rows: &RowRanges, (scope, keys, test): (Scope, &[String], &ValueTest)) -> Option<RowRanges> {
    let mut found = RowRanges::new();
    for key in keys {
        found = union_rows(found, segment.rows_passing_under(key, rows, |value| test.found(value))?);
    }
    if scope == Scope::Either {
        let envelope = Envelope::ResourceAttribute(keys.to_vec(), test.clone());
        found = union_rows(found, segment.rows_passing(column::RESOURCE, rows, |value| envelope.holds(value))?);
    }
    Some(found)
}
