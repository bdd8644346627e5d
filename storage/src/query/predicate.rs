//! Answers a query tree over batches of columns: which rows match, which columns that needs, and what can be skipped.
//!
//! Owns compilation and evaluation. Every answer is exact; `Hints` only say where nothing can match.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;

use super::language::{Field, Literal, Node, Operand, Operator, Presence, Query, Test};
use super::question::QueryError;
use crate::model::TraceId;
use crate::store::Signal;

mod anywhere;
mod envelope;
mod exceptions;
mod finder;
mod leaf;
mod needs;
mod nested;
mod prune;
mod stored;
mod text;
mod value;

use self::anywhere::Anywhere;
pub(super) use self::exceptions::{Exceptions, FURTHER};
use self::finder::Finder;
use self::leaf::Leaf;
pub(crate) use self::leaf::SPAN_TEXTS as TEXT_COLUMNS;
pub(crate) use self::needs::Needs;
pub(crate) use self::prune::{Prune, Shown};
pub(crate) use self::stored::{Rest, Stored};
pub(crate) use self::text::SpanText;

/// A query made ready for batches.
#[derive(Debug)]
pub(crate) struct Predicate {
    root: Eval,
    /// What can be skipped.
    pub(crate) hints: Hints,
}

/// What every matching row has; `None` says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Hints {
    /// Its service is one of these.
    pub(crate) services: Option<Vec<String>>,
    /// Its trace is one of these.
    pub(crate) traces: Option<Vec<TraceId>>,
    /// Logs: its body has all of these terms, as `text::terms` makes them.
    pub(crate) terms: Vec<String>,
    /// Logs: its body has a term with each of these beginnings.
    pub(crate) prefixes: Vec<String>,
    /// What indexes of attributes can say of it.
    pub(crate) attributes: Prune,
}

#[derive(Debug)]
enum Eval {
    Const(bool),
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Leaf(Leaf),
}

impl Predicate {
    pub(crate) fn new(query: &Query) -> Self {
        Self { root: compile(query, &query.root, Leaf::text), hints: hints(&query.root) }
    }

    /// The same for spans of one trace, in which a text is looked for anywhere.
    pub(crate) fn anywhere(query: &Query) -> Self {
        let text: Text = |_, literal, is_exact| Anywhere::new(literal, is_exact).map(|anywhere| Leaf::Anywhere(Box::new(anywhere)));
        Self { root: compile(query, &query.root, text), hints: Hints::default() }
    }

    /// Every row.
    pub(crate) fn all() -> Self {
        Self { root: Eval::Const(true), hints: Hints::default() }
    }

    /// Rows of these traces.
    pub(crate) fn traces(ids: Vec<TraceId>) -> Self {
        let hints = Hints { traces: Some(ids.clone()), ..Hints::default() };
        Self { root: Eval::Leaf(Leaf::traces(ids)), hints }
    }

    /// The same, of these traces only.
    pub(crate) fn within(self, ids: Vec<TraceId>) -> Self {
        let hints = self.hints.both(Hints { traces: Some(ids.clone()), ..Hints::default() });
        Self { root: Eval::And(vec![Eval::Leaf(Leaf::traces(ids)), self.root]), hints }
    }

    /// Rows of these services.
    pub(crate) fn services(names: &[String]) -> Self {
        let hints = Hints { services: Some(names.to_vec()), ..Hints::default() };
        Self { root: Eval::Leaf(Leaf::services(names)), hints }
    }

    /// Rows with these very texts, and one of these numbers, in these columns.
    pub(crate) fn equal(texts: &[(&'static str, &str)], numbers: &[(&'static str, Vec<i32>)]) -> Self {
        let texts = texts.iter().map(|(column, text)| Leaf::equal(column, text));
        let numbers = numbers.iter().map(|(column, numbers)| Leaf::Int(column, numbers.iter().map(|number| (*number, *number)).collect()));
        Self { root: Eval::And(texts.chain(numbers).map(Eval::Leaf).collect()), hints: Hints::default() }
    }

    /// Rows of a service whose resource has these very bytes.
    pub(crate) fn same_resource(service: String, resource: Vec<u8>) -> Self {
        let hints = Hints { services: Some(vec![service]), ..Hints::default() };
        Self { root: Eval::Leaf(Leaf::same_resource(resource)), hints }
    }

    /// The log record of this number.
    pub(crate) fn record(record_id: u64) -> Self {
        Self { root: Eval::Leaf(Leaf::record(record_id)), hints: Hints::default() }
    }

    /// What free text every matching span has.
    pub(crate) fn texts(&self) -> Vec<SpanText<'_>> {
        let mut texts = Vec::new();
        self.root.texts(&mut texts);
        texts
    }

    /// Columns that [`Predicate::matches`] reads in a batch with all attributes.
    pub(crate) fn columns(&self) -> BTreeSet<&'static str> {
        self.needs().in_full()
    }

    /// What [`Predicate::matches`] reads.
    pub(crate) fn needs(&self) -> Needs<'_> {
        let mut needs = Needs::default();
        self.root.needs(&mut needs);
        needs
    }

    /// Those of the `alive` rows that match.
    pub(crate) fn matches(&self, batch: &RecordBatch, alive: BooleanBuffer) -> Result<BooleanBuffer, QueryError> {
        self.root.eval(batch, alive)
    }
}

/// How free text is looked for, and whether in its very case; `None` when it asks for nothing.
type Text = fn(Signal, &Literal, bool) -> Option<Leaf>;

fn compile(query: &Query, node: &Node, text: Text) -> Eval {
    match node {
        Node::All => Eval::Const(true),
        Node::And(nodes) => {
            let mut parts: Vec<_> = nodes.iter().map(|node| compile(query, node, text)).collect();
            // Cheap conditions first: dear ones then see fewer rows.
            parts.sort_by_key(Eval::cost);
            Eval::And(parts)
        }
        Node::Or(nodes) => Eval::Or(nodes.iter().map(|node| compile(query, node, text)).collect()),
        Node::Not(node) => Eval::Not(Box::new(compile(query, node, text))),
        Node::Text(literal) => text(query.signal, literal, false).map_or(Eval::Const(true), Eval::Leaf),
        Node::Exact(literal) => text(query.signal, literal, true).map_or(Eval::Const(true), Eval::Leaf),
        Node::Test(test) => {
            let eval = Leaf::test(query.signal, test).map_or(Eval::Const(true), Eval::Leaf);
            match test.operator {
                Operator::NotEqual | Operator::NotMatch => Eval::Not(Box::new(eval)),
                _ => eval,
            }
        }
    }
}

impl Eval {
    fn cost(&self) -> u32 {
        match self {
            Self::Const(_) => 0,
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::cost).sum(),
            Self::Not(part) => part.cost(),
            Self::Leaf(leaf) => leaf.cost(),
        }
    }

    fn needs<'a>(&'a self, into: &mut Needs<'a>) {
        match self {
            Self::Const(_) => {}
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.needs(into)),
            Self::Not(part) => part.needs(into),
            Self::Leaf(leaf) => leaf.needs(into),
        }
    }

    fn texts<'a>(&'a self, into: &mut Vec<SpanText<'a>>) {
        match self {
            Self::And(parts) => parts.iter().for_each(|part| part.texts(into)),
            Self::Leaf(Leaf::SpanText(finder)) => into.push(SpanText(finder)),
            _ => {}
        }
    }

    fn eval(&self, batch: &RecordBatch, alive: BooleanBuffer) -> Result<BooleanBuffer, QueryError> {
        Ok(match self {
            Self::Const(true) => alive,
            Self::Const(false) => BooleanBuffer::new_unset(alive.len()),
            Self::And(parts) => {
                let mut alive = alive;
                for part in parts {
                    if alive.count_set_bits() == 0 {
                        break;
                    }
                    alive = part.eval(batch, alive)?;
                }
                alive
            }
            Self::Or(parts) => {
                let mut found = BooleanBuffer::new_unset(alive.len());
                for part in parts {
                    let open = &alive & &!&found;
                    if open.count_set_bits() == 0 {
                        break;
                    }
                    found = &found | &part.eval(batch, open)?;
                }
                found
            }
            Self::Not(part) => {
                let found = part.eval(batch, alive.clone())?;
                &alive & &!&found
            }
            Self::Leaf(leaf) => leaf.eval(batch, &alive)?,
        })
    }
}

/// What must hold for a row that matches `node`.
fn hints(node: &Node) -> Hints {
    match node {
        Node::And(nodes) => nodes.iter().map(hints).fold(Hints::default(), Hints::both),
        Node::Or(nodes) => nodes.iter().map(hints).reduce(Hints::either).unwrap_or_default(),
        Node::Text(text) => Hints::of_text(Finder::new(text)),
        Node::Exact(text) => Hints::of_text(Finder::exact(text)),
        Node::Test(Test { operand: Operand::Presences(wanted), operator: Operator::Is | Operator::Equal, .. }) => {
            wanted.iter().map(presence_hints).reduce(Hints::either).unwrap_or_default()
        }
        Node::Test(test) => Hints { attributes: Prune::of(test), ..test_hints(test) },
        Node::All | Node::Not(_) => Hints::default(),
    }
}

fn presence_hints(presence: &Presence) -> Hints {
    match presence {
        Presence::Of(field) => hints(&Node::Test(Test { field: field.clone(), operator: Operator::Is, operand: Operand::Anything })),
        _ => Hints::default(),
    }
}

fn test_hints(test: &Test) -> Hints {
    if !matches!(test.operator, Operator::Is | Operator::Equal) {
        return Hints::default();
    }
    match (&test.field, &test.operand) {
        (Field::Service, Operand::Text(literals)) => {
            let exact = |literal: &Literal| match literal {
                Literal::Bare(text) | Literal::Quoted(text) => Some(text.clone()),
                Literal::Glob(_) => None,
            };
            Hints { services: literals.iter().map(exact).collect(), ..Hints::default() }
        }
        (Field::Trace, Operand::TraceIds(ids)) => Hints { traces: Some(ids.clone()), ..Hints::default() },
        (Field::Body, Operand::Text(literals)) => match literals.as_slice() {
            [literal] if test.operator == Operator::Is => Hints::of_text(Finder::new(literal)),
            _ => Hints::default(),
        },
        _ => Hints::default(),
    }
}

impl Hints {
    /// Whether indexes of words have something to say.
    pub(crate) fn asks_words(&self) -> bool {
        !(self.terms.is_empty() && self.prefixes.is_empty())
    }

    fn of_text(finder: Option<Finder>) -> Self {
        finder.map_or_else(Self::default, |finder| Self { terms: finder.hint_terms(), prefixes: finder.hint_prefixes(), ..Self::default() })
    }

    fn both(self, other: Self) -> Self {
        let joined = |mut all: Vec<String>, more| {
            all.extend(more);
            all.sort_unstable();
            all.dedup();
            all
        };
        Self {
            services: common(self.services, other.services),
            traces: common(self.traces, other.traces),
            terms: joined(self.terms, other.terms),
            prefixes: joined(self.prefixes, other.prefixes),
            attributes: self.attributes.both(other.attributes),
        }
    }

    fn either(self, other: Self) -> Self {
        let union = |a: Option<Vec<_>>, b: Option<Vec<_>>| a.zip(b).map(|(a, b)| [a, b].concat());
        Self {
            services: union(self.services, other.services),
            traces: self.traces.zip(other.traces).map(|(a, b)| [a, b].concat()),
            terms: self.terms.into_iter().filter(|term| other.terms.contains(term)).collect(),
            prefixes: self.prefixes.into_iter().filter(|prefix| other.prefixes.contains(prefix)).collect(),
            attributes: self.attributes.either(other.attributes),
        }
    }
}

fn common<T: PartialEq>(a: Option<Vec<T>>, b: Option<Vec<T>>) -> Option<Vec<T>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.into_iter().filter(|value| b.contains(value)).collect()),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests;
