//! Where in a statement a mistake is, and what may have been meant.
//!
//! Owns the way from the planner's lines and columns to bytes of the text, and from a wrong name to the nearest known ones.

use std::collections::BTreeSet;

use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::execution::context::SessionState;

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

/// An error of reading or planning `sql`, with its place when that is known. `before` bytes stood before it, `state` knows the functions.
pub(super) fn locate(error: &DataFusionError, sql: &str, before: usize, state: &SessionState) -> QueryError {
    let explained = super::explain(error);
    let QueryError::Invalid(line) = explained else { return explained };
    let said = error.diagnostic();
    let span = said.and_then(|diagnostic| diagnostic.span);
    let place = match span {
        Some(span) => range(sql, (span.start.line, span.start.column), Some((span.end.line, span.end.column))),
        None => place_in_words(&line).and_then(|start| range(sql, start, None)),
    };
    let words = words(error.find_root(), said.map(|diagnostic| diagnostic.message.as_str()), &line, state);
    let place = place.or_else(|| line.contains("found: EOF").then_some((sql.len(), 0)));
    match place {
        Some((offset, length)) => {
            if let Some(error) = duration(sql, before, offset, length) {
                return QueryError::Parse(error);
            }
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
fn words(root: &DataFusionError, said: Option<&str>, line: &str, state: &SessionState) -> Words {
    if let DataFusionError::SchemaError(schema, _) = root
        && let SchemaError::FieldNotFound { field, valid_fields } = schema.as_ref()
    {
        return no_column(field, valid_fields);
    }
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
    let digits = sql.get(..offset)?.bytes().rev().take_while(u8::is_ascii_digit).count();
    let number: i64 = sql.get(offset - digits..offset)?.parse().ok()?;
    let scale = match sql.get(offset..offset + length)? {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let nanos = number.checked_mul(scale)?.to_string();
    let message = format!("durations are numbers of nanoseconds here: {nanos}");
    Some(ParseError { offset: before + offset - digits, length: digits + length, message, suggestions: vec![nanos] })
}

fn no_column(field: &Column, known: &[Column]) -> Words {
    let name = field.flat_name();
    let columns: BTreeSet<&str> = known.iter().map(Column::name).collect();
    let suggestions = known_as(&COLUMNS_ELSEWHERE, &field.name, |name| columns.contains(name));
    let suggestions = suggestions.unwrap_or_else(|| nearest(&field.name.to_lowercase(), columns.iter().copied()));
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
