//! Read-only SQL, answered as JSON, NDJSON or CSV.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as AnyJson};
use storage::{SqlAnswer, SqlColumn, SqlQuery, sql_tables};

use super::{csv, in_background, to_json, written};
use crate::error::Failure;
use crate::params::{Params, parse_duration, wrong};
use crate::state::AppState;

/// Rows of a statement.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    columns: Vec<Column<'a>>,
    rows: Vec<Row<'a>>,
    row_count: usize,
    truncated: bool,
    complete: bool,
    notes: Vec<&'a str>,
}

/// One row as an object, its members in the order of the SELECT.
#[derive(Debug)]
struct Row<'a> {
    columns: &'a [SqlColumn],
    values: &'a Map<String, AnyJson>,
}

#[derive(Debug, Serialize)]
struct Column<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    sql_type: &'a str,
}

/// What statements can name.
#[derive(Debug, Serialize)]
pub(super) struct Tables {
    tables: Vec<TableJson>,
}

#[derive(Debug, Serialize)]
struct TableJson {
    name: &'static str,
    columns: Vec<ColumnJson>,
}

#[derive(Debug, Serialize)]
struct ColumnJson {
    name: String,
    #[serde(rename = "type")]
    sql_type: String,
    nullable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Ndjson,
    Csv,
}

/// `GET /api/v1/tables`
pub(super) async fn tables(params: Params) -> Result<Json<Tables>, Failure> {
    params.refuse_unknown(&[])?;
    let column = |(column, nullable): (SqlColumn, bool)| ColumnJson { name: column.name, sql_type: column.sql_type, nullable };
    let table = |(name, columns): (_, Vec<_>)| TableJson { name, columns: columns.into_iter().map(column).collect() };
    Ok(Json(Tables { tables: sql_tables().into_iter().map(table).collect() }))
}

/// `GET /api/v1/sql`
pub(super) async fn asked_by_url(State(state): State<AppState>, headers: HeaderMap, params: Params) -> Result<Response, Failure> {
    refuse_unknown(&params)?;
    let sql = params.get("query").unwrap_or_default().to_owned();
    answer(&state, sql, &headers, &params).await
}

/// `POST /api/v1/sql`: the body is the statement, or JSON or a form with the parameters. A statement that is called a form is one, too.
pub(super) async fn asked_by_body(
    State(state): State<AppState>,
    headers: HeaderMap,
    params: Params,
    body: String,
) -> Result<Response, Failure> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (statement, given) = if content_type.starts_with("application/json") {
        (None, from_json(&body)?)
    } else if content_type.starts_with("application/x-www-form-urlencoded") && !begins_with_words(&body) {
        let given = Params::read(&body)?;
        (encoded_statement(&given), given)
    } else {
        (Some(body), Params::default())
    };
    let params = if statement.is_some() { params } else { given };
    refuse_unknown(&params)?;
    let sql = statement.unwrap_or_else(|| params.get("query").unwrap_or_default().to_owned());
    answer(&state, sql, &headers, &params).await
}

/// Whether a form is none but a statement, as `curl -d 'SELECT …'` sends it: what would be its first name has several words.
fn begins_with_words(form: &str) -> bool {
    form.split(['=', '&']).next().is_some_and(has_words)
}

/// The statement of `curl --data-urlencode 'SELECT …'`: a name of several words, and nothing else.
fn encoded_statement(form: &Params) -> Option<String> {
    let mut pairs = form.pairs();
    match (pairs.next(), pairs.next()) {
        (Some((name, "")), None) if has_words(name) => Some(name.to_owned()),
        _ => None,
    }
}

fn has_words(name: &str) -> bool {
    name.trim().contains(char::is_whitespace)
}

fn refuse_unknown(params: &Params) -> Result<(), Failure> {
    if let Some(name) = ["from", "to"].into_iter().find(|name| params.get(name).is_some()) {
        return Err(wrong(name, "a statement says its window itself, such as WHERE start_time > now() - INTERVAL '1 hour'"));
    }
    params.refuse_unknown(&PARAMETERS)
}

async fn answer(state: &AppState, sql: String, headers: &HeaderMap, params: &Params) -> Result<Response, Failure> {
    let format = format(headers, params)?;
    if sql.trim().is_empty() {
        return Err(wrong("query", "there is no SQL statement"));
    }
    let query = SqlQuery { sql, max_rows: params.number("max_rows", 1_000, 100_000)?, timeout: timeout(params)? };
    let answer = state.store().sql(query).await?;
    let (truncated, complete) = (answer.truncated, answer.notes.is_empty());
    let notes: Vec<String> = notes(&answer).map(str::to_owned).collect();
    let now = state.now();
    let response = match format {
        Format::Json => written(move || to_json(&Answer::from(&answer))).await?,
        Format::Ndjson => with_type(written(move || lines(&answer)).await?, "application/x-ndjson"),
        Format::Csv => in_background(move || csv::file("sql", now, csv::table(&answer))).await?,
    };
    Ok(csv::marked(response, truncated, complete, &notes))
}

/// Why rows are missing, and what the statement hardly means.
fn notes(answer: &SqlAnswer) -> impl Iterator<Item = &str> {
    answer.notes.iter().chain(&answer.advice).map(String::as_str)
}

fn timeout(params: &Params) -> Result<Duration, Failure> {
    let Some(text) = params.get("timeout") else { return Ok(DEFAULT_TIMEOUT) };
    let timeout = parse_duration(text).map(Duration::from_nanos).map_err(|reason| wrong("timeout", &reason))?;
    if timeout.is_zero() || timeout > MAX_TIMEOUT {
        return Err(wrong("timeout", "it must be more than 0 s and at most 60 s"));
    }
    Ok(timeout)
}

/// The parameter wins over the header.
fn format(headers: &HeaderMap, params: &Params) -> Result<Format, Failure> {
    if let Some(format) = params.word("format", &[("json", Format::Json), ("ndjson", Format::Ndjson), ("csv", Format::Csv)])? {
        return Ok(format);
    }
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    Ok(if accept.contains("text/csv") {
        Format::Csv
    } else if accept.contains("ndjson") {
        Format::Ndjson
    } else {
        Format::Json
    })
}

/// A flat JSON object as parameters.
fn from_json(body: &str) -> Result<Params, Failure> {
    let not_flat = |what: &str| Failure::new(StatusCode::BAD_REQUEST, "invalid_body", format!("the body {what}"));
    let fields: Map<String, AnyJson> = serde_json::from_str(body).map_err(|error| not_flat(&format!("is not a JSON object: {error}")))?;
    let mut pairs = Vec::with_capacity(fields.len());
    for (name, value) in fields {
        match value {
            AnyJson::String(text) => pairs.push((name, text)),
            AnyJson::Number(number) => pairs.push((name, number.to_string())),
            AnyJson::Null => {}
            _ => return Err(not_flat("may hold text and numbers only")),
        }
    }
    Ok(pairs.into_iter().collect())
}

fn lines(answer: &SqlAnswer) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::new();
    for row in Row::all(answer) {
        serde_json::to_writer(&mut out, &row)?;
        out.push(b'\n');
    }
    Ok(out)
}

fn with_type(mut response: Response, content_type: &'static str) -> Response {
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

impl<'a> Row<'a> {
    fn all(answer: &'a SqlAnswer) -> impl Iterator<Item = Self> {
        answer.rows.iter().map(|values| Self { columns: &answer.columns, values })
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.columns.iter().map(|column| (&column.name, self.values.get(&column.name))))
    }
}

impl<'a> From<&'a SqlAnswer> for Answer<'a> {
    fn from(answer: &'a SqlAnswer) -> Self {
        let columns = answer.columns.iter().map(|column| Column { name: &column.name, sql_type: &column.sql_type });
        Self {
            columns: columns.collect(),
            rows: Row::all(answer).collect(),
            row_count: answer.rows.len(),
            truncated: answer.truncated,
            complete: answer.notes.is_empty(),
            notes: notes(answer).collect(),
        }
    }
}

const PARAMETERS: [&str; 4] = ["query", "max_rows", "timeout", "format"];

const DEFAULT_TIMEOUT: Duration = MAX_TIMEOUT;

const MAX_TIMEOUT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_among_the_notes_of_an_answer_that_is_complete() {
        let advised = SqlAnswer { advice: vec!["no row has it".to_owned()], ..SqlAnswer::default() };
        assert_eq!((Answer::from(&advised).complete, Answer::from(&advised).notes), (true, vec!["no row has it"]));
        let missing = SqlAnswer { notes: vec!["a segment".to_owned()], ..advised };
        assert_eq!((Answer::from(&missing).complete, Answer::from(&missing).notes), (false, vec!["a segment", "no row has it"]));
    }
}
