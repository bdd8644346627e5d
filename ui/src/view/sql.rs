//! The SQL console: a result as a table, and what statements can name.

use askama::Template;
use storage::{SqlAnswer, SqlColumn, SqlMeaning, UnixNanos};

use super::format::{self, Clockface};
use super::frame::Frame;
use super::link::Links;
use super::search::Problem;

mod sorting;

pub(crate) use self::sorting::Sorting;

/// `/query`.
#[derive(Debug, Default, Template)]
#[template(path = "sql.html")]
pub(crate) struct Sql {
    pub(crate) frame: Frame,
    pub(crate) sql: String,
    pub(crate) problem: Option<Problem>,
    pub(crate) result: Option<Table>,
    /// What it is about and its address.
    pub(crate) examples: Vec<(&'static str, String, &'static str)>,
    /// The result as a picture, when that was asked for and it is one of numbers.
    pub(crate) chart: Option<super::sql_chart::Chart>,
    pub(crate) is_drawn: bool,
    /// The page with the picture, or without; empty where there is nothing to draw.
    pub(crate) toggle_chart: String,
    /// Why there is no chart; empty where there is one, and where nobody expects one.
    pub(crate) no_chart: String,
    /// How the statement is carried out.
    pub(crate) explain: String,
    /// Statements that ran before this one, the last one first: for the form, and as links.
    pub(crate) past: String,
    pub(crate) earlier: Vec<(String, String)>,
    /// What statements can name.
    pub(crate) tables: Vec<SchemaTable>,
    pub(crate) csv: String,
    pub(crate) ndjson: String,
}

/// A table that statements can name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SchemaTable {
    pub(crate) name: &'static str,
    /// Some of its rows.
    pub(crate) href: String,
    /// Name, type and, where they can be counted, the most frequent values.
    pub(crate) columns: Vec<(String, String, String)>,
}

/// A result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) columns: Vec<Head>,
    pub(crate) rows: Vec<Vec<Cell>>,
    pub(crate) summary: String,
    pub(crate) is_truncated: bool,
    /// Why rows are missing.
    pub(crate) notes: Vec<String>,
    /// What the statement hardly means.
    pub(crate) advice: Vec<String>,
}

/// The head of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) name: String,
    pub(crate) sql_type: String,
    pub(crate) is_number: bool,
    /// `ascending`, `descending`, or nothing when rows are not sorted by it.
    pub(crate) sorted: &'static str,
    /// The same result sorted by it, the other way around, or as the statement has it.
    pub(crate) href: String,
}

/// One value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    /// What `text` is the beginning of; empty when that is all.
    pub(crate) whole: String,
    pub(crate) is_number: bool,
    pub(crate) is_null: bool,
    /// A number of nanoseconds as people read it; empty for others.
    pub(crate) reads: String,
    /// The trace that an id names.
    pub(crate) href: String,
}

/// The tables with a statement for each and for each of their columns; `link` makes the address of a statement.
pub(crate) fn schema(link: impl Fn(&str) -> String) -> Vec<SchemaTable> {
    let table = |(table, columns): (&'static str, Vec<(SqlColumn, bool)>)| {
        let time = if table == "spans" { "start_time" } else { "time" };
        let column = |(column, _): (SqlColumn, bool)| {
            let is_nested = ["MAP", "LIST", "STRUCT", "ARRAY"].iter().any(|word| column.sql_type.to_uppercase().contains(word));
            let name = &column.name;
            let values = format!("SELECT {name}, count(*) AS n\nFROM {table}\nGROUP BY {name}\nORDER BY n DESC\nLIMIT 50");
            (name.clone(), column.sql_type.clone(), if is_nested { String::new() } else { link(&values) })
        };
        SchemaTable {
            name: table,
            href: link(&format!("SELECT *\nFROM {table}\nORDER BY {time} DESC\nLIMIT 20")),
            columns: columns.into_iter().map(column).collect(),
        }
    };
    storage::sql_tables().into_iter().map(table).collect()
}

/// Whether values of a type are numbers.
fn is_number(sql_type: &str) -> bool {
    let lower = sql_type.to_lowercase();
    ["int", "double", "float", "decimal", "real"].iter().any(|word| lower.contains(word))
}

/// Lays out the rows of an SQL answer.
pub(crate) fn table(answer: &SqlAnswer, links: &Links, clock: &Clockface) -> Table {
    let head = |column: &SqlColumn| Head {
        name: format::line(&column.name, 120),
        sql_type: format::line(&column.sql_type, 60),
        is_number: is_number(&column.sql_type),
        ..Head::default()
    };
    let columns: Vec<Head> = answer.columns.iter().map(head).collect();
    let row = |row: &serde_json::Map<String, serde_json::Value>| {
        answer
            .columns
            .iter()
            .zip(&columns)
            .map(|(column, head)| cell(column, row.get(&column.name), head.is_number, (links, clock)))
            .collect()
    };
    let rows: Vec<Vec<Cell>> = answer.rows.iter().map(row).collect();
    let elapsed = format::duration(u64::try_from(answer.elapsed.as_nanos()).unwrap_or(u64::MAX));
    Table {
        summary: format!("{} · {elapsed}", format::counted(rows.len() as u64, "row", "rows")),
        columns,
        rows,
        is_truncated: answer.truncated,
        notes: answer.notes.iter().map(|note| format::text(note)).collect(),
        advice: answer.advice.iter().map(|sentence| format::text(sentence)).collect(),
    }
}

fn cell(column: &SqlColumn, value: Option<&serde_json::Value>, is_number: bool, (links, clock): (&Links, &Clockface)) -> Cell {
    let name = column.name.as_str();
    let text = match value {
        None | Some(serde_json::Value::Null) => return Cell { text: "null".to_owned(), is_null: true, ..Cell::default() },
        Some(serde_json::Value::String(text)) => format::text(text),
        Some(other) => format::text(&other.to_string()),
    };
    let trace = if name.ends_with("trace_id") && text.len() == 32 { text.parse::<storage::TraceId>().ok() } else { None };
    let href = match (trace, name) {
        (Some(id), _) => links.trace(&id).href(),
        (None, "span_id") if text.len() == 16 => links.plain("/open").with("id", &text).href(),
        (None, "service_name") if !text.is_empty() => links.service(&text).href(),
        _ => String::new(),
    };
    let is_long = text.chars().nth(MAX_CELL).is_some();
    let text = if is_long { text.chars().take(MAX_CELL).chain(['…']).collect() } else { text };
    let reads = if is_number { reads(column.meaning, &text, clock) } else { String::new() };
    // One long value would make its row higher than the screen is.
    let is_high = href.is_empty() && (text.chars().nth(HEAD).is_some() || text.lines().nth(2).is_some());
    if !is_high {
        return Cell { text, is_number, reads, href, ..Cell::default() };
    }
    let head: String = text.split('\n').next().unwrap_or_default().chars().take(HEAD - 10).chain(['…']).collect();
    Cell { text: head, whole: text, is_number, reads, href, ..Cell::default() }
}

/// A time or a duration as people read it. An average of them has a fraction.
fn reads(meaning: SqlMeaning, text: &str, clock: &Clockface) -> String {
    let (sign, size) = text.strip_prefix('-').map_or(("", text), |size| ("−", size));
    let Some(nanos) = size.parse().ok().or_else(|| rounded(size)) else { return String::new() };
    match meaning {
        SqlMeaning::Duration => format!("{sign}{}", format::duration(nanos)),
        SqlMeaning::Time if sign.is_empty() && UnixNanos::new(nanos) > UnixNanos::YEAR_2000 => clock.moment(UnixNanos::new(nanos)).text,
        SqlMeaning::Time | SqlMeaning::Plain => String::new(),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "neither negative nor above the limit of the type")]
fn rounded(text: &str) -> Option<u64> {
    text.parse::<f64>().ok().map(f64::round).filter(|number| (0.0..9e18).contains(number)).map(|number| number as u64)
}

/// Longer values are folded.
const HEAD: usize = 90;

/// Longer values are cut on the page; CSV and NDJSON have them whole.
const MAX_CELL: usize = 1_000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_schema_asks_for_rows_of_a_table_and_values_of_a_column() {
        let tables = schema(str::to_owned);
        assert_eq!(tables.iter().map(|table| table.name).collect::<Vec<_>>(), ["spans", "logs"]);
        assert_eq!(tables[1].href, "SELECT *\nFROM logs\nORDER BY time DESC\nLIMIT 20");
        let column = |name: &str| tables[0].columns.iter().find(|(known, ..)| known == name).unwrap();
        assert!(column("name").2.starts_with("SELECT name, count(*) AS n\nFROM spans"));
        assert_eq!(column("attributes").2, "");
    }

    #[test]
    fn ids_and_services_become_links_and_nulls_are_told_from_texts() {
        let column =
            |name: &str, sql_type: &str| SqlColumn { name: name.to_owned(), sql_type: sql_type.to_owned(), ..SqlColumn::default() };
        let row = serde_json::json!({ "trace_id": "5b8efff798038103d269b633813fc60c", "n": 3, "x": null });
        let answer = SqlAnswer {
            columns: vec![column("trace_id", "Utf8"), column("n", "Int64"), column("x", "Utf8")],
            rows: vec![row.as_object().unwrap().clone()],
            elapsed: Duration::from_millis(2),
            ..SqlAnswer::default()
        };
        let clock = Clockface::new(UnixNanos::new(1_795_176_300_000_000_000), None);
        let table = table(&answer, &Links::default(), &clock);
        let reads = |meaning, text| reads(meaning, text, &clock).replace('\u{202f}', " ");
        assert_eq!(reads(SqlMeaning::Time, "1795176202123456789"), "12:03:22.123");
        let durations = ["2500", "52806834.66699654", "-2500", "x"].map(|text| reads(SqlMeaning::Duration, text));
        assert_eq!(durations, ["2.50 µs", "52.8 ms", "−2.50 µs", ""]);
        assert_eq!((reads(SqlMeaning::Plain, "1795176202123456789"), reads(SqlMeaning::Time, "17")), (String::new(), String::new()));
        assert_eq!(table.rows[0][0].href, "/trace/5b8efff798038103d269b633813fc60c");
        let linked = |name: &str, value: &str| cell(&column(name, "Utf8"), Some(&value.into()), false, (&Links::default(), &clock)).href;
        assert_eq!(linked("span_id", "00f067aa0ba902b7"), "/open?id=00f067aa0ba902b7");
        assert_eq!(
            (linked("service_name", "a b"), linked("service_name", ""), linked("name", "a")),
            ("/services/a%20b".to_owned(), String::new(), String::new())
        );
        assert!(table.rows[0][1].is_number && table.rows[0][2].is_null);
        let long = serde_json::Value::from("x".repeat(400));
        let folded = cell(&column("attributes", "Utf8"), Some(&long), false, (&Links::default(), &clock));
        assert_eq!((folded.text.chars().count(), folded.whole.len()), (HEAD - 9, 400));
        assert_eq!(cell(&column("name", "Utf8"), Some(&"GET /".into()), false, (&Links::default(), &clock)).whole, "");
    }
}
