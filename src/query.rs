//! `throughline query`: asks a server or a data folder and writes rows.
//!
//! Owns paging and the columns that are shown of traces, spans and log records. The questions are those of `/api/v1`.

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use serde_json::{Map, Value as Json};
use ui::client::{Client, duration, path, rfc3339};

use crate::cli::{Query, TableFormat};
use crate::source::{Source, quiet_log};

mod table;

use self::table::Table;

/// The begin of all time, for who says none: a folder is asked about what it has.
const EVER: &str = "0";

/// A row as the API gives it.
type Row = Map<String, Json>;

/// A list that is read page by page.
struct List {
    path: &'static str,
    /// Where the rows are in an answer.
    rows: &'static str,
    /// Rows of a page, at most.
    page: u32,
    /// What is shown of a row, by name.
    columns: &'static [Column],
}

/// The name of a column, and what it shows of a row.
type Column = (&'static str, fn(&Row) -> String);

/// Writes the answer. Fails when it is not complete.
///
/// # Errors
/// When the question is wrong or cannot be answered.
pub(crate) fn run(arguments: &Query) -> anyhow::Result<ExitCode> {
    if arguments.sql && (arguments.window.from.is_some() || arguments.window.to.is_some()) {
        crate::say(&"SQL says itself which time it means: WHERE start_time >= …; leave out --from and --to");
        return Ok(ExitCode::from(crate::USAGE));
    }
    quiet_log();
    crate::runtime()?.block_on(async {
        let source = Source::open(&arguments.source).await?;
        let out = BufWriter::new(std::io::stdout());
        let answered = if arguments.sql {
            sql(&source.client, arguments, out).await
        } else {
            let of = match (arguments.logs, arguments.spans) {
                (true, _) => &LOGS,
                (_, true) => &SPANS,
                _ => &TRACES,
            };
            match arguments.format {
                TableFormat::Csv => file(&source.client, arguments, of, out).await,
                TableFormat::Table | TableFormat::Ndjson => list(&source.client, arguments, of, out).await,
            }
        };
        source.close().await?;
        answered
    })
}

async fn sql(client: &Client, arguments: &Query, mut out: impl Write) -> anyhow::Result<ExitCode> {
    let format = match arguments.format {
        TableFormat::Table => "json",
        TableFormat::Ndjson => "ndjson",
        TableFormat::Csv => "csv",
    };
    let (limit, text) = (arguments.limit.to_string(), arguments.text.as_str());
    let parameters = [("query", text), ("max_rows", &limit), ("timeout", "60s"), ("format", format)];
    let answer = client.get(&path("/api/v1/sql", &parameters)).await?;
    let truncated = answer.header("x-throughline-truncated") == "true";
    let complete = answer.header("x-throughline-complete") != "false";
    let notes: Vec<String> = answer.headers("x-throughline-note").map(str::to_owned).collect();
    let bytes = answer.bytes(MAX_ANSWER_BYTES).await?;
    if arguments.format == TableFormat::Table {
        let answer: Json = serde_json::from_slice(&bytes)?;
        let names = list_of(&answer, "columns").iter().filter_map(|column| column.get("name")?.as_str());
        let mut table = Table::new(names.map(str::to_owned).collect());
        for row in list_of(&answer, "rows").iter().filter_map(Json::as_object) {
            table.row(table.names().iter().map(|name| row.get(name).map_or_else(String::new, text_of)).collect());
        }
        table.write(&mut out)?;
    } else {
        out.write_all(&bytes)?;
    }
    out.flush()?;
    if truncated {
        crate::say(&format_args!("there are more rows; --limit {} was reached", arguments.limit));
    }
    for note in &notes {
        crate::say(note);
    }
    if !complete && notes.is_empty() {
        crate::say(&"the answer is not complete: a part of the data could not be read");
    }
    Ok(exit_code(complete))
}

/// Scripts are told too when something is missing.
fn exit_code(complete: bool) -> ExitCode {
    if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn list(client: &Client, arguments: &Query, of: &List, mut out: impl Write) -> anyhow::Result<ExitCode> {
    let mut table = Table::new(of.columns.iter().map(|(name, _)| (*name).to_owned()).collect());
    let (mut left, mut cursor, mut complete) = (arguments.limit, None::<String>, true);
    while left > 0 {
        let question = question(arguments, of, left, cursor.as_deref(), "json");
        let bytes = client.get(&question).await?.bytes(MAX_ANSWER_BYTES).await?;
        let answer: Json = serde_json::from_slice(&bytes)?;
        for row in list_of(&answer, of.rows).iter().filter_map(Json::as_object) {
            left = left.saturating_sub(1);
            match arguments.format {
                TableFormat::Ndjson => writeln!(out, "{}", Json::Object(row.clone()))?,
                TableFormat::Table | TableFormat::Csv => table.row(of.columns.iter().map(|(_, shown)| shown(row)).collect()),
            }
        }
        for note in answer.pointer("/stats/notes").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str) {
            crate::say(&note);
        }
        complete &= answer.pointer("/stats/complete") != Some(&Json::Bool(false));
        cursor = answer.get("next").and_then(Json::as_str).map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    if arguments.format == TableFormat::Table {
        table.write(&mut out)?;
    }
    out.flush()?;
    say_of_more(arguments, cursor.is_some());
    Ok(exit_code(complete))
}

/// A list in the form of the API, page by page under one head.
async fn file(client: &Client, arguments: &Query, of: &List, mut out: impl Write) -> anyhow::Result<ExitCode> {
    let (mut left, mut cursor, mut complete, mut is_first) = (arguments.limit, None::<String>, true, true);
    let mut notes: Vec<String> = Vec::new();
    while left > 0 {
        let answer = client.get(&question(arguments, of, left, cursor.as_deref(), "csv")).await?;
        complete &= answer.header("x-throughline-complete") != "false";
        let next = answer.header("x-throughline-next").to_owned();
        notes.extend(answer.headers("x-throughline-note").map(str::to_owned).filter(|note| !notes.contains(note)).collect::<Vec<_>>());
        let bytes = answer.bytes(MAX_ANSWER_BYTES).await?;
        let head = bytes.windows(2).position(|pair| pair == b"\r\n").map_or(bytes.len(), |end| end + 2);
        out.write_all(bytes.get(if is_first { 0 } else { head }..).unwrap_or_default())?;
        left = left.saturating_sub(lines(&bytes).saturating_sub(1));
        is_first = false;
        cursor = Some(next).filter(|next| !next.is_empty());
        if cursor.is_none() {
            break;
        }
    }
    out.flush()?;
    for note in &notes {
        crate::say(note);
    }
    if !complete && notes.is_empty() {
        crate::say(&"the answer is not complete: a part of the data could not be read");
    }
    say_of_more(arguments, cursor.is_some());
    Ok(exit_code(complete))
}

/// Lines of CSV: what stands in quotes may be several.
fn lines(csv: &[u8]) -> u32 {
    let mut in_quotes = false;
    let ends = csv.iter().filter(|byte| {
        in_quotes ^= **byte == b'"';
        **byte == b'\n' && !in_quotes
    });
    u32::try_from(ends.count()).unwrap_or(u32::MAX)
}

/// The address of a page of a list.
fn question(arguments: &Query, of: &List, left: u32, cursor: Option<&str>, format: &str) -> String {
    let limit = left.min(of.page).to_string();
    let pairs = [
        ("q", Some(arguments.text.as_str())),
        ("limit", Some(limit.as_str())),
        ("from", Some(arguments.window.from.as_deref().unwrap_or(EVER))),
        ("to", arguments.window.to.as_deref()),
        ("cursor", cursor),
        ("format", Some(format)),
    ];
    path(of.path, &pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect::<Vec<_>>())
}

fn say_of_more(arguments: &Query, is_more: bool) {
    if is_more {
        crate::say(&format_args!("there are more; --limit {} was reached", arguments.limit));
    }
}

fn list_of<'a>(answer: &'a Json, name: &str) -> &'a [Json] {
    answer.get(name).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A value in a cell.
fn text_of(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn text(row: &Row, name: &str) -> String {
    row.get(name).map_or_else(String::new, text_of)
}

fn number(row: &Row, name: &str) -> u64 {
    row.get(name).and_then(Json::as_str).and_then(|text| text.parse().ok()).unwrap_or_default()
}

const TRACES: List = List {
    path: "/api/v1/traces",
    rows: "traces",
    page: 1_000,
    columns: &[
        ("start", |row| rfc3339(number(row, "start"))),
        ("duration", |row| duration(number(row, "duration"))),
        ("service", |row| text(row, "root_service")),
        ("name", |row| text(row, "root_name")),
        ("spans", |row| text(row, "span_count")),
        ("errors", |row| text(row, "error_count")),
        ("trace", |row| text(row, "trace_id")),
    ],
};

const SPANS: List = List {
    path: "/api/v1/spans",
    rows: "spans",
    page: 1_000,
    columns: &[
        ("start", |row| rfc3339(number(row, "start"))),
        ("duration", |row| duration(number(row, "duration"))),
        ("status", |row| row.get("status").and_then(|status| status.get("code")).map_or_else(String::new, text_of)),
        ("kind", |row| text(row, "kind")),
        ("service", |row| text(row, "service")),
        ("name", |row| text(row, "name")),
        ("trace", |row| text(row, "trace_id")),
        ("span", |row| text(row, "span_id")),
    ],
};

const LOGS: List = List {
    path: "/api/v1/logs",
    rows: "logs",
    page: 10_000,
    columns: &[
        ("time", |row| rfc3339(number(row, "time"))),
        ("severity", |row| text(row, "severity")),
        ("service", |row| text(row, "service")),
        ("trace", |row| text(row, "trace_id")),
        ("body", |row| text(row, "body")),
    ],
};

/// Of one page.
const MAX_ANSWER_BYTES: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_csv_may_hold_several() {
        assert_eq!(lines(b"time,body\r\n1,\"one\ntwo \"\"three\"\"\r\n\"\r\n2,x\r\n"), 3);
    }
}
