//! What was written where the engine says no place, or speaks of types and casts that nobody wrote.
//!
//! Owns the way from the words of the engine to the piece of the statement that they are about. The statement is read again for it, so that
//! those without a mistake pay nothing.

use std::ops::{ControlFlow, Range};

use datafusion::execution::context::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, BinaryOperator, Expr, Ident, Spanned as _, Value, visit_expressions, visit_relations};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::super::typed::{NUMBERS, bare, gives_time, is_arithmetic, is_comparison, is_one_named};
use super::super::{CAST_MET, TABLES};
use super::{amount, range};
use crate::store::Signal;

/// A piece of a statement, what is wrong with it, and what may be written instead.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) place: Range<usize>,
    pub(super) message: String,
    pub(super) suggestions: Vec<String>,
}

/// A value and what it stands beside.
#[derive(Debug)]
struct Meeting {
    value: Expr,
    beside: Beside,
}

/// What can be seen of the other side.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Beside {
    Time,
    /// Nanoseconds that are no time.
    Duration,
    Severity,
    Unknown,
}

/// What is wrong, if the engine says `line` of something that can be told better.
pub(super) fn wrong(line: &str, sql: &str, state: &SessionState) -> Option<Piece> {
    if line.starts_with("Cannot access field at argument") {
        return path(&read(sql, state)?, sql);
    }
    if line.contains("Operator -> is not yet") || line.contains("Operator ->> is not yet") {
        return arrow(&read(sql, state)?, sql);
    }
    if INTERVALS.iter().any(|said| line.contains(said)) && line.contains("Interval(") {
        let is_interval = |expr: &Expr| matches!(expr, Expr::Interval(_));
        return interval(&one_of(meetings(&read(sql, state)?, is_interval))?, sql);
    }
    let text = line.strip_prefix(CAST_MET).and_then(|rest| rest.split_once("`, which")).map(|(text, _)| text);
    let text = text.or_else(|| Some(line.split_once("Error parsing timestamp from '")?.1.rsplit_once("': ")?.0))?;
    let ast = read(sql, state)?;
    let is_it =
        |expr: &Expr| matches!(expr, Expr::Value(value) if matches!(&value.value, Value::SingleQuotedString(known) if known == text));
    let mut found = meetings(&ast, is_it);
    // A cast that was written may have met the same text in a row.
    if found.iter().all(|meeting| meeting.beside == Beside::Unknown) && has_cast(&ast) {
        found.clear();
    }
    amiss(&one_of(found)?, text, sql)
}

/// Where a column is named.
pub(super) fn column(name: &str, sql: &str, state: &SessionState) -> Option<Range<usize>> {
    let is_it = |ident: &Ident| ident.value.eq_ignore_ascii_case(name);
    let found = find(&read(sql, state)?, |expr| match expr {
        Expr::Identifier(ident) if is_it(ident) => Some(ident.span),
        Expr::CompoundIdentifier(idents) if idents.last().is_some_and(is_it) => Some(expr.span()),
        _ => None,
    });
    place(sql, found?)
}

/// The tables that a statement reads.
pub(super) fn tables(sql: &str, state: &SessionState) -> Vec<Signal> {
    let mut found = Vec::new();
    if let Some(ast) = read(sql, state) {
        let _ = visit_relations(&ast, |relation| {
            let name = relation.to_string();
            found.extend(TABLES.iter().filter(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, signal)| *signal));
            ControlFlow::<()>::Continue(())
        });
    }
    found
}

fn read(sql: &str, state: &SessionState) -> Option<ast::Statement> {
    let mut statement = state.sql_to_statement(sql, &state.config_options().sql_parser.dialect).ok()?;
    loop {
        statement = match statement {
            Statement::Statement(statement) => return Some(*statement),
            Statement::Explain(explain) => *explain.statement,
            _ => return None,
        };
    }
}

fn find<T>(ast: &ast::Statement, wanted: impl Fn(&Expr) -> Option<T>) -> Option<T> {
    let found = visit_expressions(ast, |expr| wanted(expr).map_or(ControlFlow::Continue(()), ControlFlow::Break));
    found.break_value()
}

fn has_cast(ast: &ast::Statement) -> bool {
    find(ast, |expr| matches!(expr, Expr::Cast { .. }).then_some(())).is_some()
}

/// `attributes.order.id`.
fn path(ast: &ast::Statement, sql: &str) -> Option<Piece> {
    let (map, key, span) = find(ast, |expr| {
        let Expr::CompoundIdentifier(idents) = expr else { return None };
        let at = idents.iter().take(2).position(is_map)?;
        let (map, keys) = idents.get(at..)?.split_first()?;
        let key = keys.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
        (keys.len() > 1).then(|| (map.value.clone(), key, map.span.union(&keys.last().map_or(map.span, |last| last.span))))
    })?;
    Some(attribute(&map, &key, place(sql, span)?))
}

/// `attributes->'order.id'`.
fn arrow(ast: &ast::Statement, sql: &str) -> Option<Piece> {
    let (map, key, span) = find(ast, |expr| {
        let Expr::BinaryOp { left, op: BinaryOperator::Arrow | BinaryOperator::LongArrow, right } = expr else { return None };
        let map = match left.as_ref() {
            Expr::Identifier(ident) => Some(ident),
            Expr::CompoundIdentifier(idents) => idents.last(),
            _ => None,
        };
        let Expr::Value(value) = right.as_ref() else { return None };
        let Value::SingleQuotedString(key) = &value.value else { return None };
        let map = map.filter(|map| is_map(map))?;
        Some((map.value.clone(), key.clone(), map.span.union(&value.span)))
    })?;
    Some(attribute(&map, &key, place(sql, span)?))
}

fn is_map(ident: &Ident) -> bool {
    is_one_named(&ident.value, &["attributes", "resource"])
}

fn attribute(map: &str, key: &str, place: Range<usize>) -> Piece {
    let written = format!("{map}['{}']", key.replace('\'', "''"));
    Piece { place, message: format!("an attribute is written {written}"), suggestions: vec![written] }
}

/// Values of this kind, with what they are compared with or taken from.
fn meetings(ast: &ast::Statement, is_wanted: impl Fn(&Expr) -> bool) -> Vec<Meeting> {
    let mut found = Vec::new();
    let mut meet = |value: &Expr, other: &Expr| {
        if is_wanted(bare(value)) {
            found.push(Meeting { value: bare(value).clone(), beside: beside(other) });
        }
    };
    let _ = visit_expressions(ast, |expr| {
        match expr {
            Expr::BinaryOp { left, op, right } if is_comparison(op) => {
                meet(left, right);
                meet(right, left);
            }
            // From a time it is a moment.
            Expr::BinaryOp { left, op, right } if is_arithmetic(op) && beside(left) == Beside::Duration => meet(right, left),
            Expr::Between { expr, low, high, .. } => {
                meet(low, expr);
                meet(high, expr);
            }
            Expr::InList { expr, list, .. } => list.iter().for_each(|value| meet(value, expr)),
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// The one beside a column that is known, or the only one.
fn one_of(mut found: Vec<Meeting>) -> Option<Meeting> {
    let known = found.iter().position(|meeting| meeting.beside != Beside::Unknown);
    known.or_else(|| (found.len() == 1).then_some(0)).map(|at| found.swap_remove(at))
}

fn beside(expr: &Expr) -> Beside {
    if gives_time(expr) {
        return Beside::Time;
    }
    let named = visit_expressions(expr, |expr| {
        let ident = match expr {
            Expr::Identifier(ident) => Some(ident),
            Expr::CompoundIdentifier(idents) => idents.last(),
            // What a cast gives is said by it.
            Expr::Cast { .. } => return ControlFlow::Break(None),
            _ => None,
        };
        let known = ident.filter(|ident| is_one_named(&ident.value, &NUMBERS));
        known.map_or(ControlFlow::Continue(()), |known| ControlFlow::Break(Some(known.value.to_lowercase())))
    });
    match named.break_value().flatten().as_deref() {
        Some("severity_number") => Beside::Severity,
        Some("record_id" | "flags") | None => Beside::Unknown,
        Some(_) => Beside::Duration,
    }
}

/// `INTERVAL '1 second'` beside a number.
fn interval(Meeting { value, beside }: &Meeting, sql: &str) -> Option<Piece> {
    let Expr::Interval(interval) = value else { return None };
    let amount_written = match interval.value.as_ref() {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::Number(text, _) => text.clone(),
            _ => String::new(),
        },
        _ => String::new(),
    };
    let unit = interval.leading_field.as_ref().map(|field| format!(" {field}")).unwrap_or_default();
    let mut place = place(sql, interval.value.span())?;
    // The span is that of the value alone.
    let before = sql.get(..place.start)?.trim_end();
    let word = before.len().saturating_sub("interval".len());
    if before.get(word..).is_some_and(|word| word.eq_ignore_ascii_case("interval")) {
        place.start = word;
    }
    if !unit.is_empty() {
        let rest = sql.get(place.end..)?;
        let word = rest.trim_start();
        let end = word.find(|c: char| !c.is_alphanumeric()).unwrap_or(word.len());
        place.end += rest.len() - word.len() + end;
    }
    let nanos = amount::nanos(&format!("{amount_written}{unit}"));
    let (message, suggestions) = match (beside, nanos) {
        (Beside::Time, _) => {
            let moment = format!("now() - {}", sql.get(place.clone())?);
            (format!("times are compared with moments: {moment}"), vec![moment])
        }
        (_, Some(nanos)) => (amount::said(nanos), vec![nanos.to_string()]),
        (_, None) => (AN_AMOUNT.to_owned(), Vec::new()),
    };
    Some(Piece { place, message, suggestions })
}

/// A text that is no number, beside one.
fn amiss(Meeting { value, beside }: &Meeting, text: &str, sql: &str) -> Option<Piece> {
    let place = place(sql, value.span())?;
    let nanos = amount::nanos(text.trim_start_matches('-'));
    let (message, suggestions) = match (beside, nanos) {
        (Beside::Time, nanos) => {
            let moment = nanos.map(|nanos| format!("now() - INTERVAL '{}'", amount::in_words(nanos)));
            let example = moment.as_deref().unwrap_or("now() - INTERVAL '1 hour'");
            (
                format!("`{text}` is no time; write {example}, '2026-01-31T12:00:00Z', or nanoseconds since 1970"),
                moment.into_iter().collect(),
            )
        }
        (Beside::Severity, _) => match amount::severity(text) {
            Some((first, last)) => {
                let word = text.to_lowercase();
                (format!("`severity_number` is a number, {first} to {last} for {word}; severity is the word"), vec![first.to_string()])
            }
            None => (format!("`severity_number` is a number, such as 17 for error, not `{text}`"), Vec::new()),
        },
        (_, Some(nanos)) => (amount::said(nanos), vec![nanos.to_string()]),
        (Beside::Duration, None) => (format!("{AN_AMOUNT}; `{text}` is none"), Vec::new()),
        (Beside::Unknown, None) => (format!("`{text}` stands beside a number, and is none"), Vec::new()),
    };
    Some(Piece { place, message, suggestions })
}

fn place(sql: &str, span: Span) -> Option<Range<usize>> {
    let (start, end) = (span.start, span.end);
    let (offset, length) = range(sql, (start.line, start.column), Some((end.line, end.column)))?;
    Some(offset..offset + length)
}

/// What the engine says of types that cannot be compared.
const INTERVALS: [&str; 3] =
    ["Cannot infer common argument type for comparison", "Failed to coerce types", "Cannot coerce arithmetic expression"];

/// What a duration is, where none was written.
const AN_AMOUNT: &str = "durations are whole numbers of nanoseconds here, such as 1000000000 for a second";
