//! Single conditions over columns.

use arrow::array::{Array, RecordBatch};
use arrow::buffer::BooleanBuffer;

use super::super::columns;
use super::super::language::{Field, Literal, Operand, Operator, Presence, Reach, SeverityTest, Test, equivalents};
use super::super::question::QueryError;
use super::anywhere::Anywhere;
use super::envelope::{Envelope, EnvelopeTest};
use super::exceptions;
use super::finder::Finder;
use super::needs::Needs;
use super::nested::Nested;
use super::text;
use super::value::ValueTest;
use crate::attributes::Values;
use crate::model::{Severity, SpanId, TraceId};
use crate::schema::column;
use crate::store::Signal;
use crate::text::quiet;

/// One condition.
#[derive(Debug)]
pub(super) enum Leaf {
    /// A text column; null never passes.
    Text(&'static str, ValueTest),
    /// Any line of a text column; null never passes.
    Lines(&'static str, ValueTest),
    /// A 64-bit column, read as unsigned.
    Long(&'static str, Vec<(u64, u64)>),
    /// A 32-bit column that lies in one of these ranges, ends included.
    Int(&'static str, Vec<(i32, i32)>),
    /// A trace id column that is one of these, sorted.
    Trace(&'static str, Vec<TraceId>),
    /// A span id column.
    Span(&'static str, Vec<SpanId>),
    /// A column of any type that is not null.
    Present(&'static str),
    /// A column of any type that is null.
    Absent(&'static str),
    /// An attribute under any of these names.
    Attribute(Scope, Vec<String>, ValueTest),
    /// Something of any exception of a span, or of the span itself: the attribute under these names, of which the column has that of the
    /// first exception.
    Exception(Vec<String>, &'static str, ValueTest),
    /// Something of the resource or the scope.
    Envelope(Envelope),
    /// Something of the events or the links.
    Nested(Nested),
    /// Any of these.
    AnyOf(Vec<Self>),
    /// The body of a log record contains the text.
    Body(Finder),
    /// A whole text, as it is shown.
    Shown(&'static str, ValueTest),
    /// Any text of a span contains the text.
    SpanText(Finder),
    /// The text occurs in a span, whatever holds it.
    Anywhere(Box<Anywhere>),
}

/// Where an attribute of a record is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Record,
    /// In the resource only when the record has none.
    Either,
}

/// Text columns that free text on spans looks into.
pub(crate) const SPAN_TEXTS: [&str; 5] =
    [column::NAME, column::STATUS_MESSAGE, column::EXCEPTION_TYPE, column::EXCEPTION_MESSAGE, column::EVENT_NAMES];

impl Leaf {
    /// Free text; `None` when it asks for nothing.
    pub(super) fn text(signal: Signal, literal: &Literal, is_exact: bool) -> Option<Self> {
        let finder = if is_exact { Finder::exact(literal) } else { Finder::new(literal) };
        finder.map(|finder| match signal {
            Signal::Traces => Self::SpanText(finder),
            Signal::Logs => Self::Body(finder),
        })
    }

    pub(super) fn traces(mut ids: Vec<TraceId>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        Self::Trace(column::TRACE_ID, ids)
    }

    pub(super) fn services(names: &[String]) -> Self {
        let operand = Operand::Text(names.iter().cloned().map(Literal::Quoted).collect());
        Self::Text(column::SERVICE_NAME, ValueTest::new(Operator::Equal, &operand))
    }

    /// A column of texts that has this one.
    pub(super) fn equal(column: &'static str, text: &str) -> Self {
        Self::Text(column, ValueTest::new(Operator::Equal, &Operand::Text(vec![Literal::Quoted(text.to_owned())])))
    }

    pub(super) fn same_resource(resource: Vec<u8>) -> Self {
        Self::Envelope(Envelope::SameResource(resource))
    }

    pub(super) fn record(record_id: u64) -> Self {
        Self::Long(column::RECORD_ID, vec![(record_id, record_id)])
    }

    /// A comparison, without the negation that its operator may carry; `None` when it asks for nothing.
    pub(super) fn test(signal: Signal, test: &Test) -> Option<Self> {
        let Test { field, operator, operand } = test;
        let values = || ValueTest::new(*operator, operand);
        Some(match field {
            Field::Service => Self::Text(column::SERVICE_NAME, values()),
            Field::Name => Self::Text(column::NAME, values()),
            Field::StatusMessage => Self::Text(column::STATUS_MESSAGE, values()),
            Field::Peer => Self::Text(column::PEER, values()),
            Field::Event if signal == Signal::Logs => Self::Text(column::EVENT_NAME, values()),
            Field::Event => Self::Lines(column::EVENT_NAMES, values()),
            Field::ExceptionType => Self::Exception(equivalents("exception.type"), column::EXCEPTION_TYPE, values()),
            Field::ExceptionMessage => Self::Exception(equivalents("exception.message"), column::EXCEPTION_MESSAGE, values()),
            Field::Body => body(*operator, operand),
            Field::Attribute(key) => Self::Attribute(Scope::Record, equivalents(key), values()),
            Field::Either(key) => Self::Attribute(Scope::Either, equivalents(key), values()),
            Field::Resource(key) => Self::Envelope(Envelope::ResourceAttribute(equivalents(key), values())),
            Field::Scope(key) => Self::Envelope(Envelope::ScopeAttribute(equivalents(key), values())),
            Field::ScopeName => Self::Envelope(Envelope::ScopeName(values())),
            Field::ScopeVersion => Self::Envelope(Envelope::ScopeVersion(values())),
            Field::EventAttribute(key) => Self::Nested(Nested::EventAttribute(equivalents(key), values())),
            Field::LinkAttribute(key) => Self::Nested(Nested::LinkAttribute(equivalents(key), values())),
            Field::TraceState => Self::Text(column::TRACE_STATE, values()),
            Field::SeverityText => Self::Text(column::SEVERITY_TEXT, values()),
            Field::LinkTrace | Field::LinkSpan if *operand == Operand::Anything => Self::Present(column::LINKS),
            Field::Parent if *operand == Operand::Anything => Self::Present(column::PARENT_SPAN_ID),
            Field::Trace if *operand == Operand::Anything => Self::Present(column::TRACE_ID),
            Field::Span if *operand == Operand::Anything => Self::Present(column::SPAN_ID),
            _ => return Self::typed(signal, test),
        })
    }

    fn typed(signal: Signal, test: &Test) -> Option<Self> {
        Some(match &test.operand {
            Operand::Nanos(values) => Self::Long(column::DURATION, values.iter().map(|value| nanos(test.operator, *value)).collect()),
            Operand::Kinds(kinds) => Self::Int(column::KIND, kinds.iter().map(|kind| (kind.number(), kind.number())).collect()),
            Operand::Statuses(codes) => Self::Int(column::STATUS_CODE, codes.iter().map(|code| (code.number(), code.number())).collect()),
            Operand::Severities(values) => {
                Self::Int(column::SEVERITY_NUMBER, values.iter().flat_map(|value| severities(test.operator, *value)).collect())
            }
            Operand::TraceIds(ids) if test.field == Field::LinkTrace => Self::Nested(Nested::LinkTrace(ids.clone())),
            Operand::TraceIds(ids) => Self::traces(ids.clone()),
            Operand::SpanIds(ids) if test.field == Field::LinkSpan => Self::Nested(Nested::LinkSpan(ids.clone())),
            Operand::SpanIds(ids) => {
                Self::Span(if test.field == Field::Parent { column::PARENT_SPAN_ID } else { column::SPAN_ID }, ids.clone())
            }
            Operand::Flag(true) => Self::Absent(column::PARENT_SPAN_ID),
            Operand::Flag(false) => Self::Present(column::PARENT_SPAN_ID),
            Operand::Presences(wanted) => Self::AnyOf(wanted.iter().filter_map(|presence| present_leaf(signal, presence)).collect()),
            Operand::Anything | Operand::Text(_) | Operand::Pattern(_) => return None,
        })
    }

    pub(super) fn cost(&self) -> u32 {
        match self {
            Self::Present(_) | Self::Absent(_) => 1,
            Self::AnyOf(leaves) => leaves.iter().map(Self::cost).sum(),
            Self::Int(..) | Self::Long(..) => 2,
            Self::Trace(..) | Self::Span(..) => 3,
            Self::Text(..) | Self::Lines(..) => 5,
            Self::Envelope(_) => 6,
            Self::Attribute(..) | Self::Exception(..) => 20,
            Self::Nested(_) => 30,
            Self::Body(_) | Self::Shown(..) => 40,
            Self::SpanText(_) => 80,
            Self::Anywhere(_) => 100,
        }
    }

    pub(super) fn needs<'a>(&'a self, into: &mut Needs<'a>) {
        match self {
            Self::Text(name, _)
            | Self::Shown(name, _)
            | Self::Lines(name, _)
            | Self::Long(name, _)
            | Self::Int(name, _)
            | Self::Trace(name, _)
            | Self::Span(name, _)
            | Self::Present(name)
            | Self::Absent(name) => into.column(name),
            Self::Attribute(scope, keys, _) => {
                into.keys(keys);
                if *scope == Scope::Either {
                    into.column(column::RESOURCE);
                }
            }
            Self::Envelope(envelope) => into.column(envelope.column()),
            Self::Nested(nested) => into.column(nested.column()),
            Self::Exception(keys, name, _) => {
                into.keys(keys);
                into.column(name);
                into.columns.extend(exceptions::FURTHER);
            }
            Self::AnyOf(leaves) => leaves.iter().for_each(|leaf| leaf.needs(into)),
            Self::Body(_) => into.column(column::BODY),
            Self::SpanText(_) => text::needs(into),
            Self::Anywhere(_) => into.columns.extend(Anywhere::columns()),
        }
    }

    /// Those of the `alive` rows that pass.
    pub(super) fn eval(&self, batch: &RecordBatch, alive: &BooleanBuffer) -> Result<BooleanBuffer, QueryError> {
        Ok(match self {
            Self::Text(name, test) => {
                let array = columns::text(batch, name)?;
                keep(alive, |row| array.is_valid(row) && test.text(array.value(row)))
            }
            Self::Shown(name, test) => {
                let array = columns::text(batch, name)?;
                keep(alive, |row| array.is_valid(row) && test.text(&quiet(array.value(row))))
            }
            Self::Lines(name, test) => {
                let array = columns::text(batch, name)?;
                keep(alive, |row| array.is_valid(row) && array.value(row).lines().any(|line| test.text(line)))
            }
            Self::Long(name, ranges) => {
                let array = columns::long(batch, name)?;
                keep(alive, |row| array.is_valid(row) && within(ranges, columns::nanos(array, row)))
            }
            Self::Int(name, ranges) => {
                let array = columns::int(batch, name)?;
                keep(alive, |row| array.is_valid(row) && within(ranges, array.value(row)))
            }
            Self::Trace(name, ids) => {
                let array = columns::id(batch, name)?;
                keep(alive, |row| array.is_valid(row) && ids.binary_search_by(|id| id.as_bytes().as_slice().cmp(array.value(row))).is_ok())
            }
            Self::Span(name, ids) => {
                let array = columns::id(batch, name)?;
                keep(alive, |row| array.is_valid(row) && ids.iter().any(|id| id.as_bytes().as_slice() == array.value(row)))
            }
            Self::Present(name) => present(batch, name, alive, true)?,
            Self::Absent(name) => present(batch, name, alive, false)?,
            Self::Attribute(scope, keys, test) => attribute(batch, alive, *scope, keys, test)?,
            Self::Exception(keys, name, test) => {
                let first = Self::Text(name, test.clone()).eval(batch, alive)?;
                let found = &first | &exceptions::any_has(batch, &(alive & &!&first), keys, test)?;
                &found | &attribute(batch, &(alive & &!&found), Scope::Record, keys, test)?
            }
            Self::Envelope(envelope) => {
                let mut test = EnvelopeTest::new(columns::binary(batch, envelope.column())?, envelope);
                keep(alive, |row| test.passes(row))
            }
            Self::Nested(nested) => {
                let array = columns::binary(batch, nested.column())?;
                keep(alive, |row| array.is_valid(row) && nested.passes(array.value(row)))
            }
            Self::AnyOf(leaves) => {
                let mut found = BooleanBuffer::new_unset(alive.len());
                for leaf in leaves {
                    found = &found | &leaf.eval(batch, alive)?;
                }
                found
            }
            Self::Body(finder) => {
                let array = columns::text(batch, column::BODY)?;
                keep(alive, |row| array.is_valid(row) && finder.matches(array.value(row)))
            }
            Self::SpanText(finder) => text::found(batch, alive, finder)?,
            Self::Anywhere(anywhere) => anywhere.eval(batch, alive)?,
        })
    }
}

/// Keeps the alive rows that pass.
pub(super) fn keep(alive: &BooleanBuffer, mut pass: impl FnMut(usize) -> bool) -> BooleanBuffer {
    if alive.count_set_bits() == alive.len() {
        return BooleanBuffer::collect_bool(alive.len(), pass);
    }
    BooleanBuffer::collect_bool(alive.len(), |row| alive.value(row) && pass(row))
}

fn present(batch: &RecordBatch, name: &str, alive: &BooleanBuffer, wanted: bool) -> Result<BooleanBuffer, QueryError> {
    let array = batch.column_by_name(name).ok_or_else(|| QueryError::Internal(format!("column {name} is missing")))?;
    Ok(keep(alive, |row| array.is_valid(row) == wanted))
}

fn attribute(
    batch: &RecordBatch,
    alive: &BooleanBuffer,
    scope: Scope,
    keys: &[String],
    test: &ValueTest,
) -> Result<BooleanBuffer, QueryError> {
    let values = Values::of_each(batch, keys)?;
    let envelope = (scope == Scope::Either).then(|| Envelope::ResourceAttribute(keys.to_vec(), test.clone()));
    let mut resource = match &envelope {
        None => None,
        Some(envelope) => Some(EnvelopeTest::new(columns::binary(batch, column::RESOURCE)?, envelope)),
    };
    Ok(keep(alive, |row| {
        let mut has_any = false;
        for values in &values {
            let (hit, present) = values.any(row, |found| test.found(found));
            if hit {
                return true;
            }
            has_any |= present;
        }
        !has_any && resource.as_mut().is_some_and(|resource| resource.passes(row))
    }))
}

/// `:` on the body searches inside it, as free text does, and a regular expression sees what is shown; everything else compares the whole body.
fn body(operator: Operator, operand: &Operand) -> Leaf {
    if matches!(operator, Operator::Match | Operator::NotMatch) {
        return Leaf::Shown(column::BODY, ValueTest::new(operator, operand));
    }
    let Operand::Text(literals) = operand else { return Leaf::Text(column::BODY, ValueTest::new(operator, operand)) };
    if operator != Operator::Is {
        return Leaf::Text(column::BODY, ValueTest::new(operator, operand));
    }
    let leaf = |literal: &Literal| match Finder::new(literal) {
        Some(finder) => Leaf::Body(finder),
        None => Leaf::Text(column::BODY, ValueTest::new(operator, &Operand::Text(vec![literal.clone()]))),
    };
    Leaf::AnyOf(literals.iter().map(leaf).collect())
}

fn present_leaf(signal: Signal, presence: &Presence) -> Option<Leaf> {
    Some(Leaf::Present(match (presence, signal) {
        (Presence::Event, Signal::Traces) => column::EVENTS,
        (Presence::Event, Signal::Logs) => column::EVENT_NAME,
        (Presence::Link, _) => column::LINKS,
        (Presence::Exception, _) => {
            let name = Operand::Text(vec![Literal::Quoted("exception".to_owned())]);
            return Some(Leaf::Lines(column::EVENT_NAMES, ValueTest::new(Operator::Equal, &name)));
        }
        (Presence::Parent, _) => column::PARENT_SPAN_ID,
        (Presence::Peer, _) => column::PEER,
        (Presence::Trace, _) => column::TRACE_ID,
        (Presence::Of(field), _) => {
            let test = Test { field: field.clone(), operator: Operator::Is, operand: Operand::Anything };
            return Leaf::test(signal, &test);
        }
    }))
}

pub(super) fn within<T: PartialOrd + Copy>(ranges: &[(T, T)], value: T) -> bool {
    ranges.iter().any(|(first, last)| *first <= value && value <= *last)
}

fn nanos(operator: Operator, reach: Reach<u64>) -> (u64, u64) {
    match reach {
        Reach::At(value) => bounds(operator, value),
        Reach::Between(from, to) => (from.unwrap_or(0), to.unwrap_or(u64::MAX)),
    }
}

/// The values that pass, ends included; an empty range has its ends swapped.
fn bounds(operator: Operator, value: u64) -> (u64, u64) {
    const NOTHING: (u64, u64) = (1, 0);
    match operator {
        Operator::Less => value.checked_sub(1).map_or(NOTHING, |last| (0, last)),
        Operator::LessOrEqual => (0, value),
        Operator::Greater => value.checked_add(1).map_or(NOTHING, |first| (first, u64::MAX)),
        Operator::GreaterOrEqual => (value, u64::MAX),
        _ => (value, value),
    }
}

fn severities(operator: Operator, reach: Reach<SeverityTest>) -> Vec<(i32, i32)> {
    match reach {
        Reach::At(test) => severity(operator, test),
        Reach::Between(from, to) => {
            let first = from.and_then(|from| severity(Operator::GreaterOrEqual, from).first().map(|range| range.0));
            let last = to.and_then(|to| severity(Operator::LessOrEqual, to).first().map(|range| range.1));
            vec![(first.unwrap_or(i32::MIN), last.unwrap_or(i32::MAX))]
        }
    }
}

/// A word stands for its whole range: above `warn` begins after the last number of warn.
fn severity(operator: Operator, test: SeverityTest) -> Vec<(i32, i32)> {
    let (first, last) = match test {
        SeverityTest::Range(severity) => (severity.first_number(), severity.first_number() + 3),
        SeverityTest::Number(number) => (number, number),
        SeverityTest::Unknown => return vec![(i32::MIN, 0), (Severity::Fatal.first_number() + 4, i32::MAX)],
    };
    vec![match operator {
        Operator::Less => (i32::MIN, first.saturating_sub(1)),
        Operator::LessOrEqual => (i32::MIN, last),
        Operator::Greater => (last.saturating_add(1), i32::MAX),
        Operator::GreaterOrEqual => (first, i32::MAX),
        _ => (first, last),
    }]
}
