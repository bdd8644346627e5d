//! Where in a statement a mistake is, and what may have been meant.
//!
//! Owns the way from the planner's lines and columns to bytes of the text, and from a wrong name to the nearest known ones.

use std::collections::BTreeSet;

use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::execution::context::SessionState;

use super::super::language::nearest;
use super::super::question::{ParseError, QueryError};
use super::{TABLES, columns};

mod amount;
mod written;

/// What is known of a mistake besides its place.
#[derive(Debug, Default)]
struct Words {
    message: String,
    suggestions: Vec<String>,
    /// Whether only what follows the last point of the place is wrong.
    is_last_part: bool,
}

/// An error of `sql`, with its place when that is known. `before` bytes stood before it, `state` knows the functions.
pub(super) fn locate(error: &DataFusionError, sql: &str, before: usize, state: &SessionState) -> QueryError {
    let explained = super::explain(error);
    let QueryError::Invalid(line) = explained else { return explained };
    if let Some(piece) = written::wrong(&line, sql, state) {
        let (offset, length) = (before + piece.place.start, piece.place.len());
        return QueryError::Parse(ParseError { offset, length, message: piece.message, suggestions: piece.suggestions });
    }
    let said = error.diagnostic();
    let span = said.and_then(|diagnostic| diagnostic.span);
    let place = match span {
        Some(span) => range(sql, (span.start.line, span.start.column), Some((span.end.line, span.end.column))),
        None => place_in_words(&line).and_then(|start| range(sql, start, None)),
    };
    let unknown = unknown(error.find_root(), &line);
    let in_statement = |field: &Column| written::column(&field.name, sql, state).map(|place| (place.start, place.len()));
    let place = place.or_else(|| in_statement(unknown?.0));
    let place = place.or_else(|| line.contains("found: EOF").then_some((sql.len(), 0)));
    let words = match unknown {
        Some((field, known)) => {
            let text = place.and_then(|(offset, length)| text_in_its_place(sql, offset, length, field));
            text.map_or_else(|| no_column(field, known, sql, state), |is_key| no_text(field, known, is_key))
        }
        None => words(error.find_root(), said.map(|diagnostic| diagnostic.message.as_str()), &line, state),
    };
    let Some((offset, length)) = place else { return QueryError::Invalid(words.message) };
    if let Some(error) = duration(sql, before, offset, length) {
        return QueryError::Parse(error);
    }
    let shown = sql.get(offset..offset + length).unwrap_or_default();
    let skipped = if words.is_last_part { shown.rfind('.').map_or(0, |point| point + 1) } else { 0 };
    let (offset, length) = (before + offset + skipped, length - skipped);
    QueryError::Parse(ParseError { offset, length, message: words.message, suggestions: words.suggestions })
}

/// A mistake from one line and column of `sql` to another. `before` bytes stood before it.
pub(super) fn at(sql: &str, before: usize, start: (u64, u64), end: (u64, u64), message: &str) -> QueryError {
    let (offset, length) = range(sql, start, Some(end)).unwrap_or_default();
    QueryError::Parse(ParseError { offset: before + offset, length, message: message.to_owned(), suggestions: Vec::new() })
}

/// Says it in the words of this program where the planner's are not enough.
fn words(root: &DataFusionError, said: Option<&str>, line: &str, state: &SessionState) -> Words {
    if let Some(table) = said.and_then(|said| quoted(said.strip_prefix("table ")?)).filter(|_| line.contains("not found")) {
        let suggestions = known_as(&TABLES_ELSEWHERE, table, |_| true);
        let suggestions = suggestions.unwrap_or_else(|| nearest(&table.to_lowercase(), TABLES.iter().map(|(name, _)| *name)));
        return Words { message: format!("there is no table `{table}`; SHOW TABLES lists them"), suggestions, ..Words::default() };
    }
    if let Some(name) = said.and_then(|said| quoted(said.strip_prefix("Invalid function ")?)) {
        let known = functions(state);
        let suggestions = known_as(&FUNCTIONS_ELSEWHERE, name, |name| known.contains(name));
        let suggestions = suggestions.unwrap_or_else(|| nearest(&name.to_lowercase(), known.iter().copied()));
        return Words { message: format!("there is no function `{name}`"), suggestions, ..Words::default() };
    }
    if let Some(column) = said.and_then(quoted).filter(|_| line.contains("must be in GROUP BY")) {
        let name = column.rsplit_once('.').map_or(column, |(_, name)| name);
        let message =
            format!("`{name}` is neither in GROUP BY nor in an aggregate; add it to GROUP BY, or take one of its values: max({name})");
        return Words { message, ..Words::default() };
    }
    if let Some(name) = twice(root, line) {
        let message = format!("two columns are called `{name}`; give each a name of its own, such as `AS {name}_2`");
        return Words { message, ..Words::default() };
    }
    let line = place_in_words(line).and_then(|_| line.rsplit_once(PLACE)).map_or(line, |(message, _)| message);
    let message = line.replacen("Expected: ", "expected ", 1).replacen(", found: EOF", ", found the end", 1);
    Words { message: message.replacen(", found: ", ", found ", 1), ..Words::default() }
}

/// The name that two columns have.
fn twice(root: &DataFusionError, line: &str) -> Option<String> {
    if let DataFusionError::SchemaError(schema, _) = root
        && let SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } = schema.as_ref()
    {
        return Some(name.clone());
    }
    let (_, rest) = line.split_once("require unique expression names but the expression \"")?;
    let (written, _) = rest.split_once("\" at position")?;
    let name = written.rsplit_once(" AS ").map_or_else(|| written.rsplit('.').next().unwrap_or(written), |(_, name)| name);
    Some(name.trim_matches('"').to_owned())
}

/// A number with a unit, as durations are written in searches: the unit is where the parser stops.
fn duration(sql: &str, before: usize, offset: usize, length: usize) -> Option<ParseError> {
    let unit = sql.get(offset..offset + length)?;
    let beside = sql.get(..offset)?;
    // One letter after a space is rather a name.
    let number_and_space = if unit.len() > 2 { beside.trim_end() } else { beside };
    let digits = number_and_space.bytes().rev().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let start = number_and_space.len() - digits;
    let number = number_and_space.get(start..).filter(|number| !number.is_empty())?;
    let nanos = amount::nanos(&format!("{number}{unit}"))?;
    let message = amount::said(nanos);
    Some(ParseError { offset: before + start, length: offset + length - start, message, suggestions: vec![nanos.to_string()] })
}

/// The column that is not known, and those that are.
fn unknown<'a>(root: &'a DataFusionError, line: &str) -> Option<(&'a Column, &'a [Column])> {
    let DataFusionError::SchemaError(schema, _) = root else { return None };
    let SchemaError::FieldNotFound { field, valid_fields } = schema.as_ref() else { return None };
    // Of columns that the engine made itself another thing was said.
    line.starts_with("No field named").then_some((field, valid_fields))
}

/// Whether a text was meant by what was read as a column, because of double quotes or between the brackets of attributes, and then whether
/// it is a key of these.
fn text_in_its_place(sql: &str, offset: usize, length: usize, field: &Column) -> Option<bool> {
    let before = sql.get(..offset)?.trim_end();
    let map = before.strip_suffix('[').map(|map| map.trim_end().to_lowercase());
    let is_key = map.is_some_and(|map| ["attributes", "resource"].iter().any(|name| map.ends_with(name)));
    let is_quoted = field.relation.is_none() && sql.get(offset..offset + length)?.starts_with('"');
    (is_key || is_quoted).then_some(is_key)
}

fn no_text(field: &Column, known: &[Column], is_key: bool) -> Words {
    let name = field.flat_name();
    let text = format!("'{}'", name.replace('\'', "''"));
    let what = if is_key { "a key" } else { "a text" };
    let message = format!("there is no column `{name}`; {what} is written in single quotes: {text}");
    let near = if is_key { Vec::new() } else { nearest(&name.to_lowercase(), known.iter().map(Column::name)) };
    // In other letters it is a column.
    let is_column = near.first().is_some_and(|near| near.eq_ignore_ascii_case(&name));
    let mut suggestions = near;
    suggestions.insert(usize::from(is_column), text);
    Words { message, suggestions, ..Words::default() }
}

fn no_column(field: &Column, known: &[Column], sql: &str, state: &SessionState) -> Words {
    let name = field.flat_name();
    let mut suggestions = called(&field.name, &known.iter().map(Column::name).collect());
    if suggestions.is_empty() {
        // Where rows are sorted, only the columns that were selected are known.
        let all = written::tables(sql, state).into_iter().flat_map(columns::of).map(|column| column.name);
        suggestions = called(&field.name, &all.collect());
    }
    let is_table = |table: &str| TABLES.iter().any(|(name, _)| *name == table) || known.iter().any(|column| is_of(column, table));
    if let Some(relation) = &field.relation
        && !is_table(relation.table())
    {
        let written = if name == "service.name" { "service_name".to_owned() } else { attribute(&name) };
        let message = format!("there is no column `{name}`; an attribute is written {}", attribute(&name));
        return Words { message, suggestions: vec![written], ..Words::default() };
    }
    let list = if suggestions.is_empty() { "; DESCRIBE spans and DESCRIBE logs list them" } else { "" };
    Words { message: format!("there is no column `{name}`{list}"), suggestions, is_last_part: field.relation.is_some() }
}

/// The columns that a name may mean.
fn called(name: &str, columns: &BTreeSet<&str>) -> Vec<String> {
    let suggestions = known_as(&COLUMNS_ELSEWHERE, name, |name| columns.contains(name));
    suggestions.unwrap_or_else(|| nearest(&name.to_lowercase(), columns.iter().copied()))
}

/// What is called so elsewhere, if it is known here.
fn known_as(elsewhere: &[(&str, &str)], name: &str, is_known: impl Fn(&str) -> bool) -> Option<Vec<String>> {
    let lower = name.to_lowercase();
    let found = elsewhere.iter().filter(|(other, own)| *other == lower && is_known(own)).map(|(_, own)| (*own).to_owned());
    Some(found.collect()).filter(|found: &Vec<String>| !found.is_empty())
}

/// Names of all functions.
fn functions(state: &SessionState) -> BTreeSet<&str> {
    let scalar = state.scalar_functions().keys();
    let names = scalar.chain(state.aggregate_functions().keys()).chain(state.window_functions().keys());
    names.map(String::as_str).collect()
}

/// A key of an attribute as a statement reads it.
fn attribute(key: &str) -> String {
    let is_of_resource = RESOURCE_KEYS.iter().any(|begin| key.starts_with(begin));
    format!("{}['{}']", if is_of_resource { "resource" } else { "attributes" }, key.replace('\'', "''"))
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

/// Names that other stores of telemetry have for a table, a column, a function, and what it is called here.
const TABLES_ELSEWHERE: [(&str, &str); 4] = [("traces", "spans"), ("otel_traces", "spans"), ("otel_logs", "logs"), ("log_records", "logs")];
const COLUMNS_ELSEWHERE: [(&str, &str); 19] = [
    ("timestamp", "start_time"),
    ("timestamp", "time"),
    ("ts", "start_time"),
    ("ts", "time"),
    ("service", "service_name"),
    ("operation", "name"),
    ("operation_name", "name"),
    ("span_name", "name"),
    ("parent", "parent_span_id"),
    ("parent_id", "parent_span_id"),
    ("span_kind", "kind"),
    ("status_code", "status"),
    ("error", "status"),
    ("message", "body"),
    ("level", "severity"),
    ("tags", "attributes"),
    ("labels", "attributes"),
    ("span_attributes", "attributes"),
    ("resource_attributes", "resource"),
];
const FUNCTIONS_ELSEWHERE: [(&str, &str); 7] = [
    ("percentile", "approx_percentile_cont"),
    ("quantile", "approx_percentile_cont"),
    ("p95", "approx_percentile_cont"),
    ("uniq", "approx_distinct"),
    ("group_concat", "string_agg"),
    ("ifnull", "coalesce"),
    ("to_number", "number"),
];

/// How keys begin that say where something ran.
const RESOURCE_KEYS: [&str; 9] = ["service.", "host.", "k8s.", "deployment.", "telemetry.", "process.", "cloud.", "container.", "os."];

/// How the parser ends a message.
const PLACE: &str = " at Line: ";
