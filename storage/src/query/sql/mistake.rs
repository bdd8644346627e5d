//! Where in a statement a mistake is, and what may have been meant.
//!
//! Owns the way from the planner's lines and columns to bytes of the text, and from a wrong name to the nearest known ones.

use std::collections::BTreeSet;

use datafusion::common::{Column, DataFusionError, SchemaError};

use super::super::language::nearest;
use super::super::question::{ParseError, QueryError};
use super::TABLES;

/// What is known of a mistake besides its place.
#[derive(Debug, Default)]
struct Words {
    message: String,
    suggestions: Vec<String>,
    /// Whether only what follows the last point of the place is wrong.
    is_last_part: bool,
}

/// An error of reading or planning `sql`, with its place when that is known. `before` bytes stood before it.
pub(super) fn locate(error: &DataFusionError, sql: &str, before: usize) -> QueryError {
    let explained = super::explain(error);
    let QueryError::Invalid(line) = explained else { return explained };
    let said = error.diagnostic();
    let span = said.and_then(|diagnostic| diagnostic.span);
    let place = match span {
        Some(span) => range(sql, (span.start.line, span.start.column), Some((span.end.line, span.end.column))),
        None => place_in_words(&line).and_then(|start| range(sql, start, None)),
    };
    let note = said.and_then(|diagnostic| diagnostic.notes.first()).map(|note| note.message.as_str());
    let words = words(error.find_root(), said.map(|diagnostic| diagnostic.message.as_str()), note, &line);
    let place = place.or_else(|| line.contains("found: EOF").then_some((sql.len(), 0)));
    match place {
        Some((offset, length)) => {
            let shown = sql.get(offset..offset + length).unwrap_or_default();
            let skipped = if words.is_last_part { shown.rfind('.').map_or(0, |point| point + 1) } else { 0 };
            let (offset, length) = (offset + skipped, length - skipped);
            QueryError::Parse(ParseError { offset: before + offset, length, message: words.message, suggestions: words.suggestions })
        }
        None => QueryError::Invalid(words.message),
    }
}

/// A mistake from one line and column of `sql` to another. `before` bytes stood before it.
pub(super) fn at(sql: &str, before: usize, start: (u64, u64), end: (u64, u64), message: &str) -> QueryError {
    let (offset, length) = range(sql, start, Some(end)).unwrap_or_default();
    QueryError::Parse(ParseError { offset: before + offset, length, message: message.to_owned(), suggestions: Vec::new() })
}

/// Says it in the words of this program where the planner's are not enough.
fn words(root: &DataFusionError, said: Option<&str>, note: Option<&str>, line: &str) -> Words {
    if let DataFusionError::SchemaError(schema, _) = root
        && let SchemaError::FieldNotFound { field, valid_fields } = schema.as_ref()
    {
        return no_column(field, valid_fields);
    }
    if let Some(table) = said.and_then(|said| quoted(said.strip_prefix("table ")?)).filter(|_| line.contains("not found")) {
        let suggestions = nearest(table, TABLES.iter().map(|(name, _)| *name));
        return Words { message: format!("there is no table `{table}`; SHOW TABLES lists them"), suggestions, ..Words::default() };
    }
    if let Some(name) = said.and_then(|said| quoted(said.strip_prefix("Invalid function ")?)) {
        let suggestions = note.and_then(|note| quoted(note.strip_prefix("Possible function ")?)).map(str::to_owned);
        let message = format!("there is no function `{name}`");
        return Words { message, suggestions: suggestions.into_iter().collect(), ..Words::default() };
    }
    if let Some(column) = said.and_then(quoted).filter(|_| line.contains("must be in GROUP BY")) {
        let name = column.rsplit_once('.').map_or(column, |(_, name)| name);
        let message =
            format!("`{name}` is neither in GROUP BY nor in an aggregate; add it to GROUP BY, or take one of its values: max({name})");
        return Words { message, ..Words::default() };
    }
    let line = place_in_words(line).and_then(|_| line.rsplit_once(PLACE)).map_or(line, |(message, _)| message);
    let message = line.replacen("Expected: ", "expected ", 1).replacen(", found: EOF", ", found the end", 1);
    Words { message: message.replacen(", found: ", ", found ", 1), ..Words::default() }
}

fn no_column(field: &Column, known: &[Column]) -> Words {
    let name = field.flat_name();
    let columns: BTreeSet<&str> = known.iter().map(Column::name).collect();
    let suggestions = nearest(&field.name.to_lowercase(), columns.into_iter());
    let is_table = |table: &str| TABLES.iter().any(|(name, _)| *name == table) || known.iter().any(|column| is_of(column, table));
    if let Some(relation) = &field.relation
        && !is_table(relation.table())
    {
        let message = format!("there is no column `{name}`; an attribute is written attributes['{name}']");
        return Words { message, ..Words::default() };
    }
    let list = if suggestions.is_empty() { "; DESCRIBE spans and DESCRIBE logs list them" } else { "" };
    Words { message: format!("there is no column `{name}`{list}"), suggestions, is_last_part: field.relation.is_some() }
}

fn is_of(column: &Column, table: &str) -> bool {
    column.relation.as_ref().is_some_and(|relation| relation.table() == table)
}

/// What stands between single quotes at the beginning.
fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.split('\'').next()
}

/// The parser says the place of most mistakes in its message only.
fn place_in_words(line: &str) -> Option<(u64, u64)> {
    let (_, place) = line.rsplit_once(PLACE)?;
    let (row, column) = place.split_once(", Column: ")?;
    Some((row.parse().ok()?, column.parse().ok()?))
}

/// Bytes from a line and column, both counted from one in characters, to others, or to the end of the word there.
fn range(sql: &str, start: (u64, u64), end: Option<(u64, u64)>) -> Option<(usize, usize)> {
    let from = byte(sql, start)?;
    let to = end.and_then(|end| byte(sql, end)).filter(|to| *to > from).unwrap_or_else(|| {
        let rest = sql.get(from..).unwrap_or_default();
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        from + word.max(rest.chars().next().map_or(0, char::len_utf8))
    });
    Some((from, to - from))
}

fn byte(sql: &str, (line, column): (u64, u64)) -> Option<usize> {
    let (line, column) = (usize::try_from(line.checked_sub(1)?).ok()?, usize::try_from(column.checked_sub(1)?).ok()?);
    let start = if line == 0 { 0 } else { sql.match_indices('\n').nth(line - 1)?.0 + 1 };
    let rest = sql.get(start..)?;
    Some(start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at))
}

/// How the parser ends a message.
const PLACE: &str = " at Line: ";
