//! Where in a segment a condition can hold, by what the segment knows of its attributes and operations.
//!
//! An answer here never decides: rows that are left are compared again. Damage and absence of an index leave all rows.

use super::super::language::{Field, Operand, Operator, Test, equivalents};
use super::super::scan::intersect;
use super::value::{Bound, Number, ValueTest, Wanted};
use crate::attributes::Found;
use crate::encoded;
use crate::segment::{AttributeIndex, Entry, Kind, Owner, RowRanges, Scalar, Segment, key_hash, union_rows as union, value_hash};

mod shown;

pub(crate) use self::shown::Shown;

/// What every matching row has, as far as indexes know of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Prune {
    /// Nothing is known.
    #[default]
    Anything,
    /// All of these.
    All(Vec<Self>),
    /// One of these.
    Any(Vec<Self>),
    /// An attribute.
    Attribute(Condition),
    /// A span name.
    Name(Condition),
    /// An attribute by what it reads.
    Shown(Shown),
}

/// Whose attribute it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Record,
    Resource,
    Instrumentation,
    Event,
    Link,
    /// Of the resource only when the record has none.
    Either,
}

/// A comparison that indexes can answer in part.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    scope: Scope,
    keys: Vec<String>,
    operator: Operator,
    operand: Operand,
    test: ValueTest,
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        (self.scope, &self.keys, self.operator, &self.operand) == (other.scope, &other.keys, other.operator, &other.operand)
    }
}

impl Prune {
    /// What a row has for which a comparison holds.
    pub(super) fn of(test: &Test) -> Self {
        if matches!(test.operator, Operator::NotEqual | Operator::NotMatch) {
            return Self::Anything;
        }
        let condition = |scope, keys| Condition {
            scope,
            keys,
            operator: test.operator,
            operand: test.operand.clone(),
            test: ValueTest::new(test.operator, &test.operand),
        };
        match &test.field {
            Field::Attribute(key) => Self::Attribute(condition(Scope::Record, equivalents(key))),
            Field::Resource(key) => Self::Attribute(condition(Scope::Resource, equivalents(key))),
            Field::Scope(key) => Self::Attribute(condition(Scope::Instrumentation, equivalents(key))),
            Field::EventAttribute(key) => Self::Attribute(condition(Scope::Event, equivalents(key))),
            Field::LinkAttribute(key) => Self::Attribute(condition(Scope::Link, equivalents(key))),
            // Of an exception, or of the span itself.
            Field::ExceptionType | Field::ExceptionMessage => {
                let keys = equivalents(if test.field == Field::ExceptionType { "exception.type" } else { "exception.message" });
                let of = |scope| Self::Attribute(condition(scope, keys.clone()));
                of(Scope::Event).either(of(Scope::Record))
            }
            Field::Either(key) => Self::Attribute(condition(Scope::Either, equivalents(key))),
            Field::Name => Self::Name(condition(Scope::Record, Vec::new())),
            _ => Self::Anything,
        }
    }

    /// Both must hold.
    pub(crate) fn both(self, other: Self) -> Self {
        match (self, other) {
            (Self::Anything, other) | (other, Self::Anything) => other,
            (Self::All(mut parts), other) => {
                parts.push(other);
                Self::All(parts)
            }
            (part, other) => Self::All(vec![part, other]),
        }
    }

    /// One must hold.
    pub(crate) fn either(self, other: Self) -> Self {
        match (self, other) {
            (Self::Anything, _) | (_, Self::Anything) => Self::Anything,
            (Self::Any(mut parts), other) => {
                parts.push(other);
                Self::Any(parts)
            }
            (part, other) => Self::Any(vec![part, other]),
        }
    }

    /// Rows of a segment for which it can hold; `None` when nothing is known.
    pub(crate) fn rows(&self, segment: &Segment) -> Option<RowRanges> {
        match self {
            Self::Anything => None,
            Self::All(parts) => {
                let mut left: Option<RowRanges> = None;
                for part in parts {
                    let Some(rows) = part.rows(segment) else { continue };
                    let both = left.map_or_else(|| rows.clone(), |left| intersect(&left, &rows));
                    if both.is_empty() {
                        return Some(both);
                    }
                    left = Some(both);
                }
                left
            }
            Self::Any(parts) => parts.iter().try_fold(RowRanges::new(), |found, part| Some(union(found, part.rows(segment)?))),
            Self::Attribute(condition) => condition.rows(segment),
            Self::Shown(shown) => shown.rows(segment),
            Self::Name(condition) => {
                let operations = segment.operations().filter(|operations| operations.complete)?;
                let named = operations.entries.iter().any(|operation| condition.test.text(&operation.name));
                (!named).then(RowRanges::new)
            }
        }
    }
}

impl Condition {
    fn rows(&self, segment: &Segment) -> Option<RowRanges> {
        let index = segment.attributes()?;
        match self.scope {
            Scope::Record => self.owned(segment, index, Owner::Record),
            Scope::Instrumentation => self.owned(segment, index, Owner::Scope),
            Scope::Event => self.owned(segment, index, Owner::Event),
            Scope::Link => self.owned(segment, index, Owner::Link),
            Scope::Resource => self.in_resources(segment, index),
            Scope::Either => Some(union(self.owned(segment, index, Owner::Record)?, self.in_resources(segment, index)?)),
        }
    }

    /// The different resources are few: each is compared.
    fn in_resources(&self, segment: &Segment, index: &AttributeIndex) -> Option<RowRanges> {
        if !self.keys.iter().any(|key| index.may_have(Owner::Resource, key)) {
            return Some(RowRanges::new());
        }
        let Some(resources) = index.resources() else { return self.owned(segment, index, Owner::Resource) };
        let is_wanted = |key: &str| self.keys.iter().any(|wanted| wanted == key);
        let pass =
            |envelope: &[u8]| encoded::resource_attributes(envelope).any(|(key, value)| is_wanted(key) && self.test.encoded(value, 0));
        Some(resources.rows(u32::try_from(segment.meta().rows).unwrap_or(u32::MAX), pass))
    }

    fn owned(&self, segment: &Segment, index: &AttributeIndex, owner: Owner) -> Option<RowRanges> {
        let mut found = RowRanges::new();
        for key in &self.keys {
            // Where keys were left out, an entry may lack what another segment knew of its key.
            let whole = index.catalogue().filter(|catalogue| catalogue.is_complete(owner));
            let entry = whole.and_then(|catalogue| catalogue.entry(owner, key));
            if whole.is_some() && !entry.is_some_and(|entry| self.may_hold(entry)) {
                continue;
            }
            let mut rows = RowRanges::new();
            for hash in self.hashes(owner, key, entry) {
                rows = union(rows, segment.attribute_rows(hash)?);
            }
            if owner == Owner::Record
                && let Some(pages) = self.in_pages(segment, key)
            {
                rows = intersect(&rows, &pages);
            }
            found = union(found, rows);
        }
        Some(found)
    }

    /// Rows of pages in which a number of a promoted attribute can pass.
    fn in_pages(&self, segment: &Segment, key: &str) -> Option<RowRanges> {
        let ValueTest::Order(_, Bound::Number(_)) = self.test else { return None };
        // As with bounds of all values.
        segment.number_rows(key, |min, max| self.test.found(found(min)) || self.test.found(found(max)))
    }

    /// Whether any of the values of a key can pass.
    fn may_hold(&self, entry: &Entry) -> bool {
        entry.types.iter().any(|values| {
            if values.complete {
                return values.top.iter().any(|(value, _)| self.test.found(found(value.scalar())));
            }
            match (&self.test, &values.bounds) {
                // What lies above or below a bound includes one of the extremes, or nothing.
                (ValueTest::Order(..), Some((min, max))) => self.test.found(found(min.scalar())) || self.test.found(found(max.scalar())),
                // Text has no order with numbers; elements of arrays may.
                (ValueTest::Order(_, Bound::Number(_)), None) => values.kind == Kind::Other,
                _ => true,
            }
        })
    }

    /// Hashes of which a row that passes has at least one. `entry` is what is known of the key.
    fn hashes(&self, owner: Owner, key: &str, entry: Option<&Entry>) -> Vec<u64> {
        let key_hash = key_hash(owner, key);
        let has = |kind| entry.is_none_or(|entry| entry.types.iter().any(|values| values.kind == kind));
        let (has_composites, has_doubles) = (has(Kind::Other), has(Kind::Double) || has(Kind::Other));
        let exact = |wanted: &Wanted| {
            let Wanted::Exact { text, number, truth } = wanted else { return None };
            if (has_composites && wanted.may_be_composite()) || (has_doubles && wanted.may_be_endless()) {
                return None;
            }
            let number = number.map(|number| match number {
                Number::Int(int) => Scalar::Int(int),
                Number::Double(double) => Scalar::Double(double),
            });
            let scalars = [Some(Scalar::Text(text)), number, truth.map(Scalar::Bool)];
            Some(scalars.into_iter().flatten().filter_map(|scalar| value_hash(key_hash, scalar)).collect::<Vec<_>>())
        };
        let hashes = match &self.test {
            ValueTest::AnyOf(wanted) => wanted.iter().map(exact).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        hashes.map_or_else(|| vec![key_hash], |hashes| hashes.concat())
    }
}

fn found(scalar: Scalar<'_>) -> Found<'_> {
    match scalar {
        Scalar::Text(text) => Found::Text(text),
        Scalar::Int(int) => Found::Int(int),
        Scalar::Double(double) => Found::Double(double),
        Scalar::Bool(flag) => Found::Bool(flag),
    }
}

#[cfg(test)]
mod tests;
